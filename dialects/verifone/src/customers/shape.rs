//! Where a customer is read, and where each field of the record stands in the answer.

use patron_gateway::dialect::CustomerShape;

/// How this API shows a customer.
pub const SHAPE: CustomerShape = CustomerShape {
    read: "short_getV2CustomerById",
    path: |_, uuid| format!("/v2/customer/{uuid}"),
    root: "",
    fields: &[
        ("id", "/id"),
        ("given_name", "/billing/first_name"),
        ("family_name", "/billing/last_name"),
        ("title", "/title"),
        ("company_name", "/company_name"),
        ("company_registration_number", "/company_registration_number"),
        ("tax_number", "/tax/identifier"),
        ("email", "/email_address"),
        ("phone", "/phone_number"),
        ("work_phone", "/work_phone"),
        ("language", "/language"),
        ("created_at", "/created_at"),
        ("updated_at", "/updated_at"),
        ("billing.line1", "/billing/address_1"),
        ("billing.line2", "/billing/address_2"),
        ("billing.city", "/billing/city"),
        ("billing.postal_code", "/billing/postal_code"),
        ("billing.state", "/billing/state"),
        ("billing.country", "/billing/country_code"),
        ("shipping.given_name", "/shipping/first_name"),
        ("shipping.family_name", "/shipping/last_name"),
        ("shipping.line1", "/shipping/address_1"),
        ("shipping.line2", "/shipping/address_2"),
        ("shipping.city", "/shipping/city"),
        ("shipping.postal_code", "/shipping/postal_code"),
        ("shipping.state", "/shipping/state"),
        ("shipping.country", "/shipping/country_code"),
    ],
};
