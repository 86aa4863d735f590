//! Passkeys: WebAuthn Level 3, the part of whoever is signed in to (sections 7.1 and 7.2), for
//! credentials that prove both factors at once: discoverable, with user verification, without
//! attestation, and with ES256, EdDSA or RS256.
//!
//! Origin and RP id are exact: there is one of each, no list and no pattern. What an authenticator
//! states about its maker is not asked for; where it still signs with the new credential itself
//! (self attestation), the signature has to be right, and any other statement is refused.

mod authenticator;
mod cbor;
mod client;
mod key;
mod wire;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use ciborium::Value;
use sha2::{Digest as _, Sha256};
use url::{Host, Url};

use self::{
    authenticator::{AuthenticatorData, CREDENTIAL_ID_BYTES_MAX, NewCredential},
    client::Ceremony,
    key::CredentialKey,
};
pub use self::{
    key::Algorithm,
    wire::{
        AssertionResponse, AttestationResponse, Authentication, CreationOptions, Descriptor,
        Parameters, Registration, RequestOptions, RpEntity, Selection, UserEntity,
    },
};

/// Bytes of a challenge that is made here (at least 16: WebAuthn 13.4.3).
pub const CHALLENGE_BYTES: usize = 32;
/// Milliseconds that a browser gives its user.
const TIMEOUT_MS: u32 = 300_000;
/// Bytes of client data.
const CLIENT_DATA_BYTES_MAX: usize = 4 * 1024;
/// Bytes of an attestation object: a certificate chain has a few kilobytes.
const ATTESTATION_BYTES_MAX: usize = 32 * 1024;
/// Bytes of authenticator data beside an assertion.
const AUTHENTICATOR_DATA_BYTES_MAX: usize = 4 * 1024;
/// Bytes of a signature: RSA with 8192 bits has 1024.
const SIGNATURE_BYTES_MAX: usize = 1_024;
/// Bytes of a user's handle (WebAuthn 5.4.3).
const HANDLE_BYTES_MAX: usize = 64;
const KIND: &str = "public-key";
const REQUIRED: &str = "required";

/// Why a browser's answer proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// It is not written as it has to be, or too large.
    Malformed,
    /// It answers another question: made where used was asked for, or the other way round.
    Ceremony,
    /// It is not the answer to this challenge.
    Challenge,
    /// The page it comes from is not ours.
    Origin,
    /// The page was inside another one.
    CrossOrigin,
    /// The credential belongs to another domain.
    RelyingParty,
    /// Nobody touched the authenticator.
    NotPresent,
    /// The authenticator did not make sure who touched it.
    NotVerified,
    /// It says of copies what cannot be, or has changed since it was made.
    Backup,
    /// Its algorithm was not offered.
    Algorithm,
    /// It states something about its maker, which was not asked for.
    Attestation,
    /// It is another credential.
    Credential,
    /// It is somebody else's credential.
    User,
    /// The signature is wrong.
    Signature,
    /// It has counted further before: there may be two of it.
    Counter,
}

impl Fault {
    /// Its word, for the audit trail.
    pub const fn as_str(self) -> &'static str {
        match self {
            Fault::Malformed => "malformed",
            Fault::Ceremony => "ceremony",
            Fault::Challenge => "challenge",
            Fault::Origin => "origin",
            Fault::CrossOrigin => "cross_origin",
            Fault::RelyingParty => "relying_party",
            Fault::NotPresent => "not_present",
            Fault::NotVerified => "not_verified",
            Fault::Backup => "backup",
            Fault::Algorithm => "algorithm",
            Fault::Attestation => "attestation",
            Fault::Credential => "credential",
            Fault::User => "user",
            Fault::Signature => "signature",
            Fault::Counter => "counter",
        }
    }
}

/// Who asks: the domain of this server, and the one origin its pages have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelyingParty {
    id: String,
    origin: String,
}

/// Whom a passkey is made for.
#[derive(Debug, Clone, Copy)]
pub struct Owner<'a> {
    /// Handle, which says nothing about the person; 64 bytes at most.
    pub handle: &'a [u8],
    /// What they sign in as.
    pub name: &'a str,
    /// What they are called.
    pub display_name: &'a str,
}

/// A credential that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// Its id.
    pub id: Vec<u8>,
    /// Its public key, as COSE writes it.
    pub public_key: Vec<u8>,
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// How often it was used; many do not count.
    pub counter: u32,
    /// Whether it may be on several devices.
    pub is_eligible: bool,
    /// Whether it is.
    pub is_backed_up: bool,
}

/// A credential that is known.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// Its id.
    pub id: &'a [u8],
    /// Its public key, as COSE writes it.
    pub public_key: &'a [u8],
    /// How far it had counted.
    pub counter: u32,
    /// Whether it may be on several devices.
    pub is_eligible: bool,
    /// Handle of its owner.
    pub handle: &'a [u8],
}

/// A credential that was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Used {
    /// How far it has counted.
    pub counter: u32,
    /// Whether it is on several devices.
    pub is_backed_up: bool,
}

