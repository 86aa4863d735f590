//! The text fields of a customer by their wire names: how each is compared with a text, sorted by,
//! and read from a body or a record. Filters and identifiers both ask through here.

use patron_app::search::{Field, Filter, customer};
use patron_gateway::Member;
use patron_model::{customer::Customer, metadata};
use regex::Regex;
use serde_json::Value;

use crate::{
    NAME,
    customers::{
        read::{CustomerBody, UNCLAIMED_NUMBER},
        show,
    },
};

/// Most blanks of a text looked for in `name` at which first and last name may meet.
const NAME_JOINTS_MAX: usize = 8;

/// A text field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextField {
    /// `customerNumber`.
    Number,
    /// `firstname`.
    First,
    /// `lastname`.
    Last,
    /// `company`.
    Company,
    /// `phone`.
    Phone,
    /// `email`.
    Email,
    /// `customerUsername`.
    UserName,
    /// A line of the address, in core words.
    Billing(&'static str),
    /// A line of the shipping address, in core words.
    Shipping(&'static str),
    /// A custom field.
    Custom(String),
}

impl TextField {
    /// The field of a name, in any case, as the customer body or a transaction's customer block
    /// calls it (dossier §4.5). Every other name is a custom field's.
    pub fn named(name: &str) -> TextField {
        match name.to_ascii_lowercase().as_str() {
            "customernumber" => TextField::Number,
            "firstname" => TextField::First,
            "lastname" => TextField::Last,
            "company" => TextField::Company,
            "phone" | "billingphone" => TextField::Phone,
            "email" | "billingemail" => TextField::Email,
            "customerusername" | "username" => TextField::UserName,
            "address" | "billingaddress1" => TextField::Billing("line1"),
            "address1" | "billingaddress2" => TextField::Billing("line2"),
            "city" | "billingcity" => TextField::Billing("city"),
            "state" | "billingstate" => TextField::Billing("state"),
            "zip" | "billingzip" => TextField::Billing("postal_code"),
            "country" | "billingcountry" => TextField::Billing("country"),
            "shippingaddress" => TextField::Shipping("line1"),
            "shippingaddress1" => TextField::Shipping("line2"),
            "shippingcity" => TextField::Shipping("city"),
            "shippingstate" => TextField::Shipping("state"),
            "shippingzip" => TextField::Shipping("postal_code"),
            "shippingcountry" => TextField::Shipping("country"),
            _ => TextField::Custom(name.to_owned()),
        }
    }

    /// Where it stands in the record; names and phones stand in several places.
    pub fn field(&self) -> Field {
        match self {
            TextField::Number => customer::reference().or(customer::extra(NAME, UNCLAIMED_NUMBER)),
            TextField::First => customer::given_name(),
            TextField::Last => customer::family_name(),
            TextField::Company => customer::text("company_name"),
            TextField::Phone => customer::phone_e164().or(customer::phone()),
            TextField::Email => customer::text("email"),
            TextField::UserName => customer::portal_user_name(),
            TextField::Billing(name) => customer::billing(name),
            TextField::Shipping(name) => customer::shipping(name),
            TextField::Custom(key) => customer::metadata(key),
        }
    }

    /// Equals a text, in any case.
    pub fn equals(&self, text: &str) -> Filter {
        let folded = |field| Filter::EqualFolded(field, text.to_owned());
        let escaped = regex::escape(text);
        match self {
            TextField::Email => Filter::equal(customer::email_key(), text.to_lowercase()),
            TextField::First => {
                let of_full = format!(r"(?is)^\s*(?:{escaped}\s+\S+|{escaped})\s*$");
                either_name(folded(self.field()), pattern(&of_full))
            }
            TextField::Last => {
                let of_full = format!(r"(?is)\s{escaped}\s*$");
                either_name(folded(self.field()), pattern(&of_full))
            }
            TextField::Phone => {
                let mut any = vec![folded(self.field()), folded(customer::phone())];
                if let Some(digits) = phone_digits(text) {
                    let rest = digits.strip_prefix('1');
                    any.extend(rest.map(|rest| Filter::equal(customer::phone_key(), rest)));
                    any.push(customer::has_phone(text, None));
                }
                Filter::Or(any)
            }
            TextField::Number
            | TextField::Company
            | TextField::UserName
            | TextField::Billing(_)
            | TextField::Shipping(_)
            | TextField::Custom(_) => folded(self.field()),
        }
    }

    /// Contains a text, in any case.
    pub fn contains(&self, text: &str) -> Filter {
        let own = Filter::Contains(self.field(), text.to_owned());
        let escaped = regex::escape(text);
        match self {
            TextField::First => {
                let of_full = format!(r"(?is)^(?:.*{escaped}.*\s+\S+|\s*\S*{escaped}\S*)\s*$");
                either_name(own, pattern(&of_full))
            }
            TextField::Last => either_name(own, pattern(&format!(r"(?is)\s\S*{escaped}\S*\s*$"))),
            TextField::Phone => {
                let mut any = vec![own, Filter::Contains(customer::phone(), text.to_owned())];
                if let Some(digits) = phone_digits(text) {
                    any.push(Filter::Contains(customer::phone_key(), digits));
                    any.push(customer::has_phone(text, None));
                }
                Filter::Or(any)
            }
            TextField::Number
            | TextField::Company
            | TextField::Email
            | TextField::UserName
            | TextField::Billing(_)
            | TextField::Shipping(_)
            | TextField::Custom(_) => own,
        }
    }

    /// What a body says of it.
    pub fn sent(&self, body: &CustomerBody) -> Member<String> {
        let member = match self {
            TextField::Number => &body.customer_number,
            TextField::First => &body.firstname,
            TextField::Last => &body.lastname,
            TextField::Company => &body.company,
            TextField::Phone => &body.phone,
            TextField::Email => &body.email,
            TextField::UserName => &body.customer_username,
            TextField::Billing("line1") => &body.address,
            TextField::Billing("line2") => &body.address1,
            TextField::Billing("city") => &body.city,
            TextField::Billing("state") => &body.state,
            TextField::Billing("postal_code") => &body.zip,
            TextField::Billing(_) => &body.country,
            TextField::Shipping("line1") => &body.shipping_address,
            TextField::Shipping("line2") => &body.shipping_address1,
            TextField::Shipping("city") => &body.shipping_city,
            TextField::Shipping("state") => &body.shipping_state,
            TextField::Shipping("postal_code") => &body.shipping_zip,
            TextField::Shipping(_) => &body.shipping_country,
            TextField::Custom(key) => return sent_custom(body, key),
        };
        member.clone()
    }

    /// What a customer has for it.
    pub fn shown(&self, customer: &Customer) -> Option<String> {
        let names = customer.names();
        match self {
            TextField::Number => show::shown_number(customer).map(str::to_owned),
            TextField::First => names.given.map(Into::into),
            TextField::Last => names.family.map(Into::into),
            TextField::Company => customer.company_name.as_ref().map(|n| n.as_str().to_owned()),
            TextField::Phone => show::shown_phone(customer),
            TextField::Email => customer.email.as_ref().map(|e| e.as_str().to_owned()),
            TextField::UserName => {
                let portal = customer.portal.as_ref()?;
                portal.user_name.as_ref().map(|name| name.as_str().to_owned())
            }
            TextField::Billing(name) => line(customer.billing()?, name),
            TextField::Shipping(name) => line(customer.shipping()?, name),
            TextField::Custom(key) => customer.metadata.pairs().get(key).map(metadata::text_of),
        }
    }
}

fn sent_custom(body: &CustomerBody, key: &str) -> Member<String> {
    match &body.additional_fields {
        Member::Absent => Member::Absent,
        Member::Null => Member::Null,
        Member::Value(pairs) => match pairs.get(key) {
            None => Member::Absent,
            Some(Value::Null) => Member::Null,
            Some(value) => Member::Value(metadata::text_of(value)),
        },
    }
}

fn line(address: &patron_model::address::Address, name: &str) -> Option<String> {
    let postal = &address.postal;
    let line = match name {
        "line1" => &postal.line1,
        "line2" => &postal.line2,
        "city" => &postal.city,
        "state" => &postal.state,
        "postal_code" => &postal.postal_code,
        _ => return postal.country.as_ref().map(|country| country.as_str().to_owned()),
    };
    line.as_ref().map(|line| line.as_str().to_owned())
}

/// `name`: first name, a blank, last name contain a text.
pub fn name_contains(text: &str) -> Filter {
    let contains = |field| Filter::Contains(field, text.to_owned());
    let mut any = vec![
        contains(customer::given_name()),
        contains(customer::family_name()),
        only_full(contains(customer::full_name())),
    ];
    for (at, _) in text.match_indices(' ').take(NAME_JOINTS_MAX) {
        let (head, tail) = (&text[..at], &text[at + 1..]);
        let ends = pattern(&format!("(?is){}$", regex::escape(head)));
        let begins = Filter::StartsWith(customer::family_name(), tail.to_owned());
        if let Some(ends) = ends {
            any.push(Filter::And(vec![Filter::Matches(customer::given_name(), ends), begins]));
        }
    }
    Filter::Or(any)
}

/// A condition on the stored part of a name, or on the part that is shown of a full name.
fn either_name(stored: Filter, of_full: Option<Regex>) -> Filter {
    match of_full {
        None => stored,
        Some(of_full) => {
            let derived = Filter::Matches(customer::full_name(), of_full);
            Filter::Or(vec![stored, only_full(derived)])
        }
    }
}

/// Of customers that have no first and no last name of their own.
fn only_full(condition: Filter) -> Filter {
    Filter::And(vec![
        Filter::Missing(customer::given_name()),
        Filter::Missing(customer::family_name()),
        condition,
    ])
}

/// A pattern that was built from escaped text; none when the text is too long for one.
fn pattern(text: &str) -> Option<Regex> {
    Regex::new(text).ok()
}

/// The digits of a text that is typed like a phone number.
fn phone_digits(text: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_digit() || matches!(c, ' ' | '(' | ')' | '-' | '.' | '+');
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    (text.chars().all(plain) && !digits.is_empty()).then_some(digits)
}
