//! Telling an endpoint once more what has happened: a second cursor that moves over a part of the
//! journal and makes a delivery of every entry it finds, behind whatever is fresh. Any node may
//! move it, each step by compare-and-set; the one that works for the endpoint does.

use async_recursion::async_recursion;
use patron_model::{
    Failure, Noun, Timestamp, Why,
    card::Found,
    event::UntoldEvent,
    webhook::{EndpointState, EventType, Order as TellOrder},
};
use patron_store::{Batch, Entry, Kind, StoreError, Value, Write};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Delivery, DeliveryState, asks_of, cursor,
    deliveries::{self, DELIVERY, fresh},
    get,
    notifier::Subscription,
    roll, telling, work,
};
use crate::{
    App, Cx,
    commit::{Draft, Saved, record_of},
    documents::{self, Document, named},
    failure,
    ids::new_uuid,
    record::{self, Id, Loaded, Page},
    search::{Field, Filter, Order, Query},
};

/// Replays.
pub static REPLAY: Kind = Kind { name: "webhook_replay", columns: &[], terms: false };

/// Deliveries of an endpoint that wait to be tried, beyond which a replay waits.
pub const WAITING_MAX: u64 = 128;
/// Entries that a step looks at.
const STEP_ENTRIES: u32 = 64;

/// What became of a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplayState {
    /// It goes on.
    Running,
    /// Everything is on its way.
    Done,
    /// Somebody ended it, or its endpoint is told nothing any more.
    Cancelled,
}

impl ReplayState {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            ReplayState::Running => "running",
            ReplayState::Done => "done",
            ReplayState::Cancelled => "cancelled",
        }
    }
}

/// A replay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replay {
    /// Number.
    pub number: i64,
    /// UUID.
    pub uuid: Uuid,
    /// Space.
    pub space: i64,
    /// Number of the endpoint.
    pub endpoint: i64,
    /// Position of the first entry.
    pub from: i64,
    /// Position of the last one.
    pub to: i64,
    /// Everything up to here was looked at.
    pub position: i64,
    /// Of these types; none: all that the endpoint asks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<EventType>,
    /// Only what could not be delivered.
    pub only_failed: bool,
    /// What became of it.
    pub state: ReplayState,
    /// Deliveries it has made so far.
    pub told: i64,
    /// What its endpoint asked for (see [`asks_of`]), and how many entries up to `position` were of
    /// that; none: that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<(i64, i64)>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it made its last step.
    pub updated_at: Timestamp,
}

impl Document for Replay {
    named!(REPLAY, Replay, UntoldEvent, in_space);
    const JOURNALED: bool = false;

    fn columns(&self) -> Vec<Value> {
        Vec::new()
    }

    fn search_cards(&self, _: &mut Found) {
        // Words and numbers that were checked.
    }
}

/// Where a replay begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// With the entry at this position.
    At(i64),
    /// With the first entry of this moment or later.
    Since(Timestamp),
}

/// What is to be told once more.
#[derive(Debug, Clone)]
pub struct NewReplay {
    /// From where on.
    pub begin: Begin,
    /// Up to this moment; up to now where there is none.
    pub until: Option<Timestamp>,
    /// Of these types; none: all that the endpoint asks for.
    pub types: Vec<EventType>,
    /// Only what could not be delivered.
    pub only_failed: bool,
}

/// Begins a replay.
///
/// # Errors
/// `NotFound`; `WrongState` when the endpoint is told nothing, or another one is running; `Beyond`
/// for a position behind the last entry; `Invalid` where it would end before it begins.
#[async_recursion]
pub async fn begin(cx: &Cx, id: Id, new: &NewReplay) -> Result<Saved<Replay>, Failure> {
    cx.settle(|mut draft| async {
        let endpoint = get(cx, id).await?;
        if endpoint.state != EndpointState::Active {
            let needs = "active: enable the endpoint first";
            return Err(Failure::WrongState { is: endpoint.state.as_str(), needs });
        }
        if !running(&cx.app, cx.space, endpoint.number).await?.is_empty() {
            return Err(Failure::WrongState { is: "being replayed", needs: "at rest" });
        }
        let app = &cx.app;
        let head = app.journal_head(cx.space).await?;
        let from = match new.begin {
            Begin::At(seq) if seq > head => return Err(Failure::Beyond { head }),
            Begin::At(seq) => seq,
            Begin::Since(at) => first_at(app, cx.space, head, at).await?,
        };
        let to = match new.until {
            None => head,
            Some(until) => {
                first_at(app, cx.space, head, Timestamp::from_micros(until.micros() + 1)).await? - 1
            }
        };
        if new.until.is_some() && to < from {
            let why = Why::Malformed { expected: "a moment behind the first entry" };
            return Err(Failure::invalid("until", why));
        }
        // It must not end, or pause, while this begins.
        draft.assert(&endpoint);
        // One that finds nothing is over at once.
        let state = if from > to { ReplayState::Done } else { ReplayState::Running };
        roll::note(cx, &mut draft, &[endpoint.number]).await?;
        let number = app.store.reserve("webhook_replay", 1).await.map_err(failure)?.start;
        draft.create(Replay {
            number,
            uuid: new_uuid(),
            space: cx.space,
            endpoint: endpoint.number,
            from,
            to,
            position: from - 1,
            types: new.types.clone(),
            only_failed: new.only_failed,
            state,
            told: 0,
            counted: None,
            created_at: cx.now,
            updated_at: cx.now,
        })
    })
    .await
}

