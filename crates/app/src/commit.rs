//! The one write path: read, decide, commit if unchanged; again when another writer was faster.
//!
//! A use case hands [`Cx::settle`] what decides: it loads what it needs, decides with the pure
//! functions of `patron-model`, and notes its writes in a [`Draft`]. Everything in the draft
//! (records, search terms, journal entries, the outcome under an idempotency key) is committed as a
//! whole or refused as a whole. No transaction is open while the use case thinks. A repeat under an
//! idempotency key is answered without deciding anything.

pub(crate) mod claims;
mod draft;

use patron_model::{Event, Failure, Permission};
use patron_store::Batch;

use self::draft::Verdict;
pub(crate) use self::draft::record_of;
pub use self::draft::{Decision, Draft};
use crate::{
    Cx, customers,
    documents::{DEPLOYMENT, Document},
    failure,
    idempotency::{Outcome, Touched},
    record::{self, Id, Loaded, Look},
};

/// Attempts of a use case that is raced by other writers of the same record.
const ATTEMPTS_MAX: usize = 32;

/// A record as it is after a use case.
#[derive(Debug, Clone)]
pub struct Saved<T: Document> {
    /// The noun.
    pub record: T,
    /// Its revision.
    pub revision: i64,
    /// What happened; none: nothing differed.
    pub event: Option<T::Event>,
    /// Whether this is the repeated answer of an earlier request.
    pub replayed: bool,
}

impl<T: Document> Saved<T> {
    /// Whether the request made it.
    pub fn is_new(&self) -> bool {
        self.event == Some(T::Event::CREATED)
    }
}

impl<T: Document> std::ops::Deref for Saved<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.record
    }
}

/// What a use case answers: a record, or several that it changed together. Under an idempotency key
/// it is remembered by their revisions.
pub trait Settled: Sized {
    /// The records, in a fixed order.
    fn touched(&self) -> Vec<Touched>;

    /// The same once more.
    ///
    /// # Errors
    /// When the journal no longer has it; `NotFound` when it must not be seen any more; `KeyReused`
    /// when the outcome is another use case's.
    fn recall(cx: &Cx, records: &[Touched]) -> impl Future<Output = Result<Self, Failure>> + Send;
}

impl<T: Document> Settled for Saved<T> {
    fn touched(&self) -> Vec<Touched> {
        vec![Touched {
            kind: T::KIND.name.to_owned(),
            number: self.record.identity().0,
            revision: self.revision,
            action: self.event.map_or(UNCHANGED, Event::as_str).to_owned(),
        }]
    }

    async fn recall(cx: &Cx, records: &[Touched]) -> Result<Saved<T>, Failure> {
        match records.first() {
            Some(record) if record.kind == T::KIND.name => cx.recalled(record).await,
            _ => Err(Failure::KeyReused),
        }
    }
}

/// The word of an outcome in which nothing differed.
const UNCHANGED: &str = "unchanged";

/// The state a caller expects a record to be in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    /// Any.
    Any,
    /// Exactly this version of the noun.
    Version(i64),
    /// Exactly this revision of the whole document, addresses included.
    Revision(i64),
    /// Whichever of these; none fits where there are none.
    AnyOf(Vec<Expect>),
}

impl Expect {
    /// Checks a record.
    ///
    /// # Errors
    /// `Stale`.
    pub fn check(&self, version: i64, revision: i64) -> Result<(), Failure> {
        let stale = |have: i64, want: i64| Err(Failure::Stale { have, want });
        match self {
            Expect::Any => Ok(()),
            Expect::Version(want) if *want != version => stale(version, *want),
            Expect::Revision(want) if *want != revision => stale(revision, *want),
            Expect::Version(_) | Expect::Revision(_) => Ok(()),
            Expect::AnyOf(states) => {
                let fits = |state: &&Expect| state.check(version, revision).is_ok();
                // The first one says what was expected.
                match states.iter().find(fits).or(states.first()) {
                    Some(state) => state.check(version, revision),
                    None => stale(version, 0),
                }
            }
        }
    }
}

