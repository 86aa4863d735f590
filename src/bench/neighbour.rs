//! `patron bench --neighbour`: the times of one tenant alone, and while another does the worst it
//! can, in turn on one server with its default limits. Only the ratio is worth anything.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use patron_app::customers;
use patron_gateway::provision::{self, KeySource, NewSpace};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::{preload::Preloaded, preload::person, works::Signer};
use crate::{
    dialects::DIALECTS,
    measure::{connection::Connection, program::Program},
    open,
    settings::Settings,
};

/// Customers of the tenant that is measured.
const CUSTOMERS: u64 = 500;
/// Its connections, and the time between two requests of one.
const CONNECTIONS: u32 = 8;
const PERIOD: Duration = Duration::from_millis(20);
/// Time the other tenant is given before the measuring begins.
const WARM_UP: Duration = Duration::from_secs(2);
/// Most that the p99 may grow.
const TIMES_MAX: f64 = 2.0;

/// The other tenant's connections, by what they do.
const POLLS: usize = 300;
const UNFINISHED: usize = 100;
const SEARCHES: usize = 32;
const EXPORTS: usize = 12;
const WRONG: usize = 16;
const FLOODS: usize = 64;
/// Pause of a connection that was refused or broken off, as a client that is eager to go on.
const AGAIN: Duration = Duration::from_millis(5);

/// The measured tenant: its keys and its customers' numbers.
struct Neighbour {
    keys: Value,
    numbers: Arc<[i64]>,
}

/// Measures, alone and beside the other tenant, in rounds.
///
/// # Errors
/// When the neighbour is answered anything but success, or its p99 grows too much.
pub async fn run(folder: &Path, data: &Preloaded, rounds: usize, seconds: u64) -> Result<()> {
    let neighbour = settle_in(folder).await?;
    let program = Program::serve(folder, &[]).await?;
    let mut ratios = Vec::new();
    println!(
        "| round | p50 alone ms | p99 alone ms | p50 beside ms | p99 beside ms | p99 ratio | \
         the other/s | memory MiB |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for round in 1..=rounds {
        let alone = times(&program.address, &neighbour, seconds).await?;
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut other = worst(&program.address, data, &stop, &done)?;
        tokio::time::sleep(WARM_UP).await;
        let before = done.load(Ordering::Relaxed);
        let beside = times(&program.address, &neighbour, seconds).await?;
        let rate = (done.load(Ordering::Relaxed) - before) as f64 / seconds as f64;
        let memory = program.memory()?.own / (1024 * 1024);
        stop.store(true, Ordering::Relaxed);
        other.abort_all();
        while other.join_next().await.is_some() {}
        let ratio = at(&beside, 0.99) / at(&alone, 0.99);
        println!(
            "| {round} | {:.2} | {:.2} | {:.2} | {:.2} | {ratio:.2} | {rate:.0} | {memory} |",
            at(&alone, 0.5),
            at(&alone, 0.99),
            at(&beside, 0.5),
            at(&beside, 0.99),
        );
        ratios.push(ratio);
        // What was begun for the other one ends before the next round.
        tokio::time::sleep(WARM_UP).await;
    }
    let ratio = super::median(&ratios);
    println!("\nBeside the worst neighbour the p99 is {ratio:.2} times that alone.");
    ensure!(ratio <= TIMES_MAX, "one tenant slows another down more than {TIMES_MAX} times");
    Ok(())
}

/// Makes the measured tenant in the benchmark's database.
async fn settle_in(folder: &Path) -> Result<Neighbour> {
    let mut settings = Settings::default();
    settings.store.url = format!("sqlite:{}", folder.display());
    let app = open::app(&settings).await?;
    let new = NewSpace {
        name: "Neighbour",
        account: None,
        uuid: None,
        keys: KeySource::Random,
        base_url: "http://127.0.0.1",
    };
    let made = provision::space(&app, DIALECTS, &new).await;
    let made = made.map_err(|failure| anyhow!("the space cannot be made: {failure:?}"))?;
    let cx = app.operator(made.number, "bench");
    let rows =
        (0..CUSTOMERS).map(|n| Ok((cx.clone(), patron_native::rows::into_patch(person(n))?)));
    let rows: Result<Vec<_>, patron_model::Failure> = rows.collect();
    let rows = rows.map_err(|failure| anyhow!("{failure:?}"))?;
    let mut numbers = Vec::new();
    for verdict in customers::create_many(rows).await {
        numbers.push(verdict.map_err(|failure| anyhow!("{failure:?}"))?.number);
    }
    app.store.clone().close().await;
    Ok(Neighbour { keys: made.credentials, numbers: numbers.into() })
}

/// Sorted times of the neighbour's answers, in milliseconds.
async fn times(address: &str, neighbour: &Neighbour, seconds: u64) -> Result<Vec<f64>> {
    let begin = Instant::now();
    let end = begin + Duration::from_secs(seconds);
    let mut tasks = JoinSet::new();
    for n in 0..CONNECTIONS {
        let signer = Signer::new("native", &neighbour.keys)?;
        let (address, numbers) = (address.to_owned(), Arc::clone(&neighbour.numbers));
        let first = begin + PERIOD * n / CONNECTIONS;
        tasks.spawn(
            async move { caller(&address, &signer, &numbers, n as usize, first, end).await },
        );
    }
    let mut times = Vec::new();
    while let Some(done) = tasks.join_next().await {
        times.extend(done.context("a connection's task ended")??);
    }
    ensure!(!times.is_empty(), "nothing was answered");
    times.sort_unstable_by(f64::total_cmp);
    Ok(times)
}

