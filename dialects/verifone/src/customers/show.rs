//! From the record to the wire (dossier §5.5). What Verifone's schema cannot hold is cut (plain
//! texts) or left out (texts with a pattern), never an error; the README lists every such rule.

use patron_model::{
    address::{Address, Postal},
    customer::Customer,
    phone::Phone,
    space::Space,
};

use crate::{
    NAME,
    customers::wire::{AddressBody, CustomerBody, CustomerShown, TaxBody, unless_empty},
    limits::{self, Lengths},
    spaces,
};

/// Extra that keeps a language which is no BCP 47 tag.
pub const LANGUAGE: &str = "language";
/// Extra that keeps a billing country which is no ISO code.
pub const BILLING_COUNTRY: &str = "billing_country_code";
/// Extra that keeps a shipping country which is no ISO code.
pub const SHIPPING_COUNTRY: &str = "shipping_country_code";

/// A customer as it is answered.
pub fn customer(customer: &Customer, space: &Space) -> CustomerShown {
    let addresses = customer.billing().into_iter().chain(customer.shipping());
    // An address can be changed without the customer: the younger time is the customer's, too.
    let updated_at = addresses.map(|a| a.updated_at).fold(customer.updated_at, Ord::max);
    CustomerShown {
        id: customer.uuid,
        body: body(customer, space),
        created_at: customer.created_at.rfc3339_millis(),
        updated_at: updated_at.rfc3339_millis(),
    }
}

/// The fields of a customer as they are answered, and compared with what comes back.
pub fn body(customer: &Customer, space: &Space) -> CustomerBody {
    let lengths = limits::lengths(space);
    let text = |text: Option<&str>, max| text.map(|text| limits::cut(text, max));
    let tax_number = customer.tax_number.as_ref().map(|t| t.as_str());
    let identifier = tax_number.filter(|t| limits::tax(t).is_ok()).map(str::to_owned);
    let email = customer.email.as_ref().map(|e| e.as_str());
    CustomerBody {
        entity_id: Some(spaces::shown(space)),
        billing: unless_empty(billing(customer, lengths)),
        shipping: unless_empty(shipping(customer, lengths)),
        company_name: text(customer.company_name.as_ref().map(|n| n.as_str()), limits::COMPANY_MAX),
        company_registration_number: text(
            customer.company_registration_number.as_ref().map(|n| n.as_str()),
            limits::REGISTRATION_MAX,
        ),
        email_address: email
            .filter(|e| limits::within(e, limits::EMAIL_MAX).is_ok())
            .map(str::to_owned),
        phone_number: phone(customer.phone.as_ref()),
        work_phone: phone(customer.work_phone.as_ref()),
        title: customer
            .title
            .as_ref()
            .map(|t| t.as_str())
            .filter(|t| limits::title(t).is_ok())
            .map(str::to_owned),
        tax: unless_empty(TaxBody { identifier }),
        language: language(customer),
    }
}

fn shipping(customer: &Customer, lengths: &Lengths) -> AddressBody {
    postal(customer, customer.shipping(), SHIPPING_COUNTRY, lengths)
}

/// The billing address; names fall back to the customer's own.
fn billing(customer: &Customer, lengths: &Lengths) -> AddressBody {
    let address = postal(customer, customer.billing(), BILLING_COUNTRY, lengths);
    let (first_name, last_name) = own_names(customer, lengths);
    AddressBody {
        first_name: address.first_name.or(first_name),
        last_name: address.last_name.or(last_name),
        ..address
    }
}

/// First and last name of the customer itself, as they are shown.
pub fn own_names(customer: &Customer, lengths: &Lengths) -> (Option<String>, Option<String>) {
    let names = customer.names();
    let cut = |name: &str| limits::cut(name, lengths.person);
    (names.given.as_deref().map(cut), names.family.as_deref().map(cut))
}

fn postal(
    customer: &Customer,
    address: Option<&Address>,
    country_extra: &str,
    lengths: &Lengths,
) -> AddressBody {
    let none = Postal::default();
    let postal = address.map_or(&none, |address| &address.postal);
    let text = |text: Option<&str>, max| text.map(|text| limits::cut(text, max));
    let country = postal.country.as_ref().map(|country| country.as_str());
    AddressBody {
        address_1: text(postal.line1.as_ref().map(|l| l.as_str()), lengths.street),
        address_2: text(postal.line2.as_ref().map(|l| l.as_str()), lengths.street),
        address_3: text(postal.line3.as_ref().map(|l| l.as_str()), lengths.street),
        city: text(postal.city.as_ref().map(|l| l.as_str()), lengths.city),
        country_code: country
            .or_else(|| customer.extra(NAME, country_extra)?.as_str())
            .map(str::to_owned),
        first_name: text(postal.given_name.as_ref().map(|n| n.as_str()), lengths.person),
        middle_name: text(postal.middle_name.as_ref().map(|n| n.as_str()), lengths.person),
        last_name: text(postal.family_name.as_ref().map(|n| n.as_str()), lengths.person),
        phone: phone(postal.phone.as_ref()),
        postal_code: text(postal.postal_code.as_ref().map(|l| l.as_str()), lengths.postal_code),
        state: text(postal.state.as_ref().map(|l| l.as_str()), lengths.state),
    }
}

/// As typed where Verifone's pattern allows it, else in international form.
fn phone(phone: Option<&Phone>) -> Option<String> {
    let phone = phone?;
    let typed = Some(phone.raw()).filter(|raw| limits::phone(raw).is_ok());
    typed.or(phone.e164()).map(str::to_owned)
}

fn language(customer: &Customer) -> Option<String> {
    let fits = |text: &&str| limits::language(text).is_ok();
    match &customer.language {
        Some(language) => Some(language.as_str()).filter(fits).map(str::to_owned),
        None => customer.extra(NAME, LANGUAGE)?.as_str().map(str::to_owned),
    }
}
