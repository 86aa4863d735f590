//! How keys are made, shown and tried out: a bearer key, kept as its hash.

use patron_app::{keys::NewSecret, secrets::sha256_hex};
use patron_gateway::{
    Minted, SignRequest,
    dialect::{Example, Shown, SignIn, random_token},
};
use patron_model::Failure;
use serde_json::{Value, json};

/// The sandbox's key: well known, of no use anywhere else.
const SANDBOX_KEY: &str = "patron_sandbox_0123456789abcdef0123456789abcdef";

/// How a request is signed in.
pub const SIGN_IN: SignIn = SignIn {
    about: "A bearer key in every request. It opens one space; one for a whole account names \
            another of its spaces in `Patron-Space`.",
    target: "/v1/customers?limit=2",
    curl: include_str!("../sign_in/curl.sh"),
    python: include_str!("../sign_in/python.py"),
    javascript: include_str!("../sign_in/javascript.mjs"),
};

fn minted(token: String) -> Minted {
    let handle = Some(sha256_hex(&token));
    Minted { handle, secret: NewSecret::Bearer(token.clone()), shown: token }
}

/// The sandbox's key.
pub fn sandbox() -> Minted {
    minted(SANDBOX_KEY.to_owned())
}

/// A random key.
pub fn mint() -> Minted {
    minted(random_token("patron_", 24))
}

/// The credentials as they are shown.
pub fn show(shown: &Shown<'_>) -> Value {
    json!({"api_key": shown.secret})
}

/// Headers that authenticate a request.
pub fn sign(request: &SignRequest<'_>) -> Result<Vec<(&'static str, String)>, Failure> {
    let key = request.credentials["api_key"].as_str().unwrap_or_default();
    Ok(vec![("Authorization", format!("Bearer {key}"))])
}

/// Calls to try it out.
pub fn examples(_credentials: &Value) -> Vec<Example> {
    let body = json!({"given_name": "Ada", "family_name": "Lovelace", "email": "ada@example.com"});
    vec![
        Example {
            title: "create or update by your own reference, in one call",
            method: "PUT",
            target: "/v1/customers/by-reference/shop-1815".into(),
            body: Some(body.to_string()),
            signed: false,
        },
        Example {
            title: "search by the beginnings of words",
            method: "GET",
            target: "/v1/customers?q=ada&limit=5".into(),
            body: None,
            signed: false,
        },
        Example {
            title: "everything that happened",
            method: "GET",
            target: "/v1/events?after=0&limit=5".into(),
            body: None,
            signed: false,
        },
    ]
}
