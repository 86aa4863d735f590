//! Every operation of the dialect (dossier §2.1 and §4.1).

use patron_gateway::{
    Operation,
    operation::{IdempotencyRule, Parameter, delete, get, group, post, put},
};
use patron_model::{
    Permission::{
        CustomerExport, CustomerImport, CustomerRead, CustomerWrite, WebhookRead, WebhookRedeliver,
        WebhookWrite,
    },
    customer::Deed,
};

use crate::{
    customers::{
        self, consent, exports, imports,
        read::CustomerBody,
        show::Record,
        statistics::{self, Interval},
    },
    envelopes::{Added, Imported, Listed, Numbered, Simple},
    lists,
    settings::{self, SettingsRecord},
    tokens,
    webhook_endpoints::{
        self as notifications, NotificationBody, NotificationRecord,
        logs::{self, LogDetail, LogRecord, LogSearch, Retried},
    },
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

const PAGING: &[Parameter] = &[
    Parameter::query("PageSize", "integer", "Rows of a page, 20 unless it is said, at most 100."),
    Parameter::query("Page", "integer", "Which page, from 1; at most 1000."),
];

/// Repeats of an addition.
const REPEATS: IdempotencyRule =
    IdempotencyRule { header: "idempotencykey", remembered_seconds: REMEMBERED_SECONDS };

/// All operations.
pub fn all() -> Vec<Operation> {
    [
        of_one_customer(),
        of_many_customers(),
        of_the_account(),
        of_notifications(),
        of_notification_logs(),
    ]
    .concat()
}

#[rustfmt::skip]
fn of_one_customer() -> Vec<Operation> {
    const ONE: &str = "/api/Customer/{customerId}";
    const ADD: &str = "/api/Customer/single/{entry}";
    const CONSENT: &str = "/api/Customer/{customerId}/consent";
    const LINK: &str = "/api/Customer/link/{customerId}/{transId}";
    group("Customer", [
        post(ADD, customers::add).named("add_customer", "Add customer")
            .needs(CustomerWrite).takes(ADDING).idempotent(REPEATS).body::<CustomerBody>()
            .replies::<Added>(200),
        get(ONE, customers::get).named("get_customer", "Get customer record")
            .needs(CustomerRead).replies::<Record>(200),
        put(ONE, customers::update).named("update_customer", "Update customer record")
            .needs(CustomerWrite).body::<CustomerBody>().replies::<Simple>(200),
        delete(ONE, customers::delete).named("delete_customer", "Delete customer record")
            .needs(CustomerWrite).replies::<Simple>(200),
        post(CONSENT, consent::request).named("request_consent", "Request consent opt-in")
            .needs(CustomerWrite).replies::<Simple>(200),
        // A GET that writes, as the API has it.
        get(LINK, consent::link).named("link_customer", "Link customer to transaction")
            .needs(CustomerWrite).replies::<Simple>(200),
    ])
}

#[rustfmt::skip]
fn of_many_customers() -> Vec<Operation> {
    const LIST: &str = "/api/Query/customers/{entry}";
    const LIST_ORG: &str = "/api/Query/customers/org/{orgId}";
    const EXPORT: &str = "/api/Export/customers/{format}/{entry}";
    const EXPORT_ORG: &str = "/api/Export/customers/{format}/org/{orgId}";
    const IMPORT: &str = "/api/Import/customersForm/{entry}";
    group("Lists", [
        get(LIST, lists::of_entry).named("list_customers", "List customers of a paypoint")
            .needs(CustomerRead).takes(LISTING).replies::<Listed>(200),
        get(LIST_ORG, lists::of_organization)
            .named("list_customers_org", "List customers of an org")
            .needs(CustomerRead).takes(LISTING).replies::<Listed>(200),
        get(EXPORT, exports::of_entry).named("export_customers", "Export customers of a paypoint")
            .needs(CustomerExport).takes(EXPORTING).replies::<String>(200),
        get(EXPORT_ORG, exports::of_organization)
            .named("export_customers_org", "Export customers of an org")
            .needs(CustomerExport).takes(EXPORTING).replies::<String>(200),
        post(IMPORT, imports::customers).named("import_customers", "Import customers")
            .needs(CustomerImport).refusable(Deed::ChangeAmongMany).takes(IMPORTING)
            .body::<imports::Form>()
            .media(&["multipart/form-data"]).replies::<Imported>(200),
    ])
}

#[rustfmt::skip]
fn of_the_account() -> Vec<Operation> {
    const STATISTICS: &str = "/api/Statistic/customerbasic/{mode}/{freq}/{customerId}";
    const PAYPOINT: &str = "/api/Paypoint/settings/{entry}";
    const ORGANIZATION: &str = "/api/Organization/settings/{orgId}";
    const TOKEN: &str = "/api/v2/Token/serverside";
    group("Account", [
        get(STATISTICS, statistics::of_customer)
            .named("customer_statistics", "Statistics of a customer")
            .needs(CustomerRead).replies::<Vec<Interval>>(200),
        get(PAYPOINT, settings::of_paypoint).named("paypoint_settings", "Settings of a paypoint")
            .any_key().replies::<SettingsRecord>(200),
        get(ORGANIZATION, settings::of_organization).named("org_settings", "Settings of an org")
            .any_key().replies::<SettingsRecord>(200),
        post(TOKEN, tokens::create).named("get_token", "Get a token")
            .public().body::<tokens::Credentials>().replies::<tokens::Granted>(200)
            .replies::<tokens::BadRequest>(400),
    ])
}

#[rustfmt::skip]
fn of_notifications() -> Vec<Operation> {
    const ALL: &str = "/api/Notification";
    const ONE: &str = "/api/Notification/{nId}";
    const REPORT: &str = "/api/Export/notificationReport/{id}";
    group("Notifications", [
        post(ALL, notifications::add).named("add_notification", "Add notification")
            .needs(WebhookWrite).body::<NotificationBody>().replies::<Numbered>(200),
        get(ONE, notifications::get).named("get_notification", "Get notification")
            .needs(WebhookRead).replies::<NotificationRecord>(200),
        put(ONE, notifications::update).named("update_notification", "Update notification")
            .needs(WebhookWrite).body::<NotificationBody>().replies::<Numbered>(200),
        delete(ONE, notifications::delete).named("delete_notification", "Delete notification")
            .needs(WebhookWrite).replies::<Numbered>(200),
        get(REPORT, notifications::report)
            .named("get_report_file", "Export generated report by ID")
            .needs(WebhookRead).replies::<String>(200),
    ])
}

#[rustfmt::skip]
fn of_notification_logs() -> Vec<Operation> {
    const ALL: &str = "/api/v2/notificationlogs";
    const ONE: &str = "/api/v2/notificationlogs/{uuid}";
    const RETRY: &str = "/api/v2/notificationlogs/{uuid}/retry";
    const RETRY_MANY: &str = "/api/v2/notificationlogs/retry";
    group("Notification logs", [
        post(ALL, logs::search).named("search_notification_logs", "Search notification logs")
            .needs(WebhookRead).takes(PAGING).body::<LogSearch>().replies::<Vec<LogRecord>>(200),
        get(ONE, logs::get).named("get_notification_log", "Get notification log")
            .needs(WebhookRead).replies::<LogDetail>(200),
        // A GET that writes, as the API has it.
        get(RETRY, logs::retry).named("retry_notification_log", "Retry notification log")
            .needs(WebhookRedeliver).replies::<Retried>(200),
        post(RETRY_MANY, logs::retry_many)
            .named("bulk_retry_notification_logs", "Bulk retry notification logs")
            .needs(WebhookRedeliver).body::<Vec<String>>().replies::<String>(201),
    ])
}
