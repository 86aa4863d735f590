//! What is said of a customer on creation and change (dossier §8, "Body"), and the patch it means:
//! absent members stay, `null` and empty texts clear.

use std::collections::BTreeMap;

use patron_gateway::{Fields, Member, Reading};
use patron_model::{
    Failure, Patch, Problems, Why,
    customer::{Customer, CustomerPatch},
    email::Email,
    metadata::{Metadata, MetadataPatch},
    phone::Phone,
    text::{self, Line, Name, Note},
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    customers::{
        addresses::{AddressBody, AddressChange},
        phones,
    },
    input::{Written, text_of},
};

/// Most characters of a name.
const NAME_CHARS_MAX: usize = 128;
/// Most characters of an e-mail address.
const EMAIL_CHARS_MAX: usize = 240;
/// Most characters of a description.
const DESCRIPTION_CHARS_MAX: usize = 256;

/// A customer as it comes in. Members take any value here, so that all faults can be named at once.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(rename = "CustomerInput")]
pub struct CustomerBody {
    /// E-mail address; required on creation when `phone` is not present.
    #[schemars(with = "Written")]
    email: Member<Value>,
    /// Phone number; required on creation when `email` is not present. May be an integer.
    #[schemars(with = "Written")]
    phone: Member<Value>,
    /// Full name.
    #[schemars(with = "Written")]
    name: Member<Value>,
    /// Company.
    #[schemars(with = "Written")]
    company_name: Member<Value>,
    /// Tax number.
    #[schemars(with = "Written")]
    tax_number: Member<Value>,
    /// Free description.
    #[schemars(with = "Written")]
    description: Member<Value>,
    /// The integrator's own pairs; replaced as a whole.
    #[schemars(with = "Option<BTreeMap<String, Value>>")]
    metadata: Member<Value>,
    /// The address without particular purpose.
    #[schemars(with = "Option<AddressBody>")]
    address: Member<Value>,
    /// Where bills go.
    #[schemars(with = "Option<AddressBody>")]
    billing: Member<Value>,
    /// Where goods go.
    #[schemars(with = "Option<AddressBody>")]
    shipping: Member<Value>,
}

/// What shall become of a customer, every value parsed. What depends on the record (the country of
/// a phone number, addresses) is decided by [`Wanted::patch`].
#[derive(Debug, Clone)]
pub struct Wanted {
    email: Patch<Email>,
    phone: Patch<Phone>,
    name: Patch<Name>,
    company_name: Patch<Name>,
    tax_number: Patch<Line>,
    description: Patch<Note>,
    metadata: MetadataPatch,
    address: AddressChange,
    billing: AddressChange,
    shipping: AddressChange,
}

/// The two texts of "an e-mail address or a phone number".
fn refuse_unreachable() -> Problems {
    let mut problems = Problems::one("email", Why::RequiredWithout { others: "phone" });
    problems.add("phone", Why::RequiredWithout { others: "email" });
    problems
}

impl CustomerBody {
    /// The values for a new customer.
    ///
    /// # Errors
    /// `Invalid` with every problem.
    pub fn for_creation(self) -> Result<Wanted, Failure> {
        let nothing = !has_value(&self.email) && !has_value(&self.phone);
        self.wanted(nothing)
    }

    /// The values for a change. One that says nothing is refused.
    ///
    /// # Errors
    /// `Invalid` with every problem.
    pub fn for_change(self) -> Result<Wanted, Failure> {
        let members = [
            &self.email,
            &self.phone,
            &self.name,
            &self.company_name,
            &self.tax_number,
            &self.description,
            &self.metadata,
            &self.address,
            &self.billing,
            &self.shipping,
        ];
        let nothing = members.iter().all(|member| member.is_absent());
        self.wanted(nothing)
    }

