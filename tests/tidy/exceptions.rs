//! What breaks the house rules today. Each list may only shrink: a file that grows beyond its entry
//! fails, and so does an entry that is no longer needed. A failing test prints the numbers to use.

/// Files with lines that are too wide, and how many they may have. Tables of operations are made
/// of one line each, texts in quotes cannot be broken, the rest waits for its next change.
#[rustfmt::skip]
pub const WIDE_LINES: &[(&str, usize)] = &[
    ("crates/app/src/journal.rs", 1),
    ("crates/app/src/lib.rs", 1),
    ("crates/gateway/src/dialect.rs", 1),
    ("crates/gateway/src/metrics.rs", 3),
    ("crates/gateway/src/provision.rs", 1),
    ("crates/gateway/src/reference.rs", 2),
    ("crates/model/src/customer.rs", 1),
    ("crates/model/src/customer_tests.rs", 1),
    ("crates/model/src/names.rs", 1),
    ("crates/model/src/space/key.rs", 1),
    ("crates/store/examples/bench.rs", 2),
    ("crates/store/src/batch.rs", 2),
    ("crates/store/src/ddl.rs", 1),
    ("crates/store/src/document.rs", 2),
    ("crates/store/src/dump.rs", 2),
    ("crates/store/src/evaluate.rs", 1),
    ("crates/store/src/filter.rs", 5),
    ("crates/store/src/lib.rs", 1),
    ("crates/store/src/options.rs", 1),
    ("crates/store/src/page.rs", 2),
    ("crates/store/src/postgres/mod.rs", 3),
    ("crates/store/src/query.rs", 2),
    ("crates/store/src/sql.rs", 8),
    ("crates/store/src/sqlite/keeper.rs", 1),
    ("crates/store/src/sqlite/mod.rs", 1),
    ("crates/store/src/sqlite/writer.rs", 1),
    ("crates/store/src/store.rs", 2),
    ("crates/store/tests/main/contract.rs", 1),
    ("crates/store/tests/main/faults.rs", 1),
    ("crates/store/tests/main/machine.rs", 1),
    ("crates/store/tests/main/support/mod.rs", 1),
    ("crates/store/tests/main/support/postgres.rs", 2),
    ("dialects/native/src/auth.rs", 1),
    ("dialects/native/src/customers/read.rs", 1),
    ("dialects/native/src/customers/show.rs", 1),
    ("dialects/native/tests/hanging.rs", 2),
    ("dialects/notchpay/src/payment_methods.rs", 1),
    ("dialects/notchpay/src/customers/phones.rs", 1),
    ("dialects/notchpay/tests/translation.rs", 1),
    ("dialects/verifone/tests/auth.rs", 1),
    ("src/commands/sign.rs", 1),
    ("src/dialects.rs", 1),
    ("src/sandbox.rs", 1),
    ("tests/translation.rs", 1),
];

/// Functions that are too long: `file::name` and the lines they may have.
#[rustfmt::skip]
pub const LONG_FUNCTIONS: &[(&str, usize)] = &[
    ("crates/model/src/customer.rs::apply", 108),
    ("dialects/native/src/errors.rs::describe", 83),
];

/// Files that are too long, and the lines they may have.
#[rustfmt::skip]
pub const LONG_FILES: &[(&str, usize)] = &[
    ("crates/model/src/customer.rs", 594),
];
