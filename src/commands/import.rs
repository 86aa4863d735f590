//! `patron import`: customers from an NDJSON or CSV file. A verdict for each row; refused rows go to
//! a file with their reasons; durable, in constant memory, and resumable: a row that was imported
//! once from the same file is not imported again, however the first run ended.

use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use patron_app::{
    App, Cx,
    audit::{self, Act},
    customers,
};
use patron_model::{Failure, Why, customer::CustomerPatch, space::Space};
use patron_native::rows;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::explain;
use crate::{Deployment, files, open};

/// Rows handed to the store together.
const CHUNK_ROWS: usize = 512;
/// Longest row, in bytes.
const ROW_BYTES_MAX: usize = 1024 * 1024;

/// Import customers.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// NDJSON (one customer a line, as the native API writes it) or CSV with a header row.
    file: PathBuf,
    /// Number of the space.
    #[arg(long, value_name = "NUMBER")]
    space: i64,
    /// csv or ndjson; by the file's name otherwise.
    #[arg(long)]
    format: Option<String>,
    /// File for refused rows; <FILE>.refused.ndjson otherwise.
    #[arg(long, value_name = "FILE")]
    refused: Option<PathBuf>,
    /// File for a verdict of every row, as NDJSON.
    #[arg(long, value_name = "FILE")]
    verdicts: Option<PathBuf>,
    /// Check every row, but import nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    deployment: Deployment,
}

/// A row as it was read.
struct InputRow {
    number: u64,
    record: Result<Value, Failure>,
}

#[derive(Default)]
struct Count {
    imported: u64,
    known: u64,
    refused: u64,
}

struct Import {
    app: Arc<App>,
    cx: Cx,
    source: String,
    refused: BufWriter<File>,
    refused_path: PathBuf,
    verdicts: Option<BufWriter<File>>,
    count: Count,
}

/// Imports a file.
///
/// # Errors
/// When the file cannot be read or the store fails; refused rows are no error of the command.
pub async fn run(args: ImportArgs) -> Result<()> {
    let format = format_of(args.format.as_deref(), &args.file)?;
    let app = open::existing_app(&args.deployment.settings()?).await?;
    let operator = app.operator(0, "import");
    let space = patron_app::spaces::get::<Space>(&operator, args.space).await;
    let account = space.map_err(|failure| explain(&failure))?.account;
    let progress = progress(std::fs::metadata(&args.file)?.len());
    let refused_path = args.refused.clone().unwrap_or_else(|| refused_path(&args.file));
    let mut import = Import {
        cx: Cx { dry_run: args.dry_run, ..app.operator(args.space, "import") },
        app,
        source: hash(&args.file)?,
        refused: BufWriter::new(files::create(&refused_path)?),
        refused_path,
        verdicts: args.verdicts.as_deref().map(files::create).transpose()?.map(BufWriter::new),
        count: Count::default(),
    };
    let (rows, reader) = read(args.file.clone(), format, progress.clone());
    let outcome = import.all(rows, &progress).await;
    progress.finish_and_clear();
    let told = import.tell(account).await;
    import.app.store.clone().close().await;
    reader.join().map_err(|_| anyhow::anyhow!("reading the file failed"))??;
    outcome?;
    told?;
    import.report(args.dry_run)
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON document a line.
    Ndjson,
    /// Comma separated values with a header row (RFC 4180).
    Csv,
}

/// The format by name, or by the file's extension.
///
/// # Errors
/// When neither says it.
pub fn format_of(name: Option<&str>, file: &Path) -> Result<Format> {
    let extension = file.extension().and_then(|extension| extension.to_str());
    match name.or(extension).map(str::to_ascii_lowercase).as_deref() {
        Some("csv") => Ok(Format::Csv),
        Some("ndjson" | "jsonl" | "json") => Ok(Format::Ndjson),
        _ => bail!("say --format csv or --format ndjson"),
    }
}

fn refused_path(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".refused.ndjson");
    PathBuf::from(name)
}

