//! Who may ask: tokens, entry points, organizations, other people's customers.

use patron_payabli::DIALECT;
use serde_json::{Value, json};

use crate::{Party, error, refused};

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
        "state": "s-1", "permissions": ["a"],
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
    let clock =
        patron_app::Clock::fixed(patron_model::Timestamp::from_micros(1_700_000_000_000_000));
    let limits = patron_gateway::limits::Limits::default();
    let server = patron_testkit::TestServer::start_with(&[&DIALECT], clock.clone(), limits).await;
    let keys = server.credentials(DIALECT.name);
    let party = Party { server, keys };
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
