//! `GET /Paypoint/settings/{entry}` and `GET /Organization/settings/{orgId}` (dossier §4.5): which
//! fields identify a customer and which custom fields there are, as set by switches of the space:
//!
//! ```json
//! {"payabli": {"identifiers": ["email", "lastname"], "customFields": ["segment"]}}
//! ```
//!
//! A list may also be one comma separated text, and an element an object with `key`, `value` and
//! `readOnly`.

use patron_gateway::{Reply, Request, dialect::Switch};
use patron_model::{Failure, space::Space};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::{NAME, spaces};

/// Switch that lists the identifiers.
const IDENTIFIERS: &str = "identifiers";
/// Switch that lists the custom fields.
const CUSTOM_FIELDS: &str = "customFields";

/// What a space can switch for this API.
pub const SWITCHES: [Switch; 5] = [
    Switch { name: IDENTIFIERS, takes: LIST, accepts: is_list },
    Switch { name: CUSTOM_FIELDS, takes: LIST, accepts: is_list },
    Switch { name: LEGAL_NAME, takes: "a text", accepts: Value::is_string },
    Switch { name: DBA_NAME, takes: "a text", accepts: Value::is_string },
    Switch { name: EXTERNAL_ID, takes: "a text", accepts: Value::is_string },
];
/// Switch with the name that the law knows a paypoint by.
pub const LEGAL_NAME: &str = "legalName";
/// Switch with the name it does business under.
pub const DBA_NAME: &str = "dbaName";
/// Switch with its id in another system.
pub const EXTERNAL_ID: &str = "externalPaypointId";
const LIST: &str = "a comma separated text, or an array of texts and of objects with a key";

fn is_list(value: &Value) -> bool {
    match value {
        Value::String(_) => true,
        Value::Array(elements) => elements.iter().all(|element| Setting::of(element).is_some()),
        _ => false,
    }
}

/// Settings of a paypoint or an organization.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SettingsRecord {
    custom_fields: Vec<Setting>,
    for_invoices: Vec<Setting>,
    for_pay_outs: Vec<Setting>,
    for_wallets: Vec<Setting>,
    general: Vec<Setting>,
    identifiers: Vec<Setting>,
}

/// One setting.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Setting {
    key: String,
    read_only: bool,
    value: String,
}

impl Setting {
    fn of(element: &Value) -> Option<Setting> {
        let text = |name: &str| element.get(name)?.as_str().map(str::to_owned);
        let key = element.as_str().map(|key| key.trim().to_owned()).or_else(|| text("key"))?;
        let read_only = element.get("readOnly").and_then(Value::as_bool).unwrap_or(false);
        let value = text("value").unwrap_or_else(|| key.clone());
        (!key.is_empty()).then_some(Setting { key, read_only, value })
    }
}

/// Names of the fields that identify customers of a space.
pub fn identifiers(space: &Space) -> Vec<String> {
    listed(space, IDENTIFIERS).into_iter().map(|setting| setting.key).collect()
}

fn listed(space: &Space, switch: &str) -> Vec<Setting> {
    let value = space.dialects.get(NAME).and_then(|switches| switches.get(switch));
    match value {
        Some(Value::Array(elements)) => elements.iter().filter_map(Setting::of).collect(),
        Some(Value::String(names)) => {
            names.split(',').filter_map(|name| Setting::of(&Value::String(name.into()))).collect()
        }
        _ => Vec::new(),
    }
}

fn record(custom_fields: Vec<Setting>, identifiers: Vec<Setting>) -> SettingsRecord {
    SettingsRecord {
        custom_fields,
        for_invoices: Vec::new(),
        for_pay_outs: Vec::new(),
        for_wallets: Vec::new(),
        general: Vec::new(),
        identifiers,
    }
}

/// Settings of a paypoint.
///
/// # Errors
/// `NotFound` for an entry point the caller's key does not open.
pub async fn of_paypoint(request: Request) -> Result<Reply, Failure> {
    let space = spaces::space(&request.cx)?;
    Reply::json(200, &record(listed(space, CUSTOM_FIELDS), listed(space, IDENTIFIERS)))
}

/// Settings of an organization: what all its paypoints that the key opens have in common.
///
/// # Errors
/// `NotFound` for another organization.
pub async fn of_organization(request: Request) -> Result<Reply, Failure> {
    let spaces = spaces::of_organization(&request.cx, request.param("orgId"))?;
    let shared = |switch: &str| {
        let mut lists = spaces.iter().map(|space| listed(space, switch));
        let mut first = lists.next().unwrap_or_default();
        lists.for_each(|list| first.retain(|setting| list.contains(setting)));
        first
    };
    Reply::json(200, &record(shared(CUSTOM_FIELDS), shared(IDENTIFIERS)))
}
