//! What the SQL engines share beside tables (`ddl.rs`) and searches (`filter.rs`, `page.rs`): rules for
//! kinds, limits, and the statements, written once for both databases.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use crate::{Index, Kind, Shape, StoreError, Value};

/// Most numbers one call may reserve.
pub(crate) const RESERVE_MAX: i64 = 1 << 32;
/// Numbers stay exact in JSON readers that know only doubles.
const NUMBER_END: i64 = 1 << 53;
/// Columns a kind may declare: a set of them is kept in 64 bits.
const COLUMNS_MAX: usize = 64;
/// Tables beside those of the kinds.
const OWN_TABLES: [&str; 6] = ["journal", "mention", "head", "answer", "counter", "meta"];

/// Refuses declarations that cannot become tables: a mistake in the program, found at the start.
pub(crate) fn check_kinds(kinds: &[&Kind]) -> Result<(), StoreError> {
    let is_name = |name: &str| {
        (1..=24).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            && !name.contains("__")
    };
    let fixed = ["number", "tenant", "uuid", "revision", "doc", "packed", "terms"];
    for (at, kind) in kinds.iter().enumerate() {
        let wrong = |what: String| Err(StoreError::Engine(format!("kind {}: {what}", kind.name)));
        if !is_name(kind.name) || OWN_TABLES.contains(&kind.name) || kind.name.ends_with("_term") {
            return wrong("no name for a table".to_owned());
        }
        if kinds[..at].iter().any(|other| other.name == kind.name) {
            return wrong("declared twice".to_owned());
        }
        if kind.columns.len() > COLUMNS_MAX {
            return wrong(format!("more than {COLUMNS_MAX} columns"));
        }
        for (at, column) in kind.columns.iter().enumerate() {
            let twice = kind.columns[..at].iter().any(|other| other.name == column.name);
            if !is_name(column.name) || fixed.contains(&column.name) || twice {
                return wrong(format!("no name for a column: {}", column.name));
            }
        }
    }
    Ok(())
}

pub(crate) fn unknown_kind(name: &str) -> StoreError {
    StoreError::Engine(format!("the store was not opened with a kind {name}"))
}

pub(crate) fn not_empty() -> StoreError {
    StoreError::Engine("a dump can be restored into an empty store only".to_owned())
}

pub(crate) fn kind_named(
    kinds: &'static [&'static Kind],
    name: &str,
) -> Result<&'static Kind, StoreError> {
    kinds.iter().find(|kind| kind.name == name).copied().ok_or_else(|| unknown_kind(name))
}

/// Position of a column that `get_by` can look up.
pub(crate) fn unique_text_column(kind: &Kind, column: &str) -> Result<usize, StoreError> {
    let position = kind.columns.iter().position(|c| c.name == column);
    let unique = |c: &crate::Column| {
        c.shape == Shape::Text && matches!(c.index, Index::Unique | Index::UniqueEverywhere)
    };
    position.filter(|at| unique(&kind.columns[*at])).ok_or_else(|| {
        StoreError::Engine(format!("kind {} declares no unique text column {column}", kind.name))
    })
}

/// Within what a value of this column is unique: its tenant, or -1 for the whole deployment.
pub(crate) fn unique_scope(index: Index, tenant: i64) -> Option<i64> {
    match index {
        Index::None | Index::Ordered | Index::Sparse => None,
        Index::Unique => Some(tenant),
        Index::UniqueEverywhere => Some(-1),
    }
}

/// The block of `n` numbers that ends before `next`.
pub(crate) fn block(next: i64, n: i64, counter: &str) -> Result<Range<i64>, StoreError> {
    if next > NUMBER_END {
        return Err(StoreError::Engine(format!("counter {counter} is used up")));
    }
    Ok(next - n..next)
}

/// Which database a text is for, and the few places where they differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    /// `fold`: whether the server folds text to lower case like Rust does (ICU).
    Postgres {
        fold: bool,
    },
}

impl Dialect {
    /// The texts below are written with SQLite's `?n`. They contain no other question mark.
    pub(crate) fn text(self, template: &str) -> String {
        match self {
            Dialect::Sqlite => template.to_owned(),
            Dialect::Postgres { .. } => template.replace('?', "$"),
        }
    }

