//! What stands before sign-in: how often strangers may try, keys that must not be served, files
//! and pages that give nothing away.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use patron_app::Clock;
use patron_gateway::{
    Access, Credentials, Dialect, Door, Operation, Reply, Request, limits::Limits, operation::get,
};
use patron_model::Failure;
use patron_testkit::{Answer, TestServer};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::{
    api::ALL,
    program::{Running, free_address, patron, succeed},
};

/// Header in which the servers of these tests are told the client's address.
const ADDRESS: &str = "x-real-ip";
/// What a server says when it serves.
const SERVES: &str = "answers at";

async fn server(limits: Limits) -> TestServer {
    let limits = Limits { client_address_header: ADDRESS.into(), ..limits };
    TestServer::start_with(&ALL, Clock::System, limits).await
}

fn assert_told_to_wait(answer: &Answer, what: &str) {
    assert_eq!(answer.status, 429, "{what}: {}", answer.text());
    let seconds: u64 = answer.header("retry-after").parse().unwrap_or_default();
    assert!((1..=60).contains(&seconds), "{what}: Retry-After {seconds}");
    assert!(answer.text().len() > 2, "{what}: in the API's own shape");
}

#[tokio::test]
async fn failed_sign_ins_of_an_address_are_limited_in_every_api() {
    let server = server(Limits { failed_sign_ins_per_minute: 3, ..Limits::default() }).await;
    for (n, dialect) in ALL.iter().enumerate() {
        let all = (dialect.operations)();
        let operation = all.iter().find(|o| o.access != Access::Public).unwrap();
        let (method, path) = (operation.method.as_str(), operation.path);
        let path = path.replace(['{', '}'], "");
        let (bad, good) = (format!("192.0.2.{n}"), format!("198.51.100.{n}"));
        for _ in 0..3 {
            server.raw(method, &path, &[(ADDRESS, &bad)], b"").await.expect(401);
        }
        let answer = server.raw(method, &path, &[(ADDRESS, &bad)], b"").await;
        assert_told_to_wait(&answer, dialect.name);
        // A right key is good there and elsewhere, however much is wrong beside it.
        let keys = server.credentials(dialect.name);
        let right = server.signed(dialect, &keys, method, &path, "");
        for from in [&bad, &good, &bad, &good] {
            let mut headers: Vec<(&str, &str)> =
                right.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            headers.push((ADDRESS, from));
            let status = server.raw(method, &path, &headers, b"").await.status;
            assert!(status != 401 && status != 429, "{}: {status}", dialect.name);
        }
        let answer = server.raw(method, &path, &[(ADDRESS, &bad)], b"").await;
        assert_told_to_wait(&answer, dialect.name);
    }
}

#[tokio::test]
async fn operations_without_sign_in_are_limited_by_address() {
    let server = server(Limits { public_requests_per_minute: 2, ..Limits::default() }).await;
    let mut seen = 0;
    for dialect in ALL {
        for operation in (dialect.operations)().iter().filter(|o| o.access == Access::Public) {
            seen += 1;
            let (method, path) = (operation.method.as_str(), operation.path);
            let from = format!("192.0.2.{seen}");
            for _ in 0..2 {
                let status = server.raw(method, path, &[(ADDRESS, &from)], b"{}").await.status;
                assert!(status != 429 && status < 500, "{path}: {status}");
            }
            let answer = server.raw(method, path, &[(ADDRESS, &from)], b"{}").await;
            assert_told_to_wait(&answer, path);
            let other = format!("203.0.113.{seen}");
            let status = server.raw(method, path, &[(ADDRESS, &other)], b"{}").await.status;
            assert_ne!(status, 429, "{path}");
            server.raw("GET", "/v1/customers", &[(ADDRESS, &from)], b"").await.expect(401);
        }
    }
    assert!(seen >= 3, "the token endpoints");
}

