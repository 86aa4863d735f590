//! How an API tells endpoints of its own what happened. Each API says it in one [`Notifier`];
//! whoever delivers knows nothing else of it.

use std::ops::Deref;

use patron_model::{Failure, Timestamp, webhook::Endpoint};
use patron_store::Entry;

use super::{
    listening::{Listening, Seed},
    secrets::Keys,
    telling::Happening,
};
use crate::{App, Cx};

/// Headers of a request: names in lower case, and values.
pub type Headers = Vec<(String, String)>;

/// How an API tells its endpoints what happened.
pub struct Notifier {
    /// The word of the API: the `dialect` of its endpoints.
    pub dialect: &'static str,
    /// Whether an endpoint is told of an entry that is of one of its types.
    pub wants: fn(&Endpoint, &Entry) -> bool,
    /// What it is told: mostly one body, several where several of its things changed at once. The
    /// same entry is told in the same bytes each time.
    pub tell: fn(&Happening<'_>) -> Result<Vec<Vec<u8>>, Failure>,
    /// Headers that say who sent a body, but for the endpoint's own.
    pub sign: fn(&Signed<'_>) -> Result<Headers, Failure>,
    /// What signs beside the endpoint's own secrets.
    pub signs_with: SignsWith,
    /// Types, comma separated, that endpoints in its form may ask for when they are made through
    /// the product's own API (`*` for all); none where they are made through this one.
    pub offers: &'static str,
    /// When what failed is tried again.
    pub schedule: Schedule,
    /// Seconds an attempt may take, unless its endpoint says otherwise.
    pub timeout_seconds: i64,
    /// As what whoever listens without an endpoint is told.
    pub listens: fn(&Cx, &Seed) -> Result<Listening, Failure>,
    /// Whether the API shows what arrived at once. Then that has a delivery too, which costs a
    /// write each.
    pub notes_all: bool,
}

/// What signs beside an endpoint's own secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignsWith {
    /// Nothing.
    Own,
    /// The secret of the key that the endpoint names.
    Key,
    /// The key pair of its space.
    Space,
}

/// When what failed is tried again.
#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    /// Seconds after the first attempt and each further one; after the last it is given up.
    pub pauses: &'static [i64],
    /// Part of a pause that is left to chance, both ways.
    pub spread: f64,
}

/// A body that is to be signed.
#[derive(Clone, Copy)]
pub struct Signed<'a> {
    /// The endpoint.
    pub endpoint: &'a Endpoint,
    /// Id of what happened.
    pub id: &'a str,
    /// When this attempt is made.
    pub at: Timestamp,
    /// The body.
    pub body: &'a [u8],
    /// What signs it.
    pub keys: &'a Keys,
}

impl std::fmt::Debug for Notifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Notifier({})", self.dialect)
    }
}

/// An endpoint, and how it is told.
#[derive(Debug, Clone)]
pub struct Subscription {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// How.
    pub notifier: &'static Notifier,
}

impl Subscription {
    /// An endpoint with how it is told.
    ///
    /// # Errors
    /// `Internal` where its API is not served.
    pub fn of(app: &App, endpoint: Endpoint) -> Result<Subscription, Failure> {
        let dialect = &endpoint.dialect;
        let none = || Failure::internal(format!("nothing tells the endpoints of {dialect}"));
        let notifier = app.notifier(dialect).ok_or_else(none)?;
        Ok(Subscription { endpoint, notifier })
    }
}

impl Deref for Subscription {
    type Target = Endpoint;
    fn deref(&self) -> &Endpoint {
        &self.endpoint
    }
}

impl App {
    /// Says how the APIs tell their endpoints what happened. Only the first word counts.
    pub fn notified_by(&self, notifiers: impl IntoIterator<Item = &'static Notifier>) {
        let _ = self.notifiers.set(notifiers.into_iter().collect());
    }

    /// How an API tells its endpoints; none where it is not served.
    pub fn notifier(&self, dialect: &str) -> Option<&'static Notifier> {
        let all = self.notifiers.get()?;
        all.iter().find(|notifier| notifier.dialect == dialect).copied()
    }
}
