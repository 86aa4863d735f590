//! Looking for card numbers in texts.
//!
//! The digits between two letters are one *run*; whatever else stands between them separates
//! *groups*. A card number is
//!
//! - one or several whole groups in a row: `4111 1111 1111 1111`, `4111+1111=1111~1111`; or
//! - a part of a group when all that is left of the group is padding, or when an expiry stands
//!   right before or follows at once: `41111111111111110000`, `41111111111111111228`. For these
//!   only numbers of a usual length count.
//!
//! that has 13 to 19 digits, begins like a known card scheme and passes the Luhn check. Digits that
//! all belong to valid phone numbers, or to a moment (`moments.rs`), are none. In a text that is as
//! a whole a UUID or a long hexadecimal key, only numbers of a usual length count: a random one has
//! a shorter or longer run that looks like a card more often than once in two thousand times, and
//! ids must pass.

use std::borrow::Cow;
use std::ops::Range;

use super::{
    Brand, DIGITS,
    digits::{Glyph, at_most, glyphs},
    moments::without_moments,
    run::{Edge, Run},
    scheme,
};
use crate::phone;

/// Digits of a phone number (E.164).
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 7..=15;
/// Phone numbers tried in one text: beyond that what looks like a card counts as one. Bounds the
/// work on hostile input.
const PHONES_MAX: usize = 64;
/// How often a text is decoded that was percent-encoded again and again.
const DECODINGS_MAX: usize = 4;

/// Whether a text holds a card number.
pub fn contains_number(text: &str) -> bool {
    // Fewer than 13 digits cannot be one; this is the common case.
    if text.len() < *DIGITS.start() || at_most(text) < *DIGITS.start() {
        return false;
    }
    let mut encoded = without_moments(text);
    if Search::of(&encoded).finds() {
        return true;
    }
    for _ in 0..DECODINGS_MAX {
        let Some(decoded) = percent_decoded(&encoded) else { return false };
        if Search::of(&decoded).finds() {
            return true;
        }
        encoded = Cow::Owned(decoded);
    }
    false
}

/// Whether raw bytes could hold a card number at all: cheap, never wrong in the "no" direction for
/// JSON, forms and query strings (an escape can stand for a digit or a separator).
pub fn might_contain_number(bytes: &[u8]) -> bool {
    let mut digits = 0;
    let mut rest = bytes;
    while let [byte, tail @ ..] = rest {
        rest = tail;
        match byte {
            b'0'..=b'9' => digits += 1,
            b'\\' => {
                // `\uXXXX` can be anything; any other escape is one character and no digit.
                let is_unicode = tail.first() == Some(&b'u');
                digits += if is_unicode { 2 } else { 0 };
                rest = tail.get(if is_unicode { 5 } else { 1 }..).unwrap_or_default();
            }
            b'%' => {
                let is_escape = tail.iter().take(2).filter(|b| b.is_ascii_hexdigit()).count() == 2;
                if is_escape {
                    digits += 2;
                    rest = &tail[2..];
                }
            }
            // A character outside ASCII may stand for two digits.
            0xC0.. => digits += 2,
            b'a'..=b'z' | b'A'..=b'Z' => digits = 0,
            _ => {}
        }
        if digits >= *DIGITS.start() {
            return true;
        }
    }
    false
}

/// A text with its `%XX` decoded once; `None` when it has none.
fn percent_decoded(text: &str) -> Option<String> {
    let hex = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    let mut found = false;
    while let [byte, tail @ ..] = rest {
        let escape = (*byte == b'%').then(|| (hex(tail.first()), hex(tail.get(1))));
        match escape {
            Some((Some(high), Some(low))) => {
                found = true;
                bytes.push(u8::try_from(high * 16 + low).unwrap_or_default());
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*byte);
                rest = tail;
            }
        }
    }
    found.then(|| String::from_utf8_lossy(&bytes).into_owned())
}

/// Whether the whole text is a UUID or a long hexadecimal key with letters in it.
fn is_identifier(text: &str) -> bool {
    let bytes = text.as_bytes();
    let letters = bytes.iter().filter(|b| b.is_ascii_alphabetic()).count();
    let is_hex = |part: &[u8]| part.iter().all(u8::is_ascii_hexdigit);
    let is_uuid = bytes.len() == 36
        && letters > 0
        && bytes.split(|b| *b == b'-').map(<[u8]>::len).eq([8, 4, 4, 4, 12])
        && bytes.split(|b| *b == b'-').all(is_hex);
    let is_key = matches!(bytes.len(), 32 | 40 | 48 | 64 | 128) && letters > 3 && is_hex(bytes);
    is_uuid || is_key
}

