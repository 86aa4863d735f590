//! The log of what was sent, in the words of the API that shows all of it.

use std::time::Duration;

use patron_gateway::Dialect;
use serde_json::{Value, json};

use super::forms::{SEEN, Shop};

const PAYABLI: &Dialect = &patron_payabli::DIALECT;
const LOGS: &str = "/api/v2/notificationlogs";

/// Everything of the paypoint, and what else is asked for.
fn question(more: Value) -> Value {
    let mut body = json!({"startDate": "2020-01-01", "endDate": "2020-01-31T23:59:59Z",
                          "paypointId": 1});
    let now = patron_app::Clock::System.now();
    body["startDate"] = json!(now.plus_seconds(-29 * 24 * 3600).rfc3339_seconds());
    body["endDate"] = json!(now.plus_seconds(24 * 3600).rfc3339_seconds());
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

async fn search(shop: &Shop, more: Value) -> Vec<Value> {
    let answer = shop.call(PAYABLI, "POST", LOGS, Some(question(more))).await.expect(200).json();
    answer.as_array().expect("a bare array").clone()
}

/// Asks until so many are as wanted; newest first.
async fn until(shop: &Shop, more: Value, count: usize) -> Vec<Value> {
    for _ in 0..600 {
        let found = search(shop, more.clone()).await;
        if found.len() == count {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{more}: {:?}", search(shop, more.clone()).await);
}

async fn notify(shop: &Shop, event: &str) -> Value {
    let body = json!({"method": "web", "frequency": "untilcancelled", "ownerType": 2,
        "target": shop.receiver.url, "content": {"eventType": event,
        "webHeaderParameters": [{"key": "X-Shop", "value": "s3cret"}]}});
    let made = shop.call(PAYABLI, "POST", "/api/Notification", Some(body)).await.expect(200);
    made.json()["responseData"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_was_sent_is_shown_and_can_be_sent_again() {
    let shop = Shop::new().await;
    notify(&shop, "CustomerCreated").await;
    let updates = notify(&shop, "CustomerUpdated").await;
    tokio::time::sleep(SEEN).await;
    let body = json!({"full_name": "Noor Haddad", "email": "noor@example.org"});
    let customer = shop.native("POST", "/v1/customers", Some(body)).await;
    let sent = shop.receiver.until(1).await.remove(0);
    let shown = until(&shop, json!({}), 1).await.remove(0);
    for (member, value) in [
        ("notificationEvent", json!("customercreated")),
        ("target", json!(shop.receiver.url)),
        ("responseStatusCode", json!(200)),
        ("responseStatus", json!("OK")),
        ("success", json!(true)),
        ("isInProgress", json!(false)),
        ("lastFailedDate", Value::Null),
        ("paypointId", json!(1)),
        ("notificationType", json!(3)),
        ("jobData", json!(String::from_utf8_lossy(&sent.raw))),
    ] {
        assert_eq!(shown[member], value, "{member}");
    }
    assert!(shown["successDate"].is_string() && shown["createdDate"].is_string(), "{shown}");
    // What did not arrive is there too, and goes on.
    shop.receiver.answers(500);
    let one = format!("/v1/customers/{}", customer["number"]);
    shop.native("PATCH", &one, Some(json!({"email": "n@example.org"}))).await;
    let failed = until(&shop, json!({"succeeded": false}), 1).await.remove(0);
    assert_eq!(
        (&failed["responseStatusCode"], &failed["responseStatus"], &failed["isInProgress"]),
        (&json!(500), &json!("Dropped"), &json!(true))
    );
    assert!(failed["successDate"].is_null() && failed["lastFailedDate"].is_string());
    let all = search(&shop, json!({})).await;
    assert_eq!((all.len(), &all[0]["id"], &all[1]["id"]), (2, &failed["id"], &shown["id"]));
    for (more, ids) in [
        (json!({"succeeded": true}), vec![&shown["id"]]),
        (json!({"notificationEvent": "CUSTOMERUPDATED"}), vec![&failed["id"]]),
        (json!({"notificationEvent": "approvedpayment"}), vec![]),
        (json!({"startDate": "2020-01-01", "endDate": "2020-01-31"}), vec![]),
        (json!({"paypointId": null, "orgId": 1}), vec![&failed["id"], &shown["id"]]),
    ] {
        let found = search(&shop, more.clone()).await;
        assert_eq!(found.iter().map(|log| &log["id"]).collect::<Vec<_>>(), ids, "{more}");
    }
    let second = format!("{LOGS}?PageSize=1&Page=2");
    let second = shop.call(PAYABLI, "POST", &second, Some(question(json!({})))).await.expect(200);
    assert_eq!(
        (second.json()[0]["id"].clone(), second.json()[1].clone()),
        (shown["id"].clone(), Value::Null)
    );
    retried(&shop, &updates, &failed, &shown).await;
}

/// One of them by itself, and once more; in vain once its notification is gone.
async fn retried(shop: &Shop, updates: &Value, failed: &Value, shown: &Value) {
    let one = format!("{LOGS}/{}", failed["id"].as_str().unwrap());
    let detail = shop.call(PAYABLI, "GET", &one, None).await.expect(200).json();
    assert_eq!(detail["webHeaders"], json!([{"key": "x-shop", "value": "•••"}]));
    assert_eq!(detail["jobData"], failed["jobData"]);
    shop.receiver.answers(200);
    let retry = format!("{one}/retry");
    let answer = shop.call(PAYABLI, "GET", &retry, None).await.expect(200).json();
    assert!(answer["message"].is_string(), "{answer}");
    let got = shop.receiver.until(3).await;
    assert_eq!(got[1].raw, got[2].raw, "the same each time");
    until(shop, json!({"succeeded": true}), 2).await;
    let detail = shop.call(PAYABLI, "GET", &one, None).await.expect(200).json();
    assert!(detail["successDate"].is_string() && detail["lastFailedDate"].is_string());
    let both = json!([failed["id"], shown["id"], shown["id"]]);
    shop.call(PAYABLI, "POST", &format!("{LOGS}/retry"), Some(both)).await.expect(201);
    assert_eq!(shop.receiver.until(5).await.len(), 5, "each once");
    // A notification that is gone has its log, and sends nothing.
    let gone = format!("/api/Notification/{updates}");
    shop.call(PAYABLI, "DELETE", &gone, None).await.expect(200);
    shop.call(PAYABLI, "GET", &one, None).await.expect(200);
    shop.call(PAYABLI, "GET", &retry, None).await.expect(400);
    let both = json!([failed["id"], shown["id"]]);
    shop.call(PAYABLI, "POST", &format!("{LOGS}/retry"), Some(both)).await.expect(400);
}

/// Who may not see customers does not see them in what was told, nor who may not see the past what
/// they were.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_shows_nobody_more_than_he_may_see() {
    let shop = Shop::new().await;
    notify(&shop, "CustomerCreated").await;
    tokio::time::sleep(SEEN).await;
    let body = json!({"full_name": "Zebulon Quagga"});
    let customer = shop.native("POST", "/v1/customers", Some(body)).await;
    let log = until(&shop, json!({}), 1).await.remove(0);
    assert!(log["jobData"].as_str().unwrap().contains("Quagga"), "{log}");
    let one = format!("{LOGS}/{}", log["id"].as_str().unwrap());
    let key = async |permissions: &[&str]| {
        let body = json!({"dialect": "payabli", "permissions": permissions});
        shop.native("POST", "/v1/keys", Some(body)).await["credentials"].clone()
    };
    let blind = key(&["webhook:read"]).await;
    let seeing = key(&["webhook:read", "customer:read"]).await;
    let of_customers = key(&["customer:read"]).await;
    let get = async |keys: &Value| shop.server.call(PAYABLI, keys, "GET", &one, None).await;
    assert!(get(&blind).await.expect(200).json()["jobData"].is_null());
    assert!(get(&seeing).await.expect(200).text().contains("Quagga"));
    get(&of_customers).await.expect(403);
    let retry = format!("{one}/retry");
    shop.server.call(PAYABLI, &seeing, "GET", &retry, None).await.expect(403);
    let target = format!("/v1/customers/{}", customer["number"]);
    shop.call(&patron_native::DIALECT, "DELETE", &target, None).await.expect(204);
    let detail = get(&seeing).await.expect(200).json();
    let data = detail["jobData"].as_str().unwrap();
    assert!(data.contains("customerId") && !data.contains("Quagga"), "{data}");
    // Another space has none of it.
    let other = shop.server.other_space("payabli").await;
    get(&other).await.expect(400);
    shop.server.call(PAYABLI, &other, "GET", &retry, None).await.expect(400);
    let refused = shop.server.call(PAYABLI, &other, "POST", LOGS, Some(question(json!({})))).await;
    assert_eq!(refused.expect(400).json()["responseText"], "Invalid parameter value: paypointId");
    // What was sent by another API is no notification.
    let native = format!("{LOGS}/{}", patron_app::webhooks::deliveries::uuid_of(999, 1));
    shop.call(PAYABLI, "GET", &native, None).await.expect(400);
}
