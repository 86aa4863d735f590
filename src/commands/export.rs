//! `patron export`: customers to an NDJSON or CSV file that `patron import` reads.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use patron_app::{
    audit::{self, Act},
    customers,
    search::{Query, customer as fields, place_of},
};
use patron_model::space::Space;
use patron_native::rows;

use super::explain;
use crate::{Deployment, files, open};

/// Customers read at a time.
const CHUNK_ROWS: u32 = 500;

/// Export customers.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The file; it must not exist.
    file: PathBuf,
    /// Number of the space.
    #[arg(long, value_name = "NUMBER")]
    space: i64,
    /// csv or ndjson; by the file's name otherwise.
    #[arg(long)]
    format: Option<String>,
    #[command(flatten)]
    deployment: Deployment,
}

#[derive(Clone, Copy)]
enum Format {
    Ndjson,
    Csv,
}

/// The format by name, or by the file's extension.
fn format_of(name: Option<&str>, file: &Path) -> Result<Format> {
    let extension = file.extension().and_then(|extension| extension.to_str());
    match name.or(extension).map(str::to_ascii_lowercase).as_deref() {
        Some("csv") => Ok(Format::Csv),
        Some("ndjson" | "jsonl" | "json") => Ok(Format::Ndjson),
        _ => bail!("say --format csv or --format ndjson"),
    }
}

enum Sink {
    Lines(BufWriter<File>),
    Cells(Box<csv::Writer<File>>),
}

/// Exports the living customers of a space, oldest first.
///
/// # Errors
/// When the file cannot be written or the store fails.
pub async fn run(args: ExportArgs) -> Result<()> {
    let format = format_of(args.format.as_deref(), &args.file)?;
    if args.file.exists() {
        bail!("{} exists already; an export never overwrites", args.file.display());
    }
    let app = open::existing_app(&args.deployment.settings()?).await?;
    let cx = app.operator(args.space, "export");
    let space = patron_app::spaces::get::<Space>(&cx, args.space).await;
    let account = space.map_err(|failure| explain(&failure))?.account;
    let act = Act {
        action: "customer.exported".to_owned(),
        account: Some(account),
        space: Some(args.space),
        ..Act::default()
    };
    audit::note(&cx, act).await.map_err(|failure| explain(&failure))?;
    let file = files::create(&args.file)
        .with_context(|| format!("{} cannot be written", args.file.display()))?;
    let mut sink = match format {
        Format::Ndjson => Sink::Lines(BufWriter::new(file)),
        Format::Csv => {
            let mut writer = csv::Writer::from_writer(file);
            writer.write_record(rows::COLUMNS)?;
            Sink::Cells(Box::new(writer))
        }
    };
    let mut query =
        Query { predicate: fields::living(), limit: CHUNK_ROWS, ..Query::of(args.space) };
    let mut count = 0u64;
    loop {
        let page = customers::list(&cx, &query).await.map_err(|failure| explain(&failure))?;
        for customer in &page.items {
            match &mut sink {
                Sink::Lines(out) => {
                    let record = rows::to_record(customer, cx.now);
                    writeln!(out, "{}", record.map_err(|failure| explain(&failure))?)?;
                }
                Sink::Cells(out) => {
                    let cells = rows::to_cells(customer, cx.now);
                    out.write_record(cells.map_err(|failure| explain(&failure))?)?;
                }
            }
            count += 1;
        }
        match page.items.last().filter(|_| page.more) {
            Some(last) => {
                let place = place_of(last, &query.order).map_err(|failure| explain(&failure))?;
                query.after = Some(place);
            }
            None => break,
        }
    }
    match sink {
        Sink::Lines(out) => out.into_inner().map_err(|error| error.into_error())?.sync_all()?,
        Sink::Cells(out) => (*out).into_inner().map_err(|error| error.into_error())?.sync_all()?,
    }
    app.store.clone().close().await;
    println!("{count} customers exported to {}.", args.file.display());
    Ok(())
}
