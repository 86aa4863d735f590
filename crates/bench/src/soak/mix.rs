//! What callers do all day, over all six APIs: a fixed mix, chosen by seeded chance.

use std::sync::Arc;

use serde_json::{Value, json};

use super::caller::{Ask, Caller};
use crate::{
    connection::Answer,
    figures::Choices,
    stock::{Stock, letters},
};

/// Customers of its own that a caller changes; the oldest one beyond is deleted.
const OWN_MAX: usize = 50;
/// A card number of the schemes' public test cards.
const CARD: &str = "4111111111111111";
/// The APIs.
const APIS: [&str; 6] = ["native", "wallee", "verifone", "monri", "payabli", "notchpay"];

/// Kinds of work, each with its share of a hundred.
const MIX: [(usize, Work); 10] = [
    (34, Work::Get),
    (10, Work::List),
    (12, Work::Search),
    (10, Work::Create),
    (16, Work::Change),
    (3, Work::Delete),
    (2, Work::Merge),
    (6, Work::Hang),
    (5, Work::Refused),
    (2, Work::SignIn),
];

#[derive(Debug, Clone, Copy)]
enum Work {
    Get,
    List,
    Search,
    Create,
    Change,
    Delete,
    Merge,
    Hang,
    Refused,
    SignIn,
}

/// A customer only this worker changes.
#[derive(Debug, Clone)]
struct Own {
    number: i64,
    uuid: String,
}

/// One of the callers at work.
pub struct Worker {
    caller: Caller,
    choices: Choices,
    data: Arc<Stock>,
    own: Vec<Own>,
    name: String,
    turn: u64,
}

impl Worker {
    /// A worker; its name keeps what it creates apart from what others do.
    pub fn new(caller: Caller, data: Arc<Stock>, seed: u64, run: &str) -> Worker {
        let name = format!("{run}-{seed}");
        Worker { caller, choices: Choices::new(seed), data, own: Vec::new(), name, turn: 0 }
    }

    /// Does one thing.
    pub async fn work(&mut self) {
        self.turn += 1;
        let mut at = self.choices.below(MIX.iter().map(|(share, _)| share).sum());
        let chosen = MIX.iter().find(|(share, _)| {
            let is_it = at < *share;
            at = at.saturating_sub(*share);
            is_it
        });
        match chosen.map(|(_, work)| *work).unwrap_or(Work::Get) {
            Work::Get => self.get().await,
            Work::List => self.list().await,
            Work::Search => self.search().await,
            Work::Create => self.create().await,
            Work::Change => self.change().await,
            Work::Delete => self.delete().await,
            Work::Merge => self.merge().await,
            Work::Hang => self.hang().await,
            Work::Refused => self.refused().await,
            Work::SignIn => self.sign_in().await,
        }
    }

    async fn ask(
        &mut self,
        kind: &'static str,
        api: &'static str,
        (method, target): (&str, &str),
        body: Option<Value>,
        expected: &[u16],
    ) -> Option<Answer> {
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let ask = Ask { kind, api, method, target, headers: &[], body, expected };
        self.caller.ask(ask).await
    }

