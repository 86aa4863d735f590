//! Every operation of the native API, grouped by noun.

mod admin;

use http::Method;
use patron_app::idempotency::REMEMBERED_SECONDS;
use patron_gateway::{
    Access::Needs,
    Operation,
    operation::{IdempotencyRule, Parameter},
};
use patron_model::{
    Permission::{
        CommentRead, CommentWrite, CustomerMerge, CustomerPast, CustomerRead, CustomerWrite,
        EventRead, PaymentMethodRead, PaymentMethodWrite,
    },
    card,
};

use crate::{
    addresses::{self, AddressIn},
    comments::{self, CommentIn},
    customers::{self, MergeIn},
    events::{self, EventsOut},
    patches::{CustomerIn, JSON_PATCH, MERGE_PATCH},
    payment_methods::{self, MethodIn, MethodOut},
    wire::{AddressOut, CommentOut, CustomerOut, ListOut},
};

const IDEMPOTENT: IdempotencyRule =
    IdempotencyRule { header: "idempotency-key", remembered_seconds: REMEMBERED_SECONDS };

const EXPAND: Parameter =
    Parameter::query("expand", "string", "addresses, comments; comma separated or repeated");
const IF_MATCH: Parameter = Parameter::header("If-Match", "ETag the record must still have");
const IF_NONE_MATCH: Parameter =
    Parameter::header("If-None-Match", "* creates only; an ETag answers 304 when unchanged");
const KEY: Parameter =
    Parameter::header("Idempotency-Key", "repeat with the same key gives the same answer");
const PREFER: Parameter = Parameter::header("Prefer", "dry-run: check and show, change nothing");
const LIMIT: Parameter = Parameter::query("limit", "integer", "1 to 200");
const CURSOR: Parameter = Parameter::query("cursor", "string", "next_cursor of the page before");

const LIST: &[Parameter] = &[
    LIMIT,
    CURSOR,
    Parameter::query("q", "string", "words; names, e-mail, phone, company, reference begin so"),
    Parameter::query("sort", "string", "a field, with - before it for descending"),
    Parameter::query("deleted", "string", "false (default), true, only"),
    Parameter::query("total", "boolean", "true: count all matches too"),
    EXPAND,
    Parameter::query(
        "email",
        "string",
        "a field filters; field[op] compares: ne lt lte gt gte in missing prefix contains",
    ),
    Parameter::query("metadata[key]", "string", "value of a metadata key"),
];

/// Every operation.
pub(crate) fn all() -> Vec<Operation> {
    let groups = [
        customer_operations(),
        address_operations(),
        comment_operations(),
        method_operations(),
        event_operations(),
        admin::account_operations(),
        admin::space_operations(),
        admin::offboarding_operations(),
        admin::audit_operations(),
        admin::key_operations(),
    ];
    groups.into_iter().flatten().map(strict).collect()
}

/// Query parameters that are not named are refused, here or, where any field filters, by the
/// handler.
fn strict(operation: Operation) -> Operation {
    match operation.id {
        "list_customers" => operation,
        _ => operation.strict(),
    }
}

/// A write: idempotency keys and dry runs everywhere.
fn write(operation: Operation) -> Operation {
    operation.idempotent(IDEMPOTENT).takes(&[KEY, PREFER])
}

