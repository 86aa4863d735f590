//! Use cases of addresses as resources of their own. They live in the customer's document, so each
//! change is a change of that document; the customer's own version does not count it.

use patron_model::{
    Failure, Ids, Noun,
    address::{ADDRESSES_MAX, Address, Postal, PostalPatch, Purpose},
    customer::Customer,
    problem::{Problems, Why},
};

use crate::{
    Cx,
    commit::{ATTEMPTS_MAX, Action, Expect, Loaded, Saved, raced},
    customers::{self, Id},
};

/// What a caller says of a new or changed address.
#[derive(Debug, Clone, Default)]
pub struct AddressPatch {
    /// What it is for.
    pub purpose: Option<Purpose>,
    /// Whether it is preferred; making one the default ends that of others it competes with.
    pub is_default: Option<bool>,
    /// Where it is.
    pub postal: PostalPatch,
}

/// Which other addresses stop being the default when one becomes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultScope {
    /// Those of an overlapping purpose: one default of each kind.
    Purpose,
    /// All of the customer: one default in all.
    Customer,
}

/// An address and the customer it is part of.
#[derive(Debug, Clone)]
pub struct Placed {
    /// The address.
    pub address: Address,
    /// The customer with it.
    pub customer: Saved<Customer>,
}

fn not_found() -> Failure {
    Failure::NotFound { noun: Noun::Address }
}

/// One address of a living customer.
///
/// # Errors
/// `NotFound`.
pub async fn get(cx: &Cx, customer: Id, id: Id) -> Result<(Loaded<Customer>, Address), Failure> {
    let customer = customers::get(cx, customer).await?;
    let address = find(&customer, id).cloned().ok_or_else(not_found)?;
    Ok((customer, address))
}

fn find(customer: &Customer, id: Id) -> Option<&Address> {
    customer.addresses().into_iter().find(|address| match id {
        Id::Number(number) => address.number == number,
        Id::Uuid(uuid) => address.uuid == uuid,
    })
}

/// Reads the address a request created or changed from the answer remembered for it.
fn replayed_address(saved: Saved<Customer>, wanted: Option<Id>) -> Result<Placed, Failure> {
    let address = match wanted {
        Some(id) => find(&saved, id).cloned(),
        // A created address is the newest one of that revision.
        None => saved.addresses().into_iter().max_by_key(|a| a.number).cloned(),
    };
    Ok(Placed { address: address.ok_or_else(not_found)?, customer: saved })
}

/// A new address.
///
/// # Errors
/// `NotFound`, `Invalid` when the customer has too many.
pub async fn create(cx: &Cx, customer: Id, patch: AddressPatch) -> Result<Placed, Failure> {
    if let Some(saved) = cx.replayed::<Customer>().await? {
        return replayed_address(saved, None);
    }
    for _ in 0..ATTEMPTS_MAX {
        let before = customers::get(cx, customer).await?;
        cx.app.ensure_ids(1).await?;
        if before.addresses().len() >= ADDRESSES_MAX {
            let why = Why::TooMany { max: ADDRESSES_MAX };
            return Err(Problems::one("addresses", why).into());
        }
        let postal = Postal::default().changed(patch.postal.clone());
        let purpose = patch.purpose.unwrap_or(Purpose::Other);
        let mut address = Address::new(cx.app.next(), purpose, postal, cx.now);
        address.is_default = patch.is_default.unwrap_or(false);
        let mut after = before.record.clone();
        after.change_addresses(|all| {
            if address.is_default {
                end_defaults(all, &address, DefaultScope::Purpose, cx);
            }
            all.push(address.clone());
        });
        if let Some(customer) = settle(cx, &before, after).await? {
            return Ok(Placed { address, customer });
        }
    }
    Err(raced())
}

