//! Where a customer is read, and where each field of the record stands in the answer.

use patron_gateway::dialect::CustomerShape;

use crate::ids;

/// How this API shows a customer.
pub const SHAPE: CustomerShape = CustomerShape {
    read: "customers_retrieve",
    path: |_, uuid| format!("/customers/{}", ids::text(ids::CUSTOMER, uuid, false)),
    root: "/customer",
    fields: &[
        ("full_name", "/name"),
        ("email", "/email"),
        ("phone", "/phone"),
        ("company_name", "/company_name"),
        ("tax_number", "/tax_number"),
        ("description", "/description"),
        ("metadata", "/metadata"),
        ("created_at", "/created_at"),
        ("updated_at", "/updated_at"),
        ("billing.line1", "/address/address_line1"),
        ("billing.line2", "/address/address_line2"),
        ("billing.city", "/address/city"),
        ("billing.state", "/address/state"),
        ("billing.postal_code", "/address/postal_code"),
        ("billing.country", "/address/country"),
        ("shipping.line1", "/shipping/address_line1"),
        ("shipping.line2", "/shipping/address_line2"),
        ("shipping.city", "/shipping/city"),
        ("shipping.state", "/shipping/state"),
        ("shipping.postal_code", "/shipping/postal_code"),
        ("shipping.country", "/shipping/country"),
    ],
};
