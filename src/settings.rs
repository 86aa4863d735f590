//! Settings: `patron.toml`, then the environment. The commented default file is the documentation.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use patron_app::documents::related_of;
use patron_gateway::dispatch::RequestLog;
use patron_sinks::NewSink;
use patron_store::{Location, Options, Synchronous};
use serde::{Deserialize, Serialize};

use crate::master_key::Source;

mod audit;
mod auth;
mod checks;
mod limits;
mod mail;
mod sinks;
mod telemetry;
mod webhooks;
pub use self::{
    audit::AuditSettings,
    auth::AuthSettings,
    limits::LimitSettings,
    mail::{MailSettings, TransportSetting},
    sinks::SinkSettings,
    telemetry::TelemetrySettings,
    webhooks::WebhookSettings,
};

/// The default settings with their comments.
pub const DEFAULT: &str = include_str!("patron.toml");
/// What the environment variables begin with.
const PREFIX: &str = "PATRON__";
/// Name of the database file in its folder.
pub const DATABASE_FILE: &str = "patron.db";

/// All settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Address and port to listen at.
    pub listen: String,
    /// Where clients reach this server.
    pub base_url: String,
    /// What operators see.
    pub admin: AdminSettings,
    /// TLS of the server itself.
    pub tls: TlsSettings,
    /// Where the records are.
    pub store: StoreSettings,
    /// Secrets of the deployment.
    pub secrets: SecretSettings,
    /// The log.
    pub log: LogSettings,
    /// Traces.
    pub telemetry: TelemetrySettings,
    /// Limits.
    pub limits: LimitSettings,
    /// The audit trail.
    pub audit: AuditSettings,
    /// How people sign in.
    pub auth: AuthSettings,
    /// Webhooks.
    pub webhooks: WebhookSettings,
    /// Mails.
    pub mail: MailSettings,
    /// Where events go beside webhooks, by name.
    pub sinks: BTreeMap<String, SinkSettings>,
    /// Host names of single APIs.
    pub hosts: BTreeMap<String, String>,
}

/// What operators see.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdminSettings {
    /// Address and port of the operations listener; empty: none.
    pub listen: String,
}

/// TLS of the server itself; empty paths: none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct TlsSettings {
    /// PEM file of the certificate and those between it and its CA.
    pub certificate: PathBuf,
    /// PEM file of its private key.
    pub key: PathBuf,
    /// PEM file of those who may sign the certificates of callers, who must show one then.
    pub client_ca: PathBuf,
}

/// Where the records are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreSettings {
    /// `sqlite:<folder>` or a PostgreSQL URL.
    pub url: String,
    /// Writes that may wait.
    pub write_queue_max: usize,
    /// Connections to PostgreSQL at most.
    pub postgres_connections_max: usize,
    /// Seconds a question to the store may take.
    pub query_seconds_max: u64,
    /// Milliseconds a SQLite read may take on the thread that asks.
    pub sqlite_inline_ms_max: u64,
    /// Whether documents are packed when they are written.
    pub pack_documents: bool,
    /// Whether SQLite commits are flushed to the disk.
    pub synchronous: SynchronousSetting,
}

/// Whether SQLite commits are flushed to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum SynchronousSetting {
    /// Yes: what was answered survives a power failure.
    #[default]
    Full,
    /// No: only to measure what flushing costs.
    Off,
}

/// Secrets of the deployment.
#[derive(Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct SecretSettings {
    /// 32 bytes in base64.
    pub master_key: String,
    /// File that holds it.
    pub master_key_file: String,
    /// Command that prints it.
    pub master_key_command: Vec<String>,
}

impl std::fmt::Debug for SecretSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretSettings(…)")
    }
}

/// The log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// `text` or `json`.
    pub format: LogFormat,
    /// Least severity written.
    pub level: String,
    /// Which requests are written.
    pub requests: LoggedRequests,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For machines.
    Json,
}

/// Which requests are written to the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum LoggedRequests {
    /// Every request.
    All,
    /// Those answered 4xx or 5xx.
    #[default]
    Failures,
    /// None.
    None,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            listen: "127.0.0.1:8080".into(),
            base_url: String::new(),
            admin: AdminSettings::default(),
            tls: TlsSettings::default(),
            store: StoreSettings::default(),
            secrets: SecretSettings::default(),
            log: LogSettings::default(),
            telemetry: TelemetrySettings::default(),
            limits: LimitSettings::default(),
            audit: AuditSettings::default(),
            auth: AuthSettings::default(),
            webhooks: WebhookSettings::default(),
            mail: MailSettings::default(),
            sinks: BTreeMap::new(),
            hosts: BTreeMap::new(),
        }
    }
}

