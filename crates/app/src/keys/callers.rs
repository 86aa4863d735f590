//! Keys and the callers they identify, and persons who ask by a session instead.
//!
//! A key is looked up by its public handle; what it opens (account, spaces) is read with it and
//! remembered for [`REMEMBERED`], so a revoked key is refused everywhere within that time, and at
//! once by the process that revoked it. Its end is compared at each use.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicBool, Ordering},
};
use std::time::{Duration, Instant};

use async_recursion::async_recursion;
use patron_model::{
    Failure, Permissions,
    audit::AuditActor,
    space::{Account, Key, Space},
    user::User,
};

use super::SPACES_MAX;
use crate::{
    App,
    documents::{DEPLOYMENT, KEY, SPACE, handle_column},
    failure, places,
    record::decode,
    rights::{Place, Principal},
    search::{After, Field, Filter, Query},
    secrets::{same, sha256_hex},
    shares::Holder,
    sign_in::Standing,
    vault::{self, Opened},
};

/// How long a caller is remembered before the key is read again.
pub const REMEMBERED: Duration = Duration::from_millis(500);
/// Callers remembered at most.
const CALLERS_MAX: usize = 10_000;
/// Spaces read with one question.
const SPACES_AT_ONCE: u32 = 200;

/// A key in good standing and what it opens; or a person by a session.
#[derive(Debug)]
pub struct Caller {
    /// The key. For a person what stands for one: with the person's number, for whole accounts,
    /// without a secret.
    pub key: Key,
    /// How a person has signed in; none where a key asks.
    pub person: Option<Standing>,
    /// Spaces it opens, by number.
    pub spaces: Vec<Arc<Space>>,
    /// The account.
    pub account: Account,
    /// Whose the key is.
    pub user: User,
    /// What people call the roles that the user holds.
    pub roles: Vec<String>,
    /// What the key may do, and where.
    pub principal: Principal,
    /// The account and those above it.
    path: Vec<i64>,
    /// What the key may do in every space it opens.
    everywhere: Permissions,
    audits_reads: bool,
    secret: Opened,
    /// Whether its use was noted since it was read.
    is_noted: AtomicBool,
    pub(crate) holder: Arc<Holder>,
}

/// A person who asks, as was read with the session.
pub(crate) struct OfPerson {
    pub(crate) user: User,
    pub(crate) account: Account,
    pub(crate) roles: Vec<String>,
    pub(crate) principal: Principal,
    /// The space that the request names.
    pub(crate) space: Option<Space>,
    /// The account of the space, or of the person, and those above it.
    pub(crate) path: Vec<i64>,
    pub(crate) standing: Standing,
}

impl Caller {
    /// Who it is, for the journal and the audit trail.
    pub fn actor(&self) -> AuditActor {
        match &self.person {
            Some(_) => AuditActor::User { number: self.user.number },
            None => AuditActor::Key { number: self.key.number },
        }
    }

    /// What the person's roles would allow besides at a place, once a second factor is proven.
    pub fn withheld_at(&self, place: &Place) -> Permissions {
        let person = self.person.as_ref();
        person.map_or(Permissions::NONE, |person| person.withheld.at(place))
    }

    /// The same in a space; at some place or other where none is named.
    pub fn withheld_in(&self, space: Option<i64>) -> Permissions {
        match (space, &self.person) {
            (Some(_), _) => self.withheld_at(&Place { space, path: self.path.clone() }),
            (None, Some(person)) => person.withheld.anywhere(),
            (None, None) => Permissions::NONE,
        }
    }

    /// A refusal; of what is only withheld, the word that a second factor is asked for, and by
    /// what: by nothing, where the person has none yet.
    pub fn unless_withheld(&self, refused: Failure, is_withheld: bool) -> Failure {
        match &self.person {
            Some(person) if is_withheld => Failure::StepUp { methods: person.factors.clone() },
            Some(_) | None => refused,
        }
    }

    /// What tells the places that keys open apart: the account, or one of its spaces.
    pub fn place(&self) -> String {
        let Key { account, space, account_wide, .. } = self.key;
        if account_wide { format!("{account}/") } else { format!("{account}/{space}/") }
    }

    /// Lets in who comes from where the key may be used.
    ///
    /// # Errors
    /// `Unauthenticated`.
    pub fn admit(&self, address: Option<IpAddr>) -> Result<(), Failure> {
        let reason = "a key that may not be used from there";
        if self.key.admits(address) { Ok(()) } else { Err(Failure::Unauthenticated { reason }) }
    }

    /// Notes that the key was used: once for each time it is read, for this is on the hot path.
    pub fn note_use(&self, app: &App, address: Option<IpAddr>) {
        if !self.is_noted.load(Ordering::Relaxed) && !self.is_noted.swap(true, Ordering::Relaxed) {
            app.note_use(self.key.number, app.clock.now(), address);
        }
    }

