//! Media types, parameters, unknown paths and methods.

use serde_json::json;

use crate::place::{Shop, refused};

#[tokio::test]
async fn answers_are_json_for_whoever_accepts_it() {
    let shop = Shop::open().await;
    for accept in ["application/json", "*/*", "text/plain,application/json", "application/*;q=0.1"]
    {
        let answer = shop.call_with("GET", "/customers", &[("accept", accept)], None).await;
        assert_eq!(answer.expect(200).header("content-type"), "application/json");
    }
    for accept in ["text/csv", "text/plain", "application/json;q=0"] {
        let answer = shop.call_with("GET", "/customers", &[("accept", accept)], None).await;
        refused(&answer, 406, "not_acceptable", &json!({}));
    }
}

#[tokio::test]
async fn bodies_are_json() {
    let shop = Shop::open().await;
    let send = async |media: &str| {
        let headers = [("content-type", media)];
        shop.call_with("POST", "/customers", &headers, Some(json!({}))).await
    };
    send("application/json; charset=utf-8").await.expect(201);
    for media in ["application/x-www-form-urlencoded", "text/plain", "application/xml"] {
        refused(&send(media).await, 415, "unsupported_media_type", &json!({}));
    }
    // A stray media type on a request without body does no harm.
    let headers = [("content-type", "text/plain")];
    shop.call_with("GET", "/customers", &headers, None).await.expect(200);
}

#[tokio::test]
async fn what_is_no_json_is_refused() {
    let shop = Shop::open().await;
    let target = "/api/v2.0/customers";
    let dialect = &patron_wallee::DIALECT;
    let send = async |body: &[u8]| {
        let signed = shop.server.signed(dialect, &shop.keys, "POST", target, "");
        let mut headers: Vec<(&str, &str)> =
            signed.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        headers.push(("content-type", "application/json"));
        shop.server.raw("POST", target, &headers, body).await
    };
    for (body, line, column) in [
        (&b"{"[..], 1, 1),
        (b"{\n\"givenName\":", 2, 12),
        (b"{\"a\": \xff}", 1, 7),
        (b"anna", 1, 1),
    ] {
        let text = format!("no valid JSON from line {line} column {column}.");
        let broken = json!({"body": format!("Cannot be understood: {text}")});
        refused(&send(body).await, 400, "bad_request", &broken);
    }
    let twice = send(br#"{"givenName":"A","givenName":"B"}"#).await;
    refused(&twice, 400, "bad_request", &json!({"givenName": "Must not appear twice."}));
    refused(&send(b"").await, 400, "bad_request", &json!({"body": "Must be a JSON document."}));
    let no_object = json!({"body": "Must be an object."});
    for body in [&b"[]"[..], b"[{}]", b"null", b"5", b"\"anna\""] {
        refused(&send(body).await, 400, "bad_request", &no_object);
    }
    send(b"{}").await.expect(201);
}

#[tokio::test]
async fn parameters_are_checked() {
    let shop = Shop::open().await;
    let between = |min: i64, max: i64| format!("Must be between {min} and {max}.");
    let whole = "Must be a whole number.".to_owned();
    for (query, field, text) in [
        ("limit=0", "limit", between(1, 100)),
        ("limit=101", "limit", between(1, 100)),
        ("limit=ten", "limit", whole.clone()),
        ("after=0", "after", between(1, i64::MAX)),
        ("after=x", "after", whole.clone()),
        ("after=", "after", whole.clone()),
        ("before=-1", "before", between(1, i64::MAX)),
        ("order=UP", "order", "Must be one of ASC, DESC.".to_owned()),
        ("after=1&before=5", "before", "Must be absent when after is given.".to_owned()),
    ] {
        let answer = shop.get(&format!("/customers?{query}")).await;
        refused(&answer, 400, "bad_request", &json!({field: text}));
    }
    let search = async |query: &str| shop.get(&format!("/customers/search?{query}")).await;
    refused(
        &search("offset=10001").await,
        416,
        "range_not_satisfiable",
        &json!({"offset": "Must be at most 10000."}),
    );
    refused(
        &search("offset=10001&limit=true").await,
        400,
        "bad_request",
        &json!({"limit": whole.clone()}),
    );
    search("offset=10000").await.expect(200);
    let negative = json!({"offset": between(0, i64::MAX)});
    refused(&search("offset=-1").await, 400, "bad_request", &negative);
    refused(&search("offset=x").await, 400, "bad_request", &json!({"offset": whole}));
    refused(&search("limit=101").await, 400, "bad_request", &json!({"limit": between(1, 100)}));
    search("query=&order=&limit=&offset=").await.expect(200);
    refused(
        &shop.get("/customers/anna").await,
        400,
        "bad_request",
        &json!({"id": "Must be a whole number."}),
    );
    for unknown in ["0", "-5", "9223372036854775807"] {
        let answer = shop.get(&format!("/customers/{unknown}")).await;
        refused(&answer, 404, "not_found", &json!({}));
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_are_refused_in_the_same_shape() {
    let shop = Shop::open().await;
    for path in ["/nothing", "/customers/1/nothing", "/customers/", "/customers/1/addresses/2/3"] {
        refused(&shop.get(path).await, 404, "not_found", &json!({}));
    }
    let answer = shop.call("PUT", "/customers/1", None).await;
    refused(&answer, 405, "method_not_allowed", &json!({}));
    assert!(answer.header("allow").contains("PATCH"));
    // `bulk` and `search` are no ids.
    assert_eq!(shop.get("/customers/bulk").await.status, 405);
    assert_eq!(shop.delete("/customers/search").await.status, 405);
}
