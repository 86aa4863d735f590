//! Keys of every API alike: rotated with an overlap, good from their networks only, over in time.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use patron_app::Clock;
use patron_gateway::{Dialect, limits::Limits};
use patron_model::Timestamp;
use patron_testkit::{Answer, TestServer};
use serde_json::{Value, json};

use crate::api::ALL;

/// Header in which the servers of these tests are told the client's address.
const ADDRESS: &str = "x-real-ip";
/// Seconds that keys overlap here.
const OVERLAP_SECONDS: i64 = 3_600;

struct Place {
    server: TestServer,
    at: Arc<AtomicI64>,
}

impl Place {
    async fn start() -> Place {
        let start = Timestamp::parse("2026-06-01T00:00:00Z").unwrap();
        let at = Arc::new(AtomicI64::new(start.micros()));
        let limits = Limits {
            client_address_header: ADDRESS.into(),
            failed_sign_ins_per_minute: 0,
            ..Limits::default()
        };
        let server = TestServer::start_with(&ALL, Clock::Fixed(Arc::clone(&at)), limits).await;
        Place { server, at }
    }

    fn pass(&self, seconds: i64) {
        self.at.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
    }

    async fn admin(&self, method: &str, target: &str, body: Option<Value>) -> Answer {
        let native = ALL[0];
        self.server.call(native, &self.server.credentials("native"), method, target, body).await
    }

    async fn new_key(&self, dialect: &Dialect, more: Value) -> Value {
        let mut body = json!({"dialect": dialect.name, "role": 6});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.admin("POST", "/v1/keys", Some(body)).await.expect(201).json()
    }

    async fn rotate(&self, key: &Value) -> Answer {
        let target = format!("/v1/keys/{}/rotate", key["number"]);
        self.admin("POST", &target, Some(json!({"overlap_seconds": OVERLAP_SECONDS}))).await
    }

    /// Asks for a list with a key, from an address.
    async fn status(&self, dialect: &Dialect, key: &Value, from: &str) -> u16 {
        let keys = &key["credentials"];
        let target = list(dialect, keys);
        let from = [(ADDRESS, from)];
        self.server.call_with(dialect, keys, "GET", &target, &from, None).await.status
    }
}

/// A list that every reader of an API may see.
fn list(dialect: &Dialect, keys: &Value) -> String {
    match dialect.name {
        "native" => "/v1/customers".into(),
        "wallee" => "/api/v2.0/customers".into(),
        "verifone" => "/v2/customer?search=company_name%3D%3Dx".into(),
        "monri" => "/v2/customers".into(),
        "payabli" => format!("/api/Query/customers/{}", keys["entry"].as_str().unwrap()),
        _ => "/customers".into(),
    }
}

/// The name of the user, in APIs where a user may have several secrets.
fn user(dialect: &Dialect, key: &Value) -> Option<Value> {
    dialect.credentials.keeps_user.then(|| key["credentials"]["user_id"].clone())
}

const HERE: &str = "192.0.2.7";

#[tokio::test]
async fn a_rotated_key_of_every_api_goes_on_for_the_overlap() {
    let place = Place::start().await;
    for dialect in ALL {
        let name = dialect.name;
        let old = place.new_key(dialect, json!({})).await;
        assert_eq!(place.status(dialect, &old, HERE).await, 200, "{name}");
        let new = place.rotate(&old).await.expect(201).json();
        assert_ne!(new["number"], old["number"], "{name}");
        assert_ne!(new["credentials"], old["credentials"], "{name}");
        assert_eq!(user(dialect, &new), user(dialect, &old), "{name}: the user stays");
        for key in [&old, &new] {
            assert_eq!(place.status(dialect, key, HERE).await, 200, "{name}: both are good");
        }
        place.pass(OVERLAP_SECONDS);
        assert_eq!(place.status(dialect, &old, HERE).await, 401, "{name}: to the second");
        assert_eq!(place.status(dialect, &new, HERE).await, 200, "{name}");
        let again = place.rotate(&new).await.expect(201).json();
        let revoke = format!("/v1/keys/{}", again["number"]);
        place.admin("DELETE", &revoke, None).await.expect(204);
        assert_eq!(place.status(dialect, &again, HERE).await, 401, "{name}: revoked");
        assert_eq!(place.status(dialect, &new, HERE).await, 200, "{name}: each ends by itself");
        place.pass(OVERLAP_SECONDS);
        assert_eq!(place.status(dialect, &new, HERE).await, 401, "{name}");
    }
}

#[tokio::test]
async fn a_user_has_ten_good_secrets_at_most() {
    let place = Place::start().await;
    for dialect in ALL.into_iter().filter(|dialect| dialect.credentials.keeps_user) {
        let mut keys = vec![place.new_key(dialect, json!({})).await];
        for _ in 1..10 {
            keys.push(place.rotate(keys.last().unwrap()).await.expect(201).json());
        }
        place.rotate(keys.last().unwrap()).await.expect(409);
        for key in &keys {
            assert_eq!(place.status(dialect, key, HERE).await, 200, "{}", dialect.name);
        }
        place.pass(OVERLAP_SECONDS);
        for key in &keys[..9] {
            assert_eq!(place.status(dialect, key, HERE).await, 401, "{}", dialect.name);
        }
        let newest = place.rotate(keys.last().unwrap()).await.expect(201).json();
        assert_eq!(place.status(dialect, &newest, HERE).await, 200, "{}", dialect.name);
    }
}

