//! From the wire to a change of the record (dossier §5, §6).
//!
//! A body is compared member by member with what the customer shows right now, and only what
//! differs is changed. So a read customer can be sent back whole and nothing changes, also where a
//! value is shown shortened, derived or not at all; and what other APIs know of a customer stays.

use patron_gateway::Faults;
use patron_model::{
    Failure, Patch, Why,
    address::{AddressEdit, PostalPatch},
    country::Country,
    customer::{Customer, CustomerPatch},
    email::Email,
    language::Language,
    names::Names,
    phone::Phone,
    space::Space,
    text::{Line, Name},
};
use serde_json::Value;

use crate::{
    NAME,
    customers::{
        show,
        wire::{AddressBody, CustomerBody, Overlay, TaxBody},
    },
    limits::{self, Lengths},
};

/// A new customer. `faults` has what is wrong with the body already.
///
/// # Errors
/// `Malformed` or `Invalid`, with every problem.
pub fn creation(
    body: &CustomerBody,
    space: &Space,
    faults: Faults,
) -> Result<CustomerPatch, Failure> {
    patch(body, &CustomerBody::default(), None, Writing::of(space, faults))
}

/// A change of a customer. With the space's switch `update_mode` at `merge`, what is absent stays;
/// otherwise the body replaces everything that Verifone knows of a customer.
///
/// # Errors
/// `Malformed` or `Invalid`, with every problem.
pub fn update(
    body: CustomerBody,
    current: &Customer,
    space: &Space,
    faults: Faults,
) -> Result<CustomerPatch, Failure> {
    let before = show::body(current, space);
    let sent = match space.switch(NAME, "update_mode") {
        Some("merge") => body.over(before.clone()),
        _ => body,
    };
    patch(&sent, &before, Some(current), Writing::of(space, faults))
}

fn patch(
    sent: &CustomerBody,
    before: &CustomerBody,
    current: Option<&Customer>,
    mut writing: Writing,
) -> Result<CustomerPatch, Failure> {
    writing.require_name(sent);
    let none = AddressBody::default();
    let sides = |body: &CustomerBody| {
        let side = |side: &Option<AddressBody>| side.clone().unwrap_or_default();
        (side(&body.billing), side(&body.shipping))
    };
    let ((bill, ship), (bill_before, ship_before)) = (sides(sent), sides(before));
    let mut patch = writing.top(sent, before);
    let mut billing = Side { name: "billing", extra: show::BILLING_COUNTRY, edits: &mut patch };
    let postal = writing.postal(&mut billing, &bill, &bill_before);
    let stored = current.is_some_and(|c| c.billing().is_some());
    let named = AddressBody {
        first_name: bill_before.first_name.clone(),
        last_name: bill_before.last_name.clone(),
        ..none.clone()
    };
    let beyond_names = |body: &AddressBody| {
        AddressBody { first_name: None, last_name: None, ..body.clone() } != none
    };
    patch.billing = edit(postal, stored, beyond_names(&bill), beyond_names(&bill_before));
    let bare = patch.billing == AddressEdit::Clear;
    writing.names(&mut patch, &bill, &named, current, bare);
    let mut shipping = Side { name: "shipping", extra: show::SHIPPING_COUNTRY, edits: &mut patch };
    let postal = writing.postal(&mut shipping, &ship, &ship_before);
    let stored = current.is_some_and(|c| c.shipping().is_some());
    patch.shipping = match edit(postal.clone(), stored, ship != none, ship_before != none) {
        // Goods may go to a bare name, too: there is no other place to keep it.
        AddressEdit::Keep if !postal.is_keep() => AddressEdit::Merge(Box::new(postal)),
        edit => edit,
    };
    writing.faults.finish()?;
    Ok(patch)
}

/// What becomes of an address. `beyond` says whether there is more than what is kept elsewhere.
fn edit(postal: PostalPatch, stored: bool, beyond: bool, beyond_before: bool) -> AddressEdit {
    let names = PostalPatch {
        given_name: postal.given_name.clone(),
        family_name: postal.family_name.clone(),
        ..PostalPatch::default()
    };
    if stored && !beyond && beyond_before {
        AddressEdit::Clear
    } else if postal.is_keep() || (!stored && postal == names) {
        // The person's name alone makes no address: the customer has it.
        AddressEdit::Keep
    } else {
        AddressEdit::Merge(Box::new(postal))
    }
}

