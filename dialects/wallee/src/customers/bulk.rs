//! Many customers in one request (dossier §3): one verdict for each item, in order, not atomic.

use patron_app::{Expect, Id, customers};
use patron_gateway::{Fields, Member, Reading, Reply, Request, decode};
use patron_model::{Failure, Timestamp, Why};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::{
    MOUNT,
    customers::read::{CustomerActive, CustomerCreate},
    errors::{self, ErrorBody, Word, word_of_customer},
};

/// Most items of one request; the provider's limit is not known (dossier §3).
pub const ITEMS_MAX: usize = 100;

/// Where customers are, and their words for fields.
const CUSTOMERS: (&str, Word) = ("customers", word_of_customer);

/// The verdict on one item.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "RestApiBulkOperationResult")]
pub struct BulkResult {
    /// Number of the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<i64>,
    /// Status the single call would have answered.
    status_code: u16,
    /// Where the record can be fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
    /// Why nothing was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorBody>,
}

impl BulkResult {
    /// The verdict on an item of a collection, whose words for fields come with its path.
    pub fn of(
        (path, word): (&str, Word),
        id: Option<i64>,
        status: u16,
        outcome: Result<i64, Failure>,
        now: Timestamp,
    ) -> BulkResult {
        match outcome {
            // What was deleted can no longer be fetched.
            Ok(id) if status == 204 => {
                BulkResult { id: Some(id), status_code: status, ..BulkResult::default() }
            }
            Ok(id) => {
                let link = Some(format!("{MOUNT}/{path}/{id}"));
                BulkResult { id: Some(id), status_code: status, link, error: None }
            }
            Err(failure) => {
                let (status_code, error) = errors::body(&failure, now, word);
                BulkResult { id, status_code, link: None, error: Some(error) }
            }
        }
    }
}

/// What an item is for. The SDK's update model has no such member (dossier §3), so only
/// callers of their own making can send it.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Target {
    /// Its number.
    pub id: Member<i64>,
}

/// Items as they came.
pub type Items = Vec<Box<RawValue>>;

/// The items of a request.
///
/// # Errors
/// `TooLarge`, `Malformed`.
pub fn items(request: &Request) -> Result<Items, Failure> {
    let items: Items = request.json()?;
    if items.len() > ITEMS_MAX {
        return Err(Failure::TooLarge { limit: ITEMS_MAX });
    }
    Ok(items)
}

/// Reads an item.
///
/// # Errors
/// `Malformed`.
pub fn item<T: DeserializeOwned>(raw: &RawValue) -> Result<(T, Fields), Failure> {
    Fields::read(raw.get().as_bytes(), Reading::NullKeeps)
}

/// `POST /customers/bulk`
pub async fn create(request: Request) -> Result<Reply, Failure> {
    let mut results = Vec::new();
    // One after the other: of two items with the same customerId the first one wins.
    for raw in items(&request)? {
        let patch = item::<CustomerCreate>(&raw).and_then(|(body, f)| body.patch(f, None));
        let outcome = match patch {
            Ok(patch) => customers::create(&request.cx, patch).await.map(|made| made.number),
            Err(failure) => Err(failure),
        };
        results.push(BulkResult::of(CUSTOMERS, None, 201, outcome, request.now));
    }
    Reply::json(200, &results)
}

/// `PATCH /customers/bulk`
pub async fn update(request: Request) -> Result<Reply, Failure> {
    let mut results = Vec::new();
    for raw in items(&request)? {
        let (id, outcome) = match item::<Target>(&raw) {
            Ok((target, fields)) => update_one(&request, target, fields, &raw).await,
            Err(failure) => (None, Err(failure)),
        };
        results.push(BulkResult::of(CUSTOMERS, id, 200, outcome, request.now));
    }
    Reply::json(200, &results)
}

/// The customer an item is for, if it says so, and the verdict on it.
async fn update_one(
    request: &Request,
    target: Target,
    fields: Fields,
    raw: &RawValue,
) -> (Option<i64>, Result<i64, Failure>) {
    let id = target.id.value();
    let changed = async {
        let raw = raw.get().as_bytes();
        let (body, mut fields) =
            Fields::read_on::<CustomerActive>(raw, Reading::NullKeeps, fields.faults)?;
        let (expect, body) = body.split(&mut fields);
        let Some(id) = id else {
            fields.refuse("id", Why::Required);
            body.patch(fields, None)?;
            return Err(Failure::invalid("id", Why::Required));
        };
        let decide = |current: &_| body.patch(fields.clone(), Some(current));
        let (cx, number) = (&request.cx, Id::Number(id));
        let customer = customers::change_among_many(cx, number, expect, decide).await?;
        Ok(customer.number)
    };
    (id, changed.await)
}

/// `DELETE /customers/bulk`
pub async fn delete(request: Request) -> Result<Reply, Failure> {
    let mut results = Vec::new();
    for raw in items(&request)? {
        let target = decode::json::<i64>(raw.get().as_bytes());
        let id = target.as_ref().ok().copied();
        let outcome = match target {
            Ok(id) => delete_one(&request, id).await,
            Err(failure) => Err(failure),
        };
        results.push(BulkResult::of(CUSTOMERS, id, 204, outcome, request.now));
    }
    Reply::json(200, &results)
}

async fn delete_one(request: &Request, id: i64) -> Result<i64, Failure> {
    let customer = customers::delete(&request.cx, Id::Number(id), Expect::Any).await?;
    Ok(customer.number)
}
