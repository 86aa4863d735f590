//! The verbs of Patron: use cases over the nouns of `patron-model` and the record store.
//!
//! - [`App`]: what every request shares; [`Cx`]: one request's context (who, where, when, why).
//! - [`commit`]: the one write path: read, decide, commit if unchanged, again when raced.
//! - [`record`]: how every noun is looked for and read; [`documents`]: how it is stored.
//! - One module per noun: [`customers`], [`addresses`], [`comments`], [`payment_methods`], [`spaces`],
//!   [`keys`]; [`journal`] answers what happened, [`audit`] who did what about access; [`search`]
//!   is how questions are asked. [`offboarding`] deletes a space for good. [`import`] reads files
//!   of customers.
//! - [`resources`]: records that are tables, whatever their family.
//! - [`users`], [`roles`], [`assignments`]: people and applications, and who holds which role
//!   where; [`places`]: the tree of accounts; [`rights`]: who may do what, the one place that says
//!   yes. [`providers`]: who else says who people are.
//! - [`sign_in`]: how persons prove who they are, and their sessions.
//! - [`mails`]: what persons are sent.
//! - [`shares`]: what one key may hold of what everybody shares.
//! - [`secrets`]: sealing, fingerprints, hashes; [`keyring`]: the keys for it at rest, and how the
//!   master key is changed; [`vault`]: secrets that must be kept.
//! - [`statistics`]: what happened in a space, counted by the minute.
//! - [`shown`] and [`faces`]: customers that are only shown are not decoded.
//! - [`reindex`]: what is derived of customers, made anew.
//! - [`webhooks`]: who is told what happened, and what became of it.
//! - [`idempotency`]: repeats give the same answer.
//!
//! No HTTP here and no dialect's name.

pub mod addresses;
pub mod assignments;
pub mod audit;
mod before;
pub mod clock;
pub mod comments;
pub mod commit;
pub mod customers;
pub mod documents;
pub mod faces;
pub mod idempotency;
pub mod ids;
pub mod import;
pub mod journal;
pub mod keyring;
pub mod keys;
pub mod mails;
mod master;
pub mod offboarding;
pub mod payment_methods;
pub mod places;
pub mod providers;
pub mod record;
pub mod reindex;
pub mod resources;
pub mod rights;
pub mod roles;
pub mod search;
pub mod secrets;
pub mod shares;
pub mod shown;
pub mod sign_in;
pub mod sinks;
pub mod spaces;
pub mod statistics;
pub mod users;
pub mod vault;
pub mod webhooks;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, OnceLock};

use async_recursion::async_recursion;
use patron_model::{Failure, Permissions, Timestamp, space::Space};
use patron_store::{Store, StoreError};

pub use clock::Clock;
pub use commit::{Draft, Expect, Saved};
pub use keys::{Caller, Callers};
pub use record::{Id, Loaded, Page};

/// What every request shares.
pub struct App {
    /// The record store.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// Sealing, fingerprints and hashes.
    pub secrets: secrets::Secrets,
    pub(crate) master: keyring::Master,
    pub(crate) ids: ids::IdPool,
    pub(crate) callers: keys::CallerCache,
    pub(crate) homes: spaces::Homes,
    pub(crate) uses: keys::Uses,
    pub(crate) running: idempotency::Running,
    pub(crate) audit_numbers: audit::Numbers,
    pub(crate) refusals: audit::refusals::Refusals,
    pub(crate) counters: statistics::Counters,
    /// Rendered answers about customers.
    pub faces: faces::Faces,
    pub(crate) login: OnceLock<String>,
    pub(crate) sign_in: sign_in::Shared,
    pub(crate) mails: OnceLock<mails::Transport>,
    pub(crate) carrier: OnceLock<Box<dyn webhooks::carrier::Carrier>>,
    pub(crate) notifiers: OnceLock<Vec<&'static webhooks::notifier::Notifier>>,
    /// Spaces whose deletion this process is finishing.
    pub(crate) leaving: Mutex<HashSet<i64>>,
    holders: shares::Holders,
    heavy: Arc<tokio::sync::Semaphore>,
    /// Whether the process was asked to stop.
    stopping: tokio::sync::watch::Sender<bool>,
}

impl App {
    /// An app over a store whose secrets are open; see [`App::open`].
    pub(crate) fn new(
        store: Store,
        clock: Clock,
        secrets: secrets::Secrets,
        master: keyring::Master,
    ) -> Arc<App> {
        Arc::new(App {
            store,
            clock,
            secrets,
            master,
            ids: ids::IdPool::default(),
            callers: keys::CallerCache::default(),
            homes: spaces::Homes::default(),
            uses: keys::Uses::default(),
            running: idempotency::Running::default(),
            audit_numbers: audit::Numbers::default(),
            refusals: audit::refusals::Refusals::default(),
            counters: statistics::Counters::default(),
            faces: faces::Faces::default(),
            login: OnceLock::new(),
            sign_in: sign_in::Shared::default(),
            mails: OnceLock::new(),
            carrier: OnceLock::new(),
            notifiers: OnceLock::new(),
            leaving: Mutex::default(),
            holders: shares::Holders::default(),
            heavy: Arc::new(tokio::sync::Semaphore::new(shares::HEAVY_MAX)),
            stopping: tokio::sync::watch::Sender::new(false),
        })
    }

    /// An app that has none of the store's secrets, for work that needs none. What it seals is
    /// never kept.
    pub fn without_secrets(store: Store, clock: Clock) -> Arc<App> {
        let master = keyring::Master::fixed(secrets::MasterKey::random());
        App::new(store, clock, secrets::Secrets::none(), master)
    }

