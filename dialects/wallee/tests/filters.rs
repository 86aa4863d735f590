//! Searching customers: every operator, every field, refusals.

use serde_json::{Value, json};

use crate::place::{Shop, encoded, refused};

pub async fn filled(shop: &Shop) -> Vec<i64> {
    let mut all = Vec::new();
    for body in [
        json!({
            "customerId": "C-1", "emailAddress": "Anna@Example.com", "givenName": "Anna",
            "familyName": "Muster", "language": "de-CH", "preferredCurrency": "CHF",
            "metaData": {"source": "shop", "a.b": "x"},
        }),
        json!({
            "customerId": "C-2", "emailAddress": "bert@example.org", "givenName": "Bert",
            "familyName": "Žluťoučký", "language": "fr", "preferredCurrency": "EUR",
            "metaData": {"source": "pos"},
        }),
        json!({"customerId": "two words", "givenName": "C \"quoted\" (x)", "familyName": "Muster"}),
        json!({}),
    ] {
        all.push(shop.customer(body).await);
    }
    let third = format!("/customers/{}", all[2]);
    shop.patch(&third, json!({"preferredCurrency": "USD", "version": 1})).await.expect(200);
    all
}

#[tokio::test]
async fn every_form_of_the_grammar_finds_what_it_says() {
    let shop = Shop::open().await;
    let all = filled(&shop).await;
    let (a, b, c, d) = (all[0], all[1], all[2], all[3]);
    let none: Vec<i64> = Vec::new();
    for (query, want) in [
        ("", all.clone()),
        (&format!("id:{b}"), vec![b]),
        (&format!("id:>{b}"), vec![c, d]),
        (&format!("id:>={b} id:<{d}"), vec![b, c]),
        (&format!("id:<={b}"), vec![a, b]),
        (&format!("-id:{a}"), vec![b, c, d]),
        ("customerId:C-1", vec![a]),
        ("customerId:c-1", none.clone()),
        ("customerId:~c-", vec![a, b]),
        ("customerId:\"two words\"", vec![c]),
        ("customerId:*", vec![d]),
        ("-customerId:*", vec![a, b, c]),
        ("emailAddress:Anna@Example.com", vec![a]),
        ("emailAddress:anna@example.com", none.clone()),
        ("emailAddress:~EXAMPLE", vec![a, b]),
        ("givenName:Anna", vec![a]),
        (r#"givenName:~"\"QUOTED\" (x)""#, vec![c]),
        ("givenName:>B", vec![b, c]),
        ("familyName:Muster", vec![a, c]),
        ("familyName:~žluť", vec![b]),
        ("familyName:~ŽLUŤ", vec![b]),
        ("familyName:*", vec![d]),
        ("language:de-CH", vec![a]),
        ("language:~de", vec![a]),
        ("-language:*", vec![a, b]),
        ("preferredCurrency:CHF OR preferredCurrency:EUR", vec![a, b]),
        ("preferredCurrency:*", vec![d]),
        ("version:2", vec![c]),
        ("version:<2", vec![a, b, d]),
        ("createdOn:>2020-01-01", all.clone()),
        ("createdOn:<'2020-01-01T00:00:00+01:00'", none.clone()),
        ("metaData.source:shop", vec![a]),
        ("metaData.source:~S", vec![a, b]),
        ("metaData.source:*", vec![c, d]),
        ("metaData.a.b:x", vec![a]),
        ("metaData.nothing:x", none.clone()),
        ("familyName:Muster AND givenName:Anna", vec![a]),
        ("familyName:Muster -givenName:Anna", vec![c]),
        ("givenName:Bert OR familyName:Muster givenName:Anna", vec![a, b]),
        ("(givenName:Bert OR familyName:Muster) preferredCurrency:USD", vec![c]),
        ("-(givenName:Bert OR familyName:Muster)", vec![d]),
        // A missing value equals nothing, so its negation holds.
        ("-givenName:Anna", vec![b, c, d]),
        ("-givenName:<Z", vec![d]),
    ] {
        assert_eq!(shop.found("/customers", query).await, want, "{query}");
    }
}

#[tokio::test]
async fn moments_are_found_as_they_are_shown() {
    let shop = Shop::open().await;
    let id = shop.customer(json!({})).await;
    let shown = shop.get(&format!("/customers/{id}")).await.json()["createdOn"].clone();
    let shown = shown.as_str().unwrap();
    for (query, is_found) in [
        (format!("createdOn:{shown}"), true),
        (format!("createdOn:'{shown}'"), true),
        (format!("createdOn:>={shown}"), true),
        (format!("createdOn:<={shown}"), true),
        (format!("createdOn:>{shown}"), false),
        (format!("createdOn:<{shown}"), false),
        (format!("createdOn:{}", &shown[..10]), true),
        (format!("createdOn:<={}", &shown[..10]), true),
        (format!("createdOn:>{}", &shown[..10]), false),
    ] {
        assert_eq!(shop.found("/customers", &query).await.len(), usize::from(is_found), "{query}");
    }
}

#[tokio::test]
async fn every_one_of_many_pairs_is_found() {
    let shop = Shop::open().await;
    let pairs: Value = (0..100).map(|n| (format!("k{n:03}"), json!("v"))).collect();
    let id = shop.customer(json!({"metaData": pairs})).await;
    for key in ["k000", "k063", "k064", "k099"] {
        assert_eq!(shop.found("/customers", &format!("metaData.{key}:v")).await, [id], "{key}");
    }
}

#[tokio::test]
async fn a_bad_question_is_refused_without_repeating_it() {
    let shop = Shop::open().await;
    let syntax = |reason: &str| format!("Cannot be understood: {reason}.");
    for (query, text) in [
        ("secret", syntax("a colon after the name of the field is expected at character 7")),
        ("secret:1", "No such field is known.".to_owned()),
        ("metaData.:1", "No such field is known.".to_owned()),
        ("id:secret", "Must be a whole number.".to_owned()),
        ("id:~5", syntax("an operator does not fit its field")),
        ("createdOn:secret", "Must be a date and time such as 2026-01-02T03:04:05Z.".to_owned()),
        ("(id:1", syntax("a closing parenthesis is missing at character 6")),
        ("id:1)", syntax("a closing parenthesis without an opening one at character 5")),
        ("id:'1", syntax("a closing quote is missing for the value at character 4")),
    ] {
        let answer = shop.get(&format!("/customers/search?query={}", encoded(query))).await;
        refused(&answer, 422, "unprocessable_entity", &json!({"query": text}));
        assert!(!answer.text().contains("secret"));
    }
    for (order, text) in [
        ("secret", "No such field is known."),
        ("id:UP", "Must be one of ASC, DESC."),
        ("id,", "No such field is known."),
    ] {
        let answer = shop.get(&format!("/customers/search?order={}", encoded(order))).await;
        refused(&answer, 422, "unprocessable_entity", &json!({"order": text}));
    }
}

#[tokio::test]
async fn the_longest_query_is_answered() {
    let shop = Shop::open().await;
    let id = shop.customer(json!({"familyName": "Muster"})).await;
    let searching = ["familyName:~must"; 10];
    let plain = ["familyName:Muster"; 50];
    let ids = ["-id:0"; 41].join(" ");
    for (query, is_fitting) in [
        (searching.join(" "), true),
        (searching.join(" OR "), true),
        (plain.join(" OR "), true),
        (format!("{} {}", searching.join(" "), ["-id:0"; 40].join(" ")), true),
        (format!("{} {ids}", searching.join(" ")), false),
        (format!("{} familyName:~m", searching.join(" ")), false),
        (format!("{} id:{id}", plain.join(" ")), false),
        (vec!["-id:0"; 1_100].join(" "), false),
    ] {
        let answer = shop.get(&format!("/customers/search?query={}", encoded(&query))).await;
        match is_fitting {
            false => assert_eq!(answer.status, 422, "{query}"),
            true => assert_eq!(answer.expect(200).json()["data"][0]["id"], id),
        }
    }
    let nested = format!("{}id:{id}{}", "-(".repeat(32), ")".repeat(32));
    assert_eq!(shop.found("/customers", &nested).await, [id]);
}

#[tokio::test]
async fn the_same_question_is_answered_alike_for_addresses() {
    // Addresses are evaluated in memory, customers by the store: one grammar, one meaning.
    let shop = Shop::open().await;
    let id = shop.customer(json!({})).await;
    let path = format!("/customers/{id}/addresses");
    let mut pairs = Vec::new();
    for city in [Some("Bern"), Some("Žižkov"), Some("a \"b\""), None] {
        let address = city.map_or(json!({}), |city| json!({"city": city}));
        let body = json!({"customer": id, "address": address});
        let address = shop.post(&path, body).await.expect(201).json()["id"].as_i64().unwrap();
        let customer = shop.customer(city.map_or(json!({}), |c| json!({"familyName": c}))).await;
        pairs.push((customer, address));
    }
    let customers: Vec<i64> = pairs.iter().map(|pair| pair.0).collect();
    for test in [
        ":Bern",
        ":bern",
        ":~BERN",
        ":~žiž",
        ":*",
        ":<a",
        ":<=Bern",
        ":>Bern",
        ":>='Žižkov'",
        r#":"a \"b\"""#,
        ":''",
        ":~''",
    ] {
        for sign in ["", "-"] {
            let query = format!("{sign}familyName{test} id:>={}", customers[0]);
            let found = shop.found("/customers", &query).await;
            let want: Vec<i64> =
                pairs.iter().filter(|p| found.contains(&p.0)).map(|p| p.1).collect();
            let query = format!("{sign}address.city{test}");
            assert_eq!(shop.found(&path, &query).await, want, "{query}");
        }
    }
}
