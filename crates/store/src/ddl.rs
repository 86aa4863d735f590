//! The tables, generated from the declared kinds. Everything is `IF NOT EXISTS`: a migration is the
//! same text every time, and a kind that gained a column gets it by `ALTER TABLE`.

use crate::sql::Dialect;
use crate::{Column, Index, Kind, Shape, StoreError};

/// Number of this layout; a store with a higher one is not opened. Layout 1 kept answers under
/// fingerprints that could be tried out: they are forgotten on the way to 2. Entries of layout 2
/// named one record they hang on (`root`) and none they are related to; see `migration.rs`. In
/// layout 3 all documents were text: they stay so until they are written again. In
/// layout 4 SQLite found the terms of a record by an index; see `sqlite/gathering.rs`. Keys of
/// layout 5 said themselves what they may do, and get users on the way to 6: programs of before
/// could not read them any more.
pub(crate) const SCHEMA: i64 = 6;
/// The first layout whose answers may be kept.
pub(crate) const SCHEMA_OF_KEYED_ANSWERS: i64 = 2;
/// The first layout whose entries say what they are related to.
pub(crate) const SCHEMA_OF_RELATED_ENTRIES: i64 = 3;
/// The first layout whose records hold their terms, in SQLite.
pub(crate) const SCHEMA_OF_HELD_TERMS: i64 = 5;

/// Name of a unique or ordered index: also what PostgreSQL names in a violation.
pub(crate) fn index_name(kind: &Kind, column: &str) -> String {
    format!("{}__{column}", kind.name)
}

struct Types {
    int: &'static str,
    text: &'static str,
    bytes: &'static str,
    /// A number that is the primary key; SQLite makes it the row's address only in this spelling.
    number_key: &'static str,
    /// For tables whose rows are little more than their key.
    keyed: &'static str,
}

fn types(dialect: Dialect) -> Types {
    match dialect {
        Dialect::Sqlite => Types {
            int: "INTEGER",
            text: "TEXT",
            bytes: "BLOB",
            number_key: "INTEGER PRIMARY KEY",
            keyed: " WITHOUT ROWID",
        },
        Dialect::Postgres { .. } => Types {
            int: "BIGINT",
            text: r#"TEXT COLLATE "C""#,
            bytes: "BYTEA",
            number_key: "BIGINT PRIMARY KEY",
            keyed: "",
        },
    }
}

/// Type of a declared column.
pub(crate) fn column_type(dialect: Dialect, column: &Column) -> &'static str {
    match column.shape {
        Shape::Int => types(dialect).int,
        Shape::Text => types(dialect).text,
    }
}

/// The table a migration begins with: it tells the layout's number.
pub(crate) fn meta_table(dialect: Dialect) -> String {
    let Types { text, keyed, .. } = types(dialect);
    format!(
        r#"CREATE TABLE IF NOT EXISTS "meta" ("name" {text} PRIMARY KEY, "value" {text} NOT NULL){keyed}"#
    )
}

/// Tables beside those of the kinds, and their indexes.
pub(crate) fn own_tables(dialect: Dialect) -> Vec<String> {
    let Types { int, text, bytes, keyed, .. } = types(dialect);
    vec![
        format!(
            r#"CREATE TABLE IF NOT EXISTS "journal" ("tenant" {int} NOT NULL, "seq" {int} NOT NULL,
            "kind" {text} NOT NULL, "number" {int} NOT NULL, "subject" {int} NOT NULL,
            "revision" {int} NOT NULL, "action" {text} NOT NULL, "at" {int} NOT NULL,
            "actor" {text} NOT NULL, "request" {text} NOT NULL, "changed" {text} NOT NULL,
            "doc" {text} NOT NULL, "related" {text} NOT NULL DEFAULT '', "packed" {bytes})"#
        ),
        r#"CREATE UNIQUE INDEX IF NOT EXISTS "journal__seq" ON "journal" ("tenant", "seq")"#.into(),
        // Under the name it had in layout 2: SQLite would have to build it anew for another one.
        r#"CREATE INDEX IF NOT EXISTS "journal__root" ON "journal" ("subject", "seq")"#.into(),
        // Entries, by those they name beside their subject. Most entries have no row here.
        format!(
            r#"CREATE TABLE IF NOT EXISTS "mention" ("tenant" {int} NOT NULL,
            "number" {int} NOT NULL, "seq" {int} NOT NULL,
            PRIMARY KEY ("tenant", "number", "seq")){keyed}"#
        ),
        format!(
            r#"CREATE TABLE IF NOT EXISTS "head" ("tenant" {int} NOT NULL PRIMARY KEY,
            "last" {int} NOT NULL)"#
        ),
        format!(
            r#"CREATE TABLE IF NOT EXISTS "answer" ("tenant" {int} NOT NULL, "key" {text} NOT NULL,
            "operation" {text} NOT NULL, "fingerprint" {text} NOT NULL, "outcome" {text} NOT NULL,
            "at" {int} NOT NULL, PRIMARY KEY ("tenant", "key"))"#
        ),
        r#"CREATE INDEX IF NOT EXISTS "answer__at" ON "answer" ("at")"#.into(),
        format!(
            r#"CREATE TABLE IF NOT EXISTS "counter" ("name" {text} PRIMARY KEY,
            "next" {int} NOT NULL){keyed}"#
        ),
    ]
}

