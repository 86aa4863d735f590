//! Published tokens, tokens with each part altered, a provider on this machine that lies, noise.

use std::net::SocketAddr;

use patron_outbound::{Allowed, Guard, NewClient, names::Names};
use proptest::prelude::*;
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _},
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

const NOW: i64 = 1_767_323_045;
const NONCE: &str = "the-nonce";

/// RFC 7515, appendices A.2 and A.3, and RFC 8037, appendix A.4: key, token.
const PUBLISHED: &str = include_str!("published.json");

/// Keys and tokens.
fn published() -> Vec<(Value, String)> {
    let all: Vec<Value> = serde_json::from_str(PUBLISHED).unwrap();
    let pair = |one: &Value| (one["key"].clone(), one["token"].as_str().unwrap().to_owned());
    all.iter().map(pair).collect()
}

fn keys(all: &[&Value]) -> Keys {
    Keys::parse(json!({"keys": all}).to_string().as_bytes()).unwrap()
}

fn verified(keys: &Keys, token: &str) -> Result<Value, Fault> {
    keys.verify(token, &keys::header(token)?)
}

#[test]
fn published_tokens_verify_with_their_key_and_with_no_other() {
    let all = published();
    for (n, (key, token)) in all.iter().enumerate() {
        // What the last one says is no JSON: its signature is right nevertheless.
        let right = if n < 2 { Ok("joe") } else { Err(Fault::Token) };
        let said = verified(&keys(&[key]), token);
        let said = said.as_ref().map(|said| said["iss"].as_str().unwrap()).map_err(|why| *why);
        assert_eq!(said, right, "{n}");
        let others = all.iter().map(|other| &other.0).filter(|other| *other != key);
        let others: Vec<&Value> = others.collect();
        assert_eq!(verified(&keys(&others), token), Err(Fault::Key), "{n}");
        let (rest, signature) = token.rsplit_once('.').unwrap();
        let mut bytes = BASE64URL.decode(signature).unwrap();
        bytes[0] ^= 1;
        let forged = format!("{rest}.{}", BASE64URL.encode(bytes));
        assert_eq!(verified(&keys(&[key]), &forged), Err(Fault::Signature), "{n}");
        // Of several that fit none is guessed.
        assert_eq!(verified(&keys(&[key, key]), token), Err(Fault::Key), "{n}");
    }
}

/// Somebody who signs.
struct Signer {
    ed: Ed25519KeyPair,
    ec: EcdsaKeyPair,
}

impl Signer {
    fn new() -> Signer {
        let random = SystemRandom::new();
        let ed = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        let ec = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let kind = &ECDSA_P256_SHA256_FIXED_SIGNING;
        Signer {
            ed: Ed25519KeyPair::from_pkcs8(ed.as_ref()).unwrap(),
            ec: EcdsaKeyPair::from_pkcs8(kind, ec.as_ref(), &random).unwrap(),
        }
    }

    fn ed_key(&self, kid: &str) -> Value {
        let x = BASE64URL.encode(self.ed.public_key().as_ref());
        json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid, "use": "sig", "alg": "EdDSA"})
    }

    fn ec_key(&self, kid: &str) -> Value {
        let point = self.ec.public_key().as_ref();
        let (x, y) = (BASE64URL.encode(&point[1..33]), BASE64URL.encode(&point[33..]));
        json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": kid})
    }

    fn signed(&self, header: &Value, claims: &Value) -> String {
        let part = |json: &Value| BASE64URL.encode(json.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let signature = match header["alg"].as_str() {
            Some("ES256") => {
                let signed = self.ec.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
                signed.as_ref().to_vec()
            }
            Some("none") => Vec::new(),
            Some("HS256") => {
                // The oldest trick: the public key as the secret.
                let key =
                    ring::hmac::Key::new(ring::hmac::HMAC_SHA256, self.ed.public_key().as_ref());
                ring::hmac::sign(&key, message.as_bytes()).as_ref().to_vec()
            }
            _ => self.ed.sign(message.as_bytes()).as_ref().to_vec(),
        };
        format!("{message}.{}", BASE64URL.encode(signature))
    }
}

fn head(alg: &str, kid: &str) -> Value {
    json!({"alg": alg, "kid": kid, "typ": "JWT"})
}

fn claims(issuer: &str) -> Value {
    json!({"iss": issuer, "sub": "ada", "aud": "patron", "exp": NOW + 300, "iat": NOW,
        "nonce": NONCE, "email": "ada@example.com", "email_verified": true, "amr": ["pwd", "otp"],
        "groups": ["staff"]})
}

