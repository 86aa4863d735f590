//! Saved payment methods as the customer record shows them (dossier §4.4). Kinds the API does not
//! know (mobile money, wallets) are left out.

use std::collections::HashMap;

use patron_app::{Cx, payment_methods};
use patron_model::{
    Failure, Permission,
    payment_method::{MethodType, PaymentMethod},
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::customers::show::moment;

/// Digits of an account number that are not kept and shown as `X`.
const HIDDEN: &str = "XXXXXXXX";

/// A saved payment method.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct StoredMethod {
    id_pmethod: String,
    method: &'static str,
    descriptor: Option<String>,
    masked_account: Option<String>,
    exp_date: Option<String>,
    holder_name: Option<String>,
    ach_sec_code: Option<String>,
    ach_holder_type: Option<String>,
    #[serde(rename = "IsValidatedACH")]
    is_validated_ach: bool,
    #[serde(rename = "BIN")]
    bin: Option<String>,
    #[serde(rename = "binData")]
    bin_details: Option<Value>,
    #[serde(rename = "ABA")]
    aba: Option<String>,
    postal_code: Option<String>,
    method_type: &'static str,
    wallet_type: Option<String>,
    last_updated: String,
    card_updated_on: Option<String>,
}

impl StoredMethod {
    /// A method of a kind the API knows.
    pub fn of(method: &PaymentMethod) -> Option<StoredMethod> {
        let word = match method.method_type {
            MethodType::Card => "card",
            MethodType::BankAccount => "ach",
            MethodType::MobileMoney | MethodType::Wallet => return None,
        };
        let first = method.first_six.as_deref().and_then(|six| six.get(..1)).unwrap_or("X");
        let last_four = method.last_four.as_deref();
        Some(StoredMethod {
            id_pmethod: format!("{}-{}", method.uuid, method.customer),
            method: word,
            descriptor: method.brand.map(|brand| brand.as_str().to_owned()),
            masked_account: last_four.map(|last| format!("{first}{HIDDEN}{last}")),
            exp_date: method.expiry.map(|e| format!("{:02}{:02}", e.month, e.year % 100)),
            holder_name: method.holder_name.as_ref().map(|name| name.as_str().to_owned()),
            ach_sec_code: None,
            ach_holder_type: None,
            is_validated_ach: false,
            bin: method.first_six.clone(),
            bin_details: None,
            aba: None,
            postal_code: None,
            method_type: "Single Merchant",
            wallet_type: None,
            last_updated: moment(method.updated_at),
            card_updated_on: None,
        })
    }
}

/// Methods of several customers, by the customer's number.
pub struct MethodsOf(HashMap<i64, Vec<PaymentMethod>>);

impl MethodsOf {
    /// Reads the methods of some customers of some spaces.
    ///
    /// # Errors
    /// Whatever the store says.
    pub async fn read(cx: &Cx, spaces: &[i64], customers: &[i64]) -> Result<MethodsOf, Failure> {
        // Without the right to see them a record has none.
        if !cx.has(Permission::PaymentMethodRead) {
            return Ok(MethodsOf(HashMap::new()));
        }
        let found = payment_methods::of_customers(cx, spaces, customers).await?;
        let mut methods: HashMap<i64, Vec<PaymentMethod>> = HashMap::new();
        for method in found {
            methods.entry(method.customer).or_default().push(method.record);
        }
        Ok(MethodsOf(methods))
    }

    /// The methods of one of them, oldest first.
    pub fn of(&self, customer: i64) -> &[PaymentMethod] {
        self.0.get(&customer).map(Vec::as_slice).unwrap_or_default()
    }
}
