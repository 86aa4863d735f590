//! JSON, query strings and forms into values, or into problems that say which field is wrong and
//! why, without repeating what was sent.

use std::borrow::Cow;

use patron_model::{Failure, Problems, Why};
use serde::de::{DeserializeOwned, IgnoredAny};

/// Bytes of memory a JSON document may take at most once it is decoded.
const DECODED_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes of a body that need no estimate: decoded it is far below the limit, whatever it holds.
const SMALL_BODY_BYTES: usize = 16 * 1024;
/// Bytes an object takes in memory, members aside: the first leaf of a map has room for eleven.
const OBJECT_BYTES: usize = 768;
/// Bytes an array takes, items aside: room for four.
const ARRAY_BYTES: usize = 160;
/// Bytes a member or item takes, texts aside: its value, its name, and room that is not filled.
const MEMBER_BYTES: usize = 128;
/// Most pairs of a form.
pub const FORM_PAIRS_MAX: usize = 1_000;

/// Decodes a JSON document.
///
/// # Errors
/// `Malformed` with the path of the member that does not fit, or when it would take more than
/// 16 MiB of memory.
pub fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    is_nul_free(body)?;
    is_bounded(body)?;
    // The fast way first; the path of a fault is only looked for when there is one.
    serde_json::from_slice(body).map_err(|_| json_fault::<T>(body))
}

/// What was read at a place; its faults are told below that.
///
/// # Errors
/// As it was read.
pub fn below<T>(place: &str, read: Result<T, Failure>) -> Result<T, Failure> {
    let below = |problems: Problems| problems.renamed(|field| joined(place, field));
    read.map_err(|failure| match failure {
        Failure::Malformed(problems) => Failure::Malformed(below(problems)),
        Failure::Invalid(problems) => Failure::Invalid(below(problems)),
        other => other,
    })
}

/// A place below another one, dotted.
pub(crate) fn joined(place: &str, name: &str) -> String {
    match (place, name) {
        ("", only) | (only, "") => only.to_owned(),
        (place, name) => format!("{place}.{name}"),
    }
}

/// Decodes a JSON object. Without this an array would be read member by member, by position.
///
/// # Errors
/// `Malformed`, also when the document is anything but an object.
pub fn json_object<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    if first == Some(&b'[') {
        return Err(Failure::malformed("", Why::WrongType { expected: "an object" }));
    }
    json(body)
}

/// A body of megabytes may consist of brackets and commas, which take up to a hundred times as much
/// memory as text.
fn is_bounded(body: &[u8]) -> Result<(), Failure> {
    if body.len() <= SMALL_BODY_BYTES || decoded_bytes(body) <= DECODED_BYTES_MAX {
        return Ok(());
    }
    Err(Failure::malformed("", Why::TooLarge { max_bytes: DECODED_BYTES_MAX }))
}

/// Bytes of memory a JSON document takes at most, decoded.
fn decoded_bytes(body: &[u8]) -> usize {
    let mut bytes = body.len();
    let mut rest = body.iter();
    while let Some(byte) = rest.next() {
        bytes += match byte {
            b'"' => {
                // To the end of the text: a backslash takes the next byte with it.
                while let Some(inner) = rest.next() {
                    match inner {
                        b'"' => break,
                        b'\\' => drop(rest.next()),
                        _ => {}
                    }
                }
                0
            }
            b'{' => OBJECT_BYTES,
            b'[' => ARRAY_BYTES,
            b',' => MEMBER_BYTES,
            _ => 0,
        };
    }
    bytes
}

/// No engine stores a NUL, however it is written.
fn is_nul_free(body: &[u8]) -> Result<(), Failure> {
    let escapes = body.windows(6).enumerate().filter(|(_, window)| *window == b"\\u0000");
    // A backslash that is itself escaped begins no escape.
    let is_real = |at: usize| body[..at].iter().rev().take_while(|b| **b == b'\\').count() % 2 == 0;
    if escapes.into_iter().any(|(at, _)| is_real(at)) {
        Err(Failure::malformed("", Why::ControlCharacter))
    } else {
        Ok(())
    }
}

