//! From bodies to patches: a whole record (POST, PUT), JSON Merge Patch (RFC 7396) and JSON Patch
//! (RFC 6902). Unknown members are refused, so that nothing is accepted and dropped.

use std::collections::BTreeMap;

use patron_gateway::{Faults, Fields, Member, Reading, Request, decode};
use patron_model::{
    Failure, Patch, Timestamp, Why,
    country::Country,
    currency::Currency,
    customer::{Customer, CustomerPatch, Status},
    email::Email,
    language::Language,
    metadata::{Metadata, MetadataPatch},
    phone::Phone,
    text::{Line, Name, Note, Reference},
    time_zone::TimeZone,
};
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, json, value::RawValue};

use crate::addresses::AddressIn;
use crate::words;

/// Media type of JSON Merge Patch.
pub const MERGE_PATCH: &str = "application/merge-patch+json";
/// Media type of JSON Patch.
pub const JSON_PATCH: &str = "application/json-patch+json";
/// Most operations of one JSON Patch.
const PATCH_OPERATIONS_MAX: usize = 200;

/// An operation of a JSON Patch (RFC 6902), for the description: they are read as they come.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only described")]
pub struct PatchOperation {
    /// What to do.
    #[schemars(with = "words::PatchVerb")]
    op: String,
    /// JSON Pointer (RFC 6901) to the member it is done to.
    path: String,
    /// JSON Pointer to the member that is moved or copied.
    from: Option<String>,
    /// The value to add, to put in place, or to compare with.
    value: Option<Value>,
}

/// A customer as it is written. Members that only the server sets (`id`, `version`, …) are ignored,
/// so that what was read can be sent back.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "CustomerInput")]
pub struct CustomerIn {
    pub reference: Member<String>,
    given_name: Member<String>,
    family_name: Member<String>,
    full_name: Member<String>,
    title: Member<String>,
    company_name: Member<String>,
    company_registration_number: Member<String>,
    tax_number: Member<String>,
    email: Member<String>,
    phone: Member<String>,
    work_phone: Member<String>,
    language: Member<String>,
    currency: Member<String>,
    time_zone: Member<String>,
    description: Member<String>,
    metadata: Member<BTreeMap<String, Value>>,
    #[schemars(with = "Option<words::SettableStatus>")]
    status: Member<String>,
    status_reason: Member<String>,
    #[schemars(extend("format" = "date-time"))]
    status_until: Member<String>,
    #[schemars(with = "Option<String>")]
    balance: Member<Value>,
    portal_user_name: Member<String>,
    identifier_fields: Member<Vec<String>>,
    /// Addresses that are created with the customer (POST only).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub addresses: Option<Vec<AddressIn>>,
    // Set by the server: accepted and ignored.
    #[schemars(skip)]
    id: serde::de::IgnoredAny,
    #[schemars(skip)]
    number: serde::de::IgnoredAny,
    #[schemars(skip)]
    version: serde::de::IgnoredAny,
    #[schemars(skip)]
    phone_e164: serde::de::IgnoredAny,
    #[schemars(skip)]
    email_warnings: serde::de::IgnoredAny,
    #[schemars(skip)]
    created_at: serde::de::IgnoredAny,
    #[schemars(skip)]
    updated_at: serde::de::IgnoredAny,
}

/// Members of a shown customer that only the server sets: accepted in a body, and ignored.
pub const SET_BY_SERVER: [&str; 7] =
    ["id", "number", "version", "phone_e164", "email_warnings", "created_at", "updated_at"];

