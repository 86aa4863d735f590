//! Whole exchanges as documentation and test at once.

use patron_payabli::DIALECT;
use patron_testkit::{TestServer, golden};

#[tokio::test]
async fn exchanges_are_exactly_so() {
    let server = TestServer::start(&[&DIALECT]).await;
    golden::run(&server, &DIALECT, concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden")).await;
}
