//! Comments on customers (dossier §6.4).

use patron_app::{
    Expect,
    comments::{self, CommentPatch},
    customers,
    search::{Field, Query, fields::comment},
};
use patron_gateway::{Fields, Member, Reading, Reply, Request};
use patron_model::{
    Failure, Patch, Why, comment::Comment as Record, customer::Customer, text::Content,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    customers::show::CustomerReference,
    filters::{Check, Kind},
    input::{expected, required, text},
    lists::{ListParams, SearchParams, expands},
    transport::id,
};

/// A comment as it is shown.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CustomerComment<'a> {
    /// Number of the comment.
    id: i64,
    /// Space it belongs to.
    linked_space_id: i64,
    /// Version a change must name.
    version: i64,
    /// When it was written.
    created_on: String,
    /// User who wrote it.
    created_by: i64,
    /// When its text was last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    edited_on: Option<String>,
    /// User who last changed its text.
    #[serde(skip_serializing_if = "Option::is_none")]
    edited_by: Option<i64>,
    /// Whether it is pinned to the top.
    pinned: bool,
    /// The text.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    /// Whom it is about.
    customer: CustomerReference<'a>,
}

impl<'a> CustomerComment<'a> {
    fn of(record: &'a Record, expanded: Option<&'a Customer>) -> CustomerComment<'a> {
        let customer = match expanded {
            Some(customer) => CustomerReference::to(customer, true),
            None => CustomerReference::Id { id: record.customer },
        };
        CustomerComment {
            id: record.number,
            linked_space_id: record.space,
            version: record.version,
            created_on: record.created_at.rfc3339_millis(),
            created_by: record.created_by,
            edited_on: record.edited_at.map(|at| at.rfc3339_millis()),
            edited_by: record.edited_by,
            pinned: record.pinned,
            content: record.content.as_ref().map(Content::as_str),
            customer,
        }
    }
}

/// A comment to be written.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CustomerCommentCreate {
    /// The text.
    content: Member<String>,
    /// Number of the customer, as in the path. Required.
    customer: Member<i64>,
}

/// A comment to be changed: what is absent stays.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CustomerCommentActive {
    /// The text.
    content: Member<String>,
    /// Version the change builds on. Required.
    version: Member<i32>,
}

fn content(fields: &mut Fields, sent: &Member<String>) -> Patch<Content> {
    text(fields, ("content", Content::MAX), sent, &None, Content::parse)
}

// ---- search -----------------------------------------------------------------------------------

fn resolve(name: &str) -> Option<(Field, Kind)> {
    Some(match name {
        "id" => (comment::number(), Kind::Whole),
        "version" => (comment::version(), Kind::Whole),
        "createdOn" => (comment::created_at(), Kind::Moment),
        "createdBy" => (comment::created_by(), Kind::Whole),
        "editedOn" => (comment::edited_at(), Kind::Moment),
        "editedBy" => (comment::edited_by(), Kind::Whole),
        "pinned" => (comment::pinned(), Kind::Flag),
        "content" => (comment::content(), Kind::Text),
        "customer" | "customer.id" => (comment::customer(), Kind::Whole),
        _ => return None,
    })
}

// ---- handlers ---------------------------------------------------------------------------------

/// The customer of the path, when the caller wants to see all of it.
async fn expanded(request: &Request) -> Result<Option<Customer>, Failure> {
    if !expands(request, "customer") {
        return Ok(None);
    }
    let customer = customers::get(&request.cx, id(request, "customerId")?).await?;
    Ok(Some(customer.record))
}

/// `GET /customers/{customerId}/comments`
pub async fn list(request: Request) -> Result<Reply, Failure> {
    let params = ListParams::read(&request)?;
    let query = params.query(request.cx.space);
    let (found, more, customer) = page(&request, query).await?;
    let shown = found.iter().map(|c| CustomerComment::of(c, customer.as_ref())).collect();
    Reply::json(200, &params.page(shown, more))
}