/// A changed address.
///
/// # Errors
/// `NotFound`, `Stale`.
pub async fn update(
    cx: &Cx,
    customer: Id,
    id: Id,
    expect: Expect,
    patch: AddressPatch,
) -> Result<Placed, Failure> {
    if let Some(saved) = cx.replayed::<Customer>().await? {
        return replayed_address(saved, Some(id));
    }
    for _ in 0..ATTEMPTS_MAX {
        let (before, address) = get(cx, customer, id).await?;
        expect.check(address.version, before.revision)?;
        let next = Address {
            purpose: patch.purpose.unwrap_or(address.purpose),
            is_default: patch.is_default.unwrap_or(address.is_default),
            postal: address.postal.changed(patch.postal.clone()),
            ..address.clone()
        };
        if next == address {
            let customer =
                customers::settle_as(cx, &before, before.record.clone(), Action::Unchanged, &[]);
            if let Some(customer) = customer.await? {
                return Ok(Placed { address, customer });
            }
            continue;
        }
        let updated_at = cx.now.max(address.updated_at);
        let next = Address { version: address.version + 1, updated_at, ..next };
        let mut after = before.record.clone();
        after.change_addresses(|all| {
            if next.is_default {
                end_defaults(all, &next, DefaultScope::Purpose, cx);
            }
            replace(all, &next);
        });
        if let Some(customer) = settle(cx, &before, after).await? {
            return Ok(Placed { address: next, customer });
        }
    }
    Err(raced())
}

/// Makes an address the default one. Idempotent.
///
/// # Errors
/// `NotFound`.
pub async fn set_default(
    cx: &Cx,
    customer: Id,
    id: Id,
    scope: DefaultScope,
) -> Result<Placed, Failure> {
    if let Some(saved) = cx.replayed::<Customer>().await? {
        return replayed_address(saved, Some(id));
    }
    for _ in 0..ATTEMPTS_MAX {
        let (before, address) = get(cx, customer, id).await?;
        let mut after = before.record.clone();
        let mut next = address.clone();
        if !next.is_default {
            next.is_default = true;
            next.version += 1;
            next.updated_at = cx.now.max(next.updated_at);
        }
        after.change_addresses(|all| {
            end_defaults(all, &next, scope, cx);
            replace(all, &next);
        });
        if let Some(customer) = settle(cx, &before, after).await? {
            return Ok(Placed { address: next, customer });
        }
    }
    Err(raced())
}

/// Removes an address.
///
/// # Errors
/// `NotFound`, `Stale`.
pub async fn delete(cx: &Cx, customer: Id, id: Id, expect: Expect) -> Result<(), Failure> {
    if cx.replayed::<Customer>().await?.is_some() {
        return Ok(());
    }
    for _ in 0..ATTEMPTS_MAX {
        let (before, address) = get(cx, customer, id).await?;
        expect.check(address.version, before.revision)?;
        let mut after = before.record.clone();
        after.change_addresses(|all| all.retain(|a| a.number != address.number));
        if settle(cx, &before, after).await?.is_some() {
            return Ok(());
        }
    }
    Err(raced())
}

async fn settle(
    cx: &Cx,
    before: &Loaded<Customer>,
    after: Customer,
) -> Result<Option<Saved<Customer>>, Failure> {
    let changes: &[&'static str] = if after == before.record { &[] } else { &["addresses"] };
    customers::settle_as(cx, before, after, Action::Updated, changes).await
}

fn replace(all: &mut [Address], next: &Address) {
    for address in all.iter_mut().filter(|a| a.number == next.number) {
        *address = next.clone();
    }
}

/// Ends the default mark of the addresses that compete with `winner`.
fn end_defaults(all: &mut [Address], winner: &Address, scope: DefaultScope, cx: &Cx) {
    for address in all.iter_mut() {
        let competes = scope == DefaultScope::Customer || address.purpose.overlaps(winner.purpose);
        if address.number != winner.number && address.is_default && competes {
            address.is_default = false;
            address.version += 1;
            address.updated_at = cx.now.max(address.updated_at);
        }
    }
}

impl AddressPatch {
    /// Every field of the postal part is replaced.
    pub fn replacing(postal: Postal) -> AddressPatch {
        AddressPatch { postal: PostalPatch::replacing(postal), ..AddressPatch::default() }
    }
}
