//! Links that are mailed: invitations, another password, another address. What they hold is read in
//! the tray, as a developer reads it in a sandbox.

use std::time::Duration;

use patron_app::{Clock, sign_in};
use patron_gateway::limits::Limits;
use patron_model::Timestamp;
use patron_native::DIALECT;
use patron_testkit::{Answer, TestServer};
use serde_json::{Value, json};

use crate::{place::Native, sign_in::Browser};

const EMAIL: &str = "ada@example.com";
/// As [`Native::person`] sets it.
const PASSWORD: &str = "correct horse battery staple";
const NEW: &str = "another one that is long enough";
pub const START: i64 = 1_767_323_045;
const FORGOT: &str = "/v1/password/forgot";
const RESET: &str = "/v1/password/reset";
const ACCEPT: &str = "/v1/invitations/accept";
const LOOK: &str = "/v1/invitations/look";
const EMAIL_OF_ME: &str = "/v1/me/email";
const CONFIRM: &str = "/v1/me/email/confirm";
/// As often as it is looked for what is done after the answer, a tenth of a second apart.
const LOOKS: usize = 100;

/// A server whose clock stands still.
pub struct Place {
    pub native: Native,
    pub clock: Clock,
}

impl Place {
    pub async fn start() -> Place {
        Place::start_with(Limits::default()).await
    }

    pub async fn start_with(limits: Limits) -> Place {
        let clock = Clock::fixed(Timestamp::from_micros(START * 1_000_000));
        let server = TestServer::start_with(&[&DIALECT], clock.clone(), limits).await;
        let keys = server.credentials("native");
        Place { native: Native { server, keys }, clock }
    }

    pub async fn post(&self, browser: &mut Browser, path: &str, body: Value) -> Answer {
        browser.call(&self.native.server, "POST", path, &[], Some(body)).await
    }

    /// Mails in the tray about something, the newest first.
    pub async fn mails(&self, about: &str) -> Vec<Value> {
        let all = self.native.call("GET", "/v1/sandbox/mails", None).await.expect(200).json();
        let all = all["data"].as_array().unwrap().clone();
        all.into_iter().filter(|mail| mail["about"] == about).collect()
    }

