//! PostgreSQL under faults: connections cut at every exchange, refusals of the server, the server
//! killed under load, two nodes on one database. Each test has a server of its own; the run for
//! SQLite leaves them to the run for PostgreSQL.

mod faults;

use patron_testkit::postgres::Server;

/// A server of the test's own. `None` in a run for another engine, and, with a word about it, where
/// PostgreSQL is not installed.
fn server() -> Option<Server> {
    let engine = std::env::var("PATRON_TEST_ENGINE").unwrap_or_default();
    if ["sqlite", "memory"].contains(&engine.as_str()) {
        return None;
    }
    Server::start()
}
