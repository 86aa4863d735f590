//! Each call to the disk fails once, the first, the second, the third and so on, until the work is
//! done without reaching the fault: at the start and while serving. What was answered stays, what
//! was refused can be repeated, the program goes on or ends plainly.
//!
//! `PATRON_FAULT_NTH=1` tries every number; without it they grow by a third, which is faster.

use std::process::Command;
use std::sync::Arc;

use patron_testkit::Answer;
use serde_json::{Value, json};

use super::dice::{Dice, times};
use super::disk::{Disk, EIO, ENOSPC, EROFS, Kind};
use super::door::{Door, Sent, every_key_opens};
use super::load::{Came, Writer, keys, person, verify};
use crate::api::{self, ALL};
use crate::program::{Running, patron, succeed};

/// Steps of the work that meets a fault.
const STEPS: usize = 8;
/// Tries of one step until it must succeed: one fault costs at most one of them.
const TRIES: usize = 3;
/// Times `/readyz` is asked until it must have changed its mind.
const READY_TRIES: usize = 400;

/// The numbers N of the calls that fail: all of them, or fewer and fewer.
fn next(n: i64) -> i64 {
    if times("PATRON_FAULT_NTH", 0) > 0 { n + 1 } else { n + 1 + n / 3 }
}

/// A refusal that a client understands: not now, try again. A read that fails is a damaged file to
/// SQLite, and a fault of ours to a client.
fn is_plain(answer: &Answer, kind: Kind) -> bool {
    let is_503 = answer.status == 503 && !answer.header("retry-after").is_empty();
    answer.json().is_object() && (is_503 || (kind == Kind::Read && answer.status == 500))
}

fn check(disk: &Disk) {
    let said = succeed(patron().args(["check", "--data"]).arg(disk.data()));
    assert!(said.contains("Everything agrees."), "{said}");
}

/// Ends the program as an operator does.
fn end(running: Running) {
    let mut running = running;
    succeed(Command::new("kill").args(["-TERM", &running.child.id().to_string()]));
    assert!(running.child.wait().unwrap().success(), "it ends well");
}

/// Does one step; a refusal must be plain, and cured by repeating.
async fn step(writer: &mut Writer, door: &Door<'_>, disk: &Disk, kind: Kind) {
    for _ in 0..TRIES {
        if !writer.find_number(door).await {
            continue;
        }
        match writer.step(door).await {
            Came::Answered => return,
            Came::Refused(answer) => {
                let text = answer.text();
                assert!(is_plain(&answer, kind), "{kind:?}: {text}\n{}", disk.said());
            }
            Came::Gone => panic!("{kind:?}: the program is gone"),
        }
    }
    panic!("{kind:?}: still refused after {TRIES} tries");
}

#[tokio::test(flavor = "multi_thread")]
async fn serving_survives_every_nth_fault() {
    let disk = Disk::new();
    disk.refuse_maps();
    let running = disk.sandbox(&[]).expect("nothing fails yet");
    let door = Door::Http(&running);
    let keys = keys();
    let mut reached = 0;
    for (name, (kind, error)) in [
        (Kind::Write, EIO),
        (Kind::Write, ENOSPC),
        (Kind::Sync, EIO),
        (Kind::Read, EIO),
        (Kind::Truncate, EIO),
        (Kind::Open, EIO),
        (Kind::Map, EIO),
    ]
    .into_iter()
    .enumerate()
    {
        let mut writer = Writer::new(name, Arc::clone(&keys), Dice::seed());
        let mut n = 1;
        loop {
            disk.fail(kind, n, error, false);
            for _ in 0..STEPS {
                step(&mut writer, &door, &disk, kind).await;
            }
            let failed = disk.failed();
            disk.heal();
            let outcome = verify(&door, &[(&writer, writer.answered)]).await;
            assert_eq!(outcome, Ok(()), "{kind:?} {n}");
            if failed == 0 {
                break;
            }
            reached += 1;
            n = next(n);
        }
        check(&disk);
    }
    println!("{reached} faults while serving");
    assert!(reached > 30, "{reached}");
    every_key_opens(&door, &keys).await.unwrap();
    end(running);
    check(&disk);
    assert!(!disk.said().contains("panicked"), "{}", disk.said());
}

/// The N-th call fails during the start, on a folder that `prepare` has filled.
async fn starts_survive(prepare: impl Fn(&Disk), error: i64, kinds: &[Kind]) -> usize {
    let mut reached = 0;
    let keys = keys();
    for &kind in kinds {
        let mut n = 1;
        loop {
            let disk = Disk::new();
            disk.refuse_maps();
            prepare(&disk);
            disk.fail(kind, n, error, false);
            drop(disk.sandbox(&[]));
            let failed = disk.failed();
            disk.heal();
            let running = disk.sandbox(&[]);
            let running = running.unwrap_or_else(|| panic!("{kind:?} {n}: {}", disk.said()));
            let opened = every_key_opens(&Door::Http(&running), &keys).await;
            assert_eq!(opened, Ok(()), "{kind:?} {n}");
            end(running);
            check(&disk);
            assert!(!disk.said().contains("panicked"), "{kind:?} {n}: {}", disk.said());
            if failed == 0 {
                break;
            }
            reached += 1;
            n = next(n);
        }
    }
    reached
}

