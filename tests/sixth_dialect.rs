//! A sixth dialect, whole. `docs/adding-a-dialect.md` shows the part between the marks; a test
//! below holds the two together, the others prove that nothing else is needed.

// tiny: begin
use std::sync::Arc;

use patron_app::{App, Id, customers, keys::NewSecret, secrets::sha256_hex};
use patron_gateway::{
    BoxFuture, Claim, Credentials, Dialect, Door, Exchange, Member, Minted, Operation, Reading,
    Reply, Request, SignRequest,
    dialect::{CustomerShape, Example, KeyRoles, Shown, SignIn, exact, random_token},
    operation,
};
use patron_model::{
    Failure, Noun, Permission,
    customer::{Customer, CustomerPatch},
    email::Email,
    text::Name,
};
use serde::Deserialize;
use serde_json::{Value, json};

/// The word for this API and its keys.
const NAME: &str = "tiny";

/// The API.
static TINY: Dialect = Dialect {
    door: Door {
        name: NAME,
        mounts: &["/tiny"],
        route: exact,
        authenticate,
        claimed,
        covers_body: |_| false,
        operations,
        render,
        finish: |_, _, _| {},
    },
    title: "Tiny",
    about: "People with a name.",
    security: || json!({"bearer": {"type": "http", "scheme": "bearer"}}),
    error_schema: |generator| generator.subschema_for::<Value>(),
    error_media: "application/json",
    credentials: Credentials {
        roles: KeyRoles::INTEGRATION,
        keeps_user: false,
        sandbox,
        switches: &[],
        sandbox_switches: || Value::Null,
        mint,
        show,
        sign,
        examples,
        sign_in: SignIn {
            about: "A bearer key.",
            target: "/tiny/people/1",
            curl: "curl -sSf '{{base_url}}{{target}}' -H 'Authorization: Bearer {{key}}'",
            // Real ones stand in files beside src and come here by include_str!.
            python: "",
            javascript: "",
        },
    },
    customer: CustomerShape {
        read: "get_person",
        path: |number, _| format!("/tiny/people/{number}"),
        root: "",
        fields: &[("number", "/id"), ("full_name", "/name")],
    },
    webhooks: None,
};

// ---- operations.rs -------------------------------------------------------------------------

/// Every operation, one line each. Router, permissions and OpenAPI come from these lines.
fn operations() -> Vec<Operation> {
    let (all, one) = ("/tiny/people", "/tiny/people/{id}");
    vec![
        operation::post(all, create)
            .named("create_person", "Create")
            .needs(Permission::CustomerWrite)
            .body::<Value>()
            .replies::<Value>(201),
        operation::get(one, get)
            .named("get_person", "Get")
            .needs(Permission::CustomerRead)
            .replies::<Value>(200),
    ]
}

// ---- auth.rs, claimed.rs -------------------------------------------------------------------

/// Which key a refused request claimed to hold: the hash of the bearer key.
fn claimed(exchange: &Exchange) -> Option<String> {
    exchange.header("authorization")?.strip_prefix("Bearer ").map(sha256_hex)
}

fn authenticate<'a>(
    app: &'a Arc<App>,
    exchange: &'a Exchange,
) -> BoxFuture<'a, Result<Claim, Failure>> {
    Box::pin(async move {
        let header = exchange.header("authorization").unwrap_or_default();
        let no_key = Failure::Unauthenticated { reason: "no bearer key" };
        let token = header.strip_prefix("Bearer ").ok_or(no_key)?;
        // The hash is the key's public handle, so the key is found without its secret being kept.
        let caller = app.caller(NAME, &sha256_hex(token)).await?;
        if !caller.has_secret(token) {
            return Err(Failure::Unauthenticated { reason: "wrong secret" });
        }
        let space = caller.home()?.number;
        Ok(Claim::new(caller, space))
    })
}

// ---- credentials.rs ------------------------------------------------------------------------

fn minted(token: String) -> Minted {
    let handle = Some(sha256_hex(&token));
    Minted { handle, secret: NewSecret::Bearer(token.clone()), shown: token }
}

fn sandbox() -> Minted {
    minted("tiny-sandbox-key".to_owned())
}

fn mint() -> Minted {
    minted(random_token("tiny-", 24))
}

fn show(shown: &Shown<'_>) -> Value {
    json!({"base_url": format!("{}/tiny", shown.base_url), "key": shown.secret})
}

fn sign(request: &SignRequest<'_>) -> Result<Vec<(&'static str, String)>, Failure> {
    let key = request.credentials["key"].as_str().unwrap_or_default();
    Ok(vec![("Authorization", format!("Bearer {key}"))])
}

fn examples(_credentials: &Value) -> Vec<Example> {
    vec![Example {
        title: "create a person",
        method: "POST",
        target: "/tiny/people".into(),
        body: Some(json!({"name": "Ada Lovelace"}).to_string()),
        signed: false,
    }]
}

// ---- people.rs -----------------------------------------------------------------------------

/// A person as this API writes it. Unknown members are refused: nothing is accepted and dropped.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct PersonIn {
    name: Member<String>,
    mail: Member<String>,
}

fn shown(customer: &Customer) -> Value {
    let mail = customer.email.as_ref().map(|email| email.as_str());
    json!({"id": customer.number, "name": customer.names().full, "mail": mail})
}

