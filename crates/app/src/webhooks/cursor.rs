//! How far an endpoint is in the journal of its space, and how it fares. One record beside each
//! endpoint, not journaled: its revision is the fence. Whoever works for an endpoint replaces it
//! with every result, so a node that lost the endpoint to another one cannot write any more.

use patron_model::{Failure, card::Found, event::UntoldEvent, webhook::Endpoint};
use patron_store::{Kind, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{notifier::Subscription, telling};
use crate::{
    App,
    documents::{Document, named},
    failure,
    record::{Loaded, decode},
    secrets::hmac_sha256,
};

/// Cursors, under the numbers of their endpoints.
pub static CURSOR: Kind = Kind { name: "webhook_cursor", columns: &[], terms: false };

/// How far an endpoint is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Number of the endpoint.
    pub number: i64,
    /// UUID of this record.
    pub uuid: Uuid,
    /// Space.
    pub space: i64,
    /// Everything up to here was delivered, has a delivery of its own, or was not asked for.
    pub position: i64,
    /// How many of that were asked for.
    pub matched: i64,
    /// What was done behind it already.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub done: Vec<i64>,
    /// The node that works for it; 0: none.
    #[serde(default)]
    pub node: i64,
    /// How it fares.
    #[serde(default)]
    pub health: Health,
    /// What its endpoint asked for while `marks` were counted (see [`asks_of`]); 0: nobody counted.
    #[serde(default)]
    pub asks: i64,
    /// Positions and how many entries up to there were asked for, oldest first: from the nearest
    /// one on it can be counted which one of the endpoint's an entry was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<(i64, i64)>,
    /// Subjects of which something was given up, and its position, until the next of theirs
    /// arrives; for endpoints that keep order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<(i64, i64)>,
}

/// Marks of a cursor, at most.
const MARKS_MAX: usize = 32;
/// Entries between two of them, at least.
const MARK_EVERY: i64 = 1_000;
/// Entries that are counted again to know which one of an endpoint's an entry was, at most.
const COUNTED_MAX: i64 = 50_000;
/// Entries read at a time for that.
const COUNTED_AT_ONCE: u32 = 500;

/// How an endpoint fares. Times in microseconds since the epoch, 0 for never.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Attempts that failed since the last that did not.
    pub failures: i64,
    /// The first of them.
    pub failing_since: i64,
    /// The last attempt that did not fail.
    pub last_success_at: i64,
    /// The last one that did.
    pub last_failure_at: i64,
    /// When it is tried again, after too many failures.
    pub open_until: i64,
    /// How often that was put off.
    pub step: i64,
}

impl Document for Cursor {
    named!(CURSOR, Endpoint, UntoldEvent, in_space);
    const JOURNALED: bool = false;

    fn columns(&self) -> Vec<Value> {
        Vec::new()
    }

    fn search_cards(&self, _: &mut Found) {
        // Made by the server itself.
    }
}

impl Cursor {
    /// The cursor of a new endpoint.
    pub fn at(space: i64, number: i64, uuid: Uuid, position: i64) -> Cursor {
        Cursor {
            number,
            uuid,
            space,
            position,
            matched: 0,
            done: Vec::new(),
            node: 0,
            health: Health::default(),
            asks: 0,
            marks: Vec::new(),
            gaps: Vec::new(),
        }
    }

    /// The cursor as one from which on it is counted what its endpoint asks for.
    #[must_use]
    pub(super) fn counting(self, endpoint: &Endpoint) -> Cursor {
        Cursor { asks: asks_of(endpoint), marks: vec![(self.position, self.matched)], ..self }
    }

    /// Its marks once everything up to a position is done.
    pub fn marked(&self, position: i64, matched: i64) -> Vec<(i64, i64)> {
        let mut marks = self.marks.clone();
        let (Some(first), Some(last)) = (marks.first(), marks.last()) else { return marks };
        let apart = (last.0 - first.0) / (MARKS_MAX as i64 / 2);
        if position - last.0 >= apart.max(MARK_EVERY) {
            marks.push((position, matched));
        }
        if marks.len() > MARKS_MAX {
            marks = marks.into_iter().step_by(2).collect();
        }
        marks
    }

