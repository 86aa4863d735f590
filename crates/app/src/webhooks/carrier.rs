//! What carries a request out. The use cases know no connections: whoever runs them brings it.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use patron_model::Failure;

use crate::App;

/// A request under way.
pub type Carrying<'a> = Pin<Box<dyn Future<Output = Result<Answered, &'static str>> + Send + 'a>>;

/// Carries requests out, and says where none may go.
pub trait Carrier: Send + Sync {
    /// Looks at a URL.
    ///
    /// # Errors
    /// With what it would have to be: "a URL of a public host".
    fn check(&self, url: &str) -> Result<(), &'static str>;

    /// Posts a body once. Fails with the class of the fault where there is no answer.
    fn post<'a>(&'a self, request: &'a Posted) -> Carrying<'a>;
}

/// A request to be posted.
#[derive(Debug, Clone)]
pub struct Posted {
    /// Where.
    pub url: String,
    /// With these headers.
    pub headers: Vec<(String, String)>,
    /// What.
    pub body: Vec<u8>,
    /// How long it may take, to the end of the answer.
    pub within: Duration,
}

/// An answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    /// Its status.
    pub status: u16,
    /// How long it asks to wait.
    pub retry_after: Option<Duration>,
}

impl App {
    /// Says what carries requests out. Only the first word counts.
    pub fn carried_by(&self, carrier: Box<dyn Carrier>) {
        let _ = self.carrier.set(carrier);
    }

    /// What carries requests out.
    ///
    /// # Errors
    /// `Internal` where this process carries none.
    pub fn carrier(&self) -> Result<&dyn Carrier, Failure> {
        let none = || Failure::internal("this process carries no requests out");
        self.carrier.get().map(AsRef::as_ref).ok_or_else(none)
    }
}
