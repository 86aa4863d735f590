//! The algebra of `apply`, and the rules of names and addresses.

use std::sync::atomic::{AtomicI64, Ordering};

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::address::PostalPatch;

struct Counter(AtomicI64);

impl Ids for Counter {
    fn next(&self) -> Identity {
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        Identity { number, uuid: Uuid::from_u128(number.unsigned_abs().into()) }
    }
}

fn ids() -> Counter {
    Counter(AtomicI64::new(1))
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

fn new(patch: CustomerPatch, ids: &Counter) -> Customer {
    Customer::create(ids.next(), 1, patch, at(1), ids).expect("valid")
}

fn name(text: &str) -> Name {
    Name::parse(text).expect("valid")
}

fn city(text: &str) -> Postal {
    Postal { city: Line::parse(text).ok(), ..Postal::default() }
}

fn city_of(address: Option<&Address>) -> Option<&str> {
    address.and_then(|address| address.postal.city.as_ref()).map(Line::as_str)
}

fn any_patch<T: std::fmt::Debug + Clone + 'static>(
    value: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = Patch<T>> {
    prop_oneof![Just(Patch::Keep), Just(Patch::Clear), value.prop_map(Patch::Set)]
}

fn any_name() -> impl Strategy<Value = Name> {
    "[a-zÀ-ž]{1,6}".prop_map(|text| name(&text))
}

fn any_edit() -> impl Strategy<Value = AddressEdit> {
    let line = || any_patch("[A-Z][a-z]{0,3}".prop_map(|t| Line::parse(&t).expect("valid")));
    let merge = (line(), line()).prop_map(|(city, state)| PostalPatch {
        city,
        state,
        ..PostalPatch::default()
    });
    prop_oneof![
        Just(AddressEdit::Keep),
        Just(AddressEdit::Clear),
        "[A-Z]{1,3}".prop_map(|text| AddressEdit::Replace(Box::new(city(&text)))),
        merge.prop_map(|patch| AddressEdit::Merge(Box::new(patch))),
    ]
}

prop_compose! {
    fn any_customer_patch()(
        given_name in any_patch(any_name()),
        family_name in any_patch(any_name()),
        full_name in any_patch(any_name()),
        title in any_patch("[A-Z]{1,3}".prop_map(|t| Line::parse(&t).expect("valid"))),
        email in any_patch("[a-z]{1,3}@example\\.com".prop_map(|t| Email::parse(&t).expect("valid"))),
        status in any_patch(prop_oneof![Just(Status::Locked), Just(Status::Blocked)]),
        pairs in prop::collection::btree_map("[a-c]", prop::option::of(0..3i64), 0..3),
        billing in any_edit(),
        shipping in any_edit(),
        general in any_edit(),
    ) -> CustomerPatch {
        let pairs = pairs.into_iter().map(|(k, v)| (k, v.map(Value::from))).collect();
        // A general address stands in for a billing address: no caller edits both that way.
        let general = if billing == AddressEdit::Keep { general } else { AddressEdit::Keep };
        CustomerPatch {
            given_name, family_name, full_name, title, email, status, billing, shipping, general,
            metadata: MetadataPatch::Merge(pairs),
            ..CustomerPatch::default()
        }
    }
}

proptest! {
    #[test]
    fn keeping_everything_is_the_identity(patch in any_customer_patch()) {
        let ids = ids();
        let customer = new(patch, &ids);
        let (after, changes) =
            customer.apply(CustomerPatch::default(), at(2), &ids).expect("valid");
        prop_assert!(changes.is_empty());
        prop_assert_eq!(after, customer);
    }

    #[test]
    fn twice_is_once(first in any_customer_patch(), second in any_customer_patch()) {
        let ids = ids();
        let once = new(first, &ids).apply(second.clone(), at(2), &ids).expect("valid").0;
        let (twice, changes) = once.apply(second, at(3), &ids).expect("valid");
        prop_assert!(changes.is_empty(), "{:?}", changes);
        prop_assert_eq!(twice, once);
    }

    #[test]
    fn a_change_counts_the_version_by_one_and_no_change_by_none(
        first in any_customer_patch(), second in any_customer_patch(),
    ) {
        let ids = ids();
        let before = new(first, &ids);
        let (after, changes) = before.apply(second, at(2), &ids).expect("valid");
        let counted = i64::from(!changes.is_empty());
        prop_assert_eq!(after.version, before.version + counted);
        prop_assert_eq!(after == before, changes.is_empty());
    }

    #[test]
    fn documents_are_read_back_as_they_were_written(patch in any_customer_patch()) {
        let customer = new(patch, &ids());
        let text = serde_json::to_string(&customer).expect("written");
        prop_assert_eq!(serde_json::from_str::<Customer>(&text).expect("read"), customer);
    }

    #[test]
    fn slots_and_list_hold_the_same_addresses(patch in any_customer_patch()) {
        let mut customer = new(patch, &ids());
        let before: Vec<Address> = customer.addresses().into_iter().cloned().collect();
        let shown = (customer.billing().cloned(), customer.shipping().cloned());
        customer.change_addresses(|_| {});
        let after: Vec<Address> = customer.addresses().into_iter().cloned().collect();
        prop_assert_eq!(before, after);
        prop_assert_eq!(shown, (customer.billing().cloned(), customer.shipping().cloned()));
    }
}

/// What a revert leaves as it is, or raises.
fn timeless(customer: &Customer) -> Customer {
    let mut next = customer.clone();
    (next.version, next.updated_at) = (0, at(0));
    (next.email_since, next.former_emails) = (None, Vec::new());
    next.change_addresses(|all| {
        for address in all {
            (address.version, address.updated_at) = (0, at(0));
        }
    });
    next
}

proptest! {
    #[test]
    fn what_is_put_back_is_as_it_was_under_versions_that_none_had(
        first in any_customer_patch(),
        changes in proptest::collection::vec(any_customer_patch(), 1..4),
    ) {
        let ids = ids();
        let mut states = vec![new(first, &ids)];
        for (patch, moment) in changes.into_iter().zip(2..) {
            let (next, _) = states[states.len() - 1].apply(patch, at(moment), &ids).expect("valid");
            states.push(next);
        }
        let [then, .., now] = &states[..] else { unreachable!() };
        let steps = i64::try_from(states.len()).expect("few") - 1;
        let all: Vec<&str> = REVERTIBLE.split(", ").collect();
        let (back, changed) = now.reverted(then, Some(&all), steps, at(99));
        prop_assert_eq!(timeless(&back), timeless(then));
        prop_assert_eq!(changed.is_empty(), back == *now);
        prop_assert_eq!(back.version, now.version + i64::from(!changed.is_empty()));
        for address in back.addresses() {
            let was = states.iter().filter_map(|state| state.address(address.number));
            for was in was.filter(|was| was.version >= address.version) {
                prop_assert_eq!(was, address, "a tag of before would pass");
            }
        }
        // Without names, how things stand now stays.
        let (kept, _) = now.reverted(then, None, steps, at(99));
        prop_assert_eq!((kept.status, kept.status_until), (now.status, now.status_until));
        prop_assert_eq!(kept.names(), then.names());
        let (none, changed) = now.reverted(then, Some(&[]), steps, at(99));
        prop_assert!(changed.is_empty() && none == *now);
    }
}

#[test]
fn one_form_of_a_name_makes_the_other_stale() {
    let ids = ids();
    let split = CustomerPatch {
        given_name: Patch::Set(name("Anna")),
        family_name: Patch::Set(name("Muster")),
        ..CustomerPatch::default()
    };
    let anna = new(split, &ids);
    let whole = |text| CustomerPatch { full_name: Patch::Set(name(text)), ..Default::default() };
    let (same, _) = anna.apply(whole("Anna Muster"), at(2), &ids).expect("valid");
    assert_eq!(same.given_name, Some(name("Anna")), "the same name said in full changes no part");
    let (other, _) = anna.apply(whole("Berta Meier"), at(2), &ids).expect("valid");
    assert_eq!(other.given_name, None);
    assert_eq!(other.names().given.as_deref(), Some("Berta"));
    let parts = CustomerPatch { family_name: Patch::Set(name("Huber")), ..Default::default() };
    let (parted, _) = other.apply(parts, at(3), &ids).expect("valid");
    assert_eq!(parted.full_name, None);
    assert_eq!(parted.names().full.as_deref(), Some("Huber"));
}

#[test]
fn a_flat_edit_changes_one_purpose_only_and_is_seen() {
    let ids = ids();
    let mut customer = new(CustomerPatch::default(), &ids);
    let mut shared = Address::new(ids.next(), Purpose::Both, city("Bern"), at(1));
    shared.is_default = true;
    customer.change_addresses(|all| all.push(shared));
    let edit = |billing| CustomerPatch { billing, ..CustomerPatch::default() };
    let replace = AddressEdit::Replace(Box::new(city("Chur")));
    let (edited, changes) = customer.apply(edit(replace), at(2), &ids).expect("valid");
    assert_eq!(changes, ["billing"]);
    assert_eq!(city_of(edited.billing()), Some("Chur"));
    assert_eq!(city_of(edited.shipping()), Some("Bern"));
    let (cleared, _) = customer.apply(edit(AddressEdit::Clear), at(2), &ids).expect("valid");
    assert_eq!(city_of(cleared.billing()), None);
    assert_eq!(city_of(cleared.shipping()), Some("Bern"));
    let general = CustomerPatch { general: AddressEdit::Clear, ..CustomerPatch::default() };
    let (kept, _) = customer.apply(general, at(2), &ids).expect("valid");
    assert_eq!(city_of(kept.shipping()), Some("Bern"), "nobody's general address");
}

#[test]
fn former_email_addresses_are_remembered_once() {
    let ids = ids();
    let email = |text: &str| CustomerPatch {
        email: Patch::Set(Email::parse(text).expect("valid")),
        ..CustomerPatch::default()
    };
    let mut customer = new(email("a@example.com"), &ids);
    for (i, text) in ["b@example.com", "a@example.com", "b@example.com"].into_iter().enumerate() {
        let now = at(10 + i64::try_from(i).expect("small"));
        customer = customer.apply(email(text), now, &ids).expect("valid").0;
    }
    let known: Vec<&str> = customer.former_emails.iter().map(|f| f.email.as_str()).collect();
    assert_eq!(known, ["a@example.com", "b@example.com"]);
}

#[test]
fn an_absorbing_customer_keeps_its_own_and_takes_what_it_lacks() {
    let ids = ids();
    let mine = CustomerPatch { given_name: Patch::Set(name("Anna")), ..Default::default() };
    let theirs = CustomerPatch {
        given_name: Patch::Set(name("Anne")),
        family_name: Patch::Set(name("Muster")),
        title: Patch::Set(Line::parse("Dr").expect("valid")),
        billing: AddressEdit::Replace(Box::new(city("Bern"))),
        ..CustomerPatch::default()
    };
    let (mine, theirs) = (new(mine, &ids), new(theirs, &ids));
    let merged = mine.absorb(&theirs, at(5)).expect("valid");
    assert_eq!(merged.given_name, Some(name("Anna")));
    assert_eq!(merged.family_name, None, "parts of two people's names are never mixed");
    assert_eq!(merged.title, theirs.title);
    assert_eq!(city_of(merged.billing()), Some("Bern"));
    assert_eq!(merged.version, 2);
}

#[test]
fn what_stands_in_for_a_status_goes_with_the_first_one_and_never_moves() {
    let ids = ids();
    let stand_in = || CustomerPatch {
        extras: vec![("one", STAND_IN, Patch::Set("0".into()))],
        ..CustomerPatch::default()
    };
    let customer = new(stand_in(), &ids);
    let said = CustomerPatch { status: Patch::Set(Status::Active), ..CustomerPatch::default() };
    let (after, changes) = customer.apply(said, at(2), &ids).expect("valid");
    assert_eq!((after.extras.len(), changes), (0, vec!["status"]));
    let other = new(CustomerPatch::default(), &ids);
    assert!(other.absorb(&customer, at(3)).expect("valid").extras.is_empty());
    assert_eq!(customer.absorb(&other, at(3)).expect("valid").extras, customer.extras);
}
