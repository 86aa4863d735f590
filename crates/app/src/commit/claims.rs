//! Who has a unique value that a change was refused for.

use patron_model::{Failure, Identity};
use patron_store::{Batch, Index, Kind, StoreError, Value, Write};

use crate::{Cx, documents, failure};

/// Values of unique columns that a batch sets.
#[derive(Debug)]
pub(crate) struct Claims(Vec<Claim>);

#[derive(Debug)]
struct Claim {
    kind: &'static Kind,
    column: &'static str,
    tenant: i64,
    /// The record that shall have it.
    number: i64,
    value: String,
}

impl Claims {
    /// What a batch claims, of values that callers choose.
    pub(crate) fn of(batch: &Batch) -> Claims {
        let mut claims = Vec::new();
        for write in &batch.writes {
            let (kind, record, before) = match write {
                Write::Insert { kind, record } => (*kind, record, None),
                Write::Replace { kind, after, before_columns, .. } => {
                    (*kind, after, Some(before_columns))
                }
                Write::Derive { .. }
                | Write::Remove { .. }
                | Write::Assert { .. }
                | Write::Blank { .. } => continue,
            };
            for (at, column) in kind.columns.iter().enumerate() {
                // What is unique in the whole deployment would lead to other people's records.
                let is_told = column.guards.is_some() && column.index == Index::Unique;
                let value = record.columns.get(at);
                if let Some(Value::Text(value)) = value.filter(|_| is_told)
                    && before.and_then(|before| before.get(at)) != record.columns.get(at)
                {
                    let (tenant, number) = (record.tenant, record.number);
                    let value = value.clone();
                    claims.push(Claim { kind, column: column.name, tenant, number, value });
                }
            }
        }
        Claims(claims)
    }

    /// The refusal of the batch in the words of use cases: with the record that has the value,
    /// where the caller may read such records.
    pub(crate) async fn refused(&self, cx: &Cx, error: StoreError) -> Failure {
        let StoreError::Unique { kind, column } = &error else { return failure(error) };
        match documents::taken(kind, column) {
            Some(Failure::Exists { noun, field, holder: _ }) => {
                Failure::Exists { noun, field, holder: self.holder(cx, kind, column).await }
            }
            Some(other) => other,
            None => failure(error),
        }
    }

    /// Whoever has it now: the refusal is of a moment ago, so it may be nobody.
    async fn holder(&self, cx: &Cx, kind: &str, column: &str) -> Option<Identity> {
        let needed = documents::seen_by(kind, patron_store::EMPTY)?;
        if !cx.has(needed) {
            return None;
        }
        for claim in self.0.iter().filter(|c| c.kind.name == kind && c.column == column) {
            let found = cx.app.store.get_by(claim.kind, claim.tenant, claim.column, &claim.value);
            match found.await {
                Ok(Some(row)) if row.number != claim.number => {
                    return Some(Identity { number: row.number, uuid: row.uuid });
                }
                // Without it the refusal says less, and is as true.
                Ok(_) | Err(_) => {}
            }
        }
        None
    }
}
