//! Records written over others, and read whole.

use super::{Memory, State, Stored, Undo};
use crate::store::Recorded;
use crate::{Kind, Record, Row, StoreError};

impl State {
    /// Puts a record over the one of a revision that is `behind` its own.
    pub(super) fn replace(
        &mut self,
        undo: &mut Undo,
        kind: &'static Kind,
        after: Record,
        behind: i64,
    ) -> Result<(), StoreError> {
        let table = self.table(kind)?;
        let mut stored = Stored::from(after);
        let Row { tenant, number, revision, .. } = stored.row;
        stored.row.uuid = table.at_revision(kind, tenant, number, revision - behind)?.row.uuid;
        table.check_unique(kind, &stored)?;
        self.put(undo, kind, number, Some(stored))
    }
}

impl Memory {
    pub(crate) async fn records_after(
        &self,
        kind: &'static Kind,
        number: i64,
        limit: u32,
    ) -> Result<Recorded, StoreError> {
        let state = self.state();
        let behind = state.table(kind)?.records.range(number.saturating_add(1)..);
        let (mut records, mut terms) = (Vec::new(), Vec::new());
        for (number, stored) in behind.take(limit as usize) {
            records.push(stored.row.clone().with(stored.columns.clone()));
            terms.extend(stored.terms.iter().map(|term| (*number, term.clone())));
        }
        Ok((records, terms))
    }
}
