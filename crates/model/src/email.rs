//! E-mail addresses: kept as typed, compared on a normalised copy, never "fixed".

use std::str::FromStr;

use unicode_security::{RestrictionLevel, RestrictionLevelDetection as _, skeleton};

use crate::{Why, text};

/// How a label of a domain begins that is written in ASCII but has other letters (RFC 5890).
const PUNYCODE: &str = "xn--";

/// An e-mail address as it was typed.
#[derive(Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Email(String);

impl Email {
    /// Most characters.
    pub const MAX: usize = 320;

    /// Parses an address by RFC 5321/6531 syntax (internationalised ones included).
    ///
    /// # Errors
    /// `TooLong`, `ControlCharacter` or `Malformed`.
    pub fn parse(typed: &str) -> Result<Self, Why> {
        text::check(typed, 1, Self::MAX, false)?;
        let options = email_address::Options::default().without_display_text();
        match email_address::EmailAddress::parse_with_options(typed, options) {
            Ok(_) => Ok(Email(typed.to_owned())),
            Err(_) => Err(Why::Malformed { expected: "an e-mail address" }),
        }
    }

    /// Accepts any text of a sensible length, for callers whose provider does not check the syntax.
    ///
    /// # Errors
    /// `TooShort`, `TooLong` or `ControlCharacter`.
    pub fn lenient(typed: &str) -> Result<Self, Why> {
        text::check(typed, 1, Self::MAX, false)?;
        Ok(Email(typed.to_owned()))
    }

    /// As it was typed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether its domain can be taken for another one: it mixes scripts, or looks like one in
    /// Latin letters without being one. Nothing is refused for it: somebody should look.
    pub fn has_look_alike_domain(&self) -> bool {
        let domain = self.0.rsplit_once('@').map_or("", |(_, domain)| domain);
        // Nearly all domains are plain.
        if domain.is_ascii() && !domain.to_ascii_lowercase().contains(PUNYCODE) {
            return false;
        }
        let labels: Vec<String> = domain.split('.').map(readable).collect();
        // In a domain of another script letters that look Latin are at home.
        let is_latin_zone = labels.last().is_some_and(|zone| zone.is_ascii());
        labels.iter().any(|label| {
            if label.is_ascii() {
                return false;
            }
            let is_mixed =
                label.as_str().detect_restriction_level() > RestrictionLevel::HighlyRestrictive;
            let looks_plain = || skeleton(label).all(|c| c.is_ascii());
            is_mixed || (is_latin_zone && looks_plain())
        })
    }

    /// The copy used for comparison and search: lower case.
    pub fn key(&self) -> String {
        self.0.to_lowercase()
    }
}

/// A label of a domain as people see it, in lower case.
fn readable(label: &str) -> String {
    let label = label.to_lowercase();
    let decoded = label.strip_prefix(PUNYCODE).and_then(|coded| punycode::decode(coded).ok());
    decoded.unwrap_or(label)
}

impl FromStr for Email {
    type Err = Why;
    fn from_str(typed: &str) -> Result<Self, Why> {
        Email::parse(typed)
    }
}

impl std::fmt::Debug for Email {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Email(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_real_addresses_and_refuses_the_rest() {
        for good in
            ["anna@example.com", "a.b+c@sub.example.org", "jörg@müller.example", "o'neil@x.io"]
        {
            assert!(Email::parse(good).is_ok(), "{good}");
        }
        for bad in
            ["", "anna", "@example.com", "anna@", "a b@example.com", "Anna <anna@example.com>"]
        {
            assert!(Email::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn look_alike_domains_are_told_from_others() {
        let look_alike = |text: &str| Email::lenient(text).expect("a text").has_look_alike_domain();
        for bad in [
            "anna@pаypal.com",         // one Cyrillic letter
            "anna@аррӏе.com",          // all Cyrillic, looks Latin
            "anna@xn--80ak6aa92e.com", // the same in Punycode
            "anna@XN--80AK6AA92E.COM",
            "anna@shop.gοοgle.com", // Greek
            "anna@exаmple.рф",
        ] {
            assert!(look_alike(bad), "{bad}");
        }
        for good in [
            "anna@example.com",
            "jörg@müller.example",
            "jörg@xn--mller-kva.example",
            "info@пример.рф",
            "info@сос.рф",
            "info@東京カフェ.jp",
            "info@παράδειγμα.gr",
            "info@دبي.امارات",
            "info@xn--99999999999.example",
            "no domain",
            "",
        ] {
            assert!(good.is_empty() || !look_alike(good), "{good}");
        }
    }

    #[test]
    fn keeps_the_typed_form_and_compares_in_lower_case() {
        let email = Email::parse("Anna@Example.COM").expect("valid");
        assert_eq!(email.as_str(), "Anna@Example.COM");
        assert_eq!(email.key(), "anna@example.com");
    }
}
