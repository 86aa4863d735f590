//! Deliveries: the list, and one beside it. Where there is no room for both, the address decides.

use askama::Template;
use patron_gateway::{Operation, Reply};
use patron_model::{Failure, Permission::WebhookRead};
use serde::Deserialize;

use super::{
    attempts::{self, Attempt, Shown},
    webhooks::Endpoint,
};
use crate::{
    form::{Faults, Input, Kind},
    frame::Frame,
    operations::Table,
    page::{self, Listed, Page},
    words::Moment,
};

/// Deliveries of a page.
const ROWS: u32 = 20;
/// Endpoints to choose from.
const ENDPOINTS: u32 = 100;
/// States to choose from.
const STATES: [&str; 6] = ["retrying", "held", "delivered", "failed", "cancelled", "withheld"];
/// What a list is asked by.
const FILTERS: [&str; 3] = ["endpoint", "state", "type"];

/// The lines.
#[rustfmt::skip]
pub fn lines(table: &Table) -> Vec<Operation> {
    const ALL: &str = "/console/s/{space}/deliveries";
    const ONE: &str = "/console/s/{space}/deliveries/{delivery}";
    const AGAIN: &str = "/console/s/{space}/deliveries/{delivery}/again";
    vec![
        table.page(ALL, "console_deliveries", "Deliveries", list).needs(WebhookRead),
        table.page(ONE, "console_delivery", "A delivery", one).needs(WebhookRead),
        table.deed(AGAIN, "console_redeliver", "Deliver once more", again)
            .does("redeliver_webhook"),
    ]
}

/// A delivery as the API tells it.
#[derive(Deserialize)]
struct Delivery {
    id: String,
    endpoint: i64,
    seq: i64,
    #[serde(rename = "type")]
    kind: String,
    state: String,
    attempts: i64,
    last_status: Option<u16>,
    last_error: Option<String>,
    next_at: Option<String>,
    at: String,
}

struct Row {
    path: String,
    is_current: bool,
    kind: String,
    state: String,
    tone: &'static str,
    host: String,
    answer: String,
    at: Moment,
}

struct One {
    delivery: Delivery,
    host: String,
    state: String,
    tone: &'static str,
    next: Option<Moment>,
    at: Moment,
    attempts: Vec<Shown>,
    advice: String,
    again: String,
}

#[derive(Template)]
#[template(path = "developers/deliveries.html")]
struct Deliveries {
    f: Frame,
    filters: Vec<Input>,
    rows: Vec<Row>,
    one: Option<One>,
    /// Endpoints that are told nothing: host, address, state.
    stopped: Vec<(String, String, String)>,
    back: String,
    next: Option<String>,
    first: Option<String>,
    is_asked: bool,
}

#[derive(Deserialize)]
struct Type {
    #[serde(rename = "type")]
    kind: String,
}

/// The colour of a state.
fn tone(state: &str) -> &'static str {
    match state {
        "delivered" => "good",
        "retrying" | "held" => "warn",
        "failed" | "cancelled" => "bad",
        _ => "",
    }
}

/// What the list is asked, as it stands behind the question mark.
fn asked(page: &Page, cursor: &str) -> String {
    let query = page.request.query();
    let one = |name: &'static str| {
        let value = query.get(name).filter(|value| !value.is_empty())?;
        Some(format!("{name}={}", page::encoded(value)))
    };
    let mut all: Vec<String> = FILTERS.into_iter().filter_map(one).collect();
    if !cursor.is_empty() {
        all.push(format!("cursor={}", page::encoded(cursor)));
    }
    if all.is_empty() { String::new() } else { format!("?{}", all.join("&")) }
}

async fn found(page: &Page) -> Result<Listed<Delivery>, Failure> {
    let query = page.request.query();
    let mut call = page.call("list_webhook_deliveries").query("limit", ROWS);
    for name in FILTERS.into_iter().chain(["cursor"]) {
        if let Some(value) = query.get(name).filter(|value| !value.is_empty()) {
            call = call.query(name, value);
        }
    }
    call.ask().await?.read()
}

/// The inputs that a list is narrowed by.
async fn filters(page: &Page, f: &Frame, endpoints: &[Endpoint]) -> Result<Vec<Input>, Failure> {
    let query = page.request.query();
    let none = Faults::default();
    let input = |name: &'static str, label: &str, words: Vec<(String, String)>| {
        let value = query.get(name).unwrap_or_default();
        let mut all = vec![(String::new(), f.t("filter-any"))];
        all.extend(words);
        Input::new(name, f.t(label), Kind::Line, value, &none).among(all)
    };
    let hosts = endpoints
        .iter()
        .map(|one| (one.number.to_string(), format!("{} ({})", one.host(), one.number)));
    let states =
        STATES.iter().map(|word| ((*word).to_owned(), f.of_word("delivery-state-", word, "")));
    let types: Listed<Type> = page.call("list_event_types").ask().await?.read()?;
    let types = types.data.into_iter().map(|one| (one.kind.clone(), one.kind));
    Ok(vec![
        input("endpoint", "delivery-endpoint", hosts.collect()),
        input("state", "key-state", states.collect()),
        input("type", "delivery-type", types.collect()),
    ])
}

