//! The one evaluator of rights. What a request may do is what the role of its key says, cut by the
//! key's cap and by what its token was asked for; nothing else gives or takes anything.
//!
//! The gateway asks for the permission in the operation's line. Use cases ask for what depends on
//! the question itself: the past, another noun's part of an answer.

use patron_model::{Failure, Permission, Permissions};
use patron_store::Entry;

use crate::Cx;

/// The only yes: whether somebody with these rights may do this.
///
/// # Errors
/// `Forbidden`.
pub fn may(rights: Permissions, permission: Permission) -> Result<(), Failure> {
    if rights.has(permission) { Ok(()) } else { Err(Failure::Forbidden) }
}

/// Nobody gives what he lacks: whether somebody with these rights may hand out those.
///
/// # Errors
/// `Forbidden`.
pub fn may_give(rights: Permissions, given: Permissions) -> Result<(), Failure> {
    if rights.covers(given) { Ok(()) } else { Err(Failure::Forbidden) }
}

impl Cx {
    /// Whether the request may do this: for parts of an answer that are left out without the right.
    pub fn has(&self, permission: Permission) -> bool {
        may(self.rights, permission).is_ok()
    }

    /// Refuses the request without the right.
    ///
    /// # Errors
    /// `Forbidden`.
    pub fn may(&self, permission: Permission) -> Result<(), Failure> {
        may(self.rights, permission)
    }
}

/// Whether the request may see what the record of an entry of the journal is now: other entries are
/// left out. Those of kinds that nobody reads through the journal are seen by nobody.
pub fn sees(cx: &Cx, entry: &Entry) -> bool {
    crate::documents::seen_by(&entry.kind, &entry.doc).is_some_and(|needed| cx.has(needed))
}
