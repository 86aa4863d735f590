//! The list of endpoints.

use askama::Template;
use patron_gateway::Reply;
use patron_model::Failure;

use super::Endpoint;
use crate::{
    frame::Frame,
    page::{self, Listed, Page},
    pages::developers::{Api, api},
};

/// Endpoints of a page.
const ROWS: u32 = 50;

struct Row {
    endpoint: Endpoint,
    path: String,
    api: Option<Api>,
    types: String,
    state: String,
}

#[derive(Template)]
#[template(path = "developers/webhooks.html")]
struct List {
    f: Frame,
    rows: Vec<Row>,
    next: Option<String>,
}

/// The types, or the word for all of them.
pub fn types(f: &Frame, endpoint: &Endpoint) -> String {
    match endpoint.types.as_slice() {
        [all] if all == "*" => f.t("types-all"),
        some => some.join(", "),
    }
}

/// The state with its reason.
pub fn state(f: &Frame, endpoint: &Endpoint) -> String {
    f.of_word("endpoint-state-", &endpoint.state, "")
}

/// The list.
pub async fn list(page: Page) -> Result<Reply, Failure> {
    let f = page.frame("nav-webhooks");
    let query = page.request.query();
    let mut call = page.call("list_webhook_endpoints").query("limit", ROWS);
    if let Some(cursor) = query.get("cursor").filter(|cursor| !cursor.is_empty()) {
        call = call.query("cursor", cursor);
    }
    let found: Listed<Endpoint> = call.ask().await?.read()?;
    let space = page.space();
    let row = |endpoint: Endpoint| Row {
        path: page.url(&format!("{space}/webhooks/{}", endpoint.number)),
        api: api(&page, &endpoint.dialect),
        types: types(&f, &endpoint),
        state: state(&f, &endpoint),
        endpoint,
    };
    let next = found
        .next_cursor
        .map(|cursor| page.url(&format!("{space}/webhooks?cursor={}", page::encoded(&cursor))));
    let rows = found.data.into_iter().map(row).collect();
    page::html(200, &List { rows, next, f })
}
