//! One customer, now or as it was: `?version=3`, `?as_of=…`; with `?edit=email` one field is a
//! form.

use askama::Template;
use patron_gateway::Reply;
use patron_model::{Failure, Permission};
use serde_json::Value;

use super::{
    list::called,
    timeline::{self, Entry},
};
use crate::{
    form::{self, Faults, Field, Input, MORE, REACH, WHO},
    frame::Frame,
    page::{self, Listed, Page},
    words::Moment,
};

/// Comments and payment methods shown beside the record.
const BESIDE_MAX: u32 = 20;
/// Entries of the timeline shown below it.
const ENTRIES: u32 = 10;
/// Months before the end of a card in which it is said to end soon.
const SOON_MONTHS: i64 = 2;

/// A field as the record shows it.
pub struct Fact {
    pub name: &'static str,
    pub label: String,
    pub value: String,
    pub is_code: bool,
    pub edit: String,
    /// The form, where this is the field that is changed.
    pub input: Option<Input>,
}

pub struct Group {
    pub id: &'static str,
    pub title: String,
    pub facts: Vec<Fact>,
}

pub struct AddressCard {
    pub title: String,
    pub is_default: bool,
    pub lines: Vec<String>,
    pub number: i64,
}

pub struct CommentCard {
    pub number: i64,
    pub content: String,
    pub pinned: bool,
    pub at: Moment,
    pub by: String,
}

pub struct Method {
    pub number: i64,
    pub name: String,
    pub is_default: bool,
    pub ends: String,
    /// `good`, `warn` or `bad`.
    pub tone: &'static str,
    pub state: String,
}

/// What stands between two versions of a field that both changed.
pub struct Stale {
    pub label: String,
    pub name: &'static str,
    pub was: String,
    pub theirs: String,
    pub mine: String,
}

#[derive(Template)]
#[template(path = "customers/record.html")]
pub struct Record {
    f: Frame,
    number: i64,
    base: String,
    name: String,
    uuid: String,
    reference: String,
    version: i64,
    /// The latest version, where the past may be seen.
    latest: i64,
    status: String,
    status_word: String,
    warnings: bool,
    groups: Vec<Group>,
    metadata: Vec<(String, String)>,
    metadata_text: Option<Input>,
    addresses: Vec<AddressCard>,
    comments: Vec<CommentCard>,
    methods: Vec<Method>,
    entries: Vec<Entry>,
    older: Option<String>,
    created: Moment,
    /// When it was so, where it is not now.
    past: Option<Moment>,
    is_deleted: bool,
    tag: String,
    once: String,
    stale: Option<Stale>,
    summary: Vec<(String, String, String)>,
}

impl Record {
    /// How the badge of the status is coloured.
    fn tone(&self) -> &'static str {
        tone(&self.status_word)
    }

    /// Whether something of it can be changed here.
    fn may_change(&self) -> bool {
        self.past.is_none() && !self.is_deleted && self.f.may("customer:write")
    }
}

/// The colour of a status.
pub fn tone(status: &str) -> &'static str {
    match status {
        "active" => "good",
        "locked" => "warn",
        "blocked" | "deleted" => "bad",
        _ => "",
    }
}

/// A form of the record that was refused.
#[derive(Default)]
pub struct Refused {
    pub field: String,
    pub value: String,
    pub faults: Faults,
    pub stale: Option<Stale>,
}

/// The customer with its tag; what is deleted is shown to who may see the past.
async fn loaded(page: &Page) -> Result<(Value, String, bool), Failure> {
    let query = page.request.query();
    let id = page.request.param("id");
    let call = || page.call("get_customer").at("id", id).query("expand", "addresses");
    let asked = ["version", "as_of"].into_iter();
    let mut asked =
        asked.filter_map(|name| Some((name, query.get(name).filter(|v| !v.is_empty())?)));
    if let Some((name, value)) = asked.next() {
        let answer = call().query(name, value).ask().await?;
        return Ok((answer.read()?, String::new(), true));
    }
    match call().ask().await {
        Ok(answer) => Ok((answer.read()?, answer.tag(), false)),
        Err(Failure::NotFound { .. }) if page.may(Permission::CustomerPast) => {
            let now = page.request.now.rfc3339_micros();
            let answer = call().query("as_of", now).ask().await?;
            Ok((answer.read()?, String::new(), false))
        }
        Err(failure) => Err(failure),
    }
}

