//! The targets of `tests/hostile` as a library, for the binaries in `fuzz_targets`.
#![allow(clippy::unwrap_used, reason = "a target that cannot go on must fail loudly")]

#[path = "../../tests/hostile/mod.rs"]
pub mod hostile;
