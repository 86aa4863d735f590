//! A node that delivers or publishes stands still for longer than its lease (SIGSTOP), another one
//! takes over, and the first wakes: it sends nothing and writes nothing for what is not its own any
//! more.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::program::{Running, succeed};
use crate::sinks::{assert_whole, broker::Broker};
use crate::webhooks::{is_signed, receiver::Receiver};

use super::{assert_agreed, database, new_space, patron_on};

/// Endpoints: each node has some of them.
const ENDPOINTS: usize = 6;
/// Customers made in one go.
const CHANGES: usize = 5;
/// How long the node stands still: others take it for dead after 20 s.
const STANDS_STILL: Duration = Duration::from_secs(30);
/// How long it may take until it is written how far an endpoint is; what is not is repeated.
const WRITTEN_IN: Duration = Duration::from_secs(4);
/// How long a stream leaves out what it had: nothing that is published twice is left out.
const FORGETS_AFTER: Duration = Duration::from_millis(100);
/// How long it is watched once it woke.
const WATCHED: Duration = Duration::from_secs(4);

fn signal(name: &str, running: &Running) {
    succeed(Command::new("kill").args([name, &running.child.id().to_string()]));
}

/// A figure of a node.
async fn figure(running: &Running, line: &str) -> f64 {
    let page = running.get_as_operator("/metrics").await.expect(200).text();
    let found = page.lines().find_map(|one| one.strip_prefix(line));
    found.map_or(0.0, |value| value.trim().parse().unwrap())
}

/// How often each customer came to each endpoint.
fn counts(
    receiver: &Receiver,
    secrets: &BTreeMap<String, String>,
) -> BTreeMap<(String, String), usize> {
    let mut counts = BTreeMap::new();
    for got in receiver.got() {
        let endpoint = got.header("x-endpoint").to_owned();
        assert!(is_signed(&got, &secrets[&endpoint]), "forged: {:?}", got.headers);
        let name = got.body["data"]["full_name"].as_str().unwrap().to_owned();
        *counts.entry((name, endpoint)).or_default() += 1;
    }
    counts
}

/// Two nodes that share endpoints, and their receiver.
struct Pair {
    key: String,
    stops: Running,
    goes_on: Running,
    receiver: Receiver,
    secrets: BTreeMap<String, String>,
}

impl Pair {
    async fn start(url: &str) -> Pair {
        let key = new_space(url);
        let serve = || {
            let mut command = patron_on(url);
            command.arg("serve").env("PATRON__WEBHOOKS__ALLOW", r#"["127.0.0.0/8"]"#);
            command
        };
        let stops = Running::serve_on(&mut serve()).await;
        let goes_on = Running::serve_on(&mut serve()).await;
        let (receiver, secrets) = (Receiver::start().await, BTreeMap::new());
        let mut pair = Pair { key, stops, goes_on, receiver, secrets };
        for n in 0..ENDPOINTS {
            let body = json!({"url": pair.receiver.url, "types": ["customer.created"],
                "headers": {"X-Endpoint": n.to_string()}});
            let made = pair.ask("POST", "/v1/webhook-endpoints", Some(body)).await;
            let secret = made["secret"].as_str().unwrap().to_owned();
            pair.secrets.insert(n.to_string(), secret);
        }
        // Each has some.
        within(40, async || {
            let line = "patron_webhook_endpoints{state=\"good\"}";
            let (one, other) = (figure(&pair.stops, line).await, figure(&pair.goes_on, line).await);
            one >= 1.0 && other >= 1.0 && one + other == ENDPOINTS as f64
        })
        .await;
        pair
    }

    /// Asks the node that goes on.
    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let answer = self.goes_on.native(&self.key, method, path, body).await;
        assert!(answer.status < 300, "{}", answer.text());
        answer.json()
    }

    async fn customers(&self, word: &str, count: usize) {
        for n in 0..count {
            let body = json!({"full_name": format!("{word} {n}")});
            self.ask("POST", "/v1/customers", Some(body)).await;
        }
    }

    /// Waits until so many customers have come to each endpoint.
    async fn arrived(&self, customers: usize) {
        within(60, async || counts(&self.receiver, &self.secrets).len() >= customers * ENDPOINTS)
            .await;
    }

