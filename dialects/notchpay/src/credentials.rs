//! How keys are made, shown and tried out: a public half, kept as a hash, and a private one.

use patron_app::keys::NewSecret;
use patron_gateway::{
    Credentials, Minted, SignRequest,
    dialect::{Example, KeyRoles, Shown, SignIn, random_token},
};
use patron_model::Failure;
use serde_json::{Value, json};

use crate::{auth::handle_of, errors};

/// Random bytes of a key's public and private half.
const PUBLIC_BYTES: usize = 16;
const PRIVATE_BYTES: usize = 24;

/// Keys of the sandbox: well known, worthless elsewhere.
pub const SANDBOX_PUBLIC: &str = "pk_test.patronsandbox000000000000000000";
const SANDBOX_PRIVATE: &str = "sk_test.patronsandbox000000000000000000";

/// How keys look.
pub const CREDENTIALS: Credentials = Credentials {
    roles: KeyRoles::INTEGRATION,
    keeps_user: false,
    sandbox,
    switches: &errors::SWITCHES,
    sandbox_switches: || Value::Null,
    mint,
    show,
    sign: sign_request,
    examples,
    sign_in: SIGN_IN,
};

/// How a request is signed in.
const SIGN_IN: SignIn = SignIn {
    about: "The public key in `Authorization`, as it is. Reading and changing may need the \
            private key in `X-Grant` too.",
    target: "/customers?perpage=2",
    curl: include_str!("../sign_in/curl.sh"),
    python: include_str!("../sign_in/python.py"),
    javascript: include_str!("../sign_in/javascript.mjs"),
};

fn sandbox() -> Minted {
    minted(SANDBOX_PUBLIC.to_owned(), SANDBOX_PRIVATE.to_owned())
}

fn mint() -> Minted {
    minted(random_token("pk.", PUBLIC_BYTES), random_token("sk.", PRIVATE_BYTES))
}

/// The public half is kept as a hash, the private one sealed: it signs webhooks. Both are shown
/// this once, with a blank between them.
fn minted(public: String, private: String) -> Minted {
    Minted {
        handle: Some(handle_of(&public)),
        shown: format!("{public} {private}"),
        secret: NewSecret::Signing(private.into_bytes()),
    }
}

fn show(shown: &Shown<'_>) -> Value {
    let (public, private) = shown.secret.split_once(' ').unwrap_or_default();
    json!({"base_url": shown.base_url, "public_key": public, "private_key": private})
}

fn sign_request(request: &SignRequest<'_>) -> Result<Vec<(&'static str, String)>, Failure> {
    let key = request.credentials["public_key"].as_str();
    let key = key.ok_or_else(|| Failure::internal("the credentials have no public_key"))?;
    let grant = request.credentials["private_key"].as_str();
    let grant = grant.map(|grant| ("X-Grant", grant.to_owned()));
    Ok([("Authorization", key.to_owned())].into_iter().chain(grant).collect())
}

fn examples(_credentials: &Value) -> Vec<Example> {
    let create =
        json!({"name": "Awa Ndiaye", "email": "awa@example.org", "phone": "+237670000000"});
    let example = |title, method, target: &str, body: Option<Value>| Example {
        title,
        method,
        target: target.to_owned(),
        body: body.map(|body| body.to_string()),
        signed: false,
    };
    vec![
        example("Create a customer", "POST", "/customers", Some(create)),
        example("List customers", "GET", "/customers?limit=10", None),
        example("Search customers", "GET", "/customers?search=awa", None),
    ]
}
