//! Whole statements of searches: pages, counts and term scans.
//!
//! A page behind a position in a sorted order is read in up to two segments, records with a value and
//! records without one, because only then the position is a range of the index.

use crate::filter::{Builder, Residual, Slot, SlotType};
use crate::param::Param;
use crate::sql::{Dialect, Schema};
use crate::store::Found;
use crate::{After, Field, Index, Kind, Order, Predicate, Query, Row, StoreError};

/// Rows of a search that is answered without a change of thread, and rows it may skip.
pub(crate) const INLINE_ROWS_MAX: u32 = 200;
const INLINE_OFFSET_MAX: u64 = 1000;
/// As much as the part of a statement before its condition takes, mostly.
const HEAD_BYTES: usize = 128;

/// One statement with its values.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) sql: String,
    pub(crate) params: Vec<Param>,
    /// Types of the extra columns behind those of the row.
    pub(crate) slots: Vec<SlotType>,
    pub(crate) residual: Option<Residual>,
}

impl Statement {
    fn new(sql: String, builder: Builder, residual: Option<Residual>) -> Statement {
        let slots = builder.slots.iter().map(|(_, slot_type)| *slot_type).collect();
        Statement { sql, params: builder.params, slots, residual }
    }
}

/// The part of an order that is behind a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Segment {
    /// Everything: there is no position.
    Whole,
    /// Records with the same kind of key (a value, or none) as the position, behind it.
    Behind,
    /// All records with a value, or all without one.
    WithValue,
    WithoutValue,
}

fn segments(order: &Order, after: Option<&After>, key_is_null: bool) -> Vec<Segment> {
    let Some(key) = order.keys.first() else {
        return vec![if after.is_some() { Segment::Behind } else { Segment::Whole }];
    };
    match (after, key.descending, key_is_null) {
        (None, ..) => vec![Segment::Whole],
        (Some(_), false, false) => vec![Segment::Behind, Segment::WithoutValue],
        (Some(_), true, true) => vec![Segment::Behind, Segment::WithValue],
        (Some(_), ..) => vec![Segment::Behind],
    }
}

