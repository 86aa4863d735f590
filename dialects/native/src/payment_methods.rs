//! Saved payment methods: `/v1/customers/{id}/payment-methods`. Card data is turned into a token at
//! the door; the number itself is never stored, answered or logged.

use patron_app::{
    Id, Saved,
    payment_methods::{self, Details, NewMethod, Source},
    search::Query,
};
use patron_gateway::{Fields, Member, Reading, Reply, Request};
use patron_model::{
    Failure, Noun, Patch, Problems, Timestamp, Why,
    card::{Brand, CardNumber, Expiry},
    country::Country,
    email::Email,
    payment_method::{MethodState, MethodType, PaymentMethod},
    phone::Phone,
    text::{Line, Name},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    conditions,
    customers::{read, show::ListOut},
    events, words,
};

/// A saved payment method.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PaymentMethod")]
pub struct MethodOut<'a> {
    /// UUID; `number` serves in paths just as well.
    id: uuid::Uuid,
    /// Number, unique in the whole deployment.
    number: i64,
    /// Counts the changes, from 1.
    version: i64,
    /// `card`, `bank_account`, `mobile_money` or `wallet`.
    #[serde(rename = "type")]
    #[schemars(with = "words::PaymentMethodType")]
    method_type: &'static str,
    /// Card scheme.
    #[serde(skip_serializing_if = "Option::is_none")]
    brand: Option<&'static str>,
    /// First six digits of the card.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_six: Option<&'a str>,
    /// Last four digits of the card or account.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_four: Option<&'a str>,
    /// Month of expiry, 1 to 12.
    #[serde(skip_serializing_if = "Option::is_none")]
    expiry_month: Option<i8>,
    /// Year of expiry, four digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    expiry_year: Option<i16>,
    /// Whether the last valid day has passed.
    expired: bool,
    /// Keyed fingerprint: equal for the same card in the same space.
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<&'a str>,
    /// Token by which the method is named elsewhere.
    token: &'a str,
    /// Token of the provider that keeps the real details.
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_token: Option<&'a str>,
    /// That provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'a str>,
    /// Channel of mobile money or a wallet.
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<&'a str>,
    /// Name of the holder.
    #[serde(skip_serializing_if = "Option::is_none")]
    holder_name: Option<&'a str>,
    /// E-mail address of the holder.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    /// Phone number.
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<&'a str>,
    /// Country of issue.
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<&'a str>,
    /// Issuer's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<&'a str>,
    /// `active` or `inactive`.
    #[schemars(with = "words::PaymentMethodState")]
    state: &'static str,
    /// Whether it is the customer's preferred one.
    default: bool,
    /// When it was saved.
    #[schemars(extend("format" = "date-time"))]
    created_at: String,
    /// When it was last changed.
    #[schemars(extend("format" = "date-time"))]
    updated_at: String,
}

impl<'a> MethodOut<'a> {
    pub fn of(method: &'a PaymentMethod, now: Timestamp) -> Self {
        MethodOut {
            id: method.uuid,
            number: method.number,
            version: method.version,
            method_type: method.method_type.as_str(),
            brand: method.brand.map(Brand::as_str),
            first_six: method.first_six.as_deref(),
            last_four: method.last_four.as_deref(),
            expiry_month: method.expiry.map(|expiry| expiry.month),
            expiry_year: method.expiry.map(|expiry| expiry.year),
            expired: method.is_expired(now),
            fingerprint: method.fingerprint.as_deref(),
            token: &method.token,
            provider_token: method.provider_token.as_ref().map(Line::as_str),
            provider: method.provider.as_ref().map(Line::as_str),
            channel: method.channel.as_ref().map(Line::as_str),
            holder_name: method.holder_name.as_ref().map(Name::as_str),
            email: method.email.as_ref().map(Email::as_str),
            phone: method.phone.as_ref().map(Phone::raw),
            country: method.country.as_ref().map(Country::as_str),
            issuer: method.issuer.as_ref().map(Line::as_str),
            state: match method.state {
                MethodState::Active => "active",
                MethodState::Inactive => "inactive",
            },
            default: method.is_default,
            created_at: method.created_at.rfc3339_micros(),
            updated_at: method.updated_at.rfc3339_micros(),
        }
    }
}

/// A card on its way into a token. A security code is neither needed nor accepted.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "CardInput")]
pub struct CardIn {
    /// The card number; blanks and hyphens are fine.
    number: Member<String>,
    /// 1 to 12.
    expiry_month: Member<i64>,
    /// Four digits.
    expiry_year: Member<i64>,
}

