//! Where a customer is read, and where each field of the record stands in the answer.

use patron_gateway::dialect::CustomerShape;

/// How this API shows a customer.
pub const SHAPE: CustomerShape = CustomerShape {
    read: "get_customer",
    path: |number, _| format!("/api/Customer/{number}"),
    root: "",
    fields: &[
        ("number", "/customerId"),
        ("reference", "/customerNumber"),
        ("portal_user_name", "/customerUsername"),
        ("status", "/customerStatus"),
        ("company_name", "/Company"),
        ("given_name", "/Firstname"),
        ("family_name", "/Lastname"),
        ("phone", "/Phone"),
        ("email", "/Email"),
        ("balance", "/Balance"),
        ("time_zone", "/TimeZone"),
        ("metadata", "/AdditionalFields"),
        ("identifier_fields", "/IdentifierFields"),
        ("created_at", "/Created"),
        ("updated_at", "/LastUpdated"),
        ("billing.line1", "/Address"),
        ("billing.line2", "/Address1"),
        ("billing.city", "/City"),
        ("billing.state", "/State"),
        ("billing.postal_code", "/Zip"),
        ("billing.country", "/Country"),
        ("shipping.line1", "/ShippingAddress"),
        ("shipping.line2", "/ShippingAddress1"),
        ("shipping.city", "/ShippingCity"),
        ("shipping.state", "/ShippingState"),
        ("shipping.postal_code", "/ShippingZip"),
        ("shipping.country", "/ShippingCountry"),
    ],
};
