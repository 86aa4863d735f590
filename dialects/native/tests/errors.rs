//! Bad input: a clear 4xx in this API's own shape, and nothing changed.

use patron_gateway::{Access, Operation, limits::Limits};
use patron_native::DIALECT;
use patron_testkit::TestServer;
use serde_json::{Value, json};

use crate::place::Native;

#[tokio::test]
async fn every_problem_is_listed_at_once() {
    let native = Native::start().await;
    let body = json!({
        "reference": "", "given_name": "a\u{7}", "email": "nope", "phone": "", "language": "x",
        "currency": "EURO", "time_zone": "Mars", "status": "gone", "status_until": "soon",
        "balance": "much", "title": "x".repeat(301), "metadata": {"k": "\u{1}"},
    });
    let answer = native.call("POST", "/v1/customers", Some(body.clone())).await.expect(422);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let problem = answer.json();
    let mut pointers: Vec<&str> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["pointer"].as_str().unwrap())
        .collect();
    pointers.sort_unstable();
    let mut want: Vec<String> = body.as_object().unwrap().keys().map(|k| format!("/{k}")).collect();
    want.retain(|pointer| pointer != "/metadata");
    want.push("/metadata/k".into());
    want.sort_unstable();
    assert_eq!(pointers, want);
    assert_eq!(problem["request_id"], answer.header("x-request-id"));
    assert_eq!(native.call("GET", "/v1/customers", None).await.json()["data"], json!([]));
}

#[tokio::test]
async fn types_unknown_members_values_and_addresses_are_listed_together() {
    let native = Native::start().await;
    let made = native.create(json!({})).await;
    let body = json!({
        "title": 7, "fullname": "Anna", "a.b": 1, "email": "nope", "identifier_fields": [1, "a", 2],
        "addresses": [7, {"city": {}, "country": "??"}, {"zip": "1", "line1": "x\u{7}"}],
    });
    let told = async |method: &str, path: &str, body: &Value| {
        let problem = native.call(method, path, Some(body.clone())).await.expect(400).json();
        let errors = problem["errors"].as_array().unwrap().clone();
        let mut told: Vec<(String, String)> = errors
            .iter()
            .map(|e| (e["pointer"].as_str().unwrap().into(), e["code"].as_str().unwrap().into()))
            .collect();
        told.sort();
        (told, errors)
    };
    let (faults, errors) = told("POST", "/v1/customers", &body).await;
    let pointers: Vec<&str> = faults.iter().map(|(pointer, _)| pointer.as_str()).collect();
    let want = ["/a/b", "/addresses/0", "/addresses/1/city", "/addresses/2/zip", "/email"];
    for pointer in want.iter().chain(&["/fullname", "/identifier_fields/0", "/title"]) {
        assert!(pointers.contains(pointer), "{pointer} in {pointers:?}");
    }
    for pointer in ["/identifier_fields/2", "/addresses/1/country", "/addresses/2/line1"] {
        assert!(pointers.contains(&pointer), "{pointer} in {pointers:?}");
    }
    let meant = errors.iter().find(|error| error["pointer"] == "/fullname").unwrap();
    assert_eq!(meant["detail"], "Is not known here; did you mean full_name?");
    let short = json!({"title": 7, "email": "nope", "phone": "", "nope": 1});
    let want = ["/email", "/nope", "/phone", "/title"];
    for (method, path) in [
        ("PATCH", format!("/v1/customers/{}", made["number"])),
        ("PUT", "/v1/customers/by-reference/r".to_owned()),
    ] {
        let (faults, _) = told(method, &path, &short).await;
        let pointers: Vec<&str> = faults.iter().map(|(pointer, _)| pointer.as_str()).collect();
        assert_eq!(pointers, want, "{method}");
    }
    let key = format!("Bearer {}", native.keys["api_key"].as_str().unwrap());
    let headers = [("authorization", key.as_str()), ("content-type", "application/json")];
    let broken = b"{\"title\": \"x\",\n \"email\" 7}";
    let answer = native.server.raw("POST", "/v1/customers", &headers, broken).await.expect(400);
    assert!(answer.text().contains("line 2 column 10"), "{}", answer.text());
}