    fn wanted(self, unreachable: bool) -> Result<Wanted, Failure> {
        let mut fields = Fields::new(Reading::NullClears);
        if unreachable {
            fields.refuse_all(refuse_unreachable());
        }
        let email = |value: Value| {
            let typed = text_of(&value)?;
            text::check(&typed, 1, EMAIL_CHARS_MAX, false)?;
            Email::parse(&typed)
        };
        let name = |value: Value| {
            let typed = text_of(&value)?;
            text::check(&typed, 0, NAME_CHARS_MAX, false)?;
            Name::parse(&typed)
        };
        let description = |value: Value| {
            let typed = text_of(&value)?;
            text::check(&typed, 0, DESCRIPTION_CHARS_MAX, true)?;
            Note::parse(&typed)
        };
        let phone = |value: Value| phones::parse(&text_of(&value)?);
        let company_name = |value: Value| Name::parse(&text_of(&value)?);
        let tax_number = |value: Value| Line::parse(&text_of(&value)?);
        let mut problems = Problems::new();
        let mut address = |field, member| AddressChange::read(field, &member, &mut problems);
        let wanted = Wanted {
            email: fields.parse("email", blank_is_null(self.email), email),
            phone: fields.parse("phone", blank_is_null(self.phone), phone),
            name: fields.parse("name", blank_is_null(self.name), name),
            company_name: fields.parse(
                "company_name",
                blank_is_null(self.company_name),
                company_name,
            ),
            tax_number: fields.parse("tax_number", blank_is_null(self.tax_number), tax_number),
            description: fields.parse("description", blank_is_null(self.description), description),
            metadata: metadata(&mut fields, blank_is_null(self.metadata)),
            address: address("address", blank_is_null(self.address)),
            billing: address("billing", blank_is_null(self.billing)),
            shipping: address("shipping", blank_is_null(self.shipping)),
        };
        fields.refuse_all(problems);
        fields.finish()?;
        Ok(wanted)
    }
}

fn has_value(member: &Member<Value>) -> bool {
    member.as_ref().is_some_and(|value| value.as_str() != Some(""))
}

/// An empty text means `null`, the only way in which a form can say it.
fn blank_is_null(member: Member<Value>) -> Member<Value> {
    match member {
        Member::Value(Value::String(text)) if text.is_empty() => Member::Null,
        other => other,
    }
}

fn metadata(fields: &mut Fields, member: Member<Value>) -> MetadataPatch {
    let pairs = match member {
        Member::Absent => return MetadataPatch::Keep,
        Member::Null => BTreeMap::new(),
        Member::Value(Value::Object(pairs)) => pairs.into_iter().collect(),
        // How PHP writes an object without members.
        Member::Value(Value::Array(items)) if items.is_empty() => BTreeMap::new(),
        Member::Value(_) => {
            fields.refuse("metadata", Why::WrongType { expected: "an object" });
            return MetadataPatch::Keep;
        }
    };
    match Metadata::parse("metadata", pairs) {
        Ok(metadata) => MetadataPatch::Replace(metadata),
        Err(problems) => {
            fields.refuse_all(problems);
            MetadataPatch::Keep
        }
    }
}

impl Wanted {
    /// The patch of a record, or of a new one.
    ///
    /// # Errors
    /// `Invalid` when neither e-mail address nor phone number would remain.
    pub fn patch(&self, before: Option<&Customer>) -> Result<CustomerPatch, Failure> {
        self.check_reachable(before)?;
        let mut patch = CustomerPatch {
            email: self.email.clone(),
            phone: self.phone.clone(),
            company_name: self.company_name.clone(),
            tax_number: self.tax_number.clone(),
            description: self.description.clone(),
            metadata: self.metadata.clone(),
            general: self.address.general(before),
            billing: self.billing.billing(before),
            shipping: self.shipping.shipping(before),
            ..CustomerPatch::default()
        };
        match &self.name {
            Patch::Keep => {}
            // The name as it is shown, sent back: a derived form is not written down.
            Patch::Set(name) if shown_name(before).as_deref() == Some(name.as_str()) => {}
            Patch::Set(name) => patch.full_name = Patch::Set(name.clone()),
            // Without the parts as well; they would show up as the name again.
            Patch::Clear => {
                patch.full_name = Patch::Clear;
                patch.given_name = Patch::Clear;
                patch.family_name = Patch::Clear;
            }
        }
        Ok(patch)
    }

    /// A customer that has an e-mail address or a phone number must keep one of them. One that came
    /// in without, through another API, may be changed all the same.
    fn check_reachable(&self, before: Option<&Customer>) -> Result<(), Failure> {
        let Some(before) = before else { return Ok(()) };
        let (had_email, had_phone) = (before.email.is_some(), before.phone.is_some());
        let email = remains(&self.email, had_email);
        let phone = remains(&self.phone, had_phone);
        if (had_email || had_phone) && !email && !phone {
            return Err(Failure::Invalid(refuse_unreachable()));
        }
        Ok(())
    }
}

fn remains<T>(patch: &Patch<T>, had: bool) -> bool {
    match patch {
        Patch::Keep => had,
        Patch::Clear => false,
        Patch::Set(_) => true,
    }
}

fn shown_name(before: Option<&Customer>) -> Option<String> {
    before?.names().full.map(|name| name.into_owned())
}