impl Cx {
    /// Answers a request: with what an earlier one with the same idempotency key came to, or by
    /// deciding and committing, again when another writer was faster. `decide` may run several
    /// times.
    ///
    /// # Errors
    /// Whatever `decide` answers; `Exists` when a unique field is taken; whatever the store says.
    pub async fn settle<'a, S: Settled, F>(
        &'a self,
        decide: impl Fn(Draft<'a>) -> F,
    ) -> Result<S, Failure>
    where
        F: Future<Output = Result<Decision<'a, S>, Failure>>,
    {
        if let Some(outcome) = self.outcome() {
            // On the heap, as few requests are repeats.
            return Box::pin(S::recall(self, &outcome.records)).await;
        }
        self.write(|draft| async {
            let Decision { mut draft, answer } = decide(draft).await?;
            draft.answer(&answer);
            Ok((draft, answer))
        })
        .await
    }

    /// Decides and commits, again when another writer was faster: for work that no request repeats.
    ///
    /// # Errors
    /// As [`Cx::settle`].
    pub(crate) async fn write<'a, R, F>(
        &'a self,
        decide: impl Fn(Draft<'a>) -> F,
    ) -> Result<R, Failure>
    where
        F: Future<Output = Result<(Draft<'a>, R), Failure>>,
    {
        for attempt in 0..ATTEMPTS_MAX {
            let mut draft = self.draft();
            draft.home = self.home().await?;
            draft.attempt = attempt;
            let (draft, result) = decide(draft).await?;
            if let Verdict::Committed = draft.commit().await? {
                return Ok(result);
            }
        }
        Err(Failure::Unavailable { retry_after_seconds: 1 })
    }

    /// Decides without committing: for many that are committed side by side.
    pub(crate) async fn prepare<S: Settled>(
        &self,
        decide: impl Fn(Draft<'_>) -> Result<Decision<'_, S>, Failure>,
    ) -> Result<(Batch, S), Failure> {
        loop {
            let mut draft = self.draft();
            draft.home = self.home().await?;
            let Decision { mut draft, answer } = decide(draft)?;
            if draft.missing.get() == 0 {
                draft.answer(&answer);
                return Ok((draft.into_batch()?, answer));
            }
            self.app.reserve_numbers(draft.missing.get()).await?;
        }
    }

    pub(crate) fn outcome(&self) -> Option<&Outcome> {
        self.idempotency.as_ref().and_then(|i| i.outcome.as_ref())
    }

    /// Number of the record that an earlier request with the same idempotency key was about.
    pub fn repeats<T: Document>(&self) -> Option<i64> {
        let about = self.outcome()?.records.first()?;
        (about.kind == T::KIND.name).then_some(about.number)
    }

    /// A repeated answer shows a state that was. What is deleted by now, or hangs on a customer
    /// that is, is not shown to who may not see the past; that it was deleted is.
    async fn refuse_past<T: Document>(&self, record: &T) -> Result<(), Failure> {
        let is_free = self.space == DEPLOYMENT || self.has(Permission::CustomerPast);
        if is_free || record.is_gone() {
            return Ok(());
        }
        let (own, subject) = (record.identity().0, Id::Number(record.subject()));
        match own == record.subject() {
            true => record::load::<T>(self, Look::at(subject)).await.map(drop),
            false => customers::get(self, subject).await.map(drop),
        }
    }

    /// A record as an earlier request with the same idempotency key left it.
    ///
    /// # Errors
    /// When the journal no longer has it; `NotFound` when it is of a customer that is deleted by
    /// now and the caller may not see the past.
    pub(crate) async fn recalled<T: Document>(
        &self,
        touched: &Touched,
    ) -> Result<Saved<T>, Failure> {
        let Touched { kind, number, revision, action } = touched;
        if !T::JOURNALED {
            // Nothing tells how it was: it is shown as it is.
            let found: Loaded<T> = record::load(self, Look::at(Id::Number(*number))).await?;
            let Loaded { record, revision } = found;
            let event = T::Event::parse(action);
            return Ok(Saved { record, revision, event, replayed: true });
        }
        let entry = self
            .app
            .store
            .entry_at_revision(self.space, kind, *number, *revision)
            .await
            .map_err(failure)?
            .ok_or_else(|| {
                Failure::internal("the journal lacks the entry of a remembered answer")
            })?;
        if entry.doc == patron_store::EMPTY {
            // It was deleted for good meanwhile.
            return Err(Failure::NotFound { noun: T::NOUN });
        }
        let record = T::from_document(&entry.doc).map_err(Failure::internal)?;
        self.refuse_past(&record).await?;
        let event = match action.as_str() {
            UNCHANGED => None,
            word => Some(T::Event::parse(word).ok_or_else(|| {
                Failure::internal(format!("a remembered answer has an unknown word: {word}"))
            })?),
        };
        Ok(Saved { record, revision: *revision, event, replayed: true })
    }
}
