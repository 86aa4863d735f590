//! Failures in the provider's words (dossier §3): `code`, `status`, `message`, and for 422 a map
//! from each field to what is wrong with it.

use std::borrow::Cow;

use patron_gateway::{Exchange, Reply, dialect::Switch};
use patron_model::{Failure, Noun, Problems, Why};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{NAME, auth};

/// Switch of a space: `string` puts `code` of errors in quotes, as older servers did. One community
/// client insists on it.
const CODE_TYPE_SWITCH: &str = "error_code_type";
/// What a space can switch for this API.
pub const SWITCHES: [Switch; 1] = [Switch {
    name: CODE_TYPE_SWITCH,
    takes: "\"string\" or \"number\"",
    accepts: |value| matches!(value.as_str(), Some("string" | "number")),
}];
const UNEXPECTED: &str = "An unexpected error occurred";
const REUSED: &str = "The idempotency key belongs to another request";

/// An error as it is answered.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Error")]
pub struct ErrorBody {
    /// The HTTP status; a string in spaces whose switch `error_code_type` is `string`.
    #[schemars(with = "u16")]
    code: Value,
    /// The word for the status.
    status: &'static str,
    /// What went wrong.
    message: String,
    /// Fields and what is wrong with them; only with 422.
    #[serde(skip_serializing_if = "Map::is_empty")]
    #[schemars(with = "Option<std::collections::BTreeMap<String, Vec<String>>>")]
    errors: Map<String, Value>,
}

/// What a failure is called before the body is made.
struct Verdict {
    code: u16,
    status: &'static str,
    message: Cow<'static, str>,
    errors: Map<String, Value>,
    retry_after: Option<u64>,
}

impl Verdict {
    fn new(code: u16, status: &'static str, message: impl Into<Cow<'static, str>>) -> Verdict {
        Verdict { code, status, message: message.into(), errors: Map::new(), retry_after: None }
    }
}

/// A failure as a reply.
pub fn render(failure: &Failure, exchange: &Exchange) -> Reply {
    reply(verdict(failure, exchange), exchange)
}

/// 404 for a thing of the reference data, which the common record has no noun for.
pub fn not_found(what: &str, exchange: &Exchange) -> Reply {
    reply(Verdict::new(404, "Not Found", format!("{what} not found")), exchange)
}

fn reply(verdict: Verdict, exchange: &Exchange) -> Reply {
    let Verdict { code, status, message, errors, retry_after } = verdict;
    let as_text = exchange.switch(NAME, CODE_TYPE_SWITCH) == Some("string");
    let body = ErrorBody {
        code: if as_text { json!(code.to_string()) } else { json!(code) },
        status,
        message: message.into_owned(),
        errors,
    };
    let reply = Reply::json(code, &body).unwrap_or_else(|_| Reply::empty(500));
    match retry_after {
        Some(seconds) => reply.with("retry-after", seconds.to_string()),
        None => reply,
    }
}

fn verdict(failure: &Failure, exchange: &Exchange) -> Verdict {
    match failure {
        Failure::NotFound { noun } => Verdict::new(404, "Not Found", not_found_text(*noun)),
        Failure::NoRoute | Failure::Beyond { .. } => Verdict::new(404, "Not Found", NO_RESOURCE),
        Failure::MethodNotAllowed { .. } => {
            Verdict::new(405, "Method Not Allowed", "Method not allowed")
        }
        Failure::Invalid(problems) => invalid(problems),
        Failure::Malformed(problems) => Verdict::new(400, "Bad Request", malformed_text(problems)),
        Failure::Stale { .. } => Verdict::new(409, "Conflict", "The record was changed meanwhile"),
        Failure::PreconditionFailed { .. } => {
            Verdict::new(412, "Precondition Failed", "A precondition of the request does not hold")
        }
        Failure::PreconditionRequired => {
            Verdict::new(428, "Precondition Required", "The request needs a precondition")
        }
        // Nothing this API writes is unique, so there is no holder to be named.
        Failure::Exists { noun, field, holder: _ } => {
            let text = format!("A {} with this {field} already exists", noun.as_str());
            Verdict::new(409, "Conflict", text)
        }
        Failure::WrongState { is, needs } => {
            let text = format!("The record is {is} and must be {needs}");
            Verdict::new(422, "Unprocessable Entity", text)
        }
        Failure::Unauthenticated { reason: auth::NO_KEY } => {
            Verdict::new(401, "Unauthorized", "API key is missing")
        }
        Failure::Unauthenticated { reason: auth::WRONG_GRANT } => {
            Verdict::new(403, "Forbidden", "Invalid grant key")
        }
        Failure::Unauthenticated { .. } => Verdict::new(401, "Unauthorized", "Invalid API key"),
        // A key was sent and is known, so a grant may open it.
        Failure::Forbidden if auth::lacks_grant(exchange) => {
            let text = "This endpoint requires additional authentication";
            Verdict::new(403, "Forbidden", text)
        }
        Failure::Forbidden | Failure::StepUp { .. } => {
            let text = "You don't have permission to access this resource";
            Verdict::new(403, "Forbidden", text)
        }
        Failure::KeyReused => Verdict::new(409, "Conflict", REUSED),
        Failure::InFlight => Verdict::new(409, "Conflict", "The same request is still running"),
        Failure::TooMany { retry_after_seconds } => {
            let text = format!("Rate limit exceeded. Try again in {retry_after_seconds} seconds");
            let retry_after = Some(*retry_after_seconds);
            Verdict { retry_after, ..Verdict::new(429, "Too Many Requests", text) }
        }
        Failure::TooLarge { limit } => {
            let text = format!("The request exceeds the limit of {limit}");
            Verdict::new(413, "Payload Too Large", text)
        }
        Failure::OutOfRange { max } => {
            let text = format!("The position must not be greater than {max}");
            Verdict::new(422, "Unprocessable Entity", text)
        }
        Failure::UnsupportedMediaType { supported } => {
            let text = format!("The body must be {supported}");
            Verdict::new(415, "Unsupported Media Type", text)
        }
        Failure::NotAcceptable => Verdict::new(406, "Not Acceptable", "Answers are JSON"),
        Failure::NotServed => Verdict::new(501, "Not Implemented", "Not served here"),
        Failure::TimedOut => Verdict::new(503, "Service Unavailable", UNEXPECTED),
        Failure::Unavailable { retry_after_seconds } => {
            let retry_after = Some(*retry_after_seconds);
            Verdict { retry_after, ..Verdict::new(503, "Service Unavailable", UNEXPECTED) }
        }
        Failure::Internal(_) => Verdict::new(500, "Internal Server Error", UNEXPECTED),
    }
}

