//! What an address may try before anybody knows who asks: wrong sign-ins and operations without
//! sign-in are counted, so that guessing and floods without a key stay cheap for the server.
//!
//! Who signs in rightly is always let in, whatever else comes from the same address: credentials
//! are looked at first (an HMAC or a hash), and only what is wrong is counted. It counts against
//! the address and the key that was claimed, so a shop with a wrong secret does not stand in the
//! way of its neighbours behind the same proxy; keys that do not exist count against the address.

use std::collections::HashMap;
use std::future::Future;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use patron_model::Failure;

use crate::{
    addresses::network,
    dialect::Claim,
    exchange::{Exchange, Reply},
    limits::Limits,
};

/// The minute that the limits speak of.
const MINUTE: Duration = Duration::from_secs(60);
/// Addresses counted before those that have their whole quota again are forgotten.
const ADDRESSES_MAX: usize = 100_000;

/// The limits of one server, in memory of this process.
pub struct Strangers {
    sign_ins: AddressLimit,
    public: AddressLimit,
    header: String,
}

impl Strangers {
    /// Counts as the limits say.
    pub fn new(limits: &Limits) -> Strangers {
        Strangers {
            sign_ins: AddressLimit::new(limits.failed_sign_ins_per_minute),
            public: AddressLimit::new(limits.public_requests_per_minute),
            header: limits.client_address_header.to_ascii_lowercase(),
        }
    }

    /// Counts a request to an operation without sign-in, by its outcome: one that went well against
    /// the address and the key it was for, any other against the address alone.
    ///
    /// # Errors
    /// `TooMany` instead of the outcome.
    pub fn come(
        &self,
        exchange: &Exchange,
        outcome: Result<Reply, Failure>,
    ) -> Result<Reply, Failure> {
        let Some(client) = exchange.client.map(network) else { return outcome };
        let is_well = outcome.as_ref().is_ok_and(|reply| reply.status.is_success());
        let key = if is_well { exchange.claimed() } else { None };
        self.public.take((client, key), Instant::now()).map_err(too_many)?;
        outcome
    }

    /// Signs in; counts it when it fails.
    ///
    /// # Errors
    /// As sign-in says, `Unauthenticated` also from where the key may not be used; `TooMany`
    /// instead of it when too much failed.
    pub async fn sign_in(
        &self,
        exchange: &Exchange,
        attempt: impl Future<Output = Result<Claim, Failure>>,
    ) -> Result<Claim, Failure> {
        let admitted = |claim: Claim| claim.caller.admit(exchange.client).map(|()| claim);
        let claim = attempt.await.and_then(admitted);
        let client = exchange.client.map(network);
        if let (Some(client), Err(Failure::Unauthenticated { reason })) = (client, &claim) {
            let from = (client, exchange.claimed());
            self.sign_ins.take(from, Instant::now()).map_err(|wait| {
                // The audit trail is told all the same; only this attempt sets it.
                let _ = exchange.unsigned.set(reason);
                too_many(wait)
            })?;
        }
        claim
    }

    /// The client's address: as the proxy in front says, else as connected.
    pub(crate) fn address(&self, exchange: &Exchange) -> Option<IpAddr> {
        let named = match self.header.as_str() {
            "" => None,
            name => exchange.headers.get_all(name).iter().next_back(),
        };
        // A list grows at its end: the last entry is what the nearest proxy saw.
        let last = named.and_then(|value| value.to_str().ok()?.rsplit(',').next());
        let named = last.and_then(|text| text.trim().parse().ok());
        named.or(exchange.peer).map(|address| address.to_canonical())
    }
}

fn too_many(retry_after_seconds: u64) -> Failure {
    Failure::TooMany { retry_after_seconds }
}

/// Who is counted: an address, with the number of the key it claimed where that exists.
type From = (IpAddr, Option<i64>);
/// Who stands for all that there is no room to count alone.
const FLOOD: From = (IpAddr::V6(Ipv6Addr::UNSPECIFIED), None);

/// So many a minute for each, all at once if wanted.
struct AddressLimit {
    per_minute: u32,
    /// When each has its whole quota again; it may be a minute ahead at most.
    whole_at: Mutex<HashMap<From, Instant>>,
}

