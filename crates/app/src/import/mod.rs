//! Importing customers from a file: a reading half that turns a file of rows into customers as they
//! shall be ([`Reading`]), and a writing half that compares them with those that are there
//! ([`Writing`]). Whoever runs an import, a command today and a job of a server, joins the two and
//! says what came of each row.
//!
//! Everything is bounded: a row by [`ROW_BYTES_MAX`], columns by [`COLUMNS_MAX`], rows under way by
//! [`CHUNK_ROWS`] and [`CHUNK_BYTES`]; text is read as a stream, however long the file is.
//! Spreadsheets are archives and are read within [`BOOK_BYTES_MAX`] and [`UNPACKED_BYTES_MAX`].

mod columns;
mod look;
mod read;
mod sheet;
mod utf8;
mod write;

use std::collections::BTreeSet;

use patron_model::{
    Failure, Patch,
    address::{AddressEdit, Postal, PostalPatch, Purpose},
    customer::{Customer, CustomerPatch, NewAddress},
};
use serde_json::Value;

pub use self::columns::{Columns, Names, UnknownColumn};
pub use self::look::{Format, Layout, Said};
pub use self::read::{Parsed, Reading};
pub use self::write::{Match, OnConflict, Plan, Verdict, Writing};

/// Longest row (bytes).
pub const ROW_BYTES_MAX: usize = 1024 * 1024;
/// Most columns of a file.
pub const COLUMNS_MAX: usize = 1_000;
/// Rows that are handed on together, at most.
pub const CHUNK_ROWS: usize = 512;
/// Bytes of rows that are handed on together, at most; a single row may be longer.
pub const CHUNK_BYTES: usize = 4 * 1024 * 1024;
/// Largest spreadsheet (bytes).
pub const BOOK_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// What a spreadsheet may unpack to (bytes).
pub const UNPACKED_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// The cells of a row under the names of their columns.
pub type NamedCells<'a> = [(&'a str, &'a str)];

/// How rows become customers: in the words of the API whose form they have.
#[derive(Debug, Clone, Copy)]
pub struct Form {
    /// Names of the columns that are known.
    pub columns: fn() -> &'static BTreeSet<String>,
    /// Names of columns with the cells of a row, none of them empty, as a record.
    pub from_cells: fn(&NamedCells<'_>) -> Result<Value, Failure>,
    /// A line as a record.
    pub from_line: fn(&[u8]) -> Result<Value, Failure>,
    /// What a record says.
    pub into_row: fn(Value) -> Result<Row, Failure>,
}

/// What a row says of a customer.
#[derive(Debug, Clone, Default)]
pub struct Row {
    /// Number of the customer, where the row has one.
    pub number: Option<i64>,
    /// Everything but addresses.
    pub patch: CustomerPatch,
    /// Columns of the billing address.
    pub billing: Option<PostalPatch>,
    /// Columns of the shipping address.
    pub shipping: Option<PostalPatch>,
    /// A list of addresses.
    pub addresses: Vec<NewAddress>,
}

impl Row {
    /// The patch of a new customer.
    pub fn into_new(self) -> CustomerPatch {
        let slot = |purpose: Purpose, postal: Option<PostalPatch>| {
            let postal = Postal::default().changed(postal?);
            Some(NewAddress { purpose, is_default: true, postal })
        };
        let slots = [slot(Purpose::Billing, self.billing), slot(Purpose::Shipping, self.shipping)];
        let add_addresses = slots.into_iter().flatten().chain(self.addresses).collect();
        CustomerPatch { add_addresses, ..self.patch }
    }

    /// The patch of a customer who is there: what the row does not say stays. Columns of an address
    /// change the one that is used for the purpose; of a list those are added that are not there.
    pub fn into_change(self, before: &Customer) -> CustomerPatch {
        let edit = |postal: Option<PostalPatch>| {
            postal.map_or(AddressEdit::Keep, |postal| AddressEdit::Merge(Box::new(postal)))
        };
        let has = |new: &NewAddress| {
            before.addresses().iter().any(|is| is.purpose == new.purpose && is.postal == new.postal)
        };
        let add_addresses = self.addresses.into_iter().filter(|new| !has(new)).collect();
        let mut patch = CustomerPatch {
            billing: edit(self.billing),
            shipping: edit(self.shipping),
            add_addresses,
            ..self.patch
        };
        if patch.status == Patch::Set(before.status) {
            // Nobody set it: what a dialect shows as long as nobody does stays.
            patch.status = Patch::Keep;
        }
        patch
    }
}

/// What keeps a file from being read, in words.
#[derive(Debug)]
pub struct Unreadable(String);

impl Unreadable {
    fn because(why: impl std::fmt::Display) -> Unreadable {
        Unreadable(why.to_string())
    }
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for Unreadable {}

impl From<std::io::Error> for Unreadable {
    fn from(error: std::io::Error) -> Unreadable {
        Unreadable::because(error)
    }
}
