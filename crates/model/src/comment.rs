//! Comments: what was said about a customer.

use uuid::Uuid;

use crate::{Identity, Patch, Timestamp, customer::Changes, text::Content};

/// A comment on a customer.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Comment {
    /// Number, unique in the deployment.
    pub number: i64,
    /// UUID.
    pub uuid: Uuid,
    /// Space.
    pub space: i64,
    /// Number of the customer.
    pub customer: i64,
    /// Counts the changes, from 1.
    pub version: i64,
    /// The text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    /// Whether it is pinned to the top.
    #[serde(default)]
    pub pinned: bool,
    /// Number of the key that wrote it.
    pub created_by: i64,
    /// Number of the key that last changed the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_by: Option<i64>,
    /// When it was written.
    pub created_at: Timestamp,
    /// When the text was last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<Timestamp>,
    /// When it was last changed in any way.
    pub updated_at: Timestamp,
    /// When it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
}

/// A change of a comment.
#[derive(Debug, Clone, Default)]
pub struct CommentPatch {
    /// The text.
    pub content: Patch<Content>,
    /// Whether it is pinned.
    pub pinned: Option<bool>,
}

impl Comment {
    /// A new comment on a customer.
    pub fn create(
        id: Identity,
        (space, customer): (i64, i64),
        by: i64,
        (content, pinned): (Option<Content>, bool),
        now: Timestamp,
    ) -> Comment {
        Comment {
            number: id.number,
            uuid: id.uuid,
            space,
            customer,
            version: 1,
            content,
            pinned,
            created_by: by,
            edited_by: None,
            created_at: now,
            edited_at: None,
            updated_at: now,
            deleted_at: None,
        }
    }

    /// The comment after a change by the holder of a key, and which fields differ. Pinning is a
    /// change, but not an edit of the text.
    pub fn apply(&self, patch: CommentPatch, by: i64, now: Timestamp) -> (Comment, Changes) {
        let CommentPatch { content, pinned } = patch;
        let mut next = self.clone();
        let mut changes = Changes::new();
        if content.change(&mut next.content) {
            next.edited_by = Some(by);
            next.edited_at = Some(now);
            changes.push("content");
        }
        if let Some(pinned) = pinned.filter(|pinned| *pinned != self.pinned) {
            next.pinned = pinned;
            changes.push("pinned");
        }
        let next = if changes.is_empty() { next } else { next.changed(now) };
        (next, changes)
    }

    /// The comment once it is hidden.
    #[must_use]
    pub fn deleted(&self, now: Timestamp) -> Comment {
        Comment { deleted_at: Some(now), ..self.clone() }.changed(now)
    }

    /// The comment on another customer.
    #[must_use]
    pub fn moved(&self, customer: i64) -> Comment {
        Comment { customer, ..self.clone() }
    }

    fn changed(self, now: Timestamp) -> Comment {
        Comment { version: self.version + 1, updated_at: now.max(self.updated_at), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    fn written() -> Comment {
        let content = Content::parse("Prefers to be called").expect("a text");
        let id = Identity { number: 3, uuid: Uuid::nil() };
        Comment::create(id, (1, 2), 7, (Some(content), false), at(10))
    }

    #[test]
    fn an_edit_says_who_and_when_and_pinning_does_not() {
        let comment = written();
        let pin = CommentPatch { pinned: Some(true), ..CommentPatch::default() };
        let (pinned, changes) = comment.apply(pin.clone(), 8, at(20));
        assert_eq!((pinned.version, pinned.edited_by, changes), (2, None, vec!["pinned"]));
        assert_eq!(pinned.apply(pin, 9, at(30)), (pinned.clone(), Changes::new()));
        let clear = CommentPatch { content: Patch::Clear, pinned: None };
        let (edited, changes) = pinned.apply(clear, 8, at(15));
        assert_eq!((edited.edited_by, edited.edited_at), (Some(8), Some(at(15))));
        assert_eq!((edited.content.is_none(), changes), (true, vec!["content"]));
        assert_eq!((edited.version, edited.updated_at), (3, at(20)), "time never goes back");
    }

    #[test]
    fn a_deletion_counts_as_a_change_and_a_move_does_not() {
        let gone = written().deleted(at(20));
        assert_eq!((gone.version, gone.deleted_at, gone.updated_at), (2, Some(at(20)), at(20)));
        let moved = written().moved(5);
        assert_eq!((moved.customer, moved.version, moved.updated_at), (5, 1, at(10)));
    }
}
