//! How keys are made, shown and tried out: a user id and 32 bytes that sign.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use patron_app::{keys::NewSecret, secrets::hmac_sha256};
use patron_gateway::{
    Minted, SignRequest,
    dialect::{Example, Shown, SignIn},
};
use patron_model::Failure;
use serde_json::{Value, json};

use crate::MOUNT;

/// The sandbox's key: 32 bytes, as all keys have.
const SANDBOX_KEY: &[u8; 32] = b"patron sandbox key: not a secret";

/// How a request is signed in.
pub const SIGN_IN: SignIn = SignIn {
    about: "A token for each request: a JWT signed by HS256 with the key, decoded from base64, \
            over the user, the time, the method, and path and query exactly as they are sent. The \
            header `Space` names the space.",
    target: "/api/v2.0/customers?limit=2",
    curl: include_str!("../sign_in/curl.sh"),
    python: include_str!("../sign_in/python.py"),
    javascript: include_str!("../sign_in/javascript.mjs"),
};

fn minted(key: &[u8; 32]) -> Minted {
    // Without a handle the key's own number becomes the user id.
    let shown = STANDARD.encode(key);
    Minted { handle: None, secret: NewSecret::Signing(key.to_vec()), shown }
}

/// The sandbox's well-known key.
pub fn sandbox() -> Minted {
    minted(SANDBOX_KEY)
}

/// A new random key of 32 bytes.
pub fn mint() -> Minted {
    let random = || uuid::Uuid::new_v4().into_bytes();
    minted(&hmac_sha256(&random(), &random()))
}

/// What the SDK's `Configuration` is made with, and the space to name in its calls.
pub fn show(shown: &Shown<'_>) -> Value {
    json!({
        "host": format!("{}{MOUNT}", shown.base_url),
        "space_id": shown.space.number,
        "user_id": shown.key.handle.parse::<i64>().unwrap_or(shown.key.number),
        "authentication_key": shown.secret,
    })
}

/// The headers the SDK would send.
pub fn sign(request: &SignRequest<'_>) -> Result<Vec<(&'static str, String)>, Failure> {
    let key = request.credentials["authentication_key"].as_str().unwrap_or_default();
    let key = STANDARD.decode(key).map_err(Failure::internal)?;
    let encode = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = encode(json!({"alg": "HS256", "typ": "JWT", "ver": 1}));
    let claims = encode(json!({
        "sub": request.credentials["user_id"],
        "iat": request.now.seconds(),
        "requestPath": request.target,
        "requestMethod": request.method,
    }));
    let signed = format!("{header}.{claims}");
    let signature = URL_SAFE_NO_PAD.encode(hmac_sha256(&key, signed.as_bytes()));
    Ok(vec![
        ("authorization", format!("Bearer {signed}.{signature}")),
        ("space", request.credentials["space_id"].to_string()),
    ])
}

/// Calls to try it out.
pub fn examples(_: &Value) -> Vec<Example> {
    let example = |title, method, path: &str, body: Option<Value>| Example {
        title,
        method,
        target: format!("{MOUNT}{path}"),
        body: body.map(|body| body.to_string()),
        signed: true,
    };
    let anna = json!({
        "emailAddress": "anna@example.com", "givenName": "Anna",
        "familyName": "Muster", "language": "de-CH", "preferredCurrency": "CHF",
    });
    vec![
        example("Create a customer", "POST", "/customers", Some(anna)),
        example("List customers", "GET", "/customers?limit=5&order=DESC", None),
        example(
            "Search customers",
            "GET",
            "/customers/search?order=familyName%3AASC&query=emailAddress%3A~anna",
            None,
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_random_and_of_32_bytes() {
        assert_ne!(mint().shown, mint().shown);
        assert_eq!(STANDARD.decode(mint().shown).map(|key| key.len()), Ok(32));
        assert_eq!(STANDARD.decode(sandbox().shown).map(|key| key.len()), Ok(32));
    }
}
