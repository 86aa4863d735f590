//! Changes without pause while the program is killed again and again and most receivers misbehave:
//! each change that is in the journal must have come to each endpoint, signed, in the same bytes
//! each time, and nothing else may have.

use std::collections::HashSet;
use std::sync::{
    Arc, RwLock,
    atomic::{AtomicBool, AtomicU64, Ordering},
};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use serde_json::json;

use super::{
    place::{Place, PlaceArgs},
    receiver::{Manner, Receiver},
};
use crate::{
    connection::Connection,
    program::{Patron, Program},
    signer::Signer,
};

/// How receivers behave, one after the other.
const MANNERS: [Manner; 4] = [Manner::Good, Manner::Failing, Manner::Hanging, Manner::Lying];
/// Seconds an endpoint waits for its receiver.
const TIMEOUT_SECONDS: i64 = 2;
/// Events read at a time.
const PAGE: usize = 200;
/// Pause between two looks whether everything has come.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Pause of a writer that found no server.
const AWAY_PAUSE: Duration = Duration::from_millis(20);

/// Kill the program and let receivers misbehave; say what was lost, forged or altered.
#[derive(Debug, Args)]
pub struct SoakArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// Minutes to run.
    #[arg(long, default_value_t = 0)]
    minutes: u64,
    /// Seconds to run, on top of that.
    #[arg(long, default_value_t = 0)]
    seconds: u64,
    /// Changes per second.
    #[arg(long, default_value_t = 50)]
    rate: u32,
    /// Endpoints; a quarter each is good, fails, hangs, lies.
    #[arg(long, default_value_t = 20)]
    endpoints: usize,
    /// Seconds between two kills.
    #[arg(long, default_value_t = 15)]
    kill_every: u64,
    /// Seconds that everything may take to come once receivers behave.
    #[arg(long, default_value_t = 600)]
    drain_seconds: u64,
    /// What the choices are made of.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// What writers share.
struct Writers {
    address: RwLock<String>,
    caller: Signer,
    stop: AtomicBool,
    answered: AtomicU64,
    cut: AtomicU64,
}

/// Runs it.
///
/// # Errors
/// When the server does not start, or anything was lost, forged or altered.
pub async fn run(patron: &Patron, args: SoakArgs) -> Result<()> {
    let length = Duration::from_secs(args.minutes * 60 + args.seconds);
    ensure!(!length.is_zero() && args.rate > 0 && args.endpoints > 0, "nothing to do");
    ensure!(args.kill_every > 0, "--kill-every is at least one second");
    let place = Place::new(patron, &args.place, 1)?;
    let receiver = Receiver::start(args.seed).await?;
    let mut program = place.serve().await?;
    for n in 0..args.endpoints {
        let door = (&receiver, MANNERS[n % MANNERS.len()]);
        let body = json!({"timeout_seconds": TIMEOUT_SECONDS});
        place.endpoint(&program, 0, door, body).await?;
    }
    println!(
        "{} changes/s to {} endpoints for {} s, a kill every {} s; seed {}.",
        args.rate,
        args.endpoints,
        length.as_secs(),
        args.kill_every,
        args.seed
    );
    let writers = Arc::new(Writers {
        address: RwLock::new(program.address.clone()),
        caller: place.callers[0].clone(),
        stop: AtomicBool::new(false),
        answered: AtomicU64::new(0),
        cut: AtomicU64::new(0),
    });
    let writing = tokio::spawn(write(Arc::clone(&writers), args.rate));
    let (begin, mut kills) = (Instant::now(), 0);
    while begin.elapsed() < length {
        let left = length.saturating_sub(begin.elapsed());
        tokio::time::sleep(left.min(Duration::from_secs(args.kill_every))).await;
        if begin.elapsed() < length {
            // kill -9: whatever it was about to write is gone.
            drop(program);
            kills += 1;
            program = place.serve().await?;
            *writers.address.write().unwrap_or_else(std::sync::PoisonError::into_inner) =
                program.address.clone();
        }
    }
    writers.stop.store(true, Ordering::SeqCst);
    writing.await.context("the writer ended")?;
    receiver.behaves();
    let drained = drain(&place, &program, &receiver, &args).await?;
    let events = journal(&place, &program).await?;
    let verdict = verdict(&receiver, &events, args.endpoints, &writers);
    println!("{kills} kills; all that was left came within {} s.", drained.as_secs());
    program.stop()?;
    verdict
}

