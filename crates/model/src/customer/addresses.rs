//! The addresses of a customer: which is used for what, and how they change.

use super::{Customer, NewAddress};
use crate::{
    Identity, Ids, Timestamp,
    address::{Address, AddressEdit, Postal, Purpose},
};

impl Customer {
    /// The address bills go to: the default one, or the next best.
    pub fn billing(&self) -> Option<&Address> {
        self.both.as_deref().or(self.billing.as_deref())
    }

    /// The address goods go to: the default one, or the next best; may be that of the bills.
    pub fn shipping(&self) -> Option<&Address> {
        self.both.as_deref().or(self.shipping.as_deref())
    }

    /// All addresses, oldest first.
    pub fn addresses(&self) -> Vec<&Address> {
        let mut all: Vec<&Address> = self
            .billing()
            .into_iter()
            .chain(self.shipping())
            .chain(&self.other_addresses)
            .collect();
        all.sort_by_key(|address| address.number);
        all.dedup_by_key(|address| address.number);
        all
    }

    /// One address.
    pub fn address(&self, number: i64) -> Option<&Address> {
        self.billing()
            .into_iter()
            .chain(self.shipping())
            .chain(&self.other_addresses)
            .find(|address| address.number == number)
    }

    /// The address without particular purpose, or else the billing address.
    pub fn general_address(&self) -> Option<&Address> {
        let addresses = self.addresses();
        addresses.iter().find(|a| a.purpose == Purpose::Other).copied().or(self.billing())
    }

    pub(super) fn address_count(&self) -> usize {
        self.addresses().len()
    }

    /// Changes the addresses as a whole and finds out anew which are used for bills and goods.
    pub fn change_addresses<R>(&mut self, change: impl FnOnce(&mut Vec<Address>) -> R) -> R {
        let mut all: Vec<Address> = self.addresses().into_iter().cloned().collect();
        let answer = change(&mut all);
        all.sort_by_key(|address| address.number);
        let of = |purposes: &[Purpose]| preferred(&all, purposes).map(|a| Box::new(a.clone()));
        let billing = of(&[Purpose::Billing, Purpose::Both, Purpose::Other]);
        let shipping = of(&[Purpose::Shipping, Purpose::Both]);
        let used = [&billing, &shipping].map(|slot| slot.as_ref().map(|a| a.number));
        (self.both, self.billing, self.shipping) = match used {
            [Some(one), Some(other)] if one == other => (billing, None, None),
            _ => (None, billing, shipping),
        };
        all.retain(|address| !used.contains(&Some(address.number)));
        self.other_addresses = all;
        answer
    }

    /// Edits the address of exactly one purpose. One that serves several is left to the others.
    pub(super) fn edit_address(
        &mut self,
        edit: AddressEdit,
        purpose: Purpose,
        now: Timestamp,
        ids: &dyn Ids,
    ) -> bool {
        let alone = matches!(edit, AddressEdit::Own(_));
        let (own, seen) = {
            let addresses: Vec<Address> = self.addresses().into_iter().cloned().collect();
            let own = preferred(&addresses, &[purpose]).cloned();
            let shared = [Purpose::Billing, Purpose::Shipping].contains(&purpose);
            let seen = match purpose {
                _ if alone && shared => preferred(&addresses, &[purpose, Purpose::Both]).cloned(),
                _ if alone => own.clone(),
                Purpose::Billing => self.billing().cloned(),
                Purpose::Shipping => self.shipping().cloned(),
                Purpose::Both | Purpose::Other => self.general_address().cloned(),
            };
            (own, seen)
        };
        let before = seen.as_ref().map(|a| a.postal.clone()).unwrap_or_default();
        let postal = match edit {
            AddressEdit::Keep => return false,
            AddressEdit::Clear => Postal::default(),
            AddressEdit::Replace(postal) | AddressEdit::Own(postal) => *postal,
            AddressEdit::Merge(patch) => before.changed(*patch),
        };
        if postal == before {
            return false;
        }
        if postal.is_empty() {
            return self.clear_purpose(purpose, alone, now);
        }
        // What was seen before must not hide what is written now: a default elsewhere is outdone.
        let outdo = seen.is_some_and(|seen| {
            seen.is_default && own.as_ref().is_none_or(|own| own.number != seen.number)
        });
        self.change_addresses(|all| match own {
            Some(own) => {
                for address in all.iter_mut().filter(|a| a.number == own.number) {
                    address.postal = postal.clone();
                    address.is_default |= outdo;
                    address.version += 1;
                    address.updated_at = now.max(address.updated_at);
                }
            }
            None => {
                let mut address = Address::new(ids.next(), purpose, postal, now);
                address.is_default = outdo;
                all.push(address);
            }
        });
        true
    }

    pub(super) fn add_addresses(&mut self, added: Vec<NewAddress>, now: Timestamp, ids: &dyn Ids) {
        if added.is_empty() {
            return;
        }
        self.change_addresses(|all| {
            for NewAddress { purpose, is_default, postal } in added {
                let mut address = Address::new(ids.next(), purpose, postal, now);
                if is_default {
                    for other in all.iter_mut().filter(|other| other.purpose.overlaps(purpose)) {
                        other.is_default = false;
                    }
                }
                address.is_default = is_default;
                all.push(address);
            }
        });
    }

    /// Makes sure that no address serves a purpose: those of exactly this purpose go, those that
    /// serve both stay for the other one. Those that only stand in go as well, unless `alone`.
    fn clear_purpose(&mut self, purpose: Purpose, alone: bool, now: Timestamp) -> bool {
        let left = match purpose {
            Purpose::Billing => Purpose::Shipping,
            Purpose::Shipping => Purpose::Billing,
            Purpose::Both | Purpose::Other => Purpose::Other,
        };
        self.change_addresses(|all| {
            let count = all.len();
            let serves_bills =
                |a: &Address| !alone && purpose == Purpose::Billing && a.purpose == Purpose::Other;
            all.retain(|a| a.purpose != purpose && !serves_bills(a));
            let mut differs = all.len() != count;
            // A shared address is nobody's general one: clearing that leaves it alone.
            let shared = |a: &&mut Address| a.purpose == Purpose::Both && purpose != Purpose::Other;
            for address in all.iter_mut().filter(shared) {
                address.purpose = left;
                address.version += 1;
                address.updated_at = now.max(address.updated_at);
                differs = true;
            }
            differs
        })
    }
}

impl Address {
    /// A new address.
    pub fn new(id: Identity, purpose: Purpose, postal: Postal, now: Timestamp) -> Address {
        Address {
            number: id.number,
            uuid: id.uuid,
            version: 1,
            purpose,
            is_default: false,
            postal,
            created_at: now,
            updated_at: now,
        }
    }
}

/// The address to use: purposes in order of preference, a default before others, the oldest first.
/// A default of a later purpose wins over a plain address of an earlier one.
fn preferred<'a>(all: &'a [Address], purposes: &[Purpose]) -> Option<&'a Address> {
    let of = |purpose: Purpose, default: bool| {
        all.iter().find(move |a| a.purpose == purpose && (a.is_default || !default))
    };
    purposes
        .iter()
        .find_map(|purpose| of(*purpose, true))
        .or_else(|| purposes.iter().find_map(|purpose| of(*purpose, false)))
}
