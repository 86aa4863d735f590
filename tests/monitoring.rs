//! Dashboard and alert rules that come along: every figure they name is one that the program tells.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use crate::program::{Running, succeed};

const ALERTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/monitoring/alerts.yaml");
const DASHBOARD: &str = include_str!("../packaging/monitoring/grafana.json");

/// What a histogram is read by.
const PARTS: [&str; 3] = ["_bucket", "_sum", "_count"];

/// The figures of the program that a text names.
fn named(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c| !is_part(c)).filter(|word| word.starts_with("patron_"));
    words.map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn dashboard_and_alerts_name_figures_that_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::serve(folder.path()).await;
    running.get("/v1/customers").await.expect(401);
    let page = running.get_as_operator("/metrics").await.expect(200).text();
    let told = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let told: BTreeSet<&str> = told.collect();
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    assert!(dashboard["panels"].as_array().is_some_and(|panels| panels.len() > 8));
    let alerts = std::fs::read_to_string(ALERTS).unwrap();
    for text in [DASHBOARD, &alerts] {
        let named = named(text);
        assert!(named.len() > 3, "{named:?}");
        for name in named {
            let whole = PARTS.iter().find_map(|part| name.strip_suffix(part)).unwrap_or(&name);
            assert!(told.contains(whole), "nothing tells {name}: {told:?}");
        }
    }
    // Each label that is asked for by value is one that the figures carry.
    for label in ["class=\"4xx\"", "dialect=\"native\"", "operation=\"list_customers\""] {
        assert!(page.contains(label), "{label}: {page}");
    }
    assert!(page.contains("failure=\"unauthenticated\""), "{page}");
}

#[test]
fn prometheus_takes_the_alert_rules() {
    succeed(Command::new("promtool").args(["check", "rules", ALERTS]));
}
