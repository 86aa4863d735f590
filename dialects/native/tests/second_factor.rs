//! A second factor beside the password: codes of an app, and recovery codes.

use patron_app::{Clock, sign_in::sessions};
use patron_gateway::limits::Limits;
use patron_model::Timestamp;
use patron_native::DIALECT;
use patron_testkit::{Answer, TestServer};
use ring::hmac;
use serde_json::{Value, json};

use crate::{place::Native, sign_in::Browser};

const EMAIL: &str = "ada@example.com";
const PASSWORD: &str = "correct horse battery staple";
const SECOND: &str = "/v1/sign-in/second-factor";
const TOTP: &str = "/v1/me/totp";
const CODES: &str = "/v1/me/recovery-codes";
const START: i64 = 1_767_323_045;

/// A server whose clock stands still, and a person who owns the account.
struct Place {
    native: Native,
    clock: Clock,
    ada: Value,
}

impl Place {
    async fn start() -> Place {
        let clock = Clock::fixed(Timestamp::from_micros(START * 1_000_000));
        let server = TestServer::start_with(&[&DIALECT], clock.clone(), Limits::default()).await;
        let keys = server.credentials("native");
        let native = Native { server, keys };
        let all = json!({"role": 1, "account": 1, "subaccounts": true});
        let ada = native.person(EMAIL, Some(all)).await;
        Place { native, clock, ada }
    }

    async fn call(&self, browser: &mut Browser, call: &str, body: Option<Value>) -> Answer {
        let (method, path) = call.split_once(' ').unwrap();
        browser.call(&self.native.server, method, path, &[], body).await
    }

    async fn post(&self, browser: &mut Browser, path: &str, body: Value) -> Answer {
        self.call(browser, &format!("POST {path}"), Some(body)).await
    }

    /// What the app of a person shows now, or some seconds from now.
    fn code(&self, secret: &str, beside: i64) -> String {
        code(secret, self.clock.now().seconds() + beside)
    }

    /// A browser that is signed in by both factors, and the secret of the app.
    async fn enrolled(&self) -> (Browser, String) {
        let mut browser = self.native.browser(EMAIL).await;
        let begun = self.call(&mut browser, &format!("POST {TOTP}"), None).await.expect(200);
        let secret = begun.json()["secret"].as_str().unwrap().to_owned();
        let code = json!({"code": self.code(&secret, 0)});
        self.post(&mut browser, "/v1/me/totp/confirm", code).await.expect(200);
        self.clock.advance_seconds(30);
        (browser, secret)
    }
}

/// What the app of a person shows at a moment.
pub fn code(secret: &str, seconds: i64) -> String {
    let step = seconds / 30;
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &base32(secret));
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let at = usize::from(tag.as_ref()[19] & 15);
    let four: [u8; 4] = tag.as_ref()[at..at + 4].try_into().unwrap();
    format!("{:06}", (u32::from_be_bytes(four) & 0x7fff_ffff) % 1_000_000)
}

fn base32(text: &str) -> Vec<u8> {
    let mut bits = String::new();
    for sign in text.bytes() {
        let value = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".iter().position(|one| *one == sign);
        bits.push_str(&format!("{:05b}", value.unwrap()));
    }
    let whole = bits.as_bytes().chunks_exact(8);
    whole.map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap()).collect()
}

