//! What every engine promises about reading and writing single records, batches and the journal.

use std::collections::BTreeSet;

use patron_store::{
    Batch, Committed, NewEntry, Predicate, Query, RELATED_MAX, Record, Row, Store, StoreError,
    Write,
};

use crate::on_every_engine;
use crate::support::*;

on_every_engine!(
    reads_what_was_written,
    unique_values,
    conflicts,
    batches_are_whole,
    dry_runs_leave_nothing,
    journal_without_gaps_under_load,
    journal_lookups,
    journal_subjects,
    related_records_are_bounded,
    answers,
    terms_follow_the_record,
    what_is_derived_is_written_anew,
    reserves_disjoint_blocks,
    many_batches_at_once,
    refuses_what_cannot_be_kept,
    watchers_wake_up,
    names_its_engine,
);

fn row(record: &patron_store::Record) -> Row {
    let patron_store::Record { tenant, number, uuid, revision, ref doc, .. } = *record;
    Row { tenant, number, uuid, revision, doc: doc.clone() }
}

async fn reads_what_was_written(stand: Stand) {
    let store = stand.open().await;
    let doc = "{\"k\\\"ey\": \"ü 😀 ' \\\\ \", \"n\" : 1e2}";
    let ada = customer(1, 7).with("email", "ada@x").with("handle", "ada").doc(doc);
    add(&store, &[ada.clone(), customer(2, 8).with("email", "ada@x")]).await;
    assert_eq!(store.get(&CUSTOMER, 1, 7).await.unwrap(), Some(row(&ada)));
    assert_eq!(store.get(&CUSTOMER, 2, 7).await.unwrap(), None);
    assert_eq!(store.get_anywhere(&CUSTOMER, 7).await.unwrap(), Some(row(&ada)));
    assert_eq!(store.get_anywhere(&CUSTOMER, 9).await.unwrap(), None);
    assert_eq!(store.get_by_uuid(&CUSTOMER, 1, uuid(7)).await.unwrap(), Some(row(&ada)));
    assert_eq!(store.get_by_uuid(&CUSTOMER, 2, uuid(7)).await.unwrap(), None);
    assert_eq!(store.get_by(&CUSTOMER, 1, "email", "ada@x").await.unwrap(), Some(row(&ada)));
    assert_eq!(store.get_by(&CUSTOMER, 2, "email", "ada@x").await.unwrap().unwrap().number, 8);
    assert_eq!(store.get_by(&CUSTOMER, 1, "email", "ADA@x").await.unwrap(), None);
    assert_eq!(store.get_by(&CUSTOMER, 1, "email", "a\0").await.unwrap(), None);
    assert_eq!(store.get_by(&CUSTOMER, 99, "handle", "ada").await.unwrap(), Some(row(&ada)));
    assert!(store.get_by(&CUSTOMER, 1, "name", "ada").await.is_err());
    let grown = ada.clone().next().with("email", None::<i64>).doc("{}");
    store.commit(batch(1, vec![replace(&ada, &grown)])).await.unwrap();
    assert_eq!(store.get(&CUSTOMER, 1, 7).await.unwrap(), Some(row(&grown)));
    assert_eq!(store.get_by(&CUSTOMER, 1, "email", "ada@x").await.unwrap(), None);
    store.commit(batch(1, vec![remove(&grown)])).await.unwrap();
    assert_eq!(store.get(&CUSTOMER, 1, 7).await.unwrap(), None);
    store.ready().await.unwrap();
    store.close().await;
}

fn unique(outcome: Result<Committed, StoreError>) -> &'static str {
    match outcome {
        Err(StoreError::Unique { kind: "customer", column }) => column,
        other => panic!("{other:?}"),
    }
}

