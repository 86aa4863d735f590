//! The vectors of WebAuthn Level 3, section 16, whole and with each part altered; and noise.

use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;

/// Taken from the specification (w3c/webauthn at 146d0db03cb88e69a8f6f0c3c168221abe73504b).
const VECTORS: &str = include_str!("vectors.json");
const HANDLE: &[u8] = b"\x01\x92\xf0\xc1";

/// One vector: what was made, and how it was used.
struct Vector {
    name: String,
    made: Registration,
    made_for: Vec<u8>,
    used: Authentication,
    used_for: Vec<u8>,
}

fn vectors() -> Vec<Vector> {
    let all: Vec<Json> = serde_json::from_str(VECTORS).unwrap();
    all.iter().map(vector).collect()
}

fn vector(json: &Json) -> Vector {
    let bytes = |part: &str, name: &str| hex::decode(json[part][name].as_str().unwrap()).unwrap();
    let text = |part: &str, name: &str| BASE64URL.encode(bytes(part, name));
    let id = text("registration", "credential_id");
    let made = Registration {
        id: id.clone(),
        raw_id: id.clone(),
        kind: KIND.to_owned(),
        response: AttestationResponse {
            client_data: text("registration", "clientDataJSON"),
            attestation_object: text("registration", "attestationObject"),
        },
    };
    let used = Authentication {
        id: id.clone(),
        raw_id: id,
        kind: KIND.to_owned(),
        response: AssertionResponse {
            client_data: text("authentication", "clientDataJSON"),
            authenticator_data: text("authentication", "authenticatorData"),
            signature: text("authentication", "signature"),
            user_handle: Some(BASE64URL.encode(HANDLE)),
        },
    };
    Vector {
        name: json["name"].as_str().unwrap().to_owned(),
        made_for: bytes("registration", "challenge"),
        used_for: bytes("authentication", "challenge"),
        made,
        used,
    }
}

fn named(name: &str) -> Vector {
    vectors().into_iter().find(|vector| vector.name == name).unwrap()
}

/// The one that all vectors belong to.
fn party() -> RelyingParty {
    RelyingParty::of("https://example.org").unwrap()
}

/// A vector whose statement about the maker would be refused still has a key.
fn key_of(vector: &Vector) -> Option<(Vec<u8>, bool)> {
    let object = BASE64URL.decode(&vector.made.response.attestation_object).unwrap();
    let (_, data) = attestation(&object).unwrap();
    let data = AuthenticatorData::parse(&data).ok()?;
    Some((data.credential.as_ref()?.cose.to_vec(), data.is_eligible()))
}

fn authenticated(vector: &Vector, counter: u32) -> Result<Used, Fault> {
    let (public_key, is_eligible) = key_of(vector).unwrap();
    let id = BASE64URL.decode(&vector.made.id).unwrap();
    let known = Known { id: &id, public_key: &public_key, counter, is_eligible, handle: HANDLE };
    party().authenticate(&vector.used_for, known, &vector.used)
}

#[test]
fn published_vectors_are_judged_as_the_rules_say() {
    // User verification is looked at last: who is refused for it alone passes everything else.
    for (name, made, used) in [
        ("none-es256", Some(Fault::NotVerified), Some(Fault::NotVerified)),
        ("packed-self-es256", None, Some(Fault::NotVerified)),
        ("none-es256-crossOrigin", Some(Fault::CrossOrigin), Some(Fault::CrossOrigin)),
        ("none-es256-topOrigin", Some(Fault::CrossOrigin), Some(Fault::CrossOrigin)),
        ("none-es256-long-credential-id", Some(Fault::NotVerified), None),
        ("packed-es256", Some(Fault::Attestation), None),
        ("packed-rs256", Some(Fault::Attestation), Some(Fault::NotVerified)),
        ("packed-eddsa", Some(Fault::Attestation), Some(Fault::NotVerified)),
        ("tpm-es256", Some(Fault::Attestation), None),
        ("fido-u2f-es256", Some(Fault::Attestation), Some(Fault::NotVerified)),
    ] {
        let vector = named(name);
        let registered = party().register(&vector.made_for, &vector.made);
        assert_eq!(registered.err(), made, "{name}, made");
        assert_eq!(authenticated(&vector, 0).err(), used, "{name}, used");
    }
    // ES384 is not offered.
    let vector = named("packed-es384");
    assert_eq!(party().register(&vector.made_for, &vector.made), Err(Fault::Algorithm));
    assert_eq!(key_of(&vector), None);
}

