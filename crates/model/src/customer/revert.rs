//! A customer becomes again what it was.

use super::{Changes, Customer, STAND_IN};
use crate::{Patch, Timestamp, address::Address};

/// What can be put back. `name` is all forms of it, `status` its reason and term too.
pub const REVERTIBLE: &str = "reference, name, title, company_name, company_registration_number, \
     tax_number, email, phone, work_phone, language, currency, time_zone, description, metadata, \
     identifier_fields, extras, addresses, status, balance, portal";
/// What comes back only where it is named: it says how things stand now, not who somebody is.
pub const ON_NAMING: [&str; 3] = ["status", "balance", "portal"];

/// Puts a value back and says whether it differed.
fn put<T: Clone + PartialEq>(mine: &mut T, then: &T) -> bool {
    let differs = mine != then;
    if differs {
        mine.clone_from(then);
    }
    differs
}

impl Customer {
    /// This customer with the values it had, and which fields differ. Without `fields` it is all of
    /// [`REVERTIBLE`] but status, balance and portal. Numbers, times and what was merged stay;
    /// versions rise. `steps` counts the states since then (`life.md` §7, L5).
    pub fn reverted(
        &self,
        then: &Customer,
        fields: Option<&[&'static str]>,
        steps: i64,
        now: Timestamp,
    ) -> (Customer, Changes) {
        // Taken apart, so that no field can be forgotten.
        #[rustfmt::skip]
        let Customer {
            reference, given_name, family_name, full_name, title, company_name,
            company_registration_number, tax_number, email, phone, work_phone, language, currency,
            time_zone, description, metadata, status, status_reason, status_until, balance, portal,
            identifier_fields, extras: _, both: _, billing: _, shipping: _, other_addresses: _,
            // Stay as they are.
            number: _, uuid: _, space: _, version: _, created_at: _, updated_at: _, deleted_at: _,
            merged_into: _, email_since: _, former_emails: _,
        } = then;
        let wants = |name: &str| match fields {
            Some(fields) => fields.contains(&name),
            None => !ON_NAMING.contains(&name),
        };
        let mut next = self.clone();
        let mut changes = Changes::new();
        /// Fields that come back under a name.
        macro_rules! back {
            ($name:literal: $($field:ident),+) => {
                if wants($name) {
                    $(if put(&mut next.$field, $field) {
                        changes.push(stringify!($field));
                    })+
                }
            };
        }
        back!("reference": reference);
        back!("name": given_name, family_name, full_name);
        back!("title": title);
        back!("company_name": company_name);
        back!("company_registration_number": company_registration_number);
        back!("tax_number": tax_number);
        if wants("email") && next.change_email(Patch::clear_or(email.clone()), now) {
            changes.push("email");
        }
        back!("phone": phone);
        back!("work_phone": work_phone);
        back!("language": language);
        back!("currency": currency);
        back!("time_zone": time_zone);
        back!("description": description);
        back!("metadata": metadata);
        back!("status": status, status_reason, status_until);
        back!("balance": balance);
        back!("portal": portal);
        back!("identifier_fields": identifier_fields);
        if next.put_extras_back(then, wants("extras"), wants("status")) {
            changes.push("extras");
        }
        if wants("addresses") && next.put_addresses_back(then, steps, now) {
            changes.push("addresses");
        }
        if !changes.is_empty() {
            next.touch(now);
        }
        (next, changes)
    }

    /// Fields of single dialects; what stands in for a status comes back with that.
    fn put_extras_back(&mut self, then: &Customer, own: bool, stand_in: bool) -> bool {
        let comes_back = |field: &str| if field == STAND_IN { stand_in } else { own };
        let mut extras = self.extras.clone();
        for fields in extras.values_mut() {
            fields.retain(|field, _| !comes_back(field));
        }
        for (dialect, fields) in &then.extras {
            let back = fields.iter().filter(|(field, _)| comes_back(field));
            let back = back.map(|(field, value)| (field.clone(), value.clone()));
            extras.entry(dialect.clone()).or_default().extend(back);
        }
        extras.retain(|_, fields| !fields.is_empty());
        put(&mut self.extras, &extras)
    }

    fn put_addresses_back(&mut self, then: &Customer, steps: i64, now: Timestamp) -> bool {
        let before: Vec<Address> = self.addresses().into_iter().cloned().collect();
        let back = |address: &Address| {
            let mine = before.iter().find(|mine| mine.number == address.number);
            let is_same = |mine: &&Address| {
                mine.postal == address.postal
                    && mine.purpose == address.purpose
                    && mine.is_default == address.is_default
            };
            match mine.filter(is_same) {
                Some(mine) => mine.clone(),
                // Each state since then raised it by one at most, so no tag of before passes again.
                None => Address {
                    version: mine.map_or(address.version + steps, |mine| mine.version + 1),
                    updated_at: now.max(address.updated_at),
                    ..address.clone()
                },
            }
        };
        let after: Vec<Address> = then.addresses().into_iter().map(back).collect();
        let differs = before != after;
        if differs {
            self.change_addresses(|all| *all = after);
        }
        differs
    }
}
