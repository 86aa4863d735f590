//! What an address may try before anybody knows who asks: failed sign-ins and operations without
//! sign-in are counted by the client's address, so that guessing and floods without a key stay
//! cheap for the server. Who signs in rightly is not counted.

use std::collections::HashMap;
use std::future::Future;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};
use std::time::{Duration, Instant};

use patron_model::Failure;

use crate::{dialect::Claim, exchange::Exchange, limits::Limits};

/// The minute that the limits speak of.
const MINUTE: Duration = Duration::from_secs(60);
/// Addresses counted before those that have their whole quota again are forgotten.
const ADDRESSES_MAX: usize = 100_000;
/// Leading bits of an IPv6 address that are one client: what a single connection is given.
const IPV6_CLIENT_BITS: u32 = 64;

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

    /// Counts a request to an operation without sign-in.
    ///
    /// # Errors
    /// `TooMany`.
    pub fn come(&self, exchange: &Exchange) -> Result<(), Failure> {
        let Some(client) = exchange.client.map(network) else { return Ok(()) };
        self.public.take(client, Instant::now()).map_err(too_many)
    }

    /// Signs in, unless too much failed from there; counts it when it fails.
    ///
    /// # Errors
    /// `TooMany` without looking at the credentials; `Unauthenticated` also from where the key may
    /// not be used; otherwise as sign-in says.
    pub async fn sign_in(
        &self,
        exchange: &Exchange,
        attempt: impl Future<Output = Result<Claim, Failure>>,
    ) -> Result<Claim, Failure> {
        let client = exchange.client.map(network);
        if let Some(client) = client {
            self.sign_ins.look(client, Instant::now()).map_err(too_many)?;
        }
        let admitted = |claim: Claim| claim.caller.admit(exchange.client).map(|()| claim);
        let claim = attempt.await.and_then(admitted);
        if let (Some(client), Err(Failure::Unauthenticated { .. })) = (client, &claim) {
            // Among simultaneous failures the last ones may find the quota used up: they are told
            // so with the next request.
            let _ = self.sign_ins.take(client, Instant::now());
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

/// What stands for one client: an IPv4 address, or the network of an IPv6 address.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(four) => IpAddr::V4(four),
        IpAddr::V6(six) => {
            let mask = u128::MAX << (128 - IPV6_CLIENT_BITS);
            IpAddr::V6(Ipv6Addr::from_bits(six.to_bits() & mask))
        }
    }
}

/// So many a minute for each address, all at once if wanted. Unlike the limit of keys it can be
/// looked at without being used, so that only failures use it up.
struct AddressLimit {
    per_minute: u32,
    /// When each address has its whole quota again; it may be a minute ahead at most.
    whole_at: Mutex<HashMap<IpAddr, Instant>>,
    /// Addresses in it: none costs no lock.
    counted: AtomicUsize,
}

impl AddressLimit {
    /// Zero: no limit.
    fn new(per_minute: u32) -> AddressLimit {
        AddressLimit { per_minute, whole_at: Mutex::default(), counted: AtomicUsize::new(0) }
    }

    /// Whether there is anything left; otherwise the seconds to wait.
    fn look(&self, client: IpAddr, now: Instant) -> Result<(), u64> {
        if self.per_minute == 0 || self.counted.load(Ordering::Relaxed) == 0 {
            return Ok(());
        }
        let whole_at = self.whole_at.lock().unwrap_or_else(PoisonError::into_inner);
        self.left(whole_at.get(&client).copied(), now)
    }

    /// Uses one; otherwise the seconds to wait.
    fn take(&self, client: IpAddr, now: Instant) -> Result<(), u64> {
        if self.per_minute == 0 {
            return Ok(());
        }
        let mut whole_at = self.whole_at.lock().unwrap_or_else(PoisonError::into_inner);
        let known = whole_at.get(&client).copied();
        self.left(known, now)?;
        if known.is_none() && whole_at.len() >= ADDRESSES_MAX {
            whole_at.retain(|_, whole_at| *whole_at > now);
        }
        // Full of addresses that are all in use: a flood. New ones share what is left of one.
        let room = known.is_some() || whole_at.len() < ADDRESSES_MAX;
        let client = if room { client } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) };
        let from = whole_at.get(&client).copied();
        self.left(from, now)?;
        let from = from.map_or(now, |at| at.max(now));
        whole_at.insert(client, from + MINUTE / self.per_minute);
        self.counted.store(whole_at.len(), Ordering::Relaxed);
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
        let (one, other) = (address("192.0.2.1"), address("192.0.2.2"));
        let start = Instant::now();
        assert!(limit.look(one, start).is_ok());
        for _ in 0..3 {
            assert!(limit.take(one, start).is_ok());
        }
        assert!(matches!(limit.take(one, start), Err(20 | 21)));
        assert!(matches!(limit.look(one, start), Err(20 | 21)));
        assert!(limit.take(other, start).is_ok(), "another address has its own");
        let later = start + Duration::from_secs(20);
        assert!(limit.look(one, later).is_ok());
        assert!(limit.look(one, later).is_ok(), "looking uses nothing");
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
        let start = Instant::now();
        for n in 0..ADDRESSES_MAX {
            let n = u32::try_from(n).expect("small");
            assert!(limit.take(IpAddr::V4(n.into()), start).is_ok());
        }
        assert!(limit.take(address("203.0.113.1"), start).is_ok(), "the shared quota");
        assert!(limit.take(address("203.0.113.2"), start).is_err());
        let counted = limit.counted.load(Ordering::Relaxed);
        assert_eq!(counted, ADDRESSES_MAX + 1);
        assert!(limit.take(address("203.0.113.3"), start + MINUTE).is_ok());
        assert_eq!(limit.counted.load(Ordering::Relaxed), 1, "the others are forgotten");
    }

    #[test]
    fn an_ipv6_client_is_its_network() {
        let same = |a: &str, b: &str| network(address(a)) == network(address(b));
        assert!(same("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"));
        assert!(!same("2001:db8:1:2::1", "2001:db8:1:3::1"));
        assert!(same("::ffff:192.0.2.1", "192.0.2.1"));
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
