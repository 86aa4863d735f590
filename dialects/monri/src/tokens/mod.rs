//! Access tokens (dossier A.4): three parts like a JSON Web Token, signed with this deployment's
//! own key. Clients treat them as opaque; Monri's own are RS256.

mod handlers;

pub use handlers::*;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use patron_app::App;
use patron_model::{Failure, Permission, Permissions, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Seconds a token is good for.
pub const EXPIRES_IN_SECONDS: i64 = 900;
/// Issuer, as Monri's tokens name it.
const ISSUER: &str = "https://monri.com";
/// What the signature is bound to besides the token.
const PURPOSE: &str = "monri access token";
const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

/// What a token may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Customers, and their payment methods.
    Customers,
    /// Payment methods.
    PaymentMethods,
    /// Payments.
    Payments,
}

impl Scope {
    /// All of them, for messages.
    pub const WORDS: &str = "customers, payment-methods, payments";

    /// Reads the word for a scope.
    pub fn parse(word: &str) -> Option<Scope> {
        match word {
            "customers" => Some(Scope::Customers),
            "payment-methods" => Some(Scope::PaymentMethods),
            "payments" => Some(Scope::Payments),
            _ => None,
        }
    }

    /// What it opens (dossier B.1): customers and their payment methods, or these alone.
    pub const fn permissions(self) -> Permissions {
        match self {
            Scope::Customers => Permissions::of(&[
                Permission::CustomerRead,
                Permission::CustomerWrite,
                Permission::PaymentMethodRead,
            ]),
            Scope::PaymentMethods => Permissions::of(&[Permission::PaymentMethodRead]),
            // No payments are served here.
            Scope::Payments => Permissions::NONE,
        }
    }
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// When it ends, in seconds since the epoch.
    pub exp: i64,
    /// Who made it.
    pub iss: String,
    /// Authenticity token of the merchant it was made for.
    pub sub: String,
}

/// Makes a token.
///
/// # Errors
/// `Internal` when the claims cannot be written as JSON.
pub fn issue(
    app: &App,
    authenticity_token: &str,
    scopes: Vec<Scope>,
    now: Timestamp,
) -> Result<String, Failure> {
    let claims = Claims {
        scopes,
        exp: now.seconds() + EXPIRES_IN_SECONDS,
        iss: ISSUER.to_owned(),
        sub: authenticity_token.to_owned(),
    };
    let claims = serde_json::to_vec(&claims).map_err(Failure::internal)?;
    let text = format!("{}.{}", BASE64URL.encode(HEADER), BASE64URL.encode(claims));
    let signature = app.secrets.sign(PURPOSE, &text);
    Ok(format!("{text}.{signature}"))
}

/// Reads a token that this deployment made and that has not ended.
///
/// # Errors
/// `Unauthenticated`.
pub fn read(app: &App, token: &str, now: Timestamp) -> Result<Claims, Failure> {
    let refused = |reason| Failure::Unauthenticated { reason };
    let (text, signature) = token.rsplit_once('.').ok_or(refused("not a token"))?;
    if !app.secrets.is_signed(PURPOSE, text, signature) {
        return Err(refused("a token signed by somebody else"));
    }
    let (_, claims) = text.split_once('.').ok_or(refused("not a token"))?;
    let claims = BASE64URL.decode(claims).map_err(|_| refused("not a token"))?;
    let claims: Claims = serde_json::from_slice(&claims).map_err(|_| refused("not a token"))?;
    if claims.exp > now.seconds() { Ok(claims) } else { Err(refused("a token that has ended")) }
}
