//! Connections that single reads share. The driver sends what is asked at the same time in one go,
//! and the server answers in one go: fewer wake-ups on both sides than with a connection for each.
//! Only reads of single rows go here, so nobody waits behind a long one.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};

use deadpool_postgres::Client;

use super::shared::Shared;
use crate::StoreError;

/// One connection in so many of the pool is shared.
const POOL_PART: usize = 4;

/// The shared connections, taken from the pool when first needed and when one is lost.
pub(super) struct Readers {
    slots: Vec<RwLock<Option<Arc<Client>>>>,
    turn: AtomicUsize,
}

impl Readers {
    pub(super) fn new(pool_max: usize) -> Readers {
        let slots = (0..pool_max / POOL_PART).map(|_| RwLock::new(None)).collect();
        Readers { slots, turn: AtomicUsize::new(0) }
    }

    /// Connections it keeps.
    pub(super) fn connections(&self) -> usize {
        self.slots.len()
    }

    /// A connection to read a single row over.
    pub(super) async fn client(&self, shared: &Shared) -> Result<Arc<Client>, StoreError> {
        let turn = self.turn.fetch_add(1, Relaxed);
        let Some(slot) = turn.checked_rem(self.slots.len()).map(|at| &self.slots[at]) else {
            return shared.client().await.map(Arc::new);
        };
        let held = slot.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(client) = held.filter(|client| !client.is_closed()) {
            return Ok(client);
        }
        // Several may come here at once; the last one's connection stays, the others go back.
        let fresh = Arc::new(shared.client().await?);
        *slot.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&fresh));
        Ok(fresh)
    }

    /// Lets go of the connections.
    pub(super) fn close(&self) {
        for slot in &self.slots {
            *slot.write().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }
}
