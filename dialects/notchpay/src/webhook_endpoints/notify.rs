//! What an endpoint is told, and who signs it (dossier §9).

use patron_app::{
    Cx,
    documents::Document as _,
    journal::Entry,
    secrets::{hmac_sha256, hmac_sha512},
    webhooks::{
        listening::{Listening, Seed, Standing},
        notifier::{Headers, Notifier, Schedule, Signed, SignsWith},
        secrets::Signing,
        telling::{self, Happening},
    },
};
use patron_model::{
    Failure, Timestamp,
    customer::{Customer, Status},
    webhook::Endpoint,
};
use serde::Serialize;

use super::wire::{Own, fired, secret_mark};
use crate::{NAME, auth, customers::show::CustomerView, ids, js};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;

/// How endpoints are told.
pub static NOTIFIER: Notifier = Notifier {
    dialect: NAME,
    wants,
    tell,
    sign,
    signs_with: SignsWith::Key,
    offers: "",
    schedule: Schedule {
        pauses: &[5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR],
        spread: 0.0,
    },
    timeout_seconds: 10,
    listens,
    notes_all: false,
};

/// One endpoint for all events of customers, whose secret stands in for the private key too.
fn listens(cx: &Cx, seed: &Seed) -> Result<Listening, Failure> {
    let sandbox = auth::is_sandbox(cx);
    let own = Own { events: fired(), sandbox, ..Own::default() };
    let secret = format!("{}{}", secret_mark(sandbox), hex::encode(seed));
    let standing = vec![Standing { types: own.types()?, own: own.kept()? }];
    Ok(Listening { standing, secret: Some((Signing::text(secret.clone()), secret)) })
}

fn wants(endpoint: &Endpoint, entry: &Entry) -> bool {
    // What cannot be read is told when it can be: the engine tries again.
    event(endpoint, entry).map_or(true, |event| event.is_some())
}

/// What an entry is for an endpoint: the most particular of what it asked for.
fn event(endpoint: &Endpoint, entry: &Entry) -> Result<Option<&'static str>, Failure> {
    let own = Own::of(endpoint);
    let of_status = match entry.changed.contains("\"status\"") {
        true => match read(entry)?.status {
            Status::Blocked => Some("customer.blocked"),
            Status::Active => Some("customer.unblocked"),
            Status::Inactive | Status::Locked => None,
        },
        false => None,
    };
    let plain = match entry.action.as_str() {
        "created" => "customer.created",
        "deleted" | "absorbed" => "customer.deleted",
        _ => "customer.updated",
    };
    Ok([of_status, Some(plain)].into_iter().flatten().find(|event| own.asks_for(event)))
}

fn read(entry: &Entry) -> Result<Customer, Failure> {
    Customer::from_document(&entry.doc).map_err(Failure::internal)
}

/// The body, its members as JavaScript keeps them.
#[derive(Debug, Serialize)]
struct Body<'a, T> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    event: &'a str,
    created_at: String,
    data: T,
}

/// What is told of a customer that is gone, or must not be told.
#[derive(Debug, Serialize)]
struct Thin {
    id: String,
    reference: String,
}

fn tell(happening: &Happening<'_>) -> Result<Vec<Vec<u8>>, Failure> {
    let Happening { endpoint, entry, .. } = *happening;
    let sandbox = Own::of(endpoint).sandbox;
    let (id, at) = (telling::id_of(entry), Timestamp::from_micros(entry.at));
    let event = match happening.is_test {
        true => Some("customer.created"),
        false => event(endpoint, entry)?,
    };
    let Some(kind) = event else { return Ok(Vec::new()) };
    let created_at = at.rfc3339_micros();
    let body = if happening.is_thin {
        let uuid = telling::uuid_of(entry)?;
        let id_of = ids::text(ids::CUSTOMER, uuid, sandbox);
        let data = Thin { id: id_of.clone(), reference: id_of };
        js::written(&Body { id: &id, kind, event: kind, created_at, data })?
    } else {
        let customer = read(entry)?;
        let data = CustomerView::of(&customer, sandbox, at);
        js::written(&Body { id: &id, kind, event: kind, created_at, data })?
    };
    Ok(vec![body])
}

fn sign(signed: &Signed<'_>) -> Result<Headers, Failure> {
    let Signed { endpoint, at, body, keys, .. } = *signed;
    let header = |name: &str, value: String| (name.to_owned(), value);
    if Own::of(endpoint).is_woocommerce {
        // Without its key, which was revoked, nothing says who sent it.
        let value = keys.key().map(|private| hex::encode(hmac_sha512(private, body)));
        return Ok(value.map(|value| header("x-notchpay-signature", value)).into_iter().collect());
    }
    let mut headers = Vec::new();
    if let Some(secret) = keys.own(endpoint, at).first() {
        let value = hex::encode(hmac_sha256(secret.bytes(), body));
        for name in ["x-notch-signature", "x-notchpay-signature", "notchpay-signature"] {
            headers.push(header(name, value.clone()));
        }
    }
    // Misspelt by the community client that reads it.
    if let Some(private) = keys.key() {
        headers.push(header("x-noth-signature", hex::encode(hmac_sha256(private, body))));
    }
    Ok(headers)
}
