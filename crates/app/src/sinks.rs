//! What those who publish to sinks read and write: whose a sink is, and how far it is in each
//! space. Nothing is decided here.
//!
//! A sink is the operator's: its settings say where it leads. What is kept is one record that says
//! which process publishes, whose revision is the fence of everything that process writes, and one
//! record for each space. None of them is journaled.

use async_recursion::async_recursion;
use patron_model::{
    Failure, Identity, Permissions, Timestamp,
    card::Found,
    event::UntoldEvent,
    space::Space,
    webhook::{Endpoint, EventType},
};
use patron_store::{Batch, Column, Index, Kind, StoreError, Value, Write};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    App,
    commit::record_of,
    documents::{DEPLOYMENT, Document, named},
    failure,
    ids::new_uuid,
    record::{Loaded, decode, each},
    search::{Field, Filter, Query},
    webhooks::{
        Payload,
        notifier::{Notifier, Subscription},
        work::replaced,
    },
};

/// Sinks, by their names in the settings.
pub static SINK: Kind =
    Kind { name: "sink", columns: &[Column::text("name", Index::UniqueEverywhere)], terms: false };
/// How far sinks are, a record for each space.
pub static SINK_POSITION: Kind = Kind { name: "sink_position", columns: &[], terms: false };

/// Sinks that are known of, at most: those of the settings, and of settings before.
const SINKS_MAX: u32 = 500;
/// Positions written at a time.
const CHUNK: usize = 500;

/// A sink.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sink {
    /// Number.
    pub number: i64,
    /// UUID.
    pub uuid: Uuid,
    /// What the settings call it.
    pub name: String,
    /// The process that publishes; none: nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<Uuid>,
    /// When that said so last, by its own clock; for people.
    pub at: Timestamp,
    /// Whether each space that was there when the sink was set up has a position. Spaces without
    /// one came later then, and begin at their beginning.
    #[serde(default)]
    pub is_set_up: bool,
    /// Whether nothing is published for now.
    #[serde(default)]
    pub is_paused: bool,
}

impl Document for Sink {
    named!(SINK, Endpoint, UntoldEvent, in_deployment);
    const JOURNALED: bool = false;

    fn columns(&self) -> Vec<Value> {
        vec![self.name.as_str().into()]
    }

    fn search_cards(&self, _: &mut Found) {
        // Made by the server itself.
    }
}

/// How far a sink is in a space.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Number.
    pub number: i64,
    uuid: Uuid,
    /// Number of the space.
    pub space: i64,
    /// Number of the sink.
    pub sink: i64,
    /// Everything up to here was published, or is not to be.
    pub position: i64,
}

impl Document for Position {
    named!(SINK_POSITION, Endpoint, UntoldEvent, in_space);
    const JOURNALED: bool = false;

    fn columns(&self) -> Vec<Value> {
        Vec::new()
    }

    fn search_cards(&self, _: &mut Found) {
        // Made by the server itself.
    }
}

/// Every sink that ever was set up, by its number.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn all(app: &App) -> Result<Vec<Loaded<Sink>>, Failure> {
    let query = Query { limit: SINKS_MAX, ..Query::of(DEPLOYMENT) };
    let found = app.store.find(&SINK, &query).await.map_err(failure)?;
    found.rows.iter().map(decode).collect()
}

/// A sink by its name; none when it was never taken.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn named(app: &App, name: &str) -> Result<Option<Loaded<Sink>>, Failure> {
    let predicate = Filter::equal(Field::Column("name"), name);
    let query = Query { predicate, limit: 1, ..Query::of(DEPLOYMENT) };
    let found = app.store.find(&SINK, &query).await.map_err(failure)?;
    found.rows.first().map(decode).transpose()
}

/// Takes a sink for a process, as it was found before: from now on what others write for it is
/// refused. None when somebody was faster.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn take(
    app: &App,
    name: &str,
    before: Option<Loaded<Sink>>,
    holder: Uuid,
) -> Result<Option<Loaded<Sink>>, Failure> {
    let (at, holder) = (app.clock.now(), Some(holder));
    let (write, taken) = match before {
        Some(before) => {
            let after = Sink { holder, at, ..before.record.clone() };
            let taken = Loaded { record: after.clone(), revision: before.revision + 1 };
            (replaced(&before, &after)?, taken)
        }
        None => {
            let number = app.store.reserve("sink", 1).await.map_err(failure)?.start;
            let (uuid, name) = (new_uuid(), name.to_owned());
            let record =
                Sink { number, uuid, name, holder, at, is_set_up: false, is_paused: false };
            let write = Write::Insert { kind: &SINK, record: record_of(&record, 1)? };
            (write, Loaded { record, revision: 1 })
        }
    };
    let batch = Batch { tenant: DEPLOYMENT, writes: vec![write], ..Batch::default() };
    match app.store.commit(batch).await {
        Ok(_) => Ok(Some(taken)),
        Err(StoreError::Conflict { .. } | StoreError::Unique { .. }) => Ok(None),
        Err(error) => Err(failure(error)),
    }
}

