//! Data of earlier versions.
//!
//! Version `4f251e6` (layout 1, `tests/layout1`): a sandbox with one customer more, a saved card
//! and two answers under idempotency keys. What could be tried out is gone after the migration,
//! secrets have left the journal, everything else is as it was.
//!
//! Version `b53697f` (layout 2, `tests/layout2`): a sandbox with two customers more, one of which
//! the other took over with its comment, a comment that was deleted, a saved card, and an answer
//! under an idempotency key for each step. Repeats are answered as before, histories show the same.
//!
//! Version `308deaf` (layout 3, `tests/layout3`): the data of layout 2, brought to layout 3 by that
//! version. Documents are text, and are packed when they are written again.
//!
//! The same version (`tests/layout3_keys`): a space with a key for each API, and native 7
//! (the role support, cut), wallee 8 (read only) rotated to 9, native 10 (revoked), and Verifone 11
//! for the whole account; `keys.json` has the secrets of the first seven. Keys get users.

use std::path::{Path, PathBuf};

use patron_store::{Location, Store};
use serde_json::{Value, json};

use crate::postgres::{database, patron_on};
use crate::program::{KEY, Running, patron, succeed};

/// What the old program kept: the fingerprint of the request with the card, a sealed secret, the
/// hash of a secret that is no handle too.
const FINGERPRINT: &str = "ac7b9f5dad5dfe1a7cd5c3ccb084933547013d36353705744dace224ed316c77";
const SEALED: &str = "VXx/gNYXFOaK7jhzih/mCZxyNLxkHLgOwTysI3FyzmRY2ctMT03KLY77rDpgjpuT";

/// Brings a journal back to what it was before layout 3.
const WITHOUT_RELATED: &str = "DROP TABLE mention; ALTER TABLE journal DROP COLUMN related;
    ALTER TABLE journal RENAME COLUMN subject TO root;";

/// A file of the old program.
fn fixture_of(layout: &str, name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(layout).join(name)
}

fn fixture(name: &str) -> PathBuf {
    fixture_of("layout1", name)
}

fn master_key() -> String {
    std::fs::read_to_string(fixture("master.key")).unwrap()
}

/// A data folder with files of the old program.
fn folder_with(files: &[&str]) -> tempfile::TempDir {
    folder_of("layout1", files)
}

fn folder_of(layout: &str, files: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in files {
        let to = folder.path().join(file);
        std::fs::copy(fixture_of(layout, file), &to).unwrap();
        succeed(std::process::Command::new("chmod").arg("600").arg(&to));
    }
    folder
}

fn lines_of(dump: &str, kind: &str) -> Vec<Value> {
    let lines = dump.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["record"]["kind"] == kind || !line[kind].is_null()).collect()
}

