//! Webhook URLs and listeners. What is delivered, and that the SDK takes it, stands in `sdk`.

use patron_testkit::Answer;
use patron_wallee::DIALECT;
use serde_json::{Value, json};

use crate::place::Shop;

const URLS: &str = "/webhooks/urls";
const LISTENERS: &str = "/webhooks/listeners";
const CUSTOMER: i64 = 1_700_000_000_001;
const TRANSACTION: i64 = 1_472_041_829_003;

async fn url(shop: &Shop) -> i64 {
    let body = json!({"name": "shop", "url": "http://127.0.0.1:9091/hook"});
    shop.post(URLS, body).await.expect(201).json()["id"].as_i64().unwrap()
}

async fn listener(shop: &Shop, body: Value) -> Answer {
    shop.post(LISTENERS, body).await
}

#[track_caller]
fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!(
        (answer.status, &answer.json()["code"]),
        (status, &json!(code)),
        "{}",
        answer.text()
    );
}

fn fields(answer: &Answer) -> Vec<String> {
    let body = answer.json();
    let errors = body["errors"].as_object().cloned().unwrap_or_default();
    errors.keys().cloned().collect()
}

#[tokio::test]
async fn urls_are_made_changed_and_deleted() {
    let shop = Shop::open().await;
    let made = shop.post(URLS, json!({"url": "http://127.0.0.1:9091/hook"})).await.expect(201);
    let made = made.json();
    let id = &made["id"];
    assert_eq!(
        made,
        json!({"id": id, "linkedSpaceId": shop.space(), "version": 1, "state": "ACTIVE",
               "url": "http://127.0.0.1:9091/hook", "applicationManaged": false})
    );
    let one = format!("{URLS}/{id}");
    assert_eq!(shop.get(&one).await.expect(200).json(), made);
    let change = json!({"version": 1, "name": "till", "state": "INACTIVE"});
    let changed = shop.patch(&one, change.clone()).await.expect(200).json();
    assert_eq!((&changed["state"], &changed["name"]), (&json!("INACTIVE"), &json!("till")));
    refused(&shop.patch(&one, change).await, 409, "conflict");
    refused(&shop.patch(&one, json!({"name": "x"})).await, 400, "bad_request");
    for (body, field) in [
        (json!({"url": "http://x"}), "url"),
        (json!({"url": "http://10.0.0.1/hook"}), "url"),
        (json!({"name": "x"}), "url"),
        (json!({"url": "http://127.0.0.1:9091/hook", "name": "x".repeat(51)}), "name"),
        (json!({"url": "http://127.0.0.1:9091/hook", "state": "DELETED"}), "state"),
    ] {
        let answer = shop.post(URLS, body.clone()).await;
        assert_eq!((answer.status, fields(&answer)), (422, vec![field.to_owned()]), "{body}");
    }
    shop.delete(&one).await.expect(204);
    shop.delete(&one).await.expect(204);
    assert_eq!(shop.get(&one).await.expect(200).json()["state"], "DELETED");
    shop.patch(&one, json!({"version": 3, "name": "x"})).await.expect(422);
    shop.get(&format!("{URLS}/999999")).await.expect(404);
}

#[tokio::test]
async fn listeners_watch_known_entities_at_known_urls() {
    let shop = Shop::open().await;
    let at = url(&shop).await;
    let body = json!({"entity": TRANSACTION, "url": at, "name": "payments",
                      "entityStates": ["AUTHORIZED", "FULFILL"], "notifyEveryChange": false});
    let made = listener(&shop, body).await.expect(201).json();
    let id = &made["id"];
    assert_eq!(
        made,
        json!({"id": id, "linkedSpaceId": shop.space(), "version": 1, "state": "ACTIVE",
               "name": "payments", "entity": TRANSACTION, "notifyEveryChange": false,
               "entityStates": ["AUTHORIZED", "FULFILL"],
               "enablePayloadSignatureAndState": true, "url": {"id": at}})
    );
    let one = format!("{LISTENERS}/{id}");
    let expanded = shop.get(&format!("{one}?expand=url&expand=group")).await.expect(200).json();
    assert_eq!(expanded["url"]["url"], "http://127.0.0.1:9091/hook");
    for (body, status, field) in [
        (json!({"url": at}), 400, "entity"),
        (json!({"entity": CUSTOMER}), 400, "url"),
        (json!({"entity": 17, "url": at}), 422, "entity"),
        (json!({"entity": CUSTOMER, "url": 999_999}), 422, "url"),
        (json!({"entity": CUSTOMER, "url": id}), 422, "url"),
        (json!({"entity": CUSTOMER, "url": at, "identity": 1}), 422, "identity"),
        (json!({"entity": CUSTOMER, "url": at, "entityStates": ["a b"]}), 422, "entityStates"),
    ] {
        let answer = listener(&shop, body.clone()).await;
        assert_eq!((answer.status, fields(&answer)), (status, vec![field.to_owned()]), "{body}");
    }
    // A URL goes after its listeners, and neither is found as the other.
    let url = format!("{URLS}/{at}");
    refused(&shop.delete(&url).await, 409, "conflict");
    shop.get(&format!("{URLS}/{id}")).await.expect(404);
    shop.get(&format!("{LISTENERS}/{at}")).await.expect(404);
    // What a change does not name stays; entity and URL always do.
    let change = json!({"version": 1, "notifyEveryChange": true, "entity": CUSTOMER, "url": 1});
    let changed = shop.patch(&one, change).await.expect(200).json();
    assert_eq!(
        (&changed["entity"], &changed["name"], &changed["notifyEveryChange"]),
        (&json!(TRANSACTION), &json!("payments"), &json!(true))
    );
    shop.delete(&one).await.expect(204);
    assert_eq!(shop.get(&one).await.expect(200).json()["state"], "DELETED");
    shop.delete(&url).await.expect(204);
}

