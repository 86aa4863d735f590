//! Who may read what the program writes, and what it does with a folder that is none.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use patron_testkit::client::Client;
use serde_json::{Value, json};

use crate::postgres::{database, patron_on};
use crate::program::{Log, Running, free_address, patron, succeed};

/// The program under an umask that keeps nobody out.
fn careless() -> Command {
    let mut command = Command::new("sh");
    let program = patron().get_program().to_owned();
    command.env_remove("PATRON_TEST_ENGINE");
    command.args(["-c", "umask 000; exec \"$@\"", "sh"]).arg(program);
    command
}

/// Every file and folder below one, with its mode.
fn modes(folder: &Path) -> Vec<(String, bool, u32)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let held = std::fs::symlink_metadata(&path).unwrap();
        let mode = held.permissions().mode() & 0o777;
        found.push((path.display().to_string(), held.is_dir(), mode));
        if held.is_dir() {
            found.extend(modes(&path));
        }
    }
    found
}

fn assert_private(folder: &Path, files: &[&str]) {
    let found = modes(folder);
    for (path, is_folder, mode) in &found {
        assert_eq!(mode & 0o077, 0, "{path} has mode {mode:o} (folder: {is_folder})");
    }
    for file in files {
        assert!(found.iter().any(|(path, ..)| path.ends_with(file)), "no {file} in {found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_written_is_readable_by_its_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    // The sandbox makes its folder, and writes while it runs.
    let address = free_address();
    let mut sandbox = careless();
    sandbox.args(["sandbox", "--listen", &address, "--data"]).arg(at("sandbox"));
    let child = sandbox.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut child = child.unwrap();
    let out = child.stdout.take().unwrap();
    let base_url = format!("http://{address}");
    let operations_url = base_url.clone();
    let (client, log) = (Client::new(), Log::default());
    let running = Running { child, base_url, operations_url, client, log };
    assert!(running.until_ready(out).0);
    let body = Some(json!({"title": "x"}));
    running.native(crate::program::KEY, "POST", "/v1/customers", body).await.expect(201);
    assert_private(folder.path(), &["patron.db", "patron.db-wal", "patron.db-shm", "base_url"]);
    drop(running);
    let data = at("deep/data");
    let run = |line: &[&str]| succeed(careless().args(line).arg("--data").arg(&data));
    let keys: Value = serde_json::from_str(&run(&["space", "create", "Shop", "--json"])).unwrap();
    run(&["key", "create", "--space", "1"]);
    let running = Running::serve_on(careless().args(["serve", "--data"]).arg(&data)).await;
    let key = keys["native"]["api_key"].as_str().unwrap();
    running.native(key, "POST", "/v1/customers", Some(json!({"title": "x"}))).await.expect(201);
    let people = at("people.csv");
    std::fs::write(&people, "reference,email\nr-1,p@example.com\nr-2,nope\n").unwrap();
    std::fs::set_permissions(&people, Permissions::from_mode(0o600)).unwrap();
    // Files that are there already, for everybody, become private too.
    let verdicts = at("verdicts");
    std::fs::write(&verdicts, "old").unwrap();
    std::fs::set_permissions(&verdicts, Permissions::from_mode(0o666)).unwrap();
    let path = |name: &str| at(name).display().to_string();
    run(&["import", &path("people.csv"), "--space", "1", "--verdicts", &path("verdicts")]);
    run(&["export", &path("out.csv"), "--space", "1"]);
    run(&["export", &path("out.ndjson"), "--space", "1"]);
    run(&["backup", &path("backup")]);
    run(&["check"]);
    run(&["migrate"]);
    run(&["key", "rotate-master"]);
    let restored = at("restored");
    succeed(careless().args(["restore", &path("backup"), "--data"]).arg(&restored));
    assert_private(
        folder.path(),
        &[
            "master.key",
            "people.csv.refused.ndjson",
            "verdicts",
            "out.csv",
            "out.ndjson",
            "backup",
            "data/patron.db-wal",
            "restored/patron.db",
        ],
    );
    drop(running);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_file_that_others_can_read_is_mended() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    succeed(patron().args(["space", "create", "Shop", "--data"]).arg(&data));
    let file = data.join("patron.db");
    std::fs::set_permissions(&file, Permissions::from_mode(0o666)).unwrap();
    succeed(patron().args(["key", "list", "--data"]).arg(&data));
    assert_private(&data, &["patron.db"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_on_a_place_that_is_none_fail_and_make_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (out, people) = (folder.path().join("out.ndjson"), folder.path().join("people.csv"));
    std::fs::write(&people, "reference\nr-1\n").unwrap();
    let (out, people) = (out.display().to_string(), people.display().to_string());
    let lines: [&[&str]; 15] = [
        &["key", "list"],
        &["key", "create", "--space", "1"],
        &["key", "revoke", "1"],
        &["key", "rotate-master"],
        &["export", &out, "--space", "1"],
        &["import", &people, "--space", "1"],
        &["backup", &out],
        &["check"],
        &["migrate"],
        &["compact"],
        &["space", "delete", "1", "--without-export", "--yes"],
        &["audit"],
        &["space", "list"],
        &["space", "show", "1"],
        &["space", "archive", "1"],
    ];
    let before = modes(folder.path());
    let nowhere = folder.path().join("nowhere");
    let refuse = |command: &mut Command| {
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{command:?}");
        assert!(said.contains("there is no deployment at"), "{said}");
    };
    for line in lines {
        refuse(patron().args(line).arg("--data").arg(&nowhere));
        assert_eq!(modes(folder.path()), before, "{line:?} made something");
    }
    let Some((_server, _, url)) = database().await else { return };
    let (beside, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    for line in lines {
        refuse(patron_on(&url).args(line));
        let made = "SELECT 1 FROM pg_tables WHERE schemaname = 'public'";
        assert!(beside.query(made, &[]).await.unwrap().is_empty(), "{line:?} made a table");
        assert_eq!(modes(folder.path()), before, "{line:?} made something");
    }
}
