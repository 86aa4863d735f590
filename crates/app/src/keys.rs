//! Keys: how they are made, changed, rotated and ended.
//!
//! Changes of keys happen in [`create`], [`issue`], [`update`], [`rotate`] and [`revoke`], and
//! nowhere else. Whom a key identifies: [`Caller`].

mod adoption;
mod callers;
mod changes;
mod ending;
mod handles;
mod uses;

use async_recursion::async_recursion;
pub use patron_model::space::{KeyPatch, SECRETS_MAX};
use patron_model::{
    Failure, Permissions, Timestamp, Why,
    card::Found,
    event::KeyEvent,
    network::Network,
    space::{Key, PublicRights, Role, Space},
    user::{User, UserKind},
};
use patron_store::{Column, Index, Kind, Value};

use crate::{
    App, Cx, assignments,
    assignments::Where,
    commit::{Draft, Saved},
    documents::{DEPLOYMENT, Document, named},
    failure,
    ids::new_uuid,
    places,
    record::{self, Id, Loaded, Look, Page, decode, page},
    roles,
    search::{Field, Filter, Query},
    vault,
};

pub use self::callers::{Caller, Callers, REMEMBERED};
pub(crate) use self::callers::{CallerCache, OfPerson};
pub use self::changes::{NewHalves, OVERLAP_SECONDS, OVERLAP_SECONDS_MAX, rotate, update};
pub use self::ending::tell_of_ends;
pub use self::handles::renew;
pub(crate) use self::uses::Uses;
pub use self::uses::{KEY_USE, KeyUse};

/// Keys.
pub static KEY: Kind = Kind {
    name: "key",
    columns: &[
        Column::text("handle", Index::UniqueEverywhere).guarding("handle"),
        Column::int("account", Index::Ordered),
        Column::int("user", Index::Ordered),
    ],
    terms: false,
};

/// Keys, or spaces of one account, that are read at once.
const SPACES_MAX: u32 = 10_000;
/// Keys looked at for the one that replaced an ended one, at most.
const SUCCESSORS_MAX: usize = 100;

impl Document for Key {
    named!(KEY, Key, KeyEvent, in_deployment);

    fn columns(&self) -> Vec<Value> {
        // A handle leads to the latest key of its user.
        let handle = (!self.handle_moved).then(|| handle_column(&self.dialect, &self.handle));
        let user = (self.user != 0).then_some(self.user);
        vec![handle.into(), self.account.into(), user.into()]
    }

    fn audit_place(&self) -> (Option<i64>, Option<i64>) {
        (Some(self.account), Some(self.space))
    }

    fn search_cards(&self, found: &mut Found) {
        found.text("name", &self.name);
    }
}

/// Handles are unique within a dialect.
pub fn handle_column(dialect: &str, handle: &str) -> String {
    [dialect, ":", handle].concat()
}

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
    /// Whose it shall be.
    pub holder: Holder,
    /// Cuts what its user may do.
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

/// Whose a new key shall be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// An application of its own, which holds this role where the key opens something.
    New {
        /// Number of the role.
        role: i64,
    },
    /// An application of its own that holds no role yet.
    Unassigned,
    /// An application that is there.
    User(i64),
}

