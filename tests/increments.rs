//! Backups of what changed, and restores to a moment: whatever was done, it is there again exactly
//! as it was then.

mod commands;

use std::collections::{BTreeMap, BTreeSet};

use patron_app::{
    audit,
    documents::{KINDS, UNJOURNALED, implied, record_from},
    idempotency::records_of,
    offboarding,
};
use patron_native::DIALECT;
use patron_store::{BackupFile, Location, Options, Replay, Store, Until, position_of};
use patron_testkit::{Answer, TestServer, engine::TestEngine};
use serde_json::{Value, json};

use crate::faults::dice::{Dice, times};

/// Changes between two moments in a short run; `PATRON_INCREMENT_STEPS` sets another number.
const STEPS: usize = 25;
/// Moments that are looked at.
const MOMENTS: usize = 8;
/// The only card that is used.
const CARD: &str = "4111111111111111";

const REPLAY: Replay =
    Replay { until: None, record_of: record_from, outcome_of: records_of, left_out: &[] };

/// A deployment in which all sorts of things happen.
struct Town {
    server: TestServer,
    dice: Dice,
    /// The first space, which can also delete others.
    owner: Value,
    /// Other spaces: number and credentials.
    spaces: Vec<(i64, Value)>,
    customers: Vec<i64>,
    done: BTreeMap<&'static str, usize>,
}

impl Town {
    async fn new() -> Town {
        let server = TestServer::start(&[&DIALECT]).await;
        let owner = server.credentials("native");
        let (dice, done) = (Dice::new(Dice::seed()), BTreeMap::new());
        Town { server, dice, owner, spaces: Vec::new(), customers: Vec::new(), done }
    }

    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.server.call(&DIALECT, &self.owner, method, path, body).await
    }

    fn someone(&mut self) -> String {
        let at = self.dice.below(self.customers.len().max(1));
        let number = self.customers.get(at).copied().unwrap_or(1);
        format!("/v1/customers/{number}")
    }

    fn person(&mut self) -> Value {
        let n = self.dice.below(10_000);
        let country = ["CH", "DE", "AT"][self.dice.below(3)];
        json!({
            "given_name": format!("Given{n}"), "family_name": "Müller",
            "email": format!("p{n}@example.com"), "phone": format!("044 603 {:02} 24", n % 100),
            "metadata": {"n": n.to_string()},
            "addresses": [{"purpose": "both", "line1": format!("Way {n}"), "country": country}],
        })
    }

    /// Does something; nothing where there is nothing to do it with.
    async fn step(&mut self) {
        let done = match self.dice.below(20) {
            0..=4 => Some(("create", self.create().await)),
            5..=7 => {
                let (one, person) = (self.someone(), self.person());
                let patch = json!({"email": person["email"], "phone": person["phone"]});
                Some(("change", self.call("PATCH", &one, Some(patch)).await))
            }
            8 => {
                let one = self.someone();
                Some(("delete", self.call("DELETE", &one, None).await))
            }
            9 => {
                let one = self.someone();
                Some(("restore", self.call("POST", &format!("{one}/restore"), None).await))
            }
            10 => {
                let (one, other) = (self.someone(), self.someone());
                let other = other.rsplit_once('/').unwrap().1.parse::<i64>().unwrap();
                let merge = Some(json!({"absorb": other}));
                Some(("merge", self.call("POST", &format!("{one}/merge"), merge).await))
            }
            11 | 12 => {
                let one = self.someone();
                let said = Some(json!({"content": format!("said {}", self.dice.below(99))}));
                Some(("comment", self.call("POST", &format!("{one}/comments"), said).await))
            }
            13 | 14 => {
                let one = self.someone();
                let card = json!({"number": CARD, "expiry_month": 12, "expiry_year": 2035});
                let method = Some(json!({"card": card, "holder_name": "Holder"}));
                Some(("method", self.call("POST", &format!("{one}/payment-methods"), method).await))
            }
            other => self.administer(other).await,
        };
        let Some((what, answer)) = done else { return };
        if answer.status < 300 {
            *self.done.entry(what).or_default() += 1;
        } else {
            let refusals = [404, 409, 410, 422];
            let said = answer.text();
            assert!(refusals.contains(&answer.status), "{what}: {} {said}", answer.status);
        }
    }

    async fn create(&mut self) -> Answer {
        let key = format!("key-{}", self.dice.below(1_000_000));
        let headers = [("idempotency-key", key.as_str())];
        let person = Some(self.person());
        let (server, owner) = (&self.server, &self.owner);
        let made =
            server.call_with(&DIALECT, owner, "POST", "/v1/customers", &headers, person).await;
        self.customers.extend(made.json()["number"].as_i64());
        made
    }

    /// Keys, spaces, and people in other spaces.
    async fn administer(&mut self, what: usize) -> Option<(&'static str, Answer)> {
        match what {
            15 => {
                let key = Some(json!({"dialect": "native"}));
                return Some(("key", self.call("POST", "/v1/keys", key).await));
            }
            16 => {
                let country = ["CH", "DE", "FR"][self.dice.below(3)];
                let body = Some(json!({"default_country": country}));
                let one = format!("/v1/spaces/{}", self.number_of_owner().await);
                return Some(("space", self.call("PATCH", &one, body).await));
            }
            17 => {
                let keys = self.server.new_space(None).await["native"].clone();
                let found = self.server.call(&DIALECT, &keys, "GET", "/v1/spaces", None).await;
                let number = found.json()["data"][0]["number"].as_i64().unwrap();
                self.spaces.push((number, keys));
            }
            18 => {
                let (number, _) = self.spaces.pop()?;
                self.purge(number).await;
                return None;
            }
            _ => {}
        }
        let (_, keys) = self.spaces.last()?.clone();
        let person = Some(self.person());
        let made = self.server.call(&DIALECT, &keys, "POST", "/v1/customers", person).await;
        Some(("other", made))
    }

    async fn number_of_owner(&self) -> i64 {
        self.call("GET", "/v1/spaces", None).await.json()["data"][0]["number"].as_i64().unwrap()
    }

    async fn purge(&mut self, number: i64) {
        let cx = self.server.app.operator(0, "test");
        let expect = patron_app::commit::Expect::Any;
        offboarding::begin(&cx, number, expect, None).await.unwrap();
        offboarding::finish(&cx, number).await.unwrap();
        *self.done.entry("purge").or_default() += 1;
    }

    async fn full(&self) -> String {
        let mut bytes = Vec::new();
        self.server.app.store.dump(&mut bytes).await.unwrap();
        String::from_utf8(bytes).unwrap()
    }

    async fn since(&self, file: &str) -> String {
        let mut bytes = Vec::new();
        let position = position_of(source("before", file)).await.unwrap();
        let whole = UNJOURNALED.as_slice();
        self.server.app.store.dump_since(position, whole, &mut bytes).await.unwrap();
        String::from_utf8(bytes).unwrap()
    }
}

