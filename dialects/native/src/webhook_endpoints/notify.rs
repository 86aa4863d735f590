//! What webhook endpoints are told.

use patron_app::{
    documents::{self, Document as _},
    webhooks::{
        self,
        listening::{Listening, Standing},
        notifier::{Headers, Notifier, Schedule, Signed, SignsWith},
        secrets::Signing,
        telling::{self, Happening},
    },
};
use patron_model::{
    Failure, Timestamp, comment::Comment, customer::Customer, payment_method::PaymentMethod,
};
use serde::Serialize;
use serde_json::{Value, json, value::RawValue};

use crate::{
    NAME,
    customers::show::{CommentOut, CustomerOut},
    payment_methods::MethodOut,
};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// How this API tells endpoints what happened: five days of tries.
pub static NOTIFIER: Notifier = Notifier {
    dialect: NAME,
    wants: |_, _| true,
    tell: telling,
    sign,
    signs_with: SignsWith::Own,
    offers: "*",
    schedule: Schedule {
        pauses: &[
            5,
            30,
            2 * MINUTE,
            10 * MINUTE,
            30 * MINUTE,
            HOUR,
            3 * HOUR,
            6 * HOUR,
            12 * HOUR,
            DAY,
            DAY,
            DAY,
            DAY,
        ],
        spread: 0.2,
    },
    timeout_seconds: 15,
    listens: |_, seed| {
        let secret = Signing::of(*seed);
        let shown = secret.shown();
        Ok(Listening { standing: vec![Standing::default()], secret: Some((secret, shown)) })
    },
    notes_all: false,
};

/// Standard Webhooks 1.0, the schemes that the endpoint asks for.
fn sign(signed: &Signed<'_>) -> Result<Headers, Failure> {
    let signatures = signed.keys.signatures(signed).join(" ");
    let headers = signed_headers(signed.id, signed.at, signatures);
    Ok(headers.map(|(name, value)| (name.to_owned(), value)).into())
}

/// The headers of a request that is signed so.
fn signed_headers(id: &str, at: Timestamp, signed: String) -> [(&'static str, String); 3] {
    [
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", at.seconds().to_string()),
        ("webhook-signature", signed),
    ]
}

/// What an endpoint is told.
#[derive(Debug, Serialize)]
struct Told<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: String,
    timestamp: String,
    space: i64,
    seq: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<i64>,
    subject: Value,
    changed: &'a RawValue,
    actor: &'a str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    test: bool,
    data: Value,
}

/// The body of an attempt.
///
/// # Errors
/// `Internal` where the record in the entry cannot be read.
fn telling(happening: &Happening<'_>) -> Result<Vec<Vec<u8>>, Failure> {
    let Happening { endpoint: _, entry, nth, is_thin, is_truncated, is_test } = happening;
    let noun = documents::word(entry);
    let changed: &RawValue = serde_json::from_str(&entry.changed).map_err(Failure::internal)?;
    let whole: Value = serde_json::from_str(&entry.doc).map_err(Failure::internal)?;
    let thin = json!({"id": whole["uuid"], "number": entry.number, "version": whole["version"]});
    let subject = match entry.subject == entry.number {
        true => json!({"type": noun, "id": whole["uuid"], "number": entry.number}),
        false => json!({"type": "customer", "number": entry.subject}),
    };
    let told = Told {
        id: &telling::id_of(entry),
        kind: webhooks::told(&noun, &entry.action),
        timestamp: Timestamp::from_micros(entry.at).rfc3339_micros(),
        space: entry.tenant,
        seq: entry.seq,
        sequence: (*nth > 0).then_some(*nth),
        subject,
        changed,
        actor: &entry.actor,
        request_id: &entry.request,
        truncated: *is_truncated,
        test: *is_test,
        data: if *is_thin { thin } else { data(happening, thin)? },
    };
    Ok(vec![serde_json::to_vec(&told).map_err(Failure::internal)?])
}

/// The record in an entry as GET answers it; thin where this API shows none of its kind.
fn data(happening: &Happening<'_>, thin: Value) -> Result<Value, Failure> {
    let entry = happening.entry;
    let at = Timestamp::from_micros(entry.at);
    let written = match entry.kind.as_str() {
        kind if kind == Customer::KIND.name => {
            let customer = Customer::from_document(&entry.doc).map_err(Failure::internal)?;
            serde_json::to_value(CustomerOut::of(&customer, at))
        }
        kind if kind == Comment::KIND.name => {
            let comment = Comment::from_document(&entry.doc).map_err(Failure::internal)?;
            serde_json::to_value(CommentOut::of(&comment))
        }
        kind if kind == PaymentMethod::KIND.name => {
            let method = PaymentMethod::from_document(&entry.doc).map_err(Failure::internal)?;
            serde_json::to_value(MethodOut::of(&method, at))
        }
        _ => Ok(thin),
    };
    written.map_err(Failure::internal)
}
