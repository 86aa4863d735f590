//! One line per operation of an API, in one idiom. Router, permissions, OpenAPI, the readable
//! reference and the coverage tests are all derived from these lines.

mod line;

use std::future::Future;
use std::sync::Arc;

use http::Method;
use patron_app::rights;
use patron_model::{
    Failure, Permission, Permissions, Problem, Problems, Why, card, customer::Deed,
};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::{
    BoxFuture,
    exchange::{Reply, Request},
    schema::Schemas,
};

pub use self::line::{Nameless, Unguarded, delete, get, group, on, patch, post, put};

/// What a caller needs for an operation. There is no default: every line says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing: no credentials are looked at.
    Public,
    /// Any key in good standing: the operation tells nothing about anybody (catalogues).
    AnyKey,
    /// A key with this permission.
    Needs(Permission),
    /// A person who signed in: it is about that person and nobody else.
    Own,
    /// A key with any of these: which of them counts depends on the kind of the record.
    NeedsAny(&'static [Permission]),
}

impl Access {
    /// Whether somebody with these rights is let in.
    ///
    /// # Errors
    /// `Forbidden`.
    pub(crate) fn admits(self, rights: Permissions) -> Result<(), Failure> {
        match self {
            Access::Public | Access::AnyKey | Access::Own => Ok(()),
            Access::Needs(permission) => rights::allows(rights, permission),
            Access::NeedsAny(permissions) => {
                let has_one = permissions.iter().any(|permission| rights.has(*permission));
                if has_one { Ok(()) } else { Err(Failure::Forbidden) }
            }
        }
    }
}

/// How an operation treats idempotency keys.
#[derive(Debug, Clone, Copy)]
pub struct IdempotencyRule {
    /// Header that carries the key.
    pub header: &'static str,
    /// Seconds the answer is remembered.
    pub remembered_seconds: i64,
}

/// A query or header parameter, for the description.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// Name.
    pub name: &'static str,
    /// `query` or `header`.
    pub place: &'static str,
    /// JSON type of the value: `string`, `integer`, `boolean`; or `date-time`, a text of RFC 3339.
    pub kind: &'static str,
    /// Whether it must be given.
    pub required: bool,
    /// What it does.
    pub about: &'static str,
}

type Handler = Arc<dyn Fn(Request) -> BoxFuture<'static, Result<Reply, Failure>> + Send + Sync>;

/// Writes the schema of a wire type.
pub type SchemaFn = fn(&mut SchemaGenerator) -> Schema;

/// What a body or a reply is of.
#[derive(Clone, Copy)]
pub enum Shape {
    /// A wire type of Rust.
    Wire(SchemaFn),
    /// A type expression over types that are data.
    Table(&'static Schemas, &'static str),
}

impl Shape {
    /// Its schema; what it refers to becomes a definition.
    pub(crate) fn describe(self, generator: &mut SchemaGenerator) -> Schema {
        match self {
            Shape::Wire(schema) => schema(generator),
            Shape::Table(schemas, expression) => schemas.describe(expression, generator),
        }
    }
}

/// Id of all operations that are not served: they are counted and logged as one.
pub const NOT_SERVED: &str = "not_served";

/// An operation of an API.
#[derive(Clone)]
pub struct Operation {
    /// Method.
    pub method: Method,
    /// Path with `{name}` parameters, mount included.
    pub path: &'static str,
    /// Id: `<verb>_<resource>`.
    pub id: &'static str,
    /// One line for people.
    pub title: &'static str,
    /// Group in the reference.
    pub tag: &'static str,
    /// What a caller needs.
    pub access: Access,
    /// Schema of the body.
    pub body: Option<Shape>,
    /// Media types of the body, for the description.
    pub media: &'static [&'static str],
    /// Media types in which the body has a schema of its own.
    pub other_bodies: Vec<(&'static str, Shape)>,
    /// Statuses and schemas of the replies; failures in the usual shape are not among them.
    pub replies: Vec<(u16, Option<Shape>)>,
    /// Media types of the replies, for the description.
    pub reply_media: &'static [&'static str],
    /// Schema of its error bodies, where it is not the dialect's.
    pub failure: Option<SchemaFn>,
    /// Query and header parameters.
    pub parameters: Vec<Parameter>,
    /// How idempotency keys are treated, if at all.
    pub idempotency: Option<IdempotencyRule>,
    /// Whether it writes records of the deployment (accounts, spaces), not of a space.
    pub is_for_deployment: bool,
    /// Whether it is served; what is not is answered [`Failure::NotServed`].
    pub is_served: bool,
    /// Whether persons must have proven who they are a short while ago.
    pub wants_proof: bool,
    /// Whether a person may ask for it whose second factor is still awaited.
    pub takes_half_a_proof: bool,
    /// The members by which card data may come in, because the operation turns it into a token.
    pub accepted_cards: &'static [card::Member],
    /// What it does with a customer, where the customer's status may refuse that: for the
    /// description. Use cases see to it.
    pub deed: Option<Deed>,
    /// For how many requests a body counts; for one when absent.
    pub weigh: Option<fn(&[u8]) -> usize>,
    pub(crate) handler: Handler,
}

