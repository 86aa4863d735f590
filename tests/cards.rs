//! Card data through every door of every API: the attacks of a security review as they were made,
//! and their cousins. Nothing of it may be stored, on either engine.

use patron_testkit::{Answer, TestServer};
use serde_json::{Value, json};

use crate::{
    api::{ALL, call, create_path},
    program::{KEY, Running, patron, succeed},
};

const PAN: &str = "4111111111111111";

/// A text and a free pair of each API: member names and what else a body needs.
fn free_text(api: &str, keys: &Value, text: &str) -> Value {
    match api {
        "native" => json!({"company_name": text}),
        "wallee" => json!({"givenName": text}),
        "verifone" => json!({"entity_id": keys["verifone"]["entity_id"], "company_name": text}),
        "payabli" => json!({"customerNumber": "A", "company": text}),
        _ => json!({"name": text}),
    }
}

/// Where the integrator's own pairs stand, for the APIs that have them.
fn pairs(api: &str) -> Option<&'static str> {
    match api {
        "native" | "monri" | "notchpay" => Some("metadata"),
        "wallee" => Some("metaData"),
        "payabli" => Some("additionalFields"),
        _ => None,
    }
}

fn with_pairs(api: &str, keys: &Value, own: &Value) -> Option<Value> {
    let mut body = free_text(api, keys, "Muster");
    body[pairs(api)?] = own.clone();
    Some(body)
}

/// Sends exactly these bytes, signed as the API signs.
async fn send(
    server: &TestServer,
    api: &str,
    (method, path): (&str, &str),
    media: &str,
    body: &str,
) -> Answer {
    let dialect = ALL.iter().find(|dialect| dialect.name == api).unwrap();
    let keys = server.credentials(api);
    let mut headers = server.signed(dialect, &keys, method, path, body);
    headers.push(("content-type".into(), media.into()));
    let headers: Vec<(&str, &str)> =
        headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    server.raw(method, path, &headers, body.as_bytes()).await
}

fn is_refused(answer: &Answer) -> bool {
    (400..500).contains(&answer.status) && !matches!(answer.status, 401 | 403 | 404 | 405)
}

/// Nothing was stored: the native API knows no customer.
async fn assert_nothing_stored(server: &TestServer) {
    let keys = server.all_credentials();
    let all = call(server, keys, "native", "GET", "/v1/customers", None).await.expect(200);
    assert_eq!(all.json()["data"], json!([]));
}

#[tokio::test]
async fn every_api_refuses_numbers_in_every_disguise() {
    let server = TestServer::start(&ALL).await;
    let keys = server.all_credentials();
    let disguises = [
        PAN,
        "4111+1111+1111+1111",
        "4111#1111~1111=1111",
        "4111&1111&1111&1111",
        "4111%201111%201111%201111",
        "41111111111111111228",
        "+378282246310005",
        "4111111111111111aaaaaaaaaaaaaaaa",
        "৪১১১১১১১১১১১১১১১",
        "๔๑๑๑๑๑๑๑๑๑๑๑๑๑๑๑",
        "⁴¹¹¹¹¹¹¹¹¹¹¹¹¹¹¹",
        "𝟒𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏",
    ];
    for api in ALL.map(|dialect| dialect.name) {
        let path = create_path(api, keys);
        for number in disguises {
            let body = free_text(api, keys, number);
            let answer = call(&server, keys, api, "POST", &path, Some(body)).await;
            assert!(is_refused(&answer), "{api} {number}: {} {}", answer.status, answer.text());
            assert!(!answer.text().contains(number), "{api} repeats it");
        }
    }
    assert_nothing_stored(&server).await;
}

#[tokio::test]
async fn every_api_refuses_security_codes_however_they_are_wrapped() {
    let server = TestServer::start(&ALL).await;
    let keys = server.all_credentials();
    for api in ALL.map(|dialect| dialect.name) {
        let path = create_path(api, keys);
        for own in [
            json!({"cvn": "123"}),
            json!({"cv2": "123"}),
            json!({"cvvCode": "123"}),
            json!({"card_code": "1234"}),
            json!({"pin": "4711"}),
            json!({"track2": ";5301250070000191=08051010912345678901?3"}),
            json!({"cvv": {"value": "123"}}),
            json!({"cvv": ["123"]}),
        ] {
            let Some(body) = with_pairs(api, keys, &own) else { continue };
            let answer = call(&server, keys, api, "POST", &path, Some(body)).await;
            assert!(is_refused(&answer), "{api} {own}: {} {}", answer.status, answer.text());
        }
    }
    assert_nothing_stored(&server).await;
}

