//! Writing a group of batches in one transaction of three round trips: BEGIN; all statements
//! together; then, when it is known which batches did what they should, the journal and COMMIT. The
//! answer to BEGIN is waited for: were it refused (an operator cancels it, the server is short of
//! memory), statements sent along would be committed one by one.
//!
//! A refused batch leaves no trace and its neighbours stand: where more than its one statement may
//! have run, it begins with a savepoint, and what was sent behind it is sent again.
//!
//! The journal's statement gives out the positions. It locks the heads of the tenants, in one
//! order, so entries of one tenant become visible in the order of their positions, and it comes
//! last so that others wait only from there to the commit.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;
use std::time::{Duration, Instant};

use deadpool_postgres::Client;
use futures_util::future::{MaybeDone, join_all, maybe_done};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Error, Row as SqlRow, Statement};

use super::ask::{self, Parameter};
use super::failure::{backoff, failed, is_connection_lost, is_read_only, is_undone};
use super::shared::{Guard, Shared};
use super::steps::{Expect, Step, may_violate, steps};
use super::{connect, journal};
use crate::ddl::index_name;
use crate::store::Committed;
use crate::{Batch, StoreError};

/// Attempts of one group, and the time they may take together.
pub(super) const ATTEMPTS_MAX: u32 = 10;
const ATTEMPTS_TIME_MAX: Duration = Duration::from_secs(5);
/// How long a statement waits for what another session holds where one of the same group has
/// waited its whole time before (milliseconds): they share a writer.
const LOCK_WAIT_AGAIN_MS: u64 = 50;

/// What became of a batch.
pub(super) type Verdict = Result<Committed, StoreError>;

/// Why an attempt did not commit.
enum Failure {
    /// Nothing was committed: the server refused a statement that no savepoint precedes.
    Broken(StoreError),
    /// The same, because another session holds what it needs.
    Locked(StoreError),
    /// Nothing was committed, and another attempt may succeed.
    Again(StoreError),
    /// The same, over another connection: this server takes no writes.
    Elsewhere(StoreError),
    /// Another attempt is pointless, or it is not known whether something was committed.
    Failed(StoreError),
}

impl Failure {
    fn error(self) -> StoreError {
        match self {
            Failure::Broken(error)
            | Failure::Locked(error)
            | Failure::Again(error)
            | Failure::Elsewhere(error)
            | Failure::Failed(error) => error,
        }
    }
}

/// What a batch asks of the server.
struct Plan<'b> {
    batch: &'b Batch,
    steps: Vec<Step<'b>>,
    /// `None` behind a pooler, which has no session to prepare them in.
    prepared: Vec<Option<Statement>>,
    /// Whether it has the transaction for itself.
    alone: bool,
    /// Whether a savepoint precedes it.
    guarded: bool,
}

impl Shared {
    /// Writes batches that do not know of each other; one verdict for each, in their order.
    pub(super) async fn write_group(&self, batches: &[&Batch]) -> Vec<Verdict> {
        let begun = Instant::now();
        let wait = connect::LOCK_WAIT_MS;
        let verdicts = match self.attempts(batches, begun, wait).await {
            Ok(verdicts) => verdicts,
            Err(Failure::Broken(_)) if batches.len() > 1 => {
                self.each_alone(batches, begun, wait).await
            }
            Err(Failure::Locked(_)) if batches.len() > 1 => {
                self.each_alone(batches, begun, LOCK_WAIT_AGAIN_MS).await
            }
            Err(failure) => vec![Err(failure.error()); batches.len()],
        };
        let refused = verdicts.iter().filter(|verdict| verdict.is_err()).count();
        self.counters.refused(refused as u64);
        verdicts
    }

    /// One of them is the cause. Each alone, it is its own.
    async fn each_alone(
        &self,
        batches: &[&Batch],
        begun: Instant,
        lock_wait_ms: u64,
    ) -> Vec<Verdict> {
        let mut verdicts = Vec::with_capacity(batches.len());
        for batch in batches {
            let alone = self.attempts(&[batch], begun, lock_wait_ms).await;
            verdicts.extend(alone.unwrap_or_else(|failure| vec![Err(failure.error())]));
        }
        verdicts
    }

