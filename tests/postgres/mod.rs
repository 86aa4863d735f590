//! PostgreSQL under faults: connections cut at every exchange, refusals of the server, the server
//! killed under load, two nodes on one database. The servers are the tests' own; the run for SQLite
//! leaves all this to the run for PostgreSQL.

mod failover;
mod faults;
mod keys;
mod kills;
mod limits;
mod load;
mod nodes;
mod pooler;
mod statements;
mod stopped;
mod tls;
mod tour;

use std::process::Command;
use std::sync::Arc;

use patron_testkit::postgres::Server;

/// Whether this run is for PostgreSQL.
pub fn is_wanted() -> bool {
    let engine = std::env::var("PATRON_TEST_ENGINE").unwrap_or_default();
    !["sqlite", "memory"].contains(&engine.as_str())
}

/// A fresh database on a server that is not killed: server, name, URL. `None` in a run for another
/// engine, and, with a word about it, where PostgreSQL is not installed.
pub async fn database() -> Option<(Arc<Server>, String, String)> {
    let server = is_wanted().then(Server::shared)??;
    let name = server.database().await;
    let url = server.url(&name);
    Some((server, name, url))
}

/// The master key of all nodes: 32 bytes in base64.
const MASTER_KEY: &str = "qr6wSgSCJQkL9REOj2tuaMqvdwVrh6KuiSVIPlx0rs8=";

/// The program on a database.
pub fn patron_on(url: &str) -> Command {
    let mut command = crate::program::patron();
    command.env("PATRON__SECRETS__MASTER_KEY", MASTER_KEY).env("PATRON__STORE__URL", url);
    command
}

/// Makes a space; answers its native key.
pub fn new_space(url: &str) -> String {
    let made = crate::program::succeed(patron_on(url).args(["space", "create", "Shop", "--json"]));
    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
    made["native"]["api_key"].as_str().unwrap().to_owned()
}

/// The program's own check: journal and records agree, positions have no gap.
fn assert_agreed(url: &str) {
    let said = crate::program::succeed(patron_on(url).arg("check"));
    assert!(said.contains("Everything agrees."), "{said}");
}

/// Rounds of a test: a few, or as many as `PATRON_TEST_ROUNDS` says.
pub fn rounds(few: usize) -> usize {
    std::env::var("PATRON_TEST_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(few)
}
