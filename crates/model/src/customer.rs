//! The customer record and how it changes.
//!
//! [`Customer::create`] and [`Customer::apply`] are pure: patch in, next record and the names of the
//! changed fields out, or every problem at once. `version` counts changes of the customer's own
//! fields; addresses that are changed as resources of their own have versions of their own.

mod addresses;
mod cards;
mod merge;
mod phones;
mod refusals;
mod revert;
mod status;

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    Identity, Ids, Patch, Problems, Timestamp, Why,
    address::{ADDRESSES_MAX, Address, AddressEdit, Postal, Purpose},
    currency::Currency,
    email::Email,
    language::Language,
    metadata::{Metadata, MetadataPatch},
    names::{self, Names},
    phone::Phone,
    text::{Line, Name, Note, Reference},
    time_zone::TimeZone,
};

pub use self::refusals::Deed;
pub use self::revert::{ON_NAMING, REVERTIBLE};
pub use self::status::{STAND_IN, Status, StatusVerb};

/// Former e-mail addresses kept on the record; older ones are in the journal.
pub const FORMER_EMAILS_MAX: usize = 50;
/// Most identifier fields.
pub const IDENTIFIER_FIELDS_MAX: usize = 20;

/// Sign-in data of a customer portal.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct Portal {
    /// User name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_name: Option<Line>,
    /// Argon2id hash of the password; the password itself is never kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_hash: Option<PasswordHash>,
}

/// An Argon2id hash in PHC form.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct PasswordHash(pub String);

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PasswordHash(…)")
    }
}

/// An e-mail address the customer had before.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct FormerEmail {
    /// The address.
    pub email: Email,
    /// Since when it was linked to the customer.
    pub since: Timestamp,
}

/// A customer of a business.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Customer {
    /// Number, unique in the deployment.
    pub number: i64,
    /// UUID.
    pub uuid: Uuid,
    /// Space it belongs to.
    pub space: i64,
    /// Counts the changes of the customer's own fields, from 1.
    pub version: i64,
    /// The merchant's own id, unique among the living customers of the space.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// Given name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_name: Option<Name>,
    /// Family name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family_name: Option<Name>,
    /// Full name, as it came in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_name: Option<Name>,
    /// Mr, Mrs, Dr, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Line>,
    /// Company.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company_name: Option<Name>,
    /// Number in a company register.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company_registration_number: Option<Line>,
    /// Tax number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_number: Option<Line>,
    /// E-mail address. Not unique.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Email>,
    /// Since when this e-mail address is linked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email_since: Option<Timestamp>,
    /// E-mail addresses linked before, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_emails: Vec<FormerEmail>,
    /// Phone number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<Phone>,
    /// Phone number at work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work_phone: Option<Phone>,
    /// Preferred language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// Preferred currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// Time zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<TimeZone>,
    /// Free description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Note>,
    /// The integrator's own pairs.
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub metadata: Metadata,
    /// Status.
    #[serde(default)]
    pub status: Status,
    /// Why it has this status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<Note>,
    /// Until when; afterwards the customer counts as active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_until: Option<Timestamp>,
    /// What the customer owes or has in credit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balance: Option<Decimal>,
    /// Sign-in data of a customer portal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub portal: Option<Portal>,
    /// Names of the fields that identify this customer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identifier_fields: Vec<Line>,
    /// The address bills and goods go to, when that is one address; then the next two are absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    both: Option<Box<Address>>,
    /// The address bills go to: the default one, or the next best.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    billing: Option<Box<Address>>,
    /// The address goods go to: the default one, or the next best.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shipping: Option<Box<Address>>,
    /// All other addresses, by number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_addresses: Vec<Address>,
    /// Fields that only one dialect knows, by dialect name, verbatim; see also [`STAND_IN`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extras: BTreeMap<String, BTreeMap<String, Value>>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When one of its own fields was last changed; never goes back, even when the clock does.
    pub updated_at: Timestamp,
    /// When it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
    /// The customer that took this one over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<i64>,
}

