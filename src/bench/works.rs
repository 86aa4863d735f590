//! What is measured: one line per kind of work.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use anyhow::{Context as _, Result, anyhow};
use patron_app::Clock;
use patron_gateway::{Dialect, SignRequest};
use serde_json::Value;

use super::{
    client::{self, Asker, Measured},
    preload::{Preloaded, letters},
    servers::{Flush, Server},
};
use crate::dialects::DIALECTS;

/// A kind of work.
pub struct Work {
    /// What it is.
    pub name: &'static str,
    /// Connections at a time.
    connections: usize,
    /// How commits are flushed.
    pub flush: Flush,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    /// GET of one customer through an API.
    Get(&'static str),
    /// GET of a path of the native API, made from a number.
    Find(fn(u64) -> String),
    /// Durable PATCH with `If-Match`.
    Patch,
}

/// Everything that is measured.
pub fn all() -> Vec<Work> {
    let reading = |name, kind| Work { name, connections: 32, flush: Flush::Disk, kind };
    let writing = |name, flush| Work { name, connections: 64, flush, kind: Kind::Patch };
    vec![
        reading("GET by id, native", Kind::Get("native")),
        reading("GET by id, wallee, a fresh token each", Kind::Get("wallee")),
        reading("GET by id, Verifone", Kind::Get("verifone")),
        reading("GET by id, Monri, a fresh digest each", Kind::Get("monri")),
        reading("GET by id, Payabli", Kind::Get("payabli")),
        reading("GET by id, Notch Pay", Kind::Get("notchpay")),
        reading(
            "search by e-mail, native",
            Kind::Find(|n| format!("/v1/customers?email=person.{n}@example.com")),
        ),
        reading(
            "list of 50, native",
            Kind::Find(|n| format!("/v1/customers?limit=50&number[gt]={n}")),
        ),
        reading(
            "prefix of 20, native",
            Kind::Find(|n| format!("/v1/customers?limit=20&q={}", letters(n / 20))),
        ),
        writing("PATCH with If-Match, durable, 64 connections", Flush::Disk),
        writing("PATCH with If-Match, synchronous=OFF", Flush::Off),
        writing("PATCH with If-Match, each flush 1 ms longer", Flush::Slow),
    ]
}

/// Measures one kind of work.
///
/// # Errors
/// When a request fails.
pub async fn measure(
    work: &Work,
    server: &Server,
    data: &Preloaded,
    seconds: u64,
) -> Result<Measured> {
    let asker = askers(work, server, data).await?;
    client::load(&server.address, work.connections, seconds, asker).await
}

/// Makes a number of calls of one kind, one after the other.
///
/// # Errors
/// When a request fails.
pub async fn repeat(work: &Work, server: &Server, data: &Preloaded, calls: u64) -> Result<()> {
    let asker = askers(work, server, data).await?;
    client::repeat(&server.address, &mut asker(0), calls).await
}

/// Makes what the n-th connection asks.
pub type Askers = Box<dyn Fn(usize) -> Asker>;

/// What the connections ask for one kind of work.
///
/// # Errors
/// When a request fails.
pub async fn askers(work: &Work, server: &Server, data: &Preloaded) -> Result<Askers> {
    Ok(match work.kind {
        Kind::Get(api) => {
            let paths = Arc::new(paths(api, server, data).await?);
            let signer = Signer::new(api, &data.keys)?;
            Box::new(move |n| {
                let (paths, signer) = (Arc::clone(&paths), signer.clone());
                let mut turn = n * 7919;
                Asker::new(move || {
                    turn += 1;
                    signer.request("GET", &paths[turn % paths.len()], "", "")
                })
            })
        }
        Kind::Find(path) => {
            let signer = Signer::new("native", &data.keys)?;
            let (counter, count) = (Arc::new(AtomicU64::new(1)), data.count);
            Box::new(move |_| {
                let (signer, counter) = (signer.clone(), Arc::clone(&counter));
                // A step that is prime to every count: the whole database is visited.
                let next = move || counter.fetch_add(7_919, Ordering::Relaxed) % count;
                Asker::new(move || signer.request("GET", &path(next()), "", ""))
            })
        }
        Kind::Patch => patches(work, server, data).await?,
    })
}

/// Each connection changes customers of its own, always naming the version it saw last.
async fn patches(work: &Work, server: &Server, data: &Preloaded) -> Result<Askers> {
    let signer = Signer::new("native", &data.keys)?;
    let versions = versions(server, data, work.connections).await?;
    Ok(Box::new(move |n| {
        let signer = signer.clone();
        let (number, first) = versions[n];
        let version = Arc::new(AtomicU64::new(first));
        let seen = Arc::clone(&version);
        let mut turn = 0u64;
        let path = format!("/v1/customers/{number}");
        Asker::new(move || {
            turn += 1;
            let condition = format!("if-match: \"{}\"\r\n", version.load(Ordering::Relaxed));
            let body = format!("{{\"title\":\"T{turn}-{first}\"}}");
            signer.request("PATCH", &path, &condition, &body)
        })
        .watching(move |head| {
            if let Some(now) = etag(head) {
                seen.store(now, Ordering::Relaxed);
            }
        })
    }))
}

/// The version that an answer's head names.
pub fn etag(head: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(head).ok()?;
    text.split("etag: \"").nth(1)?.split('"').next()?.parse().ok()
}

/// Number and version of one customer for each connection.
async fn versions(server: &Server, data: &Preloaded, wanted: usize) -> Result<Vec<(i64, u64)>> {
    let mut versions = Vec::new();
    let step = (data.sample.len() / wanted).max(1);
    for (number, _) in data.sample.iter().step_by(step).take(wanted) {
        let shown = ask(server, "native", data, &format!("/v1/customers/{number}")).await?;
        versions.push((*number, shown["version"].as_u64().context("a version")?));
    }
    anyhow::ensure!(versions.len() == wanted, "too few customers in the sample");
    Ok(versions)
}

async fn ask(server: &Server, api: &str, data: &Preloaded, path: &str) -> Result<Value> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(&server.address).await?;
    let request = Signer::new(api, &data.keys)?.request("GET", path, "connection: close\r\n", "");
    stream.write_all(&request).await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    let body = text.split("\r\n\r\n").nth(1).context("an answer")?;
    serde_json::from_str(body).with_context(|| text.clone())
}

