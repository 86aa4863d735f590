//! What tests are made of: a real server on a real port over a store of their own, callers that
//! sign as each dialect does, and golden exchanges.
//!
//! The engine is chosen by `PATRON_TEST_ENGINE` (`sqlite`, `postgres` or `memory`; SQLite when
//! unset), so that the same tests run on all. PostgreSQL is found by `PATRON_TEST_POSTGRES_URL`, a
//! superuser's URL; every server gets a database of its own there.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up must fail loudly")]

pub mod client;
pub mod engine;
pub mod golden;
pub mod ports;
pub mod postgres;
pub mod proxy;

use std::sync::Arc;

use patron_app::{App, Clock, keyring::Master, mails, secrets::MasterKey, sign_in};
use patron_delivery::{Engine, Guarded, Options};
use patron_gateway::{
    Dialect, Door, Gateway, Guest, Site,
    dispatch::RequestLog,
    limits::Limits,
    provision::{self, KeySource, NewSpace},
    server,
};
use patron_outbound::{Allowed, Client, Guard, NewClient, names::Names};
use serde_json::Value;

pub use client::Answer;

/// Master key of all test servers.
const MASTER_KEY: [u8; 32] = *b"a master key for tests only, ok?";

/// The master key of all test servers.
pub fn master() -> Master {
    Master::fixed(MasterKey::new(MASTER_KEY))
}

/// The client of test servers: to this machine only, in the clear too.
fn outbound() -> Client {
    let allow = vec![Allowed::parse("127.0.0.0/8").unwrap()];
    let guard = Guard { allow, http: true, only_allowed: true, ..Guard::default() };
    let (names, user_agent) = (Names::of_system(), "Patron-Webhooks/1");
    Client::new(NewClient { guard, names, ca: None, user_agent }).unwrap()
}

