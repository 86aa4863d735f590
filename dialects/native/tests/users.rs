//! People and applications, the roles they hold, and where: over HTTP, as their keys see it.

use patron_native::DIALECT;
use serde_json::{Value, json};

use crate::place::Native;

impl Native {
    async fn made(&self, target: &str, body: Value) -> Value {
        self.call("POST", target, Some(body)).await.expect(201).json()
    }

    async fn application(&self, account: &Value) -> Value {
        let body = json!({"kind": "application", "name": "shop", "account": account});
        self.made("/v1/users", body).await
    }

    async fn assign(&self, user: &Value, body: Value) -> Value {
        self.made(&format!("{}/assignments", one(user)), body).await
    }

    /// A key of a user for a whole account.
    async fn key_of_user(&self, user: &Value, space: &Value) -> Value {
        let body = json!({"dialect": "native", "user": user["number"], "account_wide": true,
            "space": space});
        self.new_key(body).await
    }

    async fn owner(&self, email: &str) -> Value {
        let owner = self.made("/v1/users", json!({"kind": "human", "email": email})).await;
        let active = Some(json!({"state": "active"}));
        self.call("PATCH", &one(&owner), active).await.expect(200);
        owner
    }
}

fn one(user: &Value) -> String {
    format!("/v1/users/{}", user["number"])
}

fn held(user: &Value, assignment: &Value) -> String {
    format!("{}/assignments/{}", one(user), assignment["number"])
}

#[tokio::test]
async fn people_are_invited_changed_and_deleted_without_a_trace() {
    let native = Native::start().await;
    let person = json!({"kind": "human", "email": "Ada@Example.com", "given_name": "Adelaide",
        "language": "de-CH", "time_zone": "Europe/Zurich"});
    let person = native.made("/v1/users", person).await;
    assert_eq!((&person["state"], &person["version"]), (&json!("invited"), &json!(1)));
    let again = json!({"kind": "human", "email": "ada@example.com"});
    native.call("POST", "/v1/users", Some(again.clone())).await.expect(409);
    let found = native.call("GET", "/v1/users?email=ada@example.com&kind=human", None).await.json();
    assert_eq!(found["data"][0]["number"], person["number"]);
    let path = one(&person);
    let changed = json!({"family_name": "Lovelace", "state": "active"});
    let changed = native.call("PATCH", &path, Some(changed)).await.expect(200);
    assert_eq!((&changed.json()["state"], changed.header("etag")), (&json!("active"), "\"2\""));
    for (body, member) in [
        (json!({"name": "x"}), "name"),
        (json!({"email": null}), "email"),
        (json!({"kind": "application"}), "kind"),
        (json!({"state": "deleted"}), "state"),
        (json!({"given_name": "x".repeat(101)}), "given_name"),
    ] {
        let refused = native.call("PATCH", &path, Some(body)).await.expect(422);
        assert!(refused.text().contains(member), "{}", refused.text());
    }
    let stale = [("if-match", "\"1\"")];
    native.with("DELETE", &path, &stale, None).await.expect(412);
    native.call("DELETE", &path, None).await.expect(204);
    native.call("GET", &path, None).await.expect(404);
    native.call("PATCH", &path, Some(json!({"state": "active"}))).await.expect(404);
    let listed = native.call("GET", "/v1/users?kind=human", None).await.json();
    assert_eq!(listed["data"], json!([]));
    let journal = native.server.app.store.entries(0, 0, 1_000).await.unwrap();
    for trace in ["Adelaide", "Lovelace", "xample.com"] {
        assert!(journal.iter().all(|entry| !entry.doc.contains(trace)), "{trace}");
    }
    native.call("POST", "/v1/users", Some(again)).await.expect(201);
}

