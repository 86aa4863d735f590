//! Addresses of a customer: `/v1/customers/{id}/addresses`.

use patron_app::{
    Id,
    addresses::{self, AddressPatch, DefaultScope, Placed},
    customers,
};
use patron_gateway::{Fields, Member, Reading, Reply, Request};
use patron_model::{
    Failure, Noun, Why,
    address::{Gender, PostalPatch, Purpose},
    email::Email,
    phone::Phone,
    text::{Line, Name},
    time::Day,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    conditions,
    customers::{
        read,
        show::{AddressOut, ListOut},
    },
    words,
};

/// An address as it is written. Members that only the server sets are ignored.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "AddressInput")]
pub struct AddressIn {
    /// `billing`, `shipping`, `both` or `other`.
    #[schemars(with = "Option<words::Purpose>")]
    purpose: Member<String>,
    /// Whether it is preferred over others of its purpose.
    default: Member<bool>,
    given_name: Member<String>,
    middle_name: Member<String>,
    family_name: Member<String>,
    organization_name: Member<String>,
    salutation: Member<String>,
    /// `male` or `female`.
    #[schemars(with = "Option<words::Gender>")]
    gender: Member<String>,
    /// `YYYY-MM-DD`.
    date_of_birth: Member<String>,
    line1: Member<String>,
    line2: Member<String>,
    line3: Member<String>,
    city: Member<String>,
    dependent_locality: Member<String>,
    sorting_code: Member<String>,
    postal_code: Member<String>,
    state: Member<String>,
    /// ISO 3166-1 alpha-2.
    country: Member<String>,
    email: Member<String>,
    phone: Member<String>,
    mobile_phone: Member<String>,
    commercial_register_number: Member<String>,
    sales_tax_number: Member<String>,
    social_security_number: Member<String>,
    legal_organization_form: Member<i64>,
    // Set by the server: accepted and ignored.
    #[schemars(skip)]
    id: serde::de::IgnoredAny,
    #[schemars(skip)]
    number: serde::de::IgnoredAny,
    #[schemars(skip)]
    version: serde::de::IgnoredAny,
    #[schemars(skip)]
    created_at: serde::de::IgnoredAny,
    #[schemars(skip)]
    updated_at: serde::de::IgnoredAny,
}

impl AddressIn {
    /// The patch this body means. Faults are noted.
    pub fn patch(self, f: &mut Fields) -> AddressPatch {
        let purpose = self.purpose.value().and_then(|word| match purpose(&word) {
            Some(purpose) => Some(purpose),
            None => {
                f.refuse("purpose", Why::not_one_of(&word, "billing, shipping, both, other"));
                None
            }
        });
        let phone = |text: &str| Phone::parse(text, None);
        let postal = PostalPatch {
            given_name: f.text("given_name", self.given_name, Name::parse),
            middle_name: f.text("middle_name", self.middle_name, Name::parse),
            family_name: f.text("family_name", self.family_name, Name::parse),
            organization_name: f.text("organization_name", self.organization_name, Name::parse),
            salutation: f.text("salutation", self.salutation, Line::parse),
            gender: f.text("gender", self.gender, gender),
            date_of_birth: f.text("date_of_birth", self.date_of_birth, Day::parse),
            line1: f.text("line1", self.line1, Line::parse),
            line2: f.text("line2", self.line2, Line::parse),
            line3: f.text("line3", self.line3, Line::parse),
            city: f.text("city", self.city, Line::parse),
            dependent_locality: f.text("dependent_locality", self.dependent_locality, Line::parse),
            sorting_code: f.text("sorting_code", self.sorting_code, Line::parse),
            postal_code: f.text("postal_code", self.postal_code, Line::parse),
            state: f.text("state", self.state, Line::parse),
            country: read::country(f, "country", self.country),
            email: f.text("email", self.email, Email::parse),
            phone: f.text("phone", self.phone, phone),
            mobile_phone: f.text("mobile_phone", self.mobile_phone, phone),
            commercial_register_number: f.text(
                "commercial_register_number",
                self.commercial_register_number,
                Line::parse,
            ),
            sales_tax_number: f.text("sales_tax_number", self.sales_tax_number, Line::parse),
            social_security_number: f.text(
                "social_security_number",
                self.social_security_number,
                Line::parse,
            ),
            legal_organization_form: f.parse(
                "legal_organization_form",
                self.legal_organization_form,
                Ok,
            ),
        };
        AddressPatch { purpose, is_default: self.default.value(), postal }
    }
}

