//! The record store: it moves documents and declared columns, and does not know what a customer is.
//!
//! One [`Store`] with a small set of verbs over three engines: `memory` (the oracle of the tests),
//! `sqlite` (embedded, one writer thread with group commit) and `postgres` (several processes on one
//! database). A [`Batch`] is the only way to write. Read this file first, then `store.rs`.
//!
//! What is deliberately absent: joins, transactions that outlive a call, schema knowledge, and any
//! reading of documents beyond the fields a [`Predicate`] names.

mod backup_file;
mod batch;
mod check;
mod cores;
mod ddl;
mod doc;
mod document;
mod dump;
mod error;
mod evaluate;
mod face;
mod filter;
mod increment;
mod kind;
mod lane;
mod memory;
mod migration;
mod news;
mod options;
mod packing;
mod page;
mod param;
mod patience;
mod position;
mod postgres;
mod purge;
mod query;
mod rebuild;
mod restore;
mod sql;
mod sqlite;
mod statistics;
mod store;
mod terms;

pub use backup_file::{BackupFile, entry_time, position_of};
pub use batch::{Answer, Batch, EMPTY, Entry, NewEntry, RELATED_MAX, Record, Row, Write};
pub use check::{CheckReport, Implied, ImpliedBy};
pub use doc::Doc;
pub use dump::{DumpSummary, Part};
pub use error::StoreError;
pub use evaluate::Subject;
pub use face::{face_of, faceless, with_face};
pub use kind::{Column, Index, Kind, Shape};
pub use lane::Lane;
pub use options::{Location, Options, RelatedOf, Synchronous};
pub use position::Position;
pub use purge::Counts;
pub use query::{After, Compare, Field, Order, Predicate, Query, SortKey, Value};
pub use restore::{OutcomeOf, RecordOf, Replay, Restored, Until};
pub use statistics::Statistics;
pub use store::{Committed, EngineInfo, Found, Store};
