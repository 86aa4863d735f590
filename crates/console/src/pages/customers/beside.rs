//! Comments with their pins, and payment methods.

use patron_gateway::{Operation, Reply};
use patron_model::Failure;
use serde_json::json;

use super::{
    super::doors::status,
    record::{self, Refused},
};
use crate::{form::Faults, operations::Table, page::Page};

/// The lines.
#[rustfmt::skip]
pub fn lines(table: &Table) -> Vec<Operation> {
    const COMMENTS: &str = "/console/s/{space}/customers/{id}/comments";
    const PIN: &str = "/console/s/{space}/customers/{id}/comments/{comment}/pin";
    const DELETE: &str = "/console/s/{space}/customers/{id}/comments/{comment}/delete";
    const METHOD: &str = "/console/s/{space}/customers/{id}/methods/{method}/delete";
    vec![
        table.deed(COMMENTS, "console_create_comment", "Comment on a customer", comment)
            .does("create_comment"),
        table.deed(PIN, "console_pin_comment", "Pin a comment, or take the pin off", pin)
            .does("update_comment"),
        table.deed(DELETE, "console_delete_comment", "Delete a comment", delete)
            .does("delete_comment"),
        table.deed(METHOD, "console_delete_method", "Delete a payment method", forget)
            .does("delete_payment_method"),
    ]
}

fn back(page: &Page, done: &str) -> Reply {
    let id = page.request.param("id");
    page.see(&format!("{}/customers/{id}?done={done}", page.space()))
}

async fn comment(page: Page) -> Result<Reply, Failure> {
    let form = page.form()?;
    let content = form.get("content").unwrap_or_default().replace("\r\n", "\n");
    let call = page.call("create_comment").at("id", page.request.param("id"));
    match call.body(json!({"content": content})).once(&form).ask().await {
        Ok(_) => Ok(back(&page, "commented")),
        Err(failure) => {
            let faults = Faults::of_failure(&failure, &page.words())?;
            let refused = Refused { faults, ..Refused::default() };
            record::shown(&page, status(&failure), refused).await
        }
    }
}

async fn pin(page: Page) -> Result<Reply, Failure> {
    let form = page.form()?;
    let is_pinned = form.get("pinned") == Some("true");
    let request = &page.request;
    let call = page.call("update_comment").at("id", request.param("id"));
    let call = call.at("comment", request.param("comment"));
    call.body(json!({"pinned": is_pinned})).once(&form).ask().await?;
    Ok(back(&page, if is_pinned { "pinned" } else { "unpinned" }))
}

async fn delete(page: Page) -> Result<Reply, Failure> {
    let form = page.form()?;
    let request = &page.request;
    let call = page.call("delete_comment").at("id", request.param("id"));
    call.at("comment", request.param("comment")).once(&form).ask().await?;
    Ok(back(&page, "comment-deleted"))
}

async fn forget(page: Page) -> Result<Reply, Failure> {
    let form = page.form()?;
    let request = &page.request;
    let call = page.call("delete_payment_method").at("id", request.param("id"));
    call.at("method", request.param("method")).once(&form).ask().await?;
    Ok(back(&page, "method-deleted"))
}
