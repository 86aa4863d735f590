//! The master key: weak, missing, wrong and readable ones are refused, it comes from one source,
//! and it is changed while servers go on.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use patron_app::{
    App, Clock,
    documents::KINDS,
    keyring::{Locked, Master},
    keys::{self, NewKey, NewSecret},
    secrets::MasterKey,
    spaces::{self, AccountPatch, SpacePatch},
};
use patron_gateway::{Dialect, SignRequest};
use patron_model::space::{Role, Space};
use patron_store::{Location, Options, Store};
use serde_json::{Value, json};

use crate::postgres::{database, patron_on};
use crate::program::{Running, patron, succeed};

/// Keys that sign, so that sealing them anew takes a while.
const SIGNING_KEYS: usize = 300;
/// Milliseconds by which each attempt at a change lives longer than the one before it.
const LONGER_MS: u64 = 15;

fn in_data(command: &mut Command, data: &Path) -> String {
    succeed(command.arg("--data").arg(data))
}

/// What a command that must fail says.
fn refused(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{command:?}: {said}");
    assert!(!said.contains("panicked"), "{said}");
    said
}

fn made(data: &Path) -> Value {
    let text = in_data(patron().args(["space", "create", "Shop", "--json"]), data);
    serde_json::from_str(&text).unwrap()
}

fn write_key(file: &Path, key: &MasterKey) {
    std::fs::write(file, key.to_text()).unwrap();
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// Every command that needs the secrets; each would serve, or write.
fn commands(data: &Path) -> Vec<Command> {
    let lines: [&[&str]; 5] = [
        &["serve", "--listen", "127.0.0.1:0"],
        &["space", "create", "Second"],
        &["key", "create", "--space", "1"],
        &["key", "list"],
        &["check"],
    ];
    let command = |line: &&[&str]| {
        let mut command = patron();
        command.args(*line).arg("--data").arg(data);
        command
    };
    lines.iter().map(command).collect()
}

#[test]
fn weak_keys_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let count: [u8; 32] = std::array::from_fn(|at| at as u8);
    for weak in [[0; 32], [7; 32], count, *b"a master key for tests only, ok?"] {
        let weak = MasterKey::new(weak);
        let mut create = patron();
        create.args(["space", "create", "Shop", "--data"]).arg(folder.path().join("a"));
        let said = refused(create.env("PATRON__SECRETS__MASTER_KEY", weak.to_text()));
        assert!(said.contains("secrets.master_key is too weak"), "{said}");
        assert!(!said.contains(&weak.to_text()), "{said}");
        let kept = folder.path().join("b");
        std::fs::create_dir_all(&kept).unwrap();
        write_key(&kept.join("master.key"), &weak);
        for mut command in commands(&kept).into_iter().take(2) {
            let said = refused(&mut command);
            assert!(said.contains("master.key is too weak"), "{said}");
        }
        let mut check = patron();
        check.args(["config", "check"]).env("PATRON__SECRETS__MASTER_KEY", weak.to_text());
        assert!(refused(&mut check).contains("too weak"));
    }
    for wrong in ["x", "AAAA", &"A".repeat(44)] {
        let mut check = patron();
        check.args(["config", "check"]).env("PATRON__SECRETS__MASTER_KEY", wrong);
        assert!(refused(&mut check).contains("32 bytes in base64"));
    }
}