async fn create(request: Request) -> Result<Reply, Failure> {
    // Whatever is wrong with the body is told at once: types, unknown members, values.
    let (body, mut fields) = request.read::<PersonIn>(Reading::NullKeeps)?;
    let patch = CustomerPatch {
        full_name: fields.text("name", body.name, Name::parse),
        email: fields.text("mail", body.mail, Email::parse),
        ..CustomerPatch::default()
    };
    fields.finish()?;
    let created = customers::create(&request.cx, patch).await?;
    Ok(Reply::value(201, &shown(&created)))
}

async fn get(request: Request) -> Result<Reply, Failure> {
    let id = Id::parse(request.param("id"), Noun::Customer)?;
    let customer = customers::get_following(&request.cx, id).await?;
    Ok(Reply::value(200, &shown(&customer)))
}

// ---- errors.rs -----------------------------------------------------------------------------

/// Every failure in this API's shape. Without `_`: a new variant must be given a place here.
fn render(failure: &Failure, _: &Exchange) -> Reply {
    let status = match failure {
        Failure::Invalid(_) | Failure::Malformed(_) | Failure::OutOfRange { .. } => 400,
        Failure::Unauthenticated { .. } => 401,
        Failure::Forbidden | Failure::StepUp { .. } => 403,
        Failure::NotFound { .. } | Failure::NoRoute => 404,
        Failure::MethodNotAllowed { .. } => 405,
        Failure::NotAcceptable => 406,
        Failure::Exists { .. } | Failure::WrongState { .. } | Failure::InFlight => 409,
        Failure::Beyond { .. } => 410,
        Failure::Stale { .. } | Failure::PreconditionFailed { .. } => 412,
        Failure::TooLarge { .. } => 413,
        Failure::UnsupportedMediaType { .. } => 415,
        Failure::KeyReused => 422,
        Failure::PreconditionRequired => 428,
        Failure::TooMany { .. } => 429,
        Failure::Internal(_) => 500,
        Failure::NotServed => 501,
        Failure::TimedOut | Failure::Unavailable { .. } => 503,
    };
    Reply::value(status, &json!({"oops": failure.name()}))
}
// tiny: end

use patron_testkit::{Answer, TestServer};

#[track_caller]
fn refused(answer: Answer, status: u16, word: &str) {
    assert_eq!(answer.expect(status).json(), json!({"oops": word}));
}

#[tokio::test]
async fn a_person_is_created_and_read_back() {
    let server = TestServer::start(&[&TINY]).await;
    let key = server.credentials(NAME);
    let body = json!({"name": "Ada Lovelace", "mail": "ada@example.com"});
    let created = server.call(&TINY, &key, "POST", "/tiny/people", Some(body)).await.expect(201);
    let id = created.json()["id"].as_i64().expect("a number");
    assert_eq!(
        created.json(),
        json!({"id": id, "name": "Ada Lovelace", "mail": "ada@example.com"})
    );
    let one = format!("/tiny/people/{id}");
    let read = server.call(&TINY, &key, "GET", &one, None).await.expect(200);
    assert_eq!(read.json(), created.json());
    // What every dialect has without doing anything for it.
    let other = server.other_space(NAME).await;
    refused(server.call(&TINY, &other, "GET", &one, None).await, 404, "not_found");
    let card = json!({"name": "4111 1111 1111 1111"});
    refused(server.call(&TINY, &key, "POST", "/tiny/people", Some(card)).await, 400, "invalid");
}

#[tokio::test]
async fn failures_have_its_own_shape() {
    let server = TestServer::start(&[&TINY]).await;
    let key = server.credentials(NAME);
    let wrong = [("authorization", "Bearer tiny-wrong")];
    refused(server.raw("GET", "/tiny/people/1", &wrong, b"").await, 401, "unauthenticated");
    refused(server.raw("GET", "/tiny/people/1", &[], b"").await, 401, "unauthenticated");
    refused(server.call(&TINY, &key, "GET", "/tiny/nowhere", None).await, 404, "no_route");
    let put = server.call(&TINY, &key, "PUT", "/tiny/people", None).await;
    assert_eq!(put.header("allow"), "POST");
    refused(put, 405, "method_not_allowed");
    let list = json!(["Ada"]);
    refused(server.call(&TINY, &key, "POST", "/tiny/people", Some(list)).await, 400, "malformed");
    let extra = json!({"nmae": "Ada"});
    refused(server.call(&TINY, &key, "POST", "/tiny/people", Some(extra)).await, 400, "malformed");
}

#[test]
fn the_guide_shows_this_code() {
    let here = include_str!("sixth_dialect.rs");
    let guide = include_str!("../docs/adding-a-dialect.md");
    let code = between(here, "// tiny: begin\n", "// tiny: end\n");
    let shown = between(guide, "<!-- tiny: begin -->\n```rust\n", "```\n<!-- tiny: end -->\n");
    assert!(
        code == shown,
        "docs/adding-a-dialect.md no longer shows the code of tests/sixth_dialect.rs: copy what \
         stands between the marks"
    );
}

fn between<'a>(text: &'a str, begin: &str, end: &str) -> &'a str {
    let (_, rest) = text.split_once(begin).expect("a line that begins the part");
    rest.split_once(end).expect("a line that ends the part").0
}
