//! What happened to a record, in past tense. Each noun has words of its own; of one that passes
//! states they are the transitions.

/// The events of one noun.
pub trait Event: Copy + Eq + std::fmt::Debug + Send + Sync + 'static {
    /// All of them.
    const ALL: &'static [Self];
    /// It came into being: every noun does.
    const CREATED: Self;

    /// The word in the journal.
    fn as_str(self) -> &'static str;

    /// Reads the word.
    fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|event| event.as_str() == word)
    }
}

/// The events of a noun, each with its word; the first one is its creation.
macro_rules! events {
    ($($(#[$of:meta])* $name:ident {
        $(#[$first:meta])* $created:ident = $born:literal,
        $($(#[$says:meta])* $event:ident = $word:literal,)*
    })*) => {$(
        $(#[$of])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $(#[$first])*
            $created,
            $($(#[$says])* $event,)*
        }

        impl Event for $name {
            const ALL: &'static [$name] = &[$name::$created, $($name::$event),*];
            const CREATED: $name = $name::$created;

            fn as_str(self) -> &'static str {
                match self {
                    $name::$created => $born,
                    $($name::$event => $word,)*
                }
            }
        }
    )*};
}

events! {
    /// Events of a customer.
    CustomerEvent {
        /// It came into being.
        Created = "created",
        /// It changed.
        Updated = "updated",
        /// It was hidden.
        Deleted = "deleted",
        /// It was brought back.
        Restored = "restored",
        /// It took another customer over.
        Merged = "merged",
        /// It was taken over by another customer.
        Absorbed = "absorbed",
        /// The term of its status passed: it is active again.
        StatusEnded = "status_ended",
    }

    /// Events of a comment.
    CommentEvent {
        /// It was written.
        Created = "created",
        /// It changed.
        Updated = "updated",
        /// It was hidden.
        Deleted = "deleted",
        /// It went to another customer.
        Moved = "moved",
    }

    /// Events of a saved payment method.
    MethodEvent {
        /// It was saved.
        Created = "created",
        /// It changed.
        Updated = "updated",
        /// It was hidden.
        Deleted = "deleted",
        /// It went to another customer.
        Moved = "moved",
    }

    /// Events of the record of a merge.
    MergeEvent {
        /// The merge was done.
        Created = "created",
    }

    /// Events of an account.
    AccountEvent {
        /// It was made.
        Created = "created",
        /// It changed.
        Updated = "updated",
        /// Its keys open what they say again.
        Activated = "activated",
        /// It was archived: its keys open nothing for now.
        Deactivated = "deactivated",
        /// It was deleted.
        Deleted = "deleted",
    }

    /// Events of a space.
    SpaceEvent {
        /// It was made.
        Created = "created",
        /// It changed.
        Updated = "updated",
        /// It answers again.
        Activated = "activated",
        /// It was archived: it answers nothing for now.
        Deactivated = "deactivated",
        /// It was deleted for good.
        Deleted = "deleted",
    }

    /// Events of a key.
    KeyEvent {
        /// It was made.
        Created = "created",
        /// It changed.
        Updated = "updated",
        /// It ends soon, and those who may change it are told.
        Expiring = "expiring",
    }

    /// Events of a user.
    UserEvent {
        /// It was made.
        Created = "created",
        /// It changed.
        Updated = "updated",
        /// The person accepted the invitation, and may do what its roles say from now on.
        Accepted = "accepted",
        /// It may do what its roles say from now on.
        Activated = "activated",
        /// It may do nothing for now.
        Deactivated = "deactivated",
        /// It is no more.
        Deleted = "deleted",
    }

    /// Events of a role that an account has made for itself.
    RoleEvent {
        /// It was made.
        Created = "created",
        /// It changed.
        Updated = "updated",
        /// It is no more.
        Deleted = "deleted",
    }

    /// Events of a provider of OpenID Connect.
    ProviderEvent {
        /// It was made.
        Created = "created",
        /// It changed.
        Updated = "updated",
        /// It is no more.
        Deleted = "deleted",
    }

    /// Events of a role that a user holds.
    AssignmentEvent {
        /// The user got it.
        Granted = "granted",
        /// Another role took its place.
        Updated = "updated",
        /// The user holds it no more.
        Withdrawn = "withdrawn",
    }

    /// Events of an entry of the audit trail.
    AuditEvent {
        /// It was written.
        Created = "created",
    }

    /// Events of a record that is a table. One that passes states is told by where it went.
    ResourceEvent {
        /// It came into being.
        Created = "created",
        /// It changed.
        Updated = "updated",
        /// It may be used from now on.
        Activated = "activated",
        /// It may not be used for now.
        Deactivated = "deactivated",
        /// It was deleted.
        Deleted = "deleted",
    }

    /// Events of a webhook endpoint.
    EndpointEvent {
        /// It was made.
        Created = "created",
        /// It changed.
        Updated = "updated",
        /// A secret was made for it, or ended.
        Rotated = "rotated",
        /// It is told nothing any more, because nothing reached it or its data was restored.
        Paused = "paused",
        /// It said that it is gone.
        Ended = "ended",
        /// It was deleted.
        Deleted = "deleted",
    }

    /// Events of a record that the journal does not keep.
    UntoldEvent {
        /// It came into being.
        Created = "created",
        /// It changed.
        Updated = "updated",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_told_apart<E: Event>() {
        for event in E::ALL {
            assert_eq!(E::parse(event.as_str()), Some(*event));
        }
        assert_eq!(E::parse("unheard_of"), None, "nothing stands in for a word nobody knows");
        assert_eq!(E::ALL[0], E::CREATED);
    }

    #[test]
    fn every_event_has_a_word_of_its_own() {
        assert_told_apart::<CustomerEvent>();
        assert_told_apart::<CommentEvent>();
        assert_told_apart::<MethodEvent>();
        assert_told_apart::<MergeEvent>();
        assert_told_apart::<AccountEvent>();
        assert_told_apart::<SpaceEvent>();
        assert_told_apart::<KeyEvent>();
        assert_told_apart::<UserEvent>();
        assert_told_apart::<RoleEvent>();
        assert_told_apart::<ProviderEvent>();
        assert_told_apart::<AssignmentEvent>();
        assert_told_apart::<AuditEvent>();
        assert_told_apart::<ResourceEvent>();
        assert_told_apart::<EndpointEvent>();
        assert_told_apart::<UntoldEvent>();
    }
}
