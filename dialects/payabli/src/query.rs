//! The query string (dossier §4.6). Documentation URLs percent-encode `=` and `&` as well: a
//! parameter whose name holds `)=` is taken apart once more.

use patron_gateway::{Exchange, decode::Params};
use patron_model::{Failure, Why};

/// Decoded parameters in order.
#[derive(Debug, Clone, Default)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Of a request.
    pub fn of(exchange: &Exchange) -> Parameters {
        Parameters::parse(exchange.query_string())
    }

    /// Decodes a query string.
    pub fn parse(text: &str) -> Parameters {
        let mut all = Vec::new();
        for (name, value) in Params::parse(text).iter() {
            let is_value = name.starts_with("parameters[");
            if is_value || !name.contains(")=") {
                all.push((name.to_owned(), value.to_owned()));
                continue;
            }
            let joined = if value.is_empty() { name.to_owned() } else { format!("{name}={value}") };
            for part in joined.split('&').filter(|part| !part.is_empty()) {
                let (name, value) = part.split_once('=').unwrap_or((part, ""));
                all.push((name.to_owned(), value.to_owned()));
            }
        }
        Parameters(all)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The first value of one; an empty one counts as absent.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }

    /// A whole number.
    ///
    /// # Errors
    /// `Malformed`.
    pub fn int(&self, name: &str) -> Result<Option<i64>, Failure> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let why = Why::WrongType { expected: "a whole number" };
        text.parse().map(Some).map_err(|_| Failure::malformed(name, why))
    }

    /// A yes or no: `true`, `false`, `1` or `0` (dossier §1).
    ///
    /// # Errors
    /// `Malformed`.
    pub fn flag(&self, name: &str) -> Result<bool, Failure> {
        match self.get(name) {
            None => Ok(false),
            Some(text) if text == "1" || text.eq_ignore_ascii_case("true") => Ok(true),
            Some(text) if text == "0" || text.eq_ignore_ascii_case("false") => Ok(false),
            Some(word) => Err(Failure::malformed(name, Why::not_one_of(word, "true, false, 1, 0"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        Parameters::parse(text).0
    }

    #[test]
    fn takes_apart_what_was_encoded_too_much() {
        let want = [("email(ct)".into(), "a".into()), ("limitRecord".into(), "20".into())];
        assert_eq!(pairs("email(ct)=a&limitRecord=20"), want);
        assert_eq!(pairs("email(ct)%3Da%26limitRecord%3D20"), want);
        assert_eq!(pairs("email(ct)%3Da%26limitRecord=20"), want);
        assert_eq!(pairs("email%28ct%29=a&limitRecord=20"), want);
        assert_eq!(pairs("company(eq)=a%26b%3Dc"), [("company(eq)".into(), "a&b=c".into())]);
    }

    #[test]
    fn reads_numbers_and_flags() {
        let parameters = Parameters::parse("a=5&b=x&c=true&d=0&e=");
        assert_eq!(parameters.int("a").expect("a number"), Some(5));
        assert!(parameters.int("b").is_err());
        assert!(parameters.flag("c").expect("a flag"));
        assert!(!parameters.flag("d").expect("a flag"));
        assert!(parameters.flag("b").is_err());
        assert_eq!(parameters.int("e").expect("absent"), None);
    }
}
