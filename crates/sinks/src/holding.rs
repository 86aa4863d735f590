//! What the process does whose the sink is: looks where there is something new, publishes it space
//! by space, one entry of a space after the other, and writes how far it is.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use patron_app::{
    App, documents,
    journal::Entry,
    record::Loaded,
    sinks::{self, Changes, Position, Sink},
    webhooks::{
        self, Payload,
        notifier::{Notifier, Subscription},
        telling, work,
    },
};
use patron_model::{Failure, webhook::Endpoint};
use tokio::task::JoinSet;

use crate::{BEAT_EVERY, End, Fault, NewSink, Rest, SILENT_AFTER, Told, broker::Broker, figures};

/// Spaces that are published at one time.
const AT_A_TIME: usize = 16;
/// Entries of a space read at a time.
const CHUNK: u32 = 100;
/// How often it is looked where there is something new.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Spaces that are looked at then; where there are more, in turns.
const LOOKED_AT: usize = 2_000;
/// How often it is looked whether there are new spaces.
const SPACES_EVERY: Duration = Duration::from_secs(1);
/// How often it is written how far the sink is: what is published again after a kill.
const WRITE_EVERY: Duration = Duration::from_millis(500);
/// Positions written at one time.
const WRITTEN_AT_ONCE: usize = 500;
/// How long what is under way may take at the end.
const STOP_MAX: Duration = Duration::from_secs(2);

/// When this process said last that it lives: what is published asks before each message.
#[derive(Debug, Clone)]
struct Alive(Arc<Mutex<Option<Instant>>>);

impl Alive {
    fn at(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether others may have taken the sink already, or it was given up.
    fn is_silent(&self) -> bool {
        self.at().is_none_or(|at| at.elapsed() >= SILENT_AFTER)
    }
}

/// How far the sink is in a space.
struct Place {
    /// As it was written last.
    written: Loaded<Position>,
    /// Up to where it was published.
    at: i64,
    /// Where the journal ended when it was looked at.
    head: i64,
    is_busy: bool,
    rest: Rest,
    rests_until: Option<Instant>,
}

impl Place {
    fn new(written: Loaded<Position>) -> Place {
        let at = written.position;
        Place { written, at, head: at, is_busy: false, rest: Rest::default(), rests_until: None }
    }

    fn is_ready(&self, now: Instant) -> bool {
        self.head > self.at && !self.is_busy && self.rests_until.is_none_or(|until| until <= now)
    }
}

/// What was published of a space.
struct Done {
    space: i64,
    at: i64,
    /// Whether there was nothing more.
    is_end: bool,
    trouble: Option<Trouble>,
}

/// Why no more was.
enum Trouble {
    Broker(Fault),
    Store(Failure),
}

/// What those who publish share.
struct Shared {
    app: Arc<App>,
    sink: Arc<NewSink>,
    whole: Subscription,
    thin: Subscription,
    broker: Broker,
    alive: Alive,
}

/// The sink as its holder knows it.
pub(crate) struct Holding {
    shared: Arc<Shared>,
    lease: Loaded<Sink>,
    places: BTreeMap<i64, Place>,
    busy: JoinSet<Done>,
    /// The space that was begun with last.
    turn: i64,
    /// The space that was looked at last.
    looked: i64,
    looked_at: Option<Instant>,
    /// Where the journal of the deployment ended when the spaces were listed.
    listed: Option<i64>,
    listed_at: Option<Instant>,
    written_at: Instant,
}

impl Holding {
    /// Begins with a sink that was taken, and when that was asked for.
    pub(crate) fn new(
        app: &Arc<App>,
        sink: &Arc<NewSink>,
        notifier: &'static Notifier,
        broker: Broker,
        (lease, asked): (Loaded<Sink>, Instant),
    ) -> Holding {
        let told =
            |payload| sinks::subscription(notifier, sink.types.clone(), payload, app.clock.now());
        let shared = Shared {
            app: Arc::clone(app),
            sink: Arc::clone(sink),
            whole: told(sink.payload),
            thin: told(Payload::Thin),
            broker,
            alive: Alive(Arc::new(Mutex::new(Some(asked)))),
        };
        Holding {
            shared: Arc::new(shared),
            lease,
            places: BTreeMap::new(),
            busy: JoinSet::new(),
            turn: 0,
            looked: 0,
            looked_at: None,
            listed: None,
            listed_at: None,
            written_at: Instant::now(),
        }
    }

