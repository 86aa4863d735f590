//! Two spaces, all six APIs: no answer to one ever holds a byte planted in the other.

use patron_testkit::TestServer;
use serde_json::{Value, json};

use crate::api::{ALL, Person, call, create};

#[path = "isolation/equipment.rs"]
mod equipment;
#[path = "isolation/generate.rs"]
mod generate;
#[path = "isolation/pool.rs"]
mod pool;
#[path = "isolation/random.rs"]
mod random;

/// A person whose every text names the space it was planted in.
pub fn planted(mark: &str, n: u32) -> Person {
    Person::from([
        ("reference", format!("ref-{n}")),
        ("given_name", format!("{mark}given")),
        ("family_name", format!("{mark}family")),
        ("full_name", format!("{mark}given {mark}family")),
        ("title", "Dr".into()),
        ("company_name", format!("{mark}company")),
        ("tax_number", "123456".into()),
        ("email", format!("{mark}{n}@example.com")),
        ("phone", "+41446681800".into()),
        ("language", "de".into()),
        ("currency", "CHF".into()),
        ("description", format!("{mark}description")),
        ("metadata", format!("{mark}tier")),
        ("line1", format!("{mark}street 1")),
        ("city", format!("{mark}city")),
        ("postal_code", "8000".into()),
        ("state", "ZH".into()),
        ("country", "CH".into()),
    ])
}

/// Questions of one space about everything it could try to see of another.
fn questions(
    api: &str,
    keys: &Value,
    victim: &Value,
) -> Vec<(&'static str, String, Option<Value>)> {
    let (number, id) = (&victim["number"], victim["id"].as_str().unwrap());
    let email = victim["email"].as_str().unwrap();
    let get = |path: String| ("GET", path, None);
    match api {
        "native" => vec![
            get("/v1/customers?expand=addresses,comments&deleted=true".into()),
            get("/v1/customers?q=victim".into()),
            get(format!("/v1/customers?email={email}")),
            get(format!("/v1/customers/{number}")),
            get(format!("/v1/customers/{id}/history?expand=record")),
            get("/v1/customers/by-reference/ref-1".into()),
            get("/v1/events?after=0&expand=record".into()),
            get("/v1/spaces".into()),
            get("/v1/accounts".into()),
            ("PATCH", format!("/v1/customers/{number}"), Some(json!({"title": "x"}))),
            ("DELETE", format!("/v1/customers/{id}"), None),
        ],
        "wallee" => vec![
            get("/api/v2.0/customers".into()),
            get("/api/v2.0/customers/search?query=emailAddress%3A~victim".into()),
            get(format!("/api/v2.0/customers/{number}")),
            get(format!("/api/v2.0/customers/{number}/addresses")),
            get(format!("/api/v2.0/customers/{number}/email-addresses")),
            ("DELETE", format!("/api/v2.0/customers/{number}"), None),
        ],
        "verifone" => vec![
            get("/v2/customer?search=created_at=ge=2020-01-01".into()),
            get(format!("/v2/customer?search=email_address=={email}")),
            get(format!("/v2/customer/{id}")),
            ("DELETE", format!("/v2/customer/{id}"), None),
        ],
        "monri" => vec![
            get("/v2/customers".into()),
            get(format!("/v2/customers/{id}")),
            get("/v2/merchants/customers/ref-1".into()),
            get(format!("/v2/customers/{id}/payment-methods")),
            ("DELETE", format!("/v2/customers/{id}"), None),
        ],
        "payabli" => vec![
            get(format!("/api/Query/customers/{}", keys["payabli"]["entry"].as_str().unwrap())),
            get(format!("/api/Query/customers/org/{}", keys["payabli"]["org_id"])),
            get(format!("/api/Customer/{number}")),
            ("PUT", format!("/api/Customer/{number}"), Some(json!({"firstname": "x"}))),
            ("DELETE", format!("/api/Customer/{number}"), None),
        ],
        _ => vec![
            get("/customers".into()),
            get("/customers?search=victim".into()),
            get(format!("/customers/cus.{id}")),
        ],
    }
}

