//! Adding, reading, changing and deleting one customer (dossier §4.1–§4.5).

use patron_app::{
    Cx, Expect, Loaded, Saved,
    commit::ATTEMPTS_MAX,
    customers::{self as verbs, Id},
    secrets,
};
use patron_gateway::{Reply, Request};
use patron_model::{
    Failure, Noun, Patch,
    customer::{Customer, CustomerPatch, PasswordHash},
};
use serde_json::Value;

use crate::{
    NAME,
    body::{self, CustomerBody, UNCLAIMED_NUMBER},
    envelopes,
    identifiers::{self, Identifiers},
    paypoint::{self, Paypoint},
    query::Parameters,
    record::Record,
    stored_methods::MethodsOf,
};

/// How a customer is to be added.
#[derive(Debug, Clone, Copy, Default)]
pub struct Adding {
    /// Always as a new record (`forceCustomerCreation`).
    pub forced: bool,
    /// Overwriting the one that matches (`replaceExisting`).
    pub replacing: bool,
}

/// What came of adding a customer.
#[derive(Debug)]
pub enum Outcome {
    /// A new record.
    Created(Customer),
    /// The one that matches, overwritten.
    Replaced(Customer),
    /// The one that matches, as it was.
    Kept(Customer),
}

impl Outcome {
    fn customer(&self) -> &Customer {
        match self {
            Outcome::Created(customer) | Outcome::Replaced(customer) | Outcome::Kept(customer) => {
                customer
            }
        }
    }
}

fn not_found() -> Failure {
    Failure::NotFound { noun: Noun::Customer }
}

/// Adds a customer, or answers the one that matches.
///
/// # Errors
/// `Invalid`, also when no identifier has a value.
pub async fn add(request: Request) -> Result<Reply, Failure> {
    let query = Parameters::of(&request);
    let adding = Adding {
        forced: query.flag("forceCustomerCreation")?,
        replacing: query.flag("replaceExisting")?,
    };
    let body = body::read(&request)?;
    let outcome = submit(&request.cx, &body, adding).await?;
    let record = shown(&request.cx, outcome.customer()).await?;
    envelopes::added(record)
}

/// The matching algorithm (dossier §4.5).
///
/// # Errors
/// As [`add`].
pub async fn submit(cx: &Cx, body: &CustomerBody, adding: Adding) -> Result<Outcome, Failure> {
    let space = paypoint::space(cx)?;
    let identifiers = Identifiers::of(space, &identifiers::chosen(body, None));
    identifiers.check(body, None)?;
    body.change(None, Patch::Keep, cx.now)?;
    if let Some(replayed) = cx.replayed::<Customer>().await? {
        return Ok(Outcome::Kept(replayed.record));
    }
    let password = hashed(cx, body.password()?).await?;
    for _ in 0..ATTEMPTS_MAX {
        let matching = if adding.forced { None } else { identifiers.matching(cx, body).await? };
        if let Some(found) = matching {
            match meet(cx, &found, body, &password, adding).await {
                // Deleted just now: it is a new customer after all.
                Err(Failure::NotFound { .. }) => continue,
                other => return other,
            }
        }
        let patch = body.change(None, password.clone(), cx.now)?;
        match create(cx, patch, adding.forced).await {
            // Somebody else added the same customer just now: it matches after all.
            Err(Failure::Exists { .. }) => continue,
            other => return other.map(|saved| Outcome::Created(saved.record)),
        }
    }
    Err(Failure::Unavailable { retry_after_seconds: 1 })
}

/// A request that means an existing customer.
async fn meet(
    cx: &Cx,
    found: &Loaded<Customer>,
    body: &CustomerBody,
    password: &Patch<PasswordHash>,
    adding: Adding,
) -> Result<Outcome, Failure> {
    if adding.replacing {
        let saved = overwrite(cx, found.number, body, password).await?;
        return Ok(Outcome::Replaced(saved.record));
    }
    // Nothing changes, but a repeat under the idempotency key must find the same customer.
    let nothing = CustomerPatch::default();
    let saved = verbs::update(cx, Id::Number(found.number), Expect::Any, nothing).await?;
    Ok(Outcome::Kept(saved.record))
}

