//! The most that the server bears, then three times as much. Rate of successes, share of refusals,
//! latency and resident memory, side by side.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Args;

use crate::{
    load::{Asker, Load, Pace, Seen},
    program::{Memory, Patron, Program},
    signer::Signer,
    stock::{self, Stock},
};

/// Connections while the most that can be borne is looked for.
const PEAK_CONNECTIONS: usize = 64;
/// Connections under overload: twice the requests that may be in work.
const OVERLOAD_CONNECTIONS: usize = 2_048;
/// How often the load is beyond the peak.
const TIMES: f64 = 3.0;
/// Least rate under overload as a part of the peak.
const KEPT_MIN: f64 = 0.8;
/// Bytes of the unit of the report.
const MIB: u64 = 1024 * 1024;

/// What is left of the peak at three times its load.
#[derive(Debug, Args)]
pub struct OverloadArgs {
    /// Customers in the database; made at the first run, kept in the folder.
    #[arg(long, default_value_t = 100_000)]
    customers: u64,
    /// Seconds of each phase.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Folder of the benchmark's database.
    #[arg(long, value_name = "DIR", default_value = "target/bench-overload")]
    data: PathBuf,
}

/// Measures the peak and the overload.
///
/// # Errors
/// When the server answers anything but success or a refusal with `Retry-After`, or does not bear
/// the load as promised.
pub async fn run(patron: &Patron, args: OverloadArgs) -> Result<()> {
    let data = Stock::ensure(&args.data, args.customers).await?;
    stock::warm(&args.data)?;
    let server = patron.on_folder(&args.data)?.unlimited().start().await?;
    println!("Memory before: {} MiB.\n", server.memory()?.resident / MIB);
    println!("| load | offered/s | done/s | refused/s | p99 ms | memory MiB at most |");
    println!("|---|---|---|---|---|---|");
    let full = Load { may_refuse: true, ..Load::full(PEAK_CONNECTIONS, args.seconds) };
    let peak = phase("peak", &server, &data, full).await?;
    let every = Duration::from_secs_f64(OVERLOAD_CONNECTIONS as f64 / (peak.rate() * TIMES));
    let beyond = Load { connections: OVERLOAD_CONNECTIONS, pace: Pace::OrNever(every), ..full };
    let over = phase("three times the peak", &server, &data, beyond).await?;
    let after = phase("peak again", &server, &data, full).await?;
    let kept = over.rate() / peak.rate();
    println!("\nUnder overload {kept:.2} of the peak was done (at least {KEPT_MIN}).");
    ensure!(kept >= KEPT_MIN, "throughput collapses under overload");
    ensure!(after.rate() / peak.rate() >= KEPT_MIN, "the server does not recover from overload");
    Ok(())
}

async fn phase(name: &str, server: &Program, data: &Stock, load: Load) -> Result<Seen> {
    let signer = Signer::new("native", &data.keys)?;
    let numbers = data.numbers();
    let asker = |n| mix(signer.clone(), Arc::clone(&numbers), n);
    let mut most = Memory::default();
    let seen = server.watched(&mut most, load.run(&server.address, asker)).await?;
    println!(
        "| {name} | {:.0} | {:.0} | {:.0} | {:.1} | {} |",
        seen.offered(),
        seen.rate(),
        seen.refused(),
        seen.ms(0.99),
        most.resident / MIB
    );
    Ok(seen)
}

/// Seven reads by id, one search by e-mail and two durable changes in ten.
fn mix(signer: Signer, numbers: Arc<[i64]>, n: usize) -> Asker {
    let mut turn = n * 7_919;
    Box::new(move |_| {
        turn += 1;
        let number = numbers[turn * 31 % numbers.len()];
        let one = format!("/v1/customers/{number}");
        match turn % 10 {
            0 | 5 => signer.request("PATCH", &one, &[], &format!("{{\"title\":\"T{turn}\"}}")),
            3 => signer.get(&format!("/v1/customers?email=person.{number}@example.com")),
            _ => signer.get(&one),
        }
    })
}
