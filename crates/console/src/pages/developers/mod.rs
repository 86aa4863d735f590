//! What programs use: keys, webhook endpoints and their deliveries.

mod attempts;
mod deliveries;
mod keys;
mod webhooks;

use patron_app::webhooks::notifier::Notifier;
use patron_gateway::{Operation, dialect::Dialect};

use crate::{operations::Table, page::Page};

/// The lines.
pub fn lines(table: &Table) -> Vec<Operation> {
    [keys::lines(table), webhooks::lines(table), deliveries::lines(table)].concat()
}

/// An API: its title, and its place in the list, by which it is coloured.
struct Api {
    title: &'static str,
    place: usize,
}

fn dialects(page: &Page) -> &[&'static Dialect] {
    &page.request.site.dialects
}

/// The API with a name.
fn api(page: &Page, name: &str) -> Option<Api> {
    let place = dialects(page).iter().position(|known| known.name == name)?;
    Some(Api { title: dialects(page)[place].title, place: place + 1 })
}

/// How an API tells webhook endpoints what happened, where it does.
fn notifier(page: &Page, name: &str) -> Option<&'static Notifier> {
    dialects(page).iter().find(|known| known.name == name)?.webhooks
}
