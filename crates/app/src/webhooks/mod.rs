//! Webhooks: who is told what happened, and what became of it.
//!
//! The journal is the queue: nothing is written beside a change, so a change costs what it did.
//! Each endpoint has a [`Cursor`] that moves over the entries of its space; what could not be
//! delivered at once becomes a [`Delivery`], and the cursor goes on. `patron-delivery` does the
//! work and asks this module for everything it reads and writes ([`work`]).
//!
//! - This file: endpoints and what their owners do with them.
//! - [`secrets`]: what an endpoint's requests are signed with. [`deliveries`]: what became of
//!   entries. [`carrier`]: what carries a request out. [`telling`]: what is told of an entry;
//!   [`trial`]: trying an endpoint out.

pub mod carrier;
mod cursor;
pub mod deliveries;
mod roll;
pub mod secrets;
pub mod telling;
pub mod trial;
pub mod work;

pub use patron_model::webhook::{EndpointPatch, EventType, Payload};
use patron_model::{
    Failure, Ids as _, Noun, Permission, Timestamp, Why,
    card::Found,
    event::EndpointEvent,
    webhook::{ENDPOINTS_MAX, Endpoint, EndpointReason, EndpointState, SecretNote},
};
use patron_store::{Column, Index, Kind, Value};

pub use self::cursor::{CURSOR, Cursor, Health};
pub use self::deliveries::{Attempt, DELIVERY, Delivery, DeliveryState};
pub use self::roll::{ROLL, Roll};
use self::secrets::{Held, Signing};
use crate::{
    App, Cx,
    commit::{Draft, Expect, Saved},
    documents::{Document, named},
    failure,
    ids::new_uuid,
    record::{self, Id, Loaded, Look, Page},
    search::{Compare, Field, Filter, Query},
    vault,
};

/// Webhook endpoints.
pub static ENDPOINT: Kind = Kind {
    name: "webhook_endpoint",
    columns: &[Column::int("deleted_at", Index::Ordered)],
    terms: false,
};

/// Entries between where an endpoint stopped and the present from which on it must be said where it
/// is to go on.
pub const RESUMED_MAX: i64 = 10_000;

impl Document for Endpoint {
    named!(ENDPOINT, Endpoint, EndpointEvent, in_space);
    const SEEN_BY: Option<Permission> = Some(Permission::WebhookRead);

    fn is_gone(&self) -> bool {
        Endpoint::is_gone(self)
    }

    fn columns(&self) -> Vec<Value> {
        vec![self.is_gone().then(|| self.updated_at.micros()).into()]
    }

    fn search_cards(&self, found: &mut Found) {
        found.text("url", &self.url);
        found.maybe("description", self.description.as_ref());
        for name in &self.header_names {
            found.text("headers", name);
        }
    }
}

/// An endpoint that was made, or a secret for it, while that may be shown.
#[derive(Debug)]
pub struct Issued {
    /// The endpoint.
    pub endpoint: Saved<Endpoint>,
    /// The secret, as it is shown; none on a repeat that comes too late, or from somebody else.
    pub secret: Option<String>,
}

/// Where a paused endpoint goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResumeFrom {
    /// Where it stopped.
    Kept,
    /// With what happens from now on.
    Now,
    /// Behind this position.
    After(i64),
}

/// A new endpoint, told what happens from now on. `own`: its first secret, where it is not to be
/// made here.
///
/// # Errors
/// `Invalid` with every fault, `Forbidden` for types that the caller may not see.
pub async fn create(
    cx: &Cx,
    patch: &EndpointPatch,
    own: Option<Signing>,
) -> Result<Issued, Failure> {
    let secret = own.unwrap_or_else(Signing::random);
    let made = cx.settle(|mut draft| async {
        refuse_url(cx, patch)?;
        refuse_too_many(cx).await?;
        let blank = Endpoint::blank(draft.next(), cx.space, cx.now);
        let (endpoint, _) = blank.apply(patch, cx.rights, cx.now)?;
        let note = note(1, &secret, cx.now);
        let endpoint = Endpoint { version: 1, secrets: vec![note], ..endpoint };
        let number = endpoint.number;
        let held = Held::new(&secret, patch.headers.clone().unwrap_or_default());
        vault::put(cx, &mut draft, secrets::place(number), &held.sealed_form()?).await?;
        let position = cx.app.store.head(cx.space).await.map_err(failure)?;
        draft.insert(&Cursor::at(cx.space, number, new_uuid(), position))?;
        roll::note(cx, &mut draft, number).await?;
        let again = sealed_again(cx, &secret)?;
        Ok(draft.create(endpoint)?.sealing(again))
    });
    issued(cx, made.await?, &secret)
}

