//! Power loss: the program runs on a recording disk; then the disk is put together again as a power
//! failure at many moments may have left it, and what was answered by then must be there.
//!
//! `PATRON_POWER_STATES` sets how many such disks are looked at, `PATRON_FAULT_SEED` which.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use patron_app::documents::{KINDS, implied};
use patron_app::{App, Clock, keyring::Master, secrets::MasterKey};
use patron_gateway::{Gateway, Site, dispatch::RequestLog, limits::Limits};
use patron_store::{Location, Options, Store};

use super::dice::{Dice, times};
use super::disk::{Change, Disk, EIO, Kind};
use super::door::{Door, every_key_opens};
use super::image::{Image, Loss};
use super::load::{Came, Writer, keys, verify};
use crate::api::ALL;
use crate::program::{Running, patron, succeed};

/// Writers at a time.
const WRITERS: usize = 4;
/// Steps of all writers between two restarts; enough for the log to be moved into the file.
const STEPS: usize = 120;
/// Steps tried while no flush succeeds.
const STEPS_REFUSED: usize = 16;
/// Disks looked at in a short run.
const STATES: usize = 60;
/// Of so many disks one is given to the program itself; the others to its parts, which is faster.
const PROGRAM_EVERY: usize = 20;
/// Time a flush takes while recording (microseconds): long enough for writers to meet in one.
const FLUSH_US: i64 = 300;

/// Lets all writers work at once until they have done so many steps together.
async fn work(
    running: &Arc<Running>,
    disk: &Arc<Disk>,
    writers: Vec<Writer>,
    steps: usize,
) -> Vec<Writer> {
    let done = Arc::new(AtomicUsize::new(0));
    let tasks = writers.into_iter().enumerate().map(|(name, mut writer)| {
        let (running, disk, done) = (Arc::clone(running), Arc::clone(disk), Arc::clone(&done));
        tokio::spawn(async move {
            let door = Door::Http(&running);
            while done.fetch_add(1, Ordering::Relaxed) < steps && writer.find_number(&door).await {
                match writer.step(&door).await {
                    Came::Answered => disk.remark(&format!("answered {name}")),
                    // Only a disk that is broken on purpose refuses.
                    Came::Refused(answer) if answer.status == 503 => {}
                    Came::Refused(answer) => panic!("{}: {}", answer.status, answer.text()),
                    Came::Gone => break,
                }
            }
            writer
        })
    });
    let mut back = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        back.push(task.await.unwrap());
    }
    back
}

/// Runs of the program on one disk: killed, ended, killed while no flush succeeds any more, so that
/// the next one finds what was refused, and killed again.
async fn record(settings: &[(&str, &str)], seed: u64) -> (Vec<Change>, Vec<Writer>) {
    let disk = Arc::new(Disk::recording());
    disk.delay_syncs(FLUSH_US);
    let keys = keys();
    let mut writers: Vec<Writer> =
        (0..WRITERS).map(|name| Writer::new(name, Arc::clone(&keys), seed)).collect();
    for (signal, breaks) in [("-KILL", false), ("-TERM", false), ("-KILL", true), ("-KILL", false)]
    {
        let running = disk.sandbox(settings).expect("nothing fails here");
        disk.remark("ready");
        let pid = running.child.id().to_string();
        let running = Arc::new(running);
        writers = work(&running, &disk, writers, STEPS).await;
        if breaks {
            disk.fail(Kind::Sync, 1, EIO, true);
            writers = work(&running, &disk, writers, STEPS_REFUSED).await;
        }
        succeed(Command::new("kill").args([signal, &pid]));
        let mut running = Arc::into_inner(running).expect("all writers are done");
        running.child.wait().unwrap();
        disk.heal();
    }
    (disk.changes(), writers)
}

/// The key in a folder; a program that has answered must have kept it.
fn master(folder: &Path) -> Result<Master, String> {
    let text = std::fs::read_to_string(folder.join("master.key"));
    let key = MasterKey::parse(&text.map_err(|error| format!("master.key: {error}"))?);
    Ok(Master::fixed(key.ok_or("master.key is not whole")?))
}

async fn check(store: &Store) -> Result<(), String> {
    let report = store.check(&|kind, row| implied(kind, row)).await;
    let report = report.map_err(|error| error.to_string())?;
    if report.is_clean() { Ok(()) } else { Err(report.findings.join("\n")) }
}

/// Reopens what a power failure left, and looks whether everything answered is there.
async fn inspect(folder: &Path, writers: &[(&Writer, usize)]) -> Result<(), String> {
    let location = Location::Sqlite(folder.join("patron.db"));
    let store = Store::open(&location, KINDS, Options::default()).await;
    let store = store.map_err(|error| error.to_string())?;
    check(&store).await?;
    let app = App::open(store.clone(), Clock::System, master(folder)?).await;
    let app = app.map_err(|locked| format!("{locked:?}"))?;
    let site = Site::new(ALL.to_vec(), String::new());
    let gateway =
        Gateway::new(app, site, Limits::default(), &[], RequestLog::None, axum::Router::new());
    verify(&Door::Inside(&gateway), writers).await?;
    check(&store).await?;
    drop(gateway);
    store.close().await;
    Ok(())
}

