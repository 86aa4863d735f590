//! The audit log: who was let in or refused, and who changed what about access. Filters stand in
//! the address as the API calls them.

use askama::Template;
use patron_gateway::{Operation, Reply, decode::Params};
use patron_model::{Failure, Permission};
use serde::Deserialize;
use serde_json::Value;

use super::{super::doors::status, places::Choices};
use crate::{
    form::Faults,
    frame::Frame,
    operations::Table,
    page::{self, Asking, Listed, Page},
    words::Moment,
};

/// Entries of a page.
const PAGE: u32 = 50;
/// What happened, as the filter offers it: an action, or all that begin so.
const ACTIONS: [&str; 13] = [
    "sign_in*",
    "session*",
    "access.refused",
    "user*",
    "assignment*",
    "role*",
    "key*",
    "password*",
    "totp*",
    "passkey*",
    "provider*",
    "space*",
    "customer.read",
];
/// Filters that the API takes by the same name.
const PLAIN: [&str; 4] = ["actor", "action", "outcome", "space"];
/// Filters that are days here: the API is asked for the moments at which these begin.
const DAYS: [&str; 2] = ["since", "until"];

/// The lines.
#[rustfmt::skip]
pub fn lines(table: &Table) -> Vec<Operation> {
    const ALL: &str = "/console/s/{space}/audit";
    const EXPORT: &str = "/console/s/{space}/audit/export";
    const ONE: &str = "/console/s/{space}/audit/{entry}";
    vec![
        table.page(ALL, "console_audit", "Audit log", list).needs(Permission::AuditRead),
        table.page(EXPORT, "console_export_audit", "The audit log as a file", export)
            .needs(Permission::AuditExport),
        table.page(ONE, "console_audit_entry", "An entry of the audit log", entry)
            .needs(Permission::AuditRead),
    ]
}

/// An entry as the API shows it.
#[derive(Deserialize)]
struct Entry {
    number: i64,
    at: String,
    #[serde(default)]
    account: Option<i64>,
    #[serde(default)]
    space: Option<i64>,
    actor: Actor,
    via: String,
    action: String,
    outcome: String,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    operation: Option<String>,
    #[serde(default)]
    target: Option<Target>,
    #[serde(default)]
    changed: Vec<String>,
    #[serde(default)]
    count: Option<u64>,
    #[serde(default)]
    address: Option<String>,
    #[serde(default)]
    agent: Option<String>,
    request_id: String,
    #[serde(default)]
    receipt: Option<Value>,
}

#[derive(Deserialize)]
struct Actor {
    kind: String,
    #[serde(default)]
    number: Option<i64>,
    #[serde(default)]
    name: Option<String>,
}

#[derive(Deserialize)]
struct Target {
    noun: String,
    #[serde(default)]
    number: Option<i64>,
    #[serde(default)]
    numbers: Vec<i64>,
}

impl Actor {
    /// Who it was, in a sentence.
    fn said(&self, f: &Frame) -> String {
        match (self.kind.as_str(), self.number) {
            ("user", Some(number)) => f.number("audit-user", &number),
            ("key", Some(number)) => f.number("audit-key", &number),
            ("stranger", Some(number)) => f.number("audit-claimed", &number),
            ("stranger", None) => f.t("audit-stranger"),
            _ => match &self.name {
                Some(name) => f.say("audit-operator-named", "name", name),
                None => f.t("audit-operator"),
            },
        }
    }
}

impl Entry {
    /// What happened: a sentence for what is known, the word of the API beside it.
    fn said(&self, f: &Frame) -> String {
        let key = format!("act-{}", self.action.replace(['.', '_'], "-"));
        f.words.known(&key).unwrap_or_else(|| self.action.clone())
    }

    fn tone(&self) -> &'static str {
        if self.outcome == "refused" { "bad" } else { "good" }
    }
}

struct Row {
    path: String,
    what: String,
    action: String,
    who: String,
    at: Moment,
    outcome: String,
    tone: &'static str,
    address: String,
}

#[derive(Template)]
#[template(path = "operations/audit.html")]
struct List {
    f: Frame,
    rows: Vec<Row>,
    actions: Choices,
    outcomes: Choices,
    spaces: Choices,
    actor: String,
    since: String,
    until: String,
    is_asked: bool,
    first: Option<String>,
    next: Option<String>,
    export: String,
    summary: Vec<(String, String, String)>,
}

fn filter<'q>(query: &'q Params, name: &str) -> &'q str {
    query.get(name).map(str::trim).unwrap_or_default()
}

/// The question with the filters of an address.
fn asked<'a>(page: &Page, query: &Params, mut call: Asking<'a>) -> Asking<'a> {
    for name in PLAIN {
        let value = filter(query, name);
        if !value.is_empty() {
            call = call.query(name, value);
        }
    }
    let words = page.words();
    for name in DAYS {
        let value = filter(query, name);
        if !value.is_empty() {
            // What is no day goes as it is: the API says what it expects.
            call = call.query(name, words.midnight(value).unwrap_or_else(|| value.to_owned()));
        }
    }
    call
}

/// The filters of an address, as they stand in another one.
fn kept(query: &Params) -> String {
    let pairs = PLAIN.into_iter().chain(DAYS).filter_map(|name| {
        let value = filter(query, name);
        (!value.is_empty()).then(|| format!("{name}={}", page::encoded(value)))
    });
    pairs.collect::<Vec<String>>().join("&")
}

fn row(f: &Frame, entry: &Entry) -> Row {
    Row {
        path: f.here(&format!("/audit/{}", entry.number)),
        what: entry.said(f),
        action: entry.action.clone(),
        who: entry.actor.said(f),
        at: f.moment(&entry.at),
        outcome: f.of_word("outcome-", &entry.outcome, ""),
        tone: entry.tone(),
        address: entry.address.clone().unwrap_or_default(),
    }
}

