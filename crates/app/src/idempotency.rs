//! Idempotency keys as data: a key and its outcome are committed with the change, so a repeat after
//! a crash gives the same answer (draft-ietf-httpapi-idempotency-key-header).
//!
//! The outcome names the record, its revision and what happened; a repeat reads that revision from
//! the journal and is rendered by the same code as the first time. Refusals change nothing and are
//! not remembered.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

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
pub struct Outcome {
    /// Kind of the record it was about.
    pub kind: String,
    /// Its number.
    pub number: i64,
    /// Its revision afterwards.
    pub revision: i64,
    /// What happened.
    pub action: String,
    /// What a repeat shows beside the record, sealed: the secret of a new key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<String>,
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
