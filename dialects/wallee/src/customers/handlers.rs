//! Customers (dossier §6.2).

use std::borrow::Cow;
use std::collections::BTreeMap;

use patron_app::{
    Expect,
    customers::{self, email_addresses},
    record::Look,
};
use patron_gateway::{Fields, Member, Reading, Reply, Request};
use patron_model::{
    Failure, Patch, Why,
    currency::Currency,
    customer::{Customer as Record, CustomerPatch},
    email::Email,
    language::Language,
    metadata::{Metadata, MetadataPatch},
    text::{Name, Reference},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    NAME,
    customers::fields::{compile, field, living, resolve},
    input::{Shown, expected, text},
    limits::{EMAIL_MAX, LINE_MAX, REFERENCE_MAX, cut, fitting, is_reference},
    lists::{ListParams, ListResponse, SearchParams},
    transport::id,
};

/// A customer as it is shown.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Customer<'a> {
    /// Number of the customer.
    pub id: i64,
    /// Space it belongs to.
    linked_space_id: i64,
    /// Version a change must name.
    version: i64,
    /// When it was created.
    created_on: String,
    /// The merchant's own id of the customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_id: Shown<'a>,
    /// E-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    email_address: Shown<'a>,
    /// Given name.
    #[serde(skip_serializing_if = "Option::is_none")]
    given_name: Shown<'a>,
    /// Family name.
    #[serde(skip_serializing_if = "Option::is_none")]
    family_name: Shown<'a>,
    /// Language.
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Shown<'a>,
    /// Currency, ISO 4217.
    #[serde(skip_serializing_if = "Option::is_none")]
    preferred_currency: Shown<'a>,
    /// Own pairs.
    meta_data: BTreeMap<String, String>,
}

impl<'a> Customer<'a> {
    /// The record as the provider would show it.
    pub fn of(record: &'a Record) -> Customer<'a> {
        let names = record.names();
        let named = |name: Shown<'a>| {
            name.filter(|name| !name.is_empty()).map(|name| match name {
                Cow::Borrowed(name) => cut(name, LINE_MAX),
                Cow::Owned(name) => Cow::Owned(cut(&name, LINE_MAX).into_owned()),
            })
        };
        let reference = record.reference.as_ref().map(Reference::as_str);
        Customer {
            id: record.number,
            linked_space_id: record.space,
            version: record.version,
            created_on: record.created_at.rfc3339_millis(),
            customer_id: reference
                .filter(|reference| is_reference(reference))
                .and_then(|reference| fitting(reference, REFERENCE_MAX)),
            email_address: record.email.as_ref().and_then(|e| fitting(e.as_str(), EMAIL_MAX)),
            given_name: named(names.given),
            family_name: named(names.family),
            language: record.language.as_ref().map(shown_language),
            preferred_currency: record.currency.as_ref().map(|c| Cow::Borrowed(c.as_str())),
            meta_data: record.metadata.texts(),
        }
    }
}

/// As typed, except that the provider's tags have hyphens.
fn shown_language(language: &Language) -> Cow<'_, str> {
    match language.as_str().contains('_') {
        true => Cow::Owned(language.tag()),
        false => Cow::Borrowed(language.as_str()),
    }
}

/// A reference to a customer: its id, or all of it when the caller expands it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "CustomerReference")]
pub enum CustomerReference<'a> {
    /// The id alone.
    Id {
        /// Number of the customer.
        id: i64,
    },
    /// The customer.
    Whole(Box<Customer<'a>>),
}

impl<'a> CustomerReference<'a> {
    /// The reference to a customer that is at hand.
    pub fn to(record: &'a Record, is_expanded: bool) -> CustomerReference<'a> {
        match is_expanded {
            true => CustomerReference::Whole(Box::new(Customer::of(record))),
            false => CustomerReference::Id { id: record.number },
        }
    }
}

/// An e-mail address that is or was linked to a customer.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestCustomerEmailAddress {
    /// The address.
    email_address: String,
    /// Since when it is linked.
    created_on: String,
}

