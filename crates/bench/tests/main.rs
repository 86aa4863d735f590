//! The measuring program itself, against the program beside it: `cargo test --workspace` builds
//! both.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail loudly")]

use std::process::Command;

#[test]
fn a_short_soak_gets_the_expected_answers_only() {
    let folder = tempfile::tempdir().unwrap();
    let mut soak = Command::new(env!("CARGO_BIN_EXE_patron-bench"));
    soak.args(["soak", "--seconds", "4", "--rate", "60", "--customers", "50", "--callers", "4"]);
    let done = soak.arg("--data").arg(folder.path().join("data")).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}\n{}", String::from_utf8_lossy(&done.stderr));
    for line in [
        "memory of its own:",
        "WAL:",
        "open files:",
        "data file:",
        "latency:",
        "none missing",
        "unexpected answers: 0",
        "Everything agrees.",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    for kind in ["get", "list", "search", "create", "change", "refused", "feed"] {
        assert!(said.contains(&format!("| {kind} |")), "{kind}: {said}");
    }
}

/// A second each: the figures say nothing, but every part has run.
#[test]
fn rates_and_sizes_are_measured() {
    let folder = tempfile::tempdir().unwrap();
    for (what, args, wanted) in [
        ("rates", "--customers 200 --only Notch", "| GET by id, Notch Pay |"),
        ("rates", "--customers 200 --only durable", "| PATCH with If-Match, durable"),
        ("sizes", "--small 200 --large 200", "| list of 50 | 200 |"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_patron-bench"));
        command.arg(what).args(args.split(' ')).args(["--rounds", "1", "--seconds", "1"]);
        let done = command.arg("--data").arg(folder.path().join(what)).output().unwrap();
        let said = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success(), "{said}\n{}", String::from_utf8_lossy(&done.stderr));
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
}

/// Some seconds with a kill: receivers that fail, hang and lie get everything all the same.
#[test]
fn a_short_soak_of_webhooks_loses_and_forges_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut soak = Command::new(env!("CARGO_BIN_EXE_patron-bench"));
    soak.args(["webhooks", "soak", "--seconds", "6", "--rate", "20", "--endpoints", "8"]);
    soak.args(["--kill-every", "3", "--drain-seconds", "120"]);
    let done = soak.arg("--data").arg(folder.path().join("data")).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}\n{}", String::from_utf8_lossy(&done.stderr));
    assert!(said.contains("| lost | 0 |") && said.contains("Nothing was lost, forged"), "{said}");
}

/// The same change to all of them, as soon as can be.
#[test]
fn how_soon_webhooks_come_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let mut rate = Command::new(env!("CARGO_BIN_EXE_patron-bench"));
    rate.args(["webhooks", "rate", "--spaces", "1", "--endpoints", "20", "--changes", "20"]);
    let done = rate.arg("--data").arg(folder.path().join("data")).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}\n{}", String::from_utf8_lossy(&done.stderr));
    assert!(said.contains("| deliveries | 400 |") && said.contains("| 0, 0 |"), "{said}");
}
