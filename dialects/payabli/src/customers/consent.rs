//! What is noted on a customer: a request for consent, and transactions it is linked to (dossier
//! §4.1). No e-mail is sent and payments are not kept yet: both are remembered on the record.

use patron_app::{Expect, Id, customers as verbs};
use patron_gateway::{Reply, Request};
use patron_model::{
    Failure, Patch, Why,
    customer::{Customer, CustomerPatch},
    text,
};
use serde_json::{Value, json};

use crate::{
    NAME,
    customers::{self, show::moment},
    envelopes,
};

/// Field of the dialect's own: consents, as the record shows them.
pub const CONSENT: &str = "customerConsent";
/// Field of the dialect's own: ids of linked transactions, oldest first.
const LINKED: &str = "linkedTransactions";
/// Consent status: asked for.
const PENDING: i64 = -1;
/// Most characters of a transaction id.
const TRANSACTION_ID_MAX: usize = 100;
/// Most transactions linked to one customer.
const LINKS_MAX: usize = 1_000;

/// Asks a customer for consent to e-mails.
///
/// # Errors
/// `NotFound`; `Invalid` when the customer has no e-mail address.
pub async fn request(request: Request) -> Result<Reply, Failure> {
    let customer = customers::named(&request).await?;
    let cx = request.cx.in_space(customer.space);
    let asked = json!({"status": PENDING, "updatedAt": moment(cx.now)});
    verbs::change(&cx, Id::Number(customer.number), Expect::Any, |current| {
        if current.email.is_none() {
            return Err(Failure::invalid("email", Why::Required));
        }
        let sms = current.extra(NAME, CONSENT).and_then(|consent| consent.get("sms"));
        let consent = json!({"eCommunication": asked, "sms": sms});
        Ok(own_field(CONSENT, consent))
    })
    .await?;
    envelopes::simple()
}

/// Links a transaction to a customer.
///
/// # Errors
/// `NotFound`; `Malformed` for what cannot be a transaction id; `Invalid` when too many are linked.
pub async fn link(request: Request) -> Result<Reply, Failure> {
    let transaction = request.param("transId");
    text::check(transaction, 1, TRANSACTION_ID_MAX, false)
        .map_err(|why| Failure::malformed("transId", why))?;
    let customer = customers::named(&request).await?;
    let cx = request.cx.in_space(customer.space);
    verbs::change(&cx, Id::Number(customer.number), Expect::Any, |current| {
        let mut linked = linked(current);
        if linked.iter().any(|known| known.as_str() == Some(transaction)) {
            return Ok(CustomerPatch::default());
        }
        if linked.len() >= LINKS_MAX {
            return Err(Failure::invalid("transId", Why::TooMany { max: LINKS_MAX }));
        }
        linked.push(transaction.into());
        Ok(own_field(LINKED, Value::Array(linked)))
    })
    .await?;
    envelopes::simple()
}

fn linked(customer: &Customer) -> Vec<Value> {
    customer.extra(NAME, LINKED).and_then(Value::as_array).cloned().unwrap_or_default()
}

fn own_field(field: &'static str, value: Value) -> CustomerPatch {
    CustomerPatch { extras: vec![(NAME, field, Patch::Set(value))], ..CustomerPatch::default() }
}
