//! The audit trail of the whole: refusals and reads in every API, and what the operator does on the
//! command line.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use patron_app::{
    audit::{self, Wanted},
    keys,
};
use patron_gateway::Access;
use patron_model::{
    audit::{AuditActor, AuditEntry},
    space::Key,
};
use patron_testkit::TestServer;
use serde_json::{Value, json};

use crate::api::{ALL, call, create, create_path};
use crate::isolation::planted;
use crate::program::{Running, patron, succeed};

/// Entries of an action, once everything is written.
async fn entries(server: &TestServer, action: &str) -> Vec<AuditEntry> {
    server.app.finish_audit().await;
    let wanted = Wanted { action: Some(action.to_owned()), ..Wanted::default() };
    let cx = server.app.operator(0, "test");
    let page = audit::list(&cx, &wanted, None, 1_000).await.unwrap();
    page.items.into_iter().map(|entry| entry.record).collect()
}

/// The keys of the first space, by API.
async fn keys_of(server: &TestServer) -> Vec<Key> {
    keys::list(&server.app.operator(0, "test"), None).await.unwrap()
}

#[tokio::test]
async fn every_api_tells_of_refused_sign_ins_which_key_was_claimed() {
    let server = TestServer::start(&ALL).await;
    let mine = server.all_credentials().clone();
    let numbers: Vec<i64> = keys_of(&server).await.iter().map(|key| key.number).collect();
    for number in &numbers {
        keys::revoke(&server.app.operator(0, "test"), *number).await.unwrap();
    }
    for api in ALL {
        // Signed with a right key that is no good any more; the agent holds a card number.
        let path = create_path(api.name, &mine);
        let agent = [("user-agent", "4111111111111111"), ("x-request-id", api.name)];
        let own = &mine[api.name];
        server.call_with(api, own, "POST", &path, &agent, Some(json!({}))).await.expect(401);
    }
    let told = entries(&server, "sign_in.refused").await;
    assert_eq!(told.len(), ALL.len(), "{told:#?}");
    for api in ALL {
        let of_api = told.iter().find(|entry| entry.via == api.name).unwrap();
        let key = keys_of(&server).await.into_iter().find(|key| key.dialect == api.name).unwrap();
        let AuditActor::Stranger { number, claimed } = &of_api.actor else { panic!("{of_api:?}") };
        assert_eq!(
            (*number, of_api.account),
            (Some(key.number), Some(key.account)),
            "{}",
            api.name
        );
        assert!(claimed.as_ref().is_some_and(|claimed| claimed.len() == 16));
        assert_eq!(of_api.request, api.name);
        let text = serde_json::to_string(of_api).unwrap();
        assert!(!text.contains(&key.handle) || key.handle.len() < 4, "the claim itself: {text}");
        assert!(!text.contains("4111"), "{text}");
    }
    // Nothing at all is a refusal as well, folded by API and client.
    for api in ALL {
        for _ in 0..3 {
            let path = create_path(api.name, &mine);
            server.raw("POST", &path, &[], b"").await.expect(401);
        }
    }
    let told = entries(&server, "sign_in.refused").await;
    let nobody = told.iter().filter(|entry| entry.account.is_none());
    assert_eq!(nobody.clone().filter_map(|entry| entry.count).sum::<u64>(), 3 * ALL.len() as u64);
    assert!(nobody.count() <= 2 * ALL.len());
}

#[tokio::test]
async fn token_endpoints_tell_of_refused_clients() {
    let server = TestServer::start(&ALL).await;
    let mut seen = 0;
    for api in ALL {
        for operation in (api.operations)().iter().filter(|o| o.access == Access::Public) {
            if api.name == "native" || operation.method != http::Method::POST {
                // Persons sign in there: dialects/native/tests/sign_in.rs. What is only read says
                // the same to everybody.
                continue;
            }
            seen += 1;
            let own = server.credentials(api.name);
            let client = own["client_id"].as_str().or(own["authenticity_token"].as_str());
            let client = client.or(own["user_id"].as_str()).unwrap().to_owned();
            let json = json!({"clientId": client, "clientSecret": "wrong", "client_id": client,
                "client_secret": "wrong", "grant_type": "client_credentials",
                "scopes": ["customers"]});
            let form =
                format!("grant_type=client_credentials&client_id={client}&client_secret=wrong");
            let is_form = api.name == "verifone";
            let media =
                if is_form { "application/x-www-form-urlencoded" } else { "application/json" };
            let body = if is_form { form } else { json.to_string() };
            let headers = [("content-type", media)];
            let answer = server.raw("POST", operation.path, &headers, body.as_bytes()).await;
            assert!(answer.status == 400 || answer.status == 401, "{}", answer.text());
            let told = entries(&server, "sign_in.refused").await;
            let of_api: Vec<_> = told.iter().filter(|entry| entry.via == api.name).collect();
            assert_eq!(of_api.len(), 1, "{}: {told:?}", api.name);
            assert_eq!(of_api[0].account, Some(1), "{}: the client is known", api.name);
        }
    }
    assert!(seen >= 3, "the token endpoints");
}

