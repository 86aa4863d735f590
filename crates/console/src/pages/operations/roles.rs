//! Roles: what each may do, as a matrix of roles and nouns, and those that the account makes.

use std::collections::BTreeSet;

use askama::Template;
use patron_gateway::{Access, Operation, Reply, decode::Params};
use patron_model::{Failure, Permission};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    super::doors::status,
    confirm::{self, Final},
};
use crate::{
    form::{self, Faults},
    frame::Frame,
    operations::Table,
    page::{self, Listed, Page},
    rights,
};

/// Roles of a page.
const PAGE: u32 = 24;

/// The lines.
#[rustfmt::skip]
pub fn lines(table: &Table) -> Vec<Operation> {
    const ALL: &str = "/console/s/{space}/roles";
    const NEW: &str = "/console/s/{space}/roles/new";
    const ONE: &str = "/console/s/{space}/roles/{role}";
    const EDIT: &str = "/console/s/{space}/roles/{role}/edit";
    const DELETE: &str = "/console/s/{space}/roles/{role}/delete";
    vec![
        table.page(ALL, "console_roles", "Roles", matrix).needs(Permission::RoleRead),
        table.page(NEW, "console_new_role", "A new role", new).does("create_role"),
        table.deed(NEW, "console_create_role", "Make a role", create).does("create_role"),
        table.page(ONE, "console_role", "A role", one).needs(Permission::RoleRead),
        table.page(EDIT, "console_edit_role", "Change a role", edit).does("update_role"),
        table.deed(EDIT, "console_update_role", "Change a role", update).does("update_role"),
        table.page(DELETE, "console_leaving_role", "Delete a role", leaving).does("delete_role"),
        table.deed(DELETE, "console_delete_role", "Delete a role", delete).does("delete_role"),
    ]
}

/// A role as the API shows it.
#[derive(Deserialize)]
struct Role {
    number: i64,
    built_in: bool,
    name: String,
    #[serde(default)]
    description: String,
    permissions: Vec<String>,
    second_factor: bool,
}

/// A noun with its verbs, in the order of the permissions.
struct Noun {
    label: String,
    verbs: Vec<Verb>,
}

/// A permission.
struct Verb {
    permission: &'static str,
    label: String,
    /// Whether the role has it.
    is_held: bool,
    /// The operations it opens: id and title.
    operations: Vec<(&'static str, &'static str)>,
}

/// Every permission by its noun.
fn nouns(page: &Page, f: &Frame, held: &dyn Fn(&str) -> bool) -> Vec<Noun> {
    let verb = |permission: &Permission| {
        let words = permission.as_str();
        let (noun, label) = rights::halves(f, words);
        let opened = page.operations().filter(|one| match one.access {
            Access::Needs(needed) => needed == *permission,
            Access::NeedsAny(any) => any.contains(permission),
            Access::Public | Access::AnyKey | Access::Own => false,
        });
        let mut operations: Vec<_> = opened.map(|one| (one.id, one.title)).collect();
        operations.sort_unstable();
        (noun, Verb { permission: words, label, is_held: held(words), operations })
    };
    let all = rights::by_noun(Permission::ALL.iter().map(verb));
    all.into_iter().map(|(label, verbs)| Noun { label, verbs }).collect()
}

/// A role at the head of the matrix.
struct Column {
    path: String,
    name: String,
    permissions: BTreeSet<String>,
}

/// A noun with what each role may do to it.
struct Line {
    noun: Noun,
    /// For each role its verbs, and whether these are all there are.
    cells: Vec<(String, bool)>,
}

#[derive(Template)]
#[template(path = "operations/roles.html")]
struct Matrix {
    f: Frame,
    columns: Vec<Column>,
    lines: Vec<Line>,
    next: Option<String>,
}

