//! The golden exchanges: documentation and test at once.

use patron_testkit::{TestServer, golden};
use patron_wallee::DIALECT;

#[tokio::test]
async fn the_golden_exchanges_hold() {
    let server = TestServer::start(&[&DIALECT]).await;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
    golden::run(&server, &DIALECT, folder).await;
}
