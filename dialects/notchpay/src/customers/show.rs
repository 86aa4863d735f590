//! A customer as this API shows it (dossier §8, "Object").

use patron_model::{
    Timestamp,
    customer::{Customer, Status},
    email::Email,
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

use crate::{
    customers::{
        addresses::{self, AddressView},
        phones,
    },
    ids, js,
};

/// A customer.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Customer")]
pub struct CustomerView {
    /// Id: `cus.…`, in the sandbox `cus.test_…`.
    id: String,
    /// The same as `id`.
    reference: String,
    /// Full name.
    name: Option<String>,
    /// E-mail address.
    email: Option<String>,
    /// Phone number with `+`.
    phone: Option<String>,
    /// Company.
    company_name: Option<String>,
    /// Tax number.
    tax_number: Option<String>,
    /// Free description.
    description: Option<String>,
    /// The address without particular purpose.
    address: Option<AddressView>,
    /// Where bills go.
    billing: Option<AddressView>,
    /// Where goods go.
    shipping: Option<AddressView>,
    /// The integrator's own pairs.
    #[serde(serialize_with = "js::pairs")]
    metadata: BTreeMap<String, Value>,
    /// Whether the customer may not pay.
    blocked: bool,
    /// The same under its older name.
    locked: bool,
    /// Whether it belongs to the sandbox.
    sandbox: bool,
    /// When it was created.
    created_at: String,
    /// When it was last changed.
    updated_at: String,
}

impl CustomerView {
    /// A customer as it is at a moment.
    pub fn of(customer: &Customer, sandbox: bool, now: Timestamp) -> CustomerView {
        let id = ids::text(ids::CUSTOMER, customer.uuid, sandbox);
        let blocked = is_blocked(customer, now);
        CustomerView {
            reference: id.clone(),
            id,
            name: customer.names().full.map(|name| name.into_owned()),
            email: customer.email.as_ref().map(Email::as_str).map(str::to_owned),
            phone: customer.phone.as_ref().map(phones::shown),
            company_name: customer.company_name.as_ref().map(|name| name.as_str().to_owned()),
            tax_number: customer.tax_number.as_ref().map(|number| number.as_str().to_owned()),
            description: customer.description.as_ref().map(|text| text.as_str().to_owned()),
            address: AddressView::of(customer.general_address()),
            billing: AddressView::of(addresses::billing(customer)),
            shipping: AddressView::of(customer.shipping()),
            metadata: customer.metadata.pairs().clone(),
            blocked,
            locked: blocked,
            sandbox,
            created_at: customer.created_at.rfc3339_micros(),
            updated_at: customer.updated_at.rfc3339_micros(),
        }
    }
}

/// Whether a customer is blocked at a moment.
pub fn is_blocked(customer: &Customer, now: Timestamp) -> bool {
    customer.status_at(now) == Status::Blocked
}
