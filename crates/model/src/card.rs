//! Recognising card data, so that it can be refused at the door (PCI DSS 3.3, 3.4) or tokenised.
//!
//! A text holds a card number when a run of digits, possibly broken by separators, has 13 to 19
//! digits, starts like a known card scheme and passes the Luhn check. Runs are looked at whole and by
//! groups, so that a number beside other digits is found too. A phone number in international form
//! (`+` and at most 15 digits) is not one.

use crate::{Why, time};

/// Digits of the shortest and the longest card number.
const DIGITS: std::ops::RangeInclusive<usize> = 13..=19;
/// Most digits of a phone number (E.164).
const PHONE_DIGITS_MAX: usize = 15;
/// Most digit groups looked at in one run; bounds the work on hostile input.
const GROUPS_MAX: usize = 64;

/// Whether a text holds a card number.
pub fn contains_number(text: &str) -> bool {
    // Fewer than 13 bytes cannot hold one; this is the common case.
    if text.len() < *DIGITS.start() || is_identifier(text) {
        return false;
    }
    let mut run = Run::default();
    for c in text.chars() {
        match digit(c) {
            Some(d) => run.push(d),
            None if is_separator(c) => run.close_group(),
            None => {
                if run.take().holds_card() {
                    return true;
                }
                run.plus = c == '+';
            }
        }
    }
    run.take().holds_card()
}

/// Whether the whole text is a UUID or a long hexadecimal key with letters in it: random digits of
/// such identifiers can pass for a card number, and refusing a record's own id helps nobody.
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

/// Whether a member name means a card security code, which is never accepted.
pub fn is_security_code_name(name: &str) -> bool {
    let plain: String =
        name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    matches!(
        plain.as_str(),
        "cvv"
            | "cvv2"
            | "cvc"
            | "cvc2"
            | "cid"
            | "csc"
            | "cardcvv"
            | "cardcvc"
            | "securitycode"
            | "cardsecuritycode"
            | "verificationcode"
            | "cardverificationvalue"
    )
}

/// Whether raw bytes could hold a card number at all: cheap, never wrong in the "no" direction for
/// JSON, forms and query strings (an escape can stand for a digit or a separator).
pub fn might_contain_number(bytes: &[u8]) -> bool {
    let (mut digits, mut gap) = (0usize, 0usize);
    for &byte in bytes {
        if byte.is_ascii_digit() {
            digits += 1;
            gap = 0;
            if digits >= *DIGITS.start() {
                return true;
            }
        } else if byte == b'\\' || byte == b'%' || byte >= 0x80 {
            // An escape or a character outside ASCII: only decoding can tell.
            digits += 1;
            gap = 0;
            if digits >= *DIGITS.start() {
                return true;
            }
        } else if byte.is_ascii_alphabetic() || matches!(byte, b'"' | b'{' | b'}' | b'[' | b']') {
            // Letters inside escapes (\u0034, %3A) must not reset the count too early.
            gap += 1;
            if gap > 4 || matches!(byte, b'{' | b'}' | b'[' | b']') {
                digits = 0;
            }
        }
    }
    false
}

/// A digit of any of the scripts people paste from.
fn digit(c: char) -> Option<u8> {
    let value = match c {
        '0'..='9' => c as u32 - '0' as u32,
        '\u{FF10}'..='\u{FF19}' => c as u32 - 0xFF10,
        '\u{0660}'..='\u{0669}' => c as u32 - 0x0660,
        '\u{06F0}'..='\u{06F9}' => c as u32 - 0x06F0,
        '\u{0966}'..='\u{096F}' => c as u32 - 0x0966,
        _ => return None,
    };
    u8::try_from(value).ok()
}

/// Characters that people put between the groups of a card number.
fn is_separator(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '-' | '.' | ',' | '/' | '\\' | '_' | '*' | '|' | ':' | ';' | '\'' | '"' | '(' | ')'
                | '\u{00AD}' | '\u{200B}'..='\u{200F}' | '\u{2010}'..='\u{2015}' | '\u{2060}'
                | '\u{00B7}' | '\u{2022}' | '\u{2212}' | '\u{FE58}' | '\u{FE63}' | '\u{FF0D}'
                | '\u{FEFF}' | '\u{3000}'
        )
}

/// Digits between two characters that are neither digit nor separator.
#[derive(Default)]
struct Run {
    digits: Vec<u8>,
    /// Where each group begins.
    groups: Vec<usize>,
    /// Whether the next digit begins a group.
    open: bool,
    /// Whether the run follows a `+`.
    plus: bool,
}