async fn matrix(page: Page) -> Result<Reply, Failure> {
    let query = page.request.query();
    let f = page.frame("nav-roles");
    let mut call = page.call("list_roles").query("limit", PAGE);
    if let Some(cursor) = query.get("cursor").filter(|cursor| !cursor.is_empty()) {
        call = call.query("cursor", cursor);
    }
    let Listed { data, next_cursor } = call.ask().await?.read()?;
    let column = |role: Role| Column {
        path: f.here(&format!("/roles/{}", role.number)),
        name: rights::role_name(&f.words, &role.name),
        permissions: role.permissions.into_iter().collect(),
    };
    let columns: Vec<Column> = data.into_iter().map(column).collect();
    let cell = |noun: &Noun, column: &Column| {
        let held = noun.verbs.iter().filter(|verb| column.permissions.contains(verb.permission));
        let held: Vec<&str> = held.map(|verb| verb.label.as_str()).collect();
        (held.join(", "), held.len() == noun.verbs.len())
    };
    let line = |noun: Noun| {
        let cells = columns.iter().map(|column| cell(&noun, column)).collect();
        Line { noun, cells }
    };
    let lines = nouns(&page, &f, &|_| false).into_iter().map(line).collect();
    let next = next_cursor.map(|next| f.here(&format!("/roles?cursor={}", page::encoded(&next))));
    page::html(200, &Matrix { columns, lines, next, f })
}

#[derive(Template)]
#[template(path = "operations/role.html")]
struct One {
    f: Frame,
    name: String,
    base: String,
    description: String,
    is_own: bool,
    second_factor: bool,
    nouns: Vec<Noun>,
}

/// The role of the path, and its tag.
async fn read(page: &Page) -> Result<(Role, String), Failure> {
    let answer = page.call("get_role").at("role", page.request.param("role")).ask().await?;
    Ok((answer.read()?, answer.tag()))
}

fn base(page: &Page) -> String {
    format!("{}/roles/{}", page.space(), page::encoded(page.request.param("role")))
}

async fn one(page: Page) -> Result<Reply, Failure> {
    let (role, _) = read(&page).await?;
    let mut f = page.frame("role");
    f.title = f.number("role-title", &role.number);
    let held = |words: &str| role.permissions.iter().any(|one| one == words);
    let mut nouns = nouns(&page, &f, &held);
    for noun in &mut nouns {
        noun.verbs.retain(|verb| verb.is_held);
    }
    nouns.retain(|noun| !noun.verbs.is_empty());
    // What a built-in role is for is said in the language of the reader.
    let about = rights::about_role(&f, &role.name).filter(|_| role.built_in);
    let shown = One {
        name: rights::role_name(&f.words, &role.name),
        base: base(&page),
        description: about.unwrap_or(role.description),
        is_own: !role.built_in,
        second_factor: role.second_factor,
        nouns,
        f,
    };
    page::html(200, &shown)
}

#[derive(Template)]
#[template(path = "operations/role_form.html")]
struct Edit {
    f: Frame,
    /// Where it is sent, and where one goes back to.
    path: String,
    back: String,
    is_new: bool,
    name: String,
    name_why: Option<String>,
    description: String,
    second_factor: bool,
    nouns: Vec<Noun>,
    tag: String,
    /// Whether somebody was faster.
    is_overtaken: bool,
    summary: Vec<(String, String, String)>,
}

/// What a form says of a role.
struct Typed {
    name: String,
    description: String,
    permissions: Vec<String>,
    second_factor: bool,
    tag: String,
}

impl Typed {
    fn of(form: &Params) -> Typed {
        let of = |name: &str| form.get(name).unwrap_or_default().to_owned();
        Typed {
            name: of("name"),
            description: of("description").replace("\r\n", "\n"),
            permissions: form.all("permission").map(str::to_owned).collect(),
            second_factor: form.get("second_factor").is_some(),
            tag: of("tag"),
        }
    }

    fn body(&self) -> Value {
        json!({
            "name": self.name,
            "description": self.description,
            "permissions": self.permissions,
            "second_factor": self.second_factor,
        })
    }
}