fn provider(issuer: &str) -> Provider<'_> {
    Provider { issuer, client_id: "patron", secret: None, scopes: &[], acr: None }
}

const ISSUER: &str = "https://id.example";

/// What becomes of a token with one member changed.
fn checked(signer: &Signer, change: impl Fn(&mut Value)) -> Result<Claims, Fault> {
    checked_for(ASKED, signer, change)
}

fn checked_for(
    asked: Asked<'_>,
    signer: &Signer,
    change: impl Fn(&mut Value),
) -> Result<Claims, Fault> {
    let mut said = claims(ISSUER);
    change(&mut said);
    let keys = Keys::parse(json!({"keys": [signer.ed_key("1")]}).to_string().as_bytes()).unwrap();
    let token = signer.signed(&head("EdDSA", "1"), &said);
    let claims: Claims = keys.verify(&token, &keys::header(&token)?)?;
    claims.check(provider(ISSUER), asked, NOW)?;
    Ok(claims)
}

#[test]
fn whoever_must_be_asked_anew_was_asked_since() {
    let signer = Signer::new();
    let asked = Asked { fresh_since: Some(NOW - 100), ..ASKED };
    for (auth_time, fault) in [
        (json!(NOW - 100), None),
        (json!(NOW), None),
        // Clocks differ.
        (json!(NOW - 160), None),
        (json!(NOW + 60), None),
        (json!(NOW - 161), Some(Fault::Stale)),
        (json!(NOW + 61), Some(Fault::Stale)),
        (Value::Null, Some(Fault::Stale)),
        (json!("now"), Some(Fault::Token)),
    ] {
        let result = checked_for(asked, &signer, |said| said["auth_time"] = auth_time.clone());
        assert_eq!(result.err(), fault, "{auth_time}");
    }
    assert_eq!(checked_for(asked, &signer, |_| {}).err(), Some(Fault::Stale));
    let old = checked(&signer, |said| said["auth_time"] = json!(1));
    assert_eq!(old.err(), None, "nobody asked for a fresh one");
}

#[test]
fn every_claim_counts() {
    let signer = Signer::new();
    let good = checked(&signer, |_| {}).unwrap();
    assert_eq!((good.sub.as_str(), good.has_verified_email()), ("ada", true));
    assert_eq!((good.amr.len(), &good.others["groups"][0]), (2, &json!("staff")));
    let faults = [
        ("iss", json!("https://id.example/"), Fault::Issuer),
        ("iss", json!("https://ID.example"), Fault::Issuer),
        ("aud", json!("other"), Fault::Audience),
        ("aud", json!([]), Fault::Audience),
        ("aud", json!(["patron", "other"]), Fault::Audience),
        ("azp", json!("other"), Fault::AuthorizedParty),
        ("nonce", json!("other"), Fault::Nonce),
        ("nonce", json!(""), Fault::Nonce),
        ("exp", json!(NOW - 60), Fault::Expired),
        ("exp", json!(-1), Fault::Token),
        ("exp", json!("tomorrow"), Fault::Token),
        ("exp", json!(1e300), Fault::Token),
        ("iat", json!(NOW + 61), Fault::Early),
        ("nbf", json!(NOW + 61), Fault::Early),
        ("sub", json!(""), Fault::Token),
        ("sub", json!("x".repeat(256)), Fault::Token),
        ("sub", json!(7), Fault::Token),
    ];
    for (name, value, fault) in faults {
        let result = checked(&signer, |said| said[name] = value.clone());
        assert_eq!(result.err(), Some(fault), "{name}: {value}");
    }
    for (name, value) in [
        ("aud", json!(["patron"])),
        ("azp", json!("patron")),
        ("exp", json!(NOW - 59)),
        ("exp", json!(NOW as f64 + 0.5)),
        ("iat", json!(NOW + 60)),
        ("nbf", json!(NOW + 60)),
    ] {
        let result = checked(&signer, |said| said[name] = value.clone());
        assert_eq!(result.err(), None, "{name}: {value}");
    }
    for name in ["iss", "sub", "aud", "exp", "iat"] {
        let result = checked(&signer, |said| drop(said.as_object_mut().unwrap().remove(name)));
        assert_eq!(result.err(), Some(Fault::Token), "without {name}");
    }
    let result = checked(&signer, |said| drop(said.as_object_mut().unwrap().remove("nonce")));
    assert_eq!(result.err(), Some(Fault::Nonce));
    // A word is no yes.
    for word in [json!("true"), json!(1), json!(false), json!(null)] {
        let said = checked(&signer, |said| said["email_verified"] = word.clone()).unwrap();
        assert!(!said.has_verified_email(), "{word}");
    }
}

