//! Connections: accepting, bounding and, at the end, letting them finish.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{net::TcpListener, sync::Semaphore};

use crate::{
    dispatch::{Gateway, Peer},
    patience::Patient,
};

/// Serves until `stop` is done, then lets requests in work finish.
///
/// # Errors
/// When the listener fails in a way that waiting does not cure.
pub async fn serve(
    gateway: Arc<Gateway>,
    listener: TcpListener,
    stop: impl Future<Output = ()>,
) -> std::io::Result<()> {
    let limits = gateway.limits().clone();
    let places = Arc::new(Semaphore::new(limits.connections_max));
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
        let _ = stream.set_nodelay(true);
        let mut http = hyper::server::conn::http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(Duration::from_secs(limits.head_seconds_max))
            .max_buf_size(limits.head_bytes_max.max(8 * 1024))
            .pipeline_flush(true);
        let stream = Patient::new(stream, Duration::from_secs(limits.answer_seconds_max));
        let connection = http.serve_connection(TokioIo::new(stream), service(&gateway, peer));
        let watched = graceful.watch(connection);
        tokio::spawn(async move {
            let _place = place;
            // Errors here are clients that went away or sent no HTTP.
            let _ = watched.await;
        });
    }
    let longest = Duration::from_secs(limits.stop_seconds_max);
    if tokio::time::timeout(longest, graceful.shutdown()).await.is_err() {
        tracing::warn!(limit_seconds = limits.stop_seconds_max, "some requests did not finish");
    }
    Ok(())
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
