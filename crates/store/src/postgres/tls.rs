//! TLS to PostgreSQL, as the URL asks for it (`url.rs`). The files are read at every new
//! connection, so renewed ones need no restart.
//!
//! Stricter than libpq: files in the home directory are not looked for, a named file must be there,
//! and a name in a certificate is one of its subjectAltName.

use std::future::{Future, poll_fn};
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use deadpool_postgres::Connect;
use rustls::ClientConfig;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::JoinHandle;
use tokio_postgres::config::Host;
use tokio_postgres::error::{DbError, Severity, SqlState};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres::{AsyncMessage, Client, Config, Connection, Error, Socket};

use super::certificates::{self, Verifier};
use super::hosts::Hosts;
use super::url::{Parameters, Roots, SslMode};

/// The protocol as the server's end may ask for it by ALPN.
const PROTOCOL: &[u8] = b"postgresql";

impl Parameters {
    /// What may happen to a connection to another machine in a state.
    fn risk(&self, state: u8, config: &Config) -> Option<&'static str> {
        match state {
            _ if is_all(config, is_local) => None,
            PLAIN => {
                Some("not encrypted: whoever is on the way reads and changes records and passwords")
            }
            _ if self.verifies() => None,
            _ => Some("encrypted, but nobody checks who answers"),
        }
    }

    /// Reads the files.
    fn client_config(&self) -> Result<ClientConfig, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let algorithms = provider.signature_verification_algorithms;
        let roots = match &self.roots {
            None => None,
            Some(Roots::System) => Some(certificates::of_the_system()?),
            Some(Roots::File(path)) => Some(certificates::of_a_file(path)?),
        };
        let verifier = Verifier { roots, names: self.mode == SslMode::VerifyFull, algorithms };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match &self.client {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = CertificateDer::pem_file_iter(certificate)
                    .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                    .map_err(|error| certificates::unreadable("sslcert", certificate, &error))?;
                let private = certificates::private_key(key)?;
                let fits = builder.with_client_auth_cert(chain, private);
                fits.map_err(|error| {
                    let (certificate, key) = (certificate.display(), key.display());
                    format!("sslcert {certificate} and sslkey {key} do not go together: {error}")
                })?
            }
        };
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        Ok(config)
    }
}

/// Opens connections to one server; also hands itself to cancel requests.
#[derive(Clone)]
pub(super) struct Tls {
    parameters: Arc<Parameters>,
    hosts: Hosts,
    /// Options of every session, as a command line of the server has them.
    limits: Arc<str>,
    /// How safe the last connection was, so that a change for the worse is said once.
    last: Arc<AtomicU8>,
    /// Set by the handshake of one attempt.
    secured: Arc<AtomicU8>,
}

/// States of [`Tls::last`] and [`Tls::secured`].
const PLAIN: u8 = 1;
const SECURED: u8 = 2;

impl Tls {
    pub(super) fn new(parameters: Parameters, limits: String) -> Tls {
        let hosts = Hosts::default();
        hosts.set_pooled(parameters.pooled == Some(true));
        let (parameters, limits) = (Arc::new(parameters), limits.into());
        Tls { parameters, hosts, limits, last: Arc::default(), secured: Arc::default() }
    }

    /// The same ways with other limits.
    pub(super) fn with_limits(&self, limits: String) -> Tls {
        Tls { limits: limits.into(), ..self.clone() }
    }

    /// Whether each transaction may have another session: nothing may be left in one.
    pub(super) fn is_pooled(&self) -> bool {
        self.hosts.is_pooled()
    }

    /// Whether it is left to us to find that out.
    pub(super) fn may_be_pooled(&self) -> bool {
        self.parameters.pooled.is_none()
    }

    /// Connects to a single host.
    pub(super) async fn open(&self, config: Config) -> Result<(Client, JoinHandle<()>), Error> {
        let attempts = match is_all(&config, |host| matches!(host, Host::Unix(_))) {
            // Nothing but the server can listen there; libpq ignores sslmode as well.
            true => SslMode::Disable.attempts(),
            false => self.parameters.mode.attempts(),
        };
        let mut first = None;
        for (n, mode) in attempts.iter().enumerate() {
            let mut config = config.clone();
            config.ssl_mode(*mode);
            let attempt = Tls { secured: Arc::new(AtomicU8::new(PLAIN)), ..self.clone() };
            match config.connect(attempt.clone()).await {
                Ok((client, connection)) => {
                    attempt.warn(&config);
                    return Ok((client, tokio::spawn(run(connection))));
                }
                Err(error) if n + 1 < attempts.len() && is_about_safety(&error) => {
                    first = Some(error);
                }
                // Why the handshake failed says more than why its substitute did.
                Err(error) => return Err(first.filter(is_handshake).unwrap_or(error)),
            }
        }
        Err(first.expect("the last attempt returns"))
    }

    /// Warns when a connection is less safe than it should be, once until that changes.
    fn warn(&self, config: &Config) {
        let state = self.secured.load(Ordering::Relaxed);
        if self.last.swap(state, Ordering::Relaxed) != state
            && let Some(risk) = self.parameters.risk(state, config)
        {
            tracing::warn!(
                "the connection to PostgreSQL on another machine is {risk}; say \
                 sslmode=verify-full and sslrootcert=FILE in its URL"
            );
        }
    }
}

