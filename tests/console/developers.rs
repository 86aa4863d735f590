//! What programs use: who may see and make keys, and where a secret stands.

use patron_model::permission::Role;
use patron_testkit::{Answer, TestServer};
use serde_json::json;

use super::{Browser, between, customer, native, server};
use crate::webhooks::receiver::Receiver;

/// Somebody who signed in, with the token of the session.
async fn somebody(server: &TestServer) -> (Browser<'_>, String) {
    let mut browser = Browser::new(server);
    browser.sign_in().await;
    let token = browser.token("/console/spaces").await;
    (browser, token)
}

/// The value of the input with an id.
fn value(page: &str, id: &str) -> String {
    let input = between(page, &format!("id=\"{id}\""), ">");
    between(input, "value=\"", "\"").to_owned()
}

/// What a key opens by itself.
async fn by_key(server: &TestServer, key: &str, path: &str) -> Answer {
    let bearer = format!("Bearer {key}");
    server.raw("GET", path, &[("authorization", bearer.as_str())], b"").await
}

#[tokio::test]
async fn a_key_is_made_and_its_secret_is_shown_in_that_answer_alone() {
    let (server, space) = server(Role::Developer).await;
    let (mut browser, token) = somebody(&server).await;
    let new = format!("/console/s/{space}/keys/new");
    let mut fields = vec![
        ("_token", token.as_str()),
        ("once", "6d6b6f5e"),
        ("name", "Plug-in <b>one</b>"),
        ("dialect", "native"),
        ("role", ""),
        ("limit", "these"),
        ("permissions", "customer:read"),
        ("permissions", "comment:read"),
        ("addresses", "192.0.2.0/33"),
        ("expires_at", ""),
        ("public_rights", "none"),
    ];
    let page = browser.post(&new, &fields).await.expect(422).text();
    assert!(page.contains("role=\"alert\"") && page.contains("192.0.2.0/33"), "{page}");
    assert!(page.contains("value=\"customer:read\" checked"), "what was ticked stays ticked");
    fields[8].1 = "";
    let made = browser.post(&new, &fields).await.expect(200);
    assert_eq!(made.header("cache-control"), "no-store");
    let page = made.text();
    let secret = value(&page, "secret-1");
    assert!(secret.starts_with("patron_") && page.contains("Plug-in &#60;b&#62;one"), "{page}");
    by_key(&server, &secret, "/v1/customers").await.expect(200);
    by_key(&server, &secret, "/v1/webhook-endpoints").await.expect(403);
    // The same form again is the same key.
    let again = browser.post(&new, &fields).await.expect(200).text();
    assert_eq!(value(&again, "secret-1"), secret);
    let all = native(&server, "GET", "/v1/keys", None).await.expect(200).json();
    let named = |key: &&serde_json::Value| key["name"] == "Plug-in <b>one</b>";
    assert_eq!(all["data"].as_array().unwrap().iter().filter(named).count(), 1);
    let number = between(&page, "aria-current=\"page\">", "<").to_owned();
    let number: i64 = number.parse().unwrap_or_else(|_| {
        all["data"].as_array().unwrap().iter().find(named).unwrap()["number"].as_i64().unwrap()
    });
    for path in ["", &format!("/{number}"), &format!("/{number}/edit"), "?scope=account"] {
        let page = browser.page(&format!("/console/s/{space}/keys{path}")).await;
        assert!(page.contains("Plug-in") && !page.contains(&secret), "{path}");
    }
    let page = browser.page(&format!("/console/s/{space}/keys/{number}")).await;
    assert!(page.contains("<dt>Customers</dt><dd>see</dd>"), "{page}");
}

