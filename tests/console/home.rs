//! One's own page by raw requests: what one sets acts at once, and by what one signs in.

use patron_model::permission::Role;
use serde_json::{Value, json};

use super::{Browser, EMAIL, PASSWORD, between, native, server};

/// Settings as the form has them before anything is chosen.
const WAS: [(&str, &str); 7] = [
    ("was-given_name", ""),
    ("was-family_name", ""),
    ("was-language", ""),
    ("was-time_zone", ""),
    ("was-theme", "system"),
    ("was-shortcuts", "true"),
    ("once", "a"),
];

impl Browser<'_> {
    /// The native API, by the session of the browser.
    async fn own(&mut self, method: &str, path: &str, body: &Value) -> patron_testkit::Answer {
        let token = self.token("/console/me").await;
        let origin = self.server.base_url.clone();
        let more = [
            ("content-type", "application/json"),
            ("patron-csrf", token.as_str()),
            ("origin", origin.as_str()),
            ("sec-fetch-site", "same-origin"),
        ];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.send(method, path, &more, &body).await
    }

    async fn sent(&mut self, path: &str, fields: &[(&str, &str)]) -> patron_testkit::Answer {
        let token = self.token("/console/me").await;
        self.post(path, &[&[("_token", token.as_str())], fields].concat()).await
    }
}

#[tokio::test]
async fn what_a_person_sets_acts_at_once_everywhere() {
    let (server, space) = server(Role::Support).await;
    let mut browser = Browser::new(&server);
    browser.sign_in().await;
    let page = browser.page("/console/me").await;
    assert!(page.contains("<html lang=\"en\">") && page.contains(EMAIL), "{page}");
    assert!(page.contains("<option value=\"Europe/Zurich\">"), "{page}");
    let tag = between(&page, "name=\"tag\" value=\"", "\"").replace("&#34;", "\"");
    let chosen = [
        ("tag", tag.as_str()),
        ("given_name", "Grace"),
        ("family_name", ""),
        ("language", "de-CH"),
        ("time_zone", "Asia/Tokyo"),
        ("theme", "dark"),
        ("shortcuts", "false"),
    ];
    let answer = browser.sent("/console/me", &[&WAS[..], &chosen].concat()).await.expect(303);
    assert_eq!(answer.header("location"), "./me?done=saved");
    let page = browser.page(&format!("/console/s/{space}")).await;
    assert!(page.contains("<html lang=\"de\" data-theme=\"dark\">"), "{page}");
    assert!(page.contains("data-letters=\"off\"") && page.contains("Grace"), "{page}");
    let me = browser.own("GET", "/v1/me", &Value::Null).await.expect(200);
    let user = me.json()["user"].clone();
    for (name, value) in [("language", "de-CH"), ("time_zone", "Asia/Tokyo"), ("theme", "dark")] {
        assert_eq!(user[name], value);
    }
    assert_eq!((&user["shortcuts"], &user["family_name"]), (&json!(false), &Value::Null));
    // Moments stand in that zone: nine hours before or after the next midnight, never at once.
    let opened = browser.own("GET", "/v1/me/sessions", &Value::Null).await.expect(200).json();
    let opened = opened["data"][0]["opened_at"].as_str().unwrap()[11..13].parse::<u32>().unwrap();
    let page = browser.page("/console/me").await;
    let shown = between(&page, "Eröffnet <time", "</time>");
    assert!(shown.contains(&format!(", {:02}:", (opened + 9) % 24)), "{opened} {shown}");
    // A fault stands at its field, and what was typed stays.
    let wrong = [("time_zone", "Mars/Olympus"), ("was-time_zone", "Asia/Tokyo")];
    let page = browser.sent("/console/me", &wrong).await.expect(422).text();
    assert!(page.contains("id=\"time_zone-why\"") && page.contains("Mars/Olympus"), "{page}");
    // Two tabs: what both changed is asked about.
    let stale = [("tag", tag.as_str()), ("was-theme", "system"), ("theme", "light")];
    let page = browser.sent("/console/me", &stale).await.expect(412).text();
    assert!(page.contains("id=\"theme-why\""), "{page}");
}

