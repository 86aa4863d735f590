//! Webhook endpoints on the wire, and what is kept of them besides.

use patron_app::webhooks::EventType;
use patron_model::{
    Failure, Problems, Why,
    text::Note,
    webhook::{Endpoint, EndpointState},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ENDPOINT;
use crate::{ids, input::text_of};

/// What happens to customers, and what of it the journal is asked for.
pub const OF_CUSTOMERS: [(&str, &[&str]); 5] = [
    ("customer.created", &["customer.created"]),
    (
        "customer.updated",
        &["customer.updated", "customer.restored", "customer.merged", "customer.status_ended"],
    ),
    ("customer.deleted", &["customer.deleted", "customer.absorbed"]),
    ("customer.blocked", &["customer.updated"]),
    ("customer.unblocked", &["customer.updated", "customer.status_ended"]),
];
/// What else an endpoint may ask for: it fires with payments and transfers.
const LATER: &[&str] = &[
    "payment.created",
    "payment.processing",
    "payment.complete",
    "payment.failed",
    "payment.canceled",
    "payment.expired",
    "payment.refunded",
    "transfer.created",
    "transfer.pending",
    "transfer.processing",
    "transfer.sent",
    "transfer.complete",
    "transfer.failed",
    "transfer.canceled",
    "transfer.reversed",
    "beneficiary.created",
    "beneficiary.updated",
    "beneficiary.deleted",
    "refund.created",
    "refund.complete",
    "refund.failed",
    "dispute.created",
    "dispute.updated",
    "dispute.closed",
    "dispute.resolved",
    "balance.updated",
    "account.updated",
];
/// The events that fire now.
pub fn fired() -> Vec<String> {
    OF_CUSTOMERS.iter().map(|(event, _)| (*event).to_owned()).collect()
}

/// What the secret of an endpoint begins with.
pub const fn secret_mark(sandbox: bool) -> &'static str {
    if sandbox { "hsk_test_" } else { "hsk_" }
}

/// The form of the official shop plug-in.
pub const WOOCOMMERCE: &str = "woocommerce";
/// The form of all others.
const STANDARD: &str = "standard";

/// What is kept of an endpoint besides.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Own {
    /// What it asks for, in the words of this API.
    pub events: Vec<String>,
    /// Whether the key that made it was one of the sandbox.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sandbox: bool,
    /// Whether it is told as the official shop plug-in wants to be.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_woocommerce: bool,
}

impl Own {
    /// What is kept of an endpoint.
    pub fn of(endpoint: &Endpoint) -> Own {
        // It was written by this very type; what a later version wrote is read as far as it goes.
        Own::deserialize(Value::Object(endpoint.own.clone())).unwrap_or_default()
    }

    /// As it is kept.
    ///
    /// # Errors
    /// `Internal`, which cannot be.
    pub fn kept(&self) -> Result<Map<String, Value>, Failure> {
        match serde_json::to_value(self).map_err(Failure::internal)? {
            Value::Object(members) => Ok(members),
            other => Err(Failure::internal(format!("{other} is no object"))),
        }
    }

    /// Whether it asks for an event.
    pub fn asks_for(&self, event: &str) -> bool {
        self.events.iter().any(|one| one == event)
    }

    /// What of the journal that is.
    ///
    /// # Errors
    /// `Internal` for types that the journal does not know.
    pub fn types(&self) -> Result<Vec<EventType>, Failure> {
        let asked = OF_CUSTOMERS.iter().filter(|(event, _)| self.asks_for(event));
        let mut words: Vec<&str> = asked.flat_map(|(_, words)| words.iter().copied()).collect();
        words.sort_unstable();
        words.dedup();
        let read = |word: &&str| EventType::parse(word).map_err(|_| Failure::internal(*word));
        words.iter().map(read).collect()
    }
}

/// A webhook endpoint.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "WebhookEndpoint")]
pub struct EndpointView {
    /// Id: `ep.…`, in the sandbox `ep.test_…`.
    id: String,
    /// Where it is.
    url: String,
    /// What people say of it.
    description: Option<String>,
    /// What it is told.
    events: Vec<String>,
    /// `active` or `inactive`.
    status: &'static str,
    /// The same as a flag.
    active: bool,
    /// `standard`, or `woocommerce` as the official shop plug-in wants it.
    format: &'static str,
    /// What its requests are signed with, in the answer that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    /// Whether it belongs to the sandbox.
    sandbox: bool,
    /// When it was made.
    created_at: String,
    /// When it was changed last.
    updated_at: String,
}

