//! Traces: what a collector is told, and that nobody waits for it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::Command;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::program::{KEY, Running, patron, succeed};

/// A caller's own trace, which it keeps.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// A collector that keeps what it is sent.
struct Collector {
    url: String,
    taken: Arc<Mutex<Vec<Taken>>>,
}

struct Taken {
    head: String,
    body: String,
}

impl Collector {
    fn start() -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let taken = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&taken);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap() > 0 {}
                let head = head.to_lowercase();
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                let mut body = vec![0; length.unwrap().parse().unwrap()];
                reader.read_exact(&mut body).unwrap();
                let body = String::from_utf8(body).unwrap();
                kept.lock().unwrap().push(Taken { head, body });
                let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
                              content-length: 2\r\n\r\n{}";
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        Collector { url, taken }
    }

    /// All spans, with the resource they came from.
    fn spans(&self) -> Vec<(Value, Value)> {
        let taken = self.taken.lock().unwrap();
        let mut spans = Vec::new();
        for Taken { head, body } in taken.iter() {
            assert!(head.starts_with("post /v1/traces http/1.1\r\n"), "{head}");
            assert!(head.contains("content-type: application/json\r\n"), "{head}");
            let body: Value = serde_json::from_str(body).unwrap();
            for of in body["resourceSpans"].as_array().unwrap() {
                for scope in of["scopeSpans"].as_array().unwrap() {
                    let all = scope["spans"].as_array().unwrap().iter();
                    spans.extend(all.map(|span| (of["resource"].clone(), span.clone())));
                }
            }
        }
        spans
    }
}

/// Attributes by their names.
fn attributes(of: &Value) -> Value {
    let value = |kept: &Value| kept.as_object().unwrap().values().next().unwrap().clone();
    let all = of["attributes"].as_array().unwrap().iter();
    all.map(|kept| (kept["key"].as_str().unwrap().to_owned(), value(&kept["value"]))).collect()
}

/// A server with the sandbox's keys and these settings.
async fn server(folder: &std::path::Path, settings: &[(&str, &str)]) -> Running {
    drop(Running::sandbox(folder));
    let mut command = patron();
    command.args(["serve", "--allow-sandbox-keys", "--data"]).arg(folder);
    Running::serve_on(command.envs(settings.iter().copied())).await
}

fn stop(mut running: Running) {
    succeed(Command::new("kill").args(["-TERM", &running.child.id().to_string()]));
    assert!(running.child.wait().unwrap().success());
}

