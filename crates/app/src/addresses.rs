//! Use cases of addresses as resources of their own. They live in the customer's document, so each
//! change is a change of that document; the customer's own version does not count it.

use async_recursion::async_recursion;
use patron_model::{
    Failure, Ids, Noun,
    address::{ADDRESSES_MAX, Address, Postal, PostalPatch, Purpose},
    customer::Customer,
    event::CustomerEvent,
    problem::{Problems, Why},
};

use crate::{
    Cx,
    commit::{Decision, Draft, Expect, Saved},
    customers,
    record::{Id, Loaded},
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
#[async_recursion]
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

/// The address that a request created or changed, in the customer as it was then.
fn placed(customer: Saved<Customer>, wanted: Option<Id>) -> Result<Placed, Failure> {
    let address = match wanted {
        Some(id) => find(&customer, id).cloned(),
        // A created address is the newest one of that revision.
        None => customer.addresses().into_iter().max_by_key(|a| a.number).cloned(),
    };
    Ok(Placed { address: address.ok_or_else(not_found)?, customer })
}

/// Decides for a customer with other addresses.
fn with_addresses<'a>(
    draft: Draft<'a>,
    before: &Loaded<Customer>,
    change: impl FnOnce(&mut Vec<Address>),
) -> Result<Decision<'a, Saved<Customer>>, Failure> {
    let mut after = before.record.clone();
    after.change_addresses(change);
    let changes: &[&'static str] = if after == before.record { &[] } else { &["addresses"] };
    draft.change(before, after, CustomerEvent::Updated, changes)
}

/// A new address.
///
/// # Errors
/// `NotFound`, `Invalid` when the customer has too many.
#[async_recursion]
pub async fn create(cx: &Cx, customer: Id, patch: AddressPatch) -> Result<Placed, Failure> {
    let saved = cx.settle(|draft| async {
        let before = customers::get(cx, customer).await?;
        if before.addresses().len() >= ADDRESSES_MAX {
            let why = Why::TooMany { max: ADDRESSES_MAX };
            return Err(Problems::one("addresses", why).into());
        }
        let postal = Postal::default().changed(patch.postal.clone());
        let purpose = patch.purpose.unwrap_or(Purpose::Other);
        let mut address = Address::new(draft.next(), purpose, postal, cx.now);
        address.is_default = patch.is_default.unwrap_or(false);
        with_addresses(draft, &before, |all| {
            if address.is_default {
                end_defaults(all, &address, DefaultScope::Purpose, cx);
            }
            all.push(address);
        })
    });
    placed(saved.await?, None)
}

/// A changed address.
///
/// # Errors
/// `NotFound`, `Stale`.
#[async_recursion]
pub async fn update(
    cx: &Cx,
    customer: Id,
    id: Id,
    expect: Expect,
    patch: AddressPatch,
) -> Result<Placed, Failure> {
    let saved = cx.settle(|draft| async {
        let (before, address) = get(cx, customer, id).await?;
        expect.check(address.version, before.revision)?;
        let next = Address {
            purpose: patch.purpose.unwrap_or(address.purpose),
            is_default: patch.is_default.unwrap_or(address.is_default),
            postal: address.postal.changed(patch.postal.clone()),
            ..address.clone()
        };
        if next == address {
            return Ok(draft.keep(before));
        }
        let updated_at = cx.now.max(address.updated_at);
        let next = Address { version: address.version + 1, updated_at, ..next };
        with_addresses(draft, &before, |all| {
            if next.is_default {
                end_defaults(all, &next, DefaultScope::Purpose, cx);
            }
            replace(all, &next);
        })
    });
    placed(saved.await?, Some(id))
}

/// Makes an address the default one. Idempotent.
///
/// # Errors
/// `NotFound`.
#[async_recursion]
pub async fn set_default(
    cx: &Cx,
    customer: Id,
    id: Id,
    scope: DefaultScope,
) -> Result<Placed, Failure> {
    let saved = cx.settle(|draft| async {
        let (before, mut next) = get(cx, customer, id).await?;
        if !next.is_default {
            next.is_default = true;
            next.version += 1;
            next.updated_at = cx.now.max(next.updated_at);
        }
        with_addresses(draft, &before, |all| {
            end_defaults(all, &next, scope, cx);
            replace(all, &next);
        })
    });
    placed(saved.await?, Some(id))
}

/// Removes an address.
///
/// # Errors
/// `NotFound`, `Stale`.
#[async_recursion]
pub async fn delete(cx: &Cx, customer: Id, id: Id, expect: Expect) -> Result<(), Failure> {
    let saved = cx.settle(|draft| async {
        let (before, address) = get(cx, customer, id).await?;
        expect.check(address.version, before.revision)?;
        with_addresses(draft, &before, |all| all.retain(|a| a.number != address.number))
    });
    saved.await.map(|_| ())
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
