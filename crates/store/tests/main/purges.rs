//! Removing a tenant for good: whole, in steps, with nothing left behind, and nothing else touched.

use patron_store::{Batch, EMPTY, Part, Store, Write};

use crate::on_every_engine;
use crate::support::*;

on_every_engine!(
    a_purged_tenant_leaves_nothing_and_others_everything,
    blanked_entries_keep_their_place,
    a_part_is_restored_by_itself,
);

/// What no other record holds.
const PLANTED: &str = "plantedperson";

fn planted(tenant: i64, number: i64) -> patron_store::Record {
    let email = format!("{PLANTED}{number}@x");
    customer(tenant, number)
        .with("email", email.as_str())
        .doc(&format!(r#"{{"name":"{PLANTED}"}}"#))
        .terms(&[PLANTED])
}

async fn two_tenants(store: &Store) {
    for number in 1..=25 {
        let one = planted(1, number);
        add(store, std::slice::from_ref(&one)).await;
        let newer = one.clone().next().doc(&format!(r#"{{"name":"{PLANTED} again"}}"#));
        store.commit(batch(1, vec![replace(&one, &newer)])).await.unwrap();
    }
    let mut other = batch(2, vec![insert(&customer(2, 100).terms(&["other"]))]);
    other.answer = Some(answer("k", 10));
    store.commit(other).await.unwrap();
    let mut last = batch(1, vec![insert(&planted(1, 26))]);
    last.entries[0].subject = 1;
    last.entries[0].related = vec![2, 3];
    last.answer = Some(answer("k", 10));
    store.commit(last).await.unwrap();
}

async fn a_purged_tenant_leaves_nothing_and_others_everything(stand: Stand) {
    let store = stand.open().await;
    two_tenants(&store).await;
    let counted = store.count_tenant(1).await.unwrap();
    let of = |table: &str| counted.get(table).copied().unwrap_or(0);
    assert_eq!((of("customer"), of("customer_term")), (26, 26));
    assert_eq!((of("journal"), of("answer"), of("comment")), (51, 1, 0));
    assert_eq!(of("mention"), 3);
    let mut removed = patron_store::Counts::new();
    loop {
        let step = store.purge(1, 7).await.unwrap();
        if step.is_empty() {
            break;
        }
        for (table, count) in step {
            *removed.entry(table).or_default() += count;
        }
        // Interrupted anywhere, what is left agrees with itself.
        let report = store.check(&|_, _| None).await.unwrap();
        assert_eq!(report.findings, Vec::<String>::new());
    }
    let counted: patron_store::Counts = counted.into_iter().filter(|(_, n)| *n > 0).collect();
    assert_eq!(removed, counted);
    assert_eq!(store.head(1).await.unwrap(), 0);
    assert!(store.count_tenant(1).await.unwrap().values().all(|count| *count == 0));
    assert_eq!(store.answer(1, "k").await.unwrap(), None);
    assert_eq!(store.entries(1, 0, 10).await.unwrap(), vec![]);
    let mut dump = Vec::new();
    store.dump(&mut dump).await.unwrap();
    assert!(!String::from_utf8(dump).unwrap().contains(PLANTED));
    // The neighbour has everything, and the journal of either goes on.
    assert!(store.get(&CUSTOMER, 2, 100).await.unwrap().is_some());
    assert!(store.answer(2, "k").await.unwrap().is_some());
    assert_eq!(store.scan_terms(&CUSTOMER, 2, "other", None, 9).await.unwrap().len(), 1);
    add(&store, &[customer(2, 101)]).await;
    assert_eq!(store.head(2).await.unwrap(), 2);
    assert!(store.purge(0, 10).await.is_err(), "the deployment itself stays");
    store.compact().await.unwrap();
    assert!(store.get(&CUSTOMER, 2, 101).await.unwrap().is_some());
}

async fn blanked_entries_keep_their_place(stand: Stand) {
    let store = stand.open().await;
    let one = planted(0, 1);
    add(&store, &[one.clone(), planted(0, 2)]).await;
    let blank = Write::Blank { kind: &CUSTOMER, tenant: 0, number: 1 };
    let newer = one.clone().next().doc(r#"{"after":1}"#);
    let elsewhere = Write::Blank { kind: &CUSTOMER, tenant: 1, number: 1 };
    assert!(store.commit(batch(1, vec![elsewhere])).await.is_err(), "of the deployment only");
    // Refused together with what cannot be done.
    let stale = batch(0, vec![blank.clone(), replace(&newer, &newer.clone().next())]);
    assert!(store.commit(stale).await.is_err());
    assert!(store.entry(0, 1).await.unwrap().unwrap().doc.contains(PLANTED));
    let dry = Batch { dry_run: true, ..batch(0, vec![blank.clone()]) };
    store.commit(dry).await.unwrap();
    assert!(store.entry(0, 1).await.unwrap().unwrap().doc.contains(PLANTED));
    store.commit(batch(0, vec![blank, replace(&one, &newer)])).await.unwrap();
    let docs: Vec<String> =
        store.entries(0, 0, 10).await.unwrap().into_iter().map(|entry| entry.doc).collect();
    assert_eq!((docs[0].as_str(), docs[2].as_str()), (EMPTY, r#"{"after":1}"#));
    assert!(docs[1].contains(PLANTED), "the other record's entry stays");
    let report = store.check(&|_, _| None).await.unwrap();
    assert_eq!(report.findings, Vec::<String>::new());
}

async fn a_part_is_restored_by_itself(stand: Stand) {
    let store = stand.open().await;
    two_tenants(&store).await;
    add(&store, &[customer(0, 200), customer(0, 201)]).await;
    store.reserve("customer", 500).await.unwrap();
    let with = vec![("customer", 200, Some(r#"{"as":"wanted"}"#.to_owned()))];
    let mut bytes = Vec::new();
    let summary = store.dump_part(&Part { tenant: 1, with }, &mut bytes).await.unwrap();
    assert_eq!((summary.rows["customer"], summary.rows["journal"]), (27, 51));
    for target in [Stand::memory().await, Stand::sqlite().await, Stand::postgres().await] {
        let copy = target.open().await;
        restore(&copy, std::str::from_utf8(&bytes).unwrap()).await.unwrap();
        assert!(copy.get(&CUSTOMER, 1, 26).await.unwrap().is_some());
        assert!(copy.get_anywhere(&CUSTOMER, 100).await.unwrap().is_none());
        assert!(copy.get(&CUSTOMER, 0, 201).await.unwrap().is_none());
        let wanted = copy.get(&CUSTOMER, 0, 200).await.unwrap().unwrap();
        assert_eq!(wanted.doc, r#"{"as":"wanted"}"#);
        assert_eq!(copy.head(1).await.unwrap(), 51);
        assert_eq!(copy.reserve("customer", 1).await.unwrap().start, 501);
        let report = copy.check(&|_, _| None).await.unwrap();
        assert_eq!(report.findings, Vec::<String>::new());
    }
}

/// Files of a SQLite store that hold a text.
fn files_with(stand: &Stand, text: &str) -> Vec<String> {
    let folder = stand.file().parent().unwrap().to_owned();
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let bytes = std::fs::read(entry.path()).unwrap();
        if bytes.windows(text.len()).any(|window| window == text.as_bytes()) {
            files.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    files
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_byte_of_a_purged_tenant_is_left_in_the_file_or_its_log() {
    let stand = Stand::sqlite().await;
    let store = stand.open().await;
    two_tenants(&store).await;
    assert!(!files_with(&stand, PLANTED).is_empty(), "the search would find it");
    while !store.purge(1, 10).await.unwrap().is_empty() {}
    store.compact().await.unwrap();
    assert_eq!(files_with(&stand, PLANTED), Vec::<String>::new());
    assert!(store.get(&CUSTOMER, 2, 100).await.unwrap().is_some());
}
