//! Increments: what changed since a dump, into another store, up to a moment.

use std::collections::BTreeSet;

use patron_store::{
    BackupFile, Batch, Entry, Kind, Location, NewEntry, Options, Position, Record, Replay,
    Restored, Store, StoreError, Until, Write, position_of,
};
use serde_json::Value as Json;

use crate::support::*;

/// What was written to one file.
#[derive(Clone)]
struct File {
    name: &'static str,
    text: String,
}

impl File {
    fn source(&self) -> BackupFile {
        let reader = Box::new(std::io::Cursor::new(self.text.clone().into_bytes()));
        BackupFile { name: self.name.to_owned(), reader }
    }

    async fn position(&self) -> Position {
        position_of(self.source()).await.unwrap()
    }
}

async fn full(store: &Store, name: &'static str) -> File {
    let mut bytes = Vec::new();
    store.dump(&mut bytes).await.unwrap();
    File { name, text: String::from_utf8(bytes).unwrap() }
}

/// Comments have no journal here.
static WHOLE: &[&Kind] = &[&COMMENT];

async fn try_since(store: &Store, before: &File, name: &'static str) -> Result<File, StoreError> {
    let mut bytes = Vec::new();
    store.dump_since(before.position().await, WHOLE, &mut bytes).await?;
    Ok(File { name, text: String::from_utf8(bytes).unwrap() })
}

async fn since(store: &Store, before: &File, name: &'static str) -> File {
    try_since(store, before, name).await.unwrap()
}

