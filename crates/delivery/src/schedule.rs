//! When what failed is tried again.

use crate::lane::SECOND;

const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Pauses after the first attempt and each further one: five days in all.
const PAUSES: [i64; 13] = [
    5 * SECOND,
    30 * SECOND,
    2 * MINUTE,
    10 * MINUTE,
    30 * MINUTE,
    HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    DAY,
    DAY,
    DAY,
];
/// Part of a pause that is left to chance, both ways.
const JITTER: f64 = 0.2;
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

/// The pause after so many attempts; none when that was the last. `jitter`: 0 to 1.
pub(crate) fn next(tries: i64, jitter: f64) -> Option<i64> {
    let at = usize::try_from(tries - 1).ok()?;
    let pause = PAUSES.get(at)?;
    let factor = 1.0 + JITTER * (2.0 * jitter - 1.0);
    Some((*pause as f64 * factor) as i64)
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
    fn pauses_grow_to_five_days_in_all() {
        let all: Vec<i64> = (1..).map_while(|tries| next(tries, 0.5)).collect();
        assert_eq!(all.len(), 13);
        assert!(all.is_sorted());
        let sum: i64 = all.iter().sum();
        assert!((4 * DAY..=5 * DAY).contains(&sum), "{sum}");
        assert_eq!(next(1, 0.0), Some(4 * SECOND));
        assert_eq!(next(1, 1.0), Some(6 * SECOND));
        assert_eq!(next(14, 0.5), None);
        assert_eq!(probe_after(0), 5 * SECOND);
        assert_eq!(probe_after(1_000), 30 * MINUTE);
    }
}