/// Adds a column of bytes to a table that exists without it.
pub(crate) fn add_bytes(dialect: Dialect, table: &str, column: &str) -> String {
    let Types { bytes, .. } = types(dialect);
    format!(r#"ALTER TABLE "{table}" ADD COLUMN "{column}" {bytes}"#)
}

/// Brings the journal of layout 2 to the columns of layout 3; no row is touched.
pub(crate) fn related_entries(dialect: Dialect) -> [String; 2] {
    let Types { text, .. } = types(dialect);
    [
        r#"ALTER TABLE "journal" RENAME COLUMN "root" TO "subject""#.to_owned(),
        format!(r#"ALTER TABLE "journal" ADD COLUMN "related" {text} NOT NULL DEFAULT ''"#),
    ]
}

/// The tables of a kind, as they are created.
pub(crate) fn kind_tables(dialect: Dialect, kind: &Kind) -> Vec<String> {
    let Types { int, text, bytes, number_key, keyed } = types(dialect);
    let name = kind.name;
    let columns = kind.columns.iter();
    let columns: String =
        columns.map(|c| format!(r#", "{}" {}"#, c.name, column_type(dialect, c))).collect();
    let mut own = String::new();
    for column in dialect.own_columns(kind) {
        own += &format!(r#", "{column}" {bytes}"#);
    }
    let mut tables = vec![format!(
        r#"CREATE TABLE IF NOT EXISTS "{name}" ("number" {number_key}, "tenant" {int} NOT NULL,
        "uuid" {text} NOT NULL, "revision" {int} NOT NULL{columns}, "doc" {text} NOT NULL{own})"#
    )];
    if kind.terms {
        tables.push(format!(
            r#"CREATE TABLE IF NOT EXISTS "{name}_term" ("tenant" {int} NOT NULL,
            "term" {text} NOT NULL, "number" {int} NOT NULL,
            PRIMARY KEY ("tenant", "term", "number")){keyed}"#
        ));
    }
    tables
}

/// Adds a declared column to a table that exists without it.
pub(crate) fn add_column(dialect: Dialect, kind: &Kind, column: &Column) -> String {
    let name = kind.name;
    let column_type = column_type(dialect, column);
    format!(r#"ALTER TABLE "{name}" ADD COLUMN "{}" {column_type}"#, column.name)
}

/// Indexes of a kind, each with its name. Made after all columns are there.
pub(crate) fn kind_indexes(dialect: Dialect, kind: &Kind) -> Vec<(String, String)> {
    let name = kind.name;
    let index = |unique: &str, column: &str, on: &str, condition: &str| {
        let index = index_name(kind, column);
        let sql = format!(
            r#"CREATE {unique}INDEX IF NOT EXISTS "{index}" ON "{name}" ({on}){condition}"#
        );
        (index, sql)
    };
    let mut indexes = vec![
        index("UNIQUE ", "uuid", r#""uuid""#, ""),
        index("", "number", r#""tenant", "number""#, ""),
    ];
    for column in kind.columns {
        let column_name = column.name;
        let present = format!(r#" WHERE "{column_name}" IS NOT NULL"#);
        let (unique, on, condition) = match column.index {
            Index::None => continue,
            Index::Ordered => ("", format!(r#""tenant", "{column_name}", "number""#), ""),
            Index::Sparse => {
                ("", format!(r#""tenant", "{column_name}", "number""#), present.as_str())
            }
            Index::Unique => ("UNIQUE ", format!(r#""tenant", "{column_name}""#), present.as_str()),
            Index::UniqueEverywhere => ("UNIQUE ", format!(r#""{column_name}""#), present.as_str()),
        };
        indexes.push(index(unique, column_name, &on, condition));
    }
    if kind.terms && matches!(dialect, Dialect::Postgres { .. }) {
        indexes.push(term_index(kind));
    }
    indexes
}

/// The index by which the terms of a record are found where it does not hold them, with its name.
pub(crate) fn term_index(kind: &Kind) -> (String, String) {
    let name = kind.name;
    let index = format!("{name}_term__number");
    let sql = format!(r#"CREATE INDEX IF NOT EXISTS "{index}" ON "{name}_term" ("number")"#);
    (index, sql)
}

/// The layout a store has; none when it is new. Refuses one that a newer program has changed.
pub(crate) fn check_schema(held: Option<&str>) -> Result<Option<i64>, StoreError> {
    match held.map(str::parse::<i64>) {
        None => Ok(None),
        Some(Ok(number)) if number <= SCHEMA => Ok(Some(number)),
        Some(_) => Err(StoreError::Engine(format!(
            "the store has layout {}, this program knows layout {SCHEMA}",
            held.unwrap_or_default()
        ))),
    }
}