#[tokio::test]
async fn no_api_is_fooled_by_the_content_type() {
    let server = TestServer::start(&ALL).await;
    let keys = server.all_credentials();
    let escaped: String = PAN.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect();
    for api in ALL.map(|dialect| dialect.name) {
        let path = create_path(api, keys);
        let body = free_text(api, keys, "THERE").to_string().replace("THERE", &escaped);
        for media in [
            "application/x-www-form-urlencoded",
            "Application/X-WWW-Form-Urlencoded; charset=utf-8",
            "application/json",
            "application/vnd.x+json",
            "text/plain",
            "multipart/form-data; boundary=x",
        ] {
            let answer = send(&server, api, ("POST", &path), media, &body).await;
            assert!(is_refused(&answer), "{api} {media}: {} {}", answer.status, answer.text());
        }
    }
    let form = "name=A&email=a%40example.com&metadata%5Bcv%76%5D=123";
    for media in ["application/x-www-form-urlencoded", "APPLICATION/x-www-form-URLENCODED"] {
        let answer = send(&server, "notchpay", ("POST", "/customers"), media, form).await;
        assert!(is_refused(&answer), "{media}: {} {}", answer.status, answer.text());
    }
    assert_nothing_stored(&server).await;
}

#[tokio::test]
async fn a_number_in_pieces_is_refused_when_it_becomes_whole() {
    let server = TestServer::start(&ALL).await;
    let keys = server.all_credentials();
    let native = |method: &'static str, path: String, body: Value| {
        let server = &server;
        async move { call(server, keys, "native", method, &path, Some(body)).await }
    };
    let all = || "/v1/customers".to_owned();
    // In one request: over both parts of the name, over two lines of an address.
    let names = json!({"given_name": "41111111", "family_name": "11111111"});
    native("POST", all(), names).await.expect(422);
    let turned = json!({"family_name": "4111 1111", "given_name": "1111-1111"});
    native("POST", all(), turned).await.expect(422);
    let lines = json!({"addresses": [{"line1": "41111111", "line2": "11111111"}]});
    native("POST", all(), lines).await.expect(422);
    // Over two successive requests, through one API or two.
    let made = native("POST", all(), json!({"given_name": "41111111"})).await.expect(201).json();
    let one = format!("/v1/customers/{}", made["number"]);
    native("PATCH", one.clone(), json!({"family_name": "11111111"})).await.expect(422);
    let path = format!("/api/v2.0/customers/{}", made["number"]);
    let body = json!({"version": 1, "familyName": "11111111"});
    let answer = call(&server, keys, "wallee", "PATCH", &path, Some(body)).await;
    assert!(is_refused(&answer), "{} {}", answer.status, answer.text());
    let path = format!("/api/Customer/{}", made["number"]);
    let body = json!({"lastname": "11111111"});
    let answer = call(&server, keys, "payabli", "PUT", &path, Some(body)).await;
    assert!(is_refused(&answer), "{} {}", answer.status, answer.text());
    let addresses = format!("{one}/addresses");
    let address = native("POST", addresses.clone(), json!({"line1": "41111111"})).await;
    let address = format!("{addresses}/{}", address.expect(201).json()["number"]);
    native("PATCH", address, json!({"line2": "11111111"})).await.expect(422);
    // As one street of an API that has lines in one text.
    let street = json!({"givenName": "A", "street": "41111111\n11111111"});
    let path = format!("/api/v2.0/customers/{}/addresses", made["number"]);
    let answer = call(&server, keys, "wallee", "POST", &path, Some(street)).await;
    assert!(is_refused(&answer), "{} {}", answer.status, answer.text());
    let seen = call(&server, keys, "native", "GET", &one, None).await.json();
    assert_eq!(seen["family_name"], Value::Null);
}