impl Default for AdminSettings {
    fn default() -> Self {
        AdminSettings { listen: "127.0.0.1:9190".into() }
    }
}

impl Default for StoreSettings {
    fn default() -> Self {
        StoreSettings {
            url: "sqlite:patron-data".into(),
            write_queue_max: Options::default().write_queue_max,
            postgres_connections_max: Options::default().postgres_pool_max,
            query_seconds_max: Options::default().query_ms_max / 1_000,
            sqlite_inline_ms_max: Options::default().sqlite_inline_ms,
            pack_documents: Options::default().pack_documents,
            synchronous: SynchronousSetting::Full,
        }
    }
}

impl Default for LogSettings {
    fn default() -> Self {
        LogSettings {
            format: LogFormat::Text,
            level: "info".into(),
            requests: LoggedRequests::Failures,
        }
    }
}

impl Settings {
    /// Reads a file (the one named, or `patron.toml` where it exists) and the environment.
    ///
    /// # Errors
    /// When the file cannot be read, or a key or value is not understood.
    pub fn load(file: Option<&Path>, environment: &[(String, String)]) -> Result<Settings> {
        let named = file.map(Path::to_path_buf);
        let usual = Some(PathBuf::from("patron.toml")).filter(|path| path.exists());
        let mut table = match named.or(usual) {
            Some(path) => {
                let text = std::fs::read_to_string(&path)
                    .with_context(|| format!("{} cannot be read", path.display()))?;
                text.parse::<toml::Table>()
                    .with_context(|| format!("{} is not valid TOML", path.display()))?
            }
            None => toml::Table::new(),
        };
        for (name, value) in environment {
            if let Some(path) = name.strip_prefix(PREFIX) {
                overlay(&mut table, path, value)?;
            }
        }
        let settings: Settings =
            toml::Value::Table(table).try_into().context("the settings are not understood")?;
        settings.check()?;
        Ok(settings)
    }

    /// Rules that the shape of a setting does not say, and those across settings.
    ///
    /// # Errors
    /// With the first setting that a server would refuse or misread.
    pub fn check(&self) -> Result<()> {
        self.location()?;
        checks::addresses(self)?;
        self.log.filter()?;
        self.telemetry.check()?;
        self.limits.check()?;
        self.webhooks.check()?;
        self.mail.check()?;
        self.sinks()?;
        if self.store.write_queue_max == 0 || self.store.postgres_connections_max == 0 {
            bail!("store.write_queue_max and store.postgres_connections_max must be at least 1");
        }
        self.audit.check()?;
        if self.secrets != SecretSettings::default() {
            Source::of(self)?;
        }
        if self.store.query_seconds_max == 0 {
            bail!("store.query_seconds_max must be at least 1");
        }
        let TlsSettings { certificate, key, client_ca } = &self.tls;
        let [certificate, key, client_ca] =
            [certificate, key, client_ca].map(|path| !path.as_os_str().is_empty());
        if certificate != key || (client_ca && !certificate) {
            bail!("tls.certificate and tls.key go together, and tls.client_ca with both of them");
        }
        Ok(())
    }

    /// Where the records are.
    ///
    /// # Errors
    /// When the URL is of neither engine.
    pub fn location(&self) -> Result<Location> {
        let url = &self.store.url;
        if let Some(folder) = url.strip_prefix("sqlite:") {
            return Ok(Location::Sqlite(Path::new(folder).join(DATABASE_FILE)));
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let location = Location::Postgres(url.clone());
            location.check().context("store.url")?;
            return Ok(location);
        }
        bail!("store.url must begin with sqlite: or postgres://")
    }

    /// Folder of the SQLite file.
    pub fn folder(&self) -> Option<PathBuf> {
        self.store.url.strip_prefix("sqlite:").map(PathBuf::from)
    }

    /// Options of the store.
    pub fn options(&self) -> Options {
        Options {
            write_queue_max: self.store.write_queue_max,
            postgres_pool_max: self.store.postgres_connections_max,
            query_ms_max: self.store.query_seconds_max.saturating_mul(1_000),
            sqlite_inline_ms: self.store.sqlite_inline_ms_max,
            pack_documents: self.store.pack_documents,
            synchronous: match self.store.synchronous {
                SynchronousSetting::Full => Synchronous::Full,
                SynchronousSetting::Off => Synchronous::Off,
            },
            related_of,
            ..Options::default()
        }
    }

    /// Where clients reach this server.
    pub fn base_url(&self) -> String {
        let scheme = if self.tls.is_on() { "https" } else { "http" };
        match self.base_url.trim_end_matches('/') {
            "" => format!("{scheme}://{}", self.listen.replace("0.0.0.0", "127.0.0.1")),
            given => given.to_owned(),
        }
    }

