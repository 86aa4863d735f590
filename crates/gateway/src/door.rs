//! Where a request goes in: what the pipeline has to know of whatever it leads to, an API or the
//! console.

use std::borrow::Cow;
use std::sync::Arc;

use patron_app::App;
use patron_model::Failure;

use crate::{
    BoxFuture,
    dialect::Claim,
    exchange::{Exchange, Reply},
    limits::QuotaState,
    operation::Operation,
};

/// Paths, sign-in, operations and how refusals look.
pub struct Door {
    /// Its name: one word in lower case; for an API also the word for its keys.
    pub name: &'static str,
    /// Path prefixes it answers at, on segment boundaries.
    pub mounts: &'static [&'static str],
    /// The path to route by: most match exactly, some fold case or trailing slashes.
    pub route: fn(&str) -> Cow<'_, str>,
    /// Who asks, and in which space.
    pub authenticate: Authenticate,
    /// Public half of the key that a refused request claimed to hold, for the audit trail. Looks at
    /// the request only.
    pub claimed: fn(&Exchange) -> Option<String>,
    /// Whether the signature of a request covers its body, so that who asks is only known once the
    /// body is there. All others sign in before their body is read.
    pub covers_body: fn(&Exchange) -> bool,
    /// Every operation: the one page.
    pub operations: fn() -> Vec<Operation>,
    /// A failure in its own error shape.
    pub render: fn(&Failure, &Exchange) -> Reply,
    /// Last touch on every reply: headers that all answers carry.
    pub finish: fn(&mut Reply, &Exchange, Option<QuotaState>),
}

/// Finds out who asks, and in which space.
pub type Authenticate =
    for<'a> fn(&'a Arc<App>, &'a Exchange) -> BoxFuture<'a, Result<Claim, Failure>>;