async fn unique_values(stand: Stand) {
    let store = stand.open().await;
    let ada = customer(1, 1).with("email", "a").with("handle", "h").with("rank", 1);
    let bob = customer(1, 2);
    add(&store, &[ada.clone(), bob.clone(), customer(1, 3)]).await;
    let add_one =
        |record: patron_store::Record| store.commit(batch(record.tenant, vec![insert(&record)]));
    assert_eq!(unique(add_one(customer(1, 4).with("email", "a")).await), "email");
    assert_eq!(unique(add_one(customer(1, 4).with("rank", 1)).await), "rank");
    assert_eq!(unique(add_one(customer(2, 4).with("handle", "h")).await), "handle");
    assert_eq!(unique(add_one(customer(2, 1)).await), "number");
    let mut twin = customer(2, 4);
    twin.uuid = uuid(1);
    assert_eq!(unique(add_one(twin).await), "uuid");
    add_one(customer(2, 5).with("email", "a").with("rank", 1)).await.unwrap();
    let wants = bob.clone().next().with("email", "a");
    let taken = store.commit(batch(1, vec![replace(&bob, &wants)])).await;
    assert_eq!(unique(taken), "email");
    // Freed by setting it to nothing, also within one batch.
    let freed = ada.clone().next().with("email", None::<i64>);
    store.commit(batch(1, vec![replace(&ada, &freed), replace(&bob, &wants)])).await.unwrap();
    assert_eq!(store.get_by(&CUSTOMER, 1, "email", "a").await.unwrap().unwrap().number, 2);
    // Writing the same value again is no violation.
    let same = wants.clone().next();
    store.commit(batch(1, vec![replace(&wants, &same)])).await.unwrap();
    // Freed by removal.
    store.commit(batch(1, vec![remove(&freed)])).await.unwrap();
    add_one(customer(3, 6).with("handle", "h")).await.unwrap();
}

fn conflict(outcome: Result<Committed, StoreError>) -> i64 {
    match outcome {
        Err(StoreError::Conflict { kind: "customer", number }) => number,
        other => panic!("{other:?}"),
    }
}

async fn conflicts(stand: Stand) {
    let store = stand.open().await;
    let (one, two) = (customer(1, 1), customer(1, 2));
    add(&store, &[one.clone(), two.clone()]).await;
    let newer = one.clone().next();
    store.commit(batch(1, vec![replace(&one, &newer)])).await.unwrap();
    assert_eq!(conflict(store.commit(batch(1, vec![replace(&one, &newer)])).await), 1);
    assert_eq!(conflict(store.commit(batch(1, vec![remove(&one)])).await), 1);
    assert_eq!(conflict(store.commit(batch(1, vec![assert_revision(&one)])).await), 1);
    assert_eq!(conflict(store.commit(batch(1, vec![assert_revision(&customer(1, 9))])).await), 9);
    let mut stranger = two.clone().next();
    stranger.tenant = 2;
    assert_eq!(conflict(store.commit(batch(1, vec![replace(&two, &stranger)])).await), 2);
    store.commit(batch(1, vec![assert_revision(&newer)])).await.unwrap();
    // Of many that build on the same state, one wins.
    let outcomes = together(16, |_| {
        let (store, two) = (store.clone(), two.clone());
        async move { store.commit(batch(1, vec![replace(&two, &two.clone().next())])).await.is_ok() }
    })
    .await;
    assert_eq!(outcomes.iter().filter(|won| **won).count(), 1);
    assert_eq!(store.head(1).await.unwrap(), 4);
}

async fn batches_are_whole(stand: Stand) {
    let store = stand.open().await;
    let one = customer(1, 1).with("email", "a").terms(&["x"]);
    add(&store, std::slice::from_ref(&one)).await;
    let newer = one.clone().next().with("email", "b").terms(&["y"]);
    let mut refused = batch(
        1,
        vec![replace(&one, &newer), insert(&customer(1, 2)), assert_revision(&customer(1, 77))],
    );
    refused.answer = Some(answer("k", 10));
    assert_eq!(conflict(store.commit(refused).await), 77);
    assert_eq!(store.get(&CUSTOMER, 1, 1).await.unwrap(), Some(row(&one)));
    assert_eq!(store.get_by(&CUSTOMER, 1, "email", "b").await.unwrap(), None);
    assert_eq!(store.get(&CUSTOMER, 1, 2).await.unwrap(), None);
    assert_eq!(store.answer(1, "k").await.unwrap(), None);
    assert_eq!(store.head(1).await.unwrap(), 1);
    assert_eq!(store.scan_terms(&CUSTOMER, 1, "y", None, 9).await.unwrap(), vec![]);
    // One record several times in one batch.
    let (two, three) = (customer(1, 2), customer(1, 2).next());
    let committed = store
        .commit(batch(1, vec![insert(&two), replace(&two, &three), remove(&three), insert(&two)]))
        .await
        .unwrap();
    assert_eq!(committed, Committed { first_seq: 2, last_seq: 4 });
    assert_eq!(store.get(&CUSTOMER, 1, 2).await.unwrap(), Some(row(&two)));
    assert_eq!(store.commit(Batch::default()).await.unwrap(), Committed::default());
}

