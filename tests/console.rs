//! The console by raw requests: who gets in, what a form must bring, and that its deeds are those
//! of the API.

use patron::console::CONSOLE;
use patron_app::{
    Expect, Id,
    assignments::{self, Where},
    sign_in,
    users::{self, UserPatch},
};
use patron_gateway::Guest;
use patron_model::{Patch, email::Email, permission::Role, user::UserKind};
use patron_testkit::{Answer, TestServer};
use serde_json::{Value, json};

#[path = "console/access.rs"]
mod access;
#[path = "console/developers.rs"]
mod developers;
#[path = "console/home.rs"]
mod home;
#[path = "console/operations.rs"]
mod operations;

const EMAIL: &str = "grace@example.com";
const PASSWORD: &str = "every word of my own";
const GUEST: Guest = Guest { email: EMAIL, password: PASSWORD };

/// A browser: it keeps cookies and says where its forms come from.
struct Browser<'a> {
    server: &'a TestServer,
    cookies: Vec<(String, String)>,
    language: &'static str,
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> &'t str {
    let rest = text.split_once(before).unwrap_or_else(|| panic!("no {before} in {text}")).1;
    rest.split_once(after).unwrap().0
}

fn encoded(fields: &[(&str, &str)]) -> String {
    let mut text = form_urlencoded::Serializer::new(String::new());
    text.extend_pairs(fields);
    text.finish()
}

impl<'a> Browser<'a> {
    fn new(server: &'a TestServer) -> Browser<'a> {
        Browser { server, cookies: Vec::new(), language: "en" }
    }

    async fn send(
        &mut self,
        method: &str,
        path: &str,
        more: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let cookies: Vec<String> = self.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let cookies = cookies.join("; ");
        let mut headers = vec![
            ("cookie", cookies.as_str()),
            ("accept", "text/html"),
            ("accept-language", self.language),
        ];
        headers.extend_from_slice(more);
        let headers: Vec<(&str, &str)> =
            headers.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        let answer = self.server.raw(method, path, &headers, body.as_bytes()).await;
        for set in answer.headers.get_all("set-cookie") {
            let pair = set.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.retain(|(known, _)| known != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        answer
    }

    async fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }

    /// The page without what is needed to look at it.
    async fn page(&mut self, path: &str) -> String {
        self.get(path).await.expect(200).text()
    }

    async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let origin = self.server.base_url.clone();
        let host = origin.trim_start_matches("http://").to_owned();
        let more = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("origin", origin.as_str()),
            ("host", host.as_str()),
            ("sec-fetch-site", "same-origin"),
        ];
        self.send("POST", path, &more, &encoded(fields)).await
    }

    async fn sign_in(&mut self) {
        let fields = [("email", EMAIL), ("password", PASSWORD)];
        let answer = self.post("/console/sign-in", &fields).await.expect(303);
        assert_eq!(answer.header("location"), "./");
    }

    async fn token(&mut self, path: &str) -> String {
        let page = self.page(path).await;
        between(&page, "name=\"_token\" value=\"", "\"").to_owned()
    }
}

/// A server with a console, a person with a role in its space, and the number of the space.
async fn server(role: Role) -> (TestServer, i64) {
    furnished(TestServer::start(patron::dialects::DIALECTS).await, role).await
}

async fn furnished(server: TestServer, role: Role) -> (TestServer, i64) {
    let server = server.with_console(&CONSOLE, Some(GUEST)).await;
    let space = native(&server, "GET", "/v1/spaces", None).await.json();
    let space = &space["data"][0];
    let (number, account) = (space["number"].as_i64().unwrap(), space["account"].as_i64().unwrap());
    let cx = server.app.operator(0, "test");
    let email = Patch::Set(Email::parse(EMAIL).unwrap());
    let patch = UserPatch { email, ..UserPatch::default() };
    let made = users::create(&cx, UserKind::Human, account, patch).await.unwrap();
    let id = Id::Number(made.number);
    let active = UserPatch { active: Some(true), ..UserPatch::default() };
    let person = users::update(&cx, id, Expect::Any, &active).await.unwrap();
    assignments::grant(&cx, id, role.number(), Where::Space(number)).await.unwrap();
    sign_in::passwords::set(&cx, &person, PASSWORD).await.unwrap();
    (server, number)
}

async fn native(server: &TestServer, method: &str, path: &str, body: Option<Value>) -> Answer {
    let keys = server.credentials("native");
    server.call(&patron_native::DIALECT, &keys, method, path, body).await
}