async fn with_parent(running: &Running, flags: &str) {
    let headers = [
        ("authorization".to_owned(), format!("Bearer {KEY}")),
        ("traceparent".to_owned(), format!("00-{TRACE}-{PARENT}-{flags}")),
        ("tracestate".to_owned(), "who=anna.muster".to_owned()),
    ];
    let path = "/v1/customers?email=anna.muster%40example.com";
    running.client.send(&running.base_url, "GET", path, &headers, b"").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_is_a_span_without_anything_of_the_person() {
    let (folder, collector) = (tempfile::tempdir().unwrap(), Collector::start());
    let name = ("PATRON__TELEMETRY__SERVICE_NAME", "shop");
    let url = ("PATRON__TELEMETRY__OTLP_URL", collector.url.as_str());
    let running = server(folder.path(), &[url, name]).await;
    with_parent(&running, "01").await;
    running.native(KEY, "GET", "/v1/customers/77", None).await.expect(404);
    let made = json!({"full_name": "Grace Hopper", "reference": "shop-1906"});
    running.native(KEY, "POST", "/v1/customers", Some(made)).await.expect(201);
    running.native("wrong-secret", "GET", "/v1/customers", None).await.expect(401);
    running.native(KEY, "GET", "/v1/grace-was-here", None).await.expect(404);
    stop(running);
    let spans = collector.spans();
    assert_eq!(spans.len(), 5, "{spans:?}");
    assert_eq!(
        attributes(&spans[0].0),
        json!({"service.name": "shop", "service.version": env!("CARGO_PKG_VERSION")})
    );
    let span = &spans[0].1;
    assert_eq!((&span["traceId"], &span["parentSpanId"]), (&json!(TRACE), &json!(PARENT)));
    assert_eq!((&span["name"], &span["kind"]), (&json!("GET /v1/customers"), &json!(2)));
    let [from, to] = ["startTimeUnixNano", "endTimeUnixNano"]
        .map(|name| span[name].as_str().unwrap().parse::<u64>().unwrap());
    assert!(0 < from && from < to, "{span}");
    let facts: Vec<Value> = spans.iter().map(|(_, span)| attributes(span)).collect();
    let expect = |at: usize, status: &str, operation: Value, failure: Value| {
        let facts = &facts[at];
        assert_eq!(facts["http.response.status_code"], status, "{facts}");
        assert_eq!(facts["patron.api"], "native");
        assert_eq!((&facts["patron.operation"], &facts["error.type"]), (&operation, &failure));
        assert!(facts["patron.request_id"].is_string());
    };
    expect(0, "200", json!("list_customers"), Value::Null);
    expect(1, "404", json!("get_customer"), json!("not_found"));
    expect(2, "201", json!("create_customer"), Value::Null);
    expect(3, "401", json!("list_customers"), json!("unauthenticated"));
    expect(4, "404", Value::Null, json!("no_route"));
    assert_eq!((&facts[0]["patron.space"], &facts[3]["patron.space"]), (&json!("1"), &Value::Null));
    assert_eq!(facts[1]["http.route"], "/v1/customers/{id}");
    assert_ne!(spans[1].1["traceId"], json!(TRACE));
    for Taken { head, body } in collector.taken.lock().unwrap().iter() {
        for word in ["anna", "Grace", "grace", "shop-1906", "wrong-secret", KEY, "email", "/77"] {
            assert!(!head.contains(word) && !body.contains(word), "{word}: {body}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_is_kept_unless_the_caller_has_decided() {
    let (folder, collector) = (tempfile::tempdir().unwrap(), Collector::start());
    let url = ("PATRON__TELEMETRY__OTLP_URL", collector.url.as_str());
    let running = server(folder.path(), &[url, ("PATRON__TELEMETRY__SAMPLE_RATIO", "0.0")]).await;
    running.native(KEY, "GET", "/v1/customers", None).await.expect(200);
    with_parent(&running, "00").await;
    with_parent(&running, "01").await;
    stop(running);
    assert_eq!(collector.spans().len(), 1);
    let collector = Collector::start();
    let url = ("PATRON__TELEMETRY__OTLP_URL", collector.url.as_str());
    let running = server(folder.path(), &[url]).await;
    with_parent(&running, "00").await;
    stop(running);
    assert!(collector.spans().is_empty());
}

/// More requests than wait for a collector are answered while it says nothing, or is not there.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_collector() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = crate::program::free_address();
    for address in [silent.local_addr().unwrap().to_string(), gone] {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("http://{address}");
        let url = ("PATRON__TELEMETRY__OTLP_URL", url.as_str());
        let unlimited = ("PATRON__LIMITS__REQUESTS_PER_MINUTE", "0");
        let running = server(folder.path(), &[url, unlimited]).await;
        for _ in 0..2_600 {
            running.native(KEY, "GET", "/v1/customers/77", None).await.expect(404);
        }
        let log = running.log.clone();
        stop(running);
        log.until("closing the store");
    }
}

#[test]
fn settings_are_looked_at() {
    for (name, value) in [
        ("OTLP_URL", "localhost:4318"),
        ("OTLP_URL", "ftp://localhost"),
        ("SAMPLE_RATIO", "1.5"),
        ("SAMPLE_RATIO", "nan"),
        ("SERVICE_NAME", ""),
    ] {
        let mut check = patron();
        check.args(["config", "print"]).env(format!("PATRON__TELEMETRY__{name}"), value);
        let output = check.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{name}={value}");
        assert!(said.contains(&name.to_lowercase()), "{said}");
    }
}
