//! What the server and a browser tell each other beside what a page shows: cookies, and where a
//! request comes from.

use http::header;
use patron_app::sign_in::{Options, challenges::GOOD_SECONDS, guard::DEVICE_DAYS};
use patron_model::Failure;

use crate::exchange::{Exchange, Reply};

/// What holds a session.
const SESSION: &str = "patron";
/// What makes a browser a known device.
const DEVICE: &str = "patron-device";
/// What a browser has that began to sign in.
const FLOW: &str = "patron-flow";
/// What a browser has that opened a link which was mailed.
const LINK: &str = "patron-link";
/// What makes browsers demand of a cookie that it is encrypted, for this host alone and at every
/// path (RFC 6265bis §4.1.3.2).
const HOST_PREFIX: &str = "__Host-";

/// The cookies of a deployment.
#[derive(Debug, Clone, Copy)]
pub struct Cookies {
    is_secure: bool,
}

impl Cookies {
    /// As the settings say: prefixed and only encrypted, but on this machine itself.
    pub fn of(options: &Options) -> Cookies {
        Cookies { is_secure: options.is_secure() }
    }

    fn name(self, name: &str) -> String {
        if self.is_secure { [HOST_PREFIX, name].concat() } else { name.to_owned() }
    }

    /// What the session cookie of a request holds.
    pub fn session(self, exchange: &Exchange) -> Option<&str> {
        exchange.cookie(&self.name(SESSION)).filter(|value| !value.is_empty())
    }

    /// What the device cookie of a request holds.
    pub fn device(self, exchange: &Exchange) -> Option<&str> {
        exchange.cookie(&self.name(DEVICE))
    }

    /// What the cookie of a browser holds that began to sign in.
    pub fn flow(self, exchange: &Exchange) -> Option<&str> {
        exchange.cookie(&self.name(FLOW))
    }

    /// The reply with what a browser has until it comes back.
    #[must_use]
    pub fn begin(self, reply: Reply, value: &str) -> Reply {
        reply.and(header::SET_COOKIE, &self.written(FLOW, value, Some(GOOD_SECONDS)))
    }

    /// The reply that takes that from the browser.
    #[must_use]
    pub fn done(self, reply: Reply) -> Reply {
        reply.and(header::SET_COOKIE, &self.written(FLOW, "", Some(0)))
    }

    /// What the cookie of a browser holds that opened a link which was mailed.
    pub fn link(self, exchange: &Exchange) -> Option<&str> {
        exchange.cookie(&self.name(LINK)).filter(|value| !value.is_empty())
    }

    /// The reply with what the browser has that opened a link, for so many seconds.
    #[must_use]
    pub fn open_link(self, reply: Reply, value: &str, seconds: i64) -> Reply {
        reply.and(header::SET_COOKIE, &self.written(LINK, value, Some(seconds.max(0))))
    }

    /// The reply that takes that from the browser.
    #[must_use]
    pub fn end_link(self, reply: Reply) -> Reply {
        reply.and(header::SET_COOKIE, &self.written(LINK, "", Some(0)))
    }

    fn written(self, name: &str, value: &str, max_age: Option<i64>) -> String {
        let name = self.name(name);
        let secure = if self.is_secure { "; Secure" } else { "" };
        let age = max_age.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
        format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{age}")
    }

    /// The reply with a session for the browser, which is a known device from now on where it says
    /// so.
    #[must_use]
    pub fn open(self, reply: Reply, token: &str, device: Option<&str>) -> Reply {
        let reply = reply.and(header::SET_COOKIE, &self.written(SESSION, token, None));
        let reply = reply.with("cache-control", "no-store");
        match device {
            Some(device) => self.know(reply, device),
            None => reply,
        }
    }

    /// The reply that makes the browser a known device.
    #[must_use]
    pub fn know(self, reply: Reply, device: &str) -> Reply {
        let device = self.written(DEVICE, device, Some(DEVICE_DAYS * 24 * 3_600));
        reply.and(header::SET_COOKIE, &device)
    }

