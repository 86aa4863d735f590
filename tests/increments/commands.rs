//! The same by the commands, as an operator has it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use patron_store::Location;
use patron_testkit::engine::TestEngine;

use crate::imports::Place;
use crate::program::{free_address, patron};

fn size(file: &Path) -> u64 {
    std::fs::metadata(file).unwrap().len()
}

/// People enough for a backup of megabytes.
fn crowd(place: &Place, count: usize) {
    let rows: String = (0..count)
        .map(|n| format!("r-{n},Person {n},p{n}@example.com,{}\n", format!("note {n} ").repeat(20)))
        .collect();
    place.write("people.csv", format!("reference,full_name,email,description\n{rows}").as_bytes());
    place.import(&["people.csv"]);
}

/// A new place, and the options that name it.
async fn elsewhere() -> (TestEngine, Vec<String>) {
    let engine = TestEngine::new().await;
    let named = match engine.location() {
        Location::Postgres(url) => vec!["--database".to_owned(), url.clone()],
        Location::Sqlite(file) => {
            vec!["--data".to_owned(), file.parent().unwrap().display().to_string()]
        }
        Location::Memory => panic!("commands need a place"),
    };
    (engine, named)
}

/// A command there.
fn there(to: &[String], args: &[&str]) -> Command {
    let mut command = patron();
    command.args(args).args(to);
    if to[0] == "--database" {
        let key = "K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=";
        command.env("PATRON__SECRETS__MASTER_KEY", key);
    }
    command
}

fn restore(place: &Place, to: &[String], args: &[&str]) -> (bool, String) {
    let mut command = there(to, &[&["restore"], args].concat());
    command.current_dir(place.folder());
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].map(|s| String::from_utf8_lossy(&s).into_owned());
    (output.status.success(), said.concat())
}

