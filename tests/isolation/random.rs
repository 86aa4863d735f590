//! Random calls with the credentials of one space and whatever can be named of the other.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use patron_app::{
    Id,
    assignments::{self, Where},
    users,
};
use patron_model::permission::Role;
use patron_testkit::{Answer, TestServer};
use serde_json::{Value, json};

use super::{equipment, generate, planted, pool};
use crate::api::{ALL, call, create};
use generate::{Call, Described, Sources};
use pool::{Pool, Random};

/// Calls of each operation in a short run; `PATRON_ISOLATION_CALLS` sets another number.
const CALLS: usize = 32;
/// Times that every reading operation is asked to learn what there is.
const EXPLORING: usize = 12;
/// Times that every operation that makes a record that is a table is asked to make one.
const PLANTING: usize = 40;
/// What every text planted in the victim's space begins with; four digits follow.
const MARK: &str = "vctm";
/// Digits that make each mark another one.
const MARK_DIGITS: usize = 4;
/// The card that everybody has: its fingerprints differ by space.
const CARD: &str = "4111111111111111";
/// Least length of an id, a token or a cursor that no answer may show by chance.
const HANDLE_CHARS_MIN: usize = 16;
/// Members of credentials that name somebody and open nothing.
const NAMES: [&str; 7] =
    ["space_id", "user_id", "entity_id", "org_id", "entry", "authenticity_token", "client_id"];

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// A space, its keys, and what was seen of it through each API.
struct Party {
    /// Number of its account.
    account: i64,
    /// What its native key, and the users of its keys, are called.
    itself: BTreeSet<String>,
    keys: Value,
    seen: BTreeMap<&'static str, Pool>,
    handles: BTreeSet<String>,
}

