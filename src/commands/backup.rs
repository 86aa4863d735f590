//! `patron backup`, `restore`, `check` and `migrate`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use patron_app::{
    App, Clock,
    audit::{self, Act},
    documents::{KINDS, implied},
    keyring,
};
use patron_store::{DumpSummary, Store};
use tokio::io::{AsyncWriteExt as _, BufReader, BufWriter};

use super::explain;
use crate::{Deployment, files, master_key::Source, open, operator, settings::Settings};

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

/// Let go of what deleted records left in the data file.
#[derive(Debug, Args)]
pub struct CompactArgs {
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
    let settings = args.deployment.settings()?;
    if args.file.exists() {
        bail!("{} exists already; a backup never overwrites", args.file.display());
    }
    let store = open::store(&settings).await?;
    let written = write(&args.file, async |out| {
        let summary = store.dump(out).await?;
        // No backup without its entry: the file gets its name afterwards.
        tell(&store, "backup", "deployment.backed_up").await?;
        Ok(summary)
    })
    .await;
    store.close().await;
    let summary = written.context("the backup failed")?;
    println!("Wrote {}:", args.file.display());
    show(&summary);
    println!("The master key is not part of it: keep master.key (or secrets.master_key) too.");
    Ok(())
}

/// Writes a file that is complete under its name or not there at all.
///
/// # Errors
/// When it cannot be written, or `dump` fails.
pub async fn write(
    file: &Path,
    dump: impl AsyncFnOnce(&mut BufWriter<tokio::fs::File>) -> Result<DumpSummary>,
) -> Result<DumpSummary> {
    let mut unfinished = file.as_os_str().to_owned();
    unfinished.push(".unfinished");
    let unfinished = PathBuf::from(unfinished);
    let opened = files::create(&unfinished)
        .with_context(|| format!("{} cannot be written", unfinished.display()))?;
    let mut out = BufWriter::new(tokio::fs::File::from_std(opened));
    let summary = dump(&mut out).await?;
    out.flush().await?;
    out.into_inner().sync_all().await?;
    tokio::fs::rename(&unfinished, file).await?;
    // The new name is only safe once its folder is.
    files::sync_names(file)?;
    Ok(summary)
}

/// Restores a backup and verifies counts, hash and content.
///
/// # Errors
/// When the database is not empty, or the file is not whole.
pub async fn restore(args: RestoreArgs) -> Result<()> {
    let settings = args.deployment.settings()?;
    if let Some(folder) = settings.folder() {
        files::make_folder(&folder)?;
    }
    let file = tokio::fs::File::open(&args.file)
        .await
        .with_context(|| format!("{} cannot be read", args.file.display()))?;
    let mut reader = BufReader::new(file);
    let location = settings.location()?;
    let summary = Store::restore(&location, KINDS, settings.options(), &mut reader)
        .await
        .context("nothing was restored")?;
    println!("Restored {} into {location}:", args.file.display());
    show(&summary);
    let store = open::store(&settings).await?;
    tell(&store, "restore", "deployment.restored").await?;
    let seen = look(&store).await;
    store.close().await;
    seen
}

/// Writes an entry of the audit trail about the whole deployment. The master key is not needed for
/// that: after a restore it is not there yet.
async fn tell(store: &Store, command: &str, action: &str) -> Result<()> {
    let app = App::without_secrets(store.clone(), Clock::System);
    app.operated_by(operator::login());
    let act = Act { action: action.to_owned(), ..Act::default() };
    let told = audit::note(&app.operator(0, command), act).await;
    told.map_err(|failure| explain(&failure).context("the audit trail could not be written"))
}

/// Lets go of what deleted records left.
///
/// # Errors
/// When it cannot be done now.
pub async fn compact(args: CompactArgs) -> Result<()> {
    let settings = args.deployment.settings()?;
    let location = settings.location()?;
    let store = open::store(&settings).await?;
    let compacted = store.compact().await;
    store.close().await;
    compacted.context("not compacted")?;
    println!("{location} holds nothing any more of what was deleted.");
    Ok(())
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
    let store = open::store(&settings).await?;
    let seen = look(&store).await;
    let unlocked = match seen {
        Ok(()) => open_secrets(&settings, &store).await,
        Err(_) => Ok(()),
    };
    store.close().await;
    seen.and(unlocked)
}

/// Looks whether the master key opens what was sealed.
async fn open_secrets(settings: &Settings, store: &Store) -> Result<()> {
    let needed = keyring::needs_master_key(store).await.map_err(|failure| explain(&failure))?;
    if !needed {
        return Ok(());
    }
    let app = open::app_on(store.clone(), Source::of(settings)?).await?;
    let unopened = app.unopened().await.map_err(|failure| explain(&failure))?;
    for place in &unopened {
        println!("  the secret of {place} does not open");
    }
    anyhow::ensure!(unopened.is_empty(), "{} findings", unopened.len());
    println!("The master key opens everything that was sealed.");
    Ok(())
}

async fn look(store: &Store) -> Result<()> {
    let report = store.check(&|kind, row| implied(kind, row)).await?;
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
    open::store(&settings).await?.close().await;
    println!("{location} has the shape of Patron {}.", env!("CARGO_PKG_VERSION"));
    Ok(())
}
