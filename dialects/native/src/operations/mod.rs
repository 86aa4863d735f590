//! Every operation of the native API, grouped by noun.

mod admin;
mod people;
mod sign_in;
mod webhooks;

use http::Method;
use patron_app::idempotency::REMEMBERED_SECONDS;
use patron_gateway::{
    Operation,
    operation::{IdempotencyRule, Parameter, delete, get, group, patch, post, put},
};
use patron_model::{
    Permission::{
        CommentRead, CommentWrite, CustomerMerge, CustomerPast, CustomerRead, CustomerWrite,
        EventRead, PaymentMethodRead, PaymentMethodWrite,
    },
    card,
    customer::{Deed, StatusVerb},
};

use crate::{
    addresses::{self, AddressIn},
    comments::{self, CommentIn},
    customers::{
        self, BulkIn, BulkOut, DiffOut, MergeIn, RevertIn, StatusEndIn, StatusIn,
        read::{CustomerIn, JSON_PATCH, MERGE_PATCH, PatchOperation},
        show::{AddressOut, CommentOut, CustomerOut, ListOut, MergedOut},
    },
    events::{self, EventsOut},
    filters,
    payment_methods::{self, MethodIn, MethodOut},
    statistics::{self, StatisticsOut},
};

const IDEMPOTENT: IdempotencyRule =
    IdempotencyRule { header: "idempotency-key", remembered_seconds: REMEMBERED_SECONDS };

const EXPAND: Parameter =
    Parameter::query("expand", "string", "addresses, comments; comma separated or repeated");
const IF_MATCH: Parameter = Parameter::header("If-Match", "ETag the record must still have");
const IF_NONE_MATCH: Parameter =
    Parameter::header("If-None-Match", "* creates only; an ETag answers 304 when unchanged");
const SPACE: Parameter = Parameter {
    name: "Patron-Space",
    place: "header",
    kind: "integer",
    required: false,
    about: "Space to work in, for keys that open several; the key's own when absent.",
};
const KEY: Parameter =
    Parameter::header("Idempotency-Key", "repeat with the same key gives the same answer");
const PREFER: Parameter = Parameter::header("Prefer", "dry-run: check and show, change nothing");
const PAST: [Parameter; 2] = [
    Parameter::query("as_of", "date-time", "a moment (RFC 3339): the customer as it was then"),
    Parameter::query("version", "integer", "the customer in that version"),
];
const STATES: [Parameter; 2] = [
    Parameter::query("from", "string", "a version, a moment (RFC 3339) or now").required(),
    Parameter::query("to", "string", "the same; now when absent"),
];
const RECORD: Parameter =
    Parameter::query("expand", "string", "record: the customer after each change");
const BEFORE: Parameter = Parameter::query("before", "integer", "next of the page before");
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
    Parameter::query("metadata[key]", "string", "value of a metadata key"),
];

/// Media types of a change.
const MERGED: &[&str] = &[MERGE_PATCH, "application/json"];
/// Where a card number may come in.
const CARD: &[card::Member] = &[card::Member { path: "card.number", takes: card::Taken::Number }];

/// Every operation.
pub fn all() -> Vec<Operation> {
    let groups = [
        of_customers(),
        of_addresses(),
        of_comments(),
        of_payment_methods(),
        of_events(),
        of_statistics(),
        webhooks::of_endpoints(),
        webhooks::of_deliveries(),
        webhooks::of_webhook_keys(),
        admin::of_accounts(),
        admin::of_spaces(),
        admin::of_the_audit_log(),
        admin::of_keys(),
        people::of_users(),
        people::of_assignments(),
        people::of_roles(),
        people::of_providers(),
        admin::of_mails(),
    ];
    let all = groups.into_iter().flatten().map(kept);
    // What is about signing in is never remembered.
    let signing_in =
        [sign_in::all(), sign_in::of_links(), sign_in::of_second_factors(), sign_in::of_linked()];
    all.chain(signing_in.into_iter().flatten()).map(strict).collect()
}

/// Query parameters that are not named are refused, here or, where any field filters, by the
/// handler.
fn strict(operation: Operation) -> Operation {
    match operation.id {
        // Providers add parameters of their own.
        "list_customers" | "sign_in_by_provider" => operation,
        _ => operation.strict(),
    }
}

