//! What a listener is told: which object changed, nothing of it (dossier §10). Signed with the key
//! of the space.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use patron_app::journal::Entry;
use patron_app::webhooks::{
    listening::{Listening, Standing},
    notifier::{Headers, Notifier, Schedule, Signed, SignsWith},
    telling::Happening,
};
use patron_model::{Failure, Timestamp, webhook::Endpoint};
use serde::Serialize;

use super::{
    entities::{ENTITIES, Entity},
    wire::Own,
};
use crate::NAME;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
/// Objects that one change can be told of under numbers of their own.
const PARTS_MAX: i64 = 128;

/// How listeners are told. The provider's schedule is not public; this one ends after a day.
pub static NOTIFIER: Notifier = Notifier {
    dialect: NAME,
    wants,
    tell,
    sign,
    signs_with: SignsWith::Space,
    offers: "",
    schedule: Schedule {
        pauses: &[10, MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 13 * HOUR],
        spread: 0.0,
    },
    timeout_seconds: 15,
    listens: |_, _| listens(),
    notes_all: false,
};

/// A listener to every change of each entity that fires, signed by the key of the space.
fn listens() -> Result<Listening, Failure> {
    let mut standing = Vec::new();
    for entity in ENTITIES {
        let types = entity.types(true)?;
        if types.is_empty() {
            continue;
        }
        let entity = Some(entity.name.to_owned());
        let own = Own { entity, every_change: true, signed: true, ..Own::default() };
        standing.push(Standing { types, own: own.kept()? });
    }
    Ok(Listening { standing, secret: None })
}

fn entity(endpoint: &Endpoint) -> Option<&'static Entity> {
    Entity::named(&Own::of(endpoint).entity?)
}

fn wants(endpoint: &Endpoint, entry: &Entry) -> bool {
    // What cannot be read is told when it can be: the engine tries again.
    entity(endpoint)
        .is_some_and(|entity| entity.changed(entry).map_or(true, |changed| !changed.is_empty()))
}

/// The body; its members in the order of the provider's own example.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    entity_id: i64,
    event_id: i64,
    listener_entity_id: i64,
    listener_entity_technical_name: &'static str,
    space_id: i64,
    timestamp: String,
    webhook_listener_id: i64,
}

fn tell(happening: &Happening<'_>) -> Result<Vec<Vec<u8>>, Failure> {
    let Happening { endpoint, entry, .. } = *happening;
    let Some(entity) = entity(endpoint) else { return Ok(Vec::new()) };
    let written = |(part, number): (i64, i64)| {
        let body = Body {
            entity_id: number,
            event_id: event_id(endpoint.number, entry.seq, part),
            listener_entity_id: entity.id,
            listener_entity_technical_name: entity.name,
            space_id: entry.tenant,
            timestamp: timestamp(entry.at),
            webhook_listener_id: endpoint.number,
        };
        serde_json::to_vec(&body).map_err(Failure::internal)
    };
    let changed = match happening.is_test {
        true => vec![entry.number],
        false => entity.changed(entry)?,
    };
    (0..PARTS_MAX).zip(changed).map(written).collect()
}

/// Unique for a notification and the same each time it is sent: listener and position in the feed,
/// below 2⁵³ so that JavaScript can hold it.
fn event_id(listener: i64, seq: i64, part: i64) -> i64 {
    const LOW: i64 = 1 << 32;
    (listener & 0xf_ffff) * LOW + (seq + part * (LOW / PARTS_MAX)) % LOW
}

/// `2023-12-19T13:43:35+0000`
fn timestamp(micros: i64) -> String {
    let text = Timestamp::from_micros(micros).rfc3339_millis();
    let seconds = text.split('.').next().unwrap_or_default();
    format!("{seconds}+0000")
}

fn sign(signed: &Signed<'_>) -> Result<Headers, Failure> {
    if !Own::of(signed.endpoint).signed {
        return Ok(Vec::new());
    }
    let missing = || Failure::internal("a listener in a space without a key");
    let key = signed.keys.space().ok_or_else(missing)?;
    let signature = BASE64.encode(key.sign(signed.body)?);
    let value = format!("algorithm=SHA256withECDSA, keyId={}, signature={signature}", key.id);
    Ok(vec![("x-signature".to_owned(), value)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_told_apart_and_safe_in_javascript() {
        let mut all = std::collections::HashSet::new();
        for listener in [1, 2, 0xf_ffff] {
            for seq in [1, 2, 1_000_000] {
                for part in [0, 1, 127] {
                    let id = event_id(listener, seq, part);
                    assert!(id < 1 << 53 && all.insert(id), "{listener} {seq} {part}");
                }
            }
        }
    }

    #[test]
    fn times_are_written_as_the_provider_writes_them() {
        assert_eq!(timestamp(1_702_993_415_999_000), "2023-12-19T13:43:35+0000");
    }
}
