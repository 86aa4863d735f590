//! Does what must agree agree? One pass over the same snapshot stream a dump reads, so there is one
//! check for all engines, and the engine's own integrity check before it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::de::IgnoredAny;
use uuid::Uuid;

use crate::dump::{self, Line, RecordLine};
use crate::face::faceless;
use crate::increment::Scope;
use crate::{Entry, Kind, Row, Store, StoreError, Value, sql};

/// Findings reported at most; the rest is only counted.
const FINDINGS_MAX: usize = 100;

/// What is stored beside a record, as its document implies it.
#[derive(Debug)]
pub struct Implied {
    /// The declared columns.
    pub columns: Vec<Value>,
    /// The face.
    pub face: Option<String>,
    /// The document without what was derived with the help of other records, where it may hold
    /// such things: only that much must be what the journal says.
    pub own: Option<String>,
}

/// Gives what a row's document implies; `None`: not to be compared.
pub type ImpliedBy<'a> = dyn Fn(&Kind, &Row) -> Option<Implied> + Send + Sync + 'a;

/// What [`Store::check`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Records read.
    pub records: u64,
    /// Terms read.
    pub terms: u64,
    /// Journal entries read.
    pub entries: u64,
    /// What does not agree, in plain words; the first hundred.
    pub findings: Vec<String>,
    /// Findings beyond those.
    pub findings_left_out: u64,
}

impl CheckReport {
    /// Whether everything agrees.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    fn find(&mut self, finding: String) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        } else {
            self.findings_left_out += 1;
        }
    }
}

/// What a record says about itself, to be held against the journal.
struct State {
    tenant: i64,
    revision: i64,
    doc: u64,
    /// The same of what is its own.
    own: Option<u64>,
    /// The latest entry seen so far.
    latest: Option<Latest>,
}

struct Latest {
    journal: i64,
    revision: i64,
    /// Whether the record is what this entry says.
    agrees: bool,
}

#[derive(Default)]
struct Checker {
    report: CheckReport,
    records: HashMap<(&'static str, i64), State>,
    uuids: HashSet<(&'static str, Uuid)>,
    heads: HashMap<i64, i64>,
    last_seq: HashMap<i64, i64>,
    mentions: HashMap<i64, Mentions>,
}

/// Where the entries of a tenant are found beside their subjects' histories: one sum over what the
/// entries say, one over what is there. They agree when both are the same, in any order.
#[derive(Default)]
struct Mentions {
    said: u64,
    there: u64,
}

pub(crate) async fn check(
    store: &Store,
    implied: &ImpliedBy<'_>,
) -> Result<CheckReport, StoreError> {
    let mut checker = Checker::default();
    for finding in store.integrity().await? {
        checker.report.find(finding);
    }
    dump::export(store, &Scope::Everything, async |lines| {
        for line in lines {
            checker.line(store.kinds(), implied, line)?;
        }
        Ok(())
    })
    .await?;
    Ok(checker.finish())
}

impl Checker {
    fn line(
        &mut self,
        kinds: &'static [&'static Kind],
        implied: &ImpliedBy<'_>,
        line: Line,
    ) -> Result<(), StoreError> {
        match line {
            Line::Record(record) => {
                let kind = sql::kind_named(kinds, &record.kind)?;
                self.record(kind, implied, record)?;
            }
            Line::Term { kind, tenant, number, term } => {
                let kind = sql::kind_named(kinds, &kind)?;
                self.report.terms += 1;
                if self.records.get(&(kind.name, number)).is_none_or(|s| s.tenant != tenant) {
                    let name = kind.name;
                    self.report.find(format!("{name} {number} is gone, its term {term:?} is not"));
                }
            }
            Line::Head { tenant, last, .. } => {
                self.heads.insert(tenant, last);
            }
            Line::Entry(entry) => self.entry(kinds, implied, entry),
            Line::Mention { tenant, number, seq } => {
                let there = &mut self.mentions.entry(tenant).or_default().there;
                *there = there.wrapping_add(digest(&(number, seq)));
            }
            Line::Answer(_)
            | Line::Counter { .. }
            | Line::Gone { .. }
            | Line::Blank { .. }
            | Line::Forgotten { .. } => {}
        }
        Ok(())
    }

    fn record(
        &mut self,
        kind: &'static Kind,
        implied: &ImpliedBy<'_>,
        record: RecordLine,
    ) -> Result<(), StoreError> {
        let held = record.values(kind)?;
        let row = record.into_row();
        let (name, number) = (kind.name, row.number);
        self.report.records += 1;
        let mut own = None;
        if serde_json::from_str::<IgnoredAny>(row.doc.whole()?.as_ref()).is_err() {
            self.report.find(format!("{name} {number}: the document is not JSON"));
        } else if let Some(Implied { columns, face, own: text }) = implied(kind, &row) {
            own = text.map(|text| digest(&*text));
            let pairs = kind.columns.iter().zip(held.iter().zip(&columns));
            let differing: BTreeSet<&str> =
                pairs.filter(|(_, (a, b))| a != b).map(|(column, _)| column.name).collect();
            if !differing.is_empty() {
                self.report
                    .find(format!("{name} {number}: the document disagrees in {differing:?}"));
            }
            if row.doc.face() != face.as_deref() {
                let finding = "what is shown is not what the document says";
                self.report.find(format!("{name} {number}: {finding}"));
            }
        }
        if !self.uuids.insert((name, row.uuid)) {
            self.report.find(format!("{name} {number}: another record has its UUID {}", row.uuid));
        }
        let state = State {
            tenant: row.tenant,
            revision: row.revision,
            doc: digest(&*row.doc.faceless()?),
            own,
            latest: None,
        };
        if self.records.insert((name, number), state).is_some() {
            self.report.find(format!("{name} {number} is there twice"));
        }
        Ok(())
    }

    fn entry(
        &mut self,
        kinds: &'static [&'static Kind],
        implied: &ImpliedBy<'_>,
        mut entry: Entry,
    ) {
        self.report.entries += 1;
        for number in entry.mentions() {
            let said = &mut self.mentions.entry(entry.tenant).or_default().said;
            *said = said.wrapping_add(digest(&(number, entry.seq)));
        }
        let last = self.last_seq.entry(entry.tenant).or_default();
        if entry.seq != *last + 1 {
            let (tenant, last, seq) = (entry.tenant, *last, entry.seq);
            self.report.find(format!("journal of space {tenant}: {seq} follows {last}"));
        }
        *last = entry.seq;
        let Ok(kind) = sql::kind_named(kinds, &entry.kind) else {
            let (tenant, seq, name) = (entry.tenant, entry.seq, &entry.kind);
            self.report.find(format!("journal of space {tenant}: {seq} names no kind: {name}"));
            return;
        };
        // A record that is gone has no state to compare with.
        if let Some(state) = self.records.get_mut(&(kind.name, entry.number)) {
            let Entry { tenant: journal, revision, .. } = entry;
            // In one journal the later position is the later entry; between two journals, whose
            // positions do not compare, the higher revision is.
            let held = state.latest.as_ref();
            if held.is_none_or(|held| held.journal == journal || held.revision <= revision) {
                let is_same = state.doc == digest(&*faceless(&entry.doc));
                let agrees = state.revision == revision
                    && (is_same
                        || state.own.is_some_and(|own| own == own_of(kind, implied, &mut entry)));
                state.latest = Some(Latest { journal, revision, agrees });
            }
        }
    }

