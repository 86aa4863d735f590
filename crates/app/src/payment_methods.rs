//! Use cases of saved payment methods. Card numbers come in here and nowhere else; they leave as
//! first six, last four, expiry, a keyed fingerprint and a random token.

use patron_model::{
    Failure, Ids, Noun, Patch,
    card::{CardNumber, Expiry},
    country::Country,
    email::Email,
    payment_method::{METHODS_MAX, MethodState, MethodType, PaymentMethod},
    phone::Phone,
    problem::{Problems, Why},
    text::{Line, Name},
};

use crate::{
    Cx,
    commit::{ATTEMPTS_MAX, Action, Expect, Loaded, Saved, decode, raced},
    customers::{self, Id, Page},
    documents::PAYMENT_METHOD,
    failure,
    search::{Field, Filter, Query},
};

fn not_found() -> Failure {
    Failure::NotFound { noun: Noun::PaymentMethod }
}

/// Where the real data of a new method comes from.
#[derive(Debug)]
pub enum Source {
    /// A card, tokenised here.
    Card {
        /// The number; dropped when the use case ends.
        number: CardNumber,
        /// Month and year it is valid through.
        expiry: Expiry,
    },
    /// A token of a provider that keeps the real data.
    Provider {
        /// The token, opaque to us.
        token: Line,
        /// First six digits, where the provider tells them.
        first_six: Option<String>,
        /// Last four digits, where the provider tells them.
        last_four: Option<String>,
        /// Card scheme, where the provider tells it.
        brand: Option<patron_model::card::Brand>,
        /// Expiry, where the provider tells it.
        expiry: Option<Expiry>,
    },
    /// An account that is named by phone number or channel only.
    Account,
}

/// A payment method to be saved.
#[derive(Debug)]
pub struct NewMethod {
    /// What kind.
    pub method_type: MethodType,
    /// Where the real data comes from.
    pub source: Source,
    /// Details anybody may know.
    pub details: Details,
    /// Whether it becomes the preferred one; the first one of a customer does in any case.
    pub is_default: bool,
}

/// Details of a method that can be changed.
#[derive(Debug, Clone, Default)]
pub struct Details {
    /// Name of the provider.
    pub provider: Patch<Line>,
    /// Channel.
    pub channel: Patch<Line>,
    /// Name of the holder.
    pub holder_name: Patch<Name>,
    /// E-mail address of the holder.
    pub email: Patch<Email>,
    /// Phone number.
    pub phone: Patch<Phone>,
    /// Country of issue.
    pub country: Patch<Country>,
    /// Issuer's name.
    pub issuer: Patch<Line>,
    /// Expiry, when the card was renewed.
    pub expiry: Patch<Expiry>,
    /// Whether it may be used.
    pub state: Option<MethodState>,
    /// Whether it is the preferred one.
    pub is_default: Option<bool>,
}

impl Details {
    fn apply(self, method: &mut PaymentMethod) {
        self.provider.change(&mut method.provider);
        self.channel.change(&mut method.channel);
        self.holder_name.change(&mut method.holder_name);
        self.email.change(&mut method.email);
        self.phone.change(&mut method.phone);
        self.country.change(&mut method.country);
        self.issuer.change(&mut method.issuer);
        self.expiry.change(&mut method.expiry);
        method.state = self.state.unwrap_or(method.state);
        method.is_default = self.is_default.unwrap_or(method.is_default);
    }
}

/// Methods of one customer that are not deleted: a filter to be narrowed further.
pub fn of_customer(customer: i64) -> Filter {
    Filter::equal(Field::Column("customer"), customer)
        .and(Filter::Missing(Field::Column("deleted_at")))
}

/// A page of a living customer's methods.
///
/// # Errors
/// `NotFound` when the customer is.
pub async fn list(cx: &Cx, customer: Id, query: Query) -> Result<Page<PaymentMethod>, Failure> {
    let customer = customers::get(cx, customer).await?;
    let predicate = of_customer(customer.number).and(query.predicate);
    customers::page(cx, &Query { predicate, ..query }).await
}

