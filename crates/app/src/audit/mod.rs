//! The audit trail: who was let in or refused, who changed what about access, who took data away.
//!
//! An entry is a record of the deployment and an entry of its journal, written in one batch.
//! Changes of accounts, spaces and keys get theirs from [`crate::Draft`], in the batch of the
//! change, so that no use case can forget it. Refusals come from the gateway through
//! [`App::refused`] and are written in the background, folded ([`refusals`]). What only reads or
//! copies says so with [`note`]. Nothing changes an entry; [`forget_old`] removes those that are
//! too old.

mod reading;
pub mod refusals;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use async_recursion::async_recursion;
use patron_model::{
    Failure, Timestamp,
    audit::{AuditActor, AuditEntry, AuditOutcome, AuditTarget, Receipt, kept_agent},
    card::{Found, contains_number},
    event::{AuditEvent, Event as _},
};
use patron_store::{Batch, Column, Index, Kind, NewEntry, Value, Write};

pub use self::reading::{Wanted, after, get, list};
use crate::{
    Actor, App, Cx,
    commit::record_of,
    documents::{DEPLOYMENT, Document, named},
    failure,
    ids::new_uuid,
    search::{Compare, Field, Filter, Order, Query},
};

/// Entries of the audit trail.
pub static AUDIT: Kind = Kind {
    name: "audit",
    columns: &[
        Column::int("account", Index::Ordered),
        Column::int("at", Index::Ordered),
        Column::int("space", Index::None),
        Column::text("actor", Index::None),
        Column::text("action", Index::None),
        Column::text("outcome", Index::None),
        Column::text("address", Index::None),
    ],
    terms: false,
};

/// Days that entries are kept at least.
pub const KEEP_DAYS_MIN: i64 = 400;
/// Numbers of entries reserved at a time.
const NUMBERS: i64 = 100;
/// The counter's name in the store.
const COUNTER: &str = "audit";
/// Customers that one entry about reading names at most; more of them take further entries.
const READS_NAMED_MAX: usize = 500;
/// Old entries removed in one transaction.
const FORGOTTEN_AT_ONCE: u32 = 200;
/// How deep names of changed members go.
const CHANGED_DEPTH_MAX: usize = 3;
/// Names of changed members that one entry lists at most.
const CHANGED_MAX: usize = 50;

/// Where a request came from. Asked only when an entry is written.
pub trait Origin: Send + Sync {
    /// Name of the API.
    fn via(&self) -> &str;
    /// Id of the operation.
    fn operation(&self) -> &str;
    /// Address of the client.
    fn address(&self) -> Option<IpAddr>;
    /// What the client calls itself, as sent.
    fn agent(&self) -> Option<&str>;
}

/// What happened, beside who, when and from where.
#[derive(Debug, Clone, Default)]
pub struct Act {
    /// Noun and what happened, in past tense.
    pub action: String,
    /// Account it belongs to; none: the deployment.
    pub account: Option<i64>,
    /// Space it is about.
    pub space: Option<i64>,
    /// What it was done to.
    pub target: Option<AuditTarget>,
    /// Names of what changed.
    pub changed: Vec<String>,
    /// How many.
    pub count: Option<u64>,
    /// What went with a deleted space.
    pub receipt: Option<Receipt>,
}

/// Numbers for entries.
#[derive(Default)]
pub(crate) struct Numbers(Mutex<Range<i64>>);

impl Numbers {
    fn next(&self) -> Option<i64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).next()
    }
}

impl App {
    async fn audit_number(&self) -> Result<i64, Failure> {
        loop {
            if let Some(number) = self.audit_numbers.next() {
                return Ok(number);
            }
            let block = self.store.reserve(COUNTER, NUMBERS).await.map_err(failure)?;
            *self.audit_numbers.0.lock().unwrap_or_else(PoisonError::into_inner) = block;
        }
    }

    /// Writes entries, all or none.
    ///
    /// # Errors
    /// Whatever the store says.
    pub(crate) async fn write_audit(&self, entries: &[AuditEntry]) -> Result<(), Failure> {
        let mut batch = Batch { tenant: DEPLOYMENT, ..Batch::default() };
        for entry in entries {
            push(&mut batch, entry)?;
        }
        self.store.commit(batch).await.map(|_| ()).map_err(failure)
    }
}

/// Adds an entry to a batch of the deployment: the record, and what the journal says.
fn push(batch: &mut Batch, entry: &AuditEntry) -> Result<(), Failure> {
    // What a stranger calls his program is kept as it came, but no card number is; the entry must
    // be written all the same.
    let agent = entry.agent.as_deref().filter(|agent| !contains_number(agent));
    let entry = &AuditEntry { agent: agent.map(str::to_owned), ..entry.clone() };
    let record = record_of(entry, 1)?;
    batch.entries.push(NewEntry {
        kind: AUDIT.name,
        number: entry.number,
        subject: entry.number,
        related: Vec::new(),
        revision: 1,
        action: AuditEvent::Created.as_str(),
        at: entry.at.micros(),
        actor: match &entry.actor {
            known @ (AuditActor::Key { .. } | AuditActor::User { .. }) => known.word(),
            AuditActor::Operator { .. } => "operator".to_owned(),
            AuditActor::Stranger { .. } => "anonymous".to_owned(),
        },
        request: entry.request.clone(),
        changed: "[]".to_owned(),
        doc: record.doc.clone(),
    });
    batch.writes.push(Write::Insert { kind: &AUDIT, record });
    Ok(())
}