#[test]
fn only_four_algorithms_and_the_key_decide() {
    let signer = Signer::new();
    let all = json!({"keys": [signer.ed_key("1"), signer.ec_key("2"), {"kty": "unknown"}, 7]});
    let keys = Keys::parse(all.to_string().as_bytes()).unwrap();
    let with = |header: Value| verified(&keys, &signer.signed(&header, &claims(ISSUER))).err();
    assert_eq!(with(head("EdDSA", "1")), None);
    assert_eq!(with(head("ES256", "2")), None);
    assert_eq!(with(json!({"alg": "EdDSA"})), None, "the only one that fits");
    for alg in ["none", "None", "HS256", "RS384", "ES384", "PS512", "EdDSA2", ""] {
        assert_eq!(with(head(alg, "1")), Some(Fault::Algorithm), "{alg}");
    }
    assert_eq!(with(head("EdDSA", "2")), Some(Fault::Key), "another kind of key");
    assert_eq!(with(head("ES256", "1")), Some(Fault::Key));
    assert_eq!(with(head("RS256", "1")), Some(Fault::Key));
    assert_eq!(with(head("EdDSA", "3")), Some(Fault::Key));
    assert_eq!(with(json!({"kid": "1"})), Some(Fault::Token));
    assert_eq!(with(json!({"alg": "EdDSA", "kid": "1", "crit": ["x"]})), Some(Fault::Token));
    // A key that the token brings along is nobody's.
    let own = Signer::new();
    let header = json!({"alg": "EdDSA", "kid": "1", "jwk": own.ed_key("1")});
    let forged = own.signed(&header, &claims(ISSUER));
    assert_eq!(verified(&keys, &forged), Err(Fault::Signature));
    // Keys for encryption, and secret ones, sign nothing.
    let mut other = signer.ed_key("1");
    other["use"] = json!("enc");
    let secret = json!({"kty": "oct", "k": "AAAA", "kid": "1"});
    let keys = Keys::parse(json!({"keys": [other, secret]}).to_string().as_bytes()).unwrap();
    let token = signer.signed(&head("EdDSA", "1"), &claims(ISSUER));
    assert_eq!(verified(&keys, &token), Err(Fault::Key));
    let many = json!({"keys": vec![signer.ed_key("1"); 101]});
    assert_eq!(Keys::parse(many.to_string().as_bytes()).err(), Some(Fault::Keys));
}

// ---- a provider on this machine -------------------------------------------------------------

/// What it answers at each path, and what it was asked.
#[derive(Default)]
struct Script {
    answers: HashMap<&'static str, (u16, String)>,
    asked: Vec<String>,
}

type Shared = Arc<SyncMutex<Script>>;

async fn listening() -> (SocketAddr, Shared) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let script = Shared::default();
    let shared = Arc::clone(&script);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = Vec::new();
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                bytes.extend_from_slice(&buffer[..read]);
                if is_whole(&bytes) {
                    break;
                }
            }
            let request = String::from_utf8(bytes).unwrap();
            let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
            let (status, body) = {
                let mut script = shared.lock().unwrap();
                script.asked.push(request);
                script.answers.get(path.as_str()).cloned().unwrap_or((404, String::new()))
            };
            let head = format!("HTTP/1.1 {status} x\r\nconnection: close\r\nlocation: /keys\r\n");
            let answer = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (address, script)
}

/// Whether the head is there, and as much behind it as it says.
fn is_whole(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}

fn party() -> RelyingParty {
    let allow = vec![Allowed::parse("127.0.0.0/8").unwrap()];
    let guard = Guard { allow, only_allowed: true, ..Guard::default() };
    let names = Names::of_system();
    let client = Client::new(NewClient { guard, names, ca: None, user_agent: "Test/1" });
    RelyingParty::new(client.unwrap())
}

const ASKED: Asked<'static> = Asked {
    state: "the-state",
    nonce: NONCE,
    verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    redirect_uri: "https://patron.example/v1/sign-in/oidc/1/callback",
    fresh_since: None,
};
const DISCOVERY: &str = "/.well-known/openid-configuration";

