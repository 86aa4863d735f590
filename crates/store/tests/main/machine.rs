//! Random operations and searches, the same on a database and on the memory engine: both must agree on
//! every outcome.

use std::collections::{BTreeMap, BTreeSet};

use patron_store::{
    After, Batch, Compare, Field, Order, Predicate, Query, Record, Store, StoreError, Value,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use regex::Regex;

use crate::support::*;

const SQLITE_CASES: u32 = 60;
const POSTGRES_CASES: u32 = 20;

/// One change of one record; whether it fits the present state is left to chance.
#[derive(Debug, Clone)]
enum Change {
    Insert(Shape),
    Replace(Shape, bool),
    Remove(i64, bool),
    Assert(i64, bool),
}

/// What a record shall look like.
#[derive(Debug, Clone)]
struct Shape {
    tenant: i64,
    number: i64,
    email: Option<String>,
    handle: Option<String>,
    created: Option<i64>,
    name: Option<String>,
    doc: String,
    terms: Vec<String>,
}

#[derive(Debug, Clone)]
struct Step {
    tenant: i64,
    changes: Vec<Change>,
    key: Option<u8>,
    dry_run: bool,
    /// What each entry hangs on beside itself, and is related to.
    names: Vec<(Option<i64>, Vec<i64>)>,
}

#[derive(Debug, Clone)]
struct Ask {
    predicate: Predicate,
    order: Order,
    offset: u64,
    limit: u32,
    /// Continue behind the row at this place of the page.
    behind: Option<usize>,
}

const TEXTS: &[&str] =
    &["", "a", "A", "ab", "Ab%", "ä", "Ä_", "ΣΑΣ", "İx", "5", "5.0", "1e1", "true"];
const DOC_VALUES: &[&str] = &[
    "null",
    "\"a\"",
    "\"Ab%\"",
    "\"ΣΑΣ\"",
    "5",
    "5.0",
    "-3",
    "1e1",
    "\"5.00\"",
    "true",
    "[5]",
    "{\"x\":5}",
];
const TERMS: &[&str] = &["a", "ab", "abc", "ä", "b"];

fn text() -> impl Strategy<Value = String> {
    prop::sample::select(TEXTS).prop_map(str::to_owned)
}

fn shape() -> impl Strategy<Value = Shape> {
    let unique =
        || prop::option::of(prop::sample::select(&["u", "v", "w"][..]).prop_map(str::to_owned));
    let values = prop::collection::vec(prop::sample::select(DOC_VALUES), 2);
    let doc = values.prop_map(|v| format!(r#"{{"t":{},"m":{{"k.'\"":{}}}}}"#, v[0], v[1]));
    let terms = prop::sample::subsequence(TERMS, 0..=3);
    (
        (1..=2i64, 1..=9i64, unique(), unique(), prop::option::of(-1..=2i64)),
        (prop::option::of(text()), doc, terms),
    )
        .prop_map(|((tenant, number, email, handle, created), (name, doc, terms))| Shape {
            tenant,
            number,
            email,
            handle,
            created,
            name,
            doc,
            // A record's terms are sorted and distinct.
            terms: terms
                .into_iter()
                .map(str::to_owned)
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect(),
        })
}

fn step() -> impl Strategy<Value = Step> {
    let change = prop_oneof![
        4 => shape().prop_map(Change::Insert),
        4 => (shape(), prop::bool::weighted(0.9)).prop_map(|(s, fits)| Change::Replace(s, fits)),
        1 => (1..=9i64, prop::bool::weighted(0.9)).prop_map(|(n, fits)| Change::Remove(n, fits)),
        1 => (1..=9i64, prop::bool::weighted(0.9)).prop_map(|(n, fits)| Change::Assert(n, fits)),
    ];
    let changes = prop::collection::vec(change, 1..4);
    let related = prop::collection::vec(1..=9i64, 0..3);
    let names = prop::collection::vec((prop::option::weighted(0.3, 1..=9i64), related), 3);
    let key = prop::option::weighted(0.2, 0..4u8);
    (1..=2i64, changes, key, prop::bool::weighted(0.1), names).prop_map(
        |(tenant, changes, key, dry_run, names)| Step { tenant, changes, key, dry_run, names },
    )
}

fn text_field() -> impl Strategy<Value = Field> {
    prop_oneof![
        Just(Field::Column("email")),
        Just(Field::Column("name")),
        Just(Field::text(&["t"])),
        Just(Field::text(&["m", "k.'\""])),
        Just(Field::First(vec![Field::Column("name"), Field::text(&["t"])])),
    ]
}

fn field() -> impl Strategy<Value = Field> {
    prop_oneof![
        3 => text_field(),
        1 => Just(Field::Number),
        1 => Just(Field::Uuid),
        2 => Just(Field::Column("created")),
        1 => Just(Field::Whole(vec!["t".into()])),
        1 => Just(Field::Decimal(vec!["t".into()])),
        1 => Just(Field::First(vec![Field::Whole(vec!["t".into()]), Field::Column("created")])),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![text().prop_map(Value::Text), (-3..=10i64).prop_map(Value::Int), Just(Value::Null),]
}

fn predicate() -> impl Strategy<Value = Predicate> {
    use Predicate as P;
    let compare = prop::sample::select(
        &[Compare::Equal, Compare::Less, Compare::AtMost, Compare::Greater, Compare::AtLeast][..],
    );
    let pattern = prop::sample::select(&["a", "^A", "[0-9]", "σ|Σ", "^$"][..]);
    let leaf = prop_oneof![
        1 => Just(P::All),
        4 => (field(), compare, value()).prop_map(|(f, c, v)| P::Compare(f, c, v)),
        1 => (field(), prop::collection::vec(value(), 0..3)).prop_map(|(f, v)| P::OneOf(f, v)),
        1 => field().prop_map(P::Missing),
        1 => (field(), text()).prop_map(|(f, t)| P::Contains(f, t)),
        1 => (text_field(), text()).prop_map(|(f, t)| P::StartsWith(f, t)),
        1 => (text_field(), text()).prop_map(|(f, t)| P::EqualFolded(f, t)),
        1 => (text_field(), pattern)
            .prop_map(|(f, p)| P::Matches(f, Regex::new(p).expect("a pattern"))),
        1 => prop::sample::select(TERMS).prop_map(|term| P::HasTerm(term.to_owned())),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(P::And),
            prop::collection::vec(inner.clone(), 0..3).prop_map(P::Or),
            inner.prop_map(|p| P::Not(Box::new(p))),
        ]
    })
}

fn ask() -> impl Strategy<Value = Ask> {
    let keys = prop::collection::vec((field(), any::<bool>()), 0..=2);
    let order = (keys, any::<bool>()).prop_map(|(keys, descending)| {
        let keys = keys.into_iter();
        let keys = keys.map(|(field, descending)| patron_store::SortKey { field, descending });
        Order { keys: keys.collect(), descending }
    });
    (predicate(), order, 0..3u64, 0..6u32, prop::option::of(0..4usize)).prop_map(
        |(predicate, order, offset, limit, behind)| Ask { predicate, order, offset, limit, behind },
    )
}

/// The records as the memory engine has them, to build the next change on.
type Present = BTreeMap<i64, Record>;

fn record(shape: &Shape, revision: i64) -> Record {
    let record = customer(shape.tenant, shape.number)
        .with("email", shape.email.clone())
        .with("handle", shape.handle.clone())
        .with("created", shape.created)
        .with("name", shape.name.clone())
        .doc(&shape.doc);
    Record { revision, terms: shape.terms.clone(), ..record }
}

/// The batch of a step, and the records as they are when it succeeds.
fn plan(step: &Step, present: &Present) -> (Batch, Present) {
    let mut next = present.clone();
    let mut writes = Vec::new();
    for change in &step.changes {
        match change {
            Change::Insert(shape) => {
                let record = record(shape, 1);
                writes.push(insert(&record));
                next.insert(record.number, record);
            }
            Change::Replace(shape, fits) => {
                let before = next.get(&shape.number).cloned().unwrap_or(customer(1, shape.number));
                let tenant = if *fits { before.tenant } else { 3 - before.tenant };
                let after = record(&Shape { tenant, ..shape.clone() }, before.revision + 1);
                writes.push(replace(&before, &after));
                next.insert(after.number, after);
            }
            Change::Remove(number, fits) | Change::Assert(number, fits) => {
                let mut before = next.get(number).cloned().unwrap_or(customer(1, *number));
                before.revision += i64::from(!fits);
                if matches!(change, Change::Remove(..)) {
                    writes.push(remove(&before));
                    next.remove(number);
                } else {
                    writes.push(assert_revision(&before));
                }
            }
        }
    }
    let mut batch = batch(step.tenant, writes);
    for (entry, (subject, related)) in batch.entries.iter_mut().zip(&step.names) {
        entry.subject = subject.unwrap_or(entry.number);
        entry.related.clone_from(related);
    }
    batch.answer = step.key.map(|key| answer(&format!("key {}", key / 2), i64::from(key)));
    batch.answer_since = i64::from(step.key.unwrap_or(0) % 2);
    batch.dry_run = step.dry_run;
    (batch, next)
}

/// A refusal without the column: with two violations at once, engines may name either.
fn verdict<T: std::fmt::Debug>(outcome: &Result<T, StoreError>) -> String {
    match outcome {
        Err(StoreError::Unique { kind, .. }) => format!("{kind} is not unique"),
        other => format!("{other:?}"),
    }
}

async fn run(
    memory: &Store,
    other: &Store,
    steps: &[Step],
    asks: &[Ask],
) -> Result<(), TestCaseError> {
    let mut present = Present::new();
    for step in steps {
        let (batch, next) = plan(step, &present);
        let applied = !batch.dry_run;
        let (expected, actual) = (memory.commit(batch.clone()).await, other.commit(batch).await);
        prop_assert_eq!(verdict(&expected), verdict(&actual), "{:?}", step);
        if expected.is_ok() && applied {
            present = next;
        }
    }
    for tenant in [1, 2] {
        prop_assert_eq!(
            memory.entries(tenant, 0, 1000).await.unwrap(),
            other.entries(tenant, 0, 1000).await.unwrap()
        );
        for prefix in ["", "a", "ab", "ä", "x"] {
            prop_assert_eq!(
                memory.scan_terms(&CUSTOMER, tenant, prefix, Some(("a", 3)), 4).await.unwrap(),
                other.scan_terms(&CUSTOMER, tenant, prefix, Some(("a", 3)), 4).await.unwrap()
            );
        }
    }
    for (tenant, number) in (1..=2).flat_map(|tenant| (1..=9).map(move |n| (tenant, n))) {
        compare_past(memory, other, tenant, number).await?;
    }
    for number in 1..=9 {
        prop_assert_eq!(
            memory.get_anywhere(&CUSTOMER, number).await.unwrap(),
            other.get_anywhere(&CUSTOMER, number).await.unwrap()
        );
    }
    for key in ["key 0", "key 1"] {
        prop_assert_eq!(memory.answer(1, key).await.unwrap(), other.answer(1, key).await.unwrap());
    }
    for ask in asks {
        compare(memory, other, ask, &present).await?;
    }
    // Not always clean: a step may journal in another tenant than the record's.
    let (expected, actual) = (memory.check(&|_, _| None).await, other.check(&|_, _| None).await);
    prop_assert_eq!(expected.unwrap(), actual.unwrap());
    Ok(())
}

/// What is told of one record, all of it and in pages.
async fn compare_past(
    memory: &Store,
    other: &Store,
    tenant: i64,
    number: i64,
) -> Result<(), TestCaseError> {
    let told = memory.history(tenant, number, None, 1000).await.unwrap();
    prop_assert_eq!(&told, &other.history(tenant, number, None, 1000).await.unwrap());
    for page in told.chunks(2) {
        let before = Some(page[0].seq + 1);
        prop_assert_eq!(page, other.history(tenant, number, before, 2).await.unwrap());
    }
    for revision in 1..4 {
        prop_assert_eq!(
            memory.entry_at_revision(tenant, "customer", number, revision).await.unwrap(),
            other.entry_at_revision(tenant, "customer", number, revision).await.unwrap()
        );
        prop_assert_eq!(
            memory.entry_at_time(tenant, "customer", number, revision * 1000).await.unwrap(),
            other.entry_at_time(tenant, "customer", number, revision * 1000).await.unwrap()
        );
    }
    Ok(())
}

async fn compare(
    memory: &Store,
    other: &Store,
    ask: &Ask,
    present: &Present,
) -> Result<(), TestCaseError> {
    let Ask { predicate, order, offset, limit, behind } = ask.clone();
    let tenants = vec![1, 2];
    prop_assert_eq!(
        memory.count(&CUSTOMER, &tenants, &predicate).await.unwrap(),
        other.count(&CUSTOMER, &tenants, &predicate).await.unwrap(),
        "{:?}",
        predicate
    );
    let mut query = Query { tenants, predicate, order, after: None, offset, limit };
    let expected = memory.find(&CUSTOMER, &query).await.unwrap();
    prop_assert_eq!(&expected, &other.find(&CUSTOMER, &query).await.unwrap(), "{:?}", query);
    let Some(row) = behind.and_then(|at| expected.rows.get(at)) else { return Ok(()) };
    if query.order.keys.len() > 1 {
        return Ok(());
    }
    let record = &present[&row.number];
    let subject = patron_store::Subject {
        kind: &CUSTOMER,
        row,
        columns: &record.columns,
        terms: &record.terms,
    };
    let keys = query.order.keys.iter().map(|key| key.field.value(&subject)).collect();
    query.after = Some(After { keys, number: row.number });
    let expected = memory.find(&CUSTOMER, &query).await.unwrap();
    prop_assert_eq!(&expected, &other.find(&CUSTOMER, &query).await.unwrap(), "{:?}", query);
    Ok(())
}

fn agree<S: Future<Output = Stand>>(cases: u32, stand: impl Fn() -> S) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // Keeps what several stands share alive between two of them.
    let _kept = runtime.block_on(stand());
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let steps = prop::collection::vec(step(), 1..25);
    let asks = prop::collection::vec(ask(), 8);
    TestRunner::new(config)
        .run(&(steps, asks), |(steps, asks)| {
            runtime.block_on(async {
                let (memory, place) = (Stand::memory().await.open().await, stand().await);
                let other = place.open().await;
                let outcome = run(&memory, &other, &steps, &asks).await;
                other.close().await;
                outcome
            })
        })
        .unwrap();
}

#[test]
fn sqlite_agrees_with_memory() {
    agree(SQLITE_CASES, Stand::sqlite);
}

#[test]
fn postgres_agrees_with_memory() {
    agree(POSTGRES_CASES, Stand::postgres);
}
