//! The one thread that writes. It takes whatever is waiting (up to a limit) into one transaction,
//! commits once and then answers: alone, a client waits for nobody; in a crowd, all share a flush.
//!
//! It never dies: a panic or a failure of the engine is answered to everyone in the transaction, and
//! the connection is opened anew when it cannot be rolled back.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::connect::{Access, connect};
use super::keeper::KeptSnapshot;
use super::write::{Failure, Transaction};
use super::{Shared, failed};
use crate::store::Committed;
use crate::{Batch, Counts, StoreError, sql};

/// Something to be written.
pub(super) enum Work {
    Batch(Batch),
    Reserve {
        counter: &'static str,
        n: i64,
    },
    ForgetAnswers {
        before_us: i64,
    },
    Purge {
        tenant: i64,
        limit: u32,
    },
    Ready,
    /// Finish what is waiting and end.
    Close,
}

/// What came of it; the variant follows from the work.
pub(super) enum Done {
    Committed(Committed),
    Block(Range<i64>),
    Number(u64),
    Counts(Counts),
    Nothing,
}

impl Done {
    pub(super) fn committed(self) -> Committed {
        match self {
            Done::Committed(committed) => committed,
            _ => Committed::default(),
        }
    }

    pub(super) fn block(self) -> Range<i64> {
        match self {
            Done::Block(block) => block,
            _ => 0..0,
        }
    }

    pub(super) fn counts(self) -> Counts {
        match self {
            Done::Counts(counts) => counts,
            _ => Counts::new(),
        }
    }

    pub(super) fn number(self) -> u64 {
        match self {
            Done::Number(number) => number,
            _ => 0,
        }
    }
}

/// Work and where its outcome is awaited.
pub(super) struct Job {
    pub(super) work: Work,
    pub(super) reply: oneshot::Sender<Result<Done, StoreError>>,
}

pub(super) struct Writer {
    shared: Arc<Shared>,
    keeper: KeptSnapshot,
    queue: mpsc::Receiver<Job>,
    /// `None` after a failure that could not be rolled back.
    connection: Option<Connection>,
}

/// Verdicts of a committed transaction, and how many journal entries it wrote.
type Verdicts = (Vec<Result<Done, StoreError>>, u64);

impl Writer {
    pub(super) fn start(
        connection: Connection,
        shared: Arc<Shared>,
        keeper: KeptSnapshot,
        queue: mpsc::Receiver<Job>,
    ) -> Result<(), StoreError> {
        let writer = Writer { shared, keeper, queue, connection: Some(connection) };
        std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| StoreError::Unavailable(format!("no writer thread: {error}")))?;
        Ok(())
    }

    fn run(mut self) {
        let mut group = Vec::new();
        let mut closing = Vec::new();
        while let Some(first) = self.queue.blocking_recv() {
            let mut next = Some(first);
            while let Some(job) = next {
                if matches!(job.work, Work::Close) {
                    self.queue.close();
                    closing.push(job.reply);
                } else {
                    group.push(job);
                }
                let room = group.len() < self.shared.options.group_max;
                next = if room { self.queue.try_recv().ok() } else { None };
            }
            if !group.is_empty() {
                self.keeper.let_go();
                self.commit(&mut group);
            }
        }
        self.keeper.close();
        if let Some(connection) = self.connection.take() {
            // Moves the log into the file; what fails here is done at the next start.
            let _ = connection.pragma_update(None, "wal_checkpoint", "TRUNCATE");
        }
        // Whoever closed may give the file another name and open it anew: a connection that is
        // still open by then would make SQLite go on with the files beside the old name.
        drop(self.shared);
        for reply in closing {
            // Whoever closed may have stopped waiting.
            let _ = reply.send(Ok(Done::Nothing));
        }
    }

    /// Commits a group and answers everyone in it, whatever happens.
    fn commit(&mut self, group: &mut Vec<Job>) {
        let outcome =
            catch_unwind(AssertUnwindSafe(|| self.transact(group))).unwrap_or_else(|_| {
                // Nobody knows in which state the panic left the connection.
                self.connection = None;
                Err(StoreError::Engine("the writer failed".to_owned()))
            });
        match outcome {
            Ok((verdicts, entries)) => {
                let counters = &self.shared.counters;
                let refused = verdicts.iter().filter(|verdict| verdict.is_err()).count() as u64;
                counters.refused(refused);
                counters.committed(verdicts.len() as u64 - refused, entries);
                for (job, verdict) in group.drain(..).zip(verdicts) {
                    if let (Work::Batch(batch), Ok(_)) = (&job.work, &verdict)
                        && !batch.dry_run
                        && !batch.entries.is_empty()
                    {
                        self.shared.news.tell(batch.tenant);
                    }
                    // Whoever asked may have stopped waiting.
                    let _ = job.reply.send(verdict);
                }
            }
            Err(error) => {
                tracing::error!(%error, waiting = group.len(), "a group of writes failed");
                self.roll_back();
                self.shared.counters.refused(group.len() as u64);
                for job in group.drain(..) {
                    let _ = job.reply.send(Err(error.clone()));
                }
            }
        }
    }

    fn roll_back(&mut self) {
        let Some(connection) = &self.connection else { return };
        if connection.is_autocommit() || connection.execute_batch("ROLLBACK").is_ok() {
            return;
        }
        self.connection = None;
    }

    fn transact(&mut self, group: &[Job]) -> Result<Verdicts, StoreError> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => connect(&self.shared.path, Access::Write, &self.shared.options)?,
        };
        let connection = self.connection.insert(connection);
        run(connection, "BEGIN IMMEDIATE")?;
        let mut transaction = Transaction::new(connection, &self.shared.schema);
        let mut verdicts = Vec::with_capacity(group.len());
        for job in group {
            verdicts.push(match apply(&mut transaction, &self.shared, &job.work) {
                Ok(done) => Ok(done),
                Err(Failure::Refused(error)) => Err(error),
                Err(Failure::Broken(error)) => return Err(error),
            });
        }
        let entries = transaction.finish().map_err(failed)?;
        run(connection, "COMMIT").map_err(|error| {
            StoreError::Unavailable(format!("{error}; whether it was written is not known"))
        })?;
        Ok((verdicts, entries))
    }
}

fn run(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    let done = connection.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
    done.map(|_| ()).map_err(failed)
}

fn apply(transaction: &mut Transaction<'_>, shared: &Shared, work: &Work) -> Result<Done, Failure> {
    let statements = &shared.schema.statements;
    match work {
        Work::Batch(batch) => transaction.batch(batch).map(Done::Committed),
        Work::Reserve { counter, n } => {
            let next = transaction.number(&statements.reserve, (counter, n))?;
            // A counter that is used up stays used up: that it moved on does no harm.
            sql::block(next, *n, counter).map(Done::Block).map_err(Failure::Refused)
        }
        Work::ForgetAnswers { before_us } => {
            let forgotten = transaction.execute(&statements.forget_answers, [before_us])?;
            Ok(Done::Number(forgotten as u64))
        }
        Work::Purge { tenant, limit } => transaction.purge(*tenant, *limit).map(Done::Counts),
        Work::Ready => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_micros());
            transaction.execute(&statements.ready, [now.to_string()])?;
            Ok(Done::Nothing)
        }
        Work::Close => Ok(Done::Nothing),
    }
}
