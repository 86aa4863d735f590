//! Every operation (dossier B.1 and A.4). Updates are `POST`: there is no `PUT` and no `PATCH`.

use http::Method;
use patron_gateway::{
    Access::{Needs, Public},
    Operation,
    operation::Parameter,
};
use patron_model::Permission::{CustomerRead, CustomerWrite, PaymentMethodRead};

use crate::{
    customers::{self, CustomerFields, CustomerObject, DeletedCustomer},
    oauth::{self, TokenAnswer, TokenRequest},
    pages::List,
    payment_methods::{self, PaymentMethodObject},
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
    let groups = [customer_operations(), payment_method_operations(), oauth_operations()];
    groups.into_iter().flatten().collect()
}

fn customer_operations() -> Vec<Operation> {
    let all = [
        Operation::new(
            Method::POST,
            Needs(CustomerWrite),
            CUSTOMERS,
            "create_customer",
            "Create a customer",
            customers::create,
        )
        .body::<CustomerFields>()
        .replies::<CustomerObject<'_>>(200),
        Operation::new(
            Method::GET,
            Needs(CustomerRead),
            CUSTOMERS,
            "list_customers",
            "List customers, newest first",
            customers::list,
        )
        .takes(&PAGE)
        .replies::<List<CustomerObject<'_>>>(200),
        Operation::new(
            Method::GET,
            Needs(CustomerRead),
            CUSTOMER,
            "retrieve_customer",
            "Retrieve a customer",
            customers::retrieve,
        )
        .replies::<CustomerObject<'_>>(200),
        Operation::new(
            Method::POST,
            Needs(CustomerWrite),
            CUSTOMER,
            "update_customer",
            "Update a customer",
            customers::update,
        )
        .body::<CustomerFields>()
        .replies::<CustomerObject<'_>>(200),
        Operation::new(
            Method::DELETE,
            Needs(CustomerWrite),
            CUSTOMER,
            "delete_customer",
            "Delete a customer",
            customers::delete,
        )
        .replies::<DeletedCustomer>(200),
        Operation::new(
            Method::GET,
            Needs(CustomerRead),
            BY_MERCHANT_ID,
            "retrieve_customer_by_merchant_id",
            "Retrieve a customer by the merchant's own id",
            customers::retrieve_by_merchant_id,
        )
        .replies::<CustomerObject<'_>>(200),
    ];
    all.into_iter().map(|operation| operation.tag("Customers")).collect()
}

fn payment_method_operations() -> Vec<Operation> {
    vec![
        Operation::new(
            Method::GET,
            Needs(PaymentMethodRead),
            PAYMENT_METHODS,
            "list_payment_methods",
            "List a customer's payment methods",
            payment_methods::list,
        )
        .tag("Payment methods")
        .takes(&PAGE)
        .replies::<List<PaymentMethodObject<'_>>>(200),
    ]
}

fn oauth_operations() -> Vec<Operation> {
    vec![
        Operation::new(
            Method::POST,
            Public,
            OAUTH,
            "create_access_token",
            "Get an access token",
            oauth::token,
        )
        .tag("OAuth")
        .body::<TokenRequest>()
        .replies::<TokenAnswer>(200),
    ]
}