/// A change of a customer; every field has three states.
#[derive(Debug, Clone, Default)]
pub struct CustomerPatch {
    /// The merchant's own id.
    pub reference: Patch<Reference>,
    /// Given name.
    pub given_name: Patch<Name>,
    /// Family name.
    pub family_name: Patch<Name>,
    /// Full name.
    pub full_name: Patch<Name>,
    /// Title.
    pub title: Patch<Line>,
    /// Company.
    pub company_name: Patch<Name>,
    /// Number in a company register.
    pub company_registration_number: Patch<Line>,
    /// Tax number.
    pub tax_number: Patch<Line>,
    /// E-mail address.
    pub email: Patch<Email>,
    /// Phone number.
    pub phone: Patch<Phone>,
    /// Phone number at work.
    pub work_phone: Patch<Phone>,
    /// Language.
    pub language: Patch<Language>,
    /// Currency.
    pub currency: Patch<Currency>,
    /// Time zone.
    pub time_zone: Patch<TimeZone>,
    /// Description.
    pub description: Patch<Note>,
    /// Metadata.
    pub metadata: MetadataPatch,
    /// Status; clearing it means active.
    pub status: Patch<Status>,
    /// Why.
    pub status_reason: Patch<Note>,
    /// Until when.
    pub status_until: Patch<Timestamp>,
    /// Balance.
    pub balance: Patch<Decimal>,
    /// Portal user name.
    pub portal_user_name: Patch<Line>,
    /// Portal password, already hashed.
    pub portal_password: Patch<PasswordHash>,
    /// Identifier fields.
    pub identifier_fields: Patch<Vec<Line>>,
    /// The billing address.
    pub billing: AddressEdit,
    /// The shipping address.
    pub shipping: AddressEdit,
    /// The address without particular purpose.
    pub general: AddressEdit,
    /// Addresses that are added.
    pub add_addresses: Vec<NewAddress>,
    /// Dialect-only fields: dialect, field, change.
    pub extras: Vec<(&'static str, &'static str, Patch<Value>)>,
}

/// An address to be added with a customer.
#[derive(Debug, Clone)]
pub struct NewAddress {
    /// What it is for.
    pub purpose: Purpose,
    /// Whether it is preferred over others of its purpose.
    pub is_default: bool,
    /// Where it is.
    pub postal: Postal,
}

/// Names of the fields a change touched, in core words.
pub type Changes = Vec<&'static str>;

