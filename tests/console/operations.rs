//! People, roles and the audit log by raw requests: who sees them, and what their forms do.

use patron_app::{
    Clock, Id,
    assignments::{self, Where},
    search::{Filter, Query, fields},
    users,
};
use patron_gateway::limits::Limits;
use patron_model::{Timestamp, permission::Role};
use patron_testkit::{Answer, TestServer};
use serde_json::{Value, json};

use super::{Browser, EMAIL, between, furnished, native, server};

fn at_noon() -> Clock {
    Clock::fixed(Timestamp::parse("2026-01-02T12:00:00Z").unwrap())
}

/// A server with a console whose person administers the account, and the number of the space.
async fn administered(clock: &Clock) -> (TestServer, i64) {
    let dialects = patron::dialects::DIALECTS;
    let server = TestServer::start_with(dialects, clock.clone(), Limits::default()).await;
    let (server, space) = furnished(server, Role::Support).await;
    // As in a sandbox: nobody has to set up a second factor first.
    server.app.excuses_owners(true);
    let cx = server.app.operator(0, "test");
    let predicate = Filter::EqualFolded(fields::user::email(), EMAIL.to_owned());
    let found = users::list(&cx, Query { predicate, ..Query::of(0) }).await.unwrap();
    let grace = &found.items[0];
    let at = Where::Account { number: grace.account, subaccounts: true };
    let role = Role::Administrator.number();
    assignments::grant(&cx, Id::Number(grace.number), role, at).await.unwrap();
    (server, space)
}

async fn user(server: &TestServer, number: &str) -> Value {
    let path = format!("/v1/users/{number}?expand=roles,sign_in");
    native(server, "GET", &path, None).await.expect(200).json()
}

/// A form that is sent in a session.
async fn sent(browser: &mut Browser<'_>, path: &str, fields: &[(&str, &str)]) -> Answer {
    let token = browser.token("/console/spaces").await;
    browser.post(path, &[&[("_token", token.as_str())], fields].concat()).await
}

#[tokio::test]
async fn people_are_shown_invited_and_changed() {
    let (server, space) = administered(&at_noon()).await;
    let mut browser = Browser::new(&server);
    browser.sign_in().await;
    let all = format!("/console/s/{space}/people");
    let page = browser.page(&all).await;
    assert!(page.contains(EMAIL) && page.contains("Administrator"), "{page}");
    assert!(page.contains("just now"), "when they were last seen");
    // A fault stands at its field; who is invited with a role has it.
    let new = format!("{all}/new");
    let page = sent(&mut browser, &new, &[("email", "nobody")]).await.expect(422).text();
    assert!(page.contains("id=\"email-why\"") && page.contains("value=\"nobody\""));
    let place = format!("space:{space}");
    let fields = [("email", "jonas@example.com"), ("role", "3"), ("place", place.as_str())];
    let made = sent(&mut browser, &new, &fields).await;
    // Where no mails are sent, the link is handed over, once.
    assert!(made.status == 200 || made.status == 303, "{}", made.status);
    let found = native(&server, "GET", "/v1/users?email=jonas@example.com", None).await.json();
    let number = found["data"][0]["number"].to_string();
    let edit = format!("{all}/{number}/edit");
    let jonas = user(&server, &number).await;
    assert_eq!((&jonas["state"], &jonas["roles"][0]["role"]), (&json!("invited"), &json!(3)));
    // Only what was typed over is sent: what others wrote meanwhile stays.
    let path = format!("/v1/users/{number}");
    native(&server, "PATCH", &path, Some(json!({"phone": "+41445001234"}))).await.expect(200);
    let was = [("tag", "\"1\""), ("was-given_name", ""), ("was-phone", ""), ("phone", "")];
    let fields = [&was[..], &[("given_name", "Jonas")]].concat();
    sent(&mut browser, &edit, &fields).await.expect(303);
    let jonas = user(&server, &number).await;
    assert_eq!((&jonas["given_name"], &jonas["phone"]), (&json!("Jonas"), &json!("+41445001234")));
    // What both sides wrote is asked about.
    let fields = [("tag", "\"1\""), ("was-given_name", "John"), ("given_name", "Jon")];
    let page = sent(&mut browser, &edit, &fields).await.expect(412).text();
    assert!(page.contains("Somebody else wrote meanwhile: Jonas"), "{page}");
    assert!(page.contains("value=\"Jon\""), "{page}");
    assert!(page.contains("name=\"was-given_name\" value=\"Jonas\""), "{page}");
}