/// What is kept of one customer there.
async fn seven(to: &TestEngine) -> String {
    let store = to.open().await;
    let mut bytes = Vec::new();
    store.dump(&mut bytes).await.unwrap();
    store.close().await;
    let dump = String::from_utf8(bytes).unwrap();
    let is_seven = |line: &&str| {
        line.starts_with("{\"record\":{\"kind\":\"customer\"") && line.contains("\"r-7\"")
    };
    dump.lines().find(is_seven).unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_night_and_its_hours_by_command() {
    let place = Place::new().await;
    crowd(&place, 1_500);
    place.run(&["backup", "full.zst"]);
    let change = |text: &str| {
        place.write("change.csv", text.as_bytes());
        place.import(&["change.csv", "--on-conflict", "update"]);
    };
    change("reference,full_name\nr-7,Seven the First\n");
    let said = place.run(&["backup", "1.zst", "--since", "full.zst", "--position", "position"]);
    assert!(said.contains("what changed since full.zst"), "{said}");
    let folder = place.folder().to_owned();
    // It has the outcomes of the import too, which was just now.
    let (whole, tiny) = (size(&folder.join("full.zst")), size(&folder.join("1.zst")));
    assert!(tiny * 3 < whole, "one changed customer: {tiny} of {whole} bytes");
    let moment = patron_app::Clock::System.now().rfc3339_micros();
    change("reference,full_name\nr-7,Seven the Second\n");
    // Through a pipe, by the position alone.
    let piped = place.output(&["backup", "-", "--compress", "zstd", "--since", "position"]);
    assert!(piped.status.success(), "{}", String::from_utf8_lossy(&piped.stderr));
    place.write("2.zst", &piped.stdout);
    let exists = place.fail(&["backup", "1.zst", "--since", "full.zst"]);
    assert!(exists.contains("never overwrites"), "{exists}");
    let none = place.fail(&["backup", "3.zst", "--since", "people.csv"]);
    assert!(none.contains("people.csv is no backup"), "{none}");
    let all = ["full.zst", "1.zst", "2.zst"];
    let (engine, to) = elsewhere().await;
    let (went_well, said) = restore(&place, &to, &all);
    assert!(went_well && said.contains("Everything agrees."), "{said}");
    assert!(seven(&engine).await.contains("Seven the Second"));
    let (engine, to) = elsewhere().await;
    let (went_well, said) = restore(&place, &to, &[&all[..], &["--until", &moment]].concat());
    assert!(went_well && said.contains("Everything agrees."), "{said}");
    assert!(seven(&engine).await.contains("Seven the First"));
    // The entry that changed it first: 1 500 were made, then that.
    let (engine, to) = elsewhere().await;
    let (went_well, said) = restore(&place, &to, &[&all[..], &["--until", "1:1501"]].concat());
    assert!(went_well, "{said}");
    assert!(seven(&engine).await.contains("Seven the First"));
    let (_engine, to) = elsewhere().await;
    for (args, want) in [
        (&["full.zst", "2.zst"][..], "2.zst cannot be restored"),
        (&["1.zst", "full.zst"], "name the full backup first"),
        (&["full.zst", "1.zst", "--until", &moment], "1.zst, the last file, was taken before"),
        (&["full.zst", "--until", "yesterday"], "neither a time"),
        (&["full.zst", "--until", "2026-11-21T10:00:00"], "neither a time"),
        (&["full.zst", "1.zst", "--until", "1:99999"], "none of the increments"),
        (&["full.zst", "1.zst", "--until", "2020-01-01T00:00:00Z"], "earlier full backup"),
    ] {
        let (went_well, said) = restore(&place, &to, args);
        assert!(!went_well && said.contains(want), "{args:?}: {said}");
    }
    let (went_well, said) = restore(&place, &to, &all);
    assert!(went_well, "{said}");
    // What the trail says, for the doctor.
    let trail = place.run(&["audit"]);
    let told = |word: &str| trail.matches(word).count();
    assert_eq!((told("deployment.backed_up"), told("deployment.changes_backed_up")), (1, 2));
    let doctor = String::from_utf8(place.output(&["doctor"]).stdout).unwrap();
    assert!(doctor.contains("of what changed; in full"), "{doctor}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_made_anew_is_made_anew_after_a_restore() {
    let place = Place::new().await;
    place.write("people.csv", b"reference,full_name,phone\nr-1,One,044 603 08 24\n");
    place.import(&["people.csv"]);
    place.run(&["backup", "full.zst"]);
    place.run(&["space", "update", "1", "--default-country", "CH"]);
    place.run(&["reindex"]);
    place.run(&["backup", "1.zst", "--since", "full.zst"]);
    let (engine, to) = elsewhere().await;
    let (went_well, said) = restore(&place, &to, &["full.zst", "1.zst"]);
    assert!(went_well && said.contains("Everything agrees."), "{said}");
    assert!(said.contains("Made 1 customers anew"), "{said}");
    let store = engine.open().await;
    let mut bytes = Vec::new();
    store.dump(&mut bytes).await.unwrap();
    store.close().await;
    assert!(String::from_utf8(bytes).unwrap().contains("+41446030824"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_was_killed_leaves_nothing_that_starts() {
    let place = Place::new().await;
    crowd(&place, 1_500);
    place.run(&["backup", "full"]);
    let file: PathBuf = place.folder().join("full");
    let whole = std::fs::read(&file).unwrap();
    let (_engine, to) = elsewhere().await;
    let mut killed = there(&to, &["restore", "-"]);
    killed.stdin(Stdio::piped());
    let mut killed = killed.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // It has read more of them than any buffer holds, so it is at work.
    killed.stdin.as_mut().unwrap().write_all(&whole[..whole.len() / 2]).unwrap();
    killed.kill().unwrap();
    killed.wait().unwrap();
    let listen = free_address();
    let serve = ["serve", "--listen", &listen];
    for command in [&["check"][..], &serve, &["space", "create", "Other"]] {
        let output = there(&to, command).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains("was not finished"), "{said}");
    }
    let (went_well, said) = restore(&place, &to, &["full"]);
    assert!(went_well && said.contains("Everything agrees."), "{said}");
}
