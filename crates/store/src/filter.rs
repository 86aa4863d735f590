//! Predicates as SQL. What a database evaluates exactly goes into the `WHERE`; a top-level condition
//! with a part it does not (patterns always, folding where the server cannot) is left to Rust: its
//! exact parts and the texts it looks at become extra columns of the result, the rest is a
//! [`Residual`] over those.
//!
//! Two-valued logic: `AND` and `OR` of comparisons that may be NULL are TRUE exactly when they should
//! be, and `NOT` is written `IS NOT TRUE`, so no comparison needs wrapping and indexes stay usable.

use std::fmt::Write as _;

use regex::Regex;

use crate::document::{decimal_key, fold};
use crate::evaluate::Domain;
use crate::param::{Param, Placeholder};
use crate::sql::Dialect;
use crate::{Compare, Field, Kind, Predicate, Value};

/// What is left of a condition for Rust, over the extra columns ("slots") of a row.
#[derive(Debug)]
pub(crate) enum Residual {
    /// The slot is true.
    Holds(usize),
    /// The slot is a text that passes a test.
    Text(usize, TextTest),
    And(Vec<Residual>),
    Or(Vec<Residual>),
    Not(Box<Residual>),
}

/// A test of one text.
#[derive(Debug)]
pub(crate) enum TextTest {
    Matches(Regex),
    Contains(String),
    StartsWith(String),
    Equals(String),
}

/// An extra column of a row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Slot {
    Bool(bool),
    Text(Option<String>),
}

/// Of which type a slot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SlotType {
    Bool,
    Text,
}

impl TextTest {
    fn passes(&self, text: &str) -> bool {
        match self {
            TextTest::Matches(regex) => regex.is_match(text),
            TextTest::Contains(needle) => fold(text).contains(needle),
            TextTest::StartsWith(prefix) => fold(text).starts_with(prefix),
            TextTest::Equals(other) => fold(text) == *other,
        }
    }
}

impl Residual {
    pub(crate) fn holds(&self, slots: &[Slot]) -> bool {
        match self {
            Residual::Holds(at) => slots[*at] == Slot::Bool(true),
            Residual::Text(at, test) => match &slots[*at] {
                Slot::Text(Some(text)) => test.passes(text),
                _ => false,
            },
            Residual::And(all) => all.iter().all(|r| r.holds(slots)),
            Residual::Or(any) => any.iter().any(|r| r.holds(slots)),
            Residual::Not(inner) => !inner.holds(slots),
        }
    }
}

/// Builds the parts of one statement; numbers its placeholders. What most searches are made of is
/// written at the end of a text, everything else answered as a text of its own.
pub(crate) struct Builder {
    dialect: Dialect,
    kind: &'static Kind,
    pub(crate) params: Vec<Param>,
    /// Extra columns of the result.
    pub(crate) slots: Vec<(String, SlotType)>,
}

/// As much as most conditions take.
const CONDITION_BYTES: usize = 256;
const FALSE: &str = "FALSE";
const NULL_TEXT: &str = "CAST(NULL AS TEXT)";

impl Builder {
    pub(crate) fn new(dialect: Dialect, kind: &'static Kind) -> Builder {
        Builder { dialect, kind, params: Vec::new(), slots: Vec::new() }
    }

    fn is_sqlite(&self) -> bool {
        self.dialect == Dialect::Sqlite
    }

    /// Binds a value; answers its placeholder. Types are spelled out for PostgreSQL, which would
    /// otherwise guess them.
    pub(crate) fn bind(&mut self, param: Param) -> Placeholder {
        let cast = match &param {
            Param::Int(_) => "bigint",
            Param::Text(_) => "text",
            Param::Ints(_) => "bigint[]",
            Param::Texts(_) => "text[]",
        };
        self.params.push(param);
        Placeholder { at: self.params.len(), cast: (!self.is_sqlite()).then_some(cast) }
    }

    pub(crate) fn domain(&self, field: &Field) -> Domain {
        field.domain(self.kind)
    }

    pub(crate) fn int(&mut self, int: i64) -> Placeholder {
        self.bind(Param::Int(int))
    }

    fn text(&mut self, text: &str) -> Placeholder {
        self.bind(Param::Text(text.to_owned()))
    }

    /// `expression` is one of the values.
    fn in_list(&mut self, expression: &str, list: Param) -> String {
        let list = self.bind(list);
        if self.is_sqlite() {
            format!("{expression} IN (SELECT value FROM json_each({list}))")
        } else {
            format!("{expression} = ANY({list})")
        }
    }