async fn customer(server: &TestServer, body: Value) -> i64 {
    let made = native(server, "POST", "/v1/customers", Some(body)).await.expect(201);
    made.json()["number"].as_i64().unwrap()
}

#[tokio::test]
async fn a_person_signs_in_works_and_signs_out() {
    let (server, space) = server(Role::Support).await;
    let mut browser = Browser::new(&server);
    let answer = browser.get(&format!("/console/s/{space}/customers")).await.expect(303);
    assert_eq!(
        answer.header("location"),
        format!("../../sign-in?next=/s/{space}/customers"),
        "back to where one wanted to go"
    );
    let page = browser.page("/console/sign-in").await;
    assert!(page.contains("name=\"password\"") && page.contains("Open the sandbox"));
    let wrong = [("email", EMAIL), ("password", "every word of yours"), ("next", "/spaces")];
    let refused = browser.post("/console/sign-in", &wrong).await.expect(401).text();
    assert!(refused.contains("That did not fit") && refused.contains(EMAIL));
    assert!(!refused.contains("every word of yours"));
    browser.sign_in().await;
    let start = browser.get("/console/").await.expect(303);
    assert_eq!(start.header("location"), format!("./s/{space}"));
    let page = browser.page(&format!("/console/s/{space}")).await;
    assert!(page.contains("Seen as") && page.contains("Sandbox"), "{page}");
    let token = browser.token(&format!("/console/s/{space}")).await;
    let out = browser.post("/console/sign-out", &[("_token", &token)]).await.expect(303);
    assert_eq!(out.header("location"), "./sign-in?done=signed-out");
    browser.get(&format!("/console/s/{space}")).await.expect(303);
    // Whom anybody may be needs no password.
    browser.post("/console/sign-in/guest", &[]).await.expect(303);
    browser.page(&format!("/console/s/{space}")).await;
}

