//! Webhooks in the words of the providers: made by their own APIs, delivered by the one engine.

use std::time::Duration;

use patron_app::secrets::hmac_sha256;
use patron_gateway::Dialect;
use patron_testkit::{Answer, TestServer};
use serde_json::{Value, json};

use super::receiver::{Got, Receiver};

/// How long a node may take to see an endpoint.
pub const SEEN: Duration = Duration::from_millis(1_500);

pub struct Shop {
    pub server: TestServer,
    pub receiver: Receiver,
    _engine: patron_delivery::Engine,
}

impl Shop {
    pub async fn new() -> Shop {
        let server = TestServer::start(patron::dialects::DIALECTS).await;
        let _engine = server.deliver();
        Shop { server, receiver: Receiver::start().await, _engine }
    }

    pub async fn call(
        &self,
        dialect: &'static Dialect,
        method: &str,
        target: &str,
        body: Option<Value>,
    ) -> Answer {
        let keys = self.server.credentials(dialect.name);
        self.server.call(dialect, &keys, method, target, body).await
    }

    pub async fn native(&self, method: &str, target: &str, body: Option<Value>) -> Value {
        let answer = self.call(&patron_native::DIALECT, method, target, body).await;
        assert!(answer.status < 300, "{method} {target}: {}", answer.text());
        answer.json()
    }

