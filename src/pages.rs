//! What is not an API. For everybody: whether the server lives and is ready. For operators: why it
//! is not, metrics, the reference and the descriptions.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use metrics::{Unit, describe_gauge, gauge};
use metrics_exporter_prometheus::PrometheusHandle;
use patron_app::App;
use patron_gateway::{
    Dialect, openapi,
    reference::{STYLE, escape},
};
use patron_store::Statistics;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::{
    reference::{self, Reference},
    sandbox::CurlLine,
};

/// How long the answer of a store check is kept, so that health checks cannot load the store.
const READY_KEPT: Duration = Duration::from_secs(1);

/// What the pages need.
pub struct Pages {
    /// The app.
    pub app: Arc<App>,
    /// The APIs.
    pub dialects: &'static [&'static Dialect],
    /// Where they answer, without trailing slash.
    pub base_url: String,
    /// The recorder of the metrics.
    pub recorder: PrometheusHandle,
    /// Keys and commands, where this is a sandbox.
    pub sandbox: Option<SandboxPage>,
}

/// What the start page of a sandbox shows.
#[derive(Debug, Clone)]
pub struct SandboxPage {
    /// The keys.
    pub credentials: Value,
    /// Commands to paste.
    pub lines: Vec<CurlLine>,
}

struct Shared {
    pages: Pages,
    started: Instant,
    /// The same as a time of day.
    since_epoch: Duration,
    process: metrics_process::Collector,
    ready: Mutex<Option<(Instant, Result<(), String>)>>,
}

/// Pages by who may see them.
pub struct Routers {
    /// For everybody.
    pub public: Router,
    /// For operators.
    pub operations: Router,
    /// The same where there is a console: for everybody in a sandbox.
    pub sandbox: Router,
}

/// All pages.
pub fn routers(pages: Pages) -> Routers {
    let credentials = pages.sandbox.as_ref().map(|sandbox| sandbox.credentials.clone());
    let reference =
        reference::router(Reference::new(pages.dialects, pages.base_url.clone(), credentials));
    let process = metrics_process::Collector::default();
    process.describe();
    let (started, ready) = (Instant::now(), Mutex::new(None));
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let shared = Arc::new(Shared { pages, started, since_epoch, process, ready });
    let public = Router::new()
        .route("/", get(greeting))
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .fallback(|| no_such_path("No API has this path."))
        .with_state(Arc::clone(&shared));
    let common = Router::new()
        .route("/start", get(start))
        .route("/openapi.json", get(native_description))
        .route("/openapi/{file}", get(description))
        .route("/livez", get(livez))
        .route("/readyz", get(readyz_in_detail))
        .route("/metrics", get(metrics_page))
        .fallback(|| no_such_path("See / and /docs."));
    let sandbox = common.clone().route("/", get(console_or_start));
    let operations = common.route("/", get(start)).with_state(Arc::clone(&shared));
    Routers {
        public,
        operations: operations.merge(reference.clone()),
        sandbox: sandbox.with_state(shared).merge(reference),
    }
}

async fn livez() -> Response {
    json_reply(StatusCode::OK, &json!({"status": "ok"}))
}

/// Where a browser goes on. From here the address is seen without a slash before it, so it is right
/// behind any prefix.
fn to_console(headers: &HeaderMap) -> Option<Response> {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let is_browser = accepted.is_some_and(|media| media.contains("text/html"));
    is_browser.then(|| (StatusCode::SEE_OTHER, [(header::LOCATION, "console")]).into_response())
}

async fn console_or_start(state: State<Arc<Shared>>, headers: HeaderMap) -> Response {
    match to_console(&headers) {
        Some(console) => console,
        None => start(state).await,
    }
}

async fn no_such_path(detail: &str) -> Response {
    let body = json!({"title": "No such path", "status": 404, "detail": detail});
    json_reply(StatusCode::NOT_FOUND, &body)
}

fn json_reply(status: StatusCode, body: &Value) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (status, headers, body.to_string()).into_response()
}

/// A page of ours loads nothing from elsewhere and runs no script.
fn html_reply(html: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, html).into_response()
}

