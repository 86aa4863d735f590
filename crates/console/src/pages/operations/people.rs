//! Who works here: people and applications, the roles they hold, and inviting somebody.

use askama::Template;
use patron_gateway::{Operation, Reply, decode::Params};
use patron_model::{Failure, Permission};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    super::doors::status,
    places::{self, Choices, Held, Places},
};
use crate::{
    form::{self, Faults, Field, Input, PERSON},
    frame::{Frame, Tab},
    operations::Table,
    page::{self, Listed, Page},
    rights,
    words::Moment,
};

/// People of a page.
const PAGE: u32 = 50;
/// What a tab asks the API.
type Asked = &'static [(&'static str, &'static str)];
/// What is shown: the word in the address, the sentence, and what the API is asked.
const TABS: [(&str, &str, Asked); 5] = [
    ("", "tab-all", &[]),
    ("people", "tab-people", &[("kind", "human")]),
    ("invited", "tab-invited", &[("state", "invited")]),
    ("off", "tab-off", &[("state", "inactive")]),
    ("applications", "tab-applications", &[("kind", "application")]),
];

/// The lines.
#[rustfmt::skip]
pub fn lines(table: &Table) -> Vec<Operation> {
    const ALL: &str = "/console/s/{space}/people";
    const NEW: &str = "/console/s/{space}/people/new";
    vec![
        table.page(ALL, "console_people", "People", list).needs(Permission::PersonRead),
        table.page(NEW, "console_new_person", "Somebody new", form).does("create_user"),
        table.deed(NEW, "console_invite_person", "Invite somebody", invite).does("create_user"),
    ]
}

/// A user as the API shows it.
#[derive(Deserialize)]
pub struct User {
    pub number: i64,
    pub kind: String,
    pub state: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    given_name: String,
    #[serde(default)]
    family_name: String,
    #[serde(default)]
    pub email: String,
    #[serde(default)]
    pub roles: Vec<Held>,
    #[serde(default)]
    pub sign_in: Ways,
}

/// How a person signs in.
#[derive(Deserialize, Default)]
pub struct Ways {
    pub methods: Vec<String>,
    pub second_factor: bool,
    pub sessions: u64,
    #[serde(default)]
    pub seen_at: Option<String>,
}

impl User {
    /// What people call it.
    pub fn shown_name(&self) -> String {
        let names = [&self.name, &self.given_name, &self.family_name].map(String::as_str);
        let names: Vec<&str> = names.into_iter().filter(|name| !name.is_empty()).collect();
        match (names.is_empty(), self.email.is_empty()) {
            (false, _) => names.join(" "),
            (true, false) => self.email.clone(),
            (true, true) => self.number.to_string(),
        }
    }

    /// Colour of its state.
    pub fn tone(&self) -> &'static str {
        match self.state.as_str() {
            "active" => "good",
            "invited" => "info",
            _ => "warn",
        }
    }
}

struct Row {
    path: String,
    name: String,
    beside: String,
    /// Name of the role, and where it holds.
    roles: Vec<(String, String)>,
    is_person: bool,
    has_second: bool,
    seen: Option<Moment>,
    state: String,
    tone: &'static str,
}

#[derive(Template)]
#[template(path = "operations/people.html")]
struct List {
    f: Frame,
    tabs: Vec<Tab>,
    rows: Vec<Row>,
    first: Option<String>,
    next: Option<String>,
}

async fn list(page: Page) -> Result<Reply, Failure> {
    let query = page.request.query();
    let f = page.frame("nav-people");
    let asked = query.get("show").unwrap_or_default();
    let (show, _, filters) = TABS.into_iter().find(|(word, ..)| *word == asked).unwrap_or(TABS[0]);
    let mut call = page.call("list_users").query("limit", PAGE).query("expand", "roles,sign_in");
    for (name, value) in filters {
        call = call.query(name, value);
    }
    if let Some(account) = page.account() {
        call = call.query("account", account);
    }
    let cursor = query.get("cursor").filter(|cursor| !cursor.is_empty());
    if let Some(cursor) = cursor {
        call = call.query("cursor", cursor);
    }
    let listed: Listed<User> = call.ask().await?.read()?;
    let places = Places::of(&page).await?;
    let row = |user: &User| Row {
        path: f.here(&format!("/people/{}", user.number)),
        name: user.shown_name(),
        beside: if user.shown_name() == user.email { String::new() } else { user.email.clone() },
        roles: user.roles.iter().map(|held| role(&f, &places, held)).collect(),
        is_person: user.kind == "human",
        has_second: user.sign_in.second_factor,
        seen: user.sign_in.seen_at.as_deref().map(|at| f.moment(at)),
        state: f.of_word("state-user-", &user.state, ""),
        tone: user.tone(),
    };
    let here = |word: &str| match word {
        "" => f.here("/people"),
        word => f.here(&format!("/people?show={word}")),
    };
    let tab = |(word, key, _): &(&str, &str, Asked)| Tab {
        label: f.t(key),
        href: here(word),
        is_current: *word == show,
    };
    let next = listed.next_cursor.as_deref().map(|cursor| {
        let cursor = page::encoded(cursor);
        f.here(&format!("/people?show={show}&cursor={cursor}"))
    });
    let shown = List {
        tabs: TABS.iter().map(tab).collect(),
        rows: listed.data.iter().map(row).collect(),
        first: cursor.map(|_| here(show)),
        next,
        f,
    };
    page::html(200, &shown)
}

