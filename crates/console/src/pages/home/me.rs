//! One's own page: what one is called, how pages are shown, by what one signs in, and where one is
//! signed in.

use askama::Template;
use patron_gateway::{Operation, Reply};
use patron_model::Failure;
use serde::Deserialize;
use serde_json::Value;

use super::super::operations::edits::{Of, Shown};
use crate::{
    form::{self, SETTINGS},
    frame::Frame,
    operations::Table,
    page::{self, Page},
    words::Moment,
};

/// The page.
pub const ME: &str = "/me";
/// Where the record stands in what the API says of who asks.
const USER: &str = "/user";
/// Areas whose time zones have names of their own; others are older names of the same.
const AREAS: [&str; 10] = [
    "Africa/",
    "America/",
    "Antarctica/",
    "Arctic/",
    "Asia/",
    "Atlantic/",
    "Australia/",
    "Europe/",
    "Indian/",
    "Pacific/",
];
/// Programs by what they call themselves, the ones that pretend to be others first.
const PROGRAMS: [(&str, &str); 6] = [
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
];
/// Systems by what browsers call them.
const SYSTEMS: [(&str, &str); 6] = [
    ("Android", "Android"),
    ("iPhone", "iOS"),
    ("iPad", "iPadOS"),
    ("Mac OS X", "macOS"),
    ("Windows", "Windows"),
    ("Linux", "Linux"),
];

/// The lines.
#[rustfmt::skip]
pub fn lines(table: &Table) -> Vec<Operation> {
    const PATH: &str = "/console/me";
    const SESSION: &str = "/console/me/sessions/{session}/end";
    vec![
        table.page(PATH, "console_me", "Yourself", show).own(),
        table.deed(PATH, "console_update_me", "Change your settings", update).does("update_me"),
        table.deed(SESSION, "console_end_own_session", "End one of your sessions", end)
            .does("end_own_session"),
        table.deed("/console/me/sessions/end", "console_end_other_sessions",
            "End all your other sessions", end_others).does("end_other_sessions"),
    ]
}

#[derive(Deserialize)]
struct All<T> {
    data: Vec<T>,
}

/// A session as the API shows it.
#[derive(Deserialize)]
struct Session {
    number: i64,
    current: bool,
    methods: Vec<String>,
    #[serde(default)]
    address: String,
    #[serde(default)]
    agent: String,
    opened_at: String,
    seen_at: String,
}

/// A session as it is shown.
struct Open {
    number: i64,
    current: bool,
    program: String,
    address: String,
    methods: String,
    opened: Moment,
    seen: Moment,
}

/// A passkey as the API shows it.
#[derive(Deserialize)]
struct Passkey {
    number: i64,
    name: String,
    created_at: String,
    #[serde(default)]
    used_at: Option<String>,
}

/// A passkey as it is shown.
struct Held {
    number: i64,
    name: String,
    made: Moment,
    used: Option<Moment>,
}

#[derive(Deserialize)]
struct Linked {
    name: String,
}

#[derive(Template)]
#[template(path = "home/me.html")]
struct Me {
    f: Frame,
    shown: Shown,
    zones: Vec<String>,
    email: String,
    has_password: bool,
    has_codes: bool,
    has_recovery: bool,
    passkeys: Vec<Held>,
    providers: Vec<Linked>,
    sessions: Vec<Open>,
}

