//! How keys are made, shown and tried out. A key is a user id and an API key (dossier §3.1).

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use patron_app::{ids, keys::NewSecret};
use patron_gateway::{
    Minted, SignRequest,
    dialect::{Example, Shown, SignIn, random_token},
};
use patron_model::Failure;
use serde_json::{Value, json};

use crate::spaces;

/// The sandbox's user: well known, of no use anywhere else.
const SANDBOX_USER: &str = "a5d0c0de-5a4d-4b0c-9e1f-c0ffee5a4db0";
/// The sandbox's API key.
const SANDBOX_KEY: &str = "vfSandboxKeyForTestsOnlyAbCdEfGhIj";

/// How a request is signed in.
pub const SIGN_IN: SignIn = SignIn {
    about: "User id and API key by Basic, or a bearer token that the token endpoint gives for \
            them. Every list is a search.",
    target: "/oidc/customer-service/v2/customer?search=created_at=ge=2025-01-01&page_size=2",
    curl: include_str!("../sign_in/curl.sh"),
    python: include_str!("../sign_in/python.py"),
    javascript: include_str!("../sign_in/javascript.mjs"),
};

fn minted(user: String, key: String) -> Minted {
    Minted { handle: Some(user), secret: NewSecret::Bearer(key.clone()), shown: key }
}

/// The sandbox's key.
pub fn sandbox() -> Minted {
    minted(SANDBOX_USER.to_owned(), SANDBOX_KEY.to_owned())
}

/// A random key.
pub fn mint() -> Minted {
    minted(ids::passing(uuid::Uuid::new_v4).to_string(), random_token("", 24))
}

/// The credentials as they are shown.
pub fn show(shown: &Shown<'_>) -> Value {
    json!({
        "base_url": format!("{}/oidc/customer-service", shown.base_url),
        "user_id": shown.key.handle,
        "api_key": shown.secret,
        "entity_id": spaces::shown(shown.space),
    })
}

/// Headers that authenticate a request.
pub fn sign(request: &SignRequest<'_>) -> Result<Vec<(&'static str, String)>, Failure> {
    let member = |name: &str| request.credentials[name].as_str().unwrap_or_default();
    let pair = BASE64.encode(format!("{}:{}", member("user_id"), member("api_key")));
    Ok(vec![("Authorization", format!("Basic {pair}"))])
}

/// Calls to try it out.
pub fn examples(credentials: &Value) -> Vec<Example> {
    let path = "/oidc/customer-service/v2/customer";
    let body = json!({
        "entity_id": credentials["entity_id"],
        "email_address": "ada@example.com",
        "billing": {"first_name": "Ada", "last_name": "Lovelace", "country_code": "GB"},
    });
    let get = |title, query: &str| Example {
        title,
        method: "GET",
        target: format!("{path}?{query}"),
        body: None,
        signed: false,
    };
    vec![
        Example {
            title: "create a customer",
            method: "POST",
            target: path.into(),
            body: Some(body.to_string()),
            signed: false,
        },
        get("search by last name", "search=billing.last_name==Lovelace"),
        get(
            "the newest customers since a day",
            "search=created_at=ge=2025-01-01&order_by=DESC&page_size=10",
        ),
    ]
}
