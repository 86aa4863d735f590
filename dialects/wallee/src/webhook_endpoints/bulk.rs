//! Many webhook URLs or listeners in one request: one verdict for each item, in order, not atomic.

use patron_app::Id;
use patron_gateway::{Reply, Request, decode};
use patron_model::Failure;
use serde_json::value::RawValue;

use super::{
    Of,
    handlers::{create_listener, create_url, delete_one, update_listener, update_url},
};
use crate::{
    customers::bulk::{BulkResult, Target, item, items},
    errors::word,
};

/// `POST /webhooks/urls/bulk`, `POST /webhooks/listeners/bulk`
pub async fn create_many(of: Of, request: Request) -> Result<Reply, Failure> {
    let mut results = Vec::new();
    for raw in items(&request)? {
        let outcome = create_one(&request, of, &raw).await;
        results.push(BulkResult::of((of.path(), word), None, 201, outcome, request.now));
    }
    Reply::json(200, &results)
}

async fn create_one(request: &Request, of: Of, raw: &RawValue) -> Result<i64, Failure> {
    let made = match of {
        Of::Urls => {
            let (body, fields) = item(raw)?;
            create_url(request, body, fields).await?
        }
        Of::Listeners => {
            let (body, fields) = item(raw)?;
            create_listener(request, body, fields).await?
        }
    };
    Ok(made.number)
}

/// `PATCH /webhooks/urls/bulk`, `PATCH /webhooks/listeners/bulk`
pub async fn update_many(of: Of, request: Request) -> Result<Reply, Failure> {
    let mut results = Vec::new();
    for raw in items(&request)? {
        let (id, outcome) = match item::<Target>(&raw) {
            Ok((target, _)) => {
                let id = target.id.value();
                (id, update_one(&request, of, id, &raw).await)
            }
            Err(failure) => (None, Err(failure)),
        };
        results.push(BulkResult::of((of.path(), word), id, 200, outcome, request.now));
    }
    Reply::json(200, &results)
}

async fn update_one(
    request: &Request,
    of: Of,
    id: Option<i64>,
    raw: &RawValue,
) -> Result<i64, Failure> {
    let id = id.map(Id::Number);
    let changed = match of {
        Of::Urls => {
            let (body, fields) = item(raw)?;
            update_url(request, id, body, fields).await?
        }
        Of::Listeners => {
            let (body, fields) = item(raw)?;
            update_listener(request, id, body, fields).await?
        }
    };
    Ok(changed.number)
}

/// `DELETE /webhooks/urls/bulk`, `DELETE /webhooks/listeners/bulk`
pub async fn delete_many(of: Of, request: Request) -> Result<Reply, Failure> {
    let mut results = Vec::new();
    for raw in items(&request)? {
        let target = decode::json::<i64>(raw.get().as_bytes());
        let id = target.as_ref().ok().copied();
        let outcome = match target {
            Ok(id) => delete_one(&request, of, Id::Number(id)).await,
            Err(failure) => Err(failure),
        };
        results.push(BulkResult::of((of.path(), word), id, 204, outcome, request.now));
    }
    Reply::json(200, &results)
}
