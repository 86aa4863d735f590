//! `patron import`: customers from a file. What reads and what writes is `patron_app::import`; here
//! it is told what to do, and what came of it is told. A verdict for each row; refused rows go to a
//! file with their reasons; durable, in constant memory, and resumable: a row that was imported
//! once from the same file is not imported again, however the first run ended.

mod watch;

use std::fs::File;
use std::io::{BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Args, ValueEnum};
use patron_app::{
    App, Cx,
    audit::{self, Act},
    import::{
        Format, Layout, Match, Names, OnConflict, Parsed, Plan, Reading, Said, Verdict, Writing,
    },
};
use patron_model::{Failure, Why, space::Space};
use patron_native::rows;
use serde_json::{Value, json};

use self::watch::Watch;
use super::explain;
use crate::{Deployment, files, open};

/// What stands for standard input.
const STDIN: &str = "-";

/// Import customers.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// CSV or XLSX with a header row, or NDJSON (one customer a line, as the native API writes it);
    /// - reads standard input.
    file: PathBuf,
    /// Number of the space.
    #[arg(long, value_name = "NUMBER")]
    space: i64,
    /// csv, ndjson or xlsx; by the file's name or its content otherwise.
    #[arg(long, value_parser = format)]
    format: Option<Format>,
    /// What becomes of a row whose customer is there.
    #[arg(long, value_enum, value_name = "WORD", default_value = "fail")]
    on_conflict: Conflict,
    /// By what a row and a customer are the same.
    #[arg(long = "match", value_enum, value_name = "FIELD", default_value = "reference")]
    by: By,
    /// Another name for a column: COLUMN=FIELD; COLUMN= leaves it out; may be repeated.
    #[arg(long, value_name = "COLUMN=FIELD")]
    map: Vec<String>,
    /// What stands between the cells of a CSV file: one character, or tab; guessed otherwise.
    #[arg(long, value_name = "CHARACTER", value_parser = Said::delimiter)]
    delimiter: Option<u8>,
    /// How the characters are written, like utf-8 or windows-1252; guessed otherwise.
    #[arg(long, value_name = "NAME", value_parser = Said::encoding)]
    encoding: Option<&'static encoding_rs::Encoding>,
    /// Unknown columns and refused rows are errors; with unknown columns nothing is imported.
    #[arg(long)]
    strict: bool,
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

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Conflict {
    /// It becomes what the row says; what the row does not say stays.
    Update,
    /// It stays as it is.
    Skip,
    /// The row is refused.
    Fail,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum By {
    /// The merchant's own id.
    Reference,
    /// The number the server gave.
    Number,
    /// The e-mail address.
    Email,
}

fn format(word: &str) -> Result<Format, String> {
    Format::parse(word).ok_or_else(|| Format::WORDS.to_owned())
}

#[derive(Default)]
struct Count {
    imported: u64,
    updated: u64,
    unchanged: u64,
    skipped: u64,
    known: u64,
    refused: u64,
}

struct Import {
    writing: Writing,
    on_conflict: OnConflict,
    dry_run: bool,
    refused: BufWriter<File>,
    refused_path: PathBuf,
    verdicts: Option<BufWriter<File>>,
    count: Count,
}

/// Imports a file.
///
/// # Errors
/// When the file cannot be read or the store fails. Refused rows are none, unless it is to be
/// strict.
pub async fn run(args: ImportArgs) -> Result<()> {
    let app = open::existing_app(&args.deployment.settings()?).await?;
    let done = imported(&app, &args).await;
    app.store.clone().close().await;
    done
}

async fn imported(app: &std::sync::Arc<App>, args: &ImportArgs) -> Result<()> {
    let operator = app.operator(0, "import");
    let space = patron_app::spaces::get::<Space>(&operator, args.space).await;
    let account = space.map_err(|failure| explain(&failure))?.account;
    let cx = Cx { dry_run: args.dry_run, ..app.operator(args.space, "import") };
    let (mut file, name) = input(&args.file)?;
    let said = said(args)?;
    let unreadable = || format!("{} cannot be imported", name.display());
    let layout = Layout::of(&mut file, &said).with_context(unreadable)?;
    let watch = Watch::new(layout.bytes);
    let source = layout.source.clone();
    let file = watch.wrap(file);
    let reading = Reading::open(file, layout, said, rows::FORM).with_context(unreadable)?;
    eprintln!("{}: {}.", name.display(), reading.told());
    tell_unknown(&reading, args.strict)?;
    let plan = Plan { by: args.by.into(), on_conflict: args.on_conflict.into(), source };
    let refused_path = args.refused.clone().unwrap_or_else(|| refused_path(&name));
    let mut import = Import {
        on_conflict: plan.on_conflict,
        writing: Writing::new(cx.clone(), plan),
        dry_run: args.dry_run,
        refused: BufWriter::new(files::create(&refused_path)?),
        refused_path,
        verdicts: args.verdicts.as_deref().map(files::create).transpose()?.map(BufWriter::new),
        count: Count::default(),
    };
    let (chunks, rows) = tokio::sync::mpsc::channel(2);
    let reader =
        std::thread::spawn(move || reading.run(|chunk| chunks.blocking_send(chunk).is_ok()));
    let outcome = import.all(rows, &watch).await;
    watch.end();
    let told = import.tell(&cx, account).await;
    let read = reader.join().map_err(|_| anyhow::anyhow!("reading the file failed"))?;
    outcome?;
    told?;
    import.report(read.is_ok())?;
    read.with_context(|| format!("{} was imported up to there", name.display()))?;
    let refused = import.count.refused;
    ensure!(!args.strict || refused == 0, "{refused} rows were refused");
    Ok(())
}

/// The file, and a name for what is written about it. Standard input is kept in a file without a
/// name meanwhile: it is looked at twice.
fn input(path: &Path) -> Result<(File, PathBuf)> {
    if path != Path::new(STDIN) {
        let file = File::open(path).with_context(|| path.display().to_string())?;
        ensure!(!file.metadata()?.is_dir(), "{} is a folder", path.display());
        if file.metadata()?.is_file() {
            return Ok((file, path.to_owned()));
        }
        return Ok((kept(file)?, path.to_owned()));
    }
    Ok((kept(std::io::stdin().lock())?, PathBuf::from("stdin")))
}

/// What cannot be read twice, in a file without a name.
fn kept(mut source: impl std::io::Read) -> Result<File> {
    let mut file = tempfile::tempfile().context("there is no room for what is read")?;
    std::io::copy(&mut source, &mut file).context("there is no room for what is read")?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}

fn said(args: &ImportArgs) -> Result<Said> {
    let extension = args.file.extension().and_then(|extension| extension.to_str());
    Ok(Said {
        format: args.format.or_else(|| Format::parse(extension?)),
        delimiter: args.delimiter,
        encoding: args.encoding,
        names: Names::parse(&args.map).context("--map")?,
    })
}

/// Tells every unknown column once.
fn tell_unknown<R: std::io::Read + std::io::Seek>(
    reading: &Reading<R>,
    is_strict: bool,
) -> Result<()> {
    let unknown = &reading.columns.unknown;
    if unknown.is_empty() {
        return Ok(());
    }
    let told = unknown.iter().map(|column| match &column.meant {
        Some(meant) => format!("{} (did you mean {meant}?)", column.name),
        None => column.name.clone(),
    });
    let told = told.collect::<Vec<_>>().join(", ");
    let known = (rows::FORM.columns)().iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    if is_strict {
        bail!(
            "unknown columns: {told}. Nothing was imported. Name them with --map COLUMN=FIELD, or \
             leave them out with --map COLUMN=. Known are: {known}"
        );
    }
    eprintln!("Unknown columns, left out: {told}.\nKnown are: {known}.");
    Ok(())
}

fn refused_path(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".refused.ndjson");
    PathBuf::from(name)
}