impl CustomerIn {
    /// The patch this body means. Faults are noted.
    pub fn patch(self, f: &mut Fields) -> CustomerPatch {
        let metadata = metadata_patch(f, self.metadata);
        CustomerPatch {
            reference: f.text("reference", self.reference, Reference::parse),
            given_name: f.text("given_name", self.given_name, Name::parse),
            family_name: f.text("family_name", self.family_name, Name::parse),
            full_name: f.text("full_name", self.full_name, Name::parse),
            title: f.text("title", self.title, Line::parse),
            company_name: f.text("company_name", self.company_name, Name::parse),
            company_registration_number: f.text(
                "company_registration_number",
                self.company_registration_number,
                Line::parse,
            ),
            tax_number: f.text("tax_number", self.tax_number, Line::parse),
            email: f.text("email", self.email, Email::parse),
            phone: f.text("phone", self.phone, |text| Phone::parse(text, None)),
            work_phone: f.text("work_phone", self.work_phone, |text| Phone::parse(text, None)),
            language: f.text("language", self.language, Language::parse),
            currency: f.text("currency", self.currency, Currency::parse),
            time_zone: f.text("time_zone", self.time_zone, TimeZone::parse),
            description: f.text("description", self.description, Note::parse),
            metadata,
            status: f.text("status", self.status, status),
            status_reason: f.text("status_reason", self.status_reason, Note::parse),
            status_until: f.text("status_until", self.status_until, Timestamp::parse),
            balance: f.parse("balance", self.balance, |value| decimal(&value)),
            portal_user_name: f.text("portal_user_name", self.portal_user_name, Line::parse),
            identifier_fields: f.parse("identifier_fields", self.identifier_fields, |names| {
                names.iter().map(|name| Line::parse(name)).collect()
            }),
            ..CustomerPatch::default()
        }
    }
}

/// A status that can be set or asked for.
pub fn status(word: &str) -> Result<Status, Why> {
    Status::ALL
        .into_iter()
        .find(|status| status.as_str() == word)
        .ok_or_else(|| Why::not_one_of(word, "active, inactive, locked, blocked"))
}

/// A decimal as text or as a JSON number, never through floating point.
fn decimal(value: &Value) -> Result<Decimal, Why> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => String::new(),
    };
    text.parse().map_err(|_| Why::WrongType { expected: "a decimal number such as \"12.50\"" })
}

fn metadata_patch(fields: &mut Fields, member: Member<BTreeMap<String, Value>>) -> MetadataPatch {
    match (member, fields.reading()) {
        (Member::Absent, Reading::Replaces)
        | (Member::Null, Reading::Replaces | Reading::NullClears) => {
            MetadataPatch::Replace(Metadata::default())
        }
        (Member::Absent, _) | (Member::Null, Reading::NullKeeps) => MetadataPatch::Keep,
        (Member::Value(pairs), Reading::NullClears) => {
            let set: BTreeMap<String, Value> = pairs
                .iter()
                .filter(|(_, v)| !v.is_null())
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect();
            if let Err(problems) = Metadata::parse("metadata", set) {
                fields.refuse_all(problems);
            }
            MetadataPatch::MergeDeep(pairs)
        }
        (Member::Value(pairs), _) => match Metadata::parse("metadata", pairs) {
            Ok(metadata) => MetadataPatch::Replace(metadata),
            Err(problems) => {
                fields.refuse_all(problems);
                MetadataPatch::Keep
            }
        },
    }
}

/// The JSON object in a request, and a collector that has what does not fit in it.
///
/// # Errors
/// `UnsupportedMediaType` when it is said to be something else; `Malformed` when nothing fits.
pub fn body<T: DeserializeOwned>(
    request: &Request,
    reading: Reading,
) -> Result<(T, Fields), Failure> {
    if !request.is_json() {
        return Err(Failure::UnsupportedMediaType { supported: "application/json" });
    }
    request.read(reading)
}

/// What a PATCH asks for.
pub enum Change {
    /// A JSON Merge Patch: the same whatever is there now.
    Merge(Box<CustomerPatch>),
    /// A JSON Patch: depends on what is there now.
    Operations(json_patch::Patch),
}

/// Reads the body of a PATCH by its media type. Plain JSON is read as JSON Merge Patch.
///
/// # Errors
/// `UnsupportedMediaType`, `Malformed`, `Invalid`.
pub fn read(request: &Request) -> Result<Change, Failure> {
    let media = request.text_header("content-type")?.unwrap_or("application/json");
    let essence = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        JSON_PATCH => {
            let sent: Vec<Box<RawValue>> = request.json()?;
            if sent.len() > PATCH_OPERATIONS_MAX {
                return Err(Failure::TooLarge { limit: PATCH_OPERATIONS_MAX });
            }
            let (mut faults, mut operations) = (Faults::default(), Vec::new());
            for (place, operation) in sent.iter().enumerate() {
                let read = decode::json(operation.get().as_bytes());
                operations.extend(faults.keep(decode::below(&place.to_string(), read))?);
            }
            faults.finish()?;
            Ok(Change::Operations(json_patch::Patch(operations)))
        }
        MERGE_PATCH | "application/json" => {
            Ok(Change::Merge(Box::new(whole(request, Reading::NullClears)?)))
        }
        _ => Err(Failure::UnsupportedMediaType {
            supported: "application/merge-patch+json or application/json-patch+json",
        }),
    }
}

