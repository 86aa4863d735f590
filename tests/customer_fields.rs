//! Every field of a customer, walked through everything that must know it. A field that is new in
//! the record and missing here fails the first test; one that some part forgets fails another.
//! `docs/adding-a-field.md` names the places.

use std::collections::{BTreeMap, BTreeSet};

use patron_app::search::{
    self, Order, SortKey,
    Value::{Int, Null},
    customer,
};
use patron_app::{Expect, Id, Loaded, customers};
use patron_gateway::openapi;
use patron_model::customer::{Customer, CustomerPatch};
use patron_native::{DIALECT, rows};
use patron_testkit::TestServer;
use serde_json::{Map, Value, json};

use crate::api::{ALL, call};

/// A field as the native API has it, with two values.
struct Field {
    name: &'static str,
    first: Value,
    second: Value,
}

/// Every field that a caller may write.
fn fields() -> Vec<Field> {
    let field = |name, first, second| Field { name, first, second };
    let text = |name, first: &str, second: &str| field(name, json!(first), json!(second));
    vec![
        text("reference", "ref-1", "ref-2"),
        text("given_name", "Ada", "Augusta"),
        text("family_name", "Lovelace", "Byron"),
        text("full_name", "Ada Lovelace", "Augusta Byron"),
        text("title", "Dr", "Prof"),
        text("company_name", "Engines Ltd", "Looms Ltd"),
        text("company_registration_number", "CH-020.1", "CH-020.2"),
        text("tax_number", "123456", "654321"),
        text("email", "ada@example.com", "augusta@example.com"),
        text("phone", "+41446681800", "+41446681801"),
        text("work_phone", "+41446681802", "+41446681803"),
        text("language", "de", "fr"),
        text("currency", "CHF", "EUR"),
        text("time_zone", "Europe/Zurich", "Europe/London"),
        text("description", "counts", "weaves"),
        field("metadata", json!({"tier": "gold"}), json!({"tier": "silver"})),
        text("status", "inactive", "locked"),
        text("status_reason", "on leave", "lost a key"),
        text("status_until", "2999-01-01T00:00:00.000000Z", "2999-02-01T00:00:00.000000Z"),
        text("balance", "1.50", "2.50"),
        text("portal_user_name", "ada", "augusta"),
        field("identifier_fields", json!(["email"]), json!(["phone"])),
    ]
}

/// One fact in three members each: whoever changes one of them may change the others.
const FACTS: [[&str; 3]; 2] =
    [["given_name", "family_name", "full_name"], ["status", "status_reason", "status_until"]];
/// Members of the record that nobody writes as they are.
const NOT_WRITTEN: &[&str] = &[
    "number",
    "uuid",
    "space",
    "version",
    "email_since",
    "former_emails",
    "both",
    "billing",
    "shipping",
    "other_addresses",
    "extras",
    "created_at",
    "updated_at",
    "deleted_at",
    "merged_into",
    // `portal_user_name`, and a password that is never shown.
    "portal",
];
/// Members of the patch that are no fields of the native API's customer.
const OTHER_CHANGES: &[&str] =
    &["portal_password", "billing", "shipping", "general", "add_addresses", "extras"];
/// What a survivor keeps as its own.
const OWN: &[&str] = &["status", "status_reason", "status_until"];
/// What is called otherwise in the journal.
const TOLD_AS: [(&str, &str); 1] = [("portal_user_name", "portal")];
/// What no list can be filtered by. May only shrink.
const NOT_FILTERED: &[&str] = &["identifier_fields"];
/// What free text finds.
const FOUND: &[&str] = &[
    "reference",
    "given_name",
    "family_name",
    "full_name",
    "company_name",
    "email",
    "phone",
    "work_phone",
];
/// What only the native API shows. A new field is listed here, or has a place in another one's
/// shape.
const NATIVE_ONLY: [&str; 2] = ["status_reason", "status_until"];

fn names() -> BTreeSet<String> {
    fields().iter().map(|field| field.name.to_owned()).collect()
}

/// Names of the members of a struct, those without a value too, as it prints itself.
fn members(printed: &str) -> BTreeSet<String> {
    let own = printed.lines().filter_map(|line| line.strip_prefix("    "));
    let names = own.filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()));
    names.filter_map(|line| Some(line.split_once(": ")?.0.to_owned())).collect()
}

