//! What customers, addresses and comments look like on the wire. Members without a value are absent.

use patron_app::{Saved, customers::Beside};
use patron_model::{
    Timestamp,
    address::{Address, Gender, Postal},
    comment::Comment,
    customer::Customer,
    shown::ShownCustomer,
};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use crate::conditions;

use crate::words;

/// A customer, with what was asked for beside it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Customer")]
pub struct CustomerOut<'a> {
    #[serde(flatten)]
    shown: ShownCustomer<'a>,
    /// The addresses, with `expand=addresses`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub addresses: Option<Vec<AddressOut<'a>>>,
    /// The newest comments, pinned ones first, with `expand=comments`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comments: Option<Vec<CommentOut>>,
}

/// A customer that took another one over.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "MergedCustomer")]
pub struct MergedOut<'a> {
    #[serde(flatten)]
    pub customer: CustomerOut<'a>,
    /// The merge. Left out when the answer to a merge that an earlier version did is repeated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merge: Option<MergeOut>,
}

/// A merge: what it changed.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Merge")]
pub struct MergeOut {
    /// UUID of the merge.
    id: Uuid,
    /// Number of the merge.
    number: i64,
    /// The customer that stayed.
    survivor: MergePartOut,
    /// The customer that was taken over; its id and number answer as the survivor from now on.
    absorbed: MergePartOut,
}

/// One of the two customers of a merge, as it was left.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "MergePart")]
pub struct MergePartOut {
    /// UUID.
    id: Uuid,
    /// Number.
    number: i64,
    /// Its entity tag, addresses included.
    etag: String,
}

impl MergeOut {
    pub fn of(survivor: &Saved<Customer>, beside: &Beside) -> MergeOut {
        let part = |customer: &Saved<Customer>| MergePartOut {
            id: customer.uuid,
            number: customer.number,
            etag: conditions::tag_with_revision(customer.version, customer.revision),
        };
        MergeOut {
            id: beside.merge.uuid,
            number: beside.merge.number,
            survivor: part(survivor),
            absorbed: part(&beside.absorbed),
        }
    }
}

fn text<T: AsRef<str>>(value: &Option<T>) -> Option<&str> {
    value.as_ref().map(AsRef::as_ref)
}

impl<'a> CustomerOut<'a> {
    /// A customer at a moment.
    pub fn of(customer: &'a Customer, now: Timestamp) -> Self {
        CustomerOut { shown: ShownCustomer::of(customer, now), addresses: None, comments: None }
    }
}

/// An address of a customer.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Address")]
pub struct AddressOut<'a> {
    /// UUID; `number` serves in paths just as well.
    id: uuid::Uuid,
    /// Number, unique in the whole deployment.
    number: i64,
    /// Counts the changes of this address, from 1.
    version: i64,
    /// `billing`, `shipping`, `both` or `other`.
    #[schemars(with = "words::Purpose")]
    purpose: &'static str,
    /// Whether it is preferred over others of its purpose.
    default: bool,
    #[serde(flatten)]
    postal: PostalOut<'a>,
    /// When it was added.
    #[schemars(extend("format" = "date-time"))]
    created_at: String,
    /// When it was last changed.
    #[schemars(extend("format" = "date-time"))]
    updated_at: String,
}

/// Where an address is and who is found there.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Postal")]
pub struct PostalOut<'a> {
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
    #[schemars(with = "Option<words::Gender>")]
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
    /// What an address says, as this API shows it.
    pub fn of(postal: &'a Postal) -> Self {
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
    pub fn of(address: &'a Address) -> Self {
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
pub struct CommentOut {
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
    #[schemars(extend("format" = "date-time"))]
    created_at: String,
    /// Number of the key that last changed the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    edited_by: Option<i64>,
    /// When the text was last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    edited_at: Option<String>,
    /// When it was last changed in any way.
    #[schemars(extend("format" = "date-time"))]
    updated_at: String,
}

impl CommentOut {
    /// A comment.
    pub fn of(comment: &Comment) -> Self {
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
#[schemars(rename = "{T}List")]
pub struct ListOut<T> {
    /// The records of this page.
    pub data: Vec<T>,
    /// Whether others follow.
    pub has_more: bool,
    /// Cursor of the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// How many there are in all, with `total=true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}
