//! A key that is revoked while a node is reading it: what the node found counts from before it
//! looked, and not at all when the node itself revoked the key.

use std::sync::Arc;

use patron_app::{
    App, Clock, Expect,
    audit::{self, Wanted},
    documents::KINDS,
    keys, offboarding,
};
use patron_gateway::limits::Limits;
use patron_store::{Location, Options, Store};
use patron_testkit::{Answer, TestServer, engine::TestEngine, postgres::Server};
use serde_json::Value;
use tokio_postgres::NoTls;

struct Stand {
    patron: Arc<TestServer>,
    keys: Value,
    number: i64,
    /// Another node.
    other: Arc<App>,
    /// A session beside Patron.
    beside: tokio_postgres::Client,
    _server: Arc<Server>,
}

impl Stand {
    async fn start() -> Option<Stand> {
        let (server, _, url) = super::database().await?;
        let location = Location::Postgres(url.clone());
        let engine = TestEngine::at(location.clone());
        let dialects = [&patron_native::DIALECT];
        let patron =
            TestServer::start_on(engine, &dialects, Clock::System, Limits::default()).await;
        let keys = patron.credentials("native");
        let all = keys::list(&patron.app.operator(0, "test"), None).await.unwrap();
        let store = Store::open(&location, KINDS, Options::default()).await.unwrap();
        let other = App::open(store, Clock::System, patron_testkit::master()).await.unwrap();
        let (beside, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
        tokio::spawn(connection);
        let (patron, number) = (Arc::new(patron), all[0].number);
        Some(Stand { patron, keys, number, other, beside, _server: server })
    }

    async fn ask(&self) -> Answer {
        self.patron.call(&patron_native::DIALECT, &self.keys, "GET", "/v1/customers", None).await
    }

    /// Begins a request that has read its key and now waits for the key's space.
    async fn hold_a_look(&self) -> tokio::task::JoinHandle<Answer> {
        self.run(r#"BEGIN; LOCK TABLE "space" IN ACCESS EXCLUSIVE MODE"#).await;
        let (patron, keys) = (Arc::clone(&self.patron), self.keys.clone());
        let held = tokio::spawn(async move {
            patron.call(&patron_native::DIALECT, &keys, "GET", "/v1/customers", None).await
        });
        let waiting = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'space'::regclass";
        while self.beside.query(waiting, &[]).await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        held
    }

    async fn run(&self, sql: &str) {
        self.beside.batch_execute(sql).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_look_does_not_prolong_a_revoked_key() {
    let Some(stand) = Stand::start().await else { return };
    let held = stand.hold_a_look().await;
    // Revoked by another node: this one does not know.
    keys::revoke(&stand.other.operator(0, "test"), stand.number).await.unwrap();
    tokio::time::sleep(keys::REMEMBERED).await;
    stand.run("COMMIT").await;
    held.await.unwrap().expect(200);
    stand.ask().await.expect(401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_revoked_here_is_refused_at_once() {
    let Some(stand) = Stand::start().await else { return };
    let held = stand.hold_a_look().await;
    keys::revoke(&stand.patron.app.operator(0, "test"), stand.number).await.unwrap();
    stand.run("COMMIT").await;
    held.await.unwrap().expect(200);
    stand.ask().await.expect(401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_space_deleted_by_another_node_is_closed_in_half_a_second() {
    let Some(stand) = Stand::start().await else { return };
    stand.ask().await.expect(200);
    let cx = stand.other.operator(0, "test");
    offboarding::begin(&cx, 1, Expect::Any, None).await.unwrap();
    tokio::time::sleep(keys::REMEMBERED).await;
    stand.ask().await.expect(401);
    // Either node may finish; both at once give one receipt.
    offboarding::sweep(&stand.patron.app).await.unwrap();
    let receipt = offboarding::finish(&cx, 1).await.unwrap();
    let again = offboarding::finish(&cx, 1).await.unwrap();
    assert_eq!(again, receipt);
    let wanted = Wanted { action: Some("space.purged".into()), ..Wanted::default() };
    let told = audit::list(&cx, &wanted, None, 10).await.unwrap();
    assert_eq!(told.items.len(), 1);
}
