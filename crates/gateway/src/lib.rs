//! The HTTP kit every API of Patron is built with, our own included.
//!
//! - [`dialect`]: what an API says of itself: paths, sign-in, operations, error shape.
//! - [`door`]: what the pipeline has to know of it, and of the console, which is no API.
//! - [`operation`]: one line per operation; router, permissions and OpenAPI are derived from it.
//! - [`dispatch`]: the request pipeline, readable top to bottom.
//! - [`exchange`]: a request as it came in (exact bytes) and the reply.
//! - [`inner`]: an operation that is done on behalf of a request to another door.
//! - [`decode`]: JSON, query strings and forms into values or problems. [`faults`]: all of them at
//!   once. [`fields`]: members into patches.
//! - [`cards`]: the door at which card data is refused. [`limits`]: everything that is bounded.
//! - [`own_headers`]: what webhook endpoints may ask to be sent besides.
//! - [`browsers`]: cookies, and where requests of pages come from.
//! - [`strangers`]: what an address may try before anybody knows who asks.
//! - [`schema`]: types as data. [`catalogue`]: records that are only read, over such types.
//!   [`tabular`]: records that callers write, over the same.
//! - [`openapi`] and [`reference`]: descriptions for machines and for people.
//! - [`spreadsheet`]: cells of CSV files that are no formulas.
//! - [`server`]: connections. [`metrics`]: what is counted. [`traces`]: a span for every request.

mod addresses;
mod admission;
mod answers;
mod bodies;
pub mod browsers;
pub mod cards;
pub mod catalogue;
pub mod decode;
pub mod dialect;
pub mod dispatch;
pub mod door;
pub mod exchange;
pub mod faults;
pub mod fields;
mod fingerprint;
pub mod inner;
pub mod limits;
pub mod metrics;
pub mod openapi;
pub mod operation;
pub mod own_headers;
mod pass;
mod paths;
mod patience;
pub mod provision;
pub mod reference;
pub mod schema;
pub mod server;
pub mod spreadsheet;
pub mod strangers;
pub mod tabular;
pub mod traces;
mod trail;

pub use dialect::{Claim, Credentials, Dialect, Minted, SignRequest};
pub use dispatch::Gateway;
pub use door::Door;
pub use exchange::{Exchange, Guest, Reply, Request, Site};
pub use faults::Faults;
pub use fields::{Fields, Member, Reading};
pub use operation::{Access, Operation};

/// A boxed future, as handlers and sign-in functions answer.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn std::future::Future<Output = T> + Send + 'a>>;
