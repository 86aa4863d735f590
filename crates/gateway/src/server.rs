//! Connections: accepting, bounding and, at the end, letting them finish.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};

use crate::{
    addresses::AddressBudget,
    dispatch::{Gateway, Peer},
    limits::Limits,
    patience::Patient,
};

/// Certificate and key of a server as they are now; a new connection takes the newest.
pub type Tls = watch::Receiver<Arc<ServerConfig>>;

/// Serves until `stop` is done, then lets requests in work finish.
///
/// # Errors
/// When the listener fails in a way that waiting does not cure.
pub async fn serve(
    gateway: Arc<Gateway>,
    listener: TcpListener,
    stop: impl Future<Output = ()>,
) -> std::io::Result<()> {
    serve_with(gateway, listener, None, stop).await
}

/// The same, with TLS where it is given: then nothing is answered without it.
///
/// # Errors
/// As [`serve`].
pub async fn serve_with(
    gateway: Arc<Gateway>,
    listener: TcpListener,
    tls: Option<Tls>,
    stop: impl Future<Output = ()>,
) -> std::io::Result<()> {
    let limits = gateway.limits().clone();
    let places = Arc::new(Semaphore::new(limits.connections_max));
    // Behind a proxy that names the clients all connections come from one address.
    let is_proxied = !limits.client_address_header.is_empty();
    let by_address = AddressBudget::new(limits.connections_max);
    let graceful = GracefulShutdown::new();
    tokio::pin!(stop);
    loop {
        let place = tokio::select! {
            place = Arc::clone(&places).acquire_owned() => place,
            () = &mut stop => break,
        };
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file handles or a connection that is gone already: wait, go on.
                    tracing::warn!(error = %error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = &mut stop => break,
        };
        let mut own = by_address.share(Some(peer.ip()).filter(|_| !is_proxied));
        if !own.more(1) {
            // One address would take the places of all others: closed without a word.
            continue;
        }
        let _ = stream.set_nodelay(true);
        let stream = Patient::new(stream, Duration::from_secs(limits.answer_seconds_max));
        let tls = tls.as_ref().map(|tls| TlsAcceptor::from(Arc::clone(&tls.borrow())));
        let (gateway, watcher) = (Arc::clone(&gateway), graceful.watcher());
        tokio::spawn(async move {
            let _place = (place, own);
            let Some(tls) = tls else { return talk(&gateway, stream, peer, watcher).await };
            let longest = Duration::from_secs(gateway.limits().handshake_seconds_max);
            let accepted = tokio::select! {
                accepted = timeout(longest, tls.accept(stream)) => accepted,
                // Nobody has asked anything yet.
                () = gateway.app().stopped() => return,
            };
            // Who is too slow or speaks no TLS has lost his place.
            if let Ok(Ok(stream)) = accepted {
                talk(&gateway, stream, peer, watcher).await;
            }
        });
    }
    let longest = Duration::from_secs(limits.stop_seconds_max);
    if tokio::time::timeout(longest, graceful.shutdown()).await.is_err() {
        tracing::warn!(limit_seconds = limits.stop_seconds_max, "some requests did not finish");
    }
    Ok(())
}

/// Speaks HTTP over a connection until it ends or the server stops.
async fn talk<S>(gateway: &Arc<Gateway>, stream: S, peer: SocketAddr, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits: &Limits = gateway.limits();
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(limits.head_seconds_max))
        .max_buf_size(limits.head_bytes_max.max(8 * 1024))
        .pipeline_flush(true);
    let connection = http.serve_connection(TokioIo::new(stream), service(gateway, peer));
    // Errors here are clients that went away or sent no HTTP.
    let _ = watcher.watch(connection).await;
}

fn service(
    gateway: &Arc<Gateway>,
    peer: SocketAddr,
) -> impl hyper::service::Service<
    http::Request<hyper::body::Incoming>,
    Response = axum::response::Response,
    Error = std::convert::Infallible,
    Future: Send,
> + use<> {
    let gateway = Arc::clone(gateway);
    service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let gateway = Arc::clone(&gateway);
        async move {
            let mut request = request.map(axum::body::Body::new);
            request.extensions_mut().insert(Peer(peer.ip()));
            Ok(gateway.answer(request).await)
        }
    })
}
