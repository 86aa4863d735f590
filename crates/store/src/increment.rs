//! What changed since a backup: the journal behind the position it stands at, and what the journal
//! does not carry. A restore makes the records from the entries; see `restore.rs`.
//!
//! | what | how |
//! |---|---|
//! | records, terms, mentions, heads | follow from the entries |
//! | kinds without a journal | whole |
//! | entries that were blanked | by their positions |
//! | tenants that were purged | by their numbers |
//! | outcomes under idempotency keys | those of late, whole; how old the oldest is |
//! | counters | whole |

use std::collections::BTreeMap;

use tokio::io::AsyncWrite;

use crate::dump::{self, FORMAT, Frame, Line};
use crate::position::Position;
use crate::{DumpSummary, Entry, Kind, Store, StoreError};

/// An outcome says when its request came, not when it was committed: those of so long before the
/// last backup are in an increment too (microseconds).
const ANSWERS_OVERLAP_US: i64 = 900 * 1_000_000;
/// The tenant whose entries may be blanked: the deployment.
pub(crate) const BLANKED_TENANT: i64 = 0;

/// What an export holds.
#[derive(Debug, Clone)]
pub(crate) enum Scope {
    Everything,
    Since(Since),
}

/// Where an increment goes on from.
#[derive(Debug, Clone)]
pub(crate) struct Since {
    pub(crate) position: Position,
    /// Kinds without a journal.
    pub(crate) whole: &'static [&'static Kind],
}

/// What became of a tenant that a backup knew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Its journal goes on.
    GoesOn,
    /// It was purged, or is being purged.
    Gone,
}

impl Since {
    /// What became of a tenant, from its head now and from the entry that is now where it stood.
    ///
    /// # Errors
    /// When this is not the data that the backup was taken of.
    pub(crate) fn fate(
        &self,
        tenant: i64,
        head: i64,
        held: Option<&Entry>,
    ) -> Result<Fate, StoreError> {
        if held.is_some_and(|held| self.position.knows(tenant, held)) {
            return Ok(Fate::GoesOn);
        }
        // The deployment itself is never purged.
        if tenant != BLANKED_TENANT && head < self.position.last(tenant) {
            return Ok(Fate::Gone);
        }
        Err(StoreError::Engine(format!(
            "this data does not go on from the backup that --since names: it is another \
             deployment, or was restored from an older backup since (journal of space {tenant}). \
             Take a full backup"
        )))
    }

    /// The time from which on outcomes are taken.
    pub(crate) fn answers_from(&self) -> i64 {
        self.position.begun_at.saturating_sub(ANSWERS_OVERLAP_US)
    }
}

/// What an engine knows of each tenant when it begins: where its news begin.
#[derive(Debug, Default)]
pub(crate) struct News {
    heads: BTreeMap<i64, i64>,
    after: BTreeMap<i64, i64>,
}

impl News {
    pub(crate) fn of(heads: BTreeMap<i64, i64>) -> News {
        let after = heads.keys().map(|tenant| (*tenant, 0)).collect();
        News { heads, after }
    }

    /// Notes a tenant's fate; the line that says it.
    pub(crate) fn judge(
        &mut self,
        since: &Since,
        tenant: i64,
        held: Option<&Entry>,
    ) -> Result<Option<Line>, StoreError> {
        let head = self.heads.get(&tenant).copied().unwrap_or(0);
        match since.fate(tenant, head, held)? {
            Fate::GoesOn => {
                self.after.insert(tenant, since.position.last(tenant));
                Ok(None)
            }
            Fate::Gone => {
                self.after.remove(&tenant);
                self.heads.insert(tenant, 0);
                Ok(Some(Line::Gone { tenant }))
            }
        }
    }

    /// Tenants with news, and the position behind which they begin.
    pub(crate) fn begin(&self) -> impl Iterator<Item = (i64, i64)> + '_ {
        let has_news = |(tenant, after): &(i64, i64)| self.heads.get(tenant) > Some(after);
        self.after.iter().map(|(tenant, after)| (*tenant, *after)).filter(has_news)
    }

    /// Whether a tenant is there no more.
    pub(crate) fn is_gone(&self, tenant: i64) -> bool {
        self.heads.get(&tenant) == Some(&0)
    }
}

/// Folds ascending positions into ranges.
#[derive(Debug, Default)]
pub(crate) struct Ranges(Option<(i64, i64)>);

impl Ranges {
    /// The range that ends before this position, if one does.
    pub(crate) fn push(&mut self, seq: i64) -> Option<Line> {
        if let Some((_, to)) = &mut self.0
            && *to + 1 == seq
        {
            *to = seq;
            return None;
        }
        let ended = self.end();
        self.0 = Some((seq, seq));
        ended
    }

    /// The last range.
    pub(crate) fn end(&mut self) -> Option<Line> {
        let (from, to) = self.0.take()?;
        Some(Line::Blank { tenant: BLANKED_TENANT, from, to })
    }
}

/// Writes what changed since a position.
pub(crate) async fn write(
    store: &Store,
    since: Since,
    out: &mut (dyn AsyncWrite + Unpin + Send),
) -> Result<(DumpSummary, Position), StoreError> {
    if let Some(kind) = since.whole.iter().find(|kind| kind.terms) {
        let name = kind.name;
        return Err(StoreError::Engine(format!("{name} keeps terms, so it must have a journal")));
    }
    let engine = store.engine().name.to_owned();
    let whole = since.whole.iter().map(|kind| kind.name.to_owned()).collect();
    let digest = since.position.digest()?;
    let header = |position: &Position| Frame::Increment {
        format: FORMAT,
        engine,
        position: position.clone(),
        since: digest,
        whole,
    };
    let take = |line: Line| (!matches!(line, Line::Head { .. })).then_some(line);
    dump::write(store, &Scope::Since(since), header, take, out).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_become_ranges() {
        let mut ranges = Ranges::default();
        let mut lines: Vec<Line> =
            [1, 2, 3, 7, 9, 10].into_iter().filter_map(|seq| ranges.push(seq)).collect();
        lines.extend(ranges.end());
        let said = |line: &Line| match line {
            Line::Blank { from, to, .. } => (*from, *to),
            other => panic!("{other:?}"),
        };
        assert_eq!(lines.iter().map(said).collect::<Vec<_>>(), [(1, 3), (7, 7), (9, 10)]);
    }
}