#[tokio::test]
async fn a_code_of_the_app_is_asked_for_beside_the_password() {
    let place = Place::start().await;
    let server = &place.native.server;
    let mut browser = place.native.browser(EMAIL).await;
    let mut other = place.native.browser(EMAIL).await;
    let begun = place.call(&mut browser, "POST /v1/me/totp", None).await.expect(200);
    assert_eq!(begun.header("cache-control"), "no-store");
    let secret = begun.json()["secret"].as_str().unwrap().to_owned();
    assert_eq!(base32(&secret).len(), 20);
    let url = begun.json()["url"].as_str().unwrap().to_owned();
    assert!(url.starts_with("otpauth://totp/Patron:ada%40example.com?"), "{url}");
    assert!(url.contains(&format!("secret={secret}")) && url.contains("issuer=Patron"), "{url}");
    // Not in force yet: neither another session nor another code puts it there.
    let signed_in = Browser::default().sign_in(server, EMAIL, PASSWORD).await.expect(200).json();
    assert_eq!(signed_in["second_factor"], Value::Null);
    let confirm = "/v1/me/totp/confirm";
    let code = || json!({"code": place.code(&secret, 0)});
    place.post(&mut other, confirm, code()).await.expect(409);
    place.post(&mut browser, confirm, json!({"code": "12345"})).await.expect(422);
    place.post(&mut browser, confirm, json!({})).await.expect(422);
    let confirmed = place.post(&mut browser, confirm, code()).await.expect(200).json();
    assert_eq!((&confirmed["level"], &confirmed["second_factor"]), (&json!(2), &Value::Null));
    place.call(&mut browser, "GET /v1/users", None).await.expect(200);
    place.call(&mut other, "GET /v1/me", None).await.expect(401);
    place.post(&mut browser, confirm, code()).await.expect(409);
    // Signing in: nothing may be done by the password alone.
    let mut browser = Browser::default();
    let half = browser.sign_in(server, EMAIL, PASSWORD).await.expect(200).json();
    assert_eq!((&half["level"], &half["second_factor"]), (&json!(1), &json!(["totp"])));
    assert_eq!(browser.cookies.len(), 1, "no device is known by half a proof");
    let me = place.call(&mut browser, "GET /v1/me", None).await.expect(200).json();
    assert_eq!(me["session"]["second_factor"], json!(["totp"]));
    assert_eq!(me["permissions"], json!([]));
    place.call(&mut browser, "GET /v1/users", None).await.expect(403);
    let here = [("patron-space", "1")];
    browser.call(server, "GET", "/v1/customers", &here, None).await.expect(403);
    for call in ["DELETE /v1/me/totp", "POST /v1/me/totp", "POST /v1/me/recovery-codes"] {
        let refused = place.call(&mut browser, call, None).await.expect(403).json();
        assert_eq!(refused["methods"], json!(["totp"]), "{call}");
    }
    let password = json!({"password": PASSWORD});
    place.post(&mut browser, "/v1/step-up", password.clone()).await.expect(403);
    place.post(&mut browser, "/v1/me/password", password).await.expect(403);
    // The code that was taken is not taken again, nor one from further away than a step.
    let old = json!({"code": place.code(&secret, 0)});
    place.post(&mut browser, SECOND, old.clone()).await.expect(401);
    let far = json!({"code": place.code(&secret, 60)});
    place.post(&mut browser, SECOND, far).await.expect(401);
    place.clock.advance_seconds(30);
    place.post(&mut browser, SECOND, old).await.expect(401);
    let before = browser.clone();
    let code = json!({"code": place.code(&secret, 0)});
    let whole = place.post(&mut browser, SECOND, code.clone()).await.expect(200).json();
    assert_eq!((&whole["level"], browser.cookies.len()), (&json!(2), 2));
    assert_ne!(before.cookies[0], browser.cookies[0], "the browser holds something new");
    place.call(&mut before.clone(), "GET /v1/me", None).await.expect(401);
    place.call(&mut browser, "GET /v1/users", None).await.expect(200);
    place.post(&mut browser, SECOND, code).await.expect(401);
    let sessions = place.call(&mut browser, "GET /v1/me/sessions", None).await.expect(200).json();
    assert_eq!(sessions["data"][0]["methods"], json!(["password", "totp"]));
    assert_eq!(place.native.audited("totp.added").await.len(), 1);
}

#[tokio::test]
async fn half_a_proof_sees_and_ends_no_other_session() {
    let place = Place::start().await;
    let server = &place.native.server;
    place.enrolled().await;
    let mut browser = Browser::default();
    browser.sign_in(server, EMAIL, PASSWORD).await.expect(200);
    // Whoever has the password would end the sessions of the owner.
    let cx = server.app.operator(0, "test");
    let all = sessions::list(&cx, place.ada["number"].as_i64().unwrap()).await.unwrap();
    assert_eq!(all.len(), 2);
    let [own, other] = [0, 1].map(|at| format!("DELETE /v1/me/sessions/{}", all[at].number));
    for call in
        ["GET /v1/me/sessions", "DELETE /v1/me/sessions", "GET /v1/me/passkeys", other.as_str()]
    {
        let refused = place.call(&mut browser, call, None).await.expect(403).json();
        assert_eq!(refused["methods"], json!(["totp"]), "{call}");
    }
    place.call(&mut browser, &own, None).await.expect(204);
    place.call(&mut browser, "GET /v1/me", None).await.expect(401);
    browser.sign_in(server, EMAIL, PASSWORD).await.expect(200);
    place.call(&mut browser, "POST /v1/sign-out", None).await.expect(204);
}