/// A customer whose document says everything about it.
fn person(tenant: i64, number: i64, email: &str) -> Record {
    customer(tenant, number)
        .doc(&format!(r#"{{"number":{number},"email":"{email}"}}"#))
        .with("email", email)
        .terms(&[email])
}

fn changed(before: &Record, email: &str) -> Record {
    let after = person(before.tenant, before.number, email);
    Record { revision: before.revision + 1, ..after }
}

fn record_of(_: &Kind, entry: &Entry) -> Option<Record> {
    let doc: Json = serde_json::from_str(&entry.doc).ok()?;
    let email = doc["email"].as_str()?;
    let made = person(entry.tenant, entry.number, email);
    Some(Record { revision: entry.revision, doc: entry.doc.clone().into(), ..made })
}

/// Outcomes of these tests name one customer at a revision, or nobody.
fn outcome_of(outcome: &str) -> Vec<(String, i64, i64)> {
    let outcome: Json = serde_json::from_str(outcome).unwrap();
    let named = outcome["number"].as_i64().zip(outcome["revision"].as_i64());
    named.into_iter().map(|(number, revision)| ("customer".to_owned(), number, revision)).collect()
}

const ALL: Replay = Replay { until: None, record_of, outcome_of, left_out: &[] };

fn until(at: i64) -> Replay {
    Replay { until: Some(Until { at, entry: None }), ..ALL }
}

async fn restored(
    stand: &Stand,
    files: &[&File],
    replay: &Replay,
) -> Result<Vec<Restored>, StoreError> {
    let sources = files.iter().map(|file| file.source()).collect();
    Store::restore(&stand.location, KINDS, Options::default(), sources, replay).await
}

/// Everything between the first and the last line, in any order.
async fn lines(store: &Store) -> BTreeSet<String> {
    let dump = full(store, "").await.text;
    let lines: Vec<&str> = dump.lines().collect();
    lines[1..lines.len() - 1].iter().map(|line| (*line).to_owned()).collect()
}

async fn assert_same(stand: &Stand, want: &BTreeSet<String>) {
    let store = stand.open().await;
    let held = lines(&store).await;
    let missing: Vec<_> = want.difference(&held).collect();
    let more: Vec<_> = held.difference(want).collect();
    assert!(missing.is_empty() && more.is_empty(), "missing {missing:#?}\nmore {more:#?}");
    let report = store.check(&|_, _| None).await.unwrap();
    assert_eq!(report.findings, Vec::<String>::new());
    store.close().await;
}

/// An entry of this moment.
fn dated(record: &Record, action: &'static str, at: i64) -> NewEntry {
    NewEntry { at, ..entry(record, action) }
}

fn now_us() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(now.as_micros()).unwrap()
}

async fn put(store: &Store, write: Write, record: &Record, key: Option<&str>) {
    let at = now_us();
    let mut batch = Batch { tenant: record.tenant, writes: vec![write], ..Batch::default() };
    batch.entries.push(dated(record, "written", at));
    batch.answer = key.map(|key| {
        let outcome = format!(r#"{{"number":{},"revision":{}}}"#, record.number, record.revision);
        patron_store::Answer { outcome, ..answer(key, at) }
    });
    store.commit(batch).await.unwrap();
}

/// Writes of every sort in three tenants.
async fn first_day(store: &Store) -> (Record, Record) {
    let (one, two) = (person(1, 1, "one"), person(1, 2, "two"));
    put(store, insert(&one), &one, Some("first")).await;
    put(store, insert(&two), &two, None).await;
    for number in 10..20 {
        let other = person(2, number, &format!("other{number}"));
        put(store, insert(&other), &other, Some(&format!("k{number}"))).await;
    }
    let operator = person(0, 30, "operator");
    put(store, insert(&operator), &operator, None).await;
    let comment = Record { columns: Vec::new(), ..customer(0, 40) };
    let insert = Write::Insert { kind: &COMMENT, record: comment };
    store.commit(Batch { writes: vec![insert], ..Batch::default() }).await.unwrap();
    store.reserve("customer", 100).await.unwrap();
    (one, two)
}

/// The two exchange their e-mails, one comes, one changes twice.
async fn second_day(store: &Store, one: &Record, two: &Record) -> [Record; 3] {
    let away = changed(one, "away");
    put(store, replace(one, &away), &away, None).await;
    let two = {
        let after = changed(two, "one");
        put(store, replace(two, &after), &after, Some("exchange")).await;
        after
    };
    let one = changed(&away, "two");
    put(store, replace(&away, &one), &one, None).await;
    let three = person(1, 3, "three");
    put(store, insert(&three), &three, Some("third")).await;
    store.reserve("customer", 100).await.unwrap();
    [one, two, three]
}

/// Purges, blanks, removes.
async fn third_day(store: &Store, three: &Record) {
    while !store.purge(2, 7).await.unwrap().is_empty() {}
    let gone = Write::Remove { kind: &CUSTOMER, tenant: 0, number: 30, revision: 1 };
    let blank = Write::Blank { kind: &CUSTOMER, tenant: 0, number: 30 };
    let writes = vec![blank, gone];
    store.commit(Batch { writes, ..Batch::default() }).await.unwrap();
    let comment = Write::Remove { kind: &COMMENT, tenant: 0, number: 40, revision: 1 };
    store.commit(Batch { writes: vec![comment], ..Batch::default() }).await.unwrap();
    let after = changed(three, "four");
    put(store, replace(three, &after), &after, None).await;
}

async fn everything_comes_back(stand: Stand) {
    let store = stand.open().await;
    let (one, two) = first_day(&store).await;
    let monday = full(&store, "monday").await;
    let [_, _, three] = second_day(&store, &one, &two).await;
    let tuesday = since(&store, &monday, "tuesday").await;
    let then = lines(&store).await;
    third_day(&store, &three).await;
    let wednesday = since(&store, &tuesday, "wednesday").await;
    let now = lines(&store).await;
    for target in [Stand::sqlite().await, Stand::postgres().await] {
        restored(&target, &[&monday, &tuesday, &wednesday], &ALL).await.unwrap();
        assert_same(&target, &now).await;
    }
    // One increment since the first day does as well.
    let both = since(&store, &monday, "both").await;
    for target in [Stand::sqlite().await, Stand::postgres().await] {
        restored(&target, &[&monday, &both], &ALL).await.unwrap();
        assert_same(&target, &now).await;
    }
    let target = Stand::sqlite().await;
    restored(&target, &[&monday, &tuesday], &ALL).await.unwrap();
    assert_same(&target, &then).await;
    // What has a journal and did not change is in no increment.
    assert!(!wednesday.text.contains("operator") && !tuesday.text.contains("other1"));
    // And it goes on from there.
    let copy = target.open().await;
    let next = person(1, 90, "next");
    put(&copy, insert(&next), &next, None).await;
    assert_eq!(copy.head(1).await.unwrap(), 7);
    assert!(copy.reserve("customer", 1).await.unwrap().start > 200);
}

async fn a_moment_is_restored_to_the_entry(stand: Stand) {
    let store = stand.open().await;
    let (one, two) = first_day(&store).await;
    let monday = full(&store, "monday").await;
    let away = changed(&one, "away");
    put(&store, replace(&one, &away), &away, Some("away")).await;
    let wanted = lines(&store).await;
    let moment = now_us();
    // Later by the clock, and one that is earlier by the clock but behind those.
    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    let later = changed(&two, "later");
    put(&store, replace(&two, &later), &later, Some("later")).await;
    let late = person(1, 4, "late");
    let mut batch = batch(1, vec![insert(&late)]);
    batch.entries[0].at = moment - 1;
    let outcome = r#"{"number":4,"revision":1}"#.to_owned();
    batch.answer = Some(patron_store::Answer { outcome, ..answer("late", moment - 1) });
    store.commit(batch).await.unwrap();
    while !store.purge(2, 100).await.unwrap().is_empty() {}
    let tuesday = since(&store, &monday, "tuesday").await;
    // What was purged since stays away, also from moments before that.
    let of_two = |line: &String| line.contains(r#""tenant":2"#);
    let wanted: BTreeSet<String> = wanted.into_iter().filter(|line| !of_two(line)).collect();
    for target in [Stand::sqlite().await, Stand::postgres().await] {
        restored(&target, &[&monday, &tuesday], &until(moment)).await.unwrap();
        assert_same(&target, &wanted).await;
    }
    // The same by the position of the entry: space 1 has three of them then.
    let at = patron_store::entry_time(tuesday.source(), 1, 3).await.unwrap().unwrap();
    let replay = Replay { until: Some(Until { at, entry: Some((1, 3)) }), ..ALL };
    let target = Stand::sqlite().await;
    restored(&target, &[&monday, &tuesday], &replay).await.unwrap();
    assert_same(&target, &wanted).await;
    assert_eq!(patron_store::entry_time(tuesday.source(), 1, 2).await.unwrap(), None);
    // Moments that these files do not reach.
    let taken = monday.position().await;
    for (moment, file) in [(taken.begun_at - 1, "monday"), (now_us() + 1_000_000, "tuesday")] {
        let target = Stand::sqlite().await;
        let refused = restored(&target, &[&monday, &tuesday], &until(moment)).await.unwrap_err();
        assert!(refused.to_string().contains(file), "{refused}");
    }
}

async fn what_does_not_fit_is_refused_by_name(stand: Stand) {
    let store = stand.open().await;
    let (one, two) = first_day(&store).await;
    let monday = full(&store, "monday").await;
    let [_, _, three] = second_day(&store, &one, &two).await;
    let tuesday = since(&store, &monday, "tuesday").await;
    let four = changed(&three, "four");
    put(&store, replace(&three, &four), &four, None).await;
    let wednesday = since(&store, &tuesday, "wednesday").await;
    let elsewhere = Stand::sqlite().await;
    let other = elsewhere.open().await;
    first_day(&other).await;
    let strange = full(&other, "strange").await;
    let alter = |file: &File, from: &str, to: &str| {
        assert!(file.text.contains(from), "{from}");
        File { name: "altered", text: file.text.replacen(from, to, 1) }
    };
    let less = tuesday.text.lines().filter(|line| !line.contains("away"));
    let less = File { name: "less", text: less.map(|line| format!("{line}\n")).collect() };
    let half = File { name: "half", text: tuesday.text[..tuesday.text.len() / 2].to_owned() };
    let none = File { name: "none", text: String::new() };
    let altered = alter(&tuesday, "\"seq\":4", "\"seq\":5");
    let target = Stand::sqlite().await;
    for (files, named) in [
        (vec![&tuesday], "tuesday"),
        (vec![&monday, &wednesday], "wednesday"),
        (vec![&monday, &wednesday, &tuesday], "wednesday"),
        (vec![&monday, &tuesday, &tuesday], "tuesday"),
        (vec![&monday, &monday], "monday"),
        (vec![&strange, &tuesday], "tuesday"),
        (vec![&monday, &half], "half"),
        (vec![&monday, &less], "less"),
        (vec![&monday, &altered], "altered"),
        (vec![&monday, &none], "none"),
        (vec![&none], "none"),
    ] {
        let refused = restored(&target, &files, &ALL).await.unwrap_err().to_string();
        assert!(refused.contains(&format!("{named} cannot be restored")), "{refused}");
        // Nothing that could be opened is left, and a restore can be begun again.
        let opened = Store::open(&target.location, KINDS, Options::default()).await;
        let refused = opened.err().unwrap().to_string();
        assert!(refused.contains("was not finished"), "{refused}");
    }
    restored(&target, &[&monday, &tuesday, &wednesday], &ALL).await.unwrap();
    let held = target.open().await;
    assert_eq!(held.get_anywhere(&CUSTOMER, 3).await.unwrap().unwrap().revision, 2);
    // A full store is left as it is.
    let whole = lines(&held).await;
    assert!(restored(&target, &[&monday], &ALL).await.is_err());
    assert_eq!(lines(&target.open().await).await, whole);
    // Increments of what was restored to an earlier moment, or of other data, are refused.
    for (store, before) in [(&other, &monday), (&other, &wednesday), (&held, &strange)] {
        let refused = try_since(store, before, "").await.err().unwrap().to_string();
        assert!(refused.contains("Take a full backup"), "{refused}");
    }
    // What stands where the last file stood goes on.
    let thursday = since(&held, &wednesday, "thursday").await;
    let target = Stand::sqlite().await;
    restored(&target, &[&monday, &tuesday, &wednesday, &thursday], &ALL).await.unwrap();
    assert_same(&target, &whole).await;
}

async fn what_is_written_meanwhile_is_in_one_of_them(stand: Stand) {
    /// Writers, and records each writes.
    const WRITERS: i64 = 6;
    const EACH: i64 = 60;
    let store = stand.open().await;
    // Another process on the same data.
    let second = stand.open().await;
    let mut files = vec![full(&store, "full").await];
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let store = if writer % 2 == 0 { store.clone() } else { second.clone() };
            tokio::spawn(async move {
                for n in 0..EACH {
                    let number = 1_000 * (writer + 1) + n;
                    let made = person(n % 3, number, &format!("p{number}"));
                    put(&store, insert(&made), &made, Some(&format!("k{number}"))).await;
                    let next = changed(&made, &format!("q{number}"));
                    put(&store, replace(&made, &next), &next, None).await;
                }
            })
        })
        .collect();
    while !writers.iter().all(tokio::task::JoinHandle::is_finished) {
        let next = since(&store, files.last().unwrap(), "increment").await;
        files.push(next);
    }
    for writer in writers {
        writer.await.unwrap();
    }
    files.push(since(&store, files.last().unwrap(), "last").await);
    let target = Stand::sqlite().await;
    restored(&target, &files.iter().collect::<Vec<_>>(), &ALL).await.unwrap();
    assert_same(&target, &lines(&store).await).await;
}

macro_rules! on_both {
    ($($scenario:ident),* $(,)?) => {
        mod sqlite { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() { super::$scenario(super::Stand::sqlite().await).await }
        )* }
        mod postgres { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() { super::$scenario(super::Stand::postgres().await).await }
        )* }
    };
}

