//! Turns at long reads. A read that may take long takes a turn first: so many run at a time in all,
//! fewer of them for one owner. Whoever asks for more than its share waits for its own reads, not
//! the others for it.
//!
//! The owner is known by the task: what [`Lane::within`] runs belongs to it, however deep in the
//! program a read begins, so no read can forget to say whose it is.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

tokio::task_local! {
    static LANE: Arc<Lane>;
}

/// The share of one owner in the turns at long reads: its own, within that of its group.
#[derive(Debug)]
pub struct Lane {
    own: Arc<Semaphore>,
    group: Arc<Semaphore>,
}

impl Lane {
    /// A lane of so many turns. Lanes of one group are given the same turns of the group.
    pub fn new(turns: usize, group: Arc<Semaphore>) -> Lane {
        Lane { own: Arc::new(Semaphore::new(turns.max(1))), group }
    }

    /// Runs work whose reads belong to this lane.
    pub async fn within<F: Future>(self: Arc<Self>, work: F) -> F::Output {
        LANE.scope(self, work).await
    }
}

/// The turns of one engine.
#[derive(Debug)]
pub(crate) struct Turns {
    all: Arc<Semaphore>,
    max: usize,
}

/// A turn, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    _all: Option<OwnedSemaphorePermit>,
    _group: Option<OwnedSemaphorePermit>,
    _own: Option<OwnedSemaphorePermit>,
}

impl Turns {
    pub(crate) fn new(max: usize) -> Turns {
        let max = max.max(1);
        Turns { all: Arc::new(Semaphore::new(max)), max }
    }

    /// How many there are.
    pub(crate) fn max(&self) -> usize {
        self.max
    }

    /// Whether the owner of this task has used up its share, so that its next read has to wait.
    pub(crate) fn is_owner_waiting() -> bool {
        LANE.try_with(|lane| lane.own.available_permits() == 0).unwrap_or(false)
    }

    /// Waits for a turn. The owner's own comes first, so that nobody else waits behind what the
    /// owner may not do yet.
    pub(crate) async fn take(&self) -> Turn {
        // None of them is ever closed.
        let lane = LANE.try_with(Arc::clone).ok();
        let (own, group) = match lane {
            None => (None, None),
            Some(lane) => (
                Arc::clone(&lane.own).acquire_owned().await.ok(),
                Arc::clone(&lane.group).acquire_owned().await.ok(),
            ),
        };
        let all = Arc::clone(&self.all).acquire_owned().await.ok();
        Turn { _all: all, _group: group, _own: own }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn an_owner_waits_for_itself_and_nobody_waits_for_it() {
        let turns = Turns::new(4);
        let group = Arc::new(Semaphore::new(3));
        let [first, second] = [0, 1].map(|_| Arc::new(Lane::new(2, Arc::clone(&group))));
        let take = |lane: &Arc<Lane>| Arc::clone(lane).within(turns.take()).now_or_never();
        let held: Vec<Turn> = [take(&first), take(&first)].into_iter().flatten().collect();
        assert_eq!(held.len(), 2);
        assert!(take(&first).is_none(), "more than its share");
        assert!(Arc::clone(&first).within(async { Turns::is_owner_waiting() }).await);
        let other = take(&second).expect("the group has one more");
        assert!(take(&second).is_none(), "more than the group's share");
        assert!(turns.take().now_or_never().is_some(), "others still get in");
        drop(held);
        assert!(take(&first).is_some());
        drop(other);
    }
}
