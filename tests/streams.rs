//! The feed as a stream, as its readers see it: nothing is lost across a break, nobody is shown
//! more than he may see at that moment, and it takes nothing from others.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use patron_app::{keys, secrets::hmac_sha256};
use patron_gateway::limits::Limits;
use patron_native::DIALECT;
use patron_testkit::{TestServer, client::Events};
use serde_json::{Value, json};

const FEED: &str = "/v1/events";

struct Place {
    server: TestServer,
    keys: Value,
}

impl Place {
    async fn new() -> Place {
        let server = TestServer::start(&[&DIALECT]).await;
        let keys = server.credentials("native");
        Place { server, keys }
    }

    async fn call(&self, method: &str, target: &str, body: Value) -> Value {
        let body = Some(body).filter(|body| !body.is_null());
        let answer = self.server.call(&DIALECT, &self.keys, method, target, body).await;
        assert!(answer.status < 300, "{method} {target}: {}", answer.text());
        answer.json()
    }

    async fn customer(&self, name: &str) -> Value {
        self.call("POST", "/v1/customers", json!({"full_name": name})).await
    }

    async fn open(&self, query: &str, headers: &[(&str, &str)]) -> Events {
        let target = format!("{FEED}{query}");
        let opened = self.server.events(&DIALECT, &self.keys, &target, headers).await;
        opened.unwrap_or_else(|answer| panic!("{} {}", answer.status, answer.text()))
    }

    async fn refused(&self, query: &str, headers: &[(&str, &str)]) -> (u16, Value) {
        let target = format!("{FEED}{query}");
        let opened = self.server.events(&DIALECT, &self.keys, &target, headers).await;
        let Err(answer) = opened else { panic!("{query} was opened") };
        (answer.status, answer.json())
    }
}

async fn next(events: &mut Events) -> (String, String, Value) {
    let event = tokio::time::timeout(Duration::from_secs(60), events.event()).await;
    event.expect("an event in time").expect("an event")
}

