//! What became of an entry that did not reach an endpoint at once. What did has a record only where
//! the endpoint's API shows that: its cursor is behind it.

use async_recursion::async_recursion;
use patron_model::{
    Failure, Noun, Timestamp, card::Found, event::UntoldEvent, webhook::Order as TellOrder,
};
use patron_store::{Column, Entry, Index, Kind, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{cursor, get, notifier::Subscription, roll, telling, work::Open};
use crate::{
    App, Cx,
    commit::Saved,
    documents::{self, Document, named},
    failure,
    record::{self, Id, Loaded, Page, decode},
    search::{Compare, Field, Filter, Order, Query},
};

/// Deliveries. `retry` is the endpoint and when it is tried again, so that those of one endpoint
/// are found in that order.
pub static DELIVERY: Kind = Kind {
    name: "webhook_delivery",
    columns: &[Column::text("retry", Index::Ordered), Column::int("endpoint", Index::Ordered)],
    terms: false,
};

/// Attempts that are remembered; older ones are counted only.
pub const ATTEMPTS_MAX: usize = 20;

/// When what is held is tried, as far as its column says: behind whatever else waits.
pub(super) const HELD: i64 = i64::MAX;

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It is tried again.
    Retrying,
    /// It waits for an earlier one of its subject.
    Held,
    /// It arrived.
    Delivered,
    /// It was tried often enough.
    Failed,
    /// Its endpoint is gone.
    Cancelled,
    /// There is nothing to be told any more.
    Withheld,
}

impl DeliveryState {
    /// The words, comma separated.
    pub const WORDS: &'static str = "retrying, held, delivered, failed, cancelled, withheld";
    const ALL: [DeliveryState; 6] = [
        DeliveryState::Retrying,
        DeliveryState::Held,
        DeliveryState::Delivered,
        DeliveryState::Failed,
        DeliveryState::Cancelled,
        DeliveryState::Withheld,
    ];

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            DeliveryState::Retrying => "retrying",
            DeliveryState::Held => "held",
            DeliveryState::Delivered => "delivered",
            DeliveryState::Failed => "failed",
            DeliveryState::Cancelled => "cancelled",
            DeliveryState::Withheld => "withheld",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<DeliveryState> {
        DeliveryState::ALL.into_iter().find(|known| known.as_str() == word)
    }
}

/// What caused an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// It was time.
    Schedule,
    /// To see whether a failing endpoint is back.
    Probe,
    /// Somebody asked for it.
    Manual,
    /// A replay.
    Replay,
    /// Somebody tried the endpoint out.
    Test,
}

impl Trigger {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Trigger::Schedule => "schedule",
            Trigger::Probe => "probe",
            Trigger::Manual => "manual",
            Trigger::Replay => "replay",
            Trigger::Test => "test",
        }
    }
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Which one, from 1.
    pub n: i64,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub trigger: Trigger,
    /// The status of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How long it took.
    pub ms: i64,
}

/// A delivery of an entry to an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Number.
    pub number: i64,
    /// UUID, made of endpoint and position.
    pub uuid: Uuid,
    /// Space.
    pub space: i64,
    /// Number of the endpoint.
    pub endpoint: i64,
    /// Position of the entry.
    pub seq: i64,
    /// Number of the record that the entry hangs on.
    #[serde(default)]
    pub subject: i64,
    /// It is the endpoint's nth; 0: that is not known.
    pub nth: i64,
    /// What happened: `customer.updated`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What became of it.
    pub state: DeliveryState,
    /// Attempts that its schedule counts.
    pub tries: i64,
    /// When it is tried again, in microseconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<i64>,
    /// Somebody wants it tried at once; inside when its schedule goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manual: Option<Option<i64>>,
    /// Number of the replay that wants it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<i64>,
    /// All attempts.
    pub count: i64,
    /// The latest ones.
    pub attempts: Vec<Attempt>,
    /// When it was noted first.
    pub created_at: Timestamp,
    /// When something became of it last.
    pub updated_at: Timestamp,
}