#[tokio::test]
async fn a_role_that_demands_a_second_factor_counts_once_one_is_proven() {
    let place = Place::start().await;
    let server = &place.native.server;
    // As everywhere but in sandboxes: owners prove one.
    server.app.excuses_owners(false);
    let here = [("patron-space", "1")];
    let refused = async |browser: &mut Browser, path: &str, methods: Value, told: &str| {
        let answer = browser.call(server, "GET", path, &here, None).await.expect(403).json();
        let kind = answer["type"].as_str().unwrap();
        assert!(kind.ends_with("#problem-step-up-required"), "{path}: {answer}");
        assert_eq!(answer["methods"], methods, "{path}");
        assert!(answer["detail"].as_str().unwrap().contains(told), "{path}: {answer}");
    };
    let mut browser = place.native.browser(EMAIL).await;
    let me = place.call(&mut browser, "GET /v1/me", None).await.expect(200).json();
    assert_eq!((&me["permissions"], &me["withheld"][0]["account"]), (&json!([]), &json!(1)));
    for path in ["/v1/users", "/v1/customers", "/v1/accounts/1"] {
        refused(&mut browser, path, Value::Null, "POST /v1/me/totp").await;
    }
    let (mut browser, _) = place.enrolled().await;
    let me = place.call(&mut browser, "GET /v1/me", None).await.expect(200).json();
    assert_eq!((&me["permissions"][0]["account"], &me["withheld"]), (&json!(1), &Value::Null));
    for path in ["/v1/users", "/v1/customers", "/v1/accounts/1"] {
        browser.call(server, "GET", path, &here, None).await.expect(200);
    }
    place.call(&mut browser, "DELETE /v1/me/totp", None).await.expect(409);
    let mut half = Browser::default();
    half.sign_in(server, EMAIL, PASSWORD).await.expect(200);
    refused(&mut half, "/v1/users", json!(["totp"]), "POST /v1/step-up").await;
    // A role of one's own says it itself, and it holds at once. Nobody asks keys.
    let native = &place.native;
    let role = json!({"name": "Desk", "permissions": ["customer:read"]});
    let role = native.call("POST", "/v1/roles", Some(role)).await.expect(201).json();
    assert_eq!(role["second_factor"], false);
    let desk = json!({"role": role["number"], "space": 1});
    native.person("ben@example.com", Some(desk)).await;
    let mut ben = native.browser("ben@example.com").await;
    let path = format!("/v1/roles/{}", role["number"]);
    for demanded in [true, false, true] {
        let patch = json!({"second_factor": demanded});
        let changed = native.call("PATCH", &path, Some(patch)).await.expect(200).json();
        assert_eq!(changed["second_factor"], demanded);
        match demanded {
            true => refused(&mut ben, "/v1/customers", Value::Null, "you have none yet").await,
            false => drop(ben.call(server, "GET", "/v1/customers", &here, None).await.expect(200)),
        }
        // What no role of his gives stays out of reach, however he signs in.
        let answer = ben.call(server, "GET", "/v1/users", &[], None).await.expect(403).json();
        assert!(answer["type"].as_str().unwrap().ends_with("#problem-forbidden"), "{answer}");
    }
    for (role, demands) in [(1, true), (2, true), (3, false), (6, false)] {
        let role = native.call("GET", &format!("/v1/roles/{role}"), None).await.expect(200).json();
        assert_eq!(role["second_factor"], demands, "{role}");
    }
}

