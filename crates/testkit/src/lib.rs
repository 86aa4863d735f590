//! Test servers, typed callers and throw-away PostgreSQL.
