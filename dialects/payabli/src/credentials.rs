//! How keys are made, shown and tried out: a request token, kept as its hash.

use patron_app::{keys::NewSecret, secrets::sha256_hex};
use patron_gateway::{
    Minted, SignRequest,
    dialect::{Example, Shown, SignIn, random_token},
};
use patron_model::{Failure, Why};
use serde_json::{Value, json};

use crate::auth::entry_of;

/// The well-known request token of the sandbox.
const SANDBOX_TOKEN: &str = "o.patron-sandbox-payabli-request-token";
/// Random bytes of a request token.
const TOKEN_BYTES: usize = 32;

/// How a request is signed in.
pub const SIGN_IN: SignIn = SignIn {
    about: "The token in `requestToken`. Most paths name the entry point or a customer's number.",
    target: "/api/Query/customers/{{entry}}?limitRecord=2",
    curl: include_str!("../sign_in/curl.sh"),
    python: include_str!("../sign_in/python.py"),
    javascript: include_str!("../sign_in/javascript.mjs"),
};

/// The well-known key of the sandbox.
pub fn sandbox() -> Minted {
    minted(SANDBOX_TOKEN.to_owned())
}

/// A new random key.
pub fn mint() -> Minted {
    minted(random_token("o.", TOKEN_BYTES))
}

fn minted(token: String) -> Minted {
    Minted {
        handle: Some(sha256_hex(&token)),
        secret: NewSecret::Bearer(token.clone()),
        shown: token,
    }
}

/// How a key is shown.
pub fn show(shown: &Shown<'_>) -> Value {
    json!({
        "base_url": format!("{}/api", shown.base_url),
        "request_token": shown.secret,
        "entry": entry_of(shown.space),
        "org_id": shown.key.account,
        "client_id": shown.key.handle,
        "client_secret": shown.secret,
    })
}

/// The header that authenticates a request.
///
/// # Errors
/// `Malformed` when the credentials hold no request token.
pub fn sign(request: &SignRequest<'_>) -> Result<Vec<(&'static str, String)>, Failure> {
    let token = request.credentials["request_token"].as_str();
    let token = token.ok_or_else(|| Failure::malformed("request_token", Why::Required))?;
    Ok(vec![("requesttoken", token.to_owned())])
}

/// Calls to try it out with.
pub fn examples(credentials: &Value) -> Vec<Example> {
    let entry = credentials["entry"].as_str().unwrap_or_default();
    let body = json!({
        "customerNumber": "M-2204", "firstname": "Noor", "lastname": "Haddad",
        "email": "noor@example.org", "phone": "(423) 555-0117", "address": "9 Mill St",
        "city": "Erwin", "state": "TN", "zip": "37650", "country": "US", "timeZone": -5,
        "additionalFields": {"segment": "retail"}, "identifierFields": ["email"],
    });
    let example = |title, method, target, body: Option<Value>| Example {
        title,
        method,
        target,
        body: body.map(|body| body.to_string()),
        signed: false,
    };
    vec![
        example("Add a customer", "POST", format!("/api/Customer/single/{entry}"), Some(body)),
        example("List customers", "GET", format!("/api/Query/customers/{entry}"), None),
        example(
            "Find customers by e-mail address",
            "GET",
            format!("/api/Query/customers/{entry}?email(ct)=example&sortBy=asc(lastname)"),
            None,
        ),
    ]
}
