//! Changes of one field, deleting and restoring. A form carries the version it saw and what it saw
//! there: what others changed elsewhere is no reason to ask, what they changed here is.

use patron_gateway::{Reply, decode::Params};
use patron_model::Failure;
use serde_json::{Map, Value, json};

use super::{
    super::doors::status,
    record::{self, Refused, Stale},
};
use crate::{
    form::{self, Faults, Field, MORE, REACH, WHO},
    page::Page,
};

/// Lines of own pairs that are looked at.
const PAIRS_MAX: usize = 200;

fn known(name: &str) -> Option<&'static Field> {
    [WHO, REACH, MORE].into_iter().flatten().find(|field| field.name == name)
}

/// `key = value` on each line, with what was there and stands there no more cleared.
fn metadata(sent: &str, was: &Value) -> Value {
    let mut pairs = Map::new();
    for key in was["metadata"].as_object().into_iter().flat_map(Map::keys) {
        pairs.insert(key.clone(), Value::Null);
    }
    for line in sent.lines().filter(|line| !line.trim().is_empty()).take(PAIRS_MAX) {
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        let value = value.trim();
        // A number or a yes stays what it was.
        let kept = was["metadata"][key.trim()].clone();
        let shown = kept.to_string();
        let is_same = !kept.is_string() && shown.as_str() == value;
        let value = if is_same { kept } else { Value::String(value.to_owned()) };
        pairs.insert(key.trim().to_owned(), value);
    }
    Value::Object(pairs)
}

struct Change<'a> {
    name: &'a str,
    value: String,
    form: &'a Params,
}

impl Change<'_> {
    async fn send(&self, page: &Page, tag: Option<&str>, now: &Value) -> Result<(), Failure> {
        let value = match self.name {
            "metadata" => metadata(&self.value, now),
            _ if self.value.is_empty() => Value::Null,
            _ => Value::String(self.value.clone()),
        };
        let body = json!({self.name: value});
        let call = page.call("update_customer").at("id", page.request.param("id"));
        call.body(body).expecting(tag).once(self.form).ask().await.map(|_| ())
    }
}

/// Changes a field.
pub async fn edit(page: Page) -> Result<Reply, Failure> {
    let form = page.form()?;
    let name = form.get("field").unwrap_or_default();
    let field = known(name);
    if field.is_none() && name != "metadata" {
        return Err(Failure::malformed("field", patron_model::Why::UnknownField));
    }
    // Where both sides changed it, the person has chosen one of them.
    let value = form.get("choose").or_else(|| form.get(name)).unwrap_or_default();
    let change = Change { name, value: value.replace("\r\n", "\n"), form: &form };
    let now = page.call("get_customer").at("id", page.request.param("id")).ask().await?;
    let record: Value = now.read()?;
    let mut result = change.send(&page, form.get("tag"), &record).await;
    let was = form.get("was").unwrap_or_default();
    if let (Err(Failure::Stale { .. }), Some(field)) = (&result, field) {
        let theirs = form::text(&record, field.name);
        if theirs != was && theirs != change.value {
            return stale(&page, field, was, theirs, change.value).await;
        }
        // Others changed something else: that stays, and this is added.
        result = change.send(&page, Some(&now.tag()), &record).await;
    }
    match result {
        Ok(()) => {
            let number = form::text(&record, "number");
            let to = format!("{}/customers/{number}?done=saved", page.space());
            Ok(page.see(&to))
        }
        Err(failure) => {
            let faults = Faults::of_failure(&failure, &page.words())?;
            let refused =
                Refused { field: name.to_owned(), value: change.value, faults, stale: None };
            record::shown(&page, status(&failure), refused).await
        }
    }
}

async fn stale(
    page: &Page,
    field: &'static Field,
    was: &str,
    theirs: String,
    mine: String,
) -> Result<Reply, Failure> {
    let label = page.words().t(&format!("field-{}", field.name));
    let stale = Stale { label, name: field.name, was: was.to_owned(), theirs, mine };
    record::shown(page, 412, Refused { stale: Some(stale), ..Refused::default() }).await
}

/// Deletes the customer, as the version that the page saw.
pub async fn delete(page: Page) -> Result<Reply, Failure> {
    let form = page.form()?;
    let id = page.request.param("id");
    let call = page.call("delete_customer").at("id", id);
    call.expecting(form.get("tag")).once(&form).ask().await?;
    Ok(page.see(&format!("{}/customers/{id}?done=deleted", page.space())))
}

/// Brings it back.
pub async fn restore(page: Page) -> Result<Reply, Failure> {
    let form = page.form()?;
    let id = page.request.param("id");
    page.call("restore_customer").at("id", id).once(&form).ask().await?;
    Ok(page.see(&format!("{}/customers/{id}?done=restored", page.space())))
}
