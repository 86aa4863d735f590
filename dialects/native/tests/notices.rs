//! What persons are mailed beside what they asked for: a way in where others guess, unknown
//! browsers, roles, ends of keys.

use patron_gateway::limits::Limits;
use patron_model::Timestamp;
use serde_json::json;

use crate::{
    links::{Place, START},
    sign_in::{Browser, PASSWORD},
};

const EMAIL: &str = "ada@example.com";

#[tokio::test]
async fn whoever_is_guessed_at_gets_a_further_browser_in() {
    const APPROVE: &str = "/v1/sign-in/approve";
    let limits = Limits { client_address_header: "x-from".to_owned(), ..Limits::default() };
    let place = Place::start_with(limits).await;
    let server = &place.native.server;
    place.native.person(EMAIL, None).await;
    // Each from a network of its own.
    let refused = async |n: u32, email: &str, password: &str| {
        let from = format!("192.0.2.{n}");
        let body = json!({"email": email, "password": password});
        let headers = [("x-from", from.as_str())];
        let path = "/v1/sign-in/password";
        let mut stranger = Browser::default();
        stranger.call(server, "POST", path, &headers, Some(body)).await.expect(401);
    };
    for n in 0..30 {
        refused(n, EMAIL, "wrong password, as it is").await;
    }
    assert!(place.mails("approval").await.is_empty(), "they were looked at");
    // Beyond that one link is mailed while it is good, however often it is tried.
    refused(30, EMAIL, "wrong password, as it is").await;
    let token = place.token("approval", 1).await;
    place.clock.advance_seconds(900);
    refused(31, EMAIL, "wrong password, as it is").await;
    let mut fresh = Browser::default();
    fresh.sign_in(server, EMAIL, PASSWORD).await.expect(401);
    place.post(&mut fresh, APPROVE, json!({"token": "x"})).await.expect(422);
    let other = json!({"token": token, "password": "another one that is long enough"});
    place.post(&mut fresh, "/v1/password/reset", other).await.expect(422);
    place.post(&mut fresh, APPROVE, json!({"token": token})).await.expect(204);
    // The browser that opened it signs in by the password, no other does, and it is good once.
    assert!(fresh.cookies.iter().any(|(name, _)| name == "patron-device"));
    refused(32, EMAIL, PASSWORD).await;
    place.post(&mut Browser::default(), APPROVE, json!({"token": token})).await.expect(422);
    fresh.sign_in(server, EMAIL, PASSWORD).await.expect(200);
    assert_eq!(place.mails("new_browser").await.len(), 0, "it was known");
    // Nothing is mailed to nobody.
    let before = place.mails("approval").await.len();
    for n in 40..72 {
        refused(n, "nobody@example.com", PASSWORD).await;
    }
    assert_eq!(place.mails("approval").await.len(), before);
    for (action, count) in [("sign_in.approval_asked", 1..=2), ("sign_in.approved", 1..=1)] {
        let told = place.native.audited(action).await.len();
        assert!(count.contains(&told), "{action}: {told}");
    }
}

#[tokio::test]
async fn persons_are_told_of_unknown_browsers_and_of_their_roles() {
    let place = Place::start().await;
    let server = &place.native.server;
    let ada = place.native.person(EMAIL, None).await;
    let mut browser = Browser::default();
    browser.sign_in(server, EMAIL, PASSWORD).await.expect(200);
    assert_eq!(place.mails("new_browser").await.len(), 1);
    browser.signed_out().sign_in(server, EMAIL, PASSWORD).await.expect(200);
    assert_eq!(place.mails("new_browser").await.len(), 1, "this one is known");
    // A role that is given and taken.
    let path = format!("/v1/users/{}/assignments", ada["number"]);
    let desk = Some(json!({"role": 3, "space": 1}));
    let held = place.native.call("POST", &path, desk.clone()).await.expect(201).json();
    let given = place.mails("role_changed").await;
    assert_eq!((given.len(), &given[0]["to"]), (1, &json!(EMAIL)));
    let text = given[0]["text"].as_str().unwrap();
    assert!(text.contains("from now on") && text.contains("support"), "{text}");
    let one = format!("{path}/{}", held["number"]);
    place.native.call("DELETE", &one, None).await.expect(204);
    let taken = place.mails("role_changed").await;
    assert!(taken[0]["text"].as_str().unwrap().contains("no more"), "{taken:?}");
    // However often it is done, so much is told an hour.
    for _ in 0..10 {
        let held = place.native.call("POST", &path, desk.clone()).await.expect(201).json();
        let one = format!("{path}/{}", held["number"]);
        place.native.call("DELETE", &one, None).await.expect(204);
    }
    let both = place.mails("role_changed").await.len() + place.mails("new_browser").await.len();
    assert_eq!(both, 10);
    place.clock.advance_seconds(3_600);
    place.native.call("POST", &path, desk).await.expect(201);
    assert_eq!(place.mails("role_changed").await.len(), 10);
}

#[tokio::test]
async fn those_who_may_change_a_key_are_told_that_it_ends() {
    let place = Place::start().await;
    let app = &place.native.server.app;
    place.native.person(EMAIL, Some(json!({"role": 4, "space": 1}))).await;
    place.native.person("ben@example.com", Some(json!({"role": 3, "space": 1}))).await;
    let day = 24 * 3_600;
    let end = Timestamp::from_micros((START + 20 * day) * 1_000_000).rfc3339_seconds();
    let body = json!({"dialect": "native", "name": "Shop", "space": 1, "expires_at": end});
    let key = place.native.call("POST", "/v1/keys", Some(body)).await.expect(201).json();
    let mails = async |expected: usize| {
        patron_app::keys::tell_of_ends(app).await.unwrap();
        patron_app::keys::tell_of_ends(app).await.unwrap();
        let mails = place.mails("key_ends").await;
        assert_eq!(mails.len(), expected, "{mails:?}");
        mails
    };
    place.clock.advance_seconds(5 * day);
    mails(0).await;
    place.clock.advance_seconds(day + 1);
    let told = mails(1).await;
    assert_eq!(told[0]["to"], EMAIL);
    let text = told[0]["text"].as_str().unwrap();
    assert!(text.contains(&format!("Key {} ends on", key["number"])), "{text}");
    place.clock.advance_seconds(5 * day);
    mails(1).await;
    place.clock.advance_seconds(7 * day);
    mails(2).await;
    // Another end is told anew; nothing of one that is over or was replaced.
    let path = format!("/v1/keys/{}", key["number"]);
    let later = Timestamp::from_micros((START + 40 * day) * 1_000_000).rfc3339_seconds();
    let later = Some(json!({"expires_at": later}));
    place.native.call("PATCH", &path, later).await.expect(200);
    mails(2).await;
    place.clock.advance_seconds(19 * day);
    mails(3).await;
    place.clock.advance_seconds(10 * day);
    mails(3).await;
    assert_eq!(place.native.audited("key.expiring").await.len(), 3);
}
