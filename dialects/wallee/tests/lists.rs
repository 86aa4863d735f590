//! Pages of lists and of what a search finds, and their orders.

use serde_json::json;

use crate::{
    filters::filled,
    place::{Shop, encoded, id},
};

#[tokio::test]
async fn lists_are_paged_from_either_side() {
    let shop = Shop::open().await;
    let mut all = Vec::new();
    for n in 0..12 {
        all.push(shop.customer(json!({"givenName": format!("N{n}")})).await);
    }
    let page = shop.get("/customers").await.expect(200).json();
    assert_eq!((&page["limit"], &page["hasMore"]), (&json!(10), &json!(true)));
    assert_eq!(page.as_object().unwrap().len(), 3, "data, hasMore, limit");
    let reversed: Vec<i64> = all.iter().rev().copied().collect();
    let at = |n: usize| all[n];
    for (query, want, more) in [
        (format!("limit=100&after={}", at(9)), &all[10..], false),
        (format!("limit=2&after={}", at(9)), &all[10..], false),
        (format!("limit=2&after={}", at(8)), &all[9..11], true),
        (format!("limit=2&before={}", at(3)), &all[1..3], true),
        (format!("limit=3&before={}", at(3)), &all[0..3], false),
        (format!("limit=5&before={}", at(3)), &all[0..3], false),
        (format!("limit=2&order=ASC&before={}", at(11) + 1_000_000), &all[10..], true),
        ("limit=3&order=DESC".to_owned(), &reversed[..3], true),
        (format!("limit=3&order=DESC&after={}", at(2)), &reversed[10..], false),
        (format!("limit=2&order=DESC&before={}", at(3)), &[at(5), at(4)], true),
        (format!("limit=2&order=DESC&before={}", at(11)), &[], false),
        (format!("after={}", at(11)), &[], false),
    ] {
        let page = shop.get(&format!("/customers?{query}")).await.expect(200).json();
        let ids: Vec<i64> = page["data"].as_array().unwrap().iter().map(id).collect();
        assert_eq!(ids, want, "{query}");
        assert_eq!(page["hasMore"], more, "{query}");
    }
}

#[tokio::test]
async fn results_are_ordered_and_paged() {
    let shop = Shop::open().await;
    let all = filled(&shop).await;
    let (a, b, c, d) = (all[0], all[1], all[2], all[3]);
    for (order, want) in [
        ("", [a, b, c, d]),
        ("id:DESC", [d, c, b, a]),
        ("familyName", [a, c, b, d]),
        ("familyName:DESC", [d, b, c, a]),
        ("familyName:ASC,givenName:DESC", [c, a, b, d]),
        ("version:DESC,id:ASC", [c, a, b, d]),
        ("createdOn:DESC", [d, c, b, a]),
        ("metaData.source:ASC", [b, a, c, d]),
        ("preferredCurrency:ASC", [a, b, c, d]),
    ] {
        let path = format!("/customers/search?order={}", encoded(order));
        assert_eq!(shop.ids(&path).await, want, "{order}");
    }
    let page = shop.get("/customers/search?limit=2&offset=1&order=id").await.expect(200).json();
    let envelope = (&page["hasMore"], &page["limit"], &page["offset"]);
    assert_eq!(envelope, (&json!(true), &json!(2), &json!(1)));
    assert_eq!(page.as_object().unwrap().len(), 4, "data, hasMore, limit, offset");
    assert_eq!(shop.ids("/customers/search?limit=2&offset=1&order=id").await, [b, c]);
    assert_eq!(shop.ids("/customers/search?limit=2&offset=3&order=id").await, [d]);
    assert_eq!(shop.ids("/customers/search?offset=10000").await, Vec::<i64>::new());
}
