//! The operations listener: what operators see and nobody else.

use std::process::Stdio;

use crate::api::ALL;
use crate::program::{Running, free_address, patron, succeed};

/// What only operators see.
const INNER: [&str; 7] = [
    "/metrics",
    "/docs",
    "/docs/native",
    "/docs/errors",
    "/docs/search?q=a",
    "/openapi.json",
    "/openapi/native.json",
];

#[tokio::test(flavor = "multi_thread")]
async fn callers_see_the_apis_and_whether_the_server_is_ready() {
    let folder = tempfile::tempdir().unwrap();
    succeed(patron().args(["space", "create", "Shop", "--data"]).arg(folder.path()));
    let running = Running::serve(folder.path()).await;
    for path in INNER {
        assert_eq!(running.get(path).await.status, 404, "{path}");
    }
    assert_eq!(running.get("/livez").await.expect(200).text(), r#"{"status":"ok"}"#);
    assert_eq!(running.get("/readyz").await.expect(200).text(), r#"{"status":"ok"}"#);
    let page = running.get("/").await.expect(200).text();
    for told in [env!("CARGO_PKG_VERSION"), "sqlite", "href", "flush"] {
        assert!(!page.to_lowercase().contains(told), "{told}: {page}");
    }
    running.get("/v1/customers").await.expect(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_see_the_rest_and_no_api() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::serve(folder.path()).await;
    let ready = running.get_as_operator("/readyz").await.expect(200).json();
    assert_eq!(ready["status"], "ok");
    assert_eq!(ready["engine"], "sqlite");
    running.get("/v1/customers").await.expect(401);
    let metrics = running.get_as_operator("/metrics").await.expect(200).text();
    assert!(metrics.contains("patron_requests_total"), "{metrics}");
    assert!(running.get_as_operator("/").await.expect(200).text().contains("sqlite"));
    for dialect in ALL {
        running.get_as_operator(&format!("/docs/{}", dialect.name)).await.expect(200);
        running.get_as_operator(&format!("/openapi/{}.json", dialect.name)).await.expect(200);
    }
    running.get_as_operator("/v1/customers").await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_say_what_they_are_and_are_few_until_something_happens() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::serve(folder.path()).await;
    running.get("/v1/customers").await.expect(401);
    let page = running.get_as_operator("/metrics").await.expect(200).text();
    assert!(page.len() < 40 * 1024, "{} bytes", page.len());
    let names = |sort: &str| -> Vec<String> {
        let lines = page.lines().filter_map(|line| line.strip_prefix(sort)?.split(' ').nth(1));
        lines.map(str::to_owned).collect()
    };
    let types = names("# TYPE");
    assert!(types.len() > 10, "{page}");
    for name in &types {
        assert!(names("# HELP").contains(name), "{name} says nothing of itself");
    }
    assert!(page.contains("patron_failures_total{"), "{page}");
    for (name, kind) in [
        ("process_cpu_seconds_total", "counter"),
        ("process_resident_memory_bytes", "gauge"),
        ("process_virtual_memory_bytes", "gauge"),
        ("process_open_fds", "gauge"),
        ("process_max_fds", "gauge"),
        ("process_threads", "gauge"),
        ("process_start_time_seconds", "gauge"),
    ] {
        assert!(page.contains(&format!("# TYPE {name} {kind}\n")), "{name}: {page}");
    }
    let value = |name: &str| -> f64 {
        let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name}: {page}")).parse().unwrap()
    };
    // Of the server's own process, in the units of their names.
    let proc = format!("/proc/{}/", running.child.id());
    let open = std::fs::read_dir(format!("{proc}fd")).unwrap().count();
    assert!((value("process_open_fds") - open as f64).abs() <= 16.0, "{page}");
    let status = std::fs::read_to_string(format!("{proc}status")).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let resident: f64 = resident.trim().trim_end_matches(" kB").parse().unwrap();
    let told = value("process_resident_memory_bytes") / 1024.0;
    assert!(told > resident / 4.0 && told < resident * 4.0, "{told} {resident}");
    let started = value("process_start_time_seconds");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    assert!(started > 1.7e9 && started <= now.as_secs_f64(), "{started}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_of_the_log_says_who_asked_where_and_what_failed() {
    let folder = tempfile::tempdir().unwrap();
    let made = succeed(
        patron().args(["space", "create", "First", "--data"]).arg(folder.path()).arg("--json"),
    );
    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
    let key = made["native"]["api_key"].as_str().unwrap();
    let mut command = patron();
    command.env("PATRON__LOG__FORMAT", "json").env("PATRON__LOG__REQUESTS", "all");
    let running = Running::serve_on(command.args(["serve", "--data"]).arg(folder.path())).await;
    running.native(key, "GET", "/v1/customers/77", None).await.expect(404);
    running.native(key, "GET", "/v1/customers", None).await.expect(200);
    running.get("/v1/customers").await.expect(401);
    running.log.until("\"failure\":\"unauthenticated\"");
    let lines = |operation: &str| -> Vec<serde_json::Value> {
        let lines = running.log.text();
        let lines = lines.lines().filter_map(|line| serde_json::from_str(line).ok());
        let of = |line: &serde_json::Value| line["operation"] == operation;
        lines.filter(of).filter(|line| line["duration_us"].is_number()).collect()
    };
    let (missing, listed) = (lines("get_customer"), lines("list_customers"));
    assert_eq!((missing.len(), listed.len()), (1, 2), "{}", running.log.text());
    let fields = &missing[0];
    assert!(fields["key"].is_number() && fields["space"].is_number(), "{fields}");
    assert_eq!(fields["failure"], "not_found");
    assert!(listed[0]["failure"].is_null() && listed[0]["key"].is_number());
    assert_eq!(listed[1]["failure"], "unauthenticated");
    assert!(listed[1]["key"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_are_answered_when_the_public_door_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = patron();
    command.args(["serve", "--data"]).arg(folder.path());
    let running = Running::serve_on(command.env("PATRON__LIMITS__CONNECTIONS_MAX", "1")).await;
    let address = running.base_url.strip_prefix("http://").unwrap();
    let _holds_the_place = std::net::TcpStream::connect(address).unwrap();
    running.get_as_operator("/metrics").await.expect(200);
}

#[test]
fn a_port_that_is_taken_is_said_and_what_mends_it() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut command = patron();
    command.args(["serve", "--listen", &free_address(), "--data"]).arg(folder.path());
    command.env("PATRON__ADMIN__LISTEN", &address).stdin(Stdio::null());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(said.contains(&address) && said.contains("PATRON__ADMIN__LISTEN"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn there_need_be_none() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = patron();
    command.args(["serve", "--data"]).arg(folder.path()).env("PATRON__ADMIN__LISTEN", "");
    let running = Running::serve_on(&mut command).await;
    running.get("/readyz").await.expect(200);
    assert_eq!(running.operations_url, "http://", "nowhere");
    running.get("/metrics").await.expect(404);
}
