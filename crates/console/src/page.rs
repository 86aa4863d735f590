//! A request for a page: what it asks the API for, and how it is answered.

use std::sync::Arc;

use askama::Template;
use form_urlencoded::byte_serialize;
use patron_app::{Actor, Caller};
use patron_gateway::{
    Dialect, Exchange, Operation, Reply, Request,
    decode::{self, Params},
    inner::Call,
};
use patron_model::{Failure, Permission, Permissions};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    frame::Frame,
    operations::{Api, MOUNT},
    words::Words,
};

/// What stays as it is in a segment of a path or a value of a query.
const ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');
/// The field of a form that makes its deed be done once.
pub const ONCE: &str = "once";

/// A page of a list, as the API answers it.
#[derive(Deserialize)]
pub struct Listed<T> {
    /// The records.
    pub data: Vec<T>,
    /// Where the next page begins, where there is one.
    pub next_cursor: Option<String>,
}

/// A request for a page.
#[derive(Clone)]
pub struct Page {
    /// The request.
    pub request: Request,
    api: Arc<Api>,
}

/// Where the console begins, as seen from a path: `./`, `../../`. Addresses are written so, because
/// whatever stands in front of the server may put a prefix before all paths.
pub fn root(path: &str) -> String {
    let inside = path.find(MOUNT).map_or("", |at| &path[at + MOUNT.len()..]);
    match inside.matches('/').count() {
        0 => format!("{}/", &MOUNT[1..]),
        1 => "./".to_owned(),
        depth => "../".repeat(depth - 1),
    }
}

/// The address of a page, `/s/1`, as seen from a path.
pub fn url(path: &str, page: &str) -> String {
    format!("{}{}", root(path), page.trim_start_matches('/'))
}

/// A text as it stands in an address.
pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// The page that was asked for, as the console calls it: `/s/1/customers?status=locked`.
pub fn own_target(exchange: &Exchange) -> String {
    let target = exchange.target.as_str();
    target.find(MOUNT).map_or("/", |at| &target[at + MOUNT.len()..]).to_owned()
}

/// The page of the console that a form was sent from, by what the browser says.
pub fn sent_from(exchange: &Exchange) -> Option<String> {
    let sent = exchange.header("referer")?;
    let after_scheme = sent.split_once("://")?.1;
    let path = &after_scheme[after_scheme.find('/')?..];
    let page = path.split('?').next().unwrap_or_default();
    Some(page[page.find(MOUNT)? + MOUNT.len()..].to_owned()).filter(|page| page.starts_with('/'))
}

/// An answer that is a page.
///
/// # Errors
/// `Internal` when the template fails.
pub fn html(status: u16, template: &impl Template) -> Result<Reply, Failure> {
    let text = template.render().map_err(Failure::internal)?;
    Ok(Reply::bytes(status, "text/html; charset=utf-8", text))
}

impl Page {
    /// A request at a line of the table.
    pub fn new(request: Request, api: Arc<Api>) -> Page {
        Page { request, api }
    }

    /// The person who asks, where one signed in.
    pub fn person(&self) -> Option<&Arc<Caller>> {
        match &self.request.cx.actor {
            Actor::Caller(caller) => Some(caller),
            Actor::Operator | Actor::Person(_) | Actor::Anonymous => None,
        }
    }

    /// The words of the reader.
    pub fn words(&self) -> Words {
        Words::of(&self.request, self.person().map(|caller| &caller.user))
    }

    /// What stands around the page, with its title by a key.
    pub fn frame(&self, title: &str) -> Frame {
        Frame::of(self, self.words().t(title))
    }

    /// What was sent with a form.
    ///
    /// # Errors
    /// `Malformed`.
    pub fn form(&self) -> Result<Params, Failure> {
        decode::form(&self.request.body)
    }

    /// An address inside the console, as seen from this page.
    pub fn url(&self, page: &str) -> String {
        url(self.request.path(), page)
    }

    /// On to another page, after a deed.
    pub fn see(&self, page: &str) -> Reply {
        Reply::empty(303).with("location", self.url(page))
    }

    /// Where a form or a refused page wants to go on: a page of the console and nothing else.
    pub fn next(&self, sent: Option<&str>) -> String {
        let is_ours = |next: &&str| {
            let starts = next.starts_with('/') && !next.starts_with("//");
            starts && next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
        };
        sent.filter(is_ours).unwrap_or("/").to_owned()
    }

    /// The base of addresses in the space of this page: `/s/1`.
    pub fn space(&self) -> String {
        format!("/s/{}", self.request.cx.space)
    }

    /// What the person may do in the space of the page, whatever its own operation asks for.
    pub fn rights(&self) -> Permissions {
        let space = self.request.cx.space;
        let held = self.person().map(|caller| caller.rights_in(space).and(self.request.cx.cut));
        held.unwrap_or_default()
    }

    /// Whether the person may do this where the page is.
    pub fn may(&self, permission: Permission) -> bool {
        self.rights().has(permission)
    }

    /// The number of the account whose space it is; nothing outside of one.
    pub fn account(&self) -> Option<i64> {
        Some(self.person()?.space(self.request.cx.space)?.account)
    }

