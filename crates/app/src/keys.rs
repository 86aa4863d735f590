//! Keys and the callers they identify.
//!
//! A key is looked up by its public handle; what it opens (account, spaces) is read with it and
//! remembered for [`REMEMBERED`], so a revoked key is refused everywhere within that time, and at
//! once by the process that revoked it.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use patron_model::{
    Failure, Noun, Permissions, Timestamp,
    space::{Account, Key, Role, Secret, Space},
};

use crate::{
    App, Cx,
    commit::{ATTEMPTS_MAX, Action, Loaded, Saved, decode, raced},
    customers::page,
    documents::{ACCOUNT, DEPLOYMENT, KEY, SPACE, handle_column},
    failure,
    ids::new_uuid,
    rights,
    search::{Field, Filter, Query},
    secrets::{same, sha256_hex},
};

/// How long a caller is remembered before the key is read again.
pub const REMEMBERED: Duration = Duration::from_millis(500);
/// Callers remembered at most.
const CALLERS_MAX: usize = 10_000;
/// Spaces of one account that a key can open.
const SPACES_MAX: u32 = 10_000;

/// A key in good standing and what it opens.
#[derive(Debug)]
pub struct Caller {
    /// The key.
    pub key: Key,
    /// Spaces it opens, by number.
    pub spaces: Vec<Arc<Space>>,
    /// The account.
    pub account: Account,
    audits_reads: bool,
    opened: OnceLock<Vec<u8>>,
}

impl Caller {
    /// A space this key opens.
    pub fn space(&self, number: i64) -> Option<&Arc<Space>> {
        self.spaces.iter().find(|space| space.number == number)
    }

    /// Whether a space it opens wants to know who reads its customers.
    pub fn wants_reads_audited(&self) -> bool {
        self.audits_reads
    }

    /// The space of the key itself.
    ///
    /// # Errors
    /// `Forbidden` when it is archived.
    pub fn home(&self) -> Result<&Arc<Space>, Failure> {
        self.space(self.key.space).ok_or(Failure::Forbidden)
    }

    /// Checks a bearer secret against the stored hash, in constant time.
    pub fn has_secret(&self, secret: &str) -> bool {
        self.has_secret_hash(&sha256_hex(secret))
    }

    /// The same for a secret that was hashed already, because its hash is the handle too.
    pub fn has_secret_hash(&self, hash: &str) -> bool {
        match &self.key.secret {
            Secret::Hashed(known) => same(known.as_bytes(), hash.as_bytes()),
            Secret::Sealed(_) => false,
        }
    }

    /// The secret of a key that signs, decrypted once and kept in memory.
    ///
    /// # Errors
    /// `Internal` when it was sealed with another master key.
    pub fn signing_secret(&self, app: &App) -> Result<&[u8], Failure> {
        if let Some(opened) = self.opened.get() {
            return Ok(opened);
        }
        let opened = match &self.key.secret {
            Secret::Sealed(sealed) => app.secrets.open(&self.key.dialect, sealed)?,
            Secret::Hashed(_) => return Err(Failure::internal("the key has no signing secret")),
        };
        Ok(self.opened.get_or_init(|| opened))
    }
}

/// Callers seen lately.
#[derive(Default)]
pub(crate) struct CallerCache(RwLock<Remembered>);

#[derive(Default)]
struct Remembered {
    /// Each with the moment before it was read.
    callers: HashMap<String, (Arc<Caller>, Instant)>,
    /// How often everything was forgotten.
    forgotten: u64,
}

/// A look at the store that has begun: what it finds is as old as this.
struct Look {
    since: Instant,
    forgotten: u64,
}

impl CallerCache {
    fn get(&self, column: &str) -> Result<Arc<Caller>, Look> {
        let remembered = self.0.read().unwrap_or_else(PoisonError::into_inner);
        match remembered.callers.get(column) {
            Some((caller, since)) if since.elapsed() < REMEMBERED => Ok(Arc::clone(caller)),
            _ => Err(Look { since: Instant::now(), forgotten: remembered.forgotten }),
        }
    }

    /// Remembers what a look found, unless a key was revoked here meanwhile.
    fn put(&self, column: String, caller: Arc<Caller>, look: &Look) {
        let mut remembered = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if remembered.forgotten != look.forgotten {
            return;
        }
        if remembered.callers.len() >= CALLERS_MAX {
            remembered.callers.clear();
        }
        remembered.callers.insert(column, (caller, look.since));
    }

    pub(crate) fn forget(&self) {
        let mut remembered = self.0.write().unwrap_or_else(PoisonError::into_inner);
        remembered.callers.clear();
        remembered.forgotten += 1;
    }
}