fn customer_operations() -> Vec<Operation> {
    const ALL: &str = "/v1/customers";
    const ONE: &str = "/v1/customers/{id}";
    const BY_REFERENCE: &str = "/v1/customers/by-reference/{reference}";
    let tagged = [
        Operation::new(
            Method::GET,
            Needs(CustomerRead),
            ALL,
            "list_customers",
            "List and search customers",
            customers::list,
        )
        .takes(LIST)
        .replies::<ListOut<CustomerOut<'_>>>(200),
        write(Operation::new(
            Method::POST,
            Needs(CustomerWrite),
            ALL,
            "create_customer",
            "Create a customer",
            customers::create,
        ))
        .body::<CustomerIn>()
        .replies::<CustomerOut<'_>>(201),
        Operation::new(
            Method::GET,
            Needs(CustomerRead),
            BY_REFERENCE,
            "get_customer_by_reference",
            "Get the customer with your own id",
            customers::get_by_reference,
        )
        .takes(&[EXPAND, IF_NONE_MATCH])
        .replies::<CustomerOut<'_>>(200),
        write(Operation::new(
            Method::PUT,
            Needs(CustomerWrite),
            BY_REFERENCE,
            "put_customer_by_reference",
            "Create or replace the customer with your own id, atomically",
            customers::put_by_reference,
        ))
        .takes(&[IF_MATCH, IF_NONE_MATCH])
        .body::<CustomerIn>()
        .replies::<CustomerOut<'_>>(200)
        .replies::<CustomerOut<'_>>(201),
        Operation::new(
            Method::GET,
            Needs(CustomerRead),
            ONE,
            "get_customer",
            "Get a customer, now or as it was",
            customers::get,
        )
        .takes(&[
            EXPAND,
            IF_NONE_MATCH,
            Parameter::query("as_of", "string", "a moment (RFC 3339): the customer as it was then"),
            Parameter::query("version", "integer", "the customer in that version"),
        ])
        .replies::<CustomerOut<'_>>(200)
        .replies_empty(304),
        write(Operation::new(
            Method::PATCH,
            Needs(CustomerWrite),
            ONE,
            "update_customer",
            "Change a customer: JSON Merge Patch or JSON Patch",
            customers::update,
        ))
        .takes(&[IF_MATCH])
        .body::<CustomerIn>()
        .media(&[MERGE_PATCH, JSON_PATCH, "application/json"])
        .replies::<CustomerOut<'_>>(200),
        write(Operation::new(
            Method::DELETE,
            Needs(CustomerWrite),
            ONE,
            "delete_customer",
            "Delete a customer; it can be restored",
            customers::delete,
        ))
        .takes(&[IF_MATCH])
        .replies_empty(204),
        write(Operation::new(
            Method::POST,
            Needs(CustomerWrite),
            "/v1/customers/{id}/restore",
            "restore_customer",
            "Bring a deleted customer back",
            customers::restore,
        ))
        .replies::<CustomerOut<'_>>(200),
        write(Operation::new(
            Method::POST,
            Needs(CustomerMerge),
            "/v1/customers/{id}/merge",
            "merge_customers",
            "Take another customer over",
            customers::merge,
        ))
        .takes(&[IF_MATCH])
        .body::<MergeIn>()
        .replies::<CustomerOut<'_>>(200),
        Operation::new(
            Method::GET,
            Needs(CustomerPast),
            "/v1/customers/{id}/history",
            "list_customer_history",
            "Everything that happened to a customer, newest first",
            events::history,
        )
        .takes(&[
            LIMIT,
            Parameter::query("before", "integer", "next of the page before"),
            Parameter::query("expand", "string", "record: the customer after each change"),
        ])
        .replies::<EventsOut>(200),
    ];
    tagged.map(|operation| operation.tag("Customers")).into()
}

fn address_operations() -> Vec<Operation> {
    const ALL: &str = "/v1/customers/{id}/addresses";
    const ONE: &str = "/v1/customers/{id}/addresses/{address}";
    let tagged = [
        Operation::new(
            Method::GET,
            Needs(CustomerRead),
            ALL,
            "list_addresses",
            "List the addresses of a customer",
            addresses::list,
        )
        .replies::<ListOut<AddressOut<'_>>>(200),
        write(Operation::new(
            Method::POST,
            Needs(CustomerWrite),
            ALL,
            "create_address",
            "Add an address",
            addresses::create,
        ))
        .body::<AddressIn>()
        .replies::<AddressOut<'_>>(201),
        Operation::new(
            Method::GET,
            Needs(CustomerRead),
            ONE,
            "get_address",
            "Get an address",
            addresses::get,
        )
        .takes(&[IF_NONE_MATCH])
        .replies::<AddressOut<'_>>(200)
        .replies_empty(304),
        write(Operation::new(
            Method::PATCH,
            Needs(CustomerWrite),
            ONE,
            "update_address",
            "Change an address (JSON Merge Patch)",
            addresses::update,
        ))
        .takes(&[IF_MATCH])
        .body::<AddressIn>()
        .media(&[MERGE_PATCH, "application/json"])
        .replies::<AddressOut<'_>>(200),
        write(Operation::new(
            Method::POST,
            Needs(CustomerWrite),
            "/v1/customers/{id}/addresses/{address}/default",
            "set_default_address",
            "Make an address the default of its purpose",
            addresses::set_default,
        ))
        .replies::<AddressOut<'_>>(200),
        write(Operation::new(
            Method::DELETE,
            Needs(CustomerWrite),
            ONE,
            "delete_address",
            "Remove an address",
            addresses::delete,
        ))
        .takes(&[IF_MATCH])
        .replies_empty(204),
    ];
    tagged.map(|operation| operation.tag("Addresses")).into()
}

