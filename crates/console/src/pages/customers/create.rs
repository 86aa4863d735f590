//! A new customer.

use askama::Template;
use patron_gateway::{Reply, decode::Params};
use patron_model::Failure;
use serde::Deserialize;

use super::super::doors::status;
use crate::{
    form::{self, Faults, Field, Input, MORE, REACH, WHO},
    frame::Frame,
    page::{self, Page},
};

#[derive(Template)]
#[template(path = "customers/new.html")]
struct New {
    f: Frame,
    groups: Vec<(String, Vec<Input>)>,
    once: String,
    summary: Vec<(String, String, String)>,
}

fn shown(page: &Page, sent: Option<&Params>, faults: &Faults) -> New {
    let f = page.frame("customer-new");
    let input = |field: &Field| {
        let value = sent.and_then(|form| form.get(field.name)).unwrap_or_default();
        Input::of(field, value, &f.words, faults)
    };
    let group = |(title, fields): (&str, &[Field])| {
        (f.t(title), fields.iter().map(input).collect::<Vec<Input>>())
    };
    let groups = [("group-who", WHO), ("group-reach", REACH), ("group-more", MORE)];
    let groups: Vec<(String, Vec<Input>)> = groups.into_iter().map(group).collect();
    let inputs: Vec<Input> = groups.iter().flat_map(|(_, inputs)| inputs.clone()).collect();
    let once = sent.and_then(|form| form.get(page::ONCE)).map(str::to_owned);
    let once = once.unwrap_or_else(|| f.once());
    New { groups, once, summary: faults.summary(&inputs), f }
}

/// The empty form.
pub async fn form(page: Page) -> Result<Reply, Failure> {
    page::html(200, &shown(&page, None, &Faults::default()))
}

#[derive(Deserialize)]
struct Created {
    number: i64,
}

/// Creates the customer and leads to it.
pub async fn create(page: Page) -> Result<Reply, Failure> {
    let form = page.form()?;
    let fields: Vec<Field> = [WHO, REACH, MORE].concat();
    let body = form::body(&form, &fields, true);
    match page.call("create_customer").body(body).once(&form).ask().await {
        Ok(answer) => {
            let Created { number } = answer.read()?;
            Ok(page.see(&format!("{}/customers/{number}?done=customer-created", page.space())))
        }
        Err(failure) => {
            let faults = Faults::of_failure(&failure, &page.words())?;
            page::html(status(&failure), &shown(&page, Some(&form), &faults))
        }
    }
}
