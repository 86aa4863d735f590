//! Two nodes on one database: one of them is killed and the other goes on; a key revoked beside
//! them is refused by both in time.

use std::process::Command;
use std::time::Duration;

use patron_app::keys::REMEMBERED;
use serde_json::{Value, json};

use crate::program::{Running, succeed};

use super::{assert_agreed, database, load, new_space, patron_on};

/// Writers at a time, half of them on either node.
const WRITERS: usize = 8;
/// Callers that send the same request with the same key to both nodes at once.
const SAME: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_nodes_one_may_be_killed() {
    let Some((_server, _, url)) = database().await else { return };
    let key = new_space(&url);
    let stays = Running::serve_on(patron_on(&url).arg("serve")).await;
    let goes = Running::serve_on(patron_on(&url).arg("serve")).await;
    let nodes = vec![stays.base_url.clone(), goes.base_url.clone()];
    let load = load::Load::new(nodes, key.clone());
    let writers = load.start(WRITERS);
    load.answers(150).await;
    succeed(Command::new("kill").args(["-9", &goes.child.id().to_string()]));
    // Its writers go to the other node, and repeat there what was not answered.
    load.leave(&goes.base_url);
    load.answers(150).await;
    let again = Running::serve_on(patron_on(&url).arg("serve")).await;
    load.answers(50).await;
    let known = load.finish(writers).await;
    // The node that was there all the time and the new one say the same.
    load::verify(&stays.base_url, &key, &known).await;
    load::verify(&again.base_url, &key, &known).await;
    assert_agreed(&url);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_used_at_two_nodes_at_once_has_one_effect() {
    let Some((_server, _, url)) = database().await else { return };
    let key = new_space(&url);
    let nodes = [
        Running::serve_on(patron_on(&url).arg("serve")).await,
        Running::serve_on(patron_on(&url).arg("serve")).await,
    ];
    for round in 0..20 {
        let headers = [
            ("authorization".to_owned(), format!("Bearer {key}")),
            ("content-type".to_owned(), "application/json".to_owned()),
            ("idempotency-key".to_owned(), format!("once-{round}")),
        ];
        let body = json!({"title": round.to_string()}).to_string();
        let send = async |n: usize| {
            let node = &nodes[n % 2];
            let path = "/v1/customers";
            node.client.send(&node.base_url, "POST", path, &headers, body.as_bytes()).await
        };
        let answers = futures_util::future::join_all((0..SAME).map(send)).await;
        let is_first = |a: &&patron_testkit::Answer| {
            a.status == 201 && a.header("idempotency-replayed").is_empty()
        };
        assert_eq!(answers.iter().filter(is_first).count(), 1, "round {round}");
        assert!(answers.iter().all(|answer| [201, 409].contains(&answer.status)));
    }
    let listed = nodes[0].native(&key, "GET", "/v1/customers?total=true", None).await.json();
    assert_eq!(listed["total"], 20);
    assert_agreed(&url);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_key_is_refused_by_every_node_in_time() {
    let Some((_server, _, url)) = database().await else { return };
    new_space(&url);
    let nodes = [
        Running::serve_on(patron_on(&url).arg("serve")).await,
        Running::serve_on(patron_on(&url).arg("serve")).await,
    ];
    for _ in 0..3 {
        let made = succeed(patron_on(&url).args(["key", "create", "--space", "1"]));
        let made: Value = serde_json::from_str(&made).unwrap();
        let key = made["native"]["api_key"].as_str().unwrap();
        for node in &nodes {
            node.native(key, "GET", "/v1/customers", None).await.expect(200);
        }
        let revoke = async {
            let mut revoke = patron_on(&url);
            revoke.args(["key", "revoke", &made["number"].to_string()]);
            tokio::task::spawn_blocking(move || succeed(&mut revoke)).await.unwrap();
            tokio::time::sleep(REMEMBERED).await;
        };
        // Callers that ask all the time keep nothing fresh.
        let ask = async {
            loop {
                for node in &nodes {
                    node.native(key, "GET", "/v1/customers", None).await;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            () = revoke => {}
            () = ask => {}
        }
        for node in &nodes {
            node.native(key, "GET", "/v1/customers", None).await.expect(401);
        }
    }
}
