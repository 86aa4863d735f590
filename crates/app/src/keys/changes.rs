//! Changes of keys: other rights or limits, and rotation.

use patron_model::space::{EarlierKey, Key, PublicRights, Role};
use patron_model::{Failure, Permissions, Timestamp, Why, network::Network};

use super::{Issued, NewSecret, check, get, hint, insert, remembered_secret, sealed};
use crate::{
    Cx, Expect, Saved,
    commit::{ATTEMPTS_MAX, Action, Loaded, raced},
    customers::Id,
    documents::DEPLOYMENT,
    ids::new_uuid,
    rights, vault,
};

/// Most secrets of one user that are good at once.
pub const SECRETS_MAX: usize = 10;
/// Most seconds that a replaced key goes on: 30 days.
pub const OVERLAP_SECONDS_MAX: i64 = 30 * 24 * 3600;
/// Seconds that a replaced key goes on when nothing is said: a day.
pub const OVERLAP_SECONDS: i64 = 24 * 3600;

/// What shall become of a key.
#[derive(Debug, Clone, Default)]
pub struct KeyPatch {
    /// What people call it.
    pub name: Option<String>,
    /// Its role.
    pub role: Option<Role>,
    /// What cuts its role; `Some(None)` lifts the cut.
    pub cap: Option<Option<Permissions>>,
    /// Networks it may be used from.
    pub addresses: Option<Vec<Network>>,
    /// When it ends by itself; `Some(None)`: never.
    pub expires_at: Option<Option<Timestamp>>,
    /// What its public half may do alone.
    pub public_rights: Option<PublicRights>,
}

impl KeyPatch {
    fn apply(&self, before: &Key) -> Key {
        let mut after = before.clone();
        let patch = self.clone();
        after.name = patch.name.unwrap_or(after.name);
        after.role = patch.role.unwrap_or(after.role);
        after.cap = patch.cap.unwrap_or(after.cap);
        after.addresses = patch.addresses.unwrap_or(after.addresses);
        after.expires_at = patch.expires_at.unwrap_or(after.expires_at);
        after.public_rights = patch.public_rights.unwrap_or(after.public_rights);
        after
    }
}

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
    let cx = cx.in_space(DEPLOYMENT);
    if let Some(saved) = cx.replayed().await? {
        return Ok(saved);
    }
    for _ in 0..ATTEMPTS_MAX {
        let before = get(&cx, id).await?;
        expect.check(before.revision, before.revision)?;
        let after = patch.apply(&before);
        // Whoever changes where or how long a key is good hands out what it may do.
        rights::may_give(cx.rights, before.permissions().or(after.permissions()))?;
        check_change(&cx, &before, &after)?;
        let changes = changed(&before, &after);
        let mut draft = cx.draft();
        let (revision, action) = if changes.is_empty() {
            (before.revision, Action::Unchanged)
        } else {
            draft.replace(&before, &after, Action::Updated, &changes)?;
            (before.revision + 1, Action::Updated)
        };
        draft.outcome(&after, revision, action);
        if draft.settle().await? {
            cx.app.callers.forget();
            return Ok(Saved { record: after, revision, action, replayed: false });
        }
    }
    Err(raced())
}

fn check_change(cx: &Cx, before: &Key, after: &Key) -> Result<(), Failure> {
    if !before.is_good(cx.now) {
        return Err(ended());
    }
    // The newer key of the same user knows until when this one may be good.
    let lasts_longer = match (before.expires_at, after.expires_at) {
        (Some(was), Some(is)) => is > was,
        (Some(_), None) => true,
        (None, _) => false,
    };
    if before.replaced_by.is_some() && lasts_longer {
        return Err(Failure::WrongState {
            is: "a replaced key",
            needs: "the key that replaced it",
        });
    }
    check(cx, after, before.expires_at != after.expires_at)
}

fn ended() -> Failure {
    Failure::WrongState { is: "a key that has ended", needs: "a key in use" }
}

