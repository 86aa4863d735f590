//! The guarded client: the only way a request leaves the server.
//!
//! Who names a URL decides where the server connects to, and the server stands where its caller
//! does not: inside. So every address is judged at the moment of each connection, not when the URL
//! is set, and what is not expressly allowed to be inside is refused. A library's own resolver
//! never sees literal addresses, so the connector is ours.
//!
//! - [`guard`]: which URLs and which addresses pass. [`networks`]: the ranges that are not public.
//! - [`names`]: looking names up, bounded, each answer as a whole.
//! - [`connect`]: a connection to an address that was judged, with TLS where the URL says so.
//! - [`client`]: one request and what becomes of it: bounded in time and size, nothing followed,
//!   no proxy whatever the environment says, no cookies, no compression.

pub mod client;
mod connect;
pub mod guard;
pub mod names;
pub mod networks;

use std::fmt;

pub use client::{Answer, Client, Document, NewClient, Pieces};
pub use guard::{Allowed, Guard, Refused, Target};

/// Why there is no answer. Names no address: the inside could be mapped by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The name was not found, or not in time.
    Dns,
    /// An address of the host is not one that may be connected to.
    AddressRefused,
    /// Nobody took the connection.
    Connect,
    /// The certificate is not good, or no common version or cipher.
    Tls,
    /// No answer in time.
    Timeout,
    /// The head of the answer is too large.
    TooLarge,
    /// The connection broke, or what came is no HTTP.
    Protocol,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 7] = [
        Fault::Dns,
        Fault::AddressRefused,
        Fault::Connect,
        Fault::Tls,
        Fault::Timeout,
        Fault::TooLarge,
        Fault::Protocol,
    ];

    /// Its word: `address_refused`, …
    pub const fn as_str(self) -> &'static str {
        match self {
            Fault::Dns => "dns",
            Fault::AddressRefused => "address_refused",
            Fault::Connect => "connect",
            Fault::Tls => "tls",
            Fault::Timeout => "timeout",
            Fault::TooLarge => "too_large",
            Fault::Protocol => "protocol",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::error::Error for Fault {}
