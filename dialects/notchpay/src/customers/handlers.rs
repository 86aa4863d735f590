//! Handlers of `/customers` (dossier §8). Statuses and messages follow its table to the letter.

use patron_app::{
    Expect, Id, customers,
    record::Look,
    search::{Order, Query},
};
use patron_gateway::{Reply, Request};
use patron_model::{
    Failure, Noun, Patch,
    customer::{Customer, CustomerPatch, Status, StatusVerb},
};

use crate::{
    NAME, auth,
    customers::{
        read::CustomerBody,
        show::{CustomerView, is_blocked},
    },
    envelopes::{self, Outcome},
    ids,
    input::{self, Asked},
    lists::{self, Window},
};

/// Names of a list.
const LIST: [&str; 2] = ["items", "data"];
/// Names of one customer.
const ONE: [&str; 2] = ["customer", "data"];

/// The customer a path names.
///
/// # Errors
/// `NotFound` for what cannot be an id.
pub fn id_of(request: &Request) -> Result<Id, Failure> {
    let uuid = ids::parse(ids::CUSTOMER, request.param("id"));
    uuid.map(Id::Uuid).ok_or(Failure::NotFound { noun: Noun::Customer })
}

/// The same, by the number of the customer that answers for it: an id that was merged into another
/// customer stays good.
///
/// # Errors
/// `NotFound`.
pub async fn following(request: &Request) -> Result<Id, Failure> {
    let found = customers::get_following(&request.cx, id_of(request)?).await?;
    Ok(Id::Number(found.number))
}

fn one(request: &Request, outcome: Outcome, customer: &Customer) -> Result<Reply, Failure> {
    let view = CustomerView::of(customer, auth::is_sandbox(&request.cx), request.cx.now);
    envelopes::reply(outcome, &ONE, &view)
}

/// `GET /customers`
///
/// # Errors
/// `Invalid` for parameters that cannot be understood.
pub async fn list(request: Request) -> Result<Reply, Failure> {
    let cx = &request.cx;
    let home = cx.space_record().and_then(|space| space.default_country.as_ref());
    let (window, predicate) = lists::customers(Asked::of(&request), home)?;
    let totals = customers::count(cx, &[cx.space], &predicate).await?;
    let mut views = Vec::new();
    if let Some(offset) = window.offset(totals) {
        let order = Order::newest_first();
        let query =
            Query { predicate, order, offset, limit: window.limit(), ..Query::of(cx.space) };
        let sandbox = auth::is_sandbox(cx);
        let page = customers::list(cx, &query).await?;
        views = page.items.iter().map(|c| CustomerView::of(c, sandbox, cx.now)).collect();
    }
    let paging = window.paging(totals, views.len());
    envelopes::page(envelopes::ok("Customers retrieved"), paging, &LIST, &views)
}

/// `POST /customers`
///
/// # Errors
/// `Malformed`, `Invalid`.
pub async fn create(request: Request) -> Result<Reply, Failure> {
    let body: CustomerBody = input::body(input::members(&request)?)?;
    let patch = body.for_creation()?.patch(None)?;
    let saved = customers::create(&request.cx, patch).await?;
    one(&request, envelopes::created("Customer created successfully"), &saved)
}

/// `GET /customers/{id}`
///
/// # Errors
/// `NotFound`.
pub async fn retrieve(request: Request) -> Result<Reply, Failure> {
    let cx = &request.cx;
    let found = customers::see(cx, Look::at(id_of(&request)?).following()).await?;
    auth::check_own(&request, found.number()).await?;
    let outcome = envelopes::accepted("Customer retrieved");
    let render = |customer: &Customer| Ok(one(&request, outcome, customer)?.body.into());
    let answer = found.answer(cx, NAME, auth::is_sandbox(cx), render)?;
    Ok(Reply::bytes(outcome.code, "application/json", answer))
}

/// `POST`, `PUT` or `PATCH /customers/{id}`
///
/// # Errors
/// `NotFound`, `Malformed`, `Invalid`.
pub async fn update(request: Request) -> Result<Reply, Failure> {
    let id = following(&request).await?;
    let body: CustomerBody = input::body(input::members(&request)?)?;
    let wanted = body.for_change()?;
    let decide = |before: &Customer| wanted.patch(Some(before));
    let saved = customers::change(&request.cx, id, Expect::Any, decide).await?;
    one(&request, envelopes::accepted("Customer updated successfully"), &saved)
}

/// `DELETE /customers/{id}`. An id that was merged away names nothing to delete.
///
/// # Errors
/// `NotFound`.
pub async fn delete(request: Request) -> Result<Reply, Failure> {
    customers::delete(&request.cx, id_of(&request)?, Expect::Any).await?;
    let nothing: [(); 0] = [];
    envelopes::reply(envelopes::accepted("Customer deleted successfully"), &ONE, &nothing)
}

/// `POST`, `PATCH` or `PUT /customers/{id}/block`. Idempotent. It does not lift a lock, which this
/// API does not show.
///
/// # Errors
/// `NotFound`; `WrongState` of a locked customer.
pub async fn block(request: Request) -> Result<Reply, Failure> {
    let now = request.cx.now;
    let decide = |before: &Customer| {
        if is_blocked(before, now) {
            return Ok(CustomerPatch::default());
        }
        let (status, verb) = (before.status_at(now), StatusVerb::Block);
        if !verb.is_allowed(status) {
            return Err(Failure::WrongState { is: status.as_str(), needs: verb.needs() });
        }
        // An earlier block may have a term that has passed: this one has none.
        Ok(CustomerPatch {
            status: Patch::Set(Status::Blocked),
            status_reason: Patch::Clear,
            status_until: Patch::Clear,
            ..CustomerPatch::default()
        })
    };
    let id = following(&request).await?;
    let saved = customers::change(&request.cx, id, Expect::Any, decide).await?;
    one(&request, envelopes::accepted("Customer blocked successfully"), &saved)
}

/// `POST`, `PATCH` or `PUT /customers/{id}/unblock`. Idempotent; a status this API does not know
/// (inactive, locked) stays.
///
/// # Errors
/// `NotFound`.
pub async fn unblock(request: Request) -> Result<Reply, Failure> {
    let now = request.cx.now;
    let decide = |before: &Customer| {
        let status = if is_blocked(before, now) { Patch::Clear } else { Patch::Keep };
        Ok(CustomerPatch { status, ..CustomerPatch::default() })
    };
    let id = following(&request).await?;
    let saved = customers::change(&request.cx, id, Expect::Any, decide).await?;
    one(&request, envelopes::accepted("Customer unblocked successfully"), &saved)
}

/// `GET /customers/{id}/payments`: no payments are kept yet, so the list is empty.
///
/// # Errors
/// `NotFound`; `Invalid` for parameters that cannot be understood.
pub async fn payments(request: Request) -> Result<Reply, Failure> {
    following(&request).await?;
    let mut asked = Asked::of(&request);
    let window = Window::of(&mut asked);
    asked.finish()?;
    let nothing: [(); 0] = [];
    let names = ["payments", "items", "data"];
    let outcome = envelopes::ok("Customer payments retrieved");
    envelopes::page(outcome, window.paging(0, 0), &names, &nothing)
}