fn editing(
    page: &Page,
    status: u16,
    typed: Typed,
    faults: &Faults,
    is_overtaken: bool,
) -> Result<Reply, Failure> {
    let is_new = page.request.param("role").is_empty();
    let f = page.frame(if is_new { "role-new" } else { "role-edit" });
    let (path, back) = match is_new {
        true => (format!("{}/roles/new", page.space()), format!("{}/roles", page.space())),
        false => (format!("{}/edit", base(page)), base(page)),
    };
    let held = |words: &str| typed.permissions.iter().any(|one| one == words);
    let nouns = nouns(page, &f, &held);
    let input = form::Field { name: "name", kind: form::Kind::Line };
    let input = form::Input::of(&input, &typed.name, &f.words, faults);
    let name_why = input.why.clone();
    let summary = faults.summary(&[input]);
    let Typed { name, description, second_factor, tag, .. } = typed;
    let shown = Edit {
        f,
        path,
        back,
        is_new,
        name,
        name_why,
        description,
        second_factor,
        nouns,
        tag,
        is_overtaken,
        summary,
    };
    page::html(status, &shown)
}

async fn new(page: Page) -> Result<Reply, Failure> {
    editing(&page, 200, Typed::of(&Params::default()), &Faults::default(), false)
}

#[derive(Deserialize)]
struct Made {
    number: i64,
}

async fn create(page: Page) -> Result<Reply, Failure> {
    let form = page.form()?;
    let typed = Typed::of(&form);
    let mut body = typed.body();
    if let Some(account) = page.account() {
        body["account"] = account.into();
    }
    match page.call("create_role").body(body).once(&form).ask().await {
        Ok(answer) => {
            let Made { number } = answer.read()?;
            Ok(page.see(&format!("{}/roles/{number}?done=role-made", page.space())))
        }
        Err(failure) => refused(&page, failure, typed),
    }
}

fn refused(page: &Page, failure: Failure, typed: Typed) -> Result<Reply, Failure> {
    let faults = Faults::of_failure(&failure, &page.words())?;
    editing(page, status(&failure), typed, &faults, false)
}

async fn edit(page: Page) -> Result<Reply, Failure> {
    let (role, tag) = read(&page).await?;
    let Role { name, description, permissions, second_factor, .. } = role;
    let typed = Typed { name, description, permissions, second_factor, tag };
    editing(&page, 200, typed, &Faults::default(), false)
}

async fn update(page: Page) -> Result<Reply, Failure> {
    let form = page.form()?;
    let typed = Typed::of(&form);
    let call = page.call("update_role").at("role", page.request.param("role"));
    match call.body(typed.body()).expecting(Some(&typed.tag)).ask().await {
        Ok(_) => Ok(page.see(&format!("{}?done=saved", base(&page)))),
        Err(Failure::Stale { .. } | Failure::PreconditionFailed { .. }) => {
            let (_, tag) = read(&page).await?;
            editing(&page, 412, Typed { tag, ..typed }, &Faults::default(), true)
        }
        Err(failure) => refused(&page, failure, typed),
    }
}

async fn last(page: &Page, is_wrong: bool) -> Result<Reply, Failure> {
    let (role, tag) = read(page).await?;
    let base = base(page);
    let of = Final { word: "role", name: &role.name, back: &base, above: &role.name, tag: &tag };
    confirm::shown(page, &of, is_wrong)
}

async fn leaving(page: Page) -> Result<Reply, Failure> {
    last(&page, false).await
}

async fn delete(page: Page) -> Result<Reply, Failure> {
    let form = page.form()?;
    if !confirm::is_typed(&page, &form) {
        return last(&page, true).await;
    }
    let call = page.call("delete_role").at("role", page.request.param("role"));
    call.expecting(form.get("tag")).ask().await?;
    Ok(page.see(&format!("{}/roles?done=role-deleted", page.space())))
}
