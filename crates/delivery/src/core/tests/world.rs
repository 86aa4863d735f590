//! The world that the engine is tried in.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

use patron_app::webhooks::{
    EventType,
    deliveries::uuid_of,
    listening::Listening,
    notifier::{Notifier, Schedule, SignsWith},
    work::Written,
};
use patron_model::{
    Identity, Permissions, Timestamp,
    webhook::{Endpoint, EndpointState, Order},
};

use super::super::*;
use crate::lane::{MS, SECOND, WAITING_MAX};

pub(super) const SPACES: i64 = 3;
/// Records that entries hang on.
pub(super) const SUBJECTS: i64 = 5;
pub(super) const HOUR: i64 = 3_600 * SECOND;

/// What a receiver does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Manner {
    /// It answers well.
    Good,
    /// It answers 500 so many times of a hundred, after it took what came.
    Fails(u32),
    /// It answers 500 to whatever hangs on one record.
    Refuses(i64),
    /// It does not answer.
    Hangs,
    /// It asks to come back later.
    Busy,
}

/// A step of the world.
pub(super) enum Step {
    /// A change is committed.
    Commit(i64),
    /// A node takes in what it asked for, unless it was killed meanwhile.
    Told(usize, u64, Event),
    /// A node looks around.
    Look(usize, u64),
    /// It is told of the time.
    Tick(usize, u64),
    Kill(usize),
    Start(usize),
    /// It stands still for so long, and does not know it.
    Stand(usize, i64),
    /// The store is away, or back.
    Store(bool),
    /// A receiver changes its manner.
    Manner(i64, Manner),
}

pub(super) struct Node {
    pub(super) core: Core,
    pub(super) life: u64,
    pub(super) is_alive: bool,
    pub(super) stands_until: i64,
    /// What others take it to be.
    pub(super) is_seen: bool,
    pub(super) mine: HashSet<i64>,
    pub(super) wanted: HashMap<i64, i64>,
    pub(super) wakes: Option<i64>,
}

/// The world.
pub(super) struct World {
    pub(super) seed: u64,
    pub(super) chance: SmallRng,
    pub(super) now: i64,
    pub(super) order: u64,
    pub(super) steps: BinaryHeap<Reverse<(i64, u64)>>,
    pub(super) step_of: HashMap<u64, Step>,
    pub(super) nodes: Vec<Node>,
    pub(super) lives: u64,
    pub(super) endpoints: Vec<Arc<Subscription>>,
    pub(super) manners: HashMap<i64, Manner>,
    pub(super) journals: HashMap<i64, Vec<Arc<Entry>>>,
    pub(super) cursors: HashMap<i64, Loaded<Cursor>>,
    pub(super) rows: HashMap<(i64, i64), Loaded<Delivery>>,
    pub(super) is_store_away: bool,
    /// Endpoint, position: which nth it was said to be, and whether it was taken.
    pub(super) arrived: HashMap<(i64, i64), i64>,
    pub(super) taken: HashSet<(i64, i64)>,
    /// Endpoint, position: what was said to have been given up before it.
    pub(super) gaps: HashMap<(i64, i64), Option<i64>>,
    /// Endpoint, record: position of what came last.
    pub(super) in_order: HashMap<(i64, i64), i64>,
    pub(super) attempts: usize,
    pub(super) repeats: usize,
    pub(super) refused: usize,
    pub(super) hung: HashMap<i64, usize>,
    /// How long the good ones waited at most while others hung.
    pub(super) slowest: i64,
}

/// An API that says nothing.
const QUIET: Notifier = Notifier {
    dialect: "tiny",
    wants: |_, _| true,
    tell: |_| Ok(Vec::new()),
    sign: |_| Ok(Vec::new()),
    signs_with: SignsWith::Own,
    offers: "",
    schedule: Schedule {
        pauses: &[5, 30, 120, 600, 1_800, 3_600, 10_800, 21_600, 43_200, 86_400, 86_400],
        spread: 0.2,
    },
    timeout_seconds: 15,
    listens: |_, _| Ok(Listening::default()),
    notes_all: false,
};

