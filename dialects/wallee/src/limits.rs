//! Lengths the provider allows. They bind requests, and answers too: the official SDK refuses to
//! read a longer value, so one that another API allowed is cut (names and lines) or left out
//! (identifiers and e-mail addresses). Dossier §3 and §6.1.

use std::borrow::Cow;

use patron_model::Why;

/// Characters of names, towns and the other lines of an address.
pub const LINE_MAX: usize = 100;
/// Characters of an e-mail address.
pub const EMAIL_MAX: usize = 254;
/// Characters of the merchant's own id.
pub const REFERENCE_MAX: usize = 100;
/// Characters of a street.
pub const STREET_MAX: usize = 300;
/// Characters of a postal code.
pub const POSTCODE_MAX: usize = 40;
/// Characters of a salutation.
pub const SALUTATION_MAX: usize = 20;
/// Characters of a state, which the provider does not limit: the record does.
pub const STATE_MAX: usize = 300;

/// Refuses a text that is too long for the provider.
///
/// # Errors
/// `TooLong`.
pub fn at_most(text: &str, max: usize) -> Result<(), Why> {
    let fits = text.len() <= max || text.chars().count() <= max;
    if fits { Ok(()) } else { Err(Why::TooLong { max }) }
}

/// The text, cut to what the SDK reads.
pub fn cut(text: &str, max: usize) -> Cow<'_, str> {
    match text.char_indices().nth(max) {
        Some((end, _)) => Cow::Borrowed(&text[..end]),
        None => Cow::Borrowed(text),
    }
}

/// The text, unless it is longer than what the SDK reads.
pub fn fitting(text: &str, max: usize) -> Option<Cow<'_, str>> {
    at_most(text, max).is_ok().then_some(Cow::Borrowed(text))
}

/// Whether the merchant's own id is one for the provider: printable ASCII and tabs.
pub fn is_reference(text: &str) -> bool {
    text.bytes().all(|byte| byte == b'\t' || (0x20..=0x7e).contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_characters() {
        assert_eq!(cut("žluť", 3), "žlu");
        assert_eq!(cut("žluť", 4), "žluť");
        assert_eq!(fitting("žluť", 4).as_deref(), Some("žluť"));
        assert_eq!(fitting("žluť", 3), None);
        assert_eq!(at_most("žluť", 3), Err(Why::TooLong { max: 3 }));
    }

    #[test]
    fn references_are_printable_ascii() {
        assert!(is_reference("C-1 ~"));
        assert!(!is_reference("č"));
        assert!(!is_reference("a\u{7f}"));
    }
}
