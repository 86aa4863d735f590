//! How a customer is stored.

use patron_model::{
    Failure, Permission, Timestamp, card::Found, country::Country, customer::Customer,
    event::CustomerEvent,
};
use patron_store::{Column, Index, Kind, Value, faceless};

use crate::{
    documents::{Document, named},
    search, shown,
};

/// Customers.
pub static CUSTOMER: Kind = Kind {
    name: "customer",
    columns: &[
        Column::text("reference", Index::Unique).guarding("reference"),
        Column::text("email_key", Index::Ordered),
        Column::text("phone_key", Index::Ordered),
        Column::text("name_key", Index::Ordered),
        Column::int("created_at", Index::Ordered),
        Column::int("deleted_at", Index::None),
        // When its status ends: most have no term.
        Column::int("status_until", Index::Sparse),
    ],
    terms: true,
};

impl Document for Customer {
    named!(CUSTOMER, Customer, CustomerEvent, in_space);
    const IS_PERSON: bool = true;
    const SEEN_BY: Option<Permission> = Some(Permission::CustomerRead);

    fn related(&self) -> Vec<i64> {
        self.merged_into.into_iter().collect()
    }

    fn successor(&self) -> Option<i64> {
        self.merged_into
    }

    fn is_gone(&self) -> bool {
        self.is_deleted()
    }

    fn columns(&self) -> Vec<Value> {
        // A deleted customer's reference is free again.
        let reference = self.reference.as_ref().filter(|_| !self.is_deleted());
        vec![
            reference.map(|r| r.as_str()).into(),
            self.email.as_ref().map(|email| email.key()).into(),
            self.phone.as_ref().map(|phone| phone.key()).into(),
            search::name_key(self).into(),
            self.created_at.micros().into(),
            self.deleted_at.map(Timestamp::micros).into(),
            self.status_until.filter(|_| !self.is_deleted()).map(Timestamp::micros).into(),
        ]
    }

    fn face(&self) -> Result<Option<String>, Failure> {
        shown::face(self)
    }

    fn from_document(document: &str) -> serde_json::Result<Customer> {
        serde_json::from_str(&faceless(document))
    }

    fn reread(&self, home: Option<&Country>) -> Option<Customer> {
        self.with_phones_read(home)
    }

    fn own(&self) -> Option<String> {
        serde_json::to_string(&self.unread()?).ok()
    }

    fn terms(&self) -> Vec<String> {
        if self.is_deleted() { Vec::new() } else { search::terms(self) }
    }

    fn terms_beside(&self, other: &Customer, terms: &[String]) -> Vec<String> {
        if search::same_terms(self, other) { terms.to_vec() } else { self.terms() }
    }

    fn search_cards(&self, found: &mut Found) {
        Customer::search_cards(self, found);
    }
}
