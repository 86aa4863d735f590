//! `patron bench-sizes`: what the number of customers costs. Two databases, in turn, in rounds:
//! time from start to ready, memory idle and under load, and each kind of call as a ratio of the
//! large one to the small one of the same round.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Args;
use serde_json::json;

use super::preload::{self, Preloaded};
use crate::measure::{
    connection::Connection,
    load::{self, Asker, Measured},
    median,
    program::{Memory, Program},
    signer::Signer,
};

/// Pause before idle memory is read.
const SETTLES: Duration = Duration::from_secs(1);
/// Pause between two looks at memory under load.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// A step that is prime to every count: the whole database is visited.
const STEP: u64 = 7_919;
/// Bytes of the unit of the report.
const MB: f64 = 1e6;

/// Measure start, memory and calls at two numbers of customers.
#[derive(Debug, Args)]
pub struct SizesArgs {
    /// Customers of the small database.
    #[arg(long, default_value_t = 50_000)]
    small: u64,
    /// Customers of the large one; the same number measures start and memory of one alone.
    #[arg(long, default_value_t = 5_000_000)]
    large: u64,
    /// Rounds; medians are printed.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds each call is measured in each round.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Folder of the databases, one folder each by its number; made at the first run, kept.
    #[arg(long, value_name = "DIR", default_value = "target/bench-sizes")]
    data: PathBuf,
}

/// A kind of call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Work {
    Get,
    Search,
    List,
    Patch,
}

const WORKS: [(Work, &str, usize); 4] = [
    (Work::Get, "GET by number", 32),
    (Work::Search, "search by e-mail", 32),
    (Work::List, "list of 50", 32),
    (Work::Patch, "PATCH with If-Match, durable", 64),
];

/// What was seen of one database, by round.
#[derive(Default)]
struct Seen {
    ready_ms: Vec<f64>,
    idle: Vec<Memory>,
    loaded: Vec<Memory>,
    calls: BTreeMap<Work, Vec<Measured>>,
}

/// Runs it.
///
/// # Errors
/// When a database cannot be made, or a server does not start or refuses a call.
pub async fn run(args: SizesArgs) -> Result<()> {
    ensure!(args.rounds > 0 && args.seconds > 0, "at least one round of one second");
    let mut sizes = vec![args.small];
    sizes.extend((args.large != args.small).then_some(args.large));
    let mut bases = Vec::new();
    for count in &sizes {
        let folder = args.data.join(count.to_string());
        std::fs::create_dir_all(&folder)?;
        let preloaded = preload::ensure(&folder, *count).await?;
        bases.push((folder, preloaded, Seen::default()));
    }
    for round in 1..=args.rounds {
        self::round(&mut bases, args.seconds).await?;
        println!("round {round} of {} is done", args.rounds);
    }
    report(&bases);
    Ok(())
}

/// One life of each server: start, rest, every kind of call on one after the other.
async fn round(bases: &mut [(PathBuf, Preloaded, Seen)], seconds: u64) -> Result<()> {
    let unlimited = [("PATRON__LIMITS__REQUESTS_PER_MINUTE", "0")];
    let mut programs = Vec::new();
    for (folder, _, seen) in bases.iter_mut() {
        let program = Program::serve(folder, &unlimited).await?;
        seen.ready_ms.push(program.ready_after.as_secs_f64() * 1e3);
        tokio::time::sleep(SETTLES).await;
        seen.idle.push(program.memory()?);
        programs.push((program, Memory::default()));
    }
    for (work, _, connections) in WORKS {
        for ((_, data, seen), (program, most)) in bases.iter_mut().zip(&mut programs) {
            let measured = watched(work, connections, program, data, seconds, most).await?;
            seen.calls.entry(work).or_default().push(measured);
        }
    }
    for ((_, _, seen), (program, most)) in bases.iter_mut().zip(programs) {
        seen.loaded.push(most);
        program.stop()?;
    }
    Ok(())
}

/// Measures while looking at the memory; keeps the largest.
async fn watched(
    work: Work,
    connections: usize,
    program: &Program,
    data: &Preloaded,
    seconds: u64,
    most: &mut Memory,
) -> Result<Measured> {
    let measuring = measure(work, connections, program, data, seconds);
    tokio::pin!(measuring);
    loop {
        tokio::select! {
            measured = &mut measuring => return measured,
            () = tokio::time::sleep(LOOK_EVERY) => {
                let now = program.memory()?;
                *most = Memory {
                    resident: most.resident.max(now.resident),
                    own: most.own.max(now.own),
                    file: most.file.max(now.file),
                };
            }
        }
    }
}

