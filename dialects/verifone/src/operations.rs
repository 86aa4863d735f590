//! Every operation (dossier §2), one line each, and the token endpoint (§3.2). The five customer
//! operations answer at the full mount, which clients hard-code, and at the short one.

use http::Method;
use patron_gateway::{
    Access::{Needs, Public},
    Operation,
    operation::Parameter,
};
use patron_model::Permission::{CustomerRead, CustomerWrite};

use crate::{
    customers,
    errors::OauthError,
    lists, token,
    wire::{CustomerBody, CustomerShown, TokenForm, TokenShown},
};

/// Path of the token endpoint.
pub(crate) const TOKEN_PATH: &str = "/oauth2/realms/root/realms/VerifoneServices/access_token";

/// Query parameters of the list (dossier §8.1).
const LIST: &[Parameter] = &[
    Parameter::query("search", "string", "RSQL expression over the customer's fields.").required(),
    Parameter::query("order_criteria", "string", "Field to sort by; `created_at` when absent."),
    Parameter::query("order_by", "string", "`ASC` or `DESC`; `DESC` when absent."),
    Parameter::query("page_number", "integer", "Page, from 1."),
    Parameter::query("page_size", "integer", "Customers per page; 50 when absent."),
];

/// Where the customers are, by the full mount and by the short one.
const FULL: &str = "/oidc/customer-service/v2/customer";
const FULL_ONE: &str = "/oidc/customer-service/v2/customer/{customerId}";
const SHORT: &str = "/v2/customer";
const SHORT_ONE: &str = "/v2/customer/{customerId}";

/// All operations.
pub(crate) fn all() -> Vec<Operation> {
    vec![
        // Customers, at the full mount
        list(FULL, "getV2Customer"),
        create(FULL, "postV2Customer"),
        read(FULL_ONE, "getV2CustomerById"),
        update(FULL_ONE, "postV2CustomerById"),
        delete(FULL_ONE, "deleteV2CustomerById"),
        // The same, at the short mount
        list(SHORT, "short_getV2Customer"),
        create(SHORT, "short_postV2Customer"),
        read(SHORT_ONE, "short_getV2CustomerById"),
        update(SHORT_ONE, "short_postV2CustomerById"),
        delete(SHORT_ONE, "short_deleteV2CustomerById"),
        // Sign-in
        token(TOKEN_PATH, "access_token"),
    ]
}

fn list(path: &'static str, id: &'static str) -> Operation {
    Operation::new(Method::GET, Needs(CustomerRead), path, id, "List customers", lists::list)
        .tag("Customer")
        .takes(LIST)
        .replies::<Vec<CustomerShown>>(200)
}

fn create(path: &'static str, id: &'static str) -> Operation {
    Operation::new(
        Method::POST,
        Needs(CustomerWrite),
        path,
        id,
        "Create a customer",
        customers::create,
    )
    .tag("Customer")
    .body::<CustomerBody>()
    .replies::<CustomerShown>(200)
}

fn read(path: &'static str, id: &'static str) -> Operation {
    Operation::new(Method::GET, Needs(CustomerRead), path, id, "Read a customer", customers::read)
        .tag("Customer")
        .replies::<CustomerShown>(200)
}

fn update(path: &'static str, id: &'static str) -> Operation {
    Operation::new(
        Method::POST,
        Needs(CustomerWrite),
        path,
        id,
        "Update a customer",
        customers::update,
    )
    .tag("Customer")
    .body::<CustomerBody>()
    .replies::<CustomerShown>(200)
}

fn delete(path: &'static str, id: &'static str) -> Operation {
    Operation::new(
        Method::DELETE,
        Needs(CustomerWrite),
        path,
        id,
        "Delete a customer",
        customers::delete,
    )
    .tag("Customer")
    .replies_empty(204)
}

fn token(path: &'static str, id: &'static str) -> Operation {
    Operation::new(Method::POST, Public, path, id, "Get a bearer token", token::issue)
        .tag("Sign-in")
        .body::<TokenForm>()
        .media(&["application/x-www-form-urlencoded"])
        .replies::<TokenShown>(200)
        .fails_with::<OauthError>()
}