    /// Tries again while that is safe and promising.
    async fn attempts(
        &self,
        batches: &[&Batch],
        begun: Instant,
        lock_wait_ms: u64,
    ) -> Result<Vec<Verdict>, Failure> {
        let mut attempt = 1;
        loop {
            let outcome = self.attempt(batches, lock_wait_ms).await;
            if let Err(Failure::Elsewhere(_)) = outcome {
                self.forget_connections();
            }
            match outcome {
                Err(Failure::Again(_) | Failure::Elsewhere(_))
                    if attempt < ATTEMPTS_MAX && begun.elapsed() < ATTEMPTS_TIME_MAX => {}
                outcome => return outcome,
            }
            self.counters.retries.fetch_add(1, Relaxed);
            tokio::time::sleep(backoff(attempt)).await;
            attempt += 1;
        }
    }

    async fn attempt(
        &self,
        batches: &[&Batch],
        lock_wait_ms: u64,
    ) -> Result<Vec<Verdict>, Failure> {
        let guard = Guard::new(self.client().await.map_err(Failure::Failed)?);
        let client = guard.client();
        let mut plans = Vec::with_capacity(batches.len());
        for batch in batches {
            plans.push(self.plan(client, batch, batches.len() == 1).await?);
        }
        let sql = journal::sql(batches);
        let journal = (sql, self.prepared(client, sql.text).await?);
        let mut sent = match send(client, &self.begin(lock_wait_ms), &plans).await {
            Ok(sent) => sent,
            Err(failure) => {
                roll_back(guard).await;
                return Err(failure);
            }
        };
        let stands = |(batch, verdict): &(&&Batch, &Verdict)| verdict.is_ok() && !batch.dry_run;
        let standing = batches.iter().zip(&sent.verdicts).filter(stands);
        let standing: Vec<&Batch> = standing.map(|(batch, _)| *batch).collect();
        if standing.is_empty() {
            roll_back(guard).await;
            return Ok(sent.verdicts);
        }
        let mut positions = commit(guard, sent.undo.take(), &journal, &standing).await?;
        let entries: usize = standing.iter().map(|batch| batch.entries.len()).sum();
        self.counters.committed(standing.len() as u64, entries as u64);
        for batch in standing.iter().filter(|batch| !batch.entries.is_empty()) {
            self.news.tell(batch.tenant);
        }
        for (batch, verdict) in batches.iter().zip(&mut sent.verdicts) {
            if let (Ok(committed), false) = (verdict, batch.dry_run) {
                *committed = positions.take(batch);
            }
        }
        Ok(sent.verdicts)
    }
}

async fn roll_back(guard: Guard) {
    if guard.client().batch_execute("ROLLBACK").await.is_ok() {
        guard.release();
    }
}

/// What an error means while nothing can have been committed.
fn before_commit(error: &Error) -> Failure {
    if is_connection_lost(error) || is_undone(error) {
        return Failure::Again(failed(error));
    }
    if is_read_only(error) {
        return Failure::Elsewhere(failed(error));
    }
    if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) {
        return Failure::Locked(failed(error));
    }
    match failed(error) {
        // The server's trouble, not one batch's.
        error @ StoreError::Unavailable(_) => Failure::Failed(error),
        error => Failure::Broken(error),
    }
}

fn not_known(error: &Error) -> Failure {
    let text = format!("{}; whether it was written is not known", failed(error));
    Failure::Failed(StoreError::Unavailable(text))
}

/// What a statement answered.
enum Answered {
    Count(u64),
    Rows(Vec<SqlRow>),
}

type Running<'c> = Pin<Box<dyn Future<Output = Result<Answered, Error>> + Send + 'c>>;

/// A statement that steers the transaction.
fn steer<'c>(client: &'c Client, sql: String) -> Running<'c> {
    Box::pin(async move { client.batch_execute(&sql).await.map(|()| Answered::Count(0)) })
}

