//! The golden exchanges: documentation and test at once.

use patron_native::DIALECT;
use patron_testkit::TestServer;

#[tokio::test]
async fn golden_exchanges() {
    let server = TestServer::start(&[&DIALECT]).await;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
    patron_testkit::golden::run(&server, &DIALECT, folder).await;
}
