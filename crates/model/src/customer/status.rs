//! Whether a customer may be dealt with, and what stands in for a status that nobody set.

use super::{Changes, Customer, CustomerPatch};
use crate::{Failure, Patch, Timestamp, text::Note};

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
    /// All of them.
    pub const ALL: [Status; 4] =
        [Status::Active, Status::Inactive, Status::Locked, Status::Blocked];

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

/// A status is changed by a call of its own, which says why. Unlike a patch it is refused where it
/// would lift what somebody else has set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusVerb {
    /// The business wants no payments of this customer.
    Block,
    /// It wants them again.
    Unblock,
    /// Nothing may be done with the customer's data but keeping them.
    Lock,
    /// That is over.
    Unlock,
    /// The customer is in use again.
    Activate,
    /// The customer is not in use.
    Deactivate,
}

impl StatusVerb {
    /// All of them.
    pub const ALL: [StatusVerb; 6] = [
        StatusVerb::Block,
        StatusVerb::Unblock,
        StatusVerb::Lock,
        StatusVerb::Unlock,
        StatusVerb::Activate,
        StatusVerb::Deactivate,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            StatusVerb::Block => "block",
            StatusVerb::Unblock => "unblock",
            StatusVerb::Lock => "lock",
            StatusVerb::Unlock => "unlock",
            StatusVerb::Activate => "activate",
            StatusVerb::Deactivate => "deactivate",
        }
    }

    /// What the customer is afterwards.
    pub fn makes(self) -> Status {
        match self {
            StatusVerb::Block => Status::Blocked,
            StatusVerb::Lock => Status::Locked,
            StatusVerb::Deactivate => Status::Inactive,
            StatusVerb::Unblock | StatusVerb::Unlock | StatusVerb::Activate => Status::Active,
        }
    }

    /// Whether what it makes can end by itself: the customer is active then.
    pub fn takes_a_term(self) -> bool {
        self.makes() != Status::Active
    }

    /// What the customer must be before, in words. One that is blocked is not locked before it was
    /// unblocked, nor the other way round: neither lifts the other in silence.
    pub fn needs(self) -> &'static str {
        match self {
            StatusVerb::Block => "active, inactive or blocked",
            StatusVerb::Lock => "active, inactive or locked",
            StatusVerb::Deactivate => "active or inactive",
            StatusVerb::Unblock => "blocked",
            StatusVerb::Unlock => "locked",
            StatusVerb::Activate => "inactive",
        }
    }

    /// Whether a customer with this status allows it.
    pub fn is_allowed(self, status: Status) -> bool {
        let is_restricted = matches!(status, Status::Locked | Status::Blocked);
        match self {
            StatusVerb::Block | StatusVerb::Lock | StatusVerb::Deactivate => {
                !is_restricted || status == self.makes()
            }
            StatusVerb::Unblock => status == Status::Blocked,
            StatusVerb::Unlock => status == Status::Locked,
            StatusVerb::Activate => status == Status::Inactive,
        }
    }
}

impl Customer {
    /// What a verb changes at a moment. Until when is left out where it holds until further notice,
    /// and by verbs that take no term.
    ///
    /// # Errors
    /// `WrongState`.
    pub fn status_patch(
        &self,
        verb: StatusVerb,
        reason: Note,
        until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<CustomerPatch, Failure> {
        let status = self.status_at(now);
        if !verb.is_allowed(status) {
            return Err(Failure::WrongState { is: status.as_str(), needs: verb.needs() });
        }
        Ok(CustomerPatch {
            status: Patch::Set(verb.makes()),
            status_reason: Patch::Set(reason),
            status_until: Patch::clear_or(until.filter(|_| verb.takes_a_term())),
            ..CustomerPatch::default()
        })
    }

    /// The customer after the term of its status, and which fields differ; none while there is no
    /// term that has passed.
    pub fn with_status_ended(&self, now: Timestamp) -> Option<(Customer, Changes)> {
        self.status_until.filter(|until| *until <= now)?;
        let mut next = self.clone();
        next.status = Status::Active;
        next.status_reason = None;
        next.status_until = None;
        let changes = super::differing([
            ("status", next.status != self.status),
            ("status_reason", next.status_reason != self.status_reason),
            ("status_until", true),
        ]);
        next.touch(now);
        Some((next, changes))
    }

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
