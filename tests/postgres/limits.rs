//! What other sessions hold, limits that the server has by itself, and a role that may little:
//! nothing hangs, and nobody waits for what another one needs.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use patron_testkit::postgres::execute;
use serde_json::json;
use tokio_postgres::NoTls;

use crate::program::Running;

use super::{database, new_space, patron_on, tour};

/// Calls that need what is held, at a time.
const HELD: usize = 24;
/// Longest time of a call that needs it, and of one that does not.
const HELD_MAX: Duration = Duration::from_secs(8);
const FREE_MAX: Duration = Duration::from_secs(4);

/// A session that holds something.
async fn hold(url: &str, sql: &str) -> tokio_postgres::Client {
    let (session, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    session.batch_execute("BEGIN").await.unwrap();
    session.batch_execute(sql).await.unwrap();
    session
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_another_session_holds_is_not_waited_for_by_all() {
    let Some((_server, _, url)) = database().await else { return };
    // The operator's own words come last and win.
    let url = format!("{url}?options=-c%20lock_timeout%3D500");
    let key = new_space(&url);
    let running = Running::serve_on(patron_on(&url).arg("serve")).await;
    let made = async || {
        let made = running.native(&key, "POST", "/v1/customers", Some(json!({}))).await;
        made.expect(201).json()["number"].to_string()
    };
    let (taken, other) = (made().await, made().await);
    let sql = format!(r#"SELECT FROM "customer" WHERE "number" = {taken} FOR UPDATE"#);
    let held = hold(&url, &sql).await;
    let [taken, other] = [taken, other].map(|number| format!("/v1/customers/{number}"));
    let needs = |n: usize| {
        let body = json!({"title": n.to_string()});
        running.native(&key, "PATCH", &taken, Some(body))
    };
    let begun = Instant::now();
    let needing = async {
        for answer in join_all((0..HELD).map(needs)).await {
            assert!([409, 503].contains(&answer.status), "{}", answer.text());
        }
        begun.elapsed()
    };
    let free = async {
        let body = Some(json!({"title": "free"}));
        running.native(&key, "PATCH", &other, body).await.expect(200);
        begun.elapsed()
    };
    let (needing, free) = tokio::join!(needing, free);
    assert!(needing < HELD_MAX && free < FREE_MAX, "{needing:?} {free:?}");
    held.batch_execute("ROLLBACK").await.unwrap();
    needs(1).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_another_session_holds_ends_in_an_answer() {
    let Some((_server, _, url)) = database().await else { return };
    let impatient = format!("{url}?options=-c%20lock_timeout%3D500");
    let key = new_space(&impatient);
    let running = Running::serve_on(patron_on(&impatient).arg("serve")).await;
    // Who holds them waits for what the server is at just now.
    let held = hold(&url, r#"LOCK TABLE "customer", "journal", "head", "counter", "meta""#).await;
    let begun = Instant::now();
    for (method, path, body) in [
        ("GET", "/v1/customers/1001", None),
        ("GET", "/v1/customers?q=a", None),
        ("GET", "/v1/events", None),
        ("POST", "/v1/customers", Some(json!({}))),
    ] {
        let answer = running.native(&key, method, path, body).await;
        assert_eq!(answer.status, 503, "{method} {path}: {}", answer.text());
        assert!(!answer.header("retry-after").is_empty());
    }
    assert!(begun.elapsed() < 2 * HELD_MAX, "{:?}", begun.elapsed());
    held.batch_execute("ROLLBACK").await.unwrap();
    running.native(&key, "POST", "/v1/customers", Some(json!({}))).await.expect(201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_that_the_server_has_by_itself_end_nothing_of_ours() {
    let Some((_server, name, url)) = database().await else { return };
    for setting in ["statement_timeout = '5ms'", "lock_timeout = '1ms'"] {
        execute(&url, &format!("ALTER DATABASE {name} SET {setting}")).await;
    }
    tour::go(&url).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_without_rights_beyond_its_tables_is_enough() {
    let Some((server, name, url)) = database().await else { return };
    // Roles are the server's, not the database's.
    let role = format!("plain_{name}");
    for sql in [
        &format!("CREATE ROLE {role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS"),
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
    ] {
        execute(&url, sql).await;
    }
    let plain = format!("postgres://{role}@{}/{name}", server.host());
    let refused = patron_on(&plain).args(["space", "create", "Shop"]).output().unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("GRANT CREATE ON SCHEMA public"), "{said}");
    execute(&url, &format!("GRANT CREATE ON SCHEMA public TO {role}")).await;
    tour::go(&plain).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_the_server_is_told_at_a_start() {
    let Some((_server, _, url)) = database().await else { return };
    let first = patron_on(&url).args(["space", "create", "Shop"]).output().unwrap();
    let said = String::from_utf8(first.stderr).unwrap();
    assert!(!said.contains("NOTICE") && !said.contains("already exists"), "{said}");
    for _ in 0..2 {
        let made = patron_on(&url).args(["migrate"]).output().unwrap();
        assert!(made.status.success());
        let said = String::from_utf8(made.stderr).unwrap();
        assert!(!said.contains("NOTICE") && !said.contains("already exists"), "{said}");
    }
    let running = Running::serve_on(patron_on(&url).arg("serve")).await;
    running.get("/readyz").await.expect(200);
    let said = running.log.text();
    assert!(!said.contains("NOTICE") && !said.contains("already exists"), "{said}");
}
