//! The customer as it is shown (dossier §4.4): every member, in order, in its own casing.

use std::collections::BTreeMap;

use patron_model::{
    Timestamp,
    address::Address,
    country::Country,
    customer::{Customer, STAND_IN, Status},
    payment_method::PaymentMethod,
};
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, value::RawValue};

use crate::{
    NAME,
    customers::{consent, read::UNCLAIMED_NUMBER},
    payment_methods::StoredMethod,
    spaces::Paypoint,
};

/// `customerStatus` of a deleted customer.
pub const DELETED: i64 = -99;
/// `customerStatus` of a customer that is not in use.
pub const INACTIVE: i64 = 0;
/// `customerStatus` of a customer in good standing.
pub const ACTIVE: i64 = 1;
/// `customerStatus` of a customer that is locked, or blocked by the business.
pub const LOCKED: i64 = 85;
/// Largest time zone shown either way.
const HOURS_MAX: i64 = 12;
/// Digits of a phone number of the North American plan.
const NANP_DIGITS: usize = 10;

/// A customer.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Record {
    #[serde(rename = "customerId")]
    customer_id: i64,
    #[serde(rename = "customerNumber")]
    customer_number: Option<String>,
    #[serde(rename = "customerUsername")]
    customer_username: Option<String>,
    #[serde(rename = "customerStatus")]
    customer_status: i64,
    company: Option<String>,
    firstname: Option<String>,
    lastname: Option<String>,
    phone: Option<String>,
    email: Option<String>,
    address: Option<String>,
    address1: Option<String>,
    city: Option<String>,
    state: Option<String>,
    zip: Option<String>,
    country: Option<String>,
    shipping_address: Option<String>,
    shipping_address1: Option<String>,
    shipping_city: Option<String>,
    shipping_state: Option<String>,
    shipping_zip: Option<String>,
    shipping_country: Option<String>,
    #[schemars(with = "f64")]
    balance: Box<RawValue>,
    time_zone: i64,
    #[serde(rename = "MFA")]
    mfa: bool,
    #[serde(rename = "MFAMode")]
    mfa_mode: i64,
    #[serde(rename = "snProvider")]
    sn_provider: Option<String>,
    #[serde(rename = "snIdentifier")]
    sn_identifier: Option<String>,
    #[serde(rename = "snData")]
    sn_content: Option<String>,
    last_updated: String,
    created: String,
    additional_fields: BTreeMap<String, String>,
    identifier_fields: Vec<String>,
    subscriptions: Option<Vec<Value>>,
    stored_methods: Option<Vec<StoredMethod>>,
    #[serde(rename = "customerSummary")]
    customer_summary: CustomerSummary,
    paypoint_legalname: String,
    paypoint_dbaname: String,
    parent_org_name: String,
    parent_org_id: i64,
    paypoint_entryname: String,
    #[serde(rename = "pageidentifier")]
    page_token: Option<String>,
    #[serde(rename = "externalPaypointID")]
    external_paypoint_id: Option<String>,
    #[serde(rename = "customerConsent")]
    customer_consent: Option<Value>,
    #[serde(rename = "customerPortal")]
    customer_portal: Option<String>,
}

/// Totals of a customer's transactions. Payments are not kept yet: they are zero.
#[derive(Default, Serialize, JsonSchema)]
struct CustomerSummary {
    #[serde(rename = "NumberofTransactions")]
    count: i64,
    #[serde(rename = "RecentTransactions")]
    recent: Option<Vec<Value>>,
    #[serde(rename = "TotalAmountTransactions")]
    total: i64,
    #[serde(rename = "TotalNetAmountTransactions")]
    net_total: i64,
}

impl Record {
    /// A customer of a paypoint, with its saved payment methods.
    pub fn of<'m>(
        customer: &Customer,
        paypoint: &Paypoint,
        methods: impl IntoIterator<Item = &'m PaymentMethod>,
        now: Timestamp,
    ) -> Record {
        let names = customer.names();
        let billing = Lines::of(customer.billing());
        let shipping = Lines::of(customer.shipping());
        let methods: Vec<StoredMethod> = methods.into_iter().filter_map(StoredMethod::of).collect();
        let user_name = customer.portal.as_ref().and_then(|portal| portal.user_name.as_ref());
        Record {
            customer_id: customer.number,
            customer_number: shown_number(customer).map(str::to_owned),
            customer_username: user_name.map(|name| name.as_str().to_owned()),
            customer_status: status_code(customer, now),
            company: customer.company_name.as_ref().map(|name| name.as_str().to_owned()),
            firstname: names.given.map(Into::into),
            lastname: names.family.map(Into::into),
            phone: shown_phone(customer),
            email: customer.email.as_ref().map(|email| email.as_str().to_owned()),
            address: billing.line1,
            address1: billing.line2,
            city: billing.city,
            state: billing.state,
            zip: billing.zip,
            country: billing.country,
            shipping_address: shipping.line1,
            shipping_address1: shipping.line2,
            shipping_city: shipping.city,
            shipping_state: shipping.state,
            shipping_zip: shipping.zip,
            shipping_country: shipping.country,
            balance: number(customer.balance),
            time_zone: shown_hours(customer, now),
            mfa: false,
            mfa_mode: 0,
            sn_provider: None,
            sn_identifier: None,
            sn_content: None,
            last_updated: moment(customer.updated_at),
            created: moment(customer.created_at),
            additional_fields: customer.metadata.texts(),
            identifier_fields: identifier_fields(customer),
            subscriptions: None,
            stored_methods: (!methods.is_empty()).then_some(methods),
            customer_summary: CustomerSummary::default(),
            paypoint_legalname: paypoint.legal_name.clone(),
            paypoint_dbaname: paypoint.dba_name.clone(),
            parent_org_name: paypoint.organization_name.clone(),
            parent_org_id: paypoint.organization_id,
            paypoint_entryname: paypoint.entry.clone(),
            page_token: None,
            external_paypoint_id: paypoint.external_id.clone(),
            customer_consent: customer.extra(NAME, consent::CONSENT).cloned(),
            customer_portal: None,
        }
    }
}

