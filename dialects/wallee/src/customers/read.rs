//! What is sent about a customer, and the change that it asks for (dossier §6.2).

use std::borrow::Cow;
use std::collections::BTreeMap;

use patron_app::Expect;
use patron_gateway::{Fields, Member};
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
use serde::Deserialize;
use serde_json::Value;

use crate::{
    customers::show::Customer,
    input::{expected, text},
    limits::{EMAIL_MAX, LINE_MAX, REFERENCE_MAX, is_reference},
};

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
