//! Changes of keys: other rights or limits, and rotation.

use async_recursion::async_recursion;
use patron_model::{
    Failure, Identity, Timestamp, Why,
    event::{AssignmentEvent, KeyEvent},
    role::Assignment,
    space::{Key, KeyPatch, NewHalf},
    user::UserKind,
};

use super::{Issued, NewSecret, get, hint, issued, may_hand_out, next_number, sealed};
use crate::{
    Cx, assignments,
    commit::{Draft, Expect, Saved},
    documents::DEPLOYMENT,
    ids::new_uuid,
    places,
    record::Id,
    roles, vault,
};

/// Most seconds that a replaced key goes on: 30 days.
pub const OVERLAP_SECONDS_MAX: i64 = 30 * 24 * 3600;
/// Seconds that a replaced key goes on when nothing is said: a day.
pub const OVERLAP_SECONDS: i64 = 24 * 3600;

/// A changed key. A role takes the place of the one that its application holds.
///
/// # Errors
/// `NotFound`, `Stale`, `Invalid`; `Forbidden` when the key had or would have rights that the
/// caller lacks; `WrongState` when it has ended, when a replaced key shall last longer, or when it
/// is not one role at one place that the application holds.
#[async_recursion]
pub async fn update(
    cx: &Cx,
    id: Id,
    expect: Expect,
    patch: &KeyPatch,
    role: Option<i64>,
) -> Result<Saved<Key>, Failure> {
    let cx = &cx.in_space(DEPLOYMENT);
    cx.settle(|mut draft| async {
        let before = get(cx, id).await?;
        expect.check(before.revision, before.revision)?;
        let (after, mut changes) = before.apply(patch.clone());
        // Whoever changes where or how long a key is good hands out what it may do.
        may_hand_out(cx, &before).await?;
        before.may_become(&after, cx.now)?;
        match role {
            Some(role) if another_role(cx, &mut draft, &after, role).await? => {
                changes.push("role");
            }
            Some(_) | None => may_hand_out(cx, &after).await?,
        }
        draft.change(&before, after, KeyEvent::Updated, &changes)
    })
    .await
}

/// Notes that the application of a key holds another role than before, if it does.
async fn another_role(
    cx: &Cx,
    draft: &mut Draft<'_>,
    key: &Key,
    role: i64,
) -> Result<bool, Failure> {
    let several = Failure::WrongState {
        is: "a key whose user holds no role, or several",
        needs: "a change of what is assigned to the user",
    };
    let user = cx.app.user(key.user).await?;
    let held = assignments::of_user(cx, key.user).await?;
    let (Some(user), [held]) = (user, &held[..]) else { return Err(several) };
    if user.kind != UserKind::Application {
        return Err(several);
    }
    if held.role == role {
        return Ok(false);
    }
    let path = places::path(&cx.app, held.account).await?;
    let found = roles::assignable(cx, role, &path).await?;
    found.assert(draft);
    // Any key of the application may do it from now on.
    cx.may_give(&assignments::grant_of(held, found.permissions().and(key.cut())), &path)?;
    for other in super::good_of_user(cx, key.user).await? {
        let given = found.permissions().and(other.cut());
        if other.number != key.number {
            cx.may_give(&assignments::grant_of(held, given), &path)?;
        }
    }
    let after = Assignment { role, version: held.version + 1, ..held.record.clone() };
    draft.replace(held, &after, AssignmentEvent::Updated, &["role"])?;
    Ok(true)
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
#[async_recursion]
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
        may_hand_out(cx, &before).await?;
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
    issued(cx, key.await?, &halves.shown).await
}
