//! What endpoints ask for: nouns, and what happens to them.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::TYPE_CHARS_MAX;
use crate::{Permission, Why};

/// A noun that endpoints are told of.
#[derive(Debug)]
pub struct Told {
    /// Its word.
    pub noun: &'static str,
    /// What lets somebody be told of it.
    pub needs: Permission,
    /// What happens to it, and what that means.
    pub events: &'static [(&'static str, &'static str)],
}

/// What is told.
pub static NOUNS: [Told; 3] = [
    Told {
        noun: "customer",
        needs: Permission::CustomerRead,
        events: &[
            ("created", "A customer was made."),
            ("updated", "Fields, addresses or the status of a customer changed."),
            ("deleted", "A customer was deleted; it can be restored."),
            ("restored", "A deleted customer was brought back."),
            ("merged", "A customer took another one over."),
            ("absorbed", "A customer was taken over by another one, and is gone."),
            ("status_ended", "The term of a status passed: the customer is active again."),
        ],
    },
    Told {
        noun: "comment",
        needs: Permission::CommentRead,
        events: &[
            ("created", "Somebody commented on a customer."),
            ("updated", "A comment was edited, pinned or unpinned."),
            ("deleted", "A comment was deleted."),
            ("moved", "A comment hangs on another customer, which took its own one over."),
        ],
    },
    Told {
        noun: "payment_method",
        needs: Permission::PaymentMethodRead,
        events: &[
            ("created", "A way to pay was saved."),
            ("updated", "Details of a saved way to pay changed."),
            ("deleted", "A saved way to pay was deleted."),
            (
                "moved",
                "A saved way to pay belongs to another customer, which took its own one over.",
            ),
        ],
    },
];

/// Types that an endpoint asks for: `customer.updated`, `customer.*`, or `*` for all that it may be
/// told, endpoints themselves left out.
#[derive(Clone, PartialEq, Eq)]
pub struct EventType(String);

impl EventType {
    /// Reads a type.
    ///
    /// # Errors
    /// `Unknown`, `Misnamed` when there is none like it.
    pub fn parse(text: &str) -> Result<EventType, Why> {
        let known = || Why::unknown("event type", text, all_types().iter().map(String::as_str));
        if text.len() > TYPE_CHARS_MAX {
            return Err(Why::TooLong { max: TYPE_CHARS_MAX });
        }
        let is_known = text == "*" || all_types().iter().any(|one| one == text);
        if is_known { Ok(EventType(text.to_owned())) } else { Err(known()) }
    }

    /// Reads a type of the feed, which shows more than endpoints are told: any noun and what
    /// happened to it.
    ///
    /// # Errors
    /// `Malformed`, `TooLong`.
    pub fn of_feed(text: &str) -> Result<EventType, Why> {
        let is_word = |word: &str| {
            !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        };
        let is_good = text == "*"
            || text
                .split_once('.')
                .is_some_and(|(noun, action)| is_word(noun) && (action == "*" || is_word(action)));
        match is_good {
            _ if text.len() > TYPE_CHARS_MAX => Err(Why::TooLong { max: TYPE_CHARS_MAX }),
            true => Ok(EventType(text.to_owned())),
            false => Err(Why::Malformed { expected: "like customer.updated, customer.* or *" }),
        }
    }

    /// As it was sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What lets somebody ask for it; none for `*`, which brings what may be seen.
    pub fn needs(&self) -> Option<Permission> {
        let noun = self.0.split('.').next()?;
        NOUNS.iter().find(|known| known.noun == noun).map(|known| known.needs)
    }

    /// Whether it asks for this.
    pub fn has(&self, noun: &str, action: &str) -> bool {
        match self.0.split_once('.') {
            None => noun != "webhook_endpoint",
            Some((own, "*")) => own == noun,
            Some((own, one)) => own == noun && one == action,
        }
    }
}

/// Every type that can be asked for by name.
pub fn all_types() -> Vec<String> {
    let of = |told: &Told| {
        let noun = told.noun;
        let each = told.events.iter().map(|(action, _)| format!("{noun}.{action}"));
        each.chain([format!("{noun}.*")]).collect::<Vec<_>>()
    };
    NOUNS.iter().flat_map(of).collect()
}

impl fmt::Debug for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for EventType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for EventType {
    /// What is stored was checked when it was written; a later version may know fewer.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<EventType, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.len() <= TYPE_CHARS_MAX {
            true => Ok(EventType(text)),
            false => Err(D::Error::custom("an event type is too long")),
        }
    }
}
