//! The calls about customers (dossier B).

use patron_app::{
    Expect, Id, customers,
    record::Look,
    search::{self, Field, Order, Query, SortKey},
};
use patron_gateway::{Reading, Reply, Request};
use patron_model::{Failure, Noun, customer::Customer};
use uuid::Uuid;

use crate::{
    NAME,
    customers::{
        read::CustomerFields,
        show::{CustomerObject, DeletedCustomer},
    },
    lists::{List, Page},
};

/// Digits and hyphens of a UUID in a path; other spellings of one name nothing.
const UUID_CHARS: usize = 36;

/// The UUID of a path parameter.
///
/// # Errors
/// `NotFound`: what is no UUID names nothing.
pub fn uuid_of(text: &str) -> Result<Id, Failure> {
    let uuid = Uuid::try_parse(text).ok().filter(|_| text.len() == UUID_CHARS);
    uuid.map(Id::Uuid).ok_or(Failure::NotFound { noun: Noun::Customer })
}

/// A living customer by UUID, one that was merged into another as that one; none when it is
/// deleted.
///
/// # Errors
/// `NotFound` for one that never was.
pub async fn find(request: &Request, id: Id) -> Result<Option<Customer>, Failure> {
    match customers::get_following(&request.cx, id).await {
        Err(Failure::NotFound { .. }) => customers::trace(&request.cx, id).await.map(|_| None),
        found => found.map(|customer| Some(customer.record)),
    }
}

/// `POST /v2/customers`
///
/// # Errors
/// `Malformed`, `Invalid`; `Exists` when the merchant's id is taken.
pub async fn create(request: Request) -> Result<Reply, Failure> {
    let (sent, fields) = request.read::<CustomerFields>(Reading::NullKeeps)?;
    let patch = sent.into_patch(fields, None)?;
    let created = customers::create(&request.cx, patch).await?;
    Reply::json(200, &CustomerObject::of(&created))
}

/// `GET /v2/customers/{uuid}`. A deleted customer is answered too: nothing else would ever show
/// `deleted` and `deleted_at` (dossier B.4). Who it was is not shown, to nobody.
///
/// # Errors
/// `NotFound`.
pub async fn retrieve(request: Request) -> Result<Reply, Failure> {
    let (cx, id) = (&request.cx, uuid_of(request.param("uuid"))?);
    let seen = match customers::see(cx, Look::at(id).following()).await {
        Err(Failure::NotFound { .. }) => {
            let trace = customers::trace(cx, id).await?;
            return Reply::json(200, &CustomerObject::deleted(&trace));
        }
        seen => seen?,
    };
    let render = |customer: &Customer| Reply::written(&CustomerObject::of(customer));
    Ok(Reply::bytes(200, "application/json", seen.answer(cx, NAME, (), render)?))
}

/// `GET /v2/merchants/customers/{merchant_customer_id}`
///
/// # Errors
/// `NotFound`, for deleted customers as well.
pub async fn retrieve_by_merchant_id(request: Request) -> Result<Reply, Failure> {
    let reference = request.param("merchant_customer_id");
    let found = customers::get_by_reference(&request.cx, reference).await?;
    Reply::json(200, &CustomerObject::of(&found))
}

/// `POST /v2/customers/{uuid}`
///
/// # Errors
/// `NotFound`, also when it is deleted; `Malformed`, `Invalid`, `Exists`.
pub async fn update(request: Request) -> Result<Reply, Failure> {
    let id = uuid_of(request.param("uuid"))?;
    let (sent, fields) = request.read::<CustomerFields>(Reading::NullKeeps)?;
    let decide = |current: &Customer| sent.clone().into_patch(fields.clone(), Some(current));
    let updated = customers::change(&request.cx, id, Expect::Any, decide).await?;
    Reply::json(200, &CustomerObject::of(&updated))
}

/// `DELETE /v2/customers/{uuid}`. A second call finds the work done and answers the same.
///
/// # Errors
/// `NotFound`.
pub async fn delete(request: Request) -> Result<Reply, Failure> {
    let id = uuid_of(request.param("uuid"))?;
    let uuid = match customers::delete(&request.cx, id, Expect::Any).await {
        Ok(deleted) => deleted.uuid,
        Err(Failure::NotFound { .. }) => customers::trace(&request.cx, id).await?.uuid,
        Err(failure) => return Err(failure),
    };
    Reply::json(200, &DeletedCustomer::of(uuid))
}

/// `GET /v2/customers`
///
/// # Errors
/// `Malformed`.
pub async fn list(request: Request) -> Result<Reply, Failure> {
    let Page { limit, offset } = Page::of(&request)?;
    let query = Query {
        predicate: search::customer::living(),
        order: newest_first(search::customer::created_at()),
        limit,
        offset,
        ..Query::of(request.cx.space)
    };
    let found = customers::list(&request.cx, &query).await?;
    let data = found.items.iter().map(|customer| CustomerObject::of(customer)).collect();
    Reply::json(200, &List::of(data))
}

/// By a moment, latest first; records of the same moment by UUID, in the same direction, as UUIDs
/// are in order of time too.
pub fn newest_first(moment: Field) -> Order {
    let key = |field| SortKey { field, descending: true };
    Order { keys: vec![key(moment), key(search::customer::uuid())], descending: true }
}
