//! Whoever sends something wrong is told all of it at once, through every API, in its own shape;
//! and whoever sends what somebody else has is told who has it.

use std::collections::BTreeSet;

use patron::dialects::DIALECTS;
use patron_gateway::{Dialect, Operation, operation::Shape};
use patron_testkit::{Answer, TestServer};
use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use crate::api::{call, create_path};

/// Operations that tell nothing of what is wrong with a body, and why.
const SILENT: [(&str, &str); 1] = [
    // The provider's page for single sign-in answers all of it as an unknown client.
    ("payabli", "get_token"),
];

/// Members of an object that hold a text, as an operation declares its body.
fn texts(operation: &Operation) -> Vec<String> {
    let Some(Shape::Wire(schema)) = operation.body else { return Vec::new() };
    let mut generator = SchemaGenerator::new(SchemaSettings::draft2020_12());
    let described = schema(&mut generator).to_value();
    let definitions = generator.take_definitions(true);
    let name = described["$ref"].as_str().and_then(|path| path.rsplit('/').next());
    let object = name.and_then(|name| definitions.get(name)).unwrap_or(&described);
    let is_text = |member: &Value| match &member["type"] {
        Value::String(word) => word == "string",
        Value::Array(words) => words.contains(&json!("string")),
        _ => false,
    };
    let members = object["properties"].as_object().cloned().unwrap_or_default();
    members.into_iter().filter(|(_, m)| is_text(m)).map(|(name, _)| name).collect()
}

