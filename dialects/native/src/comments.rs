//! Comments on a customer: `/v1/customers/{id}/comments`.

use patron_app::{
    Id, Saved,
    comments::{self, CommentPatch},
    search::{Order, Query},
};
use patron_gateway::{Member, Reading, Reply, Request};
use patron_model::{Failure, Noun, comment::Comment, text::Content};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    conditions,
    customers::{
        read,
        show::{CommentOut, ListOut},
    },
    events,
    lists::{self, Place},
};

/// A comment as it is written.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "CommentInput")]
pub struct CommentIn {
    /// The text, at most 262 144 characters.
    content: Member<String>,
    /// Whether it is pinned to the top.
    pinned: Member<bool>,
}

fn comment_id(request: &Request) -> Result<Id, Failure> {
    Id::parse(request.param("comment"), Noun::Comment)
}

fn customer_id(request: &Request) -> Result<Id, Failure> {
    Id::parse(request.param("id"), Noun::Customer)
}

fn patch(request: &Request) -> Result<CommentPatch, Failure> {
    let (body, mut fields) = read::body::<CommentIn>(request, Reading::NullClears)?;
    let content = fields.text("content", body.content, Content::parse);
    fields.finish()?;
    Ok(CommentPatch { content, pinned: body.pinned.value() })
}

fn reply(request: &Request, status: u16, saved: &Saved<Comment>) -> Result<Reply, Failure> {
    let reply =
        Reply::json(status, &CommentOut::of(saved))?.with("etag", conditions::tag(saved.version));
    Ok(match status {
        201 => reply.with("location", format!("{}/{}", request.path(), saved.uuid)),
        _ => reply,
    })
}

/// A page of comments, newest first.
pub async fn list(request: Request) -> Result<Reply, Failure> {
    let (params, mut faults) = (request.query(), request.query_faults());
    let limit = faults.int(&params, "limit", 50, 1, 100);
    let question = lists::question(&["comments", request.param("id")]);
    let after = faults.keep(lists::after(&params, &question))?.flatten();
    faults.finish()?;
    let limit = u32::try_from(limit).unwrap_or(50);
    let query = Query { order: Order::newest_first(), after, limit, ..Query::of(request.cx.space) };
    let page = comments::list(&request.cx, customer_id(&request)?, query).await?;
    let last = page.items.last().filter(|_| page.more).map(|comment| comment.number);
    let next = last.map(|number| lists::write(&question, Place::List { key: None, number }));
    let data: Vec<CommentOut> = page.items.iter().map(|comment| CommentOut::of(comment)).collect();
    let next_cursor = next.transpose()?;
    Reply::json(200, &ListOut { data, has_more: page.more, next_cursor, total: None })
}

/// One comment.
pub async fn get(request: Request) -> Result<Reply, Failure> {
    let id = comment_id(&request)?;
    let comment = comments::get(&request.cx, customer_id(&request)?, id).await?;
    let reply = Reply::json(200, &CommentOut::of(&comment))?;
    Ok(conditions::unless_matched(&request, &conditions::tag(comment.version), reply))
}

/// A new comment.
pub async fn create(request: Request) -> Result<Reply, Failure> {
    let CommentPatch { content, pinned } = patch(&request)?;
    let (content, pinned) = (content.apply(None), pinned.unwrap_or(false));
    let saved = comments::create(&request.cx, customer_id(&request)?, content, pinned).await?;
    reply(&request, 201, &saved)
}

/// A changed comment (JSON Merge Patch).
pub async fn update(request: Request) -> Result<Reply, Failure> {
    let condition = conditions::of_change(&request)?;
    let (customer, id, patch) = (customer_id(&request)?, comment_id(&request)?, patch(&request)?);
    let expect = condition.expect();
    let saved = comments::update(&request.cx, customer, id, expect, patch).await?;
    reply(&request, 200, &saved)
}

/// Deletes a comment.
pub async fn delete(request: Request) -> Result<Reply, Failure> {
    let condition = conditions::of_change(&request)?;
    let (customer, id) = (customer_id(&request)?, comment_id(&request)?);
    comments::delete(&request.cx, customer, id, condition.expect()).await?;
    Ok(Reply::empty(204))
}

/// Everything that happened to a comment, newest first.
pub async fn history(request: Request) -> Result<Reply, Failure> {
    events::history_of::<Comment>(request, "comment").await
}
