//! Every operation, one line each, grouped as in the dossier. Aliases of methods and paths are lines
//! of their own: each is documented somewhere, and some client uses it (dossier §11).

use http::Method;
use patron_gateway::{Access, Operation, operation::Parameter};
use patron_model::Permission;

use crate::{
    answers::{
        BankAnswer, BankList, ChannelAnswer, ChannelList, CountryAnswer, CountryList,
        CurrencyAnswer, CurrencyList, CustomerAnswer, CustomerList, DeletedAnswer, MethodList,
        PaymentList,
    },
    customer_body::CustomerBody,
    customers, payment_methods, resources,
};

const READ: Access = Access::Needs(Permission::CustomerRead);
const WRITE: Access = Access::Needs(Permission::CustomerWrite);
const READ_METHODS: Access = Access::Needs(Permission::PaymentMethodRead);
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
    let groups = [records(), blocking(), hanging(), reference(), guides()];
    groups.into_iter().flatten().collect()
}

fn get(path: &'static str, id: &'static str, title: &'static str) -> Line {
    Line { method: Method::GET, access: READ, path, id, title }
}

fn write(method: Method, path: &'static str, id: &'static str, title: &'static str) -> Line {
    Line { method, access: WRITE, path, id, title }
}

/// Catalogues tell nothing about anybody: any key reads them.
fn catalogue(path: &'static str, id: &'static str, title: &'static str) -> Line {
    Line { method: Method::GET, access: Access::AnyKey, path, id, title }
}

/// An operation without its handler.
struct Line {
    method: Method,
    access: Access,
    path: &'static str,
    id: &'static str,
    title: &'static str,
}

macro_rules! serve {
    ($line:expr, $handler:path) => {{
        let Line { method, access, path, id, title } = $line;
        Operation::new(method, access, path, id, title, $handler)
    }};
}

fn records() -> Vec<Operation> {
    const ALL: &str = "/customers";
    const ONE: &str = "/customers/{id}";
    let update = |method, id| {
        serve!(write(method, ONE, id, "Update a customer"), customers::update)
            .body::<CustomerBody>()
            .media(MEDIA)
            .replies::<CustomerAnswer>(202)
    };
    let operations = vec![
        serve!(get(ALL, "customers_list", "List all customers"), customers::list)
            .takes(&PAGES)
            .takes(&CUSTOMER_FILTERS)
            .replies::<CustomerList>(200),
        serve!(
            write(Method::POST, ALL, "customers_create", "Create a customer"),
            customers::create
        )
        .body::<CustomerBody>()
        .media(MEDIA)
        .replies::<CustomerAnswer>(201),
        serve!(get(ONE, "customers_retrieve", "Retrieve a customer"), customers::retrieve)
            .replies::<CustomerAnswer>(202),
        update(Method::POST, "customers_update"),
        update(Method::PUT, "customers_update_put"),
        update(Method::PATCH, "customers_update_patch"),
        serve!(
            write(Method::DELETE, ONE, "customers_delete", "Delete a customer"),
            customers::delete
        )
        .replies::<DeletedAnswer>(202),
    ];
    operations.into_iter().map(|operation| operation.tag("Customers")).collect()
}

fn blocking() -> Vec<Operation> {
    let block = |method, id| {
        let line = write(method, "/customers/{id}/block", id, "Block a customer");
        serve!(line, customers::block)
    };
    let unblock = |method, id| {
        let line = write(method, "/customers/{id}/unblock", id, "Unblock a customer");
        serve!(line, customers::unblock)
    };
    let operations = [
        block(Method::POST, "customers_block"),
        block(Method::PATCH, "customers_block_patch"),
        block(Method::PUT, "customers_block_put"),
        unblock(Method::POST, "customers_unblock"),
        unblock(Method::PATCH, "customers_unblock_patch"),
        unblock(Method::PUT, "customers_unblock_put"),
    ];
    let described = |line: Operation| line.tag("Customers").replies::<CustomerAnswer>(202);
    operations.into_iter().map(described).collect()
}

fn hanging() -> Vec<Operation> {
    const TITLE: &str = "List customer's payment methods";
    let methods = |path, id| {
        let line = Line { method: Method::GET, access: READ_METHODS, path, id, title: TITLE };
        serve!(line, payment_methods::list).replies::<MethodList>(200)
    };
    let operations = vec![
        methods("/customers/{id}/payment_methods", "payment_methods_list"),
        methods("/customers/{id}/payment-methods", "payment_methods_list_alias"),
        serve!(
            get("/customers/{id}/payments", "customer_payments_list", "List customer's payments"),
            customers::payments
        )
        .takes(&PAGES)
        .takes(&[Parameter::query("status", "string", "Status of the payments.")])
        .replies::<PaymentList>(200),
    ];
    operations.into_iter().map(|operation| operation.tag("Customers")).collect()
}

fn reference() -> Vec<Operation> {
    let operations = vec![
        serve!(
            catalogue("/channels", "channels_list", "List all payment channels"),
            resources::channels
        )
        .takes(&CHANNEL_FILTERS)
        .replies::<ChannelList>(200),
        serve!(
            catalogue("/countries", "countries_list", "List all countries"),
            resources::countries
        )
        .replies::<CountryList>(200),
        serve!(
            catalogue("/currencies", "currencies_list", "List all currencies"),
            resources::currencies
        )
        .replies::<CurrencyList>(200),
    ];
    operations.into_iter().map(|operation| operation.tag("Reference data")).collect()
}

fn guides() -> Vec<Operation> {
    let line = |path, id, title| catalogue(path, id, title);
    let operations = vec![
        serve!(
            line("/resources/channels", "resources_channels_list", "List payment channels"),
            resources::guide_channels
        )
        .takes(&CHANNEL_FILTERS)
        .replies::<ChannelList>(200),
        serve!(
            line("/resources/channels/{id}", "resources_channel_retrieve", "Retrieve a channel"),
            resources::channel
        )
        .replies::<ChannelAnswer>(200),
        serve!(
            line("/resources/countries", "resources_countries_list", "List countries"),
            resources::countries
        )
        .replies::<CountryList>(200),
        serve!(
            line("/resources/countries/{code}", "resources_country_retrieve", "Retrieve a country"),
            resources::country
        )
        .replies::<CountryAnswer>(200),
        serve!(
            line("/resources/currencies", "resources_currencies_list", "List currencies"),
            resources::currencies
        )
        .replies::<CurrencyList>(200),
        serve!(
            line(
                "/resources/currencies/{code}",
                "resources_currency_retrieve",
                "Retrieve a currency"
            ),
            resources::currency
        )
        .replies::<CurrencyAnswer>(200),
        serve!(line("/resources/banks", "resources_banks_list", "List banks"), resources::banks)
            .replies::<BankList>(200),
        serve!(
            line("/resources/banks/{code}", "resources_bank_retrieve", "Retrieve a bank"),
            resources::bank
        )
        .replies::<BankAnswer>(200),
    ];
    operations.into_iter().map(|operation| operation.tag("Reference data")).collect()
}
