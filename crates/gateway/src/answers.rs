//! What every answer says beside what its API has to say.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::{
    body::{Body, HttpBody},
    response::Response,
};
use bytes::Bytes;
use http::{HeaderValue, header};
use hyper::body::Frame;
use tokio::sync::mpsc;

use crate::exchange::{Exchange, Reply};

/// The answer as it leaves.
pub(crate) fn response(reply: Reply, exchange: &Exchange) -> Response {
    let body = match reply.stream {
        Some(pieces) => Body::new(Pieces(pieces)),
        None => Body::from(reply.body),
    };
    let mut response = Response::new(body);
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&exchange.request_id) {
        headers.insert("x-request-id", id);
    }
    // Every answer may show a person, a refusal too: it names what was looked for. Who says
    // otherwise has made sure of it.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    guarded(response)
}

/// What every answer says, whatever it is: a browser takes it for what it is said to be.
pub fn guarded(mut response: Response) -> Response {
    let nosniff = HeaderValue::from_static("nosniff");
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}

/// A body that comes piece by piece. Dropped when the client goes: whoever sends notices it.
struct Pieces(mpsc::Receiver<Bytes>);

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
    }
}
