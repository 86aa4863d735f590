//! Looks around: which endpoints there are, which of them are this node's, what other processes
//! have written. A task of its own, so that nothing it waits for keeps deliveries waiting.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use patron_app::{
    Loaded,
    webhooks::{
        notifier::Subscription,
        work::{self, Node},
    },
};
use patron_model::{Failure, webhook::Endpoint};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

use crate::{
    core::Event,
    engine::{Options, Shared, cancel},
    nodes::{BEAT_EVERY, DEAD_AFTER, Nodes, SILENT_AFTER},
    replay,
};

/// How often a node that may have company looks around.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How often one that is alone does: other processes may write to the file.
const LOOK_EVERY_ALONE: Duration = Duration::from_millis(250);
/// How often deliveries that are over are looked through for old ones.
const SWEEP_EVERY: Duration = Duration::from_secs(3_600);
/// Deliveries removed in one transaction.
const FORGOTTEN_AT_ONCE: u32 = 500;
/// Endpoints taken at one time.
const TAKEN_AT_ONCE: usize = 32;
/// Days that what was delivered is kept at most.
const DELIVERED_DAYS_MAX: i64 = 7;
const SECONDS_PER_DAY: i64 = 24 * 3600;

/// The task that looks around.
pub(crate) struct Look {
    lost: mpsc::UnboundedSender<i64>,
    seen_alive: Arc<Alive>,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

/// When this node was last known to others to live.
struct Alive {
    is_alone: bool,
    beat: Mutex<Option<(Instant, Loaded<Node>)>>,
}

impl Alive {
    fn beat(&self) -> std::sync::MutexGuard<'_, Option<(Instant, Loaded<Node>)>> {
        self.beat.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Look {
    pub(crate) fn new(shared: &Arc<Shared>, options: Options) -> Look {
        let (lost, losses) = mpsc::unbounded_channel();
        let seen_alive = Arc::new(Alive { is_alone: options.is_alone, beat: Mutex::default() });
        let around = Around {
            shared: Arc::clone(shared),
            alive: Arc::clone(&seen_alive),
            options,
            count: None,
            known: BTreeMap::new(),
            mine: BTreeSet::new(),
            nodes: Nodes::default(),
            wanted: HashMap::new(),
            replaying: HashMap::new(),
            heads: HashMap::new(),
            swept_at: None,
        };
        let task = tokio::spawn(around.run(losses));
        Look { lost, seen_alive, shared: Arc::clone(shared), task }
    }

    /// Whether others may take this node for dead, so that it must send nothing.
    pub(crate) fn is_silent(&self) -> bool {
        let is_late = |beat: &(Instant, Loaded<Node>)| beat.0.elapsed() >= SILENT_AFTER;
        !self.seen_alive.is_alone && self.seen_alive.beat().as_ref().is_none_or(is_late)
    }

    /// An endpoint was lost to somebody, or changed under this node: it is looked at anew.
    pub(crate) fn again(&self, lane: i64) {
        let _ = self.lost.send(lane);
    }

    /// Takes nothing any more.
    pub(crate) fn end(&self) {
        self.task.abort();
    }

    /// Says that this node is gone, so that others need not wait for it.
    pub(crate) async fn leave(self) {
        let beat = self.seen_alive.beat().take();
        if let Some((_, node)) = beat {
            let left = work::leave(&self.shared.app, node.number(), node.revision).await;
            if let Err(failure) = left {
                tracing::warn!(failure = failure.name(), "this node could not take leave");
            }
        }
    }
}

/// What the task knows.
struct Around {
    shared: Arc<Shared>,
    alive: Arc<Alive>,
    options: Options,
    /// Changes of endpoints taken in so far.
    count: Option<i64>,
    /// Endpoints that are told something.
    known: BTreeMap<i64, Arc<Subscription>>,
    /// Those this node works for.
    mine: BTreeSet<i64>,
    nodes: Nodes,
    /// Since when this node is to have endpoints that another one still has.
    wanted: HashMap<i64, Instant>,
    /// What moves their replays.
    replaying: HashMap<i64, JoinHandle<()>>,
    /// Where the journals of their spaces ended.
    heads: HashMap<i64, i64>,
    swept_at: Option<Instant>,
}

impl Around {
    async fn run(mut self, mut losses: mpsc::UnboundedReceiver<i64>) {
        let every = if self.options.is_alone { LOOK_EVERY_ALONE } else { LOOK_EVERY };
        let mut is_away = false;
        loop {
            while let Ok(lane) = losses.try_recv() {
                self.mine.remove(&lane);
            }
            match self.look().await {
                Ok(()) => is_away = false,
                Err(failure) if !is_away => {
                    is_away = true;
                    let failure = failure.name();
                    tracing::warn!(failure, "webhook endpoints cannot be looked at for now");
                }
                Err(_) => {}
            }
            tokio::time::sleep(every).await;
        }
    }

