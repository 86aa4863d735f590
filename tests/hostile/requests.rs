//! Whole requests to one API, as text: request line, headers, blank line, body. Without a header of
//! the API's sign-in they are signed.

use patron_gateway::Dialect;
use serde_json::Value;

use super::place::{self, Answered, Asked, DIALECTS};

/// A request from bytes; `None` when not even a request line can be made out.
fn read(data: &[u8], fill: impl Fn(&str) -> String) -> Option<Asked> {
    let end = data.windows(2).position(|pair| pair == b"\n\n").unwrap_or(data.len());
    let head = fill(std::str::from_utf8(&data[..end]).ok()?);
    let mut lines = head.lines();
    let (method, target) = lines.next()?.split_once(' ')?;
    let headers = lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    });
    let body = data.get(end + 2..).unwrap_or_default();
    let body = match std::str::from_utf8(body) {
        Ok(text) => fill(text).into_bytes(),
        Err(_) => body.to_vec(),
    };
    Some(Asked {
        method: method.to_owned(),
        target: target.to_owned(),
        headers: headers.collect(),
        body,
    })
}

/// Sends a request to an API and checks what holds for every answer.
pub fn to(dialect: &'static Dialect, data: &[u8]) {
    place::with(|place| {
        let Some(asked) = read(data, |text| place.fill(text)) else { return };
        let path = asked.target.split('?').next().unwrap_or_default().to_owned();
        let method = asked.method.clone();
        if let Some(answer) = place.ask_signed(dialect, asked) {
            check(&method, &path, &answer);
        }
    });
}

/// No fault of the server; a refusal in the API's shape that changed nothing; reading never writes.
pub fn check(method: &str, path: &str, answer: &Answered) {
    let text = String::from_utf8_lossy(&answer.body);
    // What the provider has and this server has not is no fault.
    let is_fault = answer.status >= 500 && answer.status != 501;
    assert!(!is_fault, "{method} {path}: {} {text}", answer.status);
    if answer.status >= 400 || method == "GET" || method == "HEAD" {
        assert!(!answer.changed, "{method} {path}: {} and yet changed", answer.status);
    }
    // What no API is mounted at is a page of ours, or none.
    let Some(dialect) = mounted(path).filter(|_| method != "HEAD") else { return };
    assert!(!answer.header("x-request-id").is_empty(), "{method} {path}: no request id");
    let is_json = answer.header("content-type").contains("json");
    if is_json {
        answer.json();
    }
    if answer.status >= 400 {
        assert!(is_json, "{method} {path}: {} {text}", answer.status);
        let body = answer.json();
        assert!(is_shaped(dialect, path, answer.status, &body), "{method} {path}: {text}");
    }
}

/// The API whose mount is the longest prefix of the path.
fn mounted(path: &str) -> Option<&'static Dialect> {
    let length = |dialect: &&'static Dialect| {
        let fits = |mount: &&&str| {
            path.get(..mount.len()).is_some_and(|head| head.eq_ignore_ascii_case(mount))
                && matches!(path.as_bytes().get(mount.len()), None | Some(b'/'))
        };
        dialect.mounts.iter().filter(fits).map(|mount| mount.len()).max().unwrap_or(0)
    };
    DIALECTS.into_iter().filter(|dialect| length(dialect) > 0).max_by_key(length)
}

/// Whether a refusal has exactly the members its API gives it.
fn is_shaped(dialect: &Dialect, path: &str, status: u16, body: &Value) -> bool {
    let Some(members) = body.as_object() else { return false };
    let needs = |names: &[&str]| names.iter().all(|name| members.contains_key(*name));
    let only = |names: &[&str]| members.keys().all(|name| names.contains(&name.as_str()));
    match dialect.name {
        "native" => needs(&["type", "title", "status", "detail"]) && members["status"] == status,
        "wallee" => needs(&["code", "date", "id", "message"]),
        "verifone" if path.starts_with("/oauth2/") && members.contains_key("error") => {
            needs(&["error", "error_description"]) && only(&["error", "error_description"])
        }
        "verifone" => needs(&["code", "message", "details", "timestamp"]),
        "monri" => needs(&["status", "message"]),
        "payabli" if members.contains_key("errorType") => needs(&["errorType", "errorMessage"]),
        "payabli" => needs(&["isSuccess", "responseText", "responseData", "message"]),
        _ => needs(&["code", "status", "message"]),
    }
}
