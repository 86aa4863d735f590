//! `patron serve`: wires everything together; the only place that knows all parts.

use std::future::Future;
use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::Args;
use patron_app::{
    App, audit, customers, idempotency::REMEMBERED_SECONDS, keys, offboarding, sign_in, sinks,
};
use patron_delivery::{Engine, Guarded, Options};
use patron_gateway::{Gateway, Site, limits::Limits, metrics, server};
use patron_model::Failure;
use patron_store::EngineInfo;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    Deployment,
    console::CONSOLE,
    dialects::DIALECTS,
    lock, open, pages, sandbox,
    settings::{LogFormat, Settings},
    telemetry::Traces,
    tls,
};

/// Time for what is still to be written after the last request, beyond limits.stop_seconds_max:
/// together less than the 10 s after which containers are killed.
const CLOSE_MAX: Duration = Duration::from_millis(1_500);
/// How often deletions of spaces are looked after.
const FINISH_EVERY: Duration = Duration::from_secs(60);
const SECONDS_PER_DAY: i64 = 24 * 3600;
/// How often forgotten idempotency answers are removed.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);
/// How often last uses of keys are looked through for those to be written.
const KEY_USES_EVERY: Duration = Duration::from_secs(30);
/// How often what happened in spaces is added to what is kept of them.
const STATISTICS_EVERY: Duration = Duration::from_secs(60);

/// What the exit status of a process that a signal ended is counted from.
const SIGNAL_EXIT: i32 = 128;
/// How often it is looked whose status has reached its term. Who reads or filters does not wait for
/// that, only who hears of it.
const TERMS_EVERY: Duration = Duration::from_secs(2);
/// Looks at terms, until the spaces are listed anew.
const LOOKS_A_LIST: u32 = 15;
/// How often data keys are looked at; new ones are used a minute after they were made.
const KEYRING_EVERY: Duration = Duration::from_secs(10);

/// Start the server.
#[derive(Debug, Args)]
pub struct ServeArgs {
    #[command(flatten)]
    deployment: Deployment,
    /// Address and port to listen at; wins over the settings.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Serve a deployment that the well-known keys of the sandbox open: anybody may use it.
    #[arg(long)]
    allow_sandbox_keys: bool,
}

/// Runs the server until it is told to stop.
///
/// # Errors
/// When it cannot start.
pub async fn run(args: ServeArgs) -> Result<()> {
    let mut settings = args.deployment.settings()?;
    if let Some(listen) = args.listen {
        settings.listen = listen;
        settings.check()?;
    }
    start_log(&settings)?;
    let stop = stop_asked()?;
    let _folder = settings.folder().map(|folder| lock::take(&folder)).transpose()?;
    let app = open::app_to_serve(&settings).await?;
    if !args.allow_sandbox_keys {
        refuse_sandbox_keys(&app).await?;
    }
    let tls = tls::start(&settings.tls).context("[tls]")?;
    let public = listen(&settings).await?;
    settings.listen = public.local_addr()?.to_string();
    let operations = listen_for_operations(&mut settings).await?;
    open::note_base_url(&settings, &app)?;
    announce(&settings, app.store.engine());
    let doors = Doors { public, tls, operations };
    serve(&settings, app, doors, None, stop).await
}

/// Where a server is reached.
pub struct Doors {
    /// By callers of the APIs.
    pub public: TcpListener,
    /// Certificate and key for them.
    pub tls: Option<server::Tls>,
    /// By operators.
    pub operations: Option<TcpListener>,
}

/// Nobody should go live with keys that stand in the documents.
async fn refuse_sandbox_keys(app: &Arc<App>) -> Result<()> {
    if sandbox::has_well_known_key(app).await? {
        app.store.clone().close().await;
        anyhow::bail!(
            "the public keys of the sandbox open this deployment: anybody could use it. Choose \
             another folder with --data; or revoke those keys (patron key list, patron key revoke) \
             and set a password of its person (patron user list, patron user password); or say \
             --allow-sandbox-keys"
        );
    }
    Ok(())
}

/// Binds the listen address.
///
/// # Errors
/// When it is taken or malformed.
pub async fn listen(settings: &Settings) -> Result<TcpListener> {
    TcpListener::bind(&settings.listen)
        .await
        .with_context(|| format!("cannot listen at {} (--listen names another)", settings.listen))
}