    /// What the key may do in a space it opens; in all of them alike where none is named (0).
    pub fn rights_in(&self, space: i64) -> Permissions {
        match space {
            0 => self.everywhere,
            _ => self.principal.at(&Place { space: Some(space), path: self.path.clone() }),
        }
    }

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
        match &self.secret {
            Opened::Signing(known) => same(known, secret.as_bytes()),
            Opened::Hash(_) | Opened::Gone | Opened::Broken => {
                self.has_secret_hash(&sha256_hex(secret))
            }
        }
    }

    /// The same for a secret that was hashed already, because its hash is the handle too.
    pub fn has_secret_hash(&self, hash: &str) -> bool {
        match &self.secret {
            Opened::Hash(known) => same(known.as_bytes(), hash.as_bytes()),
            Opened::Signing(_) | Opened::Gone | Opened::Broken => false,
        }
    }

    /// The secret of a key that signs.
    ///
    /// # Errors
    /// `Internal` when it cannot be opened.
    pub fn signing_secret(&self) -> Result<&[u8], Failure> {
        match &self.secret {
            Opened::Signing(secret) => Ok(secret),
            Opened::Hash(_) | Opened::Gone => {
                Err(Failure::internal("the key has no signing secret"))
            }
            Opened::Broken => Err(Failure::internal("the secret of the key cannot be opened")),
        }
    }
}

/// Keys of one user that are in good standing, the latest first: after a rotation there are two.
#[derive(Debug, Clone)]
pub struct Callers(Arc<[Arc<Caller>]>);

impl Callers {
    /// Number of the latest of them: the key that a wrong secret counts against.
    pub fn number(&self) -> i64 {
        self.0.first().map_or(0, |caller| caller.key.number)
    }

    /// The caller for whose key the test holds. Every key is tried, whichever it is.
    ///
    /// # Errors
    /// Whatever the test says.
    pub fn who(
        &self,
        app: &App,
        is_it: impl Fn(&Caller) -> Result<bool, Failure>,
    ) -> Result<Option<Arc<Caller>>, Failure> {
        let mut found = None;
        for caller in self.good(app) {
            if is_it(caller)? && found.is_none() {
                found = Some(Arc::clone(caller));
            }
        }
        Ok(found)
    }

    /// Those whose end has not come.
    fn good(&self, app: &App) -> impl Iterator<Item = &Arc<Caller>> {
        let is_over =
            |caller: &Caller| caller.key.expires_at.is_some_and(|end| end <= app.clock.now());
        self.0.iter().filter(move |caller| !is_over(caller))
    }
}

/// Callers seen lately.
#[derive(Default)]
pub(crate) struct CallerCache(RwLock<Remembered>);

#[derive(Default)]
struct Remembered {
    /// Each with the moment before it was read.
    callers: HashMap<String, (Callers, Instant)>,
    /// How often everything was forgotten.
    forgotten: u64,
}

/// A look at the store that has begun: what it finds is as old as this.
struct Look {
    since: Instant,
    forgotten: u64,
}

impl CallerCache {
    fn get(&self, column: &str) -> Result<Callers, Look> {
        let remembered = self.0.read().unwrap_or_else(PoisonError::into_inner);
        match remembered.callers.get(column) {
            Some((callers, since)) if since.elapsed() < REMEMBERED => Ok(callers.clone()),
            _ => Err(Look { since: Instant::now(), forgotten: remembered.forgotten }),
        }
    }

    /// Remembers what a look found, unless a key was revoked here meanwhile.
    fn put(&self, column: String, callers: Callers, look: &Look) {
        let mut remembered = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if remembered.forgotten != look.forgotten {
            return;
        }
        if remembered.callers.len() >= CALLERS_MAX {
            remembered.callers.clear();
        }
        remembered.callers.insert(column, (callers, look.since));
    }

    pub(crate) fn forget(&self) {
        let mut remembered = self.0.write().unwrap_or_else(PoisonError::into_inner);
        remembered.callers.clear();
        remembered.forgotten += 1;
    }
}

impl App {
    /// The holder of a key of one dialect, by the key's public handle; the latest of its keys, in
    /// dialects where a user may have several.
    ///
    /// # Errors
    /// `Unauthenticated` when the handle is unknown, the key revoked or over, or what it opens
    /// archived.
    #[async_recursion]
    pub async fn caller(&self, dialect: &str, handle: &str) -> Result<Arc<Caller>, Failure> {
        let callers = self.callers(dialect, handle).await?;
        let latest = callers.good(self).next().map(Arc::clone);
        latest.ok_or(Failure::Unauthenticated { reason: "a key that is over" })
    }

    /// All keys in good standing with one public handle.
    ///
    /// # Errors
    /// As [`App::caller`].
    #[async_recursion]
    pub async fn callers(&self, dialect: &str, handle: &str) -> Result<Callers, Failure> {
        let column = handle_column(dialect, handle);
        let look = match self.callers.get(&column) {
            Ok(callers) => return Ok(callers),
            Err(look) => look,
        };
        let unknown = || Failure::Unauthenticated { reason: "unknown key" };
        let row = self.store.get_by(&KEY, DEPLOYMENT, "handle", &column).await.map_err(failure)?;
        let latest = decode::<Key>(&row.ok_or_else(unknown)?)?.record;
        let mut callers = Vec::new();
        for key in self.with_earlier(latest).await? {
            callers.push(Arc::new(self.open_key(key).await?));
        }
        if callers.is_empty() {
            return Err(Failure::Unauthenticated { reason: "revoked key" });
        }
        let callers = Callers(callers.into());
        self.callers.put(column, callers.clone(), &look);
        Ok(callers)
    }

