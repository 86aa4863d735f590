//! What stands around every page: title, sidebar, who looks at it and where.

use patron_app::ids;
use patron_gateway::Exchange;
use patron_model::{Permission, Permissions, Timestamp, user::Theme};
use uuid::Uuid;

use crate::{
    assets,
    page::{self, Page},
    rights,
    words::{Moment, Words},
};

/// Longest word of what was done that is looked at (bytes).
const DONE_BYTES_MAX: usize = 40;

/// The frame of a page. Templates call it `f`.
pub struct Frame {
    /// The words of the reader.
    pub words: Words,
    /// Title of the page, without names of persons.
    pub title: String,
    /// The space of the page.
    pub space: Option<Space>,
    /// Who looks at it.
    pub person: Option<Person>,
    /// What that person may do there.
    rights: Permissions,
    /// The colours that the person chose; nothing: those of their system.
    pub theme: Option<&'static str>,
    /// Whether single letters act.
    pub letters: bool,
    /// Whether anybody may be somebody here.
    pub sandbox: bool,
    /// What was just done, in a sentence.
    pub done: Option<String>,
    path: String,
    target: String,
    now: Timestamp,
}

/// A space as the sidebar shows it.
pub struct Space {
    /// Number.
    pub number: i64,
    /// What people call it.
    pub name: String,
    /// The account.
    pub account: String,
}

/// A person as the sidebar shows them.
pub struct Person {
    /// What they are called, or their address.
    pub name: String,
    /// The roles they hold.
    pub roles: String,
    /// The token of their session, for forms.
    pub token: String,
}

/// One of several views of a page.
pub struct Tab {
    /// What it is called.
    pub label: String,
    /// Where it is.
    pub href: String,
    /// Whether it is the one that is shown.
    pub is_current: bool,
}

impl Frame {
    /// For somebody who is not known: a refusal, a door.
    pub fn plain(exchange: &Exchange, title: &str) -> Frame {
        let words = Words::of(exchange, None);
        Frame {
            title: words.t(title),
            words,
            space: None,
            person: None,
            rights: Permissions::NONE,
            theme: None,
            letters: true,
            sandbox: false,
            done: None,
            path: exchange.path().to_owned(),
            target: page::own_target(exchange),
            now: exchange.now,
        }
    }

    /// Of a page.
    pub fn of(page: &Page, title: String) -> Frame {
        let request = &page.request;
        let words = page.words();
        let done = request.query().get("done").and_then(|word| {
            let is_word = word.len() <= DONE_BYTES_MAX
                && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
            let key = format!("done-{word}");
            words.known(&key).filter(|_| is_word)
        });
        let person = page.person();
        let user = person.map(|caller| &caller.user);
        let space = person.and_then(|caller| {
            let space = caller.space(request.cx.space)?;
            let (number, name) = (space.number, space.name.as_str().to_owned());
            let account = caller.account.name.as_str().to_owned();
            Some(Space { number, name, account })
        });
        let person = person.map(|caller| {
            let user = &caller.user;
            let names = [&user.given_name, &user.family_name];
            let names: Vec<&str> = names.into_iter().flatten().map(|name| name.as_str()).collect();
            let email = user.email.as_ref().map(|email| email.as_str()).unwrap_or_default();
            let name = if names.is_empty() { email.to_owned() } else { names.join(" ") };
            let token = caller.person.as_ref().map(|standing| standing.csrf.clone());
            let mut roles: Vec<String> =
                caller.roles.iter().map(|role| rights::role_name(&words, role)).collect();
            roles.dedup();
            Person { name, roles: roles.join(", "), token: token.unwrap_or_default() }
        });
        Frame {
            words,
            title,
            space,
            person,
            rights: page.rights(),
            theme: user.filter(|user| user.theme != Theme::System).map(|user| user.theme.as_str()),
            letters: user.is_none_or(|user| !user.without_letters),
            sandbox: request.site.guest.is_some(),
            done,
            path: request.path().to_owned(),
            target: page::own_target(request),
            now: request.now,
        }
    }

    /// A sentence.
    pub fn t(&self, key: &str) -> String {
        self.words.t(key)
    }

