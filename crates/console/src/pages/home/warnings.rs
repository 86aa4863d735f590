//! What needs somebody: each says what to do, and leads there.

use patron_model::{Failure, Permission};
use serde::Deserialize;

use crate::{frame::Frame, page::Page};

/// Endpoints and keys that are looked at.
const LOOKED_AT_MAX: usize = 100;
/// Endpoints that are asked how they fare: each is a call of its own.
const ASKED_MAX: usize = 20;
/// Warnings of one sort that stand there; beyond, their list does.
const SHOWN_MAX: usize = 5;

/// What needs somebody.
pub struct Warning {
    /// How urgent it is, as a class.
    pub tone: &'static str,
    /// What is the matter.
    pub says: String,
    /// What to do about it.
    pub what: String,
    /// Where.
    pub href: String,
    /// What is seen there.
    pub go: String,
}

#[derive(Deserialize)]
struct All<T> {
    data: Vec<T>,
}

#[derive(Deserialize)]
struct Endpoint {
    number: i64,
    url: String,
    state: String,
    #[serde(default)]
    state_reason: Option<String>,
    #[serde(default)]
    health: Option<Health>,
}

#[derive(Deserialize)]
struct Health {
    failures: i64,
}

#[derive(Deserialize)]
struct Key {
    number: i64,
    #[serde(default)]
    name: String,
    #[serde(default)]
    expires_at: Option<String>,
}

/// The name of the server behind an address: nothing else of it is anybody's business here.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or(rest)
}

/// Everything in the space of the page that needs somebody who may see it.
pub async fn of(page: &Page, f: &Frame) -> Result<Vec<Warning>, Failure> {
    let mut all = Vec::new();
    if page.may(Permission::WebhookRead) {
        all.extend(of_endpoints(page, f).await?);
    }
    if page.may(Permission::KeyRead) {
        all.extend(of_keys(page, f).await?);
    }
    Ok(all)
}

/// How urgent it is, and the word for it; nothing for an endpoint that fares well.
fn verdict(endpoint: &Endpoint) -> Option<(&'static str, &'static str)> {
    let failures = endpoint.health.as_ref().map_or(0, |health| health.failures);
    match (endpoint.state.as_str(), endpoint.state_reason.as_deref()) {
        ("ended", _) => Some(("bad", "ended")),
        ("paused", Some("failing")) => Some(("bad", "paused")),
        ("active", _) if failures > 0 => Some(("warn", "failing")),
        _ => None,
    }
}

async fn of_endpoints(page: &Page, f: &Frame) -> Result<Vec<Warning>, Failure> {
    let call = page.call("list_webhook_endpoints").query("limit", LOOKED_AT_MAX);
    let All::<Endpoint> { data } = call.ask().await?.read()?;
    let (mut all, mut asked) = (Vec::new(), 0);
    for mut endpoint in data {
        if endpoint.state == "active" && asked < ASKED_MAX {
            asked += 1;
            let call = page.call("get_webhook_endpoint").at("id", endpoint.number);
            match call.ask().await {
                Ok(answer) => endpoint = answer.read()?,
                // It went while it was looked for.
                Err(Failure::NotFound { .. }) => continue,
                Err(failure) => return Err(failure),
            }
        }
        let Some((tone, word)) = verdict(&endpoint) else { continue };
        all.push(Warning {
            tone,
            says: f.say(&format!("warn-{word}"), "host", host(&endpoint.url)),
            what: f.of_word("warn-", word, "-what"),
            href: f.here(&format!("/webhooks/{}", endpoint.number)),
            go: f.t("warn-endpoint-go"),
        });
    }
    all.truncate(SHOWN_MAX);
    Ok(all)
}

async fn of_keys(page: &Page, f: &Frame) -> Result<Vec<Warning>, Failure> {
    let call = page.call("list_keys").query("state", "expiring").query("limit", LOOKED_AT_MAX);
    let call = call.query("space", page.request.cx.space);
    let All::<Key> { data } = call.ask().await?.read()?;
    let warning = |key: Key| {
        let ends = key.expires_at.map(|at| f.moment(&at).whole).unwrap_or_default();
        let name = if key.name.is_empty() { key.number.to_string() } else { key.name };
        Warning {
            tone: "warn",
            says: f.words.say("warn-key", &[("name", &name), ("moment", &ends)]),
            what: f.t("warn-key-what"),
            href: f.here(&format!("/keys/{}", key.number)),
            go: f.t("warn-key-go"),
        }
    };
    Ok(data.into_iter().map(warning).take(SHOWN_MAX).collect())
}

#[cfg(test)]
mod tests {
    #[test]
    fn of_an_address_the_server_is_named() {
        assert_eq!(super::host("https://shop.example/hook?token=x"), "shop.example");
        assert_eq!(super::host("shop.example"), "shop.example");
    }
}
