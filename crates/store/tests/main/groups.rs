//! Batches that share a transaction: each has its own verdict, whatever happens to its neighbours.

use patron_store::{Batch, Predicate, Store, StoreError};

use crate::on_every_engine;
use crate::support::*;

on_every_engine!(
    refusals_leave_neighbours_alone,
    one_of_many_builds_on_a_state,
    positions_follow_tenants,
    waiting_batches_are_written_before_the_end,
);

/// Records that are there before.
const HELD: i64 = 40;

async fn held(store: &Store) {
    for number in 1..=HELD {
        add(store, &[customer(1, number).with("rank", number).terms(&["held"])]).await;
    }
}

/// What a batch of the mix shall meet with.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Written,
    Conflict,
    Unique,
    Tried,
}

/// A batch and its fate: writes of several statements, half of them refused at the last one. None
/// depends on another, so their order does not matter.
fn mixed(at: i64) -> (Batch, Fate) {
    let number = 1_000 + at;
    let new = customer(1, number).with("name", "n").terms(&["a", "b"]);
    let old = customer(1, at % HELD + 1).with("rank", at % HELD + 1).terms(&["held"]);
    let behind = customer(1, old.number).next();
    match at % 8 {
        0 => {
            (batch(1, vec![insert(&new), replace(&behind, &behind.clone().next())]), Fate::Conflict)
        }
        1 => (
            batch(1, vec![insert(&new), insert(&customer(1, number + 500).with("rank", 2))]),
            Fate::Unique,
        ),
        2 => (batch(1, vec![replace(&behind, &behind.clone().next())]), Fate::Conflict),
        3 => (Batch { dry_run: true, ..batch(1, vec![insert(&new)]) }, Fate::Tried),
        4 => (batch(1, vec![insert(&new), remove(&behind)]), Fate::Conflict),
        _ => (batch(1, vec![insert(&new), assert_revision(&old)]), Fate::Written),
    }
}

async fn refusals_leave_neighbours_alone(stand: Stand) {
    let store = stand.open().await;
    held(&store).await;
    let (batches, fates): (Vec<Batch>, Vec<Fate>) = (0..300).map(mixed).unzip();
    let sent = batches.clone();
    let verdicts = store.commit_many(batches).await;
    let mut written = HELD;
    for (at, (verdict, fate)) in verdicts.iter().zip(&fates).enumerate() {
        let met = match verdict {
            Ok(committed) if committed.last_seq == 0 => Fate::Tried,
            Ok(_) => Fate::Written,
            Err(StoreError::Conflict { .. }) => Fate::Conflict,
            Err(StoreError::Unique { column: "rank", .. }) => Fate::Unique,
            Err(error) => panic!("{at}: {error:?}"),
        };
        assert_eq!(met, *fate, "{at}");
        let there = store.get(&CUSTOMER, 1, 1_000 + at as i64).await.unwrap();
        assert_eq!(there.is_some(), *fate == Fate::Written, "{at}");
        let entries = sent[at].entries.len() as i64;
        if let Ok(committed) = verdict
            && *fate == Fate::Written
        {
            assert_eq!(committed.last_seq - committed.first_seq + 1, entries);
            let entry = store.entry(1, committed.first_seq).await.unwrap().unwrap();
            assert_eq!(entry.number, 1_000 + at as i64, "the position of another batch");
            written += entries;
        }
    }
    assert_eq!(store.head(1).await.unwrap(), written);
    assert_eq!(store.count(&CUSTOMER, &[1], &Predicate::All).await.unwrap(), written as u64);
    assert!(store.check(&|_, _| None).await.unwrap().is_clean());
    if store.engine().name != "memory" {
        assert!(store.statistics().group_largest > 1, "nothing was written together");
    }
}

async fn one_of_many_builds_on_a_state(stand: Stand) {
    let store = stand.open().await;
    let one = customer(1, 1);
    add(&store, std::slice::from_ref(&one)).await;
    // Some with one statement, some with several.
    let change = |at: i64| {
        let mut writes = vec![replace(&one, &one.clone().next().doc(&at.to_string()))];
        if at % 2 == 0 {
            writes.push(insert(&customer(1, 100 + at)));
        }
        batch(1, writes)
    };
    let verdicts = store.commit_many((0..60).map(change).collect()).await;
    let winners: Vec<usize> = (0..60).filter(|at| verdicts[*at].is_ok()).collect();
    let [winner] = winners[..] else { panic!("{winners:?} have won") };
    let shown = store.get(&CUSTOMER, 1, 1).await.unwrap().unwrap();
    assert_eq!((shown.revision, shown.doc), (2, winner.to_string().into()));
    let written = 2 + i64::from(winner % 2 == 0);
    assert_eq!(store.head(1).await.unwrap(), written);
}

async fn positions_follow_tenants(stand: Stand) {
    let store = stand.open().await;
    let batches: Vec<Batch> = (0..120)
        .map(|at| {
            batch(
                at % 7,
                vec![insert(&customer(at % 7, 1_000 - at)), insert(&customer(at % 7, 2_000 + at))],
            )
        })
        .collect();
    let sent = batches.clone();
    for (batch, verdict) in sent.iter().zip(store.commit_many(batches).await) {
        let committed = verdict.unwrap();
        assert_eq!(committed.last_seq, committed.first_seq + 1);
        let entry = store.entry(batch.tenant, committed.last_seq).await.unwrap().unwrap();
        assert_eq!(entry.number, batch.entries[1].number);
    }
    assert!(store.check(&|_, _| None).await.unwrap().is_clean());
}

async fn waiting_batches_are_written_before_the_end(stand: Stand) {
    let store = stand.open().await;
    let batches = (1..=100).map(|number| batch(1, vec![insert(&customer(1, number))])).collect();
    let writer = tokio::spawn({
        let store = store.clone();
        async move { store.commit_many(batches).await }
    });
    while store.head(1).await.unwrap() == 0 {
        tokio::task::yield_now().await;
    }
    store.close().await;
    let written = writer.await.unwrap().iter().filter(|verdict| verdict.is_ok()).count();
    let store = stand.open().await;
    assert!(written > 0);
    if store.engine().name != "memory" {
        assert_eq!(store.head(1).await.unwrap(), written as i64);
    }
}

/// What PostgreSQL alone refuses, and only at the journal, is the fault of one batch.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_foresaw_is_refused_alone() {
    let stand = Stand::postgres().await;
    let store = stand.open().await;
    let new = |number| batch(1, vec![insert(&customer(1, number))]);
    let mut batches: Vec<Batch> = (1..=50).map(new).collect();
    batches[20].entries[0].actor = "nobody\0".to_owned();
    let verdicts = store.commit_many(batches).await;
    for (at, verdict) in verdicts.iter().enumerate() {
        match verdict {
            Err(StoreError::Engine(_)) if at == 20 => {}
            Ok(_) if at != 20 => {}
            other => panic!("{at}: {other:?}"),
        }
    }
    assert_eq!(store.head(1).await.unwrap(), 49);
    assert!(store.get(&CUSTOMER, 1, 21).await.unwrap().is_none());
    assert!(store.check(&|_, _| None).await.unwrap().is_clean());
}
