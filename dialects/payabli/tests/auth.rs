//! Who may ask: tokens, entry points, organizations, other people's customers.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use patron_app::keys::{self, NewKey};
use patron_payabli::DIALECT;
use serde_json::{Value, json};

use crate::place::{Party, error, refused};

fn unauthorized() -> Value {
    error(
        Value::Null,
        "Unauthorized",
        "The token is missing, unknown or expired.",
        "Send a valid requestToken header or bearer token.",
    )
}

async fn access_token(party: &Party) -> String {
    let body = json!({
        "clientId": party.keys["client_id"], "clientSecret": party.keys["client_secret"],
        "state": "s-1", "permissions": ["customer:read", "customer:write"],
    });
    let headers = [("content-type", "application/json")];
    let target = "/api/v2/Token/serverside";
    let answer = party.server.raw("POST", target, &headers, body.to_string().as_bytes()).await;
    let answer = answer.expect(200).json();
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!(answer["expires_in"], 3600);
    assert_eq!(answer["state"], "s-1");
    answer["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn either_token_opens_and_the_bearer_is_preferred() {
    let party = Party::new().await;
    let number = party.add(json!({"customerNumber": "A"})).await;
    let target = format!("/api/Customer/{number}");
    let request_token = party.keys["request_token"].as_str().unwrap();
    let bearer = format!("Bearer {}", access_token(&party).await);
    let try_with = async |headers: &[(&str, &str)]| {
        let answer = party.server.raw("GET", &target, headers, b"").await;
        (answer.status, answer.json())
    };
    assert_eq!(try_with(&[("requestToken", request_token)]).await.0, 200);
    assert_eq!(try_with(&[("REQUESTTOKEN", request_token)]).await.0, 200);
    assert_eq!(try_with(&[("authorization", &bearer)]).await.0, 200);
    assert_eq!(try_with(&[("authorization", &bearer), ("requestToken", "x")]).await.0, 200);
    let wrong = [("authorization", "Bearer x"), ("requestToken", request_token)];
    assert_eq!(try_with(&wrong).await, (401, unauthorized()));
    let altered = format!("{}x", &bearer[..bearer.len() - 1]);
    let cut = &request_token[..request_token.len() - 1];
    for headers in [
        vec![],
        vec![("requestToken", "")],
        vec![("requestToken", cut)],
        vec![("authorization", altered.as_str())],
        vec![("authorization", "Basic abc")],
    ] {
        assert_eq!(try_with(&headers).await, (401, unauthorized()), "{headers:?}");
    }
}

#[tokio::test]
async fn an_access_token_ends_after_an_hour() {
    let (party, clock) = Party::with_clock().await;
    let bearer = format!("Bearer {}", access_token(&party).await);
    let target = format!("/api/Query/customers/{}", party.entry());
    let headers = [("authorization", bearer.as_str())];
    clock.advance_seconds(3599);
    party.server.raw("GET", &target, &headers, b"").await.expect(200);
    clock.advance_seconds(1);
    party.server.raw("GET", &target, &headers, b"").await.expect(401);
}

#[tokio::test]
async fn wrong_client_credentials_have_a_shape_of_their_own() {
    let party = Party::new().await;
    let want = json!({
        "errorType": "InvalidCredentials", "errorMessage": "Client authentication failed.",
    });
    let id = &party.keys["client_id"];
    for body in [
        json!({"clientId": id, "clientSecret": "x"}),
        json!({"clientId": "x", "clientSecret": party.keys["client_secret"]}),
        json!({"clientId": id}),
        json!({}),
        json!([]),
    ] {
        let body = body.to_string();
        let headers = [("content-type", "application/json")];
        let answer =
            party.server.raw("POST", "/api/v2/Token/serverside", &headers, body.as_bytes()).await;
        assert_eq!(answer.expect(400).json(), want, "{body}");
    }
}

/// Asks for a token with a member `permissions`, and answers status and body.
async fn ask(party: &Party, keys: &Value, permissions: Value) -> (u16, Value) {
    let mut body = json!({"clientId": keys["client_id"], "clientSecret": keys["client_secret"]});
    if permissions != json!("left out") {
        body["permissions"] = permissions;
    }
    let headers = [("content-type", "application/json")];
    let target = "/api/v2/Token/serverside";
    let answer = party.server.raw("POST", target, &headers, body.to_string().as_bytes()).await;
    (answer.status, answer.json())
}

#[tokio::test]
async fn a_token_carries_what_was_asked_for_and_never_more() {
    let party = Party::new().await;
    let number = party.add(json!({"customerNumber": "A"})).await;
    let entry = party.entry();
    let holder = party.server.app.caller(DIALECT.name, party.keys["client_id"].as_str().unwrap());
    let space = holder.await.unwrap().home().unwrap().clone();
    let minted = (DIALECT.credentials.mint)();
    let role = patron_model::space::Role::ReadOnly;
    let new = NewKey::of_space(&space, DIALECT.name, role, minted.handle.clone(), minted.secret);
    keys::create(&party.server.app.operator(0, "test"), new).await.unwrap();
    let reader = json!({"client_id": minted.handle, "client_secret": minted.shown});
    let (none, all) = (json!("left out"), json!(["customer:read", "customer:write"]));
    for (keys, asked, reads, writes, exports) in [
        (&party.keys, &none, true, true, true),
        (&party.keys, &Value::Null, true, true, true),
        (&party.keys, &all, true, true, false),
        (&party.keys, &json!(["customer:read"]), true, false, false),
        (&party.keys, &json!(["customer:write"]), false, true, false),
        (&party.keys, &json!(["customer:export"]), false, false, true),
        (&reader, &none, true, false, false),
        (&reader, &all, true, false, false),
    ] {
        let (status, answer) = ask(&party, keys, asked.clone()).await;
        assert_eq!(status, 200, "{asked}: {answer}");
        let bearer = format!("Bearer {}", answer["access_token"].as_str().unwrap());
        for (method, target, body, opens) in [
            ("GET", format!("/api/Customer/{number}"), "", reads),
            ("GET", format!("/api/Query/customers/{entry}"), "", reads),
            ("PUT", format!("/api/Customer/{number}"), r#"{"firstname":"B"}"#, writes),
            ("POST", format!("/api/Customer/single/{entry}"), r#"{"customerNumber":"A"}"#, writes),
            ("DELETE", "/api/Customer/0".to_owned(), "", writes),
            ("GET", format!("/api/Export/customers/csv/{entry}"), "", exports),
        ] {
            let headers =
                [("authorization", bearer.as_str()), ("content-type", "application/json")];
            let answer = party.server.raw(method, &target, &headers, body.as_bytes()).await;
            let what = format!("{asked}: {method} {target}: {}", answer.text());
            assert_eq!(answer.status != 403, opens, "{what}");
            assert_ne!(answer.status, 401, "{what}");
        }
    }
    for (keys, asked) in [
        (&party.keys, json!([])),
        (&party.keys, json!(["a"])),
        (&party.keys, json!(["customer:read", "moon:walk"])),
        (&party.keys, json!(["key:write"])),
        (&reader, json!(["customer:write"])),
    ] {
        let (status, answer) = ask(&party, keys, asked.clone()).await;
        assert_eq!((status, &answer["errorType"]), (400, &json!("InvalidPermissions")), "{asked}");
    }
    let (status, answer) = ask(&party, &party.keys, json!("customer:read")).await;
    assert_eq!((status, &answer["errorType"]), (400, &json!("InvalidCredentials")), "no list");
}

#[tokio::test]
async fn a_token_cannot_be_given_other_permissions() {
    let party = Party::new().await;
    let (_, answer) = ask(&party, &party.keys, json!(["customer:read"])).await;
    let token = answer["access_token"].as_str().unwrap();
    let (text, signature) = token.split_once('.').unwrap();
    let mut content: Value = serde_json::from_slice(&BASE64.decode(text).unwrap()).unwrap();
    assert_eq!(content["permissions"], json!(["customer:read"]));
    let target = format!("/api/Query/customers/{}", party.entry());
    for altered in [json!(["customer:read", "customer:write"]), Value::Null] {
        content["permissions"] = altered;
        let bearer = format!("Bearer {}.{signature}", BASE64.encode(content.to_string()));
        let headers = [("authorization", bearer.as_str())];
        let answer = party.server.raw("GET", &target, &headers, b"").await;
        assert_eq!((answer.status, answer.json()), (401, unauthorized()));
    }
}

#[tokio::test]
async fn entry_points_and_organizations_of_others_do_not_exist() {
    let party = Party::new().await;
    let other = party.server.other_space(DIALECT.name).await;
    let number = party.add(json!({"customerNumber": "A"})).await;
    let no_entry = error(
        3001,
        "Entrypoint does not exist",
        "No entrypoint of this name is open to the token.",
        "Check the entrypoint.",
    );
    let foreign = other["entry"].as_str().unwrap();
    for entry in [foreign, "ffffffffff0", "x"] {
        for target in [
            format!("/api/Query/customers/{entry}"),
            format!("/api/Export/customers/csv/{entry}"),
            format!("/api/Paypoint/settings/{entry}"),
        ] {
            assert_eq!(party.get(&target).await.expect(400).json(), no_entry, "{target}");
        }
        let target = format!("/api/Customer/single/{entry}");
        let body = json!({"customerNumber": "B"});
        assert_eq!(party.call("POST", &target, Some(body)).await.expect(400).json(), no_entry);
    }
    refused(party.get("/api/Query/customers/org/0").await, 3003, "organization");
    let org = other["org_id"].as_i64().unwrap();
    refused(party.get(&format!("/api/Query/customers/org/{org}")).await, 3003, "organization");
    refused(party.get(&format!("/api/Organization/settings/{org}")).await, 3003, "organization");
    // The other account sees nothing of the first one's customer, and changes nothing.
    for (method, tail, body) in [
        ("GET", "", None),
        ("PUT", "", Some(json!({"firstname": "X"}))),
        ("DELETE", "", None),
        ("POST", "/consent", None),
    ] {
        let target = format!("/api/Customer/{number}{tail}");
        let answer = party.server.call(&DIALECT, &other, method, &target, body).await;
        refused(answer, 3003, "customer");
    }
    let target = format!("/api/Customer/link/{number}/45-1");
    refused(party.server.call(&DIALECT, &other, "GET", &target, None).await, 3003, "customer");
    assert_eq!(party.record(number).await["Firstname"], Value::Null);
}

#[tokio::test]
async fn a_key_of_the_account_opens_all_its_entry_points() {
    let party = Party::new().await;
    let org = party.keys["org_id"].as_i64().unwrap();
    let second = party.server.new_space(Some(org)).await[DIALECT.name].clone();
    let entry = second["entry"].as_str().unwrap();
    // Callers are remembered for half a second, with the spaces they open.
    tokio::time::sleep(patron_app::keys::REMEMBERED).await;
    let target = format!("/api/Customer/single/{entry}");
    let body = json!({"customerNumber": "B", "email": "b@example.org"});
    let added = party.call("POST", &target, Some(body)).await.expect(200).json();
    let number = added["responseData"]["customerId"].as_i64().unwrap();
    assert_eq!(added["responseData"]["PaypointEntryname"], entry);
    party.add(json!({"customerNumber": "A"})).await;
    // By number alone, in whichever entry point it is.
    assert_eq!(party.record(number).await["PaypointEntryname"], entry);
    party.put(number, json!({"firstname": "Bea"})).await.expect(200);
    party.call("POST", &format!("/api/Customer/{number}/consent"), None).await.expect(200);
    let target = format!("/api/Query/customers/org/{org}?sortBy=asc(customernumber)");
    let all = party.get(&target).await.expect(200).json();
    let entries: Vec<&Value> =
        all["Records"].as_array().unwrap().iter().map(|r| &r["PaypointEntryname"]).collect();
    assert_eq!(entries, [party.entry(), entry]);
    assert_eq!(all["Summary"]["totalRecords"], 2);
    let paypoint = format!("/api/Query/customers/org/{org}?paypointDba(ct)=OTHER");
    let one = party.get(&paypoint).await.expect(200).json();
    assert_eq!(one["Records"][0]["customerNumber"], "B");
    assert_eq!(one["Summary"]["totalRecords"], 1);
    // The second key is for its own entry point only.
    let target = format!("/api/Query/customers/{}", party.entry());
    let answer = party.server.call(&DIALECT, &second, "GET", &target, None).await;
    assert_eq!(answer.expect(400).json()["responseCode"], 3001);
}

#[tokio::test]
async fn paths_match_in_any_case_and_with_a_trailing_slash() {
    let party = Party::new().await;
    let number = party.add(json!({"customerNumber": "A"})).await;
    party.get(&format!("/API/customer/{number}/")).await.expect(200);
    party.get(&format!("/api/QUERY/Customers/{}/", party.entry().to_uppercase())).await.expect(200);
    let target = format!("/api/customer/LINK/{number}/45-aBc/");
    party.get(&target).await.expect(200);
    party.get("/api/Nothing").await.expect(404);
    let answer = party.call("PATCH", &format!("/api/Customer/{number}"), None).await.expect(405);
    assert_eq!(answer.header("allow").split(", ").count(), 3);
    assert_eq!(answer.header("cache-control"), "no-store");
}
