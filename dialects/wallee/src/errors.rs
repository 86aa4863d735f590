//! Failures in the provider's shape: `RestApiErrorResponse` with the statuses and code words of
//! dossier §4. Texts say which field and why, never what was sent.

use std::collections::BTreeMap;

use patron_gateway::{Exchange, Reply};
use patron_model::{Failure, Identity, Problems, Timestamp, Why};
use schemars::JsonSchema;
use serde::Serialize;

use crate::MOUNT;

/// Body of every answer that is no success.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RestApiErrorResponse")]
pub struct ErrorBody {
    /// When it happened.
    date: String,
    /// Short machine word.
    code: &'static str,
    /// Unique id of this answer.
    id: String,
    /// What happened.
    message: String,
    /// What is wrong with which field.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    errors: BTreeMap<String, String>,
}

const INVALID: &str = "The request contains invalid values.";
const MALFORMED: &str = "The request cannot be understood.";

/// A failure as the answer to a request.
pub fn render(failure: &Failure, exchange: &Exchange) -> Reply {
    let (status, body) = body(failure, exchange.now, words(exchange));
    let mut reply = match Reply::json(status, &body) {
        Ok(reply) => reply,
        Err(_) => Reply::empty(500),
    };
    if let Failure::Unauthenticated { .. } = failure {
        reply.set("www-authenticate", "Bearer");
    }
    if let Failure::TooMany { retry_after_seconds } | Failure::Unavailable { retry_after_seconds } =
        failure
    {
        reply.set("retry-after", retry_after_seconds.to_string());
    }
    reply
}

/// Status and body of a failure; also what a bulk result says of one item.
pub fn body(failure: &Failure, now: Timestamp, word: Word) -> (u16, ErrorBody) {
    let (status, code, message, errors) = parts(failure, word);
    let id = uuid::Uuid::new_v4().to_string().to_uppercase();
    (status, ErrorBody { date: now.rfc3339_millis(), code, id, message, errors })
}

