//! One line for each page and deed. A page names the permission it needs; a deed names the
//! operation of the API that it is, and has permission and proof by that. Router, rights and the
//! tests that see every operation are derived from these lines.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use patron_gateway::{
    Access, Dialect, Operation, Reply, Request,
    operation::{self, Unguarded},
};
use patron_model::{Failure, Permission};

use crate::page::Page;

/// Where the console answers, behind whatever prefix the server has.
pub const MOUNT: &str = "/console";

/// The operations of the API that the console is a client of, by their ids.
pub struct Api {
    /// The name of that API.
    pub own: &'static str,
    operations: HashMap<&'static str, Operation>,
    /// Every API, each with the operation by which it shows a customer.
    pub shown_by: Vec<(&'static Dialect, Operation)>,
}

impl Api {
    /// Those of an API, beside all APIs.
    pub fn of(dialect: &Dialect, all: &[&'static Dialect]) -> Arc<Api> {
        let served = |dialect: &Dialect| {
            (dialect.operations)().into_iter().filter(|operation| operation.is_served)
        };
        let operations = served(dialect).map(|operation| (operation.id, operation)).collect();
        let reads = all.iter().filter_map(|dialect| {
            let id = dialect.customer.read;
            Some((*dialect, served(dialect).find(|operation| operation.id == id)?))
        });
        Arc::new(Api { own: dialect.name, operations, shown_by: reads.collect() })
    }

    /// The operation with an id.
    ///
    /// # Errors
    /// `Internal` when there is none: a slip in the console.
    pub fn get(&self, id: &str) -> Result<&Operation, Failure> {
        self.operations.get(id).ok_or_else(|| Failure::internal(format!("the API has no {id}")))
    }

    /// All of them, in no order.
    pub fn all(&self) -> impl Iterator<Item = &Operation> {
        self.operations.values()
    }
}

/// The lines of one console.
pub struct Table(pub Arc<Api>);

type Boxed = patron_gateway::BoxFuture<'static, Result<Reply, Failure>>;

/// A line that does not say yet who may ask for it.
#[must_use]
pub struct Line(Unguarded<Box<dyn Fn(Request) -> Boxed + Send + Sync>>, Arc<Api>);

impl Table {
    /// A page: it shows something and changes nothing.
    pub fn page<F, Fut>(
        &self,
        path: &'static str,
        id: &'static str,
        title: &'static str,
        handler: F,
    ) -> Line
    where
        F: Fn(Page) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Reply, Failure>> + Send + 'static,
    {
        self.line(false, (path, id, title), handler)
    }

    /// A deed: a form that was sent.
    pub fn deed<F, Fut>(
        &self,
        path: &'static str,
        id: &'static str,
        title: &'static str,
        handler: F,
    ) -> Line
    where
        F: Fn(Page) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Reply, Failure>> + Send + 'static,
    {
        self.line(true, (path, id, title), handler)
    }

    fn line<F, Fut>(
        &self,
        is_deed: bool,
        (path, id, title): (&'static str, &'static str, &'static str),
        handler: F,
    ) -> Line
    where
        F: Fn(Page) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Reply, Failure>> + Send + 'static,
    {
        let api = Arc::clone(&self.0);
        let handle: Box<dyn Fn(Request) -> Boxed + Send + Sync> =
            Box::new(move |request| Box::pin(handler(Page::new(request, Arc::clone(&api)))));
        let line = match is_deed {
            true => operation::post(path, handle),
            false => operation::get(path, handle),
        };
        Line(line.named(id, title), Arc::clone(&self.0))
    }
}

impl Line {
    /// Who has this permission in the space of the path.
    pub fn needs(self, permission: Permission) -> Operation {
        html(self.0.needs(permission))
    }

    /// Everybody who signed in: it is about that person, or shows no more than what each part of it
    /// is asked for again.
    pub fn own(self) -> Operation {
        html(self.0.own())
    }

    /// Everybody.
    pub fn public(self) -> Operation {
        html(self.0.public())
    }

    /// Who may do an operation of the API, as freshly proven as that asks for.
    ///
    /// # Panics
    /// When the API has no such operation: before anything is served.
    pub fn does(self, id: &str) -> Operation {
        let Line(line, api) = self;
        let done = api.operations.get(id).expect("deeds name operations of the API").clone();
        let operation = match done.access {
            Access::Public => line.public(),
            Access::AnyKey | Access::Own => line.own(),
            Access::Needs(permission) => line.needs(permission),
            Access::NeedsAny(permissions) => line.needs_any(permissions),
        };
        let operation = if done.wants_proof { operation.step_up() } else { operation };
        let operation = if done.takes_half_a_proof { operation.half_way() } else { operation };
        let operation = if done.is_for_deployment { operation.for_deployment() } else { operation };
        html(operation)
    }
}

fn html(operation: Operation) -> Operation {
    operation.replies_in(&["text/html"]).replies_empty(200)
}
