//! What a space can switch for this API, under its name in the space's `dialects`:
//!
//! | switch | values | default |
//! |---|---|---|
//! | `wp3_v2` | `"on"`, `"off"` | off: requests signed without their path are refused |
//! | `timestamp_window_seconds` | seconds, `"off"` | 300: other times are refused |
//! | `list_limit_max` | entries | 1000: larger limits are cut to this |
//!
//! A value that cannot be read never loosens anything: it leaves the scheme off, closes the
//! window, or leaves the default in place.

use patron_gateway::dialect::Switch;
use patron_model::space::Space;
use serde_json::{Value, json};

use crate::NAME;

/// Seconds a timestamp may differ from now, unless the space says otherwise.
const TIMESTAMP_WINDOW_SECONDS: u64 = 300;
/// Entries a list answers at most, unless the space says otherwise.
pub const LIST_LIMIT_MAX: u32 = 1_000;
/// Entries a space can allow at most.
const LIST_LIMIT_CEILING: u32 = 10_000;

/// All of them.
pub const SWITCHES: [Switch; 3] = [
    Switch {
        name: "wp3_v2",
        takes: "\"on\" or \"off\"",
        accepts: |value| matches!(value.as_str(), Some("on" | "off")),
    },
    Switch {
        name: "timestamp_window_seconds",
        takes: "a number of seconds or \"off\"",
        accepts: |value| value == "off" || whole(value).is_some(),
    },
    Switch {
        name: "list_limit_max",
        takes: "a number of entries, 1 to 10000",
        accepts: |value| {
            whole(value).is_some_and(|limit| (1..=u64::from(LIST_LIMIT_CEILING)).contains(&limit))
        },
    },
];

/// What the sandbox's space has switched on: the provider's plug-ins send the older scheme, and
/// documented examples have old timestamps.
pub fn of_sandbox() -> Value {
    json!({"wp3_v2": "on", "timestamp_window_seconds": "off"})
}

/// Whether a request with a body may be signed without its path.
pub fn allows_unbound_path(space: &Space) -> bool {
    switch(space, "wp3_v2").is_some_and(|value| value == "on")
}

/// By how many seconds a timestamp may differ from now; `None` means that it is not looked at.
pub fn timestamp_window_seconds(space: &Space) -> Option<u64> {
    match switch(space, "timestamp_window_seconds") {
        None => Some(TIMESTAMP_WINDOW_SECONDS),
        Some(value) if value == "off" => None,
        Some(value) => Some(whole(value).unwrap_or(0)),
    }
}

/// Entries a list answers at most.
pub fn list_limit_max(space: &Space) -> u32 {
    let limit = switch(space, "list_limit_max").and_then(whole).filter(|limit| *limit > 0);
    let limit = limit.and_then(|limit| u32::try_from(limit).ok());
    limit.map_or(LIST_LIMIT_MAX, |limit| limit.min(LIST_LIMIT_CEILING))
}

fn switch<'a>(space: &'a Space, name: &str) -> Option<&'a Value> {
    space.dialects.get(NAME)?.get(name).filter(|value| !value.is_null())
}

/// A whole number, written as a number or as a text.
fn whole(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
}
