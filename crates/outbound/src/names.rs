//! Looking names up. The system's resolver has no time limit of its own and blocks a thread, so
//! threads are counted, and names that were slow or failed have only a few of them.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OnceCell, Semaphore};

use crate::Fault;

/// How long an answer is remembered.
pub const REMEMBERED: Duration = Duration::from_secs(10);
/// How long a name that failed or was slow counts as such.
const TROUBLED: Duration = Duration::from_secs(60);
/// What a look-up may take.
pub const LOOK_UP_MAX: Duration = Duration::from_secs(2);
/// Look-ups at a time.
const THREADS: usize = 16;
/// Of names that were slow or failed.
const TROUBLED_THREADS: usize = 4;
/// Names remembered.
const NAMES_MAX: usize = 4_096;
/// Addresses of one name.
const ADDRESSES_MAX: usize = 32;

/// What looks a name up: the system's resolver, or a test's.
pub type LookUp = Arc<dyn Fn(String) -> Looking + Send + Sync>;
/// A look-up under way. Dropping it does not end what blocks.
pub type Looking = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// The addresses of names.
pub struct Names {
    look_up: LookUp,
    pub(crate) remembered: Duration,
    known: Mutex<HashMap<String, Known>>,
    threads: Arc<Semaphore>,
    troubled: Arc<Semaphore>,
}

/// What is known of a name. Look-ups of one name at one time are one.
#[derive(Clone)]
struct Known {
    since: Instant,
    answer: Arc<OnceCell<Result<Vec<IpAddr>, Fault>>>,
    troubled_at: Option<Instant>,
}

impl Names {
    /// Names as the system finds them: hosts file, DNS, whatever its configuration says.
    pub fn of_system() -> Names {
        Names::found_by(Arc::new(|name| {
            Box::pin(async move {
                let found = tokio::task::spawn_blocking(move || {
                    (name.as_str(), 0).to_socket_addrs().map(|all| all.map(|a| a.ip()).collect())
                });
                found.await.unwrap_or_else(|_| Err(io::Error::other("the look-up ended early")))
            })
        }))
    }

    /// Names as something else finds them.
    pub fn found_by(look_up: LookUp) -> Names {
        Names {
            look_up,
            remembered: REMEMBERED,
            known: Mutex::default(),
            threads: Arc::new(Semaphore::new(THREADS)),
            troubled: Arc::new(Semaphore::new(TROUBLED_THREADS)),
        }
    }

    /// The addresses of a name, each once.
    ///
    /// # Errors
    /// `Dns` when there are none, or not in time.
    pub async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, Fault> {
        let known = self.known(name);
        let answer = known.answer.get_or_init(|| self.ask(name, known.troubled_at.is_some()));
        let answer = match tokio::time::timeout(LOOK_UP_MAX, answer).await {
            Ok(answer) => answer.clone(),
            Err(_) => Err(Fault::Dns),
        };
        if answer.is_err() {
            self.note_trouble(name);
        }
        answer
    }

    fn known(&self, name: &str) -> Known {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if known.len() >= NAMES_MAX {
            known.retain(|_, one| now.duration_since(one.since) < self.remembered);
            if known.len() >= NAMES_MAX {
                known.clear();
            }
        }
        let entry = known.entry(name.to_owned()).or_insert_with(|| Known {
            since: now,
            answer: Arc::default(),
            troubled_at: None,
        });
        if now.duration_since(entry.since) >= self.remembered {
            (entry.since, entry.answer) = (now, Arc::default());
        }
        entry.troubled_at = entry.troubled_at.filter(|at| now.duration_since(*at) < TROUBLED);
        entry.clone()
    }

    fn note_trouble(&self, name: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = known.get_mut(name) {
            entry.troubled_at = Some(Instant::now());
        }
    }

    async fn ask(&self, name: &str, is_troubled: bool) -> Result<Vec<IpAddr>, Fault> {
        let threads = if is_troubled { &self.troubled } else { &self.threads };
        let place = Arc::clone(threads).acquire_owned().await.map_err(|_| Fault::Dns)?;
        let looking = (self.look_up)(name.to_owned());
        // A task of its own: the place is held as long as the thread is, whoever still waits.
        let found = tokio::spawn(async move {
            let found = looking.await;
            drop(place);
            found
        });
        let Ok(Ok(mut found)) = found.await else { return Err(Fault::Dns) };
        found.sort_unstable();
        found.dedup();
        // A name with more is judged no further than this and goes nowhere beyond.
        found.truncate(ADDRESSES_MAX);
        if found.is_empty() { Err(Fault::Dns) } else { Ok(found) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn counting(asked: &Arc<AtomicUsize>, answer: fn() -> io::Result<Vec<IpAddr>>) -> Names {
        let asked = Arc::clone(asked);
        Names::found_by(Arc::new(move |_| {
            asked.fetch_add(1, Ordering::SeqCst);
            Box::pin(async move {
                tokio::task::yield_now().await;
                answer()
            })
        }))
    }

    #[tokio::test]
    async fn those_who_ask_for_a_name_at_once_ask_once() {
        let asked = Arc::default();
        let names = counting(&asked, || Ok(vec![[1, 1, 1, 1].into(), [1, 1, 1, 1].into()]));
        let (a, b) = tokio::join!(names.addresses("a.example"), names.addresses("a.example"));
        assert_eq!((a.unwrap().len(), b.unwrap().len()), (1, 1));
        names.addresses("a.example").await.unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), 1, "remembered");
        names.addresses("b.example").await.unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_name_that_is_not_there_is_no_fault_of_others() {
        let asked = Arc::default();
        for answer in [|| Err(io::Error::other("no")), || Ok(Vec::new())] {
            let names = counting(&asked, answer);
            assert_eq!(names.addresses("gone.example").await, Err(Fault::Dns));
            assert!(names.known("gone.example").troubled_at.is_some());
            assert!(names.known("other.example").troubled_at.is_none());
        }
    }

    /// Threads that hang are used up by those whose names hang: 4, not all.
    #[tokio::test]
    async fn names_that_failed_have_few_threads() {
        let names = Arc::new(Names::found_by(Arc::new(|name| match name.as_str() {
            "good.example" => Box::pin(async { Ok(vec![[1, 1, 1, 1].into()]) }),
            _ => Box::pin(std::future::pending()),
        })));
        for n in 0..THREADS {
            let name = format!("{n}.slow.example");
            names.known(&name);
            names.note_trouble(&name);
            let names = Arc::clone(&names);
            tokio::spawn(async move { names.addresses(&name).await });
        }
        tokio::task::yield_now().await;
        assert_eq!(names.troubled.available_permits(), 0);
        assert!(names.addresses("good.example").await.is_ok());
    }
}
