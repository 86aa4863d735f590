//! Where a customer is read, and where each field of the record stands in the answer.

use patron_gateway::dialect::CustomerShape;

use crate::MOUNT;

/// How this API shows a customer.
pub const SHAPE: CustomerShape = CustomerShape {
    read: "customers_retrieve",
    path: |number, _| format!("{MOUNT}/customers/{number}"),
    root: "",
    fields: &[
        ("number", "/id"),
        ("version", "/version"),
        ("reference", "/customerId"),
        ("given_name", "/givenName"),
        ("family_name", "/familyName"),
        ("email", "/emailAddress"),
        ("language", "/language"),
        ("currency", "/preferredCurrency"),
        ("metadata", "/metaData"),
        ("created_at", "/createdOn"),
    ],
};
