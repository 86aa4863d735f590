//! `patron backup`, `restore`, `check` and `migrate`.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use patron_app::documents::{KINDS, expected_columns};
use patron_store::{DumpSummary, Store};
use tokio::io::{AsyncWriteExt as _, BufReader, BufWriter};

use crate::{Deployment, open};

/// Write everything to a file.
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// The file; it must not exist.
    file: PathBuf,
    #[command(flatten)]
    deployment: Deployment,
}

/// Read a backup into an empty database.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The file that `patron backup` wrote, from either engine.
    file: PathBuf,
    #[command(flatten)]
    deployment: Deployment,
}

/// Look for damage.
#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    deployment: Deployment,
}

/// Bring the tables to this version's shape.
#[derive(Debug, Args)]
pub struct MigrateArgs {
    #[command(flatten)]
    deployment: Deployment,
}

/// Writes a backup: one consistent moment, while the server goes on. The file is complete under its
/// name or not there at all.
///
/// # Errors
/// When it cannot be written.
pub async fn backup(args: BackupArgs) -> Result<()> {
    if args.file.exists() {
        bail!("{} exists already; a backup never overwrites", args.file.display());
    }
    let settings = args.deployment.settings()?;
    let store = open::store(&settings.location()?, &settings).await?;
    let mut unfinished = args.file.clone().into_os_string();
    unfinished.push(".unfinished");
    let unfinished = PathBuf::from(unfinished);
    let file = tokio::fs::File::create(&unfinished)
        .await
        .with_context(|| format!("{} cannot be written", unfinished.display()))?;
    let mut out = BufWriter::new(file);
    let dumped = store.dump(&mut out).await;
    store.close().await;
    let summary = dumped.context("the backup failed")?;
    out.flush().await?;
    out.into_inner().sync_all().await?;
    tokio::fs::rename(&unfinished, &args.file).await?;
    // The new name is only safe once its folder is.
    open::sync_names(&args.file)?;
    println!("Wrote {}:", args.file.display());
    show(&summary);
    println!("The master key is not part of it: keep master.key (or secrets.master_key) too.");
    Ok(())
}

/// Restores a backup and verifies counts, hash and content.
///
/// # Errors
/// When the database is not empty, or the file is not whole.
pub async fn restore(args: RestoreArgs) -> Result<()> {
    let settings = args.deployment.settings()?;
    if let Some(folder) = settings.folder() {
        tokio::fs::create_dir_all(&folder).await?;
    }
    let file = tokio::fs::File::open(&args.file)
        .await
        .with_context(|| format!("{} cannot be read", args.file.display()))?;
    let mut reader = BufReader::new(file);
    let location = settings.location()?;
    let summary =
        Store::restore(&location, KINDS, &mut reader).await.context("nothing was restored")?;
    println!("Restored {} into {location}:", args.file.display());
    show(&summary);
    look(&open::store(&location, &settings).await?).await
}

fn show(summary: &DumpSummary) {
    for (table, rows) in &summary.rows {
        println!("  {rows:>10} {table}");
    }
    println!("  SHA-256 {}", summary.sha256);
}

/// Looks for damage.
///
/// # Errors
/// When there is some.
pub async fn check(args: CheckArgs) -> Result<()> {
    let settings = args.deployment.settings()?;
    look(&open::store(&settings.location()?, &settings).await?).await
}

async fn look(store: &Store) -> Result<()> {
    let report = store.check(&|kind, row| expected_columns(kind, row)).await?;
    println!(
        "Checked {} records, {} journal entries, {} search terms.",
        report.records, report.entries, report.terms
    );
    for finding in &report.findings {
        println!("  {finding}");
    }
    let count = report.findings.len() as u64 + report.findings_left_out;
    if count > 0 {
        bail!("{count} findings");
    }
    println!("Everything agrees.");
    Ok(())
}

/// Brings the tables to this version's shape.
///
/// # Errors
/// When it cannot.
pub async fn migrate(args: MigrateArgs) -> Result<()> {
    let settings = args.deployment.settings()?;
    let location = settings.location()?;
    open::store(&location, &settings).await?.close().await;
    println!("{location} has the shape of Patron {}.", env!("CARGO_PKG_VERSION"));
    Ok(())
}
