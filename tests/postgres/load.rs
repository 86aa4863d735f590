//! Writers that make, change, merge and delete customers of their own, and repeat every call with
//! the same idempotency key until it is answered. So in the end it is known exactly what must have
//! happened, whatever broke meanwhile.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use patron_testkit::{Answer, client::Client};
use serde_json::{Value, json};

use super::faults::assert_try_later;

/// Pause before a repeat.
const PAUSE: Duration = Duration::from_millis(20);
/// Repeats of one call: far more than any outage of these tests lasts.
const REPEATS_MAX: u32 = 3_000;

/// What is known of one customer: what was done with it, oldest first, as the journal says it.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) number: i64,
    pub(super) title: String,
    pub(super) actions: Vec<&'static str>,
}

/// What all writers share.
pub(super) struct Load {
    /// Where the nodes answer; writers use them in turn.
    nodes: Mutex<Vec<String>>,
    key: String,
    client: Client,
    stop: AtomicBool,
    answered: AtomicU64,
    refused: AtomicU64,
    known: Mutex<Vec<Known>>,
}

/// A call to be answered once.
struct Call<'a> {
    method: &'a str,
    path: String,
    if_match: Option<String>,
    body: Value,
}

impl Load {
    pub(super) fn new(nodes: Vec<String>, key: String) -> Arc<Load> {
        Arc::new(Load {
            nodes: Mutex::new(nodes),
            key,
            client: Client::new(),
            stop: AtomicBool::new(false),
            answered: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            known: Mutex::default(),
        })
    }

    /// Starts writers that end when they are told to.
    pub(super) fn start(self: &Arc<Load>, writers: usize) -> Vec<tokio::task::JoinHandle<()>> {
        let writer = |writer| {
            let load = Arc::clone(self);
            tokio::spawn(async move {
                for n in 0.. {
                    if load.stop.load(Relaxed) {
                        return;
                    }
                    load.one_life(writer, n).await;
                }
            })
        };
        (0..writers).map(writer).collect()
    }

    /// Lets the writers finish what they began, and answers what they know.
    pub(super) async fn finish(&self, writers: Vec<tokio::task::JoinHandle<()>>) -> Vec<Known> {
        self.stop.store(true, Relaxed);
        for writer in writers {
            writer.await.unwrap();
        }
        std::mem::take(&mut *self.known.lock().unwrap())
    }

    /// Waits until so many more calls have been answered.
    pub(super) async fn answers(&self, more: u64) {
        wait_for(&self.answered, more).await;
    }

    /// Waits until so many more calls have been answered 503.
    pub(super) async fn refusals(&self, more: u64) {
        wait_for(&self.refused, more).await;
    }

    /// From now on this node is used no more.
    pub(super) fn leave(&self, node: &str) {
        self.nodes.lock().unwrap().retain(|other| other != node);
    }

    async fn one_life(&self, writer: usize, n: usize) {
        let name = format!("{writer}-{n}");
        let addresses = json!([{"city": name}]);
        let mut first = self.create(writer, json!({"title": name, "addresses": addresses})).await;
        self.change(writer, &mut first, Some(1), &format!("{name} changed")).await;
        self.change(writer, &mut first, None, &format!("{name} blindly")).await;
        match n % 3 {
            0 => {
                let mut second = self.create(writer, json!({"title": "goes"})).await;
                let path = format!("/v1/customers/{}/merge", first.number);
                let body = json!({"absorb": second.number});
                let merged = Call { method: "POST", path, if_match: None, body };
                assert_eq!(self.insist(writer, &merged).await.json()["version"], 4);
                first.actions.push("merged");
                second.actions.push("absorbed");
                self.known.lock().unwrap().push(second);
            }
            1 => {
                let path = format!("/v1/customers/{}", first.number);
                let if_match = Some("\"3\"".to_owned());
                let gone = Call { method: "DELETE", path, if_match, body: Value::Null };
                self.insist(writer, &gone).await;
                first.actions.push("deleted");
            }
            _ => {}
        }
        self.known.lock().unwrap().push(first);
    }

