//! Records that are tables: created, changed, deleted, listed and searched, with their states.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use patron_app::{
    resources::{self, Family},
    search::{Field, Filter, Query},
};
use patron_gateway::{
    catalogue::Catalogues,
    schema::{Holds, Schemas},
    tabular::{Table, Tables},
};
use patron_model::Permission;
use patron_wallee::{DIALECT, families::CATALOGUES, tables::TABLES};
use serde_json::{Value, json};

use crate::place::{Shop, blocks, encoded, id, refused};

const SUBSCRIBERS: &str = "/subscriptions/subscribers";
const METRICS: &str = "/subscriptions/metrics";
const AFFILIATES: &str = "/subscriptions/affiliates";

fn subscriber(external_id: &str) -> Value {
    json!({
        "externalId": external_id, "reference": format!("R {external_id}"),
        "emailAddress": "anna@example.com", "language": "de-CH", "description": "A subscriber",
        "metaData": {"source": "shop"},
        "billingAddress": {"givenName": "Anna", "city": "Zürich", "country": "CH",
            "gender": "FEMALE", "dateOfBirth": "1990-01-02"},
    })
}

fn metric(name: &str) -> Value {
    json!({"name": {"en-US": name, "de-DE": format!("{name} (de)")}, "type": 1})
}

/// A body that each table takes.
fn sample(path: &str, n: usize) -> Value {
    match path {
        SUBSCRIBERS => subscriber(&format!("s-{n}")),
        METRICS => metric(&format!("Metric {n}")),
        _ => json!({"externalId": format!("a-{n}"), "reference": format!("ref-{n}")}),
    }
}

const PATHS: [&str; 3] = [SUBSCRIBERS, METRICS, AFFILIATES];

#[test]
fn tables_are_of_types_that_are_there_and_their_words_are_their_own() {
    let words: BTreeSet<&str> = TABLES.iter().map(|table| table.family.word).collect();
    assert_eq!(words.len(), TABLES.len());
    let operations = (DIALECT.operations)();
    for table in TABLES {
        let schemas = CATALOGUES.schemas();
        assert!(!schemas.fields(table.of).is_empty(), "{}", table.of);
        for (name, _) in table.refers {
            assert!(schemas.field(table.of, name).is_some(), "{name}");
        }
        let states = table.family.states.unwrap();
        let words = states.moves.iter().flat_map(|way| [way.from, way.to]).chain([states.gone]);
        for word in words.chain(states.first.iter().copied()) {
            let state = Holds::Type("CreationEntityState".into());
            assert!(schemas.check(&state, &json!(word)).is_empty(), "{word}");
        }
        let own = operations.iter().filter(|o| o.id.starts_with(&format!("{}_", table.prefix)));
        assert_eq!(own.filter(|o| o.is_served).count(), 6, "{}", table.prefix);
    }
}

#[tokio::test]
async fn a_record_is_created_read_changed_and_deleted() {
    let shop = Shop::open().await;
    for path in PATHS {
        let body = sample(path, 1);
        let made = shop.post(path, body.clone()).await.expect(201).json();
        let one = format!("{path}/{}", made["id"]);
        for (name, value) in body.as_object().unwrap() {
            let shown = if name == "type" { &made["type"]["id"] } else { &made[name] };
            assert_eq!(shown, value, "{path} {name}");
        }
        assert_eq!((&made["version"], &made["state"]), (&json!(1), &json!("ACTIVE")));
        assert_eq!(made["linkedSpaceId"], shop.space());
        assert_eq!(shop.get(&one).await.expect(200).json(), made);
        let same = shop.patch(&one, json!({"version": 1})).await.expect(200).json();
        assert_eq!(same, made, "a change that changes nothing");
        let off = json!({"version": 1, "state": "INACTIVE"});
        let off = shop.patch(&one, off).await.expect(200).json();
        assert_eq!((&off["version"], &off["state"]), (&json!(2), &json!("INACTIVE")), "{path}");
        let stale = shop.patch(&one, json!({"version": 1, "state": "ACTIVE"})).await;
        refused(&stale, 409, "conflict", &json!({"version": "Expected 2 but was 1."}));
        let none = shop.patch(&one, json!({"state": "ACTIVE"})).await;
        refused(&none, 400, "bad_request", &json!({"version": "Must be given."}));
        shop.delete(&one).await.expect(204);
        let gone = shop.get(&one).await.expect(200).json();
        assert_eq!((&gone["state"], &gone["version"]), (&json!("DELETED"), &json!(3)), "{path}");
        shop.delete(&one).await.expect(204);
        assert_eq!(shop.get(&one).await.expect(200).json(), gone, "once is enough");
        let late = shop.patch(&one, json!({"version": 3})).await;
        refused(&late, 422, "unprocessable_entity", &json!({}));
        let never = shop.get(&format!("{path}/999999999")).await;
        refused(&never, 404, "not_found", &json!({}));
        let word = shop.get(&format!("{path}/x")).await;
        refused(&word, 400, "bad_request", &json!({"id": "Must be a whole number."}));
        // The id of one table is none of another.
        let other = PATHS.iter().find(|other| **other != path).unwrap();
        refused(&shop.get(&format!("{other}/{}", made["id"])).await, 404, "not_found", &json!({}));
        let gone_too = shop.delete(&format!("{other}/{}", made["id"])).await;
        refused(&gone_too, 404, "not_found", &json!({}));
    }
}

