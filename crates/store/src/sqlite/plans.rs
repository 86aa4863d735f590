//! Tests: the statements that must be fast use their index. Asked of SQLite itself.

use rusqlite::params_from_iter;

use super::connect::open_and_migrate;
use crate::page::{self, Statement};
use crate::sql::{Dialect, Schema};
use crate::{After, Column, Compare, Field, Index, Kind, Options, Order, Predicate, Query};

static KIND: Kind = Kind {
    name: "customer",
    columns: &[
        Column::text("email", Index::Ordered),
        Column::text("external", Index::Unique),
        Column::text("handle", Index::UniqueEverywhere),
        Column::int("ends", Index::Sparse),
    ],
    terms: true,
};

static KINDS: &[&Kind] = &[&KIND];

/// A store to ask for plans, without data: without statistics the plan does not depend on them.
struct Plans {
    _dir: tempfile::TempDir,
    connection: rusqlite::Connection,
    schema: Schema,
}

impl Plans {
    fn new() -> Plans {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let schema = Schema::new(Dialect::Sqlite, KINDS);
        let path = dir.path().join("store.db");
        let connection = open_and_migrate(&path, &schema, &Options::default()).expect("a store");
        Plans { _dir: dir, connection, schema }
    }

    fn of(&self, sql: &str, statement: Option<&Statement>) -> String {
        let explain = format!("EXPLAIN QUERY PLAN {sql}");
        let mut prepared = self.connection.prepare(&explain).expect("a statement");
        let params = statement.map_or(&[][..], |statement| &statement.params);
        let n = prepared.parameter_count();
        let nothing = crate::param::Param::Int(1);
        let params = params.iter().chain(std::iter::repeat(&nothing)).take(n);
        let rows = prepared.query_map(params_from_iter(params), |row| row.get::<_, String>(3));
        let lines: Result<Vec<String>, _> = rows.expect("a plan").collect();
        lines.expect("a plan").join("; ")
    }

    fn of_find(&self, query: &Query) -> Vec<String> {
        let (statements, _) = page::find(&self.schema, &KIND, query).expect("a search");
        statements.iter().map(|statement| self.of(&statement.sql, Some(statement))).collect()
    }
}

#[track_caller]
fn assert_uses(plan: &str, index: &str) {
    assert!(plan.contains(index), "{plan}\n does not use {index}");
    assert!(!plan.contains("TEMP B-TREE") && !plan.contains("SCAN"), "{plan}");
}

#[test]
fn point_reads() {
    let plans = Plans::new();
    let sql = plans.schema.kind(&KIND).expect("the kind");
    assert_uses(&plans.of(&sql.get, None), "INTEGER PRIMARY KEY (rowid=?)");
    assert_uses(&plans.of(&sql.get_anywhere, None), "INTEGER PRIMARY KEY (rowid=?)");
    assert_uses(&plans.of(&sql.get_by_uuid, None), "customer__uuid (uuid=?)");
    let by = |at: usize| plans.of(sql.get_by[at].as_ref().expect("unique"), None);
    assert_uses(&by(1), "customer__external (tenant=? AND external=?)");
    assert_uses(&by(2), "customer__handle (handle=?)");
    assert_uses(&plans.of(&sql.replace(0, false), None), "INTEGER PRIMARY KEY (rowid=?)");
    assert_uses(&plans.of(&sql.terms_held, None), "INTEGER PRIMARY KEY (rowid=?)");
    assert_uses(
        &plans.of(&sql.term_remove, None),
        "PRIMARY KEY (tenant=? AND term=? AND number=?)",
    );
}

#[test]
fn journal_reads() {
    let plans = Plans::new();
    let statements = &plans.schema.statements;
    assert_uses(&plans.of(&statements.entries, None), "journal__seq (tenant=? AND seq>?)");
    let found_by = [
        (&statements.history, "(subject=? AND seq<?)", "(tenant=? AND number=? AND seq<?)"),
        (&statements.entry_at_revision, "(subject=?)", "(tenant=? AND number=?)"),
        (&statements.entry_at_time, "(subject=?)", "(tenant=? AND number=?)"),
    ];
    for (sql, subject, mention) in found_by {
        let plan = plans.of(sql, None);
        // Side by side, each in its order: nothing is sorted.
        assert_uses(&plan, "MERGE (UNION ALL)");
        assert_uses(&plan, &format!("journal__root {subject}"));
        assert_uses(&plan, &format!("m USING PRIMARY KEY {mention}"));
        assert_uses(&plan, "j USING INDEX journal__seq (tenant=? AND seq=?)");
    }
    let migration = crate::migration::Statements::new(Dialect::Sqlite);
    assert_uses(&plans.of(&migration.next, None), "journal__seq ((tenant,seq)>(?,?))");
    assert_uses(&plans.of(&migration.relate, None), "journal__seq (tenant=? AND seq=?)");
    assert_uses(&plans.of(&statements.forget_answers, None), "answer__at (at<?)");
}

