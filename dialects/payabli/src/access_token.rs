//! `POST /v2/Token/serverside` (dossier §2.1): the OAuth2 client credentials grant. A token is our
//! own: who holds it and until when, signed; a revoked key ends its tokens too.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use patron_app::App;
use patron_gateway::{Reply, Request};
use patron_model::{Failure, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{auth, errors::ErrorBody};

/// Seconds a token is valid. More than the 120 by which the SDKs refresh early.
const VALID_SECONDS: i64 = 3600;
/// What the signature is for.
const PURPOSE: &str = "payabli access token";

/// What a client sends.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Credentials {
    client_id: Option<String>,
    client_secret: Option<String>,
    /// Echoed.
    state: Option<String>,
    /// Accepted; a token may always do what its key may.
    permissions: Option<Vec<String>>,
}

/// What it gets.
#[derive(Serialize, JsonSchema)]
pub struct Granted {
    token_type: &'static str,
    access_token: String,
    expires_in: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
}

/// What it gets with wrong credentials: a shape that is used nowhere else.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Refused {
    error_type: &'static str,
    error_message: &'static str,
}

/// Every refusal with status 400, for the description.
#[derive(JsonSchema)]
#[serde(untagged)]
pub enum BadRequest {
    /// Wrong credentials.
    Refused(Refused),
    /// Anything else.
    Other(ErrorBody),
}

/// What a token says.
#[derive(Serialize, Deserialize)]
struct Content {
    sub: String,
    exp: i64,
}

/// Grants an access token.
///
/// # Errors
/// Only when the store cannot be asked; wrong credentials are answered here, in the shape that
/// is used nowhere else.
pub async fn create(request: Request) -> Result<Reply, Failure> {
    let Ok(credentials) = request.json_object::<Credentials>() else { return Ok(refused()) };
    let Credentials { client_id, client_secret, state, .. } = credentials;
    let (Some(id), Some(secret)) = (client_id, client_secret) else { return Ok(refused()) };
    let app = &request.cx.app;
    match auth::by_secret(app, &id.to_ascii_lowercase(), &secret).await {
        Err(Failure::Unauthenticated { .. }) => Ok(refused()),
        Err(other) => Err(other),
        Ok(caller) => {
            let exp = request.cx.now.plus_seconds(VALID_SECONDS).seconds();
            let access_token = signed(app, &Content { sub: caller.key.handle.clone(), exp })?;
            let granted =
                Granted { token_type: "Bearer", access_token, expires_in: VALID_SECONDS, state };
            Reply::json(200, &granted)
        }
    }
}

fn refused() -> Reply {
    let error_message = "Client authentication failed.";
    let body = Refused { error_type: "InvalidCredentials", error_message };
    Reply::bytes(400, "application/json", serde_json::to_vec(&body).unwrap_or_default())
}

fn signed(app: &App, content: &Content) -> Result<String, Failure> {
    let text = serde_json::to_vec(content).map_err(Failure::internal)?;
    let text = BASE64.encode(text);
    let signature = app.secrets.sign(PURPOSE, &text);
    Ok(format!("{text}.{signature}"))
}

/// The handle of the key behind a token.
///
/// # Errors
/// `Unauthenticated` when it was not signed here or is no longer valid.
pub fn holder(app: &Arc<App>, token: &str, now: Timestamp) -> Result<String, Failure> {
    let refused = |reason| Failure::Unauthenticated { reason };
    let (text, signature) = token.split_once('.').ok_or(refused("no access token"))?;
    if !app.secrets.is_signed(PURPOSE, text, signature) {
        return Err(refused("forged access token"));
    }
    let content = BASE64.decode(text).ok();
    let content = content.and_then(|content| serde_json::from_slice::<Content>(&content).ok());
    let content = content.ok_or(refused("unreadable access token"))?;
    if content.exp <= now.seconds() {
        return Err(refused("expired access token"));
    }
    Ok(content.sub)
}
