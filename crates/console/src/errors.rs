//! Refusals as pages: what happened, what did not, what to do, and the id of the request.

use askama::Template;
use patron_app::sign_in::NO_TOKEN;
use patron_gateway::{Exchange, Reply, browsers::FROM_ELSEWHERE};
use patron_model::Failure;

use crate::{frame::Frame, page};

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    f: Frame,
    status: u16,
    /// The word by which the sentences are found.
    kind: &'static str,
    /// Where to go on.
    on: Option<(&'static str, String)>,
    request: &'a str,
}

/// Status of a failure, and the word for what it says.
pub fn told(failure: &Failure) -> (u16, &'static str) {
    match failure {
        Failure::Unauthenticated { reason: NO_TOKEN | FROM_ELSEWHERE } => (403, "again"),
        Failure::Unauthenticated { .. } => (401, "sign-in"),
        Failure::StepUp { .. } => (403, "prove"),
        Failure::Forbidden => (403, "forbidden"),
        Failure::NotFound { .. } | Failure::NoRoute | Failure::NotServed => (404, "missing"),
        Failure::MethodNotAllowed { .. } => (405, "method"),
        Failure::NotAcceptable => (406, "method"),
        Failure::UnsupportedMediaType { .. } => (415, "method"),
        Failure::Malformed(_) | Failure::OutOfRange { .. } | Failure::Beyond { .. } => {
            (400, "malformed")
        }
        Failure::Invalid(_) | Failure::KeyReused => (422, "invalid"),
        Failure::Stale { .. } | Failure::PreconditionFailed { .. } => (412, "stale"),
        Failure::PreconditionRequired => (428, "stale"),
        Failure::Exists { .. } | Failure::WrongState { .. } => (409, "state"),
        Failure::InFlight => (409, "busy"),
        Failure::TooMany { .. } => (429, "busy"),
        Failure::TooLarge { .. } => (413, "large"),
        Failure::TimedOut | Failure::Unavailable { .. } => (503, "busy"),
        Failure::Internal(_) => (500, "broken"),
    }
}

/// A failure as a page; who has to sign in, or to prove once more who they are, is led there.
pub fn render(failure: &Failure, exchange: &Exchange) -> Reply {
    let (status, kind) = told(failure);
    let root = page::root(exchange.path());
    let next = page::encoded(&page::own_target(exchange));
    let is_page = exchange.method.is_safe();
    let on = match (kind, failure) {
        ("sign-in", _) if is_page => {
            return Reply::empty(303).with("location", format!("{root}sign-in?next={next}"));
        }
        ("sign-in", _) => Some(("go-sign-in", format!("{root}sign-in"))),
        ("prove", Failure::StepUp { methods }) if methods.is_empty() => None,
        ("prove", _) if is_page => {
            return Reply::empty(303).with("location", format!("{root}prove?next={next}"));
        }
        ("prove", _) => {
            // Back to the page with the form, once it is proven.
            let next = page::encoded(&page::sent_from(exchange).unwrap_or_else(|| "/".to_owned()));
            Some(("go-prove", format!("{root}prove?next={next}")))
        }
        ("missing" | "forbidden", _) => Some(("go-start", page::url(exchange.path(), "/"))),
        _ => None,
    };
    let kind = match failure {
        Failure::StepUp { methods } if methods.is_empty() => "factor",
        _ => kind,
    };
    let f = Frame::plain(exchange, "error-title");
    let request = &exchange.request_id;
    let reply = page::html(status, &ErrorPage { f, status, kind, on, request });
    let mut reply = reply.unwrap_or_else(|_| Reply::empty(status));
    if let Failure::TooMany { retry_after_seconds } | Failure::Unavailable { retry_after_seconds } =
        failure
    {
        reply.set("retry-after", retry_after_seconds.to_string());
    }
    reply
}
