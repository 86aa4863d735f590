//! Limit and product in turn on the same machine, interleaved, in rounds; medians and ratios to the
//! limit of the same round. What is measured carries real authentication, validation, the journal
//! and all indexes. Only the ratios are worth comparing.

pub mod works;

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;
use serde_json::json;

use self::works::Work;
use crate::{
    figures::median,
    limit,
    load::Measured,
    program::Patron,
    stock::{self, Stock},
};

/// Rates: this machine's limit and Patron, in turn.
#[derive(Debug, Args)]
pub struct RatesArgs {
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
    /// Print JSON too, one figure a line.
    #[arg(long)]
    json: bool,
}

/// What was measured of one kind of work, by round, and how it compares with the limit.
#[derive(Default)]
pub struct Figure {
    rates: Vec<f64>,
    ratios: Vec<f64>,
    p50_ms: Vec<f64>,
    p99_ms: Vec<f64>,
}

/// The medians of a figure.
pub struct Medians {
    /// Answers per second.
    pub rate: f64,
    /// The same as a part of the limit.
    pub ratio: f64,
    /// Median time of an answer.
    pub p50_ms: f64,
    /// The time that 99 of 100 answers stay under.
    pub p99_ms: f64,
}

impl Figure {
    /// Takes a round over.
    pub fn add(&mut self, measured: &Measured, limit: f64) {
        self.rates.push(measured.rate);
        self.ratios.push(measured.rate / limit);
        self.p50_ms.push(measured.p50_ms);
        self.p99_ms.push(measured.p99_ms);
    }

    /// The middle of all rounds.
    pub fn medians(&self) -> Medians {
        let Figure { rates, ratios, p50_ms, p99_ms } = self;
        let [rate, ratio, p50_ms, p99_ms] = [rates, ratios, p50_ms, p99_ms].map(|all| median(all));
        Medians { rate, ratio, p50_ms, p99_ms }
    }
}

/// Measures.
///
/// # Errors
/// When a server does not start or answers anything but success.
pub async fn run(patron: &Patron, args: RatesArgs) -> Result<()> {
    ensure!(args.rounds > 0 && args.seconds > 0, "at least one round of one second");
    let data = Stock::ensure(&args.data, args.customers).await?;
    stock::warm(&args.data)?;
    let is_wanted = |work: &Work| work.name.contains(&args.only);
    let mut works: Vec<(Work, Figure)> =
        works::all().into_iter().filter(is_wanted).map(|w| (w, Figure::default())).collect();
    let RatesArgs { rounds, seconds, .. } = args;
    println!("Measuring {rounds} rounds of {seconds} s each; {} customers.", data.count);
    for round in 1..=rounds {
        let limit = limit::measure(seconds).await?;
        for (work, figure) in &mut works {
            let launch = patron.on_folder(&args.data)?.unlimited();
            let server = launch.flushing(work.flush, &args.data)?.start().await?;
            let measured = works::measure(work, &server, &data, seconds).await?;
            figure.add(&measured, limit.rate);
            println!("round {round}: {:<44} {:>9.0}/s", work.name, measured.rate);
        }
        println!("round {round}: {:<44} {:>9.0}/s", "limit: static reply", limit.rate);
    }
    report(&works, args.json);
    Ok(())
}

fn report(works: &[(Work, Figure)], as_json: bool) {
    println!("\n| work | per second | ratio to the static reply | p50 ms | p99 ms |");
    println!("|---|---|---|---|---|");
    for (Work { name, .. }, figure) in works {
        let Medians { rate, ratio, p50_ms, p99_ms } = figure.medians();
        println!("| {name} | {rate:.0} | {ratio:.3} | {p50_ms:.2} | {p99_ms:.2} |");
        if as_json {
            let figures = json!({"rate": rate, "ratio": ratio, "p50_ms": p50_ms, "p99_ms": p99_ms});
            println!("{}", json!({"work": name, "figures": figures}));
        }
    }
}