/// What a token endpoint asks for, but for the secret.
fn client(keys: &Value, api: &str) -> [(&'static str, Value); 3] {
    let id = match api {
        "monri" => "authenticity_token",
        "verifone" => "user_id",
        _ => "client_id",
    };
    let words = ["client_credentials", "customers"].map(|word| json!(word));
    let [grant, scope] = words;
    [("client_id", keys[api][id].clone()), ("grant_type", grant), ("scopes", scope)]
}

/// The secret it asks for.
fn client_secret(keys: &Value, api: &str) -> Value {
    let name = match api {
        "monri" => "merchant_key",
        "verifone" => "api_key",
        _ => "client_secret",
    };
    keys[api][name].clone()
}

/// Marks that stand in a text.
fn marks(text: &str) -> BTreeSet<String> {
    let text = text.to_lowercase();
    let at = text.match_indices(MARK).map(|(at, _)| at + MARK.len());
    at.map(|at| text[at..].chars().take(MARK_DIGITS).collect()).collect()
}

/// Texts of an answer as they are, and what is packed in them.
fn unpacked(answer: &Answer) -> String {
    let mut text = answer.text();
    for value in answer.headers.values() {
        text.push('\n');
        text.push_str(value.to_str().unwrap_or_default());
    }
    let packed: Vec<String> = text
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'))
        .filter(|word| word.len() >= HANDLE_CHARS_MIN)
        .filter_map(|word| URL_SAFE_NO_PAD.decode(word).ok())
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .collect();
    text + "\n" + &packed.join("\n")
}

fn is_handle(value: &Value) -> bool {
    let Value::String(text) = value else { return true };
    // A time is nobody's.
    marks(text).is_empty() && !(text.starts_with("20") && text.contains(':'))
}

async fn send(server: &TestServer, keys: &Value, operation: &Described, call: &Call) -> Answer {
    let (dialect, method) = (operation.dialect, operation.method.as_str());
    let body = String::from_utf8_lossy(&call.body);
    let mut headers =
        server.signed(dialect, &keys[dialect.name], method, &call.target, body.as_ref());
    headers.extend(call.headers.iter().cloned());
    let headers: Vec<(&str, &str)> =
        headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    server.raw(method, &call.target, &headers, &call.body).await
}

/// Makes the application of a key an owner of its account, which is answered: integrations see no
/// users and roles.
async fn own(server: &TestServer, user: i64) -> i64 {
    let cx = server.app.operator(0, "test");
    let number = users::get(&cx, Id::Number(user)).await.unwrap().account;
    let at = Where::Account { number, subaccounts: true };
    let role = Role::Owner.number();
    assignments::grant(&cx, Id::Number(user), role, at).await.unwrap();
    number
}

impl Party {
    /// Whether a call is about its own key or user, or the account or space that it is in.
    fn is_itself(&self, target: &str) -> bool {
        let path = target.split('?').next().unwrap_or_default();
        let segments: Vec<&str> = path.split('/').collect();
        let nouns = ["keys", "users", "application-users", "accounts", "spaces"];
        let is_own = |pair: &[&str]| nouns.contains(&pair[0]) && self.itself.contains(pair[1]);
        segments.windows(2).any(is_own)
    }

    /// What nobody is told, and whoever calls knows: its secrets and its account.
    fn know_its_own(&mut self) {
        for (api, pool) in &mut self.seen {
            pool.add("client_secret", client_secret(&self.keys, api));
            pool.add("scope", 1.into());
            for name in ["account", "primaryAccount", "parentAccount", "parent"] {
                pool.add(name, self.account.into());
            }
        }
    }

    /// A space with people made through every API, and everything that can hang on them.
    async fn new(server: &TestServer, mark: &str, first: u32) -> Party {
        let keys = server.new_space(None).await;
        let account = own(server, keys["wallee"]["user_id"].as_i64().unwrap()).await;
        let native = async |method: &str, path: &str, body: Value| {
            let answer = call(server, &keys, "native", method, path, Some(body)).await;
            assert!(answer.status < 300, "{method} {path}: {}", answer.text());
            answer.json()
        };
        for (n, api) in (first..).zip(ALL) {
            let mut person = planted(&format!("{mark}{n:04}"), n);
            person.insert("reference", format!("reference-of-{first}-{n:04}"));
            let made = create(server, &keys, api.name, &person).await;
            assert!(made.status < 300, "{}: {}", api.name, made.text());
        }
        let text = |n: u32| format!("{mark}{:04} planted", first + n);
        let make = |n: u32| {
            let reference = format!("made-for-{first}-{n:04}");
            json!({"reference": reference, "given_name": text(n)})
        };
        let one = native("POST", "/v1/customers", make(20)).await;
        let path = format!("/v1/customers/{}", one["number"]);
        let other = native("POST", "/v1/customers", make(21)).await;
        let listed = call(server, &keys, "native", "GET", "/v1/customers", None).await.json();
        for customer in listed["data"].as_array().unwrap() {
            let path = format!("/v1/customers/{}", customer["number"]);
            native("POST", &format!("{path}/comments"), json!({"content": text(22)})).await;
            let address = json!({"purpose": "other", "line1": text(23), "city": text(24)});
            native("POST", &format!("{path}/addresses"), address).await;
            let card = json!({"number": CARD, "expiry_month": 12, "expiry_year": 2035});
            let card = json!({"card": card, "holder_name": text(25)});
            native("POST", &format!("{path}/payment-methods"), card).await;
        }
        let merge = json!({"absorb": other["number"]});
        native("POST", &format!("{path}/merge"), merge).await;
        let gone = native("POST", "/v1/customers", make(26)).await;
        let gone = format!("/v1/customers/{}", gone["number"]);
        call(server, &keys, "native", "DELETE", &gone, None).await.expect(204);
        let me = native("GET", "/v1/me", Value::Null).await;
        let key = native("GET", &format!("/v1/keys/{}", me["key"]), Value::Null).await;
        let [user, space] = ["user_id", "space_id"].map(|name| keys["wallee"][name].clone());
        let own = [&me["key"], &key["id"], &me["user"]["number"], &me["user"]["id"]];
        let own = own.into_iter().cloned().chain([user, space, json!(account)]);
        let itself = own.map(|id| id.to_string().replace('"', "")).collect();
        let mut party =
            Party { account, itself, keys, seen: BTreeMap::new(), handles: BTreeSet::new() };
        for api in ALL {
            let mut pool = Pool::default();
            for name in NAMES {
                let value = party.keys[api.name][name].clone();
                if !value.is_null() {
                    pool.add(name, value);
                }
            }
            for (name, value) in client(&party.keys, api.name) {
                pool.add(name, value);
            }
            // A key that was used for a create: another space's repeat must not see its outcome.
            pool.add("idempotency-key", json!(format!("repeatable-{first}")));
            party.seen.insert(api.name, pool);
        }
        party.remember(server, first, &text(27)).await;
        party
    }

    /// Creates with an idempotency key, as the other space will try to repeat.
    async fn remember(&self, server: &TestServer, first: u32, text: &str) {
        for (n, api) in ALL.iter().enumerate().filter(|(_, api)| api.name == "native") {
            let key = format!("repeatable-{first}");
            let body = json!({"given_name": text, "title": format!("T{n}")}).to_string();
            let mut headers =
                server.signed(api, &self.keys[api.name], "POST", "/v1/customers", &body);
            headers.push(("content-type".into(), "application/json".into()));
            headers.push(("idempotency-key".into(), key));
            let headers: Vec<(&str, &str)> =
                headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            server.raw("POST", "/v1/customers", &headers, body.as_bytes()).await.expect(201);
        }
    }

    /// Makes records of every family that is a table, of its own texts.
    async fn plant(
        &mut self,
        server: &TestServer,
        operations: &[(Described, usize)],
        documents: &[Value],
        random: &mut Random,
    ) {
        let none = Pool::default();
        for (operation, api) in operations.iter().filter(|(o, _)| o.makes_of_table) {
            let mut made = 0;
            let mut refused = Vec::new();
            // Those of many rules are seldom what they must be.
            for n in 0..PLANTING * 10 {
                if n >= PLANTING && made > 0 {
                    break;
                }
                let own = &self.seen[operation.dialect.name];
                let sources = Sources { own, foreign: &none, searched: &[], foreign_percent: 0 };
                let call = operation.call(&documents[*api], &sources, random);
                let answer = send(server, &self.keys, operation, &call).await;
                match answer.status {
                    ..300 => made += 1,
                    _ => refused.push(answer.text()),
                }
                self.learn(operation, &call.target, &answer);
            }
            assert!(made > 0, "{} made none: {refused:?}", operation.id);
        }
    }

    /// Reads whatever its own keys show, to learn the names of things.
    async fn explore(
        &mut self,
        server: &TestServer,
        operations: &[(Described, usize)],
        documents: &[Value],
        random: &mut Random,
    ) {
        let none = Pool::default();
        for _ in 0..EXPLORING {
            for (operation, api) in operations.iter().filter(|(o, _)| o.method == "GET") {
                let name = operation.dialect.name;
                let sources = Sources {
                    own: &self.seen[name],
                    foreign: &none,
                    searched: &[],
                    foreign_percent: 0,
                };
                let call = operation.call(&documents[*api], &sources, random);
                let answer = send(server, &self.keys, operation, &call).await;
                self.learn(operation, &call.target, &answer);
            }
        }
    }

    fn learn(&mut self, operation: &Described, target: &str, answer: &Answer) {
        let is_json = answer.header("content-type").starts_with("application/json");
        if answer.status >= 300 || !is_json {
            return;
        }
        let document = answer.json();
        let pool = self.seen.get_mut(operation.dialect.name).unwrap();
        pool.learn_places(&operation.path, target, &document);
        // Catalogues would drown what is the space's own.
        if !operation.tells_of_nobody {
            pool.learn(&document, &is_handle);
            self.note_handles(&document);
        }
    }

    fn note_handles(&mut self, document: &Value) {
        match document {
            Value::Object(members) => members.values().for_each(|value| self.note_handles(value)),
            Value::Array(items) => items.iter().for_each(|item| self.note_handles(item)),
            Value::String(text) if is_handle(document) && text.len() >= HANDLE_CHARS_MIN => {
                self.handles.insert(text.clone());
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

/// Everything the store holds of a space: records, journal, search terms, answers; and of the
/// deployment the records of its account.
async fn export(server: &TestServer, party: &Party) -> Vec<String> {
    let mut out = Vec::new();
    server.app.store.dump(&mut out).await.unwrap();
    let (space, account) = (&party.keys["wallee"]["space_id"], &party.keys["payabli"]["org_id"]);
    let is_its = |line: &Value| {
        let inner = line.as_object().and_then(|line| line.values().next()).unwrap();
        let kind = inner["kind"].as_str().unwrap_or_default();
        let doc: Value = serde_json::from_str(inner["doc"].as_str().unwrap_or("null")).unwrap();
        let is_account = kind == "account" && inner["number"] == *account;
        // What others try with its keys is told to it: the audit trail grows by itself.
        let is_trail = kind == "audit";
        inner["tenant"] == *space
            || !is_trail && (inner["tenant"] == 0 && (is_account || doc["account"] == *account))
    };
    let text = String::from_utf8(out).unwrap();
    let parsed = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    parsed.filter(is_its).map(|line| line.to_string()).collect()
}

/// What a call was allowed to show: what it said itself, and what the caller stored before.
struct Said {
    stored: String,
    now: String,
}

impl Said {
    fn has(&self, word: &str) -> bool {
        self.now.contains(word) || self.stored.contains(word)
    }
}

/// Whether a word stands in a text to its end: the id of one request begins that of a later one.
fn stands_in(text: &str, word: &str) -> bool {
    let goes_on = |rest: &str| rest.starts_with(|c: char| c.is_ascii_alphanumeric());
    text.match_indices(word).any(|(at, _)| !goes_on(&text[at + word.len()..]))
}

fn assert_shows_nothing(victim: &Party, said: &Said, answer: &Answer, what: &str) {
    let text = unpacked(answer);
    for mark in marks(&text) {
        assert!(marks(&said.now).contains(&mark), "{what}: shows {MARK}{mark}: {text}");
    }
    for handle in &victim.handles {
        let shows = stands_in(&text, handle);
        assert!(!shows || said.has(handle), "{what}: shows {handle}: {text}");
    }
    assert!(answer.status < 500, "{what}: {} {text}", answer.status);
}

/// Credentials of the thief in which one public half may be the victim's.
fn forged(thief: &Value, victim: &Value, api: &str, random: &mut Random) -> Value {
    let mut keys = thief.clone();
    let name = *random.pick(&NAMES).unwrap();
    if random.percent(12) && !keys[api][name].is_null() {
        keys[api][name] = victim[api][name].clone();
    }
    keys
}

/// Every operation with the number of its API, and the descriptions of all.
fn described() -> (Vec<(Described, usize)>, Vec<Value>) {
    let (mut operations, mut documents) = (Vec::new(), Vec::new());
    for (at, dialect) in ALL.into_iter().enumerate() {
        let (all, document) = generate::operations(dialect);
        operations.extend(all.into_iter().map(|operation| (operation, at)));
        documents.push(document);
    }
    (operations, documents)
}

#[tokio::test(flavor = "multi_thread")]
async fn random_calls_of_every_operation_show_and_change_nothing_of_another_space() {
    // Any will do: `PATRON_ISOLATION_SEED` sets another one.
    let seed = setting("PATRON_ISOLATION_SEED", 5) as u64;
    let calls = setting("PATRON_ISOLATION_CALLS", CALLS);
    println!("PATRON_ISOLATION_SEED={seed} PATRON_ISOLATION_CALLS={calls}");
    let mut random = Random::new(seed);
    let server = TestServer::start(&ALL).await;
    let (operations, documents) = described();
    let mut victim = Party::new(&server, MARK, 1_000).await;
    let mut thief = Party::new(&server, "thief", 2_000).await;
    thief.know_its_own();
    for party in [&mut victim, &mut thief] {
        equipment::equip(&server, &party.keys, party.account).await;
        // First what it is made of, then what came of it.
        party.explore(&server, &operations, &documents, &mut random).await;
        party.plant(&server, &operations, &documents, &mut random).await;
    }
    victim.explore(&server, &operations, &documents, &mut random).await;
    thief.explore(&server, &operations, &documents, &mut random).await;
    // What an operation is called is nobody's; the audit log names those that were refused. Nor is
    // the bound of whole numbers, which refusals name.
    let is_operation = |handle: &String| operations.iter().any(|(o, _)| o.id == *handle);
    let bound = i64::MAX.to_string();
    let is_nobodys = |handle: &String| is_operation(handle) || *handle == bound;
    victim.handles.retain(|handle| !thief.handles.contains(handle) && !is_nobodys(handle));
    assert!(victim.handles.len() > 30, "{:?}", victim.handles);
    let searched: Vec<String> = (0..7).map(|n| format!("{MARK}{:04}", 1_000 + n)).collect();
    let before = export(&server, &victim).await;
    assert!(before.iter().any(|line| line.contains("vctm1022 planted")), "comments are in it");
    let mut said = Said { stored: String::new(), now: String::new() };
    let mut served = BTreeSet::new();
    for turn in 0..calls {
        for (operation, api) in &operations {
            let name = operation.dialect.name;
            if operation.method == "DELETE" && turn % 4 != 3 {
                continue; // so that there is something left
            }
            let sources = Sources {
                own: &thief.seen[name],
                foreign: &victim.seen[name],
                searched: &searched,
                // The first calls are the thief's own, so that each operation is seen to work.
                foreign_percent: if turn < calls / 2 { 10 } else { 60 },
            };
            let call = operation.call(&documents[*api], &sources, &mut random);
            if operation.method != "GET" && thief.is_itself(&call.target) {
                continue; // so that it may go on
            }
            let keys = forged(&thief.keys, &victim.keys, name, &mut random);
            said.now = format!("{call:?} {} {}", String::from_utf8_lossy(&call.body), keys[name]);
            if operation.method != "GET" || !call.body.is_empty() {
                said.stored.push_str(&said.now.clone());
            }
            let answer = send(&server, &keys, operation, &call).await;
            let what = format!("seed {seed}: {name} {} {call:?}", operation.method);
            assert_shows_nothing(&victim, &said, &answer, &what);
            if answer.status < 300 {
                served.insert((name, operation.id.clone()));
                assert!(
                    !operation.is_public || !said.now.contains(name) || keys == thief.keys,
                    "{what}: a token for somebody else"
                );
                thief.learn(operation, &call.target, &answer);
            }
        }
    }
    assert_same(&before, &export(&server, &victim).await, seed);
    assert_served(&operations, &served);
}

fn assert_same(before: &[String], after: &[String], seed: u64) {
    for (before, after) in before.iter().zip(after) {
        assert_eq!(before, after, "seed {seed}: something of it was changed");
    }
    assert_eq!(before.len(), after.len(), "seed {seed}: nothing came or went");
}

/// Calls that are all refused would prove nothing. What is public takes what only a person has, a
/// password or a link that was mailed: random calls are refused there.
fn assert_served(operations: &[(Described, usize)], served: &BTreeSet<(&'static str, String)>) {
    let with_keys: Vec<_> = operations
        .iter()
        .filter(|(o, _)| !o.is_public)
        .map(|(o, _)| (o.dialect.name, o.id.clone()))
        .collect();
    let idle: Vec<String> = with_keys
        .iter()
        .filter(|id| !served.contains(*id))
        .map(|(name, id)| format!("{name} {id}"))
        .collect();
    println!("{} operations, {} never succeeded: {idle:?}", with_keys.len(), idle.len());
    assert!(idle.len() * 4 <= with_keys.len(), "too few calls get anywhere: {idle:?}");
}
