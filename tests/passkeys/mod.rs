//! Passkeys by a browser that is not ours: Chromium, with the authenticator that it emulates, makes
//! one and signs in by it against the program as its users start it. Needs Chromium
//! (`PATRON_CHROMIUM`, otherwise `chromium`), Node.js and npm's `playwright-core` in a folder above
//! (`PATRON_SDK_NODE_MODULES`).

use std::process::Command;

use crate::program::{Running, succeed};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium and Node.js with the package; see the top of this file"]
async fn chromium_makes_a_passkey_and_signs_in_by_it() {
    let folder = tempfile::tempdir().unwrap();
    let modules = std::env::var("PATRON_SDK_NODE_MODULES").expect("PATRON_SDK_NODE_MODULES");
    std::os::unix::fs::symlink(modules, folder.path().join("node_modules")).unwrap();
    let script = folder.path().join("chromium.mjs");
    let source = format!("{}/tests/passkeys/chromium.mjs", env!("CARGO_MANIFEST_DIR"));
    std::fs::copy(source, &script).unwrap();
    let found = || succeed(Command::new("which").arg("chromium")).trim().to_owned();
    let chromium = std::env::var("PATRON_CHROMIUM").unwrap_or_else(|_| found());
    let (running, _) = Running::sandbox(&folder.path().join("data"));
    // Browsers know passkeys of names only.
    let base_url = running.base_url.replace("127.0.0.1", "localhost");
    let said = succeed(Command::new("node").arg(&script).arg(base_url).arg(chromium));
    for step in ["the browser makes a passkey", "a passkey signs in", "by both factors"] {
        assert!(said.lines().any(|line| line == step), "{step}: {said}");
    }
}
