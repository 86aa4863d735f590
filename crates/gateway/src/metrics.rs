//! What is counted: per operation the number of answers by status class, failures by kind, and the
//! time they took. Labels are bounded: dialect, operation and failure names of the program.

use std::sync::OnceLock;
use std::time::Duration;

use metrics::{Counter, Histogram, Unit, counter, histogram};
use metrics::{describe_counter, describe_histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// Upper bounds of the duration buckets, in seconds.
const SECONDS: &[f64] = &[
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0,
    5.0, 30.0,
];

/// Installs the recorder; the handle renders the page of `/metrics`.
///
/// # Errors
/// When a recorder is installed already.
pub fn install() -> Result<PrometheusHandle, metrics_exporter_prometheus::BuildError> {
    let recorder = PrometheusBuilder::new().set_buckets(SECONDS)?.install_recorder()?;
    describe_counter!("patron_requests_total", Unit::Count, "Answers by class of their status.");
    describe_counter!("patron_failures_total", Unit::Count, "Answers that are failures, by kind.");
    describe_histogram!(
        "patron_request_seconds",
        Unit::Seconds,
        "Time from the complete head of a request to its answer."
    );
    Ok(recorder)
}

/// The meters of one operation. What was never counted is not on the page.
pub struct Meters {
    dialect: &'static str,
    operation: &'static str,
    by_class: [OnceLock<Counter>; 5],
    seconds: OnceLock<Histogram>,
}

/// Classes of statuses.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

impl Meters {
    /// Meters of an operation.
    pub fn new(dialect: &'static str, operation: &'static str) -> Meters {
        Meters { dialect, operation, by_class: Default::default(), seconds: OnceLock::new() }
    }

    /// Counts one answer.
    pub fn count(&self, status: u16, failure: Option<&'static str>, elapsed: Duration) {
        let Meters { dialect, operation, .. } = *self;
        let class = usize::from(status / 100).clamp(1, 5) - 1;
        let counter = self.by_class[class].get_or_init(|| {
            let class = CLASSES[class];
            counter!("patron_requests_total", "dialect" => dialect, "operation" => operation, "class" => class)
        });
        counter.increment(1);
        let seconds = self.seconds.get_or_init(
            || histogram!("patron_request_seconds", "dialect" => dialect, "operation" => operation),
        );
        seconds.record(elapsed.as_secs_f64());
        if let Some(failure) = failure {
            counter!("patron_failures_total", "dialect" => self.dialect, "operation" => self.operation, "failure" => failure)
                .increment(1);
        }
    }
}
