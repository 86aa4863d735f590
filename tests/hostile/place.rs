//! All six APIs in this process, over a store with two known customers: what a request would do to
//! a server, without sockets.

use std::cell::RefCell;
use std::sync::Arc;

use axum::{Router, body::Body, http};
use patron_app::{App, Clock, customers, documents::KINDS};
use patron_gateway::{
    Dialect, Gateway, SignRequest, Site,
    dispatch::RequestLog,
    limits::Limits,
    provision::{self, KeySource, NewSpace},
};
use patron_store::{Location, Options, Store};
use serde_json::{Value, json};

/// Every API.
pub static DIALECTS: [&Dialect; 6] = [
    &patron_native::DIALECT,
    &patron_wallee::DIALECT,
    &patron_verifone::DIALECT,
    &patron_monri::DIALECT,
    &patron_payabli::DIALECT,
    &patron_notchpay::DIALECT,
];
/// Inputs after which everything begins anew, so that nothing piles up and a find can be repeated.
const INPUTS_MAX: u32 = 200;
/// Most bytes of an answer.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// The server and what is known of it.
pub struct Place {
    runtime: tokio::runtime::Runtime,
    gateway: Arc<Gateway>,
    app: Arc<App>,
    credentials: Value,
    space: i64,
    /// The first customer: number and UUID.
    pub customer: (i64, uuid::Uuid),
    _folder: tempfile::TempDir,
}

/// A request as it will be sent.
pub struct Asked {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// The answer and the journal's position before and after it.
pub struct Answered {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: Vec<u8>,
    pub changed: bool,
}

impl Answered {
    /// A header as text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!("no JSON ({error}): {}", String::from_utf8_lossy(&self.body))
        })
    }
}

thread_local! {
    static PLACE: RefCell<Option<(Place, u32)>> = const { RefCell::new(None) };
}

/// Works in a place that this thread has used a few times at most.
pub fn with<T>(work: impl FnOnce(&Place) -> T) -> T {
    PLACE.with_borrow_mut(|kept| {
        let fresh = kept.take().filter(|(_, used)| *used < INPUTS_MAX);
        let (place, used) = fresh.unwrap_or_else(|| (Place::new(), 0));
        let outcome = work(&place);
        *kept = Some((place, used + 1));
        outcome
    })
}

impl Place {
    fn new() -> Place {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let location = match std::env::var("PATRON_FUZZ_ENGINE").as_deref() {
            Ok("sqlite") => Location::Sqlite(folder.path().join("patron.db")),
            _ => Location::Memory,
        };
        let (app, gateway, credentials, space, customer) = runtime.block_on(async {
            let store = Store::open(&location, KINDS, Options::default()).await.unwrap();
            let app = App::open(store, Clock::System, patron_testkit::master()).await.unwrap();
            let new = NewSpace {
                default_country: None,
                name: "Hostile",
                account: None,
                uuid: None,
                keys: KeySource::WellKnown,
                base_url: "http://x",
            };
            let made = provision::space(&app, &DIALECTS, &new).await.unwrap();
            let cx = app.operator(made.number, "hostile");
            let rows =
                people().map(|row| (cx.clone(), patron_native::rows::into_patch(row).unwrap()));
            let saved = customers::create_many(rows.into()).await;
            let first = saved.into_iter().next().unwrap().unwrap();
            let limits = Limits { requests_per_minute: 0, ..Limits::default() };
            let pages = Router::new();
            let site = Site::new(DIALECTS.to_vec(), "http://x".into());
            let gateway =
                Gateway::new(Arc::clone(&app), site, limits, &[], RequestLog::None, pages);
            (app, gateway, made.credentials, made.number, (first.number, first.uuid))
        });
        Place { runtime, gateway, app, credentials, space, customer, _folder: folder }
    }

    /// What the program prints of an API's keys.
    pub fn keys(&self, dialect: &Dialect) -> &Value {
        &self.credentials[dialect.name]
    }

    /// The text, filled with what only this place knows: `{{number}}`, `{{uuid}}`, `{{prefixed}}`,
    /// `{{entry}}`, `{{org}}`.
    pub fn fill(&self, text: &str) -> String {
        if !text.contains("{{") {
            return text.to_owned();
        }
        let (number, uuid) = self.customer;
        let payabli = &self.credentials["payabli"];
        text.replace("{{number}}", &number.to_string())
            .replace("{{uuid}}", &uuid.to_string())
            .replace("{{prefixed}}", &patron_notchpay::ids::text("cus", uuid, true))
            .replace("{{entry}}", payabli["entry"].as_str().unwrap_or_default())
            .replace("{{org}}", &payabli["org_id"].to_string())
    }

    /// Signs as the API's client would, and asks. `None`: HTTP itself would not let it through.
    pub fn ask_signed(&self, dialect: &Dialect, mut asked: Asked) -> Option<Answered> {
        let body = String::from_utf8_lossy(&asked.body).into_owned();
        let request = SignRequest {
            credentials: self.keys(dialect),
            method: &asked.method,
            target: &asked.target,
            body: &body,
            now: self.app.clock.now(),
        };
        for (name, value) in (dialect.credentials.sign)(&request).unwrap() {
            if !asked.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
                asked.headers.push((name.to_owned(), value));
            }
        }
        self.ask(asked)
    }

    /// Asks exactly this.
    pub fn ask(&self, asked: Asked) -> Option<Answered> {
        // Only what a request line may hold reaches the server; axum's client side is looser.
        let is_target = asked.target.starts_with('/')
            && asked.target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
        let mut request = http::Request::builder().method(asked.method.as_str()).uri(&asked.target);
        for (name, value) in &asked.headers {
            request = request.header(name, value);
        }
        let request = request.body(Body::from(asked.body)).ok().filter(|_| is_target)?;
        Some(self.runtime.block_on(async {
            let before = self.app.store.head(self.space).await.unwrap();
            let (parts, body) = self.gateway.answer(request).await.into_parts();
            let body = axum::body::to_bytes(body, ANSWER_BYTES_MAX).await.unwrap().to_vec();
            let after = self.app.store.head(self.space).await.unwrap();
            Answered {
                status: parts.status.as_u16(),
                headers: parts.headers,
                body,
                changed: before != after,
            }
        }))
    }
}

fn people() -> [Value; 2] {
    [
        json!({"reference": "shop-1001", "given_name": "Anna", "family_name": "Muster",
            "email": "anna.muster@example.com", "phone": "+41 44 668 18 00", "language": "de-CH",
            "currency": "CHF", "balance": "12.50",
            "metadata": {"tier": "gold", "a": {"b": [1, {"c": 2}]}},
            "addresses": [{"purpose": "both", "default": true, "line1": "Bahnhofstrasse 1",
                "postal_code": "8400", "city": "Winterthur", "country": "CH"}]}),
        json!({"reference": "shop-1002", "full_name": "Jane Doe", "company_name": "Acme GmbH",
            "email": "jane.doe@acme.example", "title": "Dr"}),
    ]
}
