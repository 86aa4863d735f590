//! Who is let in.

use patron_app::keys;
use patron_model::space::Role;
use patron_native::DIALECT;

use crate::{admin::key, place::Native};

#[tokio::test]
async fn wrong_keys_open_nothing() {
    let native = Native::start().await;
    for header in [None, Some("Bearer nope"), Some("Basic abc"), Some("nope"), Some("Bearer ")] {
        let headers: Vec<(&str, &str)> = header.map(|h| ("authorization", h)).into_iter().collect();
        let answer = native.server.raw("GET", "/v1/customers", &headers, b"").await.expect(401);
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
    let writer = key(&native, Role::Integration, false).await;
    let call = || native.server.call(&DIALECT, &writer, "GET", "/v1/customers", None);
    call().await.expect(200);
    let cx = native.server.app.operator(0, "test");
    keys::revoke(&cx, writer["number"].as_i64().unwrap()).await.unwrap();
    call().await.expect(401);
}
