//! Comments: what was said about a customer.

use uuid::Uuid;

use crate::{Timestamp, text::Content};

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