#[tokio::test]
async fn a_key_does_what_the_roles_of_its_user_say_and_at_once() {
    let native = Native::start().await;
    let role = json!({"name": "Readers", "permissions": ["customer:read"]});
    let role = native.made("/v1/roles", role).await;
    let user = native.application(&json!(1)).await;
    let space = json!({"role": role["number"], "space": 1});
    let assignment = native.assign(&user, space.clone()).await;
    let again = format!("{}/assignments", one(&user));
    native.call("POST", &again, Some(space)).await.expect(409);
    let key = native.key_of_user(&user, &json!(1)).await;
    assert_eq!(key["permissions"], json!(["customer:read"]));
    assert_eq!(key["role"], role["number"]);
    let get = async || native.as_key(&key, "GET", "/v1/customers", None).await.status;
    let post = async || native.as_key(&key, "POST", "/v1/customers", Some(json!({}))).await.status;
    assert_eq!((get().await, post().await), (200, 403));
    let me = native.as_key(&key, "GET", "/v1/me", None).await.expect(200).json();
    assert_eq!((&me["user"]["number"], &me["key"]), (&user["number"], &key["number"]));
    let may = json!([{"account": 1, "space": 1, "subaccounts": false,
        "permissions": ["customer:read"]}]);
    assert_eq!(me["permissions"], may);
    // A changed role holds for all who have it.
    let path = format!("/v1/roles/{}", role["number"]);
    let wider = json!({"permissions": ["customer:read", "customer:write"]});
    native.call("PATCH", &path, Some(wider)).await.expect(200);
    assert_eq!((get().await, post().await), (200, 201));
    native.call("DELETE", &path, None).await.expect(409);
    // A user who is off opens nothing, and everything again when he is on.
    native.call("PATCH", &one(&user), Some(json!({"state": "inactive"}))).await.expect(200);
    assert_eq!(get().await, 401);
    native.call("PATCH", &one(&user), Some(json!({"state": "active"}))).await.expect(200);
    assert_eq!(get().await, 200);
    native.call("DELETE", &held(&user, &assignment), None).await.expect(204);
    assert_eq!(get().await, 403, "of nothing that it may, nothing is left");
    native.call("DELETE", &held(&user, &assignment), None).await.expect(404);
    native.call("DELETE", &path, None).await.expect(204);
    native.call("GET", &path, None).await.expect(404);
    // With its user a key ends.
    let other = native.assign(&user, json!({"role": 5, "space": 1})).await;
    assert_eq!(get().await, 200);
    native.call("DELETE", &one(&user), None).await.expect(204);
    assert_eq!(get().await, 401);
    native.call("DELETE", &held(&user, &other), None).await.expect(404);
    let shown = native.call("GET", &format!("/v1/keys/{}", key["number"]), None).await.json();
    assert_eq!(shown["state"], "revoked");
}

#[tokio::test]
async fn roles_reach_as_far_down_as_they_say() {
    let native = Native::start().await;
    let child = native.made("/v1/accounts", json!({"name": "Child"})).await["number"].clone();
    let grandchild = json!({"name": "Grandchild", "parent": child});
    let grandchild = native.made("/v1/accounts", grandchild).await["number"].clone();
    let space = json!({"name": "Deep", "account": grandchild});
    let space = native.made("/v1/spaces", space).await["number"].clone();
    let user = native.application(&json!(1)).await;
    let above = native.assign(&user, json!({"role": 2, "account": 1})).await;
    let key = native.key_of_user(&user, &json!(1)).await;
    let status = async |target: String| native.as_key(&key, "GET", &target, None).await.status;
    let deep = [format!("/v1/accounts/{grandchild}"), format!("/v1/spaces/{space}")];
    assert_eq!(status("/v1/accounts/1".into()).await, 200);
    for target in deep.clone() {
        assert_eq!(status(target).await, 404, "not below");
    }
    // It has nothing to give there either.
    let given = json!({"dialect": "native", "role": 5, "space": space});
    native.as_key(&key, "POST", "/v1/keys", Some(given.clone())).await.expect(422);
    let whole = json!({"kind": "application", "name": "x", "account": grandchild});
    native.as_key(&key, "POST", "/v1/users", Some(whole)).await.expect(422);
    let wide = json!({"role": 5, "account": 1, "subaccounts": true});
    let target = format!("{}/assignments", one(&user));
    native.as_key(&key, "POST", &target, Some(wide)).await.expect(403);
    native.call("DELETE", &held(&user, &above), None).await.expect(204);
    let all = json!({"role": 2, "account": 1, "subaccounts": true});
    native.assign(&user, all).await;
    for target in deep {
        assert_eq!(status(target).await, 200, "below");
    }
    let listed = native.as_key(&key, "GET", "/v1/accounts", None).await.json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 3);
    native.as_key(&key, "POST", "/v1/keys", Some(given)).await.expect(201);
    // A role of an account below is not for the one above.
    let own = json!({"name": "Own", "account": child, "permissions": ["customer:read"]});
    let own = native.made("/v1/roles", own).await;
    let there = json!({"role": own["number"], "account": 1});
    native.call("POST", &target, Some(there)).await.expect(422);
    native.assign(&user, json!({"role": own["number"], "account": grandchild})).await;
}

