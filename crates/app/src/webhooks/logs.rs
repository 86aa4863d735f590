//! What became of deliveries, for APIs that show all of them: theirs are noted also of what arrived
//! at once (`notes_all` of their [`notifier`](super::notifier)).

use async_recursion::async_recursion;
use patron_model::{Failure, Noun, Timestamp, webhook::Endpoint};
use uuid::Uuid;

use super::{
    ENDPOINT, SHOWN_MAX,
    deliveries::{Delivery, DeliveryState},
    notifier::Subscription,
    telling,
};
use crate::{
    Cx,
    documents::CUSTOMER,
    failure,
    record::{self, Id, Loaded, Look, decode},
    search::{Compare, Field, Filter, Order, Query, Value},
};

/// Which deliveries are looked for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// In these spaces.
    pub spaces: Vec<i64>,
    /// To endpoints with these numbers.
    pub endpoints: Vec<i64>,
    /// Noted first at this moment or later.
    pub from: Timestamp,
    /// Noted first at this moment or earlier.
    pub until: Timestamp,
    /// Of these types; none: all.
    pub kinds: Option<&'static [&'static str]>,
    /// Whether they arrived.
    pub is_delivered: Option<bool>,
    /// Behind so many that are passed over.
    pub offset: u64,
    /// So many.
    pub limit: u32,
}

/// Endpoints of an API in some spaces, deleted ones included: the latest [`SHOWN_MAX`].
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn endpoints(
    cx: &Cx,
    spaces: &[i64],
    dialect: &str,
) -> Result<Vec<Loaded<Endpoint>>, Failure> {
    let query = Query {
        tenants: spaces.to_vec(),
        predicate: Filter::equal(Field::text(&["dialect"]), dialect),
        order: Order::newest_first(),
        limit: SHOWN_MAX,
        ..Query::of(cx.space)
    };
    let found = cx.app.store.find(&ENDPOINT, &query).await.map_err(failure)?;
    found.rows.iter().map(decode).collect()
}

/// Deliveries, newest first.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn search(cx: &Cx, asked: &Asked) -> Result<Vec<Loaded<Delivery>>, Failure> {
    let Asked { spaces, endpoints, from, until, kinds, is_delivered, offset, limit } = asked;
    if spaces.is_empty() || endpoints.is_empty() {
        return Ok(Vec::new());
    }
    let at = || Field::Whole(vec!["created_at".to_owned()]);
    let endpoints = endpoints.iter().copied().map(Value::from).collect();
    let mut all = vec![
        Filter::OneOf(Field::Column("endpoint"), endpoints),
        Filter::Compare(at(), Compare::AtLeast, from.micros().into()),
        Filter::Compare(at(), Compare::AtMost, until.micros().into()),
    ];
    if let Some(kinds) = kinds {
        let kinds = kinds.iter().copied().map(Value::from).collect();
        all.push(Filter::OneOf(Field::text(&["type"]), kinds));
    }
    let delivered = Filter::equal(Field::text(&["state"]), DeliveryState::Delivered.as_str());
    match is_delivered {
        Some(true) => all.push(delivered),
        Some(false) => all.push(Filter::Not(Box::new(delivered))),
        None => {}
    }
    let query = Query {
        tenants: spaces.clone(),
        predicate: Filter::And(all),
        order: Order::newest_first(),
        offset: *offset,
        limit: *limit,
        ..Query::of(cx.space)
    };
    Ok(record::page(cx, &query).await?.items)
}

/// A delivery in one of these spaces to an endpoint of an API, and that endpoint, deleted or not.
///
/// # Errors
/// `NotFound`.
#[async_recursion]
pub async fn one(
    cx: &Cx,
    spaces: &[i64],
    dialect: &str,
    uuid: Uuid,
) -> Result<(Loaded<Delivery>, Loaded<Endpoint>), Failure> {
    let missing = || Failure::NotFound { noun: Noun::Delivery };
    let found: Loaded<Delivery> = record::load(cx, Look::at(Id::Uuid(uuid)).within(spaces)).await?;
    let look = Look::at(Id::Number(found.endpoint)).within(spaces).or_deleted();
    let endpoint: Loaded<Endpoint> = record::load(cx, look).await.map_err(|_| missing())?;
    if endpoint.dialect == dialect { Ok((found, endpoint)) } else { Err(missing()) }
}

/// What an endpoint would be told of a delivery now, as far as the caller may see it himself.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn bodies(
    cx: &Cx,
    endpoint: &Endpoint,
    delivery: &Delivery,
) -> Result<Vec<Vec<u8>>, Failure> {
    let entry = cx.app.store.entry(delivery.space, delivery.seq).await.map_err(failure)?;
    let Some(entry) = entry else { return Ok(Vec::new()) };
    let sees = endpoint.sees.and(cx.rights);
    let subscription = Subscription::of(&cx.app, Endpoint { sees, ..endpoint.clone() })?;
    let bodies = telling::bodies(&cx.app, &subscription, &entry, delivery.nth).await?;
    if !bodies.is_empty() && entry.kind == CUSTOMER.name {
        cx.saw(entry.tenant, entry.number);
    }
    Ok(bodies)
}
