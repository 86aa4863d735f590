//! Failures as RFC 9457 problem documents: a stable `type`, every fault with a JSON pointer.

use patron_app::sign_in::{NO_TOKEN, OVER};
use patron_gateway::{Exchange, Reply, browsers::FROM_ELSEWHERE, limits::QuotaState};
use patron_model::{Failure, Problems, Why};
use schemars::JsonSchema;
use serde::Serialize;

/// A problem document (RFC 9457).
#[derive(Debug, Serialize, JsonSchema)]
pub struct ProblemDocument {
    /// Stable address of the kind of problem; the reference explains it.
    #[serde(rename = "type")]
    kind: String,
    /// What went wrong, in general.
    title: &'static str,
    /// HTTP status.
    pub status: u16,
    /// What went wrong this time and what to do.
    detail: String,
    /// Id of the request, also in the log.
    request_id: String,
    /// Every fault of the input.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Fault>,
    /// Version the record has, when another was expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    current_version: Option<i64>,
    /// UUID of the record that has the value, where the key may read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    existing_id: Option<uuid::Uuid>,
    /// By what a person may prove who they are, when that is asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    methods: Vec<&'static str>,
    /// Position of the last event, when one behind it was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    head: Option<i64>,
}

impl ProblemDocument {
    /// The same of something that stands at a place of the body.
    #[must_use]
    pub fn below(mut self, place: &str) -> ProblemDocument {
        for fault in &mut self.errors {
            fault.pointer.insert_str(0, place);
        }
        self
    }
}

/// One fault of the input.
#[derive(Debug, Serialize, JsonSchema)]
struct Fault {
    /// JSON pointer into the body, or the name of a parameter or header.
    pointer: String,
    /// Stable word for the fault.
    code: &'static str,
    /// What is wrong with it.
    detail: String,
}

/// Whether somebody proves there who they are.
fn is_sign_in(path: &str) -> bool {
    path.starts_with("/v1/sign-in/") || path == "/v1/step-up"
}

/// What everybody is told who does not get in, whatever the reason.
const REFUSED_SIGN_IN: &str = "Address and password do not fit. Where too much was tried for an \
                               address, only browsers that signed in before are looked at.";

/// What who has no second factor is told where a role demands one.
const NEEDS_FACTOR: &str = "A role of yours counts only with a second factor, and you have none \
                            yet. Add one: POST /v1/me/totp or POST /v1/me/passkeys/options.";

struct Shape {
    status: u16,
    slug: &'static str,
    title: &'static str,
    detail: String,
}

fn shape(status: u16, slug: &'static str, title: &'static str, detail: impl Into<String>) -> Shape {
    Shape { status, slug, title, detail: detail.into() }
}

/// Every kind of problem: slug, status, title and a typical detail, for the reference.
pub fn problems() -> Vec<(&'static str, u16, &'static str, String)> {
    let noun = patron_model::Noun::Customer;
    let field = "reference";
    let (is, needs, what, supported) = ("merged", "deleted", "If-Match", "application/json");
    let retry_after_seconds = 1;
    [
        Failure::Malformed(Problems::new()),
        Failure::OutOfRange { max: 10_000 },
        Failure::Beyond { head: 41 },
        Failure::Unauthenticated { reason: "" },
        Failure::Forbidden,
        Failure::StepUp { methods: Vec::new() },
        Failure::NotFound { noun },
        Failure::NoRoute,
        Failure::MethodNotAllowed { allowed: "GET, POST".into() },
        Failure::NotAcceptable,
        Failure::NotServed,
        Failure::TimedOut,
        Failure::Exists { noun, field, holder: None },
        Failure::WrongState { is, needs },
        Failure::InFlight,
        Failure::Stale { have: 2, want: 1 },
        Failure::PreconditionFailed { what },
        Failure::TooLarge { limit: 100 },
        Failure::UnsupportedMediaType { supported },
        Failure::Invalid(Problems::new()),
        Failure::KeyReused,
        Failure::PreconditionRequired,
        Failure::TooMany { retry_after_seconds },
        Failure::internal(""),
        Failure::Unavailable { retry_after_seconds },
    ]
    .iter()
    .map(describe)
    .map(|Shape { status, slug, title, detail }| (slug, status, title, detail))
    .collect()
}