/// The label and value of each field of a group; `edit` names the one that is changed.
fn group(
    (id, fields): (&'static str, &[Field]),
    record: &Value,
    (f, refused, edit): (&Frame, &Refused, &str),
    base: &str,
) -> Group {
    let fact = |field: &Field| {
        let value = form::text(record, field.name);
        let typed = if refused.field == field.name { &refused.value } else { &value };
        let input = Input::of(field, typed, &f.words, &refused.faults);
        let chosen = input.choices.iter().find(|(word, _, _)| *word == value);
        Fact {
            name: field.name,
            label: input.label.clone(),
            value: chosen.map_or_else(|| value.clone(), |(_, label, _)| label.clone()),
            is_code: input.is_code(),
            edit: f.url(&format!("{base}?edit={}#{}", field.name, field.name)),
            input: (edit == field.name).then_some(input),
        }
    };
    Group { id, title: f.t(id), facts: fields.iter().map(fact).collect() }
}

fn address(f: &Frame, record: &Value) -> AddressCard {
    let one = |name: &str| form::text(record, name);
    let joined = |names: &[&str]| {
        let parts = names.iter().map(|name| one(name)).filter(|part| !part.is_empty());
        parts.collect::<Vec<String>>().join(" ")
    };
    let lines = [
        one("organization_name"),
        joined(&["salutation", "given_name", "middle_name", "family_name"]),
        one("line1"),
        one("line2"),
        one("line3"),
        joined(&["postal_code", "city"]),
        joined(&["state", "country"]),
        one("email"),
        one("phone"),
    ];
    AddressCard {
        title: f.t(&format!("purpose-{}", one("purpose"))),
        is_default: record["default"].as_bool().unwrap_or_default(),
        lines: lines.into_iter().filter(|line| !line.is_empty()).collect(),
        number: record["number"].as_i64().unwrap_or_default(),
    }
}

fn comment(f: &Frame, record: &Value) -> CommentCard {
    CommentCard {
        number: record["number"].as_i64().unwrap_or_default(),
        content: form::text(record, "content"),
        pinned: record["pinned"].as_bool().unwrap_or_default(),
        at: f.moment(&form::text(record, "created_at")),
        by: form::text(record, "created_by"),
    }
}

fn method(f: &Frame, record: &Value, (year, month): (i64, i64)) -> Method {
    let one = |name: &str| form::text(record, name);
    let brand = [one("brand"), one("channel"), f.t(&format!("method-{}", one("type")))];
    let brand = brand.into_iter().find(|word| !word.is_empty()).unwrap_or_default();
    let ends = match (record["expiry_month"].as_i64(), record["expiry_year"].as_i64()) {
        (Some(month), Some(year)) => Some((year, month)),
        _ => None,
    };
    let left = ends.map(|(y, m)| (y - year) * 12 + m - month);
    let (tone, key) = match left {
        _ if record["expired"].as_bool() == Some(true) => ("bad", "method-ended"),
        Some(left) if left <= SOON_MONTHS => ("warn", "method-ends"),
        _ => ("good", "method-until"),
    };
    let shown = ends.map(|(year, month)| format!("{month:02}/{year}"));
    Method {
        number: record["number"].as_i64().unwrap_or_default(),
        name: format!("{brand} {}", one("last_four")).trim().to_owned(),
        is_default: record["default"].as_bool().unwrap_or_default(),
        ends: shown.map(|shown| f.say(key, "date", &shown)).unwrap_or_default(),
        tone,
        state: one("state"),
    }
}

/// What hangs on it: comments and payment methods, of what the person may see.
async fn beside(page: &Page, id: &str) -> Result<(Vec<Value>, Vec<Value>), Failure> {
    let mut comments = Vec::new();
    if page.may(Permission::CommentRead) {
        let call = page.call("list_comments").at("id", id).query("limit", BESIDE_MAX);
        comments = call.ask().await?.read::<Listed<Value>>()?.data;
        comments.sort_by_key(|comment| comment["pinned"] != true);
    }
    let mut methods = Vec::new();
    if page.may(Permission::PaymentMethodRead) {
        let call = page.call("list_payment_methods").at("id", id);
        methods = call.ask().await?.read::<Listed<Value>>()?.data;
    }
    Ok((comments, methods))
}

/// The page, with a form of it that was refused.
pub async fn shown(page: &Page, status: u16, refused: Refused) -> Result<Reply, Failure> {
    let (record, tag, is_past) = loaded(page).await?;
    let number = record["number"].as_i64().unwrap_or_default();
    let base = format!("{}/customers/{number}", page.space());
    let mut f = page.frame("nav-customers");
    f.title = f.say("customer-title", "number", &number.to_string());
    let is_deleted = record["status"] == "deleted";
    let version = record["version"].as_i64().unwrap_or_default();
    let (comments, methods) = match is_past || is_deleted {
        true => (Vec::new(), Vec::new()),
        false => beside(page, &number.to_string()).await?,
    };
    let (entries, older) = match page.may(Permission::CustomerPast) {
        true => timeline::entries(page, &f, number, None, ENTRIES).await?,
        false => (Vec::new(), None),
    };
    let may_write = !is_past && !is_deleted && f.may("customer:write");
    let query = page.request.query();
    let edit = match refused.field.as_str() {
        "" => query.get("edit").filter(|_| may_write).unwrap_or_default(),
        field => field,
    };
    let groups = [("group-who", WHO), ("group-reach", REACH), ("group-more", MORE)]
        .map(|one| group(one, &record, (&f, &refused, edit), &base));
    let pairs = record["metadata"].as_object().cloned().unwrap_or_default();
    let word = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let metadata: Vec<(String, String)> = pairs.iter().map(|(k, v)| (k.clone(), word(v))).collect();
    let typed = match refused.field.as_str() {
        "metadata" => refused.value.clone(),
        _ => metadata.iter().map(|(k, v)| format!("{k} = {v}\n")).collect(),
    };
    let text = Field { name: "metadata", kind: form::Kind::Text };
    let metadata_text = Input::of(&text, &typed, &f.words, &refused.faults);
    let today = page.request.now.rfc3339_seconds();
    let part = |from, to| today.get(from..to).and_then(|text: &str| text.parse().ok()).unwrap_or(0);
    let today = (part(0, 4), part(5, 7));
    let all = |name: &str| record[name].as_array().cloned().unwrap_or_default();
    let inputs: Vec<Input> =
        groups.iter().flat_map(|g| g.facts.iter().filter_map(|fact| fact.input.clone())).collect();
    let status_word = form::text(&record, "status");
    let shown = Record {
        name: called(&record),
        uuid: form::text(&record, "id"),
        reference: form::text(&record, "reference"),
        version,
        latest: timeline::latest(page, number, version, is_past).await?,
        status: f.t(&format!("status-{status_word}")),
        status_word,
        warnings: record["email_warnings"].is_array(),
        addresses: all("addresses").iter().map(|one| address(&f, one)).collect(),
        comments: comments.iter().map(|one| comment(&f, one)).collect(),
        methods: methods.iter().map(|one| method(&f, one, today)).collect(),
        entries,
        older,
        created: f.moment(&form::text(&record, "created_at")),
        past: is_past.then(|| f.moment(&form::text(&record, "updated_at"))),
        is_deleted,
        tag,
        once: f.once(),
        summary: refused.faults.summary(&inputs),
        stale: refused.stale,
        metadata,
        metadata_text: (edit == "metadata").then_some(metadata_text),
        groups: groups.into(),
        number,
        base,
        f,
    };
    page::html(status, &shown)
}

/// The page.
pub async fn record(page: Page) -> Result<Reply, Failure> {
    shown(&page, 200, Refused::default()).await
}