/// Binds the address for operators, where there is one; notes the port in the settings.
async fn listen_for_operations(settings: &mut Settings) -> Result<Option<TcpListener>> {
    let asked = &mut settings.admin.listen;
    if asked.is_empty() {
        return Ok(None);
    }
    let listener = TcpListener::bind(asked.as_str()).await.with_context(|| {
        format!(
            "the operations listener cannot listen at {asked}; admin.listen \
             (PATRON__ADMIN__LISTEN) names another address and port, or none when it is empty"
        )
    })?;
    let address = listener.local_addr()?;
    if let Some(risk) = exposed(address) {
        tracing::warn!("{risk}");
    }
    *asked = address.to_string();
    Ok(Some(listener))
}

/// What to say of an operations listener that others than this machine may reach.
fn exposed(address: SocketAddr) -> Option<String> {
    (!address.ip().is_loopback()).then(|| {
        format!(
            "metrics, readiness and reference answer at {address} without a key: let only your \
             operators reach it, or set admin.listen to 127.0.0.1:9190"
        )
    })
}

/// Serves all APIs and pages until `stop` is done, then lets requests in work finish. A sandbox
/// shows everything at its one door.
///
/// # Errors
/// When the server cannot run.
pub async fn serve(
    settings: &Settings,
    app: Arc<App>,
    doors: Doors,
    shown: Option<pages::SandboxPage>,
    stop: impl Future<Output = ()>,
) -> Result<()> {
    let recorder = metrics::install().context("metrics")?;
    let engine = deliver(settings, &app, &doors)?;
    let tellers = tell_outside(settings, &app)?;
    let traces = Traces::start(&settings.telemetry).context("[telemetry]")?;
    let limits: Limits = (&settings.limits).into();
    let hosts: Vec<(String, String)> =
        settings.hosts.iter().map(|(host, name)| (host.clone(), name.clone())).collect();
    let is_sandbox = shown.is_some();
    let pages = pages::routers(pages::Pages {
        app: Arc::clone(&app),
        dialects: DIALECTS,
        base_url: settings.base_url(),
        recorder,
        sandbox: shown,
    });
    let log = settings.request_log();
    let operations = doors.operations.map(|listener| {
        let (app, pages) = (Arc::clone(&app), pages.operations.clone());
        let site = Site::new(Vec::new(), String::new());
        // Limits of its own: it answers when the public door is crowded.
        let gateway = Gateway::new(app, site, limits.clone(), &[], log, pages);
        tokio::spawn(server::serve(gateway, listener, std::future::pending()))
    });
    let pages = if is_sandbox { pages.sandbox } else { pages.public };
    let site = site(settings, is_sandbox);
    let gateway = Gateway::new(Arc::clone(&app), site, limits, &hosts, log, pages);
    let beside = work_beside(&app, settings.audit.keep_days);
    let counting = tokio::spawn(keep_statistics(Arc::clone(&app)));
    let asked = OnceLock::new();
    let ending = OnceLock::new();
    let stop = async {
        stop.await;
        app.stop();
        let _ = asked.set(Instant::now());
        let _ = ending.set(tokio::spawn(engine.stop()));
    };
    server::serve_with(gateway, doors.public, doors.tls, stop).await?;
    operations.inspect(JoinHandle::abort);
    beside.iter().for_each(JoinHandle::abort);
    let longest = Duration::from_secs(settings.limits.stop_seconds_max) + CLOSE_MAX;
    let until = asked.get().copied().unwrap_or_else(Instant::now) + longest;
    let flushed = traces.map(|traces| tokio::spawn(traces.stop(until)));
    let closed = async {
        // What is on its way is still noted. One that failed has nothing left to write.
        for ends in ending.into_inner().into_iter().chain(tellers).chain([counting]) {
            let _ = ends.await;
        }
        close(&app).await;
    };
    if tokio::time::timeout_at(until.into(), closed).await.is_err() {
        tracing::warn!(
            "the store does not end its work in time and is left; nothing answered is lost"
        );
    }
    if let Some(flushed) = flushed {
        flushed.await?;
    }
    Ok(())
}

/// What is done while requests are answered, until it is aborted.
fn work_beside(app: &Arc<App>, keep_days: i64) -> [JoinHandle<()>; 5] {
    [
        tokio::spawn(sweep(Arc::clone(app), keep_days)),
        tokio::spawn(finish_deletions(Arc::clone(app))),
        tokio::spawn(keep_key_uses(Arc::clone(app))),
        tokio::spawn(watch_keyring(Arc::clone(app))),
        tokio::spawn(end_statuses(Arc::clone(app))),
    ]
}

/// All APIs and the console.
fn site(settings: &Settings, is_sandbox: bool) -> Site {
    Site {
        console: Some(&CONSOLE),
        guest: is_sandbox.then_some(sandbox::GUEST),
        ..Site::new(DIALECTS.to_vec(), settings.base_url())
    }
}

