//! The customer as it comes in (dossier §4.2), and the change of the record it stands for.
//!
//! Absent keeps, `null` clears, custom fields merge key by key (§4.3). A value that is sent back as
//! it was shown changes nothing: the record may hold it in a richer form (a full name, a phone
//! number as typed, a named time zone, a blocked customer shown as locked).

use std::collections::BTreeMap;

use patron_gateway::{Exchange, Fields, Member, Reading};
use patron_model::{
    Failure, Patch, Timestamp, Why,
    address::{AddressEdit, PostalPatch},
    country::Country,
    customer::{Customer, CustomerPatch, PasswordHash, STAND_IN, Status},
    email::Email,
    metadata::MetadataPatch,
    phone::Phone,
    text::{self, Line, Name, Reference},
    time_zone::TimeZone,
};
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Number, Value};

use crate::{NAME, customers::show};

/// Most characters of a custom field's value (dossier §4.2).
const CUSTOM_VALUE_MAX: usize = 100;
/// Most characters of a portal password.
const PASSWORD_MAX: usize = 256;
/// Most characters of the shipping address's first line and of its city.
const SHIPPING_LINE_MAX: usize = 250;
/// Most characters of the shipping address's second line.
const SHIPPING_LINE2_MAX: usize = 100;
/// Most characters of the shipping address's postal code.
const SHIPPING_ZIP_MAX: usize = 50;
/// Hours of a time zone (dossier §3.3, code 3004).
const HOURS_MIN: i64 = -12;
/// The same, at most.
const HOURS_MAX: i64 = 12;
/// Field of the dialect's own: the customer number of a forced record, which claims no reference.
pub const UNCLAIMED_NUMBER: &str = "customerNumber";
/// Field of the dialect's own: the creation time a caller sent, which has no effect.
const SENT_CREATED_AT: &str = "createdAt";

/// A customer, as added or updated. Members that are not known are ignored (dossier §1).
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct CustomerBody {
    /// The merchant's own id.
    pub customer_number: Member<String>,
    /// Portal user name.
    pub customer_username: Member<String>,
    /// Portal password; never shown.
    pub customer_psw: Member<String>,
    /// −99 deleted, 0 inactive, 1 active, 85 locked.
    pub customer_status: Member<i64>,
    /// Company.
    pub company: Member<String>,
    /// First name.
    pub firstname: Member<String>,
    /// Last name.
    pub lastname: Member<String>,
    /// Phone number.
    pub phone: Member<String>,
    /// E-mail address.
    pub email: Member<String>,
    /// Address, first line.
    pub address: Member<String>,
    /// Address, second line.
    pub address1: Member<String>,
    /// City.
    pub city: Member<String>,
    /// State.
    pub state: Member<String>,
    /// Postal code.
    pub zip: Member<String>,
    /// ISO 3166-1 alpha-2 code.
    pub country: Member<String>,
    /// Shipping address, first line.
    pub shipping_address: Member<String>,
    /// Shipping address, second line.
    pub shipping_address1: Member<String>,
    /// Shipping city.
    pub shipping_city: Member<String>,
    /// Shipping state.
    pub shipping_state: Member<String>,
    /// Shipping postal code.
    pub shipping_zip: Member<String>,
    /// Shipping country.
    pub shipping_country: Member<String>,
    /// Balance.
    pub balance: Member<Number>,
    /// Hours from UTC, −12 to 12.
    pub time_zone: Member<i64>,
    /// Custom fields.
    pub additional_fields: Member<BTreeMap<String, Value>>,
    /// Names of the fields that identify this customer.
    pub identifier_fields: Member<Vec<Option<String>>>,
    /// Accepted; the record keeps its own creation time.
    pub created_at: Member<String>,
}

/// Reads the body of a request; the collector has what does not fit in it.
///
/// # Errors
/// `UnsupportedMediaType`, `Malformed`.
pub fn read(exchange: &Exchange) -> Result<(CustomerBody, Fields), Failure> {
    if !exchange.is_json() {
        return Err(Failure::UnsupportedMediaType { supported: "application/json" });
    }
    exchange.read(Reading::NullClears)
}

