//! Trying an endpoint out: one request with a made-up customer, answered with what came of it.

use std::time::{Duration, Instant};

use async_recursion::async_recursion;
use patron_model::{Failure, Timestamp};
use patron_store::Entry;
use serde_json::json;

use super::{
    Attempt, carrier::Posted, deliveries::Trigger, get, notifier::Subscription, secrets,
    telling::Happening,
};
use crate::{Cx, customers::CUSTOMER, ids::new_uuid, record::Id};

/// Sends a made-up customer; a dry run sends nothing.
///
/// # Errors
/// `NotFound`; whatever the store says.
#[async_recursion]
pub async fn send(cx: &Cx, id: Id) -> Result<Attempt, Failure> {
    let endpoint = get(cx, id).await?;
    let mut attempt =
        Attempt { n: 1, at: cx.now, trigger: Trigger::Test, status: None, error: None, ms: 0 };
    let entry = made_up(cx.space, cx.now);
    let subscription = Subscription::of(&cx.app, endpoint.record)?;
    let happening = Happening {
        endpoint: &subscription,
        entry: &entry,
        nth: 0,
        is_thin: true,
        is_truncated: false,
        is_test: true,
    };
    let body = (subscription.notifier.tell)(&happening)?.into_iter().next();
    let nothing = Failure::WrongState { is: "told nothing about customers", needs: "told of them" };
    let body = body.ok_or(nothing)?;
    let keys = secrets::keys(&cx.app, &subscription).await?;
    let id = format!("evt_{}_test_{}", cx.space, new_uuid().simple());
    let headers = keys.headers(&subscription, &id, cx.now, &body)?;
    let endpoint = &subscription.endpoint;
    let within = Duration::from_secs(u64::try_from(endpoint.timeout_seconds).unwrap_or(1));
    if cx.dry_run {
        return Ok(attempt);
    }
    let started = Instant::now();
    let posted = Posted { url: endpoint.url.clone(), headers, body, within };
    match cx.app.carrier()?.post(&posted).await {
        Ok(answer) => attempt.status = Some(answer.status),
        Err(class) => attempt.error = Some(class.to_owned()),
    }
    attempt.ms = i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX);
    Ok(attempt)
}

/// An entry about a customer that never was.
pub(super) fn made_up(space: i64, now: Timestamp) -> Entry {
    let doc = json!({"uuid": new_uuid(), "version": 1});
    Entry {
        tenant: space,
        seq: 0,
        kind: CUSTOMER.name.to_owned(),
        number: 0,
        subject: 0,
        related: Vec::new(),
        revision: 1,
        action: "created".to_owned(),
        at: now.micros(),
        actor: "operator".to_owned(),
        request: "test".to_owned(),
        changed: "[]".to_owned(),
        doc: doc.to_string(),
    }
}
