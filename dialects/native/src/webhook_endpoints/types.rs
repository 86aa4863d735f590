//! What endpoints can ask for: `/v1/event-types`. The examples are made by what tells endpoints.

use patron_app::{
    journal::Entry,
    webhooks::{self, telling::Happening},
};
use patron_gateway::{Reply, Request};
use patron_model::{
    Failure, Identity, Timestamp,
    webhook::{Endpoint, NOUNS, Told},
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::NOTIFIER;
use crate::{NAME, customers::show::ListOut};

/// Position and space of the examples.
const SEQ: i64 = 1042;
const SPACE: i64 = 1;
/// The customer, and what hangs on it.
const CUSTOMER: i64 = 1003;
const OTHER: i64 = 1010;
/// When they happened, in microseconds since the epoch.
const AT: i64 = 1_795_339_800_000_000;
/// The record that they are about.
const RECORD: Uuid = Uuid::from_u128(0x0199_43a1_77c0_7000_8000_0000_0000_03eb);

/// Something that endpoints can be told.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "EventType")]
pub struct EventTypeOut {
    /// Its word: `customer.updated`.
    #[serde(rename = "type")]
    kind: String,
    /// What it happens to.
    noun: &'static str,
    /// What it means, in a sentence.
    about: &'static str,
    /// The permission that whoever asks for it needs.
    permission: &'static str,
    /// The body of a delivery.
    example: Value,
}

impl EventTypeOut {
    fn of(told: &Told, action: &str, about: &'static str) -> Result<EventTypeOut, Failure> {
        Ok(EventTypeOut {
            kind: webhooks::told(told.noun, action),
            noun: told.noun,
            about,
            permission: told.needs.as_str(),
            example: example(told, action)?,
        })
    }
}

fn all() -> impl Iterator<Item = Result<EventTypeOut, Failure>> {
    NOUNS.iter().flat_map(|told| {
        told.events.iter().map(|(action, about)| EventTypeOut::of(told, action, about))
    })
}

/// All of them.
pub async fn list(_: Request) -> Result<Reply, Failure> {
    let data = all().collect::<Result<Vec<_>, _>>()?;
    Reply::json(200, &ListOut { data, has_more: false, next_cursor: None, total: None })
}

/// What a made-up record of a noun has beside what all have.
fn record(noun: &str) -> Value {
    match noun {
        "customer" => json!({
            "given_name": "Ada", "family_name": "Lovelace", "email": "ada@example.com",
            "status": "active",
        }),
        "comment" => json!({
            "customer": CUSTOMER, "content": "Asked for an invoice.", "pinned": false,
            "created_by": 2,
        }),
        _ => json!({
            "customer": CUSTOMER, "method_type": "card", "brand": "visa", "first_six": "411111",
            "last_four": "1111", "expiry": {"year": 2031, "month": 7}, "token": "5f".repeat(32),
            "state": "active", "default": true,
        }),
    }
}

/// The body of a delivery of a made-up entry.
fn example(told: &Told, action: &str) -> Result<Value, Failure> {
    let mut doc = record(told.noun);
    let number = if told.noun == "customer" { CUSTOMER } else { OTHER };
    let version = if action == "created" { 1 } else { 2 };
    doc["number"] = number.into();
    doc["uuid"] = json!(RECORD);
    doc["space"] = SPACE.into();
    doc["version"] = version.into();
    doc["created_at"] = AT.into();
    doc["updated_at"] = AT.into();
    let changed = match (action, told.noun) {
        ("updated", "customer") => json!(["email"]),
        ("status_ended", _) => json!(["status", "status_reason", "status_until"]),
        ("updated", "comment") => json!(["content"]),
        ("updated", _) => json!(["expiry"]),
        _ => json!([]),
    };
    let entry = Entry {
        tenant: SPACE,
        seq: SEQ,
        kind: told.noun.to_owned(),
        number,
        subject: CUSTOMER,
        related: Vec::new(),
        revision: 1,
        action: action.to_owned(),
        at: AT,
        actor: "key:2".to_owned(),
        request: "req_1".to_owned(),
        changed: changed.to_string(),
        doc: doc.to_string(),
    };
    let nobody = Identity { number: 1, uuid: Uuid::nil() };
    let endpoint = Endpoint::blank(nobody, SPACE, NAME, Timestamp::from_micros(AT));
    let is_thin = ["deleted", "absorbed"].contains(&action);
    let happening = Happening {
        endpoint: &endpoint,
        entry: &entry,
        nth: 17,
        is_thin,
        is_truncated: false,
        is_test: false,
    };
    let body = (NOTIFIER.tell)(&happening)?.pop().unwrap_or_default();
    serde_json::from_slice(&body).map_err(Failure::internal)
}
