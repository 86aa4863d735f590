//! What the number of customers costs. Two databases, in turn, in rounds: time from start to ready,
//! memory idle and under load, and each kind of call as a ratio of the large one to the small one
//! of the same round.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Args;

use crate::{
    figures::median,
    load::{Load, Measured},
    program::{Memory, Patron},
    rates::works::Kind,
    stock::Stock,
};

/// Pause before idle memory is read.
const SETTLES: Duration = Duration::from_secs(1);
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

/// What is called, and by how many connections.
const WORKS: [(Kind, &str, usize); 4] = [
    (Kind::Get("native"), "GET by number", 32),
    (Kind::Find(|n| format!("/v1/customers?email=person.{n}@example.com")), "search by e-mail", 32),
    (Kind::Find(|n| format!("/v1/customers?limit=50&number[gt]={n}")), "list of 50", 32),
    (Kind::Patch, "PATCH with If-Match, durable", 64),
];

/// What was seen of one database, by round.
#[derive(Default)]
struct Seen {
    ready_ms: Vec<f64>,
    idle: Vec<Memory>,
    loaded: Vec<Memory>,
    calls: BTreeMap<&'static str, Vec<Measured>>,
}

/// Runs it.
///
/// # Errors
/// When a database cannot be made, or a server does not start or refuses a call.
pub async fn run(patron: &Patron, args: SizesArgs) -> Result<()> {
    ensure!(args.rounds > 0 && args.seconds > 0, "at least one round of one second");
    let mut sizes = vec![args.small];
    sizes.extend((args.large != args.small).then_some(args.large));
    let mut bases = Vec::new();
    for count in &sizes {
        let folder = args.data.join(count.to_string());
        let stock = Stock::ensure(&folder, *count).await?;
        bases.push((folder, stock, Seen::default()));
    }
    for round in 1..=args.rounds {
        self::round(patron, &mut bases, args.seconds).await?;
        println!("round {round} of {} is done", args.rounds);
    }
    report(&bases);
    Ok(())
}

/// One life of each server: start, rest, every kind of call on one after the other.
async fn round(patron: &Patron, bases: &mut [(PathBuf, Stock, Seen)], seconds: u64) -> Result<()> {
    let mut programs = Vec::new();
    for (folder, _, seen) in bases.iter_mut() {
        let program = patron.on_folder(folder)?.unlimited().start().await?;
        seen.ready_ms.push(program.ready_after.as_secs_f64() * 1e3);
        tokio::time::sleep(SETTLES).await;
        seen.idle.push(program.memory()?);
        programs.push((program, Memory::default()));
    }
    for (kind, name, connections) in WORKS {
        for ((_, data, seen), (program, most)) in bases.iter_mut().zip(&mut programs) {
            let askers = kind.askers(connections, program, data).await?;
            let measuring = Load::full(connections, seconds).measure(&program.address, askers);
            let measured = program.watched(most, measuring).await?;
            seen.calls.entry(name).or_default().push(measured);
        }
    }
    for ((_, _, seen), (program, most)) in bases.iter_mut().zip(programs) {
        seen.loaded.push(most);
        program.stop()?;
    }
    Ok(())
}

fn report(bases: &[(PathBuf, Stock, Seen)]) {
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
    for (_, name, _) in WORKS {
        for (_, data, seen) in bases {
            let (Some(all), Some(first)) = (seen.calls.get(name), small.calls.get(name)) else {
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