#[tokio::test]
async fn people_are_given_roles_switched_off_and_deleted() {
    let (server, space) = administered(&at_noon()).await;
    let mut browser = Browser::new(&server);
    browser.sign_in().await;
    let body = json!({"kind": "human", "email": "jonas@example.com"});
    let made = native(&server, "POST", "/v1/users", Some(body)).await.expect(201).json();
    let (number, account) = (made["number"].to_string(), made["account"].to_string());
    let one = format!("/console/s/{space}/people/{number}");
    let roles = format!("{one}/roles");
    let place = format!("space:{space}");
    let page = sent(&mut browser, &roles, &[("place", &place)]).await.expect(422).text();
    assert!(page.contains("Refused"), "a role is missing: {page}");
    let account = format!("account:{account}");
    for (role, place) in [("3", &place), ("5", &account)] {
        let fields = [("role", role), ("place", place.as_str())];
        sent(&mut browser, &roles, &fields).await.expect(303);
    }
    let held = user(&server, &number).await["roles"].as_array().unwrap().clone();
    assert_eq!(held.len(), 2);
    let first = held.iter().find(|held| held["role"] == 3).unwrap()["assignment"].to_string();
    sent(&mut browser, &format!("{roles}/{first}/withdraw"), &[]).await.expect(303);
    assert_eq!(user(&server, &number).await["roles"].as_array().unwrap().len(), 1);
    let path = format!("/v1/users/{number}");
    for state in ["active", "inactive", "active"] {
        sent(&mut browser, &format!("{one}/state"), &[("state", state)]).await.expect(303);
        assert_eq!(user(&server, &number).await["state"], state);
    }
    sent(&mut browser, &format!("{one}/end-sessions"), &[]).await.expect(303);
    // What is final asks for a word.
    let delete = format!("{one}/delete");
    sent(&mut browser, &delete, &[("word", "yes")]).await.expect(422);
    native(&server, "GET", &path, None).await.expect(200);
    sent(&mut browser, &delete, &[("word", "Delete")]).await.expect(303);
    native(&server, "GET", &path, None).await.expect(404);
}

#[tokio::test]
async fn who_may_not_see_people_sees_neither_page_nor_link() {
    let (server, space) = server(Role::Support).await;
    let mut browser = Browser::new(&server);
    browser.sign_in().await;
    let page = browser.page(&format!("/console/s/{space}")).await;
    assert!(!page.contains("/people") && !page.contains("Operations"), "{page}");
    for page in ["roles", "roles/new", "roles/3", "audit", "audit/1", "audit/export"] {
        browser.get(&format!("/console/s/{space}/{page}")).await.expect(403);
    }
    for page in ["people", "people/new", "people/1", "people/1/roles", "people/1/delete"] {
        browser.get(&format!("/console/s/{space}/{page}")).await.expect(403);
    }
}