#[tokio::test]
async fn states_are_those_a_record_may_begin_in_and_go_to() {
    let shop = Shop::open().await;
    let with = |n: usize, state: &str| {
        let mut body = sample(SUBSCRIBERS, n);
        body["state"] = json!(state);
        body
    };
    for (n, state) in ["CREATE", "ACTIVE", "INACTIVE"].into_iter().enumerate() {
        let made = shop.post(SUBSCRIBERS, with(n, state)).await.expect(201).json();
        assert_eq!(made["state"], state);
    }
    let why = json!({"state": "Must be a state that a record may begin in."});
    for state in ["DELETING", "DELETED"] {
        let answer = shop.post(SUBSCRIBERS, with(9, state)).await;
        refused(&answer, 422, "unprocessable_entity", &why);
    }
    let unknown = shop.post(SUBSCRIBERS, with(9, "GONE")).await;
    assert_eq!((unknown.status, unknown.json()["errors"].as_object().unwrap().len()), (422, 1));
    let new = shop.post(SUBSCRIBERS, with(10, "CREATE")).await.expect(201).json();
    let one = format!("{SUBSCRIBERS}/{}", new["id"]);
    // It is not in use yet, so it is not deleted.
    refused(&shop.delete(&one).await, 422, "unprocessable_entity", &json!({}));
    let ways = [("ACTIVE", 200), ("CREATE", 422), ("INACTIVE", 200), ("DELETED", 422)];
    let mut version = 1;
    for (state, status) in ways.into_iter().chain([("ACTIVE", 200), ("ACTIVE", 200)]) {
        let answer = shop.patch(&one, json!({"version": version, "state": state})).await;
        assert_eq!(answer.status, status, "{state}: {}", answer.text());
        if status == 200 {
            version = answer.json()["version"].as_i64().unwrap();
        } else {
            let why = json!({"state": "Must be a state that may follow the present one."});
            refused(&answer, 422, "unprocessable_entity", &why);
        }
    }
    assert_eq!(version, 4, "the last one changed nothing");
    let events = feed(&shop, id(&new)).await;
    let words: Vec<&str> = events.iter().map(|event| event.as_str()).collect();
    assert_eq!(words, ["created", "activated", "deactivated", "activated"]);
}

/// Words of what the journal says of a record, oldest first.
async fn feed(shop: &Shop, number: i64) -> Vec<String> {
    let entries = shop.server.app.store.entries(shop.space(), 0, 1_000).await.unwrap();
    entries.into_iter().filter(|e| e.number == number).map(|e| e.action).collect()
}

#[tokio::test]
async fn the_same_external_id_answers_the_first_record() {
    let shop = Shop::open().await;
    let first = shop.post(SUBSCRIBERS, subscriber("same")).await.expect(201).json();
    let mut other = subscriber("same");
    other["emailAddress"] = json!("other@example.com");
    assert_eq!(shop.post(SUBSCRIBERS, other).await.expect(201).json(), first);
    assert_eq!(feed(&shop, id(&first)).await, ["created"], "nothing was executed");
    // Of another family it is another one.
    let affiliate = json!({"externalId": "same", "reference": "other"});
    let affiliate = shop.post(AFFILIATES, affiliate).await.expect(201).json();
    assert_ne!(affiliate["id"], first["id"]);
    let one = format!("{SUBSCRIBERS}/{}", first["id"]);
    shop.delete(&one).await.expect(204);
    let again = shop.post(SUBSCRIBERS, subscriber("same")).await.expect(201).json();
    assert_eq!((&again["id"], &again["state"]), (&first["id"], &json!("DELETED")));
    let many = (0..8).map(|_| shop.post(SUBSCRIBERS, subscriber("raced")));
    let made = futures_util::future::join_all(many).await;
    let ids: BTreeSet<i64> =
        made.into_iter().map(|answer| id(&answer.expect(201).json())).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
}

