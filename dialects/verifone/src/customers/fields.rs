//! The fields that can be searched and sorted by (dossier §8.3): the whole table.

use patron_app::search::{
    Field,
    customer::{self, billing, shipping},
};
use patron_model::spelling;

use crate::NAME;

/// What a field is compared as, and with which operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// S: a text.
    Text,
    /// S: the customer's UUID.
    Id,
    /// S: the entity, which is the customer's space.
    Entity,
    /// S: a text of the customer that has an index of its own.
    Email,
    /// S: a phone number, found by its international form as well.
    Phone,
    /// S: the same at work.
    WorkPhone,
    /// S: the first name of the billing address or of the customer.
    FirstName,
    /// S: the last name of the billing address or of the customer.
    LastName,
    /// S: digits; a tax number of another form is not shown and not found.
    Digits,
    /// S and N: a text that is compared as a number where both sides are digits.
    Number,
    /// D: a moment that is kept in one place.
    Created,
    /// D: the youngest of several moments.
    Updated,
}

/// A field that can be searched.
pub struct Selector {
    /// Its name.
    pub name: &'static str,
    /// What it is compared as.
    pub kind: Kind,
    /// Whether a list can be sorted by it.
    pub is_sortable: bool,
    at: fn() -> Field,
}

impl Selector {
    /// The field of a name.
    pub fn find(name: &str) -> Option<&'static Selector> {
        ALL.iter().find(|selector| selector.name == name)
    }

    /// Names of those that a list can be sorted by.
    pub fn sortable() -> impl Iterator<Item = &'static str> {
        ALL.iter().filter(|selector| selector.is_sortable).map(|selector| selector.name)
    }

    /// "; did you mean …", where a name is much like that of a field.
    pub fn hint(name: &str) -> String {
        let meant = spelling::meant(name, ALL.iter().map(|selector| selector.name));
        meant.map(|name| format!("; did you mean {name}?")).unwrap_or_default()
    }

    /// The field as questions name it.
    pub fn field(&self) -> Field {
        (self.at)()
    }
}

const fn text(name: &'static str, at: fn() -> Field) -> Selector {
    Selector { name, kind: Kind::Text, is_sortable: true, at }
}

const fn of_kind(selector: Selector, kind: Kind) -> Selector {
    Selector { kind, ..selector }
}

const fn unsortable(selector: Selector) -> Selector {
    Selector { is_sortable: false, ..selector }
}

/// What this API keeps of its own, where the record has no room for it.
fn own(name: &str) -> Field {
    customer::extra(NAME, name)
}

fn first_name() -> Field {
    billing("given_name").or(customer::given_name())
}

fn last_name() -> Field {
    billing("family_name").or(customer::family_name())
}

/// Every field, in the order of the dossier.
pub static ALL: &[Selector] = &[
    of_kind(text("id", customer::uuid), Kind::Id),
    of_kind(text("entity_id", customer::space), Kind::Entity),
    text("company_name", || customer::text("company_name")),
    text("company_registration_number", || customer::text("company_registration_number")),
    of_kind(text("email_address", || customer::text("email")), Kind::Email),
    of_kind(text("phone_number", customer::phone), Kind::Phone),
    of_kind(text("work_phone", customer::work_phone), Kind::WorkPhone),
    text("title", || customer::text("title")),
    of_kind(text("tax.identifier", || customer::text("tax_number")), Kind::Digits),
    unsortable(text("language", || customer::text("language").or(own("language")))),
    text("billing.address_1", || billing("line1")),
    text("billing.address_2", || billing("line2")),
    text("billing.address_3", || billing("line3")),
    text("billing.city", || billing("city")),
    text("billing.country_code", || billing("country").or(own("billing_country_code"))),
    of_kind(text("billing.first_name", first_name), Kind::FirstName),
    text("billing.middle_name", || billing("middle_name")),
    of_kind(text("billing.last_name", last_name), Kind::LastName),
    text("billing.phone", customer::billing_phone),
    text("billing.postal_code", || billing("postal_code")),
    text("billing.state", || billing("state")),
    text("shipping.address_1", || shipping("line1")),
    text("shipping.address_2", || shipping("line2")),
    text("shipping.address_3", || shipping("line3")),
    text("shipping.city", || shipping("city")),
    text("shipping.country_code", || shipping("country").or(own("shipping_country_code"))),
    text("shipping.first_name", || shipping("given_name")),
    text("shipping.last_name", || shipping("family_name")),
    unsortable(text("shipping.middle_name", || shipping("middle_name"))),
    of_kind(text("shipping.phone", customer::shipping_phone), Kind::Number),
    text("shipping.postal_code", || shipping("postal_code")),
    text("shipping.state", || shipping("state")),
    of_kind(text("created_at", customer::created_at), Kind::Created),
    unsortable(of_kind(text("updated_at", customer::updated_at), Kind::Updated)),
];
