//! Every operation of the customer family is served, and no other.

use std::collections::BTreeSet;

use patron_wallee::DIALECT;

#[test]
fn the_whole_customer_family_is_served() {
    let rows = include_str!("operations.tsv").lines().filter(|line| !line.starts_with('#'));
    let wanted: BTreeSet<(String, String, String)> = rows
        .map(|row| {
            let columns: Vec<&str> = row.split('\t').collect();
            (columns[1].into(), format!("/api/v2.0{}", columns[2]), columns[0].into())
        })
        .collect();
    assert_eq!(wanted.len(), 26);
    let served: BTreeSet<(String, String, String)> = (DIALECT.operations)()
        .iter()
        .map(|o| (o.method.to_string(), o.path.to_owned(), o.title.to_owned()))
        .collect();
    let missing: Vec<_> = wanted.difference(&served).collect();
    assert!(missing.is_empty(), "not served: {missing:#?}");
    let unknown: Vec<_> = served.difference(&wanted).collect();
    assert!(unknown.is_empty(), "not in the table: {unknown:#?}");
}

#[test]
fn every_operation_has_an_id_of_its_own_and_is_described() {
    let operations = (DIALECT.operations)();
    let ids: BTreeSet<&str> = operations.iter().map(|o| o.id).collect();
    assert_eq!(ids.len(), operations.len());
    let description = patron_gateway::openapi::document(&DIALECT, "test").to_string();
    for name in ["CustomerActive", "CustomerListResponse", "RestApiErrorResponse"] {
        assert!(description.contains(&format!("#/components/schemas/{name}\"")), "{name}");
    }
}
