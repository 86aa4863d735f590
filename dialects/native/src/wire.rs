//! What customers, addresses and comments look like on the wire. Members without a value are absent.

use std::collections::BTreeMap;

use patron_model::{
    Timestamp,
    address::{Address, Gender, Postal},
    comment::Comment,
    customer::Customer,
};
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// A customer.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Customer")]
pub(crate) struct CustomerOut<'a> {
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
    full_name: Option<&'a str>,
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
    status: &'static str,
    /// Why it has this status.
    #[serde(skip_serializing_if = "Option::is_none")]
    status_reason: Option<&'a str>,
    /// Until when; afterwards the customer counts as active.
    #[serde(skip_serializing_if = "Option::is_none")]
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
    created_at: String,
    /// When one of its own fields was last changed.
    updated_at: String,
    /// When it was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_at: Option<String>,
    /// Number of the customer that took this one over.
    #[serde(skip_serializing_if = "Option::is_none")]
    merged_into: Option<i64>,
    /// The addresses, with `expand=addresses`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) addresses: Option<Vec<AddressOut<'a>>>,
    /// The newest comments, pinned ones first, with `expand=comments`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) comments: Option<Vec<CommentOut>>,
}

fn text<T: AsRef<str>>(value: &Option<T>) -> Option<&str> {
    value.as_ref().map(AsRef::as_ref)
}

/// Derived forms only borrow when they are parts of what was given; joined ones are kept beside.
#[derive(Default)]
pub(crate) struct Derived {
    full_name: Option<String>,
}

impl Derived {
    /// The joined name of a customer that only has parts.
    pub(crate) fn of(customer: &Customer) -> Derived {
        let joined = match (&customer.full_name, &customer.given_name, &customer.family_name) {
            (None, Some(given), Some(family)) => {
                Some(format!("{} {}", given.as_str(), family.as_str()))
            }
            _ => None,
        };
        Derived { full_name: joined }
    }
}

impl<'a> CustomerOut<'a> {
    /// A customer at a moment.
    pub(crate) fn of(customer: &'a Customer, derived: &'a Derived, now: Timestamp) -> Self {
        let (given_name, family_name) = given_and_family(customer);
        let full_name = text(&customer.full_name)
            .or(derived.full_name.as_deref())
            .or(text(&customer.given_name))
            .or(text(&customer.family_name));
        let status = match customer.deleted_at {
            Some(_) => "deleted",
            None => customer.status_at(now).as_str(),
        };
        CustomerOut {
            id: customer.uuid,
            number: customer.number,
            version: customer.version,
            reference: text(&customer.reference),
            given_name,
            family_name,
            full_name,
            title: text(&customer.title),
            company_name: text(&customer.company_name),
            company_registration_number: text(&customer.company_registration_number),
            tax_number: text(&customer.tax_number),
            email: customer.email.as_ref().map(|email| email.as_str()),
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
            addresses: None,
            comments: None,
        }
    }
}

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

/// An address of a customer.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Address")]
pub(crate) struct AddressOut<'a> {
    /// UUID; `number` serves in paths just as well.
    id: uuid::Uuid,
    /// Number, unique in the whole deployment.
    number: i64,
    /// Counts the changes of this address, from 1.
    version: i64,
    /// `billing`, `shipping`, `both` or `other`.
    purpose: &'static str,
    /// Whether it is preferred over others of its purpose.
    default: bool,
    #[serde(flatten)]
    postal: PostalOut<'a>,
    /// When it was added.
    created_at: String,
    /// When it was last changed.
    updated_at: String,
}

/// Where an address is and who is found there.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Postal")]
pub(crate) struct PostalOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    given_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    middle_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    family_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    organization_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    salutation: Option<&'a str>,
    /// `male` or `female`.
    #[serde(skip_serializing_if = "Option::is_none")]
    gender: Option<&'static str>,
    /// `YYYY-MM-DD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    date_of_birth: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line1: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line2: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line3: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    city: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dependent_locality: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sorting_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    postal_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'a str>,
    /// ISO 3166-1 alpha-2, as typed.
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mobile_phone: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commercial_register_number: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sales_tax_number: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    social_security_number: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    legal_organization_form: Option<i64>,
}

impl<'a> PostalOut<'a> {
    fn of(postal: &'a Postal) -> Self {
        PostalOut {
            given_name: text(&postal.given_name),
            middle_name: text(&postal.middle_name),
            family_name: text(&postal.family_name),
            organization_name: text(&postal.organization_name),
            salutation: text(&postal.salutation),
            gender: postal.gender.map(|gender| match gender {
                Gender::Male => "male",
                Gender::Female => "female",
            }),
            date_of_birth: postal.date_of_birth.as_ref().map(|day| day.as_str()),
            line1: text(&postal.line1),
            line2: text(&postal.line2),
            line3: text(&postal.line3),
            city: text(&postal.city),
            dependent_locality: text(&postal.dependent_locality),
            sorting_code: text(&postal.sorting_code),
            postal_code: text(&postal.postal_code),
            state: text(&postal.state),
            country: postal.country.as_ref().map(|country| country.as_str()),
            email: postal.email.as_ref().map(|email| email.as_str()),
            phone: postal.phone.as_ref().map(|phone| phone.raw()),
            mobile_phone: postal.mobile_phone.as_ref().map(|phone| phone.raw()),
            commercial_register_number: text(&postal.commercial_register_number),
            sales_tax_number: text(&postal.sales_tax_number),
            social_security_number: text(&postal.social_security_number),
            legal_organization_form: postal.legal_organization_form,
        }
    }
}

impl<'a> AddressOut<'a> {
    /// An address.
    pub(crate) fn of(address: &'a Address) -> Self {
        AddressOut {
            id: address.uuid,
            number: address.number,
            version: address.version,
            purpose: address.purpose.as_str(),
            default: address.is_default,
            postal: PostalOut::of(&address.postal),
            created_at: address.created_at.rfc3339_micros(),
            updated_at: address.updated_at.rfc3339_micros(),
        }
    }
}

/// A comment on a customer.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Comment")]
pub(crate) struct CommentOut {
    /// UUID; `number` serves in paths just as well.
    id: uuid::Uuid,
    /// Number, unique in the whole deployment.
    number: i64,
    /// Counts the changes, from 1.
    version: i64,
    /// The text.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    /// Whether it is pinned to the top.
    pinned: bool,
    /// Number of the key that wrote it.
    created_by: i64,
    /// When it was written.
    created_at: String,
    /// Number of the key that last changed the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    edited_by: Option<i64>,
    /// When the text was last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    edited_at: Option<String>,
    /// When it was last changed in any way.
    updated_at: String,
}

impl CommentOut {
    /// A comment.
    pub(crate) fn of(comment: &Comment) -> Self {
        CommentOut {
            id: comment.uuid,
            number: comment.number,
            version: comment.version,
            content: comment.content.as_ref().map(|content| content.as_str().to_owned()),
            pinned: comment.pinned,
            created_by: comment.created_by,
            created_at: comment.created_at.rfc3339_micros(),
            edited_by: comment.edited_by,
            edited_at: comment.edited_at.map(Timestamp::rfc3339_micros),
            updated_at: comment.updated_at.rfc3339_micros(),
        }
    }
}

/// A page of a list.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ListOut<T> {
    /// The records of this page.
    pub(crate) data: Vec<T>,
    /// Whether others follow.
    pub(crate) has_more: bool,
    /// Cursor of the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_cursor: Option<String>,
    /// How many there are in all, with `total=true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) total: Option<u64>,
}
