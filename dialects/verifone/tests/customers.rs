//! Create, read, update and delete (dossier §5, §6).

use patron_gateway::limits::Limits;
use patron_verifone::DIALECT;
use serde_json::{Value, json};

use crate::place::{Caller, PATH, error, id_of, named};

/// Lengths: member, strict, compatible.
const LENGTHS: [(&str, usize, usize); 9] = [
    ("address_1", 40, 50),
    ("address_2", 40, 50),
    ("address_3", 40, 50),
    ("city", 28, 50),
    ("first_name", 22, 50),
    ("middle_name", 22, 50),
    ("last_name", 22, 50),
    ("postal_code", 10, 16),
    ("state", 35, 50),
];

fn company(mut body: Value) -> Value {
    body["company_name"] = json!("Acme");
    body
}

#[tokio::test]
async fn the_truth_table_of_company_and_names_holds_on_create_and_update() {
    let caller = Caller::start().await;
    let id = id_of(&caller.create(json!({"company_name": "Acme"})).await.expect(200));
    for bits in 0..8 {
        let (company, first, last) = (bits & 4 > 0, bits & 2 > 0, bits & 1 > 0);
        for blank in [None, Some(json!("")), Some(json!(" ")), Some(Value::Null)] {
            let mut body = json!({"billing": {"city": "Berlin"}});
            let given =
                |given: bool, text: &str| if given { Some(json!(text)) } else { blank.clone() };
            if let Some(value) = given(company, "Acme") {
                body["company_name"] = value;
            }
            if let Some(value) = given(first, "Jane") {
                body["billing"]["first_name"] = value;
            }
            if let Some(value) = given(last, "Doe") {
                body["billing"]["last_name"] = value;
            }
            let status = if company || (first && last) { 200 } else { 400 };
            for answer in
                [caller.create(body.clone()).await, caller.update(&id, body.clone()).await]
            {
                assert_eq!(answer.status, status, "{body} {}", answer.text());
                if status == 400 {
                    error(&answer, 400, 126);
                }
            }
        }
    }
}

#[tokio::test]
async fn lengths_follow_the_validation_profile() {
    let caller = Caller::start().await;
    for profile in ["compatible", "strict"] {
        if profile == "strict" {
            caller.switch(json!({"validation": "strict"})).await;
        }
        for (member, strict, compatible) in LENGTHS {
            let max = if profile == "strict" { strict } else { compatible };
            for side in ["billing", "shipping"] {
                let body = |length: usize| company(json!({side: {member: "ž".repeat(length)}}));
                let kept = caller.create(body(max)).await.expect(200).json();
                assert_eq!(kept[side][member], "ž".repeat(max), "{profile} {side}.{member}");
                let refused = error(&caller.create(body(max + 1)).await, 400, 107);
                let reason = format!("Must be at most {max} characters long.");
                let details = json!({format!("body.{side}.{member}"): reason});
                assert_eq!(refused["details"], details, "{profile}");
            }
        }
    }
}

#[tokio::test]
async fn the_other_limits_are_those_of_the_schema() {
    let caller = Caller::start().await;
    let checks: [(&str, String, String); 6] = [
        ("company_name", "c".repeat(100), "c".repeat(101)),
        ("company_registration_number", "c".repeat(24), "c".repeat(25)),
        ("phone_number", "1".repeat(25), "1".repeat(26)),
        ("work_phone", "+".repeat(25), "+".repeat(26)),
        ("title", "t".repeat(120), "t".repeat(121)),
        ("language", "de-12345678".into(), "de-123456789".into()),
    ];
    for (member, good, bad) in checks {
        let body = |text: &str| {
            let mut body = company(json!({}));
            body[member] = json!(text);
            body
        };
        assert_eq!(caller.create(body(&good)).await.expect(200).json()[member], good.as_str());
        error(&caller.create(body(&bad)).await, 400, 107);
        if !member.starts_with("company") {
            error(&caller.create(body("")).await, 400, 107);
        }
    }
    let email = |length: usize| {
        let labels = ["b".repeat(60), "c".repeat(60), "d".repeat(60)].join(".");
        format!("{}@{labels}.example", "a".repeat(length - labels.len() - 9))
    };
    let body = |text: String| company(json!({"email_address": text}));
    caller.create(body(email(245))).await.expect(200);
    error(&caller.create(body(format!("a@{}.example", "b.".repeat(124)))).await, 400, 107);
    let tax = |digits: &str| company(json!({"tax": {"identifier": digits}}));
    caller.create(tax("123456789")).await.expect(200);
    for bad in ["1234567890", "12a", ""] {
        error(&caller.create(tax(bad)).await, 400, 107);
    }
}

