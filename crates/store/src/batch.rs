//! A batch: writes that stand or fall together. Everything one request changes is one batch:
//! records, their search terms, the journal entries and the outcome under an idempotency key.

use uuid::Uuid;

use crate::doc::Known;
use crate::increment::BLANKED_TENANT;
use crate::{Doc, Kind, Shape, StoreError, Value};

/// The tenant of the deployment's own records.
const DEPLOYMENT: i64 = 0;

/// A record as it is written.
#[derive(Debug, Clone)]
pub struct Record {
    /// Space it belongs to; 0 for records of the deployment itself.
    pub tenant: i64,
    /// Number, unique in the whole deployment.
    pub number: i64,
    /// UUID, unique in the whole deployment.
    pub uuid: Uuid,
    /// Compare-and-set counter: 1 on insert, one more on each replace.
    pub revision: i64,
    /// Values of the declared columns, in the order of [`Kind::columns`].
    pub columns: Vec<Value>,
    /// The document (JSON).
    pub doc: Doc,
    /// Sorted, distinct free-text terms; empty for kinds without terms.
    pub terms: Vec<String>,
}

/// A record as it is read.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Space it belongs to.
    pub tenant: i64,
    /// Number.
    pub number: i64,
    /// UUID.
    pub uuid: Uuid,
    /// Compare-and-set counter.
    pub revision: i64,
    /// The document (JSON), byte for byte as written.
    pub doc: Doc,
}

impl Row {
    /// The record with its declared columns, and no terms yet.
    pub(crate) fn with(self, columns: Vec<Value>) -> Record {
        let Row { tenant, number, uuid, revision, doc } = self;
        Record { tenant, number, uuid, revision, columns, doc, terms: Vec::new() }
    }
}

/// One change in a [`Batch`].
#[derive(Debug, Clone)]
pub enum Write {
    /// A new record. Refused with [`crate::StoreError::Unique`] when a unique column is taken.
    Insert {
        /// Kind of the record.
        kind: &'static Kind,
        /// The record.
        record: Record,
    },
    /// A new state of a record whose revision is still `after.revision - 1`, otherwise
    /// [`crate::StoreError::Conflict`]. Only what differs is written: columns by comparison of
    /// `before_columns` with `after.columns`, terms where `before_terms` and `after.terms` differ.
    Replace {
        /// Kind of the record.
        kind: &'static Kind,
        /// The record as it shall be.
        after: Record,
        /// The declared columns as they were read.
        before_columns: Vec<Value>,
        /// The terms as they were.
        before_terms: Vec<String>,
    },
    /// What is derived of a record is written anew, whatever it was: columns, terms, and the
    /// document with its face. The revision stays and must still be `record.revision`, otherwise
    /// [`crate::StoreError::Conflict`]; the record itself must say the same as before.
    Derive {
        /// Kind of the record.
        kind: &'static Kind,
        /// The record as it shall be.
        record: Record,
    },
    /// Removes a record whose revision is still `revision`, and its terms.
    Remove {
        /// Kind of the record.
        kind: &'static Kind,
        /// Space.
        tenant: i64,
        /// Number.
        number: i64,
        /// Revision it must still have.
        revision: i64,
    },
    /// Nothing is written; the batch is refused with `Conflict` unless the record still has this revision.
    Assert {
        /// Kind of the record.
        kind: &'static Kind,
        /// Space.
        tenant: i64,
        /// Number.
        number: i64,
        /// Revision it must still have.
        revision: i64,
    },
    /// The journal forgets what a record of the deployment (tenant 0) that hangs on none looked
    /// like: the documents of its entries so far become [`EMPTY`], everything else about them
    /// stays. Entries of the same batch are not touched. Whoever removes such a record blanks it in
    /// the same batch: a backup of what changed tells by that what is gone.
    Blank {
        /// Kind of the record.
        kind: &'static Kind,
        /// Tenant in whose journal the entries are.
        tenant: i64,
        /// Number.
        number: i64,
    },
}

