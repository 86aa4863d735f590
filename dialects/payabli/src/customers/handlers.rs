//! Adding, reading, changing and deleting one customer (dossier §4.1–§4.5).

use patron_app::{
    Cx, Expect, Id, Loaded, customers as verbs,
    record::{self as room, Look},
    secrets,
};
use patron_gateway::{Fields, Reply, Request};
use patron_model::{
    Failure, Noun, Patch,
    customer::{Customer, CustomerPatch, PasswordHash},
};
use serde_json::Value;

use crate::{
    NAME,
    customers::{
        identifiers::{self, Identifiers},
        read::{self, CustomerBody, UNCLAIMED_NUMBER},
        show::Record,
    },
    envelopes,
    payment_methods::MethodsOf,
    query::Parameters,
    spaces::{self, Paypoint},
};

/// How a customer is to be added.
#[derive(Debug, Clone, Copy, Default)]
pub struct Adding {
    /// Always as a new record (`forceCustomerCreation`).
    pub forced: bool,
    /// Overwriting the one that matches (`replaceExisting`).
    pub replacing: bool,
    /// As a row of many, which a status may refuse.
    pub among_many: bool,
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
    let (body, mut fields) = read::read(&request)?;
    let mut flag = |name| fields.faults.keep(query.flag(name)).map(Option::unwrap_or_default);
    let (forced, replacing) = (flag("forceCustomerCreation")?, flag("replaceExisting")?);
    let adding = Adding { forced, replacing, among_many: false };
    let outcome = submit(&request.cx, &body, fields, adding).await?;
    let record = shown(&request.cx, outcome.customer()).await?;
    envelopes::added(record)
}

/// Looks at a whole body, and answers the password it sets.
///
/// # Errors
/// `Malformed` or `Invalid`, with every problem.
fn checked(
    cx: &Cx,
    body: &CustomerBody,
    mut fields: Fields,
    current: Option<&Customer>,
) -> Result<Patch<String>, Failure> {
    // A member that does not fit may be the identifier that seems to be missing.
    if fields.faults.is_empty() {
        let chosen = identifiers::chosen(body, current);
        let identifiers = Identifiers::of(spaces::space(cx)?, &chosen);
        fields.faults.keep(identifiers.check(body, current))?;
    }
    let password = body.password(&mut fields);
    body.change_beside(fields, current, Patch::Keep, cx.now)?;
    Ok(password)
}

/// The matching algorithm (dossier §4.5). `fields` has what is wrong with the body already.
///
/// # Errors
/// As [`add`].
pub async fn submit(
    cx: &Cx,
    body: &CustomerBody,
    fields: Fields,
    adding: Adding,
) -> Result<Outcome, Failure> {
    let password = checked(cx, body, fields, None)?;
    let identifiers = Identifiers::of(spaces::space(cx)?, &identifiers::chosen(body, None));
    let password = match cx.repeats::<Customer>() {
        Some(_) => Patch::Keep,
        None => hashed(cx, password).await?,
    };
    let saved = cx.settle(|mut draft| async {
        // Somebody else added the same customer just now: it matches after all.
        draft.taken_is_raced();
        if adding.forced {
            let patch = forced(cx, body.change(None, password.clone(), cx.now)?).await?;
            return verbs::created(cx, draft, patch);
        }
        match identifiers.matching(cx, body).await? {
            Some(found) if adding.replacing => {
                let patch = overwriting(cx, &found, body, &password)?;
                match adding.among_many {
                    true => verbs::changed_among_many(cx, draft, &found, patch),
                    false => verbs::changed(cx, draft, &found, patch),
                }
            }
            // Nothing changes, but a repeat under the idempotency key finds the same customer.
            Some(found) => Ok(draft.keep(found)),
            None => verbs::created(cx, draft, body.change(None, password.clone(), cx.now)?),
        }
    });
    let saved = saved.await?;
    Ok(match (saved.replayed, saved.is_new()) {
        (false, true) => Outcome::Created(saved.record),
        (false, false) if adding.replacing => Outcome::Replaced(saved.record),
        (true | false, _) => Outcome::Kept(saved.record),
    })
}