fn choices<const N: usize>(f: &Frame, before: &str, words: [&str; N], chosen: &str) -> Choices {
    let choice = |word: &str| {
        let key = format!("{before}{}", word.replace(['*', '.', '_'], "-"));
        (word.to_owned(), f.t(key.trim_end_matches('-')), word == chosen)
    };
    words.into_iter().map(choice).collect()
}

async fn list(page: Page) -> Result<Reply, Failure> {
    let query = page.request.query();
    let f = page.frame("nav-audit");
    let mut call = asked(&page, &query, page.call("list_audit_entries").query("limit", PAGE));
    let cursor = query.get("cursor").filter(|cursor| !cursor.is_empty());
    if let Some(cursor) = cursor {
        call = call.query("cursor", cursor);
    }
    let (code, listed, faults) = match call.ask().await {
        Ok(answer) => (200, answer.read::<Listed<Entry>>()?, Faults::default()),
        Err(failure) => {
            let faults = Faults::of_failure(&failure, &f.words)?;
            (status(&failure), Listed { data: Vec::new(), next_cursor: None }, faults)
        }
    };
    let kept = kept(&query);
    let at = |rest: &str| f.here(&format!("/audit?{kept}{rest}"));
    let space = page.request.cx.space.to_string();
    let named = f.space.as_ref().map(|space| space.name.clone()).unwrap_or_default();
    let is_here = filter(&query, "space") == space;
    let shown = List {
        rows: listed.data.iter().map(|entry| row(&f, entry)).collect(),
        actions: choices(&f, "acts-", ACTIONS, filter(&query, "action")),
        outcomes: choices(&f, "outcome-", ["done", "refused"], filter(&query, "outcome")),
        spaces: vec![(space, f.say("place-space", "name", &named), is_here)],
        actor: filter(&query, "actor").to_owned(),
        since: filter(&query, "since").to_owned(),
        until: filter(&query, "until").to_owned(),
        is_asked: !kept.is_empty(),
        first: cursor.map(|_| at("")),
        next: listed.next_cursor.map(|next| at(&format!("&cursor={}", page::encoded(&next)))),
        export: f.here(&format!("/audit/export?format=csv&{kept}")),
        summary: faults.summary(&[]),
        f,
    };
    page::html(code, &shown)
}

async fn export(page: Page) -> Result<Reply, Failure> {
    let query = page.request.query();
    let is_csv = query.get("format") == Some("csv");
    let call = page.call("export_audit_entries");
    let call = call.query("format", if is_csv { "csv" } else { "ndjson" });
    Ok(asked(&page, &query, call).ask().await?.reply)
}

#[derive(Template)]
#[template(path = "operations/entry.html")]
struct One {
    f: Frame,
    number: i64,
    what: String,
    outcome: String,
    tone: &'static str,
    at: Moment,
    who: String,
    who_path: Option<String>,
    target: Option<(String, Option<String>)>,
    /// Label, value.
    facts: Vec<(String, String)>,
    changed: Vec<String>,
    /// Kind of record, how many went.
    went: Vec<(String, String)>,
}

/// The page of a record, where there is one.
fn path_of(f: &Frame, noun: &str, number: i64) -> Option<String> {
    let page = match noun {
        "user" if f.may("person:read") => "people",
        "customer" if f.may("customer:read") => "customers",
        "role" if f.may("role:read") => "roles",
        _ => return None,
    };
    Some(f.here(&format!("/{page}/{number}")))
}

async fn entry(page: Page) -> Result<Reply, Failure> {
    let call = page.call("get_audit_entry").at("id", page.request.param("entry"));
    let entry: Entry = call.ask().await?.read()?;
    let mut f = page.frame("nav-audit");
    f.title = f.number("audit-entry", &entry.number);
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let number = |value: Option<i64>| value.map(|one| one.to_string()).unwrap_or_default();
    let facts = [
        ("audit-action", entry.action.clone()),
        ("audit-reason", text(&entry.reason)),
        ("audit-operation", text(&entry.operation)),
        ("audit-via", entry.via.clone()),
        ("audit-count", entry.count.map(|count| f.words.number(count)).unwrap_or_default()),
        ("audit-account", number(entry.account)),
        ("audit-space", number(entry.space)),
        ("audit-address", text(&entry.address)),
        ("audit-agent", text(&entry.agent)),
        ("request-id", entry.request_id.clone()),
    ];
    let facts = facts.into_iter().filter(|(_, value)| !value.is_empty());
    let target = entry.target.as_ref().map(|target| {
        let numbers: Vec<String> =
            target.number.iter().chain(&target.numbers).map(i64::to_string).collect();
        let path = target.number.and_then(|number| path_of(&f, &target.noun, number));
        (format!("{} {}", target.noun, numbers.join(", ")), path)
    });
    let counts = entry.receipt.as_ref().and_then(|receipt| receipt["counts"].as_object());
    let went = counts.into_iter().flatten();
    let went =
        went.map(|(kind, count)| (kind.clone(), f.words.number(count.as_u64().unwrap_or(0))));
    let shown = One {
        number: entry.number,
        what: entry.said(&f),
        outcome: f.of_word("outcome-", &entry.outcome, ""),
        tone: entry.tone(),
        at: f.moment(&entry.at),
        who: entry.actor.said(&f),
        who_path: match (entry.actor.kind.as_str(), entry.actor.number) {
            ("user", Some(number)) => path_of(&f, "user", number),
            _ => None,
        },
        target,
        facts: facts.map(|(key, value)| (f.t(key), value)).collect(),
        went: went.collect(),
        changed: entry.changed,
        f,
    };
    page::html(200, &shown)
}
