//! Signing in beside the program: the operator's commands and files.

use std::process::{Command, Output, Stdio};

use patron_store::Location;
use serde_json::{Value, json};

use crate::{imports::Place, program::Running};

const EMAIL: &str = "grace@example.com";
const PASSWORD: &str = "every word of my own";
/// SHA-1 of "a password of my own choice".
const BREACHED: &str = "053E356876B76DB317C2DCBEB10F30600EF14B8E";

/// What a command does that asks for a password.
fn told(mut command: Command, password: &str) -> Output {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    let line = format!("{password}\n");
    // One that refuses to start does not read it.
    let _ = std::io::Write::write_all(&mut child.stdin.take().unwrap(), line.as_bytes());
    child.wait_with_output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Signs in; the headers that a page of the server sends from then on.
async fn signed_in(running: &Running, password: &str) -> Vec<(String, String)> {
    let body = json!({"email": EMAIL, "password": password}).to_string();
    let headers = [("content-type".to_owned(), "application/json".to_owned())];
    let path = "/v1/sign-in/password";
    let client = &running.client;
    let answer = client.send(&running.base_url, "POST", path, &headers, body.as_bytes()).await;
    let answer = answer.expect(200);
    let set = answer.headers.get_all("set-cookie").iter();
    let cookies: Vec<&str> =
        set.map(|set| set.to_str().unwrap().split(';').next().unwrap()).collect();
    let all = [
        ("cookie", cookies.join("; ")),
        ("patron-csrf", answer.json()["csrf"].as_str().unwrap().to_owned()),
        ("sec-fetch-site", "same-origin".to_owned()),
        ("content-type", "application/json".to_owned()),
    ];
    all.map(|(name, value)| (name.to_owned(), value)).to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_breached_password_is_taken_by_nobody() {
    let place = Place::new().await;
    let file = place.write("breached.txt", format!("{BREACHED}:3\r\n").as_bytes());
    let command = |args: &[&str]| {
        let mut command = place.command(args);
        command.env("PATRON__AUTH__BREACHED_PASSWORDS", &file);
        command
    };
    let create = ["user", "create", EMAIL];
    for (password, why) in [
        ("a password of my own choice", "known from a breach"),
        ("12345678dragon12345678", "that many people take"),
    ] {
        let refused = told(command(&create), password);
        assert!(!refused.status.success() && said(&refused).contains(why), "{}", said(&refused));
        assert!(said(&refused).contains("password"), "{}", said(&refused));
    }
    assert_eq!(place.run(&["user", "list", "--json"]).matches(EMAIL).count(), 0);
    let made = told(command(&create), PASSWORD);
    assert!(made.status.success(), "{}", said(&made));
    let number = serde_json::from_slice::<Value>(&made.stdout).unwrap()["number"].to_string();
    let changed = told(command(&["user", "password", &number]), "a password of my own choice");
    assert!(!changed.status.success(), "{}", said(&changed));
    let running = Running::serve_on(&mut command(&["serve"])).await;
    let headers = signed_in(&running, PASSWORD).await;
    let set = async |password: &str| {
        let body = json!({"password": password}).to_string();
        let path = "/v1/me/password";
        running.client.send(&running.base_url, "POST", path, &headers, body.as_bytes()).await
    };
    let refused = set("a password of my own choice").await.expect(422).json();
    assert_eq!(refused["errors"][0]["pointer"], "/password");
    assert!(refused["errors"][0]["detail"].as_str().unwrap().contains("breach"), "{refused}");
    set("another one of my own choice").await.expect(204);
    drop(running);
    // A file that is none is told at the start, by its setting.
    std::fs::write(&file, "password\n123456\n").unwrap();
    for args in [&["serve"][..], &["user", "list"]] {
        let refused = command(args).output().unwrap();
        let said = said(&refused);
        assert!(!refused.status.success() && said.contains("auth.breached_passwords"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_brings_no_session_back() {
    let place = Place::new().await;
    let made = told(place.command(&["user", "create", EMAIL]), PASSWORD);
    assert!(made.status.success(), "{}", said(&made));
    let running = Running::serve_on(&mut place.command(&["serve"])).await;
    let headers = signed_in(&running, PASSWORD).await;
    let me = async |running: &Running| {
        running.client.send(&running.base_url, "GET", "/v1/me", &headers, b"").await
    };
    me(&running).await.expect(200);
    place.run(&["backup", "full.backup"]);
    place.run(&["backup", "more.backup", "--since", "full.backup"]);
    drop(running);
    for files in [&["full.backup"][..], &["full.backup", "more.backup"]] {
        let again = Place::empty().await;
        let mut restore = again.command(&["restore"]);
        restore.args(files.iter().map(|file| place.folder().join(file)));
        let restored = restore.output().unwrap();
        assert!(restored.status.success(), "{}", said(&restored));
        let shown = String::from_utf8_lossy(&restored.stdout).into_owned();
        assert!(shown.contains("Everything agrees."), "{shown}");
        if let (Location::Sqlite(from), Location::Sqlite(to)) = (place.location(), again.location())
        {
            std::fs::copy(from.with_file_name("master.key"), to.with_file_name("master.key"))
                .unwrap();
        }
        let running = Running::serve_on(&mut again.command(&["serve"])).await;
        me(&running).await.expect(401);
        signed_in(&running, PASSWORD).await;
    }
}
