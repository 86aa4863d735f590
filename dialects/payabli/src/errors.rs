//! Failures in Payabli's shape (dossier §3.2, §3.3). Nothing permanent is a 409 and everything a
//! caller did wrong is a 400: the SDKs retry 408, 409, 429 and 5xx.

use std::borrow::Cow;

use patron_gateway::{Exchange, Reply};
use patron_model::{Failure, Identity, Noun, Problems, Why};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;

/// Response code: the entry point does not exist.
const NO_ENTRY: i64 = 3001;
/// Response code: a parameter's value is not valid.
const INVALID: i64 = 3003;
/// Response code: the time zone is not valid.
const INVALID_TIME_ZONE: i64 = 3004;

/// Field under which missing identifiers are reported; the identifier's name follows after a dot.
pub const IDENTIFIERS: &str = "identifiers";

/// The body of every failure.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody {
    is_success: bool,
    /// Null where the failure is one of HTTP rather than of the API.
    response_code: Option<i64>,
    response_text: String,
    response_data: Advice,
    /// The same as `responseText`: one SDK looks here.
    message: String,
}

/// What happened and what to do.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Advice {
    explanation: String,
    todo_action: String,
}

/// Schema of the error body.
pub fn schema(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<ErrorBody>()
}

/// What is said of a failure.
struct Said {
    status: u16,
    code: Option<i64>,
    text: String,
    explanation: String,
    todo: String,
}

impl Said {
    fn new(status: u16, code: Option<i64>, text: &str, explanation: &str, todo: &str) -> Said {
        Said {
            status,
            code,
            text: text.to_owned(),
            explanation: explanation.to_owned(),
            todo: todo.to_owned(),
        }
    }

    /// Bad input.
    fn bad(text: &str, explanation: &str, todo: &str) -> Said {
        Said::new(400, Some(INVALID), text, explanation, todo)
    }
}

/// A failure in the dialect's shape.
pub fn render(failure: &Failure, _: &Exchange) -> Reply {
    let Said { status, code, text, explanation, todo } = said(failure);
    let body = ErrorBody {
        is_success: false,
        response_code: code,
        message: text.clone(),
        response_text: text,
        response_data: Advice { explanation, todo_action: todo },
    };
    let mut reply = Reply::json(status, &body).unwrap_or_else(|_| Reply::empty(500));
    if let Failure::TooMany { retry_after_seconds } | Failure::Unavailable { retry_after_seconds } =
        failure
    {
        reply.set("retry-after", retry_after_seconds.to_string());
    }
    if let Failure::InFlight = failure {
        reply.set("retry-after", "1");
    }
    if let Failure::Unauthenticated { .. } = failure {
        reply.set("www-authenticate", "Bearer");
    }
    reply
}

/// What a failure is called in one line.
pub fn text(failure: &Failure) -> String {
    said(failure).text
}

fn said(failure: &Failure) -> Said {
    match failure {
        Failure::NotFound { noun: Noun::Space } => Said::new(
            400,
            Some(NO_ENTRY),
            "Entrypoint does not exist",
            "No entrypoint of this name is open to the token.",
            "Check the entrypoint.",
        ),
        Failure::NotFound { noun } => {
            let noun = match noun {
                Noun::Account => "organization",
                Noun::Endpoint => "notification",
                Noun::Delivery => "notification log",
                other => other.as_str(),
            };
            let text = format!("Invalid parameter value: {noun}");
            Said::bad(&text, &format!("There is no such {noun}."), "Check the id.")
        }
        Failure::Invalid(problems) | Failure::Malformed(problems) => of_problems(problems),
        Failure::Exists { holder, .. } => {
            let by = |id: &Identity| {
                format!("customerNumber: Is already used by customer {}.", id.number)
            };
            let another = || "customerNumber: Is already used by another customer.".to_owned();
            Said::bad(
                "Invalid parameter value: customerNumber",
                &holder.as_ref().map_or_else(another, by),
                "Send another customerNumber, or set forceCustomerCreation on add.",
            )
        }
        Failure::Stale { .. }
        | Failure::PreconditionFailed { .. }
        | Failure::PreconditionRequired
        | Failure::WrongState { .. } => Said::bad(
            "Invalid parameter value",
            "The record is in a state that does not allow this.",
            "Read the record again.",
        ),
        Failure::OutOfRange { max } => Said::bad(
            "Invalid parameter value: fromRecord",
            &format!("Must be at most {max}."),
            "Narrow the list with filters.",
        ),
        Failure::NoRoute
        | Failure::MethodNotAllowed { .. }
        | Failure::Unauthenticated { .. }
        | Failure::Forbidden
        | Failure::StepUp { .. }
        | Failure::KeyReused
        | Failure::InFlight
        | Failure::TooMany { .. }
        | Failure::TooLarge { .. }
        | Failure::Beyond { .. }
        | Failure::UnsupportedMediaType { .. }
        | Failure::NotAcceptable
        | Failure::NotServed
        | Failure::TimedOut
        | Failure::Unavailable { .. }
        | Failure::Internal(_) => {
            let (status, text, explanation, todo) = of_http(failure);
            Said::new(status, None, text, &explanation, todo)
        }
    }
}

