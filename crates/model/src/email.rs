//! E-mail addresses: kept as typed, compared on a normalised copy, never "fixed".

use std::str::FromStr;

use crate::{Why, text};

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

    /// The copy used for comparison and search: lower case.
    pub fn key(&self) -> String {
        self.0.to_lowercase()
    }
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
    fn keeps_the_typed_form_and_compares_in_lower_case() {
        let email = Email::parse("Anna@Example.COM").expect("valid");
        assert_eq!(email.as_str(), "Anna@Example.COM");
        assert_eq!(email.key(), "anna@example.com");
    }
}
