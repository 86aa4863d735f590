//! Saved payment methods: how a customer may pay. Card data is tokenised at the door; what is kept
//! is first six, last four, expiry and a keyed fingerprint (PCI DSS 3.4.1, 3.5.1.1).

use uuid::Uuid;

use crate::{
    Timestamp,
    card::{Brand, Expiry},
    country::Country,
    email::Email,
    phone::Phone,
    text::{Line, Name},
};

/// Most saved payment methods of one customer.
pub const METHODS_MAX: usize = 100;

/// What kind of method it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MethodType {
    /// A payment card.
    Card,
    /// A bank account.
    BankAccount,
    /// A mobile money account.
    MobileMoney,
    /// An electronic wallet.
    Wallet,
}

impl MethodType {
    /// The word for the type.
    pub fn as_str(self) -> &'static str {
        match self {
            MethodType::Card => "card",
            MethodType::BankAccount => "bank_account",
            MethodType::MobileMoney => "mobile_money",
            MethodType::Wallet => "wallet",
        }
    }
}

/// Whether a method may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MethodState {
    /// May be used.
    Active,
    /// May not be used for now.
    Inactive,
}

/// A saved payment method of a customer.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct PaymentMethod {
    /// Number, unique in the deployment.
    pub number: i64,
    /// UUID.
    pub uuid: Uuid,
    /// Space.
    pub space: i64,
    /// Number of the customer.
    pub customer: i64,
    /// Counts the changes, from 1.
    pub version: i64,
    /// What kind of method.
    pub method_type: MethodType,
    /// Card scheme.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brand: Option<Brand>,
    /// First six digits of a card number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_six: Option<String>,
    /// Last four digits of a card or account number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_four: Option<String>,
    /// Month and year a card is valid through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry: Option<Expiry>,
    /// Keyed fingerprint of the card number: equal for the same card in the same space.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// The token by which the method is named: 64 hexadecimal digits, random.
    pub token: String,
    /// Token of the provider that holds the real data, opaque to us.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_token: Option<Line>,
    /// Name of that provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Line>,
    /// Channel of a mobile money or wallet method (`cm.mtn`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Line>,
    /// Name of the holder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder_name: Option<Name>,
    /// E-mail address of the holder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Email>,
    /// Phone number of the holder or the mobile money account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<Phone>,
    /// Country of issue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<Country>,
    /// Issuer's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<Line>,
    /// Whether it may be used.
    pub state: MethodState,
    /// Whether it is the customer's preferred one.
    #[serde(default, rename = "default")]
    pub is_default: bool,
    /// When it was saved.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// When it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
}

impl PaymentMethod {
    /// Whether the card's last valid day lies before `now`.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        let today = now.rfc3339_seconds();
        self.expiry.is_some_and(|expiry| expiry.is_past(&today[..10]))
    }
}