/// A customer to be created.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct CustomerCreate {
    /// Own pairs.
    meta_data: Member<BTreeMap<String, Option<String>>>,
    /// E-mail address.
    email_address: Member<String>,
    /// Family name.
    family_name: Member<String>,
    /// Given name.
    given_name: Member<String>,
    /// Currency, ISO 4217.
    preferred_currency: Member<String>,
    /// The merchant's own id of the customer.
    customer_id: Member<String>,
    /// Language.
    language: Member<String>,
}

/// A customer to be changed: what is absent stays.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct CustomerActive {
    /// Own pairs; replaced as a whole.
    meta_data: Member<BTreeMap<String, Option<String>>>,
    /// E-mail address.
    email_address: Member<String>,
    /// Family name.
    family_name: Member<String>,
    /// Given name.
    given_name: Member<String>,
    /// Currency, ISO 4217.
    preferred_currency: Member<String>,
    /// The merchant's own id of the customer.
    customer_id: Member<String>,
    /// Language.
    language: Member<String>,
    /// Version the change builds on. Required.
    version: Member<i32>,
}

impl CustomerActive {
    /// The expected version and the members. That there is no version is noted.
    pub fn split(self, fields: &mut Fields) -> (Expect, CustomerCreate) {
        let CustomerActive {
            meta_data,
            email_address,
            family_name,
            given_name,
            preferred_currency,
            customer_id,
            language,
            version,
        } = self;
        let members = CustomerCreate {
            meta_data,
            email_address,
            family_name,
            given_name,
            preferred_currency,
            customer_id,
            language,
        };
        (expected(fields, version), members)
    }
}

impl CustomerCreate {
    /// What is to become of the record; none when it is to be created. `fields` has what is wrong
    /// with the body already.
    ///
    /// # Errors
    /// `Malformed` or `Invalid`, with every problem.
    pub fn patch(
        &self,
        mut fields: Fields,
        record: Option<&Record>,
    ) -> Result<CustomerPatch, Failure> {
        let shown = record.map(Customer::of).unwrap_or_default();
        let f = &mut fields;
        let mut patch = CustomerPatch {
            metadata: self.metadata(&shown, f),
            email: text(
                f,
                ("emailAddress", EMAIL_MAX),
                &self.email_address,
                &shown.email_address,
                // The provider is not known to check more than the length.
                Email::lenient,
            ),
            family_name: text(
                f,
                ("familyName", LINE_MAX),
                &self.family_name,
                &shown.family_name,
                Name::parse,
            ),
            given_name: text(
                f,
                ("givenName", LINE_MAX),
                &self.given_name,
                &shown.given_name,
                Name::parse,
            ),
            currency: text(
                f,
                ("preferredCurrency", usize::MAX),
                &self.preferred_currency,
                &shown.preferred_currency,
                Currency::parse,
            ),
            reference: text(
                f,
                ("customerId", REFERENCE_MAX),
                &self.customer_id,
                &shown.customer_id,
                parse_reference,
            ),
            language: text(
                f,
                ("language", usize::MAX),
                &self.language,
                &shown.language,
                Language::parse,
            ),
            ..CustomerPatch::default()
        };
        fields.finish()?;
        if let Some(record) = record {
            complete_names(&mut patch, record);
        }
        Ok(patch)
    }

    fn metadata(&self, shown: &Customer<'_>, fields: &mut Fields) -> MetadataPatch {
        let Some(sent) = self.meta_data.as_ref() else { return MetadataPatch::Keep };
        let pairs: BTreeMap<String, String> =
            sent.iter().filter_map(|(key, value)| Some((key.clone(), value.clone()?))).collect();
        if shown.meta_data == pairs {
            return MetadataPatch::Keep;
        }
        let pairs = pairs.into_iter().map(|(key, value)| (key, Value::String(value))).collect();
        match Metadata::parse("metaData", pairs) {
            Ok(metadata) => MetadataPatch::Replace(metadata),
            Err(problems) => {
                fields.refuse_all(problems);
                MetadataPatch::Keep
            }
        }
    }
}

fn parse_reference(text: &str) -> Result<Reference, Why> {
    match is_reference(text) {
        true => Reference::parse(text),
        false => Err(Why::Characters { allowed: "printable ASCII characters and tabs" }),
    }
}

