//! A stop: what only waits ends at once, what works may finish, and who asks twice is obeyed.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::program::{Running, patron, succeed};

/// Long before anything that is waited for here would end by itself.
const LONGEST: Duration = Duration::from_secs(30);

/// A server that would give requests in work ten minutes, and a key for it.
async fn patient(data: &Path) -> (Running, String) {
    let made = succeed(patron().args(["space", "create", "First", "--json", "--data"]).arg(data));
    let made: Value = serde_json::from_str(&made).unwrap();
    let mut command = patron();
    command.env("PATRON__LIMITS__STOP_SECONDS_MAX", "600");
    command.env("PATRON__LIMITS__BODY_SECONDS_MAX", "600");
    let running = Running::serve_on(command.args(["serve", "--data"]).arg(data)).await;
    (running, made["native"]["api_key"].as_str().unwrap().to_owned())
}

/// A request whose body the server waits for.
async fn begin(running: &Running, key: &str, line: &str) -> TcpStream {
    let address = running.base_url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "{line} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-length: 2\r\n\
         content-type: application/json\r\nexpect: 100-continue\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut told = [0; 25];
    stream.read_exact(&mut told).await.unwrap();
    assert_eq!(&told, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

async fn finish(mut stream: TcpStream) -> String {
    stream.write_all(b"{}").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

fn ask_to_stop(running: &Running, signal: &str) {
    succeed(Command::new("kill").args([signal, &running.child.id().to_string()]));
}

async fn ended(mut running: Running) -> ExitStatus {
    let wait = tokio::task::spawn_blocking(move || running.child.wait().unwrap());
    tokio::time::timeout(LONGEST, wait).await.expect("it ends").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_long_polls_and_idle_connections_and_lets_work_finish() {
    let folder = tempfile::tempdir().unwrap();
    let (running, key) = patient(folder.path()).await;
    let address = running.base_url.strip_prefix("http://").unwrap();
    let _silent = TcpStream::connect(address).await.unwrap();
    // It keeps its connection open for the next call.
    running.native(&key, "POST", "/v1/customers", Some(json!({}))).await.expect(201);
    let poll = begin(&running, &key, "GET /v1/events?after=1&wait=60").await;
    let create = begin(&running, &key, "POST /v1/customers").await;
    ask_to_stop(&running, "-TERM");
    running.log.until("stopping");
    let answers = async { tokio::join!(finish(create), finish(poll)) };
    let (made, page) = tokio::time::timeout(LONGEST, answers).await.expect("answered at once");
    assert!(made.starts_with("HTTP/1.1 201 "), "{made}");
    assert!(page.starts_with("HTTP/1.1 200 "), "{page}");
    assert!(page.contains(r#""next":"#), "{page}");
    assert!(ended(running).await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_the_program() {
    let folder = tempfile::tempdir().unwrap();
    for (signal, code) in [("-TERM", 143), ("-INT", 130)] {
        let data = folder.path().join(signal);
        let (running, key) = patient(&data).await;
        let _unfinished = begin(&running, &key, "POST /v1/customers").await;
        ask_to_stop(&running, "-TERM");
        running.log.until("stopping");
        ask_to_stop(&running, signal);
        let status = ended(running).await;
        assert_eq!((status.code(), status.signal()), (Some(code), None));
        let said = succeed(patron().args(["check", "--data"]).arg(&data));
        assert!(said.contains("Everything agrees."), "{said}");
    }
}

/// Containers are killed after this.
const KILLED_AFTER: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn with_settings_as_they_come_a_stop_is_over_before_containers_are_killed() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let made = succeed(patron().args(["space", "create", "First", "--json", "--data"]).arg(data));
    let made: Value = serde_json::from_str(&made).unwrap();
    let key = made["native"]["api_key"].as_str().unwrap();
    let running = Running::serve(data).await;
    let poll = begin(&running, key, "GET /v1/events?wait=60").await;
    // Neither of them ever sends its body: one of many callers is always slow.
    let _unfinished = begin(&running, key, "POST /v1/customers").await;
    let _silent = begin(&running, key, "PATCH /v1/customers/1").await;
    let begun = std::time::Instant::now();
    ask_to_stop(&running, "-TERM");
    let page = finish(poll).await;
    assert!(page.starts_with("HTTP/1.1 200 "), "{page}");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert!(ended(running).await.success());
    assert!(begun.elapsed() < KILLED_AFTER, "{:?}", begun.elapsed());
    let said = succeed(patron().args(["check", "--data"]).arg(data));
    assert!(said.contains("Everything agrees."), "{said}");
}
