//! Reading on: the entries of a space as they come, for streams.

use std::sync::Arc;
use std::time::Duration;

use async_recursion::async_recursion;
use patron_model::Failure;
use patron_store::Entry;
use tokio::sync::watch;

use super::{LOOK_EVERY, LOOK_GAP};
use crate::{App, failure};

/// Somebody who reads on in the journal of a space. Waits for commits of this process, and looks
/// for those of others at least every [`LOOK_EVERY`].
pub struct Follower {
    app: Arc<App>,
    space: i64,
    after: i64,
    news: watch::Receiver<u64>,
    is_level: bool,
}

impl Follower {
    /// From a position on; none: with what comes from now on.
    ///
    /// # Errors
    /// `Beyond` for a position behind the last entry; whatever the store says.
    #[async_recursion]
    pub async fn start(
        app: &Arc<App>,
        space: i64,
        after: Option<i64>,
    ) -> Result<Follower, Failure> {
        let news = app.store.watch(space);
        let head = app.store.head(space).await.map_err(failure)?;
        let after = after.unwrap_or(head);
        if after > head {
            return Err(Failure::Beyond { head });
        }
        Ok(Follower { app: Arc::clone(app), space, after, news, is_level: false })
    }

    /// Position of the last entry that was read.
    pub fn position(&self) -> i64 {
        self.after
    }

    /// The next entries, at once or as soon as there are some; an empty list after a while without
    /// any, so that who asks can look after other things. None once the process is to stop.
    ///
    /// # Errors
    /// Whatever the store says.
    #[async_recursion]
    pub async fn next(&mut self, limit: u32) -> Result<Option<Vec<Entry>>, Failure> {
        if self.is_level {
            let look_again = LOOK_EVERY.mul_f64(rand::random_range(0.5..1.0));
            // A commit wakes all who wait for it: they gather what comes within a moment.
            let pause = async {
                if tokio::time::timeout(look_again, self.news.changed()).await.is_ok() {
                    tokio::time::sleep(gap()).await;
                }
            };
            tokio::select! {
                () = pause => {}
                () = self.app.stopped() => return Ok(None),
            }
        }
        self.news.mark_unchanged();
        let read = self.app.store.entries(self.space, self.after, limit);
        let entries = read.await.map_err(failure)?;
        if let Some(last) = entries.last() {
            self.after = last.seq;
        }
        self.is_level = entries.len() < limit as usize;
        Ok(Some(entries))
    }
}

/// Not the same for all: they would all look in the same moment.
fn gap() -> Duration {
    LOOK_GAP.mul_f64(rand::random_range(0.0..1.0))
}
