//! Keys: how they are made, changed, rotated and ended.
//!
//! Changes of keys happen in [`create`], [`issue`], [`update`], [`rotate`] and [`revoke`], and
//! nowhere else. Whom a key identifies: [`Caller`].

mod callers;
mod changes;
mod handles;
mod uses;

use patron_model::{
    Failure, Noun, Permissions, Problems, Timestamp, Why,
    network::Network,
    space::{EXPIRY_SECONDS_MAX, Key, NETWORKS_MAX, PublicRights, Role, Space},
    text::Name,
};

use crate::{
    Cx,
    commit::{ATTEMPTS_MAX, Action, Draft, Loaded, Saved, decode, raced},
    customers::{Id, Page, page},
    documents::{DEPLOYMENT, KEY},
    failure,
    ids::new_uuid,
    rights,
    search::{Field, Filter, Query},
    vault,
};

pub(crate) use self::callers::CallerCache;
pub use self::callers::{Caller, Callers, REMEMBERED};
pub use self::changes::{
    KeyPatch, NewHalves, OVERLAP_SECONDS, OVERLAP_SECONDS_MAX, SECRETS_MAX, rotate, update,
};
pub use self::handles::renew;
pub use self::uses::KeyUse;
pub(crate) use self::uses::Uses;

/// Keys, or spaces of one account, that are read at once.
const SPACES_MAX: u32 = 10_000;
/// A key to be made.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// Account.
    pub account: i64,
    /// The space it opens.
    pub space: i64,
    /// Whether it opens every space of the account.
    pub account_wide: bool,
    /// The API it is for.
    pub dialect: &'static str,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Cuts the role.
    pub cap: Option<Permissions>,
    /// Networks it may be used from; any when there are none.
    pub addresses: Vec<Network>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// What its public half may do alone, where keys are pairs.
    pub public_rights: PublicRights,
    /// Public half; the key's own number when none is given.
    pub handle: Option<String>,
    /// Secret half.
    pub secret: NewSecret,
}

impl NewKey {
    /// A key that opens one space and may do all that its role says.
    pub fn of_space(
        space: &Space,
        dialect: &'static str,
        role: Role,
        handle: Option<String>,
        secret: NewSecret,
    ) -> NewKey {
        NewKey {
            account: space.account,
            space: space.number,
            account_wide: false,
            dialect,
            name: String::new(),
            role,
            cap: None,
            addresses: Vec::new(),
            expires_at: None,
            public_rights: PublicRights::default(),
            handle,
            secret,
        }
    }
}

/// The secret half of a key to be made.
#[derive(Clone)]
pub enum NewSecret {
    /// Only needs to be recognised: its hash is kept.
    Bearer(String),
    /// Signs: it is kept sealed.
    Signing(Vec<u8>),
}

impl std::fmt::Debug for NewSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NewSecret(…)")
    }
}

/// A key that was made, and its secret while it may be shown.
#[derive(Debug)]
pub struct Issued {
    /// The key.
    pub key: Saved<Key>,
    /// Its secret as it is shown; none on a repeat that comes too late, or from somebody else.
    pub shown: Option<String>,
}

/// Seconds that a repeat under an idempotency key shows the secret again.
pub const SHOWN_SECONDS: i64 = 24 * 3600;
/// Characters of a secret that tell people which one it is.
const HINT_CHARS: usize = 4;

/// Makes a key.
///
/// # Errors
/// `Exists` when the handle is taken; `Forbidden` when it would have rights that the giver lacks;
/// `Invalid`.
pub async fn create(cx: &Cx, new: NewKey) -> Result<Saved<Key>, Failure> {
    Ok(issue(cx, new, "").await?.key)
}

/// Makes a key whose secret is shown so, and shows it again when the request is repeated.
///
/// # Errors
/// As [`create`].
pub async fn issue(cx: &Cx, new: NewKey, shown: &str) -> Result<Issued, Failure> {
    let cx = cx.in_space(DEPLOYMENT);
    if let Some(saved) = cx.replayed::<Key>().await? {
        let shown = remembered_secret(&cx, &saved)?;
        return Ok(Issued { key: saved, shown });
    }
    let number = next_number(&cx).await?;
    let key = Key {
        number,
        uuid: new_uuid(),
        account: new.account,
        space: new.space,
        account_wide: new.account_wide,
        dialect: new.dialect.to_owned(),
        name: new.name,
        role: new.role,
        cap: new.cap,
        addresses: new.addresses,
        expires_at: new.expires_at,
        replaces: None,
        replaced_by: None,
        earlier: Vec::new(),
        public_rights: new.public_rights,
        handle: new.handle.unwrap_or_else(|| number.to_string()),
        handle_moved: false,
        hint: hint(shown),
        created_at: cx.now,
        revoked_at: None,
    };
    rights::may_give(cx.rights, key.permissions())?;
    check(&cx, &key, true)?;
    for _ in 0..ATTEMPTS_MAX {
        let mut draft = cx.draft();
        insert(&mut draft, &key)?;
        vault::put(&cx, &mut draft, vault::of_key(number), &new.secret).await?;
        draft.seal_outcome(sealed(&cx, number, shown)?);
        if draft.settle().await? {
            let key = Saved { record: key, revision: 1, action: Action::Created, replayed: false };
            let shown = (!cx.dry_run).then(|| shown.to_owned());
            return Ok(Issued { key, shown });
        }
        // The data keys were changed meanwhile: the secret must be sealed with the newest.
        cx.app.refresh_keyring().await?;
    }
    Err(raced())
}