    /// The reply that takes the session from the browser.
    #[must_use]
    pub fn end(self, reply: Reply) -> Reply {
        reply.and(header::SET_COOKIE, &self.written(SESSION, "", Some(0)))
    }
}

/// Why a session is refused that a page of another server shows.
pub const FROM_ELSEWHERE: &str = "a session from another site";

/// Whether a browser says that a page of this server sent the request.
fn is_from_here(exchange: &Exchange, options: &Options) -> Option<bool> {
    // A browser that says nothing of its own accord says the origin (Fetch Metadata).
    match (exchange.header("sec-fetch-site"), exchange.header("origin")) {
        (Some(site), _) => Some(site == "same-origin"),
        (None, Some(origin)) => Some(origin == options.origin()),
        (None, None) => None,
    }
}

/// Lets in what a page of this server sent, and it alone.
///
/// # Errors
/// `Unauthenticated`.
pub fn only_from_here(exchange: &Exchange, options: &Options) -> Result<(), Failure> {
    let is_here = is_from_here(exchange, options) == Some(true);
    if is_here { Ok(()) } else { Err(Failure::Unauthenticated { reason: FROM_ELSEWHERE }) }
}

/// Refuses what a page of another server sent. Programs that are no browsers are let in.
///
/// # Errors
/// `Forbidden`.
pub fn not_from_elsewhere(exchange: &Exchange, options: &Options) -> Result<(), Failure> {
    let is_elsewhere = is_from_here(exchange, options) == Some(false);
    if is_elsewhere { Err(Failure::Forbidden) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(headers: &[(&'static str, &str)]) -> Exchange {
        let now = patron_model::Timestamp::from_micros(0);
        let mut exchange = Exchange::new(http::Method::POST, "/v1/me", now);
        for (name, value) in headers {
            exchange.headers.append(*name, value.parse().expect("a value"));
        }
        exchange
    }

    #[test]
    fn cookies_are_found_among_others() {
        let plain = Cookies { is_secure: false };
        let host = Cookies { is_secure: true };
        let one = exchange(&[("cookie", "a=1; patron=x; patron-device=d"), ("cookie", "b=2")]);
        assert_eq!((plain.session(&one), plain.device(&one)), (Some("x"), Some("d")));
        assert_eq!((host.session(&one), host.device(&one)), (None, None));
        let two = exchange(&[("cookie", "patron=evil"), ("cookie", "__Host-patron=y==")]);
        assert_eq!(host.session(&two), Some("y=="));
        assert_eq!(plain.session(&exchange(&[("cookie", "patron=")])), None);
        let set = host.written(SESSION, "t", None);
        assert_eq!(set, "__Host-patron=t; Path=/; HttpOnly; SameSite=Lax; Secure");
        let gone = plain.written(SESSION, "", Some(0));
        assert_eq!(gone, "patron=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0");
    }

    #[test]
    fn pages_of_other_sites_are_told_apart() {
        let options = Options { base_url: "https://pay.example.com".to_owned() };
        for (headers, is_ours, is_let_in) in [
            (vec![("sec-fetch-site", "same-origin")], true, true),
            (vec![("sec-fetch-site", "same-site")], false, false),
            (vec![("sec-fetch-site", "cross-site")], false, false),
            (vec![("sec-fetch-site", "none")], false, false),
            (vec![("origin", "https://pay.example.com")], true, true),
            (vec![("origin", "https://evil.example.com")], false, false),
            (vec![("origin", "http://pay.example.com")], false, false),
            (vec![("origin", "null")], false, false),
            (
                vec![("sec-fetch-site", "cross-site"), ("origin", "https://pay.example.com")],
                false,
                false,
            ),
            (vec![], false, true),
        ] {
            let request = exchange(&headers);
            assert_eq!(only_from_here(&request, &options).is_ok(), is_ours, "{headers:?}");
            assert_eq!(not_from_elsewhere(&request, &options).is_ok(), is_let_in, "{headers:?}");
        }
    }
}
