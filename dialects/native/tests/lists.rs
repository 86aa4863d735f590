//! Lists: pages, filters, orders, free text; every search sees the caller's last write.

use serde_json::{Value, json};

use crate::place::Native;

async fn numbers(native: &Native, target: &str) -> Vec<i64> {
    let page = native.call("GET", target, None).await.expect(200).json();
    page["data"].as_array().unwrap().iter().map(|c| c["number"].as_i64().unwrap()).collect()
}

/// Follows `Link` to the end.
async fn all_pages(native: &Native, first: &str) -> Vec<i64> {
    let mut found = Vec::new();
    let mut target = first.to_owned();
    loop {
        let answer = native.call("GET", &target, None).await.expect(200);
        let page = answer.json();
        let data = page["data"].as_array().unwrap();
        found.extend(data.iter().map(|c| c["number"].as_i64().unwrap()));
        if page["has_more"] == json!(false) {
            assert_eq!(answer.header("link"), "");
            return found;
        }
        let link = answer.header("link").to_owned();
        target = link.strip_prefix('<').unwrap().split('>').next().unwrap().to_owned();
        assert!(page["next_cursor"].is_string());
    }
}

async fn people(native: &Native) -> Vec<i64> {
    let mut made = Vec::new();
    for (given, family, email, extra) in [
        ("Anna", "Muster", "anna@example.com", json!({"metadata": {"tier": "gold"}})),
        ("Bruno", "Müller", "bruno@example.com", json!({"currency": "CHF", "balance": "9.5"})),
        ("Carla", "Zaugg", "carla@acme.example", json!({"company_name": "Acme AG"})),
        ("Anna", "Zoller", "zoller@example.org", json!({"phone": "+41 44 668 18 00"})),
        ("Dora", "Abt", "dora@example.org", json!({"balance": "100", "reference": "R-77"})),
    ] {
        let mut body = json!({"given_name": given, "family_name": family, "email": email});
        for (name, value) in extra.as_object().unwrap() {
            body[name] = value.clone();
        }
        made.push(native.create(body).await["number"].as_i64().unwrap());
    }
    made
}

#[tokio::test]
async fn pages_are_stable_under_inserts_and_complete() {
    let native = Native::start().await;
    let made = people(&native).await;
    for sort in ["", "number", "-number", "name", "-name", "email", "-created_at", "reference"] {
        let target = format!("/v1/customers?limit=2&sort={sort}");
        let mut found = all_pages(&native, &target).await;
        let whole = numbers(&native, &format!("/v1/customers?sort={sort}")).await;
        assert_eq!(found, whole, "sort={sort}");
        found.sort_unstable();
        assert_eq!(found, made, "sort={sort}");
    }
    let by_name = numbers(&native, "/v1/customers?sort=name").await;
    assert_eq!(by_name, [made[4], made[0], made[1], made[2], made[3]]);
    let page = native.call("GET", "/v1/customers?limit=2", None).await.json();
    let cursor = page["next_cursor"].as_str().unwrap();
    native.create(json!({"title": "late"})).await;
    let next = numbers(&native, &format!("/v1/customers?limit=2&cursor={cursor}")).await;
    assert_eq!(next, made[2..4]);
}

#[tokio::test]
async fn filters_find_exactly() {
    let native = Native::start().await;
    let n = people(&native).await;
    let cases: Vec<(&str, Vec<i64>)> = vec![
        ("email=ANNA@example.com", vec![n[0]]),
        ("given_name=Anna", vec![n[0], n[3]]),
        ("given_name=Anna&family_name=Zoller", vec![n[3]]),
        ("given_name[ne]=Anna", vec![n[1], n[2], n[4]]),
        ("family_name[prefix]=m", vec![n[0], n[1]]),
        ("family_name[contains]=%C3%9CLL", vec![n[1]]),
        ("currency[missing]=false", vec![n[1]]),
        ("company_name[missing]=true", vec![n[0], n[1], n[3], n[4]]),
        ("balance[gt]=9.5", vec![n[4]]),
        ("balance[gte]=9.50", vec![n[1], n[4]]),
        ("metadata[tier]=gold", vec![n[0]]),
        ("metadata[tier]=silver", vec![]),
        ("reference=R-77", vec![n[4]]),
        ("phone=%2B41446681800", vec![n[3]]),
        ("phone=41446681800", vec![n[3]]),
        ("email[in]=anna@example.com,dora@example.org", vec![n[0], n[4]]),
        ("created_at[gte]=2020-01-01&created_at[lt]=2999-01-01T00:00:00Z", n.clone()),
        ("created_at[lt]=2020-01-01", vec![]),
        ("status=active", n.clone()),
    ];
    for (query, want) in cases {
        let found = numbers(&native, &format!("/v1/customers?{query}")).await;
        assert_eq!(found, want, "{query}");
        let counted = format!("/v1/customers?{query}&total=true&limit=1");
        let counted = native.call("GET", &counted, None).await.json();
        assert_eq!(counted["total"], want.len(), "{query}");
    }
}

