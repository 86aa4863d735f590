//! What makes two requests the same. It is kept with the answer to an idempotency key, so it is
//! keyed with a secret of the deployment, and holds no card data even so: a number is replaced by
//! its own keyed fingerprint, a security code by nothing.

use patron_app::secrets::Secrets;
use patron_model::card::{contains_number, is_security_code_name};
use serde_json::Value;

use crate::{exchange::Exchange, operation::Operation};

/// Fingerprint of a request: method, target, preconditions and body.
pub(crate) fn of(secrets: &Secrets, operation: &Operation, exchange: &Exchange) -> String {
    let header = |name| exchange.header(name).unwrap_or_default().as_bytes();
    let without_cards;
    let body: &[u8] = if !operation.accepted_cards.is_empty() {
        without_cards = without_card_data(secrets, &exchange.body);
        without_cards.as_bytes()
    } else {
        &exchange.body
    };
    let method = exchange.method.as_str().as_bytes();
    let target = exchange.target.as_bytes();
    let parts = [method, target, header("if-match"), header("if-none-match"), body];
    secrets.answer_fingerprint("request", &parts)
}

/// The body with each card number replaced and each security code left out. A body that is no JSON
/// is refused by the operation, so that nothing is kept for it.
fn without_card_data(secrets: &Secrets, body: &[u8]) -> String {
    match serde_json::from_slice::<Value>(body) {
        Ok(mut value) => {
            mask(secrets, &mut value);
            value.to_string()
        }
        Err(_) => String::new(),
    }
}

fn mask(secrets: &Secrets, value: &mut Value) {
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::Number(number) => {
            let text = number.to_string();
            if contains_number(&text) {
                *value = Value::String(masked(secrets, text));
            }
        }
        Value::String(text) => *text = masked(secrets, std::mem::take(text)),
        Value::Array(items) => items.iter_mut().for_each(|item| mask(secrets, item)),
        Value::Object(members) => {
            let all = std::mem::take(members).into_iter();
            let kept = all.filter(|(name, _)| !is_security_code_name(name));
            *members = kept
                .map(|(name, mut member)| {
                    mask(secrets, &mut member);
                    (masked(secrets, name), member)
                })
                .collect();
        }
    }
}

fn masked(secrets: &Secrets, text: String) -> String {
    if contains_number(&text) { secrets.fingerprint("request", &text) } else { text }
}
