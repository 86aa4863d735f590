//! What a file is: looked at once from beginning to end, in constant memory, before it is read.

use std::io::{Read, Seek, SeekFrom};

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8};
use sha2::{Digest as _, Sha256};

use super::{Names, Unreadable, utf8::Utf8};

/// Bytes that are looked at at a time.
const PIECE_BYTES: usize = 1 << 20;
/// Most bytes from which an encoding is guessed.
const GUESSED_BYTES_MAX: usize = 4 << 20;
/// Most bytes of a header from which the delimiter is guessed.
const HEADER_BYTES_MAX: u64 = 64 * 1024;
/// What may stand between two cells; the first one where none does.
const DELIMITERS: [u8; 4] = *b",;\t|";
/// How a spreadsheet begins: it is a ZIP archive.
const ARCHIVE: &[u8] = b"PK\x03\x04";

/// How the rows of a file are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON document a line.
    Ndjson,
    /// Cells of text between delimiters, with a header row (RFC 4180).
    Csv,
    /// A workbook of Excel (Office Open XML), of which the first sheet is read.
    Xlsx,
}

impl Format {
    /// All of them.
    pub const WORDS: &str = "csv, ndjson or xlsx";

    /// By name, or by the extension of a file's name.
    pub fn parse(word: &str) -> Option<Format> {
        match word.to_ascii_lowercase().as_str() {
            "csv" | "tsv" => Some(Format::Csv),
            "ndjson" | "jsonl" | "json" => Some(Format::Ndjson),
            "xlsx" | "xlsm" => Some(Format::Xlsx),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Format::Ndjson => "NDJSON",
            Format::Csv => "CSV",
            Format::Xlsx => "XLSX",
        }
    }
}

/// What somebody says of a file; the rest is guessed.
#[derive(Debug, Clone, Default)]
pub struct Said {
    /// How its rows are written.
    pub format: Option<Format>,
    /// What stands between two cells.
    pub delimiter: Option<u8>,
    /// How its characters are written.
    pub encoding: Option<&'static Encoding>,
    /// Other names of its columns.
    pub names: Names,
}

impl Said {
    /// A delimiter as people write it.
    ///
    /// # Errors
    /// With what it may be.
    pub fn delimiter(text: &str) -> Result<u8, String> {
        match text.as_bytes() {
            b"tab" | b"\\t" => Ok(b'\t'),
            [one] if one.is_ascii() && !b"\"\r\n\0".contains(one) => Ok(*one),
            _ => Err("one ASCII character such as ; or |, or tab".to_owned()),
        }
    }

    /// An encoding by one of its names (WHATWG Encoding Standard).
    ///
    /// # Errors
    /// With examples.
    pub fn encoding(name: &str) -> Result<&'static Encoding, String> {
        Encoding::for_label(name.as_bytes())
            .ok_or_else(|| "a name such as utf-8, windows-1252, iso-8859-2 or utf-16le".to_owned())
    }
}

/// Something that was said or guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Found<T> {
    value: T,
    is_guessed: bool,
}

impl<T> Found<T> {
    fn or_guess(said: Option<T>, guess: impl FnOnce() -> T) -> Found<T> {
        match said {
            Some(value) => Found { value, is_guessed: false },
            None => Found { value: guess(), is_guessed: true },
        }
    }
}

/// How a file is written.
#[derive(Debug, Clone)]
pub struct Layout {
    format: Found<Format>,
    delimiter: Found<u8>,
    encoding: Found<&'static Encoding>,
    /// Bytes of the byte order mark.
    mark_bytes: u64,
    /// Name of the file by its content, so that a second run knows the rows of the first.
    pub source: String,
    /// Its length (bytes).
    pub bytes: u64,
}

