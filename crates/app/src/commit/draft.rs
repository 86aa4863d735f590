//! What a use case notes: writes that are made together, and what the request is answered with.

use std::cell::Cell;

use patron_model::{Event, Failure, Identity, Ids, card::Found, country::Country};
use patron_store::{Answer, Batch, Doc, NewEntry, Record, StoreError, Write};

use super::{Saved, Settled, claims::Claims};
use crate::{
    Cx,
    audit::{self, Act},
    customers::CUSTOMER,
    documents::Document,
    failure,
    idempotency::Outcome,
    ids::new_uuid,
    record::Loaded,
    statistics::OfCustomers,
};

/// Times that a unique value may be taken by somebody faster, before it counts as somebody else's.
const TAKEN_RACES_MAX: usize = 8;

/// Writes that are to be made together, and what the request is answered with.
pub struct Draft<'a> {
    cx: &'a Cx,
    /// The country of the space.
    pub(super) home: Option<Country>,
    batch: Batch,
    outcome: Option<Outcome>,
    /// What a repeat shows beside the records, sealed.
    sealed: Option<String>,
    /// What the audit trail will say: of every change of the deployment's records.
    acts: Vec<Act>,
    /// Numbers that were not at hand: reserved before it is decided once more.
    pub(super) missing: Cell<i64>,
    is_taken_raced: bool,
    /// How often it was decided before.
    pub(super) attempt: usize,
}

/// What a use case has decided: the writes, and what it answers.
pub struct Decision<'a, S> {
    pub(super) draft: Draft<'a>,
    pub(super) answer: S,
}

/// What became of a draft.
pub(super) enum Verdict {
    Committed,
    /// Load and decide again.
    Again,
}

impl Cx {
    /// An empty draft.
    pub(crate) fn draft(&self) -> Draft<'_> {
        let batch = Batch { tenant: self.space, dry_run: self.dry_run, ..Batch::default() };
        Draft {
            cx: self,
            home: None,
            batch,
            outcome: None,
            sealed: None,
            acts: Vec::new(),
            missing: Cell::new(0),
            is_taken_raced: false,
            attempt: 0,
        }
    }
}

impl Ids for Draft<'_> {
    /// Where none is at hand, the draft is not committed, and it is decided once more.
    fn next(&self) -> Identity {
        let number = self.cx.app.take_number().unwrap_or_else(|| {
            self.missing.set(self.missing.get() + 1);
            0
        });
        Identity { number, uuid: new_uuid() }
    }
}

