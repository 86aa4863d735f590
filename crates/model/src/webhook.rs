//! Webhook endpoints: who is told what happened in a space, and how.

mod bounds;
mod choices;
mod types;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{Failure, Identity, Patch, Permissions, Timestamp, customer::Changes, text::Note};

pub use self::choices::{Order, Payload, Scheme};
pub use self::types::{EventType, NOUNS, Told, all_types};

/// Living endpoints of a space, at most.
pub const ENDPOINTS_MAX: u64 = 1_000;
/// Types an endpoint asks for, at most.
pub const TYPES_MAX: usize = 50;
/// Subjects, and names of changed fields, it asks for, at most.
pub const FILTERS_MAX: usize = 100;
/// Headers of its own, at most.
pub const HEADERS_MAX: usize = 10;
/// Most characters of the value of such a header.
pub const HEADER_CHARS_MAX: usize = 1_000;
/// Seconds an attempt may take, at most.
pub const TIMEOUT_SECONDS_MAX: i64 = 30;
/// Attempts at one time, at most.
pub const PARALLEL_MAX: i64 = 64;
/// Secrets that sign at one time, at most.
pub const SECRETS_MAX: usize = 3;
/// Most characters of a URL.
pub const URL_CHARS_MAX: usize = 2_048;
/// Most characters of a type.
const TYPE_CHARS_MAX: usize = 100;

/// Which entries are told; empty lists ask for all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventFilter {
    /// Numbers of the records that entries hang on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<i64>,
    /// Names of fields of which one has changed; new records always count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<String>,
    /// Keys and values that the metadata of a customer must have; others have none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// Whether an endpoint is told anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndpointState {
    /// It is.
    Active,
    /// It is not for now; it goes on where it stopped.
    Paused,
    /// It said that it is gone (410).
    Ended,
    /// It was deleted.
    Deleted,
}

impl EndpointState {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            EndpointState::Active => "active",
            EndpointState::Paused => "paused",
            EndpointState::Ended => "ended",
            EndpointState::Deleted => "deleted",
        }
    }
}

/// Why an endpoint is told nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndpointReason {
    /// Somebody wanted it so.
    User,
    /// Nothing was delivered for five days.
    Failing,
    /// It said that it is gone.
    Gone,
    /// The data was restored from a backup.
    Restored,
}

impl EndpointReason {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            EndpointReason::User => "user",
            EndpointReason::Failing => "failing",
            EndpointReason::Gone => "gone",
            EndpointReason::Restored => "restored",
        }
    }
}

/// What may be told of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretNote {
    /// Which one of the endpoint, from 1.
    pub n: i64,
    /// Its end.
    pub hint: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it signs no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// A webhook endpoint.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Number, unique in the deployment.
    pub number: i64,
    /// UUID.
    pub uuid: Uuid,
    /// Space.
    pub space: i64,
    /// The API in whose words it is told, and which shows it.
    pub dialect: String,
    /// Number of the endpoint whose URL it is told at, where its API keeps URLs apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<i64>,
    /// That endpoint is told nothing for now, so this one is not either.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_held: bool,
    /// Number of the key whose secret its requests are signed with too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<i64>,
    /// What its API keeps of it besides, in words of its own.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub own: Map<String, Value>,
    /// Counts the changes, from 1.
    pub version: i64,
    /// Where it is.
    pub url: String,
    /// What people say of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Note>,
    /// What it asks for.
    pub types: Vec<EventType>,
    /// Of that, which.
    #[serde(default)]
    pub filter: EventFilter,
    /// How much it is told.
    #[serde(default)]
    pub payload: Payload,
    /// In which order it is told.
    #[serde(default, skip_serializing_if = "Order::is_none")]
    pub order: Order,
    /// How that is signed.
    #[serde(default, skip_serializing_if = "Scheme::is_v1")]
    pub signature: Scheme,
    /// Names of headers of its own; their values are secrets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub header_names: Vec<String>,
    /// Seconds an attempt may take.
    pub timeout_seconds: i64,
    /// Attempts at one time.
    pub parallel: i64,
    /// What whoever chose its types may see: it is told no more.
    pub sees: Permissions,
    /// Whether it is told anything.
    pub state: EndpointState,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<EndpointReason>,
    /// Its secrets, newest first.
    pub secrets: Vec<SecretNote>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({}, {})", self.number, self.state.as_str())
    }
}

/// What of an endpoint its owner says. Absent: as it is, or as it is by itself.
#[derive(Clone, Default)]
pub struct EndpointPatch {
    /// Where it is.
    pub url: Option<String>,
    /// What people say of it.
    pub description: Patch<Note>,
    /// What it asks for.
    pub types: Option<Vec<EventType>>,
    /// Of what.
    pub subjects: Option<Vec<i64>>,
    /// Which fields must have changed.
    pub changed: Option<Vec<String>>,
    /// What metadata must be.
    pub metadata: Option<BTreeMap<String, String>>,
    /// How much it is told.
    pub payload: Option<Payload>,
    /// In which order it is told.
    pub order: Option<Order>,
    /// How that is signed.
    pub signature: Option<Scheme>,
    /// Names and values of headers of its own.
    pub headers: Option<Vec<(String, String)>>,
    /// Seconds an attempt may take.
    pub timeout_seconds: Option<i64>,
    /// Attempts at one time.
    pub parallel: Option<i64>,
    /// Whether it is told anything.
    pub enabled: Option<bool>,
    /// What its API keeps of it besides.
    pub own: Option<Map<String, Value>>,
}