/// A bar for people; nothing where nobody watches.
fn progress(bytes: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {msg} ({eta} left)");
    ProgressBar::new(bytes).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Names the file by its content, so that a second run knows the rows of the first.
fn hash(file: &Path) -> Result<String> {
    let mut hasher = Sha256::new();
    let mut source = File::open(file).with_context(|| file.display().to_string())?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        match source.read(&mut buffer)? {
            0 => break,
            length => hasher.update(&buffer[..length]),
        }
    }
    Ok(hex::encode(&hasher.finalize()[..16]))
}

type Chunks = tokio::sync::mpsc::Receiver<Vec<InputRow>>;

/// Reads and parses on a thread of its own, a few chunks ahead of the store.
fn read(
    file: PathBuf,
    format: Format,
    progress: ProgressBar,
) -> (Chunks, std::thread::JoinHandle<Result<()>>) {
    let (chunks, rows) = tokio::sync::mpsc::channel(4);
    let reader = std::thread::spawn(move || {
        let source = BufReader::with_capacity(1 << 20, progress.wrap_read(File::open(file)?));
        let mut chunk = Vec::with_capacity(CHUNK_ROWS);
        let mut send = |row: InputRow, last: bool| {
            chunk.push(row);
            if chunk.len() >= CHUNK_ROWS || last {
                let full = std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK_ROWS));
                return chunks.blocking_send(full).is_ok();
            }
            true
        };
        match format {
            Format::Ndjson => read_lines(source, &mut send)?,
            Format::Csv => read_csv(source, &mut send)?,
        }
        if !chunk.is_empty() {
            let _ = chunks.blocking_send(chunk);
        }
        Ok(())
    });
    (rows, reader)
}

fn read_lines(
    mut source: impl std::io::BufRead,
    send: &mut impl FnMut(InputRow, bool) -> bool,
) -> Result<()> {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let limit = ROW_BYTES_MAX as u64 + 1;
        let length = source.by_ref().take(limit).read_until(b'\n', &mut line)?;
        if length == 0 {
            break;
        }
        if length > ROW_BYTES_MAX {
            bail!("line {number} is longer than {ROW_BYTES_MAX} bytes");
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let record = patron_gateway::decode::json::<Value>(&line);
        if !send(InputRow { number, record }, false) {
            break;
        }
    }
    Ok(())
}

fn read_csv(
    source: impl std::io::Read,
    send: &mut impl FnMut(InputRow, bool) -> bool,
) -> Result<()> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(source);
    let headers = reader.headers().context("the header row cannot be read")?.clone();
    let mut record = csv::StringRecord::new();
    for number in 1.. {
        let row = match reader.read_record(&mut record) {
            Ok(false) => break,
            Ok(true) if record.len() == headers.len() => {
                rows::from_cells(headers.iter().zip(record.iter()))
            }
            Ok(true) => {
                let why = patron_model::Why::Malformed {
                    expected: "a row with as many cells as the header",
                };
                Err(Failure::malformed("", why))
            }
            Err(error) if error.is_io_error() => return Err(error.into()),
            Err(_) => {
                let why = patron_model::Why::Malformed { expected: "a row of UTF-8 text" };
                Err(Failure::malformed("", why))
            }
        };
        if !send(InputRow { number, record: row }, false) {
            break;
        }
    }
    Ok(())
}

impl Import {
    /// What the audit trail says of this run, however it ended.
    async fn tell(&self, account: i64) -> Result<()> {
        if self.cx.dry_run {
            return Ok(());
        }
        let act = Act {
            action: "customer.imported".to_owned(),
            account: Some(account),
            space: Some(self.cx.space),
            count: Some(self.count.imported),
            ..Act::default()
        };
        audit::note(&self.cx, act).await.map_err(|failure| explain(&failure))
    }