#[tokio::test]
async fn a_secret_is_confirmed_soon_and_while_nothing_else_changes() {
    let place = Place::start().await;
    let mut browser = place.native.browser(EMAIL).await;
    let confirm = "/v1/me/totp/confirm";
    let begin = async |browser: &mut Browser| {
        let begun = place.call(browser, "POST /v1/me/totp", None).await.expect(200).json();
        begun["secret"].as_str().unwrap().to_owned()
    };
    let first = begin(&mut browser).await;
    let secret = begin(&mut browser).await;
    let replaced = json!({"code": place.code(&first, 0)});
    place.post(&mut browser, confirm, replaced).await.expect(422);
    let new = json!({"password": "another one that is long"});
    place.post(&mut browser, "/v1/me/password", new).await.expect(204);
    let code = json!({"code": place.code(&secret, 0)});
    place.post(&mut browser, confirm, code).await.expect(409);
    let secret = begin(&mut browser).await;
    place.clock.advance_seconds(600);
    let code = json!({"code": place.code(&secret, 0)});
    place.post(&mut browser, confirm, code).await.expect(409);
    place.call(&mut browser, "POST /v1/me/totp", None).await.expect(403);
    let tried = [("prefer", "dry-run")];
    let server = &place.native.server;
    browser.call(server, "POST", SECOND, &tried, Some(json!({"code": "1"}))).await.expect(400);
    place.native.call("POST", TOTP, None).await.expect(403);
}

#[tokio::test]
async fn recovery_codes_stand_for_the_app_once_each() {
    let place = Place::start().await;
    let server = &place.native.server;
    let mut plain = place.native.browser(EMAIL).await;
    place.call(&mut plain, &format!("POST {CODES}"), None).await.expect(409);
    let (mut browser, secret) = place.enrolled().await;
    let make = async |browser: &mut Browser| {
        let made = place.call(browser, &format!("POST {CODES}"), None).await.expect(200).json();
        let codes = made["recovery_codes"].as_array().unwrap().clone();
        assert_eq!(codes.len(), 10);
        codes
    };
    let before = make(&mut browser).await;
    let codes = make(&mut browser).await;
    let mut half = Browser::default();
    let signed_in = half.sign_in(server, EMAIL, PASSWORD).await.expect(200).json();
    assert_eq!(signed_in["second_factor"], json!(["totp", "recovery_code"]));
    let recover = |code: &Value| json!({"recovery_code": code});
    place.post(&mut half, SECOND, recover(&before[0])).await.expect(401);
    let both = json!({"recovery_code": codes[0], "code": place.code(&secret, 0)});
    place.post(&mut half, SECOND, both).await.expect(422);
    let typed = codes[0].as_str().unwrap().to_uppercase().replace('-', " ");
    let whole = place.post(&mut half, SECOND, recover(&json!(typed))).await.expect(200).json();
    assert_eq!(whole["level"], 2);
    place.call(&mut half, "GET /v1/users", None).await.expect(200);
    let mut again = Browser::default();
    again.sign_in(server, EMAIL, PASSWORD).await.expect(200);
    place.post(&mut again, SECOND, recover(&codes[0])).await.expect(401);
    place.post(&mut again, SECOND, recover(&codes[1])).await.expect(200);
    // A code of either kind is a fresh proof.
    place.clock.advance_seconds(600);
    place.call(&mut half, &format!("DELETE {TOTP}"), None).await.expect(403);
    let none = place.post(&mut half, "/v1/step-up", json!({})).await;
    assert_eq!(none.status, 422);
    place.post(&mut half, "/v1/step-up", recover(&codes[2])).await.expect(200);
    let code = json!({"code": place.code(&secret, 0)});
    place.post(&mut half, "/v1/step-up", code).await.expect(200);
    place.call(&mut half, &format!("DELETE {TOTP}"), None).await.expect(204);
    place.call(&mut again, "GET /v1/me", None).await.expect(401);
    place.call(&mut half, &format!("DELETE {TOTP}"), None).await.expect(409);
    let signed_in = again.sign_in(server, EMAIL, PASSWORD).await.expect(200).json();
    assert_eq!(signed_in["second_factor"], Value::Null);
    place.post(&mut again, SECOND, recover(&codes[3])).await.expect(409);
    for (action, count) in
        [("recovery.added", 1), ("recovery.changed", 1), ("recovery.used", 3), ("totp.removed", 1)]
    {
        let told = place.native.audited(action).await;
        assert_eq!(told.len(), count, "{action}");
        assert_eq!(told[0]["actor"], json!({"kind": "user", "number": place.ada["number"]}));
    }
}

