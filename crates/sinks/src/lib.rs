//! Events out into streams: what happened is published to NATS JetStream, in the order in which it
//! was committed in its space, at least once, never before its commit.
//!
//! - [`NewSink`]: where a sink leads and what goes there, as the settings say.
//! - [`run`]: publishes until the process is asked to stop. Of several processes one does.
//! - [`holding`]: what that one does. Nothing is written beside a change: the journal is the queue,
//!   and a position for each space moves over it once the stream has taken what stands there.
//! - [`broker`]: the connection. [`figures`]: what is counted.
//!
//! What a message is called is the same each time ([`patron_app::webhooks::telling::id_of`]), so
//! that a stream leaves out what it has already.

mod broker;
mod figures;
mod holding;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use patron_app::{
    App,
    record::Loaded,
    sinks,
    webhooks::{EventType, Payload, notifier::Notifier},
};
use patron_model::Failure;
use uuid::Uuid;

pub use async_nats::ServerAddr;

use self::{broker::Broker, holding::Holding};
pub use self::{
    broker::{Fault, SignsIn, Way},
    figures::describe,
};

/// How often others than the holder look whether a sink is free.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often a holder says that it lives.
pub(crate) const BEAT_EVERY: Duration = Duration::from_secs(5);
/// How long after that a holder publishes nothing any more.
pub(crate) const SILENT_AFTER: Duration = Duration::from_secs(15);
/// How long others wait for that before they take a sink.
const DEAD_AFTER: Duration = Duration::from_secs(20);
/// How long the broker is left alone after a failure; twice as long after each further one.
const REST_MIN: Duration = Duration::from_secs(1);
/// The longest of these rests.
const REST_MAX: Duration = Duration::from_secs(30);
/// How often the same trouble is told again.
const TOLD_EVERY: Duration = Duration::from_secs(300);

/// Where a sink leads, and what goes there.
#[derive(Debug, Clone)]
pub struct NewSink {
    /// Its name.
    pub name: String,
    /// How the broker is reached.
    pub way: Way,
    /// What subjects begin with.
    pub prefix: String,
    /// What is published.
    pub types: Vec<EventType>,
    /// Whether records are published, or only which they are.
    pub payload: Payload,
    /// Numbers of the spaces whose events are published; none: all.
    pub spaces: BTreeSet<i64>,
    /// Whether spaces that were there before the sink begin at their beginning.
    pub is_from_start: bool,
}

impl NewSink {
    /// Whether events of a space are published.
    pub(crate) fn wants(&self, space: i64) -> bool {
        self.spaces.is_empty() || self.spaces.contains(&space)
    }

    /// Whether the broker lets this server in, and which stream takes what is published.
    ///
    /// # Errors
    /// With what is wrong.
    pub async fn reach(&self) -> Result<String, Fault> {
        let specimen = format!("{}.1.customer.created", self.prefix);
        Broker::connect(&self.name, &self.way).await?.stream_of(&specimen).await
    }
}

/// Why a holder is none any more.
#[derive(Debug)]
pub(crate) enum End {
    /// The process is to stop.
    Stopping,
    /// Somebody else has the sink, or it changed.
    Lost,
    /// The broker is away.
    Broken(Fault),
}

/// Publishes to a sink until the process is asked to stop. `notifier`: in whose words; `is_alone`:
/// whether no other process can be at work on the same data, so that whoever had the sink is gone.
pub async fn run(app: Arc<App>, sink: Arc<NewSink>, notifier: &'static Notifier, is_alone: bool) {
    let me = Uuid::new_v4();
    let mut free = Free { is_alone, seen: None };
    let (mut told, mut rest) = (Told::default(), Rest::default());
    while !app.is_stopping() {
        let pause = match turn(&app, &sink, notifier, me, (&mut free, &mut told, &mut rest)).await {
            Ok(None) => LOOK_EVERY,
            Ok(Some(End::Stopping)) => return,
            Ok(Some(End::Lost)) => {
                tracing::info!(sink = sink.name, "sink {} is looked at anew", sink.name);
                LOOK_EVERY
            }
            Ok(Some(End::Broken(fault))) => {
                told.trouble(&sink.name, &fault.to_string());
                figures::failed(&sink.name, fault.class());
                rest.after_failure()
            }
            Err(failure) => {
                told.trouble(&sink.name, &format!("the store answers {}", failure.name()));
                LOOK_EVERY
            }
        };
        let _ = tokio::time::timeout(pause, app.stopped()).await;
    }
}

