//! A span for every request to an API, where traces are wanted: what was asked, how it was
//! answered, how long that took. Nothing of what was sent but the method, and the ids that tie it
//! to the caller's own trace (W3C `traceparent`) and to the log.

use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, Method};
use opentelemetry::{
    KeyValue, global,
    global::BoxedTracer,
    propagation::Extractor,
    trace::{Span as _, SpanBuilder, SpanKind, Status, Tracer as _},
};

use crate::exchange::Exchange;

/// The header that is taken over. Its companion `tracestate` is not: it may hold anything.
const PARENT: &str = "traceparent";

/// Who makes spans; nobody unless [`start`] was called.
static TRACER: OnceLock<BoxedTracer> = OnceLock::new();

/// From now on every request makes a span, for the provider and by the propagator that were made
/// the global ones before.
pub fn start() {
    TRACER.get_or_init(|| global::tracer("patron"));
}

/// A request that was answered.
pub(crate) struct Answered<'a> {
    /// Name of the API.
    pub dialect: &'static str,
    /// Operation and the template of its path; none where the path leads to none.
    pub operation: Option<(&'static str, &'static str)>,
    /// What was sent.
    pub exchange: &'a Exchange,
    /// Status of the answer.
    pub status: u16,
    /// Name of the failure, where it is one.
    pub failure: Option<&'static str>,
    /// Time it took.
    pub elapsed: Duration,
}

impl Answered<'_> {
    /// Makes its span, which is handed over to a bounded queue and never waits.
    pub(crate) fn tell(&self) {
        let Some(tracer) = TRACER.get() else { return };
        let Answered { dialect, operation, exchange, status, failure, elapsed } = *self;
        let end = SystemTime::now();
        let method = method(&exchange.method);
        let name = match operation {
            Some((_, path)) => format!("{method} {path}"),
            None => method.to_owned(),
        };
        let mut attributes = vec![
            KeyValue::new("http.request.method", method),
            KeyValue::new("http.response.status_code", i64::from(status)),
            KeyValue::new("patron.api", dialect),
            KeyValue::new("patron.request_id", exchange.request_id.to_string()),
        ];
        if let Some((id, path)) = operation {
            attributes.push(KeyValue::new("http.route", path));
            attributes.push(KeyValue::new("patron.operation", id));
        }
        attributes.extend(exchange.space.get().map(|s| KeyValue::new("patron.space", s.number)));
        attributes.extend(failure.map(|failure| KeyValue::new("error.type", failure)));
        let built = SpanBuilder::from_name(name)
            .with_kind(SpanKind::Server)
            .with_start_time(end.checked_sub(elapsed).unwrap_or(end))
            .with_attributes(attributes);
        let parent = global::get_text_map_propagator(|propagator| {
            propagator.extract(&Parent(&exchange.headers))
        });
        let mut span = tracer.build_with_context(built, &parent);
        if status >= 500 {
            span.set_status(Status::error(""));
        }
        span.end_with_timestamp(end);
    }
}

/// A method that HTTP knows; others are the sender's words.
fn method(method: &Method) -> &'static str {
    const KNOWN: [Method; 7] = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
    ];
    const NAMES: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    let at = KNOWN.iter().position(|known| known == method);
    at.map_or("_OTHER", |at| NAMES[at])
}

/// The one header of a request that a propagator may read.
struct Parent<'a>(&'a HeaderMap);

impl Extractor for Parent<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        let value = (name == PARENT).then(|| self.0.get(PARENT)).flatten()?;
        value.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        vec![PARENT]
    }
}
