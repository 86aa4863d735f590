//! What is measured: one line per kind of work.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::{
    connection::Connection,
    load::{Asker, Load, Measured},
    program::{Flush, Program},
    signer::Signer,
    stock::{Stock, letters},
};

/// A step that is prime to every count: the whole database is visited.
const STEP: u64 = 7_919;

/// A kind of work.
pub struct Work {
    /// What it is.
    pub name: &'static str,
    /// How commits are flushed.
    pub flush: Flush,
    /// Connections at a time.
    connections: usize,
    kind: Kind,
}

/// What is asked.
#[derive(Clone, Copy)]
pub enum Kind {
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
    server: &Program,
    data: &Stock,
    seconds: u64,
) -> Result<Measured> {
    let askers = work.askers(server, data).await?;
    Load::full(work.connections, seconds).measure(&server.address, askers).await
}

/// Makes what the n-th connection asks.
pub type Askers = Box<dyn Fn(usize) -> Asker>;

impl Work {
    /// What the connections ask.
    ///
    /// # Errors
    /// When a request fails.
    pub async fn askers(&self, server: &Program, data: &Stock) -> Result<Askers> {
        self.kind.askers(self.connections, server, data).await
    }
}

impl Kind {
    /// What so many connections ask.
    ///
    /// # Errors
    /// When a request fails.
    pub async fn askers(
        self,
        connections: usize,
        server: &Program,
        data: &Stock,
    ) -> Result<Askers> {
        Ok(match self {
            Kind::Get(api) => {
                let paths: Arc<[String]> = paths(api, server, data).await?.into();
                let signer = Signer::new(api, &data.keys)?;
                Box::new(move |n| {
                    let (paths, signer) = (Arc::clone(&paths), signer.clone());
                    let mut turn = n * 7919;
                    Box::new(move |_| {
                        turn += 1;
                        signer.get(&paths[turn % paths.len()])
                    })
                })
            }
            Kind::Find(path) => {
                let signer = Signer::new("native", &data.keys)?;
                let (counter, count) = (Arc::new(AtomicU64::new(1)), data.count);
                Box::new(move |_| {
                    let (signer, counter) = (signer.clone(), Arc::clone(&counter));
                    let next = move || counter.fetch_add(STEP, Ordering::Relaxed) % count;
                    Box::new(move |_| signer.get(&path(next())))
                })
            }
            Kind::Patch => patches(connections, server, data).await?,
        })
    }
}

/// Each connection changes a customer of its own, always naming the version it saw last.
async fn patches(connections: usize, server: &Program, data: &Stock) -> Result<Askers> {
    let signer = Signer::new("native", &data.keys)?;
    let step = (data.sample.len() / connections).max(1);
    let mut connection = Connection::open(&server.address).await?;
    let mut tagged = Vec::new();
    for (number, _) in data.sample.iter().step_by(step).take(connections) {
        let path = format!("/v1/customers/{number}");
        let shown = connection.ask(&signer.get(&path)).await?;
        let tag = shown.header("etag").with_context(|| format!("{path}: no tag"))?;
        tagged.push((path, tag.to_owned()));
    }
    ensure!(tagged.len() == connections, "too few customers in the sample");
    Ok(Box::new(move |n| {
        let (signer, (path, mut tag)) = (signer.clone(), tagged[n].clone());
        let (first, mut turn) = (tag.trim_matches('"').to_owned(), 0u64);
        Box::new(move |answer| {
            if let Some(now) = answer.and_then(|answer| answer.header("etag")) {
                tag = now.to_owned();
            }
            turn += 1;
            let body = json!({"title": format!("T{turn}-{first}")}).to_string();
            signer.request("PATCH", &path, &[("if-match", &tag)], &body)
        })
    }))
}

/// Paths of the sampled customers in an API.
async fn paths(api: &str, server: &Program, data: &Stock) -> Result<Vec<String>> {
    let of = |path: fn(&(i64, String)) -> String| data.sample.iter().map(path).collect();
    Ok(match api {
        "native" => of(|(number, _)| format!("/v1/customers/{number}")),
        "wallee" => of(|(number, _)| format!("/api/v2.0/customers/{number}")),
        "verifone" => of(|(_, uuid)| format!("/v2/customer/{uuid}")),
        "monri" => of(|(_, uuid)| format!("/v2/customers/{uuid}")),
        "payabli" => of(|(number, _)| format!("/api/Customer/{number}")),
        _ => {
            let ask = Signer::new(api, &data.keys)?.get("/customers?limit=100");
            let listed = Connection::open(&server.address).await?.ask(&ask).await?.json();
            let items = listed["items"].as_array().context("a list")?;
            let ids = items.iter().filter_map(|item| item["id"].as_str());
            ids.map(|id| format!("/customers/{id}")).collect()
        }
    })
}