/// One change after the other at a rate, whatever happens to the server.
async fn write(writers: Arc<Writers>, rate: u32) {
    let between = Duration::from_secs(1) / rate;
    let (mut connection, mut n) = (None, 0_u64);
    let mut next = tokio::time::Instant::now();
    while !writers.stop.load(Ordering::SeqCst) {
        tokio::time::sleep_until(next).await;
        next += between;
        n += 1;
        let address = || {
            let known = writers.address.read();
            known.unwrap_or_else(std::sync::PoisonError::into_inner).clone()
        };
        if connection.is_none() {
            connection = Connection::open(&address()).await.ok();
        }
        let body = json!({"full_name": format!("Person {n}"), "reference": format!("r-{n}")});
        let request = writers.caller.request("POST", "/v1/customers", &[], &body.to_string());
        let asked = match connection.as_mut() {
            Some(open) => open.ask(&request).await.ok().filter(|answer| answer.status == 201),
            None => None,
        };
        match asked {
            Some(_) => writers.answered.fetch_add(1, Ordering::SeqCst),
            None => {
                connection = None;
                tokio::time::sleep(AWAY_PAUSE).await;
                // It is not made up for: a second of being away is not one of twice the rate.
                next = next.max(tokio::time::Instant::now());
                writers.cut.fetch_add(1, Ordering::SeqCst)
            }
        };
    }
}

/// Ids of everything in the journal that endpoints asked for.
async fn journal(place: &Place, program: &Program) -> Result<HashSet<String>> {
    let (mut all, mut after) = (HashSet::new(), 0);
    loop {
        let target = format!("/v1/events?after={after}&limit={PAGE}&types=customer.created");
        let page = place.ask(program, 0, "GET", &target, None).await?;
        for event in page["data"].as_array().into_iter().flatten() {
            all.insert(event["id"].as_str().unwrap_or_default().to_owned());
        }
        after = page["next"].as_i64().context("a position")?;
        if page["has_more"] != true {
            return Ok(all);
        }
    }
}

/// Waits until everything has come, asking for what would be tried again much later only.
async fn drain(
    place: &Place,
    program: &Program,
    receiver: &Receiver,
    args: &SoakArgs,
) -> Result<Duration> {
    let begin = Instant::now();
    let wanted = journal(place, program).await?.len() * args.endpoints;
    while receiver.taken() < wanted as u64 && begin.elapsed().as_secs() < args.drain_seconds {
        let target = format!("/v1/webhook-deliveries?state=retrying&limit={PAGE}");
        let listed = place.ask(program, 0, "GET", &target, None).await?;
        for delivery in listed["data"].as_array().into_iter().flatten() {
            let id = delivery["id"].as_str().unwrap_or_default();
            let target = format!("/v1/webhook-deliveries/{id}/redeliver");
            // One that arrives meanwhile needs no further attempt.
            let _ = place.ask(program, 0, "POST", &target, None).await;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(begin.elapsed())
}

fn verdict(
    receiver: &Receiver,
    events: &HashSet<String>,
    endpoints: usize,
    writers: &Writers,
) -> Result<()> {
    let seen = receiver.seen();
    let taken = |door: usize, id: &String| {
        seen.got.get(&(door, id.clone())).is_some_and(|got| got.taken > 0)
    };
    let lost: usize =
        (0..endpoints).map(|door| events.iter().filter(|id| !taken(door, id)).count()).sum();
    let strange = seen.got.keys().filter(|(_, id)| !events.contains(id)).count() as u64;
    let repeated: u64 = seen.got.values().map(|got| u64::from(got.taken.saturating_sub(1))).sum();
    let (answered, cut) = (&writers.answered, &writers.cut);
    let (answered, cut) = (answered.load(Ordering::SeqCst), cut.load(Ordering::SeqCst));
    let missing = answered.saturating_sub(events.len() as u64);
    let forged = seen.forged + strange;
    println!("\n| what | count |\n|---|---|");
    println!(
        "| changes answered / cut off by a kill / in the journal | {answered} / {cut} / {} |",
        events.len()
    );
    println!("| requests that receivers got | {} |", seen.requests);
    println!(
        "| taken, of so many asked for | {} / {} |",
        receiver.taken(),
        events.len() * endpoints
    );
    println!("| taken more than once | {repeated} |");
    println!("| answered and not in the journal | {missing} |");
    println!("| lost | {lost} |");
    println!("| forged: badly signed, or of nothing in the journal | {forged} |");
    println!("| altered: other bytes than at first | {} |\n", seen.altered);
    let wrong = lost as u64 + forged + seen.altered + missing;
    if wrong > 0 {
        bail!("{wrong} deliveries are not as they should be; see above");
    }
    println!("Nothing was lost, forged or altered.");
    Ok(())
}
