//! Calls of webhook endpoints.

use patron_app::{
    Id, Saved,
    record::Loaded,
    search::{Order, Query},
    webhooks::{
        self, Issued,
        secrets::{self, OVERLAP_SECONDS},
        trial,
    },
};
use patron_gateway::{Fields, Member, Reading, Reply, Request};
use patron_model::{Failure, Noun, Why, webhook::Endpoint};

use super::{
    read::{own_secret, patch, resume_from},
    show::telling,
    wire::{EndpointIn, EndpointOut, SecretIn, SecretOut},
};
use crate::{
    conditions,
    customers::{PAGE_MAX, read, show::ListOut},
    lists::{self, Place},
    webhook_deliveries::AttemptOut,
};

/// Endpoints of a page when nothing is said.
const PAGE_DEFAULT: i64 = 50;

fn endpoint_id(request: &Request) -> Result<Id, Failure> {
    Id::parse(request.param("id"), Noun::Endpoint)
}

/// A page of endpoints, newest first.
pub async fn list(request: Request) -> Result<Reply, Failure> {
    let (params, mut faults) = (request.query(), request.query_faults());
    let limit = faults.int(&params, "limit", PAGE_DEFAULT, 1, PAGE_MAX);
    let question = lists::question(&["webhook_endpoints"]);
    let after = faults.keep(lists::after(&params, &question))?.flatten();
    faults.finish()?;
    let limit = u32::try_from(limit).unwrap_or(50);
    let query = Query { order: Order::newest_first(), after, limit, ..Query::of(request.cx.space) };
    let page = webhooks::list(&request.cx, query).await?;
    let last = page.items.last().filter(|_| page.more).map(|endpoint| endpoint.number);
    let next = last.map(|number| lists::write(&question, Place::List { key: None, number }));
    let shown = |endpoint: &Loaded<Endpoint>| EndpointOut::of(&request.cx, endpoint);
    let data: Vec<EndpointOut> = page.items.iter().map(shown).collect();
    let next_cursor = next.transpose()?;
    Reply::json(200, &ListOut { data, has_more: page.more, next_cursor, total: None })
}

/// One endpoint, and how it fares.
pub async fn get(request: Request) -> Result<Reply, Failure> {
    let endpoint = webhooks::get(&request.cx, endpoint_id(&request)?).await?;
    let out = EndpointOut::of(&request.cx, &endpoint).with_health(&request.cx).await?;
    Ok(Reply::json(200, &out)?.with("etag", conditions::tag(endpoint.version)))
}

/// A new endpoint; its secret is shown this once.
pub async fn create(request: Request) -> Result<Reply, Failure> {
    let (mut body, mut fields) = read::body::<EndpointIn>(&request, Reading::NullClears)?;
    for (name, is_absent) in
        [("url", body.url.as_ref().is_none()), ("types", body.types.as_ref().is_none())]
    {
        if is_absent {
            fields.refuse(name, Why::Required);
        }
    }
    if !body.resume_from.is_absent() {
        fields.refuse("resume_from", Why::ReadOnly);
    }
    let own = own_secret(std::mem::take(&mut body.secret), &mut fields);
    let patch = patch(body, &mut fields);
    fields.finish()?;
    let Issued { endpoint, secret } = webhooks::create(&request.cx, &patch, own).await?;
    let out = EndpointOut { secret, ..EndpointOut::of(&request.cx, &endpoint) };
    Ok(Reply::json(201, &out)?
        .with("etag", conditions::tag(endpoint.version))
        .with("location", format!("/v1/webhook-endpoints/{}", endpoint.uuid)))
}

/// A changed endpoint (JSON Merge Patch).
pub async fn update(request: Request) -> Result<Reply, Failure> {
    let condition = conditions::of_change(&request)?;
    let id = endpoint_id(&request)?;
    let (mut body, mut fields) = read::body::<EndpointIn>(&request, Reading::NullClears)?;
    if !body.secret.is_absent() {
        fields.refuse("secret", Why::ReadOnly);
    }
    let from = resume_from(std::mem::replace(&mut body.resume_from, Member::Absent), &mut fields);
    let patch = patch(body, &mut fields);
    fields.finish()?;
    let saved = webhooks::update(&request.cx, id, condition.expect(), &patch, from).await?;
    shown(&request, &saved)
}

fn shown(request: &Request, saved: &Saved<Endpoint>) -> Result<Reply, Failure> {
    let out = EndpointOut::of(&request.cx, saved);
    Ok(Reply::json(200, &out)?.with("etag", conditions::tag(saved.version)))
}

/// Deletes an endpoint.
pub async fn delete(request: Request) -> Result<Reply, Failure> {
    let condition = conditions::of_change(&request)?;
    webhooks::delete(&request.cx, endpoint_id(&request)?, condition.expect()).await?;
    Ok(Reply::empty(204))
}

/// Sends a made-up record to an endpoint, and answers what came of it.
pub async fn test(request: Request) -> Result<Reply, Failure> {
    let attempt = trial::send(&request.cx, endpoint_id(&request)?, telling).await?;
    Reply::json(200, &AttemptOut::of(&attempt))
}

/// Secrets of an endpoint, without themselves.
pub async fn secrets(request: Request) -> Result<Reply, Failure> {
    let endpoint = webhooks::get(&request.cx, endpoint_id(&request)?).await?;
    let data: Vec<_> = endpoint.secrets.iter().map(|note| SecretOut::of(note, None)).collect();
    Reply::json(200, &ListOut { data, has_more: false, next_cursor: None, total: None })
}

/// A new secret beside those before.
pub async fn rotate(request: Request) -> Result<Reply, Failure> {
    let id = endpoint_id(&request)?;
    let (body, mut fields) = match request.body.is_empty() {
        true => (SecretIn::default(), Fields::new(Reading::NullClears)),
        false => read::body(&request, Reading::NullClears)?,
    };
    let overlap = body.overlap_seconds.value().unwrap_or(OVERLAP_SECONDS);
    let own = own_secret(body.secret, &mut fields);
    fields.finish()?;
    let Issued { endpoint, secret } = secrets::rotate(&request.cx, id, overlap, own).await?;
    let note = endpoint.secrets.first();
    let note = note.ok_or_else(|| Failure::internal("an endpoint without a secret"))?;
    Reply::json(201, &SecretOut::of(note, secret))
}

/// Ends a secret at once.
pub async fn end_secret(request: Request) -> Result<Reply, Failure> {
    let n = request.param("n").parse().map_err(|_| Failure::NotFound { noun: Noun::Secret })?;
    secrets::end(&request.cx, endpoint_id(&request)?, n).await?;
    Ok(Reply::empty(204))
}
