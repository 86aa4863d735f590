//! Addresses as this API knows them: three flat ones on the customer (dossier §8).
//!
//! `address` is the address without particular purpose, or the billing address where there is none.
//! `billing` and `shipping` are shown only where an address of that purpose exists, so they are
//! edited alone: an address that merely stands in for them neither counts nor goes.

use patron_gateway::Member;
use patron_model::{
    Patch, Problems, Why,
    address::{Address, AddressEdit, Postal, PostalPatch, Purpose},
    country::Country,
    customer::Customer,
    text::Line,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::input::{Written, text_of};

/// An address as it comes in.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(rename = "AddressInput")]
pub struct AddressBody {
    /// ISO 3166-1 code of two letters.
    #[schemars(with = "Written")]
    country: Member<Value>,
    /// State, province or region.
    #[schemars(with = "Written")]
    state: Member<Value>,
    /// Town.
    #[schemars(with = "Written")]
    city: Member<Value>,
    /// Postal code.
    #[schemars(with = "Written")]
    postal_code: Member<Value>,
    /// First line of the street address.
    #[schemars(with = "Written")]
    address_line1: Member<Value>,
    /// Second line.
    #[schemars(with = "Written")]
    address_line2: Member<Value>,
    /// Other name of `address_line1`.
    #[schemars(with = "Written")]
    line1: Member<Value>,
    /// Other name of `address_line2`.
    #[schemars(with = "Written")]
    line2: Member<Value>,
}

/// An address as it goes out.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Address")]
pub struct AddressView {
    country: Option<String>,
    state: Option<String>,
    city: Option<String>,
    postal_code: Option<String>,
    address_line1: Option<String>,
    address_line2: Option<String>,
}

/// What shall become of one of the three addresses.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum AddressChange {
    /// Not mentioned.
    #[default]
    Keep,
    /// `null`.
    Clear,
    /// Changed member by member: absent ones stay.
    Change(Box<PostalPatch>),
}

impl AddressChange {
    /// Reads one of the three, noting problems under its dotted name.
    pub fn read(field: &str, member: &Member<Value>, problems: &mut Problems) -> AddressChange {
        let value = match member {
            Member::Absent => return AddressChange::Keep,
            Member::Null => return AddressChange::Clear,
            Member::Value(value) => value,
        };
        let members = match value {
            Value::Object(_) => value.clone(),
            // How PHP writes an object without members.
            Value::Array(items) if items.is_empty() => return AddressChange::Keep,
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Array(_)
            | Value::String(_) => {
                problems.add(field, Why::WrongType { expected: "an object" });
                return AddressChange::Keep;
            }
        };
        match serde_json::from_value::<AddressBody>(members) {
            Ok(body) => AddressChange::Change(Box::new(body.postal(field, problems))),
            Err(_) => {
                problems.add(field, Why::WrongType { expected: "an object" });
                AddressChange::Keep
            }
        }
    }

    /// The edit of the general address.
    pub fn general(&self, before: Option<&Customer>) -> AddressEdit {
        let seen = before.and_then(Customer::general_address);
        match self.changed(seen) {
            None => AddressEdit::Keep,
            Some(postal) if postal.is_empty() => AddressEdit::Own(Box::new(postal)),
            Some(postal) => AddressEdit::Replace(Box::new(postal)),
        }
    }

    /// The edit of the billing address.
    pub fn billing(&self, before: Option<&Customer>) -> AddressEdit {
        self.changed(before.and_then(billing))
            .map_or(AddressEdit::Keep, |postal| AddressEdit::Own(Box::new(postal)))
    }

    /// The edit of the shipping address.
    pub fn shipping(&self, before: Option<&Customer>) -> AddressEdit {
        let seen = before.and_then(|customer| customer.shipping());
        self.changed(seen).map_or(AddressEdit::Keep, |postal| AddressEdit::Own(Box::new(postal)))
    }

    fn changed(&self, seen: Option<&Address>) -> Option<Postal> {
        match self {
            AddressChange::Keep => None,
            AddressChange::Clear => Some(Postal::default()),
            AddressChange::Change(patch) => {
                let before = seen.map(|address| address.postal.clone()).unwrap_or_default();
                Some(before.changed((**patch).clone()))
            }
        }
    }
}

/// The address bills go to, when one was given for that.
pub fn billing(customer: &Customer) -> Option<&Address> {
    let serves = |address: &&Address| matches!(address.purpose, Purpose::Billing | Purpose::Both);
    let first = || customer.addresses().into_iter().find(serves);
    customer.billing().filter(serves).or_else(first)
}

impl AddressBody {
    fn postal(self, field: &str, problems: &mut Problems) -> PostalPatch {
        let AddressBody {
            country,
            state,
            city,
            postal_code,
            address_line1,
            address_line2,
            line1,
            line2,
        } = self;
        // Both are checked, also where the other name says nothing new.
        let or = |first, second| if matches!(first, Patch::Keep) { second } else { first };
        let mut line = |name: &str, member| patch(field, name, &member, problems, Line::parse);
        PostalPatch {
            state: line("state", state),
            city: line("city", city),
            postal_code: line("postal_code", postal_code),
            line1: or(line("address_line1", address_line1), line("line1", line1)),
            line2: or(line("address_line2", address_line2), line("line2", line2)),
            country: patch(field, "country", &country, problems, Country::parse),
            ..PostalPatch::default()
        }
    }
}

/// One member; an empty text clears like `null`.
fn patch<T>(
    field: &str,
    name: &str,
    member: &Member<Value>,
    problems: &mut Problems,
    parse: impl Fn(&str) -> Result<T, Why>,
) -> Patch<T> {
    let value = match member {
        Member::Absent => return Patch::Keep,
        Member::Null => return Patch::Clear,
        Member::Value(value) => value,
    };
    match text_of(value) {
        Ok(text) if text.is_empty() => Patch::Clear,
        Ok(text) => {
            let parsed = problems.check(&format!("{field}.{name}"), parse(&text));
            Patch::keep_or(parsed)
        }
        Err(why) => {
            problems.add(format!("{field}.{name}"), why);
            Patch::Keep
        }
    }
}

impl AddressView {
    /// An address as this API shows it; one of which it knows nothing is not shown.
    pub fn of(address: Option<&Address>) -> Option<AddressView> {
        let postal = &address?.postal;
        let text = |line: &Option<Line>| line.as_ref().map(|line| line.as_str().to_owned());
        let view = AddressView {
            country: postal.country.as_ref().map(Country::code),
            state: text(&postal.state),
            city: text(&postal.city),
            postal_code: text(&postal.postal_code),
            address_line1: text(&postal.line1),
            address_line2: text(&postal.line2),
        };
        let parts = [
            &view.country,
            &view.state,
            &view.city,
            &view.postal_code,
            &view.address_line1,
            &view.address_line2,
        ];
        parts.iter().any(|part| part.is_some()).then_some(view)
    }
}
