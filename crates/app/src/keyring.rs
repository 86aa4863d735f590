//! The data keys of a deployment as they rest in its store: sealed under the master key, once for
//! each master key that opens them. There is one in general and two while it is being changed.
//!
//! Changing the master key: [`App::begin_rotation`] lets the new key open the ring too and adds
//! data keys; [`App::reseal`] seals every secret anew; [`App::end_rotation`] takes away what the
//! old key opens. Each step is one compare-and-set or can be repeated, so a rotation that was
//! killed goes on where it stopped. Servers find new data keys when they need them: a secret sealed
//! with a key they do not know makes them look, and [`App::refresh_keyring`] looks now and then.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use async_recursion::async_recursion;
use patron_model::{Failure, Timestamp, event::UntoldEvent, space::Secret};
use patron_store::{After, Batch, Kind, Query, Record, Row, Store, StoreError, Value, Write};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    App, Clock,
    before::sealed_before,
    documents::{DEPLOYMENT, Document, named},
    failure,
    ids::new_uuid,
    record::{Loaded, decode},
    secrets::{MasterKey, Ring, Secrets},
    vault::{Kept, SECRET},
};

/// The one ring.
pub static KEYRING: Kind = Kind { name: "keyring", columns: &[], terms: false };

/// Records read at a time.
const PAGE_ROWS: u32 = 200;

/// The sealed data keys.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Keyring {
    number: i64,
    uuid: Uuid,
    slots: Vec<Slot>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// The data keys sealed under one master key; the newest master key's comes last.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Slot {
    master: String,
    ring: String,
}

impl Document for Keyring {
    named!(KEYRING, Key, UntoldEvent, in_deployment);
    const JOURNALED: bool = false;

    fn columns(&self) -> Vec<Value> {
        Vec::new()
    }

    fn search_cards(&self, _: &mut patron_model::card::Found) {
        // Made by the server itself.
    }
}

impl Keyring {
    /// There is one.
    pub(crate) const NUMBER: i64 = 1;

    pub(crate) fn slots(ring: &Ring, masters: &[&MasterKey]) -> Result<Vec<Slot>, Failure> {
        let slot = |master: &&MasterKey| Ok(Slot { master: master.id(), ring: ring.wrap(master)? });
        masters.iter().map(slot).collect()
    }

    fn open(&self, master: &MasterKey) -> Option<Ring> {
        let id = master.id();
        let slot = self.slots.iter().find(|slot| slot.master == id)?;
        Ring::unwrap(master, &slot.ring)
    }
}

/// Why a deployment's secrets could not be opened.
#[derive(Debug)]
pub enum Locked {
    /// The master key is another one than this data was sealed with.
    WrongMasterKey,
    /// The store failed.
    Failed(Failure),
}

impl From<Failure> for Locked {
    fn from(failure: Failure) -> Locked {
        Locked::Failed(failure)
    }
}

/// Reads the master key again where it comes from; none when it cannot be read.
pub type ReadAgain =
    Box<dyn Fn() -> Pin<Box<dyn Future<Output = Option<MasterKey>> + Send>> + Send + Sync>;

/// The master key of this process, and where a newer one is found.
pub struct Master {
    key: Mutex<MasterKey>,
    read_again: Option<ReadAgain>,
}

impl Master {
    /// A key that stays the same as long as the process runs.
    pub fn fixed(key: MasterKey) -> Master {
        Master { key: Mutex::new(key), read_again: None }
    }

    /// A key that may be another one when it is read again.
    pub fn read_again(key: MasterKey, read_again: ReadAgain) -> Master {
        Master { key: Mutex::new(key), read_again: Some(read_again) }
    }

