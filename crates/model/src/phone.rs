//! Phone numbers: the raw form is kept beside E.164 where the number can be understood.

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, enums::Region};

use crate::{Why, country::Country, text};

/// A phone number as typed, with its E.164 form when it is a valid number.
#[derive(Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Phone {
    raw: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    e164: Option<String>,
}

impl Phone {
    /// Most characters of the typed form.
    pub const MAX: usize = 100;

    /// Parses a number. A national one is read with the numbering plan of `country`; what cannot be
    /// understood is kept as typed, without an E.164 form.
    ///
    /// # Errors
    /// `TooShort`, `TooLong` or `ControlCharacter`.
    pub fn parse(typed: &str, country: Option<&Country>) -> Result<Self, Why> {
        text::check(typed, 1, Self::MAX, false)?;
        Ok(Phone { raw: typed.to_owned(), e164: e164(typed, country) })
    }

    /// The same number, read where the customer is: a national one by the numbering plan of
    /// `country`; without one, and where it is no number there, it is left as typed. An
    /// international one stays what it is.
    #[must_use]
    pub fn read_in(self, country: Option<&Country>) -> Phone {
        if self.is_international() {
            return self;
        }
        Phone { e164: e164(&self.raw, country), raw: self.raw }
    }

    /// Whether it was typed with its country calling code, so that it is read alike everywhere:
    /// with `+`, or as something whose digits are those of the number it was understood to be.
    pub fn is_international(&self) -> bool {
        let with_code = |e164: &String| {
            let typed = self.raw.chars().filter(char::is_ascii_digit);
            typed.eq(e164.chars().skip(1))
        };
        self.raw.starts_with('+') || self.e164.as_ref().is_some_and(with_code)
    }

    /// As it was typed.
    pub fn raw(&self) -> &str {
        &self.raw
    }

    /// E.164 (`+` and at most 15 digits), when the number is valid in its numbering plan.
    pub fn e164(&self) -> Option<&str> {
        self.e164.as_deref()
    }

    /// E.164 when known, otherwise as typed.
    pub fn best(&self) -> &str {
        self.e164.as_deref().unwrap_or(&self.raw)
    }

    /// The copy used for comparison and search: E.164 or the bare digits.
    pub fn key(&self) -> String {
        match &self.e164 {
            Some(e164) => e164.clone(),
            None => self.raw.chars().filter(char::is_ascii_digit).collect(),
        }
    }
}

/// Whether a text is a valid number in international form.
pub(crate) fn is_international(text: &str) -> bool {
    PHONE_NUMBER_UTIL.parse(text, None).is_ok_and(|number| number.is_valid())
}

fn e164(typed: &str, country: Option<&Country>) -> Option<String> {
    if !typed.starts_with('+') && country.is_none() {
        return None;
    }
    let region = country.and_then(|c| c.code().parse::<Region>().ok());
    let number = PHONE_NUMBER_UTIL.parse(typed, region).ok()?;
    number.is_valid().then(|| number.format_as(PhoneNumberFormat::E164).into_owned())
}

impl std::fmt::Debug for Phone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Phone(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_raw_beside_e164() {
        let us = Country::parse("US").expect("a country");
        let phone = Phone::parse("(423) 555-0117", Some(&us)).expect("valid");
        assert_eq!(phone.raw(), "(423) 555-0117");
        assert_eq!(phone.e164(), Some("+14235550117"));
        assert_eq!(Phone::parse("+41 44 668 18 00", None).expect("valid").best(), "+41446681800");
    }

    #[test]
    fn a_national_number_is_read_where_the_customer_is() {
        let [ch, de] = ["CH", "de"].map(|code| Country::parse(code).expect("a country"));
        let typed = |text: &str| Phone::parse(text, None).expect("kept");
        let read = |text: &str, country| {
            let phone = typed(text).read_in(country);
            assert_eq!(phone.raw(), text);
            phone.e164().map(str::to_owned)
        };
        assert_eq!(read("044 603 08 24", Some(&ch)).as_deref(), Some("+41446030824"));
        assert_eq!(read("030 901820", Some(&de)).as_deref(), Some("+4930901820"));
        assert_eq!(read("044 603 08 24", None), None);
        assert_eq!(read("ask for Anna", Some(&ch)), None);
        // An international number is read alike wherever the customer is.
        assert_eq!(read("+41 44 603 08 24", Some(&de)).as_deref(), Some("+41446030824"));
        // Who moves takes the number along as it was typed.
        let moved = typed("044 603 08 24").read_in(Some(&ch)).read_in(None);
        assert_eq!(moved, typed("044 603 08 24"));
    }

    #[test]
    fn keeps_what_it_cannot_understand() {
        let phone = Phone::parse("ask for Anna", None).expect("kept");
        assert_eq!(phone.best(), "ask for Anna");
        assert_eq!(phone.e164(), None);
    }
}
