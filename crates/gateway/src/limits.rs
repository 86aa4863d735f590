//! Everything that is bounded, with its unit.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::{
    DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock as _,
    middleware::StateInformationMiddleware, state::keyed::DefaultKeyedStateStore,
};
use patron_model::space::REQUEST_LIMIT_SECONDS;

/// Limits of a server.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of a request body.
    pub body_bytes_max: usize,
    /// Bytes of all request bodies held at a time; further ones are answered 503.
    pub bodies_bytes_max: usize,
    /// Bytes of the bodies held at a time whose senders have not signed in yet; further ones are
    /// answered 503.
    pub stranger_bodies_bytes_max: usize,
    /// Seconds a client may take for the TLS handshake, where the server has TLS.
    pub handshake_seconds_max: u64,
    /// Seconds a client may take to send the head of a request.
    pub head_seconds_max: u64,
    /// Seconds a client may take to send the body of a request.
    pub body_seconds_max: u64,
    /// Seconds a client may leave an answer lying without taking a byte.
    pub answer_seconds_max: u64,
    /// Seconds a request may take once it was read.
    pub request_seconds_max: u64,
    /// Bytes of a request head (the request line and all headers).
    pub head_bytes_max: usize,
    /// Connections open at a time; further ones wait to be accepted.
    pub connections_max: usize,
    /// Requests in work at a time; further ones are answered 503.
    pub requests_in_work_max: usize,
    /// Long polls that wait at a time, outside the requests in work; further ones are answered 503.
    pub waits_max: usize,
    /// Requests per minute and key; further ones are answered 429. Zero: no limit.
    pub requests_per_minute: u32,
    /// Sign-ins that may fail per minute, by client address and claimed key; further ones that fail
    /// are answered 429, those that are right never. Zero: no limit.
    pub failed_sign_ins_per_minute: u32,
    /// Requests per minute to operations without sign-in, by client address, and by the key they
    /// were for where they went well; further ones are answered 429. Zero: no limit.
    pub public_requests_per_minute: u32,
    /// Header in which the proxy in front names the client's address, the last entry if it is a
    /// list. Empty: the address of the connection.
    pub client_address_header: String,
    /// Seconds that requests in work may take after a stop was asked for.
    pub stop_seconds_max: u64,
    /// Bytes of rendered answers about customers that are kept in memory. Zero: none is.
    pub faces_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            body_bytes_max: 4 * 1024 * 1024,
            bodies_bytes_max: 256 * 1024 * 1024,
            stranger_bodies_bytes_max: 16 * 1024 * 1024,
            handshake_seconds_max: 10,
            head_seconds_max: 10,
            body_seconds_max: 30,
            answer_seconds_max: 60,
            request_seconds_max: 90,
            head_bytes_max: 64 * 1024,
            connections_max: 4_096,
            requests_in_work_max: 1_024,
            waits_max: 1_024,
            requests_per_minute: 60_000,
            failed_sign_ins_per_minute: 6_000,
            public_requests_per_minute: 6_000,
            client_address_header: String::new(),
            stop_seconds_max: 8,
            faces_bytes_max: patron_app::faces::BYTES_MAX,
        }
    }
}

/// Parts of a minute: a key may send so much of its quota at once, then as it grows again. A burst
/// keeps everybody else waiting.
const BURST_PARTS: u32 = 60;
/// Requests that may always come at once.
const BURST_MIN: u32 = 600;

/// What is left of a caller's quota.
#[derive(Debug, Clone, Copy)]
pub struct QuotaState {
    /// Requests per minute.
    pub limit: u32,
    /// Requests left right now.
    pub remaining: u32,
    /// Seconds until the quota is whole again.
    pub reset_seconds: u64,
}

type Keyed = RateLimiter<
    i64,
    DefaultKeyedStateStore<i64>,
    governor::clock::DefaultClock,
    StateInformationMiddleware,
>;

/// The rate limit of one server: per key, in memory of this process.
pub struct RateLimit {
    limiter: Option<(Keyed, u32)>,
    burst: u32,
}

impl RateLimit {
    /// A limit per minute and key; zero means none.
    pub fn new(requests_per_minute: u32) -> RateLimit {
        let burst = requests_per_minute.min(BURST_MIN.max(requests_per_minute / BURST_PARTS));
        let quota = NonZeroU32::new(requests_per_minute).zip(NonZeroU32::new(burst));
        let limiter = quota.map(|(limit, burst)| {
            let quota = Quota::per_minute(limit).allow_burst(burst);
            let limiter: DefaultKeyedRateLimiter<i64> = RateLimiter::keyed(quota);
            (limiter.with_middleware::<StateInformationMiddleware>(), requests_per_minute)
        });
        RateLimit { limiter, burst }
    }