/// Texts whose empty form means "none": `""` cannot be an id, an address or a country.
fn filled(member: &Member<String>) -> Member<String> {
    match member {
        Member::Value(text) if text.is_empty() => Member::Null,
        other => other.clone(),
    }
}

fn line(max: usize) -> impl Fn(&str) -> Result<Line, Why> {
    move |typed| {
        text::check(typed, 0, max, false)?;
        Line::parse(typed)
    }
}

impl CustomerBody {
    /// The identifier fields it names.
    pub fn identifiers(&self) -> Option<Vec<String>> {
        let names = self.identifier_fields.as_ref()?;
        Some(names.iter().flatten().filter(|name| !name.is_empty()).cloned().collect())
    }

    /// Whether the customer is to be deleted.
    pub fn deletes(&self) -> bool {
        self.customer_status == Member::Value(show::DELETED)
    }

    /// The password, when it sets one. One that is too long is noted.
    pub fn password(&self, fields: &mut Fields) -> Patch<String> {
        fields.text("customerPsw", filled(&self.customer_psw), |typed| {
            text::check(typed, 1, PASSWORD_MAX, true)?;
            Ok(typed.to_owned())
        })
    }

    /// The change it stands for, on the record as it is; `None` for a new one.
    ///
    /// # Errors
    /// `Invalid` with every problem.
    pub fn change(
        &self,
        current: Option<&Customer>,
        password: Patch<PasswordHash>,
        now: Timestamp,
    ) -> Result<CustomerPatch, Failure> {
        self.change_beside(Fields::new(Reading::NullClears), current, password, now)
    }

    /// The same, with what is wrong with the body already.
    ///
    /// # Errors
    /// `Malformed` or `Invalid`, with every problem.
    pub fn change_beside(
        &self,
        mut fields: Fields,
        current: Option<&Customer>,
        password: Patch<PasswordHash>,
        now: Timestamp,
    ) -> Result<CustomerPatch, Failure> {
        let mut patch = CustomerPatch { portal_password: password, ..CustomerPatch::default() };
        self.change_status(&mut patch, &mut fields, current, now);
        self.change_person(&mut patch, &mut fields, current);
        self.change_reach(&mut patch, &mut fields, current);
        self.change_account(&mut patch, &mut fields, current, now);
        patch.billing = self.billing(&mut fields);
        patch.shipping = self.shipping(&mut fields);
        fields.finish()?;
        Ok(patch)
    }

    /// A status that was not sent is shown as inactive on a new record (dossier §4.3), until
    /// somebody sets one; for everybody else such a customer is active.
    fn change_status(
        &self,
        patch: &mut CustomerPatch,
        fields: &mut Fields,
        current: Option<&Customer>,
        now: Timestamp,
    ) {
        let wanted = match (&self.customer_status, current) {
            (Member::Absent, Some(_)) => return,
            (Member::Absent | Member::Null, None) => {
                let shown = Value::String(show::INACTIVE.to_string());
                patch.extras.push((NAME, STAND_IN, Patch::Set(shown)));
                return;
            }
            (Member::Null, Some(_)) => show::INACTIVE,
            (Member::Value(code), _) => *code,
        };
        if current.is_some_and(|current| show::status_code(current, now) == wanted) {
            return;
        }
        patch.status = match wanted {
            show::ACTIVE => Patch::Set(Status::Active),
            show::INACTIVE => Patch::Set(Status::Inactive),
            show::LOCKED => Patch::Set(Status::Locked),
            show::DELETED if current.is_some() => Patch::Keep,
            _ => {
                let allowed = if current.is_some() { "-99, 0, 1, 85" } else { "0, 1, 85" };
                fields.refuse("customerStatus", Why::NotOneOf { allowed });
                Patch::Keep
            }
        };
    }

