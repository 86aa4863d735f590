//! Create, read, update and delete (dossier §6).

use patron_app::{Cx, Expect, Id, Loaded, customers, record::Look};
use patron_gateway::{Exchange, Faults, Reading, Reply, Request};
use patron_model::{Failure, Why, customer::Customer};
use uuid::Uuid;

use crate::{
    NAME,
    customers::{read, show, wire::CustomerBody},
    spaces,
};

/// `POST /v2/customer`.
pub async fn create(request: Request) -> Result<Reply, Failure> {
    let (body, mut faults) = body(&request)?;
    let Some(space) = faults.keep(spaces::named(&request.cx, &body))? else {
        // Whatever else is wrong is told by the rules of the key's first entity.
        let space = request.cx.caller()?.home()?;
        read::creation(&body, space, faults)?;
        return Err(Failure::invalid("entity_id", Why::Required));
    };
    let patch = read::creation(&body, space, faults)?;
    let saved = customers::create(&request.cx.in_space(space.number), patch).await?;
    Reply::json(200, &show::customer(&saved, space))
}

/// `GET /v2/customer/{customerId}`.
pub async fn retrieve(request: Request) -> Result<Reply, Failure> {
    let (cx, id) = place(&request).await?;
    let seen = customers::see(&cx, Look::at(id).following()).await?;
    let space = spaces::of_record(&cx, seen.space())?;
    // The names and switches of the space are shown, and say how long texts may be.
    let beside = (space.number, space.version);
    let render = |customer: &Customer| Reply::written(&show::customer(customer, space));
    let answer = seen.answer(&cx, NAME, beside, render)?;
    Ok(Reply::bytes(200, "application/json", answer))
}

/// `POST /v2/customer/{customerId}`. A customer cannot move to another entity, not even to one of
/// the same key: that would be another record.
pub async fn update(request: Request) -> Result<Reply, Failure> {
    let (body, mut faults) = body(&request)?;
    let found = find(&request).await?;
    let space = spaces::of_record(&request.cx, found.space)?;
    let named = faults.keep(spaces::named(&request.cx, &body))?;
    if named.is_some_and(|named| named.number != space.number) {
        return Err(Failure::Forbidden);
    }
    let cx = request.cx.in_space(space.number);
    let decide = |current: &Customer| read::update(body.clone(), current, space, faults.clone());
    let saved = customers::change(&cx, Id::Uuid(found.uuid), Expect::Any, decide).await?;
    Reply::json(200, &show::customer(&saved, space))
}

/// `DELETE /v2/customer/{customerId}`. Only by the customer's own id: who deletes an id that
/// another customer took over must not lose that one.
pub async fn delete(request: Request) -> Result<Reply, Failure> {
    let (cx, id) = place(&request).await?;
    customers::delete(&cx, id, Expect::Any).await?;
    Ok(Reply::empty(204))
}

/// What is sent, and what does not fit in it.
fn body(exchange: &Exchange) -> Result<(CustomerBody, Faults), Failure> {
    if !exchange.is_json() {
        return Err(Failure::UnsupportedMediaType { supported: "application/json" });
    }
    let (body, fields) = exchange.read(Reading::NullKeeps)?;
    Ok((body, fields.faults))
}

/// The living customer of the path; one that was merged answers as the customer that took it over.
async fn find(request: &Request) -> Result<Loaded<Customer>, Failure> {
    let (cx, id) = place(request).await?;
    customers::get_following(&cx, id).await
}

/// Which customer the path names, and the space it is in, of those that the key opens.
async fn place(request: &Request) -> Result<(Cx, Id), Failure> {
    let uuid = customer_id(request)?;
    let spaces = &request.cx.caller()?.spaces;
    let space = match spaces.as_slice() {
        [only] => only.number,
        several => {
            let numbers: Vec<i64> = several.iter().map(|space| space.number).collect();
            customers::space_of(&request.cx, uuid, &numbers).await?
        }
    };
    Ok((request.cx.in_space(space), Id::Uuid(uuid)))
}

/// The path's id: a UUID in its usual form, or 400 (dossier §6).
fn customer_id(request: &Request) -> Result<Uuid, Failure> {
    let text = request.param("customerId");
    let hyphenated = (text.len() == 36).then(|| Uuid::parse_str(text).ok()).flatten();
    let expected = "a UUID";
    hyphenated.ok_or_else(|| Failure::malformed("customerId", Why::Malformed { expected }))
}
