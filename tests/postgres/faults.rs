//! Between Patron and PostgreSQL the first, the second, … exchange fails, in every way there is,
//! until the scenario no longer meets the fault. Clients repeat what was answered 503 with the same
//! idempotency key. In the end everything happened exactly once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use patron_app::{Clock, documents::KINDS};
use patron_gateway::limits::Limits;
use patron_store::{Location, Options, Store};
use patron_testkit::{
    Answer, TestServer,
    engine::TestEngine,
    postgres::{self, Server},
    proxy::{Among, CUTS, Fault, Proxy},
};
use serde_json::{Value, json};
use tokio_postgres::NoTls;

use crate::api::{ALL, create as create_through};
use crate::isolation::planted;

/// How often a client repeats a call; one fault costs one repeat, rarely two.
const REPEATS_MAX: usize = 6;
/// More exchanges than the scenario has: a loop that gets there does not end.
const EXCHANGES_MAX: u64 = 500;
/// The space of the test server.
const SPACE: i64 = 1;

/// What a server may refuse anything with: serialization failure, deadlock, cancelled by somebody.
const REFUSALS: [Fault; 3] =
    [Fault::Refused("40001"), Fault::Refused("40P01"), Fault::Refused("57014")];
/// Any query without parameters: those that begin and end transactions.
const CONTROL: Among = Among::Queries("");

struct Stand {
    proxy: Proxy,
    patron: TestServer,
    keys: Value,
    /// The database and the same records, past the proxy.
    url: String,
    store: Store,
    /// Calls that were answered 503.
    refused: AtomicU64,
    _server: Arc<Server>,
}

impl Stand {
    async fn start() -> Option<Stand> {
        let (server, name, url) = super::database().await?;
        // The server is not killed here: waiting for its disk would prove nothing.
        for setting in ["synchronous_commit = off", "deadlock_timeout = '10ms'"] {
            postgres::execute(&url, &format!("ALTER DATABASE {name} SET {setting}")).await;
        }
        let proxy = Proxy::before(server.socket()).await;
        let engine = TestEngine::at(Location::Postgres(proxy.url(&name)));
        let dialects = [&patron_native::DIALECT];
        let patron =
            TestServer::start_on(engine, &dialects, Clock::System, Limits::default()).await;
        let keys = patron.credentials("native");
        let location = Location::Postgres(url.clone());
        let store = Store::open(&location, KINDS, Options::default()).await.unwrap();
        let refused = AtomicU64::default();
        Some(Stand { proxy, patron, keys, url, store, refused, _server: server })
    }

    async fn send(&self, call: &Call) -> Answer {
        let mut headers = vec![("idempotency-key", call.key.as_str())];
        headers.extend(call.if_match.map(|tag| ("if-match", tag)));
        let (dialect, path) = (&patron_native::DIALECT, &call.path);
        self.patron
            .call_with(dialect, &self.keys, call.method, path, &headers, call.body.clone())
            .await
    }

    /// Repeats a call until it is answered; anything but 503 and "still running" ends it.
    async fn insist(&self, call: &Call) -> Answer {
        let mut last = String::new();
        for _ in 0..REPEATS_MAX {
            let answer = self.send(call).await;
            match answer.status {
                200..300 => return answer,
                503 => {
                    assert_try_later(&answer);
                    self.refused.fetch_add(1, Relaxed);
                }
                409 if answer.json()["title"] == "Still running" => {}
                _ => panic!("{call:?}: {} {}", answer.status, answer.text()),
            }
            last = answer.text();
        }
        panic!("{call:?}: no answer after {REPEATS_MAX} repeats: {last}");
    }

    /// What happened to a customer, oldest first.
    async fn actions(&self, number: i64) -> Vec<String> {
        let mut entries = self.store.history(SPACE, number, None, 50).await.unwrap();
        entries.reverse();
        let own = entries.into_iter().filter(|entry| entry.number == number);
        own.map(|entry| entry.action).collect()
    }
}

/// A 503 says when to come back and claims nothing about what was done.
pub(super) fn assert_try_later(answer: &Answer) {
    assert!(answer.header("retry-after").parse::<u64>().is_ok(), "{:?}", answer.headers);
    let detail = answer.json()["detail"].as_str().unwrap().to_lowercase();
    assert!(!detail.contains("nothing was changed"), "{detail}");
}

#[derive(Debug)]
struct Call {
    method: &'static str,
    path: String,
    key: String,
    if_match: Option<&'static str>,
    body: Option<Value>,
}