impl Shared {
    /// Whether the store accepts writes, asked at most once a second.
    async fn ready(&self) -> Result<(), String> {
        let mut kept = self.ready.lock().await;
        if let Some((since, answer)) = kept.as_ref()
            && since.elapsed() < READY_KEPT
        {
            return answer.clone();
        }
        let answer = self.pages.app.store.ready().await.map_err(|error| error.to_string());
        if let Err(error) = &answer {
            tracing::warn!(error, "the store does not accept writes");
        }
        *kept = Some((Instant::now(), answer.clone()));
        answer
    }

    fn dialect(&self, name: &str) -> Option<&'static Dialect> {
        self.pages.dialects.iter().copied().find(|dialect| dialect.name == name)
    }

    /// Names and titles, our own API first.
    fn titles(&self) -> Vec<(&'static str, &'static str)> {
        let mut titles: Vec<_> = self.pages.dialects.iter().map(|d| (d.name, d.title)).collect();
        titles.sort_by_key(|(name, _)| *name != patron_native::DIALECT.name);
        titles
    }
}

/// Yes or no: what is wrong is nobody's business but the operator's.
async fn readyz(State(shared): State<Arc<Shared>>) -> Response {
    match shared.ready().await {
        Ok(()) => json_reply(StatusCode::OK, &json!({"status": "ok"})),
        Err(_) => json_reply(StatusCode::SERVICE_UNAVAILABLE, &json!({"status": "not ready"})),
    }
}

async fn readyz_in_detail(State(shared): State<Arc<Shared>>) -> Response {
    let engine = shared.pages.app.store.engine();
    let mut body = json!({
        "status": "ok",
        "version": env!("CARGO_PKG_VERSION"),
        "store": "accepts writes",
        "engine": engine.name,
        "engine_version": engine.version,
    });
    match shared.ready().await {
        Ok(()) => json_reply(StatusCode::OK, &body),
        Err(why) => {
            body["status"] = "not ready".into();
            body["store"] = "does not accept writes".into();
            body["why"] = why.into();
            json_reply(StatusCode::SERVICE_UNAVAILABLE, &body)
        }
    }
}

/// What the store counts, with what it is.
fn store_figures(counted: &Statistics) -> [(&'static str, Unit, &'static str, u64); 11] {
    use Unit::{Bytes, Count};
    [
        ("patron_store_queue_depth", Count, "Writes that wait.", counted.queue_depth),
        (
            "patron_store_batches_committed",
            Count,
            "Batches written since the start.",
            counted.batches_committed,
        ),
        (
            "patron_store_batches_refused",
            Count,
            "Batches refused since the start.",
            counted.batches_refused,
        ),
        (
            "patron_store_entries_committed",
            Count,
            "Journal entries written since the start.",
            counted.entries_committed,
        ),
        (
            "patron_store_groups_committed",
            Count,
            "Transactions since the start.",
            counted.groups_committed,
        ),
        (
            "patron_store_group_largest",
            Count,
            "Most batches in one transaction.",
            counted.group_largest,
        ),
        ("patron_store_retries", Count, "Transactions that were repeated.", counted.retries),
        ("patron_store_long_reads", Count, "Long reads that run.", counted.long_reads),
        (
            "patron_store_long_reads_given_up",
            Count,
            "Long reads ended early since the start.",
            counted.long_reads_given_up,
        ),
        ("patron_store_wal_bytes", Bytes, "Size of SQLite's write-ahead log.", counted.wal_bytes),
        (
            "patron_store_connections",
            Count,
            "Connections to PostgreSQL in the pool.",
            counted.connections,
        ),
    ]
}

