//! Accounts, roles and who holds them, by the operator's commands.

use serde_json::{Value, json};

use crate::{imports::Place, program::Running};

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(parsed).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_made_changed_archived_and_deleted() {
    let place = Place::new().await;
    let made = parsed(&place.run(&["account", "create", "Branch", "--parent", "1"]));
    assert_eq!(
        (&made["number"], &made["parent"], &made["state"]),
        (&json!(2), &json!(1), &json!("active"))
    );
    let change = ["account", "update", "2", "--name", "Other", "--subaccount-limit", "0"];
    let changed = parsed(&place.run(&change));
    assert_eq!(
        (&changed["name"], &changed["subaccount_limit"], &changed["version"]),
        (&json!("Other"), &json!(0), &json!(2))
    );
    assert_eq!(made["second_factor"], "roles");
    let asked = parsed(&place.run(&["account", "update", "2", "--second-factor", "all"]));
    assert_eq!(asked["second_factor"], "all");
    assert!(
        place.fail(&["account", "update", "2", "--second-factor", "some"]).contains("none, roles")
    );
    let said = place.fail(&["account", "create", "Leaf", "--parent", "2"]);
    assert!(said.contains("as many below it as it may"), "{said}");
    let lifted = place.run(&["account", "update", "2", "--subaccount-limit", "none"]);
    assert_eq!(parsed(&lifted).get("subaccount_limit"), None);
    let said = place.fail(&["account", "update", "2", "--subaccount-limit=-1"]);
    assert!(said.contains("subaccount_limit"), "{said}");
    let said = place.fail(&["account", "create", "Lost", "--parent", "99"]);
    assert!(said.contains("there is no such account"), "{said}");
    // Nobody of an archived account gets in.
    let space = ["space", "create", "Shop", "--account", "2", "--json"];
    let keys = parsed(&place.run(&space));
    let key = keys["native"]["api_key"].as_str().unwrap();
    let running = Running::serve_on(&mut place.command(&["serve"])).await;
    running.native(key, "GET", "/v1/customers", None).await.expect(200);
    let archived = parsed(&place.run(&["account", "archive", "2"]));
    assert_eq!(archived["state"], "inactive");
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    running.native(key, "GET", "/v1/customers", None).await.expect(401);
    assert_eq!(parsed(&place.run(&["account", "archive", "2", "--undo"]))["state"], "active");
    let numbers: Vec<Value> = lines(&place.run(&["account", "list", "--json"]))
        .into_iter()
        .map(|mut account| account["number"].take())
        .collect();
    assert_eq!(numbers, [json!(1), json!(2)]);
    let table = place.run(&["account", "list"]);
    assert!(table.lines().any(|line| line.contains("below 1") && line.ends_with("Other")));
    // Only what is empty is deleted, and only who says so deletes it.
    let said = place.fail(&["account", "delete", "2", "--yes"]);
    assert!(said.contains("an account with spaces"), "{said}");
    place.run(&["account", "create", "Empty"]);
    place.fail(&["account", "delete", "3"]);
    place.run(&["account", "delete", "3", "--yes"]);
    let said = place.fail(&["account", "show", "3"]);
    assert!(said.contains("there is no such account"), "{said}");
    let trail = place.run(&["audit", "--action", "account.*", "--limit", "100"]);
    for action in ["account.created", "account.deactivated", "account.activated", "account.deleted"]
    {
        assert!(trail.contains(action), "{action}: {trail}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_are_made_given_and_taken() {
    let place = Place::new().await;
    let create = ["role", "create", "Desk", "--permissions", "customer:read,customer:write"];
    let made = parsed(&place.run(&create));
    assert_eq!(
        (&made["number"], &made["account"], &made["permissions"]),
        (&json!(101), &json!(1), &json!(["customer:read", "customer:write"]))
    );
    assert!(place.fail(&["role", "create", "None"]).contains("permissions"));
    let said = place.fail(&["role", "create", "None", "--permissions", "customer:fly"]);
    assert!(said.contains("patron permissions lists all"), "{said}");
    let change = ["role", "update", "101", "--second-factor", "true", "--description", "Front"];
    let changed = parsed(&place.run(&change));
    assert_eq!(
        (&changed["second_factor"], &changed["description"], &changed["name"]),
        (&json!(true), &json!("Front"), &json!("Desk"))
    );
    let said = place.fail(&["role", "update", "3", "--name", "Mine"]);
    assert!(said.contains("a built-in role"), "{said}");
    assert_eq!(parsed(&place.run(&["role", "show", "read-only"]))["number"], 5);
    let listed = lines(&place.run(&["role", "list", "--json"]));
    assert_eq!(listed.len(), 7);
    assert_eq!(listed[6], parsed(&place.run(&["role", "show", "101"])));
    assert_eq!(lines(&place.run(&["role", "list", "--account", "7", "--json"])).len(), 6);
    // An application that holds it does with its key what it says, until it is withdrawn.
    let key = parsed(&place.run(&["key", "create", "--space", "1", "--role", "read-only"]));
    let secret = key["native"]["api_key"].as_str().unwrap();
    let user = lines(&place.run(&["user", "list", "--json"])).pop().unwrap()["number"].to_string();
    let running = Running::serve_on(&mut place.command(&["serve"])).await;
    let person = json!({"full_name": "Ada"});
    running.native(secret, "POST", "/v1/customers", Some(person.clone())).await.expect(403);
    let held = parsed(&place.run(&["user", "grant", &user, "--role", "101", "--space", "1"]));
    assert_eq!((&held["role"], &held["space"]), (&json!(101), &json!(1)));
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    running.native(secret, "POST", "/v1/customers", Some(person.clone())).await.expect(201);
    let said = place.fail(&["role", "delete", "101"]);
    assert!(said.contains("a role that users hold"), "{said}");
    let of = lines(&place.run(&["permissions", "--of", &user, "--json"]));
    assert_eq!(of.len(), 2, "{of:?}");
    assert_eq!((&of[1]["assignment"], &of[1]["name"]), (&held["number"], &json!("Desk")));
    assert_eq!(of[1]["permissions"], json!(["customer:read", "customer:write"]));
    let said = place.run(&["permissions", "--of", &user]);
    assert!(said.contains("space 1") && said.contains("role 101 Desk"), "{said}");
    let assignment = held["number"].to_string();
    place.run(&["user", "withdraw", &assignment]);
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    running.native(secret, "POST", "/v1/customers", Some(person)).await.expect(403);
    assert!(place.fail(&["user", "withdraw", &assignment]).contains("no such"));
    place.run(&["role", "delete", "101"]);
    assert!(place.fail(&["role", "show", "101"]).contains("there is no such role"));
    // Somewhere, and at one place.
    place.fail(&["user", "grant", &user, "--role", "support"]);
    place.fail(&["user", "grant", &user, "--role", "support", "--space", "1", "--account", "1"]);
    let wide = ["user", "grant", &user, "--role", "support", "--account", "1", "--subaccounts"];
    assert_eq!(parsed(&place.run(&wide))["subaccounts"], true);
    let trail = place.run(&["audit", "--action", "assignment.*"]);
    assert!(
        trail.contains("assignment.granted") || trail.contains("assignment.created"),
        "{trail}"
    );
    assert!(trail.contains("assignment.withdrawn"), "{trail}");
}

#[test]
fn all_permissions_are_listed_without_a_deployment() {
    let folder = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        let output = crate::program::patron().args(args).current_dir(folder.path()).output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    let all = lines(&run(&["permissions", "--json"]));
    let first = json!({"permission": "customer:read", "number": 101});
    assert_eq!(
        (&all[0]["permission"], &all[0]["number"]),
        (&first["permission"], &first["number"])
    );
    assert_eq!(run(&["permissions"]).lines().count(), all.len());
}
