//! `patron bench`: limit and product in turn on the same machine, interleaved, in rounds; medians
//! and ratios to the limit of the same round. What is measured carries real authentication,
//! validation, the journal and all indexes. Only the ratios are worth comparing.

mod client;
mod instructions;
mod neighbour;
mod overload;
pub mod peer;
mod postgres;
pub mod preload;
mod servers;
pub mod sizes;
mod works;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;
use serde_json::json;

pub use self::postgres::{PostgresArgs, run as run_postgres};
use self::{client::Measured, servers::Server, works::Work};

/// Measure the speed of this machine's limit and of Patron, in turn.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Customers in the database; made at the first run, kept in the folder.
    #[arg(long, default_value_t = 1_000_000)]
    customers: u64,
    /// Rounds; the median of each figure is printed.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds each figure is measured in each round.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Folder of the benchmark's database.
    #[arg(long, value_name = "DIR", default_value = "target/bench-data")]
    data: PathBuf,
    /// Only works whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// Measure instead what is left of the peak at three times its load.
    #[arg(long)]
    overload: bool,
    /// Measure instead the times of one tenant, alone and while another does the worst it can.
    #[arg(long)]
    neighbour: bool,
    /// Print JSON too, one figure a line.
    #[arg(long)]
    json: bool,
    /// Count instructions of single calls (with valgrind) instead of measuring rates, and compare
    /// them with their bounds.
    #[arg(long)]
    instructions: bool,
}

/// Serve a fixed reply of 900 bytes: the limit that everything is compared with.
#[derive(Debug, Args)]
pub struct StaticArgs {
    /// Address and port to listen at.
    #[arg(long)]
    listen: String,
}

/// Runs the limit's server until it is killed.
///
/// # Errors
/// When it cannot listen.
pub async fn serve_static(args: StaticArgs) -> Result<()> {
    servers::serve_static(&args.listen).await
}

/// One figure: rates and latencies by round.
#[derive(Default)]
struct Figure {
    rates: Vec<f64>,
    ratios: Vec<f64>,
    p50_us: Vec<f64>,
    p99_us: Vec<f64>,
}

/// Runs the benchmark.
///
/// # Errors
/// When a server does not start or answers anything but success.
pub async fn run(args: BenchArgs) -> Result<()> {
    ensure!(args.rounds > 0 && args.seconds > 0, "at least one round of one second");
    let data = preload::ensure(&args.data, args.customers).await?;
    preload::warm(&args.data)?;
    let works: Vec<Work> =
        works::all().into_iter().filter(|work| work.name.contains(&args.only)).collect();
    if args.instructions {
        return instructions::run(&args.data, &data, &works).await;
    }
    if args.neighbour {
        return neighbour::run(&args.data, &data, args.rounds, args.seconds).await;
    }
    if args.overload {
        let server = Server::patron(&args.data, servers::Flush::Disk).await?;
        return overload::run(&server, &data, args.seconds).await;
    }
    println!(
        "Measuring {} rounds of {} s each; {} customers.",
        args.rounds, args.seconds, data.count
    );
    let mut figures: BTreeMap<usize, Figure> = BTreeMap::new();
    for round in 1..=args.rounds {
        let limit = measure_limit(args.seconds).await?;
        for (at, work) in works.iter().enumerate() {
            let server = Server::patron(&args.data, work.flush).await?;
            let measured = works::measure(work, &server, &data, args.seconds).await?;
            drop(server);
            let figure = figures.entry(at).or_default();
            figure.rates.push(measured.rate);
            figure.ratios.push(measured.rate / limit.rate);
            figure.p50_us.push(measured.p50_us);
            figure.p99_us.push(measured.p99_us);
            println!("round {round}: {:<44} {:>9.0}/s", work.name, measured.rate);
        }
        println!("round {round}: {:<44} {:>9.0}/s", "limit: static reply", limit.rate);
    }
    report(&works, &figures, args.json);
    Ok(())
}

async fn measure_limit(seconds: u64) -> Result<Measured> {
    let server = Server::limit().await?;
    let target = "GET / HTTP/1.1\r\nhost: x\r\n\r\n".to_owned();
    client::load(&server.address, 32, seconds, move |_| {
        let target = target.clone();
        client::Asker::new(move || target.clone().into_bytes())
    })
    .await
}

fn report(works: &[Work], figures: &BTreeMap<usize, Figure>, as_json: bool) {
    println!(
        "\n| work | per second | ratio to the static reply | p50 ms | p99 ms |\n|---|---|---|---|---|"
    );
    for (at, work) in works.iter().enumerate() {
        let Some(figure) = figures.get(&at) else { continue };
        let (rate, ratio) = (median(&figure.rates), median(&figure.ratios));
        let (p50, p99) = (median(&figure.p50_us) / 1e3, median(&figure.p99_us) / 1e3);
        println!("| {} | {rate:.0} | {ratio:.3} | {p50:.2} | {p99:.2} |", work.name);
        if as_json {
            let line = json!({"work": work.name, "rate": rate, "ratio": ratio, "p50_ms": p50, "p99_ms": p99});
            println!("{line}");
        }
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
