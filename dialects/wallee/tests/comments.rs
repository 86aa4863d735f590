//! Comments on customers.

use serde_json::{Value, json};

use crate::place::{Shop, encoded, id, refused};

async fn comment(shop: &Shop, customer: i64, content: &str) -> Value {
    let body = json!({"customer": customer, "content": content});
    shop.post(&format!("/customers/{customer}/comments"), body).await.expect(201).json()
}

#[tokio::test]
async fn shows_what_was_sent_and_by_whom() {
    let shop = Shop::open().await;
    let customer = shop.customer(json!({})).await;
    let created = comment(&shop, customer, "Called back.\n\tTwice.").await;
    let want = json!({
        "id": created["id"], "linkedSpaceId": shop.space(), "version": 1,
        "createdOn": created["createdOn"], "createdBy": shop.user(), "pinned": false,
        "content": "Called back.\n\tTwice.", "customer": {"id": customer},
    });
    assert_eq!(created, want);
    let path = format!("/customers/{customer}/comments/{}", id(&created));
    assert_eq!(shop.get(&path).await.expect(200).json(), want);
    let change = json!({"content": "Called back twice.", "version": 1});
    let changed = shop.patch(&path, change.clone()).await.expect(200).json();
    let want = json!({
        "id": created["id"], "linkedSpaceId": shop.space(), "version": 2,
        "createdOn": created["createdOn"], "createdBy": shop.user(),
        "editedOn": changed["editedOn"], "editedBy": shop.user(), "pinned": false,
        "content": "Called back twice.", "customer": {"id": customer},
    });
    assert_eq!(changed, want);
    assert!(changed["editedOn"].is_string());
    let stale = json!({"version": "Expected 2 but was 1."});
    refused(&shop.patch(&path, change).await, 409, "conflict", &stale);
    let missing = shop.patch(&path, json!({"content": "x"})).await;
    refused(&missing, 400, "bad_request", &json!({"version": "Must be given."}));
    let nothing = shop.patch(&path, json!({"content": null, "version": 2})).await.expect(200);
    assert_eq!(nothing.json(), want);
    let cleared = shop.patch(&path, json!({"content": "", "version": 2})).await.expect(200);
    assert_eq!(cleared.json().get("content"), None);
    shop.delete(&path).await.expect(204);
    refused(&shop.delete(&path).await, 404, "not_found", &json!({}));
    refused(&shop.get(&path).await, 404, "not_found", &json!({}));
}

#[tokio::test]
async fn content_is_bounded_and_the_customer_must_be_the_one_in_the_path() {
    let shop = Shop::open().await;
    let customer = shop.customer(json!({})).await;
    let path = format!("/customers/{customer}/comments");
    let longest = "ž".repeat(262_144);
    assert_eq!(comment(&shop, customer, &longest).await["content"], longest);
    let body = json!({"customer": customer + 1, "content": "ž".repeat(262_145)});
    let errors = json!({
        "content": "Must be at most 262144 characters long.",
        "customer": "Must equal the customer in the path.",
    });
    refused(&shop.post(&path, body).await, 422, "unprocessable_entity", &errors);
    let missing = shop.post(&path, json!({"content": "x"})).await;
    refused(&missing, 400, "bad_request", &json!({"customer": "Must be given."}));
    let wrong = shop.post(&path, json!({"customer": customer, "content": 7})).await;
    refused(&wrong, 400, "bad_request", &json!({"content": "Must be a string."}));
    let card = shop.post(&path, json!({"customer": customer, "content": "4111111111111111"})).await;
    assert_eq!(card.status, 422);
    let body = json!({"customer": 999_999_999});
    let unknown = shop.post("/customers/999999999/comments", body).await;
    refused(&unknown, 404, "not_found", &json!({}));
}

#[tokio::test]
async fn pinning_is_idempotent_and_no_edit() {
    let shop = Shop::open().await;
    let customer = shop.customer(json!({})).await;
    let first = id(&comment(&shop, customer, "one").await);
    let second = id(&comment(&shop, customer, "two").await);
    let path = |id: i64, verb: &str| format!("/customers/{customer}/comments/{id}{verb}");
    for (id, verb, pinned, version) in [
        (first, "/pin", true, 2),
        (first, "/pin", true, 2),
        (second, "/pin", true, 2),
        (first, "/unpin", false, 3),
        (first, "/unpin", false, 3),
        (second, "", true, 2),
    ] {
        if !verb.is_empty() {
            let answer = shop.call("POST", &path(id, verb), None).await.expect(204);
            assert_eq!(answer.text(), "");
        }
        let read = shop.get(&path(id, "")).await.expect(200).json();
        assert_eq!((&read["pinned"], &read["version"]), (&json!(pinned), &json!(version)));
        assert_eq!(read.get("editedOn"), None);
    }
    for verb in ["/pin", "/unpin"] {
        let answer = shop.call("POST", &path(999_999_999, verb), None).await;
        refused(&answer, 404, "not_found", &json!({}));
    }
}