/// An address on its way: what it is called and where its extra goes.
struct Side<'a> {
    name: &'static str,
    extra: &'static str,
    edits: &'a mut CustomerPatch,
}

/// Collects changes and problems of one body.
struct Writing {
    lengths: &'static Lengths,
    faults: Faults,
}

impl Writing {
    fn of(space: &Space, faults: Faults) -> Writing {
        Writing { lengths: limits::lengths(space), faults }
    }

    /// One field: as it is shown already it stays; else it is cleared, or parsed and set.
    fn change<T>(
        &mut self,
        field: &str,
        sent: &Option<String>,
        before: &Option<String>,
        parse: impl FnOnce(&str) -> Result<T, Why>,
    ) -> Patch<T> {
        match sent {
            same if same == before => Patch::Keep,
            None => Patch::Clear,
            Some(text) => match parse(text) {
                Ok(value) => Patch::Set(value),
                Err(why) => {
                    self.faults.refuse(field, why);
                    Patch::Keep
                }
            },
        }
    }

    /// Company or full name (dossier §5.6); blanks count as nothing.
    fn require_name(&mut self, sent: &CustomerBody) {
        let given = |text: &Option<String>| text.as_deref().is_some_and(|t| !t.trim().is_empty());
        let billing = sent.billing.as_ref();
        let first = billing.is_some_and(|b| given(&b.first_name));
        let last = billing.is_some_and(|b| given(&b.last_name));
        let field = match (given(&sent.company_name), first, last) {
            (true, _, _) | (false, true, true) => return,
            (false, false, false) => {
                let others = "billing.first_name and billing.last_name";
                return self.faults.refuse("company_name", Why::RequiredWithout { others });
            }
            (false, true, false) => "billing.last_name",
            (false, false, true) => "billing.first_name",
        };
        self.faults.refuse(field, Why::RequiredWithout { others: "company_name" });
    }

    fn top(&mut self, sent: &CustomerBody, before: &CustomerBody) -> CustomerPatch {
        let phone = |text: &str| Phone::parse(limits::phone(text)?, None);
        let tax = |tax: &Option<TaxBody>| tax.as_ref().and_then(|t| t.identifier.clone());
        let (company, number) = (limits::COMPANY_MAX, limits::REGISTRATION_MAX);
        let mut patch = CustomerPatch {
            company_name: self.change(
                "company_name",
                &sent.company_name,
                &before.company_name,
                |t| Name::parse(limits::within(t, company)?),
            ),
            company_registration_number: self.change(
                "company_registration_number",
                &sent.company_registration_number,
                &before.company_registration_number,
                |t| Line::parse(limits::within(t, number)?),
            ),
            email: self.change("email_address", &sent.email_address, &before.email_address, |t| {
                Email::parse(limits::within(t, limits::EMAIL_MAX)?)
            }),
            phone: self.change("phone_number", &sent.phone_number, &before.phone_number, phone),
            work_phone: self.change("work_phone", &sent.work_phone, &before.work_phone, phone),
            title: self
                .change("title", &sent.title, &before.title, |t| Line::parse(limits::title(t)?)),
            tax_number: self.change("tax.identifier", &tax(&sent.tax), &tax(&before.tax), |t| {
                Line::parse(limits::tax(t)?)
            }),
            ..CustomerPatch::default()
        };
        let language = self.change("language", &sent.language, &before.language, |t| {
            known_or_kept(limits::language(t)?, Language::parse)
        });
        let (language, kept) = apart(language);
        patch.language = language;
        patch.extras.push((NAME, show::LANGUAGE, kept));
        patch
    }

