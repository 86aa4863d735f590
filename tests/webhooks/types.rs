//! What endpoints can ask for: what is listed is what is told, and the guide shows the same.

use serde_json::json;

use super::Place;

#[tokio::test(flavor = "multi_thread")]
async fn every_type_is_listed_with_a_body_as_it_is_told() {
    let place = Place::new().await;
    let listed = place.call("GET", "/v1/event-types", None).await.expect(200).json();
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/webhooks.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let all = listed["data"].as_array().unwrap();
    assert_eq!(all.len(), 15);
    for one in all {
        let word = |name: &str| one[name].as_str().unwrap();
        let row =
            format!("| `{}` | {} | `{}` |\n", word("type"), word("about"), word("permission"));
        assert!(guide.contains(&row), "the guide has not: {row}");
        assert!(word("type").starts_with(&format!("{}.", word("noun"))));
        assert_eq!(one["example"]["type"], one["type"]);
        // It can be asked for.
        place.endpoint(json!({"types": [one["type"]]})).await;
    }
    // What arrives has the members of the example.
    let members = |body: &serde_json::Value| -> Vec<String> {
        body.as_object().unwrap().keys().cloned().collect()
    };
    let customer = place.customer("Ada Lovelace").await;
    let one = format!("/v1/customers/{}", customer["number"]);
    let comments = format!("{one}/comments");
    place.call("POST", &comments, Some(json!({"content": "hello"}))).await.expect(201);
    let card = json!({"type": "card", "card": {"number": "4111111111111111", "expiry_month": 7,
        "expiry_year": 2031}});
    let cards = format!("{one}/payment-methods");
    place.call("POST", &cards, Some(card)).await.expect(201);
    place.call("DELETE", &one, None).await.expect(204);
    for got in place.receiver.until(4).await {
        let is_same = |one: &&serde_json::Value| one["type"] == got.body["type"];
        let example = &all.iter().find(is_same).unwrap()["example"];
        assert_eq!(members(example), members(&got.body));
        for member in members(&got.body["data"]) {
            let has = example["data"].get(&member).is_some();
            let is_own = ["full_name", "created_by", "fingerprint"].contains(&member.as_str());
            assert!(has || is_own, "{} has no {member}", got.body["type"]);
        }
    }
}