    /// A `tenant` column is one of these.
    fn tenants(&mut self, sql: &mut String, tenants: &[i64]) {
        match tenants {
            [tenant] => {
                sql.push_str(r#""tenant" = "#);
                self.int(*tenant).push_to(sql);
            }
            _ => *sql += &self.in_list(r#""tenant""#, Param::Ints(tenants.to_vec())),
        }
    }

    /// The expression of a field: NULL when it is missing, decimals as what compares like them.
    pub(crate) fn field(&mut self, sql: &mut String, field: &Field) {
        match field {
            Field::Number => sql.push_str(r#""number""#),
            Field::Uuid => sql.push_str(r#""uuid""#),
            Field::Column(name) => {
                sql.push('"');
                // Also makes sure that only declared names become part of a statement.
                sql.push_str(self.kind.columns[self.kind.position(name)].name);
                sql.push('"');
            }
            Field::Text(path) => *sql += &self.document("patron_text", path, Domain::Text),
            Field::Whole(path) => *sql += &self.document("patron_whole", path, Domain::Int),
            Field::Decimal(path) => *sql += &self.document("patron_decimal", path, Domain::Decimal),
            Field::First(fields) => match fields.as_slice() {
                [] => sql.push_str(NULL_TEXT),
                [field] => self.field(sql, field),
                [first, others @ ..] => {
                    sql.push_str("COALESCE(");
                    self.field(sql, first);
                    for other in others {
                        sql.push_str(", ");
                        self.field(sql, other);
                    }
                    sql.push(')');
                }
            },
        }
    }

    /// The expression of a field as a text of its own.
    pub(crate) fn expression(&mut self, field: &Field) -> String {
        let mut sql = String::new();
        self.field(&mut sql, field);
        sql
    }

    /// A field in the document. SQLite calls the Rust function of that name; PostgreSQL gets its
    /// meaning spelled out. Member names are bound, never part of the text.
    fn document(&mut self, function: &str, path: &[String], domain: Domain) -> String {
        // PostgreSQL has no place for NUL, and no document has it (see `Batch::check`).
        if path.iter().any(|name| name.contains('\0')) {
            return match domain {
                Domain::Text => NULL_TEXT.to_owned(),
                Domain::Int => "CAST(NULL AS BIGINT)".to_owned(),
                Domain::Decimal => "CAST(NULL AS NUMERIC)".to_owned(),
            };
        }
        if self.is_sqlite() {
            let path = serde_json::Value::from(path).to_string();
            return format!(r#"{function}("doc", "packed", {})"#, self.bind(Param::Text(path)));
        }
        let mut json = r#""doc"::json"#.to_owned();
        for name in path {
            let name = self.text(name);
            write!(json, " -> {name}").expect("a String takes all that is written to it");
        }
        // The inner selects name an expression so that it is written once; nothing is read.
        let text = |types: &str| {
            format!(
                "(SELECT CASE WHEN json_typeof(f.j) IN ({types}) THEN f.j #>> '{{}}' END \
                 FROM (SELECT {json} AS j) AS f)"
            )
        };
        match domain {
            Domain::Text => format!(r#"({} COLLATE "C")"#, text("'string', 'number', 'boolean'")),
            Domain::Int => format!(
                "(SELECT CASE WHEN f.t ~ '^-?[0-9]{{1,19}}$' THEN CASE WHEN f.t::numeric BETWEEN \
                 -9223372036854775808 AND 9223372036854775807 THEN f.t::bigint END END \
                 FROM (SELECT {} AS t) AS f)",
                text("'number'")
            ),
            Domain::Decimal => format!(
                r"(SELECT CASE WHEN f.t ~ '^-?[0-9]{{1,64}}(\.[0-9]{{1,64}})?([eE][+-]?[0-9]{{1,3}})?$' THEN f.t::numeric END FROM (SELECT {} AS t) AS f)",
                text("'string', 'number'")
            ),
        }
    }

    /// Binds a value a field is compared with; `None` when it is of another domain.
    pub(crate) fn comparand(&mut self, domain: Domain, value: &Value) -> Option<Placeholder> {
        let sortable = domain.sortable(value);
        let exact = match (domain, value, sortable) {
            (_, _, Value::Null) => return None,
            (Domain::Decimal, Value::Text(text), _) if !self.is_sqlite() => text.clone(),
            (Domain::Decimal, Value::Int(int), _) if !self.is_sqlite() => int.to_string(),
            (_, _, Value::Int(int)) => return Some(self.int(int)),
            (_, _, Value::Text(text)) => return Some(self.bind(Param::Text(text))),
        };
        Some(Placeholder { cast: Some("text::numeric"), ..self.bind(Param::Text(exact)) })
    }

    fn compare(&mut self, sql: &mut String, field: &Field, compare: Compare, value: &Value) {
        let domain = field.domain(self.kind);
        let bound = without_nul(domain, compare, value)
            .and_then(|(compare, value)| Some((compare, self.comparand(domain, &value)?)));
        let Some((compare, value)) = bound else { return sql.push_str(FALSE) };
        self.field(sql, field);
        sql.push_str(match compare {
            Compare::Equal => " = ",
            Compare::Less => " < ",
            Compare::AtMost => " <= ",
            Compare::Greater => " > ",
            Compare::AtLeast => " >= ",
        });
        value.push_to(sql);
    }

    fn one_of(&mut self, field: &Field, values: &[Value]) -> String {
        let domain = field.domain(self.kind);
        let (mut ints, mut texts) = (Vec::new(), Vec::new());
        for value in values {
            match (domain, value, domain.sortable(value)) {
                (_, _, Value::Null) => {}
                (_, _, Value::Int(int)) => ints.push(int),
                (_, _, Value::Text(text)) if text.contains('\0') => {}
                (Domain::Decimal, Value::Text(exact), _) if !self.is_sqlite() => {
                    texts.push(exact.clone());
                }
                (Domain::Decimal, Value::Int(exact), _) if !self.is_sqlite() => {
                    texts.push(exact.to_string());
                }
                (_, _, Value::Text(text)) => texts.push(text),
            }
        }
        if ints.is_empty() && texts.is_empty() {
            return FALSE.to_owned();
        }
        let expression = self.expression(field);
        match domain {
            Domain::Int => self.in_list(&expression, Param::Ints(ints)),
            Domain::Decimal if !self.is_sqlite() => {
                let list = self.bind(Param::Texts(texts));
                format!("{expression} = ANY({list}::numeric[])")
            }
            Domain::Text | Domain::Decimal => self.in_list(&expression, Param::Texts(texts)),
        }
    }

    fn folded(&mut self, field: &Field) -> String {
        let expression = self.expression(field);
        if self.is_sqlite() {
            format!("patron_fold({expression})")
        } else {
            format!(r#"(lower({expression} COLLATE "und-x-icu") COLLATE "C")"#)
        }
    }

    /// A test of a folded text; `test` gets the text and the other text as expressions.
    fn text_test(
        &mut self,
        field: &Field,
        other: &str,
        test: impl FnOnce(&str, Placeholder) -> String,
    ) -> String {
        if field.domain(self.kind) != Domain::Text || other.contains('\0') {
            return FALSE.to_owned();
        }
        let folded = self.folded(field);
        let other = self.text(&fold(other));
        test(&folded, other)
    }

    /// A condition the database evaluates exactly. Parenthesised where needed by the caller.
    fn exact(&mut self, sql: &mut String, predicate: &Predicate, tenants: &[i64]) {
        match predicate {
            Predicate::All => sql.push_str("TRUE"),
            Predicate::And(all) => self.joined(sql, all, (" AND ", "TRUE"), tenants),
            Predicate::Or(any) => self.joined(sql, any, (" OR ", FALSE), tenants),
            Predicate::Not(inner) => {
                sql.push_str("((");
                self.exact(sql, inner, tenants);
                sql.push_str(") IS NOT TRUE)");
            }
            Predicate::Compare(field, compare, value) => self.compare(sql, field, *compare, value),
            Predicate::OneOf(field, values) => match values.as_slice() {
                // Cheaper to ask, and the index has these in the order of their numbers.
                [only] => self.compare(sql, field, Compare::Equal, only),
                several => *sql += &self.one_of(field, several),
            },
            Predicate::Missing(field) => {
                self.field(sql, field);
                sql.push_str(" IS NULL");
            }
            Predicate::Contains(field, text) => {
                let position = if self.is_sqlite() { "instr" } else { "strpos" };
                let test = |text: &str, part| format!("{position}({text}, {part}) > 0");
                *sql += &self.text_test(field, text, test);
            }
            Predicate::StartsWith(field, text) => {
                let test =
                    |text: &str, prefix| format!("substr({text}, 1, length({prefix})) = {prefix}");
                *sql += &self.text_test(field, text, test);
            }
            Predicate::EqualFolded(field, text) => {
                *sql += &self.text_test(field, text, |text, other| format!("{text} = {other}"));
            }
            Predicate::HasTerm(term) if !self.kind.terms || term.contains('\0') => {
                sql.push_str(FALSE);
            }
            Predicate::HasTerm(term) => {
                *sql += r#""number" IN (SELECT "number" FROM ""#;
                *sql += self.kind.name;
                *sql += r#"_term" WHERE "#;
                self.tenants(sql, tenants);
                *sql += r#" AND "term" = "#;
                self.text(term).push_to(sql);
                sql.push(')');
            }
            // `split` never passes it here.
            Predicate::Matches(..) => sql.push_str(FALSE),
        }
    }

    fn joined(
        &mut self,
        sql: &mut String,
        parts: &[Predicate],
        (word, empty): (&str, &str),
        tenants: &[i64],
    ) {
        if parts.is_empty() {
            sql.push_str(empty);
        }
        for (nth, part) in parts.iter().enumerate() {
            sql.push_str(if nth == 0 { "" } else { word });
            self.enclosed(sql, part, tenants);
        }
    }

    fn enclosed(&mut self, sql: &mut String, predicate: &Predicate, tenants: &[i64]) {
        sql.push('(');
        self.exact(sql, predicate, tenants);
        sql.push(')');
    }

    /// Whether the database cannot evaluate this exactly.
    fn needs_rust(&self, predicate: &Predicate) -> bool {
        match predicate {
            Predicate::And(parts) | Predicate::Or(parts) => {
                parts.iter().any(|part| self.needs_rust(part))
            }
            Predicate::Not(inner) => self.needs_rust(inner),
            Predicate::Matches(..) => true,
            Predicate::Contains(..) | Predicate::StartsWith(..) | Predicate::EqualFolded(..) => {
                self.dialect == Dialect::Postgres { fold: false }
            }
            _ => false,
        }
    }

    fn slot(&mut self, expression: String, slot_type: SlotType) -> usize {
        self.slots.push((expression, slot_type));
        self.slots.len() - 1
    }

    fn residual(&mut self, predicate: &Predicate, tenants: &[i64]) -> Residual {
        if !self.needs_rust(predicate) {
            let mut expression = "(".to_owned();
            self.enclosed(&mut expression, predicate, tenants);
            expression += " IS TRUE)";
            return Residual::Holds(self.slot(expression, SlotType::Bool));
        }
        let (field, test) = match predicate {
            Predicate::And(all) => {
                return Residual::And(all.iter().map(|p| self.residual(p, tenants)).collect());
            }
            Predicate::Or(any) => {
                return Residual::Or(any.iter().map(|p| self.residual(p, tenants)).collect());
            }
            Predicate::Not(inner) => return Residual::Not(Box::new(self.residual(inner, tenants))),
            Predicate::Matches(field, regex) => (field, TextTest::Matches(regex.clone())),
            Predicate::Contains(field, text) => (field, TextTest::Contains(fold(text))),
            Predicate::StartsWith(field, text) => (field, TextTest::StartsWith(fold(text))),
            Predicate::EqualFolded(field, text) => (field, TextTest::Equals(fold(text))),
            // Everything else is evaluated by the database.
            _ => return Residual::Or(Vec::new()),
        };
        let expression = match field.domain(self.kind) {
            Domain::Text => self.expression(field),
            _ => NULL_TEXT.to_owned(),
        };
        Residual::Text(self.slot(expression, SlotType::Text), test)
    }

    /// Splits a condition into what the database evaluates and what is left.
    pub(crate) fn split(
        &mut self,
        predicate: &Predicate,
        tenants: &[i64],
    ) -> (String, Option<Residual>) {
        let mut sql = String::with_capacity(CONDITION_BYTES);
        self.tenants(&mut sql, tenants);
        let mut left = Vec::new();
        let conjuncts = match predicate {
            Predicate::All => &[],
            Predicate::And(all) => all.as_slice(),
            one => std::slice::from_ref(one),
        };
        for part in conjuncts {
            if self.needs_rust(part) {
                let residual = self.residual(part, tenants);
                left.push(residual);
            } else {
                sql.push_str(" AND ");
                self.enclosed(&mut sql, part, tenants);
            }
        }
        let residual = if left.is_empty() { None } else { Some(Residual::And(left)) };
        (sql, residual)
    }
}

/// The same comparison without a NUL in the value, which PostgreSQL cannot be sent. No stored text has
/// one, so everything up to the NUL decides: `x < "a\0…"` is `x <= "a"`.
fn without_nul(domain: Domain, compare: Compare, value: &Value) -> Option<(Compare, Value)> {
    match value {
        Value::Text(text) if domain == Domain::Text && text.contains('\0') => {
            let head = text.split('\0').next().unwrap_or_default().to_owned();
            let compare = match compare {
                Compare::Equal => return None,
                Compare::Less | Compare::AtMost => Compare::AtMost,
                Compare::Greater | Compare::AtLeast => Compare::Greater,
            };
            Some((compare, Value::Text(head)))
        }
        Value::Text(text) if domain == Domain::Decimal && decimal_key(text).is_none() => None,
        _ => Some((compare, value.clone())),
    }
}