impl From<Conflict> for OnConflict {
    fn from(word: Conflict) -> OnConflict {
        match word {
            Conflict::Update => OnConflict::Update,
            Conflict::Skip => OnConflict::Skip,
            Conflict::Fail => OnConflict::Fail,
        }
    }
}

impl From<By> for Match {
    fn from(word: By) -> Match {
        match word {
            By::Reference => Match::Reference,
            By::Number => Match::Number,
            By::Email => Match::Email,
        }
    }
}

type Chunks = tokio::sync::mpsc::Receiver<Vec<Parsed>>;

impl Import {
    /// What the audit trail says of this run, however it ended.
    async fn tell(&self, cx: &Cx, account: i64) -> Result<()> {
        if self.dry_run {
            return Ok(());
        }
        let act = Act {
            action: "customer.imported".to_owned(),
            account: Some(account),
            space: Some(cx.space),
            count: Some(self.count.imported + self.count.updated),
            ..Act::default()
        };
        audit::note(cx, act).await.map_err(|failure| explain(&failure))
    }

    async fn all(&mut self, mut rows: Chunks, watch: &Watch) -> Result<()> {
        while let Some(chunk) = rows.recv().await {
            let count = chunk.len() as u64;
            self.chunk(chunk).await?;
            watch.went_on(count, || self.count.told(self.on_conflict, self.dry_run));
        }
        self.refused.flush()?;
        if let Some(verdicts) = &mut self.verdicts {
            verdicts.flush()?;
        }
        Ok(())
    }