async fn run<T>(mut connection: Connection<Socket, T>)
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        match poll_fn(|context| connection.poll_message(context)).await {
            Some(Ok(AsyncMessage::Notice(notice))) => note(&notice),
            Some(Ok(_)) => {}
            // Whoever uses it is told as well.
            Some(Err(error)) => {
                return tracing::debug!(%error, "a connection to PostgreSQL has ended");
            }
            None => return,
        }
    }
}

/// What the server says beside its answers: mostly that something is there already.
fn note(notice: &DbError) {
    let (code, message) = (notice.code().code(), notice.message());
    match notice.parsed_severity() {
        // A ROLLBACK behind a read that was cancelled finds nothing to undo.
        Some(Severity::Warning) if *notice.code() != SqlState::NO_ACTIVE_SQL_TRANSACTION => {
            tracing::warn!(code, "PostgreSQL warns: {message}");
        }
        _ => tracing::debug!(code, "PostgreSQL says: {message}"),
    }
}

/// Whether all hosts of a URL are such; an address, where given, is what is connected to.
fn is_all(config: &Config, is_such: fn(&Host) -> bool) -> bool {
    let addresses = config.get_hostaddrs();
    if addresses.is_empty() {
        return config.get_hosts().iter().all(is_such);
    }
    addresses.iter().all(|address| is_such(&Host::Tcp(address.to_string())))
}

/// Whether a host is this machine, as far as its name says.
fn is_local(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) if name == "localhost" => true,
        Host::Tcp(name) => name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
    }
}

/// Whether the other way, with or without TLS, may be what the server wants.
fn is_about_safety(error: &Error) -> bool {
    is_handshake(error) || error.code() == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION)
}

fn is_handshake(error: &Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<Failed>())
}

impl Connect for Tls {
    fn connect(
        &self,
        config: &Config,
    ) -> Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + '_>> {
        let config = config.clone();
        Box::pin(async move { self.hosts.connect(self, &config, &self.limits).await })
    }
}

/// Why there is no TLS; a whole sentence.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Failed(String);

impl MakeTlsConnect<Socket> for Tls {
    type Stream = Stream;
    type TlsConnect = Handshake;
    type Error = Failed;

    fn make_tls_connect(&mut self, host: &str) -> Result<Handshake, Failed> {
        Ok(Handshake { tls: self.clone(), host: host.to_owned() })
    }
}

/// A handshake to be made, if the server wants one.
pub(super) struct Handshake {
    tls: Tls,
    host: String,
}

impl TlsConnect<Socket> for Handshake {
    type Stream = Stream;
    type Error = Failed;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, Failed>> + Send>>;

    fn connect(self, socket: Socket) -> Self::Future {
        Box::pin(async move {
            let host = self.host;
            let name = ServerName::try_from(host.clone())
                .map_err(|_| Failed(format!("{host} is no name that TLS knows")))?;
            let parameters = Arc::clone(&self.tls.parameters);
            let config = tokio::task::spawn_blocking(move || parameters.client_config()).await;
            let config = config.unwrap_or_else(|error| Err(error.to_string())).map_err(Failed)?;
            let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
            let stream = connector.connect(name, socket).await;
            let stream = stream.map_err(|error| {
                let why = certificates::explain(&error);
                Failed(format!("there is no TLS with the server at {host}: {why}"))
            })?;
            self.tls.secured.store(SECURED, Ordering::Relaxed);
            Ok(Stream(stream))
        })
    }
}

/// A connection with TLS.
pub(super) struct Stream(tokio_rustls::client::TlsStream<Socket>);

impl TlsStream for Stream {
    fn channel_binding(&self) -> ChannelBinding {
        let chain = self.0.get_ref().1.peer_certificates().unwrap_or_default();
        let hash = chain.first().and_then(|certificate| certificates::end_point(certificate));
        hash.map_or_else(ChannelBinding::none, ChannelBinding::tls_server_end_point)
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::url::split;

    #[test]
    fn what_is_not_safe_is_warned_of() {
        let risk = |state: u8, url: &str| {
            let (url, parameters) = split(url).expect("understood");
            parameters.risk(state, &url.parse().expect("a URL")).unwrap_or_default()
        };
        assert!(risk(PLAIN, "postgres://u@db/d").contains("not encrypted"));
        assert!(risk(PLAIN, "postgres://u@db/d?sslmode=disable").contains("not encrypted"));
        assert!(risk(SECURED, "postgres://u@db/d").contains("nobody checks"));
        assert!(risk(SECURED, "postgres://u@db/d?sslrootcert=a").contains("nobody checks"));
        for fine in ["sslrootcert=system", "sslmode=verify-ca&sslrootcert=a"] {
            assert_eq!(risk(SECURED, &format!("postgres://u@db/d?{fine}")), "");
        }
        assert_eq!(risk(PLAIN, "postgres://u@localhost/d"), "");
    }

    #[test]
    fn this_machine_is_told_from_others() {
        let of = |url: &str| is_all(&url.parse().expect("a URL"), is_local);
        assert!(of("postgres://u@localhost/d") && of("postgres://u@[::1],127.0.0.2/d"));
        assert!(of("postgres://u@%2Ftmp/d"));
        assert!(!of("postgres://u@db/d") && !of("postgres://u@127.0.0.1,10.0.0.1/d"));
        assert!(!of("postgres://u@localhost/d?hostaddr=10.0.0.1"));
    }
}
