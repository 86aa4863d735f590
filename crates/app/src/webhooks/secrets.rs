//! What the requests of an endpoint are signed with, by Standard Webhooks 1.0 (`v1`: HMAC-SHA256
//! over id, time and body), and what else of it is secret. All of an endpoint's secrets are one
//! sealed record, outside the journal.

use async_recursion::async_recursion;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use patron_model::{
    Failure, Noun, Timestamp, Why,
    event::{EndpointEvent, UntoldEvent},
    webhook::{Endpoint, SECRETS_MAX, SecretNote},
};
use serde::{Deserialize, Serialize};

use super::{
    Issued, get, issued, note,
    notifier::{Headers, Signed, SignsWith, Subscription},
    roll, sealed_again,
    signers::{self, Signers},
    space_keys::{self, SpaceKey},
};
use crate::{
    App, Cx,
    commit::{Draft, Saved},
    keys::{self, NewSecret},
    record::{Id, Loaded},
    secrets::hmac_sha256,
    vault::{self, Kept, Opened},
};

/// What a secret begins with when it is shown.
const PREFIX: &str = "whsec_";
/// Random bytes of a secret made here.
const RANDOM_BYTES: usize = 32;
/// Bytes of a secret that its owner brings.
const OWN_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// Characters of a secret that tell people which one it is.
const HINT_CHARS: usize = 4;
/// Seconds that a secret goes on signing beside a newer one, unless it is said otherwise.
pub const OVERLAP_SECONDS: i64 = 24 * 3600;
/// At most.
pub const OVERLAP_SECONDS_MAX: i64 = 7 * 24 * 3600;

/// A secret that signs.
#[derive(Clone, PartialEq, Eq)]
pub struct Signing(Vec<u8>);

impl std::fmt::Debug for Signing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signing(…)")
    }
}

impl Signing {
    /// A new one.
    pub fn random() -> Signing {
        Signing(rand::random::<[u8; RANDOM_BYTES]>().to_vec())
    }

    /// A text that signs as it is.
    pub fn text(text: String) -> Signing {
        Signing(text.into_bytes())
    }

    /// One that is made of something else.
    pub fn of(bytes: impl Into<Vec<u8>>) -> Signing {
        Signing(bytes.into())
    }

    /// What signs.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Reads one as it is shown: `whsec_` and 24 to 64 bytes in base64.
    ///
    /// # Errors
    /// `Malformed`.
    pub fn parse(text: &str) -> Result<Signing, Why> {
        let bytes = text.strip_prefix(PREFIX).and_then(|text| BASE64.decode(text).ok());
        let expected = "whsec_ and 24 to 64 bytes in base64";
        let bytes = bytes.filter(|bytes| OWN_BYTES.contains(&bytes.len()));
        bytes.map(Signing).ok_or(Why::Malformed { expected })
    }

    /// As it is shown.
    pub fn shown(&self) -> String {
        [PREFIX, &BASE64.encode(&self.0)].concat()
    }

    pub(super) fn hint(&self) -> String {
        let text = BASE64.encode(&self.0);
        let end = text.trim_end_matches('=');
        end[end.len().saturating_sub(HINT_CHARS)..].to_owned()
    }

    /// The signature of a message.
    pub fn sign(&self, id: &str, at: Timestamp, body: &[u8]) -> String {
        format!("v1,{}", BASE64.encode(hmac_sha256(&self.0, &message(id, at, body))))
    }
}

/// What is signed, by whichever scheme.
pub(super) fn message(id: &str, at: Timestamp, body: &[u8]) -> Vec<u8> {
    let head = format!("{id}.{}.", at.seconds());
    [head.as_bytes(), body].concat()
}

/// What of an endpoint is secret.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Held {
    /// Which one of the endpoint, and its bytes in base64.
    pub(super) secrets: Vec<(i64, String)>,
    /// Names and values of its own headers.
    #[serde(default)]
    pub(super) headers: Vec<(String, String)>,
}

/// What of an endpoint is secret, and the record it is kept in.
pub(super) struct Found {
    kept: Loaded<Kept>,
    pub(super) held: Held,
}

/// What an attempt of an endpoint is made with.
pub struct Keys {
    held: Held,
    key: Option<Vec<u8>>,
    space: Option<SpaceKey>,
    signers: Option<Signers>,
}

impl Held {
    pub(super) fn new(secret: Option<&Signing>, headers: Vec<(String, String)>) -> Held {
        let secrets = secret.map(|secret| (1, BASE64.encode(&secret.0)));
        Held { secrets: secrets.into_iter().collect(), headers }
    }