/// Sends the journal's entries and COMMIT together. The server refuses to commit what has failed.
async fn commit(
    guard: Guard,
    undo: Option<String>,
    (sql, statement): &(journal::Sql, Option<Statement>),
    standing: &[&Batch],
) -> Result<journal::Positions, Failure> {
    let client = guard.client();
    let entries = journal::Entries::of(standing);
    let mut running: Vec<Running<'_>> = undo.map(|sql| steer(client, sql)).into_iter().collect();
    if !entries.is_empty() {
        running.push(Box::pin(async {
            let params = entries.params();
            let params = &params[..sql.values];
            let rows = match statement {
                Some(statement) => client.query(statement, &ask::plain(params)).await,
                None => client.query_typed(sql.text, &ask::typed(params)).await,
            };
            rows.map(Answered::Rows)
        }));
    }
    running.push(steer(client, "COMMIT".to_owned()));
    let mut answers = pipelined(running).await;
    let committed = answers.pop();
    let mut rows = Vec::new();
    for answer in answers {
        match answer {
            Ok(Answered::Rows(found)) => rows = found,
            Ok(Answered::Count(_)) => {}
            Err(error) if error.as_db_error().is_some() => {
                // COMMIT rolled back.
                roll_back(guard).await;
                return Err(before_commit(&error));
            }
            // COMMIT was on its way.
            Err(error) => return Err(not_known(&error)),
        }
    }
    match committed {
        Some(Err(error)) if error.as_db_error().is_some() && !is_connection_lost(&error) => {
            // The server says that it did not.
            roll_back(guard).await;
            Err(before_commit(&error))
        }
        Some(Err(error)) => Err(not_known(&error)),
        _ => {
            guard.release();
            journal::Positions::of(&rows, standing).map_err(Failure::Failed)
        }
    }
}

/// Verdicts of batches whose statements have run.
struct Sent {
    verdicts: Vec<Verdict>,
    /// What must be sent before anything else.
    undo: Option<String>,
}

