//! Webhook endpoints and their secrets on the wire.

use std::collections::BTreeMap;

use patron_app::{
    Cx,
    webhooks::{self, Cursor},
};
use patron_gateway::Member;
use patron_model::{
    Failure, Permission, Timestamp,
    webhook::{Endpoint, SecretNote},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::words;

/// What stands for what is not shown.
const MASK: &str = "•••";

/// A webhook endpoint.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "WebhookEndpoint")]
pub struct EndpointOut {
    /// UUID.
    pub id: uuid::Uuid,
    /// Number.
    pub number: i64,
    /// The API in whose words it is told. Those of another one are changed there.
    pub dialect: String,
    /// Where it is; its query is masked for keys without `webhook:write`.
    pub url: String,
    /// What people say of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it is told: `customer.updated`, `customer.*`, `*`.
    pub types: Vec<String>,
    /// Of that, which; empty lists: all.
    pub filter: FilterOut,
    /// `full`: the record as GET answers it. `thin`: its id, number and version.
    #[schemars(with = "words::WebhookPayload")]
    pub payload: &'static str,
    /// `none`: several at a time. `customer`: what hangs on one customer, one after the other as it
    /// happened; a later one waits until the one before arrived or was given up.
    #[schemars(with = "words::WebhookOrder")]
    pub order: &'static str,
    /// `v1`: with its secrets. `v1a`: with the keys of its space (`/v1/webhook-keys`). `both`.
    #[schemars(with = "words::WebhookScheme")]
    pub signature: &'static str,
    /// Whether it is told anything.
    pub enabled: bool,
    /// `active`, `paused`, `ended`.
    #[schemars(with = "words::WebhookState")]
    pub state: &'static str,
    /// Why it is not: `user`, `failing`, `gone`, `restored`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<words::WebhookReason>")]
    pub state_reason: Option<&'static str>,
    /// Headers of its own, values masked.
    pub headers: BTreeMap<String, String>,
    /// Seconds an attempt may take.
    pub timeout_seconds: i64,
    /// Attempts at one time.
    pub parallel: i64,
    /// Its first secret, once: when it is made, and on repeats of that request for a day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// How it fares; left out in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<HealthOut>,
    /// Counts the changes, from 1.
    pub version: i64,
    /// When it was made.
    #[schemars(extend("format" = "date-time"))]
    pub created_at: String,
    /// When it was changed last.
    #[schemars(extend("format" = "date-time"))]
    pub updated_at: String,
}

/// Which entries are told.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[schemars(rename = "WebhookFilter")]
pub struct FilterOut {
    /// Numbers of the customers that entries hang on.
    pub subjects: Vec<i64>,
    /// Names of fields of which one has changed; new records always count.
    pub changed: Vec<String>,
    /// Metadata that a customer must have; other records have none.
    pub metadata: BTreeMap<String, String>,
}

/// How an endpoint fares.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "WebhookHealth")]
pub struct HealthOut {
    /// Everything up to this entry of the feed was delivered, has a delivery, or was not asked for.
    pub position: i64,
    /// Entries behind that.
    pub behind: i64,
    /// Attempts that failed since the last that did not.
    pub failures: i64,
    /// The last attempt that did not fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub last_success_at: Option<String>,
    /// The last one that did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub last_failure_at: Option<String>,
    /// After five failures in a row: when it is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub probing_until: Option<String>,
}

/// A webhook endpoint as it is written.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "WebhookEndpointInput")]
pub struct EndpointIn {
    /// Creation only: the API in whose words it is told, where that has no way to say it itself;
    /// `native` when absent.
    pub dialect: Member<String>,
    /// Where it is: `https`, a public host.
    pub url: Member<String>,
    /// What people say of it.
    pub description: Member<String>,
    /// What it is told, at most 50: `customer.updated`, `customer.*`, or `*` for all that the
    /// caller may see.
    pub types: Member<Vec<String>>,
    /// Of that, which.
    pub filter: Member<FilterIn>,
    /// `full` or `thin`.
    pub payload: Member<String>,
    /// `none` (when absent) or `customer`.
    pub order: Member<String>,
    /// `v1` (when absent), `v1a` or `both`.
    pub signature: Member<String>,
    /// Whether it is told anything.
    pub enabled: Member<bool>,
    /// Headers of its own, at most 10; all of them together are replaced.
    pub headers: Member<BTreeMap<String, String>>,
    /// Seconds an attempt may take, 1 to 30.
    pub timeout_seconds: Member<i64>,
    /// Attempts at one time, 1 to 64.
    pub parallel: Member<i64>,
    /// Creation only: a secret of your own, `whsec_` and 24 to 64 bytes in base64.
    pub secret: Member<String>,
    /// With `enabled: true`: where a paused endpoint goes on, `kept`, `now`, or behind this
    /// position of the feed. Demanded when it is more than 10 000 entries behind.
    pub resume_from: Member<ResumeIn>,
}

/// Where a paused endpoint goes on.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "WebhookResume")]
pub enum ResumeIn {
    /// Behind this position.
    After(i64),
    /// `kept` or `now`.
    Word(String),
}

/// Which entries are told.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "WebhookFilterInput")]
pub struct FilterIn {
    /// Numbers of customers, at most 100.
    pub subjects: Member<Vec<i64>>,
    /// Names of fields, at most 100.
    pub changed: Member<Vec<String>>,
    /// Keys and values that the metadata of a customer must have, at most 100; all of them together
    /// are replaced.
    pub metadata: Member<BTreeMap<String, String>>,
}

/// How a secret is replaced.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "WebhookSecretInput")]
pub struct SecretIn {
    /// Seconds that the secrets before go on signing beside it, at most 7 days; a day when absent.
    pub overlap_seconds: Member<i64>,
    /// A secret of your own, `whsec_` and 24 to 64 bytes in base64.
    pub secret: Member<String>,
}

/// A secret of an endpoint.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "WebhookSecret")]
pub struct SecretOut {
    /// Which one of the endpoint, from 1.
    pub n: i64,
    /// Its end.
    pub hint: String,
    /// The secret, once: when it is made, and on repeats of that request for a day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// When it was made.
    #[schemars(extend("format" = "date-time"))]
    pub created_at: String,
    /// When it signs no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub expires_at: Option<String>,
}

fn moment(micros: i64) -> Option<String> {
    (micros > 0).then(|| Timestamp::from_micros(micros).rfc3339_micros())
}

impl EndpointOut {
    /// An endpoint, as the caller may see it.
    pub fn of(cx: &Cx, endpoint: &Endpoint) -> EndpointOut {
        let url = match endpoint.url.split_once('?') {
            Some((place, _)) if !cx.has(Permission::WebhookWrite) => format!("{place}?{MASK}"),
            Some(_) | None => endpoint.url.clone(),
        };
        let masked = |name: &String| (name.clone(), MASK.to_owned());
        EndpointOut {
            id: endpoint.uuid,
            number: endpoint.number,
            dialect: endpoint.dialect.clone(),
            url,
            description: endpoint.description.as_ref().map(|text| text.as_str().to_owned()),
            types: endpoint.types.iter().map(|one| one.as_str().to_owned()).collect(),
            filter: FilterOut {
                subjects: endpoint.filter.subjects.clone(),
                changed: endpoint.filter.changed.clone(),
                metadata: endpoint.filter.metadata.clone(),
            },
            payload: endpoint.payload.as_str(),
            order: endpoint.order.as_str(),
            signature: endpoint.signature.as_str(),
            enabled: endpoint.state == patron_model::webhook::EndpointState::Active,
            state: endpoint.state.as_str(),
            state_reason: endpoint.reason.map(|reason| reason.as_str()),
            headers: endpoint.header_names.iter().map(masked).collect(),
            timeout_seconds: endpoint.timeout_seconds,
            parallel: endpoint.parallel,
            secret: None,
            health: None,
            version: endpoint.version,
            created_at: endpoint.created_at.rfc3339_micros(),
            updated_at: endpoint.updated_at.rfc3339_micros(),
        }
    }

    /// The same with how it fares.
    pub async fn with_health(self, cx: &Cx) -> Result<EndpointOut, Failure> {
        let Some(cursor) = webhooks::cursor(cx, self.number).await? else { return Ok(self) };
        let head = cx.app.journal_head(cx.space).await?;
        let Cursor { position, health, .. } = cursor.record;
        let health = HealthOut {
            position,
            behind: (head - position).max(0),
            failures: health.failures,
            last_success_at: moment(health.last_success_at),
            last_failure_at: moment(health.last_failure_at),
            probing_until: moment(health.open_until),
        };
        Ok(EndpointOut { health: Some(health), ..self })
    }
}

impl SecretOut {
    /// A secret, with itself where it is shown.
    pub fn of(note: &SecretNote, secret: Option<String>) -> SecretOut {
        SecretOut {
            n: note.n,
            hint: format!("…{}", note.hint),
            secret,
            created_at: note.created_at.rfc3339_micros(),
            expires_at: note.expires_at.map(Timestamp::rfc3339_micros),
        }
    }
}
