//! Every operation of the provider is served, or stands on the list of those that are not. The list
//! only shrinks: its length is written here.

use std::collections::BTreeSet;

use patron_gateway::{Operation, openapi};
use patron_wallee::DIALECT;
use serde_json::json;

use crate::place::{Shop, refused};

/// Operations of `not_served.txt`. To be lowered when something is served, never raised.
const NOT_SERVED: usize = 339;

fn not_served() -> BTreeSet<&'static str> {
    include_str!("../not_served.txt").lines().collect()
}

/// Id, method, path and title of every row.
fn rows() -> Vec<[&'static str; 4]> {
    let lines = include_str!("../operations.tsv").lines().filter(|line| !line.starts_with('#'));
    let row = |line: &'static str| {
        let columns: Vec<&str> = line.split('\t').collect();
        [columns[0], columns[1], columns[2], columns[9]]
    };
    lines.map(row).collect()
}

fn path(operation: &Operation) -> String {
    operation.path.trim_start_matches("/api/v2.0").replace(['{', '}'], "")
}

#[test]
fn every_operation_of_the_provider_is_served_or_on_the_list() {
    let operations = (DIALECT.operations)();
    let have: BTreeSet<[&str; 3]> =
        operations.iter().map(|o| [o.method.as_str(), o.path, o.title]).collect();
    let rows = rows();
    let want: BTreeSet<[&str; 3]> =
        rows.iter().map(|[_, method, path, title]| [*method, *path, *title]).collect();
    let missing: Vec<_> = want.difference(&have).collect();
    assert!(missing.is_empty(), "in the table only: {missing:#?}");
    let unknown: Vec<_> = have.difference(&want).collect();
    assert!(unknown.is_empty(), "not in the table: {unknown:#?}");
    assert_eq!(want.len(), 513, "512 of the SDK and one of the navigation");
    let ids: BTreeSet<&str> = rows.iter().map(|row| row[0]).collect();
    let served: BTreeSet<&str> = operations.iter().filter(|o| o.is_served).map(|o| o.id).collect();
    assert!(served.is_subset(&ids), "served under an id of the table");
    let left: BTreeSet<&str> = ids.difference(&served).copied().collect();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/not_served.txt");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        let text: String = left.iter().map(|id| format!("{id}\n")).collect();
        std::fs::write(file, text).unwrap();
        return;
    }
    assert!(left == not_served(), "not_served.txt is not what is not served: UPDATE_SNAPSHOTS=1");
    assert_eq!(left.len(), NOT_SERVED, "the list only shrinks");
    println!("{} of {} operations are served", want.len() - left.len(), want.len());
}

#[test]
fn every_operation_has_an_id_of_its_own_and_is_described_when_it_is_served() {
    let operations = (DIALECT.operations)();
    let served = || operations.iter().filter(|o| o.is_served);
    let ids: BTreeSet<&str> = served().map(|o| o.id).collect();
    assert_eq!(ids.len(), served().count());
    let description = openapi::document(&DIALECT, "test");
    for operation in &operations {
        let described = &description["paths"][operation.path];
        let described = &described[operation.method.as_str().to_ascii_lowercase()];
        assert_eq!(described["operationId"] == operation.id, operation.is_served);
    }
    let description = description.to_string();
    for name in ["CustomerActive", "CustomerListResponse", "RestApiErrorResponse"] {
        assert!(description.contains(&format!("#/components/schemas/{name}\"")), "{name}");
    }
}

#[tokio::test]
async fn what_is_not_served_says_so_to_whoever_signs_in() {
    let shop = Shop::open().await;
    let fault = "internal_server_error";
    for operation in (DIALECT.operations)().iter().filter(|o| !o.is_served) {
        let method = operation.method.as_str();
        let answer = shop.call(method, &path(operation), None).await;
        refused(&answer, 501, fault, &json!({}));
    }
    let body = Some(json!({"cardData": {"primaryAccountNumber": "4111111111111111"}}));
    let card = "/payment/transactions/1/process-card-details";
    refused(&shop.call("POST", card, body).await, 501, fault, &json!({}));
    let nobody = shop.server.raw("GET", "/api/v2.0/payment/transactions", &[], b"").await;
    refused(&nobody, 401, "unauthorized", &json!({}));
    refused(&shop.get("/payment/transfers").await, 404, "not_found", &json!({}));
    let put = shop.call("PUT", "/payment/transactions", None).await;
    refused(&put, 405, "method_not_allowed", &json!({}));
}