/// A failure as a problem document.
pub fn document(failure: &Failure, exchange: &Exchange) -> ProblemDocument {
    let errors = match failure {
        Failure::Invalid(problems) | Failure::Malformed(problems) => faults(problems),
        Failure::Exists { field, .. } => faults(&Problems::one(*field, Why::Taken)),
        _ => Vec::new(),
    };
    let (mut current_version, mut existing_id, mut head) = (None, None, None);
    let mut methods = Vec::new();
    match failure {
        Failure::Stale { have, .. } => current_version = Some(*have),
        Failure::Exists { holder, .. } => existing_id = holder.map(|holder| holder.uuid),
        Failure::Beyond { head: at } => head = Some(*at),
        Failure::StepUp { methods: known } => methods.clone_from(known),
        _ => {}
    }
    let Shape { status, slug, title, detail } = describe(failure);
    let detail = match failure {
        Failure::Unauthenticated { reason } => match about_session(reason) {
            Some(about) => about.to_owned(),
            None if is_sign_in(exchange.path()) => REFUSED_SIGN_IN.to_owned(),
            None => detail,
        },
        Failure::StepUp { methods } if methods.is_empty() => NEEDS_FACTOR.to_owned(),
        // Nothing was asked to change.
        Failure::Unavailable { .. } if exchange.method.is_safe() => "Try again shortly.".to_owned(),
        _ => detail,
    };
    ProblemDocument {
        kind: format!("/docs/native#problem-{slug}"),
        title,
        status,
        detail,
        request_id: exchange.request_id.to_string(),
        errors,
        current_version,
        existing_id,
        methods,
        head,
    }
}

/// A failure in this API's error shape.
pub fn render(failure: &Failure, exchange: &Exchange) -> Reply {
    let document = document(failure, exchange);
    let body = serde_json::to_vec(&document).unwrap_or_default();
    let mut reply = Reply::bytes(document.status, "application/problem+json", body);
    match failure {
        Failure::Unauthenticated { .. } => reply.set("www-authenticate", "Bearer"),
        Failure::TooMany { retry_after_seconds } | Failure::Unavailable { retry_after_seconds } => {
            reply.set("retry-after", retry_after_seconds.to_string());
        }
        Failure::MethodNotAllowed { allowed } => reply.set("allow", allowed),
        _ => {}
    }
    reply
}

/// What a browser would have to send, where a session is refused.
fn about_session(reason: &str) -> Option<&'static str> {
    match reason {
        NO_TOKEN => Some(
            "The session came without its token. Send Patron-CSRF: <csrf>, as signing in answered \
             it.",
        ),
        OVER => Some("The session is over. Sign in again: POST /v1/sign-in/password."),
        FROM_ELSEWHERE => Some(
            "Sessions are taken from pages of this server only, which Sec-Fetch-Site or Origin \
             tells.",
        ),
        _ => None,
    }
}

fn describe(failure: &Failure) -> Shape {
    match failure {
        Failure::NotFound { noun } => {
            shape(404, "not-found", "Not found", format!("There is no such {}.", noun.as_str()))
        }
        Failure::NoRoute => {
            shape(404, "no-route", "No such path", "See /docs/native for all paths.")
        }
        Failure::MethodNotAllowed { allowed } => shape(
            405,
            "method-not-allowed",
            "Method not allowed",
            format!("This path answers {allowed}."),
        ),
        Failure::Invalid(_) => shape(
            422,
            "invalid",
            "Refused input",
            "Nothing was changed. Every fault is listed in errors.",
        ),
        Failure::Malformed(_) => shape(
            400,
            "malformed",
            "Input not understood",
            "Nothing was changed. Every fault is listed in errors.",
        ),
        Failure::Stale { .. } => shape(
            412,
            "stale",
            "The record has changed",
            "Read it again, apply your change to what is there now, and send its new ETag.",
        ),
        Failure::PreconditionFailed { what } => shape(
            412,
            "precondition-failed",
            "Precondition failed",
            format!("{what} does not hold."),
        ),
        Failure::PreconditionRequired => shape(
            428,
            "precondition-required",
            "Precondition required",
            "This space refuses changes without If-Match (or If-None-Match: * to create).",
        ),
        Failure::Exists { noun, field, holder: _ } => shape(
            409,
            "exists",
            "Already there",
            format!("Another {} has this {field}.", noun.as_str()),
        ),
        Failure::WrongState { is, needs } => shape(
            409,
            "wrong-state",
            "Wrong state",
            format!("It is {is}; it would have to be {needs}."),
        ),
        Failure::Unauthenticated { .. } => shape(
            401,
            "unauthenticated",
            "Sign-in required",
            "Send a valid key: Authorization: Bearer <key>.",
        ),
        Failure::Forbidden => shape(
            403,
            "forbidden",
            "Not allowed",
            "This key may not do this, or not in this space.",
        ),
        Failure::KeyReused => shape(
            422,
            "idempotency-key-reused",
            "Idempotency key reused",
            "This key belongs to another request. Use a new key.",
        ),
        Failure::InFlight => shape(
            409,
            "in-flight",
            "Still running",
            "A request with this idempotency key is still running. Try again shortly.",
        ),
        other => describe_limits(other),
    }
}

