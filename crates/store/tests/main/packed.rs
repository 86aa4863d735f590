//! Packed documents: read and searched like any other, out of the way of dumps, told when they are
//! damaged, and beside documents that an earlier version left as text.

use patron_store::{
    Compare, Field, Location, Options, Order, Predicate, Query, Record, SortKey, Store, StoreError,
    with_face,
};

use crate::on_every_engine;
use crate::support::*;

on_every_engine!(documents_are_what_was_written, switched_off_nothing_is_packed);

const FACE: &str = r#"{"id":7,"shown":"as it is shown"}"#;

/// What the n-th record says: long enough to be packed.
fn said(n: i64) -> String {
    let again = "said again and again, ".repeat(8);
    format!(r#"{{"number":{n},"name":"Name {n}","size":"{n}.5","note":"{again}"}}"#)
}

fn shown(n: i64) -> Record {
    customer(1, n).doc(&with_face(&said(n), FACE))
}

async fn open(stand: &Stand, pack_documents: bool) -> Result<Store, StoreError> {
    let options = Options { pack_documents, ..Options::default() };
    Store::open(&stand.location, KINDS, options).await
}

/// Three records, the third of them without a face, each with an entry.
async fn fill(store: &Store) -> [Record; 3] {
    let records = [shown(1), shown(2), customer(1, 3).doc(&said(3))];
    for record in &records {
        let mut batch = batch(1, vec![insert(record)]);
        batch.entries[0].doc = said(record.number).into();
        store.commit(batch).await.unwrap();
    }
    records
}

fn is_packed(record: &patron_store::Row) -> bool {
    record.doc.parts().1.is_some()
}

async fn assert_readable(store: &Store, records: &[Record]) {
    for record in records {
        let number = record.number;
        let row = store.get(&CUSTOMER, 1, number).await.unwrap().unwrap();
        assert_eq!(row.doc, record.doc);
        assert_eq!(row.doc.whole().unwrap(), record.doc.whole().unwrap());
        assert_eq!(row.doc.face(), (number != 3).then_some(FACE));
        assert_eq!(row.doc.faceless().unwrap(), said(number));
        let face = row.doc.into_face();
        assert_eq!(face, if number == 3 { "" } else { FACE });
        let entry = store.entry_at_revision(1, "customer", number, 1).await.unwrap().unwrap();
        assert_eq!(entry.doc, said(number));
    }
    let held = store.records_after(&CUSTOMER, 0, 9).await.unwrap();
    assert_eq!(format!("{held:?}"), format!("{records:?}"));
    let path = |name: &str| vec![name.to_owned()];
    let named = Predicate::Compare(Field::Text(path("name")), Compare::Equal, "Name 2".into());
    let rest = Predicate::Contains(Field::Text(path("note")), "AGAIN, said".into());
    let sizes = SortKey { field: Field::Decimal(path("size")), descending: true };
    let order = Order { keys: vec![sizes], descending: false };
    for (predicate, numbers) in [(named, vec![2]), (rest, vec![3, 2, 1])] {
        let query = Query { predicate, order: order.clone(), ..Query::of(1) };
        let found = store.find(&CUSTOMER, &query).await.unwrap().rows;
        assert_eq!(found.iter().map(|row| row.number).collect::<Vec<_>>(), numbers);
        assert_eq!(
            store.count(&CUSTOMER, &[1], &query.predicate).await.unwrap(),
            numbers.len() as u64
        );
    }
    assert_eq!(store.check(&|_, _| None).await.unwrap().findings, Vec::<String>::new());
}

async fn dumped(store: &Store) -> String {
    let mut bytes = Vec::new();
    store.dump(&mut bytes).await.unwrap();
    String::from_utf8(bytes).unwrap()
}

async fn documents_are_what_was_written(stand: Stand) {
    let store = open(&stand, true).await.unwrap();
    let records = fill(&store).await;
    assert_readable(&store, &records).await;
    let row = store.get(&CUSTOMER, 1, 1).await.unwrap().unwrap();
    assert_eq!(is_packed(&row), matches!(stand.location, Location::Sqlite(_)));
    // As text, so that every engine takes it.
    let dump = dumped(&store).await;
    assert_eq!(dump.matches("again, \\\"}").count(), 2 * 3, "{dump}");
    for target in [Stand::memory().await, Stand::sqlite().await, Stand::postgres().await] {
        let other = open(&target, true).await.unwrap();
        restore(&other, &dump).await.unwrap();
        assert_readable(&other, &records).await;
        let row = other.get(&CUSTOMER, 1, 1).await.unwrap().unwrap();
        assert_eq!(is_packed(&row), matches!(target.location, Location::Sqlite(_)));
    }
}

async fn switched_off_nothing_is_packed(stand: Stand) {
    let store = open(&stand, false).await.unwrap();
    let records = fill(&store).await;
    assert_readable(&store, &records).await;
    let row = store.get(&CUSTOMER, 1, 1).await.unwrap().unwrap();
    assert!(!is_packed(&row) && !store.holds_otherwise(&row.doc));
    if matches!(stand.location, Location::Memory) {
        return;
    }
    store.close().await;
    // Switched on, what is there is read, and packed when it is written.
    let store = open(&stand, true).await.unwrap();
    assert_readable(&store, &records).await;
    let is_sqlite = matches!(stand.location, Location::Sqlite(_));
    let held = store.get(&CUSTOMER, 1, 1).await.unwrap().unwrap();
    assert_eq!(store.holds_otherwise(&held.doc), is_sqlite);
    let next = shown(1).next();
    let mut newer = batch(1, vec![replace(&shown(1), &next)]);
    newer.entries[0].doc = said(1).into();
    store.commit(newer).await.unwrap();
    let row = store.get(&CUSTOMER, 1, 1).await.unwrap().unwrap();
    assert_eq!((is_packed(&row), store.holds_otherwise(&row.doc)), (is_sqlite, false));
    store.close().await;
    let store = open(&stand, false).await.unwrap();
    let row = store.get(&CUSTOMER, 1, 1).await.unwrap().unwrap();
    assert_eq!((row.doc.clone(), store.holds_otherwise(&row.doc)), (next.doc, is_sqlite));
}

fn asked(stand: &Stand, sql: &str) -> Vec<(String, bool)> {
    let file = rusqlite::Connection::open(stand.file()).unwrap();
    let mut statement = file.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn faces_stand_in_the_file_as_text_and_the_rest_is_packed() {
    let stand = Stand::sqlite().await;
    let store = open(&stand, true).await.unwrap();
    fill(&store).await;
    store.close().await;
    let held = asked(&stand, "SELECT doc, packed IS NOT NULL FROM customer ORDER BY number");
    let face = FACE.to_owned();
    assert_eq!(held, [(face.clone(), true), (face, true), (String::new(), true)]);
    let said = asked(&stand, "SELECT doc, packed IS NOT NULL FROM journal");
    assert_eq!(said, vec![(String::new(), true); 3]);
    let same = "SELECT c.doc, c.packed = j.packed FROM customer c, journal j USING (number)";
    assert!(asked(&stand, same).iter().all(|(_, is_same)| *is_same));
}

/// The wrong bytes, and bytes of a format that is not known yet.
#[tokio::test(flavor = "multi_thread")]
async fn damage_is_told_in_sqlite() {
    for damage in ["X'01FF'", "X'63' || substr(packed, 2)", "substr(packed, 1, length(packed) - 9)"]
    {
        let stand = Stand::sqlite().await;
        let store = open(&stand, true).await.unwrap();
        fill(&store).await;
        store.close().await;
        let file = rusqlite::Connection::open(stand.file()).unwrap();
        let sql = |table: &str| {
            format!("UPDATE {table} SET packed = CAST({damage} AS BLOB) WHERE number = 2")
        };
        file.execute_batch(&sql("customer")).unwrap();
        let store = open(&stand, true).await.unwrap();
        let is_told = |error: StoreError| {
            assert!(error.to_string().contains("packed document is damaged"), "{error}");
            error.to_string()
        };
        let row = store.get(&CUSTOMER, 1, 2).await.unwrap().unwrap();
        assert_eq!(row.doc.face(), Some(FACE), "what is shown is not packed");
        is_told(row.doc.json().err().unwrap());
        let named = Predicate::Missing(Field::Text(vec!["name".to_owned()]));
        is_told(store.count(&CUSTOMER, &[1], &named).await.err().unwrap());
        let told = is_told(store.dump(&mut Vec::new()).await.err().unwrap());
        assert!(told.contains("customer 2"), "{told}");
        file.execute_batch(&sql("journal")).unwrap();
        is_told(store.entries(1, 0, 9).await.err().unwrap());
    }
}

const SQLITE_AS_LAYOUT_3: &str = "ALTER TABLE customer DROP COLUMN packed;
    ALTER TABLE customer DROP COLUMN terms;
    CREATE INDEX customer_term__number ON customer_term (number);
    ALTER TABLE key DROP COLUMN packed; ALTER TABLE comment DROP COLUMN packed;
    ALTER TABLE journal DROP COLUMN packed; UPDATE meta SET value = '3' WHERE name = 'schema';";
const POSTGRES_AS_LAYOUT_3: &str = "ALTER TABLE journal DROP COLUMN packed;
    UPDATE meta SET value = '3' WHERE name = 'schema';";

/// Nothing is rewritten: what is text stays so.
async fn a_store_of_layout_3_is_opened(stand: Stand) {
    let store = open(&stand, false).await.unwrap();
    let records = fill(&store).await;
    store.close().await;
    match &stand.location {
        Location::Sqlite(file) => {
            let file = rusqlite::Connection::open(file).unwrap();
            file.execute_batch(SQLITE_AS_LAYOUT_3).unwrap();
        }
        Location::Postgres(url) => {
            crate::support::postgres::execute(url, POSTGRES_AS_LAYOUT_3).await
        }
        Location::Memory => unreachable!("it keeps nothing"),
    }
    let opened = together(3, |_| {
        let location = stand.location.clone();
        async move { Store::open(&location, KINDS, Options::default()).await.unwrap() }
    });
    for store in opened.await {
        assert_readable(&store, &records).await;
        let row = store.get(&CUSTOMER, 1, 1).await.unwrap().unwrap();
        assert!(!is_packed(&row));
        store.close().await;
    }
    let store = stand.open().await;
    let four = shown(4);
    add(&store, std::slice::from_ref(&four)).await;
    assert_eq!(store.get(&CUSTOMER, 1, 4).await.unwrap().unwrap().doc, four.doc);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_layout_3_is_opened() {
    a_store_of_layout_3_is_opened(Stand::sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_layout_3_is_opened() {
    a_store_of_layout_3_is_opened(Stand::postgres().await).await;
}

/// The dump of an unpacked store and that of a packed one are the same but for times and counters.
#[tokio::test(flavor = "multi_thread")]
async fn a_dump_does_not_tell_whether_documents_were_packed() {
    let mut dumps = Vec::new();
    for is_on in [true, false] {
        let stand = Stand::sqlite().await;
        let store = open(&stand, is_on).await.unwrap();
        fill(&store).await;
        let dump = dumped(&store).await;
        let lines =
            dump.lines().filter(|line| !line.contains("\"header\"") && !line.contains("\"end\""));
        dumps.push(lines.map(str::to_owned).collect::<Vec<_>>());
    }
    assert_eq!(dumps[0], dumps[1]);
}
