//! Every operation, grouped as in the dossier. Aliases of methods and paths are lines of their own:
//! each is documented somewhere, and some client uses it (dossier §11).

use patron_gateway::{
    Operation,
    operation::{Parameter, delete, get, group, patch, post, put},
};
use patron_model::Permission::{
    CustomerRead, CustomerWrite, PaymentMethodRead, WebhookRead, WebhookWrite,
};

use crate::{
    catalogues,
    customers::{self, read::CustomerBody},
    envelopes::schemas::{
        BankAnswer, BankList, ChannelAnswer, ChannelList, CountryAnswer, CountryList,
        CurrencyAnswer, CurrencyList, CustomerAnswer, CustomerList, DeletedAnswer, EndpointAnswer,
        EndpointList, GoneAnswer, MethodList, PaymentList,
    },
    payment_methods,
    webhook_endpoints::{self as webhooks, WebhookBody},
};

const MEDIA: &[&str] = &["application/json", "application/x-www-form-urlencoded"];

const PAGES: [Parameter; 3] = [
    Parameter::query("limit", "integer", "Rows of a page: 30 by default, 100 at most."),
    Parameter::query("perpage", "integer", "Old name of `limit`."),
    Parameter::query("page", "integer", "Number of the page, from 1."),
];
const CUSTOMER_FILTERS: [Parameter; 3] = [
    Parameter::query("search", "string", "Part of a name, e-mail address or phone number."),
    Parameter::query("date_start", "string", "First day of creation, YYYY-MM-DD."),
    Parameter::query("date_end", "string", "Last day of creation, YYYY-MM-DD."),
];
const CHANNEL_FILTERS: [Parameter; 3] = [
    Parameter::query("country", "string", "Country that a channel must work in."),
    Parameter::query("amount", "number", "Amount that a channel must admit."),
    Parameter::query("currency", "string", "Currency of the amount; XAF by default."),
];

/// Every operation.
pub fn all() -> Vec<Operation> {
    [
        of_customers(),
        of_blocking(),
        of_what_hangs_on_them(),
        of_webhooks(),
        of_catalogues(),
        of_guides(),
    ]
    .concat()
}

#[rustfmt::skip]
fn of_customers() -> Vec<Operation> {
    const ALL: &str = "/customers";
    const ONE: &str = "/customers/{id}";
    const UPDATE: &str = "Update a customer";
    let change = |operation: Operation| {
        operation.body::<CustomerBody>().media(MEDIA).replies::<CustomerAnswer>(202)
    };
    group("Customers", [
        get(ALL, customers::list).named("customers_list", "List all customers")
            .needs(CustomerRead).takes(&PAGES).takes(&CUSTOMER_FILTERS)
            .replies::<CustomerList>(200),
        post(ALL, customers::create).named("customers_create", "Create a customer")
            .needs(CustomerWrite).body::<CustomerBody>().media(MEDIA)
            .replies::<CustomerAnswer>(201),
        get(ONE, customers::retrieve).named("customers_retrieve", "Retrieve a customer")
            .needs(CustomerRead).replies::<CustomerAnswer>(202),
        change(post(ONE, customers::update).named("customers_update", UPDATE)
            .needs(CustomerWrite)),
        change(put(ONE, customers::update).named("customers_update_put", UPDATE)
            .needs(CustomerWrite)),
        change(patch(ONE, customers::update).named("customers_update_patch", UPDATE)
            .needs(CustomerWrite)),
        delete(ONE, customers::delete).named("customers_delete", "Delete a customer")
            .needs(CustomerWrite).replies::<DeletedAnswer>(202),
    ])
}

#[rustfmt::skip]
fn of_blocking() -> Vec<Operation> {
    const BLOCK: &str = "/customers/{id}/block";
    const BLOCKED: &str = "Block a customer";
    const UNBLOCK: &str = "/customers/{id}/unblock";
    const UNBLOCKED: &str = "Unblock a customer";
    let operations = [
        post(BLOCK, customers::block).named("customers_block", BLOCKED)
            .needs(CustomerWrite),
        patch(BLOCK, customers::block).named("customers_block_patch", BLOCKED)
            .needs(CustomerWrite),
        put(BLOCK, customers::block).named("customers_block_put", BLOCKED)
            .needs(CustomerWrite),
        post(UNBLOCK, customers::unblock).named("customers_unblock", UNBLOCKED)
            .needs(CustomerWrite),
        patch(UNBLOCK, customers::unblock).named("customers_unblock_patch", UNBLOCKED)
            .needs(CustomerWrite),
        put(UNBLOCK, customers::unblock).named("customers_unblock_put", UNBLOCKED)
            .needs(CustomerWrite),
    ];
    group("Customers", operations.map(|line| line.replies::<CustomerAnswer>(202)))
}

