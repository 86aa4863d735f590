//! Which decimal digits a character stands for, in any script and any typographic form.

use unicode_normalization::UnicodeNormalization as _;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};

/// What a character is to somebody who looks for a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Glyph {
    /// A decimal digit.
    Digit(u8),
    /// A letter: whatever number stood before it has ended.
    Letter,
    /// A plus sign.
    Plus,
    /// Anything else: may stand between the digits of one number.
    Gap,
}

/// Circled digits that have no compatibility form: the first of each row, which is the digit one.
const CIRCLED_ONES: [char; 4] = ['\u{24F5}', '\u{2776}', '\u{2780}', '\u{278A}'];
/// The circled zero without a compatibility form.
const CIRCLED_ZERO: char = '\u{24FF}';

/// What a text consists of.
pub(super) fn glyphs(text: &str) -> impl Iterator<Item = Glyph> {
    text.chars().flat_map(|c| {
        let plain = c.is_ascii().then(|| ascii(c));
        // Letters need no closer look: no letter stands for a digit.
        let plain = plain.or_else(|| c.is_alphabetic().then_some(Glyph::Letter));
        let others = plain.is_none().then(|| std::iter::once(c).nfkc().map(other));
        plain.into_iter().chain(others.into_iter().flatten())
    })
}

/// Digits of a text that has no letters; `None` when it has one.
pub(super) fn digits_only(text: &str) -> Option<usize> {
    let mut count = 0;
    for glyph in glyphs(text) {
        match glyph {
            Glyph::Digit(_) => count += 1,
            Glyph::Letter => return None,
            Glyph::Plus | Glyph::Gap => {}
        }
    }
    Some(count)
}

/// At least as many as a text has digits, at the price of a look at its bytes: a character outside
/// ASCII may stand for two.
pub(super) fn at_most(text: &str) -> usize {
    text.bytes()
        .map(|byte| match byte {
            b'0'..=b'9' => 1,
            0xC0.. => 2,
            _ => 0,
        })
        .sum()
}

fn ascii(c: char) -> Glyph {
    match c {
        '0'..='9' => Glyph::Digit(c as u8 - b'0'),
        'a'..='z' | 'A'..='Z' => Glyph::Letter,
        '+' => Glyph::Plus,
        _ => Glyph::Gap,
    }
}

/// A character in its compatibility form.
fn other(c: char) -> Glyph {
    if c.is_ascii() {
        return ascii(c);
    }
    if let Some(value) = decimal(c).or_else(|| circled(c)) {
        return Glyph::Digit(value);
    }
    if c.is_alphabetic() { Glyph::Letter } else { Glyph::Gap }
}

/// The value of a decimal digit. Unicode assigns them in rows of ten, zero first, and nothing but
/// such rows stand side by side (The Unicode Standard, 4.6).
fn decimal(c: char) -> Option<u8> {
    let is_decimal = |c: char| c.general_category() == GeneralCategory::DecimalNumber;
    if !is_decimal(c) {
        return None;
    }
    let before = (0..u32::from(c)).rev().map_while(char::from_u32);
    u8::try_from(before.take_while(|c| is_decimal(*c)).count() % 10).ok()
}

fn circled(c: char) -> Option<u8> {
    let nth = |one: &char| u32::from(c).checked_sub(u32::from(*one)).filter(|n| *n < 9);
    let one_to_nine = CIRCLED_ONES.iter().find_map(nth).and_then(|n| u8::try_from(n + 1).ok());
    one_to_nine.or_else(|| (c == CIRCLED_ZERO).then_some(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_digits_of_every_script() {
        for (zero, name) in [
            ('0', "ASCII"),
            ('\u{FF10}', "fullwidth"),
            ('\u{660}', "Arabic-Indic"),
            ('\u{6F0}', "Persian"),
            ('\u{966}', "Devanagari"),
            ('\u{9E6}', "Bengali"),
            ('\u{E50}', "Thai"),
            ('\u{1D7CE}', "bold"),
            ('\u{1D7D8}', "double-struck"),
            ('\u{1D7F6}', "monospace"),
            ('\u{1FBF0}', "segmented"),
            ('\u{2080}', "subscript"),
            ('\u{10D30}', "Hanifi Rohingya"),
        ] {
            for value in 0..10 {
                let c = char::from_u32(u32::from(zero) + u32::from(value)).expect("a character");
                let found: Vec<Glyph> = glyphs(&c.to_string()).collect();
                assert_eq!(found, [Glyph::Digit(value)], "{name} {value}");
            }
        }
        let found: Vec<Glyph> = glyphs("⁰¹²³④⑤⓿❶⓷➃➄").collect();
        assert_eq!(found, [0, 1, 2, 3, 4, 5, 0, 1, 3, 4, 5].map(Glyph::Digit));
        assert_eq!(digits_only("½"), Some(2));
    }

    #[test]
    fn every_digit_of_unicode_has_one_value() {
        let all = (0..=0x10_FFFF).filter_map(char::from_u32);
        let values: Vec<u8> = all.filter_map(decimal).collect();
        assert!(values.len() >= 650, "{}", values.len());
        for (n, value) in values.iter().enumerate() {
            assert_eq!(usize::from(*value), n % 10, "row {}", n / 10);
        }
    }
}