pub(super) static TINY: Notifier = QUIET;
/// The same, but it gives up after the second attempt.
pub(super) static BRIEF: Notifier =
    Notifier { schedule: Schedule { pauses: &[5], spread: 0.0 }, ..QUIET };
pub(super) static NOTING: Notifier = Notifier { notes_all: true, ..QUIET };

fn endpoint(number: i64, chance: &mut SmallRng) -> Arc<Subscription> {
    let id = Identity { number, uuid: uuid::Uuid::from_u128(number as u128) };
    let mut endpoint = Endpoint::blank(id, 1 + number % SPACES, "tiny", Timestamp::from_micros(0));
    // Every other one keeps order.
    let order = if number % 2 == 0 { Order::Customer } else { Order::None };
    endpoint.order = order;
    let types = if chance.random_bool(0.3) { "customer.updated" } else { "customer.*" };
    endpoint.types = vec![EventType::parse(types).unwrap()];
    endpoint.sees = Permissions::ALL;
    endpoint.parallel = chance.random_range(1..=16);
    Arc::new(Subscription { endpoint, notifier: &TINY })
}

impl World {
    pub(super) fn new(seed: u64, endpoints: i64, nodes: usize) -> World {
        let mut chance = SmallRng::seed_from_u64(seed);
        let endpoints: Vec<_> = (1..=endpoints).map(|n| endpoint(n, &mut chance)).collect();
        let cursor = |endpoint: &Arc<Subscription>| {
            let (number, space) = (endpoint.number, endpoint.space);
            let record = Cursor::at(space, number, endpoint.uuid, 0);
            (number, Loaded { record, revision: 1 })
        };
        let mut world = World {
            seed,
            now: HOUR,
            order: 0,
            steps: BinaryHeap::new(),
            step_of: HashMap::new(),
            nodes: Vec::new(),
            lives: 0,
            manners: endpoints.iter().map(|e| (e.number, Manner::Good)).collect(),
            journals: (1..=SPACES).map(|space| (space, Vec::new())).collect(),
            cursors: endpoints.iter().map(cursor).collect(),
            rows: HashMap::new(),
            is_store_away: false,
            arrived: HashMap::new(),
            taken: HashSet::new(),
            in_order: HashMap::new(),
            gaps: HashMap::new(),
            attempts: 0,
            repeats: 0,
            refused: 0,
            hung: HashMap::new(),
            slowest: 0,
            endpoints,
            chance,
        };
        for n in 0..nodes {
            world.nodes.push(Node {
                core: Core::new(Bounds::default(), seed),
                life: 0,
                is_alive: false,
                stands_until: 0,
                is_seen: false,
                mine: HashSet::new(),
                wanted: HashMap::new(),
                wakes: None,
            });
            world.later(0, Step::Start(n));
        }
        world
    }

    /// An endpoint is told of all changes.
    pub(super) fn is_told_all(&mut self, number: i64, notifier: &'static Notifier) {
        let mut endpoint = self.endpoints[number as usize - 1].endpoint.clone();
        endpoint.types = vec![EventType::parse("customer.*").unwrap()];
        endpoint.parallel = 8;
        let subscription = Subscription { endpoint, notifier };
        self.endpoints[number as usize - 1] = Arc::new(subscription);
    }

    pub(super) fn later(&mut self, pause: i64, step: Step) {
        self.order += 1;
        self.steps.push(Reverse((self.now + pause, self.order)));
        self.step_of.insert(self.order, step);
    }

    /// Goes on until a moment.
    pub(super) fn run(&mut self, until: i64) {
        while let Some(Reverse((at, order))) = self.steps.peek().copied() {
            if at > until {
                break;
            }
            self.steps.pop();
            self.now = self.now.max(at);
            let step = self.step_of.remove(&order).unwrap();
            self.step(step);
        }
        self.now = until;
    }

