//! What it takes to remove a tenant for good, the same statements for both databases.
//!
//! Order matters: terms before their records, records before the journal, what finds its entries
//! before them, the journal from its end with its head. So whoever looks in between finds nothing
//! that disagrees, and a removal that was interrupted simply goes on.

use std::collections::BTreeMap;

use crate::sql::Schema;

/// Rows by table: `customer`, `customer_term`, `journal`, `answer`, …
pub type Counts = BTreeMap<String, u64>;

/// Tables that keep rows of tenants, and the columns that name a row beside the tenant.
fn tables(schema: &Schema) -> Vec<(String, &'static str)> {
    let mut tables = Vec::new();
    for kind in schema.kinds {
        if kind.terms {
            tables.push((format!("{}_term", kind.name), r#""term", "number""#));
        }
        tables.push((kind.name.to_owned(), r#""number""#));
    }
    tables.push(("answer".to_owned(), r#""key""#));
    tables.push(("mention".to_owned(), r#""number", "seq""#));
    tables.push(("journal".to_owned(), r#""seq""#));
    tables
}

/// Removes rows of a table: parameters are tenant and how many at most.
pub(crate) fn steps(schema: &Schema) -> Vec<(String, String)> {
    let step = |(table, key): (String, &str)| {
        let order = if table == "journal" { r#"ORDER BY "seq" DESC "# } else { "" };
        let sql = format!(
            r#"DELETE FROM "{table}" WHERE "tenant" = ?1 AND ({key}) IN
            (SELECT {key} FROM "{table}" WHERE "tenant" = ?1 {order}LIMIT ?2)"#
        );
        (table, schema.dialect.text(&sql))
    };
    tables(schema).into_iter().map(step).collect()
}

/// Brings the head of the tenant's journal to what is left of it. The parameter is the tenant.
pub(crate) fn heads(schema: &Schema) -> [String; 2] {
    [
        r#"UPDATE "head" SET "last" = COALESCE(
        (SELECT MAX("seq") FROM "journal" WHERE "tenant" = ?1), 0) WHERE "tenant" = ?1"#,
        r#"DELETE FROM "head" WHERE "tenant" = ?1 AND "last" = 0"#,
    ]
    .map(|sql| schema.dialect.text(sql))
}

/// Counts rows of a table. The parameter is the tenant.
pub(crate) fn counts(schema: &Schema) -> Vec<(String, String)> {
    let count = |(table, _): (String, &str)| {
        let sql = format!(r#"SELECT count(*) FROM "{table}" WHERE "tenant" = ?1"#);
        (table, schema.dialect.text(&sql))
    };
    tables(schema).into_iter().map(count).collect()
}

/// The parameter for how many.
pub(crate) fn limit(left: u64) -> i64 {
    i64::try_from(left).unwrap_or(i64::MAX)
}
