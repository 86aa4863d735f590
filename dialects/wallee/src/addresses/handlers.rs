//! Addresses of customers (dossier §6.3). They are part of their customer, so lists and searches
//! happen in memory, over addresses as they are shown.

use patron_app::{
    Expect,
    addresses::{self, AddressPatch, DefaultScope},
    customers,
};
use patron_gateway::{Fields, Member, Reading, Reply, Request};
use patron_model::{
    Failure, Why,
    address::{Address as Record, Postal, Purpose},
    customer::Customer,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::{
    addresses::postal::{PostalAddress, PostalAddressCreate, TEXT_FIELDS},
    customers::show::CustomerReference,
    filters::{Kind, Value},
    input::{Object, expected, required},
    lists::{ListParams, SearchParams, expands},
    transport::id,
};

const TYPES: &str = "BILLING, SHIPPING, BOTH";

/// An address as it is shown.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CustomerAddress<'a> {
    /// Number of the address.
    id: i64,
    /// Space it belongs to.
    linked_space_id: i64,
    /// Version a change must name.
    version: i64,
    /// When it was created.
    created_on: String,
    /// `BILLING`, `SHIPPING` or `BOTH`.
    #[serde(skip_serializing_if = "Option::is_none")]
    address_type: Option<&'static str>,
    /// Where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<PostalAddress<'a>>,
    /// Whose it is.
    customer: CustomerReference<'a>,
    /// Whether it is the preferred one.
    default_address: bool,
}

impl<'a> CustomerAddress<'a> {
    fn of(record: &'a Record, customer: &'a Customer, is_expanded: bool) -> CustomerAddress<'a> {
        CustomerAddress {
            id: record.number,
            linked_space_id: customer.space,
            version: record.version,
            created_on: record.created_at.rfc3339_millis(),
            address_type: type_word(record.purpose),
            address: (!record.postal.is_empty()).then(|| PostalAddress::of(&record.postal)),
            customer: CustomerReference::to(customer, is_expanded),
            default_address: record.is_default,
        }
    }
}

/// The provider has no word for an address without purpose; it is shown without one.
fn type_word(purpose: Purpose) -> Option<&'static str> {
    match purpose {
        Purpose::Billing => Some("BILLING"),
        Purpose::Shipping => Some("SHIPPING"),
        Purpose::Both => Some("BOTH"),
        Purpose::Other => None,
    }
}

fn parse_type(word: &str) -> Result<Purpose, Why> {
    let known = [Purpose::Billing, Purpose::Shipping, Purpose::Both];
    let found = known.into_iter().find(|purpose| type_word(*purpose) == Some(word));
    found.ok_or_else(|| Why::not_one_of(word, TYPES))
}

/// An address to be created.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct CustomerAddressCreate {
    /// Where it is.
    address: Member<Object<PostalAddressCreate>>,
    /// `BILLING`, `SHIPPING` or `BOTH`.
    address_type: Member<String>,
    /// Number of the customer, as in the path. Required.
    customer: Member<i64>,
}

/// An address to be changed: what is absent stays, `address` is replaced as a whole.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct CustomerAddressActive {
    /// Where it is.
    address: Member<Object<PostalAddressCreate>>,
    /// `BILLING`, `SHIPPING` or `BOTH`.
    address_type: Member<String>,
    /// Version the change builds on. Required.
    version: Member<i32>,
}

fn patch(
    fields: &mut Fields,
    address: &Member<Object<PostalAddressCreate>>,
    address_type: Member<String>,
    before: &Postal,
) -> AddressPatch {
    let purpose = address_type.value().and_then(|word| match parse_type(&word) {
        Ok(purpose) => Some(purpose),
        Err(why) => {
            fields.refuse("addressType", why);
            None
        }
    });
    let postal = address.as_ref().map(|address| {
        fields.within("address", fields.reading(), |fields| address.0.patch(before, fields))
    });
    AddressPatch { purpose, is_default: None, postal: postal.unwrap_or_default() }
}

// ---- search -----------------------------------------------------------------------------------

/// A field of an address: its place in what is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
struct AddressField(String);

const CREATED_ON: &str = "/createdOn";

fn resolve(name: &str) -> Option<(AddressField, Kind)> {
    let (place, kind) = match name {
        "id" | "version" => (format!("/{name}"), Kind::Whole),
        "createdOn" => (CREATED_ON.to_owned(), Kind::Moment),
        "addressType" => ("/addressType".to_owned(), Kind::Text),
        "defaultAddress" => ("/defaultAddress".to_owned(), Kind::Flag),
        "customer" | "customer.id" => ("/customer/id".to_owned(), Kind::Whole),
        "address.legalOrganizationForm" | "address.legalOrganizationForm.id" => {
            ("/address/legalOrganizationForm/id".to_owned(), Kind::Whole)
        }
        other => {
            let field = other.strip_prefix("address.").filter(|f| TEXT_FIELDS.contains(f))?;
            (format!("/address/{field}"), Kind::Text)
        }
    };
    Some((AddressField(place), kind))
}

