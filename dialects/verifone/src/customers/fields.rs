//! The fields that can be searched and sorted by (dossier §8.3): the whole table.

use patron_app::search::Field;
use patron_model::spelling;

/// What a field is compared as, and with which operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
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
pub(crate) struct Selector {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it is compared as.
    pub(crate) kind: Kind,
    /// Whether a list can be sorted by it.
    pub(crate) is_sortable: bool,
    /// Where it is in the document; the first path that holds a text counts.
    paths: Paths,
}

impl Selector {
    /// The field of a name.
    pub(crate) fn find(name: &str) -> Option<&'static Selector> {
        ALL.iter().find(|selector| selector.name == name)
    }

    /// Names of those that a list can be sorted by.
    pub(crate) fn sortable() -> impl Iterator<Item = &'static str> {
        ALL.iter().filter(|selector| selector.is_sortable).map(|selector| selector.name)
    }

    /// "; did you mean …", where a name is much like that of a field.
    pub(crate) fn hint(name: &str) -> String {
        let meant = spelling::meant(name, ALL.iter().map(|selector| selector.name));
        meant.map(|name| format!("; did you mean {name}?")).unwrap_or_default()
    }

    /// The field as questions name it.
    pub(crate) fn field(&self) -> Field {
        match self.kind {
            Kind::Id => Field::Uuid,
            Kind::Created => Field::Column("created_at"),
            Kind::Entity | Kind::Updated => {
                Field::Whole(self.paths[0].iter().map(|name| (*name).to_owned()).collect())
            }
            Kind::Text
            | Kind::Email
            | Kind::Phone
            | Kind::WorkPhone
            | Kind::FirstName
            | Kind::LastName
            | Kind::Digits
            | Kind::Number => match self.paths {
                [only] => Field::text(only),
                several => Field::First(several.iter().map(|path| Field::text(path)).collect()),
            },
        }
    }
}

const fn text(name: &'static str, paths: Paths) -> Selector {
    Selector { name, kind: Kind::Text, is_sortable: true, paths }
}

const fn of_kind(selector: Selector, kind: Kind) -> Selector {
    Selector { kind, ..selector }
}

const fn unsortable(selector: Selector) -> Selector {
    Selector { is_sortable: false, ..selector }
}

type Paths = &'static [&'static [&'static str]];

const BILLING_COUNTRY: Paths = &[
    &["both", "postal", "country"],
    &["billing", "postal", "country"],
    &["extras", "verifone", "billing_country_code"],
];
const SHIPPING_COUNTRY: Paths = &[
    &["both", "postal", "country"],
    &["shipping", "postal", "country"],
    &["extras", "verifone", "shipping_country_code"],
];
const FIRST_NAME: Paths =
    &[&["both", "postal", "given_name"], &["billing", "postal", "given_name"], &["given_name"]];
const LAST_NAME: Paths =
    &[&["both", "postal", "family_name"], &["billing", "postal", "family_name"], &["family_name"]];
const LANGUAGE: Paths = &[&["language"], &["extras", "verifone", "language"]];

/// Every field, in the order of the dossier.
pub(crate) static ALL: &[Selector] = &[
    of_kind(text("id", &[]), Kind::Id),
    of_kind(text("entity_id", &[&["space"]]), Kind::Entity),
    text("company_name", &[&["company_name"]]),
    text("company_registration_number", &[&["company_registration_number"]]),
    of_kind(text("email_address", &[&["email"]]), Kind::Email),
    of_kind(text("phone_number", &[&["phone", "raw"]]), Kind::Phone),
    of_kind(text("work_phone", &[&["work_phone", "raw"]]), Kind::WorkPhone),
    text("title", &[&["title"]]),
    of_kind(text("tax.identifier", &[&["tax_number"]]), Kind::Digits),
    unsortable(text("language", LANGUAGE)),
    text("billing.address_1", &[&["both", "postal", "line1"], &["billing", "postal", "line1"]]),
    text("billing.address_2", &[&["both", "postal", "line2"], &["billing", "postal", "line2"]]),
    text("billing.address_3", &[&["both", "postal", "line3"], &["billing", "postal", "line3"]]),
    text("billing.city", &[&["both", "postal", "city"], &["billing", "postal", "city"]]),
    text("billing.country_code", BILLING_COUNTRY),
    of_kind(text("billing.first_name", FIRST_NAME), Kind::FirstName),
    text(
        "billing.middle_name",
        &[&["both", "postal", "middle_name"], &["billing", "postal", "middle_name"]],
    ),
    of_kind(text("billing.last_name", LAST_NAME), Kind::LastName),
    text(
        "billing.phone",
        &[&["both", "postal", "phone", "raw"], &["billing", "postal", "phone", "raw"]],
    ),
    text(
        "billing.postal_code",
        &[&["both", "postal", "postal_code"], &["billing", "postal", "postal_code"]],
    ),
    text("billing.state", &[&["both", "postal", "state"], &["billing", "postal", "state"]]),
    text("shipping.address_1", &[&["both", "postal", "line1"], &["shipping", "postal", "line1"]]),
    text("shipping.address_2", &[&["both", "postal", "line2"], &["shipping", "postal", "line2"]]),
    text("shipping.address_3", &[&["both", "postal", "line3"], &["shipping", "postal", "line3"]]),
    text("shipping.city", &[&["both", "postal", "city"], &["shipping", "postal", "city"]]),
    text("shipping.country_code", SHIPPING_COUNTRY),
    text(
        "shipping.first_name",
        &[&["both", "postal", "given_name"], &["shipping", "postal", "given_name"]],
    ),
    text(
        "shipping.last_name",
        &[&["both", "postal", "family_name"], &["shipping", "postal", "family_name"]],
    ),
    unsortable(text(
        "shipping.middle_name",
        &[&["both", "postal", "middle_name"], &["shipping", "postal", "middle_name"]],
    )),
    of_kind(
        text(
            "shipping.phone",
            &[&["both", "postal", "phone", "raw"], &["shipping", "postal", "phone", "raw"]],
        ),
        Kind::Number,
    ),
    text(
        "shipping.postal_code",
        &[&["both", "postal", "postal_code"], &["shipping", "postal", "postal_code"]],
    ),
    text("shipping.state", &[&["both", "postal", "state"], &["shipping", "postal", "state"]]),
    of_kind(text("created_at", &[]), Kind::Created),
    unsortable(of_kind(text("updated_at", &[&["updated_at"]]), Kind::Updated)),
];