fn comment_operations() -> Vec<Operation> {
    const ALL: &str = "/v1/customers/{id}/comments";
    const ONE: &str = "/v1/customers/{id}/comments/{comment}";
    let tagged = [
        Operation::new(
            Method::GET,
            Needs(CommentRead),
            ALL,
            "list_comments",
            "List comments, newest first",
            comments::list,
        )
        .takes(&[LIMIT, CURSOR])
        .replies::<ListOut<CommentOut>>(200),
        write(Operation::new(
            Method::POST,
            Needs(CommentWrite),
            ALL,
            "create_comment",
            "Comment on a customer",
            comments::create,
        ))
        .body::<CommentIn>()
        .replies::<CommentOut>(201),
        Operation::new(
            Method::GET,
            Needs(CommentRead),
            ONE,
            "get_comment",
            "Get a comment",
            comments::get,
        )
        .takes(&[IF_NONE_MATCH])
        .replies::<CommentOut>(200)
        .replies_empty(304),
        write(Operation::new(
            Method::PATCH,
            Needs(CommentWrite),
            ONE,
            "update_comment",
            "Change or pin a comment (JSON Merge Patch)",
            comments::update,
        ))
        .takes(&[IF_MATCH])
        .body::<CommentIn>()
        .media(&[MERGE_PATCH, "application/json"])
        .replies::<CommentOut>(200),
        write(Operation::new(
            Method::DELETE,
            Needs(CommentWrite),
            ONE,
            "delete_comment",
            "Delete a comment",
            comments::delete,
        ))
        .takes(&[IF_MATCH])
        .replies_empty(204),
    ];
    tagged.map(|operation| operation.tag("Comments")).into()
}

fn method_operations() -> Vec<Operation> {
    const ALL: &str = "/v1/customers/{id}/payment-methods";
    const ONE: &str = "/v1/customers/{id}/payment-methods/{method}";
    let tagged = [
        Operation::new(
            Method::GET,
            Needs(PaymentMethodRead),
            ALL,
            "list_payment_methods",
            "List saved payment methods",
            payment_methods::list,
        )
        .replies::<ListOut<MethodOut<'_>>>(200),
        write(Operation::new(
            Method::POST,
            Needs(PaymentMethodWrite),
            ALL,
            "create_payment_method",
            "Save a payment method; card data is tokenised, never stored",
            payment_methods::create,
        ))
        .body::<MethodIn>()
        .replies::<MethodOut<'_>>(200)
        .replies::<MethodOut<'_>>(201)
        .accepts_cards(&[card::Member { path: "card.number", takes: card::Taken::Number }]),
        Operation::new(
            Method::GET,
            Needs(PaymentMethodRead),
            ONE,
            "get_payment_method",
            "Get a saved payment method",
            payment_methods::get,
        )
        .takes(&[IF_NONE_MATCH])
        .replies::<MethodOut<'_>>(200)
        .replies_empty(304),
        write(Operation::new(
            Method::PATCH,
            Needs(PaymentMethodWrite),
            ONE,
            "update_payment_method",
            "Change details (JSON Merge Patch)",
            payment_methods::update,
        ))
        .takes(&[IF_MATCH])
        .body::<MethodIn>()
        .media(&[MERGE_PATCH, "application/json"])
        .replies::<MethodOut<'_>>(200),
        write(Operation::new(
            Method::DELETE,
            Needs(PaymentMethodWrite),
            ONE,
            "delete_payment_method",
            "Delete a saved payment method",
            payment_methods::delete,
        ))
        .takes(&[IF_MATCH])
        .replies_empty(204),
    ];
    tagged.map(|operation| operation.tag("Payment methods")).into()
}

fn event_operations() -> Vec<Operation> {
    let feed = Operation::new(
        Method::GET,
        Needs(EventRead),
        "/v1/events",
        "list_events",
        "Everything that happened in the space, in order and without gaps",
        events::list,
    );
    let feed = feed
        .takes(&[
            Parameter::query(
                "after",
                "integer",
                "position after which to continue; 0 is the start",
            ),
            LIMIT,
            Parameter::query("wait", "integer", "seconds to wait for the first event, at most 60"),
            Parameter::query("expand", "string", "record: the customer after each change"),
        ])
        .replies::<EventsOut>(200);
    vec![feed.tag("Events")]
}