/// Recorded answers of Chromium 156 with its virtual authenticator, one for each algorithm, and of
/// PyPI's `soft-webauthn` 0.1.4, which verifies nobody.
const BROWSERS: &str = include_str!("browsers.json");

#[test]
fn answers_of_others_are_understood_as_they_wrote_them() {
    let party = RelyingParty::of("http://127.0.0.1:8099").unwrap();
    let all: Vec<Json> = serde_json::from_str(BROWSERS).unwrap();
    assert_eq!(all.len(), 4);
    for one in all {
        let challenge = |name: &str| BASE64URL.decode(one[name].as_str().unwrap()).unwrap();
        let made: Registration = serde_json::from_value(one["made"].clone()).unwrap();
        let registered = party.register(&challenge("made_for"), &made);
        let answers = one["used"].as_array().unwrap().iter();
        let answers: Vec<Authentication> =
            answers.map(|used| serde_json::from_value(used.clone()).unwrap()).collect();
        if one["by"] == "soft-webauthn" {
            assert_eq!(registered, Err(Fault::NotVerified));
            continue;
        }
        let registered = registered.unwrap();
        assert_eq!(Some(registered.algorithm.number()), one["alg"].as_i64());
        let mut known = Known {
            id: &registered.id,
            public_key: &registered.public_key,
            counter: registered.counter,
            is_eligible: registered.is_eligible,
            handle: b"handle-1",
        };
        for used in &answers {
            let said = answered_challenge(&used.response.client_data).unwrap();
            assert_eq!(said.as_bytes(), challenge("used_for"));
            known.counter = party.authenticate(said.as_bytes(), known, used).unwrap().counter;
        }
        // Once more is a copy: it has counted further before.
        let again = party.authenticate(&challenge("used_for"), known, &answers[0]);
        assert_eq!(again, Err(Fault::Counter));
        let other = Known { handle: b"handle-2", counter: 0, ..known };
        let theirs = party.authenticate(&challenge("used_for"), other, &answers[0]);
        assert_eq!(theirs, Err(Fault::User));
    }
}

#[test]
fn what_was_made_is_what_is_used() {
    let vector = named("packed-self-es256");
    let made = party().register(&vector.made_for, &vector.made).unwrap();
    assert_eq!(BASE64URL.encode(&made.id), vector.made.id);
    assert_eq!((made.algorithm, made.counter), (Algorithm::Es256, 0));
    assert_eq!((&made.public_key, made.is_eligible), (&key_of(&vector).unwrap().0, true));
}

#[test]
fn no_part_can_be_altered() {
    let Vector { made, used, used_for, .. } = named("packed-es256");
    let (public_key, is_eligible) = key_of(&named("packed-es256")).unwrap();
    let id = BASE64URL.decode(&made.id).unwrap();
    let known = Known { id: &id, public_key: &public_key, counter: 0, is_eligible, handle: HANDLE };
    let check = |known, used: &Authentication| party().authenticate(&used_for, known, used).err();
    assert_eq!(check(known, &used), None);

    // Which credential, and whose.
    let other = Authentication { id: BASE64URL.encode(b"other"), ..used.clone() };
    assert_eq!(check(known, &other), Some(Fault::Malformed), "id and rawId differ");
    let other = Authentication { raw_id: other.id.clone(), ..other };
    assert_eq!(check(known, &other), Some(Fault::Credential));
    let kind = Authentication { kind: "password".to_owned(), ..used.clone() };
    assert_eq!(check(known, &kind), Some(Fault::Malformed));
    assert_eq!(check(Known { handle: b"somebody", ..known }, &used), Some(Fault::User));
    assert_eq!(check(Known { is_eligible: !is_eligible, ..known }, &used), Some(Fault::Backup));
    assert_eq!(check(Known { counter: 1, ..known }, &used), Some(Fault::Counter));
    let (another, _) = key_of(&named("none-es256")).unwrap();
    let stolen = Known { public_key: &another, ..known };
    assert_eq!(check(stolen, &used), Some(Fault::Signature));
    let longer = [&public_key[..], &[0]].concat();
    assert_eq!(check(Known { public_key: &longer, ..known }, &used), Some(Fault::Signature));

    // Members of the answer.
    let with = |change: &dyn Fn(&mut AssertionResponse)| {
        let mut altered = used.clone();
        change(&mut altered.response);
        check(known, &altered)
    };
    assert_eq!(with(&|answer| answer.user_handle = None), Some(Fault::User));
    assert_eq!(with(&|answer| answer.signature.clear()), Some(Fault::Signature));
    assert_eq!(with(&|answer| answer.signature.push('=')), Some(Fault::Malformed));
    assert_eq!(
        with(&|answer| answer.client_data = answer.signature.clone()),
        Some(Fault::Malformed)
    );
    assert_eq!(
        with(&|answer| answer.client_data = made.response.client_data.clone()),
        Some(Fault::Ceremony)
    );
    // Every byte of what is signed, and of the signature.
    let flipped = |text: &str| {
        let bytes = BASE64URL.decode(text).unwrap();
        let flip = move |at| {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            BASE64URL.encode(bytes)
        };
        (0..BASE64URL.decode(text).unwrap().len()).map(flip)
    };
    for altered in flipped(&used.response.authenticator_data) {
        assert!(with(&|answer| answer.authenticator_data = altered.clone()).is_some());
    }
    for altered in flipped(&used.response.client_data) {
        assert!(with(&|answer| answer.client_data = altered.clone()).is_some());
    }
    for altered in flipped(&used.response.signature) {
        let fault = with(&|answer| answer.signature = altered.clone());
        assert_eq!(fault, Some(Fault::Signature));
    }
}