#[tokio::test]
async fn every_fault_of_a_body_is_listed() {
    let shop = Shop::open().await;
    let bad = json!({
        "externalId": "bad", "reference": "č", "emailAddress": "x".repeat(255),
        "description": "x".repeat(201), "language": "-", "metaData": {"a\u{1}": "b"},
        "disallowedPaymentMethodConfigurations": [7],
        "billingAddress": {"country": "ZZ", "city": "x".repeat(101), "gender": "X",
            "legalOrganizationForm": 9, "dateOfBirth": "1990-13-01"},
    });
    let answer = shop.post(SUBSCRIBERS, bad).await;
    assert_eq!(answer.status, 422, "{}", answer.text());
    let document = answer.json();
    let faults: Vec<&str> =
        document["errors"].as_object().unwrap().keys().map(String::as_str).collect();
    let mut want = vec![
        "reference",
        "emailAddress",
        "description",
        "language",
        "metaData",
        "disallowedPaymentMethodConfigurations.0",
        "billingAddress.country",
        "billingAddress.city",
        "billingAddress.gender",
        "billingAddress.legalOrganizationForm",
        "billingAddress.dateOfBirth",
    ];
    want.sort_unstable();
    assert_eq!(faults, want);
    let wrong = json!({"externalId": 5, "metaData": {"a": 1}, "billingAddress": [], "state": 1,
        "disallowedPaymentMethodConfigurations": {}});
    let errors = json!({
        "externalId": "Must be a string.", "metaData.a": "Must be a string.",
        "billingAddress": "Must be an object.", "state": "Must be a string.",
        "disallowedPaymentMethodConfigurations": "Must be a list.",
    });
    refused(&shop.post(SUBSCRIBERS, wrong).await, 400, "bad_request", &errors);
    let empty = shop.post(SUBSCRIBERS, json!({})).await;
    refused(&empty, 400, "bad_request", &json!({"externalId": "Must be given."}));
    let list = shop.post(SUBSCRIBERS, json!([])).await;
    refused(&list, 400, "bad_request", &json!({"body": "Must be an object."}));
    let metric = shop.post(METRICS, json!({"name": {"en-US": "x"}, "type": 3})).await;
    assert_eq!(metric.status, 422, "{}", metric.text());
    assert!(metric.json()["errors"]["type"].is_string(), "{}", metric.text());
    let long = "x".repeat(501);
    let long = shop.post(AFFILIATES, json!({"externalId": long, "reference": "abc"})).await;
    assert_eq!(long.status, 422, "{}", long.text());
    let card = json!({"externalId": "c", "description": "4111 1111 1111 1111"});
    assert_eq!(shop.post(SUBSCRIBERS, card).await.status, 422);
    assert!(shop.ids(SUBSCRIBERS).await.is_empty(), "nothing of it was kept");
}

