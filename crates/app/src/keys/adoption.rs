//! Keys of before there were users: each gets an application of its own, which holds the role that
//! the key had. Clients that know the number of a key as that of a user keep it.

use std::sync::Arc;

use patron_model::{Failure, event::KeyEvent, permission::Role, space::Key, user::User};

use super::get;
use crate::{
    App, Cx, assignments,
    assignments::Where,
    commit::Draft,
    documents::DEPLOYMENT,
    ids::new_uuid,
    record::{Id, page},
    search::{Field, Filter, Query},
};

/// Keys of one step, each of which is a transaction.
const STEP_KEYS: u32 = 200;
/// Keys of one user that are followed from the newest to the oldest, at most.
const FOLLOWED_MAX: usize = 1_000;

impl App {
    /// Gives users to keys that have none. Whoever is killed at it goes on at the next start, and
    /// several may be at it at once. Costs one look at an index where there is nothing to do.
    pub(crate) async fn adopt_keys(self: &Arc<Self>) -> Result<(), Failure> {
        let cx = self.operator(DEPLOYMENT, "migration");
        loop {
            let predicate = Filter::Missing(Field::Column("user"));
            let query = Query { predicate, limit: STEP_KEYS, ..Query::of(DEPLOYMENT) };
            let keys = page::<Key>(&cx, &query).await?.items;
            if keys.is_empty() {
                return Ok(());
            }
            for key in keys {
                adopt(&cx, key.number).await?;
            }
        }
    }
}

async fn adopt(cx: &Cx, number: i64) -> Result<(), Failure> {
    cx.write(|mut draft| async {
        // Another node may make the same user at the same moment.
        draft.taken_is_raced();
        let before = match get(cx, Id::Number(number)).await {
            Ok(before) => before,
            Err(Failure::NotFound { .. }) => return Ok((draft, ())),
            Err(failure) => return Err(failure),
        };
        if before.user != 0 {
            return Ok((draft, ()));
        }
        // What no role was ever said of may do nothing.
        let role = before.role_before.unwrap_or(Role::ReadOnly);
        let (user, shares) = user_of(cx, &before).await?;
        let mut after = Key { user, role_before: None, ..before.record.clone() };
        if shares {
            // Another key of the same user may have had another role.
            let own = role.permissions();
            after.cap = Some(after.cap.map_or(own, |cap| cap.and(own)));
        }
        if cx.app.user(user).await?.is_none() {
            let name = &before.name;
            let made = User::application(user, new_uuid(), before.account, name, before.created_at);
            draft.insert(&made)?;
        }
        hold(cx, &mut draft, &before, user, role).await?;
        draft.replace(&before, &after, KeyEvent::Updated, &["user"])?;
        Ok((draft, ()))
    })
    .await
}

/// Notes that the user of a key holds the role that the key had, unless it does already.
async fn hold(
    cx: &Cx,
    draft: &mut Draft<'_>,
    key: &Key,
    user: i64,
    role: Role,
) -> Result<(), Failure> {
    let at = match key.account_wide {
        true => Where::Account { number: key.account, subaccounts: true },
        false => Where::Space(key.space),
    };
    let new = assignments::new(cx, user, role.number(), at, key.account).await?;
    let known = assignments::of_user(cx, user).await?;
    if known.iter().all(|known| known.claim() != new.claim()) {
        draft.insert(&new)?;
    }
    Ok(())
}

/// The user of a key, and whether other keys have the same: those of one handle, whose user has the
/// number of the first of them.
async fn user_of(cx: &Cx, key: &Key) -> Result<(i64, bool), Failure> {
    let (mut first, mut shares) = (key.clone(), key.handle_moved);
    for _ in 0..FOLLOWED_MAX {
        let Some(replaced) = first.replaces else { break };
        let before = match get(cx, Id::Number(replaced)).await {
            Ok(before) => before.record,
            Err(Failure::NotFound { .. }) => break,
            Err(failure) => return Err(failure),
        };
        if before.handle != first.handle {
            break;
        }
        (first, shares) = (before, true);
    }
    Ok((first.number, shares))
}
