//! Webhook URLs and listeners on the wire, and what is kept of them besides an endpoint.

use patron_gateway::{Fields, Member};
use patron_model::{
    Failure, Why,
    webhook::{Endpoint, EndpointState},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::entities::Entity;
use crate::limits::at_most;

/// Characters of a name.
const NAME_MAX: usize = 50;
/// Characters of a URL.
const URL_CHARS: std::ops::RangeInclusive<usize> = 9..=500;
/// States that a listener watches, at most, and their characters.
const STATES_MAX: usize = 50;
const STATE_CHARS_MAX: usize = 100;

/// Made, but told nothing before it is made active.
const CREATE: &str = "CREATE";
pub const ACTIVE: &str = "ACTIVE";
const INACTIVE: &str = "INACTIVE";

/// What is kept of a URL or a listener besides the endpoint.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Own {
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether it has never been active.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_draft: bool,
    /// What a listener watches, by its technical name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<String>,
    /// States that it watches for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<String>,
    /// Whether it wants to know every change.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub every_change: bool,
    /// Whether what it is told is signed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub signed: bool,
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
}

/// The word of the state of an endpoint.
pub fn state(endpoint: &Endpoint) -> &'static str {
    match endpoint.state {
        EndpointState::Active => ACTIVE,
        EndpointState::Paused if Own::of(endpoint).is_draft => CREATE,
        EndpointState::Paused | EndpointState::Ended => INACTIVE,
        EndpointState::Deleted => "DELETED",
    }
}

/// A webhook URL as it is shown.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookUrl {
    /// Number of the URL.
    id: i64,
    /// Space it belongs to.
    linked_space_id: i64,
    /// Version a change must name.
    version: i64,
    /// Whether listeners are told at it.
    state: &'static str,
    /// What people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The URL.
    url: String,
    /// Whether the provider manages it: never.
    application_managed: bool,
}

impl WebhookUrl {
    pub fn of(endpoint: &Endpoint) -> WebhookUrl {
        WebhookUrl {
            id: endpoint.number,
            linked_space_id: endpoint.space,
            version: endpoint.version,
            state: state(endpoint),
            name: Own::of(endpoint).name,
            url: endpoint.url.clone(),
            application_managed: false,
        }
    }
}

/// The URL of a listener.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum UrlReference {
    /// The id alone.
    Id {
        /// Number of the URL.
        id: i64,
    },
    /// The URL.
    Whole(WebhookUrl),
}

/// A webhook listener as it is shown.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookListener {
    /// Number of the listener.
    id: i64,
    /// Space it belongs to.
    linked_space_id: i64,
    /// Version a change must name.
    version: i64,
    /// Whether it is told anything.
    state: &'static str,
    /// What people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Number of what it watches.
    #[serde(skip_serializing_if = "Option::is_none")]
    entity: Option<i64>,
    /// States that it watches for.
    entity_states: Vec<String>,
    /// Whether it is told every change.
    notify_every_change: bool,
    /// Whether what it is told is signed.
    enable_payload_signature_and_state: bool,
    /// Where it is told.
    url: UrlReference,
}

impl WebhookListener {
    pub fn of(endpoint: &Endpoint, url: UrlReference) -> WebhookListener {
        let own = Own::of(endpoint);
        WebhookListener {
            id: endpoint.number,
            linked_space_id: endpoint.space,
            version: endpoint.version,
            state: state(endpoint),
            name: own.name,
            entity: own.entity.as_deref().and_then(Entity::named).map(|entity| entity.id),
            entity_states: own.states,
            notify_every_change: own.every_change,
            enable_payload_signature_and_state: own.signed,
            url,
        }
    }
}

/// A webhook URL as a body says it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct WebhookUrlIn {
    /// Version the change builds on; required for changes.
    pub version: Member<i32>,
    /// What people call it, at most 50 characters.
    pub name: Member<String>,
    /// `CREATE`, `ACTIVE`, `INACTIVE`.
    pub state: Member<String>,
    /// The URL, 9 to 500 characters.
    pub url: Member<String>,
}

/// A webhook listener as a body says it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct WebhookListenerIn {
    /// Version the change builds on; required for changes.
    pub version: Member<i32>,
    /// What people call it, at most 50 characters.
    pub name: Member<String>,
    /// `CREATE`, `ACTIVE`, `INACTIVE`.
    pub state: Member<String>,
    /// Number of what it watches; creation only.
    pub entity: Member<i64>,
    /// States that it watches for.
    pub entity_states: Member<Vec<String>>,
    /// Whether it is told every change.
    pub notify_every_change: Member<bool>,
    /// Number of an identity to sign with: there are none.
    pub identity: Member<i64>,
    /// Number of the URL it is told at; creation only.
    pub url: Member<i64>,
}

/// Reads a name into what is kept; an empty one clears.
pub fn name(fields: &mut Fields, own: &mut Own, sent: Member<String>) {
    let Some(name) = sent.value() else { return };
    match at_most(&name, NAME_MAX) {
        Ok(()) => own.name = Some(name).filter(|name| !name.is_empty()),
        Err(why) => fields.refuse("name", why),
    }
}

/// Reads a state into what is kept; says whether it is told anything from now on.
pub fn wanted(fields: &mut Fields, own: &mut Own, sent: Member<String>) -> Option<bool> {
    let word = sent.value()?;
    match word.as_str() {
        ACTIVE | INACTIVE => {
            own.is_draft = false;
            Some(word == ACTIVE)
        }
        CREATE if own.is_draft => Some(false),
        _ => {
            fields.refuse("state", Why::not_one_of(&word, "CREATE, ACTIVE, INACTIVE"));
            None
        }
    }
}

/// Reads a URL.
pub fn url(fields: &mut Fields, sent: Member<String>) -> Option<String> {
    let url = sent.value()?;
    let expected = "a URL of 9 to 500 characters";
    match URL_CHARS.contains(&url.chars().count()) {
        true => Some(url),
        false => {
            fields.refuse("url", Why::Malformed { expected });
            None
        }
    }
}

/// Reads states into what is kept.
pub fn states(fields: &mut Fields, own: &mut Own, sent: Member<Vec<String>>) {
    let Some(states) = sent.value() else { return };
    let is_word = |state: &String| {
        let is_part = |c: char| c.is_ascii_uppercase() || c == '_' || c.is_ascii_digit();
        !state.is_empty() && state.len() <= STATE_CHARS_MAX && state.chars().all(is_part)
    };
    if states.len() > STATES_MAX {
        fields.refuse("entityStates", Why::TooMany { max: STATES_MAX });
    } else if !states.iter().all(is_word) {
        fields.refuse("entityStates", Why::Malformed { expected: "words like AUTHORIZED" });
    } else {
        own.states = states;
    }
}
