//! `entity_id` and spaces (dossier §4). A space is known by its UUID; one with the switch
//! `entity_id` also by that text, the merchant's own organisation id, and is then shown by it.

use std::sync::Arc;

use patron_app::Cx;
use patron_gateway::dialect::Switch;
use patron_model::{Failure, Why, space::Space};

use crate::{NAME, customers::wire::CustomerBody};

/// What a space can switch for this API.
pub const SWITCHES: [Switch; 3] = [
    Switch {
        name: "entity_id",
        takes: "a text that is not empty",
        accepts: |value| value.as_str().is_some_and(|id| !id.is_empty()),
    },
    Switch {
        name: "update_mode",
        takes: "\"replace\" or \"merge\"",
        accepts: |value| matches!(value.as_str(), Some("replace" | "merge")),
    },
    Switch {
        name: "validation",
        takes: "\"compatible\" or \"strict\"",
        accepts: |value| matches!(value.as_str(), Some("compatible" | "strict")),
    },
];

/// The id by which a space is shown.
pub fn shown(space: &Space) -> String {
    space.switch(NAME, "entity_id").map_or_else(|| space.uuid.to_string(), str::to_owned)
}

/// Whether an id means a space: its own id, or its UUID in either case.
pub fn means(space: &Space, entity_id: &str) -> bool {
    space.switch(NAME, "entity_id") == Some(entity_id)
        || entity_id.eq_ignore_ascii_case(space.uuid.hyphenated().encode_lower(&mut [0; 36]))
}

/// The space a body names.
///
/// # Errors
/// `Invalid` without `entity_id`, `Forbidden` when the key does not open the entity.
pub fn named<'a>(cx: &'a Cx, body: &CustomerBody) -> Result<&'a Arc<Space>, Failure> {
    let entity_id = body.entity_id.as_deref().unwrap_or_default();
    if entity_id.is_empty() {
        return Err(Failure::invalid("entity_id", Why::Required));
    }
    let mut spaces = cx.caller()?.spaces.iter();
    spaces.find(|space| means(space, entity_id)).ok_or(Failure::Forbidden)
}

/// The space of a record that was found.
///
/// # Errors
/// `Forbidden` when the key does not open it.
pub fn of_record(cx: &Cx, space: i64) -> Result<&Arc<Space>, Failure> {
    cx.caller()?.space(space).ok_or(Failure::Forbidden)
}
