//! Client data (WebAuthn 5.8.1): what the browser saw, which the authenticator signs with.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use serde::Deserialize;
use subtle::ConstantTimeEq as _;

use super::Fault;

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ceremony {
    Create,
    Get,
}

impl Ceremony {
    const fn as_str(self) -> &'static str {
        match self {
            Ceremony::Create => "webauthn.create",
            Ceremony::Get => "webauthn.get",
        }
    }
}

/// Browsers add members now and then, on purpose.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientData {
    #[serde(rename = "type")]
    kind: String,
    challenge: String,
    origin: String,
    #[serde(default)]
    cross_origin: bool,
    #[serde(default)]
    top_origin: Option<String>,
}

/// The challenge that client data names.
pub(super) fn challenge(bytes: &[u8]) -> Result<Vec<u8>, Fault> {
    let said: ClientData = serde_json::from_slice(bytes).map_err(|_| Fault::Malformed)?;
    BASE64URL.decode(said.challenge).map_err(|_| Fault::Challenge)
}

/// Whether a page of ours, in a window of its own, was asked this.
pub(super) fn check(
    bytes: &[u8],
    ceremony: Ceremony,
    challenge: &[u8],
    origin: &str,
) -> Result<(), Fault> {
    let said: ClientData = serde_json::from_slice(bytes).map_err(|_| Fault::Malformed)?;
    if said.kind != ceremony.as_str() {
        return Err(Fault::Ceremony);
    }
    let expected = BASE64URL.encode(challenge);
    if !bool::from(expected.as_bytes().ct_eq(said.challenge.as_bytes())) {
        return Err(Fault::Challenge);
    }
    if said.origin != origin {
        return Err(Fault::Origin);
    }
    if said.cross_origin || said.top_origin.is_some() {
        return Err(Fault::CrossOrigin);
    }
    Ok(())
}
