//! How far an endpoint is in the journal of its space, and how it fares. One record beside each
//! endpoint, not journaled: its revision is the fence. Whoever works for an endpoint replaces it
//! with every result, so a node that lost the endpoint to another one cannot write any more.

use patron_model::{Failure, card::Found, event::UntoldEvent};
use patron_store::{Kind, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    App,
    documents::{Document, named},
    failure,
    record::{Loaded, decode},
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
}

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
        }
    }

    /// The cursor of an endpoint that goes on somewhere, with nothing held against it.
    #[must_use]
    pub(super) fn resumed(&self, position: i64) -> Cursor {
        let done = if position == self.position { self.done.clone() } else { Vec::new() };
        let health = Health { last_success_at: self.health.last_success_at, ..Health::default() };
        Cursor { position, done, health, ..self.clone() }
    }
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
