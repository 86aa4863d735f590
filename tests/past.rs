//! Deleted people: without the right to see the past they are as missing as if they had never been,
//! by every way that once led to them, in every API; with it the formats keep what they promise.

use patron_gateway::Dialect;
use patron_testkit::{Answer, TestServer};
use serde_json::{Value, json};

use crate::api::ALL;

/// Words of the deleted person that must not appear.
const TRACES: [&str; 4] = ["zebulon", "quagga", "1815-z", "6 savanna"];
/// What an integration may do but see the past.
const BUT_THE_PAST: [&str; 11] = [
    "customer:read",
    "customer:write",
    "customer:export",
    "customer:import",
    "customer:merge",
    "comment:read",
    "comment:write",
    "payment_method:read",
    "payment_method:write",
    "event:read",
    "key:read",
];

struct Place {
    server: TestServer,
    /// Number and UUID of somebody who was deleted.
    number: i64,
    uuid: String,
}

fn person() -> Value {
    json!({
        "given_name": "Zebulon", "family_name": "Quagga", "email": "zebulon@example.com",
        "reference": "1815-Z",
        "addresses": [{"purpose": "both", "line1": "6 Savanna", "city": "Nairobi"}],
    })
}

impl Place {
    async fn start() -> Place {
        let server = TestServer::start(&ALL).await;
        let mut place = Place { server, number: 0, uuid: String::new() };
        let keyed = [("idempotency-key", "once")];
        let owner = place.server.credentials("native");
        let made = place.native_with(&owner, "POST", "/v1/customers", &keyed, Some(person())).await;
        let made = made.expect(201).json();
        place.number = made["number"].as_i64().unwrap();
        place.uuid = made["id"].as_str().unwrap().to_owned();
        let one = format!("/v1/customers/{}", place.number);
        place.native(&owner, "DELETE", &one, None).await.expect(204);
        place
    }

    async fn native(&self, key: &Value, method: &str, to: &str, body: Option<Value>) -> Answer {
        self.native_with(key, method, to, &[], body).await
    }

