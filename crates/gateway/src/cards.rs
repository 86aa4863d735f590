//! The door at which card data is refused (promise P9): every text, number and member name of every
//! body, and every path parameter of a writing operation, unless the operation tokenises.

use patron_model::{
    Problems, Why,
    card::{contains_number, is_security_code_name, might_contain_number},
};
use serde_json::Value;

use crate::{decode::Params, exchange::Exchange};

/// Digits of a security code.
const CODE_DIGITS: std::ops::RangeInclusive<usize> = 3..=4;

/// Every place of a request that holds card data.
pub fn found(exchange: &Exchange) -> Problems {
    let mut problems = Problems::new();
    for (name, value) in &exchange.params {
        if contains_number(value) {
            problems.add(*name, Why::CardNumber);
        }
    }
    let body = &exchange.body;
    if body.is_empty() {
        return problems;
    }
    if exchange.is_form() {
        let text = String::from_utf8_lossy(body);
        for (name, value) in Params::parse(&text).iter() {
            if contains_number(name) {
                problems.add("", Why::CardNumber);
                continue;
            }
            scan_member(name, &Value::String(value.to_owned()), name, &mut problems);
        }
    } else if suspicious(body)
        && let Ok(value) = serde_json::from_slice::<Value>(body)
    {
        scan(&value, "", &mut problems);
    }
    problems
}

/// Every place of a value that holds card data.
pub fn found_in(value: &Value) -> Problems {
    let mut problems = Problems::new();
    scan(value, "", &mut problems);
    problems
}

/// Whether the body is worth a closer look; nearly all bodies are not.
fn suspicious(body: &[u8]) -> bool {
    might_contain_number(body) || might_name_security_code(body)
}

fn might_name_security_code(body: &[u8]) -> bool {
    // An escape can stand for a letter of the name.
    if body.windows(2).any(|pair| pair == b"\\u") {
        return true;
    }
    // Names are compared by their letters and digits alone, so only those are looked at here.
    let mut last = [0; 3];
    body.iter().filter(|byte| byte.is_ascii_alphanumeric()).any(|byte| {
        last = [last[1], last[2], byte.to_ascii_lowercase()];
        matches!(&last, b"cvv" | b"cvc" | b"cid" | b"csc" | b"cod" | b"ver")
    })
}

fn scan(value: &Value, path: &str, problems: &mut Problems) {
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::Number(number) => scan_text(&number.to_string(), path, problems),
        Value::String(text) => scan_text(text, path, problems),
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                scan(item, &join(path, &i.to_string()), problems);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                let path = join(path, name);
                // A name that is itself a card number must not be repeated in the answer.
                if contains_number(name) {
                    problems.add("", Why::CardNumber);
                    continue;
                }
                scan_member(name, member, &path, problems);
            }
        }
    }
}

fn scan_member(name: &str, value: &Value, path: &str, problems: &mut Problems) {
    if is_security_code_name(name) && is_security_code(value) {
        problems.add(path, Why::SecurityCode);
    }
    scan(value, path, problems);
}

fn is_security_code(value: &Value) -> bool {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return false,
    };
    CODE_DIGITS.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

fn scan_text(text: &str, path: &str, problems: &mut Problems) {
    if contains_number(text) {
        problems.add(path, Why::CardNumber);
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fields(value: &Value) -> Vec<String> {
        let mut problems = Problems::new();
        assert!(suspicious(value.to_string().as_bytes()), "{value}");
        scan(value, "", &mut problems);
        problems.into_iter().map(|p| p.field).collect()
    }

    #[test]
    fn finds_card_data_wherever_it_hides() {
        assert_eq!(fields(&json!({"a": {"b": ["x", "4111 1111 1111 1111"]}})), ["a.b.1"]);
        assert_eq!(fields(&json!({"a": 4111111111111111_u64})), ["a"]);
        assert_eq!(fields(&json!({"4111111111111111": "x"})), [""]);
        assert_eq!(fields(&json!({"m": {"cvv": "123"}})), ["m.cvv"]);
        assert!(suspicious(br#"{"\u0063v\u0063": 123}"#), "an escaped name");
        assert_eq!(fields(&json!({"c-v\u{2013}v": "123"})), ["c-v\u{2013}v"]);
        assert_eq!(fields(&json!({"m": {"cid": "customer 123"}})), Vec::<String>::new());
    }
}