/// Takes the sink where it is free, and publishes as long as it is this process's. None where it is
/// somebody else's.
async fn turn(
    app: &Arc<App>,
    sink: &Arc<NewSink>,
    notifier: &'static Notifier,
    me: Uuid,
    (free, told, rest): (&mut Free, &mut Told, &mut Rest),
) -> Result<Option<End>, Failure> {
    let before = sinks::named(app, &sink.name).await?;
    if !free.is_free(before.as_ref(), me) {
        figures::idle(&sink.name);
        return Ok(None);
    }
    if before.as_ref().is_some_and(|before| before.is_paused) {
        figures::idle(&sink.name);
        told.trouble(&sink.name, "it is paused since a restore: patron sink resume lets it go on");
        return Ok(None);
    }
    // Only who reaches the broker takes the sink: another process may.
    let broker = match Broker::connect(&sink.name, &sink.way).await {
        Ok(broker) => broker,
        Err(fault) => return Ok(Some(End::Broken(fault))),
    };
    let asked = Instant::now();
    let Some(taken) = sinks::take(app, &sink.name, before, me).await? else { return Ok(None) };
    told.good(&sink.name);
    let holding = Holding::new(app, sink, notifier, broker, (taken, asked));
    Ok(Some(holding.run(told, rest).await))
}

/// Whether a sink is free, as far as this process has seen: no two clocks are compared.
#[derive(Debug, Default)]
struct Free {
    is_alone: bool,
    seen: Option<(i64, Instant)>,
}

impl Free {
    fn is_free(&mut self, sink: Option<&Loaded<sinks::Sink>>, me: Uuid) -> bool {
        let Some(sink) = sink else { return true };
        let since = match self.seen {
            Some((revision, since)) if revision == sink.revision => since,
            _ => Instant::now(),
        };
        self.seen = Some((sink.revision, since));
        let is_ours = sink.holder.is_none_or(|holder| holder == me);
        self.is_alone || is_ours || since.elapsed() >= DEAD_AFTER
    }
}

/// How long something is left alone that fails.
#[derive(Debug, Default)]
pub(crate) struct Rest {
    last: Option<Duration>,
}

impl Rest {
    pub(crate) fn after_failure(&mut self) -> Duration {
        let next = self.last.map_or(REST_MIN, |last| (last * 2).min(REST_MAX));
        self.last = Some(next);
        next
    }

    pub(crate) fn end(&mut self) {
        self.last = None;
    }
}

/// What the log was told last: the same trouble is not told each second.
#[derive(Debug, Default)]
pub(crate) struct Told {
    last: Option<(String, Instant)>,
}

impl Told {
    pub(crate) fn trouble(&mut self, sink: &str, says: &str) {
        let is_told = |(last, at): &(String, Instant)| last == says && at.elapsed() < TOLD_EVERY;
        if !self.last.as_ref().is_some_and(is_told) {
            tracing::warn!(sink, "nothing is published to sink {sink} for now: {says}");
            self.last = Some((says.to_owned(), Instant::now()));
        }
    }

    fn good(&mut self, sink: &str) {
        self.last = None;
        tracing::info!(sink, "this server publishes to sink {sink}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_fails_rests_longer_each_time_up_to_a_bound() {
        let mut rest = Rest::default();
        let rests: Vec<u64> = (0..7).map(|_| rest.after_failure().as_secs()).collect();
        assert_eq!(rests, [1, 2, 4, 8, 16, 30, 30]);
        rest.end();
        assert_eq!(rest.after_failure(), REST_MIN);
    }

    #[test]
    fn nobody_takes_a_sink_from_a_holder_that_may_publish() {
        const { assert!(BEAT_EVERY.as_secs() < SILENT_AFTER.as_secs()) };
        const { assert!(SILENT_AFTER.as_secs() < DEAD_AFTER.as_secs()) };
        assert!(Free::default().is_free(None, Uuid::nil()), "it was never taken");
    }
}