/// What a dump of the migrated data must and must not hold.
fn assert_migrated(dump: &str) {
    assert_eq!(lines_of(dump, "answer"), Vec::<Value>::new());
    let counts =
        ["customer", "comment", "payment_method", "account", "space", "key", "secret", "keyring"];
    let counts = counts.map(|kind| lines_of(dump, kind).len());
    assert_eq!(counts, [6, 1, 1, 1, 1, 6, 6, 1]);
    for text in [FINGERPRINT, SEALED] {
        assert!(!dump.contains(text), "{text}");
    }
    for line in dump.lines().filter(|line| !line.contains(r#""kind":"secret""#)) {
        assert!(!line.contains("hashed") && !line.contains("sealed"), "{line}");
    }
}

/// Keys of every sort open it, and a saved card is known again.
async fn assert_usable(running: &Running) {
    let found = running.native(KEY, "GET", "/v1/customers/1001", None).await.expect(200).json();
    assert_eq!(found["full_name"], "Kept Person");
    let card = json!({"type": "card", "card": {"number": "4242424242424242", "expiry_month": 12,
        "expiry_year": 2031}});
    let path = "/v1/customers/1/payment-methods";
    let known = running.native(KEY, "POST", path, Some(card)).await.expect(200).json();
    assert_eq!(known["number"], 2001);
    let history = running.native(KEY, "GET", "/v1/customers/1/history", None).await.expect(200);
    assert!(!history.json()["data"].as_array().unwrap().is_empty());
    for dialect in crate::api::ALL {
        let printed = succeed(patron().args(["sandbox", "--print"]));
        let keys: Value = serde_json::from_str(&printed).unwrap();
        let target = match dialect.name {
            "wallee" => "/api/v2.0/customers?limit=1",
            "monri" => "/v2/customers?limit=1",
            "verifone" => "/oidc/customer-service/v2/customer?search=billing.last_name==Lovelace",
            _ => continue,
        };
        let request = patron_gateway::SignRequest {
            credentials: &keys[dialect.name],
            method: "GET",
            target,
            body: "",
            now: patron_app::Clock::System.now(),
        };
        let headers = (dialect.credentials.sign)(&request).unwrap().into_iter();
        let headers: Vec<_> = headers.map(|(name, value)| (name.to_owned(), value)).collect();
        running.client.send(&running.base_url, "GET", target, &headers, b"").await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_file_of_layout_1_is_migrated() {
    let folder = folder_with(&["patron.db", "master.key"]);
    let holds = |text: &str| {
        let bytes = std::fs::read(folder.path().join("patron.db")).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    };
    assert!(holds(FINGERPRINT) && holds(SEALED), "the search would find them");
    let mut serve = patron();
    serve.args(["serve", "--allow-sandbox-keys", "--data"]).arg(folder.path());
    // So that the file can be searched.
    serve.env("PATRON__STORE__PACK_DOCUMENTS", "false");
    let running = Running::serve_on(&mut serve).await;
    assert_usable(&running).await;
    let backup = folder.path().join("backup");
    succeed(patron().arg("backup").arg(&backup).arg("--data").arg(folder.path()));
    assert_migrated(&std::fs::read_to_string(&backup).unwrap());
    drop(running);
    let said = succeed(patron().arg("check").arg("--data").arg(folder.path()));
    assert!(said.contains("Everything agrees."), "{said}");
    assert!(said.contains("opens everything that was sealed"), "{said}");
    assert!(!holds(FINGERPRINT) && !holds(SEALED), "not in free parts of the file either");
}

#[tokio::test(flavor = "multi_thread")]
async fn data_of_before_with_another_key_is_refused_and_left_alone() {
    let folder = folder_with(&["patron.db"]);
    let mut list = patron();
    list.args(["key", "list", "--data"]).arg(folder.path());
    let said = String::from_utf8(list.output().unwrap().stderr).unwrap();
    assert!(said.contains("master.key is missing"), "{said}");
    let other = patron_app::secrets::MasterKey::random().to_text();
    let output = list.env("PATRON__SECRETS__MASTER_KEY", other).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("is not the one"), "{said}");
    let listed = succeed(list.env("PATRON__SECRETS__MASTER_KEY", master_key().trim()));
    assert!(listed.contains("wallee"), "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_before_is_restored_without_its_answers() {
    let folder = folder_with(&["patron.backup", "master.key"]);
    let (file, data) = (folder.path().join("patron.backup"), folder.path().join("data"));
    let said = succeed(patron().arg("restore").arg(&file).arg("--data").arg(&data));
    assert!(said.contains("Everything agrees.") && !said.contains("answer"), "{said}");
    std::fs::copy(folder.path().join("master.key"), data.join("master.key")).unwrap();
    let mut serve = patron();
    serve.args(["serve", "--allow-sandbox-keys", "--data"]).arg(&data);
    let running = Running::serve_on(&mut serve).await;
    assert_usable(&running).await;
    let backup = folder.path().join("again");
    succeed(patron().arg("backup").arg(&backup).arg("--data").arg(&data));
    assert_migrated(&std::fs::read_to_string(&backup).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_layout_1_is_migrated() {
    let Some((_server, _, url)) = database().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let on = || {
        let mut command = patron_on(&url);
        command.env("PATRON__SECRETS__MASTER_KEY", master_key().trim());
        command
    };
    succeed(on().arg("restore").arg(fixture("patron.backup")));
    // As the old program leaves it: its layout, and an answer that could be tried out.
    let (beside, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let sql = format!(
        "{WITHOUT_RELATED} UPDATE meta SET value = '1' WHERE name = 'schema';
         INSERT INTO answer
         VALUES (1, 'card-1', 'create_payment_method', '{FINGERPRINT}', '{{}}', 1)"
    );
    beside.batch_execute(&sql).await.unwrap();
    let running = Running::serve_on(on().args(["serve", "--allow-sandbox-keys"])).await;
    assert_usable(&running).await;
    let backup = folder.path().join("backup");
    succeed(on().arg("backup").arg(&backup));
    assert_migrated(&std::fs::read_to_string(&backup).unwrap());
    let said = succeed(on().arg("check"));
    assert!(said.contains("opens everything that was sealed"), "{said}");
    let held = beside.query_one("SELECT value FROM meta WHERE name = 'schema'", &[]).await.unwrap();
    assert_eq!(held.get::<_, String>(0), "6");
    let location = Location::Postgres(url.clone());
    assert!(Store::exists(&location, &patron_store::Options::default()).await.unwrap());
}

/// A request to version `b53697f` under its idempotency key, once more and byte for byte.
async fn repeated(running: &Running, key: &str, method: &str, path: &str, body: &str) -> Value {
    let headers = [
        ("authorization".to_owned(), format!("Bearer {KEY}")),
        ("idempotency-key".to_owned(), key.to_owned()),
        ("content-type".to_owned(), "application/json".to_owned()),
    ];
    let sent = running.client.send(&running.base_url, method, path, &headers, body.as_bytes());
    let answer = sent.await;
    assert_eq!(answer.header("idempotency-replayed"), "true", "{key}: {}", answer.text());
    if answer.text().is_empty() { Value::Null } else { answer.json() }
}

/// Every step that was answered is answered in the same way, and histories show what happened.
async fn assert_remembered(running: &Running) {
    let all = "/v1/customers";
    let one = "/v1/customers/1001";
    let kept = r#"{"full_name":"Kept Person","reference":"kept-1","email":"kept@example.com"}"#;
    let kept = repeated(running, "keep-1", "POST", all, kept).await;
    assert_eq!((&kept["number"], &kept["version"]), (&json!(1001), &json!(1)));
    assert!(kept.get("company_name").is_none(), "as it was then: {kept}");
    let content = r#"{"content":"Said under layout 2"}"#;
    let said = repeated(running, "say-1", "POST", &format!("{one}/comments"), content).await;
    assert_eq!((&said["number"], &said["version"]), (&json!(1003), &json!(1)));
    let card = concat!(
        r#"{"type":"card","card":{"number":"4242424242424242","#,
        r#""expiry_month":12,"expiry_year":2031}}"#
    );
    let saved = repeated(running, "card-1", "POST", &format!("{one}/payment-methods"), card).await;
    assert_eq!((&saved["number"], &saved["last_four"]), (&json!(1005), &json!("4242")));
    let company = r#"{"company_name":"Kept Ltd"}"#;
    let changed = repeated(running, "change-1", "PATCH", one, company).await;
    assert_eq!((&changed["company_name"], &changed["version"]), (&json!("Kept Ltd"), &json!(2)));
    repeated(running, "unsay-1", "DELETE", &format!("{one}/comments/1003"), "").await;
    let absorb = r#"{"absorb":1002}"#;
    let merged = repeated(running, "merge-1", "POST", &format!("{one}/merge"), absorb).await;
    // An outcome of layout 2 was about one record.
    assert_eq!((&merged["version"], merged.get("merge")), (&json!(3), None));
    let wanted = [
        "merge.created 1006",
        "comment.moved 1004",
        "customer.merged 1001",
        "customer.absorbed 1002",
        "comment.deleted 1003",
        "customer.updated 1001",
        "payment_method.created 1005",
        "comment.created 1003",
        "customer.created 1001",
    ];
    assert_eq!(told(running, one).await, wanted);
    // The merge is in the history of the one that went too, though layout 2 did not say so.
    let wanted = [
        "merge.created 1006",
        "customer.absorbed 1002",
        "comment.created 1004",
        "customer.created 1002",
    ];
    assert_eq!(told(running, "/v1/customers/1002").await, wanted);
    // A child's history follows it from one customer to the other.
    let told_of_child = told(running, &format!("{one}/comments/1004")).await;
    assert_eq!(told_of_child, ["comment.moved 1004", "comment.created 1004"]);
    let told_of_child = told(running, &format!("{one}/payment-methods/1005")).await;
    assert_eq!(told_of_child, ["payment_method.created 1005"]);
}

async fn told(running: &Running, record: &str) -> Vec<String> {
    let history = running.native(KEY, "GET", &format!("{record}/history"), None).await.expect(200);
    let history = history.json();
    let told = history["data"].as_array().unwrap().iter();
    told.map(|e| format!("{} {}", e["type"].as_str().unwrap(), e["number"])).collect()
}

fn serve_on_data(folder: &Path) -> std::process::Command {
    let mut serve = patron();
    serve.args(["serve", "--allow-sandbox-keys", "--data"]).arg(folder);
    serve
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_file_of_layout_2_is_opened() {
    let folder = folder_of("layout2", &["patron.db", "master.key"]);
    let running = Running::serve_on(&mut serve_on_data(folder.path())).await;
    assert_remembered(&running).await;
    drop(running);
    let said = succeed(patron().arg("check").arg("--data").arg(folder.path()));
    assert!(said.contains("Everything agrees."), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_layout_2_is_restored() {
    let folder = folder_of("layout2", &["patron.backup", "master.key"]);
    let (file, data) = (folder.path().join("patron.backup"), folder.path().join("data"));
    let said = succeed(patron().arg("restore").arg(&file).arg("--data").arg(&data));
    assert!(said.contains("Everything agrees."), "{said}");
    std::fs::copy(folder.path().join("master.key"), data.join("master.key")).unwrap();
    let running = Running::serve_on(&mut serve_on_data(&data)).await;
    assert_remembered(&running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_layout_2_is_migrated() {
    let Some((_server, _, url)) = database().await else { return };
    let on = || {
        let mut command = patron_on(&url);
        let key = std::fs::read_to_string(fixture_of("layout2", "master.key")).unwrap();
        command.env("PATRON__SECRETS__MASTER_KEY", key.trim());
        command
    };
    succeed(on().arg("restore").arg(fixture_of("layout2", "patron.backup")));
    let (beside, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    // As the old program leaves it.
    let sql = format!("{WITHOUT_RELATED} UPDATE meta SET value = '2' WHERE name = 'schema';");
    beside.batch_execute(&sql).await.unwrap();
    let running = Running::serve_on(on().args(["serve", "--allow-sandbox-keys"])).await;
    assert_remembered(&running).await;
    drop(running);
    assert!(succeed(on().arg("check")).contains("Everything agrees."));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_file_of_layout_3_is_opened_and_packed_by_reindex() {
    let folder = folder_of("layout3", &["patron.db", "master.key"]);
    let data = folder.path();
    let holds = |text: &str| {
        let bytes = std::fs::read(data.join("patron.db")).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    };
    let run = |args: &[&str]| succeed(patron().args(args).arg("--data").arg(data));
    // A member that no face has.
    let member = r#","email_since":"#;
    assert!(holds(member), "the search would find it");
    let running = Running::serve_on(&mut serve_on_data(data)).await;
    assert_remembered(&running).await;
    drop(running);
    run(&["backup", &data.join("before").display().to_string()]);
    let said = run(&["reindex"]);
    assert!(said.contains("7 made anew"), "{said}");
    assert!(run(&["reindex"]).contains("0 made anew"), "{said}");
    run(&["backup", &data.join("after").display().to_string()]);
    let records = |name: &str| {
        let dump = std::fs::read_to_string(data.join(name)).unwrap();
        lines_of(&dump, "customer")
    };
    assert_eq!(records("before"), records("after"));
    assert!(run(&["check"]).contains("Everything agrees."));
    let running = Running::serve_on(&mut serve_on_data(data)).await;
    assert_remembered(&running).await;
}

/// Credentials of the fixture, by name.
fn kept_keys() -> Value {
    let text = std::fs::read_to_string(fixture_of("layout3_keys", "keys.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Every key has the user it is to have, who may do what the key might.
async fn assert_peopled(running: &Running) {
    let keys = kept_keys();
    let admin = keys["all"]["native"]["api_key"].as_str().unwrap();
    let listed = running.native(admin, "GET", "/v1/keys", None).await.expect(200).json();
    let mut listed = listed["data"].as_array().unwrap().clone();
    listed.reverse();
    let of = |key: &Value| (key["number"].as_i64().unwrap(), key["user"].as_i64().unwrap());
    let users: Vec<(i64, i64)> = listed.iter().map(of).collect();
    // The ninth is a further secret of the eighth's user; each other one has its own number.
    let wanted: Vec<(i64, i64)> = (1..=11).map(|n| (n, if n == 9 { 8 } else { n })).collect();
    assert_eq!(users, wanted);
    let roles: Vec<i64> = listed.iter().map(|key| key["role"].as_i64().unwrap()).collect();
    assert_eq!(roles, [6, 2, 6, 6, 6, 6, 3, 5, 5, 2, 6]);
    assert_eq!(listed[6]["permissions"], json!(["customer:read", "comment:write"]));
    assert_eq!((&listed[9]["state"], &listed[0]["state"]), (&json!("revoked"), &json!("active")));
    let held =
        running.native(admin, "GET", "/v1/assignments?role=6", None).await.expect(200).json();
    let held = held["data"].as_array().unwrap().clone();
    assert_eq!(held.len(), 6);
    // The newest first: a key for the whole account, and keys of a new account are such keys too.
    assert!(held.iter().all(|one| one["space"].is_null() && one["subaccounts"] == true));
    let user = running.native(admin, "GET", "/v1/users/7", None).await.expect(200).json();
    assert_eq!((&user["kind"], &user["name"]), (&json!("application"), &json!("helper")));
    // The next user gets a number that neither a key nor a user has.
    let body = json!({"kind": "application", "name": "next"});
    let next = running.native(admin, "POST", "/v1/users", Some(body)).await.expect(201).json();
    assert!(next["number"].as_i64().unwrap() > 11, "{next}");
    let capped = keys["capped"]["native"]["api_key"].as_str().unwrap();
    running.native(capped, "GET", "/v1/customers", None).await.expect(200);
    running.native(capped, "GET", "/v1/events", None).await.expect(403);
    for dialect in crate::api::ALL {
        let (method, target) = match dialect.name {
            "wallee" => ("GET", "/api/v2.0/customers?limit=1"),
            "monri" => ("GET", "/v2/customers?limit=1"),
            "verifone" => ("GET", "/v2/customer?search=billing.last_name==Lovelace"),
            "notchpay" => ("GET", "/customers"),
            _ => continue,
        };
        let request = patron_gateway::SignRequest {
            credentials: &keys["all"][dialect.name],
            method,
            target,
            body: "",
            now: patron_app::Clock::System.now(),
        };
        let headers = (dialect.credentials.sign)(&request).unwrap().into_iter();
        let headers: Vec<_> = headers.map(|(name, value)| (name.to_owned(), value)).collect();
        running.client.send(&running.base_url, method, target, &headers, b"").await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_a_data_file_of_layout_3_get_users() {
    let folder = folder_of("layout3_keys", &["patron.db", "master.key"]);
    let serve = || {
        let mut serve = patron();
        serve.args(["serve", "--data"]).arg(folder.path());
        serve
    };
    let running = Running::serve_on(&mut serve()).await;
    assert_peopled(&running).await;
    drop(running);
    let said = succeed(patron().arg("check").arg("--data").arg(folder.path()));
    assert!(said.contains("Everything agrees."), "{said}");
    // A second start finds nothing to do.
    let backup = folder.path().join("backup");
    succeed(patron().arg("backup").arg(&backup).arg("--data").arg(folder.path()));
    let dump = std::fs::read_to_string(&backup).unwrap();
    assert_eq!(lines_of(&dump, "user").len(), 11);
    assert_eq!(lines_of(&dump, "assignment").len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_a_database_of_layout_3_get_users() {
    let Some((_server, _, url)) = database().await else { return };
    let on = || {
        let mut command = patron_on(&url);
        let key = std::fs::read_to_string(fixture_of("layout3_keys", "master.key")).unwrap();
        command.env("PATRON__SECRETS__MASTER_KEY", key.trim());
        command
    };
    succeed(on().arg("restore").arg(fixture_of("layout3_keys", "patron.backup")));
    let running = Running::serve_on(on().arg("serve")).await;
    assert_peopled(&running).await;
    drop(running);
    assert!(succeed(on().arg("check")).contains("Everything agrees."));
}
