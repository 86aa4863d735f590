//! Changes of keys: other rights or limits, and rotation.

use patron_model::{
    Failure, Identity, Timestamp, Why,
    event::KeyEvent,
    space::{Key, KeyPatch, NewHalf},
};

use super::{Issued, NewSecret, get, hint, issued, next_number, sealed};
use crate::{
    Cx,
    commit::{Expect, Saved},
    documents::DEPLOYMENT,
    ids::new_uuid,
    record::Id,
    rights, vault,
};

/// Most seconds that a replaced key goes on: 30 days.
pub const OVERLAP_SECONDS_MAX: i64 = 30 * 24 * 3600;
/// Seconds that a replaced key goes on when nothing is said: a day.
pub const OVERLAP_SECONDS: i64 = 24 * 3600;

/// A changed key.
///
/// # Errors
/// `NotFound`, `Stale`, `Invalid`; `Forbidden` when the key had or would have rights that the
/// caller lacks; `WrongState` when it has ended, or when a replaced key shall last longer.
pub async fn update(
    cx: &Cx,
    id: Id,
    expect: Expect,
    patch: &KeyPatch,
) -> Result<Saved<Key>, Failure> {
    let cx = &cx.in_space(DEPLOYMENT);
    cx.settle(|draft| async {
        let before = get(cx, id).await?;
        expect.check(before.revision, before.revision)?;
        let (after, changes) = before.apply(patch.clone());
        // Whoever changes where or how long a key is good hands out what it may do.
        rights::may_give(cx.rights, before.permissions().or(after.permissions()))?;
        before.may_become(&after, cx.now)?;
        draft.change(&before, after, KeyEvent::Updated, &changes)
    })
    .await
}

/// The halves of the key that a rotation makes.
#[derive(Debug)]
pub struct NewHalves {
    /// Public half; `None`: the user stays, and this is a further secret of it.
    pub handle: Option<String>,
    /// Secret half, as it is kept.
    pub secret: NewSecret,
    /// Secret half, as it is shown.
    pub shown: String,
    /// When the new key ends by itself; `Some(None)`: never; `None`: as the one before.
    pub expires_at: Option<Option<Timestamp>>,
}

/// Makes a new key with the same rights; the old one ends after the overlap.
///
/// # Errors
/// `NotFound`; `Forbidden` when the key has rights that the caller lacks; `WrongState` when it has
/// ended, was replaced already, or its user has [`patron_model::space::SECRETS_MAX`] good secrets;
/// `Invalid` for an overlap that is too long, or an end that is over or too far away.
pub async fn rotate(
    cx: &Cx,
    id: Id,
    overlap_seconds: i64,
    halves: &NewHalves,
) -> Result<Issued, Failure> {
    let cx = &cx.in_space(DEPLOYMENT);
    let key = cx.settle(|mut draft| async {
        if !(0..=OVERLAP_SECONDS_MAX).contains(&overlap_seconds) {
            let why = Why::OutOfRange { min: 0, max: OVERLAP_SECONDS_MAX };
            return Err(Failure::invalid("overlap_seconds", why));
        }
        let before = get(cx, id).await?;
        rights::may_give(cx.rights, before.permissions())?;
        let half = NewHalf {
            id: Identity { number: next_number(cx).await?, uuid: new_uuid() },
            handle: halves.handle.clone(),
            hint: hint(&halves.shown),
            expires_at: halves.expires_at,
        };
        let (old, new) = before.rotated(half, overlap_seconds, cx.now)?;
        // The old one first: its handle must be free before the new one can take it.
        draft.replace(&before, &old, KeyEvent::Updated, &["replaced_by", "expires_at"])?;
        vault::put(cx, &mut draft, vault::of_key(new.number), &halves.secret).await?;
        let sealed = sealed(cx, new.number, &halves.shown)?;
        Ok(draft.create(new)?.sealing(sealed))
    });
    issued(cx, key.await?, &halves.shown)
}