/// The client data of a vector with members changed; nothing is signed any more.
fn seen(vector: &Vector, change: impl Fn(&mut Json)) -> Registration {
    let bytes = BASE64URL.decode(&vector.made.response.client_data).unwrap();
    let mut said: Json = serde_json::from_slice(&bytes).unwrap();
    change(&mut said);
    let mut made = vector.made.clone();
    made.response.client_data = BASE64URL.encode(said.to_string());
    made
}

#[test]
fn the_page_has_to_be_ours() {
    // Without a statement nothing signs the client data of a registration: only these checks count.
    let vector = named("none-es256-long-credential-id");
    let check = |made: &Registration| party().register(&vector.made_for, made).err();
    let whole = check(&vector.made);
    assert_eq!(check(&seen(&vector, |said| said["new"] = "member".into())), whole);
    for (member, value, fault) in [
        ("type", Json::from("webauthn.get"), Fault::Ceremony),
        ("challenge", Json::from("AAAA"), Fault::Challenge),
        ("challenge", Json::from(""), Fault::Challenge),
        ("origin", Json::from("https://example.org:443"), Fault::Origin),
        ("origin", Json::from("https://example.org/"), Fault::Origin),
        ("origin", Json::from("http://example.org"), Fault::Origin),
        ("origin", Json::from("https://www.example.org"), Fault::Origin),
        ("origin", Json::from("https://example.org.evil.example"), Fault::Origin),
        ("crossOrigin", Json::from(true), Fault::CrossOrigin),
        ("topOrigin", Json::from("https://example.org"), Fault::CrossOrigin),
        ("crossOrigin", Json::from("false"), Fault::Malformed),
        ("origin", Json::from(1), Fault::Malformed),
    ] {
        let made = seen(&vector, |said| said[member] = value.clone());
        assert_eq!(check(&made), Some(fault), "{member} {value}");
    }
    for member in ["type", "challenge", "origin"] {
        let made = seen(&vector, |said| drop(said.as_object_mut().unwrap().remove(member)));
        assert_eq!(check(&made), Some(Fault::Malformed), "without {member}");
    }
    let twice = br#"{"type":"webauthn.create","type":"webauthn.create"}"#;
    let mut made = vector.made.clone();
    made.response.client_data = BASE64URL.encode(twice);
    assert_eq!(check(&made), Some(Fault::Malformed));
}

#[test]
fn a_page_of_ours_has_one_origin() {
    let of = |url: &str| RelyingParty::of(url).map(|party| (party.id, party.origin));
    let is = |id: &str, origin: &str| Some((id.to_owned(), origin.to_owned()));
    assert_eq!(of("https://Pay.Example/x"), is("pay.example", "https://pay.example"));
    assert_eq!(of("https://pay.example:8443"), is("pay.example", "https://pay.example:8443"));
    assert_eq!(of("http://127.0.0.1:8080"), is("localhost", "http://localhost:8080"));
    assert_eq!(of("http://localhost:8080"), is("localhost", "http://localhost:8080"));
    for none in ["http://pay.example", "https://192.0.2.7", "https://[2001:db8::1]", "", "x"] {
        assert_eq!(of(none), None, "{none}");
    }
}

