//! Whether and how mails are sent.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use http::Uri;
use patron_app::mails::Transport;
use patron_mails::{NewSmtp, Safety, Smtp, TIMEOUT_SECONDS_MAX};
use serde::{Deserialize, Serialize};

/// Port for mails over TLS from the first byte (RFC 8314).
const TLS_PORT: u16 = 465;
/// Port for mails over STARTTLS (RFC 6409).
const STARTTLS_PORT: u16 = 587;

/// Mails.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MailSettings {
    /// What becomes of mails.
    pub transport: TransportSetting,
    /// Where the server is that takes them.
    pub url: String,
    /// The name to sign in there with; empty: nobody signs in.
    pub user: String,
    /// The password for that.
    pub password: String,
    /// Who mails are from.
    pub from: String,
    /// PEM file of authorities trusted beside those of the web.
    pub ca_file: PathBuf,
    /// Seconds that handing one over may take.
    pub timeout_seconds: u64,
}

impl std::fmt::Debug for MailSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MailSettings({:?}, {}, …)", self.transport, self.url)
    }
}

/// What becomes of mails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum TransportSetting {
    /// None are written.
    #[default]
    None,
    /// They are sent.
    Smtp,
    /// They are kept and can be read.
    Tray,
}

impl Default for MailSettings {
    fn default() -> Self {
        MailSettings {
            transport: TransportSetting::None,
            url: String::new(),
            user: String::new(),
            password: String::new(),
            from: String::new(),
            ca_file: PathBuf::new(),
            timeout_seconds: 30,
        }
    }
}

impl MailSettings {
    /// Those of a sandbox: a tray.
    pub fn of_sandbox() -> MailSettings {
        MailSettings { transport: TransportSetting::Tray, ..MailSettings::default() }
    }

    /// What becomes of mails.
    pub fn transport(&self) -> Transport {
        match self.transport {
            TransportSetting::None => Transport::Nowhere,
            TransportSetting::Smtp => Transport::Smtp,
            TransportSetting::Tray => Transport::Tray,
        }
    }

    /// Whether all of it is understood.
    pub(super) fn check(&self) -> Result<()> {
        let longest = TIMEOUT_SECONDS_MAX;
        ensure!(
            (1..=longest).contains(&self.timeout_seconds),
            "mail.timeout_seconds must be 1 to {longest}"
        );
        if self.transport == TransportSetting::Smtp {
            self.smtp_with(None)?;
        }
        Ok(())
    }

    /// The same with the password left out.
    pub(super) fn hide(&mut self) {
        if !self.password.is_empty() {
            self.password = "(set)".into();
        }
    }

    /// What mails are handed over by, where they are sent.
    ///
    /// # Errors
    /// When the authorities cannot be read.
    pub fn smtp(&self) -> Result<Option<Smtp>> {
        if self.transport != TransportSetting::Smtp {
            return Ok(None);
        }
        let ca = match self.ca_file.as_os_str().is_empty() {
            true => None,
            false => Some(std::fs::read(&self.ca_file).with_context(|| {
                format!("mail.ca_file: {} cannot be read", self.ca_file.display())
            })?),
        };
        self.smtp_with(ca).map(Some)
    }

    fn smtp_with(&self, ca: Option<Vec<u8>>) -> Result<Smtp> {
        let (safety, host, port) = self.place()?;
        ensure!(
            self.user.is_empty() == self.password.is_empty(),
            "mail.user and mail.password go together"
        );
        let credentials =
            (!self.user.is_empty()).then(|| (self.user.clone(), self.password.clone()));
        let timeout = Duration::from_secs(self.timeout_seconds);
        let from = self.from.clone();
        let new = NewSmtp { host, port, safety, credentials, from, ca, timeout };
        Smtp::new(new).map_err(|why| anyhow!("mail.{why}"))
    }

    /// How a connection is encrypted, and where to.
    fn place(&self) -> Result<(Safety, String, u16)> {
        const WANTED: &str =
            "mail.url must be smtps://host or smtp://host, with a port where needed";
        let uri: Uri = self.url.parse().context(WANTED)?;
        let authority = uri.authority().context(WANTED)?;
        let is_plain = uri.query().is_none() && matches!(uri.path(), "" | "/");
        ensure!(is_plain && !authority.as_str().contains('@'), WANTED);
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        ensure!(!host.is_empty(), WANTED);
        let is_here = host == "localhost"
            || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        let (safety, port) = match uri.scheme_str() {
            Some("smtps") => (Safety::Tls, TLS_PORT),
            // In the clear only where nobody is in between.
            Some("smtp") if is_here => (Safety::Plain, STARTTLS_PORT),
            Some("smtp") => (Safety::StartTls, STARTTLS_PORT),
            _ => bail!(WANTED),
        };
        Ok((safety, host, authority.port_u16().unwrap_or(port)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(url: &str, from: &str) -> MailSettings {
        let (url, from) = (url.to_owned(), from.to_owned());
        MailSettings { transport: TransportSetting::Smtp, url, from, ..MailSettings::default() }
    }

    #[test]
    fn connections_are_encrypted_but_to_this_machine() {
        for (url, place) in [
            ("smtps://mail.example.com", (Safety::Tls, "mail.example.com", 465)),
            ("smtp://mail.example.com", (Safety::StartTls, "mail.example.com", 587)),
            ("smtp://mail.example.com:25/", (Safety::StartTls, "mail.example.com", 25)),
            ("smtp://127.0.0.1:2525", (Safety::Plain, "127.0.0.1", 2525)),
            ("smtp://[::1]:2525", (Safety::Plain, "::1", 2525)),
            ("smtp://localhost", (Safety::Plain, "localhost", 587)),
            ("smtp://127.0.0.1.example.com", (Safety::StartTls, "127.0.0.1.example.com", 587)),
        ] {
            let settings = sent(url, "Patron <no-reply@example.com>");
            let (safety, host, port) = settings.place().expect("a place");
            assert_eq!((safety, host.as_str(), port), place, "{url}");
            assert!(settings.check().is_ok(), "{url}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused_at_the_start() {
        for url in ["", "mail.example.com", "http://x", "smtp://u:p@x", "smtp://x?tls=none"] {
            assert!(sent(url, "a@example.com").check().is_err(), "{url}");
        }
        for from in ["", "nobody", "a@example.com\nBcc: b@example.com"] {
            assert!(sent("smtp://localhost", from).check().is_err(), "{from:?}");
        }
        let half = MailSettings { user: "u".into(), ..sent("smtp://localhost", "a@example.com") };
        assert!(half.check().is_err());
        let long = MailSettings { timeout_seconds: 151, ..MailSettings::default() };
        assert!(long.check().is_err() && MailSettings::default().check().is_ok());
    }
}
