//! Whether a customer may be dealt with, and what stands in for a status that nobody set.

use super::Customer;
use crate::{Patch, Timestamp};

/// The extra field a dialect keeps while a customer has no status but by default, and the dialect
/// shows that as another one. It goes as soon as a status is set, by whichever API.
pub const STAND_IN: &str = "status";

/// Whether a customer may be dealt with.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// In good standing.
    #[default]
    Active,
    /// Not in use.
    Inactive,
    /// Locked out, for example after failed logins or on the person's own request (GDPR art. 18).
    Locked,
    /// Blocked by the business: may not pay.
    Blocked,
}

impl Status {
    /// The word for the status.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Active => "active",
            Status::Inactive => "inactive",
            Status::Locked => "locked",
            Status::Blocked => "blocked",
        }
    }
}

impl Customer {
    pub(super) fn change_status(&mut self, patch: Patch<Status>) -> bool {
        let is_first = !patch.is_keep() && self.drop_stand_ins();
        let before = self.status;
        self.status = patch.apply(Some(before)).unwrap_or_default();
        if self.status == before {
            return is_first;
        }
        // Reason and term belong to the status they were given for.
        self.status_reason = None;
        self.status_until = None;
        true
    }

    fn drop_stand_ins(&mut self) -> bool {
        let mut dropped = false;
        self.extras.retain(|_, fields| {
            dropped |= fields.remove(STAND_IN).is_some();
            !fields.is_empty()
        });
        dropped
    }

    /// The status at a moment: one with a term that has passed counts as active.
    pub fn status_at(&self, now: Timestamp) -> Status {
        match self.status_until {
            Some(until) if until <= now => Status::Active,
            _ => self.status,
        }
    }
}
