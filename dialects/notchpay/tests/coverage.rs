//! Every operation of the dossier's table is served, and nothing undocumented is.

use patron_notchpay::DIALECT;

/// Served although the table does not have it: every client that updates by `PATCH` elsewhere.
const BEYOND: [(&str, &str); 1] = [("PATCH", "/customers/{id}")];

#[test]
fn every_documented_operation_is_served() {
    let served: Vec<(String, String)> = (DIALECT.operations)()
        .into_iter()
        .map(|operation| (operation.method.to_string(), operation.path.to_owned()))
        .collect();
    let table = include_str!("operations.tsv");
    let mut documented = Vec::new();
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let cells: Vec<&str> = line.split('\t').collect();
        documented.push((cells[0].to_owned(), cells[1].to_owned()));
    }
    for wanted in &documented {
        assert!(served.contains(wanted), "not served: {wanted:?}");
    }
    for (method, path) in &served {
        let beyond = BEYOND.contains(&(method.as_str(), path.as_str()));
        let known = documented.contains(&(method.clone(), path.clone()));
        assert!(known || beyond, "not documented: {method} {path}");
    }
    assert_eq!(documented.len(), 31);
}

#[test]
fn operations_have_ids_of_their_own_and_are_described() {
    let mut ids: Vec<&str> = (DIALECT.operations)().iter().map(|operation| operation.id).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count);
    let document = patron_gateway::openapi::document(&DIALECT, "1");
    let customer = &document["components"]["schemas"]["Customer"]["properties"];
    assert!(customer["company_name"].is_object(), "{document}");
    let created = &document["paths"]["/customers"]["post"];
    assert!(created["requestBody"]["content"]["application/json"]["schema"].is_object());
    assert!(created["responses"]["201"]["content"]["application/json"]["schema"].is_object());
}
