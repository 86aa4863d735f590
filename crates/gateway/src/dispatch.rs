//! The request pipeline. [`Gateway::answer`] reads top to bottom: which dialect, which operation,
//! who asks, how often, the body, a place (`admission.rs`), may they, no card data, then the
//! handler; every failure is rendered by the dialect whose path was asked for.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use std::time::{Duration, Instant};

use axum::{
    Router,
    body::Body,
    extract::Request as HttpRequest,
    response::Response,
    routing::{MethodFilter, MethodRouter},
};
use http::{Method, header};
use patron_app::{App, statistics::Counted};
use patron_model::{Failure, card::contains_number};
use tower::ServiceExt as _;

use crate::{
    admission::Admission,
    answers::{guarded, response},
    door::Door,
    exchange::{Exchange, Reply, Site},
    limits::{Limits, QuotaState},
    metrics::Meters,
    operation::{Access, Operation},
    pass,
    paths::{fold_path, longest_prefix, params, target},
    traces::Answered,
    trail,
};

/// Pause before somebody who asks too often is told so: whoever goes on at once is slowed down
/// without costing anything but a connection.
const TOO_MANY_PAUSE: Duration = Duration::from_millis(500);

/// All APIs of one server.
pub struct Gateway {
    app: Arc<App>,
    limits: Limits,
    admission: Admission,
    mounts: Vec<Mount>,
    hosts: HashMap<String, usize>,
    pages: Router,
    site: Arc<Site>,
    log: RequestLog,
    next_id: AtomicU64,
    id_prefix: String,
}

/// An API, or the console, at its path prefixes.
struct Mount {
    door: &'static Door,
    router: Router,
}

/// Which requests are written to the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RequestLog {
    /// Every request.
    All,
    /// Those answered 4xx or 5xx.
    #[default]
    Failures,
    /// None (5xx are logged where they happen all the same).
    None,
}

/// One operation as it is served.
struct Route {
    door: &'static Door,
    operation: Operation,
    meters: Meters,
}

/// The address of the client, put into the request by the server.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub std::net::IpAddr);

/// The request target exactly as sent, when the URI was folded for routing.
#[derive(Clone)]
struct RawTarget(String);

impl Gateway {
    /// All APIs of a site over one app. `hosts` binds a dialect, by name, to a host name of its
    /// own; `pages` answers what no dialect does.
    pub fn new(
        app: Arc<App>,
        site: Site,
        limits: Limits,
        hosts: &[(String, String)],
        log: RequestLog,
        pages: Router,
    ) -> Arc<Gateway> {
        app.faces.hold_at_most(limits.faces_bytes_max);
        Arc::new_cyclic(|this| {
            let mount = |door: &'static Door| Mount { door, router: router(door, this.clone()) };
            let doors = site.dialects.iter().map(|dialect| &dialect.door).chain(site.console);
            let mounts: Vec<Mount> = doors.map(mount).collect();
            let position = |name: &str| site.dialects.iter().position(|d| d.name == name);
            let host = |(host, name): &(String, String)| {
                position(name).map(|at| (host.to_ascii_lowercase(), at))
            };
            Gateway {
                admission: Admission::new(&app, &limits),
                app,
                mounts,
                hosts: hosts.iter().filter_map(host).collect(),
                pages,
                site: Arc::new(site),
                log,
                limits,
                next_id: AtomicU64::new(1),
                id_prefix: uuid::Uuid::new_v4().simple().to_string()[..12].to_owned(),
            }
        })
    }

