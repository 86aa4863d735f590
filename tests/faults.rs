//! A broken world around the whole program: a disk that fails, fills up or loses what was not
//! flushed, a clock that jumps. How the disk works: `docs/faults.md`.

mod clock;
pub mod dice;
mod disk;
pub mod door;
mod image;
pub mod load;
mod nth;
mod power;
