//! Use cases of saved payment methods. Card numbers come in here and nowhere else; they leave as
//! first six, last four, expiry, a keyed fingerprint and a random token.

use async_recursion::async_recursion;
pub use patron_model::payment_method::{Details, NewMethod, Source};
use patron_model::{
    Failure, Ids, Permission, Timestamp,
    card::Found,
    customer::Deed,
    email::Email,
    event::MethodEvent,
    payment_method::{METHODS_MAX, PaymentMethod, Tokens},
    phone::Phone,
    problem::{Problems, Why},
};
use patron_store::{Column, Index, Kind, Value};

use crate::{
    Cx,
    commit::{Draft, Expect, Saved},
    customers,
    documents::{Document, named},
    record::{self, Id, Loaded, Page},
    search::{Field, Filter, Query},
};

/// Saved payment methods.
pub static PAYMENT_METHOD: Kind = Kind {
    name: "payment_method",
    columns: &[
        Column::int("customer", Index::Ordered),
        Column::text("fingerprint", Index::Ordered),
        Column::text("token", Index::UniqueEverywhere),
        Column::int("deleted_at", Index::None),
    ],
    terms: false,
};

impl Document for PaymentMethod {
    named!(PAYMENT_METHOD, PaymentMethod, MethodEvent, in_space);
    const SEEN_BY: Option<Permission> = Some(Permission::PaymentMethodRead);

    fn subject(&self) -> i64 {
        self.customer
    }

    fn is_gone(&self) -> bool {
        self.deleted_at.is_some()
    }

    fn columns(&self) -> Vec<Value> {
        vec![
            self.customer.into(),
            self.fingerprint.clone().into(),
            self.token.as_str().into(),
            self.deleted_at.map(Timestamp::micros).into(),
        ]
    }

    fn search_cards(&self, found: &mut Found) {
        found.maybe("provider_token", self.provider_token.as_ref());
        found.maybe("provider", self.provider.as_ref());
        found.maybe("channel", self.channel.as_ref());
        found.maybe("holder_name", self.holder_name.as_ref());
        found.maybe("email", self.email.as_ref().map(Email::as_str).as_ref());
        found.maybe("phone", self.phone.as_ref().map(Phone::raw).as_ref());
        found.maybe("issuer", self.issuer.as_ref());
    }
}

/// A page of a living customer's methods.
///
/// # Errors
/// `NotFound` when the customer is.
#[async_recursion]
pub async fn list(cx: &Cx, customer: Id, query: Query) -> Result<Page<PaymentMethod>, Failure> {
    let customer = customers::get(cx, customer).await?;
    let predicate = customers::hanging_on(customer.number).and(query.predicate);
    record::page(cx, &Query { predicate, ..query }).await
}

/// Customers whose methods are read with one question.
const CUSTOMERS_AT_ONCE: usize = 200;
/// Methods of one customer that are looked at: more than there may be.
const LOOKED_AT_MAX: u32 = 1_000;

/// All methods of several customers, deleted methods excluded, by number: for lists of customers.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn of_customers(
    cx: &Cx,
    spaces: &[i64],
    customers: &[i64],
) -> Result<Vec<Loaded<PaymentMethod>>, Failure> {
    let mut all = Vec::new();
    for some in customers.chunks(CUSTOMERS_AT_ONCE) {
        let numbers = some.iter().map(|number| (*number).into()).collect();
        let predicate = Filter::OneOf(Field::Column("customer"), numbers)
            .and(Filter::Missing(Field::Column("deleted_at")));
        let limit = u32::try_from(some.len() * METHODS_MAX).unwrap_or(u32::MAX);
        let query = Query { tenants: spaces.to_vec(), predicate, limit, ..Query::of(cx.space) };
        all.extend(record::page(cx, &query).await?.items);
    }
    Ok(all)
}

/// All methods of a living customer.
async fn all_of(cx: &Cx, customer: Id) -> Result<Vec<Loaded<PaymentMethod>>, Failure> {
    let query = Query { limit: LOOKED_AT_MAX, ..Query::of(cx.space) };
    Ok(list(cx, customer, query).await?.items)
}

/// One method of a living customer.
///
/// # Errors
/// `NotFound`.
#[async_recursion]
pub async fn get(cx: &Cx, customer: Id, id: Id) -> Result<Loaded<PaymentMethod>, Failure> {
    let customer = customers::get(cx, customer).await?;
    record::load_of(cx, customer.number, id).await
}