    /// The app it serves.
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Its limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Answers one request.
    pub async fn answer(&self, mut request: HttpRequest) -> Response {
        let Some(mount) = self.mount(&request) else {
            return match self.pages.clone().oneshot(request).await {
                Ok(response) => guarded(response),
                Err(never) => match never {},
            };
        };
        if let Some(sent) = fold_path(&mut request, mount.door) {
            request.extensions_mut().insert(RawTarget(sent));
        }
        match mount.router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    /// The dialect a request is for: by host name, or by the longest matching path prefix.
    fn mount(&self, request: &HttpRequest) -> Option<&Mount> {
        if !self.hosts.is_empty() {
            let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
            let name = host.map(|host| host.split(':').next().unwrap_or_default());
            let bound = name.and_then(|name| self.hosts.get(&name.to_ascii_lowercase()));
            if let Some(&at) = bound {
                return self.mounts.get(at);
            }
        }
        let path = request.uri().path();
        let length = |mount: &&Mount| longest_prefix(mount.door, path);
        self.mounts.iter().filter(|mount| length(mount) > 0).max_by_key(length)
    }

    fn request_id(&self, request: &HttpRequest) -> Arc<str> {
        // It stands in the log and in the journal, whoever sent it.
        let sane = |id: &&str| {
            (1..=64).contains(&id.len())
                && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
                && !contains_number(id)
        };
        let sent = request.headers().get("x-request-id").and_then(|id| id.to_str().ok());
        match sent.filter(sane) {
            Some(id) => id.into(),
            None => {
                let count = self.next_id.fetch_add(1, Ordering::Relaxed);
                let mut digits = [0; 16];
                let _ = hex::encode_to_slice(count.to_be_bytes(), &mut digits);
                let digits = str::from_utf8(&digits).unwrap_or_default().trim_start_matches('0');
                [&self.id_prefix, "-", digits].concat().into()
            }
        }
    }

    async fn serve(&self, route: &Route, request: HttpRequest) -> Response {
        let started = Instant::now();
        let request_id = self.request_id(&request);
        let (mut exchange, body) =
            self.exchange(request, route.door.name, Some(&route.operation), request_id);
        let mut quota = None;
        let asked = (route.door, &route.operation);
        let admission = &self.admission;
        let admitted = admission.admit(&self.app, asked, &mut exchange, body, &mut quota).await;
        let exchange = Arc::new(exchange);
        let mut outcome = match admitted {
            Ok(admitted) => {
                let holder = Arc::clone(&admitted.holder);
                // Pinned here: what takes it further would hold it again, and copy it.
                let line =
                    pass::Line { app: &self.app, site: &self.site, operation: &route.operation };
                let claim = admitted.claim.as_ref();
                let work = pin!(line.pass(Arc::clone(&exchange), claim, &admitted.work));
                admission.work(&holder, work).await
            }
            Err(failure) => Err(failure),
        };
        if route.operation.access == Access::Public {
            outcome = admission.strangers.come(&exchange, outcome);
        }
        if matches!(outcome, Err(Failure::TooMany { .. })) {
            tokio::time::sleep(TOO_MANY_PAUSE).await;
        }
        self.finish(route, &exchange, outcome, quota, started)
    }

    fn exchange(
        &self,
        request: HttpRequest,
        via: &'static str,
        operation: Option<&Operation>,
        request_id: Arc<str>,
    ) -> (Exchange, Body) {
        let (mut parts, body) = request.into_parts();
        let target = match parts.extensions.remove::<RawTarget>() {
            Some(RawTarget(sent)) => sent,
            None => target(&parts.uri),
        };
        let path = target.split('?').next().unwrap_or_default();
        let params = operation.map(|operation| params(operation.path, path)).unwrap_or_default();
        let mut exchange = Exchange::new(parts.method, "", self.app.clock.now());
        exchange.target = target;
        exchange.params = params;
        exchange.headers = parts.headers;
        exchange.request_id = request_id;
        exchange.peer = parts.extensions.get::<Peer>().map(|peer| peer.0);
        exchange.via = via;
        exchange.operation = operation.map_or("", |operation| operation.id);
        exchange.client = self.admission.strangers.address(&exchange);
        (exchange, body)
    }

    fn finish(
        &self,
        route: &Route,
        exchange: &Exchange,
        outcome: Result<Reply, Failure>,
        quota: Option<QuotaState>,
        started: Instant,
    ) -> Response {
        trail::refused(&self.app, route.door, exchange, &outcome);
        let failure = outcome.as_ref().err().map(Failure::name);
        let mut reply = match outcome {
            Ok(reply) => reply,
            Err(failure) => {
                trail::note_failure(&failure, exchange, route.operation.id);
                (route.door.render)(&failure, exchange)
            }
        };
        (route.door.finish)(&mut reply, exchange, quota);
        let elapsed = started.elapsed();
        route.meters.count(reply.status.as_u16(), failure, elapsed);
        self.count(route.door, exchange, reply.status.as_u16());
        self.log((route.door.name, route.operation.id), exchange, &reply, failure, elapsed);
        let (dialect, operation) = (route.door.name, (route.operation.id, route.operation.path));
        let status = reply.status.as_u16();
        Answered { dialect, operation: Some(operation), exchange, status, failure, elapsed }.tell();
        response(reply, exchange)
    }

    /// Counts a request of a space; pages are what people look at that in.
    fn count(&self, door: &'static Door, exchange: &Exchange, status: u16) {
        let is_page = self.site.console.is_some_and(|console| std::ptr::eq(console, door));
        let Some(space) = exchange.space.get().filter(|_| !is_page) else { return };
        let count = |what| self.app.count(space.number, what, exchange.now);
        count(Counted::Requests);
        match status {
            400..=499 => count(Counted::Refused),
            500.. => count(Counted::Errors),
            _ => {}
        }
    }

    /// A request no operation is for: unknown path or method.
    fn refuse(&self, door: &'static Door, request: HttpRequest, failure: &Failure) -> Response {
        let started = Instant::now();
        let request_id = self.request_id(&request);
        let (exchange, _) = self.exchange(request, door.name, None, request_id);
        let mut reply = (door.render)(failure, &exchange);
        if let Failure::MethodNotAllowed { allowed } = failure {
            reply.set("allow", allowed);
        }
        (door.finish)(&mut reply, &exchange, None);
        let (failure, elapsed) = (failure.name(), started.elapsed());
        self.log((door.name, failure), &exchange, &reply, Some(failure), elapsed);
        let (dialect, status) = (door.name, reply.status.as_u16());
        let failure = Some(failure);
        Answered { dialect, operation: None, exchange: &exchange, status, failure, elapsed }.tell();
        response(reply, &exchange)
    }

    /// One line per request, without anything a caller sent but its request id.
    fn log(
        &self,
        (dialect, operation): (&str, &str),
        exchange: &Exchange,
        reply: &Reply,
        failure: Option<&'static str>,
        elapsed: Duration,
    ) {
        let status = reply.status.as_u16();
        let wanted = match self.log {
            RequestLog::All => true,
            RequestLog::Failures => status >= 400,
            RequestLog::None => false,
        };
        if wanted {
            let duration_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
            tracing::info!(
                http.method = %exchange.method,
                http.status = status,
                operation,
                dialect,
                key = exchange.key.get().copied(),
                space = exchange.space.get().map(|space| space.number),
                failure,
                request.id = %exchange.request_id,
                duration_us,
                "{operation} answered {status}"
            );
        }
    }
}

fn router(door: &'static Door, gateway: std::sync::Weak<Gateway>) -> Router {
    let mut methods: HashMap<String, (MethodRouter, Vec<Method>)> = HashMap::new();
    for operation in (door.operations)() {
        let path = (door.route)(operation.path).into_owned();
        let method = operation.method.clone();
        let meters = Meters::new(door.name, operation.id);
        let route = Arc::new(Route { door, operation, meters });
        let handler = {
            let gateway = gateway.clone();
            move |request: HttpRequest| serve(gateway.clone(), Arc::clone(&route), request)
        };
        let filter = MethodFilter::try_from(method.clone())
            .expect("operations only use the standard methods");
        let entry = methods.entry(path).or_default();
        entry.0 = std::mem::take(&mut entry.0).on(filter, handler);
        entry.1.push(method);
    }
    let mut router = Router::new();
    for (path, (handlers, known)) in methods {
        let allowed = known.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
        let gateway = gateway.clone();
        let refuse = move |request: HttpRequest| {
            let failure = Failure::MethodNotAllowed { allowed: allowed.clone() };
            refuse(gateway.clone(), door, request, failure)
        };
        router = router.route(&path, handlers.fallback(refuse));
    }
    router.fallback(move |request: HttpRequest| {
        refuse(gateway.clone(), door, request, Failure::NoRoute)
    })
}

async fn serve(
    gateway: std::sync::Weak<Gateway>,
    route: Arc<Route>,
    request: HttpRequest,
) -> Response {
    match gateway.upgrade() {
        Some(gateway) => gateway.serve(&route, request).await,
        None => Response::new(Body::empty()),
    }
}

async fn refuse(
    gateway: std::sync::Weak<Gateway>,
    door: &'static Door,
    request: HttpRequest,
    failure: Failure,
) -> Response {
    match gateway.upgrade() {
        Some(gateway) => gateway.refuse(door, request, &failure),
        None => Response::new(Body::empty()),
    }
}
