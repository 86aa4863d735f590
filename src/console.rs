//! The console of this program: its deeds are operations of our own API.

use patron_gateway::{Door, Operation};

/// Its door.
pub static CONSOLE: Door = patron_console::door(operations);

/// Every page and deed.
pub fn operations() -> Vec<Operation> {
    patron_console::table(&patron_native::DIALECT, crate::dialects::DIALECTS)
}
