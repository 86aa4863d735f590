//! What those who deliver read and write. Nothing is decided here.

use async_recursion::async_recursion;
use patron_model::{Failure, Timestamp, card::Found, event::UntoldEvent, webhook::Endpoint};
use patron_store::{Batch, Entry, Kind, StoreError, Value, Write};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Cursor, DELIVERY, Delivery, ENDPOINT, Roll,
    cursor::load as load_cursor,
    deliveries::{self, DeliveryState, HELD, retry, waiting},
    roll,
};
use crate::{
    App,
    commit::record_of,
    documents::{DEPLOYMENT, Document, named},
    failure,
    ids::new_uuid,
    record::{Loaded, decode, each},
    search::{Compare, Field, Filter, Order, Query},
};

/// Nodes that deliver.
pub static NODE: Kind = Kind { name: "webhook_node", columns: &[], terms: false };

/// Records read at a time.
const CHUNK: u32 = 500;

/// Every endpoint that is told something.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn active(app: &App) -> Result<Vec<Endpoint>, Failure> {
    let mut all = all(app).await?;
    all.retain(Endpoint::is_told);
    Ok(all)
}

/// Every endpoint, whatever its state.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn all(app: &App) -> Result<Vec<Endpoint>, Failure> {
    let mut all = Vec::new();
    each(app, |endpoint: Loaded<Endpoint>| all.push(endpoint.record)).await?;
    Ok(all)
}

/// An endpoint, whatever its state.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn endpoint(
    app: &App,
    space: i64,
    number: i64,
) -> Result<Option<Loaded<Endpoint>>, Failure> {
    let row = app.store.get(&ENDPOINT, space, number).await.map_err(failure)?;
    row.map(|row| decode(&row)).transpose()
}

/// An endpoint of whichever space, unless it is deleted.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn anywhere(app: &App, number: i64) -> Result<Option<Endpoint>, Failure> {
    let row = app.store.get_anywhere(&ENDPOINT, number).await.map_err(failure)?;
    let found = row.map(|row| decode::<Endpoint>(&row)).transpose()?;
    Ok(found.map(|found| found.record).filter(|endpoint| !endpoint.is_gone()))
}

/// Which endpoints changed; none when there never was one.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn changes(app: &App) -> Result<Option<Roll>, Failure> {
    Ok(roll::load(app).await?.map(|roll| roll.record))
}

/// The cursor of an endpoint.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn cursor(app: &App, space: i64, number: i64) -> Result<Option<Loaded<Cursor>>, Failure> {
    load_cursor(app, space, number).await
}

/// What of an endpoint is to be tried again: how many, and when the next is.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn retrying(app: &App, space: i64, number: i64) -> Result<(u64, Option<i64>), Failure> {
    let predicate = waiting(number);
    let count = app.store.count(&DELIVERY, &[space], &predicate).await.map_err(failure)?;
    if count == 0 {
        return Ok((0, None));
    }
    let next = due(app, space, number, i64::MAX, 1).await?;
    Ok((count, next.first().and_then(|delivery| delivery.due)))
}

/// What of an endpoint is due, the longest first.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn due(
    app: &App,
    space: i64,
    number: i64,
    now: i64,
    limit: u32,
) -> Result<Vec<Loaded<Delivery>>, Failure> {
    let column = || Field::Column("retry");
    // What is held is nobody's to try before its turn.
    let until = retry(number, now.min(HELD - 1));
    let until = Filter::Compare(column(), Compare::AtMost, until.into());
    let predicate = waiting(number).and(until);
    let order = Order::by(column(), false);
    let query = Query { predicate, order, limit, ..Query::of(space) };
    let found = app.store.find(&DELIVERY, &query).await.map_err(failure)?;
    found.rows.iter().map(decode).collect()
}

/// A delivery that is not over, as far as those behind it care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open {
    /// Number of the record that its entry hangs on.
    pub subject: i64,
    /// Position of its entry.
    pub seq: i64,
    /// Whether it waits for its turn.
    pub is_held: bool,
}

/// What of an endpoint is not over: that is to be tried again, or waits for its turn.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn open(app: &App, space: i64, number: i64) -> Result<Vec<Open>, Failure> {
    let (mut all, mut after) = (Vec::new(), 0);
    loop {
        let behind = Filter::Compare(Field::Number, Compare::Greater, after.into());
        let predicate = waiting(number).and(behind);
        let query = Query { predicate, limit: CHUNK, ..Query::of(space) };
        let found = app.store.find(&DELIVERY, &query).await.map_err(failure)?;
        let Some(last) = found.rows.last() else { return Ok(all) };
        after = last.number;
        for row in &found.rows {
            let delivery: Loaded<Delivery> = decode(row)?;
            all.extend(delivery.open());
        }
    }
}

