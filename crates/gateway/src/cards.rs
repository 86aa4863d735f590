//! The door at which card data is refused (promise P9), in the words of the API that was asked:
//! every text, number and member name of a body, and every path and query parameter of a writing
//! operation. Only the members an operation lists as accepted are exempt.
//!
//! The door is not what keeps card data out: a body can be read in more ways than it can be looked
//! at here. What is stored is searched once more where it is stored
//! ([`patron_app::commit::Draft`]).

use patron_model::{
    Failure, Problems, Why,
    card::{Found, Member, contains_number, is_security_code_name, might_contain_number},
};
use serde_json::Value;

use crate::exchange::Exchange;

/// Bytes of the longest word that is looked at as the name of a security code.
const NAME_BYTES_MAX: usize = 512;

/// Every place of a request that holds card data, but for the members in which the operation
/// accepts it.
pub fn found(exchange: &Exchange, accepted: &[Member]) -> Problems {
    let mut found = Found::new();
    for (name, value) in &exchange.params {
        // A UUID names a record and is stored nowhere. One in a thousand looks like a card number.
        if uuid::Uuid::try_parse(value).is_err() {
            found.text(name, value);
        }
    }
    let query = exchange.query_string();
    if suspicious(query.as_bytes()) {
        for (name, value) in exchange.query().iter() {
            found.pair(name, value);
        }
    }
    body(exchange, accepted, &mut found);
    found.into_problems()
}

/// What a handler may read out of a body does not depend on what the body is said to be: it is
/// looked at as JSON and, where it is none or is said to be a form, as a form too.
fn body(exchange: &Exchange, accepted: &[Member], found: &mut Found) {
    let body = &exchange.body;
    if body.is_empty() || !suspicious(body) {
        return;
    }
    let mut source = serde_json::Deserializer::from_slice(body);
    let is_json = found.json("", &mut source, accepted).is_ok() && source.end().is_ok();
    let media = exchange.header("content-type").unwrap_or_default().to_ascii_lowercase();
    let is_file = media.starts_with("multipart/");
    if !is_file && (!is_json || media.contains("form")) {
        let text = String::from_utf8_lossy(body);
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            found.pair(&name, &value);
        }
    }
}

/// Every place of a value that holds card data.
pub fn found_in(value: &Value) -> Problems {
    let mut found = Found::new();
    found.value("", value);
    found.into_problems()
}

/// Characters of a UUID with its hyphens.
const UUID_CHARS: usize = 36;

/// An idempotency key is no place for a card number.
///
/// # Errors
/// `Malformed` when it holds one. One UUID in some thousand has digits like it: keys are kept as
/// keyed hashes only, so one that is a UUID may be used whatever its digits are.
pub(crate) fn refuse_key(header: &str, key: &str) -> Result<(), Failure> {
    let is_uuid = key.len() == UUID_CHARS && uuid::Uuid::try_parse(key).is_ok();
    if contains_number(key) && !is_uuid {
        return Err(Failure::Malformed(Problems::one(header, Why::CardNumber)));
    }
    Ok(())
}

/// Whether a text is worth a closer look; nearly all are not.
fn suspicious(text: &[u8]) -> bool {
    might_contain_number(text) || might_name_security_code(text)
}

