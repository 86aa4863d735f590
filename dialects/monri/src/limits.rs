//! How long Monri's fields are (dossier B.2), in Unicode scalar values, and what becomes of values
//! that other APIs wrote longer (README, "Shown differently").

use std::borrow::Cow;

use patron_model::{Why, text};

/// Bounds of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Length {
    /// Fewest characters.
    pub min: usize,
    /// Most characters.
    pub max: usize,
}

const fn length(min: usize, max: usize) -> Length {
    Length { min, max }
}

/// `merchant_customer_id`.
pub const MERCHANT_CUSTOMER_ID: Length = length(1, 100);
/// `description`.
pub const DESCRIPTION: Length = length(1, 200);
/// `email`.
pub const EMAIL: Length = length(1, 200);
/// `name`.
pub const NAME: Length = length(1, 50);
/// `phone`.
pub const PHONE: Length = length(1, 30);
/// `zip_code`.
pub const ZIP_CODE: Length = length(1, 9);
/// `city`.
pub const CITY: Length = length(3, 30);
/// `address`.
pub const ADDRESS: Length = length(3, 100);
/// `country`.
pub const COUNTRY: Length = length(2, 2);

impl Length {
    /// Checks a text that came in.
    ///
    /// # Errors
    /// `TooShort` or `TooLong`; what it may consist of is checked where it is parsed.
    pub fn check(self, text: &str) -> Result<(), Why> {
        match text::check(text, self.min, self.max, true) {
            Err(why @ (Why::TooShort { .. } | Why::TooLong { .. })) => Err(why),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// The text, cut to the most characters; nothing when it is empty.
    pub fn cut(self, text: Cow<'_, str>) -> Option<Cow<'_, str>> {
        let end = text.char_indices().nth(self.max).map(|(at, _)| at);
        match (end, text) {
            (_, text) if text.is_empty() => None,
            (None, text) => Some(text),
            (Some(end), Cow::Borrowed(text)) => Some(Cow::Borrowed(&text[..end])),
            (Some(end), Cow::Owned(text)) => Some(Cow::Owned(text[..end].to_owned())),
        }
    }

    /// The text when it fits: part of it would mean something else.
    pub fn whole(self, text: &str) -> Option<Cow<'_, str>> {
        let fits = !text.is_empty() && text.chars().nth(self.max).is_none();
        fits.then_some(Cow::Borrowed(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_characters() {
        assert_eq!(CITY.check("Užice"), Ok(()));
        assert_eq!(CITY.check("Žž"), Err(Why::TooShort { min: 3 }));
        assert_eq!(CITY.check(&"ž".repeat(30)), Ok(()));
        assert_eq!(CITY.check(&"ž".repeat(31)), Err(Why::TooLong { max: 30 }));
        assert_eq!(NAME.check(""), Err(Why::TooShort { min: 1 }));
    }

    #[test]
    fn cuts_at_characters_or_leaves_out() {
        let long = "ž".repeat(31);
        assert_eq!(CITY.cut(Cow::Borrowed(&long)).as_deref(), Some(&*"ž".repeat(30)));
        assert_eq!(CITY.cut(Cow::Owned(long.clone())).as_deref(), Some(&*"ž".repeat(30)));
        assert_eq!(CITY.cut(Cow::Borrowed("Au")).as_deref(), Some("Au"));
        assert_eq!(CITY.cut(Cow::Borrowed("")), None);
        assert_eq!(CITY.whole(&long), None);
        assert_eq!(CITY.whole("Au").as_deref(), Some("Au"));
        assert_eq!(CITY.whole(""), None);
    }
}
