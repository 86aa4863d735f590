//! The official SDKs against a server of the test. Needs a Python with both packages:
//! `PATRON_WALLEE_PYTHON=venv/bin/python cargo test -p patron-wallee -- --ignored sdk`.

use patron_testkit::TestServer;
use patron_wallee::DIALECT;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk/wallee_sdk.py");

async fn run(package: &str) {
    let python = std::env::var("PATRON_WALLEE_PYTHON").expect("PATRON_WALLEE_PYTHON");
    let server = TestServer::start(&[&DIALECT]).await;
    let _engine = server.deliver();
    let name = format!("patron-wallee-{package}-{}.json", std::process::id());
    let file = std::env::temp_dir().join(name);
    std::fs::write(&file, server.all_credentials().to_string()).unwrap();
    let mut command = tokio::process::Command::new(python);
    command.arg(SCRIPT).arg("--credentials").arg(&file).args(["--package", package]);
    let output = command.output().await.unwrap();
    std::fs::remove_file(&file).unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let fault = String::from_utf8_lossy(&output.stderr);
    println!("{package}: {text}{fault}");
    assert!(output.status.success(), "{package}: {text}{fault}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Python with the SDK; see the top of this file"]
async fn the_wallee_sdk_works() {
    run("wallee").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Python with the SDK; see the top of this file"]
async fn the_postfinance_checkout_sdk_works() {
    run("postfinancecheckout").await;
}