/// Paths of the sampled customers in an API.
async fn paths(api: &str, server: &Server, data: &Preloaded) -> Result<Vec<String>> {
    let of = |path: fn(&(i64, String)) -> String| data.sample.iter().map(path).collect();
    Ok(match api {
        "native" => of(|(number, _)| format!("/v1/customers/{number}")),
        "wallee" => of(|(number, _)| format!("/api/v2.0/customers/{number}")),
        "verifone" => of(|(_, uuid)| format!("/v2/customer/{uuid}")),
        "monri" => of(|(_, uuid)| format!("/v2/customers/{uuid}")),
        "payabli" => of(|(number, _)| format!("/api/Customer/{number}")),
        _ => {
            let listed = ask(server, api, data, "/customers?limit=100").await?;
            let items = listed["items"].as_array().context("a list")?;
            let ids = items.iter().filter_map(|item| item["id"].as_str());
            ids.map(|id| format!("/customers/{id}")).collect()
        }
    })
}

/// Makes signed requests as bytes.
#[derive(Clone)]
pub struct Signer {
    dialect: &'static Dialect,
    credentials: Arc<Value>,
    space: String,
}

impl Signer {
    /// For an API, with the credentials of a space.
    ///
    /// # Errors
    /// When no API has this name.
    pub fn new(api: &str, keys: &Value) -> Result<Signer> {
        let dialect = DIALECTS.iter().copied().find(|dialect| dialect.name == api);
        let dialect = dialect.ok_or_else(|| anyhow!("no API is called {api}"))?;
        let credentials = Arc::new(keys[api].clone());
        let space = match &credentials["space_id"] {
            Value::Null => String::new(),
            number => format!("space: {number}\r\n"),
        };
        Ok(Signer { dialect, credentials, space })
    }

    /// A request of a kept connection, with its signature.
    pub fn request(&self, method: &str, target: &str, headers: &str, body: &str) -> Vec<u8> {
        let now = Clock::System.now();
        let request = SignRequest { credentials: &self.credentials, method, target, body, now };
        let signed = (self.dialect.credentials.sign)(&request).unwrap_or_default();
        let mut text = format!("{method} {target} HTTP/1.1\r\nhost: x\r\n{headers}");
        let names_space = signed.iter().any(|(name, _)| name.eq_ignore_ascii_case("space"));
        if !names_space {
            text.push_str(&self.space);
        }
        for (name, value) in signed {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() {
            text.push_str("content-type: application/merge-patch+json\r\n");
            text.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        text.push_str("\r\n");
        text.push_str(body);
        text.into_bytes()
    }
}
