//! `patron bench --instructions`: instructions of the server for one call of each kind, counted by
//! callgrind. Unlike times they hardly depend on what else the machine does, so they have bounds.

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};

use super::{
    client,
    preload::Preloaded,
    servers::{Flush, Server},
    works,
    works::Work,
};

/// Calls before those that count, so that caches and statements are there.
const CALLS_FIRST: u64 = 200;
/// Calls that count.
const CALLS: u64 = 400;
/// Bounds: a kind of work and its instructions at most, in thousands, tab-separated; 15 % above
/// what a release build needed with 2 000 customers when the bound was set.
const BOUNDS: &str = include_str!("instructions.tsv");

/// Counts the instructions of each kind of work and compares them with their bounds.
///
/// # Errors
/// When valgrind is missing, a call fails, or a bound is exceeded.
pub async fn run(data: &Path, preloaded: &Preloaded, works: &[Work]) -> Result<()> {
    println!("| work | thousand instructions a call | at most |\n|---|---|---|");
    let mut exceeded = Vec::new();
    for work in works.iter().filter(|work| work.flush == Flush::Disk) {
        let thousands = count(data, preloaded, work).await? / 1e3;
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
async fn count(data: &Path, preloaded: &Preloaded, work: &Work) -> Result<f64> {
    let counts = std::env::temp_dir().join(format!("patron-callgrind-{}", std::process::id()));
    let server = Server::counted(data, &counts).await?;
    works::repeat(work, &server, preloaded, CALLS_FIRST).await?;
    let mut calls = works::askers(work, &server, preloaded).await?(0);
    server.count(true)?;
    client::repeat(&server.address, &mut calls, CALLS).await?;
    server.count(false)?;
    server.stop().await?;
    let text = std::fs::read_to_string(&counts).context("callgrind left no counts")?;
    std::fs::remove_file(&counts)?;
    let line = text.lines().find_map(|line| line.strip_prefix("totals: "));
    match line.and_then(|count| count.trim().parse::<f64>().ok()) {
        Some(count) => Ok(count / CALLS as f64),
        None => bail!("callgrind left no total"),
    }
}
