//! Limits over real connections: what is too much, too slow or too many is refused in the API's
//! shape or cut off, and everybody else is served.

use std::time::Duration;

use patron_app::Clock;
use patron_gateway::{Dialect, limits::Limits};
use patron_testkit::{Answer, TestServer};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::place::DIALECTS;

/// When a server that should have cut a connection off is given up: far beyond every limit here.
const GIVEN_UP: Duration = Duration::from_secs(60);

/// A list and where customers are made, by API.
fn paths(dialect: &Dialect, server: &TestServer) -> (String, String) {
    let (list, create) = match dialect.name {
        "native" => ("/v1/customers", "/v1/customers"),
        "wallee" => ("/api/v2.0/customers", "/api/v2.0/customers"),
        "verifone" => ("/v2/customer?search=created_at=ge=2020-01-01", "/v2/customer"),
        "monri" => ("/v2/customers", "/v2/customers"),
        "payabli" => ("/api/Query/customers/", "/api/Customer/single/"),
        _ => ("/customers", "/customers"),
    };
    let entry = match dialect.name {
        "payabli" => server.credentials("payabli")["entry"].as_str().unwrap().to_owned(),
        _ => String::new(),
    };
    (format!("{list}{entry}"), format!("{create}{entry}"))
}

async fn start(limits: Limits) -> TestServer {
    TestServer::start_with(&DIALECTS, Clock::System, limits).await
}

async fn list(server: &TestServer, dialect: &Dialect) -> Answer {
    let (target, _) = paths(dialect, server);
    server.call(dialect, &server.credentials(dialect.name), "GET", &target, None).await
}

/// A refusal as the API writes it: JSON with more than one member.
fn is_shaped(answer: &Answer) -> bool {
    answer.header("content-type").contains("json")
        && answer.json().as_object().is_some_and(|members| members.len() > 1)
}

/// A connection on which this much was sent, and nothing else is.
async fn sent(server: &TestServer, bytes: &[u8]) -> TcpStream {
    let address = server.base_url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream
}

