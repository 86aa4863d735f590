//! What a browser is asked to answer once, within a few minutes. A challenge is random, says until
//! when it is good, and carries a code over both, its purpose and the browser it was made for: so
//! strangers who only ask leave nothing behind. What was answered is written down in the batch that
//! the answer causes, and is good for no other one.

use patron_model::{Failure, Timestamp, card::Found, event::UntoldEvent};
use patron_store::{Column, Index, Kind, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Cx,
    commit::Draft,
    documents::{DEPLOYMENT, Document, named},
    failure,
    ids::new_uuid,
    secrets::{same, sha256_hex},
};

/// Challenges that were answered.
pub static ANSWERED: Kind = Kind {
    name: "answered_challenge",
    columns: &[
        Column::text("lookup", Index::UniqueEverywhere),
        Column::int("expires_at", Index::Ordered),
    ],
    terms: false,
};

/// Seconds for which a challenge is good.
pub const GOOD_SECONDS: i64 = 600;
/// Random bytes of a challenge.
const RANDOM_BYTES: usize = 16;

/// What a challenge is for, to a passkey. One for another purpose is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Making one.
    Make,
    /// Signing in by one.
    SignIn,
    /// Proving by one who is signed in, once more or as the second factor.
    Prove,
}

impl Purpose {
    const fn as_str(self) -> &'static str {
        match self {
            Purpose::Make => "make a passkey",
            Purpose::SignIn => "use a passkey",
            Purpose::Prove => "prove by a passkey",
        }
    }
}

/// A challenge that was answered.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Answered {
    number: i64,
    uuid: Uuid,
    lookup: String,
    expires_at: Timestamp,
}

impl Document for Answered {
    named!(ANSWERED, User, UntoldEvent, in_deployment);
    const JOURNALED: bool = false;

    fn columns(&self) -> Vec<Value> {
        vec![self.lookup.as_str().into(), self.expires_at.micros().into()]
    }

    fn search_cards(&self, _: &mut Found) {
        // Made by the server itself.
    }
}

/// Makes a challenge; `bound` is what only the browser it is for has.
pub(super) fn make(cx: &Cx, purpose: Purpose, bound: &str) -> String {
    let nonce = hex::encode(rand::random::<[u8; RANDOM_BYTES]>());
    let said = format!("{nonce}.{}", cx.now.plus_seconds(GOOD_SECONDS).seconds());
    let code = code(cx, purpose, &said, bound);
    format!("{said}.{code}")
}

fn code(cx: &Cx, purpose: Purpose, said: &str, bound: &str) -> String {
    cx.app.secrets.answer_fingerprint(purpose.as_str(), &[said.as_bytes(), bound.as_bytes()])
}

/// Until when a challenge is good, if it is one.
pub(super) fn good_until(
    cx: &Cx,
    purpose: Purpose,
    challenge: &str,
    bound: &str,
) -> Option<Timestamp> {
    let (said, sent) = challenge.rsplit_once('.')?;
    let expires: i64 = said.rsplit_once('.')?.1.parse().ok()?;
    let is_ours = same(code(cx, purpose, said, bound).as_bytes(), sent.as_bytes());
    (is_ours && cx.now.seconds() < expires)
        .then(|| Timestamp::from_micros(expires.saturating_mul(1_000_000)))
}

/// Notes that a challenge was answered.
///
/// # Errors
/// `Unauthenticated` when it was before.
pub(super) async fn answer(
    cx: &Cx,
    draft: &mut Draft<'_>,
    challenge: &str,
    expires_at: Timestamp,
) -> Result<(), Failure> {
    let lookup = sha256_hex(challenge);
    let known = cx.app.store.get_by(&ANSWERED, DEPLOYMENT, "lookup", &lookup);
    if known.await.map_err(failure)?.is_some() {
        return Err(Failure::Unauthenticated { reason: "a challenge that was answered before" });
    }
    let number = cx.app.store.reserve(ANSWERED.name, 1).await.map_err(failure)?.start;
    draft.taken_is_raced();
    draft.insert(&Answered { number, uuid: new_uuid(), lookup, expires_at })
}