    /// Publishes until the sink is lost, the broker is away, or the process is to stop.
    pub(crate) async fn run(mut self, told: &mut Told, rest: &mut Rest) -> End {
        match self.begin().await {
            Ok(true) => {}
            Ok(false) => return End::Lost,
            Err(failure) => {
                told.trouble(&self.shared.sink.name, failure.name());
                return End::Lost;
            }
        }
        let end = self.publish(told, rest).await;
        if !matches!(end, End::Lost) {
            self.leave().await;
        }
        *self.shared.alive.at() = None;
        figures::idle(&self.shared.sink.name);
        end
    }

    /// Reads how far the sink is; where it was never set up, spaces that are there get a position.
    async fn begin(&mut self) -> Result<bool, Failure> {
        let app = Arc::clone(&self.shared.app);
        for position in sinks::positions(&app, self.lease.number).await? {
            self.places.insert(position.space, Place::new(position));
        }
        if self.lease.is_set_up {
            return Ok(true);
        }
        let mut missing = Vec::new();
        for space in sinks::spaces(&app).await? {
            if !self.places.contains_key(&space) {
                missing.push(space);
            }
        }
        for some in missing.chunks(WRITTEN_AT_ONCE) {
            let heads = match self.shared.sink.is_from_start {
                true => BTreeMap::new(),
                false => work::heads(&app, some).await?.into_iter().collect::<BTreeMap<_, _>>(),
            };
            let head = |space: &i64| (*space, heads.get(space).copied().unwrap_or(0));
            let changes = Changes { new: some.iter().map(head).collect(), moved: Vec::new() };
            if !self.write(changes, false).await? {
                return Ok(false);
            }
        }
        let is_set_up = Sink { is_set_up: true, ..self.lease.record.clone() };
        self.write_as(is_set_up, Changes::default()).await
    }

    async fn publish(&mut self, told: &mut Told, rest: &mut Rest) -> End {
        loop {
            if self.shared.app.is_stopping() {
                return End::Stopping;
            }
            if self.shared.alive.is_silent() {
                return End::Lost;
            }
            match self.look().await {
                Ok(true) => {}
                Ok(false) => return End::Lost,
                Err(failure) => told.trouble(
                    &self.shared.sink.name,
                    &format!("the store answers {}", failure.name()),
                ),
            }
            self.begin_some();
            if self.busy.is_empty() {
                let stopped = self.shared.app.stopped();
                let _ = tokio::time::timeout(LOOK_EVERY, stopped).await;
                continue;
            }
            match tokio::time::timeout(LOOK_EVERY, self.busy.join_next()).await {
                Ok(Some(Ok(done))) => {
                    if let Some(fault) = self.take_in(done, told, rest) {
                        return End::Broken(fault);
                    }
                }
                Ok(Some(Err(_))) => return End::Lost,
                Ok(None) | Err(_) => {}
            }
        }
    }

    /// Whatever is due: spaces, heads of their journals, positions. False when the sink is lost.
    async fn look(&mut self) -> Result<bool, Failure> {
        let is_due = |at: Option<Instant>, every| at.is_none_or(|at| at.elapsed() >= every);
        if is_due(self.listed_at, SPACES_EVERY) {
            self.listed_at = Some(Instant::now());
            if !self.list().await? {
                return Ok(false);
            }
        }
        if is_due(self.looked_at, LOOK_EVERY) {
            self.looked_at = Some(Instant::now());
            self.heads().await?;
        }
        let since = self.written_at.elapsed();
        let is_moved = since >= WRITE_EVERY
            && self.places.values().any(|place| place.at > place.written.position);
        if is_moved || since >= BEAT_EVERY {
            return self.flush(false).await;
        }
        Ok(true)
    }

