//! Reference data from the files under `catalogues`: channels, countries, currencies, banks
//! (dossier §8.1).

use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A way to pay.
#[derive(Debug, Clone, Deserialize)]
pub struct Channel {
    /// Code: `cm.mtn`.
    pub code: String,
    /// Name.
    pub name: String,
    /// What it is.
    pub description: String,
    /// `card`, `wallet`, `mobile` or `bank`.
    pub kind: String,
    /// Countries it works in; empty means all.
    pub countries: Vec<String>,
    /// Its currency; none means any.
    pub currency: Option<String>,
    /// Smallest amount.
    pub minimum: Option<u64>,
    /// Largest amount.
    pub maximum: Option<u64>,
    /// Whether the Python SDK's closed list has the code (dossier §8.1).
    pub listed: bool,
}

/// A country that payments are made in.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Country {
    /// ISO 3166-1 code.
    pub code: String,
    /// Name.
    pub name: String,
    /// ISO 4217 code of its currency.
    pub currency: String,
    /// Flag.
    pub flag: String,
    /// Country calling code with `+`.
    pub phone_code: String,
    /// Kinds of channels there.
    pub channels: Vec<String>,
}

/// A currency.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Currency {
    /// ISO 4217 code.
    pub code: String,
    /// Name.
    pub name: String,
    /// Symbol.
    pub symbol: String,
    /// Digits after the decimal point.
    pub decimal_places: u8,
    /// The same under its older name.
    pub fraction: u8,
    /// Countries it is used in.
    pub countries: Vec<String>,
    /// Smallest amount of a payment, where documented.
    pub minimum_amount: Option<u64>,
    /// Largest amount of a payment, where documented.
    pub maximum_amount: Option<u64>,
}

/// A bank.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Bank {
    /// Code.
    pub code: String,
    /// Name.
    pub name: String,
    /// Country.
    pub country: String,
    /// Address of its logo.
    pub logo: Option<String>,
    /// SWIFT code.
    pub swift_code: Option<String>,
    /// How its account numbers look.
    pub account_format: Option<String>,
    /// Whether money can be sent there.
    pub transfer_enabled: bool,
}

/// A catalogue file: where its facts are from, and the facts.
#[derive(Debug, Deserialize)]
struct File<T> {
    #[allow(dead_code, reason = "for readers of the file")]
    source: String,
    items: Vec<T>,
}

fn read<T: for<'de> Deserialize<'de>>(text: &str) -> Vec<T> {
    let file: File<T> = serde_json::from_str(text).expect("catalogues are checked by the tests");
    file.items
}

/// All channels.
pub static CHANNELS: LazyLock<Vec<Channel>> = LazyLock::new(|| read(include_str!("channels.json")));
/// All countries.
pub static COUNTRIES: LazyLock<Vec<Country>> =
    LazyLock::new(|| read(include_str!("countries.json")));
/// All currencies.
pub static CURRENCIES: LazyLock<Vec<Currency>> =
    LazyLock::new(|| read(include_str!("currencies.json")));
/// All banks.
pub static BANKS: LazyLock<Vec<Bank>> = LazyLock::new(|| read(include_str!("banks.json")));

impl Channel {
    /// Countries it works in.
    pub fn all_countries(&self) -> Vec<&str> {
        if self.countries.is_empty() {
            COUNTRIES.iter().map(|country| country.code.as_str()).collect()
        } else {
            self.countries.iter().map(String::as_str).collect()
        }
    }

    /// Whether it works in a country.
    pub fn serves(&self, country: &str) -> bool {
        self.all_countries().iter().any(|code| code.eq_ignore_ascii_case(country))
    }

    /// Whether it works in a currency.
    pub fn takes(&self, currency: &str) -> bool {
        self.currency.as_ref().is_none_or(|own| own.eq_ignore_ascii_case(currency))
    }

    /// Whether an amount is within its limits.
    pub fn admits(&self, amount: u64) -> bool {
        self.minimum.is_none_or(|min| amount >= min) && self.maximum.is_none_or(|max| amount <= max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn catalogues_agree_with_each_other() {
        assert_eq!(BANKS.len(), 0);
        for channel in CHANNELS.iter() {
            assert!(["card", "wallet", "mobile", "bank"].contains(&channel.kind.as_str()));
            for country in &channel.countries {
                assert!(COUNTRIES.iter().any(|c| c.code == *country), "{}", channel.code);
            }
            if let Some(currency) = &channel.currency {
                assert!(CURRENCIES.iter().any(|c| c.code == *currency), "{}", channel.code);
            }
        }
        for country in COUNTRIES.iter() {
            assert!(patron_model::country::Country::parse(&country.code).is_ok());
            let currency = CURRENCIES.iter().find(|c| c.code == country.currency);
            let currency = currency.expect("the currency is in the catalogue");
            assert!(currency.countries.contains(&country.code));
        }
        for currency in CURRENCIES.iter() {
            assert!(patron_model::currency::Currency::parse(&currency.code).is_ok());
            assert_eq!(currency.decimal_places, currency.fraction);
        }
    }
}