impl Layout {
    /// Looks at a file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of<R: Read + Seek>(file: &mut R, said: &Said) -> Result<Layout, Unreadable> {
        let mut pass = Pass::new();
        let mut piece = vec![0; PIECE_BYTES];
        file.seek(SeekFrom::Start(0))?;
        loop {
            match file.read(&mut piece)? {
                0 => break,
                length => pass.take(&piece[..length]),
            }
        }
        let seen = pass.end();
        let format = Found::or_guess(said.format, || seen.format());
        let encoding = Found::or_guess(said.encoding, || match format.value {
            // It is UTF-8 by its definition.
            Format::Ndjson => seen.mark.map_or(UTF_8, |(encoding, _)| encoding),
            Format::Csv | Format::Xlsx => seen.encoding,
        });
        let mark = seen.mark.filter(|(marked, _)| *marked == encoding.value);
        let mark_bytes = mark.map_or(0, |(_, bytes)| bytes as u64);
        file.seek(SeekFrom::Start(mark_bytes))?;
        let mut header = Vec::new();
        if format.value == Format::Csv && said.delimiter.is_none() {
            Utf8::new(&mut *file, encoding.value)
                .take(HEADER_BYTES_MAX)
                .read_to_end(&mut header)?;
        }
        let delimiter = Found::or_guess(said.delimiter, || delimiter_of(&header));
        let Seen { source, bytes, .. } = seen;
        Ok(Layout { format, delimiter, encoding, mark_bytes, source, bytes })
    }

    pub(super) fn format(&self) -> Format {
        self.format.value
    }

    pub(super) fn delimiter(&self) -> u8 {
        self.delimiter.value
    }

    pub(super) fn encoding(&self) -> &'static Encoding {
        self.encoding.value
    }

    pub(super) fn mark_bytes(&self) -> u64 {
        self.mark_bytes
    }

    /// The same in words: `CSV between ; (guessed), windows-1252 (guessed)`.
    pub fn told(&self) -> String {
        let guessed = |is_guessed: bool| if is_guessed { " (guessed)" } else { "" };
        let mut told = self.format.value.name().to_owned();
        if self.format.value == Format::Csv {
            let between = match self.delimiter.value {
                b'\t' => "tabs".to_owned(),
                sign => char::from(sign).to_string(),
            };
            told += &format!(" between {between}{}", guessed(self.delimiter.is_guessed));
        }
        if self.format.value != Format::Xlsx {
            let name = self.encoding.value.name();
            told += &format!(", {name}{}", guessed(self.encoding.is_guessed));
        }
        told
    }
}

/// What one look at all bytes finds out.
struct Pass {
    hasher: Sha256,
    bytes: u64,
    beginning: Vec<u8>,
    /// Bytes at the end that may be the beginning of a character in UTF-8; none: it is not UTF-8.
    utf_8: Option<Vec<u8>>,
    detector: EncodingDetector,
    guessed_bytes: usize,
}

struct Seen {
    source: String,
    bytes: u64,
    first: Option<u8>,
    is_archive: bool,
    mark: Option<(&'static Encoding, usize)>,
    encoding: &'static Encoding,
}

impl Pass {
    fn new() -> Pass {
        Pass {
            hasher: Sha256::new(),
            bytes: 0,
            beginning: Vec::new(),
            utf_8: Some(Vec::new()),
            detector: EncodingDetector::new(Iso2022JpDetection::Deny),
            guessed_bytes: 0,
        }
    }

    fn take(&mut self, piece: &[u8]) {
        if self.bytes == 0 {
            self.beginning = piece[..piece.len().min(HEADER_BYTES_MAX as usize)].to_vec();
        }
        self.hasher.update(piece);
        self.bytes += piece.len() as u64;
        if let Some(rest) = self.utf_8.take() {
            self.utf_8 = utf_8_rest(rest, piece);
        }
        if !piece.is_ascii() && self.guessed_bytes < GUESSED_BYTES_MAX {
            self.detector.feed(piece, false);
            self.guessed_bytes += piece.len();
        }
    }