#[tokio::test]
async fn patterns_match_as_a_whole() {
    let caller = Caller::start().await;
    for (member, text, fits) in [
        ("phone_number", "+1 (555) 010-9999", true),
        ("phone_number", "555 ext 3", false),
        ("work_phone", "12.34", true),
        ("work_phone", "12/34", false),
        ("title", "Prof. Dr.", true),
        ("title", "Dr2", false),
        ("title", "Mrs-Dr", true),
        ("email_address", "o'neil@x.io", true),
        ("email_address", "nobody", false),
        ("language", "en_US", true),
        ("language", "en-a1", true),
        ("language", "english", false),
        ("company_name", "a\u{7}b", false),
        ("title", "a\tb", false),
    ] {
        let mut body = company(json!({}));
        body[member] = json!(text);
        let answer = caller.create(body).await;
        assert_eq!(
            answer.status,
            if fits { 200 } else { 400 },
            "{member} {text} {}",
            answer.text()
        );
        assert!(fits || !answer.text().contains(text), "values are not repeated");
    }
}

#[tokio::test]
async fn what_the_core_does_not_know_is_kept_all_the_same() {
    let caller = Caller::start().await;
    let body = json!({
        "company_name": "Acme", "language": "xx-yy_zz", "billing": {"country_code": "zz"},
        "shipping": {"country_code": "QQ", "city": "Q"},
    });
    let made = caller.create(body.clone()).await.expect(200);
    let same = |answer: &Value| {
        for member in ["language", "billing", "shipping"] {
            assert_eq!(answer[member], body[member]);
        }
    };
    same(&made.json());
    let id = id_of(&made);
    let before = caller.read(&id).await;
    same(&before);
    assert_eq!(caller.update(&id, before.clone()).await.expect(200).json(), before);
    let known = json!({
        "company_name": "Acme", "language": "de", "billing": {"country_code": "DE"},
    });
    let after = caller.update(&id, known).await.expect(200).json();
    assert_eq!(
        (&after["language"], &after["billing"]),
        (&json!("de"), &json!({"country_code": "DE"}))
    );
    assert!(after.get("shipping").is_none());
    let bare = caller.update(&id, json!({"company_name": "Acme"})).await.expect(200).json();
    assert!(bare.get("language").is_none() && bare.get("billing").is_none());
}

#[tokio::test]
async fn sending_back_what_was_read_changes_nothing() {
    let caller = Caller::start().await;
    let full = json!({
        "company_name": "Acme GmbH", "company_registration_number": "HRB 1",
        "email_address": "a@example.com", "phone_number": "030 1234567", "work_phone": "1-2",
        "title": "Dr", "tax": {"identifier": "123"}, "language": "de",
        "billing": {"first_name": "Jane", "last_name": "Doe", "middle_name": "", "city": "Berlin",
            "country_code": "de", "phone": "(030) 1"},
        "shipping": {"first_name": "Only"},
    });
    for body in [
        full,
        named("Jane", "Doe"),
        json!({"company_name": "", "billing":
        {"first_name": "J", "last_name": "D"}}),
    ] {
        let made = caller.create(body).await.expect(200);
        let id = id_of(&made);
        let read = caller.read(&id).await;
        assert_eq!(read, made.json());
        assert_eq!(caller.update(&id, read.clone()).await.expect(200).json(), read);
        assert_eq!(caller.read(&id).await, read);
    }
}

