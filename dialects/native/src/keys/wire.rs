//! Keys as they are written and shown.

use std::net::IpAddr;

use patron_app::{keys::KeyUse, users::Held};
use patron_gateway::Member;
use patron_model::{Permission, Timestamp, space::Key};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::words;

/// A key.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Key")]
pub struct KeyOut<'a> {
    /// UUID.
    id: uuid::Uuid,
    /// Number.
    number: i64,
    /// Number of the application whose it is.
    user: i64,
    /// Number of its account.
    account: i64,
    /// Number of the space it opens unless a request names another.
    space: i64,
    /// Whether it opens every space of the account.
    account_wide: bool,
    /// The API it is for.
    dialect: &'a str,
    /// What people call it.
    name: &'a str,
    /// Number of the role that its application holds, where that is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<i64>,
    /// What it may do at some place or other: the roles of its application, cut by its own list.
    permissions: Vec<&'static str>,
    /// The end of its secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    /// `active`, `expiring` (replaced, or ends within two weeks), `expired`, `revoked`.
    #[schemars(with = "words::KeyState")]
    state: &'static str,
    /// Networks it may be used from; empty: any.
    addresses: Vec<String>,
    /// When it ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    expires_at: Option<String>,
    /// Number of the key it replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces: Option<i64>,
    /// Number of the key that replaced it.
    #[serde(skip_serializing_if = "Option::is_none")]
    replaced_by: Option<i64>,
    /// What its public half may do alone, where keys are pairs: `none`, `create`, `full`.
    public_rights: &'static str,
    /// Counts the changes, from 1.
    version: i64,
    /// When it was made.
    #[schemars(extend("format" = "date-time"))]
    created_at: String,
    /// When it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    revoked_at: Option<String>,
    /// The minute it was used last, a few minutes late where several nodes serve.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    last_used_at: Option<String>,
    /// From where.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_from: Option<IpAddr>,
    /// What its holder needs, shown when it is made and on repeats of that request for a day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) credentials: Option<Value>,
}

impl<'a> KeyOut<'a> {
    pub(super) fn of(
        key: &'a Key,
        version: i64,
        held: &Held,
        last: Option<&KeyUse>,
        now: Timestamp,
    ) -> KeyOut<'a> {
        let role = match held.of(key.user) {
            [only] => Some(only.role),
            _ => None,
        };
        KeyOut {
            id: key.uuid,
            number: key.number,
            user: key.user,
            account: key.account,
            space: key.space,
            account_wide: key.account_wide,
            dialect: &key.dialect,
            name: &key.name,
            role,
            permissions: held.permissions(key).iter().map(Permission::as_str).collect(),
            hint: (!key.hint.is_empty()).then(|| format!("…{}", key.hint)),
            state: key.state(now).as_str(),
            addresses: key.addresses.iter().map(ToString::to_string).collect(),
            expires_at: key.expires_at.map(Timestamp::rfc3339_micros),
            replaces: key.replaces,
            replaced_by: key.replaced_by,
            public_rights: key.public_rights.as_str(),
            version,
            created_at: key.created_at.rfc3339_micros(),
            revoked_at: key.revoked_at.map(Timestamp::rfc3339_micros),
            last_used_at: last.map(|last| last.minute.rfc3339_micros()),
            last_used_from: last.and_then(|last| last.address),
            credentials: None,
        }
    }
}

/// A key as it is written.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "KeyInput")]
pub struct KeyIn {
    /// The API it is for; creation only.
    pub(super) dialect: Member<String>,
    /// What people call it.
    pub(super) name: Member<String>,
    /// Number of the space it opens; creation only, the space of the request when absent.
    pub(super) space: Member<i64>,
    /// Whether it opens every space of the account; creation only.
    pub(super) account_wide: Member<bool>,
    /// Number of the application whose it shall be; creation only. Without one it gets one of its
    /// own.
    pub(super) user: Member<i64>,
    /// Number of the role that its own application shall hold.
    pub(super) role: Member<i64>,
    /// What it may do at most, in words like `customer:read`; `null`: all that its user may do.
    pub(super) permissions: Member<Vec<String>>,
    /// Networks it may be used from, like `192.0.2.0/24`, at most 20; empty: any.
    pub(super) addresses: Member<Vec<String>>,
    /// When it ends by itself, at most two years away; `null`: never.
    #[schemars(extend("format" = "date-time"))]
    pub(super) expires_at: Member<String>,
    /// What its public half may do alone, where keys are pairs: `none`, `create`, `full`.
    pub(super) public_rights: Member<String>,
}

/// How a key is rotated.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "KeyRotation")]
pub struct RotateIn {
    /// Seconds that the old key goes on, at most 30 days; a day when absent.
    pub(super) overlap_seconds: Member<i64>,
    /// When the new key ends by itself, at most two years away; null: never; as the one before when
    /// absent.
    pub(super) expires_at: Member<String>,
}