    pub(crate) fn key(&self) -> MasterKey {
        self.key.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The data keys, with the key of this process or the one found where it came from.
    async fn open(&self, kept: &Keyring) -> Option<Ring> {
        if let Some(ring) = kept.open(&self.key()) {
            return Some(ring);
        }
        let newer = (self.read_again.as_ref()?)().await?;
        let ring = kept.open(&newer)?;
        *self.key.lock().unwrap_or_else(PoisonError::into_inner) = newer;
        Some(ring)
    }
}

/// Whether a store needs the master key it was made with: it has sealed data keys, or sealed
/// secrets of before.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn needs_master_key(store: &Store) -> Result<bool, Failure> {
    if load(store).await?.is_some() {
        return Ok(true);
    }
    Ok(sealed_before(store).await?.is_some())
}

async fn load(store: &Store) -> Result<Option<Loaded<Keyring>>, Failure> {
    let row = store.get(&KEYRING, DEPLOYMENT, Keyring::NUMBER).await.map_err(failure)?;
    row.map(|row| decode(&row)).transpose()
}

/// Pages of all records of a kind of the deployment, by number.
pub(crate) async fn page(
    store: &Store,
    kind: &'static Kind,
    after: i64,
) -> Result<Vec<Row>, Failure> {
    let after = Some(After { keys: Vec::new(), number: after });
    let query = Query { after, limit: PAGE_ROWS, ..Query::of(DEPLOYMENT) };
    Ok(store.find(kind, &query).await.map_err(failure)?.rows)
}

/// Makes the ring of a store that has none.
async fn make(store: &Store, master: &MasterKey) -> Result<(), Locked> {
    let now = Clock::System.now();
    let ring = match sealed_before(store).await? {
        None => Ring::random(),
        Some(sealed) => {
            let ring = Ring::of_before(master, now);
            let secrets = Secrets::new(ring.clone(), 0);
            let opens = |(purpose, text): &(String, String)| secrets.open(purpose, text).is_ok();
            if !sealed.is_empty() && !sealed.iter().any(opens) {
                return Err(Locked::WrongMasterKey);
            }
            ring
        }
    };
    Ok(insert(store, &ring, master).await?)
}

/// Begins anew under a master key when the one of before is lost: new data keys, and whatever was
/// sealed with those of before is given up. Says how many secrets that were. Not while servers run.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn start_over(store: &Store, master: &MasterKey) -> Result<u64, Failure> {
    let now = Clock::System.now();
    let Some(kept) = load(store).await? else {
        // Secrets of before do not open with this key, and are given up when they are moved.
        let sealed = sealed_before(store).await?.unwrap_or_default().len();
        insert(store, &Ring::of_before(master, now), master).await?;
        return Ok(sealed as u64);
    };
    if kept.open(master).is_some() {
        let (is, needs) = ("a master key that opens this data", "lost");
        return Err(Failure::WrongState { is, needs });
    }
    let ring = Ring::random();
    let after = Keyring {
        slots: Keyring::slots(&ring, &[master])?,
        updated_at: now,
        ..kept.record.clone()
    };
    let mut writes = vec![Write::Replace {
        kind: &KEYRING,
        after: record(&after, kept.revision + 1)?,
        before_columns: Vec::new(),
        before_terms: Vec::new(),
    }];
    let mut last = 0;
    loop {
        let rows = page(store, &SECRET, last).await?;
        let Some(row) = rows.last() else { break };
        last = row.number;
        for row in rows {
            let secret: Loaded<Kept> = decode(&row)?;
            if let Secret::Sealed(_) = &secret.value {
                writes.push(Write::Remove {
                    kind: &SECRET,
                    tenant: DEPLOYMENT,
                    number: row.number,
                    revision: row.revision,
                });
            }
        }
    }
    let given_up = writes.len() as u64 - 1;
    let batch = Batch { tenant: DEPLOYMENT, writes, ..Batch::default() };
    store.commit(batch).await.map_err(failure)?;
    Ok(given_up)
}