/// An attestation object without statement.
fn object(format: &str, statement: Value, data: &[u8]) -> Vec<u8> {
    let members = [
        ("fmt", Value::from(format)),
        ("attStmt", statement),
        ("authData", Value::from(data.to_vec())),
    ];
    written(&Value::Map(members.map(|(name, value)| (name.into(), value)).to_vec()))
}

fn written(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    bytes
}

/// Authenticator data with a credential: flags, and what stands for the key.
fn data(flags: u8, key: &Value, behind: &[u8]) -> Vec<u8> {
    let hash = Sha256::digest("example.org");
    let key = written(key);
    [&hash[..], &[flags], &[0; 4], &[0; 16], &[0, 2], b"id", &key, behind].concat()
}

fn cose(members: &[(i64, Value)]) -> Value {
    Value::Map(members.iter().map(|(name, value)| ((*name).into(), value.clone())).collect())
}

fn ed25519() -> Vec<(i64, Value)> {
    vec![(1, 1.into()), (3, (-8).into()), (-1, 6.into()), (-2, Value::from(vec![7_u8; 32]))]
}

/// Registers such an object; everything else is as it has to be.
fn registered(object: &[u8]) -> Result<Registered, Fault> {
    let said = serde_json::json!({"type": "webauthn.create", "challenge": BASE64URL.encode([9; 32]),
        "origin": "https://example.org", "crossOrigin": false});
    let id = BASE64URL.encode(b"id");
    let answer = Registration {
        id: id.clone(),
        raw_id: id,
        kind: KIND.to_owned(),
        response: AttestationResponse {
            client_data: BASE64URL.encode(said.to_string()),
            attestation_object: BASE64URL.encode(object),
        },
    };
    party().register(&[9; 32], &answer)
}

/// Touched, verified, with a credential.
const FLAGS: u8 = 0x45;

#[test]
fn flags_have_to_be_possible() {
    let with = |flags: u8, behind: &[u8]| {
        let data = data(flags, &cose(&ed25519()), behind);
        registered(&object("none", Value::Map(Vec::new()), &data)).err()
    };
    assert_eq!(with(FLAGS, b""), None);
    assert_eq!(with(FLAGS | 0x18, b""), None, "on several devices");
    assert_eq!(with(FLAGS | 0x10, b""), Some(Fault::Backup));
    assert_eq!(with(FLAGS & !0x01, b""), Some(Fault::NotPresent));
    assert_eq!(with(FLAGS & !0x04, b""), Some(Fault::NotVerified));
    assert_eq!(with(FLAGS & !0x40, b""), Some(Fault::Malformed));
    assert_eq!(with(FLAGS, b"\xa0"), Some(Fault::Malformed), "extensions that no flag tells");
    assert_eq!(with(FLAGS | 0x80, b"\xa0"), None);
    assert_eq!(with(FLAGS | 0x80, b""), Some(Fault::Malformed));
    assert_eq!(with(FLAGS | 0x80, b"\xa0\x00"), Some(Fault::Malformed));
    assert_eq!(with(FLAGS | 0x80, b"\x01"), Some(Fault::Malformed));
}

#[test]
fn keys_have_the_members_of_their_type_and_no_others() {
    let with = |members: &[(i64, Value)]| {
        let data = data(FLAGS, &cose(members), b"");
        registered(&object("none", Value::Map(Vec::new()), &data)).err()
    };
    assert_eq!(with(&ed25519()), None);
    for at in 0..4 {
        let mut members = ed25519();
        members.remove(at);
        assert_eq!(with(&members), Some(Fault::Malformed), "without {at}");
        let mut members = ed25519();
        members.push(members[at].clone());
        assert_eq!(with(&members), Some(Fault::Malformed), "{at} twice");
    }
    for (at, value) in [(0, 2.into()), (2, 1.into()), (3, Value::from(vec![7_u8; 31]))] {
        let mut members = ed25519();
        members[at].1 = value;
        assert_eq!(with(&members), Some(Fault::Malformed), "{at}");
    }
    let mut members = ed25519();
    members.push((4, 1.into()));
    assert_eq!(with(&members), Some(Fault::Malformed), "a member more");
    // ES384, ES512, RS1, HMAC.
    for number in [-35, -36, -65_535, 5] {
        let mut members = ed25519();
        members[1].1 = number.into();
        assert_eq!(with(&members), Some(Fault::Algorithm), "{number}");
    }
}