/// Makes, changes, merges and deletes; everything exactly once.
async fn scenario(stand: &Stand, run: &str) {
    let call = |method, path: &str, if_match, body: Value| Call {
        method,
        path: format!("/v1/customers{path}"),
        key: format!("{run}-{method}-{path}-{body}"),
        if_match,
        body: (method != "DELETE").then_some(body),
    };
    let number = |answer: Answer| answer.json()["number"].as_i64().unwrap();
    let addresses = json!([{"city": "Bern"}]);
    let body = json!({"reference": run, "title": "a", "addresses": addresses});
    let first = number(stand.insist(&call("POST", "", None, body)).await);
    let second = number(stand.insist(&call("POST", "", None, json!({"title": run}))).await);
    let (path, titled) = (format!("/{first}"), json!({"title": "b", "email": "b@example.com"}));
    stand.insist(&call("PATCH", &path, Some("\"1\""), titled)).await;
    stand.insist(&call("PATCH", &path, None, json!({"metadata": {"blind": true}}))).await;
    let merge = call("POST", &format!("{path}/merge"), None, json!({"absorb": second}));
    let merged = stand.insist(&merge).await.json();
    assert_eq!((&merged["version"], &merged["title"]), (&json!(4), &json!("b")), "{run}");
    stand.insist(&call("DELETE", &path, Some("\"4\""), json!(null))).await;
    let expected = ["created", "updated", "updated", "merged", "deleted"];
    assert_eq!(stand.actions(first).await, expected, "{run}");
    assert_eq!(stand.actions(second).await, ["created", "absorbed"], "{run}");
}

/// Runs the scenario with the fault at the first, the second, … exchange; how often it met it.
async fn at_every_exchange(stand: &Stand, fault: Fault, among: Among) -> u64 {
    for n in 1..EXCHANGES_MAX {
        stand.proxy.arm(fault, among, n);
        scenario(stand, &format!("{fault:?} {among:?} {n}")).await;
        if !stand.proxy.disarm() {
            return n - 1;
        }
    }
    panic!("{fault:?}: the scenario does not end")
}

/// In `./test` only some faults happen everywhere, the others around transactions.
async fn at_every_exchange_in_turn(stand: &Stand, faults: &[Fault], everywhere: &[Fault]) {
    let is_long = super::rounds(1) > 1;
    for fault in faults {
        let all = is_long || everywhere.contains(fault);
        let among = if all { Among::All } else { CONTROL };
        let met = at_every_exchange(stand, *fault, among).await;
        println!("{fault:?} {among:?}: {met} times");
        assert!(met > 10, "{fault:?} was met {met} times");
    }
}