#[tokio::test]
async fn whoever_has_the_password_guesses_at_few_codes() {
    let place = Place::start().await;
    let server = &place.native.server;
    let (known, secret) = place.enrolled().await;
    // Each guess begins with the right password, which forgives none of the wrong codes.
    let mut looked_at = 0;
    for _ in 0..18 {
        place.clock.advance_seconds(60);
        let mut thief = Browser::default();
        let signed_in = thief.sign_in(server, EMAIL, PASSWORD).await;
        if signed_in.status != 200 {
            continue;
        }
        looked_at += 1;
        place.post(&mut thief, SECOND, json!({"code": "0"})).await;
    }
    assert_eq!(looked_at, 15, "a password and a code each, thirty an hour");
    let mut thief = Browser::default();
    thief.sign_in(server, EMAIL, PASSWORD).await;
    let code = json!({"code": place.code(&secret, 0)});
    assert_ne!(place.post(&mut thief, SECOND, code.clone()).await.status, 200, "too late");
    let mut owner = known.signed_out();
    owner.sign_in(server, EMAIL, PASSWORD).await.expect(200);
    place.post(&mut owner, SECOND, code).await.expect(200);
}

#[tokio::test]
async fn who_lost_the_factor_is_helped_by_somebody_else() {
    let place = Place::start().await;
    let server = &place.native.server;
    let (mut browser, _) = place.enrolled().await;
    let path = format!("/v1/users/{}/factors", place.ada["number"]);
    let all = json!({"role": 3, "account": 1});
    place.native.person("bob@example.com", Some(all)).await;
    let mut bob = place.native.browser("bob@example.com").await;
    place.call(&mut bob, &format!("DELETE {path}"), None).await.expect(403);
    // Nor by somebody who may change people, but not do all that this one may.
    let desk = json!({"name": "Desk", "permissions": ["person:read", "person:write"]});
    let desk = place.native.call("POST", "/v1/roles", Some(desk)).await.expect(201).json();
    let desk = json!({"role": desk["number"], "account": 1});
    place.native.person("cid@example.com", Some(desk)).await;
    let mut cid = place.native.browser("cid@example.com").await;
    place.call(&mut cid, &format!("DELETE {path}"), None).await.expect(403);
    place.native.with("DELETE", &path, &[("prefer", "dry-run")], None).await.expect(204);
    place.call(&mut browser, "GET /v1/me", None).await.expect(200);
    place.native.call("DELETE", &path, None).await.expect(204);
    place.call(&mut browser, "GET /v1/me", None).await.expect(401);
    let signed_in = browser.sign_in(server, EMAIL, PASSWORD).await.expect(200).json();
    assert_eq!(signed_in["second_factor"], Value::Null);
    place.call(&mut browser, "GET /v1/users", None).await.expect(200);
    assert_eq!(place.native.audited("factors.removed").await.len(), 1);
    place.native.call("DELETE", "/v1/users/9999/factors", None).await.expect(404);
}

