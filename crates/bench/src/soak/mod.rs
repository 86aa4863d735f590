//! A realistic mix over all six APIs at a fixed rate, for minutes or hours, against
//! a server process of its own; reports what grew. Exits with a failure on any unexpected answer.

mod caller;
mod mix;
mod resources;
mod stats;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use serde_json::Value;
use tokio::time::Instant;

use self::{
    caller::{Ask, Caller, Pace},
    mix::Worker,
    resources::Look,
    stats::{Latency, Stats},
};
use crate::{
    connection::Connection,
    program::{Patron, Program},
    signer::Signer,
    stock::Stock,
};

/// Pause between two looks at the server.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Pause between two looks into the feed.
const FEED_EVERY: Duration = Duration::from_millis(250);
/// Growth of the 99th percentile that is none: so many times, and so many milliseconds.
const LATENCY_TIMES: f64 = 1.5;
const LATENCY_MS: f64 = 5.0;

/// Run a realistic mix for a long time and report what grew.
#[derive(Debug, Args)]
pub struct SoakArgs {
    /// Hours to run.
    #[arg(long, default_value_t = 0)]
    hours: u64,
    /// Minutes to run, on top of the hours.
    #[arg(long, default_value_t = 0)]
    minutes: u64,
    /// Seconds to run, on top of that.
    #[arg(long, default_value_t = 0)]
    seconds: u64,
    /// Requests per second.
    #[arg(long, default_value_t = 200)]
    rate: u32,
    /// Callers at a time, each with a connection.
    #[arg(long, default_value_t = 16)]
    callers: u32,
    /// Customers there before it begins; made at the first run, kept in the folder.
    #[arg(long, default_value_t = 20_000)]
    customers: u64,
    /// Folder of the database.
    #[arg(long, value_name = "DIR", default_value = "target/soak-data")]
    data: PathBuf,
    /// Seconds between two reports.
    #[arg(long, default_value_t = 60)]
    every: u64,
    /// What the choices are made of.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Runs it.
///
/// # Errors
/// When the server does not start, an answer was not the expected one, or the data does not agree
/// with itself at the end.
pub async fn run(patron: &Patron, args: SoakArgs) -> Result<()> {
    let length = Duration::from_secs(args.hours * 3600 + args.minutes * 60 + args.seconds);
    ensure!(!length.is_zero() && args.rate > 0 && args.callers > 0, "nothing to do");
    ensure!(args.every > 0, "--every is at least one second");
    let data = Arc::new(Stock::ensure(&args.data, args.customers).await?);
    let program = patron.on_folder(&args.data)?.unlimited().start().await?;
    println!(
        "{} requests/s by {} callers over six APIs for {} s; {} customers; seed {}.",
        args.rate,
        args.callers,
        length.as_secs(),
        data.count,
        args.seed
    );
    let rows = customers(&program, &data).await?;
    let stats = Arc::new(Stats::default());
    let stop = Arc::new(AtomicBool::new(false));
    let tasks = start(&args, &program, &data, &stats, &stop)?;
    let looks = watch(&args, &program, &stats, length).await?;
    stop.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.context("a caller's task ended")?;
    }
    stats.end_span();
    let rows_after = customers(&program, &data).await?;
    report(&stats, &looks);
    let asked: usize = stats.between(0.0, 1.0).values().map(|latency| latency.count).sum();
    let reached = asked as f64 / length.as_secs_f64();
    println!("rate: {reached:.0}/s answered of {}/s and the feed's", args.rate);
    println!("customers: {rows} before, {rows_after} living at the end");
    program.stop()?;
    let is_whole = check(patron, &args)?;
    let unexpected = stats.unexpected_count();
    if unexpected > 0 || !is_whole {
        bail!("{unexpected} answers were not the expected ones; see above");
    }
    println!("Every answer was the expected one, and everything agrees.");
    Ok(())
}

/// Callers that share the rate evenly, and a reader of the feed.
fn start(
    args: &SoakArgs,
    program: &Program,
    data: &Arc<Stock>,
    stats: &Arc<Stats>,
    stop: &Arc<AtomicBool>,
) -> Result<Vec<tokio::task::JoinHandle<()>>> {
    let begin = Instant::now() + Duration::from_millis(100);
    let between = Duration::from_secs(1) / args.rate;
    let run =
        uuid::Uuid::new_v4().simple().to_string()[..6].replace(|c: char| !c.is_alphabetic(), "x");
    let caller = |pace| Caller::new(&program.address, &data.keys, pace, Arc::clone(stats));
    let mut tasks = Vec::new();
    for n in 0..args.callers {
        let pace = Pace::new(begin + between * n, between * args.callers);
        let seed = args.seed * 1_000 + u64::from(n);
        let mut worker = Worker::new(caller(pace)?, Arc::clone(data), seed, &run);
        let stop = Arc::clone(stop);
        tasks.push(tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                worker.work().await;
            }
        }));
    }
    let reader = caller(Pace::new(begin, FEED_EVERY))?;
    tasks.push(tokio::spawn(read_feed(reader, Arc::clone(stats), Arc::clone(stop))));
    Ok(tasks)
}