    /// The name of the API that the console is a client of.
    pub fn own(&self) -> &'static str {
        self.api.own
    }

    /// Every operation of the API, in no order.
    pub fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.api.all()
    }

    /// The description of an operation of the API.
    ///
    /// # Errors
    /// `Internal` when there is none.
    pub fn operation(&self, id: &str) -> Result<&Operation, Failure> {
        self.api.get(id)
    }

    /// What each API answers to who reads a customer, by number and UUID.
    pub async fn seen_by_all(&self, number: i64, uuid: Uuid) -> Vec<Seen> {
        let mut all = Vec::with_capacity(self.api.shown_by.len());
        for (dialect, operation) in &self.api.shown_by {
            let target = (dialect.customer.path)(number, uuid);
            let (path, query) = target.split_once('?').unwrap_or((&target, ""));
            let (path, query) = (path.to_owned(), query.to_owned());
            let call = Call { operation, path, query, headers: Vec::new(), body: None };
            let reply = self.request.call(call).await;
            let reply = reply.unwrap_or_else(|failure| (dialect.render)(&failure, &self.request));
            all.push(Seen { dialect, target, reply });
        }
        all
    }

    /// An operation of the API, to be done for the person.
    pub fn call(&self, id: &'static str) -> Asking<'_> {
        Asking {
            page: self,
            id,
            params: Vec::new(),
            query: String::new(),
            headers: Vec::new(),
            body: None,
            once: None,
        }
    }
}

/// A customer as an API shows it.
pub struct Seen {
    /// The API.
    pub dialect: &'static Dialect,
    /// Path and query it is read at.
    pub target: String,
    /// What it answers.
    pub reply: Reply,
}

/// An operation to be done, while it is put together.
#[must_use]
pub struct Asking<'a> {
    page: &'a Page,
    id: &'static str,
    params: Vec<(&'static str, String)>,
    query: String,
    headers: Vec<(&'static str, String)>,
    body: Option<Value>,
    once: Option<String>,
}

/// What an operation answered.
pub struct Answer {
    /// The reply as it is.
    pub reply: Reply,
}

impl Answer {
    /// The body.
    ///
    /// # Errors
    /// `Internal` when it is not what was expected.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.reply.body).map_err(Failure::internal)
    }

    /// The entity tag.
    pub fn tag(&self) -> String {
        let tag = self.reply.headers.get("etag").and_then(|tag| tag.to_str().ok());
        tag.unwrap_or_default().to_owned()
    }
}

impl Asking<'_> {
    /// A parameter of the path.
    pub fn at(mut self, name: &'static str, value: impl ToString) -> Self {
        self.params.push((name, value.to_string()));
        self
    }

    /// A parameter of the query.
    pub fn query(mut self, name: &str, value: impl ToString) -> Self {
        if !self.query.is_empty() {
            self.query.push('&');
        }
        self.query.extend(byte_serialize(name.as_bytes()));
        self.query.push('=');
        self.query.extend(byte_serialize(value.to_string().as_bytes()));
        self
    }

    /// A header.
    pub fn header(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    /// The version that a form saw.
    pub fn expecting(self, tag: Option<&str>) -> Self {
        match tag.filter(|tag| !tag.is_empty()) {
            Some(tag) => self.header("if-match", tag),
            None => self,
        }
    }

    /// A body.
    pub fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// Is done once for a form, however often that is sent.
    pub fn once(mut self, form: &Params) -> Self {
        self.once = form.get(ONCE).filter(|once| !once.is_empty()).map(str::to_owned);
        self
    }

    /// Does it.
    ///
    /// # Errors
    /// Whatever the operation says.
    pub async fn ask(mut self) -> Result<Answer, Failure> {
        let operation = self.page.api.get(self.id)?;
        if let (Some(once), Some(rule)) = (self.once.take(), operation.idempotency) {
            self.headers.push((rule.header, once));
        }
        let segment = |name: &str| match name.strip_prefix('{').and_then(|n| n.strip_suffix('}')) {
            Some(name) => {
                let value = self.params.iter().find(|(known, _)| *known == name);
                let value = value.map(|(_, value)| value.as_str()).unwrap_or_default();
                encoded(value).replace('/', "%2F")
            }
            None => name.to_owned(),
        };
        let path = operation.path.split('/').map(segment).collect::<Vec<_>>().join("/");
        let Asking { page, query, headers, body, .. } = self;
        let call = Call { operation, path, query, headers, body };
        Ok(Answer { reply: page.request.call(call).await? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_seen_from_where_the_page_is() {
        for (path, expected) in [
            ("/console", "console/s/1"),
            ("/console/", "./s/1"),
            ("/console/sign-in", "./s/1"),
            ("/console/s/1", "../s/1"),
            ("/patron/console/s/1/customers/7", "../../../s/1"),
        ] {
            assert_eq!(url(path, "/s/1"), expected, "{path}");
        }
        assert_eq!(encoded("/s/1?a=b&c"), "/s/1%3Fa%3Db%26c");
    }
}
