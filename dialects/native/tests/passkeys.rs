//! Passkeys of persons, by an authenticator made of nothing but a key.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use patron_testkit::Answer;
use ring::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair as _},
};
use serde_json::{Value, json};

use crate::{
    place::Native,
    second_factor::code,
    sign_in::{Browser, PASSWORD},
};

const OPTIONS: &str = "/v1/me/passkeys/options";
const PASSKEYS: &str = "/v1/me/passkeys";
const EMAIL: &str = "ada@example.com";
/// Touched, verified.
const FLAGS: u8 = 0x05;

/// An authenticator with one credential.
struct Authenticator {
    key: Ed25519KeyPair,
    id: Vec<u8>,
    handle: String,
    counter: u32,
    origin: String,
}

impl Authenticator {
    fn new(native: &Native) -> Authenticator {
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let key = Ed25519KeyPair::from_pkcs8(key.as_ref()).unwrap();
        let id = key.public_key().as_ref()[..16].to_vec();
        let origin = native.server.base_url.replace("127.0.0.1", "localhost");
        Authenticator { key, id, handle: String::new(), counter: 0, origin }
    }

    fn client_data(&self, kind: &str, options: &Value) -> Vec<u8> {
        let said = json!({"type": kind, "challenge": options["challenge"],
            "origin": self.origin, "crossOrigin": false});
        said.to_string().into_bytes()
    }

    fn data(&self, flags: u8) -> Vec<u8> {
        let hash = digest(&SHA256, b"localhost");
        [hash.as_ref(), &[flags], &self.counter.to_be_bytes()].concat()
    }

    fn make(&mut self, options: &Value) -> Value {
        self.handle = options["user"]["id"].as_str().unwrap().to_owned();
        let cose = [b"\xa4\x01\x01\x03\x27\x20\x06\x21\x58\x20", self.key.public_key().as_ref()];
        let length = u8::try_from(self.id.len()).unwrap();
        let made = [&[0; 16][..], &[0, length], &self.id, &cose.concat()].concat();
        let data = [self.data(FLAGS | 0x40), made].concat();
        let length = u8::try_from(data.len()).unwrap();
        let head = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58";
        let object = [&head[..], &[length], &data].concat();
        let client_data = self.client_data("webauthn.create", options);
        let id = BASE64URL.encode(&self.id);
        json!({"id": id, "rawId": id, "type": "public-key", "clientExtensionResults": {},
            "response": {"clientDataJSON": BASE64URL.encode(client_data),
                "attestationObject": BASE64URL.encode(object), "transports": ["internal"]}})
    }

    fn answer(&mut self, options: &Value) -> Value {
        self.counter += 1;
        let client_data = self.client_data("webauthn.get", options);
        let data = self.data(FLAGS);
        let message = [&data, digest(&SHA256, &client_data).as_ref()].concat();
        let signed = self.key.sign(&message);
        let id = BASE64URL.encode(&self.id);
        json!({"id": id, "rawId": id, "type": "public-key", "clientExtensionResults": {},
            "response": {"clientDataJSON": BASE64URL.encode(client_data),
                "authenticatorData": BASE64URL.encode(data),
                "signature": BASE64URL.encode(signed.as_ref()), "userHandle": self.handle}})
    }
}

impl Native {
    /// Adds a passkey to the person of a browser.
    async fn with_passkey(&self, browser: &mut Browser, name: &str) -> (Authenticator, Value) {
        let mut authenticator = Authenticator::new(self);
        let options = browser.call(&self.server, "POST", OPTIONS, &[], None).await.expect(200);
        let credential = authenticator.make(&options.json());
        let body = json!({"name": name, "credential": credential});
        let made = browser.call(&self.server, "POST", PASSKEYS, &[], Some(body)).await.expect(201);
        (authenticator, made.json())
    }

    async fn asked(&self, browser: &mut Browser) -> Value {
        let path = "/v1/sign-in/passkey/options";
        browser.call(&self.server, "POST", path, &[], None).await.expect(200).json()
    }

    async fn by_passkey(&self, browser: &mut Browser, credential: Value) -> Answer {
        let body = Some(json!({"credential": credential}));
        browser.call(&self.server, "POST", "/v1/sign-in/passkey", &[], body).await
    }
}

