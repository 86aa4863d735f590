//! The one write path: read, decide, commit if unchanged; again when another writer was faster.
//!
//! A use case loads what it needs, decides with the pure functions of `patron-model`, notes its
//! writes in a [`Draft`], and settles it. Everything in the draft — records, search terms, journal
//! entries, the outcome under an idempotency key — is committed as a whole or refused as a whole.
//! No transaction is open while the use case thinks.

use patron_model::{Failure, Noun, Permission, card::Found};
use patron_store::{Answer, Batch, Kind, NewEntry, Record, Row, StoreError, Value, Write};
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::{
    Cx,
    audit::{self, Act},
    customers::{self, Id},
    documents::DEPLOYMENT,
    failure,
    idempotency::Outcome,
};

/// Attempts of a use case that is raced by other writers of the same record.
pub const ATTEMPTS_MAX: usize = 16;

/// A noun that is stored: how it maps to a row.
pub trait Document: Serialize + DeserializeOwned + Clone + Send + Sync {
    /// Its kind.
    const KIND: &'static Kind;
    /// Its noun.
    const NOUN: Noun;
    /// Whether its changes are journalled. Secrets are not: the journal keeps everything.
    const JOURNALED: bool = true;
    /// Number and UUID.
    fn identity(&self) -> (i64, Uuid);
    /// Space; 0 for records of the deployment.
    fn tenant(&self) -> i64;
    /// Record it hangs on; its own number when it hangs on none.
    fn root(&self) -> i64 {
        self.identity().0
    }
    /// Values of the declared columns, in order.
    fn columns(&self) -> Vec<Value>;
    /// The document as it is stored.
    ///
    /// # Errors
    /// `Internal` when it cannot be written as JSON.
    fn document(&self) -> Result<String, Failure> {
        serde_json::to_string(self).map_err(Failure::internal)
    }
    /// The noun from its document.
    ///
    /// # Errors
    /// When the document is not one of this kind.
    fn from_document(document: &str) -> serde_json::Result<Self> {
        serde_json::from_str(document)
    }
    /// Account and space that a change of it belongs to in the audit trail, where it is a record of
    /// the deployment. Without an account only the operator sees it there.
    fn audit_place(&self) -> (Option<i64>, Option<i64>) {
        (None, None)
    }
    /// Whether it is only kept to say that it is gone.
    fn is_gone(&self) -> bool {
        false
    }
    /// Free-text terms, sorted and distinct.
    fn terms(&self) -> Vec<String> {
        Vec::new()
    }
    /// Searches everything a caller can have written for card data. This is what is stored, so
    /// nothing gets past it, however it came in.
    fn search_cards(&self, found: &mut Found);
    /// Terms of a state of this noun, given those of another one.
    fn terms_beside(&self, other: &Self, terms: &[String]) -> Vec<String> {
        let _ = (other, terms);
        self.terms()
    }
}

/// A record as it was read: the noun and the revision a change must build on.
#[derive(Debug, Clone)]
pub struct Loaded<T> {
    /// The noun.
    pub record: T,
    /// Compare-and-set counter of the store.
    pub revision: i64,
}

impl<T> std::ops::Deref for Loaded<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.record
    }
}

/// A record as it is after a use case.
#[derive(Debug, Clone)]
pub struct Saved<T> {
    /// The noun.
    pub record: T,
    /// Its revision.
    pub revision: i64,
    /// What happened.
    pub action: Action,
    /// Whether this is the repeated answer of an earlier request.
    pub replayed: bool,
}

impl<T> std::ops::Deref for Saved<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.record
    }
}

/// What happened to a record, in past tense, as the journal says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It came into being.
    Created,
    /// It changed.
    Updated,
    /// Nothing differed.
    Unchanged,
    /// It was hidden.
    Deleted,
    /// It was brought back.
    Restored,
    /// It took over another record.
    Merged,
    /// It was taken over by another record.
    Absorbed,
    /// It was moved to another record.
    Moved,
}

