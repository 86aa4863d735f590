//! Customers (dossier B): what comes in, what goes out, and the calls in between.

use std::borrow::Cow;
use std::collections::BTreeMap;

use patron_app::{
    Expect, Id,
    customers::{self, Trace},
    record::Look,
    search::{self, Field, Order, Query, SortKey},
};
use patron_gateway::{Fields, Member, Reading, Reply, Request};
use patron_model::{
    Failure, Noun, Patch, Why,
    address::{AddressEdit, Postal, PostalPatch},
    country::Country,
    customer::{Customer, CustomerPatch},
    email::Email,
    metadata::MetadataPatch,
    phone::Phone,
    text::{Line, Name, Note, Reference},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    NAME,
    errors::APPROVED,
    limits::{self, Length},
    lists::{List, Page},
};

/// Digits and hyphens of a UUID in a path; other spellings of one name nothing.
const UUID_CHARS: usize = 36;

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

/// A customer. Every member is there in every answer: the vendor's Android parser fails on a
/// missing one, and on metadata that is `null` (dossier B.3).
#[derive(Debug, Serialize, JsonSchema)]
pub struct CustomerObject<'a> {
    status: &'static str,
    id: Uuid,
    uuid: Uuid,
    merchant_customer_id: Option<Cow<'a, str>>,
    description: Option<Cow<'a, str>>,
    email: Option<Cow<'a, str>>,
    name: Option<Cow<'a, str>>,
    phone: Option<Cow<'a, str>>,
    zip_code: Option<Cow<'a, str>>,
    city: Option<Cow<'a, str>>,
    address: Option<Cow<'a, str>>,
    country: Option<Cow<'a, str>>,
    metadata: &'a BTreeMap<String, Value>,
    deleted: bool,
    created_at: String,
    updated_at: String,
    deleted_at: Option<String>,
}

/// What a deletion answers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DeletedCustomer {
    status: &'static str,
    id: Uuid,
    uuid: Uuid,
    deleted: bool,
}

impl<'a> CustomerObject<'a> {
    /// A customer as this API shows it.
    pub fn of(customer: &'a Customer) -> CustomerObject<'a> {
        let postal = customer.billing().map(|billing| &billing.postal);
        let line = |of: fn(&Postal) -> &Option<Line>| postal.and_then(|p| of(p).as_ref());
        let cut = |line: &'a Line, length: Length| length.cut(Cow::Borrowed(line.as_str()));
        let country = postal.and_then(|p| p.country.as_ref());
        CustomerObject {
            status: APPROVED,
            id: customer.uuid,
            uuid: customer.uuid,
            merchant_customer_id: customer
                .reference
                .as_ref()
                .and_then(|r| limits::MERCHANT_CUSTOMER_ID.whole(r.as_str())),
            description: customer
                .description
                .as_ref()
                .and_then(|d| limits::DESCRIPTION.cut(Cow::Borrowed(d.as_str()))),
            email: customer.email.as_ref().and_then(|e| limits::EMAIL.whole(e.as_str())),
            name: shown_name(customer),
            phone: customer.phone.as_ref().and_then(shown_phone),
            zip_code: line(|p| &p.postal_code).and_then(|z| limits::ZIP_CODE.whole(z.as_str())),
            city: line(|p| &p.city).and_then(|city| cut(city, limits::CITY)),
            address: line(|p| &p.line1).and_then(|line| cut(line, limits::ADDRESS)),
            country: country.map(|c| Cow::Borrowed(c.as_str())),
            metadata: customer.metadata.pairs(),
            deleted: customer.is_deleted(),
            created_at: customer.created_at.rfc3339_seconds(),
            updated_at: customer.updated_at.rfc3339_seconds(),
            deleted_at: customer.deleted_at.map(|at| at.rfc3339_seconds()),
        }
    }
}

/// Metadata of a customer of whom nothing is shown.
static NO_METADATA: BTreeMap<String, Value> = BTreeMap::new();

impl CustomerObject<'static> {
    /// A deleted customer: that it is deleted, and no word about a person.
    fn deleted(trace: &Trace) -> CustomerObject<'static> {
        let deleted_at = trace.deleted_at.rfc3339_seconds();
        CustomerObject {
            status: APPROVED,
            id: trace.uuid,
            uuid: trace.uuid,
            merchant_customer_id: None,
            description: None,
            email: None,
            name: None,
            phone: None,
            zip_code: None,
            city: None,
            address: None,
            country: None,
            metadata: &NO_METADATA,
            deleted: true,
            created_at: trace.created_at.rfc3339_seconds(),
            updated_at: deleted_at.clone(),
            deleted_at: Some(deleted_at),
        }
    }
}

/// One name for persons and companies: the full name, or else the company.
fn shown_name(customer: &Customer) -> Option<Cow<'_, str>> {
    let company = || customer.company_name.as_ref().map(|c| Cow::Borrowed(c.as_str()));
    let full = customer.names().full.filter(|full| !full.is_empty());
    full.or_else(company).and_then(|name| limits::NAME.cut(name))
}

