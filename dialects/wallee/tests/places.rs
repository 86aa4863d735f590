//! Accounts and spaces.

use patron_testkit::Answer;
use serde_json::{Value, json};

use crate::place::{Shop, id};

impl Shop {
    async fn account(&self, body: Value) -> Value {
        let mut whole = json!({"scope": 1});
        whole.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        self.post("/accounts", whole).await.expect(201).json()
    }
}

/// Refused by this member.
fn refused_by(answer: &Answer, status: u16, member: &str) {
    assert_eq!(answer.status, status, "{member}: {}", answer.text());
    assert!(answer.json()["errors"].get(member).is_some(), "{member}: {}", answer.text());
}

#[tokio::test]
async fn accounts_lie_below_one_another() {
    let shop = Shop::open().await;
    let master = shop.get("/accounts/1").await.expect(200).json();
    assert_eq!(
        (&master["type"], &master["state"], &master["scope"], &master["active"]),
        (&json!("MASTER"), &json!("ACTIVE"), &json!({"id": 1}), &json!(true))
    );
    let made = shop.account(json!({"name": "Branch", "subaccountLimit": 1})).await;
    assert_eq!(
        (&made["type"], &made["parentAccount"], &made["subaccountLimit"], &made["createdBy"]),
        (&json!("SUBACCOUNT"), &json!({"id": 1}), &json!(1), &json!(shop.user()))
    );
    let branch = id(&made);
    let below = shop.account(json!({"parentAccount": branch})).await;
    assert_eq!(below["parentAccount"], json!({"id": branch}));
    let path = format!("/accounts/{}?expand=parentAccount.parentAccount,scope", below["id"]);
    let whole = shop.get(&path).await.expect(200).json();
    assert_eq!(whole["parentAccount"]["name"], "Branch");
    assert_eq!(whole["parentAccount"]["parentAccount"]["type"], "MASTER");
    assert_eq!(
        (&whole["scope"]["machineName"], &whole["state"]),
        (&json!("Patron"), &json!("ACTIVE"))
    );
    let one_more = json!({"scope": 1, "parentAccount": branch, "name": "More"});
    refused_by(&shop.post("/accounts", one_more.clone()).await, 422, "parentAccount");
    // A deleted one does not count.
    shop.delete(&format!("/accounts/{}", below["id"])).await.expect(204);
    shop.post("/accounts", one_more).await.expect(201);
}