/// A server for one test.
pub struct TestServer {
    /// Where it answers, without trailing slash.
    pub base_url: String,
    /// The app behind it.
    pub app: Arc<App>,
    dialects: Vec<&'static Dialect>,
    credentials: Value,
    task: tokio::task::JoinHandle<()>,
    client: client::Client,
    _engine: engine::TestEngine,
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl TestServer {
    /// A server with the well-known sandbox keys.
    pub async fn start(dialects: &[&'static Dialect]) -> TestServer {
        TestServer::start_with(dialects, Clock::System, Limits::default()).await
    }

    /// A server with a clock and limits of the test's own.
    pub async fn start_with(
        dialects: &[&'static Dialect],
        clock: Clock,
        limits: Limits,
    ) -> TestServer {
        TestServer::start_on(engine::TestEngine::new().await, dialects, clock, limits).await
    }

    /// The same on a place of the test's own.
    pub async fn start_on(
        engine: engine::TestEngine,
        dialects: &[&'static Dialect],
        clock: Clock,
        limits: Limits,
    ) -> TestServer {
        let store = engine.open().await;
        let app = App::open(store, clock, master()).await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let new = NewSpace {
            name: "Test",
            account: None,
            uuid: None,
            keys: KeySource::WellKnown,
            default_country: None,
            base_url: &base_url,
        };
        let credentials = provision::space(&app, dialects, &new).await.unwrap().credentials;
        let at = (listener, base_url);
        TestServer::over(engine, app, dialects.to_vec(), credentials, at, limits)
    }

    /// Another node over the same store, with the same keys, and limits of the test's own.
    pub async fn beside(&self, limits: Limits) -> TestServer {
        let engine = engine::TestEngine::at(self._engine.location().clone());
        let app = App::open(engine.open().await, Clock::System, master()).await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let at = (listener, base_url);
        let (dialects, credentials) = (self.dialects.clone(), self.credentials.clone());
        TestServer::over(engine, app, dialects, credentials, at, limits)
    }

    /// The same, served with a console as well.
    pub async fn with_console(
        mut self,
        console: &'static Door,
        guest: Option<Guest>,
    ) -> TestServer {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        self.base_url = format!("http://{}", listener.local_addr().unwrap());
        let site = Site::new(self.dialects.clone(), self.base_url.clone());
        let site = Site { console: Some(console), guest, ..site };
        let (app, limits) = (Arc::clone(&self.app), Limits::default());
        let pages = axum::Router::new();
        let gateway = Gateway::new(app, site, limits, &[], RequestLog::None, pages);
        self.task.abort();
        self.task = tokio::spawn(async move {
            server::serve(gateway, listener, std::future::pending()).await.unwrap();
        });
        self
    }

    /// Begins to tell webhook endpoints on this machine what happens, as a node that others may be
    /// beside.
    pub fn deliver(&self) -> Engine {
        Engine::start(&self.app, Options { is_alone: false, keep_days: 30 })
    }

    /// Serves an app.
    fn over(
        engine: engine::TestEngine,
        app: Arc<App>,
        dialects: Vec<&'static Dialect>,
        credentials: Value,
        (listener, base_url): (tokio::net::TcpListener, String),
        limits: Limits,
    ) -> TestServer {
        app.carried_by(Box::new(Guarded(outbound())));
        app.notified_by(dialects.iter().filter_map(|dialect| dialect.webhooks));
        app.asks_providers_by(sign_in::by_provider::RelyingParty::new(outbound()));
        app.signs_in_by(sign_in::Options { base_url: base_url.clone() });
        app.mails_go(mails::Transport::Tray);
        // Most tests are about what owners do, not about how they sign in.
        app.excuses_owners(true);
        let pages = axum::Router::new();
        let site = Site::new(dialects.clone(), base_url.clone());
        let gateway = Gateway::new(Arc::clone(&app), site, limits, &[], RequestLog::None, pages);
        let task = tokio::spawn(async move {
            server::serve(gateway, listener, std::future::pending()).await.unwrap();
        });
        let client = client::Client::new();
        TestServer { base_url, app, dialects, credentials, task, client, _engine: engine }
    }

    /// The credentials of the first space: the dialect's part of the sandbox JSON.
    pub fn credentials(&self, dialect: &str) -> Value {
        self.credentials[dialect].clone()
    }

    /// All credentials of the first space, in the shape of the sandbox contract.
    pub fn all_credentials(&self) -> &Value {
        &self.credentials
    }

    /// Credentials of a new space in another account.
    pub async fn other_space(&self, dialect: &str) -> Value {
        self.new_space(None).await[dialect].clone()
    }

    /// All credentials of a new space; in another account unless one is named.
    pub async fn new_space(&self, account: Option<i64>) -> Value {
        let new = NewSpace {
            name: "Other",
            account,
            uuid: None,
            keys: KeySource::Random,
            default_country: None,
            base_url: &self.base_url,
        };
        provision::space(&self.app, &self.dialects, &new).await.unwrap().credentials
    }

    /// A stream of events, signed with credentials as the dialect signs.
    ///
    /// # Errors
    /// The answer, where it is no stream.
    pub async fn events(
        &self,
        dialect: &Dialect,
        credentials: &Value,
        target: &str,
        headers: &[(&str, &str)],
    ) -> Result<client::Events, Answer> {
        let mut all = self.signed(dialect, credentials, "GET", target, "");
        all.extend(headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())));
        self.client.events(&self.base_url, target, &all).await
    }

    /// A call signed with credentials as the dialect signs.
    pub async fn call(
        &self,
        dialect: &Dialect,
        credentials: &Value,
        method: &str,
        target: &str,
        body: Option<Value>,
    ) -> Answer {
        self.call_with(dialect, credentials, method, target, &[], body).await
    }

    /// The same with more headers.
    pub async fn call_with(
        &self,
        dialect: &Dialect,
        credentials: &Value,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Answer {
        let text = body.map(|body| body.to_string()).unwrap_or_default();
        let mut all = self.signed(dialect, credentials, method, target, &text);
        if !text.is_empty() && !headers.iter().any(|(name, _)| *name == "content-type") {
            all.push(("content-type".into(), "application/json".into()));
        }
        all.extend(headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())));
        self.client.send(&self.base_url, method, target, &all, text.as_bytes()).await
    }

    /// The headers that authenticate a request.
    pub fn signed(
        &self,
        dialect: &Dialect,
        credentials: &Value,
        method: &str,
        target: &str,
        body: &str,
    ) -> Vec<(String, String)> {
        let request = patron_gateway::SignRequest {
            credentials,
            method,
            target,
            body,
            now: self.app.clock.now(),
        };
        let headers = (dialect.credentials.sign)(&request).unwrap();
        headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// A request exactly as given.
    pub async fn raw(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let headers: Vec<(String, String)> =
            headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        self.client.send(&self.base_url, method, target, &headers, body).await
    }
}
