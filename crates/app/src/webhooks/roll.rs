//! Which endpoints changed, so that nodes need not look at all of them: one record of the
//! deployment that is replaced with every change of an endpoint.

use patron_model::{Failure, card::Found, event::UntoldEvent};
use patron_store::{Kind, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    App, Cx,
    commit::Draft,
    documents::{DEPLOYMENT, Document, named},
    failure,
    ids::new_uuid,
    record::{Loaded, decode},
};

/// The one roll.
pub static ROLL: Kind = Kind { name: "webhook_roll", columns: &[], terms: false };

/// Changes remembered: who missed more looks at all endpoints.
const LATEST_MAX: usize = 64;

/// Which endpoints changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roll {
    number: i64,
    uuid: Uuid,
    /// Counts the changes.
    pub count: i64,
    /// Space and number of those changed last, latest first.
    pub latest: Vec<(i64, i64)>,
}

impl Document for Roll {
    named!(ROLL, Endpoint, UntoldEvent, in_deployment);
    const JOURNALED: bool = false;

    fn columns(&self) -> Vec<Value> {
        Vec::new()
    }

    fn search_cards(&self, _: &mut Found) {
        // Made by the server itself.
    }
}

impl Roll {
    const NUMBER: i64 = 1;

    /// Endpoints that changed since a count; none: look at all.
    pub fn since(&self, count: i64) -> Option<&[(i64, i64)]> {
        let missed = usize::try_from(self.count - count).ok()?;
        self.latest.get(..missed)
    }
}

/// The roll as it is; none when there never was an endpoint.
pub(super) async fn load(app: &App) -> Result<Option<Loaded<Roll>>, Failure> {
    let row = app.store.get(&ROLL, DEPLOYMENT, Roll::NUMBER).await.map_err(failure)?;
    row.map(|row| decode(&row)).transpose()
}

/// Notes that endpoints change with this draft; once a draft.
pub(super) async fn note(cx: &Cx, draft: &mut Draft<'_>, numbers: &[i64]) -> Result<(), Failure> {
    let changed: Vec<(i64, i64)> = numbers.iter().map(|number| (cx.space, *number)).collect();
    let count = i64::try_from(changed.len()).unwrap_or(i64::MAX);
    match load(&cx.app).await? {
        None => {
            draft.taken_is_raced();
            let latest = changed.into_iter().take(LATEST_MAX).collect();
            draft.insert(&Roll { number: Roll::NUMBER, uuid: new_uuid(), count, latest })
        }
        Some(before) => {
            let mut after = before.record.clone();
            after.count += count;
            after.latest.splice(0..0, changed);
            after.latest.truncate(LATEST_MAX);
            draft.replace(&before, &after, UntoldEvent::Updated, &[])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_missed_more_than_is_remembered_looks_at_all() {
        let latest = vec![(1, 7), (2, 8)];
        let roll = Roll { number: 1, uuid: Uuid::nil(), count: 9, latest };
        assert_eq!(roll.since(9), Some(&[][..]));
        assert_eq!(roll.since(8), Some(&[(1, 7)][..]));
        assert_eq!(roll.since(7), Some(&[(1, 7), (2, 8)][..]));
        assert_eq!(roll.since(6), None);
        assert_eq!(roll.since(10), None, "the data was put back");
    }
}
