//! What the owner of an endpoint chooses between.

use serde::{Deserialize, Serialize};

/// How much of a record is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Payload {
    /// The record as the API shows it.
    #[default]
    Full,
    /// Which record it is and its version.
    Thin,
}

impl Payload {
    /// The words, comma separated.
    pub const WORDS: &'static str = "full, thin";

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Payload::Full => "full",
            Payload::Thin => "thin",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Payload> {
        [Payload::Full, Payload::Thin].into_iter().find(|known| known.as_str() == word)
    }
}

/// In which order entries are told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// In none: several at a time.
    #[default]
    None,
    /// What hangs on one record, one after the other as it happened: a later one waits until the
    /// one before arrived or was given up.
    Customer,
}

impl Order {
    /// The words, comma separated.
    pub const WORDS: &'static str = "none, customer";

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Order::None => "none",
            Order::Customer => "customer",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Order> {
        [Order::None, Order::Customer].into_iter().find(|known| known.as_str() == word)
    }

    pub(super) fn is_none(&self) -> bool {
        *self == Order::None
    }
}

/// How what an endpoint is told is signed, where its API lets it choose.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// With its secrets.
    #[default]
    V1,
    /// With the keys of its space.
    V1a,
    /// With both.
    Both,
}

impl Scheme {
    /// The words, comma separated.
    pub const WORDS: &'static str = "v1, v1a, both";

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Scheme::V1 => "v1",
            Scheme::V1a => "v1a",
            Scheme::Both => "both",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Scheme> {
        [Scheme::V1, Scheme::V1a, Scheme::Both].into_iter().find(|known| known.as_str() == word)
    }

    /// Whether its secrets sign.
    pub fn has_secrets(self) -> bool {
        self != Scheme::V1a
    }

    /// Whether the keys of its space sign.
    pub fn has_keys(self) -> bool {
        self != Scheme::V1
    }

    pub(super) fn is_v1(&self) -> bool {
        *self == Scheme::V1
    }
}