#[test]
fn searches() {
    let plans = Plans::new();
    let email = || Field::Column("email");
    let one = |query: &Query| plans.of_find(query).remove(0);
    let equal = |field| Query { predicate: Predicate::equal(field, "x"), ..Query::of(1) };
    assert_uses(&one(&Query::of(1)), "customer__number (tenant=?)");
    let newest = Query { order: Order::newest_first(), ..Query::of(1) };
    assert_uses(&one(&newest), "customer__number (tenant=?)");
    assert_uses(&one(&equal(email())), "customer__email (tenant=? AND email=?)");
    let newest = Query { order: Order::newest_first(), ..equal(email()) };
    assert_uses(&one(&newest), "customer__email (tenant=? AND email=?)");
    let external = equal(Field::Column("external"));
    assert_uses(&one(&external), "customer__external (tenant=? AND external=?)");
    let residual = external
        .predicate
        .clone()
        .and(Predicate::Not(Box::new(Predicate::Contains(email(), "x".into()))));
    let residual = Query { predicate: residual, ..Query::of(1) };
    assert_uses(&one(&residual), "customer__external (tenant=? AND external=?)");
    let least = Predicate::Compare(email(), Compare::AtLeast, "x".into());
    let range = Query { predicate: least, order: Order::by(email(), false), ..Query::of(1) };
    assert_uses(&one(&range), "customer__email (tenant=? AND email>?)");
}

#[test]
fn searches_for_listed_values() {
    let plans = Plans::new();
    let one_of = |name| Predicate::OneOf(Field::Column(name), vec!["x".into(), "y".into()]);
    let found_by = [
        (one_of("email"), "customer__email (tenant=? AND email=?)"),
        (one_of("external"), "customer__external (tenant=? AND external=?)"),
        (Predicate::OneOf(Field::Number, vec![1.into(), 2.into()]), "number=?"),
    ];
    let only = Predicate::OneOf(Field::Column("email"), vec!["x".into()]);
    let plan = plans.of_find(&Query { predicate: only, ..Query::of(1) }).remove(0);
    assert_uses(&plan, "customer__email (tenant=? AND email=?)");
    let email = |descending| Order::by(Field::Column("email"), descending);
    for (listed, index) in found_by {
        for order in [Order::by_number(), Order::newest_first(), email(false), email(true)] {
            let living = Predicate::Missing(Field::Column("email"));
            let predicate = living.and(listed.clone());
            let plan = plans.of_find(&Query { predicate, order, ..Query::of(1) }).remove(0);
            assert!(plan.contains(index), "{plan}\n does not use {index}");
        }
    }
}

#[test]
fn ordered_pages() {
    let plans = Plans::new();
    for descending in [false, true] {
        let order = Order::by(Field::Column("email"), descending);
        let first = Query { order, ..Query::of(1) };
        for plan in plans.of_find(&first) {
            assert_uses(&plan, "customer__email (tenant=?");
        }
        for key in ["x".into(), crate::Value::Null] {
            let after = After { keys: vec![key], number: 5 };
            for plan in plans.of_find(&Query { after: Some(after), ..first.clone() }) {
                assert_uses(&plan, "customer__email (tenant=? AND email");
            }
        }
    }
}

#[test]
fn what_few_records_have() {
    let ends = || Field::Column("ends");
    let past = Predicate::Compare(ends(), Compare::AtMost, 5.into());
    let query = Query { predicate: past, order: Order::by(ends(), false), ..Query::of(1) };
    let plans = Plans::new();
    assert_uses(&plans.of_find(&query)[0], "customer__ends (tenant=? AND ends<?)");
    // Of several spaces what is found is sorted, which is little.
    let plan = &plans.of_find(&Query { tenants: vec![1, 2], ..query })[0];
    assert!(plan.contains("customer__ends (tenant=? AND ends<?)"), "{plan}");
}

#[test]
fn term_scans() {
    let plans = Plans::new();
    for after in [None, Some(("ab", 5))] {
        let statement = page::scan_terms(&plans.schema, &KIND, 1, "a", after, 9).expect("a scan");
        let plan = plans.of(&statement.sql, Some(&statement));
        assert_uses(&plan, "t USING PRIMARY KEY (tenant=? AND term>? AND term<?)");
        assert_uses(&plan, "r USING INTEGER PRIMARY KEY (rowid=?)");
    }
    let has = Query { predicate: Predicate::HasTerm("x".into()), ..Query::of(1) };
    assert_uses(&plans.of_find(&has)[0], "PRIMARY KEY (tenant=? AND term=?)");
}
