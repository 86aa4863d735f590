//! What random words make none of: endpoints of every API that has some, a provider and whom it
//! brings.

use patron_app::providers::{self, ProviderPatch};
use patron_model::{Patch, text::Name};
use patron_testkit::TestServer;
use serde_json::{Value, json};

use crate::api::call;

/// What wallee calls customers where endpoints say what they are told of.
const CUSTOMERS: i64 = 1_700_000_000_001;
/// Where nobody listens.
const URL: &str = "http://127.0.0.1:1024/";

/// Makes one of each in a space of an account.
pub async fn equip(server: &TestServer, keys: &Value, account: i64) {
    let make = async |api: &str, target: &str, body: Value| {
        let made = call(server, keys, api, "POST", target, Some(body)).await;
        assert!(made.status < 300, "{api} {target}: {}", made.text());
        made.json()
    };
    make("native", "/v1/webhook-endpoints", json!({"url": URL, "types": ["*"]})).await;
    let hook = json!({"url": URL, "events": ["customer.created"]});
    make("notchpay", "/webhooks", hook).await;
    let hook = json!({"method": "web", "frequency": "untilcancelled", "ownerType": 2,
        "ownerId": account, "status": 1, "target": URL,
        "content": {"eventType": "CustomerCreated"}});
    make("payabli", "/api/Notification", hook).await;
    let hooks = "/api/v2.0/webhooks";
    let made = make("wallee", &format!("{hooks}/urls"), json!({"url": URL})).await;
    let listener = json!({"entity": CUSTOMERS, "url": made["id"]});
    make("wallee", &format!("{hooks}/listeners"), listener).await;
    let cx = server.app.operator(0, "test");
    let provider = ProviderPatch {
        name: Name::parse("Staff").ok(),
        issuer: Some("https://login.example.com".to_owned()),
        client_id: Some("patron".to_owned()),
        // Nobody can ask it.
        active: Some(false),
        ..ProviderPatch::default()
    };
    let provider = providers::create(&cx, account, provider, Patch::Keep).await.unwrap();
    let brought = json!({"provider": provider.number});
    make("wallee", "/api/v2.0/single-sign-on-users", brought).await;
}