    async fn create(&self, writer: usize, body: Value) -> Known {
        let title = body["title"].as_str().unwrap().to_owned();
        let path = "/v1/customers".to_owned();
        let call = Call { method: "POST", path, if_match: None, body };
        let made = self.insist(writer, &call).await.json();
        let number = made["number"].as_i64().unwrap();
        Known { number, title, actions: vec!["created"] }
    }

    async fn change(&self, writer: usize, known: &mut Known, tag: Option<i64>, title: &str) {
        let path = format!("/v1/customers/{}", known.number);
        let if_match = tag.map(|version| format!("\"{version}\""));
        let call = Call { method: "PATCH", path, if_match, body: json!({"title": title}) };
        let changed = self.insist(writer, &call).await.json();
        known.actions.push("updated");
        known.title = title.to_owned();
        assert_eq!(changed["version"].as_u64(), Some(known.actions.len() as u64));
        assert_eq!(changed["title"], title);
    }

    /// Repeats a call with its key until it is answered. Anything but 503, "still running" and a
    /// broken connection is an answer, and must be a good one.
    async fn insist(&self, writer: usize, call: &Call<'_>) -> Answer {
        let key = uuid::Uuid::new_v4().to_string();
        for _ in 0..REPEATS_MAX {
            if let Some(answer) = self.send(writer, call, &key).await {
                match answer.status {
                    200..300 => {
                        self.answered.fetch_add(1, Relaxed);
                        return answer;
                    }
                    503 => {
                        assert_try_later(&answer);
                        self.refused.fetch_add(1, Relaxed);
                    }
                    409 if answer.json()["title"] == "Still running" => {}
                    _ => panic!("{} {}: {}", call.method, call.path, answer.text()),
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
        panic!("{} {} is never answered", call.method, call.path)
    }

    async fn send(&self, writer: usize, call: &Call<'_>, key: &str) -> Option<Answer> {
        let node = {
            let nodes = self.nodes.lock().unwrap();
            nodes[writer % nodes.len()].clone()
        };
        let mut headers = vec![
            ("authorization".to_owned(), format!("Bearer {}", self.key)),
            ("content-type".to_owned(), "application/json".to_owned()),
            ("idempotency-key".to_owned(), key.to_owned()),
        ];
        headers.extend(call.if_match.clone().map(|tag| ("if-match".to_owned(), tag)));
        let body = match &call.body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        let sent = self.client.try_send(&node, call.method, &call.path, &headers, body.as_bytes());
        sent.await.ok()
    }
}

async fn wait_for(counter: &AtomicU64, more: u64) {
    let until = counter.load(Relaxed) + more;
    while counter.load(Relaxed) < until {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Everything that was answered is there, once, and nothing else is.
pub(super) async fn verify(base_url: &str, key: &str, known: &[Known]) {
    let client = Client::new();
    let headers = [("authorization".to_owned(), format!("Bearer {key}"))];
    let get = async |path: String| client.send(base_url, "GET", &path, &headers, b"").await;
    let mut numbers: Vec<i64> = known.iter().map(|known| known.number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), known.len(), "no number was given twice");
    for Known { number, title, actions } in known {
        let history = get(format!("/v1/customers/{number}/history?limit=50")).await;
        let history = history.expect(200).json();
        let entries = history["data"].as_array().unwrap().iter().rev();
        let own = entries.filter(|entry| entry["number"] == *number);
        let found: Vec<&str> = own.map(|entry| entry["type"].as_str().unwrap()).collect();
        let expected: Vec<String> = actions.iter().map(|a| format!("customer.{a}")).collect();
        assert_eq!(found, expected, "{number}: {history}");
        if ["deleted", "absorbed"].contains(actions.last().unwrap()) {
            continue;
        }
        let now = get(format!("/v1/customers/{number}?expand=addresses")).await.expect(200).json();
        assert_eq!(now["version"].as_u64(), Some(actions.len() as u64));
        assert_eq!(now["title"], *title);
        assert_eq!(now["addresses"].as_array().unwrap().len(), 1, "never without its address");
    }
    let listed = get("/v1/customers?deleted=true&total=true&limit=1".to_owned()).await.json();
    assert_eq!(listed["total"].as_u64(), Some(known.len() as u64), "nobody was made twice");
}
