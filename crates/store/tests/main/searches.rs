//! What every engine promises about predicates, orders and pages.

use patron_store::{After, Compare, Field, Order, Predicate, Query, SortKey, Store, Value};
use regex::Regex;

use crate::on_every_engine;
use crate::support::*;

on_every_engine!(
    every_predicate,
    document_fields,
    orders_and_pages,
    residual_pages,
    tenants,
    hostile_names,
    nul_is_nowhere,
    counts,
);

async fn numbers(store: &Store, query: &Query) -> Vec<i64> {
    let found = store.find(&CUSTOMER, query).await.unwrap();
    found.rows.iter().map(|row| row.number).collect()
}

/// Numbers that meet a predicate; the count must agree.
async fn met(store: &Store, predicate: Predicate) -> Vec<i64> {
    let count = store.count(&CUSTOMER, &[1], &predicate).await.unwrap();
    let found = numbers(store, &Query { predicate, ..Query::of(1) }).await;
    assert_eq!(count, found.len() as u64);
    found
}

fn not(predicate: Predicate) -> Predicate {
    Predicate::Not(Box::new(predicate))
}

fn email() -> Field {
    Field::Column("email")
}

fn created() -> Field {
    Field::Column("created")
}

async fn some_customers(stand: &Stand) -> Store {
    let store = stand.open().await;
    add(
        &store,
        &[
            customer(1, 1).with("email", "Ada@X.org").with("created", 10).terms(&["red"]),
            customer(1, 2).with("email", "bob@x.org").with("created", 20).terms(&["red", "blue"]),
            customer(1, 3).with("created", 30),
            customer(1, 4).with("email", "ÄRA_100%@x.org"),
            customer(1, 5).with("email", "ΟΔΥΣΣΕΥΣ").with("created", 20),
            customer(2, 6).with("email", "bob@x.org").with("created", 20).terms(&["red"]),
        ],
    )
    .await;
    store
}

async fn every_predicate(stand: Stand) {
    use Predicate::*;
    let store = some_customers(&stand).await;
    let compare = |field: Field, compare, value: i64| Compare(field, compare, Value::Int(value));
    let cases: Vec<(Predicate, &[i64])> = vec![
        (All, &[1, 2, 3, 4, 5]),
        (And(vec![]), &[1, 2, 3, 4, 5]),
        (Or(vec![]), &[]),
        (Predicate::equal(email(), "bob@x.org"), &[2]),
        (not(Predicate::equal(email(), "bob@x.org")), &[1, 3, 4, 5]),
        (Predicate::equal(email(), 5), &[]),
        (Predicate::equal(email(), Value::Null), &[]),
        (Predicate::equal(Field::Number, 3), &[3]),
        (Predicate::equal(Field::Uuid, uuid(3).to_string()), &[3]),
        (compare(created(), patron_store::Compare::Less, 20), &[1]),
        (compare(created(), patron_store::Compare::AtMost, 20), &[1, 2, 5]),
        (compare(created(), patron_store::Compare::Greater, 20), &[3]),
        (compare(created(), patron_store::Compare::AtLeast, 20), &[2, 3, 5]),
        (not(compare(created(), patron_store::Compare::Less, 20)), &[2, 3, 4, 5]),
        (Compare(email(), patron_store::Compare::Less, "b".into()), &[1]),
        (Compare(email(), patron_store::Compare::Greater, "b".into()), &[2, 4, 5]),
        (OneOf(created(), vec![10.into(), 30.into(), "x".into(), Value::Null]), &[1, 3]),
        (OneOf(email(), vec!["bob@x.org".into(), "no".into()]), &[2]),
        (OneOf(email(), vec![]), &[]),
        (not(OneOf(created(), vec![10.into()])), &[2, 3, 4, 5]),
        (Missing(email()), &[3]),
        (not(Missing(created())), &[1, 2, 3, 5]),
        (Contains(email(), "@x.ORG".into()), &[1, 2, 4]),
        (Contains(email(), "0%".into()), &[4]),
        (Contains(email(), "_1".into()), &[4]),
        (Contains(email(), "".into()), &[1, 2, 4, 5]),
        (Contains(created(), "1".into()), &[]),
        (StartsWith(email(), "är".into()), &[4]),
        (StartsWith(email(), "ADA".into()), &[1]),
        (not(StartsWith(email(), "ADA".into())), &[2, 3, 4, 5]),
        (EqualFolded(email(), "ada@x.ORG".into()), &[1]),
        (EqualFolded(email(), "ΟΔΥΣΣΕΥΣ".into()), &[5]),
        (EqualFolded(email(), "οδυσσευς".into()), &[5]),
        (EqualFolded(email(), "οδυσσευσ".into()), &[]),
        (Matches(email(), Regex::new("^[a-z]+@x").unwrap()), &[2]),
        (not(Matches(email(), Regex::new("^[a-z]+@x").unwrap())), &[1, 3, 4, 5]),
        (HasTerm("red".into()), &[1, 2]),
        (not(HasTerm("red".into())), &[3, 4, 5]),
        (HasTerm("re".into()), &[]),
        (HasTerm("blue".into()).and(HasTerm("red".into())), &[2]),
        (
            Or(vec![
                Matches(email(), Regex::new("bob").unwrap()),
                HasTerm("red".into()),
                not(Or(vec![Missing(created()), Matches(email(), Regex::new(".").unwrap())])),
            ]),
            &[1, 2, 3],
        ),
        (
            not(And(vec![Missing(email()), compare(created(), patron_store::Compare::Equal, 30)])),
            &[1, 2, 4, 5],
        ),
        (
            Predicate::equal(
                Field::First(vec![Field::Column("note"), Field::Column("name"), email()]),
                "bob@x.org",
            ),
            &[2],
        ),
        (Missing(Field::First(vec![])), &[1, 2, 3, 4, 5]),
    ];
    for (predicate, expected) in cases {
        assert_eq!(met(&store, predicate.clone()).await, expected, "{predicate:?}");
    }
}

