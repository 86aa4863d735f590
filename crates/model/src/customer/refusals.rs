//! What a status refuses: one table, which use cases ask, and of which the page in the documents
//! and its test are made.

use super::{Customer, Status};
use crate::{Failure, Timestamp};

/// Something that is done with a customer and that a status may refuse. Whatever is not here is
/// refused by none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// A way to pay is saved.
    SavePaymentMethod,
    /// It takes another customer over, or is taken over.
    Merge,
    /// It is changed as one of many: by an import, or in one call with others.
    ChangeAmongMany,
}

impl Deed {
    /// All of them.
    pub const ALL: [Deed; 3] = [Deed::SavePaymentMethod, Deed::Merge, Deed::ChangeAmongMany];

    /// What it is, for people.
    pub fn about(self) -> &'static str {
        match self {
            Deed::SavePaymentMethod => "save a way to pay",
            Deed::Merge => "merge with another customer",
            Deed::ChangeAmongMany => "change by an import, or in one call with others",
        }
    }

    /// Whether a customer with this status allows it. Who is locked is kept and nothing else (GDPR
    /// art. 18): only what the person may demand, or what somebody decides about this one customer,
    /// is done. Who is blocked shall not pay.
    pub fn is_allowed(self, status: Status) -> bool {
        match (self, status) {
            (_, Status::Active | Status::Inactive) => true,
            (_, Status::Locked) | (Deed::SavePaymentMethod, Status::Blocked) => false,
            (Deed::Merge | Deed::ChangeAmongMany, Status::Blocked) => true,
        }
    }

    /// What a customer has to be, in words.
    pub fn needs(self) -> &'static str {
        match self {
            Deed::SavePaymentMethod => "active or inactive",
            Deed::Merge | Deed::ChangeAmongMany => "active, inactive or blocked",
        }
    }
}

impl Customer {
    /// Whether the status at a moment allows a deed.
    ///
    /// # Errors
    /// `WrongState`.
    pub fn allows(&self, deed: Deed, now: Timestamp) -> Result<(), Failure> {
        let status = self.status_at(now);
        match deed.is_allowed(status) {
            true => Ok(()),
            false => Err(Failure::WrongState { is: status.as_str(), needs: deed.needs() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_names_what_is_allowed() {
        for deed in Deed::ALL {
            let words: Vec<&str> = deed.needs().split([',', ' ']).collect();
            for status in Status::ALL {
                let is_named = words.contains(&status.as_str());
                assert_eq!(is_named, deed.is_allowed(status), "{deed:?} {status:?}");
            }
        }
    }
}