#[tokio::test]
async fn a_passkey_is_made_and_signs_in_by_both_factors_at_once() {
    let native = Native::start().await;
    let server = &native.server;
    let ada = native.person(EMAIL, Some(json!({"role": 3, "space": 1}))).await;
    let mut elsewhere = native.browser(EMAIL).await;
    let mut browser = native.browser(EMAIL).await;
    let (mut authenticator, made) = native.with_passkey(&mut browser, "Laptop").await;
    assert_eq!((&made["name"], &made["synced"]), (&json!("Laptop"), &json!(false)));
    browser.call(server, "GET", "/v1/me", &[], None).await.expect(200);
    elsewhere.call(server, "GET", "/v1/me", &[], None).await.expect(401);

    let mut other = Browser::default();
    let options = native.asked(&mut other).await;
    assert_eq!(
        (&options["rpId"], &options["userVerification"]),
        (&json!("localhost"), &json!("required"))
    );
    let answer = authenticator.answer(&options);
    let signed_in = native.by_passkey(&mut other, answer.clone()).await.expect(200).json();
    assert_eq!((&signed_in["user"], &signed_in["level"]), (&ada["number"], &json!(2)));
    let sessions = other.call(server, "GET", "/v1/me/sessions", &[], None).await.json();
    assert_eq!(sessions["data"][0]["methods"], json!(["passkey"]));
    let listed = other.call(server, "GET", PASSKEYS, &[], None).await.expect(200).json();
    assert!(listed["data"][0]["used_at"].is_string());

    // Each answer once, and for the browser that asked.
    native.by_passkey(&mut other.signed_out(), answer).await.expect(401);
    let options = native.asked(&mut other).await;
    let stolen = authenticator.answer(&options);
    let mut thief = Browser::default();
    native.asked(&mut thief).await;
    native.by_passkey(&mut thief, stolen.clone()).await.expect(401);
    native.by_passkey(&mut other, stolen).await.expect(200);
    // A copy that has counted less.
    let options = native.asked(&mut other).await;
    authenticator.counter = 0;
    native.by_passkey(&mut other, authenticator.answer(&options)).await.expect(401);
    authenticator.counter = 100;
    // Another page, another person's handle, a credential that nobody has.
    let options = native.asked(&mut other).await;
    let spoils: [fn(&mut Authenticator); 3] = [
        |a| a.origin = "http://localhost:1".to_owned(),
        |a| a.handle = BASE64URL.encode(b"somebody"),
        |a| a.id = b"unheard of".to_vec(),
    ];
    for spoil in spoils {
        let (id, handle, origin) =
            (authenticator.id.clone(), authenticator.handle.clone(), authenticator.origin.clone());
        spoil(&mut authenticator);
        native.by_passkey(&mut other, authenticator.answer(&options)).await.expect(401);
        (authenticator.id, authenticator.handle, authenticator.origin) = (id, handle, origin);
    }
    native.by_passkey(&mut other, authenticator.answer(&options)).await.expect(200);

    // Who is not in use does not come in.
    let person = format!("/v1/users/{}", ada["number"]);
    native.call("PATCH", &person, Some(json!({"state": "inactive"}))).await.expect(200);
    let options = native.asked(&mut other).await;
    native.by_passkey(&mut other, authenticator.answer(&options)).await.expect(401);
}

#[tokio::test]
async fn a_challenge_is_for_one_purpose_and_one_session() {
    let native = Native::start().await;
    let server = &native.server;
    native.person(EMAIL, None).await;
    let mut browser = native.browser(EMAIL).await;
    let add = async |browser: &mut Browser, credential: Value| {
        let body = Some(json!({"name": "x", "credential": credential}));
        browser.call(server, "POST", PASSKEYS, &[], body).await
    };
    let mut authenticator = Authenticator::new(&native);
    let options = browser.call(server, "POST", OPTIONS, &[], None).await.expect(200).json();
    assert_eq!(
        (&options["attestation"], &options["user"]["name"]),
        (&json!("none"), &json!(EMAIL))
    );
    // Another session of the same person.
    let mut second = native.browser(EMAIL).await;
    add(&mut second, authenticator.make(&options)).await.expect(422);
    // A challenge for signing in makes none.
    let asked = native.asked(&mut browser).await;
    let mut for_use = options.clone();
    for_use["challenge"] = asked["challenge"].clone();
    add(&mut browser, authenticator.make(&for_use)).await.expect(422);
    // One with nobody's code.
    let mut forged = options.clone();
    forged["challenge"] = json!(BASE64URL.encode("00.9999999999.00"));
    add(&mut browser, authenticator.make(&forged)).await.expect(422);
    let credential = authenticator.make(&options);
    add(&mut browser, credential.clone()).await.expect(201);
    add(&mut browser, credential).await.expect(422);
    // One that was asked for before the ways to sign in changed.
    add(&mut browser, Authenticator::new(&native).make(&options)).await.expect(422);
    // The same credential once more, properly asked for.
    let options = browser.call(server, "POST", OPTIONS, &[], None).await.expect(200).json();
    let known = &options["excludeCredentials"][0]["id"];
    assert_eq!(*known, json!(BASE64URL.encode(&authenticator.id)));
    let refused = add(&mut browser, authenticator.make(&options)).await.expect(422);
    assert!(refused.text().contains("taken"), "{}", refused.text());
    // A key has no passkeys.
    native.call("GET", PASSKEYS, None).await.expect(403);
    native.call("POST", OPTIONS, None).await.expect(403);
}

