//! Every failure in the dialect's shape, one by one.

use http::{HeaderMap, Method};
use patron_gateway::Exchange;
use patron_model::{Failure, Noun, Problems, Timestamp, Why};
use patron_payabli::DIALECT;
use serde_json::{Value, json};

use crate::place::error;

fn rendered(failure: &Failure) -> (u16, Value, HeaderMap) {
    let mut exchange = Exchange::new(Method::GET, "/api/Customer/1", Timestamp::from_micros(0));
    exchange.via = "payabli";
    let reply = (DIALECT.render)(failure, &exchange);
    let body = serde_json::from_slice(&reply.body).expect("JSON");
    (reply.status.as_u16(), body, reply.headers)
}

#[track_caller]
fn is(failure: Failure, status: u16, code: Option<i64>, text: &str) {
    let (have, body, _) = rendered(&failure);
    assert_eq!(have, status, "{failure:?}");
    assert_eq!(body["isSuccess"], false);
    assert_eq!(body["responseCode"], json!(code), "{failure:?}");
    assert_eq!(body["responseText"], text, "{failure:?}");
    assert_eq!(body["message"], text);
    for member in ["explanation", "todoAction"] {
        assert!(!body["responseData"][member].as_str().expect("a text").is_empty());
    }
    assert_eq!(body.as_object().expect("an object").len(), 5);
}

#[test]
fn every_failure_has_its_status_and_code() {
    let bad = Some(3003);
    is(Failure::NotFound { noun: Noun::Space }, 400, Some(3001), "Entrypoint does not exist");
    for (noun, word) in [
        (Noun::Customer, "customer"),
        (Noun::Address, "address"),
        (Noun::Comment, "comment"),
        (Noun::PaymentMethod, "payment method"),
        (Noun::Payment, "payment"),
        (Noun::Account, "organization"),
        (Noun::Key, "key"),
        (Noun::Entry, "journal entry"),
    ] {
        let text = format!("Invalid parameter value: {word}");
        is(Failure::NotFound { noun }, 400, bad, &text);
    }
    let invalid = "Invalid parameter value";
    is(Failure::NoRoute, 404, None, "Not found");
    is(Failure::MethodNotAllowed { allowed: "GET".into() }, 405, None, "Method not allowed");
    is(
        Failure::invalid("metadata.a", Why::Required),
        400,
        bad,
        &format!("{invalid}: additionalFields.a"),
    );
    is(Failure::malformed("", Why::Required), 400, bad, "Invalid request");
    let range = Why::OutOfRange { min: -12, max: 12 };
    is(Failure::invalid("timeZone", range), 400, Some(3004), &format!("{invalid}: timeZone"));
    is(Failure::Stale { have: 2, want: 1 }, 400, bad, invalid);
    is(Failure::PreconditionFailed { what: "x" }, 400, bad, invalid);
    is(Failure::PreconditionRequired, 400, bad, invalid);
    is(Failure::WrongState { is: "a", needs: "b" }, 400, bad, invalid);
    let exists = Failure::Exists { noun: Noun::Customer, field: "reference", holder: None };
    is(exists, 400, bad, &format!("{invalid}: customerNumber"));
    is(Failure::OutOfRange { max: 9 }, 400, bad, &format!("{invalid}: fromRecord"));
    is(Failure::Unauthenticated { reason: "secret reason" }, 401, None, "Unauthorized");
    is(Failure::Forbidden, 403, None, "Forbidden");
    is(Failure::NotAcceptable, 406, None, "Not acceptable");
    is(Failure::NotServed, 501, None, "Not implemented");
    is(Failure::KeyReused, 409, None, "Conflict");
    is(Failure::InFlight, 409, None, "Conflict");
    is(Failure::TooLarge { limit: 9 }, 413, None, "Request too large");
    let media = Failure::UnsupportedMediaType { supported: "application/json" };
    is(media, 415, None, "Unsupported media type");
    is(Failure::TooMany { retry_after_seconds: 7 }, 429, None, "Too many requests");
    is(Failure::internal("secret details"), 500, None, "Internal error");
    is(Failure::Unavailable { retry_after_seconds: 7 }, 503, None, "Database connection error");
    is(Failure::TimedOut, 504, None, "Timeout");
}

#[test]
fn says_when_to_try_again_and_keeps_secrets() {
    let (_, _, headers) = rendered(&Failure::TooMany { retry_after_seconds: 7 });
    assert_eq!(headers["retry-after"], "7");
    let (_, _, headers) = rendered(&Failure::Unavailable { retry_after_seconds: 5 });
    assert_eq!(headers["retry-after"], "5");
    let (_, body, headers) = rendered(&Failure::Unauthenticated { reason: "secret reason" });
    assert_eq!(headers["www-authenticate"], "Bearer");
    assert!(!body.to_string().contains("secret"));
    assert!(!rendered(&Failure::internal("secret")).1.to_string().contains("secret"));
}

#[test]
fn missing_identifiers_and_several_problems() {
    let mut problems = Problems::one("identifiers.email", Why::Required);
    problems.add("identifiers.lastname", Why::Required);
    let want = error(
        3003,
        "Invalid customer identifiers: email, lastname",
        "At least one configured identifier needs a value.",
        "Send a value for: email, lastname",
    );
    assert_eq!(rendered(&Failure::Invalid(problems)).1, want);
    let unnamed = Failure::invalid("identifiers", Why::Required);
    assert_eq!(rendered(&unnamed).1["responseText"], "Invalid customer identifiers");
    let mut problems = Problems::one("email", Why::TooLong { max: 320 });
    problems.add("timeZone", Why::OutOfRange { min: -12, max: 12 });
    let want = error(
        3003,
        "Invalid parameter value: email, timeZone",
        "email: Must be at most 320 characters long. timeZone: Must be between -12 and 12.",
        "Correct the request and send it again.",
    );
    assert_eq!(rendered(&Failure::Invalid(problems)).1, want);
}
