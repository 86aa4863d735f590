//! Application users with their keys, human users, roles, and who holds them.

use patron_app::{
    Id,
    assignments::{self, Where},
    providers::{self, ProviderPatch},
};
use patron_model::{Patch, text::Name};
use patron_wallee::DIALECT;
use serde_json::{Value, json};

use crate::place::{Shop, id, refused};

impl Shop {
    /// A call with the key of another user.
    async fn as_user(&self, user: i64, key: &str, method: &str, path: &str) -> u16 {
        let keys = json!({"user_id": user, "authentication_key": key, "space_id": self.space()});
        let target = format!("/api/v2.0{path}");
        self.server.call(&DIALECT, &keys, method, &target, None).await.status
    }

    async fn application(&self) -> Value {
        let body = json!({"name": "shop", "primaryAccount": 1});
        self.post("/application-users", body).await.expect(201).json()
    }

    async fn role(&self, permissions: &[i64]) -> i64 {
        let permissions: Vec<Value> = permissions.iter().map(|id| json!({"id": id})).collect();
        let role = json!({"account": 1, "name": {"en-US": "Desk", "de-DE": "Schalter"},
            "permissions": permissions});
        id(&self.post("/roles", role).await.expect(201).json())
    }

    async fn of_account(&self, method: &str, path: &str) -> patron_testkit::Answer {
        self.call_with(method, path, &[("account", "1")], None).await
    }
}

#[tokio::test]
async fn an_application_signs_in_with_each_of_its_keys_and_does_what_its_roles_say() {
    let shop = Shop::open().await;
    let made = shop.application().await;
    let (user, first) = (id(&made), made["macKey"].as_str().unwrap().to_owned());
    assert_eq!((&made["state"], &made["userType"]), (&json!("ACTIVE"), &json!("APPLICATION_USER")));
    assert_eq!(shop.as_user(user, &first, "GET", "/customers").await, 403, "no role yet");
    let role = shop.role(&[101]).await;
    let roles = format!("/application-users/{user}/space-roles");
    let held = shop.post(&format!("{roles}?roleId={role}"), Value::Null).await;
    let held = held.expect(200).json();
    assert_eq!((&held["role"], &held["space"]), (&json!(role), &json!(shop.space())));
    assert_eq!(shop.as_user(user, &first, "GET", "/customers").await, 200);
    assert_eq!(shop.as_user(user, &first, "DELETE", "/customers/1").await, 403);
    let keys = format!("/application-users/{user}/keys");
    let second = shop.call("POST", &keys, None).await.expect(201).json();
    let secret = second["key"].as_str().unwrap().to_owned();
    for key in [&first, &secret] {
        assert_eq!(shop.as_user(user, key, "GET", "/customers").await, 200);
    }
    let listed = shop.get(&keys).await.expect(200).json();
    assert_eq!(listed.as_array().unwrap().len(), 2);
    assert!(!listed.to_string().contains(&secret));
    // Either may go, and the other goes on.
    shop.delete(&format!("{keys}/{}", second["id"])).await.expect(204);
    assert_eq!(shop.as_user(user, &secret, "GET", "/customers").await, 401);
    assert_eq!(shop.as_user(user, &first, "GET", "/customers").await, 200);
    let third = shop.call("POST", &keys, None).await.expect(201).json();
    shop.delete(&format!("{keys}/{}", listed[0]["id"])).await.expect(204);
    assert_eq!(shop.as_user(user, &first, "GET", "/customers").await, 401);
    let third = third["key"].as_str().unwrap();
    assert_eq!(shop.as_user(user, third, "GET", "/customers").await, 200);
    let states: Vec<Value> = shop
        .get(&keys)
        .await
        .json()
        .as_array()
        .unwrap()
        .iter()
        .map(|k| k["state"].clone())
        .collect();
    assert_eq!(states, ["INACTIVE", "INACTIVE", "ACTIVE"]);
    shop.delete(&format!("{roles}?roleId={role}")).await.expect(204);
    assert_eq!(shop.as_user(user, third, "GET", "/customers").await, 403);
    shop.delete(&format!("{roles}?roleId={role}")).await.expect(404);
    let one = format!("/application-users/{user}");
    let off = json!({"version": 1, "state": "INACTIVE"});
    let off = shop.patch(&one, off).await.expect(200).json();
    assert_eq!((&off["state"], &off["version"]), (&json!("INACTIVE"), &json!(2)));
    assert_eq!(shop.as_user(user, third, "GET", "/customers").await, 401);
    refused(
        &shop.patch(&one, json!({"version": 1, "name": "x"})).await,
        409,
        "conflict",
        &json!({"version": "Expected 2 but was 1."}),
    );
    shop.delete(&one).await.expect(204);
    assert_eq!(shop.get(&one).await.expect(200).json()["state"], "DELETED");
    assert!(!shop.ids("/application-users?limit=100").await.contains(&user));
}

