//! What the shape of a setting does not say: addresses that can be met, levels that are some,
//! limits at which something is answered.

use anyhow::{Context as _, Result, bail, ensure};
use http::{Uri, uri::Authority};
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

use super::{LimitSettings, LogSettings, Settings};
use crate::dialects::DIALECTS;

/// Looks through all addresses: where the server listens, where clients reach it, host names of
/// single APIs.
///
/// # Errors
/// With the first one that cannot be listened at, or would never be met.
pub(super) fn addresses(settings: &Settings) -> Result<()> {
    listens_at(&settings.listen).with_context(|| format!("listen: {}", settings.listen))?;
    let operations = &settings.admin.listen;
    if !operations.is_empty() {
        listens_at(operations).with_context(|| format!("admin.listen: {operations}"))?;
    }
    let base_url = &settings.base_url;
    if !base_url.is_empty() {
        reached_at(base_url).with_context(|| format!("base_url: {base_url}"))?;
    }
    settings.hosts.iter().try_for_each(|(host, api)| bound(host, api))
}

fn listens_at(address: &str) -> Result<()> {
    let parsed: Option<Authority> = address.parse().ok();
    let is_whole = parsed.is_some_and(|at| {
        !at.host().is_empty() && at.port_u16().is_some() && !at.as_str().contains('@')
    });
    ensure!(is_whole, "must be an address and a port, such as 127.0.0.1:8080 or [::1]:8080");
    Ok(())
}

/// Whether it is the address of a server.
///
/// # Errors
/// When it is none, or says more than where.
pub(super) fn reached_at(url: &str) -> Result<()> {
    const WANTED: &str = "must be https:// or http://, a host, and where needed a port and a path";
    let parsed: Uri = url.parse().context(WANTED)?;
    let is_web = matches!(parsed.scheme_str(), Some("http" | "https"));
    let is_named = parsed.authority().is_some_and(|at| {
        !at.host().is_empty() && !at.as_str().contains('@') && !at.as_str().ends_with(':')
    });
    ensure!(is_web && is_named && parsed.query().is_none() && !url.contains('#'), WANTED);
    Ok(())
}

/// A host is compared with what clients send in `Host`, without the port.
fn bound(host: &str, api: &str) -> Result<()> {
    let is_label = |label: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        (1..=63).contains(&label.len()) && label.chars().all(plain)
    };
    let is_name = host.len() <= 253 && host.trim_end_matches('.').split('.').all(is_label);
    if !is_name || host.ends_with('.') {
        bail!(
            "hosts: {host} is no host name: write it as clients send it, without https://, port \
             and path"
        );
    }
    let known = DIALECTS.iter().map(|dialect| dialect.name);
    if !known.clone().any(|name| name == api) {
        let names: Vec<&str> = known.collect();
        bail!("hosts.{host}: no API is called {api}; there are {}", names.join(", "));
    }
    Ok(())
}

impl LimitSettings {
    /// Limits at which nothing would ever be answered.
    pub(super) fn check(&self) -> Result<()> {
        let least = [
            ("requests_in_work_max", self.requests_in_work_max as u64),
            ("connections_max", self.connections_max as u64),
            ("head_bytes_max", self.head_bytes_max as u64),
            ("handshake_seconds_max", self.handshake_seconds_max),
            ("head_seconds_max", self.head_seconds_max),
            ("body_seconds_max", self.body_seconds_max),
            ("answer_seconds_max", self.answer_seconds_max),
            ("request_seconds_max", self.request_seconds_max),
        ];
        if let Some((name, _)) = least.iter().find(|(_, value)| *value == 0) {
            bail!("limits.{name} must be at least 1");
        }
        let header = &self.client_address_header;
        if !header.is_empty() && http::HeaderName::try_from(header.as_str()).is_err() {
            bail!("limits.client_address_header: {header} cannot be the name of a header");
        }
        Ok(())
    }
}

impl LogSettings {
    /// What is written to the log.
    ///
    /// # Errors
    /// When the level is none. A word that is no level would be taken for the name of a part of the
    /// program, and nothing be written.
    pub fn filter(&self) -> Result<EnvFilter> {
        let is_level = |directive: &str| {
            let level = directive.rsplit_once('=').map_or(directive, |(_, level)| level);
            level.trim().parse::<LevelFilter>().is_ok()
        };
        let level = &self.level;
        match level.split(',').all(is_level) {
            true => EnvFilter::try_new(level).ok(),
            false => None,
        }
        .with_context(|| {
            format!(
                "log.level {level} is not understood: error, warn, info, debug or trace, and after \
                 a comma part=level for single parts"
            )
        })
    }
}
