//! The address inside an address (dossier §6.1): twenty fields, and how they map to the record.

use std::borrow::Cow;

use patron_gateway::{Fields, Member};
use patron_model::{
    Patch, Why,
    address::{Gender, Postal, PostalPatch},
    country::Country,
    email::Email,
    phone::Phone,
    text::{Line, Name},
    time::Day,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    input::{Shown, text},
    limits::{
        EMAIL_MAX, LINE_MAX, POSTCODE_MAX, SALUTATION_MAX, STATE_MAX, STREET_MAX, cut, fitting,
    },
};

/// Lines of a street that the record can keep.
const STREET_LINES_MAX: usize = 3;
const GENDERS: &str = "MALE, FEMALE";

macro_rules! postal_address {
    ($( $(#[$doc:meta])* $field:ident ),* $(,)?) => {
        /// A postal address as it is shown.
        #[derive(Debug, Default, Serialize, JsonSchema)]
        #[serde(rename_all = "camelCase")]
        #[schemars(rename = "CustomerPostalAddress")]
        pub struct PostalAddress<'a> {
            $( $(#[$doc])* #[serde(skip_serializing_if = "Option::is_none")] $field: Shown<'a>, )*
            /// Legal form of the organisation.
            #[serde(skip_serializing_if = "Option::is_none")]
            legal_organization_form: Option<FormReference>,
        }

        /// A postal address as it is sent.
        #[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
        #[serde(default, rename_all = "camelCase")]
        #[schemars(rename = "CustomerPostalAddressCreate")]
        pub struct PostalAddressCreate {
            $( $(#[$doc])* $field: Member<String>, )*
            /// Legal form of the organisation, by its id.
            legal_organization_form: Member<i64>,
        }
    };
}

postal_address! {
    /// Country, ISO 3166-1 alpha-2.
    country,
    /// Mobile phone number.
    mobile_phone_number,
    /// `MALE` or `FEMALE`.
    gender,
    /// Company or other organisation.
    organization_name,
    /// Town.
    city,
    /// Number in the commercial register.
    commercial_register_number,
    /// Social security number.
    social_security_number,
    /// Given name.
    given_name,
    /// Postal code.
    postcode,
    /// Sales tax number.
    sales_tax_number,
    /// Date of birth.
    date_of_birth,
    /// Part of the town.
    dependent_locality,
    /// E-mail address.
    email_address,
    /// Phone number.
    phone_number,
    /// Sorting code of the post.
    sorting_code,
    /// Street; line breaks separate its lines.
    street,
    /// Family name.
    family_name,
    /// State, province or region.
    postal_state,
    /// Mr, Mrs, Dr, …
    salutation,
}

/// A legal form: its id, since the catalogue of forms is not part of the customer's family.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[schemars(rename = "LegalOrganizationFormReference")]
pub struct FormReference {
    id: i64,
}

/// Names of the text fields: what addresses can be searched by.
pub const TEXT_FIELDS: [&str; 19] = [
    "country",
    "mobilePhoneNumber",
    "gender",
    "organizationName",
    "city",
    "commercialRegisterNumber",
    "socialSecurityNumber",
    "givenName",
    "postcode",
    "salesTaxNumber",
    "dateOfBirth",
    "dependentLocality",
    "emailAddress",
    "phoneNumber",
    "sortingCode",
    "street",
    "familyName",
    "postalState",
    "salutation",
];

impl<'a> PostalAddress<'a> {
    /// The address as the provider would show it.
    pub fn of(postal: &'a Postal) -> PostalAddress<'a> {
        let line = |value: &'a Option<Line>, max| value.as_ref().map(|v| cut(v.as_str(), max));
        let name = |value: &'a Option<Name>| value.as_ref().map(|v| cut(v.as_str(), LINE_MAX));
        let phone = |value: &'a Option<Phone>| value.as_ref().map(|v| cut(v.raw(), LINE_MAX));
        PostalAddress {
            country: postal.country.as_ref().map(|country| Cow::Owned(country.code())),
            mobile_phone_number: phone(&postal.mobile_phone),
            gender: postal.gender.map(|gender| Cow::Borrowed(gender_word(gender))),
            organization_name: name(&postal.organization_name),
            city: line(&postal.city, LINE_MAX),
            commercial_register_number: line(&postal.commercial_register_number, LINE_MAX),
            social_security_number: line(&postal.social_security_number, LINE_MAX),
            given_name: name(&postal.given_name),
            postcode: line(&postal.postal_code, POSTCODE_MAX),
            sales_tax_number: line(&postal.sales_tax_number, LINE_MAX),
            date_of_birth: postal.date_of_birth.as_ref().map(|day| Cow::Borrowed(day.as_str())),
            dependent_locality: line(&postal.dependent_locality, LINE_MAX),
            email_address: postal.email.as_ref().and_then(|e| fitting(e.as_str(), EMAIL_MAX)),
            phone_number: phone(&postal.phone),
            sorting_code: line(&postal.sorting_code, LINE_MAX),
            street: street(postal),
            family_name: name(&postal.family_name),
            postal_state: line(&postal.state, STATE_MAX),
            salutation: line(&postal.salutation, SALUTATION_MAX),
            legal_organization_form: postal.legal_organization_form.map(|id| FormReference { id }),
        }
    }
}

fn gender_word(gender: Gender) -> &'static str {
    match gender {
        Gender::Male => "MALE",
        Gender::Female => "FEMALE",
    }
}

/// The provider has one street, whose lines its shop plugins separate by line breaks.
fn street(postal: &Postal) -> Shown<'_> {
    let lines = [&postal.line1, &postal.line2, &postal.line3];
    let lines: Vec<&str> = lines.into_iter().flatten().map(Line::as_str).collect();
    match lines.as_slice() {
        [] => None,
        [only] => Some(cut(only, STREET_MAX)),
        several => Some(Cow::Owned(cut(&several.join("\n"), STREET_MAX).into_owned())),
    }
}

/// Sets fields of a patch: target, then source with its name, limit and reader.
macro_rules! replace {
    ($sent:ident, $shown:ident, $fields:ident, $patch:ident:
     $( $target:ident = $source:ident($name:literal, $max:expr, $parse:expr) ),* $(,)?) => {
        $( $patch.$target =
            replaced($fields, ($name, $max), &$sent.$source, &$shown.$source, $parse); )*
    };
}

impl PostalAddressCreate {
    /// What is to become of the address, its faults told by its own members: a whole replacement
    /// of what the provider knows of it. What is sent as it was shown, or neither sent nor shown,
    /// stays.
    pub fn patch(&self, before: &Postal, fields: &mut Fields) -> PostalPatch {
        let shown = PostalAddress::of(before);
        let mut patch = PostalPatch::default();
        let line = Line::parse;
        replace! { self, shown, fields, patch:
            country = country("country", usize::MAX, Country::parse),
            city = city("city", LINE_MAX, line),
            dependent_locality =
                dependent_locality("dependentLocality", LINE_MAX, line),
            sorting_code = sorting_code("sortingCode", LINE_MAX, line),
            postal_code = postcode("postcode", POSTCODE_MAX, line),
            state = postal_state("postalState", STATE_MAX, line),
            organization_name =
                organization_name("organizationName", LINE_MAX, Name::parse),
            given_name = given_name("givenName", LINE_MAX, Name::parse),
            family_name = family_name("familyName", LINE_MAX, Name::parse),
            salutation = salutation("salutation", SALUTATION_MAX, line),
            gender = gender("gender", usize::MAX, parse_gender),
            date_of_birth = date_of_birth("dateOfBirth", usize::MAX, Day::parse),
            email = email_address("emailAddress", EMAIL_MAX, Email::lenient),
            commercial_register_number =
                commercial_register_number("commercialRegisterNumber", LINE_MAX, line),
            sales_tax_number = sales_tax_number("salesTaxNumber", LINE_MAX, line),
            social_security_number =
                social_security_number("socialSecurityNumber", LINE_MAX, line),
        }
        // A national phone number is read with the plan of the country it is sent with.
        let plan = patch.country.clone().apply(before.country.clone());
        let phone = |text: &str| Phone::parse(text, plan.as_ref());
        replace! { self, shown, fields, patch:
            phone = phone_number("phoneNumber", LINE_MAX, phone),
            mobile_phone = mobile_phone_number("mobilePhoneNumber", LINE_MAX, phone),
        }
        [patch.line1, patch.line2, patch.line3] = self.street_lines(&shown, fields);
        let form = self.legal_organization_form.as_ref().copied();
        patch.legal_organization_form = Patch::clear_or(form);
        patch
    }

    fn street_lines(&self, shown: &PostalAddress<'_>, fields: &mut Fields) -> [Patch<Line>; 3] {
        let lines =
            replaced(fields, ("street", STREET_MAX), &self.street, &shown.street, |street| {
                let lines = street.split('\n').map(|l| l.strip_suffix('\r').unwrap_or(l));
                let lines: Vec<&str> = lines.collect();
                if lines.len() > STREET_LINES_MAX {
                    return Err(Why::TooMany { max: STREET_LINES_MAX });
                }
                lines.into_iter().map(Line::parse).collect::<Result<Vec<Line>, Why>>()
            });
        match lines {
            Patch::Keep => [Patch::Keep, Patch::Keep, Patch::Keep],
            Patch::Clear => [Patch::Clear, Patch::Clear, Patch::Clear],
            Patch::Set(lines) => {
                let mut lines = lines.into_iter();
                [lines.next(), lines.next(), lines.next()].map(Patch::clear_or)
            }
        }
    }
}

/// A text of an address that is replaced as a whole: absence clears what is shown.
fn replaced<T>(
    fields: &mut Fields,
    place: (&str, usize),
    sent: &Member<String>,
    shown: &Shown<'_>,
    parse: impl FnOnce(&str) -> Result<T, Why>,
) -> Patch<T> {
    match sent.as_ref() {
        None if shown.is_some() => Patch::Clear,
        _ => text(fields, place, sent, shown, parse),
    }
}

fn parse_gender(word: &str) -> Result<Gender, Why> {
    match word {
        "MALE" => Ok(Gender::Male),
        "FEMALE" => Ok(Gender::Female),
        _ => Err(Why::not_one_of(word, GENDERS)),
    }
}
