//! Webhooks: who is told what happened, and what became of it.
//!
//! The journal is the queue: nothing is written beside a change, so a change costs what it did.
//! Each endpoint has a [`Cursor`] that moves over the entries of its space; what could not be
//! delivered at once becomes a [`Delivery`], and the cursor goes on. `patron-delivery` does the
//! work and asks this module for everything it reads and writes ([`work`]).
//!
//! - This file: endpoints and what their owners do with them. [`notifier`]: how each API tells
//!   them.
//! - [`at`]: endpoints whose API keeps URLs apart. [`secrets`]: what an endpoint's requests are
//!   signed with; [`space_keys`], [`signers`]: with keys of its space. [`deliveries`]: what became
//!   of them; [`logs`]: the same for APIs that show all of it; [`replays`]: telling once more what
//!   has happened. [`listening`]: telling somebody who is no endpoint. [`carrier`]: what carries a
//!   request out. [`telling`]: what is told of an entry; [`trial`]: trying an endpoint out.

mod at;
pub mod carrier;
mod cursor;
pub mod deliveries;
pub mod listening;
pub mod logs;
pub mod notifier;
pub mod replays;
mod roll;
pub mod secrets;
pub mod signers;
pub mod space_keys;
pub mod telling;
pub mod trial;
pub mod work;

use async_recursion::async_recursion;
pub use patron_model::webhook::{EndpointPatch, EventType, Payload};
use patron_model::{
    Failure, Ids as _, Noun, Permission, Timestamp, Why,
    card::Found,
    event::EndpointEvent,
    webhook::{ENDPOINTS_MAX, Endpoint, EndpointReason, EndpointState, SecretNote},
};
use patron_store::{Column, Index, Kind, Value};

pub use self::cursor::{CURSOR, Cursor, Health, asks_of};
pub use self::deliveries::{Attempt, DELIVERY, Delivery, DeliveryState};
use self::notifier::SignsWith;
pub use self::replays::{REPLAY, Replay};
pub use self::roll::{ROLL, Roll};
use self::secrets::{Held, Signing};
pub use self::signers::{SIGNER, Signer};
use crate::{
    App, Cx,
    commit::{Draft, Expect, Saved},
    documents::{Document, named},
    failure,
    ids::new_uuid,
    keys,
    mails::notices,
    record::{self, Id, Loaded, Look, Page},
    search::{Compare, Field, Filter, Order, Query},
    vault,
};

/// Webhook endpoints.
pub static ENDPOINT: Kind = Kind {
    name: "webhook_endpoint",
    columns: &[Column::int("deleted_at", Index::Ordered)],
    terms: false,
};

/// Endpoints of an API that are shown, those that were deleted included.
pub const SHOWN_MAX: u32 = 5_000;

/// Entries between where an endpoint stopped and the present from which on it must be said where it
/// is to go on.
pub const RESUMED_MAX: i64 = 10_000;
/// The same of the age of the first of them, in seconds.
pub const RESUMED_SECONDS_MAX: i64 = 5 * 24 * 3600;

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
        for (name, value) in &self.own {
            found.member("own", name, value);
        }
    }
}

