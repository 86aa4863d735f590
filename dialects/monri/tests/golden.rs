//! The exchanges in `tests/golden`.

use patron_monri::DIALECT;
use patron_testkit::{TestServer, golden};

#[tokio::test]
async fn exchanges_are_as_recorded() {
    let server = TestServer::start(&[&DIALECT]).await;
    golden::run(&server, &DIALECT, "tests/golden").await;
}