const NO_RESOURCE: &str = "Resource not found";

fn not_found_text(noun: Noun) -> &'static str {
    match noun {
        Noun::Customer => "Customer not found",
        Noun::Payment => "Payment not found",
        Noun::PaymentMethod => "Payment method not found",
        Noun::Account => "Sync account not found",
        Noun::Address => "Address not found",
        Noun::Endpoint => "Webhook endpoint not found",
        Noun::Comment
        | Noun::Space
        | Noun::Key
        | Noun::User
        | Noun::Role
        | Noun::Provider
        | Noun::Assignment
        | Noun::Permission
        | Noun::Entry
        | Noun::Delivery
        | Noun::Replay
        | Noun::Secret
        | Noun::Session
        | Noun::Passkey
        | Noun::Mail
        | Noun::Resource(_) => NO_RESOURCE,
    }
}

fn malformed_text(problems: &Problems) -> &'static str {
    let is_body = problems.iter().all(|problem| problem.field.is_empty());
    if is_body { "Invalid JSON payload" } else { "Invalid request parameters" }
}

fn invalid(problems: &Problems) -> Verdict {
    let mut errors = Map::new();
    for problem in problems {
        let field = wire_field(&problem.field);
        let text = sentence(&field, &problem.why);
        match errors.get_mut(&field) {
            Some(Value::Array(texts)) => texts.push(text.into()),
            _ => {
                errors.insert(field, json!([text]));
            }
        }
    }
    Verdict { errors, ..Verdict::new(422, "Unprocessable Entity", "Validation failed") }
}

/// Core words and form names (`address[city]`) as the dotted names of this API.
fn wire_field(field: &str) -> String {
    match field {
        "" => "body".to_owned(),
        "full_name" => "name".to_owned(),
        "addresses" => "address".to_owned(),
        other => other.replace("][", ".").replace('[', ".").replace(']', ""),
    }
}

/// What is wrong, in the style of the provider. A metadata key is the caller's own word: it names
/// the entry in the map but is not repeated in the text.
fn sentence(field: &str, why: &Why) -> String {
    let head = if field.starts_with("metadata.") { "metadata" } else { field };
    let name = head.replace('_', " ");
    match why {
        Why::Required => format!("The {name} field is required."),
        Why::RequiredWithout { others } => {
            format!("The {name} field is required when {others} is not present.")
        }
        Why::TooLong { max } => {
            format!("The {name} field must not be greater than {max} characters.")
        }
        Why::TooShort { min } => format!("The {name} field must be at least {min} characters."),
        Why::Malformed { .. } if field == "email" => "Invalid email address".to_owned(),
        Why::Malformed { expected } | Why::WrongType { expected } => {
            format!("The {name} field must be {expected}.")
        }
        Why::Unknown { .. } | Why::NotOneOf { .. } => format!("The selected {name} is invalid."),
        Why::OutOfRange { min, max } => {
            format!("The {name} field must be between {min} and {max}.")
        }
        Why::ControlCharacter | Why::Characters { .. } => {
            format!("The {name} field format is invalid.")
        }
        Why::TooMany { max } => format!("The {name} field must not have more than {max} items."),
        Why::CardNumber => format!("The {name} field must not contain a card number."),
        Why::SecurityCode => format!("The {name} field must not contain a card security code."),
        other => format!("The {name} field is invalid. {other}"),
    }
}
