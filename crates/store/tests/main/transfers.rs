//! Dumps, restores and checks: across engines, and with damage.

use patron_store::{
    Batch, Implied, Kind, Location, NewEntry, Options, Record, Store, Value, Write, with_face,
};

use crate::on_every_engine;
use crate::support::*;

on_every_engine!(
    dumps_cross_engines,
    restores_only_into_an_empty_store,
    refuses_damaged_dumps,
    checks_columns,
    checks_faces,
    what_is_read_with_the_help_of_others_may_differ_from_the_journal,
    reopening_and_growing,
);

async fn filled(stand: &Stand) -> Store {
    let store = stand.open().await;
    let one = customer(1, 1).with("email", "é'\"\n").with("created", -5).terms(&["a", "ü"]);
    let two = customer(1, 2).doc("{\"odd\" :  [1,\n2.50]}").with("handle", "h");
    add(&store, &[one.clone(), two.clone(), customer(2, 3)]).await;
    let newer = one.clone().next().terms(&["b"]);
    let mut with_answer = batch(1, vec![replace(&one, &newer), remove(&two)]);
    with_answer.answer = Some(answer("k", 77));
    store.commit(with_answer).await.unwrap();
    for number in 10..600 {
        let comment = Record {
            tenant: 0,
            number,
            uuid: uuid(number),
            revision: 1,
            columns: vec![],
            doc: format!("{{\"n\":{number}}}").into(),
            terms: vec![],
        };
        let write = Write::Insert { kind: &COMMENT, record: comment };
        store.commit(Batch { writes: vec![write], ..Batch::default() }).await.unwrap();
    }
    store.reserve("customer", 599).await.unwrap();
    store
}

async fn dump(store: &Store) -> String {
    let mut bytes = Vec::new();
    let (summary, _) = store.dump(&mut bytes).await.unwrap();
    assert_eq!(summary.rows["comment"], 590);
    assert_eq!(summary.rows["customer"], 2);
    assert_eq!(summary.rows["journal"], 4);
    String::from_utf8(bytes).unwrap()
}

/// Everything between the header, which names the engine, and the last line, which depends on it.
fn body(dump: &str) -> Vec<&str> {
    let lines: Vec<&str> = dump.lines().collect();
    lines[1..lines.len() - 1].to_vec()
}

async fn dumps_cross_engines(stand: Stand) {
    let original = dump(&filled(&stand).await).await;
    for target in [Stand::memory().await, Stand::sqlite().await, Stand::postgres().await] {
        let store = target.open().await;
        let summary = restore(&store, &original).await.unwrap();
        assert_eq!(summary.rows["customer_term"], 1);
        assert_eq!(body(&dump(&store).await), body(&original));
        // The journal goes on where it was, and so do the counters.
        add(&store, &[customer(1, 5000)]).await;
        assert_eq!(store.head(1).await.unwrap(), 4);
        assert_eq!(store.reserve("customer", 1).await.unwrap().start, 600);
        assert_eq!(store.answer(1, "k").await.unwrap(), Some(answer("k", 77)));
        assert_eq!(store.check(&|_, _| None).await.unwrap().findings, Vec::<String>::new());
    }
}

async fn restores_only_into_an_empty_store(stand: Stand) {
    let store = filled(&stand).await;
    let original = dump(&store).await;
    assert!(restore(&store, &original).await.is_err());
    assert_eq!(body(&dump(&store).await), body(&original));
}

async fn refuses_damaged_dumps(stand: Stand) {
    let original = dump(&filled(&Stand::memory().await).await).await;
    let store = stand.open().await;
    let lines: Vec<&str> = original.lines().collect();
    let without = |at: usize| {
        let mut lines = lines.clone();
        lines.remove(at);
        lines.join("\n") + "\n"
    };
    let damaged = [
        String::new(),
        without(0),
        without(1),
        without(lines.len() - 1),
        original.replacen("\"created\":-5", "\"created\":-6", 1),
        original.replacen("\"created\"", "\"crated\"", 1),
        original.replace("\"customer\":2", "\"customer\":3"),
        original[..original.len() / 2].to_owned(),
    ];
    for dump in damaged {
        assert!(restore(&store, &dump).await.is_err());
        let number = store.get_anywhere(&COMMENT, 10).await.unwrap();
        assert_eq!(number, None, "something was kept");
    }
    restore(&store, &original).await.unwrap();
    assert!(store.get_anywhere(&COMMENT, 10).await.unwrap().is_some());
}

