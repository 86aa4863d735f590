//! Roles that accounts make for themselves, and who holds which role where: in a space, in an
//! account, or in an account with all below it. Built-in roles: [`crate::permission::Role`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Permissions, Problems, Timestamp, Why,
    customer::{Changes, differing},
    text::Name,
};

/// Most living roles that an account makes for itself.
pub const ROLES_MAX: usize = 100;
/// Most roles that are assigned to one user.
pub const ASSIGNMENTS_MAX: usize = 200;

/// A role that an account has made for itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OwnRole {
    /// Number; those of built-in roles are lower.
    pub number: i64,
    /// UUID.
    pub uuid: Uuid,
    /// The account it belongs to. It can be assigned there and in accounts below.
    pub account: i64,
    /// Counts the changes, from 1.
    pub version: i64,
    /// What people call it.
    pub name: Name,
    /// What people call it in single languages, by their tags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<String, Name>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What it may do.
    pub permissions: Permissions,
    /// Whether it counts for a person only who has proven a second factor.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub second_factor: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// When it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
}

/// Own roles have higher numbers than this.
pub const BUILT_IN_ROLES_MAX: i64 = 100;
/// Characters of a role's description.
pub const DESCRIPTION_CHARS_MAX: usize = 1_000;

/// What shall become of a role.
#[derive(Debug, Clone, Default)]
pub struct RolePatch {
    /// What people call it; in single languages it is called so too, unless they are named.
    pub name: Option<Name>,
    /// What people call it in single languages, by their tags.
    pub names: Option<BTreeMap<String, Name>>,
    /// What it is for.
    pub description: Option<String>,
    /// What it may do.
    pub permissions: Option<Permissions>,
    /// Whether it counts for a person only who has proven a second factor.
    pub second_factor: Option<bool>,
}

impl OwnRole {
    /// The role after a change, and what differs.
    ///
    /// # Errors
    /// Every problem.
    pub fn apply(&self, patch: RolePatch, now: Timestamp) -> Result<(OwnRole, Changes), Problems> {
        let RolePatch { name, names, description, permissions, second_factor } = patch;
        let mut next = self.clone();
        if name.as_ref().is_some_and(|name| *name != self.name) {
            next.names.clear();
        }
        next.name = name.unwrap_or(next.name);
        next.names = names.unwrap_or(next.names);
        next.description = description.unwrap_or(next.description);
        next.permissions = permissions.unwrap_or(next.permissions);
        next.second_factor = second_factor.unwrap_or(next.second_factor);
        next.check()?;
        let changes = differing([
            ("name", self.name != next.name || self.names != next.names),
            ("description", self.description != next.description),
            ("permissions", self.permissions != next.permissions),
            ("second_factor", self.second_factor != next.second_factor),
        ]);
        if !changes.is_empty() {
            next.version += 1;
            next.updated_at = now.max(next.updated_at);
        }
        Ok((next, changes))
    }

    /// What no type checks.
    ///
    /// # Errors
    /// Every problem.
    pub fn check(&self) -> Result<(), Problems> {
        let mut problems = Problems::new();
        if self.name.as_str().trim().is_empty() {
            problems.add("name", Why::TooShort { min: 1 });
        }
        let checked = crate::text::check(&self.description, 0, DESCRIPTION_CHARS_MAX, true);
        if let Err(why) = checked {
            problems.add("description", why);
        }
        problems.into_result()
    }

    /// The role once it is deleted: it gives nothing any more.
    #[must_use]
    pub fn deleted(&self, now: Timestamp) -> OwnRole {
        OwnRole {
            version: self.version + 1,
            permissions: Permissions::NONE,
            updated_at: now.max(self.updated_at),
            deleted_at: Some(now),
            ..self.clone()
        }
    }
}

/// A role that a user holds at a place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assignment {
    /// Number, unique in the deployment.
    pub number: i64,
    /// UUID.
    pub uuid: Uuid,
    /// Counts the changes, from 1.
    pub version: i64,
    /// Number of the user.
    pub user: i64,
    /// Number of the role, built in or own.
    pub role: i64,
    /// The account where it holds, or whose space it is.
    pub account: i64,
    /// The space where it holds; everywhere in the account when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<i64>,
    /// Whether it holds in the accounts below, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub subaccounts: bool,
    /// When it was granted.
    pub created_at: Timestamp,
    /// When it was withdrawn: since then it gives nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn_at: Option<Timestamp>,
}

impl Assignment {
    /// What no two living assignments have in common: user, role and place.
    pub fn claim(&self) -> String {
        let Assignment { user, role, account, space, .. } = self;
        match space {
            Some(space) => format!("{user}/{role}/s{space}"),
            None => format!("{user}/{role}/a{account}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(1_767_323_045_000_000).plus_seconds(seconds)
    }

    #[test]
    fn grants_are_told_apart_by_user_role_and_place() {
        let one = Assignment {
            number: 1,
            uuid: Uuid::nil(),
            version: 1,
            user: 12,
            role: 3,
            account: 5,
            space: None,
            subaccounts: true,
            created_at: at(0),
            withdrawn_at: None,
        };
        assert_eq!(one.claim(), "12/3/a5");
        assert_eq!(Assignment { space: Some(4), ..one }.claim(), "12/3/s4");
    }
}
