//! Webhook endpoints: the list, one of them with its secrets and replays, forms, and the keys that
//! sign for all of them.

mod deeds;
mod edit;
mod list;
mod one;
mod secrets;

use patron_gateway::Operation;
use patron_model::{
    Failure,
    Permission::{WebhookRead, WebhookWrite},
};
use serde::Deserialize;
use std::collections::BTreeMap;

use super::attempts::Attempt;
use crate::{operations::Table, page::Page};

/// The lines.
#[rustfmt::skip]
pub fn lines(table: &Table) -> Vec<Operation> {
    const ALL: &str = "/console/s/{space}/webhooks";
    const NEW: &str = "/console/s/{space}/webhooks/new";
    const KEYS: &str = "/console/s/{space}/webhooks/keys";
    const ONE: &str = "/console/s/{space}/webhooks/{endpoint}";
    const EDIT: &str = "/console/s/{space}/webhooks/{endpoint}/edit";
    const SWITCH: &str = "/console/s/{space}/webhooks/{endpoint}/switch";
    const TEST: &str = "/console/s/{space}/webhooks/{endpoint}/test";
    const SECRETS: &str = "/console/s/{space}/webhooks/{endpoint}/secrets";
    const SECRET: &str = "/console/s/{space}/webhooks/{endpoint}/secrets/{n}/end";
    const REPLAYS: &str = "/console/s/{space}/webhooks/{endpoint}/replays";
    const REPLAY: &str = "/console/s/{space}/webhooks/{endpoint}/replays/{replay}/cancel";
    const DELETE: &str = "/console/s/{space}/webhooks/{endpoint}/delete";
    vec![
        table.page(ALL, "console_webhooks", "Webhook endpoints", list::list).needs(WebhookRead),
        table.page(NEW, "console_new_webhook", "A new webhook endpoint", edit::fresh)
            .needs(WebhookWrite),
        table.deed(NEW, "console_create_webhook", "Make a webhook endpoint", edit::create)
            .does("create_webhook_endpoint"),
        table.page(KEYS, "console_webhook_keys", "Keys that sign webhooks", secrets::keys)
            .needs(WebhookRead),
        table.deed(KEYS, "console_rotate_webhook_key", "Replace the key that signs",
            secrets::rotate_key).does("rotate_webhook_key"),
        table.page(ONE, "console_webhook", "A webhook endpoint", one::endpoint).needs(WebhookRead),
        table.page(EDIT, "console_edit_webhook", "Change a webhook endpoint", edit::open)
            .needs(WebhookWrite),
        table.deed(EDIT, "console_update_webhook", "Change a webhook endpoint", edit::update)
            .does("update_webhook_endpoint"),
        table.deed(SWITCH, "console_switch_webhook", "Pause or resume a webhook endpoint",
            deeds::switch).does("update_webhook_endpoint"),
        table.deed(TEST, "console_test_webhook", "Send a made-up customer", deeds::test)
            .does("test_webhook_endpoint"),
        table.deed(SECRETS, "console_rotate_webhook_secret", "Make a new secret", secrets::rotate)
            .does("rotate_webhook_secret"),
        table.deed(SECRET, "console_end_webhook_secret", "End a secret", secrets::end)
            .does("end_webhook_secret"),
        table.deed(REPLAYS, "console_replay_webhook", "Tell once more what has happened",
            deeds::replay).does("replay_webhook_endpoint"),
        table.deed(REPLAY, "console_cancel_replay", "End a replay", deeds::cancel)
            .does("cancel_webhook_replay"),
        table.page(DELETE, "console_webhook_end", "Delete a webhook endpoint", deeds::end)
            .needs(WebhookWrite),
        table.deed(DELETE, "console_delete_webhook", "Delete a webhook endpoint", deeds::delete)
            .does("delete_webhook_endpoint"),
    ]
}

/// Which entries an endpoint is told.
#[derive(Default, Deserialize)]
struct Filter {
    subjects: Vec<i64>,
    changed: Vec<String>,
    metadata: BTreeMap<String, String>,
}

impl Filter {
    /// Its pairs, one on each line.
    fn pairs(&self) -> String {
        let lines = self.metadata.iter().map(|(key, value)| format!("{key} = {value}"));
        lines.collect::<Vec<String>>().join("\n")
    }
}

/// How an endpoint fares.
#[derive(Deserialize)]
struct Health {
    behind: i64,
    failures: i64,
    last_success_at: Option<String>,
    last_failure_at: Option<String>,
    probing_until: Option<String>,
}

/// An endpoint as the API tells it.
#[derive(Deserialize)]
pub struct Endpoint {
    id: String,
    /// Number.
    pub number: i64,
    dialect: String,
    /// Where it is.
    pub url: String,
    #[serde(default)]
    description: String,
    types: Vec<String>,
    filter: Filter,
    payload: String,
    order: String,
    signature: String,
    /// `active`, `paused`, `ended`.
    pub state: String,
    /// Why it is not active.
    pub state_reason: Option<String>,
    headers: BTreeMap<String, String>,
    timeout_seconds: i64,
    parallel: i64,
    #[serde(default)]
    secret: Option<String>,
    #[serde(default)]
    health: Option<Health>,
    created_at: String,
}

impl Endpoint {
    /// The colour of its state.
    pub fn tone(&self) -> &'static str {
        match self.state.as_str() {
            "active" => "good",
            "paused" => "warn",
            _ => "bad",
        }
    }

    /// The host, by which people tell endpoints apart.
    pub fn host(&self) -> &str {
        let rest = self.url.split_once("://").map_or(self.url.as_str(), |(_, rest)| rest);
        rest.split(['/', '?', '#']).next().unwrap_or(rest)
    }
}

/// The endpoint of the path, with its tag.
async fn loaded(page: &Page) -> Result<(Endpoint, String), Failure> {
    let call = page.call("get_webhook_endpoint").at("id", page.request.param("endpoint"));
    let answer = call.ask().await?;
    Ok((answer.read()?, answer.tag()))
}

fn base(page: &Page, number: i64) -> String {
    format!("{}/webhooks/{number}", page.space())
}
