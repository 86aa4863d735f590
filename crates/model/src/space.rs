//! Accounts, spaces and keys: who owns records, where they live, and who may touch them.

use std::collections::BTreeMap;

use serde_json::Value;
use uuid::Uuid;

use crate::{Timestamp, text::Name};

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
}

impl Space {
    /// A switch of one dialect, when it is a text.
    pub fn switch(&self, dialect: &str, name: &str) -> Option<&str> {
        self.dialects.get(dialect)?.get(name)?.as_str()
    }
}

/// What a key may do. Each role includes the ones before it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Read.
    Read,
    /// Read and write.
    Write,
    /// Everything, also accounts and spaces.
    Admin,
}

impl Role {
    /// The word for the role.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Read => "read",
            Role::Write => "write",
            Role::Admin => "admin",
        }
    }

    /// Parses the word.
    pub fn parse(word: &str) -> Option<Role> {
        [Role::Read, Role::Write, Role::Admin].into_iter().find(|role| role.as_str() == word)
    }
}

/// How a key's secret is kept.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Secret {
    /// SHA-256 of a random secret, in hexadecimal: enough to recognise it.
    Hashed(String),
    /// Encrypted with the deployment's master key: signatures need the secret itself.
    Sealed(String),
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secret(…)")
    }
}

/// A credential for one API, for one space or a whole account.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Key {
    /// Number, unique in the deployment.
    pub number: i64,
    /// UUID.
    pub uuid: Uuid,
    /// Account it belongs to.
    pub account: i64,
    /// The space it opens unless a request names another.
    pub space: i64,
    /// Whether it opens every space of the account.
    #[serde(default)]
    pub account_wide: bool,
    /// The API it is for.
    pub dialect: String,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Public half, unique within the dialect: a user id, a public key, or the hash of a bearer token.
    pub handle: String,
    /// Secret half.
    pub secret: Secret,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
}
