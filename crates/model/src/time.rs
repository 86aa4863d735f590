//! Moments: UTC with microseconds, printed as each dialect prints them.

use jiff::{Timestamp as Jiff, civil, tz};

use crate::Why;

/// A moment in microseconds since the Unix epoch.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From microseconds since the epoch, clamped to the years 1 to 9999.
    pub fn from_micros(micros: i64) -> Self {
        Timestamp(micros.clamp(-62_135_596_800_000_000, 253_402_300_799_999_999))
    }

    /// Microseconds since the epoch.
    pub fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Parses RFC 3339, the same without offset (read as UTC), with a blank for the `T`, with an
    /// offset without colon, or a plain date (midnight UTC).
    ///
    /// # Errors
    /// `Malformed`.
    pub fn parse(text: &str) -> Result<Self, Why> {
        if let Ok(at) = text.parse::<Jiff>() {
            return Ok(Self::from_micros(at.as_microsecond()));
        }
        if let Ok(local) = text.parse::<civil::DateTime>()
            && let Ok(at) = local.to_zoned(tz::TimeZone::UTC)
            // jiff reads a date-time that carries an offset it could not use; refuse that here.
            && !text.contains(['+', 'Z', 'z', '['])
        {
            return Ok(Self::from_micros(at.timestamp().as_microsecond()));
        }
        Err(Why::Malformed { expected: "a date and time such as 2026-01-02T03:04:05Z" })
    }

    /// `2026-01-02T03:04:05.678901Z`.
    pub fn rfc3339_micros(self) -> String {
        format!("{:.6}", self.jiff())
    }

    /// `2026-01-02T03:04:05.678Z`.
    pub fn rfc3339_millis(self) -> String {
        format!("{:.3}", self.jiff())
    }

    /// `2026-01-02T03:04:05Z`.
    pub fn rfc3339_seconds(self) -> String {
        format!("{:.0}", self.jiff())
    }

    /// The moment as the time library's type.
    pub(crate) fn jiff(self) -> Jiff {
        Jiff::from_microsecond(self.0).unwrap_or(Jiff::UNIX_EPOCH)
    }

    /// Moved by seconds.
    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Self {
        Self::from_micros(self.0.saturating_add(seconds.saturating_mul(1_000_000)))
    }
}

/// A day of the calendar, `YYYY-MM-DD`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Day(String);

impl Day {
    /// Parses `YYYY-MM-DD`.
    ///
    /// # Errors
    /// `Malformed`.
    pub fn parse(text: &str) -> Result<Self, Why> {
        let well_formed = text.len() == 10 && text.parse::<civil::Date>().is_ok();
        if well_formed {
            Ok(Day(text.to_owned()))
        } else {
            Err(Why::Malformed { expected: "a date such as 1990-12-31" })
        }
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Day {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Day(…)")
    }
}

/// Last day of a month as `YYYY-MM-DD`; `None` for a month or year that does not exist.
pub fn last_day_of_month(year: i16, month: i8) -> Option<String> {
    let first = civil::Date::new(year, month, 1).ok()?;
    Some(first.last_of_month().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_what_the_providers_send() {
        let want = Timestamp::from_micros(1_767_323_045_678_000);
        for text in [
            "2026-01-02T03:04:05.678Z",
            "2026-01-02T03:04:05.678+00:00",
            "2026-01-02T03:04:05.678+0000",
            "2026-01-02T04:04:05.678+01:00",
            "2026-01-02T03:04:05.678",
            "2026-01-02 03:04:05.678",
        ] {
            assert_eq!(Timestamp::parse(text), Ok(want), "{text}");
        }
        assert_eq!(Timestamp::parse("2026-01-02").map(Timestamp::seconds), Ok(1_767_312_000));
        for bad in ["", "yesterday", "2026-13-01", "2026-01-02T25:00:00Z"] {
            assert!(Timestamp::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn prints_three_precisions() {
        let at = Timestamp::from_micros(1_767_323_045_678_901);
        assert_eq!(at.rfc3339_micros(), "2026-01-02T03:04:05.678901Z");
        assert_eq!(at.rfc3339_millis(), "2026-01-02T03:04:05.678Z");
        assert_eq!(at.rfc3339_seconds(), "2026-01-02T03:04:05Z");
    }

    #[test]
    fn knows_the_last_day_of_a_month() {
        assert_eq!(last_day_of_month(2028, 2).as_deref(), Some("2028-02-29"));
        assert_eq!(last_day_of_month(2025, 13), None);
    }
}
