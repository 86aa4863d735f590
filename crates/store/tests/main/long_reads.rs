//! Reads that look at much: their time is bounded, they end with those who wait for them, and one
//! owner's reads leave turns to others.

use std::sync::Arc;
use std::time::Duration;

use patron_store::{Field, Lane, Options, Predicate, Query, Statistics, Store, StoreError};
use regex::Regex;
use tokio::sync::Semaphore;

use crate::support::*;

/// Records of a tenant whose search takes many seconds, and the bytes of each.
const RECORDS: i64 = 200;
const BYTES: usize = 60_000;
/// Conditions of such a search.
const CONDITIONS: usize = 400;
/// When a condition that must come true is given up, in hundredths of a second.
const LOOKS_MAX: u32 = 6_000;

/// Declares one test per database for each scenario; the memory engine has no long reads.
macro_rules! on_every_database {
    ($($scenario:ident),* $(,)?) => {
        mod sqlite { use $crate::support::Stand; $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() { super::$scenario(Stand::sqlite().await).await }
        )* }
        mod postgres { use $crate::support::Stand; $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() { super::$scenario(Stand::postgres().await).await }
        )* }
    };
}

on_every_database!(
    a_read_beyond_its_time_is_given_up,
    a_read_nobody_waits_for_is_ended,
    one_owner_leaves_turns_to_others,
);

/// A store in which tenant 1 has large records and tenant 2 a small one.
async fn with_large_records(stand: &Stand, options: Options) -> Store {
    let store = Store::open(&stand.location, KINDS, options).await.unwrap();
    let doc = format!(r#"{{"fill":"{}"}}"#, "x".repeat(BYTES));
    for first in (1..=RECORDS).step_by(20) {
        let some: Vec<_> = (first..first + 20).map(|n| customer(1, n).doc(&doc)).collect();
        add(&store, &some).await;
    }
    add(&store, &[customer(2, RECORDS + 1)]).await;
    store
}

/// A condition that looks at every record for long; half of it in Rust.
fn expensive() -> Predicate {
    let any = (0..CONDITIONS).map(|n| {
        let field = Field::text(&["none", &n.to_string()]);
        match n % 2 {
            0 => Predicate::equal(field, "x"),
            _ => Predicate::Matches(field, Regex::new("x$").unwrap()),
        }
    });
    Predicate::Or(any.collect())
}

/// The same without a part for Rust.
fn expensive_in_the_database() -> Predicate {
    let any =
        (0..CONDITIONS).map(|n| Predicate::equal(Field::text(&["none", &n.to_string()]), "x"));
    Predicate::Or(any.collect())
}

fn search(predicate: Predicate) -> Query {
    Query { predicate, ..Query::of(1) }
}

async fn until(store: &Store, what: &str, holds: impl Fn(&Statistics) -> bool) {
    for _ in 0..LOOKS_MAX {
        if holds(&store.statistics()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what}: {:?}", store.statistics());
}

async fn a_read_beyond_its_time_is_given_up(stand: Stand) {
    let options = Options { query_ms_max: 100, ..Options::default() };
    let store = with_large_records(&stand, options).await;
    for (n, predicate) in [expensive(), expensive_in_the_database()].into_iter().enumerate() {
        let found = store.find(&CUSTOMER, &search(predicate.clone())).await;
        assert!(matches!(found, Err(StoreError::GivenUp)), "{found:?}");
        let counted = store.count(&CUSTOMER, &[1], &predicate).await;
        assert!(matches!(counted, Err(StoreError::GivenUp)), "{counted:?}");
        let given_up = 2 * (n as u64 + 1);
        until(&store, "given up and ended", |s| {
            s.long_reads_given_up == given_up && s.long_reads == 0
        })
        .await;
    }
    // What is small is read as ever.
    let found = store.find(&CUSTOMER, &Query::of(2)).await.unwrap();
    assert_eq!(found.rows.len(), 1);
}

async fn a_read_nobody_waits_for_is_ended(stand: Stand) {
    let options = Options { query_ms_max: 3_600_000, ..Options::default() };
    let store = with_large_records(&stand, options).await;
    let mut given_up = 0;
    for predicate in [expensive(), expensive_in_the_database()] {
        for counts in [false, true] {
            let (asked, query) = (store.clone(), search(predicate.clone()));
            let reading = tokio::spawn(async move {
                match counts {
                    true => asked.count(&CUSTOMER, &[1], &query.predicate).await.map(|_| ()),
                    false => asked.find(&CUSTOMER, &query).await.map(|_| ()),
                }
            });
            until(&store, "running", |s| s.long_reads == 1).await;
            reading.abort();
            given_up += 1;
            until(&store, "ended", |s| s.long_reads_given_up == given_up && s.long_reads == 0)
                .await;
        }
    }
    let found = store.find(&CUSTOMER, &Query::of(2)).await.unwrap();
    assert_eq!(found.rows.len(), 1);
}

async fn one_owner_leaves_turns_to_others(stand: Stand) {
    let options = Options { query_ms_max: 3_600_000, ..Options::default() };
    let store = with_large_records(&stand, options).await;
    let turns = store.long_reads_max();
    assert!(turns >= 4, "{turns}");
    let group = Arc::new(Semaphore::new(turns));
    let greedy = Arc::new(Lane::new(2, Arc::clone(&group)));
    let modest = Arc::new(Lane::new(2, group));
    let reads: Vec<_> = (0..turns * 2)
        .map(|_| {
            let (store, lane) = (store.clone(), Arc::clone(&greedy));
            let read = async move { store.find(&CUSTOMER, &search(expensive())).await.map(|_| ()) };
            tokio::spawn(lane.within(read))
        })
        .collect();
    until(&store, "two of them running", |s| s.long_reads == 2).await;
    let asked = store.clone();
    let count = modest.within(async move { asked.count(&CUSTOMER, &[2], &Predicate::All).await });
    assert_eq!(count.await.unwrap(), 1);
    assert_eq!(store.statistics().long_reads, 2, "the others still wait for the first two");
    for read in &reads {
        read.abort();
    }
    until(&store, "all ended", |s| s.long_reads == 0 && s.long_reads_given_up >= 2).await;
}
