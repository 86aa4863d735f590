//! The table of the console, line by line: who gets further than a role and a space allow, and what
//! hostile words do.

use patron::console::operations;
use patron_gateway::Access;
use patron_model::permission::Role;
use serde_json::json;

use super::{Browser, customer, native, server};

#[tokio::test]
async fn a_deed_is_an_operation_of_the_api_with_its_permission() {
    let api = (patron_native::DIALECT.operations)();
    let all = operations();
    for operation in &all {
        assert!(operation.id.starts_with("console_"), "{}", operation.id);
        assert!(operation.path.starts_with("/console"), "{}", operation.path);
        // What works in a space asks for a right there, or for what each part of it asks again.
        let is_public = operation.access == Access::Public;
        assert!(!operation.path.contains("{space}") || !is_public, "{}", operation.id);
    }
    for (deed, done) in [
        ("console_create_customer", "create_customer"),
        ("console_delete_customer", "delete_customer"),
        ("console_create_comment", "create_comment"),
        ("console_delete_method", "delete_payment_method"),
        ("console_create_key", "create_key"),
        ("console_revoke_key", "revoke_key"),
    ] {
        let of = |all: &[patron_gateway::Operation], id: &str| {
            all.iter().find(|operation| operation.id == id).unwrap().access
        };
        assert_eq!(of(&all, deed), of(&api, done), "{deed}");
    }
}

/// A path of the table, filled.
fn filled(path: &str, space: i64, number: i64) -> String {
    let segment = |part: &str| match part {
        "{space}" => space.to_string(),
        // The first of its kind.
        "{endpoint}" | "{n}" | "{replay}" => "1".to_owned(),
        "{delivery}" => "dlv_1_1".to_owned(),
        "{id}" | "{comment}" | "{address}" | "{method}" | "{key}" => number.to_string(),
        "{user}" | "{assignment}" | "{provider}" | "{role}" | "{entry}" => number.to_string(),
        "{file}" => "console.css".to_owned(),
        part => part.to_owned(),
    };
    path.split('/').map(segment).collect::<Vec<String>>().join("/")
}

#[tokio::test]
async fn nobody_gets_further_than_the_role_and_the_space_allow() {
    let (server, space) = server(Role::ReadOnly).await;
    let number = customer(&server, json!({"given_name": "Ada"})).await;
    let body = json!({"url": "https://example.com/hook", "types": ["*"]});
    let made = native(&server, "POST", "/v1/webhook-endpoints", Some(body)).await.expect(201);
    let endpoint = format!("/webhooks/{}", made.json()["number"]);
    let other = server.new_space(None).await;
    let others = other["native"]["space"].as_i64().or(other["space"]["number"].as_i64());
    let others = others.unwrap_or(space + 1);
    let mut browser = Browser::new(&server);
    for operation in operations() {
        if operation.access != Access::Public && operation.method == http::Method::GET {
            let path = filled(operation.path, space, number);
            let answer = browser.get(&path).await.expect(303);
            assert!(answer.header("location").contains("sign-in?next="), "{path}");
        }
    }
    browser.sign_in().await;
    let token = browser.token(&format!("/console/s/{space}")).await;
    for operation in operations() {
        let Access::Needs(permission) = operation.access else { continue };
        let is_held = Role::ReadOnly.permissions().has(permission);
        // Everything arrived: no delivery is there.
        let is_held = is_held && !operation.path.contains("{delivery}");
        let is_page = operation.method == http::Method::GET;
        for (place, is_own) in [(space, true), (others, false)] {
            let path = filled(operation.path, place, number).replace("/webhooks/1", &endpoint);
            let answer = match is_page {
                true => browser.get(&path).await,
                false => browser.post(&path, &[("_token", &token), ("once", "x")]).await,
            };
            let is_in = answer.status < 400;
            assert_eq!(is_in, is_own && is_held, "{} {path}: {}", operation.id, answer.status);
            if !is_own {
                assert!(!answer.text().contains("Ada"), "{path}");
            }
        }
    }
    let page = browser.page(&format!("/console/s/{space}/customers/{number}")).await;
    assert!(!page.contains("?edit=") && !page.contains("/delete\""), "{page}");
}

#[tokio::test]
async fn hostile_words_break_no_page() {
    let (server, space) = server(Role::Support).await;
    let evil = "<script>alert(1)</script>\"'&{{7*7}}";
    let number = customer(
        &server,
        json!({"given_name": evil, "description": evil,
        "metadata": {"key": evil}}),
    )
    .await;
    let mut browser = Browser::new(&server);
    browser.sign_in().await;
    let token = browser.token(&format!("/console/s/{space}")).await;
    let path = form_urlencoded::byte_serialize(evil.as_bytes()).collect::<String>();
    for operation in operations() {
        let own = filled(operation.path, space, number);
        for path in [
            format!(
                "{own}?next={path}&ask={path}&cursor={path}&sort={path}&version={path}&edit={path}"
            ),
            filled(operation.path, space, number).replace(&number.to_string(), &path),
            format!("{own}?as_of={path}&done={path}&before={path}&column={path}&status={path}"),
        ] {
            let answer = match operation.method == http::Method::GET {
                true => browser.get(&path).await,
                false if operation.id == "console_sign_out" => continue,
                false => {
                    let fields = [
                        ("_token", token.as_str()),
                        ("field", evil),
                        ("q", evil),
                        ("email", evil),
                        ("token", evil),
                        ("next", evil),
                        ("content", evil),
                        ("given_name", evil),
                        ("value", evil),
                        ("operator", evil),
                        ("tag", evil),
                        ("word", evil),
                        ("role", evil),
                        ("place", evil),
                    ];
                    browser.post(&path, &fields).await
                }
            };
            assert!(answer.status < 500, "{path}: {}", answer.status);
            assert!(!answer.text().contains("<script>alert"), "{path}");
            assert!(!answer.header("location").contains("alert(1)"), "{path}");
        }
    }
    let page = browser.page(&format!("/console/s/{space}/customers/{number}")).await;
    assert!(page.contains("&#60;script&#62;"), "{page}");
}
