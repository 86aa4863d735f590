//! Customers: `/v1/customers`. The shown form itself is the model's, which keeps it rendered.

mod bulk;
mod handlers;
mod json_patch;
mod past;
pub mod read;
pub mod rows;
mod shape;
pub mod show;
mod status;

pub use bulk::{BulkIn, BulkOut, bulk, weight};
pub use handlers::*;
pub use past::{DiffOut, RevertIn, diff, revert};
pub use shape::SHAPE;
pub use status::{StatusEndIn, StatusIn, set_status};
