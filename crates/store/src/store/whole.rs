//! The verbs about everything that a store holds: checks, dumps and restores.

use tokio::io::AsyncWrite;

use super::{Engine, Pending, Store, on_engine};
use crate::increment::{self, Since};
use crate::options::{Location, Options};
use crate::{
    BackupFile, CheckReport, DumpSummary, ImpliedBy, Kind, Part, Position, Replay, Restored,
    StoreError, check, dump, restore,
};

impl Store {
    /// Reads everything in one snapshot and compares what must agree. `implied` gives what a row's
    /// document implies, `None` where it is not to be compared.
    /// Holds a few dozen bytes per record in memory.
    pub async fn check(&self, implied: &ImpliedBy<'_>) -> Result<CheckReport, StoreError> {
        check::check(self, implied).await
    }

    /// Problems the engine itself knows of.
    pub(crate) fn integrity<'a>(&'a self) -> Pending<'a, Result<Vec<String>, StoreError>> {
        Box::pin(async move { on_engine!(self, engine => engine.integrity().await) })
    }

    /// Writes everything, as of one moment, as lines of JSON; see `dump.rs`. Runs beside other
    /// work.
    pub async fn dump(
        &self,
        out: &mut (dyn AsyncWrite + Unpin + Send),
    ) -> Result<(DumpSummary, Position), StoreError> {
        dump::dump(self, out).await
    }

    /// The same for a part of the records. Reads all of them.
    pub async fn dump_part(
        &self,
        part: &Part,
        out: &mut (dyn AsyncWrite + Unpin + Send),
    ) -> Result<DumpSummary, StoreError> {
        dump::dump_part(self, part, out).await
    }

    /// Writes what changed since a dump or another increment; see `increment.rs`. Of the kinds
    /// without a journal, which are to be named, all records. Runs beside other work.
    ///
    /// # Errors
    /// Also when this is not the data, or no longer the data, that stood at that position.
    pub async fn dump_since(
        &self,
        position: Position,
        whole: &'static [&'static Kind],
        out: &mut (dyn AsyncWrite + Unpin + Send),
    ) -> Result<(DumpSummary, Position), StoreError> {
        increment::write(self, Since { position, whole }, out).await
    }

    /// Reads a dump of any engine, and increments behind it, into an empty store. Nothing is kept
    /// unless all of them were read to the end and counts, hashes and positions agree; until then
    /// the store cannot be opened, also not after a crash, but a restore can be begun again.
    pub async fn restore(
        location: &Location,
        kinds: &'static [&'static Kind],
        options: Options,
        files: Vec<BackupFile>,
        replay: &Replay,
    ) -> Result<Vec<Restored>, StoreError> {
        let store = Store::open_unfinished(location, kinds, options).await?;
        let outcome = async {
            restore::begin(&store).await?;
            restore::restore(&store, files, replay).await
        };
        let outcome = outcome.await;
        store.close().await;
        outcome
    }

    /// Like [`Store::restore`], into this store, which must be empty.
    pub async fn restore_here(
        &self,
        files: Vec<BackupFile>,
        replay: &Replay,
    ) -> Result<Vec<Restored>, StoreError> {
        restore::restore(self, files, replay).await
    }
}
