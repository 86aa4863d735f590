//! Every failure has a rendering of four members, and one in OAuth's shape on the token endpoint.

use std::sync::Arc;

use patron_gateway::Exchange;
use patron_model::{Failure, Noun, Timestamp, Why};
use patron_verifone::DIALECT;
use serde_json::{Value, json};

fn exchange(target: &str) -> Exchange {
    let now = Timestamp::from_micros(1_735_689_600_123_456);
    let mut exchange = Exchange::new(http::Method::GET, target, now);
    exchange.request_id = Arc::from("one");
    exchange
}

/// Every variant with status, code and details; a new variant breaks the build here.
fn expected(failure: &Failure) -> (u16, u16, Value) {
    match failure {
        Failure::NotFound { .. } | Failure::NoRoute => (404, 109, json!({})),
        Failure::MethodNotAllowed { .. } => (405, 110, json!({"method": "Must be one of GET."})),
        Failure::Invalid(_) => {
            (400, 107, json!({"body.title": "Must be at most 120 characters long."}))
        }
        Failure::Malformed(_) => (400, 110, json!({"body": "Must be a valid JSON document."})),
        Failure::Stale { .. } => (409, 110, json!({})),
        Failure::PreconditionFailed { .. } => (412, 110, json!({})),
        Failure::PreconditionRequired => (428, 126, json!({})),
        Failure::Exists { .. } => {
            (409, 110, json!({"body.reference": "Is already used by another record."}))
        }
        Failure::WrongState { .. } => (409, 110, json!({})),
        Failure::Unauthenticated { .. } => (401, 116, json!({})),
        Failure::Forbidden | Failure::StepUp { .. } => (403, 113, json!({})),
        Failure::KeyReused | Failure::InFlight => (409, 110, json!({})),
        Failure::TooMany { .. } => (429, 113, json!({})),
        Failure::TooLarge { .. } => (413, 107, json!({"body": "Must be at most 9 bytes."})),
        Failure::OutOfRange { .. } => {
            (400, 107, json!({"query.page_number": "Must be at most 9."}))
        }
        Failure::Beyond { .. } => (410, 109, json!({})),
        Failure::UnsupportedMediaType { .. } => {
            (415, 110, json!({"header.content-type": "Must be application/json."}))
        }
        Failure::NotAcceptable => (406, 110, json!({})),
        Failure::NotServed => (501, 100, json!({})),
        Failure::TimedOut => (504, 170, json!({})),
        Failure::Unavailable { .. } => (503, 100, json!({})),
        Failure::Internal(_) => (500, 100, json!({})),
    }
}

fn all() -> Vec<Failure> {
    vec![
        Failure::NotFound { noun: Noun::Customer },
        Failure::NoRoute,
        Failure::MethodNotAllowed { allowed: "GET".into() },
        Failure::invalid("title", Why::TooLong { max: 120 }),
        Failure::malformed("", Why::Malformed { expected: "a valid JSON document" }),
        Failure::Stale { have: 2, want: 1 },
        Failure::PreconditionFailed { what: "If-None-Match" },
        Failure::PreconditionRequired,
        Failure::Exists { noun: Noun::Customer, field: "reference", holder: None },
        Failure::WrongState { is: "a", needs: "b" },
        Failure::Unauthenticated { reason: "a secret reason" },
        Failure::Forbidden,
        Failure::StepUp { methods: Vec::new() },
        Failure::KeyReused,
        Failure::InFlight,
        Failure::TooMany { retry_after_seconds: 7 },
        Failure::TooLarge { limit: 9 },
        Failure::OutOfRange { max: 9 },
        Failure::Beyond { head: 3 },
        Failure::UnsupportedMediaType { supported: "application/json" },
        Failure::NotAcceptable,
        Failure::NotServed,
        Failure::TimedOut,
        Failure::Unavailable { retry_after_seconds: 7 },
        Failure::internal("a secret detail"),
    ]
}

#[test]
fn renders_every_failure_in_its_own_shape() {
    for failure in all() {
        let reply = (DIALECT.render)(&failure, &exchange("/v2/customer?search=x"));
        let (status, code, details) = expected(&failure);
        assert_eq!(reply.status.as_u16(), status, "{failure:?}");
        assert_eq!(reply.headers["content-type"], "application/json");
        let body: Value = serde_json::from_slice(&reply.body).expect("JSON");
        let message = body["message"].as_str().expect("a message").to_owned();
        assert!(!message.is_empty() && !message.contains("secret"), "{failure:?}");
        let whole = json!({
            "code": code, "message": message, "details": details, "timestamp": 1_735_689_600,
        });
        assert_eq!(body, whole, "{failure:?}");
        let waits = matches!(failure, Failure::TooMany { .. } | Failure::Unavailable { .. });
        assert_eq!(reply.headers.get("retry-after").is_some(), waits, "{failure:?}");
        assert_eq!(reply.headers.get("www-authenticate").is_some(), status == 401, "{failure:?}");
    }
}

#[test]
fn renders_every_failure_of_the_token_endpoint_as_oauth_does() {
    let path = "/oauth2/realms/root/realms/VerifoneServices/access_token";
    for failure in all() {
        let reply = (DIALECT.render)(&failure, &exchange(path));
        let (status, _, _) = expected(&failure);
        let status = if matches!(status, 401 | 415) { 400 } else { status };
        assert_eq!(reply.status.as_u16(), status, "{failure:?}");
        let body: Value = serde_json::from_slice(&reply.body).expect("JSON");
        let members: Vec<&String> = body.as_object().expect("an object").keys().collect();
        assert_eq!(members, ["error", "error_description"]);
        assert!(!body.to_string().contains("secret"), "{failure:?}");
    }
}

#[test]
fn codes_follow_the_first_fault_and_details_name_the_place() {
    let mut problems = patron_model::Problems::one("search", Why::Required);
    problems.add("page_size", Why::OutOfRange { min: 1, max: 9 });
    problems.add("customerId", Why::CardNumber);
    problems.add("billing.city", Why::TooLong { max: 28 });
    problems.add("billing.city", Why::ControlCharacter);
    let reply = (DIALECT.render)(&Failure::Malformed(problems), &exchange("/v2/customer"));
    let body: Value = serde_json::from_slice(&reply.body).expect("JSON");
    assert_eq!(body["code"], 126);
    assert_eq!(
        body["details"],
        json!({
            "query.search": "required",
            "query.page_size": "Must be between 1 and 9.",
            "params.customerId":
                "Looks like a card number; card numbers are never stored here.",
            "body.billing.city":
                "Must be at most 28 characters long. Must not contain control characters.",
        })
    );
    let unexpected = Failure::invalid("x", Why::UnknownField);
    let reply = (DIALECT.render)(&unexpected, &exchange("/v2/customer"));
    let body: Value = serde_json::from_slice(&reply.body).expect("JSON");
    assert_eq!(body["code"], 127);
}
