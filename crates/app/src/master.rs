//! The master key: how it is written, and what makes one too weak.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use crate::secrets::{KEY_BYTES, hmac_sha256};

/// Different bytes, and different steps between neighbours, that a master key must have. Of random
/// keys fewer than one in 10^12 have less; words, counts and repetitions do.
const DIFFERENT_BYTES_MIN: usize = 18;

/// The deployment's master key.
#[derive(Clone)]
pub struct MasterKey([u8; KEY_BYTES]);

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MasterKey({})", self.id())
    }
}

impl MasterKey {
    /// The key with these bytes, whatever they are.
    pub fn new(bytes: [u8; KEY_BYTES]) -> MasterKey {
        MasterKey(bytes)
    }

    /// A random key.
    pub fn random() -> MasterKey {
        MasterKey(rand::random())
    }

    /// The key written as text; none when that is not 32 bytes in base64.
    pub fn parse(text: &str) -> Option<MasterKey> {
        BASE64.decode(text.trim()).ok()?.try_into().ok().map(MasterKey)
    }

    /// The key as text.
    pub fn to_text(&self) -> String {
        BASE64.encode(self.0)
    }

    /// Why the key is too easily guessed, if it is: a text, few different bytes, or even steps.
    pub fn weakness(&self) -> Option<&'static str> {
        let different = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            bytes.sort_unstable();
            bytes.dedup();
            bytes.len()
        };
        let steps: Vec<u8> = self.0.windows(2).map(|two| two[1].wrapping_sub(two[0])).collect();
        if self.0.iter().all(|byte| (b' '..=b'~').contains(byte)) {
            Some("it is a text, not random bytes")
        } else if different(&self.0) < DIFFERENT_BYTES_MIN {
            Some("its bytes repeat, they are not random")
        } else if different(&steps) < DIFFERENT_BYTES_MIN {
            Some("its bytes follow a pattern, they are not random")
        } else {
            None
        }
    }

    /// Names the key without telling anything about it.
    pub fn id(&self) -> String {
        hex::encode(&self.derive("patron master id v1")[..8])
    }

    /// A key for one purpose.
    pub(crate) fn derive(&self, purpose: &str) -> [u8; KEY_BYTES] {
        hmac_sha256(&self.0, purpose.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_master_keys_are_told() {
        let count: [u8; 32] = std::array::from_fn(|at| at as u8);
        let down: [u8; 32] = std::array::from_fn(|at| 200 - 3 * at as u8);
        let period: [u8; 32] = std::array::from_fn(|at| [9, 200, 31, 77, 5, 0, 255, 140][at % 8]);
        for weak in [
            [0; 32],
            [0xff; 32],
            count,
            down,
            period,
            *b"correct horse battery staple 123",
            *b"0123456789abcdef0123456789abcdef",
        ] {
            assert!(MasterKey::new(weak).weakness().is_some(), "{weak:?}");
        }
        for _ in 0..20_000 {
            let random = MasterKey::random();
            assert_eq!(random.weakness(), None, "{}", random.to_text());
        }
    }

    #[test]
    fn master_keys_are_32_bytes_in_base64() {
        let key = MasterKey::random();
        let read = MasterKey::parse(&format!(" {}\n", key.to_text())).expect("read");
        assert_eq!(read.id(), key.id());
        assert!(MasterKey::parse("AAAA").is_none());
        assert!(MasterKey::parse(&"A".repeat(44)).is_none());
        assert!(!format!("{key:?}").contains(&key.to_text()));
    }
}