#[test]
fn a_missing_key_is_never_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    made(&data);
    let mut lost = patron();
    let said = refused(lost.args(["key", "rotate-master", "--lost", "--data"]).arg(&data));
    assert!(said.contains("opens this data"), "what is not lost is not given up: {said}");
    let (key, away) = (data.join("master.key"), folder.path().join("away"));
    std::fs::rename(&key, &away).unwrap();
    for mut command in commands(&data) {
        let said = refused(&mut command);
        assert!(said.contains("master.key is missing") && said.contains("Put that file"), "{said}");
        assert!(!key.exists(), "{command:?}");
    }
    // A restored backup needs the old key as well.
    std::fs::rename(&away, &key).unwrap();
    let backup = folder.path().join("backup");
    in_data(patron().arg("backup").arg(&backup), &data);
    let other = folder.path().join("restored");
    in_data(patron().arg("restore").arg(&backup), &other);
    let mut serve = patron();
    serve.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(&other);
    assert!(refused(&mut serve).contains("is missing"));
    assert!(!other.join("master.key").exists());
    // Lost for good: said so, signing keys are given up, the others go on.
    let said = in_data(patron().args(["key", "rotate-master", "--lost"]), &other);
    assert!(said.contains("3 secrets are given up"), "{said}");
    let said = in_data(patron().arg("check"), &other);
    assert!(said.contains("opens everything"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_refused_by_the_file_it_stands_in() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    made(&data);
    let key = data.join("master.key");
    let right = MasterKey::parse(&std::fs::read_to_string(&key).unwrap()).unwrap();
    write_key(&key, &MasterKey::random());
    for mut command in commands(&data) {
        let said = refused(&mut command);
        assert!(said.contains("master.key is not the one"), "{said}");
    }
    write_key(&key, &right);
    assert!(in_data(patron().arg("check"), &data).contains("opens everything"));
    Running::serve(&data).await.get("/livez").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_another_key_does_not_start() {
    let Some((_server, _, url)) = database().await else { return };
    crate::postgres::new_space(&url);
    let other = MasterKey::random().to_text();
    for line in [&["serve", "--listen", "127.0.0.1:0"][..], &["check"], &["key", "list"]] {
        let mut command = patron_on(&url);
        let said = refused(command.args(line).env("PATRON__SECRETS__MASTER_KEY", &other));
        assert!(said.contains("secrets.master_key is not the one"), "{said}");
        let said = refused(command.env_remove("PATRON__SECRETS__MASTER_KEY"));
        assert!(said.contains("PostgreSQL needs a master key"), "{said}");
    }
    Running::serve_on(patron_on(&url).arg("serve")).await.get("/livez").await.expect(200);
}

#[test]
fn a_key_that_others_can_read_is_refused_with_the_command_that_mends_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    made(&data);
    let key = data.join("master.key");
    for mode in [0o644, 0o604, 0o640, 0o602, 0o660] {
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).unwrap();
        for mut command in commands(&data) {
            let said = refused(&mut command);
            let mends = format!("chmod 600 {}", key.display());
            assert!(said.contains(&mends), "{mode:o}: {said}");
        }
    }
    succeed(Command::new("chmod").arg("600").arg(&key));
    in_data(patron().args(["key", "list"]), &data);
}

