//! Every operation that is served, one line each, grouped as in the dossier (§6.2 to §6.4).

use std::future::Future;

use patron_gateway::{
    BoxFuture, Operation, Reply, Request,
    operation::{Parameter, Unguarded},
};
use patron_model::{
    Failure,
    Permission::{CommentRead, CommentWrite, CustomerMerge, CustomerRead, CustomerWrite},
};

use crate::{
    addresses::{self, CustomerAddress, CustomerAddressActive, CustomerAddressCreate},
    catalogues,
    comments::{self, CustomerComment, CustomerCommentActive, CustomerCommentCreate},
    customers::{
        self,
        bulk::{self, BulkResult},
        read::{CustomerActive, CustomerCreate},
        show::{Customer, RestCustomerEmailAddress},
    },
    lists::{ListResponse, SearchResponse},
    records, table, transport,
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
    let typed = [of_customers(), of_addresses(), of_comments()].concat();
    let typed = typed.into_iter().map(table::described);
    typed.chain(catalogues::operations()).chain(records::operations()).collect()
}

#[rustfmt::skip]
fn of_customers() -> Vec<Operation> {
    vec![
        on("customers_list", customers::list).needs(CustomerRead)
            .replies::<ListResponse<Customer<'_>>>(200),
        on("customers_retrieve", customers::retrieve).needs(CustomerRead)
            .replies::<Customer<'_>>(200),
        on("customers_list_email_addresses", customers::list_email_addresses).needs(CustomerRead)
            .replies::<ListResponse<RestCustomerEmailAddress>>(200),
        on("customers_search", customers::search).needs(CustomerRead)
            .replies::<SearchResponse<Customer<'_>>>(200),
        on("customers_create", customers::create).needs(CustomerWrite)
            .body::<CustomerCreate>().replies::<Customer<'_>>(201),
        on("customers_merge", customers::merge).needs(CustomerMerge).replies::<Customer<'_>>(200),
        on("customers_update", customers::update).needs(CustomerWrite)
            .body::<CustomerActive>().replies::<Customer<'_>>(200),
        on("customers_delete", customers::delete).needs(CustomerWrite).replies_empty(204),
        on("customers_create_many", bulk::create).needs(CustomerWrite)
            .body::<Vec<CustomerCreate>>().replies::<Vec<BulkResult>>(200),
        on("customers_update_many", bulk::update).needs(CustomerWrite)
            .body::<Vec<CustomerActive>>().replies::<Vec<BulkResult>>(200),
        on("customers_delete_many", bulk::delete).needs(CustomerWrite)
            .body::<Vec<i64>>().replies::<Vec<BulkResult>>(200),
    ]
}

#[rustfmt::skip]
fn of_addresses() -> Vec<Operation> {
    vec![
        on("customer_addresses_list", addresses::list).needs(CustomerRead)
            .replies::<ListResponse<CustomerAddress<'_>>>(200),
        on("customer_addresses_retrieve", addresses::retrieve).needs(CustomerRead)
            .replies::<CustomerAddress<'_>>(200),
        on("customer_addresses_search", addresses::search).needs(CustomerRead)
            .replies::<SearchResponse<CustomerAddress<'_>>>(200),
        on("customer_addresses_create", addresses::create).needs(CustomerWrite)
            .body::<CustomerAddressCreate>().replies::<CustomerAddress<'_>>(201),
        on("customer_addresses_set_default", addresses::set_default).needs(CustomerWrite)
            .replies_empty(204),
        on("customer_addresses_update", addresses::update).needs(CustomerWrite)
            .body::<CustomerAddressActive>().replies::<CustomerAddress<'_>>(200),
        on("customer_addresses_delete", addresses::delete).needs(CustomerWrite).replies_empty(204),
    ]
}

#[rustfmt::skip]
fn of_comments() -> Vec<Operation> {
    vec![
        on("customer_comments_list", comments::list).needs(CommentRead)
            .replies::<ListResponse<CustomerComment<'_>>>(200),
        on("customer_comments_retrieve", comments::retrieve).needs(CommentRead)
            .replies::<CustomerComment<'_>>(200),
        on("customer_comments_search", comments::search).needs(CommentRead)
            .replies::<SearchResponse<CustomerComment<'_>>>(200),
        on("customer_comments_create", comments::create).needs(CommentWrite)
            .body::<CustomerCommentCreate>().replies::<CustomerComment<'_>>(201),
        on("customer_comments_pin", comments::pin).needs(CommentWrite).replies_empty(204),
        on("customer_comments_unpin", comments::unpin).needs(CommentWrite).replies_empty(204),
        on("customer_comments_update", comments::update).needs(CommentWrite)
            .body::<CustomerCommentActive>().replies::<CustomerComment<'_>>(200),
        on("customer_comments_delete", comments::delete).needs(CommentWrite).replies_empty(204),
    ]
}

/// The line of an operation: who may call it, its body and what it answers. All else stands in the
/// row of the table; the handler is behind the check of media types.
fn on<F, Fut>(id: &str, handler: F) -> Unguarded<impl Fn(Request) -> Answering + use<F, Fut>>
where
    F: Fn(Request) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Reply, Failure>> + Send + 'static,
{
    table::row(id).line(negotiated(handler))
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
