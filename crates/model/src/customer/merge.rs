//! One customer takes another over.

use super::{Customer, FormerEmail, STAND_IN};
use crate::{
    Problems, Timestamp, Why,
    address::{ADDRESSES_MAX, Address},
    metadata::Metadata,
    text::Name,
};

impl Customer {
    /// This customer after it has taken over another: own values win, missing ones come from the
    /// other; addresses and former e-mail addresses move.
    ///
    /// # Errors
    /// When the result would break a limit.
    pub fn absorb(&self, other: &Customer, now: Timestamp) -> Result<Customer, Problems> {
        let mut next = self.clone();
        let fill = |mine: &Option<Name>, theirs: &Option<Name>| mine.clone().or(theirs.clone());
        let nameless =
            self.given_name.is_none() && self.family_name.is_none() && self.full_name.is_none();
        if nameless {
            // Names are one fact: parts of two people's names are never mixed.
            next.given_name = other.given_name.clone();
            next.family_name = other.family_name.clone();
            next.full_name = other.full_name.clone();
        }
        next.reference = self.reference.clone().or(other.reference.clone());
        next.title = self.title.clone().or(other.title.clone());
        next.company_name = fill(&self.company_name, &other.company_name);
        next.company_registration_number =
            self.company_registration_number.clone().or(other.company_registration_number.clone());
        next.tax_number = self.tax_number.clone().or(other.tax_number.clone());
        next.phone = self.phone.clone().or(other.phone.clone());
        next.work_phone = self.work_phone.clone().or(other.work_phone.clone());
        next.language = self.language.clone().or(other.language.clone());
        next.currency = self.currency.clone().or(other.currency.clone());
        next.time_zone = self.time_zone.clone().or(other.time_zone.clone());
        next.description = self.description.clone().or(other.description.clone());
        next.balance = match (self.balance, other.balance) {
            (Some(mine), Some(theirs)) => mine.checked_add(theirs).or(Some(mine)),
            (mine, theirs) => mine.or(theirs),
        };
        next.portal = self.portal.clone().or(other.portal.clone());
        if self.identifier_fields.is_empty() {
            next.identifier_fields = other.identifier_fields.clone();
        }
        let mut pairs = other.metadata.pairs().clone();
        pairs.extend(self.metadata.pairs().clone());
        next.metadata = Metadata::parse("metadata", pairs)?;
        for (dialect, fields) in &other.extras {
            // The status is the survivor's own, so what stands in for it is too.
            for (field, value) in fields.iter().filter(|(field, _)| *field != STAND_IN) {
                let mine = next.extras.entry(dialect.clone()).or_default();
                mine.entry(field.clone()).or_insert_with(|| value.clone());
            }
        }
        next.absorb_emails(other);
        let moved: Vec<Address> = other
            .addresses()
            .into_iter()
            .cloned()
            .map(|address| Address { is_default: false, ..address })
            .collect();
        next.change_addresses(|all| all.extend(moved));
        if next.address_count() > ADDRESSES_MAX {
            return Err(Problems::one("addresses", Why::TooMany { max: ADDRESSES_MAX }));
        }
        next.version = self.version + 1;
        next.updated_at = now.max(self.updated_at);
        Ok(next)
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