#[rustfmt::skip]
fn of_what_hangs_on_them() -> Vec<Operation> {
    const METHODS: &str = "List customer's payment methods";
    const STATUS: Parameter = Parameter::query("status", "string", "Status of the payments.");
    group("Customers", [
        get("/customers/{id}/payment_methods", payment_methods::list)
            .named("payment_methods_list", METHODS)
            .needs(PaymentMethodRead).replies::<MethodList>(200),
        get("/customers/{id}/payment-methods", payment_methods::list)
            .named("payment_methods_list_alias", METHODS)
            .needs(PaymentMethodRead).replies::<MethodList>(200),
        get("/customers/{id}/payments", customers::payments)
            .named("customer_payments_list", "List customer's payments")
            .needs(CustomerRead).takes(&PAGES).takes(&[STATUS]).replies::<PaymentList>(200),
    ])
}

#[rustfmt::skip]
fn of_webhooks() -> Vec<Operation> {
    const ALL: &str = "/webhooks";
    const ONE: &str = "/webhooks/{endpoint}";
    group("Webhooks", [
        get(ALL, webhooks::list).named("webhooks_list", "List all webhooks")
            .needs(WebhookRead).takes(&PAGES).replies::<EndpointList>(200),
        post(ALL, webhooks::create).named("webhooks_create", "Create a webhook")
            .needs(WebhookWrite).body::<WebhookBody>().media(MEDIA).replies::<EndpointAnswer>(201),
        get(ONE, webhooks::retrieve).named("webhooks_retrieve", "Retrieve a webhook")
            .needs(WebhookRead).replies::<EndpointAnswer>(200),
        put(ONE, webhooks::update).named("webhooks_update", "Update a webhook")
            .needs(WebhookWrite).body::<WebhookBody>().media(MEDIA).replies::<EndpointAnswer>(202),
        delete(ONE, webhooks::delete).named("webhooks_delete", "Delete a webhook")
            .needs(WebhookWrite).replies::<GoneAnswer>(202),
    ])
}

#[rustfmt::skip]
fn of_catalogues() -> Vec<Operation> {
    group("Reference data", [
        get("/channels", catalogues::channels).named("channels_list", "List all payment channels")
            .any_key().takes(&CHANNEL_FILTERS).replies::<ChannelList>(200),
        get("/countries", catalogues::countries).named("countries_list", "List all countries")
            .any_key().replies::<CountryList>(200),
        get("/currencies", catalogues::currencies).named("currencies_list", "List all currencies")
            .any_key().replies::<CurrencyList>(200),
    ])
}

#[rustfmt::skip]
fn of_guides() -> Vec<Operation> {
    group("Reference data", [
        get("/resources/channels", catalogues::guide_channels)
            .named("resources_channels_list", "List payment channels")
            .any_key().takes(&CHANNEL_FILTERS).replies::<ChannelList>(200),
        get("/resources/channels/{id}", catalogues::channel)
            .named("resources_channel_retrieve", "Retrieve a channel")
            .any_key().replies::<ChannelAnswer>(200),
        get("/resources/countries", catalogues::countries)
            .named("resources_countries_list", "List countries")
            .any_key().replies::<CountryList>(200),
        get("/resources/countries/{code}", catalogues::country)
            .named("resources_country_retrieve", "Retrieve a country")
            .any_key().replies::<CountryAnswer>(200),
        get("/resources/currencies", catalogues::currencies)
            .named("resources_currencies_list", "List currencies")
            .any_key().replies::<CurrencyList>(200),
        get("/resources/currencies/{code}", catalogues::currency)
            .named("resources_currency_retrieve", "Retrieve a currency")
            .any_key().replies::<CurrencyAnswer>(200),
        get("/resources/banks", catalogues::banks).named("resources_banks_list", "List banks")
            .any_key().replies::<BankList>(200),
        get("/resources/banks/{code}", catalogues::bank)
            .named("resources_bank_retrieve", "Retrieve a bank")
            .any_key().replies::<BankAnswer>(200),
    ])
}
