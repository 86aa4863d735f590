//! Processor time of long reads. They run on threads of their own, which the system would give as
//! much time as those that answer short requests: several of them together would slow everybody
//! down. So only as many work at a time as leave half of the processors to the others, and each
//! passes its place on after a slice.
//!
//! Lower priorities (`nice`) were tried instead and are worse: whoever waits for a lock that such a
//! thread holds waits for its turn too. The p99 of a neighbour grew to 50-400 ms.

use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long a read works before it is another one's turn.
const SLICE: Duration = Duration::from_millis(2);
/// How long a read works before it lets the processor go to whoever waits for that. The system by
/// itself looks at its ticks only, every 4 ms as Linux is mostly built: a short request that was
/// woken on the processor of a long read would wait for one or two of them.
const YIELD_EVERY: Duration = Duration::from_micros(200);

/// The places on processors for long reads.
#[derive(Debug, Clone)]
pub(crate) struct Cores {
    places: Arc<Semaphore>,
    runtime: Handle,
}

/// A place, of which others get their slices. To be used on blocking threads only.
#[derive(Debug)]
pub(crate) struct Core {
    cores: Cores,
    place: Option<OwnedSemaphorePermit>,
    since: Instant,
    yielded: Instant,
}

impl Cores {
    /// Places on half of the processors.
    pub(crate) fn new() -> Cores {
        let processors = available_parallelism().map_or(1, usize::from);
        Cores::of((processors / 2).max(1))
    }

    fn of(places: usize) -> Cores {
        Cores { places: Arc::new(Semaphore::new(places)), runtime: Handle::current() }
    }

    /// Waits for a place, after those that wait already.
    fn wait(&self) -> Option<OwnedSemaphorePermit> {
        // Never closed.
        self.runtime.block_on(Arc::clone(&self.places).acquire_owned()).ok()
    }

    /// Waits for a place to work.
    pub(crate) fn take(&self) -> Core {
        let place = self.wait();
        let since = Instant::now();
        Core { cores: self.clone(), place, since, yielded: since }
    }
}

impl Core {
    /// Passes the place on when it was used for long, and waits for the next turn.
    pub(crate) fn share(&mut self) {
        let now = Instant::now();
        if now - self.since >= SLICE {
            self.place = None;
            self.place = self.cores.wait();
            self.since = Instant::now();
        } else if now - self.yielded >= YIELD_EVERY {
            std::thread::yield_now();
            self.yielded = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn turns(order: &Mutex<Vec<&str>>) -> usize {
        let order = order.lock().expect("not poisoned");
        order.windows(2).filter(|two| two[0] != two[1]).count()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn reads_that_share_a_processor_take_turns() {
        let cores = Cores::of(1);
        let order = Arc::new(Mutex::new(Vec::new()));
        let read = |name: &'static str| {
            let (cores, order) = (cores.clone(), Arc::clone(&order));
            tokio::task::spawn_blocking(move || {
                let mut core = cores.take();
                for _ in 0..5_000 {
                    order.lock().expect("not poisoned").push(name);
                    if turns(&order) > 3 {
                        break;
                    }
                    std::thread::sleep(SLICE);
                    core.share();
                }
            })
        };
        let (first, second) = (read("first"), read("second"));
        first.await.expect("ended");
        second.await.expect("ended");
        assert!(turns(&order) > 3, "each waits for the other");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn alone_it_goes_on() {
        let cores = Cores::of(1);
        let alone = tokio::task::spawn_blocking(move || {
            let mut core = cores.take();
            std::thread::sleep(SLICE);
            core.share();
            core.place.is_some()
        });
        assert!(alone.await.expect("ended"));
    }
}