/// The search of one text.
struct Search<'t> {
    text: &'t str,
    is_identifier: bool,
    phones_left: usize,
}

impl<'t> Search<'t> {
    fn of(text: &'t str) -> Search<'t> {
        Search { text, is_identifier: is_identifier(text), phones_left: PHONES_MAX }
    }

    fn finds(mut self) -> bool {
        let mut run = Run::default();
        for glyph in glyphs(self.text) {
            match glyph {
                Glyph::Digit(digit) => run.push(digit),
                Glyph::Plus => run.gap(true),
                Glyph::Gap => run.gap(false),
                Glyph::Letter => {
                    if self.finds_in(&run) {
                        return true;
                    }
                    run.clear();
                }
            }
        }
        self.finds_in(&run)
    }

    fn finds_in(&mut self, run: &Run) -> bool {
        let count = run.digits.len();
        if count < *DIGITS.start() {
            return false;
        }
        let sums = LuhnSums::of(&run.digits);
        let (begins, ends) = (run.begins(), run.ends());
        let mut phones: Option<Vec<Range<usize>>> = None;
        for (from, begin) in begins.iter().enumerate().take(count - DIGITS.start() + 1) {
            let longest = ends.iter().enumerate().take(from + DIGITS.end() + 1);
            for (to, end) in longest.skip(from + DIGITS.start()) {
                let edges = (*begin, *end);
                if matches!(edges, (Edge::None, _) | (_, Edge::None)) {
                    continue;
                }
                let is_cut = self.is_identifier || edges != (Edge::Group, Edge::Group);
                let Some(brand) = scheme(&run.digits[from..to]) else { continue };
                if is_cut && !is_usual(brand, to - from) || !sums.hold(from, to) {
                    continue;
                }
                let phones = phones.get_or_insert_with(|| self.phones(run));
                if !(from..to).all(|at| phones.iter().any(|phone| phone.contains(&at))) {
                    return true;
                }
            }
        }
        false
    }

    /// The valid phone numbers of a run: after each plus sign, or else the run as a whole.
    fn phones(&mut self, run: &Run) -> Vec<Range<usize>> {
        let count = run.digits.len();
        let mut phones = Vec::new();
        let mut try_one = |range: Range<usize>| {
            if !PHONE_DIGITS.contains(&range.len()) || self.phones_left == 0 {
                return false;
            }
            self.phones_left -= 1;
            let digits = run.digits[range.clone()].iter().map(|d| char::from(b'0' + d));
            let is_phone =
                phone::is_international(&std::iter::once('+').chain(digits).collect::<String>());
            if is_phone {
                phones.push(range);
            }
            is_phone
        };
        if run.pluses.is_empty() {
            try_one(0..count);
        }
        for (n, &from) in run.pluses.iter().enumerate() {
            let end = run.pluses.get(n + 1).copied().unwrap_or(count);
            let longest = end.min(from + PHONE_DIGITS.end());
            let ends = (from..=longest).rev().filter(|&to| run.is_border(to));
            for to in ends {
                if try_one(from..to) {
                    break;
                }
            }
        }
        phones
    }
}

/// Whether a number of this scheme is usually as long: all cards in use today but a few.
fn is_usual(brand: Brand, length: usize) -> bool {
    match brand {
        Brand::Amex => length == 15,
        Brand::Diners => matches!(length, 14 | 16),
        Brand::Visa
        | Brand::Mastercard
        | Brand::Jcb
        | Brand::Discover
        | Brand::UnionPay
        | Brand::Mir
        | Brand::Maestro => length == 16,
    }
}

/// The Luhn check (ISO/IEC 7812-1) of any stretch of digits, each at the price of a subtraction:
/// running sums with the digits at even places doubled, and with those at odd places doubled.
struct LuhnSums([Vec<u32>; 2]);

impl LuhnSums {
    fn of(digits: &[u8]) -> LuhnSums {
        let sums = [0, 1].map(|doubled| {
            let mut sum = 0;
            let values = digits.iter().enumerate().map(|(at, &digit)| {
                let digit = u32::from(digit);
                sum += match (at % 2 == doubled, digit * 2) {
                    (false, _) => digit,
                    (true, twice) if twice > 9 => twice - 9,
                    (true, twice) => twice,
                };
                sum
            });
            std::iter::once(0).chain(values.collect::<Vec<u32>>()).collect()
        });
        LuhnSums(sums)
    }