/// What all share: the place, where a key opens several; a write takes an idempotency key and can
/// be tried out.
fn kept(mut operation: Operation) -> Operation {
    if !operation.is_for_deployment {
        operation.parameters.insert(0, SPACE);
    }
    if operation.method == Method::GET {
        return operation;
    }
    operation.parameters.splice(0..0, [KEY, PREFER]);
    let rule = operation.idempotency.unwrap_or(IDEMPOTENT);
    operation.idempotent(rule)
}

#[rustfmt::skip]
fn of_customers() -> Vec<Operation> {
    const ALL: &str = "/v1/customers";
    const ONE: &str = "/v1/customers/{id}";
    const OWN: &str = "/v1/customers/by-reference/{reference}";
    const RESTORE: &str = "/v1/customers/{id}/restore";
    const MERGE: &str = "/v1/customers/{id}/merge";
    const HISTORY: &str = "/v1/customers/{id}/history";
    const DIFF: &str = "/v1/customers/{id}/diff";
    const REVERT: &str = "/v1/customers/{id}/revert";
    const BULK: &str = "/v1/customers/bulk";
    let mut all = group("Customers", [
        get(ALL, customers::list).named("list_customers", "List and search customers")
            .needs(CustomerRead).takes(LIST).takes(&filters::PARAMETERS)
            .replies::<ListOut<CustomerOut<'_>>>(200),
        post(ALL, customers::create).named("create_customer", "Create a customer")
            .needs(CustomerWrite).body::<CustomerIn>().replies::<CustomerOut<'_>>(201),
        get(OWN, customers::get_by_reference)
            .named("get_customer_by_reference", "Get the customer with your own id")
            .needs(CustomerRead).takes(&[EXPAND, IF_NONE_MATCH]).replies::<CustomerOut<'_>>(200),
        put(OWN, customers::put_by_reference)
            .named("put_customer_by_reference",
                "Create or replace the customer with your own id, atomically")
            .needs(CustomerWrite).takes(&[IF_MATCH, IF_NONE_MATCH]).body::<CustomerIn>()
            .replies::<CustomerOut<'_>>(200).replies::<CustomerOut<'_>>(201),
        get(ONE, customers::get).named("get_customer", "Get a customer, now or as it was")
            .needs(CustomerRead).takes(&[EXPAND, IF_NONE_MATCH]).takes(&PAST)
            .replies::<CustomerOut<'_>>(200).replies_empty(304),
        patch(ONE, customers::update)
            .named("update_customer", "Change a customer: JSON Merge Patch or JSON Patch")
            .needs(CustomerWrite).takes(&[IF_MATCH]).body::<CustomerIn>().media(MERGED)
            .body_in::<Vec<PatchOperation>>(JSON_PATCH)
            .replies::<CustomerOut<'_>>(200),
        delete(ONE, customers::delete)
            .named("delete_customer", "Delete a customer; it can be restored")
            .needs(CustomerWrite).takes(&[IF_MATCH]).replies_empty(204),
        post(RESTORE, customers::restore).named("restore_customer", "Bring a deleted customer back")
            .needs(CustomerWrite).replies::<CustomerOut<'_>>(200),
        post(MERGE, customers::merge).named("merge_customers", "Take another customer over")
            .needs(CustomerMerge).refusable(Deed::Merge).takes(&[IF_MATCH]).body::<MergeIn>()
            .replies::<MergedOut<'_>>(200),
        get(HISTORY, events::history)
            .named("list_customer_history", "Everything that happened to a customer, newest first")
            .needs(CustomerPast)
            .takes(&[LIMIT, BEFORE, RECORD])
            .replies::<EventsOut>(200),
        get(DIFF, customers::diff)
            .named("diff_customer", "How two states of a customer differ")
            .needs(CustomerPast).takes(&STATES).replies::<DiffOut>(200),
        post(REVERT, customers::revert)
            .named("revert_customer", "Make a customer again what it was, as a new version")
            .needs(CustomerWrite).takes(&[IF_MATCH]).body::<RevertIn>()
            .replies::<CustomerOut<'_>>(200),
        post(BULK, customers::bulk)
            .named("bulk_customers", "Create, change and delete many customers")
            .needs(CustomerWrite).refusable(Deed::ChangeAmongMany).weighs(customers::weight)
            .body::<BulkIn>().replies::<BulkOut>(200).replies::<BulkOut>(422),
    ]);
    all.extend(of_statuses());
    all
}