#[tokio::test]
async fn every_api_tells_who_read_whom_where_a_space_wants_it() {
    let server = TestServer::start(&ALL).await;
    let keys = server.all_credentials().clone();
    let made = create(&server, &keys, "native", &planted("seen", 1)).await.expect(201).json();
    let (number, id) = (&made["number"], made["id"].as_str().unwrap());
    let entry = keys["payabli"]["entry"].as_str().unwrap();
    let questions = [
        ("native", format!("/v1/customers/{number}")),
        ("native", "/v1/customers?q=seen".to_owned()),
        ("native", "/v1/events?after=0&expand=record".to_owned()),
        ("wallee", "/api/v2.0/customers".to_owned()),
        ("wallee", "/api/v2.0/customers/search?query=emailAddress%3A~seen".to_owned()),
        ("wallee", format!("/api/v2.0/customers/{number}")),
        ("wallee", format!("/api/v2.0/customers/{number}/addresses")),
        ("wallee", format!("/api/v2.0/customers/{number}/email-addresses")),
        ("verifone", "/v2/customer?search=created_at=ge=2020-01-01".to_owned()),
        ("verifone", format!("/v2/customer/{id}")),
        ("monri", "/v2/customers".to_owned()),
        ("monri", format!("/v2/customers/{id}")),
        ("monri", "/v2/merchants/customers/ref-1".to_owned()),
        ("payabli", format!("/api/Query/customers/{entry}")),
        ("payabli", format!("/api/Query/customers/org/{}", keys["payabli"]["org_id"])),
        ("payabli", format!("/api/Customer/{number}")),
        ("payabli", format!("/api/Export/customers/csv/{entry}")),
        ("notchpay", "/customers".to_owned()),
        ("notchpay", "/customers?search=seen".to_owned()),
        ("notchpay", format!("/customers/cus.{id}")),
    ];
    let ask = async |n: usize| {
        let (api, path) = &questions[n];
        let dialect = ALL.into_iter().find(|dialect| dialect.name == *api).unwrap();
        let request = format!("read-{n}");
        let headers = [("x-request-id", request.as_str())];
        let own = &keys[*api];
        server.call_with(dialect, own, "GET", path, &headers, None).await
    };
    for n in 0..questions.len() {
        ask(n).await;
    }
    assert_eq!(entries(&server, "customer.read").await, vec![], "nobody asked for it");
    let on = Some(json!({"audit_reads": true}));
    call(&server, &keys, "native", "PATCH", "/v1/spaces/1", on).await.expect(200);
    // Callers of before are remembered no longer: the change made everyone forget them.
    let mut shown = 0;
    for (n, (api, path)) in questions.iter().enumerate() {
        let answer = ask(n).await;
        let shows = answer.text().contains("seen");
        shown += usize::from(shows);
        let told = entries(&server, "customer.read").await;
        let is_told = told.iter().any(|entry| entry.request == format!("read-{n}"));
        assert!(is_told || !shows, "{api} {path} is not told");
    }
    assert!(shown + 2 >= questions.len(), "{shown} of {} showed them", questions.len());
    for entry in entries(&server, "customer.read").await {
        let text = serde_json::to_string(&entry).unwrap();
        assert!(!text.contains("seen"), "numbers only: {text}");
        let target = entry.target.unwrap();
        assert_eq!((target.noun.as_str(), target.number), ("customer", number.as_i64()));
    }
}