/// The same through the program: it starts, all its keys open, it ends.
async fn inspect_program(folder: &Path, writers: &[(&Writer, usize)]) -> Result<(), String> {
    let (mut running, _) = Running::sandbox(folder);
    let keys = keys();
    let door = Door::Http(&running);
    verify(&door, writers).await?;
    every_key_opens(&door, &keys).await?;
    succeed(Command::new("kill").args(["-TERM", &running.child.id().to_string()]));
    running.child.wait().unwrap();
    let said = succeed(patron().args(["check", "--data"]).arg(folder));
    if said.contains("Everything agrees.") { Ok(()) } else { Err(said) }
}

/// Moments to fail at: any, during the first start, and right behind answers, when the least is
/// flushed that must be.
fn moments(changes: &[Change], count: usize, dice: &mut Dice) -> Vec<usize> {
    let is_answer = |at: &usize| matches!(&changes[*at], Change::Remark(_));
    let answers: Vec<usize> = (0..changes.len()).filter(is_answer).collect();
    let mut moments: Vec<usize> = (0..count)
        .map(|n| match n % 10 {
            0 => dice.below(answers[0]),
            1..=4 => dice.below(changes.len()),
            _ => answers[dice.below(answers.len())],
        })
        .collect();
    moments.sort_unstable();
    moments
}

/// Lets the power fail at many moments; answers what was found wrong.
async fn fail_often(
    changes: &[Change],
    writers: &[Writer],
    count: usize,
    seed: u64,
) -> Vec<String> {
    let mut dice = Dice::new(seed);
    let mut faults = Vec::new();
    let (mut image, mut answered, mut is_ready) = (Image::default(), vec![0; writers.len()], false);
    let moments = moments(changes, count, &mut dice);
    let mut next = 0;
    for (at, change) in changes.iter().enumerate() {
        image.apply(change);
        match change {
            Change::Remark(text) if text == "ready" => is_ready = true,
            Change::Remark(text) => {
                let writer = text.strip_prefix("answered ").unwrap();
                answered[writer.parse::<usize>().unwrap()] += 1;
            }
            _ => {}
        }
        while next < moments.len() && moments[next] == at {
            let loss = Loss::ALL[dice.below(Loss::ALL.len())];
            let folder = tempfile::tempdir().unwrap();
            image.survive(loss, &mut dice, folder.path());
            let known: Vec<_> = writers.iter().zip(answered.iter().copied()).collect();
            let outcome = if next % PROGRAM_EVERY == 0 || !is_ready {
                inspect_program(folder.path(), &known[..if is_ready { known.len() } else { 0 }])
                    .await
            } else {
                inspect(folder.path(), &known).await
            };
            if let Err(fault) = outcome {
                faults.push(format!(
                    "seed {seed}, moment {at} of {}, {loss:?}: {fault}",
                    changes.len()
                ));
            }
            next += 1;
        }
    }
    faults
}

#[tokio::test(flavor = "multi_thread")]
async fn power_loss_takes_nothing_that_was_answered() {
    let seed = Dice::seed();
    let (changes, writers) = record(&[], seed).await;
    let states = times("PATRON_POWER_STATES", STATES);
    let faults = fail_often(&changes, &writers, states, seed).await;
    println!("{} changes, {states} power failures, seed {seed}", changes.len());
    assert!(faults.is_empty(), "{} of {states}:\n{}", faults.len(), faults.join("\n\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_flushes_the_same_test_finds_losses() {
    let (changes, writers) = record(&[("PATRON__STORE__SYNCHRONOUS", "off")], 1).await;
    let after_start = changes.iter().position(|c| *c == Change::Remark("ready".into())).unwrap();
    let mut faults = Vec::new();
    let (mut image, mut answered) = (Image::default(), vec![0; writers.len()]);
    for (at, change) in changes.iter().enumerate() {
        image.apply(change);
        let Change::Remark(text) = change else { continue };
        let Some(writer) = text.strip_prefix("answered ") else { continue };
        answered[writer.parse::<usize>().unwrap()] += 1;
        if at > after_start && answered.iter().sum::<usize>() % 40 == 0 {
            let folder = tempfile::tempdir().unwrap();
            image.survive(Loss::Late, &mut Dice::new(at as u64), folder.path());
            let known: Vec<_> = writers.iter().zip(answered.iter().copied()).collect();
            faults.extend(inspect(folder.path(), &known).await.err());
        }
    }
    // A file that cannot be read any more has lost all of it.
    let is_lost = |fault: &String| fault.contains("was answered") || fault.contains("malformed");
    assert!(faults.iter().any(is_lost), "never flushed, yet nothing is lost? {faults:#?}");
}
