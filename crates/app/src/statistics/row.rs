//! An hour of a space as it is stored.

use std::collections::BTreeMap;

use patron_model::{Timestamp, card::Found, event::UntoldEvent};
use patron_store::{Column, Index, Kind, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Counted, Counts, KEPT_HOURS};
use crate::{
    documents::{Document, named},
    ids::new_uuid,
};

/// Hours of spaces: not in the journal.
pub static STATISTIC: Kind =
    Kind { name: "statistic", columns: &[Column::int("hour", Index::Ordered)], terms: false };

/// Seconds of a minute.
pub(super) const MINUTE_SECONDS: i64 = 60;
/// Minutes of an hour.
const HOUR_MINUTES: i64 = 60;

/// The minute of a moment, counted from the epoch.
pub(super) fn minute_of(at: Timestamp) -> i64 {
    at.seconds().div_euclid(MINUTE_SECONDS)
}

/// The hour of a minute.
pub(super) fn hour_of(minute: i64) -> i64 {
    minute.div_euclid(HOUR_MINUTES)
}

/// An hour of a space.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Statistic {
    /// Number: the space and the place in its ring.
    number: i64,
    uuid: Uuid,
    space: i64,
    /// Hours since the epoch.
    hour: i64,
    /// Minutes in which something happened, each with its counts in the order of [`Counted`], the
    /// last ones left out where they are 0.
    minutes: BTreeMap<u8, Vec<u64>>,
}

impl Document for Statistic {
    named!(STATISTIC, Space, UntoldEvent, in_space);
    const JOURNALED: bool = false;

    fn columns(&self) -> Vec<Value> {
        vec![self.hour.into()]
    }

    fn search_cards(&self, _: &mut Found) {
        // Counted by the server itself.
    }
}

impl Statistic {
    /// The number of the row of an hour.
    pub(super) fn number(space: i64, hour: i64) -> i64 {
        space * KEPT_HOURS + hour.rem_euclid(KEPT_HOURS)
    }

    /// The row once these minutes are added; nothing where it has a later hour already.
    pub(super) fn after(
        before: Option<&Statistic>,
        space: i64,
        hour: i64,
        minutes: &[(i64, Counts)],
    ) -> Option<Statistic> {
        if before.is_some_and(|row| row.hour > hour) {
            return None;
        }
        let uuid = before.map_or_else(new_uuid, |row| row.uuid);
        let same = before.filter(|row| row.hour == hour).map(|row| row.minutes.clone());
        let mut row = Statistic {
            number: Statistic::number(space, hour),
            uuid,
            space,
            hour,
            minutes: same.unwrap_or_default(),
        };
        for (minute, counts) in minutes {
            let at = u8::try_from(minute.rem_euclid(HOUR_MINUTES)).unwrap_or_default();
            let known = row.minutes.entry(at).or_default();
            known.resize(Counted::COUNT, 0);
            for (known, count) in known.iter_mut().zip(counts) {
                *known += count;
            }
            while known.last() == Some(&0) {
                known.pop();
            }
        }
        Some(row)
    }

    /// Its minutes, counted from the epoch.
    pub(super) fn minutes(&self) -> impl Iterator<Item = (i64, Counts)> {
        self.minutes.iter().map(|(at, known)| {
            let mut counts = Counts::default();
            for (count, known) in counts.iter_mut().zip(known) {
                *count = *known;
            }
            (self.hour * HOUR_MINUTES + i64::from(*at), counts)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_a_ring_and_minutes_add_up() {
        let first = [(120, [1, 0, 0, 0, 0, 0, 0]), (179, [0, 0, 0, 0, 0, 0, 2])];
        let row = Statistic::after(None, 3, 2, &first).unwrap();
        let row = Statistic::after(Some(&row), 3, 2, &[(120, [4, 1, 0, 0, 0, 0, 0])]).unwrap();
        let minutes: Vec<_> = row.minutes().collect();
        assert_eq!(minutes, [(120, [5, 1, 0, 0, 0, 0, 0]), (179, [0, 0, 0, 0, 0, 0, 2])]);
        let stored = serde_json::to_string(&row).unwrap();
        assert!(stored.contains(r#""minutes":{"0":[5,1],"59":[0,0,0,0,0,0,2]}"#), "{stored}");
        // The same place 35 days on; what comes late for the first hour is kept no more.
        let later = Statistic::after(Some(&row), 3, 2 + KEPT_HOURS, &[]).unwrap();
        assert_eq!((later.number, later.minutes().count()), (row.number, 0));
        assert_eq!(Statistic::after(Some(&later), 3, 2, &first), None);
        assert_ne!(Statistic::number(3, 2), Statistic::number(4, 2));
        assert!(Statistic::number(3, KEPT_HOURS - 1) < Statistic::number(4, 0));
    }
}