#[tokio::test]
async fn passkeys_are_renamed_and_removed() {
    let native = Native::start().await;
    let server = &native.server;
    native.person(EMAIL, None).await;
    native.person("grace@example.com", None).await;
    let mut browser = native.browser(EMAIL).await;
    let (mut authenticator, made) = native.with_passkey(&mut browser, "Laptop").await;
    let path = format!("{PASSKEYS}/{}", made["number"]);
    let name = Some(json!({"name": "Phone"}));
    let renamed = browser.call(server, "PATCH", &path, &[], name.clone()).await.expect(200).json();
    assert_eq!((&renamed["name"], &renamed["version"]), (&json!("Phone"), &json!(2)));
    let mut other = native.browser("grace@example.com").await;
    for method in ["GET", "DELETE"] {
        other.call(server, method, &path, &[], None).await.expect(404);
    }
    other.call(server, "PATCH", &path, &[], name).await.expect(404);
    browser.call(server, "DELETE", &path, &[], None).await.expect(204);
    browser.call(server, "GET", &path, &[], None).await.expect(404);
    let mut new = Browser::default();
    let options = native.asked(&mut new).await;
    native.by_passkey(&mut new, authenticator.answer(&options)).await.expect(401);
    for action in ["passkey.added", "passkey.changed", "passkey.removed"] {
        let told = native.audited(action).await;
        assert_eq!(told.len(), 1, "{action}");
        assert_eq!(told[0]["target"]["number"], made["number"], "{action}");
    }
}

#[tokio::test]
async fn a_passkey_proves_once_more_and_after_a_password() {
    let native = Native::start().await;
    let server = &native.server;
    server.app.excuses_owners(false);
    let all = json!({"role": 1, "account": 1, "subaccounts": true});
    native.person(EMAIL, Some(all)).await;
    native.person("ben@example.com", None).await;
    let mut browser = native.browser(EMAIL).await;
    let asked = async |browser: &mut Browser| {
        let path = "/v1/step-up/passkey/options";
        browser.call(server, "POST", path, &[], None).await
    };
    let prove = async |browser: &mut Browser, path: &str, passkey: &Value| {
        let body = Some(json!({"passkey": passkey}));
        browser.call(server, "POST", path, &[], body).await
    };
    asked(&mut browser).await.expect(409);
    let (mut authenticator, made) = native.with_passkey(&mut browser, "Laptop").await;
    let mut ben = native.browser("ben@example.com").await;
    let (mut of_ben, _) = native.with_passkey(&mut ben, "Phone").await;
    // By the password alone the role is withheld.
    let mut browser = native.browser(EMAIL).await;
    let refused = browser.call(server, "GET", "/v1/users", &[], None).await.expect(403).json();
    assert_eq!(refused["methods"], json!(["passkey"]));
    let options = asked(&mut browser).await.expect(200).json();
    assert_eq!(options["allowCredentials"].as_array().unwrap().len(), 1);
    let answer = authenticator.answer(&options);
    // Neither for another session, nor to sign in, nor by somebody else's.
    let mut other = native.browser(EMAIL).await;
    prove(&mut other, "/v1/step-up", &answer).await.expect(401);
    native.by_passkey(&mut other, answer.clone()).await.expect(401);
    prove(&mut browser, "/v1/step-up", &of_ben.answer(&options)).await.expect(401);
    let both = json!({"passkey": answer, "code": "123456"});
    browser.call(server, "POST", "/v1/step-up", &[], Some(both)).await.expect(422);
    let second = "/v1/sign-in/second-factor";
    let before = browser.clone();
    let proven = prove(&mut browser, second, &answer).await.expect(200).json();
    assert_eq!(proven["level"], 2);
    before.clone().call(server, "GET", "/v1/me", &[], None).await.expect(401);
    browser.call(server, "GET", "/v1/users", &[], None).await.expect(200);
    prove(&mut browser, second, &answer).await.expect(401);
    let sessions = browser.call(server, "GET", "/v1/me/sessions", &[], None).await.json();
    let sessions = sessions["data"].as_array().unwrap();
    let current = sessions.iter().find(|session| session["current"] == true).unwrap();
    assert_eq!(current["methods"], json!(["password", "passkey"]));
    // The last one of who has to have one stays.
    let path = format!("{PASSKEYS}/{}", made["number"]);
    browser.call(server, "DELETE", &path, &[], None).await.expect(409);
    // Beside an app either does; what is asked for to sign in proves nothing here.
    let begun = browser.call(server, "POST", "/v1/me/totp", &[], None).await.expect(200).json();
    let code = code(begun["secret"].as_str().unwrap(), server.app.clock.now().seconds());
    let confirm = Some(json!({"code": code}));
    browser.call(server, "POST", "/v1/me/totp/confirm", &[], confirm).await.expect(200);
    let mut half = Browser::default();
    let signed_in = half.sign_in(server, EMAIL, PASSWORD).await.expect(200).json();
    assert_eq!(signed_in["second_factor"], json!(["totp", "passkey"]));
    let to_sign_in = native.asked(&mut half).await;
    prove(&mut half, second, &authenticator.answer(&to_sign_in)).await.expect(401);
    let options = asked(&mut half).await.expect(200).json();
    let whole = prove(&mut half, second, &authenticator.answer(&options)).await.expect(200);
    assert_eq!(whole.json()["second_factor"], Value::Null);
    half.call(server, "GET", "/v1/users", &[], None).await.expect(200);
    browser.call(server, "DELETE", &path, &[], None).await.expect(204);
}
