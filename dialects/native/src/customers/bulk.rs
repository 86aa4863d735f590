//! Many customers in one call: `POST /v1/customers/bulk`.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::future::join_all;
use patron_app::{
    Cx, Expect, Id, Saved,
    customers::{self, Fate, Item},
};
use patron_gateway::{Fields, Member, Reading, Reply, Request, decode};
use patron_model::{
    Failure, Noun, Patch, Why,
    customer::{Customer, CustomerPatch},
    email::Email,
    event::CustomerEvent,
    text::Reference,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::{Value, value::RawValue};

use super::{
    handlers::new_addresses,
    read::{self, CustomerIn},
};
use crate::{conditions, errors};

/// Most items of one call.
pub const ITEMS_MAX: usize = 1_000;
/// Items that count as one request against the limits of who asks.
const ITEMS_A_REQUEST: usize = 20;
/// Most characters of a label.
const LABEL_CHARS_MAX: usize = 255;
/// Customers that are made side by side.
const TOGETHER_MAX: usize = 16;
/// What can be done with a customer.
const ACTIONS: &str = "create, upsert, update, delete";

/// Many customers.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "BulkInput", extend("required" = ["items"]))]
pub struct BulkIn {
    /// Whether all items stand or fall together; false when absent.
    atomic: Member<bool>,
    /// What shall be done, in this order; at most 1000.
    #[schemars(with = "Vec<ItemIn>")]
    items: Member<Vec<Box<RawValue>>>,
}

/// What shall become of one customer.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "BulkItemInput", extend("required" = ["action"]))]
pub struct ItemIn {
    /// A word of your own, which comes back with the verdict.
    label: Member<String>,
    /// `create`, `upsert`, `update` or `delete`.
    #[schemars(with = "crate::words::BulkAction")]
    action: Member<String>,
    /// How an upsert finds the customer: `reference` or `email`, as `customer` says it.
    #[schemars(with = "Option<crate::words::BulkKey>")]
    by: Member<String>,
    /// Id or number of the customer that is changed or deleted.
    id: Member<Value>,
    /// The version it must still have.
    if_match: Member<String>,
    /// The customer: whole, or what of it changes.
    #[schemars(with = "Option<CustomerIn>")]
    customer: Member<Box<RawValue>>,
}

/// What came of many customers.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "BulkOutcome")]
pub struct BulkOut {
    /// A verdict on each item, in their order.
    data: Vec<VerdictOut>,
    /// How many there are of each.
    counts: CountsOut,
}

/// What came of an item.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "BulkVerdict")]
pub struct VerdictOut {
    /// Its label, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    /// Its place among the items, from 0.
    index: usize,
    /// What was done; of an atomic call that is refused, what would have been.
    #[schemars(with = "crate::words::BulkVerdict")]
    verdict: &'static str,
    /// The status that a call of its own would have been answered with.
    status: u16,
    /// UUID of the customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<uuid::Uuid>,
    /// Its number.
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<i64>,
    /// Its version now.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<i64>,
    /// Why it is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<errors::ProblemDocument>,
}

/// How many items of each verdict there are.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[schemars(rename = "BulkCounts")]
pub struct CountsOut {
    created: usize,
    updated: usize,
    unchanged: usize,
    deleted: usize,
    refused: usize,
}

/// An item as it was read.
struct Read {
    label: Option<String>,
    item: Result<Item, Failure>,
}

type Outcome = Result<Saved<Customer>, Failure>;

/// For how many requests a body counts.
pub fn weight(body: &[u8]) -> usize {
    /// Nothing but how many there are.
    #[derive(Deserialize)]
    struct Many {
        items: Vec<IgnoredAny>,
    }
    let items = serde_json::from_slice::<Many>(body).map_or(1, |many| many.items.len());
    items.min(ITEMS_MAX).div_ceil(ITEMS_A_REQUEST).max(1)
}

/// Creates, changes and deletes many customers.
pub async fn bulk(request: Request) -> Result<Reply, Failure> {
    let (body, mut fields) = read::body::<BulkIn>(&request, Reading::NullKeeps)?;
    let atomic = body.atomic.value().unwrap_or_default();
    let items = body.items.value();
    if items.is_none() {
        fields.refuse("items", Why::Required);
    }
    fields.finish()?;
    let raw = items.unwrap_or_default();
    if raw.len() > ITEMS_MAX {
        return Err(Failure::TooLarge { limit: ITEMS_MAX });
    }
    let items: Vec<Read> = raw.iter().map(|raw| item(&request, raw)).collect();
    let (labels, items): (Vec<_>, Vec<_>) =
        items.into_iter().map(|read| (read.label, read.item)).unzip();
    // Tried out together, so that what follows sees what comes before, as it will.
    if atomic || request.cx.dry_run {
        return Ok(match customers::bulk_together(&request.cx, &items).await? {
            Fate::Done(all) => {
                answer(&request, 200, labels, all.into_iter().map(Ok).collect(), true)?
            }
            Fate::Undone(verdicts) => {
                let status = if atomic { 422 } else { 200 };
                let verdicts = items.iter().zip(verdicts).map(|(item, verdict)| match item {
                    Ok(_) => of_customer(verdict),
                    Err(_) => verdict,
                });
                let verdicts = verdicts.collect();
                answer(&request, status, labels, verdicts, false)?
            }
        });
    }
    let outcomes = each(&request, &raw, items).await?;
    answer(&request, 200, labels, outcomes, true)
}

/// Does what each item says, one after the other. Customers that are only made, and do not claim
/// the same reference, are made side by side: nobody could tell.
async fn each(
    request: &Request,
    raw: &[Box<RawValue>],
    items: Vec<Result<Item, Failure>>,
) -> Result<Vec<Outcome>, Failure> {
    let mut outcomes = Vec::with_capacity(items.len());
    while outcomes.len() < items.len() {
        let from = outcomes.len();
        let mut references = HashSet::new();
        let made = items[from..].iter().take(TOGETHER_MAX).take_while(|item| match item {
            Ok(Item::Create(patch)) => match &patch.reference {
                Patch::Set(reference) => references.insert(reference.as_str().to_owned()),
                Patch::Keep | Patch::Clear => true,
            },
            _ => false,
        });
        let until = from + made.count().max(1);
        let some = (from..until).map(|at| one(request, at, &raw[at], &items[at]));
        for outcome in join_all(some).await {
            match outcome {
                // Whoever repeats the call with its key goes on here.
                Err(
                    failure @ (Failure::Internal(_)
                    | Failure::Unavailable { .. }
                    | Failure::TimedOut),
                ) => return Err(failure),
                outcome => outcomes.push(outcome),
            }
        }
    }
    Ok(outcomes)
}

/// Does what one item says, under a key of its own where the call has one.
async fn one(
    request: &Request,
    index: usize,
    raw: &RawValue,
    item: &Result<Item, Failure>,
) -> Outcome {
    let item = item.as_ref().map_err(Clone::clone)?;
    let cx = &request.cx;
    let Some(whole) = &cx.idempotency else {
        return of_customer(customers::bulk_item(cx, item).await);
    };
    let key = format!("{}/{index}", whole.key);
    let fingerprint = cx.app.secrets.answer_fingerprint("item", &[raw.get().as_bytes()]);
    let begun =
        cx.app.begin(cx.space, &key, &whole.operation, fingerprint, whole.remembered_seconds);
    let cx = Cx { idempotency: Some(Arc::new(begun.await?)), ..cx.clone() };
    of_customer(customers::bulk_item(&cx, item).await)
}

/// What the customer of an item is refused for, told by its place in the item.
fn of_customer(outcome: Outcome) -> Outcome {
    decode::below("customer", outcome)
}

/// Reads an item. What is wrong with it is its own.
fn item(request: &Request, raw: &RawValue) -> Read {
    /// Read before anything else, so that the verdict on a broken item has it too.
    #[derive(Deserialize)]
    struct Label {
        label: Option<String>,
    }
    let label = serde_json::from_str::<Label>(raw.get()).ok().and_then(|read| read.label);
    let label = label.filter(|label| label.chars().count() <= LABEL_CHARS_MAX);
    Read { label, item: deed(request, raw) }
}

fn deed(request: &Request, raw: &RawValue) -> Result<Item, Failure> {
    let (body, mut fields) = Fields::read::<ItemIn>(raw.get().as_bytes(), Reading::NullKeeps)?;
    if body.label.as_ref().is_some_and(|label| label.chars().count() > LABEL_CHARS_MAX) {
        fields.refuse("label", Why::TooLong { max: LABEL_CHARS_MAX });
    }
    let action = body.action.value();
    match action.as_deref() {
        Some("create") => {
            left_out(
                &mut fields,
                &[
                    ("by", body.by.is_absent()),
                    ("id", body.id.is_absent()),
                    ("if_match", body.if_match.is_absent()),
                ],
            );
            let customer = customer(body.customer, &mut fields);
            fields.finish()?;
            create(&customer)
        }
        Some("upsert") => {
            left_out(
                &mut fields,
                &[("id", body.id.is_absent()), ("if_match", body.if_match.is_absent())],
            );
            let customer = customer(body.customer, &mut fields);
            let by = body.by.value();
            if !matches!(by.as_deref(), Some("reference" | "email")) {
                let given = by.as_deref().map(|by| Why::not_one_of(by, "reference, email"));
                fields.refuse("by", given.unwrap_or(Why::Required));
            }
            fields.finish()?;
            upsert(&customer, by.as_deref() == Some("email"))
        }
        Some("update") => {
            left_out(&mut fields, &[("by", body.by.is_absent())]);
            let customer = customer(body.customer, &mut fields);
            let id = id(body.id, &mut fields);
            let expect = expect(request, body.if_match, &mut fields);
            fields.finish()?;
            let patch = decode::below("customer", patch(&customer))?;
            Ok(Item::Update(id?, expect?, Box::new(patch)))
        }
        Some("delete") => {
            left_out(
                &mut fields,
                &[("by", body.by.is_absent()), ("customer", body.customer.is_absent())],
            );
            let id = id(body.id, &mut fields);
            let expect = expect(request, body.if_match, &mut fields);
            fields.finish()?;
            Ok(Item::Delete(id?, expect?))
        }
        given => {
            let why = given.map(|given| Why::not_one_of(given, ACTIONS));
            fields.refuse("action", why.unwrap_or(Why::Required));
            fields.finish()?;
            Err(Failure::invalid("action", Why::Required))
        }
    }
}

/// Members that an action has no use for: nothing is accepted and dropped.
fn left_out(fields: &mut Fields, members: &[(&str, bool)]) {
    for (name, is_absent) in members {
        if !is_absent {
            fields.refuse(name, Why::Malformed { expected: "left out for this action" });
        }
    }
}

/// The text of the customer in an item.
fn customer(member: Member<Box<RawValue>>, fields: &mut Fields) -> Box<RawValue> {
    member.value().unwrap_or_else(|| {
        fields.refuse("customer", Why::Required);
        RawValue::NULL.to_owned()
    })
}

fn id(member: Member<Value>, fields: &mut Fields) -> Result<Id, Failure> {
    match member.value() {
        Some(Value::String(text)) => Id::parse(&text, Noun::Customer),
        Some(Value::Number(number)) => Id::parse(&number.to_string(), Noun::Customer),
        None => {
            fields.refuse("id", Why::Required);
            Err(Failure::NotFound { noun: Noun::Customer })
        }
        Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) => {
            fields.refuse("id", Why::WrongType { expected: "an id or number" });
            Err(Failure::NotFound { noun: Noun::Customer })
        }
    }
}