impl Action {
    const ALL: [Action; 8] = [
        Action::Created,
        Action::Updated,
        Action::Unchanged,
        Action::Deleted,
        Action::Restored,
        Action::Merged,
        Action::Absorbed,
        Action::Moved,
    ];

    /// The word in the journal.
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Created => "created",
            Action::Updated => "updated",
            Action::Unchanged => "unchanged",
            Action::Deleted => "deleted",
            Action::Restored => "restored",
            Action::Merged => "merged",
            Action::Absorbed => "absorbed",
            Action::Moved => "moved",
        }
    }

    fn parse(word: &str) -> Option<Action> {
        Action::ALL.into_iter().find(|action| action.as_str() == word)
    }
}

/// The state a caller expects a record to be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Any.
    Any,
    /// Exactly this version of the noun.
    Version(i64),
    /// Exactly this revision of the whole document, addresses included.
    Revision(i64),
}

impl Expect {
    /// Checks a record.
    ///
    /// # Errors
    /// `Stale`.
    pub fn check(self, version: i64, revision: i64) -> Result<(), Failure> {
        match self {
            Expect::Version(want) if want != version => Err(Failure::Stale { have: version, want }),
            Expect::Revision(want) if want != revision => {
                Err(Failure::Stale { have: revision, want })
            }
            Expect::Any | Expect::Version(_) | Expect::Revision(_) => Ok(()),
        }
    }
}

/// Reads the noun from a row.
///
/// # Errors
/// `Internal` when the stored document is not one of this kind.
pub fn decode<T: Document>(row: &Row) -> Result<Loaded<T>, Failure> {
    let record = T::from_document(&row.doc).map_err(|error| {
        Failure::internal(format!("{} {} cannot be read: {error}", T::KIND.name, row.number))
    })?;
    Ok(Loaded { record, revision: row.revision })
}

/// Writes that are to be made together.
pub struct Draft<'a> {
    cx: &'a Cx,
    batch: Batch,
    outcome: Option<Outcome>,
    /// What the audit trail will say: of every change of the deployment's records.
    acts: Vec<Act>,
}

impl Cx {
    /// An empty draft.
    pub fn draft(&self) -> Draft<'_> {
        let batch = Batch { tenant: self.space, dry_run: self.dry_run, ..Batch::default() };
        Draft { cx: self, batch, outcome: None, acts: Vec::new() }
    }

    /// A repeated answer shows a state that was. What hangs on a customer that is deleted by now is
    /// not shown to who may not see the past; that it was deleted is.
    async fn refuse_past(&self, root: i64, action: &str) -> Result<(), Failure> {
        let is_free = self.space == DEPLOYMENT || self.has(Permission::CustomerPast);
        if !is_free && action != Action::Deleted.as_str() {
            customers::get(self, Id::Number(root)).await?;
        }
        Ok(())
    }

    /// The answer of an earlier request with the same idempotency key.
    ///
    /// # Errors
    /// When the journal no longer has it; `NotFound` when it is of a customer that is deleted by
    /// now and the caller may not see the past.
    pub async fn replayed<T: Document>(&self) -> Result<Option<Saved<T>>, Failure> {
        let Some(outcome) = self.idempotency.as_ref().and_then(|i| i.outcome.as_ref()) else {
            return Ok(None);
        };
        if outcome.kind != T::KIND.name {
            return Err(Failure::KeyReused);
        }
        let Outcome { kind, root, number, revision, action, sealed: _ } = outcome;
        self.refuse_past(*root, action).await?;
        let entry = self
            .app
            .store
            .entry_at_revision(self.space, kind, *root, *number, *revision)
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
        let action = Action::parse(action).unwrap_or(Action::Updated);
        Ok(Some(Saved { record, revision: *revision, action, replayed: true }))
    }
}