on_both!(
    everything_comes_back,
    a_moment_is_restored_to_the_entry,
    what_does_not_fit_is_refused_by_name,
    what_is_written_meanwhile_is_in_one_of_them,
);

/// Positions are given out under the lock of the head, which lasts until the commit: what a backup
/// sees up to a position is all there will ever be up to it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_lower_position_is_committed_later_than_a_backup_saw() {
    let stand = Stand::postgres().await;
    let store = stand.open().await;
    let one = person(1, 1, "one");
    put(&store, insert(&one), &one, None).await;
    let Location::Postgres(url) = &stand.location else { unreachable!() };
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    // A transaction of another node that has its position and does not commit.
    client
        .batch_execute(
            r#"BEGIN;
            UPDATE "head" SET "last" = "last" + 1 WHERE "tenant" = 1;
            INSERT INTO "customer" ("number", "tenant", "uuid", "revision", "doc")
            VALUES (2, 1, '10000000-0000-4000-8000-000000000002', 1, '{"email":"slow"}');
            INSERT INTO "journal" ("tenant", "seq", "kind", "number", "subject", "revision",
                "action", "at", "actor", "request", "changed", "doc")
            VALUES (1, 2, 'customer', 2, 2, 1, 'created', 5, '', '', '[]', '{"email":"slow"}')"#,
        )
        .await
        .unwrap();
    let other = person(1, 3, "behind");
    let behind = tokio::spawn({
        let (store, other) = (store.clone(), other.clone());
        async move { put(&store, insert(&other), &other, None).await }
    });
    // It waits for the lock: PostgreSQL says so.
    let waits = "SELECT count(*) FROM pg_stat_activity \
                 WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while client.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        tokio::task::yield_now().await;
    }
    let backup = full(&store, "full").await;
    assert!(!backup.text.contains("slow") && !backup.text.contains("behind"));
    client.batch_execute("COMMIT").await.unwrap();
    behind.await.unwrap();
    let next = since(&store, &backup, "next").await;
    assert!(next.text.contains("slow") && next.text.contains("behind"));
    let entries = store.entries(1, 0, 9).await.unwrap();
    assert_eq!(entries.iter().map(|entry| entry.number).collect::<Vec<_>>(), [1, 2, 3]);
    drop(client);
    connection.await.unwrap().unwrap();
}

/// An outcome that is older than its commit is in an increment all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outcomes_of_slow_requests_are_not_lost() {
    let stand = Stand::sqlite().await;
    let store = stand.open().await;
    let backup = full(&store, "full").await;
    let minutes = 14 * 60 * 1_000_000;
    let slow = answer("slow", backup.position().await.begun_at - minutes);
    store.commit(Batch { tenant: 1, answer: Some(slow), ..Batch::default() }).await.unwrap();
    assert!(since(&store, &backup, "next").await.text.contains("\"slow\""));
}