fn without(mut names: BTreeSet<String>, others: &[&str]) -> BTreeSet<String> {
    for other in others {
        assert!(names.remove(*other), "{other} is no member, remove it from its list");
    }
    names
}

struct Place {
    server: TestServer,
}

impl Place {
    async fn new() -> Place {
        Place { server: TestServer::start(&ALL).await }
    }

    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let keys = self.server.all_credentials();
        let answer = call(&self.server, keys, "native", method, path, body).await;
        assert!(answer.status < 300, "{method} {path}: {}", answer.text());
        answer.json()
    }

    async fn patch(&self, path: &str, media: &str, body: &Value) -> Value {
        let text = body.to_string();
        let key = &self.server.all_credentials()["native"];
        let signed = self.server.signed(&DIALECT, key, "PATCH", path, &text);
        let mut headers: Vec<(&str, &str)> =
            signed.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        headers.push(("content-type", media));
        let answer = self.server.raw("PATCH", path, &headers, text.as_bytes()).await;
        answer.expect(200).json()
    }

    /// A customer with every field, at its path.
    async fn whole(&self) -> (String, Value) {
        let made = self.call("POST", "/v1/customers", Some(first())).await;
        (format!("/v1/customers/{}", made["number"]), made)
    }

    /// Its reference is free again.
    async fn delete(&self, path: &str) {
        let keys = self.server.all_credentials();
        call(&self.server, keys, "native", "DELETE", path, None).await.expect(204);
    }

    async fn record(&self, shown: &Value) -> Customer {
        let keys = self.server.all_credentials();
        let handle = patron_app::secrets::sha256_hex(keys["native"]["api_key"].as_str().unwrap());
        let space = self.server.app.caller("native", &handle).await.unwrap().key.space;
        let cx = self.server.app.operator(space, "test");
        let id = Id::Number(shown["number"].as_i64().unwrap());
        customers::get_any(&cx, id).await.unwrap().record
    }
}

/// A body with the first value of every field.
fn first() -> Value {
    fields().into_iter().map(|field| (field.name.to_owned(), field.first)).collect()
}

/// What is shown of the fields, but for some.
fn shown(customer: &Value, except: &[&str]) -> BTreeMap<String, Value> {
    let fields = fields().into_iter().filter(|field| !except.contains(&field.name));
    fields.map(|field| (field.name.to_owned(), customer[field.name].clone())).collect()
}

#[tokio::test]
async fn every_field_is_on_the_list() {
    let place = Place::new().await;
    let (_, made) = place.whole().await;
    let record = format!("{:#?}", place.record(&made).await);
    let record = without(members(&record), NOT_WRITTEN);
    let portal = BTreeSet::from(["portal_user_name".to_owned()]);
    assert_eq!(record, names().difference(&portal).cloned().collect(), "the record");
    let patch = format!("{:#?}", CustomerPatch::default());
    assert_eq!(without(members(&patch), OTHER_CHANGES), names(), "the patch");
    let description = openapi::document(&DIALECT, "1");
    let input = &description["components"]["schemas"]["CustomerInput"]["properties"];
    let input: BTreeSet<String> = input.as_object().unwrap().keys().cloned().collect();
    assert_eq!(without(input, &["addresses"]), names(), "the description");
    assert_eq!(shown(&made, &[]), shown(&first(), &[]), "what is written is shown");
}

#[tokio::test]
async fn a_json_patch_changes_what_it_names_and_nothing_else() {
    let place = Place::new().await;
    for Field { name, second, .. } in fields() {
        let (one, before) = place.whole().await;
        let operations = json!([{"op": "replace", "path": format!("/{name}"), "value": second}]);
        let after = place.patch(&one, "application/json-patch+json", &operations).await;
        assert_eq!(after[name], second, "{name}");
        let fact = FACTS.iter().find(|fact| fact.contains(&name));
        let except = fact.map_or_else(|| vec![name], |fact| fact.to_vec());
        assert_eq!(shown(&after, &except), shown(&before, &except), "{name}");
        place.delete(&one).await;
    }
}

