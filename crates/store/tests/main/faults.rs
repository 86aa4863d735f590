//! What happens when things break: a killed process, a full disk, lost connections, a second writer.

use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use patron_store::{Location, Options, Predicate, Store, StoreError};

use crate::support::*;

/// Where a child process finds the store it works on.
const PLACE: &str = "PATRON_STORE_FAULT_PLACE";
/// Acknowledged batches after which the child is killed, per round: at first with an empty file,
/// later in the middle of checkpoints.
const KILL_AFTER: [usize; 6] = [1, 37, 5, 420, 11, 150];
/// A second record belongs to each batch; its number is this much higher.
const PARTNER: i64 = 1_000_000;

/// Runs one ignored test of this binary in a process of its own.
fn child(test: &str, place: &Path, limits: &str) -> Child {
    let exe = std::env::current_exe().unwrap();
    Command::new("sh")
        .args(["-c", &format!("{limits} exec \"$0\" \"$@\"")])
        .arg(exe)
        .args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"])
        .env(PLACE, place)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn place() -> Option<Location> {
    std::env::var_os(PLACE).map(|path| Location::Sqlite(path.into()))
}

/// Says something to the parent, whole or not at all.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\n{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

async fn write_pair(store: &Store, size: usize) -> Result<i64, StoreError> {
    let number = store.reserve("pair", 1).await?.start;
    let doc = format!(r#"{{"n":{number},"fill":"{}"}}"#, "x".repeat(size));
    let pair = [customer(1, number).doc(&doc), customer(1, number + PARTNER).doc(&doc)];
    store.commit(batch(1, pair.iter().map(insert).collect())).await?;
    Ok(number)
}

#[test]
#[ignore = "run by `kill_nine` in a process of its own"]
fn child_writes_forever() {
    let Some(place) = place() else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = Store::open(&place, KINDS, Options::default()).await.unwrap();
        together(8, |_| {
            let store = store.clone();
            async move {
                loop {
                    let number = write_pair(&store, 900).await.unwrap();
                    say(&format!("ack {number}"));
                }
            }
        })
        .await
    });
}

/// Numbers the child says were acknowledged.
fn acknowledged(line: &str) -> Option<i64> {
    line.strip_prefix("ack ").map(|number| number.parse().unwrap())
}

#[test]
fn kill_nine() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let stand = runtime.block_on(Stand::sqlite());
    let mut acked: Vec<i64> = Vec::new();
    for kill_after in KILL_AFTER {
        let mut child = child("faults::child_writes_forever", &stand.file(), "");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        acked.extend(lines.by_ref().filter_map(|line| acknowledged(&line)).take(kill_after));
        child.kill().unwrap();
        child.wait().unwrap();
        // What it said before it was killed counts as well. The pipe holds whole lines only, except
        // the last, which the next newline never ended.
        let rest: Vec<String> = lines.collect();
        let whole = rest.len().saturating_sub(1);
        acked.extend(rest[..whole].iter().filter_map(|line| acknowledged(line)));
        runtime.block_on(async {
            let store = stand.open().await;
            verify(&store, &acked).await;
            store.close().await;
        });
    }
}

/// Every acknowledged pair is there, no pair is half there, and the journal agrees.
async fn verify(store: &Store, acked: &[i64]) {
    for number in acked {
        let pair = [*number, *number + PARTNER];
        for number in pair {
            assert!(store.get(&CUSTOMER, 1, number).await.unwrap().is_some(), "{number} is lost");
        }
    }
    let highest = store.reserve("pair", 1).await.unwrap().start;
    let mut there = 0;
    for number in 1..=highest {
        let first = store.get(&CUSTOMER, 1, number).await.unwrap().is_some();
        let second = store.get(&CUSTOMER, 1, number + PARTNER).await.unwrap().is_some();
        assert_eq!(first, second, "half of {number} is there");
        there += 2 * i64::from(first);
    }
    assert_eq!(store.head(1).await.unwrap(), there);
    let report = store.check(&|_, _| None).await.unwrap();
    assert_eq!(report.findings, Vec::<String>::new());
    assert_eq!(report.entries, there as u64);
}

#[test]
#[ignore = "run by `a_full_disk_stops_writes_only` in a process of its own"]
fn child_meets_a_full_disk() {
    let Some(place) = place() else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = Store::open(&place, KINDS, Options::default()).await.unwrap();
        let mut last = 0;
        let error = loop {
            match write_pair(&store, 20_000).await {
                Ok(number) => {
                    last = number;
                    say(&format!("ack {number}"));
                }
                Err(error) => break error,
            }
        };
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
        // Reads go on, and writes go on being refused in the same words.
        assert!(store.get(&CUSTOMER, 1, last).await.unwrap().is_some());
        assert!(store.count(&CUSTOMER, &[1], &Predicate::All).await.unwrap() >= 2);
        let again = write_pair(&store, 2_000_000).await;
        assert!(matches!(again, Err(StoreError::Unavailable(_))), "{again:?}");
        say("full");
        std::io::stdin().read_line(&mut String::new()).unwrap();
        // There is room again: the same store goes on.
        store.ready().await.unwrap();
        say(&format!("ack {}", write_pair(&store, 20_000).await.unwrap()));
        store.close().await;
        say("done");
    });
}