#[tokio::test]
async fn json_patch_hides_nothing_in_its_paths() {
    let server = TestServer::start(&ALL).await;
    let keys = server.all_credentials();
    let body = Some(json!({"metadata": {"a": "123", "n": "4111", "m": "1111"}}));
    let made = call(&server, keys, "native", "POST", "/v1/customers", body).await.expect(201);
    let one = format!("/v1/customers/{}", made.json()["number"]);
    for operation in [
        json!({"op": "add", "path": "/metadata/cvv", "value": "123"}),
        json!({"op": "add", "path": "/metadata/c~0v~0v", "value": "123"}),
        json!({"op": "copy", "from": "/metadata/a", "path": "/metadata/cvv"}),
        json!({"op": "move", "from": "/metadata/a", "path": "/metadata/card_code"}),
        json!({"op": "add", "path": "/metadata/cvv", "value": ["123"]}),
        json!({"op": "add", "path": "/metadata/4111~11111~11111~11111", "value": "x"}),
        json!({"op": "add", "path": "/metadata/4111~01111~01111~01111", "value": "x"}),
        json!({"op": "copy", "from": "/metadata/a", "path": format!("/metadata/{PAN}")}),
        json!({"op": "replace", "path": "/given_name", "value": PAN}),
    ] {
        let body = json!([operation]).to_string();
        let media = "application/json-patch+json";
        let answer = send(&server, "native", ("PATCH", &one), media, &body).await;
        assert_eq!(answer.status, 422, "{operation}: {}", answer.text());
    }
    let seen = call(&server, keys, "native", "GET", &one, None).await.json();
    assert_eq!(seen["version"], 1, "{seen}");
}

#[tokio::test]
async fn where_a_card_may_come_in_nothing_else_may() {
    let server = TestServer::start(&ALL).await;
    let keys = server.all_credentials();
    let made = call(&server, keys, "native", "POST", "/v1/customers", Some(json!({}))).await;
    let all = format!("/v1/customers/{}/payment-methods", made.expect(201).json()["number"]);
    let card = json!({"number": PAN, "expiry_month": 12, "expiry_year": 2035});
    for member in ["holder_name", "issuer", "provider", "channel", "phone"] {
        let body = json!({"card": card, member: PAN});
        let answer = call(&server, keys, "native", "POST", &all, Some(body)).await.expect(422);
        assert_eq!(answer.json()["errors"][0]["pointer"], format!("/{member}"), "{member}");
    }
    for body in [
        json!({"type": "card", "provider_token": PAN}),
        json!({"type": "card", "provider_token": "tok", "card.number": PAN}),
        json!({"card": {"number": [PAN], "expiry_month": 12, "expiry_year": 2035}}),
        json!({"card": {"number": PAN, "expiry_month": 12, "expiry_year": 2035, "cvv": "123"}}),
        json!({"card": card, PAN: "x"}),
        json!({"card": card, "holder_name": "4111 1111 1111 1111"}),
    ] {
        let answer = call(&server, keys, "native", "POST", &all, Some(body.clone())).await;
        assert!(is_refused(&answer), "{body}: {}", answer.status);
    }
    let body = Some(json!({"card": card}));
    let target = format!("{all}?note={PAN}");
    assert!(is_refused(&call(&server, keys, "native", "POST", &target, body.clone()).await));
    let listed = call(&server, keys, "native", "GET", &all, None).await.expect(200).json();
    assert_eq!(listed["data"], json!([]));
    call(&server, keys, "native", "POST", &all, body).await.expect(201);
}