#[tokio::test]
async fn they_are_listed_and_searched() {
    let shop = Shop::open().await;
    let at = url(&shop).await;
    let mut all = Vec::new();
    for name in ["a", "b", "c"] {
        let body = json!({"entity": CUSTOMER, "url": at, "name": name, "state": "CREATE"});
        all.push(listener(&shop, body).await.expect(201).json()["id"].clone());
    }
    let ids = |answer: Answer| -> Vec<Value> {
        let body = answer.expect(200).json();
        body["data"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect()
    };
    assert_eq!(ids(shop.get(LISTENERS).await), all);
    assert_eq!(ids(shop.get(URLS).await), [json!(at)]);
    let page = shop.get(&format!("{LISTENERS}?order=DESC&limit=2")).await.expect(200).json();
    assert_eq!((&page["hasMore"], &page["limit"]), (&json!(true), &json!(2)));
    assert_eq!(page["data"][0]["id"], all[2]);
    shop.delete(&format!("{LISTENERS}/{}", all[1])).await.expect(204);
    let search = |query: &str| format!("{LISTENERS}/search?query={query}");
    assert_eq!(ids(shop.get(&search("state:DELETED")).await), [all[1].clone()]);
    assert_eq!(ids(shop.get(&search("name:c")).await), [all[2].clone()]);
    assert_eq!(ids(shop.get(&search(&format!("url.id:{at}&order=id:DESC"))).await).len(), 3);
    shop.get(&search("colour:red")).await.expect(422);
    let other = shop.server.other_space("wallee").await;
    let target = format!("/api/v2.0{LISTENERS}/{}", all[0]);
    shop.server.call(&DIALECT, &other, "GET", &target, None).await.expect(404);
    shop.server.call(&DIALECT, &other, "DELETE", &target, None).await.expect(404);
}

#[tokio::test]
async fn many_at_once_have_a_verdict_each() {
    let shop = Shop::open().await;
    let good = json!({"url": "http://127.0.0.1:9091/hook"});
    let made = shop.post(&format!("{URLS}/bulk"), json!([good, {"name": "x"}, good])).await;
    let made = made.expect(200).json();
    let codes: Vec<_> = (0..3).map(|at| made[at]["statusCode"].as_i64().unwrap()).collect();
    assert_eq!(codes, [201, 422, 201]);
    let id = &made[0]["id"];
    assert_eq!(made[0]["link"], format!("/api/v2.0/webhooks/urls/{id}"));
    assert_eq!(made[1]["error"]["errors"]["url"], "Must be given.");
    let change = json!([{"id": id, "version": 1, "name": "y"}, {"version": 1, "name": "z"},
                        {"id": id, "version": 1, "name": "late"}]);
    let changed = shop.patch(&format!("{URLS}/bulk"), change).await.expect(200).json();
    let codes: Vec<_> = (0..3).map(|at| changed[at]["statusCode"].as_i64().unwrap()).collect();
    assert_eq!(codes, [200, 422, 409]);
    let body = json!([{"entity": CUSTOMER, "url": id}, {"entity": 1, "url": id}]);
    let listeners = shop.post(&format!("{LISTENERS}/bulk"), body).await.expect(200).json();
    assert_eq!(
        (&listeners[0]["statusCode"], &listeners[1]["statusCode"]),
        (&json!(201), &json!(422))
    );
    let gone = json!([id, made[2]["id"], 999_999]);
    let target = format!("{URLS}/bulk");
    let gone = shop.call("DELETE", &target, Some(gone)).await.expect(200).json();
    let codes: Vec<_> = (0..3).map(|at| gone[at]["statusCode"].as_i64().unwrap()).collect();
    assert_eq!(codes, [409, 204, 404]);
    let many = json!(vec![json!({}); 101]);
    refused(&shop.post(&target, many).await, 413, "payload_too_large");
    let listener = &listeners[0]["id"];
    let target = format!("{LISTENERS}/bulk");
    let gone = shop.call("DELETE", &target, Some(json!([listener]))).await.expect(200).json();
    assert_eq!(gone[0]["statusCode"], 204);
}

#[tokio::test]
async fn encryption_keys_are_for_everybody_who_knows_their_ids() {
    let shop = Shop::open().await;
    for id in ["x", "00000000-0000-0000-0000-000000000000", "0000001f-0000-8001-8000-000000000001"]
    {
        let target = format!("/api/v2.0/webhooks/encryption-keys/{id}");
        shop.server.raw("GET", &target, &[("accept", "text/plain")], b"").await.expect(404);
    }
}