#[tokio::test]
async fn members_are_kept_cleared_and_ignored_as_elsewhere() {
    let shop = Shop::open().await;
    let mut body = subscriber("one");
    let read_only = json!({"id": 5, "linkedSpaceId": 6, "plannedPurgeDate": "x", "nothing": true});
    body.as_object_mut().unwrap().extend(read_only.as_object().unwrap().clone());
    body["billingAddress"]["nothing"] = json!(1);
    body["description"] = Value::Null;
    let made = shop.post(SUBSCRIBERS, body).await.expect(201).json();
    assert!(made["id"] != 5 && made["linkedSpaceId"] == shop.space());
    for name in ["nothing", "description", "plannedPurgeDate"] {
        assert!(made.get(name).is_none(), "{name}");
    }
    let one = format!("{SUBSCRIBERS}/{}", made["id"]);
    let change = json!({"version": 1, "emailAddress": "", "reference": null, "externalId": "two",
        "metaData": {"a": "b", "c": null}, "billingAddress": {"city": "Bern"}});
    let changed = shop.patch(&one, change).await.expect(200).json();
    assert!(changed.get("emailAddress").is_none(), "an empty text clears");
    assert_eq!((&changed["reference"], &changed["externalId"]), (&json!("R one"), &json!("one")));
    assert_eq!(changed["metaData"], json!({"a": "b"}));
    assert_eq!(changed["billingAddress"], json!({"city": "Bern"}), "replaced as a whole");
    let form = json!({"version": 2, "billingAddress": {"legalOrganizationForm": 1001}});
    let form = shop.patch(&format!("{one}?expand=billingAddress"), form).await;
    let shown = form.expect(200).json()["billingAddress"].clone();
    assert_eq!(shown, json!({"legalOrganizationForm": {"id": 1001}}));
    let whole = shop.get(&format!("{one}?expand=billingAddress.legalOrganizationForm")).await;
    let whole = whole.expect(200).json()["billingAddress"]["legalOrganizationForm"].clone();
    assert_eq!((&whole["id"], &whole["country"]), (&json!(1001), &json!("CH")));
}

#[tokio::test]
async fn pages_searches_orders_and_expansions_work() {
    let shop = Shop::open().await;
    let mut all = Vec::new();
    for n in 0..12 {
        let mut body = subscriber(&format!("p-{n:02}"));
        body["emailAddress"] = json!(format!("p{}@example.com", 11 - n));
        body["metaData"] = json!({"n": format!("{}", n % 3)});
        body["billingAddress"]["city"] = json!(if n < 4 { "Bern" } else { "Genf" });
        body["state"] = json!(if n % 2 == 0 { "ACTIVE" } else { "INACTIVE" });
        all.push(id(&shop.post(SUBSCRIBERS, body).await.expect(201).json()));
    }
    // Another family's records are not among them.
    shop.post(METRICS, metric("Calls")).await.expect(201);
    assert_eq!(shop.ids(SUBSCRIBERS).await, all[..10]);
    let list = async |query: &str| shop.ids(&format!("{SUBSCRIBERS}?{query}")).await;
    assert_eq!(list("limit=100").await, all);
    assert_eq!(list(&format!("limit=3&after={}", all[4])).await, all[5..8]);
    assert_eq!(list(&format!("limit=3&before={}", all[4])).await, all[1..4]);
    let down: Vec<i64> = all.iter().rev().take(3).copied().collect();
    assert_eq!(list("limit=3&order=DESC").await, down);
    let page = shop.get(&format!("{SUBSCRIBERS}?limit=12")).await.expect(200).json();
    assert_eq!((&page["hasMore"], &page["limit"]), (&json!(false), &json!(12)));
    let found = async |query: &str| shop.found(SUBSCRIBERS, query).await;
    assert_eq!(found("billingAddress.city:Bern").await, all[..4]);
    assert_eq!(found("state:INACTIVE billingAddress.city:Bern").await, [all[1], all[3]]);
    assert_eq!(found("metaData.n:2 OR externalId:p-00").await.len(), 5);
    assert_eq!(found("emailAddress:~P11@").await, [all[0]]);
    assert_eq!(found(&format!("id:>={} version:1", all[9])).await, all[9..]);
    assert_eq!(found("shippingAddress.city:* -externalId:p-05").await.len(), 11);
    let path = format!("{SUBSCRIBERS}/search?limit=2&offset=1&order=emailAddress%3AASC");
    assert_eq!(shop.ids(&path).await, [all[1], all[0]], "p0@, p10@, p11@, p1@, …");
    for unknown in ["nothing:1", "linkedSpaceId:1", "metaData:1", "billingAddress:1", "createdOn:*"]
    {
        let path = format!("{SUBSCRIBERS}/search?query={}", encoded(unknown));
        let answer = shop.get(&path).await;
        assert_eq!(answer.status, 422, "{unknown}: {}", answer.text());
        assert!(answer.json()["errors"]["query"].is_string(), "{unknown}");
    }
    assert_eq!(shop.found(METRICS, "name:Calls type:1").await.len(), 1);
    assert_eq!(shop.found(METRICS, "name.de-DE:~calls type.id:1").await.len(), 1);
    assert!(shop.found(METRICS, "type:2").await.is_empty());
    let metrics = shop.get(&format!("{METRICS}?expand=type")).await.expect(200).json();
    assert_eq!(metrics["data"][0]["type"]["name"]["en-US"], "Usage");
}

