//! Names that mean a card security code, a PIN or track data: what may never be stored, not even
//! encrypted (PCI DSS 3.3).

use unicode_normalization::UnicodeNormalization as _;

use super::digits::digits_only;

/// Most letters and digits of a name that are looked at: more than any name that is stored has.
const NAME_CHARS_MAX: usize = 128;

/// Names of card security codes, also with `card` before them.
const CODES: [&str; 17] = [
    "cav",
    "cav2",
    "ccv",
    "ccv2",
    "cid",
    "csc",
    "cv2",
    "cvd",
    "cvd2",
    "cvn",
    "cvn2",
    "cvncode",
    "securitycode",
    "securitynumber",
    "verificationcode",
    "verificationnumber",
    "verificationvalue",
];
/// Parts of names that say it, whatever stands around them.
const CODES_INSIDE: [&str; 4] = ["cvv", "cvc", "cardsecuritycode", "cardverification"];

/// Bytes of the longest text that is looked at as a code.
const CODE_BYTES_MAX: usize = 64;

/// What a name promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Secret {
    /// A card security code.
    Code,
    /// A personal identification number.
    Pin,
    /// Data of a magnetic stripe.
    Track,
}

impl Secret {
    /// What a name promises, by its letters and digits alone.
    pub(super) fn of(name: &str) -> Option<Secret> {
        // The shortest ones have three letters.
        if name.len() < 3 {
            return None;
        }
        let mut plain = [0; NAME_CHARS_MAX];
        let mut count = 0;
        let mut push = |c: char| {
            if c.is_ascii_alphanumeric()
                && let (Ok(byte), Some(place)) = (u8::try_from(c), plain.get_mut(count))
            {
                *place = byte.to_ascii_lowercase();
                count += 1;
            }
        };
        if name.is_ascii() {
            name.chars().for_each(&mut push);
        } else {
            name.nfkc().for_each(&mut push);
        }
        match std::str::from_utf8(&plain[..count]) {
            Ok(plain) => Secret::of_plain(plain),
            Err(_) => None,
        }
    }

    fn of_plain(name: &str) -> Option<Secret> {
        let bare = name.strip_prefix("card").unwrap_or(name);
        if name == "cardcode"
            || CODES.contains(&bare)
            || CODES_INSIDE.iter().any(|c| name.contains(c))
        {
            return Some(Secret::Code);
        }
        match bare {
            "pin" | "pinblock" | "pinnumber" => Some(Secret::Pin),
            "track1" | "track2" | "track3" | "track1data" | "track2data" | "track3data"
            | "trackdata" | "magstripe" | "magneticstripe" => Some(Secret::Track),
            _ => None,
        }
    }

    /// Whether so many digits without letters can be it.
    pub(super) fn fits(self, digits: usize) -> bool {
        match self {
            Secret::Code => (3..=4).contains(&digits),
            // Three: a security code under that name. Six at most: longer PINs are rare, longer
            // numbers under that name are not.
            Secret::Pin => (3..=6).contains(&digits),
            Secret::Track => digits >= 3,
        }
    }

    /// Whether a text can be it.
    pub(super) fn is_in(self, text: &str) -> bool {
        match self {
            Secret::Code | Secret::Pin => {
                // Blanks and hyphens between the digits make no other code of it.
                text.len() <= CODE_BYTES_MAX && digits_only(text).is_some_and(|n| self.fits(n))
            }
            Secret::Track => text.chars().filter(|c| c.is_numeric()).count() >= 3,
        }
    }
}

/// Whether a member name means a card security code, which is never accepted.
pub fn is_security_code_name(name: &str) -> bool {
    Secret::of(name).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_names_of_security_codes() {
        for name in [
            "CVV",
            "card_cvc",
            "cvn",
            "CV2",
            "cvvCode",
            "card_code",
            "cardCode",
            "pin",
            "track2",
            "track_2",
            "cvc2",
            "c-v\u{2013}v",
            "ｃｖｖ",
            "card-security-code",
            "security_code",
            "csc",
            "card_cid",
            "CCV",
            "my_cvv_number",
            "magStripe",
        ] {
            assert!(is_security_code_name(name), "{name}");
        }
        for name in [
            "name",
            "code",
            "track",
            "tracking",
            "pincode",
            "shipping",
            "spin",
            "cv",
            "civic",
            "postal_code",
            "verification",
            "country_code",
            "promo_code",
            "",
        ] {
            assert!(!is_security_code_name(name), "{name}");
        }
    }

    #[test]
    fn knows_what_can_be_one() {
        for text in ["123", "1234", " 1 2 3 ", "1-2-3", "١٢٣", "１２３４"] {
            assert!(Secret::Code.is_in(text), "{text}");
        }
        for text in ["12", "12345", "match", "M123", "", "customer 123"] {
            assert!(!Secret::Code.is_in(text), "{text}");
        }
        assert!(Secret::Pin.is_in("4711") && Secret::Pin.is_in("123"));
        assert!(!Secret::Pin.is_in("12") && !Secret::Pin.is_in("1234567"));
        assert!(Secret::Track.is_in(";5301250070000191=08051010912345678901?3"));
        assert!(!Secret::Track.is_in("none"));
    }
}
