//! OpenID Connect, the part of whoever is signed in to: authorization code flow with PKCE, for ID
//! tokens that name this server and nobody else.
//!
//! Everything a provider is asked goes through the guarded client: where it says that its keys are
//! is a URL that somebody else chose. What comes back is bounded in size and time, and remembered
//! for [`KNOWN_SECONDS`]; a key that is not known is looked for again, once in
//! [`KEYS_AGAIN_SECONDS`].

mod claims;
mod keys;
mod metadata;

use std::collections::HashMap;
use std::sync::{Arc, Mutex as SyncMutex, PoisonError};
use std::time::Duration;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD as BASE64URL},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use patron_outbound::{Client, Fault as Outbound, Refused};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tokio::sync::Mutex;
use url::{Url, form_urlencoded};

pub use self::claims::Claims;
use self::{
    keys::Keys,
    metadata::{Authentication, Metadata},
};

/// Seconds for which what a provider says of itself is remembered.
pub const KNOWN_SECONDS: i64 = 3_600;
/// Seconds between two looks for a key that is not known.
pub const KEYS_AGAIN_SECONDS: i64 = 60;
/// Seconds by which clocks may differ.
pub const LEEWAY_SECONDS: i64 = 60;
/// Bytes of each document of a provider.
const DOCUMENT_BYTES_MAX: usize = 256 * 1024;
/// Everything about one document.
const WITHIN: Duration = Duration::from_secs(10);
/// Providers that are remembered.
const KNOWN_MAX: usize = 1_000;
/// Bytes of a verifier, a state and a nonce (RFC 7636 has 32).
pub const RANDOM_BYTES: usize = 32;
/// Characters of an authorization code.
const CODE_CHARS_MAX: usize = 4_096;

/// Why somebody is not signed in by a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The provider cannot be asked.
    Unreachable(Outbound),
    /// A URL of it is not one that may be asked.
    Url,
    /// What it says of itself is not what the standard asks for, or of another issuer.
    Metadata,
    /// It does not take the code.
    Exchange,
    /// Its keys cannot be read.
    Keys,
    /// The answer comes from another provider.
    Mixed,
    /// The token is not written as it has to be.
    Token,
    /// It is signed in a way that is not taken.
    Algorithm,
    /// It is signed with a key that the provider does not show.
    Key,
    /// The signature is wrong.
    Signature,
    /// It is of another issuer.
    Issuer,
    /// It is for somebody else, or for others too.
    Audience,
    /// It was asked for by somebody else.
    AuthorizedParty,
    /// It is the answer to another question.
    Nonce,
    /// The provider did not ask anew who it is, though it was told to.
    Stale,
    /// It is over.
    Expired,
    /// It begins later.
    Early,
}

impl Fault {
    /// Its word, for the audit trail.
    pub const fn as_str(self) -> &'static str {
        match self {
            Fault::Unreachable(_) => "unreachable",
            Fault::Url => "url",
            Fault::Metadata => "metadata",
            Fault::Exchange => "exchange",
            Fault::Keys => "keys",
            Fault::Mixed => "mixed",
            Fault::Token => "token",
            Fault::Algorithm => "algorithm",
            Fault::Key => "key",
            Fault::Signature => "signature",
            Fault::Issuer => "issuer",
            Fault::Audience => "audience",
            Fault::AuthorizedParty => "authorized_party",
            Fault::Nonce => "nonce",
            Fault::Stale => "stale",
            Fault::Expired => "expired",
            Fault::Early => "early",
        }
    }
}

/// A provider, as it is set up.
#[derive(Debug, Clone, Copy)]
pub struct Provider<'a> {
    /// Its issuer, exactly as it names itself.
    pub issuer: &'a str,
    /// What it knows this server as.
    pub client_id: &'a str,
    /// What proves that; none: only the code verifier does.
    pub secret: Option<&'a str>,
    /// What is asked for beside `openid`.
    pub scopes: &'a [String],
    /// How it is to make sure who it is.
    pub acr: Option<&'a str>,
}

/// What only the browser's flow knows: kept between the question and the answer.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Binds the answer to the browser.
    pub state: &'a str,
    /// Binds the token to the question.
    pub nonce: &'a str,
    /// Binds the code to whoever asked.
    pub verifier: &'a str,
    /// Where the answer goes.
    pub redirect_uri: &'a str,
    /// The moment, in seconds, from which on the provider has to have asked anew who it is; none:
    /// one that knows the browser need not ask.
    pub fresh_since: Option<i64>,
}

