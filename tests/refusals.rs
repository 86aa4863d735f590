//! What a server refuses before it says where it answers, and `patron config check` with it.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::program::{Running, free_address, patron, succeed};

/// The program with settings that are read from a file.
fn with_settings(folder: &Path, settings: &str, words: &[&str]) -> Output {
    let file = folder.join("patron.toml");
    std::fs::write(&file, settings).unwrap();
    let mut command = patron();
    // Otherwise it would win over the file.
    command.env_remove("PATRON__ADMIN__LISTEN");
    command.args(words).arg("--config").arg(&file).arg("--data").arg(folder.join("data"));
    command.output().unwrap()
}

#[test]
fn a_check_refuses_what_a_server_would_refuse_or_misread() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("cert.pem"), "no certificate").unwrap();
    let weak = format!("[secrets]\nmaster_key = '{}='", "A".repeat(43));
    let here = folder.path().display();
    let files = format!("[tls]\ncertificate = '{here}/cert.pem'\nkey = '{here}/cert.pem'");
    for (settings, named) in [
        ("[log]\nlevel = 'inof'", "log.level inof"),
        ("[log]\nlevel = 'info,patron=loud'", "log.level"),
        ("listen = 'here'", "listen: here"),
        ("listen = '127.0.0.1'", "listen: 127.0.0.1"),
        ("[admin]\nlisten = ':9190'", "admin.listen: :9190"),
        ("base_url = 'pay.example.com'", "base_url: pay.example.com"),
        ("base_url = 'ftp://pay.example.com'", "base_url"),
        ("base_url = 'https://pay.example.com/?x=1'", "base_url"),
        ("[hosts]\n'pay.example.com' = 'nativ'", "no API is called nativ"),
        ("[hosts]\n'pay.example.com:8443' = 'native'", "pay.example.com:8443"),
        ("[hosts]\n'https://pay.example.com' = 'native'", "is no host name"),
        ("[limits]\nrequest_seconds_max = 0", "limits.request_seconds_max"),
        ("[limits]\nclient_address_header = 'X Real IP'", "limits.client_address_header"),
        ("[store]\nwrite_queue_max = 0", "store.write_queue_max"),
        ("[secrets]\nmaster_key = 'short'", "secrets.master_key"),
        ("[secrets]\nmaster_key_file = '/nowhere/key'", "/nowhere/key"),
        (weak.as_str(), "too weak"),
        (files.as_str(), "[tls]"),
    ] {
        for words in [&["config", "check"][..], &["serve"]] {
            let output = with_settings(folder.path(), settings, words);
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success(), "{words:?} {settings}");
            assert!(said.contains(named), "{words:?} {settings}: {said}");
            assert!(!said.contains("answers at"), "{words:?} {settings}: {said}");
        }
    }
    for settings in [
        "[log]\nlevel = 'warn,patron_store=debug'",
        "listen = 'localhost:0'\nbase_url = 'https://pay.example.com:8443/patron'",
        "listen = '[::1]:0'\n[hosts]\n'pay.example.com' = 'native'",
    ] {
        let output = with_settings(folder.path(), settings, &["config", "check"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// What a command that cannot start a server says.
fn refused(command: &mut Command) -> String {
    let output = command.stdout(Stdio::null()).output().unwrap();
    assert!(!output.status.success(), "{command:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_server_serves_a_folder_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    succeed(patron().args(["space", "create", "First", "--data"]).arg(data));
    let mut first = Running::serve(data).await;
    let process = format!("process {}", first.child.id());
    for word in ["serve", "sandbox"] {
        let address = free_address();
        let said = refused(patron().args([word, "--listen", &address, "--data"]).arg(data));
        assert!(said.contains("serves") && said.contains(&process), "{said}");
    }
    // Commands work beside it, and however it ends the folder is free.
    succeed(patron().args(["space", "create", "Second", "--data"]).arg(data));
    first.child.kill().unwrap();
    first.child.wait().unwrap();
    drop(Running::serve(data).await);
}

#[test]
fn what_goes_wrong_is_one_line_and_a_file_gets_no_colours() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for word in ["serve", "sandbox"] {
        let said =
            refused(patron().args([word, "--listen", &address, "--data"]).arg(folder.path()));
        let last = said.lines().last().unwrap();
        assert!(last.starts_with("Error: cannot listen at"), "{said}");
        assert!(last.contains(&address) && last.contains("in use"), "{said}");
        assert!(!said.contains("answers at") && !said.contains('\u{1b}'), "{said}");
    }
    // Also where the fault is told in several.
    std::fs::write(folder.path().join("patron.toml"), "[log\n").unwrap();
    let mut wrong = patron();
    wrong.args(["config", "check"]).env("PATRON__LOG__FORMAT", "xml");
    let mut unclosed = patron();
    unclosed.args(["config", "check"]).current_dir(folder.path());
    for (command, word) in [(&mut wrong, "log.format"), (&mut unclosed, "unclosed table")] {
        let said = refused(command);
        assert!(said.lines().count() == 1 && said.contains(word), "{said}");
    }
    let mut running = patron();
    running.env("PATRON__LIMITS__REQUESTS_PER_MINUTE", "0");
    let log = folder.path().join("log");
    let mut child = running
        .args(["serve", "--listen", &free_address(), "--data"])
        .arg(folder.path())
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let text = || std::fs::read_to_string(&log).unwrap();
    // It says so at the start, in what would be yellow.
    while !text().contains("one caller can use the whole server") {
        assert!(child.try_wait().unwrap().is_none(), "ended early: {}", text());
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!text().contains('\u{1b}'), "{}", text());
}
