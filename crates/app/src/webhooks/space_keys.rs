//! The key pair of a space, ECDSA over P-256 with SHA-256, for APIs that sign with one: made with
//! the first endpoint that needs it, the private half sealed. Public halves stay known under their
//! ids for as long as the space is there, so that what an earlier one signed can be checked.

use async_recursion::async_recursion;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use patron_model::Failure;
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::deliveries::{numbers_of, uuid_of};
use crate::{
    App, Cx,
    commit::Draft,
    keys::NewSecret,
    vault::{self, Opened},
};

/// What stands before the point of a public key on P-256 in a SubjectPublicKeyInfo (RFC 5480).
const SPKI_HEAD: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// What is kept of a space's keys.
#[derive(Serialize, Deserialize)]
struct Pairs {
    /// The private half that signs: PKCS #8 in base64.
    signs: String,
    /// All public halves, the one that signs last: SubjectPublicKeyInfo in base64. The nth has the
    /// id made of the space and n.
    public: Vec<String>,
}

/// The key that signs for a space.
pub struct SpaceKey {
    /// Its id.
    pub id: Uuid,
    pair: EcdsaKeyPair,
}

impl SpaceKey {
    /// The signature of a message: an ASN.1 sequence of r and s.
    ///
    /// # Errors
    /// `Internal` where there is no chance to be had.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Failure> {
        let signed = self.pair.sign(&SystemRandom::new(), message);
        let fault = |_| Failure::internal("a message could not be signed");
        Ok(signed.map_err(fault)?.as_ref().to_vec())
    }
}

/// Where the keys of a space are.
pub(super) fn place(space: i64) -> String {
    format!("webhook_space:{space}")
}

async fn read(app: &App, space: i64) -> Result<Option<Pairs>, Failure> {
    match vault::open(app, &place(space)).await? {
        Opened::Signing(bytes) => {
            serde_json::from_slice(&bytes).map(Some).map_err(Failure::internal)
        }
        Opened::Gone => Ok(None),
        Opened::Hash(_) | Opened::Broken => {
            Err(Failure::internal(format!("the webhook key of space {space} cannot be opened")))
        }
    }
}

/// Notes a key for the space in a draft, unless it has one.
pub(super) async fn ensure(cx: &Cx, draft: &mut Draft<'_>) -> Result<(), Failure> {
    if vault::find(&cx.app, &place(cx.space)).await?.is_some() {
        return Ok(());
    }
    let fault = |_| Failure::internal("a key could not be made");
    let chance = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &chance);
    let pkcs8 = pkcs8.map_err(fault)?;
    let public = BASE64.encode(spki(&opened(pkcs8.as_ref())?));
    let pairs = Pairs { signs: BASE64.encode(pkcs8.as_ref()), public: vec![public] };
    let sealed = serde_json::to_vec(&pairs).map(NewSecret::Signing).map_err(Failure::internal)?;
    // Two first endpoints at once have one key.
    draft.taken_is_raced();
    vault::put(cx, draft, place(cx.space), &sealed).await
}

/// The key that signs for the space; it is made where there is none yet.
pub(super) async fn ensured(cx: &Cx) -> Result<SpaceKey, Failure> {
    if let Some(key) = of(&cx.app, cx.space).await? {
        return Ok(key);
    }
    cx.write(|mut draft| async {
        ensure(cx, &mut draft).await?;
        Ok((draft, ()))
    })
    .await?;
    of(&cx.app, cx.space)
        .await?
        .ok_or_else(|| Failure::internal("a key that was made is not there"))
}

fn opened(pkcs8: &[u8]) -> Result<EcdsaKeyPair, Failure> {
    let pair =
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8, &SystemRandom::new());
    pair.map_err(|_| Failure::internal("a kept key is none"))
}

fn spki(pair: &EcdsaKeyPair) -> Vec<u8> {
    [&SPKI_HEAD[..], pair.public_key().as_ref()].concat()
}

/// The key that signs for a space.
pub(super) async fn of(app: &App, space: i64) -> Result<Option<SpaceKey>, Failure> {
    let Some(pairs) = read(app, space).await? else { return Ok(None) };
    let pkcs8 = BASE64.decode(&pairs.signs).map_err(Failure::internal)?;
    let nth = i64::try_from(pairs.public.len()).unwrap_or(i64::MAX);
    Ok(Some(SpaceKey { id: uuid_of(space, nth), pair: opened(&pkcs8)? }))
}

/// A public half by its id: SubjectPublicKeyInfo in base64.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn public(app: &App, id: Uuid) -> Result<Option<String>, Failure> {
    let Some((space, nth)) = numbers_of(id) else { return Ok(None) };
    let Some(pairs) = read(app, space).await? else { return Ok(None) };
    let at = usize::try_from(nth - 1).ok();
    Ok(at.and_then(|at| pairs.public.get(at)).cloned())
}

#[cfg(test)]
mod tests {
    use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};

    use super::*;

    fn verify(public: &str, message: &[u8], signature: &[u8]) -> bool {
        let public = BASE64.decode(public).unwrap();
        let point = public.strip_prefix(&SPKI_HEAD[..]).unwrap();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(message, signature).is_ok()
    }

    #[test]
    fn what_is_signed_is_verified_by_the_public_half() {
        let chance = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &chance).unwrap();
        let key = SpaceKey { id: uuid_of(1, 1), pair: opened(pkcs8.as_ref()).unwrap() };
        let public = BASE64.encode(spki(&key.pair));
        let signature = key.sign(b"body").unwrap();
        assert!(verify(&public, b"body", &signature));
        assert!(!verify(&public, b"bodY", &signature));
    }

    /// A public key in the form of a provider, with a body that it signed: ours are of that form.
    #[test]
    fn public_halves_have_the_form_that_others_verify_by() {
        let body = "{\"entityId\":11,\"eventId\":35,\"listenerEntityId\":1472041829003,\
                    \"listenerEntityTechnicalName\":\"Transaction\",\"spaceId\":1,\
                    \"state\":\"PROCESSING\",\"timestamp\":\"2023-12-19T13:43:35+0000\",\
                    \"webhookListenerId\":2}";
        let public = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEdWq7ZBGsjUzhBO3e6mzUBLpjpV3TQw1b\
                      L1rk3ocjn5C5qne7TY0OBBhiWgaPtWlvUcqASz903vtfeSTQma+SBA==";
        let signature = "MEYCIQCTzbMrMsOAC6T57T9kQTb1iGZVg2R7n6pY9A4ML4P31gIhAIOoav8cG8x0jpRW\
                         QztqSJIC8gXWKq+4DuENEySvmMYf";
        assert!(verify(public, body.as_bytes(), &BASE64.decode(signature).unwrap()));
    }
}