/// An endpoint that was made, or a secret for it, while that may be shown.
#[derive(Debug)]
pub struct Issued {
    /// The endpoint.
    pub endpoint: Saved<Endpoint>,
    /// The secret; none on a repeat that comes too late, or from somebody else.
    pub secret: Option<Signing>,
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

/// An endpoint to be made.
#[derive(Clone)]
pub struct NewEndpoint {
    /// The API in whose words it is told.
    pub dialect: &'static str,
    /// What its owner says of it.
    pub patch: EndpointPatch,
    /// Its first secret, where it signs with one of its own.
    pub secret: Option<Signing>,
    /// Number of the endpoint whose URL it is told at.
    pub at: Option<i64>,
    /// Number of the key that signs too.
    pub key: Option<i64>,
}

impl NewEndpoint {
    /// An endpoint with a URL of its own.
    pub fn of(dialect: &'static str, patch: EndpointPatch, secret: Option<Signing>) -> NewEndpoint {
        NewEndpoint { dialect, patch, secret, at: None, key: None }
    }
}

/// A new endpoint, told what happens from now on.
///
/// # Errors
/// `Invalid` with every fault, `Forbidden` for types that the caller may not see; `NotFound` for an
/// endpoint to be told at.
#[async_recursion]
pub async fn create(cx: &Cx, new: &NewEndpoint) -> Result<Issued, Failure> {
    let NewEndpoint { dialect, patch, secret, at, key } = new;
    let made = cx.settle(|mut draft| async {
        refuse_url(cx, patch)?;
        refuse_too_many(cx).await?;
        let mut blank = Endpoint::blank(draft.next(), cx.space, dialect, cx.now);
        (blank.at, blank.key) = (*at, *key);
        if let Some(at) = at {
            blank = at::placed(cx, &mut draft, blank, *at).await?;
        }
        let (endpoint, _) = blank.apply(patch, cx.rights, cx.now)?;
        let notes = secret.iter().map(|secret| note(1, secret, cx.now)).collect();
        let endpoint = Endpoint { version: 1, secrets: notes, ..endpoint };
        let number = endpoint.number;
        let held = Held::new(secret.as_ref(), patch.headers.clone().unwrap_or_default());
        vault::put(cx, &mut draft, secrets::place(number), &held.sealed_form()?).await?;
        let signs_with = cx.app.notifier(dialect).map(|notifier| notifier.signs_with);
        if signs_with == Some(SignsWith::Space) && at.is_some() {
            space_keys::ensure(cx, &mut draft).await?;
        }
        if endpoint.signature.has_keys() {
            signers::ensure(cx, &mut draft).await?;
        }
        let position = cx.app.store.head(cx.space).await.map_err(failure)?;
        let cursor = Cursor::at(cx.space, number, new_uuid(), position);
        draft.insert(&cursor.counting(&endpoint))?;
        roll::note(cx, &mut draft, &[number]).await?;
        let again = match secret {
            Some(secret) => sealed_again(cx, secret)?,
            None => None,
        };
        Ok(draft.create(endpoint)?.sealing(again))
    });
    issued(cx, made.await?, secret.clone())
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
    cx.app.secrets.seal(&again(cx), secret.bytes()).map(Some)
}

fn again(cx: &Cx) -> String {
    format!("new webhook secret for {}", cx.actor_name())
}

fn issued(cx: &Cx, endpoint: Saved<Endpoint>, secret: Option<Signing>) -> Result<Issued, Failure> {
    let secret = match endpoint.replayed {
        false => secret.filter(|_| !cx.dry_run),
        true => {
            let sealed = cx.outcome().and_then(|outcome| outcome.sealed.as_ref());
            let opened = sealed.and_then(|sealed| cx.app.secrets.open(&again(cx), sealed).ok());
            opened.map(Signing::of)
        }
    };
    Ok(Issued { endpoint, secret })
}

/// The newest good key of an API in the space, for endpoints that its secret signs for.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn signing_key(cx: &Cx, dialect: &str) -> Result<Option<i64>, Failure> {
    let of_space = Filter::equal(Field::Whole(vec!["space".to_owned()]), cx.space);
    let of_api = Filter::equal(Field::text(&["dialect"]), dialect);
    let query = Query { predicate: of_space.and(of_api), ..Query::of(cx.space) };
    let found = keys::find(cx, Query { order: Order::newest_first(), ..query }).await?;
    let good = found.items.iter().find(|key| key.is_good(cx.now));
    Ok(good.map(|key| key.number))
}

/// A living endpoint.
///
/// # Errors
/// `NotFound`.
#[async_recursion]
pub async fn get(cx: &Cx, id: Id) -> Result<Loaded<Endpoint>, Failure> {
    record::load(cx, Look::at(id)).await
}

/// An endpoint of an API, deleted or not.
///
/// # Errors
/// `NotFound`, also for one of another API.
#[async_recursion]
pub async fn of_api(cx: &Cx, dialect: &str, id: Id) -> Result<Loaded<Endpoint>, Failure> {
    let found: Loaded<Endpoint> = record::load(cx, Look::at(id).or_deleted()).await?;
    match found.dialect == dialect {
        true => Ok(found),
        false => Err(Failure::NotFound { noun: Noun::Endpoint }),
    }
}

/// Endpoints of an API, deleted ones included: the latest [`SHOWN_MAX`], oldest first.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn all_of_api(cx: &Cx, dialect: &str) -> Result<Vec<Loaded<Endpoint>>, Failure> {
    let predicate = Filter::equal(Field::text(&["dialect"]), dialect);
    let order = Order::newest_first();
    let query = Query { predicate, order, limit: SHOWN_MAX, ..Query::of(cx.space) };
    let mut items = record::page::<Endpoint>(cx, &query).await?.items;
    items.reverse();
    Ok(items)
}

/// A page of living endpoints.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn list(cx: &Cx, query: Query) -> Result<Page<Endpoint>, Failure> {
    let predicate = living().and(query.predicate);
    record::page(cx, &Query { predicate, ..query }).await
}

/// How far an endpoint is, and how it fares.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn cursor(cx: &Cx, number: i64) -> Result<Option<Loaded<Cursor>>, Failure> {
    cursor::load(&cx.app, cx.space, number).await
}