/// Letters and digits: fields are named in wire words or as people write them.
fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Ids and numbers wherever they stand in an answer.
fn ids(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(id) if name == "id" => drop(into.insert(id.clone())),
                    Value::Number(n) if ["id", "number", "customerId"].contains(&&**name) => {
                        into.insert(n.to_string());
                    }
                    other => ids(other, into),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| ids(item, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Paths of an operation with every combination of what its parameters may be.
fn paths(operation: &Operation, keys: &Value, known: &BTreeSet<String>) -> Vec<String> {
    let mut paths = vec![operation.path.to_owned()];
    while let Some(name) = paths[0].split_once('{').and_then(|(_, rest)| rest.split('}').next()) {
        let (place, name) = (format!("{{{name}}}"), name.to_owned());
        let own = keys[&name].as_str().map(str::to_owned);
        let values: Vec<String> = match own {
            Some(own) => vec![own],
            None => known.iter().cloned().collect(),
        };
        let filled = |path: &String| {
            let fill = |value: &String| path.replace(&place, value);
            values.iter().map(fill).collect::<Vec<_>>()
        };
        paths = paths.iter().flat_map(filled).collect();
    }
    paths
}

/// What exists in a space, so that paths lead somewhere.
async fn known(server: &TestServer, keys: &Value, dialect: &Dialect) -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    let person = json!({"email": "anna@example.com", "addresses": [{"city": "Bern"}]});
    let made = call(server, keys, "native", "POST", "/v1/customers", Some(person)).await;
    let number = made.expect(201).json()["number"].clone();
    let one = format!("/v1/customers/{number}");
    let comment = json!({"content": "x"});
    let method = json!({"type": "wallet"});
    call(server, keys, "native", "POST", &format!("{one}/comments"), Some(comment)).await;
    call(server, keys, "native", "POST", &format!("{one}/payment-methods"), Some(method)).await;
    // Whoever asks second finds the one that the first made.
    let user = json!({"kind": "human", "email": "ada@example.com"});
    call(server, keys, "native", "POST", "/v1/users", Some(user)).await;
    let spread = format!("{one}?expand=addresses,comments");
    let methods = format!("{one}/payment-methods");
    let users = "/v1/users?kind=human";
    for path in [&spread, &methods, "/v1/accounts", "/v1/spaces", "/v1/keys?limit=1", users] {
        let answer = call(server, keys, "native", "GET", path, None).await.expect(200);
        ids(&answer.json(), &mut known);
    }
    if dialect.name == "notchpay" {
        let listed = call(server, keys, dialect.name, "GET", "/customers", None).await;
        ids(&listed.expect(200).json(), &mut known);
        let hook = json!({"url": "http://127.0.0.1:1024/hook", "events": ["customer.created"]});
        let hook = call(server, keys, dialect.name, "POST", "/webhooks", Some(hook)).await;
        ids(&hook.expect(201).json(), &mut known);
    }
    if dialect.name == "payabli" {
        let hook = json!({"method": "web", "frequency": "untilcancelled", "ownerType": 2,
            "ownerId": 1, "status": 1, "target": "http://127.0.0.1:1024/hook",
            "content": {"eventType": "CustomerCreated"}});
        let hook = call(server, keys, "payabli", "POST", "/api/Notification", Some(hook)).await;
        known.insert(hook.expect(200).json()["responseData"].to_string());
    }
    if dialect.name == "wallee" {
        let provider = json!({"name": "Staff", "issuer": "https://login.example.com",
            "client_id": "patron"});
        let made = call(server, keys, "native", "POST", "/v1/providers", Some(provider)).await;
        let brought = json!({"provider": made.expect(201).json()["number"]});
        let path = "/api/v2.0/single-sign-on-users";
        let brought = call(server, keys, "wallee", "POST", path, Some(brought)).await;
        ids(&brought.expect(201).json(), &mut known);
        let hooks = "/api/v2.0/webhooks";
        let url = json!({"url": "http://127.0.0.1:1024/hook"});
        let url = call(server, keys, "wallee", "POST", &format!("{hooks}/urls"), Some(url)).await;
        let url = url.expect(201).json();
        let listener = json!({"entity": 1_700_000_000_001_i64, "url": url["id"]});
        let path = format!("{hooks}/listeners");
        let listener = call(server, keys, "wallee", "POST", &path, Some(listener)).await;
        ids(&json!([url, listener.expect(201).json()]), &mut known);
    }
    known
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_body_with_four_faults_is_told_by_every_operation() {
    let server = TestServer::start(DIALECTS).await;
    let keys = server.all_credentials();
    for dialect in DIALECTS {
        let known = known(&server, keys, dialect).await;
        let mut asked = 0;
        for operation in (dialect.operations)() {
            let wrong: Vec<String> = texts(&operation).into_iter().take(4).collect();
            let is_silent = SILENT.contains(&(dialect.name, operation.id));
            let takes_json = operation.media.iter().any(|media| media.ends_with("json"));
            // A person's own: no key gets anywhere there.
            let is_own = operation.access == patron_gateway::Access::Own;
            if wrong.is_empty() || is_silent || is_own || !takes_json {
                continue;
            }
            let body: Map<String, Value> =
                wrong.iter().map(|name| (name.clone(), json!({"x": 1}))).collect();
            let mut said = Vec::new();
            for path in paths(&operation, &keys[dialect.name], &known) {
                let (method, body) = (operation.method.as_str(), Value::Object(body.clone()));
                let answer = call(&server, keys, dialect.name, method, &path, Some(body)).await;
                assert!((400..500).contains(&answer.status), "{path}: {}", answer.text());
                said.push(answer.text());
            }
            let tells = |text: &&String| {
                let text = plain(text);
                wrong.iter().all(|name| text.contains(&plain(name)))
            };
            let id = operation.id;
            assert!(said.iter().any(|t| tells(&t)), "{} {id} {wrong:?}: {said:#?}", dialect.name);
            asked += 1;
        }
        assert!(asked > 0, "{}", dialect.name);
    }
}

/// Of each API a body with a wrong type, a bad value, a bad part of an address and, where members
/// that are not known are refused, one of those; and what an answer has to name.
fn bad_bodies() -> [(&'static str, Value, &'static [&'static str]); 6] {
    let long = |chars: usize| "x".repeat(chars);
    let native = json!({"title": 7, "email": "nope", "fullname": "A",
        "addresses": [{"country": "??", "city": {}}]});
    let wallee = json!({"givenName": 7, "emailAddress": long(255), "customerId": "č",
        "metaData": {"a": 1}, "language": "??"});
    let verifone = json!({"company_name": 7, "email_address": "nope",
        "billing": {"city": {}, "country_code": "DEU"}, "tax": {"identifier": 1}});
    let monri = json!({"name": 7, "city": "x", "email": [], "zip_code": long(10)});
    let payabli = json!({"firstname": 7, "balance": "x", "shippingZip": long(51), "timeZone": 99,
        "additionalFields": {"a": []}});
    let notchpay = json!({"email": [], "name": {}, "tax_number": true,
        "address": {"city": {}, "country": "??"}});
    [
        (
            "native",
            native,
            &["/title", "/email", "full_name", "/addresses/0/country", "/addresses/0/city"],
        ),
        ("wallee", wallee, &["givenName", "emailAddress", "customerId", "metaData.a", "language"]),
        (
            "verifone",
            verifone,
            &[
                "body.company_name",
                "body.email_address",
                "body.billing.city",
                "body.billing.country_code",
                "body.tax.identifier",
                "body.entity_id",
            ],
        ),
        ("monri", monri, &["Name must", "City is", "Email must", "Zip code is"]),
        (
            "payabli",
            payabli,
            &["firstname", "balance", "shippingZip", "timeZone", "additionalFields.a"],
        ),
        ("notchpay", notchpay, &["email", "name", "tax_number", "address.city", "address.country"]),
    ]
}

/// A call of which the body is text.
async fn raw(server: &TestServer, api: &str, path: &str, body: &str) -> Answer {
    let keys = server.all_credentials();
    let dialect = DIALECTS.iter().find(|dialect| dialect.name == api).unwrap();
    let mut headers = server.signed(dialect, &keys[api], "POST", path, body);
    headers.push(("content-type".into(), "application/json".into()));
    if api == "wallee" {
        headers.push(("space".into(), keys[api]["space_id"].to_string()));
    }
    let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (&**n, &**v)).collect();
    server.raw("POST", path, &headers, body.as_bytes()).await
}

#[tokio::test]
async fn types_values_and_addresses_are_told_together_and_broken_json_with_its_place() {
    let server = TestServer::start(DIALECTS).await;
    let keys = server.all_credentials();
    for (api, body, named) in bad_bodies() {
        let path = create_path(api, keys);
        let answer = call(&server, keys, api, "POST", &path, Some(body)).await;
        assert!([400, 422].contains(&answer.status), "{api}: {}", answer.text());
        for name in named {
            assert!(answer.text().contains(name), "{api} {name}: {}", answer.text());
        }
        let broken = raw(&server, api, &path, "{\"name\": \"x\",\n \"email\" 7}").await;
        let broken = broken.expect(400).text();
        match api {
            // Its text is one the provider documents.
            "notchpay" => assert!(broken.contains("Invalid JSON payload"), "{broken}"),
            _ => assert!(broken.contains("line 2 column 10"), "{api}: {broken}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_a_reference_is_told_to_who_may_read_it() {
    let server = TestServer::start(DIALECTS).await;
    let keys = server.all_credentials();
    let mine = json!({"reference": "r-1"});
    let native = async |method: &str, path: &str, body: &Value| {
        call(&server, keys, "native", method, path, Some(body.clone())).await
    };
    // Of several at a time one wins, and the others are told which.
    let racing = (0..8).map(|_| native("POST", "/v1/customers", &mine));
    let raced = futures_util::future::join_all(racing).await;
    let (won, lost): (Vec<Answer>, Vec<Answer>) = raced.into_iter().partition(|a| a.status == 201);
    assert_eq!((won.len(), lost.len()), (1, 7));
    let holder = won[0].json();
    for answer in lost {
        assert_eq!(answer.status, 409);
        assert_eq!(answer.json()["existing_id"], holder["id"], "{}", answer.text());
    }
    let other = native("POST", "/v1/customers", &json!({})).await.expect(201).json();
    let one = format!("/v1/customers/{}", other["number"]);
    let refused = native("PATCH", &one, &mine).await.expect(409).json();
    assert_eq!(refused["existing_id"], holder["id"]);
    // One that was deleted and wants to come back.
    let deleted = native("POST", "/v1/customers", &json!({"reference": "r-2"})).await.json();
    let gone = format!("/v1/customers/{}", deleted["number"]);
    call(&server, keys, "native", "DELETE", &gone, None).await.expect(204);
    let heir = native("POST", "/v1/customers", &json!({"reference": "r-2"})).await.expect(201);
    let restored = call(&server, keys, "native", "POST", &format!("{gone}/restore"), None).await;
    assert_eq!(restored.expect(409).json()["existing_id"], heir.json()["id"]);
    // Through the others, by the id that each of them has for it.
    let id = holder["id"].as_str().unwrap();
    let number = holder["number"].to_string();
    let third = json!({"customer_psw": null, "customerNumber": "r-1"});
    for (api, path, body, named) in [
        ("wallee", create_path("wallee", keys), json!({"customerId": "r-1"}), &*number),
        ("monri", create_path("monri", keys), json!({"merchant_customer_id": "r-1"}), id),
        ("payabli", format!("/api/Customer/{}", other["number"]), third, &*number),
    ] {
        let method = if api == "payabli" { "PUT" } else { "POST" };
        let answer = call(&server, keys, api, method, &path, Some(body)).await;
        assert!([400, 422].contains(&answer.status), "{api}: {}", answer.text());
        assert!(answer.text().contains(named), "{api}: {}", answer.text());
    }
    // Not to a key that may write customers and not read them.
    let blind = json!({"dialect": "native", "permissions": ["customer:write"]});
    let blind = native("POST", "/v1/keys", &blind).await.expect(201).json();
    let told = server
        .call(&patron_native::DIALECT, &blind["credentials"], "POST", "/v1/customers", Some(mine))
        .await
        .expect(409);
    assert!(!told.text().contains(id) && !told.text().contains("existing_id"), "{}", told.text());
    // Nor of another space, where the reference is free and then has a holder of its own.
    let theirs = server.new_space(None).await;
    let elsewhere = || {
        let body = Some(json!({"reference": "r-1"}));
        call(&server, &theirs, "native", "POST", "/v1/customers", body)
    };
    let there = elsewhere().await.expect(201).json();
    assert_eq!(elsewhere().await.expect(409).json()["existing_id"], there["id"]);
}
