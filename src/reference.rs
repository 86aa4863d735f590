//! The reference for people, under `/docs`: what there is, a page for each API with its sign-in,
//! the documents that belong to it, and a search over all of that.

use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

use axum::{
    Router,
    extract::{Path, RawQuery, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use patron_gateway::{
    Dialect,
    decode::Params,
    openapi,
    reference::{
        self, Frame, SEARCH_SCRIPT, escape, prose,
        search::{self, Entry},
    },
};
use serde_json::Value;

/// Where the reference begins.
const HOME: &str = "/docs";

/// A document that belongs to the reference.
struct Document {
    /// Its file, as others link to it.
    file: &'static str,
    /// Where it is answered.
    path: &'static str,
    /// What it is called in the header.
    name: &'static str,
    /// What it is about.
    about: &'static str,
    text: &'static str,
}

static DOCUMENTS: [Document; 2] = [
    Document {
        file: "api-style.md",
        path: "/docs/style",
        name: "Style guide",
        about: "the rules of the native API, with examples: ids, lists, changes, versions, \
                idempotency, history",
        text: include_str!("../docs/api-style.md"),
    },
    Document {
        file: "errors.md",
        path: "/docs/errors",
        name: "Errors",
        about: "every failure, what it means, and what each API answers for it",
        text: include_str!("../docs/errors.md"),
    },
];

/// What the reference is about.
pub struct Reference {
    /// The APIs, our own first.
    pub dialects: Vec<&'static Dialect>,
    /// Where they answer, without trailing slash.
    pub base_url: String,
    /// The keys, where everybody may know them: in a sandbox.
    pub credentials: Option<Value>,
    entries: OnceLock<Vec<Entry>>,
}

impl Reference {
    /// The reference of these APIs.
    pub fn new(
        dialects: &[&'static Dialect],
        base_url: String,
        credentials: Option<Value>,
    ) -> Reference {
        let mut dialects = dialects.to_vec();
        dialects.sort_by_key(|dialect| dialect.name != patron_native::DIALECT.name);
        Reference { dialects, base_url, credentials, entries: OnceLock::new() }
    }

    fn page(&self, title: &str, path: &str, question: &str, main: &str) -> Response {
        let apis = self.dialects.iter().map(|dialect| (path_of(dialect), dialect.title));
        let documents = DOCUMENTS.iter().map(|document| (document.path.to_owned(), document.name));
        let pages: Vec<(String, &str)> =
            [(HOME.to_owned(), "Overview")].into_iter().chain(apis).chain(documents).collect();
        html_reply(Frame { title, pages: &pages, path, question }.around(main))
    }

    fn programs(&self, dialect: &Dialect) -> [(&'static str, String); 3] {
        let own = self.credentials.as_ref().map(|all| &all[dialect.name]);
        dialect.credentials.sign_in.programs(&self.base_url, None, own)
    }

    /// Everything that can be found, made when somebody looks for something first.
    fn entries(&self) -> &[Entry] {
        self.entries.get_or_init(|| {
            let of_api = |dialect: &&Dialect| search::of_api(dialect.name, &described(dialect));
            let of_document = |Document { path, name, text, .. }: &Document| {
                search::of_document(name, path, prose::sections(text))
            };
            let documents = DOCUMENTS.iter().flat_map(of_document);
            documents.chain(self.dialects.iter().flat_map(of_api)).collect()
        })
    }
}

/// The pages.
pub fn router(reference: Reference) -> Router {
    let mut router = Router::new()
        .route(HOME, get(home))
        .route("/docs/search", get(found))
        .route("/docs/search.js", get(script))
        .route("/docs/{dialect}", get(api));
    for document in &DOCUMENTS {
        let answer = move |state: State<Arc<Reference>>| prose_page(state, document);
        router = router.route(document.path, get(answer));
    }
    router.with_state(Arc::new(reference))
}

fn path_of(dialect: &Dialect) -> String {
    format!("{HOME}/{}", dialect.name)
}

fn described(dialect: &Dialect) -> Value {
    openapi::document(dialect, env!("CARGO_PKG_VERSION"))
}

/// Our Markdown as HTML.
fn shown(markdown: &str) -> String {
    let pages = DOCUMENTS.each_ref().map(|document| (document.file, document.path));
    prose::html(markdown, &pages)
}

/// A page of the reference loads its own script, and nothing from elsewhere.
fn html_reply(html: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'; \
             form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, html).into_response()
}

async fn home(State(reference): State<Arc<Reference>>) -> Response {
    let mut main = String::from(
        "<h1>Reference</h1><p>Patron keeps the customers of a business once, and answers in \
         several APIs over that one record. What was written through one of them is seen by all \
         others at once, changes and deletions too; a key belongs to one API and opens one space, \
         which is a tenant.</p><h2>APIs</h2><div class=wide><table><thead><tr><th>API<th>What it \
         is for<th>Paths<tbody>",
    );
    for dialect in &reference.dialects {
        let mounts = dialect.mounts.iter().map(|mount| format!("<code>{}/…</code>", escape(mount)));
        let _ = write!(
            main,
            "<tr><td><a href='{0}'>{1}</a><br><a href='{0}#sign-in'>sign-in</a><td>{2}<td>{3}",
            path_of(dialect),
            escape(dialect.title),
            escape(dialect.about),
            mounts.collect::<Vec<_>>().join("<br>")
        );
    }
    main.push_str("</table></div><h2>To read first</h2><ul>");
    for Document { path, name, about, .. } in &DOCUMENTS {
        let _ = write!(main, "<li><a href='{path}'>{}</a>: {}", escape(name), escape(about));
    }
    main.push_str("</ul>");
    if let Some(first) = reference.dialects.first() {
        let _ = write!(main, "<h2>A first call</h2><p>{}:</p>", escape(first.title));
        main.push_str(&reference::programs(&reference.programs(first)));
    }
    reference.page("Overview", HOME, "", &main)
}

async fn api(State(reference): State<Arc<Reference>>, Path(name): Path<String>) -> Response {
    let Some(dialect) = reference.dialects.iter().find(|dialect| dialect.name == name) else {
        let main = "<h1>No such page</h1><p>All there are stand above.</p>";
        return (StatusCode::NOT_FOUND, reference.page("No such page", "", "", main))
            .into_response();
    };
    let sign_in = shown(dialect.credentials.sign_in.about)
        + &reference::programs(&reference.programs(dialect));
    let appendix = match dialect.name == patron_native::DIALECT.name {
        true => problems(),
        false => String::new(),
    };
    let main = reference::api(&described(dialect), dialect.name, &sign_in, &appendix);
    reference.page(dialect.title, &path_of(dialect), "", &main)
}

async fn prose_page(
    State(reference): State<Arc<Reference>>,
    document: &'static Document,
) -> Response {
    let title = prose::title(document.text);
    reference.page(&title, document.path, "", &shown(document.text))
}

/// What the form asks, and the script while one types.
async fn found(State(reference): State<Arc<Reference>>, RawQuery(query): RawQuery) -> Response {
    let query = Params::parse(&query.unwrap_or_default());
    let question = query.get("q").unwrap_or_default();
    if question.chars().count() > search::QUERY_CHARS_MAX {
        let main = format!(
            "<h1>Search</h1><div id=found><p>A question has at most {} characters.</p></div>",
            search::QUERY_CHARS_MAX
        );
        let page = reference.page("Search", "", "", &main);
        return (StatusCode::BAD_REQUEST, page).into_response();
    }
    let hits = search::find(reference.entries(), question);
    reference.page("Search", "", question, &reference::found(question, &hits))
}

async fn script() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, SEARCH_SCRIPT).into_response()
}

/// What the `type` of a problem document points to.
fn problems() -> String {
    let mut html = String::from("<h2 id=problems>Problems</h2>");
    for (slug, status, title, detail) in patron_native::problems() {
        let _ = write!(
            html,
            "<h3 id='problem-{slug}'>{status} {}</h3><p><code>{slug}</code>: {}</p>",
            escape(title),
            escape(&detail)
        );
    }
    html
}