/// Deliveries of an endpoint by the positions of their entries; those that are not there are left
/// out.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn at(
    app: &App,
    space: i64,
    number: i64,
    seqs: &[i64],
) -> Result<Vec<Loaded<Delivery>>, Failure> {
    let mut all = Vec::with_capacity(seqs.len());
    for seq in seqs {
        all.extend(deliveries::load(app, space, number, *seq).await?);
    }
    Ok(all)
}

/// Entries of a space behind a position.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn entries(app: &App, space: i64, after: i64, limit: u32) -> Result<Vec<Entry>, Failure> {
    app.store.entries(space, after, limit).await.map_err(failure)
}

/// Positions of the last entries of spaces.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn heads(app: &App, spaces: &[i64]) -> Result<Vec<(i64, i64)>, Failure> {
    app.store.heads(spaces).await.map_err(failure)
}

/// One entry.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn entry(app: &App, space: i64, seq: i64) -> Result<Option<Entry>, Failure> {
    app.store.entry(space, seq).await.map_err(failure)
}

/// What came of the work for one endpoint.
#[derive(Debug, Clone)]
pub struct Results {
    /// The cursor as it was read or written last: the fence.
    pub cursor: Loaded<Cursor>,
    /// The cursor as it is to be.
    pub after: Cursor,
    /// Deliveries.
    pub deliveries: Vec<Written>,
}

/// A delivery to be written.
#[derive(Debug, Clone)]
pub enum Written {
    /// It was not there before.
    New(Delivery),
    /// It was: as it was read, as it is to be.
    Changed(Box<(Loaded<Delivery>, Delivery)>),
}

/// What became of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flushed {
    /// They are written.
    Done,
    /// Somebody else works for the endpoint, or changed what they are about.
    Lost,
    /// The store is away: once more.
    Later,
}

/// Writes results, those of each endpoint whole or not at all.
#[async_recursion]
pub async fn flush(app: &App, all: &[Results]) -> Vec<Flushed> {
    let mut batches = Vec::with_capacity(all.len());
    for results in all {
        match batch(app, results).await {
            Ok(batch) => batches.push(batch),
            Err(_) => return vec![Flushed::Later; all.len()],
        }
    }
    let verdicts = app.store.commit_many(batches).await;
    verdicts
        .into_iter()
        .map(|verdict| match verdict {
            Ok(_) => Flushed::Done,
            Err(StoreError::Conflict { .. } | StoreError::Unique { .. }) => Flushed::Lost,
            Err(StoreError::Full | StoreError::Unavailable(_) | StoreError::GivenUp) => {
                Flushed::Later
            }
            Err(error @ (StoreError::Answered | StoreError::Engine(_))) => {
                tracing::error!(error = %error, "results of deliveries could not be written");
                Flushed::Later
            }
        })
        .collect()
}

async fn batch(app: &App, results: &Results) -> Result<Batch, Failure> {
    let Results { cursor, after, deliveries } = results;
    let mut writes = vec![replaced(cursor, after)?];
    let fresh = deliveries.iter().filter(|one| matches!(one, Written::New(_))).count();
    let mut numbers = 0..0;
    if fresh > 0 {
        let wanted = i64::try_from(fresh).unwrap_or(i64::MAX);
        numbers = app.store.reserve("webhook_delivery", wanted).await.map_err(failure)?;
    }
    for one in deliveries {
        match one {
            Written::New(delivery) => {
                let (endpoint, seq) = (delivery.endpoint, delivery.seq);
                // One that somebody asked for meanwhile has a life of its own.
                if deliveries::load(app, delivery.space, endpoint, seq).await?.is_none() {
                    let number = numbers.next().unwrap_or_default();
                    let record = record_of(&Delivery { number, ..delivery.clone() }, 1)?;
                    writes.push(Write::Insert { kind: &DELIVERY, record });
                }
            }
            Written::Changed(change) => writes.push(replaced(&change.0, &change.1)?),
        }
    }
    Ok(Batch { tenant: after.space, writes, ..Batch::default() })
}

pub(crate) fn replaced<T: Document>(before: &Loaded<T>, after: &T) -> Result<Write, Failure> {
    Ok(Write::Replace {
        kind: T::KIND,
        after: record_of(after, before.revision + 1)?,
        before_columns: before.columns(),
        before_terms: Vec::new(),
    })
}