/// Whether one of the words between quotes, or between the signs of a form or a path, is the name
/// of a security code. Never wrong in the "no" direction: where a word is written with escapes only
/// decoding can tell.
fn might_name_security_code(text: &[u8]) -> bool {
    let is_end = |byte: &u8| b"\"&=[]./?".contains(byte);
    text.split(is_end).any(|word| {
        let is_escaped = || word.iter().any(|byte| matches!(byte, b'\\' | b'%'));
        match word.len() {
            0..3 => false,
            3..=NAME_BYTES_MAX => {
                is_escaped() || std::str::from_utf8(word).is_ok_and(is_security_code_name)
            }
            _ => is_escaped(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Method;
    use patron_model::{Timestamp, card::Taken};
    use serde_json::json;

    fn exchange(target: &str, media: &str, body: &str) -> Exchange {
        let mut exchange = Exchange::new(Method::POST, target, Timestamp::from_micros(0));
        exchange.headers.insert("content-type", media.parse().expect("a media type"));
        exchange.body = body.to_owned().into();
        exchange
    }

    fn fields(exchange: &Exchange) -> Vec<String> {
        found(exchange, &[]).into_iter().map(|problem| problem.field).collect()
    }

    #[test]
    fn keys_hold_no_number_but_may_be_any_uuid() {
        for key in
            ["4111111111111111", "order 4111-1111-1111-1111", "4111111111111111aaaaaaaaaaaaaaaa"]
        {
            assert!(refuse_key("idempotency-key", key).is_err(), "{key}");
        }
        for key in ["41111111-1111-1111-8aaa-aaaaaaaaaaaa", "k-1", ""] {
            assert!(refuse_key("idempotency-key", key).is_ok(), "{key}");
        }
    }

    #[test]
    fn finds_card_data_wherever_it_hides() {
        let json = |value: Value| fields(&exchange("/", "application/json", &value.to_string()));
        assert_eq!(json(json!({"a": {"b": ["x", "4111 1111 1111 1111"]}})), ["a.b.1"]);
        assert_eq!(json(json!({"a": 4111111111111111_u64})), ["a"]);
        assert_eq!(json(json!({"4111111111111111": "x"})), [""]);
        assert_eq!(json(json!({"m": {"cvv": "123"}})), ["m.cvv"]);
        assert_eq!(json(json!({"c-v\u{2013}v": "123"})), ["c-v\u{2013}v"]);
        assert_eq!(json(json!({"m": {"cid": "customer 123"}})), Vec::<String>::new());
        let escaped = exchange("/", "", r#"{"m":{"\u0063v\u0063": 123}}"#);
        assert_eq!(fields(&escaped), ["m.cvc"]);
    }

    #[test]
    fn what_a_body_is_said_to_be_hides_nothing() {
        let hidden = r#"{"name":"\u0034111\u0031111\u0031111\u0031111"}"#;
        for media in [
            "application/x-www-form-urlencoded",
            "APPLICATION/X-WWW-FORM-URLENCODED; charset=utf-8",
            "text/plain",
            "application/json",
            "multipart/form-data; boundary=x",
            "",
        ] {
            assert!(fields(&exchange("/", media, hidden)).contains(&"name".to_owned()), "{media}");
        }
        for media in ["application/x-www-form-urlencoded", "text/plain", "application/json"] {
            let form =
                exchange("/", media, "a=b&metadata%5Bcv%76%5D=123&name=4111+1111%2B11111111");
            assert_eq!(fields(&form), ["metadata[cvv]", "name"], "{media}");
        }
    }

    #[test]
    fn parameters_are_searched_too() {
        let mut exchange = exchange("/x?a=1&b=4111%201111%201111%201111&cvv=123", "", "");
        exchange.params = vec![("id", "4111-1111-1111-1111".into())];
        assert_eq!(fields(&exchange), ["id", "b", "cvv"]);
    }

    #[test]
    fn only_accepted_members_are_exempt() {
        let accepted = [Member { path: "card.number", takes: Taken::Number }];
        let pan = "4111111111111111";
        let body = json!({"card": {"number": pan}, "issuer": pan, "card.number": pan});
        let found = found(&exchange("/", "application/json", &body.to_string()), &accepted);
        let fields: Vec<String> = found.into_iter().map(|problem| problem.field).collect();
        assert_eq!(fields, ["card.number", "issuer"]);
    }

    #[test]
    fn the_quick_look_lets_ordinary_bodies_pass() {
        let body = json!({"given_name": "Anna", "metadata": {"promo_code": "123"},
            "billing": {"postal_code": "8400", "country": "CH"}, "phone": "+41446681800"});
        assert!(!suspicious(body.to_string().as_bytes()));
        for name in ["cvv", "CVV2", "card_code", "pin", "track2", "securityCode"] {
            assert!(suspicious(format!(r#"{{"{name}":1}}"#).as_bytes()), "{name}");
            assert!(suspicious(format!("metadata[{name}]=1").as_bytes()), "{name}");
        }
    }
}
