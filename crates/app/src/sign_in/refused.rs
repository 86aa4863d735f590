//! Passwords that nobody should take: those that many people take, and those that were breached.
//!
//! The first are a list that comes along, which is unpacked for each look, because few are set. The
//! second are a file of the operator's, as Pwned Passwords has it: SHA-1 in hexadecimal digits, by
//! itself or with a colon and a count behind it, in the order of the hashes. It has 40 GB, so it is
//! searched where it lies.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use patron_model::{Failure, Why};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use crate::App;

/// The passwords of the lists of zxcvbn and zxcvbn-ts, in lower case, one a line.
const COMMON: &[u8] = include_bytes!("refused/common.txt.zst");
/// Bytes of that list once it is unpacked, at most.
const COMMON_BYTES_MAX: usize = 512 * 1024;
/// Hexadecimal digits of a hash; a file may leave out the last ones.
const HASH_DIGITS: usize = 40;
/// Digits of a hash that say enough: of a billion passwords none has those of another one.
const HASH_DIGITS_MIN: usize = 16;
/// Bytes of a line of the file at most.
const LINE_BYTES_MAX: usize = 128;
/// Bytes that are read at once; so few are looked through line by line.
const WINDOW_BYTES: u64 = 4_096;

/// Refuses a password that many people take, or that was breached.
///
/// # Errors
/// `Invalid`; `Internal` when the operator's file cannot be read: nothing is taken unseen then.
pub(super) async fn check(app: &App, field: &str, password: &str) -> Result<(), Failure> {
    let password = password.to_owned();
    let file = app.sign_in.breached.get().cloned();
    let looked = tokio::task::spawn_blocking(move || -> Result<_, Failure> {
        let is_common = is_common(&common()?, &password);
        let breached = file.map_or(Ok(false), |file| is_breached(&file, &password));
        Ok((is_common, breached.map_err(Failure::internal)?))
    });
    let looked = looked.await.map_err(|_| Failure::internal("looking for a password failed"))?;
    let expected = match looked? {
        (true, _) => "a password that is not among those that many people take",
        (false, true) => "a password that is not known from a breach",
        (false, false) => return Ok(()),
    };
    Err(Failure::invalid(field, Why::Malformed { expected }))
}

/// The list that comes along.
fn common() -> Result<String, Failure> {
    let unpacked = zstd::bulk::decompress(COMMON, COMMON_BYTES_MAX).map_err(Failure::internal)?;
    String::from_utf8(unpacked).map_err(Failure::internal)
}

/// Whether a password is one of a list, also repeated, in capitals, or with digits and signs around
/// it: nearly all of the list are too short to be taken as they are.
fn is_common(list: &str, password: &str) -> bool {
    let password = password.to_lowercase();
    let bare = password.trim_matches(|c: char| !c.is_alphabetic());
    let forms = [password.as_str(), unit(&password), bare, unit(bare)];
    list.lines().any(|known| forms.contains(&known))
}

/// What a text repeats; the text itself where it repeats nothing.
fn unit(text: &str) -> &str {
    let bytes = text.as_bytes();
    let mut ends = text.char_indices().skip(1).map(|(at, _)| at);
    let repeats = |at: &usize| bytes.chunks(*at).all(|part| part == &bytes[..*at]);
    ends.find(repeats).map_or(text, |at| &text[..at])
}

/// Whether the hash of a password stands in a file.
///
/// # Errors
/// When it cannot be read, or is not in the form of such a file.
fn is_breached(path: &Path, password: &str) -> io::Result<bool> {
    let hash = hex::encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes()));
    List::open(path)?.has(&hash)
}

/// The file of breached passwords, open.
struct List {
    file: File,
    bytes: u64,
}

/// Looks whether a file is a list of breached passwords.
///
/// # Errors
/// When it cannot be read, or its first and last line are no hashes in order.
pub fn look(path: &Path) -> io::Result<()> {
    let mut list = List::open(path)?;
    let first = list.lines(0, WINDOW_BYTES.min(list.bytes))?;
    let (start, end) = (list.bytes.saturating_sub(WINDOW_BYTES), list.bytes);
    let start = if start == 0 { 0 } else { list.line_after(start)? };
    let last = list.lines(start, end)?;
    match (first.first(), last.last()) {
        (Some(first), Some(last)) if first <= last => Ok(()),
        _ => Err(malformed("it is empty, or not in the order of the hashes")),
    }
}

fn malformed(why: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, why)
}

impl List {
    fn open(path: &Path) -> io::Result<List> {
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        Ok(List { file, bytes })
    }

    /// Whether a hash, in lower case, is in the list. Each step reads one window.
    fn has(&mut self, wanted: &str) -> io::Result<bool> {
        // Both are where lines begin; the line that is looked for begins between them.
        let (mut low, mut high) = (0, self.bytes);
        while high - low > WINDOW_BYTES {
            let middle = self.line_after(low + (high - low) / 2)?;
            let end = self.bytes.min(middle + LINE_BYTES_MAX as u64);
            let lines = self.lines(middle, end)?;
            let known = lines.first().ok_or(malformed("it has a line without a hash"))?;
            if known.as_str() <= &wanted[..known.len()] { low = middle } else { high = middle }
        }
        let end = self.bytes.min(high + LINE_BYTES_MAX as u64);
        Ok(self.lines(low, end)?.iter().any(|known| wanted.starts_with(known.as_str())))
    }