impl NewKey {
    /// A key of an application of its own that opens one space and may do all that the role says.
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
            holder: Holder::New { role: role.number() },
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
#[async_recursion]
pub async fn create(cx: &Cx, new: NewKey) -> Result<Saved<Key>, Failure> {
    Ok(issue(cx, new, "").await?.key)
}

/// Makes a key whose secret is shown so, and shows it again when the request is repeated.
///
/// # Errors
/// As [`create`]; `WrongState` when its user has [`SECRETS_MAX`] keys.
#[async_recursion]
pub async fn issue(cx: &Cx, new: NewKey, shown: &str) -> Result<Issued, Failure> {
    let cx = &cx.in_space(DEPLOYMENT);
    let key = cx.settle(|mut draft| async {
        let number = next_number(cx).await?;
        let user = holder(cx, &mut draft, &new, number).await?;
        let mut key = made(cx, new.clone(), number, user, hint(shown));
        key.check(cx.now, true)?;
        if let (Holder::User(_), None) = (new.holder, &new.handle) {
            key = beside(cx, &mut draft, key).await?;
        }
        vault::put(cx, &mut draft, vault::of_key(key.number), &new.secret).await?;
        let sealed = sealed(cx, key.number, shown)?;
        Ok(draft.create(key)?.sealing(sealed))
    });
    issued(cx, key.await?, shown).await
}

/// A further key of a user who is found by his number, as his first one is.
async fn beside(cx: &Cx, draft: &mut Draft<'_>, new: Key) -> Result<Key, Failure> {
    let handle = new.user.to_string();
    let column = handle_column(&new.dialect, &handle);
    let Some(first) = record::find_by::<Key>(cx, "handle", &column).await? else {
        return Ok(Key { handle, ..new });
    };
    let good = good_of_user(cx, new.user).await?.into_iter().map(|key| key.record);
    let good: Vec<Key> = good.filter(|key| key.dialect == new.dialect).collect();
    let (before, after) = first.beside(new, &good)?;
    draft.replace(&first, &before, KeyEvent::Updated, &["handle"])?;
    Ok(after)
}

/// The user of a new key. An application of its own has the key's number and name.
async fn holder(cx: &Cx, draft: &mut Draft<'_>, new: &NewKey, number: i64) -> Result<i64, Failure> {
    let path = places::path(&cx.app, new.account).await?;
    match new.holder {
        Holder::Unassigned => {
            let user = User::application(number, new_uuid(), new.account, &new.name, cx.now);
            user.check()?;
            draft.insert(&user)?;
            Ok(number)
        }
        Holder::New { role } => {
            let found = roles::assignable(cx, role, &path).await?;
            found.assert(draft);
            let at = match new.account_wide {
                true => Where::Account { number: new.account, subaccounts: true },
                false => Where::Space(new.space),
            };
            let held = assignments::new(cx, number, role, at, new.account).await?;
            let cap = new.cap.unwrap_or(Permissions::ALL);
            cx.may_give(&assignments::grant_of(&held, found.permissions().and(cap)), &path)?;
            let user = User::application(number, new_uuid(), new.account, &new.name, cx.now);
            draft.insert(&user)?;
            draft.insert(&held)?;
            Ok(number)
        }
        Holder::User(user) => {
            let unknown = || Failure::invalid("user", Why::Unknown { what: "application" });
            let user = match record::load::<User>(cx, Look::at(Id::Number(user))).await {
                Err(Failure::NotFound { .. }) => return Err(unknown()),
                user => user?,
            };
            if user.kind != UserKind::Application || user.account != new.account {
                return Err(unknown());
            }
            if good_of_user(cx, user.number).await?.len() >= SECRETS_MAX {
                let is = "an application with ten keys";
                return Err(Failure::WrongState { is, needs: "one of them to end" });
            }
            let wanted = made(cx, new.clone(), number, user.number, String::new());
            may_hand_out(cx, &wanted).await?;
            draft.assert(&user);
            Ok(user.number)
        }
    }
}

/// Nobody gives what he lacks: whether the caller may hand out what a key may do, at every place.
async fn may_hand_out(cx: &Cx, key: &Key) -> Result<(), Failure> {
    let path = places::path(&cx.app, key.account).await?;
    let user = cx.app.held_by(&[key.user]).await?.principal(key.user);
    for given in user.through(key, &path).grants() {
        match given.account == key.account {
            true => cx.may_give(given, &path)?,
            false => cx.may_give(given, &places::path(&cx.app, given.account).await?)?,
        }
    }
    Ok(())
}

fn made(cx: &Cx, new: NewKey, number: i64, user: i64, hint: String) -> Key {
    Key {
        user,
        account: new.account,
        space: new.space,
        account_wide: new.account_wide,
        dialect: new.dialect.to_owned(),
        name: new.name,
        cap: new.cap,
        addresses: new.addresses,
        expires_at: new.expires_at,
        public_rights: new.public_rights,
        handle: new.handle.unwrap_or_else(|| number.to_string()),
        hint,
        ..Key::new(number, new_uuid(), cx.now)
    }
}

/// A key and its secret, which a repeat shows too, unless it comes too late or from somebody else.
async fn issued(cx: &Cx, key: Saved<Key>, shown: &str) -> Result<Issued, Failure> {
    let shown = match key.replayed {
        true => remembered_secret(cx, &key).await?,
        false => (!cx.dry_run).then(|| shown.to_owned()),
    };
    Ok(Issued { key, shown })
}

/// A number for a key or a user, which share theirs.
pub(crate) async fn next_number(cx: &Cx) -> Result<i64, Failure> {
    Ok(cx.app.store.reserve("key", 1).await.map_err(failure)?.start)
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
async fn remembered_secret(cx: &Cx, made: &Key) -> Result<Option<String>, Failure> {
    may_hand_out(cx, made).await?;
    let sealed = cx.outcome().and_then(|outcome| outcome.sealed.as_ref());
    let is_late = made.created_at.plus_seconds(SHOWN_SECONDS) <= cx.now;
    let Some(sealed) = sealed.filter(|_| !is_late) else { return Ok(None) };
    let opened = cx.app.secrets.open(&purpose(cx, made.number), sealed).ok();
    Ok(opened.and_then(|secret| String::from_utf8(secret).ok()))
}

/// A key, also one that has ended.
///
/// # Errors
/// `NotFound`.
#[async_recursion]
pub async fn get(cx: &Cx, id: Id) -> Result<Loaded<Key>, Failure> {
    record::load(cx, Look::at(id)).await
}

/// A page of keys, those that have ended included.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn find(cx: &Cx, query: Query) -> Result<Page<Key>, Failure> {
    page(cx, &Query { tenants: vec![DEPLOYMENT], ..query }).await
}

/// Keys of an account, revoked ones included; of every account when none is named.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn list(cx: &Cx, account: Option<i64>) -> Result<Vec<Key>, Failure> {
    let predicate =
        account.map_or(Filter::All, |account| Filter::equal(Field::Column("account"), account));
    let query = Query { predicate, limit: SPACES_MAX, ..Query::of(DEPLOYMENT) };
    let keys = page::<Key>(cx, &query).await?.items;
    Ok(keys.into_iter().map(|key| key.record).collect())
}

