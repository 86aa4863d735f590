//! The master key and what it opens: random data keys that seal secrets, sign tokens, and key
//! fingerprints. Data keys are kept sealed under the master key ([`crate::keyring`]), so that
//! another master key takes over by sealing a handful of bytes anew.

use std::sync::{Arc, PoisonError, RwLock};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD as BASE64URL},
};
use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead, KeyInit, Payload},
};
use hmac::Mac;
use patron_model::{Failure, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256, Sha512};

use crate::Clock;
pub use crate::master::MasterKey;

type HmacSha256 = hmac::Hmac<Sha256>;
type HmacSha512 = hmac::Hmac<Sha512>;

/// Bytes of the master key, and of every data key.
pub const KEY_BYTES: usize = 32;
/// Bytes of the nonce before each sealed text.
const NONCE_BYTES: usize = 24;
/// Seconds after a rotation before the new key signs: by then every node knows it.
const SIGNING_KNOWN_SECONDS: i64 = 60;
/// Seconds for which signatures of the former key are accepted: longer than any token lives.
const SIGNING_KEPT_SECONDS: i64 = 24 * 3600;
/// Number of the data key that deployments of before had instead: derived from the master key.
const DERIVED: u32 = 0;

/// A key that never leaves the process but sealed.
#[derive(Clone)]
struct DataKey([u8; KEY_BYTES]);

impl DataKey {
    fn random() -> DataKey {
        DataKey(rand::random())
    }
}

impl Serialize for DataKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(self.0))
    }
}

impl<'de> Deserialize<'de> for DataKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<DataKey, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = BASE64.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(DataKey).ok_or_else(|| serde::de::Error::custom("not a data key"))
    }
}

/// A key that seals; sealed texts name it by its number.
#[derive(Clone, Serialize, Deserialize)]
struct SealKey {
    id: u32,
    key: DataKey,
}

/// A key that signs, and when (microseconds since the epoch).
#[derive(Clone, Serialize, Deserialize)]
struct SigningKey {
    key: DataKey,
    from: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<i64>,
}

/// All data keys of a deployment. In order of age; the last one seals.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Ring {
    seals: Vec<SealKey>,
    signing: Vec<SigningKey>,
    fingerprint: DataKey,
    answers: DataKey,
}

impl Ring {
    /// Random keys for a new deployment.
    pub(crate) fn random() -> Ring {
        Ring {
            seals: vec![SealKey { id: DERIVED + 1, key: DataKey::random() }],
            signing: vec![SigningKey { key: DataKey::random(), from: 0, until: None }],
            fingerprint: DataKey::random(),
            answers: DataKey::random(),
        }
    }

    /// For a deployment of before, whose keys were derived from the master key: fingerprints of
    /// cards stay comparable, tokens and sealed texts stay good until they are replaced.
    pub(crate) fn of_before(master: &MasterKey, now: Timestamp) -> Ring {
        let derived = |purpose| DataKey(master.derive(purpose));
        let signing = derived("patron signing v1");
        Ring {
            seals: vec![SealKey { id: DERIVED, key: derived("patron seal v1") }],
            signing: vec![SigningKey { key: signing, from: 0, until: None }],
            fingerprint: derived("patron fingerprint v1"),
            answers: DataKey::random(),
        }
        .rotated(now)
    }

    /// The same with new keys that seal and sign; the former ones still open, and sign for a while.
    pub(crate) fn rotated(&self, now: Timestamp) -> Ring {
        let mut ring = self.clone();
        let id = ring.seals.iter().map(|seal| seal.id).max().unwrap_or(DERIVED) + 1;
        ring.seals.push(SealKey { id, key: DataKey::random() });
        let from = now.plus_seconds(SIGNING_KNOWN_SECONDS);
        let until = from.plus_seconds(SIGNING_KEPT_SECONDS).micros();
        ring.signing.retain(|key| key.until.is_none_or(|until| until > now.micros()));
        for key in &mut ring.signing {
            key.until = key.until.or(Some(until));
        }
        let from = from.micros();
        ring.signing.push(SigningKey { key: DataKey::random(), from, until: None });
        ring
    }

    /// The same without the keys that nothing is sealed with any more.
    pub(crate) fn ended(&self) -> Ring {
        let mut ring = self.clone();
        ring.seals.drain(..ring.seals.len().saturating_sub(1));
        ring
    }

    /// Whether something may still be sealed with a former key.
    pub(crate) fn has_former(&self) -> bool {
        self.seals.len() > 1
    }