impl RelyingParty {
    /// The one of a server that is known under this URL; none where browsers know no passkeys: in
    /// the clear, or under an address. This machine is `localhost` to them.
    pub fn of(base_url: &str) -> Option<RelyingParty> {
        let url = Url::parse(base_url).ok()?;
        let is_loopback = match url.host()? {
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
            Host::Domain(name) => name == "localhost",
        };
        let id = match (is_loopback, url.host()?) {
            (true, _) => "localhost".to_owned(),
            (false, Host::Domain(name)) if url.scheme() == "https" => name.to_owned(),
            (false, Host::Domain(_) | Host::Ipv4(_) | Host::Ipv6(_)) => return None,
        };
        let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
        let origin = format!("{}://{id}{port}", url.scheme());
        Some(RelyingParty { id, origin })
    }

    /// The domain that passkeys belong to.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What a browser is asked for to make a passkey; `known`: ids of those that there are.
    pub fn creation(
        &self,
        challenge: &[u8],
        owner: Owner<'_>,
        product: &str,
        known: &[&[u8]],
    ) -> CreationOptions {
        let parameters = |algorithm: Algorithm| Parameters { kind: KIND, alg: algorithm.number() };
        CreationOptions {
            rp: RpEntity { id: self.id.clone(), name: product.to_owned() },
            user: UserEntity {
                id: BASE64URL.encode(owner.handle),
                name: owner.name.to_owned(),
                display_name: owner.display_name.to_owned(),
            },
            challenge: BASE64URL.encode(challenge),
            pub_key_cred_params: Algorithm::ALL.map(parameters).to_vec(),
            timeout: TIMEOUT_MS,
            exclude_credentials: descriptors(known),
            authenticator_selection: Selection {
                resident_key: REQUIRED,
                require_resident_key: true,
                user_verification: REQUIRED,
            },
            attestation: "none",
        }
    }

    /// What a browser is asked for to use a passkey: one of these, or any when there are none.
    pub fn request(&self, challenge: &[u8], known: &[&[u8]]) -> RequestOptions {
        RequestOptions {
            challenge: BASE64URL.encode(challenge),
            timeout: TIMEOUT_MS,
            rp_id: self.id.clone(),
            allow_credentials: descriptors(known),
            user_verification: REQUIRED,
        }
    }

    /// Checks the answer to [`RelyingParty::creation`] (WebAuthn 7.1).
    ///
    /// # Errors
    /// With the first fault. User verification is looked at last.
    pub fn register(&self, challenge: &[u8], answer: &Registration) -> Result<Registered, Fault> {
        let id = credential_id(&answer.id, &answer.raw_id, &answer.kind)?;
        let client_data = decode(&answer.response.client_data, CLIENT_DATA_BYTES_MAX)?;
        client::check(&client_data, Ceremony::Create, challenge, &self.origin)?;
        let object = decode(&answer.response.attestation_object, ATTESTATION_BYTES_MAX)?;
        let (attestation, bytes) = attestation(&object)?;
        let data = AuthenticatorData::parse(&bytes)?;
        self.check(&data)?;
        let made = data.credential.as_ref().ok_or(Fault::Malformed)?;
        if made.id != id {
            return Err(Fault::Credential);
        }
        attestation.check(made, &bytes, &client_data)?;
        if !data.is_verified() {
            return Err(Fault::NotVerified);
        }
        Ok(Registered {
            public_key: made.cose.to_vec(),
            algorithm: made.key.algorithm,
            counter: data.counter,
            is_eligible: data.is_eligible(),
            is_backed_up: data.is_backed_up(),
            id,
        })
    }

    /// Checks the answer to [`RelyingParty::request`] (WebAuthn 7.2) for the credential that it
    /// names. The browser has to say whose it is.
    ///
    /// # Errors
    /// With the first fault. User verification is looked at last.
    pub fn authenticate(
        &self,
        challenge: &[u8],
        known: Known<'_>,
        answer: &Authentication,
    ) -> Result<Used, Fault> {
        if answered_id(answer)? != known.id {
            return Err(Fault::Credential);
        }
        let handle = answer.response.user_handle.as_deref().ok_or(Fault::User)?;
        if decode(handle, HANDLE_BYTES_MAX)? != known.handle {
            return Err(Fault::User);
        }
        let client_data = decode(&answer.response.client_data, CLIENT_DATA_BYTES_MAX)?;
        client::check(&client_data, Ceremony::Get, challenge, &self.origin)?;
        let bytes = decode(&answer.response.authenticator_data, AUTHENTICATOR_DATA_BYTES_MAX)?;
        let data = AuthenticatorData::parse(&bytes)?;
        self.check(&data)?;
        if data.is_eligible() != known.is_eligible {
            return Err(Fault::Backup);
        }
        let (key, rest) = CredentialKey::first(known.public_key).map_err(|_| Fault::Malformed)?;
        let signature = decode(&answer.response.signature, SIGNATURE_BYTES_MAX)?;
        if !rest.is_empty() || !key.has_signed(&signed(&bytes, &client_data), &signature) {
            return Err(Fault::Signature);
        }
        let counts = data.counter != 0 || known.counter != 0;
        if counts && data.counter <= known.counter {
            return Err(Fault::Counter);
        }
        if !data.is_verified() {
            return Err(Fault::NotVerified);
        }
        Ok(Used { counter: data.counter, is_backed_up: data.is_backed_up() })
    }

