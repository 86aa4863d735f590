//! A space is deleted by command: exported first, gone for good, and back from its export.

use std::path::Path;

use serde_json::{Value, json};

use crate::program::{Running, patron, succeed};

const PLANTED: &str = "plantedperson";

/// Files of a folder that hold a text.
fn files_with(folder: &Path, text: &str) -> Vec<String> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let bytes = std::fs::read(entry.path()).unwrap();
        if bytes.windows(text.len()).any(|window| window == text.as_bytes()) {
            files.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn a_space_deleted_by_command_is_gone_from_every_file_and_works_from_its_export() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("space.export"));
    let run = |args: &[&str]| succeed(patron().args(args).arg("--data").arg(&data));
    run(&["space", "create", "Neighbour"]);
    let keys: Value = serde_json::from_str(&run(&["space", "create", "Second", "--json"])).unwrap();
    let key = keys["native"]["api_key"].as_str().unwrap();
    // So that the journal can be searched.
    let mut serve = patron();
    serve.args(["serve", "--data"]).arg(&data).env("PATRON__STORE__PACK_DOCUMENTS", "false");
    let running = Running::serve_on(&mut serve).await;
    for n in 0..40 {
        let body = json!({"given_name": PLANTED, "description": PLANTED.repeat(250)});
        let made = running.native(key, "POST", "/v1/customers", Some(body)).await.expect(201);
        let one = format!("/v1/customers/{}", made.json()["number"]);
        let body = json!({"title": format!("{PLANTED} {n}")});
        running.native(key, "PATCH", &one, Some(body)).await.expect(200);
    }
    let before = running.native(key, "GET", "/v1/customers?limit=200", None).await.json();
    // Nothing happens by accident.
    let export = file.display().to_string();
    for args in [
        &["space", "delete", "2"][..],
        &["space", "delete", "2", "--yes"],
        &["space", "delete", "2", "--export", &export],
        &["space", "delete", "9", "--export", &export, "--yes"],
    ] {
        let refused = patron().args(args).arg("--data").arg(&data).output().unwrap();
        assert!(!refused.status.success(), "{args:?}");
    }
    let dry: Value = serde_json::from_str(&run(&["space", "delete", "2", "--dry-run"])).unwrap();
    assert_eq!((&dry["counts"]["customer"], &dry["counts"]["journal"]), (&json!(40), &json!(80)));
    running.native(key, "GET", "/v1/customers", None).await.expect(200);
    let said = run(&["space", "delete", "2", "--export", &export, "--yes"]);
    let receipt: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(receipt["counts"], dry["counts"], "{receipt}");
    assert!(!said.contains(PLANTED), "{said}");
    running.native(key, "GET", "/v1/customers", None).await.expect(401);
    let ended = std::fs::read_to_string(&file).unwrap();
    let hash = receipt["export_sha256"].as_str().unwrap();
    assert!(ended.lines().last().unwrap().contains(hash), "the export says its hash");
    // The trail keeps the receipt, without the name.
    let told = run(&["audit", "--space", "2", "--export", "ndjson"]);
    assert!(told.contains(hash) && told.contains("space.purged") && !told.contains(PLANTED));
    // Beside a running server and after it: no byte is left once the file is compacted.
    run(&["compact"]);
    drop(running);
    assert_eq!(files_with(&data, PLANTED), Vec::<String>::new());
    assert!(run(&["check"]).contains("Everything agrees."));
    run(&["backup", &folder.path().join("later").display().to_string()]);
    assert!(!std::fs::read_to_string(folder.path().join("later")).unwrap().contains(PLANTED));
    // The export is a deployment of its own: same keys, same records.
    let copy = folder.path().join("copy");
    let said = succeed(patron().args(["restore", &export, "--data"]).arg(&copy));
    assert!(said.contains("Everything agrees."), "{said}");
    std::fs::copy(data.join("master.key"), copy.join("master.key")).unwrap();
    let running = Running::serve(&copy).await;
    let after = running.native(key, "GET", "/v1/customers?limit=200", None).await.expect(200);
    assert_eq!(after.json(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_killed_on_the_way_is_finished_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let run = |args: &[&str]| succeed(patron().args(args).arg("--data").arg(data));
    run(&["space", "create", "Shop"]);
    run(&["space", "create", "Second"]);
    let rows: String = (0..6_000).map(|n| format!("{PLANTED}{n},p{n}@x.example\n")).collect();
    let file = folder.path().join("in.csv");
    std::fs::write(&file, format!("given_name,email\n{rows}")).unwrap();
    run(&["import", "--space", "2", &file.display().to_string()]);
    std::fs::remove_file(&file).unwrap();
    let mut delete = patron();
    delete.args(["space", "delete", "2", "--without-export", "--yes", "--data"]).arg(data);
    let mut child = delete.stdout(std::process::Stdio::null()).spawn().unwrap();
    // Killed once the space is marked, most likely with rows left.
    while !run(&["audit", "--space", "2"]).contains("space.deleted") {
        tokio::task::yield_now().await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let running = Running::serve(data).await;
    while !run(&["audit", "--space", "2"]).contains("space.purged") {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    drop(running);
    let backup = folder.path().join("backup");
    run(&["backup", &backup.display().to_string()]);
    assert!(!std::fs::read_to_string(&backup).unwrap().contains(PLANTED));
    assert!(run(&["check"]).contains("Everything agrees."));
}
