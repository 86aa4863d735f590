//! A load generator: keep-alive connections that ask, read the whole answer, and ask again. It only
//! understands what the servers of the benchmark answer: HTTP/1.1 with a content length.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Looks at the head of an answer.
type Watcher = Box<dyn FnMut(&[u8]) + Send>;

/// What one connection asks and what it does with the answers.
pub struct Asker {
    next: Box<dyn FnMut() -> Vec<u8> + Send>,
    seen: Watcher,
}

impl Asker {
    /// Asks without looking at the answers.
    pub fn new(next: impl FnMut() -> Vec<u8> + Send + 'static) -> Asker {
        Asker { next: Box::new(next), seen: Box::new(|_| {}) }
    }

    /// Looks at the head of each answer too.
    pub fn watching(mut self, seen: impl FnMut(&[u8]) + Send + 'static) -> Asker {
        self.seen = Box::new(seen);
        self
    }
}

/// What was measured.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// Answers per second.
    pub rate: f64,
    /// Median time of an answer, in microseconds.
    pub p50_us: f64,
    /// The time that 99 of 100 answers stay under, in microseconds.
    pub p99_us: f64,
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
    let warm_until = Instant::now() + Duration::from_millis(300);
    let end = warm_until + Duration::from_secs(seconds);
    let mut tasks = Vec::with_capacity(connections);
    for n in 0..connections {
        tasks.push(tokio::spawn(connection(address.to_owned(), asker(n), warm_until, end)));
    }
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.context("a connection's task ended")??);
    }
    ensure!(!times.is_empty(), "nothing was answered");
    times.sort_unstable();
    let at = |part: f64| {
        let place = (times.len() as f64 * part) as usize;
        times[place.min(times.len() - 1)] as f64
    };
    let rate = times.len() as f64 / Duration::from_secs(seconds).as_secs_f64();
    Ok(Measured { rate, p50_us: at(0.5), p99_us: at(0.99) })
}

/// Makes a number of calls, one after the other.
///
/// # Errors
/// When the connection breaks or an answer is no success.
pub async fn repeat(address: &str, asker: &mut Asker, calls: u64) -> Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    let mut buffer = Vec::new();
    for _ in 0..calls {
        stream.write_all(&(asker.next)()).await?;
        let head = answer(&mut stream, &mut buffer).await?;
        (asker.seen)(&buffer[..head]);
    }
    Ok(())
}

/// One connection; answers the times of its answers after the warm-up, in microseconds.
async fn connection(
    address: String,
    mut asker: Asker,
    warm_until: Instant,
    end: Instant,
) -> Result<Vec<u32>> {
    let mut stream = TcpStream::connect(&address).await?;
    stream.set_nodelay(true)?;
    let mut times = Vec::with_capacity(64 * 1024);
    let mut buffer = Vec::with_capacity(128 * 1024);
    loop {
        let request = (asker.next)();
        let started = Instant::now();
        if started >= end {
            return Ok(times);
        }
        stream.write_all(&request).await?;
        let head = answer(&mut stream, &mut buffer).await?;
        (asker.seen)(&buffer[..head]);
        if started >= warm_until {
            let micros = u32::try_from(started.elapsed().as_micros()).unwrap_or(u32::MAX);
            times.push(micros);
        }
    }
}

/// Reads one answer; says how long its head is.
async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<usize> {
    buffer.clear();
    let (mut head, mut whole) = (0, usize::MAX);
    while buffer.len() < whole {
        ensure!(stream.read_buf(buffer).await? > 0, "the connection was closed");
        if head == 0
            && let Some(at) = find(buffer, b"\r\n\r\n")
        {
            head = at + 4;
            if buffer.get(9) != Some(&b'2') {
                bail!("refused: {}", String::from_utf8_lossy(buffer));
            }
            whole = head + content_length(&buffer[..head])?;
        }
    }
    Ok(head)
}

/// Bytes of the answer that begins in the buffer; none before its head is whole.
///
/// # Errors
/// When it has no content length.
pub fn answer_length(buffer: &[u8]) -> Result<Option<usize>> {
    let Some(at) = find(buffer, b"\r\n\r\n") else { return Ok(None) };
    Ok(Some(at + 4 + content_length(&buffer[..at + 4])?))
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

fn content_length(head: &[u8]) -> Result<usize> {
    let name = b"content-length: ";
    let at = find(head, name).context("an answer without content length")? + name.len();
    let digits: Vec<u8> = head[at..].iter().copied().take_while(u8::is_ascii_digit).collect();
    Ok(String::from_utf8_lossy(&digits).parse()?)
}