    /// The sinks.
    ///
    /// # Errors
    /// With the first setting of theirs that is not understood.
    pub fn sinks(&self) -> Result<Vec<NewSink>> {
        sinks::all(&self.sinks)
    }

    /// Which requests are logged.
    pub fn request_log(&self) -> RequestLog {
        match self.log.requests {
            LoggedRequests::All => RequestLog::All,
            LoggedRequests::Failures => RequestLog::Failures,
            LoggedRequests::None => RequestLog::None,
        }
    }

    /// The settings in force, without secrets.
    ///
    /// # Errors
    /// When they cannot be written as TOML.
    pub fn shown(&self) -> Result<String> {
        let mut shown = self.clone();
        if !shown.secrets.master_key.is_empty() {
            shown.secrets.master_key = "(set)".into();
        }
        shown.mail.hide();
        shown.sinks.values_mut().for_each(SinkSettings::hide);
        shown.store.url = match self.location()? {
            Location::Postgres(_) => self.location()?.to_string(),
            Location::Sqlite(_) | Location::Memory => shown.store.url,
        };
        Ok(toml::to_string_pretty(&shown)?)
    }
}

/// Puts `PATRON__SECTION__KEY=value` into the table. The value is read as TOML where it is TOML
/// (numbers, booleans, lists), otherwise as text.
fn overlay(table: &mut toml::Table, path: &str, value: &str) -> Result<()> {
    let names: Vec<String> = path.split("__").map(str::to_ascii_lowercase).collect();
    let Some((last, sections)) = names.split_last() else { return Ok(()) };
    let mut place = table;
    for section in sections {
        let entry =
            place.entry(section.clone()).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        place = match entry {
            toml::Value::Table(inner) => inner,
            _ => bail!("{PREFIX}{path}: {section} is a value, not a section"),
        };
    }
    let parsed = format!("value = {value}").parse::<toml::Table>().ok();
    let literal = parsed.and_then(|mut table| table.remove("value"));
    let value = match literal {
        Some(
            value @ (toml::Value::Integer(_)
            | toml::Value::Float(_)
            | toml::Value::Boolean(_)
            | toml::Value::Array(_)),
        ) => value,
        _ => toml::Value::String(value.to_owned()),
    };
    place.insert(last.clone(), value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str, environment: &[(&str, &str)]) -> Result<Settings> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("written");
        let environment: Vec<(String, String)> =
            environment.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect();
        Settings::load(Some(file.path()), &environment)
    }

    #[test]
    fn the_commented_file_says_the_defaults() {
        assert_eq!(load(DEFAULT, &[]).expect("valid"), Settings::default());
    }

    #[test]
    fn the_environment_wins_and_unknown_keys_are_refused() {
        let environment = [("PATRON__LIMITS__BODY_BYTES_MAX", "7"), ("PATRON__LISTEN", "[::1]:9")];
        let settings = load("listen = 'x'", &environment).expect("valid");
        assert_eq!(settings.limits.body_bytes_max, 7);
        assert_eq!(settings.listen, "[::1]:9");
        assert!(load("lisen = 'x'", &[]).is_err());
        assert!(load("", &[("PATRON__STORE__URI", "x")]).is_err());
        assert!(load("[store]\nurl = 'mysql://x'", &[]).is_err());
        assert!(load("[store]\nurl = 'postgres://h/d?sslmode=verify_full'", &[]).is_err());
        assert!(load("[tls]\ncertificate = 'x'", &[]).is_err());
        assert!(load("[tls]\nclient_ca = 'x'", &[]).is_err());
        assert!(load("[tls]\ncertificate = 'x'\nkey = 'y'", &[]).is_ok());
    }

    #[test]
    fn the_master_key_has_one_source() {
        let command = ("PATRON__SECRETS__MASTER_KEY_COMMAND", r#"["kms", "decrypt", "key"]"#);
        let settings = load("", &[command]).expect("valid");
        assert_eq!(settings.secrets.master_key_command, ["kms", "decrypt", "key"]);
        let file = ("PATRON__SECRETS__MASTER_KEY_FILE", "/run/secrets/key");
        assert!(load("", &[file]).is_ok());
        let refused = load("[secrets]\nmaster_key = 'x'", &[file]).expect_err("two sources");
        assert!(refused.to_string().contains("only one of"), "{refused:#}");
        assert!(load("", &[file, command]).is_err());
    }

    #[test]
    fn secrets_are_not_shown() {
        let text = "[secrets]\nmaster_key='hush'\n[store]\nurl='postgres://u:hush@h/d'\n\
                    [mail]\npassword='hush'\n[sinks.bus]\nservers=['nats://localhost']\n\
                    token='hush'";
        let shown = load(text, &[]).expect("valid").shown().expect("shown");
        assert!(!shown.contains("hush"), "{shown}");
    }
}
