//! Every documented operation is served, and nothing else is.

use std::collections::BTreeSet;

use patron_gateway::{Access, openapi};
use patron_model::Permission;
use patron_verifone::DIALECT;

#[test]
fn serves_exactly_the_documented_operations() {
    let documented: BTreeSet<(String, String, String)> = include_str!("operations.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let mut cells = line.split('\t').map(str::to_owned);
            let mut cell = || cells.next().expect("three cells");
            (cell(), cell(), cell())
        })
        .collect();
    let served: BTreeSet<(String, String, String)> = (DIALECT.operations)()
        .into_iter()
        .map(|o| (o.id.to_owned(), o.method.to_string(), o.path.to_owned()))
        .collect();
    assert_eq!(documented, served);
}

#[test]
fn reading_needs_read_and_the_rest_needs_write() {
    for operation in (DIALECT.operations)() {
        let wanted = match (operation.id, operation.method.as_str()) {
            ("access_token", _) => Access::Public,
            (_, "GET") => Access::Needs(Permission::CustomerRead),
            _ => Access::Needs(Permission::CustomerWrite),
        };
        assert_eq!(operation.access, wanted, "{}", operation.id);
        assert!(operation.accepted_cards.is_empty(), "{}", operation.id);
    }
}

#[test]
fn describes_itself() {
    let document = openapi::document(&DIALECT, "1");
    let schemas = &document["components"]["schemas"];
    assert_eq!(schemas["CustomerBody"]["required"], serde_json::json!(["entity_id"]));
    let shown: BTreeSet<&str> = schemas["CustomerShown"]["required"]
        .as_array()
        .expect("required members")
        .iter()
        .filter_map(|name| name.as_str())
        .collect();
    assert_eq!(shown, ["created_at", "id", "updated_at"].into());
    let list = &document["paths"]["/oidc/customer-service/v2/customer"]["get"];
    assert_eq!(list["parameters"][0]["name"], "search");
    assert_eq!(list["parameters"][0]["required"], true);
}
