//! One customer takes another over.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Customer, FormerEmail, STAND_IN};
use crate::{
    Problems, Timestamp, Why,
    address::{ADDRESSES_MAX, Address},
    metadata::Metadata,
};

/// Fields of single dialects.
type Extras = BTreeMap<String, BTreeMap<String, Value>>;

/// What is missing here comes from there.
fn fill<T: Clone>(mine: &mut Option<T>, theirs: &Option<T>) {
    if mine.is_none() {
        mine.clone_from(theirs);
    }
}

impl Customer {
    /// This customer after it has taken over another: own values win, missing ones come from the
    /// other; addresses and former e-mail addresses move.
    ///
    /// # Errors
    /// When the result would break a limit.
    pub fn absorb(&self, other: &Customer, now: Timestamp) -> Result<Customer, Problems> {
        // Taken apart, so that no field can be forgotten.
        #[rustfmt::skip]
        let Customer {
            reference, given_name, family_name, full_name, title, company_name,
            company_registration_number, tax_number, phone, work_phone, language, currency,
            time_zone, description, metadata, balance, portal, identifier_fields, extras,
            // The survivor's own.
            number: _, uuid: _, space: _, version: _, status: _, status_reason: _, status_until: _,
            created_at: _, updated_at: _, deleted_at: _, merged_into: _,
            // Below.
            email: _, email_since: _, former_emails: _,
            both: _, billing: _, shipping: _, other_addresses: _,
        } = other;
        let mut next = self.clone();
        let nameless =
            self.given_name.is_none() && self.family_name.is_none() && self.full_name.is_none();
        if nameless {
            // Names are one fact: parts of two people's names are never mixed.
            next.given_name = given_name.clone();
            next.family_name = family_name.clone();
            next.full_name = full_name.clone();
        }
        fill(&mut next.reference, reference);
        fill(&mut next.title, title);
        fill(&mut next.company_name, company_name);
        fill(&mut next.company_registration_number, company_registration_number);
        fill(&mut next.tax_number, tax_number);
        fill(&mut next.phone, phone);
        fill(&mut next.work_phone, work_phone);
        fill(&mut next.language, language);
        fill(&mut next.currency, currency);
        fill(&mut next.time_zone, time_zone);
        fill(&mut next.description, description);
        fill(&mut next.portal, portal);
        next.balance = match (self.balance, *balance) {
            (Some(mine), Some(theirs)) => mine.checked_add(theirs).or(Some(mine)),
            (mine, theirs) => mine.or(theirs),
        };
        if self.identifier_fields.is_empty() {
            next.identifier_fields.clone_from(identifier_fields);
        }
        next.absorb_pairs(metadata, extras)?;
        next.absorb_emails(other);
        next.absorb_addresses(other)?;
        next.version = self.version + 1;
        next.updated_at = now.max(self.updated_at);
        Ok(next)
    }

    /// Metadata and the fields of single dialects: own values win.
    fn absorb_pairs(&mut self, metadata: &Metadata, extras: &Extras) -> Result<(), Problems> {
        let mut pairs = metadata.pairs().clone();
        pairs.extend(self.metadata.pairs().clone());
        self.metadata = Metadata::parse("metadata", pairs)?;
        for (dialect, fields) in extras {
            // The status is the survivor's own, so what stands in for it is too.
            for (field, value) in fields.iter().filter(|(field, _)| *field != STAND_IN) {
                let mine = self.extras.entry(dialect.clone()).or_default();
                mine.entry(field.clone()).or_insert_with(|| value.clone());
            }
        }
        Ok(())
    }

    fn absorb_addresses(&mut self, other: &Customer) -> Result<(), Problems> {
        let theirs = other.addresses().into_iter().cloned();
        let moved: Vec<Address> =
            theirs.map(|address| Address { is_default: false, ..address }).collect();
        self.change_addresses(|all| all.extend(moved));
        if self.address_count() > ADDRESSES_MAX {
            return Err(Problems::one("addresses", Why::TooMany { max: ADDRESSES_MAX }));
        }
        Ok(())
    }

    fn absorb_emails(&mut self, other: &Customer) {
        let theirs = other.email.clone().map(|email| FormerEmail {
            email,
            since: other.email_since.unwrap_or(other.created_at),
        });
        for former in other.former_emails.iter().cloned() {
            self.remember_email(former);
        }
        match (self.email.is_some(), theirs) {
            (true, Some(former)) if Some(&former.email) != self.email.as_ref() => {
                self.remember_email(former);
            }
            (false, Some(FormerEmail { email, since })) => {
                self.email = Some(email);
                self.email_since = Some(since);
            }
            _ => {}
        }
    }
}
