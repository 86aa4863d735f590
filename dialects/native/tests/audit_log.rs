//! The audit trail: what is told, to whom, and what is not.

use patron_app::{audit::refusals::ENTRIES_PER_SECOND, keys};
use patron_gateway::limits::Limits;
use patron_native::DIALECT;
use patron_testkit::TestServer;
use serde_json::{Value, json};

use crate::place::Native;

const LOG: &str = "/v1/audit-log";

impl Native {
    /// Entries that a query finds, newest first, once everything is written.
    async fn audit(&self, query: &str) -> Vec<Value> {
        self.server.app.finish_audit().await;
        let found = self.call("GET", &format!("{LOG}?{query}"), None).await.expect(200).json();
        found["data"].as_array().unwrap().clone()
    }
}

#[tokio::test]
async fn changes_are_told_with_the_change_by_name_and_never_by_value() {
    let server = TestServer::start(&[&DIALECT, &patron_payabli::DIALECT]).await;
    let keys = server.credentials("native");
    let native = Native { server, keys };
    let made = native.call("POST", "/v1/spaces", Some(json!({"name": "Hushspace"}))).await;
    let number = made.expect(201).json()["number"].as_i64().unwrap();
    let one = format!("/v1/spaces/{number}");
    let settings = json!({"name": "Hushname", "audit_reads": true, "require_precondition": true,
        "dialects": {"payabli": {"identifiers": "hushvalue"}}});
    let headers = [("x-request-id", "change-1"), ("user-agent", "shop/1.0")];
    native.with("PATCH", &one, &headers, Some(settings)).await.expect(200);
    let told = native.audit(&format!("space={number}")).await;
    let actions: Vec<&Value> = told.iter().map(|entry| &entry["action"]).collect();
    assert_eq!(actions, ["space.updated", "space.created"]);
    let entry = &told[0];
    let names =
        json!(["audit_reads", "dialects.payabli.identifiers", "name", "require_precondition"]);
    assert_eq!(entry["changed"], names);
    assert_eq!(entry["actor"], json!({"kind": "key", "number": 1}));
    assert_eq!((&entry["via"], &entry["outcome"]), (&json!("native"), &json!("done")));
    assert_eq!((&entry["account"], &entry["space"]), (&json!(1), &json!(number)));
    assert_eq!(entry["target"], json!({"noun": "space", "number": number}));
    assert_eq!(entry["operation"], "update_space");
    assert_eq!((&entry["request_id"], &entry["agent"]), (&json!("change-1"), &json!("shop/1.0")));
    assert_eq!(entry["address"], "127.0.0.1");
    let whole = native.call("GET", LOG, None).await.text();
    assert!(!whole.to_lowercase().contains("hush"), "{whole}");
    let by_number = format!("{LOG}/{}", entry["number"]);
    let by_id = format!("{LOG}/{}", entry["id"].as_str().unwrap());
    for path in [by_number, by_id] {
        assert_eq!(native.call("GET", &path, None).await.expect(200).json(), *entry);
    }
    // The journal has the change and its entry side by side: one batch.
    let store = &native.server.app.store;
    let journal = store.entries(0, 0, 200).await.unwrap();
    let changes = journal.windows(2).filter(|two| two[0].kind == "space");
    assert!(changes.clone().count() >= 3);
    for two in changes {
        let told: Value = serde_json::from_str(&two[1].doc).unwrap();
        assert_eq!(two[1].kind, "audit", "{told}");
        assert_eq!(told["action"], format!("space.{}", two[0].action));
    }
}

#[tokio::test]
async fn what_does_not_happen_is_not_told_and_of_racing_changes_only_the_winner() {
    let native = Native::start().await;
    let made = native.call("POST", "/v1/spaces", Some(json!({"name": "S"}))).await.expect(201);
    let number = made.json()["number"].as_i64().unwrap();
    let (one, updates) =
        (format!("/v1/spaces/{number}"), format!("space={number}&action=space.u*"));
    let rename = |name: String| Some(json!({ "name": name }));
    native.with("PATCH", &one, &[("if-match", "\"9\"")], rename("x".into())).await.expect(412);
    native.with("PATCH", &one, &[("prefer", "dry-run")], rename("x".into())).await.expect(200);
    native.call("PATCH", &one, rename("S".into())).await.expect(200);
    assert_eq!(native.audit(&updates).await, Vec::<Value>::new());
    let racing = (0..8).map(|n| {
        let (native, one) = (&native, &one);
        async move {
            let body = rename(format!("name {n}"));
            native.with("PATCH", one, &[("if-match", "\"1\"")], body).await.status
        }
    });
    let answers = futures_util::future::join_all(racing).await;
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
    assert_eq!(native.audit(&updates).await.len(), 1);
    // A repeat answers the same and is not told again.
    let key = [("idempotency-key", "again")];
    for _ in 0..3 {
        native.with("PATCH", &one, &key, rename("last".into())).await.expect(200);
    }
    assert_eq!(native.audit(&updates).await.len(), 2);
}

