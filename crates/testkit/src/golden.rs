//! Golden exchanges: `.http` files that are documentation and test at once.
//!
//! ```text
//! ### Create a customer
//! POST /v1/customers
//! Idempotency-Key: one
//!
//! {"email": "anna@example.com"}
//! ---
//! 201
//! ETag: "1"
//!
//! {"id": "{{id:uuid}}", "number": "{{number:int}}", "created_at": "{{any}}"}
//! ```
//!
//! Exchanges of a file run in order on one server and are signed by the dialect, unless the request
//! has a header `Unsigned: true`. In expected headers and bodies `{{name:kind}}` matches a value of
//! that kind (`any`, `text`, `int`, `uuid`, `time`) and keeps it as `name`; `{{any}}` and the like
//! keep nothing. In requests and expectations `{{name}}` is what was kept. JSON bodies are compared
//! as a whole: a member more or less is a failure. Headers not named are not compared.

use std::collections::HashMap;
use std::path::Path;

use patron_gateway::Dialect;
use serde_json::Value;

use crate::{Answer, TestServer};

const KINDS: [&str; 5] = ["any", "text", "int", "uuid", "time"];

/// Runs every `.http` file of a folder, in the order of their names, each on credentials of its own
/// space so that files do not see each other.
pub async fn run(server: &TestServer, dialect: &Dialect, folder: impl AsRef<Path>) {
    let folder = folder.as_ref();
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "http"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} holds no .http file", folder.display());
    for file in files {
        let credentials = server.other_space(dialect.name).await;
        let text = std::fs::read_to_string(&file).unwrap();
        run_text(server, dialect, &credentials, &text, &file.display().to_string()).await;
    }
}

/// Runs the exchanges of one text. Members of the credentials are known as `{{member}}`.
pub async fn run_text(
    server: &TestServer,
    dialect: &Dialect,
    credentials: &Value,
    text: &str,
    origin: &str,
) {
    let mut kept: HashMap<String, String> = HashMap::new();
    for (name, value) in credentials.as_object().into_iter().flatten() {
        kept.insert(name.clone(), plain(value));
    }
    for exchange in text.split("\n### ").map(|part| part.trim_start_matches("### ")) {
        if exchange.trim().is_empty() {
            continue;
        }
        let (title, rest) = exchange.split_once('\n').unwrap_or((exchange, ""));
        let place = format!("{origin}: {title}");
        let (request, expected) =
            rest.split_once("\n---\n").unwrap_or_else(|| panic!("{place}: no line ---"));
        let answer = send(server, dialect, credentials, &fill(request, &kept), &place).await;
        compare(&answer, expected.trim_end(), &mut kept, &place);
    }
}

async fn send(
    server: &TestServer,
    dialect: &Dialect,
    credentials: &Value,
    request: &str,
    place: &str,
) -> Answer {
    let (head, body) = split_head(request);
    let mut lines = head.lines();
    let line = lines.next().unwrap_or_default();
    let (method, target) = line.split_once(' ').unwrap_or_else(|| panic!("{place}: {line}"));
    let mut headers: Vec<(String, String)> = lines.map(|line| header(line, place)).collect();
    let unsigned = headers.iter().any(|(name, _)| name == "unsigned");
    headers.retain(|(name, _)| name != "unsigned");
    if !unsigned {
        headers.extend(server.signed(dialect, credentials, method, target, body));
    }
    if !body.is_empty() && !headers.iter().any(|(name, _)| name == "content-type") {
        headers.push(("content-type".into(), "application/json".into()));
    }
    let borrowed: Vec<(&str, &str)> =
        headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    server.raw(method, target, &borrowed, body.as_bytes()).await
}

fn split_head(text: &str) -> (&str, &str) {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    (head.trim_end(), body.trim())
}

fn header(line: &str, place: &str) -> (String, String) {
    let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("{place}: header {line}"));
    (name.trim().to_ascii_lowercase(), value.trim().to_owned())
}

fn compare(answer: &Answer, expected: &str, kept: &mut HashMap<String, String>, place: &str) {
    let (head, body) = split_head(expected);
    let mut lines = head.lines();
    let status: u16 = lines.next().unwrap_or_default().trim().parse().expect("a status");
    assert_eq!(answer.status, status, "{place}\n{}", answer.text());
    for line in lines {
        let (name, want) = header(line, place);
        let have = answer.header(&name).to_owned();
        matches_text(&want, &have, kept, &format!("{place}: header {name}"));
    }
    if body.is_empty() {
        assert_eq!(answer.text(), "", "{place}: the body should be empty");
        return;
    }
    match serde_json::from_str::<Value>(body) {
        Ok(want) => matches_json(&want, &answer.json(), kept, place),
        Err(_) => matches_text(&fill(body, kept), answer.text().trim_end(), kept, place),
    }
}

fn matches_json(want: &Value, have: &Value, kept: &mut HashMap<String, String>, place: &str) {
    match (want, have) {
        (Value::String(want), have) if placeholder(want).is_some() => {
            matches_placeholder(want, have, kept, place);
        }
        (Value::Object(want), Value::Object(members)) => {
            let names = |object: &serde_json::Map<String, Value>| {
                let mut names: Vec<String> = object.keys().cloned().collect();
                names.sort();
                names
            };
            assert_eq!(names(want), names(members), "{place}: members of {have}");
            for (name, want) in want {
                matches_json(want, &members[name], kept, &format!("{place}.{name}"));
            }
        }
        (Value::Array(want), Value::Array(items)) => {
            assert_eq!(want.len(), items.len(), "{place}: {have}");
            for (i, (want, have)) in want.iter().zip(items).enumerate() {
                matches_json(want, have, kept, &format!("{place}.{i}"));
            }
        }
        (Value::String(want), have) => {
            assert_eq!(&Value::String(fill(want, kept)), have, "{place}");
        }
        (want, have) => assert_eq!(want, have, "{place}"),
    }
}

fn matches_text(want: &str, have: &str, kept: &mut HashMap<String, String>, place: &str) {
    if placeholder(want).is_some() {
        matches_placeholder(want, &Value::String(have.to_owned()), kept, place);
    } else {
        assert_eq!(fill(want, kept), have, "{place}");
    }
}

fn placeholder(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix("{{")?.strip_suffix("}}")?;
    if inner.contains("{{") {
        return None;
    }
    match inner.split_once(':') {
        Some((name, kind)) => KINDS.contains(&kind).then_some((name, kind)),
        None => KINDS.contains(&inner).then_some(("", inner)),
    }
}

fn matches_placeholder(want: &str, have: &Value, kept: &mut HashMap<String, String>, place: &str) {
    let (name, kind) = placeholder(want).expect("a placeholder");
    let text = plain(have);
    let fits = match kind {
        "any" => true,
        "text" => have.is_string() && !text.is_empty(),
        "int" => text.parse::<i64>().is_ok(),
        "uuid" => uuid::Uuid::parse_str(&text).is_ok(),
        "time" => text.len() >= 19 && patron_model::Timestamp::parse(&text).is_ok(),
        _ => false,
    };
    assert!(fits, "{place}: {have} is no {kind}");
    if !name.is_empty() {
        kept.insert(name.to_owned(), text);
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn fill(text: &str, kept: &HashMap<String, String>) -> String {
    let mut filled = text.to_owned();
    for (name, value) in kept {
        filled = filled.replace(&format!("{{{{{name}}}}}"), value);
    }
    filled
}
