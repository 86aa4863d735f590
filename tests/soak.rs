//! The soak command itself, for a few seconds: every answer of its mix is the expected one.

use crate::program::{patron, succeed};

#[test]
fn a_short_soak_gets_the_expected_answers_only() {
    let folder = tempfile::tempdir().unwrap();
    let mut soak = patron();
    soak.args(["soak", "--seconds", "4", "--rate", "60", "--customers", "50", "--callers", "4"]);
    let said = succeed(soak.arg("--data").arg(folder.path().join("data")));
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
