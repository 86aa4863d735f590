//! `patron bench --overload`: the most that the server bears, then three times as much. Rate of
//! successes, share of refusals, latency and resident memory, side by side.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{preload::Preloaded, servers::Server, works::Signer};

/// Connections while the most that can be borne is looked for.
const PEAK_CONNECTIONS: usize = 64;
/// Connections under overload: twice the requests that may be in work.
const OVERLOAD_CONNECTIONS: usize = 2_048;
/// How often the load is beyond the peak.
const TIMES: f64 = 3.0;
/// Least rate under overload as a part of the peak.
const KEPT_MIN: f64 = 0.8;
/// Longest wait for one answer.
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// How often memory is looked at.
const MEMORY_EVERY: Duration = Duration::from_millis(100);

/// What the connections of one phase saw.
#[derive(Default)]
struct Seen {
    done: AtomicU64,
    refused: AtomicU64,
    unexplained: AtomicU64,
    skipped: AtomicU64,
}

/// One phase as it is shown.
struct Phase {
    name: &'static str,
    offered: f64,
    done: f64,
    refused: f64,
    p99_ms: f64,
    memory_mib: u64,
}

/// Measures the peak and the overload.
///
/// # Errors
/// When the server answers anything but success or a refusal with `Retry-After`, or does not bear
/// the load as promised.
pub async fn run(server: &Server, data: &Preloaded, seconds: u64) -> Result<()> {
    let idle_mib = resident_of(server.id())?;
    let signer = Signer::new("native", &data.keys)?;
    let peak = phase("peak", server, data, &signer, PEAK_CONNECTIONS, None, seconds).await?;
    let load = Some(peak.done * TIMES);
    let name = "three times the peak";
    let over = phase(name, server, data, &signer, OVERLOAD_CONNECTIONS, load, seconds).await?;
    let after = phase("peak again", server, data, &signer, PEAK_CONNECTIONS, None, seconds).await?;
    println!(
        "Memory before: {idle_mib} MiB.\n\n| load | offered/s | done/s | refused/s | p99 ms | \
         memory MiB at most |\n|---|---|---|---|---|---|"
    );
    for phase in [&peak, &over, &after] {
        let Phase { name, offered, done, refused, p99_ms, memory_mib } = phase;
        println!(
            "| {name} | {offered:.0} | {done:.0} | {refused:.0} | {p99_ms:.1} | {memory_mib} |"
        );
    }
    let kept = over.done / peak.done;
    println!("\nUnder overload {kept:.2} of the peak was done (at least {KEPT_MIN}).");
    ensure!(kept >= KEPT_MIN, "throughput collapses under overload");
    ensure!(after.done / peak.done >= KEPT_MIN, "the server does not recover from overload");
    Ok(())
}

/// One phase: as fast as answers come, or as many a second as said.
async fn phase(
    name: &'static str,
    server: &Server,
    data: &Preloaded,
    signer: &Signer,
    connections: usize,
    rate: Option<f64>,
    seconds: u64,
) -> Result<Phase> {
    let numbers: Arc<[i64]> = data.sample.iter().map(|(number, _)| *number).collect();
    let (seen, stop) = (Arc::new(Seen::default()), Arc::new(AtomicBool::new(false)));
    let period = rate.map(|rate| Duration::from_secs_f64(connections as f64 / rate));
    let begin = Instant::now() + Duration::from_millis(500);
    let end = begin + Duration::from_secs(seconds);
    let memory = tokio::spawn(watch_memory(server.id(), Arc::clone(&stop)));
    let mut tasks = Vec::with_capacity(connections);
    for n in 0..connections {
        let mix = Mix { signer: signer.clone(), data: Arc::clone(&numbers), turn: n * 7_919 };
        let address = server.address.clone();
        let first = begin + period.map_or(Duration::ZERO, |p| p * n as u32 / connections as u32);
        tasks.push(tokio::spawn(connection(address, mix, period, first, end, Arc::clone(&seen))));
    }
    let mut times: Vec<u32> = Vec::new();
    for task in tasks {
        times.extend(task.await.context("a connection's task ended")??);
    }
    stop.store(true, Ordering::Relaxed);
    let unexplained = seen.unexplained.load(Ordering::Relaxed);
    ensure!(unexplained == 0, "{unexplained} refusals without Retry-After");
    ensure!(!times.is_empty(), "nothing was done");
    times.sort_unstable();
    let per_second = |count: &AtomicU64| count.load(Ordering::Relaxed) as f64 / seconds as f64;
    let (done, refused) = (per_second(&seen.done), per_second(&seen.refused));
    Ok(Phase {
        name,
        offered: done + refused + per_second(&seen.skipped),
        done,
        refused,
        p99_ms: f64::from(times[times.len() * 99 / 100]) / 1e3,
        memory_mib: memory.await.context("memory")??,
    })
}

