//! Records what clients do with the same few customers at once, and what they are told.

use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use patron_testkit::client::{self, Client};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};

use super::checker::{Timed, is_linearizable};
use super::customers::{Answer, Call, Condition, Customers, Op, State};

/// Clients at a time, calls of each, records and references they share.
const CLIENTS: usize = 5;
const CALLS: usize = 10;
const RECORDS: usize = 3;
const REFERENCES: usize = 2;
/// Pause before a repeat.
const PAUSE: Duration = Duration::from_millis(5);
/// Repeats of one call: far more than any outage of these tests lasts.
const REPEATS_MAX: u32 = 12_000;

/// A history that is being recorded.
pub struct Recording {
    shared: Arc<Shared>,
    clients: Vec<tokio::task::JoinHandle<Vec<Timed<Call>>>>,
}

/// A finished history.
pub struct History(Vec<Timed<Call>>);

struct Shared {
    /// Where the nodes answer; clients have one each.
    nodes: Mutex<Vec<String>>,
    key: String,
    seed: u64,
    client: Client,
    numbers: Vec<i64>,
    /// Orders the beginnings and ends of all calls.
    clock: AtomicU64,
    answered: AtomicUsize,
    next_title: AtomicUsize,
    /// The newest versions anyone was shown: records, then references.
    versions: Vec<AtomicI64>,
}

/// What a call came to.
enum Told {
    Answer(Answer),
    /// 503, or no whole answer: it may have happened.
    Nothing,
    /// Nothing was done, and it may be asked again: another request with its idempotency key is
    /// still running, or the key asked more often than it may.
    Later,
}

impl Recording {
    /// Makes fresh customers and starts the clients.
    pub async fn start(seed: u64, nodes: &[&str], key: &str) -> Recording {
        let mut shared = Shared {
            nodes: Mutex::new(nodes.iter().map(|node| (*node).to_owned()).collect()),
            key: key.to_owned(),
            seed,
            client: Client::new(),
            numbers: Vec::new(),
            clock: AtomicU64::new(0),
            answered: AtomicUsize::new(0),
            next_title: AtomicUsize::new(RECORDS),
            versions: (0..RECORDS + REFERENCES).map(|_| AtomicI64::new(1)).collect(),
        };
        for title in 0..RECORDS {
            let body = json!({"title": title.to_string()});
            let made = shared.send(0, "POST", "/v1/customers", &[], &body).await;
            let made = made.expect("an answer before anything is killed").expect(201).json();
            shared.numbers.push(made["number"].as_i64().unwrap());
        }
        let shared = Arc::new(shared);
        let client = |client: usize| tokio::spawn(act(Arc::clone(&shared), client));
        Recording { clients: (0..CLIENTS).map(client).collect(), shared }
    }

    /// Waits for so many answers, or for the end.
    pub async fn answers(&self, count: usize) {
        while self.shared.answered.load(SeqCst) < count.min(CLIENTS * CALLS / 2) {
            tokio::task::yield_now().await;
        }
    }

    /// The program answers elsewhere now.
    pub fn go_on_at(&self, base_url: &str) {
        *self.shared.nodes.lock().unwrap() = vec![base_url.to_owned()];
    }

    pub async fn finish(self) -> History {
        let mut history = Vec::new();
        for client in self.clients {
            history.extend(client.await.unwrap());
        }
        // Whatever was left open by calls without an answer shows now, or never.
        for record in 0..RECORDS {
            history.push(self.shared.call(0, Op::Get { record }, None).await);
        }
        for reference in 0..REFERENCES {
            history.push(self.shared.call(0, Op::GetByReference { reference }, None).await);
        }
        history.sort_by_key(|timed| timed.sent);
        History(history)
    }
}

