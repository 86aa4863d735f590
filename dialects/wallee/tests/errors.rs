//! Every failure in the provider's shape, one by one.

use patron_gateway::Exchange;
use patron_model::{Failure, Noun, Problems, Timestamp, Why};
use patron_wallee::DIALECT;
use serde_json::{Value, json};

use crate::place::shaped;

fn exchange() -> Exchange {
    let now = Timestamp::from_micros(1_767_323_045_678_901);
    Exchange::new(http::Method::GET, "/api/v2.0/customers", now)
}

fn several() -> Problems {
    let mut several = Problems::new();
    several.add("reference", Why::TooLong { max: 100 });
    several.add("metadata.key", Why::ControlCharacter);
    several.add("emailAddress", Why::Required);
    several.add("emailAddress", Why::TooShort { min: 1 });
    several
}

fn cases() -> Vec<(Failure, u16, &'static str, Value)> {
    let unprocessable = "unprocessable_entity";
    vec![
        (Failure::NotFound { noun: Noun::Customer }, 404, "not_found", json!({})),
        (Failure::NoRoute, 404, "not_found", json!({})),
        (
            Failure::MethodNotAllowed { allowed: "GET, POST".into() },
            405,
            "method_not_allowed",
            json!({}),
        ),
        (
            Failure::Invalid(several()),
            422,
            unprocessable,
            json!({
                "customerId": "Must be at most 100 characters long.",
                "metaData.key": "Must not contain control characters.",
                "emailAddress": "Must be given. Must be at least 1 characters long.",
            }),
        ),
        (
            Failure::malformed("", Why::Malformed { expected: "a valid JSON document" }),
            400,
            "bad_request",
            json!({"body": "Must be a valid JSON document."}),
        ),
        (
            Failure::Stale { have: 4, want: 3 },
            409,
            "conflict",
            json!({"version": "Expected 4 but was 3."}),
        ),
        (Failure::PreconditionFailed { what: "If-None-Match" }, 409, "conflict", json!({})),
        (Failure::PreconditionRequired, 400, "bad_request", json!({"version": "Must be given."})),
        (
            Failure::Exists { noun: Noun::Customer, field: "reference", holder: None },
            422,
            unprocessable,
            json!({"customerId": "Is already used by another record."}),
        ),
        (Failure::WrongState { is: "deleted", needs: "living" }, 422, unprocessable, json!({})),
        (Failure::Unauthenticated { reason: "secret reason" }, 401, "unauthorized", json!({})),
        (Failure::Forbidden, 403, "forbidden", json!({})),
        (Failure::KeyReused, 422, unprocessable, json!({})),
        (Failure::InFlight, 409, "conflict", json!({})),
        (Failure::TooMany { retry_after_seconds: 7 }, 429, "too_many_requests", json!({})),
        (Failure::TooLarge { limit: 100 }, 413, "payload_too_large", json!({})),
        (
            Failure::OutOfRange { max: 10_000 },
            416,
            "range_not_satisfiable",
            json!({"offset": "Must be at most 10000."}),
        ),
        (
            Failure::UnsupportedMediaType { supported: "application/json" },
            415,
            "unsupported_media_type",
            json!({}),
        ),
        (Failure::NotAcceptable, 406, "not_acceptable", json!({})),
        (Failure::NotServed, 501, "internal_server_error", json!({})),
        (Failure::TimedOut, 503, "internal_server_error", json!({})),
        (Failure::Unavailable { retry_after_seconds: 5 }, 503, "internal_server_error", json!({})),
        (Failure::internal("secret details"), 500, "internal_server_error", json!({})),
    ]
}

#[test]
fn every_failure_has_the_providers_shape() {
    let exchange = exchange();
    for (failure, status, code, errors) in cases() {
        let reply = (DIALECT.render)(&failure, &exchange);
        assert_eq!(reply.status, status, "{failure:?}");
        assert_eq!(reply.headers["content-type"], "application/json");
        let text = String::from_utf8(reply.body.to_vec()).unwrap();
        assert!(!text.contains("secret"), "{text}");
        let body: Value = serde_json::from_str(&text).unwrap();
        shaped(&body, code, &errors);
        assert_eq!(body["date"], "2026-01-02T03:04:05.678Z");
    }
}

#[test]
fn waiting_times_and_the_scheme_are_in_headers() {
    let exchange = exchange();
    let header = |failure: &Failure, name: &str| {
        let reply = (DIALECT.render)(failure, &exchange);
        reply.headers.get(name).map(|value| value.to_str().unwrap().to_owned())
    };
    let too_many = Failure::TooMany { retry_after_seconds: 7 };
    assert_eq!(header(&too_many, "retry-after").as_deref(), Some("7"));
    let busy = Failure::Unavailable { retry_after_seconds: 5 };
    assert_eq!(header(&busy, "retry-after").as_deref(), Some("5"));
    let unknown = Failure::Unauthenticated { reason: "unknown key" };
    assert_eq!(header(&unknown, "www-authenticate").as_deref(), Some("Bearer"));
}

#[test]
fn the_cases_name_every_variant() {
    let names: std::collections::BTreeSet<&str> = cases().iter().map(|c| c.0.name()).collect();
    assert_eq!(names.len(), 23);
}