impl Write {
    /// The record that is written.
    fn record(&mut self) -> Option<&mut Record> {
        match self {
            Write::Insert { record, .. }
            | Write::Replace { after: record, .. }
            | Write::Derive { record, .. } => Some(record),
            Write::Remove { .. } | Write::Assert { .. } | Write::Blank { .. } => None,
        }
    }
}

/// The document of an entry whose record was forgotten (see [`Write::Blank`]).
pub const EMPTY: &str = "{}";

/// Other records one journal entry may be related to, at most.
pub const RELATED_MAX: usize = 16;

/// A journal entry as it is written; its position is given out by the store.
#[derive(Debug, Clone)]
pub struct NewEntry {
    /// Name of the kind that changed.
    pub kind: &'static str,
    /// Number of the record that changed.
    pub number: i64,
    /// Number of the record it hangs on (a customer); its own number when it hangs on none.
    pub subject: i64,
    /// Numbers of other records whose history shows it, at most [`RELATED_MAX`].
    pub related: Vec<i64>,
    /// Revision after the change.
    pub revision: i64,
    /// What happened, in past tense: `created`, `updated`, …
    pub action: &'static str,
    /// When, in microseconds since the epoch.
    pub at: i64,
    /// Who: key and, where known, person.
    pub actor: String,
    /// Request that caused it.
    pub request: String,
    /// Names of the changed fields, as a JSON array.
    pub changed: String,
    /// The document after the change.
    pub doc: Doc,
}

/// A journal entry as it is read.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Space.
    pub tenant: i64,
    /// Position in the space's journal: 1, 2, 3, … without gaps, in commit order.
    pub seq: i64,
    /// Kind that changed.
    pub kind: String,
    /// Number of the record that changed.
    pub number: i64,
    /// Number of the record it hangs on; its own number when it hangs on none.
    pub subject: i64,
    /// Numbers of other records whose history shows it.
    pub related: Vec<i64>,
    /// Revision after the change.
    pub revision: i64,
    /// What happened.
    pub action: String,
    /// When, in microseconds since the epoch.
    pub at: i64,
    /// Who.
    pub actor: String,
    /// Request that caused it.
    pub request: String,
    /// Names of the changed fields, as a JSON array.
    pub changed: String,
    /// The document after the change.
    pub doc: String,
}

/// The outcome of a request under an idempotency key: enough to render the same answer again.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The key as the caller sent it.
    pub key: String,
    /// Operation id it was used with.
    pub operation: String,
    /// Fingerprint of the request.
    pub fingerprint: String,
    /// What came of it (JSON), opaque to the store.
    pub outcome: String,
    /// When, in microseconds since the epoch.
    pub at: i64,
}

/// Writes that stand or fall together.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Space whose journal and idempotency keys are meant.
    pub tenant: i64,
    /// Changes of records.
    pub writes: Vec<Write>,
    /// Journal entries, in order.
    pub entries: Vec<NewEntry>,
    /// Outcome to keep under an idempotency key. Refused with
    /// [`crate::StoreError::Answered`] when the key has an answer younger than `answer_since`.
    pub answer: Option<Answer>,
    /// Answers older than this (microseconds since the epoch) count as forgotten and are replaced.
    pub answer_since: i64,
    /// Check everything, then undo it.
    pub dry_run: bool,
}

/// The numbers an entry is found by beside its subject's: its own record's and those it is related
/// to, each once.
fn mentions(subject: i64, number: i64, related: &[i64]) -> impl Iterator<Item = i64> + '_ {
    let own = (number != subject).then_some(number);
    let others = related.iter().enumerate().filter_map(move |(at, other)| {
        let is_told = *other == subject || *other == number || related[..at].contains(other);
        (!is_told).then_some(*other)
    });
    own.into_iter().chain(others)
}

/// The list as it is stored: numbers with commas between them; nothing for none.
pub(crate) fn related_text(related: &[i64]) -> String {
    let numbers: Vec<String> = related.iter().map(i64::to_string).collect();
    numbers.join(",")
}

/// The list from its text.
pub(crate) fn related_from(text: &str) -> Result<Vec<i64>, StoreError> {
    let numbers = text.split(',').filter(|number| !number.is_empty()).map(str::parse);
    numbers.collect::<Result<_, _>>().map_err(|_| {
        StoreError::Engine(format!("a journal entry is related to what is no number: {text}"))
    })
}

