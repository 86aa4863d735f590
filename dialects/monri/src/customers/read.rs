//! What is sent about a customer, and the change that it asks for (dossier B.4).

use std::borrow::Cow;
use std::collections::BTreeMap;

use patron_gateway::{Fields, Member};
use patron_model::{
    Failure, Patch, Why,
    address::{AddressEdit, PostalPatch},
    country::Country,
    customer::{Customer, CustomerPatch},
    email::Email,
    metadata::MetadataPatch,
    phone::Phone,
    text::{Line, Name, Note, Reference},
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    customers::show::CustomerObject,
    limits::{self, Length},
};

/// What is sent to create or update a customer. Everything is optional, `null` means "not
/// provided", members that are not listed are ignored.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CustomerFields {
    /// The merchant's own id, unique among its customers; 1 to 100 characters.
    pub merchant_customer_id: Member<String>,
    /// 1 to 200 characters.
    pub description: Member<String>,
    /// 1 to 200 characters; the syntax is not checked.
    pub email: Member<String>,
    /// Of a person or company; 1 to 50 characters.
    pub name: Member<String>,
    /// 1 to 30 characters.
    pub phone: Member<String>,
    /// Merged key by key; a key with `null` is removed.
    pub metadata: Member<BTreeMap<String, Value>>,
    /// 1 to 9 characters.
    pub zip_code: Member<String>,
    /// 3 to 30 characters.
    pub city: Member<String>,
    /// 3 to 100 characters.
    pub address: Member<String>,
    /// ISO 3166-1 alpha-2.
    pub country: Member<String>,
}

/// Members of one body on their way into a patch.
struct Reader<'a> {
    fields: Fields,
    /// The customer as its reader saw it last.
    shown: Option<CustomerObject<'a>>,
}

impl<'a> Reader<'a> {
    fn new(fields: Fields, current: Option<&'a Customer>) -> Reader<'a> {
        Reader { fields, shown: current.map(CustomerObject::of) }
    }

    /// A text member. What is sent back as it was shown changes nothing: a value that was cut or
    /// derived for this API must not replace the one it stands for.
    fn text<T>(
        &mut self,
        field: &str,
        length: Length,
        member: Member<String>,
        shown: for<'s> fn(&'s CustomerObject<'a>) -> &'s Option<Cow<'a, str>>,
        parse: impl FnOnce(&str) -> Result<T, Why>,
    ) -> Patch<T> {
        let shown = self.shown.as_ref().and_then(|seen| shown(seen).as_deref());
        if shown.is_some() && shown == member.as_ref().map(String::as_str) {
            return Patch::Keep;
        }
        self.fields.text(field, member, |text| {
            length.check(text)?;
            parse(text)
        })
    }

    /// The parts of the one address this API knows: the billing address.
    fn postal(
        &mut self,
        zip_code: Member<String>,
        city: Member<String>,
        address: Member<String>,
        country: Member<String>,
    ) -> PostalPatch {
        let zip = limits::ZIP_CODE;
        let two = limits::COUNTRY;
        PostalPatch {
            postal_code: self.text("zip_code", zip, zip_code, |c| &c.zip_code, Line::parse),
            city: self.text("city", limits::CITY, city, |c| &c.city, Line::parse),
            line1: self.text("address", limits::ADDRESS, address, |c| &c.address, Line::parse),
            country: self.text("country", two, country, |c| &c.country, parse_country),
            ..PostalPatch::default()
        }
    }
}

impl CustomerFields {
    /// The change that is asked for; `current` is the customer it is asked of, and `fields` has
    /// what is wrong with the body already.
    ///
    /// # Errors
    /// `Malformed` or `Invalid`, with every problem.
    pub fn into_patch(
        self,
        fields: Fields,
        current: Option<&Customer>,
    ) -> Result<CustomerPatch, Failure> {
        let CustomerFields {
            merchant_customer_id,
            description,
            email,
            name,
            phone,
            metadata,
            zip_code,
            city,
            address,
            country,
        } = self;
        let mut r = Reader::new(fields, current);
        let postal = r.postal(zip_code, city, address, country);
        let parse_phone = |text: &str| Phone::parse(text, None);
        let patch = CustomerPatch {
            reference: r.text(
                "merchant_customer_id",
                limits::MERCHANT_CUSTOMER_ID,
                merchant_customer_id,
                |c| &c.merchant_customer_id,
                Reference::parse,
            ),
            description: r.text(
                "description",
                limits::DESCRIPTION,
                description,
                |c| &c.description,
                Note::parse,
            ),
            email: r.text("email", limits::EMAIL, email, |c| &c.email, Email::lenient),
            full_name: r.text("name", limits::NAME, name, |c| &c.name, Name::parse),
            phone: r.text("phone", limits::PHONE, phone, |c| &c.phone, parse_phone),
            metadata: merged(metadata),
            billing: if postal.is_keep() {
                AddressEdit::Keep
            } else {
                AddressEdit::Merge(Box::new(postal))
            },
            ..CustomerPatch::default()
        };
        r.fields.finish()?;
        Ok(patch)
    }
}

/// Two characters that are no letters are no code either.
fn parse_country(text: &str) -> Result<Country, Why> {
    let unknown = |_| Why::Malformed { expected: "a known ISO 3166-1 alpha-2 code" };
    Country::parse(text).map_err(unknown)
}

/// Key by key, on creation too; `null` removes a key (dossier B.4).
fn merged(metadata: Member<BTreeMap<String, Value>>) -> MetadataPatch {
    let Some(pairs) = metadata.value() else { return MetadataPatch::Keep };
    let change = |(key, value): (String, Value)| (key, (!value.is_null()).then_some(value));
    MetadataPatch::Merge(pairs.into_iter().map(change).collect())
}
