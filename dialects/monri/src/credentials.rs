//! How the keys of a merchant look: an authenticity token of 40 hexadecimal digits, and the
//! merchant key that signs.

use patron_app::keys::NewSecret;
use patron_gateway::{
    Credentials, Minted, SignRequest,
    dialect::{Example, KeyRoles, Shown, SignIn, random_token},
};
use patron_model::{Failure, Why};
use serde_json::{Value, json};

use crate::{auth::digest::Signed, settings};

/// The values of Monri's documentation, so that its examples run against the sandbox.
const SANDBOX_TOKEN: &str = "7db11ea5d4a1af32421b564c79b946d1ead3daf0";
const SANDBOX_KEY: &str = "qwert1234";
/// 40 hexadecimal digits.
const TOKEN_BYTES: usize = 20;
/// 128 random bits.
const KEY_BYTES: usize = 16;

/// Keys of this API.
pub const CREDENTIALS: Credentials = Credentials {
    roles: KeyRoles::INTEGRATION,
    keeps_user: false,
    sandbox,
    switches: &settings::SWITCHES,
    sandbox_switches: settings::of_sandbox,
    mint,
    show,
    sign,
    examples,
    sign_in: SIGN_IN,
};

/// How a request is signed in.
const SIGN_IN: SignIn = SignIn {
    about: "A digest for each request: SHA-512 over merchant key, time, authenticity token, path \
            with query, and body, exactly as they are sent. Or a bearer token of `/v2/oauth`.",
    target: "/v2/customers?limit=2&offset=0",
    curl: include_str!("../sign_in/curl.sh"),
    python: include_str!("../sign_in/python.py"),
    javascript: include_str!("../sign_in/javascript.mjs"),
};

fn minted(token: String, merchant_key: String) -> Minted {
    Minted {
        handle: Some(token),
        secret: NewSecret::Signing(merchant_key.clone().into_bytes()),
        shown: merchant_key,
    }
}

fn sandbox() -> Minted {
    minted(SANDBOX_TOKEN.to_owned(), SANDBOX_KEY.to_owned())
}

fn mint() -> Minted {
    minted(random_token("", TOKEN_BYTES), random_token("", KEY_BYTES))
}

fn show(shown: &Shown<'_>) -> Value {
    json!({
        "base_url": shown.base_url,
        "authenticity_token": shown.key.handle,
        "merchant_key": shown.secret,
    })
}

fn sign(request: &SignRequest<'_>) -> Result<Vec<(&'static str, String)>, Failure> {
    let member = |name: &'static str| {
        let value = request.credentials.get(name).and_then(Value::as_str);
        value.ok_or_else(|| Failure::invalid(name, Why::Required))
    };
    let (token, key) = (member("authenticity_token")?, member("merchant_key")?);
    let timestamp = request.now.seconds().to_string();
    let signed = Signed {
        merchant_key: key.as_bytes(),
        timestamp: &timestamp,
        authenticity_token: token,
        body: request.body.as_bytes(),
    };
    let digest = signed.with_path(request.target);
    Ok(vec![("authorization", format!("WP3-v2.1 {token} {timestamp} {digest}"))])
}

fn examples(credentials: &Value) -> Vec<Example> {
    let example = |title, method, target: &str, body: Option<Value>, signed| Example {
        title,
        method,
        target: target.to_owned(),
        body: body.map(|body| body.to_string()),
        signed,
    };
    let customer = json!({
        "name": "Test",
        "email": "email@email.com",
        "country": "BA",
        "metadata": {"key": "value"},
    });
    let client = json!({
        "client_id": credentials["authenticity_token"],
        "client_secret": credentials["merchant_key"],
        "grant_type": "client_credentials",
        "scopes": ["customers", "payment-methods"],
    });
    // One of the sandbox's sample customers.
    let by_id = "/v2/merchants/customers/shop-1001";
    vec![
        example("Create a customer", "POST", "/v2/customers", Some(customer), true),
        example("List customers", "GET", "/v2/customers?limit=50&offset=0", None, true),
        example("Find a customer by the merchant's own id", "GET", by_id, None, true),
        example("Get an access token", "POST", "/v2/oauth", Some(client), false),
    ]
}
