//! Every operation of the dialect (dossier §2.1 and §4.1).

use std::future::Future;

use http::Method;
use patron_gateway::{
    Access, Operation, Reply, Request,
    operation::{IdempotencyRule, Parameter},
};
use patron_model::{
    Failure,
    Permission::{self, CustomerExport, CustomerImport, CustomerRead, CustomerWrite},
};

use crate::{
    access_token,
    body::CustomerBody,
    consent, customers,
    envelopes::{Added, Imported, Listed, Simple},
    exports, imports, lists,
    record::Record,
    settings::{self, SettingsRecord},
    statistics::{self, Interval},
};

/// Seconds an idempotency key is remembered (dossier §3.4).
const REMEMBERED_SECONDS: i64 = 120;

const ADDING: &[Parameter] = &[
    Parameter::query("forceCustomerCreation", "boolean", "Always make a new record."),
    Parameter::query("replaceExisting", "integer", "1: overwrite the customer that matches."),
    Parameter::header("idempotencyKey", "Repeats within two minutes get the same answer."),
];

const LISTING: &[Parameter] = &[
    Parameter::query("fromRecord", "integer", "Rows to skip."),
    Parameter::query("limitRecord", "integer", "Rows to answer; 0 or negative for all."),
    Parameter::query("sortBy", "string", "asc(field) or desc(field)."),
    Parameter::query("exportFormat", "string", "csv or xlsx: answer a file."),
    Parameter::query("parameters", "string", "Filters as a JSON object; or field(op)=value."),
];

const EXPORTING: &[Parameter] = &[
    Parameter::query("columnsExport", "string", "Columns as source:Title, comma separated."),
    Parameter::query("fromRecord", "integer", "Rows to skip."),
    Parameter::query("limitRecord", "integer", "Rows to answer, at most 30000."),
];

const IMPORTING: &[Parameter] =
    &[Parameter::query("replaceExisting", "integer", "1: overwrite customers that match.")];

const NEEDS_READ: Access = Access::Needs(CustomerRead);

/// All operations.
pub fn all() -> Vec<Operation> {
    let mut all = one_customer();
    all.extend(many_customers());
    all.extend(around());
    all
}

fn read<F, Answered>(
    access: Access,
    path: &'static str,
    id: &'static str,
    title: &'static str,
    handler: F,
) -> Operation
where
    F: Fn(Request) -> Answered + Send + Sync + 'static,
    Answered: Future<Output = Result<Reply, Failure>> + Send + 'static,
{
    Operation::new(Method::GET, access, path, id, title, handler)
}

fn write<F, Answered>(
    permission: Permission,
    method: Method,
    path: &'static str,
    id: &'static str,
    title: &'static str,
    handler: F,
) -> Operation
where
    F: Fn(Request) -> Answered + Send + Sync + 'static,
    Answered: Future<Output = Result<Reply, Failure>> + Send + 'static,
{
    Operation::new(method, Access::Needs(permission), path, id, title, handler)
}

fn one_customer() -> Vec<Operation> {
    const ONE: &str = "/api/Customer/{customerId}";
    const ADD: &str = "/api/Customer/single/{entry}";
    const CONSENT: &str = "/api/Customer/{customerId}/consent";
    const LINK: &str = "/api/Customer/link/{customerId}/{transId}";
    let rule = IdempotencyRule { header: "idempotencykey", remembered_seconds: REMEMBERED_SECONDS };
    let all = vec![
        write(CustomerWrite, Method::POST, ADD, "add_customer", "Add customer", customers::add)
            .takes(ADDING)
            .idempotent(rule)
            .body::<CustomerBody>()
            .replies::<Added>(200),
        read(NEEDS_READ, ONE, "get_customer", "Get customer record", customers::get)
            .replies::<Record>(200),
        write(
            CustomerWrite,
            Method::PUT,
            ONE,
            "update_customer",
            "Update customer record",
            customers::update,
        )
        .body::<CustomerBody>()
        .replies::<Simple>(200),
        write(
            CustomerWrite,
            Method::DELETE,
            ONE,
            "delete_customer",
            "Delete customer record",
            customers::delete,
        )
        .replies::<Simple>(200),
        write(
            CustomerWrite,
            Method::POST,
            CONSENT,
            "request_consent",
            "Request consent opt-in",
            consent::request,
        )
        .replies::<Simple>(200),
        // A GET that writes, as the API has it.
        write(
            CustomerWrite,
            Method::GET,
            LINK,
            "link_customer",
            "Link customer to transaction",
            consent::link,
        )
        .replies::<Simple>(200),
    ];
    tagged(all, "Customer")
}

fn many_customers() -> Vec<Operation> {
    const LIST: &str = "/api/Query/customers/{entry}";
    const LIST_ORG: &str = "/api/Query/customers/org/{orgId}";
    const EXPORT: &str = "/api/Export/customers/{format}/{entry}";
    const EXPORT_ORG: &str = "/api/Export/customers/{format}/org/{orgId}";
    const IMPORT: &str = "/api/Import/customersForm/{entry}";
    let all = vec![
        read(NEEDS_READ, LIST, "list_customers", "List customers of a paypoint", lists::of_entry)
            .takes(LISTING)
            .replies::<Listed>(200),
        read(
            NEEDS_READ,
            LIST_ORG,
            "list_customers_org",
            "List customers of an org",
            lists::of_organization,
        )
        .takes(LISTING)
        .replies::<Listed>(200),
        read(
            Access::Needs(CustomerExport),
            EXPORT,
            "export_customers",
            "Export customers of a paypoint",
            exports::of_entry,
        )
        .takes(EXPORTING)
        .replies::<String>(200),
        read(
            Access::Needs(CustomerExport),
            EXPORT_ORG,
            "export_customers_org",
            "Export customers of an org",
            exports::of_organization,
        )
        .takes(EXPORTING)
        .replies::<String>(200),
        write(
            CustomerImport,
            Method::POST,
            IMPORT,
            "import_customers",
            "Import customers",
            imports::customers,
        )
        .takes(IMPORTING)
        .body::<imports::Form>()
        .media(&["multipart/form-data"])
        .replies::<Imported>(200),
    ];
    tagged(all, "Lists")
}

fn around() -> Vec<Operation> {
    const STATISTICS: &str = "/api/Statistic/customerbasic/{mode}/{freq}/{customerId}";
    const PAYPOINT: &str = "/api/Paypoint/settings/{entry}";
    const ORGANIZATION: &str = "/api/Organization/settings/{orgId}";
    const TOKEN: &str = "/api/v2/Token/serverside";
    let open = Access::Public;
    let all = vec![
        read(
            NEEDS_READ,
            STATISTICS,
            "customer_statistics",
            "Statistics of a customer",
            statistics::of_customer,
        )
        .replies::<Vec<Interval>>(200),
        read(
            Access::AnyKey,
            PAYPOINT,
            "paypoint_settings",
            "Settings of a paypoint",
            settings::of_paypoint,
        )
        .replies::<SettingsRecord>(200),
        read(
            Access::AnyKey,
            ORGANIZATION,
            "org_settings",
            "Settings of an org",
            settings::of_organization,
        )
        .replies::<SettingsRecord>(200),
        Operation::new(Method::POST, open, TOKEN, "get_token", "Get a token", access_token::create)
            .body::<access_token::Credentials>()
            .replies::<access_token::Granted>(200)
            .replies::<access_token::BadRequest>(400),
    ];
    tagged(all, "Account")
}

fn tagged(all: Vec<Operation>, tag: &'static str) -> Vec<Operation> {
    all.into_iter().map(|operation| operation.tag(tag)).collect()
}
