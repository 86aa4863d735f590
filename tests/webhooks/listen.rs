//! `patron events` and `patron listen`: the feed on a developer's machine.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use patron_app::secrets::hmac_sha256;
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha512};

use super::{is_signed, kills::sandbox, receiver::Receiver};
use crate::program::{KEY, Running, patron, succeed};

/// A command that runs, and what it says line by line.
struct Says {
    child: Child,
    lines: tokio::sync::mpsc::UnboundedReceiver<String>,
}

impl Drop for Says {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Says {
    fn start(words: &[&str]) -> Says {
        let mut command = patron();
        command.args(words).stdout(Stdio::piped()).stderr(Stdio::null());
        // Nobody asks a proxy.
        let mut child = command.env("HTTP_PROXY", "http://127.0.0.1:9").spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = tokio::sync::mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Says { child, lines }
    }

    async fn line(&mut self) -> String {
        let line = tokio::time::timeout(Duration::from_secs(60), self.lines.recv()).await;
        line.expect("a line in time").expect("a line")
    }
}

/// The command prints the pages to their end. Answers the last position.
async fn has_happened(running: &Running) -> i64 {
    let before = running.native(KEY, "GET", "/v1/events?after=0&types=*", None).await;
    let before = before.expect(200).json();
    let printed = succeed(patron().args(["events", "--url", &running.base_url]));
    let printed: Vec<Value> =
        printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(Value::Array(printed), before["data"]);
    before["next"].as_i64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_brought_to_a_program_signed_and_told_on_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start().await;
    let running = sandbox(folder.path());
    let url = running.base_url.clone();
    let create = async |name: &str| {
        let body = json!({"full_name": name, "email": "ada@example.com"});
        running.native(KEY, "POST", "/v1/customers", Some(body)).await.expect(201).json()
    };
    create("First").await;
    let from = has_happened(&running).await.to_string();
    let hook = &receiver.url;
    let mut listening = Says::start(&[
        "listen",
        "--url",
        &url,
        "--forward-to",
        hook,
        "--types",
        "customer.*",
        "--from",
        &from,
        "--print",
    ]);
    let mut following = Says::start(&[
        "events",
        "--follow",
        "--url",
        &url,
        "--from",
        &from,
        "--types",
        "customer.created",
        "--records",
    ]);
    assert!(listening.line().await.ends_with(hook));
    let secret = listening.line().await.strip_prefix("Signed with ").unwrap().to_owned();
    receiver.answers(418);
    let second = create("Second").await;
    let got = receiver.until(1).await.remove(0);
    assert!(is_signed(&got, &secret), "{:?}", got.headers);
    assert_eq!(got.body["data"], second);
    assert_eq!(got.header("content-type"), "application/json");
    let line = listening.line().await;
    let id = got.body["id"].as_str().unwrap();
    assert!(line.contains("customer.created") && line.contains(id) && line.contains("→ 418"));
    let printed: Value = serde_json::from_str(&listening.line().await).unwrap();
    assert_eq!(printed, got.body);
    let followed: Value = serde_json::from_str(&following.line().await).unwrap();
    assert_eq!((&followed["id"], &followed["record"]), (&got.body["id"], &second));

    // The server goes and comes back: both go on where they were, and nothing comes twice.
    let address = url.strip_prefix("http://").unwrap().to_owned();
    drop(running);
    let running = super::kills::sandbox_at(folder.path(), &address);
    let body = json!({"full_name": "Third"});
    let third = running.native(KEY, "POST", "/v1/customers", Some(body)).await.expect(201).json();
    let got = receiver.until(2).await;
    assert_eq!((got.len(), &got[1].body["data"]), (2, &third));
    let followed: Value = serde_json::from_str(&following.line().await).unwrap();
    assert_eq!(followed["number"], third["number"]);
    // No endpoint is left behind.
    let endpoints = running.native(KEY, "GET", "/v1/webhook-endpoints", None).await;
    assert_eq!(endpoints.expect(200).json()["data"], json!([]));
}

/// Whoever listens in the words of an API, what that prints about signatures, and who takes it.
async fn listens(url: &str, dialect: &str) -> (Says, String, Receiver) {
    let receiver = Receiver::start().await;
    let to = receiver.url.clone();
    let words = ["listen", "--url", url, "--forward-to", &to, "--dialect", dialect];
    let mut says = Says::start(&words);
    assert!(says.line().await.ends_with(&to));
    let signed = says.line().await;
    (says, signed, receiver)
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// As the receivers of each API check who sent it, by what the command printed.
#[tokio::test(flavor = "multi_thread")]
async fn every_api_can_be_listened_to_in_its_own_words_and_signatures() {
    let folder = tempfile::tempdir().unwrap();
    let running = sandbox(folder.path());
    let url = running.base_url.as_str();
    let post = async |target: &str, body: Value| {
        running.native(KEY, "POST", target, Some(body)).await.expect(201).json()
    };
    let (_one, with_key, wallee) = listens(url, "wallee").await;
    let (_two, with_secret, notchpay) = listens(url, "notchpay").await;
    let (_three, with_merchant_key, monri) = listens(url, "monri").await;
    let (_four, unsigned, payabli) = listens(url, "payabli").await;
    let person = json!({"full_name": "Ada Lovelace", "addresses": [{"city": "Bern"}]});
    let customer = post("/v1/customers", person).await;
    let card = json!({"number": "4111111111111111", "expiry_month": 12, "expiry_year": 2035});
    let methods = format!("/v1/customers/{}/payment-methods", customer["number"]);
    post(&methods, json!({"type": "card", "card": card})).await;

    let got = wallee.until(2).await;
    let entities: Vec<_> = got.iter().map(|g| &g.body["listenerEntityTechnicalName"]).collect();
    assert_eq!(entities, ["Customer", "CustomerAddress"]);
    assert_eq!(got[0].body["entityId"], customer["number"]);
    for got in &got {
        let (head, signature) = got.header("x-signature").split_once(", signature=").unwrap();
        let id = head.strip_prefix("algorithm=SHA256withECDSA, keyId=").unwrap();
        assert_eq!(with_key, format!("Signed with the key {id} of the space"));
        let public = running.get(&format!("/api/v2.0/webhooks/encryption-keys/{id}")).await;
        let public = BASE64.decode(public.expect(200).text()).unwrap();
        // The point stands behind 26 bytes that say what it is.
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &public[26..]);
        let signature = BASE64.decode(signature).unwrap();
        assert!(public.verify(&got.raw, &signature).is_ok());
        assert!(public.verify(b"other", &signature).is_err());
    }

    let got = notchpay.until(1).await.remove(0);
    let secret = with_secret.strip_prefix("Signed with ").unwrap();
    assert!(secret.starts_with("hsk_"), "{secret}");
    let expected = hexadecimal(&hmac_sha256(secret.as_bytes(), &got.raw));
    for name in ["x-notch-signature", "notchpay-signature", "x-noth-signature"] {
        assert_eq!(got.header(name), expected, "{name}");
    }
    assert_eq!(got.body["type"], "customer.created");

    let got = monri.until(1).await.remove(0);
    let key = with_merchant_key.strip_prefix("Signed with ").unwrap();
    let digest = Sha512::new().chain_update(key).chain_update(&got.raw).finalize();
    assert_eq!(got.header("authorization"), format!("WP3-callback {}", hexadecimal(&digest)));
    assert_eq!(got.body["event"], "payment-method:tokenized");

    let got = payabli.until(1).await.remove(0);
    assert_eq!(unsigned, "Not signed: that API does not");
    assert_eq!(got.body["Event"], "CustomerCreated");
    assert_eq!(got.body["customerId"], customer["number"]);
    // Nothing is left behind, and nobody was told more than that.
    let endpoints = running.native(KEY, "GET", "/v1/webhook-endpoints", None).await;
    assert_eq!(endpoints.expect(200).json()["data"], json!([]));
    for (count, receiver) in [(2, &wallee), (1, &notchpay), (1, &monri), (1, &payabli)] {
        assert_eq!(receiver.got().len(), count, "{:?}", receiver.got());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_said_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let running = sandbox(folder.path());
    let url = running.base_url.as_str();
    let to = ["--forward-to", "http://127.0.0.1:9999/"];
    for (words, said) in [
        (&["events", "--url", url, "--from", "1000000", "--follow"][..], "410"),
        (&["events", "--url", url, "--types", "Customer"], "types"),
        (&["events", "--url", "http://127.0.0.1:1"], "--url"),
        (&["events", "--url", "nowhere"], "no"),
        (&["events", "--url", url, "--types", "a&b", "--follow"], "--types"),
        (&["listen", "--url", url, to[0], to[1], "--dialect", "nobody"], "dialect"),
        (&["listen", "--url", url, to[0], "mailto:x"], "--forward-to"),
    ] {
        let done = patron().args(words).output().unwrap();
        let error = String::from_utf8(done.stderr).unwrap();
        assert!(!done.status.success(), "{words:?}");
        assert!(error.contains(said) && error.lines().count() == 1, "{words:?}: {error}");
    }
}
