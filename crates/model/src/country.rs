//! Countries by ISO 3166-1 alpha-2 code.

use crate::Why;

/// Codes in general use that ISO 3166-1 leaves to its users (Kosovo).
const USER_ASSIGNED: [&str; 1] = ["XK"];

/// A country code as it was typed: two letters of either case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Country(String);

impl Country {
    /// Parses a code, in upper or lower case.
    ///
    /// # Errors
    /// `Malformed` or `Unknown`.
    pub fn parse(typed: &str) -> Result<Self, Why> {
        if typed.len() != 2 || !typed.bytes().all(|b| b.is_ascii_alphabetic()) {
            return Err(Why::Malformed { expected: "an ISO 3166-1 country code of two letters" });
        }
        let code = typed.to_ascii_uppercase();
        let known = rust_iso3166::from_alpha2(&code).is_some();
        if known || USER_ASSIGNED.contains(&code.as_str()) {
            Ok(Country(typed.to_owned()))
        } else {
            Err(Why::Unknown { what: "country" })
        }
    }

    /// As it was typed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The code in upper case.
    pub fn code(&self) -> String {
        self.0.to_ascii_uppercase()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_iso_codes_in_either_case() {
        assert_eq!(Country::parse("ch").expect("known").code(), "CH");
        assert_eq!(Country::parse("ch").expect("known").as_str(), "ch");
        assert!(Country::parse("XK").is_ok());
        assert_eq!(Country::parse("ZZ"), Err(Why::Unknown { what: "country" }));
        assert!(Country::parse("CHE").is_err());
    }
}
