//! Long reads: each in its turn, for so long at most, and only as long as somebody waits for it.
//! One that is given up is cancelled at the server, and its connection is not used again before the
//! server is done with it.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Client, ClientWrapper, Object};
use tokio::time::timeout;

use super::connect;
use super::shared::Shared;
use super::tls::Tls;
use crate::StoreError;
use crate::lane::Turn;

/// Longest wait for a cancelled read to end.
const CANCEL_MAX: Duration = Duration::from_secs(10);
/// Time after which it is cancelled again: the first time the server may not have begun with it.
const CANCEL_AGAIN: Duration = Duration::from_millis(200);

/// A connection with a long read on it. Dropped before [`LongRead::done`], the read is cancelled.
pub(super) struct LongRead<'a> {
    shared: &'a Shared,
    client: Option<Client>,
    turn: Option<Turn>,
}

impl<'a> LongRead<'a> {
    /// Waits for a turn and a connection.
    pub(super) async fn begin(shared: &'a Shared) -> Result<LongRead<'a>, StoreError> {
        let turn = Some(shared.turns.take().await);
        let client = Some(shared.client().await?);
        Ok(LongRead { shared, client, turn })
    }

    /// Reads, in its time.
    ///
    /// # Errors
    /// `GivenUp` when the time is over.
    pub(super) async fn read<T>(
        mut self,
        read: impl AsyncFnOnce(&mut Client) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let Some(client) = self.client.as_mut() else { return Err(StoreError::GivenUp) };
        let _running = self.shared.counters.long_read();
        let longest = Duration::from_millis(self.shared.options.query_ms_max);
        match timeout(longest, read(client)).await {
            Ok(outcome) => {
                self.client = None;
                outcome
            }
            Err(_) => Err(StoreError::GivenUp),
        }
    }
}

impl Drop for LongRead<'_> {
    fn drop(&mut self) {
        let Some(client) = self.client.take() else { return };
        // Out of the pool: whoever got it next would wait for the rest of this read, and the
        // cancellation might hit theirs.
        let client = Object::take(client);
        let (turn, tls) = (self.turn.take(), self.shared.tls.clone());
        let pooled = tls.is_pooled();
        let counters = Arc::clone(&self.shared.counters);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            match timeout(CANCEL_MAX, end(&client, &tls, pooled)).await {
                Ok(Ok(())) => counters.gave_up(),
                Ok(Err(error)) => tracing::warn!(%error, "a read could not be cancelled"),
                Err(_) => tracing::warn!("a cancelled read did not end"),
            }
            drop(turn);
        });
    }
}

/// Cancels what a connection does and waits until it has ended, well or not.
async fn end(client: &ClientWrapper, tls: &Tls, pooled: bool) -> Result<(), StoreError> {
    if pooled {
        // What is sent behind it might go to another session. A pooler that hears nothing more of
        // us ends the one that is at work.
        return connect::cancel(client, tls).await;
    }
    // Answered behind what is cancelled.
    let mut behind = pin!(client.batch_execute("ROLLBACK"));
    loop {
        connect::cancel(client, tls).await?;
        if timeout(CANCEL_AGAIN, &mut behind).await.is_ok() {
            return Ok(());
        }
    }
}
