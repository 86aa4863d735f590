//! Where a backup stands: what an increment goes on from, and what proves that it does.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::dump::{FORMAT, Frame, Line};
use crate::{Entry, StoreError};

/// Characters of a mark: enough to tell two histories apart that began alike.
const MARK_CHARS: usize = 16;

/// Where a backup stands: the last entry of each tenant's journal in its snapshot. Positions of a
/// tenant are given out under the lock of its head, which is held until the commit, so whoever sees
/// the head at a position sees every entry up to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// A moment before the snapshot was taken (microseconds since the epoch).
    pub begun_at: i64,
    /// A moment after it was taken (microseconds since the epoch).
    pub taken_at: i64,
    stands: BTreeMap<i64, Stand>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Stand {
    last: i64,
    mark: String,
}

impl Position {
    /// From the lines an export begins with.
    pub(crate) fn of(begun_at: i64, leading: &[Line]) -> Position {
        let mut stands = BTreeMap::new();
        for line in leading {
            match line {
                Line::Head { tenant, last, mark } => {
                    stands.insert(*tenant, Stand { last: *last, mark: mark.clone() });
                }
                Line::Gone { tenant } => {
                    stands.remove(tenant);
                }
                Line::Record(_)
                | Line::Term { .. }
                | Line::Entry(_)
                | Line::Answer(_)
                | Line::Counter { .. }
                | Line::Mention { .. }
                | Line::Blank { .. }
                | Line::Forgotten { .. } => {}
            }
        }
        Position { begun_at, taken_at: now_us(), stands }
    }

    /// The line that says where a backup stands; what [`crate::position_of`] reads.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn line(&self) -> Result<String, StoreError> {
        let header =
            Frame::Header { format: FORMAT, engine: String::new(), position: Some(self.clone()) };
        serde_json::to_string(&header)
            .map_err(|error| StoreError::Engine(format!("no position: {error}")))
    }

    /// Stands for this position in whatever goes on from it (SHA-256, hexadecimal).
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub(crate) fn digest(&self) -> Result<String, StoreError> {
        let json = serde_json::to_vec(self)
            .map_err(|error| StoreError::Engine(format!("no position: {error}")))?;
        Ok(hex::encode(Sha256::digest(json)))
    }

    /// Tenants and the positions of their last entries.
    pub(crate) fn lasts(&self) -> impl Iterator<Item = (i64, i64)> + '_ {
        self.stands.iter().map(|(tenant, stand)| (*tenant, stand.last))
    }

    /// The position of a tenant's last entry; 0 without one.
    pub(crate) fn last(&self, tenant: i64) -> i64 {
        self.stands.get(&tenant).map_or(0, |stand| stand.last)
    }

    /// Whether this entry is the one a tenant stood at.
    pub(crate) fn knows(&self, tenant: i64, held: &Entry) -> bool {
        self.stands.get(&tenant).is_some_and(|stand| stand.mark == mark(held))
    }
}

/// Tells an entry from every other one, by all that never changes: not by its document, which may
/// be blanked.
pub(crate) fn mark(entry: &Entry) -> String {
    let Entry { tenant, seq, kind, number, subject, revision, action, at, actor, request, .. } =
        entry;
    let said = format!(
        "{tenant} {seq} {kind} {number} {subject} {revision} {action} {at}\n{actor}\n{request}"
    );
    let mut mark = hex::encode(Sha256::digest(said));
    mark.truncate(MARK_CHARS);
    mark
}

/// This machine's clock (microseconds since the epoch).
pub(crate) fn now_us() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_micros());
    i64::try_from(now).unwrap_or(i64::MAX)
}