fn note(n: i64, secret: &Signing, now: Timestamp) -> SecretNote {
    SecretNote { n, hint: secret.hint(), created_at: now, expires_at: None }
}

/// A URL that must not be asked, with what it would have to be.
fn refuse_url(cx: &Cx, patch: &EndpointPatch) -> Result<(), Failure> {
    let Some(url) = &patch.url else { return Ok(()) };
    let carrier = cx.app.carrier()?;
    carrier.check(url).map_err(|expected| Failure::invalid("url", Why::Malformed { expected }))
}

async fn refuse_too_many(cx: &Cx) -> Result<(), Failure> {
    let count = cx.app.store.count(&ENDPOINT, &[cx.space], &living()).await.map_err(failure)?;
    if count >= ENDPOINTS_MAX {
        let needs = "fewer than 1000 in the space";
        return Err(Failure::WrongState { is: "one endpoint too many", needs });
    }
    Ok(())
}

fn living() -> Filter {
    Filter::Missing(Field::Column("deleted_at"))
}

/// The secret sealed for a repeat of the request by the same caller.
fn sealed_again(cx: &Cx, secret: &Signing) -> Result<Option<String>, Failure> {
    if cx.idempotency.is_none() {
        return Ok(None);
    }
    cx.app.secrets.seal(&again(cx), secret.shown().as_bytes()).map(Some)
}

fn again(cx: &Cx) -> String {
    format!("new webhook secret for {}", cx.actor_name())
}

fn issued(cx: &Cx, endpoint: Saved<Endpoint>, secret: &Signing) -> Result<Issued, Failure> {
    let secret = match endpoint.replayed {
        false => (!cx.dry_run).then(|| secret.shown()),
        true => {
            let sealed = cx.outcome().and_then(|outcome| outcome.sealed.as_ref());
            let opened = sealed.and_then(|sealed| cx.app.secrets.open(&again(cx), sealed).ok());
            opened.and_then(|bytes| String::from_utf8(bytes).ok())
        }
    };
    Ok(Issued { endpoint, secret })
}

/// A living endpoint.
///
/// # Errors
/// `NotFound`.
pub async fn get(cx: &Cx, id: Id) -> Result<Loaded<Endpoint>, Failure> {
    record::load(cx, Look::at(id)).await
}

/// A page of living endpoints.
///
/// # Errors
/// Whatever the store says.
pub async fn list(cx: &Cx, query: Query) -> Result<Page<Endpoint>, Failure> {
    let predicate = living().and(query.predicate);
    record::page(cx, &Query { predicate, ..query }).await
}

/// How far an endpoint is, and how it fares.
///
/// # Errors
/// Whatever the store says.
pub async fn cursor(cx: &Cx, number: i64) -> Result<Option<Loaded<Cursor>>, Failure> {
    cursor::load(&cx.app, cx.space, number).await
}

/// A changed endpoint. `from`: where it goes on, when it was paused.
///
/// # Errors
/// `NotFound`, `Stale`; `Invalid` with every fault; `Forbidden` for types that the caller may not
/// see; `WrongState` where it has to be said where it goes on.
pub async fn update(
    cx: &Cx,
    id: Id,
    expect: Expect,
    patch: &EndpointPatch,
    from: Option<ResumeFrom>,
) -> Result<Saved<Endpoint>, Failure> {
    cx.settle(|mut draft| async {
        let before = get(cx, id).await?;
        expect.check(before.version, before.revision)?;
        refuse_url(cx, patch)?;
        let (after, changes) = before.apply(patch, cx.rights, cx.now)?;
        if changes.is_empty() {
            return Ok(draft.keep(before));
        }
        if let Some(headers) = &patch.headers {
            let held = secrets::of(&cx.app, after.number).await?;
            let next = Held { headers: headers.clone(), ..held.held.clone() };
            held.replace(cx, &mut draft, &next).await?;
        }
        if before.state != EndpointState::Active && after.state == EndpointState::Active {
            resume(cx, &mut draft, after.number, from).await?;
        }
        roll::note(cx, &mut draft, after.number).await?;
        draft.change(&before, after, EndpointEvent::Updated, &changes)
    })
    .await
}

