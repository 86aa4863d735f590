//! The keys of a space that sign by the scheme `v1a` of Standard Webhooks (Ed25519), for endpoints
//! that ask for it: whoever receives needs the public half only, and can forge nothing with it.
//! The private half is sealed beside the other secrets.

use async_recursion::async_recursion;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use patron_model::{
    Failure, Timestamp, Why, card::Found, event::UntoldEvent, webhook::SECRETS_MAX,
};
use patron_store::{Kind, Value};
use ring::{
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair as _},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::secrets::{OVERLAP_SECONDS_MAX, message};
use crate::{
    App, Cx,
    commit::{Draft, Saved},
    documents::{Document, named},
    failure,
    ids::new_uuid,
    keys::NewSecret,
    record::{Loaded, decode},
    search::{Order, Query},
    vault::{self, Opened},
};

/// Public halves.
pub static SIGNER: Kind = Kind { name: "webhook_signer", columns: &[], terms: false };

/// What a public half begins with when it is shown.
const PREFIX: &str = "whpk_";
/// The newest keys of a space, among which are all that sign.
const NEWEST: u32 = 8;

/// A key of a space, without its private half.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signer {
    /// Number.
    pub number: i64,
    /// UUID.
    pub uuid: Uuid,
    /// Space.
    pub space: i64,
    /// The public half in base64.
    public: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it signs no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

impl Document for Signer {
    named!(SIGNER, Secret, UntoldEvent, in_space);
    const JOURNALED: bool = false;

    fn columns(&self) -> Vec<Value> {
        Vec::new()
    }

    fn search_cards(&self, _: &mut Found) {
        // Made by the server itself.
    }
}

impl Signer {
    /// The public half as it is shown.
    pub fn shown(&self) -> String {
        [PREFIX, &self.public].concat()
    }

    fn signs(&self, at: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| end > at)
    }
}

/// Private halves, newest first.
pub struct Signers(Vec<(Signer, Ed25519KeyPair)>);

impl Signers {
    /// The signatures of a message by every key that signs now.
    pub fn sign(&self, id: &str, at: Timestamp, body: &[u8]) -> Vec<String> {
        let message = message(id, at, body);
        let signing = self.0.iter().filter(|(signer, _)| signer.signs(at));
        signing.map(|(_, pair)| signed(pair, &message)).collect()
    }
}

fn signed(pair: &Ed25519KeyPair, message: &[u8]) -> String {
    format!("v1a,{}", BASE64.encode(pair.sign(message)))
}

fn place(number: i64) -> String {
    format!("webhook_signer:{number}")
}

async fn all(app: &App, space: i64) -> Result<Vec<Loaded<Signer>>, Failure> {
    let query = Query { order: Order::newest_first(), limit: NEWEST, ..Query::of(space) };
    let found = app.store.find(&SIGNER, &query).await.map_err(failure)?;
    found.rows.iter().map(decode).collect()
}

/// The keys of the space that sign, newest first.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn list(cx: &Cx) -> Result<Vec<Loaded<Signer>>, Failure> {
    let mut all = all(&cx.app, cx.space).await?;
    all.retain(|signer| signer.signs(cx.now));
    Ok(all)
}

/// Makes a key for the space; those before go on signing beside it for `overlap` seconds.
///
/// # Errors
/// `Invalid` for an overlap that is too long.
#[async_recursion]
pub async fn rotate(cx: &Cx, overlap: i64) -> Result<Saved<Signer>, Failure> {
    if !(0..=OVERLAP_SECONDS_MAX).contains(&overlap) {
        let why = Why::OutOfRange { min: 0, max: OVERLAP_SECONDS_MAX };
        return Err(Failure::invalid("overlap_seconds", why));
    }
    cx.settle(|mut draft| async {
        let ends = cx.now.plus_seconds(overlap);
        for (nth, before) in all(&cx.app, cx.space).await?.into_iter().enumerate() {
            // So many sign beside the new one.
            let end = if nth + 1 < SECRETS_MAX { ends } else { cx.now };
            if !before.signs(cx.now) {
                // What it signed may still be looked at; it signs nothing more.
                vault::forget(cx, &mut draft, &place(before.number)).await?;
                continue;
            }
            let expires_at = Some(before.expires_at.map_or(end, |at| at.min(end)));
            let after = Signer { expires_at, ..before.record.clone() };
            draft.replace(&before, &after, UntoldEvent::Updated, &[])?;
        }
        let signer = add(cx, &mut draft).await?;
        draft.create(signer)
    })
    .await
}