    /// Columns of a [`crate::Row`], in the order the engine reads them. PostgreSQL looks into
    /// documents, so they are not packed there.
    pub(crate) fn row(self) -> &'static str {
        match self {
            Dialect::Sqlite => r#""tenant", "number", "uuid", "revision", "doc", "packed""#,
            Dialect::Postgres { .. } => r#""tenant", "number", "uuid", "revision", "doc""#,
        }
    }

    /// Those of them that hold the document.
    fn document(self) -> &'static [&'static str] {
        match self {
            Dialect::Sqlite => &["doc", "packed"],
            Dialect::Postgres { .. } => &["doc"],
        }
    }

    /// Columns of bytes that a kind has in this database alone.
    pub(crate) fn own_columns(self, kind: &Kind) -> &'static [&'static str] {
        match self {
            Dialect::Sqlite if kind.terms => &["packed", "terms"],
            Dialect::Sqlite => &["packed"],
            Dialect::Postgres { .. } => &[],
        }
    }

    /// Whether records of a kind hold their terms.
    pub(crate) fn holds_terms(self, kind: &Kind) -> bool {
        self.own_columns(kind).contains(&"terms")
    }

    fn share_lock(self) -> &'static str {
        match self {
            // SQLite has one writer at a time.
            Dialect::Sqlite => "",
            Dialect::Postgres { .. } => " FOR SHARE",
        }
    }
}

/// Columns of an [`crate::Entry`], in the order both engines read and write them.
pub(crate) const ENTRY: &str = r#""tenant", "seq", "kind", "number", "subject", "revision", "action", "at", "actor", "request", "changed", "doc", "related", "packed""#;

/// Statements that name no kind.
#[derive(Debug)]
pub(crate) struct Statements {
    pub(crate) entries: String,
    pub(crate) history: String,
    pub(crate) entry_at_revision: String,
    pub(crate) entry_at_time: String,
    pub(crate) head: String,
    pub(crate) answer: String,
    pub(crate) answer_put: String,
    pub(crate) forget_answers: String,
    pub(crate) reserve: String,
    pub(crate) ready: String,
    pub(crate) head_put: String,
    pub(crate) entry_put: String,
    pub(crate) mention_put: String,
    pub(crate) counter_put: String,
    pub(crate) blank: String,
    pub(crate) note: String,
}

