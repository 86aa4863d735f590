//! Card data: what a number is ([`CardNumber`], [`Brand`], [`Expiry`]), and recognising numbers
//! ([`contains_number`]) and security codes in what came in, so that they can be refused or
//! tokenised (PCI DSS 3.3, 3.4).

#[cfg(test)]
mod alarms;
mod digits;
mod found;
mod moments;
mod names;
mod run;
mod search;

use crate::{Why, time};

pub use found::{Found, Member, Taken};
pub use names::is_security_code_name;
pub use search::{contains_number, might_contain_number};

/// Digits of the shortest and the longest card number.
const DIGITS: std::ops::RangeInclusive<usize> = 13..=19;

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
}