async fn dry_runs_leave_nothing(stand: Stand) {
    let store = stand.open().await;
    let one = customer(1, 1).terms(&["x"]);
    let mut trial = batch(1, vec![insert(&one)]);
    trial.answer = Some(answer("k", 10));
    trial.dry_run = true;
    assert_eq!(store.commit(trial.clone()).await.unwrap(), Committed::default());
    assert_eq!(store.get(&CUSTOMER, 1, 1).await.unwrap(), None);
    assert_eq!(store.answer(1, "k").await.unwrap(), None);
    assert_eq!(store.head(1).await.unwrap(), 0);
    add(&store, &[one]).await;
    assert_eq!(unique(store.commit(trial).await), "number");
}

async fn journal_without_gaps_under_load(stand: Stand) {
    let store = stand.open().await;
    let per_task = 20;
    let committed = together(8, |task| {
        let store = store.clone();
        async move {
            let mut seqs = Vec::new();
            for at in 0..per_task {
                let number = (task * 1000 + at) as i64 + 1;
                let tenant = 1 + number % 2;
                // Every third is refused after it has written something.
                let mut writes = vec![insert(&customer(tenant, number))];
                if at % 3 == 0 {
                    writes.push(assert_revision(&customer(tenant, 999_999)));
                }
                if let Ok(committed) = store.commit(batch(tenant, writes)).await {
                    assert_eq!(committed.first_seq, committed.last_seq);
                    seqs.push((tenant, committed.last_seq));
                }
            }
            seqs
        }
    })
    .await;
    let acknowledged: BTreeSet<(i64, i64)> = committed.into_iter().flatten().collect();
    for tenant in [1, 2] {
        let entries = store.entries(tenant, 0, 10_000).await.unwrap();
        let seqs: Vec<i64> = entries.iter().map(|entry| entry.seq).collect();
        assert_eq!(seqs, (1..=entries.len() as i64).collect::<Vec<_>>());
        assert_eq!(store.head(tenant).await.unwrap(), entries.len() as i64);
        assert!(seqs.iter().all(|seq| acknowledged.contains(&(tenant, *seq))));
    }
    assert!(store.check(&|_, _| None).await.unwrap().is_clean());
}