    /// As it is put into the vault.
    pub(super) fn sealed_form(&self) -> Result<NewSecret, Failure> {
        serde_json::to_vec(self).map(NewSecret::Signing).map_err(Failure::internal)
    }
}

/// Where what is secret of an endpoint is.
pub(super) fn place(number: i64) -> String {
    format!("webhook:{number}")
}

/// What is secret of an endpoint.
pub(super) async fn of(app: &App, number: i64) -> Result<Found, Failure> {
    let place = place(number);
    let missing = || Failure::internal(format!("the secret of {place} is missing"));
    let kept = vault::find(app, &place).await?.ok_or_else(missing)?;
    match vault::open(app, &place).await? {
        Opened::Signing(bytes) => {
            let held = serde_json::from_slice(&bytes).map_err(Failure::internal)?;
            Ok(Found { kept, held })
        }
        Opened::Hash(_) | Opened::Gone | Opened::Broken => {
            Err(Failure::internal(format!("the secret of {place} cannot be opened")))
        }
    }
}

impl Found {
    /// Notes what it shall be in a draft.
    pub(super) async fn replace(
        &self,
        cx: &Cx,
        draft: &mut Draft<'_>,
        next: &Held,
    ) -> Result<(), Failure> {
        let value = vault::sealed(cx, draft, self.kept.place(), &next.sealed_form()?).await?;
        let after = self.kept.with_value(value);
        draft.replace(&self.kept, &after, UntoldEvent::Updated, &[])
    }
}

/// What attempts of an endpoint are made with.
///
/// # Errors
/// Where it cannot be opened.
#[async_recursion]
pub async fn keys(app: &App, subscription: &Subscription) -> Result<Keys, Failure> {
    let Subscription { endpoint, notifier } = subscription;
    let held = of(app, endpoint.number).await?.held;
    let key = match (notifier.signs_with, endpoint.key) {
        (SignsWith::Key, Some(key)) => keys::signing_secret(app, key).await?,
        (SignsWith::Key, None) | (SignsWith::Own | SignsWith::Space, _) => None,
    };
    let space = match notifier.signs_with {
        SignsWith::Space => space_keys::of(app, endpoint.space).await?,
        SignsWith::Own | SignsWith::Key => None,
    };
    let signers = match endpoint.signature.has_keys() {
        true => Some(signers::of(app, endpoint.space).await?),
        false => None,
    };
    Ok(Keys { held, key, space, signers })
}

impl Keys {
    /// What requests to somebody who is no endpoint are made with: a secret that signs as its own
    /// and in the place of its key's.
    pub(super) fn listening(held: Held, secret: Option<&Signing>, space: Option<SpaceKey>) -> Keys {
        Keys { held, key: secret.map(|secret| secret.0.clone()), space, signers: None }
    }

    /// The endpoint's own secrets that sign at a moment, newest first.
    pub fn own(&self, endpoint: &Endpoint, at: Timestamp) -> Vec<Signing> {
        let of = |note: &SecretNote| {
            let known = self.held.secrets.iter().find(|(n, _)| *n == note.n)?;
            BASE64.decode(&known.1).ok().map(Signing)
        };
        let living = endpoint.secrets.iter().filter(|note| note.expires_at.is_none_or(|e| e > at));
        living.filter_map(of).collect()
    }

    /// The secret of the key that signs too.
    pub fn key(&self) -> Option<&[u8]> {
        self.key.as_deref()
    }

    /// The signatures of a message by the schemes that an endpoint asks for.
    pub fn signatures(&self, signed: &Signed<'_>) -> Vec<String> {
        let Signed { endpoint, id, at, body, .. } = *signed;
        let mut signatures = Vec::new();
        if endpoint.signature.has_secrets() {
            signatures.extend(self.own(endpoint, at).iter().map(|one| one.sign(id, at, body)));
        }
        signatures.extend(self.signers.iter().flat_map(|signers| signers.sign(id, at, body)));
        signatures
    }

    /// The key of the space.
    pub fn space(&self) -> Option<&SpaceKey> {
        self.space.as_ref()
    }

    /// The headers of an attempt: those of the endpoint, then those of its API.
    ///
    /// # Errors
    /// `Internal` where it cannot be signed.
    pub fn headers(
        &self,
        subscription: &Subscription,
        id: &str,
        at: Timestamp,
        body: &[u8],
    ) -> Result<Headers, Failure> {
        let Subscription { endpoint, notifier } = subscription;
        let mut headers = self.held.headers.clone();
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
        headers.extend((notifier.sign)(&Signed { endpoint, id, at, body, keys: self })?);
        Ok(headers)
    }
}

