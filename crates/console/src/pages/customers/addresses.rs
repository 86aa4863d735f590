//! Addresses of a customer: each a form of its own.

use askama::Template;
use patron_gateway::{Operation, Reply, decode::Params};
use patron_model::{Failure, Permission::CustomerWrite};
use serde_json::Value;

use super::super::doors::status;
use crate::{
    form::{self, ADDRESS, Faults, Field, Input},
    frame::Frame,
    operations::Table,
    page::{self, Page},
};

/// The lines.
#[rustfmt::skip]
pub fn lines(table: &Table) -> Vec<Operation> {
    const NEW: &str = "/console/s/{space}/customers/{id}/addresses/new";
    const ONE: &str = "/console/s/{space}/customers/{id}/addresses/{address}";
    const DELETE: &str = "/console/s/{space}/customers/{id}/addresses/{address}/delete";
    const DEFAULT: &str = "/console/s/{space}/customers/{id}/addresses/{address}/default";
    vec![
        table.page(NEW, "console_new_address", "A new address", fresh).needs(CustomerWrite),
        table.deed(NEW, "console_create_address", "Add an address", create).does("create_address"),
        table.page(ONE, "console_address", "An address", open).needs(CustomerWrite),
        table.deed(ONE, "console_update_address", "Change an address", update)
            .does("update_address"),
        table.deed(DELETE, "console_delete_address", "Remove an address", delete)
            .does("delete_address"),
        table.deed(DEFAULT, "console_default_address", "Make an address the default", default)
            .does("set_default_address"),
    ]
}

#[derive(Template)]
#[template(path = "customers/address.html")]
struct Form {
    f: Frame,
    base: String,
    /// Its number; nothing for a new one.
    number: String,
    id: String,
    inputs: Vec<Input>,
    tag: String,
    once: String,
    summary: Vec<(String, String, String)>,
}

fn shown(page: &Page, record: &Value, sent: Option<&Params>, tag: &str, faults: &Faults) -> Form {
    let number = form::text(record, "number");
    let f = page.frame(if number.is_empty() { "address-new" } else { "address-edit" });
    let input = |field: &Field| {
        let value = match sent {
            Some(form) => form.get(field.name).unwrap_or_default().to_owned(),
            None => form::text(record, field.name),
        };
        Input::of(field, &value, &f.words, faults)
    };
    let inputs: Vec<Input> = ADDRESS.iter().map(input).collect();
    let id = page.request.param("id").to_owned();
    let base = format!("{}/customers/{id}", page.space());
    let summary = faults.summary(&inputs);
    Form { once: f.once(), f, base, number, id, inputs, tag: tag.to_owned(), summary }
}

fn refused(page: &Page, form: &Params, record: &Value, failure: Failure) -> Result<Reply, Failure> {
    let faults = Faults::of_failure(&failure, &page.words())?;
    let tag = form.get("tag").unwrap_or_default();
    page::html(status(&failure), &shown(page, record, Some(form), tag, &faults))
}

fn back(page: &Page, done: &str) -> Reply {
    let id = page.request.param("id");
    page.see(&format!("{}/customers/{id}?done={done}", page.space()))
}

async fn fresh(page: Page) -> Result<Reply, Failure> {
    page::html(200, &shown(&page, &Value::Null, None, "", &Faults::default()))
}

async fn create(page: Page) -> Result<Reply, Failure> {
    let form = page.form()?;
    let call = page.call("create_address").at("id", page.request.param("id"));
    match call.body(form::body(&form, ADDRESS, true)).once(&form).ask().await {
        Ok(_) => Ok(back(&page, "address-saved")),
        Err(failure) => refused(&page, &form, &Value::Null, failure),
    }
}

async fn loaded(page: &Page) -> Result<(Value, String), Failure> {
    let request = &page.request;
    let call = page.call("get_address").at("id", request.param("id"));
    let answer = call.at("address", request.param("address")).ask().await?;
    Ok((answer.read()?, answer.tag()))
}

async fn open(page: Page) -> Result<Reply, Failure> {
    let (record, tag) = loaded(&page).await?;
    page::html(200, &shown(&page, &record, None, &tag, &Faults::default()))
}

async fn update(page: Page) -> Result<Reply, Failure> {
    let form = page.form()?;
    let request = &page.request;
    let call = page.call("update_address").at("id", request.param("id"));
    let call = call.at("address", request.param("address")).expecting(form.get("tag"));
    match call.body(form::body(&form, ADDRESS, false)).once(&form).ask().await {
        Ok(_) => Ok(back(&page, "address-saved")),
        Err(failure) => {
            let (record, _) = loaded(&page).await?;
            refused(&page, &form, &record, failure)
        }
    }
}

async fn delete(page: Page) -> Result<Reply, Failure> {
    let form = page.form()?;
    let request = &page.request;
    let call = page.call("delete_address").at("id", request.param("id"));
    call.at("address", request.param("address")).once(&form).ask().await?;
    Ok(back(&page, "address-deleted"))
}

async fn default(page: Page) -> Result<Reply, Failure> {
    let form = page.form()?;
    let request = &page.request;
    let call = page.call("set_default_address").at("id", request.param("id"));
    call.at("address", request.param("address")).once(&form).ask().await?;
    Ok(back(&page, "address-saved"))
}
