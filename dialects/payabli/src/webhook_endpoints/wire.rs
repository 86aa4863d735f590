//! Notifications on the wire, and what is kept of them besides.

use std::collections::BTreeMap;

use patron_app::webhooks::EventType;
use patron_gateway::Member;
use patron_model::{
    Failure, Why,
    text::check,
    webhook::{Endpoint, EndpointState},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{customers::show::moment, spaces::Paypoint};

/// Most characters of the name of an event.
const EVENT_CHARS_MAX: usize = 100;
/// Most characters of a target, and of a text of the content.
pub const TEXT_CHARS_MAX: usize = 2_048;
/// Members of its owner's own in a body, at most.
const INTERNAL_MAX: usize = 10;
/// Members of bodies that are ours.
const OUR_MEMBERS: [&str; 8] = [
    "Event",
    "EventId",
    "Timestamp",
    "orgId",
    "paypointId",
    "entrypoint",
    "customerId",
    "Customer",
];
/// `ownerType` of a paypoint.
pub const PAYPOINT: i64 = 2;
/// Methods, and how often each may be sent.
pub const METHODS: [(&str, &str); 5] = [
    ("web", "untilcancelled"),
    ("email", "one-time, untilcancelled"),
    ("sms", "one-time, untilcancelled"),
    ("report-email", REPORTS),
    ("report-web", REPORTS),
];
/// The words of [`METHODS`].
pub const METHOD_WORDS: &str = "web, email, sms, report-email, report-web";
const REPORTS: &str =
    "one-time, daily, weekly, biweekly, monthly, quarterly, semiannually, annually";

/// An event about customers.
pub struct OwnEvent {
    /// Its name.
    pub name: &'static str,
    /// What of the journal it is.
    types: &'static [&'static str],
}

const OF_CUSTOMERS: [OwnEvent; 3] = [
    OwnEvent { name: "CustomerCreated", types: &["customer.created"] },
    OwnEvent {
        name: "CustomerUpdated",
        types: &[
            "customer.updated",
            "customer.restored",
            "customer.merged",
            "customer.status_ended",
        ],
    },
    OwnEvent { name: "CustomerDeleted", types: &["customer.deleted", "customer.absorbed"] },
];

/// The event about customers of a name in any case.
pub fn own_event(name: &str) -> Option<&'static OwnEvent> {
    OF_CUSTOMERS.iter().find(|event| event.name.eq_ignore_ascii_case(name))
}

/// The names of all events about customers.
pub fn own_events() -> impl Iterator<Item = &'static str> {
    OF_CUSTOMERS.iter().map(|event| event.name)
}

/// What of the journal the event of a name is; nothing for those of the provider's.
pub fn types_of(name: &str) -> &'static [&'static str] {
    own_event(name).map(|event| event.types).unwrap_or_default()
}

/// The name of the event that a type of the journal is.
pub fn event_of(kind: &str) -> Option<&'static str> {
    let event = OF_CUSTOMERS.iter().find(|event| event.types.contains(&kind));
    event.map(|event| event.name)
}

/// Reads the name of an event. The provider's list is open (two vocabularies, any case), so all
/// words pass, but for those about customers that do not exist.
///
/// # Errors
/// `Unknown`, `Malformed`, `TooLong`.
pub fn event_name(text: &str) -> Result<String, Why> {
    check(text, 1, EVENT_CHARS_MAX, false)?;
    let is_word = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !is_word {
        return Err(Why::Malformed { expected: "the name of an event" });
    }
    let is_ours = text.to_ascii_lowercase().starts_with("customer");
    match own_event(text) {
        Some(event) => Ok(event.name.to_owned()),
        None if is_ours => {
            let names = OF_CUSTOMERS.iter().map(|event| event.name);
            Err(Why::unknown("event", text, names))
        }
        None => Ok(text.to_owned()),
    }
}

/// What is kept of a notification besides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Own {
    /// How it is sent.
    pub method: String,
    /// How often.
    pub frequency: String,
    /// Where, unless it is `web`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub target: String,
    /// Its event.
    pub event_type: String,
    /// Members of each body.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub internal: BTreeMap<String, String>,
    /// What else stands in the content.
    #[serde(default)]
    pub report: Report,
    /// Whose it is, as bodies say it: as it was when the notification was written last.
    pub paypoint: Paypoint,
}

/// What a report would be, and what the caller relates a notification to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Report {
    /// `json`, `csv` or `xlsx`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_format: Option<String>,
    /// `Transaction`, `Settlement`, `Boarding` or `Returned`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report_name: Option<String>,
    /// Hours from UTC, −12 to 12.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<i64>,
    /// What the caller relates it to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<String>,
}

impl Own {
    /// Of a notification that is sent for an event, until it is cancelled.
    pub fn of_event(event: &str, paypoint: Paypoint) -> Own {
        let (method, frequency) = METHODS[0];
        Own {
            method: method.to_owned(),
            frequency: frequency.to_owned(),
            target: String::new(),
            event_type: event.to_owned(),
            internal: BTreeMap::new(),
            report: Report::default(),
            paypoint,
        }
    }

