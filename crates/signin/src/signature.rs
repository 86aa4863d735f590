//! Public keys and signatures, by `ring`. Nothing is signed here.

use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};

/// Bytes of a coordinate of P-256, and of a key of Ed25519.
const COORDINATE_BYTES: usize = 32;
/// First byte of a point that is not compressed.
const UNCOMPRESSED: u8 = 4;

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PublicKey {
    /// A point of P-256, not compressed.
    P256(Vec<u8>),
    /// A key of Ed25519.
    Ed25519(Vec<u8>),
    /// Modulus and exponent, big-endian. `ring` takes 2048 to 8192 bits.
    Rsa { n: Vec<u8>, e: Vec<u8> },
}

/// How a signature was made, and how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// ECDSA on P-256 with SHA-256, as ASN.1: passkeys.
    Es256Asn1,
    /// The same as two numbers of 32 bytes: tokens.
    Es256Fixed,
    /// Ed25519.
    Ed25519,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PSS with SHA-256.
    Ps256,
}

impl PublicKey {
    /// A point from its coordinates.
    pub(crate) fn p256(x: &[u8], y: &[u8]) -> Option<PublicKey> {
        let is_whole = x.len() == COORDINATE_BYTES && y.len() == COORDINATE_BYTES;
        is_whole.then(|| PublicKey::P256([&[UNCOMPRESSED], x, y].concat()))
    }

    /// A key of Ed25519.
    pub(crate) fn ed25519(x: &[u8]) -> Option<PublicKey> {
        (x.len() == COORDINATE_BYTES).then(|| PublicKey::Ed25519(x.to_vec()))
    }

    /// Modulus and exponent; `ring` takes no zeros before them.
    pub(crate) fn rsa(n: &[u8], e: &[u8]) -> Option<PublicKey> {
        let bare = |number: &[u8]| {
            let zeros = number.iter().take_while(|byte| **byte == 0).count();
            number[zeros..].to_vec()
        };
        let (n, e) = (bare(n), bare(e));
        (!n.is_empty() && !e.is_empty()).then_some(PublicKey::Rsa { n, e })
    }

    /// Whether the holder of the private key signed the message in this way.
    pub(crate) fn has_signed(&self, scheme: Scheme, message: &[u8], signature: &[u8]) -> bool {
        let plain = |algorithm, key: &[u8]| {
            UnparsedPublicKey::new(algorithm, key).verify(message, signature).is_ok()
        };
        match (self, scheme) {
            (PublicKey::P256(point), Scheme::Es256Asn1) => plain(&ECDSA_P256_SHA256_ASN1, point),
            (PublicKey::P256(point), Scheme::Es256Fixed) => plain(&ECDSA_P256_SHA256_FIXED, point),
            (PublicKey::Ed25519(key), Scheme::Ed25519) => plain(&ED25519, key),
            (PublicKey::Rsa { n, e }, Scheme::Rs256) => RsaPublicKeyComponents { n, e }
                .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
                .is_ok(),
            (PublicKey::Rsa { n, e }, Scheme::Ps256) => RsaPublicKeyComponents { n, e }
                .verify(&RSA_PSS_2048_8192_SHA256, message, signature)
                .is_ok(),
            (PublicKey::P256(_) | PublicKey::Ed25519(_) | PublicKey::Rsa { .. }, _) => false,
        }
    }
}