#[tokio::test]
async fn an_account_says_whom_it_asks_for_a_second_factor() {
    let place = Place::start().await;
    let (native, server) = (&place.native, &place.native.server);
    server.app.excuses_owners(false);
    let below = native.call("POST", "/v1/accounts", Some(json!({"name": "Branch"}))).await;
    let below = below.expect(201).json();
    assert_eq!(below["second_factor"], "roles");
    let below = format!("/v1/accounts/{}", below["number"]);
    let number = below.rsplit('/').next().unwrap().parse::<i64>().unwrap();
    // Neither of these roles demands one.
    native.person("ben@example.com", Some(json!({"role": 3, "space": 1}))).await;
    native.person("cleo@example.com", Some(json!({"role": 5, "account": number}))).await;
    let mut ben = native.browser("ben@example.com").await;
    let mut cleo = native.browser("cleo@example.com").await;
    let mut ada = native.browser(EMAIL).await;
    let here = [("patron-space", "1")];
    for (own, branch, [of_ada, of_ben, of_cleo]) in [
        ("roles", "roles", [403, 200, 200]),
        ("all", "none", [403, 403, 403]),
        ("none", "none", [200, 200, 200]),
        ("none", "all", [200, 200, 403]),
        ("roles", "none", [403, 200, 200]),
    ] {
        for (path, word) in [("/v1/accounts/1", own), (&below, branch)] {
            let patch = Some(json!({"second_factor": word}));
            let changed = native.call("PATCH", path, patch).await.expect(200).json();
            assert_eq!(changed["second_factor"], word);
        }
        let said = format!("{own}, {branch}");
        let answer = ada.call(server, "GET", "/v1/customers", &here, None).await;
        assert_eq!(answer.status, of_ada, "{said}: {}", answer.text());
        let answer = ben.call(server, "GET", "/v1/customers", &here, None).await;
        assert_eq!(answer.status, of_ben, "{said}: {}", answer.text());
        let answer = cleo.call(server, "GET", &below, &[], None).await;
        assert_eq!(answer.status, of_cleo, "{said}: {}", answer.text());
    }
    // Nobody asks keys, and what is asked for cannot be removed.
    let patch = Some(json!({"second_factor": "all"}));
    native.call("PATCH", "/v1/accounts/1", patch.clone()).await.expect(200);
    native.call("GET", "/v1/customers", None).await.expect(200);
    let (mut ada, _) = place.enrolled().await;
    place.call(&mut ada, "DELETE /v1/me/totp", None).await.expect(409);
    let wrong = Some(json!({"second_factor": "some"}));
    native.call("PATCH", "/v1/accounts/1", wrong).await.expect(422);
    // It says when roles count, so who may give none does not say it.
    let role = json!({"name": "Clerk", "permissions": ["account:read", "account:write"]});
    let role = native.call("POST", "/v1/roles", Some(role)).await.expect(201).json();
    let held = json!({"role": role["number"], "account": number});
    native.person("dora@example.com", Some(held)).await;
    let off = Some(json!({"second_factor": "none"}));
    native.call("PATCH", "/v1/accounts/1", off.clone()).await.expect(200);
    let mut dora = native.browser("dora@example.com").await;
    let name = Some(json!({"name": "Annex", "second_factor": "none"}));
    dora.call(server, "PATCH", &below, &[], name).await.expect(200);
    dora.call(server, "PATCH", &below, &[], patch).await.expect(403);
    let cleared = Some(json!({"second_factor": null}));
    let cleared = native.call("PATCH", "/v1/accounts/1", cleared).await.expect(200).json();
    assert_eq!(cleared["second_factor"], "roles");
}

#[tokio::test]
async fn few_characters_do_for_a_password_beside_codes_of_an_app() {
    const SHORT: &str = "mf8 kd2q";
    let place = Place::start().await;
    let server = &place.native.server;
    let mut plain = place.native.browser(EMAIL).await;
    let own = "/v1/me/password";
    let short = || json!({"password": SHORT});
    place.post(&mut plain, own, short()).await.expect(422);
    let (mut browser, secret) = place.enrolled().await;
    place.post(&mut browser, own, json!({"password": "mf8kd2q"})).await.expect(422);
    place.post(&mut browser, own, short()).await.expect(204);
    let mut again = Browser::default();
    let half = again.sign_in(server, EMAIL, SHORT).await.expect(200).json();
    assert_eq!(half["second_factor"], json!(["totp"]));
    let code = json!({"code": place.code(&secret, 0)});
    place.post(&mut again, SECOND, code).await.expect(200);
    // It never signs anybody in alone.
    place.call(&mut again, &format!("DELETE {TOTP}"), None).await.expect(409);
    let user = format!("/v1/users/{}", place.ada["number"]);
    place.native.call("DELETE", &format!("{user}/factors"), None).await.expect(204);
    Browser::default().sign_in(server, EMAIL, SHORT).await.expect(401);
    place.native.call("POST", &format!("{user}/invite"), None).await.expect(200);
    let mails = place.native.call("GET", "/v1/sandbox/mails", None).await.expect(200).json();
    let mut mails = mails["data"].as_array().unwrap().iter();
    let mail = mails.find(|mail| mail["about"] == "invitation").unwrap();
    let url = mail["link"].as_str().unwrap().to_owned();
    let accept = async |password: &str| {
        let body = json!({"token": url.split('#').nth(1), "password": password});
        place.native.call("POST", "/v1/invitations/accept", Some(body)).await
    };
    accept(SHORT).await.expect(422);
    accept(PASSWORD).await.expect(204);
    Browser::default().sign_in(server, EMAIL, PASSWORD).await.expect(200);
}