/// Failures of HTTP rather than of the API: status, text, explanation, what to do.
fn of_http(failure: &Failure) -> (u16, &'static str, Cow<'static, str>, &'static str) {
    const LATER: &str = "Try again later.";
    const KEY_REUSED: &str =
        "The idempotency key was used with another request within the last two minutes.";
    let said = |status, text, explanation: &'static str, todo| {
        (status, text, Cow::Borrowed(explanation), todo)
    };
    match failure {
        Failure::NoRoute => said(404, "Not found", "There is no such path.", "Check the path."),
        Failure::MethodNotAllowed { .. } => {
            let todo = "Use one of the methods in the Allow header.";
            said(405, "Method not allowed", "The path does not take this method.", todo)
        }
        Failure::Unauthenticated { .. } => {
            let todo = "Send a valid requestToken header or bearer token.";
            said(401, "Unauthorized", "The token is missing, unknown or expired.", todo)
        }
        // Only persons are asked for more, and they do not come here.
        Failure::Forbidden | Failure::StepUp { .. } => {
            let todo = "Use a token with a wider scope.";
            said(403, "Forbidden", "The token does not allow this.", todo)
        }
        Failure::KeyReused => said(409, "Conflict", KEY_REUSED, "Use a new idempotency key."),
        Failure::InFlight => {
            said(409, "Conflict", "A request with this idempotency key is still running.", LATER)
        }
        Failure::TooMany { .. } => {
            said(429, "Too many requests", "The rate limit is reached.", LATER)
        }
        Failure::TooLarge { limit } => {
            let explanation = format!("The limit is {limit}.");
            (413, "Request too large", explanation.into(), "Send less at a time.")
        }
        Failure::Beyond { .. } => {
            said(410, "Gone", "The position does not exist any more.", "Start anew.")
        }
        Failure::UnsupportedMediaType { supported } => {
            let explanation = format!("The body must be {supported}.");
            (415, "Unsupported media type", explanation.into(), "Check the Content-Type header.")
        }
        Failure::NotAcceptable => {
            let explanation = "None of the accepted media types can be produced.";
            said(406, "Not acceptable", explanation, "Check the Accept header.")
        }
        Failure::NotServed => {
            said(501, "Not implemented", "The operation is not served here.", "Do without it.")
        }
        Failure::TimedOut => {
            said(504, "Timeout", "The request took too long.", "Ask for less at a time.")
        }
        Failure::Unavailable { .. } => {
            said(503, "Database connection error", "The service is not available.", LATER)
        }
        Failure::NotFound { .. }
        | Failure::Invalid(_)
        | Failure::Malformed(_)
        | Failure::Exists { .. }
        | Failure::Stale { .. }
        | Failure::PreconditionFailed { .. }
        | Failure::PreconditionRequired
        | Failure::WrongState { .. }
        | Failure::OutOfRange { .. }
        | Failure::Internal(_) => {
            said(500, "Internal error", "The server failed; the failure is logged.", LATER)
        }
    }
}

fn of_problems(problems: &Problems) -> Said {
    let missing: Option<Vec<&str>> =
        problems.iter().map(|problem| missing_identifier(&problem.field)).collect();
    if let Some(names) = missing.filter(|names| !names.is_empty()) {
        return missing_identifiers(&names);
    }
    let named: Vec<(String, &Why)> =
        problems.iter().map(|problem| (wire_name(&problem.field), &problem.why)).collect();
    let zone_only = !named.is_empty() && named.iter().all(|(field, _)| field == "timeZone");
    let code = if zone_only { INVALID_TIME_ZONE } else { INVALID };
    let mut fields: Vec<&str> = named.iter().map(|(field, _)| field.as_str()).collect();
    fields.dedup();
    fields.retain(|field| !field.is_empty());
    let text = if fields.is_empty() {
        "Invalid request".to_owned()
    } else {
        format!("Invalid parameter value: {}", fields.join(", "))
    };
    let sentences: Vec<String> = named
        .iter()
        .map(
            |(field, why)| {
                if field.is_empty() { why.to_string() } else { format!("{field}: {why}") }
            },
        )
        .collect();
    let todo = "Correct the request and send it again.";
    Said::new(400, Some(code), &text, &sentences.join(" "), todo)
}

fn missing_identifier(field: &str) -> Option<&str> {
    let rest = field.strip_prefix(IDENTIFIERS)?;
    if rest.is_empty() { Some("") } else { rest.strip_prefix('.') }
}

fn missing_identifiers(names: &[&str]) -> Said {
    let names: Vec<&str> = names.iter().copied().filter(|name| !name.is_empty()).collect();
    let (text, todo) = if names.is_empty() {
        ("Invalid customer identifiers".to_owned(), "Send a value for an identifier.".to_owned())
    } else {
        let names = names.join(", ");
        (format!("Invalid customer identifiers: {names}"), format!("Send a value for: {names}"))
    };
    Said::bad(&text, "At least one configured identifier needs a value.", &todo)
}

/// Words of the core as the dialect says them.
fn wire_name(field: &str) -> String {
    let (head, tail) = field.split_once('.').map_or((field, None), |(h, t)| (h, Some(t)));
    let head = match head {
        "reference" => "customerNumber",
        "given_name" => "firstname",
        "family_name" => "lastname",
        "company_name" => "company",
        "metadata" => "additionalFields",
        "identifier_fields" => "identifierFields",
        "time_zone" => "timeZone",
        "portal" => "customerUsername",
        "billing" | "addresses" => "address",
        "shipping" => "shippingAddress",
        "payment_methods" => "StoredMethods",
        "idempotencykey" => "idempotencyKey",
        "url" => "target",
        "headers" => "content.webHeaderParameters",
        other => other,
    };
    tail.map_or_else(|| head.to_owned(), |tail| format!("{head}.{tail}"))
}