    fn change_person(
        &self,
        patch: &mut CustomerPatch,
        fields: &mut Fields,
        current: Option<&Customer>,
    ) {
        let given = fields.text("firstname", self.firstname.clone(), Name::parse);
        let family = fields.text("lastname", self.lastname.clone(), Name::parse);
        patch.company_name = fields.text("company", self.company.clone(), Name::parse);
        let Some(current) = current else {
            (patch.given_name, patch.family_name) = (given, family);
            return;
        };
        let shown = current.names();
        let name = |text: Option<&str>| text.and_then(|text| Name::parse(text).ok());
        let before = (name(shown.given.as_deref()), name(shown.family.as_deref()));
        let after = (given.apply(before.0.clone()), family.apply(before.1.clone()));
        if after == before {
            return;
        }
        patch.given_name = Patch::clear_or(after.0);
        patch.family_name = Patch::clear_or(after.1);
        // The full name that came in by another way is the name of before.
        patch.full_name = Patch::Clear;
    }

    fn change_reach(
        &self,
        patch: &mut CustomerPatch,
        fields: &mut Fields,
        current: Option<&Customer>,
    ) {
        patch.email = fields.text("email", filled(&self.email), Email::parse);
        let phone = fields.text("phone", filled(&self.phone), |typed| Phone::parse(typed, None));
        let shown = current.and_then(show::shown_phone);
        let same = matches!((&phone, &shown), (Patch::Set(new), Some(old)) if new.raw() == old);
        patch.phone = if same { Patch::Keep } else { phone };
    }

    fn change_account(
        &self,
        patch: &mut CustomerPatch,
        fields: &mut Fields,
        current: Option<&Customer>,
        now: Timestamp,
    ) {
        let number = fields.text("customerNumber", filled(&self.customer_number), Reference::parse);
        let shown = current.and_then(show::shown_number);
        let same = matches!((&number, shown), (Patch::Set(new), Some(old)) if new.as_str() == old);
        if !same {
            if !number.is_keep() && current.is_some() {
                patch.extras.push((NAME, UNCLAIMED_NUMBER, Patch::Clear));
            }
            patch.reference = number;
        }
        patch.portal_user_name =
            fields.text("customerUsername", self.customer_username.clone(), Line::parse);
        patch.balance = fields.parse("balance", self.balance.clone(), |number| decimal(&number));
        if current.is_some_and(|c| c.balance.is_none())
            && matches!(&patch.balance, Patch::Set(balance) if balance.is_zero())
        {
            patch.balance = Patch::Keep;
        }
        let zone = fields.parse("timeZone", self.time_zone.clone(), |hours| match hours {
            HOURS_MIN..=HOURS_MAX => TimeZone::of_hours(hours).map(|zone| (hours, zone)),
            _ => Err(Why::OutOfRange { min: HOURS_MIN, max: HOURS_MAX }),
        });
        patch.time_zone = match zone {
            Patch::Set((hours, _))
                if current.is_some_and(|c| show::shown_hours(c, now) == hours) =>
            {
                Patch::Keep
            }
            other => other.map(|(_, zone)| zone),
        };
        patch.metadata = self.custom_fields(fields);
        let identifiers = match &self.identifier_fields {
            Member::Absent => Member::Absent,
            Member::Null => Member::Null,
            Member::Value(_) => Member::Value(self.identifiers().unwrap_or_default()),
        };
        patch.identifier_fields = fields.parse("identifierFields", identifiers, |names| {
            names.iter().map(|name| Line::parse(name)).collect()
        });
        let created = fields.text("createdAt", filled(&self.created_at), |typed| {
            Timestamp::parse(typed).map(|_| Value::String(typed.to_owned()))
        });
        if !created.is_keep() {
            patch.extras.push((NAME, SENT_CREATED_AT, created));
        }
    }

