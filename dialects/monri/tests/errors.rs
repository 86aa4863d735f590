//! Every failure in this API's shape, one by one.

use http::Method;
use patron_gateway::Exchange;
use patron_model::{Failure, Noun, Problems, Timestamp, Why};
use patron_monri::DIALECT;
use serde_json::{Value, json};

fn rendered(failure: &Failure) -> (u16, Value, String) {
    let now = Timestamp::from_micros(0);
    let exchange = Exchange::new(Method::GET, "/v2/customers", now);
    let reply = (DIALECT.render)(failure, &exchange);
    let body = serde_json::from_slice(&reply.body).expect("JSON");
    let wait = reply.headers.get("retry-after").and_then(|value| value.to_str().ok());
    (reply.status.as_u16(), body, wait.unwrap_or_default().to_owned())
}

#[test]
fn every_failure_has_a_status_and_a_sentence() {
    let problems = || Problems::one("full_name", Why::TooLong { max: 50 });
    let invalid = "invalid-request";
    let long = "Name is too long (maximum is 50 characters)";
    let taken = Failure::Exists { noun: Noun::Customer, field: "reference", holder: None };
    let state = Failure::WrongState { is: "deleted", needs: "active" };
    for (failure, code, status, message) in [
        (Failure::NotFound { noun: Noun::Customer }, 404, invalid, "Customer not found"),
        (Failure::NotFound { noun: Noun::PaymentMethod }, 404, invalid, "Payment method not found"),
        (Failure::NoRoute, 404, invalid, "Not found"),
        (Failure::MethodNotAllowed { allowed: "GET".into() }, 405, invalid, "Method not allowed"),
        (Failure::Invalid(problems()), 400, invalid, long),
        (Failure::Malformed(problems()), 400, invalid, long),
        (Failure::Invalid(Problems::new()), 400, invalid, "Request is invalid"),
        (Failure::Stale { have: 2, want: 1 }, 409, invalid, "Customer has been changed meanwhile"),
        (Failure::PreconditionFailed { what: "If-Match" }, 412, invalid, "Precondition failed"),
        (Failure::PreconditionRequired, 428, invalid, "Precondition required"),
        (taken, 400, invalid, "Merchant customer id has already been taken"),
        (state, 400, invalid, "Customer is deleted, but must be active"),
        (Failure::Unauthenticated { reason: "secret" }, 401, "error", "Unauthorized"),
        (Failure::Forbidden, 403, "error", "Forbidden"),
        (Failure::KeyReused, 400, invalid, "Idempotency key was used for another request"),
        (Failure::InFlight, 409, invalid, "The same request is still in work"),
        (Failure::TooMany { retry_after_seconds: 7 }, 429, "error", "Too many requests"),
        (Failure::TooLarge { limit: 9 }, 413, invalid, "Request is too large (maximum is 9)"),
        (Failure::OutOfRange { max: 9 }, 400, invalid, "Offset is too large (maximum is 9)"),
        (Failure::Beyond { head: 3 }, 410, invalid, "There is no such position any more"),
        (
            Failure::UnsupportedMediaType { supported: "x/y" },
            415,
            invalid,
            "Content type must be x/y",
        ),
        (Failure::NotAcceptable, 406, invalid, "Not acceptable"),
        (Failure::NotServed, 501, invalid, "Not served here"),
        (Failure::TimedOut, 408, "error", "The request took too long"),
        (Failure::Unavailable { retry_after_seconds: 7 }, 503, "error", "Temporarily unavailable"),
        (Failure::internal("a secret"), 500, "error", "Internal error"),
    ] {
        let (have_code, body, wait) = rendered(&failure);
        assert_eq!(have_code, code, "{failure:?}");
        assert_eq!(body, json!({"status": status, "message": message}), "{failure:?}");
        assert_eq!(wait == "7", matches!(code, 429 | 503), "{failure:?}");
    }
}

#[test]
fn problems_are_sentences_about_known_fields() {
    for (field, why, want) in [
        ("reference", Why::Required, "Merchant customer id can't be blank"),
        (
            "billing.postal.city",
            Why::ControlCharacter,
            "Address must not contain control characters",
        ),
        ("addresses", Why::TooMany { max: 100 }, "Address must have at most 100 entries"),
        (
            "metadata.secret",
            Why::TooDeep { max: 8 },
            "Metadata must be nested at most 8 levels deep",
        ),
        (
            "secret.0",
            Why::CardNumber,
            "Request looks like a card number; card numbers are never stored here",
        ),
        ("city", Why::TooShort { min: 3 }, "City is too short (minimum is 3 characters)"),
        ("name", Why::Taken, "Name has already been taken"),
    ] {
        let (_, body, _) = rendered(&Failure::invalid(field, why));
        assert_eq!(body["message"], want);
    }
    let mut twice = Problems::one("metadata.a", Why::CardNumber);
    twice.add("metadata.b", Why::CardNumber);
    let (_, body, _) = rendered(&Failure::Invalid(twice));
    let once = "Metadata looks like a card number; card numbers are never stored here";
    assert_eq!(body["message"], once);
}
