//! Saved cards of a customer (dossier B.4). Only cards of which first six, last four and expiry are
//! known can be shown here, and only those that may be used: each entry's token is meant to be paid
//! with.

use patron_app::{
    Page as Found, customers, payment_methods,
    search::{Filter, Query, fields::payment_method},
};
use patron_gateway::{Reply, Request};
use patron_model::{
    Failure, Timestamp,
    customer::Customer,
    payment_method::{MethodType, PaymentMethod},
};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use crate::{
    customers::{find, newest_first, uuid_of},
    errors::APPROVED,
    lists::{List, Page},
};

/// A saved card. All members are there in every answer; webhooks do not know whose it is.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PaymentMethodObject<'a> {
    status: &'static str,
    id: &'a str,
    token: &'a str,
    masked_pan: String,
    expiration_date: String,
    keep_until: Option<String>,
    created_at: String,
    updated_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Uuid", required)]
    customer_uuid: Option<Uuid>,
    expired: bool,
}

impl<'a> PaymentMethodObject<'a> {
    /// A card as this API shows it; nothing when it lacks what every card has here.
    pub fn of(
        method: &'a PaymentMethod,
        customer: Option<&Customer>,
        now: Timestamp,
    ) -> Option<Self> {
        let (first, last) = (method.first_six.as_ref()?, method.last_four.as_ref()?);
        Some(PaymentMethodObject {
            status: APPROVED,
            id: &method.token,
            token: &method.token,
            masked_pan: format!("{first}******{last}"),
            expiration_date: method.expiry?.last_day(),
            keep_until: None,
            created_at: method.created_at.rfc3339_seconds(),
            updated_at: method.updated_at.rfc3339_seconds(),
            customer_uuid: customer.map(|customer| customer.uuid),
            expired: method.is_expired(now),
        })
    }
}

/// The same as a question to the store, so that pages are of full length.
fn can_be_shown() -> Filter {
    let known = |field| Filter::Not(Box::new(Filter::Missing(field)));
    Filter::equal(payment_method::method_type(), MethodType::Card.as_str())
        .and(Filter::equal(payment_method::state(), ACTIVE))
        .and(known(payment_method::first_six()))
        .and(known(payment_method::last_four()))
        .and(known(payment_method::expiry_year()))
}

/// The active state as documents write it.
const ACTIVE: &str = "active";

/// `GET /v2/customers/{uuid}/payment-methods`. A client of the vendor's names the customer by the
/// merchant's own id here, so that is tried after the UUID.
///
/// # Errors
/// `NotFound`, `Malformed`.
pub async fn list(request: Request) -> Result<Reply, Failure> {
    let Page { limit, offset } = Page::of(&request)?;
    let Some(customer) = by_either_id(&request).await? else {
        return Reply::json(200, &List::<PaymentMethodObject<'_>>::of(Vec::new()));
    };
    let query = Query {
        predicate: can_be_shown(),
        order: newest_first(payment_method::created_at()),
        limit,
        offset,
        ..Query::of(request.cx.space)
    };
    let id = patron_app::Id::Number(customer.number);
    let Found { items, .. } = payment_methods::list(&request.cx, id, query).await?;
    let shown = |method| PaymentMethodObject::of(method, Some(&customer), request.now);
    let data = items.iter().filter_map(|method| shown(method)).collect();
    Reply::json(200, &List::of(data))
}

/// The customer of the path; none when it is deleted.
async fn by_either_id(request: &Request) -> Result<Option<Customer>, Failure> {
    let sent = request.param("uuid");
    if let Ok(id) = uuid_of(sent) {
        match find(request, id).await {
            Err(Failure::NotFound { .. }) => {}
            found => return found,
        }
    }
    customers::get_by_reference(&request.cx, sent).await.map(|loaded| Some(loaded.record))
}

#[cfg(test)]
mod tests {
    use patron_model::payment_method::MethodState;

    use super::*;

    #[test]
    fn documents_write_the_active_state_as_it_is_asked_for() {
        let written = serde_json::to_value(MethodState::Active).expect("a word");
        assert_eq!(written, ACTIVE);
    }
}