#[tokio::test]
async fn what_is_deleted_is_seen_with_the_right_to_see_the_past() {
    let shop = Shop::open().await;
    let made = shop.post(SUBSCRIBERS, subscriber("gone")).await.expect(201).json();
    let one = format!("{SUBSCRIBERS}/{}", made["id"]);
    shop.delete(&one).await.expect(204);
    assert_eq!(shop.found(SUBSCRIBERS, "state:DELETED").await, [id(&made)]);
    let cx = shop.server.app.operator(shop.space(), "test");
    let rights = cx.rights.without([Permission::CustomerPast].into_iter().collect());
    let blind = patron_app::Cx { rights, ..cx };
    let family = &TABLES.iter().find(|table| table.of == "Subscriber").unwrap().family;
    let found = resources::list(&blind, family, Query::of(blind.space)).await.unwrap();
    assert!(found.items.is_empty());
    let seen = resources::get(&blind, family, id(&made)).await.unwrap();
    assert!(seen.deleted_at.is_some() && seen.members.is_empty(), "that it is gone, and no more");
    let predicate = Filter::equal(Field::Number, id(&made));
    let query = Query { predicate, ..Query::of(blind.space) };
    assert!(resources::list(&blind, family, query).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn another_space_sees_and_changes_nothing() {
    let shop = Shop::open().await;
    let made = shop.post(METRICS, metric("Calls")).await.expect(201).json();
    let other = shop.server.new_space(None).await["wallee"].clone();
    let target = format!("/api/v2.0{METRICS}/{}", made["id"]);
    for (method, body) in [("GET", None), ("PATCH", Some(json!({"version": 1}))), ("DELETE", None)]
    {
        let answer = shop.server.call(&DIALECT, &other, method, &target, body).await;
        refused(&answer, 404, "not_found", &json!({}));
    }
    let all = format!("/api/v2.0{METRICS}");
    let list = shop.server.call(&DIALECT, &other, "GET", &all, None).await.expect(200).json();
    assert_eq!(list["data"], json!([]));
}

#[tokio::test]
async fn the_guide_is_followed() {
    const GUIDE: &str = include_str!("../../../docs/adding-a-family.md");
    let steps = GUIDE.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit()));
    assert_eq!(steps.count(), 5, "places that are touched");
    let [types] = blocks(GUIDE, "jsonl").try_into().unwrap();
    let models = include_str!("../models.jsonl");
    assert!(types.lines().all(|line| models.contains(line)), "the types are those of the guide");
    let tables = include_str!("../src/tables.rs");
    let [row] = blocks(GUIDE, "rust").try_into().unwrap();
    assert!(row.lines().all(|line| tables.contains(line)), "so is the line");
    // With these types and this line alone the family is served.
    static SCHEMAS: OnceLock<Catalogues> = OnceLock::new();
    static TABLE: [Table; 1] = [Table {
        prefix: "subscription_affiliates",
        of: "SubscriptionAffiliate",
        refers: &[],
        family: Family {
            word: "affiliate",
            read: Permission::SubscriptionRead,
            write: Permission::SubscriptionWrite,
            claim: Some("externalId"),
            states: None,
        },
    }];
    static READER: Tables =
        Tables { catalogues: || SCHEMAS.get().unwrap(), tables: &TABLE, customer: "Customer" };
    let types = format!("{types}\n{}", r#"{"name":"CreationEntityState","values":["ACTIVE"]}"#);
    let schemas = Schemas::parse(&types).unwrap();
    assert!(SCHEMAS.set(Catalogues::new(schemas, [].iter())).is_ok());
    let body = json!({"externalId": "guide", "reference": "partner", "language": "fr"});
    let asked = READER.read(&TABLE[0], "SubscriptionAffiliateCreate", &body).unwrap();
    let shop = Shop::open().await;
    let cx = shop.server.app.operator(shop.space(), "test");
    let made = resources::create(&cx, &TABLE[0].family, &asked.wanted).await.unwrap();
    assert_eq!(Value::Object(made.members.clone()), body);
    let served = shop.get(&format!("{AFFILIATES}/{}", made.number)).await.expect(200).json();
    assert_eq!(served["reference"], "partner");
    let bad = READER.read(&TABLE[0], "SubscriptionAffiliateCreate", &json!({"reference": "x"}));
    assert!(bad.is_err());
}