/// Keys of a user for one API, the oldest first, those that have ended included.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn of_user(cx: &Cx, user: i64, dialect: &str) -> Result<Vec<Loaded<Key>>, Failure> {
    let predicate = Filter::equal(Field::Column("user"), user);
    let query = Query { predicate, limit: SPACES_MAX, ..Query::of(DEPLOYMENT) };
    let mut keys = page::<Key>(cx, &query).await?.items;
    keys.retain(|key| key.dialect == dialect);
    Ok(keys)
}

/// Keys of a user that are good now; there are [`SECRETS_MAX`] of one API at most.
pub(crate) async fn good_of_user(cx: &Cx, user: i64) -> Result<Vec<Loaded<Key>>, Failure> {
    let predicate = Filter::equal(Field::Column("user"), user)
        .and(Filter::Missing(Field::Whole(vec!["revoked_at".into()])));
    let query = Query { predicate, limit: SPACES_MAX, ..Query::of(DEPLOYMENT) };
    let mut keys = page::<Key>(cx, &query).await?.items;
    keys.retain(|key| key.is_good(cx.now));
    Ok(keys)
}

/// What a key signs with; once it has ended, what the one that replaced it does. None where it is
/// kept as a hash, or where there is none any more.
///
/// # Errors
/// Whatever the store says.
pub(crate) async fn signing_secret(app: &App, number: i64) -> Result<Option<Vec<u8>>, Failure> {
    let mut next = Some(number);
    let mut left = SUCCESSORS_MAX;
    while let Some(number) = next.filter(|_| left > 0) {
        left -= 1;
        let row = app.store.get(&KEY, DEPLOYMENT, number).await.map_err(failure)?;
        let Some(row) = row else { return Ok(None) };
        let key: Loaded<Key> = decode(&row)?;
        if key.is_good(app.clock.now()) {
            return match vault::open(app, &vault::of_key(number)).await? {
                vault::Opened::Signing(secret) => Ok(Some(secret)),
                vault::Opened::Hash(_) | vault::Opened::Gone | vault::Opened::Broken => Ok(None),
            };
        }
        next = key.replaced_by;
    }
    Ok(None)
}

/// Revokes a key. Idempotent.
///
/// # Errors
/// `NotFound`.
#[async_recursion]
pub async fn revoke(cx: &Cx, number: i64) -> Result<Saved<Key>, Failure> {
    let cx = &cx.in_space(DEPLOYMENT);
    cx.settle(|mut draft| async {
        let before = get(cx, Id::Number(number)).await?;
        if before.revoked_at.is_some() {
            return Ok(draft.keep(before));
        }
        let saved = end(cx, &mut draft, &before).await?;
        Ok(draft.answering(saved))
    })
    .await
}

/// Notes that a key ends: its secret goes with it.
pub(crate) async fn end(
    cx: &Cx,
    draft: &mut Draft<'_>,
    key: &Loaded<Key>,
) -> Result<Saved<Key>, Failure> {
    vault::forget(cx, draft, &vault::of_key(key.number)).await?;
    draft.replaced(key, key.revoked(cx.now), KeyEvent::Updated, &["revoked_at"])
}
