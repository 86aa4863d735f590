//! Customers: `/v1/customers`. The shown form itself is the model's, which keeps it rendered.

mod handlers;
mod json_patch;
pub(crate) mod read;
pub mod rows;
pub(crate) mod show;

pub(crate) use handlers::*;