#[tokio::test]
async fn a_key_of_every_api_is_good_from_its_networks_only() {
    let place = Place::start().await;
    let networks = json!({"addresses": ["192.0.2.0/25", "2001:db8:1::/48"]});
    for dialect in ALL {
        let name = dialect.name;
        let key = place.new_key(dialect, networks.clone()).await;
        for (from, is_let_in) in [
            (HERE, true),
            ("::ffff:192.0.2.7", true),
            ("2001:db8:1:2::3", true),
            ("198.51.100.1, 192.0.2.7", true),
            ("192.0.2.128", false),
            ("2001:db8:2::1", false),
            ("192.0.2.7, 198.51.100.1", false),
            // What is no address is as good as none: who connected counts.
            ("unknown", false),
        ] {
            let status = place.status(dialect, &key, from).await;
            assert_eq!(status, if is_let_in { 200 } else { 401 }, "{name} from {from}");
        }
        let everywhere = Some(json!({"addresses": []}));
        let target = format!("/v1/keys/{}", key["number"]);
        place.admin("PATCH", &target, everywhere).await.expect(200);
        assert_eq!(place.status(dialect, &key, "192.0.2.128").await, 200, "{name}: at once");
    }
}

/// A request for a token with the credentials of a key: path, media type, body.
fn token_request(dialect: &Dialect, keys: &Value) -> Option<(&'static str, &'static str, String)> {
    let text = |name: &str| keys[name].as_str().unwrap().to_owned();
    match dialect.name {
        "monri" => {
            let body = json!({
                "client_id": text("authenticity_token"), "client_secret": text("merchant_key"),
                "grant_type": "client_credentials", "scopes": ["customers"],
            });
            Some(("/v2/oauth", "application/json", body.to_string()))
        }
        "payabli" => {
            let body =
                json!({"clientId": text("client_id"), "clientSecret": text("client_secret")});
            Some(("/api/v2/Token/serverside", "application/json", body.to_string()))
        }
        "verifone" => Some((
            "/oauth2/realms/root/realms/VerifoneServices/access_token",
            "application/x-www-form-urlencoded",
            format!(
                "grant_type=client_credentials&client_id={}&client_secret={}",
                text("user_id"),
                text("api_key")
            ),
        )),
        _ => None,
    }
}

#[tokio::test]
async fn tokens_are_got_and_used_from_the_keys_networks_only() {
    let place = Place::start().await;
    let mut tried = 0;
    for dialect in ALL {
        let name = dialect.name;
        let key = place.new_key(dialect, json!({"addresses": ["192.0.2.0/25"]})).await;
        let keys = &key["credentials"];
        let Some((path, media, body)) = token_request(dialect, keys) else { continue };
        tried += 1;
        let ask = async |from: &str| {
            let headers = [(ADDRESS, from), ("content-type", media)];
            place.server.raw("POST", path, &headers, body.as_bytes()).await
        };
        let refused = ask("198.51.100.1").await;
        assert!([400, 401].contains(&refused.status), "{name}: {}", refused.text());
        let granted = ask(HERE).await.expect(200).json();
        let bearer = format!("Bearer {}", granted["access_token"].as_str().unwrap());
        let target = list(dialect, keys);
        for (from, status) in [(HERE, 200), ("198.51.100.1", 401)] {
            let headers = [(ADDRESS, from), ("authorization", bearer.as_str())];
            let answer = place.server.raw("GET", &target, &headers, b"").await;
            assert_eq!(answer.status, status, "{name} from {from}: {}", answer.text());
        }
    }
    assert_eq!(tried, 3);
}

#[tokio::test]
async fn a_key_of_every_api_ends_when_it_says() {
    let place = Place::start().await;
    for dialect in ALL {
        let now = Timestamp::from_micros(place.at.load(Ordering::Relaxed));
        let end = now.plus_seconds(60).rfc3339_micros();
        let key = place.new_key(dialect, json!({"expires_at": end})).await;
        assert_eq!(key["state"], "expiring");
        assert_eq!(place.status(dialect, &key, HERE).await, 200, "{}", dialect.name);
        let token = token_request(dialect, &key["credentials"]);
        let token = match &token {
            Some((path, media, body)) => {
                let headers = [("content-type", *media)];
                let granted = place.server.raw("POST", path, &headers, body.as_bytes()).await;
                granted.expect(200).json()["access_token"].as_str().map(str::to_owned)
            }
            None => None,
        };
        place.pass(60);
        // The caller is still remembered, its end is compared at each use all the same.
        assert_eq!(place.status(dialect, &key, HERE).await, 401, "{}", dialect.name);
        if let Some(token) = token {
            let headers = [("authorization", &*format!("Bearer {token}"))];
            let target = list(dialect, &key["credentials"]);
            place.server.raw("GET", &target, &headers, b"").await.expect(401);
        }
    }
}