/// Everything that comes until the server closes the connection.
async fn until_closed(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    let read = tokio::time::timeout(GIVEN_UP, stream.read_to_end(&mut text));
    // A reset is a way to close, too.
    let _ = read.await.expect("the server cuts the connection off");
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn large_and_deep_bodies_are_refused_by_every_api() {
    let server = start(Limits { body_bytes_max: 20_000, ..Limits::default() }).await;
    for dialect in DIALECTS {
        let (_, target) = paths(dialect, &server);
        let keys = server.credentials(dialect.name);
        let deep = format!("{}{}", "[".repeat(9_000), "]".repeat(9_000));
        for (body, status) in [(format!("{{\"a\":\"{}\"}}", "x".repeat(20_000)), 413), (deep, 400)]
        {
            let mut headers = server.signed(dialect, &keys, "POST", &target, &body);
            headers.push(("content-type".into(), "application/json".into()));
            let headers: Vec<(&str, &str)> =
                headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            let answer = server.raw("POST", &target, &headers, body.as_bytes()).await;
            let name = dialect.name;
            let is_refused = answer.status == status || (status == 400 && answer.status == 422);
            assert!(
                is_refused && is_shaped(&answer),
                "{name}: {} {}",
                answer.status,
                answer.text()
            );
        }
        assert_eq!(list(&server, dialect).await.status, 200, "{}", dialect.name);
    }
}

#[tokio::test]
async fn heads_are_bounded_in_size_and_number_of_headers() {
    let server = start(Limits { head_bytes_max: 16 * 1024, ..Limits::default() }).await;
    let long = format!("GET /v1/customers HTTP/1.1\r\nhost: x\r\na: {}\r\n", "x".repeat(20_000));
    let many: String = (0..200).map(|n| format!("a{n}: x\r\n")).collect();
    let many = format!("GET /v1/customers HTTP/1.1\r\nhost: x\r\n{many}\r\n");
    let target = format!("GET /v1/{} HTTP/1.1\r\n", "x".repeat(70_000));
    for head in [long, many, target] {
        let answer = until_closed(sent(&server, head.as_bytes()).await).await;
        // The refusal itself may be lost when the connection is reset under what is still sent.
        let is_refused = ["HTTP/1.1 431", "HTTP/1.1 414", "HTTP/1.1 400"];
        let is_refused = is_refused.iter().any(|line| answer.starts_with(line));
        assert!(is_refused || answer.is_empty(), "{answer}");
    }
    assert_eq!(list(&server, DIALECTS[0]).await.status, 200);
}

#[tokio::test]
async fn slow_heads_and_idle_connections_are_cut_off() {
    let limits = Limits { head_seconds_max: 1, connections_max: 3, ..Limits::default() };
    let server = start(limits).await;
    let mut held = Vec::new();
    for head in ["", "G", "GET /v1/customers HTTP/1.1\r\nhost: x\r\n"] {
        held.push(sent(&server, head.as_bytes()).await);
    }
    // All places are taken; this one waits until they are given up.
    let answer = tokio::time::timeout(GIVEN_UP, list(&server, DIALECTS[0])).await;
    assert_eq!(answer.expect("served").status, 200);
    for stream in held {
        let answer = until_closed(stream).await;
        assert!(!answer.contains("HTTP/1.1 2"), "{answer}");
    }
}

#[tokio::test]
async fn slow_bodies_keep_nobody_out() {
    let limits = Limits { body_seconds_max: 2, requests_in_work_max: 1, ..Limits::default() };
    let server = start(limits).await;
    let mut held = Vec::new();
    for dialect in DIALECTS {
        let (_, target) = paths(dialect, &server);
        let keys = server.credentials(dialect.name);
        let signed = server.signed(dialect, &keys, "POST", &target, "");
        let signed: String = signed.iter().map(|(n, v)| format!("{n}: {v}\r\n")).collect();
        let head = format!(
            "POST {target} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{signed}\
             content-length: 100\r\n\r\n{{"
        );
        held.push((dialect.name, sent(&server, head.as_bytes()).await));
    }
    for dialect in DIALECTS {
        assert_eq!(list(&server, dialect).await.status, 200, "{}", dialect.name);
    }
    for (name, stream) in held {
        let answer = until_closed(stream).await;
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
        let is_late = ["HTTP/1.1 408", "HTTP/1.1 503", "HTTP/1.1 504"];
        assert!(is_late.iter().any(|line| head.starts_with(line)), "{name}: {answer}");
        let body: Value = serde_json::from_str(body).expect("a body in the API's shape");
        assert!(body.as_object().is_some_and(|members| members.len() > 1), "{name}: {body}");
    }
}

#[tokio::test]
async fn answers_nobody_takes_are_given_up() {
    let limits = Limits { answer_seconds_max: 1, connections_max: 2, ..Limits::default() };
    let server = start(limits).await;
    let keys = server.credentials("native");
    let body = serde_json::json!({"description": "x".repeat(4_000)});
    let native = DIALECTS[0];
    for _ in 0..50 {
        let made = server.call(native, &keys, "POST", "/v1/customers", Some(body.clone())).await;
        assert_eq!(made.status, 201);
    }
    let target = "/v1/customers?limit=200";
    let mut head = format!("GET {target} HTTP/1.1\r\nhost: x\r\n");
    for (name, value) in server.signed(native, &keys, "GET", target, "") {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    // Asks for far more than any socket buffer holds, and reads nothing.
    let stream = sent(&server, format!("{head}\r\n").repeat(100).as_bytes()).await;
    // The client keeps one connection, the stalled one has the other place: a third has to wait
    // for it.
    let third = format!("{head}connection: close\r\n\r\n");
    let answer = until_closed(sent(&server, third.as_bytes()).await).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    drop(stream);
}

#[tokio::test]
async fn too_many_requests_are_told_when_to_come_again() {
    let crowded = start(Limits { requests_in_work_max: 0, ..Limits::default() }).await;
    let throttled = start(Limits { requests_per_minute: 1, ..Limits::default() }).await;
    for dialect in DIALECTS {
        let answer = list(&crowded, dialect).await;
        let name = dialect.name;
        assert_eq!(answer.status, 503, "{name}: {}", answer.text());
        assert!(answer.header("retry-after").parse::<u64>().is_ok_and(|s| s >= 1), "{name}");
        assert!(is_shaped(&answer), "{name}: {}", answer.text());
        assert_eq!(list(&throttled, dialect).await.status, 200, "{name}");
        let answer = list(&throttled, dialect).await;
        assert_eq!(answer.status, 429, "{name}: {}", answer.text());
        assert!(answer.header("retry-after").parse::<u64>().is_ok_and(|s| s >= 1), "{name}");
        assert!(is_shaped(&answer), "{name}: {}", answer.text());
    }
}
