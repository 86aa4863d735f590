//! Where webhooks may go.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow, ensure};
use http::Uri;
use patron_outbound::{Allowed, Client, Guard, NewClient, names::Names};
use serde::{Deserialize, Serialize};

/// What requests call themselves.
const USER_AGENT: &str = "Patron-Webhooks/1";
/// Days that deliveries are kept at most.
const KEEP_DAYS_MAX: i64 = 3_650;

/// Webhooks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebhookSettings {
    /// Who inside may be asked: networks, addresses with a port, names.
    pub allow: Vec<String>,
    /// Whether nobody else may.
    pub only_allowed: bool,
    /// Whether URLs in the clear are taken.
    pub http: PlainSetting,
    /// PEM file of authorities trusted beside those of the web.
    pub ca_file: PathBuf,
    /// Days that deliveries which are over are kept.
    pub keep_days: i64,
}

/// Whether URLs in the clear are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum PlainSetting {
    /// Only to those in `allow`.
    #[default]
    Refuse,
    /// Everywhere.
    Allow,
}

impl Default for WebhookSettings {
    fn default() -> Self {
        WebhookSettings {
            allow: Vec::new(),
            only_allowed: false,
            http: PlainSetting::Refuse,
            ca_file: PathBuf::new(),
            keep_days: 30,
        }
    }
}

impl WebhookSettings {
    /// Those of a sandbox: this machine, in the clear too; the world where it is said so.
    pub fn of_sandbox(is_open: bool) -> WebhookSettings {
        WebhookSettings {
            allow: ["127.0.0.0/8", "::1"].map(str::to_owned).to_vec(),
            only_allowed: !is_open,
            http: PlainSetting::Allow,
            ..WebhookSettings::default()
        }
    }

    /// Whether all of it is understood.
    pub(super) fn check(&self) -> Result<()> {
        self.allowed()?;
        ensure!(
            (1..=KEEP_DAYS_MAX).contains(&self.keep_days),
            "webhooks.keep_days must be 1 to {KEEP_DAYS_MAX}"
        );
        Ok(())
    }

    fn allowed(&self) -> Result<Vec<Allowed>> {
        let read = |entry: &String| {
            Allowed::parse(entry).with_context(|| {
                format!(
                    "webhooks.allow: {entry} is no network (10.0.0.0/8), address and port \
                     (127.0.0.1:9000) or name"
                )
            })
        };
        self.allow.iter().map(read).collect()
    }

    /// The client that webhooks are sent by; `own`: where this server listens itself.
    ///
    /// # Errors
    /// When the authorities cannot be read.
    pub fn client(&self, own: Vec<SocketAddr>, base_url: &str) -> Result<Client> {
        let guard = Guard {
            allow: self.allowed()?,
            http: self.http == PlainSetting::Allow,
            only_allowed: self.only_allowed,
            own,
            own_host: host_of(base_url),
        };
        let ca = match self.ca_file.as_os_str().is_empty() {
            true => None,
            false => Some(std::fs::read(&self.ca_file).with_context(|| {
                format!("webhooks.ca_file: {} cannot be read", self.ca_file.display())
            })?),
        };
        let names = Names::of_system();
        let client = Client::new(NewClient { guard, names, ca, user_agent: USER_AGENT });
        client.map_err(|why| anyhow!("webhooks.ca_file: {why}"))
    }
}

/// Host and port of a URL.
fn host_of(url: &str) -> Option<(String, u16)> {
    let uri: Uri = url.parse().ok()?;
    let usual = if uri.scheme_str() == Some("http") { 80 } else { 443 };
    Some((uri.host()?.to_owned(), uri.port_u16().unwrap_or(usual)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allowed_is_understood_or_refused() {
        let of = |entry: &str| WebhookSettings {
            allow: vec![entry.to_owned()],
            ..WebhookSettings::default()
        };
        for good in ["10.0.0.0/8", "127.0.0.1:9000", "hooks.internal"] {
            assert!(of(good).check().is_ok(), "{good}");
        }
        assert!(of("10.0.0.1/8").check().is_err() && of("http://x").check().is_err());
        assert_eq!(host_of("https://pay.example/x"), Some(("pay.example".to_owned(), 443)));
        assert_eq!(host_of("http://127.0.0.1:8080"), Some(("127.0.0.1".to_owned(), 8080)));
        assert!(WebhookSettings::of_sandbox(false).client(Vec::new(), "http://x").is_ok());
    }
}
