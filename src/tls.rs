//! Certificate and key of the server: read, checked, and read again when they change or on SIGHUP.
//! A connection keeps what it began with; new ones take the newest that was good.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use patron_gateway::server;
use patron_model::Timestamp;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::settings::TlsSettings;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// What is spoken inside.
const PROTOCOL: &[u8] = b"http/1.1";

/// What the files hold.
#[derive(PartialEq, Eq)]
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

/// Reads the files that the settings name and goes on watching them; `None` without TLS.
///
/// # Errors
/// When a file cannot be read, is open to others, or they do not go together.
pub fn start(settings: &TlsSettings) -> Result<Option<server::Tls>> {
    if !settings.is_on() {
        return Ok(None);
    }
    let contents = read(settings)?;
    let (now, tls) = watch::channel(Arc::new(config(settings, &contents)?));
    let asked = signal(SignalKind::hangup())?;
    tokio::spawn(keep_up(settings.clone(), Ok(contents), now, asked));
    Ok(Some(tls))
}

/// Looks whether [`start`] would find files that go together.
///
/// # Errors
/// As [`start`].
pub fn check(settings: &TlsSettings) -> Result<()> {
    match settings.is_on() {
        true => config(settings, &read(settings)?).map(drop),
        false => Ok(()),
    }
}

/// When the server's certificate begins and ends to be good.
///
/// # Errors
/// When its file cannot be read.
pub fn term(settings: &TlsSettings) -> Result<(Timestamp, Timestamp)> {
    let path = &settings.certificate;
    let chain = certificates(path, &read(settings)?.certificate)?;
    let first = chain.first().map(|certificate| certificate.as_ref()).unwrap_or_default();
    let parsed = x509_parser::parse_x509_certificate(first);
    let (_, parsed) = parsed.map_err(|error| anyhow!("{}: {error}", path.display()))?;
    let at = |moment: x509_parser::time::ASN1Time| {
        Timestamp::from_micros(moment.timestamp().saturating_mul(1_000_000))
    };
    Ok((at(parsed.validity().not_before), at(parsed.validity().not_after)))
}

/// Takes what is new in the files for as long as somebody serves with it.
async fn keep_up(
    settings: TlsSettings,
    mut seen: Result<Contents, String>,
    now: watch::Sender<Arc<ServerConfig>>,
    mut asked: Signal,
) {
    loop {
        let is_asked = tokio::select! {
            _ = asked.recv() => true,
            () = tokio::time::sleep(LOOK_EVERY) => false,
            () = now.closed() => return,
        };
        let found = read(&settings).map_err(|error| format!("{error:#}"));
        if found == seen && !is_asked {
            continue;
        }
        let made = match &found {
            Ok(contents) => config(&settings, contents).map_err(|error| format!("{error:#}")),
            Err(why) => Err(why.clone()),
        };
        match made {
            Ok(config) => {
                now.send_replace(Arc::new(config));
                tracing::info!("new connections get the certificate as it is in its file now");
            }
            Err(why) => tracing::error!(why, "the certificate is kept as it was"),
        }
        seen = found;
    }
}

fn read(settings: &TlsSettings) -> Result<Contents> {
    let read = |path: &Path| {
        std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))
    };
    refuse_open(&settings.key)?;
    let client_ca = settings.client_ca();
    Ok(Contents {
        certificate: read(&settings.certificate)?,
        key: read(&settings.key)?,
        client_ca: client_ca.map(|path| read(path)).transpose()?,
    })
}

/// A key that others can read is no secret. One of root's may be read by a group, as Debian's
/// `ssl-cert` does.
fn refuse_open(path: &Path) -> Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let about = std::fs::metadata(path);
    let about = about.with_context(|| format!("{} cannot be read", path.display()))?;
    let others = if about.uid() == 0 { 0o037 } else { 0o077 };
    let path = path.display();
    ensure!(about.mode() & others == 0, "{path} can be read by others: chmod 600 {path}");
    Ok(())
}

fn config(settings: &TlsSettings, contents: &Contents) -> Result<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let builder = match (&contents.client_ca, settings.client_ca()) {
        (Some(pem), Some(path)) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path, pem)? {
                let added = roots.add(certificate);
                added.with_context(|| format!("tls.client_ca {}", path.display()))?;
            }
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
            builder.with_client_cert_verifier(verifier)
        }
        _ => builder.with_no_client_auth(),
    };
    let chain = certificates(&settings.certificate, &contents.certificate)?;
    let key = PrivateKeyDer::from_pem_slice(&contents.key).map_err(|error| {
        anyhow!("tls.key {} is no private key in PEM: {error}", settings.key.display())
    })?;
    let mut config = builder.with_single_cert(chain, key).with_context(|| {
        let (certificate, key) = (settings.certificate.display(), settings.key.display());
        format!("tls.certificate {certificate} and tls.key {key} do not go together")
    })?;
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok(config)
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    let found = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|error| anyhow!("{}: {error}", path.display()))?;
    ensure!(!found.is_empty(), "{} holds no certificate in PEM", path.display());
    Ok(found)
}

impl TlsSettings {
    /// Whether the server has TLS.
    pub fn is_on(&self) -> bool {
        !self.certificate.as_os_str().is_empty()
    }

    fn client_ca(&self) -> Option<&PathBuf> {
        Some(&self.client_ca).filter(|path| !path.as_os_str().is_empty())
    }
}
