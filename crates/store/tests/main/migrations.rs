//! Data of layout 2, whose entries named one record they hang on (`root`) and were found by no
//! other; of layout 4, whose terms SQLite found by an index over numbers.

use patron_store::{Batch, Entry, Location, NewEntry, Options, Store, StoreError};

use crate::support::*;

/// Brings a new store back to what layout 2 was.
const AS_LAYOUT_2: &str = r#"
    DROP TABLE "mention";
    ALTER TABLE "journal" DROP COLUMN "related";
    ALTER TABLE "journal" RENAME COLUMN "subject" TO "root";
    UPDATE "meta" SET "value" = '2' WHERE "name" = 'schema';
"#;
/// The last of three steps fails.
const SQLITE_BREAKS: &str = r#"
    CREATE TRIGGER "broken" BEFORE UPDATE ON "journal" WHEN NEW."seq" > 2000
    BEGIN SELECT RAISE(ABORT, 'broken'); END;
"#;
const SQLITE_MENDED: &str = r#"DROP TRIGGER "broken""#;
const POSTGRES_BREAKS: &str = r#"
    CREATE FUNCTION "breaks"() RETURNS trigger AS $$
    BEGIN IF NEW."seq" > 2000 THEN RAISE EXCEPTION 'broken'; END IF; RETURN NEW; END
    $$ LANGUAGE plpgsql;
    CREATE TRIGGER "broken" BEFORE UPDATE ON "journal" FOR EACH ROW EXECUTE FUNCTION "breaks"();
"#;
const POSTGRES_MENDED: &str = r#"DROP TRIGGER "broken" ON "journal""#;

/// Entries of the journal: three steps of a thousand and a rest.
const ENTRIES: i64 = 2_500;