#[tokio::test]
async fn update_replaces_objects_as_a_whole() {
    let caller = Caller::start().await;
    let body = json!({
        "email_address": "a@example.com", "tax": {"identifier": "1"},
        "billing": {"first_name": "Jane", "last_name": "Doe", "city": "Berlin", "state": "BE"},
        "shipping": {"city": "Potsdam"},
    });
    let made = caller.create(body).await.expect(200).json();
    let id = made["id"].as_str().unwrap();
    let sent = json!({"billing": {"first_name": "Jane", "last_name": "Roe", "city": "Bonn"}});
    let after = caller.update(id, sent.clone()).await.expect(200).json();
    assert_eq!(after["billing"], sent["billing"]);
    for gone in ["email_address", "tax", "shipping"] {
        assert!(after.get(gone).is_none(), "{gone}");
    }
    assert_eq!(after["created_at"], made["created_at"]);
    let company = caller.update(id, json!({"company_name": "Acme"})).await.expect(200).json();
    assert!(company.get("billing").is_none(), "names go with their object: {company}");
}

#[tokio::test]
async fn a_space_can_have_updates_merged() {
    let caller = Caller::start().await;
    caller.switch(json!({"update_mode": "merge"})).await;
    let body = json!({
        "email_address": "a@example.com", "tax": {"identifier": "1"},
        "billing": {"first_name": "Jane", "last_name": "Doe", "city": "Berlin"},
    });
    let made = caller.create(body.clone()).await.expect(200).json();
    let id = made["id"].as_str().unwrap();
    let sent = json!({"title": "Dr", "billing": {"last_name": "Roe", "city": null}});
    let after = caller.update(id, sent).await.expect(200).json();
    assert_eq!(
        after["billing"],
        json!({"first_name": "Jane", "last_name": "Roe", "city": "Berlin"})
    );
    assert_eq!(after["email_address"], "a@example.com");
    assert_eq!(after["tax"], json!({"identifier": "1"}));
    assert_eq!(after["title"], "Dr");
    error(&caller.update(id, json!({"billing": {"first_name": " "}})).await, 400, 126);
}