impl History {
    #[track_caller]
    pub fn check(&self, seed: u64) {
        let begin = State::new(RECORDS, REFERENCES);
        let lines = || self.0.iter().map(|timed| format!("{timed:?}")).collect::<Vec<_>>();
        assert!(
            is_linearizable(&Customers, &begin, &self.0),
            "PATRON_TEST_SEED={seed}: no order of these calls explains the answers:\n{}",
            lines().join("\n")
        );
    }
}

/// One client: calls of its own choice, one after the other.
async fn act(shared: Arc<Shared>, client: usize) -> Vec<Timed<Call>> {
    let mut random = StdRng::seed_from_u64(shared.seed.wrapping_add(client as u64 * 7919));
    let mut calls = Vec::new();
    for n in 0..CALLS {
        let op = shared.choose(&mut random);
        let keyed = random.random_bool(0.5);
        let key = keyed.then(|| format!("{}-{client}-{n}", shared.seed));
        calls.push(shared.call(client, op, key).await);
    }
    calls
}

impl Shared {
    fn choose(&self, random: &mut StdRng) -> Op {
        let record = random.random_range(0..RECORDS);
        let reference = random.random_range(0..REFERENCES);
        let title = self.next_title.fetch_add(1, SeqCst);
        // Mostly the newest version, so that several clients name the same one; sometimes an older.
        let mut known = |at: usize| {
            let newest = self.versions[at].load(SeqCst);
            if random.random_bool(0.8) { newest } else { (newest - 1).max(1) }
        };
        let version = known(record);
        let of_reference = known(RECORDS + reference);
        let if_match = random.random_bool(0.6).then_some(version);
        match random.random_range(0..20) {
            0..4 => Op::Get { record },
            4..11 => Op::Patch { record, if_match, title },
            11 => Op::Delete { record, if_match },
            12..14 => Op::Restore { record },
            14 => Op::Merge { record, absorb: (record + 1) % RECORDS, if_match },
            15..17 => Op::GetByReference { reference },
            17 => Op::Put { reference, condition: Condition::CreateOnly, title },
            18 => Op::Put { reference, condition: Condition::IfMatch(of_reference), title },
            _ => Op::Put { reference, condition: Condition::None, title },
        }
    }

    /// Makes a call. With a key it is repeated until it is answered, and counts as one; without one
    /// it is not, and stays open when nothing was told, unless it only reads.
    async fn call(&self, client: usize, op: Op, key: Option<String>) -> Timed<Call> {
        let reads = matches!(op, Op::Get { .. } | Op::GetByReference { .. });
        let may_repeat = reads || key.is_some();
        let sent = self.clock.fetch_add(1, SeqCst);
        for _ in 0..REPEATS_MAX {
            let told = self.ask(client, &op, key.as_deref()).await;
            let now = self.clock.fetch_add(1, SeqCst);
            match told {
                Told::Answer(answer) => {
                    self.note(&op, &answer);
                    self.answered.fetch_add(1, SeqCst);
                    let call = Call { op, answer: Some(answer) };
                    return Timed { call, sent, answered: Some(now) };
                }
                Told::Nothing if !may_repeat => {
                    self.wait_until_ready(client).await;
                    return Timed { call: Call { op, answer: None }, sent, answered: None };
                }
                Told::Nothing | Told::Later => tokio::time::sleep(PAUSE).await,
            }
        }
        panic!("{op:?} is never answered")
    }