#[tokio::test]
async fn headers_that_are_kept_hold_no_number() {
    let server = TestServer::start(&ALL).await;
    let keys = server.credentials("native");
    let native = ALL[0];
    let body = || Some(json!({}));
    for number in [PAN, "4111-1111-1111-1111", "\"4111.1111.1111.1111\"", "x4111111111111111y"] {
        let sent = [("idempotency-key", number)];
        let post = server.call_with(native, &keys, "POST", "/v1/customers", &sent, body());
        let answer = post.await.expect(400);
        assert_eq!(answer.json()["errors"][0]["code"], "card_number");
    }
    assert_nothing_stored(&server).await;
    // A request id comes back, unless it holds one: of writes, of reads, of refused sign-ins.
    for (sent, kept) in [("one-2", true), (PAN, false), ("a-4111-1111-1111-1111", false)] {
        let headers = [("x-request-id", sent)];
        let post = server.call_with(native, &keys, "POST", "/v1/customers", &headers, body()).await;
        let get = server.call_with(native, &keys, "GET", "/v1/customers", &headers, None).await;
        let nobody = server.raw("GET", "/v1/customers", &headers, b"").await;
        let nowhere = server.raw("GET", "/v1/nowhere", &headers, b"").await;
        for answer in [post, get, nobody, nowhere] {
            assert_eq!(answer.header("x-request-id") == sent, kept, "{sent}");
            assert_ne!(answer.header("x-request-id"), "");
        }
    }
    let agent = [("user-agent", "shop/1 4111-1111-1111-1111")];
    server.raw("GET", "/v1/customers", &agent, b"").await.expect(401);
    let audit = server.call(native, &keys, "GET", "/v1/audit-log", None).await.text();
    assert!(!audit.contains("4111-1111"), "{audit}");
    let feed = server.call(native, &keys, "GET", "/v1/events", None).await.text();
    assert!(!feed.contains(PAN) && !feed.contains("4111-1111"), "{feed}");
}

#[tokio::test]
async fn what_lay_there_before_can_be_mended_and_deleted() {
    use patron_app::documents::Document as _;
    use patron_model::{customer::Customer, text::Name};
    use patron_store::{Batch, Record, Write};
    let server = TestServer::start(&ALL).await;
    let keys = server.all_credentials();
    let made = call(&server, keys, "native", "POST", "/v1/customers", Some(json!({}))).await;
    let number = made.expect(201).json()["number"].as_i64().unwrap();
    let space = keys["wallee"]["space_id"].as_i64().unwrap();
    // As a version without this search would have stored it.
    let cx = server.app.operator(space, "test");
    let id = patron_app::Id::Number(number);
    let before = patron_app::customers::get_any(&cx, id).await.unwrap();
    let mut planted = before.record.clone();
    planted.company_name = Some(Name::parse(PAN).unwrap());
    let after = Record {
        tenant: space,
        number,
        uuid: planted.uuid,
        revision: before.revision + 1,
        columns: planted.columns(),
        doc: planted.document().unwrap().into(),
        terms: planted.terms(),
    };
    let write = Write::Replace {
        kind: Customer::KIND,
        after,
        before_columns: before.record.columns(),
        before_terms: before.record.terms(),
    };
    let batch = Batch { tenant: space, writes: vec![write], ..Batch::default() };
    server.app.store.commit(batch).await.unwrap();
    let one = format!("/v1/customers/{number}");
    let patch = |body: Value| call(&server, keys, "native", "PATCH", &one, Some(body));
    patch(json!({"given_name": "Anna"})).await.expect(200);
    patch(json!({"company_name": "5555 5555 5555 4444"})).await.expect(422);
    patch(json!({"description": PAN})).await.expect(422);
    call(&server, keys, "native", "DELETE", &one, None).await.expect(204);
    call(&server, keys, "native", "GET", &one, None).await.expect(404);
}