/// An address on its way through a search.
struct Candidate {
    record: Record,
    shown: Json,
}

fn value(candidate: &Candidate, field: &AddressField) -> Option<Value> {
    if field.0 == CREATED_ON {
        return Some(Value::Whole(candidate.record.created_at.micros()));
    }
    match candidate.shown.pointer(&field.0)? {
        Json::Bool(flag) => Some(Value::Flag(*flag)),
        Json::Number(number) => number.as_i64().map(Value::Whole),
        Json::String(text) => Some(Value::Text(text.clone())),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

// ---- handlers ---------------------------------------------------------------------------------

/// `GET /customers/{customerId}/addresses`
pub async fn list(request: Request) -> Result<Reply, Failure> {
    let params = ListParams::read(&request)?;
    let customer = customers::get(&request.cx, id(&request, "customerId")?).await?;
    let is_expanded = expands(&request, "customer");
    let all = customer.addresses().into_iter();
    let shown = all.map(|a| CustomerAddress::of(a, &customer, is_expanded)).collect();
    Reply::json(200, &params.page_of(shown, |address: &CustomerAddress<'_>| address.id))
}

/// `GET /customers/{customerId}/addresses/search`
pub async fn search(request: Request) -> Result<Reply, Failure> {
    let params = SearchParams::read(&request, &resolve)?;
    let customer = customers::get(&request.cx, id(&request, "customerId")?).await?;
    let is_expanded = expands(&request, "customer");
    let mut candidates = Vec::new();
    for record in customer.addresses() {
        let shown = CustomerAddress::of(record, &customer, is_expanded);
        let shown = serde_json::to_value(shown).map_err(Failure::internal)?;
        candidates.push(Candidate { record: record.clone(), shown });
    }
    let found = params.page_of(candidates, value);
    let data = found.data.into_iter().map(|candidate| candidate.shown).collect();
    Reply::json(200, &params.page(data, found.has_more))
}

/// `GET /customers/{customerId}/addresses/{id}`
pub async fn retrieve(request: Request) -> Result<Reply, Failure> {
    let (whose, which) = (id(&request, "customerId")?, id(&request, "id")?);
    let (customer, address) = addresses::get(&request.cx, whose, which).await?;
    let shown = CustomerAddress::of(&address, &customer, expands(&request, "customer"));
    Reply::json(200, &shown)
}

/// `POST /customers/{customerId}/addresses`
pub async fn create(request: Request) -> Result<Reply, Failure> {
    let whose = id(&request, "customerId")?;
    let (body, mut fields) = request.read::<CustomerAddressCreate>(Reading::NullKeeps)?;
    let named = required(&mut fields, "customer", body.customer);
    if named.is_some_and(|named| patron_app::Id::Number(named) != whose) {
        fields.refuse("customer", Why::Mismatch { with: "the customer in the path" });
    }
    let patch = patch(&mut fields, &body.address, body.address_type, &Postal::default());
    fields.finish()?;
    let placed = addresses::create(&request.cx, whose, patch).await?;
    let is_expanded = expands(&request, "customer");
    Reply::json(201, &CustomerAddress::of(&placed.address, &placed.customer, is_expanded))
}

/// `PATCH /customers/{customerId}/addresses/{id}`
pub async fn update(request: Request) -> Result<Reply, Failure> {
    let (whose, which) = (id(&request, "customerId")?, id(&request, "id")?);
    let (body, mut fields) = request.read::<CustomerAddressActive>(Reading::NullKeeps)?;
    let expect = expected(&mut fields, body.version);
    // What is shown decides what a replacement leaves alone. The version that the caller must name
    // makes sure that it is still the same when the change is made.
    let (_, before) = addresses::get(&request.cx, whose, which).await?;
    expect.check(before.version, 0)?;
    let patch = patch(&mut fields, &body.address, body.address_type, &before.postal);
    fields.finish()?;
    let placed = addresses::update(&request.cx, whose, which, expect, patch).await?;
    let is_expanded = expands(&request, "customer");
    Reply::json(200, &CustomerAddress::of(&placed.address, &placed.customer, is_expanded))
}

/// `DELETE /customers/{customerId}/addresses/{id}`
pub async fn delete(request: Request) -> Result<Reply, Failure> {
    let (whose, which) = (id(&request, "customerId")?, id(&request, "id")?);
    addresses::delete(&request.cx, whose, which, Expect::Any).await?;
    Ok(Reply::empty(204))
}

/// `POST /customers/{customerId}/addresses/{id}/default`: one default in all (dossier §6.3).
pub async fn set_default(request: Request) -> Result<Reply, Failure> {
    let (whose, which) = (id(&request, "customerId")?, id(&request, "id")?);
    addresses::set_default(&request.cx, whose, which, DefaultScope::Customer).await?;
    Ok(Reply::empty(204))
}