    fn window(&mut self, start: u64, end: u64) -> io::Result<Vec<u8>> {
        self.file.seek(SeekFrom::Start(start))?;
        let mut read = Vec::new();
        (&self.file).take(end.saturating_sub(start)).read_to_end(&mut read)?;
        Ok(read)
    }

    /// Where the first line begins behind a place; the end of the file where none does.
    fn line_after(&mut self, place: u64) -> io::Result<u64> {
        let end = self.bytes.min(place + LINE_BYTES_MAX as u64);
        let read = self.window(place, end)?;
        match read.iter().position(|byte| *byte == b'\n') {
            Some(at) => Ok(place + at as u64 + 1),
            None if end == self.bytes => Ok(end),
            None => Err(malformed("it has a line that is longer than a hash and a count")),
        }
    }

    /// The hashes, in lower case, of the whole lines between the beginning of one and a place.
    fn lines(&mut self, start: u64, end: u64) -> io::Result<Vec<String>> {
        let read = self.window(start, end)?;
        let whole = match read.iter().rposition(|byte| *byte == b'\n') {
            _ if end == self.bytes => &read[..],
            Some(last) => &read[..last],
            None => return Err(malformed("it has a line that is longer than a hash and a count")),
        };
        let lines = whole.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(hash_of).collect()
    }
}

/// The hash of a line: up to the colon, or to the end.
fn hash_of(line: &[u8]) -> io::Result<String> {
    let digits = line.split(|byte| b":\r".contains(byte)).next().unwrap_or_default();
    let is_hash = (HASH_DIGITS_MIN..=HASH_DIGITS).contains(&digits.len())
        && digits.iter().all(u8::is_ascii_hexdigit);
    if !is_hash {
        return Err(malformed("it has a line that does not begin with a SHA-1 of 16 to 40 digits"));
    }
    Ok(String::from_utf8_lossy(digits).to_ascii_lowercase())
}

impl App {
    /// Says which file of breached passwords nobody takes one of. Only the first word counts.
    pub fn refuses_passwords_in(&self, file: PathBuf) {
        let _ = self.sign_in.breached.set(file);
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn what_many_take_is_refused_however_it_is_dressed_up() {
        let list = common().expect("the list");
        assert_eq!(list.lines().count(), 49_263);
        for common in [
            "1234567890987654321",
            "Q1W2E3R4T5Y6U7I8O9P0",
            "passwordpassword",
            "PasswordPasswordPassword",
            "  !!password12345678",
            "2024dragondragon2025",
            // Long enough beside codes of an app.
            "iloveyou1",
            "éé",
        ] {
            assert_eq!(is_common(&list, common), common != "éé", "{common}");
        }
        for fine in ["correct horse battery staple", "every word of my own", "patron sandbox owner"]
        {
            assert!(!is_common(&list, fine), "{fine}");
        }
    }

    #[test]
    fn a_unit_is_the_shortest() {
        for (text, wanted) in
            [("abab", "ab"), ("aaa", "a"), ("aba", "aba"), ("", ""), ("éaéa", "éa")]
        {
            assert_eq!(unit(text), wanted);
        }
    }

    fn sha1(text: &str) -> String {
        hex::encode_upper(digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()))
    }

    /// A file of the passwords 0, 2, 4, … of `count`, written in some way.
    fn file(count: usize, write: impl Fn(&str, usize) -> String) -> tempfile::NamedTempFile {
        let mut hashes: Vec<String> = (0..count).map(|n| sha1(&(2 * n).to_string())).collect();
        hashes.sort();
        let mut text = String::new();
        for (at, hash) in hashes.iter().enumerate() {
            write!(text, "{}", write(hash, at)).expect("written");
        }
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("written");
        file
    }

    #[test]
    fn every_breached_one_is_found_and_no_other() {
        type Written = fn(&str, usize) -> String;
        let ways: [Written; 4] = [
            |hash, at| format!("{hash}:{}\r\n", (at * 7_919) % 100_000),
            |hash, _| format!("{}\n", hash.to_lowercase()),
            |hash, at| format!("{}:{at}\n", &hash[..16]),
            |hash, at| if at == 0 { hash.to_owned() } else { format!("\n{hash}:3") },
        ];
        for (way, write) in ways.into_iter().enumerate() {
            for count in [1, 2, 80, 100, 1_000] {
                let file = file(count, write);
                look(file.path()).expect("a list");
                for n in 0..2 * count {
                    let found = is_breached(file.path(), &n.to_string()).expect("read");
                    assert_eq!(found, n % 2 == 0, "{n} of {count}, way {way}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_such_list_is_told() {
        let written = |text: &str| {
            let file = tempfile::NamedTempFile::new().expect("a file");
            std::fs::write(file.path(), text).expect("written");
            file
        };
        let two = [sha1("a"), sha1("b")];
        let [high, low] = if two[0] > two[1] { [&two[0], &two[1]] } else { [&two[1], &two[0]] };
        let long = "A".repeat(20_000);
        for text in ["", "password\n123456\n", &format!("{high}:1\n{low}:1\n"), &long] {
            assert!(look(written(text).path()).is_err(), "{text:.50}");
        }
        assert!(look(Path::new("/nowhere/at/all")).is_err());
        assert!(is_breached(written(&long).path(), "a").is_err());
    }
}
