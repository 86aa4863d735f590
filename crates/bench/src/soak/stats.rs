//! What callers saw: latencies by kind of work, answers nobody expected.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::figures::part;

/// Unexpected answers that are shown.
const SHOWN_MAX: usize = 20;
/// Characters shown of each.
const SHOWN_CHARS: usize = 400;

/// Microseconds of answers by kind of work.
pub type Times = BTreeMap<&'static str, Vec<u32>>;

#[derive(Default)]
struct Inner {
    since: Times,
    spans: Vec<Times>,
    unexpected: u64,
    shown: Vec<String>,
    events: u64,
}

/// What all callers saw together.
#[derive(Default)]
pub struct Stats(Mutex<Inner>);

/// Median and 99th percentile in milliseconds, and how many.
#[derive(Debug, Clone, Copy)]
pub struct Latency {
    /// Answers.
    pub count: usize,
    /// Half of them were faster.
    pub p50_ms: f64,
    /// Of a hundred, 99 were.
    pub p99_ms: f64,
}

impl Latency {
    /// Of some times.
    pub fn of(mut times: Vec<u32>) -> Latency {
        times.sort_unstable();
        let ms = |at| f64::from(part(&times, at)) / 1e3;
        Latency { count: times.len(), p50_ms: ms(0.5), p99_ms: ms(0.99) }
    }
}

impl Stats {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an answer that was expected.
    pub fn count(&self, kind: &'static str, elapsed: Duration) {
        let micros = u32::try_from(elapsed.as_micros()).unwrap_or(u32::MAX);
        self.inner().since.entry(kind).or_default().push(micros);
    }

    /// Counts one that was not.
    pub fn unexpected(&self, what: &str) {
        let mut inner = self.inner();
        inner.unexpected += 1;
        if inner.shown.len() < SHOWN_MAX {
            let text: String = what.chars().take(SHOWN_CHARS).collect();
            eprintln!("unexpected: {text}");
            inner.shown.push(text);
        }
    }

    /// Counts events that a reader of the feed got.
    pub fn events(&self, count: u64) {
        self.inner().events += count;
    }

    /// Events read so far.
    pub fn events_read(&self) -> u64 {
        self.inner().events
    }

    /// Unexpected answers so far.
    pub fn unexpected_count(&self) -> u64 {
        self.inner().unexpected
    }

    /// Ends a span of time; answers its latencies.
    pub fn end_span(&self) -> BTreeMap<&'static str, Latency> {
        let mut inner = self.inner();
        let ended = std::mem::take(&mut inner.since);
        let shown = ended.iter().map(|(kind, times)| (*kind, Latency::of(times.clone())));
        let shown = shown.collect();
        inner.spans.push(ended);
        shown
    }

    /// Latencies by kind over the spans in a part of the run, `from` and `to` between 0 and 1.
    pub fn between(&self, from: f64, to: f64) -> BTreeMap<&'static str, Latency> {
        let inner = self.inner();
        let count = inner.spans.len() as f64;
        let range = (count * from).round() as usize..(count * to).round() as usize;
        let mut all = Times::new();
        for (kind, times) in inner.spans.get(range).into_iter().flatten().flatten() {
            all.entry(*kind).or_default().extend(times);
        }
        all.into_iter().map(|(kind, times)| (kind, Latency::of(times))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_kept_apart_and_put_together() {
        let stats = Stats::default();
        for ms in 1..=100 {
            stats.count("get", Duration::from_millis(ms));
        }
        let first = stats.end_span()["get"];
        assert_eq!(first.count, 100);
        assert!((first.p50_ms - 51.0).abs() < 1.1 && (first.p99_ms - 100.0).abs() < 1.1);
        stats.count("get", Duration::from_millis(7));
        stats.end_span();
        assert_eq!(stats.between(0.0, 1.0)["get"].count, 101);
        assert_eq!(stats.between(0.5, 1.0)["get"].count, 1);
        stats.unexpected("500");
        assert_eq!(stats.unexpected_count(), 1);
    }
}