#[tokio::test]
async fn ten_keys_are_good_at_once_and_no_more() {
    let shop = Shop::open().await;
    let user = id(&shop.application().await);
    let keys = format!("/application-users/{user}/keys");
    let mut last = Value::Null;
    for _ in 1..10 {
        last = shop.call("POST", &keys, None).await.expect(201).json();
    }
    shop.call("POST", &keys, None).await.expect(422);
    shop.delete(&format!("{keys}/{}", last["id"])).await.expect(204);
    shop.call("POST", &keys, None).await.expect(201);
}

#[tokio::test]
async fn people_whom_a_provider_brings_are_a_family_of_their_own() {
    let shop = Shop::open().await;
    let cx = shop.server.app.operator(0, "test");
    let provider = ProviderPatch {
        name: Name::parse("Staff").ok(),
        issuer: Some("https://login.example.com".to_owned()),
        client_id: Some("patron".to_owned()),
        ..ProviderPatch::default()
    };
    let provider = providers::create(&cx, 1, provider, Patch::Keep).await.unwrap();
    let provider = &json!(provider.number);
    let users = "/single-sign-on-users";
    for (status, body, member) in [
        (400, json!({"firstname": "Ada"}), "provider"),
        (422, json!({"provider": 4711}), "provider"),
        (422, json!({"provider": provider, "primaryAccount": 4711}), "primaryAccount"),
        (422, json!({"provider": provider, "timeZone": "Mars/Olympus"}), "timeZone"),
    ] {
        let answer = shop.post(users, body.clone()).await.expect(status).json();
        assert!(answer["errors"][member].is_string(), "{body}: {answer}");
    }
    let body = json!({"provider": provider, "firstname": "Ada", "language": "en-US"});
    let made = shop.post(users, body).await.expect(201).json();
    assert_eq!((&made["userType"], &made["provider"]), (&json!("SINGLE_SIGN_ON_USER"), provider));
    assert_eq!((&made["scope"], &made["primaryAccount"]), (&json!(1), &json!(1)));
    let human = json!({"emailAddress": "bob@example.com", "firstname": "Bob"});
    let human = shop.post("/human-users", human).await.expect(201).json();
    // Each is found in its own family only.
    assert_eq!(shop.found(users, &format!("provider:{provider}")).await, [id(&made)]);
    assert_eq!(shop.found("/human-users", "firstname:Ada").await, [0; 0]);
    assert_eq!(shop.found(users, "firstname:Bob").await, [0; 0]);
    shop.get(&format!("/human-users/{}", made["id"])).await.expect(404);
    shop.get(&format!("{users}/{}", human["id"])).await.expect(404);
    let listed = shop.get(users).await.expect(200).json();
    assert_eq!(listed["data"], json!([made]));
    let one = format!("{users}/{}", made["id"]);
    let changed = json!({"version": 1, "lastname": "Lovelace", "state": "INACTIVE"});
    let changed = shop.patch(&one, changed).await.expect(200).json();
    assert_eq!((&changed["lastname"], &changed["state"]), (&json!("Lovelace"), &json!("INACTIVE")));
    shop.patch(&one, json!({"version": 1, "lastname": "x"})).await.expect(409);
    // Roles, as of the other families.
    let roles = format!("{one}/account-roles");
    let held = shop.of_account("POST", &format!("{roles}?roleId=5")).await.expect(200).json();
    let there = shop.of_account("GET", &roles).await.expect(200).json();
    assert_eq!(there["data"], json!([held]));
    let strange = format!("/human-users/{}/account-roles", made["id"]);
    shop.of_account("GET", &strange).await.expect(404);
    shop.of_account("DELETE", &format!("{roles}?roleId=5")).await.expect(204);
    shop.delete(&one).await.expect(204);
    let gone = shop.get(&one).await.expect(200).json();
    assert_eq!((&gone["state"], &gone["firstname"]), (&json!("DELETED"), &Value::Null));
    assert_eq!(shop.get(users).await.expect(200).json()["data"], json!([]));
}