/// The statements of a page, to be run one after the other until the page is full, and how to fill it.
pub(crate) fn find(
    schema: &Schema,
    kind: &'static Kind,
    query: &Query,
) -> Result<(Vec<Statement>, Page), StoreError> {
    schema.kind(kind)?;
    let position = query.after.as_ref().map(|after| query.order.place_after(after, kind));
    let key_is_null =
        position.as_ref().and_then(|p| p.0.first()).is_some_and(|v| *v == crate::Value::Null);
    let segments = segments(&query.order, query.after.as_ref(), key_is_null);
    let mut statements = Vec::with_capacity(segments.len());
    let mut page = Page::new(query);
    let single = segments.len() == 1;
    for segment in segments {
        let mut builder = Builder::new(schema.dialect, kind);
        let (mut condition, residual) = builder.split(&query.predicate, &query.tenants);
        if let Some(range) = range(&mut builder, query, segment) {
            condition.extend([" AND ", &range]);
        }
        // Conditions, order and limit, in this order: the slots before them are known at last.
        let mut rest = condition;
        rest.push_str(" ORDER BY ");
        if schema.dialect == Dialect::Sqlite && is_listed(kind, &query.predicate) {
            // Without statistics SQLite would rather read all records in their order than look the
            // listed ones up and sort them: the plus takes the order from the indexes.
            rest.push('+');
        }
        order_by(&mut builder, &mut rest, &query.order);
        if residual.is_none() {
            // One more tells whether there is more.
            let wanted = i64::from(query.limit) + 1;
            let offset = i64::try_from(query.offset).unwrap_or(i64::MAX - wanted);
            rest.push_str(" LIMIT ");
            if single {
                builder.int(wanted).push_to(&mut rest);
                if offset > 0 {
                    rest.push_str(" OFFSET ");
                    builder.int(offset).push_to(&mut rest);
                }
                page.skip = 0;
            } else {
                builder.int(wanted.saturating_add(offset)).push_to(&mut rest);
            }
        }
        let mut sql = String::with_capacity(HEAD_BYTES + rest.len());
        sql.extend(["SELECT ", schema.dialect.row()]);
        sql.extend(builder.slots.iter().flat_map(|(slot, _)| [", ", slot]));
        sql.extend([r#" FROM ""#, kind.name, r#"" WHERE "#, &rest]);
        statements.push(Statement::new(sql, builder, residual));
    }
    Ok((statements, page))
}

/// Whether the records are those with one of several values in an index.
fn is_listed(kind: &Kind, predicate: &Predicate) -> bool {
    match predicate {
        Predicate::And(all) => all.iter().any(|part| is_listed(kind, part)),
        Predicate::OneOf(Field::Column(name), values) if values.len() > 1 => {
            kind.columns[kind.position(name)].index != Index::None
        }
        Predicate::OneOf(..)
        | Predicate::All
        | Predicate::Or(_)
        | Predicate::Not(_)
        | Predicate::Compare(..)
        | Predicate::Missing(_)
        | Predicate::Contains(..)
        | Predicate::StartsWith(..)
        | Predicate::EqualFolded(..)
        | Predicate::Matches(..)
        | Predicate::HasTerm(_) => false,
    }
}

fn order_by(builder: &mut Builder, sql: &mut String, order: &Order) {
    for key in &order.keys {
        builder.field(sql, &key.field);
        let never_missing = matches!(key.field, Field::Number | Field::Uuid);
        sql.push_str(match (never_missing, key.descending) {
            (true, false) => ", ",
            (true, true) => " DESC, ",
            (false, false) => " NULLS LAST, ",
            (false, true) => " DESC NULLS FIRST, ",
        });
    }
    sql.push_str(if order.descending { r#""number" DESC"# } else { r#""number""# });
}

/// The condition that keeps the records of one segment.
fn range(builder: &mut Builder, query: &Query, segment: Segment) -> Option<String> {
    let after = query.after.as_ref()?;
    let key = query.order.keys.first();
    let sign = |descending: bool| if descending { "<" } else { ">" };
    let by_number = |builder: &mut Builder| {
        format!(r#""number" {} {}"#, sign(query.order.descending), builder.int(after.number))
    };
    let Some((key, value)) = key.zip(after.keys.first()) else { return Some(by_number(builder)) };
    let expression = builder.expression(&key.field);
    match segment {
        Segment::Whole => None,
        Segment::WithValue => Some(format!("{expression} IS NOT NULL")),
        Segment::WithoutValue => Some(format!("{expression} IS NULL")),
        Segment::Behind => {
            let domain = builder.domain(&key.field);
            let Some(value) = builder.comparand(domain, value) else {
                let number = by_number(builder);
                return Some(format!("{expression} IS NULL AND {number}"));
            };
            // The first half is what an index can use, the second decides among equal keys.
            let (sign, number) = (sign(key.descending), by_number(builder));
            let again = builder.expression(&key.field);
            Some(format!("{expression} {sign}= {value} AND ({again} {sign} {value} OR {number})"))
        }
    }
}

/// The statement that counts. With a residual it answers one row of slots per candidate instead.
pub(crate) fn count(
    schema: &Schema,
    kind: &'static Kind,
    tenants: &[i64],
    predicate: &Predicate,
) -> Result<Statement, StoreError> {
    schema.kind(kind)?;
    let mut builder = Builder::new(schema.dialect, kind);
    let (condition, residual) = builder.split(predicate, tenants);
    let slots: Vec<&str> = builder.slots.iter().map(|(sql, _)| sql.as_str()).collect();
    let what = if residual.is_some() { slots.join(", ") } else { "COUNT(*)".to_owned() };
    let sql = format!(r#"SELECT {what} FROM "{}" WHERE {condition}"#, kind.name);
    Ok(Statement::new(sql, builder, residual))
}

/// The statement of a term scan: the term, then the record; each record once, at the least of its
/// terms with the prefix.
pub(crate) fn scan_terms(
    schema: &Schema,
    kind: &'static Kind,
    tenant: i64,
    prefix: &str,
    after: Option<(&str, i64)>,
    limit: u32,
) -> Result<Statement, StoreError> {
    schema.kind(kind)?;
    let mut builder = Builder::new(schema.dialect, kind);
    let tenant = builder.int(tenant);
    let from = builder.bind(Param::Text(after.map_or(prefix, |after| after.0.max(prefix)).into()));
    let mut condition = format!(r#"t."tenant" = {tenant} AND t."term" >= {from}"#);
    if let Some(end) = prefix_end(prefix) {
        condition += &format!(r#" AND t."term" < {}"#, builder.bind(Param::Text(end)));
    }
    let (name, least) = (kind.name, builder.bind(Param::Text(prefix.to_owned())));
    condition += &match schema.dialect {
        Dialect::Sqlite => format!(r#" AND patron_is_least(r."terms", {least}, t."term")"#),
        Dialect::Postgres { .. } => format!(
            r#" AND NOT EXISTS (SELECT 1 FROM "{name}_term" AS s WHERE s."number" = t."number"
            AND s."tenant" = t."tenant" AND s."term" >= {least} AND s."term" < t."term")"#
        ),
    };
    if let Some((term, number)) = after {
        let (term, number) = (builder.bind(Param::Text(term.to_owned())), builder.int(number));
        condition += &format!(r#" AND (t."term" > {term} OR t."number" > {number})"#);
        condition += &format!(r#" AND t."term" >= {term}"#);
    }
    let limit = builder.int(i64::from(limit));
    let row = schema.dialect.row().replace(r#", ""#, r#", r.""#);
    let sql = format!(
        r#"SELECT t."term", r.{row}
        FROM "{name}_term" AS t JOIN "{name}" AS r ON r."number" = t."number"
        WHERE {condition} ORDER BY t."term", t."number" LIMIT {limit}"#
    );
    Ok(Statement::new(sql, builder, None))
}

/// The least text that is greater than every text with this prefix; `None` when there is none.
fn prefix_end(prefix: &str) -> Option<String> {
    let mut end = prefix.to_owned();
    while let Some(last) = end.pop() {
        let next = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32);
        if let Some(next) = next {
            end.push(next);
            return Some(end);
        }
    }
    None
}

/// Whether a search answers few rows. It may still look at many.
pub(crate) fn is_small(query: &Query) -> bool {
    query.limit <= INLINE_ROWS_MAX && query.offset <= INLINE_OFFSET_MAX
}

/// A page being filled, row by row.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    skip: u64,
    limit: usize,
    pub(crate) found: Found,
}

impl Page {
    fn new(query: &Query) -> Page {
        Page { skip: query.offset, limit: query.limit as usize, found: Found::default() }
    }

    /// Whether nothing more is needed.
    pub(crate) fn is_full(&self) -> bool {
        self.found.more
    }

    /// Takes one row, unless the residual is against it.
    pub(crate) fn push(&mut self, residual: Option<&Residual>, slots: &[Slot], row: Row) {
        if residual.is_some_and(|residual| !residual.holds(slots)) {
            return;
        }
        if self.skip > 0 {
            self.skip -= 1;
        } else if self.found.rows.len() < self.limit {
            self.found.rows.push(row);
        } else {
            self.found.more = true;
        }
    }
}