    fn end(mut self) -> Seen {
        self.detector.feed(&[], true);
        let mark = Encoding::for_bom(&self.beginning);
        let is_utf_8 = self.utf_8.is_some_and(|rest| rest.is_empty());
        let encoding = match mark {
            Some((encoding, _)) => encoding,
            None if is_utf_8 => UTF_8,
            None => self.detector.guess(None, Utf8Detection::Deny),
        };
        Seen {
            source: hex::encode(&self.hasher.finalize()[..16]),
            bytes: self.bytes,
            first: self.beginning.iter().copied().find(|byte| !byte.is_ascii_whitespace()),
            is_archive: self.beginning.starts_with(ARCHIVE),
            mark,
            encoding,
        }
    }
}

impl Seen {
    fn format(&self) -> Format {
        match self.first {
            _ if self.is_archive => Format::Xlsx,
            Some(b'{') => Format::Ndjson,
            _ => Format::Csv,
        }
    }
}

/// What is left of a text whose last character is not whole yet; none: it is not UTF-8.
fn utf_8_rest(mut rest: Vec<u8>, piece: &[u8]) -> Option<Vec<u8>> {
    if rest.is_empty() {
        return match std::str::from_utf8(piece) {
            Ok(_) => Some(rest),
            Err(error) if error.error_len().is_none() => {
                Some(piece[error.valid_up_to()..].to_vec())
            }
            Err(_) => None,
        };
    }
    rest.extend_from_slice(piece);
    utf_8_rest(Vec::new(), &rest)
}

/// What stands most often between the cells of the header, outside of quotation marks.
fn delimiter_of(header: &[u8]) -> u8 {
    let mut counts = [0usize; DELIMITERS.len()];
    let mut is_quoted = false;
    for byte in header {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b'\n' | b'\r' if !is_quoted && counts.iter().any(|count| *count > 0) => break,
            sign if !is_quoted => {
                if let Some(at) = DELIMITERS.iter().position(|known| known == sign) {
                    counts[at] += 1;
                }
            }
            _ => {}
        }
    }
    // The first of equals.
    let most = (0..DELIMITERS.len()).rev().max_by_key(|at| counts[*at]).unwrap_or_default();
    DELIMITERS[most]
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn told(bytes: &[u8]) -> String {
        Layout::of(&mut Cursor::new(bytes), &Said::default()).unwrap().told()
    }

    #[test]
    fn what_a_file_is_is_guessed_from_all_of_it() {
        let german = "Vorname;Nachname;Straße\r\nJörg;Müller;Käferweg 5\r\n";
        let (latin, _, _) = encoding_rs::WINDOWS_1252.encode(german);
        assert_eq!(told(&latin), "CSV between ; (guessed), windows-1252 (guessed)");
        assert_eq!(told(german.as_bytes()), "CSV between ; (guessed), UTF-8 (guessed)");
        let marked: Vec<u8> = "\u{feff}a\tb\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(told(&marked), "CSV between tabs (guessed), UTF-16LE (guessed)");
        // The first letter that is no ASCII stands behind the first pieces.
        let mut late = "reference,city\n".repeat(200_000).into_bytes();
        assert_eq!(told(&late), "CSV between , (guessed), UTF-8 (guessed)");
        late.extend_from_slice(b"r,Z\xfcrich\nr,K\xf6ln\n");
        assert_eq!(told(&late), "CSV between , (guessed), windows-1252 (guessed)");
        assert_eq!(told(b" {\"email\":\"a@b.example\"}"), "NDJSON, UTF-8 (guessed)");
        assert_eq!(told(b"PK\x03\x04..."), "XLSX");
        assert_eq!(told(b"\"a;b;c\",d\n"), "CSV between , (guessed), UTF-8 (guessed)");
        assert_eq!(told(b""), "CSV between , (guessed), UTF-8 (guessed)");
    }

    #[test]
    fn characters_between_two_pieces_are_seen_whole() {
        for cut in 0..=5 {
            let text = "aé€b".as_bytes();
            let first = utf_8_rest(Vec::new(), &text[..cut]).unwrap();
            assert_eq!(utf_8_rest(first, &text[cut..]), Some(Vec::new()), "{cut}");
        }
        assert_eq!(utf_8_rest(Vec::new(), b"a\xfcb"), None);
    }

    #[test]
    fn delimiters_and_encodings_are_read_as_people_write_them() {
        assert_eq!(Said::delimiter("tab"), Ok(b'\t'));
        assert_eq!(Said::delimiter(";"), Ok(b';'));
        for bad in ["", "\"", "\n", ";;", "é"] {
            assert!(Said::delimiter(bad).is_err(), "{bad}");
        }
        assert_eq!(Said::encoding("latin1"), Ok(encoding_rs::WINDOWS_1252));
        assert!(Said::encoding("klingon").is_err());
    }
}
