//! How people prove who they are: what can be checked without a record and without a request.
//!
//! - [`passkey`]: WebAuthn, what a browser is asked for and whether its answer proves a credential.
//! - [`oidc`]: OpenID Connect, where a provider is asked through the guarded client, and whether
//!   its token proves a person.
//! - [`signature`]: the signatures that both rest on.
//!
//! Whose credential it is, what it opens and what is written down about it is decided elsewhere.

pub mod oidc;
pub mod passkey;
mod signature;
