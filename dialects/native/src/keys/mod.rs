//! Keys: `/v1/keys`. A key for a whole account sees and makes keys where its user may; any other
//! only those of its own space. Nobody makes, changes or rotates a key with more rights than his
//! own.

mod handlers;
mod wire;

pub use self::{
    handlers::{create, get, list, revoke, rotate, update},
    wire::{KeyIn, KeyOut, RotateIn},
};