/// Names of the members that differ.
fn changed(before: &Key, after: &Key) -> Vec<&'static str> {
    let members = [
        ("name", before.name != after.name),
        ("role", before.role != after.role),
        ("permissions", before.cap != after.cap),
        ("addresses", before.addresses != after.addresses),
        ("expires_at", before.expires_at != after.expires_at),
        ("public_rights", before.public_rights != after.public_rights),
    ];
    members.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
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
}

/// Makes a new key with the same rights; the old one ends after the overlap.
///
/// # Errors
/// `NotFound`; `Forbidden` when the key has rights that the caller lacks; `WrongState` when it has
/// ended, was replaced already, or its user has [`SECRETS_MAX`] good secrets; `Invalid` for an
/// overlap that is too long.
pub async fn rotate(
    cx: &Cx,
    id: Id,
    overlap_seconds: i64,
    halves: &NewHalves,
) -> Result<Issued, Failure> {
    let cx = cx.in_space(DEPLOYMENT);
    if let Some(saved) = cx.replayed::<Key>().await? {
        let shown = remembered_secret(&cx, &saved)?;
        return Ok(Issued { key: saved, shown });
    }
    if !(0..=OVERLAP_SECONDS_MAX).contains(&overlap_seconds) {
        let why = Why::OutOfRange { min: 0, max: OVERLAP_SECONDS_MAX };
        return Err(Failure::invalid("overlap_seconds", why));
    }
    for _ in 0..ATTEMPTS_MAX {
        let before = get(&cx, id).await?;
        rights::may_give(cx.rights, before.permissions())?;
        let (old, new) = replaced(&cx, &before, overlap_seconds, halves).await?;
        let mut draft = cx.draft();
        // The old one first: its handle must be free before the new one can take it.
        draft.replace(&before, &old, Action::Updated, &["replaced_by", "expires_at"])?;
        insert(&mut draft, &new)?;
        vault::put(&cx, &mut draft, vault::of_key(new.number), &halves.secret).await?;
        draft.seal_outcome(sealed(&cx, new.number, &halves.shown)?);
        if draft.settle().await? {
            cx.app.callers.forget();
            let key = Saved { record: new, revision: 1, action: Action::Created, replayed: false };
            let shown = (!cx.dry_run).then(|| halves.shown.clone());
            return Ok(Issued { key, shown });
        }
        // Perhaps the data keys were changed meanwhile.
        cx.app.refresh_keyring().await?;
    }
    Err(raced())
}

/// The old key as it will be, and the new one.
async fn replaced(
    cx: &Cx,
    before: &Loaded<Key>,
    overlap_seconds: i64,
    halves: &NewHalves,
) -> Result<(Key, Key), Failure> {
    if !before.is_good(cx.now) {
        return Err(ended());
    }
    if before.replaced_by.is_some() {
        return Err(Failure::WrongState {
            is: "a replaced key",
            needs: "the key that replaced it",
        });
    }
    let number = super::next_number(cx).await?;
    let end = cx.now.plus_seconds(overlap_seconds);
    let until = before.expires_at.map_or(end, |own| own.min(end));
    let keeps_user = halves.handle.is_none();
    let mut earlier = Vec::new();
    if keeps_user {
        let still = before.earlier.iter().filter(|key| key.until > cx.now);
        earlier.push(EarlierKey { number: before.number, until });
        earlier.extend(still);
        if earlier.len() >= SECRETS_MAX {
            let is = "a user with ten good secrets";
            return Err(Failure::WrongState { is, needs: "one of them to end" });
        }
    }
    let old = Key {
        replaced_by: Some(number),
        expires_at: Some(until),
        handle_moved: keeps_user,
        ..before.record.clone()
    };
    let new = Key {
        number,
        uuid: new_uuid(),
        handle: halves.handle.clone().unwrap_or_else(|| before.handle.clone()),
        replaces: Some(before.number),
        earlier,
        hint: hint(&halves.shown),
        created_at: cx.now,
        ..before.record.clone()
    };
    Ok((old, new))
}