fn describe_limits(failure: &Failure) -> Shape {
    match failure {
        Failure::StepUp { .. } => shape(
            403,
            "step-up-required",
            "Proof required",
            "Prove once more who you are: POST /v1/step-up by one of the methods.",
        ),
        Failure::TooMany { retry_after_seconds } => shape(
            429,
            "too-many-requests",
            "Too many requests",
            format!("Try again in {retry_after_seconds} seconds."),
        ),
        Failure::TooLarge { limit } => {
            shape(413, "too-large", "Too large", format!("At most {limit} are accepted here."))
        }
        Failure::OutOfRange { max } => {
            shape(400, "out-of-range", "Out of range", format!("At most {max} can be asked for."))
        }
        Failure::Beyond { head } => shape(410, "beyond", "No such position", behind(*head)),
        Failure::UnsupportedMediaType { supported } => shape(
            415,
            "unsupported-media-type",
            "Media type not supported",
            format!("Send {supported}."),
        ),
        Failure::NotAcceptable => {
            shape(406, "not-acceptable", "Not acceptable", "Only JSON is answered here.")
        }
        Failure::NotServed => {
            shape(501, "not-served", "Not served", "This server does not serve the operation.")
        }
        Failure::TimedOut => shape(
            408,
            "timed-out",
            "Timed out",
            "The request was not complete in time. It is safe to repeat it with the same key.",
        ),
        // Whether a change was made is not always known, and never here.
        Failure::Unavailable { .. } => shape(
            503,
            "unavailable",
            "Not available",
            "Try again shortly. A change may have been made: with the same Idempotency-Key it is \
             made once.",
        ),
        // The other variants were taken above; a new one must be given a shape of its own there.
        Failure::Internal(_)
        | Failure::NotFound { .. }
        | Failure::NoRoute
        | Failure::MethodNotAllowed { .. }
        | Failure::Invalid(_)
        | Failure::Malformed(_)
        | Failure::Stale { .. }
        | Failure::PreconditionFailed { .. }
        | Failure::PreconditionRequired
        | Failure::Exists { .. }
        | Failure::WrongState { .. }
        | Failure::Unauthenticated { .. }
        | Failure::Forbidden
        | Failure::KeyReused
        | Failure::InFlight => shape(
            500,
            "internal",
            "Internal fault",
            "The fault is ours and is logged under the request id.",
        ),
    }
}

/// What to do about a position that is no more.
fn behind(head: i64) -> String {
    format!(
        "The last event is {head}: this data was restored from before what you have read. Compare \
         what you have with the records and continue with after={head}."
    )
}

fn faults(problems: &Problems) -> Vec<Fault> {
    problems
        .iter()
        .map(|problem| Fault {
            pointer: pointer(&problem.field),
            code: problem.why.code(),
            detail: problem.why.to_string(),
        })
        .collect()
}

/// A dotted path as a JSON pointer (RFC 6901).
fn pointer(field: &str) -> String {
    if field.is_empty() {
        return String::new();
    }
    let escaped = field.replace('~', "~0").replace('/', "~1");
    format!("/{}", escaped.replace('.', "/"))
}

/// Headers that every answer carries.
pub fn finish(reply: &mut Reply, _exchange: &Exchange, quota: Option<QuotaState>) {
    if let Some(QuotaState { limit, remaining, reset_seconds }) = quota {
        reply.set("ratelimit-policy", format!("\"key\";q={limit};w=60"));
        reply.set("ratelimit", format!("\"key\";r={remaining};t={reset_seconds}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reads_is_not_told_of_changes() {
        let failure = Failure::Unavailable { retry_after_seconds: 1 };
        let said = |method| {
            let now = patron_model::Timestamp::from_micros(0);
            let reply = render(&failure, &Exchange::new(method, "/v1/customers", now));
            String::from_utf8_lossy(&reply.body).into_owned()
        };
        assert!(!said(http::Method::GET).contains("change"), "{}", said(http::Method::GET));
        assert!(said(http::Method::POST).contains("A change may have been made"));
    }

    #[test]
    fn points_into_the_body() {
        assert_eq!(pointer("email"), "/email");
        assert_eq!(pointer("metadata.a/b~c"), "/metadata/a~1b~0c");
        assert_eq!(pointer(""), "");
    }
}
