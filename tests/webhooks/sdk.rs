//! The official libraries of Standard Webhooks verify what comes: Python with `standardwebhooks`
//! (`PATRON_SDK_PYTHON=venv/bin/python`) and Node.js with the same package in a folder above
//! (`PATRON_SDK_NODE_MODULES=folder/node_modules`).

use std::process::Command;

use serde_json::{Value, json};

use super::Place;
use crate::program::succeed;

/// Webhooks of an endpoint with two secrets, as a file for the checks.
async fn come(file: &std::path::Path) {
    let place = Place::new().await;
    let made = place.endpoint(json!({"types": ["customer.*"]})).await;
    let all = format!("/v1/webhook-endpoints/{}/secrets", made["number"]);
    let second = place.call("POST", &all, None).await.expect(201).json();
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    for name in ["Ada Lovelace", "Čedomir Žižek", "李小龍"] {
        place.customer(name).await;
    }
    let got = place.receiver.until(3).await;
    let shown = |got: &super::Got| {
        let headers = ["webhook-id", "webhook-timestamp", "webhook-signature"];
        let headers: Value = headers.iter().map(|name| (*name, got.header(name))).collect();
        json!({"headers": headers, "body": String::from_utf8_lossy(&got.raw)})
    };
    let got: Vec<Value> = got.iter().map(shown).collect();
    let secrets = [&made["secret"], &second["secret"]];
    std::fs::write(file, json!({"secrets": secrets, "got": got}).to_string()).unwrap();
}

fn at(name: &str) -> String {
    format!("{}/tests/webhooks/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Python with the library; see the top of this file"]
async fn the_python_library_verifies_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("got.json");
    come(&file).await;
    let python = std::env::var("PATRON_SDK_PYTHON").expect("PATRON_SDK_PYTHON");
    let said = succeed(Command::new(python).arg(at("check.py")).arg(&file));
    assert!(said.contains("3 checked, 0 failed"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Node.js with the library; see the top of this file"]
async fn the_javascript_library_verifies_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("got.json");
    come(&file).await;
    let modules = std::env::var("PATRON_SDK_NODE_MODULES").expect("PATRON_SDK_NODE_MODULES");
    std::os::unix::fs::symlink(modules, folder.path().join("node_modules")).unwrap();
    let script = folder.path().join("check.mjs");
    std::fs::copy(at("check.mjs"), &script).unwrap();
    let said = succeed(Command::new("node").arg(&script).arg(&file));
    assert!(said.contains("3 checked, 0 failed"), "{said}");
}
