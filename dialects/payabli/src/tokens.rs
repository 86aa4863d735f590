//! `POST /v2/Token/serverside` (dossier §2.1): the OAuth2 client credentials grant. A token is our
//! own: who holds it, what was asked for and until when, signed. What the key may do is looked up
//! with each use, so a token never opens more than its key, and a revoked key ends its tokens too.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use patron_app::{App, Caller, secrets::sha256_hex};
use patron_gateway::{Reply, Request, decode};
use patron_model::{Failure, Permission, Permissions, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{auth, errors::ErrorBody};

/// Seconds a token is valid. More than the 120 by which the SDKs refresh early.
const VALID_SECONDS: i64 = 3600;
/// What the signature is for.
const PURPOSE: &str = "payabli access token";

/// What can be asked for. The provider publishes no names, so these are ours.
const ASKABLE: [Permission; 5] = [
    Permission::CustomerRead,
    Permission::CustomerWrite,
    Permission::CustomerPast,
    Permission::CustomerExport,
    Permission::CustomerImport,
];

/// What a client sends.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Credentials {
    client_id: Option<String>,
    client_secret: Option<String>,
    /// Echoed.
    state: Option<String>,
    /// What the token shall be used for: `customer:read`, `customer:write`, `customer:past`,
    /// `customer:export`, `customer:import`. Without it the token may do what its key may.
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

/// What it gets with wrong credentials or permissions: a shape that is used nowhere else.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Refused {
    error_type: &'static str,
    error_message: &'static str,
}

/// Every refusal with status 400, for the description.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only described")]
pub enum BadRequest {
    /// Wrong credentials or permissions.
    Refused(Refused),
    /// Anything else.
    Other(ErrorBody),
}

/// What stands in a token.
#[derive(Serialize, Deserialize)]
pub struct Content {
    /// Handle of the key.
    pub sub: String,
    /// When it ends, in seconds since the epoch.
    exp: i64,
    /// What it was asked for; all that its key may do when nothing was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<Permissions>,
}

/// Grants an access token.
///
/// # Errors
/// Only when the store cannot be asked; wrong credentials are answered here, in the shape that
/// is used nowhere else.
pub async fn create(request: Request) -> Result<Reply, Failure> {
    let Ok(credentials) = decode::json_object::<Credentials>(&request.body) else {
        return Ok(unknown_client());
    };
    let Credentials { client_id, client_secret, state, permissions } = credentials;
    let (Some(id), Some(secret)) = (client_id, client_secret) else { return Ok(unknown_client()) };
    let app = &request.cx.app;
    let admit = |caller: Arc<Caller>| caller.admit(request.client).map(|()| caller);
    let id = id.to_ascii_lowercase();
    let caller = auth::by_secret(app, &request, &id, &sha256_hex(&secret)).await;
    match caller.and_then(admit) {
        Err(Failure::Unauthenticated { .. }) => Ok(unknown_client()),
        Err(other) => Err(other),
        Ok(caller) => {
            let permissions = match permissions.as_deref().map(asked) {
                None => None,
                Some(Some(asked)) if !asked.and(caller.rights_in(0)).is_empty() => Some(asked),
                Some(_) => return Ok(unknown_permissions()),
            };
            let exp = request.cx.now.plus_seconds(VALID_SECONDS).seconds();
            let sub = caller.key.handle.clone();
            let access_token = signed(app, &Content { sub, exp, permissions })?;
            let granted =
                Granted { token_type: "Bearer", access_token, expires_in: VALID_SECONDS, state };
            Reply::json(200, &granted)
        }
    }
}

/// What was asked for; `None` when a word is not known.
fn asked(words: &[String]) -> Option<Permissions> {
    let known = |word: &String| Permission::parse(word).filter(|known| ASKABLE.contains(known));
    words.iter().map(known).collect()
}

fn unknown_client() -> Reply {
    let refused = refused("InvalidCredentials", "Client authentication failed.");
    Reply { refuses_sign_in: true, ..refused }
}

fn unknown_permissions() -> Reply {
    let message = "permissions must be some of customer:read, customer:write, customer:past, \
                   customer:export, customer:import, and the client must have one of them.";
    refused("InvalidPermissions", message)
}

fn refused(error_type: &'static str, error_message: &'static str) -> Reply {
    let body = Refused { error_type, error_message };
    Reply::bytes(400, "application/json", serde_json::to_vec(&body).unwrap_or_default())
}

fn signed(app: &App, content: &Content) -> Result<String, Failure> {
    let text = serde_json::to_vec(content).map_err(Failure::internal)?;
    let text = BASE64.encode(text);
    let signature = app.secrets.sign(PURPOSE, &text);
    Ok(format!("{text}.{signature}"))
}

/// What a token says.
///
/// # Errors
/// `Unauthenticated` when it was not signed here or is no longer valid.
pub fn read(app: &Arc<App>, token: &str, now: Timestamp) -> Result<Content, Failure> {
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
    Ok(content)
}