#[tokio::test]
async fn every_page_speaks_the_language_of_the_browser_and_says_what_it_may_load() {
    let (server, space) = server(Role::Support).await;
    let mut browser = Browser::new(&server);
    browser.language = "de-CH,fr;q=0.5";
    let page = browser.page("/console/sign-in").await;
    assert!(page.contains("<html lang=\"de\">") && page.contains("Passwort"), "{page}");
    browser.sign_in().await;
    let answer = browser.get(&format!("/console/s/{space}/customers")).await.expect(200);
    for (name, value) in [
        ("content-security-policy", "default-src 'none'"),
        ("content-security-policy", "require-trusted-types-for 'script'"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("permissions-policy", "publickey-credentials-get=(self)"),
        ("cache-control", "no-store"),
    ] {
        assert!(answer.header(name).contains(value), "{name}: {}", answer.header(name));
    }
    let page = answer.text();
    assert!(page.contains("Kunden") && !page.contains("style=") && !page.contains("onclick"));
    let sheet = between(&page, "rel=\"stylesheet\" href=\"../../", "\"").to_owned();
    let sheet = browser.get(&format!("/console/{sheet}")).await.expect(200);
    assert_eq!(sheet.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(sheet.header("content-type"), "text/css; charset=utf-8");
    let packed = [("accept-encoding", "gzip")];
    let script = between(&page, "<script src=\"../../", "\"").to_owned();
    let script = browser.send("GET", &format!("/console/{script}"), &packed, "").await.expect(200);
    assert_eq!(script.header("content-encoding"), "gzip");
    browser.get("/console/assets/console.0000.css").await.expect(404);
    let lost = browser.get("/console/no/such/page").await.expect(404);
    assert!(lost.text().contains("Hier ist nichts"));
}

#[tokio::test]
async fn a_form_is_taken_from_its_own_session_and_server_only() {
    let (server, space) = server(Role::Support).await;
    let mut browser = Browser::new(&server);
    browser.sign_in().await;
    let path = format!("/console/s/{space}/customers/new");
    let token = browser.token(&path).await;
    let origin = server.base_url.clone();
    let body = encoded(&[("_token", &token), ("email", "ada@example.com"), ("once", "a")]);
    let form = ("content-type", "application/x-www-form-urlencoded");
    let refused: [&[(&str, &str)]; 5] = [
        &[form],
        &[form, ("origin", "https://evil.example")],
        &[form, ("origin", "null")],
        &[form, ("origin", &origin), ("sec-fetch-site", "cross-site")],
        &[form, ("origin", &origin), ("sec-fetch-site", "same-site")],
    ];
    for more in refused {
        let answer = browser.send("POST", &path, more, &body).await.expect(403);
        assert!(answer.text().contains("Open the page again"), "{more:?}");
    }
    let with = |token: &str| {
        let fields = [("_token", token), ("email", "ada@example.com"), ("once", "a")];
        fields.map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    for wrong in ["", "x", &token[1..]] {
        let fields = with(wrong);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (&**n, &**v)).collect();
        browser.post(&path, &fields).await.expect(403);
    }
    // Nothing was done; twice the same form is done once.
    let count = async || {
        let all = native(&server, "GET", "/v1/customers", None).await.json();
        all["data"].as_array().unwrap().len()
    };
    assert_eq!(count().await, 0);
    let fields = with(&token);
    let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (&**n, &**v)).collect();
    let first = browser.post(&path, &fields).await.expect(303);
    let second = browser.post(&path, &fields).await.expect(303);
    assert_eq!(first.header("location"), second.header("location"));
    assert_eq!(count().await, 1);
    // The forms before a session are taken from this server only, too.
    for path in ["/console/sign-in", "/console/sign-in/guest", "/console/forgot", "/console/reset"]
    {
        browser
            .send("POST", path, &[form, ("origin", "https://evil.example")], "")
            .await
            .expect(403);
    }
}

#[tokio::test]
async fn what_is_asked_stands_sealed_in_the_address() {
    let (server, space) = server(Role::Support).await;
    for (given, email) in [("Ada", "ada@example.com"), ("Grace", "grace@example.org")] {
        customer(&server, json!({"given_name": given, "email": email})).await;
    }
    let mut browser = Browser::new(&server);
    browser.sign_in().await;
    let all = format!("/console/s/{space}/customers");
    let page = browser.page(&all).await;
    assert!(page.contains("Ada") && page.contains("Grace"));
    let token = browser.token(&all).await;
    let ask = format!("{all}/ask");
    let found = browser.post(&ask, &[("_token", &token), ("q", "ada")]).await.expect(303);
    let location = found.header("location").to_owned();
    assert!(!location.contains("ada") && location.contains("ask="), "{location}");
    let path = format!("/console/{}", location.trim_start_matches("../"));
    let page = browser.page(&path).await;
    assert!(page.contains("Ada") && !page.contains("Grace"), "{page}");
    let filter = [
        ("_token", token.as_str()),
        ("field", "email"),
        ("operator", "[prefix]"),
        ("value", "grace@"),
    ];
    let found = browser.post(&ask, &filter).await.expect(303).header("location").to_owned();
    assert!(!found.contains("grace"));
    let page = browser.page(&format!("/console/{}", found.trim_start_matches("../"))).await;
    assert!(page.contains("Grace") && !page.contains(">Ada<") && page.contains("begins with"));
    // The rule's own words where it is not understood, and the list stays.
    let wrong = [("_token", token.as_str()), ("field", "created_at"), ("value", "yesterday")];
    let page = browser.post(&ask, &wrong).await.expect(422).text();
    assert!(page.contains("role=\"alert\"") && page.contains("Grace"), "{page}");
    // It is good in this space alone, and nobody makes one up.
    let sealed = location.split_once("ask=").unwrap().1.to_owned();
    for forged in ["x", "1:AAAA", &sealed[..sealed.len() - 4]] {
        browser.get(&format!("{all}?ask={forged}")).await.expect(400);
    }
}

#[tokio::test]
async fn a_field_is_changed_in_place_and_nothing_is_overwritten() {
    let (server, space) = server(Role::Support).await;
    let number = customer(&server, json!({"given_name": "Ada", "phone": "+41 44 500 12 34"})).await;
    let mut browser = Browser::new(&server);
    browser.sign_in().await;
    let one = format!("/console/s/{space}/customers/{number}");
    let page = browser.page(&format!("{one}?edit=email")).await;
    let token = between(&page, "name=\"_token\" value=\"", "\"").to_owned();
    let form = page.split_once("class=\"inline\"").unwrap().1;
    let tag = between(form, "name=\"tag\" value=\"", "\"").replace("&#34;", "\"");
    let edit = format!("{one}/edit");
    let sent = |name: &'static str, value: &str, was: &str, once: &str| {
        let fields =
            [("_token", &*token), ("field", name), (name, value), ("was", was), ("tag", &*tag)];
        let mut fields = fields.map(|(n, v)| (n.to_owned(), v.to_owned())).to_vec();
        fields.push(("once".to_owned(), once.to_owned()));
        fields
    };
    let mut post = async |fields: Vec<(String, String)>| {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (&**n, &**v)).collect();
        browser.post(&edit, &fields).await
    };
    // A fault stands at its field, in the words of the rule, and what was typed stays.
    let page = post(sent("email", "not an address", "", "1")).await.expect(422).text();
    assert!(page.contains("id=\"email-why\"") && page.contains("value=\"not an address\""));
    assert!(page.contains("<a href=\"#email\">"), "{page}");
    // Others changed another field: nobody is asked.
    let path = format!("/v1/customers/{number}");
    native(&server, "PATCH", &path, Some(json!({"title": "Dr"}))).await.expect(200);
    post(sent("email", "ada@example.com", "", "2")).await.expect(303);
    let now = native(&server, "GET", &path, None).await.json();
    assert_eq!((&now["title"], &now["email"]), (&json!("Dr"), &json!("ada@example.com")));
    // Others changed this one: both sides are shown, and one is chosen.
    let page = post(sent("email", "lovelace@example.com", "", "3")).await.expect(412).text();
    assert!(page.contains("ada@example.com") && page.contains("value=\"lovelace@example.com\""));
    assert!(page.contains("name=\"choose\""));
    let again = between(&page, "name=\"tag\" value=\"", "\"").replace("&#34;", "\"");
    let mut fields = sent("email", "", "ada@example.com", "4");
    fields.retain(|(name, _)| name != "tag" && name != "email");
    fields.push(("tag".to_owned(), again));
    fields.push(("choose".to_owned(), "lovelace@example.com".to_owned()));
    post(fields).await.expect(303);
    let now = native(&server, "GET", &path, None).await.json();
    assert_eq!(now["email"], "lovelace@example.com");
    // Card data is refused, and not shown again.
    let page = post(sent("description", "4111 1111 1111 1111", "", "5")).await;
    assert!(!page.text().contains("4111 1111"), "{}", page.text());
    assert_eq!(page.status, 422);
}

