//! What a notification says. No event about customers is documented, so events and members are
//! ours, in the casing of the provider's own bodies. Nothing signs them.

use patron_app::{
    Cx,
    documents::Document as _,
    journal::Entry,
    webhooks::{
        listening::{Listening, Standing},
        notifier::{Headers, Notifier, Schedule, Signed, SignsWith},
        telling::{self, Happening},
    },
};
use patron_model::{Failure, Timestamp, customer::Customer, webhook::Endpoint};
use serde::Serialize;

use super::wire::{Own, own_events};
use crate::{
    NAME,
    customers::show::{Record, moment},
    spaces,
};

const MINUTE: i64 = 60;

/// How notifications are sent. The provider says "a few" retries; the times are ours.
pub static NOTIFIER: Notifier = Notifier {
    dialect: NAME,
    wants,
    tell,
    sign: unsigned,
    signs_with: SignsWith::Own,
    offers: "",
    schedule: Schedule { pauses: &[MINUTE, 10 * MINUTE, 60 * MINUTE], spread: 0.0 },
    timeout_seconds: 15,
    listens: |cx, _| listens(cx),
    notes_all: true,
};

/// A notification for each event about customers; nothing signs them.
fn listens(cx: &Cx) -> Result<Listening, Failure> {
    let paypoint = spaces::here(cx)?;
    let standing = |event: &str| {
        let own = Own::of_event(event, paypoint.clone());
        Ok(Standing { types: own.types()?, own: own.kept()? })
    };
    let standing = own_events().map(standing).collect::<Result<_, Failure>>()?;
    Ok(Listening { standing, secret: None })
}

/// All of the types it asked for: each notification has one event.
fn wants(_: &Endpoint, _: &Entry) -> bool {
    true
}

fn unsigned(_: &Signed<'_>) -> Result<Headers, Failure> {
    Ok(Vec::new())
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Body<'a> {
    event: &'static str,
    event_id: String,
    timestamp: String,
    #[serde(rename = "orgId")]
    organization_id: i64,
    #[serde(rename = "paypointId")]
    paypoint_id: i64,
    #[serde(rename = "entrypoint")]
    entry: &'a str,
    #[serde(rename = "customerId")]
    customer_id: i64,
    /// As `GET` shows it; absent once it is gone, or where it must not be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<Record>,
}

fn tell(happening: &Happening<'_>) -> Result<Vec<Vec<u8>>, Failure> {
    let Happening { endpoint, entry, .. } = *happening;
    let Own { event_type, paypoint, internal, .. } = Own::of(endpoint)?;
    let Some(event) = super::wire::own_event(&event_type) else { return Ok(Vec::new()) };
    let at = Timestamp::from_micros(entry.at);
    let customer = match happening.is_thin {
        true => None,
        false => {
            let customer = Customer::from_document(&entry.doc).map_err(Failure::internal)?;
            Some(Record::of(&customer, &paypoint, [], at))
        }
    };
    let body = Body {
        event: event.name,
        event_id: telling::id_of(entry),
        timestamp: moment(at),
        organization_id: paypoint.organization_id,
        paypoint_id: paypoint.id,
        entry: &paypoint.entry,
        customer_id: entry.number,
        customer,
    };
    let mut body = serde_json::to_string(&body).map_err(Failure::internal)?;
    // What its owner wants in every body stands behind our own members.
    if !internal.is_empty() {
        let more = serde_json::to_string(&internal).map_err(Failure::internal)?;
        body.truncate(body.len() - 1);
        body.push(',');
        body.push_str(&more[1..]);
    }
    Ok(vec![body.into_bytes()])
}
