//! The exchanges under `golden`.

use patron_notchpay::DIALECT;
use patron_testkit::TestServer;

#[tokio::test]
async fn exchanges_are_answered_to_the_letter() {
    let server = TestServer::start(&[&DIALECT]).await;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
    patron_testkit::golden::run(&server, &DIALECT, folder).await;
}