/// Notes a key for the space in a draft, unless it has one that signs.
pub(super) async fn ensure(cx: &Cx, draft: &mut Draft<'_>) -> Result<(), Failure> {
    if list(cx).await?.iter().any(|signer| signer.expires_at.is_none()) {
        return Ok(());
    }
    // Two first endpoints at once make two: both sign, and both are listed.
    let signer = add(cx, draft).await?;
    draft.insert(&signer)
}

async fn add(cx: &Cx, draft: &mut Draft<'_>) -> Result<Signer, Failure> {
    let fault = |_| Failure::internal("a key could not be made");
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(fault)?;
    let pair = opened(pkcs8.as_ref())?;
    let number = cx.app.store.reserve("webhook_signer", 1).await.map_err(failure)?.start;
    let private = NewSecret::Signing(pkcs8.as_ref().to_vec());
    vault::put(cx, draft, place(number), &private).await?;
    Ok(Signer {
        number,
        uuid: new_uuid(),
        space: cx.space,
        public: BASE64.encode(pair.public_key().as_ref()),
        created_at: cx.now,
        expires_at: None,
    })
}

fn opened(pkcs8: &[u8]) -> Result<Ed25519KeyPair, Failure> {
    let pair = Ed25519KeyPair::from_pkcs8(pkcs8);
    pair.map_err(|_| Failure::internal("a kept key is none"))
}

/// What signs for a space.
pub(super) async fn of(app: &App, space: i64) -> Result<Signers, Failure> {
    let now = app.clock.now();
    let mut pairs = Vec::new();
    for signer in all(app, space).await?.into_iter().filter(|signer| signer.signs(now)) {
        match vault::open(app, &place(signer.number)).await? {
            Opened::Signing(pkcs8) => pairs.push((signer.record, opened(&pkcs8)?)),
            // It ended just now.
            Opened::Gone => {}
            Opened::Hash(_) | Opened::Broken => {
                return Err(Failure::internal(format!("a key of space {space} cannot be opened")));
            }
        }
    }
    Ok(Signers(pairs))
}

/// Removes the private halves of a space that leaves.
pub(super) async fn forget(cx: &Cx, space: i64) -> Result<(), Failure> {
    cx.write(|mut draft| async {
        for signer in all(&cx.app, space).await? {
            vault::forget(cx, &mut draft, &place(signer.number)).await?;
        }
        Ok((draft, ()))
    })
    .await
}

#[cfg(test)]
mod tests {
    use ring::signature::{ED25519, UnparsedPublicKey};

    use super::*;

    /// The specification of Standard Webhooks shows this signature in its example of headers
    /// ("Webhook headers"); key, id, time and body that it is of stand in the test
    /// `test_asymmetric_key_signing` of the server of Svix, from which it comes.
    #[test]
    fn signs_as_the_specification_shows() {
        let key = "6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMi\
                   cMFs6Kvg==";
        let key = BASE64.decode(key).unwrap();
        let (seed, public) = key.split_at(32);
        let pair = Ed25519KeyPair::from_seed_and_public_key(seed, public).unwrap();
        let at = Timestamp::from_micros(1_614_265_330_000_000);
        let message = message("msg_p5jXN8AQM9LWM0D4loKWxJek", at, br#"{"test": 2432232314}"#);
        let expected = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLP\
                        o3mNl8EM+m7TBAg==";
        assert_eq!(signed(&pair, &message), expected);
        let signature = BASE64.decode(&expected[4..]).unwrap();
        let public = UnparsedPublicKey::new(&ED25519, public);
        assert!(public.verify(&message, &signature).is_ok());
        assert!(public.verify(&message[1..], &signature).is_err());
    }
}
