//! What became of what webhook endpoints were to be told: `/v1/webhook-deliveries`. What arrived at
//! once has a delivery only where the API of its endpoint shows that; the `position` of the
//! endpoint is behind it.

use patron_app::{
    search::Query,
    webhooks::{
        Attempt, Delivery, DeliveryState,
        deliveries::{self, Asked},
    },
};
use patron_gateway::{Reply, Request};
use patron_model::{Failure, Timestamp, Why};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    customers::{PAGE_MAX, show::ListOut},
    lists::{self, Place},
    words,
};

/// A delivery.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "WebhookDelivery")]
pub struct DeliveryOut<'a> {
    /// Its id: endpoint and position.
    id: String,
    /// Number of the endpoint.
    endpoint: i64,
    /// What happened: the `id` in the body.
    event: String,
    /// Its position in the feed.
    seq: i64,
    /// What happened, in a word: `customer.updated`.
    #[serde(rename = "type")]
    kind: &'a str,
    /// `retrying`, `held` (behind an earlier one of its customer), `delivered`, `failed`,
    /// `cancelled`, `withheld` (there is nothing to be told any more).
    #[schemars(with = "words::DeliveryState")]
    state: &'static str,
    /// Attempts made.
    attempts: i64,
    /// The status of the last answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_status: Option<u16>,
    /// Why there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<&'a str>,
    /// When it is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    next_at: Option<String>,
    /// When something became of it last.
    #[schemars(extend("format" = "date-time"))]
    at: String,
}

/// An attempt.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "WebhookAttempt")]
pub struct AttemptOut<'a> {
    /// Which one, from 1.
    n: i64,
    /// When it began.
    #[schemars(extend("format" = "date-time"))]
    at: String,
    /// `schedule`, `probe` (to see whether a failing endpoint is back), `manual`, `replay`, `test`.
    #[schemars(with = "words::AttemptTrigger")]
    trigger: &'static str,
    /// The status of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// Why there is none: `dns`, `address_refused`, `connect`, `tls`, `timeout`, `too_large`,
    /// `protocol`.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    /// How long it took.
    duration_ms: i64,
}

impl<'a> DeliveryOut<'a> {
    /// A delivery.
    pub fn of(delivery: &'a Delivery) -> DeliveryOut<'a> {
        let last = delivery.attempts.last();
        DeliveryOut {
            id: deliveries::id_of(delivery.endpoint, delivery.seq),
            endpoint: delivery.endpoint,
            event: format!("evt_{}_{}", delivery.space, delivery.seq),
            seq: delivery.seq,
            kind: &delivery.kind,
            state: delivery.state.as_str(),
            attempts: delivery.count,
            last_status: last.and_then(|attempt| attempt.status),
            last_error: last.and_then(|attempt| attempt.error.as_deref()),
            next_at: delivery.due.map(|due| Timestamp::from_micros(due).rfc3339_micros()),
            at: delivery.updated_at.rfc3339_micros(),
        }
    }
}

impl<'a> AttemptOut<'a> {
    /// An attempt.
    pub fn of(attempt: &'a Attempt) -> AttemptOut<'a> {
        AttemptOut {
            n: attempt.n,
            at: attempt.at.rfc3339_micros(),
            trigger: attempt.trigger.as_str(),
            status: attempt.status,
            error: attempt.error.as_deref(),
            duration_ms: attempt.ms,
        }
    }
}

/// A page of deliveries, newest first.
pub async fn list(request: Request) -> Result<Reply, Failure> {
    let (params, mut faults) = (request.query(), request.query_faults());
    let limit = faults.int(&params, "limit", 50, 1, PAGE_MAX);
    let mut whole = |name| params.get(name).map(|_| faults.int(&params, name, 1, 1, i64::MAX));
    let (endpoint, seq) = (whole("endpoint"), whole("seq"));
    let state = params.get("state").and_then(|word| {
        let known = DeliveryState::parse(word);
        let known = known.ok_or_else(|| Why::not_one_of(word, DeliveryState::WORDS));
        faults.understood("state", known)
    });
    let kind = params.get("type").map(str::to_owned);
    let asked =
        ["endpoint", "seq", "state", "type"].map(|name| params.get(name).unwrap_or_default());
    let question = lists::question(&[&["webhook_deliveries"][..], &asked].concat());
    let after = faults.keep(lists::after(&params, &question))?.flatten();
    faults.finish()?;
    let limit = u32::try_from(limit).unwrap_or(50);
    let query = Query { after, limit, ..Query::of(request.cx.space) };
    let asked = Asked { endpoint, state, kind, seq };
    let page = deliveries::list(&request.cx, &asked, query).await?;
    let last = page.items.last().filter(|_| page.more).map(|delivery| delivery.number);
    let next = last.map(|number| lists::write(&question, Place::List { key: None, number }));
    let data: Vec<_> = page.items.iter().map(|delivery| DeliveryOut::of(delivery)).collect();
    let next_cursor = next.transpose()?;
    Reply::json(200, &ListOut { data, has_more: page.more, next_cursor, total: None })
}

/// One delivery.
pub async fn get(request: Request) -> Result<Reply, Failure> {
    let delivery = deliveries::one(&request.cx, request.param("id")).await?;
    Reply::json(200, &DeliveryOut::of(&delivery))
}

/// Its latest attempts.
pub async fn attempts(request: Request) -> Result<Reply, Failure> {
    let delivery = deliveries::one(&request.cx, request.param("id")).await?;
    let data: Vec<_> = delivery.attempts.iter().map(AttemptOut::of).collect();
    Reply::json(200, &ListOut { data, has_more: false, next_cursor: None, total: None })
}

/// Once more, whatever became of it.
pub async fn redeliver(request: Request) -> Result<Reply, Failure> {
    let delivery = deliveries::redeliver(&request.cx, request.param("id")).await?;
    Reply::json(202, &DeliveryOut::of(&delivery))
}
