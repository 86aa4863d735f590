//! Customers that are only shown: the stored document begins with the customer as Patron shows it,
//! so what is asked for most often is answered without decoding and encoding it again.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use patron_model::{Failure, customer::Customer, shown::ShownCustomer};
use patron_store::Row;

use crate::{
    record::{Loaded, decode},
    search::{After, Order, place_of},
};

/// How a document begins that holds the shown form: its length in bytes follows, then the form.
const LENGTH: &str = "{\"shown_bytes\":";
const FORM: &str = ",\"shown\":";

/// A customer that was read in order to be shown.
#[derive(Debug)]
pub enum Seen {
    /// Living, and shown the same at any moment.
    Shown(Shown),
    /// Any other.
    Loaded(Box<Loaded<Customer>>),
}

/// The shown form of a customer, as it stands in its document.
#[derive(Debug)]
pub struct Shown {
    row: Row,
    form: Range<usize>,
}

impl Seen {
    /// A customer that was read.
    ///
    /// # Errors
    /// `Internal` when the stored document is not a customer.
    pub(crate) fn of(row: Row) -> Result<Seen, Failure> {
        match form(&row.doc) {
            Some(form) => Ok(Seen::Shown(Shown { row, form })),
            None => Ok(Seen::Loaded(Box::new(decode(&row)?))),
        }
    }

    /// The customer itself.
    ///
    /// # Errors
    /// `Internal` when the stored document is not a customer.
    pub fn load(self) -> Result<Loaded<Customer>, Failure> {
        match self {
            Seen::Shown(shown) => decode(&shown.row),
            Seen::Loaded(loaded) => Ok(*loaded),
        }
    }

    /// Its place in an order: where the next page begins.
    ///
    /// # Errors
    /// `Internal` when the stored document is not a customer.
    pub fn place(&self, order: &Order) -> Result<After, Failure> {
        match self {
            Seen::Shown(shown) if order.keys.is_empty() => {
                Ok(After { keys: Vec::new(), number: shown.row.number })
            }
            Seen::Shown(shown) => place_of(&decode::<Customer>(&shown.row)?, order),
            Seen::Loaded(loaded) => place_of(loaded, order),
        }
    }
}

impl Shown {
    /// Number.
    pub fn number(&self) -> i64 {
        self.row.number
    }

    /// UUID.
    pub fn uuid(&self) -> uuid::Uuid {
        self.row.uuid
    }

    /// The form, a JSON object.
    pub fn json(&self) -> &str {
        self.row.doc.get(self.form.clone()).unwrap_or_default()
    }

    /// Counts the changes of the customer's own fields.
    ///
    /// # Errors
    /// `Internal` when the form has no version.
    pub fn version(&self) -> Result<i64, Failure> {
        let version = self.json().split_once("\"version\":").and_then(|(_, rest)| {
            rest.split_once(',').and_then(|(version, _)| version.parse().ok())
        });
        version.ok_or_else(|| Failure::internal("a shown customer has no version"))
    }

    /// The form as bytes, without a copy.
    pub fn into_json(self) -> Bytes {
        Bytes::from(self.row.doc).slice(self.form)
    }
}

fn form(doc: &str) -> Option<Range<usize>> {
    let (length, _) = doc.strip_prefix(LENGTH)?.split_once(FORM)?;
    let start = LENGTH.len() + length.len() + FORM.len();
    let end = start.checked_add(length.parse().ok()?)?;
    doc.get(start..end).map(|_| start..end)
}

/// The document of a customer: the shown form, where it is the same at any moment, then the record.
///
/// # Errors
/// `Internal` when it cannot be written as JSON.
pub(crate) fn document(customer: &Customer) -> Result<String, Failure> {
    let record = serde_json::to_string(customer).map_err(Failure::internal)?;
    if customer.is_deleted() || customer.status_until.is_some() {
        return Ok(record);
    }
    let shown = ShownCustomer::of(customer, customer.updated_at);
    let shown = serde_json::to_string(&shown).map_err(Failure::internal)?;
    let members = record.strip_prefix('{').unwrap_or(&record);
    let length = shown.len().to_string();
    Ok([LENGTH, &length, FORM, &shown, ",", members].concat())
}

/// The record of a document: what follows the shown form.
pub(crate) fn record(doc: &str) -> Cow<'_, str> {
    let members = form(doc).and_then(|form| doc.get(form.end..)?.strip_prefix(','));
    members.map_or(Cow::Borrowed(doc), |members| Cow::Owned(["{", members].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_and_the_record_are_found_again() {
        let doc = r#"{"shown_bytes":10,"shown":{"a":"ü"},"number":1}"#;
        assert_eq!(form(doc).map(|form| &doc[form]), Some(r#"{"a":"ü"}"#));
        assert_eq!(record(doc), r#"{"number":1}"#);
        for other in [r#"{"number":1}"#, r#"{"shown_bytes":99,"shown":{},"number":1}"#, "{}"] {
            assert_eq!((form(other), record(other)), (None, Cow::Borrowed(other)));
        }
    }
}
