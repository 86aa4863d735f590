//! The list of keys.

use askama::Template;
use patron_gateway::Reply;
use patron_model::Failure;

use super::{
    super::{Api, api, dialects},
    Key,
};
use crate::{
    form::{Faults, Input, Kind},
    frame::{Frame, Tab},
    page::{self, Listed, Page},
    rights::{self, Known},
    words::Moment,
};

/// Keys of a page.
const ROWS: u32 = 50;
/// States that have a tab; the first is all of them.
const TABS: [&str; 5] = ["", "active", "expiring", "expired", "revoked"];

struct Row {
    name: String,
    path: String,
    hint: String,
    api: Option<Api>,
    rights: String,
    addresses: String,
    used: Option<Moment>,
    ends: Option<Moment>,
    state: String,
    tone: &'static str,
    /// The space it opens, where that is not the one of the page.
    elsewhere: Option<i64>,
    account_wide: bool,
}

#[derive(Template)]
#[template(path = "developers/keys.html")]
struct List {
    f: Frame,
    tabs: Vec<Tab>,
    dialect: Input,
    scope: Input,
    state: String,
    rows: Vec<Row>,
    next: Option<String>,
    first: Option<String>,
    is_asked: bool,
}

struct Asked {
    state: String,
    dialect: String,
    scope: String,
    cursor: String,
}

impl Asked {
    fn read(page: &Page) -> Asked {
        let query = page.request.query();
        let one = |name: &str| query.get(name).unwrap_or_default().to_owned();
        Asked {
            state: one("state"),
            dialect: one("dialect"),
            scope: one("scope"),
            cursor: one("cursor"),
        }
    }

    /// The address of the same list with another state and place in it.
    fn with(&self, page: &Page, state: &str, cursor: &str) -> String {
        let all = [
            ("state", state),
            ("dialect", &self.dialect),
            ("scope", &self.scope),
            ("cursor", cursor),
        ];
        let given = all.into_iter().filter(|(_, value)| !value.is_empty());
        let pairs = given.map(|(name, value)| format!("{name}={}", page::encoded(value)));
        let query = pairs.collect::<Vec<String>>().join("&");
        let mark = if query.is_empty() { "" } else { "?" };
        page.url(&format!("{}/keys{mark}{query}", page.space()))
    }
}

async fn found(page: &Page, asked: &Asked) -> Result<Listed<Key>, Failure> {
    let mut call = page.call("list_keys").query("limit", ROWS);
    if asked.scope != "account" {
        call = call.query("space", page.request.cx.space);
    }
    let filters = [("state", &asked.state), ("dialect", &asked.dialect), ("cursor", &asked.cursor)];
    for (name, value) in filters.into_iter().filter(|(_, value)| !value.is_empty()) {
        call = call.query(name, value);
    }
    call.ask().await?.read()
}

/// The role, where the key may do just what that says; else the rights one by one.
fn rights_of(f: &Frame, key: &Key, roles: &[Known]) -> String {
    let role = roles.iter().find(|role| Some(role.number) == key.role);
    if let Some(role) = role.filter(|role| role.permissions == key.permissions) {
        return role.name.clone();
    }
    if key.permissions.is_empty() {
        return f.words.t("rights-none");
    }
    let rights = rights::in_words(f, &key.permissions);
    let rights = rights.iter().map(|(noun, verbs)| format!("{noun}: {verbs}"));
    rights.collect::<Vec<String>>().join(" · ")
}

fn row(page: &Page, f: &Frame, roles: &[Known], key: &Key) -> Row {
    let addresses = match key.addresses.as_slice() {
        [] => f.words.t("addresses-any"),
        all => all.join(", "),
    };
    Row {
        name: key.called(f),
        path: page.url(&format!("{}/keys/{}", page.space(), key.number)),
        hint: key.hint.clone(),
        api: api(page, &key.dialect),
        rights: rights_of(f, key, roles),
        addresses,
        used: key.last_used_at.as_ref().map(|at| f.moment(at)),
        ends: key.expires_at.as_ref().map(|at| f.moment(at)),
        state: f.words.t(&format!("key-state-{}", key.state)),
        tone: key.tone(),
        elsewhere: (key.space != page.request.cx.space).then_some(key.space),
        account_wide: key.account_wide,
    }
}

/// The list.
pub async fn list(page: Page) -> Result<Reply, Failure> {
    let asked = Asked::read(&page);
    let f = page.frame("nav-keys");
    let found = found(&page, &asked).await?;
    let roles = rights::roles(&page, &f).await?;
    let tab = |word: &&'static str| Tab {
        label: match *word {
            "" => f.words.t("tab-all"),
            word => f.words.t(&format!("key-state-{word}")),
        },
        href: asked.with(&page, word, ""),
        is_current: asked.state == *word,
    };
    let mut apis = vec![(String::new(), f.t("apis-all"))];
    apis.extend(dialects(&page).iter().map(|one| (one.name.to_owned(), one.title.to_owned())));
    let scopes =
        vec![(String::new(), f.t("scope-space")), ("account".to_owned(), f.t("scope-account"))];
    let none = Faults::default();
    let dialect = Input::new("dialect", f.t("key-api"), Kind::Line, &asked.dialect, &none);
    let scope = Input::new("scope", f.t("key-opens"), Kind::Line, &asked.scope, &none);
    let shown = List {
        tabs: TABS.iter().map(tab).collect(),
        dialect: dialect.among(apis),
        scope: scope.among(scopes),
        rows: found.data.iter().map(|key| row(&page, &f, &roles, key)).collect(),
        next: found.next_cursor.map(|cursor| asked.with(&page, &asked.state, &cursor)),
        first: (!asked.cursor.is_empty()).then(|| asked.with(&page, &asked.state, "")),
        is_asked: !asked.state.is_empty() || !asked.dialect.is_empty(),
        state: asked.state.clone(),
        f,
    };
    page::html(200, &shown)
}
