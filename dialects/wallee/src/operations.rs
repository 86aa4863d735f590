//! Every operation that is served, one line each, grouped as in the dossier (§6.2 to §6.4).

use std::future::Future;

use http::Method;
use patron_gateway::{Access, BoxFuture, Operation, Reply, Request, operation::Parameter};
use patron_model::{
    Failure,
    Permission::{self, CommentRead, CommentWrite, CustomerMerge, CustomerRead, CustomerWrite},
};

use crate::{
    addresses::{self, CustomerAddress, CustomerAddressActive, CustomerAddressCreate},
    bulk::{self, BulkResult},
    catalogues,
    comments::{self, CustomerComment, CustomerCommentActive, CustomerCommentCreate},
    customers::{self, Customer, CustomerActive, CustomerCreate, RestCustomerEmailAddress},
    lists::{ListResponse, SearchResponse},
    table, transport,
};

pub const SPACE: Parameter = Parameter {
    name: "Space",
    place: "header",
    kind: "integer",
    required: true,
    about: "Space the operation works in.",
};
pub const EXPAND: Parameter =
    Parameter::query("expand", "string", "References to show as a whole; may be repeated.");
pub const LIMIT: Parameter = Parameter::query("limit", "integer", "Objects of a page, 1 to 100.");
pub const LIST: [Parameter; 5] = [
    Parameter::query("after", "integer", "Id of the object before the page."),
    Parameter::query("before", "integer", "Id of the object behind the page."),
    EXPAND,
    LIMIT,
    Parameter::query("order", "string", "ASC or DESC by time of creation."),
];
pub const SEARCH: [Parameter; 5] = [
    EXPAND,
    LIMIT,
    Parameter::query("offset", "integer", "Objects to skip, up to 10000."),
    Parameter::query("order", "string", "Fields with :ASC or :DESC, separated by commas."),
    Parameter::query("query", "string", "What to search for."),
];

/// Every operation of the provider: those that are served, and the rest.
pub fn all() -> Vec<Operation> {
    let mut all = served();
    all.extend(table::not_served(&all));
    all
}

fn served() -> Vec<Operation> {
    [
        of_customers(),
        changes_of_customers(),
        changes_of_many_customers(),
        of_addresses(),
        changes_of_addresses(),
        of_comments(),
        changes_of_comments(),
        catalogues::operations(),
    ]
    .concat()
}

fn of_customers() -> Vec<Operation> {
    tagged(
        "Customers",
        vec![
            read(
                CustomerRead,
                "/api/v2.0/customers",
                "customers_list",
                "List all customers",
                customers::list,
            )
            .takes(&LIST)
            .replies::<ListResponse<Customer<'_>>>(200),
            read(
                CustomerRead,
                "/api/v2.0/customers/{id}",
                "customers_retrieve",
                "Retrieve a customer",
                customers::retrieve,
            )
            .takes(&[EXPAND])
            .replies::<Customer<'_>>(200),
            read(
                CustomerRead,
                "/api/v2.0/customers/{id}/email-addresses",
                "customers_list_email_addresses",
                "List a customer's email addresses",
                customers::list_email_addresses,
            )
            .takes(&[EXPAND])
            .replies::<ListResponse<RestCustomerEmailAddress>>(200),
            read(
                CustomerRead,
                "/api/v2.0/customers/search",
                "customers_search",
                "Search customers",
                customers::search,
            )
            .takes(&SEARCH)
            .replies::<SearchResponse<Customer<'_>>>(200),
        ],
    )
}