#[tokio::test]
async fn what_is_delicate_asks_for_a_fresh_proof_and_leads_back() {
    let clock = at_noon();
    let (server, space) = administered(&clock).await;
    let mut browser = Browser::new(&server);
    browser.sign_in().await;
    let new = format!("/console/s/{space}/people/new");
    let token = browser.token(&new).await;
    clock.advance_seconds(601);
    let led = browser.get(&new).await.expect(303);
    assert_eq!(led.header("location"), format!("../../../prove?next=/s/{space}/people/new"));
    browser.page(&format!("/console/s/{space}/people")).await;
    // A form that was open meanwhile says so, and leads back to its page.
    let origin = server.base_url.clone();
    let referer = format!("{origin}{new}");
    let host = origin.trim_start_matches("http://").to_owned();
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("origin", origin.as_str()),
        ("host", host.as_str()),
        ("referer", referer.as_str()),
    ];
    let body = format!("_token={token}&email=jonas%40example.com");
    let page = browser.send("POST", &new, &headers, &body).await.expect(403).text();
    assert!(page.contains(&format!("prove?next=/s/{space}/people/new")), "{page}");
    let found = native(&server, "GET", "/v1/users?email=jonas@example.com", None).await.json();
    assert_eq!(found["data"], json!([]));
}

#[tokio::test]
async fn roles_are_shown_made_changed_and_deleted() {
    let (server, space) = administered(&at_noon()).await;
    let mut browser = Browser::new(&server);
    browser.sign_in().await;
    let all = format!("/console/s/{space}/roles");
    let page = browser.page(&all).await;
    assert!(page.contains("Read only") && page.contains("<code"), "{page}");
    let new = format!("{all}/new");
    let page = sent(&mut browser, &new, &[("permission", "customer:read")]).await.expect(422);
    assert!(page.text().contains("id=\"name-why\""), "{}", page.text());
    let desk = [("name", "Desk"), ("permission", "customer:read"), ("permission", "comment:read")];
    let made = sent(&mut browser, &new, &desk).await.expect(303);
    let number = between(made.header("location"), "roles/", "?").to_owned();
    let path = format!("/v1/roles/{number}");
    let role = native(&server, "GET", &path, None).await.expect(200).json();
    assert_eq!(role["permissions"], json!(["customer:read", "comment:read"]));
    // A form that saw an older version says so, and keeps what was chosen.
    let edit = format!("{all}/{number}/edit");
    let fields = [("tag", "\"1\""), ("name", "Desk"), ("permission", "customer:read")];
    sent(&mut browser, &edit, &fields).await.expect(303);
    let fields = [("tag", "\"1\""), ("name", "Counter"), ("permission", "key:read")];
    let page = sent(&mut browser, &edit, &fields).await.expect(412).text();
    assert!(page.contains("value=\"Counter\"") && page.contains("Somebody was faster"), "{page}");
    sent(&mut browser, &format!("{all}/{number}/delete"), &[("word", "delete")]).await.expect(303);
    native(&server, "GET", &path, None).await.expect(404);
    // Those that come along have no form.
    assert!(!browser.page(&format!("{all}/1")).await.contains("/edit\""));
}

#[tokio::test]
async fn the_audit_log_is_filtered_by_its_address_and_taken_away_as_a_file() {
    let (server, space) = administered(&at_noon()).await;
    let mut browser = Browser::new(&server);
    browser.sign_in().await;
    server.app.finish_audit().await;
    let all = format!("/console/s/{space}/audit");
    let page = browser.page(&format!("{all}?action=session*&since=2026-01-02")).await;
    assert!(page.contains("Signed in") && page.contains("session.opened"), "{page}");
    assert!(!page.contains("assignment."), "{page}");
    let entry = between(&page, "class=\"key\" href=\"../../s/", "\"").to_owned();
    let page = browser.page(&format!("/console/s/{entry}")).await;
    assert!(page.contains("session.opened") && page.contains("127.0.0.1"), "{page}");
    let page = browser.page(&format!("{all}?until=2026-01-02")).await;
    assert!(page.contains("Nothing matches"), "{page}");
    browser.get(&format!("{all}?outcome=perhaps")).await.expect(400);
    let file = browser.get(&format!("{all}/export?format=csv&action=session*")).await.expect(200);
    assert!(file.header("content-disposition").contains("audit.csv"));
    assert!(file.text().starts_with("number,at,") && file.text().contains("session.opened"));
    browser.get(&format!("{all}/999999999")).await.expect(404);
}
