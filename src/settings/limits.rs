//! Limits, as in the file.

use patron_gateway::limits::Limits;
use serde::{Deserialize, Serialize};

macro_rules! limit_settings {
    ($($(#[$doc:meta])* $name:ident: $type:ty),* $(,)?) => {
        /// Limits, as in the file; see [`Limits`].
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct LimitSettings { $($(#[$doc])* pub $name: $type),* }

        impl Default for LimitSettings {
            fn default() -> Self {
                let Limits { $($name),* } = Limits::default();
                LimitSettings { $($name),* }
            }
        }

        impl From<&LimitSettings> for Limits {
            fn from(settings: &LimitSettings) -> Limits {
                Limits { $($name: settings.$name.clone()),* }
            }
        }
    };
}

limit_settings! {
    /// Bytes of a request body.
    body_bytes_max: usize,
    /// Bytes of all request bodies.
    bodies_bytes_max: usize,
    /// Bytes of the bodies of those who have not signed in yet.
    stranger_bodies_bytes_max: usize,
    /// Seconds for the TLS handshake.
    handshake_seconds_max: u64,
    /// Seconds for the head.
    head_seconds_max: u64,
    /// Seconds for the body.
    body_seconds_max: u64,
    /// Seconds for the answer to be taken.
    answer_seconds_max: u64,
    /// Seconds for the work.
    request_seconds_max: u64,
    /// Bytes of the head.
    head_bytes_max: usize,
    /// Connections.
    connections_max: usize,
    /// Requests in work.
    requests_in_work_max: usize,
    /// Long polls that wait.
    waits_max: usize,
    /// Requests per minute and key.
    requests_per_minute: u32,
    /// Failed sign-ins per minute, by client address and claimed key.
    failed_sign_ins_per_minute: u32,
    /// Requests without sign-in per minute and client address.
    public_requests_per_minute: u32,
    /// Header with the client's address.
    client_address_header: String,
    /// Seconds for a stop.
    stop_seconds_max: u64,
    /// Bytes of rendered answers.
    faces_bytes_max: usize,
}