    /// Takes in spaces that came since: they begin at their beginning.
    async fn list(&mut self) -> Result<bool, Failure> {
        let app = Arc::clone(&self.shared.app);
        let head = app.store.head(documents::DEPLOYMENT).await;
        let head = head.map_err(Failure::internal)?;
        if self.listed == Some(head) {
            return Ok(true);
        }
        let spaces: BTreeSet<i64> = sinks::spaces(&app).await?.into_iter().collect();
        // A space that is gone took its position with it.
        self.places.retain(|space, place| spaces.contains(space) || place.is_busy);
        let new: Vec<(i64, i64)> = spaces
            .iter()
            .filter(|space| !self.places.contains_key(space))
            .map(|space| (*space, 0))
            .collect();
        for some in new.chunks(WRITTEN_AT_ONCE) {
            let changes = Changes { new: some.to_vec(), moved: Vec::new() };
            if !self.write(changes, false).await? {
                return Ok(false);
            }
        }
        self.listed = Some(head);
        Ok(true)
    }

    /// Looks where the journals end, of some spaces after those of the last look.
    async fn heads(&mut self) -> Result<(), Failure> {
        let wanted = |(space, place): (&i64, &Place)| {
            (self.shared.sink.wants(*space) && !place.is_busy).then_some(*space)
        };
        let behind = (Bound::Excluded(self.looked), Bound::Unbounded);
        let spaces: Vec<i64> =
            self.places.range(behind).filter_map(wanted).take(LOOKED_AT).collect();
        self.looked = match spaces.len() == LOOKED_AT {
            true => spaces.last().copied().unwrap_or(0),
            false => 0,
        };
        if !spaces.is_empty() {
            for (space, head) in work::heads(&self.shared.app, &spaces).await? {
                if let Some(place) = self.places.get_mut(&space) {
                    place.head = head;
                }
            }
        }
        let behind = |(space, place): (&i64, &Place)| match self.shared.sink.wants(*space) {
            true => place.head - place.at,
            false => 0,
        };
        let behind = self.places.iter().map(behind).sum();
        figures::holds(&self.shared.sink.name, behind);
        Ok(())
    }

    /// Begins with spaces that have something new, each in its turn.
    fn begin_some(&mut self) {
        let now = Instant::now();
        let after = (Bound::Excluded(self.turn), Bound::Unbounded);
        let ready = |(space, place): (&i64, &Place)| {
            (place.is_ready(now) && self.shared.sink.wants(*space)).then_some(*space)
        };
        let left = AT_A_TIME.saturating_sub(self.busy.len());
        let begun: Vec<i64> = self
            .places
            .range(after)
            .chain(self.places.range(..=self.turn))
            .filter_map(ready)
            .take(left)
            .collect();
        for space in begun {
            self.turn = space;
            if let Some(place) = self.places.get_mut(&space) {
                place.is_busy = true;
                self.busy.spawn(publish_some(Arc::clone(&self.shared), space, place.at));
            }
        }
    }

    /// Takes in what was published. A fault that is not this space's alone ends it all.
    fn take_in(&mut self, done: Done, told: &mut Told, rest: &mut Rest) -> Option<Fault> {
        let name = &self.shared.sink.name;
        let place = self.places.get_mut(&done.space)?;
        place.is_busy = false;
        if done.at > place.at {
            place.at = done.at;
            place.rest.end();
            rest.end();
        }
        if done.is_end {
            place.head = place.head.min(place.at);
        }
        match done.trouble {
            None => None,
            Some(Trouble::Broker(fault @ Fault::Away(..))) => Some(fault),
            Some(Trouble::Broker(fault)) => {
                figures::failed(name, fault.class());
                told.trouble(name, &fault.to_string());
                place.rests_until = Some(Instant::now() + place.rest.after_failure());
                None
            }
            Some(Trouble::Store(failure)) => {
                told.trouble(name, &format!("the store answers {}", failure.name()));
                place.rests_until = Some(Instant::now() + place.rest.after_failure());
                None
            }
        }
    }

    /// Writes how far the sink is. False when it is lost.
    async fn flush(&mut self, is_last: bool) -> Result<bool, Failure> {
        let moved = |place: &Place| {
            (place.at > place.written.position).then(|| (place.written.clone(), place.at))
        };
        let moved: Vec<_> = self.places.values().filter_map(moved).collect();
        let mut some = moved.chunks(WRITTEN_AT_ONCE).peekable();
        loop {
            let moved = some.next().map(<[_]>::to_vec).unwrap_or_default();
            let is_over = some.peek().is_none();
            let changes = Changes { new: Vec::new(), moved };
            if !self.write(changes, is_last && is_over).await? {
                return Ok(false);
            }
            if is_over {
                return Ok(true);
            }
        }
    }

