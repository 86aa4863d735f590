//! Writing a batch: one transaction in three round trips. BEGIN; all statements together; then,
//! when every one did what it should, COMMIT. The answer to BEGIN is waited for: were it refused
//! (an operator cancels it, the server is short of memory), statements sent along would be
//! committed one by one.
//!
//! The last statement gives out the journal positions. It locks the tenant's head, so entries of one
//! tenant become visible in the order of their positions, and it comes last so that the others wait
//! only from there to the commit.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;
use std::time::{Duration, Instant};

use deadpool_postgres::{Client, Object};
use futures_util::future::{MaybeDone, maybe_done};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Statement};

use super::{Postgres, backoff, failed, is_connection_lost};
use crate::ddl::index_name;
use crate::sql::{Schema, changed_columns, changed_terms};
use crate::store::Committed;
use crate::{Batch, Kind, NewEntry, Record, StoreError, Value, Write};

/// Attempts of one batch, and the time they may take together.
const ATTEMPTS_MAX: u32 = 10;
const ATTEMPTS_TIME_MAX: Duration = Duration::from_secs(5);

/// Takes the next positions of a tenant and writes the entries there.
const JOURNAL: &str = r#"
WITH h AS (
    INSERT INTO "head" ("tenant", "last") VALUES ($1::bigint, $2::bigint)
    ON CONFLICT ("tenant") DO UPDATE SET "last" = "head"."last" + excluded."last"
    RETURNING "last"
)
INSERT INTO "journal" ("tenant", "seq", "kind", "number", "root", "revision", "action", "at",
    "actor", "request", "changed", "doc")
SELECT $1::bigint, h."last" - $2::bigint + e.position, e.kind, e.number, e.root, e.revision,
    e.action, e.at, e.actor, e.request, e.changed, e.doc
FROM h, unnest($3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[], $8::bigint[],
    $9::text[], $10::text[], $11::text[], $12::text[]) WITH ORDINALITY
    AS e(kind, number, root, revision, action, at, actor, request, changed, doc, position)
RETURNING "seq""#;

/// Why an attempt did not commit.
enum Failure {
    /// The batch is refused.
    Refused(StoreError),
    /// Nothing was committed, and another attempt may succeed.
    Again(StoreError),
}

/// What a statement must have done.
enum Expect {
    Anything,
    /// Exactly one row, or this refusal.
    One(StoreError),
}

/// One statement of a batch.
struct Step<'b> {
    sql: std::borrow::Cow<'b, str>,
    params: Vec<Box<dyn ToSql + Sync + Send + 'b>>,
    expect: Expect,
    /// The kind whose unique columns it may violate.
    kind: Option<&'static Kind>,
}

macro_rules! params {
    ($($param:expr),* $(,)?) => { vec![$(Box::new($param) as Box<dyn ToSql + Sync + Send>),*] };
}

impl Postgres {
    /// Writes a batch, again while that is safe and promising.
    pub(super) async fn write(&self, batch: &Batch) -> Result<Committed, StoreError> {
        let steps = steps(&self.schema, batch)?;
        let begun = Instant::now();
        let mut attempt = 1;
        loop {
            match self.attempt(batch, &steps).await {
                Ok(committed) => return Ok(committed),
                Err(Failure::Refused(error)) => return Err(error),
                Err(Failure::Again(error)) => {
                    if attempt == ATTEMPTS_MAX || begun.elapsed() > ATTEMPTS_TIME_MAX {
                        return Err(error);
                    }
                }
            }
            self.counters.retries.fetch_add(1, Relaxed);
            tokio::time::sleep(backoff(attempt)).await;
            attempt += 1;
        }
    }

