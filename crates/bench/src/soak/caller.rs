//! A caller with a pace: each request has its moment; what is late counts as slow.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use patron::dialects::DIALECTS;
use serde_json::Value;
use tokio::time::Instant;

use super::stats::Stats;
use crate::{
    connection::{Answer, Connection},
    signer::Signer,
};

/// Moments at which one caller asks.
#[derive(Debug, Clone)]
pub struct Pace {
    next: Instant,
    every: Duration,
}

impl Pace {
    /// Asks first at a moment, then at fixed distances.
    pub fn new(first: Instant, every: Duration) -> Pace {
        Pace { next: first, every }
    }

    async fn turn(&mut self) -> Instant {
        let moment = self.next;
        self.next += self.every;
        tokio::time::sleep_until(moment).await;
        moment
    }
}

/// What is asked.
pub struct Ask<'a> {
    /// Kind of work, for the report.
    pub kind: &'static str,
    /// API.
    pub api: &'static str,
    /// Method.
    pub method: &'a str,
    /// Path and query.
    pub target: &'a str,
    /// More headers.
    pub headers: &'a [(&'a str, &'a str)],
    /// Body as it is sent.
    pub body: String,
    /// Statuses that are right.
    pub expected: &'a [u16],
}

/// A caller of all APIs of one space over one connection.
pub struct Caller {
    address: String,
    connection: Option<Connection>,
    signers: BTreeMap<&'static str, Signer>,
    pace: Pace,
    stats: Arc<Stats>,
}

impl Caller {
    /// A caller with the keys of a space.
    ///
    /// # Errors
    /// When an API is missing.
    pub fn new(address: &str, keys: &Value, pace: Pace, stats: Arc<Stats>) -> Result<Caller> {
        let mut signers = BTreeMap::new();
        for dialect in DIALECTS {
            signers.insert(dialect.name, Signer::new(dialect.name, keys)?);
        }
        Ok(Caller { address: address.to_owned(), connection: None, signers, pace, stats })
    }

    /// Credentials of an API.
    pub fn credentials(&self, api: &str) -> &Value {
        &self.signers[api].credentials
    }

    /// Waits for its turn, asks, counts. `None` when the answer was not a right one.
    pub async fn ask(&mut self, ask: Ask<'_>) -> Option<Answer> {
        let moment = self.pace.turn().await;
        let Ask { kind, api, method, target, headers, body, expected } = ask;
        let request = self.signers[api].request(method, target, headers, &body);
        match self.exchange(&request).await {
            Ok(answer) if expected.contains(&answer.status) => {
                self.stats.count(kind, moment.elapsed());
                Some(answer)
            }
            Ok(answer) => {
                let body = String::from_utf8_lossy(&answer.body).into_owned();
                let status = answer.status;
                self.stats.unexpected(&format!("{kind}: {method} {target}: {status} {body}"));
                None
            }
            Err(error) => {
                self.connection = None;
                self.stats.unexpected(&format!("{kind}: {method} {target}: {error:#}"));
                None
            }
        }
    }

    async fn exchange(&mut self, request: &[u8]) -> Result<Answer> {
        if self.connection.is_none() {
            self.connection = Some(Connection::open(&self.address).await?);
        }
        match self.connection.as_mut() {
            Some(connection) => connection.ask(request).await,
            None => anyhow::bail!("no connection"),
        }
    }
}