    fn custom_fields(&self, fields: &mut Fields) -> MetadataPatch {
        let pairs = match &self.additional_fields {
            Member::Absent => return MetadataPatch::Keep,
            Member::Null => return MetadataPatch::Replace(Default::default()),
            Member::Value(pairs) => pairs,
        };
        let mut changes = BTreeMap::new();
        for (key, value) in pairs {
            let fault = match value {
                Value::Null | Value::Bool(_) | Value::Number(_) => None,
                Value::String(text) => text::check(text, 0, CUSTOM_VALUE_MAX, true).err(),
                Value::Array(_) | Value::Object(_) => Some(Why::WrongType { expected: "a string" }),
            };
            if let Some(why) = fault {
                fields.refuse(&format!("additionalFields.{key}"), why);
            }
            let value = (!value.is_null()).then(|| value.clone());
            changes.insert(key.clone(), value);
        }
        MetadataPatch::Merge(changes)
    }

    fn billing(&self, fields: &mut Fields) -> AddressEdit {
        let edit = PostalPatch {
            line1: fields.text("address", self.address.clone(), Line::parse),
            line2: fields.text("address1", self.address1.clone(), Line::parse),
            city: fields.text("city", self.city.clone(), Line::parse),
            state: fields.text("state", self.state.clone(), Line::parse),
            postal_code: fields.text("zip", self.zip.clone(), Line::parse),
            country: fields.text("country", filled(&self.country), Country::parse),
            ..PostalPatch::default()
        };
        merged(edit)
    }

    fn shipping(&self, fields: &mut Fields) -> AddressEdit {
        let country = self.shipping_country.as_ref().map(|code| code.to_ascii_uppercase());
        let zip = |typed: &str| {
            text::check(typed, 0, SHIPPING_ZIP_MAX, false)?;
            check_zip(typed, country.as_deref())?;
            Line::parse(typed)
        };
        let first = line(SHIPPING_LINE_MAX);
        let second = line(SHIPPING_LINE2_MAX);
        let edit = PostalPatch {
            line1: fields.text("shippingAddress", self.shipping_address.clone(), &first),
            line2: fields.text("shippingAddress1", self.shipping_address1.clone(), second),
            city: fields.text("shippingCity", self.shipping_city.clone(), &first),
            state: fields.text("shippingState", self.shipping_state.clone(), Line::parse),
            postal_code: fields.text("shippingZip", self.shipping_zip.clone(), zip),
            country: fields.text("shippingCountry", filled(&self.shipping_country), Country::parse),
            ..PostalPatch::default()
        };
        merged(edit)
    }
}

fn merged(edit: PostalPatch) -> AddressEdit {
    if edit.is_keep() { AddressEdit::Keep } else { AddressEdit::Merge(Box::new(edit)) }
}

/// Postal codes of the two countries whose form the API documents; others are taken as they are.
fn check_zip(typed: &str, country: Option<&str>) -> Result<(), Why> {
    let bytes = typed.as_bytes();
    let shaped = |shape: &str| {
        bytes.len() == shape.len()
            && bytes.iter().zip(shape.bytes()).all(|(byte, want)| match want {
                b'0' => byte.is_ascii_digit(),
                b'A' => byte.is_ascii_alphabetic(),
                other => *byte == other,
            })
    };
    let (shapes, expected): (&[&str], _) = match country {
        Some("US") => (&["00000", "00000-0000", "000000000"], "a US postal code"),
        Some("CA") => (&["A0A0A0", "A0A 0A0", "A0A-0A0"], "a Canadian postal code"),
        _ => return Ok(()),
    };
    if typed.is_empty() || shapes.iter().any(|shape| shaped(shape)) {
        Ok(())
    } else {
        Err(Why::Malformed { expected })
    }
}

/// A JSON number as a decimal.
fn decimal(number: &Number) -> Result<Decimal, Why> {
    let text = number.to_string();
    let plain = text.parse().or_else(|_| Decimal::from_scientific(&text));
    plain.map_err(|_| Why::Malformed { expected: "a decimal number of at most 28 digits" })
}
