//! The calls about customers (dossier §6.2).

use patron_app::{
    Expect,
    customers::{self, email_addresses},
    record::Look,
};
use patron_gateway::{Reading, Reply, Request};
use patron_model::{Failure, Why, customer::Customer as Record};

use crate::{
    NAME,
    customers::{
        fields::{compile, field, living, resolve},
        read::{CustomerActive, CustomerCreate},
        show::{Customer, RestCustomerEmailAddress},
    },
    lists::{ListParams, ListResponse, SearchParams},
    transport::id,
};

/// `GET /customers`
pub async fn list(request: Request) -> Result<Reply, Failure> {
    let params = ListParams::read(&request)?;
    let query = living(params.query(request.cx.space));
    let found = customers::list(&request.cx, &query).await?;
    let shown = found.items.iter().map(|customer| Customer::of(customer)).collect();
    Reply::json(200, &params.page(shown, found.more))
}

/// `GET /customers/search`
pub async fn search(request: Request) -> Result<Reply, Failure> {
    let params = SearchParams::read(&request, &resolve)?;
    let query = living(params.query(request.cx.space, compile, field));
    let found = customers::list(&request.cx, &query).await?;
    let shown = found.items.iter().map(|customer| Customer::of(customer)).collect();
    Reply::json(200, &params.page(shown, found.more))
}

/// `GET /customers/{id}`
pub async fn retrieve(request: Request) -> Result<Reply, Failure> {
    let cx = &request.cx;
    let seen = customers::see(cx, Look::at(id(&request, "id")?)).await?;
    let answer = seen.answer(cx, NAME, (), |customer| Reply::written(&Customer::of(customer)))?;
    Ok(Reply::bytes(200, "application/json", answer))
}

/// `GET /customers/{id}/email-addresses`: every one ever linked, newest last, on a single page.
pub async fn list_email_addresses(request: Request) -> Result<Reply, Failure> {
    let customer = customers::get(&request.cx, id(&request, "id")?).await?;
    let all = email_addresses(&customer).into_iter();
    let data: Vec<_> = all.map(RestCustomerEmailAddress::of).collect();
    let limit = u32::try_from(data.len()).map_err(Failure::internal)?;
    Reply::json(200, &ListResponse { data, has_more: false, limit })
}

/// `POST /customers`
pub async fn create(request: Request) -> Result<Reply, Failure> {
    let (body, fields) = request.read::<CustomerCreate>(Reading::NullKeeps)?;
    let patch = body.patch(fields, None)?;
    let customer = customers::create(&request.cx, patch).await?;
    Reply::json(201, &Customer::of(&customer))
}

/// `PATCH /customers/{id}`
pub async fn update(request: Request) -> Result<Reply, Failure> {
    let id = id(&request, "id")?;
    let (body, mut fields) = request.read::<CustomerActive>(Reading::NullKeeps)?;
    let (expect, body) = body.split(&mut fields);
    let decide = |current: &Record| body.patch(fields.clone(), Some(current));
    let customer = customers::change(&request.cx, id, expect, decide).await?;
    Reply::json(200, &Customer::of(&customer))
}

/// `DELETE /customers/{id}`
pub async fn delete(request: Request) -> Result<Reply, Failure> {
    customers::delete(&request.cx, id(&request, "id")?, Expect::Any).await?;
    Ok(Reply::empty(204))
}

/// `POST /customers/{id}/merge/{other}`: `{id}` stays, `{other}` goes.
pub async fn merge(request: Request) -> Result<Reply, Failure> {
    let (survivor, absorbed) = (id(&request, "id")?, id(&request, "other")?);
    if survivor == absorbed {
        customers::get(&request.cx, survivor).await?;
        let why = Why::Malformed { expected: "another customer" };
        return Err(Failure::invalid("other", why));
    }
    let merged = customers::merge(&request.cx, survivor, absorbed, Expect::Any).await?;
    Reply::json(200, &Customer::of(&merged.survivor))
}
