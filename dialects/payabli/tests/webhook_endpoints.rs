//! Notifications, in the dossier's words (§5.6). What is sent stands in `tests/webhooks` of the
//! program.

use patron_payabli::DIALECT;
use serde_json::{Value, json};

use crate::place::Party;

const URL: &str = "http://127.0.0.1:9091/hook";

fn web() -> Value {
    json!({"method": "web", "frequency": "untilcancelled", "target": URL, "status": 1,
           "ownerType": 2, "ownerId": 1,
           "content": {"eventType": "CustomerCreated",
                       "webHeaderParameters": [{"key": "X-Shop", "value": "s3cret"}]}})
}

async fn made(party: &Party, body: Value) -> String {
    let answer = party.call("POST", "/api/Notification", Some(body)).await.expect(200).json();
    assert_eq!(
        (&answer["isSuccess"], &answer["responseCode"], &answer["responseText"]),
        (&json!(true), &json!(1), &json!("Success"))
    );
    format!("/api/Notification/{}", answer["responseData"].as_i64().expect("a number"))
}

#[tokio::test]
async fn notifications_are_made_changed_and_deleted() {
    let party = Party::new().await;
    let one = made(&party, web()).await;
    let record = party.get(&one).await.expect(200);
    assert!(!record.text().contains("s3cret"), "values of headers are secrets");
    let record = record.json();
    let number: i64 = one.rsplit('/').next().unwrap().parse().unwrap();
    for (member, value) in [
        ("notificationId", json!(number)),
        ("content", json!({"eventType": "CustomerCreated"})),
        ("method", json!("web")),
        ("frequency", json!("untilcancelled")),
        ("target", json!(URL)),
        ("status", json!(1)),
        ("ownerType", json!(2)),
    ] {
        assert_eq!(record[member], value, "{member}");
    }
    assert!(record["ownerId"].is_string() && record["ownerName"].is_string(), "{record}");
    assert!(record["createdAt"].as_str().unwrap().ends_with("0+00:00"), "{record}");
    // Sent back as it was shown, it stays what it was.
    party.call("PUT", &one, Some(record.clone())).await.expect(200);
    assert_eq!(party.get(&one).await.expect(200).json(), record);
    let change = json!({"status": 0, "target": format!("{URL}/2"),
                        "content": {"eventType": "customerdeleted",
                                    "internalData": [{"key": "shop", "value": "7"}]}});
    let answer = party.call("PUT", &one, Some(change)).await.expect(200).json();
    assert_eq!(answer["responseData"], number);
    let record = party.get(&one).await.expect(200).json();
    let content = json!({"eventType": "CustomerDeleted",
                         "internalData": [{"key": "shop", "value": "7"}]});
    assert_eq!(
        (&record["status"], &record["target"], &record["content"]),
        (&json!(0), &json!(format!("{URL}/2")), &content)
    );
    let answer = party.call("DELETE", &one, None).await.expect(200).json();
    assert_eq!(answer["responseData"], number);
    let text = "Invalid parameter value: notification";
    for (method, body) in [("GET", None), ("PUT", Some(json!({"status": 1}))), ("DELETE", None)] {
        let answer = party.call(method, &one, body).await.expect(400).json();
        assert_eq!(answer["responseText"], text, "{method}");
    }
}

#[tokio::test]
async fn what_is_not_sent_is_kept_and_shown() {
    let party = Party::new().await;
    let mut mail = web();
    mail["method"] = json!("email");
    mail["target"] = json!("ops@example.org;cfo@example.org");
    mail["content"] = json!({"eventType": "payin_transaction_paid"});
    let one = made(&party, mail).await;
    let record = party.get(&one).await.expect(200).json();
    assert_eq!(record["target"], "ops@example.org;cfo@example.org");
    assert_eq!(record["content"]["eventType"], "payin_transaction_paid");
    party.call("PUT", &one, Some(json!({"method": "sms", "target": "+14235550117"}))).await;
    let record = party.get(&one).await.expect(200).json();
    assert_eq!((&record["method"], &record["target"]), (&json!("sms"), &json!("+14235550117")));
    let mut report = web();
    let content = json!({"reportName": "Returned", "fileFormat": "csv", "timeZone": -5,
                         "transactionId": "0"});
    report["method"] = json!("report-web");
    report["frequency"] = json!("monthly");
    report["content"] = content.clone();
    let one = made(&party, report).await;
    let record = party.get(&one).await.expect(200).json();
    for (member, value) in content.as_object().unwrap() {
        assert_eq!(&record["content"][member], value, "{member}");
    }
    assert_eq!(record["content"]["eventType"], "Report");
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    let party = Party::new().await;
    let answer = party.call("POST", "/api/Notification", Some(json!({}))).await.expect(400).json();
    assert_eq!(
        answer["responseText"],
        "Invalid parameter value: method, frequency, target, ownerType, content.eventType"
    );
    let with = |pointer: &str, value: Value| {
        let mut body = web();
        *body.pointer_mut(pointer).expect(pointer) = value;
        body
    };
    let headers = "/content/webHeaderParameters";
    let pair = |name: &str| json!([{"key": name, "value": "x"}]);
    for (body, field) in [
        (with("/method", json!("fax")), "method"),
        (with("/frequency", json!("one-time")), "frequency"),
        (with("/frequency", json!("monthly")), "frequency"),
        (with("/target", json!("https://10.0.0.1/x")), "target"),
        (with("/target", json!("")), "target"),
        (with("/status", json!(2)), "status"),
        (with("/status", json!("1")), "status"),
        (with("/ownerType", json!(0)), "ownerType"),
        (with("/ownerId", json!(999_999)), "ownerId"),
        (with("/content/eventType", json!("CustomerCreate")), "content.eventType"),
        (with("/content/eventType", json!("not a word")), "content.eventType"),
        (with(headers, pair("Host")), "content.webHeaderParameters"),
        (with(headers, pair("")), "content.webHeaderParameters"),
        (with("/content", json!({"eventType": "x", "timeZone": 13})), "content.timeZone"),
        (
            with("/content", json!({"eventType": "x", "internalData": pair("Event")})),
            "content.internalData",
        ),
    ] {
        let answer = party.call("POST", "/api/Notification", Some(body.clone())).await;
        let text = answer.expect(400).json()["responseText"].clone();
        assert_eq!(text, format!("Invalid parameter value: {field}"), "{body}");
    }
    let one = made(&party, web()).await;
    for (body, field) in [
        (json!({"method": "email"}), "method"),
        (json!({"ownerId": 999_999}), "ownerId"),
        (json!({"frequency": "one-time"}), "frequency"),
    ] {
        let answer = party.call("PUT", &one, Some(body)).await.expect(400).json();
        assert_eq!(answer["responseText"], format!("Invalid parameter value: {field}"));
    }
    let other = party.server.other_space("payabli").await;
    for (method, body) in [("GET", None), ("PUT", Some(json!({"status": 0}))), ("DELETE", None)] {
        party.server.call(&DIALECT, &other, method, &one, body).await.expect(400);
    }
    // Endpoints of other APIs are none of its notifications.
    party.get("/api/Notification/0").await.expect(400);
    party.get("/api/Notification/x").await.expect(400);
}

