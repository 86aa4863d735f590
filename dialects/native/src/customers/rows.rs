//! Customers as rows of a file, for import and export: the members of the native API, with one
//! billing and one shipping address as `billing.city`, `shipping.city` and so on. Cells of a CSV
//! file are no formulas ([`spreadsheet`]); an import gives back what was exported.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use patron_app::import;
use patron_gateway::{Faults, Fields, Reading, cards, decode, spreadsheet};
use patron_model::{
    Failure, Timestamp, Why,
    address::PostalPatch,
    customer::{Customer, CustomerPatch},
};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::{
    addresses::AddressIn,
    customers::{
        read::{self, CustomerIn},
        show::{AddressOut, CustomerOut},
    },
};

/// Columns of a CSV export, in order. Metadata is one column of JSON.
pub const COLUMNS: &[&str] = &[
    "id",
    "number",
    "reference",
    "given_name",
    "family_name",
    "full_name",
    "title",
    "company_name",
    "company_registration_number",
    "tax_number",
    "email",
    "phone",
    "work_phone",
    "language",
    "currency",
    "time_zone",
    "description",
    "metadata",
    "status",
    "status_reason",
    "status_until",
    "balance",
    "portal_user_name",
    "identifier_fields",
    "version",
    "created_at",
    "updated_at",
    "billing.given_name",
    "billing.family_name",
    "billing.organization_name",
    "billing.line1",
    "billing.line2",
    "billing.line3",
    "billing.city",
    "billing.postal_code",
    "billing.state",
    "billing.country",
    "billing.phone",
    "shipping.given_name",
    "shipping.family_name",
    "shipping.organization_name",
    "shipping.line1",
    "shipping.line2",
    "shipping.line3",
    "shipping.city",
    "shipping.postal_code",
    "shipping.state",
    "shipping.country",
    "shipping.phone",
];

/// How rows of a file become customers.
pub const FORM: import::Form = import::Form {
    columns: || &KNOWN,
    from_cells: |cells| from_cells(cells.iter().copied()),
    from_line: decode::json,
    into_row,
};

/// Columns that an import knows: the members of a customer, and the fields of two addresses.
static KNOWN: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let mut known: BTreeSet<String> = members::<CustomerIn>().collect();
    known.remove("addresses");
    known.extend(read::SET_BY_SERVER.iter().chain(&SHOWN_ONLY).map(|name| (*name).to_owned()));
    for field in members::<AddressIn>().filter(|field| !["purpose", "default"].contains(&&**field))
    {
        known.extend(["billing", "shipping"].map(|slot| format!("{slot}.{field}")));
    }
    known
});

/// What an export adds for the reader; it is not part of a customer's input.
const SHOWN_ONLY: [&str; 2] = ["deleted_at", "merged_into"];

/// Names of the members that a body has.
fn members<T: JsonSchema>() -> impl Iterator<Item = String> {
    let schema = schemars::schema_for!(T).to_value();
    let members = schema["properties"].as_object().cloned().unwrap_or_default();
    members.into_iter().map(|(name, _)| name)
}

/// A row of a CSV file as a record: empty cells are absent, `metadata` is JSON.
///
/// # Errors
/// `Malformed` when a cell that must be JSON is not.
pub fn from_cells<'a>(cells: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Value, Failure> {
    let mut members = Map::new();
    for (name, cell) in cells.filter(|(_, cell)| !cell.is_empty()) {
        let value = match name {
            "metadata" | "identifier_fields" => serde_json::from_str(cell).map_err(|_| {
                Failure::malformed(name, Why::Malformed { expected: "a JSON value" })
            })?,
            _ => Value::String(spreadsheet::text(cell).into_owned()),
        };
        members.insert(name.to_owned(), value);
    }
    Ok(Value::Object(members))
}

/// The new customer that a record describes.
///
/// # Errors
/// `Invalid` or `Malformed` with every problem of the row.
pub fn into_patch(record: Value) -> Result<CustomerPatch, Failure> {
    Ok(into_row(record)?.into_new())
}

/// What a record says of a customer.
///
/// # Errors
/// `Invalid` or `Malformed` with every problem of the row.
pub fn into_row(mut record: Value) -> Result<import::Row, Failure> {
    let number = number(&record);
    forget_set_by_server(&mut record);
    let cards = cards::found_in(&record);
    let Value::Object(members) = record else {
        let why = Why::WrongType { expected: "an object" };
        return Err(Failure::malformed("", why));
    };
    let (mut own, mut billing, mut shipping) = (Map::new(), Map::new(), Map::new());
    for (name, value) in members {
        match name.split_once('.') {
            Some(("billing", field)) => billing.insert(field.to_owned(), value),
            Some(("shipping", field)) => shipping.insert(field.to_owned(), value),
            None if SHOWN_ONLY.contains(&name.as_str()) => None,
            _ => own.insert(name, value),
        };
    }
    let mut faults = Faults::default();
    let number = faults.keep(number)?.flatten();
    faults.refuse_all(cards);
    let billing = faults.keep(decode::below("billing", address(billing)))?.flatten();
    let shipping = faults.keep(decode::below("shipping", address(shipping)))?.flatten();
    let (mut body, mut fields) = typed::<CustomerIn>(own, faults)?;
    let addresses = crate::customers::new_addresses(&mut body, &mut fields);
    let patch = body.patch(&mut fields);
    fields.finish()?;
    Ok(import::Row { number, patch, billing, shipping, addresses })
}