fn changes_of_customers() -> Vec<Operation> {
    tagged(
        "Customers",
        vec![
            write(
                CustomerWrite,
                Method::POST,
                "/api/v2.0/customers",
                "customers_create",
                "Create a customer",
                customers::create,
            )
            .takes(&[EXPAND])
            .body::<CustomerCreate>()
            .replies::<Customer<'_>>(201),
            write(
                CustomerMerge,
                Method::POST,
                "/api/v2.0/customers/{id}/merge/{other}",
                "customers_merge",
                "Merge two customers",
                customers::merge,
            )
            .takes(&[EXPAND])
            .replies::<Customer<'_>>(200),
            write(
                CustomerWrite,
                Method::PATCH,
                "/api/v2.0/customers/{id}",
                "customers_update",
                "Update a customer",
                customers::update,
            )
            .takes(&[EXPAND])
            .body::<CustomerActive>()
            .replies::<Customer<'_>>(200),
            write(
                CustomerWrite,
                Method::DELETE,
                "/api/v2.0/customers/{id}",
                "customers_delete",
                "Delete a customer",
                customers::delete,
            )
            .replies_empty(204),
        ],
    )
}

fn changes_of_many_customers() -> Vec<Operation> {
    tagged(
        "Customers",
        vec![
            write(
                CustomerWrite,
                Method::POST,
                "/api/v2.0/customers/bulk",
                "customers_create_many",
                "Create multiple customers",
                bulk::create,
            )
            .body::<Vec<CustomerCreate>>()
            .replies::<Vec<BulkResult>>(200),
            write(
                CustomerWrite,
                Method::PATCH,
                "/api/v2.0/customers/bulk",
                "customers_update_many",
                "Update multiple customers",
                bulk::update,
            )
            .body::<Vec<CustomerActive>>()
            .replies::<Vec<BulkResult>>(200),
            write(
                CustomerWrite,
                Method::DELETE,
                "/api/v2.0/customers/bulk",
                "customers_delete_many",
                "Delete multiple customers",
                bulk::delete,
            )
            .body::<Vec<i64>>()
            .replies::<Vec<BulkResult>>(200),
        ],
    )
}

fn of_addresses() -> Vec<Operation> {
    tagged(
        "Customer Addresses",
        vec![
            read(
                CustomerRead,
                "/api/v2.0/customers/{customerId}/addresses",
                "customer_addresses_list",
                "List all customer addresses",
                addresses::list,
            )
            .takes(&LIST)
            .replies::<ListResponse<CustomerAddress<'_>>>(200),
            read(
                CustomerRead,
                "/api/v2.0/customers/{customerId}/addresses/{id}",
                "customer_addresses_retrieve",
                "Retrieve a customer address",
                addresses::retrieve,
            )
            .takes(&[EXPAND])
            .replies::<CustomerAddress<'_>>(200),
            read(
                CustomerRead,
                "/api/v2.0/customers/{customerId}/addresses/search",
                "customer_addresses_search",
                "Search customer addresses",
                addresses::search,
            )
            .takes(&SEARCH)
            .replies::<SearchResponse<CustomerAddress<'_>>>(200),
        ],
    )
}

fn changes_of_addresses() -> Vec<Operation> {
    tagged(
        "Customer Addresses",
        vec![
            write(
                CustomerWrite,
                Method::POST,
                "/api/v2.0/customers/{customerId}/addresses",
                "customer_addresses_create",
                "Create a customer address",
                addresses::create,
            )
            .takes(&[EXPAND])
            .body::<CustomerAddressCreate>()
            .replies::<CustomerAddress<'_>>(201),
            write(
                CustomerWrite,
                Method::POST,
                "/api/v2.0/customers/{customerId}/addresses/{id}/default",
                "customer_addresses_set_default",
                "Set the default address for a customer",
                addresses::set_default,
            )
            .replies_empty(204),
            write(
                CustomerWrite,
                Method::PATCH,
                "/api/v2.0/customers/{customerId}/addresses/{id}",
                "customer_addresses_update",
                "Update a customer address",
                addresses::update,
            )
            .takes(&[EXPAND])
            .body::<CustomerAddressActive>()
            .replies::<CustomerAddress<'_>>(200),
            write(
                CustomerWrite,
                Method::DELETE,
                "/api/v2.0/customers/{customerId}/addresses/{id}",
                "customer_addresses_delete",
                "Delete a customer address",
                addresses::delete,
            )
            .replies_empty(204),
        ],
    )
}

