//! Which URLs and which addresses pass. A URL is looked at when it is set and when it is used; its
//! addresses at every connection.

use std::net::{IpAddr, SocketAddr};

use thiserror::Error;
use url::{Host, Url};

use crate::{
    Fault,
    networks::{METADATA, Network, is_public, meant},
};

/// Characters of a URL.
pub const URL_CHARS_MAX: usize = 2_048;

/// Ports that browsers refuse because other protocols live there (Fetch, "bad port"), from 1024 on;
/// below only 80 and 443 pass.
const BAD_PORTS: [u16; 20] = [
    1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669,
    6679, 6697, 10080, 10081,
];
/// Ends of names that mean something inside.
const INSIDE: [&str; 5] = ["localhost", "local", "internal", "home.arpa", "onion"];

/// Somebody inside who may be connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowed {
    /// Every address of a network, at ports that any URL may have.
    Network(Network),
    /// One address and port, whichever port that is.
    Exact(SocketAddr),
    /// A name that would be refused for what it looks like. Its addresses must be allowed too, or
    /// be public.
    Name(String),
}

impl Allowed {
    /// Reads `10.0.0.0/8`, `192.0.2.7`, `127.0.0.1:9000`, `[::1]:9000` or a name.
    pub fn parse(text: &str) -> Option<Allowed> {
        if let Some(network) = Network::parse(text) {
            return Some(Allowed::Network(network));
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Some(Allowed::Exact(address));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        match Host::parse(name) {
            Ok(Host::Domain(name)) => Some(Allowed::Name(name)),
            Ok(Host::Ipv4(_) | Host::Ipv6(_)) | Err(_) => None,
        }
    }
}

/// Why a URL is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{}", self.needs())]
pub enum Refused {
    /// Not an absolute URL of the web.
    Syntax,
    /// Not `https`, and `http` is not allowed there.
    Scheme,
    /// It has a user, a password or a fragment.
    Parts,
    /// A port at which other protocols live.
    Port,
    /// A name or address that is not public.
    Host,
}

impl Refused {
    /// What it would have to be.
    pub const fn needs(self) -> &'static str {
        match self {
            Refused::Syntax => "an absolute https:// URL of at most 2048 characters",
            Refused::Scheme => "a URL that begins with https://",
            Refused::Parts => "a URL without user, password and fragment",
            Refused::Port => {
                "a URL with port 443, 80, or one from 1024 on at which no other protocol lives"
            }
            Refused::Host => "a URL of a public host",
        }
    }
}

/// What decides.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    /// Who is let in beside the public internet.
    pub allow: Vec<Allowed>,
    /// Whether `http` may be used everywhere, not only to those in `allow`.
    pub http: bool,
    /// Whether nobody but those in `allow` may be connected to.
    pub only_allowed: bool,
    /// Where this server itself listens: refused in any case.
    pub own: Vec<SocketAddr>,
    /// The host and port under which this server is known: refused too.
    pub own_host: Option<(String, u16)>,
}

/// A URL that passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    url: Url,
}

impl Target {
    /// The URL as it will be asked for.
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    /// Host, and port where it is not the scheme's own: what people may be told.
    pub fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }
}

impl Guard {
    /// Looks at a URL.
    ///
    /// # Errors
    /// With what it would have to be.
    pub fn check(&self, url: &str) -> Result<Target, Refused> {
        // The parser drops them silently, and what is kept is what was sent.
        if url.chars().count() > URL_CHARS_MAX || url.chars().any(|c| c.is_control() || c == ' ') {
            return Err(Refused::Syntax);
        }
        let url = Url::parse(url).map_err(|_| Refused::Syntax)?;
        if !["https", "http"].contains(&url.scheme()) {
            return Err(Refused::Scheme);
        }
        let has_user = !url.username().is_empty() || url.password().is_some();
        if has_user || url.fragment().is_some() {
            return Err(Refused::Parts);
        }
        let port = url.port_or_known_default().ok_or(Refused::Port)?;
        let is_listed = match url.host().ok_or(Refused::Syntax)? {
            Host::Ipv4(address) => self.literal(IpAddr::V4(address), port)?,
            Host::Ipv6(address) => self.literal(IpAddr::V6(address), port)?,
            Host::Domain(name) => self.name(name, port)?,
        };
        if url.scheme() == "http" && !self.http && !is_listed {
            return Err(Refused::Scheme);
        }
        Ok(Target { url })
    }