/// A forced record whose number is taken keeps it for itself and does not claim it.
async fn forced(cx: &Cx, mut patch: CustomerPatch) -> Result<CustomerPatch, Failure> {
    if let Patch::Set(number) = &patch.reference
        && verbs::find_by_reference(cx, number.as_str()).await?.is_some()
        && let Patch::Set(number) = std::mem::take(&mut patch.reference)
    {
        let number = Value::String(number.as_str().to_owned());
        patch.extras.push((NAME, UNCLAIMED_NUMBER, Patch::Set(number)));
    }
    Ok(patch)
}

/// What a body makes of a customer that is there already.
fn overwriting(
    cx: &Cx,
    current: &Customer,
    body: &CustomerBody,
    password: &Patch<PasswordHash>,
) -> Result<CustomerPatch, Failure> {
    let chosen = identifiers::chosen(body, Some(current));
    Identifiers::of(spaces::space(cx)?, &chosen).check(body, Some(current))?;
    body.change(Some(current), password.clone(), cx.now)
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
    Ok(spaces::caller(cx)?.spaces.iter().map(|space| space.number).collect())
}

/// The living customer a request names by number, in whichever space of the caller's it is.
///
/// # Errors
/// `NotFound`.
pub async fn named(request: &Request) -> Result<Loaded<Customer>, Failure> {
    let cx = &request.cx;
    let look = Look::at(Id::Number(number(request)?));
    room::load(cx, look.within(&spaces(cx)?)).await
}

/// A customer as it is shown.
async fn shown(cx: &Cx, customer: &Customer) -> Result<Record, Failure> {
    let cx = cx.in_space(customer.space);
    let paypoint: Paypoint = spaces::here(&cx)?;
    let methods = MethodsOf::read(&cx, &[customer.space], &[customer.number]).await?;
    Ok(Record::of(customer, &paypoint, methods.of(customer.number), cx.now))
}

/// A customer record. One that was merged into another answers as that one.
///
/// # Errors
/// `NotFound`.
pub async fn get(request: Request) -> Result<Reply, Failure> {
    let cx = &request.cx;
    let look = Look::at(Id::Number(number(&request)?)).following();
    let seen = verbs::see(cx, look.within(&spaces(cx)?)).await?;
    let cx = &cx.in_space(seen.space());
    let (space, account) = (spaces::space(cx)?, &spaces::caller(cx)?.account);
    let number = seen.number();
    let methods = MethodsOf::read(cx, &[cx.space], &[number]).await?;
    let methods = methods.of(number);
    let versions: Vec<_> = methods.iter().map(|one| (one.number, one.version)).collect();
    // Hours of a time zone change on the minute.
    let minute = cx.now.seconds() / 60;
    let named = (space.number, space.version, account.number, account.version);
    let render = |customer: &Customer| {
        Reply::written(&Record::of(customer, &spaces::here(cx)?, methods, cx.now))
    };
    let answer = seen.answer(cx, NAME, (minute, named, versions), render)?;
    Ok(Reply::bytes(200, "application/json", answer))
}

/// Changes a customer; status −99 deletes it.
///
/// # Errors
/// `NotFound`; `Invalid`, also when the identifiers would be emptied; `Exists`.
pub async fn update(request: Request) -> Result<Reply, Failure> {
    let (body, fields) = read::read(&request)?;
    let customer = named(&request).await?;
    let cx = request.cx.in_space(customer.space);
    let password = hashed(&cx, checked(&cx, &body, fields, Some(&customer))?).await?;
    let id = Id::Number(customer.number);
    verbs::change(&cx, id, Expect::Any, |current| overwriting(&cx, current, &body, &password))
        .await?;
    if body.deletes() {
        verbs::delete(&cx, id, Expect::Any).await?;
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
