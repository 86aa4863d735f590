//! What goes to a browser and comes back, as its `toJSON()` and `parse…FromJSON()` write it
//! (WebAuthn 5.1.8, 5.1.9).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a browser is asked for when a passkey is made.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreationOptions {
    /// Who asks.
    pub rp: RpEntity,
    /// Whom it is for.
    pub user: UserEntity,
    /// What is to be signed, base64url.
    pub challenge: String,
    /// Algorithms, the best first.
    pub pub_key_cred_params: Vec<Parameters>,
    /// Milliseconds it may take.
    pub timeout: u32,
    /// Credentials that are known already: another one on the same device is not made.
    pub exclude_credentials: Vec<Descriptor>,
    /// What sort of authenticator.
    pub authenticator_selection: Selection,
    /// `none`: whoever made the authenticator is not asked.
    pub attestation: &'static str,
}

/// Who asks.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct RpEntity {
    /// The domain that passkeys belong to.
    pub id: String,
    /// What people call it.
    pub name: String,
}

/// Whom a passkey is for.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserEntity {
    /// Handle, base64url: says nothing about the person.
    pub id: String,
    /// What they sign in as.
    pub name: String,
    /// What they are called.
    pub display_name: String,
}

/// One algorithm.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Parameters {
    /// `public-key`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Its number in the registry of COSE.
    pub alg: i64,
}

/// A credential.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Descriptor {
    /// `public-key`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Its id, base64url.
    pub id: String,
}

/// What sort of authenticator is asked for.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Selection {
    /// `required`: the authenticator knows whose credential it is.
    pub resident_key: &'static str,
    /// The same for older browsers.
    pub require_resident_key: bool,
    /// `required`: it makes sure who uses it.
    pub user_verification: &'static str,
}

/// What a browser is asked for when a passkey is used.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequestOptions {
    /// What is to be signed, base64url.
    pub challenge: String,
    /// Milliseconds it may take.
    pub timeout: u32,
    /// The domain that passkeys belong to.
    pub rp_id: String,
    /// Which credentials; any of the domain when there are none.
    pub allow_credentials: Vec<Descriptor>,
    /// `required`.
    pub user_verification: &'static str,
}

/// A browser's answer when a passkey was made. Members that are not read are ignored: browsers add
/// some.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Registration {
    /// Id of the credential, base64url.
    pub id: String,
    /// The same.
    pub raw_id: String,
    /// `public-key`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the authenticator said.
    pub response: AttestationResponse,
}

/// What an authenticator said when it made a credential.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AttestationResponse {
    /// What the browser saw, base64url.
    #[serde(rename = "clientDataJSON")]
    pub client_data: String,
    /// What the authenticator made, base64url.
    pub attestation_object: String,
}

/// A browser's answer when a passkey was used. Members that are not read are ignored: browsers add
/// some.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Authentication {
    /// Id of the credential, base64url.
    pub id: String,
    /// The same.
    pub raw_id: String,
    /// `public-key`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the authenticator said.
    pub response: AssertionResponse,
}

/// What an authenticator said when a credential was used.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AssertionResponse {
    /// What the browser saw, base64url.
    #[serde(rename = "clientDataJSON")]
    pub client_data: String,
    /// What the authenticator says, base64url.
    pub authenticator_data: String,
    /// Signature over both, base64url.
    pub signature: String,
    /// Whose credential it is, base64url.
    #[serde(default)]
    pub user_handle: Option<String>,
}