/// Seven reads by id, one search, one list and one durable change in ten. What is late counts from
/// when it was due.
async fn caller(
    address: &str,
    signer: &Signer,
    numbers: &[i64],
    n: usize,
    mut due: Instant,
    end: Instant,
) -> Result<Vec<f64>> {
    let mut connection = Connection::open(address).await?;
    let (mut times, mut turn) = (Vec::new(), n * 7_919);
    while due < end {
        tokio::time::sleep_until(due.into()).await;
        turn += 1;
        let one = format!("/v1/customers/{}", numbers[turn * 31 % numbers.len()]);
        let request = match turn % 10 {
            0 => signer.request("PATCH", &one, "", &format!("{{\"title\":\"T{turn}\"}}")),
            3 => signer.request("GET", "/v1/customers?email=person.7@example.com", "", ""),
            6 => signer.request("GET", "/v1/customers?limit=20", "", ""),
            _ => signer.request("GET", &one, "", ""),
        };
        let answer = connection.ask(&request).await?;
        ensure!(answer.status < 300, "the neighbour was answered {}", answer.status);
        times.push(due.elapsed().as_secs_f64() * 1e3);
        due += PERIOD;
    }
    Ok(times)
}

fn at(sorted: &[f64], part: f64) -> f64 {
    sorted[((sorted.len() as f64 * part) as usize).min(sorted.len() - 1)]
}

// ---- the other one ----------------------------------------------------------------------------

/// Everything at once: long polls, unfinished bodies, expensive searches, exports, wrong sign-ins
/// and a flood of reads.
fn worst(
    address: &str,
    data: &Preloaded,
    stop: &Arc<AtomicBool>,
    done: &Arc<AtomicU64>,
) -> Result<JoinSet<()>> {
    let mut tasks = JoinSet::new();
    let mut repeat = |count: usize, request: &dyn Fn(usize) -> Result<Request>| -> Result<()> {
        for n in 0..count {
            let other = Other {
                address: address.to_owned(),
                stop: Arc::clone(stop),
                done: Arc::clone(done),
            };
            tasks.spawn(other.repeat(request(n)?));
        }
        Ok(())
    };
    let signed = |api: &'static str, target: String| -> Result<Request> {
        let signer = Signer::new(api, &data.keys)?;
        Ok(Box::new(move || signer.request("GET", &target, "", "")))
    };
    let poll = format!("/v1/events?after={}&wait=60", i64::MAX - 1);
    repeat(POLLS, &|_| signed("native", poll.clone()))?;
    repeat(SEARCHES, &|n| {
        let plain = ["title%5Bne%5D=x", "title!=x", "-language:xx"][n % 3];
        let inside = ["title%5Bcontains%5D=zz", "title=regex=zz", "-emailAddress:~zz"][n % 3];
        let all = [vec![plain; 40], vec![inside; 10]].concat();
        match n % 3 {
            0 => signed("native", format!("/v1/customers?total=true&{}", all.join("&"))),
            1 => signed("verifone", format!("/v2/customer?search={}", all.join(";"))),
            _ => signed("wallee", format!("/api/v2.0/customers/search?query={}", all.join("%20"))),
        }
    })?;
    let entry = data.keys["payabli"]["entry"].as_str().context("an entry point")?;
    repeat(EXPORTS, &|n| {
        let target = match n % 3 {
            0 => format!("/api/Export/customers/xlsx/{entry}"),
            1 => format!("/api/Export/customers/csv/{entry}"),
            _ => format!("/api/Query/customers/{entry}?limitRecord=10000"),
        };
        signed("payabli", target)
    })?;
    repeat(WRONG, &|n| {
        let head =
            format!("GET /v1/customers HTTP/1.1\r\nhost: x\r\nauthorization: Bearer no{n}\r\n\r\n");
        Ok(Box::new(move || head.clone().into_bytes()))
    })?;
    repeat(FLOODS, &|n| {
        let number = data.sample[n * 31 % data.sample.len()].0;
        signed("native", format!("/v1/customers/{number}"))
    })?;
    let signer = Signer::new("native", &data.keys)?;
    for n in 0..UNFINISHED {
        let whole = signer.request("POST", "/v1/customers", "", &" ".repeat(1 << 20));
        // Half of it is signed, the other half is a stranger's.
        let whole = match n % 2 {
            0 => whole,
            _ => String::from_utf8_lossy(&whole).replace("uthorization", "-nothing").into_bytes(),
        };
        let other =
            Other { address: address.to_owned(), stop: Arc::clone(stop), done: Arc::clone(done) };
        tasks.spawn(other.hold(whole));
    }
    Ok(tasks)
}

/// Makes the next request.
type Request = Box<dyn Fn() -> Vec<u8> + Send + Sync>;

/// One connection of the other tenant.
struct Other {
    address: String,
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
}

impl Other {
    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Asks again and again, whatever is answered.
    async fn repeat(self, request: Request) {
        while !self.is_over() {
            let Ok(mut connection) = Connection::open(&self.address).await else {
                tokio::time::sleep(AGAIN).await;
                continue;
            };
            while !self.is_over() {
                let Ok(answer) = connection.ask(&request()).await else { break };
                match answer.status {
                    200..=299 => {
                        self.done.fetch_add(1, Ordering::Relaxed);
                    }
                    _ => tokio::time::sleep(AGAIN).await,
                }
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Sends all but the end, and waits to be cut off.
    async fn hold(self, whole: Vec<u8>) {
        while !self.is_over() {
            if let Ok(mut stream) = TcpStream::connect(&self.address).await {
                // It may be refused in the middle: that is as good as any end.
                let _ = stream.write_all(&whole[..whole.len() - 1]).await;
                let mut end = [0; 1];
                let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut end).await;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }
}