    /// Whether the secrets of a deployment of before are still to be moved.
    pub(crate) fn is_of_before(&self) -> bool {
        self.seals.iter().any(|seal| seal.id == DERIVED)
    }

    /// All keys, sealed under the master key.
    pub(crate) fn wrap(&self, master: &MasterKey) -> Result<String, Failure> {
        let text = serde_json::to_vec(self).map_err(Failure::internal)?;
        seal(&master.derive("patron keyring v1"), "keyring", &text)
    }

    /// The keys that were sealed so.
    pub(crate) fn unwrap(master: &MasterKey, sealed: &str) -> Option<Ring> {
        let text = open(&master.derive("patron keyring v1"), "keyring", sealed)?;
        serde_json::from_slice(&text).ok().filter(|ring: &Ring| !ring.seals.is_empty())
    }
}

/// Why a sealed text was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unopened {
    /// Its key is not known here: perhaps the keys were changed meanwhile.
    UnknownKey,
    /// It was altered, or sealed for another purpose.
    Broken,
}

struct Held {
    ring: Arc<Ring>,
    revision: i64,
}

/// The data keys in use by this process.
pub struct Secrets(RwLock<Held>);

impl Secrets {
    pub(crate) fn new(ring: Ring, revision: i64) -> Secrets {
        Secrets(RwLock::new(Held { ring: Arc::new(ring), revision }))
    }

    /// Keys of nobody: what they seal nobody opens.
    pub(crate) fn none() -> Secrets {
        Secrets::new(Ring::random(), 0)
    }

    pub(crate) fn ring(&self) -> Arc<Ring> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner).ring)
    }

    /// Revision of the record these keys come from.
    pub(crate) fn revision(&self) -> i64 {
        self.0.read().unwrap_or_else(PoisonError::into_inner).revision
    }

    /// Takes over newer keys.
    pub(crate) fn put(&self, ring: Ring, revision: i64) {
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if revision > held.revision {
            *held = Held { ring: Arc::new(ring), revision };
        }
    }

    /// Encrypts a secret for one purpose (bound to it as associated data).
    ///
    /// # Errors
    /// Only when the cipher refuses, which it does not for short texts.
    pub fn seal(&self, purpose: &str, secret: &[u8]) -> Result<String, Failure> {
        let ring = self.ring();
        let newest = ring.seals.last().ok_or_else(|| Failure::internal("no key that seals"))?;
        Ok(format!("{}:{}", newest.id, seal(&newest.key.0, purpose, secret)?))
    }

    /// Decrypts a sealed secret.
    ///
    /// # Errors
    /// When it cannot.
    pub fn open(&self, purpose: &str, sealed: &str) -> Result<Vec<u8>, Unopened> {
        let (id, text) = key_and_text(sealed);
        let ring = self.ring();
        let seal = ring.seals.iter().find(|seal| seal.id == id).ok_or(Unopened::UnknownKey)?;
        open(&seal.key.0, purpose, text).ok_or(Unopened::Broken)
    }

    /// Whether a text is sealed with the key that seals now.
    pub(crate) fn is_newest(&self, sealed: &str) -> bool {
        self.ring().seals.last().is_some_and(|newest| newest.id == key_and_text(sealed).0)
    }

    /// Keyed fingerprint of a value within a scope, in hexadecimal: equal values of one scope have
    /// equal fingerprints, and without the key nothing can be tried out (PCI DSS 3.5.1.1).
    pub fn fingerprint(&self, scope: &str, value: &str) -> String {
        let text = format!("{scope}\u{0}{value}");
        hex::encode(hmac_sha256(&self.ring().fingerprint.0, text.as_bytes()))
    }

    /// Keyed fingerprint of parts that belong to an answer that is kept: the request, its key, the
    /// row of a file. In hexadecimal; where parts begin and end counts.
    pub fn answer_fingerprint(&self, purpose: &str, parts: &[&[u8]]) -> String {
        let mut mac = HmacSha256::new_from_slice(&self.ring().answers.0)
            .expect("HMAC takes keys of every length");
        for part in [purpose.as_bytes()].iter().chain(parts) {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        hex::encode(mac.finalize().into_bytes())
    }

    /// Signs a text of our own (tokens), in base64url without padding.
    pub fn sign(&self, purpose: &str, text: &str) -> String {
        let now = Clock::System.now().micros();
        let ring = self.ring();
        let in_use = ring.signing.iter().rev().find(|key| key.from <= now);
        // A clock that was set back finds none: the oldest key is known everywhere.
        match in_use.or(ring.signing.first()) {
            Some(key) => signature(key, purpose, text),
            None => String::new(),
        }
    }

    /// Checks such a signature in constant time.
    pub fn is_signed(&self, purpose: &str, text: &str, signed: &str) -> bool {
        let now = Clock::System.now().micros();
        let ring = self.ring();
        let good = ring.signing.iter().filter(|key| key.until.is_none_or(|until| now < until));
        // Every key is tried, whichever fits.
        good.fold(false, |found, key| {
            same(signature(key, purpose, text).as_bytes(), signed.as_bytes()) | found
        })
    }
}

