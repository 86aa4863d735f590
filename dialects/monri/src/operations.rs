//! Every operation (dossier B.1 and A.4). Updates are `POST`: there is no `PUT` and no `PATCH`.

use patron_gateway::{
    Operation,
    operation::{Parameter, delete, get, group, post},
};
use patron_model::Permission::{CustomerRead, CustomerWrite, PaymentMethodRead};

use crate::{
    customers::{
        self,
        read::CustomerFields,
        show::{CustomerObject, DeletedCustomer},
    },
    lists::List,
    payment_methods::{self, PaymentMethodObject},
    tokens::{self, TokenAnswer, TokenRequest},
};

const CUSTOMERS: &str = "/v2/customers";
const CUSTOMER: &str = "/v2/customers/{uuid}";
const BY_MERCHANT_ID: &str = "/v2/merchants/customers/{merchant_customer_id}";
const PAYMENT_METHODS: &str = "/v2/customers/{uuid}/payment-methods";
const OAUTH: &str = "/v2/oauth";

const PAGE: [Parameter; 2] = [
    Parameter::query("limit", "integer", "Most entries of the answer; 50 when absent."),
    Parameter::query("offset", "integer", "Entries to skip; 0 when absent."),
];

/// All operations.
pub fn all() -> Vec<Operation> {
    [of_customers(), of_payment_methods(), of_sign_in()].concat()
}

#[rustfmt::skip]
fn of_customers() -> Vec<Operation> {
    group("Customers", [
        post(CUSTOMERS, customers::create).named("create_customer", "Create a customer")
            .needs(CustomerWrite).body::<CustomerFields>().replies::<CustomerObject<'_>>(200),
        get(CUSTOMERS, customers::list).named("list_customers", "List customers, newest first")
            .needs(CustomerRead).takes(&PAGE).replies::<List<CustomerObject<'_>>>(200),
        get(CUSTOMER, customers::retrieve).named("retrieve_customer", "Retrieve a customer")
            .needs(CustomerRead).replies::<CustomerObject<'_>>(200),
        post(CUSTOMER, customers::update).named("update_customer", "Update a customer")
            .needs(CustomerWrite).body::<CustomerFields>().replies::<CustomerObject<'_>>(200),
        delete(CUSTOMER, customers::delete).named("delete_customer", "Delete a customer")
            .needs(CustomerWrite).replies::<DeletedCustomer>(200),
        get(BY_MERCHANT_ID, customers::retrieve_by_merchant_id)
            .named("retrieve_customer_by_merchant_id",
                "Retrieve a customer by the merchant's own id")
            .needs(CustomerRead).replies::<CustomerObject<'_>>(200),
    ])
}

#[rustfmt::skip]
fn of_payment_methods() -> Vec<Operation> {
    group("Payment methods", [
        get(PAYMENT_METHODS, payment_methods::list)
            .named("list_payment_methods", "List a customer's payment methods")
            .needs(PaymentMethodRead).takes(&PAGE).replies::<List<PaymentMethodObject<'_>>>(200),
    ])
}

#[rustfmt::skip]
fn of_sign_in() -> Vec<Operation> {
    group("OAuth", [
        post(OAUTH, tokens::token).named("create_access_token", "Get an access token")
            .public().body::<TokenRequest>().replies::<TokenAnswer>(200),
    ])
}
