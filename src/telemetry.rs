//! Traces, for a collector that takes OTLP over HTTP. Spans wait in a bounded queue and are sent in
//! batches by a thread of their own; what does not fit, or cannot be sent, is dropped.

use std::pin::Pin;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri, header, uri::Scheme};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use opentelemetry::{KeyValue, global};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{
    Protocol, RetryPolicy, SpanExporter, WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider},
};
use patron_gateway::traces;
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    runtime::Handle,
    task::JoinSet,
};
use tokio_rustls::TlsConnector;

use crate::settings::TelemetrySettings;

/// Spans that wait; further ones are dropped.
const QUEUE_MAX: usize = 2048;
/// Spans that are sent together at most.
const BATCH_MAX: usize = 512;
/// How long a span waits for others.
const DELAY: Duration = Duration::from_secs(5);
/// Time for one batch to be sent and answered.
const SEND_MAX: Duration = Duration::from_secs(3);
/// Time that a stop waits for the last spans.
const FLUSH_MAX: Duration = Duration::from_secs(2);
/// Bytes of a collector's answer that are read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Where collectors take traces.
const PATH: &str = "/v1/traces";

/// Traces that are being sent.
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// Begins to trace, where the settings say so.
    ///
    /// # Errors
    /// When the URL cannot be used, or this system trusts nobody.
    pub fn start(settings: &TelemetrySettings) -> Result<Option<Traces>> {
        let TelemetrySettings { otlp_url, sample_ratio, service_name } = settings;
        if otlp_url.is_empty() {
            return Ok(None);
        }
        let url = format!("{}{PATH}", otlp_url.trim_end_matches('/'));
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Collector::new(&url)?)
            .with_endpoint(url)
            .with_protocol(Protocol::HttpJson)
            .with_timeout(SEND_MAX)
            .with_retry_policy(RetryPolicy::default().with_max_retries(0))
            .build()?;
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE_MAX)
            .with_max_export_batch_size(BATCH_MAX)
            .with_scheduled_delay(DELAY)
            .build();
        let resource = Resource::builder_empty()
            .with_service_name(service_name.clone())
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let ratio = Sampler::TraceIdRatioBased(*sample_ratio);
        let provider = SdkTracerProvider::builder()
            .with_span_processor(
                BatchSpanProcessor::builder(exporter).with_batch_config(batches).build(),
            )
            .with_sampler(Sampler::ParentBased(Box::new(ratio)))
            .with_resource(resource)
            .build();
        global::set_tracer_provider(provider.clone());
        global::set_text_map_propagator(TraceContextPropagator::new());
        traces::start();
        Ok(Some(Traces(provider)))
    }

    /// Sends what still waits, for two seconds at most, and never beyond a moment.
    pub async fn stop(self, until: Instant) {
        let left = until.saturating_duration_since(Instant::now()).min(FLUSH_MAX);
        // It waits for its own thread.
        let flushed = tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(left)).await;
        if !matches!(flushed, Ok(Ok(()))) {
            tracing::warn!("the last traces could not be sent in time and are dropped");
        }
    }
}

/// A collector, as the exporter reaches it: by the HTTP and TLS that are here anyway.
struct Collector {
    runtime: Handle,
    tls: Option<TlsConnector>,
    /// Whether the last batch could not be sent: said once, not for each.
    is_away: AtomicBool,
}

impl std::fmt::Debug for Collector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Collector(…)")
    }
}

impl Collector {
    fn new(url: &str) -> Result<Collector> {
        let url: Uri = url.parse()?;
        let tls = match url.scheme() == Some(&Scheme::HTTPS) {
            true => Some(TlsConnector::from(Arc::new(trusting_the_system()?))),
            false => None,
        };
        Ok(Collector { runtime: Handle::current(), tls, is_away: AtomicBool::new(false) })
    }

    /// Notes whether a batch was taken, and says so when that has changed.
    fn note(&self, sent: &Result<Response<Bytes>>) {
        let trouble = match sent {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(format!("it answered {}", answer.status())),
            Err(error) => Some(format!("{error:#}")),
        };
        let was_away = self.is_away.swap(trouble.is_some(), Ordering::Relaxed);
        match trouble {
            Some(error) if !was_away => {
                tracing::warn!(error, "the collector does not take traces; they are dropped");
            }
            None if was_away => tracing::info!("the collector takes traces again"),
            Some(_) | None => {}
        }
    }
}

impl HttpClient for Collector {
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            let tls = self.tls.clone();
            let sending = async { tokio::time::timeout(SEND_MAX, send(tls, request)).await };
            // The thread that asks has no runtime of its own.
            let sent = match self.runtime.spawn(sending).await {
                Ok(Ok(sent)) => sent,
                Ok(Err(_)) => Err(anyhow!("it does not answer in time")),
                Err(error) => Err(error.into()),
            };
            self.note(&sent);
            Ok(sent?)
        })
    }
}

/// TLS for whom this system trusts.
fn trusting_the_system() -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    ensure!(!roots.is_empty(), "this system has no certificates that it trusts");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(config?.with_root_certificates(roots).with_no_client_auth())
}

async fn send(tls: Option<TlsConnector>, request: Request<Bytes>) -> Result<Response<Bytes>> {
    let url = request.uri();
    let host = url.host().context("the URL has no host")?;
    let host = host.trim_matches(['[', ']']).to_owned();
    let port = url.port_u16().unwrap_or(if tls.is_some() { 443 } else { 80 });
    let stream = TcpStream::connect((host.as_str(), port)).await?;
    match tls {
        Some(tls) => {
            let name = ServerName::try_from(host)?;
            exchange(tls.connect(name, stream).await?, request).await
        }
        None => exchange(stream, request).await,
    }
}

/// One request on a connection of its own: one every few seconds.
async fn exchange<S>(stream: S, request: Request<Bytes>) -> Result<Response<Bytes>>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // Ended with this function, whatever becomes of it.
    let mut driving = JoinSet::new();
    driving.spawn(connection);
    let (mut parts, body) = request.into_parts();
    let authority = parts.uri.authority().context("the URL has no host")?;
    parts.headers.insert(header::HOST, HeaderValue::from_str(authority.as_str())?);
    let target = parts.uri.path_and_query().map_or(PATH, |target| target.as_str());
    parts.uri = target.parse()?;
    let answer = sender.send_request(Request::from_parts(parts, Full::new(body))).await?;
    let (parts, body) = answer.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
    let body = body.map_err(|error| anyhow!("its answer: {error}"))?;
    Ok(Response::from_parts(parts, body.to_bytes()))
}
