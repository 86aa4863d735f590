//! A new key, and a changed one.

use askama::Template;
use patron_gateway::{Reply, decode::Params};
use patron_model::{Failure, Permission, Permissions};
use serde_json::{Map, Value};

use super::{super::dialects, Key, deeds::day, loaded, made};
use crate::{
    form::{Faults, Input, Kind},
    frame::Frame,
    page::{self, Page},
    pages::doors::status,
    rights,
};

/// Networks that are read out of a form; the API says how many it takes.
const LINES_MAX: usize = 200;
/// What the public half of a pair may do.
const PUBLIC: [&str; 3] = ["none", "create", "full"];

/// A permission that can be ticked.
struct Tick {
    name: &'static str,
    verb: String,
    is_on: bool,
}

#[derive(Template)]
#[template(path = "developers/key_edit.html")]
struct Form {
    f: Frame,
    /// The key; nothing for a new one.
    key: Option<Key>,
    base: String,
    inputs: Vec<Input>,
    public: Input,
    account_wide: bool,
    /// `keep`, `all` or `these`.
    limit: String,
    ticks: Vec<(String, Vec<Tick>)>,
    limit_why: Option<String>,
    tag: String,
    once: String,
    is_stale: bool,
    /// What stands there now, where others changed it meanwhile: label and value.
    now: Vec<(String, String)>,
    summary: Vec<(String, String, String)>,
}

/// What a form begins with, or was sent with.
struct Typed {
    name: String,
    dialect: String,
    role: String,
    addresses: String,
    expires_at: String,
    public_rights: String,
    account_wide: bool,
    limit: String,
    permissions: Vec<String>,
}

impl Typed {
    fn of_key(key: Option<&Key>, dialect: &str) -> Typed {
        let day = |at: &String| at.get(..10).unwrap_or_default().to_owned();
        Typed {
            name: key.map(|key| key.name.clone()).unwrap_or_default(),
            dialect: key.map_or(dialect, |key| key.dialect.as_str()).to_owned(),
            role: key.and_then(|key| key.role).map(|role| role.to_string()).unwrap_or_default(),
            addresses: key.map(|key| key.addresses.join("\n")).unwrap_or_default(),
            expires_at: key.and_then(|key| key.expires_at.as_ref()).map(day).unwrap_or_default(),
            public_rights: key.map_or("none", |key| key.public_rights.as_str()).to_owned(),
            account_wide: key.is_some_and(|key| key.account_wide),
            limit: if key.is_some() { "keep" } else { "all" }.to_owned(),
            permissions: key.map(|key| key.permissions.clone()).unwrap_or_default(),
        }
    }

    fn of_form(form: &Params) -> Typed {
        let one = |name: &str| form.get(name).unwrap_or_default().to_owned();
        Typed {
            name: one("name"),
            dialect: one("dialect"),
            role: one("role"),
            addresses: one("addresses").replace("\r\n", "\n"),
            expires_at: one("expires_at"),
            public_rights: one("public_rights"),
            account_wide: form.get("account_wide").is_some(),
            limit: one("limit"),
            permissions: form.all("permissions").map(str::to_owned).collect(),
        }
    }

    /// As the API takes it. What a key is for is said when it is made.
    fn body(&self, key: Option<&Key>) -> Value {
        let mut body = Map::new();
        let mut set = |name: &str, value: Value| body.insert(name.to_owned(), value);
        let role = self.role.parse::<i64>().ok();
        if key.is_none() {
            set("dialect", self.dialect.clone().into());
            if self.account_wide {
                set("account_wide", true.into());
            }
        }
        // An application with several roles keeps them where none is chosen.
        if let Some(role) = role.filter(|role| key.is_none_or(|key| key.role != Some(*role))) {
            set("role", role.into());
        }
        set("name", self.name.clone().into());
        match self.limit.as_str() {
            "these" => drop(set("permissions", self.permissions.clone().into())),
            "all" if key.is_some() => drop(set("permissions", Value::Null)),
            _ => {}
        }
        let lines = self.addresses.lines().map(str::trim).filter(|line| !line.is_empty());
        let lines: Vec<&str> = lines.take(LINES_MAX).collect();
        set("addresses", lines.into());
        // The day that is shown is less than the moment that is kept: one that was not touched
        // stays.
        let shown = key.and_then(|key| key.expires_at.as_ref()).and_then(|at| at.get(..10));
        match self.expires_at.as_str() {
            "" if shown.is_some() => drop(set("expires_at", Value::Null)),
            "" => {}
            sent if Some(sent) == shown => {}
            sent => drop(set("expires_at", day(sent))),
        }
        if !self.public_rights.is_empty() {
            set("public_rights", self.public_rights.clone().into());
        }
        Value::Object(body)
    }
}

