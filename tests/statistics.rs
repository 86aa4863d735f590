//! What happened in a space, counted by the minute: told by the API, added up from several nodes,
//! kept for 35 days, and written at most once a minute.

use std::sync::Arc;

use patron_app::{
    App, Clock,
    statistics::{Counted, KEPT_HOURS},
};
use patron_gateway::limits::Limits;
use patron_model::Timestamp;
use patron_testkit::{Answer, TestServer};
use serde_json::{Value, json};

use crate::api::ALL;

/// A server whose clock stands, a quarter past an hour.
async fn server() -> (TestServer, Clock) {
    let clock = Clock::fixed(Timestamp::parse("2026-11-21T14:15:20Z").unwrap());
    (TestServer::start_with(&ALL, clock.clone(), Limits::default()).await, clock)
}

async fn call(server: &TestServer, method: &str, path: &str, body: Option<Value>) -> Answer {
    let keys = server.credentials("native");
    server.call(&patron_native::DIALECT, &keys, method, path, body).await
}

async fn told(server: &TestServer, query: &str) -> Value {
    call(server, "GET", &format!("/v1/statistics?{query}"), None).await.expect(200).json()
}

/// Number of the space that the key opens.
async fn space(server: &TestServer) -> i64 {
    let spaces = call(server, "GET", "/v1/spaces", None).await.expect(200).json();
    spaces["data"][0]["number"].as_i64().unwrap()
}

#[tokio::test]
async fn what_happens_is_told_by_its_minute() {
    let (server, clock) = server().await;
    let made = call(&server, "POST", "/v1/customers", Some(json!({"given_name": "Ada"}))).await;
    let path = format!("/v1/customers/{}", made.expect(201).json()["number"]);
    clock.advance_seconds(60);
    for name in ["Bea", "Cleo", "Cleo"] {
        let body = Some(json!({"given_name": name}));
        call(&server, "PATCH", &path, body).await.expect(200);
    }
    call(&server, "PATCH", &path, Some(json!({"email": "none"}))).await.expect(422);
    call(&server, "GET", "/v1/customers/999999", None).await.expect(404);
    let expected = |all: &Value| {
        let minutes = all["data"].as_array().unwrap();
        assert_eq!(minutes.len(), 3, "{all}");
        let (first, second) = (&minutes[0], &minutes[1]);
        assert_eq!(first["at"], "2026-11-21T14:15:00Z");
        assert_eq!((&first["requests"], &first["customers_created"]), (&json!(1), &json!(1)));
        assert_eq!((&second["requests"], &second["refused"]), (&json!(5), &json!(2)));
        assert_eq!(second["customers_changed"], 2, "what changes nothing is no change: {all}");
        assert_eq!((&all["totals"]["errors"], &all["totals"]["refused"]), (&json!(0), &json!(2)));
    };
    clock.advance_seconds(60);
    let minutes = "since=2026-11-21T14:15:20Z&step=minute";
    expected(&told(&server, minutes).await);
    // Written, it is told the same, once.
    server.app.write_statistics().await.unwrap();
    expected(&told(&server, minutes).await);
    server.app.write_statistics().await.unwrap();
    expected(&told(&server, minutes).await);
    let hours = told(&server, "").await;
    assert_eq!(hours["data"].as_array().unwrap().len(), 25, "a day, to the hour");
    assert_eq!(hours["totals"]["customers_changed"], 2);
    assert_eq!(hours["data"][24]["customers_created"], 1);
    // The half hours of other zones are theirs.
    let there = told(&server, "step=hour&time_zone=Asia/Kolkata").await;
    assert_eq!(there["data"][24]["at"], "2026-11-21T13:30:00Z");
    // Dry runs make nothing.
    let keys = server.credentials("native");
    let headers = [("prefer", "dry-run")];
    let body = json!({"given_name": "Ada"});
    let (dialect, path) = (&patron_native::DIALECT, "/v1/customers");
    server.call_with(dialect, &keys, "POST", path, &headers, Some(body)).await.expect(201);
    assert_eq!(told(&server, minutes).await["totals"]["customers_created"], 1);
}

#[tokio::test]
async fn what_cannot_be_told_is_refused() {
    let (server, _) = server().await;
    for (query, field) in [
        ("step=week", "step"),
        ("time_zone=Mars/Olympus", "time_zone"),
        ("since=yesterday", "since"),
        ("since=2026-11-22T00:00:00Z&until=2026-11-21T00:00:00Z", "since"),
        ("since=2026-10-21T00:00:00Z&step=minute", "step"),
        ("since=1970-01-01T00:00:00Z&step=day", "step"),
    ] {
        let refused = call(&server, "GET", &format!("/v1/statistics?{query}"), None).await;
        let refused = refused.expect(400).text();
        assert!(refused.contains(field), "{query}: {refused}");
    }
}

#[tokio::test]
async fn nodes_add_up_and_what_is_old_makes_room() {
    let (server, clock) = server().await;
    let space = space(&server).await;
    let others: Vec<Arc<App>> =
        (0..4).map(|_| App::without_secrets(server.app.store.clone(), clock.clone())).collect();
    for _ in 0..5 {
        let writes = others.iter().map(|node| async {
            for _ in 0..10 {
                node.count(space, Counted::AttemptsDelivered, clock.now());
            }
            node.write_statistics().await.unwrap();
        });
        futures_util::future::join_all(writes).await;
    }
    // What a node did not write yet, that node alone tells.
    others[0].count(space, Counted::AttemptsDelivered, clock.now());
    assert_eq!(told(&server, "").await["totals"]["attempts_delivered"], 200);
    others[0].write_statistics().await.unwrap();
    assert_eq!(told(&server, "").await["totals"]["attempts_delivered"], 201);
    // Spaces that there are not are not written of.
    others[0].count(space + 1_000_000, Counted::Requests, clock.now());
    others[0].write_statistics().await.unwrap();
    let before = server.app.store.count_tenant(space + 1_000_000).await.unwrap();
    assert_eq!(before.values().sum::<u64>(), 0);
    // Two rings later there are as many rows as hours are kept.
    for _ in 0..2 * KEPT_HOURS / 24 {
        for _ in 0..24 {
            others[0].count(space, Counted::Errors, clock.now());
            clock.advance_seconds(3_600);
        }
        others[0].write_statistics().await.unwrap();
    }
    let rows = server.app.store.count_tenant(space).await.unwrap();
    let kept = rows.iter().find(|(kind, _)| kind.as_str() == "statistic").map(|(_, count)| *count);
    assert_eq!(kept, u64::try_from(KEPT_HOURS).ok(), "{rows:?}");
    let month = clock.now().plus_seconds(-34 * 24 * 3_600).rfc3339_seconds();
    let all = told(&server, &format!("since={month}&step=day")).await;
    // From the midnight before on.
    assert_eq!(all["totals"]["errors"], 34 * 24 + 14);
    assert_eq!(all["totals"]["attempts_delivered"], 0);
}
