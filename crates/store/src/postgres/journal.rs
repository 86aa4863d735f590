//! The journal's part of a transaction: one statement for all entries of a group of batches.

use std::collections::BTreeMap;

use tokio_postgres::Row as SqlRow;

use super::ask::Parameter;
use super::read;
use crate::batch::related_text;
use crate::store::Committed;
use crate::{Batch, NewEntry, StoreError};

/// Takes the next positions of each tenant, in the order of tenants, and writes the entries there.
macro_rules! sql {
    ($mentions:literal) => {
        concat!(
            r#"
WITH h AS (
    INSERT INTO "head" ("tenant", "last")
    SELECT t.tenant, t.n FROM unnest($1::bigint[], $2::bigint[]) AS t(tenant, n) ORDER BY t.tenant
    ON CONFLICT ("tenant") DO UPDATE SET "last" = "head"."last" + excluded."last"
    RETURNING "tenant", "last"
), j AS (
    INSERT INTO "journal" ("tenant", "seq", "kind", "number", "subject", "revision", "action", "at",
        "actor", "request", "changed", "doc", "related", "packed")
    SELECT e.tenant, h."last" - e.behind, e.kind, e.number, e.subject, e.revision, e.action, e.at,
        e.actor, e.request, e.changed, e.doc, e.related, e.packed
    FROM h JOIN unnest($3::bigint[], $4::bigint[], $5::text[], $6::bigint[], $7::bigint[],
        $8::bigint[], $9::text[], $10::bigint[], $11::text[], $12::text[], $13::text[],
        $14::text[], $15::text[], $16::bytea[])
        AS e(tenant, behind, kind, number, subject, revision, action, at, actor, request, changed,
        doc, related, packed)
        ON h."tenant" = e.tenant
)"#,
            $mentions,
            r#"
SELECT "tenant", "last" FROM h"#
        )
    };
}

const PLAIN: &str = sql!("");
const MENTIONING: &str = sql!(
    r#", m AS (
    INSERT INTO "mention" ("tenant", "number", "seq")
    SELECT e.tenant, e.number, h."last" - e.behind
    FROM h JOIN unnest($17::bigint[], $18::bigint[], $19::bigint[]) AS e(tenant, number, behind)
        ON h."tenant" = e.tenant
)"#
);

/// A statement, and how many values it takes.
#[derive(Clone, Copy)]
pub(super) struct Sql {
    pub(super) text: &'static str,
    pub(super) values: usize,
}

/// The statement for a group of batches: few have entries that name more than their subject.
pub(super) fn sql(batches: &[&Batch]) -> Sql {
    let mut entries = batches.iter().flat_map(|batch| &batch.entries);
    match entries.any(|entry| entry.mentions().next().is_some()) {
        true => Sql { text: MENTIONING, values: 19 },
        false => Sql { text: PLAIN, values: 16 },
    }
}

/// The entries of a group, column by column.
#[derive(Default)]
pub(super) struct Entries<'b> {
    heads: (Vec<i64>, Vec<i64>),
    tenants: Vec<i64>,
    /// How many entries of the same tenant follow.
    behind: Vec<i64>,
    kinds: Vec<&'b str>,
    numbers: Vec<i64>,
    subjects: Vec<i64>,
    revisions: Vec<i64>,
    actions: Vec<&'b str>,
    times: Vec<i64>,
    actors: Vec<&'b str>,
    requests: Vec<&'b str>,
    changes: Vec<&'b str>,
    docs: Vec<&'b str>,
    related: Vec<String>,
    packed: Vec<Option<&'b [u8]>>,
    /// Tenant, number and how many entries of the tenant follow.
    mentions: (Vec<i64>, Vec<i64>, Vec<i64>),
}

impl<'b> Entries<'b> {
    pub(super) fn of(batches: &[&'b Batch]) -> Entries<'b> {
        let counts = counts(batches);
        let mut entries =
            Entries { heads: counts.clone().into_iter().unzip(), ..Entries::default() };
        let mut left = counts;
        for batch in batches {
            for entry in &batch.entries {
                let behind = left.entry(batch.tenant).or_default();
                *behind -= 1;
                entries.push(batch.tenant, *behind, entry);
            }
        }
        entries
    }

    fn push(&mut self, tenant: i64, behind: i64, entry: &'b NewEntry) {
        self.tenants.push(tenant);
        self.behind.push(behind);
        self.kinds.push(entry.kind);
        self.numbers.push(entry.number);
        self.subjects.push(entry.subject);
        self.revisions.push(entry.revision);
        self.actions.push(entry.action);
        self.times.push(entry.at);
        self.actors.push(&entry.actor);
        self.requests.push(&entry.request);
        self.changes.push(&entry.changed);
        let (doc, packed) = entry.doc.parts();
        self.docs.push(doc);
        self.packed.push(packed);
        self.related.push(related_text(&entry.related));
        for number in entry.mentions() {
            self.mentions.0.push(tenant);
            self.mentions.1.push(number);
            self.mentions.2.push(behind);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tenants.is_empty()
    }

    /// In the order of the statements; the last three are for the one with mentions.
    pub(super) fn params(&self) -> [&dyn Parameter; 19] {
        [
            &self.heads.0,
            &self.heads.1,
            &self.tenants,
            &self.behind,
            &self.kinds,
            &self.numbers,
            &self.subjects,
            &self.revisions,
            &self.actions,
            &self.times,
            &self.actors,
            &self.requests,
            &self.changes,
            &self.docs,
            &self.related,
            &self.packed,
            &self.mentions.0,
            &self.mentions.1,
            &self.mentions.2,
        ]
    }
}

/// Entries by tenant.
fn counts(batches: &[&Batch]) -> BTreeMap<i64, i64> {
    let mut counts = BTreeMap::new();
    for batch in batches.iter().filter(|batch| !batch.entries.is_empty()) {
        *counts.entry(batch.tenant).or_default() += batch.entries.len() as i64;
    }
    counts
}

/// Positions that were given out, by tenant, and are now handed to the batches in their order.
pub(super) struct Positions(BTreeMap<i64, i64>);

impl Positions {
    pub(super) fn of(rows: &[SqlRow], batches: &[&Batch]) -> Result<Positions, StoreError> {
        let mut next = counts(batches);
        for row in rows {
            let (tenant, last): (i64, i64) = (read::value(row, 0)?, read::value(row, 1)?);
            next.entry(tenant).and_modify(|count| *count = last - *count + 1);
        }
        Ok(Positions(next))
    }

    pub(super) fn take(&mut self, batch: &Batch) -> Committed {
        let n = batch.entries.len() as i64;
        match self.0.get_mut(&batch.tenant) {
            Some(next) if n > 0 => {
                let first_seq = *next;
                *next += n;
                Committed { first_seq, last_seq: *next - 1 }
            }
            _ => Committed::default(),
        }
    }
}