fn json_fault<T: DeserializeOwned>(body: &[u8]) -> Failure {
    let mut source = serde_json::Deserializer::from_slice(body);
    let error = match serde_path_to_error::deserialize::<_, T>(&mut source) {
        Ok(_) => match source.end() {
            Ok(()) => return Failure::internal("what could not be decoded can be"),
            Err(error) => return Failure::malformed("", broken(&error)),
        },
        Err(error) => error,
    };
    // What is no JSON at all says so first, wherever it is at fault.
    if let Err(error) = serde_json::from_slice::<IgnoredAny>(body) {
        return Failure::malformed("", broken(&error));
    }
    let path = dotted(error.path());
    let inner = error.into_inner();
    if !inner.is_data() {
        return Failure::malformed("", broken(&inner));
    }
    let (field, why) = data_fault(&inner.to_string());
    let field = match (path.is_empty(), field) {
        (_, None) => path,
        (true, Some(field)) => field,
        // The path of an unknown or repeated member ends in its name already.
        (false, Some(field)) if path == field || path.ends_with(&format!(".{field}")) => path,
        (false, Some(field)) => format!("{path}.{field}"),
    };
    Failure::malformed(&field, why)
}

/// Where a document stops being JSON.
fn broken(error: &serde_json::Error) -> Why {
    let reason = format!("no valid JSON from line {} column {}", error.line(), error.column());
    Why::Syntax { reason }
}

fn dotted(path: &serde_path_to_error::Path) -> String {
    // The whole document is a dot, and items of a list begin with one.
    let text = path.to_string().replace('[', ".").replace(']', "");
    text.strip_prefix('.').map_or(text.clone(), str::to_owned)
}

/// What serde says, in our words. Its text may quote the input, so only known parts are used.
fn data_fault(message: &str) -> (Option<String>, Why) {
    if let Some(rest) = message.strip_prefix("missing field `") {
        return (rest.split('`').next().map(str::to_owned), Why::Required);
    }
    if let Some(rest) = message.strip_prefix("unknown field `") {
        // Every second piece between the ticks is a name: the sent one, then ours.
        let mut names = rest.split('`').step_by(2);
        let sent = names.next().unwrap_or_default();
        return (Some(sent.to_owned()), Why::unknown_field(sent, names));
    }
    if let Some(rest) = message.strip_prefix("duplicate field `") {
        return (rest.split('`').next().map(str::to_owned), Why::Duplicate);
    }
    if message.starts_with("unknown variant") {
        return (None, Why::Unknown { what: "value" });
    }
    let expected = message.rsplit_once("expected ").map_or("", |(_, expected)| expected);
    let expected = match expected {
        e if e.starts_with("a string") || e.starts_with("string") => "a string",
        e if e.starts_with("a boolean") => "true or false",
        e if e.starts_with("a map") || e.starts_with("struct") => "an object",
        e if e.starts_with("a sequence") => "an array",
        e if e.starts_with('i') || e.starts_with('u') => "a whole number",
        e if e.starts_with('f') => "a number",
        _ => "a value of another type",
    };
    (None, Why::WrongType { expected })
}

/// Decoded `name=value` pairs of a query string or a form, in order. Pairs are separated by `&`
/// only, and split at the first `=`.
#[derive(Debug, Clone, Default)]
pub struct Params(Vec<(String, String)>);

/// Decodes a form.
///
/// # Errors
/// `Malformed` when it has more than [`FORM_PAIRS_MAX`] pairs.
pub fn form(body: &[u8]) -> Result<Params, Failure> {
    if body.iter().filter(|byte| **byte == b'&').count() >= FORM_PAIRS_MAX {
        return Err(Failure::malformed("", Why::TooMany { max: FORM_PAIRS_MAX }));
    }
    Ok(Params::parse(&String::from_utf8_lossy(body)))
}