#[test]
fn statements_about_the_maker_are_refused() {
    let data = data(FLAGS, &cose(&ed25519()), b"");
    let with = |format: &str, statement: &[(&str, Value)]| {
        let members = statement.iter().map(|(name, value)| ((*name).into(), value.clone()));
        registered(&object(format, Value::Map(members.collect()), &data)).err()
    };
    let (alg, signature) = (("alg", Value::from(-8)), ("sig", Value::from(vec![0_u8; 64])));
    assert_eq!(with("none", &[]), None);
    assert_eq!(with("none", std::slice::from_ref(&alg)), Some(Fault::Attestation));
    assert_eq!(with("tpm", &[]), Some(Fault::Attestation));
    assert_eq!(with("packed", std::slice::from_ref(&alg)), Some(Fault::Attestation));
    assert_eq!(with("packed", &[alg, signature.clone()]), Some(Fault::Signature));
    let other = ("alg", Value::from(-7));
    assert_eq!(with("packed", &[other, signature]), Some(Fault::Attestation));
}

#[test]
fn sizes_are_bounded() {
    let data = data(FLAGS, &cose(&ed25519()), b"");
    let whole = object("none", Value::Map(Vec::new()), &data);
    assert_eq!(registered(&[&whole[..], b"\x00"].concat()), Err(Fault::Malformed));
    assert_eq!(registered(&[0; ATTESTATION_BYTES_MAX + 1]), Err(Fault::Malformed));
    // Lengths that lie: a map of 2^64 members, a text of as many bytes, arrays without an end.
    for kind in [0xbb, 0x7b, 0x5b, 0x9b] {
        assert_eq!(registered(&[&[kind][..], &[0xff; 8]].concat()), Err(Fault::Malformed));
    }
    assert_eq!(registered(&[0x81; ATTESTATION_BYTES_MAX]), Err(Fault::Malformed));
    let long = "A".repeat(CLIENT_DATA_BYTES_MAX * 2);
    assert_eq!(decode(&long, CLIENT_DATA_BYTES_MAX), Err(Fault::Malformed));
}

#[test]
fn options_ask_for_what_is_checked() {
    let owner = Owner { handle: HANDLE, name: "ada@example.com", display_name: "Ada" };
    let asked = party().creation(&[9; 32], owner, "Patron", &[b"id"]);
    let asked = serde_json::to_value(asked).unwrap();
    assert_eq!(asked["rp"], serde_json::json!({"id": "example.org", "name": "Patron"}));
    assert_eq!(asked["user"]["id"], BASE64URL.encode(HANDLE));
    assert_eq!(asked["pubKeyCredParams"][0], serde_json::json!({"type": "public-key", "alg": -8}));
    assert_eq!(asked["authenticatorSelection"]["userVerification"], "required");
    assert_eq!(asked["authenticatorSelection"]["residentKey"], "required");
    assert_eq!(
        (&asked["attestation"], &asked["excludeCredentials"][0]["id"]),
        (&"none".into(), &"aWQ".into())
    );
    let used = serde_json::to_value(party().request(&[9; 32], &[])).unwrap();
    assert_eq!(
        (&used["rpId"], &used["userVerification"]),
        (&"example.org".into(), &"required".into())
    );
    assert_eq!(used["allowCredentials"], serde_json::json!([]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn noise_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(registered(&bytes).is_err());
        prop_assert!(AuthenticatorData::parse(&bytes).is_err() || bytes.len() >= 37);
        let _ = CredentialKey::first(&bytes);
        let checked = client::check(&bytes, Ceremony::Get, &[9; 32], "https://example.org");
        prop_assert!(checked.is_err());
    }

    #[test]
    fn damage_is_refused_or_changes_nothing_that_counts(
        at in 0_usize..400, byte in any::<u8>(), cut in prop::option::of(0_usize..400),
    ) {
        let data = data(FLAGS, &cose(&ed25519()), b"");
        let whole = object("none", Value::Map(Vec::new()), &data);
        let mut bytes = whole.clone();
        let at = at % bytes.len();
        bytes[at] = byte;
        bytes.truncate(cut.map_or(bytes.len(), |cut| cut % bytes.len()));
        if let Ok(made) = registered(&bytes) {
            // The model of the authenticator, counter, flags and key are anybody's to choose.
            prop_assert_eq!(made.id, b"id".to_vec());
            prop_assert_eq!(bytes.len(), whole.len());
        }
    }
}