/// Position of the first entry of a moment or later; one behind the head when there is none.
/// Moments grow with positions, but for the little that the clocks of nodes differ by.
async fn first_at(app: &App, space: i64, head: i64, at: Timestamp) -> Result<i64, Failure> {
    let (mut low, mut high) = (1, head + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let entry = work::entry(app, space, middle).await?;
        match entry.is_some_and(|entry| entry.at < at.micros()) {
            true => low = middle + 1,
            false => high = middle,
        }
    }
    Ok(low)
}

/// Replays of an endpoint, the latest first.
///
/// # Errors
/// `NotFound`.
#[async_recursion]
pub async fn list(cx: &Cx, id: Id, query: Query) -> Result<Page<Replay>, Failure> {
    let endpoint = get(cx, id).await?;
    let predicate = of(endpoint.number);
    record::page(cx, &Query { predicate, order: Order::newest_first(), ..query }).await
}

/// One of them.
///
/// # Errors
/// `NotFound`.
#[async_recursion]
pub async fn one(cx: &Cx, id: Id, number: i64) -> Result<Loaded<Replay>, Failure> {
    let endpoint = get(cx, id).await?;
    let replay: Loaded<Replay> = record::load(cx, record::Look::at(Id::Number(number))).await?;
    match replay.endpoint == endpoint.number {
        true => Ok(replay),
        false => Err(Failure::NotFound { noun: Noun::Replay }),
    }
}

/// Ends a replay; what is on its way already goes on. Does nothing where it is over.
///
/// # Errors
/// `NotFound`.
#[async_recursion]
pub async fn cancel(cx: &Cx, id: Id, number: i64) -> Result<Saved<Replay>, Failure> {
    cx.settle(|draft| async {
        let before = one(cx, id, number).await?;
        if before.state != ReplayState::Running {
            return Ok(draft.keep(before));
        }
        let state = ReplayState::Cancelled;
        let after = Replay { state, updated_at: cx.now, ..before.record.clone() };
        draft.change(&before, after, UntoldEvent::Updated, &["state"])
    })
    .await
}

/// Ends the replay of an endpoint that is told nothing any more, if it has one.
pub(super) async fn end(cx: &Cx, draft: &mut Draft<'_>, endpoint: i64) -> Result<(), Failure> {
    let Some(before) = running(&cx.app, cx.space, endpoint).await?.pop() else { return Ok(()) };
    let state = ReplayState::Cancelled;
    let after = Replay { state, updated_at: cx.now, ..before.record.clone() };
    draft.replace(&before, &after, UntoldEvent::Updated, &[])
}

fn of(endpoint: i64) -> Filter {
    Filter::equal(Field::Whole(vec!["endpoint".to_owned()]), endpoint)
}

/// Those of an endpoint that go on.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn running(app: &App, space: i64, endpoint: i64) -> Result<Vec<Loaded<Replay>>, Failure> {
    let is_running = Filter::equal(Field::text(&["state"]), ReplayState::Running.as_str());
    let query = Query { predicate: of(endpoint).and(is_running), limit: 1, ..Query::of(space) };
    let found = app.store.find(&REPLAY, &query).await.map_err(failure)?;
    found.rows.iter().map(record::decode).collect()
}

/// What a step of a replay came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// There is nothing to replay.
    Idle,
    /// As much waits to be delivered as may.
    Full,
    /// So many deliveries were made.
    Made(usize),
}

