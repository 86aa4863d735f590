//! kill -9 while changes are made and told: what was answered is told, whatever the moment.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use serde_json::json;

use super::receiver::Receiver;
use crate::program::{KEY, Log, Running, free_address, patron, succeed};

/// Times the program is killed.
const KILLS: usize = 5;
/// Changes between two kills.
const CHANGES: usize = 40;

/// A sandbox in an environment that names a proxy: nobody asks it.
pub(super) fn sandbox(folder: &std::path::Path) -> Running {
    sandbox_at(folder, &free_address())
}

/// The same at an address.
pub(super) fn sandbox_at(folder: &std::path::Path, address: &str) -> Running {
    let mut command = patron();
    command.args(["sandbox", "--listen", address, "--data"]).arg(folder);
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env(name, "http://127.0.0.1:9");
    }
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let out = child.stdout.take().unwrap();
    let base_url = format!("http://{address}");
    let client = patron_testkit::client::Client::new();
    let operations_url = base_url.clone();
    let running = Running { child, base_url, operations_url, client, log: Log::default() };
    let (is_ready, said) = running.until_ready(out);
    assert!(is_ready, "{said}");
    running
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_is_told_however_often_the_program_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start().await;
    let mut answered = BTreeSet::new();
    for round in 0..=KILLS {
        let running = sandbox(folder.path());
        if round == 0 {
            let body = json!({"url": receiver.url, "types": ["customer.created"]});
            let made = running.native(KEY, "POST", "/v1/webhook-endpoints", Some(body)).await;
            made.expect(201);
        }
        // Some fail at first, so that there is something to be tried again.
        receiver.answers(if round % 2 == 1 { 500 } else { 200 });
        for n in 0..CHANGES {
            let body = json!({"full_name": format!("Round {round} {n}")});
            let made = running.native(KEY, "POST", "/v1/customers", Some(body)).await;
            answered.insert(made.expect(201).json()["number"].as_i64().unwrap());
        }
        if round < KILLS {
            let pid = running.child.id().to_string();
            succeed(Command::new("kill").args(["-9", &pid]));
            continue;
        }
        receiver.answers(200);
        let told = || -> BTreeSet<i64> {
            let got = receiver.got();
            got.iter().map(|got| got.body["data"]["number"].as_i64().unwrap()).collect()
        };
        // What failed is tried again by and by; what is asked for, at once.
        for _ in 0..6_000 {
            if told().is_superset(&answered) {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let missing: Vec<_> = answered.difference(&told()).copied().collect();
        assert!(missing.is_empty(), "never told: {missing:?}");
        let strange: Vec<_> = told().difference(&answered).copied().collect();
        assert!(strange.is_empty(), "told of what was never answered: {strange:?}");
    }
}

/// A copy of the data tells nobody what the original told them, unless it is said to.
#[tokio::test(flavor = "multi_thread")]
async fn a_restored_copy_is_silent() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let running = sandbox(&at("data"));
    let body = json!({"url": "http://127.0.0.1:9000/", "types": ["*"]});
    running.native(KEY, "POST", "/v1/webhook-endpoints", Some(body)).await.expect(201);
    succeed(patron().arg("backup").arg(at("file")).arg("--data").arg(at("data")));
    for (options, state) in [(&[][..], "paused"), (&["--resume-webhooks"], "active")] {
        let copy = at(state);
        succeed(patron().arg("restore").args(options).arg(at("file")).arg("--data").arg(&copy));
        std::fs::copy(at("data").join("master.key"), copy.join("master.key")).unwrap();
        let restored = sandbox(&copy);
        let shown = restored.native(KEY, "GET", "/v1/webhook-endpoints", None).await;
        assert_eq!(shown.expect(200).json()["data"][0]["state"], state);
    }
}
