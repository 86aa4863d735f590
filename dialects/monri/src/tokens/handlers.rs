//! `POST /v2/oauth`: client credentials for an access token (dossier A.4). JSON, not a form, and
//! the member is `scopes`, a list.

use patron_app::secrets::same;
use patron_gateway::{Fields, Member, Reading, Reply, Request};
use patron_model::{Failure, Patch, Why};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    NAME,
    errors::APPROVED,
    tokens::{self, EXPIRES_IN_SECONDS, Scope},
};

const GRANT_TYPE: &str = "client_credentials";

/// What a client sends. All four are required.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct TokenRequest {
    /// Authenticity token.
    pub client_id: Member<String>,
    /// Merchant key.
    pub client_secret: Member<String>,
    /// `client_credentials`.
    pub grant_type: Member<String>,
    /// What the token shall be used for: `customers`, `payment-methods`, `payments`.
    pub scopes: Member<Vec<String>>,
}

/// What it gets.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TokenAnswer {
    access_token: String,
    token_type: &'static str,
    expires_in: i64,
    status: &'static str,
}

/// A request that is complete.
struct Wanted {
    client_id: String,
    client_secret: String,
    scopes: Vec<Scope>,
}

impl TokenRequest {
    fn checked(self, mut fields: Fields) -> Result<Wanted, Failure> {
        let TokenRequest { client_id, client_secret, grant_type, scopes } = self;
        let client_id = required(&mut fields, "client_id", client_id, Ok);
        let client_secret = required(&mut fields, "client_secret", client_secret, Ok);
        let is_known = |word: String| {
            if word == GRANT_TYPE { Ok(()) } else { Err(Why::NotOneOf { allowed: GRANT_TYPE }) }
        };
        required(&mut fields, "grant_type", grant_type, is_known);
        let scopes = required(&mut fields, "scopes", scopes, known_scopes);
        fields.finish()?;
        match (client_id, client_secret, scopes) {
            (Some(client_id), Some(client_secret), Some(scopes)) => {
                Ok(Wanted { client_id, client_secret, scopes })
            }
            _ => Err(Failure::internal("an incomplete token request passed its checks")),
        }
    }
}

fn required<W, T>(
    fields: &mut Fields,
    name: &'static str,
    member: Member<W>,
    parse: impl FnOnce(W) -> Result<T, Why>,
) -> Option<T> {
    if member.as_ref().is_none() {
        fields.refuse(name, Why::Required);
        return None;
    }
    match fields.parse(name, member, parse) {
        Patch::Set(value) => Some(value),
        Patch::Keep | Patch::Clear => None,
    }
}

fn known_scopes(words: Vec<String>) -> Result<Vec<Scope>, Why> {
    if words.is_empty() {
        return Err(Why::Required);
    }
    let known = |word: &String| Scope::parse(word).ok_or(Why::NotOneOf { allowed: Scope::WORDS });
    words.iter().map(known).collect()
}

/// A token for whoever knows the merchant's key.
///
/// # Errors
/// `Malformed`, `Invalid`; `Unauthenticated` for an unknown client or a wrong secret.
pub async fn token(request: Request) -> Result<Reply, Failure> {
    let (sent, fields) = request.read::<TokenRequest>(Reading::NullKeeps)?;
    let wanted = sent.checked(fields)?;
    let app = &request.cx.app;
    let caller = app.caller(NAME, &wanted.client_id).await?;
    request.claims(caller.key.number);
    if !same(caller.signing_secret()?, wanted.client_secret.as_bytes()) {
        return Err(Failure::Unauthenticated { reason: "wrong client secret" });
    }
    caller.admit(request.client)?;
    caller.home()?;
    let answer = TokenAnswer {
        access_token: tokens::issue(app, &wanted.client_id, wanted.scopes, request.now)?,
        token_type: "Bearer",
        expires_in: EXPIRES_IN_SECONDS,
        status: APPROVED,
    };
    Reply::json(200, &answer)
}