#[tokio::test]
async fn a_key_is_changed_replaced_and_revoked() {
    let (server, space) = server(Role::Developer).await;
    let (mut browser, token) = somebody(&server).await;
    let body = json!({"dialect": "native", "name": "Till", "role": 6});
    let made = native(&server, "POST", "/v1/keys", Some(body)).await.expect(201).json();
    let number = made["number"].as_i64().unwrap();
    let old = made["credentials"]["api_key"].as_str().unwrap().to_owned();
    let one = format!("/console/s/{space}/keys/{number}");
    let page = browser.page(&format!("{one}/edit")).await;
    let tag = between(&page, "name=\"tag\" value=\"", "\"").replace("&#34;", "\"");
    let mut fields = vec![
        ("_token", token.as_str()),
        ("once", "a"),
        ("tag", tag.as_str()),
        ("name", "Till two"),
        ("role", "6"),
        ("limit", "keep"),
        ("addresses", "127.0.0.0/8\r\n::1"),
        ("expires_at", "2200-01-01"),
    ];
    let page = browser.post(&format!("{one}/edit"), &fields).await.expect(422).text();
    assert!(page.contains("id=\"expires_at-why\""), "{page}");
    fields.pop();
    let changed = browser.post(&format!("{one}/edit"), &fields).await.expect(303);
    assert!(changed.header("location").ends_with("done=saved"));
    let now = native(&server, "GET", &format!("/v1/keys/{number}"), None).await.json();
    assert_eq!(now["name"], "Till two");
    assert_eq!(now["addresses"], json!(["127.0.0.0/8", "::1/128"]));
    // The form is older than the key now: both sides are shown, and nothing is overwritten.
    fields[1].1 = "b";
    fields[3].1 = "Till three";
    let page = browser.post(&format!("{one}/edit"), &fields).await.expect(412).text();
    assert!(page.contains("Somebody was faster") && page.contains("value=\"Till three\""));
    assert!(page.contains("<bdi class=\"pre\">Till two</bdi>"), "{page}");

    let rotate = [
        ("_token", token.as_str()),
        ("once", "c"),
        ("overlap_seconds", "3600"),
        ("expires_at", ""),
    ];
    let page = browser.post(&format!("{one}/rotate"), &rotate).await.expect(200).text();
    let fresh = value(&page, "secret-1");
    assert_ne!(fresh, old);
    by_key(&server, &fresh, "/v1/customers").await.expect(200);
    by_key(&server, &old, "/v1/customers").await.expect(200);
    // What is final asks for the name.
    let revoke = format!("{one}/revoke");
    let wrong = [("_token", token.as_str()), ("word", "Till")];
    let page = browser.post(&revoke, &wrong).await.expect(422).text();
    assert!(page.contains("id=\"word-why\""), "{page}");
    by_key(&server, &old, "/v1/customers").await.expect(200);
    browser.post(&revoke, &[("_token", &token), ("word", "Till two")]).await.expect(303);
    by_key(&server, &old, "/v1/customers").await.expect(401);
    let page = browser.page(&one).await;
    assert!(page.contains("It opens nothing any more") && !page.contains("/revoke\""), "{page}");
}

#[tokio::test]
async fn nobody_gives_more_than_their_own_and_who_may_not_sees_no_keys() {
    let (own, space) = server(Role::Developer).await;
    let (mut browser, token) = somebody(&own).await;
    let new = format!("/console/s/{space}/keys/new");
    let page = browser.page(&new).await;
    assert!(!page.contains("value=\"account:delete\"") && !page.contains(">Owner<"), "{page}");
    let fields = [
        ("_token", token.as_str()),
        ("once", "a"),
        ("name", "Too much"),
        ("dialect", "native"),
        ("role", "1"),
        ("limit", "all"),
    ];
    let page = browser.post(&new, &fields).await.expect(403).text();
    assert!(page.contains("id=\"role-why\"") && page.contains("value=\"Too much\""), "{page}");
    browser.post(&new, &[("name", "x")]).await.expect(403);

    let (other, space) = server(Role::Support).await;
    let (mut browser, token) = somebody(&other).await;
    let page = browser.page(&format!("/console/s/{space}")).await;
    assert!(!page.contains("/keys\""), "{page}");
    for path in ["keys", "keys/new", "keys/1", "keys/1/rotate", "keys/1/revoke"] {
        browser.get(&format!("/console/s/{space}/{path}")).await.expect(403);
    }
    let new = format!("/console/s/{space}/keys/new");
    browser.post(&new, &[("_token", &token), ("name", "x")]).await.expect(403);
}

