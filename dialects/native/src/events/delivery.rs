//! The feed as a webhook endpoint would be told it, signed: for `patron listen`, which passes it on
//! to a program on a developer's machine. There is no endpoint, and nothing is left behind.

use std::collections::BTreeMap;

use patron_app::{
    Cx, documents,
    journal::Entry,
    webhooks::{self, listening::Listener, notifier::Notifier, telling},
};
use patron_gateway::Request;
use patron_model::Failure;
use serde::Serialize;
use uuid::Uuid;

use super::stream::frame;

/// Who would be told.
pub(super) struct Delivering {
    listener: Listener,
    space: i64,
}

/// The first event of such a stream.
#[derive(Serialize)]
struct Hello<'a> {
    /// What signs.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
    /// Id of the key of the space that signs.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Uuid>,
    /// The space.
    space: i64,
    /// Position of the feed behind which it begins.
    position: i64,
}

/// A request as it would be posted.
#[derive(Serialize)]
struct Posted<'a> {
    id: &'a str,
    headers: BTreeMap<String, String>,
    body: &'a str,
}

impl Delivering {
    /// Somebody who is told what the caller may see, in the words of an API.
    pub(super) async fn begin(
        request: &Request,
        notifier: &'static Notifier,
    ) -> Result<Delivering, Failure> {
        let token = request.header("authorization").unwrap_or_default();
        let token = token.split_once(' ').map_or("", |(_, token)| token.trim());
        let listener = Listener::begin(&request.cx, notifier, token).await?;
        Ok(Delivering { listener, space: request.cx.space })
    }

    /// What is said first.
    pub(super) fn hello(&self, position: i64) -> String {
        let (secret, key) = (self.listener.secret(), self.listener.key());
        let hello = Hello { secret, key, space: self.space, position };
        frame(None, "hello", &hello).unwrap_or_default()
    }

    /// An entry as it would be posted now; nothing where it may not be seen.
    pub(super) async fn say(&self, cx: &Cx, entry: &Entry) -> Result<String, Failure> {
        let id = telling::id_of(entry);
        let kind = webhooks::told(&documents::word(entry), &entry.action);
        let mut text = String::new();
        for request in self.listener.requests(cx, entry).await? {
            let body = std::str::from_utf8(&request.body).map_err(Failure::internal)?;
            let headers = request.headers.into_iter().collect();
            text.push_str(&frame(Some(entry.seq), &kind, &Posted { id: &id, headers, body })?);
        }
        Ok(text)
    }
}
