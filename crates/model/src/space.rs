//! Accounts, spaces and keys: who owns records, where they live, and who may touch them.

use std::collections::BTreeMap;

use serde_json::Value;
use uuid::Uuid;

use crate::{Timestamp, permission::Permissions, text::Name};

pub use crate::permission::Role;

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
    /// Whether the audit trail says who read which customer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub audit_reads: bool,
    /// Its deletion for good, once asked for: it is no more, and its records are on their way out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion: Option<Deletion>,
}

/// The deletion of a space for good. What is left of the space is this.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Deletion {
    /// When it began.
    pub at: Timestamp,
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

impl Space {
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
    /// Cuts the role: what is not in it, the key may not do. Without one it may do all of its role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap: Option<Permissions>,
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

impl Key {
    /// What it may do: its role, cut by its cap.
    pub fn permissions(&self) -> Permissions {
        let role = self.role.permissions();
        self.cap.map_or(role, |cap| role.and(cap))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::permission::Permission;

    /// A key as it was written before there were permissions.
    fn stored(role: &str) -> String {
        format!(
            r#"{{"number":7,"uuid":"0192f0c1-5a3d-7c3e-8b5e-5a4db0000001","account":1,"space":1,
            "account_wide":false,"dialect":"native","name":"shop","role":"{role}","handle":"ab",
            "secret":{{"hashed":"ab"}},"created_at":1767323045000000}}"#
        )
    }

    #[test]
    fn keys_of_before_are_read_with_the_role_that_fits() {
        for (old, role) in
            [("read", Role::ReadOnly), ("write", Role::Integration), ("admin", Role::Administrator)]
        {
            let key: Key = serde_json::from_str(&stored(old)).unwrap();
            assert_eq!((key.role, key.permissions()), (role, role.permissions()), "{old}");
        }
    }

    #[test]
    fn a_cap_only_takes_away() {
        let mut key: Key = serde_json::from_str(&stored("read")).unwrap();
        let wanted = [Permission::CustomerRead, Permission::CustomerWrite];
        key.cap = Some(Permissions::of(&wanted));
        assert_eq!(key.permissions(), Permissions::of(&[Permission::CustomerRead]));
        key.cap = Some(Permissions::NONE);
        assert!(key.permissions().is_empty());
    }
}
