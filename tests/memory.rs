//! The memory a request can make the server take: the worst bodies of every writing operation of
//! every API, against the program itself, whose peak the kernel tells.

use patron_gateway::{Dialect, Operation, SignRequest};
use patron_model::Timestamp;
use serde_json::{Value, json};

use crate::{
    api::ALL,
    program::{KEY, Running, patron},
};

/// Bytes of each body but those that do their harm with few.
const BODY_BYTES: usize = 512 * 1024;
/// Bytes the program may take beyond what it had, while it answers one request with such a body:
/// the body, the limit of what it may be once it is decoded (16 MiB), and twice as much again for
/// the values made of it and for what the allocator and the store keep.
const PEAK_BYTES_MAX: u64 = 48 * 1024 * 1024;

/// Stands for the status of an answer that could not be read.
const BROKEN_OFF: u16 = 0;

/// The worst bodies: what each is, its media type, and its bytes.
fn bodies() -> Vec<(&'static str, &'static str, String)> {
    const JSON: &str = "application/json";
    const PATCH: &str = "application/json-patch+json";
    const FORM: &str = "application/x-www-form-urlencoded";
    let list = |item: &str| vec![item; BODY_BYTES / (item.len() + 1)].join(",");
    let own = |value: &str| {
        format!("{{\"metadata\":{value},\"metaData\":{value},\"additionalFields\":{value}}}")
    };
    let third = |item: &str| vec![item; BODY_BYTES / 3 / (item.len() + 1)].join(",");
    let names: Vec<String> = (0..BODY_BYTES / 30).map(|n| format!("\"{n:06}\":1")).collect();
    let depth = BODY_BYTES / 2;
    let text = "x".repeat(BODY_BYTES);
    let mut copies = vec![json!({"op": "add", "path": "/metadata/a", "value": "x".repeat(1_000)})];
    copies.extend(
        (0..24)
            .map(|n| json!({"op": "copy", "from": "/metadata", "path": format!("/metadata/{n}")})),
    );
    let adds = list(r#"{"op":"add","path":"/metadata/a","value":[1,1,1,1]}"#);
    let columns = format!("customerNumber{}", ",additional-a".repeat(BODY_BYTES / 14));
    let rows = format!("customerNumber\n{}", "1\n".repeat(BODY_BYTES / 2));
    let file = |csv: &str| {
        format!(
            "--f\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\n\
             {csv}\r\n--f--\r\n"
        )
    };
    vec![
        ("deep", JSON, format!("{}{}", "[".repeat(depth), "]".repeat(depth))),
        ("numbers", JSON, format!("[{}]", list("1"))),
        ("objects", JSON, format!("[{}]", list(r#"{"":1}"#))),
        ("own numbers", JSON, own(&format!("{{\"a\":[{}]}}", third("1")))),
        ("own objects", JSON, own(&format!("{{\"a\":[{}]}}", third(r#"{"":[1]}"#)))),
        ("own names", JSON, own(&format!("{{{}}}", names.join(",")))),
        ("text", JSON, json!({"description": text, "name": text}).to_string()),
        ("escapes", JSON, format!("{{\"name\":\"{}\"}}", "\\u0034".repeat(BODY_BYTES / 6))),
        ("copies", PATCH, json!(copies).to_string()),
        ("operations", PATCH, format!("[{adds}]")),
        ("pairs", FORM, vec!["a"; BODY_BYTES / 2].join("&")),
        ("nested pairs", FORM, vec!["a[b][c][d][e]=1"; BODY_BYTES / 16].join("&")),
        ("columns", "multipart/form-data; boundary=f", file(&columns)),
        ("rows", "multipart/form-data; boundary=f", file(&rows)),
    ]
}

/// Bytes the kernel counts for a process, by the name of the line.
fn bytes(process: u32, line: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix(line)).unwrap();
    line.trim_start_matches(':').trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// Whether an operation may look at a body: patches where there is a `PATCH`, files where they are
/// taken, and one body where none is.
fn is_worth(operation: &Operation, (name, media, _): &(&str, &str, String)) -> bool {
    let takes_files = operation.media.iter().any(|taken| taken.starts_with("multipart/"));
    match *media {
        "application/json-patch+json" => operation.method.as_str() == "PATCH",
        media if media.starts_with("multipart/") => takes_files,
        _ => operation.body.is_some() || *name == "numbers",
    }
}

fn path_of(operation: &Operation, keys: &Value, customer: &Value) -> String {
    operation
        .path
        .replace("{entry}", keys["payabli"]["entry"].as_str().unwrap())
        .replace("{orgId}", &keys["payabli"]["org_id"].to_string())
        .replace("{id}", customer["id"].as_str().unwrap())
        .replace("{customerId}", &customer["number"].to_string())
        .replace(['{', '}'], "")
}

/// The status; [`BROKEN_OFF`] where the server refused while the body was still being sent, and
/// closed the connection on it.
async fn send(
    running: &Running,
    dialect: &Dialect,
    keys: &Value,
    (method, target): (&str, &str),
    (media, body): (&str, &str),
) -> u16 {
    let micros = std::time::UNIX_EPOCH.elapsed().unwrap().as_micros();
    let now = Timestamp::from_micros(i64::try_from(micros).unwrap());
    let credentials = &keys[dialect.name];
    let request = SignRequest { credentials, method, target, body, now };
    let signed = (dialect.credentials.sign)(&request).unwrap();
    let mut headers: Vec<(String, String)> =
        signed.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    headers.push(("content-type".into(), media.into()));
    let bytes = body.as_bytes();
    let answer = running.client.try_send(&running.base_url, method, target, &headers, bytes).await;
    answer.map_or(BROKEN_OFF, |answer| answer.status)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_body_of_any_operation_makes_the_server_take_more_than_its_share() {
    let folder = tempfile::tempdir().unwrap();
    let (running, _) = Running::sandbox(folder.path());
    let process = running.child.id();
    let address = running.base_url.strip_prefix("http://").unwrap();
    let mut print = patron();
    print.args(["sandbox", "--print", "--listen", address, "--data"]).arg(folder.path());
    let keys: Value = serde_json::from_slice(&print.output().unwrap().stdout).unwrap();
    let body = Some(json!({"metadata": {}}));
    let made = running.native(KEY, "POST", "/v1/customers", body).await.expect(201).json();
    let bodies = bodies();
    let mut worst = (0, String::new());
    let (mut sent, mut understood) = (0, 0);
    for dialect in ALL {
        for operation in (dialect.operations)().iter().filter(|operation| operation.writes()) {
            let path = path_of(operation, &keys, &made);
            for (name, media, body) in bodies.iter().filter(|body| is_worth(operation, body)) {
                std::fs::write(format!("/proc/{process}/clear_refs"), "5").unwrap();
                let before = bytes(process, "VmRSS");
                let asked = (operation.method.as_str(), path.as_str());
                let status = send(&running, dialect, &keys, asked, (media, body)).await;
                let peak = bytes(process, "VmHWM").saturating_sub(before);
                let what = format!("{} {} with {name}: {status}", dialect.name, operation.id);
                assert!(peak <= PEAK_BYTES_MAX, "{what}: {} KiB", peak / 1024);
                assert!(status < 500, "{what}");
                sent += 1;
                understood +=
                    u32::from(!matches!(status, BROKEN_OFF | 401 | 403 | 404 | 405 | 415));
                worst = worst.max((peak, what));
            }
        }
    }
    running.native(KEY, "GET", "/v1/customers?limit=1", None).await.expect(200);
    println!("{sent} bodies; the worst took {} KiB: {}", worst.0 / 1024, worst.1);
    assert!(understood * 3 > sent, "{understood} of {sent} reached a handler");
}
