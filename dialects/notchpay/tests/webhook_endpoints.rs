//! Webhook endpoints: with the private key only, in the dossier's words. What is delivered stands
//! in `tests/webhooks` of the program.

use patron_notchpay::DIALECT;
use serde_json::{Value, json};

use crate::place::{Place, failed, refused};

const URL: &str = "http://127.0.0.1:9091/hook";

fn path(endpoint: &Value) -> String {
    format!("/webhooks/{}", endpoint["id"].as_str().expect("an id"))
}

async fn made(place: &Place, body: Value) -> Value {
    let answer = place.send("POST", "/webhooks", Some(body)).await.expect(201);
    answer.json()["endpoint"].clone()
}

#[tokio::test]
async fn endpoints_are_made_changed_and_deleted() {
    let place = Place::new().await;
    let body = json!({"url": URL, "events": ["customer.created", "payment.complete"],
                      "description": "shop"});
    let answer = place.send("POST", "/webhooks", Some(body)).await.expect(201).json();
    assert_eq!(
        (&answer["status"], &answer["message"]),
        (&json!("Created"), &json!("Webhook endpoint created successfully"))
    );
    assert_eq!(answer["endpoint"], answer["data"]);
    let mut endpoint = answer["endpoint"].clone();
    let id = endpoint["id"].as_str().expect("an id").to_owned();
    assert!(id.starts_with("ep.test_"), "{id}");
    let secret = endpoint.as_object_mut().expect("an object").remove("secret");
    assert!(secret.expect("once").as_str().expect("text").starts_with("hsk_test_"));
    for (member, value) in [
        ("url", json!(URL)),
        ("description", json!("shop")),
        ("events", json!(["customer.created", "payment.complete"])),
        ("status", json!("active")),
        ("active", json!(true)),
        ("format", json!("standard")),
        ("sandbox", json!(true)),
    ] {
        assert_eq!(endpoint[member], value, "{member}");
    }
    let one = path(&endpoint);
    let read = place.get(&one).await.expect(200).json();
    assert_eq!(
        (&read["message"], &read["endpoint"]),
        (&json!("Webhook endpoint retrieved"), &endpoint)
    );
    let change = json!({"active": false, "description": "", "events": ["customer.blocked"]});
    let changed = place.send("PUT", &one, Some(change)).await.expect(202).json();
    assert_eq!(changed["message"], "Webhook endpoint updated successfully");
    let changed = &changed["endpoint"];
    assert_eq!(
        (&changed["status"], &changed["description"], &changed["url"]),
        (&json!("inactive"), &Value::Null, &json!(URL))
    );
    assert_eq!(changed["events"], json!(["customer.blocked"]));
    let gone = place.send("DELETE", &one, None).await.expect(202).json();
    let want = json!({"code": 202, "status": "Accepted",
                      "message": "Webhook endpoint deleted successfully"});
    assert_eq!(gone, want);
    failed(place.get(&one).await, 404, "Not Found", "Webhook endpoint not found");
    place.send("PUT", &one, Some(json!({"active": true}))).await.expect(404);
    place.get("/webhooks/ep.x").await.expect(404);
}

#[tokio::test]
async fn they_are_listed_newest_first() {
    let place = Place::new().await;
    let mut all = Vec::new();
    for event in ["customer.created", "customer.updated", "balance.updated"] {
        all.push(made(&place, json!({"url": URL, "events": [event]})).await["id"].clone());
    }
    let page = place.get("/webhooks?limit=2").await.expect(200).json();
    assert_eq!(page["message"], "Webhook endpoints retrieved");
    assert_eq!((&page["totals"], &page["last_page"]), (&json!(3), &json!(2)));
    let ids = |page: &Value| -> Vec<Value> {
        page["endpoints"].as_array().expect("a list").iter().map(|one| one["id"].clone()).collect()
    };
    assert_eq!(ids(&page), [all[2].clone(), all[1].clone()]);
    let page = place.get("/webhooks?limit=2&page=2").await.expect(200).json();
    assert_eq!(ids(&page), [all[0].clone()]);
    let other = place.server.other_space("notchpay").await;
    let list = place.server.call(&DIALECT, &other, "GET", "/webhooks", None).await.expect(200);
    assert_eq!(list.json()["endpoints"], json!([]));
    let target = format!("/webhooks/{}", all[0].as_str().expect("an id"));
    place.server.call(&DIALECT, &other, "DELETE", &target, None).await.expect(404);
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    let place = Place::new().await;
    let mut alone = place.keys.clone();
    alone["private_key"] = Value::Null;
    for (method, target) in [("GET", "/webhooks"), ("POST", "/webhooks"), ("GET", "/webhooks/ep.x")]
    {
        let body = (method == "POST").then(|| json!({"url": URL, "events": ["customer.created"]}));
        let answer = place.server.call(&DIALECT, &alone, method, target, body).await;
        failed(answer, 403, "Forbidden", "This endpoint requires additional authentication");
    }
    let required = |name: &str| json!([format!("The {name} field is required.")]);
    refused(
        place.send("POST", "/webhooks", Some(json!({}))).await,
        json!({"url": required("url"), "events": required("events")}),
    );
    for (body, field) in [
        (json!({"url": URL, "events": ["customer.create"]}), "events"),
        (json!({"url": URL, "events": "customer.created"}), "events"),
        (json!({"url": URL, "events": []}), "events"),
        (json!({"url": "https://10.0.0.1/x", "events": ["customer.created"]}), "url"),
        (json!({"url": URL, "events": ["customer.created"], "active": "yes"}), "active"),
        (json!({"url": URL, "events": ["customer.created"], "format": "magento"}), "format"),
    ] {
        let answer = place.send("POST", "/webhooks", Some(body.clone())).await.expect(422).json();
        let errors = answer["errors"].as_object().expect("errors");
        assert_eq!(errors.keys().collect::<Vec<_>>(), [field], "{body}");
    }
    let form = "url=http%3A%2F%2F127.0.0.1%3A9091%2Fhook&events[]=customer.created&active=0";
    let grant = place.keys["private_key"].as_str().expect("a key");
    let headers = [
        ("authorization", place.keys["public_key"].as_str().expect("a key")),
        ("x-grant", grant),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    let made = place.server.raw("POST", "/webhooks", &headers, form.as_bytes()).await.expect(201);
    assert_eq!(made.json()["endpoint"]["active"], false);
}