#[tokio::test]
async fn nobody_gives_what_he_lacks() {
    let native = Native::start().await;
    let manages = json!([
        "application:read",
        "application:write",
        "person:read",
        "role:read",
        "role:write",
        "access:read",
        "access:grant",
        "key:read",
        "key:write",
        "customer:read"
    ]);
    let manager = json!({"name": "Manager", "permissions": manages});
    let manager = native.made("/v1/roles", manager).await;
    let user = native.application(&json!(1)).await;
    let body = json!({"role": manager["number"], "account": 1, "subaccounts": true});
    native.assign(&user, body).await;
    let key = native.key_of_user(&user, &json!(1)).await;
    let ask = async |method: &str, target: &str, body: Value| {
        native.as_key(&key, method, target, Some(body)).await.status
    };
    let more = json!({"name": "More", "permissions": ["customer:read", "customer:write"]});
    assert_eq!(ask("POST", "/v1/roles", more.clone()).await, 403);
    let same = json!({"name": "Same", "permissions": ["customer:read"]});
    assert_eq!(ask("POST", "/v1/roles", same).await, 201);
    let path = format!("/v1/roles/{}", manager["number"]);
    assert_eq!(ask("PATCH", &path, more).await, 403, "not to himself either");
    let other = native.application(&json!(1)).await;
    let target = format!("{}/assignments", one(&other));
    for stronger in [1, 2, 3, 5, 6] {
        assert_eq!(ask("POST", &target, json!({"role": stronger, "space": 1})).await, 403);
    }
    let equal = json!({"role": manager["number"], "account": 1});
    assert_eq!(ask("POST", &target, equal).await, 201);
    // A key of somebody who may more is not to be had.
    let strong = native.application(&json!(1)).await;
    native.assign(&strong, json!({"role": 1, "account": 1})).await;
    let stolen = json!({"dialect": "native", "user": strong["number"], "account_wide": true});
    assert_eq!(ask("POST", "/v1/keys", stolen).await, 403);
    let capped = json!({"dialect": "native", "user": strong["number"], "account_wide": true,
        "permissions": ["customer:read"]});
    assert_eq!(ask("POST", "/v1/keys", capped).await, 201);
    assert_eq!(ask("PATCH", "/v1/roles/1", json!({"permissions": []})).await, 409);
}

#[tokio::test]
async fn an_account_keeps_an_owner_whoever_is_faster() {
    let native = Native::start().await;
    let mut owners = Vec::new();
    for n in 0..16 {
        let owner = native.owner(&format!("owner{n}@example.com")).await;
        let assignment = native.assign(&owner, json!({"role": 1, "account": 1})).await;
        owners.push((owner, assignment));
    }
    let remove = |(n, (owner, assignment)): (usize, &(Value, Value))| {
        let (method, target, body) = match n % 3 {
            0 => ("DELETE", held(owner, assignment), None),
            1 => ("DELETE", one(owner), None),
            _ => ("PATCH", one(owner), Some(json!({"state": "inactive"}))),
        };
        let native = &native;
        async move { native.call(method, &target, body).await.status }
    };
    let removals = owners.iter().enumerate().map(remove);
    let mut left = 0;
    for status in futures_util::future::join_all(removals).await {
        match status {
            409 => left += 1,
            503 => left += 1,
            status => assert!([200, 204].contains(&status), "{status}"),
        }
    }
    assert!(left >= 1, "one stays at least");
    let mut owning = 0;
    for (owner, assignment) in &owners {
        let user = native.call("GET", &one(owner), None).await;
        let is_active = user.status == 200 && user.json()["state"] == "active";
        let holds = native.call("GET", &held(owner, assignment), None).await.status == 200;
        owning += i32::from(is_active && holds);
    }
    assert!(owning >= 1, "and is an active owner");
}

