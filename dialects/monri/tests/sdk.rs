//! The Python client in `tests/sdk`, which was written from the API's description alone.

use std::process::Stdio;

use patron_monri::NAME;
use serde_json::json;

use crate::place::Merchant;

#[tokio::test]
#[ignore = "needs python3; run with --ignored"]
async fn the_python_client_passes() {
    let mut merchant = Merchant::new().await;
    let (own, other) = (merchant.keys, merchant.server.other_space(NAME).await);
    let credentials =
        json!({"base_url": merchant.server.base_url, "monri": own, "monri_other": other});
    // The client tries all schemes on both merchants, and only a sandbox has the older one on.
    merchant.keys = other;
    merchant.switch(json!({"wp3_v2": "on"})).await;
    let file = std::env::temp_dir().join(format!("patron-monri-{}.json", std::process::id()));
    std::fs::write(&file, credentials.to_string()).expect("written");
    let run = tokio::process::Command::new("python3")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk/monri_client.py"))
        .arg("--credentials")
        .arg(&file)
        .stdin(Stdio::null())
        .output();
    let output = run.await.expect("python3");
    std::fs::remove_file(&file).expect("removed");
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains(", 0 failed"), "{said}");
}
