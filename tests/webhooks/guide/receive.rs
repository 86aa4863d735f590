use std::collections::HashSet;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use sha2::Sha256;

/// Takes webhooks: only those of the sender, each event once.
pub struct Receiver {
    secret: Vec<u8>,
    /// In earnest a table beside what you do with events, with one column that is unique.
    seen: HashSet<String>,
}

impl Receiver {
    pub fn new(secret: &str) -> Option<Receiver> {
        let secret = STANDARD.decode(secret.strip_prefix("whsec_")?).ok()?;
        Some(Receiver { secret, seen: HashSet::new() })
    }

    /// The event, or none where it was here before: answer 204 to both. Otherwise the status to
    /// answer. `body`: as it came; `now`: seconds since 1970.
    pub fn take(
        &mut self,
        headers: &HeaderMap,
        body: &[u8],
        now: i64,
    ) -> Result<Option<Value>, StatusCode> {
        let header = |name: &str| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            value.ok_or(StatusCode::BAD_REQUEST)
        };
        let (id, sent) = (header("webhook-id")?, header("webhook-timestamp")?);
        let seconds: i64 = sent.parse().map_err(|_| StatusCode::BAD_REQUEST)?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret)
            .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
        mac.update(format!("{id}.{sent}.").as_bytes());
        mac.update(body);
        // While a secret is replaced there are two; `verify_slice` compares in constant time.
        let signatures = header("webhook-signature")?.split(' ');
        let is_signed = signatures
            .filter_map(|one| STANDARD.decode(one.strip_prefix("v1,")?).ok())
            .any(|one| mac.clone().verify_slice(&one).is_ok());
        if !is_signed || now.abs_diff(seconds) > 300 {
            return Err(StatusCode::UNAUTHORIZED);
        }
        if !self.seen.insert(id.to_owned()) {
            return Ok(None);
        }
        serde_json::from_slice(body).map(Some).map_err(|_| StatusCode::BAD_REQUEST)
    }
}