/// What a browser is called by people.
fn program(agent: &str) -> String {
    let known = |all: &[(&str, &'static str)]| {
        all.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name)
    };
    match (known(&PROGRAMS), known(&SYSTEMS)) {
        (Some(program), Some(system)) => format!("{program} · {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => agent.to_owned(),
    }
}

fn open(f: &Frame, session: Session) -> Open {
    let way = |method: &String| f.of_word("way-", method, "");
    Open {
        number: session.number,
        current: session.current,
        program: program(&session.agent),
        address: session.address,
        methods: session.methods.iter().map(way).collect::<Vec<_>>().join(", "),
        opened: f.moment(&session.opened_at),
        seen: f.moment(&session.seen_at),
    }
}

fn zones() -> Vec<String> {
    let names = jiff::tz::db().available().map(|name| name.as_str().to_owned());
    names.filter(|name| AREAS.iter().any(|area| name.starts_with(area))).collect()
}

/// The page with a form on it.
async fn with(page: &Page, status: u16, mut shown: Shown, user: &Value) -> Result<Reply, Failure> {
    let f = page.frame("me-title");
    // A language that others chose for one stays among the choices.
    for input in &mut shown.inputs {
        let is_known = input.choices.is_empty() || input.choices.iter().any(|(.., is)| *is);
        if !is_known {
            input.choices.push((input.value.clone(), input.value.clone(), true));
        }
    }
    let All::<Session> { data: sessions } = page.call("list_own_sessions").ask().await?.read()?;
    let All::<Passkey> { data: passkeys } = page.call("list_passkeys").ask().await?.read()?;
    let All::<Linked> { data: providers } = page.call("list_own_providers").ask().await?.read()?;
    let held = |passkey: Passkey| Held {
        number: passkey.number,
        name: passkey.name,
        made: f.moment(&passkey.created_at),
        used: passkey.used_at.map(|at| f.moment(&at)),
    };
    let standing = page.person().and_then(|caller| caller.person.as_ref());
    let by = |way: &str| {
        standing.is_some_and(|standing| {
            standing.methods.contains(&way) || standing.factors.contains(&way)
        })
    };
    let me = Me {
        zones: zones(),
        email: form::text(user, "email"),
        has_password: by("password"),
        has_codes: by("totp"),
        has_recovery: by("recovery_code"),
        passkeys: passkeys.into_iter().map(held).collect(),
        providers,
        sessions: sessions.into_iter().map(|session| open(&f, session)).collect(),
        shown,
        f,
    };
    page::html(status, &me)
}

/// What the API says of who asks, and its tag.
async fn read(page: &Page) -> Result<(Value, String), Failure> {
    let answer = page.call("get_me").ask().await?;
    let whole: Value = answer.read()?;
    Ok((whole.pointer(USER).cloned().unwrap_or_default(), answer.tag()))
}

async fn show(page: Page) -> Result<Reply, Failure> {
    let (user, tag) = read(&page).await?;
    let shown = Shown::of(&page.frame("me-title"), SETTINGS, &user, tag);
    with(&page, 200, shown, &user).await
}

async fn update(page: Page) -> Result<Reply, Failure> {
    let at = ("", "");
    let of = Of { read: "get_me", write: "update_me", at, inside: USER, fields: SETTINGS };
    match of.send(&page, &page.form()?).await? {
        None => Ok(back(&page, "saved")),
        Some((status, shown)) => {
            let (user, _) = read(&page).await?;
            with(&page, status, shown, &user).await
        }
    }
}

/// Back to one's page, with what was done.
pub fn back(page: &Page, done: &str) -> Reply {
    page.see(&format!("{ME}?done={done}"))
}

async fn end(page: Page) -> Result<Reply, Failure> {
    let number = page.request.param("session");
    page.call("end_own_session").at("session", number).ask().await?;
    Ok(back(&page, "session-ended"))
}

async fn end_others(page: Page) -> Result<Reply, Failure> {
    page.call("end_other_sessions").ask().await?;
    Ok(back(&page, "sessions-ended"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_called_as_people_do() {
        let chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
                      Chrome/140.0.0.0 Safari/537.36";
        assert_eq!(program(chrome), "Chrome · Linux");
        assert_eq!(program("curl/8.5.0"), "curl");
        assert_eq!(program("something"), "something");
    }

    #[test]
    fn zones_to_choose_from_are_known() {
        let zones = zones();
        assert!(zones.iter().any(|zone| zone == "Europe/Zurich"), "{zones:?}");
        assert!(zones.iter().all(|zone| patron_model::time_zone::rules(zone).is_some()));
    }
}