#[tokio::test]
async fn free_text_matches_the_beginnings_of_words() {
    let native = Native::start().await;
    let n = people(&native).await;
    let cases: Vec<(&str, Vec<i64>)> = vec![
        ("ann", vec![n[0], n[3]]),
        ("anna+mu", vec![n[0]]),
        ("mu%20anna", vec![n[0]]),
        ("m%C3%BCl", vec![n[1]]),
        ("acme", vec![n[2]]),
        ("carla@acme", vec![n[2]]),
        ("%2B41%2044%20668", vec![n[3]]),
        ("r-77", vec![n[4]]),
        ("nobody", vec![]),
    ];
    for (q, mut want) in cases {
        let mut found = numbers(&native, &format!("/v1/customers?q={q}")).await;
        found.sort_unstable();
        want.sort_unstable();
        assert_eq!(found, want, "{q}");
    }
    let filtered = numbers(&native, "/v1/customers?q=anna&family_name=Zoller").await;
    assert_eq!(filtered, [n[3]]);
    let mut paged = all_pages(&native, "/v1/customers?q=example&limit=1").await;
    paged.sort_unstable();
    assert_eq!(paged, n, "each customer once, though several words match");
}

#[tokio::test]
async fn a_search_sees_the_last_write() {
    let native = Native::start().await;
    for i in 0..20 {
        let made = native.create(json!({"given_name": format!("Name{i}")})).await;
        let target = format!("/v1/customers/{}", made["number"]);
        let q = format!("/v1/customers?q=name{i}x");
        assert_eq!(numbers(&native, &q).await, Vec::<i64>::new());
        let renamed = json!({"given_name": format!("Name{i}x")});
        native.call("PATCH", &target, Some(renamed)).await.expect(200);
        assert_eq!(numbers(&native, &q).await, [made["number"].as_i64().unwrap()]);
        native.call("DELETE", &target, None).await.expect(204);
        assert_eq!(numbers(&native, &q).await, Vec::<i64>::new());
    }
    let deleted = numbers(&native, "/v1/customers?deleted=only").await;
    assert_eq!(deleted.len(), 20);
}

#[tokio::test]
async fn what_is_not_understood_is_refused() {
    let native = Native::start().await;
    for bad in [
        "limit=0",
        "limit=201",
        "limit=x",
        "cursor=zzz",
        "sort=nope",
        "nope=1",
        "expand=nope",
        "email[nope]=x",
        "deleted=maybe",
        "created_at=yesterday",
        "balance[gt]=x",
        "email[=x",
    ] {
        let answer = native.call("GET", &format!("/v1/customers?{bad}"), None).await.expect(400);
        assert!(answer.json()["errors"][0]["detail"].is_string(), "{bad}");
    }
    people(&native).await;
    let page = native.call("GET", "/v1/customers?limit=1&sort=name", None).await.json();
    let cursor = page["next_cursor"].as_str().unwrap();
    let other = format!("/v1/customers?limit=1&sort=email&cursor={cursor}");
    native.call("GET", &other, None).await.expect(400);
}

#[tokio::test]
async fn expansion_shows_addresses_and_comments() {
    let native = Native::start().await;
    let made = native.create(json!({"addresses": [{"purpose": "both", "city": "Bern"}]})).await;
    let target = format!("/v1/customers/{}", made["number"]);
    for text in ["one", "two"] {
        let body = json!({"content": text, "pinned": text == "one"});
        native.call("POST", &format!("{target}/comments"), Some(body)).await.expect(201);
    }
    let shown = native.call("GET", &format!("{target}?expand=addresses,comments"), None).await;
    let shown: Value = shown.json();
    assert_eq!(shown["addresses"][0]["city"], "Bern");
    assert_eq!(shown["comments"][0]["content"], "one", "pinned first");
    assert_eq!(shown["comments"][1]["content"], "two");
    let tagged = native.call("GET", &format!("{target}?expand=addresses"), None).await;
    assert_eq!(tagged.header("etag"), "\"1.1\"");
}