impl Params {
    /// Decodes a query string or form body.
    pub fn parse(text: &str) -> Params {
        let pairs = form_urlencoded::parse(text.as_bytes());
        Params(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    /// The first value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All values of a parameter that may be repeated.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All pairs.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Names that are not among the known ones.
    pub fn unknown<'a>(&'a self, known: &'a [&str]) -> impl Iterator<Item = &'a str> {
        self.iter().map(|(name, _)| name).filter(move |name| !known.contains(name))
    }

    /// A whole number within limits; `default` when absent or empty.
    ///
    /// # Errors
    /// Why it is none.
    pub fn int(&self, name: &str, default: i64, min: i64, max: i64) -> Result<i64, Why> {
        match self.get(name) {
            None | Some("") => Ok(default),
            Some(text) => match text.trim().parse::<i64>() {
                Ok(value) if (min..=max).contains(&value) => Ok(value),
                Ok(_) => Err(Why::OutOfRange { min, max }),
                Err(_) => Err(Why::WrongType { expected: "a whole number" }),
            },
        }
    }
}

/// Percent-decodes one path segment. Invalid UTF-8 becomes replacement characters.
pub fn segment(raw: &str) -> Cow<'_, str> {
    if !raw.contains('%') {
        return Cow::Borrowed(raw);
    }
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let pair = (byte == b'%').then(|| tail.get(..2)).flatten();
        let decoded = pair
            .and_then(|pair| std::str::from_utf8(pair).ok())
            .and_then(|pair| u8::from_str_radix(pair, 16).ok());
        match decoded {
            Some(decoded) => {
                bytes.push(decoded);
                rest = &tail[2..];
            }
            None => {
                bytes.push(byte);
                rest = tail;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Body {
        #[allow(dead_code)]
        name: String,
        #[allow(dead_code)]
        inner: Option<Inner>,
    }

    #[derive(Debug, serde::Deserialize)]
    struct Inner {
        #[allow(dead_code)]
        count: i64,
    }

    fn fault(body: &str) -> (String, Why) {
        match json::<Body>(body.as_bytes()) {
            Err(Failure::Malformed(problems)) => {
                let problem = problems.into_iter().next().expect("a problem");
                (problem.field, problem.why)
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn names_the_member_that_does_not_fit_and_never_quotes_it() {
        let wrong = Why::WrongType { expected: "a whole number" };
        assert_eq!(
            fault(r#"{"name":"a","inner":{"count":"secret"}}"#),
            ("inner.count".into(), wrong)
        );
        let wrong = Why::WrongType { expected: "a string" };
        assert_eq!(fault(r#"{"name":7}"#), ("name".into(), wrong));
        assert_eq!(fault("{}"), ("name".into(), Why::Required));
    }

    #[test]
    fn what_is_no_json_says_where_it_stops_being_some() {
        for (body, line, column) in [
            ("{", 1, 1),
            ("{\"name\": 7,\n \"inner\" 7}", 2, 10),
            (r#"{"name":"a"} x"#, 1, 14),
            ("nothing", 1, 2),
        ] {
            let reason = format!("no valid JSON from line {line} column {column}");
            assert_eq!(fault(body), (String::new(), Why::Syntax { reason }), "{body}");
        }
    }

    #[test]
    fn what_takes_too_much_memory_is_refused_before_it_is_decoded() {
        let list = |item: &str, count: usize| format!("[{}]", vec![item; count].join(","));
        let refused = |body: &str| json::<serde_json::Value>(body.as_bytes()).is_err();
        for (item, bytes) in [("1", 2), (r#"{"":1}"#, 8), ("[1]", 4), ("null", 5), ("{}", 3)] {
            assert!(refused(&list(item, 1_000_000 / bytes)), "{item}");
            assert!(!refused(&list(item, 16_000 / bytes)), "{item}");
        }
        // Text takes what it is long, whatever it holds.
        assert!(!refused(&list(&format!("\"{}\"", "\\\",{[".repeat(100_000)), 8)));
        let pairs = |count| vec!["a=1"; count].join("&");
        assert!(form(pairs(FORM_PAIRS_MAX).as_bytes()).is_ok());
        assert!(form(pairs(FORM_PAIRS_MAX + 1).as_bytes()).is_err());
    }

    #[test]
    fn splits_pairs_at_ampersands_and_the_first_equals_sign_only() {
        let params = Params::parse("search=id==123;a==b&x=1+2%2B&x=3");
        assert_eq!(params.get("search"), Some("id==123;a==b"));
        assert_eq!(params.all("x").collect::<Vec<_>>(), ["1 2+", "3"]);
    }

    #[test]
    fn decodes_segments() {
        assert_eq!(segment("a%2Fb%20c"), "a/b c");
        assert_eq!(segment("100%"), "100%");
        assert_eq!(segment("%C4%8D"), "č");
    }
}