/// Names are one fact. A changed part ends a full name that no longer fits it, and the part that
/// was only derived from it stays as it was shown.
fn complete_names(patch: &mut CustomerPatch, record: &Record) {
    let is_changed = !(patch.given_name.is_keep() && patch.family_name.is_keep());
    if !is_changed || record.full_name.is_none() {
        return;
    }
    patch.full_name = Patch::Clear;
    let names = record.names();
    let derived = |name: Option<Cow<'_, str>>| {
        name.and_then(|name| Name::parse(&name).ok()).map_or(Patch::Keep, Patch::Set)
    };
    if patch.given_name.is_keep() {
        patch.given_name = derived(names.given);
    }
    if patch.family_name.is_keep() {
        patch.family_name = derived(names.family);
    }
}

// ---- handlers ---------------------------------------------------------------------------------

/// `GET /customers`
pub async fn list(request: Request) -> Result<Reply, Failure> {
    let params = ListParams::read(&request)?;
    let query = living(params.query(request.cx.space));
    let found = customers::list(&request.cx, &query).await?;
    let shown = found.items.iter().map(|customer| Customer::of(customer)).collect();
    Reply::json(200, &params.page(shown, found.more))
}

/// `GET /customers/search`
pub async fn search(request: Request) -> Result<Reply, Failure> {
    let params = SearchParams::read(&request, &resolve)?;
    let query = living(params.query(request.cx.space, compile, field));
    let found = customers::list(&request.cx, &query).await?;
    let shown = found.items.iter().map(|customer| Customer::of(customer)).collect();
    Reply::json(200, &params.page(shown, found.more))
}

/// `GET /customers/{id}`
pub async fn retrieve(request: Request) -> Result<Reply, Failure> {
    let cx = &request.cx;
    let seen = customers::see(cx, Look::at(id(&request, "id")?)).await?;
    let answer = seen.answer(cx, NAME, "", |customer| Reply::written(&Customer::of(customer)))?;
    Ok(Reply::bytes(200, "application/json", answer))
}

/// `GET /customers/{id}/email-addresses`: every one ever linked, newest last, on a single page.
pub async fn list_email_addresses(request: Request) -> Result<Reply, Failure> {
    let customer = customers::get(&request.cx, id(&request, "id")?).await?;
    let data: Vec<RestCustomerEmailAddress> = email_addresses(&customer)
        .into_iter()
        .map(|(email_address, since)| RestCustomerEmailAddress {
            email_address,
            created_on: since.rfc3339_millis(),
        })
        .collect();
    let limit = u32::try_from(data.len()).map_err(Failure::internal)?;
    Reply::json(200, &ListResponse { data, has_more: false, limit })
}

/// `POST /customers`
pub async fn create(request: Request) -> Result<Reply, Failure> {
    let (body, fields) = request.read::<CustomerCreate>(Reading::NullKeeps)?;
    let patch = body.patch(fields, None)?;
    let customer = customers::create(&request.cx, patch).await?;
    Reply::json(201, &Customer::of(&customer))
}

/// `PATCH /customers/{id}`
pub async fn update(request: Request) -> Result<Reply, Failure> {
    let id = id(&request, "id")?;
    let (body, mut fields) = request.read::<CustomerActive>(Reading::NullKeeps)?;
    let (expect, body) = body.split(&mut fields);
    let decide = |current: &Record| body.patch(fields.clone(), Some(current));
    let customer = customers::change(&request.cx, id, expect, decide).await?;
    Reply::json(200, &Customer::of(&customer))
}

/// `DELETE /customers/{id}`
pub async fn delete(request: Request) -> Result<Reply, Failure> {
    customers::delete(&request.cx, id(&request, "id")?, Expect::Any).await?;
    Ok(Reply::empty(204))
}

/// `POST /customers/{id}/merge/{other}`: `{id}` stays, `{other}` goes.
pub async fn merge(request: Request) -> Result<Reply, Failure> {
    let (survivor, absorbed) = (id(&request, "id")?, id(&request, "other")?);
    if survivor == absorbed {
        customers::get(&request.cx, survivor).await?;
        let why = Why::Malformed { expected: "another customer" };
        return Err(Failure::invalid("other", why));
    }
    let merged = customers::merge(&request.cx, survivor, absorbed, Expect::Any).await?;
    Reply::json(200, &Customer::of(&merged.survivor))
}