#[tokio::test]
async fn refused_sign_ins_name_the_claimed_key_and_are_folded() {
    let native = Native::start().await;
    let wrong = [("authorization", "Bearer patron_wrong_0123456789abcdef"), ("user-agent", "evil")];
    for _ in 0..200 {
        native.server.raw("GET", "/v1/customers", &wrong, b"").await.expect(401);
    }
    // A revoked key is known: its account learns of it.
    let minted = native.key_in("1").await;
    let bearer = format!("Bearer {}", minted["api_key"].as_str().unwrap());
    let cx = native.server.app.operator(0, "test");
    keys::revoke(&cx, minted["number"].as_i64().unwrap()).await.unwrap();
    let revoked = [("authorization", bearer.as_str())];
    native.server.raw("GET", "/v1/customers", &revoked, b"").await.expect(401);
    let told = native.audit("action=sign_in.refused").await;
    assert_eq!(told.len(), 1, "others are of nobody's account: {told:?}");
    assert_eq!(told[0]["actor"]["kind"], "stranger");
    assert_eq!(told[0]["actor"]["number"], minted["number"]);
    assert_eq!(told[0]["reason"], "revoked key");
    // The operator sees all: the first of the two hundred, and the rest as a count.
    let cx = native.server.app.operator(0, "test");
    let wanted = patron_app::audit::Wanted {
        action: Some("sign_in.refused".into()),
        ..patron_app::audit::Wanted::default()
    };
    let all = patron_app::audit::list(&cx, &wanted, None, 100).await.unwrap().items;
    let unknown = all.iter().filter(|entry| entry.account.is_none());
    let counts: Vec<u64> = unknown.clone().filter_map(|entry| entry.count).collect();
    assert!(counts.len() <= 2, "{counts:?}");
    assert_eq!(counts.iter().sum::<u64>(), 200);
    for entry in unknown {
        let text = serde_json::to_string(&entry.record).unwrap();
        assert!(!text.contains("patron_wrong"), "a claim is never told: {text}");
        assert_eq!(entry.agent.as_deref(), Some("evil"));
        assert_eq!(entry.address.as_deref(), Some("127.0.0.1"));
    }
}

#[tokio::test]
async fn sign_ins_that_are_put_off_are_told_too() {
    let limits = Limits { failed_sign_ins_per_minute: 2, ..Limits::default() };
    let server = TestServer::start_with(&[&DIALECT], patron_app::Clock::System, limits).await;
    let native = Native { keys: server.credentials("native"), server };
    let minted = native.key_in("1").await;
    let bearer = format!("Bearer {}", minted["api_key"].as_str().unwrap());
    let cx = native.server.app.operator(0, "test");
    keys::revoke(&cx, minted["number"].as_i64().unwrap()).await.unwrap();
    let revoked = [("authorization", bearer.as_str())];
    for status in [401, 401, 429, 429] {
        native.server.raw("GET", "/v1/customers", &revoked, b"").await.expect(status);
    }
    let told = native.audit("action=sign_in.refused").await;
    assert_eq!(told.iter().filter_map(|entry| entry["count"].as_u64()).sum::<u64>(), 4, "{told:?}");
    assert!(told.iter().all(|entry| entry["reason"] == "revoked key"), "{told:?}");
}

