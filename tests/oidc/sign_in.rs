//! Persons whom a certified provider brings: linked, made, and not brought.

use patron_app::{
    Id, providers,
    sign_in::passwords,
    users::{self, UserPatch},
};
use patron_native::DIALECT;
use patron_testkit::{Answer, TestServer};
use serde_json::{Value, json};

use super::There;

/// A server, a provider that may send browsers back to it, and its record.
struct Place {
    server: TestServer,
    keys: Value,
    there: There,
    path: String,
}

impl Place {
    async fn start(provider: Value) -> Place {
        let server = TestServer::start(&[&DIALECT]).await;
        let keys = server.credentials("native");
        let there = There::back_to(&format!("{}/v1/sign-in/oidc/1/callback", server.base_url));
        let mut body = json!({"name": "Staff", "issuer": there.issuer,
            "client_id": "ES256-client_secret_basic", "client_secret": super::SECRET,
            "domains": ["example.com"]});
        for (name, value) in provider.as_object().unwrap() {
            body[name] = value.clone();
        }
        let made = server.call(&DIALECT, &keys, "POST", "/v1/providers", Some(body)).await;
        let path = made.expect(201).header("location").to_owned();
        assert_eq!(path, "/v1/providers/1");
        Place { server, keys, there, path }
    }

    async fn call(&self, method: &str, target: &str, body: Option<Value>) -> Answer {
        self.server.call(&DIALECT, &self.keys, method, target, body).await
    }

    async fn invite(&self, body: Value) -> Value {
        let mut person = json!({"kind": "human", "email": "ada@example.com"});
        for (name, value) in body.as_object().unwrap() {
            person[name] = value.clone();
        }
        self.call("POST", "/v1/users", Some(person)).await.expect(201).json()
    }

    /// Begins: the cookie of the browser, and where the provider sends it back to.
    async fn begin(&self) -> [String; 2] {
        let begun = self.server.raw("GET", "/v1/sign-in/oidc/1", &[], b"").await.expect(303);
        let cookie = begun.header("set-cookie").split(';').next().unwrap().to_owned();
        let back = self.there.ask("/_browse", "url", begun.header("location")).await;
        let target = back.strip_prefix(&self.server.base_url);
        [cookie, target.unwrap_or_else(|| panic!("{back}")).to_owned()]
    }

    async fn back(&self, cookie: &str, target: &str) -> Answer {
        self.server.raw("GET", target, &[("cookie", cookie)], b"").await
    }

    async fn sign_in(&self) -> Answer {
        let [cookie, target] = self.begin().await;
        self.back(&cookie, &target).await
    }
}

