//! Public keys of credentials (COSE, RFC 9053), and the algorithms that are offered.

use super::cbor;
use crate::signature::{PublicKey, Scheme};

/// An algorithm that credentials may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// Ed25519.
    EdDsa,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
}

impl Algorithm {
    /// Those that are offered, the best first.
    pub const ALL: [Algorithm; 3] = [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256];

    /// Its number in the registry of COSE.
    pub const fn number(self) -> i64 {
        match self {
            Algorithm::EdDsa => -8,
            Algorithm::Es256 => -7,
            Algorithm::Rs256 => -257,
        }
    }

    /// The algorithm with a number.
    pub fn numbered(number: i64) -> Option<Algorithm> {
        Algorithm::ALL.into_iter().find(|known| known.number() == number)
    }

    const fn scheme(self) -> Scheme {
        match self {
            Algorithm::EdDsa => Scheme::Ed25519,
            Algorithm::Es256 => Scheme::Es256Asn1,
            Algorithm::Rs256 => Scheme::Rs256,
        }
    }
}

/// The public key of a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CredentialKey {
    pub(super) algorithm: Algorithm,
    key: PublicKey,
}

/// Why a key is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoKey {
    /// It is no key as COSE writes one.
    Malformed,
    /// Its algorithm is not offered.
    Algorithm,
}

/// Member: the type of the key.
const KTY: i64 = 1;
/// Member: its algorithm.
const ALG: i64 = 3;
/// Type: one coordinate.
const OKP: i64 = 1;
/// Type: two coordinates.
const EC2: i64 = 2;
/// Type: RSA.
const RSA: i64 = 3;
/// Curve: P-256.
const P256: i64 = 1;
/// Curve: Ed25519.
const ED25519: i64 = 6;

impl CredentialKey {
    /// Reads the first value of the bytes as a key; what follows it comes too.
    pub(super) fn first(bytes: &[u8]) -> Result<(CredentialKey, &[u8]), NoKey> {
        let (value, rest) = cbor::first(bytes).ok_or(NoKey::Malformed)?;
        let mut members = cbor::members(value).ok_or(NoKey::Malformed)?;
        let mut number = |name| cbor::take(&mut members, name).and_then(cbor::int);
        let (kty, alg) = (number(KTY), number(ALG).ok_or(NoKey::Malformed)?);
        let algorithm = Algorithm::numbered(alg).ok_or(NoKey::Algorithm)?;
        let mut bytes = |name| {
            let value = cbor::take(&mut members, name)?;
            value.into_bytes().ok()
        };
        let key = match (algorithm, kty) {
            (Algorithm::EdDsa, Some(OKP)) => bytes(-2).and_then(|x| PublicKey::ed25519(&x)),
            (Algorithm::Es256, Some(EC2)) => {
                bytes(-2).zip(bytes(-3)).and_then(|(x, y)| PublicKey::p256(&x, &y))
            }
            (Algorithm::Rs256, Some(RSA)) => {
                bytes(-1).zip(bytes(-2)).and_then(|(n, e)| PublicKey::rsa(&n, &e))
            }
            (Algorithm::EdDsa | Algorithm::Es256 | Algorithm::Rs256, _) => None,
        };
        let curve = match algorithm {
            Algorithm::EdDsa => Some(ED25519),
            Algorithm::Es256 => Some(P256),
            Algorithm::Rs256 => None,
        };
        let said = cbor::take(&mut members, -1).and_then(cbor::int);
        // WebAuthn allows no further members (6.5.1): one that is not understood changes nothing.
        match key {
            Some(key) if said == curve && members.is_empty() => {
                Ok((CredentialKey { algorithm, key }, rest))
            }
            Some(_) | None => Err(NoKey::Malformed),
        }
    }

    /// Whether the credential signed the message.
    pub(super) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        self.key.has_signed(self.algorithm.scheme(), message, signature)
    }
}
