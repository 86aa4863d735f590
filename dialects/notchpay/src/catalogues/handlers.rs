//! Reference data: channels, countries, currencies and banks, at their present paths and at those
//! of the guides (dossier §8.1).

use patron_gateway::{Reply, Request};
use patron_model::Failure;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    auth,
    catalogues::data::{BANKS, CHANNELS, COUNTRIES, CURRENCIES, Channel},
    envelopes, errors,
    input::Asked,
};

/// Currency of an amount when none is named.
const CURRENCY_DEFAULT: &str = "XAF";

/// A channel in the union of the three documented shapes.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Channel")]
pub struct ChannelView<'a> {
    id: &'a str,
    slug: &'a str,
    reference: &'a str,
    name: &'a str,
    desc: &'a str,
    description: &'a str,
    logo: Option<&'a str>,
    #[serde(rename = "type")]
    kind: &'a str,
    country: Option<&'a str>,
    countries: Vec<&'a str>,
    currency: &'a str,
    active: bool,
    enabled: bool,
    live: bool,
    e2e: bool,
    collect: u8,
    payout: u8,
    charge: u8,
    delivery: Option<i64>,
    payment_delivery: Option<i64>,
    min_amount: Option<u64>,
    max_amount: Option<u64>,
    minimum: Option<u64>,
    maximum: Option<u64>,
}

/// Which words of a channel's type are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Words {
    /// Those the Python SDK knows: `mobile`.
    Closed,
    /// Those of the guides: `mobile_money`.
    Guide,
}

impl<'a> ChannelView<'a> {
    fn of(channel: &'a Channel, words: Words, sandbox: bool) -> ChannelView<'a> {
        let code = channel.code.as_str();
        let kind = match (channel.kind.as_str(), words) {
            ("mobile", Words::Guide) => "mobile_money",
            (kind, _) => kind,
        };
        let country = match channel.countries.as_slice() {
            [only] => Some(only.as_str()),
            _ => None,
        };
        ChannelView {
            id: code,
            slug: code,
            reference: code,
            name: &channel.name,
            desc: &channel.description,
            description: &channel.description,
            logo: None,
            kind,
            country,
            countries: channel.all_countries(),
            currency: channel.currency.as_deref().unwrap_or(CURRENCY_DEFAULT),
            active: true,
            enabled: true,
            live: !sandbox,
            e2e: false,
            collect: 1,
            payout: u8::from(channel.kind == "mobile" || channel.kind == "bank"),
            charge: 0,
            delivery: None,
            payment_delivery: None,
            min_amount: channel.minimum,
            max_amount: channel.maximum,
            minimum: channel.minimum,
            maximum: channel.maximum,
        }
    }
}

fn channels_as(request: &Request, words: Words) -> Result<Reply, Failure> {
    let mut asked = Asked::of(request);
    let amount = asked.amount("amount");
    let country = asked.text("country").map(str::to_owned);
    let currency = asked.text("currency").map(str::to_owned);
    asked.finish()?;
    let sandbox = auth::is_sandbox(&request.cx);
    // Amounts are limited in a currency; without an amount the currency only counts when named.
    let currency = currency.or_else(|| amount.map(|_| CURRENCY_DEFAULT.to_owned()));
    let views: Vec<ChannelView<'_>> = CHANNELS
        .iter()
        .filter(|channel| country.as_ref().is_none_or(|code| channel.serves(code)))
        .filter(|channel| currency.as_ref().is_none_or(|code| channel.takes(code)))
        .filter(|channel| amount.is_none_or(|amount| channel.admits(amount)))
        .map(|channel| ChannelView::of(channel, words, sandbox))
        .collect();
    let outcome = envelopes::ok("Channels retrieved");
    envelopes::reply(outcome, &["items", "data", "channels"], &views)
}

/// `GET /channels`
///
/// # Errors
/// `Invalid` for an amount that is none.
pub async fn channels(request: Request) -> Result<Reply, Failure> {
    channels_as(&request, Words::Closed)
}

/// `GET /resources/channels`
///
/// # Errors
/// `Invalid` for an amount that is none.
pub async fn guide_channels(request: Request) -> Result<Reply, Failure> {
    channels_as(&request, Words::Guide)
}

/// `GET /resources/channels/{id}`
///
/// # Errors
/// `Internal` only.
pub async fn channel(request: Request) -> Result<Reply, Failure> {
    let id = request.param("id");
    let Some(found) = CHANNELS.iter().find(|channel| channel.code.eq_ignore_ascii_case(id)) else {
        return Ok(errors::not_found("Channel", &request));
    };
    let view = ChannelView::of(found, Words::Guide, auth::is_sandbox(&request.cx));
    envelopes::reply(envelopes::ok("Channel retrieved"), &["channel", "data"], &view)
}

/// `GET /countries` and `GET /resources/countries`
///
/// # Errors
/// `Internal` only.
pub async fn countries(_request: Request) -> Result<Reply, Failure> {
    let outcome = envelopes::ok("Countries retrieved");
    envelopes::reply(outcome, &["items", "data", "countries"], &*COUNTRIES)
}

/// `GET /resources/countries/{code}`
///
/// # Errors
/// `Internal` only.
pub async fn country(request: Request) -> Result<Reply, Failure> {
    let code = request.param("code");
    match COUNTRIES.iter().find(|country| country.code.eq_ignore_ascii_case(code)) {
        Some(country) => {
            envelopes::reply(envelopes::ok("Country retrieved"), &["country", "data"], country)
        }
        None => Ok(errors::not_found("Country", &request)),
    }
}

/// `GET /currencies` and `GET /resources/currencies`
///
/// # Errors
/// `Internal` only.
pub async fn currencies(_request: Request) -> Result<Reply, Failure> {
    let outcome = envelopes::ok("Currencies retrieved");
    envelopes::reply(outcome, &["items", "data", "currencies"], &*CURRENCIES)
}

/// `GET /resources/currencies/{code}`
///
/// # Errors
/// `Internal` only.
pub async fn currency(request: Request) -> Result<Reply, Failure> {
    let code = request.param("code");
    match CURRENCIES.iter().find(|currency| currency.code.eq_ignore_ascii_case(code)) {
        Some(currency) => {
            envelopes::reply(envelopes::ok("Currency retrieved"), &["currency", "data"], currency)
        }
        None => Ok(errors::not_found("Currency", &request)),
    }
}

/// `GET /resources/banks`
///
/// # Errors
/// `Internal` only.
pub async fn banks(_request: Request) -> Result<Reply, Failure> {
    envelopes::reply(envelopes::ok("Banks retrieved"), &["items", "data", "banks"], &*BANKS)
}

/// `GET /resources/banks/{code}`
///
/// # Errors
/// `Internal` only.
pub async fn bank(request: Request) -> Result<Reply, Failure> {
    let code = request.param("code");
    match BANKS.iter().find(|bank| bank.code.eq_ignore_ascii_case(code)) {
        Some(bank) => envelopes::reply(envelopes::ok("Bank retrieved"), &["bank", "data"], bank),
        None => Ok(errors::not_found("Bank", &request)),
    }
}