impl Endpoint {
    /// An endpoint of an API that asks for nothing yet.
    pub fn blank(id: Identity, space: i64, dialect: &str, now: Timestamp) -> Endpoint {
        Endpoint {
            number: id.number,
            uuid: id.uuid,
            space,
            dialect: dialect.to_owned(),
            at: None,
            is_held: false,
            key: None,
            own: Map::new(),
            version: 1,
            url: String::new(),
            description: None,
            types: Vec::new(),
            filter: EventFilter::default(),
            payload: Payload::Full,
            order: Order::None,
            signature: Scheme::V1,
            header_names: Vec::new(),
            timeout_seconds: 15,
            parallel: 10,
            sees: Permissions::NONE,
            state: EndpointState::Active,
            reason: None,
            secrets: Vec::new(),
            created_at: now,
            updated_at: now,
        }
    }

    /// Whether it is deleted.
    pub fn is_gone(&self) -> bool {
        self.state == EndpointState::Deleted
    }

    /// Whether it is told anything at all.
    pub fn is_told(&self) -> bool {
        self.state == EndpointState::Active && !self.is_held && !self.types.is_empty()
    }

    /// The endpoint after a change by somebody with these rights, and which fields differ.
    ///
    /// # Errors
    /// `Invalid` with every fault; `Forbidden` for types that the changer may not see.
    pub fn apply(
        &self,
        patch: &EndpointPatch,
        rights: Permissions,
        now: Timestamp,
    ) -> Result<(Endpoint, Changes), Failure> {
        bounds::check(patch).into_result()?;
        let EndpointPatch {
            url,
            description,
            types,
            subjects,
            changed,
            metadata,
            payload,
            order,
            signature,
            headers,
            timeout_seconds,
            parallel,
            enabled,
            own,
        } = patch.clone();
        let mut next = self.clone();
        let mut changes = Changes::new();
        let mut note = |differs: bool, name: &'static str| {
            if differs {
                changes.push(name);
            }
        };
        note(set(&mut next.url, url), "url");
        note(description.change(&mut next.description), "description");
        if let Some(types) = types {
            if types.iter().filter_map(EventType::needs).any(|needed| !rights.has(needed)) {
                return Err(Failure::Forbidden);
            }
            // Whoever chooses anew is told what he may see, no more and no less.
            next.sees = rights;
            note(set(&mut next.types, Some(types)), "types");
        }
        let mut filter = next.filter.clone();
        set(&mut filter.subjects, subjects);
        set(&mut filter.changed, changed);
        set(&mut filter.metadata, metadata);
        note(set(&mut next.filter, Some(filter)), "filter");
        note(set(&mut next.payload, payload), "payload");
        note(set(&mut next.order, order), "order");
        note(set(&mut next.signature, signature), "signature");
        let names = headers.as_ref().map(|all| all.iter().map(|(name, _)| name.clone()).collect());
        // Values are not compared: whoever names them writes them anew.
        set(&mut next.header_names, names);
        note(headers.is_some(), "headers");
        note(set(&mut next.timeout_seconds, timeout_seconds), "timeout_seconds");
        note(set(&mut next.parallel, parallel), "parallel");
        note(set(&mut next.own, own), "own");
        let is_active = self.state == EndpointState::Active;
        if let Some(enabled) = enabled.filter(|enabled| *enabled != is_active) {
            next = if enabled { next.going_on() } else { next.paused(EndpointReason::User) };
            note(true, "enabled");
        }
        let next = if changes.is_empty() { next } else { next.changed(now) };
        Ok((next, changes))
    }

    fn going_on(self) -> Endpoint {
        Endpoint { state: EndpointState::Active, reason: None, ..self }
    }

    /// The endpoint once it is told nothing for a reason.
    #[must_use]
    pub fn paused(self, reason: EndpointReason) -> Endpoint {
        let state = match reason {
            EndpointReason::Gone => EndpointState::Ended,
            EndpointReason::User | EndpointReason::Failing | EndpointReason::Restored => {
                EndpointState::Paused
            }
        };
        Endpoint { state, reason: Some(reason), ..self }
    }

    /// The endpoint once it is deleted.
    #[must_use]
    pub fn deleted(&self, now: Timestamp) -> Endpoint {
        let gone = Endpoint {
            state: EndpointState::Deleted,
            reason: None,
            secrets: Vec::new(),
            header_names: Vec::new(),
            ..self.clone()
        };
        gone.changed(now)
    }

    /// The endpoint after a change.
    #[must_use]
    pub fn changed(self, now: Timestamp) -> Endpoint {
        Endpoint { version: self.version + 1, updated_at: now.max(self.updated_at), ..self }
    }

    /// Whether it asks for an entry with these names of changed fields (a JSON array), whatever the
    /// metadata of the record are.
    pub fn wants(&self, noun: &str, action: &str, subject: i64, changed: &str) -> bool {
        let EventFilter { subjects, changed: fields, metadata: _ } = &self.filter;
        self.types.iter().any(|one| one.has(noun, action))
            && (subjects.is_empty() || subjects.contains(&subject))
            && (fields.is_empty()
                || changed == "[]"
                || fields.iter().any(|field| changed.contains(&format!("\"{field}\""))))
    }
}

fn set<T: PartialEq>(field: &mut T, value: Option<T>) -> bool {
    match value {
        Some(value) if *field != value => {
            *field = value;
            true
        }
        Some(_) | None => false,
    }
}

#[cfg(test)]
#[path = "webhook/tests.rs"]
mod tests;