fn search() -> Value {
    json!({"startDate": "2026-01-01T00:00:00Z", "endDate": "2026-01-31T23:59:59Z",
           "paypointId": 1})
}

#[tokio::test]
async fn searches_of_logs_that_cannot_be_are_refused() {
    let party = Party::new().await;
    let logs = "/api/v2/notificationlogs";
    let answer = party.call("POST", logs, Some(search())).await.expect(200).json();
    assert_eq!(answer, json!([]), "a bare array");
    let with = |member: &str, value: Value| {
        let mut body = search();
        body[member] = value;
        body
    };
    for (body, fields) in [
        (json!({}), "startDate, endDate, paypointId"),
        (with("startDate", json!("soon")), "startDate"),
        (with("startDate", json!(7)), "startDate"),
        (with("endDate", json!("2026-02-01T00:00:00Z")), "endDate"),
        (with("endDate", json!("2025-12-31")), "endDate"),
        (with("paypointId", json!(999_999)), "paypointId"),
        (with("paypointId", json!("1")), "paypointId"),
        (with("orgId", json!(999_999)), "orgId"),
        (with("succeeded", json!("yes")), "succeeded"),
        (with("notificationEvent", json!(7)), "notificationEvent"),
    ] {
        let answer = party.call("POST", logs, Some(body.clone())).await.expect(400).json();
        let text = format!("Invalid parameter value: {fields}");
        assert_eq!(answer["responseText"], text, "{body}");
    }
    for (query, field) in [
        ("PageSize=0", "PageSize"),
        ("PageSize=101", "PageSize"),
        ("PageSize=x", "PageSize"),
        ("Page=0", "Page"),
        ("Page=1001", "Page"),
    ] {
        let target = format!("{logs}?{query}");
        let answer = party.call("POST", &target, Some(search())).await.expect(400).json();
        assert_eq!(answer["responseText"], format!("Invalid parameter value: {field}"));
    }
    let target = format!("{logs}?PageSize=100&Page=1000");
    party.call("POST", &target, Some(search())).await.expect(200);
}

#[tokio::test]
async fn logs_and_reports_that_are_not_there_are_refused() {
    let party = Party::new().await;
    let unknown = "550e8400-e29b-41d4-a716-446655440000";
    for id in [unknown, "1", "dlv_1_1"] {
        for tail in ["", "/retry"] {
            let target = format!("/api/v2/notificationlogs/{id}{tail}");
            let answer = party.get(&target).await.expect(400).json();
            assert_eq!(answer["responseText"], "Invalid parameter value: notification log");
        }
    }
    let retry = "/api/v2/notificationlogs/retry";
    let many: Vec<String> = (0..51).map(|n| format!("{n}")).collect();
    for (body, text) in [
        (json!([]), "Invalid parameter value: ids"),
        (json!(many), "Invalid parameter value: ids"),
        (json!([unknown]), "Invalid parameter value: notification log"),
        (json!({}), "Invalid parameter value: ids"),
        (json!([7]), "Invalid parameter value: ids.0"),
    ] {
        let answer = party.call("POST", retry, Some(body)).await.expect(400).json();
        assert_eq!(answer["responseText"], text);
    }
    for id in ["1", "x", "-1"] {
        let target = format!("/api/Export/notificationReport/{id}");
        let answer = party.get(&target).await.expect(400).json();
        assert_eq!(answer["responseText"], "Invalid parameter value: id");
    }
}