    async fn look(&mut self) -> Result<(), Failure> {
        if !self.options.is_alone {
            self.beat().await?;
        }
        self.changes().await?;
        self.share().await?;
        self.news().await?;
        if self.swept_at.is_none_or(|at| at.elapsed() >= SWEEP_EVERY) {
            self.sweep().await?;
            self.swept_at = Some(Instant::now());
        }
        Ok(())
    }

    /// Says that this node lives, and looks who else does.
    async fn beat(&mut self) -> Result<(), Failure> {
        let app = Arc::clone(&self.shared.app);
        let app = app.as_ref();
        if self.was_late() {
            return self.give_up().await;
        }
        let known = self.alive.beat().clone();
        let is_due = known.as_ref().is_none_or(|(at, _)| at.elapsed() >= BEAT_EVERY);
        if is_due {
            // Asked before: what takes long must not look younger than it is.
            let asked = Instant::now();
            let next = match &known {
                Some((_, node)) => work::beat(app, node).await?,
                None => Some(work::join(app).await?),
            };
            if next.is_none() {
                // Taken for dead: whatever it worked for may be somebody else's.
                self.drop_all();
            }
            *self.alive.beat() = next.map(|node| (asked, node));
        }
        let nodes = work::nodes(app).await?;
        let now = Instant::now();
        self.nodes.look(&nodes, now);
        for (number, revision) in self.nodes.buried(now) {
            work::leave(app, number, revision).await?;
        }
        Ok(())
    }

    /// Whether this node said for so long nothing that others may have taken what it works for.
    fn was_late(&self) -> bool {
        self.alive.beat().as_ref().is_some_and(|(at, _)| at.elapsed() >= SILENT_AFTER)
    }

    /// Lets go of everything, as a node that is gone. A beat would only say that it lives again,
    /// and it would go on with what is somebody else's; it joins anew with the next look.
    async fn give_up(&mut self) -> Result<(), Failure> {
        self.drop_all();
        let late = self.alive.beat().take();
        match late {
            Some((_, node)) => work::leave(&self.shared.app, node.number(), node.revision).await,
            None => Ok(()),
        }
    }

    fn drop_all(&mut self) {
        for lane in std::mem::take(&mut self.mine) {
            self.shared.tell(Event::Dropped { lane });
        }
    }

    /// Takes in endpoints that were made or changed.
    async fn changes(&mut self) -> Result<(), Failure> {
        let app = Arc::clone(&self.shared.app);
        let Some(roll) = work::changes(&app).await? else { return Ok(()) };
        if self.count == Some(roll.count) {
            return Ok(());
        }
        match self.count.and_then(|count| roll.since(count)) {
            Some(changed) => {
                for (space, number) in changed {
                    if let Some(endpoint) = work::endpoint(&app, *space, *number).await? {
                        self.take_in(endpoint.record).await?;
                    }
                }
            }
            None => {
                let all = work::active(&app).await?;
                let numbers: BTreeSet<i64> = all.iter().map(|endpoint| endpoint.number).collect();
                self.known.retain(|number, _| numbers.contains(number));
                for endpoint in all {
                    self.take_in(endpoint).await?;
                }
            }
        }
        self.count = Some(roll.count);
        Ok(())
    }

    async fn take_in(&mut self, endpoint: Endpoint) -> Result<(), Failure> {
        let number = endpoint.number;
        let is_mine = self.mine.contains(&number);
        if !endpoint.is_told() {
            self.known.remove(&number);
            if self.mine.remove(&number) {
                self.shared.tell(Event::Dropped { lane: number });
                tokio::spawn(cancel(Arc::clone(&self.shared.app), endpoint));
            }
            return Ok(());
        }
        let endpoint = match Subscription::of(&self.shared.app, endpoint) {
            Ok(endpoint) => Arc::new(endpoint),
            // An API that this program does not serve: whoever does tells it.
            Err(_) => return Ok(()),
        };
        if is_mine {
            let (_, next_due) = work::retrying(&self.shared.app, endpoint.space, number).await?;
            self.shared.tell(Event::Changed { endpoint: Arc::clone(&endpoint), next_due });
            // It may have been asked for a replay.
            self.replay(&endpoint);
        }
        self.known.insert(number, endpoint);
        Ok(())
    }

