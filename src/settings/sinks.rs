//! Where events go beside webhooks: sinks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow, ensure};
use patron_app::webhooks::{EventType, Payload};
use patron_sinks::{NewSink, SignsIn, Way};
use serde::{Deserialize, Serialize};

use super::webhooks::PlainSetting;

/// Sinks at most.
const SINKS_MAX: usize = 16;
/// Servers of a broker at most.
const SERVERS_MAX: usize = 16;
/// Most characters of the name of a sink, and of what subjects begin with.
const NAME_CHARS_MAX: usize = 50;

/// A sink.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SinkSettings {
    /// What it is.
    pub kind: SinkKind,
    /// Servers of the broker.
    pub servers: Vec<String>,
    /// Whether they are reached in the clear.
    pub plain: PlainSetting,
    /// The name to sign in with; empty: none.
    pub user: String,
    /// The password for that.
    pub password: String,
    /// A token to sign in with, instead.
    pub token: String,
    /// PEM file of authorities trusted instead of the system's.
    pub ca_file: PathBuf,
    /// PEM file of a certificate to show.
    pub certificate: PathBuf,
    /// PEM file of its key.
    pub key: PathBuf,
    /// What subjects begin with.
    pub prefix: String,
    /// What is published.
    pub types: Vec<String>,
    /// Whether records are published, or only which they are.
    pub payload: PayloadSetting,
    /// Numbers of the spaces; none: all.
    pub spaces: BTreeSet<i64>,
    /// Where it begins in spaces that were there before it.
    pub from: FromSetting,
}

/// What a sink is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum SinkKind {
    /// NATS JetStream.
    #[default]
    Nats,
}

/// Whether records are published, or only which they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum PayloadSetting {
    /// Records.
    #[default]
    Full,
    /// Which they are.
    Thin,
}

/// Where a sink begins in spaces that were there before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum FromSetting {
    /// With what comes from then on.
    #[default]
    Now,
    /// With their first entries.
    Start,
}

impl std::fmt::Debug for SinkSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SinkSettings({:?}, …)", self.servers)
    }
}

impl Default for SinkSettings {
    fn default() -> Self {
        SinkSettings {
            kind: SinkKind::Nats,
            servers: Vec::new(),
            plain: PlainSetting::Refuse,
            user: String::new(),
            password: String::new(),
            token: String::new(),
            ca_file: PathBuf::new(),
            certificate: PathBuf::new(),
            key: PathBuf::new(),
            prefix: "patron".into(),
            types: vec!["*".into()],
            payload: PayloadSetting::Full,
            spaces: BTreeSet::new(),
            from: FromSetting::Now,
        }
    }
}

impl SinkSettings {
    /// The same with password and token left out.
    pub(super) fn hide(&mut self) {
        for secret in [&mut self.password, &mut self.token] {
            if !secret.is_empty() {
                *secret = "(set)".into();
            }
        }
    }

    /// The sink of this name.
    ///
    /// # Errors
    /// With the first setting that is not understood.
    fn sink(&self, name: &str) -> Result<NewSink> {
        self.read(name).with_context(|| format!("[sinks.{name}]"))
    }