/// One customer of each API, as the native API numbers them.
fn one(api: &str, number: &Value, id: &str) -> String {
    match api {
        "native" => format!("/v1/customers/{number}"),
        "wallee" => format!("/api/v2.0/customers/{number}"),
        "verifone" => format!("/v2/customer/{id}"),
        "monri" => format!("/v2/customers/{id}"),
        "payabli" => format!("/api/Customer/{number}"),
        _ => format!("/customers/{id}"),
    }
}

/// An answer without what differs by itself: times, ids of requests, what was asked for.
fn bare(text: &str, asked: &[&str]) -> String {
    let mut document: Value = serde_json::from_str(text).unwrap();
    for name in ["request_id", "date", "id", "timestamp", "instance", "pageIdentifier"] {
        if let Some(members) = document.as_object_mut() {
            members.remove(name);
        }
    }
    let text = document.to_string();
    asked.iter().fold(text, |text, asked| text.replace(asked, "…"))
}

#[tokio::test]
async fn what_is_foreign_is_as_missing_as_what_never_was() {
    let server = TestServer::start(&ALL).await;
    let (victim, thief) = (server.new_space(None).await, server.new_space(None).await);
    let foreign = create(&server, &victim, "native", &planted("victim", 1)).await.json();
    let gone = create(&server, &victim, "native", &planted("victim", 2)).await.json();
    let gone_path = format!("/v1/customers/{}", gone["number"]);
    call(&server, &victim, "native", "DELETE", &gone_path, None).await.expect(204);
    let never = json!({"number": 999_999_999, "id": "0192f0c1-5a3d-7c3e-8b5e-5a4db000dead"});
    for api in ALL {
        let mut answers = Vec::new();
        for customer in [&never, &gone, &foreign] {
            let (number, id) = (&customer["number"], customer["id"].as_str().unwrap());
            for method in ["GET", "DELETE"] {
                let path = one(api.name, number, id);
                let answer = call(&server, &thief, api.name, method, &path, None).await;
                assert!((400..500).contains(&answer.status), "{method} {path}: {}", answer.text());
                let bare = bare(&answer.text(), &[path.as_str(), id]);
                answers.push((method, answer.status, bare));
            }
        }
        assert_eq!(answers[..2], answers[2..4], "{}: a foreign one that is deleted", api.name);
        assert_eq!(answers[..2], answers[4..], "{}: a foreign one", api.name);
    }
}

#[tokio::test]
async fn no_api_shows_or_changes_anything_of_another_space() {
    let server = TestServer::start(&ALL).await;
    let (victim, thief) = (server.new_space(None).await, server.new_space(None).await);
    for (n, api) in (1..).zip(ALL) {
        let made = create(&server, &victim, api.name, &planted("victim", n)).await;
        assert!(made.status < 300, "{}: {}", api.name, made.text());
    }
    let list = "/v1/customers?expand=addresses&limit=200";
    let before = call(&server, &victim, "native", "GET", list, None).await.json();
    let made = create(&server, &thief, "native", &planted("thief", 9)).await.expect(201);
    let own = made.json();
    for customer in before["data"].as_array().unwrap() {
        for api in ALL {
            for (method, path, body) in questions(api.name, &thief, customer) {
                let asked = path.contains("victim") || path.contains("email");
                let answer = call(&server, &thief, api.name, method, &path, body).await;
                let text = answer.text();
                assert!(!text.contains("victim"), "{} {method} {path}: {text}", api.name);
                assert!(answer.status < 500, "{} {method} {path}: {text}", api.name);
                let id = customer["id"].as_str().unwrap();
                assert!(asked || !text.contains(id) || answer.status >= 400, "{method} {path}");
            }
        }
        let absorb = json!({"absorb": customer["number"]});
        let merge = format!("/v1/customers/{}/merge", own["number"]);
        call(&server, &thief, "native", "POST", &merge, Some(absorb)).await.expect(404);
        let merge = format!("/api/v2.0/customers/{}/merge/{}", own["number"], customer["number"]);
        call(&server, &thief, "wallee", "POST", &merge, None).await.expect(404);
    }
    let after = call(&server, &victim, "native", "GET", list, None).await.json();
    assert_eq!(after, before, "nothing of it was changed");
}