    async fn native_with(
        &self,
        key: &Value,
        method: &str,
        to: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Answer {
        self.server.call_with(ALL[0], key, method, to, headers, body).await
    }

    fn owner(&self, dialect: &Dialect) -> Value {
        self.server.credentials(dialect.name)
    }

    /// Credentials of a key that may do what an integration may, but not see the past.
    async fn key(&self, dialect: &Dialect) -> Value {
        let body = json!({"dialect": dialect.name, "permissions": BUT_THE_PAST});
        let made = self.native(&self.owner(ALL[0]), "POST", "/v1/keys", Some(body)).await;
        made.expect(201).json()["credentials"].clone()
    }
}

fn shows_nothing(answer: &Answer, what: &str) {
    let text = answer.text().to_lowercase();
    for trace in TRACES {
        assert!(!text.contains(trace), "{what} shows {trace}: {text}");
    }
}

#[tokio::test]
async fn native_ways_to_the_past_need_the_right_to_see_it() {
    let place = Place::start().await;
    let key = place.key(ALL[0]).await;
    let owner = place.owner(ALL[0]);
    let one = format!("/v1/customers/{}", place.number);
    let now = patron_model::Timestamp::rfc3339_micros(place.server.app.clock.now());
    for (target, needs) in [
        ("/v1/customers?deleted=only".to_owned(), 403),
        ("/v1/customers?deleted=true".into(), 403),
        ("/v1/customers?deleted=include&total=true".into(), 403),
        ("/v1/customers?deleted=only&q=zebulon".into(), 403),
        (format!("{one}/history"), 403),
        (format!("{one}/history?expand=record"), 403),
        (format!("{one}/diff?from=1"), 403),
        (format!("{one}/comments/1/history"), 403),
        (format!("{one}/payment-methods/1/history"), 403),
        (format!("{one}?version=1"), 404),
        (format!("{one}?as_of={now}"), 404),
        (format!("/v1/customers/{}?version=1", place.uuid), 404),
        (one.clone(), 404),
        ("/v1/customers/by-reference/1815-Z".into(), 404),
        ("/v1/customers?q=zebulon".into(), 200),
        ("/v1/customers?email=zebulon@example.com".into(), 200),
        ("/v1/customers?deleted_at[gte]=2000-01-01".into(), 200),
        ("/v1/events?expand=record".into(), 200),
        (format!("{one}/addresses"), 404),
        (format!("{one}/comments"), 404),
    ] {
        let answer = place.native(&key, "GET", &target, None).await;
        assert_eq!(answer.status, needs, "{target}: {}", answer.text());
        shows_nothing(&answer, &target);
    }
    let restore = format!("{one}/restore");
    shows_nothing(&place.native(&key, "POST", &restore, None).await.expect(404), &restore);
    // A repeat of the request that made it shows what was: to who may see that.
    let keyed = [("idempotency-key", "once")];
    let repeat = async |key: &Value| {
        place.native_with(key, "POST", "/v1/customers", &keyed, Some(person())).await
    };
    shows_nothing(&repeat(&key).await.expect(404), "a repeat");
    repeat(&owner).await.expect(201);
    // With the right everything is there, as before.
    for target in [
        "/v1/customers?deleted=only".to_owned(),
        format!("{one}/history?expand=record"),
        format!("{one}?version=1"),
        format!("{one}?as_of={now}"),
        "/v1/events?expand=record".into(),
    ] {
        let answer = place.native(&owner, "GET", &target, None).await.expect(200);
        assert!(answer.text().contains("Zebulon"), "{target}: {}", answer.text());
    }
    place.native(&owner, "POST", &restore, None).await.expect(200);
    place.native(&key, "GET", &one, None).await.expect(200);
}

#[tokio::test]
async fn nobody_is_told_what_will_be() {
    let place = Place::start().await;
    let owner = place.owner(ALL[0]);
    let one = format!("/v1/customers/{}?as_of=2999-01-01T00:00:00Z", place.number);
    let answer = place.native(&owner, "GET", &one, None).await.expect(400);
    assert!(answer.text().contains("as_of"), "{}", answer.text());
    shows_nothing(&answer, "the future");
}

#[tokio::test]
async fn a_past_state_of_the_living_is_the_past_too() {
    let place = Place::start().await;
    let (key, owner) = (place.key(ALL[0]).await, place.owner(ALL[0]));
    let made = place.native(&owner, "POST", "/v1/customers", Some(person())).await.expect(201);
    let one = format!("/v1/customers/{}", made.json()["number"]);
    let other = json!({"given_name": "Ada", "family_name": "L", "email": "ada@example.com",
        "reference": "ada"});
    place.native(&owner, "PATCH", &one, Some(other)).await.expect(200);
    place.native(&key, "GET", &format!("{one}?version=1"), None).await.expect(403);
    place.native(&key, "GET", &format!("{one}/history"), None).await.expect(403);
    place.native(&key, "GET", &format!("{one}/diff?from=1"), None).await.expect(403);
    let revert = Some(json!({"version": 1}));
    place.native(&key, "POST", &format!("{one}/revert"), revert).await.expect(403);
    let events = place.native(&key, "GET", "/v1/events?expand=record", None).await.expect(200);
    for trace in ["zebulon", "quagga", "1815-z"] {
        assert!(!events.text().to_lowercase().contains(trace), "{}", events.text());
    }
    let events = events.json();
    let records: Vec<&Value> = events["data"].as_array().unwrap().iter().collect();
    assert_eq!(records.len(), 4, "every change is told");
    let shown = records.iter().filter(|event| !event["record"].is_null()).count();
    assert_eq!(shown, 1, "and what is so now is shown");
    assert_eq!(records[3]["record"]["email"], "ada@example.com");
}

#[tokio::test]
async fn entries_about_what_a_key_may_not_read_are_left_out() {
    let place = Place::start().await;
    let owner = place.owner(ALL[0]);
    let made = place.native(&owner, "POST", "/v1/customers", Some(json!({}))).await.expect(201);
    let comments = format!("/v1/customers/{}/comments", made.json()["number"]);
    place.native(&owner, "POST", &comments, Some(json!({"content": "x"}))).await.expect(201);
    let body = json!({"dialect": "native", "permissions": ["event:read", "comment:read"]});
    let key = place.native(&owner, "POST", "/v1/keys", Some(body)).await.expect(201).json();
    let key = &key["credentials"];
    let feed = place.native(key, "GET", "/v1/events", None).await.expect(200).json();
    let kinds: Vec<&str> =
        feed["data"].as_array().unwrap().iter().map(|e| e["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["comment.created"]);
    assert_eq!(feed["next"], 4, "reading goes on behind those left out");
    place.native(key, "GET", "/v1/events?expand=record", None).await.expect(403);
    let body = json!({"dialect": "native", "permissions": ["customer:read"]});
    let key = place.native(&owner, "POST", "/v1/keys", Some(body)).await.expect(201).json();
    let with_comments = "/v1/customers?expand=comments";
    place.native(&key["credentials"], "GET", with_comments, None).await.expect(403);
}

fn dialect(name: &str) -> &'static Dialect {
    ALL.into_iter().find(|dialect| dialect.name == name).unwrap()
}

#[tokio::test]
async fn payabli_lists_and_exports_of_the_deleted_need_the_right() {
    let place = Place::start().await;
    let api = dialect("payabli");
    let (key, owner) = (place.key(api).await, place.owner(api));
    let entry = key["entry"].as_str().unwrap();
    let org = &key["org_id"];
    let queries = ["status(eq)=-99", "status(in)=-99|1", "parameters=%7B%22status(eq)%22%3A-99%7D"];
    for query in queries {
        for path in [
            format!("/api/Query/customers/{entry}?{query}"),
            format!("/api/Query/customers/org/{org}?{query}"),
            format!("/api/Query/customers/{entry}?{query}&exportFormat=csv"),
            format!("/api/Export/customers/csv/{entry}?{query}"),
            format!("/api/Export/customers/csv/org/{org}?{query}"),
        ] {
            let hidden = place.server.call(api, &key, "GET", &path, None).await.expect(200);
            shows_nothing(&hidden, &path);
            assert!(!hidden.text().contains("\"totalRecords\":1"), "{path}: {}", hidden.text());
            let shown = place.server.call(api, &owner, "GET", &path, None).await.expect(200);
            let text = shown.text().to_lowercase();
            assert!(text.contains("quagga"), "{path} as the format has it: {text}");
        }
    }
    let file = format!("/api/Query/customers/{entry}?exportFormat=csv");
    let told = async || {
        let log = "/v1/audit-log?action=customer.exported&limit=200";
        let log = place.native(&place.owner(ALL[0]), "GET", log, None).await.expect(200).json();
        log["data"].as_array().unwrap().len()
    };
    let before = told().await;
    place.server.call(api, &owner, "GET", &file, None).await.expect(200);
    assert_eq!(told().await, before + 1, "a list that is a file is an export");
    let body = json!({"dialect": "payabli", "permissions": ["customer:read"]});
    let reader = place.native(&place.owner(ALL[0]), "POST", "/v1/keys", Some(body)).await;
    let reader = &reader.expect(201).json()["credentials"];
    place.server.call(api, reader, "GET", &file, None).await.expect(403);
}

#[tokio::test]
async fn monri_says_that_somebody_is_deleted_and_not_who() {
    let place = Place::start().await;
    let api = dialect("monri");
    let path = format!("/v2/customers/{}", place.uuid);
    for keys in [place.key(api).await, place.owner(api)] {
        let answer = place.server.call(api, &keys, "GET", &path, None).await.expect(200);
        shows_nothing(&answer, "monri");
        let shown = answer.json();
        assert_eq!((&shown["deleted"], &shown["uuid"]), (&json!(true), &json!(place.uuid)));
        assert!(shown["deleted_at"].is_string());
        for personal in ["name", "email", "phone", "address", "city", "merchant_customer_id"] {
            assert_eq!(shown[personal], Value::Null, "{personal}");
        }
        let methods = format!("{path}/payment-methods");
        let answer = place.server.call(api, &keys, "GET", &methods, None).await.expect(200);
        assert_eq!(answer.json()["data"], json!([]));
    }
}

#[tokio::test]
async fn the_other_apis_show_nobody_who_is_deleted() {
    let place = Place::start().await;
    let (number, uuid) = (place.number, &place.uuid);
    for (name, target) in [
        ("wallee", format!("/api/v2.0/customers/{number}")),
        ("wallee", format!("/api/v2.0/customers/{number}/email-addresses")),
        ("wallee", "/api/v2.0/customers/search?query=emailAddress:zebulon@example.com".into()),
        ("wallee", "/api/v2.0/customers".into()),
        ("verifone", format!("/v2/customer/{uuid}")),
        ("verifone", "/v2/customer?search=billing.last_name%3D%3DQuagga".into()),
        ("payabli", format!("/api/Customer/{number}")),
        ("notchpay", format!("/customers/{uuid}")),
        ("notchpay", "/customers?search=quagga".into()),
    ] {
        let api = dialect(name);
        for keys in [place.key(api).await, place.owner(api)] {
            let answer = place.server.call(api, &keys, "GET", &target, None).await;
            assert!(answer.status < 500, "{target}: {}", answer.text());
            shows_nothing(&answer, &target);
        }
    }
}
