//! Languages by BCP 47 tag.

use oxilangtag::LanguageTag;

use crate::Why;

/// A language tag as it was typed. Underscores are accepted for hyphens, as several providers do.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Language(String);

impl Language {
    /// Most characters.
    pub const MAX: usize = 35;

    /// Parses a tag (RFC 5646).
    ///
    /// # Errors
    /// `TooLong` or `Malformed`.
    pub fn parse(typed: &str) -> Result<Self, Why> {
        if typed.len() > Self::MAX {
            return Err(Why::TooLong { max: Self::MAX });
        }
        let primary = typed.split(['-', '_']).next().unwrap_or_default();
        let hyphened = typed.replace('_', "-");
        if (2..=3).contains(&primary.len()) && LanguageTag::parse(hyphened.as_str()).is_ok() {
            Ok(Language(typed.to_owned()))
        } else {
            Err(Why::Malformed { expected: "a BCP 47 language tag such as de-CH" })
        }
    }

    /// As it was typed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// With hyphens and conventional case: `de-CH`.
    pub fn tag(&self) -> String {
        let hyphened = self.0.replace('_', "-");
        match LanguageTag::parse_and_normalize(&hyphened) {
            Ok(tag) => tag.into_inner(),
            Err(_) => hyphened,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_tags_and_keeps_them_as_typed() {
        for good in ["en", "de-CH", "en_US", "zh-Hant-TW", "fil"] {
            assert_eq!(Language::parse(good).expect(good).as_str(), good);
        }
        assert_eq!(Language::parse("en_us").expect("valid").tag(), "en-US");
        for bad in ["", "e", "english", "de--CH", "de CH"] {
            assert!(Language::parse(bad).is_err(), "{bad}");
        }
    }
}