    /// Says who operates this process, by login name: the audit trail names them. Only the first
    /// word counts.
    pub fn operated_by(&self, login: String) {
        let _ = self.login.set(login);
    }

    /// Says that the process was asked to stop: whoever waits for something that may happen some
    /// day ends its wait.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Whether the process was asked to stop.
    pub fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Is done once the process was asked to stop.
    #[async_recursion]
    pub async fn stopped(&self) {
        // The sender lives as long as the app that is borrowed here.
        let _ = self.stopping.subscribe().wait_for(|is_stopping| *is_stopping).await;
    }

    /// Who shares for all that have no key.
    pub fn strangers(&self) -> Arc<shares::Holder> {
        shares::Holders::of_strangers(self.store.long_reads_max())
    }

    /// The context of work that no request caused: start-up, commands on the machine itself.
    pub fn operator(self: &Arc<Self>, space: i64, request: &str) -> Cx {
        Cx {
            app: Arc::clone(self),
            actor: Actor::Operator,
            rights: Permissions::ALL,
            cut: Permissions::ALL,
            space,
            request: request.into(),
            now: self.clock.now(),
            dry_run: false,
            idempotency: None,
            origin: None,
            seen: None,
            work: None,
        }
    }
}

/// Who caused a change.
#[derive(Debug, Clone)]
pub enum Actor {
    /// The holder of a key, or a person by a session.
    Caller(Arc<Caller>),
    /// The operator of the machine.
    Operator,
    /// The person of this number, who proves who they are with this request: signing in, or by a
    /// link that was mailed to them. It holds no rights.
    Person(i64),
    /// Somebody without a key, at an operation that needs none.
    Anonymous,
}

/// The context of one request.
#[derive(Clone)]
pub struct Cx {
    /// What every request shares.
    pub app: Arc<App>,
    /// Who asks.
    pub actor: Actor,
    /// What the request may do where it works; asked through [`rights`].
    pub rights: Permissions,
    /// What its token was asked for: it may do nothing else anywhere.
    pub cut: Permissions,
    /// Space it works in; 0 is the deployment itself.
    pub space: i64,
    /// Request id, as logged and journalled.
    pub request: Arc<str>,
    /// The moment of the request: all its changes carry it.
    pub now: Timestamp,
    /// Check and show, but change nothing.
    pub dry_run: bool,
    /// Idempotency key of the request.
    pub idempotency: Option<Arc<idempotency::Idempotency>>,
    /// Where it came from; none: the machine itself.
    pub origin: Option<Arc<dyn audit::Origin>>,
    /// Whose data it has read, where a space wants that written down.
    pub seen: Option<Arc<audit::Seen>>,
    /// What the request holds while it works; the operator's work holds nothing.
    pub work: Option<Arc<shares::Work>>,
}

impl Cx {
    /// The key that asks, or the person by a session.
    ///
    /// # Errors
    /// `Forbidden` for work that neither asked for.
    pub fn caller(&self) -> Result<&Arc<Caller>, Failure> {
        match &self.actor {
            Actor::Caller(caller) => Ok(caller),
            Actor::Operator | Actor::Person(_) | Actor::Anonymous => Err(Failure::Forbidden),
        }
    }

    /// Number of the key or person that asks, which are one row of numbers; 0 where there is none.
    pub fn actor_number(&self) -> i64 {
        match &self.actor {
            Actor::Caller(caller) => caller.key.number,
            Actor::Person(number) => *number,
            Actor::Operator | Actor::Anonymous => 0,
        }
    }

    /// Number of the user who asks, where there is one.
    pub fn user(&self) -> Option<i64> {
        match &self.actor {
            Actor::Caller(caller) => Some(caller.user.number),
            Actor::Person(number) => Some(*number),
            Actor::Operator | Actor::Anonymous => None,
        }
    }

    /// Who asks, for the journal: `key:12`, `user:7`, `operator` or `anonymous`.
    pub fn actor_name(&self) -> String {
        match &self.actor {
            Actor::Caller(caller) => caller.actor().word(),
            Actor::Person(number) => format!("user:{number}"),
            Actor::Operator => "operator".to_owned(),
            Actor::Anonymous => "anonymous".to_owned(),
        }
    }

    /// The space it works in, where the caller's key opens one.
    pub fn space_record(&self) -> Option<&Arc<Space>> {
        match &self.actor {
            Actor::Caller(caller) => caller.space(self.space),
            Actor::Operator | Actor::Person(_) | Actor::Anonymous => None,
        }
    }

    /// Waits for a turn at heavy work: making a file, hashing a password. Few are done at a time,
    /// and one for each key, so that their memory and time are bounded.
    #[async_recursion]
    pub async fn heavy_turn(&self) -> Option<shares::HeavyTurn> {
        match &self.work {
            Some(work) => Some(work.heavy(&self.app.heavy).await),
            None => None,
        }
    }

    /// The same context in another space.
    #[must_use]
    pub fn in_space(&self, space: i64) -> Cx {
        Cx { space, ..self.clone() }
    }
}

/// A store error that no use case has a better word for.
pub fn failure(error: StoreError) -> Failure {
    match error {
        StoreError::Full => Failure::Unavailable { retry_after_seconds: 1 },
        StoreError::Unavailable(why) => {
            tracing::error!(store.error = why, "the store is not available");
            Failure::Unavailable { retry_after_seconds: 5 }
        }
        // Too expensive a question, or the machine is too slow for it.
        StoreError::GivenUp => Failure::TimedOut,
        StoreError::Answered => Failure::InFlight,
        StoreError::Conflict { .. } => Failure::Unavailable { retry_after_seconds: 1 },
        StoreError::Unique { .. } | StoreError::Engine(_) => Failure::internal(error),
    }
}
