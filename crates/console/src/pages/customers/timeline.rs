//! What happened to a customer: who, when and what changed, from the journal.

use askama::Template;
use patron_gateway::Reply;
use patron_model::{Failure, Permission};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    form,
    frame::Frame,
    page::{self, Page},
    words::Moment,
};

/// Entries of a page.
const ENTRIES: u32 = 25;

/// An entry as it is shown.
pub struct Entry {
    pub what: String,
    pub who: String,
    pub at: Moment,
    pub version: Option<i64>,
    pub request: String,
    /// Field, before, after.
    pub changes: Vec<(String, String, String)>,
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    number: i64,
    changed: Vec<String>,
    at: String,
    actor: String,
    request_id: String,
    #[serde(default)]
    record: Option<Value>,
}

#[derive(Deserialize)]
struct Events {
    data: Vec<Event>,
    next: i64,
    has_more: bool,
}

async fn asked(page: &Page, id: i64, before: Option<&str>, limit: u32) -> Result<Events, Failure> {
    let mut call = page.call("list_customer_history").at("id", id).query("limit", limit);
    call = call.query("expand", "record");
    if let Some(before) = before {
        call = call.query("before", before);
    }
    call.ask().await?.read()
}

/// The sentence for who did it: `key:7`, `user:3`, `operator`.
fn who(f: &Frame, actor: &str) -> String {
    match actor.split_once(':') {
        Some(("key", number)) => f.say("actor-key", "number", number),
        Some(("user", number)) => f.say("actor-user", "number", number),
        _ => f.t("actor-operator"),
    }
}

/// What people call a field, `metadata.tier` or `addresses.12.city`.
pub fn labelled(f: &Frame, field: &str) -> String {
    let label = |name: &str| {
        let key = format!("field-{name}");
        f.words.known(&key).unwrap_or_else(|| name.replace('_', " "))
    };
    let (first, rest) = field.split_once('.').unwrap_or((field, ""));
    match (first, rest.split_once('.')) {
        _ if rest.is_empty() => label(first),
        ("addresses", Some((_, member))) => format!("{} · {}", label("address"), label(member)),
        ("addresses", None) => label("address"),
        // The integrator's own keys are what they are called.
        _ => format!("{} · {rest}", label(first)),
    }
}

fn entry(f: &Frame, event: &Event, before: Option<&Value>) -> Entry {
    let key = format!("event-{}", event.kind.replace(['.', '_'], "-"));
    let what = f.words.known(&key).unwrap_or_else(|| event.kind.clone());
    let change = |name: &String| {
        let label = labelled(f, name);
        let old = before.map(|record| form::text(record, name)).unwrap_or_default();
        let new = event.record.as_ref().map(|record| form::text(record, name));
        (label, old, new.unwrap_or_default())
    };
    let changes = event.changed.iter().map(change);
    Entry {
        what,
        who: who(f, &event.actor),
        at: f.moment(&event.at),
        version: event.record.as_ref().and_then(|record| record["version"].as_i64()),
        request: event.request_id.clone(),
        changes: changes.filter(|(_, old, new)| old != new).collect(),
    }
}

/// Entries, the newest first, and where older ones are.
pub async fn entries(
    page: &Page,
    f: &Frame,
    number: i64,
    before: Option<&str>,
    limit: u32,
) -> Result<(Vec<Entry>, Option<String>), Failure> {
    // One more than is shown: it says what there was before the last one.
    let events = asked(page, number, before, limit + 1).await?;
    let earlier = |at: usize| {
        let own = events.data[at].number;
        let mut older = events.data[at + 1..].iter().filter(|event| event.number == own);
        older.find_map(|event| event.record.as_ref())
    };
    let all: Vec<Entry> = events
        .data
        .iter()
        .enumerate()
        .take(limit as usize)
        .map(|(at, event)| entry(f, event, earlier(at)))
        .collect();
    let is_cut = events.has_more || events.data.len() > all.len();
    let older = is_cut.then(|| {
        let next = if events.data.len() > all.len() { events.next + 1 } else { events.next };
        f.url(&format!("{}/customers/{number}/timeline?before={next}", page.space()))
    });
    Ok((all, older))
}

/// The latest version of a customer; that which is shown, where the past may not be seen.
pub async fn latest(page: &Page, number: i64, shown: i64, is_past: bool) -> Result<i64, Failure> {
    if !is_past || !page.may(Permission::CustomerPast) {
        return Ok(shown);
    }
    let now = page.request.now.rfc3339_micros();
    let call = page.call("get_customer").at("id", number).query("as_of", now);
    let record: Value = call.ask().await?.read()?;
    Ok(record["version"].as_i64().unwrap_or(shown))
}

#[derive(Template)]
#[template(path = "customers/timeline.html")]
struct Timeline {
    f: Frame,
    number: i64,
    base: String,
    entries: Vec<Entry>,
    older: Option<String>,
}

/// The whole timeline, page by page.
pub async fn timeline(page: Page) -> Result<Reply, Failure> {
    let id = page.request.param("id");
    let number: i64 =
        id.parse().map_err(|_| Failure::NotFound { noun: patron_model::Noun::Customer })?;
    let mut f = page.frame("timeline");
    f.title = f.say("timeline-title", "number", id);
    let query = page.request.query();
    let (entries, older) = entries(&page, &f, number, query.get("before"), ENTRIES).await?;
    let base = format!("{}/customers/{number}", page.space());
    page::html(200, &Timeline { f, number, base, entries, older })
}