fn of_comments() -> Vec<Operation> {
    tagged(
        "Customer Comments",
        vec![
            read(
                CommentRead,
                "/api/v2.0/customers/{customerId}/comments",
                "customer_comments_list",
                "List all customer comments",
                comments::list,
            )
            .takes(&LIST)
            .replies::<ListResponse<CustomerComment<'_>>>(200),
            read(
                CommentRead,
                "/api/v2.0/customers/{customerId}/comments/{id}",
                "customer_comments_retrieve",
                "Retrieve a customer comment",
                comments::retrieve,
            )
            .takes(&[EXPAND])
            .replies::<CustomerComment<'_>>(200),
            read(
                CommentRead,
                "/api/v2.0/customers/{customerId}/comments/search",
                "customer_comments_search",
                "Search customer comments",
                comments::search,
            )
            .takes(&SEARCH)
            .replies::<SearchResponse<CustomerComment<'_>>>(200),
        ],
    )
}

fn changes_of_comments() -> Vec<Operation> {
    tagged(
        "Customer Comments",
        vec![
            write(
                CommentWrite,
                Method::POST,
                "/api/v2.0/customers/{customerId}/comments",
                "customer_comments_create",
                "Create a customer comment",
                comments::create,
            )
            .takes(&[EXPAND])
            .body::<CustomerCommentCreate>()
            .replies::<CustomerComment<'_>>(201),
            write(
                CommentWrite,
                Method::POST,
                "/api/v2.0/customers/{customerId}/comments/{id}/pin",
                "customer_comments_pin",
                "Pin a comment to the top",
                comments::pin,
            )
            .replies_empty(204),
            write(
                CommentWrite,
                Method::POST,
                "/api/v2.0/customers/{customerId}/comments/{id}/unpin",
                "customer_comments_unpin",
                "Remove a pinned comment from the top",
                comments::unpin,
            )
            .replies_empty(204),
            write(
                CommentWrite,
                Method::PATCH,
                "/api/v2.0/customers/{customerId}/comments/{id}",
                "customer_comments_update",
                "Update a customer comment",
                comments::update,
            )
            .takes(&[EXPAND])
            .body::<CustomerCommentActive>()
            .replies::<CustomerComment<'_>>(200),
            write(
                CommentWrite,
                Method::DELETE,
                "/api/v2.0/customers/{customerId}/comments/{id}",
                "customer_comments_delete",
                "Delete a customer comment",
                comments::delete,
            )
            .replies_empty(204),
        ],
    )
}

fn tagged(tag: &'static str, operations: Vec<Operation>) -> Vec<Operation> {
    operations.into_iter().map(|operation| operation.tag(tag).takes(&[SPACE])).collect()
}

fn read<F, Fut>(
    permission: Permission,
    path: &'static str,
    id: &'static str,
    title: &'static str,
    handler: F,
) -> Operation
where
    F: Fn(Request) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Reply, Failure>> + Send + 'static,
{
    Operation::new(Method::GET, Access::Needs(permission), path, id, title, negotiated(handler))
}

fn write<F, Fut>(
    permission: Permission,
    method: Method,
    path: &'static str,
    id: &'static str,
    title: &'static str,
    handler: F,
) -> Operation
where
    F: Fn(Request) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Reply, Failure>> + Send + 'static,
{
    Operation::new(method, Access::Needs(permission), path, id, title, negotiated(handler))
}

pub type Answering = BoxFuture<'static, Result<Reply, Failure>>;

/// The handler behind the check of media types.
pub fn negotiated<F, Fut>(handler: F) -> impl Fn(Request) -> Answering + Send + Sync + 'static
where
    F: Fn(Request) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Reply, Failure>> + Send + 'static,
{
    move |request| match transport::negotiate(&request) {
        Ok(()) => Box::pin(handler(request)),
        Err(failure) => Box::pin(std::future::ready(Err(failure))),
    }
}
