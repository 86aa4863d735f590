//! An operation that is done on behalf of a request to another door. The console does nothing by
//! itself: what its pages show and its buttons do are operations of an API, asked for by the person
//! who looks at it, with the same rights, refusals, repeats and audit.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};
use patron_app::Actor;
use patron_model::Failure;
use serde_json::Value;

use crate::{
    dialect::Claim,
    exchange::{Exchange, Reply, Request},
    operation::Operation,
    pass::Line,
    paths::params,
};

/// Headers of the outer request that say something about its own body and conditions.
const OUTER: [&str; 7] = [
    "content-type",
    "content-length",
    "if-match",
    "if-none-match",
    "idempotency-key",
    "prefer",
    "authorization",
];

/// An operation to be done, and what it is told.
pub struct Call<'a> {
    /// The operation.
    pub operation: &'a Operation,
    /// Its path, percent-encoded.
    pub path: String,
    /// Its query string, without the question mark; may be empty.
    pub query: String,
    /// Its headers, beside those that the browser sent.
    pub headers: Vec<(&'static str, String)>,
    /// Its body.
    pub body: Option<Value>,
}

impl Request {
    /// Does an operation for whoever asked for this request: the same person in the same space.
    ///
    /// # Errors
    /// Whatever the operation answers, as its own door would be told.
    pub async fn call(&self, call: Call<'_>) -> Result<Reply, Failure> {
        let claim = match &self.cx.actor {
            Actor::Caller(caller) => {
                Some(Claim::new(Arc::clone(caller), self.cx.space).cut(self.cx.cut))
            }
            Actor::Anonymous => None,
            Actor::Operator | Actor::Person(_) => {
                return Err(Failure::internal("a call on behalf of no request"));
            }
        };
        let Some(work) = &self.cx.work else {
            return Err(Failure::internal("a call outside of a request"));
        };
        let exchange = Arc::new(inner(&self.exchange, &call)?);
        let line = Line { app: &self.cx.app, site: &self.site, operation: call.operation };
        // On the heap: it is the same future as the one that waits for it.
        Box::pin(line.pass(exchange, claim.as_ref(), work)).await
    }
}

fn inner(outer: &Exchange, call: &Call<'_>) -> Result<Exchange, Failure> {
    let operation = call.operation;
    let mut exchange = outer.clone();
    exchange.method = operation.method.clone();
    exchange.params = params(operation.path, &call.path);
    exchange.target = match call.query.as_str() {
        "" => call.path.clone(),
        query => format!("{}?{query}", call.path),
    };
    exchange.operation = operation.id;
    exchange.body = match &call.body {
        Some(body) => Bytes::from(serde_json::to_vec(body).map_err(Failure::internal)?),
        None => Bytes::new(),
    };
    for name in OUTER {
        exchange.headers.remove(name);
    }
    if call.body.is_some() {
        let json = HeaderValue::from_static("application/json");
        exchange.headers.insert(header::CONTENT_TYPE, json);
    }
    for (name, value) in &call.headers {
        let value = HeaderValue::from_str(value).map_err(Failure::internal)?;
        exchange.headers.insert(HeaderName::from_static(name), value);
    }
    Ok(exchange)
}
