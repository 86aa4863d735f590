//! What a customer may pay with (dossier §8). A method is recorded when a payment is processed; here
//! they are only listed.

use patron_app::{
    payment_methods,
    search::{Order, Query},
};
use patron_gateway::{Reply, Request};
use patron_model::{
    Failure,
    country::Country,
    payment_method::{METHODS_MAX, MethodType, PaymentMethod},
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    auth,
    catalogues::data,
    customers::{following, phones},
    envelopes, ids,
};

/// A payment method.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PaymentMethod")]
pub struct MethodView {
    /// Id: `pm.…`.
    id: String,
    /// What kind, in words.
    #[serde(rename = "type")]
    method_type: &'static str,
    /// Channel, always one of the documented list.
    channel: String,
    /// Name of the holder.
    name: Option<String>,
    /// E-mail address of the holder.
    email: Option<String>,
    /// Phone number.
    phone: Option<String>,
    /// Country of issue.
    country: Option<String>,
    /// Account, or what is known of the card number.
    account_number: Option<String>,
    /// Name of the issuer, or the card scheme.
    issuer: Option<String>,
    /// Not known.
    issuer_code: Option<String>,
    /// When it was saved.
    created_at: String,
}

/// `GET /customers/{id}/payment_methods`
///
/// # Errors
/// `NotFound`.
pub async fn list(request: Request) -> Result<Reply, Failure> {
    let cx = &request.cx;
    let id = following(&request).await?;
    let limit = u32::try_from(METHODS_MAX).unwrap_or(u32::MAX);
    let query = Query { order: Order::newest_first(), limit, ..Query::of(cx.space) };
    let found = payment_methods::list(cx, id, query).await?;
    let sandbox = auth::is_sandbox(cx);
    let views: Vec<MethodView> =
        found.items.iter().filter_map(|method| MethodView::of(method, sandbox)).collect();
    let outcome = envelopes::ok("Payment methods retrieved");
    envelopes::reply(outcome, &["items", "data"], &views)
}

impl MethodView {
    /// A method as this API shows it. One whose channel the documented list has no word for cannot
    /// be shown: the Python SDK would refuse the whole answer.
    fn of(method: &PaymentMethod, sandbox: bool) -> Option<MethodView> {
        let phone = method.phone.as_ref().map(phones::shown);
        let brand = method.brand.map(|brand| brand.as_str().to_owned());
        Some(MethodView {
            id: ids::text(ids::PAYMENT_METHOD, method.uuid, sandbox),
            method_type: type_of(method.method_type),
            channel: channel_of(method)?,
            name: method.holder_name.as_ref().map(|name| name.as_str().to_owned()),
            email: method.email.as_ref().map(|email| email.as_str().to_owned()),
            account_number: masked(method).or_else(|| phone.clone()),
            phone,
            country: method.country.as_ref().map(Country::code),
            issuer: method.issuer.as_ref().map(|issuer| issuer.as_str().to_owned()).or(brand),
            issuer_code: None,
            created_at: method.created_at.rfc3339_micros(),
        })
    }
}

fn type_of(method_type: MethodType) -> &'static str {
    match method_type {
        MethodType::Card => "Card",
        MethodType::BankAccount => "Bank",
        MethodType::MobileMoney => "Mobile Money",
        MethodType::Wallet => "Wallet",
    }
}

/// The channel in a word of the closed list (dossier §8.1).
fn channel_of(method: &PaymentMethod) -> Option<String> {
    let kept = method.channel.as_ref().map(|channel| channel.as_str().to_ascii_lowercase());
    let code = match (kept.as_deref(), method.method_type) {
        // The list has the operator without its country, and no tills.
        (Some("cm.yoomee"), _) => "yoomee",
        (Some("ke.mpesa_till"), _) => "ke.mpesa",
        (Some("ke.airtel_till"), _) => "ke.airtel",
        (Some("yoomee"), _) => return kept,
        (Some(code), _) if is_listed(code) => return kept,
        (_, MethodType::Card) => "card",
        (_, MethodType::BankAccount) => "bank",
        (_, MethodType::MobileMoney | MethodType::Wallet) => return None,
    };
    Some(code.to_owned())
}

fn is_listed(code: &str) -> bool {
    data::CHANNELS.iter().any(|channel| channel.listed && channel.code == code)
}

/// What is known of a card or account number.
fn masked(method: &PaymentMethod) -> Option<String> {
    let last = method.last_four.as_ref()?;
    let first = method.first_six.as_deref().unwrap_or_default();
    Some(format!("{first}******{last}"))
}
