//! A tour through what Patron does with a database: every command, and calls that read and write
//! in every way. For databases that are set up otherwise than those of other tests.

use serde_json::{Value, json};

use crate::program::{Running, succeed};

use super::{assert_agreed, patron_on};

/// More customers than a chunk of a result has rows.
const MANY: usize = 300;

/// Goes the tour. Afterwards the database holds a space with its journal, and one that is deleted.
pub async fn go(url: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let run = |words: &[&str]| succeed(patron_on(url).args(words));
    let key = super::new_space(url);
    run(&["migrate"]);
    let running = Running::serve_on(patron_on(url).arg("serve")).await;
    calls(&running, &key).await;
    let rows = (0..MANY).map(|n| format!("imported-{n},Import {n}\n")).collect::<String>();
    std::fs::write(file("in.csv"), format!("reference,full_name\n{rows}")).unwrap();
    run(&["import", &file("in.csv"), "--space", "1"]);
    run(&["export", &file("out.csv"), "--space", "1"]);
    assert!(std::fs::read_to_string(file("out.csv")).unwrap().lines().count() > MANY);
    let found = "/v1/customers?full_name[contains]=port%207&total=true";
    let found = running.native(&key, "GET", found, None).await.expect(200).json();
    assert_eq!(found["total"], 11, "{found}");
    let made: Value = serde_json::from_str(&run(&["key", "create", "--space", "1"])).unwrap();
    let number = made["number"].to_string();
    run(&["key", "list"]);
    run(&["key", "rotate", &number]);
    run(&["key", "revoke", &number]);
    running.get("/readyz").await.expect(200);
    drop(running);
    run(&["space", "create", "Second"]);
    run(&["space", "delete", "2", "--dry-run"]);
    run(&["space", "delete", "2", "--export", &file("space.export"), "--yes"]);
    run(&["audit"]);
    run(&["compact"]);
    run(&["backup", &file("backup")]);
    assert_agreed(url);
}

async fn calls(running: &Running, key: &str) {
    let call = async |method, path: &str, body: Option<Value>| {
        let answer = running.native(key, method, &format!("/v1{path}"), body).await;
        assert!(answer.status < 300, "{method} {path}: {}", answer.text());
        answer.json()
    };
    let body = json!({"reference": "a", "email": "ann@example.com", "full_name": "Ann Müller",
        "addresses": [{"city": "Bern", "country": "CH"}]});
    let first = call("POST", "/customers", Some(body)).await["number"].to_string();
    let second = call("POST", "/customers", Some(json!({"full_name": "Ann Other"}))).await;
    let second = second["number"].clone();
    let path = format!("/customers/{first}");
    call("PATCH", &path, Some(json!({"full_name": "Ann Meier", "phone": null}))).await;
    call("PATCH", &path, Some(json!({"metadata": {"a": 1}}))).await;
    // Another one has this reference: refused, with a way back in the transaction.
    let taken = Some(json!({"reference": "a"}));
    let taken = running.native(key, "POST", "/v1/customers", taken).await;
    assert_eq!(taken.status, 409, "{}", taken.text());
    call("POST", &format!("{path}/comments"), Some(json!({"content": "Called."}))).await;
    call("GET", "/customers?q=ann&total=true", None).await;
    call("GET", "/customers?reference=a", None).await;
    call("GET", "/customers?sort=-created_at&limit=1", None).await;
    call("GET", &format!("{path}/history"), None).await;
    call("GET", "/events", None).await;
    call("POST", &format!("{path}/merge"), Some(json!({"absorb": second}))).await;
    running.native(key, "DELETE", &format!("/v1{path}"), None).await.expect(204);
}
