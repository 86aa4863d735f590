//! Instructions of the server for one call of each kind, counted by callgrind. Unlike times they
//! hardly depend on what else the machine does, so they have bounds.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use crate::{
    load,
    program::{Flush, Patron},
    rates::works::{self, Work},
    stock::Stock,
};

/// Calls before those that count, and the same: what is measured is a call that is made again.
const CALLS_FIRST: u64 = CALLS;
/// Calls that count.
const CALLS: u64 = 400;
/// Bounds: a kind of work and its instructions at most, in thousands, tab-separated; 15 % above
/// what the program as it is shipped needed with 2 000 customers when the bound was set.
const BOUNDS: &str = include_str!("instructions.tsv");

/// Instructions of single calls, compared with their bounds.
#[derive(Debug, Args)]
pub struct InstructionsArgs {
    /// Customers in the database; made at the first run, kept in the folder.
    #[arg(long, default_value_t = 2_000)]
    customers: u64,
    /// Folder of the benchmark's database.
    #[arg(long, value_name = "DIR", default_value = "target/bench-instructions")]
    data: PathBuf,
    /// Only works whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
}

/// Counts the instructions of each kind of work and compares them with their bounds.
///
/// # Errors
/// When valgrind is missing, a call fails, or a bound is exceeded.
pub async fn run(patron: &Patron, args: InstructionsArgs) -> Result<()> {
    let data = Stock::ensure(&args.data, args.customers).await?;
    println!("| work | thousand instructions a call | at most |\n|---|---|---|");
    let mut exceeded = Vec::new();
    let wanted = works::all().into_iter().filter(|work| work.name.contains(&args.only));
    for work in wanted.filter(|work| work.flush == Flush::Disk) {
        let thousands = count(patron, &args.data, &data, &work).await? / 1e3;
        let bound = bound(work.name)?;
        println!("| {} | {thousands:.1} | {bound} |", work.name);
        if thousands > bound {
            exceeded.push(work.name);
        }
    }
    ensure!(exceeded.is_empty(), "more instructions than allowed: {}", exceeded.join("; "));
    Ok(())
}

fn bound(work: &str) -> Result<f64> {
    let line = BOUNDS.lines().find_map(|line| line.strip_prefix(work)?.strip_prefix('\t'));
    let line = line.with_context(|| format!("instructions.tsv has no bound for: {work}"))?;
    line.trim().parse().with_context(|| format!("the bound of {work} is not a number"))
}

/// Instructions of the server for one call, on average.
async fn count(patron: &Patron, folder: &Path, data: &Stock, work: &Work) -> Result<f64> {
    let counts = std::env::temp_dir().join(format!("patron-callgrind-{}", std::process::id()));
    let launch = patron.counted(folder, &counts)?.unlimited();
    let server = launch.start().await.context("is valgrind installed?")?;
    load::repeat(&server.address, &mut work.askers(&server, data).await?(0), CALLS_FIRST).await?;
    let mut calls = work.askers(&server, data).await?(0);
    server.count(true)?;
    load::repeat(&server.address, &mut calls, CALLS).await?;
    server.count(false)?;
    server.stop()?;
    let text = std::fs::read_to_string(&counts).context("callgrind left no counts")?;
    std::fs::remove_file(&counts)?;
    let line = text.lines().find_map(|line| line.strip_prefix("totals: "));
    let total: f64 = line.and_then(|count| count.trim().parse().ok()).context("no total")?;
    Ok(total / CALLS as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_work_has_a_bound() {
        for work in works::all().iter().filter(|work| work.flush == Flush::Disk) {
            assert!(bound(work.name).expect("a bound") > 0.0, "{}", work.name);
        }
        assert!(bound("GET by id, nat").is_err(), "the whole name counts");
    }
}
