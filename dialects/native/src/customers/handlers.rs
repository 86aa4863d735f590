//! Customers: `/v1/customers`.

use patron_app::{
    Expect, Id, Saved, comments, customers,
    record::Look,
    search::{After, Filter, Order, Query, customer as fields},
    shown::Seen,
};
use patron_gateway::{Faults, Fields, Member, Reading, Reply, Request};
use patron_model::{
    Failure, Noun, Patch, Permission, Why,
    address::Postal,
    customer::{Customer, CustomerPatch, NewAddress},
    text::Reference,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    conditions::{self, Condition},
    customers::{
        past,
        read::{self, Change, CustomerIn},
        show::{AddressOut, CommentOut, CustomerOut, ListOut, MergeOut, MergedOut},
    },
    filters,
    lists::{self, Key, Place},
};

/// Comments shown with an expanded customer at most.
const COMMENTS_SHOWN_MAX: u32 = 20;
/// Most records of one page.
pub const PAGE_MAX: i64 = 200;
/// How a page begins, up to its first record.
const LIST_START: &str = "{\"data\":[";
/// Records of a page when nothing is said.
const PAGE_DEFAULT: i64 = 50;

pub(super) fn id(request: &Request) -> Result<Id, Failure> {
    Id::parse(request.param("id"), Noun::Customer)
}

/// What is to be shown with a customer.
#[derive(Clone, Copy, Default)]
struct Expand {
    addresses: bool,
    comments: bool,
}

fn expand(request: &Request) -> Result<Expand, Failure> {
    let (mut expand, mut faults) = (Expand::default(), Faults::default());
    let params = request.query();
    for word in params.all("expand").flat_map(|words| words.split(',')) {
        match word {
            "addresses" => expand.addresses = true,
            "comments" => {
                request.cx.may(Permission::CommentRead)?;
                expand.comments = true;
            }
            "" => {}
            _ => faults.misread("expand", Why::not_one_of(word, "addresses, comments")),
        }
    }
    faults.finish().map(|()| expand)
}

async fn comments_of(
    request: &Request,
    customer: &Customer,
    expand: Expand,
) -> Result<Option<Vec<CommentOut>>, Failure> {
    if !expand.comments || customer.is_deleted() {
        return Ok(None);
    }
    let query = Query {
        order: Order::newest_first(),
        limit: COMMENTS_SHOWN_MAX,
        ..Query::of(request.cx.space)
    };
    let id = Id::Number(customer.number);
    let mut newest = comments::list(&request.cx, id, query).await?.items;
    newest.sort_by_key(|comment| !comment.pinned);
    Ok(Some(newest.iter().map(|comment| CommentOut::of(comment)).collect()))
}

async fn shown(
    request: &Request,
    status: u16,
    customer: &Customer,
    revision: i64,
) -> Result<Reply, Failure> {
    let expand = expand(request)?;
    let reply = Reply::json(status, &expanded(request, customer, expand).await?)?;
    Ok(tagged(reply, customer, revision, expand))
}

async fn expanded<'c>(
    request: &Request,
    customer: &'c Customer,
    expand: Expand,
) -> Result<CustomerOut<'c>, Failure> {
    let mut out = CustomerOut::of(customer, request.cx.now);
    out.comments = comments_of(request, customer, expand).await?;
    if expand.addresses {
        out.addresses = Some(customer.addresses().into_iter().map(AddressOut::of).collect());
    }
    Ok(out)
}

fn tagged(reply: Reply, customer: &Customer, revision: i64, expand: Expand) -> Reply {
    // With comments the answer depends on more than the customer's document: no tag.
    match (expand.comments, expand.addresses) {
        (true, _) => reply,
        (false, true) => {
            reply.with("etag", conditions::tag_with_revision(customer.version, revision))
        }
        (false, false) => reply.with("etag", conditions::tag(customer.version)),
    }
}

pub(super) async fn saved(
    request: &Request,
    status: u16,
    saved: &Saved<Customer>,
) -> Result<Reply, Failure> {
    let reply = shown(request, status, saved, saved.revision).await?;
    let location = format!("/v1/customers/{}", saved.uuid);
    Ok(match status {
        201 => reply.with("location", location),
        _ => reply,
    })
}

