//! A connection to an address that was judged.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tower::Service;

use crate::{Fault, guard::Guard, names::Names};

/// What connecting may take, over all addresses that are tried.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// What the TLS handshake may take.
const HANDSHAKE_MAX: Duration = Duration::from_secs(5);
/// Addresses of a host that are tried.
const TRIED_MAX: usize = 3;
/// Connections open at a time, idle ones included.
pub(crate) const SOCKETS_MAX: usize = 1_024;
/// Of these, left for requests that are under way: a connection opened when no more than so many
/// are left is not kept for a later request.
const SOCKETS_KEPT_FREE: usize = 512;

/// Opens connections.
#[derive(Clone)]
pub(crate) struct Connector {
    pub(crate) guard: Arc<Guard>,
    pub(crate) names: Arc<Names>,
    pub(crate) tls: TlsConnector,
    pub(crate) sockets: Arc<Semaphore>,
}

/// A connection, in the clear or not.
pub(crate) struct Socket {
    stream: Stream,
    is_kept: bool,
    _place: OwnedSemaphorePermit,
}

enum Stream {
    Plain(TokioIo<TcpStream>),
    Tls(Box<TokioIo<TlsStream<TcpStream>>>),
}

impl Service<Uri> for Connector {
    type Response = Socket;
    type Error = Fault;
    type Future = Pin<Box<dyn Future<Output = Result<Socket, Fault>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { connector.open(&uri).await })
    }
}

impl Connector {
    async fn open(&self, uri: &Uri) -> Result<Socket, Fault> {
        let is_tls = uri.scheme_str() == Some("https");
        let host = uri.host().ok_or(Fault::Protocol)?;
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let addresses = match bare.parse::<IpAddr>() {
            Ok(literal) => vec![literal],
            Err(_) => self.names.addresses(bare).await?,
        };
        self.guard.judge_all(&addresses, port, !is_tls)?;
        let is_kept = self.sockets.available_permits() > SOCKETS_KEPT_FREE;
        let place = timeout(CONNECT_MAX, Arc::clone(&self.sockets).acquire_owned()).await;
        let place = place.ok().and_then(Result::ok).ok_or(Fault::Connect)?;
        let stream = connected(&addresses, port).await?;
        let stream = if is_tls {
            let name = bare.strip_suffix('.').unwrap_or(bare).to_owned();
            let name = ServerName::try_from(name).map_err(|_| Fault::Tls)?;
            let handshake = timeout(HANDSHAKE_MAX, self.tls.connect(name, stream)).await;
            let stream = handshake.map_err(|_| Fault::Tls)?.map_err(|_| Fault::Tls)?;
            Stream::Tls(Box::new(TokioIo::new(stream)))
        } else {
            Stream::Plain(TokioIo::new(stream))
        };
        Ok(Socket { stream, is_kept, _place: place })
    }
}

/// A connection to the first of these that takes one.
async fn connected(addresses: &[IpAddr], port: u16) -> Result<TcpStream, Fault> {
    let until = Instant::now() + CONNECT_MAX;
    let tried = addresses.len().min(TRIED_MAX);
    for (at, address) in addresses.iter().take(tried).enumerate() {
        // What is left is shared by those that are left.
        let left = u32::try_from(tried - at).unwrap_or(1);
        let now = Instant::now();
        let share = now + until.saturating_duration_since(now) / left;
        let connecting = TcpStream::connect(SocketAddr::new(*address, port));
        if let Ok(Ok(stream)) = timeout_at(share, connecting).await {
            // A request is one small write: waiting for more of it only costs time.
            let _ = stream.set_nodelay(true);
            return Ok(stream);
        }
    }
    Err(Fault::Connect)
}

impl Connection for Socket {
    fn connected(&self) -> Connected {
        let connected = Connected::new();
        if !self.is_kept {
            connected.poison();
        }
        connected
    }
}

impl Read for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl Write for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