    fn postal(
        &mut self,
        side: &mut Side<'_>,
        sent: &AddressBody,
        before: &AddressBody,
    ) -> PostalPatch {
        let (person, street) = (self.lengths.person, self.lengths.street);
        let field = |field: &str| format!("{}.{field}", side.name);
        let name = |t: &str| Name::parse(limits::within(t, person)?);
        let line = |max| move |t: &str| Line::parse(limits::within(t, max)?);
        let country = Country::parse(sent.country_code.as_deref().unwrap_or_default()).ok();
        let code =
            self.change(&field("country_code"), &sent.country_code, &before.country_code, |t| {
                known_or_kept(limits::country(t)?, Country::parse)
            });
        let (known, kept) = apart(code);
        side.edits.extras.push((NAME, side.extra, kept));
        let Lengths { city, postal_code, state, .. } = *self.lengths;
        PostalPatch {
            line1: self.change(
                &field("address_1"),
                &sent.address_1,
                &before.address_1,
                line(street),
            ),
            line2: self.change(
                &field("address_2"),
                &sent.address_2,
                &before.address_2,
                line(street),
            ),
            line3: self.change(
                &field("address_3"),
                &sent.address_3,
                &before.address_3,
                line(street),
            ),
            city: self.change(&field("city"), &sent.city, &before.city, line(city)),
            country: known,
            given_name: self.change(
                &field("first_name"),
                &sent.first_name,
                &before.first_name,
                name,
            ),
            middle_name: self.change(
                &field("middle_name"),
                &sent.middle_name,
                &before.middle_name,
                name,
            ),
            family_name: self.change(&field("last_name"), &sent.last_name, &before.last_name, name),
            phone: self.change(&field("phone"), &sent.phone, &before.phone, |t| {
                Phone::parse(limits::phone(t)?, country.as_ref())
            }),
            postal_code: self.change(
                &field("postal_code"),
                &sent.postal_code,
                &before.postal_code,
                line(postal_code),
            ),
            state: self.change(&field("state"), &sent.state, &before.state, line(state)),
            ..PostalPatch::default()
        }
    }

    /// The billing names are the customer's own, too. They change as a pair: the new ones came in
    /// split, so a full name that came in whole is of the past.
    fn names(
        &self,
        patch: &mut CustomerPatch,
        sent: &AddressBody,
        before: &AddressBody,
        current: Option<&Customer>,
        bare: bool,
    ) {
        let same = sent.first_name == before.first_name && sent.last_name == before.last_name;
        let (first, last) = current.map(|c| show::own_names(c, self.lengths)).unwrap_or_default();
        let own = sent.first_name == first && sent.last_name == last;
        // Unchanged names stay where they are, unless the address that held them goes.
        if (same && !bare) || (bare && own) {
            return;
        }
        let Names { given, family, .. } = current.map(Customer::names).unwrap_or_default();
        let split = current.is_some_and(|c| c.given_name.is_some() || c.family_name.is_some());
        let name = |sent: &Option<String>, shown: &Option<String>, full: Option<&str>| match sent {
            None => Patch::Clear,
            // A longer name that is shown cut is not shortened by being sent back.
            Some(text) if split && Some(text) == shown.as_ref() && full.is_some() => Patch::Keep,
            Some(text) => Name::parse(text).map_or(Patch::Keep, Patch::Set),
        };
        patch.given_name = name(&sent.first_name, &first, given.as_deref());
        patch.family_name = name(&sent.last_name, &last, family.as_deref());
        patch.full_name = Patch::Clear;
    }
}

/// What the core knows, or the text as it is, for the extras.
fn known_or_kept<T>(
    text: &str,
    parse: impl FnOnce(&str) -> Result<T, Why>,
) -> Result<Result<T, String>, Why> {
    Ok(parse(text).map_err(|_| text.to_owned()))
}

/// The change of the core field and that of the extra beside it: one of them is always empty.
fn apart<T>(patch: Patch<Result<T, String>>) -> (Patch<T>, Patch<Value>) {
    match patch {
        Patch::Keep => (Patch::Keep, Patch::Keep),
        Patch::Clear => (Patch::Clear, Patch::Clear),
        Patch::Set(Ok(known)) => (Patch::Set(known), Patch::Clear),
        Patch::Set(Err(kept)) => (Patch::Clear, Patch::Set(Value::String(kept))),
    }
}
