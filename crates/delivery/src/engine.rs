//! The engine: does what the core decides, and tells it what happened.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use patron_app::{
    App,
    journal::Entry,
    webhooks::{
        carrier::Posted,
        deliveries,
        notifier::Subscription,
        secrets::{self, Keys},
        telling, work,
    },
};
use patron_model::{
    Failure, Timestamp,
    webhook::{Endpoint, EndpointReason, EndpointState},
};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::{
    core::{Action, Bounds, CHUNK, Core, Event},
    figures,
    lane::{Outcome, Verdict, What, is_good},
    look::Look,
};

/// Events taken in at one go.
const EVENTS_MAX: usize = 256;
/// How long the engine sleeps at most: the clock may be moved under it.
const SLEEP_MAX: Duration = Duration::from_millis(250);
/// How often news of a space are passed on, at most.
const NEWS_EVERY: Duration = Duration::from_millis(5);
/// How long results may take to be written at the end.
const STOP_MAX: Duration = Duration::from_millis(1_000);
/// How often figures are set.
const TELL_EVERY: Duration = Duration::from_millis(500);
/// How long what requests are made with is remembered.
const KEYS_FOR: Duration = Duration::from_secs(10);
/// How long after a failure pausing an endpoint is tried again.
const STOP_AGAIN: Duration = Duration::from_secs(5);

/// How a node delivers.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Whether no other node can be at work on the same data.
    pub is_alone: bool,
    /// Days that deliveries which are over are kept; delivered ones 7 at most.
    pub keep_days: i64,
}

/// What requests of an endpoint are made with.
struct Known {
    version: i64,
    /// When it was read: keys end, and are replaced, without a word to the endpoints.
    at: Instant,
    keys: Arc<Keys>,
}

/// What the tasks of an engine share.
pub(crate) struct Shared {
    pub(crate) app: Arc<App>,
    /// What requests are made with, by endpoint and version.
    keys: Mutex<HashMap<i64, Known>>,
    events: mpsc::UnboundedSender<Event>,
}

/// An engine that runs.
pub struct Engine {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Engine {
    /// Begins to deliver. What carries requests out, and how each API tells what happened, was said
    /// to the app before.
    pub fn start(app: &Arc<App>, options: Options) -> Engine {
        figures::describe();
        // Every task sends one event and is bounded by the core; so the channel is.
        let (events, told) = mpsc::unbounded_channel();
        let shared = Shared { app: Arc::clone(app), keys: Mutex::default(), events };
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(run(Arc::new(shared), told, options, stopped));
        Engine { stop, task }
    }

    /// Ends it: what came of its work so far is written, what is under way is left to be repeated.
    pub async fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}

fn now(app: &App) -> i64 {
    app.clock.now().micros()
}

/// The state of the loop.
struct Running {
    shared: Arc<Shared>,
    core: Core,
    look: Look,
    watchers: BTreeMap<i64, JoinHandle<()>>,
    told_at: Instant,
}

async fn run(
    shared: Arc<Shared>,
    mut told: mpsc::UnboundedReceiver<Event>,
    options: Options,
    mut stopped: oneshot::Receiver<()>,
) {
    let core = Core::new(Bounds::default(), rand::random());
    let look = Look::new(&shared, options);
    let (watchers, told_at) = (BTreeMap::new(), Instant::now());
    let mut running = Running { shared, core, look, watchers, told_at };
    loop {
        let pause = running.pause();
        tokio::select! {
            event = told.recv() => match event {
                Some(event) => running.take_in(event, &mut told),
                None => break,
            },
            () = tokio::time::sleep(pause) => running.act(vec![Event::Tick]),
            _ = &mut stopped => break,
        }
    }
    running.finish(&mut told).await;
}

impl Running {
    /// How long until the core has to be told of the time.
    fn pause(&self) -> Duration {
        let Some(at) = self.core.wakes_at() else { return SLEEP_MAX };
        let left = u64::try_from(at - now(&self.shared.app)).unwrap_or(0);
        Duration::from_micros(left).clamp(Duration::from_millis(1), SLEEP_MAX)
    }

    /// Tells the core of an event and of what else is there already.
    fn take_in(&mut self, first: Event, told: &mut mpsc::UnboundedReceiver<Event>) {
        let mut events = vec![first];
        while events.len() < EVENTS_MAX {
            match told.try_recv() {
                Ok(event) => events.push(event),
                Err(_) => break,
            }
        }
        self.act(events);
    }

