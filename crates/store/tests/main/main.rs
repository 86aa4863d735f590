//! One test binary: the contract on every engine, random operations against the memory engine, and
//! what happens when things break.
#![allow(clippy::unwrap_used, missing_docs)]

mod contract;
mod faults;
mod groups;
mod increments;
mod long_reads;
mod machine;
mod migrations;
mod packed;
mod purges;
mod searches;
mod support;
mod transfers;