async fn document_fields(stand: Stand) {
    use patron_store::Compare::*;
    let store = stand.open().await;
    let docs = [
        r#"{"a":{"b":"x"},"t":"text","n":5,"d":"10.50","big":9223372036854775807}"#,
        r#"{"a":{"b":true},"t":"5","n":5.0,"d":9.75,"big":9223372036854775808}"#,
        r#"{"a":{"b":null},"t":null,"n":"5","d":1e1,"big":-9223372036854775808}"#,
        r#"{"a":["b"],"t":{"x":1},"n":-3,"d":"ten","big":1}"#,
        r#"{"a":"b","t":[1],"n":1e2,"d":"-0.5"}"#,
        r#"{"a":{"b":false},"a":{"b":12.30}}"#,
        "[1,2]",
        r#""just a text""#,
    ];
    for (doc, number) in docs.iter().zip(1..) {
        add(&store, &[customer(1, number).doc(doc)]).await;
    }
    let text = Field::text;
    let whole = |name: &str| Field::Whole(vec![name.to_owned()]);
    let decimal = |name: &str| Field::Decimal(vec![name.to_owned()]);
    let cases: Vec<(Predicate, &[i64])> = vec![
        (Predicate::equal(text(&["a", "b"]), "x"), &[1]),
        (Predicate::equal(text(&["a", "b"]), "true"), &[2]),
        (Predicate::equal(text(&["a", "b"]), "12.30"), &[6]),
        (Predicate::Missing(text(&["a", "b"])), &[3, 4, 5, 7, 8]),
        (Predicate::Missing(text(&["a"])), &[1, 2, 3, 4, 6, 7, 8]),
        (Predicate::Missing(text(&["a", "0"])), &[1, 2, 3, 4, 5, 6, 7, 8]),
        (Predicate::equal(text(&["t"]), "5"), &[2]),
        (Predicate::Missing(text(&["t"])), &[3, 4, 5, 6, 7, 8]),
        (Predicate::equal(text(&["n"]), "5.0"), &[2]),
        (Predicate::equal(text(&["n"]), "1e2"), &[5]),
        (Predicate::equal(whole("n"), 5), &[1]),
        (Predicate::Compare(whole("n"), Less, 5.into()), &[4]),
        (Predicate::Missing(whole("n")), &[2, 3, 5, 6, 7, 8]),
        (Predicate::equal(whole("big"), i64::MAX), &[1]),
        (Predicate::equal(whole("big"), i64::MIN), &[3]),
        (Predicate::equal(whole("n"), "5"), &[]),
        (Predicate::equal(decimal("d"), "10.5"), &[1]),
        (Predicate::equal(decimal("d"), 10), &[3]),
        (Predicate::Compare(decimal("d"), Greater, "9.750".into()), &[1, 3]),
        (Predicate::Compare(decimal("d"), AtMost, 0.into()), &[5]),
        (Predicate::OneOf(decimal("d"), vec!["9.750".into(), 10.into(), "no".into()]), &[2, 3]),
        (Predicate::Missing(decimal("d")), &[4, 6, 7, 8]),
        (Predicate::equal(decimal("d"), "ten"), &[]),
        (Predicate::Contains(text(&["t"]), "EX".into()), &[1]),
        (Predicate::Matches(text(&["a", "b"]), Regex::new("^(x|true)$").unwrap()), &[1, 2]),
        (Predicate::equal(Field::First(vec![text(&["t"]), text(&["a", "b"])]), "12.30"), &[6]),
        (Predicate::Missing(text(&[])), &[1, 2, 3, 4, 5, 6, 7]),
    ];
    for (predicate, expected) in cases {
        assert_eq!(met(&store, predicate.clone()).await, expected, "{predicate:?}");
    }
    let by = |field, descending| Query { order: Order::by(field, descending), ..Query::of(1) };
    assert_eq!(numbers(&store, &by(decimal("d"), false)).await, [5, 2, 3, 1, 4, 6, 7, 8]);
    assert_eq!(numbers(&store, &by(decimal("d"), true)).await, [8, 7, 6, 4, 1, 3, 2, 5]);
    assert_eq!(numbers(&store, &by(whole("big"), false)).await, [3, 4, 1, 2, 5, 6, 7, 8]);
}

