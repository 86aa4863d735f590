//! Refusals: sign-ins that failed, and calls that a key may not make. Anybody can cause them
//! without end, so they are folded: one entry a minute for the same client and claim, the rest as
//! its count; so many a second and node, then one entry that says how many were dropped; in bounded
//! memory. They are written in the background: whoever is refused never waits for the disk.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use async_recursion::async_recursion;
use patron_model::{
    Failure, Timestamp,
    audit::{AuditActor, AuditEntry, AuditOutcome},
    space::Key,
};

use crate::{
    App,
    documents::{DEPLOYMENT, KEY, handle_column},
    failure,
    ids::new_uuid,
    record::decode,
    sign_in::logins,
};

/// Time in which equal refusals are one entry.
const FOLD: Duration = Duration::from_secs(60);
/// Entries written a second, of strangers and of holders of keys each.
pub const ENTRIES_PER_SECOND: usize = 50;
/// Different refusals that are folded at a time.
const FOLDED_MAX: usize = 10_000;
/// Entries that wait to be written.
const WAITING_MAX: usize = 1_000;
/// Pause between two looks at what waits.
const PAUSE: Duration = Duration::from_millis(100);
/// How the claim of an e-mail address begins; others claim keys.
pub const ADDRESS_CLAIM: &str = "email:";
/// Characters of the keyed hash of a claim.
const CLAIM_CHARS: usize = 16;

/// What was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refused {
    /// A sign-in.
    SignIn,
    /// A call of somebody who had signed in.
    Access,
}

/// One refusal.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// What.
    pub refused: Refused,
    /// When.
    pub at: Timestamp,
    /// Name of the API.
    pub via: &'static str,
    /// Id of the operation.
    pub operation: &'static str,
    /// Why, in words of our own.
    pub reason: &'static str,
    /// Public half of the key that was claimed.
    pub claimed: Option<String>,
    /// Space, where it is known.
    pub space: Option<i64>,
    /// Address of the client.
    pub address: Option<IpAddr>,
    /// What counts as the same client.
    pub network: Option<IpAddr>,
    /// What the client calls itself, as it may be kept.
    pub agent: Option<String>,
    /// Id of the request.
    pub request: Arc<str>,
}

/// What is folded into one.
type Same = (Option<IpAddr>, &'static str, Option<String>, &'static str);

impl Refusal {
    fn same(&self) -> Same {
        let operation = match self.refused {
            Refused::SignIn => "",
            Refused::Access => self.operation,
        };
        (self.network, self.via, self.claimed.clone(), operation)
    }
}

/// An entry to be.
#[derive(Debug, Clone)]
enum Waiting {
    Refusal(Box<Refusal>, u64),
    Dropped(u64),
}

/// The latest of equal refusals, and how many came since the last entry about them.
struct Folded {
    since: Instant,
    more: u64,
    latest: Box<Refusal>,
}

/// Refusals of one sort on their way to the trail.
#[derive(Default)]
struct Folding {
    folded: HashMap<Same, Folded>,
    waiting: VecDeque<Waiting>,
    dropped: u64,
    second: Option<Instant>,
    written: usize,
}

impl Folding {
    fn note(&mut self, refusal: Refusal, now: Instant) {
        let same = refusal.same();
        if let Some(folded) = self.folded.get_mut(&same) {
            folded.more += 1;
            *folded.latest = refusal;
            return;
        }
        if self.folded.len() >= FOLDED_MAX {
            self.end_minutes(now, FOLD);
        }
        if self.folded.len() >= FOLDED_MAX || self.waiting.len() >= WAITING_MAX {
            self.dropped += 1;
            return;
        }
        let latest = Box::new(refusal);
        self.waiting.push_back(Waiting::Refusal(latest.clone(), 1));
        self.folded.insert(same, Folded { since: now, more: 0, latest });
    }

    /// What came in minutes that are over becomes an entry each.
    fn end_minutes(&mut self, now: Instant, minute: Duration) {
        let (waiting, dropped) = (&mut self.waiting, &mut self.dropped);
        self.folded.retain(|_, folded| {
            if now.saturating_duration_since(folded.since) < minute {
                return true;
            }
            let more = std::mem::take(&mut folded.more);
            if more == 0 {
                return false;
            }
            if waiting.len() < WAITING_MAX {
                waiting.push_back(Waiting::Refusal(folded.latest.clone(), more));
            } else {
                *dropped += more;
            }
            folded.since = now;
            true
        });
    }

    /// What may be written now.
    fn take(&mut self, now: Instant, at_once: bool) -> Vec<Waiting> {
        self.end_minutes(now, if at_once { Duration::ZERO } else { FOLD });
        let is_over = |since: Instant| now.saturating_duration_since(since).as_secs() >= 1;
        if self.second.is_none_or(is_over) {
            self.second = Some(now);
            self.written = 0;
        }
        let room = ENTRIES_PER_SECOND - self.written.min(ENTRIES_PER_SECOND);
        let room = if at_once { WAITING_MAX } else { room };
        let mut taken = Vec::new();
        if self.dropped > 0 && room > 0 {
            taken.push(Waiting::Dropped(std::mem::take(&mut self.dropped)));
        }
        let fit = self.waiting.len().min(room.saturating_sub(taken.len()));
        taken.extend(self.waiting.drain(..fit));
        self.written += taken.len();
        taken
    }

