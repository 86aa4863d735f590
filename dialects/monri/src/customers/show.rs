//! A customer as this API shows it (dossier B.3).

use std::borrow::Cow;
use std::collections::BTreeMap;

use patron_app::customers::Trace;
use patron_model::{address::Postal, customer::Customer, phone::Phone, text::Line};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    errors::APPROVED,
    limits::{self, Length},
};

/// A customer. Every member is there in every answer: the vendor's Android parser fails on a
/// missing one, and on metadata that is `null` (dossier B.3).
#[derive(Debug, Serialize, JsonSchema)]
pub struct CustomerObject<'a> {
    status: &'static str,
    id: Uuid,
    uuid: Uuid,
    pub(super) merchant_customer_id: Option<Cow<'a, str>>,
    pub(super) description: Option<Cow<'a, str>>,
    pub(super) email: Option<Cow<'a, str>>,
    pub(super) name: Option<Cow<'a, str>>,
    pub(super) phone: Option<Cow<'a, str>>,
    pub(super) zip_code: Option<Cow<'a, str>>,
    pub(super) city: Option<Cow<'a, str>>,
    pub(super) address: Option<Cow<'a, str>>,
    pub(super) country: Option<Cow<'a, str>>,
    metadata: &'a BTreeMap<String, Value>,
    deleted: bool,
    created_at: String,
    updated_at: String,
    deleted_at: Option<String>,
}

/// What a deletion answers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DeletedCustomer {
    status: &'static str,
    id: Uuid,
    uuid: Uuid,
    deleted: bool,
}

impl DeletedCustomer {
    /// That one is deleted.
    pub fn of(uuid: Uuid) -> DeletedCustomer {
        DeletedCustomer { status: APPROVED, id: uuid, uuid, deleted: true }
    }
}

impl<'a> CustomerObject<'a> {
    /// A customer as this API shows it.
    pub fn of(customer: &'a Customer) -> CustomerObject<'a> {
        let postal = customer.billing().map(|billing| &billing.postal);
        let line = |of: fn(&Postal) -> &Option<Line>| postal.and_then(|p| of(p).as_ref());
        let cut = |line: &'a Line, length: Length| length.cut(Cow::Borrowed(line.as_str()));
        let country = postal.and_then(|p| p.country.as_ref());
        CustomerObject {
            status: APPROVED,
            id: customer.uuid,
            uuid: customer.uuid,
            merchant_customer_id: customer
                .reference
                .as_ref()
                .and_then(|r| limits::MERCHANT_CUSTOMER_ID.whole(r.as_str())),
            description: customer
                .description
                .as_ref()
                .and_then(|d| limits::DESCRIPTION.cut(Cow::Borrowed(d.as_str()))),
            email: customer.email.as_ref().and_then(|e| limits::EMAIL.whole(e.as_str())),
            name: shown_name(customer),
            phone: customer.phone.as_ref().and_then(shown_phone),
            zip_code: line(|p| &p.postal_code).and_then(|z| limits::ZIP_CODE.whole(z.as_str())),
            city: line(|p| &p.city).and_then(|city| cut(city, limits::CITY)),
            address: line(|p| &p.line1).and_then(|line| cut(line, limits::ADDRESS)),
            country: country.map(|c| Cow::Borrowed(c.as_str())),
            metadata: customer.metadata.pairs(),
            deleted: customer.is_deleted(),
            created_at: customer.created_at.rfc3339_seconds(),
            updated_at: customer.updated_at.rfc3339_seconds(),
            deleted_at: customer.deleted_at.map(|at| at.rfc3339_seconds()),
        }
    }
}

/// Metadata of a customer of whom nothing is shown.
static NO_METADATA: BTreeMap<String, Value> = BTreeMap::new();

impl CustomerObject<'static> {
    /// A deleted customer: that it is deleted, and no word about a person.
    pub fn deleted(trace: &Trace) -> CustomerObject<'static> {
        let deleted_at = trace.deleted_at.rfc3339_seconds();
        CustomerObject {
            status: APPROVED,
            id: trace.uuid,
            uuid: trace.uuid,
            merchant_customer_id: None,
            description: None,
            email: None,
            name: None,
            phone: None,
            zip_code: None,
            city: None,
            address: None,
            country: None,
            metadata: &NO_METADATA,
            deleted: true,
            created_at: trace.created_at.rfc3339_seconds(),
            updated_at: deleted_at.clone(),
            deleted_at: Some(deleted_at),
        }
    }
}

/// One name for persons and companies: the full name, or else the company.
fn shown_name(customer: &Customer) -> Option<Cow<'_, str>> {
    let company = || customer.company_name.as_ref().map(|c| Cow::Borrowed(c.as_str()));
    let full = customer.names().full.filter(|full| !full.is_empty());
    full.or_else(company).and_then(|name| limits::NAME.cut(name))
}

/// As typed, or in its international form when what was typed is too long.
fn shown_phone(phone: &Phone) -> Option<Cow<'_, str>> {
    limits::PHONE.whole(phone.raw()).or_else(|| limits::PHONE.whole(phone.e164()?))
}
