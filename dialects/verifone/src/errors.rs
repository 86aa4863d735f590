//! Failures in Verifone's shape (dossier §7): an object of four members with every answer that is
//! no success, `timestamp` in whole seconds. The token endpoint answers OAuth's shape instead
//! (§3.2).

use std::collections::BTreeMap;

use patron_gateway::{Exchange, Reply, limits::QuotaState};
use patron_model::{Failure, Problems, Why};
use schemars::JsonSchema;
use serde::Serialize;

use crate::operations::TOKEN_PATH;

/// The error body.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ErrorBody {
    /// Three-digit code.
    code: u16,
    /// Text for a developer.
    message: &'static str,
    /// One member per fault: where it is, and what is wrong.
    details: BTreeMap<String, String>,
    /// Seconds since the Unix epoch.
    timestamp: i64,
}

/// The error body of the token endpoint (RFC 6749 §5.2).
#[derive(Debug, Serialize, JsonSchema)]
pub struct OauthError {
    /// One of RFC 6749's words.
    error: &'static str,
    /// Text for a developer.
    error_description: String,
}

/// Codes of the sister service's table (dossier §7).
mod code {
    pub(super) const INTERNAL: u16 = 100;
    pub(super) const FORMAT: u16 = 107;
    pub(super) const NOT_FOUND: u16 = 109;
    pub(super) const RESOURCE: u16 = 110;
    pub(super) const PERMISSION: u16 = 113;
    pub(super) const SIGN_IN: u16 = 116;
    pub(super) const MISSING: u16 = 126;
    pub(super) const UNEXPECTED: u16 = 127;
    pub(super) const TIMEOUT: u16 = 170;
}

