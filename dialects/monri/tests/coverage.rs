//! Every operation of the customer family is served, and nothing is served that is not listed.

use std::collections::BTreeSet;

use patron_gateway::Access;
use patron_model::Permission;
use patron_monri::DIALECT;

fn listed() -> Vec<Vec<&'static str>> {
    let lines = include_str!("operations.tsv").lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split('\t').collect()).collect()
}

#[test]
fn every_listed_operation_is_served_and_no_other() {
    let want: BTreeSet<String> = listed().iter().map(|r| format!("{} {}", r[1], r[2])).collect();
    let served = (DIALECT.operations)();
    let have: BTreeSet<String> =
        served.iter().map(|o| format!("{} {}", o.method, o.path)).collect();
    assert_eq!(have, want);
}

#[test]
fn reading_needs_less_than_writing_and_only_tokens_need_nothing() {
    let scope = |path: &str, method: &str| {
        let rows = listed();
        let row = rows.iter().find(|row| row[1] == method && row[2] == path);
        row.map(|row| row[3]).expect("a listed operation")
    };
    for operation in (DIALECT.operations)() {
        let want = match (scope(operation.path, operation.method.as_str()), &operation.method) {
            ("none", _) => Access::Public,
            _ if operation.id == "list_payment_methods" => {
                Access::Needs(Permission::PaymentMethodRead)
            }
            (_, &http::Method::GET) => Access::Needs(Permission::CustomerRead),
            _ => Access::Needs(Permission::CustomerWrite),
        };
        assert_eq!(operation.access, want, "{}", operation.id);
        assert!(operation.accepted_cards.is_empty(), "{}", operation.id);
    }
}

#[test]
fn every_operation_lies_under_a_mount() {
    for operation in (DIALECT.operations)() {
        let is_under = |mount: &&str| {
            operation.path.strip_prefix(mount).is_some_and(|r| r.is_empty() || r.starts_with('/'))
        };
        assert!(DIALECT.mounts.iter().any(is_under), "{}", operation.path);
    }
}
