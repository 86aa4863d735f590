//! Persons sign in: sessions, what they may do, and that guessing is of no use.

use std::time::Duration;

use patron_app::{
    Clock, Id,
    sign_in::{self, passwords},
    users,
};
use patron_gateway::limits::Limits;
use patron_model::Timestamp;
use patron_native::DIALECT;
use patron_testkit::{Answer, TestServer};
use serde_json::{Value, json};

use crate::place::Native;

pub const PASSWORD: &str = "correct horse battery staple";

/// A browser: its cookies, and the token of its session.
#[derive(Clone, Default)]
pub struct Browser {
    pub cookies: Vec<(String, String)>,
    pub csrf: String,
}

impl Browser {
    /// Keeps what an answer sets.
    pub fn keep(&mut self, answer: &Answer) {
        for set in answer.headers.get_all("set-cookie") {
            let (pair, attributes) = set.to_str().unwrap().split_once(';').unwrap();
            assert!(attributes.contains("HttpOnly; SameSite=Lax"), "{attributes}");
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.retain(|(known, _)| known != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        if let Some(csrf) = answer.json()["csrf"].as_str() {
            self.csrf = csrf.to_owned();
        }
    }

    pub fn cookie(&self) -> String {
        let pairs: Vec<String> = self.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
        pairs.join("; ")
    }

    /// Without what holds the session.
    pub fn signed_out(&self) -> Browser {
        let mut other = self.clone();
        other.cookies.retain(|(name, _)| name != "patron");
        other
    }

    /// A call as a page of the server makes it.
    pub async fn call(
        &mut self,
        server: &TestServer,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Answer {
        let cookie = self.cookie();
        let csrf = self.csrf.clone();
        let mut all = vec![
            ("cookie", cookie.as_str()),
            ("patron-csrf", csrf.as_str()),
            ("sec-fetch-site", "same-origin"),
            ("content-type", "application/json"),
        ];
        all.retain(|(name, _)| !headers.iter().any(|(other, _)| other == name));
        all.extend(headers.iter().filter(|(_, value)| !value.is_empty()));
        let text = body.map(|body| body.to_string()).unwrap_or_default();
        let answer = server.raw(method, target, &all, text.as_bytes()).await;
        self.keep(&answer);
        answer
    }

    pub async fn sign_in(&mut self, server: &TestServer, email: &str, password: &str) -> Answer {
        let body = json!({"email": email, "password": password});
        self.call(server, "POST", "/v1/sign-in/password", &[], Some(body)).await
    }
}

impl Native {
    /// A person with a password who holds a role.
    pub async fn person(&self, email: &str, role: Option<Value>) -> Value {
        let body = json!({"kind": "human", "email": email});
        let person = self.call("POST", "/v1/users", Some(body)).await.expect(201).json();
        let path = format!("/v1/users/{}", person["number"]);
        self.call("PATCH", &path, Some(json!({"state": "active"}))).await.expect(200);
        let cx = self.server.app.operator(0, "test");
        let id = Id::Number(person["number"].as_i64().unwrap());
        let user = users::get(&cx, id).await.unwrap();
        passwords::set(&cx, &user, PASSWORD).await.unwrap();
        if let Some(role) = role {
            let path = format!("{path}/assignments");
            self.call("POST", &path, Some(role)).await.expect(201);
        }
        person
    }

    pub async fn browser(&self, email: &str) -> Browser {
        let mut browser = Browser::default();
        browser.sign_in(&self.server, email, PASSWORD).await.expect(200);
        browser
    }

    pub async fn audited(&self, action: &str) -> Vec<Value> {
        self.server.app.finish_audit().await;
        let path = format!("/v1/audit-log?action={action}&limit=200");
        let all = self.call("GET", &path, None).await.expect(200).json();
        all["data"].as_array().unwrap().clone()
    }
}

#[tokio::test]
async fn a_person_signs_in_works_and_signs_out() {
    let native = Native::start().await;
    let server = &native.server;
    native.create(json!({"reference": "a"})).await;
    let support = json!({"role": 3, "space": 1});
    let ada = native.person("Ada@Example.com", Some(support)).await;
    let mut browser = Browser::default();
    let answer = browser.sign_in(server, "ada@example.COM", PASSWORD).await.expect(200);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!((&answer.json()["user"], &answer.json()["level"]), (&ada["number"], &json!(1)));
    assert_eq!(browser.cookies.len(), 2, "a session and a device");
    let me = browser.call(server, "GET", "/v1/me", &[], None).await.expect(200).json();
    assert_eq!(me["user"]["email"], "Ada@Example.com");
    assert_eq!((&me["key"], &me["session"]["level"]), (&Value::Null, &json!(1)));
    assert_eq!(me["session"]["csrf"], browser.csrf.as_str());
    assert_eq!(me["permissions"][0]["space"], 1);
    // In a space that is named, by the rights of its person there.
    let list = "/v1/customers";
    let refused = browser.call(server, "GET", list, &[], None).await.expect(400).json();
    assert_eq!(refused["errors"][0]["pointer"], "/Patron-Space");
    let here = [("patron-space", "1")];
    let found = browser.call(server, "GET", list, &here, None).await.expect(200).json();
    assert_eq!(found["data"].as_array().unwrap().len(), 1);
    for elsewhere in ["2", "99"] {
        let there = [("patron-space", elsewhere)];
        browser.call(server, "GET", list, &there, None).await.expect(403);
    }
    let made = json!({"reference": "b"});
    let made = browser.call(server, "POST", list, &here, Some(made)).await.expect(201).json();
    let history = format!("/v1/customers/{}/history", made["number"]);
    let history = native.call("GET", &history, None).await.expect(200).json();
    assert_eq!(history["data"][0]["actor"], format!("user:{}", ada["number"]));
    browser.call(server, "GET", "/v1/keys", &[], None).await.expect(403);
    // Out again.
    let before = browser.clone();
    browser.call(server, "POST", "/v1/sign-out", &[], None).await.expect(204);
    assert_eq!(browser.cookies.len(), 1, "the device stays known");
    before.clone().call(server, "GET", "/v1/me", &[], None).await.expect(401);
    for (action, noun) in [("session.opened", "session"), ("session.ended", "session")] {
        let told = native.audited(action).await;
        assert_eq!(told.len(), 1, "{action}: {told:?}");
        assert_eq!(told[0]["actor"], json!({"kind": "user", "number": ada["number"]}));
        assert_eq!(told[0]["target"]["noun"], noun);
    }
}

#[tokio::test]
async fn a_session_is_of_no_use_to_pages_of_others() {
    let native = Native::start().await;
    let server = &native.server;
    native.person("ada@example.com", None).await;
    let mut browser = native.browser("ada@example.com").await;
    let origin = server.base_url.clone();
    for (headers, is_let_in) in [
        (vec![], true),
        (vec![("sec-fetch-site", ""), ("origin", origin.as_str())], true),
        (vec![("sec-fetch-site", "")], false),
        (vec![("sec-fetch-site", ""), ("origin", "https://evil.example")], false),
        (vec![("sec-fetch-site", "cross-site")], false),
        (vec![("sec-fetch-site", "none")], false),
        (vec![("patron-csrf", "")], false),
        (vec![("patron-csrf", "wrong")], false),
        (vec![("cookie", "")], false),
        (vec![("cookie", "patron=wrong")], false),
    ] {
        let answer = browser.call(server, "GET", "/v1/me", &headers, None).await;
        assert_eq!(answer.status, if is_let_in { 200 } else { 401 }, "{headers:?}");
        // What is missing is told, where it is not a key.
        let told = match headers.first() {
            Some(("patron-csrf", _)) => "Patron-CSRF",
            Some(("sec-fetch-site", _)) => "pages of this server",
            Some(("cookie", "patron=wrong")) => "Sign in again",
            _ => "Authorization",
        };
        let is_told = answer.json()["detail"].as_str().is_some_and(|said| said.contains(told));
        assert!(is_let_in || is_told, "{headers:?}: {}", answer.text());
    }
    let another = native.browser("ada@example.com").await;
    let headers = [("patron-csrf", another.csrf.as_str())];
    browser.call(server, "GET", "/v1/me", &headers, None).await.expect(401);
    // Nobody is signed in from elsewhere, and nothing is tried out.
    let body = || Some(json!({"email": "ada@example.com", "password": PASSWORD}));
    let path = "/v1/sign-in/password";
    let elsewhere = [("sec-fetch-site", "cross-site")];
    browser.call(server, "POST", path, &elsewhere, body()).await.expect(403);
    browser.call(server, "POST", path, &[("prefer", "dry-run")], body()).await.expect(400);
    browser.call(server, "GET", path, &[], None).await.expect(405);
}

#[tokio::test]
async fn sessions_end_by_themselves_and_are_few() {
    let clock = Clock::fixed(Timestamp::from_micros(1_767_323_045_000_000));
    let server = TestServer::start_with(&[&DIALECT], clock.clone(), Limits::default()).await;
    let keys = server.credentials("native");
    let native = Native { server, keys };
    let server = &native.server;
    native.person("ada@example.com", None).await;
    let is_in = async |browser: &Browser| {
        browser.clone().call(server, "GET", "/v1/me", &[], None).await.status == 200
    };
    let idle = native.browser("ada@example.com").await;
    let busy = native.browser("ada@example.com").await;
    for _ in 0..15 {
        assert!(is_in(&busy).await);
        clock.advance_seconds(48 * 60);
    }
    assert!(!is_in(&busy).await, "12 hours after it was opened");
    assert!(!is_in(&idle).await, "an hour after it was used");
    clock.advance_seconds(1);
    assert_eq!(sign_in::sweep(&server.app, server.app.clock.now()).await.unwrap(), 2);
    let first = native.browser("ada@example.com").await;
    let mut last = first.clone();
    for _ in 0..20 {
        last = native.browser("ada@example.com").await;
    }
    assert!(!is_in(&first).await && is_in(&last).await, "twenty at most");
    let path = "/v1/me/sessions";
    let list = last.call(server, "GET", path, &[], None).await.expect(200).json();
    let list = list["data"].as_array().unwrap().clone();
    assert_eq!(list.len(), 20);
    assert_eq!((&list[0]["current"], &list[1]["current"]), (&json!(true), &json!(false)));
    assert_eq!(list[0]["methods"], json!(["password"]));
    let one = format!("{path}/{}", list[1]["id"].as_str().unwrap());
    last.call(server, "DELETE", &one, &[], None).await.expect(204);
    last.call(server, "DELETE", &one, &[], None).await.expect(404);
    let ended = last.call(server, "DELETE", path, &[], None).await.expect(200).json();
    assert_eq!(ended["ended"], 18);
    assert!(is_in(&last).await);
    // Nobody sees or ends those of another.
    native.person("bob@example.com", None).await;
    let mut bob = native.browser("bob@example.com").await;
    let adas = format!("{path}/{}", list[0]["number"]);
    bob.call(server, "DELETE", &adas, &[], None).await.expect(404);
    let bobs = bob.call(server, "GET", path, &[], None).await.expect(200).json();
    assert_eq!(bobs["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_ends_a_person_ends_the_sessions() {
    let native = Native::start().await;
    let server = &native.server;
    let all = json!({"role": 1, "account": 1, "subaccounts": true});
    native.person("owner@example.com", Some(all.clone())).await;
    let ada = native.person("ada@example.com", Some(all)).await;
    let path = format!("/v1/users/{}", ada["number"]);
    let is_in = async |browser: &Browser| {
        browser.clone().call(server, "GET", "/v1/me", &[], None).await.status == 200
    };
    let browser = native.browser("ada@example.com").await;
    let end = format!("{path}/end-sessions");
    assert_eq!(native.call("POST", &end, None).await.expect(200).json()["ended"], 1);
    assert!(!is_in(&browser).await);
    let browser = native.browser("ada@example.com").await;
    let state = |state: &str| Some(json!({"state": state}));
    native.call("PATCH", &path, state("inactive")).await.expect(200);
    assert!(!is_in(&browser).await);
    let mut out = browser.signed_out();
    out.sign_in(server, "ada@example.com", PASSWORD).await.expect(401);
    native.call("PATCH", &path, state("active")).await.expect(200);
    let cx = server.app.operator(0, "test");
    let user = users::get(&cx, Id::Number(ada["number"].as_i64().unwrap())).await.unwrap();
    let browser = native.browser("ada@example.com").await;
    passwords::set(&cx, &user, "another one that is long").await.unwrap();
    assert!(!is_in(&browser).await);
    out.sign_in(server, "ada@example.com", PASSWORD).await.expect(401);
    out.sign_in(server, "ada@example.com", "another one that is long").await.expect(200);
    assert!(is_in(&out).await);
    native.call("DELETE", &path, None).await.expect(204);
    assert!(!is_in(&out).await);
    out.sign_in(server, "ada@example.com", "another one that is long").await.expect(401);
    // Keys are no persons.
    native.call("GET", "/v1/me/sessions", None).await.expect(403);
    native.call("POST", "/v1/sign-out", None).await.expect(403);
}

#[tokio::test]
async fn a_person_signs_in_by_the_address_that_stands_there_now() {
    let native = Native::start().await;
    let server = &native.server;
    let owner = json!({"role": 1, "account": 1, "subaccounts": true});
    let ada = native.person("ada@example.com", Some(owner)).await;
    let desk = json!({"name": "Desk", "permissions": ["person:read", "person:write"]});
    let desk = native.call("POST", "/v1/roles", Some(desk)).await.expect(201).json();
    native.person("bob@example.com", Some(json!({"role": desk["number"], "account": 1}))).await;
    let path = format!("/v1/users/{}", ada["number"]);
    let moved = || Some(json!({"email": "ada@example.org"}));
    // Whoever reads an owner's mail is an owner one day.
    let mut bob = native.browser("bob@example.com").await;
    bob.call(server, "PATCH", &path, &[], moved()).await.expect(403);
    let name = Some(json!({"given_name": "Ada"}));
    bob.call(server, "PATCH", &path, &[], name).await.expect(200);
    let mut before = native.browser("ada@example.com").await;
    native.call("PATCH", &path, moved()).await.expect(200);
    before.call(server, "GET", "/v1/me", &[], None).await.expect(401);
    Browser::default().sign_in(server, "ada@example.com", PASSWORD).await.expect(401);
    Browser::default().sign_in(server, "ada@example.org", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn nothing_tells_whether_somebody_is_there() {
    let native = Native::start().await;
    let server = &native.server;
    let ada = native.person("ada@example.com", None).await;
    let sign_in = async |email: &str, password: &str| {
        let answer = Browser::default().sign_in(server, email, password).await;
        let mut body = answer.json();
        body.as_object_mut().unwrap().remove("request_id");
        let mut headers = answer.headers.clone();
        ["x-request-id", "date"].iter().for_each(|name| drop(headers.remove(*name)));
        (answer.status, body, headers)
    };
    let known = sign_in("ada@example.com", "wrong password, as it is").await;
    assert_eq!(known.0, 401);
    for email in ["nobody@example.com", "no address", "ada@example.com\u{200b}", ""] {
        assert_eq!(sign_in(email, "wrong password, as it is").await, known, "{email:?}");
    }
    assert_eq!(sign_in("nobody@example.com", PASSWORD).await, known);
    let told = native.audited("sign_in.refused").await;
    assert_eq!(told.len(), 1, "others are the operator's: {told:?}");
    let actor = &told[0]["actor"];
    assert_eq!((&actor["kind"], &actor["number"]), (&json!("stranger"), &ada["number"]));
    assert!(!told.iter().any(|entry| entry.to_string().contains("example.com")), "{told:?}");
}

#[tokio::test]
async fn whoever_guesses_is_not_looked_at_and_the_owner_gets_in() {
    let native = Native::start().await;
    let server = &native.server;
    native.person("ada@example.com", None).await;
    let known = native.browser("ada@example.com").await.signed_out();
    // Without an address of the connection's own, networks are not what stops them.
    let guessed = async |browser: &mut Browser| {
        browser.sign_in(server, "ada@example.com", "wrong password, as it is").await.status
    };
    let mut refused = 0;
    for _ in 0..20 {
        refused += usize::from(guessed(&mut Browser::default()).await == 401);
    }
    assert_eq!(refused, 20);
    let slowed = Browser::default().sign_in(server, "ada@example.com", PASSWORD).await;
    assert_eq!(slowed.status, 429, "this network guessed enough for a minute");
    assert!((1..=60).contains(&slowed.header("retry-after").parse().unwrap()));
    // A browser that is known does not share that.
    known.clone().sign_in(server, "ada@example.com", PASSWORD).await.expect(200);
    tokio::time::sleep(Duration::from_millis(1)).await;
    let mut forged = known.clone();
    for (name, value) in &mut forged.cookies {
        if name == "patron-device" {
            value.replace_range(value.len() - 1.., if value.ends_with('0') { "1" } else { "0" });
        }
    }
    assert_eq!(forged.sign_in(server, "ada@example.com", PASSWORD).await.status, 429);
}

#[tokio::test]
async fn what_is_delicate_asks_for_a_fresh_proof() {
    let clock = Clock::fixed(Timestamp::from_micros(1_767_323_045_000_000));
    let server = TestServer::start_with(&[&DIALECT], clock.clone(), Limits::default()).await;
    let keys = server.credentials("native");
    let native = Native { server, keys };
    let server = &native.server;
    let all = json!({"role": 1, "account": 1, "subaccounts": true});
    native.person("ada@example.com", Some(all)).await;
    let mut browser = native.browser("ada@example.com").await;
    let made = async |browser: &mut Browser, email: &str| {
        let body = Some(json!({"kind": "human", "email": email}));
        browser.call(server, "POST", "/v1/users", &[], body).await
    };
    made(&mut browser, "a@example.com").await.expect(201);
    clock.advance_seconds(600);
    let refused = made(&mut browser, "b@example.com").await.expect(403).json();
    assert!(refused["type"].as_str().unwrap().ends_with("#problem-step-up-required"), "{refused}");
    assert_eq!(refused["methods"], json!(["password"]));
    let me = browser.call(server, "GET", "/v1/me", &[], None).await.expect(200).json();
    assert_eq!(me["session"]["step_up_until"], Value::Null);
    // Keys are not asked, and what only shows asks nobody.
    let body = Some(json!({"kind": "human", "email": "c@example.com"}));
    native.call("POST", "/v1/users", body).await.expect(201);
    browser.call(server, "GET", "/v1/users", &[], None).await.expect(200);
    let prove = async |browser: &mut Browser, password: &str| {
        let body = Some(json!({"password": password}));
        browser.call(server, "POST", "/v1/step-up", &[], body).await
    };
    prove(&mut browser, "wrong password, as it is").await.expect(401);
    made(&mut browser, "b@example.com").await.expect(403);
    let before = browser.clone();
    prove(&mut browser, PASSWORD).await.expect(200);
    assert_ne!(before.cookie(), browser.cookie(), "the browser holds something new");
    before.clone().call(server, "GET", "/v1/me", &[], None).await.expect(401);
    made(&mut browser, "b@example.com").await.expect(201);
    assert_eq!(native.audited("session.proven").await.len(), 1);
}

#[tokio::test]
async fn a_person_sets_the_password_and_all_else_ends() {
    let clock = Clock::fixed(Timestamp::from_micros(1_767_323_045_000_000));
    let server = TestServer::start_with(&[&DIALECT], clock.clone(), Limits::default()).await;
    let keys = server.credentials("native");
    let native = Native { server, keys };
    let server = &native.server;
    native.person("ada.lovelace@example.com", None).await;
    let mut browser = native.browser("ada.lovelace@example.com").await;
    let mut other = native.browser("ada.lovelace@example.com").await;
    let set = async |browser: &mut Browser, password: &str| {
        let body = Some(json!({"password": password}));
        browser.call(server, "POST", "/v1/me/password", &[], body).await
    };
    for bad in [
        "short",
        "Ada Lovelace Example",
        "aaaaaaaaaaaaaaaaaaaa",
        "1234567890987654321",
        "DragonDragonDragon",
        "12345678!!Sunshine!!12345678",
    ] {
        let refused = set(&mut browser, bad).await.expect(422).json();
        assert_eq!(refused["errors"][0]["pointer"], "/password", "{bad}");
    }
    let new = "a new one, long enough";
    set(&mut browser, new).await.expect(204);
    browser.call(server, "GET", "/v1/me", &[], None).await.expect(200);
    other.call(server, "GET", "/v1/me", &[], None).await.expect(401);
    let mut out = browser.signed_out();
    out.sign_in(server, "ada.lovelace@example.com", PASSWORD).await.expect(401);
    out.sign_in(server, "ada.lovelace@example.com", new).await.expect(200);
    clock.advance_seconds(600);
    set(&mut browser, PASSWORD).await.expect(403);
    assert_eq!(native.audited("password.changed").await.len(), 1);
}

#[tokio::test]
async fn many_networks_guess_and_the_owner_gets_in() {
    let limits = Limits { client_address_header: "x-from".to_owned(), ..Limits::default() };
    let server = TestServer::start_with(&[&DIALECT], Clock::System, limits).await;
    let keys = server.credentials("native");
    let native = Native { server, keys };
    let server = &native.server;
    native.person("ada@example.com", None).await;
    let mut known = native.browser("ada@example.com").await.signed_out();
    // Each of many networks tries the right password at last: nothing of it is looked at.
    for n in 0..40 {
        let from = format!("192.0.2.{n}");
        let body = json!({"email": "ada@example.com", "password": "wrong password, as it is"});
        let headers = [("x-from", from.as_str())];
        let path = "/v1/sign-in/password";
        let mut stranger = Browser::default();
        stranger.call(server, "POST", path, &headers, Some(body)).await.expect(401);
        if n >= 30 {
            let body = json!({"email": "ada@example.com", "password": PASSWORD});
            stranger.call(server, "POST", path, &headers, Some(body)).await.expect(401);
        }
    }
    known.sign_in(server, "ada@example.com", PASSWORD).await.expect(200);
}