/// The verbs that change the status of a customer.
#[rustfmt::skip]
fn of_statuses() -> Vec<Operation> {
    let verb = |path: &'static str, verb: StatusVerb, id, title| {
        let line = post(path, move |request| customers::set_status(verb, request)).named(id, title)
            .needs(CustomerWrite).takes(&[IF_MATCH]).replies::<CustomerOut<'_>>(200);
        match verb.takes_a_term() {
            true => line.body::<StatusIn>(),
            false => line.body::<StatusEndIn>(),
        }
    };
    group("Customers", [
        verb("/v1/customers/{id}/block", StatusVerb::Block, "block_customer",
            "Block a customer: no new payments and payment methods"),
        verb("/v1/customers/{id}/unblock", StatusVerb::Unblock, "unblock_customer",
            "Lift the block of a customer"),
        verb("/v1/customers/{id}/lock", StatusVerb::Lock, "lock_customer",
            "Lock a customer: what is kept is kept, and nothing else done with it"),
        verb("/v1/customers/{id}/unlock", StatusVerb::Unlock, "unlock_customer",
            "Lift the lock of a customer"),
        verb("/v1/customers/{id}/activate", StatusVerb::Activate, "activate_customer",
            "Have an inactive customer in use again"),
        verb("/v1/customers/{id}/deactivate", StatusVerb::Deactivate, "deactivate_customer",
            "Have a customer out of use"),
    ])
}

#[rustfmt::skip]
fn of_addresses() -> Vec<Operation> {
    const ALL: &str = "/v1/customers/{id}/addresses";
    const ONE: &str = "/v1/customers/{id}/addresses/{address}";
    const DEFAULT: &str = "/v1/customers/{id}/addresses/{address}/default";
    group("Addresses", [
        get(ALL, addresses::list).named("list_addresses", "List the addresses of a customer")
            .needs(CustomerRead).replies::<ListOut<AddressOut<'_>>>(200),
        post(ALL, addresses::create).named("create_address", "Add an address")
            .needs(CustomerWrite).body::<AddressIn>().replies::<AddressOut<'_>>(201),
        get(ONE, addresses::get).named("get_address", "Get an address")
            .needs(CustomerRead).takes(&[IF_NONE_MATCH]).replies::<AddressOut<'_>>(200)
            .replies_empty(304),
        patch(ONE, addresses::update)
            .named("update_address", "Change an address (JSON Merge Patch)")
            .needs(CustomerWrite).takes(&[IF_MATCH]).body::<AddressIn>().media(MERGED)
            .replies::<AddressOut<'_>>(200),
        post(DEFAULT, addresses::set_default)
            .named("set_default_address", "Make an address the default of its purpose")
            .needs(CustomerWrite).replies::<AddressOut<'_>>(200),
        delete(ONE, addresses::delete).named("delete_address", "Remove an address")
            .needs(CustomerWrite).takes(&[IF_MATCH]).replies_empty(204),
    ])
}

#[rustfmt::skip]
fn of_comments() -> Vec<Operation> {
    const ALL: &str = "/v1/customers/{id}/comments";
    const ONE: &str = "/v1/customers/{id}/comments/{comment}";
    const HISTORY: &str = "/v1/customers/{id}/comments/{comment}/history";
    group("Comments", [
        get(ALL, comments::list).named("list_comments", "List comments, newest first")
            .needs(CommentRead).takes(&[LIMIT, CURSOR]).replies::<ListOut<CommentOut>>(200),
        post(ALL, comments::create).named("create_comment", "Comment on a customer")
            .needs(CommentWrite).body::<CommentIn>().replies::<CommentOut>(201),
        get(ONE, comments::get).named("get_comment", "Get a comment")
            .needs(CommentRead).takes(&[IF_NONE_MATCH]).replies::<CommentOut>(200)
            .replies_empty(304),
        patch(ONE, comments::update)
            .named("update_comment", "Change or pin a comment (JSON Merge Patch)")
            .needs(CommentWrite).takes(&[IF_MATCH]).body::<CommentIn>().media(MERGED)
            .replies::<CommentOut>(200),
        delete(ONE, comments::delete).named("delete_comment", "Delete a comment")
            .needs(CommentWrite).takes(&[IF_MATCH]).replies_empty(204),
        get(HISTORY, comments::history)
            .named("list_comment_history", "Everything that happened to a comment, newest first")
            .needs(CustomerPast).takes(&[LIMIT, BEFORE, RECORD]).replies::<EventsOut>(200),
    ])
}