/// One customer; an absorbed one answers as the customer that took it over. With `as_of` or
/// `version` as it was then.
pub async fn get(request: Request) -> Result<Reply, Failure> {
    let (params, mut faults) = (request.query(), request.query_faults());
    let past = past::asked(&params, &mut faults);
    faults.keep(expand(&request))?;
    faults.finish()?;
    if let Some(past) = past {
        let then = customers::state(&request.cx, id(&request)?, past).await?;
        return shown(&request, 200, &then, then.revision).await;
    }
    let id = id(&request)?;
    let (reply, number, uuid) = match customers::see(&request.cx, Look::at(id).following()).await? {
        Seen::Shown(customer) if params.get("expand").is_none() => {
            let (number, uuid) = (customer.number(), customer.uuid());
            let tag = conditions::tag(customer.version()?);
            let reply = Reply::bytes(200, "application/json", customer.into_json());
            (conditions::unless_matched(&request, &tag, reply), number, uuid)
        }
        seen => {
            let customer = seen.load()?;
            let reply = shown(&request, 200, &customer, customer.revision).await?;
            let tag = reply.headers.get("etag").and_then(|tag| tag.to_str().ok());
            let reply = match tag.map(str::to_owned) {
                Some(tag) => conditions::unless_matched(&request, &tag, reply),
                None => reply,
            };
            (reply, customer.number, customer.uuid)
        }
    };
    // An absorbed customer was asked for by its own id.
    Ok(match id == Id::Number(number) || id == Id::Uuid(uuid) {
        true => reply,
        false => reply.with("content-location", format!("/v1/customers/{uuid}")),
    })
}

/// The customer with a reference.
pub async fn get_by_reference(request: Request) -> Result<Reply, Failure> {
    let mut faults = request.query_faults();
    faults.keep(expand(&request))?;
    faults.finish()?;
    let customer = customers::get_by_reference(&request.cx, request.param("reference")).await?;
    let tag = conditions::tag(customer.version);
    let reply = shown(&request, 200, &customer, customer.revision).await?;
    Ok(conditions::unless_matched(&request, &tag, reply))
}

/// A page of customers: filters, order, free text.
pub async fn list(request: Request) -> Result<Reply, Failure> {
    let (params, mut faults) = (request.query(), request.query_faults());
    let limit = faults.int(&params, "limit", PAGE_DEFAULT, 1, PAGE_MAX);
    let limit = u32::try_from(limit).unwrap_or(50);
    let home = request.cx.space_record().and_then(|space| space.default_country.as_ref());
    let filter = filters::filter(&params, home, request.cx.now, &mut faults);
    let deleted = faults.keep(deleted(&request, params.get("deleted")))?;
    let filter = filter.and(deleted.unwrap_or_else(fields::living));
    let expand = faults.keep(expand(&request))?.unwrap_or_default();
    let question: Vec<&str> = params
        .iter()
        .filter(|(name, _)| !matches!(*name, "cursor" | "limit" | "total" | "expand"))
        .flat_map(|(name, value)| [name, value])
        .collect();
    let question = lists::question(&question);
    let place = params.get("cursor").map(|text| lists::read(text, &question)).transpose();
    let place = faults.keep(place)?.flatten();
    let wants_total = faults.understood("total", wants_total(params.get("total")));
    let order = faults.understood("sort", filters::order(&params));
    faults.finish()?;
    let order = order.unwrap_or_else(Order::by_number);
    let total = match wants_total == Some(true) && params.get("q").is_none() {
        true => Some(customers::count(&request.cx, &[request.cx.space], &filter).await?),
        false => None,
    };
    let (items, next) = match params.get("q").filter(|q| !q.trim().is_empty()) {
        Some(q) => text_page(&request, q, &filter, place, limit).await?,
        None => plain_page(&request, filter, order, place, limit).await?,
    };
    let next_cursor = next.map(|place| lists::write(&question, place)).transpose()?;
    answer_page(&request, items, next_cursor, total, expand).await
}

fn wants_total(word: Option<&str>) -> Result<bool, Why> {
    match word {
        None | Some("false" | "") => Ok(false),
        Some("true") => Ok(true),
        Some(word) => Err(Why::not_one_of(word, "true, false")),
    }
}

fn deleted(request: &Request, word: Option<&str>) -> Result<Filter, Failure> {
    let filter = match word {
        None | Some("false" | "") => return Ok(fields::living()),
        Some("true" | "include") => Filter::All,
        Some("only") => Filter::Not(Box::new(fields::living())),
        Some(word) => {
            let why = Why::not_one_of(word, "false, true, only");
            return Err(Failure::malformed("deleted", why));
        }
    };
    request.cx.may(Permission::CustomerPast)?;
    Ok(filter)
}

type PageOf = (Vec<Seen>, Option<Place>);

