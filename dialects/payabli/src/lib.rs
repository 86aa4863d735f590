//! The payabli dialect.
