//! One person or application: who it is, what it may do where, how it signs in, and what is done
//! about that.

use askama::Template;
use patron_gateway::{Operation, Reply, decode::Params};
use patron_model::{Failure, Permission};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    super::doors::status,
    confirm::{self, Final},
    edits::{Of, Shown},
    people::{self, User},
    places::{self, Choices, Places},
};
use crate::{
    form::{self, Faults, PERSON},
    frame::Frame,
    operations::Table,
    page::{self, Page},
    words::Moment,
};

/// The lines.
#[rustfmt::skip]
pub fn lines(table: &Table) -> Vec<Operation> {
    const ONE: &str = "/console/s/{space}/people/{user}";
    const EDIT: &str = "/console/s/{space}/people/{user}/edit";
    const ROLES: &str = "/console/s/{space}/people/{user}/roles";
    const ROLE: &str = "/console/s/{space}/people/{user}/roles/{assignment}/withdraw";
    const DELETE: &str = "/console/s/{space}/people/{user}/delete";
    const FACTORS: &str = "/console/s/{space}/people/{user}/factors";
    const STATE: &str = "/console/s/{space}/people/{user}/state";
    const END: &str = "/console/s/{space}/people/{user}/end-sessions";
    const INVITE: &str = "/console/s/{space}/people/{user}/invite";
    const RESET: &str = "/console/s/{space}/people/{user}/reset";
    vec![
        table.page(ONE, "console_person", "A person", record).needs(Permission::PersonRead),
        table.page(EDIT, "console_edit_person", "Change a person", edit).does("update_user"),
        table.deed(EDIT, "console_update_person", "Change a person", update).does("update_user"),
        table.page(ROLES, "console_person_roles", "Roles of a person", roles)
            .does("create_assignment"),
        table.deed(ROLES, "console_give_role", "Give a role", give).does("create_assignment"),
        table.deed(ROLE, "console_withdraw_role", "Withdraw a role", withdraw)
            .does("delete_assignment"),
        table.page(DELETE, "console_leaving_person", "Delete a person", leaving)
            .does("delete_user"),
        table.deed(DELETE, "console_delete_person", "Delete a person", delete).does("delete_user"),
        table.page(FACTORS, "console_lost_factors", "Remove second factors", lost)
            .does("delete_factors_of_user"),
        table.deed(FACTORS, "console_delete_factors", "Remove second factors", forget)
            .does("delete_factors_of_user"),
        table.deed(STATE, "console_switch_person", "Switch a person off or on", switch)
            .does("update_user"),
        table.deed(END, "console_end_sessions", "End the sessions of a person", end)
            .does("end_sessions_of_user"),
        table.deed(INVITE, "console_invite_again", "Invite once more", invite).does("invite_user"),
        table.deed(RESET, "console_mail_reset", "Mail a link for another password", reset)
            .does("reset_password_of_user"),
    ]
}

/// A role that is held, as it is shown.
struct Role {
    name: String,
    place: String,
    withdraw: String,
}

#[derive(Template)]
#[template(path = "operations/person.html")]
struct Record {
    f: Frame,
    base: String,
    number: i64,
    name: String,
    is_person: bool,
    state: String,
    state_word: String,
    tone: &'static str,
    /// Label, value, whether its letters run from left to right.
    facts: Vec<(String, String, bool)>,
    roles: Vec<Role>,
    methods: Vec<String>,
    has_second: bool,
    sessions: String,
    seen: Option<Moment>,
    is_verified: bool,
    has_email: bool,
    created: Moment,
    tag: String,
    may_change: bool,
}

impl Record {
    /// Whether a session is open.
    fn is_seen(&self) -> bool {
        self.seen.is_some()
    }
}

/// The user of the path, with what else is known; what the API says of it, and its tag.
async fn read(page: &Page) -> Result<(User, Value, String), Failure> {
    let call = page.call("get_user").at("user", page.request.param("user"));
    let answer = call.query("expand", "roles,sign_in").ask().await?;
    Ok((answer.read()?, answer.read()?, answer.tag()))
}

