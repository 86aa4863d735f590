//! The database server killed under load: what was answered stays, nothing is there by half or
//! twice, and Patron recovers by itself.

use patron_testkit::postgres::Server;

use crate::program::Running;

use super::{assert_agreed, is_wanted, load, new_space, patron_on, rounds};

/// Writers at a time.
const WRITERS: usize = 8;
/// Looks at the readiness after the last restart, and the pause between them.
const READY_LOOKS_MAX: usize = 50;
const READY_PAUSE: std::time::Duration = std::time::Duration::from_millis(100);
/// Times the server goes, in `./test`.
const ROUNDS: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_may_be_killed_under_load() {
    if !is_wanted() {
        return;
    }
    let Some(server) = Server::start() else { return };
    let url = server.url(&server.database().await);
    let key = new_space(&url);
    let running = Running::serve_on(patron_on(&url).arg("serve")).await;
    let load = load::Load::new(vec![running.base_url.clone()], key.clone());
    let writers = load.start(WRITERS);
    for round in 0..rounds(ROUNDS) {
        // Killed in the middle of the work: after a number of answers that differs by round.
        load.answers(40 + 17 * (round as u64 % 7)).await;
        match round % 2 {
            0 => server.kill(),
            _ => server.stop_at_once(),
        }
        // In between there are clean refusals, and the program itself stays alive.
        load.refusals(3 * WRITERS as u64).await;
        running.get("/livez").await.expect(200);
        let not_ready = running.get("/readyz").await;
        assert_eq!(not_ready.status, 503, "{}", not_ready.text());
        // Why is for operators: it names hosts and errors of the database.
        assert_eq!(not_ready.text(), r#"{"status":"not ready"}"#);
        let why = running.get_as_operator("/readyz").await.expect(503).json();
        assert!(why["why"].as_str().unwrap().len() > 10, "{why}");
        server.restart();
    }
    load.answers(100).await;
    // A connection from before the last kill may still be found closed once.
    for _ in 0..READY_LOOKS_MAX {
        if running.get("/readyz").await.status == 200 {
            break;
        }
        tokio::time::sleep(READY_PAUSE).await;
    }
    running.get("/readyz").await.expect(200);
    let known = load.finish(writers).await;
    load::verify(&running.base_url, &key, &known).await;
    assert_agreed(&url);
}
