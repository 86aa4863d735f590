//! What is counted of deliveries. Labels are words of the program.

use std::sync::OnceLock;

use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use patron_app::{App, statistics::Counted};

use crate::{
    core::Core,
    lane::{Outcome, SECOND, is_good},
};

/// Says what the figures are, once.
pub(crate) fn describe() {
    static DONE: OnceLock<()> = OnceLock::new();
    DONE.get_or_init(|| {
        describe_counter!(
            "patron_webhook_attempts_total",
            Unit::Count,
            "Attempts to deliver, by what came of them."
        );
        describe_histogram!(
            "patron_webhook_attempt_seconds",
            Unit::Seconds,
            "Time from the beginning of an attempt to its end."
        );
        describe_gauge!("patron_webhook_in_flight", Unit::Count, "Attempts under way.");
        describe_gauge!(
            "patron_webhook_endpoints",
            Unit::Count,
            "Endpoints this node works for, by whether they fail."
        );
        describe_gauge!(
            "patron_webhook_retrying",
            Unit::Count,
            "Deliveries to be tried again, of these endpoints."
        );
        describe_gauge!("patron_webhook_waiting", Unit::Count, "Entries that wait for their turn.");
    });
}

/// Counts an attempt.
pub(crate) fn attempted(outcome: Outcome, micros: i64) {
    let word = match outcome {
        Outcome::Answered(200..=299, _) => "delivered",
        Outcome::Answered(..) => "status",
        Outcome::Fault(class) => class,
        Outcome::Withheld => "withheld",
    };
    counter!("patron_webhook_attempts_total", "outcome" => word).increment(1);
    histogram!("patron_webhook_attempt_seconds").record(micros as f64 / SECOND as f64);
}

/// Counts it in its space too.
pub(crate) fn count(app: &App, space: i64, outcome: Outcome) {
    let what = match outcome {
        Outcome::Withheld => return,
        _ if is_good(outcome) => Counted::AttemptsDelivered,
        _ => Counted::AttemptsFailed,
    };
    app.count(space, what, app.clock.now());
}

/// Notes how the node stands.
pub(crate) fn set(core: &Core) {
    let (mut good, mut failing, mut retrying, mut waiting) = (0_u32, 0_u32, 0, 0);
    for (_, lane) in core.lanes() {
        let count = if lane.is_failing() { &mut failing } else { &mut good };
        *count += 1;
        retrying += lane.retrying();
        waiting += lane.held();
    }
    gauge!("patron_webhook_endpoints", "state" => "good").set(good);
    gauge!("patron_webhook_endpoints", "state" => "failing").set(failing);
    gauge!("patron_webhook_retrying").set(retrying as f64);
    gauge!("patron_webhook_waiting").set(waiting as f64);
    gauge!("patron_webhook_in_flight").set(core.in_flight() as f64);
}