impl EndpointView {
    /// An endpoint, with its secret where that is shown.
    pub fn of(endpoint: &Endpoint, secret: Option<String>) -> EndpointView {
        let own = Own::of(endpoint);
        let active = endpoint.state == EndpointState::Active;
        EndpointView {
            id: ids::text(ENDPOINT, endpoint.uuid, own.sandbox),
            url: endpoint.url.clone(),
            description: endpoint.description.as_ref().map(|text| text.as_str().to_owned()),
            events: own.events,
            status: if active { "active" } else { "inactive" },
            active,
            format: if own.is_woocommerce { WOOCOMMERCE } else { STANDARD },
            secret,
            sandbox: own.sandbox,
            created_at: endpoint.created_at.rfc3339_micros(),
            updated_at: endpoint.updated_at.rfc3339_micros(),
        }
    }
}

/// A webhook endpoint as it is written.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(rename = "WebhookInput")]
pub struct WebhookBody {
    /// Where it is.
    #[schemars(with = "String")]
    pub url: Option<Value>,
    /// What it is told.
    #[schemars(with = "Vec<String>")]
    pub events: Option<Value>,
    /// What people say of it; an empty text clears.
    #[schemars(with = "String")]
    pub description: Option<Value>,
    /// Whether it is told anything: true when absent.
    #[schemars(with = "bool")]
    pub active: Option<Value>,
    /// `standard` or `woocommerce`.
    #[schemars(with = "String")]
    pub format: Option<Value>,
}

/// A body that was understood; what it does not say is none.
#[derive(Debug, Default)]
pub struct Said {
    pub url: Option<String>,
    pub events: Option<Vec<String>>,
    pub description: Option<Option<Note>>,
    pub active: Option<bool>,
    pub is_woocommerce: Option<bool>,
}

impl WebhookBody {
    /// What the body says; faults are noted.
    pub fn read(self, problems: &mut Problems) -> Said {
        let text = |value: Option<Value>| value.map(|value| text_of(&value)).transpose();
        let url = problems.check("url", text(self.url)).flatten();
        let events = self.events.map(|value| events(&value)).transpose();
        let events = problems.check("events", events).flatten();
        let description = text(self.description).and_then(|said| {
            let read = |said: String| match said.is_empty() {
                true => Ok(None),
                false => Note::parse(&said).map(Some),
            };
            said.map(read).transpose()
        });
        let active = self.active.map(|value| flag(&value)).transpose();
        let format = text(self.format).and_then(|said| match said.as_deref() {
            None => Ok(None),
            Some(STANDARD) => Ok(Some(false)),
            Some(WOOCOMMERCE) => Ok(Some(true)),
            Some(_) => Err(Why::NotOneOf { allowed: "standard, woocommerce" }),
        });
        Said {
            url,
            events,
            description: problems.check("description", description).flatten(),
            active: problems.check("active", active).flatten(),
            is_woocommerce: problems.check("format", format).flatten(),
        }
    }
}

/// A list of known events, each once; a form sends it as numbered members.
fn events(value: &Value) -> Result<Vec<String>, Why> {
    let items: Vec<&Value> = match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(members) => members.values().collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            return Err(Why::WrongType { expected: "an array" });
        }
    };
    if items.is_empty() {
        return Err(Why::Required);
    }
    let mut known = Vec::with_capacity(items.len().min(OF_CUSTOMERS.len() + LATER.len()));
    for item in items {
        let word = text_of(item)?;
        let is_known =
            LATER.contains(&word.as_str()) || OF_CUSTOMERS.iter().any(|(event, _)| *event == word);
        if !is_known {
            return Err(Why::Unknown { what: "event" });
        }
        if !known.contains(&word) {
            known.push(word);
        }
    }
    Ok(known)
}

/// A flag, also in the words of a form.
fn flag(value: &Value) -> Result<bool, Why> {
    match value {
        Value::Bool(flag) => Ok(*flag),
        Value::String(text) if text == "true" || text == "1" => Ok(true),
        Value::String(text) if text == "false" || text == "0" => Ok(false),
        Value::Null | Value::String(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Err(Why::WrongType { expected: "true or false" })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_asked_for_is_in_the_journal() {
        let events = OF_CUSTOMERS.map(|(event, _)| event.to_owned()).to_vec();
        let own = Own { events, ..Own::default() };
        assert_eq!(own.types().expect("types").len(), 7);
        let own = Own { events: LATER.iter().map(|event| (*event).to_owned()).collect(), ..own };
        assert!(own.types().expect("none").is_empty());
    }
}