/// Customer 1 with comments 1001, 1002, …; every tenth is related to customer 2.
fn entry_of(seq: i64) -> NewEntry {
    let number = if seq == 1 { 1 } else { 1000 + seq };
    let kind = if seq == 1 { "customer" } else { "comment" };
    let doc = if seq % 10 == 0 { r#"{"with":2}"# } else { "{}" };
    NewEntry { kind, number, subject: 1, doc: doc.into(), ..entry(&customer(1, 1), "created") }
}

async fn fill(stand: &Stand) {
    let store = stand.open().await;
    for first in (1..=ENTRIES).step_by(500) {
        let entries = (first..first + 500).map(entry_of).collect();
        store.commit(Batch { tenant: 1, entries, ..Batch::default() }).await.unwrap();
    }
    store.close().await;
}

fn related_of(entry: &Entry) -> Vec<i64> {
    if entry.doc == r#"{"with":2}"# { vec![2] } else { Vec::new() }
}

async fn open(location: &Location) -> Result<Store, StoreError> {
    Store::open(location, KINDS, Options { related_of, ..Options::default() }).await
}

async fn execute(stand: &Stand, sql: &str) {
    match &stand.location {
        Location::Sqlite(file) => {
            rusqlite::Connection::open(file).unwrap().execute_batch(sql).unwrap();
        }
        Location::Postgres(url) => postgres::execute(url, sql).await,
        Location::Memory => unreachable!("it keeps nothing"),
    }
}

async fn assert_migrated(store: &Store) {
    let seqs = |entries: Vec<Entry>| entries.iter().map(|e| e.seq).collect::<Vec<_>>();
    let tens: Vec<i64> = (1..=ENTRIES).rev().filter(|seq| seq % 10 == 0).collect();
    assert_eq!(seqs(store.history(1, 2, None, 3_000).await.unwrap()), tens);
    assert_eq!(seqs(store.history(1, 2, Some(35), 2).await.unwrap()), [30, 20]);
    assert_eq!(seqs(store.history(1, 1, None, 2).await.unwrap()), [ENTRIES, ENTRIES - 1]);
    for seq in [2, 999, 1000, 1001, 2000, ENTRIES] {
        let found = store.entry_at_revision(1, "comment", 1000 + seq, 1).await.unwrap().unwrap();
        let related = if seq % 10 == 0 { vec![2] } else { Vec::new() };
        assert_eq!((found.seq, found.subject, found.related), (seq, 1, related));
        assert_eq!(seqs(store.history(1, 1000 + seq, None, 9).await.unwrap()), [seq]);
    }
    assert_eq!(store.count_tenant(1).await.unwrap()["mention"], 2_499 + 250);
    assert_eq!(store.check(&|_, _| None).await.unwrap().findings, Vec::<String>::new());
}

async fn interrupted_and_gone_on_with(stand: Stand, breaks: &str, mended: &str) {
    fill(&stand).await;
    execute(&stand, AS_LAYOUT_2).await;
    execute(&stand, breaks).await;
    for _ in 0..2 {
        // Two steps are done and stay done; the third one fails, again and again.
        let error = open(&stand.location).await.err().unwrap();
        assert!(error.to_string().contains("broken"), "{error}");
    }
    execute(&stand, mended).await;
    // Several processes at once take turns.
    let opened = together(4, |_| {
        let location = stand.location.clone();
        async move { open(&location).await.unwrap() }
    })
    .await;
    for store in &opened {
        assert_migrated(store).await;
    }
    for store in opened {
        store.close().await;
    }
    // Nothing is asked again, and what came since has its place.
    let again: fn(&Entry) -> Vec<i64> = |_| panic!("an entry is related once");
    let options = Options { related_of: again, ..Options::default() };
    let store = Store::open(&stand.location, KINDS, options).await.unwrap();
    assert_migrated(&store).await;
    add(&store, &[customer(1, 7)]).await;
    assert_eq!(store.history(1, 7, None, 9).await.unwrap()[0].seq, ENTRIES + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn layout_2_is_migrated_in_steps_in_sqlite() {
    interrupted_and_gone_on_with(Stand::sqlite().await, SQLITE_BREAKS, SQLITE_MENDED).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn layout_2_is_migrated_in_steps_in_postgres() {
    interrupted_and_gone_on_with(Stand::postgres().await, POSTGRES_BREAKS, POSTGRES_MENDED).await;
}

/// A dump as format 2 has it.
#[tokio::test]
async fn a_dump_of_format_2_is_restored_with_what_its_entries_are_related_to() {
    let stand = Stand::sqlite().await;
    fill(&stand).await;
    let mut bytes = Vec::new();
    stand.open().await.dump(&mut bytes).await.unwrap();
    let dump = String::from_utf8(bytes).unwrap();
    assert!(dump.starts_with(r#"{"header":{"format":3,"#) && !dump.contains("mention"), "{dump}");
    let (lines, _) = dump.trim_end().rsplit_once('\n').unwrap();
    let lines = lines.replacen(r#""format":3"#, r#""format":2"#, 1) + "\n";
    let lines = lines.replace(r#""subject":"#, r#""root":"#);
    let hash = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(lines.as_bytes()));
    let end = format!(r#"{{"end":{{"rows":{{"head":1,"journal":{ENTRIES}}},"sha256":"{hash}"}}}}"#);
    let dump = format!("{lines}{end}\n");
    for target in [Stand::memory().await, Stand::sqlite().await, Stand::postgres().await] {
        let store = open(&target.location).await.unwrap();
        restore(&store, &dump).await.unwrap();
        assert_migrated(&store).await;
    }
}

/// Brings a new file back to what layout 4 was.
const AS_LAYOUT_4: &str = r#"
    ALTER TABLE "customer" DROP COLUMN "terms";
    CREATE INDEX "customer_term__number" ON "customer_term" ("number");
    UPDATE "meta" SET "value" = '4' WHERE "name" = 'schema';
"#;
/// The second of three steps fails.
const GATHERING_BREAKS: &str = r#"
    CREATE TRIGGER "broken" BEFORE UPDATE ON "customer" WHEN NEW."number" > 1500
    BEGIN SELECT RAISE(ABORT, 'broken'); END;
"#;
const TOLD: &str = r#"SELECT (SELECT count(*) FROM "customer" WHERE "terms" IS NOT NULL),
    (SELECT count(*) FROM sqlite_master WHERE name = 'customer_term__number'),
    (SELECT count(*) FROM "meta" WHERE "name" = 'gathering customer')"#;

/// Records that hold their terms, indexes over numbers, and walks that are not done.
fn told(stand: &Stand) -> (i64, i64, i64) {
    let file = rusqlite::Connection::open(stand.file()).unwrap();
    file.query_row(TOLD, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn terms_of_layout_4_are_gathered_in_steps() {
    let stand = Stand::sqlite().await;
    let store = stand.open().await;
    let record = |n: i64| customer(1, n).terms(&["all", "ö 2", &format!("t{n}")]);
    for first in (1..=ENTRIES).step_by(500) {
        let records = (first..first + 500).map(|n| insert(&record(n))).collect();
        store.commit(Batch { tenant: 1, writes: records, ..Batch::default() }).await.unwrap();
    }
    let before = store.scan_terms(&CUSTOMER, 1, "", None, 9_000).await.unwrap();
    let mut dump = Vec::new();
    store.dump(&mut dump).await.unwrap();
    store.close().await;
    assert_eq!(told(&stand), (ENTRIES, 0, 0));
    execute(&stand, AS_LAYOUT_4).await;
    execute(&stand, GATHERING_BREAKS).await;
    for _ in 0..2 {
        let error = open(&stand.location).await.err().unwrap();
        assert!(error.to_string().contains("broken"), "{error}");
        assert_eq!(told(&stand), (1000, 1, 1));
    }
    execute(&stand, SQLITE_MENDED).await;
    let opened = together(4, |_| {
        let location = stand.location.clone();
        async move { open(&location).await.unwrap() }
    });
    for store in opened.await {
        assert_eq!(store.scan_terms(&CUSTOMER, 1, "", None, 9_000).await.unwrap(), before);
        store.close().await;
    }
    assert_eq!(told(&stand), (ENTRIES, 0, 0));
    // A change takes away exactly what was there, whatever it believes.
    let store = stand.open().await;
    let after = record(7).next().terms(&["all", "new"]);
    let believed = customer(1, 7).terms(&["other"]);
    store.commit(batch(1, vec![replace(&believed, &after)])).await.unwrap();
    let found = async |prefix| {
        let found = store.scan_terms(&CUSTOMER, 1, prefix, None, 9).await.unwrap();
        found.into_iter().map(|(term, row)| (term, row.number)).collect::<Vec<_>>()
    };
    assert_eq!(found("t7").await.first().unwrap().1, 70, "not 7");
    assert_eq!(found("ne").await, [("new".to_owned(), 7)]);
    store.commit(batch(1, vec![remove(&after)])).await.unwrap();
    assert_eq!(found("ne").await, []);
    assert_eq!(store.count_tenant(1).await.unwrap()["customer_term"], 3 * 2_499);
    // What comes out of a backup holds its terms too.
    let target = Stand::sqlite().await;
    let restored = target.open().await;
    restore(&restored, &String::from_utf8(dump).unwrap()).await.unwrap();
    assert_eq!(restored.scan_terms(&CUSTOMER, 1, "", None, 9_000).await.unwrap(), before);
    assert_eq!(told(&target), (ENTRIES, 0, 0));
}