/// Puts the cursor of a paused endpoint where it goes on.
async fn resume(
    cx: &Cx,
    draft: &mut Draft<'_>,
    number: i64,
    from: Option<ResumeFrom>,
) -> Result<(), Failure> {
    let cursor = cursor(cx, number).await?;
    let cursor = cursor.ok_or_else(|| Failure::internal("an endpoint without a cursor"))?;
    let head = cx.app.store.head(cx.space).await.map_err(failure)?;
    let position = match from {
        None if head - cursor.position > RESUMED_MAX => {
            let needs = "named where to go on from: resume_from kept, now or a position";
            return Err(Failure::WrongState { is: "more than 10000 entries behind", needs });
        }
        None | Some(ResumeFrom::Kept) => cursor.position,
        Some(ResumeFrom::Now) => head,
        Some(ResumeFrom::After(seq)) if seq <= head => seq,
        Some(ResumeFrom::After(_)) => return Err(Failure::Beyond { head }),
    };
    let after = cursor.record.resumed(position);
    draft.replace(&cursor, &after, patron_model::event::UntoldEvent::Updated, &[])
}

/// Deletes an endpoint. What is under way to it may still arrive.
///
/// # Errors
/// `NotFound`, `Stale`.
pub async fn delete(cx: &Cx, id: Id, expect: Expect) -> Result<Saved<Endpoint>, Failure> {
    cx.settle(|mut draft| async {
        let before = get(cx, id).await?;
        expect.check(before.version, before.revision)?;
        if let Some(kept) = vault::find(&cx.app, &secrets::place(before.number)).await? {
            draft.remove(&kept);
        }
        roll::note(cx, &mut draft, before.number).await?;
        let after = before.deleted(cx.now);
        draft.change(&before, after, EndpointEvent::Deleted, &["deleted_at"])
    })
    .await
}

/// Pauses or ends an endpoint for a reason of its own: nobody asked for it. Does nothing when it is
/// told nothing already.
///
/// # Errors
/// `NotFound`; whatever the store says.
pub async fn pause(cx: &Cx, number: i64, reason: EndpointReason) -> Result<(), Failure> {
    let event = match reason {
        EndpointReason::Gone => EndpointEvent::Ended,
        EndpointReason::User | EndpointReason::Failing | EndpointReason::Restored => {
            EndpointEvent::Paused
        }
    };
    cx.write(|mut draft| async {
        let before = get(cx, Id::Number(number)).await?;
        if before.state == EndpointState::Active {
            let after = before.record.clone().paused(reason).changed(cx.now);
            roll::note(cx, &mut draft, number).await?;
            draft.replace(&before, &after, event, &["state"])?;
        }
        Ok((draft, ()))
    })
    .await
}

/// Pauses every endpoint: a copy of the data must not tell anybody what the original told them.
/// Answers how many were.
///
/// # Errors
/// Whatever the store says.
pub async fn pause_all(app: &std::sync::Arc<App>) -> Result<usize, Failure> {
    let mut paused = 0;
    for endpoint in work::active(app).await? {
        let cx = app.operator(endpoint.space, "restore");
        pause(&cx, endpoint.number, EndpointReason::Restored).await?;
        paused += 1;
    }
    Ok(paused)
}

/// Removes the secrets of all endpoints of a space that leaves.
///
/// # Errors
/// Whatever the store says.
pub(crate) async fn forget_secrets(cx: &Cx, space: i64) -> Result<(), Failure> {
    let mut after = 0;
    loop {
        let predicate = Filter::Compare(Field::Number, Compare::Greater, after.into());
        let query = Query { predicate: living().and(predicate), ..Query::of(space) };
        let rows = cx.app.store.find(&ENDPOINT, &query).await.map_err(failure)?.rows;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.number;
        cx.write(|mut draft| async {
            for row in &rows {
                if let Some(kept) = vault::find(&cx.app, &secrets::place(row.number)).await? {
                    draft.remove(&kept);
                }
            }
            Ok((draft, ()))
        })
        .await?;
    }
}

/// What is asked for by words that are no endpoint's.
pub(crate) fn not_found() -> Failure {
    Failure::NotFound { noun: Noun::Endpoint }
}

/// The word of what happened, as it is told: `customer.updated`.
pub fn told(noun: &str, action: &str) -> String {
    format!("{noun}.{action}")
}
