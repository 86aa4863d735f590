//! The terms of a record as SQLite keeps them beside it, so that they need no index by number: who
//! knows a record knows where its terms are.

/// Between two terms. No term has it; see `Batch::check`.
const BETWEEN: u8 = 0;

/// Sorted terms as they are kept.
pub(crate) fn held(terms: &[String]) -> Vec<u8> {
    terms.join(&String::from(char::from(BETWEEN))).into_bytes()
}

/// Terms that are kept, sorted. What is no text holds none.
pub(crate) fn terms_of(held: &[u8]) -> impl Iterator<Item = &str> {
    let text = std::str::from_utf8(held).unwrap_or_default();
    text.split(char::from(BETWEEN)).filter(|term| !term.is_empty())
}

/// Whether a term is the least of them with a prefix. Called for each term that a search looks at.
pub(crate) fn is_least(held: &[u8], prefix: &str, term: &str) -> bool {
    let mut terms = held.split(|byte| *byte == BETWEEN).filter(|term| !term.is_empty());
    terms.find(|term| term.starts_with(prefix.as_bytes())) == Some(term.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_found_again() {
        let terms = ["ab", "abc", "ü b\n", "\u{fffd}"].map(str::to_owned);
        let held = held(&terms);
        assert_eq!(terms_of(&held).collect::<Vec<_>>(), terms);
        for (prefix, term) in [("ab", "ab"), ("abc", "abc"), ("", "ab"), ("ü", "ü b\n")] {
            for other in &terms {
                assert_eq!(is_least(&held, prefix, other), other == term, "{prefix} {other}");
            }
        }
        assert!(!is_least(&held, "b", "b") && !is_least(b"", "", "") && !is_least(&held, "", ""));
        assert_eq!(terms_of(b"\xff").count(), 0);
    }
}