#[tokio::test]
async fn a_role_that_owns_is_not_taken_from_under_the_last_owner() {
    let native = Native::start().await;
    let role = json!({"name": "Chief", "permissions": ["access:own", "customer:read"]});
    let role = native.made("/v1/roles", role).await;
    let owner = native.owner("chief@example.com").await;
    let own = json!({"role": role["number"], "account": 1, "subaccounts": true});
    let own = native.assign(&owner, own).await;
    let path = format!("/v1/roles/{}", role["number"]);
    let less = json!({"permissions": ["customer:read"]});
    native.call("PATCH", &path, Some(less.clone())).await.expect(409);
    native.call("DELETE", &held(&owner, &own), None).await.expect(409);
    // Another owner who does not own the accounts below is not enough.
    let second = native.owner("second@example.com").await;
    let narrow = native.assign(&second, json!({"role": 1, "account": 1})).await;
    native.call("DELETE", &held(&owner, &own), None).await.expect(409);
    native.call("DELETE", &held(&second, &narrow), None).await.expect(204);
    let wide = json!({"role": 1, "account": 1, "subaccounts": true});
    native.assign(&second, wide).await;
    native.call("DELETE", &held(&owner, &own), None).await.expect(204);
    native.call("PATCH", &path, Some(less)).await.expect(200);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_its_member() {
    let native = Native::start().await;
    let user = native.application(&json!(1)).await;
    let assignments = format!("{}/assignments", one(&user));
    for (target, body, member) in [
        ("/v1/users", json!({}), "kind"),
        ("/v1/users", json!({"kind": "robot"}), "kind"),
        ("/v1/users", json!({"kind": "human"}), "email"),
        ("/v1/users", json!({"kind": "application", "name": "x", "phone": "1"}), "phone"),
        ("/v1/users", json!({"kind": "application", "name": "x", "account": 99}), "account"),
        ("/v1/users", json!({"kind": "application", "name": "x", "state": "active"}), "state"),
        ("/v1/roles", json!({"permissions": []}), "name"),
        ("/v1/roles", json!({"name": "x"}), "permissions"),
        ("/v1/roles", json!({"name": "x", "permissions": ["moon:walk"]}), "permissions"),
        ("/v1/roles", json!({"name": "x", "permissions": [], "account": 99}), "account"),
        (&assignments, json!({"space": 1}), "role"),
        (&assignments, json!({"role": 5}), "account"),
        (&assignments, json!({"role": 5, "account": 1, "space": 1}), "space"),
        (&assignments, json!({"role": 5, "space": 1, "subaccounts": true}), "subaccounts"),
        (&assignments, json!({"role": 77, "space": 1}), "role"),
        (&assignments, json!({"role": 5, "space": 99}), "space"),
        ("/v1/keys", json!({"dialect": "native", "user": 9999}), "user"),
        ("/v1/keys", json!({"dialect": "native", "user": user["number"], "role": 5}), "role"),
    ] {
        let refused = native.call("POST", target, Some(body.clone())).await.expect(422);
        assert!(refused.text().contains(member), "{target} {body}: {}", refused.text());
    }
    for target in ["/v1/users/x", "/v1/users/9999", "/v1/roles/77", "/v1/permissions/moon:walk"] {
        native.call("GET", target, None).await.expect(404);
    }
}

#[tokio::test]
async fn another_account_sees_nobody() {
    let native = Native::start().await;
    let person = json!({"kind": "human", "email": "ada@example.com"});
    let person = native.made("/v1/users", person.clone()).await;
    let role = json!({"name": "Own", "permissions": ["customer:read"]});
    let role = native.made("/v1/roles", role).await;
    let user = native.application(&json!(1)).await;
    let assignment = native.assign(&user, json!({"role": 5, "space": 1})).await;
    let other = native.server.other_space("native").await;
    let call = async |method: &str, target: &str, body: Option<Value>| {
        native.server.call(&DIALECT, &other, method, target, body).await
    };
    let role = format!("/v1/roles/{}", role["number"]);
    for target in [&one(&person), &one(&user), &role, &held(&user, &assignment)] {
        call("GET", target, None).await.expect(404);
        call("DELETE", target, None).await.expect(404);
    }
    for target in [&one(&person), &role] {
        call("PATCH", target, Some(json!({}))).await.expect(404);
    }
    let target = format!("{}/assignments", one(&user));
    call("POST", &target, Some(json!({"role": 5, "space": 1}))).await.expect(404);
    call("GET", &target, None).await.expect(404);
    for (list, own) in [("/v1/users", 1), ("/v1/assignments", 1), ("/v1/roles", 6)] {
        let listed = call("GET", list, None).await.expect(200).json();
        assert_eq!(listed["data"].as_array().unwrap().len(), own, "{list}: {listed}");
    }
    // The same address may be invited there: that tells nothing about here.
    let there = json!({"kind": "human", "email": "ada@example.com"});
    call("POST", "/v1/users", Some(there)).await.expect(201);
}

#[tokio::test]
async fn roles_and_permissions_are_listed_in_pages() {
    let native = Native::start().await;
    for n in 0..3 {
        let role = json!({"name": format!("Role {n}"), "permissions": ["customer:read"]});
        native.made("/v1/roles", role).await;
    }
    let (mut target, mut numbers) = ("/v1/roles?limit=2".to_owned(), Vec::new());
    loop {
        let page = native.call("GET", &target, None).await.expect(200).json();
        let of_page: Vec<i64> = page["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|r| r["number"].as_i64().unwrap())
            .collect();
        assert!(of_page.len() <= 2);
        numbers.extend(of_page);
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        target = format!("/v1/roles?limit=2&cursor={cursor}");
    }
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 101, 102, 103]);
    let page = native.call("GET", "/v1/roles?limit=6", None).await.json();
    assert_eq!(page["has_more"], true, "{page}");
    let all = native.call("GET", "/v1/permissions", None).await.expect(200).json();
    let first = json!({"permission": "customer:read", "number": 101,
        "about": "See customers as they are, with their addresses."});
    assert_eq!(all["data"][0], first);
    let one = native.call("GET", "/v1/permissions/customer:read", None).await.expect(200).json();
    assert_eq!(one, first);
}