    /// What came first, after it failed once and was asked for again: the same bytes.
    async fn twice(&self) -> Got {
        let failed = self.receiver.until(1).await.remove(0);
        self.receiver.answers(200);
        let mut all = Value::Null;
        for _ in 0..600 {
            all = self.native("GET", "/v1/webhook-deliveries", None).await;
            if all["data"][0]["attempts"].as_i64() >= Some(1) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let id = all["data"][0]["id"].as_str().expect("a delivery");
        let again = format!("/v1/webhook-deliveries/{id}/redeliver");
        self.native("POST", &again, None).await;
        let came = self.receiver.until(2).await.remove(1);
        assert_eq!(came.raw, failed.raw, "the same each time");
        came
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wallee_listeners_are_told_which_object_changed() {
    let shop = Shop::new().await;
    let wallee = &patron_wallee::DIALECT;
    let all = "/api/v2.0/webhooks";
    let body = json!({"url": shop.receiver.url});
    let url =
        shop.call(wallee, "POST", &format!("{all}/urls"), Some(body)).await.expect(201).json();
    let listener = async |entity: i64, every: bool| {
        let body = json!({"entity": entity, "url": url["id"], "notifyEveryChange": every});
        let target = format!("{all}/listeners");
        shop.call(wallee, "POST", &target, Some(body)).await.expect(201).json()
    };
    let told = listener(1_700_000_000_001, true).await;
    listener(1_700_000_000_001, false).await;
    listener(1_472_041_829_003, true).await;
    tokio::time::sleep(SEEN).await;
    shop.receiver.answers(500);
    let customer = shop.native("POST", "/v1/customers", Some(json!({"full_name": "Ada"}))).await;
    let got = shop.twice().await;
    let body = String::from_utf8_lossy(&got.raw);
    assert!(body.starts_with("{\"entityId\":") && !body.contains("Ada"), "{body}");
    assert_eq!(got.body["entityId"], customer["number"]);
    assert_eq!(got.body["webhookListenerId"], told["id"]);
    assert_eq!(got.body["listenerEntityTechnicalName"], "Customer");
    assert!(got.body.get("state").is_none());
    let signed = got.header("x-signature");
    assert!(signed.starts_with("algorithm=SHA256withECDSA, keyId="), "{signed}");
    let id = signed.split("keyId=").nth(1).and_then(|rest| rest.split(',').next()).unwrap();
    let target = format!("{all}/encryption-keys/{id}");
    let key = shop.server.raw("GET", &target, &[("accept", "text/plain")], b"").await.expect(200);
    assert_eq!((key.header("content-type"), key.text().len()), ("text/plain", 124));
    // A URL that is inactive silences its listeners, and then they go on from now.
    let one = format!("{all}/urls/{}", url["id"]);
    let silent = json!({"version": 1, "state": "INACTIVE"});
    shop.call(wallee, "PATCH", &one, Some(silent)).await.expect(200);
    tokio::time::sleep(SEEN).await;
    shop.native("POST", "/v1/customers", Some(json!({"full_name": "Unheard"}))).await;
    let loud = json!({"version": 2, "state": "ACTIVE"});
    shop.call(wallee, "PATCH", &one, Some(loud)).await.expect(200);
    tokio::time::sleep(SEEN).await;
    let heard = shop.native("POST", "/v1/customers", Some(json!({"full_name": "Heard"}))).await;
    let got = shop.receiver.until(3).await;
    assert_eq!(got[2].body["entityId"], heard["number"]);
    // Several addresses in one change are told one by one.
    listener(1_700_000_000_002, true).await;
    tokio::time::sleep(SEEN).await;
    let addresses = json!([{"city": "Bern"}, {"city": "Zug"}]);
    let body = json!({"full_name": "Grace", "addresses": addresses});
    let customer = shop.native("POST", "/v1/customers", Some(body)).await;
    let got = shop.receiver.until(6).await;
    let of_addresses: Vec<_> = got
        .iter()
        .filter(|got| got.body["listenerEntityTechnicalName"] == "CustomerAddress")
        .map(|got| (&got.body["entityId"], &got.body["eventId"]))
        .collect();
    assert_eq!(of_addresses.len(), 2, "{customer}");
    assert_ne!(of_addresses[0], of_addresses[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn monri_endpoints_are_told_of_saved_cards() {
    let shop = Shop::new().await;
    let all = "/v1/webhook-endpoints";
    let url = &shop.receiver.url;
    let new = |dialect: &str, kind: &str| json!({"dialect": dialect, "types": [kind], "url": url});
    for (mut body, pointer) in [
        (new("verifone", "*"), "/dialect"),
        (new("payabli", "*"), "/dialect"),
        (new("wallee", "customer.*"), "/dialect"),
        (new("monri", "customer.created"), "/types"),
        (json!({"payload": "thin"}), "/payload"),
    ] {
        if body.get("url").is_none() {
            body = new("monri", "payment_method.created");
            body["payload"] = json!("thin");
        }
        let native = &patron_native::DIALECT;
        let refused = shop.call(native, "POST", all, Some(body.clone())).await.expect(422).json();
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{body}");
    }
    let made = shop.native("POST", all, Some(new("monri", "payment_method.created"))).await;
    assert_eq!((&made["dialect"], made.get("secret")), (&json!("monri"), None));
    tokio::time::sleep(SEEN).await;
    shop.receiver.answers(500);
    let customer = shop.native("POST", "/v1/customers", Some(json!({"full_name": "Ada"}))).await;
    let methods = format!("/v1/customers/{}/payment-methods", customer["number"]);
    shop.native("POST", &methods, Some(json!({"type": "wallet"}))).await;
    let card = json!({"number": "4111111111111111", "expiry_month": 12, "expiry_year": 2035});
    shop.native("POST", &methods, Some(json!({"type": "card", "card": card}))).await;
    let got = shop.twice().await;
    assert_eq!(got.body["event"], "payment-method:tokenized");
    assert_eq!(got.body["payload"]["masked_pan"], "411111******1111");
    let signed = got.header("authorization");
    let digest = signed.strip_prefix("WP3-callback ").unwrap();
    assert!(digest.len() == 128 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()), "{signed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn notchpay_endpoints_are_told_in_javascripts_words() {
    let shop = Shop::new().await;
    let notchpay = &patron_notchpay::DIALECT;
    let events = ["created", "updated", "deleted", "blocked", "unblocked"];
    let events: Vec<String> = events.iter().map(|event| format!("customer.{event}")).collect();
    let body = json!({"url": shop.receiver.url, "events": events});
    let made = shop.call(notchpay, "POST", "/webhooks", Some(body)).await.expect(201).json();
    let secret = made["endpoint"]["secret"].as_str().unwrap().to_owned();
    tokio::time::sleep(SEEN).await;
    shop.receiver.answers(500);
    let body = json!({"name": "Awa Ndiaye", "email": "awa@example.org",
                      "metadata": {"b": 1.0, "10": 2.5, "2": "ž/"}});
    let made = shop.call(notchpay, "POST", "/customers", Some(body)).await.expect(201).json();
    let got = shop.twice().await;
    let text = String::from_utf8_lossy(&got.raw).into_owned();
    let head = format!(
        "{{\"id\":\"{}\",\"type\":\"customer.created\",\"event\":\"customer.created\",\
         \"created_at\":\"",
        got.body["id"].as_str().unwrap()
    );
    assert!(text.starts_with(&head), "{text}");
    assert!(text.contains(r#""metadata":{"2":"ž/","10":2.5,"b":1}"#), "{text}");
    let shown = &made["customer"];
    for member in ["id", "name", "email", "created_at", "sandbox"] {
        assert_eq!(got.body["data"][member], shown[member], "{member}");
    }
    let by = |key: &str| -> String {
        let signed = hmac_sha256(key.as_bytes(), &got.raw);
        signed.iter().map(|byte| format!("{byte:02x}")).collect()
    };
    for name in ["x-notch-signature", "x-notchpay-signature", "notchpay-signature"] {
        assert_eq!(got.header(name), by(&secret), "{name}");
    }
    let keys = shop.server.credentials("notchpay");
    assert_eq!(got.header("x-noth-signature"), by(keys["private_key"].as_str().unwrap()));
    let one = format!("/customers/{}", shown["id"].as_str().unwrap());
    let mut count = 2;
    for (method, target, body, event) in [
        ("PUT", one.clone(), Some(json!({"name": "Awa N"})), "customer.updated"),
        ("POST", format!("{one}/block"), None, "customer.blocked"),
        ("POST", format!("{one}/unblock"), None, "customer.unblocked"),
        ("DELETE", one.clone(), None, "customer.deleted"),
    ] {
        shop.call(notchpay, method, &target, body).await.expect(202);
        count += 1;
        let got = shop.receiver.until(count).await;
        assert_eq!(got[count - 1].body["type"], event);
    }
    let got = shop.receiver.got();
    let gone = json!({"id": shown["id"], "reference": shown["id"]});
    assert_eq!(got.last().unwrap().body["data"], gone, "nothing of who was deleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn payabli_notifications_are_sent_to_the_web() {
    let shop = Shop::new().await;
    let payabli = &patron_payabli::DIALECT;
    let notify = async |event: &str, method: &str| {
        let more = json!([{"key": "shop", "value": "ž \"7\""}]);
        let headers = json!([{"key": "X-Shop", "value": "s3cret"}]);
        let body = json!({"method": method, "frequency": "untilcancelled", "ownerType": 2,
                          "target": shop.receiver.url, "content": {"eventType": event,
                          "webHeaderParameters": headers, "internalData": more}});
        let all = "/api/Notification";
        shop.call(payabli, "POST", all, Some(body)).await.expect(200).json()["responseData"].clone()
    };
    let one = notify("customercreated", "web").await;
    notify("CustomerUpdated", "email").await;
    notify("ApprovedPayment", "web").await;
    notify("CustomerDeleted", "web").await;
    tokio::time::sleep(SEEN).await;
    shop.receiver.answers(500);
    let entry = shop.server.credentials("payabli")["entry"].as_str().unwrap().to_owned();
    let body = json!({"customerNumber": "M-1", "firstname": "Noor", "lastname": "Haddad",
                      "email": "noor@example.org"});
    let target = format!("/api/Customer/single/{entry}");
    let made = shop.call(payabli, "POST", &target, Some(body)).await.expect(200).json();
    let shown = &made["responseData"];
    let got = shop.twice().await;
    let text = String::from_utf8_lossy(&got.raw).into_owned();
    assert!(text.starts_with("{\"Event\":\"CustomerCreated\",\"EventId\":\"evt_"), "{text}");
    assert!(text.ends_with("\"shop\":\"ž \\\"7\\\"\"}"), "{text}");
    assert_eq!(got.body["customerId"], shown["customerId"]);
    assert_eq!((&got.body["entrypoint"], &got.body["paypointId"]), (&json!(entry), &json!(1)));
    let record = &got.body["Customer"];
    for member in ["customerNumber", "Firstname", "Email", "Created", "PaypointEntryname"] {
        assert_eq!(record[member], shown[member], "{member}");
    }
    assert_eq!(got.header("x-shop"), "s3cret");
    let target = format!("/api/Customer/{}", shown["customerId"]);
    let change = json!({"email": "n@example.org", "firstname": "Nour"});
    shop.call(payabli, "PUT", &target, Some(change)).await.expect(200);
    shop.call(payabli, "DELETE", &target, None).await.expect(200);
    let got = shop.receiver.until(3).await;
    let body = &got[2].body;
    assert_eq!(
        (&body["Event"], &body["customerId"]),
        (&json!("CustomerDeleted"), &shown["customerId"])
    );
    assert!(body.get("Customer").is_none(), "nothing of who was deleted");
    // A deleted one is told nothing.
    let target = format!("/api/Notification/{one}");
    shop.call(payabli, "DELETE", &target, None).await.expect(200);
    tokio::time::sleep(SEEN).await;
    shop.native("POST", "/v1/customers", Some(json!({"full_name": "Unheard"}))).await;
    let heard = shop.native("POST", "/v1/customers", Some(json!({"full_name": "Heard"}))).await;
    let target = format!("/v1/customers/{}", heard["number"]);
    let answer = shop.call(&patron_native::DIALECT, "DELETE", &target, None).await;
    assert!(answer.status < 300, "{}", answer.text());
    let got = shop.receiver.until(4).await;
    assert_eq!(got[3].body["customerId"], heard["number"]);
}