fn session(answer: &Answer) -> Vec<String> {
    let set = answer.headers.get_all("set-cookie").iter();
    set.map(|one| one.to_str().unwrap().split(';').next().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Node.js with the package; see the top of mod.rs"]
async fn an_invitation_is_accepted_by_a_provider_that_owns_the_domain() {
    let place = Place::start(json!({"link_by_email": true})).await;
    let ada = place.invite(json!({})).await;
    let [cookie, target] = place.begin().await;
    // Another browser, another state, a code of nobody.
    place.back("patron-flow=x", &target).await.expect(401);
    place.back("", &target).await.expect(401);
    let altered = target.replace("state=", "state=x");
    place.back(&cookie, &altered).await.expect(401);
    let twice = format!("{target}&state=x");
    place.back(&cookie, &twice).await.expect(401);
    let refused = target.replace("code=", "error=access_denied&x=");
    place.back(&cookie, &refused).await.expect(401);
    let signed_in = place.back(&cookie, &target).await.expect(200);
    assert_eq!(
        (&signed_in.json()["user"], &signed_in.json()["level"]),
        (&ada["number"], &json!(1))
    );
    let cookies = session(&signed_in).join("; ");
    let csrf = signed_in.json()["csrf"].as_str().unwrap().to_owned();
    let headers =
        [("cookie", &*cookies), ("patron-csrf", &*csrf), ("sec-fetch-site", "same-origin")];
    let me = place.server.raw("GET", "/v1/me", &headers, b"").await.expect(200).json();
    assert_eq!(
        (&me["user"]["state"], &me["user"]["email"]),
        (&json!("active"), &json!("ada@example.com"))
    );
    // Once more with the same answer, and once more with a new one.
    place.back(&cookie, &target).await.expect(401);
    assert_eq!(place.sign_in().await.expect(200).json()["user"], ada["number"]);
    for lie in ["iss", "aud", "nonce", "none", "HS256", "key", "claims"] {
        place.there.ask("/_lie", "about", lie).await;
        place.sign_in().await.expect(401);
    }
    place.there.ask("/_lie", "about", "").await;
    // What the provider was told before it changed is over; who is not in use does not come in.
    let [cookie, target] = place.begin().await;
    place.call("PATCH", &place.path, Some(json!({"acr": "x"}))).await.expect(200);
    place.back(&cookie, &target).await.expect(401);
    let person = format!("/v1/users/{}", ada["number"]);
    place.call("PATCH", &person, Some(json!({"state": "inactive"}))).await.expect(200);
    place.sign_in().await.expect(401);
    place.call("PATCH", &place.path, Some(json!({"active": false}))).await.expect(200);
    place.server.raw("GET", "/v1/sign-in/oidc/1", &[], b"").await.expect(404);
    place.server.raw("GET", "/v1/sign-in/oidc/2", &[], b"").await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Node.js with the package; see the top of mod.rs"]
async fn who_is_expected_from_a_provider_is_found_by_the_address() {
    // Nobody else by address, and nobody new.
    let place = Place::start(json!({})).await;
    let cx = place.server.app.operator(0, "test");
    let provider = providers::get(&cx, Id::Number(1)).await.unwrap();
    let ada = users::create_brought(&cx, &provider, UserPatch::default()).await.unwrap();
    place.sign_in().await.expect(401);
    let address = json!({"email": "ada@example.com"});
    let person = format!("/v1/users/{}", ada.number);
    place.call("PATCH", &person, Some(address)).await.expect(200);
    assert_eq!(place.sign_in().await.expect(200).json()["user"], ada.number);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Node.js with the package; see the top of mod.rs"]
async fn a_provider_brings_nobody_that_it_may_not() {
    for (provider, is_invited) in [
        // Nobody by address, though it owns the domain.
        (json!({}), true),
        // Another domain.
        (json!({"link_by_email": true, "domains": ["example.org"]}), true),
        // Nobody new.
        (json!({"link_by_email": true}), false),
        (json!({"create_users": true, "domains": ["example.org"]}), false),
        (json!({"create_users": true}), true),
    ] {
        let place = Place::start(provider.clone()).await;
        if is_invited {
            place.invite(json!({})).await;
        }
        let refused = place.sign_in().await;
        assert_eq!(refused.status, 401, "{provider}: {}", refused.text());
        assert!(session(&refused).is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Node.js with the package; see the top of mod.rs"]
async fn who_comes_for_the_first_time_becomes_a_user_with_the_role_of_new_ones() {
    let place = Place::start(json!({"create_users": true, "default_role": 3})).await;
    let new = place.sign_in().await.expect(200).json()["user"].clone();
    let user = place.call("GET", &format!("/v1/users/{new}"), None).await.expect(200).json();
    assert_eq!(
        (&user["email"], &user["given_name"], &user["state"], &user["provider"]),
        (&json!("ada@example.com"), &json!("Ada"), &json!("active"), &json!(1))
    );
    let held = format!("/v1/users/{new}/assignments");
    let held = place.call("GET", &held, None).await.expect(200).json();
    assert_eq!((&held["data"][0]["role"], &held["data"][0]["account"]), (&json!(3), &json!(1)));
    assert_eq!(place.sign_in().await.expect(200).json()["user"], new);
    // Gone, and new again.
    place.call("DELETE", &format!("/v1/users/{new}"), None).await.expect(204);
    let again = place.sign_in().await.expect(200).json()["user"].clone();
    assert_ne!(again, new);
}

/// A browser that is signed in.
struct Browser {
    cookies: String,
    csrf: String,
}

impl Browser {
    fn of(answer: &Answer) -> Browser {
        let csrf = answer.json()["csrf"].as_str().unwrap().to_owned();
        Browser { cookies: session(answer).join("; "), csrf }
    }

    async fn call(&self, place: &Place, method: &str, target: &str) -> Answer {
        let headers = [
            ("cookie", self.cookies.as_str()),
            ("patron-csrf", self.csrf.as_str()),
            ("sec-fetch-site", "same-origin"),
        ];
        place.server.raw(method, target, &headers, b"").await
    }
}

const PASSWORD: &str = "correct horse battery staple";
const LINK: &str = "/v1/me/providers/1";

impl Place {
    /// A person who signs in by a password.
    async fn with_password(&self) -> Value {
        let ada = self.invite(json!({})).await;
        let path = format!("/v1/users/{}", ada["number"]);
        self.call("PATCH", &path, Some(json!({"state": "active"}))).await.expect(200);
        let cx = self.server.app.operator(0, "test");
        let id = Id::Number(ada["number"].as_i64().unwrap());
        let user = users::get(&cx, id).await.unwrap();
        passwords::set(&cx, &user, PASSWORD).await.unwrap();
        ada
    }

    async fn by_password(&self) -> Browser {
        let body = json!({"email": "ada@example.com", "password": PASSWORD}).to_string();
        let headers = [("content-type", "application/json")];
        let path = "/v1/sign-in/password";
        let answer = self.server.raw("POST", path, &headers, body.as_bytes()).await;
        Browser::of(&answer.expect(200))
    }

    /// Begins to link: the cookie of the flow, and where the provider sends the browser back to.
    async fn begin_link(&self, browser: &Browser) -> [String; 2] {
        self.begin_by(browser, LINK).await
    }

    async fn begin_by(&self, browser: &Browser, path: &str) -> [String; 2] {
        let begun = browser.call(self, "POST", path).await.expect(200);
        let cookie = begun.header("set-cookie").split(';').next().unwrap().to_owned();
        let url = begun.json()["url"].as_str().unwrap().to_owned();
        let back = self.there.ask("/_browse", "url", &url).await;
        let target = back.strip_prefix(&self.server.base_url);
        [cookie, target.unwrap_or_else(|| panic!("{back}")).to_owned()]
    }

    async fn roles_of(&self, user: &Value) -> Vec<i64> {
        let path = format!("/v1/users/{user}/assignments");
        let held = self.call("GET", &path, None).await.expect(200).json();
        let roles = held["data"].as_array().unwrap().iter();
        let mut roles: Vec<i64> = roles.map(|one| one["role"].as_i64().unwrap()).collect();
        roles.sort_unstable();
        roles
    }

    /// Mails that told persons of a role.
    async fn told_of_roles(&self) -> usize {
        let mails = self.call("GET", "/v1/sandbox/mails", None).await.expect(200).json();
        let mails = mails["data"].as_array().unwrap();
        mails.iter().filter(|mail| mail["about"] == "role_changed").count()
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Node.js with the package; see the top of mod.rs"]
async fn a_person_links_a_provider_and_unlinks_it() {
    let place = Place::start(json!({})).await;
    let ada = place.with_password().await;
    place.sign_in().await.expect(401);
    let browser = place.by_password().await;
    let other = place.by_password().await;
    let [flow, target] = place.begin_link(&browser).await;
    // Only in the session that asked for it.
    place.back(&flow, &target).await.expect(401);
    place.back(&format!("{flow}; {}", other.cookies), &target).await.expect(401);
    let [flow, target] = place.begin_link(&browser).await;
    let both = format!("{flow}; {}", browser.cookies);
    let linked = place.back(&both, &target).await.expect(200);
    assert_eq!((&linked.json()["user"], &linked.json()["level"]), (&ada["number"], &json!(1)));
    place.back(&both, &target).await.expect(401);
    // The browser holds something new, the other one nothing.
    browser.call(&place, "GET", "/v1/me").await.expect(401);
    other.call(&place, "GET", "/v1/me").await.expect(401);
    let browser = Browser::of(&linked);
    let listed = browser.call(&place, "GET", "/v1/me/providers").await.expect(200).json();
    let first = &listed["data"][0];
    assert_eq!((&first["provider"], &first["name"]), (&json!(1), &json!("Staff")));
    browser.call(&place, "POST", LINK).await.expect(409);
    assert_eq!(place.sign_in().await.expect(200).json()["user"], ada["number"]);
    // What was begun before the ways to sign in changed is over.
    browser.call(&place, "DELETE", LINK).await.expect(204);
    browser.call(&place, "DELETE", LINK).await.expect(404);
    place.sign_in().await.expect(401);
    browser.call(&place, "POST", "/v1/me/providers/9").await.expect(404);
    place.server.app.finish_audit().await;
    for action in ["provider.linked", "provider.unlinked"] {
        let told = format!("/v1/audit-log?action={action}");
        let told = place.call("GET", &told, None).await.expect(200).json();
        assert_eq!(told["data"].as_array().unwrap().len(), 1, "{action}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Node.js with the package; see the top of mod.rs"]
async fn the_only_way_to_sign_in_is_not_unlinked() {
    let place = Place::start(json!({"link_by_email": true})).await;
    place.invite(json!({})).await;
    let browser = Browser::of(&place.sign_in().await.expect(200));
    browser.call(&place, "DELETE", LINK).await.expect(409);
    assert_eq!(place.sign_in().await.expect(200).json()["level"], 1);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Node.js with the package; see the top of mod.rs"]
async fn roles_are_what_the_provider_claims() {
    let roles = json!({"desk": 3, "readers": 5});
    let set_up = json!({"create_users": true, "role_claim": "groups", "claim_roles": roles});
    let place = Place::start(set_up).await;
    place.there.ask("/_groups", "names", "desk,strangers").await;
    let user = place.sign_in().await.expect(200).json()["user"].clone();
    assert_eq!(place.roles_of(&user).await, [3]);
    assert_eq!(place.told_of_roles().await, 0, "nobody is told what they begin with");
    // What somebody here has given is not the provider's to take.
    let path = format!("/v1/users/{user}/assignments");
    let given = json!({"role": 4, "account": 1});
    place.call("POST", &path, Some(given)).await.expect(201);
    place.there.ask("/_groups", "names", "readers,desk").await;
    place.sign_in().await.expect(200);
    assert_eq!(place.roles_of(&user).await, [3, 4, 5]);
    assert_eq!(place.told_of_roles().await, 2, "one by somebody here, one by the provider");
    place.there.ask("/_groups", "names", "").await;
    place.sign_in().await.expect(200);
    assert_eq!(place.roles_of(&user).await, [4]);
    assert_eq!(place.told_of_roles().await, 4, "both that went, in one batch");
    place.sign_in().await.expect(200);
    assert_eq!(place.told_of_roles().await, 4, "nothing changed");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Node.js with the package; see the top of mod.rs"]
async fn a_provider_proves_once_more_who_somebody_is() {
    const PROVE: &str = "/v1/step-up/oidc/1";
    let place = Place::start(json!({})).await;
    place.with_password().await;
    let browser = place.by_password().await;
    browser.call(&place, "POST", PROVE).await.expect(404);
    let [flow, target] = place.begin_link(&browser).await;
    let linked = place.back(&format!("{flow}; {}", browser.cookies), &target).await;
    let browser = Browser::of(&linked.expect(200));
    let other = Browser::of(&place.sign_in().await.expect(200));
    let until = async |browser: &Browser| {
        let me = browser.call(&place, "GET", "/v1/me").await.expect(200).json();
        me["session"]["step_up_until"].as_str().unwrap().to_owned()
    };
    let before = until(&browser).await;
    let url = browser.call(&place, "POST", PROVE).await.expect(200).json()["url"].clone();
    let url = url.as_str().unwrap();
    assert!(url.contains("prompt=login") && url.contains("max_age=0"), "{url}");
    // Only what the provider made sure of since, and only in the session that asked.
    for lie in ["stale", "timeless", "claims", "nonce"] {
        place.there.ask("/_lie", "about", lie).await;
        let [flow, target] = place.begin_by(&browser, PROVE).await;
        place.back(&format!("{flow}; {}", browser.cookies), &target).await.expect(401);
    }
    place.there.ask("/_lie", "about", "").await;
    let [flow, target] = place.begin_by(&browser, PROVE).await;
    place.back(&flow, &target).await.expect(401);
    place.back(&format!("{flow}; {}", other.cookies), &target).await.expect(401);
    assert_eq!(until(&browser).await, before, "none of it counts");
    let [flow, target] = place.begin_by(&browser, PROVE).await;
    let both = format!("{flow}; {}", browser.cookies);
    let proven = place.back(&both, &target).await.expect(200);
    place.back(&both, &target).await.expect(401);
    browser.call(&place, "GET", "/v1/me").await.expect(401);
    let browser = Browser::of(&proven);
    assert!(until(&browser).await > before, "it is fresh");
    other.call(&place, "GET", "/v1/me").await.expect(200);
}