/// How far a sink is, in every space that it has a position of.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn positions(app: &App, sink: i64) -> Result<Vec<Loaded<Position>>, Failure> {
    let mut all = Vec::new();
    each(app, |position: Loaded<Position>| {
        if position.sink == sink {
            all.push(position);
        }
    })
    .await?;
    Ok(all)
}

/// Numbers of the spaces that are there.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn spaces(app: &App) -> Result<Vec<i64>, Failure> {
    let mut all = Vec::new();
    each(app, |space: Loaded<Space>| {
        if space.deletion.is_none() {
            all.push(space.number);
        }
    })
    .await?;
    Ok(all)
}

/// What is written for a sink: all of it, or nothing when somebody else has the sink.
#[derive(Debug, Default)]
pub struct Changes {
    /// Spaces that have no position yet, and theirs.
    pub new: Vec<(i64, i64)>,
    /// Positions as they were read or written last, and as they are to be.
    pub moved: Vec<(Loaded<Position>, i64)>,
}

/// Writes how far a sink is, and that its holder lives. None when somebody else has it, or a space
/// went away: whoever asks looks at all of it anew. Otherwise the sink and the positions as they
/// are now, in the order of the changes.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn write(
    app: &App,
    sink: &Loaded<Sink>,
    after: Sink,
    changes: Changes,
) -> Result<Option<(Loaded<Sink>, Vec<Loaded<Position>>)>, Failure> {
    let Changes { new, moved } = changes;
    let after = Sink { at: app.clock.now(), ..after };
    let mut writes = vec![replaced(sink, &after)?];
    let mut positions = Vec::with_capacity(new.len() + moved.len());
    if !new.is_empty() {
        let count = i64::try_from(new.len()).unwrap_or(i64::MAX);
        let numbers = app.store.reserve("sink_position", count).await.map_err(failure)?;
        for (number, (space, position)) in numbers.zip(new) {
            let record = Position { number, uuid: new_uuid(), space, sink: sink.number, position };
            writes.push(Write::Insert { kind: &SINK_POSITION, record: record_of(&record, 1)? });
            positions.push(Loaded { record, revision: 1 });
        }
    }
    for (before, position) in moved {
        let record = Position { position, ..before.record.clone() };
        writes.push(replaced(&before, &record)?);
        positions.push(Loaded { record, revision: before.revision + 1 });
    }
    let batch = Batch { tenant: DEPLOYMENT, writes, ..Batch::default() };
    match app.store.commit(batch).await {
        Ok(_) => Ok(Some((Loaded { record: after, revision: sink.revision + 1 }, positions))),
        Err(StoreError::Conflict { .. }) => Ok(None),
        Err(error) => Err(failure(error)),
    }
}

/// Pauses every sink: a restored copy is silent. How many there are.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn pause_all(app: &App) -> Result<usize, Failure> {
    let all = all(app).await?;
    for sink in &all {
        let after = Sink { holder: None, is_paused: true, ..sink.record.clone() };
        write(app, sink, after, Changes::default()).await?;
    }
    Ok(all.len())
}

/// Where a paused sink goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GoesOn {
    /// Where it stopped.
    WhereItStopped,
    /// With what comes from now on.
    Now,
}

/// Lets a sink publish again. None when it changed meanwhile.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn resume(
    app: &App,
    mut sink: Loaded<Sink>,
    from: GoesOn,
) -> Result<Option<()>, Failure> {
    if from == GoesOn::Now {
        for some in positions(app, sink.number).await?.chunks(CHUNK) {
            let mut moved = Vec::with_capacity(some.len());
            for position in some {
                let head = app.store.head(position.space).await.map_err(failure)?;
                moved.push((position.clone(), head.max(position.position)));
            }
            let (changes, after) = (Changes { moved, ..Changes::default() }, sink.record.clone());
            let Some((written, _)) = write(app, &sink, after, changes).await? else {
                return Ok(None);
            };
            sink = written;
        }
    }
    let after = Sink { holder: None, is_paused: false, ..sink.record.clone() };
    Ok(write(app, &sink, after, Changes::default()).await?.map(drop))
}

/// As what a sink is told: an endpoint that is not there and may see everything.
pub fn subscription(
    notifier: &'static Notifier,
    types: Vec<EventType>,
    payload: Payload,
    now: Timestamp,
) -> Subscription {
    let nobody = Identity { number: 0, uuid: Uuid::nil() };
    let blank = Endpoint::blank(nobody, 0, notifier.dialect, now);
    let endpoint = Endpoint { types, payload, sees: Permissions::ALL, ..blank };
    Subscription { endpoint, notifier }
}