impl Cx {
    /// An entry about something that this request did.
    async fn audit_entry(&self, act: Act) -> Result<AuditEntry, Failure> {
        let origin = self.origin.as_deref();
        Ok(AuditEntry {
            number: self.app.audit_number().await?,
            uuid: new_uuid(),
            at: self.now,
            account: act.account,
            space: act.space,
            actor: match &self.actor {
                Actor::Caller(caller) => caller.actor(),
                Actor::Person(number) => AuditActor::User { number: *number },
                Actor::Operator => AuditActor::Operator { name: self.app.login.get().cloned() },
                Actor::Anonymous => AuditActor::Stranger { number: None, claimed: None },
            },
            via: origin.map_or("command", Origin::via).to_owned(),
            action: act.action,
            outcome: AuditOutcome::Done,
            reason: None,
            operation: origin.map(|origin| origin.operation().to_owned()),
            target: act.target,
            changed: act.changed,
            count: act.count,
            address: origin.and_then(Origin::address).map(|address| address.to_string()),
            agent: origin.and_then(Origin::agent).and_then(kept_agent),
            request: self.request.to_string(),
            receipt: act.receipt,
        })
    }

    /// Adds entries to a batch of the deployment.
    pub(crate) async fn audit_with(
        &self,
        batch: &mut Batch,
        acts: Vec<Act>,
    ) -> Result<(), Failure> {
        for act in acts {
            push(batch, &self.audit_entry(act).await?)?;
        }
        Ok(())
    }

    /// Writes down whose data this request has read, in spaces that want it.
    ///
    /// # Errors
    /// Whatever the store says: then the request must not be answered.
    #[async_recursion]
    pub async fn audit_reads(&self) -> Result<(), Failure> {
        let Some(seen) = &self.seen else { return Ok(()) };
        let mut entries = Vec::new();
        for (space, mut numbers) in seen.take() {
            let Actor::Caller(caller) = &self.actor else { continue };
            let Some(record) = caller.space(space).filter(|space| space.audit_reads) else {
                continue;
            };
            numbers.sort_unstable();
            numbers.dedup();
            for numbers in numbers.chunks(READS_NAMED_MAX) {
                let act = Act {
                    action: "customer.read".to_owned(),
                    account: Some(record.account),
                    space: Some(space),
                    target: Some(target("customer", numbers)),
                    ..Act::default()
                };
                entries.push(self.audit_entry(act).await?);
            }
        }
        if entries.is_empty() { Ok(()) } else { self.app.write_audit(&entries).await }
    }

    /// Notes that a customer's data was read. Does nothing where no space of the caller wants it.
    pub fn saw(&self, space: i64, customer: i64) {
        if let Some(seen) = &self.seen {
            seen.note(space, customer);
        }
    }
}

/// Customers that a request has read, by space.
#[derive(Debug, Default)]
pub struct Seen(Mutex<BTreeMap<i64, Vec<i64>>>);

impl Seen {
    /// For a request of somebody who opens a space that wants it written down.
    pub fn wanted_by(actor: &Actor) -> Option<Arc<Seen>> {
        match actor {
            Actor::Caller(caller) if caller.wants_reads_audited() => Some(Arc::default()),
            Actor::Caller(_) | Actor::Operator | Actor::Person(_) | Actor::Anonymous => None,
        }
    }

    fn note(&self, space: i64, customer: i64) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.entry(space).or_default().push(customer);
    }

    fn take(&self) -> BTreeMap<i64, Vec<i64>> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One record or several of one noun.
pub fn target(noun: &str, numbers: &[i64]) -> AuditTarget {
    match numbers {
        [number] => {
            AuditTarget { noun: noun.to_owned(), number: Some(*number), numbers: Vec::new() }
        }
        several => AuditTarget { noun: noun.to_owned(), number: None, numbers: several.to_vec() },
    }
}

/// Writes one entry now: for what changes no record of the deployment, such as exports.
///
/// # Errors
/// Whatever the store says: then the thing must not be done.
#[async_recursion]
pub async fn note(cx: &Cx, act: Act) -> Result<(), Failure> {
    let entry = cx.audit_entry(act).await?;
    cx.app.write_audit(&[entry]).await
}