impl AddressLimit {
    /// Zero: no limit.
    fn new(per_minute: u32) -> AddressLimit {
        AddressLimit { per_minute, whole_at: Mutex::default() }
    }

    /// Uses one; otherwise the seconds to wait.
    fn take(&self, from: From, now: Instant) -> Result<(), u64> {
        if self.per_minute == 0 {
            return Ok(());
        }
        let mut whole_at = self.whole_at.lock().unwrap_or_else(PoisonError::into_inner);
        let known = whole_at.get(&from).copied();
        self.left(known, now)?;
        if known.is_none() && whole_at.len() >= ADDRESSES_MAX {
            whole_at.retain(|_, whole_at| *whole_at > now);
        }
        // Full of addresses that are all in use: a flood. New ones share what is left of one.
        let room = known.is_some() || whole_at.len() < ADDRESSES_MAX;
        let from = if room { from } else { FLOOD };
        let since = whole_at.get(&from).copied();
        self.left(since, now)?;
        let since = since.map_or(now, |at| at.max(now));
        whole_at.insert(from, since + MINUTE / self.per_minute);
        Ok(())
    }

    fn left(&self, whole_at: Option<Instant>, now: Instant) -> Result<(), u64> {
        let behind = whole_at.map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
        let next = behind + MINUTE / self.per_minute;
        // Parts of a minute are rounded down: their sum never exceeds it by itself.
        match next.checked_sub(MINUTE) {
            None | Some(Duration::ZERO) => Ok(()),
            Some(wait) => Err(wait.as_secs() + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn so_many_a_minute_and_address_and_then_one_at_a_time() {
        let limit = AddressLimit::new(3);
        let [one, other] = ["192.0.2.1", "192.0.2.2"].map(|text| (address(text), None));
        let start = Instant::now();
        for _ in 0..3 {
            assert!(limit.take(one, start).is_ok());
        }
        assert!(matches!(limit.take(one, start), Err(20 | 21)));
        assert!(limit.take(other, start).is_ok(), "another address has its own");
        assert!(limit.take((one.0, Some(7)), start).is_ok(), "and so has a key claimed from there");
        let later = start + Duration::from_secs(20);
        assert!(limit.take(one, later).is_ok());
        assert!(limit.take(one, later).is_err());
        let whole = later + MINUTE;
        for _ in 0..3 {
            assert!(limit.take(one, whole).is_ok());
        }
        assert!(AddressLimit::new(0).take(one, start).is_ok());
    }

    #[test]
    fn memory_is_bounded_and_a_flood_shares_one_quota() {
        let limit = AddressLimit::new(1);
        let counted = || limit.whole_at.lock().expect("not poisoned").len();
        let start = Instant::now();
        for n in 0..ADDRESSES_MAX {
            let (key, n) = (i64::try_from(n).ok(), u32::try_from(n).expect("small"));
            assert!(limit.take((IpAddr::V4((n / 2).into()), key), start).is_ok());
        }
        let from = |text: &str| (address(text), None);
        assert!(limit.take(from("203.0.113.1"), start).is_ok(), "the shared quota");
        assert!(limit.take(from("203.0.113.2"), start).is_err());
        assert_eq!(counted(), ADDRESSES_MAX + 1);
        assert!(limit.take(from("203.0.113.3"), start + MINUTE).is_ok());
        assert_eq!(counted(), 1, "the others are forgotten");
    }

    #[test]
    fn the_proxy_names_the_client_where_it_is_trusted() {
        let named = |header: &str| {
            let client_address_header = header.to_owned();
            Strangers::new(&Limits { client_address_header, ..Limits::default() })
        };
        let now = patron_model::Timestamp::from_micros(0);
        let mut exchange = Exchange::new(http::Method::GET, "/", now);
        exchange.peer = Some(address("127.0.0.1"));
        let sent = "203.0.113.9, 198.51.100.7".parse().expect("a value");
        exchange.headers.insert("x-forwarded-for", sent);
        assert_eq!(named("").address(&exchange), Some(address("127.0.0.1")));
        assert_eq!(named("X-Forwarded-For").address(&exchange), Some(address("198.51.100.7")));
        assert_eq!(named("X-Real-IP").address(&exchange), Some(address("127.0.0.1")));
    }
}
