//! The feed as a webhook endpoint would be told it, signed: for `patron listen`, which passes it on
//! to a program on a developer's machine. There is no endpoint, and nothing is left behind.

use std::collections::BTreeMap;

use patron_app::{
    Cx,
    documents::{self, CUSTOMER},
    journal::Entry,
    secrets::hmac_sha256,
    webhooks::{self, notifier::Subscription, secrets::Signing, telling},
};
use patron_gateway::Request;
use patron_model::{Failure, Identity, webhook::Endpoint};
use serde::Serialize;
use uuid::Uuid;

use super::stream::frame;
use crate::{
    NAME,
    webhook_endpoints::{NOTIFIER, signed_headers},
};

/// Who would be told.
pub(super) struct Delivering {
    secret: Signing,
    subscription: Subscription,
}

/// The first event of such a stream.
#[derive(Serialize)]
struct Hello<'a> {
    /// What signs.
    secret: &'a str,
    /// The space.
    space: i64,
    /// Position of the feed behind which it begins.
    position: i64,
}

/// A request as it would be posted.
#[derive(Serialize)]
struct Posted<'a> {
    id: &'a str,
    headers: BTreeMap<&'static str, String>,
    body: &'a str,
}

impl Delivering {
    /// Somebody who is told what the caller may see. The secret follows from the key and the space:
    /// it stays the same, and nobody else can know it.
    pub(super) fn begin(request: &Request) -> Delivering {
        let token = request.header("authorization").unwrap_or_default();
        let token = token.split_once(' ').map_or("", |(_, token)| token.trim());
        let space = request.cx.space;
        let secret = hmac_sha256(token.as_bytes(), format!("webhooks of space {space}").as_bytes());
        let nobody = Identity { number: 0, uuid: Uuid::nil() };
        let endpoint = Endpoint::blank(nobody, space, NAME, request.cx.now);
        let subscription = Subscription { endpoint, notifier: &NOTIFIER };
        Delivering { secret: Signing::of(secret), subscription }
    }

    /// What is said first.
    pub(super) fn hello(&self, position: i64) -> String {
        let secret = self.secret.shown();
        let hello = Hello { secret: &secret, space: self.subscription.space, position };
        frame(None, "hello", &hello).unwrap_or_default()
    }

    /// An entry as it would be posted now; nothing where it may not be seen.
    pub(super) async fn say(&self, cx: &Cx, entry: &Entry) -> Result<String, Failure> {
        let Subscription { endpoint, notifier } = self.subscription.clone();
        let subscription =
            Subscription { endpoint: Endpoint { sees: cx.rights, ..endpoint }, notifier };
        let bodies = telling::bodies(&cx.app, &subscription, entry, 0).await?;
        let Some(body) = bodies.into_iter().next() else { return Ok(String::new()) };
        let id = telling::id_of(entry);
        if entry.kind == CUSTOMER.name {
            cx.saw(entry.tenant, entry.number);
        }
        let signed = signed_headers(&id, cx.now, self.secret.sign(&id, cx.now, &body));
        let mut headers = BTreeMap::from(signed);
        headers.insert("content-type", "application/json".to_owned());
        let body = std::str::from_utf8(&body).map_err(Failure::internal)?;
        let kind = webhooks::told(&documents::word(entry), &entry.action);
        frame(Some(entry.seq), &kind, &Posted { id: &id, headers, body })
    }
}
