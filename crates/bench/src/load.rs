//! The load generator: connections that ask, read the whole answer, and ask again, as fast as
//! answers come or each at fixed distances.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{
    connection::{Answer, Connection},
    figures::part,
};

/// Time before the answers count.
const WARM_UP: Duration = Duration::from_millis(300);
/// Longest wait for answers behind the end.
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// Characters shown of an answer that ends the measurement.
const SHOWN_CHARS: usize = 400;

/// Makes the next request of a connection; sees the answer to the one before.
pub type Asker = Box<dyn FnMut(Option<&Answer>) -> Vec<u8> + Send>;

/// When a connection asks.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// As soon as it is answered.
    Answered,
    /// At fixed distances. What is late is asked late, and counts from when it was due.
    Due(Duration),
    /// At fixed distances. What was due while an answer was awaited is lost, and not made up for
    /// in a burst.
    OrNever(Duration),
}

/// What a server is put under.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Connections at a time.
    pub connections: usize,
    /// Seconds that count, after a short warm-up.
    pub seconds: u64,
    /// When each of them asks.
    pub pace: Pace,
    /// Whether refusals that say when to come again are counted; otherwise they end it.
    pub may_refuse: bool,
}

/// What was seen.
#[derive(Debug, Default)]
pub struct Seen {
    seconds: f64,
    /// Times of successes in microseconds, sorted.
    times: Vec<u32>,
    refused: u64,
    skipped: u64,
}

/// What was measured.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// Answers per second.
    pub rate: f64,
    /// Median time of an answer, in milliseconds.
    pub p50_ms: f64,
    /// The time that 99 of 100 answers stay under, in milliseconds.
    pub p99_ms: f64,
}

impl Seen {
    /// The time that this part of all successes stays under, in milliseconds.
    pub fn ms(&self, at: f64) -> f64 {
        f64::from(part(&self.times, at)) / 1e3
    }

    /// Successes per second.
    pub fn rate(&self) -> f64 {
        self.times.len() as f64 / self.seconds
    }

    /// Refusals per second.
    pub fn refused(&self) -> f64 {
        self.refused as f64 / self.seconds
    }

    /// Everything that was due, per second.
    pub fn offered(&self) -> f64 {
        self.rate() + self.refused() + self.skipped as f64 / self.seconds
    }
}

impl Load {
    /// As fast as answers come; every one must be a success.
    pub fn full(connections: usize, seconds: u64) -> Load {
        Load { connections, seconds, pace: Pace::Answered, may_refuse: false }
    }

    /// Loads a server.
    ///
    /// # Errors
    /// When a connection breaks or an answer is none that may be.
    pub async fn run(self, address: &str, asker: impl Fn(usize) -> Asker) -> Result<Seen> {
        let address: Arc<str> = address.into();
        let begin = Instant::now() + Duration::from_millis(50);
        let length = WARM_UP + Duration::from_secs(self.seconds);
        let longest = tokio::time::Instant::from_std(begin + length + ANSWER_MAX);
        let connect = |n| {
            let one = self.one(Arc::clone(&address), asker(n), n, begin);
            tokio::spawn(tokio::time::timeout_at(longest, one))
        };
        let tasks: Vec<_> = (0..self.connections).map(connect).collect();
        let mut all = Seen { seconds: self.seconds as f64, ..Seen::default() };
        for task in tasks {
            let seen = task.await.context("a connection's task ended")?;
            let seen = seen.context("an answer does not come")??;
            all.times.extend(seen.times);
            all.refused += seen.refused;
            all.skipped += seen.skipped;
        }
        ensure!(!all.times.is_empty(), "nothing was answered");
        all.times.sort_unstable();
        Ok(all)
    }

    /// The same in three figures.
    ///
    /// # Errors
    /// As [`Load::run`].
    pub async fn measure(self, address: &str, asker: impl Fn(usize) -> Asker) -> Result<Measured> {
        let seen = self.run(address, asker).await?;
        Ok(Measured { rate: seen.rate(), p50_ms: seen.ms(0.5), p99_ms: seen.ms(0.99) })
    }

    async fn one(
        self,
        address: Arc<str>,
        mut asker: Asker,
        n: usize,
        begin: Instant,
    ) -> Result<Seen> {
        let mut connection = Connection::open(&address).await?;
        let counts = begin + WARM_UP;
        let end = counts + Duration::from_secs(self.seconds);
        let (mut seen, mut last) = (Seen::default(), None);
        let mut due = begin + self.period().mul_f64(n as f64 / self.connections as f64);
        loop {
            if due > Instant::now() {
                tokio::time::sleep_until(due.into()).await;
            }
            let request = asker(last.take().as_ref());
            let started = match self.pace {
                Pace::Answered => Instant::now(),
                Pace::Due(_) | Pace::OrNever(_) => due,
            };
            if started >= end {
                return Ok(seen);
            }
            let answer = connection.ask(&request).await?;
            let now = Instant::now();
            // What was asked in time counts however late it comes, or the slowest would not be
            // seen; beyond the peak it is what is done in time that counts.
            let is_counted = started >= counts && (now <= end || !self.may_refuse);
            match answer.status {
                ..300 if is_counted => {
                    let elapsed = now.saturating_duration_since(started).as_micros();
                    seen.times.push(u32::try_from(elapsed).unwrap_or(u32::MAX));
                }
                ..300 => {}
                429 | 503 if self.may_refuse && answer.header("retry-after").is_some() => {
                    seen.refused += u64::from(is_counted);
                }
                status => bail!("refused with {status}: {}", beginning(&answer)),
            }
            last = Some(answer);
            due += self.period();
            while matches!(self.pace, Pace::OrNever(_)) && due < now && due < end {
                due += self.period();
                seen.skipped += u64::from(due > counts);
            }
        }
    }

    fn period(self) -> Duration {
        match self.pace {
            Pace::Answered => Duration::ZERO,
            Pace::Due(period) | Pace::OrNever(period) => period,
        }
    }
}

/// Makes a number of calls, one after the other.
///
/// # Errors
/// When the connection breaks or an answer is no success.
pub async fn repeat(address: &str, asker: &mut Asker, calls: u64) -> Result<()> {
    let mut connection = Connection::open(address).await?;
    let mut last: Option<Answer> = None;
    for _ in 0..calls {
        let request = asker(last.take().as_ref());
        let answer = connection.ask(&request).await?;
        ensure!(answer.status < 300, "refused with {}: {}", answer.status, beginning(&answer));
        last = Some(answer);
    }
    Ok(())
}

fn beginning(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).chars().take(SHOWN_CHARS).collect()
}
