//! Every operation (dossier §2), one line each, and the token endpoint (§3.2). The five customer
//! operations answer at the full mount, which clients hard-code, and at the short one.

use patron_gateway::{
    Operation,
    operation::{Parameter, delete, get, group, post},
};
use patron_model::Permission::{CustomerRead, CustomerWrite};

use crate::{
    customers::{
        self,
        wire::{CustomerBody, CustomerShown, TokenForm, TokenShown},
    },
    errors::OauthError,
    lists, tokens,
};

/// Path of the token endpoint.
pub const TOKEN_PATH: &str = "/oauth2/realms/root/realms/VerifoneServices/access_token";

/// Query parameters of the list (dossier §8.1).
const LIST: &[Parameter] = &[
    Parameter::query("search", "string", "RSQL expression over the customer's fields.").required(),
    Parameter::query("order_criteria", "string", "Field to sort by; `created_at` when absent."),
    Parameter::query("order_by", "string", "`ASC` or `DESC`; `DESC` when absent."),
    Parameter::query("page_number", "integer", "Page, from 1."),
    Parameter::query("page_size", "integer", "Customers per page; 50 when absent."),
];

/// The customers' paths and what the operations on them are called, by one of two mounts.
struct Mount {
    all: &'static str,
    one: &'static str,
    list: &'static str,
    create: &'static str,
    read: &'static str,
    update: &'static str,
    delete: &'static str,
}

const FULL: Mount = Mount {
    all: "/oidc/customer-service/v2/customer",
    one: "/oidc/customer-service/v2/customer/{customerId}",
    list: "getV2Customer",
    create: "postV2Customer",
    read: "getV2CustomerById",
    update: "postV2CustomerById",
    delete: "deleteV2CustomerById",
};
const SHORT: Mount = Mount {
    all: "/v2/customer",
    one: "/v2/customer/{customerId}",
    list: "short_getV2Customer",
    create: "short_postV2Customer",
    read: "short_getV2CustomerById",
    update: "short_postV2CustomerById",
    delete: "short_deleteV2CustomerById",
};

/// All operations.
pub fn all() -> Vec<Operation> {
    [of_customers(&FULL), of_customers(&SHORT), of_sign_in()].concat()
}

#[rustfmt::skip]
fn of_customers(at: &Mount) -> Vec<Operation> {
    group("Customer", [
        get(at.all, lists::list).named(at.list, "List customers")
            .needs(CustomerRead).takes(LIST).replies::<Vec<CustomerShown>>(200),
        post(at.all, customers::create).named(at.create, "Create a customer")
            .needs(CustomerWrite).body::<CustomerBody>().replies::<CustomerShown>(200),
        get(at.one, customers::retrieve).named(at.read, "Read a customer")
            .needs(CustomerRead).replies::<CustomerShown>(200),
        post(at.one, customers::update).named(at.update, "Update a customer")
            .needs(CustomerWrite).body::<CustomerBody>().replies::<CustomerShown>(200),
        delete(at.one, customers::delete).named(at.delete, "Delete a customer")
            .needs(CustomerWrite).replies_empty(204),
    ])
}

#[rustfmt::skip]
fn of_sign_in() -> Vec<Operation> {
    group("Sign-in", [
        post(TOKEN_PATH, tokens::issue).named("access_token", "Get a bearer token")
            .public().body::<TokenForm>().media(&["application/x-www-form-urlencoded"])
            .replies::<TokenShown>(200).fails_with::<OauthError>(),
    ])
}
