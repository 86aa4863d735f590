//! Connections for reading. A read on a thread of the runtime is short or given up; a long one runs
//! on a blocking thread, as long as somebody waits for it and for a while at most.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, atomic};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::connect::{Access, connect};
use super::failed;
use crate::cores::Core;
use crate::patience::Patience;
use crate::{Options, StoreError};

/// Instructions of SQLite's machine between two looks at how far a read may go.
const STEPS: i32 = 200;
/// A read on a thread of the runtime may take so many times [`STEPS`] before it is left to a
/// blocking thread.
const INLINE_STEPS_MAX: u32 = 100;

/// How far the read on a connection may still go.
enum Bound {
    /// As far as it takes: a read that is short by its nature, or the operator's.
    None,
    /// So many times [`STEPS`], and about as long as that.
    Brief { left: u32, watch: Watch },
    /// As long as it is awaited, on a processor that others share.
    Patient(Patience, Core),
}

impl Bound {
    fn is_over(&mut self) -> bool {
        match self {
            Bound::None => false,
            Bound::Brief { left, watch } => {
                *left = left.saturating_sub(1);
                *left == 0 || watch.is_over()
            }
            Bound::Patient(patience, core) => {
                core.share();
                patience.is_over()
            }
        }
    }
}

/// The time of a brief read. A read that the system interrupts for others is not long, and to begin
/// it anew elsewhere would only cost more: so when the clock says that its time is over, the
/// thread's own time is measured from there, and decides.
struct Watch {
    max: Duration,
    until: Instant,
    own_until: Option<Duration>,
}

impl Watch {
    fn start(max: Duration) -> Watch {
        Watch { max, until: Instant::now() + max, own_until: None }
    }

    fn is_over(&mut self) -> bool {
        // Reading the clock is cheap, the thread's own time a call of the system.
        if Instant::now() < self.until {
            return false;
        }
        let own = own_time();
        own >= *self.own_until.get_or_insert(own + self.max)
    }
}

/// Processor time of this thread until now.
fn own_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    // Never negative, as it counts from the start of the thread.
    Duration::try_from(time).unwrap_or_default()
}

/// The bound of a connection, shared with the function that SQLite calls meanwhile.
#[derive(Clone)]
pub(super) struct Bounds(Arc<Mutex<Bound>>);

impl Bounds {
    fn lock(&self) -> MutexGuard<'_, Bound> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, bound: Bound) {
        *self.lock() = bound;
    }

    /// Whether the read is to be given up. SQLite asks now and then; whoever works on its rows
    /// asks for each.
    pub(super) fn is_over(&self) -> bool {
        self.lock().is_over()
    }
}

/// A connection for reading.
pub(super) struct Reader {
    pub(super) connection: Connection,
    bounds: Bounds,
    /// Time of a read on a thread of the runtime: steps over large documents are slow.
    inline_max: Duration,
}

impl Reader {
    pub(super) fn open(path: &Path, options: &Options) -> Result<Reader, StoreError> {
        let mut connection = connect(path, Access::Read, options)?;
        let bounds = Bounds(Arc::new(Mutex::new(Bound::None)));
        let asked = bounds.clone();
        connection.progress_handler(STEPS, Some(move || asked.is_over())).map_err(failed)?;
        let inline_max = Duration::from_millis(options.sqlite_inline_ms);
        Ok(Reader { connection, bounds, inline_max })
    }

    /// A read that is given up, with `None`, when it takes too long for a thread of the runtime.
    pub(super) fn briefly<T>(
        &self,
        read: impl FnOnce(&Connection, &Bounds) -> Result<T, StoreError>,
    ) -> Option<Result<T, StoreError>> {
        let watch = Watch::start(self.inline_max);
        let bound = Bound::Brief { left: INLINE_STEPS_MAX, watch };
        match self.bounded(bound, read) {
            Err(StoreError::GivenUp) => None,
            outcome => Some(outcome),
        }
    }

    /// A read that is given up when nobody waits for it any more, or its time is over.
    pub(super) fn patiently<T>(
        &self,
        patience: Patience,
        core: Core,
        read: impl FnOnce(&Connection, &Bounds) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if patience.is_over() {
            return Err(StoreError::GivenUp);
        }
        self.bounded(Bound::Patient(patience, core), read)
    }

    fn bounded<T>(
        &self,
        bound: Bound,
        read: impl FnOnce(&Connection, &Bounds) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.bounds.set(bound);
        let outcome = read(&self.connection, &self.bounds);
        self.bounds.set(Bound::None);
        outcome
    }
}

/// A few connections for reading. A thread keeps to the same one as long as that is free, so a
/// reader costs an uncontended lock and no change of thread.
pub(super) struct Pool {
    readers: Box<[Mutex<Reader>]>,
}

impl Pool {
    pub(super) fn open(path: &Path, size: usize, options: &Options) -> Result<Pool, StoreError> {
        let open = |_| Reader::open(path, options).map(Mutex::new);
        Ok(Pool { readers: (0..size.max(1)).map(open).collect::<Result<_, _>>()? })
    }

    pub(super) fn take(&self) -> MutexGuard<'_, Reader> {
        static NEXT: atomic::AtomicUsize = atomic::AtomicUsize::new(0);
        thread_local! {
            static OWN: usize = NEXT.fetch_add(1, atomic::Ordering::Relaxed);
        }
        let own = OWN.with(|own| *own);
        let size = self.readers.len();
        for at in own..own + size {
            match self.readers[at % size].try_lock() {
                Ok(reader) => return reader,
                Err(TryLockError::Poisoned(poisoned)) => return unbound(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        unbound(self.readers[own % size].lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A reader that panicked has finished its statement while unwinding, but not its bound.
fn unbound(reader: MutexGuard<'_, Reader>) -> MutexGuard<'_, Reader> {
    reader.bounds.set(Bound::None);
    reader
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: Duration = Duration::from_millis(20);

    /// Whether a read is over after so long a time, spent that way.
    fn is_over_after(spend: impl Fn()) -> bool {
        let mut watch = Watch::start(MAX);
        (0..20).any(|_| {
            spend();
            watch.is_over()
        })
    }

    #[test]
    fn a_read_that_was_interrupted_goes_on() {
        assert!(!is_over_after(|| std::thread::sleep(MAX)));
    }

    #[test]
    fn a_read_that_works_for_long_is_over() {
        let work = || {
            let until = own_time() + MAX / 4;
            while own_time() < until {}
        };
        assert!(is_over_after(work));
    }
}