async fn measure(
    work: Work,
    connections: usize,
    program: &Program,
    data: &Preloaded,
    seconds: u64,
) -> Result<Measured> {
    let signer = Signer::new("native", &data.keys)?;
    if work == Work::Patch {
        return patch(connections, program, data, seconds).await;
    }
    let (next, count) = (Arc::new(AtomicU64::new(1)), data.count);
    let sample: Arc<Vec<i64>> = Arc::new(data.sample.iter().map(|(number, _)| *number).collect());
    load::load(&program.address, connections, seconds, |_| -> Asker {
        let (signer, next, sample) = (signer.clone(), Arc::clone(&next), Arc::clone(&sample));
        Box::new(move |_| {
            let n = next.fetch_add(STEP, Ordering::Relaxed) % count;
            let number = usize::try_from(n).ok().and_then(|n| sample.get(n % sample.len()));
            let number = number.copied().unwrap_or(1);
            let target = match work {
                Work::Search => format!("/v1/customers?email=person.{n}@example.com"),
                Work::List => format!("/v1/customers?limit=50&number[gt]={number}"),
                Work::Get | Work::Patch => format!("/v1/customers/{number}"),
            };
            signer.request("GET", &target, &[], "")
        })
    })
    .await
}

/// Each connection changes a customer of its own, always naming the version it saw last.
async fn patch(
    connections: usize,
    program: &Program,
    data: &Preloaded,
    seconds: u64,
) -> Result<Measured> {
    let signer = Signer::new("native", &data.keys)?;
    let step = (data.sample.len() / connections).max(1);
    let mut connection = Connection::open(&program.address).await?;
    let mut tagged = Vec::new();
    for (number, _) in data.sample.iter().step_by(step).take(connections) {
        let path = format!("/v1/customers/{number}");
        let shown = connection.ask(&signer.request("GET", &path, &[], "")).await?;
        tagged.push((path, shown.header("etag").unwrap_or_default().to_owned()));
    }
    ensure!(tagged.len() == connections, "too few customers in the sample");
    load::load(&program.address, connections, seconds, |n| -> Asker {
        let (signer, (path, mut tag)) = (signer.clone(), tagged[n].clone());
        let mut turn = 0u64;
        Box::new(move |answer| {
            if let Some(now) = answer.and_then(|answer| answer.header("etag")) {
                tag = now.to_owned();
            }
            turn += 1;
            let body = json!({"title": format!("T{turn}-{tag}")}).to_string();
            signer.request("PATCH", &path, &[("if-match", &tag)], &body)
        })
    })
    .await
}

fn report(bases: &[(PathBuf, Preloaded, Seen)]) {
    println!(
        "\n| customers | start to ready | memory idle: all / own / files | under load, most |"
    );
    println!("|---|---|---|---|");
    let shown = |all: &[Memory]| {
        let of = |of: fn(&Memory) -> u64| {
            median(&all.iter().map(|m| of(m) as f64 / MB).collect::<Vec<_>>())
        };
        format!("{:.1} / {:.1} / {:.1} MB", of(|m| m.resident), of(|m| m.own), of(|m| m.file))
    };
    for (_, data, seen) in bases {
        let (idle, loaded) = (shown(&seen.idle), shown(&seen.loaded));
        println!("| {} | {:.0} ms | {idle} | {loaded} |", data.count, median(&seen.ready_ms));
    }
    println!(
        "\n| call | customers | per second | p50 ms | p99 ms | cost, times the small one's |\n\
         |---|---|---|---|---|---|"
    );
    let Some((_, _, small)) = bases.first() else { return };
    for (work, name, _) in WORKS {
        for (_, data, seen) in bases {
            let (Some(all), Some(first)) = (seen.calls.get(&work), small.calls.get(&work)) else {
                continue;
            };
            let of = |of: fn(&Measured) -> f64| median(&all.iter().map(of).collect::<Vec<_>>());
            let costs = first.iter().zip(all).map(|(small, this)| small.rate / this.rate);
            let cost = median(&costs.collect::<Vec<_>>());
            let (rate, p50, p99) = (of(|m| m.rate), of(|m| m.p50_ms), of(|m| m.p99_ms));
            println!("| {name} | {} | {rate:.0} | {p50:.2} | {p99:.2} | {cost:.2} |", data.count);
        }
    }
}