/// One connection; answers the times of its successes, in microseconds.
async fn connection(
    address: String,
    mut mix: Mix,
    period: Option<Duration>,
    first: Instant,
    end: Instant,
    seen: Arc<Seen>,
) -> Result<Vec<u32>> {
    let mut stream = TcpStream::connect(&address).await?;
    stream.set_nodelay(true)?;
    let (mut times, mut buffer, mut due) = (Vec::new(), Vec::with_capacity(16 * 1024), first);
    loop {
        tokio::time::sleep_until(due.into()).await;
        let started = Instant::now();
        if started >= end {
            return Ok(times);
        }
        stream.write_all(&mix.next()).await?;
        let answer = tokio::time::timeout(ANSWER_MAX, answer(&mut stream, &mut buffer));
        let status = answer.await.context("no answer")??;
        let is_counted = Instant::now() <= end;
        match status {
            200..=299 if is_counted => {
                seen.done.fetch_add(1, Ordering::Relaxed);
                times.push(u32::try_from(started.elapsed().as_micros()).unwrap_or(u32::MAX));
            }
            200..=299 => {}
            429 | 503 => {
                seen.refused.fetch_add(u64::from(is_counted), Ordering::Relaxed);
                let head = String::from_utf8_lossy(&buffer).to_ascii_lowercase();
                let is_explained = head.contains("retry-after: ");
                seen.unexplained.fetch_add(u64::from(!is_explained), Ordering::Relaxed);
            }
            _ => bail!("answered {}", String::from_utf8_lossy(&buffer)),
        }
        // What was due while an answer was awaited is lost; it is not made up for in a burst.
        let Some(period) = period else { continue };
        due += period;
        while due < Instant::now() && due < end {
            due += period;
            seen.skipped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Reads one answer; says its status.
async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<u16> {
    buffer.clear();
    let mut whole = usize::MAX;
    while buffer.len() < whole {
        ensure!(stream.read_buf(buffer).await? > 0, "the connection was closed");
        if whole == usize::MAX {
            whole = super::client::answer_length(buffer)?.unwrap_or(usize::MAX);
        }
    }
    let status = buffer.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok());
    status.context("a status")?.parse().context("a status")
}

/// Seven reads by id, one search by e-mail and two durable changes in ten.
struct Mix {
    signer: Signer,
    data: Arc<[i64]>,
    turn: usize,
}

impl Mix {
    fn next(&mut self) -> Vec<u8> {
        self.turn += 1;
        let number = self.data[self.turn * 31 % self.data.len()];
        let one = format!("/v1/customers/{number}");
        match self.turn % 10 {
            0 | 5 => {
                let body = format!("{{\"title\":\"T{}\"}}", self.turn);
                self.signer.request("PATCH", &one, "", &body)
            }
            3 => {
                let target = format!("/v1/customers?email=person.{number}@example.com");
                self.signer.request("GET", &target, "", "")
            }
            _ => self.signer.request("GET", &one, "", ""),
        }
    }
}

/// The most memory that was resident until `stop`.
async fn watch_memory(process: u32, stop: Arc<AtomicBool>) -> Result<u64> {
    let mut most = 0;
    while !stop.load(Ordering::Relaxed) {
        most = most.max(resident_of(process)?);
        tokio::time::sleep(MEMORY_EVERY).await;
    }
    Ok(most)
}

/// Resident memory of a process in MiB, where the system says it (Linux).
fn resident_of(process: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).context("/proc")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    let kib = line.trim().trim_end_matches("kB").trim();
    Ok(kib.parse::<u64>().context("VmRSS")? / 1024)
}