fn source(name: &str, text: &str) -> BackupFile {
    let reader = Box::new(std::io::Cursor::new(text.to_owned().into_bytes()));
    BackupFile { name: name.to_owned(), reader }
}

/// The lines of a dump that a moment is compared by: all but what the journal does not carry.
fn lines(dump: &str) -> Vec<Value> {
    let lines = dump
        .lines()
        .filter(|line| !line.starts_with("{\"header\""))
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let is_journaled = |line: &Value| {
        let kind = line["record"]["kind"].as_str();
        !UNJOURNALED.iter().any(|known| Some(known.name) == kind)
            && line["counter"].is_null()
            && line["end"].is_null()
    };
    lines.filter(is_journaled).collect()
}

/// What a moment looks like by what is forgotten since: blanked entries, records whose newest entry
/// is one of those, and spaces that were purged.
fn forgotten_since(then: &str, now: &str) -> BTreeSet<String> {
    let now = lines(now);
    let entries = |lines: &[Value]| -> Vec<Value> {
        lines.iter().map(|line| line["entry"].clone()).filter(Value::is_object).collect()
    };
    let blank: BTreeSet<(i64, i64)> = entries(&now)
        .iter()
        .filter(|entry| entry["doc"] == "{}")
        .map(|entry| (entry["tenant"].as_i64().unwrap(), entry["seq"].as_i64().unwrap()))
        .collect();
    let tenants: BTreeSet<i64> =
        now.iter().filter_map(|line| line["head"]["tenant"].as_i64()).collect();
    let then = lines(then);
    let mut newest: BTreeMap<(String, i64), (i64, i64)> = BTreeMap::new();
    for entry in entries(&then) {
        let of = (entry["kind"].to_string(), entry["number"].as_i64().unwrap());
        let at = (entry["tenant"].as_i64().unwrap(), entry["seq"].as_i64().unwrap());
        newest.insert(of, at);
    }
    let mut left = BTreeSet::new();
    for mut line in then {
        let (sort, row) = line.as_object_mut().unwrap().iter_mut().next().unwrap();
        let tenant = row["tenant"].as_i64().unwrap();
        let is_gone = match sort.as_str() {
            "record" | "term" => {
                let of = (row["kind"].to_string(), row["number"].as_i64().unwrap());
                newest.get(&of).is_some_and(|at| blank.contains(at))
            }
            "entry" => {
                if blank.contains(&(tenant, row["seq"].as_i64().unwrap())) {
                    row["doc"] = json!("{}");
                }
                false
            }
            _ => false,
        };
        if tenants.contains(&tenant) && !is_gone {
            left.insert(line.to_string());
        }
    }
    left
}