fn record(keyring: &Keyring, revision: i64) -> Result<Record, Failure> {
    Ok(Record {
        tenant: DEPLOYMENT,
        number: keyring.number,
        uuid: keyring.uuid,
        revision,
        columns: Vec::new(),
        doc: keyring.document()?.into(),
        terms: Vec::new(),
    })
}

/// Keeps the first ring of a store. Another process may have been faster: then its ring is the one.
async fn insert(store: &Store, ring: &Ring, master: &MasterKey) -> Result<(), Failure> {
    let now = Clock::System.now();
    let keyring = Keyring {
        number: Keyring::NUMBER,
        uuid: new_uuid(),
        slots: Keyring::slots(ring, &[master])?,
        created_at: now,
        updated_at: now,
    };
    let writes = vec![Write::Insert { kind: &KEYRING, record: record(&keyring, 1)? }];
    match store.commit(Batch { tenant: DEPLOYMENT, writes, ..Batch::default() }).await {
        Ok(_) | Err(StoreError::Unique { .. }) => Ok(()),
        Err(error) => Err(failure(error)),
    }
}

impl App {
    /// An app over a store, whose secrets the master key must open. The first start makes the data
    /// keys; a deployment of before gets them, its secrets leave the journal, and its keys get
    /// users.
    ///
    /// # Errors
    /// `WrongMasterKey`, and whatever the store says.
    #[async_recursion]
    pub async fn open(store: Store, clock: Clock, master: Master) -> Result<Arc<App>, Locked> {
        if load(&store).await?.is_none() {
            make(&store, &master.key()).await?;
        }
        let kept = load(&store).await?.ok_or_else(|| Failure::internal("the keyring is gone"))?;
        let ring = master.open(&kept).await.ok_or(Locked::WrongMasterKey)?;
        let is_of_before = ring.is_of_before();
        let app = App::new(store, clock, Secrets::new(ring, kept.revision), master);
        if is_of_before {
            app.move_secrets().await?;
        }
        app.adopt_keys().await?;
        Ok(app)
    }

    /// Reads the data keys anew where they were changed.
    ///
    /// # Errors
    /// `Internal` when the master key of this process does not open them any more.
    #[async_recursion]
    pub async fn refresh_keyring(&self) -> Result<(), Failure> {
        self.newest_keyring().await.map(|_| ())
    }

    async fn newest_keyring(&self) -> Result<Loaded<Keyring>, Failure> {
        let kept = load(&self.store).await?;
        let kept = kept.ok_or_else(|| Failure::internal("the keyring is gone"))?;
        if kept.revision == self.secrets.revision() {
            return Ok(kept);
        }
        let ring = self.master.open(&kept).await.ok_or_else(|| {
            Failure::internal(
                "the master key was changed and the one of this process opens nothing any more: \
                 set the new one and start again",
            )
        })?;
        self.secrets.put(ring, kept.revision);
        Ok(kept)
    }

    /// Replaces the ring by what `change` makes of it; again when raced. None: nothing to do.
    pub(crate) async fn change_keyring(
        self: &Arc<Self>,
        change: impl Fn(&Keyring, &Ring) -> Result<Option<(Ring, Vec<Slot>)>, Failure>,
    ) -> Result<(), Failure> {
        let cx = self.operator(DEPLOYMENT, "keyring");
        let changed = cx.write(|mut draft| async {
            let kept = self.newest_keyring().await?;
            let Some((ring, slots)) = change(&kept, &self.secrets.ring())? else {
                return Ok((draft, None));
            };
            let after = Keyring { slots, updated_at: cx.now, ..kept.record.clone() };
            draft.replace(&kept, &after, UntoldEvent::Updated, &[])?;
            Ok((draft, Some((ring, kept.revision + 1))))
        });
        if let Some((ring, revision)) = changed.await? {
            self.secrets.put(ring, revision);
        }
        Ok(())
    }

