//! Closed-loop load: connections that ask, read the whole answer, and ask again.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use super::{
    connection::{Answer, Connection},
    part,
};

/// Time before the answers count.
const WARM_UP: Duration = Duration::from_millis(300);
/// Characters shown of an answer that ends the measurement.
const SHOWN_CHARS: usize = 400;

/// Makes the next request of a connection; sees the answer to the one before.
pub type Asker = Box<dyn FnMut(Option<&Answer>) -> Vec<u8> + Send>;

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

/// Loads a server for some seconds after a short warm-up.
///
/// # Errors
/// When a connection breaks or an answer is no success.
pub async fn load(
    address: &str,
    connections: usize,
    seconds: u64,
    asker: impl Fn(usize) -> Asker,
) -> Result<Measured> {
    let warm = Instant::now() + WARM_UP;
    let end = warm + Duration::from_secs(seconds);
    let tasks: Vec<_> = (0..connections)
        .map(|n| tokio::spawn(one(address.to_owned(), asker(n), warm, end)))
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.context("a connection's task ended")??);
    }
    ensure!(!times.is_empty(), "nothing was answered");
    times.sort_unstable();
    let ms = |at| f64::from(part(&times, at)) / 1e3;
    let rate = times.len() as f64 / seconds as f64;
    Ok(Measured { rate, p50_ms: ms(0.5), p99_ms: ms(0.99) })
}

async fn one(address: String, mut asker: Asker, warm: Instant, end: Instant) -> Result<Vec<u32>> {
    let mut connection = Connection::open(&address).await?;
    let mut times = Vec::with_capacity(16 * 1024);
    let mut last: Option<Answer> = None;
    loop {
        let request = asker(last.as_ref());
        let started = Instant::now();
        if started >= end {
            return Ok(times);
        }
        let answer = connection.ask(&request).await?;
        if answer.status >= 300 {
            let body = String::from_utf8_lossy(&answer.body).into_owned();
            let body: String = body.chars().take(SHOWN_CHARS).collect();
            bail!("refused with {}: {body}", answer.status);
        }
        if started >= warm {
            times.push(u32::try_from(started.elapsed().as_micros()).unwrap_or(u32::MAX));
        }
        last = Some(answer);
    }
}