#[tokio::test]
async fn bodies_that_cannot_be_understood() {
    let caller = Caller::start().await;
    let send = async |headers: &[(&str, &str)], body: &[u8]| {
        let mut all = vec![];
        let signed = caller.server.signed(&DIALECT, &caller.keys, "POST", PATH, "");
        all.extend(signed.iter().map(|(n, v)| (n.as_str(), v.as_str())));
        all.extend(headers);
        caller.server.raw("POST", PATH, &all, body).await
    };
    let json = ("content-type", "application/json");
    for body in [&b"{"[..], b"", b"{} x", b"\xff", b"nul"] {
        error(&send(&[json], body).await, 400, 110);
    }
    for body in [&b"[]"[..], b"7", b"null", b"\"x\"", br#"{"billing":[]}"#, br#"{"title":{}}"#] {
        error(&send(&[json], body).await, 400, 107);
    }
    let twice = br#"{"title":"4111111111111111","title":"Dr"}"#;
    error(&send(&[json], twice).await, 400, 107);
    error(&send(&[("content-type", "text/plain")], b"{}").await, 415, 110);
    error(&send(&[("content-type", "application/x-www-form-urlencoded")], b"{}").await, 415, 110);
    let large = format!(r#"{{"title":"{}"}}"#, "a".repeat(Limits::default().body_bytes_max));
    error(&send(&[json], large.as_bytes()).await, 413, 107);
    let entity = caller.keys["entity_id"].as_str().unwrap();
    let good = format!(r#"{{"entity_id":"{entity}","company_name":"A"}}"#);
    send(&[], good.as_bytes()).await.expect(200);
    send(&[json, ("accept", "*/*")], good.as_bytes()).await.expect(200);
    send(&[json, ("accept", "text/html")], good.as_bytes()).await.expect(200);
    send(&[("content-type", "application/json; charset=utf-8")], good.as_bytes()).await.expect(200);
}

#[tokio::test]
async fn card_data_is_refused_wherever_it_hides() {
    let caller = Caller::start().await;
    for (body, field) in [
        (json!({"company_name": "4111111111111111"}), "body.company_name"),
        (company(json!({"billing": {"phone": "4111-1111-1111-1111"}})), "body.billing.phone"),
        (company(json!({"unknown": {"deep": [4111111111111111_u64]}})), "body.unknown.deep.0"),
        (company(json!({"cvv": "123"})), "body.cvv"),
    ] {
        let refused = error(&caller.create(body).await, 400, 107);
        assert!(refused["details"].get(field).is_some(), "{refused}");
        assert!(!refused.to_string().contains("4111"));
    }
}

#[tokio::test]
async fn two_equal_creates_make_two_customers() {
    let caller = Caller::start().await;
    let body = json!({"company_name": "Acme", "email_address": "a@example.com"});
    let (a, b) =
        (caller.create(body.clone()).await.expect(200), caller.create(body).await.expect(200));
    assert_ne!(id_of(&a), id_of(&b));
}

#[tokio::test]
async fn ids_are_uuids_in_their_usual_form() {
    let caller = Caller::start().await;
    let id = id_of(&caller.create(named("Jane", "Doe")).await.expect(200));
    let plain = id.replace('-', "");
    for bad in ["123", "x", plain.as_str(), "%20", "6f1c2d0e-2a0b-4c39-8f0a-0d9f5d6b7c1g"] {
        for method in ["GET", "DELETE"] {
            error(&caller.call(method, &format!("{PATH}/{bad}"), None).await, 400, 107);
        }
        error(&caller.update(bad, named("a", "b")).await, 400, 107);
    }
    let upper = id.to_uppercase();
    assert_eq!(caller.read(&upper).await["id"], id.as_str());
}

#[tokio::test]
async fn unknown_paths_and_methods() {
    let caller = Caller::start().await;
    for path in
        ["/oidc/customer-service", "/oidc/customer-service/v2/customers", "/v2/customer/a/b"]
    {
        error(&caller.call("GET", path, None).await, 404, 109);
    }
    for (method, path, allow) in [
        ("PUT", PATH.to_owned(), "GET, POST"),
        ("DELETE", PATH.to_owned(), "GET, POST"),
        ("PUT", format!("{PATH}/x"), "GET, POST, DELETE"),
        ("PATCH", format!("{PATH}/x"), "GET, POST, DELETE"),
        ("PATCH", "/v2/customer/x".to_owned(), "GET, POST, DELETE"),
    ] {
        let answer = caller.call(method, &path, Some(json!({}))).await;
        error(&answer, 405, 110);
        assert_eq!(answer.header("allow"), allow, "{method} {path}");
    }
}

#[tokio::test]
async fn every_member_alone_is_kept_shown_sent_back_changed_and_cleared() {
    let caller = Caller::start().await;
    let mut members: Vec<(String, &str, &str)> = [
        ("/company_registration_number", "HRB 1", "HRB 2"),
        ("/email_address", "a@x.example", "b@x.example"),
        ("/phone_number", "+49 30 1", "2"),
        ("/work_phone", "1", "2"),
        ("/title", "Dr", "Mrs"),
        ("/tax/identifier", "1", "2"),
        ("/language", "de", "qq-1x"),
    ]
    .map(|(path, one, two)| (path.to_owned(), one, two))
    .into();
    for side in ["billing", "shipping"] {
        for (member, ..) in LENGTHS {
            members.push((format!("/{side}/{member}"), "one", "two"));
        }
        members.push((format!("/{side}/phone"), "1", "2"));
        members.push((format!("/{side}/country_code"), "DE", "zz"));
    }
    for (path, one, two) in members {
        let names: Vec<&str> = path.split('/').skip(1).collect();
        let body = |text: &str| match names.as_slice() {
            [name] => company(json!({*name: text})),
            [side, name] => company(json!({*side: {*name: text}})),
            _ => json!({}),
        };
        let made = caller.create(body(one)).await.expect(200);
        let id = id_of(&made);
        let shown = caller.read(&id).await;
        assert_eq!(shown.pointer(&path), Some(&json!(one)), "{path}");
        assert_eq!(shown.as_object().unwrap().len(), 6, "nothing but it: {shown}");
        assert_eq!(caller.update(&id, shown.clone()).await.expect(200).json(), shown, "{path}");
        let changed = caller.update(&id, body(two)).await.expect(200).json();
        assert_eq!(changed.pointer(&path), Some(&json!(two)), "{path}");
        assert_eq!(caller.read(&id).await, changed, "{path}");
        let cleared = caller.update(&id, company(json!({}))).await.expect(200).json();
        assert_eq!(cleared.as_object().unwrap().len(), 5, "{path}: {cleared}");
    }
}