fn signature(key: &SigningKey, purpose: &str, text: &str) -> String {
    let text = format!("{purpose}\u{0}{text}");
    BASE64URL.encode(hmac_sha256(&key.key.0, text.as_bytes()))
}

/// Number of the key a text is sealed with, and the text. Those of before have no number.
fn key_and_text(sealed: &str) -> (u32, &str) {
    match sealed.split_once(':') {
        Some((id, text)) => (id.parse().unwrap_or(u32::MAX), text),
        None => (DERIVED, sealed),
    }
}

fn seal(key: &[u8; KEY_BYTES], purpose: &str, secret: &[u8]) -> Result<String, Failure> {
    let nonce: [u8; NONCE_BYTES] = rand::random();
    let payload = Payload { msg: secret, aad: purpose.as_bytes() };
    let sealed = XChaCha20Poly1305::new(key.into())
        .encrypt(&XNonce::from(nonce), payload)
        .map_err(|_| Failure::internal("a secret could not be sealed"))?;
    Ok(BASE64.encode([nonce.as_slice(), sealed.as_slice()].concat()))
}

fn open(key: &[u8; KEY_BYTES], purpose: &str, sealed: &str) -> Option<Vec<u8>> {
    let bytes = BASE64.decode(sealed).ok()?;
    let (nonce, text) = bytes.split_at_checked(NONCE_BYTES)?;
    let nonce: [u8; NONCE_BYTES] = nonce.try_into().ok()?;
    let payload = Payload { msg: text, aad: purpose.as_bytes() };
    XChaCha20Poly1305::new(key.into()).decrypt(&XNonce::from(nonce), payload).ok()
}

/// SHA-256 in hexadecimal: how random secrets are recognised without being kept.
pub fn sha256_hex(secret: &str) -> String {
    // Into a buffer: `hex::encode` goes sign by sign, and this is done for each request.
    let mut digits = [0; 64];
    let _ = hex::encode_to_slice(Sha256::digest(secret.as_bytes()), &mut digits);
    String::from_utf8_lossy(&digits).into_owned()
}

/// HMAC-SHA512.
pub fn hmac_sha512(key: &[u8], text: &[u8]) -> [u8; 64] {
    let mut mac = HmacSha512::new_from_slice(key).expect("HMAC takes keys of every length");
    mac.update(text);
    mac.finalize().into_bytes().into()
}

/// HMAC-SHA256.
pub fn hmac_sha256(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut mac = HmacSha256::new_from_slice(key).expect("HMAC takes keys of every length");
    mac.update(text);
    mac.finalize().into_bytes().into()
}

/// Compares in constant time.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    subtle::ConstantTimeEq::ct_eq(a, b).into()
}

/// Argon2id hash of a password, in PHC form (RFC 9106 defaults of the library).
///
/// # Errors
/// Only when the library refuses.
pub fn hash_password(password: &str) -> Result<String, Failure> {
    use argon2::PasswordHasher;
    argon2::Argon2::default()
        .hash_password(password.as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|error| Failure::internal(format!("password hashing failed: {error}")))
}