    /// Whether a literal address is allowed by name; refused when it may not be used at all.
    fn literal(&self, address: IpAddr, port: u16) -> Result<bool, Refused> {
        let place = SocketAddr::new(address, port);
        let is_listed = self.lists(place);
        if !is_usual(port) && !self.has_exact(place) {
            return Err(Refused::Port);
        }
        match self.judge(place, false) {
            Ok(()) => Ok(is_listed),
            Err(_) => Err(Refused::Host),
        }
    }

    fn name(&self, name: &str, port: u16) -> Result<bool, Refused> {
        let bare = name.strip_suffix('.').unwrap_or(name);
        let is_known = |allowed: &Allowed| matches!(allowed, Allowed::Name(own) if own == bare);
        let is_listed = self.allow.iter().any(is_known);
        let ends = |end: &str| bare == end || bare.ends_with(&format!(".{end}"));
        if !is_listed && (!bare.contains('.') || INSIDE.iter().any(|end| ends(end))) {
            return Err(Refused::Host);
        }
        let is_own = |(host, own): &(String, u16)| host == bare && *own == port;
        if self.own_host.as_ref().is_some_and(is_own) {
            return Err(Refused::Host);
        }
        // Whether an address and port is listed exactly is only known when it is looked up.
        let may_be_exact =
            self.allow.iter().any(|a| matches!(a, Allowed::Exact(e) if e.port() == port));
        if !is_usual(port) && !may_be_exact {
            return Err(Refused::Port);
        }
        Ok(is_listed)
    }

    /// Judges the addresses of a host as a whole: one that must not be connected to refuses all,
    /// because which of them is taken is not the receiver's to say.
    ///
    /// # Errors
    /// `AddressRefused`; `Dns` when there are none.
    pub fn judge_all(&self, addresses: &[IpAddr], port: u16, is_plain: bool) -> Result<(), Fault> {
        if addresses.is_empty() {
            return Err(Fault::Dns);
        }
        addresses.iter().try_for_each(|address| {
            let place = SocketAddr::new(*address, port);
            self.judge(place, is_plain)
        })
    }

    /// Judges one address; `is_plain`: the connection is in the clear.
    ///
    /// # Errors
    /// `AddressRefused`.
    fn judge(&self, place: SocketAddr, is_plain: bool) -> Result<(), Fault> {
        if self.is_own(place) {
            return Err(Fault::AddressRefused);
        }
        if self.lists(place) {
            return Ok(());
        }
        let may_be = is_usual(place.port())
            && !self.only_allowed
            && (self.http || !is_plain)
            && is_public(place.ip());
        if may_be { Ok(()) } else { Err(Fault::AddressRefused) }
    }

    fn has_exact(&self, place: SocketAddr) -> bool {
        self.allow.iter().any(|allowed| match allowed {
            Allowed::Exact(exact) => *exact == place,
            Allowed::Network(_) | Allowed::Name(_) => false,
        })
    }

    fn lists(&self, place: SocketAddr) -> bool {
        let is_metadata = METADATA.contains(&meant(place.ip()));
        self.has_exact(place)
            || is_usual(place.port())
                && self.allow.iter().any(|allowed| match allowed {
                    Allowed::Network(network) => {
                        network.has(place.ip()) && (network.is_single() || !is_metadata)
                    }
                    Allowed::Exact(_) | Allowed::Name(_) => false,
                })
    }

    /// Whether this server listens there itself. One that listens at every address is met at the
    /// loopback ones; those of its cards are not known here.
    fn is_own(&self, place: SocketAddr) -> bool {
        let ip = meant(place.ip()).to_canonical();
        self.own.iter().any(|own| {
            let is_everywhere =
                own.ip().is_unspecified() && (ip.is_loopback() || ip.is_unspecified());
            own.port() == place.port() && (own.ip() == ip || is_everywhere)
        })
    }
}

/// Whether a port is one at which receivers listen.
fn is_usual(port: u16) -> bool {
    matches!(port, 80 | 443) || port >= 1024 && !BAD_PORTS.contains(&port)
}

#[cfg(test)]
#[path = "guard/tests.rs"]
mod tests;
