//! How people sign in, for whoever looks after them: by what, and when a session of theirs was last
//! used. Nothing of it opens anything.

use std::collections::HashMap;

use async_recursion::async_recursion;
use patron_model::{Failure, Timestamp};

use super::{
    logins::Login,
    sessions::{SESSIONS_MAX, Session},
};
use crate::{
    Cx,
    documents::DEPLOYMENT,
    record::page,
    search::{Field, Filter, Query},
};

/// Persons who are looked at with one question.
const AT_ONCE: usize = 200;

/// How a person signs in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ways {
    /// By what: `password`, `passkey`, `provider`, `totp`, `recovery_code`.
    pub methods: Vec<&'static str>,
    /// Whether there is any second factor.
    pub has_second: bool,
    /// Sessions that are good.
    pub sessions: usize,
    /// When one of them was last used, within a minute; none: none is open.
    pub seen_at: Option<Timestamp>,
}

/// How these persons sign in, by their numbers; nothing for who does not.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn of(cx: &Cx, users: &[i64]) -> Result<HashMap<i64, Ways>, Failure> {
    let mut all = HashMap::new();
    for some in users.chunks(AT_ONCE) {
        let numbers: Vec<_> = some.iter().map(|number| (*number).into()).collect();
        let limit = some.len() as u32;
        let predicate = Filter::OneOf(Field::Number, numbers.clone());
        let query = Query { predicate, limit, ..Query::of(DEPLOYMENT) };
        for login in page::<Login>(cx, &query).await?.items {
            let (methods, has_second) = (login.proofs(), login.has_second());
            all.insert(login.number, Ways { methods, has_second, ..Ways::default() });
        }
        // Those that are over stay for a while: there is room for as many again.
        let limit = 2 * limit * SESSIONS_MAX as u32;
        let predicate = Filter::OneOf(Field::Column("user"), numbers);
        let query = Query { predicate, limit, ..Query::of(DEPLOYMENT) };
        for session in page::<Session>(cx, &query).await?.items {
            let Some(ways) = all.get_mut(&session.user) else { continue };
            if session.is_good(cx.now) {
                ways.sessions += 1;
                ways.seen_at = ways.seen_at.max(Some(session.seen_at));
            }
        }
    }
    Ok(all)
}
