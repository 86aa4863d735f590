//! The six APIs seen alike: how a person is written and read through each.

use std::collections::BTreeMap;

use patron_gateway::Dialect;
use patron_testkit::{Answer, TestServer};
use serde_json::{Value, json};

/// Every API, native first.
pub static ALL: [&Dialect; 6] = [
    &patron_native::DIALECT,
    &patron_wallee::DIALECT,
    &patron_verifone::DIALECT,
    &patron_monri::DIALECT,
    &patron_payabli::DIALECT,
    &patron_notchpay::DIALECT,
];

/// What is known of a person, in core words.
pub type Person = BTreeMap<&'static str, String>;

/// What is told of a person, in core words.
const TOLD: [&str; 18] = [
    "reference",
    "given_name",
    "family_name",
    "full_name",
    "title",
    "company_name",
    "tax_number",
    "email",
    "phone",
    "language",
    "currency",
    "description",
    "metadata",
    "line1",
    "city",
    "postal_code",
    "state",
    "country",
];
/// Those of the address.
const OF_ADDRESS: [&str; 5] = ["line1", "city", "postal_code", "state", "country"];

/// Where an API says that a field stands; a field that has no place is kept, not shown there.
fn place(api: &str, field: &str) -> Option<&'static str> {
    let dialect = ALL.iter().find(|dialect| dialect.name == api).unwrap();
    match OF_ADDRESS.contains(&field) {
        true => dialect.customer.pointer(&format!("billing.{field}")),
        false => dialect.customer.pointer(field),
    }
}

/// What an API shows of it.
pub fn fields(api: &str) -> Vec<&'static str> {
    TOLD.into_iter().filter(|field| place(api, field).is_some()).collect()
}

/// Where a field stands in an API's customer: a JSON pointer.
pub fn pointer(api: &str, field: &str) -> String {
    let found = place(api, field).unwrap_or_else(|| panic!("{api} shows no {field}"));
    if field == "metadata" { format!("{found}/tier") } else { found.to_owned() }
}

/// A call through one API.
pub async fn call(
    server: &TestServer,
    keys: &Value,
    api: &str,
    method: &str,
    path: &str,
    body: Option<Value>,
) -> Answer {
    let dialect = ALL.iter().find(|dialect| dialect.name == api).unwrap();
    let space = keys[api]["space_id"].to_string();
    let headers: &[(&str, &str)] = if api == "wallee" { &[("space", &space)] } else { &[] };
    let mut signed = server.signed(dialect, &keys[api], method, path, "");
    let text = body.map(|body| body.to_string()).unwrap_or_default();
    if !text.is_empty() {
        signed = server.signed(dialect, &keys[api], method, path, &text);
        signed.push(("content-type".into(), "application/json".into()));
    }
    for (name, value) in headers {
        if !signed.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
            signed.push(((*name).into(), (*value).into()));
        }
    }
    let all: Vec<(&str, &str)> = signed.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    server.raw(method, path, &all, text.as_bytes()).await
}

/// Puts a value at a pointer, making the objects on the way.
fn put(body: &mut Value, pointer: &str, value: &str) {
    let mut place = body;
    for name in pointer.trim_start_matches('/').split('/') {
        place = match name.parse::<usize>() {
            Ok(at) => {
                if !place.is_array() {
                    *place = json!([]);
                }
                let items = place.as_array_mut().unwrap();
                while items.len() <= at {
                    items.push(json!({"purpose": "billing"}));
                }
                &mut items[at]
            }
            Err(_) => {
                if !place.is_object() {
                    *place = json!({});
                }
                place.as_object_mut().unwrap().entry(name).or_insert(Value::Null)
            }
        };
    }
    *place = json!(value);
}

/// The body that creates a person through an API: its request has the response's names, but for
/// the capitals of one.
pub fn body(api: &str, keys: &Value, person: &Person) -> Value {
    let mut body = json!({});
    for field in fields(api) {
        // Names derived by the API itself are not sent beside their parts.
        if field == "full_name" && fields(api).contains(&"given_name") {
            continue;
        }
        let mut pointer = pointer(api, field);
        if api == "payabli" {
            pointer = match field {
                "metadata" => "/additionalFields/tier".into(),
                "reference" => pointer,
                _ => pointer.to_lowercase(),
            };
        }
        put(&mut body, &pointer, &person[field]);
    }
    if api == "verifone" {
        body["entity_id"] = keys["verifone"]["entity_id"].clone();
    }
    body
}

/// Creates a person through an API.
pub async fn create(server: &TestServer, keys: &Value, api: &str, person: &Person) -> Answer {
    let body = Some(body(api, keys, person));
    call(server, keys, api, "POST", &create_path(api, keys), body).await
}

/// The nth of several people who differ by reference and e-mail.
pub fn person(n: usize, phone: &str, country: &str) -> Person {
    Person::from([
        ("reference", format!("ref-{n}")),
        ("full_name", "Anna Muster".into()),
        ("given_name", "Anna".into()),
        ("family_name", "Muster".into()),
        ("title", "Dr".into()),
        ("company_name", "Muster AG".into()),
        ("tax_number", "123456".into()),
        ("phone", phone.into()),
        ("email", format!("anna.{n}@example.com")),
        ("language", "de".into()),
        ("currency", "CHF".into()),
        ("description", "about".into()),
        ("metadata", "gold".into()),
        ("line1", "Bahnhofstrasse 1".into()),
        ("city", "Zurich".into()),
        ("postal_code", "8000".into()),
        ("state", "ZH".into()),
        ("country", country.into()),
    ])
}

/// Where an API creates customers.
pub fn create_path(api: &str, keys: &Value) -> String {
    match api {
        "native" => "/v1/customers".to_owned(),
        "wallee" => "/api/v2.0/customers".to_owned(),
        "verifone" => "/v2/customer".to_owned(),
        "monri" => "/v2/customers".to_owned(),
        "payabli" => {
            format!("/api/Customer/single/{}", keys["payabli"]["entry"].as_str().unwrap())
        }
        _ => "/customers".to_owned(),
    }
}

/// Reads a customer through an API, by the number and id that the native API gives.
pub async fn read(server: &TestServer, keys: &Value, api: &str, native: &Value) -> Value {
    let get = |path: String| async move { call(server, keys, api, "GET", &path, None).await };
    match api {
        // Found as well as read.
        "notchpay" => {
            let email = native["email"].as_str().unwrap().replace('+', "%2B");
            let listed = get(format!("/customers?search={email}")).await.expect(200).json();
            assert_eq!(listed["totals"], 1, "{listed}");
            listed["items"][0].clone()
        }
        _ => {
            let (number, id) = (native["number"].as_i64().unwrap(), native["id"].as_str().unwrap());
            let shape = ALL.iter().find(|dialect| dialect.name == api).unwrap().customer;
            get((shape.path)(number, id.parse().unwrap())).await.expect(200).json()
        }
    }
}