    async fn chunk(&mut self, chunk: Vec<Parsed>) -> Result<()> {
        let (mut wanted, mut kept) = (Vec::with_capacity(chunk.len()), Vec::new());
        for Parsed { number, record, row } in chunk {
            match row {
                Ok(row) => {
                    wanted.push((number, row));
                    kept.push(record);
                }
                Err(failure) => self.refuse(number, &record, &failure)?,
            }
        }
        let verdicts = self.writing.rows(&wanted).await;
        let stopped = |failure| explain(&failure).context("stopped; run the same command again");
        for (((number, _), record), verdict) in
            wanted.iter().zip(kept).zip(verdicts.map_err(stopped)?)
        {
            self.count.add(&verdict);
            let (word, customer) = match verdict {
                Verdict::Refused(failure) => {
                    self.refused_row(*number, &record, &failure)?;
                    continue;
                }
                // The row has been imported by an earlier run over the same file.
                Verdict::Known => ("known", None),
                Verdict::Imported(customer) => ("imported", Some(customer)),
                Verdict::Updated(customer) => ("updated", Some(customer)),
                Verdict::Unchanged(customer) => ("unchanged", Some(customer)),
                Verdict::Skipped(customer) => ("skipped", Some(customer)),
            };
            let mut line = json!({"row": number, "verdict": word});
            if let Some(customer) = customer {
                line["number"] = customer.into();
            }
            self.verdict(&line)?;
        }
        Ok(())
    }

    fn refuse(&mut self, row: u64, record: &Value, failure: &Failure) -> Result<()> {
        self.count.refused += 1;
        self.refused_row(row, record, failure)
    }

    fn refused_row(&mut self, row: u64, record: &Value, failure: &Failure) -> Result<()> {
        let reasons: Vec<Value> = match failure {
            Failure::Invalid(problems) | Failure::Malformed(problems) => problems
                .iter()
                .map(|p| {
                    let (code, reason) = (p.why.code(), p.why.to_string());
                    json!({"field": p.field, "code": code, "reason": reason})
                })
                .collect(),
            other => vec![json!({"code": other.name(), "reason": explain(other).to_string()})],
        };
        // Card data must not come to rest in the file of refused rows either, in pieces neither.
        let clean = !holds_card_data(failure) && patron_gateway::cards::found_in(record).is_empty();
        let record = if clean { record } else { &Value::Null };
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

    fn report(&self, is_whole: bool) -> Result<()> {
        println!("{}.", self.count.told(self.on_conflict, self.dry_run));
        if self.count.refused == 0 && is_whole {
            std::fs::remove_file(&self.refused_path)?;
        } else {
            println!("Refused rows and reasons: {}", self.refused_path.display());
        }
        Ok(())
    }
}

impl Count {
    fn add(&mut self, verdict: &Verdict) {
        let count = match verdict {
            Verdict::Imported(_) => &mut self.imported,
            Verdict::Updated(_) => &mut self.updated,
            Verdict::Unchanged(_) => &mut self.unchanged,
            Verdict::Skipped(_) => &mut self.skipped,
            Verdict::Known => &mut self.known,
            Verdict::Refused(_) => &mut self.refused,
        };
        *count += 1;
    }

    fn told(&self, on_conflict: OnConflict, dry_run: bool) -> String {
        let Count { imported, updated, unchanged, skipped, known, refused } = self;
        let would = if dry_run { "would be " } else { "" };
        let there = match on_conflict {
            OnConflict::Update => format!("{updated} {would}updated, {unchanged} unchanged, "),
            OnConflict::Skip => format!("{skipped} skipped, "),
            OnConflict::Fail => String::new(),
        };
        let earlier = "imported by an earlier run";
        format!("{imported} {would}imported, {there}{known} {earlier}, {refused} refused")
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
