//! What the fields may hold (dossier §5.1–5.9): lengths by validation profile, patterns that must
//! match as a whole. Lengths count Unicode scalar values.

use patron_model::{Why, space::Space};

use crate::NAME;

/// Most characters of each field.
pub struct Lengths {
    pub street: usize,
    pub city: usize,
    pub person: usize,
    pub postal_code: usize,
    pub state: usize,
}

/// The numbers of the Customer schema.
const STRICT: Lengths = Lengths { street: 40, city: 28, person: 22, postal_code: 10, state: 35 };
/// The larger number of the Customer schema and the two sets of 3DS, which take priority over it
/// (dossier §5.7): no integration that works today is refused.
const COMPATIBLE: Lengths =
    Lengths { street: 50, city: 50, person: 50, postal_code: 16, state: 50 };

/// Lengths that no profile changes.
pub const COMPANY_MAX: usize = 100;
pub const REGISTRATION_MAX: usize = 24;
pub const EMAIL_MAX: usize = 255;
pub const PHONE_MAX: usize = 25;
pub const TITLE_MAX: usize = 120;
pub const TAX_MAX: usize = 9;
const LANGUAGE: std::ops::RangeInclusive<usize> = 2..=11;

/// The lengths of a space: switch `validation`, `strict` or (else) `compatible`.
pub fn lengths(space: &Space) -> &'static Lengths {
    match space.switch(NAME, "validation") {
        Some("strict") => &STRICT,
        _ => &COMPATIBLE,
    }
}

/// At most so many characters.
///
/// # Errors
/// `TooLong`.
pub fn within(text: &str, max: usize) -> Result<&str, Why> {
    let fits = text.len() <= max || text.chars().count() <= max;
    if fits { Ok(text) } else { Err(Why::TooLong { max }) }
}

/// The first so many characters.
pub fn cut(text: &str, max: usize) -> String {
    text.chars().take(max).collect()
}

/// `^[0-9\s\-+().]+$`, at most 25 characters.
///
/// # Errors
/// `TooLong` or `Characters`.
pub fn phone(text: &str) -> Result<&str, Why> {
    let allowed = "digits, blanks, hyphens, full stops, plus signs and parentheses";
    let fits = |c: char| c.is_ascii_digit() || c.is_whitespace() || "-+().".contains(c);
    matching(within(text, PHONE_MAX)?, fits, allowed)
}

/// `^[a-zA-Z\-\s.]+$`, at most 120 characters.
///
/// # Errors
/// `TooLong` or `Characters`.
pub fn title(text: &str) -> Result<&str, Why> {
    let allowed = "the letters A to Z, blanks, hyphens and full stops";
    let fits = |c: char| c.is_ascii_alphabetic() || c.is_whitespace() || "-.".contains(c);
    matching(within(text, TITLE_MAX)?, fits, allowed)
}

/// `^[0-9]+$`, at most nine digits.
///
/// # Errors
/// `TooLong` or `Characters`.
pub fn tax(text: &str) -> Result<&str, Why> {
    matching(within(text, TAX_MAX)?, |c| c.is_ascii_digit(), "digits")
}

fn matching<'a>(
    text: &'a str,
    fits: impl Fn(char) -> bool,
    allowed: &'static str,
) -> Result<&'a str, Why> {
    if !text.is_empty() && text.chars().all(fits) {
        Ok(text)
    } else {
        Err(Why::Characters { allowed })
    }
}

/// `^[A-Za-z]{2}$` (dossier §5.9).
///
/// # Errors
/// `Malformed`.
pub fn country(text: &str) -> Result<&str, Why> {
    let fits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_alphabetic());
    let expected = "a country code of two letters";
    if fits { Ok(text) } else { Err(Why::Malformed { expected }) }
}

/// `^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$`, 2 to 11 characters (dossier §5.8).
///
/// # Errors
/// `Malformed`.
pub fn language(text: &str) -> Result<&str, Why> {
    let mut parts = text.split(['-', '_']);
    let primary = parts.next().unwrap_or_default();
    let fits = LANGUAGE.contains(&text.len())
        && (2..=3).contains(&primary.len())
        && primary.bytes().all(|b| b.is_ascii_alphabetic())
        && parts
            .all(|p| (2..=8).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_alphanumeric()));
    let expected = "a language tag of 2 to 11 characters such as de-CH";
    if fits { Ok(text) } else { Err(Why::Malformed { expected }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_a_whole() {
        assert!(phone("+1 (555) 010-9999").is_ok());
        for bad in ["555 ext 3", "", "123\u{0661}", &"1".repeat(26)] {
            assert!(phone(bad).is_err(), "{bad}");
        }
        assert!(phone(&"1".repeat(25)).is_ok());
        assert!(title("Prof. Dr.").is_ok());
        for bad in ["Dr2", "", "Frül.", &"a".repeat(121)] {
            assert!(title(bad).is_err(), "{bad}");
        }
        assert!(tax("123456789").is_ok());
        for bad in ["1234567890", "12a", ""] {
            assert!(tax(bad).is_err(), "{bad}");
        }
        assert!(country("de").is_ok() && country("ZZ").is_ok());
        assert!(country("DEU").is_err() && country("D1").is_err());
    }

    #[test]
    fn languages_are_tags_of_two_to_eleven_characters() {
        for good in ["de", "fil", "de-CH", "en_US", "zh-Hant-TW".get(..10).expect("ten"), "en-a1"] {
            assert!(language(good).is_ok(), "{good}");
        }
        for bad in ["", "d", "german", "de-", "de-C", "de--CH", "d1", "zh-Hant-TWXX", "de CH"] {
            assert!(language(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn lengths_count_characters() {
        assert!(within(&"ž".repeat(40), 40).is_ok());
        assert_eq!(within(&"ž".repeat(41), 40), Err(Why::TooLong { max: 40 }));
        assert_eq!(cut("žluť", 2), "žl");
    }
}
