//! The wallee dialect.
