//! What an operator does beside a server: spaces, keys, backups, a look at everything.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use patron_store::Location;
use serde_json::{Value, json};

use crate::{
    imports::Place,
    pki::{self, Authority},
    program::{Running, patron},
};

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn spaces_are_listed_shown_archived_and_brought_back() {
    let place = Place::new().await;
    let made = parsed(&place.run(&["space", "create", "Branch", "--account", "1", "--json"]));
    let other = parsed(&place.run(&["space", "create", "Another shop", "--json"]));
    let key = made["native"]["api_key"].as_str().unwrap();
    let running = Running::serve_on(&mut place.command(&["serve"])).await;
    running.native(key, "GET", "/v1/customers", None).await.expect(200);
    place.write("people.csv", b"full_name\nAnn\nBen\n");
    place.run(&["import", "people.csv", "--space", "2"]);
    let shown = parsed(&place.run(&["space", "show", "2"]));
    assert_eq!(shown["customers"], 2);
    assert_eq!((&shown["name"], &shown["state"]), (&json!("Branch"), &json!("active")));
    assert_eq!((&shown["account"], &shown["number"]), (&json!(1), &json!(2)));
    // Its keys are refused within half a second, those of others are not.
    let archived = parsed(&place.run(&["space", "archive", "2"]));
    assert_eq!(archived["state"], "inactive");
    assert!(archived["archived_at"].is_string());
    tokio::time::sleep(Duration::from_millis(600)).await;
    running.native(key, "GET", "/v1/customers", None).await.expect(401);
    let other = other["native"]["api_key"].as_str().unwrap();
    running.native(other, "GET", "/v1/customers", None).await.expect(200);
    let lines = |args: &[&str]| -> Vec<Value> { place.run(args).lines().map(parsed).collect() };
    let states: Vec<(Value, Value)> = lines(&["space", "list", "--json"])
        .into_iter()
        .map(|mut space| (space["number"].take(), space["state"].take()))
        .collect();
    let want = [(1, "active"), (2, "inactive"), (3, "active")];
    assert_eq!(states, want.map(|(number, state)| (json!(number), json!(state))));
    let of_account = lines(&["space", "list", "--json", "--account", "1"]);
    assert_eq!(of_account.len(), 2);
    let table = place.run(&["space", "list"]);
    assert!(table.lines().any(|line| line.contains("inactive") && line.ends_with("Branch")));
    // And back, with everything in it.
    let back = parsed(&place.run(&["space", "archive", "2", "--undo"]));
    assert_eq!(back["state"], "active");
    tokio::time::sleep(Duration::from_millis(600)).await;
    running.native(key, "GET", "/v1/customers", None).await.expect(200);
    assert_eq!(parsed(&place.run(&["space", "show", "2"]))["customers"], 2);
    for command in ["show", "archive"] {
        let said = place.fail(&["space", command, "99"]);
        assert!(said.contains("there is no such space"), "{said}");
    }
    for action in ["space.deactivated", "space.activated"] {
        let trail = place.run(&["audit", "--action", action]);
        assert_eq!(trail.lines().count(), 1, "{trail}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_key_may_get_another_end() {
    let place = Place::new().await;
    let made = parsed(&place.run(&["key", "create", "--space", "1", "--expires", "7d"]));
    let number = |key: &Value| key["number"].to_string();
    let end = |key: &Value| parsed(&place.run(&["key", "show", &number(key)]))["expires_at"].take();
    let first = end(&made);
    let same = parsed(&place.run(&["key", "rotate", &number(&made)]));
    assert_eq!(end(&same), first, "as the one before");
    let later = ["key", "rotate", &number(&same), "--expires", "2027-11-01", "--overlap", "0s"];
    let later = parsed(&place.run(&later));
    assert_eq!(end(&later), "2027-11-01T00:00:00Z");
    let never = parsed(&place.run(&["key", "rotate", &number(&later), "--expires", "never"]));
    assert_eq!(end(&never), Value::Null);
    let said = place.fail(&["key", "rotate", &number(&never), "--expires", "2020-01-01"]);
    assert!(said.contains("a moment in the future"), "{said}");
    // Refused, it goes on as it was.
    assert_eq!(parsed(&place.run(&["key", "show", &number(&never)]))["state"], "active");
    // The same over HTTP.
    let keys = parsed(&place.run(&["space", "create", "Two", "--json"]));
    let key = keys["native"]["api_key"].as_str().unwrap();
    let running = Running::serve_on(&mut place.command(&["serve"])).await;
    let made = json!({"dialect": "native", "space": 2, "expires_at": "2027-01-01T00:00:00Z"});
    let made = running.native(key, "POST", "/v1/keys", Some(made)).await.expect(201).json();
    let path = format!("/v1/keys/{}/rotate", made["number"]);
    let wrong = json!({"expires_at": "2020-01-01T00:00:00Z"});
    running.native(key, "POST", &path, Some(wrong)).await.expect(422);
    let body = json!({"expires_at": null});
    let rotated = running.native(key, "POST", &path, Some(body)).await.json();
    assert!(rotated["expires_at"].is_null(), "{rotated}");
}

#[tokio::test(flavor = "multi_thread")]
async fn backups_are_compressed_and_go_through_pipes() {
    let place = Place::new().await;
    let people: String = (0..2_000).map(|n| format!("r-{n},Person {n}\n")).collect();
    place.write("people.csv", format!("reference,full_name\n{people}").as_bytes());
    place.import(&["people.csv"]);
    let mut sizes = BTreeMap::new();
    for name in ["plain.backup", "small.backup.zst", "old.backup.gz"] {
        place.run(&["backup", name]);
        let file = place.folder().join(name);
        sizes.insert(name, std::fs::metadata(&file).unwrap().len());
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
        let data = place.folder().join(format!("{name}.restored"));
        let restored =
            patron().arg("restore").arg(&file).arg("--data").arg(&data).output().unwrap();
        let said = String::from_utf8_lossy(&restored.stdout).into_owned();
        assert!(said.contains("2000 customer\n") && said.contains("Everything agrees."), "{said}");
    }
    assert!(sizes["small.backup.zst"] * 4 < sizes["plain.backup"], "{sizes:?}");
    assert!(sizes["old.backup.gz"] * 4 < sizes["plain.backup"], "{sizes:?}");
    // Programs of the system know these files.
    let gzip = Command::new("gzip").arg("-t").arg(place.folder().join("old.backup.gz")).output();
    assert!(gzip.unwrap().status.success());
    // Through a pipe, from one engine into the other.
    let backup = ["backup", "-", "--compress", "zstd"];
    let mut backup =
        place.command(&backup).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let data = place.folder().join("piped");
    let mut restore = patron();
    restore.args(["restore", "-", "--data"]).arg(&data).stdin(backup.stdout.take().unwrap());
    let restored = restore.output().unwrap();
    let said = String::from_utf8_lossy(&restored.stdout).into_owned();
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    assert!(said.contains("2000 customer\n") && said.contains("Everything agrees."), "{said}");
    let told = backup.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(told.contains("2000 customer\n") && told.contains("master.key"), "{told}");
    // Half of a backup is none.
    let whole = std::fs::read(place.folder().join("small.backup.zst")).unwrap();
    let half = place.write("half.zst", &whole[..whole.len() / 2]);
    let data = place.folder().join("half");
    let refused = patron().arg("restore").arg(&half).arg("--data").arg(&data).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("nothing was restored"), "{said}");
}

/// What the doctor says: exit code, and state and words of each finding.
fn doctor(place: &Place, args: &[&str]) -> (i32, BTreeMap<String, (String, String)>) {
    let output = place.output(&[&["doctor", "--json"], args].concat());
    let said = parsed(&String::from_utf8_lossy(&output.stdout));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut findings = BTreeMap::new();
    for finding in said["findings"].as_array().unwrap() {
        let words = format!("{} -> {}", text(&finding["says"]), text(&finding["advice"]));
        assert_eq!(finding["state"] == "good", finding["advice"].is_null(), "{finding}");
        findings.insert(text(&finding["about"]), (text(&finding["state"]), words));
    }
    (output.status.code().unwrap(), findings)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_says_what_to_do() {
    let place = Place::new().await;
    let (code, found) = doctor(&place, &[]);
    assert_eq!(found["last backup"].0, "soon", "{found:?}");
    assert_eq!(code, 3, "{found:?}");
    let others = || found.iter().filter(|(about, _)| *about != "last backup" && *about != "disk");
    assert!(others().all(|(_, (state, _))| state == "good"), "{found:?}");
    place.run(&["backup", "all.backup"]);
    let (_, found) = doctor(&place, &[]);
    assert_eq!(found["last backup"].0, "good", "{found:?}");
    let words = String::from_utf8(place.output(&["doctor"]).stdout).unwrap();
    assert!(words.contains("good   last backup"), "{words}");
    // A certificate that is over, and one that others reach without.
    let authority = Authority::new();
    for (signed, want) in [
        (authority.sign_expired(&["localhost"]), "renew it now"),
        (authority.sign(&["localhost"]), "the certificate ends 4096-"),
    ] {
        let certificate = pki::write(place.folder(), "tls.pem", &signed.certificate);
        let key = pki::write(place.folder(), "tls.key", &signed.key);
        let (certificate, key) = (certificate.display(), key.display());
        let file = format!("[tls]\ncertificate = \"{certificate}\"\nkey = \"{key}\"\n");
        place.write("tls.toml", file.as_bytes());
        let (code, found) = doctor(&place, &["--config", "tls.toml"]);
        assert!(found["tls"].1.contains(want), "{found:?}");
        assert_eq!(code == 1, want == "renew it now", "{found:?}");
    }
    place.write("open.toml", b"listen = \"0.0.0.0:8080\"\n");
    let (code, found) = doctor(&place, &["--config", "open.toml"]);
    assert_eq!((code, found["tls"].0.as_str()), (3, "soon"), "{found:?}");
    place.write("wrong.toml", b"listens = \"0.0.0.0:8080\"\n");
    let (code, found) = doctor(&place, &["--config", "wrong.toml"]);
    assert_eq!((code, found["settings"].0.as_str()), (1, "wrong"), "{found:?}");
    assert!(found["settings"].1.contains("listens"), "{found:?}");
    let Location::Sqlite(file) = place.location() else { return };
    // What only a folder has.
    let mode =
        |mode| std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o644);
    let (code, found) = doctor(&place, &[]);
    assert_eq!(code, 1);
    assert!(found["folder"].1.contains(&format!("chmod 600 {}", file.display())), "{found:?}");
    mode(0o600);
    let kept = file.parent().unwrap().join("master.key");
    let away = file.parent().unwrap().join("away");
    std::fs::rename(&kept, &away).unwrap();
    let (code, found) = doctor(&place, &[]);
    assert_eq!((code, found["master key"].0.as_str()), (1, "wrong"), "{found:?}");
    assert!(!kept.exists(), "it makes nothing");
    let other = Place::new().await;
    let Location::Sqlite(theirs) = other.location() else { return };
    std::fs::copy(theirs.parent().unwrap().join("master.key"), &kept).unwrap();
    let (code, found) = doctor(&place, &[]);
    assert_eq!(code, 1);
    assert!(found["master key"].1.contains("is not the one"), "{found:?}");
    std::fs::rename(&away, &kept).unwrap();
    let (_, found) = doctor(&place, &[]);
    assert_eq!(found["master key"].0, "good", "{found:?}");
    let nowhere = patron().args(["doctor", "--data", "/nonexistent/data"]).output().unwrap();
    assert_eq!(nowhere.status.code(), Some(1));
}

#[test]
fn shells_and_manuals_know_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        let output = patron().args(args).current_dir(folder.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let help = run(&["--help"]);
    let commands = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let commands: Vec<&str> = commands
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|command| *command != "help")
        .collect();
    assert!(commands.len() >= 15, "{commands:?}");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(&["completions", shell]);
        for command in &commands {
            assert!(script.contains(command), "{shell}: {command}");
        }
        assert!(script.contains("on-conflict"), "{shell}");
    }
    // The one for bash is a script that completes.
    std::fs::write(folder.path().join("patron.bash"), run(&["completions", "bash"])).unwrap();
    let complete = "source ./patron.bash; COMP_WORDS=(patron space sh); COMP_CWORD=2; \
                    _patron patron sh space; echo ${COMPREPLY[@]}";
    let bash = Command::new("bash").args(["-c", complete]).current_dir(folder.path()).output();
    assert_eq!(String::from_utf8(bash.unwrap().stdout).unwrap().trim(), "show");
    assert!(run(&["manual"]).contains("one record") || run(&["manual"]).contains("patron"));
    run(&["manual", "man"]);
    for command in &commands {
        let page = folder.path().join(format!("man/patron-{command}.1"));
        let page = std::fs::read_to_string(&page).unwrap_or_else(|_| panic!("{command}"));
        assert!(page.contains(".TH") && page.contains(".SH SYNOPSIS"), "{command}");
    }
    let page = std::fs::read_to_string(folder.path().join("man/patron-key-rotate.1")).unwrap();
    assert!(page.contains("expires"), "{page}");
}
