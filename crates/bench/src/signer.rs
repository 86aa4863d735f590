//! Callers of any API: requests as bytes, signed as the API wants it.

use anyhow::{Context as _, Result};
use patron::dialects::DIALECTS;
use patron_app::Clock;
use patron_gateway::{Dialect, SignRequest};
use serde_json::Value;

/// A caller of one API.
#[derive(Clone)]
pub struct Signer {
    dialect: &'static Dialect,
    /// Its part of the printed credentials.
    pub credentials: Value,
}

impl Signer {
    /// A caller with the credentials of a space.
    ///
    /// # Errors
    /// When no API has that name.
    pub fn new(api: &str, credentials: &Value) -> Result<Signer> {
        let found = DIALECTS.iter().copied().find(|dialect| dialect.name == api);
        let dialect = found.with_context(|| format!("no API is called {api}"))?;
        Ok(Signer { dialect, credentials: credentials[api].clone() })
    }

    /// A signed request. A body is JSON unless a header says otherwise.
    pub fn request(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Vec<u8> {
        let now = Clock::System.now();
        let request = SignRequest { credentials: &self.credentials, method, target, body, now };
        let signed = (self.dialect.credentials.sign)(&request).unwrap_or_default();
        let mut text = format!("{method} {target} HTTP/1.1\r\nhost: x\r\n");
        let signed = signed.iter().map(|(name, value)| (*name, value.as_str()));
        for (name, value) in signed.chain(headers.iter().copied()) {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() {
            if !headers.iter().any(|(name, _)| *name == "content-type") {
                text.push_str("content-type: application/json\r\n");
            }
            text.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        text.push_str("\r\n");
        text.push_str(body);
        text.into_bytes()
    }

    /// A signed GET.
    pub fn get(&self, target: &str) -> Vec<u8> {
        self.request("GET", target, &[], "")
    }
}