impl Operation {
    /// An operation from its parts; lines begin with [`get`], [`post`], [`put`], [`patch`],
    /// [`delete`] or, where a table names the method, [`on`].
    pub(crate) fn new<F, Fut>(
        method: Method,
        access: Access,
        path: &'static str,
        id: &'static str,
        title: &'static str,
        handler: F,
    ) -> Operation
    where
        F: Fn(Request) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Reply, Failure>> + Send + 'static,
    {
        Operation {
            method,
            path,
            id,
            title,
            tag: "",
            access,
            body: None,
            media: &["application/json"],
            other_bodies: Vec::new(),
            replies: Vec::new(),
            reply_media: &["application/json"],
            failure: None,
            parameters: Vec::new(),
            idempotency: None,
            is_for_deployment: false,
            is_served: true,
            wants_proof: false,
            takes_half_a_proof: false,
            accepted_cards: &[],
            deed: None,
            weigh: None,
            handler: Arc::new(move |request| Box::pin(handler(request))),
        }
    }

    /// An operation that the provider has and this server has not: whoever signs in is told so, and
    /// it stands in no description.
    pub fn not_served(method: Method, path: &'static str, title: &'static str) -> Operation {
        let refuse = |_| std::future::ready(Err(Failure::NotServed));
        let operation = Operation::new(method, Access::AnyKey, path, NOT_SERVED, title, refuse);
        Operation { is_served: false, ..operation }
    }

    /// Takes a body of this type.
    #[must_use]
    pub fn body<T: JsonSchema>(mut self) -> Operation {
        self.body = Some(Shape::Wire(|generator| generator.subschema_for::<T>()));
        self
    }

    /// Takes a body of a type that is data, by its expression.
    #[must_use]
    pub fn body_of(mut self, schemas: &'static Schemas, expression: &'static str) -> Operation {
        self.body = Some(Shape::Table(schemas, expression));
        self
    }

