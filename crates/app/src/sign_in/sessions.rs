//! Sessions: what a browser holds after a person signed in. The browser has 32 random bytes, the
//! record their hash; ending the record ends the session everywhere at once, as none is remembered
//! by any node.

use async_recursion::async_recursion;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use patron_model::{
    Failure, Noun, Timestamp, audit::kept_agent, card::Found, event::UntoldEvent, user::User,
};
use patron_store::{Column, Index, Kind, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Method, Proof, plain, told as told_of};
use crate::{
    App, Cx,
    audit::{Act, Origin, target},
    commit::Draft,
    documents::{DEPLOYMENT, Document, named},
    failure,
    ids::new_uuid,
    record::{self, Id, Loaded, Look, page},
    search::{Field, Filter, Query},
    secrets::sha256_hex,
};

/// Sessions.
pub static SESSION: Kind = Kind {
    name: "session",
    columns: &[
        Column::text("lookup", Index::UniqueEverywhere),
        Column::int("user", Index::Ordered),
        Column::int("ends_at", Index::Ordered),
    ],
    terms: false,
};

/// Seconds after which a session that is not used is over.
pub const IDLE_SECONDS: i64 = 3_600;
/// Seconds after which every session is over.
pub const SECONDS_MAX: i64 = 12 * 3_600;
/// Sessions of one person; a further one ends the oldest.
pub const SESSIONS_MAX: usize = 20;
/// Seconds between two writes of when a session was used last.
const SEEN_EVERY_SECONDS: i64 = 60;
/// Seconds for which a proof is fresh enough for what asks for one.
pub const PROVEN_SECONDS: i64 = 600;
/// Random bytes of what a browser holds.
const TOKEN_BYTES: usize = 32;
/// What the anti-forgery token of a session is signed for.
const CSRF: &str = "csrf";

/// A session.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Session {
    /// Number.
    pub number: i64,
    /// UUID.
    pub uuid: Uuid,
    /// Hash of what the browser holds.
    lookup: String,
    /// Number of the person.
    pub user: i64,
    /// 2: by two factors; 1: by one.
    pub level: u8,
    /// By what the person signed in.
    pub methods: Vec<Method>,
    /// When.
    pub opened_at: Timestamp,
    /// When it was used last; at most a minute old.
    pub seen_at: Timestamp,
    /// When the person last proved who they are.
    pub proven_at: Timestamp,
    /// When it is over at the latest.
    pub ends_at: Timestamp,
    /// Address of the browser when it was opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What the browser calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
}

impl Document for Session {
    named!(SESSION, Session, UntoldEvent, in_deployment);
    const JOURNALED: bool = false;

    fn columns(&self) -> Vec<Value> {
        vec![self.lookup.as_str().into(), self.user.into(), self.ends_at.micros().into()]
    }

    fn search_cards(&self, found: &mut Found) {
        found.maybe("agent", self.agent.as_ref());
    }
}

/// What a browser gets when its person signed in.
pub struct Opened {
    /// The session.
    pub session: Session,
    /// What the browser holds, and shows with every request.
    pub token: String,
    /// What its requests must carry beside the cookie.
    pub csrf: String,
    /// What makes the browser a known device; none while a second factor is awaited.
    pub device: Option<String>,
    /// By what a second factor has to be proven before anything may be done; empty: it need not.
    pub second_factor: Vec<&'static str>,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Opened({}, …)", self.session.number)
    }
}

impl Session {
    /// Whether it is still one.
    pub fn is_good(&self, now: Timestamp) -> bool {
        now < self.ends_at && now < self.seen_at.plus_seconds(IDLE_SECONDS)
    }

    /// Until when the person counts as having just proven who they are.
    pub fn proven_until(&self) -> Timestamp {
        self.proven_at.plus_seconds(PROVEN_SECONDS)
    }
}

/// Something random that nobody guesses, in letters that cookies and URLs carry.
pub(super) fn random_token() -> String {
    BASE64URL.encode(rand::random::<[u8; TOKEN_BYTES]>())
}

/// What requests of a session carry beside its cookie: other sites cannot know it.
pub fn csrf(app: &App, session: &Session) -> String {
    app.secrets.sign(CSRF, &session.lookup)
}

/// Whether a request carries it.
pub(super) fn is_csrf(app: &App, session: &Session, sent: &str) -> bool {
    app.secrets.is_signed(CSRF, &session.lookup, sent)
}

/// The session of what a browser holds, while it is one.
pub(super) async fn of_token(app: &App, token: &str) -> Result<Option<Loaded<Session>>, Failure> {
    let lookup = sha256_hex(token);
    let row = app.store.get_by(&SESSION, DEPLOYMENT, "lookup", &lookup).await.map_err(failure)?;
    let session = row.as_ref().map(record::decode::<Session>).transpose()?;
    Ok(session.filter(|session| session.is_good(app.clock.now())))
}

/// Sessions of a person, the oldest first, those that are over included.
async fn of_user(cx: &Cx, user: i64) -> Result<Vec<Loaded<Session>>, Failure> {
    let predicate = Filter::equal(Field::Column("user"), user);
    // Sign-ins side by side may each have seen room for one.
    let limit = 4 * SESSIONS_MAX as u32;
    Ok(page(cx, &Query { predicate, limit, ..Query::of(DEPLOYMENT) }).await?.items)
}

