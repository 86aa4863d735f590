//! The writing half: rows beside the customers who are there.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_recursion::async_recursion;
use patron_model::{
    Failure, Identity, Noun, Patch, Problems, Why, customer::Customer, event::CustomerEvent,
};

use super::Row;
use crate::{
    Cx,
    commit::Saved,
    customers::{self, Missed, Step},
    record::{self, Loaded},
    search::{Field, Filter, Query, customer as fields},
};

/// Customers looked for at a time.
const KEYS_TOGETHER: usize = 250;
/// Rounds that are lost to other writers before a chunk is given up.
const RACES_MAX: usize = 32;

/// By what a row and a customer are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Match {
    /// The merchant's own id.
    #[default]
    Reference,
    /// The number that the server gave.
    Number,
    /// The e-mail address, in lower case. Where several customers have it the row is refused.
    Email,
}

impl Match {
    /// The field it looks at.
    pub fn as_str(self) -> &'static str {
        match self {
            Match::Reference => "reference",
            Match::Number => "number",
            Match::Email => "email",
        }
    }
}

/// What becomes of a row whose customer is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnConflict {
    /// The customer becomes what the row says; what it does not say stays.
    Update,
    /// The customer stays.
    Skip,
    /// The row is refused.
    #[default]
    Fail,
}

/// What an import is to do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// By what customers are found.
    pub by: Match,
    /// What becomes of those that are found.
    pub on_conflict: OnConflict,
    /// Name of the file by its content: a row is imported once from it, however often it is read.
    pub source: String,
}

/// What became of a row.
#[derive(Debug)]
pub enum Verdict {
    /// A new customer, by number.
    Imported(i64),
    /// The customer was changed.
    Updated(i64),
    /// The customer is what the row says already.
    Unchanged(i64),
    /// The customer is there and stays as it is.
    Skipped(i64),
    /// An earlier run over the same file has imported it.
    Known,
    /// It is refused.
    Refused(Failure),
}

/// What a row and a customer have in common.
type Key = String;

/// Writes rows. What the context says holds for all of them; its dry run too.
pub struct Writing {
    cx: Cx,
    plan: Plan,
}

/// A chunk of rows under way.
struct Chunk<'a> {
    cx: Cx,
    rows: &'a [(u64, Row)],
    verdicts: Vec<Option<Verdict>>,
}

impl Writing {
    /// An import in the space of the context.
    pub fn new(cx: Cx, plan: Plan) -> Writing {
        Writing { cx, plan }
    }

    /// Writes some rows, each with its number: a verdict for each, in their order. Of two with the
    /// same key the first is written first.
    ///
    /// # Errors
    /// `Unavailable` or `Internal`, when nothing more can be written; some of them may be.
    #[async_recursion]
    pub async fn rows(&self, rows: &[(u64, Row)]) -> Result<Vec<Verdict>, Failure> {
        // Each chunk is a moment of its own: an import may take long.
        let cx = Cx { now: self.cx.app.clock.now(), ..self.cx.clone() };
        let verdicts = rows.iter().map(|_| None).collect();
        let mut chunk = Chunk { cx, rows, verdicts };
        let mut pending: Vec<usize> = (0..rows.len()).collect();
        for _ in 0..rows.len() + RACES_MAX {
            if pending.is_empty() {
                break;
            }
            pending = self.round(&mut chunk, pending).await?;
        }
        let lost = || Failure::Unavailable { retry_after_seconds: 1 };
        chunk.verdicts.into_iter().map(|verdict| verdict.ok_or_else(lost)).collect()
    }

    /// Writes what it can of the pending rows and answers those that are left for another round:
    /// those whose key came before, and those another writer was faster with.
    async fn round(
        &self,
        chunk: &mut Chunk<'_>,
        pending: Vec<usize>,
    ) -> Result<Vec<usize>, Failure> {
        let mut seen = HashSet::new();
        let (now, mut later): (Vec<usize>, Vec<usize>) = pending
            .into_iter()
            .partition(|at| self.key(&chunk.rows[*at].1).is_none_or(|key| seen.insert(key)));
        let mut found = match (self.plan.on_conflict, self.plan.by) {
            // The store itself refuses a reference that is taken.
            (OnConflict::Fail, Match::Reference) => HashMap::new(),
            _ => self.find(&chunk.cx, seen.into_iter().collect()).await?,
        };
        let (mut steps, mut places) = (Vec::new(), Vec::new());
        for at in now {
            let there = self.key(&chunk.rows[at].1).and_then(|key| found.remove(&key));
            match self.step(chunk, at, there.unwrap_or_default()) {
                Ok(step) => {
                    steps.push(step);
                    places.push(at);
                }
                Err(verdict) => chunk.verdicts[at] = Some(verdict),
            }
        }
        let is_new: Vec<bool> =
            steps.iter().map(|(_, step)| matches!(step, Step::Create(_))).collect();
        let made = customers::write_many(steps).await;
        for ((at, is_new), made) in places.into_iter().zip(is_new).zip(made) {
            match self.verdict(made, is_new)? {
                Some(verdict) => chunk.verdicts[at] = Some(verdict),
                None => later.push(at),
            }
        }
        later.sort_unstable();
        Ok(later)
    }