    /// Counts a request of a key.
    ///
    /// # Errors
    /// Seconds after which the next request may come.
    pub fn take(&self, key: i64) -> Result<Option<QuotaState>, u64> {
        let Some((limiter, limit)) = &self.limiter else { return Ok(None) };
        match limiter.check_key(&key) {
            Ok(state) => {
                let remaining = state.remaining_burst_capacity();
                let used = u64::from(self.burst.saturating_sub(remaining));
                let reset_seconds = (used * 60).div_ceil(u64::from(*limit));
                Ok(Some(QuotaState { limit: *limit, remaining, reset_seconds }))
            }
            Err(not_until) => {
                let wait = not_until.wait_time_from(governor::clock::DefaultClock::default().now());
                Err(wait.as_secs().max(1))
            }
        }
    }
}

/// Spaces and users whose own limits are counted at a time; beyond it counting begins anew.
const LIMITED_MAX: usize = 10_000;

/// Whom a limit of his own is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Limited {
    /// A space, by number.
    Space(i64),
    /// A user, by number.
    User(i64),
}

/// The limits that spaces and users have of their own, in memory of this process: so many requests
/// in [`REQUEST_LIMIT_SECONDS`].
#[derive(Default)]
pub(crate) struct OwnLimits(Mutex<HashMap<Limited, (NonZeroU32, Arc<DefaultDirectRateLimiter>)>>);

impl OwnLimits {
    /// Counts a request, where there is a limit. A limit that was changed counts from now on.
    ///
    /// # Errors
    /// Seconds after which the next request may come.
    pub(crate) fn take(&self, whose: Limited, limit: Option<i64>) -> Result<(), u64> {
        let Some(limit) = limit else { return Ok(()) };
        // None has a limit of nothing: the record refuses it.
        let limit = u32::try_from(limit).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MAX);
        let limiter = {
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if known.len() >= LIMITED_MAX && !known.contains_key(&whose) {
                known.clear();
            }
            let entry = known.entry(whose).or_insert_with(|| (limit, limiter_of(limit)));
            if entry.0 != limit {
                *entry = (limit, limiter_of(limit));
            }
            Arc::clone(&entry.1)
        };
        limiter.check().map_err(|not_until| {
            let wait = not_until.wait_time_from(governor::clock::DefaultClock::default().now());
            wait.as_secs().max(1)
        })
    }
}

fn limiter_of(limit: NonZeroU32) -> Arc<DefaultDirectRateLimiter> {
    let each = Duration::from_secs(REQUEST_LIMIT_SECONDS) / limit.get();
    let quota = Quota::with_period(each.max(Duration::from_nanos(1)));
    let quota = quota.unwrap_or(Quota::per_second(NonZeroU32::MAX)).allow_burst(limit);
    Arc::new(RateLimiter::direct(quota))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_the_request_after_the_last_allowed_one() {
        let limit = RateLimit::new(2);
        assert_eq!(limit.take(1).expect("allowed").expect("a state").remaining, 1);
        assert!(limit.take(1).is_ok());
        assert!(limit.take(1).is_err());
        assert!(limit.take(2).is_ok(), "another key has its own quota");
        assert!(RateLimit::new(0).take(1).expect("no limit").is_none());
    }

    #[test]
    fn a_large_quota_is_not_spent_at_once() {
        let limit = RateLimit::new(120_000);
        let first = limit.take(1).expect("allowed").expect("a state");
        assert_eq!((first.limit, first.remaining, first.reset_seconds), (120_000, 1_999, 1));
        assert_eq!(
            RateLimit::new(6_000).take(1).expect("allowed").expect("a state").remaining,
            599
        );
    }

    #[test]
    fn a_space_and_a_user_have_limits_of_their_own() {
        let limits = OwnLimits::default();
        let take = |whose, limit| limits.take(whose, limit).is_ok();
        assert!((0..100).all(|_| take(Limited::Space(1), None)), "no limit");
        assert!(take(Limited::Space(1), Some(2)) && take(Limited::Space(1), Some(2)));
        assert!(!take(Limited::Space(1), Some(2)));
        assert!(take(Limited::User(1), Some(2)) && take(Limited::Space(2), Some(2)));
        assert!(take(Limited::Space(1), Some(3)), "a limit that changed counts from now on");
        assert!(take(Limited::Space(3), Some(i64::MAX)));
    }
}