impl Entry {
    /// The numbers it is found by beside its subject's.
    pub(crate) fn mentions(&self) -> impl Iterator<Item = i64> + '_ {
        mentions(self.subject, self.number, &self.related)
    }
}

impl NewEntry {
    /// The numbers it is found by beside its subject's.
    pub(crate) fn mentions(&self) -> impl Iterator<Item = i64> + '_ {
        mentions(self.subject, self.number, &self.related)
    }

    /// The entry at the place it got.
    pub(crate) fn at_position(self, tenant: i64, seq: i64) -> Result<Entry, StoreError> {
        Ok(Entry {
            doc: self.doc.whole()?.into_owned(),
            tenant,
            seq,
            kind: self.kind.to_owned(),
            number: self.number,
            subject: self.subject,
            related: self.related,
            revision: self.revision,
            action: self.action.to_owned(),
            at: self.at,
            actor: self.actor,
            request: self.request,
            changed: self.changed,
        })
    }
}

impl Batch {
    /// Packs the documents of entries, and those of records of spaces where that is asked for: the
    /// deployment's own are few, and read all the time. What both say is packed once.
    pub(crate) fn pack(&mut self, with_records: bool) {
        let mut known = Known::default();
        self.entries.iter_mut().for_each(|entry| entry.doc.pack(&mut known));
        let records = self.writes.iter_mut().filter(|_| with_records).filter_map(Write::record);
        let records = records.filter(|record| is_packed(record.tenant));
        records.for_each(|record| record.doc.pack(&mut known));
    }

    /// Refuses what no engine could keep, before any engine sees it: the wrong number of columns,
    /// terms on a kind without terms, the NUL character, which PostgreSQL has no place for, and too
    /// many related records.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        for write in &self.writes {
            if let Write::Blank { tenant, .. } = write
                && *tenant != BLANKED_TENANT
            {
                let what = "only what the journal knows of the deployment can be blanked";
                return Err(StoreError::Engine(what.to_owned()));
            }
            let (Write::Insert { kind, record }
            | Write::Replace { kind, after: record, .. }
            | Write::Derive { kind, record }) = write
            else {
                continue;
            };
            check_record(kind, record)?;
        }
        match self.entries.iter().find(|entry| entry.related.len() > RELATED_MAX) {
            Some(entry) => Err(StoreError::Engine(format!(
                "a journal entry of {} {} is related to more than {RELATED_MAX} records",
                entry.kind, entry.number
            ))),
            None => Ok(()),
        }
    }
}

/// Whether records of a tenant are packed, where records are.
pub(crate) fn is_packed(tenant: i64) -> bool {
    tenant != DEPLOYMENT
}

fn check_record(kind: &Kind, record: &Record) -> Result<(), StoreError> {
    let refuse =
        |what: &str| Err(StoreError::Engine(format!("{} {}: {what}", kind.name, record.number)));
    if record.columns.len() != kind.columns.len() {
        return refuse("not one value per declared column");
    }
    for (column, value) in kind.columns.iter().zip(&record.columns) {
        match (column.shape, value) {
            (_, Value::Null) | (Shape::Int, Value::Int(_)) => {}
            (Shape::Text, Value::Text(text)) if !text.contains('\0') => {}
            _ => return refuse("a column cannot hold its value"),
        }
    }
    if !kind.terms && !record.terms.is_empty() {
        return refuse("this kind keeps no terms");
    }
    if record.terms.iter().any(|term| term.contains('\0')) {
        return refuse("a term has a NUL character");
    }
    // What is packed already was looked at before it was.
    if has_nul_escape(record.doc.parts().0) {
        return refuse("the document has a NUL character");
    }
    Ok(())
}

/// Whether a JSON text spells a NUL character: `\u0000` behind an even number of backslashes.
fn has_nul_escape(doc: &str) -> bool {
    doc.match_indices("\\u0000").any(|(at, _)| {
        let backslashes = doc.as_bytes()[..at].iter().rev().take_while(|b| **b == b'\\').count();
        backslashes % 2 == 0
    })
}