    /// What the newest mail about something leads to holds, once there are so many.
    pub async fn token(&self, about: &str, count: usize) -> String {
        for _ in 0..LOOKS {
            let mails = self.mails(about).await;
            assert!(mails.len() <= count, "{mails:?}");
            if mails.len() == count {
                return token_of(&mails[0]);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{count} mails about {about}");
    }

    /// Asks for another password and follows the mail.
    async fn forgotten(&self, count: usize) -> String {
        self.post(&mut Browser::default(), FORGOT, json!({"email": EMAIL})).await.expect(202);
        self.token("password_reset", count).await
    }

    async fn invited(&self, email: &str) -> (Value, String) {
        let before = self.mails("invitation").await.len();
        let body = json!({"kind": "human", "email": email});
        let made = self.native.call("POST", "/v1/users", Some(body)).await.expect(201).json();
        (made, self.token("invitation", before + 1).await)
    }
}

fn token_of(mail: &Value) -> String {
    let link = mail["link"].as_str().unwrap();
    assert!(mail["text"].as_str().unwrap().contains(&format!("\n{link}\n")), "{mail}");
    link.split_once('#').unwrap().1.to_owned()
}

fn with(token: &str, password: &str) -> Value {
    json!({"token": token, "password": password})
}

#[track_caller]
fn refused(answer: &Answer, member: &str) {
    assert_eq!(answer.status, 422, "{}", answer.text());
    assert_eq!(answer.json()["errors"][0]["pointer"], format!("/{member}"));
}

#[tokio::test]
async fn who_is_invited_chooses_a_password_and_signs_in() {
    let place = Place::start().await;
    let server = &place.native.server;
    let (ada, token) = place.invited("Ada@Example.com").await;
    assert_eq!(ada["state"], "invited");
    assert_eq!((&ada["invitation_url"], &ada["email_verified"]), (&Value::Null, &json!(false)));
    let mail = &place.mails("invitation").await[0];
    assert_eq!((&mail["to"], &mail["user"]), (&json!("Ada@Example.com"), &ada["number"]));
    let start = format!("{}/console/invite#", server.base_url);
    assert!(mail["link"].as_str().unwrap().starts_with(&start), "{mail}");
    let one = format!("/v1/sandbox/mails/{}", mail["number"]);
    assert_eq!(place.native.call("GET", &one, None).await.expect(200).json(), *mail);
    // Whoever opens it first can accept it alone.
    let (mut here, mut there) = (Browser::default(), Browser::default());
    let body = json!({"token": token});
    let shown = place.post(&mut here, LOOK, body.clone()).await.expect(200).json();
    assert_eq!((&shown["email"], &shown["account"]), (&json!("Ada@Example.com"), &json!("Test")));
    refused(&place.post(&mut there, LOOK, body.clone()).await, "token");
    refused(&place.post(&mut there, ACCEPT, with(&token, PASSWORD)).await, "token");
    place.post(&mut here, LOOK, body).await.expect(200);
    refused(&place.post(&mut here, ACCEPT, with(&token, "ada@example.com")).await, "password");
    refused(&place.post(&mut here, ACCEPT, with("made up", PASSWORD)).await, "token");
    place.post(&mut here, ACCEPT, with(&token, PASSWORD)).await.expect(204);
    let held: Vec<&str> = here.cookies.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(held, ["patron-device"], "known, and not signed in");
    refused(&place.post(&mut here, ACCEPT, with(&token, NEW)).await, "token");
    here.sign_in(server, EMAIL, PASSWORD).await.expect(200);
    let me = here.call(server, "GET", "/v1/me", &[], None).await.expect(200).json();
    assert_eq!(
        (&me["user"]["state"], &me["user"]["email_verified"]),
        (&json!("active"), &json!(true))
    );
    let path = format!("/v1/users/{}/invite", ada["number"]);
    place.native.call("POST", &path, None).await.expect(409);
    for action in ["user.invited", "user.accepted", "password.added"] {
        let told = place.native.audited(action).await;
        assert_eq!(told.len(), 1, "{action}");
        assert_eq!(told[0]["target"]["number"], ada["number"]);
    }
}

#[tokio::test]
async fn an_invitation_is_mailed_again_the_same_for_seven_days() {
    let place = Place::start().await;
    let (ada, first) = place.invited(EMAIL).await;
    let again = format!("/v1/users/{}/invite", ada["number"]);
    let soon = place.native.call("POST", &again, None).await.expect(429);
    assert_eq!(soon.header("retry-after"), "600");
    place.clock.advance_seconds(600);
    let said = place.native.call("POST", &again, None).await.expect(200).json();
    assert_eq!(said, json!({"mailed": true}));
    assert_eq!(place.token("invitation", 2).await, first);
    place.clock.advance_seconds(7 * 24 * 3_600);
    refused(&place.post(&mut Browser::default(), ACCEPT, with(&first, PASSWORD)).await, "token");
    place.native.call("POST", &again, None).await.expect(200);
    let second = place.token("invitation", 3).await;
    assert_ne!(second, first);
    refused(&place.post(&mut Browser::default(), ACCEPT, with(&first, PASSWORD)).await, "token");
    // What went to another address is good no more.
    let path = format!("/v1/users/{}", ada["number"]);
    let moved = json!({"email": "ada@example.org"});
    place.native.call("PATCH", &path, Some(moved)).await.expect(200);
    refused(&place.post(&mut Browser::default(), ACCEPT, with(&second, PASSWORD)).await, "token");
    place.native.call("POST", &again, None).await.expect(200);
    let third = place.token("invitation", 4).await;
    place.native.call("DELETE", &path, None).await.expect(204);
    refused(&place.post(&mut Browser::default(), ACCEPT, with(&third, PASSWORD)).await, "token");
    assert_eq!(place.mails("invitation").await, Vec::<Value>::new(), "they go with the person");
    place.native.call("POST", &again, None).await.expect(404);
}

#[tokio::test]
async fn a_forgotten_password_is_set_anew_by_a_link_once() {
    let place = Place::start().await;
    let server = &place.native.server;
    place.native.person(EMAIL, None).await;
    let mut before = place.native.browser(EMAIL).await;
    let token = place.forgotten(1).await;
    before.call(server, "GET", "/v1/me", &[], None).await.expect(200);
    let mut here = Browser::default();
    refused(&place.post(&mut here, RESET, with(&token, "too short")).await, "password");
    // Somebody guesses until no password of unknown browsers is looked at any more.
    for n in 0..31 {
        place.clock.advance_seconds(if n == 15 { 61 } else { 0 });
        let answer = Browser::default().sign_in(server, EMAIL, "wrong password, as it is").await;
        assert!([401, 429].contains(&answer.status));
    }
    place.post(&mut here, RESET, with(&token, NEW)).await.expect(204);
    before.call(server, "GET", "/v1/me", &[], None).await.expect(401);
    refused(&place.post(&mut here, RESET, with(&token, PASSWORD)).await, "token");
    // The browser is a known one from now on: its person gets in all the same.
    Browser::default().sign_in(server, EMAIL, NEW).await.status.ne(&200).then_some(()).unwrap();
    here.sign_in(server, EMAIL, PASSWORD).await.expect(401);
    here.sign_in(server, EMAIL, NEW).await.expect(200);
    for action in ["password.reset_asked", "password.changed"] {
        assert!(!place.native.audited(action).await.is_empty(), "{action}");
    }
}

#[tokio::test]
async fn asking_tells_nobody_who_is_there_and_uses_nothing_up() {
    let place = Place::start().await;
    place.native.person(EMAIL, None).await;
    place.invited("invited@example.com").await;
    let ask = async |email: &str| {
        let answer = place.post(&mut Browser::default(), FORGOT, json!({"email": email})).await;
        let mut headers = answer.headers.clone();
        ["x-request-id", "date"].iter().for_each(|name| drop(headers.remove(*name)));
        (answer.status, answer.text().to_owned(), headers)
    };
    let known = ask(EMAIL).await;
    assert_eq!(known.0, 202);
    let first = place.token("password_reset", 1).await;
    for email in [EMAIL, "nobody@example.com", "no address", "invited@example.com", ""] {
        assert_eq!(ask(email).await, known, "{email:?}");
    }
    place.clock.advance_seconds(600);
    // The same link once more: those who ask cannot end the one that was mailed.
    assert_eq!(place.forgotten(2).await, first);
    let mails = place.mails("password_reset").await;
    assert!(mails.iter().all(|mail| mail["to"] == EMAIL), "{mails:?}");
    place.clock.advance_seconds(3_600);
    refused(&place.post(&mut Browser::default(), RESET, with(&first, NEW)).await, "token");
    assert!(sign_in::sweep(&place.native.server.app, place.clock.now()).await.unwrap() >= 1);
    assert_ne!(place.forgotten(3).await, first);
}

#[tokio::test]
async fn a_link_is_for_one_purpose_and_ends_with_any_change() {
    let place = Place::start().await;
    let server = &place.native.server;
    place.native.person(EMAIL, None).await;
    let (_, invitation) = place.invited("bob@example.com").await;
    let reset = place.forgotten(1).await;
    let mut browser = Browser::default();
    refused(&place.post(&mut browser, RESET, with(&invitation, NEW)).await, "token");
    refused(&place.post(&mut browser, ACCEPT, with(&reset, NEW)).await, "token");
    refused(&place.post(&mut browser, CONFIRM, json!({"token": reset})).await, "token");
    refused(&place.post(&mut browser, LOOK, json!({"token": reset})).await, "token");
    for path in [LOOK, ACCEPT, RESET, FORGOT, CONFIRM] {
        browser.call(server, "GET", path, &[], None).await.expect(405);
        let elsewhere = [("sec-fetch-site", "cross-site")];
        let body = json!({"token": reset, "password": NEW, "email": EMAIL});
        browser.call(server, "POST", path, &elsewhere, Some(body.clone())).await.expect(403);
        browser.call(server, "POST", path, &[("prefer", "dry-run")], Some(body)).await.expect(400);
    }
    let mut ada = place.native.browser(EMAIL).await;
    place.post(&mut ada, "/v1/me/password", json!({"password": NEW})).await.expect(204);
    refused(&place.post(&mut browser, RESET, with(&reset, PASSWORD)).await, "token");
}

#[tokio::test]
async fn one_of_many_takes_a_link() {
    let place = Place::start().await;
    place.native.person(EMAIL, None).await;
    let token = place.forgotten(1).await;
    let tries = (0..8).map(|n| {
        let (place, token) = (&place, &token);
        async move {
            let password = format!("{n} {NEW}");
            let answer = place.post(&mut Browser::default(), RESET, with(token, &password)).await;
            (answer.status == 204).then_some(password)
        }
    });
    let taken: Vec<String> =
        futures_util::future::join_all(tries).await.into_iter().flatten().collect();
    assert_eq!(taken.len(), 1, "{taken:?}");
    Browser::default().sign_in(&place.native.server, EMAIL, &taken[0]).await.expect(200);
}

#[tokio::test]
async fn another_address_is_confirmed_where_it_is_read() {
    let place = Place::start().await;
    let server = &place.native.server;
    place.native.person(EMAIL, None).await;
    place.native.person("taken@example.com", None).await;
    let mut ada = place.native.browser(EMAIL).await;
    let ask = async |browser: &mut Browser, email: &str| {
        place.post(browser, EMAIL_OF_ME, json!({"email": email})).await
    };
    refused(&ask(&mut ada, "no address").await, "email");
    ask(&mut ada, "taken@example.com").await.expect(202);
    let taken = place.token("new_address", 1).await;
    ask(&mut ada, "ada@example.org").await.expect(429);
    let body = json!({"token": taken});
    place.post(&mut Browser::default(), CONFIRM, body).await.expect(409);
    place.clock.advance_seconds(600);
    // Ten minutes after the sign-in it takes a fresh proof.
    ask(&mut ada, "ada@example.org").await.expect(403);
    let proof = json!({"password": PASSWORD});
    place.post(&mut ada, "/v1/step-up", proof).await.expect(200);
    ask(&mut ada, "ada@example.org").await.expect(202);
    let token = place.token("new_address", 2).await;
    assert_eq!(place.mails("new_address").await[0]["to"], "ada@example.org");
    refused(&place.post(&mut ada, CONFIRM, json!({"token": taken})).await, "token");
    ada.call(server, "GET", "/v1/me", &[], None).await.expect(200);
    Browser::default().sign_in(server, "ada@example.org", PASSWORD).await.expect(401);
    place.post(&mut Browser::default(), CONFIRM, json!({"token": token})).await.expect(204);
    ada.call(server, "GET", "/v1/me", &[], None).await.expect(401);
    Browser::default().sign_in(server, EMAIL, PASSWORD).await.expect(401);
    let mut ada = Browser::default();
    ada.sign_in(server, "ada@example.org", PASSWORD).await.expect(200);
    let me = ada.call(server, "GET", "/v1/me", &[], None).await.expect(200).json();
    assert_eq!(me["user"]["email_verified"], true);
    refused(&place.post(&mut ada, CONFIRM, json!({"token": token})).await, "token");
    // Keys are no persons.
    place.native.call("POST", EMAIL_OF_ME, Some(json!({"email": EMAIL}))).await.expect(403);
}

#[tokio::test]
async fn a_person_is_told_of_every_change_in_how_they_sign_in() {
    let place = Place::start().await;
    let server = &place.native.server;
    let ada = place.native.person(EMAIL, None).await;
    let told = async || place.mails("sign_in_changed").await;
    assert_eq!(told().await.len(), 0, "the first password is none");
    let mut browser = place.native.browser(EMAIL).await;
    place.post(&mut browser, "/v1/me/password", json!({"password": NEW})).await.expect(204);
    let path = format!("/v1/users/{}", ada["number"]);
    place.native.call("DELETE", &format!("{path}/factors"), None).await.expect(204);
    let token = place.forgotten(1).await;
    place.post(&mut browser, RESET, with(&token, PASSWORD)).await.expect(204);
    let mut browser = place.native.browser(EMAIL).await;
    let begun = browser.call(server, "POST", "/v1/me/totp", &[], None).await.expect(200).json();
    assert!(begun["secret"].is_string());
    let moved = json!({"email": "ada@example.org"});
    place.native.call("PATCH", &path, Some(moved)).await.expect(200);
    let told = told().await;
    let said: Vec<&str> = told.iter().rev().map(|mail| mail["text"].as_str().unwrap()).collect();
    let wanted = ["Your password", "All your second factors", "Your password", "Your address"];
    assert_eq!(said.len(), wanted.len(), "{said:?}");
    for (said, wanted) in said.iter().zip(wanted) {
        assert!(said.starts_with(wanted), "{said}");
        assert!(said.contains("on 2026-01-02 03:04 UTC"), "{said}");
    }
    assert!(told.iter().all(|mail| mail["to"] == EMAIL), "also the last, to the former address");
}

#[tokio::test]
async fn who_helps_others_needs_the_right_to() {
    let place = Place::start().await;
    let server = &place.native.server;
    let owner = json!({"role": 1, "account": 1, "subaccounts": true});
    let desk = json!({"name": "Desk", "permissions": ["person:read", "person:write"]});
    let desk = place.native.call("POST", "/v1/roles", Some(desk)).await.expect(201).json();
    let desk = json!({"role": desk["number"], "account": 1});
    place.native.person("desk@example.com", Some(desk)).await;
    let mut desk = place.native.browser("desk@example.com").await;
    let (invited, _) = place.invited("next@example.com").await;
    let path = format!("/v1/users/{}", invited["number"]);
    place.native.call("POST", &format!("{path}/assignments"), Some(owner)).await.expect(201);
    place.clock.advance_seconds(600);
    // Whoever can see an owner's invitation is an owner one day.
    let invite = format!("{path}/invite");
    desk.call(server, "POST", &invite, &[], None).await.expect(403);
    let reset = format!("{path}/reset");
    desk.call(server, "POST", &reset, &[], None).await.expect(409);
    let ada = place.native.person(EMAIL, None).await;
    let reset = format!("/v1/users/{}/reset", ada["number"]);
    desk.call(server, "POST", &reset, &[], None).await.expect(202);
    let token = place.token("password_reset", 1).await;
    desk.call(server, "POST", &reset, &[], None).await.expect(429);
    place.post(&mut Browser::default(), RESET, with(&token, NEW)).await.expect(204);
    let mut nobody = place.native.browser("desk@example.com").await;
    nobody.call(server, "GET", "/v1/sandbox/mails", &[], None).await.expect(403);
}

#[tokio::test]
async fn the_tray_shows_whoever_owns_the_account_its_mails_and_no_others() {
    let place = Place::start().await;
    let (ada, _) = place.invited(EMAIL).await;
    let mail = place.mails("invitation").await[0].clone();
    let other = place.native.server.other_space("native").await;
    let one = format!("/v1/sandbox/mails/{}", mail["id"].as_str().unwrap());
    let theirs = Native { server: TestServer::start(&[&DIALECT]).await, keys: other };
    let call = async |method: &str, path: &str| {
        place.native.server.call(&DIALECT, &theirs.keys, method, path, None).await
    };
    let list = call("GET", "/v1/sandbox/mails").await;
    match list.status {
        200 => assert_eq!(list.json()["data"], json!([])),
        status => assert_eq!(status, 403),
    }
    assert!([403, 404].contains(&call("GET", &one).await.status));
    assert!([204, 403].contains(&call("DELETE", "/v1/sandbox/mails").await.status));
    assert_eq!(place.mails("invitation").await.len(), 1);
    place
        .native
        .with("DELETE", "/v1/sandbox/mails", &[("prefer", "dry-run")], None)
        .await
        .expect(204);
    assert_eq!(place.mails("invitation").await[0]["user"], ada["number"]);
    place.native.call("DELETE", "/v1/sandbox/mails", None).await.expect(204);
    assert_eq!(place.mails("invitation").await.len(), 0);
    place.native.call("GET", &one, None).await.expect(404);
}