fn described(issuer: &str) -> Value {
    json!({"issuer": issuer, "authorization_endpoint": format!("{issuer}/auth?x=1"),
        "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}/keys"),
        "response_types_supported": ["code"], "code_challenge_methods_supported": ["S256"]})
}

fn say(script: &Shared, path: &'static str, status: u16, body: impl ToString) {
    script.lock().unwrap().answers.insert(path, (status, body.to_string()));
}

fn asked(script: &Shared, path: &str) -> usize {
    let script = script.lock().unwrap();
    script.asked.iter().filter(|asked| asked.split(' ').nth(1) == Some(path)).count()
}

async fn finish(party: &RelyingParty, issuer: &str, now: i64) -> Result<Claims, Fault> {
    let answered = Answered { code: "a code", issuer: None };
    party.finish(provider(issuer), ASKED, answered, now).await
}

#[tokio::test]
async fn somebody_is_sent_there_and_comes_back() {
    let (address, script) = listening().await;
    let (issuer, signer, party) = (format!("http://{address}"), Signer::new(), party());
    say(&script, DISCOVERY, 200, described(&issuer));
    say(&script, "/keys", 200, json!({"keys": [signer.ed_key("1")]}));
    let token = signer.signed(&head("EdDSA", "1"), &claims(&issuer));
    say(&script, "/token", 200, json!({"id_token": token, "access_token": "x"}));
    let scopes = ["email".to_owned()];
    let whole = Provider {
        secret: Some("a secret%"),
        scopes: &scopes,
        acr: Some("mfa"),
        ..provider(&issuer)
    };
    let url = Url::parse(&party.begin(whole, ASKED, NOW).await.unwrap()).unwrap();
    let query: HashMap<String, String> = url.query_pairs().into_owned().collect();
    let has = |name: &str| query[name].as_str();
    assert_eq!((url.path(), has("x"), has("response_type")), ("/auth", "1", "code"));
    assert_eq!(
        (has("client_id"), has("scope"), has("state")),
        ("patron", "openid email", "the-state")
    );
    assert_eq!((has("nonce"), has("acr_values")), (NONCE, "mfa"));
    // RFC 7636, appendix B.
    assert_eq!(has("code_challenge"), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    assert_eq!(has("code_challenge_method"), "S256");
    let answered = Answered { code: "a code", issuer: Some(&issuer) };
    let claims = party.finish(whole, ASKED, answered, NOW).await.unwrap();
    assert_eq!(claims.email.as_deref(), Some("ada@example.com"));
    let exchange = script.lock().unwrap().asked.iter().find(|a| a.starts_with("POST")).cloned();
    let exchange = exchange.unwrap();
    let basic = BASE64.encode("patron:a+secret%25");
    assert!(exchange.contains(&format!("authorization: Basic {basic}")), "{exchange}");
    let form = "grant_type=authorization_code&code=a+code&redirect_uri=https%3A%2F%2F";
    assert!(exchange.contains(form) && !exchange.contains("secret"), "{exchange}");
    assert!(exchange.contains(&format!("code_verifier={}", ASKED.verifier)), "{exchange}");
    // Nothing is asked for twice.
    assert_eq!((asked(&script, DISCOVERY), asked(&script, "/keys")), (1, 1));
    // Another provider's answer.
    let mixed = Answered { code: "a code", issuer: Some("https://evil.example") };
    assert_eq!(party.finish(whole, ASKED, mixed, NOW).await.err(), Some(Fault::Mixed));
}

#[tokio::test]
async fn an_unknown_key_is_looked_for_once_a_minute() {
    let (address, script) = listening().await;
    let (issuer, signer, party) = (format!("http://{address}"), Signer::new(), party());
    say(&script, DISCOVERY, 200, described(&issuer));
    say(&script, "/keys", 200, json!({"keys": [signer.ed_key("1")]}));
    let token = |kid| json!({"id_token": signer.signed(&head("EdDSA", kid), &claims(&issuer))});
    say(&script, "/token", 200, token("1"));
    assert!(finish(&party, &issuer, NOW).await.is_ok());
    say(&script, "/token", 200, token("2"));
    for (now, count) in [(NOW, 1), (NOW + 59, 1), (NOW + 60, 2), (NOW + 61, 2)] {
        assert_eq!(finish(&party, &issuer, now).await.err(), Some(Fault::Key));
        assert_eq!(asked(&script, "/keys"), count, "{now}");
    }
    say(&script, "/keys", 200, json!({"keys": [signer.ed_key("2")]}));
    assert!(finish(&party, &issuer, NOW + 120).await.is_ok());
    assert_eq!(asked(&script, "/keys"), 3);
}

#[tokio::test]
async fn what_a_provider_says_is_not_believed() {
    let (address, script) = listening().await;
    let issuer = format!("http://{address}");
    let begin = async || party().begin(provider(&issuer), ASKED, NOW).await.err();
    assert_eq!(begin().await, Some(Fault::Metadata), "404");
    let with = |change: &dyn Fn(&mut Value)| {
        let mut said = described(&issuer);
        change(&mut said);
        say(&script, DISCOVERY, 200, said);
    };
    with(&|said| said["issuer"] = json!("https://id.example"));
    assert_eq!(begin().await, Some(Fault::Metadata));
    with(&|said| said["code_challenge_methods_supported"] = json!(["plain"]));
    assert_eq!(begin().await, Some(Fault::Metadata));
    with(&|said| said["response_types_supported"] = json!(["id_token"]));
    assert_eq!(begin().await, Some(Fault::Metadata));
    // URLs that lead inside are refused, whichever they are.
    for name in ["authorization_endpoint", "token_endpoint", "jwks_uri"] {
        for url in ["http://169.254.169.254/", "http://10.0.0.1/", "file:///etc/passwd"] {
            with(&|said| said[name] = json!(url));
            assert_eq!(begin().await, Some(Fault::Url), "{name} {url}");
        }
    }
    with(&|said| said["x"] = json!("y".repeat(DOCUMENT_BYTES_MAX)));
    assert_eq!(begin().await, Some(Fault::Unreachable(Outbound::TooLarge)));
    say(&script, DISCOVERY, 302, described(&issuer));
    assert_eq!(begin().await, Some(Fault::Metadata), "nothing is followed");
    assert_eq!(asked(&script, "/keys"), 0);
    // One that names itself has to.
    with(&|said| said["authorization_response_iss_parameter_supported"] = json!(true));
    assert_eq!(finish(&party(), &issuer, NOW).await.err(), Some(Fault::Mixed));
    with(&|_| {});
    for (status, body, fault) in [
        (400, json!({"error": "invalid_grant"}), Fault::Exchange),
        (200, json!({"access_token": "x"}), Fault::Token),
        (200, json!({"id_token": "x"}), Fault::Token),
    ] {
        say(&script, "/token", status, body);
        assert_eq!(finish(&party(), &issuer, NOW).await.err(), Some(fault));
    }
    let token = Signer::new().signed(&head("EdDSA", "1"), &claims(&issuer));
    say(&script, "/token", 200, json!({"id_token": token}));
    assert_eq!(finish(&party(), &issuer, NOW).await.err(), Some(Fault::Keys));
    say(&script, "/keys", 200, "[]");
    assert_eq!(finish(&party(), &issuer, NOW).await.err(), Some(Fault::Keys));
}

#[test]
fn a_request_may_move_between_threads_while_it_waits() {
    fn moves<T: Send>(_: T) {}
    let party = party();
    let answered = Answered { code: "x", issuer: None };
    moves(party.begin(provider(ISSUER), ASKED, NOW));
    moves(party.finish(provider(ISSUER), ASKED, answered, NOW));
}

#[test]
fn an_issuer_is_a_url_of_the_guard_without_a_query() {
    let party = party();
    assert_eq!(party.check("http://127.0.0.1:8080/realm"), Ok(()));
    for bad in ["http://10.0.0.1", "https://localhost/", "x", "http://127.0.0.1:8080/?a"] {
        assert!(party.check(bad).is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn noise_is_no_token(
        text in "[A-Za-z0-9_.=-]{0,200}",
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let keys = keys(&[&published()[0].0]);
        prop_assert!(verified(&keys, &text).is_err());
        let _ = Keys::parse(&bytes);
        let _ = Metadata::parse(200, ISSUER, &bytes);
    }

    #[test]
    fn no_byte_of_a_token_can_change(
        at in 0_usize..600,
        byte in prop::sample::select(b"ABab01-_.".to_vec()),
    ) {
        let (key, token) = &published()[1];
        let mut bytes = token.as_bytes().to_vec();
        let at = at % bytes.len();
        prop_assume!(bytes[at] != byte);
        bytes[at] = byte;
        let altered = String::from_utf8(bytes).unwrap();
        prop_assert!(verified(&keys(&[key]), &altered).is_err());
    }
}
