//! Everything as lines of JSON, the same for every engine, so that a dump of one can be restored into
//! another. An engine exports a stream of [`Line`]s out of one snapshot and imports one in a single
//! transaction; format, counts and hash live here. What a restore does with them is in
//! `restore.rs`, what changed since a dump in `increment.rs`.
//!
//! The first line is a header, the last one says how many lines of each sort there are and gives the
//! SHA-256 of every byte before it. Both directions run in constant memory.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::increment::Scope;
use crate::position::{Position, now_us};
use crate::store::{Engine, on_engine};
use crate::{Answer, Entry, Kind, Row, Store, StoreError, Value};

/// Version of the format; the header carries it.
pub(crate) const FORMAT: u32 = 3;
/// Lines an engine hands over at once.
pub(crate) const CHUNK_LINES: usize = 256;
/// Chunks under way between engine and file.
pub(crate) const CHUNKS_MAX: usize = 4;
/// What a dump or a restore moved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DumpSummary {
    /// Lines per table: `customer`, `customer_term`, `journal`, `head`, `answer`, `counter`.
    pub rows: BTreeMap<String, u64>,
    /// SHA-256 of every byte before the last line, in hexadecimal.
    pub sha256: String,
}

/// One row of one table.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Line {
    Record(RecordLine),
    Term {
        kind: String,
        tenant: i64,
        number: i64,
        term: String,
    },
    Head {
        tenant: i64,
        last: i64,
        /// Tells its last entry from others; the header has it.
        #[serde(skip)]
        mark: String,
    },
    Entry(#[serde(with = "EntryLine")] Entry),
    Answer(AnswerLine),
    Counter {
        name: String,
        next: i64,
    },
    /// In an increment: everything of this tenant went.
    Gone {
        tenant: i64,
    },
    /// In an increment: entries whose documents were blanked, by their positions.
    Blank {
        tenant: i64,
        from: i64,
        to: i64,
    },
    /// In an increment: there are no older outcomes any more (microseconds since the epoch).
    Forgotten {
        before: i64,
    },
    /// Where an entry is found beside its subject's history. Follows from the entry, so it is
    /// compared by a check and no part of a dump.
    #[serde(skip)]
    Mention {
        tenant: i64,
        number: i64,
        seq: i64,
    },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RecordLine {
    pub(crate) kind: String,
    pub(crate) tenant: i64,
    pub(crate) number: i64,
    pub(crate) uuid: Uuid,
    pub(crate) revision: i64,
    columns: BTreeMap<String, ColumnValue>,
    pub(crate) doc: String,
}

/// A column's value: JSON null, integer or string.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum ColumnValue {
    Null(()),
    Int(i64),
    Text(String),
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Entry")]
struct EntryLine {
    tenant: i64,
    seq: i64,
    kind: String,
    number: i64,
    #[serde(alias = "root")]
    subject: i64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    related: Vec<i64>,
    revision: i64,
    action: String,
    at: i64,
    actor: String,
    request: String,
    changed: String,
    doc: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AnswerLine {
    pub(crate) tenant: i64,
    key: String,
    operation: String,
    fingerprint: String,
    pub(crate) outcome: String,
    pub(crate) at: i64,
}

/// The first line and the last one.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Frame {
    Header {
        format: u32,
        engine: String,
        /// Absent in a part, and in what earlier versions wrote.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        position: Option<Position>,
    },
    Increment {
        format: u32,
        engine: String,
        position: Position,
        /// The digest of the position that this goes on from.
        since: String,
        /// Kinds whose records are all here.
        whole: Vec<String>,
    },
    End(DumpSummary),
}

/// What an engine exports into. Dropped by the receiver when it has given up.
pub(crate) type LineSender = mpsc::Sender<Result<Vec<Line>, StoreError>>;

/// What an engine imports from. A feed that ends without `Commit` is to be undone.
pub(crate) enum Feed {
    Lines(Vec<Line>),
    /// A statement within the transaction, and where its rows go.
    Ask(String, Vec<Value>, oneshot::Sender<Vec<Vec<Value>>>),
    Commit,
}

impl Line {
    /// # Errors
    /// When the document is damaged.
    pub(crate) fn record(kind: &Kind, row: Row, columns: &[Value]) -> Result<Line, StoreError> {
        let doc = row.doc.whole().map_err(|error| {
            StoreError::Engine(format!("{} {}: {error}", kind.name, row.number))
        })?;
        let columns = kind.columns.iter().zip(columns).map(|(column, value)| {
            let value = match value {
                Value::Null => ColumnValue::Null(()),
                Value::Int(int) => ColumnValue::Int(*int),
                Value::Text(text) => ColumnValue::Text(text.clone()),
            };
            (column.name.to_owned(), value)
        });
        Ok(Line::Record(RecordLine {
            kind: kind.name.to_owned(),
            tenant: row.tenant,
            number: row.number,
            uuid: row.uuid,
            revision: row.revision,
            columns: columns.collect(),
            doc: doc.into_owned(),
        }))
    }

    pub(crate) fn term(kind: &Kind, row: &Row, term: &str) -> Line {
        Line::Term {
            kind: kind.name.to_owned(),
            tenant: row.tenant,
            number: row.number,
            term: term.to_owned(),
        }
    }

    pub(crate) fn answer(tenant: i64, answer: Answer) -> Line {
        let Answer { key, operation, fingerprint, outcome, at } = answer;
        Line::Answer(AnswerLine { tenant, key, operation, fingerprint, outcome, at })
    }

    pub(crate) fn table(&self) -> String {
        match self {
            Line::Record(record) => record.kind.clone(),
            Line::Term { kind, .. } => format!("{kind}_term"),
            Line::Head { .. } => "head".to_owned(),
            Line::Entry(_) => "journal".to_owned(),
            Line::Answer(_) => "answer".to_owned(),
            Line::Counter { .. } => "counter".to_owned(),
            Line::Mention { .. } => "mention".to_owned(),
            Line::Gone { .. } => "gone".to_owned(),
            Line::Blank { .. } => "blank".to_owned(),
            Line::Forgotten { .. } => "forgotten".to_owned(),
        }
    }

    /// Whether it belongs to what the header is made of.
    fn leads(&self) -> bool {
        matches!(self, Line::Head { .. } | Line::Gone { .. })
    }
}

impl RecordLine {
    /// The declared columns in the kind's order; those the dump does not have are empty.
    pub(crate) fn values(&self, kind: &Kind) -> Result<Vec<Value>, StoreError> {
        let known = |name: &String| kind.columns.iter().any(|column| column.name == name);
        if let Some(name) = self.columns.keys().find(|name| !known(name)) {
            let what = format!("the dump has a column {name}, which kind {} has not", kind.name);
            return Err(StoreError::Engine(what));
        }
        let values = kind.columns.iter().map(|column| match self.columns.get(column.name) {
            None | Some(ColumnValue::Null(())) => Value::Null,
            Some(ColumnValue::Int(int)) => Value::Int(*int),
            Some(ColumnValue::Text(text)) => Value::Text(text.clone()),
        });
        Ok(values.collect())
    }

    pub(crate) fn into_row(self) -> Row {
        let RecordLine { tenant, number, uuid, revision, doc, .. } = self;
        Row { tenant, number, uuid, revision, doc: doc.into() }
    }
}

impl AnswerLine {
    pub(crate) fn into_parts(self) -> (i64, Answer) {
        let AnswerLine { tenant, key, operation, fingerprint, outcome, at } = self;
        (tenant, Answer { key, operation, fingerprint, outcome, at })
    }
}

/// Runs an export and hands its chunks to `take`, which stops it by refusing.
pub(crate) async fn export(
    store: &Store,
    scope: &Scope,
    mut take: impl AsyncFnMut(Vec<Line>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let (sender, mut receiver) = mpsc::channel(CHUNKS_MAX);
    let produce = async { on_engine!(store, engine => engine.export(scope, sender).await) };
    let consume = async move {
        while let Some(chunk) = receiver.recv().await {
            take(chunk?).await?;
        }
        Ok(())
    };
    // The consumer drops the receiver when it fails, which ends the producer.
    tokio::join!(produce, consume).1
}

#[derive(Default)]
pub(crate) struct Tally {
    hash: Sha256,
    rows: BTreeMap<String, u64>,
}

impl Tally {
    pub(crate) fn count(&mut self, line: &Line) {
        *self.rows.entry(line.table()).or_default() += 1;
    }

    pub(crate) fn read(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
    }

    pub(crate) fn finish(self) -> DumpSummary {
        DumpSummary { rows: self.rows, sha256: hex::encode(self.hash.finalize()) }
    }
}

/// A part of the records that can be restored by itself: everything of one tenant, and single
/// records of the deployment, which come without their history.
#[derive(Debug, Clone, Default)]
pub struct Part {
    /// The tenant.
    pub tenant: i64,
    /// Records of the deployment, each with the document it shall have there; none: its own.
    pub with: Vec<(&'static str, i64, Option<String>)>,
}

impl Part {
    /// The line as it is in this part.
    fn take(&self, mut line: Line) -> Option<Line> {
        let tenant = match &mut line {
            Line::Record(record) if record.tenant == 0 => {
                let is_named = |(kind, number, _): &&(&str, i64, Option<String>)| {
                    *kind == record.kind && *number == record.number
                };
                let (_, _, doc) = self.with.iter().find(is_named)?;
                record.doc = doc.clone().unwrap_or(std::mem::take(&mut record.doc));
                return Some(line);
            }
            Line::Record(record) => record.tenant,
            Line::Term { tenant, .. } | Line::Head { tenant, .. } => *tenant,
            Line::Entry(entry) => entry.tenant,
            Line::Answer(answer) => answer.tenant,
            // What was ever given out must not be given out again there.
            Line::Counter { .. } => return Some(line),
            Line::Mention { .. }
            | Line::Gone { .. }
            | Line::Blank { .. }
            | Line::Forgotten { .. } => return None,
        };
        (tenant == self.tenant).then_some(line)
    }
}

pub(crate) async fn dump(
    store: &Store,
    out: &mut (dyn AsyncWrite + Unpin + Send),
) -> Result<(DumpSummary, Position), StoreError> {
    let engine = store.engine().name.to_owned();
    let header = |position: &Position| Frame::Header {
        format: FORMAT,
        engine,
        position: Some(position.clone()),
    };
    let is_dumped = |line: &Line| !matches!(line, Line::Mention { .. });
    write(store, &Scope::Everything, header, |line| Some(line).filter(is_dumped), out).await
}

pub(crate) async fn dump_part(
    store: &Store,
    part: &Part,
    out: &mut (dyn AsyncWrite + Unpin + Send),
) -> Result<DumpSummary, StoreError> {
    let engine = store.engine().name.to_owned();
    let header = |_: &Position| Frame::Header { format: FORMAT, engine, position: None };
    let written = write(store, &Scope::Everything, header, |line| part.take(line), out).await;
    written.map(|(summary, _)| summary)
}

/// Writes a header, made of where the snapshot stands, the lines as `take` lets them, and the end.
pub(crate) async fn write(
    store: &Store,
    scope: &Scope,
    header: impl FnOnce(&Position) -> Frame + Send,
    take: impl Fn(Line) -> Option<Line> + Send,
    out: &mut (dyn AsyncWrite + Unpin + Send),
) -> Result<(DumpSummary, Position), StoreError> {
    let begun_at = now_us();
    let mut writing = Writing { out, take, tally: Tally::default(), bytes: Vec::new() };
    let mut header = Some(header);
    let mut position = Position::of(begun_at, &[]);
    let mut leading = Vec::new();
    export(store, scope, async |lines| {
        for line in lines {
            if header.is_some() && line.leads() {
                leading.push(line);
                continue;
            }
            if let Some(header) = header.take() {
                position = Position::of(begun_at, &leading);
                writing.begin(&header(&position), std::mem::take(&mut leading))?;
            }
            writing.line(line)?;
        }
        writing.flush().await
    })
    .await?;
    if let Some(header) = header.take() {
        position = Position::of(begun_at, &leading);
        writing.begin(&header(&position), leading)?;
    }
    Ok((writing.end().await?, position))
}

struct Writing<'o, T> {
    out: &'o mut (dyn AsyncWrite + Unpin + Send),
    take: T,
    tally: Tally,
    /// What is not written yet.
    bytes: Vec<u8>,
}

impl<T: Fn(Line) -> Option<Line>> Writing<'_, T> {
    fn begin(&mut self, header: &Frame, leading: Vec<Line>) -> Result<(), StoreError> {
        push_line(&mut self.bytes, header)?;
        leading.into_iter().try_for_each(|line| self.line(line))
    }

    fn line(&mut self, line: Line) -> Result<(), StoreError> {
        let Some(line) = (self.take)(line) else { return Ok(()) };
        self.tally.count(&line);
        push_line(&mut self.bytes, &line)
    }

    async fn flush(&mut self) -> Result<(), StoreError> {
        self.tally.read(&self.bytes);
        self.out.write_all(&self.bytes).await.map_err(write_failed)?;
        self.bytes.clear();
        Ok(())
    }

    async fn end(mut self) -> Result<DumpSummary, StoreError> {
        self.flush().await?;
        let summary = self.tally.finish();
        push_line(&mut self.bytes, &Frame::End(summary.clone()))?;
        self.out.write_all(&self.bytes).await.map_err(write_failed)?;
        self.out.flush().await.map_err(write_failed)?;
        Ok(summary)
    }
}

fn push_line(bytes: &mut Vec<u8>, line: &impl Serialize) -> Result<(), StoreError> {
    serde_json::to_writer(&mut *bytes, line)
        .map_err(|error| StoreError::Engine(format!("a row cannot be dumped: {error}")))?;
    bytes.push(b'\n');
    Ok(())
}

fn write_failed(error: std::io::Error) -> StoreError {
    StoreError::Unavailable(format!("the dump could not be written: {error}"))
}
