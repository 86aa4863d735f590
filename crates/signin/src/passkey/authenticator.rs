//! Authenticator data (WebAuthn 6.1): what an authenticator says under its signature.

use super::{
    Fault, cbor,
    key::{CredentialKey, NoKey},
};

/// Bytes of the hash of an RP id.
const HASH_BYTES: usize = 32;
/// Bytes of the id of an authenticator's model.
const AAGUID_BYTES: usize = 16;
/// Bytes of a credential's id (WebAuthn 6.5.1).
pub(super) const CREDENTIAL_ID_BYTES_MAX: usize = 1_023;

/// Somebody touched it.
const PRESENT: u8 = 1;
/// It made sure who.
const VERIFIED: u8 = 1 << 2;
/// The credential may be on several devices.
const ELIGIBLE: u8 = 1 << 3;
/// It is.
const BACKED_UP: u8 = 1 << 4;
/// A new credential follows.
const HAS_CREDENTIAL: u8 = 1 << 6;
/// Extensions follow.
const HAS_EXTENSIONS: u8 = 1 << 7;

/// What an authenticator says.
#[derive(Debug)]
pub(super) struct AuthenticatorData<'a> {
    pub(super) rp_id_hash: [u8; HASH_BYTES],
    flags: u8,
    pub(super) counter: u32,
    pub(super) credential: Option<NewCredential<'a>>,
}

/// A credential that was made.
#[derive(Debug)]
pub(super) struct NewCredential<'a> {
    pub(super) id: &'a [u8],
    pub(super) key: CredentialKey,
    /// The key as it was written.
    pub(super) cose: &'a [u8],
}

impl<'a> AuthenticatorData<'a> {
    /// Reads all of it: bytes that nothing accounts for are a fault.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<AuthenticatorData<'a>, Fault> {
        let (rp_id_hash, rest) = bytes.split_first_chunk().ok_or(Fault::Malformed)?;
        let (&[flags], rest) = rest.split_first_chunk().ok_or(Fault::Malformed)?;
        let (counter, mut rest) = rest.split_first_chunk().ok_or(Fault::Malformed)?;
        let mut credential = None;
        if flags & HAS_CREDENTIAL != 0 {
            let (made, left) = new_credential(rest)?;
            (credential, rest) = (Some(made), left);
        }
        if flags & HAS_EXTENSIONS != 0 {
            let (extensions, left) = cbor::first(rest).ok_or(Fault::Malformed)?;
            cbor::members(extensions).ok_or(Fault::Malformed)?;
            rest = left;
        }
        if !rest.is_empty() {
            return Err(Fault::Malformed);
        }
        let counter = u32::from_be_bytes(*counter);
        Ok(AuthenticatorData { rp_id_hash: *rp_id_hash, flags, counter, credential })
    }

    pub(super) fn is_present(&self) -> bool {
        self.flags & PRESENT != 0
    }

    pub(super) fn is_verified(&self) -> bool {
        self.flags & VERIFIED != 0
    }

    pub(super) fn is_eligible(&self) -> bool {
        self.flags & ELIGIBLE != 0
    }

    pub(super) fn is_backed_up(&self) -> bool {
        self.flags & BACKED_UP != 0
    }
}

fn new_credential(bytes: &[u8]) -> Result<(NewCredential<'_>, &[u8]), Fault> {
    let (_, rest) = bytes.split_at_checked(AAGUID_BYTES).ok_or(Fault::Malformed)?;
    let (length, rest) = rest.split_first_chunk().ok_or(Fault::Malformed)?;
    let length = usize::from(u16::from_be_bytes(*length));
    if length == 0 || length > CREDENTIAL_ID_BYTES_MAX {
        return Err(Fault::Malformed);
    }
    let (id, key_and_rest) = rest.split_at_checked(length).ok_or(Fault::Malformed)?;
    let (key, rest) = CredentialKey::first(key_and_rest).map_err(|why| match why {
        NoKey::Malformed => Fault::Malformed,
        NoKey::Algorithm => Fault::Algorithm,
    })?;
    let cose = &key_and_rest[..key_and_rest.len() - rest.len()];
    Ok((NewCredential { id, key, cose }, rest))
}
