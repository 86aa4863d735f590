//! What the gateway tells the audit trail, and the log of its failures.

use std::sync::Arc;

use patron_app::{
    Actor, App, Cx,
    audit::refusals::{Refusal, Refused},
    audit::{self, Act},
    secrets::sha256_hex,
};
use patron_model::{Failure, audit::kept_agent};

use crate::{
    addresses::network,
    door::Door,
    exchange::{Exchange, Reply},
    operation::{Access, Operation},
};

/// Longest claim that is looked at as it is (bytes); of longer ones only the hash is kept.
const CLAIM_BYTES_MAX: usize = 128;

/// Numbers of the verbs export and import in permissions.
const EXPORT: u16 = 4;
const IMPORT: u16 = 5;

/// What the trail says of an operation that takes data away or brings it in, once it is done: its
/// permission says that it does.
pub(crate) fn act_of(operation: &Operation) -> Option<String> {
    let Access::Needs(permission) = operation.access else { return None };
    let done = match permission.number() % 100 {
        EXPORT => "exported",
        IMPORT => "imported",
        _ => return None,
    };
    let (noun, _) = permission.as_str().split_once(':')?;
    Some(format!("{noun}.{done}"))
}

/// Tells what was done and whose data was read, before the answer goes out.
///
/// # Errors
/// Whatever the store says: then there is no answer.
pub(crate) async fn done(cx: &Cx, act: Option<String>) -> Result<(), Failure> {
    if let (Some(action), Actor::Caller(caller)) = (act, &cx.actor) {
        let space = Some(cx.space).filter(|space| *space != 0);
        let account = Some(caller.key.account);
        let act = Act { action, account, space, ..Act::default() };
        audit::note(cx, act).await?;
    }
    cx.audit_reads().await
}

/// Tells of a refusal, if the outcome is one.
pub(crate) fn refused(
    app: &Arc<App>,
    door: &Door,
    exchange: &Exchange,
    outcome: &Result<Reply, Failure>,
) {
    let (refused, reason) = match outcome {
        Ok(reply) if !reply.refuses_sign_in => return,
        Ok(_) => (Refused::SignIn, "wrong credentials"),
        Err(Failure::Unauthenticated { reason }) => (Refused::SignIn, *reason),
        Err(Failure::Forbidden) => (Refused::Access, "the key may not do this, or not there"),
        Err(_) => match exchange.unsigned.get() {
            Some(reason) => (Refused::SignIn, *reason),
            None => return,
        },
    };
    let claimed = (door.claimed)(exchange).map(|claimed| match claimed.len() {
        0..=CLAIM_BYTES_MAX => claimed,
        _ => sha256_hex(&claimed),
    });
    app.refused(Refusal {
        refused,
        at: exchange.now,
        via: door.name,
        operation: exchange.operation,
        reason,
        claimed,
        space: exchange.space.get().map(|space| space.number),
        address: exchange.client,
        network: exchange.client.map(network),
        agent: exchange.header("user-agent").and_then(kept_agent),
        request: Arc::clone(&exchange.request_id),
    });
}

/// Faults of the server are logged where they are known, with what only the log may say.
pub(crate) fn note_failure(failure: &Failure, exchange: &Exchange, operation: &str) {
    match failure {
        Failure::Internal(report) => tracing::error!(
            operation,
            request.id = %exchange.request_id,
            details = report.details,
            "{operation} failed"
        ),
        Failure::Unauthenticated { reason } => tracing::info!(
            operation,
            request.id = %exchange.request_id,
            reason,
            "sign-in refused: {reason}"
        ),
        _ => {}
    }
}