/// A changed endpoint. `from`: where it goes on, when it was told nothing.
///
/// # Errors
/// `NotFound`, `Stale`; `Invalid` with every fault; `Forbidden` for types that the caller may not
/// see; `WrongState` where it has to be said where it goes on.
#[async_recursion]
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
        if after.signature.has_keys() && !before.signature.has_keys() {
            signers::ensure(cx, &mut draft).await?;
        }
        let mut changed = vec![after.number];
        if !before.is_told() && after.is_told() {
            resume(cx, &mut draft, &after, from).await?;
        }
        if !after.is_told() {
            replays::end(cx, &mut draft, after.number).await?;
        }
        changed.extend(at::follow(cx, &mut draft, (&before, &after), from).await?);
        roll::note(cx, &mut draft, &changed).await?;
        draft.change(&before, after, EndpointEvent::Updated, &changes)
    })
    .await
}

/// Puts the cursor of a paused endpoint where it goes on.
async fn resume(
    cx: &Cx,
    draft: &mut Draft<'_>,
    endpoint: &Endpoint,
    from: Option<ResumeFrom>,
) -> Result<(), Failure> {
    let cursor = cursor(cx, endpoint.number).await?;
    let cursor = cursor.ok_or_else(|| Failure::internal("an endpoint without a cursor"))?;
    let head = cx.app.store.head(cx.space).await.map_err(failure)?;
    let first = work::entry(&cx.app, cx.space, cursor.position + 1).await?;
    let oldest = cx.now.plus_seconds(-RESUMED_SECONDS_MAX).micros();
    let position = match from {
        None if first.is_some_and(|entry| entry.at < oldest) => {
            let needs = "named where to go on from: resume_from kept, now or a position";
            return Err(Failure::WrongState { is: "more than 5 days behind", needs });
        }
        None if head - cursor.position > RESUMED_MAX => {
            let needs = "named where to go on from: resume_from kept, now or a position";
            return Err(Failure::WrongState { is: "more than 10000 entries behind", needs });
        }
        None | Some(ResumeFrom::Kept) => cursor.position,
        Some(ResumeFrom::Now) => head,
        Some(ResumeFrom::After(seq)) if seq <= head => seq,
        Some(ResumeFrom::After(_)) => return Err(Failure::Beyond { head }),
    };
    let matched = match position < cursor.position {
        true => {
            let endpoint = notifier::Subscription::of(&cx.app, endpoint.clone())?;
            cursor::count(&cx.app, &endpoint, &cursor, position).await?
        }
        false => None,
    };
    let after = cursor.record.resumed(position, matched);
    draft.replace(&cursor, &after, patron_model::event::UntoldEvent::Updated, &[])
}

/// Deletes an endpoint. What is under way to it may still arrive.
///
/// # Errors
/// `NotFound`, `Stale`.
#[async_recursion]
pub async fn delete(cx: &Cx, id: Id, expect: Expect) -> Result<Saved<Endpoint>, Failure> {
    cx.settle(|mut draft| async {
        let before = get(cx, id).await?;
        expect.check(before.version, before.revision)?;
        at::refuse_used(cx, before.number).await?;
        vault::forget(cx, &mut draft, &secrets::place(before.number)).await?;
        roll::note(cx, &mut draft, &[before.number]).await?;
        replays::end(cx, &mut draft, before.number).await?;
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
#[async_recursion]
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
            roll::note(cx, &mut draft, &[number]).await?;
            replays::end(cx, &mut draft, number).await?;
            draft.replace(&before, &after, event, &["state"])?;
            notices::endpoint_stopped(cx, &mut draft, &before, reason).await?;
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
#[async_recursion]
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
    cx.write(|mut draft| async {
        vault::forget(cx, &mut draft, &space_keys::place(space)).await?;
        Ok((draft, ()))
    })
    .await?;
    signers::forget(cx, space).await?;
    let mut after = 0;
    loop {
        let predicate = Filter::Compare(Field::Number, Compare::Greater, after.into());
        let query = Query { predicate: living().and(predicate), ..Query::of(space) };
        let rows = cx.app.store.find(&ENDPOINT, &query).await.map_err(failure)?.rows;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.number;
        cx.write(|mut draft| async {
            for row in &rows {
                vault::forget(cx, &mut draft, &secrets::place(row.number)).await?;
            }
            Ok((draft, ()))
        })
        .await?;
    }
}

/// The word of what happened, as it is told: `customer.updated`.
pub fn told(noun: &str, action: &str) -> String {
    format!("{noun}.{action}")
}
