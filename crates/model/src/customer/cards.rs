//! What is searched for card data before a customer is stored: every text a caller can have
//! written, and what is shown as one text.

use rust_decimal::Decimal;

use super::{Customer, Portal};
use crate::{address::Postal, card::Found, email::Email, phone::Phone, text::Line};

impl Customer {
    /// Searches everything that was not made by the server itself.
    pub fn search_cards(&self, found: &mut Found) {
        // Destructured so that a new field cannot be forgotten.
        let Customer {
            number: _,
            uuid: _,
            space: _,
            version: _,
            reference,
            given_name,
            family_name,
            full_name,
            title,
            company_name,
            company_registration_number,
            tax_number,
            email,
            email_since: _,
            former_emails,
            phone,
            work_phone,
            language: _,
            currency: _,
            time_zone: _,
            description,
            metadata,
            status: _,
            status_reason,
            status_until: _,
            balance,
            portal,
            identifier_fields,
            both: _,
            billing: _,
            shipping: _,
            other_addresses: _,
            extras,
            created_at: _,
            updated_at: _,
            deleted_at: _,
            merged_into: _,
        } = self;
        for (field, value) in [
            ("reference", text(reference)),
            ("given_name", text(given_name)),
            ("family_name", text(family_name)),
            ("full_name", text(full_name)),
            ("title", text(title)),
            ("company_name", text(company_name)),
            ("company_registration_number", text(company_registration_number)),
            ("tax_number", text(tax_number)),
            ("description", text(description)),
            ("status_reason", text(status_reason)),
        ] {
            found.maybe(field, value.as_ref());
        }
        search_email("email", email.as_ref(), found);
        for former in former_emails {
            search_email("email", Some(&former.email), found);
        }
        search_phone("phone", phone.as_ref(), found);
        search_phone("work_phone", work_phone.as_ref(), found);
        for (key, value) in metadata.pairs() {
            found.member("metadata", key, value);
        }
        search_account(balance.as_ref(), portal.as_ref(), identifier_fields, found);
        for (field, value) in extras.values().flatten() {
            found.member("", field, value);
        }
        self.search_what_is_shown_as_one(found);
    }

    fn search_what_is_shown_as_one(&self, found: &mut Found) {
        let (given, family) = (text(&self.given_name), text(&self.family_name));
        found.joined("family_name", &[given, family]);
        found.joined("family_name", &[family, given]);
        for address in self.addresses() {
            search_postal(&address.postal, found);
        }
    }
}

fn text<T: AsRef<str>>(value: &Option<T>) -> Option<&str> {
    value.as_ref().map(AsRef::as_ref)
}

fn search_account(
    balance: Option<&Decimal>,
    portal: Option<&Portal>,
    identifier_fields: &[Line],
    found: &mut Found,
) {
    if let Some(balance) = balance {
        found.text("balance", &balance.to_string());
    }
    if let Some(Portal { user_name, password_hash: _ }) = portal {
        found.maybe("portal_user_name", user_name.as_ref());
    }
    for field in identifier_fields {
        found.text("identifier_fields", field.as_str());
    }
}

fn search_email(field: &str, email: Option<&Email>, found: &mut Found) {
    if let Some(email) = email {
        found.text(field, email.as_str());
    }
}

fn search_phone(field: &str, phone: Option<&Phone>, found: &mut Found) {
    if let Some(phone) = phone {
        found.text(field, phone.raw());
    }
}

impl Postal {
    /// Looks for card data in every text.
    pub fn search_cards(&self, found: &mut Found) {
        search_postal(self, found);
    }
}

fn search_postal(postal: &Postal, found: &mut Found) {
    let Postal {
        given_name,
        middle_name,
        family_name,
        organization_name,
        salutation,
        gender: _,
        date_of_birth: _,
        line1,
        line2,
        line3,
        city,
        dependent_locality,
        sorting_code,
        postal_code,
        state,
        country: _,
        email,
        phone,
        mobile_phone,
        commercial_register_number,
        sales_tax_number,
        social_security_number,
        legal_organization_form,
    } = postal;
    let mut look = |field: &'static str, text: Option<&str>| {
        if let Some(text) = text {
            found.text(field, text);
        }
    };
    look("given_name", text(given_name));
    look("middle_name", text(middle_name));
    look("family_name", text(family_name));
    look("organization_name", text(organization_name));
    look("salutation", text(salutation));
    look("line1", text(line1));
    look("line2", text(line2));
    look("line3", text(line3));
    look("city", text(city));
    look("dependent_locality", text(dependent_locality));
    look("sorting_code", text(sorting_code));
    look("postal_code", text(postal_code));
    look("state", text(state));
    look("commercial_register_number", text(commercial_register_number));
    look("sales_tax_number", text(sales_tax_number));
    look("social_security_number", text(social_security_number));
    search_email("email", email.as_ref(), found);
    search_phone("phone", phone.as_ref(), found);
    search_phone("mobile_phone", mobile_phone.as_ref(), found);
    if let Some(form) = legal_organization_form {
        found.text("legal_organization_form", &form.to_string());
    }
    // What is shown as one text somewhere.
    found.joined("line2", &[text(line1), text(line2), text(line3)]);
    found.joined("family_name", &[text(given_name), text(middle_name), text(family_name)]);
    found.joined("city", &[text(postal_code), text(city)]);
}