async fn text_page(
    request: &Request,
    q: &str,
    filter: &Filter,
    place: Option<Place>,
    limit: u32,
) -> Result<PageOf, Failure> {
    let after = match place {
        Some(Place::Text { term, number }) => Some((term, number)),
        Some(Place::List { .. }) => return Err(lists::bad()),
        None => None,
    };
    let limit = limit as usize;
    let (items, next) = customers::search_text(&request.cx, q, filter, after, limit).await?;
    Ok((items, next.map(|(term, number)| Place::Text { term, number })))
}

async fn plain_page(
    request: &Request,
    predicate: Filter,
    order: Order,
    place: Option<Place>,
    limit: u32,
) -> Result<PageOf, Failure> {
    let sorted = !order.keys.is_empty();
    let after: Option<After> = match place {
        Some(place) => Some(place.after(sorted).ok_or_else(lists::bad)?),
        None => None,
    };
    let query = Query { predicate, order, after, limit, ..Query::of(request.cx.space) };
    let (items, more) = customers::see_list(&request.cx, &query).await?;
    let next = match items.last().filter(|_| more) {
        Some(last) => Some(place_after(last, &query.order)?),
        None => None,
    };
    Ok((items, next))
}

fn place_after(last: &Seen, order: &Order) -> Result<Place, Failure> {
    use patron_app::search;
    let After { keys, number } = last.place(order)?;
    let key = keys.into_iter().next().map(|value| match value {
        search::Value::Int(int) => Key::Int(int),
        search::Value::Text(text) => Key::Text(text),
        search::Value::Null => Key::Null,
    });
    Ok(Place::List { key, number })
}

async fn answer_page(
    request: &Request,
    items: Vec<Seen>,
    next_cursor: Option<String>,
    total: Option<u64>,
    expand: Expand,
) -> Result<Reply, Failure> {
    let mut data = Vec::new();
    for item in items {
        if !data.is_empty() {
            data.push(b',');
        }
        match item {
            Seen::Shown(customer) if !expand.addresses && !expand.comments => {
                data.extend_from_slice(customer.json().as_bytes());
            }
            seen => listed(request, &seen.load()?.record, expand, &mut data).await?,
        }
    }
    let link = next_cursor.as_deref().map(|cursor| next_link(request, cursor));
    let has_more = next_cursor.is_some();
    let around: ListOut<CustomerOut<'_>> =
        ListOut { data: Vec::new(), has_more, next_cursor, total };
    let around = serde_json::to_vec(&around).map_err(Failure::internal)?;
    let (start, end) = around.split_at(LIST_START.len());
    let page = [start, &data, end].concat();
    let reply = Reply::bytes(200, "application/json", page);
    Ok(match link {
        Some(link) => reply.with("link", link),
        None => reply,
    })
}

/// A customer of a page that is made for this answer.
async fn listed(
    request: &Request,
    customer: &Customer,
    expand: Expand,
    data: &mut Vec<u8>,
) -> Result<(), Failure> {
    let mut out = CustomerOut::of(customer, request.cx.now);
    if expand.addresses {
        out.addresses = Some(customer.addresses().into_iter().map(AddressOut::of).collect());
    }
    out.comments = comments_of(request, customer, expand).await?;
    serde_json::to_writer(data, &out).map_err(Failure::internal)
}

/// `Link: <…>; rel="next"` (RFC 8288): the same question with the next cursor.
fn next_link(request: &Request, cursor: &str) -> String {
    let others: Vec<&str> = request
        .query_string()
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with("cursor="))
        .collect();
    let question = [others.as_slice(), &[&format!("cursor={cursor}")]].concat().join("&");
    format!("<{}?{question}>; rel=\"next\"", request.path())
}

/// The addresses in a body. Faults are noted.
pub fn new_addresses(body: &mut CustomerIn, fields: &mut Fields) -> Vec<NewAddress> {
    let mut added = Vec::new();
    for (i, address) in body.addresses.take().into_iter().flatten().enumerate() {
        let read = |f: &mut Fields| address.patch(f);
        let patch = fields.within(&format!("addresses.{i}"), Reading::NullClears, read);
        added.push(NewAddress {
            purpose: patch.purpose.unwrap_or(patron_model::address::Purpose::Other),
            is_default: patch.is_default.unwrap_or(false),
            postal: Postal::default().changed(patch.postal),
        });
    }
    added
}