    /// Back to where it was, after a write that failed.
    fn put_back(&mut self, taken: Vec<Waiting>) {
        for waiting in taken.into_iter().rev() {
            match waiting {
                Waiting::Dropped(count) => self.dropped += count,
                Waiting::Refusal(..) if self.waiting.len() < WAITING_MAX => {
                    self.waiting.push_front(waiting);
                }
                Waiting::Refusal(_, count) => self.dropped += count,
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.folded.is_empty() && self.waiting.is_empty() && self.dropped == 0
    }
}

/// Refusals of this node that are not written yet.
#[derive(Default)]
pub(crate) struct Refusals {
    /// Strangers, so that their floods do not hide what holders of keys try.
    strangers: Mutex<Folding>,
    holders: Mutex<Folding>,
    /// Whether a task writes them.
    is_running: AtomicBool,
    /// Held while some are written: whoever ends the trail waits for those under way.
    writing: tokio::sync::Mutex<()>,
}

impl Refusals {
    fn of(&self, refused: Refused) -> &Mutex<Folding> {
        match refused {
            Refused::SignIn => &self.strangers,
            Refused::Access => &self.holders,
        }
    }

    fn is_empty(&self) -> bool {
        [&self.strangers, &self.holders].into_iter().all(|folding| lock(folding).is_empty())
    }
}

fn lock(folding: &Mutex<Folding>) -> std::sync::MutexGuard<'_, Folding> {
    folding.lock().unwrap_or_else(PoisonError::into_inner)
}

impl App {
    /// Notes a refusal. Costs a lock and returns at once; the entry follows in the background.
    pub fn refused(self: &Arc<Self>, refusal: Refusal) {
        lock(self.refusals.of(refusal.refused)).note(refusal, Instant::now());
        if !self.refusals.is_running.swap(true, Ordering::AcqRel) {
            tokio::spawn(write_on(Arc::downgrade(self)));
        }
    }

    /// Writes what is left of the refusals, before the store is closed.
    #[async_recursion]
    pub async fn finish_audit(&self) {
        self.write_refusals(Instant::now(), true).await;
    }

    async fn write_refusals(&self, now: Instant, at_once: bool) {
        let _writing = self.refusals.writing.lock().await;
        for refused in [Refused::SignIn, Refused::Access] {
            let folding = self.refusals.of(refused);
            let taken = lock(folding).take(now, at_once);
            if taken.is_empty() {
                continue;
            }
            if let Err(failure) = self.write_taken(&taken).await {
                tracing::warn!(failure = failure.name(), "refusals could not be audited yet");
                lock(folding).put_back(taken);
            }
        }
    }

    async fn write_taken(&self, taken: &[Waiting]) -> Result<(), Failure> {
        let mut entries = Vec::with_capacity(taken.len());
        for waiting in taken {
            entries.push(match waiting {
                Waiting::Refusal(refusal, count) => self.refusal_entry(refusal, *count).await?,
                Waiting::Dropped(count) => self.dropped_entry(*count).await?,
            });
        }
        self.write_audit(&entries).await
    }

    async fn refusal_entry(&self, refusal: &Refusal, count: u64) -> Result<AuditEntry, Failure> {
        let key = match &refusal.claimed {
            Some(claimed) => self.claimed_key(refusal.via, claimed).await?,
            None => None,
        };
        let person = match refusal.claimed.as_deref().and_then(|c| c.strip_prefix(ADDRESS_CLAIM)) {
            Some(address) => logins::claimed(self, address).await?,
            None => None,
        };
        let number = key.as_ref().map(|key| key.number);
        let number = number.or(person.as_ref().map(|person| person.number));
        let claimed = refusal.claimed.as_deref().map(|claimed| {
            let print = self.secrets.fingerprint("audit claim", claimed);
            print.chars().take(CLAIM_CHARS).collect::<String>()
        });
        let (action, actor) = match (refusal.refused, number) {
            (Refused::Access, Some(number)) => ("access.refused", AuditActor::Key { number }),
            (Refused::Access, None) => ("access.refused", AuditActor::Stranger { number, claimed }),
            (Refused::SignIn, number) => {
                ("sign_in.refused", AuditActor::Stranger { number, claimed })
            }
        };
        Ok(AuditEntry {
            number: self.audit_number().await?,
            uuid: new_uuid(),
            at: refusal.at,
            account: key.as_ref().map(|key| key.account).or(person.map(|person| person.account)),
            space: refusal.space.or(key.as_ref().map(|key| key.space)),
            actor,
            via: refusal.via.to_owned(),
            action: action.to_owned(),
            outcome: AuditOutcome::Refused,
            reason: Some(refusal.reason.to_owned()),
            operation: Some(refusal.operation.to_owned()),
            target: None,
            changed: Vec::new(),
            count: Some(count),
            address: refusal.address.map(|address| address.to_string()),
            agent: refusal.agent.clone(),
            request: refusal.request.to_string(),
            receipt: None,
        })
    }