    async fn write(&mut self, changes: Changes, is_last: bool) -> Result<bool, Failure> {
        let mut after = self.lease.record.clone();
        if is_last {
            after.holder = None;
        }
        self.write_as(after, changes).await
    }

    async fn write_as(&mut self, after: Sink, changes: Changes) -> Result<bool, Failure> {
        // Asked before: what takes long must not look younger than it is.
        let asked = Instant::now();
        let written = sinks::write(&self.shared.app, &self.lease, after, changes).await?;
        let Some((lease, positions)) = written else { return Ok(false) };
        self.lease = lease;
        *self.shared.alive.at() = Some(asked);
        self.written_at = asked;
        for position in positions {
            match self.places.get_mut(&position.space) {
                Some(place) => place.written = position,
                None => {
                    self.places.insert(position.space, Place::new(position));
                }
            }
        }
        Ok(true)
    }

    /// Writes how far it is, and lets go of the sink, so that others need not wait.
    async fn leave(&mut self) {
        // Whoever publishes stops before the next message.
        let alive = self.shared.alive.at().take();
        let until = tokio::time::Instant::now() + STOP_MAX;
        while let Ok(Some(done)) = tokio::time::timeout_at(until, self.busy.join_next()).await {
            if let Ok(done) = done
                && let Some(place) = self.places.get_mut(&done.space)
            {
                place.at = place.at.max(done.at);
            }
        }
        self.busy.abort_all();
        *self.shared.alive.at() = alive;
        match tokio::time::timeout_at(until, self.flush(true)).await {
            Ok(Ok(_)) => {}
            Ok(Err(failure)) => {
                let (sink, failure) = (&self.shared.sink.name, failure.name());
                tracing::warn!(sink, failure, "how far sink {sink} is could not be written");
            }
            Err(_) => {}
        }
    }
}

/// Publishes what follows in a space, one after the other: the next goes only once a stream has the
/// one before, so the order is that of the commits whatever breaks.
async fn publish_some(shared: Arc<Shared>, space: i64, after: i64) -> Done {
    let mut done = Done { space, at: after, is_end: false, trouble: None };
    let entries = match work::entries(&shared.app, space, after, CHUNK).await {
        Ok(entries) => entries,
        Err(failure) => return Done { trouble: Some(Trouble::Store(failure)), ..done },
    };
    done.is_end = entries.len() < CHUNK as usize;
    for entry in entries {
        if shared.alive.is_silent() {
            return Done { is_end: false, ..done };
        }
        if telling::is_wanted(&shared.whole, &entry)
            && let Err(trouble) = one(&shared, &entry).await
        {
            return Done { is_end: false, trouble: Some(trouble), ..done };
        }
        done.at = entry.seq;
    }
    done
}

/// Publishes an entry; thin where its record is longer than the broker takes.
async fn one(shared: &Shared, entry: &Entry) -> Result<(), Trouble> {
    let subject = subject_of(&shared.sink.prefix, entry);
    match told(shared, &shared.whole, entry, &subject).await {
        Err(Trouble::Broker(Fault::TooLong)) if !is_thin(&shared.whole) => {
            told(shared, &shared.thin, entry, &subject).await
        }
        other => other,
    }
}

fn is_thin(endpoint: &Endpoint) -> bool {
    endpoint.payload == Payload::Thin
}

async fn told(
    shared: &Shared,
    whom: &Subscription,
    entry: &Entry,
    subject: &str,
) -> Result<(), Trouble> {
    let id = telling::id_of(entry);
    let bodies = telling::bodies(&shared.app, whom, entry, 0).await.map_err(Trouble::Store)?;
    for body in bodies {
        let published = shared.broker.publish(subject, &id, Bytes::from(body)).await;
        let is_repeated = published.map_err(Trouble::Broker)?;
        figures::published(&shared.sink.name, is_repeated);
    }
    Ok(())
}

/// `patron.<space>.<noun>.<action>`.
fn subject_of(prefix: &str, entry: &Entry) -> String {
    let told = webhooks::told(&documents::word(entry), &entry.action);
    format!("{prefix}.{}.{told}", entry.tenant)
}