    /// Takes bodies of these media types.
    #[must_use]
    pub fn media(mut self, media: &'static [&'static str]) -> Operation {
        self.media = media;
        self
    }

    /// Takes a body of this type too, in a media type of its own.
    #[must_use]
    pub fn body_in<T: JsonSchema>(mut self, media: &'static str) -> Operation {
        self.other_bodies.push((media, Shape::Wire(|generator| generator.subschema_for::<T>())));
        self
    }

    /// Answers this type with a status.
    #[must_use]
    pub fn replies<T: JsonSchema>(mut self, status: u16) -> Operation {
        let shape = Shape::Wire(|generator| generator.subschema_for::<T>());
        self.replies.push((status, Some(shape)));
        self
    }

    /// Answers a type that is data, by its expression, with a status.
    #[must_use]
    pub fn answers(
        mut self,
        status: u16,
        schemas: &'static Schemas,
        expression: &'static str,
    ) -> Operation {
        self.replies.push((status, Some(Shape::Table(schemas, expression))));
        self
    }

    /// Answers in these media types.
    #[must_use]
    pub fn replies_in(mut self, media: &'static [&'static str]) -> Operation {
        self.reply_media = media;
        self
    }

    /// Answers an empty body with a status.
    #[must_use]
    pub fn replies_empty(mut self, status: u16) -> Operation {
        self.replies.push((status, None));
        self
    }

    /// Answers failures in a shape of its own.
    #[must_use]
    pub fn fails_with<T: JsonSchema>(mut self) -> Operation {
        self.failure = Some(|generator| generator.subschema_for::<T>());
        self
    }

    /// Refuses query parameters that none of its [`Parameter`]s names, together with whatever else
    /// is wrong with the query. Said last, when all are named.
    #[must_use]
    pub fn strict(mut self) -> Operation {
        let known = self.parameters.iter().filter(|parameter| parameter.place == "query");
        let known: Vec<&'static str> = known.map(|parameter| parameter.name).collect();
        let handler = self.handler;
        self.handler = Arc::new(move |mut request: Request| {
            let unknown = unknown_query(&request, &known);
            if unknown.is_empty() {
                return handler(request);
            }
            if known.is_empty() {
                return Box::pin(std::future::ready(Err(Failure::Malformed(unknown))));
            }
            // The handler adds what else is wrong with the query, and does nothing.
            request.unknown = unknown.clone();
            request.cx.dry_run = true;
            let handled = handler(request);
            Box::pin(async move { Err(with_unknown(unknown, handled.await.err())) })
        });
        self
    }

    /// Belongs to a group.
    #[must_use]
    pub fn tag(mut self, tag: &'static str) -> Operation {
        self.tag = tag;
        self
    }

    /// Takes parameters.
    #[must_use]
    pub fn takes(mut self, parameters: &[Parameter]) -> Operation {
        self.parameters.extend_from_slice(parameters);
        self
    }

    /// Honours idempotency keys.
    #[must_use]
    pub fn idempotent(mut self, rule: IdempotencyRule) -> Operation {
        self.idempotency = Some(rule);
        self
    }

    /// Writes records of the deployment, not of a space.
    #[must_use]
    pub fn for_deployment(mut self) -> Operation {
        self.is_for_deployment = true;
        self
    }

    /// Turns card data into a token, so it may come in: by these members of the body and no other
    /// way.
    #[must_use]
    pub fn accepts_cards(mut self, members: &'static [card::Member]) -> Operation {
        self.accepted_cards = members;
        self
    }

    /// Counts for as many requests as this says of its body, as far as the limits of who asks have
    /// them: what was let in is done.
    #[must_use]
    pub fn weighs(mut self, weigh: fn(&[u8]) -> usize) -> Operation {
        self.weigh = Some(weigh);
        self
    }

    /// Does something with a customer that its status may refuse.
    #[must_use]
    pub fn refusable(mut self, deed: Deed) -> Operation {
        self.deed = Some(deed);
        self
    }

    /// Asks persons to have proven who they are a short while ago. Keys are not asked.
    #[must_use]
    pub fn step_up(mut self) -> Operation {
        self.wants_proof = true;
        self
    }

    /// Lets in persons whose second factor is still awaited: what proves it, and signing out. All
    /// else of what is their own is refused to them.
    #[must_use]
    pub fn half_way(mut self) -> Operation {
        self.takes_half_a_proof = true;
        self
    }

    /// Whether it may change something.
    pub fn writes(&self) -> bool {
        let is_for_writing = match self.access {
            Access::Public => true,
            Access::AnyKey | Access::Own => false,
            Access::Needs(permission) => !permission.only_reads(),
            Access::NeedsAny(permissions) => !permissions.iter().all(|one| one.only_reads()),
        };
        self.is_served && (is_for_writing || self.method != Method::GET)
    }
}

/// Every query parameter that is not among the known ones.
fn unknown_query(request: &Request, known: &[&str]) -> Problems {
    let mut problems = Problems::new();
    if request.query_string().is_empty() {
        return problems;
    }
    for name in request.query().unknown(known) {
        problems.add(name, Why::unknown_field(name, known.iter().copied()));
    }
    problems
}

/// The refusal of unknown parameters, with whatever else was found.
fn with_unknown(mut unknown: Problems, found: Option<Failure>) -> Failure {
    if let Some(Failure::Malformed(found) | Failure::Invalid(found)) = found {
        let is_new = |problem: &Problem| unknown.iter().all(|known| known != problem);
        let new: Vec<Problem> = found.into_iter().filter(is_new).collect();
        new.into_iter().for_each(|problem| unknown.add(problem.field, problem.why));
    }
    Failure::Malformed(unknown)
}

impl Parameter {
    /// An optional query parameter.
    pub const fn query(name: &'static str, kind: &'static str, about: &'static str) -> Parameter {
        Parameter { name, place: "query", kind, required: false, about }
    }

    /// An optional header.
    pub const fn header(name: &'static str, about: &'static str) -> Parameter {
        Parameter { name, place: "header", kind: "string", required: false, about }
    }

    /// The same, required.
    #[must_use]
    pub const fn required(self) -> Parameter {
        Parameter { required: true, ..self }
    }
}