/// Permissions that the person has, by noun: nobody gives what they lack.
fn ticks(f: &Frame, own: Permissions, chosen: &[String]) -> Vec<(String, Vec<Tick>)> {
    let tick = |permission: Permission| {
        let name = permission.as_str();
        let (noun, verb) = rights::halves(f, name);
        (noun, Tick { name, verb, is_on: chosen.iter().any(|one| one == name) })
    };
    rights::by_noun(Permission::ALL.iter().copied().filter(|one| own.has(*one)).map(tick))
}

async fn inputs(
    page: &Page,
    (f, faults): (&Frame, &Faults),
    key: Option<&Key>,
    typed: &Typed,
) -> Result<Vec<Input>, Failure> {
    let own = &page.request.cx.rights;
    let holds = |name: &String| Permission::parse(name).is_some_and(|one| own.has(one));
    let mut roles = Vec::new();
    // What every API takes where none is named, or what an application has that holds several.
    let usual = if key.is_some() { "key-role-keep" } else { "key-role-usual" };
    if key.is_none_or(|key| key.role.is_none()) {
        roles.push((String::new(), f.t(usual)));
    }
    for role in rights::roles(page, f).await? {
        let is_own = key.is_some_and(|key| key.role == Some(role.number));
        if is_own || role.permissions.iter().all(holds) {
            roles.push((role.number.to_string(), role.name));
        }
    }
    let input =
        |name, label: &str, kind, value: &str| Input::new(name, f.t(label), kind, value, faults);
    let apis = dialects(page).iter().map(|one| (one.name.to_owned(), one.title.to_owned()));
    let name = input("name", "key-name", Kind::Line, &typed.name);
    let dialect = input("dialect", "key-api", Kind::Line, &typed.dialect);
    let role = input("role", "key-role", Kind::Line, &typed.role);
    let ends = input("expires_at", "key-ends", Kind::Day, &typed.expires_at);
    let addresses = input("addresses", "key-addresses", Kind::Text, &typed.addresses);
    let dialect = key.is_none().then(|| dialect.among(apis.collect()));
    let inputs = [
        Some(name.hinted(f.t("key-name-hint"))),
        dialect,
        Some(role.among(roles)),
        Some(ends.hinted(f.t("key-ends-hint"))),
        Some(addresses.hinted(f.t("key-addresses-hint"))),
    ];
    Ok(inputs.into_iter().flatten().collect())
}

/// A form: of a new key or of one that is there, as it is or as it was sent.
struct Shown<'a> {
    key: Option<Key>,
    tag: String,
    sent: Option<&'a Params>,
    faults: Faults,
    is_stale: bool,
}

