//! What customers can be searched and sorted by (dossier §6.2), as filters of the store.

use patron_app::search::{self, Field, Filter, customer};

use crate::{
    filters::{Check, Kind},
    query::Operator,
};

/// A field of a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CustomerField {
    /// `id`
    Id,
    /// `version`
    Version,
    /// `createdOn`
    CreatedOn,
    /// `customerId`
    CustomerId,
    /// `emailAddress`
    EmailAddress,
    /// `givenName`
    GivenName,
    /// `familyName`
    FamilyName,
    /// `language`
    Language,
    /// `preferredCurrency`
    PreferredCurrency,
    /// `metaData.<key>`
    MetaData(String),
}

/// Finds a field by its name on the wire.
pub fn resolve(name: &str) -> Option<(CustomerField, Kind)> {
    Some(match name {
        "id" => (CustomerField::Id, Kind::Whole),
        "version" => (CustomerField::Version, Kind::Whole),
        "createdOn" => (CustomerField::CreatedOn, Kind::Moment),
        "customerId" => (CustomerField::CustomerId, Kind::Text),
        "emailAddress" => (CustomerField::EmailAddress, Kind::Text),
        "givenName" => (CustomerField::GivenName, Kind::Text),
        "familyName" => (CustomerField::FamilyName, Kind::Text),
        "language" => (CustomerField::Language, Kind::Text),
        "preferredCurrency" => (CustomerField::PreferredCurrency, Kind::Text),
        other => {
            let key = other.strip_prefix("metaData.").filter(|key| !key.is_empty())?;
            (CustomerField::MetaData(key.to_owned()), Kind::Text)
        }
    })
}

/// Where the field is kept: what a result is sorted by.
pub fn field(field: &CustomerField) -> Field {
    match field {
        CustomerField::Id => customer::number(),
        CustomerField::Version => customer::version(),
        CustomerField::CreatedOn => customer::created_at(),
        // The column knows claimed references only, and it is indexed.
        CustomerField::CustomerId => customer::claimed_reference(),
        CustomerField::EmailAddress => customer::text("email"),
        CustomerField::GivenName => or_full_name(customer::given_name()),
        CustomerField::FamilyName => or_full_name(customer::family_name()),
        CustomerField::Language => customer::text("language"),
        CustomerField::PreferredCurrency => customer::text("currency"),
        // Not by search terms: a record has room for fewer of them than for pairs.
        CustomerField::MetaData(key) => customer::metadata(key),
    }
}

fn or_full_name(name: Field) -> Field {
    name.or(customer::full_name())
}

/// A test of a field as a filter.
pub fn compile(of: &CustomerField, check: &Check) -> Filter {
    match of {
        CustomerField::EmailAddress => email(check),
        CustomerField::GivenName => given_name(check),
        CustomerField::FamilyName => family_name(check),
        CustomerField::Language => language(check),
        CustomerField::MetaData(key) => metadata(key, check),
        CustomerField::Id
        | CustomerField::Version
        | CustomerField::CreatedOn
        | CustomerField::CustomerId
        | CustomerField::PreferredCurrency => check.filter(field(of)),
    }
}

/// Equality goes by the indexed lower-case copy first.
fn email(check: &Check) -> Filter {
    let exact = check.filter(field(&CustomerField::EmailAddress));
    if let Check::Text(Operator::Equal, text) = check {
        return Filter::equal(customer::email_key(), text.to_lowercase()).and(exact);
    }
    exact
}

/// Equality goes by the indexed term of the pair first.
fn metadata(key: &str, check: &Check) -> Filter {
    match check {
        Check::Text(Operator::Equal, value) => customer::has_metadata(key, value),
        _ => check.filter(customer::metadata(key)),
    }
}

/// Tags are kept as typed and shown with hyphens; they mean the same in either case.
fn language(check: &Check) -> Filter {
    let field = || field(&CustomerField::Language);
    if let Check::Text(Operator::Equal, tag) = check {
        return Filter::Or(vec![
            Filter::EqualFolded(field(), tag.clone()),
            Filter::EqualFolded(field(), tag.replace('-', "_")),
        ]);
    }
    if let Check::Text(Operator::Contains, part) = check {
        return Filter::Or(vec![
            Filter::Contains(field(), part.clone()),
            Filter::Contains(field(), part.replace('-', "_")),
        ]);
    }
    check.filter(field())
}

fn not(filter: Filter) -> Filter {
    Filter::Not(Box::new(filter))
}

/// Only a full name is known, so that the shown names are derived from it.
fn is_derived() -> Filter {
    Filter::Missing(customer::given_name()).and(Filter::Missing(customer::family_name()))
}

/// Parts of a derived name are found in the full one; whole names are compared as they were given.
fn name(own: Field, check: &Check) -> Filter {
    if let Check::Text(Operator::Contains, _) = check {
        let derived = is_derived().and(check.filter(customer::full_name()));
        return Filter::Or(vec![check.filter(own), derived]);
    }
    check.filter(own)
}

fn given_name(check: &Check) -> Filter {
    if *check == Check::Missing {
        // A full name always has a given one: its only word, or those before the last.
        let is_not_derived = Filter::Or(vec![
            not(Filter::Missing(customer::family_name())),
            Filter::Missing(customer::full_name()),
        ]);
        return Filter::Missing(customer::given_name()).and(is_not_derived);
    }
    name(customer::given_name(), check)
}

fn family_name(check: &Check) -> Filter {
    if *check == Check::Missing {
        // A full name of one word has no family name.
        let derived = is_derived().and(Filter::Contains(customer::full_name(), " ".into()));
        return Filter::Missing(customer::family_name()).and(not(derived));
    }
    name(customer::family_name(), check)
}

/// Everything that narrows a search of customers: deleted ones are never found.
pub fn living(query: search::Query) -> search::Query {
    let predicate = customer::living().and(query.predicate);
    search::Query { predicate, ..query }
}