/// The version an item wants, demanded where the space demands one.
fn expect(
    request: &Request,
    member: Member<String>,
    fields: &mut Fields,
) -> Result<Expect, Failure> {
    match member.value() {
        Some(text) => Ok(conditions::version(&text).unwrap_or_else(|| {
            fields.refuse("if_match", Why::Malformed { expected: "a version or an entity tag" });
            Expect::Any
        })),
        None if request.cx.space_record().is_some_and(|space| space.require_precondition) => {
            Err(Failure::PreconditionRequired)
        }
        None => Ok(Expect::Any),
    }
}

/// A new customer.
fn create(customer: &RawValue) -> Result<Item, Failure> {
    let read = || {
        let (mut body, mut fields) =
            Fields::read::<CustomerIn>(customer.get().as_bytes(), Reading::NullClears)?;
        let add_addresses = new_addresses(&mut body, &mut fields);
        let patch = body.patch(&mut fields);
        fields.finish()?;
        Ok(CustomerPatch { add_addresses, ..patch })
    };
    Ok(Item::Create(Box::new(decode::below("customer", read())?)))
}

/// What a customer is to be found by, and what of it changes.
fn upsert(customer: &RawValue, by_email: bool) -> Result<Item, Failure> {
    let patch = decode::below("customer", patch(customer))?;
    match by_email {
        true => match &patch.email {
            Patch::Set(email) => Ok(Item::UpsertByEmail(Email::clone(email), Box::new(patch))),
            Patch::Keep | Patch::Clear => Err(Failure::invalid("customer.email", Why::Required)),
        },
        false => match &patch.reference {
            Patch::Set(reference) => {
                Ok(Item::UpsertByReference(Reference::clone(reference), Box::new(patch)))
            }
            Patch::Keep | Patch::Clear => {
                Err(Failure::invalid("customer.reference", Why::Required))
            }
        },
    }
}