/// As typed, or in its international form when what was typed is too long.
fn shown_phone(phone: &Phone) -> Option<Cow<'_, str>> {
    limits::PHONE.whole(phone.raw()).or_else(|| limits::PHONE.whole(phone.e164()?))
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

/// The UUID of a path parameter.
///
/// # Errors
/// `NotFound`: what is no UUID names nothing.
pub fn uuid_of(text: &str) -> Result<Id, Failure> {
    let uuid = Uuid::try_parse(text).ok().filter(|_| text.len() == UUID_CHARS);
    uuid.map(Id::Uuid).ok_or(Failure::NotFound { noun: Noun::Customer })
}

/// A living customer by UUID, one that was merged into another as that one; none when it is
/// deleted.
///
/// # Errors
/// `NotFound` for one that never was.
pub async fn find(request: &Request, id: Id) -> Result<Option<Customer>, Failure> {
    match customers::get_following(&request.cx, id).await {
        Err(Failure::NotFound { .. }) => customers::trace(&request.cx, id).await.map(|_| None),
        found => found.map(|customer| Some(customer.record)),
    }
}

/// `POST /v2/customers`
///
/// # Errors
/// `Malformed`, `Invalid`; `Exists` when the merchant's id is taken.
pub async fn create(request: Request) -> Result<Reply, Failure> {
    let (sent, fields) = request.read::<CustomerFields>(Reading::NullKeeps)?;
    let patch = sent.into_patch(fields, None)?;
    let created = customers::create(&request.cx, patch).await?;
    Reply::json(200, &CustomerObject::of(&created))
}

/// `GET /v2/customers/{uuid}`. A deleted customer is answered too: nothing else would ever show
/// `deleted` and `deleted_at` (dossier B.4). Who it was is not shown, to nobody.
///
/// # Errors
/// `NotFound`.
pub async fn retrieve(request: Request) -> Result<Reply, Failure> {
    let (cx, id) = (&request.cx, uuid_of(request.param("uuid"))?);
    let seen = match customers::see(cx, Look::at(id).following()).await {
        Err(Failure::NotFound { .. }) => {
            let trace = customers::trace(cx, id).await?;
            return Reply::json(200, &CustomerObject::deleted(&trace));
        }
        seen => seen?,
    };
    let render = |customer: &Customer| Reply::written(&CustomerObject::of(customer));
    Ok(Reply::bytes(200, "application/json", seen.answer(cx, NAME, "", render)?))
}

/// `GET /v2/merchants/customers/{merchant_customer_id}`
///
/// # Errors
/// `NotFound`, for deleted customers as well.
pub async fn retrieve_by_merchant_id(request: Request) -> Result<Reply, Failure> {
    let reference = request.param("merchant_customer_id");
    let found = customers::get_by_reference(&request.cx, reference).await?;
    Reply::json(200, &CustomerObject::of(&found))
}

/// `POST /v2/customers/{uuid}`
///
/// # Errors
/// `NotFound`, also when it is deleted; `Malformed`, `Invalid`, `Exists`.
pub async fn update(request: Request) -> Result<Reply, Failure> {
    let id = uuid_of(request.param("uuid"))?;
    let (sent, fields) = request.read::<CustomerFields>(Reading::NullKeeps)?;
    let decide = |current: &Customer| sent.clone().into_patch(fields.clone(), Some(current));
    let updated = customers::change(&request.cx, id, Expect::Any, decide).await?;
    Reply::json(200, &CustomerObject::of(&updated))
}

/// `DELETE /v2/customers/{uuid}`. A second call finds the work done and answers the same.
///
/// # Errors
/// `NotFound`.
pub async fn delete(request: Request) -> Result<Reply, Failure> {
    let id = uuid_of(request.param("uuid"))?;
    let uuid = match customers::delete(&request.cx, id, Expect::Any).await {
        Ok(deleted) => deleted.uuid,
        Err(Failure::NotFound { .. }) => customers::trace(&request.cx, id).await?.uuid,
        Err(failure) => return Err(failure),
    };
    Reply::json(200, &DeletedCustomer { status: APPROVED, id: uuid, uuid, deleted: true })
}

/// `GET /v2/customers`
///
/// # Errors
/// `Malformed`.
pub async fn list(request: Request) -> Result<Reply, Failure> {
    let Page { limit, offset } = Page::of(&request)?;
    let query = Query {
        predicate: search::customer::living(),
        order: newest_first(search::customer::created_at()),
        limit,
        offset,
        ..Query::of(request.cx.space)
    };
    let found = customers::list(&request.cx, &query).await?;
    let data = found.items.iter().map(|customer| CustomerObject::of(customer)).collect();
    Reply::json(200, &List::of(data))
}

/// By a moment, latest first; records of the same moment by UUID, in the same direction, as UUIDs
/// are in order of time too.
pub fn newest_first(moment: Field) -> Order {
    let key = |field| SortKey { field, descending: true };
    Order { keys: vec![key(moment), key(search::customer::uuid())], descending: true }
}