#[test]
fn the_key_comes_from_a_file_or_a_command() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let file = folder.path().join("the.key");
    write_key(&file, &MasterKey::random());
    let with = |name: &str, value: &str| {
        let mut command = patron();
        command.env(format!("PATRON__SECRETS__{name}"), value);
        command
    };
    let path = file.display().to_string();
    in_data(with("MASTER_KEY_FILE", &path).args(["space", "create", "Shop"]), &data);
    assert!(!data.join("master.key").exists());
    let print = |line: &str| format!(r#"["sh", "-c", {line:?}]"#);
    let good = print(&format!("cat {path}"));
    for name in [("MASTER_KEY_FILE", path.as_str()), ("MASTER_KEY_COMMAND", good.as_str())] {
        in_data(with(name.0, name.1).args(["key", "list"]), &data);
        succeed(with(name.0, name.1).args(["config", "check"]));
    }
    // A group may read what an orchestrator hands in; nobody else, and the group may not write.
    let mode = |mode| {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        let mut list = with("MASTER_KEY_FILE", &path);
        list.args(["key", "list", "--data"]).arg(&data);
        list
    };
    succeed(&mut mode(0o440));
    for open in [0o444, 0o460, 0o604] {
        assert!(refused(&mut mode(open)).contains("chmod 600"));
    }
    for (line, says) in [
        ("exit 3", "exit status: 3"),
        ("head -c 100000 /dev/zero | tr '\\0' A", "too much"),
        ("echo no key", "32 bytes in base64"),
    ] {
        let mut list = with("MASTER_KEY_COMMAND", &print(line));
        let said = refused(list.args(["key", "list", "--data"]).arg(&data));
        assert!(said.contains(says) && said.contains("master_key_command"), "{said}");
    }
    let mut absent = with("MASTER_KEY_COMMAND", r#"["/no/such/program"]"#);
    let said = refused(absent.args(["key", "list", "--data"]).arg(&data));
    assert!(said.contains("cannot be started"), "{said}");
    let mut two = with("MASTER_KEY_COMMAND", &good);
    let said =
        refused(two.env("PATRON__SECRETS__MASTER_KEY_FILE", &path).arg("config").arg("check"));
    assert!(said.contains("give only one of"), "{said}");
}

// ---- changing it ------------------------------------------------------------------------------

fn headers(dialect: &Dialect, keys: &Value, target: &str) -> Vec<(String, String)> {
    let request = SignRequest {
        credentials: &keys[dialect.name],
        method: "GET",
        target,
        body: "",
        now: Clock::System.now(),
    };
    let headers = (dialect.credentials.sign)(&request).unwrap();
    headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Two calls whose signatures need the sealed secrets.
async fn signed_calls(base_url: &str, keys: &Value) {
    let client = patron_testkit::client::Client::new();
    for (dialect, target) in [
        (&patron_wallee::DIALECT, "/api/v2.0/customers?limit=1"),
        (&patron_monri::DIALECT, "/v2/customers?limit=1"),
    ] {
        let headers = headers(dialect, keys, target);
        client.send(base_url, "GET", target, &headers, b"").await.expect(200);
    }
}

/// Signed calls that go on until they are stopped.
struct Calls {
    count: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<()>,
}

impl Calls {
    fn start(base_urls: Vec<String>, keys: Value) -> Calls {
        let (count, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let task = tokio::spawn({
            let (count, stop) = (Arc::clone(&count), Arc::clone(&stop));
            async move {
                while !stop.load(SeqCst) {
                    for base_url in &base_urls {
                        signed_calls(base_url, &keys).await;
                    }
                    count.fetch_add(1, SeqCst);
                }
            }
        });
        Calls { count, stop, task }
    }

    /// Waits for so many more rounds of calls.
    async fn more(&self, rounds: u64) {
        let wanted = self.count.load(SeqCst) + rounds;
        while self.count.load(SeqCst) < wanted && !self.task.is_finished() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Fails when a call failed.
    async fn finish(self) -> u64 {
        self.stop.store(true, SeqCst);
        self.task.await.unwrap();
        self.count.load(SeqCst)
    }
}

/// Runs a command until it comes to its end, killing it ever later; says how often, and its word.
async fn with_kills(command: impl Fn() -> Command) -> (u32, String) {
    let mut kills = 0;
    loop {
        let mut child = command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let end = std::time::Instant::now() + Duration::from_millis(u64::from(kills) * LONGER_MS);
        while child.try_wait().unwrap().is_none() {
            if std::time::Instant::now() >= end {
                // SIGKILL.
                let _ = child.kill();
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let output = child.wait_with_output().unwrap();
        if output.status.success() {
            return (kills, String::from_utf8(output.stdout).unwrap());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code().is_none(), "not killed, but failed: {said}");
        kills += 1;
    }
}

/// Many keys that sign.
async fn more_keys(location: &Location, master: &MasterKey) {
    let app = open(location, master).await.unwrap();
    let cx = app.operator(0, "test");
    let space = patron_app::spaces::get::<Space>(&cx, 1).await.unwrap().record;
    for number in 0..SIGNING_KEYS {
        let secret = NewSecret::Signing(number.to_string().into_bytes());
        keys::create(&cx, signing_key(&space, secret)).await.unwrap();
    }
    app.store.clone().close().await;
}

fn signing_key(space: &Space, secret: NewSecret) -> NewKey {
    NewKey::of_space(space, "wallee", Role::ReadOnly, None, secret)
}

async fn open(location: &Location, master: &MasterKey) -> Result<Arc<App>, Locked> {
    let store = Store::open(location, KINDS, Options::default()).await.unwrap();
    App::open(store, Clock::System, Master::fixed(master.clone())).await
}

/// The old key opens nothing, the new one everything, and one key alone opens the data.
async fn assert_changed(location: &Location, old: &MasterKey, new: &MasterKey) {
    assert!(matches!(open(location, old).await, Err(Locked::WrongMasterKey)));
    let app = open(location, new).await.unwrap();
    assert_eq!(app.master_keys().await.unwrap(), [new.id()]);
    assert_eq!(app.unopened().await.unwrap(), Vec::<String>::new());
    assert_eq!(app.reseal().await.unwrap(), 0);
    let mut dump = Vec::new();
    app.store.dump(&mut dump).await.unwrap();
    let dump = String::from_utf8(dump).unwrap();
    let ids = dump.lines().filter(|line| line.contains(r#""kind":"secret""#));
    let sealed: Vec<&str> = ids.filter_map(|line| line.split(r#"\"sealed\":\""#).nth(1)).collect();
    assert!(sealed.len() >= SIGNING_KEYS, "{}", sealed.len());
    let newest = sealed[0].split(':').next().unwrap();
    assert!(sealed.iter().all(|text| text.split(':').next() == Some(newest)));
    assert!(!dump.contains(&old.id()), "nothing is kept for the old key");
    app.store.clone().close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_changed_while_serving_and_after_kills() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let location = Location::Sqlite(data.join("patron.db"));
    let keys = made(&data);
    let read = |file: PathBuf| MasterKey::parse(&std::fs::read_to_string(file).unwrap()).unwrap();
    let old = read(data.join("master.key"));
    more_keys(&location, &old).await;
    let running = Running::serve(&data).await;
    let native = keys["native"]["api_key"].as_str().unwrap();
    let card = || {
        Some(json!({"type": "card", "card": {"number": "4242424242424242", "expiry_month": 12,
            "expiry_year": 2035}}))
    };
    let customer =
        running.native(native, "POST", "/v1/customers", Some(json!({}))).await.expect(201);
    let methods = format!("/v1/customers/{}/payment-methods", customer.json()["number"]);
    let method = running.native(native, "POST", &methods, card()).await.expect(201).json();
    let calls = Calls::start(vec![running.base_url.clone()], keys.clone());
    calls.more(5).await;
    let rotate = || {
        let mut command = patron();
        command.args(["key", "rotate-master", "--data"]).arg(&data);
        command
    };
    let (kills, said) = with_kills(rotate).await;
    assert!(kills > 3, "{kills} kills");
    assert!(said.contains("opens nothing any more"), "{said}");
    calls.more(20).await;
    let new = read(data.join("master.key"));
    assert_ne!(new.id(), old.id());
    assert_changed(&location, &old, &new).await;
    // The running server goes on, seals with the new keys, and knows the card again.
    let made =
        in_data(patron().args(["key", "create", "--dialect", "monri", "--space", "1"]), &data);
    let fresh: Value = serde_json::from_str(&made).unwrap();
    let target = "/v2/customers?limit=1";
    let headers = headers(&patron_monri::DIALECT, &fresh, target);
    running.client.send(&running.base_url, "GET", target, &headers, b"").await.expect(200);
    let again = running.native(native, "POST", &methods, card()).await.expect(200).json();
    assert_eq!(again["number"], method["number"]);
    let rounds = calls.finish().await;
    assert!(rounds > 25, "{rounds}");
    drop(running);
    let running = Running::serve(&data).await;
    signed_calls(&running.base_url, &keys).await;
    let told = in_data(patron().args(["audit", "--export", "ndjson"]), &data);
    let acts = ["master_key.rotating", "master_key.rotated"];
    assert!(acts.iter().all(|act| told.contains(act)), "{told}");
    let leftovers = std::fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().file_name());
    let leftovers: Vec<_> =
        leftovers.filter(|name| name.to_string_lossy().contains("next")).collect();
    // A copy that a kill left half-made opens nothing and is taken for nothing.
    assert!(leftovers.iter().all(|name| name != "master.key.next"), "{leftovers:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_changed_on_every_node() {
    let Some((_server, _, url)) = database().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let location = Location::Postgres(url.clone());
    let (old, new) = (MasterKey::random(), MasterKey::random());
    let with = |key: &MasterKey, line: &[&str]| {
        let mut command = patron_on(&url);
        command.env("PATRON__SECRETS__MASTER_KEY", key.to_text()).args(line);
        command
    };
    let keys = succeed(&mut with(&old, &["space", "create", "Shop", "--json"]));
    let keys: Value = serde_json::from_str(&keys).unwrap();
    more_keys(&location, &old).await;
    let first = Running::serve_on(&mut with(&old, &["serve"])).await;
    let second = Running::serve_on(&mut with(&old, &["serve"])).await;
    let nodes = vec![first.base_url.clone(), second.base_url.clone()];
    let calls = Calls::start(nodes, keys.clone());
    calls.more(5).await;
    let file = folder.path().join("new.key");
    write_key(&file, &new);
    let path = file.display().to_string();
    let rotate = ["key", "rotate-master", "--new-key-file", &path];
    let (kills, said) = with_kills(|| with(&old, &rotate)).await;
    assert!(kills > 3, "{kills} kills");
    assert!(said.contains("both master keys open"), "{said}");
    calls.more(5).await;
    // Both keys are good now: a node with the new one joins, and takes the place of the others.
    let third = Running::serve_on(&mut with(&new, &["serve"])).await;
    let fourth = Running::serve_on(&mut with(&old, &["serve"])).await;
    signed_calls(&third.base_url, &keys).await;
    signed_calls(&fourth.base_url, &keys).await;
    let other = MasterKey::random();
    let said = refused(&mut with(&other, &["serve", "--listen", "127.0.0.1:0"]));
    assert!(said.contains("is not the one"), "{said}");
    let (_, said) = with_kills(|| with(&new, &["key", "rotate-master"])).await;
    // The last kill may have come after the end.
    let is_ended = ["the old one opens nothing", "alone opens the data"];
    assert!(is_ended.iter().any(|word| said.contains(word)), "{said}");
    calls.more(5).await;
    let rounds = calls.finish().await;
    assert!(rounds > 15, "{rounds}");
    assert_changed(&location, &old, &new).await;
    let said = refused(&mut with(&old, &["serve", "--listen", "127.0.0.1:0"]));
    assert!(said.contains("is not the one"), "{said}");
}

#[tokio::test]
async fn a_key_made_meanwhile_is_sealed_with_the_new_keys() {
    let (old, new) = (MasterKey::random(), MasterKey::random());
    let folder = tempfile::tempdir().unwrap();
    let location = Location::Sqlite(folder.path().join("patron.db"));
    let server = open(&location, &old).await.unwrap();
    let cx = server.operator(0, "test");
    let name = patron_model::text::Name::parse("Shop").unwrap();
    let account = AccountPatch { name: Some(name.clone()), ..AccountPatch::default() };
    let account = spaces::create_account(&cx, None, account).await.unwrap();
    let space = SpacePatch { name: Some(name), ..SpacePatch::default() };
    let space = spaces::create_space(&cx, account.number, None, space).await.unwrap();
    let make = async |secret: &str| {
        let secret = NewSecret::Signing(secret.as_bytes().to_vec());
        keys::create(&cx, signing_key(&space, secret)).await.unwrap().handle.clone()
    };
    let before = make("before").await;
    let beside = open(&location, &old).await.unwrap();
    beside.begin_rotation(&new).await.unwrap();
    // This process has not heard of the new keys, and must not seal with the former ones.
    let meanwhile = make("meanwhile").await;
    assert_eq!(beside.reseal().await.unwrap(), 1, "only the one from before");
    beside.end_rotation(&new).await.unwrap();
    for (handle, secret) in [(before, "before"), (meanwhile, "meanwhile")] {
        let caller = server.caller("wallee", &handle).await.unwrap();
        assert_eq!(caller.signing_secret().unwrap(), secret.as_bytes());
    }
    assert!(matches!(open(&location, &old).await, Err(Locked::WrongMasterKey)));
}