/// A new customer.
pub async fn create(request: Request) -> Result<Reply, Failure> {
    let (mut body, mut fields) = read::body::<CustomerIn>(&request, Reading::NullClears)?;
    let add_addresses = new_addresses(&mut body, &mut fields);
    let patch = body.patch(&mut fields);
    fields.finish()?;
    let patch = CustomerPatch { add_addresses, ..patch };
    let created = customers::create(&request.cx, patch).await?;
    saved(&request, 201, &created).await
}

fn names_another(body: &CustomerIn, reference: &Reference) -> bool {
    body.reference.as_ref().is_some_and(|named| named != reference.as_str())
}

/// Creates or updates the customer with a reference: one atomic call. The body replaces the record.
pub async fn put_by_reference(request: Request) -> Result<Reply, Failure> {
    let create_only = conditions::creates_only(&request)?;
    let condition = if create_only { Condition::None } else { conditions::of_change(&request)? };
    let (body, mut fields) = read::body(&request, Reading::Replaces)?;
    let reference = Reference::parse(request.param("reference"));
    match &reference {
        Err(why) => fields.refuse("reference", why.clone()),
        Ok(reference) if names_another(&body, reference) => {
            fields.refuse("reference", Why::Mismatch { with: "the reference in the path" });
        }
        Ok(_) => {}
    }
    let mut patch = read::without_addresses(body, fields)?;
    patch.reference = Patch::Keep;
    let reference = reference.map_err(|why| Failure::invalid("reference", why))?;
    let expect = match condition {
        // If-Match: * on a record that does not exist must fail (RFC 9110 §13.1.1).
        Condition::Exists => {
            customers::get_by_reference(&request.cx, reference.as_str())
                .await
                .map_err(|_| Failure::PreconditionFailed { what: "If-Match" })?;
            Expect::Any
        }
        other => other.expect(),
    };
    let put =
        customers::put_by_reference(&request.cx, &reference, expect, create_only, patch).await?;
    let status = if put.is_new() { 201 } else { 200 };
    saved(&request, status, &put).await
}

/// A changed customer: JSON Merge Patch or JSON Patch.
pub async fn update(request: Request) -> Result<Reply, Failure> {
    let expect = conditions::of_change(&request)?.expect();
    let id = id(&request)?;
    let updated = match read::read(&request)? {
        Change::Merge(patch) => customers::update(&request.cx, id, expect, *patch).await?,
        Change::Operations(operations) => {
            let decide = |customer: &Customer| read::apply_operations(customer, &operations);
            customers::change(&request.cx, id, expect, decide).await?
        }
    };
    let reply = saved(&request, 200, &updated).await?;
    Ok(reply.with("accept-patch", format!("{}, {}", read::MERGE_PATCH, read::JSON_PATCH)))
}

/// Hides a customer; it can be restored.
pub async fn delete(request: Request) -> Result<Reply, Failure> {
    let expect = conditions::of_change(&request)?.expect();
    customers::delete(&request.cx, id(&request)?, expect).await?;
    Ok(Reply::empty(204))
}

/// Brings a deleted customer back.
pub async fn restore(request: Request) -> Result<Reply, Failure> {
    let restored = customers::restore(&request.cx, id(&request)?, Expect::Any).await?;
    saved(&request, 200, &restored).await
}

/// Which customer is to be taken over.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "MergeInput", extend("required" = ["absorb"]))]
pub struct MergeIn {
    /// Id or number of the customer that is taken over.
    absorb: Member<Value>,
}

/// Takes another customer over. `Prefer: dry-run` shows the outcome first.
pub async fn merge(request: Request) -> Result<Reply, Failure> {
    let expect = conditions::of_change(&request)?.expect();
    let (body, mut fields) = read::body::<MergeIn>(&request, Reading::NullKeeps)?;
    let absorbed = match body.absorb.value() {
        Some(Value::String(text)) => Some(text),
        Some(Value::Number(number)) => Some(number.to_string()),
        None => {
            fields.refuse("absorb", Why::Required);
            None
        }
        Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) => {
            fields.refuse("absorb", Why::WrongType { expected: "an id or number" });
            None
        }
    };
    fields.finish()?;
    let absorbed = Id::parse(&absorbed.unwrap_or_default(), Noun::Customer)?;
    let survivor = id(&request)?;
    let merged = customers::merge(&request.cx, survivor, absorbed, expect).await?;
    let survivor = &merged.survivor;
    let expand = self::expand(&request)?;
    let customer = expanded(&request, survivor, expand).await?;
    let merge = merged.beside.as_ref().map(|beside| MergeOut::of(survivor, beside));
    let reply = Reply::json(200, &MergedOut { customer, merge })?;
    Ok(tagged(reply, survivor, survivor.revision, expand))
}