/// Restores into a new place on an engine; what is there then.
async fn restored(location: &Location, files: &[(String, String)], replay: &Replay) -> String {
    let sources = files.iter().map(|(name, text)| source(name, text)).collect();
    Store::restore(location, KINDS, Options::default(), sources, replay).await.unwrap();
    let store = Store::open(location, KINDS, Options::default()).await.unwrap();
    let report = store.check(&|kind, row| implied(kind, row)).await.unwrap();
    assert_eq!(report.findings, Vec::<String>::new());
    let mut bytes = Vec::new();
    store.dump(&mut bytes).await.unwrap();
    store.close().await;
    String::from_utf8(bytes).unwrap()
}

fn assert_same(want: &BTreeSet<String>, held: &BTreeSet<String>, what: &str) {
    let missing: Vec<_> = want.difference(held).take(5).collect();
    let more: Vec<_> = held.difference(want).take(5).collect();
    assert!(missing.is_empty() && more.is_empty(), "{what}: missing {missing:#?}\nmore {more:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_moment_of_random_work_comes_back() {
    let mut town = Town::new().await;
    let steps = times("PATRON_INCREMENT_STEPS", STEPS);
    for _ in 0..2 * steps {
        town.step().await;
    }
    let mut files = vec![("full".to_owned(), town.full().await)];
    let mut moments = Vec::new();
    for n in 0..MOMENTS {
        for _ in 0..steps {
            town.step().await;
        }
        moments.push((town.server.app.clock.now().micros(), town.full().await));
        // So that nothing later has the time of this moment.
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        if town.dice.below(2) == 0 || n + 1 == MOMENTS {
            let next = town.since(&files.last().unwrap().1).await;
            files.push((format!("increment {n}"), next));
        }
    }
    for what in ["create", "change", "delete", "merge", "comment", "method", "key", "space"] {
        assert!(town.done.contains_key(what), "{what}: {:?}", town.done);
    }
    assert!(town.done.contains_key("purge"), "{:?}", town.done);
    // Old entries of the audit trail go too.
    let cutoff = town.server.app.clock.now();
    audit::forget_old(&town.server.app, cutoff).await.unwrap();
    let next = town.since(&files.last().unwrap().1).await;
    files.push(("last".to_owned(), next));
    let now = town.full().await;
    // All of it, on this engine and on the embedded one: nothing that a full backup has is missing.
    let whole = |dump: &str| -> BTreeSet<String> {
        let lines: Vec<&str> = dump.lines().collect();
        lines[1..lines.len() - 1].iter().map(|line| (*line).to_owned()).collect()
    };
    let folder = tempfile::tempdir().unwrap();
    let embedded = |name: &str| Location::Sqlite(folder.path().join(name));
    let place = TestEngine::new().await;
    for location in [place.location().clone(), embedded("whole")] {
        let held = restored(&location, &files, &REPLAY).await;
        assert_same(&whole(&now), &whole(&held), "everything");
    }
    for (n, (at, then)) in moments.iter().enumerate() {
        let replay = Replay { until: Some(Until { at: *at, entry: None }), ..REPLAY };
        let place = TestEngine::new().await;
        let location = if n % 2 == 0 { place.location().clone() } else { embedded(&n.to_string()) };
        let held = restored(&location, &files, &replay).await;
        let held = lines(&held).iter().map(Value::to_string).collect();
        assert_same(&forgotten_since(then, &now), &held, &format!("moment {n}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_increment_is_as_large_as_the_change() {
    /// Customers in the smaller store; the larger one has four times as many.
    const FEW: usize = 400;
    let mut sizes = Vec::new();
    for count in [FEW, 4 * FEW] {
        let town = Town::new().await;
        let space = town.number_of_owner().await;
        let cx = town.server.app.operator(space, "test");
        for n in 0..count {
            let row = json!({"reference": format!("r-{n}"), "full_name": format!("Person {n}")});
            let patch = patron_native::rows::into_patch(row).unwrap();
            patron_app::customers::create(&cx, patch).await.unwrap();
        }
        let full = town.full().await;
        let one = "/v1/customers/by-reference/r-7";
        let number = town.call("GET", one, None).await.expect(200).json()["number"].clone();
        let body = Some(json!({"full_name": "Somebody Else"}));
        town.call("PATCH", &format!("/v1/customers/{number}"), body).await.expect(200);
        let next = town.since(&full).await;
        assert!(next.len() * 50 < full.len(), "{} of {} bytes", next.len(), full.len());
        sizes.push((full.len(), next.len()));
    }
    let [(few, small), (many, large)] = sizes[..] else { unreachable!() };
    assert!(many > 3 * few && large < small + small / 10, "{sizes:?}");
}