    async fn attempt(&self, batch: &Batch, steps: &[Step<'_>]) -> Result<Committed, Failure> {
        let guard = Guard { client: Some(self.client().await.map_err(Failure::Refused)?) };
        let client = guard.client();
        let mut prepared = Vec::with_capacity(steps.len());
        for step in steps {
            prepared.push(client.prepare_cached(&step.sql).await.map_err(|e| before_commit(&e))?);
        }
        let journaled = !batch.entries.is_empty() && !batch.dry_run;
        let journal = match journaled {
            true => Some(client.prepare_cached(JOURNAL).await.map_err(|e| before_commit(&e))?),
            false => None,
        };
        match send(client, batch, steps, &prepared, journal.as_ref()).await {
            Ok(committed) if batch.dry_run => {
                roll_back(guard).await;
                Ok(committed)
            }
            Ok(committed) => {
                commit(guard).await?;
                Ok(committed)
            }
            Err(failure) => {
                roll_back(guard).await;
                Err(failure)
            }
        }
    }
}

/// A connection in a transaction. Dropped before the transaction has ended, for example because the
/// caller no longer waits, it is closed instead of being given to someone else.
struct Guard {
    client: Option<Client>,
}

impl Guard {
    fn client(&self) -> &Client {
        self.client
            .as_ref()
            .expect("only `release` takes the connection, and it consumes the guard")
    }

    /// The transaction has ended: the connection goes back to the pool.
    fn release(mut self) {
        self.client = None;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            drop(Object::take(client));
        }
    }
}

async fn roll_back(guard: Guard) {
    if guard.client().batch_execute("ROLLBACK").await.is_ok() {
        guard.release();
    }
}

async fn commit(guard: Guard) -> Result<(), Failure> {
    match guard.client().batch_execute("COMMIT").await {
        Ok(()) => {
            guard.release();
            Ok(())
        }
        Err(error) if error.as_db_error().is_some() && !is_connection_lost(&error) => {
            // The server says that it did not.
            roll_back(guard).await;
            Err(before_commit(&error))
        }
        Err(error) => Err(Failure::Refused(StoreError::Unavailable(format!(
            "{}; whether it was written is not known",
            failed(&error)
        )))),
    }
}

/// What an error means while nothing can have been committed.
fn before_commit(error: &Error) -> Failure {
    let again = [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED];
    if is_connection_lost(error) || error.code().is_some_and(|code| again.contains(code)) {
        Failure::Again(failed(error))
    } else {
        Failure::Refused(failed(error))
    }
}

/// What a statement answered: rows it changed, or the last position it wrote.
enum Answered {
    Rows(u64),
    LastSeq(i64),
}

type Running<'c> = Pin<Box<dyn Future<Output = Result<Answered, Error>> + Send + 'c>>;

/// Begins, sends all statements together and judges the answers in their order.
async fn send(
    client: &Client,
    batch: &Batch,
    steps: &[Step<'_>],
    prepared: &[Statement],
    journal: Option<&Statement>,
) -> Result<Committed, Failure> {
    let begun = client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED").await;
    begun.map_err(|error| before_commit(&error))?;
    let mut running: Vec<Running<'_>> = Vec::with_capacity(steps.len() + 1);
    for (step, statement) in steps.iter().zip(prepared) {
        let params: Vec<&(dyn ToSql + Sync)> =
            step.params.iter().map(|param| &**param as &(dyn ToSql + Sync)).collect();
        running.push(Box::pin(async move {
            client.execute(statement, &params).await.map(Answered::Rows)
        }));
    }
    if let Some(journal) = journal {
        running.push(Box::pin(write_journal(client, journal, batch)));
    }
    let mut answers = pipelined(running).await.into_iter();
    for (step, answer) in steps.iter().zip(&mut answers) {
        match (answer, &step.expect) {
            (Err(error), _) => return Err(violation(step, &error)),
            (Ok(Answered::Rows(1)), _) | (Ok(_), Expect::Anything) => {}
            (Ok(_), Expect::One(refusal)) => return Err(Failure::Refused(refusal.clone())),
        }
    }
    match answers.next().transpose().map_err(|error| before_commit(&error))? {
        Some(Answered::LastSeq(last_seq)) => {
            Ok(Committed { first_seq: last_seq - batch.entries.len() as i64 + 1, last_seq })
        }
        _ => Ok(Committed::default()),
    }
}

async fn write_journal(
    client: &Client,
    statement: &Statement,
    batch: &Batch,
) -> Result<Answered, Error> {
    let entries = &batch.entries;
    let ints = |of: fn(&NewEntry) -> i64| entries.iter().map(of).collect::<Vec<i64>>();
    fn texts<'e>(entries: &'e [NewEntry], of: impl Fn(&'e NewEntry) -> &'e str) -> Vec<&'e str> {
        entries.iter().map(of).collect()
    }
    let n = entries.len() as i64;
    let rows = client
        .query(
            statement,
            &[
                &batch.tenant,
                &n,
                &texts(entries, |e| e.kind),
                &ints(|e| e.number),
                &ints(|e| e.root),
                &ints(|e| e.revision),
                &texts(entries, |e| e.action),
                &ints(|e| e.at),
                &texts(entries, |e| &e.actor),
                &texts(entries, |e| &e.request),
                &texts(entries, |e| &e.changed),
                &texts(entries, |e| &e.doc),
            ],
        )
        .await?;
    let mut last = 0;
    for row in &rows {
        last = last.max(row.try_get(0)?);
    }
    Ok(Answered::LastSeq(last))
}