/// What a command answers that reads this.
fn said_to(command: &mut Command, input: &str) -> String {
    let (stdin, stdout) = (Stdio::piped(), Stdio::piped());
    let mut child = command.stdin(stdin).stdout(stdout).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{command:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What a server says until it ends or says that it serves; either way it is ended then.
fn said_at_start(command: &mut Command) -> String {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while log.read_line(&mut said).unwrap() > 0 && !said.contains(SERVES) {}
    let _ = child.kill();
    let _ = child.wait();
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sandboxs_keys_are_not_served_unless_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let (sandbox, _) = Running::sandbox(folder.path());
    drop(sandbox);
    let serve = || {
        let mut command = patron();
        command.args(["serve", "--listen", &free_address(), "--data"]).arg(folder.path());
        command
    };
    let said = said_at_start(&mut serve());
    assert!(!said.contains(SERVES) && said.contains("--allow-sandbox-keys"), "{said}");
    let said = said_at_start(serve().arg("--allow-sandbox-keys"));
    assert!(said.contains(SERVES), "it runs when asked for: {said}");
    // Once its keys are revoked the folder is like any other.
    let listed = succeed(patron().args(["key", "list", "--json", "--data"]).arg(folder.path()));
    for line in listed.lines() {
        let key: Value = serde_json::from_str(line).unwrap();
        let number = key["number"].to_string();
        let mut revoke = patron();
        succeed(revoke.args(["key", "revoke", &number, "--data"]).arg(folder.path()));
    }
    let said = said_at_start(&mut serve());
    assert!(!said.contains(SERVES) && said.contains("patron user"), "its person is left: {said}");
    let listed = succeed(patron().args(["user", "list", "--json", "--data"]).arg(folder.path()));
    let people = listed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let owner = people.into_iter().find(|user| user["kind"] == "human").unwrap();
    let mut change = patron();
    change.args(["user", "password", &owner["number"].to_string(), "--data"]).arg(folder.path());
    said_to(&mut change, "a password of my own choice\n");
    let running = Running::serve(folder.path()).await;
    running.get("/livez").await.expect(200);
}

#[test]
fn a_real_deployment_becomes_no_sandbox() {
    let folder = tempfile::tempdir().unwrap();
    succeed(patron().args(["space", "create", "Shop", "--data"]).arg(folder.path()));
    let mut sandbox = patron();
    sandbox.args(["sandbox", "--listen", &free_address(), "--data"]).arg(folder.path());
    let said = said_at_start(&mut sandbox);
    assert!(!said.contains(SERVES) && said.contains("a real deployment"), "{said}");
}

/// A key is found by the name of its API, a colon and its handle, so no handle of one API, whatever
/// it holds, finds a key of another one.
#[test]
fn handles_of_two_apis_cannot_meet() {
    for dialect in ALL {
        assert!(dialect.name.bytes().all(|byte| byte.is_ascii_lowercase()), "{}", dialect.name);
    }
}

#[test]
fn the_master_key_is_readable_by_its_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    succeed(patron().args(["space", "create", "Shop", "--data"]).arg(folder.path()));
    let file = std::fs::metadata(folder.path().join("master.key")).unwrap();
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_run_no_script_and_load_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (running, _) = Running::sandbox(folder.path());
    let references = ALL.iter().map(|dialect| format!("/docs/{}", dialect.name));
    let no_such = ["/".to_owned(), "/docs/%3Cscript%3E".to_owned()];
    for path in references.chain(no_such) {
        let page = running.get(&path).await;
        let policy = page.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none';"), "{path}: {policy}");
        let script = policy.split("; ").find(|part| part.starts_with("script-src"));
        let own = path.starts_with("/docs").then_some("script-src 'self'");
        assert_eq!(script, own, "{path}: {policy}");
        assert_eq!(page.header("x-content-type-options"), "nosniff", "{path}");
        // The reference has one, in a file of its own.
        let text = page.text().to_lowercase();
        let text = match own {
            Some(_) => text.replacen("<script src=/docs/search.js defer></script>", "", 1),
            None => text,
        };
        for active in ["<script", "javascript:", " onload=", " onerror=", " onclick=", "src="] {
            assert!(!text.contains(active), "{path}: {active}");
        }
    }
}

// ---- clients that are slow, handlers that break -----------------------------------------------

async fn hangs_up(server: &TestServer, sent: &[u8]) -> String {
    let address = server.base_url.strip_prefix("http://").unwrap();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(sent).await.unwrap();
    let mut said = Vec::new();
    // Ends when the server closes: a client that never sends the rest is not waited for.
    let _ = stream.read_to_end(&mut said).await;
    String::from_utf8_lossy(&said).into_owned()
}

#[tokio::test]
async fn slow_clients_are_not_waited_for_and_keep_no_place() {
    let limits = Limits {
        head_seconds_max: 1,
        body_seconds_max: 1,
        connections_max: 1,
        ..Limits::default()
    };
    let server = server(limits).await;
    hangs_up(&server, b"").await;
    hangs_up(&server, b"GET /v1/customers HTTP/1.1\r\nhost: x\r\nx-slow: ").await;
    let key = server.credentials("native")["api_key"].as_str().unwrap().to_owned();
    let head = format!(
        "POST /v1/customers HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\nconnection: close\r\ncontent-length: 100\r\n\r\n{{"
    );
    let said = hangs_up(&server, head.as_bytes()).await;
    assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
    // There is one place, and after all of them it is free.
    server.raw("GET", "/v1/customers", &[], b"").await.expect(401);
}

async fn breaks(_: Request) -> Result<Reply, Failure> {
    panic!("planted")
}

fn breaking() -> Vec<Operation> {
    vec![get("/v1/breaks", breaks).named("break", "Break").public()]
}

#[tokio::test]
async fn a_handler_that_breaks_ends_one_request() {
    let credentials = Credentials { ..patron_native::DIALECT.credentials };
    let door = Door { operations: breaking, ..patron_native::DIALECT.door };
    let dialect = Dialect { door, credentials, ..patron_native::DIALECT };
    let dialect: &'static Dialect = Box::leak(Box::new(dialect));
    let server = TestServer::start(&[dialect]).await;
    for _ in 0..2 {
        let answer = server.raw("GET", "/v1/breaks", &[], b"").await.expect(500);
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert!(!answer.text().contains("planted"), "{}", answer.text());
    }
}
