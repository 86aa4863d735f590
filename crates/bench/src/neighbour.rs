//! The times of one tenant alone, and while another does the worst it can, in turn on one server
//! with its default limits. Only the ratio is worth anything.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::{
    connection::Connection,
    figures::median,
    load::{Asker, Load, Pace, Seen},
    program::Patron,
    signer::Signer,
    stock::{self, Stock},
};

/// Customers of the tenant that is measured.
const CUSTOMERS: u64 = 500;
/// Its connections, and the time between two requests of one.
const CONNECTIONS: usize = 8;
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
/// Threads of its clients.
const CLIENT_THREADS: usize = 2;
/// Pause of a connection that was refused or broken off, as a client that is eager to go on.
const AGAIN: Duration = Duration::from_millis(5);

/// The times of one tenant, alone and while another does the worst it can.
#[derive(Debug, Args)]
pub struct NeighbourArgs {
    /// Customers of the other tenant; made at the first run, kept in the folder.
    #[arg(long, default_value_t = 3_000)]
    customers: u64,
    /// Rounds; the median of the ratios counts.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds measured alone and beside the other one in each round.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Folder of the benchmark's database.
    #[arg(long, value_name = "DIR", default_value = "target/bench-neighbour")]
    data: PathBuf,
}

/// Measures, alone and beside the other tenant, in rounds.
///
/// # Errors
/// When the neighbour is answered anything but success, or its p99 grows too much.
pub async fn run(patron: &Patron, args: NeighbourArgs) -> Result<()> {
    ensure!(args.rounds > 0 && args.seconds > 0, "at least one round of one second");
    let data = Stock::ensure(&args.data, args.customers).await?;
    let neighbour = Stock::make(&args.data, "Neighbour", CUSTOMERS).await?;
    stock::warm(&args.data)?;
    let program = patron.on_folder(&args.data)?.start().await?;
    let mut ratios = Vec::new();
    println!(
        "| round | p50 alone ms | p99 alone ms | p50 beside ms | p99 beside ms | p99 ratio | \
         the other/s | memory MiB |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for round in 1..=args.rounds {
        let alone = times(&program.address, &neighbour, args.seconds).await?;
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let elsewhere = elsewhere()?;
        let mut other = {
            let _inside = elsewhere.enter();
            worst(&program.address, &data, &stop, &done)?
        };
        tokio::time::sleep(WARM_UP).await;
        let before = done.load(Ordering::Relaxed);
        let beside = times(&program.address, &neighbour, args.seconds).await?;
        let rate = (done.load(Ordering::Relaxed) - before) as f64 / args.seconds as f64;
        let memory = program.memory()?.own / (1024 * 1024);
        stop.store(true, Ordering::Relaxed);
        other.abort_all();
        while other.join_next().await.is_some() {}
        elsewhere.shutdown_background();
        let ratio = beside.ms(0.99) / alone.ms(0.99);
        println!(
            "| {round} | {:.2} | {:.2} | {:.2} | {:.2} | {ratio:.2} | {rate:.0} | {memory} |",
            alone.ms(0.5),
            alone.ms(0.99),
            beside.ms(0.5),
            beside.ms(0.99),
        );
        ratios.push(ratio);
        // What was begun for the other one ends before the next round.
        tokio::time::sleep(WARM_UP).await;
    }
    let ratio = median(&ratios);
    println!("\nBeside the worst neighbour the p99 is {ratio:.2} times that alone.");
    ensure!(ratio <= TIMES_MAX, "one tenant slows another down more than {TIMES_MAX} times");
    Ok(())
}

/// What the neighbour sees. On a thread of its own: what this program does for the connections of
/// the other one is no delay of the server.
async fn times(address: &str, neighbour: &Stock, seconds: u64) -> Result<Seen> {
    let signer = Signer::new("native", &neighbour.keys)?;
    let (address, numbers) = (address.to_owned(), neighbour.numbers());
    let load = Load { pace: Pace::Due(PERIOD), ..Load::full(CONNECTIONS, seconds) };
    let measuring = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(load.run(&address, |n| mix(signer.clone(), Arc::clone(&numbers), n)))
    });
    measuring.await.context("the measuring thread ended")?
}

/// Seven reads by id, one search, one list and one durable change in ten.
fn mix(signer: Signer, numbers: Arc<[i64]>, n: usize) -> Asker {
    let mut turn = n * 7_919;
    Box::new(move |_| {
        turn += 1;
        let one = format!("/v1/customers/{}", numbers[turn * 31 % numbers.len()]);
        match turn % 10 {
            0 => signer.request("PATCH", &one, &[], &format!("{{\"title\":\"T{turn}\"}}")),
            3 => signer.get("/v1/customers?email=person.7@example.com"),
            6 => signer.get("/v1/customers?limit=20"),
            _ => signer.get(&one),
        }
    })
}

// ---- the other one ----------------------------------------------------------------------------

/// Threads for the other tenant's clients. Those would run on machines of their own: here they get
/// the time that nobody else wants, so that what they do for themselves is no delay of the server.
fn elsewhere() -> Result<Runtime> {
    let mut threads = tokio::runtime::Builder::new_multi_thread();
    threads.worker_threads(CLIENT_THREADS).enable_all().on_thread_start(|| {
        let thread = std::fs::read_link("/proc/thread-self").ok();
        let number = thread.as_deref().and_then(Path::file_name).unwrap_or_default();
        let _ = Command::new("chrt").args(["--idle", "--pid", "0"]).arg(number).status();
    });
    Ok(threads.build()?)
}

/// Everything at once: long polls, unfinished bodies, expensive searches, exports, wrong sign-ins
/// and a flood of reads.
fn worst(
    address: &str,
    data: &Stock,
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
        Ok(Box::new(move || signer.get(&target)))
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
        let whole = signer.request("POST", "/v1/customers", &[], &" ".repeat(1 << 20));
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
