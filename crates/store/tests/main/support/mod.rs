//! Kinds, records and places to keep them.

pub mod pieces;
pub mod postgres;

use std::sync::Arc;

use patron_store::{
    Answer, BackupFile, Batch, Column, DumpSummary, Index, Kind, Location, NewEntry, Options,
    Record, Replay, Store, StoreError, Value, Write,
};
use tempfile::TempDir;
use uuid::Uuid;

pub static CUSTOMER: Kind = Kind {
    name: "customer",
    columns: &[
        Column::text("email", Index::Unique),
        Column::text("handle", Index::UniqueEverywhere),
        Column::int("created", Index::Ordered),
        Column::text("name", Index::Ordered),
        Column::text("note", Index::None),
        Column::int("rank", Index::Unique),
    ],
    terms: true,
};
/// Names that are SQL keywords.
pub static KEY: Kind = Kind {
    name: "key",
    columns: &[Column::text("order", Index::Ordered), Column::int("at", Index::None)],
    terms: true,
};
pub static COMMENT: Kind = Kind { name: "comment", columns: &[], terms: false };
pub static KINDS: &[&Kind] = &[&CUSTOMER, &KEY, &COMMENT];

/// A place for one store, removed in the end.
pub struct Stand {
    pub location: Location,
    dir: Option<TempDir>,
    _database: Option<postgres::Database>,
}

impl Stand {
    pub async fn memory() -> Stand {
        Stand { location: Location::Memory, dir: None, _database: None }
    }

    pub async fn sqlite() -> Stand {
        let dir = TempDir::new().unwrap();
        let location = Location::Sqlite(dir.path().join("store.db"));
        Stand { location, dir: Some(dir), _database: None }
    }

    pub async fn postgres() -> Stand {
        let database = postgres::Database::create().await;
        let location = Location::Postgres(database.url());
        Stand { location, dir: None, _database: Some(database) }
    }

    pub async fn open(&self) -> Store {
        Store::open(&self.location, KINDS, Options::default()).await.unwrap()
    }

    pub fn file(&self) -> std::path::PathBuf {
        self.dir.as_ref().unwrap().path().join("store.db")
    }
}

/// Declares one test per engine for each scenario.
#[macro_export]
macro_rules! on_every_engine {
    ($($scenario:ident),* $(,)?) => {
        mod memory { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() { super::$scenario($crate::support::Stand::memory().await).await }
        )* }
        mod sqlite { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() { super::$scenario($crate::support::Stand::sqlite().await).await }
        )* }
        mod postgres { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() { super::$scenario($crate::support::Stand::postgres().await).await }
        )* }
    };
}

pub fn uuid(number: i64) -> Uuid {
    Uuid::from_u128(0x1000_0000_0000_4000_8000_0000_0000_0000 + number as u128)
}

/// A customer without values.
pub fn customer(tenant: i64, number: i64) -> Record {
    Record {
        tenant,
        number,
        uuid: uuid(number),
        revision: 1,
        columns: vec![Value::Null; CUSTOMER.columns.len()],
        doc: format!(r#"{{"number":{number}}}"#).into(),
        terms: Vec::new(),
    }
}

pub trait With: Sized {
    fn with(self, column: &str, value: impl Into<Value>) -> Self;
    fn doc(self, doc: &str) -> Self;
    fn terms(self, terms: &[&str]) -> Self;
    fn next(self) -> Self;
}

impl With for Record {
    fn with(mut self, column: &str, value: impl Into<Value>) -> Self {
        self.columns[CUSTOMER.position(column)] = value.into();
        self
    }

    fn doc(mut self, doc: &str) -> Self {
        self.doc = doc.into();
        self
    }

    fn terms(mut self, terms: &[&str]) -> Self {
        self.terms = terms.iter().map(|term| (*term).to_owned()).collect();
        self.terms.sort();
        self
    }

    fn next(mut self) -> Self {
        self.revision += 1;
        self
    }
}

pub fn insert(record: &Record) -> Write {
    Write::Insert { kind: &CUSTOMER, record: record.clone() }
}

pub fn replace(before: &Record, after: &Record) -> Write {
    Write::Replace {
        kind: &CUSTOMER,
        after: after.clone(),
        before_columns: before.columns.clone(),
        before_terms: before.terms.clone(),
    }
}

pub fn remove(record: &Record) -> Write {
    let Record { tenant, number, revision, .. } = *record;
    Write::Remove { kind: &CUSTOMER, tenant, number, revision }
}

pub fn assert_revision(record: &Record) -> Write {
    let Record { tenant, number, revision, .. } = *record;
    Write::Assert { kind: &CUSTOMER, tenant, number, revision }
}

pub fn entry(record: &Record, action: &'static str) -> NewEntry {
    NewEntry {
        kind: "customer",
        number: record.number,
        subject: record.number,
        related: Vec::new(),
        revision: record.revision,
        action,
        at: record.revision * 1000,
        actor: "key 1".to_owned(),
        request: "req".to_owned(),
        changed: "[]".to_owned(),
        doc: record.doc.clone(),
    }
}

pub fn answer(key: &str, at: i64) -> Answer {
    Answer {
        key: key.to_owned(),
        operation: "create".to_owned(),
        fingerprint: "abc".to_owned(),
        outcome: format!(r#"{{"at":{at}}}"#),
        at,
    }
}

/// A batch with an entry for each insert and replace.
pub fn batch(tenant: i64, writes: Vec<Write>) -> Batch {
    let entries = writes.iter().filter_map(|write| match write {
        Write::Insert { record, .. } => Some(entry(record, "created")),
        Write::Replace { after, .. } => Some(entry(after, "updated")),
        _ => None,
    });
    let entries = entries.collect();
    Batch { tenant, writes, entries, ..Batch::default() }
}

pub async fn add(store: &Store, records: &[Record]) {
    for record in records {
        store.commit(batch(record.tenant, vec![insert(record)])).await.unwrap();
    }
}

/// Runs tasks at once and waits for all.
pub async fn together<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    n: usize,
    task: impl Fn(usize) -> F,
) -> Vec<T> {
    let start = Arc::new(tokio::sync::Barrier::new(n));
    let tasks: Vec<_> = (0..n)
        .map(|at| {
            let (start, task) = (Arc::clone(&start), task(at));
            tokio::spawn(async move {
                start.wait().await;
                task.await
            })
        })
        .collect();
    let mut results = Vec::with_capacity(n);
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}

/// Restores one dump.
pub async fn restore(store: &Store, dump: &str) -> Result<DumpSummary, StoreError> {
    let reader = Box::new(std::io::Cursor::new(dump.to_owned().into_bytes()));
    let file = BackupFile { name: "dump".to_owned(), reader };
    let (record_of, outcome_of) = (|_: &_, _: &_| None, |_: &str| Vec::new());
    let replay = Replay { until: None, record_of, outcome_of, left_out: &[] };
    let restored = store.restore_here(vec![file], &replay).await?;
    Ok(restored[0].summary.clone())
}