impl Statements {
    fn new(dialect: Dialect) -> Statements {
        let text = |template: &str| dialect.text(template);
        let of_record = r#"e."kind" = ?3 AND e."number" = ?2 AND"#;
        Statements {
            entries: text(&format!(
                r#"SELECT {ENTRY} FROM "journal" WHERE "tenant" = ?1 AND "seq" > ?2 ORDER BY "seq" LIMIT ?3"#
            )),
            history: newest(dialect, r#"e."seq" < ?3"#, "?4"),
            entry_at_revision: newest(dialect, &format!(r#"{of_record} e."revision" = ?4"#), "1"),
            entry_at_time: newest(dialect, &format!(r#"{of_record} e."at" <= ?4"#), "1"),
            head: text(r#"SELECT "last" FROM "head" WHERE "tenant" = ?1"#),
            answer: text(
                r#"SELECT "key", "operation", "fingerprint", "outcome", "at" FROM "answer" WHERE "tenant" = ?1 AND "key" = ?2"#,
            ),
            answer_put: text(
                r#"INSERT INTO "answer" ("tenant", "key", "operation", "fingerprint", "outcome", "at")
                VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT ("tenant", "key") DO UPDATE SET
                "operation" = excluded."operation", "fingerprint" = excluded."fingerprint",
                "outcome" = excluded."outcome", "at" = excluded."at" WHERE "answer"."at" < ?7"#,
            ),
            forget_answers: text(r#"DELETE FROM "answer" WHERE "at" < ?1"#),
            reserve: text(
                r#"INSERT INTO "counter" ("name", "next") VALUES (?1, 1 + CAST(?2 AS BIGINT))
                ON CONFLICT ("name") DO UPDATE SET "next" = "counter"."next" + CAST(?2 AS BIGINT)
                RETURNING "next""#,
            ),
            ready: text(
                r#"INSERT INTO "meta" ("name", "value") VALUES ('ready', ?1)
                ON CONFLICT ("name") DO UPDATE SET "value" = excluded."value""#,
            ),
            head_put: text(
                r#"INSERT INTO "head" ("tenant", "last") VALUES (?1, ?2)
                ON CONFLICT ("tenant") DO UPDATE SET "last" = excluded."last""#,
            ),
            entry_put: text(&format!(
                r#"INSERT INTO "journal" ({ENTRY}) VALUES ({})"#,
                placeholders(1, 14)
            )),
            mention_put: text(
                r#"INSERT INTO "mention" ("tenant", "number", "seq") VALUES (?1, ?2, ?3)
                ON CONFLICT DO NOTHING"#,
            ),
            counter_put: text(r#"INSERT INTO "counter" ("name", "next") VALUES (?1, ?2)"#),
            blank: text(
                r#"UPDATE "journal" SET "doc" = '{}', "packed" = NULL
                WHERE +"tenant" = ?1 AND "subject" = ?2 AND "number" = ?2 AND "kind" = ?3"#,
            ),
            note: text(r#"SELECT "value" FROM "meta" WHERE "name" = ?1"#),
        }
    }
}

/// `?from, …`, `n` of them.
fn placeholders(from: usize, n: usize) -> String {
    let all: Vec<String> = (from..from + n).map(|at| format!("?{at}")).collect();
    all.join(", ")
}

/// The latest entries of a tenant (`?1`) whose subject is a record (`?2`) or that mention it. The
/// condition names the columns of an entry `e`.
fn newest(dialect: Dialect, condition: &str, limit: &str) -> String {
    let columns = |seq: &str| {
        let columns = ENTRY.split(", ").map(|name| match name {
            r#""seq""# => format!(r#"{seq}."seq""#),
            name => format!("j.{name}"),
        });
        columns.collect::<Vec<_>>().join(", ")
    };
    let on_entry = |seq: &str| {
        let condition = condition.replace(r#"e."seq""#, &format!(r#"{seq}."seq""#));
        condition.replace("e.", "j.")
    };
    // The plus keeps both planners from walking a tenant's whole journal by (tenant, seq).
    let hanging = format!(
        r#"SELECT {} FROM "journal" AS j WHERE +j."tenant" = ?1 AND j."subject" = ?2 AND {}"#,
        columns("j"),
        on_entry("j"),
    );
    // A position is read from the mention: its index gives the order.
    let mentioning = format!(
        r#"SELECT {} FROM "mention" AS m CROSS JOIN "journal" AS j
        WHERE m."tenant" = ?1 AND m."number" = ?2 AND j."tenant" = m."tenant"
        AND j."seq" = m."seq" AND {}"#,
        columns("m"),
        on_entry("m"),
    );
    let order = format!(r#"ORDER BY "seq" DESC LIMIT {limit}"#);
    match dialect {
        // Reads both side by side, each in the order of its index, and no further than asked.
        Dialect::Sqlite => format!("{hanging} UNION ALL {mentioning} {order}"),
        // Reads both as far as asked, then sorts that.
        Dialect::Postgres { .. } => {
            dialect.text(&format!("({hanging} {order}) UNION ALL ({mentioning} {order}) {order}"))
        }
    }
}

/// Statements of one kind.
#[derive(Debug)]
pub(crate) struct KindSql {
    pub(crate) kind: &'static Kind,
    dialect: Dialect,
    pub(crate) get: String,
    pub(crate) get_anywhere: String,
    pub(crate) get_by_uuid: String,
    /// By column position; `None` where the column is not unique.
    pub(crate) get_by: Vec<Option<String>>,
    pub(crate) insert: String,
    pub(crate) remove: String,
    pub(crate) assert: String,
    pub(crate) term_put: String,
    pub(crate) term_remove: String,
    pub(crate) terms_remove: String,
    /// The terms that a record holds.
    pub(crate) terms_held: String,
    /// Writes them.
    pub(crate) terms_hold: String,
    /// Records behind a number, with declared columns; the terms of some numbers.
    pub(crate) records_after: String,
    pub(crate) terms_between: String,
    /// Every record in a fixed order, with declared columns; every term.
    pub(crate) all_records: String,
    pub(crate) all_terms: String,
    /// Update statements by the set of changed columns (bit per position), made when first needed.
    replace: Mutex<HashMap<(u64, bool), Arc<str>>>,
}

impl KindSql {
    fn new(dialect: Dialect, kind: &'static Kind) -> KindSql {
        let name = kind.name;
        let text = |template: String| dialect.text(&template);
        let row = dialect.row();
        let terms = if dialect.holds_terms(kind) { r#", "terms""# } else { "" };
        let at_revision = r#""number" = ?1 AND "tenant" = ?2 AND "revision" = ?3"#;
        let columns: String = kind.columns.iter().map(|c| format!(r#", "{}""#, c.name)).collect();
        let get_by = kind.columns.iter().map(|column| {
            let scope = match column.index {
                Index::None | Index::Ordered | Index::Sparse => return None,
                Index::Unique => r#" AND "tenant" = ?2"#,
                Index::UniqueEverywhere => "",
            };
            let column = column.name;
            Some(text(format!(r#"SELECT {row} FROM "{name}" WHERE "{column}" = ?1{scope}"#)))
        });
        KindSql {
            kind,
            dialect,
            get: text(format!(
                r#"SELECT {row} FROM "{name}" WHERE "number" = ?1 AND "tenant" = ?2"#
            )),
            get_anywhere: text(format!(r#"SELECT {row} FROM "{name}" WHERE "number" = ?1"#)),
            get_by_uuid: text(format!(
                r#"SELECT {row} FROM "{name}" WHERE "uuid" = ?1 AND "tenant" = ?2"#
            )),
            get_by: get_by.collect(),
            insert: text(format!(
                r#"INSERT INTO "{name}" ({row}{columns}{terms}) VALUES ({})"#,
                placeholders(
                    1,
                    4 + dialect.document().len()
                        + kind.columns.len()
                        + usize::from(dialect.holds_terms(kind))
                )
            )),
            remove: text(format!(r#"DELETE FROM "{name}" WHERE {at_revision}"#)),
            assert: text(format!(
                r#"SELECT 1 FROM "{name}" WHERE {at_revision}{}"#,
                dialect.share_lock()
            )),
            term_put: text(format!(
                r#"INSERT INTO "{name}_term" ("tenant", "term", "number") VALUES (?1, ?2, ?3)
                ON CONFLICT DO NOTHING"#
            )),
            term_remove: text(format!(
                r#"DELETE FROM "{name}_term" WHERE "tenant" = ?1 AND "term" = ?2 AND "number" = ?3"#
            )),
            terms_remove: text(format!(r#"DELETE FROM "{name}_term" WHERE "number" = ?1"#)),
            terms_held: text(format!(r#"SELECT "terms" FROM "{name}" WHERE "number" = ?1"#)),
            terms_hold: text(format!(r#"UPDATE "{name}" SET "terms" = ?2 WHERE "number" = ?1"#)),
            records_after: text(format!(
                r#"SELECT {row}{columns}{terms} FROM "{name}" WHERE "number" > ?1
                ORDER BY "number" LIMIT ?2"#
            )),
            terms_between: text(format!(
                r#"SELECT "number", "term" FROM "{name}_term"
                WHERE "number" > ?1 AND "number" <= ?2"#
            )),
            all_records: format!(r#"SELECT {row}{columns} FROM "{name}" ORDER BY "number""#),
            all_terms: format!(
                r#"SELECT "tenant", "term", "number" FROM "{name}_term" ORDER BY "tenant", "term", "number""#
            ),
            replace: Mutex::default(),
        }
    }

    /// The update that names only the columns in `changed`, and the terms where they are to be held.
    pub(crate) fn replace(&self, changed: u64, with_terms: bool) -> Arc<str> {
        let mut made = self.replace.lock().unwrap_or_else(PoisonError::into_inner);
        let text = made.entry((changed, with_terms)).or_insert_with(|| {
            let columns = self.kind.columns.iter().enumerate();
            let columns = columns.filter(|(at, _)| changed & (1 << at) != 0);
            let columns = columns.map(|(_, column)| column.name);
            // The first four are what it is found by, and its revision.
            let document = self.dialect.document().iter().copied();
            let set: String = document
                .chain(columns)
                .chain(with_terms.then_some("terms"))
                .zip(5..)
                .map(|(name, at)| format!(r#", "{name}" = ?{at}"#))
                .collect();
            let name = self.kind.name;
            let template = format!(
                r#"UPDATE "{name}" SET "revision" = ?4{set}
                WHERE "number" = ?1 AND "tenant" = ?2 AND "revision" = ?3"#
            );
            self.dialect.text(&template).into()
        });
        Arc::clone(text)
    }
}

/// The columns in which two states differ (bit per position).
pub(crate) fn changed_columns(before: &[Value], after: &[Value]) -> u64 {
    let differs = |at: &usize| before.get(*at) != after.get(*at);
    (0..after.len()).filter(differs).fold(0, |set, at| set | 1 << at)
}

/// All columns of a kind.
pub(crate) fn every_column(kind: &Kind) -> u64 {
    (0..kind.columns.len()).fold(0, |set, at| set | 1 << at)
}

/// Terms to remove and terms to add; both inputs are sorted and distinct.
pub(crate) fn changed_terms<'a>(
    before: &'a [String],
    after: &'a [String],
) -> (impl Iterator<Item = &'a String>, impl Iterator<Item = &'a String>) {
    let not_in = |others: &'a [String]| move |term: &&String| others.binary_search(term).is_err();
    (before.iter().filter(not_in(after)), after.iter().filter(not_in(before)))
}

/// All texts for one database and one set of kinds.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) dialect: Dialect,
    pub(crate) kinds: &'static [&'static Kind],
    pub(crate) statements: Statements,
    by_kind: HashMap<&'static str, KindSql>,
}

impl Schema {
    pub(crate) fn new(dialect: Dialect, kinds: &'static [&'static Kind]) -> Schema {
        let by_kind = kinds.iter().map(|kind| (kind.name, KindSql::new(dialect, kind)));
        Schema { dialect, kinds, statements: Statements::new(dialect), by_kind: by_kind.collect() }
    }

    pub(crate) fn kind(&self, kind: &Kind) -> Result<&KindSql, StoreError> {
        self.by_kind.get(kind.name).ok_or_else(|| unknown_kind(kind.name))
    }

    pub(crate) fn kind_named(&self, name: &str) -> Result<&KindSql, StoreError> {
        self.by_kind.get(name).ok_or_else(|| unknown_kind(name))
    }
}

pub(crate) const HEADS: &str = r#"SELECT "tenant", "last" FROM "head" WHERE "tenant" = ANY($1)"#;

pub(crate) const ALL_HEADS: &str = r#"SELECT "tenant", "last" FROM "head" ORDER BY "tenant""#;
pub(crate) const ALL_MENTIONS: &str = r#"SELECT "tenant", "number", "seq" FROM "mention""#;
pub(crate) const ALL_ANSWERS: &str = r#"SELECT "tenant", "key", "operation", "fingerprint", "outcome", "at" FROM "answer" ORDER BY "tenant", "key""#;
pub(crate) const ALL_COUNTERS: &str = r#"SELECT "name", "next" FROM "counter" ORDER BY "name""#;

/// The time of the oldest outcome.
pub(crate) const OLDEST_ANSWER: &str = r#"SELECT MIN("at") FROM "answer""#;

/// Outcomes that are not older than a time.
pub(crate) fn answers_from(dialect: Dialect) -> String {
    let of_late = ALL_ANSWERS.replace(" ORDER", r#" WHERE "at" >= ?1 ORDER"#);
    dialect.text(&of_late)
}

/// Entries of a tenant up to a position whose documents were blanked.
pub(crate) fn blanked(dialect: Dialect) -> String {
    dialect.text(
        r#"SELECT "seq" FROM "journal" WHERE "tenant" = ?1 AND "seq" <= ?2 AND "doc" = '{}'
        ORDER BY "seq""#,
    )
}

/// The last entry of each tenant.
pub(crate) fn last_entries() -> String {
    format!(
        r#"SELECT {ENTRY} FROM "journal"
        WHERE ("tenant", "seq") IN (SELECT "tenant", "last" FROM "head")"#
    )
}

/// What only a restore of several files can do.
pub(crate) fn not_loaded(line: &crate::dump::Line) -> StoreError {
    StoreError::Engine(format!("a backup of everything holds no {}", line.table()))
}

pub(crate) fn all_entries() -> String {
    format!(r#"SELECT {ENTRY} FROM "journal" ORDER BY "tenant", "seq""#)
}

/// Tables that must be empty before a restore.
pub(crate) fn dumped_tables(kinds: &[&Kind]) -> Vec<String> {
    let terms = kinds.iter().filter(|kind| kind.terms).map(|kind| format!("{}_term", kind.name));
    let records = kinds.iter().map(|kind| kind.name.to_owned());
    let own = ["journal", "mention", "head", "answer", "counter"].map(str::to_owned);
    records.chain(terms).chain(own).collect()
}

pub(crate) fn any_row(table: &str) -> String {
    format!(r#"SELECT 1 FROM "{table}" LIMIT 1"#)
}