/// Customers whose methods are read with one question.
const CUSTOMERS_AT_ONCE: usize = 200;

/// All methods of several customers, deleted methods excluded, by number: for lists of customers.
///
/// # Errors
/// Whatever the store says.
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
        all.extend(customers::page(cx, &query).await?.items);
    }
    Ok(all)
}

/// One method of a living customer.
///
/// # Errors
/// `NotFound`.
pub async fn get(cx: &Cx, customer: Id, id: Id) -> Result<Loaded<PaymentMethod>, Failure> {
    let customer = customers::get(cx, customer).await?;
    let row = match id {
        Id::Number(number) => cx.app.store.get(&PAYMENT_METHOD, cx.space, number).await,
        Id::Uuid(uuid) => cx.app.store.get_by_uuid(&PAYMENT_METHOD, cx.space, uuid).await,
    };
    let method: Loaded<PaymentMethod> = decode(&row.map_err(failure)?.ok_or_else(not_found)?)?;
    let is_here = method.customer == customer.number && method.deleted_at.is_none();
    if is_here { Ok(method) } else { Err(not_found()) }
}

/// Saves a payment method. The same card of the same customer is not saved twice: the saved one is
/// answered, with the new expiry and details.
///
/// # Errors
/// `NotFound` when the customer is, `Invalid` when it has too many methods.
pub async fn create(
    cx: &Cx,
    customer: Id,
    new: NewMethod,
) -> Result<Saved<PaymentMethod>, Failure> {
    if let Some(saved) = cx.replayed().await? {
        return Ok(saved);
    }
    for _ in 0..ATTEMPTS_MAX {
        let customer = customers::get(cx, customer).await?;
        let all = Query { limit: 1_000, ..Query::of(cx.space) };
        let known = list(cx, Id::Number(customer.number), all).await?.items;
        cx.app.ensure_ids(1).await?;
        let mut method = blank(cx, customer.number, &new);
        let same =
            known.iter().find(|k| k.fingerprint.is_some() && k.fingerprint == method.fingerprint);
        let mut draft = cx.draft();
        // The customer must still be there when the method is.
        draft.assert(&customer);
        method.is_default = new.is_default || known.is_empty();
        if let Some(before) = same {
            let mut after = before.record.clone();
            new.details.clone().apply(&mut after);
            after.expiry = method.expiry;
            after.is_default |= method.is_default;
            return match settle(cx, draft, before, after, &known).await? {
                Some(saved) => Ok(saved),
                None => continue,
            };
        }
        if known.len() >= METHODS_MAX {
            let why = Why::TooMany { max: METHODS_MAX };
            return Err(Problems::one("payment_methods", why).into());
        }
        if method.is_default {
            end_defaults(&mut draft, &known, method.number, cx)?;
        }
        draft.insert(&method)?;
        draft.outcome(&method, 1, Action::Created);
        if draft.settle().await? {
            return Ok(Saved {
                record: method,
                revision: 1,
                action: Action::Created,
                replayed: false,
            });
        }
    }
    Err(raced())
}

fn blank(cx: &Cx, customer: i64, new: &NewMethod) -> PaymentMethod {
    let id = cx.app.next();
    let token: [u8; 32] = rand::random();
    let mut method = PaymentMethod {
        number: id.number,
        uuid: id.uuid,
        space: cx.space,
        customer,
        version: 1,
        method_type: new.method_type,
        brand: None,
        first_six: None,
        last_four: None,
        expiry: None,
        fingerprint: None,
        token: hex::encode(token),
        provider_token: None,
        provider: None,
        channel: None,
        holder_name: None,
        email: None,
        phone: None,
        country: None,
        issuer: None,
        state: MethodState::Active,
        is_default: false,
        created_at: cx.now,
        updated_at: cx.now,
        deleted_at: None,
    };
    match &new.source {
        Source::Card { number, expiry } => {
            let scope = format!("card:{}", cx.space);
            method.fingerprint = Some(cx.app.secrets.fingerprint(&scope, &number.digits()));
            method.brand = Some(number.brand());
            method.first_six = Some(number.first_six());
            method.last_four = Some(number.last_four());
            method.expiry = Some(*expiry);
        }
        Source::Provider { token, first_six, last_four, brand, expiry } => {
            method.provider_token = Some(token.clone());
            method.first_six = first_six.clone();
            method.last_four = last_four.clone();
            method.brand = *brand;
            method.expiry = *expiry;
        }
        Source::Account => {}
    }
    new.details.clone().apply(&mut method);
    method
}

