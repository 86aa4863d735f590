//! Two states of a customer compared, and back to the earlier one: what differs is the dry run, and
//! each field can be left as it is.

use std::collections::BTreeMap;

use askama::Template;
use patron_gateway::{Operation, Reply};
use patron_model::{
    Failure,
    customer::{ON_NAMING, REVERTIBLE},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{super::doors::status, timeline::labelled};
use crate::{
    form::Faults,
    frame::Frame,
    operations::Table,
    page::{self, Page},
    words::Moment,
};

/// What is derived from other fields and comes back with them.
const DERIVED: [&str; 2] = ["phone_e164", "email_warnings"];

/// The lines.
#[rustfmt::skip]
pub fn lines(table: &Table) -> Vec<Operation> {
    const DIFF: &str = "/console/s/{space}/customers/{id}/diff";
    const REVERT: &str = "/console/s/{space}/customers/{id}/revert";
    vec![
        table.page(DIFF, "console_diff_customer", "Two states of a customer", diff)
            .does("diff_customer"),
        table.deed(REVERT, "console_revert_customer", "Make a customer again what it was", revert)
            .does("revert_customer"),
    ]
}

#[derive(Deserialize)]
struct State {
    version: i64,
    etag: String,
    updated_at: String,
}

#[derive(Deserialize)]
struct Difference {
    field: String,
    from: Option<Value>,
    to: Option<Value>,
}

#[derive(Deserialize)]
struct Found {
    from: State,
    to: State,
    changes: Vec<Difference>,
}

/// What comes back as one, with what differs in it.
struct Part {
    /// What the API calls it when it is put back.
    name: &'static str,
    label: String,
    is_chosen: bool,
    changes: Vec<(String, String, String)>,
}

#[derive(Template)]
#[template(path = "customers/diff.html")]
struct Diff {
    f: Frame,
    number: i64,
    base: String,
    from: i64,
    to: i64,
    latest: i64,
    from_at: Moment,
    to_at: Moment,
    parts: Vec<Part>,
    others: Vec<(String, String, String)>,
    tag: String,
    once: String,
    summary: Vec<(String, String, String)>,
}

impl Diff {
    /// Whether the earlier state can be put back from here.
    fn may_revert(&self) -> bool {
        self.to == self.latest && !self.parts.is_empty() && self.f.may("customer:write")
    }
}

/// What a field is put back with.
fn part_of(field: &str) -> Option<&'static str> {
    match field {
        "given_name" | "family_name" | "full_name" => Some("name"),
        "status" | "status_reason" | "status_until" => Some("status"),
        "portal_user_name" => Some("portal"),
        _ => REVERTIBLE.split(", ").find(|name| *name == field),
    }
}

/// Members of an address that say where it is, in the order people write them.
const OF_ADDRESS: [&str; 12] = [
    "purpose",
    "organization_name",
    "given_name",
    "family_name",
    "line1",
    "line2",
    "line3",
    "postal_code",
    "city",
    "state",
    "country",
    "phone",
];

fn word(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(address @ Value::Object(members)) if members.contains_key("purpose") => {
            let parts = OF_ADDRESS.iter().map(|name| word(address.get(name)));
            parts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(", ")
        }
        Some(Value::Array(all)) => {
            all.iter().map(|one| word(Some(one))).collect::<Vec<_>>().join(", ")
        }
        Some(other) => other.to_string(),
    }
}

async fn shown(
    page: &Page,
    code: u16,
    from: &str,
    to: &str,
    faults: Faults,
) -> Result<Reply, Failure> {
    let id = page.request.param("id");
    let call = page.call("diff_customer").at("id", id);
    let found: Found = call.query("from", from).query("to", to).ask().await?.read()?;
    let now = match to {
        "now" => None,
        _ => {
            let call = page.call("diff_customer").at("id", id).query("from", "now");
            Some(call.ask().await?.read::<Found>()?.to)
        }
    };
    let now = now.as_ref().unwrap_or(&found.to);
    let mut f = page.frame("compare");
    f.title = f.say("compare-title", "number", id);
    let mut parts: BTreeMap<&'static str, Part> = BTreeMap::new();
    let mut others = Vec::new();
    for change in &found.changes {
        let first = change.field.split('.').next().unwrap_or_default();
        if DERIVED.contains(&first) {
            continue;
        }
        let row =
            (labelled(&f, &change.field), word(change.from.as_ref()), word(change.to.as_ref()));
        match part_of(first) {
            None => others.push(row),
            Some(name) => {
                let part = || Part {
                    name,
                    label: labelled(&f, name),
                    is_chosen: !ON_NAMING.contains(&name),
                    changes: Vec::new(),
                };
                parts.entry(name).or_insert_with(part).changes.push(row);
            }
        }
    }
    let number: i64 = id.parse().unwrap_or_default();
    let shown = Diff {
        number,
        base: format!("{}/customers/{id}", page.space()),
        from: found.from.version,
        to: found.to.version,
        latest: now.version,
        from_at: f.moment(&found.from.updated_at),
        to_at: f.moment(&found.to.updated_at),
        parts: parts.into_values().collect(),
        others,
        tag: now.etag.clone(),
        once: f.once(),
        summary: faults.summary(&[]),
        f,
    };
    page::html(code, &shown)
}

/// The comparison.
async fn diff(page: Page) -> Result<Reply, Failure> {
    let query = page.request.query();
    let named = |name: &str| query.get(name).filter(|value| !value.is_empty());
    let (from, to) = (named("from").unwrap_or("1"), named("to").unwrap_or("now"));
    shown(&page, 200, from, to, Faults::default()).await
}

/// Puts the chosen fields back.
async fn revert(page: Page) -> Result<Reply, Failure> {
    let form = page.form()?;
    let version = form.get("version").unwrap_or_default();
    let fields: Vec<&str> = form.all("fields").collect();
    let number: i64 = version.parse().unwrap_or_default();
    let id = page.request.param("id");
    let call = page.call("revert_customer").at("id", id).expecting(form.get("tag")).once(&form);
    match call.body(json!({"version": number, "fields": fields})).ask().await {
        Ok(_) => Ok(page.see(&format!("{}/customers/{id}?done=reverted", page.space()))),
        Err(failure) => {
            let faults = Faults::of_failure(&failure, &page.words())?;
            shown(&page, status(&failure), version, "now", faults).await
        }
    }
}
