//! The shape every answer has (dossier §3): code, status, message, and the object under its own
//! name as well as under `data`, so that every generation of clients finds it.

pub mod schemas;

use patron_gateway::{Exchange, Reply, limits::QuotaState};
use patron_model::Failure;
use serde::{Serialize, Serializer, ser::SerializeMap};

/// Requests per minute named in the headers when no quota was counted: it is switched off, or the
/// request ended before.
pub const DEFAULT_LIMIT: u32 = 1_000;
/// Seconds after which such a quota is whole again.
const DEFAULT_RESET_SECONDS: u64 = 60;

/// What a success is called: the HTTP status and the word for it in the body. They differ for some
/// operations, so the table of the dossier is kept to the letter.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// HTTP status, repeated in the body.
    pub code: u16,
    /// The word for it.
    pub status: &'static str,
    /// What happened.
    pub message: &'static str,
}

/// 200, `OK`.
pub const fn ok(message: &'static str) -> Outcome {
    Outcome { code: 200, status: "OK", message }
}

/// 201, `Created`.
pub const fn created(message: &'static str) -> Outcome {
    Outcome { code: 201, status: "Created", message }
}

/// 202, `Accepted`.
pub const fn accepted(message: &'static str) -> Outcome {
    Outcome { code: 202, status: "Accepted", message }
}

/// Where a list stands.
#[derive(Debug, Clone, Copy)]
pub struct Paging {
    /// All matching rows.
    pub totals: u64,
    /// Number of the last page, at least 1.
    pub last_page: u64,
    /// Number of this page.
    pub current_page: u64,
    /// Rows on this page.
    pub selected: usize,
}

/// One answer: the outcome, where a list stands, and the same content under several names.
struct Envelope<'a, T> {
    outcome: Outcome,
    paging: Option<Paging>,
    names: &'a [&'a str],
    content: &'a T,
}

impl<T: Serialize> Serialize for Envelope<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("code", &self.outcome.code)?;
        map.serialize_entry("status", self.outcome.status)?;
        map.serialize_entry("message", self.outcome.message)?;
        if let Some(paging) = &self.paging {
            map.serialize_entry("totals", &paging.totals)?;
            map.serialize_entry("last_page", &paging.last_page)?;
            map.serialize_entry("current_page", &paging.current_page)?;
            map.serialize_entry("selected", &paging.selected)?;
        }
        for name in self.names {
            map.serialize_entry(name, self.content)?;
        }
        map.end()
    }
}

/// Answers one object, or a list without pages, under several names.
///
/// # Errors
/// `Internal` when it cannot be written as JSON.
pub fn reply(outcome: Outcome, names: &[&str], content: &impl Serialize) -> Result<Reply, Failure> {
    Reply::json(outcome.code, &Envelope { outcome, paging: None, names, content })
}

/// Answers a page of a list under several names.
///
/// # Errors
/// `Internal` when it cannot be written as JSON.
pub fn page(
    outcome: Outcome,
    paging: Paging,
    names: &[&str],
    content: &impl Serialize,
) -> Result<Reply, Failure> {
    Reply::json(outcome.code, &Envelope { outcome, paging: Some(paging), names, content })
}

/// The rate limit headers, on every answer (dossier §1).
pub fn finish(reply: &mut Reply, exchange: &Exchange, quota: Option<QuotaState>) {
    let retry_after = reply.headers.get("retry-after").and_then(|value| value.to_str().ok());
    let wait: Option<u64> = retry_after.and_then(|text| text.parse().ok());
    let (limit, remaining, reset_seconds) = match quota {
        Some(quota) => (quota.limit, quota.remaining, quota.reset_seconds),
        None if reply.status.as_u16() == 429 => {
            (DEFAULT_LIMIT, 0, wait.unwrap_or(DEFAULT_RESET_SECONDS))
        }
        None => (DEFAULT_LIMIT, DEFAULT_LIMIT, DEFAULT_RESET_SECONDS),
    };
    let reset = exchange.now.plus_seconds(i64::try_from(reset_seconds).unwrap_or(i64::MAX));
    reply.set("x-ratelimit-limit", limit.to_string());
    reply.set("x-ratelimit-remaining", remaining.to_string());
    reply.set("x-ratelimit-reset", reset.seconds().to_string());
}