type Errors = BTreeMap<String, String>;
/// Status, code, message, errors.
type Parts = (u16, &'static str, String, Errors);

fn plain(status: u16, code: &'static str, message: impl Into<String>) -> Parts {
    (status, code, message.into(), Errors::new())
}

fn on_field(status: u16, code: &'static str, message: &str, field: &str, text: String) -> Parts {
    (status, code, message.to_owned(), Errors::from([(field.to_owned(), text)]))
}

fn parts(failure: &Failure, word: Word) -> Parts {
    match failure {
        Failure::NotFound { noun } => {
            plain(404, "not_found", format!("There is no such {}.", noun.as_str()))
        }
        Failure::NoRoute => plain(404, "not_found", "There is no such resource."),
        Failure::MethodNotAllowed { allowed } => {
            plain(405, "method_not_allowed", format!("The resource only answers {allowed}."))
        }
        Failure::Invalid(problems) => (422, UNPROCESSABLE, INVALID.into(), errors(problems, word)),
        Failure::Malformed(problems) => {
            (400, "bad_request", MALFORMED.into(), errors(problems, word))
        }
        Failure::Stale { have, want } => {
            // The dossier's example (§4): the version of the object first.
            let text = format!("Expected {have} but was {want}.");
            let message = "The object has been changed by another request.";
            on_field(409, "conflict", message, "version", text)
        }
        Failure::PreconditionFailed { what } => {
            plain(409, "conflict", format!("The precondition {what} does not hold."))
        }
        Failure::PreconditionRequired => {
            on_field(400, "bad_request", MALFORMED, "version", Why::Required.to_string())
        }
        Failure::Exists { noun, field, holder } => {
            let by = |id: &Identity| format!("Is already used by {} {}.", noun.as_str(), id.number);
            let text = holder.as_ref().map_or_else(|| Why::Taken.to_string(), by);
            on_field(422, UNPROCESSABLE, INVALID, &word(field), text)
        }
        Failure::WrongState { is, needs } => {
            let message = format!("The object is {is}; this needs it to be {needs}.");
            plain(422, UNPROCESSABLE, message)
        }
        Failure::Unauthenticated { reason: _ } => {
            plain(401, "unauthorized", "The credentials are missing or incorrect.")
        }
        Failure::Forbidden | Failure::StepUp { .. } => plain(403, "forbidden", NO_PERMISSION),
        Failure::KeyReused => {
            plain(422, UNPROCESSABLE, "The idempotency key was used with another request.")
        }
        Failure::InFlight => plain(409, "conflict", "The same request is still being worked on."),
        Failure::TooMany { retry_after_seconds: _ } => {
            plain(429, "too_many_requests", "Too many requests were sent.")
        }
        Failure::TooLarge { limit } => {
            let message = format!("The request is too large; the limit is {limit}.");
            plain(413, "payload_too_large", message)
        }
        Failure::OutOfRange { max } => {
            let message = "The offset is beyond what can be searched.";
            let text = format!("Must be at most {max}.");
            on_field(416, "range_not_satisfiable", message, "offset", text)
        }
        Failure::Beyond { head: _ } => plain(410, "gone", "There is no such position any more."),
        Failure::UnsupportedMediaType { supported } => {
            let message = format!("The body must be sent as {supported}.");
            plain(415, "unsupported_media_type", message)
        }
        Failure::NotAcceptable => {
            plain(406, "not_acceptable", "The answer can only be given as application/json.")
        }
        Failure::NotServed => plain(501, FAULT, "This operation is not served here."),
        Failure::TimedOut => plain(503, FAULT, "The request took too long."),
        Failure::Unavailable { retry_after_seconds: _ } => {
            plain(503, FAULT, "The service cannot answer right now.")
        }
        Failure::Internal(_) => plain(500, FAULT, "The service failed."),
    }
}

const NO_PERMISSION: &str = "The user has no permission for this.";
const UNPROCESSABLE: &str = "unprocessable_entity";
/// The SDK's table knows one word for all 5xx.
const FAULT: &str = "internal_server_error";

fn errors(problems: &Problems, word: Word) -> Errors {
    let mut errors = Errors::new();
    for problem in problems {
        let text = problem.why.to_string();
        errors
            .entry(word(&problem.field))
            .and_modify(|known: &mut String| {
                known.push(' ');
                known.push_str(&text);
            })
            .or_insert(text);
    }
    errors
}

/// The provider's word for a field.
pub type Word = fn(&str) -> String;

/// The words for what a request is about, where fields are told in words of the record.
fn words(exchange: &Exchange) -> Word {
    let about = exchange.path().strip_prefix(MOUNT).unwrap_or_default();
    let is_of = |path: &str| about.starts_with(path);
    let of_users = ["/human-users", "/application-users", "/single-sign-on-users"];
    match about {
        _ if is_of("/customers") => word_of_customer,
        _ if of_users.into_iter().any(is_of) => word_of_user,
        _ if is_of("/accounts") || is_of("/spaces") => word_of_place,
        _ => word,
    }
}

/// The provider's word for a field of a user, or of what is done with one.
fn word_of_user(field: &str) -> String {
    let word = match field {
        "account" => "primaryAccount",
        "given_name" => "firstname",
        "family_name" => "lastname",
        "email" => "emailAddress",
        "phone" => "mobilePhoneNumber",
        "time_zone" => "timeZone",
        "request_limit" => "requestLimit",
        "role" => "roleId",
        other => return word(other),
    };
    word.to_owned()
}

/// The provider's word for a field of an account or a space.
fn word_of_place(field: &str) -> String {
    let word = match field {
        "parent" => "parentAccount",
        "subaccount_limit" => "subaccountLimit",
        "request_limit" => "requestLimit",
        "technical_contacts" => "technicalContactAddresses",
        "time_zone" => "timeZone",
        "currency" => "primaryCurrency",
        other => return word(other),
    };
    word.to_owned()
}

/// Words that are the provider's already.
pub fn word(field: &str) -> String {
    if field.is_empty() { "body" } else { field }.to_owned()
}

/// The provider's word for a field of a customer; words that are already the provider's stay.
pub fn word_of_customer(field: &str) -> String {
    let word = match field {
        "" => "body",
        "reference" => "customerId",
        "given_name" => "givenName",
        "family_name" => "familyName",
        "email" => "emailAddress",
        "currency" => "preferredCurrency",
        "metadata" => "metaData",
        other => match other.strip_prefix("metadata.") {
            Some(key) => return format!("metaData.{key}"),
            None => other,
        },
    };
    word.to_owned()
}
