//! Reference data.

use serde_json::{Value, json};

use crate::place::{Place, failed, refused};

type IsType = fn(&Value) -> bool;

/// What the Python SDK requires of a channel, and the JSON type it requires.
const REQUIRED: [(&str, IsType); 14] = [
    ("name", Value::is_string),
    ("desc", Value::is_string),
    ("active", Value::is_boolean),
    ("countries", Value::is_array),
    ("id", Value::is_string),
    ("slug", Value::is_string),
    ("type", Value::is_string),
    ("reference", Value::is_string),
    ("live", Value::is_boolean),
    ("payout", Value::is_u64),
    ("charge", Value::is_u64),
    ("collect", Value::is_u64),
    ("currency", Value::is_string),
    ("description", Value::is_string),
];

fn codes(answer: &Value) -> Vec<&str> {
    let items = answer["items"].as_array().expect("items");
    items.iter().filter_map(|item| item["id"].as_str().or(item["code"].as_str())).collect()
}

#[tokio::test]
async fn channels_have_what_every_client_needs() {
    let place = Place::new().await;
    let answer = place.get("/channels").await.expect(200).json();
    assert_eq!(answer["message"], "Channels retrieved");
    assert_eq!(answer["items"], answer["data"]);
    assert_eq!(answer["items"], answer["channels"]);
    let items = answer["items"].as_array().expect("items");
    assert_eq!(items.len(), 46);
    for item in items {
        for (name, is_type) in REQUIRED {
            assert!(is_type(&item[name]), "{name} of {item}");
        }
        let kind = item["type"].as_str().expect("a type");
        assert!(["card", "wallet", "mobile", "bank"].contains(&kind), "{item}");
        assert_eq!(item["live"], false, "the key is one of the sandbox");
    }
    let guide = place.get("/resources/channels/cm.mtn").await.expect(200).json();
    assert_eq!(guide["channel"]["type"], "mobile_money");
    assert_eq!(guide["channel"], guide["data"]);
    let mtn = &items[codes(&answer).iter().position(|code| *code == "cm.mtn").expect("listed")];
    assert_eq!((&mtn["min_amount"], &mtn["maximum"]), (&json!(100), &json!(500_000)));
}

#[tokio::test]
async fn channels_are_filtered() {
    let place = Place::new().await;
    for (query, has, lacks) in [
        ("country=CM", vec!["cm.mtn", "eumm", "card"], vec!["ci.mtn"]),
        ("country=ga", vec!["ga.airtel", "eumm"], vec!["cm.mtn"]),
        ("country=CM&amount=99", vec!["cm.mobile", "card"], vec!["cm.mtn", "cm.orange"]),
        ("country=CM&amount=100", vec!["cm.mtn"], vec![]),
        ("country=CM&amount=500000", vec!["cm.mtn"], vec![]),
        ("country=CM&amount=500000.5", vec!["cm.mobile"], vec!["cm.mtn"]),
        ("amount=1000", vec!["cm.mtn", "card"], vec!["ci.mtn"]),
        ("amount=1000&currency=XOF", vec!["ci.mtn", "card"], vec!["cm.mtn"]),
        ("currency=kes", vec!["ke.mpesa"], vec!["cm.mtn"]),
    ] {
        let answer = place.get(&format!("/channels?{query}")).await.expect(200).json();
        let codes = codes(&answer);
        assert!(has.iter().all(|code| codes.contains(code)), "{query}: {codes:?}");
        assert!(!lacks.iter().any(|code| codes.contains(code)), "{query}: {codes:?}");
    }
    let none = place.get("/channels?country=ZZ").await.expect(200).json();
    assert_eq!(none["items"], json!([]));
    let text = "The amount field must be a number.";
    refused(place.get("/channels?amount=much").await, json!({"amount": [text]}));
}

#[tokio::test]
async fn countries_currencies_and_banks() {
    let place = Place::new().await;
    let answer = place.get("/countries").await.expect(200).json();
    assert_eq!(answer["message"], "Countries retrieved");
    assert_eq!(answer["countries"], answer["items"]);
    assert_eq!(answer["data"], answer["items"]);
    let cameroon = json!({"code": "CM", "name": "Cameroon", "currency": "XAF", "flag": "🇨🇲",
        "phone_code": "+237", "channels": ["mobile_money", "card", "wallet", "bank"]});
    assert_eq!(answer["items"][0], cameroon);
    assert_eq!(place.get("/resources/countries").await.expect(200).json(), answer);
    let one = place.get("/resources/countries/cm").await.expect(200).json();
    let want = json!({"code": 200, "status": "OK", "message": "Country retrieved",
        "country": cameroon, "data": cameroon});
    assert_eq!(one, want);

    let answer = place.get("/currencies").await.expect(200).json();
    assert_eq!(answer["currencies"], answer["data"]);
    let xaf = json!({"code": "XAF", "name": "Central African CFA franc", "symbol": "FCFA",
        "decimal_places": 0, "fraction": 0, "countries": ["CM", "GA", "TD", "CF", "CG"],
        "minimum_amount": 100, "maximum_amount": 50_000_000});
    assert_eq!(answer["items"][0], xaf);
    assert_eq!(place.get("/resources/currencies/XAF").await.json()["currency"], xaf);
    let banks = place.get("/resources/banks").await.expect(200).json();
    assert_eq!((&banks["items"], &banks["banks"]), (&json!([]), &json!([])));
    for (path, message) in [
        ("channels/nope", "Channel not found"),
        ("countries/ZZ", "Country not found"),
        ("currencies/ZZZ", "Currency not found"),
        ("banks/1", "Bank not found"),
    ] {
        let answer = place.get(&format!("/resources/{path}")).await;
        failed(answer, 404, "Not Found", message);
    }
    place.server.raw("GET", "/channels", &[], b"").await.expect(401);
}