#[tokio::test]
async fn a_flood_of_strangers_is_bounded_and_does_not_hide_what_keys_try() {
    let limits = Limits {
        client_address_header: "x-real-ip".into(),
        failed_sign_ins_per_minute: 0,
        ..Limits::default()
    };
    let server = TestServer::start_with(&[&DIALECT], patron_app::Clock::System, limits).await;
    let native = Native { keys: server.credentials("native"), server };
    let reader = native.key_in("1").await;
    let begun = std::time::Instant::now();
    for n in 0..600 {
        let (address, bearer) = (format!("10.0.{}.{}", n / 250, n % 250), format!("Bearer x{n}"));
        let headers = [("x-real-ip", address.as_str()), ("authorization", bearer.as_str())];
        native.server.raw("GET", "/v1/customers", &headers, b"").await.expect(401);
    }
    native.server.call(&DIALECT, &reader, "GET", "/v1/spaces", None).await.expect(403);
    let refused = patron_app::search::Filter::equal(
        patron_app::search::Field::Column("action"),
        "sign_in.refused",
    );
    let kind = &patron_app::documents::AUDIT;
    let written = native.server.app.store.count(kind, &[0], &refused);
    let written = usize::try_from(written.await.unwrap()).unwrap();
    let seconds = usize::try_from(begun.elapsed().as_secs()).unwrap() + 2;
    assert!(written <= ENTRIES_PER_SECOND * seconds, "{written} in {seconds} s");
    let told = native.audit("action=access.refused").await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["actor"], json!({"kind": "key", "number": reader["number"]}));
    assert_eq!(told[0]["operation"], "list_spaces");
}

#[tokio::test]
async fn an_account_sees_its_own_entries_and_a_space_key_those_of_its_space() {
    let native = Native::start().await;
    let other = native.server.other_space("native").await;
    let server = &native.server;
    let mine = native.audit("limit=200").await;
    assert!(mine.len() > 2 && mine.iter().all(|entry| entry["account"] == 1), "{mine:?}");
    let theirs = server.call(&DIALECT, &other, "GET", LOG, None).await.expect(200).json();
    let theirs = theirs["data"].as_array().unwrap();
    assert!(!theirs.is_empty() && theirs.iter().all(|entry| entry["account"] == 2));
    for entry in &mine {
        for id in [entry["number"].to_string(), entry["id"].as_str().unwrap().to_owned()] {
            let path = format!("{LOG}/{id}");
            server.call(&DIALECT, &other, "GET", &path, None).await.expect(404);
        }
    }
    let path = format!("{LOG}?account=1");
    server.call(&DIALECT, &other, "GET", &path, None).await.expect(404);
    let path = format!("{LOG}?space=1");
    let found = server.call(&DIALECT, &other, "GET", &path, None).await.expect(200).json();
    assert_eq!(found["data"], json!([]));
    let path = format!("{LOG}/export?limit=10000");
    let file = server.call(&DIALECT, &other, "GET", &path, None).await.expect(200).text();
    assert!(!file.contains("\"account\":1,") && file.contains("\"account\":2,"), "{file}");
    // A key of one space sees what is about that space.
    let made = native.call("POST", "/v1/spaces", Some(json!({"name": "B"}))).await.expect(201);
    let space = made.json()["number"].as_i64().unwrap();
    let local = native.admin_key_in(&space.to_string()).await;
    let found = server.call(&DIALECT, &local, "GET", LOG, None).await.expect(200).json();
    let found = found["data"].as_array().unwrap();
    assert!(!found.is_empty() && found.iter().all(|e| e["space"] == json!(space)));
    server.call(&DIALECT, &local, "GET", &format!("{LOG}?space=1"), None).await.expect(404);
    // Nobody without the right, and nobody changes anything; feeds of spaces do not show it.
    let reader = native.key_in("1").await;
    server.call(&DIALECT, &reader, "GET", LOG, None).await.expect(403);
    let one = format!("{LOG}/{}", mine[0]["number"]);
    for method in ["PATCH", "PUT", "DELETE", "POST"] {
        native.call(method, &one, Some(json!({}))).await.expect(405);
        native.call(method, LOG, Some(json!({}))).await.expect(405);
    }
    let feed = native.call("GET", "/v1/events?after=0&limit=200", None).await.text();
    assert!(!feed.contains("audit") && !feed.contains("space.created"), "{feed}");
}