/// The lines of an address.
#[derive(Default)]
struct Lines {
    line1: Option<String>,
    line2: Option<String>,
    city: Option<String>,
    state: Option<String>,
    zip: Option<String>,
    country: Option<String>,
}

impl Lines {
    fn of(address: Option<&Address>) -> Lines {
        let Some(Address { postal, .. }) = address else { return Lines::default() };
        let text = |line: &Option<patron_model::text::Line>| {
            line.as_ref().map(|line| line.as_str().to_owned())
        };
        Lines {
            line1: text(&postal.line1),
            line2: text(&postal.line2),
            city: text(&postal.city),
            state: text(&postal.state),
            zip: text(&postal.postal_code),
            country: postal.country.as_ref().map(|country| country.as_str().to_owned()),
        }
    }
}

/// The customer number: the reference, or the number a forced record could not claim.
pub fn shown_number(customer: &Customer) -> Option<&str> {
    let claimed = customer.reference.as_ref().map(|reference| reference.as_str());
    claimed.or_else(|| customer.extra(NAME, UNCLAIMED_NUMBER)?.as_str())
}

/// The code of a customer's status.
pub fn status_code(customer: &Customer, now: Timestamp) -> i64 {
    if customer.is_deleted() {
        return DELETED;
    }
    match customer.status_at(now) {
        Status::Active if customer.extra(NAME, STAND_IN).is_some() => INACTIVE,
        Status::Active => ACTIVE,
        Status::Inactive => INACTIVE,
        Status::Locked | Status::Blocked => LOCKED,
    }
}

/// The time zone in hours; 0 when none is known. Zones beyond the API's range are shown at its end.
pub fn shown_hours(customer: &Customer, now: Timestamp) -> i64 {
    let hours = customer.time_zone.as_ref().map_or(0, |zone| zone.hours_at(now));
    hours.clamp(-HOURS_MAX, HOURS_MAX)
}

/// The phone number in E.164 where it can be understood, otherwise as typed (dossier §4.3).
pub fn shown_phone(customer: &Customer) -> Option<String> {
    let phone = customer.phone.as_ref()?;
    if let Some(e164) = phone.e164() {
        return Some(e164.to_owned());
    }
    let country = customer.billing().and_then(|address| address.postal.country.as_ref());
    Some(north_american(phone.raw(), country).unwrap_or(phone.raw().into()))
}

/// Numbers of the North American plan by their form alone: the reference normalises
/// `(555) 555-0100`, which no area has.
fn north_american(typed: &str, country: Option<&Country>) -> Option<String> {
    if !["US", "CA"].contains(&country?.code().as_str()) {
        return None;
    }
    let plain = |c: char| c.is_ascii_digit() || matches!(c, ' ' | '(' | ')' | '-' | '.');
    if !typed.chars().all(plain) {
        return None;
    }
    let digits: String = typed.chars().filter(char::is_ascii_digit).collect();
    match (digits.len(), digits.strip_prefix('1')) {
        (NANP_DIGITS, _) => Some(format!("+1{digits}")),
        (_, Some(rest)) if rest.len() == NANP_DIGITS => Some(format!("+1{rest}")),
        _ => None,
    }
}

/// The names of the fields that identify a customer.
pub fn identifier_fields(customer: &Customer) -> Vec<String> {
    customer.identifier_fields.iter().map(|name| name.as_str().to_owned()).collect()
}

/// A moment with seven fractional digits and an offset, as the API prints it.
pub fn moment(at: Timestamp) -> String {
    format!("{}0+00:00", at.rfc3339_micros().trim_end_matches('Z'))
}

/// A decimal as a JSON number, exactly; 0 when there is none.
fn number(decimal: Option<Decimal>) -> Box<RawValue> {
    let text = decimal.unwrap_or_default().normalize().to_string();
    RawValue::from_string(text).unwrap_or_else(|_| RawValue::NULL.to_owned())
}