#[tokio::test]
async fn what_is_not_understood_is_400_and_says_where() {
    let native = Native::start().await;
    let cases: [(&str, &str, &str); 6] = [
        (r#"{"#, "", "syntax"),
        (r#"[]"#, "", "wrong_type"),
        (r#"{"given_name": 7}"#, "/given_name", "wrong_type"),
        (r#"{"metadata": []}"#, "/metadata", "wrong_type"),
        (r#"{"nope": 1}"#, "/nope", "unknown_field"),
        (r#"{"addresses": [{"city": {}}]}"#, "/addresses/0/city", "wrong_type"),
    ];
    let key = format!("Bearer {}", native.keys["api_key"].as_str().unwrap());
    let headers = [("authorization", key.as_str()), ("content-type", "application/json")];
    for (body, pointer, code) in cases {
        let answer = native.server.raw("POST", "/v1/customers", &headers, body.as_bytes()).await;
        let problem = answer.expect(400).json();
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}");
        assert_eq!(problem["errors"][0]["code"], code, "{body}");
    }
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    let deep = format!(r#"{{"metadata": {{"a": {deep}}}}}"#);
    native.server.raw("POST", "/v1/customers", &headers, deep.as_bytes()).await.expect(400);
    let form =
        [("authorization", key.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    native.server.raw("POST", "/v1/customers", &form, b"{\"title\":\"x\"}").await.expect(415);
}

#[tokio::test]
async fn no_operation_passes_over_a_parameter() {
    let native = Native::start().await;
    // What is a person's own is refused to keys before it is looked at, and providers send browsers
    // back with parameters of their own.
    let has_own = |o: &&Operation| o.access == Access::Own || o.id == "sign_in_by_provider";
    for operation in (DIALECT.operations)().iter().filter(|o| !has_own(o)) {
        let path: Vec<&str> =
            operation.path.split('/').map(|s| if s.starts_with('{') { "1" } else { s }).collect();
        let target = format!("{}?nope=1&limt=2", path.join("/"));
        let answer = native.call(operation.method.as_str(), &target, None).await.expect(400);
        let errors = answer.json()["errors"].clone();
        assert_eq!(errors[0]["pointer"], "/nope", "{target}");
        assert_eq!(errors[0]["code"], "unknown_field", "{target}");
    }
    let answer = native.call("GET", "/v1/customers?emial=a&limt=1", None).await.expect(400);
    let errors = answer.json()["errors"].clone();
    assert_eq!(errors[0]["detail"], "Is not known here; did you mean email?");
    assert_eq!(errors[1]["detail"], "Is not known here; did you mean limit?");
    native.call("GET", "/v1/events?expand=everything", None).await.expect(400);
}

#[tokio::test]
async fn unknown_paths_and_methods_answer_in_shape() {
    let native = Native::start().await;
    native.call("GET", "/v1/nope", None).await.expect(404);
    native.call("GET", "/v1/customers/nope", None).await.expect(404);
    native.call("GET", "/v1/customers/-1", None).await.expect(404);
    native.call("GET", "/v1/customers/99999999999999999999", None).await.expect(404);
    let answer = native.call("DELETE", "/v1/customers", None).await.expect(405);
    let mut allowed: Vec<&str> = answer.header("allow").split(", ").collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["GET", "POST"]);
    assert_eq!(answer.json()["status"], 405);
}

#[tokio::test]
async fn card_data_is_refused_everywhere_and_never_repeated() {
    let native = Native::start().await;
    let customer = native.create(json!({})).await;
    let one = format!("/v1/customers/{}", customer["number"]);
    for number in [
        "4111111111111111",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4111.1111.1111.1111",
        "5555555555554444",
        "378282246310005",
        "a 4111\u{2013}1111\u{a0}1111_1111 b",
    ] {
        for body in [
            json!({"description": number}),
            json!({"metadata": {"x": {"y": [number]}}}),
            json!({"metadata": {number: "x"}}),
            json!({"reference": number}),
        ] {
            let answer = native.call("PATCH", &one, Some(body)).await.expect(422);
            assert_eq!(answer.json()["errors"][0]["code"], "card_number");
            assert!(!answer.text().contains("1111"), "{}", answer.text());
        }
        let comment = json!({"content": format!("paid with {number}, thanks")});
        native.call("POST", &format!("{one}/comments"), Some(comment)).await.expect(422);
    }
    let as_number = json!({"metadata": {"x": 4_111_111_111_111_111_u64}});
    native.call("PATCH", &one, Some(as_number)).await.expect(422);
    let code = json!({"metadata": {"cvv": "123"}});
    let code = native.call("PATCH", &one, Some(code)).await.expect(422);
    assert_eq!(code.json()["errors"][0]["code"], "security_code");
    let by_path = "/v1/customers/by-reference/4111111111111111";
    native.call("PUT", by_path, Some(json!({}))).await.expect(422);
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let body: Value = json!({"description": "4111 1111 1111 1111"});
    let answer = native.with("PATCH", &one, &form, Some(body)).await;
    assert!(!answer.text().contains("1111"), "{}", answer.text());
}

#[tokio::test]
async fn limits_hold() {
    let limits = Limits { body_bytes_max: 1_000, requests_per_minute: 5, ..Limits::default() };
    let clock = patron_app::Clock::System;
    let server = TestServer::start_with(&[&DIALECT], clock, limits).await;
    let keys = server.credentials("native");
    let big = json!({"description": "x".repeat(2_000)});
    let answer = server.call(&DIALECT, &keys, "POST", "/v1/customers", Some(big)).await;
    assert_eq!(answer.expect(413).json()["type"], "/docs/native#problem-too-large");
    let mut last = None;
    for _ in 0..7 {
        let answer = server.call(&DIALECT, &keys, "GET", "/v1/customers", None).await;
        if answer.status == 200 {
            assert!(answer.header("ratelimit-policy").contains("q=5"));
            assert!(answer.header("ratelimit").starts_with("\"key\";r="));
        }
        last = Some(answer);
    }
    let refused = last.unwrap().expect(429);
    assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
}

#[tokio::test]
async fn deceiving_texts_are_refused_or_flagged() {
    let native = Native::start().await;
    for body in [
        json!({"given_name": "Anna\u{202e}retsuM"}),
        json!({"description": "\u{2066}x\u{2069}"}),
        json!({"reference": "a\u{202d}"}),
        json!({"metadata": {"a": ["\u{202b}"]}}),
        json!({"metadata": {"\u{202b}": 1}}),
        json!({"addresses": [{"city": "\u{2067}"}]}),
    ] {
        let answer = native.call("POST", "/v1/customers", Some(body.clone())).await.expect(422);
        assert_eq!(answer.json()["errors"][0]["code"], "control_character", "{body}");
    }
    let name = "\u{200f}יוסף\u{200e} Cohen";
    let body = json!({"full_name": name, "email": "anna@xn--80ak6aa92e.com"});
    let made = native.create(body).await;
    assert_eq!(
        (&made["full_name"], &made["email_warnings"]),
        (&json!(name), &json!(["look_alike_domain"]))
    );
    // What was read can be sent back, and an ordinary domain is not flagged.
    let one = format!("/v1/customers/{}", made["number"]);
    let back = json!({"email": "anna@example.com", "email_warnings": made["email_warnings"]});
    let plain = native.call("PATCH", &one, Some(back)).await.expect(200).json();
    assert_eq!(plain["email_warnings"], Value::Null);
}

#[tokio::test]
async fn a_patch_that_copies_itself_is_refused_at_once() {
    let native = Native::start().await;
    let made = native.create(json!({"metadata": {}})).await;
    let one = format!("/v1/customers/{}", made["number"]);
    let patch = [("content-type", "application/json-patch+json")];
    for copies in [9, 15, 24] {
        let mut all = vec![json!({"op": "add", "path": "/metadata/a", "value": "x".repeat(1_000)})];
        let copy = |n| json!({"op": "copy", "from": "/metadata", "path": format!("/metadata/{n}")});
        all.extend((0..copies).map(copy));
        let answer = native.with("PATCH", &one, &patch, Some(json!(all))).await.expect(422);
        assert_eq!(answer.json()["errors"][0]["code"], "too_large", "{copies}");
    }
    let seen = native.call("GET", &one, None).await.json();
    assert_eq!(seen["version"], 1);
}

/// Pointers of the faults that a call is refused for.
async fn pointers(native: &Native, method: &str, path: &str, body: Option<Value>) -> Vec<String> {
    let answer = native.call(method, path, body).await;
    assert!([400, 422].contains(&answer.status), "{method} {path}: {}", answer.text());
    let errors = answer.json()["errors"].as_array().unwrap().clone();
    let mut pointers: Vec<String> =
        errors.iter().map(|error| error["pointer"].as_str().unwrap().to_owned()).collect();
    pointers.sort();
    pointers
}

#[tokio::test]
async fn every_body_has_all_its_faults_told() {
    let native = Native::start().await;
    let made = native.create(json!({})).await;
    let one = format!("/v1/customers/{}", made["number"]);
    let space = native.call("GET", "/v1/spaces", None).await.json()["data"][0]["number"].clone();
    let key = native.call("GET", "/v1/keys", None).await.json()["data"][0]["id"].clone();
    let address = json!({"city": 7, "country": "??", "purpose": "bililng", "nope": 1});
    let comment = json!({"content": 7, "pined": true, "pinned": "x"});
    let method = json!({"type": "crad", "card": {"number": 7, "expiry_month": 1}, "email": "nope",
        "phone": {}});
    let new_key = json!({"dialect": "natvie", "space": "x", "permissions": ["customer:raed"],
        "expires_at": "soon", "role": 99});
    let key_change = json!({"dialect": "native", "name": 7, "public_rights": "ful"});
    let rotation = json!({"overlap_seconds": "x", "expires_at": "soon"});
    let new_space = json!({"name": 7, "default_country": "??", "audit_reads": 1, "nope": 1,
        "technical_contacts": ["nobody"], "address": {"country": "??", "purpose": "billing"}});
    let space_change = json!({"account": 1, "default_country": 7,
        "dialects": {"natvie": {}, "wallee": 7}, "archived": "x"});
    for (method, path, body, want) in [
        ("POST", format!("{one}/addresses"), address, "/city /country /nope /purpose"),
        ("POST", format!("{one}/comments"), comment, "/content /pined /pinned"),
        (
            "POST",
            format!("{one}/payment-methods"),
            method,
            "/card/expiry_month /card/number /email /phone /type",
        ),
        ("POST", "/v1/keys".into(), new_key, "/dialect /expires_at /permissions /role /space"),
        (
            "PATCH",
            format!("/v1/keys/{}", key.as_str().unwrap()),
            key_change,
            "/dialect /name /public_rights",
        ),
        (
            "POST",
            format!("/v1/keys/{}/rotate", key.as_str().unwrap()),
            rotation,
            "/expires_at /overlap_seconds",
        ),
        (
            "POST",
            "/v1/spaces".into(),
            new_space,
            "/address/country /address/purpose /audit_reads /default_country /name /nope \
             /technical_contacts",
        ),
        (
            "PATCH",
            format!("/v1/spaces/{space}"),
            space_change,
            "/account /archived /default_country /dialects/natvie /dialects/wallee",
        ),
        (
            "POST",
            "/v1/accounts".into(),
            json!({"nmae": "x", "archived": 1}),
            "/archived /name /nmae",
        ),
        ("POST", format!("{one}/merge"), json!({"absorb": [], "nope": 1}), "/absorb /nope"),
    ] {
        let told = pointers(&native, method, &path, Some(body)).await;
        assert_eq!(told, want.split(' ').collect::<Vec<_>>(), "{method} {path}");
    }
}

#[tokio::test]
async fn every_operation_of_a_patch_that_is_none_is_told() {
    let native = Native::start().await;
    let made = native.create(json!({})).await;
    let one = format!("/v1/customers/{}", made["number"]);
    let patch = [("content-type", "application/json-patch+json")];
    let operations = json!([
        {"op": "ad", "path": "/title", "value": "x"},
        {"op": "add", "path": "/title", "value": "x"},
        {"op": "add", "path": "title", "value": "x"},
    ]);
    let answer = native.with("PATCH", &one, &patch, Some(operations)).await.expect(400).json();
    let told: Vec<&str> = answer["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["pointer"].as_str().unwrap())
        .collect();
    assert_eq!(
        (told.len(), told[0].split('/').nth(1), told[1].split('/').nth(1)),
        (2, Some("0"), Some("2"))
    );
}

#[tokio::test]
async fn every_fault_of_a_query_is_told() {
    let native = Native::start().await;
    let made = native.create(json!({})).await;
    let one = format!("/v1/customers/{}", made["number"]);
    for (path, want) in [
        (
            "/v1/customers?limit=x&nope=1&sort=emial&created_at=soon&total=yes&deleted=ture\
             &expand=adresses&status[equal]=a&cursor=x"
                .to_owned(),
            "/created_at /cursor /deleted /expand /limit /nope /sort /status[equal] /total",
        ),
        (
            format!("{one}?version=x&as_of=y&expand=z&nope=1"),
            "/as_of /as_of /expand /nope /version",
        ),
        (format!("{one}/history?limit=0&before=x&expand=y&nope=1"), "/before /expand /limit /nope"),
        (format!("{one}/comments?limit=x&cursor=y&nope=1"), "/cursor /limit /nope"),
        (
            "/v1/events?after=x&limit=y&wait=z&expand=a&nope=1".into(),
            "/after /expand /limit /nope /wait",
        ),
        (
            "/v1/keys?limit=x&state=actve&space=y&cursor=z&nope=1".into(),
            "/cursor /limit /nope /space /state",
        ),
        (
            "/v1/audit-log/export?limit=x&since=y&outcome=dnoe&space=z&format=cvs&nope=1".into(),
            "/format /limit /nope /outcome /since /space",
        ),
    ] {
        let told = pointers(&native, "GET", &path, None).await;
        assert_eq!(told, want.split(' ').collect::<Vec<_>>(), "{path}");
    }
}

#[tokio::test]
async fn words_that_are_nearly_right_are_answered_with_the_right_one() {
    let native = Native::start().await;
    let made = native.create(json!({})).await;
    let one = format!("/v1/customers/{}", made["number"]);
    for (method, path, body, meant) in [
        ("PATCH", one.clone(), json!({"status": "actve"}), "active"),
        ("POST", format!("{one}/addresses"), json!({"purpose": "bililng"}), "billing"),
        ("POST", format!("{one}/addresses"), json!({"adress": "x", "line": "y"}), "line1"),
        ("POST", format!("{one}/payment-methods"), json!({"type": "walet"}), "wallet"),
        ("POST", "/v1/keys".into(), json!({"dialect": "natvie"}), "native"),
        (
            "POST",
            "/v1/keys".into(),
            json!({"dialect": "native", "permissions": ["customer:raed"]}),
            "customer:read",
        ),
        ("GET", "/v1/keys?state=actve".into(), Value::Null, "active"),
        ("GET", "/v1/customers?sort=emial".into(), Value::Null, "email"),
        ("GET", "/v1/customers?emial=a".into(), Value::Null, "email"),
        ("GET", "/v1/customers?status[in]=locked,actve".into(), Value::Null, "active"),
        ("GET", "/v1/audit-log?outcme=done".into(), Value::Null, "outcome"),
        ("GET", format!("{one}?expand=adresses"), Value::Null, "addresses"),
    ] {
        let body = (!body.is_null()).then_some(body);
        let answer = native.call(method, &path, body).await;
        let want = format!("did you mean {meant}?");
        assert!(answer.text().contains(&want), "{method} {path}: {}", answer.text());
    }
}