#[test]
fn commands_refuse_numbers_in_names() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let refused = |arguments: &[&str]| {
        let out = patron().args(arguments).arg("--data").arg(&data).output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(!out.status.success() && said.contains("card number"), "{arguments:?}: {said}");
        assert!(!said.contains(PAN), "{said}");
    };
    refused(&["space", "create", "Shop 4111-1111-1111-1111"]);
    succeed(patron().args(["space", "create", "Shop", "--data"]).arg(&data));
    refused(&["key", "create", "--space", "1", "--name", PAN]);
    refused(&["key", "create", "--space", "1", "--name", "4111 1111 1111 1111"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn imports_store_no_number_and_repeat_none() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let (running, _) = Running::sandbox(&data);
    drop(running);
    let file = folder.path().join("in.ndjson");
    let rows = [
        json!({"reference": "good"}),
        json!({"company_name": PAN}),
        json!({"given_name": "41111111", "family_name": "11111111"}),
        json!({"addresses": [{"line1": "41111111", "line2": "11111111"}]}),
        json!({"metadata": {"cvv": ["123"]}}),
        json!({"company_name": "4111+1111~1111=1111"}),
    ];
    let text: Vec<String> = rows.iter().map(Value::to_string).collect();
    std::fs::write(&file, text.join("\n")).unwrap();
    let mut import = patron();
    import.args(["import", "--space", "1"]).arg(&file).arg("--data").arg(&data);
    let said = succeed(&mut import);
    assert!(said.contains("1 imported, 0 imported by an earlier run, 5 refused."), "{said}");
    let refused = std::fs::read_to_string(folder.path().join("in.ndjson.refused.ndjson")).unwrap();
    assert_eq!(refused.lines().count(), 5);
    for hidden in [PAN, "41111111", "11111111", "\"123\"", "4111+"] {
        assert!(!refused.contains(hidden), "{hidden}: {refused}");
    }
    let running =
        Running::serve_on(patron().args(["serve", "--allow-sandbox-keys", "--data"]).arg(&data))
            .await;
    let all = running.native(KEY, "GET", "/v1/customers?limit=200", None).await.expect(200).json();
    assert!(!all.to_string().contains("41111111"));
}

#[tokio::test(flavor = "multi_thread")]
async fn exported_cells_are_no_formulas_and_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    let (running, _) = Running::sandbox(&one);
    let names = ["=1+1", "+41 44", "-1+1", "@SUM(A1)", "'=x", "a;=cmd|' /C calc'!A0", "'tis", "-5"];
    for name in names {
        let body = json!({"company_name": name, "description": format!("first\n{name}"),
            "phone": "+41446681800", "balance": "-12.50", "metadata": {"a": format!("x;{name}")},
            "addresses": [{"purpose": "billing", "line1": name}]});
        running.native(KEY, "POST", "/v1/customers", Some(body)).await.expect(201);
    }
    drop(running);
    let file = folder.path().join("out.csv");
    succeed(patron().args(["export", "--space", "1"]).arg(&file).arg("--data").arg(&one));
    let text = std::fs::read_to_string(&file).unwrap();
    for begin in [",=", ",+", ",@", ",\"=", ",\"+", ";=", ";+", ";@", "\n=", "\n+", "\n@", ",-1+"] {
        assert!(!text.contains(begin), "{begin:?} in {text}");
    }
    assert!(text.contains(",'+41446681800,") && text.contains(",-12.50,"), "{text}");
    succeed(patron().args(["space", "create", "Shop", "--data"]).arg(&other));
    let import = |file: &std::path::Path| {
        succeed(patron().args(["import", "--space", "1"]).arg(file).arg("--data").arg(&other))
    };
    // Those of the sandbox itself come along.
    let said = import(&file);
    assert!(said.contains("13 imported, 0 imported by an earlier run, 0 refused."), "{said}");
    let again = folder.path().join("again.csv");
    succeed(patron().args(["export", "--space", "1"]).arg(&again).arg("--data").arg(&other));
    let cells = |file: &std::path::Path| -> Vec<Vec<String>> {
        let mut reader = csv::Reader::from_path(file).unwrap();
        let names = reader.headers().unwrap().clone();
        // All but the columns that name the record and its times.
        let other = ["id", "number", "version", "created_at", "updated_at"];
        assert!(other.iter().all(|column| names.iter().any(|name| name == *column)), "{names:?}");
        let own = |row: csv::StringRecord| -> Vec<String> {
            let cells = names.iter().zip(&row).filter(|(name, _)| !other.contains(name));
            cells.map(|(_, cell)| cell.to_owned()).collect()
        };
        reader.records().map(|row| own(row.unwrap())).collect()
    };
    assert_eq!(cells(&file), cells(&again));
    let lines = folder.path().join("again.ndjson");
    succeed(patron().args(["export", "--space", "1"]).arg(&lines).arg("--data").arg(&other));
    let lines = std::fs::read_to_string(&lines).unwrap();
    let all: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for name in names {
        let one = all.iter().find(|customer| customer["company_name"] == name).expect(name);
        assert_eq!(one["description"], format!("first\n{name}"));
        assert_eq!(one["metadata"]["a"], format!("x;{name}"));
        assert_eq!(one["addresses"][0]["line1"], name);
        assert_eq!((&one["phone"], &one["balance"]), (&json!("+41446681800"), &json!("-12.50")));
    }
}
