//! Create, read, update and delete (dossier §6).

use patron_app::{
    Expect, Loaded,
    customers::{self, Id},
    search::{Field, Filter, Query},
};
use patron_gateway::{Exchange, Reply, Request};
use patron_model::{Failure, Noun, Why, customer::Customer};
use uuid::Uuid;

use crate::{entities, shown, wire::CustomerBody, written};

/// `POST /v2/customer`.
pub(crate) async fn create(request: Request) -> Result<Reply, Failure> {
    let body = body(&request)?;
    let space = entities::named(&request.cx, &body)?;
    let patch = written::creation(body, space)?;
    let saved = customers::create(&request.cx.in_space(space.number), patch).await?;
    Reply::json(200, &shown::customer(&saved, space))
}

/// `GET /v2/customer/{customerId}`.
pub(crate) async fn read(request: Request) -> Result<Reply, Failure> {
    let found = find(&request).await?;
    let space = entities::of_record(&request.cx, found.space)?;
    Reply::json(200, &shown::customer(&found, space))
}

/// `POST /v2/customer/{customerId}`. A customer cannot move to another entity, not even to one of
/// the same key: that would be another record.
pub(crate) async fn update(request: Request) -> Result<Reply, Failure> {
    let body = body(&request)?;
    let found = find(&request).await?;
    let space = entities::of_record(&request.cx, found.space)?;
    if entities::named(&request.cx, &body)?.number != space.number {
        return Err(Failure::Forbidden);
    }
    let cx = request.cx.in_space(space.number);
    let decide = |current: &Customer| written::update(body.clone(), current, space);
    let saved = customers::change(&cx, Id::Uuid(found.uuid), Expect::Any, decide).await?;
    Reply::json(200, &shown::customer(&saved, space))
}

/// `DELETE /v2/customer/{customerId}`. Only by the customer's own id: who deletes an id that
/// another customer took over must not lose that one.
pub(crate) async fn delete(request: Request) -> Result<Reply, Failure> {
    let found = find_any(&request).await?;
    let cx = request.cx.in_space(found.space);
    customers::delete(&cx, Id::Uuid(found.uuid), Expect::Any).await?;
    Ok(Reply::empty(204))
}

fn body(exchange: &Exchange) -> Result<CustomerBody, Failure> {
    if !exchange.is_json() {
        return Err(Failure::UnsupportedMediaType { supported: "application/json" });
    }
    exchange.json()
}

/// The living customer of the path; one that was merged answers as the customer that took it over.
async fn find(request: &Request) -> Result<Loaded<Customer>, Failure> {
    let found = find_any(request).await?;
    if found.merged_into.is_none() {
        return if found.is_deleted() { Err(not_found()) } else { Ok(found) };
    }
    let cx = request.cx.in_space(found.space);
    customers::get_following(&cx, Id::Uuid(found.uuid)).await
}

/// The customer of the path in any space the key opens, deleted ones included.
async fn find_any(request: &Request) -> Result<Loaded<Customer>, Failure> {
    let uuid = customer_id(request)?;
    let spaces = &entities::caller(&request.cx)?.spaces;
    if let [only] = spaces.as_slice() {
        return customers::get_any(&request.cx.in_space(only.number), Id::Uuid(uuid)).await;
    }
    let query = Query {
        tenants: spaces.iter().map(|space| space.number).collect(),
        predicate: Filter::equal(Field::Uuid, uuid.to_string()),
        limit: 1,
        ..Query::of(request.cx.space)
    };
    let page = customers::list(&request.cx, &query).await?;
    page.items.into_iter().next().ok_or_else(not_found)
}

/// The path's id: a UUID in its usual form, or 400 (dossier §6).
fn customer_id(request: &Request) -> Result<Uuid, Failure> {
    let text = request.param("customerId");
    let hyphenated = (text.len() == 36).then(|| Uuid::parse_str(text).ok()).flatten();
    let expected = "a UUID";
    hyphenated.ok_or_else(|| Failure::malformed("customerId", Why::Malformed { expected }))
}

fn not_found() -> Failure {
    Failure::NotFound { noun: Noun::Customer }
}
