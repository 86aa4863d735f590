//! Signatures by `v1a`: the public half that is listed verifies what comes, before and after a
//! rotation, and nothing private is shown.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use ring::signature::{ED25519, UnparsedPublicKey};
use serde_json::{Value, json};

use super::{Got, Place, is_signed};

const KEYS: &str = "/v1/webhook-keys";

/// Signatures of a scheme.
fn of<'a>(got: &'a Got, scheme: &str) -> Vec<&'a str> {
    let all = got.header("webhook-signature").split(' ');
    all.filter(|one| one.split_once(',').is_some_and(|(known, _)| known == scheme)).collect()
}

/// Whether one of the signatures is of a public half.
fn is_of(got: &Got, key: &Value) -> bool {
    let public = key["public_key"].as_str().unwrap().strip_prefix("whpk_").unwrap();
    let public = UnparsedPublicKey::new(&ED25519, BASE64.decode(public).unwrap());
    let head = format!("{}.{}.", got.header("webhook-id"), got.header("webhook-timestamp"));
    let message = [head.as_bytes(), &got.raw].concat();
    let fits = |one: &&str| {
        let signature = BASE64.decode(&one[4..]).unwrap();
        public.verify(&message, &signature).is_ok() && public.verify(b"other", &signature).is_err()
    };
    of(got, "v1a").iter().any(fits)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_public_half_of_a_space_verifies_what_comes() {
    let place = Place::new().await;
    let none = place.call("GET", KEYS, None).await.expect(200).json();
    assert_eq!(none["data"], json!([]), "nobody asked for one");
    let made = place.endpoint(json!({"types": ["customer.created"], "signature": "both"})).await;
    assert_eq!(made["signature"], "both");
    let listed = place.call("GET", KEYS, None).await.expect(200).json();
    let first = listed["data"][0].clone();
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
    assert!(first.get("expires_at").is_none() && !listed.to_string().contains("whsk_"));
    place.customer("Ada").await;
    let got = place.receiver.until(1).await;
    assert!(is_signed(&got[0], made["secret"].as_str().unwrap()) && is_of(&got[0], &first));
    // A new one signs beside it, until that ends.
    let bad = json!({"overlap_seconds": 8 * 24 * 3600});
    let rotate = format!("{KEYS}/rotate");
    place.call("POST", &rotate, Some(bad)).await.expect(422);
    let second = place.call("POST", &rotate, None).await.expect(201).json();
    let listed = place.call("GET", KEYS, None).await.expect(200).json();
    assert_eq!(listed["data"][0], second);
    assert_eq!(listed["data"][1]["public_key"], first["public_key"]);
    assert!(listed["data"][1]["expires_at"].is_string());
    let one = format!("/v1/webhook-endpoints/{}", made["number"]);
    place.call("PATCH", &one, Some(json!({"signature": "v1a"}))).await.expect(200);
    // A node takes it in within half a second.
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    place.customer("Grace").await;
    let got = place.receiver.until(2).await;
    assert!(is_of(&got[1], &first) && is_of(&got[1], &second));
    assert!(of(&got[1], "v1").is_empty() && !of(&got[0], "v1").is_empty());
    // Without overlap the ones before end.
    let once = Some(json!({"overlap_seconds": 0}));
    let third = place.call("POST", &rotate, once).await.expect(201).json();
    let listed = place.call("GET", KEYS, None).await.expect(200).json();
    assert_eq!(listed["data"], json!([third]));
    // Few sign at one time, however often they are replaced.
    for _ in 0..5 {
        place.call("POST", &rotate, None).await.expect(201);
    }
    let listed = place.call("GET", KEYS, None).await.expect(200).json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 3);
    // Another space has keys of its own.
    let other = place.server.other_space("native").await;
    let strange = place.server.call(&patron_native::DIALECT, &other, "GET", KEYS, None).await;
    assert_eq!(strange.expect(200).json()["data"], json!([]));
    place.call("PATCH", &one, Some(json!({"signature": "v2"}))).await.expect(422);
}

/// A repeat of the request makes no second key.
#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_rotation_is_one() {
    let place = Place::new().await;
    let headers = [("idempotency-key", "once")];
    let rotate = format!("{KEYS}/rotate");
    let again = async || {
        let dialect = &patron_native::DIALECT;
        let call = place.server.call_with(dialect, &place.keys, "POST", &rotate, &headers, None);
        call.await.expect(201).json()
    };
    assert_eq!(again().await, again().await);
    let listed = place.call("GET", KEYS, None).await.expect(200).json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
}