impl Run {
    fn push(&mut self, digit: u8) {
        if !self.open {
            self.groups.push(self.digits.len());
            self.open = true;
        }
        self.digits.push(digit);
    }

    fn close_group(&mut self) {
        self.open = false;
    }

    fn take(&mut self) -> Run {
        std::mem::take(self)
    }

    fn holds_card(&self) -> bool {
        if self.digits.len() < *DIGITS.start() {
            return false;
        }
        if self.plus && self.digits.len() <= PHONE_DIGITS_MAX {
            return false;
        }
        let mut bounds = self.groups.clone();
        bounds.push(self.digits.len());
        for (i, &from) in bounds.iter().enumerate().take(GROUPS_MAX) {
            for &to in bounds.iter().skip(i + 1).take(GROUPS_MAX) {
                let window = &self.digits[from..to];
                if window.len() > *DIGITS.end() {
                    break;
                }
                if is_card_number(window) {
                    return true;
                }
            }
        }
        false
    }
}

/// Whether digits form a card number: length, scheme prefix and Luhn check.
fn is_card_number(digits: &[u8]) -> bool {
    DIGITS.contains(&digits.len()) && scheme(digits).is_some() && luhn(digits)
}

/// The Luhn check (ISO/IEC 7812-1).
fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, &d)| {
            let d = u32::from(d);
            match (i % 2, d * 2) {
                (0, _) => d,
                (_, doubled) if doubled > 9 => doubled - 9,
                (_, doubled) => doubled,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// The card scheme by issuer prefix and length.
fn scheme(digits: &[u8]) -> Option<Brand> {
    let prefix = |n: usize| digits.iter().take(n).fold(0u32, |acc, &d| acc * 10 + u32::from(d));
    let length = digits.len();
    let (two, three, four, six) = (prefix(2), prefix(3), prefix(4), prefix(6));
    match length {
        13 | 16 | 19 if digits[0] == 4 => Some(Brand::Visa),
        16 if (51..=55).contains(&two) || (2221..=2720).contains(&four) => Some(Brand::Mastercard),
        15 if two == 34 || two == 37 => Some(Brand::Amex),
        14..=19 if (300..=305).contains(&three) || matches!(two, 36 | 38 | 39) => {
            Some(Brand::Diners)
        }
        16..=19 if (3528..=3589).contains(&four) => Some(Brand::Jcb),
        16..=19 if four == 6011 || two == 65 || (644..=649).contains(&three) => {
            Some(Brand::Discover)
        }
        16..=19 if two == 62 || (810_000..=817_199).contains(&six) => Some(Brand::UnionPay),
        16..=19 if (2200..=2204).contains(&four) => Some(Brand::Mir),
        13..=19 if two == 50 || (56..=69).contains(&two) => Some(Brand::Maestro),
        _ => None,
    }
}

/// A card scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Brand {
    /// Visa.
    Visa,
    /// Mastercard.
    Mastercard,
    /// American Express.
    Amex,
    /// Diners Club.
    Diners,
    /// JCB.
    Jcb,
    /// Discover.
    Discover,
    /// UnionPay.
    #[serde(rename = "unionpay")]
    UnionPay,
    /// Mir.
    Mir,
    /// Maestro.
    Maestro,
}

impl Brand {
    /// The word for the brand.
    pub fn as_str(self) -> &'static str {
        match self {
            Brand::Visa => "visa",
            Brand::Mastercard => "mastercard",
            Brand::Amex => "amex",
            Brand::Diners => "diners",
            Brand::Jcb => "jcb",
            Brand::Discover => "discover",
            Brand::UnionPay => "unionpay",
            Brand::Mir => "mir",
            Brand::Maestro => "maestro",
        }
    }
}

/// A card number on its way into a token. Never stored, never printed.
pub struct CardNumber(Vec<u8>);

impl CardNumber {
    /// Parses a number; blanks and hyphens between the digits are accepted.
    ///
    /// # Errors
    /// `Malformed` when it is not a card number.
    pub fn parse(typed: &str) -> Result<Self, Why> {
        let bad = Why::Malformed { expected: "a card number" };
        let mut digits = Vec::with_capacity(*DIGITS.end());
        for c in typed.chars() {
            match c.to_digit(10) {
                Some(d) if digits.len() < *DIGITS.end() => {
                    digits.push(u8::try_from(d).map_err(|_| bad.clone())?);
                }
                None if c == ' ' || c == '-' => {}
                _ => return Err(bad),
            }
        }
        if is_card_number(&digits) { Ok(CardNumber(digits)) } else { Err(bad) }
    }