#[tokio::test]
async fn a_merge_patch_sets_and_clears_each_and_the_journal_names_it() {
    let place = Place::new().await;
    for Field { name, second, .. } in fields() {
        let (one, before) = place.whole().await;
        let body: Map<String, Value> = [(name.to_owned(), second.clone())].into_iter().collect();
        let after = place.call("PATCH", &one, Some(Value::Object(body))).await;
        assert_eq!(after[name], second, "{name}");
        let fact = FACTS.iter().find(|fact| fact.contains(&name));
        let except = fact.map_or_else(|| vec![name], |fact| fact.to_vec());
        assert_eq!(shown(&after, &except), shown(&before, &except), "{name}");
        let history = place.call("GET", &format!("{one}/history?limit=1"), None).await;
        let told = TOLD_AS.iter().find(|(known, _)| *known == name).map_or(name, |told| told.1);
        let changed = history["data"][0]["changed"].as_array().unwrap();
        assert!(changed.contains(&json!(told)), "{name}: {changed:?}");
        let body: Map<String, Value> = [(name.to_owned(), Value::Null)].into_iter().collect();
        let cleared = place.call("PATCH", &one, Some(Value::Object(body))).await;
        assert_ne!(cleared[name], second, "{name}");
        place.delete(&one).await;
    }
}

#[tokio::test]
async fn a_survivor_takes_over_every_field_that_it_lacks() {
    let place = Place::new().await;
    let (_, whole) = place.whole().await;
    let empty = place.call("POST", "/v1/customers", Some(json!({}))).await;
    let into = format!("/v1/customers/{}", empty["number"]);
    let body = json!({"absorb": whole["id"]});
    place.call("POST", &format!("{into}/merge"), Some(body)).await;
    let after = place.call("GET", &into, None).await;
    assert_eq!(shown(&after, OWN), shown(&whole, OWN));
    for own in OWN {
        assert_eq!(after[own], empty[own], "{own}");
    }
}

