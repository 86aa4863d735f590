//! Brings every committed change to whoever asked for it: at least once, never before its commit,
//! none lost whenever a process is killed, on one node or several. Nothing is written beside a
//! change: the journal is the queue, and each endpoint's cursor moves over it.
//!
//! - [`core`]: what a node decides, pure; [`lane`]: one endpoint; [`schedule`]: when what failed is
//!   tried again; [`nodes`]: whose an endpoint is where several nodes share the work.
//! - [`replay`]: makes deliveries of what has happened once more.
//! - [`engine`]: does what the core decides. [`look`]: what there is to be worked for.
//! - [`carrier`]: the guarded client as the use cases know it. [`figures`]: what is counted.

pub mod carrier;
mod core;
pub mod engine;
mod figures;
mod lane;
mod look;
mod nodes;
mod replay;
mod schedule;

pub use carrier::Guarded;
pub use engine::{Engine, Options};