    /// What a row has in common with its customer.
    fn key(&self, row: &Row) -> Option<Key> {
        match self.plan.by {
            Match::Number => row.number.map(|number| number.to_string()),
            Match::Reference => match &row.patch.reference {
                Patch::Set(reference) => Some(reference.as_str().to_owned()),
                Patch::Keep | Patch::Clear => None,
            },
            Match::Email => match &row.patch.email {
                Patch::Set(email) => Some(email.key()),
                Patch::Keep | Patch::Clear => None,
            },
        }
    }

    fn key_of(&self, customer: &Customer) -> Option<Key> {
        match self.plan.by {
            Match::Number => Some(customer.number.to_string()),
            Match::Reference => customer.reference.as_ref().map(|r| r.as_str().to_owned()),
            Match::Email => customer.email.as_ref().map(|email| email.key()),
        }
    }

    /// What a row asks for, or what becomes of it without anything being written.
    fn step(
        &self,
        chunk: &Chunk<'_>,
        at: usize,
        mut there: Vec<Loaded<Customer>>,
    ) -> Result<(Cx, Step), Verdict> {
        let (number, row) = &chunk.rows[at];
        let Some(customer) = there.pop() else {
            if self.plan.by == Match::Number && row.number.is_some() {
                return Err(Verdict::Refused(Failure::NotFound { noun: Noun::Customer }));
            }
            return Ok((self.marked(chunk, *number), Step::Create(row.clone().into_new())));
        };
        let field = self.plan.by.as_str();
        if !there.is_empty() {
            let why = Why::Malformed { expected: "something that only one customer has" };
            return Err(Verdict::Refused(Failure::Invalid(Problems::one(field, why))));
        }
        match self.plan.on_conflict {
            OnConflict::Skip => Err(Verdict::Skipped(customer.number)),
            OnConflict::Fail => {
                let holder = Identity { number: customer.number, uuid: customer.uuid };
                let noun = Noun::Customer;
                Err(Verdict::Refused(Failure::Exists { noun, field, holder: Some(holder) }))
            }
            OnConflict::Update => {
                let patch = row.clone().into_change(&customer);
                Ok((chunk.cx.clone(), Step::Change(Box::new(customer), patch)))
            }
        }
    }

    /// A context that marks the row, so that it is imported once however often the file is.
    fn marked(&self, chunk: &Chunk<'_>, row: u64) -> Cx {
        let cx = &chunk.cx;
        let key = format!("import/{}/{row}", self.plan.source);
        let mark = (!cx.dry_run).then(|| Arc::new(cx.app.mark(cx.space, &key, "import")));
        Cx { idempotency: mark, ..cx.clone() }
    }

    /// What became of a step; none: it is to be decided once more.
    fn verdict(
        &self,
        made: Result<Saved<Customer>, Missed>,
        is_new: bool,
    ) -> Result<Option<Verdict>, Failure> {
        let is_by_reference = self.plan.by == Match::Reference;
        let may_be_there = self.plan.on_conflict != OnConflict::Fail && is_by_reference && is_new;
        Ok(Some(match made {
            Ok(saved) => match saved.event {
                Some(CustomerEvent::Created) => Verdict::Imported(saved.number),
                Some(_) => Verdict::Updated(saved.number),
                None => Verdict::Unchanged(saved.number),
            },
            Err(Missed::Raced) => return Ok(None),
            // Somebody else has made it since it was looked for.
            Err(Missed::Refused(Failure::Exists { .. })) if may_be_there => return Ok(None),
            Err(Missed::Refused(Failure::InFlight)) => Verdict::Known,
            Err(Missed::Refused(
                failure @ (Failure::Unavailable { .. } | Failure::Internal(_)),
            )) => return Err(failure),
            Err(Missed::Refused(failure)) => Verdict::Refused(failure),
        }))
    }

    /// The living customers with these keys; of those with the same one two are enough.
    async fn find(
        &self,
        cx: &Cx,
        keys: Vec<Key>,
    ) -> Result<HashMap<Key, Vec<Loaded<Customer>>>, Failure> {
        let mut found: HashMap<Key, Vec<Loaded<Customer>>> = HashMap::new();
        for keys in keys.chunks(KEYS_TOGETHER) {
            let page = self.page(cx, keys, 2 * KEYS_TOGETHER).await?;
            let mut items = page.items;
            if page.more {
                // Some have the same: two of each are looked at.
                items.clear();
                for key in keys {
                    items.extend(self.page(cx, std::slice::from_ref(key), 2).await?.items);
                }
            }
            for customer in items {
                if let Some(key) = self.key_of(&customer) {
                    found.entry(key).or_default().push(customer);
                }
            }
        }
        Ok(found)
    }

    async fn page(
        &self,
        cx: &Cx,
        keys: &[Key],
        limit: usize,
    ) -> Result<record::Page<Customer>, Failure> {
        let field = match self.plan.by {
            Match::Number => Field::Number,
            Match::Reference => Field::Column("reference"),
            Match::Email => fields::email_key(),
        };
        let values = keys.iter().filter_map(|key| match self.plan.by {
            Match::Number => key.parse::<i64>().ok().map(Into::into),
            Match::Reference | Match::Email => Some(key.as_str().into()),
        });
        let predicate = Filter::OneOf(field, values.collect()).and(fields::living());
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        record::page(cx, &Query { predicate, limit, ..Query::of(cx.space) }).await
    }
}
