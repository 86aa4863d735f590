//! kill -9 under load, again and again on one folder: no answered write is lost, none is applied
//! half, a repeat with the same key has no second effect, journal and records agree.
//!
//! `PATRON_CRASH_ROUNDS` sets how often the program is killed, `PATRON_FAULT_SEED` when.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::faults::dice::{Dice, times};
use crate::faults::door::{Door, every_key_opens};
use crate::faults::load::{Came, Writer, keys, verify};
use crate::program::{Running, patron, succeed};

/// Writers at a time.
const WRITERS: usize = 8;
/// Times the program is killed in a short run.
const ROUNDS: usize = 6;
/// Answers after which it is killed, at most.
const ANSWERS_MAX: usize = 150;
/// One round in so many ends with a kill at the start, before the program is ready.
const KILLED_AT_START: usize = 4;
/// Time of a start after which it is killed, at most (milliseconds).
const START_MS_MAX: usize = 120;

/// Lets all writers work until the program is killed, which is after so many answers.
async fn work_until_killed(running: Running, writers: Vec<Writer>, answers: usize) -> Vec<Writer> {
    let pid = running.child.id().to_string();
    let (running, answered) = (Arc::new(running), Arc::new(AtomicUsize::new(0)));
    let tasks = writers.into_iter().map(|mut writer| {
        let (running, answered) = (Arc::clone(&running), Arc::clone(&answered));
        tokio::spawn(async move {
            let door = Door::Http(&running);
            while writer.find_number(&door).await {
                match writer.step(&door).await {
                    Came::Answered => answered.fetch_add(1, Ordering::Relaxed),
                    Came::Refused(answer) => panic!("{}: {}", answer.status, answer.text()),
                    Came::Gone => break,
                };
            }
            writer
        })
    });
    let tasks: Vec<_> = tasks.collect();
    // In the middle of the work, but for a writer's fault that ends it.
    while answered.load(Ordering::Relaxed) < answers && !tasks.iter().any(|task| task.is_finished())
    {
        tokio::task::yield_now().await;
    }
    succeed(Command::new("kill").args(["-9", &pid]));
    let mut back = Vec::new();
    for task in tasks {
        back.push(task.await.unwrap());
    }
    back
}

/// Starts the program and kills it before or after it is ready.
async fn kill_at_start(folder: &std::path::Path, milliseconds: usize) {
    let mut command = patron();
    let address = crate::program::free_address();
    command.args(["sandbox", "--listen", &address, "--data"]).arg(folder);
    let mut child = command
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(milliseconds as u64)).await;
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answered_write_is_lost_and_none_is_half_there() {
    let folder = tempfile::tempdir().unwrap();
    let (rounds, seed) = (times("PATRON_CRASH_ROUNDS", ROUNDS), Dice::seed());
    let (mut dice, keys) = (Dice::new(seed), keys());
    let mut writers: Vec<Writer> =
        (0..WRITERS).map(|name| Writer::new(name, Arc::clone(&keys), seed)).collect();
    kill_at_start(folder.path(), dice.below(START_MS_MAX)).await;
    for round in 0..rounds {
        if dice.below(KILLED_AT_START) == 0 {
            kill_at_start(folder.path(), dice.below(START_MS_MAX)).await;
        }
        let (running, _) = Running::sandbox(folder.path());
        let answers = 1 + dice.below(ANSWERS_MAX);
        writers = work_until_killed(running, writers, answers).await;
        let said = succeed(patron().args(["check", "--data"]).arg(folder.path()));
        assert!(said.contains("Everything agrees."), "seed {seed}, round {round}: {said}");
        // Looking at everything takes the longer the more there is: in long runs not every time.
        if round < ROUNDS || round % 10 == 0 || round + 1 == rounds {
            let (running, _) = Running::sandbox(folder.path());
            let door = Door::Http(&running);
            let known: Vec<_> = writers.iter().map(|writer| (writer, writer.answered)).collect();
            let outcome = verify(&door, &known).await;
            assert_eq!(outcome, Ok(()), "seed {seed}, round {round}");
            assert_eq!(every_key_opens(&door, &keys).await, Ok(()));
        }
    }
    let answered: usize = writers.iter().map(|writer| writer.answered).sum();
    println!("{rounds} kills, {answered} answered writes, seed {seed}");
    assert!(answered >= 20 * rounds, "the writers went on");
}