fn patch(request: &Request) -> Result<AddressPatch, Failure> {
    let (body, mut fields) = read::body::<AddressIn>(request, Reading::NullClears)?;
    let patch = body.patch(&mut fields);
    fields.finish()?;
    Ok(patch)
}

fn purpose(word: &str) -> Option<Purpose> {
    [Purpose::Billing, Purpose::Shipping, Purpose::Both, Purpose::Other]
        .into_iter()
        .find(|purpose| purpose.as_str() == word)
}

fn gender(word: &str) -> Result<Gender, Why> {
    match word {
        "male" => Ok(Gender::Male),
        "female" => Ok(Gender::Female),
        _ => Err(Why::not_one_of(word, "male, female")),
    }
}

fn address_id(request: &Request) -> Result<Id, Failure> {
    Id::parse(request.param("address"), Noun::Address)
}

fn customer_id(request: &Request) -> Result<Id, Failure> {
    Id::parse(request.param("id"), Noun::Customer)
}

fn reply(request: &Request, status: u16, placed: &Placed) -> Result<Reply, Failure> {
    let address = AddressOut::of(&placed.address);
    let reply =
        Reply::json(status, &address)?.with("etag", conditions::tag(placed.address.version));
    Ok(match status {
        201 => reply.with("location", format!("{}/{}", request.path(), placed.address.uuid)),
        _ => reply,
    })
}

/// All addresses.
pub async fn list(request: Request) -> Result<Reply, Failure> {
    let customer = customers::get(&request.cx, customer_id(&request)?).await?;
    let data: Vec<AddressOut<'_>> = customer.addresses().into_iter().map(AddressOut::of).collect();
    Reply::json(200, &ListOut { data, has_more: false, next_cursor: None, total: None })
}

/// One address.
pub async fn get(request: Request) -> Result<Reply, Failure> {
    let id = address_id(&request)?;
    let (_, address) = addresses::get(&request.cx, customer_id(&request)?, id).await?;
    let reply = Reply::json(200, &AddressOut::of(&address))?;
    Ok(conditions::unless_matched(&request, &conditions::tag(address.version), reply))
}

/// A new address.
pub async fn create(request: Request) -> Result<Reply, Failure> {
    let patch = patch(&request)?;
    let placed = addresses::create(&request.cx, customer_id(&request)?, patch).await?;
    reply(&request, 201, &placed)
}

/// A changed address (JSON Merge Patch).
pub async fn update(request: Request) -> Result<Reply, Failure> {
    let condition = conditions::of_change(&request)?;
    let (customer, id) = (customer_id(&request)?, address_id(&request)?);
    let patch = patch(&request)?;
    let expect = condition.expect();
    let placed = addresses::update(&request.cx, customer, id, expect, patch).await?;
    reply(&request, 200, &placed)
}

/// Makes an address the default of its purpose.
pub async fn set_default(request: Request) -> Result<Reply, Failure> {
    let (customer, id) = (customer_id(&request)?, address_id(&request)?);
    let placed = addresses::set_default(&request.cx, customer, id, DefaultScope::Purpose).await?;
    reply(&request, 200, &placed)
}

/// Removes an address.
pub async fn delete(request: Request) -> Result<Reply, Failure> {
    let condition = conditions::of_change(&request)?;
    let (customer, id) = (customer_id(&request)?, address_id(&request)?);
    addresses::delete(&request.cx, customer, id, condition.expect()).await?;
    Ok(Reply::empty(204))
}