/// Every page of a query, continued by position, one row at a time, must give the whole.
async fn walk(store: &Store, query: &Query, whole: &[i64]) {
    let all = numbers(store, &Query { limit: 1000, ..query.clone() }).await;
    assert_eq!(all, whole, "{:?}", query.order);
    let mut after = None;
    let mut walked = Vec::new();
    loop {
        let page = Query { after: after.clone(), limit: 2, ..query.clone() };
        let found = store.find(&CUSTOMER, &page).await.unwrap();
        walked.extend(found.rows.iter().map(|row| row.number));
        assert_eq!(found.more, walked.len() < whole.len(), "{walked:?} {:?}", query.order);
        if !found.more {
            break;
        }
        let number = found.rows.last().unwrap().number;
        let key = |field: &Field| value_of(field, number);
        let keys = query.order.keys.iter().map(|k| key(&k.field)).collect();
        after = Some(After { keys, number });
    }
    assert_eq!(walked, whole, "{:?}", query.order);
    // Offsets count from the position.
    let middle = After {
        keys: query.order.keys.iter().map(|k| value_of(&k.field, whole[1])).collect(),
        number: whole[1],
    };
    let page = Query { after: Some(middle), offset: 2, limit: 2, ..query.clone() };
    assert_eq!(numbers(store, &page).await, whole[4..6], "{:?}", query.order);
    let page = Query { offset: 3, limit: 2, ..query.clone() };
    assert_eq!(numbers(store, &page).await, whole[3..5], "{:?}", query.order);
}

/// What `orders_and_pages` gave each record.
fn value_of(field: &Field, number: i64) -> Value {
    match field {
        Field::Number => number.into(),
        Field::Uuid => uuid(number).to_string().into(),
        Field::Decimal(_) => Some(format!("{}.50", number % 3)).filter(|_| number % 4 != 0).into(),
        _ => Some(number % 3).filter(|_| number % 4 != 0).into(),
    }
}

