//! Linearizability: calls of several clients on the same few records are recorded over HTTP, and a
//! checker looks for an order of the calls that explains every answer; also across a kill of the
//! program and of the database server, and at two nodes on one database. `PATRON_TEST_ROUNDS` makes
//! the run longer, `PATRON_TEST_SEED` repeats the choices of one history.

mod checker;
mod customers;
mod examples;
mod record;

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use patron_testkit::{TestServer, postgres::Server};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use crate::postgres::{self, rounds};
use crate::program::{KEY, Running, succeed};

use self::record::Recording;

/// Histories in `./test`.
const HISTORIES: usize = 40;
/// Histories with a kill in the middle, in `./test`.
const HISTORIES_WITH_KILL: usize = 4;

fn engine() -> String {
    std::env::var("PATRON_TEST_ENGINE").unwrap_or_else(|_| "sqlite".to_owned())
}

/// Seeds of the run's histories.
fn seeds(few: usize) -> Vec<u64> {
    match std::env::var("PATRON_TEST_SEED").ok().and_then(|seed| seed.parse().ok()) {
        Some(seed) => vec![seed],
        // Short ones: a long number in a reference may look like that of a card.
        None => (0..rounds(few)).map(|_| rand::rng().random_range(0..1 << 32)).collect(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_calls_are_linearizable() {
    let server = TestServer::start(&[&patron_native::DIALECT]).await;
    let keys = server.credentials("native");
    let key = keys["api_key"].as_str().unwrap();
    for seed in seeds(HISTORIES) {
        let recording = Recording::start(seed, &[&server.base_url], key).await;
        recording.finish().await.check(seed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_calls_at_two_nodes_are_linearizable() {
    if !postgres::is_wanted() {
        return;
    }
    let Some((_server, _, url)) = postgres::database().await else { return };
    let key = postgres::new_space(&url);
    let one = Running::serve_on(postgres::patron_on(&url).arg("serve")).await;
    let other = Running::serve_on(postgres::patron_on(&url).arg("serve")).await;
    for seed in seeds(HISTORIES) {
        let recording = Recording::start(seed, &[&one.base_url, &other.base_url], &key).await;
        recording.finish().await.check(seed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_across_a_kill_of_the_program_are_linearizable() {
    if engine() == "postgres" {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (mut running, _) = Running::sandbox(folder.path());
    for seed in seeds(HISTORIES_WITH_KILL) {
        let recording = Recording::start(seed, &[&running.base_url], KEY).await;
        recording.answers(StdRng::seed_from_u64(seed).random_range(5..40)).await;
        succeed(Command::new("kill").args(["-9", &running.child.id().to_string()]));
        running.child.wait().unwrap();
        (running, _) = Running::sandbox(folder.path());
        recording.go_on_at(&running.base_url);
        recording.finish().await.check(seed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_across_a_kill_of_the_database_server_are_linearizable() {
    if !postgres::is_wanted() {
        return;
    }
    let Some(server) = Server::start() else { return };
    let server = Arc::new(server);
    let url = server.url(&server.database().await);
    let key = postgres::new_space(&url);
    let running = Running::serve_on(postgres::patron_on(&url).arg("serve")).await;
    for seed in seeds(HISTORIES_WITH_KILL) {
        let recording = Recording::start(seed, &[&running.base_url], &key).await;
        recording.answers(StdRng::seed_from_u64(seed).random_range(5..40)).await;
        match seed % 2 {
            0 => server.kill(),
            _ => server.stop_at_once(),
        }
        // Long enough for every client to meet the gap.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let restarted = Arc::clone(&server);
        tokio::task::spawn_blocking(move || restarted.restart()).await.unwrap();
        recording.finish().await.check(seed);
    }
}