impl App {
    /// The holder of a key of one dialect, by the key's public handle.
    ///
    /// # Errors
    /// `Unauthenticated` when the handle is unknown, the key revoked, or what it opens archived.
    pub async fn caller(&self, dialect: &str, handle: &str) -> Result<Arc<Caller>, Failure> {
        let column = handle_column(dialect, handle);
        let look = match self.callers.get(&column) {
            Ok(caller) => return Ok(caller),
            Err(look) => look,
        };
        let unknown = || Failure::Unauthenticated { reason: "unknown key" };
        let row = self.store.get_by(&KEY, DEPLOYMENT, "handle", &column).await.map_err(failure)?;
        let key = decode::<Key>(&row.ok_or_else(unknown)?)?.record;
        if key.revoked_at.is_some() {
            return Err(Failure::Unauthenticated { reason: "revoked key" });
        }
        let caller = Arc::new(self.open_key(key).await?);
        self.callers.put(column, Arc::clone(&caller), &look);
        Ok(caller)
    }

    async fn open_key(&self, key: Key) -> Result<Caller, Failure> {
        let archived = || Failure::Unauthenticated { reason: "archived account or space" };
        let row = self.store.get(&ACCOUNT, DEPLOYMENT, key.account).await.map_err(failure)?;
        let account = decode::<Account>(&row.ok_or_else(archived)?)?.record;
        if account.archived_at.is_some() {
            return Err(archived());
        }
        let spaces = if key.account_wide {
            self.spaces_of(key.account).await?
        } else {
            let row = self.store.get(&SPACE, DEPLOYMENT, key.space).await.map_err(failure)?;
            vec![decode::<Space>(&row.ok_or_else(archived)?)?.record]
        };
        let spaces: Vec<Arc<Space>> =
            spaces.into_iter().filter(Space::is_open).map(Arc::new).collect();
        if spaces.is_empty() {
            return Err(archived());
        }
        let audits_reads = spaces.iter().any(|space| space.audit_reads);
        Ok(Caller { key, spaces, account, audits_reads, opened: OnceLock::new() })
    }

    async fn spaces_of(&self, account: i64) -> Result<Vec<Space>, Failure> {
        let predicate = Filter::equal(Field::Column("account"), account);
        let query = Query { predicate, limit: SPACES_MAX, ..Query::of(DEPLOYMENT) };
        let found = self.store.find(&SPACE, &query).await.map_err(failure)?;
        found.rows.iter().map(|row| decode(row).map(|loaded| loaded.record)).collect()
    }
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
    /// What it may do.
    pub role: Role,
    /// Cuts the role.
    pub cap: Option<Permissions>,
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

/// Makes a key.
///
/// # Errors
/// `Exists` when the handle is taken; `Forbidden` when it would have rights that the giver lacks.
pub async fn create(cx: &Cx, new: NewKey) -> Result<Saved<Key>, Failure> {
    let given = new.cap.map_or(new.role.permissions(), |cap| new.role.permissions().and(cap));
    rights::may_give(cx.rights, given)?;
    let cx = cx.in_space(DEPLOYMENT);
    let number = cx.app.store.reserve("key", 1).await.map_err(failure)?.start;
    let secret = match &new.secret {
        NewSecret::Bearer(secret) => Secret::Hashed(sha256_hex(secret)),
        NewSecret::Signing(secret) => Secret::Sealed(cx.app.secrets.seal(new.dialect, secret)?),
    };
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
        handle: new.handle.unwrap_or_else(|| number.to_string()),
        secret,
        created_at: cx.now,
        revoked_at: None,
    };
    let mut draft = cx.draft();
    draft.insert(&key)?;
    if draft.settle().await? {
        Ok(Saved { record: key, revision: 1, action: Action::Created, replayed: false })
    } else {
        Err(raced())
    }
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
        let row = cx.app.store.get(&KEY, DEPLOYMENT, number).await.map_err(failure)?;
        let row = row.ok_or(Failure::NotFound { noun: Noun::Key })?;
        let before: Loaded<Key> = decode(&row)?;
        if before.revoked_at.is_some() {
            let (record, revision) = (before.record, before.revision);
            return Ok(Saved { record, revision, action: Action::Unchanged, replayed: false });
        }
        let revoked: Option<Timestamp> = Some(cx.now);
        let after = Key { revoked_at: revoked, ..before.record.clone() };
        let mut draft = cx.draft();
        draft.replace(&before, &after, Action::Updated, &["revoked_at"])?;
        if draft.settle().await? {
            cx.app.callers.forget();
            let revision = before.revision + 1;
            return Ok(Saved { record: after, revision, action: Action::Updated, replayed: false });
        }
    }
    Err(raced())
}