    fn act(&mut self, events: Vec<Event>) {
        self.core.pause(self.look.is_silent());
        let mut results = Vec::new();
        for event in events {
            for action in self.core.handle(now(&self.shared.app), event) {
                match action {
                    Action::Flush { lane, epoch, results: one } => {
                        results.push((lane, epoch, *one));
                    }
                    Action::Reload { lane } => self.look.again(lane),
                    other => perform(&self.shared, other),
                }
            }
        }
        if !results.is_empty() {
            tokio::spawn(flush(Arc::clone(&self.shared), results));
        }
        self.watch();
        if self.told_at.elapsed() >= TELL_EVERY {
            self.told_at = Instant::now();
            figures::set(&self.core);
            self.shared.forget_keys(&self.core);
        }
    }

    /// Watches the spaces of the endpoints this node works for, and no others.
    fn watch(&mut self) {
        if self.core.space_count() == self.watchers.len() {
            return;
        }
        let spaces = self.core.spaces();
        self.watchers.retain(|space, task| {
            let is_needed = spaces.contains(space);
            if !is_needed {
                task.abort();
            }
            is_needed
        });
        for space in spaces {
            let shared = &self.shared;
            let task = || tokio::spawn(news(Arc::clone(shared), space));
            self.watchers.entry(space).or_insert_with(task);
        }
    }

    /// Writes what is to be written, and leaves.
    async fn finish(mut self, told: &mut mpsc::UnboundedReceiver<Event>) {
        self.look.end();
        let lanes: Vec<i64> = self.core.lanes().map(|(number, _)| number).collect();
        self.act(lanes.into_iter().map(|lane| Event::Dropped { lane }).collect());
        let until = tokio::time::Instant::now() + STOP_MAX;
        while self.core.lanes().next().is_some() {
            match tokio::time::timeout_at(until, told.recv()).await {
                Ok(Some(event)) => self.take_in(event, told),
                Ok(None) | Err(_) => break,
            }
        }
        self.watchers.values().for_each(JoinHandle::abort);
        self.look.leave().await;
    }
}

impl Shared {
    pub(crate) fn tell(&self, event: Event) {
        // Nobody listens when the engine has ended.
        let _ = self.events.send(event);
    }

    async fn keys(&self, endpoint: &Subscription) -> Result<Arc<Keys>, Failure> {
        let known = || self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let (number, version) = (endpoint.number, endpoint.version);
        let is_good = |known: &&Known| known.version == version && known.at.elapsed() < KEYS_FOR;
        if let Some(known) = known().get(&number).filter(is_good) {
            return Ok(Arc::clone(&known.keys));
        }
        let at = Instant::now();
        let keys = Arc::new(secrets::keys(&self.app, endpoint).await?);
        known().insert(number, Known { version, at, keys: Arc::clone(&keys) });
        Ok(keys)
    }

    fn forget_keys(&self, core: &Core) {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.retain(|number, _| core.has(*number));
    }
}

/// Passes on that there is something new in a space.
async fn news(shared: Arc<Shared>, space: i64) {
    let mut news = shared.app.store.watch(space);
    shared.tell(Event::News { space });
    while news.changed().await.is_ok() {
        shared.tell(Event::News { space });
        tokio::time::sleep(NEWS_EVERY).await;
    }
}

fn perform(shared: &Arc<Shared>, action: Action) {
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        match action {
            Action::Read { space, after } => {
                let entries = work::entries(&shared.app, space, after, CHUNK).await.ok();
                let entries = entries.map(|all| all.into_iter().map(Arc::new).collect());
                shared.tell(Event::Entries { space, after, entries });
            }
            Action::Due { lane, epoch, space, limit } => {
                // What is due later is among them, so that it is known when.
                let rows = work::due(&shared.app, space, lane, i64::MAX, limit).await.ok();
                shared.tell(Event::Due { lane, epoch, rows, limit });
            }
            Action::Open { lane, epoch, space } => {
                let open = work::open(&shared.app, space, lane).await.ok();
                shared.tell(Event::Open { lane, epoch, open });
            }
            Action::Held { lane, epoch, space, seqs } => {
                let rows = work::at(&shared.app, space, lane, &seqs).await.ok();
                shared.tell(Event::Held { lane, epoch, seqs, rows });
            }
            Action::Attempt { endpoint, epoch, what, gap } => {
                let event = attempt(&shared, &endpoint, epoch, what, gap).await;
                shared.tell(event);
            }
            Action::Stop { lane, space, verdict } => stop(&shared, space, lane, verdict).await,
            Action::Flush { .. } | Action::Reload { .. } => {}
        }
    });
}