/// The trail as the operator's command exports it, newest first.
fn trail(data: &std::path::Path) -> Vec<Value> {
    let said = succeed(patron().args(["audit", "--export", "ndjson", "--data"]).arg(data));
    said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_are_told_with_the_operators_name() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let run = |args: &[&str]| succeed(patron().args(args).arg("--data").arg(&data));
    let file = |name: &str| folder.path().join(name).display().to_string();
    let keys: Value =
        serde_json::from_str(&run(&["space", "create", "Hushspace", "--json"])).unwrap();
    run(&["key", "create", "--space", "1", "--name", "hushkey"]);
    run(&["key", "revoke", "2"]);
    std::fs::write(file("in.csv"), "given_name\nAda\nGrace\n").unwrap();
    run(&["import", "--space", "1", &file("in.csv")]);
    run(&["import", "--space", "1", "--dry-run", &file("in.csv")]);
    run(&["export", "--space", "1", &file("out.csv")]);
    run(&["backup", &file("backup")]);
    let told = trail(&data);
    let actions: Vec<&str> = told.iter().map(|e| e["action"].as_str().unwrap()).collect();
    let expected = [
        "audit.exported",
        "deployment.backed_up",
        "customer.exported",
        "customer.imported",
        "key.updated",
        "key.created",
    ];
    assert_eq!(actions[..expected.len()], expected);
    assert_eq!(told[3]["count"], 2);
    assert_eq!(
        (&told[4]["target"]["number"], &told[4]["changed"]),
        (&json!(2), &json!(["revoked_at"]))
    );
    let who = succeed(Command::new("id").arg("-un"));
    for entry in &told {
        assert_eq!(entry["actor"]["kind"], "operator", "{entry}");
        assert_eq!(entry["via"], "command");
        let name = entry["actor"]["name"].as_str().unwrap();
        assert!(!name.is_empty());
        // Behind sudo it is whoever logged in.
        if !std::path::Path::new("/proc/self/loginuid").exists() {
            assert_eq!(name, who.trim());
        }
    }
    let all = told.iter().map(Value::to_string).collect::<String>();
    assert!(!all.to_lowercase().contains("hush") && !all.contains("Ada"), "{all}");
    // A restored copy begins with saying that it is one.
    let restored = folder.path().join("restored");
    succeed(patron().args(["restore", &file("backup"), "--data"]).arg(&restored));
    std::fs::copy(data.join("master.key"), restored.join("master.key")).unwrap();
    let copy = trail(&restored);
    assert_eq!(copy[1]["action"], "deployment.restored");
    assert!(copy.iter().any(|entry| entry["action"] == "customer.imported"));
    let csv = run(&["audit", "--export", "csv", "--action", "key.*"]);
    assert_eq!(csv.lines().filter(|line| line.contains("key.created")).count(), 7, "{csv}");
    let shown = run(&["audit", "--limit", "3", "--outcome", "done"]);
    assert_eq!(shown.lines().count(), 3, "{shown}");
    let wrong = patron().args(["audit", "--outcome", "maybe", "--data"]).arg(&data).output();
    assert!(!wrong.unwrap().status.success());
    drop(keys);
}

#[test]
fn the_trail_can_be_followed() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    succeed(patron().args(["space", "create", "Shop", "--data"]).arg(data));
    let mut follow = patron();
    follow.args(["audit", "--follow", "--limit", "1", "--action", "key.*", "--data"]).arg(data);
    let mut child = follow.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // The latest of before says that it looks.
    assert!(lines.next().unwrap().unwrap().contains("key.created"));
    succeed(patron().args(["space", "create", "Other", "--data"]).arg(data));
    let revoke = ["key", "revoke", "2", "--data"];
    succeed(patron().args(revoke).arg(data));
    let revoked = lines.find(|line| line.as_ref().unwrap().contains("revoked_at"));
    let revoked = revoked.unwrap().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(revoked.contains("of key 2") && !revoked.contains("space.created"), "{revoked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_written_before_a_server_ends() {
    let folder = tempfile::tempdir().unwrap();
    succeed(patron().args(["space", "create", "Shop", "--data"]).arg(folder.path()));
    let mut running = Running::serve(folder.path()).await;
    for _ in 0..20 {
        running.native("patron_wrong", "GET", "/v1/customers", None).await.expect(401);
    }
    let pid = running.child.id().to_string();
    succeed(Command::new("kill").args(["-TERM", &pid]));
    assert!(running.child.wait().unwrap().success());
    let told = trail(folder.path());
    let refused = told.iter().filter(|entry| entry["action"] == "sign_in.refused");
    assert_eq!(refused.clone().filter_map(|entry| entry["count"].as_u64()).sum::<u64>(), 20);
    assert!(refused.count() <= 2);
    let said = succeed(patron().args(["check", "--data"]).arg(folder.path()));
    assert!(said.contains("Everything agrees."), "{said}");
}