/// What a change of a record of the deployment is called in the trail.
pub(crate) fn change<T: Document>(noun: &T, action: &str, changed: Vec<String>) -> Act {
    let (account, space) = noun.audit_place();
    Act {
        action: format!("{}.{action}", T::KIND.name),
        account,
        space,
        target: Some(target(T::KIND.name, &[noun.identity().0])),
        changed,
        ..Act::default()
    }
}

/// Whether changes of this kind are told in the trail: all of the deployment but the trail itself.
pub(crate) fn is_told(kind: &Kind, tenant: i64) -> bool {
    tenant == DEPLOYMENT && kind.name != AUDIT.name
}

/// Names of the members that differ between two states, never what is in them. What changes with
/// every change is left out; a name that a caller chose is left out unless it is a plain word.
pub(crate) fn changed_names<T: Document>(before: &T, after: &T) -> Vec<String> {
    let json = |noun: &T| serde_json::to_value(noun).unwrap_or_default();
    let mut names = Vec::new();
    differing(&json(before), &json(after), "", 1, &mut names);
    names.truncate(CHANGED_MAX);
    names
}

fn differing(
    before: &serde_json::Value,
    after: &serde_json::Value,
    path: &str,
    depth: usize,
    names: &mut Vec<String>,
) {
    const ALWAYS: [&str; 2] = ["version", "updated_at"];
    let nothing = serde_json::Map::new();
    let (before, after) =
        (before.as_object().unwrap_or(&nothing), after.as_object().unwrap_or(&nothing));
    let members: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for name in members {
        let (old, new) = (before.get(name), after.get(name));
        if old == new || (depth == 1 && ALWAYS.contains(&name.as_str())) || !is_plain(name) {
            continue;
        }
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let null = serde_json::Value::Null;
        let (old, new) = (old.unwrap_or(&null), new.unwrap_or(&null));
        let told = names.len();
        if depth < CHANGED_DEPTH_MAX && (old.is_object() || new.is_object()) {
            differing(old, new, &path, depth + 1, names);
        }
        if names.len() == told {
            names.push(path);
        }
    }
}

/// Whether a name is a word as settings have it: nothing that could be a person, number or secret.
fn is_plain(name: &str) -> bool {
    let letters = name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b.is_ascii_digit());
    letters && name.len() <= 40 && name.bytes().filter(u8::is_ascii_digit).count() <= 2
}

/// Removes entries that are older than a moment, and what the journal says of them; how many.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn forget_old(app: &App, before: Timestamp) -> Result<u64, Failure> {
    let old = Filter::Compare(Field::Column("at"), Compare::Less, before.micros().into());
    let order = Order::by(Field::Column("at"), false);
    let query = Query { predicate: old, order, limit: FORGOTTEN_AT_ONCE, ..Query::of(DEPLOYMENT) };
    let mut forgotten = 0;
    loop {
        let found = app.store.find(&AUDIT, &query).await.map_err(failure)?;
        let mut batch = Batch { tenant: DEPLOYMENT, ..Batch::default() };
        for row in &found.rows {
            let (tenant, number, revision) = (row.tenant, row.number, row.revision);
            batch.writes.push(Write::Blank { kind: &AUDIT, tenant, number });
            batch.writes.push(Write::Remove { kind: &AUDIT, tenant, number, revision });
        }
        app.store.commit(batch).await.map_err(failure)?;
        forgotten += found.rows.len() as u64;
        if !found.more {
            return Ok(forgotten);
        }
    }
}

impl Document for AuditEntry {
    named!(AUDIT, Entry, AuditEvent, in_deployment);

    fn columns(&self) -> Vec<Value> {
        vec![
            self.account.into(),
            self.at.micros().into(),
            self.space.into(),
            self.actor.word().into(),
            self.action.clone().into(),
            self.outcome.as_str().into(),
            self.address.clone().into(),
        ]
    }

    fn search_cards(&self, found: &mut Found) {
        found.maybe("agent", self.agent.as_ref());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(before: serde_json::Value, after: serde_json::Value) -> Vec<String> {
        let mut names = Vec::new();
        differing(&before, &after, "", 1, &mut names);
        names
    }

    #[test]
    fn changes_are_named_and_never_told() {
        let before = serde_json::json!({"version": 1, "name": "secret name", "dialects": {
            "one": {"strict": "no", "Anna Muster": "x", "same": 1}}});
        let after = serde_json::json!({"version": 2, "name": "other", "archived_at": 5,
            "dialects": {"one": {"strict": "yes", "Anna Muster": "y", "same": 1}, "two": {}}});
        let wanted = ["archived_at", "dialects.one.strict", "dialects.two", "name"];
        assert_eq!(names(before.clone(), after), wanted);
        assert!(names(before.clone(), before).is_empty());
        let odd = serde_json::json!({"dialects": {"4111111111111111": {"a": 1}}});
        assert_eq!(
            names(serde_json::json!({}), odd),
            ["dialects"],
            "the name of what is odd stays out"
        );
    }
}
