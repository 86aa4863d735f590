//! JSON, query strings and forms into values, or into problems that say which field is wrong and
//! why, without repeating what was sent.

use std::borrow::Cow;

use patron_model::{Failure, Why};
use serde::de::DeserializeOwned;

/// Decodes a JSON document.
///
/// # Errors
/// `Malformed` with the path of the member that does not fit.
pub fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    is_nul_free(body)?;
    // The fast way first; the path of a fault is only looked for when there is one.
    serde_json::from_slice(body).map_err(|_| json_fault::<T>(body))
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
        Ok(_) => {
            let why = Why::Malformed { expected: "one JSON document and nothing after it" };
            return Failure::malformed("", why);
        }
        Err(error) => error,
    };
    let path = dotted(error.path());
    let inner = error.into_inner();
    if !inner.is_data() {
        return Failure::malformed("", Why::Malformed { expected: "a valid JSON document" });
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

fn dotted(path: &serde_path_to_error::Path) -> String {
    let text = path.to_string();
    if text == "." { String::new() } else { text.replace('[', ".").replace(']', "") }
}

/// What serde says, in our words. Its text may quote the input, so only known parts are used.
fn data_fault(message: &str) -> (Option<String>, Why) {
    if let Some(rest) = message.strip_prefix("missing field `") {
        return (rest.split('`').next().map(str::to_owned), Why::Required);
    }
    if let Some(rest) = message.strip_prefix("unknown field `") {
        return (rest.split('`').next().map(str::to_owned), Why::UnknownField);
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
    /// `Malformed`.
    pub fn int(&self, name: &str, default: i64, min: i64, max: i64) -> Result<i64, Failure> {
        match self.get(name) {
            None | Some("") => Ok(default),
            Some(text) => match text.trim().parse::<i64>() {
                Ok(value) if (min..=max).contains(&value) => Ok(value),
                Ok(_) => Err(Failure::malformed(name, Why::OutOfRange { min, max })),
                Err(_) => {
                    Err(Failure::malformed(name, Why::WrongType { expected: "a whole number" }))
                }
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
        assert_eq!(fault("{"), ("".into(), Why::Malformed { expected: "a valid JSON document" }));
        assert!(matches!(fault(r#"{"name":"a"} x"#).1, Why::Malformed { .. }));
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