async fn assert_agreed(stand: &Stand) {
    let report = stand.store.check(&|_, _| None).await.unwrap();
    assert_eq!(report.findings, Vec::<String>::new());
    let made = stand.store.head(SPACE).await.unwrap();
    assert_eq!(made % 8, 0, "every scenario leaves eight entries");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_cut_at_any_exchange_costs_a_repeat_and_nothing_else() {
    let Some(stand) = Stand::start().await else { return };
    at_every_exchange_in_turn(&stand, &CUTS, &[Fault::Lost, Fault::Unanswered]).await;
    assert_agreed(&stand).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_at_any_exchange_is_repeated_or_answered() {
    let Some(stand) = Stand::start().await else { return };
    at_every_exchange_in_turn(&stand, &REFUSALS[..2], &REFUSALS[..1]).await;
    // What the server undid is done again here, wherever it was.
    assert_eq!(stand.refused.load(Relaxed), 0);
    at_every_exchange_in_turn(&stand, &REFUSALS[2..], &[]).await;
    assert_agreed(&stand).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_serialization_failure_at_commit_is_not_seen_by_the_client() {
    let Some(stand) = Stand::start().await else { return };
    for fault in &REFUSALS[..2] {
        for run in ["COMMIT", "BEGIN"] {
            let call = create(&format!("{fault:?} {run}"));
            stand.proxy.arm(*fault, Among::Queries(run), 1);
            stand.send(&call).await.expect(201);
            assert!(stand.proxy.disarm(), "{fault:?} at {run} was not met");
        }
    }
    assert_eq!(stand.store.head(SPACE).await.unwrap(), 4);
}

fn create(reference: &str) -> Call {
    let body = Some(json!({"reference": reference}));
    let path = "/v1/customers".to_owned();
    Call { method: "POST", path, key: format!("key {reference}"), if_match: None, body }
}

/// A session that holds locks beside Patron.
async fn session(url: &str, begin: &str) -> tokio_postgres::Client {
    let (session, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    session.batch_execute(begin).await.unwrap();
    session
}

/// Waits until a query has an answer.
async fn until(session: &tokio_postgres::Client, query: &str) {
    while session.query(query, &[]).await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
}

/// A merge takes the absorbed customer, its terms, then the survivor. A session beside it holds the
/// survivor and waits for the absorbed one; a gate at the terms lets Patron be the one that closes
/// the circle, so its transaction is the one that PostgreSQL ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_deadlock_is_repeated() {
    let Some(stand) = Stand::start().await else { return };
    let number = async |reference| stand.insist(&create(reference)).await.json()["number"].clone();
    let (stays, goes) = (number("stays").await, number("goes").await);
    let retries = stand.patron.app.store.statistics().retries;
    let lock = |table: &str, number: &Value| {
        format!(r#"SELECT FROM "{table}" WHERE "number" = {number} FOR UPDATE"#)
    };
    let gate = session(&stand.url, "BEGIN").await;
    gate.batch_execute(&lock("customer_term", &goes)).await.unwrap();
    let beside = session(&stand.url, "SET deadlock_timeout = '1h'; BEGIN").await;
    beside.batch_execute(&lock("customer", &stays)).await.unwrap();
    let pid: i32 = beside.query("SELECT pg_backend_pid()", &[]).await.unwrap()[0].get(0);
    let path = format!("/v1/customers/{stays}/merge");
    let body = Some(json!({"absorb": goes}));
    let merge = Call { method: "POST", path, key: "merge".into(), if_match: None, body };
    let at_gate = "SELECT 1 FROM pg_locks WHERE NOT granted \
                   AND transactionid = pg_current_xact_id()::xid";
    let waits = format!("SELECT 1 FROM pg_locks WHERE NOT granted AND pid = {pid}");
    let cross = async {
        until(&gate, at_gate).await;
        let taken = async {
            beside.batch_execute(&lock("customer", &goes)).await.unwrap();
            beside.batch_execute("COMMIT").await.unwrap();
        };
        let opened = async {
            until(&gate, &waits).await;
            gate.batch_execute("COMMIT").await.unwrap();
        };
        tokio::join!(taken, opened);
    };
    let (merged, ()) = tokio::join!(stand.send(&merge), cross);
    assert_eq!(merged.expect(200).json()["version"], 2);
    assert!(stand.patron.app.store.statistics().retries > retries, "there was no deadlock");
    assert_eq!(stand.actions(stays.as_i64().unwrap()).await, ["created", "merged"]);
    assert!(stand.store.check(&|_, _| None).await.unwrap().is_clean());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_api_says_when_to_come_back_while_the_database_is_away() {
    let Some((server, name, _)) = super::database().await else { return };
    let proxy = Proxy::before(server.socket()).await;
    let engine = TestEngine::at(Location::Postgres(proxy.url(&name)));
    let patron = TestServer::start_on(engine, &ALL, Clock::System, Limits::default()).await;
    let keys = patron.all_credentials();
    for (n, api) in (1..).zip(ALL) {
        let made = create_through(&patron, keys, api.name, &planted("here", n)).await;
        assert!(made.status < 300, "{}: {}", api.name, made.text());
    }
    drop(proxy);
    // At first callers are still remembered, later they are not.
    for _ in 0..2 {
        for api in ALL {
            let refused = create_through(&patron, keys, api.name, &planted("away", 9)).await;
            assert_eq!(refused.status, 503, "{}: {}", api.name, refused.text());
            let again = refused.header("retry-after").parse::<u64>();
            assert!(again.is_ok(), "{}: {:?}", api.name, refused.headers);
        }
        tokio::time::sleep(patron_app::keys::REMEMBERED).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_without_answer_is_not_called_a_failure_and_a_repeat_settles_it() {
    let Some(stand) = Stand::start().await else { return };
    for (fault, happened) in [
        (Fault::Unanswered, true),
        (Fault::HalfAnswered, true),
        (Fault::Lost, false),
        (Fault::Torn, false),
    ] {
        let call = create(&format!("{fault:?}"));
        let before = stand.store.head(SPACE).await.unwrap();
        stand.proxy.arm(fault, Among::Queries("COMMIT"), 1);
        let answer = stand.send(&call).await.expect(503);
        assert_try_later(&answer);
        assert!(stand.proxy.disarm());
        // Patron cannot know; the database does.
        let made = stand.store.head(SPACE).await.unwrap() - before;
        assert_eq!(made, i64::from(happened), "{fault:?}");
        let settled = stand.insist(&call).await;
        assert_eq!(settled.header("idempotency-replayed") == "true", happened, "{fault:?}");
        assert_eq!(stand.store.head(SPACE).await.unwrap() - before, 1, "{fault:?}");
    }
    assert!(stand.store.check(&|_, _| None).await.unwrap().is_clean());
}