    /// What holds for both: the domain, somebody's touch, flags that can be.
    fn check(&self, data: &AuthenticatorData<'_>) -> Result<(), Fault> {
        if Sha256::digest(self.id.as_bytes()).as_slice() != data.rp_id_hash {
            return Err(Fault::RelyingParty);
        }
        if !data.is_present() {
            return Err(Fault::NotPresent);
        }
        if data.is_backed_up() && !data.is_eligible() {
            return Err(Fault::Backup);
        }
        Ok(())
    }
}

/// Which credential a browser's answer names.
///
/// # Errors
/// When it names none.
pub fn answered_id(answer: &Authentication) -> Result<Vec<u8>, Fault> {
    credential_id(&answer.id, &answer.raw_id, &answer.kind)
}

/// Which challenge a browser's answer says that it answers: whether it does is checked later.
///
/// # Errors
/// When it names none of ours, which are text.
pub fn answered_challenge(client_data: &str) -> Result<String, Fault> {
    let challenge = client::challenge(&decode(client_data, CLIENT_DATA_BYTES_MAX)?)?;
    String::from_utf8(challenge).map_err(|_| Fault::Challenge)
}

fn credential_id(id: &str, raw_id: &str, kind: &str) -> Result<Vec<u8>, Fault> {
    if id != raw_id || kind != KIND {
        return Err(Fault::Malformed);
    }
    let id = decode(id, CREDENTIAL_ID_BYTES_MAX)?;
    if id.is_empty() { Err(Fault::Malformed) } else { Ok(id) }
}

fn descriptors(known: &[&[u8]]) -> Vec<Descriptor> {
    let one = |id: &&[u8]| Descriptor { kind: KIND, id: BASE64URL.encode(id) };
    known.iter().map(one).collect()
}

/// Base64url without padding, of a bounded length.
fn decode(text: &str, max_bytes: usize) -> Result<Vec<u8>, Fault> {
    if text.len() > max_bytes.div_ceil(3) * 4 {
        return Err(Fault::Malformed);
    }
    let bytes = BASE64URL.decode(text).map_err(|_| Fault::Malformed)?;
    if bytes.len() > max_bytes { Err(Fault::Malformed) } else { Ok(bytes) }
}

/// What an authenticator signs.
fn signed(authenticator_data: &[u8], client_data: &[u8]) -> Vec<u8> {
    [authenticator_data, Sha256::digest(client_data).as_slice()].concat()
}

/// What an authenticator states about its maker.
enum Attestation {
    /// Nothing.
    None,
    /// Nothing; the credential signs for itself.
    Own { algorithm: i64, signature: Vec<u8> },
    /// Something.
    Other,
}

impl Attestation {
    fn check(
        &self,
        made: &NewCredential<'_>,
        authenticator_data: &[u8],
        client_data: &[u8],
    ) -> Result<(), Fault> {
        match self {
            Attestation::None => Ok(()),
            Attestation::Own { algorithm, .. } if *algorithm != made.key.algorithm.number() => {
                Err(Fault::Attestation)
            }
            Attestation::Own { signature, .. } => {
                let message = signed(authenticator_data, client_data);
                let is_right = made.key.has_signed(&message, signature);
                if is_right { Ok(()) } else { Err(Fault::Signature) }
            }
            Attestation::Other => Err(Fault::Attestation),
        }
    }
}

/// Reads an attestation object (WebAuthn 6.5.4): what it states, and the authenticator data.
fn attestation(object: &[u8]) -> Result<(Attestation, Vec<u8>), Fault> {
    let read = || {
        let (value, rest) = cbor::first(object)?;
        let mut members = cbor::members(value).filter(|_| rest.is_empty())?;
        let format = cbor::take(&mut members, "fmt")?.into_text().ok()?;
        let mut statement = cbor::members(cbor::take(&mut members, "attStmt")?)?;
        let data = cbor::take(&mut members, "authData")?.into_bytes().ok()?;
        let attestation = match format.as_str() {
            "none" if statement.is_empty() => Attestation::None,
            "packed" if statement.len() == 2 => own(&mut statement).unwrap_or(Attestation::Other),
            _ => Attestation::Other,
        };
        members.is_empty().then_some((attestation, data))
    };
    read().ok_or(Fault::Malformed)
}

/// Self attestation (WebAuthn 8.2): `alg` and `sig`, no certificate.
fn own(statement: &mut Vec<(Value, Value)>) -> Option<Attestation> {
    let algorithm = cbor::int(cbor::take(statement, "alg")?)?;
    let signature = cbor::take(statement, "sig")?.into_bytes().ok()?;
    Some(Attestation::Own { algorithm, signature })
}

#[cfg(test)]
mod tests;
