//! What is done with the deployment's master key: sealing secrets that must be known again, keyed
//! fingerprints, and hashes of secrets that only need to be recognised.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead, KeyInit, Payload},
};
use hmac::Mac;
use patron_model::Failure;
use sha2::{Digest, Sha256};

type HmacSha256 = hmac::Hmac<Sha256>;

/// Bytes of the master key.
pub const MASTER_KEY_BYTES: usize = 32;
/// Bytes of the nonce before each sealed text.
const NONCE_BYTES: usize = 24;

/// Keys derived from the deployment's master key.
pub struct Secrets {
    seal: XChaCha20Poly1305,
    fingerprint: [u8; 32],
    signing: [u8; 32],
}

impl Secrets {
    /// Derives one key per purpose.
    pub fn new(master: &[u8; MASTER_KEY_BYTES]) -> Secrets {
        let derive = |purpose: &str| hmac_sha256(master, purpose.as_bytes());
        Secrets {
            seal: XChaCha20Poly1305::new((&derive("patron seal v1")).into()),
            fingerprint: derive("patron fingerprint v1"),
            signing: derive("patron signing v1"),
        }
    }

    /// Encrypts a secret for one purpose (bound to it as associated data).
    ///
    /// # Errors
    /// Only when the cipher refuses, which it does not for short texts.
    pub fn seal(&self, purpose: &str, secret: &[u8]) -> Result<String, Failure> {
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let payload = Payload { msg: secret, aad: purpose.as_bytes() };
        let sealed = self
            .seal
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| Failure::internal("a secret could not be sealed"))?;
        Ok(BASE64.encode([nonce.as_slice(), sealed.as_slice()].concat()))
    }

    /// Decrypts a sealed secret.
    ///
    /// # Errors
    /// `Internal` when it was sealed with another master key or for another purpose.
    pub fn open(&self, purpose: &str, sealed: &str) -> Result<Vec<u8>, Failure> {
        let broken = || Failure::internal("a sealed secret cannot be opened with this master key");
        let bytes = BASE64.decode(sealed).map_err(|_| broken())?;
        if bytes.len() < NONCE_BYTES {
            return Err(broken());
        }
        let (nonce, text) = bytes.split_at(NONCE_BYTES);
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| broken())?;
        let payload = Payload { msg: text, aad: purpose.as_bytes() };
        self.seal.decrypt(&XNonce::from(nonce), payload).map_err(|_| broken())
    }

    /// Keyed fingerprint of a value within a scope, in hexadecimal: equal values of one scope have
    /// equal fingerprints, and without the key nothing can be tried out (PCI DSS 3.5.1.1).
    pub fn fingerprint(&self, scope: &str, value: &str) -> String {
        let text = format!("{scope}\u{0}{value}");
        hex::encode(hmac_sha256(&self.fingerprint, text.as_bytes()))
    }

    /// Signs a text of our own (tokens, cursors), in base64url without padding.
    pub fn sign(&self, purpose: &str, text: &str) -> String {
        let text = format!("{purpose}\u{0}{text}");
        let signature = hmac_sha256(&self.signing, text.as_bytes());
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(signature)
    }

    /// Checks such a signature in constant time.
    pub fn is_signed(&self, purpose: &str, text: &str, signature: &str) -> bool {
        same(self.sign(purpose, text).as_bytes(), signature.as_bytes())
    }
}

/// SHA-256 in hexadecimal: how random secrets are recognised without being kept.
pub fn sha256_hex(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_what_it_sealed_for_the_same_purpose_only() {
        let secrets = Secrets::new(&[7; 32]);
        let sealed = secrets.seal("key", b"hush").expect("sealed");
        assert!(!sealed.contains("hush"));
        assert_eq!(secrets.open("key", &sealed).expect("opened"), b"hush");
        assert!(secrets.open("other", &sealed).is_err());
        assert!(Secrets::new(&[8; 32]).open("key", &sealed).is_err());
        assert!(secrets.open("key", "AAAA").is_err());
    }

    #[test]
    fn fingerprints_are_keyed_and_scoped() {
        let secrets = Secrets::new(&[7; 32]);
        let print = secrets.fingerprint("1", "4111111111111111");
        assert_eq!(print, secrets.fingerprint("1", "4111111111111111"));
        assert_ne!(print, secrets.fingerprint("2", "4111111111111111"));
        assert_ne!(print, Secrets::new(&[8; 32]).fingerprint("1", "4111111111111111"));
    }

    #[test]
    fn signatures_bind_purpose_and_text() {
        let secrets = Secrets::new(&[7; 32]);
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
