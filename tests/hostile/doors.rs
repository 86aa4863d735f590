//! What stands before the APIs: sign-in, and the search for card data.

use patron_gateway::{Exchange, cards};
use patron_model::{Timestamp, card::contains_number};
use serde_json::{Value, json};

use super::{
    place::{self, Asked, DIALECTS},
    requests,
};

/// Operations that need a key: API, method, target, body.
const OPERATIONS: [(usize, &str, &str, &str); 12] = [
    (0, "GET", "/v1/customers/{{number}}", ""),
    (0, "POST", "/v1/customers", r#"{"title":"x"}"#),
    (1, "GET", "/api/v2.0/customers/{{number}}", ""),
    (1, "POST", "/api/v2.0/customers", r#"{"givenName":"x"}"#),
    (2, "GET", "/v2/customer/{{uuid}}", ""),
    (2, "DELETE", "/v2/customer/{{uuid}}", ""),
    (3, "GET", "/v2/customers/{{uuid}}", ""),
    (3, "POST", "/v2/customers", r#"{"name":"x"}"#),
    (4, "GET", "/api/Customer/{{number}}", ""),
    (4, "DELETE", "/api/Customer/{{number}}", ""),
    (5, "GET", "/customers/{{prefixed}}", ""),
    (5, "POST", "/customers", r#"{"email":"x@example.com"}"#),
];

/// Headers that sign a request: the first byte chooses the operation, the rest are header lines.
/// Without the API's secret nothing opens and nothing changes.
pub fn sign_in(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    let (api, method, target, body) = OPERATIONS[usize::from(*first) % OPERATIONS.len()];
    let headers: Vec<(String, String)> = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    place::with(|place| {
        if holds_secret(place.keys(DIALECTS[api]), text) {
            return;
        }
        let target = place.fill(target);
        let asked = Asked {
            method: method.to_owned(),
            target: target.clone(),
            headers,
            body: body.as_bytes().to_vec(),
        };
        let Some(answer) = place.ask(asked) else { return };
        requests::check(method, &target, &answer);
        assert!(answer.status >= 400, "{method} {target} opens with {text:?}");
    });
}

/// Whether a text that is sent as it is, or in base64, holds what is secret in the credentials.
fn holds_secret(keys: &Value, text: &str) -> bool {
    use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
    let decoded = text
        .split([' ', '\n', ':'])
        .filter_map(|word| STANDARD_NO_PAD.decode(word.trim_end_matches('=')).ok());
    let decoded: Vec<String> =
        decoded.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect();
    let members = ["api_key", "request_token", "public_key", "private_key", "client_secret"];
    let secrets = members.iter().filter_map(|name| keys[name].as_str());
    let mut secrets = secrets.filter(|secret| !secret.is_empty());
    secrets.any(|secret| text.contains(secret) || decoded.iter().any(|d| d.contains(secret)))
}

/// Test numbers of the card schemes.
const NUMBERS: [&str; 4] =
    ["4111111111111111", "5555555555554444", "378282246310005", "6011111111111117"];
/// What may stand between the digits of a number that is to be hidden.
const BETWEEN: [&str; 6] = ["", " ", "-", ".", "\u{a0}", "\u{2013}"];

/// Card numbers are found behind any separators and escapes, and the cheap look before the thorough
/// one hides none.
pub fn cards(data: &[u8]) {
    if let Ok(value) = serde_json::from_slice::<Value>(data) {
        let thorough = cards::found_in(&value);
        let quick = cards::found(&exchange(data.to_vec()), &[]);
        // In the order of the body, and with members that a later one of the same name replaced.
        let hidden = thorough.iter().find(|problem| quick.iter().all(|found| found != *problem));
        assert!(hidden.is_none(), "{hidden:?} in {value}");
    }
    let Some((choices, text)) = data.split_at_checked(20) else { return };
    // Other digits beside the number would make it another one, a plus sign a phone number.
    let around: String =
        String::from_utf8_lossy(text).chars().filter(|c| !c.is_numeric() && *c != '+').collect();
    let number = NUMBERS[usize::from(choices[0]) % NUMBERS.len()];
    let between = BETWEEN[usize::from(choices[1]) % BETWEEN.len()];
    let mut hidden = String::new();
    let mut escaped = String::new();
    for (digit, choice) in number.chars().zip(&choices[2..]) {
        let gap = if choice & 1 == 1 && !hidden.is_empty() { between } else { "" };
        hidden.push_str(gap);
        escaped.push_str(gap);
        hidden.push(digit);
        match choice & 2 {
            0 => escaped.push(digit),
            _ => escaped.push_str(&format!("\\u{:04x}", u32::from(digit))),
        }
    }
    assert!(contains_number(&hidden), "{hidden}");
    let spaced = format!("{around} {hidden} {around}");
    assert!(contains_number(&spaced), "{spaced:?}");
    let outer = json!(around).to_string();
    let outer = &outer[1..outer.len() - 1];
    let body = format!(r#"{{"a": [{{"b": "{outer} {escaped} {outer}"}}]}}"#);
    let found = cards::found(&exchange(body.clone().into_bytes()), &[]);
    assert!(!found.is_empty(), "{body}");
}

fn exchange(body: Vec<u8>) -> Exchange {
    let method = axum::http::Method::POST;
    Exchange { body: body.into(), ..Exchange::new(method, "/", Timestamp::from_micros(0)) }
}

/// Cursors of our own lists: a real one whose place is replaced by the input, sealed as real ones
/// are. Whoever makes one up learns and breaks nothing.
pub fn cursors(data: &[u8]) {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    place::with(|place| {
        let lists = [
            "/v1/customers?limit=1",
            "/v1/customers?limit=1&q=shop",
            "/v1/customers?limit=1&sort=-balance",
            "/v1/customers?limit=1&sort=email",
        ];
        for list in lists {
            let get = |target: String| {
                let (method, headers, body) = ("GET".to_owned(), Vec::new(), Vec::new());
                let asked = Asked { method, target, headers, body };
                place.ask_signed(&patron_native::DIALECT, asked).expect("a target")
            };
            let first = get(list.to_owned()).json();
            let Some(cursor) = first["next_cursor"].as_str() else { continue };
            let real = URL_SAFE_NO_PAD.decode(cursor).expect("base64");
            let question = String::from_utf8_lossy(&real).into_owned();
            let end = question.find("\"p\":").expect("a place") + 4;
            let made_up = [&real[..end], data, b"}"].concat();
            for bytes in [made_up, data.to_vec()] {
                let target = format!("{list}&cursor={}", URL_SAFE_NO_PAD.encode(bytes));
                requests::check("GET", "/v1/customers", &get(target));
            }
        }
    });
}
