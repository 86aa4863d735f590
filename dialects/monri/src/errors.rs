//! Failures as Monri says them (dossier A.3): always a JSON object with `status` and `message`, in
//! the sentences of a Rails validation ("Email is too long (maximum is 200 characters)").

use patron_gateway::{Exchange, Reply};
use patron_model::{Failure, Identity, Noun, Problems, Why, problem::Problem};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

/// The call was carried out.
pub const APPROVED: &str = "approved";
/// The caller is at fault.
const INVALID_REQUEST: &str = "invalid-request";
/// The caller is not let in, or the server is at fault.
const ERROR: &str = "error";

/// An error as it is answered.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ErrorBody {
    /// `invalid-request` or `error`.
    pub status: &'static str,
    /// What is wrong.
    pub message: String,
}

/// A failure as an answer.
pub fn render(failure: &Failure, _: &Exchange) -> Reply {
    let refused = |code, message: &str| answer(code, INVALID_REQUEST, message);
    let failed = |code, message: &str| answer(code, ERROR, message);
    match failure {
        Failure::NotFound { noun } => refused(404, &not_found(*noun)),
        Failure::NoRoute => refused(404, "Not found"),
        Failure::MethodNotAllowed { .. } => refused(405, "Method not allowed"),
        Failure::Invalid(problems) | Failure::Malformed(problems) => {
            refused(400, &sentences(problems))
        }
        Failure::Exists { noun, field, holder } => {
            let by = |id: &Identity| format!(" by {} {}", noun.as_str(), id.uuid);
            let by = holder.as_ref().map(by).unwrap_or_default();
            refused(400, &format!("{} has already been taken{by}", label(field)))
        }
        // Monri has neither versions nor preconditions nor idempotency keys: these four only keep
        // the match whole, and say what they would mean.
        Failure::Stale { .. } => refused(409, "Customer has been changed meanwhile"),
        Failure::PreconditionFailed { .. } => refused(412, "Precondition failed"),
        Failure::PreconditionRequired => refused(428, "Precondition required"),
        Failure::KeyReused => refused(400, "Idempotency key was used for another request"),
        Failure::InFlight => refused(409, "The same request is still in work"),
        Failure::WrongState { is, needs } => {
            refused(400, &format!("Customer is {is}, but must be {needs}"))
        }
        Failure::Unauthenticated { .. } => {
            failed(401, "Unauthorized").with("www-authenticate", "WP3-v2.1, Bearer")
        }
        // Only persons are asked for more, and they do not come here.
        Failure::Forbidden | Failure::StepUp { .. } => failed(403, "Forbidden"),
        Failure::TooMany { retry_after_seconds } => {
            retry(failed(429, "Too many requests"), *retry_after_seconds)
        }
        Failure::TooLarge { limit } => {
            refused(413, &format!("Request is too large (maximum is {limit})"))
        }
        Failure::OutOfRange { max } => {
            refused(400, &format!("Offset is too large (maximum is {max})"))
        }
        Failure::Beyond { .. } => refused(410, "There is no such position any more"),
        Failure::UnsupportedMediaType { supported } => {
            refused(415, &format!("Content type must be {supported}"))
        }
        Failure::NotAcceptable => refused(406, "Not acceptable"),
        Failure::NotServed => refused(501, "Not served here"),
        Failure::TimedOut => failed(408, "The request took too long"),
        Failure::Unavailable { retry_after_seconds } => {
            retry(failed(503, "Temporarily unavailable"), *retry_after_seconds)
        }
        Failure::Internal(_) => failed(500, "Internal error"),
    }
}

fn answer(code: u16, status: &'static str, message: &str) -> Reply {
    Reply::value(code, &json!({"status": status, "message": message}))
}

fn retry(reply: Reply, seconds: u64) -> Reply {
    reply.with("retry-after", seconds.to_string())
}

fn not_found(noun: Noun) -> String {
    let mut words = noun.as_str().to_owned();
    words[..1].make_ascii_uppercase();
    format!("{words} not found")
}

/// All problems in one line, each said once.
fn sentences(problems: &Problems) -> String {
    let mut said: Vec<String> = Vec::new();
    for Problem { field, why } in problems {
        let sentence = format!("{} {}", label(field), predicate(why));
        if !said.contains(&sentence) {
            said.push(sentence);
        }
    }
    if said.is_empty() { "Request is invalid".to_owned() } else { said.join(", ") }
}

/// What people call a field; wire names and core names. Names of members that are not ours,
/// metadata keys among them, are the caller's own text and are not repeated.
fn label(field: &str) -> &'static str {
    match field.split('.').next().unwrap_or_default() {
        "merchant_customer_id" | "reference" => "Merchant customer id",
        "description" => "Description",
        "email" => "Email",
        "name" | "full_name" => "Name",
        "phone" => "Phone",
        "metadata" => "Metadata",
        "zip_code" => "Zip code",
        "city" => "City",
        "address" | "addresses" | "billing" => "Address",
        "country" => "Country",
        "limit" => "Limit",
        "offset" => "Offset",
        "uuid" => "Uuid",
        "client_id" => "Client id",
        "client_secret" => "Client secret",
        "grant_type" => "Grant type",
        "scopes" => "Scopes",
        _ => "Request",
    }
}

fn predicate(why: &Why) -> String {
    match why {
        Why::Required | Why::RequiredWithout { .. } => "can't be blank".to_owned(),
        Why::TooLong { max } => format!("is too long (maximum is {max} characters)"),
        Why::TooShort { min: 1 } => "is too short (minimum is 1 character)".to_owned(),
        Why::TooShort { min } => format!("is too short (minimum is {min} characters)"),
        Why::Malformed { expected } | Why::WrongType { expected } => format!("must be {expected}"),
        Why::Taken => "has already been taken".to_owned(),
        // The shared sentences say it well; here they begin with the field.
        other => lowered(&other.to_string()),
    }
}

fn lowered(sentence: &str) -> String {
    let sentence = sentence.trim_end_matches('.');
    let mut chars = sentence.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}