    /// Names of the master keys that open the data keys, the newest last.
    ///
    /// # Errors
    /// Whatever the store says.
    #[async_recursion]
    pub async fn master_keys(&self) -> Result<Vec<String>, Failure> {
        let kept = load(&self.store).await?;
        let slots = kept.map(|kept| kept.record.slots).unwrap_or_default();
        Ok(slots.into_iter().map(|slot| slot.master).collect())
    }

    /// Lets a new master key open the data keys too, and makes new ones that seal and sign from now
    /// on. Does nothing when that has been done.
    ///
    /// # Errors
    /// `WrongState` while the change to another key is under way.
    pub async fn begin_rotation(self: &Arc<Self>, new: &MasterKey) -> Result<(), Failure> {
        let old = self.master.key();
        self.change_keyring(|kept, ring| {
            let names: Vec<&str> = kept.slots.iter().map(|slot| slot.master.as_str()).collect();
            if names == [old.id(), new.id()] {
                return Ok(None);
            }
            if names != [old.id()] {
                let (is, needs) = ("being changed to another key", "the only master key");
                return Err(Failure::WrongState { is, needs });
            }
            let ring = ring.rotated(Clock::System.now());
            let slots = Keyring::slots(&ring, &[&old, new])?;
            Ok(Some((ring, slots)))
        })
        .await
    }

    /// Seals with the newest data key whatever is sealed with a former one; says how much that was.
    ///
    /// # Errors
    /// `Internal` when a secret does not open.
    pub async fn reseal(self: &Arc<Self>) -> Result<u64, Failure> {
        let mut count = 0;
        loop {
            let (mut done, mut raced) = (0, false);
            let mut last = 0;
            loop {
                let rows = page(&self.store, &SECRET, last).await?;
                let Some(row) = rows.last() else { break };
                last = row.number;
                let cx = self.operator(DEPLOYMENT, "rotation");
                let mut batches = Vec::new();
                for row in rows {
                    let before: Loaded<Kept> = decode(&row)?;
                    let Some(after) = before.resealed(self)? else { continue };
                    let mut draft = cx.draft();
                    draft.replace(&before, &after, UntoldEvent::Updated, &[])?;
                    batches.push(draft.into_batch()?);
                }
                for verdict in self.store.commit_many(batches).await {
                    match verdict {
                        Ok(_) => done += 1,
                        Err(StoreError::Conflict { .. }) => raced = true,
                        Err(error) => return Err(failure(error)),
                    }
                }
            }
            count += done;
            if !raced {
                return Ok(count);
            }
        }
    }

    /// Ends a rotation: from now on only this master key, the newest, opens the data keys, and the
    /// former data keys are gone. Does nothing when that has been done.
    ///
    /// # Errors
    /// `WrongState` when the key is not the newest that opens them.
    pub async fn end_rotation(self: &Arc<Self>, new: &MasterKey) -> Result<(), Failure> {
        self.reseal().await?;
        self.change_keyring(|kept, ring| {
            if kept.slots.last().is_none_or(|slot| slot.master != new.id()) {
                return Err(Failure::WrongState { is: "not the newest", needs: "the newest" });
            }
            if kept.slots.len() == 1 && !ring.has_former() {
                return Ok(None);
            }
            let ring = ring.ended();
            let slots = Keyring::slots(&ring, &[new])?;
            Ok(Some((ring, slots)))
        })
        .await
    }

    /// Secrets that do not open, by whose they are.
    ///
    /// # Errors
    /// Whatever the store says.
    #[async_recursion]
    pub async fn unopened(&self) -> Result<Vec<String>, Failure> {
        let mut unopened = Vec::new();
        let mut last = 0;
        loop {
            let rows = page(&self.store, &SECRET, last).await?;
            let Some(row) = rows.last() else { return Ok(unopened) };
            last = row.number;
            for row in rows {
                let kept: Loaded<Kept> = decode(&row)?;
                if !kept.opens(self) {
                    unopened.push(kept.place().to_owned());
                }
            }
        }
    }
}