#[tokio::test]
async fn people_are_made_found_changed_and_deleted() {
    let shop = Shop::open().await;
    let body = json!({"emailAddress": "ada@example.com", "firstname": "Ada", "language": "en-US"});
    let made = shop.post("/human-users", body.clone()).await.expect(201).json();
    let one = format!("/human-users/{}", made["id"]);
    assert_eq!((&made["state"], &made["primaryAccount"]), (&json!("CREATE"), &json!(1)));
    refused(
        &shop.post("/human-users", body).await,
        422,
        "unprocessable_entity",
        &json!({"emailAddress": "Is already used by another record."}),
    );
    assert_eq!(shop.found("/human-users", "emailAddress:~ada").await, [id(&made)]);
    assert_eq!(shop.found("/human-users", "firstname:Bob").await, [0; 0]);
    let changed = json!({"version": 1, "lastname": "Lovelace", "state": "ACTIVE"});
    let changed = shop.patch(&one, changed).await.expect(200).json();
    assert_eq!((&changed["lastname"], &changed["state"]), (&json!("Lovelace"), &json!("ACTIVE")));
    for (body, member) in [
        (json!({"version": 2, "twoFactorEnabled": true}), "twoFactorEnabled"),
        (json!({"version": 2, "state": "DELETED"}), "state"),
        (json!({"version": 2, "timeZone": "Mars/Olympus"}), "timeZone"),
        (json!({"version": 2, "firstname": "x".repeat(101)}), "firstname"),
        (json!({"state": "ACTIVE"}), "version"),
    ] {
        let answer = shop.patch(&one, body).await;
        assert!([400, 422].contains(&answer.status), "{}", answer.text());
        assert!(answer.json()["errors"].get(member).is_some(), "{}", answer.text());
    }
    // One kind is not found under the other.
    shop.get(&format!("/application-users/{}", made["id"])).await.expect(404);
    shop.delete(&one).await.expect(204);
    let gone = shop.get(&one).await.expect(200).json();
    assert_eq!((&gone["state"], gone.get("firstname")), (&json!("DELETED"), None));
    refused(
        &shop.post("/application-users", json!({"name": "x"})).await,
        400,
        "bad_request",
        &json!({"primaryAccount": "Must be given."}),
    );
    let limited = |limit| json!({"name": "x", "primaryAccount": 1, "requestLimit": limit});
    let made = shop.post("/application-users", limited(5)).await.expect(201).json();
    assert_eq!(made["requestLimit"], 5);
    let answer = shop.post("/application-users", limited(-1)).await.expect(422);
    assert!(answer.json()["errors"].get("requestLimit").is_some(), "{}", answer.text());
    let elsewhere = json!({"name": "x", "primaryAccount": 77});
    let answer = shop.post("/application-users", elsewhere).await.expect(422);
    assert!(answer.json()["errors"].get("primaryAccount").is_some(), "{}", answer.text());
}

#[tokio::test]
async fn roles_have_names_by_language_and_permissions_by_number() {
    let shop = Shop::open().await;
    let role = shop.role(&[101, 102]).await;
    let one = format!("/roles/{role}");
    let shown = shop.get(&one).await.expect(200).json();
    assert_eq!(shown["name"], json!({"en-US": "Desk", "de-DE": "Schalter"}));
    assert_eq!(shown["permissions"], json!([{"id": 101}, {"id": 102}]));
    assert_eq!((&shown["account"], &shown["state"]), (&json!({"id": 1}), &json!("ACTIVE")));
    let whole = shop.get(&format!("{one}?expand=permissions")).await.json();
    assert_eq!(whole["permissions"][0]["name"]["en-US"], "customer:read");
    let built_in = shop.get("/roles/5").await.expect(200).json();
    assert_eq!(built_in["name"]["en-US"], "read only");
    assert_eq!(shop.ids("/roles?limit=100").await, [1, 2, 3, 4, 5, 6, role]);
    assert_eq!(shop.ids("/roles?after=5&limit=1").await, [6]);
    assert_eq!(shop.found("/roles", "name:~des").await, [role]);
    assert_eq!(shop.found("/roles", "account:1").await, [role]);
    assert_eq!(
        (&shown["twoFactorRequired"], &built_in["twoFactorRequired"]),
        (&json!(false), &json!(false))
    );
    assert_eq!(shop.get("/roles/1").await.json()["twoFactorRequired"], true);
    let less = json!({"version": 1, "permissions": [{"id": 101}], "twoFactorRequired": true});
    let less = shop.patch(&one, less).await.expect(200).json();
    assert_eq!((&less["version"], &less["twoFactorRequired"]), (&json!(2), &json!(true)));
    for (body, member) in [
        (json!({"account": 1, "name": {}}), "name"),
        (json!({"account": 1}), "name"),
        (json!({"name": {"en-US": "x"}}), "account"),
        (json!({"account": 1, "name": {"en-US": "x"}, "permissions": [{"id": 1}]}), "permissions"),
        (json!({"account": 77, "name": {"en-US": "x"}}), "account"),
    ] {
        let answer = shop.post("/roles", body).await;
        assert!([400, 422].contains(&answer.status), "{}", answer.text());
        assert!(answer.json()["errors"].get(member).is_some(), "{}", answer.text());
    }
    shop.patch("/roles/5", json!({"version": 1, "name": {"en-US": "x"}})).await.expect(422);
    shop.delete("/roles/5").await.expect(422);
    let user = id(&shop.application().await);
    let roles = format!("/application-users/{user}/account-roles");
    let query = format!("{roles}?roleId={role}&appliesOnSubAccount=true");
    let held = shop.of_account("POST", &query).await.expect(200).json();
    assert_eq!((&held["account"], &held["appliesOnSubAccount"]), (&json!(1), &json!(true)));
    shop.of_account("POST", &query).await.expect(422);
    let listed = shop.of_account("GET", &roles).await.expect(200).json();
    assert_eq!((&listed["data"], &listed["hasMore"]), (&json!([held]), &json!(false)));
    shop.delete(&one).await.expect(422);
    shop.of_account("DELETE", &format!("{roles}?roleId={role}")).await.expect(204);
    shop.delete(&one).await.expect(204);
    assert_eq!(shop.get(&one).await.expect(200).json()["state"], "DELETED");
    for (path, status) in [(roles.clone(), 400), (format!("{roles}?roleId=x"), 400)] {
        shop.of_account("POST", &path).await.expect(status);
    }
    let elsewhere = [("account", "77")];
    shop.call_with("GET", &roles, &elsewhere, None).await.expect(403);
    shop.get(&roles).await.expect(400);
}

