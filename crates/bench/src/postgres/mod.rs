//! Patron on PostgreSQL against pgbench running the same statements on the
//! same server, in turn, in rounds. Both use 64 connections; pgbench has no more to do than to send
//! the statements, Patron signs requests in, validates, and answers over HTTP.
//!
//! All entries of one space are numbered without gaps, so the row that counts them is held from the
//! journal's insert to the commit. With one space that row is what pgbench waits for; with a space
//! for each connection nobody waits for anybody. Both are measured: the second is what the server
//! can do.

mod cluster;
mod pgbench;
mod spaces;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use anyhow::{Result, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use clap::Args;
use patron::{open, settings::Settings};
use serde_json::json;

use self::cluster::Cluster;
use self::spaces::Spaces;
use crate::{
    figures::median,
    load::{Asker, Load, Measured},
    program::Patron,
    rates::{Figure, Medians},
    signer::Signer,
};

/// Connections of both sides.
const CONNECTIONS: u64 = 64;
/// Customers that one connection changes in turn.
const OWN: u64 = 32;

/// Measure Patron on PostgreSQL against pgbench with the same statements, in turn.
#[derive(Debug, Args)]
pub struct PostgresArgs {
    /// An empty database to fill; without it a server is started, and removed in the end.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Customers in the one space; the spaces of single connections hold as many together.
    #[arg(long, default_value_t = 100_000)]
    customers: u64,
    /// Rounds; the median of each figure is printed.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds each figure is measured in each round.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Only works whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// Print JSON too, one figure a line.
    #[arg(long)]
    json: bool,
}

/// A kind of work, in one space or in many.
struct Work {
    name: &'static str,
    many: bool,
    patch: bool,
}

const WORKS: [Work; 4] = [
    Work { name: "PATCH, one space", many: false, patch: true },
    Work { name: "PATCH, a space for each connection", many: true, patch: true },
    Work { name: "GET by id, one space", many: false, patch: false },
    Work { name: "GET by id, a space for each connection", many: true, patch: false },
];

/// Where everything is.
struct Stand {
    url: String,
    master_key: String,
    one: Spaces,
    many: Spaces,
    /// Versions of the customers that are changed, by connection and place; `If-Match` names them.
    versions: BTreeMap<bool, Arc<Vec<AtomicU64>>>,
    scripts: PathBuf,
}

impl Stand {
    fn spaces(&self, work: &Work) -> &Spaces {
        if work.many { &self.many } else { &self.one }
    }
}

/// Runs the benchmark.
///
/// # Errors
/// When a server does not start or answers anything but success.
pub async fn run(patron: &Patron, args: PostgresArgs) -> Result<()> {
    ensure!(args.rounds > 0 && args.seconds > 0, "at least one round of one second");
    ensure!(args.customers >= CONNECTIONS * OWN, "at least {} customers", CONNECTIONS * OWN);
    let own = if args.url.is_none() { Some(Cluster::start()?) } else { None };
    let url = args.url.clone().or_else(|| own.as_ref().map(|cluster| cluster.url.clone()));
    let stand = prepare(url.unwrap_or_default(), args.customers).await?;
    let works: Vec<&Work> = WORKS.iter().filter(|work| work.name.contains(&args.only)).collect();
    for work in &works {
        println!("\n-- {}: the script of pgbench\n{}", work.name, script(&stand, work));
    }
    let mut figures: BTreeMap<usize, (Vec<f64>, Figure)> = BTreeMap::new();
    for round in 1..=args.rounds {
        for (at, work) in works.iter().enumerate() {
            let limit = limit(&stand, work, args.seconds).await?;
            let measured = product(patron, &stand, work, args.seconds).await?;
            let (limits, figure) = figures.entry(at).or_default();
            limits.push(limit);
            figure.add(&measured, limit);
            let (name, rate) = (work.name, measured.rate);
            println!("round {round}: {name:<40} pgbench {limit:>7.0}/s, Patron {rate:>7.0}/s");
        }
    }
    report(&works, &figures, args.json);
    std::fs::remove_dir_all(&stand.scripts)?;
    Ok(())
}

/// Fills the database.
async fn prepare(url: String, customers: u64) -> Result<Stand> {
    let mut settings = Settings::default();
    settings.store.url.clone_from(&url);
    settings.secrets.master_key = BASE64.encode(rand::random::<[u8; 32]>());
    let app = open::app(&settings).await?;
    let started = std::time::Instant::now();
    let one = Spaces::make(&app, 1, customers).await?;
    let many = Spaces::make(&app, CONNECTIONS, customers / CONNECTIONS).await?;
    let (made, seconds) = (2 * customers, started.elapsed().as_secs_f64());
    let bytes = pgbench::bytes(&url).await? / made;
    let rate = made as f64 / seconds;
    println!(
        "Made {made} customers in {seconds:.0} s: {rate:.0}/s, {bytes} bytes each on the disk."
    );
    app.store.clone().close().await;
    let fresh = || Arc::new((0..CONNECTIONS * OWN).map(|_| AtomicU64::new(1)).collect());
    let scripts = std::env::temp_dir().join(format!("patron-pgbench-{}", std::process::id()));
    std::fs::create_dir(&scripts)?;
    Ok(Stand {
        url,
        master_key: settings.secrets.master_key,
        one,
        many,
        versions: BTreeMap::from([(false, fresh()), (true, fresh())]),
        scripts,
    })
}

fn script(stand: &Stand, work: &Work) -> String {
    let script = if work.patch { pgbench::patch } else { pgbench::get };
    script(stand.spaces(work))
}

async fn limit(stand: &Stand, work: &Work, seconds: u64) -> Result<f64> {
    let file = stand.scripts.join("script.sql");
    std::fs::write(&file, script(stand, work))?;
    pgbench::run(&stand.url, &file, seconds).await
}

async fn product(patron: &Patron, stand: &Stand, work: &Work, seconds: u64) -> Result<Measured> {
    let launch = patron.on_postgres(&stand.url, &stand.master_key)?;
    let server = launch.unlimited().start().await?;
    let spaces = stand.spaces(work);
    let signers: Result<Vec<Signer>> =
        spaces.keys.iter().map(|keys| Signer::new("native", keys)).collect();
    let signers = signers?;
    let load = Load::full(usize::try_from(CONNECTIONS)?, seconds);
    let asker = |n: usize| -> Asker {
        let signer = signers[n % signers.len()].clone();
        let numbers = own_numbers(spaces, n as u64);
        if work.patch {
            let versions = Arc::clone(&stand.versions[&work.many]);
            return patcher(signer, n as u64, numbers, versions);
        }
        let mut turn = 0;
        Box::new(move |_| {
            turn += 1;
            signer.get(&format!("/v1/customers/{}", numbers[turn % numbers.len()]))
        })
    };
    load.measure(&server.address, asker).await
}

/// The customers of one connection, spread evenly over its space, or over its part of the one
/// space.
fn own_numbers(spaces: &Spaces, connection: u64) -> Vec<i64> {
    let parts = CONNECTIONS / spaces.count;
    let part = spaces.per_space / parts;
    let (space, first) = match spaces.count {
        1 => (0, connection * part),
        _ => (connection, 0),
    };
    (0..OWN).map(|at| spaces.number(space, first + at * (part / OWN))).collect()
}

/// Changes its own customers in turn, always naming the version it saw last.
fn patcher(signer: Signer, n: u64, numbers: Vec<i64>, versions: Arc<Vec<AtomicU64>>) -> Asker {
    let place = move |turn: u64| (n * OWN + turn % OWN) as usize;
    let mut turn = 0;
    Box::new(move |answer| {
        let tag = answer.and_then(|answer| answer.header("etag"));
        if let Some(version) = tag.and_then(|tag| tag.trim_matches('"').parse().ok()) {
            versions[place(turn)].store(version, Relaxed);
        }
        turn += 1;
        let tag = format!("\"{}\"", versions[place(turn)].load(Relaxed));
        let path = format!("/v1/customers/{}", numbers[(turn % OWN) as usize]);
        let body = json!({"title": format!("T{}", tag.trim_matches('"'))}).to_string();
        signer.request("PATCH", &path, &[("if-match", &tag)], &body)
    })
}

fn report(works: &[&Work], figures: &BTreeMap<usize, (Vec<f64>, Figure)>, as_json: bool) {
    println!("\n| work | pgbench per second | Patron per second | ratio | p50 ms | p99 ms |");
    println!("|---|---|---|---|---|---|");
    for (at, work) in works.iter().enumerate() {
        let Some((limits, figure)) = figures.get(&at) else { continue };
        let Medians { rate, ratio, p50_ms: p50, p99_ms: p99 } = figure.medians();
        let (limit, name) = (median(limits), work.name);
        println!("| {name} | {limit:.0} | {rate:.0} | {ratio:.2} | {p50:.2} | {p99:.2} |");
        if as_json {
            let line = json!({
                "work": name, "pgbench": limit, "rate": rate, "ratio": ratio,
                "p50_ms": p50, "p99_ms": p99,
            });
            println!("{line}");
        }
    }
}