#[tokio::test]
async fn accounts_are_changed_put_to_rest_and_deleted() {
    let shop = Shop::open().await;
    let account = id(&shop.account(json!({"name": "Branch"})).await);
    let path = format!("/accounts/{account}");
    let body = json!({"version": 1, "name": "Other", "subaccountLimit": 5});
    let changed = shop.patch(&path, body.clone()).await.expect(200).json();
    assert_eq!((&changed["name"], &changed["version"]), (&json!("Other"), &json!(2)));
    assert_eq!(shop.patch(&path, body).await.status, 409);
    refused_by(&shop.patch(&path, json!({"name": "Other"})).await, 400, "version");
    for _ in 0..2 {
        shop.post(&format!("{path}/deactivate"), Value::Null).await.expect(204);
    }
    let shown = shop.get(&path).await.expect(200).json();
    assert_eq!(
        (&shown["state"], &shown["active"], &shown["version"]),
        (&json!("INACTIVE"), &json!(false), &json!(3))
    );
    assert_eq!(shop.ids("/accounts/search?query=state:INACTIVE").await, [account]);
    shop.post(&format!("{path}/activate"), Value::Null).await.expect(204);
    assert_eq!(shop.post("/accounts/1/deactivate", Value::Null).await.status, 422);
    assert_eq!(shop.delete("/accounts/1").await.status, 422);
    // With a space in it, it stays.
    let space = json!({"account": account, "name": "Shop"});
    let space = id(&shop.post("/spaces", space).await.expect(201).json());
    assert_eq!(shop.delete(&path).await.status, 422);
    shop.delete(&format!("/spaces/{space}")).await.expect(204);
    shop.delete(&path).await.expect(204);
    let gone = shop.get(&path).await.expect(200).json();
    assert_eq!((&gone["state"], &gone["deletedBy"]), (&json!("DELETED"), &json!(shop.user())));
    assert!(gone["deletedOn"].is_string());
    assert_eq!(shop.ids("/accounts").await, [1]);
    assert_eq!(shop.ids("/accounts/search?query=name:Other").await, Vec::<i64>::new());
    assert_eq!(shop.ids("/accounts/search?query=state:DELETED").await, [account]);
    for (method, path) in
        [("DELETE", path.clone()), ("PATCH", path.clone()), ("POST", format!("{path}/activate"))]
    {
        let body = (method == "PATCH").then(|| json!({"version": 6}));
        assert_eq!(shop.call(method, &path, body).await.status, 404, "{method}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_an_account_is_told_by_its_member() {
    let shop = Shop::open().await;
    for (body, status, member) in [
        (json!({}), 400, "scope"),
        (json!({"scope": 2}), 422, "scope"),
        (json!({"scope": 1, "name": "ab"}), 422, "name"),
        (json!({"scope": 1, "name": "a".repeat(201)}), 422, "name"),
        (json!({"scope": 1, "parentAccount": 99}), 422, "parentAccount"),
        (json!({"scope": 1, "subaccountLimit": -1}), 422, "subaccountLimit"),
        (json!({"scope": 1, "subaccountLimit": 10_001}), 422, "subaccountLimit"),
    ] {
        refused_by(&shop.post("/accounts", body).await, status, member);
    }
    assert_eq!(shop.ids("/accounts").await, [1], "nothing was made");
    assert_eq!(shop.get("/accounts/99").await.status, 404);
}

#[tokio::test]
async fn spaces_have_settings() {
    let shop = Shop::open().await;
    let body = json!({"account": 1, "name": "Shop", "requestLimit": 500,
        "timeZone": "Europe/Zurich", "primaryCurrency": "CHF",
        "technicalContactAddresses": ["it@example.com"],
        "postalAddress": {"street": "Gasse 1", "city": "Bern", "country": "CH"},
        "state": "ACTIVE", "database": 1});
    let made = shop.post("/spaces?expand=account", body).await.expect(201).json();
    let space = id(&made);
    for (member, value) in [
        ("name", json!("Shop")),
        ("requestLimit", json!(500)),
        ("timeZone", json!("Europe/Zurich")),
        ("primaryCurrency", json!("CHF")),
        ("technicalContactAddresses", json!(["it@example.com"])),
        ("postalAddress", json!({"street": "Gasse 1", "city": "Bern", "country": "CH"})),
        ("state", json!("ACTIVE")),
        ("createdBy", json!(shop.user())),
        ("version", json!(1)),
    ] {
        assert_eq!(made[member], value, "{member}");
    }
    assert_eq!(made["account"]["type"], "MASTER");
    let path = format!("/spaces/{space}");
    let change = json!({"version": 1, "requestLimit": 0, "timeZone": "", "primaryCurrency": "EUR",
        "technicalContactAddresses": [], "postalAddress": {"city": "Basel"}, "state": "INACTIVE"});
    let changed = shop.patch(&path, change).await.expect(200).json();
    assert!(changed.get("requestLimit").is_none() && changed.get("timeZone").is_none());
    assert_eq!(changed["postalAddress"], json!({"city": "Basel"}));
    assert_eq!(
        (&changed["state"], &changed["primaryCurrency"], &changed["technicalContactAddresses"]),
        (&json!("INACTIVE"), &json!("EUR"), &json!([]))
    );
    for (query, found) in [
        ("state:INACTIVE", true),
        ("state:ACTIVE", false),
        ("primaryCurrency:EUR", true),
        ("name:~sho", true),
        ("account:1 version:2", true),
        ("requestLimit:*", true),
        ("state:DELETED", false),
    ] {
        let query = query.replace(' ', "%20");
        let ids = shop.ids(&format!("/spaces/search?query={query}")).await;
        assert_eq!(ids.contains(&space), found, "{query}");
    }
    for (member, value) in [
        ("name", json!("ab")),
        ("requestLimit", json!(-1)),
        ("timeZone", json!("Mars/Base")),
        ("primaryCurrency", json!("ZZZ")),
        ("technicalContactAddresses", json!(["nobody"])),
        ("technicalContactAddresses", json!(vec!["a@example.com"; 11])),
        ("state", json!("DELETED")),
    ] {
        let body = json!({"version": 2, member: value});
        refused_by(&shop.patch(&path, body).await, 422, member);
    }
    let body = json!({"version": 2, "postalAddress": {"country": "XX"}});
    refused_by(&shop.patch(&path, body).await, 422, "postalAddress.country");
    refused_by(&shop.post("/spaces", json!({})).await, 400, "account");
    refused_by(&shop.post("/spaces", json!({"account": 99})).await, 422, "account");
}

#[tokio::test]
async fn a_deleted_space_is_still_told_of() {
    let shop = Shop::open().await;
    let space = id(&shop.post("/spaces", json!({"account": 1})).await.expect(201).json());
    let path = format!("/spaces/{space}");
    shop.delete(&path).await.expect(204);
    let gone = shop.get(&path).await.expect(200).json();
    let state = gone["state"].as_str().unwrap();
    assert!(["DELETING", "DELETED"].contains(&state), "{state}");
    assert_eq!(gone["deletedBy"], json!(shop.user()));
    assert_eq!(shop.ids("/spaces").await, [shop.space()]);
    assert_eq!(shop.ids("/spaces/search?query=state:DELETING%20OR%20state:DELETED").await, [space]);
    assert_eq!(shop.delete(&path).await.status, 404);
    assert_eq!(shop.delete(&format!("/spaces/{}", shop.space())).await.status, 422);
}

#[tokio::test]
async fn a_space_and_an_application_answer_as_often_as_they_say() {
    let shop = Shop::open().await;
    let space = shop.space();
    let version = shop.get(&format!("/spaces/{space}")).await.json()["version"].clone();
    let limited = json!({"version": version, "requestLimit": 2});
    shop.patch(&format!("/spaces/{space}"), limited).await.expect(200);
    for _ in 0..2 {
        shop.get("/customers").await.expect(200);
    }
    let refused = shop.get("/customers").await;
    assert_eq!(refused.status, 429);
    assert!(refused.headers.contains_key("retry-after"));
    // What is not about the space is not counted, so the limit can be lifted.
    let version = shop.get(&format!("/spaces/{space}")).await.json()["version"].clone();
    let lifted = json!({"version": version, "requestLimit": 0});
    shop.patch(&format!("/spaces/{space}"), lifted).await.expect(200);
    shop.get("/customers").await.expect(200);
    let user = shop.user();
    let path = format!("/application-users/{user}");
    let version = shop.get(&path).await.expect(200).json()["version"].clone();
    shop.patch(&path, json!({"version": version, "requestLimit": 1})).await.expect(200);
    shop.get("/customers").await.expect(200);
    assert_eq!(shop.get("/customers").await.status, 429);
}
