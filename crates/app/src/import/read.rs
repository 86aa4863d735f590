//! The reading half: a file as rows, a chunk at a time.

use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use patron_model::{Failure, Why};
use serde_json::Value;

use super::{
    CHUNK_BYTES, CHUNK_ROWS, Columns, Form, Format, Layout, ROW_BYTES_MAX, Row, Said, Unreadable,
    sheet::Sheet, utf8::Utf8,
};

/// Bytes that are read from a file at a time.
const BUFFER_BYTES: usize = 1 << 20;

/// A row as it was read.
#[derive(Debug)]
pub struct Parsed {
    /// Its place: lines, rows below the header; from 1.
    pub number: u64,
    /// What stood there; null where that cannot be said.
    pub record: Value,
    /// What it says.
    pub row: Result<Row, Failure>,
}

/// A file that is about to be read.
pub struct Reading<R: Read + Seek> {
    /// How it is written.
    pub layout: Layout,
    /// Its columns; none where every line names its own.
    pub columns: Columns,
    form: Form,
    said: Said,
    rows: Rows<R>,
}

enum Rows<R: Read + Seek> {
    Lines(BufReader<Utf8<R>>),
    Cells(Box<Cells<R>>),
    Sheet(Box<Sheet<R>>),
}

struct Cells<R> {
    reader: csv::Reader<Bounded<Utf8<R>>>,
    /// Bytes that may be read until the row is too long.
    allowed: Arc<AtomicU64>,
}

impl<R: Read + Seek> Reading<R> {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// When it is no such file, or its columns cannot be told apart.
    pub fn open(mut file: R, layout: Layout, said: Said, form: Form) -> Result<Self, Unreadable> {
        let known = (form.columns)();
        let (rows, columns) = match layout.format() {
            Format::Ndjson => {
                let text = text_of(file, &layout)?;
                (Rows::Lines(BufReader::with_capacity(BUFFER_BYTES, text)), Columns::default())
            }
            Format::Csv => {
                said.names.check(known)?;
                let mut cells = Cells::open(text_of(file, &layout)?, layout.delimiter());
                let columns = Columns::of(cells.header()?.iter(), &said.names, known)?;
                (Rows::Cells(Box::new(cells)), columns)
            }
            Format::Xlsx => {
                said.names.check(known)?;
                file.seek(SeekFrom::Start(0))?;
                let mut sheet = Sheet::open(file, layout.bytes)?;
                let header = sheet.header()?;
                let columns = Columns::of(header.iter().map(String::as_str), &said.names, known)?;
                (Rows::Sheet(Box::new(sheet)), columns)
            }
        };
        Ok(Reading { layout, columns, form, said, rows })
    }

    /// What is read, in words.
    pub fn told(&self) -> String {
        match &self.rows {
            Rows::Sheet(sheet) => format!("{}, sheet {}", self.layout.told(), sheet.name()),
            Rows::Lines(_) | Rows::Cells(_) => self.layout.told(),
        }
    }

    /// Reads all rows and hands them on in chunks, until `take` wants no more.
    ///
    /// # Errors
    /// When the file cannot be read on, or a row is too long.
    pub fn run(self, take: impl FnMut(Vec<Parsed>) -> bool) -> Result<(), Unreadable> {
        let Reading { columns, form, said, rows, .. } = self;
        let mut chunks = Chunks { chunk: Vec::new(), bytes: 0, take };
        let read = match rows {
            Rows::Lines(lines) => read_lines(lines, &form, &said, &mut chunks),
            Rows::Cells(cells) => cells.run(|number, cells, bytes| {
                chunks.push(of_cells(number, cells, &columns, &form), bytes)
            }),
            Rows::Sheet(sheet) => sheet.run(columns.names.len(), |number, cells, bytes| {
                chunks.push(of_cells(number, cells, &columns, &form), bytes)
            }),
        };
        // What came before a fault is good.
        chunks.flush();
        read
    }
}

fn text_of<R: Read + Seek>(mut file: R, layout: &Layout) -> Result<Utf8<R>, Unreadable> {
    file.seek(SeekFrom::Start(layout.mark_bytes()))?;
    Ok(Utf8::new(file, layout.encoding()))
}

/// Rows on their way to whoever takes them.
struct Chunks<T> {
    chunk: Vec<Parsed>,
    bytes: usize,
    take: T,
}

impl<T: FnMut(Vec<Parsed>) -> bool> Chunks<T> {
    /// Whether more are wanted.
    fn push(&mut self, row: Option<Parsed>, bytes: usize) -> bool {
        let Some(row) = row else { return true };
        self.chunk.push(row);
        self.bytes += bytes;
        if self.chunk.len() < CHUNK_ROWS && self.bytes < CHUNK_BYTES {
            return true;
        }
        self.flush()
    }

    fn flush(&mut self) -> bool {
        self.bytes = 0;
        self.chunk.is_empty() || (self.take)(std::mem::take(&mut self.chunk))
    }
}

/// The cells of a row, or why there are none.
pub(super) type CellsOfRow<'a> = Result<Vec<&'a str>, (usize, Why)>;

