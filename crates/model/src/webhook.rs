//! Webhook endpoints: who is told what happened in a space, and how.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use uuid::Uuid;

use crate::{
    Failure, Identity, Patch, Permission, Permissions, Problems, Timestamp, Why, customer::Changes,
    text::Note,
};

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

/// What is told: nouns, what lets somebody be told of them, and what happens to them.
pub const NOUNS: [(&str, Permission, &str); 3] = [
    ("customer", Permission::CustomerRead, "created, updated, deleted, restored, merged, absorbed"),
    ("comment", Permission::CommentRead, "created, updated, deleted, moved"),
    ("payment_method", Permission::PaymentMethodRead, "created, updated, deleted, moved"),
];

/// Types that an endpoint asks for: `customer.updated`, `customer.*`, or `*` for all that it may be
/// told, endpoints themselves left out.
#[derive(Clone, PartialEq, Eq)]
pub struct EventType(String);

impl EventType {
    /// Reads a type.
    ///
    /// # Errors
    /// `Unknown`, `Misnamed` when there is none like it.
    pub fn parse(text: &str) -> Result<EventType, Why> {
        let known = || Why::unknown("event type", text, all_types().iter().map(String::as_str));
        if text.len() > TYPE_CHARS_MAX {
            return Err(Why::TooLong { max: TYPE_CHARS_MAX });
        }
        let is_known = text == "*" || all_types().iter().any(|one| one == text);
        if is_known { Ok(EventType(text.to_owned())) } else { Err(known()) }
    }

    /// As it was sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What lets somebody ask for it; none for `*`, which brings what may be seen.
    pub fn needs(&self) -> Option<Permission> {
        let noun = self.0.split('.').next()?;
        NOUNS.iter().find(|known| known.0 == noun).map(|known| known.1)
    }

    /// Whether it asks for this.
    pub fn has(&self, noun: &str, action: &str) -> bool {
        match self.0.split_once('.') {
            None => noun != "webhook_endpoint",
            Some((own, "*")) => own == noun,
            Some((own, one)) => own == noun && one == action,
        }
    }
}

/// Every type that can be asked for by name.
pub fn all_types() -> Vec<String> {
    let of = |(noun, _, actions): &(&str, Permission, &str)| {
        let each = actions.split(", ").map(|action| format!("{noun}.{action}"));
        each.chain([format!("{noun}.*")]).collect::<Vec<_>>()
    };
    NOUNS.iter().flat_map(of).collect()
}

impl fmt::Debug for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for EventType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for EventType {
    /// What is stored was checked when it was written; a later version may know fewer.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<EventType, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.len() <= TYPE_CHARS_MAX {
            true => Ok(EventType(text)),
            false => Err(D::Error::custom("an event type is too long")),
        }
    }
}

/// Which entries are told; empty lists ask for all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventFilter {
    /// Numbers of the records that entries hang on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<i64>,
    /// Names of fields of which one has changed; new records always count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<String>,
}

/// How much of a record is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Payload {
    /// The record as the API shows it.
    #[default]
    Full,
    /// Which record it is and its version.
    Thin,
}

impl Payload {
    /// The words, comma separated.
    pub const WORDS: &'static str = "full, thin";

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Payload::Full => "full",
            Payload::Thin => "thin",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Payload> {
        [Payload::Full, Payload::Thin].into_iter().find(|known| known.as_str() == word)
    }
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
    /// How much it is told.
    pub payload: Option<Payload>,
    /// Names and values of headers of its own.
    pub headers: Option<Vec<(String, String)>>,
    /// Seconds an attempt may take.
    pub timeout_seconds: Option<i64>,
    /// Attempts at one time.
    pub parallel: Option<i64>,
    /// Whether it is told anything.
    pub enabled: Option<bool>,
}

impl Endpoint {
    /// An endpoint that asks for nothing yet.
    pub fn blank(id: Identity, space: i64, now: Timestamp) -> Endpoint {
        Endpoint {
            number: id.number,
            uuid: id.uuid,
            space,
            version: 1,
            url: String::new(),
            description: None,
            types: Vec::new(),
            filter: EventFilter::default(),
            payload: Payload::Full,
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
        check(patch).into_result()?;
        let EndpointPatch { url, description, types, subjects, changed, payload, .. } =
            patch.clone();
        let EndpointPatch { headers, timeout_seconds, parallel, enabled, .. } = patch.clone();
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
        note(set(&mut next.filter, Some(filter)), "filter");
        note(set(&mut next.payload, payload), "payload");
        let names = headers.as_ref().map(|all| all.iter().map(|(name, _)| name.clone()).collect());
        // Values are not compared: whoever names them writes them anew.
        set(&mut next.header_names, names);
        note(headers.is_some(), "headers");
        note(set(&mut next.timeout_seconds, timeout_seconds), "timeout_seconds");
        note(set(&mut next.parallel, parallel), "parallel");
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

    /// Whether it asks for an entry with these names of changed fields (a JSON array).
    pub fn wants(&self, noun: &str, action: &str, subject: i64, changed: &str) -> bool {
        let EventFilter { subjects, changed: fields } = &self.filter;
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

/// Bounds of what is said of an endpoint. What a URL may be is for whoever connects.
fn check(patch: &EndpointPatch) -> Problems {
    let mut problems = Problems::default();
    let mut refuse = |is_bad: bool, field: &str, why: Why| {
        if is_bad {
            problems.add(field, why);
        }
    };
    let most = |max| Why::TooMany { max };
    if let Some(types) = &patch.types {
        refuse(types.is_empty(), "types", Why::Required);
        refuse(types.len() > TYPES_MAX, "types", most(TYPES_MAX));
    }
    if let Some(subjects) = &patch.subjects {
        refuse(subjects.len() > FILTERS_MAX, "filter.subjects", most(FILTERS_MAX));
        let is_bad = subjects.iter().any(|number| *number < 1);
        refuse(is_bad, "filter.subjects", Why::OutOfRange { min: 1, max: i64::MAX });
    }
    if let Some(changed) = &patch.changed {
        refuse(changed.len() > FILTERS_MAX, "filter.changed", most(FILTERS_MAX));
        let is_name = |name: &String| {
            let is_part = |c: char| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit();
            !name.is_empty() && name.len() <= TYPE_CHARS_MAX && name.chars().all(is_part)
        };
        let expected = "names of fields, like email";
        let is_bad = !changed.iter().all(is_name);
        refuse(is_bad, "filter.changed", Why::Malformed { expected });
    }
    if let Some(headers) = &patch.headers {
        refuse(headers.len() > HEADERS_MAX, "headers", most(HEADERS_MAX));
        let is_long = headers.iter().any(|(_, value)| value.len() > HEADER_CHARS_MAX);
        refuse(is_long, "headers", Why::TooLong { max: HEADER_CHARS_MAX });
    }
    let within = |value: Option<i64>, max: i64| value.is_some_and(|value| value < 1 || value > max);
    let range = |max| Why::OutOfRange { min: 1, max };
    let is_bad = within(patch.timeout_seconds, TIMEOUT_SECONDS_MAX);
    refuse(is_bad, "timeout_seconds", range(TIMEOUT_SECONDS_MAX));
    refuse(within(patch.parallel, PARALLEL_MAX), "parallel", range(PARALLEL_MAX));
    problems
}

#[cfg(test)]
#[path = "webhook/tests.rs"]
mod tests;
