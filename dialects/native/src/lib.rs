//! The native dialect.
