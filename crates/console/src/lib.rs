//! The console: what the native API does, as pages for people. A client of that API inside the same
//! program: it has no rule, no question to the store and no way to write of its own, so nothing can
//! be done here that a key with the same rights could not do.
//!
//! - [`operations`]: one line for each page and deed.
//! - [`door`]: who asks, refusals as pages, the headers of every answer. [`guard`]: what a form has
//!   to bring.
//! - [`page`]: a request for a page: the calls it makes and how it is answered. [`frame`]: what
//!   stands around every page.
//! - [`words`]: sentences, numbers and dates in the language and form of the reader.
//! - [`chart`]: drawings of what was counted.
//! - [`assets`]: style sheet, script and icons.
//! - [`pages`]: one module per noun.
//!
//! No API is named here: which there are comes with the request's site, and the one whose
//! operations the deeds are is handed over to [`table`].

mod ask;
mod assets;
mod chart;
mod door;
mod errors;
mod form;
mod frame;
mod guard;
mod operations;
mod page;
mod pages;
mod rights;
mod wire;
mod words;

use patron_gateway::{Dialect, Door, Operation, dialect::exact};

pub use operations::MOUNT;

/// Every page and deed, for a server whose own API is this one, beside all it has.
pub fn table(own: &Dialect, all: &[&'static Dialect]) -> Vec<Operation> {
    pages::all(&operations::Table(operations::Api::of(own, all)))
}

/// The console as the server leads to it.
pub const fn door(operations: fn() -> Vec<Operation>) -> Door {
    Door {
        name: "console",
        mounts: &[MOUNT],
        route: exact,
        authenticate: guard::authenticate,
        claimed: |_| None,
        covers_body: |exchange| exchange.method == http::Method::POST,
        operations,
        render: errors::render,
        finish: door::finish,
    }
}
