//! The receiver of docs/webhooks.md: it takes what a server sends, once, and nothing else.

#[path = "guide/receive.rs"]
mod receive;

use std::time::{SystemTime, UNIX_EPOCH};

use http::StatusCode;
use serde_json::json;

use self::receive::Receiver;
use super::Place;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/webhooks.md");

#[test]
fn it_stands_in_the_guide_to_the_letter() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let shown = page.split("```rust\n").nth(1).and_then(|rest| rest.split("```").next());
    assert_eq!(shown.unwrap(), include_str!("guide/receive.rs"));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_takes_each_event_of_the_sender_once_and_nothing_else() {
    let place = Place::new().await;
    let made = place.endpoint(json!({"types": ["customer.*"]})).await;
    let all = format!("/v1/webhook-endpoints/{}/secrets", made["number"]);
    let second = place.call("POST", &all, None).await.expect(201).json();
    // A node takes it in within half a second.
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    let customer = place.customer("Čedomir Žižek").await;
    let got = place.receiver.until(1).await.remove(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let now = i64::try_from(now).unwrap();
    for secret in [&made["secret"], &second["secret"]] {
        let mut receiver = Receiver::new(secret.as_str().unwrap()).unwrap();
        let altered = [&got.raw[..], b" "].concat();
        let mut other = got.headers.clone();
        other.insert("webhook-id", "evt_1_999".parse().unwrap());
        let mut without = got.headers.clone();
        without.remove("webhook-signature");
        let refused = Err(StatusCode::UNAUTHORIZED);
        assert_eq!(receiver.take(&got.headers, &altered, now), refused);
        assert_eq!(receiver.take(&other, &got.raw, now), refused);
        assert_eq!(receiver.take(&got.headers, &got.raw, now + 360), refused);
        assert_eq!(receiver.take(&got.headers, &got.raw, now - 360), refused);
        let bad = Err(StatusCode::BAD_REQUEST);
        assert_eq!(receiver.take(&without, &got.raw, now), bad);
        let taken = receiver.take(&got.headers, &got.raw, now).unwrap().unwrap();
        assert_eq!(taken["data"], customer);
        assert_eq!(receiver.take(&got.headers, &got.raw, now), Ok(None));
    }
    let strange = format!("whsec_{}", "A".repeat(43) + "=");
    let mut stranger = Receiver::new(&strange).unwrap();
    assert_eq!(stranger.take(&got.headers, &got.raw, now), Err(StatusCode::UNAUTHORIZED));
    assert!(Receiver::new("AAAA").is_none());
}