/// Moves the replay of an endpoint on, if it has one.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn step(app: &App, endpoint: &Subscription) -> Result<Step, Failure> {
    let (space, number) = (endpoint.space, endpoint.number);
    let Some(replay) = running(app, space, number).await?.pop() else { return Ok(Step::Idle) };
    let (waiting, _) = work::retrying(app, space, number).await?;
    if waiting >= WAITING_MAX {
        return Ok(Step::Full);
    }
    let entries = work::entries(app, space, replay.position, STEP_ENTRIES).await?;
    let now = app.clock.now();
    let wanted = i64::try_from(entries.len()).unwrap_or(0);
    let mut numbers = app.store.reserve("webhook_delivery", wanted).await.map_err(failure)?;
    let (mut writes, mut position, mut count) = (Vec::new(), replay.to, 0);
    let mut counter = Counter::of(app, endpoint, &replay).await?;
    for entry in entries.iter().filter(|entry| entry.seq <= replay.to) {
        let number = numbers.next().unwrap_or_default();
        let nth = counter.nth(endpoint, entry);
        if let Some(write) = again(app, endpoint, &replay, (entry, nth), (number, now)).await? {
            writes.push(write);
            count += 1;
        }
        position = entry.seq;
    }
    let is_over = position >= replay.to;
    let after = Replay {
        position,
        told: replay.told + i64::try_from(count).unwrap_or(0),
        counted: counter.matched.map(|matched| (counter.asks, matched)),
        state: if is_over { ReplayState::Done } else { ReplayState::Running },
        updated_at: now,
        ..replay.record.clone()
    };
    writes.push(work::replaced(&replay, &after)?);
    match app.store.commit(Batch { tenant: space, writes, ..Batch::default() }).await {
        Ok(_) => Ok(Step::Made(count)),
        // Somebody moved it, or something of it: once more.
        Err(StoreError::Conflict { .. } | StoreError::Unique { .. }) => Ok(Step::Made(0)),
        Err(error) => Err(failure(error)),
    }
}

/// Counts which one of its endpoint's each entry is that a replay comes to.
struct Counter {
    asks: i64,
    marks: Vec<(i64, i64)>,
    matched: Option<i64>,
}

impl Counter {
    async fn of(app: &App, endpoint: &Subscription, replay: &Replay) -> Result<Counter, Failure> {
        let asks = asks_of(endpoint);
        let cursor = work::cursor(app, endpoint.space, endpoint.number).await?;
        let Some(cursor) = cursor.filter(|cursor| cursor.asks == asks) else {
            return Ok(Counter { asks, marks: Vec::new(), matched: None });
        };
        let known = replay.counted.filter(|(counted, _)| *counted == asks);
        let matched = match known {
            Some((_, matched)) => Some(matched),
            None => cursor::count(app, endpoint, &cursor, replay.position).await?,
        };
        Ok(Counter { asks, marks: cursor.record.marks, matched })
    }

    /// Which one the next entry is; 0 where that is not known.
    fn nth(&mut self, endpoint: &Subscription, entry: &Entry) -> i64 {
        if self.matched.is_none() {
            let before = self.marks.iter().find(|(at, _)| at + 1 == entry.seq);
            self.matched = before.map(|(_, matched)| *matched);
        }
        let Some(matched) = &mut self.matched else { return 0 };
        *matched += i64::from(telling::is_wanted(endpoint, entry));
        *matched
    }
}

/// Has an entry delivered once more, where it was asked for and is not to be tried anyway.
async fn again(
    app: &App,
    endpoint: &Subscription,
    replay: &Replay,
    (entry, nth): (&Entry, i64),
    (number, now): (i64, Timestamp),
) -> Result<Option<Write>, Failure> {
    let noun = documents::word(entry);
    let is_of_type = |one: &EventType| one.has(&noun, &entry.action);
    let is_asked = replay.types.is_empty() || replay.types.iter().any(is_of_type);
    if !is_asked || !telling::is_wanted(endpoint, entry) {
        return Ok(None);
    }
    // Where order is kept each waits for its turn.
    let (state, due) = match endpoint.order {
        TellOrder::None => (DeliveryState::Retrying, Some(now.micros())),
        TellOrder::Customer => (DeliveryState::Held, None),
    };
    let anew = |delivery: Delivery| Delivery {
        state,
        tries: 0,
        due,
        subject: entry.subject,
        replay: Some(replay.number),
        updated_at: now,
        ..delivery
    };
    match deliveries::load(app, endpoint.space, endpoint.number, entry.seq).await? {
        Some(before) => {
            let is_wanted = match before.state {
                DeliveryState::Retrying | DeliveryState::Held => false,
                DeliveryState::Failed | DeliveryState::Cancelled => true,
                DeliveryState::Delivered | DeliveryState::Withheld => !replay.only_failed,
            };
            let after = is_wanted.then(|| anew(before.record.clone()));
            after.map(|after| work::replaced(&before, &after)).transpose()
        }
        None if replay.only_failed => Ok(None),
        None => {
            let delivery = anew(fresh(endpoint.number, entry, nth, now));
            let record = record_of(&Delivery { number, ..delivery }, 1)?;
            Ok(Some(Write::Insert { kind: &DELIVERY, record }))
        }
    }
}
