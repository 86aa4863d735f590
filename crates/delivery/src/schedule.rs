//! When what failed is tried again.

use patron_app::webhooks::notifier::Schedule;

use crate::lane::SECOND;

const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Failures in a row after which an endpoint is only tried now and then.
pub(crate) const BREAKS_AT: i64 = 5;
/// Pauses between such tries; the last one for all that follow.
const PROBES: [i64; 6] = [5 * SECOND, 15 * SECOND, MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE];
/// How long an endpoint may fail before it is paused.
pub(crate) const GIVEN_UP_AFTER: i64 = 5 * DAY;
/// The longest wait that an answer may ask for.
pub(crate) const WAIT_MAX: i64 = DAY;
/// The longest that 429 and 503 may hold an endpoint.
pub(crate) const HOLD_MAX: i64 = HOUR;

/// The pause of a schedule after so many attempts; none when that was the last. `jitter`: 0 to 1.
pub(crate) fn next(schedule: &Schedule, tries: i64, jitter: f64) -> Option<i64> {
    let at = usize::try_from(tries - 1).ok()?;
    let pause = schedule.pauses.get(at)? * SECOND;
    let factor = 1.0 + schedule.spread * (2.0 * jitter - 1.0);
    Some((pause as f64 * factor) as i64)
}

/// The pause before a failing endpoint is tried for the nth time, from 0.
pub(crate) fn probe_after(step: i64) -> i64 {
    let at = usize::try_from(step).unwrap_or(0).min(PROBES.len() - 1);
    PROBES[at]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_those_of_the_schedule_give_or_take() {
        let schedule = Schedule { pauses: &[5, 30], spread: 0.2 };
        assert_eq!(next(&schedule, 1, 0.0), Some(4 * SECOND));
        assert_eq!(next(&schedule, 1, 1.0), Some(6 * SECOND));
        assert_eq!(next(&schedule, 2, 0.5), Some(30 * SECOND));
        assert_eq!(next(&schedule, 3, 0.5), None);
        assert_eq!(next(&Schedule { spread: 0.0, ..schedule }, 1, 1.0), Some(5 * SECOND));
        assert_eq!(probe_after(0), 5 * SECOND);
        assert_eq!(probe_after(1_000), 30 * MINUTE);
    }
}
