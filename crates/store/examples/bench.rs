//! Rates of the hot path, a few seconds in all: durable PATCH by 64 tasks, and GET without a change of
//! thread. `cargo run --release -p patron-store --example bench [postgres-url]`

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use patron_store::{
    Batch, Column, Implied, Index, Kind, Location, NewEntry, Options, Record, Store, StoreError,
    Synchronous, Value, Write,
};
use uuid::Uuid;

static CUSTOMER: Kind = Kind {
    name: "customer",
    columns: &[
        Column::text("external", Index::Unique),
        Column::text("email", Index::Ordered),
        Column::int("created", Index::Ordered),
    ],
    terms: true,
};
static KINDS: &[&Kind] = &[&CUSTOMER];

const RECORDS: i64 = 20_000;
const TASKS: i64 = 64;
const ROUND: Duration = Duration::from_secs(3);
const DOC_BYTES: usize = 900;

fn record(number: i64, revision: i64) -> Record {
    let mut doc = format!(r#"{{"number":{number},"revision":{revision},"fill":""#);
    doc.extend(std::iter::repeat_n('x', DOC_BYTES - doc.len() - 2));
    doc.push_str("\"}");
    Record {
        tenant: 1,
        number,
        uuid: Uuid::from_u128(number.unsigned_abs().into()),
        revision,
        columns: vec![format!("e{number}").into(), format!("{number}@x").into(), number.into()],
        doc: doc.into(),
        terms: vec![format!("term{number}"), "customer".to_owned()],
    }
}

fn entry(record: &Record) -> NewEntry {
    NewEntry {
        kind: "customer",
        number: record.number,
        subject: record.number,
        related: Vec::new(),
        revision: record.revision,
        action: "updated",
        at: record.revision,
        actor: "key 1".to_owned(),
        request: "request".to_owned(),
        changed: r#"["fill"]"#.to_owned(),
        doc: record.doc.clone(),
    }
}

/// Processor time of this process so far (microseconds; Linux, in steps of 10 ms). Unlike the rates it
/// hardly depends on what else the machine does.
fn cpu_us() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok());
    ticks(11).zip(ticks(12)).map_or(0.0, |(user, system)| (user + system) * 10_000.0)
}

/// Rate and processor time of some work.
async fn rate(
    name: &str,
    work: impl Future<Output = Result<u64, StoreError>>,
) -> Result<(), StoreError> {
    let (begun, cpu) = (Instant::now(), cpu_us());
    let done = work.await? as f64;
    let (seconds, cpu) = (begun.elapsed().as_secs_f64(), cpu_us() - cpu);
    println!("{name}: {:.0}/s, {:.1} us of processor time each", done / seconds, cpu / done);
    Ok(())
}

async fn fill(store: &Store) -> Result<u64, StoreError> {
    let batches = (1..=RECORDS).map(|number| {
        let record = record(number, 1);
        let entries = vec![entry(&record)];
        let writes = vec![Write::Insert { kind: &CUSTOMER, record }];
        Batch { tenant: 1, writes, entries, ..Batch::default() }
    });
    for verdict in store.commit_many(batches.collect()).await {
        verdict?;
    }
    Ok(RECORDS.unsigned_abs())
}

async fn patch(
    store: Store,
    task: i64,
    end: Instant,
    done: Arc<AtomicU64>,
) -> Result<(), StoreError> {
    let own = RECORDS / TASKS;
    let mut at = 0;
    while Instant::now() < end {
        let number = task * own + at % own + 1;
        at += 1;
        let Some(row) = store.get(&CUSTOMER, 1, number).await? else { continue };
        let after = record(number, row.revision + 1);
        let (before_columns, before_terms) = (after.columns.clone(), after.terms.clone());
        let entries = vec![entry(&after)];
        let writes = vec![Write::Replace { kind: &CUSTOMER, after, before_columns, before_terms }];
        store.commit(Batch { tenant: 1, writes, entries, ..Batch::default() }).await?;
        done.fetch_add(1, Relaxed);
    }
    Ok(())
}

async fn patches(store: &Store, tasks: i64) -> Result<u64, StoreError> {
    let done = Arc::new(AtomicU64::new(0));
    let end = Instant::now() + ROUND;
    let tasks: Vec<_> = (0..tasks)
        .map(|task| tokio::spawn(patch(store.clone(), task, end, done.clone())))
        .collect();
    for task in tasks {
        task.await.map_err(|error| StoreError::Engine(error.to_string()))??;
    }
    Ok(done.load(Relaxed))
}

async fn gets(store: &Store) -> Result<u64, StoreError> {
    let (begun, mut done) = (Instant::now(), 0u64);
    while begun.elapsed() < ROUND {
        for _ in 0..100 {
            let number = (done * 7919 % RECORDS.unsigned_abs()) as i64 + 1;
            store.get(&CUSTOMER, 1, number).await?;
            done += 1;
        }
    }
    Ok(done)
}

async fn by_external(store: &Store) -> Result<u64, StoreError> {
    let (begun, mut done) = (Instant::now(), 0u64);
    while begun.elapsed() < ROUND {
        let number = done * 7919 % RECORDS.unsigned_abs() + 1;
        store.get_by(&CUSTOMER, 1, "external", &format!("e{number}")).await?;
        done += 1;
    }
    Ok(done)
}

async fn measure(name: &str, location: &Location, options: Options) -> Result<(), StoreError> {
    let store = Store::open(location, KINDS, options).await?;
    rate(&format!("{name}: insert many"), fill(&store)).await?;
    rate(&format!("{name}: GET, one core"), gets(&store)).await?;
    rate(&format!("{name}: GET by unique text, one core"), by_external(&store)).await?;
    rate(&format!("{name}: PATCH, 1 task"), patches(&store, 1)).await?;
    rate(&format!("{name}: PATCH, {TASKS} tasks"), patches(&store, TASKS)).await?;
    println!("{name}: {:?}", store.statistics());
    let report = store
        .check(&|_, row| Some(Implied { columns: columns_of(row.number), face: None, own: None }))
        .await?;
    println!("{name}: check finds {:?}", report.findings);
    store.close().await;
    Ok(())
}

fn columns_of(number: i64) -> Vec<Value> {
    record(number, 1).columns
}

#[tokio::main]
async fn main() -> Result<(), StoreError> {
    let dir = std::env::temp_dir().join(format!("patron-bench-{}", std::process::id()));
    std::fs::create_dir_all(&dir).map_err(|error| StoreError::Unavailable(error.to_string()))?;
    for synchronous in [Synchronous::Full, Synchronous::Off] {
        let location = Location::Sqlite(dir.join(format!("{synchronous:?}.db")));
        let options = Options { synchronous, ..Options::default() };
        measure(&format!("sqlite {synchronous:?}"), &location, options).await?;
    }
    if let Some(url) = std::env::args().nth(1) {
        measure("postgres", &Location::Postgres(url), Options::default()).await?;
    }
    std::fs::remove_dir_all(&dir).map_err(|error| StoreError::Unavailable(error.to_string()))
}
