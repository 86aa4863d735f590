//! What a provider says of itself (OpenID Connect Discovery 1.0).

use serde::Deserialize;
use url::Url;

use super::Fault;

/// How the token endpoint learns who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Authentication {
    /// `client_secret_basic`, which every provider has unless it says otherwise.
    Basic,
    /// `client_secret_post`.
    Form,
}

/// A provider.
#[derive(Debug, Clone)]
pub(super) struct Metadata {
    /// Where browsers are sent to.
    pub(super) authorization: Url,
    /// Where codes are given for tokens.
    pub(super) token: String,
    /// Where its keys are.
    pub(super) keys: String,
    /// How the token endpoint learns who asks.
    pub(super) authentication: Authentication,
    /// Whether it names itself in its answers (RFC 9207).
    pub(super) names_itself: bool,
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    response_types_supported: Option<Vec<String>>,
    #[serde(default)]
    code_challenge_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl Metadata {
    /// Reads its document.
    pub(super) fn parse(status: u16, issuer: &str, body: &[u8]) -> Result<Metadata, Fault> {
        if status != 200 {
            return Err(Fault::Metadata);
        }
        let said: Document = serde_json::from_slice(body).map_err(|_| Fault::Metadata)?;
        let has = |list: &Option<Vec<String>>, word: &str| {
            list.as_ref().map(|list| list.iter().any(|known| known == word))
        };
        // A list that is there and lacks it says that it is not done. Most providers do not list
        // challenges, and all must ignore what they do not know.
        let does = has(&said.response_types_supported, "code").unwrap_or(true)
            && has(&said.code_challenge_methods_supported, "S256").unwrap_or(true);
        if said.issuer != issuer || !does {
            return Err(Fault::Metadata);
        }
        let methods = &said.token_endpoint_auth_methods_supported;
        let takes_basic = has(methods, "client_secret_basic").unwrap_or(true);
        let takes_form = has(methods, "client_secret_post").unwrap_or(false);
        Ok(Metadata {
            authorization: Url::parse(&said.authorization_endpoint).map_err(|_| Fault::Metadata)?,
            token: said.token_endpoint,
            keys: said.jwks_uri,
            authentication: match takes_basic || !takes_form {
                true => Authentication::Basic,
                false => Authentication::Form,
            },
            names_itself: said.authorization_response_iss_parameter_supported,
        })
    }

    /// Every URL of it.
    pub(super) fn urls(&self) -> [&str; 3] {
        [self.authorization.as_str(), &self.token, &self.keys]
    }
}
