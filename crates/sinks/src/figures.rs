//! What is counted of sinks. Labels are names of the settings and words of the program.

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};

/// Says what the figures are.
pub fn describe() {
    describe_counter!(
        "patron_sink_published_total",
        Unit::Count,
        "Events that a stream has taken, by sink and whether it had them already."
    );
    describe_counter!(
        "patron_sink_failures_total",
        Unit::Count,
        "Failures to publish, by sink and what was wrong."
    );
    describe_gauge!(
        "patron_sink_holds",
        Unit::Count,
        "Whether this process publishes to the sink: 1 or 0."
    );
    describe_gauge!(
        "patron_sink_behind",
        Unit::Count,
        "Entries of journals that the sink has yet to look at, where this process publishes."
    );
}

/// Counts what a stream took.
pub(crate) fn published(sink: &str, is_repeated: bool) {
    let what = if is_repeated { "repeated" } else { "new" };
    counter!("patron_sink_published_total", "sink" => sink.to_owned(), "what" => what).increment(1);
}

/// Counts a failure.
pub(crate) fn failed(sink: &str, class: &'static str) {
    counter!("patron_sink_failures_total", "sink" => sink.to_owned(), "class" => class)
        .increment(1);
}

/// Notes that this process publishes, and how far behind it is.
pub(crate) fn holds(sink: &str, behind: i64) {
    gauge!("patron_sink_holds", "sink" => sink.to_owned()).set(1);
    gauge!("patron_sink_behind", "sink" => sink.to_owned()).set(behind as f64);
}

/// Notes that this process does not publish.
pub(crate) fn idle(sink: &str) {
    gauge!("patron_sink_holds", "sink" => sink.to_owned()).set(0);
    gauge!("patron_sink_behind", "sink" => sink.to_owned()).set(0);
}
