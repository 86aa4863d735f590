//! Every failure has a shape, and every answer the rate limit headers.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Method;
use patron_app::{Clock, Expect, spaces};
use patron_gateway::{Exchange, limits::Limits};
use patron_model::{Failure, Noun, Problems, Timestamp, Why};
use patron_notchpay::{DIALECT, NAME};
use patron_testkit::TestServer;
use serde_json::{Value, json};

use crate::place::{Place, failed, refused, unreachable};

fn rendered(failure: &Failure) -> (u16, Value, Option<String>) {
    let exchange = Exchange::new(Method::GET, "/customers", Timestamp::from_micros(0));
    let reply = (DIALECT.render)(failure, &exchange);
    let body = serde_json::from_slice(&reply.body).expect("JSON");
    let retry = reply.headers.get("retry-after").and_then(|v| v.to_str().ok()).map(str::to_owned);
    (reply.status.as_u16(), body, retry)
}

/// A failure and what it must be answered as.
type Row = (Failure, u16, &'static str, &'static str);

const UNEXPECTED: &str = "An unexpected error occurred";

#[rustfmt::skip]
fn refusals() -> Vec<Row> {
    use Failure as F;
    let method = F::MethodNotAllowed { allowed: "GET".into() };
    vec![
        (F::NotFound { noun: Noun::Customer }, 404, "Not Found", "Customer not found"),
        (F::NotFound { noun: Noun::Payment }, 404, "Not Found", "Payment not found"),
        (F::NotFound { noun: Noun::Account }, 404, "Not Found", "Sync account not found"),
        (F::NotFound { noun: Noun::Address }, 404, "Not Found", "Address not found"),
        (F::NotFound { noun: Noun::PaymentMethod }, 404, "Not Found", "Payment method not found"),
        (F::NotFound { noun: Noun::Comment }, 404, "Not Found", "Resource not found"),
        (F::NotFound { noun: Noun::Space }, 404, "Not Found", "Resource not found"),
        (F::NotFound { noun: Noun::Key }, 404, "Not Found", "Resource not found"),
        (F::NotFound { noun: Noun::Entry }, 404, "Not Found", "Resource not found"),
        (F::NoRoute, 404, "Not Found", "Resource not found"),
        (method, 405, "Method Not Allowed", "Method not allowed"),
        (F::invalid("email", Why::Required), 422, "Unprocessable Entity", "Validation failed"),
        (F::malformed("", Why::Required), 400, "Bad Request", "Invalid JSON payload"),
        (F::malformed("x", Why::Required), 400, "Bad Request", "Invalid request parameters"),
        (F::Unauthenticated { reason: "no key" }, 401, "Unauthorized", "API key is missing"),
        (F::Unauthenticated { reason: "wrong grant key" }, 403, "Forbidden", "Invalid grant key"),
        (F::Unauthenticated { reason: "revoked key" }, 401, "Unauthorized", "Invalid API key"),
        (F::Forbidden, 403, "Forbidden", "You don't have permission to access this resource"),
    ]
}

#[rustfmt::skip]
fn conflicts_and_limits() -> Vec<Row> {
    use Failure as F;
    let exists = F::Exists { noun: Noun::Customer, field: "reference", holder: None };
    let state = F::WrongState { is: "deleted", needs: "active" };
    let media = F::UnsupportedMediaType { supported: "JSON" };
    let failed = "A precondition of the request does not hold";
    let position = "The position must not be greater than 5";
    let wait = "Rate limit exceeded. Try again in 30 seconds";
    vec![
        (F::Stale { have: 2, want: 1 }, 409, "Conflict", "The record was changed meanwhile"),
        (F::PreconditionFailed { what: "If-None-Match" }, 412, "Precondition Failed", failed),
        (F::PreconditionRequired, 428, "Precondition Required", "The request needs a precondition"),
        (exists, 409, "Conflict", "A customer with this reference already exists"),
        (state, 422, "Unprocessable Entity", "The record is deleted and must be active"),
        (F::KeyReused, 409, "Conflict", "The idempotency key belongs to another request"),
        (F::InFlight, 409, "Conflict", "The same request is still running"),
        (F::TooMany { retry_after_seconds: 30 }, 429, "Too Many Requests", wait),
        (F::TooLarge { limit: 5 }, 413, "Payload Too Large", "The request exceeds the limit of 5"),
        (F::OutOfRange { max: 5 }, 422, "Unprocessable Entity", position),
        (media, 415, "Unsupported Media Type", "The body must be JSON"),
        (F::NotAcceptable, 406, "Not Acceptable", "Answers are JSON"),
        (F::NotServed, 501, "Not Implemented", "Not served here"),
        (F::TimedOut, 503, "Service Unavailable", UNEXPECTED),
        (F::Unavailable { retry_after_seconds: 1 }, 503, "Service Unavailable", UNEXPECTED),
        (F::internal("secret details"), 500, "Internal Server Error", UNEXPECTED),
    ]
}