#[tokio::test]
async fn another_account_sees_none_of_them() {
    let shop = Shop::open().await;
    let user = id(&shop.application().await);
    let role = shop.role(&[101]).await;
    let other = shop.server.other_space("wallee").await;
    let stranger = other["user_id"].as_i64().unwrap();
    let cx = shop.server.app.operator(0, "test");
    let at = Where::Account { number: 2, subaccounts: true };
    assignments::grant(&cx, Id::Number(stranger), 1, at).await.unwrap();
    let call = async |method: &str, path: String| {
        let target = format!("/api/v2.0{path}");
        shop.server.call(&DIALECT, &other, method, &target, None).await.status
    };
    for path in [format!("/application-users/{user}"), format!("/roles/{role}")] {
        assert_eq!(call("GET", path.clone()).await, 404, "{path}");
        assert_eq!(call("DELETE", path.clone()).await, 404, "{path}");
    }
    let keys = format!("/application-users/{user}/keys");
    assert_eq!((call("GET", keys.clone()).await, call("POST", keys).await), (404, 404));
    let grant = format!("/application-users/{user}/space-roles?roleId=5");
    assert_eq!(call("POST", grant).await, 404);
}

#[tokio::test]
async fn people_come_as_a_file_with_the_columns_that_are_wanted() {
    let shop = Shop::open().await;
    for name in ["Ada", "Bob, \"the\" builder"] {
        let email = format!("{}@example.com", &name[..3].to_lowercase());
        let person = json!({"emailAddress": email, "firstname": name, "primaryAccount": 1});
        shop.post("/human-users", person).await.expect(201);
    }
    let file = async |query: &str, accept: &str| {
        let path = format!("/human-users/export?order=firstname&{query}");
        shop.call_with("GET", &path, &[("accept", accept)], None).await
    };
    let both = "text/csv, application/json";
    let answer =
        file("fields=emailAddress&fields=firstname&query=emailAddress:~example", both).await;
    assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8");
    let wanted = "emailAddress,firstname\r\nada@example.com,Ada\r\n\
                  bob@example.com,\"Bob, \"\"the\"\" builder\"\r\n";
    assert_eq!(answer.text(), wanted);
    let one = file("limit=1&offset=1&fields=firstname,id", both).await.expect(200);
    assert!(one.text().starts_with("firstname,id\r\n\"Bob"), "{}", one.text());
    let all = file("", "text/csv").await.expect(200);
    assert!(all.text().starts_with("id,version,state,userType,primaryAccount,emailAddress,"));
    for (query, accept, status) in [
        ("fields=password", both, 422),
        ("limit=10001", both, 400),
        ("offset=100001", both, 416),
        ("query=nope:1", both, 422),
        ("", "application/json", 406),
    ] {
        assert_eq!(file(query, accept).await.status, status, "{query} {accept}");
    }
}