#[tokio::test]
async fn what_hangs_on_a_customer_is_written_and_what_happened_is_told() {
    let (server, space) = server(Role::Support).await;
    let number = customer(&server, json!({"given_name": "Ada"})).await;
    let mut browser = Browser::new(&server);
    browser.sign_in().await;
    let one = format!("/console/s/{space}/customers/{number}");
    let token = browser.token(&one).await;
    let own = [("_token", token.as_str())];
    let with = |more: &[(&'static str, &'static str)]| [&own[..], more].concat();
    browser
        .post(&format!("{one}/comments"), &with(&[("content", "Call <b>first</b>")]))
        .await
        .expect(303);
    let page = browser.page(&one).await;
    assert!(page.contains("Call &#60;b&#62;first&#60;/b&#62;"), "{page}");
    let comment = between(&page, "/comments/", "/pin").to_owned();
    let pin = format!("{one}/comments/{comment}/pin");
    browser.post(&pin, &with(&[("pinned", "true")])).await.expect(303);
    let line = [("purpose", "billing"), ("line1", "Bahnhofstrasse 71"), ("country", "CH")];
    browser.post(&format!("{one}/addresses/new"), &with(&line)).await.expect(303);
    let wrong = [("purpose", "billing"), ("country", "Nowhere at all")];
    let page = browser.post(&format!("{one}/addresses/new"), &with(&wrong)).await.expect(422);
    assert!(page.text().contains("id=\"country-why\""));
    let page = browser.page(&one).await;
    assert!(page.contains("Bahnhofstrasse 71") && page.contains("Take the pin off"));
    let gone = browser.post(&format!("{one}/delete"), &own).await.expect(303);
    assert!(gone.header("location").ends_with("?done=deleted"));
    let page = browser.page(&one).await;
    assert!(page.contains("This customer is deleted"), "{page}");
    browser.post(&format!("{one}/restore"), &own).await.expect(303);
    let page = browser.page(&one).await;
    assert!(page.contains("Restored") && page.contains("by user"), "{page}");
    let page = browser.page(&format!("{one}?version=1")).await;
    assert!(page.contains("As it was on") && !page.contains("?edit="));
    browser.page(&format!("{one}/timeline")).await;
    browser.get(&format!("/console/s/{space}/customers/999999999")).await.expect(404);
}