/// Notes a new session; those that are over go, and the oldest where there are too many.
pub(super) async fn open(
    cx: &Cx,
    draft: &mut Draft<'_>,
    user: &User,
    proof: &Proof,
) -> Result<(Session, String), Failure> {
    let known = of_user(cx, user.number).await?;
    let (good, over): (Vec<_>, Vec<_>) =
        known.into_iter().partition(|session| session.is_good(cx.now));
    let too_many = (good.len() + 1).saturating_sub(SESSIONS_MAX);
    for session in over.iter().chain(good.iter().take(too_many)) {
        draft.remove(session);
    }
    let token = random_token();
    let lookup = sha256_hex(&token);
    let origin = cx.origin.as_deref();
    let session = Session {
        number: cx.app.store.reserve("session", 1).await.map_err(failure)?.start,
        uuid: new_uuid(),
        lookup,
        user: user.number,
        level: proof.level,
        methods: proof.methods.clone(),
        opened_at: cx.now,
        seen_at: cx.now,
        proven_at: cx.now,
        ends_at: cx.now.plus_seconds(SECONDS_MAX),
        address: origin.and_then(Origin::address).map(|address| address.to_string()),
        agent: origin.and_then(Origin::agent).and_then(kept_agent),
    };
    draft.insert(&session)?;
    draft.tell(told("session.opened", user.account, &session));
    Ok((session, token))
}

/// Notes that a person has just proven once more who they are: the browser holds something new. By
/// a second factor, where one is named, the session is of level 2.
pub(super) async fn renew(
    cx: &Cx,
    draft: &mut Draft<'_>,
    user: &User,
    number: i64,
    second: Option<Method>,
) -> Result<(Session, String), Failure> {
    let before = record::load::<Session>(cx, Look::at(Id::Number(number))).await;
    let over = Failure::Unauthenticated { reason: "a session that is over" };
    let before =
        before.ok().filter(|session| session.user == user.number && session.is_good(cx.now));
    let before = before.ok_or(over)?;
    let token = random_token();
    let lookup = sha256_hex(&token);
    let mut after = before.record.clone();
    (after.lookup, after.proven_at, after.seen_at) = (lookup, cx.now, cx.now);
    if let Some(method) = second {
        after.level = 2;
        if !after.methods.contains(&method) {
            after.methods.push(method);
        }
    }
    draft.replace(&before, &after, UntoldEvent::Updated, &[])?;
    draft.tell(told("session.proven", user.account, &after));
    Ok((after, token))
}

fn told(action: &str, account: i64, session: &Session) -> Act {
    Act {
        action: action.to_owned(),
        account: Some(account),
        target: Some(target("session", &[session.number])),
        ..Act::default()
    }
}

/// Notes that all sessions of a person end, but the one that is named; how many.
pub(super) async fn end_all(
    cx: &Cx,
    draft: &mut Draft<'_>,
    user: i64,
    keep: Option<i64>,
) -> Result<usize, Failure> {
    let mut all = of_user(cx, user).await?;
    all.retain(|session| Some(session.number) != keep);
    all.iter().for_each(|session| draft.remove(session));
    Ok(all.len())
}

/// Writes that a session was used, once in a minute at most.
pub(super) async fn note_seen(cx: &Cx, session: &Loaded<Session>) -> Result<(), Failure> {
    if cx.now < session.seen_at.plus_seconds(SEEN_EVERY_SECONDS) {
        return Ok(());
    }
    let mut draft = cx.draft();
    let after = Session { seen_at: cx.now, ..session.record.clone() };
    draft.replace(session, &after, UntoldEvent::Updated, &[])?;
    match cx.app.store.commit(draft.into_batch()?).await {
        // Somebody else wrote it, or ended it, which the next request finds.
        Ok(_) | Err(patron_store::StoreError::Conflict { .. }) => Ok(()),
        Err(error) => Err(failure(error)),
    }
}

/// Sessions of a person that are good, the latest first.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn list(cx: &Cx, user: i64) -> Result<Vec<Session>, Failure> {
    let all = of_user(&cx.in_space(DEPLOYMENT), user).await?;
    let good = all.into_iter().map(|session| session.record);
    let mut good: Vec<Session> = good.filter(|session| session.is_good(cx.now)).collect();
    good.reverse();
    Ok(good)
}

/// Ends one session of a person.
///
/// # Errors
/// `NotFound`.
#[async_recursion]
pub async fn end(cx: &Cx, user: &User, id: Id) -> Result<(), Failure> {
    let cx = &plain(cx);
    cx.write(|mut draft| async {
        let session = record::load::<Session>(cx, Look::at(id)).await?;
        if session.user != user.number || !session.is_good(cx.now) {
            return Err(Failure::NotFound { noun: Noun::Session });
        }
        draft.remove(&session);
        draft.tell(told("session.ended", user.account, &session));
        Ok((draft, ()))
    })
    .await
}

/// Ends all sessions of a person, but the one that is named; how many.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn end_others(cx: &Cx, user: &User, keep: Option<i64>) -> Result<usize, Failure> {
    let cx = &plain(cx);
    cx.write(|mut draft| async {
        let count = end_all(cx, &mut draft, user.number, keep).await?;
        if count > 0 {
            let count = Some(count as u64);
            draft.tell(Act { count, ..told_of("session.ended", user) });
        }
        Ok((draft, count))
    })
    .await
}
