//! `patron events` and `patron listen`: the feed on a developer's machine.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::{is_signed, kills::sandbox, receiver::Receiver};
use crate::program::{KEY, Running, patron, succeed};

/// A command that runs, and what it says line by line.
struct Says {
    child: Child,
    lines: tokio::sync::mpsc::UnboundedReceiver<String>,
}

impl Drop for Says {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Says {
    fn start(words: &[&str]) -> Says {
        let mut command = patron();
        command.args(words).stdout(Stdio::piped()).stderr(Stdio::null());
        // Nobody asks a proxy.
        let mut child = command.env("HTTP_PROXY", "http://127.0.0.1:9").spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = tokio::sync::mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Says { child, lines }
    }

    async fn line(&mut self) -> String {
        let line = tokio::time::timeout(Duration::from_secs(60), self.lines.recv()).await;
        line.expect("a line in time").expect("a line")
    }
}

/// The command prints the pages to their end. Answers the last position.
async fn has_happened(running: &Running) -> i64 {
    let before = running.native(KEY, "GET", "/v1/events?after=0&types=*", None).await;
    let before = before.expect(200).json();
    let printed = succeed(patron().args(["events", "--url", &running.base_url]));
    let printed: Vec<Value> =
        printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(Value::Array(printed), before["data"]);
    before["next"].as_i64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_brought_to_a_program_signed_and_told_on_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start().await;
    let running = sandbox(folder.path());
    let url = running.base_url.clone();
    let create = async |name: &str| {
        let body = json!({"full_name": name, "email": "ada@example.com"});
        running.native(KEY, "POST", "/v1/customers", Some(body)).await.expect(201).json()
    };
    create("First").await;
    let from = has_happened(&running).await.to_string();
    let hook = &receiver.url;
    let mut listening = Says::start(&[
        "listen",
        "--url",
        &url,
        "--forward-to",
        hook,
        "--types",
        "customer.*",
        "--from",
        &from,
        "--print",
    ]);
    let mut following = Says::start(&[
        "events",
        "--follow",
        "--url",
        &url,
        "--from",
        &from,
        "--types",
        "customer.created",
        "--records",
    ]);
    assert!(listening.line().await.ends_with(hook));
    let secret = listening.line().await.strip_prefix("Signed with ").unwrap().to_owned();
    receiver.answers(418);
    let second = create("Second").await;
    let got = receiver.until(1).await.remove(0);
    assert!(is_signed(&got, &secret), "{:?}", got.headers);
    assert_eq!(got.body["data"], second);
    assert_eq!(got.header("content-type"), "application/json");
    let line = listening.line().await;
    let id = got.body["id"].as_str().unwrap();
    assert!(line.contains("customer.created") && line.contains(id) && line.contains("→ 418"));
    let printed: Value = serde_json::from_str(&listening.line().await).unwrap();
    assert_eq!(printed, got.body);
    let followed: Value = serde_json::from_str(&following.line().await).unwrap();
    assert_eq!((&followed["id"], &followed["record"]), (&got.body["id"], &second));

    // The server goes and comes back: both go on where they were, and nothing comes twice.
    let address = url.strip_prefix("http://").unwrap().to_owned();
    drop(running);
    let running = super::kills::sandbox_at(folder.path(), &address);
    let body = json!({"full_name": "Third"});
    let third = running.native(KEY, "POST", "/v1/customers", Some(body)).await.expect(201).json();
    let got = receiver.until(2).await;
    assert_eq!((got.len(), &got[1].body["data"]), (2, &third));
    let followed: Value = serde_json::from_str(&following.line().await).unwrap();
    assert_eq!(followed["number"], third["number"]);
    // No endpoint is left behind.
    let endpoints = running.native(KEY, "GET", "/v1/webhook-endpoints", None).await;
    assert_eq!(endpoints.expect(200).json()["data"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_said_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let running = sandbox(folder.path());
    let url = running.base_url.as_str();
    let to = ["--forward-to", "http://127.0.0.1:9999/"];
    for (words, said) in [
        (&["events", "--url", url, "--from", "1000000", "--follow"][..], "410"),
        (&["events", "--url", url, "--types", "Customer"], "types"),
        (&["events", "--url", "http://127.0.0.1:1"], "--url"),
        (&["events", "--url", "nowhere"], "no"),
        (&["events", "--url", url, "--types", "a&b", "--follow"], "--types"),
        (&["listen", "--url", url, to[0], to[1], "--dialect", "nobody"], "dialect"),
        (&["listen", "--url", url, to[0], "mailto:x"], "--forward-to"),
    ] {
        let done = patron().args(words).output().unwrap();
        let error = String::from_utf8(done.stderr).unwrap();
        assert!(!done.status.success(), "{words:?}");
        assert!(error.contains(said) && error.lines().count() == 1, "{words:?}: {error}");
    }
}