#[tokio::test]
async fn what_a_user_holds_and_how_a_person_signs_in_is_shown_to_who_asks_for_it() {
    let native = Native::start().await;
    let ada = native.person("ada@example.com", Some(json!({"role": 3, "space": 1}))).await;
    let bob = native.person("bob@example.com", None).await;
    let shop = native.application(&json!(1)).await;
    native.browser("ada@example.com").await;
    native.browser("ada@example.com").await;
    let all = "/v1/users?account=1&expand=roles,sign_in";
    let all = native.call("GET", all, None).await.expect(200).json();
    let of = |user: &Value| {
        let all = all["data"].as_array().unwrap();
        all.iter().find(|one| one["number"] == user["number"]).unwrap().clone()
    };
    let ada_shown = of(&ada);
    let held = &ada_shown["roles"][0];
    assert_eq!((&held["name"], &held["role"]), (&json!("support"), &json!(3)));
    assert_eq!((&held["account"], &held["space"]), (&json!(1), &json!(1)));
    let ways = &ada_shown["sign_in"];
    assert_eq!((&ways["methods"], &ways["sessions"]), (&json!(["password"]), &json!(2)));
    assert_eq!(ways["second_factor"], false);
    assert!(ways["seen_at"].is_string(), "{ways}");
    let (bob, shop) = (of(&bob), of(&shop));
    assert_eq!((&bob["roles"], &bob["sign_in"]["sessions"]), (&json!([]), &json!(0)));
    assert_eq!(bob["sign_in"].get("seen_at"), None);
    assert_eq!(shop["sign_in"]["methods"], json!([]), "an application signs in by nothing");
    // One of them alone, and nothing that was not asked for.
    let one = native.call("GET", &format!("{}?expand=roles", one(&ada)), None).await.expect(200);
    assert_eq!(one.header("etag"), "\"2\"");
    assert_eq!(one.json()["roles"], ada_shown["roles"]);
    assert_eq!(one.json().get("sign_in"), None);
    native.call("GET", "/v1/users?expand=keys", None).await.expect(400);
}
