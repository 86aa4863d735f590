//! What is told of an entry. The body is made anew for every attempt: nothing of it is stored.

use std::sync::Arc;

use async_recursion::async_recursion;
use patron_model::{
    Failure, Permission,
    webhook::{Endpoint, Payload},
};
use patron_store::{EMPTY, Entry};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::notifier::Subscription;
use crate::{App, customers, documents, failure, record::Id};

/// Bytes of a body; a larger one is told thin.
pub const BODY_BYTES_MAX: usize = 256 * 1024;

/// What is to be told.
#[derive(Debug, Clone, Copy)]
pub struct Happening<'a> {
    /// To whom.
    pub endpoint: &'a Endpoint,
    /// The entry.
    pub entry: &'a Entry,
    /// It is the endpoint's nth.
    pub nth: i64,
    /// Whether only which record it is is told.
    pub is_thin: bool,
    /// Whether that is because it was too large.
    pub is_truncated: bool,
    /// Whether nothing happened and the endpoint is tried out.
    pub is_test: bool,
}

/// The id of what happened: the same for every endpoint and attempt.
pub fn id_of(entry: &Entry) -> String {
    format!("evt_{}_{}", entry.tenant, entry.seq)
}

/// The UUID of the record that an entry is about.
///
/// # Errors
/// `Internal` where the record cannot be read.
pub fn uuid_of(entry: &Entry) -> Result<Uuid, Failure> {
    #[derive(Deserialize)]
    struct Named {
        uuid: Uuid,
    }
    let named: Named = serde_json::from_str(&entry.doc).map_err(Failure::internal)?;
    Ok(named.uuid)
}

/// What an endpoint is told of an entry; nothing where it may not be told any more.
///
/// # Errors
/// Whatever the store says; `Internal` where the record cannot be read.
#[async_recursion]
pub async fn bodies(
    app: &Arc<App>,
    subscription: &Subscription,
    entry: &Entry,
    nth: i64,
) -> Result<Vec<Vec<u8>>, Failure> {
    let Subscription { endpoint, notifier } = subscription;
    if entry.doc == EMPTY || !is_seen(endpoint, entry) {
        return Ok(Vec::new());
    }
    let is_gone = ["deleted", "absorbed"].contains(&entry.action.as_str());
    let is_thin = endpoint.payload == Payload::Thin
        || is_gone
        || !endpoint.sees.has(Permission::CustomerPast) && !is_present(app, entry).await?;
    let happening =
        Happening { endpoint, entry, nth, is_thin, is_truncated: false, is_test: false };
    let bodies = (notifier.tell)(&happening)?;
    if bodies.iter().all(|body| body.len() <= BODY_BYTES_MAX) {
        return Ok(bodies);
    }
    (notifier.tell)(&Happening { is_thin: true, is_truncated: true, ..happening })
}

/// Whether an endpoint may be told of an entry.
pub fn is_seen(endpoint: &Endpoint, entry: &Entry) -> bool {
    let needed = documents::seen_by(&entry.kind, &entry.doc);
    needed.is_some_and(|needed| endpoint.sees.has(needed))
}

/// Whether an endpoint asked for an entry, and may be told of it.
pub fn is_wanted(subscription: &Subscription, entry: &Entry) -> bool {
    let Subscription { endpoint, notifier } = subscription;
    let noun = documents::word(entry);
    endpoint.wants(&noun, &entry.action, entry.subject, &entry.changed)
        && is_seen(endpoint, entry)
        && has_metadata(endpoint, entry)
        && (notifier.wants)(endpoint, entry)
}

/// Whether the record in an entry has the metadata that an endpoint asks for.
fn has_metadata(endpoint: &Endpoint, entry: &Entry) -> bool {
    let wanted = &endpoint.filter.metadata;
    if wanted.is_empty() {
        return true;
    }
    let Ok(record) = serde_json::from_str::<Value>(&entry.doc) else { return false };
    let metadata = &record["metadata"];
    wanted.iter().all(|(key, value)| metadata[key.as_str()] == value.as_str())
}

/// Whether the record is what the entry says, and the customer it hangs on is still there: all that
/// is told to whoever may not see the past.
async fn is_present(app: &Arc<App>, entry: &Entry) -> Result<bool, Failure> {
    let Some(kind) = documents::kind_named(&entry.kind) else { return Ok(false) };
    let row = app.store.get(kind, entry.tenant, entry.number).await.map_err(failure)?;
    if row.is_none_or(|row| row.revision != entry.revision) {
        return Ok(false);
    }
    if entry.subject == entry.number {
        return Ok(true);
    }
    let cx = app.operator(entry.tenant, "webhooks");
    match customers::get(&cx, Id::Number(entry.subject)).await {
        Ok(_) => Ok(true),
        Err(Failure::NotFound { .. }) => Ok(false),
        Err(failure) => Err(failure),
    }
}