#[tokio::test]
async fn an_export_holds_every_field_and_an_import_gives_it_back() {
    let place = Place::new().await;
    let (_, made) = place.whole().await;
    let columns: BTreeSet<&str> = rows::COLUMNS.iter().copied().collect();
    for Field { name, .. } in fields() {
        assert!(columns.contains(name), "{name} is no column of an export");
    }
    let record = place.record(&made).await;
    let cells = rows::to_cells(&record, record.updated_at).unwrap();
    let cells = rows::COLUMNS.iter().copied().zip(cells.iter().map(String::as_str));
    let line = rows::to_record(&record, record.updated_at).unwrap();
    for row in [rows::from_cells(cells).unwrap(), line] {
        let mut row = row;
        row["reference"] = json!("ref-again");
        let patch = rows::into_patch(row).unwrap();
        let cx = place.server.app.operator(record.space, "test");
        let again = customers::create(&cx, patch).await.unwrap();
        let path = format!("/v1/customers/{}", again.number);
        let again = place.call("GET", &path, None).await;
        assert_eq!(shown(&again, &["reference"]), shown(&made, &["reference"]));
        customers::delete(&cx, Id::Number(again["number"].as_i64().unwrap()), Expect::Any)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn lists_are_filtered_by_every_field_and_free_text_finds_what_it_says() {
    let place = Place::new().await;
    place.whole().await;
    let encoded = |value: &Value| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        text.replace('+', "%2B").replace(' ', "%20")
    };
    let count = async |query: String| {
        let listed = place.call("GET", &format!("/v1/customers?{query}"), None).await;
        listed["data"].as_array().unwrap().len()
    };
    for Field { name, first, second } in fields() {
        if NOT_FILTERED.contains(&name) {
            continue;
        }
        let filter = if name == "metadata" { "metadata[tier]" } else { name };
        let inner = |value: &Value| value.get("tier").cloned().unwrap_or(value.clone());
        assert_eq!(count(format!("{filter}={}", encoded(&inner(&first)))).await, 1, "{name}");
        assert_eq!(count(format!("{filter}={}", encoded(&inner(&second)))).await, 0, "{name}");
        if FOUND.contains(&name) {
            assert_eq!(count(format!("q={}", encoded(&first))).await, 1, "{name}");
        }
    }
}

/// What is asked of a customer, by name: all of `search::fields::customer`.
fn asked() -> Vec<(String, search::Field)> {
    let texts = customer::TEXTS.iter().map(|name| ((*name).to_owned(), customer::text(name)));
    let billing = customer::POSTAL.iter();
    let billing = billing.map(|name| (format!("billing.{name}"), customer::billing(name)));
    let shipping = customer::POSTAL.iter();
    let shipping = shipping.map(|name| (format!("shipping.{name}"), customer::shipping(name)));
    let others = [
        ("number", customer::number()),
        ("uuid", customer::uuid()),
        ("space", customer::space()),
        ("version", customer::version()),
        ("given name", customer::given_name()),
        ("family name", customer::family_name()),
        ("full name", customer::full_name()),
        ("reference", customer::reference()),
        ("claimed reference", customer::claimed_reference()),
        ("billing phone", customer::billing_phone()),
        ("shipping phone", customer::shipping_phone()),
        ("metadata", customer::metadata("tier")),
        ("extra", customer::extra("verifone", "language")),
        ("phone", customer::phone()),
        ("international phone", customer::phone_e164()),
        ("work phone", customer::work_phone()),
        ("user name", customer::portal_user_name()),
        ("balance", customer::balance()),
        ("status until", customer::status_until()),
        ("created", customer::created_at()),
        ("updated", customer::updated_at()),
        ("name key", customer::name_key()),
        ("e-mail key", customer::email_key()),
        ("phone key", customer::phone_key()),
    ];
    let others = others.into_iter().map(|(name, field)| (name.to_owned(), field));
    texts.chain(billing).chain(shipping).chain(others).collect()
}

#[tokio::test]
async fn what_searches_ask_for_is_where_they_look() {
    let place = Place::new().await;
    let (_, made) = place.whole().await;
    let mut record = place.record(&made).await;
    let word = |name: &str| if name == "country" { "CH" } else { "x" };
    let text = |name: &&str| ((*name).to_owned(), json!(word(name)));
    let mut postal: Map<String, Value> = customer::POSTAL.iter().map(text).collect();
    postal.insert("phone".to_owned(), json!({"raw": "+41446681800"}));
    let slot = |purpose| {
        json!({"number": 1, "uuid": made["id"], "purpose": purpose, "postal": postal,
               "is_default": true, "version": 1, "created_at": 1, "updated_at": 2})
    };
    let mut document: Value = serde_json::to_value(&record).unwrap();
    for purpose in ["billing", "shipping"] {
        document[purpose] = slot(purpose);
    }
    document["extras"] = json!({"verifone": {"language": "xx"}});
    record = serde_json::from_value(document).unwrap();
    let loaded = Loaded { record, revision: 1 };
    for (name, field) in asked() {
        let order = Order { keys: vec![SortKey { field, descending: false }], descending: false };
        let place = search::place_of(&loaded, &order).unwrap();
        assert_ne!(place.keys, [search::Value::Null], "{name}: nothing is kept there");
    }
    let [both, billing, shipping] = customer::addresses_updated_at();
    let value = |field| {
        let order = Order { keys: vec![SortKey { field, descending: false }], descending: false };
        search::place_of(&loaded, &order).unwrap().keys.remove(0)
    };
    assert_eq!([value(both), value(billing), value(shipping)], [Null, Int(2), Int(2)]);
}

#[test]
fn what_other_apis_show_is_declared() {
    let others = ALL.iter().filter(|dialect| dialect.name != "native");
    let declared: BTreeSet<&str> =
        others.flat_map(|dialect| dialect.customer.fields).map(|(field, _)| *field).collect();
    let own: BTreeSet<&str> =
        patron_native::DIALECT.customer.fields.iter().map(|(field, _)| *field).collect();
    for name in names() {
        let is_own = NATIVE_ONLY.contains(&name.as_str());
        let is_shown = declared.contains(name.as_str());
        assert!(is_shown != is_own, "{name}: customers/shape.rs of an API, or NATIVE_ONLY");
        assert!(own.contains(name.as_str()), "{name}: customers/shape.rs of the native API");
    }
}

#[test]
fn a_field_stands_where_the_guide_says() {
    let guide = include_str!("../docs/adding-a-field.md");
    let mut places = 0;
    let numbered = (1..).map_while(|n| {
        let (_, rest) = guide.split_once(&format!("\n{n}. `"))?;
        Some(rest.split_once(&format!("\n{}. `", n + 1)).map_or(rest, |(step, _)| step))
    });
    for step in numbered {
        let (file, rest) = step.split_once('`').unwrap();
        let path = format!("{}/{file}", env!("CARGO_MANIFEST_DIR"));
        let source = std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{file}: {why}"));
        let block = rest.split("```rust\n").nth(1).unwrap().split("```").next().unwrap();
        for line in block.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let is_there = source.lines().any(|known| known.trim() == line);
            assert!(is_there, "{file} has no line {line}");
        }
        places += 1;
    }
    assert_eq!(places, 9, "places that are touched");
}
