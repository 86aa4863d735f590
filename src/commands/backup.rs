//! `patron backup`, `check`, `compact` and `migrate`.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use async_compression::tokio::write::{GzipEncoder, ZstdEncoder};
use clap::{Args, ValueEnum};
use patron_app::{
    App, Clock,
    audit::{self, Act},
    documents::{UNJOURNALED, implied},
    keyring,
};
use patron_store::{DumpSummary, Store, position_of};
use tokio::io::{AsyncWrite, AsyncWriteExt as _, BufWriter};

use super::{explain, restore::read};
use crate::{Deployment, files, master_key::Source, open, operator, settings::Settings};

/// What stands for standard input and output.
pub(super) const STREAM: &str = "-";
/// The audit trail's word for a full backup.
pub(super) const BACKED_UP: &str = "deployment.backed_up";
/// The audit trail's word for an increment.
pub(super) const CHANGES_BACKED_UP: &str = "deployment.changes_backed_up";

/// How a backup is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Compression {
    /// Lines of JSON.
    None,
    /// For programs that know nothing else.
    Gzip,
    /// Small and fast.
    Zstd,
}

impl Compression {
    /// As the name of a file says.
    pub fn of(file: &Path) -> Compression {
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("zst" | "zstd") => Compression::Zstd,
            Some("gz") => Compression::Gzip,
            _ => Compression::None,
        }
    }
}

/// Write everything, or what changed, to a file.
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// The file, which must not exist; - writes to standard output.
    file: PathBuf,
    /// An earlier backup, full or increment, or what --position wrote with it: only what changed
    /// since goes into the file.
    #[arg(long, value_name = "FILE")]
    since: Option<PathBuf>,
    /// Write where this backup stands to this small file, for the --since of the next one.
    #[arg(long, value_name = "FILE")]
    position: Option<PathBuf>,
    /// How it is compressed; by the file's name (.zst, .gz) otherwise.
    #[arg(long, value_enum, value_name = "WORD")]
    compress: Option<Compression>,
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
/// When it cannot be written, or is to go on from what this data does not go on from.
pub async fn backup(args: BackupArgs) -> Result<()> {
    let settings = args.deployment.settings()?;
    if args.file.exists() {
        bail!("{} exists already; a backup never overwrites", args.file.display());
    }
    let compression = args.compress.unwrap_or_else(|| Compression::of(&args.file));
    let since = match &args.since {
        Some(file) => Some(position_of(read(file).await?).await?),
        None => None,
    };
    let store = open::store(&settings).await?;
    let dump = async |out: &mut Out| {
        let (written, action) = match since {
            Some(since) => {
                let whole = UNJOURNALED.as_slice();
                (store.dump_since(since, whole, &mut **out).await?, CHANGES_BACKED_UP)
            }
            None => (store.dump(&mut **out).await?, BACKED_UP),
        };
        // No backup without its entry: the file gets its name afterwards.
        tell(&store, "backup", action).await?;
        Ok(written)
    };
    let is_stream = args.file == Path::new(STREAM);
    let written = match is_stream {
        true => pack(Box::new(stream(std::io::stdout())?), compression, dump).await,
        false => write(&args.file, compression, dump).await,
    };
    store.close().await;
    let (summary, position) = written.context("the backup failed")?;
    if let Some(file) = &args.position {
        files::write(file, &position.line()?)
            .with_context(|| format!("{} cannot be written", file.display()))?;
    }
    let (summary, what) = (
        shown(&summary),
        match &args.since {
            Some(since) => format!("what changed since {}", since.display()),
            None => "everything".to_owned(),
        },
    );
    let key = "The master key is not part of it: keep master.key (or secrets.master_key) too.";
    match is_stream {
        true => eprintln!("Wrote {what}:\n{summary}{key}"),
        false => println!("Wrote {what} to {}:\n{summary}{key}", args.file.display()),
    }
    Ok(())
}

/// Standard input or output as a file.
pub(super) fn stream(of: impl AsFd) -> Result<tokio::fs::File> {
    let owned = of.as_fd().try_clone_to_owned()?;
    Ok(tokio::fs::File::from_std(owned.into()))
}

/// Where a dump goes.
pub type Out = Box<dyn AsyncWrite + Unpin + Send>;

/// Writes a file that is complete under its name or not there at all.
///
/// # Errors
/// When it cannot be written, or `dump` fails.
pub async fn write<T>(
    file: &Path,
    compression: Compression,
    dump: impl AsyncFnOnce(&mut Out) -> Result<T>,
) -> Result<T> {
    let mut unfinished = file.as_os_str().to_owned();
    unfinished.push(".unfinished");
    let unfinished = PathBuf::from(unfinished);
    let opened = files::create(&unfinished)
        .with_context(|| format!("{} cannot be written", unfinished.display()))?;
    let out = tokio::fs::File::from_std(opened.try_clone()?);
    let written = pack(Box::new(BufWriter::new(out)), compression, dump).await?;
    tokio::task::spawn_blocking(move || opened.sync_all()).await??;
    tokio::fs::rename(&unfinished, file).await?;
    // The new name is only safe once its folder is.
    files::sync_names(file)?;
    Ok(written)
}

/// Writes compressed what `dump` writes, to the end.
async fn pack<T>(
    out: Out,
    compression: Compression,
    dump: impl AsyncFnOnce(&mut Out) -> Result<T>,
) -> Result<T> {
    let mut out: Out = match compression {
        Compression::None => out,
        Compression::Gzip => Box::new(GzipEncoder::new(out)),
        Compression::Zstd => Box::new(ZstdEncoder::new(out)),
    };
    let written = dump(&mut out).await?;
    out.shutdown().await.context("it cannot be written to its end")?;
    Ok(written)
}

/// Writes an entry of the audit trail about the whole deployment. The master key is not needed for
/// that: after a restore it is not there yet.
pub(super) async fn tell(store: &Store, command: &str, action: &str) -> Result<()> {
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

/// A summary in lines.
pub(super) fn shown(summary: &DumpSummary) -> String {
    let lines = summary.rows.iter().map(|(table, rows)| format!("  {rows:>10} {table}\n"));
    lines.collect::<String>() + &format!("  SHA-256 {}\n", summary.sha256)
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

/// Looks for damage in an open store.
///
/// # Errors
/// When there is some.
pub(super) async fn look(store: &Store) -> Result<()> {
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