async fn journal_lookups(stand: Stand) {
    let store = stand.open().await;
    let mut record = customer(1, 1);
    add(&store, &[record.clone(), customer(1, 2), customer(2, 3)]).await;
    for _ in 0..4 {
        let next = record.clone().next();
        store.commit(batch(1, vec![replace(&record, &next)])).await.unwrap();
        record = next;
    }
    let seqs =
        |entries: Vec<patron_store::Entry>| entries.iter().map(|e| e.seq).collect::<Vec<_>>();
    assert_eq!(seqs(store.entries(1, 2, 3).await.unwrap()), [3, 4, 5]);
    assert_eq!(seqs(store.entries(1, 6, 3).await.unwrap()), [0i64; 0]);
    assert_eq!(seqs(store.history(1, 1, None, 3).await.unwrap()), [6, 5, 4]);
    assert_eq!(seqs(store.history(1, 1, Some(4), 300).await.unwrap()), [3, 1]);
    assert_eq!(seqs(store.history(2, 1, None, 3).await.unwrap()), [0i64; 0]);
    let entry = store.entry(1, 2).await.unwrap().unwrap();
    assert_eq!(
        (entry.number, entry.kind.as_str(), entry.action.as_str()),
        (2, "customer", "created")
    );
    assert_eq!(entry.doc, r#"{"number":2}"#);
    assert_eq!(store.entry(1, 7).await.unwrap(), None);
    assert_eq!(store.entry(1, 0).await.unwrap(), None);
    let at = store.entry_at_revision(1, "customer", 1, 3).await.unwrap().unwrap();
    assert_eq!((at.seq, at.revision), (4, 3));
    assert_eq!(store.entry_at_revision(1, "comment", 1, 3).await.unwrap(), None);
    assert_eq!(store.entry_at_revision(2, "customer", 1, 3).await.unwrap(), None);
    let at = store.entry_at_time(1, "customer", 1, 2_999).await.unwrap().unwrap();
    assert_eq!(at.revision, 2);
    assert_eq!(store.entry_at_time(1, "customer", 1, 999).await.unwrap(), None);
}

/// Customer 1 takes customer 2 over, whose comment 9 goes along.
async fn journal_subjects(stand: Stand) {
    let store = stand.open().await;
    let (one, two, other) = (customer(1, 1), customer(1, 2), customer(2, 3));
    add(&store, &[one.clone(), two.clone(), other.clone()]).await;
    let comment = |revision, subject, related: &[i64]| NewEntry {
        kind: "comment",
        number: 9,
        subject,
        related: related.to_vec(),
        revision,
        ..entry(&one, "said")
    };
    let append = async |tenant, entries: Vec<NewEntry>| {
        store.commit(Batch { tenant, entries, ..Batch::default() }).await.unwrap();
    };
    append(1, vec![comment(1, 2, &[])]).await;
    // Named twice, by itself and by its subject: it is found once all the same.
    append(2, vec![NewEntry { related: vec![3, 3], ..entry(&other, "updated") }]).await;
    let absorbed = NewEntry { related: vec![1], revision: 2, ..entry(&two, "absorbed") };
    let merged = NewEntry { related: vec![2], revision: 2, ..entry(&one, "merged") };
    append(1, vec![absorbed, merged, comment(2, 1, &[2, 9, 2])]).await;
    append(1, vec![NewEntry { revision: 3, ..entry(&one, "updated") }]).await;
    let told = async |tenant, number, before, limit| {
        let entries = store.history(tenant, number, before, limit).await.unwrap();
        entries.iter().map(|e| (e.seq, e.number)).collect::<Vec<_>>()
    };
    assert_eq!(told(1, 1, None, 99).await, [(7, 1), (6, 9), (5, 1), (4, 2), (1, 1)]);
    assert_eq!(told(1, 2, None, 99).await, [(6, 9), (5, 1), (4, 2), (3, 9), (2, 2)]);
    assert_eq!(told(1, 9, None, 99).await, [(6, 9), (3, 9)]);
    assert_eq!(told(2, 3, None, 99).await, [(2, 3), (1, 3)]);
    // Page by page, with both sorts of entries on either side of the cut.
    assert_eq!(told(1, 2, None, 2).await, [(6, 9), (5, 1)]);
    assert_eq!(told(1, 2, Some(5), 2).await, [(4, 2), (3, 9)]);
    assert_eq!(told(1, 2, Some(3), 2).await, [(2, 2)]);
    // Another tenant has no part in it.
    assert_eq!(told(2, 1, None, 99).await, []);
    assert_eq!(told(2, 9, None, 99).await, []);
    let last = store.entry(1, 6).await.unwrap().unwrap();
    assert_eq!((last.subject, last.related.as_slice()), (1, &[2, 9, 2][..]));
    for (revision, seq) in [(1, 3), (2, 6)] {
        let found = store.entry_at_revision(1, "comment", 9, revision).await.unwrap();
        assert_eq!(found.unwrap().seq, seq, "whatever it hung on then");
    }
    let found = store.entry_at_time(1, "comment", 9, i64::MAX).await.unwrap().unwrap();
    assert_eq!(found.seq, 6);
    assert_eq!(store.entry_at_revision(1, "customer", 9, 1).await.unwrap(), None);
    // Nobody's past is that of what names him.
    assert_eq!(store.entry_at_revision(1, "customer", 2, 2).await.unwrap().unwrap().seq, 4);
    assert_eq!(store.check(&|_, _| None).await.unwrap().findings.len(), 2, "1 and 2 lag");
}

async fn related_records_are_bounded(stand: Stand) {
    let store = stand.open().await;
    let most = i64::try_from(RELATED_MAX).unwrap();
    for (related, fits) in [(2..=most + 1, true), (2..=most + 2, false)] {
        let entries = vec![NewEntry { related: related.collect(), ..entry(&customer(1, 1), "x") }];
        let written = store.commit(Batch { tenant: 1, entries, ..Batch::default() }).await;
        assert_eq!(written.is_ok(), fits, "{written:?}");
    }
    assert_eq!(store.history(1, most + 1, None, 9).await.unwrap().len(), 1);
    assert_eq!(store.history(1, most + 2, None, 9).await.unwrap().len(), 0);
    let entry = store.entry(1, 1).await.unwrap().unwrap();
    assert_eq!(entry.related.len(), RELATED_MAX);
}

async fn answers(stand: Stand) {
    let store = stand.open().await;
    let with = |tenant: i64, number: i64, at: i64, since: i64| Batch {
        answer: Some(answer("k", at)),
        answer_since: since,
        ..batch(tenant, vec![insert(&customer(tenant, number))])
    };
    store.commit(with(1, 1, 100, 0)).await.unwrap();
    assert_eq!(store.answer(1, "k").await.unwrap(), Some(answer("k", 100)));
    assert_eq!(store.answer(2, "k").await.unwrap(), None);
    let again = store.commit(with(1, 2, 150, 100)).await;
    assert!(matches!(again, Err(StoreError::Answered)), "{again:?}");
    // The answer is looked at before anything else is.
    let again = store.commit(with(1, 1, 150, 100)).await;
    assert!(matches!(again, Err(StoreError::Answered)), "{again:?}");
    assert_eq!(store.get(&CUSTOMER, 1, 2).await.unwrap(), None);
    store.commit(with(2, 3, 150, 100)).await.unwrap();
    // Old enough to be forgotten.
    store.commit(with(1, 2, 200, 101)).await.unwrap();
    assert_eq!(store.answer(1, "k").await.unwrap().unwrap().at, 200);
    assert_eq!(store.forget_answers(151).await.unwrap(), 1);
    assert_eq!(store.answer(2, "k").await.unwrap(), None);
    assert!(store.answer(1, "k").await.unwrap().is_some());
    // At once, one wins.
    let won = together(12, |at| {
        let store = store.clone();
        let batch = Batch {
            answer: Some(answer("race", 5)),
            ..batch(1, vec![insert(&customer(1, 100 + at as i64))])
        };
        async move { store.commit(batch).await.is_ok() }
    })
    .await;
    assert_eq!(won.iter().filter(|won| **won).count(), 1);
}

async fn scan(
    store: &Store,
    prefix: &str,
    after: Option<(&str, i64)>,
    limit: u32,
) -> Vec<(String, i64)> {
    let found = store.scan_terms(&CUSTOMER, 1, prefix, after, limit).await.unwrap();
    found.into_iter().map(|(term, row)| (term, row.number)).collect()
}

fn pairs(pairs: &[(&str, i64)]) -> Vec<(String, i64)> {
    pairs.iter().map(|(term, number)| ((*term).to_owned(), *number)).collect()
}

async fn terms_follow_the_record(stand: Stand) {
    let store = stand.open().await;
    let one = customer(1, 1).terms(&["ab", "abc", "b%", "ü"]);
    let two = customer(1, 2).terms(&["ab", "ac", "a\u{d7ff}", "a\u{10ffff}b"]);
    add(&store, &[one.clone(), two.clone(), customer(2, 3).terms(&["ab"])]).await;
    assert_eq!(scan(&store, "ab", None, 9).await, pairs(&[("ab", 1), ("ab", 2)]));
    assert_eq!(scan(&store, "ab", Some(("ab", 1)), 9).await, pairs(&[("ab", 2)]));
    assert_eq!(scan(&store, "ab", Some(("ab", 2)), 1).await, pairs(&[]));
    assert_eq!(scan(&store, "a", Some(("ab", 1)), 9).await, pairs(&[("ab", 2)]));
    assert_eq!(scan(&store, "abc", None, 9).await, pairs(&[("abc", 1)]));
    assert_eq!(scan(&store, "b", Some(("a", 9)), 9).await, pairs(&[("b%", 1)]));
    assert_eq!(scan(&store, "b_", None, 9).await, pairs(&[]));
    assert_eq!(scan(&store, "a\u{d7ff}", None, 9).await, pairs(&[("a\u{d7ff}", 2)]));
    assert_eq!(scan(&store, "a\u{10ffff}", None, 9).await, pairs(&[("a\u{10ffff}b", 2)]));
    assert_eq!(scan(&store, "", None, 900).await, pairs(&[("ab", 1), ("ab", 2)]));
    let newer = one.clone().next().terms(&["abc", "zz"]);
    store.commit(batch(1, vec![replace(&one, &newer)])).await.unwrap();
    assert_eq!(scan(&store, "ab", None, 9).await, pairs(&[("ab", 2), ("abc", 1)]));
    assert_eq!(scan(&store, "z", None, 9).await, pairs(&[("zz", 1)]));
    let found = store
        .find(&CUSTOMER, &Query { predicate: Predicate::HasTerm("abc".into()), ..Query::of(1) })
        .await
        .unwrap();
    assert_eq!(found.rows, vec![row(&newer)]);
    store.commit(batch(1, vec![remove(&newer)])).await.unwrap();
    assert_eq!(scan(&store, "z", None, 9).await, pairs(&[]));
    assert!(store.scan_terms(&COMMENT, 1, "", None, 9).await.is_err());
}

async fn what_is_derived_is_written_anew(stand: Stand) {
    let store = stand.open().await;
    let one = customer(1, 1).with("email", "a").terms(&["ab", "b"]);
    let two = customer(2, 2).terms(&["ab"]);
    add(&store, &[one.clone(), two.clone(), customer(2, 5)]).await;
    let derived = one.clone().with("name", "n").doc("{\"a\":1}").terms(&["b", "c"]);
    let head = store.head(1).await.unwrap();
    let write = |record: &Record| Write::Derive { kind: &CUSTOMER, record: record.clone() };
    store.commit(batch(1, vec![write(&derived)])).await.unwrap();
    assert_eq!(store.get(&CUSTOMER, 1, 1).await.unwrap(), Some(row(&derived)));
    assert_eq!(store.head(1).await.unwrap(), head, "no journal entry");
    let after = store.records_after(&CUSTOMER, 0, 2).await.unwrap();
    assert_eq!(format!("{after:?}"), format!("{:?}", [&derived, &two]));
    let numbers = async |after, limit| {
        let records = store.records_after(&CUSTOMER, after, limit).await.unwrap();
        records.into_iter().map(|record| record.number).collect::<Vec<_>>()
    };
    assert_eq!((numbers(2, 9).await, numbers(5, 9).await), (vec![5], vec![]));
    // Together with a change that builds on it, whatever was there.
    let newer = derived.clone().next().with("name", "m").terms(&["c"]);
    let both = vec![write(&derived), replace(&derived, &newer)];
    store.commit(batch(1, both)).await.unwrap();
    assert_eq!(scan(&store, "", None, 9).await, pairs(&[("c", 1)]));
    assert_eq!(
        format!("{:?}", store.records_after(&CUSTOMER, 0, 1).await),
        format!("{:?}", Ok::<_, StoreError>([&newer]))
    );
    for stale in [derived, newer.next(), customer(2, 1)] {
        let refused = store.commit(batch(stale.tenant, vec![write(&stale)])).await;
        assert!(matches!(refused, Err(StoreError::Conflict { number: 1, .. })), "{refused:?}");
    }
    assert_eq!(scan(&store, "", None, 9).await, pairs(&[("c", 1)]));
}

async fn reserves_disjoint_blocks(stand: Stand) {
    let store = stand.open().await;
    assert_eq!(store.reserve("customer", 5).await.unwrap(), 1..6);
    assert_eq!(store.reserve("customer", 1).await.unwrap(), 6..7);
    assert_eq!(store.reserve("other", 1).await.unwrap(), 1..2);
    assert!(store.reserve("customer", 0).await.is_err());
    let blocks = together(8, |_| {
        let store = store.clone();
        async move { store.reserve("customer", 10).await.unwrap() }
    })
    .await;
    let given: BTreeSet<i64> = blocks.into_iter().flatten().collect();
    assert_eq!(given, (7..87).collect());
}

async fn many_batches_at_once(stand: Stand) {
    let store = stand.open().await;
    let mut batches: Vec<Batch> =
        (1..=200).map(|n| batch(1, vec![insert(&customer(1, n).with("rank", n % 150))])).collect();
    // These two are the only ones with their ranks: nobody else can be the cause of a refusal.
    batches[60].writes.push(assert_revision(&customer(1, 12345)));
    let Write::Insert { record, .. } = &mut batches[61].writes[0] else { unreachable!() };
    record.columns.clear();
    let verdicts = store.commit_many(batches).await;
    assert_eq!(verdicts.len(), 200);
    assert!(matches!(verdicts[60], Err(StoreError::Conflict { number: 12345, .. })));
    assert!(matches!(verdicts[61], Err(StoreError::Engine(_))));
    let good = verdicts.iter().filter(|verdict| verdict.is_ok()).count() as i64;
    // 50 ranks come twice, and two batches are spoiled.
    assert_eq!(good, 148);
    assert_eq!(store.count(&CUSTOMER, &[1], &Predicate::All).await.unwrap(), good as u64);
    assert_eq!(store.head(1).await.unwrap(), good);
    let statistics = store.statistics();
    assert_eq!(statistics.batches_committed, good as u64);
    assert_eq!(statistics.entries_committed, good as u64);
}

async fn refuses_what_cannot_be_kept(stand: Stand) {
    let store = stand.open().await;
    let bad = [
        customer(1, 1).with("email", 5),
        customer(1, 1).with("created", "x"),
        customer(1, 1).with("note", "a\0b"),
        customer(1, 1).terms(&["a\0b"]),
        customer(1, 1).doc(r#"{"a":"\u0000"}"#),
    ];
    for record in bad {
        let outcome = store.commit(batch(1, vec![insert(&record)])).await;
        assert!(matches!(outcome, Err(StoreError::Engine(_))), "{record:?}: {outcome:?}");
    }
    add(&store, &[customer(1, 1).doc(r#"{"a":"\\u0000"}"#)]).await;
}

async fn watchers_wake_up(stand: Stand) {
    let store = stand.open().await;
    let mut watch = store.watch(1);
    store.commit(batch(1, vec![])).await.unwrap();
    assert!(!watch.has_changed().unwrap());
    let neighbour = store.watch(2);
    add(&store, &[customer(1, 1)]).await;
    watch.changed().await.unwrap();
    assert!(!neighbour.has_changed().unwrap());
}

async fn names_its_engine(stand: Stand) {
    let store = stand.open().await;
    let info = store.engine();
    assert!(["memory", "sqlite", "postgres"].contains(&info.name));
    assert!(!info.version.is_empty() && !info.location.is_empty() && !info.durability.is_empty());
}

#[test]
fn locations_hide_passwords() {
    let location =
        patron_store::Location::Postgres("postgres://u:geheim@db.example:5433/shop".into());
    assert_eq!(format!("{location:?}"), "postgres://u@db.example:5433/shop");
    let location = patron_store::Location::Postgres("postgres://u:gehe im@@".into());
    assert!(!format!("{location}").contains("gehe"));
}
