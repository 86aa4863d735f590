//! Signing in: all schemes on all operations, and everything that must not pass.

use patron_app::keys::{self, NewKey, NewSecret};
use patron_model::space::Role;
use patron_monri::{DIALECT, NAME, digest::Signed};
use serde_json::json;

use crate::place::{Merchant, assert_error, assert_refused};

/// An `Authorization` header over exactly these parts.
fn header(
    merchant: &Merchant,
    scheme: &str,
    timestamp: &str,
    fullpath: &str,
    body: &str,
) -> String {
    let token = merchant.key("authenticity_token");
    let signed = Signed {
        merchant_key: merchant.key("merchant_key").as_bytes(),
        timestamp,
        authenticity_token: token,
        body: body.as_bytes(),
    };
    let digest = match scheme {
        "WP3-v2" => signed.without_path(),
        _ => signed.with_path(fullpath),
    };
    format!("{scheme} {token} {timestamp} {digest}")
}

#[tokio::test]
async fn all_schemes_open_what_they_may() {
    let merchant = Merchant::new().await;
    let path = merchant.create_path(json!({"merchant_customer_id": "m-1"})).await;
    let methods = format!("{path}/payment-methods?limit=1");
    let bearer = merchant.bearer(&["customers"]).await;
    for (method, target, body) in [
        ("POST", "/v2/customers", "{}"),
        ("GET", "/v2/customers?limit=1&x=%C4%8D", ""),
        ("GET", path.as_str(), ""),
        ("POST", path.as_str(), r#"{"name":"Ž"}"#),
        ("GET", "/v2/merchants/customers/m-1", ""),
        ("GET", methods.as_str(), ""),
        ("DELETE", path.as_str(), ""),
    ] {
        for scheme in ["WP3-v2.1", "WP3-v2"] {
            for timestamp in ["1593457122", "1593457122000", "2020-06-29T18:58:42Z", "0"] {
                let header = header(&merchant, scheme, timestamp, target, body);
                let answer = merchant.authorized(&header, method, target, body).await;
                if scheme == "WP3-v2" && body.is_empty() {
                    assert_error(&answer, 401, "error", "Unauthorized");
                    continue;
                }
                assert_eq!(answer.status, 200, "{scheme} {method} {target}: {}", answer.text());
                assert_eq!(answer.json()["status"], "approved");
                assert_eq!(answer.header("cache-control"), "no-store");
            }
        }
        let answer = merchant.authorized(&bearer, method, target, body).await;
        assert_eq!(answer.status, 200, "Bearer {method} {target}: {}", answer.text());
    }
}

#[tokio::test]
async fn wrong_signatures_are_refused() {
    let merchant = Merchant::new().await;
    let target = "/v2/customers?limit=5";
    let good = header(&merchant, "WP3-v2.1", "1", target, "");
    merchant.authorized(&good, "GET", target, "").await.expect(200);
    let upper = good.rsplit_once(' ').map(|(head, d)| format!("{head} {}", d.to_uppercase()));
    merchant.authorized(&upper.expect("parts"), "GET", target, "").await.expect(200);
    let relabelled = header(&merchant, "WP3-v2", "1", target, "");
    let token = merchant.key("authenticity_token").to_owned();
    let other_digit = if good.ends_with('0') { "1" } else { "0" };
    for bad in [
        String::new(),
        "Bearer".to_owned(),
        "Basic YTpi".to_owned(),
        format!("WP3-v2-Client {token}"),
        good[..good.len() - 1].to_owned(),
        format!("{}{other_digit}", &good[..good.len() - 1]),
        good.replacen(' ', "  ", 1),
        good.replacen(&token, &"0".repeat(40), 1),
        good.replacen(" 1 ", " 2 ", 1),
        good.replacen("WP3-v2.1", "WP3-v2", 1),
        relabelled.replacen("WP3-v2 ", "WP3-v2.1 ", 1),
        header(&merchant, "WP3-v2.1", "1", "/v2/customers", ""),
        header(&merchant, "WP3-v2.1", "1", "/v2/customers?limit=6", ""),
        header(&merchant, "WP3-v2.1", "1", target, "x"),
    ] {
        let answer = merchant.authorized(&bad, "GET", target, "").await;
        assert_error(&answer, 401, "error", "Unauthorized");
        assert_ne!(answer.header("www-authenticate"), "");
    }
    let answer = merchant.server.raw("GET", target, &[], b"").await;
    assert_error(&answer, 401, "error", "Unauthorized");
}

#[tokio::test]
async fn percent_encoding_is_signed_as_sent() {
    let merchant = Merchant::new().await;
    merchant.create(json!({"merchant_customer_id": "a-b"})).await;
    let sent = "/v2/merchants/customers/a%2Db";
    let decoded = "/v2/merchants/customers/a-b";
    let as_sent = header(&merchant, "WP3-v2.1", "1", sent, "");
    merchant.authorized(&as_sent, "GET", sent, "").await.expect(200);
    let as_decoded = header(&merchant, "WP3-v2.1", "1", decoded, "");
    let answer = merchant.authorized(&as_decoded, "GET", sent, "").await;
    assert_error(&answer, 401, "error", "Unauthorized");
}

#[tokio::test]
async fn an_altered_body_is_refused_before_it_is_read() {
    let merchant = Merchant::new().await;
    for scheme in ["WP3-v2.1", "WP3-v2"] {
        let header = header(&merchant, scheme, "1", "/v2/customers", r#"{"name":"A"}"#);
        for body in [r#"{"name":"B"}"#, r#"{"name": "A"}"#, "{", ""] {
            let answer = merchant.authorized(&header, "POST", "/v2/customers", body).await;
            assert_error(&answer, 401, "error", "Unauthorized");
        }
    }
    assert_eq!(merchant.get("/v2/customers").await.json()["data"], json!([]));
}

#[tokio::test]
async fn signatures_without_path_are_refused_unless_switched_on_and_sent_with_a_body() {
    let merchant = Merchant::new().await;
    let path = merchant.create_path(json!({})).await;
    let with_body = header(&merchant, "WP3-v2", "1", "", "{}");
    let without_body = header(&merchant, "WP3-v2", "1", "", "");
    for (switch, code) in
        [(json!("off"), 401), (json!("on"), 200), (json!(null), 401), (json!("maybe"), 401)]
    {
        let off = json!("off");
        merchant.switch(json!({"wp3_v2": switch, "timestamp_window_seconds": off})).await;
        let answer = merchant.authorized(&with_body, "POST", "/v2/customers", "{}").await;
        assert_eq!(answer.status, code, "{switch}");
        for (method, target) in [("GET", "/v2/customers"), ("DELETE", &path), ("POST", &path)] {
            let answer = merchant.authorized(&without_body, method, target, "").await;
            assert_error(&answer, 401, "error", "Unauthorized");
        }
        merchant.get("/v2/customers").await.expect(200);
    }
    merchant.get(&path).await.expect(200);
}

/// A space as `space create` makes it, without the sandbox's switches.
async fn plain() -> Merchant {
    let mut merchant = Merchant::at("2026-01-02T03:04:05Z").await;
    merchant.keys = merchant.server.other_space(NAME).await;
    merchant
}

#[tokio::test]
async fn a_new_space_takes_present_times_and_the_newer_scheme_only() {
    let merchant = plain().await;
    let now = 1_767_323_045;
    for (scheme, timestamp, code) in [
        ("WP3-v2.1", now.to_string(), 200),
        ("WP3-v2.1", format!("{now}123"), 200),
        ("WP3-v2.1", (now - 300).to_string(), 200),
        ("WP3-v2.1", (now + 300).to_string(), 200),
        ("WP3-v2.1", (now - 301).to_string(), 401),
        ("WP3-v2.1", (now + 301).to_string(), 401),
        ("WP3-v2.1", format!("+{now}"), 401),
        ("WP3-v2.1", "2026-01-02T03:04:05Z".to_owned(), 401),
        ("WP3-v2", now.to_string(), 401),
    ] {
        let header = header(&merchant, scheme, &timestamp, "/v2/customers", "{}");
        let answer = merchant.authorized(&header, "POST", "/v2/customers", "{}").await;
        assert_eq!(answer.status, code, "{scheme} {timestamp}");
    }
}

/// The digest of a harmless request, sent again with other parts, to a sandbox, which takes every
/// scheme and time, and to a space as it is made.
#[tokio::test]
async fn a_digest_of_one_request_is_good_for_no_other() {
    for (merchant, stamp) in [(Merchant::new().await, "1"), (plain().await, "1767323045")] {
        let made = merchant.create_path(json!({"name": "Ana", "metadata": {"k": "v"}})).await;
        let one = made.as_str();
        let methods = format!("{one}/payment-methods?limit=10");
        let (braced, hidden) = (format!("{one}?x={{}}"), format!("{one}?x="));
        let note = r#"{"name":"/v2/customers"}"#;
        // What is signed and seen: method, target, body; what is made of it.
        for ((signed, body), sent) in [
            // The two attacks as they were found.
            (("/v2/customers?limit=1", ""), ("WP3-v2", "DELETE", one, "/v2/customers?limit=1")),
            ((&methods, ""), ("WP3-v2.1", "DELETE", one, "/payment-methods?limit=10")),
            // Their cousins: other methods, the body taken for path, the path for body.
            (("/v2/customers?limit=1", ""), ("WP3-v2", "GET", one, "/v2/customers?limit=1")),
            (("/v2/customers?limit=1", ""), ("WP3-v2", "POST", one, "/v2/customers?limit=1")),
            ((&methods, ""), ("WP3-v2.1", "POST", one, "/payment-methods?limit=10")),
            ((&hidden, "{}"), ("WP3-v2.1", "DELETE", &braced, "")),
            (("/v2/customers", note), ("WP3-v2.1", "DELETE", one, note)),
            ((one, r#"{"name":"M"}"#), ("WP3-v2", "POST", one, r#"{"name":"M"}"#)),
            (("", note), ("WP3-v2.1", "POST", one, note)),
            (("", r#"{"name":"M"}"#), ("WP3-v2.1", "DELETE", one, r#"{"name":"M"}"#)),
        ] {
            let (scheme, method, target, sent_body) = sent;
            let seen = header(&merchant, "WP3-v2.1", stamp, signed, body);
            let digest = seen.rsplit(' ').next().expect("a digest");
            let token = merchant.key("authenticity_token");
            let forged = format!("{scheme} {token} {stamp} {digest}");
            let answer = merchant.authorized(&forged, method, target, sent_body).await;
            let what = format!("{signed} {body} sent as {sent:?}: {}", answer.text());
            assert!(matches!(answer.status, 400 | 401), "{what}");
            let left = merchant.get(one).await.expect(200).json();
            assert_eq!((&left["name"], &left["deleted"]), (&json!("Ana"), &json!(false)), "{what}");
        }
    }
}

/// Refused for what it is, before the digest is looked at, and told how to do better.
#[tokio::test]
async fn requests_whose_text_could_be_read_twice_are_refused() {
    let merchant = Merchant::new().await;
    let path = merchant.create_path(json!({})).await;
    let braced = format!("{path}?x={{}}");
    let bodiless = "Request must be sent without a body: only a signed POST has one";
    let encoded = "Request must be sent to a path and query in which { is written as %7B";
    for (method, target, body, message) in [
        ("GET", "/v2/customers", "{}", bodiless),
        ("DELETE", path.as_str(), "{}", bodiless),
        ("DELETE", &path, " ", bodiless),
        ("POST", &path, "[]", "Request must be a JSON object"),
        ("POST", &path, "name=A", "Request must be a JSON object"),
        ("DELETE", &braced, "", encoded),
    ] {
        let header = header(&merchant, "WP3-v2.1", "1", target, body);
        let answer = merchant.authorized(&header, method, target, body).await;
        assert_refused(&answer, message);
    }
    let encoded = format!("{path}?x=%7B%7D");
    let header = header(&merchant, "WP3-v2.1", "1", &encoded, "");
    merchant.authorized(&header, "DELETE", &encoded, "").await.expect(200);
}

/// An empty body is none, however it is announced.
#[tokio::test]
async fn an_empty_body_may_be_announced() {
    let merchant = Merchant::new().await;
    let authorization = header(&merchant, "WP3-v2.1", "1", "/v2/customers", "");
    for announced in ["content-length: 0\r\n\r\n", "transfer-encoding: chunked\r\n\r\n0\r\n\r\n"] {
        let answer = merchant.written(&authorization, "GET", "/v2/customers", announced).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{announced}: {answer}");
    }
    for hidden in
        ["content-length: 2\r\n\r\n{}", "transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"]
    {
        let answer = merchant.written(&authorization, "GET", "/v2/customers", hidden).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{hidden}: {answer}");
    }
}

/// The format does not sign the method; that stands in the docs.
#[tokio::test]
async fn the_method_is_not_signed() {
    let merchant = plain().await;
    let path = merchant.create_path(json!({})).await;
    let seen = header(&merchant, "WP3-v2.1", "1767323045", &path, "");
    merchant.authorized(&seen, "GET", &path, "").await.expect(200);
    merchant.authorized(&seen, "DELETE", &path, "").await.expect(200);
}

#[tokio::test]
async fn a_space_sets_how_fresh_timestamps_are() {
    let merchant = Merchant::at("2026-01-02T03:04:05Z").await;
    let now = 1_767_323_045;
    for window in [json!("60"), json!(60)] {
        merchant.switch(json!({"timestamp_window_seconds": window})).await;
        for (timestamp, code) in [
            (now.to_string(), 200),
            ((now - 60).to_string(), 200),
            ((now + 60).to_string(), 200),
            ((now - 61).to_string(), 401),
            ((now + 61).to_string(), 401),
            (format!("{now}999"), 200),
            (format!("{}000", now - 60), 200),
            (format!("{}000", now - 61), 401),
            ("1593457122".to_owned(), 401),
            ("18446744073709551615".to_owned(), 401),
            ("99999999999999999999999".to_owned(), 401),
            ("-1".to_owned(), 401),
            ("2026-01-02T03:04:05Z".to_owned(), 401),
        ] {
            let header = header(&merchant, "WP3-v2.1", &timestamp, "/v2/customers", "");
            let answer = merchant.authorized(&header, "GET", "/v2/customers", "").await;
            assert_eq!(answer.status, code, "{timestamp}");
        }
    }
    for (window, code) in [(json!("off"), 200), (json!("a minute"), 401), (json!(null), 401)] {
        merchant.switch(json!({"timestamp_window_seconds": window})).await;
        let header = header(&merchant, "WP3-v2.1", &(now - 301).to_string(), "/v2/customers", "");
        let answer = merchant.authorized(&header, "GET", "/v2/customers", "").await;
        assert_eq!(answer.status, code, "{window}: one that cannot be read is closed");
    }
}

#[tokio::test]
async fn merchants_do_not_see_each_other() {
    let merchant = Merchant::new().await;
    let path = merchant.create_path(json!({"merchant_customer_id": "shared"})).await;
    let foreign = merchant.server.other_space(NAME).await;
    let call = |method, target: String, body| {
        let (server, foreign) = (&merchant.server, &foreign);
        async move { server.call(&DIALECT, foreign, method, &target, body).await }
    };
    for (method, target, body) in [
        ("GET", path.clone(), None),
        ("POST", path.clone(), Some(json!({"name": "Mallory"}))),
        ("DELETE", path.clone(), None),
        ("GET", format!("{path}/payment-methods"), None),
        ("GET", "/v2/merchants/customers/shared".to_owned(), None),
        ("GET", "/v2/customers/shared/payment-methods".to_owned(), None),
    ] {
        let answer = call(method, target, body).await;
        assert_error(&answer, 404, "invalid-request", "Customer not found");
    }
    let listed = call("GET", "/v2/customers".to_owned(), None).await.json();
    assert_eq!(listed, json!({"status": "approved", "data": []}));
    let own = json!({"merchant_customer_id": "shared"});
    call("POST", "/v2/customers".to_owned(), Some(own)).await.expect(200);
    let mine = merchant.get(&path).await.json();
    assert_eq!((&mine["name"], &mine["deleted"]), (&json!(null), &json!(false)));
}

#[tokio::test]
async fn a_revoked_key_opens_nothing() {
    let merchant = Merchant::new().await;
    let bearer = merchant.bearer(&["customers"]).await;
    merchant.authorized(&bearer, "GET", "/v2/customers", "").await.expect(200);
    let caller = merchant.server.app.caller(NAME, merchant.key("authenticity_token")).await;
    let number = caller.expect("a caller").key.number;
    let cx = merchant.cx().await;
    keys::revoke(&cx, number).await.expect("revoked");
    assert_error(&merchant.get("/v2/customers").await, 401, "error", "Unauthorized");
    let answer = merchant.authorized(&bearer, "GET", "/v2/customers", "").await;
    assert_error(&answer, 401, "error", "Unauthorized");
    let answer = merchant.post_client(json!(["customers"])).await;
    assert_error(&answer, 401, "error", "Unauthorized");
}

#[tokio::test]
async fn a_key_that_may_only_read_cannot_write() {
    let mut merchant = Merchant::new().await;
    let path = merchant.create_path(json!({})).await;
    let caller = merchant.server.app.caller(NAME, merchant.key("authenticity_token")).await;
    let caller = caller.expect("a caller");
    let space = caller.home().expect("a space");
    let secret = NewSecret::Signing(b"reader".to_vec());
    let reader = NewKey::of_space(space, NAME, Role::ReadOnly, Some("b".repeat(40)), secret);
    keys::create(&merchant.cx().await, reader).await.expect("a key");
    merchant.keys["authenticity_token"] = json!("b".repeat(40));
    merchant.keys["merchant_key"] = json!("reader");
    merchant.get(&path).await.expect(200);
    for answer in [
        merchant.post(&path, json!({"name": "A"})).await,
        merchant.post("/v2/customers", json!({})).await,
        merchant.delete(&path).await,
    ] {
        assert_error(&answer, 403, "error", "Forbidden");
    }
}