async fn checks_columns(stand: Stand) {
    let store = filled(&stand).await;
    let implied = |kind: &Kind, row: &patron_store::Row| {
        let email = Value::from(Some("other").filter(|_| row.number == 1));
        (kind.name == "customer").then(|| {
            let mut columns = vec![Value::Null; 6];
            columns[0] = email;
            columns[2] = Some(-5).filter(|_| row.number == 1).into();
            Implied { columns, face: None, own: None }
        })
    };
    let report = store.check(&implied).await.unwrap();
    assert_eq!(report.findings.len(), 1, "{report:?}");
    assert!(report.findings[0].contains("email"), "{report:?}");
    assert_eq!((report.records, report.terms, report.entries), (592, 1, 4));
    // A record that was changed without its journal, and a journal that names a stranger.
    let silent = customer(2, 3).next().doc("{}");
    let stray = NewEntry { kind: "nobody", ..entry(&customer(2, 3), "created") };
    let writes = vec![replace(&customer(2, 3), &silent)];
    let batch = Batch { tenant: 2, writes, entries: vec![stray], ..Batch::default() };
    store.commit(batch).await.unwrap();
    let report = store.check(&|_, _| None).await.unwrap();
    assert_eq!(report.findings.len(), 2, "{report:?}");
}

async fn checks_faces(stand: Stand) {
    let store = stand.open().await;
    let record = customer(1, 1).doc(&with_face(r#"{"a":1}"#, r#"{"b":2}"#));
    let kept = NewEntry { doc: r#"{"a":1}"#.into(), ..entry(&record, "created") };
    let writes = vec![insert(&record)];
    let batch = Batch { tenant: 1, writes, entries: vec![kept], ..Batch::default() };
    store.commit(batch).await.unwrap();
    for (face, findings) in [(Some(r#"{"b":2}"#), 0), (Some(r#"{"b":3}"#), 1), (None, 1)] {
        let implied = |_: &Kind, _: &patron_store::Row| {
            let face = face.map(str::to_owned);
            Some(Implied { columns: record.columns.clone(), face, own: None })
        };
        let report = store.check(&implied).await.unwrap();
        assert_eq!(report.findings.len(), findings, "{face:?}: {report:?}");
    }
}

async fn what_is_read_with_the_help_of_others_may_differ_from_the_journal(stand: Stand) {
    let store = stand.open().await;
    let record = customer(1, 1).doc(r#"{"own":1}"#);
    let kept = entry(&record, "created");
    let writes = vec![insert(&record)];
    store
        .commit(Batch { tenant: 1, writes, entries: vec![kept], ..Batch::default() })
        .await
        .unwrap();
    let read = record.clone().doc(r#"{"own":1,"read":2}"#);
    let writes = vec![Write::Derive { kind: &CUSTOMER, record: read }];
    store.commit(Batch { tenant: 1, writes, ..Batch::default() }).await.unwrap();
    for (own, findings) in [(Some("same"), 0), (None, 1)] {
        let implied = |_: &Kind, _: &patron_store::Row| {
            let own = own.map(str::to_owned);
            Some(Implied { columns: record.columns.clone(), face: None, own })
        };
        assert_eq!(store.check(&implied).await.unwrap().findings.len(), findings, "{own:?}");
    }
    let implied = |_: &Kind, row: &patron_store::Row| {
        let own = Some(row.doc.whole().unwrap().into_owned());
        Some(Implied { columns: record.columns.clone(), face: None, own })
    };
    assert_eq!(store.check(&implied).await.unwrap().findings.len(), 1);
}

static GROWN: Kind = Kind {
    name: "comment",
    columns: &[patron_store::Column::text("author", patron_store::Index::Unique)],
    terms: true,
};
static GROWN_KINDS: &[&Kind] = &[&CUSTOMER, &KEY, &GROWN];

async fn reopening_and_growing(stand: Stand) {
    let memory = stand.location == Location::Memory;
    filled(&stand).await.close().await;
    // Several at once, with a kind that has gained a column and terms.
    let opened = together(4, |_| {
        let location = stand.location.clone();
        async move { Store::open(&location, GROWN_KINDS, Options::default()).await.unwrap() }
    })
    .await;
    let store = &opened[0];
    let record = Record {
        tenant: 0,
        number: 9000,
        uuid: uuid(9000),
        revision: 1,
        columns: vec!["me".into()],
        doc: "{}".into(),
        terms: vec!["t".into()],
    };
    let write = Write::Insert { kind: &GROWN, record };
    store.commit(Batch { writes: vec![write], ..Batch::default() }).await.unwrap();
    let other = if memory { store } else { &opened[3] };
    assert_eq!(other.get_by(&GROWN, 0, "author", "me").await.unwrap().unwrap().number, 9000);
    assert_eq!(store.get_anywhere(&COMMENT, 10).await.unwrap().is_some(), !memory);
}

#[tokio::test]
async fn planted_damage_is_found_in_sqlite() {
    let stand = Stand::sqlite().await;
    filled(&stand).await.close().await;
    let file = rusqlite::Connection::open(stand.file()).unwrap();
    file.execute_batch(DAMAGE).unwrap();
    let report = stand.open().await.check(&|_, _| None).await.unwrap();
    assert_eq!(report.findings.len(), DAMAGE_FINDINGS, "{report:#?}");
}

#[tokio::test]
async fn planted_damage_is_found_in_postgres() {
    let stand = Stand::postgres().await;
    filled(&stand).await.close().await;
    let Location::Postgres(url) = &stand.location else { unreachable!() };
    crate::support::postgres::execute(url, DAMAGE).await;
    let report = stand.open().await.check(&|_, _| None).await.unwrap();
    assert_eq!(report.findings.len(), DAMAGE_FINDINGS, "{report:#?}");
}

/// No JSON (which also disagrees with the journal), an orphaned term, a gap, a head that lies, an
/// entry that is found where it has no business.
const DAMAGE: &str = r#"
    UPDATE "customer" SET "doc" = '{' WHERE "number" = 1;
    INSERT INTO "customer_term" ("tenant", "term", "number") VALUES (1, 'x', 4711);
    DELETE FROM "journal" WHERE "tenant" = 1 AND "seq" = 2;
    UPDATE "head" SET "last" = 9 WHERE "tenant" = 2;
    INSERT INTO "mention" ("tenant", "number", "seq") VALUES (1, 4711, 1);
"#;
const DAMAGE_FINDINGS: usize = 6;

/// Far longer than a restore of some records takes on the slowest machine.
const ENDLESS: std::time::Duration = std::time::Duration::from_secs(60);

/// What the server answers comes in as many pieces as the network likes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_ends_though_answers_come_in_pieces() {
    let memory = Stand::memory().await.open().await;
    for number in 1..=20 {
        let record = customer(1, number);
        let mut written = batch(1, vec![insert(&record)]);
        // Entries that are found in two more histories: several statements each.
        written.entries[0].related = vec![number + 1_000, number + 2_000];
        memory.commit(written).await.unwrap();
    }
    let mut dump = Vec::new();
    memory.dump(&mut dump).await.unwrap();
    let database = crate::support::postgres::Database::create().await;
    let behind = crate::support::pieces::before(&database.url()).await;
    let options = Options::default();
    let store = Store::open(&Location::Postgres(behind), KINDS, options).await.unwrap();
    let dump = String::from_utf8(dump).unwrap();
    let restored = tokio::time::timeout(ENDLESS, restore(&store, &dump)).await;
    let summary = restored.expect("the restore waits for itself").unwrap();
    assert_eq!(summary.rows["journal"], 20);
    store.close().await;
}
