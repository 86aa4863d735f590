//! A backlog: an endpoint is paused while customers are imported, goes on, and is told all of them.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use serde_json::json;

use super::{
    place::{Place, PlaceArgs},
    receiver::{Manner, Receiver},
};
use crate::program::{Memory, Patron};

/// Bytes of a megabyte.
const MB: f64 = 1_000_000.0;
/// Pause between two looks whether all have arrived.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A backlog delivered at one go: how fast, and what memory it takes.
#[derive(Debug, Args)]
pub struct DrainArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// Customers that are imported while the endpoint is paused.
    #[arg(long, default_value_t = 1_000_000)]
    customers: u64,
    /// Requests under way at one time.
    #[arg(long, default_value_t = 64)]
    parallel: i64,
    /// Seconds it may take.
    #[arg(long, default_value_t = 3_600)]
    seconds_max: u64,
}

/// Runs it.
///
/// # Errors
/// When the server does not start, or something does not arrive in time.
pub async fn run(patron: &Patron, args: DrainArgs) -> Result<()> {
    let place = Place::new(patron, &args.place, 1)?;
    let receiver = Receiver::start(1).await?;
    let program = place.serve().await?;
    let body = json!({"parallel": args.parallel});
    let number = place.endpoint(&program, 0, (&receiver, Manner::Good), body).await?;
    let one = format!("/v1/webhook-endpoints/{number}");
    place.ask(&program, 0, "PATCH", &one, Some(json!({"enabled": false}))).await?;
    program.stop()?;
    import(&place, args.customers)?;
    let program = place.serve().await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let idle = program.memory()?;
    let go_on = json!({"enabled": true, "resume_from": "kept"});
    place.ask(&program, 0, "PATCH", &one, Some(go_on)).await?;
    let (begin, mut most) = (Instant::now(), Memory::default());
    let arriving = async {
        while receiver.taken() < args.customers {
            let (taken, late) = (receiver.taken(), begin.elapsed().as_secs() >= args.seconds_max);
            ensure!(!late, "{taken} of {} have arrived", args.customers);
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    };
    program.watched(&mut most, arriving).await?;
    let seconds = begin.elapsed().as_secs_f64();
    let seen = receiver.seen();
    println!("| what | measured |\n|---|---|");
    println!("| deliveries per second | {:.0} |", args.customers as f64 / seconds);
    let grown = most.own.saturating_sub(idle.own) as f64 / MB;
    println!("| own memory before / growth, MB | {:.1} / {grown:.1} |", idle.own as f64 / MB);
    println!("| forged, altered | {}, {} |", seen.forged, seen.altered);
    ensure!(seen.forged + seen.altered == 0, "not as they should be; see above");
    drop(seen);
    program.stop()
}

/// Imports as many customers as are wanted.
fn import(place: &Place, count: u64) -> Result<()> {
    use std::io::Write as _;
    let file = std::env::temp_dir().join(format!("patron-drain-{}.csv", std::process::id()));
    let mut out = std::io::BufWriter::new(std::fs::File::create(&file)?);
    writeln!(out, "reference,full_name,email")?;
    for n in 0..count {
        writeln!(out, "r-{n},Person {n},p{n}@example.com")?;
    }
    out.flush()?;
    let name = file.to_str().context("a name in UTF-8")?;
    let imported = place.command(&["import", name, "--space", "1"]);
    std::fs::remove_file(&file)?;
    imported.map(drop)
}