#[test]
fn a_full_disk_stops_writes_only() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let stand = runtime.block_on(Stand::sqlite());
    // A limit on the size of files stands in for a disk: blocks of 512 bytes.
    let limits = "trap '' XFSZ; ulimit -S -f 3000;";
    let mut child = child("faults::child_meets_a_full_disk", &stand.file(), limits);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let before: Vec<String> = lines.by_ref().take_while(|line| line != "full").collect();
    let pid = child.id().to_string();
    let lifted = Command::new("prlimit").args(["--pid", &pid, "--fsize=unlimited"]).status();
    assert!(lifted.unwrap().success());
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    let after: Vec<String> = lines.collect();
    assert!(child.wait().unwrap().success());
    assert!(after.iter().any(|line| line == "done"), "{after:?}");
    let acked: Vec<i64> =
        before.iter().chain(&after).filter_map(|line| acknowledged(line)).collect();
    assert!(acked.len() > 10, "{acked:?}");
    runtime.block_on(async { verify(&stand.open().await, &acked).await });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_connections_are_replaced() {
    let stand = Stand::postgres().await;
    let store = stand.open().await;
    let Location::Postgres(url) = &stand.location else { unreachable!() };
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    for number in 1..=5 {
        postgres::execute(url, cut).await;
        add(&store, &[customer(1, number)]).await;
        postgres::execute(url, cut).await;
        assert!(store.get(&CUSTOMER, 1, number).await.unwrap().is_some());
    }
    // While connections are cut under it, every acknowledged write is there and none is doubled.
    let writers = together(4, |task| {
        let store = store.clone();
        async move {
            let mut acked = Vec::new();
            for at in 0..40 {
                let number = 100 + (task * 100 + at) as i64;
                match store.commit(batch(1, vec![insert(&customer(1, number))])).await {
                    Ok(_) => acked.push(number),
                    Err(StoreError::Unavailable(_)) => {}
                    Err(error) => panic!("{error:?}"),
                }
            }
            acked
        }
    });
    let cutter = async {
        for _ in 0..10 {
            postgres::execute(url, cut).await;
        }
    };
    let (acked, ()) = tokio::join!(writers, cutter);
    for number in acked.into_iter().flatten() {
        assert!(store.get(&CUSTOMER, 1, number).await.unwrap().is_some());
    }
    assert!(store.check(&|_, _| None).await.unwrap().is_clean());
}

/// Two stores on one place, as two processes have them.
async fn two_writers_share(stand: Stand) {
    let stores = [stand.open().await, stand.open().await];
    together(4, |task| {
        let store = stores[task % 2].clone();
        async move {
            for at in 0..25 {
                let number = store.reserve("customer", 1).await.unwrap().start;
                add(&store, &[customer(1, number).with("created", at)]).await;
            }
        }
    })
    .await;
    for store in &stores {
        assert_eq!(store.head(1).await.unwrap(), 100);
        assert_eq!(store.count(&CUSTOMER, &[1], &Predicate::All).await.unwrap(), 100);
        assert!(store.check(&|_, _| None).await.unwrap().is_clean());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_writers_share_a_file() {
    two_writers_share(Stand::sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_writers_share_a_database() {
    two_writers_share(Stand::postgres().await).await;
}

#[tokio::test]
async fn a_closed_store_refuses_writes_and_reads_on() {
    let stand = Stand::sqlite().await;
    let store = stand.open().await;
    add(&store, &[customer(1, 1)]).await;
    store.clone().close().await;
    let late = store.commit(batch(1, vec![insert(&customer(1, 2))])).await;
    assert!(matches!(late, Err(StoreError::Unavailable(_))), "{late:?}");
    assert!(store.get(&CUSTOMER, 1, 1).await.unwrap().is_some());
}

/// Files of a store that this process holds open.
fn open_files(file: &Path) -> Vec<std::path::PathBuf> {
    let handles = std::fs::read_dir("/proc/self/fd").unwrap();
    let targets = handles.filter_map(|handle| std::fs::read_link(handle.ok()?.path()).ok());
    let name = file.to_str().unwrap();
    targets.filter(|target| target.to_str().is_some_and(|t| t.starts_with(name))).collect()
}

/// A sandbox is set up under another name and then opened anew: a connection that outlives
/// `close` would make SQLite go on with the shared memory beside the old name, and other processes
/// with that beside the new one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_lets_go_of_the_file() {
    for round in 0..100 {
        let stand = Stand::sqlite().await;
        let store = stand.open().await;
        add(&store, &[customer(1, 1)]).await;
        assert!(!open_files(&stand.file()).is_empty());
        store.close().await;
        assert_eq!(open_files(&stand.file()), Vec::<std::path::PathBuf>::new(), "round {round}");
    }
}

#[tokio::test]
async fn a_full_queue_refuses() {
    let stand = Stand::sqlite().await;
    let options = Options { write_queue_max: 2, ..Options::default() };
    let store = Store::open(&stand.location, KINDS, options).await.unwrap();
    // Another process holds the lock, so the writer gets nowhere.
    let blocker = rusqlite::Connection::open(stand.file()).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    let commits: Vec<_> = (1..=80)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(
                async move { store.commit(batch(1, vec![insert(&customer(1, number))])).await },
            )
        })
        .collect();
    while store.statistics().queue_depth < 2 {
        tokio::task::yield_now().await;
    }
    let refused = store.commit(batch(1, vec![insert(&customer(1, 99))])).await;
    assert!(matches!(refused, Err(StoreError::Full)), "{refused:?}");
    blocker.execute_batch("COMMIT").unwrap();
    let mut written = 0;
    for commit in commits {
        match commit.await.unwrap() {
            Ok(_) => written += 1,
            Err(StoreError::Full) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!(store.head(1).await.unwrap(), written);
}