    pub(super) fn step(&mut self, step: Step) {
        match step {
            Step::Commit(space) => self.commit(space),
            Step::Told(n, life, event) => {
                if self.nodes[n].is_alive && self.nodes[n].life == life {
                    let pause = self.nodes[n].stands_until - self.now;
                    match pause > 0 {
                        true => self.later(pause, Step::Told(n, life, event)),
                        false => self.tell(n, event),
                    }
                }
            }
            Step::Look(n, life) => {
                if self.nodes[n].is_alive && self.nodes[n].life == life {
                    if self.nodes[n].stands_until <= self.now && !self.is_store_away {
                        self.look(n);
                    }
                    self.later(250 * MS, Step::Look(n, life));
                }
            }
            Step::Tick(n, life) => {
                let node = &mut self.nodes[n];
                if node.is_alive && node.life == life && node.wakes.is_some_and(|at| at <= self.now)
                {
                    node.wakes = None;
                    if node.stands_until <= self.now {
                        self.tell(n, Event::Tick);
                    } else {
                        let pause = node.stands_until - self.now;
                        node.wakes = Some(node.stands_until);
                        self.later(pause, Step::Tick(n, life));
                    }
                }
            }
            Step::Kill(n) => {
                (self.nodes[n].is_alive, self.nodes[n].is_seen) = (false, false);
                let pause = self.chance.random_range(SECOND..20 * SECOND);
                self.later(pause, Step::Start(n));
            }
            Step::Start(n) => {
                self.lives += 1;
                let life = self.lives;
                let node = &mut self.nodes[n];
                node.core = Core::new(Bounds::default(), self.seed ^ life);
                (node.life, node.is_alive, node.is_seen) = (life, true, true);
                node.mine.clear();
                node.wakes = None;
                self.later(0, Step::Look(n, life));
            }
            Step::Stand(n, long) => {
                // Others take it for dead; it does not know it before it looks around.
                self.nodes[n].stands_until = self.now + long;
                self.nodes[n].is_seen = false;
            }
            Step::Store(is_away) => self.is_store_away = is_away,
            Step::Manner(number, manner) => {
                self.manners.insert(number, manner);
            }
        }
    }

    pub(super) fn commit(&mut self, space: i64) {
        let journal = self.journals.get_mut(&space).unwrap();
        let seq = journal.len() as i64 + 1;
        let action = if self.chance.random_bool(0.5) { "updated" } else { "created" };
        journal.push(Arc::new(Entry {
            tenant: space,
            seq,
            kind: "customer".into(),
            number: seq,
            subject: 1 + seq % SUBJECTS,
            related: Vec::new(),
            revision: 1,
            action: action.into(),
            at: self.now,
            actor: "operator".into(),
            request: "r".into(),
            changed: "[]".into(),
            doc: "{}2".repeat(20),
        }));
        for n in 0..self.nodes.len() {
            let life = self.nodes[n].life;
            self.later(MS, Step::Told(n, life, Event::News { space }));
        }
    }