/// A role by its name, and where it holds.
pub fn role(f: &Frame, places: &Places, held: &Held) -> (String, String) {
    (rights::role_name(&f.words, &held.name), places.held(f, held))
}

#[derive(Template)]
#[template(path = "operations/invite.html")]
struct Invite {
    f: Frame,
    inputs: Vec<Input>,
    roles: Choices,
    places: Choices,
    summary: Vec<(String, String, String)>,
}

/// What is asked of somebody who is invited; the rest they say themselves.
fn asked() -> Vec<Field> {
    let wanted = ["given_name", "family_name", "email", "language"];
    PERSON.iter().copied().filter(|field| wanted.contains(&field.name)).collect()
}

async fn invitation(
    page: &Page,
    sent: Option<&Params>,
    faults: &Faults,
) -> Result<Invite, Failure> {
    let f = page.frame("person-new");
    let of = |name: &str| sent.and_then(|form| form.get(name)).unwrap_or_default();
    let input = |field: &Field| Input::of(field, of(field.name), &f.words, faults);
    let inputs: Vec<Input> = asked().iter().map(input).collect();
    let (roles, places) = match page.may(Permission::AccessGrant) {
        true => (
            places::roles(page, &f, of("role")).await?,
            Places::of(page).await?.choices(&f, of("place")),
        ),
        false => (Vec::new(), Vec::new()),
    };
    let summary = faults.summary(&inputs);
    Ok(Invite { f, inputs, roles, places, summary })
}

async fn form(page: Page) -> Result<Reply, Failure> {
    page::html(200, &invitation(&page, None, &Faults::default()).await?)
}

#[derive(Deserialize)]
struct Made {
    number: i64,
    #[serde(default)]
    invitation_url: Option<String>,
}

#[derive(Template)]
#[template(path = "operations/invited.html")]
struct Invited<'a> {
    f: Frame,
    base: &'a str,
    link: &'a str,
}

/// The link of an invitation that is not mailed: shown this once.
pub fn handed_over(page: &Page, base: &str, link: &str) -> Result<Reply, Failure> {
    let f = page.frame("invited-title");
    Ok(page::html(200, &Invited { f, base, link })?.with("cache-control", "no-store"))
}

/// The body that gives a role, from what was chosen: `3` and `space:1`.
pub fn granted(form: &Params) -> Value {
    let mut body = json!({});
    let number = |text: &str| text.parse::<i64>().ok();
    if let Some(role) = form.get("role").and_then(number) {
        body["role"] = role.into();
    }
    let place = form.get("place").and_then(|place| place.split_once(':'));
    if let Some((word, place)) = place.and_then(|(word, place)| Some((word, number(place)?))) {
        let member = if word == "space" { "space" } else { "account" };
        body[member] = place.into();
        if word == "below" {
            body["subaccounts"] = true.into();
        }
    }
    body
}

async fn invite(page: Page) -> Result<Reply, Failure> {
    let form = page.form()?;
    let mut body = form::body(&form, &asked(), true);
    body["kind"] = "human".into();
    if let Some(account) = page.account() {
        body["account"] = account.into();
    }
    let made = match page.call("create_user").body(body).ask().await {
        Ok(answer) => answer.read::<Made>()?,
        Err(failure) => {
            let faults = Faults::of_failure(&failure, &page.words())?;
            return page::html(status(&failure), &invitation(&page, Some(&form), &faults).await?);
        }
    };
    let base = format!("{}/people/{}", page.space(), made.number);
    let mut done = "invited";
    if form.get("role").is_some_and(|role| !role.is_empty()) {
        let call = page.call("create_assignment").at("user", made.number).body(granted(&form));
        // Who is invited is: a role that may not be given is said, and can be given by others.
        if call.ask().await.is_err() {
            done = "invited-without-role";
        }
    }
    match made.invitation_url {
        Some(link) => handed_over(&page, &base, &link),
        None => Ok(page.see(&format!("{base}?done={done}"))),
    }
}