    /// A sentence of a group of them, by the word in its key.
    pub fn of_word(&self, before: &str, word: &str, after: &str) -> String {
        self.words.t(&[before, word, after].concat())
    }

    /// A sentence with something in it.
    pub fn say(&self, key: &str, name: &str, value: &str) -> String {
        self.words.say(key, &[(name, value)])
    }

    /// The address of a page of the console.
    pub fn url(&self, page: &str) -> String {
        page::url(&self.path, page)
    }

    /// The address of something of the server that is no page.
    pub fn beside(&self, path: &str) -> String {
        format!("{}../{}", page::root(&self.path), path.trim_start_matches('/'))
    }

    /// The address of a page in the space of this one.
    pub fn here(&self, page: &str) -> String {
        let space = self.space.as_ref().map_or(0, |space| space.number);
        self.url(&format!("/s/{space}{page}"))
    }

    /// The address of a page below another one.
    pub fn below(&self, base: &str, page: &str) -> String {
        self.url(&format!("{base}{page}"))
    }

    /// The address of a version of a record.
    pub fn versioned(&self, base: &str, version: &i64) -> String {
        self.url(&format!("{base}?version={version}"))
    }

    /// A sentence with a number in it that counts nothing.
    pub fn number(&self, key: &str, number: &i64) -> String {
        self.say(key, "number", &number.to_string())
    }

    /// A sentence about so many.
    pub fn counted(&self, key: &str, count: &i64) -> String {
        self.words.count(key, count.unsigned_abs())
    }

    /// Which of how many versions it is.
    pub fn versions(&self, own: &i64, latest: &i64) -> String {
        let (own, latest) = (own.to_string(), latest.to_string());
        self.words.say("version-of-versions", &[("number", &own), ("latest", &latest)])
    }

    /// Between which versions something is.
    pub fn between(&self, from: &i64, to: &i64) -> String {
        let (from, to) = (from.to_string(), to.to_string());
        self.words.say("compare-between", &[("from", &from), ("to", &to)])
    }

    /// The address of the comparison of a version with what is now.
    pub fn compared(&self, base: &str, version: &i64) -> String {
        self.url(&format!("{base}/diff?from={version}"))
    }

    /// The address of a file.
    pub fn asset(&self, kind: &str) -> String {
        self.url(&format!("/assets/{}", assets::file(kind)))
    }

    /// An icon.
    pub fn i(&self, name: &'static str) -> Icon {
        Icon(format!("{}#i-{name}", self.asset("icons.svg")))
    }

    /// Whether the person may do this here, in the words of the permission.
    pub fn may(&self, permission: &str) -> bool {
        Permission::parse(permission).is_some_and(|permission| self.rights.has(permission))
    }

    /// Whether an address, `/customers`, is where this page is, or above it.
    pub fn is_in(&self, page: &str) -> bool {
        let space = self.space.as_ref().map_or(0, |space| space.number);
        let whole = format!("/s/{space}{page}");
        let path = self.target.split('?').next().unwrap_or_default();
        path == whole || (!page.is_empty() && path.starts_with(&format!("{whole}/")))
    }

    /// Whether this page is the one at an address.
    pub fn is_exactly(&self, page: &str) -> bool {
        self.target.split('?').next() == Some(page)
    }

    /// Whether the address of this page ends so.
    pub fn ends(&self, end: &str) -> bool {
        self.target.split('?').next().unwrap_or_default().ends_with(end)
    }

    /// The token that forms of this page carry.
    pub fn token(&self) -> &str {
        self.person.as_ref().map_or("", |person| person.token.as_str())
    }

    /// A new word by which a form is done once.
    pub fn once(&self) -> String {
        ids::passing(Uuid::new_v4).to_string()
    }

    /// A moment as the reader writes it, from what the API says (RFC 3339).
    pub fn moment(&self, sent: &str) -> Moment {
        self.words.moment(sent, self.now)
    }
}

/// An icon, as markup.
pub struct Icon(String);

impl std::fmt::Display for Icon {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "<svg class=\"i\" aria-hidden=\"true\"><use href=\"{}\"/></svg>", self.0)
    }
}

// Its address is made here, of what templates name and nothing else.
impl askama::filters::HtmlSafe for Icon {}
