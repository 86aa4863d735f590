//! Time zones: an IANA name (`Europe/Zurich`) or a fixed offset from UTC (`-05:00`).

use jiff::tz::Offset;
pub use jiff::tz::TimeZone as Zone;

use crate::{Timestamp, Why};

/// Seconds of an hour.
const HOUR_SECONDS: i64 = 3_600;

/// A time zone as it was typed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct TimeZone(String);

impl TimeZone {
    /// Parses an IANA name, `UTC`, or an offset `±HH:MM` of at most 14 hours.
    ///
    /// # Errors
    /// `Unknown`.
    pub fn parse(typed: &str) -> Result<Self, Why> {
        match rules(typed) {
            Some(_) => Ok(TimeZone(typed.to_owned())),
            None => Err(Why::Unknown { what: "time zone" }),
        }
    }

    /// A fixed offset of whole hours.
    ///
    /// # Errors
    /// `OutOfRange` beyond −12…+14.
    pub fn of_hours(hours: i64) -> Result<Self, Why> {
        if !(-12..=14).contains(&hours) {
            return Err(Why::OutOfRange { min: -12, max: 14 });
        }
        let sign = if hours < 0 { '-' } else { '+' };
        Ok(TimeZone(format!("{sign}{:02}:00", hours.abs())))
    }

    /// As it was typed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whole hours from UTC at a moment, rounded towards zero.
    pub fn hours_at(&self, at: Timestamp) -> i64 {
        let seconds = rules(&self.0).map_or(0, |z| z.to_offset(at.jiff()).seconds());
        i64::from(seconds / 3600)
    }
}

/// The rules of a time zone by its name or offset; nothing where there is no such one.
pub fn rules(typed: &str) -> Option<Zone> {
    match typed.as_bytes() {
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let digit = |b: &u8| b.is_ascii_digit().then(|| i32::from(b - b'0'));
            let hours = digit(h1)? * 10 + digit(h2)?;
            let minutes = digit(m1)? * 10 + digit(m2)?;
            let total = (hours * 60 + minutes) * 60;
            if hours > 14 || minutes > 59 || total > 14 * 3600 {
                return None;
            }
            let signed = if *sign == b'-' { -total } else { total };
            Offset::from_seconds(signed).ok().map(Zone::fixed)
        }
        _ => Zone::get(typed).ok(),
    }
}

/// When the hour of a moment begins that clocks of a zone strike, and the next one.
pub fn hour_of(zone: &Zone, at: Timestamp) -> (Timestamp, Timestamp) {
    let local = at.seconds() + i64::from(zone.to_offset(at.jiff()).seconds());
    let past = local.rem_euclid(HOUR_SECONDS);
    let begins = Timestamp::from_micros((at.seconds() - past) * 1_000_000);
    (begins, begins.plus_seconds(HOUR_SECONDS))
}

/// When the day of a moment begins in a zone, and the next one.
pub fn day_of(zone: &Zone, at: Timestamp) -> (Timestamp, Timestamp) {
    let date = at.jiff().to_zoned(zone.clone()).date();
    let begins = |date: jiff::civil::Date| {
        let begins = date.to_zoned(zone.clone()).map(|begins| begins.timestamp());
        begins.map_or(at, |begins| Timestamp::from_micros(begins.as_microsecond()))
    };
    let next = date.tomorrow().map_or(at, begins);
    (begins(date), next.max(at.plus_seconds(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_names_and_offsets() {
        for good in ["UTC", "Europe/Zurich", "-05:00", "+05:30"] {
            assert!(TimeZone::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "Mars/Olympus", "+15:00", "+5", "5"] {
            assert!(TimeZone::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(TimeZone::of_hours(-5).expect("valid").as_str(), "-05:00");
        assert_eq!(TimeZone::of_hours(-5).expect("valid").hours_at(Timestamp::from_micros(0)), -5);
        assert!(TimeZone::of_hours(15).is_err());
    }
}
