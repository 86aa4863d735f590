//! The digests that requests are signed with (dossier A.2): SHA-512 over plain concatenations.

use patron_app::secrets::same;
use sha2::{Digest, Sha512};

/// What a client signs.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// The merchant's secret.
    pub merchant_key: &'a [u8],
    /// The client's clock, exactly as sent.
    pub timestamp: &'a str,
    /// The merchant's public name.
    pub authenticity_token: &'a str,
    /// The body's bytes.
    pub body: &'a [u8],
}

impl Signed<'_> {
    /// `WP3-v2.1`: with the request target, path and query exactly as on the request line.
    pub fn with_path(&self, fullpath: &str) -> String {
        self.digest(fullpath.as_bytes())
    }

    /// `WP3-v2`: without the request target.
    pub fn without_path(&self) -> String {
        self.digest(b"")
    }

    fn digest(&self, fullpath: &[u8]) -> String {
        let mut hash = Sha512::new();
        hash.update(self.merchant_key);
        hash.update(self.timestamp);
        hash.update(self.authenticity_token);
        hash.update(fullpath);
        hash.update(self.body);
        hex::encode(hash.finalize())
    }
}

/// Whether a digest as sent is the computed one: in constant time, digits of either case.
pub fn is_same(sent: &str, computed: &str) -> bool {
    same(sent.to_ascii_lowercase().as_bytes(), computed.as_bytes())
}
