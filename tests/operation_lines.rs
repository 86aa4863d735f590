//! What an operation costs in lines of Rust, of the whole folder of its dialect but for tests. Both
//! bounds only shrink: an operation on a table is to take fewer than 12 lines, any other fewer than
//! 80.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use patron_gateway::{Dialect, Operation, operation::Shape};

use crate::api::ALL;

/// Lines that an operation on a table stays below.
const TABLE_LINES_BELOW: usize = 12;
/// Lines that any other operation stays below: what it came to. The aim is 80.
const TYPED_LINES_BELOW: usize = 147;

/// Every file of Rust below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{folder:?}: {e}")) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            all.push(path);
        }
    }
    all
}

/// Lines that are shipped, comments and blank ones included.
fn lines(text: &str) -> usize {
    text.split("\n#[cfg(test)]\nmod tests").next().unwrap_or_default().lines().count()
}

/// Whether a file is there for tables: it is written with what the kit has for them.
fn is_of_tables(text: &str) -> bool {
    ["tabular::{", "tabular::Table", "catalogue::{"].iter().any(|word| text.contains(word))
}

/// Groups with an operation whose body or answer is a type that is data: all of theirs are on
/// tables.
fn groups(operations: &[Operation]) -> BTreeSet<&'static str> {
    let is_data = |shape: &Shape| matches!(shape, Shape::Table(..));
    let is_one = |o: &&Operation| {
        o.body.iter().any(is_data) || o.replies.iter().any(|(_, s)| s.iter().any(is_data))
    };
    operations.iter().filter(is_one).map(|operation| operation.tag).collect()
}

/// Lines and operations of a dialect: typed ones, and those on tables.
fn counted(dialect: &Dialect) -> [(usize, usize); 2] {
    let mut all = (dialect.operations)();
    all.retain(|operation| operation.is_served);
    let groups = groups(&all);
    let (tables, typed): (Vec<_>, Vec<_>) = all.iter().partition(|o| groups.contains(o.tag));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("dialects").join(dialect.name);
    let (mut of_typed, mut of_tables) = (0, 0);
    for file in files(&folder.join("src")) {
        let text = std::fs::read_to_string(file).unwrap();
        let is_of_tables = !tables.is_empty() && is_of_tables(&text);
        let sum = if is_of_tables { &mut of_tables } else { &mut of_typed };
        *sum += lines(&text);
    }
    [(of_typed, typed.len()), (of_tables, tables.len())]
}

#[test]
fn an_operation_takes_no_more_lines_than_before() {
    let mut sums = [(0, 0); 2];
    for dialect in ALL {
        let counts = counted(dialect);
        for (sum, (lines, count)) in sums.iter_mut().zip(counts) {
            *sum = (sum.0 + lines, sum.1 + count);
        }
        let each = counts.map(|(lines, count)| lines.checked_div(count).unwrap_or_default());
        println!("{}: {counts:?} lines and operations, {each:?} each", dialect.name);
    }
    let [(typed, of_typed), (tables, of_tables)] = sums;
    println!("typed: {typed} lines for {of_typed} operations, {} each", typed / of_typed);
    println!("tables: {tables} lines for {of_tables} operations, {} each", tables / of_tables);
    assert!(of_typed > 100 && of_tables > 60, "{of_typed} and {of_tables} operations");
    assert!(tables < of_tables * TABLE_LINES_BELOW, "{tables} lines for {of_tables} on tables");
    assert!(typed < of_typed * TYPED_LINES_BELOW, "{typed} lines for {of_typed} typed ones");
}
