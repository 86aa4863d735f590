//! A provider's keys, and the signatures of its tokens. `jsonwebtoken` takes tokens and keys apart
//! and lets nothing but the named algorithm through; the signatures are checked by `ring`.

use std::sync::Once;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use jsonwebtoken::{
    Algorithm, DecodingKey, DecodingKeyKind, Header, Validation,
    crypto::{CryptoProvider, JwtVerifier, KeyUtils},
    decode, decode_header,
    errors::{ErrorKind, Result as JwtResult},
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse},
    signature::{Error as SignatureError, Verifier},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::Fault;
use crate::signature::{PublicKey, Scheme};

/// Bytes of an ID token.
const TOKEN_BYTES_MAX: usize = 32 * 1024;
/// Keys of a provider.
const KEYS_MAX: usize = 100;

/// Keys that a provider signs with.
#[derive(Debug)]
pub(super) struct Keys(Vec<Jwk>);

/// How a token says that it is signed.
pub(super) struct Signed {
    algorithm: Algorithm,
    key: Option<String>,
}

/// Reads the head of a token. Only algorithms with a public key are taken, of those four.
pub(super) fn header(token: &str) -> Result<Signed, Fault> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(Fault::Token);
    }
    let header: Header = decode_header(token).map_err(|_| no_header(token))?;
    // What must be understood is not.
    if header.crit.is_some() || header.zip.is_some() || header.enc.is_some() {
        return Err(Fault::Token);
    }
    scheme(header.alg).ok_or(Fault::Algorithm)?;
    Ok(Signed { algorithm: header.alg, key: header.kid })
}

/// Tells a token whose algorithm is not known (`none`) from what is no token.
fn no_header(token: &str) -> Fault {
    let head = token.split('.').next().and_then(|head| BASE64URL.decode(head).ok());
    let head = head.and_then(|head| serde_json::from_slice::<Value>(&head).ok());
    let names_one = head.is_some_and(|head| head.get("alg").is_some_and(Value::is_string));
    if names_one { Fault::Algorithm } else { Fault::Token }
}

const fn scheme(algorithm: Algorithm) -> Option<Scheme> {
    match algorithm {
        Algorithm::ES256 => Some(Scheme::Es256Fixed),
        Algorithm::RS256 => Some(Scheme::Rs256),
        Algorithm::PS256 => Some(Scheme::Ps256),
        Algorithm::EdDSA => Some(Scheme::Ed25519),
        // Also those that the library learns: a list of what is taken.
        _ => None,
    }
}

impl Keys {
    /// Reads a JWK set. Keys of kinds that are not known are left out.
    pub(super) fn parse(body: &[u8]) -> Result<Keys, Fault> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        let set: Set = serde_json::from_slice(body).map_err(|_| Fault::Keys)?;
        if set.keys.len() > KEYS_MAX {
            return Err(Fault::Keys);
        }
        let keys = set.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok());
        Ok(Keys(keys.collect()))
    }

    /// The key that a token names; without a name, the only one there is.
    fn key(&self, signed: &Signed) -> Option<&Jwk> {
        let mut fitting = self.0.iter().filter(|key| {
            let is_named = signed.key.is_none() || key.common.key_id == signed.key;
            is_named && fits(key, signed.algorithm)
        });
        fitting.next().filter(|_| fitting.next().is_none())
    }

    /// Whether there is a key for such a token.
    pub(super) fn has(&self, signed: &Signed) -> bool {
        self.key(signed).is_some()
    }

    /// What a token says, once its signature is right. None of what it says has been looked at:
    /// [`super::Claims::check`].
    pub(super) fn verify<T: DeserializeOwned>(
        &self,
        token: &str,
        signed: &Signed,
    ) -> Result<T, Fault> {
        let key = self.key(signed).ok_or(Fault::Key)?;
        let key = DecodingKey::from_jwk(key).map_err(|_| Fault::Key)?;
        let mut validation = Validation::new(signed.algorithm);
        // Looked at by the clock that the caller is given, not by the machine's.
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        install();
        let decoded = decode::<T>(token, &key, &validation);
        decoded.map(|token| token.claims).map_err(|error| match error.kind() {
            ErrorKind::InvalidSignature => Fault::Signature,
            ErrorKind::InvalidAlgorithm => Fault::Algorithm,
            ErrorKind::InvalidKeyFormat => Fault::Key,
            _ => Fault::Token,
        })
    }
}

/// Whether a key is for signatures of this kind.
fn fits(key: &Jwk, algorithm: Algorithm) -> bool {
    let is_for_signing = match &key.common.public_key_use {
        Some(PublicKeyUse::Signature) | None => true,
        Some(PublicKeyUse::Encryption | PublicKeyUse::Other(_)) => false,
    };
    let said = match algorithm {
        Algorithm::ES256 => KeyAlgorithm::ES256,
        Algorithm::RS256 => KeyAlgorithm::RS256,
        Algorithm::PS256 => KeyAlgorithm::PS256,
        Algorithm::EdDSA => KeyAlgorithm::EdDSA,
        _ => return false,
    };
    let has_kind = match &key.algorithm {
        AlgorithmParameters::RSA(_) => matches!(algorithm, Algorithm::RS256 | Algorithm::PS256),
        AlgorithmParameters::EllipticCurve(parameters) => {
            algorithm == Algorithm::ES256 && parameters.curve == EllipticCurve::P256
        }
        AlgorithmParameters::OctetKeyPair(parameters) => {
            algorithm == Algorithm::EdDSA && parameters.curve == EllipticCurve::Ed25519
        }
        // Keys that are secret, and kinds that the library learns.
        _ => false,
    };
    is_for_signing && has_kind && key.common.key_algorithm.is_none_or(|own| own == said)
}

/// Checks one signature.
struct ByRing {
    algorithm: Algorithm,
    scheme: Scheme,
    key: PublicKey,
}

impl Verifier<Vec<u8>> for ByRing {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), SignatureError> {
        let is_right = self.key.has_signed(self.scheme, message, signature);
        if is_right { Ok(()) } else { Err(SignatureError::new()) }
    }
}

impl JwtVerifier for ByRing {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> JwtResult<Box<dyn JwtVerifier>> {
    let scheme = scheme(*algorithm).ok_or(ErrorKind::InvalidAlgorithm)?;
    let key = match (key.kind(), scheme) {
        (DecodingKeyKind::RsaModulusExponent { n, e }, Scheme::Rs256 | Scheme::Ps256) => {
            PublicKey::rsa(n, e)
        }
        (DecodingKeyKind::SecretOrDer(point), Scheme::Es256Fixed) => {
            Some(PublicKey::P256(point.clone()))
        }
        (DecodingKeyKind::SecretOrDer(key), Scheme::Ed25519) => PublicKey::ed25519(key),
        (DecodingKeyKind::RsaModulusExponent { .. } | DecodingKeyKind::SecretOrDer(_), _) => None,
    };
    let key = key.ok_or(ErrorKind::InvalidKeyFormat)?;
    Ok(Box::new(ByRing { algorithm: *algorithm, scheme, key }))
}

/// Says once that signatures are checked here. Nothing is signed.
fn install() {
    static PROVIDER: CryptoProvider = CryptoProvider {
        signer_factory: |_, _| Err(ErrorKind::InvalidAlgorithm.into()),
        verifier_factory: verifier,
        key_utils: KeyUtils::new_unimplemented(),
    };
    static ONCE: Once = Once::new();
    // Nobody else in this program installs one.
    ONCE.call_once(|| {
        let _ = PROVIDER.install_default();
    });
}