    /// What is kept of an endpoint.
    ///
    /// # Errors
    /// `Internal` where it cannot be read.
    pub fn of(endpoint: &Endpoint) -> Result<Own, Failure> {
        Own::deserialize(Value::Object(endpoint.own.clone())).map_err(Failure::internal)
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

    /// Whether it is told by a request.
    pub fn is_web(&self) -> bool {
        self.method == "web"
    }

    /// What of the journal it is told: nothing unless it is sent, and of a customer.
    ///
    /// # Errors
    /// `Internal` for types that the journal does not know.
    pub fn types(&self) -> Result<Vec<EventType>, Failure> {
        let words = if self.is_web() { types_of(&self.event_type) } else { &[] };
        let read = |word: &&str| EventType::parse(word).map_err(|_| Failure::internal(*word));
        words.iter().map(read).collect()
    }
}

/// A notification as it is written. `null` counts as absent; what an update does not say stays.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct NotificationBody {
    /// `web`, `email`, `sms`, `report-email` or `report-web`. Only `web` is sent.
    pub method: Member<String>,
    /// `untilcancelled`; `one-time` for mails and messages; those of reports.
    pub frequency: Member<String>,
    /// A URL, or addresses or phone numbers separated by semicolons.
    pub target: Member<String>,
    /// 1 active, 0 inactive.
    pub status: Member<i64>,
    /// 2: a paypoint.
    pub owner_type: Member<i64>,
    /// Number of the paypoint, as a number or a text.
    #[schemars(with = "Option<i64>")]
    pub owner_id: Member<Value>,
    /// What it is about.
    pub content: Member<ContentBody>,
}

/// What a notification is about.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ContentBody {
    /// The event: `CustomerCreated`, `CustomerUpdated`, `CustomerDeleted`; all others are kept.
    pub event_type: Member<String>,
    /// `json`, `csv` or `xlsx`.
    pub file_format: Member<String>,
    /// `Transaction`, `Settlement`, `Boarding` or `Returned`.
    pub report_name: Member<String>,
    /// Hours from UTC.
    pub time_zone: Member<i64>,
    /// What the caller relates it to.
    pub transaction_id: Member<String>,
    /// Headers of every request; never shown.
    pub web_header_parameters: Member<Vec<Pair>>,
    /// Members of every body.
    pub internal_data: Member<Vec<Pair>>,
}

/// A name and a value.
#[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Pair {
    /// The name.
    pub key: Option<String>,
    /// The value.
    pub value: Option<String>,
}

impl Pair {
    /// Both halves.
    ///
    /// # Errors
    /// `Required` without a key.
    pub fn halves(self) -> Result<(String, String), Why> {
        let key = self.key.filter(|key| !key.is_empty()).ok_or(Why::Required)?;
        Ok((key, self.value.unwrap_or_default()))
    }
}

/// Reads the members of bodies.
///
/// # Errors
/// `TooMany`, `TooLong`, `Required`; `Mismatch` for names of our own members.
pub fn internal(pairs: Vec<Pair>) -> Result<BTreeMap<String, String>, Why> {
    if pairs.len() > INTERNAL_MAX {
        return Err(Why::TooMany { max: INTERNAL_MAX });
    }
    let mut read = BTreeMap::new();
    for pair in pairs {
        let (name, value) = pair.halves()?;
        check(&name, 1, EVENT_CHARS_MAX, false)?;
        check(&value, 0, TEXT_CHARS_MAX, false)?;
        if OUR_MEMBERS.iter().any(|ours| ours.eq_ignore_ascii_case(&name)) {
            return Err(Why::Mismatch { with: "the members that every body has" });
        }
        read.insert(name, value);
    }
    Ok(read)
}

/// A notification as it is shown, bare.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NotificationRecord {
    content: ContentView,
    created_at: String,
    frequency: String,
    last_updated: String,
    method: String,
    notification_id: i64,
    /// A text, as the provider answers it.
    owner_id: String,
    owner_name: String,
    owner_type: i64,
    /// 1 active, 0 inactive.
    status: i64,
    target: String,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ContentView {
    event_type: String,
    #[serde(flatten)]
    report: Report,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    internal_data: Vec<Pair>,
}

impl NotificationRecord {
    /// A notification of a paypoint.
    ///
    /// # Errors
    /// As [`Own::of`].
    pub fn of(endpoint: &Endpoint, paypoint: &Paypoint) -> Result<NotificationRecord, Failure> {
        let own = Own::of(endpoint)?;
        let target = if own.is_web() { endpoint.url.clone() } else { own.target };
        let pair = |(key, value)| Pair { key: Some(key), value: Some(value) };
        Ok(NotificationRecord {
            content: ContentView {
                event_type: own.event_type,
                report: own.report,
                internal_data: own.internal.into_iter().map(pair).collect(),
            },
            created_at: moment(endpoint.created_at),
            frequency: own.frequency,
            last_updated: moment(endpoint.updated_at),
            method: own.method,
            notification_id: endpoint.number,
            owner_id: paypoint.id.to_string(),
            owner_name: paypoint.dba_name.clone(),
            owner_type: PAYPOINT,
            status: i64::from(endpoint.state == EndpointState::Active),
            target,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_in_the_journal() {
        for event in &OF_CUSTOMERS {
            for word in event.types {
                EventType::parse(word).expect(word);
            }
        }
    }

    #[test]
    fn events_are_known_in_any_case_and_misspelt_ones_are_not() {
        assert_eq!(event_name("customercreated").expect("ours"), "CustomerCreated");
        assert_eq!(event_name("payin_transaction_paid").expect("theirs").len(), 22);
        assert!(event_name("CustomerCreate").is_err() && event_name("a b").is_err());
    }
}
