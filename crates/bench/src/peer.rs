//! localstripe, a stateful double of another provider's API, beside Patron:
//! the same operations over as many rows by as many connections, in turn, in rounds. Patron's
//! writes are durable, the peer's are not.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use serde_json::json;

use patron_testkit::ports::free_address;

use crate::{
    connection::Connection,
    figures::{Choices, median},
    load::{Asker, Load, Measured},
    program::{Launch, Patron, Program},
    signer::Signer,
    stock::Stock,
};

/// The peer and its version, as on PyPI.
const PACKAGE: &str = "localstripe==1.15.10";
/// The key that it takes as anybody's.
const KEY: &str = "authorization: Bearer sk_test_12345\r\n";

/// Measure Patron beside localstripe.
#[derive(Debug, Args)]
pub struct PeerArgs {
    /// Customers in both before it begins.
    #[arg(long, default_value_t = 2_000)]
    customers: u64,
    /// Connections at a time.
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// Rounds; medians are printed.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds each operation is measured in each round.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Folder of Patron's database and of the peer's Python environment; both are kept.
    #[arg(long, value_name = "DIR", default_value = "target/bench-peer")]
    data: PathBuf,
}

/// An operation that both have.
#[derive(Debug, Clone, Copy)]
enum Work {
    Get,
    List,
    Update,
    Create,
}

/// Creating comes last: what the peer stores makes its writes slower.
const WORKS: [(Work, &str); 4] = [
    (Work::Get, "get a customer"),
    (Work::List, "list of 50"),
    (Work::Update, "update a customer"),
    (Work::Create, "create a customer"),
];

/// Different calls of one kind.
const TURNS: usize = 1 << 24;

/// Runs it.
///
/// # Errors
/// When the peer cannot be installed, or a server does not start or refuses a call.
pub async fn run(patron: &Patron, args: PeerArgs) -> Result<()> {
    ensure!(args.rounds > 0 && args.seconds > 0, "at least one round of one second");
    let ours = args.data.join("patron");
    let data = Stock::ensure(&ours, args.customers).await?;
    let python = installed(&args.data.join("venv"))?;
    let peer = start_peer(&python).await?;
    let ids = Arc::new(fill(&peer, args.customers).await?);
    let patron = patron.on_folder(&ours)?.unlimited().start().await?;
    let load = Load::full(args.connections, args.seconds);
    let mut figures: Vec<Vec<(Measured, Measured)>> = vec![Vec::new(); WORKS.len()];
    for round in 1..=args.rounds {
        for (at, (work, name)) in WORKS.iter().enumerate() {
            let asker = |n| theirs(*work, n, Arc::clone(&ids));
            let peers = load.measure(&peer.address, asker).await?;
            let signer = Signer::new("native", &data.keys)?;
            let asker = |n| ours_of(*work, n, round, signer.clone(), &data);
            let own = load.measure(&patron.address, asker).await?;
            println!("round {round}: {name}: {:.0}/s, {PACKAGE} {:.0}/s", own.rate, peers.rate);
            figures[at].push((own, peers));
        }
    }
    patron.stop()?;
    report(&figures);
    Ok(())
}

/// The peer in a Python environment of its own, made where it is not there.
fn installed(folder: &Path) -> Result<PathBuf> {
    let python = folder.join("bin/python");
    if !folder.join("bin/localstripe").exists() {
        println!("Installing {PACKAGE} into {}.", folder.display());
        let made = Command::new("python3").args(["-m", "venv"]).arg(folder).status();
        ensure!(made.context("python3 is needed")?.success(), "python3 -m venv failed");
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE];
        ensure!(Command::new(&python).args(pip).status()?.success(), "pip install failed");
    }
    Ok(python)
}

async fn start_peer(python: &Path) -> Result<Program> {
    let address = free_address();
    let mut command = Command::new(python.with_file_name("localstripe"));
    command.args(["--from-scratch", "--port", &address.port().to_string()]);
    Launch::of(command, address.to_string(), "/js.stripe.com/v3/").start().await
}

fn form(method: &str, target: &str, body: &str) -> Vec<u8> {
    format!(
        "{method} {target} HTTP/1.1\r\nhost: x\r\n{KEY}content-type: \
         application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// As many customers as we have; answers their ids.
async fn fill(peer: &Program, count: u64) -> Result<Vec<String>> {
    let mut connection = Connection::open(&peer.address).await?;
    let mut ids = Vec::new();
    for n in 0..count {
        let body = format!("email=person.{n}%40example.com&name=Given{n}+Family{n}");
        let made = connection.ask(&form("POST", "/v1/customers", &body)).await?;
        let id = made.json()["id"].as_str().map(str::to_owned);
        ids.push(id.with_context(|| format!("the peer answered {}", made.status))?);
    }
    Ok(ids)
}

fn theirs(work: Work, n: usize, ids: Arc<Vec<String>>) -> Asker {
    let mut choices = Choices::new(n as u64);
    Box::new(move |_| {
        // Short enough to be taken for nothing else.
        let turn = choices.below(TURNS);
        let id = &ids[turn % ids.len()];
        match work {
            Work::Get => form("GET", &format!("/v1/customers/{id}"), ""),
            Work::List => form("GET", "/v1/customers?limit=50", ""),
            Work::Update => {
                form("POST", &format!("/v1/customers/{id}"), &format!("description=T{turn}"))
            }
            Work::Create => {
                let body = format!("email=new.{turn}%40example.com&name=New+{turn}");
                form("POST", "/v1/customers", &body)
            }
        }
    })
}

fn ours_of(work: Work, n: usize, round: usize, signer: Signer, data: &Stock) -> Asker {
    let mut choices = Choices::new((round * 1_000 + n) as u64);
    let numbers = data.numbers();
    Box::new(move |_| {
        // Short enough to be taken for nothing else.
        let turn = choices.below(TURNS);
        let one = format!("/v1/customers/{}", numbers[turn % numbers.len()]);
        match work {
            Work::Get => signer.get(&one),
            Work::List => signer.get("/v1/customers?limit=50"),
            Work::Update => {
                let body = json!({"description": format!("T{turn:x}x")}).to_string();
                signer.request("PATCH", &one, &[], &body)
            }
            Work::Create => {
                let email = format!("new.{turn:x}x@example.com");
                let body = json!({"email": email, "full_name": "New Person"}).to_string();
                signer.request("POST", "/v1/customers", &[], &body)
            }
        }
    })
}

fn report(figures: &[Vec<(Measured, Measured)>]) {
    println!("\n| operation | Patron per second | localstripe per second | times |");
    println!("|---|---|---|---|");
    for ((_, name), rounds) in WORKS.iter().zip(figures) {
        let of = |of: fn(&(Measured, Measured)) -> f64| {
            median(&rounds.iter().map(of).collect::<Vec<_>>())
        };
        let times = of(|(own, peer)| own.rate / peer.rate);
        let (own, peer) = (of(|(own, _)| own.rate), of(|(_, peer)| peer.rate));
        println!("| {name} | {own:.0} | {peer:.0} | {times:.0} |");
    }
}