/// The number of the customer, as JSON or as a cell has it.
fn number(record: &Value) -> Result<Option<i64>, Failure> {
    let number = match &record["number"] {
        Value::Null => return Ok(None),
        Value::String(text) => text.parse().ok(),
        other => other.as_i64(),
    };
    let why = Why::WrongType { expected: "a whole number" };
    number.map(Some).ok_or_else(|| Failure::malformed("number", why))
}

fn address(fields: Map<String, Value>) -> Result<Option<PostalPatch>, Failure> {
    if fields.is_empty() {
        return Ok(None);
    }
    let (body, mut fields) = typed::<AddressIn>(fields, Faults::default())?;
    let patch = body.patch(&mut fields);
    fields.finish().map(|()| Some(patch.postal))
}

/// Some members as what they mean, and a collector that has all faults so far.
fn typed<T: DeserializeOwned>(
    members: Map<String, Value>,
    faults: Faults,
) -> Result<(T, Fields), Failure> {
    let text = serde_json::to_vec(&members).map_err(Failure::internal)?;
    Fields::read_on(&text, Reading::NullClears, faults)
}

/// A customer as a record of an NDJSON export: what the native API answers, addresses included.
///
/// # Errors
/// `Internal` when it cannot be written as JSON.
pub fn to_record(customer: &Customer, now: Timestamp) -> Result<Value, Failure> {
    let mut out = CustomerOut::of(customer, now);
    out.addresses = Some(customer.addresses().into_iter().map(AddressOut::of).collect());
    let mut record = serde_json::to_value(&out).map_err(Failure::internal)?;
    // Names are exported as they came in, so that an import gives the same record.
    for (member, given) in [
        ("given_name", customer.given_name.is_some()),
        ("family_name", customer.family_name.is_some()),
        ("full_name", customer.full_name.is_some()),
    ] {
        if !given && let Some(members) = record.as_object_mut() {
            members.remove(member);
        }
    }
    Ok(record)
}

/// Takes away what only the server sets, of the customer and of its addresses: it is not stored, so
/// what an export says there is nobody's card number, whatever its digits are.
fn forget_set_by_server(row: &mut Value) {
    let Value::Object(members) = row else { return };
    members.retain(|name, _| !read::SET_BY_SERVER.contains(&name.as_str()));
    if let Some(Value::Array(addresses)) = members.get_mut("addresses") {
        addresses.iter_mut().for_each(forget_set_by_server);
    }
}

/// A customer as cells of a CSV export, in the order of [`COLUMNS`].
///
/// # Errors
/// `Internal` when it cannot be written as JSON.
pub fn to_cells(customer: &Customer, now: Timestamp) -> Result<Vec<String>, Failure> {
    let record = to_record(customer, now)?;
    let slot = |address: Option<&patron_model::address::Address>| match address {
        Some(address) => serde_json::to_value(AddressOut::of(address)).map_err(Failure::internal),
        None => Ok(json!({})),
    };
    let (billing, shipping) = (slot(customer.billing())?, slot(customer.shipping())?);
    let cell = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => spreadsheet::cell(text).into_owned(),
        Value::Object(members) if members.is_empty() => String::new(),
        other => spreadsheet::json_cell(&other.to_string()).into_owned(),
    };
    let of = |column: &&str| match column.split_once('.') {
        Some(("billing", field)) => cell(&billing[field]),
        Some((_, field)) => cell(&shipping[field]),
        None => cell(&record[*column]),
    };
    Ok(COLUMNS.iter().map(of).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_an_export_are_no_card_numbers_and_everything_else_may_be() {
        let address = json!({"id": "4111-1111-1111-1111", "city": "Bern", "country": "CH"});
        let row = json!({"id": "4111111111111111", "given_name": "A", "addresses": [address]});
        assert!(into_patch(row.clone()).is_ok());
        for (member, value) in [
            ("given_name", json!("4111111111111111")),
            ("metadata", json!({"id": "4111111111111111"})),
            ("addresses", json!([{"line1": "4111111111111111"}])),
        ] {
            let mut row = row.clone();
            row[member] = value;
            assert!(into_patch(row).is_err(), "{member}");
        }
    }
}