impl Document for Delivery {
    named!(DELIVERY, Delivery, UntoldEvent, in_space);
    const JOURNALED: bool = false;

    fn columns(&self) -> Vec<Value> {
        let due = if self.state == DeliveryState::Held { Some(HELD) } else { self.due };
        vec![due.map(|due| retry(self.endpoint, due)).into(), self.endpoint.into()]
    }

    fn search_cards(&self, _: &mut Found) {
        // Made by the server itself.
    }
}

/// The value of the column `retry`: sorts by endpoint and time.
pub(super) fn retry(endpoint: i64, due: i64) -> String {
    format!("{endpoint:016x}{:016x}", due.max(0))
}

/// The UUID of the delivery of an entry to an endpoint (version 8: made by us).
pub fn uuid_of(endpoint: i64, seq: i64) -> Uuid {
    let (endpoint, seq) = (endpoint.unsigned_abs(), seq.unsigned_abs());
    let high = (endpoint >> 12 << 16) | 0x8000 | (endpoint & 0xfff);
    Uuid::from_u64_pair(high, 1 << 63 | seq & (u64::MAX >> 2))
}

/// The two numbers that [`uuid_of`] made a UUID of.
pub fn numbers_of(uuid: Uuid) -> Option<(i64, i64)> {
    let (high, low) = uuid.as_u64_pair();
    let first = i64::try_from((high >> 16 << 12) | (high & 0xfff)).ok()?;
    let second = i64::try_from(low & (u64::MAX >> 2)).ok()?;
    (uuid_of(first, second) == uuid).then_some((first, second))
}

/// The id of a delivery, as it is shown.
pub fn id_of(endpoint: i64, seq: i64) -> String {
    format!("dlv_{endpoint}_{seq}")
}

/// Endpoint and position of an id.
///
/// # Errors
/// `NotFound`: what cannot be an id names nothing.
pub fn parse_id(text: &str) -> Result<(i64, i64), Failure> {
    let number = |text: &str| text.parse::<i64>().ok().filter(|number| *number > 0);
    let parts = text.strip_prefix("dlv_").and_then(|text| text.split_once('_'));
    let parts = parts.and_then(|(endpoint, seq)| Some((number(endpoint)?, number(seq)?)));
    parts.ok_or(Failure::NotFound { noun: Noun::Delivery })
}

/// Which deliveries are asked for.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// To this endpoint.
    pub endpoint: Option<i64>,
    /// In this state.
    pub state: Option<DeliveryState>,
    /// Of this type.
    pub kind: Option<String>,
    /// Of the entry at this position.
    pub seq: Option<i64>,
}

/// A page of deliveries, newest first.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn list(cx: &Cx, asked: &Asked, query: Query) -> Result<Page<Delivery>, Failure> {
    let mut predicate = Filter::All;
    if let Some(endpoint) = asked.endpoint {
        predicate = predicate.and(Filter::equal(Field::Column("endpoint"), endpoint));
    }
    if let Some(state) = asked.state {
        predicate = predicate.and(Filter::equal(Field::text(&["state"]), state.as_str()));
    }
    if let Some(kind) = &asked.kind {
        predicate = predicate.and(Filter::equal(Field::text(&["type"]), kind.as_str()));
    }
    if let Some(seq) = asked.seq {
        predicate = predicate.and(Filter::equal(Field::Whole(vec!["seq".into()]), seq));
    }
    record::page(cx, &Query { predicate, order: Order::newest_first(), ..query }).await
}

/// One delivery.
///
/// # Errors
/// `NotFound`.
#[async_recursion]
pub async fn one(cx: &Cx, id: &str) -> Result<Loaded<Delivery>, Failure> {
    let (endpoint, seq) = parse_id(id)?;
    let found = load(&cx.app, cx.space, endpoint, seq).await?;
    found.ok_or(Failure::NotFound { noun: Noun::Delivery })
}

