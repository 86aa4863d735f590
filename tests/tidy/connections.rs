//! The server opens no connection but to its database, to the collector of traces, to the server
//! for mails and to the brokers of sinks that its settings name; whatever a caller's words lead to
//! is asked through the guarded client alone.

use super::{SOURCES, code_of, none, shipped, words};

/// What opens connections.
const OPENS: [&str; 9] = [
    "TcpStream::connect",
    "UnixStream::connect",
    "UdpSocket",
    "HttpConnector",
    "client::legacy",
    "client::conn",
    "reqwest",
    "AsyncSmtpTransport",
    "ConnectOptions",
];
/// Where that is right: the database, the collector of traces, the server for mails, brokers, the
/// guarded client, tests, and programs that measure the server from outside.
const ALLOWED: [&str; 6] = [
    "crates/store/src/postgres/",
    "src/telemetry.rs",
    "crates/mails/src/",
    "crates/sinks/src/",
    "crates/outbound/src/",
    "crates/bench/src/",
];

fn opens(code: &str) -> impl Iterator<Item = (usize, &'static str)> {
    code.lines().enumerate().flat_map(|(n, line)| {
        OPENS.iter().filter(|word| line.contains(**word)).map(move |word| (n + 1, *word))
    })
}

#[test]
fn nothing_connects_but_to_the_database() {
    let mut faults = Vec::new();
    for source in SOURCES.iter().filter(|source| !source.is_test()) {
        if ALLOWED.iter().any(|folder| source.path.starts_with(folder)) {
            continue;
        }
        let code = shipped(&source.code);
        faults.extend(opens(&code).map(|(n, word)| format!("{}:{n}: {word}", source.path)));
    }
    none("A server that asks other hosts can be made to ask for somebody else:", &faults);
    assert_eq!(opens(&code_of("let s = TcpStream::connect(a).await;")).count(), 1);
}

#[test]
fn every_connection_to_the_database_is_as_safe_as_its_url_says() {
    let mut faults = Vec::new();
    for source in SOURCES.iter().filter(|source| !source.is_test()) {
        let plain = words(&source.code).filter(|(_, word)| *word == "NoTls");
        faults.extend(plain.map(|(n, _)| format!("{}:{n}", source.path)));
    }
    none("Open it with crates/store/src/postgres/tls.rs, cancel requests too:", &faults);
}
