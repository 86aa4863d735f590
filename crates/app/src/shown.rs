//! Customers that are only shown: the stored document begins with the customer as Patron shows it,
//! so what is asked for most often is answered without decoding and encoding it again.

use std::hash::Hash;

use bytes::Bytes;
use patron_model::{Failure, customer::Customer, shown::ShownCustomer};
use patron_store::Row;

use crate::{
    Cx,
    record::{Loaded, decode},
    search::{After, Order, place_of},
};

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
}

impl Seen {
    /// A customer that was read.
    ///
    /// # Errors
    /// `Internal` when the stored document is not a customer.
    pub(crate) fn of(row: Row) -> Result<Seen, Failure> {
        match row.doc.face() {
            Some(_) => Ok(Seen::Shown(Shown { row })),
            None => Ok(Seen::Loaded(Box::new(decode(&row)?))),
        }
    }

    /// Number.
    pub fn number(&self) -> i64 {
        match self {
            Seen::Shown(shown) => shown.row.number,
            Seen::Loaded(loaded) => loaded.number,
        }
    }

    /// Number of its space.
    pub fn space(&self) -> i64 {
        match self {
            Seen::Shown(shown) => shown.row.tenant,
            Seen::Loaded(loaded) => loaded.space,
        }
    }

    /// What an API answers about it: as it was rendered before, where the same document was, and
    /// the same things `beside` it. These are all that the answer is made of beyond the customer:
    /// switches of the space, whose key asks, other records, or what tells their versions apart. A
    /// customer that looks otherwise at another moment is rendered each time.
    ///
    /// # Errors
    /// Those of `render`; `Internal` when the stored document is not a customer.
    pub fn answer(
        self,
        cx: &Cx,
        api: &'static str,
        beside: impl Hash,
        render: impl FnOnce(&Customer) -> Result<Vec<u8>, Failure>,
    ) -> Result<Bytes, Failure> {
        let row = match self {
            Seen::Shown(shown) => shown.row,
            Seen::Loaded(loaded) => return render(&loaded).map(Bytes::from),
        };
        if let Some(answer) = cx.app.faces.find(api, &row, &beside) {
            return Ok(answer);
        }
        let found: Loaded<Customer> = decode(&row)?;
        let answer = render(&found)?;
        let answer = Bytes::from(answer.into_boxed_slice());
        cx.app.faces.keep(api, &row, &beside, &answer);
        Ok(answer)
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
        self.row.doc.face().unwrap_or_default()
    }

    /// Counts the changes of the customer's own fields.
    ///
    /// # Errors
    /// `Internal` when the form has no version.
    pub fn version(&self) -> Result<i64, Failure> {
        // The third member, after id and number.
        let member = self.json().split(',').nth(2);
        let version = member.and_then(|m| m.strip_prefix("\"version\":")?.parse().ok());
        version.ok_or_else(|| Failure::internal("a shown customer has no version"))
    }

    /// The form as bytes, without a copy.
    pub fn into_json(self) -> Bytes {
        self.row.doc.into_face()
    }
}

/// The face of a customer's document: the shown form, where it is the same at any moment.
///
/// # Errors
/// `Internal` when it cannot be written as JSON.
pub(crate) fn face(customer: &Customer) -> Result<Option<String>, Failure> {
    if customer.is_deleted() || customer.status_until.is_some() {
        return Ok(None);
    }
    let shown = ShownCustomer::of(customer, customer.updated_at);
    serde_json::to_string(&shown).map(Some).map_err(Failure::internal)
}