async fn metrics_page(State(shared): State<Arc<Shared>>) -> Response {
    for (name, unit, what, value) in store_figures(&shared.pages.app.store.statistics()) {
        describe_gauge!(name, unit, what);
        // Exact below 2^53; counts beyond that are not reached in a process's life.
        gauge!(name).set(value as f64);
    }
    describe_gauge!("patron_build_info", "The version that runs; always 1.");
    gauge!("patron_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1);
    describe_gauge!("patron_uptime_seconds", Unit::Seconds, "Time since the start.");
    gauge!("patron_uptime_seconds").set(shared.started.elapsed().as_secs_f64());
    shared.process.collect();
    // A service that may not look at the whole system cannot know when it was started: it says so
    // itself.
    gauge!("process_start_time_seconds").set(shared.since_epoch.as_secs_f64());
    let headers = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    (headers, shared.pages.recorder.render()).into_response()
}

async fn native_description(State(shared): State<Arc<Shared>>) -> Response {
    describe(&shared, patron_native::DIALECT.name)
}

async fn description(State(shared): State<Arc<Shared>>, Path(file): Path<String>) -> Response {
    describe(&shared, file.strip_suffix(".json").unwrap_or_default())
}

fn describe(shared: &Shared, name: &str) -> Response {
    match shared.dialect(name) {
        Some(dialect) => {
            let document = openapi::document(dialect, env!("CARGO_PKG_VERSION"));
            json_reply(StatusCode::OK, &document)
        }
        None => json_reply(
            StatusCode::NOT_FOUND,
            &json!({"title": "No such API", "status": 404, "detail": "See /docs."}),
        ),
    }
}

/// What a server says of itself to everybody.
async fn greeting(headers: HeaderMap) -> Response {
    if let Some(console) = to_console(&headers) {
        return console;
    }
    html_reply(format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>Patron</title>\
         <style>{STYLE}</style><main><h1>Patron</h1><p>This is a server of APIs. Whoever runs it \
         has their reference.</p></main></html>"
    ))
}

async fn start(State(shared): State<Arc<Shared>>) -> Response {
    let ready = shared.ready().await;
    let engine = shared.pages.app.store.engine();
    let mut html = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport \
         content='width=device-width,initial-scale=1'><title>Patron</title><style>{STYLE}</style>\
         <header><a class=home href=/>Patron</a><nav aria-label=Pages><a href=/docs>Reference</a>\
         <a href=/openapi.json>OpenAPI</a><a href=/metrics>Metrics</a></nav></header><main>\
         <h1>One customer record, every payment API</h1>"
    );
    let (class, word) = match &ready {
        Ok(()) => ("ok", "accepts writes"),
        Err(_) => ("off", "does not accept writes"),
    };
    let _ = write!(
        html,
        "<div class=cards><section class=card><h2>This server</h2><dl><dt>Version<dd>{}\
         <dt>Mode<dd>{}</dl></section><section class=card><h2>Store</h2><dl><dt>Health\
         <dd class={class}>{word}<dt>Engine<dd>{} {}<dt>Durability<dd>{}</dl></section></div>",
        env!("CARGO_PKG_VERSION"),
        if shared.pages.sandbox.is_some() { "sandbox: its keys are public" } else { "server" },
        escape(engine.name),
        escape(&engine.version),
        escape(engine.durability),
    );
    html.push_str("<h2>APIs</h2><table><thead><tr><th>API<th>Paths<th>Read<tbody>");
    for (name, title) in shared.titles() {
        let Some(dialect) = shared.dialect(name) else { continue };
        let mounts = dialect.mounts.iter().map(|m| format!("<code>{}/…</code>", escape(m)));
        let _ = write!(
            html,
            "<tr><td>{}<td>{}<td class=links><a href='/docs/{name}'>reference</a><br>\
             <a href='/openapi/{name}.json'>OpenAPI</a>",
            escape(title),
            mounts.collect::<Vec<_>>().join(" ")
        );
    }
    html.push_str("</table>");
    if let Some(sandbox) = &shared.pages.sandbox {
        sandbox_part(sandbox, &mut html);
    }
    html.push_str("</main></html>");
    html_reply(html)
}

fn sandbox_part(sandbox: &SandboxPage, html: &mut String) {
    html.push_str(
        "<h2>Try it</h2><p>These lines work when pasted into a shell on this machine.</p>",
    );
    let mut last = "";
    for line in &sandbox.lines {
        if line.dialect != last {
            let _ = write!(html, "<h3>{}</h3>", escape(line.dialect));
            last = line.dialect;
        }
        let _ = write!(
            html,
            "<span class=about>{}</span><pre>{}</pre>",
            escape(line.title),
            escape(&line.command)
        );
    }
    let keys = serde_json::to_string_pretty(&sandbox.credentials).unwrap_or_default();
    let _ = write!(html, "<h2>Keys</h2><pre>{}</pre>", escape(&keys));
}
