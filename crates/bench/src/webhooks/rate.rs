//! Deliveries per second, and the time from the answer to a change until it arrives; with hanging
//! endpoints of another space beside them where asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use serde_json::json;

use super::{
    place::{Place, PlaceArgs},
    receiver::{Manner, Receiver},
};
use crate::{
    connection::Connection,
    figures::part,
    program::{Patron, Program},
    signer::Signer,
};

/// How long everything may take to arrive.
const ARRIVES_IN: Duration = Duration::from_secs(120);
/// Pause between two looks whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// Callers that make changes.
const CALLERS: usize = 16;

/// Deliveries per second, and how soon they arrive.
#[derive(Debug, Args)]
pub struct RateArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// Spaces.
    #[arg(long, default_value_t = 100)]
    spaces: usize,
    /// Endpoints of each.
    #[arg(long, default_value_t = 10)]
    endpoints: usize,
    /// Changes per second, over all spaces; 0: as many as there can be.
    #[arg(long, default_value_t = 100)]
    rate: u32,
    /// Changes.
    #[arg(long, default_value_t = 2_000)]
    changes: usize,
    /// Endpoints of a further space that answer nothing; the changes are made there too.
    #[arg(long, default_value_t = 0)]
    hanging: usize,
    /// Servers on the database; more than one needs --database.
    #[arg(long, default_value_t = 1)]
    nodes: usize,
}

/// When changes were answered, by the ids of their events.
type Answered = Arc<Mutex<HashMap<String, Instant>>>;

/// Runs it.
///
/// # Errors
/// When the server does not start, a change is refused, or something does not arrive.
pub async fn run(patron: &Patron, args: RateArgs) -> Result<()> {
    let RateArgs { spaces, endpoints, rate, changes, hanging, nodes, .. } = args;
    ensure!(spaces > 0 && endpoints > 0 && changes > 0 && nodes > 0, "nothing to do");
    let place = Place::new(patron, &args.place, spaces + usize::from(hanging > 0))?;
    let mut programs = Vec::new();
    for _ in 0..nodes {
        programs.push(place.serve().await?);
    }
    let receiver = Receiver::start(1).await?;
    let program = &programs[0];
    for space in 0..spaces {
        for _ in 0..endpoints {
            place.endpoint(program, space, (&receiver, Manner::Good), json!({})).await?;
        }
    }
    for _ in 0..hanging {
        place.endpoint(program, spaces, (&receiver, Manner::Dead), json!({})).await?;
    }
    // Each is taken, and has answered once: new ones may have less at a time.
    let warm = |n: usize| (n % spaces, usize::MAX - n);
    make(&place, &programs, (0..spaces * 3).map(warm).collect(), 0, &Answered::default()).await?;
    let before = (spaces * 3 * endpoints) as u64;
    arrive(&receiver, before).await.context("the first ones")?;

    let answered = Answered::default();
    let mut all: Vec<(usize, usize)> = (0..changes).map(|n| (n % spaces, n)).collect();
    if hanging > 0 {
        // As many again in the space whose receivers hang.
        all = all.into_iter().flat_map(|(space, n)| [(space, n), (spaces, changes + n)]).collect();
    }
    let begin = Instant::now();
    make(&place, &programs, all, rate * (1 + u32::from(hanging > 0)), &answered).await?;
    arrive(&receiver, before + (changes * endpoints) as u64).await?;
    let took = begin.elapsed();
    report(&receiver, &answered, (changes * endpoints) as f64 / took.as_secs_f64())?;
    programs.into_iter().try_for_each(Program::stop)
}

/// Makes changes in spaces, by some callers at a time; notes when each was answered.
async fn make(
    place: &Place,
    programs: &[Program],
    all: Vec<(usize, usize)>,
    rate: u32,
    answered: &Answered,
) -> Result<()> {
    let begin = tokio::time::Instant::now();
    let mut tasks = Vec::new();
    for caller in 0..CALLERS {
        let address = programs[caller % programs.len()].address.clone();
        let mine: Vec<(usize, Signer, usize)> = all
            .iter()
            .enumerate()
            .skip(caller)
            .step_by(CALLERS)
            .map(|(at, (space, n))| (at, place.callers[*space].clone(), *n))
            .collect();
        let answered = Arc::clone(answered);
        tasks.push(tokio::spawn(async move {
            let mut connection = Connection::open(&address).await?;
            for (at, signer, n) in mine {
                if rate > 0 {
                    let due = Duration::from_secs_f64(at as f64 / f64::from(rate));
                    tokio::time::sleep_until(begin + due).await;
                }
                let body =
                    json!({"full_name": format!("Person {n}"), "reference": format!("r-{n}")});
                let request = signer.request("POST", "/v1/customers", &[], &body.to_string());
                let answer = connection.ask(&request).await?;
                ensure!(answer.status == 201, "{}", answer.json());
                let id = answer.json()["id"].as_str().unwrap_or_default().to_owned();
                answered.lock().unwrap_or_else(PoisonError::into_inner).insert(id, Instant::now());
            }
            Ok(())
        }));
    }
    for task in tasks {
        task.await.context("a caller ended")??;
    }
    Ok(())
}

async fn arrive(receiver: &Receiver, count: u64) -> Result<()> {
    let begin = Instant::now();
    while receiver.taken() < count {
        let taken = receiver.taken();
        ensure!(begin.elapsed() < ARRIVES_IN, "{taken} of {count} have arrived");
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

fn report(receiver: &Receiver, answered: &Answered, rate: f64) -> Result<()> {
    let seen = receiver.seen();
    let answered = answered.lock().unwrap_or_else(PoisonError::into_inner);
    let mut waits: Vec<u32> = Vec::new();
    for got in seen.got.values().filter(|got| got.taken > 0) {
        if let Some(at) = answered.get(&got.subject) {
            let wait = got.first_at.saturating_duration_since(*at);
            waits.push(u32::try_from(wait.as_micros()).unwrap_or(u32::MAX));
        }
    }
    waits.sort_unstable();
    let ms = |share| f64::from(part(&waits, share)) / 1_000.0;
    println!("| what | measured |\n|---|---|");
    println!("| deliveries per second | {rate:.0} |");
    println!(
        "| from the answer to arrival, p50 / p99 / last, ms | {:.1} / {:.1} / {:.1} |",
        ms(0.5),
        ms(0.99),
        ms(1.0)
    );
    println!("| deliveries | {} |", waits.len());
    println!("| forged, altered | {}, {} |", seen.forged, seen.altered);
    ensure!(seen.forged + seen.altered == 0, "not as they should be; see above");
    Ok(())
}
