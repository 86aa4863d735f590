//! Attempts to tell an endpoint something, and what to do for each class of answer.

use serde::Deserialize;

use crate::{frame::Frame, words::Moment};

/// An attempt as the API tells it.
#[derive(Deserialize)]
pub struct Attempt {
    n: i64,
    at: String,
    trigger: String,
    status: Option<u16>,
    error: Option<String>,
    duration_ms: i64,
}

/// An attempt as it is shown.
pub struct Shown {
    /// Which one, from 1.
    pub n: i64,
    /// When it began.
    pub at: Moment,
    /// What caused it.
    pub trigger: String,
    /// What was answered, or why there was no answer.
    pub answer: String,
    /// Whether it arrived.
    pub is_good: bool,
    /// How long it took, in milliseconds.
    pub took: String,
    /// What to do.
    pub advice: String,
}

/// What was answered, in a word: a status, or why there is none.
pub fn answer(f: &Frame, status: Option<u16>, error: Option<&str>) -> String {
    match (status, error) {
        (Some(status), _) => f.say("answer-status", "status", &status.to_string()),
        (None, Some(error)) => {
            let key = format!("answer-{}", error.replace('_', "-"));
            f.words.known(&key).unwrap_or_else(|| error.replace('_', " "))
        }
        (None, None) => f.t("answer-none"),
    }
}

/// The class of an answer, by which there is something to do.
fn class(status: Option<u16>, error: Option<&str>) -> &'static str {
    match (status, error) {
        (Some(200..=299), _) => "good",
        (Some(300..=399), _) => "moved",
        (Some(401 | 403 | 407), _) => "refused",
        (Some(404 | 405), _) => "missing",
        (Some(410), _) => "gone",
        (Some(408 | 425 | 429 | 503), _) => "busy",
        (Some(400..=499), _) => "odd",
        (Some(_), _) => "broken",
        (None, Some("dns")) => "dns",
        (None, Some("address_refused")) => "address",
        (None, Some("connect")) => "connect",
        (None, Some("tls")) => "tls",
        (None, Some("timeout")) => "slow",
        (None, Some("too_large" | "protocol")) => "strange",
        (None, _) => "none",
    }
}

/// What to do about an answer, in a sentence.
pub fn advice(f: &Frame, status: Option<u16>, error: Option<&str>) -> String {
    f.of_word("advice-", class(status, error), "")
}

impl Attempt {
    /// As it is shown.
    pub fn shown(&self, f: &Frame) -> Shown {
        let (status, error) = (self.status, self.error.as_deref());
        let millis = u64::try_from(self.duration_ms).unwrap_or(0);
        Shown {
            n: self.n,
            at: f.moment(&self.at),
            trigger: f.of_word("trigger-", &self.trigger, ""),
            answer: answer(f, status, error),
            is_good: matches!(status, Some(200..=299)),
            took: f.say("took", "millis", &f.words.number(millis)),
            advice: advice(f, status, error),
        }
    }
}
