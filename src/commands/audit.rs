//! `patron audit`: the audit trail on the terminal or as a file, for the operator.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use patron_app::{
    App,
    audit::{self, Act, Wanted},
};
use patron_model::audit::{AuditActor, AuditEntry};
use patron_native::audit_log::{COLUMNS, to_cells, to_line, wanted};

use super::explain;
use crate::{Deployment, open};

/// Entries read at a time.
const CHUNK: u32 = 500;
/// Pause between two looks at what is new.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Show the audit trail.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
                  patron audit --outcome refused --since 2026-11-01 --export csv > refused.csv")]
pub struct AuditArgs {
    /// Go on with what happens from now on, until it is stopped.
    #[arg(long)]
    follow: bool,
    /// Write every entry that fits as ndjson or csv, newest first.
    #[arg(long, value_name = "FORMAT", conflicts_with = "follow")]
    export: Option<String>,
    /// Entries shown at most, without --export.
    #[arg(long, value_name = "NUMBER", default_value = "50")]
    limit: u32,
    /// key:12, operator, operator:root or stranger.
    #[arg(long)]
    actor: Option<String>,
    /// key.created; with * at its end all that begin so.
    #[arg(long)]
    action: Option<String>,
    /// done or refused.
    #[arg(long)]
    outcome: Option<String>,
    /// Number of an account.
    #[arg(long, value_name = "NUMBER")]
    account: Option<String>,
    /// Number of a space.
    #[arg(long, value_name = "NUMBER")]
    space: Option<String>,
    /// Address of the client.
    #[arg(long)]
    address: Option<String>,
    /// A moment (RFC 3339): entries not before it.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// A moment (RFC 3339): entries before it.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    #[command(flatten)]
    deployment: Deployment,
}

/// Runs the command.
///
/// # Errors
/// When a filter is not understood or the store cannot be read.
pub async fn run(args: AuditArgs) -> Result<()> {
    let wanted = wanted(|name| match name {
        "actor" => args.actor.as_deref(),
        "action" => args.action.as_deref(),
        "outcome" => args.outcome.as_deref(),
        "account" => args.account.as_deref(),
        "space" => args.space.as_deref(),
        "address" => args.address.as_deref(),
        "since" => args.since.as_deref(),
        "until" => args.until.as_deref(),
        _ => None,
    });
    let wanted = wanted.map_err(|failure| explain(&failure))?;
    let app = open::existing_app(&args.deployment.settings()?).await?;
    let done = match args.export.as_deref() {
        Some("csv") => export(&app, &wanted, true).await,
        Some("ndjson") => export(&app, &wanted, false).await,
        Some(_) => bail!("--export must be ndjson or csv"),
        None => show(&app, &wanted, args.limit, args.follow).await,
    };
    app.store.clone().close().await;
    done
}

async fn export(app: &Arc<App>, wanted: &Wanted, is_csv: bool) -> Result<()> {
    let cx = app.operator(0, "audit export");
    let act = Act { action: "audit.exported".to_owned(), ..Act::default() };
    audit::note(&cx, act).await.map_err(|failure| explain(&failure))?;
    let mut cells = csv::Writer::from_writer(std::io::stdout());
    if is_csv {
        cells.write_record(COLUMNS)?;
    }
    let mut after = None;
    loop {
        let page = audit::list(&cx, wanted, after, CHUNK).await;
        let page = page.map_err(|failure| explain(&failure))?;
        for entry in &page.items {
            if is_csv {
                cells.write_record(to_cells(entry))?;
            } else {
                println!("{}", to_line(entry).map_err(|failure| explain(&failure))?);
            }
        }
        after = page.items.last().map(|entry| (entry.at, entry.number));
        if !page.more {
            cells.flush()?;
            return Ok(());
        }
    }
}

async fn show(app: &Arc<App>, wanted: &Wanted, limit: u32, follow: bool) -> Result<()> {
    let cx = app.operator(0, "audit");
    let position = app.store.head(0).await?;
    let page = audit::list(&cx, wanted, None, limit).await;
    for entry in page.map_err(|failure| explain(&failure))?.items.iter().rev() {
        println!("{}", line(entry));
    }
    if follow { go_on(app, wanted, position).await } else { Ok(()) }
}

/// Shows what happens behind a position of the journal, until the process is stopped.
async fn go_on(app: &App, wanted: &Wanted, mut position: i64) -> Result<()> {
    loop {
        std::io::stdout().flush()?;
        let (entries, next) =
            audit::after(app, position, CHUNK).await.map_err(|failure| explain(&failure))?;
        for entry in entries.iter().filter(|entry| wanted.has(entry)) {
            println!("{}", line(entry));
        }
        if next == position {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        position = next;
    }
}

/// An entry in one line for people.
fn line(entry: &AuditEntry) -> String {
    let mut line = format!("{} {:<8}", entry.at.rfc3339_seconds(), entry.outcome.as_str());
    let mut add = |word: &str, value: Option<String>| {
        if let Some(value) = value {
            line.push_str(&format!(" {word}{value}"));
        }
    };
    add("", Some(format!("{:<18}", entry.action)));
    let actor = match &entry.actor {
        AuditActor::Stranger { number: Some(key), .. } => format!("stranger as key:{key}"),
        AuditActor::Stranger { .. }
        | AuditActor::Key { .. }
        | AuditActor::User { .. }
        | AuditActor::Operator { .. } => entry.actor.word(),
    };
    add("by ", Some(actor));
    add("via ", Some(entry.via.clone()));
    add("account ", entry.account.map(|n| n.to_string()));
    add("space ", entry.space.map(|n| n.to_string()));
    let target = entry.target.as_ref().map(|target| match target.number {
        Some(number) => format!("{} {number}", target.noun),
        None => format!("{} × {}", target.noun, target.numbers.len()),
    });
    add("of ", target);
    add("changed ", (!entry.changed.is_empty()).then(|| entry.changed.join(",")));
    add("from ", entry.address.clone());
    add("× ", entry.count.filter(|count| *count > 1).map(|n| n.to_string()));
    add("because ", entry.reason.clone());
    line
}
