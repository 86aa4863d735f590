//! Mails are sent: each once where all goes well, none lost where it does not, and no longer than
//! they are of use.

mod program;
mod receiver;
mod sdk;

use std::time::Duration;

use patron_app::{Clock, mails, webhooks};
use patron_gateway::limits::Limits;
use patron_mails::{NewSmtp, Safety, Smtp, round};
use patron_model::{Timestamp, webhook::EndpointReason};
use patron_native::DIALECT;
use patron_testkit::TestServer;
use serde_json::json;

use self::receiver::{Answers, Receiver};

const START: i64 = 1_767_323_045_000_000;

/// What mails are handed over by to this machine.
fn smtp(port: u16) -> Smtp {
    let from = "Päträn <no-reply@example.com>".to_owned();
    let (host, timeout) = ("127.0.0.1".to_owned(), Duration::from_secs(20));
    let (safety, credentials, ca) = (Safety::Plain, None, None);
    Smtp::new(NewSmtp { host, port, safety, credentials, from, ca, timeout }).unwrap()
}

/// A server whose clock stands still, and one for mails.
struct Place {
    server: TestServer,
    clock: Clock,
    receiver: Receiver,
    smtp: Smtp,
}

impl Place {
    async fn new() -> Place {
        Place::by(Clock::fixed(Timestamp::from_micros(START))).await
    }

    async fn by(clock: Clock) -> Place {
        let server = TestServer::start_with(&[&DIALECT], clock.clone(), Limits::default()).await;
        let receiver = Receiver::start().await;
        let smtp = smtp(receiver.port);
        Place { server, clock, receiver, smtp }
    }

    async fn invite(&self, email: &str) {
        let body = json!({"kind": "human", "email": email});
        let keys = self.server.credentials("native");
        self.server.call(&DIALECT, &keys, "POST", "/v1/users", Some(body)).await.expect(201);
    }

    async fn round(&self) -> usize {
        round(&self.server.app, &self.smtp).await.unwrap()
    }

    async fn given_up(&self) -> usize {
        self.server.app.finish_audit().await;
        let keys = self.server.credentials("native");
        let path = "/v1/audit-log?action=mail.given_up";
        let told = self.server.call(&DIALECT, &keys, "GET", path, None).await.expect(200).json();
        told["data"].as_array().unwrap().len()
    }
}

#[tokio::test]
async fn a_mail_is_sent_once_as_it_is_written() {
    let place = Place::new().await;
    place.invite("Ada@example.com").await;
    assert_eq!((place.round().await, place.round().await), (1, 0));
    let got = place.receiver.got();
    let [mail] = &got[..] else { panic!("{got:?}") };
    let (head, body) = mail.split_once("\n\n").unwrap();
    for line in [
        "To: Ada@example.com",
        "Subject: You are invited to Patron",
        "Auto-Submitted: auto-generated",
        "Content-Type: text/plain; charset=utf-8",
        "Date: Fri, 02 Jan 2026 03:04:05 +0000",
    ] {
        assert!(head.lines().any(|known| known == line), "{line} in {head}");
    }
    assert!(head.contains("From: =?utf-8?") && head.contains("<no-reply@example.com>"), "{head}");
    assert!(head.contains("Message-ID: <") && head.contains("@example.com>"), "{head}");
    assert!(body.contains("/console/invite#"), "{body}");
}

#[tokio::test]
async fn names_that_others_chose_reach_no_header() {
    let place = Place::new().await;
    let keys = place.server.credentials("native");
    let name = "Shop ö Bcc: evil@example.com";
    let body = Some(json!({"name": name}));
    place.server.call(&DIALECT, &keys, "PATCH", "/v1/accounts/1", body).await.expect(200);
    place.invite("\"a b\"@example.com").await;
    place.invite("j\u{f6}rg@m\u{fc}ller.example").await;
    place.invite("ada@example.com").await;
    place.round().await;
    let got = place.receiver.got();
    assert!(got.iter().any(|mail| mail.contains("To: ada@example.com\n")), "{got:?}");
    for mail in got {
        let (head, _) = mail.split_once("\n\n").unwrap();
        assert!(!head.contains("evil") && !head.contains("Bcc"), "{head}");
        assert_eq!(head.lines().filter(|line| line.starts_with("To:")).count(), 1, "{head}");
    }
}

#[tokio::test]
async fn what_fails_is_tried_again_with_longer_pauses_and_given_up() {
    let place = Place::new().await;
    for answers in [Answers::Later, Answers::HangsUp, Answers::NotLetIn] {
        place.receiver.answers(answers);
        place.invite(&format!("{answers:?}@example.com")).await;
        let before = place.given_up().await;
        for pause in [60, 300, 1_800, 7_200] {
            assert_eq!(place.round().await, 1, "{answers:?}");
            place.clock.advance_seconds(pause - 1);
            assert_eq!(place.round().await, 0, "{answers:?}: not before {pause} s");
            place.clock.advance_seconds(1);
        }
        assert_eq!((place.round().await, place.given_up().await), (1, before + 1));
        place.clock.advance_seconds(7 * 24 * 3_600);
        assert_eq!(place.round().await, 0, "{answers:?}");
    }
    // Nobody will ever take it: it is not tried again.
    place.receiver.answers(Answers::Never);
    place.invite("ada@example.com").await;
    assert_eq!((place.round().await, place.given_up().await), (1, 4));
    assert!(place.receiver.got().is_empty());
    // One that was late is taken all the same.
    place.receiver.answers(Answers::Later);
    place.invite("late@example.com").await;
    place.round().await;
    place.receiver.answers(Answers::Takes);
    place.clock.advance_seconds(60);
    place.round().await;
    assert_eq!(place.receiver.got().len(), 1);
}