/// A payment method as it is written: with a card, or with the token of a provider.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "PaymentMethodInput")]
pub struct MethodIn {
    /// `card`, `bank_account`, `mobile_money` or `wallet`; creation only.
    #[serde(rename = "type")]
    #[schemars(with = "Option<words::PaymentMethodType>")]
    method_type: Member<String>,
    /// A card to be tokenised; creation only.
    card: Option<CardIn>,
    /// A provider's opaque token; creation only.
    provider_token: Member<String>,
    provider: Member<String>,
    /// Card scheme, where the provider tells it; creation only.
    brand: Member<String>,
    /// First six digits, where the provider tells them; creation only.
    first_six: Member<String>,
    /// Last four digits, where the provider tells them; creation only.
    last_four: Member<String>,
    /// Month of expiry; with `expiry_year`.
    expiry_month: Member<i64>,
    /// Year of expiry; with `expiry_month`.
    expiry_year: Member<i64>,
    channel: Member<String>,
    holder_name: Member<String>,
    email: Member<String>,
    phone: Member<String>,
    country: Member<String>,
    issuer: Member<String>,
    /// `active` or `inactive`.
    #[schemars(with = "Option<words::PaymentMethodState>")]
    state: Member<String>,
    /// Whether it becomes the preferred one.
    default: Member<bool>,
}

fn method_type(word: &str) -> Result<MethodType, Why> {
    [MethodType::Card, MethodType::BankAccount, MethodType::MobileMoney, MethodType::Wallet]
        .into_iter()
        .find(|kind| kind.as_str() == word)
        .ok_or_else(|| Why::not_one_of(word, "card, bank_account, mobile_money, wallet"))
}

fn state(word: &str) -> Result<MethodState, Why> {
    match word {
        "active" => Ok(MethodState::Active),
        "inactive" => Ok(MethodState::Inactive),
        _ => Err(Why::not_one_of(word, "active, inactive")),
    }
}

fn brand(word: &str) -> Result<Brand, Why> {
    serde_json::from_value(serde_json::Value::String(word.to_owned()))
        .map_err(|_| Why::Unknown { what: "card scheme" })
}

fn digits(text: &str, count: usize) -> Result<String, Why> {
    if text.len() == count && text.bytes().all(|b| b.is_ascii_digit()) {
        Ok(text.to_owned())
    } else {
        Err(Why::Malformed { expected: "exactly that many digits" })
    }
}

fn expiry(f: &mut Fields, month: Member<i64>, year: Member<i64>) -> Option<Expiry> {
    match (month.value(), year.value()) {
        (Some(month), Some(year)) => match Expiry::new(year, month) {
            Ok(expiry) => Some(expiry),
            Err(why) => {
                f.refuse("expiry_month", why);
                None
            }
        },
        (None, None) => None,
        (Some(_), None) => {
            f.refuse("expiry_year", Why::Required);
            None
        }
        (None, Some(_)) => {
            f.refuse("expiry_month", Why::Required);
            None
        }
    }
}

impl MethodIn {
    fn details(&mut self, f: &mut Fields) -> Details {
        Details {
            provider: f.text("provider", std::mem::take(&mut self.provider), Line::parse),
            channel: f.text("channel", std::mem::take(&mut self.channel), Line::parse),
            holder_name: f.text("holder_name", std::mem::take(&mut self.holder_name), Name::parse),
            email: f.text("email", std::mem::take(&mut self.email), Email::parse),
            phone: f.text("phone", std::mem::take(&mut self.phone), |t| Phone::parse(t, None)),
            country: f.text("country", std::mem::take(&mut self.country), Country::parse),
            issuer: f.text("issuer", std::mem::take(&mut self.issuer), Line::parse),
            expiry: Patch::Keep,
            state: match f.text("state", std::mem::take(&mut self.state), state) {
                Patch::Set(state) => Some(state),
                Patch::Keep | Patch::Clear => None,
            },
            is_default: std::mem::take(&mut self.default).value(),
        }
    }

    fn into_new(mut self, mut fields: Fields) -> Result<NewMethod, Failure> {
        let f = &mut fields;
        let details = self.details(f);
        let is_named = self.method_type.as_ref().is_some();
        let wanted = f.text("type", self.method_type, method_type);
        let token = f.text("provider_token", self.provider_token, Line::parse).apply(None);
        let expiry_given = expiry(f, self.expiry_month, self.expiry_year);
        let brand = f.text("brand", self.brand, brand).apply(None);
        let first_six = f.text("first_six", self.first_six, |t| digits(t, 6)).apply(None);
        let last_four = f.text("last_four", self.last_four, |t| digits(t, 4)).apply(None);
        let source = match (self.card, token) {
            (Some(_), Some(_)) => {
                f.refuse("provider_token", Why::Mismatch { with: "nothing when a card is given" });
                None
            }
            (Some(card), None) => card_source(f, card),
            (None, Some(token)) => {
                Some(Source::Provider { token, first_six, last_four, brand, expiry: expiry_given })
            }
            (None, None) => Some(Source::Account),
        };
        let method_type = wanted.apply(None);
        let method_type = match (&source, method_type) {
            (Some(Source::Card { .. }), None | Some(MethodType::Card)) => Some(MethodType::Card),
            (Some(Source::Card { .. }), Some(_)) => {
                f.refuse("type", Why::Mismatch { with: "card when a card is given" });
                None
            }
            (Some(Source::Account), Some(MethodType::Card)) => {
                f.refuse("card", Why::RequiredWithout { others: "provider_token" });
                None
            }
            (_, Some(known)) => Some(known),
            (_, None) => {
                if !is_named {
                    f.refuse("type", Why::Required);
                }
                None
            }
        };
        let is_default = details.is_default.unwrap_or(false);
        fields.finish()?;
        match (method_type, source) {
            (Some(method_type), Some(source)) => {
                Ok(NewMethod { method_type, source, details, is_default })
            }
            _ => Err(Failure::Invalid(Problems::one("type", Why::Required))),
        }
    }
}