/// `GET /customers/{customerId}/comments/search`
pub async fn search(request: Request) -> Result<Reply, Failure> {
    let params = SearchParams::read(&request, &resolve)?;
    let compile = |field: &Field, check: &Check| check.filter(field.clone());
    let query = params.query(request.cx.space, compile, Clone::clone);
    let (found, more, customer) = page(&request, query).await?;
    let shown = found.iter().map(|c| CustomerComment::of(c, customer.as_ref())).collect();
    Reply::json(200, &params.page(shown, more))
}

type Found = (Vec<Record>, bool, Option<Customer>);

async fn page(request: &Request, query: Query) -> Result<Found, Failure> {
    let found = comments::list(&request.cx, id(request, "customerId")?, query).await?;
    let records = found.items.into_iter().map(|loaded| loaded.record).collect();
    Ok((records, found.more, expanded(request).await?))
}

/// `GET /customers/{customerId}/comments/{id}`
pub async fn retrieve(request: Request) -> Result<Reply, Failure> {
    let (whose, which) = (id(&request, "customerId")?, id(&request, "id")?);
    let comment = comments::get(&request.cx, whose, which).await?;
    let customer = expanded(&request).await?;
    Reply::json(200, &CustomerComment::of(&comment, customer.as_ref()))
}

/// `POST /customers/{customerId}/comments`
pub async fn create(request: Request) -> Result<Reply, Failure> {
    let whose = id(&request, "customerId")?;
    let (body, mut fields) = request.read::<CustomerCommentCreate>(Reading::NullKeeps)?;
    let content = content(&mut fields, &body.content);
    let named = required(&mut fields, "customer", body.customer);
    if named.is_some_and(|named| patron_app::Id::Number(named) != whose) {
        fields.refuse("customer", Why::Mismatch { with: "the customer in the path" });
    }
    fields.finish()?;
    let comment = comments::create(&request.cx, whose, content.apply(None), false).await?;
    let customer = expanded(&request).await?;
    Reply::json(201, &CustomerComment::of(&comment, customer.as_ref()))
}

/// `PATCH /customers/{customerId}/comments/{id}`
pub async fn update(request: Request) -> Result<Reply, Failure> {
    let (whose, which) = (id(&request, "customerId")?, id(&request, "id")?);
    let (body, mut fields) = request.read::<CustomerCommentActive>(Reading::NullKeeps)?;
    let expect = expected(&mut fields, body.version);
    let content = content(&mut fields, &body.content);
    fields.finish()?;
    let patch = CommentPatch { content, pinned: None };
    let comment = comments::update(&request.cx, whose, which, expect, patch).await?;
    let customer = expanded(&request).await?;
    Reply::json(200, &CustomerComment::of(&comment, customer.as_ref()))
}

/// `DELETE /customers/{customerId}/comments/{id}`
pub async fn delete(request: Request) -> Result<Reply, Failure> {
    let (whose, which) = (id(&request, "customerId")?, id(&request, "id")?);
    comments::delete(&request.cx, whose, which, Expect::Any).await?;
    Ok(Reply::empty(204))
}

/// `POST /customers/{customerId}/comments/{id}/pin`
pub async fn pin(request: Request) -> Result<Reply, Failure> {
    set_pinned(&request, true).await
}

/// `POST /customers/{customerId}/comments/{id}/unpin`
pub async fn unpin(request: Request) -> Result<Reply, Failure> {
    set_pinned(&request, false).await
}

/// Idempotent; several comments may be pinned.
async fn set_pinned(request: &Request, pinned: bool) -> Result<Reply, Failure> {
    let (whose, which) = (id(request, "customerId")?, id(request, "id")?);
    let patch = CommentPatch { content: Patch::Keep, pinned: Some(pinned) };
    comments::update(&request.cx, whose, which, Expect::Any, patch).await?;
    Ok(Reply::empty(204))
}