/// What the server calls itself where it asks who somebody is.
const ASKS_AS: &str = "Patron/1";

/// Begins to tell webhook endpoints what happens.
fn deliver(settings: &Settings, app: &Arc<App>, doors: &Doors) -> Result<Engine> {
    let mut own = vec![doors.public.local_addr()?];
    own.extend(
        doors.operations.iter().map(TcpListener::local_addr).collect::<Result<Vec<_>, _>>()?,
    );
    let client = settings.webhooks.client(own, &settings.base_url())?;
    app.asks_providers_by(sign_in::by_provider::RelyingParty::new(client.named(ASKS_AS)));
    app.carried_by(Box::new(Guarded(client)));
    app.notified_by(DIALECTS.iter().filter_map(|dialect| dialect.webhooks));
    // The folder of an embedded database is locked: no other server works on it.
    let is_alone = settings.folder().is_some();
    let options = Options { is_alone, keep_days: settings.webhooks.keep_days };
    Ok(Engine::start(app, options))
}

/// Begins to send mails, where they are sent.
fn send_mails(settings: &Settings, app: &Arc<App>) -> Result<Option<JoinHandle<()>>> {
    let smtp = settings.mail.smtp()?;
    patron_mails::describe();
    Ok(smtp.map(|smtp| tokio::spawn(patron_mails::run(Arc::clone(app), smtp))))
}

/// Begins to send mails, where they are sent, and to publish to sinks, in the words of the
/// product's own API.
fn tell_outside(settings: &Settings, app: &Arc<App>) -> Result<Vec<JoinHandle<()>>> {
    let notifier = patron_native::DIALECT.webhooks.context("nothing tells what happened")?;
    patron_sinks::describe();
    let is_alone = settings.folder().is_some();
    let start =
        |sink| tokio::spawn(patron_sinks::run(Arc::clone(app), Arc::new(sink), notifier, is_alone));
    let sinks = settings.sinks()?.into_iter().map(start);
    Ok(sinks.chain(send_mails(settings, app)?).collect())
}

/// Writes what is still to be written, and closes the store.
async fn close(app: &App) {
    write_key_uses(app).await;
    write_statistics(app).await;
    app.finish_audit().await;
    tracing::info!("all requests are finished, closing the store");
    app.store.clone().close().await;
}

/// Writes now and then when and from where keys were used.
async fn keep_key_uses(app: Arc<App>) {
    loop {
        tokio::time::sleep(KEY_USES_EVERY).await;
        write_key_uses(&app).await;
    }
}

async fn write_key_uses(app: &App) {
    if let Err(failure) = app.write_key_uses().await {
        tracing::warn!(failure = failure.name(), "last uses of keys could not be written");
    }
}

/// Writes once a minute what happened in each space, until the process is asked to stop; what is
/// being written then is written to its end.
async fn keep_statistics(app: Arc<App>) {
    let stopped = app.stopped();
    tokio::pin!(stopped);
    loop {
        tokio::select! {
            () = &mut stopped => return,
            () = tokio::time::sleep(STATISTICS_EVERY) => write_statistics(&app).await,
        }
    }
}

async fn write_statistics(app: &App) {
    if let Err(failure) = app.write_statistics().await {
        tracing::warn!(failure = failure.name(), "counts of the last minute could not be written");
    }
}

/// Takes over data keys that a change of the master key brought.
async fn watch_keyring(app: Arc<App>) {
    loop {
        tokio::time::sleep(KEYRING_EVERY).await;
        // Otherwise the store is away, which others notice too.
        if let Err(Failure::Internal(report)) = app.refresh_keyring().await {
            tracing::error!("{}", report.details);
        }
    }
}

/// Writes of customers whose status has reached its term that they are active again.
async fn end_statuses(app: Arc<App>) {
    loop {
        let ended = async {
            let spaces = sinks::spaces(&app).await?;
            for _ in 0..LOOKS_A_LIST {
                customers::end_statuses(&app, &spaces).await?;
                tokio::time::sleep(TERMS_EVERY).await;
            }
            Ok::<(), Failure>(())
        };
        if let Err(failure) = ended.await {
            tracing::warn!(failure = failure.name(), "statuses that are over could not be ended");
            tokio::time::sleep(TERMS_EVERY).await;
        }
    }
}

