//! The verifone dialect.
