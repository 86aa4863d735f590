//! From layout 2 to 3: entries of the journal say what they are related to, and are found by every
//! record they name.
//!
//! The columns come with the layout's number, in one transaction: programs of before refuse the
//! store from then on. The entries follow in steps of one transaction each, whose last position is
//! kept with them, so a start that was interrupted is gone on with, by whichever process comes
//! first. The store is not open before the last step.

use crate::batch::related_text;
use crate::sql::{Dialect, ENTRY};
use crate::{Entry, RelatedOf, StoreError};

/// Entries of one step.
pub(crate) const STEP_ENTRIES: i64 = 1000;
/// Where the walk is: the name of its row in `meta`, which is there as long as there is work.
pub(crate) const WALK: &str = "relating";

/// What a step does.
pub(crate) struct Statements {
    /// The next entries behind a position.
    pub(crate) next: String,
    /// Writes what an entry is related to.
    pub(crate) relate: String,
}

impl Statements {
    pub(crate) fn new(dialect: Dialect) -> Statements {
        let next = format!(
            r#"SELECT {ENTRY} FROM "journal" WHERE ("tenant", "seq") > (?1, ?2)
            ORDER BY "tenant", "seq" LIMIT ?3"#
        );
        let relate = r#"UPDATE "journal" SET "related" = ?3 WHERE "tenant" = ?1 AND "seq" = ?2"#;
        Statements { next: dialect.text(&next), relate: dialect.text(relate) }
    }
}

/// The last entry that is done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) tenant: i64,
    pub(crate) seq: i64,
}

impl Position {
    /// As it is kept.
    pub(crate) fn text(self) -> String {
        format!("{} {}", self.tenant, self.seq)
    }

    pub(crate) fn parse(text: &str) -> Result<Position, StoreError> {
        let read = || {
            let (tenant, seq) = text.split_once(' ')?;
            Some(Position { tenant: tenant.parse().ok()?, seq: seq.parse().ok()? })
        };
        read().ok_or_else(|| StoreError::Engine(format!("no position in the journal: {text}")))
    }
}

/// What is to be written for one entry.
pub(crate) struct Related {
    pub(crate) tenant: i64,
    pub(crate) seq: i64,
    /// The list, where there is one.
    pub(crate) list: Option<String>,
    pub(crate) mentions: Vec<i64>,
}

/// What one step writes, and where the next one begins; none when this is the last.
pub(crate) fn step(
    mut entries: Vec<Entry>,
    related_of: RelatedOf,
) -> (Vec<Related>, Option<Position>) {
    let is_last = (entries.len() as i64) < STEP_ENTRIES;
    let last = entries.last().map(|entry| Position { tenant: entry.tenant, seq: entry.seq });
    let related = entries.iter_mut().map(|entry| {
        // What says it already was written by a process that is further.
        let is_told = !entry.related.is_empty();
        if !is_told {
            entry.related = related_of(entry);
        }
        let list = (!is_told && !entry.related.is_empty()).then(|| related_text(&entry.related));
        let mentions = entry.mentions().collect();
        Related { tenant: entry.tenant, seq: entry.seq, list, mentions }
    });
    (related.collect(), last.filter(|_| !is_last))
}