#[tokio::test]
async fn settings_are_changed_over_the_api_too_by_persons_only() {
    let (server, _) = server(Role::Support).await;
    native(&server, "PATCH", "/v1/me", Some(json!({"theme": "dark"}))).await.expect(403);
    let mut browser = Browser::new(&server);
    browser.sign_in().await;
    let set = json!({"family_name": "Hopper", "theme": "light", "shortcuts": false});
    let saved = browser.own("PATCH", "/v1/me", &set).await.expect(200);
    let user = saved.json();
    assert_eq!((&user["theme"], &user["family_name"]), (&json!("light"), &json!("Hopper")));
    let tag = saved.header("etag").to_owned();
    assert_eq!(browser.own("GET", "/v1/me", &Value::Null).await.expect(200).header("etag"), tag);
    let cleared = json!({"theme": null, "shortcuts": null, "family_name": null});
    let user = browser.own("PATCH", "/v1/me", &cleared).await.expect(200).json();
    assert_eq!((&user["theme"], &user["shortcuts"]), (&json!("system"), &json!(true)));
    assert_eq!(user["family_name"], Value::Null);
    browser.own("PATCH", "/v1/me", &json!({"shortcuts": "no"})).await.expect(400);
    let wrong = json!({"theme": "pink", "time_zone": "x", "language": "!"});
    let refused = browser.own("PATCH", "/v1/me", &wrong).await.expect(422).json();
    let pointers: Vec<_> =
        refused["errors"].as_array().unwrap().iter().map(|one| &one["pointer"]).collect();
    assert_eq!(pointers.len(), 3, "{refused}");
    // How one signs in, and whether one may, is nothing that one sets so.
    for other in ["email", "state", "request_limit"] {
        browser.own("PATCH", "/v1/me", &json!({other: "x"})).await.expect(400);
    }
    // Others are not told how somebody wants pages to look.
    let number = user["number"].as_i64().unwrap();
    let seen = native(&server, "GET", &format!("/v1/users/{number}"), None).await.expect(200);
    assert_eq!(seen.json()["theme"], Value::Null);
    let version = user["version"].as_i64().unwrap();
    assert_eq!(seen.json()["version"], version);
}

#[tokio::test]
async fn sessions_are_listed_and_ended() {
    let (server, _) = server(Role::Support).await;
    let (mut here, mut there, mut elsewhere) =
        (Browser::new(&server), Browser::new(&server), Browser::new(&server));
    for browser in [&mut there, &mut elsewhere, &mut here] {
        browser.sign_in().await;
    }
    let page = here.page("/console/me").await;
    assert_eq!(page.matches("/end\"").count(), 3, "two single ones and all others: {page}");
    let all = here.own("GET", "/v1/me/sessions", &Value::Null).await.expect(200).json();
    let all = all["data"].as_array().unwrap().clone();
    let mut others = all.iter().filter(|one| one["current"] == false);
    let one = others.next().unwrap()["number"].to_string();
    here.sent(&format!("/console/me/sessions/{one}/end"), &[]).await.expect(303);
    here.sent("/console/me/sessions/end", &[]).await.expect(303);
    there.get("/console/me").await.expect(303);
    elsewhere.get("/console/me").await.expect(303);
    let page = here.page("/console/me").await;
    assert!(!page.contains("End all others"), "{page}");
}

#[tokio::test]
async fn a_password_is_changed_and_codes_are_set_up_and_removed() {
    let (server, _) = server(Role::Support).await;
    let mut browser = Browser::new(&server);
    browser.sign_in().await;
    let page = browser.sent("/console/me/password", &[("password", "short")]).await.expect(422);
    let page = page.text();
    assert!(page.contains("id=\"password-why\"") && !page.contains("short\""), "{page}");
    let new = [("password", "another sentence of mine")];
    browser.sent("/console/me/password", &new).await.expect(303);
    let mut old = Browser::new(&server);
    let fields = [("email", EMAIL), ("password", PASSWORD)];
    old.post("/console/sign-in", &fields).await.expect(401);
    // A code that does not fit says so, and the secret stays.
    browser.page("/console/me/codes").await;
    let page = browser.sent("/console/me/codes", &[]).await.expect(200).text();
    let secret = between(&page, "readonly value=\"", "\"").to_owned();
    assert!(page.contains("href=\"otpauth://totp/"), "{page}");
    let wrong = [("secret", secret.as_str()), ("code", "000 000x")];
    let page = browser.sent("/console/me/codes/confirm", &wrong).await.expect(422).text();
    assert!(page.contains(&secret) && page.contains("did not fit"), "{page}");
    let page = browser.page("/console/me").await;
    assert!(page.contains("me/codes\"") && !page.contains("recovery-codes"), "{page}");
    let refused = browser.sent("/console/me/codes/remove", &[("word", "no")]).await.expect(422);
    assert!(refused.text().contains("Remove the codes"));
}
