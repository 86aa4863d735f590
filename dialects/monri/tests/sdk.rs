//! The Python client in `tests/sdk`, which was written from the API's description alone.

use std::process::Stdio;

use patron_monri::{DIALECT, NAME};
use patron_testkit::TestServer;
use serde_json::json;

#[tokio::test]
#[ignore = "needs python3; run with --ignored"]
async fn the_python_client_passes() {
    let server = TestServer::start(&[&DIALECT]).await;
    let other = server.other_space(NAME).await;
    let credentials = json!({
        "base_url": server.base_url, "monri": server.credentials(NAME), "monri_other": other,
    });
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