    async fn all(&mut self, mut rows: Chunks, progress: &ProgressBar) -> Result<()> {
        while let Some(chunk) = rows.recv().await {
            self.chunk(chunk).await?;
            let Count { imported, known, refused } = self.count;
            progress.set_message(format!("{imported} imported, {known} known, {refused} refused"));
        }
        self.refused.flush()?;
        if let Some(verdicts) = &mut self.verdicts {
            verdicts.flush()?;
        }
        Ok(())
    }

    async fn chunk(&mut self, chunk: Vec<InputRow>) -> Result<()> {
        let mut wanted: Vec<(Cx, CustomerPatch)> = Vec::with_capacity(chunk.len());
        let mut kept: Vec<(u64, Value)> = Vec::with_capacity(chunk.len());
        for InputRow { number, record } in chunk {
            let original = record.as_ref().ok().cloned().unwrap_or(Value::Null);
            match record.and_then(rows::into_patch) {
                Ok(patch) => {
                    wanted.push((self.marked(number), patch));
                    kept.push((number, original));
                }
                Err(failure) => self.refuse(number, &original, &failure)?,
            }
        }
        let verdicts = customers::create_many(wanted).await;
        for ((number, original), verdict) in kept.into_iter().zip(verdicts) {
            match verdict {
                Ok(saved) => {
                    self.count.imported += 1;
                    self.verdict(
                        &json!({"row": number, "verdict": "imported", "number": saved.number}),
                    )?;
                }
                // The row has been imported by an earlier run over the same file.
                Err(Failure::InFlight) => {
                    self.count.known += 1;
                    self.verdict(&json!({"row": number, "verdict": "known"}))?;
                }
                Err(failure @ (Failure::Unavailable { .. } | Failure::Internal(_))) => {
                    return Err(explain(&failure).context("stopped; run the same command again"));
                }
                Err(failure) => self.refuse(number, &original, &failure)?,
            }
        }
        Ok(())
    }

    /// A context that marks the row, so that it is imported once however often the file is.
    fn marked(&self, row: u64) -> Cx {
        let key = format!("import/{}/{row}", self.source);
        let mark =
            (!self.cx.dry_run).then(|| Arc::new(self.app.mark(self.cx.space, &key, "import")));
        Cx { idempotency: mark, ..self.cx.clone() }
    }

    fn refuse(&mut self, row: u64, record: &Value, failure: &Failure) -> Result<()> {
        self.count.refused += 1;
        let reasons: Vec<Value> = match failure {
            Failure::Invalid(problems) | Failure::Malformed(problems) => problems
                .iter()
                .map(|p| json!({"field": p.field, "code": p.why.code(), "reason": p.why.to_string()}))
                .collect(),
            other => vec![json!({"code": other.name(), "reason": explain(other).to_string()})],
        };
        // Card data must not come to rest in the file of refused rows either, in pieces neither.
        let clean = !holds_card_data(failure) && patron_gateway::cards::found_in(record).is_empty();
        let record = if clean { record.clone() } else { Value::Null };
        let line = json!({"row": row, "reasons": reasons, "record": record});
        writeln!(self.refused, "{line}")?;
        self.verdict(&json!({"row": row, "verdict": "refused", "reasons": reasons}))
    }

    fn verdict(&mut self, verdict: &Value) -> Result<()> {
        if let Some(verdicts) = &mut self.verdicts {
            writeln!(verdicts, "{verdict}")?;
        }
        Ok(())
    }

    fn report(&self, dry_run: bool) -> Result<()> {
        let Count { imported, known, refused } = self.count;
        let done = if dry_run { "would be imported" } else { "imported" };
        println!("{imported} {done}, {known} imported by an earlier run, {refused} refused.");
        if refused == 0 {
            std::fs::remove_file(&self.refused_path)?;
        } else {
            println!("Refused rows and reasons: {}", self.refused_path.display());
        }
        Ok(())
    }
}

/// Whether a row was refused for card data.
fn holds_card_data(failure: &Failure) -> bool {
    match failure {
        Failure::Invalid(problems) | Failure::Malformed(problems) => {
            problems.iter().any(|p| matches!(p.why, Why::CardNumber | Why::SecurityCode))
        }
        _ => false,
    }
}