/// Takes an endpoint for a node: from now on nobody else's results are written. None when somebody
/// was faster.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn take(
    app: &App,
    cursor: &Loaded<Cursor>,
    node: i64,
) -> Result<Option<Loaded<Cursor>>, Failure> {
    let after = Cursor { node, ..cursor.record.clone() };
    let writes = vec![replaced(cursor, &after)?];
    let batch = Batch { tenant: after.space, writes, ..Batch::default() };
    match app.store.commit(batch).await {
        Ok(_) => Ok(Some(Loaded { record: after, revision: cursor.revision + 1 })),
        Err(StoreError::Conflict { .. }) => Ok(None),
        Err(error) => Err(failure(error)),
    }
}

/// Removes deliveries that are over: delivered ones before a time, all others before another one;
/// so many at most. Says how many went.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn forget(
    app: &App,
    space: i64,
    (delivered, others): (Timestamp, Timestamp),
    limit: u32,
) -> Result<usize, Failure> {
    let before = |at: Timestamp| {
        let field = Field::Whole(vec!["updated_at".to_owned()]);
        Filter::Compare(field, Compare::Less, at.micros().into())
    };
    let is_delivered = || Filter::equal(Field::text(&["state"]), DeliveryState::Delivered.as_str());
    let is_over = Filter::Missing(Field::Column("retry"));
    let old = Filter::Or(vec![is_delivered().and(before(delivered)), before(others)]);
    let query = Query { predicate: is_over.and(old), limit, ..Query::of(space) };
    let rows = app.store.find(&DELIVERY, &query).await.map_err(failure)?.rows;
    let removal = |row: &patron_store::Row| Write::Remove {
        kind: &DELIVERY,
        tenant: space,
        number: row.number,
        revision: row.revision,
    };
    let count = rows.len();
    if count > 0 {
        let writes = rows.iter().map(removal).collect();
        let batch = Batch { tenant: space, writes, ..Batch::default() };
        app.store.commit(batch).await.map_err(failure)?;
    }
    Ok(count)
}

// ---- nodes ----------------------------------------------------------------------------------

/// A node that delivers. It replaces its record every few seconds: whoever sees no new revision for
/// long takes it for dead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    number: i64,
    uuid: Uuid,
    /// When it said so last, by its own clock; for people.
    pub at: Timestamp,
}

impl Document for Node {
    named!(NODE, Endpoint, UntoldEvent, in_deployment);
    const JOURNALED: bool = false;

    fn columns(&self) -> Vec<Value> {
        Vec::new()
    }

    fn search_cards(&self, _: &mut Found) {
        // Made by the server itself.
    }
}

impl Node {
    /// Its number.
    pub fn number(&self) -> i64 {
        self.number
    }
}

/// Makes this process known as a node.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn join(app: &App) -> Result<Loaded<Node>, Failure> {
    let number = app.store.reserve("webhook_node", 1).await.map_err(failure)?.start;
    let record = Node { number, uuid: new_uuid(), at: app.clock.now() };
    let writes = vec![Write::Insert { kind: &NODE, record: record_of(&record, 1)? }];
    let batch = Batch { tenant: DEPLOYMENT, writes, ..Batch::default() };
    app.store.commit(batch).await.map_err(failure)?;
    Ok(Loaded { record, revision: 1 })
}

/// Says that a node lives. None when others have taken it for dead and removed it.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn beat(app: &App, node: &Loaded<Node>) -> Result<Option<Loaded<Node>>, Failure> {
    let after = Node { at: app.clock.now(), ..node.record.clone() };
    let writes = vec![replaced(node, &after)?];
    let batch = Batch { tenant: DEPLOYMENT, writes, ..Batch::default() };
    match app.store.commit(batch).await {
        Ok(_) => Ok(Some(Loaded { record: after, revision: node.revision + 1 })),
        Err(StoreError::Conflict { .. }) => Ok(None),
        Err(error) => Err(failure(error)),
    }
}

/// Removes a node that is no more.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn leave(app: &App, number: i64, revision: i64) -> Result<(), Failure> {
    let writes = vec![Write::Remove { kind: &NODE, tenant: DEPLOYMENT, number, revision }];
    let batch = Batch { tenant: DEPLOYMENT, writes, ..Batch::default() };
    match app.store.commit(batch).await {
        Ok(_) | Err(StoreError::Conflict { .. }) => Ok(()),
        Err(error) => Err(failure(error)),
    }
}

/// Numbers and revisions of all nodes.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn nodes(app: &App) -> Result<Vec<(i64, i64)>, Failure> {
    let query = Query { limit: CHUNK, ..Query::of(DEPLOYMENT) };
    let found = app.store.find(&NODE, &query).await.map_err(failure)?;
    Ok(found.rows.iter().map(|row| (row.number, row.revision)).collect())
}