/// What a browser brings back.
#[derive(Debug, Clone, Copy)]
pub struct Answered<'a> {
    /// The code.
    pub code: &'a str,
    /// Who gave it (RFC 9207).
    pub issuer: Option<&'a str>,
}

/// What is known of one issuer.
#[derive(Default)]
struct Known {
    metadata: Option<(Arc<Metadata>, i64)>,
    keys: Option<(Arc<Keys>, i64)>,
}

/// Asks providers.
pub struct RelyingParty {
    client: Client,
    known: SyncMutex<HashMap<String, Arc<Mutex<Known>>>>,
}

impl RelyingParty {
    /// One that asks by this client.
    pub fn new(client: Client) -> RelyingParty {
        RelyingParty { client, known: SyncMutex::default() }
    }

    /// Whether an issuer's URL may be asked at all; with what it would have to be otherwise.
    ///
    /// # Errors
    /// In words.
    pub fn check(&self, issuer: &str) -> Result<(), &'static str> {
        self.client.check(issuer).map_err(Refused::needs)?;
        let is_bare = Url::parse(issuer).is_ok_and(|url| url.query().is_none());
        if is_bare { Ok(()) } else { Err("a URL without a query") }
    }

    /// Where a browser is sent to; `now` in seconds.
    ///
    /// # Errors
    /// When the provider cannot be asked what it is.
    pub async fn begin(
        &self,
        provider: Provider<'_>,
        asked: Asked<'_>,
        now: i64,
    ) -> Result<String, Fault> {
        let metadata = self.metadata(provider.issuer, now).await?;
        let mut url = metadata.authorization.clone();
        let scopes = ["openid"].into_iter().chain(provider.scopes.iter().map(String::as_str));
        let scopes: Vec<&str> = scopes.collect();
        let challenge = BASE64URL.encode(Sha256::digest(asked.verifier));
        let mut query = url.query_pairs_mut();
        query
            .append_pair("response_type", "code")
            .append_pair("client_id", provider.client_id)
            .append_pair("redirect_uri", asked.redirect_uri)
            .append_pair("scope", &scopes.join(" "))
            .append_pair("state", asked.state)
            .append_pair("nonce", asked.nonce)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        if let Some(acr) = provider.acr {
            query.append_pair("acr_values", acr);
        }
        if asked.fresh_since.is_some() {
            query.append_pair("prompt", "login").append_pair("max_age", "0");
        }
        drop(query);
        Ok(url.into())
    }

    /// What the provider says of whoever came back; `now` in seconds. The state has been compared
    /// by whoever kept it.
    ///
    /// # Errors
    /// With the first fault.
    pub async fn finish(
        &self,
        provider: Provider<'_>,
        asked: Asked<'_>,
        answered: Answered<'_>,
        now: i64,
    ) -> Result<Claims, Fault> {
        let metadata = self.metadata(provider.issuer, now).await?;
        let named = match answered.issuer {
            Some(issuer) => issuer == provider.issuer,
            None => !metadata.names_itself,
        };
        if !named {
            return Err(Fault::Mixed);
        }
        if answered.code.is_empty() || answered.code.len() > CODE_CHARS_MAX {
            return Err(Fault::Exchange);
        }
        let token = self.exchange(&metadata, provider, asked, answered.code).await?;
        let header = keys::header(&token)?;
        let mut keys = self.keys(provider.issuer, &metadata, now, false).await?;
        if !keys.has(&header) {
            keys = self.keys(provider.issuer, &metadata, now, true).await?;
        }
        let claims: Claims = keys.verify(&token, &header)?;
        claims.check(provider, asked, now)?;
        Ok(claims)
    }

    /// What is known of an issuer. One lock each: of several who ask at once one asks the provider.
    fn known(&self, issuer: &str) -> Arc<Mutex<Known>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_MAX && !known.contains_key(issuer) {
            known.clear();
        }
        Arc::clone(known.entry(issuer.to_owned()).or_default())
    }

    async fn metadata(&self, issuer: &str, now: i64) -> Result<Arc<Metadata>, Fault> {
        let known = self.known(issuer);
        let mut known = known.lock().await;
        if let Some((metadata, at)) = &known.metadata
            && (0..KNOWN_SECONDS).contains(&(now - at))
        {
            return Ok(Arc::clone(metadata));
        }
        let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let (status, body) = self.ask(&url, Method::GET, HeaderMap::new(), Bytes::new()).await?;
        let metadata = Arc::new(Metadata::parse(status, issuer, &body)?);
        for url in metadata.urls() {
            self.client.check(url).map_err(|_| Fault::Url)?;
        }
        known.metadata = Some((Arc::clone(&metadata), now));
        Ok(metadata)
    }

    /// The keys; `again`: those that are known do not do.
    async fn keys(
        &self,
        issuer: &str,
        metadata: &Metadata,
        now: i64,
        again: bool,
    ) -> Result<Arc<Keys>, Fault> {
        let known = self.known(issuer);
        let mut known = known.lock().await;
        let good_for = if again { KEYS_AGAIN_SECONDS } else { KNOWN_SECONDS };
        if let Some((keys, at)) = &known.keys
            && (0..good_for).contains(&(now - at))
        {
            return Ok(Arc::clone(keys));
        }
        let url = &metadata.keys;
        let (status, body) = self.ask(url, Method::GET, HeaderMap::new(), Bytes::new()).await?;
        if status != 200 {
            return Err(Fault::Keys);
        }
        let keys = Arc::new(Keys::parse(&body)?);
        known.keys = Some((Arc::clone(&keys), now));
        Ok(keys)
    }

    /// Gives the code for an ID token.
    async fn exchange(
        &self,
        metadata: &Metadata,
        provider: Provider<'_>,
        asked: Asked<'_>,
        code: &str,
    ) -> Result<String, Fault> {
        let (headers, body) = exchange(metadata.authentication, provider, asked, code)?;
        let (status, body) = self.ask(&metadata.token, Method::POST, headers, body).await?;
        if status != 200 {
            return Err(Fault::Exchange);
        }
        #[derive(Deserialize)]
        struct Tokens {
            id_token: String,
        }
        let tokens: Tokens = serde_json::from_slice(&body).map_err(|_| Fault::Token)?;
        Ok(tokens.id_token)
    }

    async fn ask(
        &self,
        url: &str,
        method: Method,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<(u16, Vec<u8>), Fault> {
        let target = self.client.check(url).map_err(|_| Fault::Url)?;
        let bounds = (DOCUMENT_BYTES_MAX, WITHIN);
        let document = self.client.ask(method, &target, headers, body, bounds).await;
        let document = document.map_err(Fault::Unreachable)?;
        Ok((document.status, document.body))
    }
}

