//! The customer as Patron itself shows it: one form for its own API, its feeds and its exports. It
//! is written into the stored document too, so that showing a customer needs no decoding.

use std::borrow::Cow;
use std::collections::BTreeMap;

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::{Timestamp, customer::Customer, email::Email};

/// A customer.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Customer")]
pub struct ShownCustomer<'a> {
    /// UUID; `number` serves in paths just as well.
    id: uuid::Uuid,
    /// Number, unique in the whole deployment.
    number: i64,
    /// Counts the changes of the customer's own fields, from 1.
    version: i64,
    /// Your own id, unique among the living customers of the space.
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
    /// Given name, derived from the full name where only that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    given_name: Option<&'a str>,
    /// Family name, derived likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    family_name: Option<&'a str>,
    /// Full name, derived from the parts where only those are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    full_name: Option<Cow<'a, str>>,
    /// Mr, Mrs, Dr, …
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    /// Company.
    #[serde(skip_serializing_if = "Option::is_none")]
    company_name: Option<&'a str>,
    /// Number in a company register.
    #[serde(skip_serializing_if = "Option::is_none")]
    company_registration_number: Option<&'a str>,
    /// Tax number.
    #[serde(skip_serializing_if = "Option::is_none")]
    tax_number: Option<&'a str>,
    /// E-mail address, as typed.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    /// What is odd about the e-mail address: `look_alike_domain` when its domain can be taken for
    /// another one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    email_warnings: Vec<&'static str>,
    /// Phone number, as typed.
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<&'a str>,
    /// The same in E.164, where it could be understood.
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_e164: Option<&'a str>,
    /// Phone number at work, as typed.
    #[serde(skip_serializing_if = "Option::is_none")]
    work_phone: Option<&'a str>,
    /// BCP 47 language tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<&'a str>,
    /// ISO 4217 currency code.
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<&'a str>,
    /// IANA time zone or offset from UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    time_zone: Option<&'a str>,
    /// Free description.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    /// Your own pairs.
    metadata: &'a BTreeMap<String, Value>,
    /// `active`, `inactive`, `locked`, `blocked` or `deleted`.
    #[schemars(extend("enum" = ["active", "inactive", "locked", "blocked", "deleted"]))]
    status: &'static str,
    /// Why it has this status.
    #[serde(skip_serializing_if = "Option::is_none")]
    status_reason: Option<&'a str>,
    /// Until when; afterwards the customer counts as active.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    status_until: Option<String>,
    /// Balance, a decimal number as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    balance: Option<Decimal>,
    /// User name in a customer portal.
    #[serde(skip_serializing_if = "Option::is_none")]
    portal_user_name: Option<&'a str>,
    /// Names of the fields that identify this customer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    identifier_fields: Vec<&'a str>,
    /// When it was created (RFC 3339, UTC, microseconds).
    #[schemars(extend("format" = "date-time"))]
    created_at: String,
    /// When one of its own fields was last changed.
    #[schemars(extend("format" = "date-time"))]
    updated_at: String,
    /// When it was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    deleted_at: Option<String>,
    /// Number of the customer that took this one over.
    #[serde(skip_serializing_if = "Option::is_none")]
    merged_into: Option<i64>,
}

fn text<T: AsRef<str>>(value: &Option<T>) -> Option<&str> {
    value.as_ref().map(AsRef::as_ref)
}

impl<'a> ShownCustomer<'a> {
    /// A customer at a moment.
    pub fn of(customer: &'a Customer, now: Timestamp) -> Self {
        let (given_name, family_name) = given_and_family(customer);
        let status = match customer.deleted_at {
            Some(_) => "deleted",
            None => customer.status_at(now).as_str(),
        };
        ShownCustomer {
            id: customer.uuid,
            number: customer.number,
            version: customer.version,
            reference: text(&customer.reference),
            given_name,
            family_name,
            full_name: full_name(customer),
            title: text(&customer.title),
            company_name: text(&customer.company_name),
            company_registration_number: text(&customer.company_registration_number),
            tax_number: text(&customer.tax_number),
            email: customer.email.as_ref().map(|email| email.as_str()),
            email_warnings: customer.email.as_ref().map(warnings).unwrap_or_default(),
            phone: customer.phone.as_ref().map(|phone| phone.raw()),
            phone_e164: customer.phone.as_ref().and_then(|phone| phone.e164()),
            work_phone: customer.work_phone.as_ref().map(|phone| phone.raw()),
            language: customer.language.as_ref().map(|language| language.as_str()),
            currency: customer.currency.as_ref().map(|currency| currency.as_str()),
            time_zone: customer.time_zone.as_ref().map(|zone| zone.as_str()),
            description: text(&customer.description),
            metadata: customer.metadata.pairs(),
            status,
            status_reason: text(&customer.status_reason),
            status_until: customer.status_until.map(Timestamp::rfc3339_micros),
            balance: customer.balance,
            portal_user_name: customer.portal.as_ref().and_then(|portal| text(&portal.user_name)),
            identifier_fields: customer.identifier_fields.iter().map(|f| f.as_str()).collect(),
            created_at: customer.created_at.rfc3339_micros(),
            updated_at: customer.updated_at.rfc3339_micros(),
            deleted_at: customer.deleted_at.map(Timestamp::rfc3339_micros),
            merged_into: customer.merged_into,
        }
    }
}

fn warnings(email: &Email) -> Vec<&'static str> {
    email.has_look_alike_domain().then_some("look_alike_domain").into_iter().collect()
}

/// The full name, joined from the parts where only those are known.
fn full_name(customer: &Customer) -> Option<Cow<'_, str>> {
    match (&customer.full_name, &customer.given_name, &customer.family_name) {
        (Some(full), _, _) => Some(Cow::Borrowed(full.as_str())),
        (None, Some(given), Some(family)) => {
            Some(Cow::Owned([given.as_str(), family.as_str()].join(" ")))
        }
        (None, one, other) => text(one).or(text(other)).map(Cow::Borrowed),
    }
}

/// Parts of the name; derived ones are pieces of the full name.
fn given_and_family(customer: &Customer) -> (Option<&str>, Option<&str>) {
    use std::borrow::Cow;
    let names = customer.names();
    let borrowed = |name: Option<Cow<'_, str>>| name.map(|name| name.len());
    if customer.given_name.is_some() || customer.family_name.is_some() {
        return (text(&customer.given_name), text(&customer.family_name));
    }
    // Both parts are pieces of the full name: the given name its head, the family name its tail.
    let Some(full) = text(&customer.full_name) else { return (None, None) };
    let trimmed = full.trim();
    let given = borrowed(names.given).and_then(|length| trimmed.get(..length));
    let family = borrowed(names.family).and_then(|length| trimmed.get(trimmed.len() - length..));
    (given, family)
}