/// A failure in this API's error shape.
pub fn render(failure: &Failure, exchange: &Exchange) -> Reply {
    let (status, code, message) = describe(failure);
    let mut reply = if exchange.path() == TOKEN_PATH {
        oauth(failure, status)
    } else {
        let timestamp = exchange.now.seconds();
        let body = ErrorBody { code, message, details: details(failure), timestamp };
        Reply::bytes(status, "application/json", serde_json::to_vec(&body).unwrap_or_default())
    };
    if reply.status == 401 {
        reply.set("www-authenticate", r#"Basic realm="customer-service", charset="UTF-8""#);
    }
    if let Failure::TooMany { retry_after_seconds: s }
    | Failure::Unavailable { retry_after_seconds: s } = failure
    {
        reply.set("retry-after", s.to_string());
    }
    reply
}

/// Last touch on every reply: nothing beyond what every answer of every API carries.
pub fn finish(_: &mut Reply, _: &Exchange, _: Option<QuotaState>) {}

/// Status, code and message.
fn describe(failure: &Failure) -> (u16, u16, &'static str) {
    match failure {
        Failure::NotFound { .. } => (404, code::NOT_FOUND, "The resource was not found."),
        Failure::NoRoute => (404, code::NOT_FOUND, "There is no such path."),
        Failure::MethodNotAllowed { .. } => {
            (405, code::RESOURCE, "The resource does not have this method.")
        }
        Failure::Invalid(problems) | Failure::Malformed(problems) => refused(problems),
        Failure::Stale { .. } => (409, code::RESOURCE, "The resource was changed meanwhile."),
        Failure::PreconditionFailed { .. } => {
            (412, code::RESOURCE, "A precondition of the request does not hold.")
        }
        Failure::PreconditionRequired => (428, code::MISSING, "The request needs a precondition."),
        Failure::Exists { .. } => (409, code::RESOURCE, "Another resource has this value already."),
        Failure::WrongState { .. } => {
            (409, code::RESOURCE, "The resource is in a state that does not allow this.")
        }
        Failure::Unauthenticated { .. } => (401, code::SIGN_IN, "Authentication is required."),
        // Only persons are asked for more, and they do not come here.
        Failure::Forbidden | Failure::StepUp { .. } => {
            (403, code::PERMISSION, "Insufficient permissions.")
        }
        Failure::KeyReused => {
            (409, code::RESOURCE, "The idempotency key was used with another request.")
        }
        Failure::InFlight => (409, code::RESOURCE, "The same request is still being worked on."),
        Failure::TooMany { .. } => (429, code::PERMISSION, "Too many requests."),
        Failure::TooLarge { .. } => (413, code::FORMAT, "The request is too large."),
        Failure::OutOfRange { .. } => (400, code::FORMAT, "A position is out of range."),
        Failure::Beyond { .. } => (410, code::NOT_FOUND, "There is no such position any more."),
        Failure::UnsupportedMediaType { .. } => {
            (415, code::RESOURCE, "The media type of the body is not supported.")
        }
        Failure::NotAcceptable => (406, code::RESOURCE, "No accepted media type is available."),
        Failure::NotServed => (501, code::INTERNAL, "The operation is not served here."),
        Failure::TimedOut => (504, code::TIMEOUT, "The request took too long."),
        Failure::Unavailable { .. } => (503, code::INTERNAL, "Temporarily not available."),
        Failure::Internal(_) => (500, code::INTERNAL, "Internal error."),
    }
}

/// The code follows the first fault; a body that is no JSON at all has none of its own.
fn refused(problems: &Problems) -> (u16, u16, &'static str) {
    match problems.iter().next() {
        Some(first) if first.field.is_empty() && is_no_json(&first.why) => {
            (400, code::RESOURCE, "The resource is invalid.")
        }
        Some(first) => match first.why {
            Why::Required | Why::RequiredWithout { .. } => {
                (400, code::MISSING, "A required parameter is missing.")
            }
            Why::UnknownField | Why::Misspelt { .. } => {
                (400, code::UNEXPECTED, "A parameter is unexpected.")
            }
            _ => (400, code::FORMAT, "A parameter has an invalid format."),
        },
        None => (400, code::FORMAT, "A parameter has an invalid format."),
    }
}

fn is_no_json(why: &Why) -> bool {
    matches!(why, Why::Malformed { .. } | Why::Syntax { .. })
}

/// One member per fault.
fn details(failure: &Failure) -> BTreeMap<String, String> {
    let mut details: BTreeMap<String, String> = BTreeMap::new();
    match failure {
        Failure::Invalid(problems) | Failure::Malformed(problems) => {
            for problem in problems {
                let reasons = details.entry(placed(&problem.field)).or_default();
                if !reasons.is_empty() {
                    reasons.push(' ');
                }
                reasons.push_str(&reason(&problem.why));
            }
        }
        // Nothing this API writes is unique, so there is no holder to be named.
        Failure::Exists { noun: _, field, holder: _ } => {
            details.insert(placed(field), reason(&Why::Taken));
        }
        Failure::TooLarge { limit } => {
            details.insert("body".into(), format!("Must be at most {limit} bytes."));
        }
        Failure::OutOfRange { max } => {
            details.insert("query.page_number".into(), format!("Must be at most {max}."));
        }
        Failure::UnsupportedMediaType { supported } => {
            details.insert("header.content-type".into(), format!("Must be {supported}."));
        }
        Failure::MethodNotAllowed { allowed } => {
            details.insert("method".into(), format!("Must be one of {allowed}."));
        }
        Failure::NotFound { .. }
        | Failure::NoRoute
        | Failure::Stale { .. }
        | Failure::PreconditionFailed { .. }
        | Failure::PreconditionRequired
        | Failure::WrongState { .. }
        | Failure::Unauthenticated { .. }
        | Failure::Forbidden
        | Failure::StepUp { .. }
        | Failure::KeyReused
        | Failure::InFlight
        | Failure::TooMany { .. }
        | Failure::Beyond { .. }
        | Failure::NotAcceptable
        | Failure::NotServed
        | Failure::TimedOut
        | Failure::Unavailable { .. }
        | Failure::Internal(_) => {}
    }
    details
}

/// Where a fault is, by the prefixes of dossier §7. Core words are put in Verifone's.
fn placed(field: &str) -> String {
    match field {
        "" => "body".into(),
        "search" | "order_criteria" | "order_by" | "page_number" | "page_size" => {
            format!("query.{field}")
        }
        "customerId" => "params.customerId".into(),
        "addresses" => "body.billing".into(),
        _ => format!("body.{field}"),
    }
}

fn reason(why: &Why) -> String {
    match why {
        Why::RequiredWithout { others } => {
            let verb = if others.contains(" and ") { "are" } else { "is" };
            format!("required when {others} {verb} absent")
        }
        Why::Required => "required".into(),
        other => other.to_string(),
    }
}

/// Every fault in one text: the shape has room for no more.
fn told(failure: &Failure) -> String {
    let (Failure::Invalid(problems) | Failure::Malformed(problems)) = failure else {
        return describe(failure).2.to_owned();
    };
    let told = problems.iter().map(|p| format!("{}: {}", p.field, reason(&p.why)));
    told.collect::<Vec<_>>().join(" ")
}

/// RFC 6749 §5.2. A client that cannot sign in is answered 400, not 401 (dossier §3.2).
fn oauth(failure: &Failure, status: u16) -> Reply {
    let first = match failure {
        Failure::Invalid(problems) | Failure::Malformed(problems) => problems.iter().next(),
        _ => None,
    };
    let (status, error) = match failure {
        Failure::Unauthenticated { .. } => (400, "invalid_client"),
        Failure::UnsupportedMediaType { .. } => (400, "invalid_request"),
        _ if status >= 500 => (status, "server_error"),
        _ => match first {
            Some(first) if first.field == "scope" => (status, "invalid_scope"),
            Some(first) if matches!(first.why, Why::NotOneOf { .. }) => {
                (status, "unsupported_grant_type")
            }
            _ => (status, "invalid_request"),
        },
    };
    let error_description = match (error, first) {
        ("invalid_client", _) => "Client authentication failed.".to_owned(),
        (_, Some(_)) => told(failure),
        (_, None) => describe(failure).2.to_owned(),
    };
    let body = OauthError { error, error_description };
    Reply::bytes(status, "application/json", serde_json::to_vec(&body).unwrap_or_default())
}