/// What gives a code for a token (RFC 6749, section 4.1.3; RFC 7636, section 4.5).
fn exchange(
    authentication: Authentication,
    provider: Provider<'_>,
    asked: Asked<'_>,
    code: &str,
) -> Result<(HeaderMap, Bytes), Fault> {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "authorization_code")
        .append_pair("code", code)
        .append_pair("redirect_uri", asked.redirect_uri)
        .append_pair("code_verifier", asked.verifier);
    let mut headers = HeaderMap::new();
    let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
    headers.insert(header::CONTENT_TYPE, form_type);
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    match (provider.secret, authentication) {
        (Some(secret), Authentication::Basic) => {
            headers.insert(header::AUTHORIZATION, basic(provider.client_id, secret)?);
        }
        (Some(secret), Authentication::Form) => {
            form.append_pair("client_id", provider.client_id);
            form.append_pair("client_secret", secret);
        }
        (None, Authentication::Basic | Authentication::Form) => {
            form.append_pair("client_id", provider.client_id);
        }
    }
    Ok((headers, Bytes::from(form.finish())))
}

/// Name and secret as RFC 6749 (2.3.1) writes them.
fn basic(id: &str, secret: &str) -> Result<HeaderValue, Fault> {
    let part = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let both = BASE64.encode(format!("{}:{}", part(id), part(secret)));
    let mut value = HeaderValue::try_from(format!("Basic {both}")).map_err(|_| Fault::Exchange)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Whether the state that a browser brings is the one that was kept.
pub fn is_same(kept: &str, brought: &str) -> bool {
    kept.as_bytes().ct_eq(brought.as_bytes()).into()
}

#[cfg(test)]
mod tests;