    async fn dropped_entry(&self, count: u64) -> Result<AuditEntry, Failure> {
        Ok(AuditEntry {
            number: self.audit_number().await?,
            uuid: new_uuid(),
            at: self.clock.now(),
            account: None,
            space: None,
            actor: AuditActor::Stranger { number: None, claimed: None },
            via: "server".to_owned(),
            action: "audit.dropped".to_owned(),
            outcome: AuditOutcome::Refused,
            reason: Some("more refusals than are written one by one".to_owned()),
            operation: None,
            target: None,
            changed: Vec::new(),
            count: Some(count),
            address: None,
            agent: None,
            request: String::new(),
            receipt: None,
        })
    }

    /// The key behind a claim, revoked ones included.
    async fn claimed_key(&self, dialect: &str, handle: &str) -> Result<Option<Key>, Failure> {
        let column = handle_column(dialect, handle);
        let row = self.store.get_by(&KEY, DEPLOYMENT, "handle", &column).await.map_err(failure)?;
        row.map(|row| decode::<Key>(&row).map(|key| key.record)).transpose()
    }
}

/// Writes refusals as long as there are any.
async fn write_on(app: Weak<App>) {
    loop {
        tokio::time::sleep(PAUSE).await;
        let Some(app) = app.upgrade() else { return };
        app.write_refusals(Instant::now(), false).await;
        if app.refusals.is_empty() {
            app.refusals.is_running.store(false, Ordering::Release);
            // One that came in between has seen this task running.
            if app.refusals.is_empty() || app.refusals.is_running.swap(true, Ordering::AcqRel) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(from: u32, claimed: &str) -> Refusal {
        let address = IpAddr::V4(from.into());
        Refusal {
            refused: Refused::SignIn,
            at: Timestamp::from_micros(0),
            via: "native",
            operation: "list_customers",
            reason: "unknown key",
            claimed: Some(claimed.to_owned()),
            space: None,
            address: Some(address),
            network: Some(address),
            agent: None,
            request: "r".into(),
        }
    }

    fn counts(taken: &[Waiting]) -> (usize, u64, u64) {
        let refused = taken.iter().map(|waiting| match waiting {
            Waiting::Refusal(_, count) => (1, *count, 0),
            Waiting::Dropped(count) => (0, 0, *count),
        });
        refused.fold((0, 0, 0), |all, one| (all.0 + one.0, all.1 + one.1, all.2 + one.2))
    }

    #[test]
    fn equal_ones_are_one_entry_a_minute() {
        let mut folding = Folding::default();
        let start = Instant::now();
        for _ in 0..1_000 {
            folding.note(refusal(1, "a"), start);
        }
        folding.note(refusal(1, "b"), start);
        folding.note(refusal(2, "a"), start);
        assert_eq!(counts(&folding.take(start, false)), (3, 3, 0), "each is told at once");
        assert!(folding.take(start + FOLD / 2, false).is_empty());
        let rest = folding.take(start + FOLD, false);
        assert_eq!(counts(&rest), (1, 999, 0), "the rest as a count");
        assert!(!folding.is_empty(), "the next minute has begun");
        assert!(folding.take(start + FOLD * 2, false).is_empty() && folding.is_empty());
    }

    #[test]
    fn a_flood_is_bounded_in_entries_and_memory_and_nothing_goes_uncounted() {
        let mut folding = Folding::default();
        let start = Instant::now();
        let flood = u32::try_from(FOLDED_MAX * 3).expect("small");
        for n in 0..flood {
            folding.note(refusal(n, &n.to_string()), start);
        }
        assert!(folding.folded.len() <= FOLDED_MAX && folding.waiting.len() <= WAITING_MAX);
        let (mut told, mut dropped) = (0, 0);
        for second in 0..200 {
            let now = start + Duration::from_secs(second);
            let taken = folding.take(now, false);
            assert!(taken.len() <= ENTRIES_PER_SECOND, "{}", taken.len());
            assert!(folding.take(now, false).len() + taken.len() <= ENTRIES_PER_SECOND);
            let (_, one, more) = counts(&taken);
            (told, dropped) = (told + one, dropped + more);
        }
        assert_eq!(told + dropped, u64::from(flood));
        assert!(folding.is_empty());
    }

    #[test]
    fn what_could_not_be_written_is_tried_again_and_all_is_written_in_the_end() {
        let mut folding = Folding::default();
        let start = Instant::now();
        for n in 0..100 {
            folding.note(refusal(n, "a"), start);
            folding.note(refusal(n, "a"), start);
        }
        let taken = folding.take(start, false);
        folding.put_back(taken);
        assert_eq!(counts(&folding.take(start, true)), (200, 200, 0));
        folding.put_back(vec![Waiting::Dropped(7)]);
        assert_eq!(counts(&folding.take(start, true)).2, 7);
    }
}
