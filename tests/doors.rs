//! What stands before sign-in: how often strangers may try, keys that must not be served, files
//! and pages that give nothing away.

use std::os::unix::fs::PermissionsExt as _;

use patron_app::Clock;
use patron_gateway::{Access, limits::Limits};
use patron_testkit::{Answer, TestServer};

use crate::{
    api::ALL,
    program::{Running, free_address, patron, succeed},
};

/// Header in which the servers of these tests are told the client's address.
const ADDRESS: &str = "x-real-ip";

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
        // A right key does not tell itself from a wrong one there, and is good elsewhere.
        let keys = server.credentials(dialect.name);
        let right = server.signed(dialect, &keys, method, &path, "");
        let ask = |from| {
            let mut headers: Vec<(&str, &str)> =
                right.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            headers.push((ADDRESS, from));
            let (server, path) = (&server, &path);
            async move { server.raw(method, path, &headers, b"").await }
        };
        assert_told_to_wait(&ask(&bad).await, dialect.name);
        for _ in 0..5 {
            let status = ask(&good).await.status;
            assert!(status != 401 && status != 429, "{}: {status}", dialect.name);
        }
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
    let refused = serve().output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("--allow-sandbox-keys"), "{said}");
    let mut allowed = serve().arg("--allow-sandbox-keys").spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    let ended = allowed.try_wait().unwrap();
    let _ = allowed.kill();
    let _ = allowed.wait();
    assert!(ended.is_none(), "it runs when asked for: {ended:?}");
    // Once its keys are revoked the folder is like any other.
    let listed = succeed(patron().args(["key", "list", "--json", "--data"]).arg(folder.path()));
    for line in listed.lines() {
        let key: serde_json::Value = serde_json::from_str(line).unwrap();
        let number = key["number"].to_string();
        let mut revoke = patron();
        succeed(revoke.args(["key", "revoke", &number, "--data"]).arg(folder.path()));
    }
    let running = Running::serve(folder.path()).await;
    running.get("/livez").await.expect(200);
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
        assert!(!policy.contains("script"), "{path}: {policy}");
        assert_eq!(page.header("x-content-type-options"), "nosniff", "{path}");
        let text = page.text().to_lowercase();
        for active in ["<script", "javascript:", " onload=", " onerror=", " onclick=", "src="] {
            assert!(!text.contains(active), "{path}: {active}");
        }
    }
}
