//! Mails of the program as its users start it.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::receiver::{Answers, Receiver};
use crate::program::{KEY, Running, patron, succeed};

/// As often as it is looked for a mail, a tenth of a second apart.
const LOOKS: usize = 300;

fn new(folder: &Path) -> String {
    let made = succeed(patron().args(["space", "create", "Shop", "--json", "--data"]).arg(folder));
    let made: Value = serde_json::from_str(&made).unwrap();
    made["native"]["api_key"].as_str().unwrap().to_owned()
}

fn sending(folder: &Path, port: u16) -> Command {
    let mut command = patron();
    command.args(["serve", "--data"]).arg(folder);
    command.env("PATRON__MAIL__TRANSPORT", "smtp");
    command.env("PATRON__MAIL__URL", format!("smtp://127.0.0.1:{port}"));
    command.env("PATRON__MAIL__FROM", "no-reply@example.com");
    command
}

async fn until(receiver: &Receiver, count: usize) -> Vec<String> {
    for _ in 0..LOOKS {
        let got = receiver.got();
        if got.len() >= count {
            return got;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{count} mails, not {:?}", receiver.got());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_between_commit_and_sending_loses_no_mail() {
    let folder = tempfile::tempdir().unwrap();
    let key = new(folder.path());
    let receiver = Receiver::start().await;
    let mut command = patron();
    command.env("PATRON__MAIL__TRANSPORT", "tray").args(["serve", "--data"]);
    // This one commits mails and sends none, so the kill comes between.
    let running = Running::serve_on(command.arg(folder.path())).await;
    for n in 0..3 {
        let body = json!({"kind": "human", "email": format!("person{n}@example.com")});
        running.native(&key, "POST", "/v1/users", Some(body)).await.expect(201);
    }
    succeed(Command::new("kill").args(["-9", &running.child.id().to_string()]));
    drop(running);
    let running = Running::serve_on(&mut sending(folder.path(), receiver.port)).await;
    let got = until(&receiver, 3).await;
    assert_eq!(got.len(), 3, "{got:?}");
    // Neither who it went to nor what it said is in the log.
    running.log.until("was sent");
    let log = running.log.text();
    assert!(!log.contains("person0@") && !log.contains("/console/"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_mails_whoever_invites_hands_the_link_over() {
    let folder = tempfile::tempdir().unwrap();
    let key = new(folder.path());
    let invite = |email: &str| {
        let mut command = patron();
        command.args(["user", "invite", email, "--owner", "--data"]).arg(folder.path());
        let said: Value = serde_json::from_str(&succeed(&mut command)).unwrap();
        said
    };
    let said = invite("grace@example.com");
    assert_eq!((&said["state"], &said["email"]), (&json!("invited"), &json!("grace@example.com")));
    assert_eq!(invite("grace@example.com")["invitation_url"], said["invitation_url"]);
    let owner = ["key", "create", "--space", "1", "--account-wide", "--role", "owner", "--data"];
    let owner = succeed(patron().args(owner).arg(folder.path()));
    let owner: Value = serde_json::from_str(&owner).unwrap();
    let running = Running::serve_on(patron().args(["serve", "--data"]).arg(folder.path())).await;
    let body = json!({"kind": "human", "email": "ada@example.com"});
    let made = running.native(&key, "POST", "/v1/users", Some(body)).await.expect(201).json();
    for url in [&said["invitation_url"], &made["invitation_url"]] {
        let (page, token) = url.as_str().unwrap().split_once('#').unwrap();
        let path = page.split_once("/console/").unwrap().1;
        let page = running.get(&format!("/console/{path}")).await.expect(200);
        assert!(page.text().contains("data-token-from-link"));
        assert!(page.header("content-security-policy").contains("script-src 'self'"));
        let body = json!({"token": token, "password": "correct horse battery staple"});
        let accept = "/v1/invitations/accept";
        running.native("", "POST", accept, Some(body)).await.expect(204);
    }
    // Nothing is mailed, and nobody is told.
    let body = json!({"email": "ada@example.com"});
    running.native("", "POST", "/v1/password/forgot", Some(body)).await.expect(202);
    let reset = format!("/v1/users/{}/reset", made["number"]);
    running.native(&key, "POST", &reset, None).await.expect(409);
    running.native(&key, "GET", "/v1/sandbox/mails", None).await.expect(403);
    let owner = owner["native"]["api_key"].as_str().unwrap();
    running.native(owner, "GET", "/v1/sandbox/mails", None).await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_copy_sends_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (data, copy) = (folder.path().join("data"), folder.path().join("copy"));
    let file = folder.path().join("patron.backup");
    succeed(patron().args(["space", "create", "Shop", "--json", "--data"]).arg(&data));
    let mut invite = patron();
    invite.args(["user", "invite", "ada@example.com", "--data"]).arg(&data);
    invite.env("PATRON__MAIL__TRANSPORT", "tray");
    let said: Value = serde_json::from_str(&succeed(&mut invite)).unwrap();
    assert_eq!(said["invitation_url"], Value::Null, "it is in the mail");
    succeed(patron().arg("backup").arg(&file).arg("--data").arg(&data));
    let said = succeed(patron().arg("restore").arg(&file).arg("--data").arg(&copy));
    assert!(said.contains("Removed 1 mails that waited to be sent."), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_becomes_of_mails_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let key = new(folder.path());
    let receiver = Receiver::start().await;
    let running = Running::serve_on(&mut sending(folder.path(), receiver.port)).await;
    let figure = async |name: &str| {
        let page = running.get_as_operator("/metrics").await.expect(200).text();
        let line = page.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("{name}: {page}")).trim().parse::<f64>().unwrap()
    };
    let until = async |name: &str, wanted: f64| {
        for _ in 0..LOOKS {
            if figure(name).await == wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{name} is {}, not {wanted}", figure(name).await);
    };
    let [sent, failed, given_up] = ["sent", "failed", "given_up"]
        .map(|outcome| format!("patron_mails_total{{outcome=\"{outcome}\"}}"));
    let invite = async |email: &str| {
        let body = json!({"kind": "human", "email": email});
        running.native(&key, "POST", "/v1/users", Some(body)).await.expect(201);
    };
    until(&given_up, 0.0).await;
    invite("ada@example.com").await;
    until(&sent, 1.0).await;
    until("patron_mails_waiting", 0.0).await;
    receiver.answers(Answers::Later);
    invite("ben@example.com").await;
    until(&failed, 1.0).await;
    until("patron_mails_waiting", 1.0).await;
    assert!(figure("patron_mails_oldest_seconds").await > 0.0);
    receiver.answers(Answers::Never);
    invite("cleo@example.com").await;
    until(&given_up, 1.0).await;
    until("patron_mails_waiting", 1.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_knocks_at_the_server_for_mails() {
    let folder = tempfile::tempdir().unwrap();
    new(folder.path());
    let receiver = Receiver::start().await;
    let doctor = |transport: &str, port: u16| {
        let mut command = patron();
        command.args(["doctor", "--json", "--data"]).arg(folder.path());
        command.env("PATRON__MAIL__TRANSPORT", transport);
        command.env("PATRON__MAIL__URL", format!("smtp://127.0.0.1:{port}"));
        command.env("PATRON__MAIL__FROM", "no-reply@example.com");
        let said: Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
        let found = said["findings"].as_array().unwrap().iter();
        let about = found.clone().find(|one| one["about"] == "mail");
        about.unwrap_or_else(|| panic!("{said}")).clone()
    };
    let found = doctor("smtp", receiver.port);
    assert_eq!(found["state"], "good", "{found}");
    assert_eq!(receiver.seen(), 0, "nothing is sent");
    let found = doctor("smtp", patron_testkit::ports::free_address().port());
    assert_eq!(found["state"], "wrong");
    assert!(found["says"].as_str().unwrap().ends_with(": connect"), "{found}");
    assert_eq!(doctor("none", 1)["state"], "good");
    assert_eq!(doctor("tray", 1)["state"], "soon");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sandbox_has_a_tray() {
    let folder = tempfile::tempdir().unwrap();
    let (running, _) = Running::sandbox(folder.path());
    let body = json!({"kind": "human", "email": "ada@example.com"});
    running.native(KEY, "POST", "/v1/users", Some(body)).await.expect(201);
    let tray = running.native(KEY, "GET", "/v1/sandbox/mails", None).await.expect(200).json();
    let mail = &tray["data"][0];
    assert_eq!((&mail["to"], &mail["about"]), (&json!("ada@example.com"), &json!("invitation")));
    let page = mail["link"].as_str().unwrap().split_once('#').unwrap().0;
    let path = page.strip_prefix(&running.base_url).unwrap();
    running.get(path).await.expect(200);
}

#[test]
fn settings_that_cannot_be_are_refused_in_one_line() {
    let said = |name: &str, value: &str| {
        let mut command = patron();
        command.args(["config", "check"]).env("PATRON__MAIL__TRANSPORT", "smtp");
        command.env("PATRON__MAIL__URL", "smtp://mail.example.com");
        command.env("PATRON__MAIL__FROM", "no-reply@example.com").env(name, value);
        let output = command.stdout(Stdio::null()).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert!(said("PATRON__MAIL__TIMEOUT_SECONDS", "10").0);
    for (name, value) in [
        ("PATRON__MAIL__URL", "mail.example.com"),
        ("PATRON__MAIL__FROM", "nobody"),
        ("PATRON__MAIL__USER", "alone"),
        ("PATRON__MAIL__TRANSPORT", "pigeon"),
    ] {
        let (is_fine, said) = said(name, value);
        assert!(!is_fine && said.lines().count() == 1, "{name}: {said}");
    }
}