/// A row of cells; none where all of them are empty.
fn of_cells(number: u64, cells: CellsOfRow<'_>, columns: &Columns, form: &Form) -> Option<Parsed> {
    let name = |at: usize| columns.names.get(at).cloned().flatten().unwrap_or_default();
    let cells = match cells {
        Ok(cells) if cells.iter().all(|cell| cell.is_empty()) => return None,
        Ok(cells) if cells.len() == columns.names.len() => cells,
        Ok(_) => {
            let why = Why::Malformed { expected: "a row with as many cells as the header" };
            let row = Err(Failure::malformed("", why));
            return Some(Parsed { number, record: Value::Null, row });
        }
        Err((at, why)) => {
            let row = Err(Failure::malformed(&name(at), why));
            return Some(Parsed { number, record: Value::Null, row });
        }
    };
    let named = columns.names.iter().zip(cells).filter(|(_, cell)| !cell.is_empty());
    let named: Vec<(&str, &str)> =
        named.filter_map(|(name, cell)| Some((name.as_deref()?, cell))).collect();
    Some(parsed(number, (form.from_cells)(&named), form))
}

fn parsed(number: u64, record: Result<Value, Failure>, form: &Form) -> Parsed {
    match record {
        Ok(record) => Parsed { number, row: (form.into_row)(record.clone()), record },
        Err(failure) => Parsed { number, record: Value::Null, row: Err(failure) },
    }
}

fn too_long(number: u64) -> Unreadable {
    Unreadable(format!("row {number} is longer than {ROW_BYTES_MAX} bytes"))
}

fn read_lines<T: FnMut(Vec<Parsed>) -> bool>(
    mut source: impl BufRead,
    form: &Form,
    said: &Said,
    chunks: &mut Chunks<T>,
) -> Result<(), Unreadable> {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let limit = ROW_BYTES_MAX as u64 + 1;
        let length = source.by_ref().take(limit).read_until(b'\n', &mut line)?;
        if length == 0 {
            break;
        }
        if length > ROW_BYTES_MAX {
            return Err(too_long(number));
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let record = (form.from_line)(&line).and_then(|record| renamed(record, said));
        if !chunks.push(Some(parsed(number, record, form)), length) {
            break;
        }
    }
    Ok(())
}

/// A record with the names that were said for its members.
fn renamed(record: Value, said: &Said) -> Result<Value, Failure> {
    let Value::Object(members) = record else { return Ok(record) };
    if said.names.is_empty() {
        return Ok(Value::Object(members));
    }
    let mut named = serde_json::Map::new();
    for (name, value) in members {
        let Some(ours) = said.names.of(&name) else { continue };
        if named.insert(ours.to_owned(), value).is_some() {
            let why = Why::Malformed { expected: "one member of this name" };
            return Err(Failure::malformed(ours, why));
        }
    }
    Ok(Value::Object(named))
}

impl<R: Read> Cells<R> {
    fn open(text: Utf8<R>, delimiter: u8) -> Cells<R> {
        let allowed = Arc::new(AtomicU64::new((ROW_BYTES_MAX + BUFFER_BYTES) as u64));
        let source = Bounded { source: text, read: 0, allowed: Arc::clone(&allowed) };
        let reader = csv::ReaderBuilder::new()
            .flexible(true)
            .delimiter(delimiter)
            .buffer_capacity(BUFFER_BYTES)
            .from_reader(source);
        Cells { reader, allowed }
    }

    fn header(&mut self) -> Result<csv::StringRecord, Unreadable> {
        let header = self.reader.headers();
        let header = header.map_err(|error| Unreadable(format!("the header row: {error}")))?;
        let is_empty = header.iter().all(str::is_empty);
        if is_empty {
            return Err(Unreadable::because("it has no header row"));
        }
        Ok(header.clone())
    }

    /// Hands on each row with its number and length (bytes), until no more are wanted.
    fn run(
        mut self,
        mut take: impl FnMut(u64, CellsOfRow<'_>, usize) -> bool,
    ) -> Result<(), Unreadable> {
        let mut record = csv::ByteRecord::new();
        for number in 1.. {
            let begins = self.reader.position().byte();
            let most = begins + (ROW_BYTES_MAX + BUFFER_BYTES) as u64;
            self.allowed.store(most, Ordering::Relaxed);
            match self.reader.read_byte_record(&mut record) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) if is_too_long(&error) => return Err(too_long(number)),
                Err(error) => return Err(Unreadable::because(error)),
            }
            let bytes = usize::try_from(self.reader.position().byte() - begins).unwrap_or(0);
            if bytes > ROW_BYTES_MAX {
                return Err(too_long(number));
            }
            let texts = record.iter().enumerate().map(|(at, cell)| {
                let expected = "text in the encoding of the file";
                std::str::from_utf8(cell).map_err(|_| (at, Why::Malformed { expected }))
            });
            if !take(number, texts.collect(), bytes) {
                break;
            }
        }
        Ok(())
    }
}

/// A reader that ends a row which never ends.
struct Bounded<R> {
    source: R,
    read: u64,
    allowed: Arc<AtomicU64>,
}

/// Marks the error of a row that is too long.
const TOO_LONG: &str = "the row is too long";

fn is_too_long(error: &csv::Error) -> bool {
    matches!(error.kind(), csv::ErrorKind::Io(error) if error.to_string() == TOO_LONG)
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.read > self.allowed.load(Ordering::Relaxed) {
            return Err(std::io::Error::other(TOO_LONG));
        }
        let length = self.source.read(into)?;
        self.read += length as u64;
        Ok(length)
    }
}
