//! The terms of a record as SQLite keeps them beside it, so that they need no index by number: who
//! knows a record knows where its terms are.

/// Between two terms. No term has it; see `Batch::check`.
const BETWEEN: char = '\0';

/// Sorted terms as they are kept.
pub(crate) fn held(terms: &[String]) -> Vec<u8> {
    terms.join(&String::from(BETWEEN)).into_bytes()
}

/// Terms that are kept, sorted. What is no text holds none.
pub(crate) fn terms_of(held: &[u8]) -> impl Iterator<Item = &str> {
    let text = std::str::from_utf8(held).unwrap_or_default();
    text.split(BETWEEN).filter(|term| !term.is_empty())
}

/// The least of them with a prefix.
pub(crate) fn least<'h>(held: &'h [u8], prefix: &str) -> Option<&'h str> {
    terms_of(held).find(|term| term.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_found_again() {
        let terms = ["ab", "abc", "ü b\n", "\u{fffd}"].map(str::to_owned);
        let held = held(&terms);
        assert_eq!(terms_of(&held).collect::<Vec<_>>(), terms);
        assert_eq!(least(&held, "ab"), Some("ab"));
        assert_eq!((least(&held, "abc"), least(&held, "")), (Some("abc"), Some("ab")));
        assert_eq!((least(&held, "b"), least(b"", "")), (None, None));
        assert_eq!(terms_of(b"\xff").count(), 0);
    }
}