    fn read(&self, name: &str) -> Result<NewSink> {
        let is_word = |word: &str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            (1..=NAME_CHARS_MAX).contains(&word.len()) && word.chars().all(plain)
        };
        ensure!(
            is_word(name),
            "the name of a sink is letters, digits, - and _, {NAME_CHARS_MAX} at most"
        );
        let is_prefix = self.prefix.len() <= NAME_CHARS_MAX && self.prefix.split('.').all(is_word);
        ensure!(is_prefix, "prefix must be words of letters, digits, - and _ with . between them");
        let read =
            |text: &String| EventType::parse(text).map_err(|why| anyhow!("types: {text}: {why}"));
        let types = self.types.iter().map(read).collect::<Result<Vec<_>>>()?;
        ensure!(!types.is_empty(), "types must name what is published: [\"*\"] is all");
        let payload = match self.payload {
            PayloadSetting::Full => Payload::Full,
            PayloadSetting::Thin => Payload::Thin,
        };
        Ok(NewSink {
            name: name.to_owned(),
            way: self.way()?,
            prefix: self.prefix.clone(),
            types,
            payload,
            spaces: self.spaces.clone(),
            is_from_start: self.from == FromSetting::Start,
        })
    }

    fn way(&self) -> Result<Way> {
        const WANTED: &str = "servers must be nats://host or tls://host, with a port where needed";
        ensure!((1..=SERVERS_MAX).contains(&self.servers.len()), WANTED);
        let (mut servers, mut is_here) = (Vec::new(), true);
        for server in &self.servers {
            let address: patron_sinks::ServerAddr = server.parse().ok().context(WANTED)?;
            let is_known = ["nats", "tls"].contains(&address.scheme());
            ensure!(is_known && server.contains("://") && !address.host().is_empty(), WANTED);
            ensure!(!server.contains('@'), "servers name nobody: user and password are settings");
            let host = address.host();
            is_here &= address.scheme() == "nats" && is_loopback(host);
            servers.push(address);
        }
        let certificate = pair("certificate", &self.certificate, "key", &self.key)?;
        let signs_in = match (self.user.is_empty(), self.token.is_empty()) {
            (true, true) => SignsIn::Nobody,
            (false, true) => SignsIn::User(self.user.clone(), self.password.clone()),
            (true, false) => SignsIn::Token(self.token.clone()),
            (false, false) => return Err(anyhow!("only one of user and token signs in")),
        };
        ensure!(self.user.is_empty() == self.password.is_empty(), "user and password go together");
        Ok(Way {
            servers,
            // In the clear only where nobody is in between, or where it is said so.
            is_encrypted: !is_here && self.plain == PlainSetting::Refuse,
            signs_in,
            ca_file: Some(self.ca_file.clone()).filter(|file| !file.as_os_str().is_empty()),
            certificate,
        })
    }
}

/// All sinks, in the order of their names.
pub(super) fn all(sinks: &BTreeMap<String, SinkSettings>) -> Result<Vec<NewSink>> {
    ensure!(sinks.len() <= SINKS_MAX, "there are more than {SINKS_MAX} sinks");
    sinks.iter().map(|(name, sink)| sink.sink(name)).collect()
}

fn is_loopback(host: &str) -> bool {
    let address = host.parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn pair(
    name: &str,
    one: &std::path::Path,
    other_name: &str,
    other: &std::path::Path,
) -> Result<Option<(PathBuf, PathBuf)>> {
    let [one_is, other_is] = [one, other].map(|path| !path.as_os_str().is_empty());
    ensure!(one_is == other_is, "{name} and {other_name} go together");
    Ok(one_is.then(|| (one.to_owned(), other.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(server: &str) -> SinkSettings {
        SinkSettings { servers: vec![server.to_owned()], ..SinkSettings::default() }
    }

    #[test]
    fn brokers_are_reached_by_tls_but_on_this_machine() {
        for (server, is_encrypted) in [
            ("nats://127.0.0.1:4222", false),
            ("nats://localhost", false),
            ("nats://[::1]:4222", false),
            ("tls://127.0.0.1", true),
            ("nats://nats.example.com:4222", true),
            ("nats://127.0.0.1.example.com", true),
        ] {
            let sink = at(server).sink("bus").unwrap_or_else(|why| panic!("{server}: {why:#}"));
            assert_eq!(sink.way.is_encrypted, is_encrypted, "{server}");
        }
        let plain = SinkSettings { plain: PlainSetting::Allow, ..at("nats://nats.internal") };
        assert!(!plain.sink("bus").expect("understood").way.is_encrypted);
    }

    #[test]
    fn what_cannot_be_is_refused_at_the_start() {
        for server in ["", "127.0.0.1:4222", "http://x", "ws://x", "nats://", "nats://u:p@x"] {
            assert!(at(server).sink("bus").is_err(), "{server}");
        }
        assert!(SinkSettings::default().sink("bus").is_err(), "it leads nowhere");
        let good = || at("nats://localhost");
        for bad in [
            SinkSettings { prefix: "a b".into(), ..good() },
            SinkSettings { prefix: "a..b".into(), ..good() },
            SinkSettings { prefix: "a.*".into(), ..good() },
            SinkSettings { types: vec!["customer.update".into()], ..good() },
            SinkSettings { types: Vec::new(), ..good() },
            SinkSettings { user: "u".into(), ..good() },
            SinkSettings { user: "u".into(), password: "p".into(), token: "t".into(), ..good() },
            SinkSettings { certificate: "c.pem".into(), ..good() },
        ] {
            assert!(bad.sink("bus").is_err());
        }
        assert!(good().sink("a b").is_err() && good().sink("").is_err());
        assert!(good().sink("bus-1").is_ok());
    }
}