/// Runs futures side by side, each started strictly after the one before it, which for this driver
/// means that the server gets the statements in this order. `join_all` does not promise that.
pub(super) async fn pipelined<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut running: Vec<Pin<Box<MaybeDone<F>>>> =
        futures.into_iter().map(|future| Box::pin(maybe_done(future))).collect();
    poll_fn(|context| {
        let mut pending = false;
        for future in &mut running {
            pending |= future.as_mut().poll(context).is_pending();
        }
        if pending { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    running.iter_mut().filter_map(|future| future.as_mut().take_output()).collect()
}

/// A violation of uniqueness names the index, and that the column.
fn violation(step: &Step<'_>, error: &Error) -> Failure {
    let (Some(kind), Some(refusal)) = (step.kind, error.as_db_error()) else {
        return before_commit(error);
    };
    if *refusal.code() != SqlState::UNIQUE_VIOLATION {
        return before_commit(error);
    }
    let constraint = refusal.constraint().unwrap_or_default();
    let columns = kind.columns.iter().map(|column| column.name).chain(["uuid"]);
    let column = columns.into_iter().find(|column| index_name(kind, column) == constraint);
    let column = column.unwrap_or("number");
    Failure::Refused(StoreError::Unique { kind: kind.name, column })
}

/// The statements of a batch, except the journal's.
fn steps<'b>(schema: &'b Schema, batch: &'b Batch) -> Result<Vec<Step<'b>>, StoreError> {
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
                &record.doc
            ];
            params.extend(record.columns.iter().map(boxed));
            steps.push(Step { sql, params, expect: Expect::Anything, kind: Some(kind) });
            push_terms(schema, steps, kind, record, &[])
        }
        Write::Replace { kind, after, before_columns, before_terms } => {
            let changed = changed_columns(before_columns, &after.columns);
            let sql = schema.kind(kind)?.replace(changed).to_string().into();
            let Record { tenant, number, revision, doc, .. } = after;
            let mut params = params![*number, *tenant, revision - 1, *revision, doc];
            let columns = after.columns.iter().enumerate();
            let columns = columns.filter(|(at, _)| changed & (1 << at) != 0);
            params.extend(columns.map(|(_, value)| boxed(value)));
            let expect = Expect::One(StoreError::Conflict { kind: kind.name, number: *number });
            steps.push(Step { sql, params, expect, kind: Some(kind) });
            push_terms(schema, steps, kind, after, before_terms)
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
        Write::Assert { kind, tenant, number, revision } => {
            let sql = schema.kind(kind)?.assert.as_str().into();
            let expect = Expect::One(StoreError::Conflict { kind: kind.name, number: *number });
            let params = params![*number, *tenant, *revision];
            steps.push(Step { sql, params, expect, kind: None });
            Ok(())
        }
    }
}

fn boxed(value: &Value) -> Box<dyn ToSql + Sync + Send + '_> {
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