/// A forced record whose number is taken keeps it for itself and does not claim it.
async fn create(cx: &Cx, patch: CustomerPatch, forced: bool) -> Result<Saved<Customer>, Failure> {
    match verbs::create(cx, patch.clone()).await {
        Err(Failure::Exists { field: "reference", .. }) if forced => {
            let mut patch = patch;
            if let Patch::Set(number) = std::mem::take(&mut patch.reference) {
                let number = Value::String(number.as_str().to_owned());
                patch.extras.push((NAME, UNCLAIMED_NUMBER, Patch::Set(number)));
            }
            verbs::create(cx, patch).await
        }
        other => other,
    }
}

async fn overwrite(
    cx: &Cx,
    number: i64,
    body: &CustomerBody,
    password: &Patch<PasswordHash>,
) -> Result<Saved<Customer>, Failure> {
    let space = paypoint::space(cx)?;
    verbs::change(cx, Id::Number(number), Expect::Any, |current| {
        let chosen = identifiers::chosen(body, Some(current));
        Identifiers::of(space, &chosen).check(body, Some(current))?;
        body.change(Some(current), password.clone(), cx.now)
    })
    .await
}

/// Each takes some 20 MB of memory and a core, so they are hashed in turn.
async fn hashed(cx: &Cx, password: Patch<String>) -> Result<Patch<PasswordHash>, Failure> {
    let typed = match password {
        Patch::Keep => return Ok(Patch::Keep),
        Patch::Clear => return Ok(Patch::Clear),
        Patch::Set(typed) => typed,
    };
    let _turn = cx.heavy_turn().await;
    let hash = tokio::task::spawn_blocking(move || secrets::hash_password(&typed)).await;
    Ok(Patch::Set(PasswordHash(hash.map_err(Failure::internal)??)))
}

fn number(request: &Request) -> Result<i64, Failure> {
    let number = request.param("customerId").parse().ok();
    number.filter(|number| *number > 0).ok_or_else(not_found)
}

/// Spaces the caller's key opens.
fn spaces(cx: &Cx) -> Result<Vec<i64>, Failure> {
    Ok(paypoint::caller(cx)?.spaces.iter().map(|space| space.number).collect())
}

/// The living customer a request names by number, in whichever space of the caller's it is.
///
/// # Errors
/// `NotFound`.
pub async fn named(request: &Request) -> Result<Loaded<Customer>, Failure> {
    let cx = &request.cx;
    verbs::get_in_spaces(cx, number(request)?, &spaces(cx)?).await
}

/// A customer as it is shown.
async fn shown(cx: &Cx, customer: &Customer) -> Result<Record, Failure> {
    let cx = cx.in_space(customer.space);
    let paypoint: Paypoint = paypoint::here(&cx)?;
    let methods = MethodsOf::read(&cx, &[customer.space], &[customer.number]).await?;
    Ok(Record::of(customer, &paypoint, methods.of(customer.number), cx.now))
}

/// A customer record. One that was merged into another answers as that one.
///
/// # Errors
/// `NotFound`.
pub async fn get(request: Request) -> Result<Reply, Failure> {
    let cx = &request.cx;
    let found = verbs::get_in_spaces_following(cx, number(&request)?, &spaces(cx)?).await?;
    Reply::json(200, &shown(cx, &found.record).await?)
}

/// Changes a customer; status −99 deletes it.
///
/// # Errors
/// `NotFound`; `Invalid`, also when the identifiers would be emptied; `Exists`.
pub async fn update(request: Request) -> Result<Reply, Failure> {
    let body = body::read(&request)?;
    let customer = named(&request).await?;
    let cx = request.cx.in_space(customer.space);
    let password = hashed(&cx, body.password()?).await?;
    overwrite(&cx, customer.number, &body, &password).await?;
    if body.deletes() {
        verbs::delete(&cx, Id::Number(customer.number), Expect::Any).await?;
    }
    envelopes::simple()
}

/// Deletes a customer.
///
/// # Errors
/// `NotFound`.
pub async fn delete(request: Request) -> Result<Reply, Failure> {
    let customer = named(&request).await?;
    let cx = request.cx.in_space(customer.space);
    verbs::delete(&cx, Id::Number(customer.number), Expect::Any).await?;
    envelopes::simple()
}