    async fn wait_until_ready(&self, client: usize) {
        for _ in 0..REPEATS_MAX {
            let ready = self.send(client, "GET", "/readyz", &[], &Value::Null).await;
            if ready.is_some_and(|answer| answer.status == 200) {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
        panic!("the program does not get ready again")
    }

    fn note(&self, op: &Op, answer: &Answer) {
        let at = match *op {
            Op::GetByReference { reference } | Op::Put { reference, .. } => RECORDS + reference,
            Op::Get { record }
            | Op::Patch { record, .. }
            | Op::Delete { record, .. }
            | Op::Restore { record }
            | Op::Merge { record, .. } => record,
        };
        match *answer {
            Answer::Shown { record, version, .. } => {
                self.versions[record].fetch_max(version, SeqCst);
            }
            Answer::ShownByReference { version, .. } | Answer::Stale { have: version } => {
                self.versions[at].fetch_max(version, SeqCst);
            }
            _ => {}
        }
    }

    async fn ask(&self, client: usize, op: &Op, key: Option<&str>) -> Told {
        let one = |record: usize| format!("/v1/customers/{}", self.numbers[record]);
        let named =
            |reference: usize| format!("/v1/customers/by-reference/h{:x}-{reference}", self.seed);
        let titled = |title: usize| json!({"title": title.to_string()});
        let nothing = Value::Null;
        let (method, path, expected, body) = match *op {
            Op::Get { record } => ("GET", one(record), None, nothing),
            Op::Patch { record, if_match, title } => {
                ("PATCH", one(record), if_match, titled(title))
            }
            Op::Delete { record, if_match } => ("DELETE", one(record), if_match, nothing),
            Op::Restore { record } => ("POST", format!("{}/restore", one(record)), None, nothing),
            Op::Merge { record, absorb, if_match } => {
                let body = json!({"absorb": self.numbers[absorb]});
                ("POST", format!("{}/merge", one(record)), if_match, body)
            }
            Op::GetByReference { reference } => ("GET", named(reference), None, nothing),
            Op::Put { reference, condition, title } => {
                let expected = match condition {
                    Condition::IfMatch(version) => Some(version),
                    Condition::None | Condition::CreateOnly => None,
                };
                ("PUT", named(reference), expected, titled(title))
            }
        };
        let mut headers = Vec::new();
        headers.extend(expected.map(|version| ("if-match", format!("\"{version}\""))));
        headers.extend(key.map(|key| ("idempotency-key", key.to_owned())));
        if matches!(op, Op::Put { condition: Condition::CreateOnly, .. }) {
            headers.push(("if-none-match", "*".to_owned()));
        }
        match self.send(client, method, &path, &headers, &body).await {
            Some(answer) => self.read(op, &answer),
            None => Told::Nothing,
        }
    }

    fn read(&self, op: &Op, answer: &client::Answer) -> Told {
        let body = answer.json();
        let int = |name: &str| body[name].as_i64().unwrap();
        let told = match answer.status {
            204 => Answer::Done,
            200 | 201 => {
                let version = int("version");
                let title = body["title"].as_str().unwrap().parse().unwrap();
                if matches!(op, Op::GetByReference { .. } | Op::Put { .. }) {
                    let created = answer.status == 201;
                    Answer::ShownByReference { created, version, title }
                } else {
                    let number = int("number");
                    let record = self.numbers.iter().position(|known| *known == number).unwrap();
                    Answer::Shown { record, version, title }
                }
            }
            404 => Answer::NotFound,
            412 if body["current_version"].is_null() => Answer::PreconditionFailed,
            412 => Answer::Stale { have: int("current_version") },
            409 if body["title"] == "Still running" => return Told::Later,
            429 => return Told::Later,
            409 if body["title"] == "Wrong state" => Answer::WrongState,
            503 => return Told::Nothing,
            _ => panic!("{op:?}: {} {}", answer.status, answer.text()),
        };
        Told::Answer(told)
    }

    async fn send(
        &self,
        client: usize,
        method: &str,
        path: &str,
        more: &[(&str, String)],
        body: &Value,
    ) -> Option<client::Answer> {
        let mut headers = vec![
            ("authorization".to_owned(), format!("Bearer {}", self.key)),
            ("content-type".to_owned(), "application/json".to_owned()),
        ];
        headers.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let base_url = {
            let nodes = self.nodes.lock().unwrap();
            nodes[client % nodes.len()].clone()
        };
        self.client.try_send(&base_url, method, path, &headers, text.as_bytes()).await.ok()
    }
}
