//! What is counted of mails. Labels are words of the program.

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};
use patron_app::{
    App,
    mails::{self, Waiting},
};
use patron_model::Failure;

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The server took the mail.
    Sent,
    /// It is tried again later.
    Failed,
    /// It is tried no more.
    GivenUp,
}

impl Outcome {
    const ALL: [Outcome; 3] = [Outcome::Sent, Outcome::Failed, Outcome::GivenUp];

    const fn as_str(self) -> &'static str {
        match self {
            Outcome::Sent => "sent",
            Outcome::Failed => "failed",
            Outcome::GivenUp => "given_up",
        }
    }
}

/// Says what the figures are. They are told where no mails are sent too.
pub fn describe() {
    describe_counter!(
        "patron_mails_total",
        Unit::Count,
        "Attempts to send mails, by what came of them."
    );
    describe_gauge!("patron_mails_waiting", Unit::Count, "Mails that wait to be sent.");
    describe_gauge!(
        "patron_mails_oldest_seconds",
        Unit::Seconds,
        "How long the oldest of them has waited."
    );
    for outcome in Outcome::ALL {
        counter!("patron_mails_total", "outcome" => outcome.as_str()).increment(0);
    }
    gauge!("patron_mails_waiting").set(0);
    gauge!("patron_mails_oldest_seconds").set(0);
}

/// Counts an attempt.
pub(crate) fn attempted(outcome: Outcome) {
    counter!("patron_mails_total", "outcome" => outcome.as_str()).increment(1);
}

/// Notes what waits.
///
/// # Errors
/// Whatever the store says.
pub(crate) async fn set(app: &App) -> Result<(), Failure> {
    let Waiting { count, since } = mails::waiting(app).await?;
    let now = app.clock.now();
    let micros = since.map_or(0, |since| now.micros().saturating_sub(since.micros()).max(0));
    gauge!("patron_mails_waiting").set(count as f64);
    gauge!("patron_mails_oldest_seconds").set(micros as f64 / 1e6);
    Ok(())
}