    fn hold(&self, from: usize, to: usize) -> bool {
        // The last digit is not doubled, the one before it is.
        let sums = &self.0[to % 2];
        (sums[to] - sums[from]).is_multiple_of(10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_card_numbers_behind_every_separator() {
        for text in [
            "4111111111111111",
            "4111 1111 1111 1111",
            "4111-1111-1111-1111",
            "4111.1111.1111.1111",
            "4111\u{2013}1111\u{a0}1111/1111",
            "4111\n1111\t1111_1111",
            "card 5555555555554444 exp",
            "order 12 4111 1111 1111 1111 12 28",
            "x4111111111111111y",
            "378282246310005",
            "6011111111111117",
            "3530111333300000",
            "30569309025904",
            "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
            "\u{ff14}111111111111111",
            "+4111111111111111",
            "a4111111111111111b",
            "41111111-1111-1111-0000-000000000000",
            "41111111111111110000abcdabcd4111",
        ] {
            assert!(contains_number(text), "{text}");
            assert!(might_contain_number(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn finds_card_numbers_in_disguise() {
        let sixty_four = "1 ".repeat(64);
        for text in [
            // Separators.
            "4111+1111+1111+1111",
            "4111#1111~1111=1111",
            "4111&1111&1111&1111",
            "4111%201111%201111%201111",
            "4111%25201111%25201111%25201111",
            "%34%31%31%31%31%31%31%31%31%31%31%31%31%31%31%31",
            "4111@1111$1111?1111",
            "4111<1111>1111[1111]",
            "4️⃣1️⃣1️⃣1️⃣ 1️⃣1️⃣1️⃣1️⃣ 1️⃣1️⃣1️⃣1️⃣ 1111",
            "4111\u{202e}1111\u{2066}1111\u{1f600}1111",
            // Run together with an expiry, before and after.
            "41111111111111111228",
            "41111111111111112812",
            "4111111111111111122028",
            "4111111111111111202812",
            "411111111111111112/28",
            "12284111111111111111",
            "1220284111111111111111",
            "41111111111111111228123",
            "3782822463100051228",
            // Phone numbers that are none.
            "+378282246310005",
            "+370000000000002",
            "+4222222222222",
            "call +41446681800 or 4111111111111111",
            "4111 +1111 +1111 +1111",
            // Padding.
            "4111111111111111aaaaaaaaaaaaaaaa",
            "aaaaaaaaaaaaaaaa4111111111111111",
            "a4111111111111111bcdefabcdefabcd",
            "41111111111111110000000000000000",
            "00000000000000004111111111111111",
            "00004111111111111111000000000000",
            "41111111-1111-1111-abcd-abcdefabcdef",
            // Other scripts and forms.
            "৪১১১১১১১১১১১১১১১",
            "๔๑๑๑๑๑๑๑๑๑๑๑๑๑๑๑",
            "⁴¹¹¹¹¹¹¹¹¹¹¹¹¹¹¹",
            "₄₁₁₁₁₁₁₁₁₁₁₁₁₁₁₁",
            "𝟒𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏",
            "④①①①①①①①①①①①①①①①",
            "❹❶❶❶❶❶❶❶❶❶❶❶❶❶❶❶",
            "٤١١١ ١١١١ ١١١١ ١١١١",
            // Behind many other groups.
            &format!("{sixty_four}4111111111111111"),
            &format!("{sixty_four}{sixty_four}{sixty_four}4111 1111 1111 1111"),
        ] {
            assert!(contains_number(text), "{text}");
            assert!(might_contain_number(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn a_long_text_of_digits_is_searched_in_time_that_grows_with_its_length() {
        // Each was quadratic, or tried a phone number for every group, in some draft of the search.
        for text in ["7 ", "7", "1228", "0000", "+4915112345678 ", "%25", "४"] {
            let text = text.repeat(262_144 / text.len());
            contains_number(&text);
        }
    }

    #[test]
    fn leaves_other_numbers_alone() {
        for text in [
            "4111111111111112",
            "+41446681800",
            "2026-11-21T18:57:39.1793000+00:00",
            "2026-11-21T10:34:12.3456785+01:00",
            "2026-01-02T03:04:05.678901Z",
            "4b281da4-d145-4233-b957-2018cf9aa0fb",
            "a4111111-1111-4111-8111-111111111111",
            "1234567890123",
            "",
            "0000000000000000",
        ] {
            assert!(!contains_number(text), "{text}");
        }
    }

    #[test]
    fn escapes_cannot_hide_a_number_from_the_cheap_check() {
        let escaped: String = "4111111111111111".chars().map(|d| format!("\\u003{d}")).collect();
        let hidden = format!(r#"{{"name":"{escaped}"}}"#);
        assert!(might_contain_number(hidden.as_bytes()));
        assert!(might_contain_number(b"q=4111%201111%201111%201111"));
        assert!(!might_contain_number(
            br#"{"name":"Anna Muster","zip":"8400","phone":"+41446681800"}"#
        ));
    }
}