#[rustfmt::skip]
fn of_payment_methods() -> Vec<Operation> {
    const ALL: &str = "/v1/customers/{id}/payment-methods";
    const ONE: &str = "/v1/customers/{id}/payment-methods/{method}";
    const HISTORY: &str = "/v1/customers/{id}/payment-methods/{method}/history";
    group("Payment methods", [
        get(ALL, payment_methods::list).named("list_payment_methods", "List saved payment methods")
            .needs(PaymentMethodRead).replies::<ListOut<MethodOut<'_>>>(200),
        post(ALL, payment_methods::create)
            .named("create_payment_method",
                "Save a payment method; card data is tokenised, never stored")
            .needs(PaymentMethodWrite).refusable(Deed::SavePaymentMethod).body::<MethodIn>()
            .accepts_cards(CARD)
            .replies::<MethodOut<'_>>(200).replies::<MethodOut<'_>>(201),
        get(ONE, payment_methods::get).named("get_payment_method", "Get a saved payment method")
            .needs(PaymentMethodRead).takes(&[IF_NONE_MATCH]).replies::<MethodOut<'_>>(200)
            .replies_empty(304),
        patch(ONE, payment_methods::update)
            .named("update_payment_method", "Change details (JSON Merge Patch)")
            .needs(PaymentMethodWrite).takes(&[IF_MATCH]).body::<MethodIn>().media(MERGED)
            .replies::<MethodOut<'_>>(200),
        delete(ONE, payment_methods::delete)
            .named("delete_payment_method", "Delete a saved payment method")
            .needs(PaymentMethodWrite).takes(&[IF_MATCH]).replies_empty(204),
        get(HISTORY, payment_methods::history)
            .named("list_payment_method_history",
                "Everything that happened to a saved payment method, newest first")
            .needs(CustomerPast).takes(&[LIMIT, BEFORE, RECORD]).replies::<EventsOut>(200),
    ])
}

#[rustfmt::skip]
fn of_statistics() -> Vec<Operation> {
    const ASKED: [Parameter; 4] = [
        Parameter::query("since", "date-time", "from which moment on; a day before until"),
        Parameter::query("until", "date-time", "up to which moment; now"),
        Parameter::query("step", "string",
            "what one point is about: minute, hour (default) or day; 1500 points at most"),
        Parameter::query("time_zone", "string", "whose hours and days, by its IANA name; UTC"),
    ];
    group("Statistics", [
        get("/v1/statistics", statistics::get)
            .named("get_statistics",
                "Requests, customers made and changed, and attempts to deliver, counted by the \
                 minute for 35 days")
            .needs(EventRead).takes(&ASKED).replies::<StatisticsOut>(200),
    ])
}

#[rustfmt::skip]
fn of_events() -> Vec<Operation> {
    const AFTER: Parameter =
        Parameter::query("after", "integer", "position after which to continue; 0 is the start");
    const WAIT: Parameter =
        Parameter::query("wait", "integer", "seconds to wait for the first event, at most 60");
    const STREAM: [Parameter; 6] = [
        Parameter::query("types", "string",
            "customer.updated, customer.*, *: all but webhook_endpoint; comma separated"),
        Parameter::query("subject", "integer", "number of the record that events hang on"),
        Parameter::query("from", "string", "of a stream: now begins with what happens from now on"),
        Parameter::query("as", "string",
            "of a stream: delivery shows signed requests, as a webhook endpoint would be told"),
        Parameter::query("dialect", "string", "with as=delivery: the API in whose words"),
        Parameter::header("Last-Event-ID", "of a stream: position after which to continue"),
    ];
    group("Events", [
        get("/v1/events", events::list)
            .named("list_events",
                "Everything that happened in the space, in order and without gaps; a stream of it \
                 with Accept: text/event-stream")
            .needs(EventRead).takes(&[AFTER, LIMIT, WAIT, RECORD]).takes(&STREAM)
            .replies::<EventsOut>(200),
    ])
}