async fn next_number(cx: &Cx) -> Result<i64, Failure> {
    Ok(cx.app.store.reserve("key", 1).await.map_err(failure)?.start)
}

fn insert(draft: &mut Draft<'_>, key: &Key) -> Result<(), Failure> {
    draft.insert(key)?;
    draft.outcome(key, 1, Action::Created);
    Ok(())
}

/// The end of a secret, for people who have several.
fn hint(shown: &str) -> String {
    let chars: Vec<char> = shown.chars().collect();
    // Of a short secret nothing is told.
    let is_long = chars.len() >= 8 * HINT_CHARS;
    if is_long { chars[chars.len() - HINT_CHARS..].iter().collect() } else { String::new() }
}

/// The secret sealed for a repeat of the request; none where it has no idempotency key.
fn sealed(cx: &Cx, number: i64, shown: &str) -> Result<Option<String>, Failure> {
    if cx.idempotency.is_none() {
        return Ok(None);
    }
    cx.app.secrets.seal(&purpose(cx, number), shown.as_bytes()).map(Some)
}

/// What the sealed secret of a new key is for: to be shown again to whoever made it.
fn purpose(cx: &Cx, number: i64) -> String {
    format!("new key {number} for {}", cx.actor_name())
}

/// The secret of a key that the same caller made under the same idempotency key a while ago.
fn remembered_secret(cx: &Cx, made: &Key) -> Result<Option<String>, Failure> {
    rights::may_give(cx.rights, made.permissions())?;
    let outcome = cx.idempotency.as_ref().and_then(|i| i.outcome.as_ref());
    let sealed = outcome.and_then(|outcome| outcome.sealed.as_ref());
    let is_late = made.created_at.plus_seconds(SHOWN_SECONDS) <= cx.now;
    let Some(sealed) = sealed.filter(|_| !is_late) else { return Ok(None) };
    let opened = cx.app.secrets.open(&purpose(cx, made.number), sealed).ok();
    Ok(opened.and_then(|secret| String::from_utf8(secret).ok()))
}

/// What no type checks: name, number of networks, the end.
fn check(cx: &Cx, key: &Key, is_end_new: bool) -> Result<(), Failure> {
    let mut problems = Problems::new();
    if let Err(why) = Name::parse(&key.name) {
        problems.add("name", why);
    }
    if key.addresses.len() > NETWORKS_MAX {
        problems.add("addresses", Why::TooMany { max: NETWORKS_MAX });
    }
    let latest = cx.now.plus_seconds(EXPIRY_SECONDS_MAX);
    if let Some(end) = key.expires_at.filter(|_| is_end_new)
        && (end <= cx.now || end > latest)
    {
        let expected = "a moment in the future, at most two years away";
        problems.add("expires_at", Why::Malformed { expected });
    }
    problems.into_result().map_err(Failure::Invalid)
}

/// A key, also one that has ended.
///
/// # Errors
/// `NotFound`.
pub async fn get(cx: &Cx, id: Id) -> Result<Loaded<Key>, Failure> {
    let row = match id {
        Id::Number(number) => cx.app.store.get(&KEY, DEPLOYMENT, number).await,
        Id::Uuid(uuid) => cx.app.store.get_by_uuid(&KEY, DEPLOYMENT, uuid).await,
    };
    decode(&row.map_err(failure)?.ok_or(Failure::NotFound { noun: Noun::Key })?)
}

/// A page of keys, those that have ended included.
///
/// # Errors
/// Whatever the store says.
pub async fn find(cx: &Cx, query: Query) -> Result<Page<Key>, Failure> {
    page(&cx.in_space(DEPLOYMENT), &Query { tenants: vec![DEPLOYMENT], ..query }).await
}

/// Keys of an account, revoked ones included; of every account when none is named.
///
/// # Errors
/// Whatever the store says.
pub async fn list(cx: &Cx, account: Option<i64>) -> Result<Vec<Key>, Failure> {
    let predicate =
        account.map_or(Filter::All, |account| Filter::equal(Field::Column("account"), account));
    let query = Query { predicate, limit: SPACES_MAX, ..Query::of(DEPLOYMENT) };
    let keys = page::<Key>(&cx.in_space(DEPLOYMENT), &query).await?.items;
    Ok(keys.into_iter().map(|key| key.record).collect())
}

/// Revokes a key. Idempotent.
///
/// # Errors
/// `NotFound`.
pub async fn revoke(cx: &Cx, number: i64) -> Result<Saved<Key>, Failure> {
    let cx = cx.in_space(DEPLOYMENT);
    for _ in 0..ATTEMPTS_MAX {
        let before = get(&cx, Id::Number(number)).await?;
        if before.revoked_at.is_some() {
            let (record, revision) = (before.record, before.revision);
            return Ok(Saved { record, revision, action: Action::Unchanged, replayed: false });
        }
        let revoked: Option<Timestamp> = Some(cx.now);
        let after = Key { revoked_at: revoked, ..before.record.clone() };
        let mut draft = cx.draft();
        draft.replace(&before, &after, Action::Updated, &["revoked_at"])?;
        if let Some(secret) = vault::find(&cx.app, &vault::of_key(number)).await? {
            draft.remove(&secret);
        }
        if draft.settle().await? {
            cx.app.callers.forget();
            let revision = before.revision + 1;
            return Ok(Saved { record: after, revision, action: Action::Updated, replayed: false });
        }
    }
    Err(raced())
}