    /// The scheme.
    pub fn brand(&self) -> Brand {
        scheme(&self.0).unwrap_or(Brand::Maestro)
    }

    /// First six digits: may be kept and shown (PCI DSS 3.4.1).
    pub fn first_six(&self) -> String {
        print(&self.0[..6])
    }

    /// Last four digits: may be kept and shown (PCI DSS 3.4.1).
    pub fn last_four(&self) -> String {
        print(&self.0[self.0.len() - 4..])
    }

    /// All digits, for the keyed fingerprint only.
    pub fn digits(&self) -> String {
        print(&self.0)
    }
}

impl std::fmt::Debug for CardNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CardNumber(…)")
    }
}

fn print(digits: &[u8]) -> String {
    digits.iter().map(|d| char::from(b'0' + d)).collect()
}

/// Month and year a card is valid through.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub struct Expiry {
    /// Four-digit year.
    pub year: i16,
    /// 1 to 12.
    pub month: i8,
}

impl Expiry {
    /// Checks month and year.
    ///
    /// # Errors
    /// `OutOfRange`.
    pub fn new(year: i64, month: i64) -> Result<Self, Why> {
        let month = i8::try_from(month).ok().filter(|m| (1..=12).contains(m));
        let year = i16::try_from(year).ok().filter(|y| (2000..=2199).contains(y));
        match (year, month) {
            (Some(year), Some(month)) => Ok(Expiry { year, month }),
            (None, _) => Err(Why::OutOfRange { min: 2000, max: 2199 }),
            (_, None) => Err(Why::OutOfRange { min: 1, max: 12 }),
        }
    }

    /// The last day it is valid, `YYYY-MM-DD`.
    pub fn last_day(self) -> String {
        time::last_day_of_month(self.year, self.month).unwrap_or_default()
    }

    /// Whether that day lies before `today` (`YYYY-MM-DD`).
    pub fn is_past(self, today: &str) -> bool {
        self.last_day().as_str() < today
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
        ] {
            assert!(contains_number(text), "{text}");
            assert!(might_contain_number(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn leaves_other_numbers_alone() {
        for text in [
            "4111111111111112",
            "+41446681800",
            "+370000000000002",
            "2026-01-02T03:04:05.678901Z",
            "4b281da4-d145-4233-b957-2018cf9aa0fb",
            "a4111111-1111-4111-8111-111111111111",
            "41111111111111110000abcdabcd4111",
            "1234567890123",
            "",
            "0000000000000000",
        ] {
            assert!(!contains_number(text), "{text}");
        }
    }

    #[test]
    fn escapes_cannot_hide_a_number_from_the_cheap_check() {
        let hidden = r#"{"name":"\u0034\u0031\u0031\u0031\u0031\u0031\u0031\u0031\u0031\u0031\u0031\u0031\u0031\u0031\u0031\u0031"}"#;
        assert!(might_contain_number(hidden.as_bytes()));
        assert!(might_contain_number(b"q=4111%201111%201111%201111"));
        assert!(!might_contain_number(
            br#"{"name":"Anna Muster","zip":"8400","phone":"+41446681800"}"#
        ));
    }

    #[test]
    fn reads_a_card_for_tokenising() {
        let card = CardNumber::parse("4058 4000 0000 0005").expect("a card");
        assert_eq!((card.first_six().as_str(), card.last_four().as_str()), ("405840", "0005"));
        assert_eq!(card.brand(), Brand::Visa);
        assert_eq!(format!("{card:?}"), "CardNumber(…)");
        assert!(CardNumber::parse("4058400000000006").is_err());
    }

    #[test]
    fn a_card_is_valid_through_its_last_day() {
        let expiry = Expiry::new(2028, 2).expect("valid");
        assert_eq!(expiry.last_day(), "2028-02-29");
        assert!(!expiry.is_past("2028-02-29"));
        assert!(expiry.is_past("2028-03-01"));
        assert!(Expiry::new(2028, 13).is_err());
    }

    #[test]
    fn knows_the_names_of_security_codes() {
        assert!(is_security_code_name("CVV") && is_security_code_name("card_cvc"));
        assert!(!is_security_code_name("name"));
    }
}