fn base(page: &Page) -> String {
    format!("{}/people/{}", page.space(), page::encoded(page.request.param("user")))
}

/// A page about one of them: titles name numbers, not people.
fn framed(page: &Page, key: &str, number: i64) -> Frame {
    let mut f = page.frame(key);
    f.title = f.number(key, &number);
    f
}

fn held(f: &Frame, places: &Places, base: &str, user: &User) -> Vec<Role> {
    let role = |held: &places::Held| {
        let (name, place) = people::role(f, places, held);
        let withdraw = f.url(&format!("{base}/roles/{}/withdraw", held.assignment));
        Role { name, place, withdraw }
    };
    user.roles.iter().map(role).collect()
}

async fn record(page: Page) -> Result<Reply, Failure> {
    let (user, value, tag) = read(&page).await?;
    let base = base(&page);
    let f = framed(&page, "person-title", user.number);
    let places = Places::of(&page).await?;
    let fact = |field: &form::Field| {
        let shown = form::text(&value, field.name);
        let is_code = matches!(field.kind, form::Kind::Code | form::Kind::Email);
        (!shown.is_empty()).then(|| (f.t(&format!("field-{}", field.name)), shown, is_code))
    };
    let is_person = user.kind == "human";
    let change = if is_person { Permission::PersonWrite } else { Permission::ApplicationWrite };
    let shown = Record {
        number: user.number,
        name: user.shown_name(),
        is_person,
        state: f.of_word("state-user-", &user.state, ""),
        tone: user.tone(),
        facts: PERSON.iter().filter_map(fact).collect(),
        roles: held(&f, &places, &base, &user),
        methods: user.sign_in.methods.iter().map(|one| f.of_word("way-", one, "")).collect(),
        has_second: user.sign_in.second_factor,
        sessions: f.words.count("person-sessions", user.sign_in.sessions),
        seen: user.sign_in.seen_at.as_deref().map(|at| f.moment(at)),
        is_verified: value["email_verified"] == true,
        has_email: !user.email.is_empty(),
        created: f.moment(&form::text(&value, "created_at")),
        may_change: page.may(change),
        state_word: user.state,
        base,
        tag,
        f,
    };
    page::html(200, &shown)
}

#[derive(Template)]
#[template(path = "operations/edit.html")]
struct Edit<'a> {
    f: Frame,
    back: &'a str,
    above: String,
    shown: Shown,
}

/// The form over a person, as it is shown.
fn editing(page: &Page, status: u16, shown: Shown) -> Result<Reply, Failure> {
    let base = base(page);
    let above = page.request.param("user").to_owned();
    let f = page.frame("person-edit");
    page::html(status, &Edit { f, back: &base, above, shown })
}

async fn edit(page: Page) -> Result<Reply, Failure> {
    let (_, value, tag) = read(&page).await?;
    let shown = Shown::of(&page.frame("person-edit"), PERSON, &value, tag);
    editing(&page, 200, shown)
}

async fn update(page: Page) -> Result<Reply, Failure> {
    let at = ("user", page.request.param("user"));
    let of = Of { read: "get_user", write: "update_user", at, inside: "", fields: PERSON };
    match of.send(&page, &page.form()?).await? {
        None => Ok(back(&page, "saved")),
        Some((status, shown)) => editing(&page, status, shown),
    }
}

#[derive(Template)]
#[template(path = "operations/person_roles.html")]
struct Roles {
    f: Frame,
    base: String,
    name: String,
    number: i64,
    held: Vec<Role>,
    roles: Choices,
    places: Choices,
    summary: Vec<(String, String, String)>,
}

async fn chosen(
    page: &Page,
    status: u16,
    sent: &Params,
    faults: &Faults,
) -> Result<Reply, Failure> {
    let (user, ..) = read(page).await?;
    let base = base(page);
    let f = framed(page, "person-roles-title", user.number);
    let places = Places::of(page).await?;
    let of = |name: &str| sent.get(name).unwrap_or_default();
    let shown = Roles {
        number: user.number,
        name: user.shown_name(),
        held: held(&f, &places, &base, &user),
        roles: places::roles(page, &f, of("role")).await?,
        places: places.choices(&f, of("place")),
        summary: faults.summary(&[]),
        base,
        f,
    };
    page::html(status, &shown)
}

