//! The nouns of Patron and their rules. Pure: no HTTP, no SQL, no clock, no tasks.
//!
//! - [`customer`]: the customer record and how a patch is applied to it.
//! - [`address`]: postal addresses; they live inside the customer's document.
//! - [`comment`], [`payment_method`]: records that hang on a customer.
//! - [`resource`]: records that are tables, whatever their family.
//! - [`space`]: accounts, spaces (tenants) and the keys that open them; [`permission`]: what a key
//!   may do, and the built-in roles.
//! - [`user`]: people and applications; [`role`]: own roles of accounts, and who holds which.
//! - Values that parse: [`text`], [`email`], [`phone`], [`country`], [`currency`], [`language`],
//!   [`network`], [`time_zone`], [`metadata`], [`time`]. One that exists is valid; `Debug` masks
//!   personal data.
//! - [`card`]: recognising card numbers, so that they can be refused or tokenised.
//! - [`webhook`]: who is told what happened.
//! - [`audit`]: entries of the audit trail.
//! - [`event`]: what happened to a record, in the words of its noun.
//! - [`problem`] and [`failure`]: what can be wrong, without words and without HTTP.

pub mod address;
pub mod audit;
pub mod card;
pub mod comment;
pub mod country;
pub mod currency;
pub mod customer;
pub mod email;
pub mod event;
pub mod failure;
pub mod identity;
pub mod language;
pub mod metadata;
pub mod names;
pub mod network;
pub mod patch;
pub mod payment_method;
pub mod permission;
pub mod phone;
pub mod problem;
pub mod provider;
pub mod resource;
pub mod role;
pub mod shown;
pub mod space;
pub mod spelling;
pub mod text;
pub mod time;
pub mod time_zone;
pub mod user;
pub mod webhook;

pub use event::Event;
pub use failure::{Failure, Noun, Report};
pub use identity::{Identity, Ids};
pub use patch::Patch;
pub use permission::{Permission, Permissions};
pub use problem::{Problem, Problems, Why};
pub use time::Timestamp;