async fn ordered_customers(stand: &Stand) -> Store {
    let store = stand.open().await;
    for number in 1..=9 {
        let created = Some(number % 3).filter(|_| number % 4 != 0);
        let doc = match created {
            Some(created) => format!(r#"{{"created":{created},"d":"{created}.50"}}"#),
            None => "{}".to_owned(),
        };
        add(&store, &[customer(1, number).with("created", created).doc(&doc)]).await;
    }
    add(&store, &[customer(2, 10).with("created", 1)]).await;
    store
}

async fn orders_and_pages(stand: Stand) {
    let store = ordered_customers(&stand).await;
    // created: 1→1 2→2 3→0 4→- 5→2 6→0 7→1 8→- 9→0
    let up: &[i64] = &[3, 6, 9, 1, 7, 2, 5, 4, 8];
    let down: &[i64] = &[8, 4, 5, 2, 7, 1, 9, 6, 3];
    let decimal = Field::Decimal(vec!["d".into()]);
    for field in [created(), Field::Whole(vec!["created".into()]), decimal] {
        walk(&store, &Query { order: Order::by(field.clone(), false), ..Query::of(1) }, up).await;
        walk(&store, &Query { order: Order::by(field.clone(), true), ..Query::of(1) }, down).await;
        let mixed = Order { keys: vec![SortKey { field, descending: false }], descending: true };
        let whole = &[9, 6, 3, 7, 1, 5, 2, 8, 4];
        walk(&store, &Query { order: mixed, ..Query::of(1) }, whole).await;
    }
    let by_number: Vec<i64> = (1..=9).collect();
    let newest: Vec<i64> = (1..=9).rev().collect();
    walk(&store, &Query::of(1), &by_number).await;
    walk(&store, &Query { order: Order::newest_first(), ..Query::of(1) }, &newest).await;
    walk(&store, &Query { order: Order::by(Field::Number, true), ..Query::of(1) }, &newest).await;
    walk(&store, &Query { order: Order::by(Field::Uuid, false), ..Query::of(1) }, &by_number).await;
    let key = |field, descending| SortKey { field, descending };
    let two =
        Order { keys: vec![key(created(), true), key(Field::Number, true)], descending: false };
    assert_eq!(numbers(&store, &Query { order: two.clone(), ..Query::of(1) }).await, down);
    let after = Some(After { keys: vec![Value::Null, Value::Null], number: 1 });
    assert!(store.find(&CUSTOMER, &Query { order: two, after, ..Query::of(1) }).await.is_err());
    // A position where no record is.
    let after = Some(After { keys: vec![1.into()], number: 3 });
    let query = Query { order: Order::by(created(), false), after, ..Query::of(1) };
    assert_eq!(numbers(&store, &query).await, [7, 2, 5, 4, 8]);
    let none = Query { limit: 0, ..Query::of(1) };
    let found = store.find(&CUSTOMER, &none).await.unwrap();
    assert!(found.rows.is_empty() && found.more);
}

async fn residual_pages(stand: Stand) {
    let store = ordered_customers(&stand).await;
    let pattern = Regex::new("[01]").unwrap();
    let predicate = Predicate::Matches(Field::text(&["created"]), pattern);
    let query = |descending| Query {
        predicate: predicate.clone(),
        order: Order::by(created(), descending),
        ..Query::of(1)
    };
    walk_residual(&store, &query(false), &[3, 6, 9, 1, 7]).await;
    walk_residual(&store, &query(true), &[7, 1, 9, 6, 3]).await;
}

async fn walk_residual(store: &Store, query: &Query, whole: &[i64]) {
    assert_eq!(numbers(store, query).await, whole);
    for (at, number) in whole.iter().enumerate() {
        let after = After { keys: vec![value_of(&created(), *number)], number: *number };
        let page = Query { after: Some(after), limit: 1, ..query.clone() };
        let found = store.find(&CUSTOMER, &page).await.unwrap();
        let next: Vec<i64> = found.rows.iter().map(|row| row.number).collect();
        assert_eq!(next, whole[at + 1..].iter().take(1).copied().collect::<Vec<_>>());
        assert_eq!(found.more, at + 2 < whole.len());
        let page = Query { offset: at as u64, limit: 1, ..query.clone() };
        assert_eq!(numbers(store, &page).await, [*number]);
    }
}

async fn tenants(stand: Stand) {
    let store = some_customers(&stand).await;
    let of = |tenants: &[i64]| Query { tenants: tenants.to_vec(), ..Query::of(1) };
    assert_eq!(numbers(&store, &of(&[1, 2])).await, [1, 2, 3, 4, 5, 6]);
    assert_eq!(numbers(&store, &of(&[2, 3])).await, [6]);
    assert_eq!(numbers(&store, &of(&[])).await, [0i64; 0]);
    let red = Predicate::HasTerm("red".into());
    assert_eq!(store.count(&CUSTOMER, &[1, 2], &red).await.unwrap(), 3);
    let both = Query { predicate: red, ..of(&[2, 1]) };
    assert_eq!(numbers(&store, &both).await, [1, 2, 6]);
}

async fn hostile_names(stand: Stand) {
    let store = stand.open().await;
    let names =
        ["a.b", "a\"b", "a'b", "$", "[0]", "é", "a\\b", "", "{}", "?1", "$1", "0", "a\nb", "%"];
    for (number, name) in (1..).zip(names) {
        let doc = serde_json::json!({ "m": { name: format!("v{number}") } }).to_string();
        add(&store, &[customer(1, number).doc(&doc)]).await;
    }
    for (number, name) in (1..).zip(names) {
        let field = Field::text(&["m", name]);
        let predicate = Predicate::equal(field.clone(), format!("v{number}"));
        assert_eq!(met(&store, predicate).await, [number], "{name:?}");
        assert_eq!(met(&store, not(Predicate::Missing(field))).await, [number], "{name:?}");
    }
    let texts = ["'", "\"", "\\", "'; DROP TABLE customer; --", "%", "_", "\u{1}", "😀"];
    for (text, number) in texts.iter().zip(100..) {
        add(&store, &[customer(1, number).with("note", *text)]).await;
        let note = || Field::Column("note");
        assert_eq!(met(&store, Predicate::equal(note(), *text)).await, [number]);
        assert_eq!(met(&store, Predicate::EqualFolded(note(), (*text).into())).await, [number]);
        assert_eq!(met(&store, Predicate::OneOf(note(), vec![(*text).into()])).await, [number]);
    }
}

async fn nul_is_nowhere(stand: Stand) {
    let store = some_customers(&stand).await;
    let compare = |compare| Predicate::Compare(email(), compare, "bob@x.org\0z".into());
    assert_eq!(met(&store, compare(Compare::Equal)).await, [0i64; 0]);
    assert_eq!(met(&store, compare(Compare::AtMost)).await, [1, 2]);
    assert_eq!(met(&store, compare(Compare::Less)).await, [1, 2]);
    assert_eq!(met(&store, compare(Compare::Greater)).await, [4, 5]);
    assert_eq!(met(&store, Predicate::Contains(email(), "\0".into())).await, [0i64; 0]);
    assert_eq!(met(&store, Predicate::HasTerm("\0".into())).await, [0i64; 0]);
    assert_eq!(met(&store, Predicate::OneOf(email(), vec!["\0".into()])).await, [0i64; 0]);
    assert_eq!(met(&store, Predicate::equal(Field::text(&["\0"]), "x")).await, [0i64; 0]);
    assert_eq!(store.scan_terms(&CUSTOMER, 1, "\0", None, 5).await.unwrap(), vec![]);
}

async fn counts(stand: Stand) {
    let store = some_customers(&stand).await;
    assert_eq!(store.count(&CUSTOMER, &[1], &Predicate::All).await.unwrap(), 5);
    assert_eq!(store.count(&CUSTOMER, &[9], &Predicate::All).await.unwrap(), 0);
    assert_eq!(store.count(&COMMENT, &[1], &Predicate::All).await.unwrap(), 0);
}