    /// What the looking task does: takes endpoints that are nobody's, or a dead node's.
    pub(super) fn look(&mut self, n: usize) {
        self.nodes[n].is_seen = true;
        let seen: Vec<i64> = (0..self.nodes.len())
            .filter(|n| self.nodes[*n].is_seen)
            .map(|n| n as i64 + 1)
            .collect();
        let me = n as i64 + 1;
        for endpoint in self.endpoints.clone() {
            let number = endpoint.number;
            if endpoint.state != EndpointState::Active {
                continue;
            }
            let owner = seen[number as usize % seen.len()];
            let is_mine = self.nodes[n].mine.contains(&number);
            if owner != me && is_mine {
                self.nodes[n].mine.remove(&number);
                self.tell(n, Event::Dropped { lane: number });
            }
            let cursor = &self.cursors[&number];
            let since = *self.nodes[n].wanted.entry(number).or_insert(self.now);
            let is_free =
                cursor.node == me || !seen.contains(&cursor.node) || self.now - since > 20 * SECOND;
            if owner != me || is_mine {
                self.nodes[n].wanted.remove(&number);
            }
            if owner == me && !is_mine && is_free {
                let record = Cursor { node: me, ..cursor.record.clone() };
                let cursor = Loaded { record, revision: cursor.revision + 1 };
                self.cursors.insert(number, cursor.clone());
                let of_lane = self.rows.values().filter(|row| row.endpoint == number);
                let open: Vec<_> = of_lane.filter(|row| row.open().is_some()).collect();
                let due = open.iter().filter_map(|row| row.due).min();
                let retrying = (open.len() as u64, due);
                self.nodes[n].mine.insert(number);
                self.tell(n, Event::Taken { endpoint, cursor: Box::new(cursor), retrying });
            }
        }
    }

    pub(super) fn tell(&mut self, n: usize, event: Event) {
        let actions = self.nodes[n].core.handle(self.now, event);
        for action in actions {
            self.perform(n, action);
        }
        let node = &self.nodes[n];
        assert!(node.core.in_flight <= Bounds::default().in_flight, "seed {}", self.seed);
        for (_, lane) in node.core.lanes() {
            assert!(lane.held() <= WAITING_MAX, "seed {}", self.seed);
        }
        if let Some(at) = node.core.wakes_at()
            && node.wakes.is_none_or(|known| at < known)
        {
            let (pause, life) = ((at - self.now).max(0), node.life);
            self.nodes[n].wakes = Some(at);
            self.later(pause, Step::Tick(n, life));
        }
    }

    pub(super) fn perform(&mut self, n: usize, action: Action) {
        let life = self.nodes[n].life;
        let soon = self.chance.random_range(MS..5 * MS);
        let is_away = self.is_store_away;
        match action {
            Action::Read { space, after } => {
                let from = &self.journals[&space][after as usize..];
                let some = from.iter().take(CHUNK as usize).cloned().collect();
                let entries = (!is_away).then_some(some);
                self.later(soon, Step::Told(n, life, Event::Entries { space, after, entries }));
            }
            Action::Due { lane, epoch, limit, .. } => {
                let of_lane = |row: &&Loaded<Delivery>| row.endpoint == lane && row.due.is_some();
                let mut rows: Vec<_> = self.rows.values().filter(of_lane).cloned().collect();
                rows.sort_by_key(|row| (row.due, row.seq));
                rows.truncate(limit as usize);
                let rows = (!is_away).then_some(rows);
                self.later(soon, Step::Told(n, life, Event::Due { lane, epoch, rows, limit }));
            }
            Action::Open { lane, epoch, .. } => {
                let of_lane = self.rows.values().filter(|row| row.endpoint == lane);
                let open = of_lane.filter_map(|row| row.open()).collect();
                let open = (!is_away).then_some(open);
                self.later(soon, Step::Told(n, life, Event::Open { lane, epoch, open }));
            }
            Action::Held { lane, epoch, seqs, .. } => {
                let row = |seq: &i64| self.rows.get(&(lane, *seq)).cloned();
                let rows = (!is_away).then(|| seqs.iter().filter_map(row).collect());
                self.later(soon, Step::Told(n, life, Event::Held { lane, epoch, seqs, rows }));
            }
            Action::Attempt { endpoint, epoch, what, gap } => {
                self.gaps.insert((endpoint.number, what.seq()), gap);
                self.attempt(n, &endpoint, epoch, what);
            }
            Action::Flush { lane, epoch, results } => {
                let result = if is_away { Flushed::Later } else { self.flush(&results) };
                // A node may be killed after the write and before it knows.
                self.later(soon, Step::Told(n, life, Event::Flushed { lane, epoch, result }));
            }
            Action::Reload { lane } => {
                self.nodes[n].mine.remove(&lane);
            }
            Action::Stop { lane, .. } => panic!("seed {}: {lane} was paused", self.seed),
        }
    }