impl Draft<'_> {
    /// A new record.
    ///
    /// # Errors
    /// `Invalid` when it holds card data, `Internal` when it cannot be written as JSON.
    pub fn insert<T: Document>(&mut self, noun: &T) -> Result<(), Failure> {
        let found = card_data(noun);
        if !found.is_empty() {
            return Err(Failure::Invalid(found.into_problems()));
        }
        let record = record_of(noun, 1)?;
        self.journal(noun, 1, Action::Created, &[], &record.doc);
        if T::JOURNALED && audit::is_told(T::KIND, noun.tenant()) {
            self.acts.push(audit::change(noun, Action::Created.as_str(), Vec::new()));
        }
        self.batch.writes.push(Write::Insert { kind: T::KIND, record });
        Ok(())
    }

    /// A changed record. It is looked at as a whole: a number may be complete only together with
    /// what was there before. Card data that lay there already and stays as it is does not stop the
    /// change, so that such a record can be mended, and deleted.
    ///
    /// # Errors
    /// `Invalid` when it holds card data, `Internal` when it cannot be written as JSON.
    pub fn replace<T: Document>(
        &mut self,
        before: &Loaded<T>,
        after: &T,
        action: Action,
        changes: &[&'static str],
    ) -> Result<(), Failure> {
        let found = card_data(after);
        if !found.is_empty() {
            let found = found.beyond(&card_data(&before.record));
            found.into_problems().into_result()?;
        }
        let record = record_of(after, before.revision + 1)?;
        self.journal(after, record.revision, action, changes, &record.doc);
        if T::JOURNALED && audit::is_told(T::KIND, after.tenant()) {
            let names = audit::changed_names(&before.record, after);
            self.acts.push(audit::change(after, action.as_str(), names));
        }
        self.batch.writes.push(Write::Replace {
            kind: T::KIND,
            before_columns: before.record.columns(),
            before_terms: before.record.terms_beside(after, &record.terms),
            after: record,
        });
        Ok(())
    }

    /// A record that hangs on none goes for good, and the journal forgets what it looked like.
    pub fn remove<T: Document>(&mut self, read: &Loaded<T>) {
        let (tenant, number) = (read.record.tenant(), read.record.identity().0);
        self.forget(&read.record);
        let revision = read.revision;
        self.batch.writes.push(Write::Remove { kind: T::KIND, tenant, number, revision });
        if T::JOURNALED && audit::is_told(T::KIND, tenant) {
            let act = audit::change(&read.record, Action::Deleted.as_str(), Vec::new());
            self.acts.push(act);
        }
    }

    /// The journal forgets what a record that hangs on none looked like so far.
    pub fn forget<T: Document>(&mut self, noun: &T) {
        let (tenant, number) = (noun.tenant(), noun.identity().0);
        self.batch.writes.push(Write::Blank { kind: T::KIND, tenant, number });
    }

    /// The audit trail says this too.
    pub fn tell(&mut self, act: Act) {
        self.acts.push(act);
    }

    /// Nothing is written, but the record must not have changed meanwhile.
    pub fn assert<T: Document>(&mut self, read: &Loaded<T>) {
        self.batch.writes.push(Write::Assert {
            kind: T::KIND,
            tenant: read.record.tenant(),
            number: read.record.identity().0,
            revision: read.revision,
        });
    }

    /// The same for a record whose revision alone is known.
    pub(crate) fn assert_revision<T: Document>(&mut self, number: i64, revision: i64) {
        let tenant = self.batch.tenant;
        self.batch.writes.push(Write::Assert { kind: T::KIND, tenant, number, revision });
    }

    /// What the request shall be remembered by under its idempotency key.
    pub fn outcome<T: Document>(&mut self, noun: &T, revision: i64, action: Action) {
        self.outcome = Some(Outcome {
            kind: T::KIND.name.to_owned(),
            root: noun.root(),
            number: noun.identity().0,
            revision,
            action: action.as_str().to_owned(),
            sealed: None,
        });
    }

    /// What a repeat shows beside the record, sealed. To be called after [`Draft::outcome`].
    pub fn seal_outcome(&mut self, sealed: Option<String>) {
        if let Some(outcome) = &mut self.outcome {
            outcome.sealed = sealed;
        }
    }

    fn journal<T: Document>(
        &mut self,
        noun: &T,
        revision: i64,
        action: Action,
        changes: &[&'static str],
        doc: &str,
    ) {
        if !T::JOURNALED {
            return;
        }
        self.batch.entries.push(NewEntry {
            kind: T::KIND.name,
            number: noun.identity().0,
            root: noun.root(),
            revision,
            action: action.as_str(),
            at: self.cx.now.micros(),
            actor: self.cx.actor_name(),
            request: self.cx.request.to_string(),
            changed: changed_json(changes),
            doc: doc.to_owned(),
        });
    }

    /// The batch, with the outcome under the request's idempotency key.
    ///
    /// # Errors
    /// `Internal` when the outcome cannot be written as JSON.
    pub fn into_batch(mut self) -> Result<Batch, Failure> {
        if let (Some(idempotency), Some(outcome)) = (&self.cx.idempotency, &self.outcome) {
            self.batch.answer = Some(Answer {
                key: idempotency.key.clone(),
                operation: idempotency.operation.clone(),
                fingerprint: idempotency.fingerprint.clone(),
                outcome: serde_json::to_string(outcome).map_err(Failure::internal)?,
                at: self.cx.now.micros(),
            });
            self.batch.answer_since =
                self.cx.now.plus_seconds(-idempotency.remembered_seconds).micros();
        }
        Ok(self.batch)
    }

    /// Commits. `false`: another writer was faster, load and decide again.
    ///
    /// # Errors
    /// `Exists` when a unique field is taken, and whatever the store says.
    pub async fn settle(self) -> Result<bool, Failure> {
        let cx = self.cx;
        let mut this = self;
        let acts = std::mem::take(&mut this.acts);
        let mut batch = this.into_batch()?;
        if !batch.dry_run {
            cx.audit_with(&mut batch, acts).await?;
        }
        if batch.writes.is_empty() && batch.answer.is_none() {
            return Ok(true);
        }
        match cx.app.store.commit(batch).await {
            Ok(_) => Ok(true),
            Err(StoreError::Conflict { .. }) => Ok(false),
            Err(error) => Err(refused(error)),
        }
    }
}

/// A refusal of a batch in the words of use cases.
pub(crate) fn refused(error: StoreError) -> Failure {
    match error {
        StoreError::Unique { kind: "customer", column: "reference" } => {
            Failure::Exists { noun: Noun::Customer, field: "reference" }
        }
        StoreError::Unique { kind: "key", column } => {
            Failure::Exists { noun: Noun::Key, field: column }
        }
        other => failure(other),
    }
}

/// What a use case answers when it was raced [`ATTEMPTS_MAX`] times.
pub(crate) fn raced() -> Failure {
    Failure::Unavailable { retry_after_seconds: 1 }
}

fn card_data<T: Document>(noun: &T) -> Found {
    let mut found = Found::new();
    noun.search_cards(&mut found);
    found
}

pub(crate) fn record_of<T: Document>(noun: &T, revision: i64) -> Result<Record, Failure> {
    let (number, uuid) = noun.identity();
    Ok(Record {
        tenant: noun.tenant(),
        number,
        uuid,
        revision,
        columns: noun.columns(),
        doc: noun.document()?,
        terms: noun.terms(),
    })
}

/// Field names are identifiers of our own: they need no escaping.
fn changed_json(changes: &[&'static str]) -> String {
    let mut json = String::from("[");
    for (i, change) in changes.iter().enumerate() {
        if i > 0 {
            json.push(',');
        }
        json.push('"');
        json.push_str(change);
        json.push('"');
    }
    json.push(']');
    json
}