fn host(endpoints: &[Endpoint], number: i64) -> String {
    let known = endpoints.iter().find(|one| one.number == number);
    known.map_or_else(|| number.to_string(), |one| one.host().to_owned())
}

async fn shown(page: &Page, one: Option<One>) -> Result<Reply, Failure> {
    let mut f = page.frame("nav-deliveries");
    let call = page.call("list_webhook_endpoints").query("limit", ENDPOINTS);
    let endpoints: Listed<Endpoint> = call.ask().await?.read()?;
    let endpoints = endpoints.data;
    let found = found(page).await?;
    let space = page.space();
    let cursor = page.request.query().get("cursor").unwrap_or_default().to_owned();
    let here = asked(page, &cursor);
    let current = one.as_ref().map(|one| one.delivery.id.clone()).unwrap_or_default();
    let row = |delivery: &Delivery| Row {
        path: page.url(&format!("{space}/deliveries/{}{here}", delivery.id)),
        is_current: delivery.id == current,
        kind: delivery.kind.clone(),
        state: f.of_word("delivery-state-", &delivery.state, ""),
        tone: tone(&delivery.state),
        host: host(&endpoints, delivery.endpoint),
        answer: attempts::answer(&f, delivery.last_status, delivery.last_error.as_deref()),
        at: f.moment(&delivery.at),
    };
    let stopped = |one: &&Endpoint| one.state != "active";
    let stopped = endpoints.iter().filter(stopped).map(|one| {
        let path = page.url(&format!("{space}/webhooks/{}", one.number));
        (one.host().to_owned(), path, f.of_word("endpoint-state-", &one.state, ""))
    });
    let list = |cursor: &str| page.url(&format!("{space}/deliveries{}", asked(page, cursor)));
    let shown = Deliveries {
        filters: filters(page, &f, &endpoints).await?,
        rows: found.data.iter().map(row).collect(),
        stopped: stopped.collect(),
        back: list(&cursor),
        next: found.next_cursor.as_ref().map(|cursor| list(cursor)),
        first: (!cursor.is_empty()).then(|| list("")),
        is_asked: !asked(page, "").is_empty(),
        one: one.map(|one| One { host: host(&endpoints, one.delivery.endpoint), ..one }),
        f: {
            if !current.is_empty() {
                f.title = f.say("delivery-title", "id", &current);
            }
            f
        },
    };
    page::html(200, &shown)
}

/// The list.
async fn list(page: Page) -> Result<Reply, Failure> {
    shown(&page, None).await
}

/// One of them, beside the list.
async fn one(page: Page) -> Result<Reply, Failure> {
    let f = page.frame("nav-deliveries");
    let id = page.request.param("delivery");
    let delivery: Delivery = page.call("get_webhook_delivery").at("id", id).ask().await?.read()?;
    let tried: Listed<Attempt> =
        page.call("list_webhook_attempts").at("id", id).ask().await?.read()?;
    let mut attempts: Vec<Shown> = tried.data.iter().map(|attempt| attempt.shown(&f)).collect();
    attempts.sort_by_key(|attempt| std::cmp::Reverse(attempt.n));
    let advice = match delivery.state.as_str() {
        "retrying" | "failed" => {
            attempts::advice(&f, delivery.last_status, delivery.last_error.as_deref())
        }
        state => f.of_word("delivery-advice-", state, ""),
    };
    let path = format!("{}/deliveries/{}/again", page.space(), delivery.id);
    let one = One {
        host: String::new(),
        state: f.of_word("delivery-state-", &delivery.state, ""),
        tone: tone(&delivery.state),
        next: delivery.next_at.as_ref().map(|at| f.moment(at)),
        at: f.moment(&delivery.at),
        again: page.url(&path),
        attempts,
        advice,
        delivery,
    };
    shown(&page, Some(one)).await
}

/// Delivers it once more.
async fn again(page: Page) -> Result<Reply, Failure> {
    let form = page.form()?;
    let id = page.request.param("delivery").to_owned();
    page.call("redeliver_webhook").at("id", &id).once(&form).ask().await?;
    Ok(page.see(&format!("{}/deliveries/{id}?done=redelivered", page.space())))
}