impl<'a> Draft<'a> {
    /// Decides for a new record.
    ///
    /// # Errors
    /// As [`Draft::insert`].
    pub fn create<T: Document>(mut self, noun: T) -> Result<Decision<'a, Saved<T>>, Failure> {
        let saved = self.inserted(noun)?;
        Ok(self.answering(saved))
    }

    /// As [`Draft::insert`], for a record that is to be answered.
    pub(crate) fn inserted<T: Document>(&mut self, noun: T) -> Result<Saved<T>, Failure> {
        let noun = noun.read_in(self.home.as_ref());
        self.insert(&noun)?;
        let event = Some(T::Event::CREATED);
        Ok(Saved { record: noun, revision: 1, event, replayed: false })
    }

    /// Decides for a changed record; no changes mean that nothing is written.
    ///
    /// # Errors
    /// As [`Draft::replace`].
    pub fn change<T: Document>(
        mut self,
        before: &Loaded<T>,
        after: T,
        event: T::Event,
        changes: &[&'static str],
    ) -> Result<Decision<'a, Saved<T>>, Failure> {
        if changes.is_empty() {
            return Ok(self.keep(Loaded { record: after, revision: before.revision }));
        }
        let saved = self.replaced(before, after, event, changes)?;
        Ok(self.answering(saved))
    }

    /// As [`Draft::replace`], for a record that is to be answered.
    pub(crate) fn replaced<T: Document>(
        &mut self,
        before: &Loaded<T>,
        after: T,
        event: T::Event,
        changes: &[&'static str],
    ) -> Result<Saved<T>, Failure> {
        let after = after.read_in(self.home.as_ref());
        self.replace(before, &after, event, changes)?;
        let revision = before.revision + 1;
        Ok(Saved { record: after, revision, event: Some(event), replayed: false })
    }

    /// Decides to leave a record as it is.
    pub fn keep<T: Document>(self, as_it_is: Loaded<T>) -> Decision<'a, Saved<T>> {
        let Loaded { record, revision } = as_it_is;
        self.answering(Saved { record, revision, event: None, replayed: false })
    }

    /// Decides for what is noted, answered with this.
    pub(crate) fn answering<S: Settled>(self, answer: S) -> Decision<'a, S> {
        Decision { draft: self, answer }
    }

    /// Whether it is decided once more because another writer was faster.
    pub(crate) fn is_again(&self) -> bool {
        self.attempt > 0
    }

    /// A unique value that is taken means that another writer was faster: it is decided once more.
    /// What is taken again and again is not raced, and refused.
    pub fn taken_is_raced(&mut self) {
        self.is_taken_raced = true;
    }

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
        let created = T::Event::CREATED;
        self.journal(noun, 1, created, &[], &record.doc)?;
        if T::JOURNALED && audit::is_told(T::KIND, noun.tenant()) {
            self.acts.push(audit::change(noun, created.as_str(), Vec::new()));
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
        event: T::Event,
        changes: &[&'static str],
    ) -> Result<(), Failure> {
        let found = card_data(after);
        if !found.is_empty() {
            let found = found.beyond(&card_data(&before.record));
            found.into_problems().into_result()?;
        }
        let read = before.record.reread(self.home.as_ref());
        if let Some(read) = &read {
            // It was read while its space had another country, or by an earlier version. Whatever
            // is derived of it by now is what this change builds on.
            let record = record_of(read, before.revision)?;
            self.batch.writes.push(Write::Derive { kind: T::KIND, record });
        }
        let read = read.as_ref().unwrap_or(&before.record);
        let record = record_of(after, before.revision + 1)?;
        self.journal(after, record.revision, event, changes, &record.doc)?;
        if T::JOURNALED && audit::is_told(T::KIND, after.tenant()) {
            let names = audit::changed_names(&before.record, after);
            self.acts.push(audit::change(after, event.as_str(), names));
        }
        self.rewrite(read, after, record);
        Ok(())
    }

    fn rewrite<T: Document>(&mut self, before: &T, after: &T, record: Record) {
        self.batch.writes.push(Write::Replace {
            kind: T::KIND,
            before_columns: before.columns(),
            before_terms: before.terms_beside(after, &record.terms),
            after: record,
        });
    }

    /// Nothing of a record changes, but its row is written and the journal says why: whoever
    /// decided something by what it was is noticed, and decides again. The audit trail is not told.
    ///
    /// # Errors
    /// `Internal` when it cannot be written as JSON.
    pub fn touch<T: Document>(
        &mut self,
        read: &Loaded<T>,
        event: T::Event,
        changes: &[&'static str],
    ) -> Result<(), Failure> {
        let record = record_of(&read.record, read.revision + 1)?;
        self.journal(&read.record, record.revision, event, changes, &record.doc)?;
        self.rewrite(&read.record, &read.record, record);
        Ok(())
    }

    /// A record that hangs on none goes for good, and the journal forgets what it looked like.
    pub fn remove<T: Document>(&mut self, read: &Loaded<T>) {
        let (tenant, number) = (read.record.tenant(), read.record.identity().0);
        self.forget(&read.record);
        let revision = read.revision;
        self.batch.writes.push(Write::Remove { kind: T::KIND, tenant, number, revision });
        if T::JOURNALED && audit::is_told(T::KIND, tenant) {
            let act = audit::change(&read.record, "deleted", Vec::new());
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

    /// The change noted last is in the history of this record too, which it does not name itself.
    pub fn relate(&mut self, number: i64) {
        if let Some(entry) = self.batch.entries.last_mut() {
            entry.related.push(number);
        }
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
        let tenant = T::home(self.batch.tenant);
        self.batch.writes.push(Write::Assert { kind: T::KIND, tenant, number, revision });
    }

    /// What the request shall be remembered by under its idempotency key.
    pub(super) fn answer(&mut self, answer: &impl Settled) {
        if self.cx.idempotency.is_none() {
            return;
        }
        self.outcome = Some(Outcome { records: answer.touched(), sealed: self.sealed.take() });
    }

    fn journal<T: Document>(
        &mut self,
        noun: &T,
        revision: i64,
        event: T::Event,
        changes: &[&'static str],
        doc: &Doc,
    ) -> Result<(), Failure> {
        if !T::JOURNALED {
            return Ok(());
        }
        self.batch.entries.push(NewEntry {
            kind: T::KIND.name,
            number: noun.identity().0,
            subject: noun.subject(),
            related: noun.related(),
            revision,
            action: event.as_str(),
            at: self.cx.now.micros(),
            actor: self.cx.actor_name(),
            request: self.cx.request.to_string(),
            changed: changed_json(changes),
            doc: doc.faceless().map_err(failure)?.into_owned().into(),
        });
        Ok(())
    }

    /// The batch, with the outcome under the request's idempotency key.
    ///
    /// # Errors
    /// `Internal` when the outcome cannot be written as JSON.
    pub(crate) fn into_batch(mut self) -> Result<Batch, Failure> {
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

    /// Commits, unless another writer was faster.
    pub(super) async fn commit(mut self) -> Result<Verdict, Failure> {
        let cx = self.cx;
        if self.missing.get() > 0 {
            cx.app.reserve_numbers(self.missing.get()).await?;
            return Ok(Verdict::Again);
        }
        let acts = std::mem::take(&mut self.acts);
        let opens_other_doors = !acts.is_empty();
        let is_taken_raced = self.is_taken_raced && self.attempt < TAKEN_RACES_MAX;
        let mut batch = self.into_batch()?;
        if opens_other_doors && !batch.dry_run {
            // On the heap, as few changes are those of accounts, spaces and keys.
            Box::pin(cx.audit_with(&mut batch, acts)).await?;
        }
        if batch.writes.is_empty() && batch.answer.is_none() {
            return Ok(Verdict::Committed);
        }
        let claims = Claims::of(&batch);
        let changed = faces_of(&batch);
        let counted = OfCustomers::of(&batch);
        match cx.app.store.commit(batch).await {
            Ok(_) => {
                changed.into_iter().for_each(|number| cx.app.faces.forget(number));
                cx.app.count_customers(counted, cx.now);
                if opens_other_doors {
                    cx.app.callers.forget();
                }
                Ok(Verdict::Committed)
            }
            Err(StoreError::Conflict { .. }) => Ok(Verdict::Again),
            Err(StoreError::Unique { .. }) if is_taken_raced => Ok(Verdict::Again),
            Err(error) => Err(Box::pin(claims.refused(cx, error)).await),
        }
    }
}

impl<S> Decision<'_, S> {
    /// The same, and a repeat shows this beside the records, sealed.
    #[must_use]
    pub(crate) fn sealing(mut self, sealed: Option<String>) -> Self {
        self.draft.sealed = sealed;
        self
    }
}

/// Customers that a batch changes: what was rendered of them needs not stay in memory.
fn faces_of(batch: &Batch) -> Vec<i64> {
    let number = |write: &Write| match write {
        Write::Replace { kind, after, .. } if kind.name == CUSTOMER.name => Some(after.number),
        Write::Replace { .. }
        | Write::Insert { .. }
        | Write::Derive { .. }
        | Write::Remove { .. }
        | Write::Blank { .. }
        | Write::Assert { .. } => None,
    };
    batch.writes.iter().filter_map(number).collect()
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
        doc: noun.document()?.into(),
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
