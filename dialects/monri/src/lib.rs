//! The monri dialect.
