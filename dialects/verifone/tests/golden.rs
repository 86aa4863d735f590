//! The golden exchanges: documentation and test at once.

use patron_testkit::TestServer;
use patron_verifone::DIALECT;

#[tokio::test]
async fn answers_the_recorded_exchanges() {
    let server = TestServer::start(&[&DIALECT]).await;
    patron_testkit::golden::run(&server, &DIALECT, "tests/golden").await;
}