/// Begins, sends all statements together and judges the answers in their order. What was sent
/// behind a batch that is undone is sent again, at first only a part of it: the more refusals, the
/// less is sent in vain.
async fn send(client: &Client, begin: &str, plans: &[Plan<'_>]) -> Result<Sent, Failure> {
    let begun = client.batch_execute(begin).await;
    begun.map_err(|error| before_commit(&error))?;
    let mut verdicts = Vec::with_capacity(plans.len());
    let mut undo = None;
    let mut window = plans.len();
    while verdicts.len() < plans.len() {
        let first = verdicts.len();
        let part = &plans[first..plans.len().min(first + window)];
        let mut answers = run(client, undo.take(), first, part).await?;
        window *= 2;
        for plan in part {
            let verdict = judge(plan, &mut answers)?;
            let undone = plan.guarded && (verdict.is_err() || plan.batch.dry_run);
            verdicts.push(verdict);
            if undone {
                let back = format!("ROLLBACK TO SAVEPOINT b{}", verdicts.len() - 1);
                let locked = matches!(verdicts.last(), Some(Err(StoreError::Unavailable(_))));
                undo = Some(if locked {
                    format!("{back}; {}", lock_wait(LOCK_WAIT_AGAIN_MS))
                } else {
                    back
                });
                window = (part.len() / 2).max(1);
                break;
            }
        }
    }
    Ok(Sent { verdicts, undo })
}

type Answers = std::vec::IntoIter<Result<Answered, Error>>;

/// Runs the statements of some batches, of which the first has this place in the group.
async fn run(
    client: &Client,
    before: Option<String>,
    first: usize,
    plans: &[Plan<'_>],
) -> Result<Answers, Failure> {
    let steered = before.is_some();
    let mut running: Vec<Running<'_>> = before.map(|sql| steer(client, sql)).into_iter().collect();
    for (place, plan) in (first..).zip(plans) {
        if plan.guarded {
            running.push(steer(client, format!("SAVEPOINT b{place}")));
        }
        for (step, statement) in plan.steps.iter().zip(&plan.prepared) {
            let params: Vec<&dyn Parameter> =
                step.params.iter().map(|param| &**param as &dyn Parameter).collect();
            running.push(Box::pin(async move {
                let count = match statement {
                    Some(statement) => client.execute(statement, &ask::plain(&params)).await,
                    None => client.execute_typed(&step.sql, &ask::typed(&params)).await,
                };
                count.map(Answered::Count)
            }));
        }
    }
    let mut answers = pipelined(running).await.into_iter();
    if steered {
        answers.next().transpose().map_err(|error| before_commit(&error))?;
    }
    Ok(answers)
}

/// Looks at the answers to one batch.
fn judge(plan: &Plan<'_>, answers: &mut Answers) -> Result<Verdict, Failure> {
    if plan.guarded {
        answers.next().transpose().map_err(|error| before_commit(&error))?;
    }
    for (step, answer) in plan.steps.iter().zip(answers) {
        match (answer, &step.expect) {
            (Err(error), _) => {
                // The server does nothing more until it is told to go back.
                let can_go_back = plan.guarded || plan.alone;
                let refusal = refusal(step, &error)?;
                return match before_commit(&error) {
                    _ if can_go_back => Ok(Err(refusal)),
                    failure @ Failure::Locked(_) => Err(failure),
                    _ => Err(Failure::Broken(refusal)),
                };
            }
            (Ok(Answered::Count(1)), _) | (Ok(_), Expect::Anything) => {}
            (Ok(_), Expect::One(refusal)) => return Ok(Err(refusal.clone())),
        }
    }
    Ok(Ok(Committed::default()))
}

/// Runs futures side by side, each started strictly after the one before it, which for this driver
/// means that the server gets their first statements in this order; `join_all` alone does not
/// promise that. From then on each goes on as soon as it can: the driver hands over what the server
/// says in its order and waits for whoever does not take it, so nobody may wait for somebody whose
/// answer lies behind one that he himself leaves there.
pub(super) async fn pipelined<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut running: Vec<Pin<Box<MaybeDone<F>>>> =
        futures.into_iter().map(|future| Box::pin(maybe_done(future))).collect();
    poll_fn(|context| {
        for future in &mut running {
            // Done or not: it has been started.
            let _ = future.as_mut().poll(context);
        }
        Poll::Ready(())
    })
    .await;
    join_all(running.iter_mut().map(Pin::as_mut)).await;
    running.iter_mut().filter_map(|future| future.as_mut().take_output()).collect()
}

/// Why a batch is refused whose statement failed. A violation of uniqueness names the index, and
/// that the column.
fn refusal(step: &Step<'_>, error: &Error) -> Result<StoreError, Failure> {
    if let (Some(kind), Some(answer)) = (step.kind, error.as_db_error())
        && *answer.code() == SqlState::UNIQUE_VIOLATION
    {
        let constraint = answer.constraint().unwrap_or_default();
        let columns = kind.columns.iter().map(|column| column.name).chain(["uuid"]);
        let column = columns.into_iter().find(|column| index_name(kind, column) == constraint);
        let column = column.unwrap_or("number");
        return Ok(StoreError::Unique { kind: kind.name, column });
    }
    match before_commit(error) {
        Failure::Broken(error) | Failure::Locked(error) => Ok(error),
        failure => Err(failure),
    }
}

/// For how long what other sessions hold is waited for, from now to the end of the transaction.
fn lock_wait(ms: u64) -> String {
    format!("SET LOCAL lock_timeout = {ms}")
}

impl Shared {
    /// The statements of a batch, prepared.
    async fn plan<'b>(
        &'b self,
        client: &Client,
        batch: &'b Batch,
        alone: bool,
    ) -> Result<Plan<'b>, Failure> {
        let steps = steps(&self.schema, batch).map_err(Failure::Broken)?;
        let mut prepared = Vec::with_capacity(steps.len());
        for step in &steps {
            prepared.push(self.prepared(client, &step.sql).await?);
        }
        // One statement that changes nothing when it is refused needs no way back.
        let simple = steps.len() == 1 && !batch.writes.iter().any(may_violate) && !batch.dry_run;
        Ok(Plan { batch, steps, prepared, alone, guarded: !alone && !simple })
    }

    /// A statement as the session knows it; `None` where it will have another session.
    async fn prepared(&self, client: &Client, sql: &str) -> Result<Option<Statement>, Failure> {
        if self.is_pooled() {
            return Ok(None);
        }
        client.prepare_cached(sql).await.map(Some).map_err(|error| before_commit(&error))
    }

    /// What a transaction begins with: what differs from the limits that its session has anyway.
    fn begin(&self, lock_wait_ms: u64) -> String {
        let mut begin = "BEGIN ISOLATION LEVEL READ COMMITTED".to_owned();
        let [statement, lock] = connect::limits_ms(&self.options);
        if self.is_pooled() {
            begin.push_str(&format!("; SET LOCAL statement_timeout = {statement}"));
        }
        if self.is_pooled() || lock_wait_ms != lock {
            begin.push_str(&format!("; {}", lock_wait(lock_wait_ms)));
        }
        begin
    }
}
