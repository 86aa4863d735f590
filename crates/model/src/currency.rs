//! Currencies by ISO 4217 code.

use crate::Why;

/// A currency code of three upper-case letters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Currency(String);

impl Currency {
    /// Parses a code.
    ///
    /// # Errors
    /// `Malformed` or `Unknown`.
    pub fn parse(typed: &str) -> Result<Self, Why> {
        if typed.len() != 3 || !typed.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err(Why::Malformed { expected: "an ISO 4217 currency code of three capitals" });
        }
        match iso_currency::Currency::from_code(typed) {
            Some(_) => Ok(Currency(typed.to_owned())),
            None => Err(Why::Unknown { what: "currency" }),
        }
    }

    /// The code.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_iso_codes() {
        assert!(Currency::parse("CHF").is_ok());
        assert!(Currency::parse("XAF").is_ok());
        assert!(Currency::parse("chf").is_err());
        assert_eq!(Currency::parse("QQQ"), Err(Why::Unknown { what: "currency" }));
    }
}