/// Changes details of a method.
///
/// # Errors
/// `NotFound`, `Stale`.
pub async fn update(
    cx: &Cx,
    customer: Id,
    id: Id,
    expect: Expect,
    details: Details,
) -> Result<Saved<PaymentMethod>, Failure> {
    if let Some(saved) = cx.replayed().await? {
        return Ok(saved);
    }
    for _ in 0..ATTEMPTS_MAX {
        let before = get(cx, customer, id).await?;
        expect.check(before.version, before.revision)?;
        let all = Query { limit: 1_000, ..Query::of(cx.space) };
        let known = list(cx, customer, all).await?.items;
        let mut after = before.record.clone();
        details.clone().apply(&mut after);
        if let Some(saved) = settle(cx, cx.draft(), &before, after, &known).await? {
            return Ok(saved);
        }
    }
    Err(raced())
}

async fn settle(
    cx: &Cx,
    mut draft: crate::Draft<'_>,
    before: &Loaded<PaymentMethod>,
    after: PaymentMethod,
    known: &[Loaded<PaymentMethod>],
) -> Result<Option<Saved<PaymentMethod>>, Failure> {
    if after == before.record {
        draft.outcome(&after, before.revision, Action::Unchanged);
        let (record, revision) = (after, before.revision);
        let saved = Saved { record, revision, action: Action::Unchanged, replayed: false };
        return Ok(draft.settle().await?.then_some(saved));
    }
    let updated_at = cx.now.max(before.updated_at);
    let after = PaymentMethod { version: before.version + 1, updated_at, ..after };
    if after.is_default && !before.is_default {
        end_defaults(&mut draft, known, after.number, cx)?;
    }
    draft.replace(before, &after, Action::Updated, &["details"])?;
    let revision = before.revision + 1;
    draft.outcome(&after, revision, Action::Updated);
    let saved = Saved { record: after, revision, action: Action::Updated, replayed: false };
    Ok(draft.settle().await?.then_some(saved))
}

/// Hides a method; its token names nothing any more.
///
/// # Errors
/// `NotFound`, `Stale`.
pub async fn delete(
    cx: &Cx,
    customer: Id,
    id: Id,
    expect: Expect,
) -> Result<Saved<PaymentMethod>, Failure> {
    if let Some(saved) = cx.replayed().await? {
        return Ok(saved);
    }
    for _ in 0..ATTEMPTS_MAX {
        let before = get(cx, customer, id).await?;
        expect.check(before.version, before.revision)?;
        let after = PaymentMethod {
            deleted_at: Some(cx.now),
            is_default: false,
            version: before.version + 1,
            updated_at: cx.now.max(before.updated_at),
            ..before.record.clone()
        };
        let mut draft = cx.draft();
        draft.replace(&before, &after, Action::Deleted, &["deleted_at"])?;
        let revision = before.revision + 1;
        draft.outcome(&after, revision, Action::Deleted);
        if draft.settle().await? {
            return Ok(Saved { record: after, revision, action: Action::Deleted, replayed: false });
        }
    }
    Err(raced())
}

fn end_defaults(
    draft: &mut crate::Draft<'_>,
    known: &[Loaded<PaymentMethod>],
    winner: i64,
    cx: &Cx,
) -> Result<(), Failure> {
    for other in known.iter().filter(|k| k.is_default && k.number != winner) {
        let after = PaymentMethod {
            is_default: false,
            version: other.version + 1,
            updated_at: cx.now.max(other.updated_at),
            ..other.record.clone()
        };
        draft.replace(other, &after, Action::Updated, &["default"])?;
    }
    Ok(())
}