#[test]
fn every_variant_is_rendered() {
    let table: Vec<Row> = refusals().into_iter().chain(conflicts_and_limits()).collect();
    let mut variants: Vec<&str> = table.iter().map(|(failure, ..)| failure.name()).collect();
    variants.sort_unstable();
    variants.dedup();
    assert_eq!(variants.len(), 23, "one row at least for each variant");
    for (failure, code, status, message) in table {
        let (http, mut body, retry) = rendered(&failure);
        assert_eq!(http, code, "{failure:?}");
        let errors = body.as_object_mut().expect("an object").remove("errors");
        assert_eq!(errors.is_some(), matches!(failure, Failure::Invalid(_)));
        assert_eq!(body, json!({"code": code, "status": status, "message": message}));
        let waits = matches!(failure, Failure::TooMany { .. } | Failure::Unavailable { .. });
        assert_eq!(retry.is_some(), waits, "{failure:?}");
    }
}

#[test]
fn core_names_become_the_names_of_this_api() {
    let mut problems = Problems::one("addresses", Why::TooMany { max: 100 });
    problems.add("full_name", Why::ControlCharacter);
    problems.add("", Why::CardNumber);
    problems.add("email", Why::ControlCharacter);
    problems.add("email", Why::TooLong { max: 240 });
    let (_, body, _) = rendered(&Failure::Invalid(problems));
    let want = json!({
        "address": ["The address field must not have more than 100 items."],
        "name": ["The name field format is invalid."],
        "body": ["The body field must not contain a card number."],
        "email": ["The email field format is invalid.",
            "The email field must not be greater than 240 characters."],
    });
    assert_eq!(body["errors"], want);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_answered_in_the_same_shape() {
    let place = Place::new().await;
    let answer = place.get("/customers/a/b/c").await;
    failed(answer, 404, "Not Found", "Resource not found");
    let answer = place.send("DELETE", "/customers", None).await;
    assert_eq!(answer.header("content-type"), "application/json");
    assert_ne!(answer.header("x-ratelimit-limit"), "");
    failed(answer, 405, "Method Not Allowed", "Method not allowed");
}

#[tokio::test]
async fn every_answer_says_what_is_left() {
    let at = Timestamp::parse("2026-01-10T08:00:00Z").expect("a time");
    let limits = Limits { requests_per_minute: 2, ..Limits::default() };
    let server = TestServer::start_with(&[&DIALECT], Clock::fixed(at), limits).await;
    let keys = server.credentials(NAME);
    let place = Place { server, keys };
    let headers = |answer: &patron_testkit::Answer| {
        ["limit", "remaining"].map(|name| answer.header(&format!("x-ratelimit-{name}")).to_owned())
    };
    let answer = place.get("/customers").await.expect(200);
    assert_eq!(headers(&answer), ["2", "1"]);
    let reset: i64 = answer.header("x-ratelimit-reset").parse().expect("seconds");
    assert_eq!(reset, at.seconds() + 30);
    place.get("/customers").await.expect(200);
    let answer = place.get("/customers").await.expect(429);
    assert_eq!(answer.header("x-ratelimit-remaining"), "0");
    let wait = answer.header("retry-after").to_owned();
    assert!(wait.parse::<u64>().expect("seconds") >= 1);
    let text = format!("Rate limit exceeded. Try again in {wait} seconds");
    failed(answer, 429, "Too Many Requests", &text);
    let unsigned = place.server.raw("GET", "/customers", &[], b"").await.expect(401);
    assert_eq!(headers(&unsigned), ["1000", "1000"]);
}

#[tokio::test]
async fn a_space_may_want_codes_as_text() {
    let place = Place::new().await;
    refused(place.send("POST", "/customers", Some(json!({}))).await, unreachable());
    let cx = place.cx().await;
    let switches = BTreeMap::from([(NAME.to_owned(), json!({"error_code_type": "string"}))]);
    let patch = spaces::SpacePatch { dialects: Some(switches), ..spaces::SpacePatch::default() };
    let app = Arc::clone(&place.server.app);
    let operator = app.operator(0, "test");
    spaces::update_space(&operator, cx.space, Expect::Any, patch).await.expect("updated");
    for (answer, code) in [
        (place.send("POST", "/customers", Some(json!({}))).await, "422"),
        (place.get("/customers/cus.x").await, "404"),
        (place.get("/resources/banks/x").await, "404"),
        (place.raw("POST", "/customers", "application/json", "{").await, "400"),
        (place.form("POST", "/customers", "name=4111111111111111").await, "422"),
    ] {
        assert_eq!(answer.json()["code"], code);
    }
    let created = place.send("POST", "/customers", Some(json!({"email": "a@b.co"}))).await;
    assert_eq!(created.expect(201).json()["code"], 201, "successes stay numbers");
}
