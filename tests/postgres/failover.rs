//! A primary and its standby under one URL: the primary goes, the standby takes its place, and what
//! was answered is there. Commits wait for the standby, however long it is away.

use std::process::Command;
use std::time::{Duration, Instant};

use patron_testkit::Answer;
use patron_testkit::postgres::{Server, execute};
use serde_json::json;
use tokio::net::TcpListener;

use crate::program::{Running, succeed};

use super::{assert_agreed, is_wanted, load, new_space, patron_on};

/// Writers at a time.
const WRITERS: usize = 8;
/// Within what writes are answered again after there is a primary.
const BACK_WITHIN: Duration = Duration::from_secs(5);
/// A time in which a commit would have been given up.
const LONG_FOR_A_STATEMENT: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(50);

struct Pair {
    primary: Server,
    standby: Server,
    /// Both hosts; what says more of the session may be appended.
    url: String,
}

impl Pair {
    async fn start() -> Option<Pair> {
        let primary = is_wanted().then(Server::start)??;
        let database = primary.database().await;
        let standby = primary.standby().await;
        let hosts = format!("{},{}", primary.host(), standby.host());
        let url = format!("postgres://postgres@{hosts}/{database}?");
        Some(Pair { primary, standby, url })
    }
}

async fn create(running: &Running, key: &str) -> Answer {
    running.native(key, "POST", "/v1/customers", Some(json!({}))).await
}

/// Creates until it is answered; how long that took.
async fn insist(running: &Running, key: &str) -> Duration {
    let begun = Instant::now();
    while create(running, key).await.status != 201 {
        assert!(begun.elapsed() < 3 * BACK_WITHIN, "writes are not answered again");
        tokio::time::sleep(PAUSE).await;
    }
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_takes_over_and_no_answered_write_is_lost() {
    let Some(pair) = Pair::start().await else { return };
    let url = format!("{}target_session_attrs=read-write", pair.url);
    let key = new_space(&url);
    let running = Running::serve_on(patron_on(&url).arg("serve")).await;
    let load = load::Load::new(vec![running.base_url.clone()], key.clone());
    let writers = load.start(WRITERS);
    load.answers(150).await;
    pair.primary.kill();
    load.refusals(2 * WRITERS as u64).await;
    pair.standby.promote();
    let begun = Instant::now();
    load.answers(1).await;
    assert!(begun.elapsed() < BACK_WITHIN, "{:?}", begun.elapsed());
    load.answers(100).await;
    let known = load.finish(writers).await;
    load::verify(&running.base_url, &key, &known).await;
    assert_agreed(&url);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_only_stops_taking_writes_is_left() {
    let Some(pair) = Pair::start().await else { return };
    let key = new_space(&pair.url);
    let running = Running::serve_on(patron_on(&pair.url).arg("serve")).await;
    let first = create(&running, &key).await.expect(201).json()["number"].to_string();
    // Sessions stay open, as at services that change the roles of two servers.
    let old = pair.primary.url("postgres");
    execute(&old, "ALTER SYSTEM SET default_transaction_read_only = on").await;
    execute(&old, "SELECT pg_reload_conf()").await;
    while create(&running, &key).await.status == 201 {
        tokio::time::sleep(PAUSE).await;
    }
    pair.standby.promote();
    assert!(insist(&running, &key).await < BACK_WITHIN);
    drop(pair.primary);
    running.native(&key, "GET", &format!("/v1/customers/{first}"), None).await.expect(200);
    assert_agreed(&pair.url);
}

/// However little time a statement has: nothing cancels the wait, after which PostgreSQL would call
/// the commit done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_without_its_standby_is_not_answered() {
    let Some(pair) = Pair::start().await else { return };
    let impatient = format!("{}options=-c%20statement_timeout%3D300", pair.url);
    let key = new_space(&pair.url);
    let running = Running::serve_on(patron_on(&impatient).arg("serve")).await;
    create(&running, &key).await.expect(201);
    pair.standby.stop_at_once();
    let mut waits = std::pin::pin!(create(&running, &key));
    let early = tokio::time::timeout(LONG_FOR_A_STATEMENT, &mut waits).await;
    assert!(early.is_err(), "answered without the standby: {}", early.unwrap().text());
    running.get("/livez").await.expect(200);
    pair.standby.restart();
    waits.await.expect(201);
}

/// A commit that waits for its standby keeps nothing from ending.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_does_not_wait_for_a_standby() {
    let Some(pair) = Pair::start().await else { return };
    let key = new_space(&pair.url);
    let mut serve = patron_on(&pair.url);
    serve.env("PATRON__LIMITS__STOP_SECONDS_MAX", "1");
    let mut running = Running::serve_on(serve.arg("serve")).await;
    create(&running, &key).await.expect(201);
    pair.standby.stop_at_once();
    let waits = tokio::time::timeout(LONG_FOR_A_STATEMENT, create(&running, &key)).await;
    assert!(waits.is_err(), "answered without the standby");
    let begun = Instant::now();
    succeed(Command::new("kill").args(["-TERM", &running.child.id().to_string()]));
    assert!(running.child.wait().unwrap().success());
    assert!(begun.elapsed() < BACK_WITHIN, "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_does_not_answer_costs_its_share_of_the_time_once() {
    let Some((server, name, _)) = super::database().await else { return };
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hosts = format!("{},{}", silent.local_addr().unwrap(), server.host());
    let url = format!("postgres://postgres@{hosts}/{name}?connect_timeout=1");
    let begun = Instant::now();
    let key = new_space(&url);
    let running = Running::serve_on(patron_on(&url).arg("serve")).await;
    create(&running, &key).await.expect(201);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    // New connections go to the host that answered.
    let many = (0..16).map(|_| create(&running, &key));
    let begun = Instant::now();
    for answer in futures_util::future::join_all(many).await {
        answer.expect(201);
    }
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[test]
fn a_url_that_only_reads_is_refused() {
    for words in ["standby", "read-only", "prefer-standby", "primaries"] {
        let url = format!("postgres://u@a,b/d?target_session_attrs={words}");
        let output = patron_on(&url).args(["config", "check"]).output().unwrap();
        assert!(!output.status.success());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("target_session_attrs must be read-write, primary or any"), "{said}");
    }
    succeed(
        patron_on("postgres://u@a,b:7/d?target_session_attrs=primary").args(["config", "check"]),
    );
}
