//! The tasks that write. Each takes whatever is waiting (up to a limit) into one transaction and
//! answers everyone in it after the commit: alone, a client waits for nobody; in a crowd, all share
//! round trips and a flush. Any batch may go to any of them, so one is at work while another
//! commits.
//!
//! They never die: a panic is answered to everyone in the transaction, whose connection is closed.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{FutureExt, future::join_all};
use tokio::sync::{Mutex as AsyncMutex, Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;

use super::shared::Shared;
use super::write::Verdict;
use crate::{Batch, Options, StoreError, Write};

/// Records written in one transaction, above which no further batch joins it.
const GROUP_WRITES_MAX: usize = 512;

/// A batch and where its outcome is awaited.
struct Job {
    batch: Batch,
    reply: oneshot::Sender<Verdict>,
}

type Queue = Arc<AsyncMutex<mpsc::Receiver<Job>>>;

/// The way to the tasks.
pub(super) struct Writers {
    /// `None` once the store is closed.
    queue: Mutex<Option<mpsc::Sender<Job>>>,
    /// Room for the writes of imports.
    many: Semaphore,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    queue_max: usize,
}

impl Writers {
    pub(super) fn start(shared: &Arc<Shared>) -> Writers {
        let options = &shared.options;
        let queue_max = options.write_queue_max.max(1);
        let (sender, receiver) = mpsc::channel(queue_max);
        let queue: Queue = Arc::new(AsyncMutex::new(receiver));
        let task = |_| tokio::spawn(run(Arc::clone(shared), Arc::clone(&queue)));
        let tasks = Mutex::new((0..connections(options)).map(task).collect());
        let many = Semaphore::new(options.many());
        Writers { queue: Mutex::new(Some(sender)), many, tasks, queue_max }
    }

    fn sender(&self) -> Result<mpsc::Sender<Job>, StoreError> {
        let sender = self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone();
        sender.ok_or_else(|| StoreError::Unavailable("the store is closed".to_owned()))
    }

    pub(super) async fn write(&self, batch: Batch) -> Verdict {
        let (reply, verdict) = oneshot::channel();
        self.sender()?.try_send(Job { batch, reply }).map_err(|_| StoreError::Full)?;
        answer(verdict).await
    }

    /// Waits for room in the queue.
    pub(super) async fn write_many(&self, batches: Vec<Batch>) -> Vec<Verdict> {
        let handed = batches.into_iter().map(|batch| async {
            // Held until the verdict is there: many batches never fill the queue for others.
            let _room = self.many.acquire().await;
            let (reply, verdict) = oneshot::channel();
            if let Ok(sender) = self.sender() {
                // Refused only when every task has ended; then the reply is gone as well.
                let _ = sender.send(Job { batch, reply }).await;
            }
            answer(verdict).await
        });
        join_all(handed).await
    }

    pub(super) fn waiting(&self) -> u64 {
        let sender = self.sender();
        sender.map_or(0, |sender| (self.queue_max - sender.capacity()) as u64)
    }

    /// Waits for what was handed in, and refuses the rest.
    pub(super) async fn close(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let tasks: Vec<JoinHandle<()>> =
            self.tasks.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect();
        for task in tasks {
            // It ends by itself, and does not panic.
            let _ = task.await;
        }
    }
}

/// Connections that write: half of the pool stays free for everyone else.
pub(super) fn connections(options: &Options) -> usize {
    options.postgres_writers.min(options.postgres_pool_max / 2).max(1)
}

async fn answer(verdict: oneshot::Receiver<Verdict>) -> Verdict {
    let lost = || StoreError::Unavailable("the store is closed".to_owned());
    verdict.await.unwrap_or_else(|_| Err(lost()))
}

async fn run(shared: Arc<Shared>, queue: Queue) {
    while let Some(mut group) = next_group(&shared, &queue).await {
        // Those who wait for each other's rows do so in one order, here and on other nodes.
        group.sort_by_key(|job| first_number(&job.batch));
        let batches: Vec<&Batch> = group.iter().map(|job| &job.batch).collect();
        let written = AssertUnwindSafe(shared.write_group(&batches)).catch_unwind().await;
        let verdicts = written.unwrap_or_else(|_| {
            let failed = "a writer failed; whether it was written is not known";
            vec![Err(StoreError::Engine(failed.to_owned())); group.len()]
        });
        for (job, verdict) in group.into_iter().zip(verdicts) {
            // Whoever asked may have stopped waiting.
            let _ = job.reply.send(verdict);
        }
    }
}

/// Whatever is waiting; `None` once the store is closed.
async fn next_group(shared: &Shared, queue: &Queue) -> Option<Vec<Job>> {
    let mut queue = queue.lock().await;
    let mut group = vec![queue.recv().await?];
    let mut writes = group[0].batch.writes.len();
    while group.len() < shared.options.group_max && writes < GROUP_WRITES_MAX {
        let Ok(job) = queue.try_recv() else { break };
        writes += job.batch.writes.len();
        group.push(job);
    }
    Some(group)
}

fn first_number(batch: &Batch) -> i64 {
    let numbers = batch.writes.iter().map(|write| match write {
        Write::Insert { record, .. }
        | Write::Replace { after: record, .. }
        | Write::Derive { record, .. } => record.number,
        Write::Remove { number, .. }
        | Write::Assert { number, .. }
        | Write::Blank { number, .. } => *number,
    });
    numbers.min().unwrap_or_default()
}