#[tokio::test]
async fn reading_is_told_where_a_space_wants_it_and_costs_nothing_elsewhere() {
    let native = Native::start().await;
    let one = native.create(json!({"given_name": "Ada", "reference": "r"})).await;
    let two = native.create(json!({"given_name": "Ada"})).await;
    let path = format!("/v1/customers/{}", one["number"]);
    native.call("GET", &path, None).await.expect(200);
    assert_eq!(native.audit("action=customer.read").await, Vec::<Value>::new());
    native.call("PATCH", "/v1/spaces/1", Some(json!({"audit_reads": true}))).await.expect(200);
    let (a, b) = (&one["number"], &two["number"]);
    let single = json!({"noun": "customer", "number": a});
    let both = json!({"noun": "customer", "numbers": [a, b]});
    let reads = [
        (path.clone(), &single),
        (format!("/v1/customers/{}", one["id"].as_str().unwrap()), &single),
        (format!("{path}?version=1"), &single),
        (format!("{path}/history?expand=record"), &single),
        (format!("{path}/comments"), &single),
        (format!("{path}/addresses"), &single),
        (format!("{path}/payment-methods"), &single),
        ("/v1/customers/by-reference/r".into(), &single),
        ("/v1/customers".into(), &both),
        ("/v1/customers?q=ada".into(), &both),
        ("/v1/events?after=0&expand=record".into(), &both),
    ];
    for (n, (read, target)) in reads.iter().enumerate() {
        let id = format!("read-{n}");
        native.with("GET", read, &[("x-request-id", &id)], None).await.expect(200);
        let told = native.audit("action=customer.read&limit=1").await;
        assert_eq!(told[0]["request_id"], id.as_str(), "{read}");
        assert_eq!(&&told[0]["target"], target, "{read}");
        assert_eq!((&told[0]["space"], &told[0]["actor"]["number"]), (&json!(1), &json!(1)));
    }
    assert_eq!(native.audit("action=customer.read&limit=200").await.len(), reads.len());
    // What is not there was not read, and another space did not ask for it.
    native.call("GET", "/v1/customers/999999", None).await.expect(404);
    let other = native.server.other_space("native").await;
    native.server.call(&DIALECT, &other, "GET", "/v1/customers", None).await.expect(200);
    assert_eq!(native.audit("action=customer.read&limit=200").await.len(), reads.len());
}

#[tokio::test]
async fn exports_are_complete_and_no_cell_is_a_formula() {
    let native = Native::start().await;
    let evil = "=HYPERLINK(\"http://evil\",\"x\")";
    for n in 0..5 {
        let body = Some(json!({"name": format!("Space {n}")}));
        native.with("POST", "/v1/spaces", &[("user-agent", evil)], body).await.expect(201);
    }
    let all = native.audit("limit=200").await;
    let ndjson = native.call("GET", "/v1/audit-log/export", None).await.expect(200);
    assert_eq!(ndjson.header("content-type"), "application/x-ndjson");
    let lines: Vec<Value> =
        ndjson.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[lines.len() - all.len()..], all[..]);
    let csv = native.call("GET", "/v1/audit-log/export?format=csv", None).await.expect(200).text();
    assert!(csv.starts_with("number,at,account,space,actor,"), "{csv}");
    assert!(csv.contains("\"'=HYPERLINK"), "{csv}");
    for cell in csv.split([',', '\n']) {
        let cell = cell.trim_start_matches('"');
        assert!(!cell.starts_with(['=', '+', '-', '@']), "{cell}");
    }
    native.call("GET", "/v1/audit-log/export?format=xls", None).await.expect(400);
    // In pages, without gaps or repeats, in lists and in files.
    let mut numbers = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = format!("/v1/audit-log?limit=3&until=2100-01-01T00:00:00Z{cursor}");
        let page = native.call("GET", &page, None).await.expect(200).json();
        numbers.extend(page["data"].as_array().unwrap().iter().map(|e| e["number"].clone()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let listed: Vec<Value> =
        native.audit("limit=200").await.iter().map(|entry| entry["number"].clone()).collect();
    assert_eq!(numbers, listed);
    let part = native.call("GET", "/v1/audit-log/export?limit=2", None).await.expect(200);
    let rest = format!("/v1/audit-log/export?cursor={}", part.header("patron-next-cursor"));
    let rest = native.call("GET", &rest, None).await.expect(200).text();
    assert_eq!(part.text().lines().count() + rest.lines().count(), listed.len());
}

#[tokio::test]
async fn entries_go_by_age_only_and_leave_their_place_in_the_journal() {
    let native = Native::start().await;
    let app = &native.server.app;
    let before = native.audit("limit=200").await.len();
    let head = app.store.head(0).await.unwrap();
    let old = app.clock.now();
    native.call("POST", "/v1/spaces", Some(json!({"name": "New"}))).await.expect(201);
    let forgotten = patron_app::audit::forget_old(app, old).await.unwrap();
    assert!(usize::try_from(forgotten).unwrap() >= before);
    let left = native.audit("limit=200").await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0]["action"], "space.created");
    let journal = app.store.entries(0, 0, 200).await.unwrap();
    assert_eq!(i64::try_from(journal.len()).unwrap(), head + 3);
    for entry in journal.iter().filter(|entry| entry.kind == "audit" && entry.seq <= head) {
        assert_eq!(entry.doc, "{}");
    }
    assert!(journal.iter().any(|entry| entry.kind == "space" && entry.doc != "{}"));
    let columns = patron_app::documents::implied;
    let report = app.store.check(&|kind, row| columns(kind, row)).await.unwrap();
    assert_eq!(report.findings, Vec::<String>::new());
    let (followed, _) = patron_app::audit::after(app, 0, 200).await.unwrap();
    assert_eq!(followed.len(), 1, "whoever follows is not told of them either");
}

