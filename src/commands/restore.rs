//! `patron restore`: a backup and its increments into an empty database, up to a moment.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use async_compression::tokio::bufread::{GzipDecoder, ZstdDecoder};
use clap::Args;
use patron_app::{
    App, Clock,
    documents::{KINDS, record_from},
    idempotency::records_of,
    mails,
    reindex::{REINDEXED, reindex},
    sign_in::{flows::FLOW, sessions::SESSION},
    sinks,
    webhooks::pause_all,
};
use patron_model::Timestamp;
use patron_store::{BackupFile, Replay, Restored, Store, Until, entry_time};
use tokio::io::{AsyncBufRead, AsyncRead, AsyncReadExt as _, BufReader};

use super::{
    backup::{STREAM, look, shown, stream, tell},
    explain,
};
use crate::{Deployment, files, open};

/// Bytes by which a compressed file is known.
const MARK_BYTES: usize = 4;
/// How a file of Zstandard begins (RFC 8878).
const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd";
/// How a file of gzip begins (RFC 1952).
const GZIP: &[u8] = b"\x1f\x8b";
/// Files of one restore: all are open at a time.
const FILES_MAX: usize = 500;
/// Sessions are over, and links that were mailed: whoever was signed in then may have been signed
/// out since, and a link have been taken.
const LEFT_OUT: &[&str] = &[SESSION.name, FLOW.name];

/// Read a backup into an empty database.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The file that `patron backup` wrote, from either engine, compressed or not; - reads standard
    /// input. Then its increments, in the order they were taken.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Everything as it was at this moment, behind the full backup: a time with its zone
    /// (2026-11-21T09:30:00Z), or an entry of the journal (SPACE:POSITION).
    #[arg(long, value_name = "MOMENT")]
    until: Option<String>,
    /// Let webhook endpoints and sinks go on where they were; otherwise they are paused, so that a
    /// copy tells nobody what the original told them.
    #[arg(long)]
    resume_webhooks: bool,
    #[command(flatten)]
    deployment: Deployment,
}

/// A file, which may be compressed: that is seen by how it begins.
///
/// # Errors
/// When it cannot be read.
pub async fn read(file: &Path) -> Result<BackupFile> {
    let unreadable = || format!("{} cannot be read", file.display());
    let source: Box<dyn AsyncRead + Unpin + Send> = match file == Path::new(STREAM) {
        true => Box::new(stream(std::io::stdin())?),
        false => Box::new(tokio::fs::File::open(file).await.with_context(unreadable)?),
    };
    let reader = unpack(source).await.with_context(unreadable)?;
    Ok(BackupFile { name: file.display().to_string(), reader })
}

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
/// When the database is not empty, or a file is not whole or not the one that follows.
pub async fn run(args: RestoreArgs) -> Result<()> {
    let settings = args.deployment.settings()?;
    ensure!(
        args.files.len() <= FILES_MAX,
        "{FILES_MAX} files at most: begin with a later full one"
    );
    let until = match &args.until {
        Some(moment) => Some(until(moment, &args.files).await?),
        None => None,
    };
    let mut sources = Vec::new();
    for file in &args.files {
        sources.push(read(file).await?);
    }
    if let Some(folder) = settings.folder() {
        files::make_folder(&folder)?;
    }
    let location = settings.location()?;
    let replay =
        Replay { until, record_of: record_from, outcome_of: records_of, left_out: LEFT_OUT };
    let restored = Store::restore(&location, KINDS, settings.options(), sources, &replay)
        .await
        .context("nothing was restored")?;
    for Restored { name, summary, .. } in &restored {
        print!("Restored {name} into {location}:\n{}", shown(summary));
    }
    let store = open::store(&settings).await?;
    let read_anew = read_anew(&store, &restored).await;
    if !args.resume_webhooks {
        silence(&store).await?;
    }
    tell(&store, "restore", "deployment.restored").await?;
    let seen = look(&store).await;
    store.close().await;
    read_anew.and(seen)
}

/// Pauses all webhook endpoints and sinks, and removes mails that wait to be sent.
async fn silence(store: &Store) -> Result<()> {
    let app = App::without_secrets(store.clone(), Clock::System);
    match mails::forget_all(&app).await.map_err(|failure| explain(&failure))? {
        0 => {}
        count => println!("Removed {count} mails that waited to be sent."),
    }
    match sinks::pause_all(&app).await.map_err(|failure| explain(&failure))? {
        0 => {}
        count => println!("Paused {count} sinks (--resume-webhooks lets them go on)."),
    }
    match pause_all(&app).await.map_err(|failure| explain(&failure))? {
        0 => {}
        count => println!("Paused {count} webhook endpoints (--resume-webhooks lets them go on)."),
    }
    Ok(())
}

/// What `patron reindex` made anew between the first file and the last one is no entry of the
/// journal: it is made anew here too.
async fn read_anew(store: &Store, restored: &[Restored]) -> Result<()> {
    let pages = |restored: Option<&Restored>| Some(*restored?.counters.get(REINDEXED)?);
    if pages(restored.first()) == pages(restored.last()) {
        return Ok(());
    }
    let app = App::without_secrets(store.clone(), Clock::System);
    let done = reindex(&app, |_| {}).await.map_err(|failure| explain(&failure))?;
    println!("Made {} customers anew, as patron reindex had done.", done.renewed);
    Ok(())
}

/// The moment that is meant.
async fn until(moment: &str, files: &[PathBuf]) -> Result<Until> {
    let number = |text: &str| text.parse::<i64>().ok().filter(|number| *number >= 0);
    let entry =
        moment.split_once(':').and_then(|(space, seq)| Some((number(space)?, number(seq)?)));
    let Some((space, seq)) = entry else {
        let zone = moment.get(10..).is_some_and(|time| time.contains(['Z', 'z', '+', '-']));
        return match Timestamp::parse(moment) {
            Ok(at) if zone => Ok(Until { at: at.micros(), entry: None }),
            Ok(_) | Err(_) => bail!(
                "--until {moment}: neither a time with its zone (2026-11-21T09:30:00Z) nor an \
                 entry of a journal (SPACE:POSITION, as GET /v1/events shows it)"
            ),
        };
    };
    for file in files.iter().skip(1) {
        ensure!(file != Path::new(STREAM), "--until {moment} needs increments that are files");
        if let Some(at) = entry_time(read(file).await?, space, seq).await? {
            return Ok(Until { at, entry: Some((space, seq)) });
        }
    }
    bail!(
        "--until {moment}: none of the increments has this entry. Name the ones up to it, and \
         begin with a full backup that was taken before it"
    )
}