    fn api(&mut self) -> &'static str {
        APIS[self.choices.below(APIS.len())]
    }

    async fn get(&mut self) {
        let api = self.api();
        let place = self.choices.below(self.data.sample.len());
        let Some((number, uuid)) = self.data.sample.get(place).cloned() else { return };
        let path = one(api, number, &uuid);
        let expected = if api == "notchpay" { 202 } else { 200 };
        self.ask("get", api, ("GET", &path), None, &[expected]).await;
    }

    async fn list(&mut self) {
        let api = self.api();
        let target = match api {
            "native" => "/v1/customers?limit=50".to_owned(),
            "wallee" => "/api/v2.0/customers?limit=50".to_owned(),
            "verifone" => "/v2/customer?search=created_at=ge=2020-01-01&page_size=50".to_owned(),
            "monri" => "/v2/customers?limit=50".to_owned(),
            "payabli" => format!("/api/Query/customers/{}?limitRecord=50", self.entry()),
            _ => "/customers?limit=50".to_owned(),
        };
        self.ask("list", api, ("GET", &target), None, &[200]).await;
    }

    async fn search(&mut self) {
        let n = self.choices.below(usize::try_from(self.data.count).unwrap_or(1)) as u64;
        let email = format!("person.{n}%40example.com");
        let (api, target) = match self.choices.below(5) {
            0 => ("native", format!("/v1/customers?email={email}")),
            1 => ("native", format!("/v1/customers?limit=20&q={}", letters(n / 20))),
            2 => ("wallee", format!("/api/v2.0/customers/search?query=emailAddress%3A{email}")),
            3 => ("verifone", format!("/v2/customer?search=email_address=={email}")),
            _ => (
                "payabli",
                format!("/api/Query/customers/{}?customerNumber(eq)=ref-{n:08}", self.entry()),
            ),
        };
        self.ask("search", api, ("GET", &target), None, &[200]).await;
    }

    fn entry(&self) -> String {
        self.caller.credentials("payabli")["entry"].as_str().unwrap_or_default().to_owned()
    }

    /// A customer through the native API, sometimes asked for twice with the same key.
    async fn create(&mut self) {
        if self.own.len() >= OWN_MAX {
            return self.delete().await;
        }
        match self.choices.below(3) {
            0 => self.create_elsewhere().await,
            _ => {
                let key = format!("{}-{}", self.name, self.turn);
                let made = self.create_native(&key, &key).await;
                if let Some(own) = made
                    && self.choices.below(4) == 0
                {
                    let again = self.create_native(&key, &key).await;
                    let is_same = again.is_some_and(|again| again.number == own.number);
                    if !is_same {
                        self.own.pop();
                    }
                }
            }
        }
    }

    async fn create_native(&mut self, key: &str, reference: &str) -> Option<Own> {
        let body = json!({
            "reference": reference, "given_name": "Soak", "family_name": reference,
            "email": format!("{reference}@example.org"), "phone": "+41 44 668 18 00",
            "metadata": {"tier": "gold"}, "currency": "CHF",
            "addresses": [{"purpose": "both", "default": true, "line1": "Weg 1", "city": "Bern",
                "postal_code": "3000", "country": "CH"}],
        });
        let headers = [("idempotency-key", key)];
        let ask = Ask {
            kind: "create",
            api: "native",
            method: "POST",
            target: "/v1/customers",
            headers: &headers,
            body: body.to_string(),
            expected: &[201],
        };
        let made = self.caller.ask(ask).await?.json();
        let uuid = made["id"].as_str().unwrap_or_default().to_owned();
        let own = Own { number: made["number"].as_i64().unwrap_or(0), uuid };
        if !self.own.iter().any(|known| known.number == own.number) {
            self.own.push(own.clone());
        }
        Some(own)
    }

    /// Through another API; the native one says what it is called there.
    async fn create_elsewhere(&mut self) {
        let reference = format!("{}-{}", self.name, self.turn);
        let entity = self.caller.credentials("verifone")["entity_id"].clone();
        let single = format!("/api/Customer/single/{}", self.entry());
        let (api, target, body, expected) = match self.choices.below(5) {
            0 => ("wallee", "/api/v2.0/customers", json!({"customerId": reference}), 201),
            1 => {
                let name = json!({"first_name": "Soak", "last_name": reference});
                ("verifone", "/v2/customer", json!({"entity_id": entity, "billing": name}), 200)
            }
            2 => ("monri", "/v2/customers", json!({"merchant_customer_id": reference}), 200),
            3 => ("payabli", single.as_str(), json!({"customerNumber": reference}), 200),
            _ => {
                let email = format!("{reference}@example.org");
                ("notchpay", "/customers", json!({"name": reference, "email": email}), 201)
            }
        };
        let made = self.ask("create", api, ("POST", target), Some(body), &[expected]).await;
        let Some(made) = made else { return };
        let native = match api {
            "verifone" => {
                format!("/v1/customers/{}", made.json()["id"].as_str().unwrap_or_default())
            }
            "notchpay" => format!("/v1/customers?email={reference}%40example.org"),
            _ => format!("/v1/customers/by-reference/{reference}"),
        };
        let Some(found) = self.ask("get", "native", ("GET", &native), None, &[200]).await else {
            return;
        };
        let found = found.json();
        let found = if api == "notchpay" { &found["data"][0] } else { &found };
        if let (Some(number), Some(uuid)) = (found["number"].as_i64(), found["id"].as_str()) {
            self.own.push(Own { number, uuid: uuid.to_owned() });
        }
    }

    /// One of its own through any API; through the native one with and without a fresh tag.
    async fn change(&mut self) {
        let Some(own) = self.pick_own().await else { return };
        let api = self.api();
        let path = one(api, own.number, &own.uuid);
        let text = format!("{}-{}", self.name, self.turn);
        let entity = self.caller.credentials("verifone")["entity_id"].clone();
        let (method, body) = match api {
            "native" => return self.change_natively(&path, &text).await,
            "wallee" => {
                let shown = self.ask("get", api, ("GET", &path), None, &[200]).await;
                let Some(version) = shown.map(|shown| shown.json()["version"].clone()) else {
                    return;
                };
                ("PATCH", json!({"version": version, "givenName": text}))
            }
            "verifone" => {
                let name = json!({"first_name": text, "last_name": "Soak"});
                ("POST", json!({"entity_id": entity, "billing": name}))
            }
            "monri" => ("POST", json!({"description": text})),
            "payabli" => ("PUT", json!({"firstname": text, "lastname": "Soak"})),
            _ => ("PUT", json!({"description": text})),
        };
        let expected = if api == "notchpay" { 202 } else { 200 };
        self.ask("change", api, (method, &path), Some(body), &[expected]).await;
    }

    async fn change_natively(&mut self, path: &str, title: &str) {
        let shown = self.ask("get", "native", ("GET", path), None, &[200]).await;
        let Some(tag) = shown.and_then(|shown| shown.header("etag").map(str::to_owned)) else {
            return;
        };
        let body = json!({"title": title}).to_string();
        for (kind, expected) in [("change", 200), ("refused", 412)] {
            let (headers, body) = ([("if-match", tag.as_str())], body.clone());
            let ask = Ask {
                kind,
                api: "native",
                method: "PATCH",
                target: path,
                headers: &headers,
                body,
                expected: &[expected],
            };
            self.caller.ask(ask).await;
        }
    }

    async fn pick_own(&mut self) -> Option<Own> {
        if self.own.is_empty() {
            let key = format!("{}-{}-first", self.name, self.turn);
            return self.create_native(&key, &key).await;
        }
        let at = self.choices.below(self.own.len());
        self.own.get(at).cloned()
    }

    /// The oldest of its own, through any API that deletes at once, and sometimes back again.
    async fn delete(&mut self) {
        if self.own.is_empty() {
            return;
        }
        let own = self.own.remove(0);
        let api = self.api();
        let path = one(api, own.number, &own.uuid);
        let expected = match api {
            "native" | "wallee" | "verifone" => 204,
            "notchpay" => 202,
            _ => 200,
        };
        self.ask("delete", api, ("DELETE", &path), None, &[expected]).await;
        let native = one("native", own.number, &own.uuid);
        self.ask("refused", "native", ("GET", &native), None, &[404]).await;
        if self.choices.below(3) == 0 {
            let restore = format!("{native}/restore");
            self.ask("change", "native", ("POST", &restore), None, &[200]).await;
            self.ask("delete", "native", ("DELETE", &native), None, &[204]).await;
        }
    }

    /// Two new customers become one; the old number answers as the other.
    async fn merge(&mut self) {
        let name = format!("{}-{}", self.name, self.turn);
        let Some(kept) = self.create_native(&format!("{name}-a"), &format!("{name}-a")).await
        else {
            return;
        };
        let Some(gone) = self.create_native(&format!("{name}-b"), &format!("{name}-b")).await
        else {
            return;
        };
        self.own.retain(|own| own.number != gone.number);
        let path = format!("/v1/customers/{}/merge", kept.number);
        let body = json!({"absorb": gone.number});
        self.ask("merge", "native", ("POST", &path), Some(body), &[200]).await;
        let old = one("payabli", gone.number, &gone.uuid);
        self.ask("get", "payabli", ("GET", &old), None, &[200]).await;
    }

    /// Comments, addresses and payment methods come and go.
    async fn hang(&mut self) {
        let Some(own) = self.pick_own().await else { return };
        let path = one("native", own.number, &own.uuid);
        let (part, body) = match self.choices.below(3) {
            0 => ("comments", json!({"content": "Called back, all good."})),
            1 => ("addresses", json!({"purpose": "other", "city": "Chur", "country": "CH"})),
            _ => {
                let card = json!({"number": CARD, "expiry_month": 12, "expiry_year": 2040});
                ("payment-methods", json!({"card": card}))
            }
        };
        let all = format!("{path}/{part}");
        let made = self.ask("create", "native", ("POST", &all), Some(body), &[200, 201]).await;
        self.ask("list", "native", ("GET", &all), None, &[200]).await;
        let Some(id) = made.and_then(|made| made.json()["id"].as_str().map(str::to_owned)) else {
            return;
        };
        let shown = format!("{path}/history?limit=20");
        self.ask("list", "native", ("GET", &shown), None, &[200]).await;
        let gone = format!("{all}/{id}");
        self.ask("delete", "native", ("DELETE", &gone), None, &[204]).await;
    }

    /// What must be refused, and how.
    async fn refused(&mut self) {
        let card = json!({"description": format!("my card is {CARD}")});
        let missing = format!("/v1/customers/{}", uuid::Uuid::new_v4());
        let all = "/v1/customers";
        let (api, line, body, expected) = match self.choices.below(8) {
            0 => ("native", ("POST", all), Some(card), 422),
            1 => ("native", ("GET", missing.as_str()), None, 404),
            2 => ("native", ("GET", "/v1/nowhere"), None, 404),
            3 => ("native", ("PUT", all), Some(json!({})), 405),
            4 => ("native", ("POST", all), Some(json!(["no object"])), 400),
            5 => ("native", ("GET", "/v1/customers?limit=9999"), None, 400),
            6 => ("monri", ("GET", "/v2/customers/none"), None, 404),
            _ => return self.unsigned().await,
        };
        self.ask("refused", api, line, body, &[expected]).await;
    }

    async fn unsigned(&mut self) {
        let ask = Ask {
            kind: "refused",
            api: "native",
            method: "GET",
            target: "/api/v2.0/customers",
            headers: &[],
            body: String::new(),
            expected: &[401],
        };
        self.caller.ask(ask).await;
    }

    async fn sign_in(&mut self) {
        let text = |keys: &Value, name: &str| keys[name].as_str().unwrap_or_default().to_owned();
        let (api, target, body) = match self.choices.below(2) {
            0 => {
                let keys = self.caller.credentials("monri");
                let body = json!({
                    "client_id": text(keys, "authenticity_token"),
                    "client_secret": text(keys, "merchant_key"),
                    "grant_type": "client_credentials", "scopes": ["customers"],
                });
                ("monri", "/v2/oauth", body)
            }
            _ => {
                let keys = self.caller.credentials("payabli");
                let body = json!({
                    "clientId": text(keys, "client_id"),
                    "clientSecret": text(keys, "client_secret"),
                });
                ("payabli", "/api/v2/Token/serverside", body)
            }
        };
        self.ask("sign-in", api, ("POST", target), Some(body), &[200]).await;
    }
}

/// The path of one customer in an API.
fn one(api: &str, number: i64, uuid: &str) -> String {
    match api {
        "native" => format!("/v1/customers/{number}"),
        "wallee" => format!("/api/v2.0/customers/{number}"),
        "verifone" => format!("/v2/customer/{uuid}"),
        "monri" => format!("/v2/customers/{uuid}"),
        "payabli" => format!("/api/Customer/{number}"),
        _ => format!("/customers/cus.{}", base62(uuid)),
    }
}

/// A UUID as one of the APIs writes it: 22 digits in base 62.
fn base62(uuid: &str) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut rest = uuid::Uuid::parse_str(uuid).unwrap_or_default().as_u128();
    let mut digits = [b'0'; 22];
    for place in digits.iter_mut().rev() {
        *place = DIGITS[usize::try_from(rest % 62).unwrap_or(0)];
        rest /= 62;
    }
    String::from_utf8_lossy(&digits).into_owned()
}