    /// The cursor of an endpoint that goes on somewhere, with nothing held against it. `matched`:
    /// how many entries up to there were asked for, where that is known.
    #[must_use]
    pub(super) fn resumed(&self, position: i64, matched: Option<i64>) -> Cursor {
        let health = Health { last_success_at: self.health.last_success_at, ..Health::default() };
        let same = Cursor { position, health, ..self.clone() };
        match (position - self.position, matched) {
            (0, _) => same,
            (_, Some(matched)) => Cursor { matched, done: Vec::new(), ..same },
            (apart, None) => {
                // What is passed over may have been asked for: its numbers are left out.
                let matched = self.matched + apart.max(0);
                Cursor { matched, done: Vec::new(), marks: vec![(position, matched)], ..same }
            }
        }
    }
}

/// What an endpoint asks for, in a number: while it is the same, the same entries are counted.
pub fn asks_of(endpoint: &Endpoint) -> i64 {
    let Endpoint { dialect, own, types, filter, sees, at, .. } = endpoint;
    let asked = serde_json::json!([dialect, own, types, filter, sees, at]);
    let digest = hmac_sha256(b"what an endpoint asks for", asked.to_string().as_bytes());
    let (head, _) = digest.split_first_chunk().unwrap_or((&[0; 8], &[]));
    i64::from_le_bytes(*head)
}

/// How many entries up to a position an endpoint asked for; none where it cannot be counted: it
/// asked for something else then, was not there yet, or too many would have to be read.
pub(super) async fn count(
    app: &App,
    endpoint: &Subscription,
    cursor: &Cursor,
    position: i64,
) -> Result<Option<i64>, Failure> {
    let mark = cursor.marks.iter().rev().find(|(at, _)| *at <= position);
    let Some((mut at, mut matched)) = mark.filter(|_| cursor.asks == asks_of(endpoint)).copied()
    else {
        return Ok(None);
    };
    if position - at > COUNTED_MAX {
        return Ok(None);
    }
    while at < position {
        let entries =
            app.store.entries(cursor.space, at, COUNTED_AT_ONCE).await.map_err(failure)?;
        let Some(last) = entries.last() else { return Ok(None) };
        at = last.seq;
        let asked = entries.iter().filter(|entry| entry.seq <= position);
        let asked = asked.filter(|entry| telling::is_wanted(endpoint, entry)).count();
        matched += i64::try_from(asked).unwrap_or(0);
    }
    Ok(Some(matched))
}

/// Which one of an endpoint's an entry is that it asks for; 0 where that is not known.
pub(super) async fn nth(
    app: &App,
    endpoint: &Subscription,
    cursor: &Cursor,
    seq: i64,
) -> Result<i64, Failure> {
    if cursor.marks.first().is_none_or(|(at, _)| *at >= seq) {
        return Ok(0);
    }
    Ok(count(app, endpoint, cursor, seq).await?.unwrap_or(0))
}

/// The cursor of an endpoint.
pub(super) async fn load(
    app: &App,
    space: i64,
    number: i64,
) -> Result<Option<Loaded<Cursor>>, Failure> {
    let row = app.store.get(&CURSOR, space, number).await.map_err(failure)?;
    row.map(|row| decode(&row)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_few_and_reach_back_to_the_first() {
        let mut cursor = Cursor::at(1, 2, Uuid::nil(), 10);
        assert!(cursor.marked(5_000, 9).is_empty(), "nobody counted");
        cursor.marks = vec![(10, 0)];
        for position in (10..5_000_000).step_by(500) {
            cursor.marks = cursor.marked(position, position / 2);
        }
        let marks = &cursor.marks;
        assert!((16..=MARKS_MAX).contains(&marks.len()) && marks[0] == (10, 0));
        let apart = marks.windows(2).map(|two| two[1].0 - two[0].0);
        assert!(apart.max().unwrap() < 5_000_000 / 8);
        assert!(marks.is_sorted() && marks[1..].iter().all(|(at, n)| *n == at / 2));
    }

    #[test]
    fn who_goes_on_elsewhere_never_counts_two_entries_alike() {
        let cursor =
            Cursor { matched: 4, marks: vec![(10, 0)], ..Cursor::at(1, 2, Uuid::nil(), 20) };
        assert_eq!(cursor.resumed(20, None), cursor);
        let on = cursor.resumed(30, None);
        assert_eq!((on.matched, on.marks), (14, vec![(30, 14)]));
        let back = cursor.resumed(12, Some(1));
        assert_eq!((back.matched, back.marks), (1, vec![(10, 0)]));
        let lost = cursor.resumed(5, None);
        assert_eq!((lost.matched, lost.marks), (4, vec![(5, 4)]));
    }
}