fn card_source(f: &mut Fields, card: CardIn) -> Option<Source> {
    let number = match card.number.value() {
        Some(number) => match CardNumber::parse(&number) {
            Ok(number) => Some(number),
            Err(why) => {
                f.refuse("card.number", why);
                None
            }
        },
        None => {
            f.refuse("card.number", Why::Required);
            None
        }
    };
    let expiry = match (card.expiry_year.value(), card.expiry_month.value()) {
        (Some(year), Some(month)) => match Expiry::new(year, month) {
            Ok(expiry) => Some(expiry),
            Err(why) => {
                f.refuse("card.expiry_month", why);
                None
            }
        },
        _ => {
            f.refuse("card.expiry_month", Why::Required);
            None
        }
    };
    Some(Source::Card { number: number?, expiry: expiry? })
}

fn method_id(request: &Request) -> Result<Id, Failure> {
    Id::parse(request.param("method"), Noun::PaymentMethod)
}

fn customer_id(request: &Request) -> Result<Id, Failure> {
    Id::parse(request.param("id"), Noun::Customer)
}

fn reply(request: &Request, status: u16, saved: &Saved<PaymentMethod>) -> Result<Reply, Failure> {
    let reply = Reply::json(status, &MethodOut::of(saved, request.cx.now))?
        .with("etag", conditions::tag(saved.version));
    Ok(match status {
        201 => reply.with("location", format!("{}/{}", request.path(), saved.uuid)),
        _ => reply,
    })
}

/// All payment methods of a customer.
pub async fn list(request: Request) -> Result<Reply, Failure> {
    let query = Query { limit: 200, ..Query::of(request.cx.space) };
    let page = payment_methods::list(&request.cx, customer_id(&request)?, query).await?;
    let shown = |method| MethodOut::of(method, request.cx.now);
    let data: Vec<MethodOut<'_>> = page.items.iter().map(|method| shown(method)).collect();
    Reply::json(200, &ListOut { data, has_more: false, next_cursor: None, total: None })
}

/// One payment method.
pub async fn get(request: Request) -> Result<Reply, Failure> {
    let id = method_id(&request)?;
    let method = payment_methods::get(&request.cx, customer_id(&request)?, id).await?;
    let reply = Reply::json(200, &MethodOut::of(&method, request.cx.now))?;
    Ok(conditions::unless_matched(&request, &conditions::tag(method.version), reply))
}

/// Saves a payment method. The same card is not saved twice: the saved one is answered (200).
pub async fn create(request: Request) -> Result<Reply, Failure> {
    let customer = customer_id(&request)?;
    let (body, fields) = read::body::<MethodIn>(&request, Reading::NullClears)?;
    let new = body.into_new(fields)?;
    let saved = payment_methods::create(&request.cx, customer, new).await?;
    let status = if saved.is_new() { 201 } else { 200 };
    reply(&request, status, &saved)
}

/// Changes details of a payment method (JSON Merge Patch).
pub async fn update(request: Request) -> Result<Reply, Failure> {
    let condition = conditions::of_change(&request)?;
    let (customer, id) = (customer_id(&request)?, method_id(&request)?);
    let (mut body, mut fields) = read::body::<MethodIn>(&request, Reading::NullClears)?;
    let f = &mut fields;
    for (name, is_absent) in [
        ("type", body.method_type.is_absent()),
        ("card", body.card.is_none()),
        ("provider_token", body.provider_token.is_absent()),
        ("brand", body.brand.is_absent()),
        ("first_six", body.first_six.is_absent()),
        ("last_four", body.last_four.is_absent()),
    ] {
        if !is_absent {
            f.refuse(name, Why::ReadOnly);
        }
    }
    let expiry =
        expiry(f, std::mem::take(&mut body.expiry_month), std::mem::take(&mut body.expiry_year));
    let details = Details { expiry: Patch::keep_or(expiry), ..body.details(f) };
    fields.finish()?;
    let expect = condition.expect();
    let saved = payment_methods::update(&request.cx, customer, id, expect, details).await?;
    reply(&request, 200, &saved)
}

/// Deletes a payment method.
pub async fn delete(request: Request) -> Result<Reply, Failure> {
    let condition = conditions::of_change(&request)?;
    let (customer, id) = (customer_id(&request)?, method_id(&request)?);
    payment_methods::delete(&request.cx, customer, id, condition.expect()).await?;
    Ok(Reply::empty(204))
}

/// Everything that happened to a saved payment method, newest first.
pub async fn history(request: Request) -> Result<Reply, Failure> {
    events::history_of::<PaymentMethod>(request, "method").await
}
