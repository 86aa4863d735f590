//! Idempotency keys as data: a key and its outcome are committed with the change, so a repeat after
//! a crash gives the same answer (draft-ietf-httpapi-idempotency-key-header).
//!
//! The outcome names the records, their revisions and what happened; a repeat reads those from the
//! journal and is rendered by the same code as the first time. Refusals change nothing and are not
//! remembered.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_recursion::async_recursion;
use patron_model::Failure;
use serde::{Deserialize, Serialize};

use crate::{App, failure};

/// Seconds an answer is remembered by default: 30 days.
pub const REMEMBERED_SECONDS: i64 = 30 * 24 * 3600;
/// Most characters of a key.
pub const KEY_CHARS_MAX: usize = 255;

/// The idempotency key of one request.
#[derive(Debug)]
pub struct Idempotency {
    /// What the answer lies under: a keyed fingerprint of the key that was sent.
    pub key: String,
    /// Operation it is used with.
    pub operation: String,
    /// Fingerprint of the request.
    pub fingerprint: String,
    /// Seconds the answer is remembered.
    pub remembered_seconds: i64,
    /// The outcome of the first request, when this is a repeat.
    pub outcome: Option<Outcome>,
    /// Ends the "running" mark when the request ends.
    _mark: Option<Mark>,
}

/// What came of a request.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "Held")]
pub struct Outcome {
    /// The records that are answered, in an order of the use case's own; the one it was about comes
    /// first. As many as the use case answers, which is bounded.
    pub records: Vec<Touched>,
    /// What a repeat shows beside the records, sealed: the secret of a new key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<String>,
}

/// The records that an outcome names: kind, number and revision.
pub fn records_of(outcome: &str) -> Vec<(String, i64, i64)> {
    let outcome: Option<Outcome> = serde_json::from_str(outcome).ok();
    let records = outcome.map_or_else(Vec::new, |outcome| outcome.records);
    records.into_iter().map(|record| (record.kind, record.number, record.revision)).collect()
}

/// A record as a request left it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touched {
    /// Its kind.
    pub kind: String,
    /// Its number.
    pub number: i64,
    /// Its revision afterwards.
    pub revision: i64,
    /// What happened.
    pub action: String,
}

/// An outcome as it is stored: before layout 3 it was about one record.
#[derive(Deserialize)]
#[serde(untagged)]
enum Held {
    Several {
        records: Vec<Touched>,
        #[serde(default)]
        sealed: Option<String>,
    },
    One {
        #[serde(flatten)]
        record: Touched,
        #[serde(default)]
        sealed: Option<String>,
    },
}

impl From<Held> for Outcome {
    fn from(held: Held) -> Outcome {
        match held {
            Held::Several { records, sealed } => Outcome { records, sealed },
            Held::One { record, sealed } => Outcome { records: vec![record], sealed },
        }
    }
}

/// Keys of requests that are running in this process.
#[derive(Default, Debug, Clone)]
pub(crate) struct Running(Arc<Mutex<HashSet<(i64, String)>>>);

#[derive(Debug)]
struct Mark {
    running: Running,
    entry: (i64, String),
}

impl Drop for Mark {
    fn drop(&mut self) {
        self.running.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.entry);
    }
}

impl App {
    /// Begins a request under an idempotency key.
    ///
    /// # Errors
    /// `InFlight` while another request with the key runs, `KeyReused` when the key belongs to
    /// another request.
    #[async_recursion]
    pub async fn begin(
        &self,
        space: i64,
        key: &str,
        operation: &str,
        fingerprint: String,
        remembered_seconds: i64,
    ) -> Result<Idempotency, Failure> {
        let key = self.answer_key(space, key);
        let entry = (space, key.clone());
        let fresh =
            self.running.0.lock().unwrap_or_else(PoisonError::into_inner).insert(entry.clone());
        if !fresh {
            return Err(Failure::InFlight);
        }
        let mark = Mark { running: self.running.clone(), entry };
        let since = self.clock.now().plus_seconds(-remembered_seconds).micros();
        let answer = self.store.answer(space, &key).await.map_err(failure)?;
        let outcome = match answer.filter(|answer| answer.at >= since) {
            None => None,
            Some(answer) if answer.operation != operation || answer.fingerprint != fingerprint => {
                return Err(Failure::KeyReused);
            }
            Some(answer) => Some(serde_json::from_str(&answer.outcome).map_err(Failure::internal)?),
        };
        Ok(Idempotency {
            key,
            operation: operation.to_owned(),
            fingerprint,
            remembered_seconds,
            outcome,
            _mark: Some(mark),
        })
    }

    /// Callers put what they like into keys, names of people and of files included: it must not be
    /// possible to try out what lies in the store.
    fn answer_key(&self, space: i64, key: &str) -> String {
        self.secrets.answer_fingerprint("key", &[&space.to_be_bytes(), key.as_bytes()])
    }

    /// An idempotency mark for work that numbers itself, such as the rows of an import.
    pub fn mark(&self, space: i64, key: &str, operation: &str) -> Idempotency {
        Idempotency {
            fingerprint: String::new(),
            key: self.answer_key(space, key),
            operation: operation.to_owned(),
            remembered_seconds: REMEMBERED_SECONDS,
            outcome: None,
            _mark: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_of_before_are_about_one_record() {
        let before =
            r#"{"kind":"key","root":7,"number":7,"revision":2,"action":"created","sealed":"x"}"#;
        let outcome: Outcome = serde_json::from_str(before).unwrap();
        let (kind, action) = ("key".to_owned(), "created".to_owned());
        let record = Touched { kind, number: 7, revision: 2, action };
        assert_eq!(
            (outcome.records.as_slice(), outcome.sealed.as_deref()),
            (&[record][..], Some("x"))
        );
        let now = serde_json::to_string(&Outcome { sealed: None, ..outcome.clone() }).unwrap();
        let records = r#"{"records":[{"kind":"key","number":7,"revision":2,"action":"created"}]}"#;
        assert_eq!(now, records);
        let again: Outcome = serde_json::from_str(&now).unwrap();
        assert_eq!(again.records, outcome.records);
    }
}
