//! A customer as the provider would show it (dossier §6.2).

use std::borrow::Cow;
use std::collections::BTreeMap;

use patron_model::{Timestamp, customer::Customer as Record, language::Language, text::Reference};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    input::Shown,
    limits::{EMAIL_MAX, LINE_MAX, REFERENCE_MAX, cut, fitting, is_reference},
};

/// A customer as it is shown.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Customer<'a> {
    /// Number of the customer.
    pub id: i64,
    /// Space it belongs to.
    linked_space_id: i64,
    /// Version a change must name.
    version: i64,
    /// When it was created.
    created_on: String,
    /// The merchant's own id of the customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) customer_id: Shown<'a>,
    /// E-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) email_address: Shown<'a>,
    /// Given name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) given_name: Shown<'a>,
    /// Family name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) family_name: Shown<'a>,
    /// Language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) language: Shown<'a>,
    /// Currency, ISO 4217.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) preferred_currency: Shown<'a>,
    /// Own pairs.
    pub(super) meta_data: BTreeMap<String, String>,
}

impl<'a> Customer<'a> {
    /// The record as the provider would show it.
    pub fn of(record: &'a Record) -> Customer<'a> {
        let names = record.names();
        let named = |name: Shown<'a>| {
            name.filter(|name| !name.is_empty()).map(|name| match name {
                Cow::Borrowed(name) => cut(name, LINE_MAX),
                Cow::Owned(name) => Cow::Owned(cut(&name, LINE_MAX).into_owned()),
            })
        };
        let reference = record.reference.as_ref().map(Reference::as_str);
        Customer {
            id: record.number,
            linked_space_id: record.space,
            version: record.version,
            created_on: record.created_at.rfc3339_millis(),
            customer_id: reference
                .filter(|reference| is_reference(reference))
                .and_then(|reference| fitting(reference, REFERENCE_MAX)),
            email_address: record.email.as_ref().and_then(|e| fitting(e.as_str(), EMAIL_MAX)),
            given_name: named(names.given),
            family_name: named(names.family),
            language: record.language.as_ref().map(shown_language),
            preferred_currency: record.currency.as_ref().map(|c| Cow::Borrowed(c.as_str())),
            meta_data: record.metadata.texts(),
        }
    }
}

/// As typed, except that the provider's tags have hyphens.
fn shown_language(language: &Language) -> Cow<'_, str> {
    match language.as_str().contains('_') {
        true => Cow::Owned(language.tag()),
        false => Cow::Borrowed(language.as_str()),
    }
}

/// A reference to a customer: its id, or all of it when the caller expands it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "CustomerReference")]
pub enum CustomerReference<'a> {
    /// The id alone.
    Id {
        /// Number of the customer.
        id: i64,
    },
    /// The customer.
    Whole(Box<Customer<'a>>),
}

impl<'a> CustomerReference<'a> {
    /// The reference to a customer that is at hand.
    pub fn to(record: &'a Record, is_expanded: bool) -> CustomerReference<'a> {
        match is_expanded {
            true => CustomerReference::Whole(Box::new(Customer::of(record))),
            false => CustomerReference::Id { id: record.number },
        }
    }
}

/// An e-mail address that is or was linked to a customer.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestCustomerEmailAddress {
    /// The address.
    email_address: String,
    /// Since when it is linked.
    created_on: String,
}

impl RestCustomerEmailAddress {
    /// An address and the moment since when it is linked.
    pub fn of((email_address, since): (String, Timestamp)) -> RestCustomerEmailAddress {
        RestCustomerEmailAddress { email_address, created_on: since.rfc3339_millis() }
    }
}