    fn finish(mut self) -> CheckReport {
        let mut disagreeing: Vec<_> = self
            .records
            .iter()
            .filter(|(_, state)| state.latest.as_ref().is_some_and(|latest| !latest.agrees))
            .map(|(record, _)| *record)
            .collect();
        disagreeing.sort_unstable();
        for (kind, number) in disagreeing {
            self.report.find(format!("{kind} {number} is not what its latest journal entry says"));
        }
        // Of a tenant without records nothing else may be left either: its removal goes on.
        let tenants: BTreeSet<i64> = self.records.values().map(|state| state.tenant).collect();
        for tenant in tenants {
            let Some(mentions) = self.mentions.get(&tenant) else { continue };
            if mentions.said != mentions.there {
                let finding = "entries are not found by every record they name";
                self.report.find(format!("journal of space {tenant}: {finding}"));
            }
        }
        let tenants: BTreeSet<i64> =
            self.heads.keys().chain(self.last_seq.keys()).copied().collect();
        for tenant in tenants {
            let head = self.heads.get(&tenant).copied().unwrap_or(0);
            let last = self.last_seq.get(&tenant).copied().unwrap_or(0);
            if head != last {
                self.report
                    .find(format!("journal of space {tenant} ends at {last}, not at {head}"));
            }
        }
        self.report
    }
}

/// What the document of an entry says of its own.
fn own_of(kind: &Kind, implied: &ImpliedBy<'_>, entry: &mut Entry) -> u64 {
    let Entry { tenant, number, revision, .. } = *entry;
    let doc = std::mem::take(&mut entry.doc);
    let row = Row { tenant, number, uuid: Uuid::nil(), revision, doc: doc.clone().into() };
    let own = implied(kind, &row).and_then(|implied| implied.own);
    digest(&*own.unwrap_or(doc))
}

/// Tells documents and other things apart without keeping them.
fn digest(thing: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    thing.hash(&mut hasher);
    hasher.finish()
}