pub(super) async fn load(
    app: &App,
    space: i64,
    endpoint: i64,
    seq: i64,
) -> Result<Option<Loaded<Delivery>>, Failure> {
    let uuid = uuid_of(endpoint, seq);
    let row = app.store.get_by_uuid(&DELIVERY, space, uuid).await.map_err(failure)?;
    row.map(|row| decode(&row)).transpose()
}

/// Has an entry delivered once more, whatever became of it; a schedule that runs goes on. An entry
/// that was delivered at once has no delivery yet, and gets one.
///
/// # Errors
/// `NotFound` when there is no such entry or endpoint; `WrongState` when that is told nothing.
#[async_recursion]
pub async fn redeliver(cx: &Cx, id: &str) -> Result<Saved<Delivery>, Failure> {
    let (endpoint, seq) = parse_id(id)?;
    let now = cx.now.micros();
    cx.settle(|mut draft| async {
        let endpoint = get(cx, Id::Number(endpoint)).await?;
        if !endpoint.is_told() {
            let needs = "active: enable the endpoint first";
            return Err(Failure::WrongState { is: endpoint.state.as_str(), needs });
        }
        roll::note(cx, &mut draft, &[endpoint.number]).await?;
        let cursor = super::cursor(cx, endpoint.number).await?;
        let keeps_order = endpoint.order != TellOrder::None;
        if let Some(before) = load(&cx.app, cx.space, endpoint.number, seq).await? {
            if before.state == DeliveryState::Held {
                let needs = "its turn: redeliver the earlier one of its customer";
                return Err(Failure::WrongState { is: before.state.as_str(), needs });
            }
            let goes_on = before.manual.unwrap_or(before.due);
            let after = Delivery {
                due: Some(now),
                manual: Some(goes_on),
                updated_at: cx.now,
                ..before.record.clone()
            };
            return draft.change(&before, after, UntoldEvent::Updated, &["due"]);
        }
        let entry = cx.app.store.entry(cx.space, seq).await.map_err(failure)?;
        let entry = entry.ok_or(Failure::NotFound { noun: Noun::Delivery })?;
        let subscription = Subscription::of(&cx.app, endpoint.record.clone())?;
        if !telling::is_wanted(&subscription, &entry) {
            return Err(Failure::NotFound { noun: Noun::Delivery });
        }
        if keeps_order && cursor.as_ref().is_none_or(|cursor| cursor.position < seq) {
            let needs = "its turn: the endpoint keeps order";
            return Err(Failure::WrongState { is: "not told yet", needs });
        }
        let nth = match &cursor {
            Some(cursor) => cursor::nth(&cx.app, &subscription, cursor, seq).await?,
            None => 0,
        };
        let number = cx.app.store.reserve("webhook_delivery", 1).await.map_err(failure)?.start;
        let new = fresh(endpoint.number, &entry, nth, cx.now);
        draft.create(Delivery { number, due: Some(now), manual: Some(None), ..new })
    })
    .await
}

/// Cancels what is still to be tried at an endpoint that is told nothing any more.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn cancel(app: &std::sync::Arc<App>, space: i64, endpoint: i64) -> Result<(), Failure> {
    let cx = app.operator(space, "webhooks");
    loop {
        let predicate = waiting(endpoint);
        let query = Query { predicate, limit: 100, ..Query::of(space) };
        let page = record::page::<Delivery>(&cx, &query).await?;
        if page.items.is_empty() {
            return Ok(());
        }
        cx.write(|mut draft| async {
            for before in &page.items {
                let number = Id::Number(before.number);
                let before: Loaded<Delivery> = record::load(&cx, record::Look::at(number)).await?;
                let state = DeliveryState::Cancelled;
                let after = Delivery {
                    due: None,
                    manual: None,
                    replay: None,
                    state,
                    ..before.record.clone()
                };
                draft.replace(&before, &after, UntoldEvent::Updated, &[])?;
            }
            Ok((draft, ()))
        })
        .await?;
    }
}

