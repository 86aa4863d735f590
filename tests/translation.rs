//! A customer created through any API is read through every other one: each shared field survives.
//! The table of what is shown where is written to `docs/translation.md` from the same lists.

use std::fmt::Write as _;

use patron_testkit::TestServer;
use proptest::{prelude::*, strategy::ValueTree as _, test_runner::TestRunner};
use serde_json::json;

use crate::api::{ALL, Person, call, create, fields, pointer, read};

/// Customers generated for each API that creates them.
const PEOPLE: usize = 4;
prop_compose! {
    /// A person within the narrowest limits of all APIs; other scripts where all allow them.
    fn any_person()(
        n in 100_000..999_999u32,
        given in "[A-ZŽČ][a-zžčäöü]{2,9}",
        family in "[A-ZŽČ][a-zžčäöü]{2,9}",
        title in "(Dr|Prof\\. Dr\\.|Mrs)",
        company in "[A-Z][a-z]{2,8} (AG|Ltd\\.|Кафе)",
        tax in "[1-9][0-9]{5,8}",
        phone in "\\+4144668[0-9]{4}",
        language in "(de|fr-CH|en-US)",
        currency in "(CHF|EUR|USD)",
        tier in "[a-z]{1,8}( [a-z]{1,8})?",
        line1 in "[A-Z][a-zä]{3,20} [0-9]{1,3}",
        city in "[A-Z][a-zü]{3,20}",
        postal in "[1-9][0-9]{3}",
        country in "(CH|DE|BA|US)",
    ) -> Person {
        Person::from([
            ("reference", format!("ref-{n}")), ("full_name", format!("{given} {family}")),
            ("given_name", given), ("family_name", family), ("title", title),
            ("company_name", company), ("tax_number", tax), ("phone", phone),
            ("email", format!("person.{n}@example.com")), ("language", language),
            ("currency", currency), ("description", format!("about {n}")), ("metadata", tier),
            ("line1", line1), ("city", city), ("postal_code", postal), ("state", "ZH".into()),
            ("country", country),
        ])
    }
}

#[tokio::test]
async fn every_shared_field_survives_between_every_two_apis() {
    let server = TestServer::start(&ALL).await;
    let mut runner = TestRunner::deterministic();
    for from in ALL {
        for _ in 0..PEOPLE {
            let keys = server.new_space(None).await;
            let person = any_person().new_tree(&mut runner).unwrap().current();
            let made = create(&server, &keys, from.name, &person).await;
            assert!(made.status < 300, "{}: {}", from.name, made.text());
            let listed = call(&server, &keys, "native", "GET", "/v1/customers", None).await.json();
            let native = &listed["data"][0];
            for to in ALL {
                let shown = read(&server, &keys, to.name, native).await;
                for field in fields(to.name) {
                    if !knows(from.name, field) {
                        continue;
                    }
                    let have = shown.pointer(&pointer(to.name, field));
                    let have = have.and_then(|value| value.as_str());
                    let pair = format!("{field}: {} to {}: {shown}", from.name, to.name);
                    assert_eq!(have, Some(person[field].as_str()), "{pair}");
                }
            }
        }
    }
}

#[tokio::test]
async fn every_field_stands_where_the_api_says() {
    let server = TestServer::start(&ALL).await;
    let keys = server.all_credentials();
    let address = |purpose: &str| {
        json!({"purpose": purpose, "given_name": "Ada", "family_name": "King", "line1": "Ring 1",
            "line2": "Hof", "city": "Zug", "postal_code": "6300", "state": "ZG", "country": "CH"})
    };
    let whole = json!({
        "reference": "all-1", "given_name": "Ada", "family_name": "Lovelace", "title": "Dr",
        "company_name": "Engines Ltd", "company_registration_number": "HRB 12",
        "tax_number": "123456", "email": "ada@example.com", "phone": "+41446681800",
        "work_phone": "+41446681801", "language": "en", "currency": "GBP",
        "time_zone": "Europe/London", "description": "about her", "metadata": {"tier": "gold"},
        "status": "locked", "status_reason": "asked", "status_until": "2999-01-01T00:00:00Z",
        "balance": "12.50", "portal_user_name": "ada", "identifier_fields": ["email"],
        "addresses": [address("billing"), address("shipping")],
    });
    let made = call(&server, keys, "native", "POST", "/v1/customers", Some(whole)).await;
    let made = made.expect(201).json();
    let (number, uuid) = (made["number"].as_i64().unwrap(), made["id"].as_str().unwrap());
    for dialect in ALL {
        let shape = &dialect.customer;
        let operations = (dialect.operations)();
        let read = operations.iter().find(|operation| operation.id == shape.read);
        assert!(read.is_some_and(|operation| operation.is_served), "{}", dialect.name);
        let path = (shape.path)(number, uuid.parse().unwrap());
        let shown = call(&server, keys, dialect.name, "GET", &path, None).await;
        assert!(shown.status < 300, "{}: {}", dialect.name, shown.text());
        let shown = shown.json();
        for (field, pointer) in shape.fields {
            let found = shown.pointer(&format!("{}{pointer}", shape.root));
            let is_there = found.is_some_and(|value| !value.is_null());
            assert!(is_there, "{}: {field} at {pointer}: {shown}", dialect.name);
        }
    }
}

/// Whether an API takes a field in: names count in either form.
fn knows(api: &str, field: &str) -> bool {
    let has = |field| fields(api).contains(&field);
    match field {
        "full_name" => has("full_name") || has("given_name"),
        "given_name" | "family_name" => has(field) || has("full_name"),
        _ => has(field),
    }
}

/// What each README says of values that are shown otherwise than they were given.
fn shown_differently(api: &str) -> String {
    let root = env!("CARGO_MANIFEST_DIR");
    let readme = std::fs::read_to_string(format!("{root}/dialects/{api}/README.md"));
    let readme = readme.unwrap_or_default();
    let Some((_, part)) = readme.split_once("## Shown differently\n") else { return String::new() };
    part.split("\n## ").next().unwrap_or_default().trim().to_owned()
}

#[test]
fn the_published_table_is_the_tested_one() {
    let mut text = String::from(
        "# What each API shows of a customer\n\n\
         Made from the lists that `tests/translation.rs` checks: a customer created through any of\n\
         the APIs is read through every other one, and each field that both have comes out the\n\
         same. Names count in either form: a full name is split, parts are joined, on reading. A\n\
         dash means that the API has no such field: the value is kept and shown where there is\n\
         one.\n\n| field |",
    );
    for api in ALL {
        let _ = write!(text, " {} |", api.title);
    }
    text.push_str("\n|---|");
    text.push_str(&"---|".repeat(ALL.len()));
    for field in fields("native") {
        let _ = write!(text, "\n| `{field}` |");
        for api in ALL {
            let shown = fields(api.name).contains(&field);
            let cell = if shown {
                format!("`{}`", pointer(api.name, field).trim_start_matches('/').replace('/', "."))
            } else if knows(api.name, field) {
                "derived".into()
            } else {
                "–".into()
            };
            let _ = write!(text, " {cell} |");
        }
    }
    text.push('\n');
    for api in ALL {
        let part = shown_differently(api.name);
        if !part.is_empty() {
            let _ = write!(text, "\n## Shown differently by {}\n\n{part}\n", api.title);
        }
    }
    let file = format!("{}/docs/translation.md", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    let known = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        known == text,
        "docs/translation.md differs: run with UPDATE_SNAPSHOTS=1 and review it"
    );
}
