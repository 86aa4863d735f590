//! A record as a form of several fields. Only what was typed over is sent, bound to the version
//! that the form saw; where others changed the same field meanwhile, theirs stands beside it and
//! the form asks once more.

use patron_gateway::decode::Params;
use patron_model::Failure;
use serde_json::{Map, Value};

use super::super::doors::status;
use crate::{
    form::{self, Faults, Field, Input, Kind},
    frame::Frame,
    page::Page,
};

/// What the record was when the form was made: the prefix of those fields.
const WAS: &str = "was-";

/// The operations that read and change a record, and the parameter of the path that names it;
/// nothing for a record that the path of the operation names by itself.
pub struct Of<'a> {
    /// The operation that reads it.
    pub read: &'static str,
    /// The operation that changes it.
    pub write: &'static str,
    /// Parameter of the path, and its value.
    pub at: (&'static str, &'a str),
    /// Where in what is read the record stands: a JSON pointer.
    pub inside: &'static str,
    /// Its fields.
    pub fields: &'a [Field],
}

/// A form over a record, as it is shown.
pub struct Shown {
    /// Its fields.
    pub inputs: Vec<Input>,
    /// What they were: name of a hidden field, and value.
    pub was: Vec<(String, String)>,
    /// The version they are of.
    pub tag: String,
    /// What is refused.
    pub summary: Vec<(String, String, String)>,
}

impl Shown {
    /// The form over a record as it is now.
    pub fn of(f: &Frame, fields: &[Field], record: &Value, tag: String) -> Shown {
        Shown::with(f, (fields, record, tag), None, &Faults::default())
    }

    /// The same with what was typed.
    fn with(
        f: &Frame,
        (fields, record, tag): (&[Field], &Value, String),
        sent: Option<&Params>,
        faults: &Faults,
    ) -> Shown {
        let input = |field: &Field| {
            let now = form::text(record, field.name);
            let typed = sent.and_then(|form| form.get(field.name));
            Input::of(field, typed.unwrap_or(&now), &f.words, faults)
        };
        let inputs: Vec<Input> = fields.iter().map(input).collect();
        let was = fields
            .iter()
            .map(|field| (format!("{WAS}{}", field.name), form::text(record, field.name)));
        let (was, summary) = (was.collect(), faults.summary(&inputs));
        Shown { inputs, was, tag, summary }
    }
}

/// What became of a form: nothing to show, or the form once more.
pub type Sent = Option<(u16, Shown)>;

fn typed(form: &Params, field: &Field) -> Option<String> {
    form.get(field.name).map(|typed| typed.replace("\r\n", "\n"))
}

/// What was typed over.
fn changed(form: &Params, fields: &[Field]) -> Map<String, Value> {
    let mut body = Map::new();
    for field in fields {
        let Some(typed) = typed(form, field) else { continue };
        if form.get(&format!("{WAS}{}", field.name)) == Some(typed.as_str()) {
            continue;
        }
        let value = match (typed.as_str(), field.kind) {
            ("", _) => Value::Null,
            (word, Kind::Flag) => Value::Bool(word == "true"),
            _ => Value::String(typed),
        };
        body.insert(field.name.to_owned(), value);
    }
    body
}

impl Of<'_> {
    /// Sends a form, and answers what it has to be shown with, if it has.
    ///
    /// # Errors
    /// Whatever is no fault of what was typed.
    pub async fn send(&self, page: &Page, form: &Params) -> Result<Sent, Failure> {
        let body = changed(form, self.fields);
        if body.is_empty() {
            return Ok(None);
        }
        let (name, value) = self.at;
        let write = async |tag: Option<&str>| {
            let call = page.call(self.write).at(name, value).body(Value::Object(body.clone()));
            call.expecting(tag).ask().await
        };
        let mut failure = match write(form.get("tag")).await {
            Ok(_) => return Ok(None),
            Err(failure) => failure,
        };
        let now = page.call(self.read).at(name, value).ask().await?;
        let (record, tag): (Value, String) = (now.read()?, now.tag());
        let record = record.pointer(self.inside).cloned().unwrap_or_default();
        let f = page.frame("summary-title");
        if matches!(failure, Failure::Stale { .. } | Failure::PreconditionFailed { .. }) {
            let faults = self.overtaken(&f, form, &record);
            if !faults.is_empty() {
                let shown = Shown::with(&f, (self.fields, &record, tag), Some(form), &faults);
                return Ok(Some((412, shown)));
            }
            // Others changed something else: that stays, and this is added.
            failure = match write(Some(&tag)).await {
                Ok(_) => return Ok(None),
                Err(failure) => failure,
            };
        }
        let faults = Faults::of_failure(&failure, &f.words)?;
        let shown = Shown::with(&f, (self.fields, &record, tag), Some(form), &faults);
        Ok(Some((status(&failure), shown)))
    }

    /// Fields that both sides changed, each with what stands there now.
    fn overtaken(&self, f: &Frame, form: &Params, record: &Value) -> Faults {
        let mut faults = Faults::default();
        for field in self.fields {
            let Some(mine) = typed(form, field) else { continue };
            let was = form.get(&format!("{WAS}{}", field.name)).unwrap_or_default();
            let theirs = form::text(record, field.name);
            if mine != was && theirs != was && theirs != mine {
                faults.note(field.name, f.say("edit-theirs", "value", &theirs));
            }
        }
        faults
    }
}