#[tokio::test]
async fn lists_searches_and_expansion_work_as_for_customers() {
    let shop = Shop::open().await;
    let customer = shop.customer(json!({"givenName": "Anna"})).await;
    let other = shop.customer(json!({})).await;
    let path = format!("/customers/{customer}/comments");
    let mut all = Vec::new();
    for n in 0..12 {
        all.push(id(&comment(&shop, customer, &format!("Říp {n}")).await));
        comment(&shop, other, "of somebody else").await;
    }
    let foreign = format!("/customers/{other}/comments/{}", all[0]);
    refused(&shop.get(&foreign).await, 404, "not_found", &json!({}));
    shop.call("POST", &format!("{path}/{}/pin", all[4]), None).await.expect(204);
    let change = json!({"content": "edited", "version": 1});
    shop.patch(&format!("{path}/{}", all[5]), change).await.expect(200);
    let page = shop.get(&path).await.expect(200).json();
    assert_eq!((&page["limit"], &page["hasMore"]), (&json!(10), &json!(true)));
    let ids = async |query: &str| shop.ids(&format!("{path}{query}")).await;
    assert_eq!(ids(&format!("?limit=2&after={}", all[3])).await, all[4..6]);
    assert_eq!(ids(&format!("?limit=2&before={}", all[3])).await, all[1..3]);
    assert_eq!(ids("?limit=2&order=DESC").await, [all[11], all[10]]);
    assert_eq!(ids("/search?order=id%3ADESC&limit=2&offset=1").await, [all[10], all[9]]);
    assert_eq!(ids("/search?order=pinned%3ADESC%2Cid&limit=2").await, [all[4], all[0]]);
    let user = shop.user();
    for (query, want) in [
        ("pinned:true", vec![all[4]]),
        ("-pinned:false", vec![all[4]]),
        ("content:~ŘÍP -content:~1", vec![]),
        ("content:'Říp 3'", vec![all[3]]),
        ("version:2", vec![all[4], all[5]]),
        ("-editedOn:*", vec![all[5]]),
        (&format!("editedBy:{user} editedOn:>2020-01-01"), vec![all[5]]),
        (&format!("createdBy:{user} id:<{}", all[2]), all[..2].to_vec()),
        (&format!("customer:{customer} customer.id:{customer}"), all.clone()),
        (&format!("customer:{other}"), vec![]),
        ("createdOn:<2020-01-01", vec![]),
    ] {
        let found = shop.found(&path, query).await;
        if query.starts_with("content:~ŘÍP") {
            let plain: Vec<i64> =
                (0..12).filter(|n| ![1, 5, 10, 11].contains(n)).map(|n| all[n]).collect();
            assert_eq!(found, plain);
            continue;
        }
        assert_eq!(found, want, "{query}");
    }
    for bad in ["text:x", "pinned:1", "content", "customer.name:x"] {
        let answer = shop.get(&format!("{path}/search?query={}", encoded(bad))).await;
        assert_eq!(answer.status, 422, "{bad}");
    }
    let whole = shop.get(&format!("/customers/{customer}")).await.json();
    for place in ["?expand=customer", "/search?expand=customer"] {
        let page = shop.get(&format!("{path}{place}")).await.expect(200).json();
        assert_eq!(page["data"][0]["customer"], whole);
    }
    let one = format!("{path}/{}?expand=customer", all[0]);
    assert_eq!(shop.get(&one).await.expect(200).json()["customer"], whole);
    let change = json!({"content": "x", "version": 1});
    assert_eq!(shop.patch(&one, change).await.expect(200).json()["customer"], whole);
    let body = json!({"customer": customer});
    let created = shop.post(&format!("{path}?expand=customer"), body).await.expect(201).json();
    assert_eq!(created["customer"], whole);
}
