//! Where a customer is read, and where each field of the record stands in the answer.

use patron_gateway::dialect::CustomerShape;

/// How this API shows a customer.
pub const SHAPE: CustomerShape = CustomerShape {
    read: "retrieve_customer",
    path: |_, uuid| format!("/v2/customers/{uuid}"),
    root: "",
    fields: &[
        ("id", "/id"),
        ("reference", "/merchant_customer_id"),
        ("full_name", "/name"),
        ("email", "/email"),
        ("phone", "/phone"),
        ("description", "/description"),
        ("metadata", "/metadata"),
        ("billing.line1", "/address"),
        ("billing.city", "/city"),
        ("billing.postal_code", "/zip_code"),
        ("billing.country", "/country"),
        ("created_at", "/created_at"),
        ("updated_at", "/updated_at"),
    ],
};