/// What of a customer changes.
fn patch(customer: &RawValue) -> Result<CustomerPatch, Failure> {
    let (body, fields) =
        Fields::read::<CustomerIn>(customer.get().as_bytes(), Reading::NullClears)?;
    read::without_addresses(body, fields)
}

fn answer(
    request: &Request,
    status: u16,
    labels: Vec<Option<String>>,
    outcomes: Vec<Outcome>,
    is_done: bool,
) -> Result<Reply, Failure> {
    let mut counts = CountsOut::default();
    let mut data = Vec::with_capacity(outcomes.len());
    for (index, (label, outcome)) in labels.into_iter().zip(outcomes).enumerate() {
        let verdict = verdict(request, label, index, outcome, is_done);
        match verdict.verdict {
            "created" => counts.created += 1,
            "updated" => counts.updated += 1,
            "unchanged" => counts.unchanged += 1,
            "deleted" => counts.deleted += 1,
            _ => counts.refused += 1,
        }
        data.push(verdict);
    }
    Reply::json(status, &BulkOut { data, counts })
}

fn verdict(
    request: &Request,
    label: Option<String>,
    index: usize,
    outcome: Outcome,
    is_done: bool,
) -> VerdictOut {
    let none = VerdictOut {
        label,
        index,
        verdict: "refused",
        status: 200,
        id: None,
        number: None,
        version: None,
        problem: None,
    };
    match outcome {
        Ok(saved) => {
            let (verdict, status) = match saved.event {
                None => ("unchanged", 200),
                Some(CustomerEvent::Created) => ("created", 201),
                Some(CustomerEvent::Deleted) => ("deleted", 204),
                Some(_) => ("updated", 200),
            };
            if !is_done && verdict == "created" {
                // What was not made has no number.
                return VerdictOut { verdict, status, ..none };
            }
            let (id, number) = (Some(saved.uuid), Some(saved.number));
            let version = is_done.then_some(saved.version);
            VerdictOut { verdict, status, id, number, version, ..none }
        }
        Err(failure) => {
            let problem = errors::document(&failure, &request.exchange);
            // What is taken is told by the name of a field, all else by its place already.
            let problem = match failure {
                Failure::Exists { .. } => problem.below("/customer"),
                _ => problem,
            };
            VerdictOut { status: problem.status, problem: Some(problem), ..none }
        }
    }
}