/// Goes on with deletions of spaces that were interrupted, here or on another node.
async fn finish_deletions(app: Arc<App>) {
    loop {
        if let Err(failure) = offboarding::sweep(&app).await {
            tracing::warn!(failure = failure.name(), "deleted spaces could not be looked after");
        }
        tokio::time::sleep(FINISH_EVERY).await;
    }
}

/// Removes entries of the audit trail that are too old.
async fn forget_old_entries(app: &App, keep_days: i64) {
    let before = app.clock.now().plus_seconds(-keep_days * SECONDS_PER_DAY);
    match audit::forget_old(app, before).await {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "{count} old entries of the audit trail were removed"),
        Err(failure) => {
            tracing::warn!(failure = failure.name(), "old audit entries could not be removed");
        }
    }
}

/// Tells of keys that end soon, and removes idempotency answers and entries of the audit trail that
/// are older than they are promised to be kept.
async fn sweep(app: Arc<App>, keep_days: i64) {
    loop {
        forget_old_entries(&app, keep_days).await;
        if let Err(failure) = keys::tell_of_ends(&app).await {
            tracing::warn!(failure = failure.name(), "ends of keys could not be told");
        }
        if let Err(failure) = sign_in::sweep(&app, app.clock.now()).await {
            tracing::warn!(failure = failure.name(), "sessions that are over could not be removed");
        }
        tokio::time::sleep(SWEEP_EVERY).await;
        let before = app.clock.now().plus_seconds(-REMEMBERED_SECONDS).micros();
        match app.store.forget_answers(before).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "{count} old idempotency answers were removed"),
            Err(error) => tracing::warn!(error = %error, "old answers could not be removed"),
        }
    }
}

/// Is done when the process is asked to stop (SIGINT, SIGTERM), counting from now on. Asked a
/// second time it ends at once, whatever it is doing.
///
/// # Errors
/// When the signals cannot be watched.
pub fn stop_asked() -> Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (asked, told) = tokio::sync::oneshot::channel();
    let mut next = async move || {
        tokio::select! {
            _ = terminate.recv() => SignalKind::terminate(),
            _ = interrupt.recv() => SignalKind::interrupt(),
        }
    };
    // A task of its own: a start that hangs can be ended too.
    tokio::spawn(async move {
        next().await;
        tracing::info!(
            "stopping: no new connections, requests in work may finish; a second signal ends all"
        );
        let _ = asked.send(());
        let again = next().await;
        tracing::warn!("asked to stop again: ending at once");
        // As the shell names the end by a signal. What was answered is on disk already.
        std::process::exit(SIGNAL_EXIT + again.as_raw_value());
    });
    Ok(async move {
        let _ = told.await;
    })
}

/// Starts the log on standard error.
///
/// # Errors
/// When the level is not understood.
pub fn start_log(settings: &Settings) -> Result<()> {
    let log = tracing_subscriber::fmt()
        .with_env_filter(settings.log.filter()?)
        .with_writer(std::io::stderr)
        .with_ansi(is_coloured());
    match settings.log.format {
        LogFormat::Text => log.with_target(false).init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
    Ok(())
}

/// Whether the log is looked at by people who want colours: a file or another program is not.
fn is_coloured() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    std::io::stderr().is_terminal() && !refused
}

/// One block that says what runs, and warnings about risky settings.
pub fn announce(settings: &Settings, engine: &EngineInfo) {
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        listen = settings.listen,
        base_url = settings.base_url(),
        operations = settings.admin.listen,
        tls = settings.tls.is_on(),
        store.engine = engine.name,
        store.version = engine.version,
        store.location = engine.location,
        store.durability = engine.durability,
        apis = DIALECTS.iter().map(|d| d.name).collect::<Vec<_>>().join(" "),
        "Patron {} answers at {}",
        env!("CARGO_PKG_VERSION"),
        settings.base_url()
    );
    let is_local = settings.listen.starts_with("127.") || settings.listen.starts_with("[::1]");
    if !is_local && settings.base_url().starts_with("http://") {
        tracing::warn!(
            "keys travel in clear text: name a certificate in [tls], or put TLS in front and set \
             base_url to https://…"
        );
    }
    if settings.limits.requests_per_minute == 0 {
        tracing::warn!("limits.requests_per_minute is 0: one caller can use the whole server");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_that_others_may_reach_is_warned_of() {
        let of = |address: &str| exposed(address.parse().expect("an address"));
        assert_eq!(of("127.0.0.1:1"), None);
        assert_eq!(of("[::1]:1"), None);
        assert!(of("0.0.0.0:1").is_some_and(|risk| risk.contains("admin.listen")));
        assert!(of("192.0.2.1:1").is_some() && of("[::]:1").is_some());
    }
}