/// Whether a password is the one of a hash in PHC form.
pub(crate) fn is_password(kept: &str, typed: &str) -> bool {
    use argon2::PasswordVerifier;
    argon2::Argon2::default().verify_password(typed.as_bytes(), kept).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> Secrets {
        Secrets::new(Ring::random(), 1)
    }

    #[test]
    fn opens_what_it_sealed_for_the_same_purpose_only() {
        let secrets = secrets();
        let sealed = secrets.seal("key", b"hush").expect("sealed");
        assert!(!sealed.contains("hush"));
        assert_eq!(secrets.open("key", &sealed).expect("opened"), b"hush");
        assert_eq!(secrets.open("other", &sealed), Err(Unopened::Broken));
        assert_eq!(self::secrets().open("key", &sealed), Err(Unopened::Broken));
        assert_eq!(secrets.open("key", "1:AAAA"), Err(Unopened::Broken));
        assert_eq!(secrets.open("key", "AAAA"), Err(Unopened::UnknownKey));
    }

    #[test]
    fn a_rotated_ring_opens_the_former_texts_until_it_ends() {
        let before = secrets();
        let sealed = before.seal("key", b"hush").expect("sealed");
        let token = before.sign("token", "5");
        let rotated = before.ring().rotated(Clock::System.now());
        let after = Secrets::new(rotated.clone(), 2);
        assert_eq!(after.open("key", &sealed).expect("opened"), b"hush");
        assert!(!after.is_newest(&sealed));
        let anew = after.seal("key", b"hush").expect("sealed");
        assert_eq!(before.open("key", &anew), Err(Unopened::UnknownKey));
        assert_eq!(before.fingerprint("s", "v"), after.fingerprint("s", "v"));
        let ended = Secrets::new(rotated.ended(), 3);
        assert_eq!(ended.open("key", &sealed), Err(Unopened::UnknownKey));
        assert_eq!(ended.open("key", &anew).expect("opened"), b"hush");
        // Tokens outlive the rotation, and nodes that did not hear of it yet accept new ones.
        assert!(ended.is_signed("token", "5", &token));
        assert!(before.is_signed("token", "5", &ended.sign("token", "5")));
    }

    #[test]
    fn former_signatures_end_and_new_ones_begin() {
        let before = secrets();
        let token = before.sign("token", "5");
        let long_ago = Clock::System.now().plus_seconds(-2 * SIGNING_KEPT_SECONDS);
        let after = Secrets::new(before.ring().rotated(long_ago), 2);
        assert!(!after.is_signed("token", "5", &token));
        assert!(!before.is_signed("token", "5", &after.sign("token", "5")));
        assert!(after.is_signed("token", "5", &after.sign("token", "5")));
    }

    #[test]
    fn a_wrapped_ring_opens_with_its_master_key_only() {
        let master = MasterKey::random();
        let ring = Ring::random();
        let wrapped = ring.wrap(&master).expect("wrapped");
        assert!(Ring::unwrap(&MasterKey::random(), &wrapped).is_none());
        let opened = Secrets::new(Ring::unwrap(&master, &wrapped).expect("opened"), 1);
        let print = Secrets::new(ring, 1).fingerprint("s", "v");
        assert_eq!(opened.fingerprint("s", "v"), print);
    }

    #[test]
    fn fingerprints_are_keyed_and_scoped() {
        let secrets = secrets();
        let print = secrets.fingerprint("1", "4111111111111111");
        assert_eq!(print, secrets.fingerprint("1", "4111111111111111"));
        assert_ne!(print, secrets.fingerprint("2", "4111111111111111"));
        assert_ne!(print, self::secrets().fingerprint("1", "4111111111111111"));
    }

    #[test]
    fn answers_lie_under_keyed_fingerprints_with_borders() {
        let secrets = secrets();
        let print = secrets.answer_fingerprint("request", &[b"ab", b"c"]);
        assert_eq!(print, secrets.answer_fingerprint("request", &[b"ab", b"c"]));
        assert_ne!(print, secrets.answer_fingerprint("request", &[b"a", b"bc"]));
        assert_ne!(print, secrets.answer_fingerprint("key", &[b"ab", b"c"]));
        assert_ne!(print, self::secrets().answer_fingerprint("request", &[b"ab", b"c"]));
    }

    #[test]
    fn signatures_bind_purpose_and_text() {
        let secrets = secrets();
        let signature = secrets.sign("cursor", "5");
        assert!(secrets.is_signed("cursor", "5", &signature));
        assert!(!secrets.is_signed("cursor", "6", &signature));
        assert!(!secrets.is_signed("token", "5", &signature));
    }

    #[test]
    fn sameness_is_of_every_byte_and_of_the_length() {
        let secret = *b"0123456789abcdef";
        assert!(same(&secret, &secret) && same(b"", b""));
        for at in 0..secret.len() {
            for bit in 0..8 {
                let mut other = secret;
                other[at] ^= 1 << bit;
                assert!(!same(&secret, &other), "bit {bit} of byte {at}");
            }
            assert!(!same(&secret, &secret[..at]) && !same(&secret[..at], &secret), "{at} bytes");
        }
        assert!(!same(&secret, b"0123456789abcdef\0"));
    }
}
