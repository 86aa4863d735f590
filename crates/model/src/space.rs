//! Accounts, spaces and keys: who owns records, where they live, and who may touch them.

use std::collections::BTreeMap;

use serde_json::Value;
use uuid::Uuid;

use crate::{
    Timestamp, address::Postal, country::Country, currency::Currency, email::Email, text::Name,
    time_zone::TimeZone,
};

mod account;
mod changes;
mod key;

pub use self::account::{AccountPatch, SecondFactor};
pub use self::changes::{KeyPatch, NewHalf, SECRETS_MAX, SpacePatch};
pub use self::key::{
    EXPIRING_SECONDS, EXPIRY_SECONDS_MAX, EarlierKey, EndTold, Key, KeyState, NETWORKS_MAX,
    PublicRights, TOLD_DAYS_BEFORE,
};
pub use crate::permission::Role;

/// Accounts that one account may be limited to have directly below it, at most: a caller reaches no
/// more.
pub const SUBACCOUNTS_MAX: i64 = 10_000;
/// Requests in [`REQUEST_LIMIT_SECONDS`] that a space or a user may be limited to, at most: more is
/// no limit.
pub const REQUEST_LIMIT_MAX: i64 = 1_000_000_000;
/// The seconds in which the requests of a space or a user are counted.
pub const REQUEST_LIMIT_SECONDS: u64 = 120;
/// Addresses that are written to when something about a space is out of order.
pub const TECHNICAL_CONTACTS_MAX: usize = 10;

/// A business with one or more spaces.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Account {
    /// Number, unique in the deployment.
    pub number: i64,
    /// UUID.
    pub uuid: Uuid,
    /// Counts the changes, from 1.
    pub version: i64,
    /// The account whose admins made it and may manage it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<i64>,
    /// What people call it.
    pub name: Name,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// When it was archived: its keys open nothing any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archived_at: Option<Timestamp>,
    /// How many living accounts it may have directly below it; any when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subaccount_limit: Option<i64>,
    /// Whom it asks for a second factor.
    #[serde(default, skip_serializing_if = "SecondFactor::is_default")]
    pub second_factor: SecondFactor,
    /// Number of the user who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<i64>,
    /// When it was deleted: it is no more, and had neither spaces nor accounts below it then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
    /// Number of the user who deleted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_by: Option<i64>,
}

/// A tenant: the records of one space are invisible to every other.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Space {
    /// Number, unique in the deployment.
    pub number: i64,
    /// UUID.
    pub uuid: Uuid,
    /// Number of the account that owns it.
    pub account: i64,
    /// Counts the changes, from 1.
    pub version: i64,
    /// What people call it.
    pub name: Name,
    /// Whether a change without precondition is refused (428).
    #[serde(default)]
    pub require_precondition: bool,
    /// Where its customers are at home: national phone numbers of those without an address that
    /// says otherwise are read there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_country: Option<Country>,
    /// Switches of single dialects, by dialect name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dialects: BTreeMap<String, Value>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// When it was archived: it answers nothing any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archived_at: Option<Timestamp>,
    /// Whether the audit trail says who read which customer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub audit_reads: bool,
    /// The time zone of the business.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<TimeZone>,
    /// The currency it mostly works in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// Requests in [`REQUEST_LIMIT_SECONDS`] seconds that are answered; further ones are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_limit: Option<i64>,
    /// Who is written to when something about it is out of order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub technical_contacts: Vec<Email>,
    /// Where the business is.
    #[serde(default, skip_serializing_if = "Postal::is_empty")]
    pub address: Postal,
    /// Number of the user who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<i64>,
    /// Its deletion for good, once asked for: it is no more, and its records are on their way out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion: Option<Deletion>,
}

/// The deletion of a space for good. What is left of the space is this.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Deletion {
    /// When it began.
    pub at: Timestamp,
    /// Number of the user who asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<i64>,
    /// Rows by kind, counted then.
    pub counts: BTreeMap<String, u64>,
    /// Keys that opened this space only, counted then.
    pub keys: u64,
    /// SHA-256 of the export that was taken before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export_sha256: Option<String>,
    /// When nothing was left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done_at: Option<Timestamp>,
}

impl Account {
    /// A new account.
    pub fn new(number: i64, uuid: Uuid, name: Name, now: Timestamp) -> Account {
        Account {
            number,
            uuid,
            version: 1,
            parent: None,
            name,
            created_at: now,
            updated_at: now,
            archived_at: None,
            subaccount_limit: None,
            second_factor: SecondFactor::default(),
            created_by: None,
            deleted_at: None,
            deleted_by: None,
        }
    }

    /// Whether its keys open anything: neither archived nor deleted.
    pub fn is_open(&self) -> bool {
        self.archived_at.is_none() && self.deleted_at.is_none()
    }
}

impl Space {
    /// A new space of an account.
    pub fn new(number: i64, uuid: Uuid, account: i64, name: Name, now: Timestamp) -> Space {
        Space {
            number,
            uuid,
            account,
            version: 1,
            name,
            require_precondition: false,
            default_country: None,
            dialects: BTreeMap::new(),
            created_at: now,
            updated_at: now,
            archived_at: None,
            audit_reads: false,
            time_zone: None,
            currency: None,
            request_limit: None,
            technical_contacts: Vec::new(),
            address: Postal::default(),
            created_by: None,
            deletion: None,
        }
    }

    /// Whether it answers: neither archived nor deleted.
    pub fn is_open(&self) -> bool {
        self.archived_at.is_none() && self.deletion.is_none()
    }

    /// A switch of one dialect, when it is a text.
    pub fn switch(&self, dialect: &str, name: &str) -> Option<&str> {
        self.dialects.get(dialect)?.get(name)?.as_str()
    }
}

/// How a key's secret is kept.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Secret {
    /// SHA-256 of a random secret, in hexadecimal: enough to recognise it.
    Hashed(String),
    /// Encrypted with a data key of the deployment: signatures need the secret itself.
    Sealed(String),
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secret(…)")
    }
}