    /// Takes what is this node's and lets go of what is not.
    async fn share(&mut self) -> Result<(), Failure> {
        let me = self.alive.beat().as_ref().map_or(0, |(_, node)| node.number());
        let now = Instant::now();
        let is_alone = self.options.is_alone;
        let is_mine = |number: i64| is_alone || me > 0 && self.nodes.owner(number, now) == Some(me);
        let known = |number: &i64| self.known.contains_key(number);
        let strange: Vec<i64> =
            self.mine.iter().copied().filter(|n| !known(n) || !is_mine(*n)).collect();
        let wanted: Vec<Arc<Subscription>> = self
            .known
            .values()
            .filter(|endpoint| !self.mine.contains(&endpoint.number) && is_mine(endpoint.number))
            .cloned()
            .collect();
        for lane in strange {
            self.mine.remove(&lane);
            self.shared.tell(Event::Dropped { lane });
        }
        let mine = &self.mine;
        self.replaying.retain(|number, task| {
            let goes_on = mine.contains(number) && !task.is_finished();
            if !goes_on {
                task.abort();
            }
            goes_on
        });
        self.wanted.retain(|number, _| wanted.iter().any(|endpoint| endpoint.number == *number));
        for some in wanted.chunks(TAKEN_AT_ONCE) {
            let mut taking = JoinSet::new();
            for endpoint in some {
                let (shared, endpoint) = (Arc::clone(&self.shared), Arc::clone(endpoint));
                let since = *self.wanted.entry(endpoint.number).or_insert(now);
                // Who lives and still has it was asked to let go of it; one that forgot does not.
                let is_late = now.duration_since(since) >= DEAD_AFTER;
                let alive = if is_late { Vec::new() } else { self.nodes.alive(now) };
                taking.spawn(async move { take(&shared, endpoint, me, &alive).await });
            }
            while let Some(taken) = taking.join_next().await {
                if let Ok(taken) = taken
                    && let Some((number, event)) = taken?
                {
                    self.mine.insert(number);
                    self.shared.tell(event);
                    if let Some(endpoint) = self.known.get(&number).cloned() {
                        self.replay(&endpoint);
                    }
                }
            }
        }
        Ok(())
    }

    /// Moves the replay of an endpoint on, if it has one.
    fn replay(&mut self, endpoint: &Arc<Subscription>) {
        let (shared, endpoint) = (Arc::clone(&self.shared), Arc::clone(endpoint));
        let number = endpoint.number;
        let task = tokio::spawn(replay::run(shared, endpoint));
        if let Some(before) = self.replaying.insert(number, task) {
            before.abort();
        }
    }

    /// Tells of spaces in which other processes have written.
    async fn news(&mut self) -> Result<(), Failure> {
        let of_mine = self.mine.iter().filter_map(|number| self.known.get(number));
        let spaces: BTreeSet<i64> = of_mine.map(|endpoint| endpoint.space).collect();
        if spaces.is_empty() {
            return Ok(());
        }
        let spaces: Vec<i64> = spaces.into_iter().collect();
        let heads: HashMap<i64, i64> =
            work::heads(&self.shared.app, &spaces).await?.into_iter().collect();
        for (space, head) in &heads {
            if self.heads.get(space) != Some(head) {
                self.shared.tell(Event::News { space: *space });
            }
        }
        self.heads = heads;
        Ok(())
    }

    /// Removes deliveries that are over and old.
    async fn sweep(&mut self) -> Result<(), Failure> {
        let app = &self.shared.app;
        let now = app.clock.now();
        let days = self.options.keep_days;
        let before = |days: i64| now.plus_seconds(-days * SECONDS_PER_DAY);
        let before = (before(days.min(DELIVERED_DAYS_MAX)), before(days));
        let of_mine = self.mine.iter().filter_map(|number| self.known.get(number));
        let spaces: BTreeSet<i64> = of_mine.map(|endpoint| endpoint.space).collect();
        for space in spaces {
            while work::forget(app, space, before, FORGOTTEN_AT_ONCE).await?
                == FORGOTTEN_AT_ONCE as usize
            {
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }
}

/// Takes an endpoint, unless a node that lives still works for it.
async fn take(
    shared: &Arc<Shared>,
    endpoint: Arc<Subscription>,
    me: i64,
    alive: &[i64],
) -> Result<Option<(i64, Event)>, Failure> {
    let app = &shared.app;
    let (space, number) = (endpoint.space, endpoint.number);
    let Some(cursor) = work::cursor(app, space, number).await? else {
        tracing::error!(endpoint = number, "a webhook endpoint has no cursor");
        return Ok(None);
    };
    if cursor.node != me && alive.contains(&cursor.node) {
        return Ok(None);
    }
    let Some(cursor) = work::take(app, &cursor, me).await? else { return Ok(None) };
    let retrying = work::retrying(app, space, number).await?;
    let cursor = Box::new(cursor);
    Ok(Some((number, Event::Taken { endpoint, cursor, retrying })))
}