/// What of an endpoint is to be tried again.
pub(super) fn waiting(endpoint: i64) -> Filter {
    let column = || Field::Column("retry");
    let from = Filter::Compare(column(), Compare::AtLeast, retry(endpoint, 0).into());
    from.and(Filter::Compare(column(), Compare::Less, retry(endpoint + 1, 0).into()))
}

/// A delivery that was not there before.
pub fn fresh(endpoint: i64, entry: &Entry, nth: i64, now: Timestamp) -> Delivery {
    Delivery {
        number: 0,
        uuid: uuid_of(endpoint, entry.seq),
        space: entry.tenant,
        endpoint,
        seq: entry.seq,
        subject: entry.subject,
        nth,
        kind: super::told(&documents::word(entry), &entry.action),
        state: DeliveryState::Retrying,
        tries: 0,
        due: None,
        manual: None,
        replay: None,
        count: 0,
        attempts: Vec::new(),
        created_at: now,
        updated_at: now,
    }
}

impl Delivery {
    /// What those behind it have to know of it; none where it is over.
    pub fn open(&self) -> Option<Open> {
        let Delivery { subject, seq, state, .. } = *self;
        match state {
            DeliveryState::Retrying => Some(Open { subject, seq, is_held: false }),
            DeliveryState::Held => Some(Open { subject, seq, is_held: true }),
            DeliveryState::Delivered
            | DeliveryState::Failed
            | DeliveryState::Cancelled
            | DeliveryState::Withheld => None,
        }
    }

    /// The delivery with one attempt more.
    #[must_use]
    pub fn attempted(mut self, attempt: Attempt) -> Delivery {
        self.count += 1;
        self.updated_at = attempt.at;
        self.attempts.push(Attempt { n: self.count, ..attempt });
        let surplus = self.attempts.len().saturating_sub(ATTEMPTS_MAX);
        self.attempts.drain(..surplus);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_and_endpoint_has_a_uuid_of_its_own() {
        const MOST: i64 = (1 << 53) - 1;
        let mut all = std::collections::HashSet::new();
        for endpoint in [1, 2, 4095, 4096, 65_536, MOST] {
            for seq in [1, 2, 4096, 1 << 40, MOST] {
                let uuid = uuid_of(endpoint, seq);
                assert_eq!(
                    (uuid.get_version_num(), uuid.get_variant()),
                    (8, uuid::Variant::RFC4122)
                );
                assert!(all.insert(uuid), "{endpoint} {seq}");
                assert_eq!(numbers_of(uuid), Some((endpoint, seq)));
                assert_eq!(parse_id(&id_of(endpoint, seq)).unwrap(), (endpoint, seq));
            }
        }
        for bad in ["", "dlv_", "dlv_1", "dlv_1_", "dlv_0_1", "dlv_1_-1", "dlv_1_2_3", "evt_1_2"] {
            assert!(parse_id(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn those_of_an_endpoint_are_found_in_the_order_of_their_times() {
        assert!(retry(7, 10) < retry(7, 11) && retry(7, 1 << 50) < retry(8, 0));
        assert!(retry(15, 0) < retry(16, 0), "as text too");
    }

    #[test]
    fn old_attempts_are_counted_only() {
        let now = Timestamp::from_micros(1);
        let entry = super::super::trial::made_up(1, now);
        let mut delivery = fresh(2, &entry, 4, now);
        for _ in 0..25 {
            let trigger = Trigger::Schedule;
            delivery = delivery.attempted(Attempt {
                n: 0,
                at: now,
                trigger,
                status: Some(500),
                error: None,
                ms: 1,
            });
        }
        assert_eq!((delivery.count, delivery.attempts.len()), (25, ATTEMPTS_MAX));
        assert_eq!(delivery.attempts.last().map(|attempt| attempt.n), Some(25));
    }
}
