//! What an ID token says (OpenID Connect Core 1.0, section 2), and whether it says it to us.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Asked, Fault, LEEWAY_SECONDS, Provider, is_same};

/// Characters of a subject (section 2).
const SUBJECT_CHARS_MAX: usize = 255;

/// What an ID token says.
#[derive(Debug, Clone, Deserialize)]
pub struct Claims {
    iss: String,
    /// Who it is, to this provider.
    pub sub: String,
    aud: Audience,
    #[serde(default)]
    azp: Option<String>,
    exp: Moment,
    iat: Moment,
    #[serde(default)]
    nbf: Option<Moment>,
    #[serde(default)]
    nonce: Option<String>,
    /// When the provider made sure who it is.
    #[serde(default)]
    auth_time: Option<Moment>,
    /// How the provider made sure who it is, as one word.
    #[serde(default)]
    pub acr: Option<String>,
    /// The same as a list of what was used (RFC 8176).
    #[serde(default)]
    pub amr: Vec<String>,
    /// E-mail address.
    #[serde(default)]
    pub email: Option<String>,
    /// Whether the provider has made sure of it. Some say so with a word, which is none.
    #[serde(default)]
    email_verified: Value,
    /// Given name.
    #[serde(default)]
    pub given_name: Option<String>,
    /// Family name.
    #[serde(default)]
    pub family_name: Option<String>,
    /// Everything else, by its name.
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

/// One, or a list.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// Seconds since the epoch, perhaps with a fraction, which is cut off.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "serde_json::Number")]
struct Moment(i64);

impl TryFrom<serde_json::Number> for Moment {
    type Error = &'static str;

    fn try_from(number: serde_json::Number) -> Result<Moment, &'static str> {
        // Beyond the year 10000 lies no token.
        const LAST: f64 = 253_402_300_799.0;
        let seconds = number.as_f64().filter(|seconds| (0.0..=LAST).contains(seconds));
        seconds.map(|seconds| Moment(seconds as i64)).ok_or("no moment")
    }
}

impl Claims {
    /// Whether the provider has made sure of the e-mail address.
    pub fn has_verified_email(&self) -> bool {
        self.email.is_some() && self.email_verified == Value::Bool(true)
    }

    /// The words that a claim of the provider's own says: one, or a list.
    pub fn words(&self, claim: &str) -> Vec<&str> {
        match self.others.get(claim) {
            Some(Value::String(word)) => vec![word],
            Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).collect(),
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => {
                Vec::new()
            }
        }
    }

    /// Whether this token is for us, for this question, and now (section 3.1.3.7).
    pub(super) fn check(
        &self,
        provider: Provider<'_>,
        asked: Asked<'_>,
        now: i64,
    ) -> Result<(), Fault> {
        if self.iss != provider.issuer {
            return Err(Fault::Issuer);
        }
        // An audience beside us would have the same token, and could bring it here.
        let is_ours = match &self.aud {
            Audience::One(one) => one == provider.client_id,
            Audience::Many(many) => matches!(&many[..], [one] if one == provider.client_id),
        };
        if !is_ours {
            return Err(Fault::Audience);
        }
        if self.azp.as_deref().is_some_and(|azp| azp != provider.client_id) {
            return Err(Fault::AuthorizedParty);
        }
        if !self.nonce.as_deref().is_some_and(|said| is_same(asked.nonce, said)) {
            return Err(Fault::Nonce);
        }
        if self.exp.0 + LEEWAY_SECONDS <= now {
            return Err(Fault::Expired);
        }
        let latest = now + LEEWAY_SECONDS;
        if self.iat.0 > latest || self.nbf.is_some_and(|from| from.0 > latest) {
            return Err(Fault::Early);
        }
        // One that passes over what it was told says an earlier moment, or none.
        let is_fresh = |since: i64| {
            let moments = since - LEEWAY_SECONDS..=latest;
            self.auth_time.is_some_and(|at| moments.contains(&at.0))
        };
        if !asked.fresh_since.is_none_or(is_fresh) {
            return Err(Fault::Stale);
        }
        let is_named = (1..=SUBJECT_CHARS_MAX).contains(&self.sub.len()) && self.sub.is_ascii();
        if is_named { Ok(()) } else { Err(Fault::Token) }
    }
}
