//! Everything as lines of JSON, the same for every engine, so that a dump of one can be restored into
//! another. An engine exports a stream of [`Line`]s out of one snapshot and imports one in a single
//! transaction; format, counts and hash live here.
//!
//! The first line is a header, the last one says how many lines of each sort there are and gives the
//! SHA-256 of every byte before it. Both directions run in constant memory.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::store::{Engine, on_engine};
use crate::{Answer, Entry, Kind, RelatedOf, Row, Store, StoreError, Value};

/// Version of the format; the header carries it.
const FORMAT: u32 = 3;
/// The version whose answers lie under fingerprints that could be tried out: they are left out.
const FORMAT_OF_OPEN_ANSWERS: u32 = 1;
/// The first version whose entries say what they are related to.
const FORMAT_OF_RELATED_ENTRIES: u32 = 3;
/// Lines an engine hands over at once.
pub(crate) const CHUNK_LINES: usize = 256;
/// Chunks under way between engine and file.
pub(crate) const CHUNKS_MAX: usize = 4;
/// Longest line a restore accepts (bytes).
const LINE_BYTES_MAX: u64 = 64 * 1024 * 1024;

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
    },
    Entry(#[serde(with = "EntryLine")] Entry),
    Answer(AnswerLine),
    Counter {
        name: String,
        next: i64,
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
    tenant: i64,
    key: String,
    operation: String,
    fingerprint: String,
    outcome: String,
    at: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Frame {
    Header { format: u32, engine: String },
    End(DumpSummary),
}

/// What an engine exports into. Dropped by the receiver when it has given up.
pub(crate) type LineSender = mpsc::Sender<Result<Vec<Line>, StoreError>>;

/// What an engine imports from. A feed that ends without `Commit` is to be undone.
pub(crate) enum Feed {
    Lines(Vec<Line>),
    Commit,
}

impl Line {
    pub(crate) fn record(kind: &Kind, row: Row, columns: &[Value]) -> Line {
        let columns = kind.columns.iter().zip(columns).map(|(column, value)| {
            let value = match value {
                Value::Null => ColumnValue::Null(()),
                Value::Int(int) => ColumnValue::Int(*int),
                Value::Text(text) => ColumnValue::Text(text.clone()),
            };
            (column.name.to_owned(), value)
        });
        Line::Record(RecordLine {
            kind: kind.name.to_owned(),
            tenant: row.tenant,
            number: row.number,
            uuid: row.uuid,
            revision: row.revision,
            columns: columns.collect(),
            doc: row.doc,
        })
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

    fn table(&self) -> String {
        match self {
            Line::Record(record) => record.kind.clone(),
            Line::Term { kind, .. } => format!("{kind}_term"),
            Line::Head { .. } => "head".to_owned(),
            Line::Entry(_) => "journal".to_owned(),
            Line::Answer(_) => "answer".to_owned(),
            Line::Counter { .. } => "counter".to_owned(),
            Line::Mention { .. } => "mention".to_owned(),
        }
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
        Row { tenant, number, uuid, revision, doc }
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
    mut take: impl AsyncFnMut(Vec<Line>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let (sender, mut receiver) = mpsc::channel(CHUNKS_MAX);
    let produce = async { on_engine!(store, engine => engine.export(sender).await) };
    let consume = async move {
        while let Some(chunk) = receiver.recv().await {
            take(chunk?).await?;
        }
        Ok(())
    };
    // The consumer drops the receiver when it fails, which ends the producer.
    tokio::join!(produce, consume).1
}

struct Tally {
    hash: Sha256,
    rows: BTreeMap<String, u64>,
}

impl Tally {
    fn new() -> Tally {
        Tally { hash: Sha256::new(), rows: BTreeMap::new() }
    }

    fn count(&mut self, line: &Line) {
        *self.rows.entry(line.table()).or_default() += 1;
    }

    fn finish(self) -> DumpSummary {
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
            Line::Mention { .. } => return None,
        };
        (tenant == self.tenant).then_some(line)
    }
}

pub(crate) async fn dump(
    store: &Store,
    out: &mut (dyn AsyncWrite + Unpin + Send),
) -> Result<DumpSummary, StoreError> {
    let is_dumped = |line: &Line| !matches!(line, Line::Mention { .. });
    dump_lines(store, out, |line| Some(line).filter(is_dumped)).await
}

pub(crate) async fn dump_part(
    store: &Store,
    part: &Part,
    out: &mut (dyn AsyncWrite + Unpin + Send),
) -> Result<DumpSummary, StoreError> {
    dump_lines(store, out, |line| part.take(line)).await
}

async fn dump_lines(
    store: &Store,
    out: &mut (dyn AsyncWrite + Unpin + Send),
    take: impl Fn(Line) -> Option<Line> + Send,
) -> Result<DumpSummary, StoreError> {
    let mut tally = Tally::new();
    let mut bytes = Vec::new();
    let header = Frame::Header { format: FORMAT, engine: store.engine().name.to_owned() };
    push_line(&mut bytes, &header)?;
    tally.hash.update(&bytes);
    out.write_all(&bytes).await.map_err(write_failed)?;
    export(store, async |lines| {
        bytes.clear();
        for line in lines.into_iter().filter_map(&take) {
            tally.count(&line);
            push_line(&mut bytes, &line)?;
        }
        tally.hash.update(&bytes);
        out.write_all(&bytes).await.map_err(write_failed)
    })
    .await?;
    let summary = tally.finish();
    bytes.clear();
    push_line(&mut bytes, &Frame::End(summary.clone()))?;
    out.write_all(&bytes).await.map_err(write_failed)?;
    out.flush().await.map_err(write_failed)?;
    Ok(summary)
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

pub(crate) async fn restore(
    store: &Store,
    reader: &mut (dyn AsyncBufRead + Unpin + Send),
) -> Result<DumpSummary, StoreError> {
    let (sender, receiver) = mpsc::channel(CHUNKS_MAX);
    let import = async { on_engine!(store, engine => engine.import(receiver).await) };
    let (imported, read) = tokio::join!(import, read_lines(reader, sender, store.related_of()));
    // An engine that refuses closes the feed, so its word explains the reader's failure.
    imported?;
    read
}

/// Feeds the engine and says `Commit` only after counts and hash agreed. The sender is dropped in
/// the end, which tells the engine to undo everything when that word did not come.
async fn read_lines(
    reader: &mut (dyn AsyncBufRead + Unpin + Send),
    feed: mpsc::Sender<Feed>,
    related_of: RelatedOf,
) -> Result<DumpSummary, StoreError> {
    let mut tally = Tally::new();
    let mut line = Vec::new();
    next_line(reader, &mut line).await?;
    let format = match serde_json::from_slice(&line) {
        Ok(Frame::Header { format, .. }) if (1..=FORMAT).contains(&format) => format,
        Ok(Frame::Header { .. }) => return Err(bad_dump("a newer version of Patron wrote it")),
        _ => return Err(bad_dump("it does not begin with the header of a dump")),
    };
    tally.hash.update(&line);
    let left_out =
        |line: &Line| format == FORMAT_OF_OPEN_ANSWERS && matches!(line, Line::Answer(_));
    let mut chunk = Vec::with_capacity(CHUNK_LINES);
    let end = loop {
        next_line(reader, &mut line).await?;
        if line.is_empty() {
            return Err(bad_dump("it ends too early"));
        }
        if line.starts_with(b"{\"end\":") {
            break line;
        }
        tally.hash.update(&line);
        let mut row: Line = serde_json::from_slice(&line).map_err(bad_dump)?;
        tally.count(&row);
        if left_out(&row) {
            continue;
        }
        if let (Line::Entry(entry), true) = (&mut row, format < FORMAT_OF_RELATED_ENTRIES) {
            entry.related = related_of(entry);
        }
        chunk.push(row);
        if chunk.len() == CHUNK_LINES {
            send(&feed, Feed::Lines(std::mem::take(&mut chunk))).await?;
        }
    };
    let Ok(Frame::End(promised)) = serde_json::from_slice(&end) else {
        return Err(bad_dump("its last line cannot be read"));
    };
    let mut summary = tally.finish();
    if summary != promised {
        return Err(bad_dump("its counts or its hash do not agree with its last line"));
    }
    if format == FORMAT_OF_OPEN_ANSWERS {
        summary.rows.remove("answer");
    }
    send(&feed, Feed::Lines(chunk)).await?;
    send(&feed, Feed::Commit).await?;
    Ok(summary)
}

async fn send(feed: &mpsc::Sender<Feed>, fed: Feed) -> Result<(), StoreError> {
    feed.send(fed).await.map_err(|_| StoreError::Engine("the restore was refused".to_owned()))
}

async fn next_line(
    reader: &mut (dyn AsyncBufRead + Unpin + Send),
    line: &mut Vec<u8>,
) -> Result<(), StoreError> {
    line.clear();
    let read = reader.take(LINE_BYTES_MAX).read_until(b'\n', line).await;
    read.map_err(|error| StoreError::Unavailable(format!("the dump cannot be read: {error}")))?;
    Ok(())
}

fn bad_dump(why: impl std::fmt::Display) -> StoreError {
    StoreError::Engine(format!("this dump cannot be restored, nothing of it is kept: {why}"))
}