/// The names of those members that differ.
pub(crate) fn differing<const N: usize>(members: [(&'static str, bool); N]) -> Changes {
    members.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}

impl Customer {
    /// A new customer from a patch on an empty record.
    ///
    /// # Errors
    /// Every problem of the patch.
    pub fn create(
        id: Identity,
        space: i64,
        patch: CustomerPatch,
        now: Timestamp,
        ids: &dyn Ids,
    ) -> Result<Customer, Problems> {
        let (mut customer, _) = Customer::blank(id, space, now).apply(patch, now, ids)?;
        customer.version = 1;
        Ok(customer)
    }

    fn blank(id: Identity, space: i64, now: Timestamp) -> Customer {
        Customer {
            number: id.number,
            uuid: id.uuid,
            space,
            version: 1,
            reference: None,
            given_name: None,
            family_name: None,
            full_name: None,
            title: None,
            company_name: None,
            company_registration_number: None,
            tax_number: None,
            email: None,
            email_since: None,
            former_emails: Vec::new(),
            phone: None,
            work_phone: None,
            language: None,
            currency: None,
            time_zone: None,
            description: None,
            metadata: Metadata::default(),
            status: Status::Active,
            status_reason: None,
            status_until: None,
            balance: None,
            portal: None,
            identifier_fields: Vec::new(),
            both: None,
            billing: None,
            shipping: None,
            other_addresses: Vec::new(),
            extras: BTreeMap::new(),
            created_at: now,
            updated_at: now,
            deleted_at: None,
            merged_into: None,
        }
    }

    /// The record after a change, and which fields differ. Nothing differs: version and time stay.
    ///
    /// # Errors
    /// Every problem of the patch.
    pub fn apply(
        &self,
        patch: CustomerPatch,
        now: Timestamp,
        ids: &dyn Ids,
    ) -> Result<(Customer, Changes), Problems> {
        // Destructured so that a new field of the patch cannot be forgotten.
        let CustomerPatch {
            reference,
            given_name,
            family_name,
            full_name,
            title,
            company_name,
            company_registration_number,
            tax_number,
            email,
            phone,
            work_phone,
            language,
            currency,
            time_zone,
            description,
            metadata,
            status,
            status_reason,
            status_until,
            balance,
            portal_user_name,
            portal_password,
            identifier_fields,
            billing,
            shipping,
            general,
            add_addresses,
            extras,
        } = patch;
        let mut next = self.clone();
        let mut changes = Changes::new();
        let mut problems = Problems::new();
        let mut note = |differs: bool, field: &'static str| {
            if differs {
                changes.push(field);
            }
        };
        let renames_parts =
            matches!(given_name, Patch::Set(_)) || matches!(family_name, Patch::Set(_));
        let renames_whole = matches!(full_name, Patch::Set(_));
        note(reference.change(&mut next.reference), "reference");
        note(given_name.change(&mut next.given_name), "given_name");
        note(family_name.change(&mut next.family_name), "family_name");
        note(full_name.change(&mut next.full_name), "full_name");
        next.settle_names(self, renames_parts, renames_whole);
        note(title.change(&mut next.title), "title");
        note(company_name.change(&mut next.company_name), "company_name");
        note(
            company_registration_number.change(&mut next.company_registration_number),
            "company_registration_number",
        );
        note(tax_number.change(&mut next.tax_number), "tax_number");
        note(next.change_email(email, now), "email");
        note(phones::change(phone, &mut next.phone), "phone");
        note(phones::change(work_phone, &mut next.work_phone), "work_phone");
        note(language.change(&mut next.language), "language");
        note(currency.change(&mut next.currency), "currency");
        note(time_zone.change(&mut next.time_zone), "time_zone");
        note(description.change(&mut next.description), "description");
        match next.metadata.changed(metadata) {
            Ok(metadata) => {
                note(metadata != next.metadata, "metadata");
                next.metadata = metadata;
            }
            Err(found) => problems.append(found),
        }
        note(next.change_status(status), "status");
        note(status_reason.change(&mut next.status_reason), "status_reason");
        note(status_until.change(&mut next.status_until), "status_until");
        note(balance.change(&mut next.balance), "balance");
        note(next.change_portal(portal_user_name, portal_password), "portal");
        if let Patch::Set(fields) = &identifier_fields
            && fields.len() > IDENTIFIER_FIELDS_MAX
        {
            problems.add("identifier_fields", Why::TooMany { max: IDENTIFIER_FIELDS_MAX });
        }
        let fields = identifier_fields.apply(Some(std::mem::take(&mut next.identifier_fields)));
        next.identifier_fields = fields.unwrap_or_default();
        note(next.identifier_fields != self.identifier_fields, "identifier_fields");
        note(next.change_extras(extras), "extras");
        for (edit, purpose, field) in [
            (billing, Purpose::Billing, "billing"),
            (shipping, Purpose::Shipping, "shipping"),
            (general, Purpose::Other, "address"),
        ] {
            note(next.edit_address(edit, purpose, now, ids), field);
        }
        note(!add_addresses.is_empty(), "addresses");
        if self.address_count() + add_addresses.len() > ADDRESSES_MAX {
            problems.add("addresses", Why::TooMany { max: ADDRESSES_MAX });
        } else {
            next.add_addresses(add_addresses, now, ids);
        }
        problems.into_result()?;
        if !changes.is_empty() {
            next.version = self.version + 1;
            next.updated_at = now.max(self.updated_at);
        }
        Ok((next, changes))
    }

    /// A name is one fact: whoever writes only one form of it, and differently from what the other
    /// form says, makes the other form stale. It is dropped and derived from then on.
    fn settle_names(&mut self, before: &Customer, renames_parts: bool, renames_whole: bool) {
        if renames_whole && !renames_parts && self.full_name != before.full_name {
            let said = before.names().full;
            if self.full_name.as_ref().map(Name::as_str) != said.as_deref() {
                self.given_name = None;
                self.family_name = None;
            }
        }
        let parts_differ =
            self.given_name != before.given_name || self.family_name != before.family_name;
        if renames_parts && !renames_whole && parts_differ {
            let said = before.names();
            let same = self.given_name.as_ref().map(Name::as_str) == said.given.as_deref()
                && self.family_name.as_ref().map(Name::as_str) == said.family.as_deref();
            if !same {
                self.full_name = None;
            }
        }
    }

    fn change_email(&mut self, patch: Patch<Email>, now: Timestamp) -> bool {
        let before = self.email.clone();
        if !patch.change(&mut self.email) {
            return false;
        }
        let since = self.email_since.take();
        if let Some(email) = before {
            self.remember_email(FormerEmail { email, since: since.unwrap_or(self.created_at) });
        }
        self.email_since = self.email.is_some().then_some(now);
        true
    }

    /// Keeps a former e-mail address, once each.
    pub fn remember_email(&mut self, former: FormerEmail) {
        if self.former_emails.iter().any(|known| known.email == former.email) {
            return;
        }
        self.former_emails.push(former);
        if self.former_emails.len() > FORMER_EMAILS_MAX {
            self.former_emails.remove(0);
        }
    }

    fn change_portal(&mut self, user_name: Patch<Line>, password: Patch<PasswordHash>) -> bool {
        let mut portal = self.portal.take().unwrap_or_default();
        let name_differs = user_name.change(&mut portal.user_name);
        let password_differs = password.change(&mut portal.password_hash);
        self.portal = (portal != Portal::default()).then_some(portal);
        name_differs || password_differs
    }

    fn change_extras(&mut self, extras: Vec<(&'static str, &'static str, Patch<Value>)>) -> bool {
        let mut differs = false;
        for (dialect, field, patch) in extras {
            let fields = self.extras.entry(dialect.to_owned()).or_default();
            let mut value = fields.remove(field);
            differs |= patch.change(&mut value);
            if let Some(value) = value {
                fields.insert(field.to_owned(), value);
            }
            if fields.is_empty() {
                self.extras.remove(dialect);
            }
        }
        differs
    }

    /// A field that only one dialect knows.
    pub fn extra(&self, dialect: &str, field: &str) -> Option<&Value> {
        self.extras.get(dialect)?.get(field)
    }

    /// All forms of the name.
    pub fn names(&self) -> Names<'_> {
        names::complete(
            self.given_name.as_ref().map(Name::as_str),
            self.family_name.as_ref().map(Name::as_str),
            self.full_name.as_ref().map(Name::as_str),
        )
    }

    /// Whether it is deleted (or absorbed by another).
    pub fn is_deleted(&self) -> bool {
        self.deleted_at.is_some()
    }

    /// This customer, hidden.
    #[must_use]
    pub fn deleted(&self, now: Timestamp) -> Customer {
        let mut next = self.clone();
        next.deleted_at = Some(now);
        next.touch(now);
        next
    }

    /// This customer, brought back.
    #[must_use]
    pub fn restored(&self, now: Timestamp) -> Customer {
        let mut next = self.clone();
        next.deleted_at = None;
        next.touch(now);
        next
    }

    /// This customer after another has taken it over.
    #[must_use]
    pub fn absorbed_by(&self, survivor: i64, now: Timestamp) -> Customer {
        let mut next = self.deleted(now);
        next.merged_into = Some(survivor);
        next
    }

    fn touch(&mut self, now: Timestamp) {
        self.version += 1;
        self.updated_at = now.max(self.updated_at);
    }
}

#[cfg(test)]
#[path = "customer_tests.rs"]
mod tests;
