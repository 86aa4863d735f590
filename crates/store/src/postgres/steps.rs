//! What a batch asks of the server: its statements, in order, and what each must have done.

use std::borrow::Cow;

use super::ask::Parameter;
use crate::sql::{Schema, changed_columns, changed_terms, every_column};
use crate::{Batch, Index, Kind, Record, StoreError, Value, Write};

/// What a statement must have done.
pub(super) enum Expect {
    Anything,
    /// Exactly one row, or this refusal.
    One(StoreError),
}

/// One statement of a batch.
pub(super) struct Step<'b> {
    pub(super) sql: Cow<'b, str>,
    pub(super) params: Vec<Box<dyn Parameter + Send + 'b>>,
    pub(super) expect: Expect,
    /// The kind whose unique columns it may violate.
    pub(super) kind: Option<&'static Kind>,
}

macro_rules! params {
    ($($param:expr),* $(,)?) => { vec![$(Box::new($param) as Box<dyn Parameter + Send>),*] };
}

/// The statements of a batch, except the journal's.
pub(super) fn steps<'b>(schema: &'b Schema, batch: &'b Batch) -> Result<Vec<Step<'b>>, StoreError> {
    let mut steps = Vec::with_capacity(batch.writes.len() + 1);
    if let Some(answer) = &batch.answer {
        steps.push(Step {
            sql: schema.statements.answer_put.as_str().into(),
            params: params![
                batch.tenant,
                &answer.key,
                &answer.operation,
                &answer.fingerprint,
                &answer.outcome,
                answer.at,
                batch.answer_since,
            ],
            expect: Expect::One(StoreError::Answered),
            kind: None,
        });
    }
    for write in &batch.writes {
        push_write(schema, &mut steps, write)?;
    }
    Ok(steps)
}

fn push_write<'b>(
    schema: &'b Schema,
    steps: &mut Vec<Step<'b>>,
    write: &'b Write,
) -> Result<(), StoreError> {
    match write {
        Write::Insert { kind, record } => {
            let sql = schema.kind(kind)?.insert.as_str().into();
            let mut params = params![
                record.tenant,
                record.number,
                record.uuid.to_string(),
                record.revision,
                record.doc.parts().0
            ];
            params.extend(record.columns.iter().map(boxed));
            steps.push(Step { sql, params, expect: Expect::Anything, kind: Some(kind) });
            push_terms(schema, steps, kind, record, &[])
        }
        Write::Replace { kind, after, before_columns, before_terms } => {
            let changed = changed_columns(before_columns, &after.columns);
            push_update(schema, steps, kind, (after, after.revision - 1, changed))?;
            push_terms(schema, steps, kind, after, before_terms)
        }
        Write::Derive { kind, record } => {
            push_update(schema, steps, kind, (record, record.revision, every_column(kind)))?;
            if kind.terms {
                let sql = schema.kind(kind)?.terms_remove.as_str().into();
                let params = params![record.number];
                steps.push(Step { sql, params, expect: Expect::Anything, kind: None });
            }
            push_terms(schema, steps, kind, record, &[])
        }
        Write::Remove { kind, tenant, number, revision } => {
            let sql = schema.kind(kind)?;
            let expect = Expect::One(StoreError::Conflict { kind: kind.name, number: *number });
            let params = params![*number, *tenant, *revision];
            steps.push(Step { sql: sql.remove.as_str().into(), params, expect, kind: None });
            if kind.terms {
                let sql = sql.terms_remove.as_str().into();
                let params = params![*number];
                steps.push(Step { sql, params, expect: Expect::Anything, kind: None });
            }
            Ok(())
        }
        Write::Blank { kind, tenant, number } => {
            let sql = schema.statements.blank.as_str().into();
            let params = params![*tenant, *number, kind.name];
            steps.push(Step { sql, params, expect: Expect::Anything, kind: None });
            Ok(())
        }
        Write::Assert { kind, tenant, number, revision } => {
            let sql = schema.kind(kind)?.assert.as_str().into();
            let expect = Expect::One(StoreError::Conflict { kind: kind.name, number: *number });
            let params = params![*number, *tenant, *revision];
            steps.push(Step { sql, params, expect, kind: None });
            Ok(())
        }
    }
}

/// Writes a record over the one at a revision: document, revision and some of the columns.
fn push_update<'b>(
    schema: &'b Schema,
    steps: &mut Vec<Step<'b>>,
    kind: &'static Kind,
    (after, expected, changed): (&'b Record, i64, u64),
) -> Result<(), StoreError> {
    let sql = schema.kind(kind)?.replace(changed, false).to_string().into();
    let Record { tenant, number, revision, doc, .. } = after;
    let mut params = params![*number, *tenant, expected, *revision, doc.parts().0];
    let columns = after.columns.iter().enumerate();
    let columns = columns.filter(|(at, _)| changed & (1 << at) != 0);
    params.extend(columns.map(|(_, value)| boxed(value)));
    let expect = Expect::One(StoreError::Conflict { kind: kind.name, number: *number });
    steps.push(Step { sql, params, expect, kind: Some(kind) });
    Ok(())
}

fn boxed(value: &Value) -> Box<dyn Parameter + Send + '_> {
    Box::new(value)
}

fn push_terms<'b>(
    schema: &'b Schema,
    steps: &mut Vec<Step<'b>>,
    kind: &'static Kind,
    after: &'b Record,
    before: &'b [String],
) -> Result<(), StoreError> {
    let sql = schema.kind(kind)?;
    let (gone, new) = changed_terms(before, &after.terms);
    let gone = gone.map(|term| (&sql.term_remove, term));
    for (sql, term) in gone.chain(new.map(|term| (&sql.term_put, term))) {
        let params = params![after.tenant, term, after.number];
        steps.push(Step { sql: sql.into(), params, expect: Expect::Anything, kind: None });
    }
    Ok(())
}

/// Whether a write may meet a value that must be unique.
pub(super) fn may_violate(write: &Write) -> bool {
    match write {
        Write::Insert { .. } | Write::Derive { .. } => true,
        Write::Replace { kind, after, before_columns, .. } => {
            let changed = changed_columns(before_columns, &after.columns);
            let unique = |index| matches!(index, Index::Unique | Index::UniqueEverywhere);
            let columns = kind.columns.iter().enumerate();
            columns.into_iter().any(|(at, c)| changed & (1 << at) != 0 && unique(c.index))
        }
        Write::Remove { .. } | Write::Assert { .. } | Write::Blank { .. } => false,
    }
}