    /// Those of a key and the keys it replaced at the same user that are good now.
    async fn with_earlier(&self, latest: Key) -> Result<Vec<Key>, Failure> {
        let now = self.clock.now();
        let still = latest.earlier.iter().filter(|key| key.until > now);
        let numbers: Vec<i64> = still.map(|key| key.number).collect();
        let mut keys = vec![latest];
        for number in numbers {
            let row = self.store.get(&KEY, DEPLOYMENT, number).await.map_err(failure)?;
            keys.extend(row.as_ref().map(decode::<Key>).transpose()?.map(|key| key.record));
        }
        keys.retain(|key| key.is_good(now));
        Ok(keys)
    }

    async fn open_key(&self, key: Key) -> Result<Caller, Failure> {
        let secret = vault::open(self, &vault::of_key(key.number)).await?;
        let archived = || Failure::Unauthenticated { reason: "archived account or space" };
        let line = places::open_line(self, key.account).await?.ok_or_else(archived)?;
        let path: Vec<i64> = line.iter().map(|account| account.number).collect();
        let account = line.into_iter().next().ok_or_else(archived)?;
        let user = self.user(key.user).await?.filter(User::is_active);
        let user = user.ok_or(Failure::Unauthenticated { reason: "a key of nobody in use" })?;
        let held = self.held_by(&[user.number]).await?;
        let principal = held.principal(user.number).through(&key, &path);
        let roles = held.of(user.number).iter().map(|one| held.role(one.role).0.to_owned());
        let roles = roles.collect();
        let spaces = if key.account_wide {
            self.spaces_of(key.account).await?
        } else {
            let row = self.store.get(&SPACE, DEPLOYMENT, key.space).await.map_err(failure)?;
            vec![decode::<Space>(&row.ok_or_else(archived)?)?.record]
        };
        let rights_in =
            |space: i64| principal.at(&Place { space: Some(space), path: path.clone() });
        let mut spaces: Vec<Arc<Space>> =
            spaces.into_iter().filter(Space::is_open).map(Arc::new).collect();
        if spaces.is_empty() {
            return Err(archived());
        }
        if key.account_wide {
            // Those where its user holds no role are none of its business; its own one is.
            spaces.retain(|space| space.number == key.space || !rights_in(space.number).is_empty());
        }
        let all = spaces.iter().map(|space| rights_in(space.number));
        let everywhere = all.reduce(Permissions::and).unwrap_or_default();
        let is_noted = AtomicBool::new(false);
        let audits_reads = spaces.iter().any(|space| space.audit_reads);
        let holder = self.holders.of(key.number, key.account, self.store.long_reads_max());
        Ok(Caller {
            key,
            person: None,
            spaces,
            account,
            user,
            roles,
            principal,
            path,
            everywhere,
            audits_reads,
            secret,
            is_noted,
            holder,
        })
    }

    /// A person who asks.
    pub(crate) fn caller_of(&self, person: OfPerson) -> Caller {
        let OfPerson { user, account, roles, principal, space, path, standing } = person;
        let key = Key {
            user: user.number,
            account: account.number,
            space: space.as_ref().map_or(0, |space| space.number),
            account_wide: true,
            ..Key::new(user.number, user.uuid, user.created_at)
        };
        let everywhere = space.as_ref().map_or(Permissions::NONE, |space| {
            principal.at(&Place { space: Some(space.number), path: path.clone() })
        });
        Caller {
            person: Some(standing),
            audits_reads: space.as_ref().is_some_and(|space| space.audit_reads),
            spaces: space.into_iter().map(Arc::new).collect(),
            holder: self.holders.of(user.number, account.number, self.store.long_reads_max()),
            key,
            account,
            user,
            roles,
            principal,
            path,
            everywhere,
            secret: Opened::Gone,
            // Sessions say themselves when they were used.
            is_noted: AtomicBool::new(true),
        }
    }

    async fn spaces_of(&self, account: i64) -> Result<Vec<Space>, Failure> {
        let predicate = Filter::equal(Field::Column("account"), account);
        let mut query = Query { predicate, limit: SPACES_AT_ONCE, ..Query::of(DEPLOYMENT) };
        let mut spaces: Vec<Space> = Vec::new();
        // Some at a time: a sign-in must not wait for a turn among long reads.
        while spaces.len() < SPACES_MAX as usize {
            let found = self.store.find(&SPACE, &query).await.map_err(failure)?;
            for row in &found.rows {
                query.after = Some(After { keys: Vec::new(), number: row.number });
                spaces.push(decode(row)?.record);
            }
            if !found.more {
                break;
            }
        }
        Ok(spaces)
    }
}