/// The one input of a kind in a page, decoded.
fn hidden(page: &str, name: &str) -> String {
    let input = between(page, &format!("name=\"{name}\" value=\""), "\"");
    input.replace("&#34;", "\"")
}

/// A page as soon as it says something, or what it says after a while.
async fn until(browser: &mut Browser<'_>, path: &str, word: &str) -> String {
    for _ in 0..600 {
        let page = browser.page(path).await;
        if page.contains(word) {
            return page;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    browser.page(path).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_is_made_told_something_and_what_failed_is_sent_again() {
    let (server, space) = server(Role::Developer).await;
    let _engine = server.deliver();
    let receiver = Receiver::start().await;
    let (mut browser, token) = somebody(&server).await;
    let all = format!("/console/s/{space}/webhooks");
    let mut fields = vec![
        ("_token", token.as_str()),
        ("once", "a"),
        ("dialect", "native"),
        ("url", "ftp://example.com"),
        ("told", "these"),
        ("types", "customer.created"),
        ("order", "none"),
        ("payload", "thin"),
        ("signature", "v1"),
        ("timeout_seconds", "5"),
        ("filter.metadata", "tier = gold"),
        ("headers", "X-Shop: s3cret value"),
    ];
    let page = browser.post(&format!("{all}/new"), &fields).await.expect(422).text();
    assert!(page.contains("id=\"url-why\"") && page.contains("value=\"ftp://example.com\""));
    assert!(page.contains("value=\"customer.created\" checked"), "{page}");
    fields[3].1 = &receiver.url;
    let page = browser.post(&format!("{all}/new"), &fields).await.expect(200).text();
    let secret = value(&page, "secret-1");
    assert!(secret.starts_with("whsec_"), "{page}");
    let listed = native(&server, "GET", "/v1/webhook-endpoints", None).await.json();
    let made = &listed["data"][0];
    assert_eq!(made["types"], json!(["customer.created"]));
    assert_eq!(made["filter"]["metadata"], json!({"tier": "gold"}));
    let number = made["number"].as_i64().unwrap();
    let one = format!("{all}/{number}");
    for path in [all.as_str(), one.as_str(), &format!("{one}/edit")] {
        let page = browser.page(path).await;
        assert!(!page.contains(&secret) && !page.contains("s3cret"), "{path}: {page}");
    }
    // A test says what was answered and what to do.
    let own = [("_token", token.as_str())];
    let page = browser.post(&format!("{one}/test"), &own).await.expect(200).text();
    assert!(page.contains("HTTP 200") && page.contains("Nothing: it arrived."), "{page}");
    receiver.answers(404);
    let page = browser.post(&format!("{one}/test"), &own).await.expect(200).text();
    assert!(page.contains("HTTP 404") && page.contains("takes no POST there"), "{page}");
    // What does not arrive is a delivery, with its attempts.
    receiver.answers(503);
    customer(&server, json!({"given_name": "Ada", "metadata": {"tier": "gold"}})).await;
    let deliveries = format!("/console/s/{space}/deliveries");
    let page = until(&mut browser, &deliveries, "HTTP 503").await;
    assert!(page.contains("customer.created") && page.contains("waiting"), "{page}");
    let id = between(&page, "/deliveries/", "\"").to_owned();
    let delivery = format!("{deliveries}/{id}");
    let page = browser.page(&delivery).await;
    assert!(page.contains("Attempt 1") && page.contains("The receiver is overloaded"), "{page}");
    receiver.answers(200);
    browser.post(&format!("{delivery}/again"), &own).await.expect(303);
    let page = until(&mut browser, &delivery, "HTTP 200").await;
    assert!(page.contains("delivered") && page.contains("by hand"), "{page}");
    let found = browser.page(&format!("{deliveries}?state=failed&type=customer.created")).await;
    assert!(found.contains("No delivery is like that"), "{found}");
}

#[tokio::test]
async fn an_endpoint_is_changed_paused_resumed_and_deleted() {
    let (server, space) = server(Role::Developer).await;
    let (mut browser, token) = somebody(&server).await;
    let body = json!({"url": "https://example.com/hook", "types": ["customer.*"],
        "headers": {"X-Shop": "s3cret"}});
    let made =
        native(&server, "POST", "/v1/webhook-endpoints", Some(body)).await.expect(201).json();
    let number = made["number"].as_i64().unwrap();
    let api = format!("/v1/webhook-endpoints/{number}");
    let one = format!("/console/s/{space}/webhooks/{number}");
    let page = browser.page(&format!("{one}/edit")).await;
    let tag = hidden(&page, "tag");
    let fields = |once: &'static str| {
        vec![
            ("_token", token.clone()),
            ("once", once.to_owned()),
            ("tag", tag.clone()),
            ("url", "https://example.com/other".to_owned()),
            ("description", "Billing".to_owned()),
            ("told", "all".to_owned()),
            ("order", "customer".to_owned()),
            ("payload", "full".to_owned()),
            ("signature", "both".to_owned()),
            ("timeout_seconds", "9".to_owned()),
            ("parallel", "3".to_owned()),
            ("keep_headers", "true".to_owned()),
            ("filter.subjects", "17\r\n18".to_owned()),
            ("filter.changed", "email".to_owned()),
            ("filter.metadata", String::new()),
        ]
    };
    let mut send = async |path: &str, fields: Vec<(&'static str, String)>| {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
        browser.post(&format!("{one}{path}"), &fields).await
    };
    send("/edit", fields("a")).await.expect(303);
    let now = native(&server, "GET", &api, None).await.json();
    assert_eq!((&now["url"], &now["types"]), (&json!("https://example.com/other"), &json!(["*"])));
    assert_eq!(now["filter"]["subjects"], json!([17, 18]));
    assert_eq!(
        (&now["parallel"], now["headers"]["x-shop"].is_string()),
        (&json!(3), true),
        "{now}"
    );
    // What others changed meanwhile is not overwritten unseen.
    let page = send("/edit", fields("b")).await.expect(412).text();
    assert!(page.contains("Somebody was faster") && hidden(&page, "tag") != tag, "{page}");
    let own = |more: &[(&'static str, &str)]| {
        let more = more.iter().map(|(name, value)| (*name, (*value).to_owned()));
        more.chain([("_token", token.clone())]).collect::<Vec<_>>()
    };
    send("/switch", own(&[("enabled", "false")])).await.expect(303);
    let now = native(&server, "GET", &api, None).await.json();
    assert_eq!((&now["state"], &now["state_reason"]), (&json!("paused"), &json!("user")));
    send("/switch", own(&[("enabled", "true"), ("resume_from", "now")])).await.expect(303);
    let page = send("/secrets", own(&[("overlap_seconds", "3600"), ("once", "c")])).await;
    assert!(value(&page.expect(200).text(), "secret-1").starts_with("whsec_"));
    let secrets = native(&server, "GET", &format!("{api}/secrets"), None).await.json();
    assert_eq!(secrets["data"].as_array().unwrap().len(), 2);
    let first = secrets["data"].as_array().unwrap().iter().map(|one| one["n"].as_i64().unwrap());
    let first = first.min().unwrap();
    send(&format!("/secrets/{first}/end"), own(&[])).await.expect(303);
    let page = send("/replays", own(&[("since", "some day"), ("only", "all")])).await.expect(422);
    assert!(page.text().contains("id=\"since-why\""));
    send("/replays", own(&[("since", "2020-01-01"), ("only", "all")])).await.expect(303);
    let page = send("/delete", own(&[("word", "example.org")])).await.expect(422);
    assert!(page.text().contains("id=\"word-why\""));
    send("/delete", own(&[("word", "example.com")])).await.expect(303);
    native(&server, "GET", &api, None).await.expect(404);
}