/// Writes results of several endpoints at once.
async fn flush(shared: Arc<Shared>, results: Vec<(i64, u64, work::Results)>) {
    let (whose, results): (Vec<_>, Vec<_>) =
        results.into_iter().map(|(lane, epoch, one)| ((lane, epoch), one)).unzip();
    let flushed = work::flush(&shared.app, &results).await;
    for ((lane, epoch), result) in whose.into_iter().zip(flushed) {
        shared.tell(Event::Flushed { lane, epoch, result });
    }
}

async fn attempt(
    shared: &Arc<Shared>,
    endpoint: &Arc<Subscription>,
    epoch: u64,
    what: What,
    gap: Option<i64>,
) -> Event {
    let started = now(&shared.app);
    let outcome = match made(shared, endpoint, &what, gap, started).await {
        Ok(outcome) => Some(outcome),
        Err(failure) => {
            tracing::warn!(
                endpoint = endpoint.number,
                seq = what.seq(),
                failure = failure.name(),
                "an attempt to deliver could not be made"
            );
            None
        }
    };
    if let Some(outcome) = outcome {
        figures::attempted(outcome, now(&shared.app) - started);
        figures::count(&shared.app, endpoint.space, outcome);
    }
    let (lane, space) = (endpoint.number, endpoint.space);
    Event::Attempted { space, lane, epoch, what, started, outcome }
}

async fn made(
    shared: &Arc<Shared>,
    endpoint: &Arc<Subscription>,
    what: &What,
    gap: Option<i64>,
    started: i64,
) -> Result<Outcome, Failure> {
    let app = &shared.app;
    let (entry, nth): (Option<Arc<Entry>>, i64) = match what {
        What::First { entry, nth } => (Some(Arc::clone(entry)), *nth),
        What::Again(delivery) => {
            let entry = work::entry(app, endpoint.space, delivery.seq).await?;
            (entry.map(Arc::new), delivery.nth)
        }
    };
    let Some(entry) = entry else { return Ok(Outcome::Withheld) };
    let bodies = telling::bodies(app, endpoint, &entry, nth).await?;
    let mut outcome = Outcome::Withheld;
    if bodies.is_empty() {
        return Ok(outcome);
    }
    let keys = shared.keys(endpoint).await?;
    let at = Timestamp::from_micros(started);
    let within = Duration::from_secs(u64::try_from(endpoint.timeout_seconds).unwrap_or(1));
    // One after the other; after one that fails all of them come again.
    for body in bodies {
        let mut headers = keys.headers(endpoint, &telling::id_of(&entry), at, &body)?;
        headers.extend(gap.map(|seq| ("patron-gap".to_owned(), seq.to_string())));
        let posted = Posted { url: endpoint.url.clone(), headers, body, within };
        outcome = match app.carrier()?.post(&posted).await {
            Ok(answer) => {
                let wait = answer.retry_after.map(|wait| i64::try_from(wait.as_micros()));
                Outcome::Answered(answer.status, wait.map(|wait| wait.unwrap_or(i64::MAX)))
            }
            Err(class) => Outcome::Fault(class),
        };
        if !is_good(outcome) {
            break;
        }
    }
    Ok(outcome)
}

/// Pauses or ends an endpoint, however long the store is away.
async fn stop(shared: &Arc<Shared>, space: i64, lane: i64, verdict: Verdict) {
    let reason = match verdict {
        Verdict::GoOn => return,
        Verdict::Ended => EndpointReason::Gone,
        Verdict::Failing => EndpointReason::Failing,
    };
    let cx = shared.app.operator(space, "webhooks");
    tracing::warn!(
        endpoint = lane,
        space,
        reason = reason.as_str(),
        "a webhook endpoint is paused"
    );
    while let Err(failure) = patron_app::webhooks::pause(&cx, lane, reason).await {
        if let Failure::NotFound { .. } = failure {
            return;
        }
        tokio::time::sleep(STOP_AGAIN).await;
    }
}

/// Cancels what is still to be tried at an endpoint that is told nothing any more.
pub(crate) async fn cancel(app: Arc<App>, endpoint: Endpoint) {
    let is_over = matches!(endpoint.state, EndpointState::Ended | EndpointState::Deleted);
    if !is_over {
        return;
    }
    if let Err(failure) = deliveries::cancel(&app, endpoint.space, endpoint.number).await {
        tracing::warn!(
            endpoint = endpoint.number,
            failure = failure.name(),
            "deliveries of an endpoint that is gone could not be cancelled"
        );
    }
}
