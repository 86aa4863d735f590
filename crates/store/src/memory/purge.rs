//! Removing a tenant for good.

use super::Memory;
use crate::{Counts, Entry, StoreError};

impl Memory {
    pub(crate) async fn count_tenant(&self, tenant: i64) -> Result<Counts, StoreError> {
        let state = self.state();
        let mut counts = Counts::new();
        for kind in self.kinds {
            let records = state.table(kind)?.records.values();
            let of_tenant = records.filter(|stored| stored.row.tenant == tenant);
            let (records, terms) =
                of_tenant.fold((0, 0), |(r, t), stored| (r + 1, t + stored.terms.len() as u64));
            counts.insert(kind.name.to_owned(), records);
            if kind.terms {
                counts.insert(format!("{}_term", kind.name), terms);
            }
        }
        let answers = state.answers.keys().filter(|(of, _)| *of == tenant).count();
        counts.insert("answer".to_owned(), answers as u64);
        let entries = state.journal.get(&tenant).map_or(&[][..], Vec::as_slice);
        counts.insert("journal".to_owned(), entries.len() as u64);
        let mentions = entries.iter().flat_map(Entry::mentions).count();
        counts.insert("mention".to_owned(), mentions as u64);
        Ok(counts)
    }

    /// All at once: nobody waits for this engine.
    pub(crate) async fn purge(&self, tenant: i64, _limit: u32) -> Result<Counts, StoreError> {
        let mut counts = self.count_tenant(tenant).await?;
        counts.retain(|_, count| *count > 0);
        let mut state = self.state();
        for kind in self.kinds {
            let Some(table) = state.tables.get_mut(kind.name) else { continue };
            let of_tenant = table.records.values().filter(|stored| stored.row.tenant == tenant);
            let numbers: Vec<i64> = of_tenant.map(|stored| stored.row.number).collect();
            for number in numbers {
                table.put(kind, number, None);
            }
        }
        state.answers.retain(|(of, _), _| *of != tenant);
        state.journal.remove(&tenant);
        Ok(counts)
    }

    pub(crate) async fn compact(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