    /// Nothing is open, and no endpoint has failed as far as is written.
    async fn assert_settled(&self) {
        let listed = self.ask("GET", "/v1/webhook-deliveries", None).await;
        let is_open = |one: &&Value| one["state"] != "delivered";
        let open: Vec<_> = listed["data"].as_array().unwrap().iter().filter(is_open).collect();
        assert!(open.is_empty(), "{open:?}");
        let shown = self.ask("GET", "/v1/webhook-endpoints", None).await;
        for endpoint in shown["data"].as_array().unwrap() {
            let one = format!("/v1/webhook-endpoints/{}", endpoint["number"]);
            let one = self.ask("GET", &one, None).await;
            let stands = (&one["state"], &one["health"]["failures"]);
            assert_eq!(stands, (&json!("active"), &json!(0)), "{one}");
        }
    }
}

/// Waits until something is so.
async fn within(seconds: u64, is_so: impl AsyncFn() -> bool) {
    let wait = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(seconds), wait).await.expect("in time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_stood_still_longer_than_its_lease_delivers_nothing_by_it() {
    let Some((_server, _, url)) = database().await else { return };
    let pair = Pair::start(&url).await;
    pair.customers("Before", CHANGES).await;
    pair.arrived(CHANGES).await;
    tokio::time::sleep(WRITTEN_IN).await;

    // Under way at all endpoints when one node stands still.
    pair.receiver.hangs(true);
    pair.customers("Under way", 1).await;
    pair.arrived(CHANGES + 1).await;
    signal("-STOP", &pair.stops);
    let stopped_at = Instant::now();
    pair.receiver.hangs(false);
    pair.customers("Meanwhile", CHANGES).await;
    pair.arrived(2 * CHANGES + 1).await;
    let took_over_in = stopped_at.elapsed();
    assert!(took_over_in >= Duration::from_secs(15), "while it may still send: {took_over_in:?}");
    tokio::time::sleep(STANDS_STILL.saturating_sub(stopped_at.elapsed())).await;
    let before = pair.receiver.got().len();
    signal("-CONT", &pair.stops);
    tokio::time::sleep(WATCHED).await;
    assert_eq!(pair.receiver.got().len(), before, "the node that woke sent something");

    // Both work again, and everything comes once.
    pair.customers("After", CHANGES).await;
    pair.arrived(3 * CHANGES + 1).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    for ((name, endpoint), count) in counts(&pair.receiver, &pair.secrets) {
        // What was under way at the node that stood still came once more from the other one.
        let most = if name.starts_with("Under way") { 2 } else { 1 };
        assert!(count <= most, "{name} came {count} times to endpoint {endpoint}");
    }
    pair.assert_settled().await;
    assert_agreed(&url);
}

/// What is written meanwhile is what it wakes to: in the journal, and beyond where it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_stood_still_publishes_nothing_to_the_sink_it_had() {
    let Some((_server, _, url)) = database().await else { return };
    let broker = Broker::start(&[]);
    broker.stream(FORGETS_AFTER).await;
    let key = new_space(&url);
    let servers = format!("[\"{}\"]", broker.url());
    let serve = || {
        let mut command = patron_on(&url);
        command.arg("serve").env("PATRON__SINKS__BUS__SERVERS", &servers);
        command
    };
    let stops = Running::serve_on(&mut serve()).await;
    stops.log.until("publishes to sink bus");
    let goes_on = Running::serve_on(&mut serve()).await;
    let customers = async |word: &str| {
        for n in 0..CHANGES {
            let body = Some(json!({"full_name": format!("{word} {n}")}));
            goes_on.native(&key, "POST", "/v1/customers", body).await.expect(201);
        }
    };
    customers("Before").await;
    broker.until(CHANGES).await;
    tokio::time::sleep(WRITTEN_IN).await;

    signal("-STOP", &stops);
    let stopped_at = Instant::now();
    customers("Meanwhile").await;
    broker.until(2 * CHANGES).await;
    let took_over_in = stopped_at.elapsed();
    assert!(
        took_over_in >= Duration::from_secs(10),
        "while it may still publish: {took_over_in:?}"
    );
    tokio::time::sleep(STANDS_STILL.saturating_sub(stopped_at.elapsed())).await;
    signal("-CONT", &stops);
    tokio::time::sleep(WATCHED).await;
    customers("After").await;
    let has = broker.until(3 * CHANGES).await;
    assert_whole(&has, 1);
    assert_eq!(has.len(), 3 * CHANGES, "the node that woke published something");
    let holds = "patron_sink_holds{sink=\"bus\"}";
    let held = (figure(&stops, holds).await, figure(&goes_on, holds).await);
    assert_eq!(held, (0.0, 1.0));
    assert_agreed(&url);
}