/// Follows everything that happens from the start of the space on; no position may be missing.
async fn read_feed(mut caller: Caller, stats: Arc<Stats>, stop: Arc<AtomicBool>) {
    let mut after = 0;
    while !stop.load(Ordering::Relaxed) {
        let target = format!("/v1/events?after={after}&limit=200");
        let ask = Ask {
            kind: "feed",
            api: "native",
            method: "GET",
            target: &target,
            headers: &[],
            body: String::new(),
            expected: &[200],
        };
        let Some(answer) = caller.ask(ask).await else { continue };
        let page = answer.json();
        let seqs = page["data"].as_array().into_iter().flatten().map(|e| e["seq"].as_i64());
        let count = seqs.clone().count();
        if seqs.zip(after + 1..).any(|(seq, wanted)| seq != Some(wanted)) {
            stats.unexpected(&format!("feed: a position is missing behind {after}"));
        }
        stats.events(count as u64);
        after = page["next"].as_i64().unwrap_or(after);
    }
}

/// Looks at the server until the time is over; reports from time to time.
async fn watch(
    args: &SoakArgs,
    program: &Program,
    stats: &Stats,
    length: Duration,
) -> Result<Vec<Look>> {
    let begin = Instant::now();
    let mut looks = Vec::new();
    let mut next_report = Duration::from_secs(args.every);
    while begin.elapsed() < length {
        tokio::time::sleep(LOOK_EVERY.min(length / 4)).await;
        let look = Look::at(program, &args.data, entries(program).await?)?;
        looks.push(look);
        if begin.elapsed() >= next_report {
            next_report += Duration::from_secs(args.every);
            println!("\n{:>5} s: {}", begin.elapsed().as_secs(), look.shown());
            let span = stats.end_span();
            let count: usize = span.values().map(|latency| latency.count).sum();
            let rate = count as f64 / args.every as f64;
            println!(
                "{rate:>7.0}/s, {} unexpected; p50/p99 in ms: {}",
                stats.unexpected_count(),
                kinds(&span)
            );
        }
    }
    Ok(looks)
}

fn kinds(span: &BTreeMap<&'static str, Latency>) -> String {
    let shown = span.iter().map(|(kind, l)| format!("{kind} {:.1}/{:.1}", l.p50_ms, l.p99_ms));
    shown.collect::<Vec<_>>().join(", ")
}

fn report(stats: &Stats, looks: &[Look]) {
    println!("\n| work | answers | p50 ms | p99 ms | p99 first half | p99 second half |");
    println!("|---|---|---|---|---|---|");
    let (early, late) = (stats.between(0.0, 0.5), stats.between(0.5, 1.0));
    let mut slower = Vec::new();
    for (kind, all) in stats.between(0.0, 1.0) {
        let p99 = |half: &BTreeMap<&str, Latency>| half.get(kind).map_or(f64::NAN, |l| l.p99_ms);
        let (first, second) = (p99(&early), p99(&late));
        println!(
            "| {kind} | {} | {:.2} | {:.2} | {first:.2} | {second:.2} |",
            all.count, all.p50_ms, all.p99_ms
        );
        if second > (first * LATENCY_TIMES).max(first + LATENCY_MS) {
            slower.push(kind);
        }
    }
    println!();
    for line in resources::judge(looks) {
        println!("{line}");
    }
    match slower.is_empty() {
        true => println!("latency: no kind of work became slower: did not grow"),
        false => println!("latency: GREW in {}", slower.join(", ")),
    }
    println!("feed: {} events read in order, none missing", stats.events_read());
    println!("unexpected answers: {}", stats.unexpected_count());
}

/// Living customers of the space.
async fn customers(program: &Program, data: &Stock) -> Result<i64> {
    let signer = Signer::new("native", &data.keys)?;
    let request = signer.get("/v1/customers?limit=1&total=true");
    let answer = Connection::open(&program.address).await?.ask(&request).await?;
    let page: Value = answer.json();
    page["total"].as_i64().with_context(|| format!("a total: {page}"))
}

/// Journal entries since the server's start, from its metrics.
async fn entries(program: &Program) -> Result<u64> {
    let ask = b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n";
    let answer = Connection::open(&program.operations).await?.ask(ask).await?;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let line = text.lines().find_map(|l| l.strip_prefix("patron_store_entries_committed "));
    let count: f64 = line.context("the metrics count journal entries")?.parse()?;
    Ok(count as u64)
}

/// Whether records, journal, terms and the file agree.
fn check(patron: &Patron, args: &SoakArgs) -> Result<bool> {
    let done = patron.command()?.args(["check", "--data"]).arg(&args.data).output()?;
    print!("{}", String::from_utf8_lossy(&done.stdout));
    Ok(done.status.success())
}