/// Makes a new secret; those before go on signing beside it for `overlap` seconds.
///
/// # Errors
/// `NotFound`; `Invalid` for an overlap that is too long.
#[async_recursion]
pub async fn rotate(
    cx: &Cx,
    id: Id,
    overlap: i64,
    own: Option<Signing>,
) -> Result<Issued, Failure> {
    if !(0..=OVERLAP_SECONDS_MAX).contains(&overlap) {
        let why = Why::OutOfRange { min: 0, max: OVERLAP_SECONDS_MAX };
        return Err(Failure::invalid("overlap_seconds", why));
    }
    let secret = own.unwrap_or_else(Signing::random);
    let rotated = cx.settle(|mut draft| async {
        let before = get(cx, id).await?;
        let found = of(&cx.app, before.number).await?;
        let n = before.secrets.iter().map(|note| note.n).max().unwrap_or(0) + 1;
        let ends = cx.now.plus_seconds(overlap);
        let older = before.secrets.iter().map(|note| SecretNote {
            expires_at: Some(note.expires_at.map_or(ends, |at| at.min(ends))),
            ..note.clone()
        });
        let living = older.filter(|note| note.expires_at.is_none_or(|at| at > cx.now));
        let notes = [note(n, &secret, cx.now)].into_iter().chain(living);
        let notes: Vec<SecretNote> = notes.take(SECRETS_MAX).collect();
        let mut held = found.held.clone();
        held.secrets.push((n, BASE64.encode(&secret.0)));
        held.secrets.retain(|(n, _)| notes.iter().any(|note| note.n == *n));
        found.replace(cx, &mut draft, &held).await?;
        roll::note(cx, &mut draft, &[before.number]).await?;
        let after = Endpoint { secrets: notes, ..before.record.clone() }.changed(cx.now);
        let again = sealed_again(cx, &secret)?;
        let decided = draft.change(&before, after, EndpointEvent::Rotated, &["secrets"])?;
        Ok(decided.sealing(again))
    });
    issued(cx, rotated.await?, Some(secret))
}

/// Ends a secret at once.
///
/// # Errors
/// `NotFound`; `WrongState` for the only one.
#[async_recursion]
pub async fn end(cx: &Cx, id: Id, n: i64) -> Result<Saved<Endpoint>, Failure> {
    cx.settle(|mut draft| async {
        let before = get(cx, id).await?;
        if !before.secrets.iter().any(|note| note.n == n) {
            return Err(Failure::NotFound { noun: Noun::Secret });
        }
        let is_left =
            |note: &&SecretNote| note.n != n && note.expires_at.is_none_or(|at| at > cx.now);
        let notes: Vec<SecretNote> = before.secrets.iter().filter(is_left).cloned().collect();
        if notes.is_empty() {
            return Err(Failure::WrongState { is: "the only secret", needs: "rotated first" });
        }
        let found = of(&cx.app, before.number).await?;
        let mut held = found.held.clone();
        held.secrets.retain(|(n, _)| notes.iter().any(|note| note.n == *n));
        found.replace(cx, &mut draft, &held).await?;
        roll::note(cx, &mut draft, &[before.number]).await?;
        let after = Endpoint { secrets: notes, ..before.record.clone() }.changed(cx.now);
        draft.change(&before, after, EndpointEvent::Rotated, &["secrets"])
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification (standard-webhooks, "Signature scheme").
    #[test]
    fn signs_as_the_specification_shows() {
        let secret = Signing::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let at = Timestamp::from_micros(1_614_265_330_000_000);
        let body = br#"{"test": 2432232314}"#;
        let signed = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn secrets_are_read_as_they_are_shown() {
        let made = Signing::random();
        assert_eq!(Signing::parse(&made.shown()), Ok(made.clone()));
        assert_eq!(made.hint().len(), 4);
        let of = |bytes: usize| format!("whsec_{}", BASE64.encode(vec![7; bytes]));
        for (bytes, is_good) in [(23, false), (24, true), (64, true), (65, false)] {
            assert_eq!(Signing::parse(&of(bytes)).is_ok(), is_good, "{bytes}");
        }
        for bad in ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!"] {
            assert!(Signing::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(format!("{made:?}"), "Signing(…)");
    }
}