#[tokio::test]
async fn filters_choose_and_what_is_not_understood_is_refused() {
    let native = Native::start().await;
    native.call("POST", "/v1/accounts", Some(json!({"name": "Child"}))).await.expect(201);
    let some = async |query: &str| native.audit(query).await.len();
    let all = some("limit=200").await;
    assert_eq!(some("action=account.created").await, 2);
    assert_eq!(some("actor=key:1").await, 1);
    assert_eq!(some("actor=operator&limit=200").await, all - 1);
    assert_eq!(some("account=2").await, 1, "an account made by this one");
    assert_eq!(some("outcome=refused").await, 0);
    assert_eq!(some("address=127.0.0.1").await, 1);
    assert_eq!(some("since=2100-01-01T00:00:00Z").await, 0);
    assert_eq!(some("until=2000-01-01T00:00:00Z").await, 0);
    assert_eq!(some("since=2000-01-01T00:00:00Z&limit=200").await, all);
    for bad in ["account=x", "since=x", "outcome=maybe", "limit=0", "colour=red", "cursor=x"] {
        native.call("GET", &format!("{LOG}?{bad}"), None).await.expect(400);
    }
    native.call("GET", &format!("{LOG}/999999"), None).await.expect(404);
    native.call("GET", &format!("{LOG}/x"), None).await.expect(404);
}

#[tokio::test]
async fn who_may_reads_all_that_concerns_an_account() {
    let native = Native::start().await;
    let server = &native.server;
    let made = async |path: &str, body: Value| {
        native.call("POST", path, Some(body)).await.expect(201).json()["number"].clone()
    };
    let branch = made("/v1/accounts", json!({"name": "Branch"})).await;
    let space = made("/v1/spaces", json!({"name": "Shop", "account": branch})).await;
    let role = json!({"name": "Auditor", "account": branch, "permissions": ["audit:read"]});
    let role = made("/v1/roles", role).await;
    let provider = json!({"name": "Staff", "issuer": "http://127.0.0.1:9443/realm",
        "client_id": "patron", "client_secret": "9a4c1f", "account": branch});
    made("/v1/providers", provider).await;
    let key = json!({"dialect": "native", "space": space});
    made("/v1/keys", key).await;
    // Who belongs elsewhere reads it here too, once the role is held here.
    native.person("ada@example.com", Some(json!({"role": role, "account": branch}))).await;
    let person = json!({"kind": "human", "email": "ben@example.com", "account": branch});
    let ben = made("/v1/users", person).await;
    native.call("DELETE", &format!("/v1/users/{ben}"), None).await.expect(204);
    let patch = Some(json!({"description": "Reads"}));
    native.call("PATCH", &format!("/v1/roles/{role}"), patch).await.expect(200);
    server.app.finish_audit().await;
    let of_branch = format!("{LOG}?account={branch}&limit=200");
    let mut ada = native.browser("ada@example.com").await;
    let told = ada.call(server, "GET", &of_branch, &[], None).await.expect(200).json();
    let told = told["data"].as_array().unwrap();
    let has = |action: &str| told.iter().any(|entry| entry["action"] == action);
    for action in [
        "account.created",
        "space.created",
        "role.created",
        "role.updated",
        "provider.created",
        "key.created",
        "user.created",
        "user.invited",
        "user.deleted",
        "assignment.granted",
    ] {
        assert!(has(action), "{action}: {told:?}");
    }
    assert!(told.iter().all(|entry| entry["account"] == branch), "{told:?}");
    // By what is concerned, and nothing of other accounts.
    let keys = format!("{LOG}?account={branch}&space={space}&action=key.*");
    let keys = ada.call(server, "GET", &keys, &[], None).await.expect(200).json();
    assert_eq!(keys["data"].as_array().unwrap().len(), 1);
    ada.call(server, "GET", &format!("{LOG}?account=1"), &[], None).await.expect(404);
    ada.call(server, "GET", &format!("{LOG}/export"), &[], None).await.expect(403);
    native.person("cleo@example.com", Some(json!({"role": 3, "space": 1}))).await;
    let mut cleo = native.browser("cleo@example.com").await;
    cleo.call(server, "GET", &of_branch, &[], None).await.expect(403);
}