async fn shown(page: &Page, shown: Shown<'_>) -> Result<Form, Failure> {
    let Shown { key, tag, sent, faults, is_stale } = shown;
    let f = page.frame(if key.is_some() { "key-edit" } else { "key-new" });
    let typed = sent.map_or_else(|| Typed::of_key(key.as_ref(), page.own()), Typed::of_form);
    let inputs = inputs(page, (&f, &faults), key.as_ref(), &typed).await?;
    let public = PUBLIC.map(|word| (word.to_owned(), f.of_word("key-public-", word, "")));
    let label = f.t("key-public");
    let half = Input::new("public_rights", label, Kind::Line, &typed.public_rights, &faults);
    let base = key.as_ref().map(|key| format!("{}/keys/{}", page.space(), key.number));
    let once = sent.and_then(|form| form.get(page::ONCE)).map(str::to_owned);
    let mut now = Vec::new();
    if let Some(key) = key.as_ref().filter(|_| is_stale) {
        let theirs = Typed::of_key(Some(key), page.own());
        let all = [
            ("key-name", theirs.name, &typed.name),
            ("key-addresses", theirs.addresses, &typed.addresses),
            ("key-ends", theirs.expires_at, &typed.expires_at),
        ];
        let others = all.into_iter().filter(|(_, theirs, mine)| theirs != *mine);
        now.extend(others.map(|(label, theirs, _)| (f.t(label), theirs)));
    }
    Ok(Form {
        summary: faults.summary(&inputs),
        base: base.unwrap_or_else(|| format!("{}/keys", page.space())),
        ticks: ticks(&f, page.request.cx.rights, &typed.permissions),
        limit: typed.limit,
        limit_why: faults.of("permissions"),
        account_wide: typed.account_wide,
        public: half.among(public.into()).hinted(f.t("key-public-hint")),
        // What was refused as stale is sent under another word: it says something else now.
        once: once.filter(|_| !is_stale).unwrap_or_else(|| f.once()),
        inputs,
        key,
        tag,
        is_stale,
        now,
        f,
    })
}

/// The faults of a form that was refused; nobody gives rights they lack.
fn faults(page: &Page, failure: &Failure) -> Result<Faults, Failure> {
    match failure {
        Failure::Forbidden => Ok(Faults::one("role", page.words().t("key-beyond-own"))),
        Failure::Stale { .. } => Ok(Faults::default()),
        other => Faults::of_failure(other, &page.words()),
    }
}

/// The empty form.
pub async fn fresh(page: Page) -> Result<Reply, Failure> {
    let empty = Shown {
        key: None,
        tag: String::new(),
        sent: None,
        faults: Faults::default(),
        is_stale: false,
    };
    page::html(200, &shown(&page, empty).await?)
}

/// Makes a key and shows its secret.
pub async fn create(page: Page) -> Result<Reply, Failure> {
    let form = page.form()?;
    let call = page.call("create_key").body(Typed::of_form(&form).body(None));
    match call.once(&form).ask().await {
        Ok(answer) => made(&page, &answer),
        Err(failure) => {
            let faults = faults(&page, &failure)?;
            let refused =
                Shown { key: None, tag: String::new(), sent: Some(&form), faults, is_stale: false };
            page::html(status(&failure), &shown(&page, refused).await?)
        }
    }
}

/// The form of a key that is there.
pub async fn open(page: Page) -> Result<Reply, Failure> {
    let (key, tag) = loaded(&page).await?;
    let form =
        Shown { key: Some(key), tag, sent: None, faults: Faults::default(), is_stale: false };
    page::html(200, &shown(&page, form).await?)
}

/// Changes a key.
pub async fn update(page: Page) -> Result<Reply, Failure> {
    let form = page.form()?;
    let (key, tag) = loaded(&page).await?;
    let body = Typed::of_form(&form).body(Some(&key));
    let call = page.call("update_key").at("key", key.number).body(body);
    match call.expecting(form.get("tag")).once(&form).ask().await {
        Ok(_) => Ok(page.see(&format!("{}/keys/{}?done=saved", page.space(), key.number))),
        Err(failure) => {
            let is_stale = matches!(failure, Failure::Stale { .. });
            let faults = faults(&page, &failure)?;
            let tag = if is_stale { tag } else { form.get("tag").unwrap_or_default().to_owned() };
            let refused = Shown { key: Some(key), tag, sent: Some(&form), faults, is_stale };
            page::html(status(&failure), &shown(&page, refused).await?)
        }
    }
}