/// Is done when the stream has ended.
async fn ended(events: &mut Events) -> bool {
    let rest = async { while events.block().await.is_some() {} };
    tokio::time::timeout(Duration::from_secs(60), rest).await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_comes_in_order_and_goes_on_where_it_broke_off() {
    let place = Place::new().await;
    let first = place.customer("Ada Lovelace").await;
    let mut events = place.open("", &[]).await;
    let (id, kind, shown) = next(&mut events).await;
    assert_eq!(kind, "customer.created");
    assert_eq!(shown["number"], first["number"]);
    assert_eq!(shown["id"], format!("evt_1_{}", shown["seq"]));
    assert_eq!(id, shown["seq"].to_string());
    // The same as the page says, id and all.
    let page = place.call("GET", FEED, Value::Null).await;
    assert_eq!(page["data"][0], shown);
    // What comes while it is open.
    let one = format!("/v1/customers/{}", first["number"]);
    place.call("PATCH", &one, json!({"email": "ada@example.com"})).await;
    let (second, kind, shown) = next(&mut events).await;
    assert_eq!((kind.as_str(), &shown["changed"]), ("customer.updated", &json!(["email"])));
    drop(events);
    for n in 0..100 {
        place.customer(&format!("Number {n}")).await;
    }
    // As a browser comes back: the same request, and where it was.
    let mut events = place.open("?after=0", &[("last-event-id", &second)]).await;
    let second: i64 = second.parse().unwrap();
    for position in second + 1..=second + 100 {
        let (id, _, shown) = next(&mut events).await;
        assert_eq!(id.parse::<i64>().unwrap(), position, "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_was_asked_for_comes_and_its_records_where_they_are_wanted() {
    let place = Place::new().await;
    let ada = place.customer("Ada").await;
    let mut of_ada = place
        .open(&format!("?from=now&subject={}&types=customer.*,comment.created", ada["number"]), &[])
        .await;
    let mut full = place.open("?from=now&types=customer.updated&expand=record", &[]).await;
    let grace = place.customer("Grace").await;
    let of = |customer: &Value| format!("/v1/customers/{}", customer["number"]);
    for customer in [&grace, &ada] {
        let comments = format!("{}/comments", of(customer));
        place.call("POST", &comments, json!({"content": "hello"})).await;
        place.call("PATCH", &of(customer), json!({"email": "a@example.com"})).await;
    }
    for expected in ["comment.created", "customer.updated"] {
        let (_, kind, shown) = next(&mut of_ada).await;
        assert_eq!((kind.as_str(), &shown["subject"]), (expected, &ada["number"]));
        assert!(shown.get("record").is_none());
    }
    for customer in [&grace, &ada] {
        let (_, _, shown) = next(&mut full).await;
        assert_eq!(shown["record"]["full_name"], customer["full_name"]);
    }
    // Pages know the same filters.
    let page = format!("{FEED}?types=comment.*&subject={}", ada["number"]);
    let page = place.call("GET", &page, Value::Null).await;
    assert_eq!(page["data"].as_array().unwrap().len(), 1);
    for (query, header, status) in [
        ("?types=Customer", None, 400),
        ("?types=customer", None, 400),
        ("?subject=0", None, 400),
        ("?limit=10", None, 400),
        ("?wait=10", None, 400),
        ("?from=then", None, 400),
        ("?from=now&after=1", None, 400),
        ("?as=mail", None, 400),
        ("?dialect=native", None, 400),
        ("?as=delivery&dialect=nobody", None, 400),
        ("?nonsense=1", None, 400),
        ("", Some("x"), 400),
        ("?after=1000000", None, 410),
        ("", Some("1000000"), 410),
    ] {
        let header = header.map(|value| ("last-event-id", value));
        let (is, body) = place.refused(query, header.as_slice()).await;
        assert_eq!(is, status, "{query} {body}");
    }
    for query in ["?from=now", "?as=delivery", "?dialect=native"] {
        let target = format!("{FEED}{query}");
        let page = place.server.call(&DIALECT, &place.keys, "GET", &target, None).await;
        page.expect(400);
    }
}

/// Rights are those of the moment, not of when the stream was opened (R6).
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_the_rights_of_its_reader() {
    let mut place = Place::new().await;
    let rights = ["event:read", "customer:read"];
    let body = json!({"dialect": "native", "permissions": rights});
    let key = place.call("POST", "/v1/keys", body).await;
    let owner = std::mem::replace(&mut place.keys, key["credentials"].clone());
    let mut events = place.open("?from=now", &[]).await;
    let reader = std::mem::replace(&mut place.keys, owner);
    let customer = place.customer("Ada").await;
    let comments = format!("/v1/customers/{}/comments", customer["number"]);
    place.call("POST", &comments, json!({"content": "not for you"})).await;
    place.customer("Grace").await;
    for _ in 0..2 {
        let (_, kind, _) = next(&mut events).await;
        assert_eq!(kind, "customer.created", "what may not be seen is left out");
    }
    // By another node: this one has to find out.
    let other = place.server.beside(Limits::default()).await;
    let number = key["number"].as_i64().unwrap();
    keys::revoke(&other.app.operator(0, "test"), number).await.unwrap();
    assert!(ended(&mut events).await);
    place.keys = reader;
    assert_eq!(place.refused("", &[]).await.0, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_take_no_place_from_requests_and_end_with_the_server() {
    let limits = Limits { requests_in_work_max: 2, ..Limits::default() };
    let server = TestServer::start_with(&[&DIALECT], patron_app::Clock::System, limits).await;
    let keys = server.credentials("native");
    let place = Place { server, keys };
    let mut open = Vec::new();
    for _ in 0..patron_app::shares::KEY_STREAMS_MAX {
        open.push(place.open("?from=now", &[]).await);
    }
    assert_eq!(place.refused("", &[]).await.0, 503);
    place.customer("Ada").await;
    for events in &mut open {
        assert_eq!(next(events).await.1, "customer.created");
    }
    open.pop();
    // Its place is free as soon as its end is noticed.
    for tries in 0.. {
        let target = FEED;
        let opened = place.server.events(&DIALECT, &place.keys, target, &[]).await;
        match opened {
            Ok(events) => {
                open.push(events);
                break;
            }
            Err(_) => assert!(tries < 1_000),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    place.server.app.stop();
    for mut events in open {
        assert!(ended(&mut events).await);
    }
}

/// A silent stream says so, and where it is, so that nobody passes over the same entries again.
#[tokio::test(flavor = "multi_thread")]
async fn a_silent_stream_says_that_it_is_there() {
    let place = Place::new().await;
    let mut events = place.open("?types=comment.*", &[]).await;
    assert_eq!(events.block().await.unwrap(), ": open");
    place.customer("Ada").await;
    let block = tokio::time::timeout(Duration::from_secs(120), events.block()).await;
    let block = block.expect("a comment in time").unwrap();
    assert!(block.starts_with(": ") && block.ends_with("\nid: 1"), "{block}");
}

/// What `patron listen` passes on is what an endpoint would be told, signed with a secret that
/// stays the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_deliveries_is_signed() {
    let place = Place::new().await;
    let query = "?as=delivery&dialect=native&types=customer.*";
    let mut events = place.open(query, &[]).await;
    let (id, kind, hello) = next(&mut events).await;
    assert_eq!((id.as_str(), kind.as_str()), ("", "hello"));
    let customer = place.customer("Ada").await;
    let (_, kind, posted) = next(&mut events).await;
    assert_eq!(kind, "customer.created");
    let (headers, body) = (&posted["headers"], posted["body"].as_str().unwrap());
    let told: Value = serde_json::from_str(body).unwrap();
    assert_eq!((&told["data"], &told["id"]), (&customer, &posted["id"]));
    assert_eq!(headers["webhook-id"], posted["id"]);
    let secret = hello["secret"].as_str().unwrap().strip_prefix("whsec_").unwrap();
    let timestamp = headers["webhook-timestamp"].as_str().unwrap();
    let message = format!("{}.{timestamp}.{body}", posted["id"].as_str().unwrap());
    let signed = hmac_sha256(&BASE64.decode(secret).unwrap(), message.as_bytes());
    assert_eq!(headers["webhook-signature"], format!("v1,{}", BASE64.encode(signed)));
    let mut again = place.open(query, &[]).await;
    assert_eq!(next(&mut again).await.2["secret"], hello["secret"]);
    let other = place.server.other_space("native").await;
    let other = place.server.events(&DIALECT, &other, &format!("{FEED}{query}"), &[]).await;
    let mut other = other.unwrap_or_else(|answer| panic!("{}", answer.text()));
    assert_ne!(next(&mut other).await.2["secret"], hello["secret"]);
}
