//! How an operation is written down: `get(path, handler).named(id, title).needs(permission)`, then
//! what it takes and what it answers. The order is fixed by types, so that no line can leave out
//! who may call it.

use std::future::Future;

use http::Method;
use patron_model::{Failure, Permission};

use super::{Access, Operation};
use crate::exchange::{Reply, Request};

/// The beginning of an operation: it has no name yet.
#[must_use]
pub struct Nameless<F> {
    method: Method,
    path: &'static str,
    handler: F,
}

/// An operation that does not say yet who may call it.
#[must_use]
pub struct Unguarded<F> {
    line: Nameless<F>,
    id: &'static str,
    title: &'static str,
}

/// GET of a path. The handler may be any `async fn(Request) -> Result<Reply, Failure>`.
pub fn get<F>(path: &'static str, handler: F) -> Nameless<F> {
    on(Method::GET, path, handler)
}

/// POST to a path.
pub fn post<F>(path: &'static str, handler: F) -> Nameless<F> {
    on(Method::POST, path, handler)
}

/// PUT to a path.
pub fn put<F>(path: &'static str, handler: F) -> Nameless<F> {
    on(Method::PUT, path, handler)
}

/// PATCH of a path.
pub fn patch<F>(path: &'static str, handler: F) -> Nameless<F> {
    on(Method::PATCH, path, handler)
}

/// DELETE of a path.
pub fn delete<F>(path: &'static str, handler: F) -> Nameless<F> {
    on(Method::DELETE, path, handler)
}

/// A method of a path: for lines that take both from a table.
pub fn on<F>(method: Method, path: &'static str, handler: F) -> Nameless<F> {
    Nameless { method, path, handler }
}

/// Operations of one group of the reference.
pub fn group(tag: &'static str, operations: impl IntoIterator<Item = Operation>) -> Vec<Operation> {
    operations.into_iter().map(|operation| operation.tag(tag)).collect()
}

impl<F> Nameless<F> {
    /// Its id, `<verb>_<resource>` or as its API has it, and one line for people.
    pub fn named(self, id: &'static str, title: &'static str) -> Unguarded<F> {
        Unguarded { line: self, id, title }
    }
}

impl<F, Fut> Unguarded<F>
where
    F: Fn(Request) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Reply, Failure>> + Send + 'static,
{
    /// A key with this permission may call it.
    pub fn needs(self, permission: Permission) -> Operation {
        self.open_to(Access::Needs(permission))
    }

    /// A key with any of these permissions may call it: the use case asks for the one that counts
    /// for the kind of record.
    pub fn needs_any(self, permissions: &'static [Permission]) -> Operation {
        self.open_to(Access::NeedsAny(permissions))
    }

    /// Any key in good standing may call it: it tells nothing about anybody (catalogues).
    pub fn any_key(self) -> Operation {
        self.open_to(Access::AnyKey)
    }

    /// Every person who signed in may call it: it is about that person and nobody else.
    pub fn own(self) -> Operation {
        self.open_to(Access::Own)
    }

    /// Everybody may call it: no credentials are looked at.
    pub fn public(self) -> Operation {
        self.open_to(Access::Public)
    }

    fn open_to(self, access: Access) -> Operation {
        let Unguarded { line: Nameless { method, path, handler }, id, title } = self;
        Operation::new(method, access, path, id, title, handler)
    }
}