/// Saves a payment method. The same card of the same customer is not saved twice: the saved one is
/// answered, with the new expiry and details.
///
/// # Errors
/// `NotFound` when the customer is, `WrongState` when its status refuses it, `Invalid` when it has
/// too many methods.
#[async_recursion]
pub async fn create(
    cx: &Cx,
    customer: Id,
    new: NewMethod,
) -> Result<Saved<PaymentMethod>, Failure> {
    cx.settle(|mut draft| async {
        let customer = customers::get(cx, customer).await?;
        customer.allows(Deed::SavePaymentMethod, cx.now)?;
        let known = all_of(cx, Id::Number(customer.number)).await?;
        let place = (cx.space, customer.number);
        let mut method = PaymentMethod::create(draft.next(), place, &new, tokens(cx, &new), cx.now);
        method.is_default = new.is_default || known.is_empty();
        // The customer must still be there when the method is.
        draft.assert(&customer);
        let is_same = |known: &&Loaded<PaymentMethod>| known.fingerprint == method.fingerprint;
        if let Some(before) = known.iter().filter(|k| k.fingerprint.is_some()).find(is_same) {
            let (after, changes) = before.saved_again(&method, new.details.clone(), cx.now);
            end_defaults(cx, &mut draft, &known, before, &after)?;
            return draft.change(before, after, MethodEvent::Updated, &changes);
        }
        if known.len() >= METHODS_MAX {
            let why = Why::TooMany { max: METHODS_MAX };
            return Err(Problems::one("payment_methods", why).into());
        }
        if method.is_default {
            end_others(cx, &mut draft, &known, method.number)?;
        }
        draft.create(method)
    })
    .await
}

fn tokens(cx: &Cx, new: &NewMethod) -> Tokens {
    let token: [u8; 32] = rand::random();
    let fingerprint = match &new.source {
        Source::Card { number, .. } => {
            let scope = format!("card:{}", cx.space);
            Some(cx.app.secrets.fingerprint(&scope, &number.digits()))
        }
        Source::Provider { .. } | Source::Account => None,
    };
    Tokens { token: hex::encode(token), fingerprint }
}

/// Changes details of a method.
///
/// # Errors
/// `NotFound`, `Stale`.
#[async_recursion]
pub async fn update(
    cx: &Cx,
    customer: Id,
    id: Id,
    expect: Expect,
    details: Details,
) -> Result<Saved<PaymentMethod>, Failure> {
    cx.settle(|mut draft| async {
        let before = get(cx, customer, id).await?;
        expect.check(before.version, before.revision)?;
        let known = all_of(cx, customer).await?;
        let (after, changes) = before.apply(details.clone(), cx.now);
        end_defaults(cx, &mut draft, &known, &before, &after)?;
        draft.change(&before, after, MethodEvent::Updated, &changes)
    })
    .await
}

/// Hides a method; its token names nothing any more.
///
/// # Errors
/// `NotFound`, `Stale`.
#[async_recursion]
pub async fn delete(
    cx: &Cx,
    customer: Id,
    id: Id,
    expect: Expect,
) -> Result<Saved<PaymentMethod>, Failure> {
    cx.settle(|draft| async {
        let before = get(cx, customer, id).await?;
        expect.check(before.version, before.revision)?;
        draft.change(&before, before.deleted(cx.now), MethodEvent::Deleted, &["deleted_at"])
    })
    .await
}

/// Where a method becomes the preferred one, the others end to be.
fn end_defaults(
    cx: &Cx,
    draft: &mut Draft<'_>,
    known: &[Loaded<PaymentMethod>],
    before: &PaymentMethod,
    after: &PaymentMethod,
) -> Result<(), Failure> {
    match after.is_default && !before.is_default {
        true => end_others(cx, draft, known, after.number),
        false => Ok(()),
    }
}

fn end_others(
    cx: &Cx,
    draft: &mut Draft<'_>,
    known: &[Loaded<PaymentMethod>],
    winner: i64,
) -> Result<(), Failure> {
    for other in known.iter().filter(|k| k.is_default && k.number != winner) {
        draft.replace(other, &other.second(cx.now), MethodEvent::Updated, &["default"])?;
    }
    Ok(())
}