async fn roles(page: Page) -> Result<Reply, Failure> {
    chosen(&page, 200, &Params::default(), &Faults::default()).await
}

fn back(page: &Page, done: &str) -> Reply {
    page.see(&format!("{}?done={done}", base(page)))
}

async fn give(page: Page) -> Result<Reply, Failure> {
    let form = page.form()?;
    let call = page.call("create_assignment").at("user", page.request.param("user"));
    match call.body(people::granted(&form)).ask().await {
        Ok(_) => Ok(page.see(&format!("{}/roles?done=role-given", base(&page)))),
        Err(failure) => {
            let faults = Faults::of_failure(&failure, &page.words())?;
            chosen(&page, status(&failure), &form, &faults).await
        }
    }
}

async fn withdraw(page: Page) -> Result<Reply, Failure> {
    let request = &page.request;
    let call = page.call("delete_assignment").at("user", request.param("user"));
    call.at("assignment", request.param("assignment")).ask().await?;
    Ok(page.see(&format!("{}/roles?done=role-withdrawn", base(&page))))
}

async fn last(page: &Page, word: &'static str, is_wrong: bool) -> Result<Reply, Failure> {
    let (user, _, tag) = read(page).await?;
    let above = user.number.to_string();
    let (name, base) = (user.shown_name(), base(page));
    let of = Final { word, name: &name, back: &base, above: &above, tag: &tag };
    confirm::shown(page, &of, is_wrong)
}

async fn leaving(page: Page) -> Result<Reply, Failure> {
    last(&page, "person", false).await
}

async fn delete(page: Page) -> Result<Reply, Failure> {
    let form = page.form()?;
    if !confirm::is_typed(&page, &form) {
        return last(&page, "person", true).await;
    }
    let call = page.call("delete_user").at("user", page.request.param("user"));
    call.expecting(form.get("tag")).ask().await?;
    Ok(page.see(&format!("{}/people?done=person-deleted", page.space())))
}

async fn lost(page: Page) -> Result<Reply, Failure> {
    last(&page, "factors", false).await
}

async fn forget(page: Page) -> Result<Reply, Failure> {
    if !confirm::is_typed(&page, &page.form()?) {
        return last(&page, "factors", true).await;
    }
    page.call("delete_factors_of_user").at("user", page.request.param("user")).ask().await?;
    Ok(back(&page, "factors-removed"))
}

async fn switch(page: Page) -> Result<Reply, Failure> {
    let form = page.form()?;
    let is_on = form.get("state") == Some("active");
    let state = if is_on { "active" } else { "inactive" };
    let call = page.call("update_user").at("user", page.request.param("user"));
    call.body(json!({"state": state})).expecting(form.get("tag")).ask().await?;
    Ok(back(&page, if is_on { "switched-on" } else { "switched-off" }))
}

async fn end(page: Page) -> Result<Reply, Failure> {
    page.call("end_sessions_of_user").at("user", page.request.param("user")).ask().await?;
    Ok(back(&page, "sessions-ended"))
}

#[derive(Deserialize)]
struct Again {
    #[serde(default)]
    invitation_url: Option<String>,
}

async fn invite(page: Page) -> Result<Reply, Failure> {
    let answer = page.call("invite_user").at("user", page.request.param("user")).ask().await?;
    match answer.read::<Again>()?.invitation_url {
        Some(link) => people::handed_over(&page, &base(&page), &link),
        None => Ok(back(&page, "invited")),
    }
}

async fn reset(page: Page) -> Result<Reply, Failure> {
    page.call("reset_password_of_user").at("user", page.request.param("user")).ask().await?;
    Ok(back(&page, "reset-mailed"))
}
