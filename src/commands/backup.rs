//! `patron backup`, `restore`, `check` and `migrate`.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use async_compression::tokio::{
    bufread::{GzipDecoder, ZstdDecoder},
    write::{GzipEncoder, ZstdEncoder},
};
use clap::{Args, ValueEnum};
use patron_app::{
    App, Clock,
    audit::{self, Act},
    documents::{KINDS, implied},
    keyring,
};
use patron_store::{DumpSummary, Store};
use tokio::io::{
    AsyncBufRead, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
    BufWriter,
};

use super::explain;
use crate::{Deployment, files, master_key::Source, open, operator, settings::Settings};

/// What stands for standard input and output.
const STREAM: &str = "-";
/// Bytes by which a compressed file is known.
const MARK_BYTES: usize = 4;
/// How a file of Zstandard begins (RFC 8878).
const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd";
/// How a file of gzip begins (RFC 1952).
const GZIP: &[u8] = b"\x1f\x8b";

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

/// Write everything to a file.
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// The file, which must not exist; - writes to standard output.
    file: PathBuf,
    /// How it is compressed; by the file's name (.zst, .gz) otherwise.
    #[arg(long, value_enum, value_name = "WORD")]
    compress: Option<Compression>,
    #[command(flatten)]
    deployment: Deployment,
}

/// Read a backup into an empty database.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The file that `patron backup` wrote, from either engine, compressed or not; - reads standard
    /// input.
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
    let compression = args.compress.unwrap_or_else(|| Compression::of(&args.file));
    let store = open::store(&settings).await?;
    let dump = async |out: &mut Out| {
        let summary = store.dump(&mut **out).await?;
        // No backup without its entry: the file gets its name afterwards.
        tell(&store, "backup", "deployment.backed_up").await?;
        Ok(summary)
    };
    let is_stream = args.file == Path::new(STREAM);
    let written = match is_stream {
        true => pack(Box::new(stream(std::io::stdout())?), compression, dump).await,
        false => write(&args.file, compression, dump).await,
    };
    store.close().await;
    let summary = shown(&written.context("the backup failed")?);
    let key = "The master key is not part of it: keep master.key (or secrets.master_key) too.";
    match is_stream {
        true => eprintln!("Wrote everything:\n{summary}{key}"),
        false => println!("Wrote {}:\n{summary}{key}", args.file.display()),
    }
    Ok(())
}

/// Standard input or output as a file.
fn stream(of: impl AsFd) -> Result<tokio::fs::File> {
    let owned = of.as_fd().try_clone_to_owned()?;
    Ok(tokio::fs::File::from_std(owned.into()))
}

/// Where a dump goes.
pub type Out = Box<dyn AsyncWrite + Unpin + Send>;

/// Writes a file that is complete under its name or not there at all.
///
/// # Errors
/// When it cannot be written, or `dump` fails.
pub async fn write(
    file: &Path,
    compression: Compression,
    dump: impl AsyncFnOnce(&mut Out) -> Result<DumpSummary>,
) -> Result<DumpSummary> {
    let mut unfinished = file.as_os_str().to_owned();
    unfinished.push(".unfinished");
    let unfinished = PathBuf::from(unfinished);
    let opened = files::create(&unfinished)
        .with_context(|| format!("{} cannot be written", unfinished.display()))?;
    let out = tokio::fs::File::from_std(opened.try_clone()?);
    let summary = pack(Box::new(BufWriter::new(out)), compression, dump).await?;
    tokio::task::spawn_blocking(move || opened.sync_all()).await??;
    tokio::fs::rename(&unfinished, file).await?;
    // The new name is only safe once its folder is.
    files::sync_names(file)?;
    Ok(summary)
}

/// Writes compressed what `dump` writes, to the end.
async fn pack(
    out: Out,
    compression: Compression,
    dump: impl AsyncFnOnce(&mut Out) -> Result<DumpSummary>,
) -> Result<DumpSummary> {
    let mut out: Out = match compression {
        Compression::None => out,
        Compression::Gzip => Box::new(GzipEncoder::new(out)),
        Compression::Zstd => Box::new(ZstdEncoder::new(out)),
    };
    let summary = dump(&mut out).await?;
    out.shutdown().await.context("it cannot be written to its end")?;
    Ok(summary)
}

/// Reads a dump, which may be compressed: that is seen by how it begins.
async fn unpack(
    mut source: Box<dyn AsyncRead + Unpin + Send>,
) -> Result<Box<dyn AsyncBufRead + Unpin + Send>> {
    let mut mark = Vec::with_capacity(MARK_BYTES);
    (&mut source).take(MARK_BYTES as u64).read_to_end(&mut mark).await?;
    let (is_zstd, is_gzip) = (mark.starts_with(ZSTD), mark.starts_with(GZIP));
    let whole = BufReader::new(std::io::Cursor::new(mark).chain(source));
    Ok(match (is_zstd, is_gzip) {
        (true, _) => Box::new(BufReader::new(ZstdDecoder::new(whole))),
        (_, true) => Box::new(BufReader::new(GzipDecoder::new(whole))),
        _ => Box::new(whole),
    })
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
    let unreadable = || format!("{} cannot be read", args.file.display());
    let source: Box<dyn AsyncRead + Unpin + Send> = match args.file == Path::new(STREAM) {
        true => Box::new(stream(std::io::stdin())?),
        false => Box::new(tokio::fs::File::open(&args.file).await.with_context(unreadable)?),
    };
    let mut reader = unpack(source).await.with_context(unreadable)?;
    let location = settings.location()?;
    let summary = Store::restore(&location, KINDS, settings.options(), &mut *reader)
        .await
        .context("nothing was restored")?;
    print!("Restored {} into {location}:\n{}", args.file.display(), shown(&summary));
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

/// A summary in lines.
fn shown(summary: &DumpSummary) -> String {
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