    pub(super) fn attempt(
        &mut self,
        n: usize,
        endpoint: &Arc<Subscription>,
        epoch: u64,
        what: What,
    ) {
        let (lane, space, seq) = (endpoint.number, endpoint.space, what.seq());
        let (life, started) = (self.nodes[n].life, self.now);
        self.attempts += 1;
        let nth = match &what {
            What::First { nth, .. } => *nth,
            What::Again(row) => row.nth,
        };
        assert!(seq <= self.journals[&space].len() as i64, "nothing before its commit");
        let entry = Arc::clone(&self.journals[&space][seq as usize - 1]);
        if endpoint.order == Order::Customer {
            self.is_in_order(endpoint, seq);
        }
        let before = self.arrived.insert((lane, seq), nth);
        assert!(before.is_none_or(|known| known == nth), "seed {}: {lane} {seq}", self.seed);
        self.repeats += usize::from(before.is_some());
        let manner = self.manners[&lane];
        if manner == Manner::Hangs {
            *self.hung.entry(lane).or_default() += 1;
        } else if manner == Manner::Good && before.is_none() {
            self.slowest = self.slowest.max(self.now - entry.at);
        }
        let quick = self.chance.random_range(MS..40 * MS);
        let (pause, outcome) = match manner {
            Manner::Good => (quick, Outcome::Answered(204, None)),
            Manner::Fails(percent) if self.chance.random_range(0..100) < percent => {
                (quick, Outcome::Answered(500, None))
            }
            Manner::Refuses(subject) if subject == entry.subject => {
                (quick, Outcome::Answered(500, None))
            }
            Manner::Fails(_) | Manner::Refuses(_) => (quick, Outcome::Answered(200, None)),
            Manner::Hangs => (15 * SECOND, Outcome::Fault("timeout")),
            Manner::Busy => (quick, Outcome::Answered(503, Some(7 * SECOND))),
        };
        if matches!(outcome, Outcome::Answered(200..=299, _)) {
            self.taken.insert((lane, seq));
        }
        let outcome = Some(outcome);
        let event = Event::Attempted { space, lane, epoch, what, started, outcome };
        self.later(pause, Step::Told(n, life, event));
    }

    /// As the store does: whole or not at all, by revisions.
    pub(super) fn flush(&mut self, results: &Results) -> Flushed {
        let number = results.after.number;
        let is_changed = |one: &Written| match one {
            Written::New(_) => false,
            Written::Changed(change) => {
                let row = &self.rows[&(number, change.0.seq)];
                row.revision != change.0.revision
            }
        };
        let is_stale = self.cursors[&number].revision != results.cursor.revision;
        if is_stale || results.deliveries.iter().any(is_changed) {
            self.refused += 1;
            return Flushed::Lost;
        }
        let revision = results.cursor.revision + 1;
        self.cursors.insert(number, Loaded { record: results.after.clone(), revision });
        for one in &results.deliveries {
            let (record, revision) = match one {
                Written::New(delivery) => (delivery.clone(), 1),
                Written::Changed(change) => (change.1.clone(), change.0.revision + 1),
            };
            assert_eq!(record.uuid, uuid_of(number, record.seq));
            self.rows.entry((number, record.seq)).and_modify(|row| {
                assert!(revision > 1, "seed {}: {number} {}", self.seed, record.seq);
                let _ = row;
            });
            self.rows.insert((number, record.seq), Loaded { record, revision });
        }
        self.nothing_is_passed_over(number);
        Flushed::Done
    }

    pub(super) fn commits(&mut self, count: usize, over: i64) {
        for _ in 0..count {
            let (space, at) =
                (self.chance.random_range(1..=SPACES), self.chance.random_range(0..over));
            self.later(at, Step::Commit(space));
        }
    }
}