#[tokio::test(flavor = "multi_thread")]
async fn starting_survives_every_nth_fault() {
    let reached = starts_survive(|_| {}, EIO, &Kind::ALL).await;
    println!("{reached} faults at the first start");
    assert!(reached > 20, "{reached}");
}

#[tokio::test(flavor = "multi_thread")]
async fn starting_after_a_crash_survives_every_nth_fault() {
    let crashed = Disk::new();
    let mut running = crashed.sandbox(&[]).expect("nothing fails yet");
    let made = json!({"title": "kept"});
    let made = running.native(crate::program::KEY, "POST", "/v1/customers", Some(made)).await;
    made.expect(201);
    running.child.kill().unwrap();
    running.child.wait().unwrap();
    let prepare = |disk: &Disk| {
        for file in std::fs::read_dir(crashed.data()).unwrap().map(Result::unwrap) {
            std::fs::copy(file.path(), disk.data().join(file.file_name())).unwrap();
        }
    };
    let reached = starts_survive(prepare, ENOSPC, &Kind::ALL).await;
    println!("{reached} faults at a start after a crash");
    assert!(reached > 20, "{reached}");
}

/// Creates a customer through an API.
fn create(api: &'static str, keys: &Value) -> Sent {
    let person = person(&format!("{api}@example.com"), "Text");
    let body = Some(api::body(api, keys, &person));
    Sent { api, ..Sent::native("POST", api::create_path(api, keys), body) }
}

/// The answer is remembered for a moment, since it costs a write.
async fn until_ready_answers(running: &Running, status: u16) {
    for _ in 0..READY_TRIES {
        if running.get("/readyz").await.status == status {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("/readyz never answers {status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_or_read_only_disk_stops_writes_only_and_only_so_long() {
    let disk = Disk::new();
    let running = disk.sandbox(&[]).expect("nothing fails yet");
    let door = Door::Http(&running);
    let keys = keys();
    let mut writer = Writer::new(0, Arc::clone(&keys), Dice::seed());
    for (error, kind) in [(ENOSPC, Kind::Write), (EROFS, Kind::Write), (EIO, Kind::Sync)] {
        for _ in 0..STEPS {
            step(&mut writer, &door, &disk, kind).await;
        }
        disk.fail(kind, 1, error, true);
        until_ready_answers(&running, 503).await;
        for api in ALL {
            let answer = door.call(&keys, &create(api.name, &keys)).await.expect("an answer");
            let (status, text) = (answer.status, answer.text());
            assert!(matches!(status, 500 | 503), "{}: {status} {text}", api.name);
            assert!(answer.json().is_object(), "{}: {text}", api.name);
            assert!(!text.contains("disk") && !text.contains("SQLite"), "{}: {text}", api.name);
        }
        assert_eq!(every_key_opens(&door, &keys).await, Ok(()), "reads go on");
        assert!(disk.failed() > 0);
        disk.heal();
        step(&mut writer, &door, &disk, kind).await;
        assert_eq!(verify(&door, &[(&writer, writer.answered)]).await, Ok(()));
        until_ready_answers(&running, 200).await;
    }
    for api in ALL {
        let answer = door.call(&keys, &create(api.name, &keys)).await.expect("an answer");
        assert!(answer.status < 300, "{}: {} {}", api.name, answer.status, answer.text());
    }
    end(running);
    check(&disk);
}

#[tokio::test(flavor = "multi_thread")]
async fn ending_survives_a_broken_disk() {
    let keys = keys();
    for kind in [Kind::Write, Kind::Sync, Kind::Truncate, Kind::Unlink] {
        let disk = Disk::new();
        let running = disk.sandbox(&[]).expect("nothing fails yet");
        let mut writer = Writer::new(0, Arc::clone(&keys), Dice::seed());
        for _ in 0..STEPS {
            step(&mut writer, &Door::Http(&running), &disk, kind).await;
        }
        disk.fail(kind, 1, EIO, true);
        end(running);
        disk.heal();
        let running = disk.sandbox(&[]).expect("nothing fails any more");
        let door = Door::Http(&running);
        assert_eq!(verify(&door, &[(&writer, writer.answered)]).await, Ok(()), "{kind:?}");
        drop(running);
        check(&disk);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_does_not_fit_is_no_backup() {
    let disk = Disk::new();
    end(disk.sandbox(&[]).expect("nothing fails yet"));
    let file = disk.data().join("backup");
    let back_up = || {
        let mut command = patron();
        command.arg("backup").arg(&file).arg("--data").arg(disk.data());
        disk.under(&mut command).output().unwrap()
    };
    let mut n = 1;
    loop {
        disk.fail(Kind::Write, n, ENOSPC, true);
        let done = back_up();
        disk.heal();
        assert_eq!(done.status.success(), file.exists(), "{n}: {done:?}");
        if done.status.success() {
            break;
        }
        n = next(n);
    }
    assert!(n > 1);
    std::fs::remove_file(&file).unwrap();
    assert!(back_up().status.success() && file.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_read_only_disk_it_does_not_start_and_says_why() {
    let disk = Disk::new();
    end(disk.sandbox(&[]).expect("nothing fails yet"));
    disk.fail(Kind::Open, 1, EROFS, true);
    assert!(disk.sandbox(&[]).is_none());
    let said = disk.said();
    assert!(said.contains("cannot be opened") && !said.contains("panicked"), "{said}");
    disk.heal();
    end(disk.sandbox(&[]).expect("it can be written again"));
    check(&disk);
}
