//! The pages that links in mails lead to: a form each, whose button does what the link is for.
//! Opening one does nothing, because programs that look through mails open links too. What the link
//! holds stands behind its `#`, which browsers send to nobody.

use axum::{
    Router,
    http::header,
    response::{IntoResponse, Response},
    routing::get,
};

const PAGE: &str = include_str!("link_pages/page.html");
const SCRIPT: &str = include_str!("link_pages/page.js");
/// They load nothing from elsewhere, and nobody shows them in a frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// All of them.
pub fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/console/invite", get(page))
        .route("/console/reset", get(page))
        .route("/console/email", get(page))
        .route("/console/approve", get(page))
        .route("/console/links.js", get(script))
}

async fn page() -> Response {
    sent("text/html; charset=utf-8", PAGE)
}

async fn script() -> Response {
    sent("text/javascript; charset=utf-8", SCRIPT)
}

fn sent(kind: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, text).into_response()
}