/// The patch of a body that speaks of no addresses.
///
/// # Errors
/// `Malformed` or `Invalid`, with every fault.
pub fn whole(request: &Request, reading: Reading) -> Result<CustomerPatch, Failure> {
    let (body, fields) = body::<CustomerIn>(request, reading)?;
    without_addresses(body, fields)
}

/// The patch of a body that must not have addresses.
///
/// # Errors
/// `Malformed` or `Invalid`, with every fault.
pub fn without_addresses(body: CustomerIn, mut fields: Fields) -> Result<CustomerPatch, Failure> {
    if body.addresses.is_some() {
        fields.refuse("addresses", Why::ReadOnly);
    }
    let patch = body.patch(&mut fields);
    fields.finish()?;
    Ok(patch)
}

/// The patch that a JSON Patch means for a customer: it is applied to the writable members, and the
/// result replaces them.
///
/// # Errors
/// `PreconditionFailed` when a `test` does not hold, `Invalid` when an operation cannot be applied.
pub fn apply_operations(
    customer: &Customer,
    operations: &json_patch::Patch,
) -> Result<CustomerPatch, Failure> {
    let mut document = writable(customer);
    super::json_patch::apply(&mut document, operations)?;
    let text = serde_json::to_vec(&document).map_err(Failure::internal)?;
    let (body, fields) = Fields::read(&text, Reading::Replaces)?;
    let mut patch = without_addresses(body, fields)?;
    if patch.status == Patch::Set(customer.status) {
        // Nobody set it: what a dialect shows as long as nobody does stays.
        patch.status = Patch::Keep;
    }
    Ok(patch)
}

/// The members a caller may write, as they were given: derived forms of the name are not among them.
fn writable(customer: &Customer) -> Value {
    let mut members = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            members.insert(name.to_owned(), value);
        }
    };
    let text = |value: Option<&str>| value.map(|text| json!(text));
    put("reference", text(customer.reference.as_ref().map(|v| v.as_str())));
    put("given_name", text(customer.given_name.as_ref().map(|v| v.as_str())));
    put("family_name", text(customer.family_name.as_ref().map(|v| v.as_str())));
    put("full_name", text(customer.full_name.as_ref().map(|v| v.as_str())));
    put("title", text(customer.title.as_ref().map(|v| v.as_str())));
    put("company_name", text(customer.company_name.as_ref().map(|v| v.as_str())));
    let registration = customer.company_registration_number.as_ref().map(|v| v.as_str());
    put("company_registration_number", text(registration));
    put("tax_number", text(customer.tax_number.as_ref().map(|v| v.as_str())));
    put("email", text(customer.email.as_ref().map(|v| v.as_str())));
    put("phone", text(customer.phone.as_ref().map(|v| v.raw())));
    put("work_phone", text(customer.work_phone.as_ref().map(|v| v.raw())));
    put("language", text(customer.language.as_ref().map(|v| v.as_str())));
    put("currency", text(customer.currency.as_ref().map(|v| v.as_str())));
    put("time_zone", text(customer.time_zone.as_ref().map(|v| v.as_str())));
    put("description", text(customer.description.as_ref().map(|v| v.as_str())));
    put("metadata", Some(json!(customer.metadata.pairs())));
    put("status", Some(json!(customer.status.as_str())));
    put("status_reason", text(customer.status_reason.as_ref().map(|v| v.as_str())));
    put("status_until", customer.status_until.map(|at| json!(at.rfc3339_micros())));
    put("balance", customer.balance.map(|balance| json!(balance.to_string())));
    let portal = customer.portal.as_ref().and_then(|portal| portal.user_name.as_ref());
    put("portal_user_name", text(portal.map(|v| v.as_str())));
    let fields: Vec<&str> = customer.identifier_fields.iter().map(|f| f.as_str()).collect();
    put("identifier_fields", Some(json!(fields)));
    Value::Object(members)
}

/// A country member as a patch.
pub fn country(fields: &mut Fields, field: &str, member: Member<String>) -> Patch<Country> {
    fields.text(field, member, Country::parse)
}
