//! What was counted, over a time and by steps.

use patron_model::{
    Failure, Problems, Timestamp, Why,
    time_zone::{Zone, day_of, hour_of},
};
use patron_store::Query;

use super::{
    Counts, KEPT_HOURS,
    row::{MINUTE_SECONDS, STATISTIC, Statistic, minute_of},
};
use crate::{
    Cx, failure,
    record::decode,
    search::{Compare, Field, Filter},
};

/// Points of one answer, at most: more than a day by minutes, and than 35 days by hours.
pub const POINTS_MAX: usize = 1_500;
/// Seconds of an hour.
const HOUR_SECONDS: i64 = 3_600;

/// What one point is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A minute.
    Minute,
    /// An hour, as the clocks of the time zone strike.
    Hour,
    /// A day of the time zone.
    Day,
}

impl Step {
    /// The words, for messages.
    pub const WORDS: &'static str = "minute, hour, day";

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Step::Minute => "minute",
            Step::Hour => "hour",
            Step::Day => "day",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Step> {
        [Step::Minute, Step::Hour, Step::Day].into_iter().find(|step| step.as_str() == word)
    }

    /// When the step of a moment begins, and the next one.
    fn around(self, at: Timestamp, zone: &Zone) -> (Timestamp, Timestamp) {
        match self {
            Step::Minute => {
                let begins = Timestamp::from_micros(minute_of(at) * MINUTE_SECONDS * 1_000_000);
                (begins, begins.plus_seconds(MINUTE_SECONDS))
            }
            Step::Hour => hour_of(zone, at),
            Step::Day => day_of(zone, at),
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// From the step on in which this is.
    pub since: Timestamp,
    /// To the end of the step in which the moment before this is.
    pub until: Timestamp,
    /// What one point is about.
    pub step: Step,
    /// Whose hours and days.
    pub zone: Zone,
}

/// A step, and what was counted in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// When it begins.
    pub at: Timestamp,
    /// How often each happened.
    pub counts: Counts,
}

/// What was counted.
#[derive(Debug, Clone)]
pub struct Told {
    /// Every step, in order.
    pub points: Vec<Point>,
    /// When the last one ends.
    pub until: Timestamp,
    /// The sum of all.
    pub totals: Counts,
}

impl Asked {
    /// The steps, and when the last one ends.
    fn steps(&self) -> Result<(Vec<Point>, Timestamp), Failure> {
        let mut points = Vec::new();
        let (mut at, mut next) = self.step.around(self.since, &self.zone);
        loop {
            if points.len() == POINTS_MAX {
                let why = Why::TooMany { max: POINTS_MAX };
                return Err(Failure::Malformed(Problems::one("step", why)));
            }
            points.push(Point { at, counts: Counts::default() });
            if next >= self.until {
                return Ok((points, next));
            }
            (at, next) = self.step.around(next, &self.zone);
        }
    }
}

fn add(to: &mut Counts, counts: &Counts) {
    for (to, count) in to.iter_mut().zip(counts) {
        *to += count;
    }
}

/// What was counted in the space of the request. What other nodes counted in the last minute may
/// still be missing.
///
/// # Errors
/// `Malformed` for more than [`POINTS_MAX`] points; whatever the store says.
pub async fn read(cx: &Cx, asked: &Asked) -> Result<Told, Failure> {
    let (mut points, until) = asked.steps()?;
    let since = points.first().map_or(asked.since, |first| first.at);
    let hour = |at: Timestamp| at.seconds().div_euclid(HOUR_SECONDS).into();
    let within = |compare, at| Filter::Compare(Field::Column("hour"), compare, hour(at));
    let predicate = within(Compare::AtLeast, since).and(within(Compare::AtMost, until));
    let limit = u32::try_from(KEPT_HOURS).unwrap_or(u32::MAX);
    let query = Query { predicate, limit, ..Query::of(cx.space) };
    let counters = &cx.app.counters;
    let moving = counters.moving.read().await;
    let mut minutes = counters.of_space(cx.space);
    for row in cx.app.store.find(&STATISTIC, &query).await.map_err(failure)?.rows {
        minutes.extend(decode::<Statistic>(&row)?.minutes());
    }
    drop(moving);
    let mut totals = Counts::default();
    for (minute, counts) in minutes {
        let at = Timestamp::from_micros(minute * MINUTE_SECONDS * 1_000_000);
        let place = points.partition_point(|point| point.at <= at);
        if place > 0 && at < until {
            add(&mut points[place - 1].counts, &counts);
            add(&mut totals, &counts);
        }
    }
    Ok(Told { points, until, totals })
}

#[cfg(test)]
mod tests {
    use patron_model::time_zone::rules;

    use super::*;

    fn steps(since: &str, until: &str, step: Step, zone: &str) -> Vec<String> {
        let [since, until] = [since, until].map(|at| Timestamp::parse(at).unwrap());
        let asked = Asked { since, until, step, zone: rules(zone).unwrap() };
        let (points, end) = asked.steps().unwrap();
        let all = points.iter().map(|point| point.at).chain([end]);
        all.map(Timestamp::rfc3339_seconds).collect()
    }

    #[test]
    fn steps_are_those_of_the_zone() {
        let minutes = steps("2026-11-21T14:44:58Z", "2026-11-21T14:46:00Z", Step::Minute, "UTC");
        assert_eq!(
            minutes,
            ["2026-11-21T14:44:00Z", "2026-11-21T14:45:00Z", "2026-11-21T14:46:00Z"]
        );
        let hours =
            steps("2026-11-21T14:44:58Z", "2026-11-21T15:30:00Z", Step::Hour, "Asia/Kolkata");
        assert_eq!(hours, ["2026-11-21T14:30:00Z", "2026-11-21T15:30:00Z"]);
        // The day on which clocks are put back has 25 hours.
        let days =
            steps("2026-10-24T12:00:00Z", "2026-10-26T00:00:00Z", Step::Day, "Europe/Zurich");
        assert_eq!(
            days,
            [
                "2026-10-23T22:00:00Z",
                "2026-10-24T22:00:00Z",
                "2026-10-25T23:00:00Z",
                "2026-10-26T23:00:00Z"
            ]
        );
        let one = steps("2026-11-21T14:00:00Z", "2026-11-21T14:00:00Z", Step::Hour, "UTC");
        assert_eq!(one.len(), 2, "there is always one");
    }

    #[test]
    fn answers_are_bounded() {
        let at = |text| Timestamp::parse(text).unwrap();
        let (since, until) = (at("2026-01-01T00:00:00Z"), at("2026-02-01T00:00:00Z"));
        let asked = Asked { since, until, step: Step::Minute, zone: Zone::UTC };
        assert!(matches!(asked.steps(), Err(Failure::Malformed(_))));
    }
}
