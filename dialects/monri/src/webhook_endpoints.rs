//! Webhooks (dossier C.9): made by the product's own API, since this one has no way to say them,
//! and told in this one's words. Only saved cards are told as yet; callbacks come with payments.

use patron_app::{
    documents::Document as _,
    journal::Entry,
    webhooks::{
        EventType,
        listening::{Listening, Seed, Standing},
        notifier::{Headers, Notifier, Schedule, Signed, SignsWith},
        secrets::Signing,
        telling::Happening,
    },
};
use patron_model::{Failure, Timestamp, payment_method::PaymentMethod};
use serde::Serialize;
use sha2::{Digest as _, Sha512};

use crate::{NAME, payment_methods::PaymentMethodObject};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;

/// How endpoints are told. The provider's schedule is not public; this one ends after a day and a
/// half.
pub static NOTIFIER: Notifier = Notifier {
    dialect: NAME,
    // What cannot be read is told when it can be: the engine tries again.
    wants: |_, entry| {
        read(entry)
            .map_or(true, |method| PaymentMethodObject::of(&method, None, at(entry)).is_some())
    },
    tell,
    sign,
    signs_with: SignsWith::Key,
    offers: "payment_method.created",
    schedule: Schedule {
        pauses: &[MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 6 * HOUR, 24 * HOUR],
        spread: 0.0,
    },
    timeout_seconds: 10,
    listens: |_, seed| listens(seed),
    notes_all: false,
};

/// One endpoint for saved cards, with a merchant key of its own.
fn listens(seed: &Seed) -> Result<Listening, Failure> {
    let types = vec![EventType::parse("payment_method.created").map_err(Failure::internal)?];
    let secret = hex::encode(seed);
    let standing = vec![Standing { types, ..Standing::default() }];
    Ok(Listening { standing, secret: Some((Signing::text(secret.clone()), secret)) })
}

fn read(entry: &Entry) -> Result<PaymentMethod, Failure> {
    PaymentMethod::from_document(&entry.doc).map_err(Failure::internal)
}

fn at(entry: &Entry) -> Timestamp {
    Timestamp::from_micros(entry.at)
}

#[derive(Serialize)]
struct Body<'a> {
    event: &'static str,
    payload: PaymentMethodObject<'a>,
}

fn tell(happening: &Happening<'_>) -> Result<Vec<Vec<u8>>, Failure> {
    let entry = happening.entry;
    // A card that is gone, or must not be seen, cannot be paid with: nothing is told of it.
    if happening.is_thin {
        return Ok(Vec::new());
    }
    let method = read(entry)?;
    let Some(payload) = PaymentMethodObject::of(&method, None, at(entry)) else {
        return Ok(Vec::new());
    };
    let body = Body { event: "payment-method:tokenized", payload };
    Ok(vec![serde_json::to_vec(&body).map_err(Failure::internal)?])
}

fn sign(signed: &Signed<'_>) -> Result<Headers, Failure> {
    // Without its key, which was revoked, nothing says who sent it.
    let digest = signed.keys.key().map(|key| digest(key, signed.body));
    let header = |digest| ("authorization".to_owned(), format!("WP3-callback {digest}"));
    Ok(digest.map(header).into_iter().collect())
}

/// SHA-512 over merchant key and body.
fn digest(merchant_key: &[u8], body: &[u8]) -> String {
    hex::encode(Sha512::new().chain_update(merchant_key).chain_update(body).finalize())
}

#[cfg(test)]
mod tests {
    /// V12 of the dossier.
    #[test]
    fn digests_are_those_of_the_vector() {
        let body = "{\"id\":214,\"order_number\":\"abcdef\",\"amount\":54321,\"currency\":\"EUR\",\
                    \"status\":\"approved\",\"response_code\":\"0000\"}";
        assert_eq!(
            super::digest(b"qwert1234", body.as_bytes()),
            "c0fd7809bb19df798f422af0da1c6bde9d1cc26fd8a235aa5412c406456f5aa8\
             c188b092fc1af52f96a3caa59a6d2244be7ca6214d02a8b3c3ed4fe111d14ffa"
        );
    }
}