#[tokio::test]
async fn a_server_for_mails_that_is_away_is_waited_for() {
    let place = Place::new().await;
    place.invite("ada@example.com").await;
    let gone = smtp(patron_testkit::ports::free_address().port());
    assert_eq!(round(&place.server.app, &gone).await.unwrap(), 1);
    assert_eq!(place.round().await, 0);
    place.clock.advance_seconds(60);
    assert_eq!(place.round().await, 1);
    assert_eq!(place.receiver.got().len(), 1);
}

#[tokio::test]
async fn a_mail_is_one_nodes_and_the_next_ones_when_that_is_lost() {
    let place = Place::new().await;
    place.invite("ada@example.com").await;
    let due = mails::due(&place.server.app, 10).await.unwrap();
    let taken = mails::take(&place.server.app, &due[0]).await.unwrap().unwrap();
    // Another node saw it too.
    assert!(mails::take(&place.server.app, &due[0]).await.unwrap().is_none());
    assert_eq!(place.round().await, 0);
    // The one that took it says nothing more: after a while it is anybody's again.
    place.clock.advance_seconds(mails::TAKEN_SECONDS);
    assert_eq!(place.round().await, 1);
    assert_eq!(place.receiver.got().len(), 1);
    // Who lost it writes nothing any more.
    place.invite("bob@example.com").await;
    mails::failed(&place.server.app, &taken.mail, false).await.unwrap();
    mails::sent(&place.server.app, &taken.mail).await.unwrap();
    assert_eq!((place.round().await, place.receiver.got().len()), (1, 2));
}

#[tokio::test]
async fn nodes_side_by_side_send_each_mail_once() {
    let place = Place::by(Clock::System).await;
    for n in 0..40 {
        place.invite(&format!("person{n}@example.com")).await;
    }
    let beside = place.server.beside(Limits::default()).await;
    while place.receiver.got().len() < 40 {
        let other = async { round(&beside.app, &place.smtp).await.unwrap() };
        let (one, other) = tokio::join!(place.round(), other);
        assert!(one + other > 0, "{} came", place.receiver.got().len());
    }
    assert_eq!(place.receiver.seen(), 40);
    let mut to: Vec<String> = place.receiver.got().iter().map(|mail| to(mail)).collect();
    to.sort();
    to.dedup();
    assert_eq!(to.len(), 40);
}

#[tokio::test]
async fn whoever_can_mend_an_endpoint_is_told_that_it_was_stopped() {
    let place = Place::new().await;
    let keys = place.server.credentials("native");
    let call = async |path: &str, body: serde_json::Value| {
        place.server.call(&DIALECT, &keys, "POST", path, Some(body)).await.expect(201).json()
    };
    for (email, role) in [
        ("owner@example.com", json!({"role": 1, "account": 1})),
        ("developer@example.com", json!({"role": 4, "space": 1})),
        ("reader@example.com", json!({"role": 5, "space": 1})),
    ] {
        let person = call("/v1/users", json!({"kind": "human", "email": email})).await;
        let path = format!("/v1/users/{}", person["number"]);
        let active = Some(json!({"state": "active"}));
        place.server.call(&DIALECT, &keys, "PATCH", &path, active).await.expect(200);
        call(&format!("{path}/assignments"), role).await;
    }
    let url = "https://hooks.example.com/a-secret";
    let body = json!({"url": url, "types": ["customer.*"]});
    let mut stop = Vec::new();
    for reason in [EndpointReason::Gone, EndpointReason::Failing, EndpointReason::Restored] {
        let made = call("/v1/webhook-endpoints", body.clone()).await;
        stop.push((made["number"].as_i64().unwrap(), reason));
    }
    let cx = place.server.app.operator(1, "test");
    for (number, reason) in stop {
        for _ in 0..2 {
            webhooks::pause(&cx, number, reason).await.unwrap();
        }
    }
    while place.round().await > 0 {}
    let got = place.receiver.got();
    let told: Vec<&String> = got.iter().filter(|mail| mail.contains("Webhook endpoint")).collect();
    let mut to: Vec<String> = told.iter().map(|mail| to(mail)).collect();
    to.sort();
    let [developer, owner] = ["To: developer@example.com", "To: owner@example.com"];
    assert_eq!(to, [developer, developer, owner, owner]);
    assert!(
        told.iter().all(|mail| mail.contains("hooks.example.com") && !mail.contains("a-secret"))
    );
    assert!(told.iter().any(|mail| mail.contains("make it anew")), "one said that it is gone");
}

fn to(mail: &str) -> String {
    mail.lines().find(|line| line.starts_with("To: ")).unwrap().to_owned()
}
