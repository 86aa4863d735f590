//! What every answer says beside what its API has to say.

use axum::{body::Body, response::Response};
use http::{HeaderValue, header};

use crate::exchange::{Exchange, Reply};

/// The answer as it leaves.
pub(crate) fn response(reply: Reply, exchange: &Exchange) -> Response {
    let mut response = Response::new(Body::from(reply.body));
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&exchange.request_id) {
        headers.insert("x-request-id", id);
    }
    // Every answer may show a person, a refusal too: it names what was looked for.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    guarded(response)
}

/// What every answer says, whatever it is: a browser takes it for what it is said to be.
pub fn guarded(mut response: Response) -> Response {
    let nosniff = HeaderValue::from_static("nosniff");
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}
