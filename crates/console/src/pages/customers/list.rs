//! The list. What is asked travels by POST and comes back sealed; status, order and columns stand
//! in the address as they are.

use askama::Template;
use patron_gateway::{Operation, Reply};
use patron_model::Failure;
use serde_json::Value;

use super::record::tone;
use crate::{
    ask::{self, Ask},
    form::{self, Faults},
    frame::{Frame, Tab},
    page::{self, Listed, Page, encoded},
};

/// Customers of a page.
const ROWS: u32 = 25;
/// The tabs: words of statuses.
const TABS: [&str; 5] = ["", "active", "inactive", "locked", "blocked"];
/// What can be ordered by, and whether it stands as a column.
const SORTS: [&str; 4] = ["number", "created_at", "updated_at", "balance"];
/// What can stand as a column beside the name.
const COLUMNS: [&str; 12] = [
    "reference",
    "email",
    "phone",
    "company_name",
    "language",
    "currency",
    "time_zone",
    "balance",
    "status",
    "number",
    "created_at",
    "updated_at",
];
/// Columns where none are chosen.
const COLUMNS_FIRST: &str = "reference,email,status,updated_at";
/// Behind the name of a field: how it is compared.
const OPERATORS: [&str; 7] = ["", "[ne]", "[prefix]", "[contains]", "[gte]", "[lt]", "[missing]"];

/// What the address of a list says.
struct Asked {
    status: String,
    sort: String,
    columns: String,
    ask: String,
    cursor: String,
}

impl Asked {
    fn read(page: &Page) -> Asked {
        let query = page.request.query();
        let one = |name: &str| query.get(name).unwrap_or_default().to_owned();
        let known = |name: &str, all: &[&str]| {
            let sent = one(name);
            if all.contains(&sent.trim_start_matches('-')) { sent } else { String::new() }
        };
        Asked {
            status: known("status", &TABS),
            sort: known("sort", &SORTS),
            columns: one("columns"),
            ask: one("ask"),
            cursor: one("cursor"),
        }
    }

    fn columns(&self) -> Vec<&'static str> {
        let chosen = if self.columns.is_empty() { COLUMNS_FIRST } else { self.columns.as_str() };
        let is_chosen = |name: &&&'static str| chosen.split(',').any(|one| one == **name);
        COLUMNS.iter().filter(is_chosen).copied().collect()
    }

    /// The address with one thing said otherwise, without a cursor: it would be of another list.
    fn with(&self, page: &Page, name: &str, value: &str) -> String {
        let parts = [
            ("status", &self.status),
            ("sort", &self.sort),
            ("columns", &self.columns),
            ("ask", &self.ask),
        ];
        let parts = parts.map(|(known, own)| (known, if known == name { value } else { own }));
        let cursor = ("cursor", if name == "cursor" { value } else { "" });
        let said = parts.into_iter().chain([cursor]).filter(|(_, value)| !value.is_empty());
        let said: Vec<String> = said.map(|(n, v)| format!("{n}={}", encoded(v))).collect();
        let all = page.url(&format!("{}/customers", page.space()));
        if said.is_empty() { all } else { format!("{all}?{}", said.join("&")) }
    }
}

struct Chip {
    label: String,
    how: String,
    value: String,
    remove: String,
}

struct Column {
    name: &'static str,
    label: String,
    sort: Option<String>,
    direction: Option<&'static str>,
    is_shown: bool,
}

struct Row {
    name: String,
    beside: String,
    path: String,
    cells: Vec<Cell>,
}

struct Cell {
    column: &'static str,
    text: String,
    status: String,
    moment: Option<crate::words::Moment>,
}

impl Cell {
    fn tone(&self) -> &'static str {
        tone(&self.text)
    }
}

#[derive(Template)]
#[template(path = "customers/list.html")]
struct List {
    f: Frame,
    q: String,
    ask: String,
    status: String,
    sort: String,
    chosen: String,
    tabs: Vec<Tab>,
    chips: Vec<Chip>,
    columns: Vec<Column>,
    fields: Vec<(String, String)>,
    operators: Vec<(&'static str, String)>,
    rows: Vec<Row>,
    next: Option<String>,
    first: Option<String>,
    is_asked: bool,
    summary: Vec<(String, String, String)>,
}

/// Asks the API; `limit` is what it answers at most.
async fn found(
    page: &Page,
    asked: &Asked,
    ask: &Ask,
    limit: u32,
) -> Result<Listed<Value>, Failure> {
    let mut call = page.call("list_customers").query("limit", limit);
    if !asked.status.is_empty() {
        call = call.query("status", &asked.status);
    }
    for (name, value) in &ask.filters {
        call = call.query(name, value);
    }
    if ask.q.is_empty() {
        let sort = if asked.sort.is_empty() { "-updated_at" } else { asked.sort.as_str() };
        call = call.query("sort", sort);
    } else {
        call = call.query("q", &ask.q);
    }
    if !asked.cursor.is_empty() {
        let cursor =
            ask::open(&page.request.cx.app, page.request.cx.space, "cursor", &asked.cursor)?;
        call = call.query("cursor", cursor);
    }
    call.ask().await?.read()
}

/// What people call a customer: the name, the company, the address, else the number.
pub fn called(record: &Value) -> String {
    let names = ["full_name", "company_name", "email", "reference"];
    let first = names.iter().map(|name| form::text(record, name)).find(|text| !text.is_empty());
    first.unwrap_or_else(|| form::text(record, "number"))
}

fn row(page: &Page, f: &Frame, columns: &[&'static str], record: &Value) -> Row {
    let number = record["number"].as_i64().unwrap_or_default();
    let name = called(record);
    let company = form::text(record, "company_name");
    let cell = |column: &&'static str| {
        let text = form::text(record, column);
        let is_moment = column.ends_with("_at") && !text.is_empty();
        let status = match *column {
            "status" => f.words.t(&format!("status-{text}")),
            _ => String::new(),
        };
        Cell { column, moment: is_moment.then(|| f.moment(&text)), text, status }
    };
    Row {
        beside: if company == name { String::new() } else { company },
        name,
        path: page.url(&format!("{}/customers/{number}", page.space())),
        cells: columns.iter().map(cell).collect(),
    }
}

/// Names of the fields that the API can narrow the list by, from its own description.
fn fields(page: &Page, f: &Frame) -> Result<Vec<(String, String)>, Failure> {
    let operation: &Operation = page.operation("list_customers")?;
    let plain = ["q", "limit", "cursor", "sort", "expand", "deleted", "total", "status"];
    let names = operation.parameters.iter().filter(|one| one.place == "query");
    let names = names.map(|one| one.name).filter(|name| !name.contains('['));
    let known = names.filter(|name| !plain.contains(name));
    Ok(known.map(|name| (name.to_owned(), label_of(f, name))).collect())
}

fn label_of(f: &Frame, name: &str) -> String {
    let key = format!("field-{name}");
    f.words.known(&key).unwrap_or_else(|| name.replace(['_', '.'], " "))
}

fn chips(page: &Page, f: &Frame, asked: &Asked, ask: &Ask) -> Result<Vec<Chip>, Failure> {
    let chip = |(at, (name, value)): (usize, &(String, String))| {
        let (base, operator) = match name.find('[') {
            // A pair of the customer's own is asked for by its name in brackets.
            Some(end) if !name.starts_with("metadata") => name.split_at(end),
            _ => (name.as_str(), ""),
        };
        let mut fewer = ask.clone();
        fewer.filters.remove(at);
        let fewer = fewer.sealed(&page.request.cx.app, page.request.cx.space)?;
        let how = operator.trim_matches(['[', ']']);
        Ok(Chip {
            label: label_of(f, base),
            how: f.words.t(&format!("op-{}", if how.is_empty() { "eq" } else { how })),
            value: value.clone(),
            remove: asked.with(page, "ask", &fewer),
        })
    };
    ask.filters.iter().enumerate().map(chip).collect()
}

fn columns(page: &Page, f: &Frame, asked: &Asked) -> Vec<Column> {
    let shown = asked.columns();
    let sort = if asked.sort.is_empty() { "-updated_at" } else { asked.sort.as_str() };
    let column = |name: &&'static str| {
        let is_sorted = sort.trim_start_matches('-') == *name;
        let is_down = is_sorted && sort.starts_with('-');
        let next = if is_down { (*name).to_owned() } else { format!("-{name}") };
        Column {
            name,
            label: label_of(f, name),
            sort: SORTS.contains(name).then(|| asked.with(page, "sort", &next)),
            direction: is_sorted.then_some(if is_down { "descending" } else { "ascending" }),
            is_shown: shown.contains(name),
        }
    };
    COLUMNS.iter().map(column).collect()
}

fn tabs(page: &Page, f: &Frame, asked: &Asked) -> Vec<Tab> {
    let tab = |word: &&'static str| Tab {
        label: match *word {
            "" => f.words.t("tab-all"),
            word => f.words.t(&format!("status-{word}")),
        },
        href: asked.with(page, "status", word),
        is_current: asked.status == *word,
    };
    TABS.iter().map(tab).collect()
}

async fn shown(page: &Page, asked: &Asked, ask: &Ask, faults: &Faults) -> Result<List, Failure> {
    let f = page.frame("nav-customers");
    let found = found(page, asked, ask, ROWS).await?;
    let own = asked.columns();
    let next = match &found.next_cursor {
        Some(cursor) => {
            let (app, space) = (&page.request.cx.app, page.request.cx.space);
            let sealed = ask::seal(app, space, "cursor", cursor)?;
            Some(asked.with(page, "cursor", &sealed))
        }
        None => None,
    };
    let operator = |name: &&'static str| {
        let word = name.trim_matches(['[', ']']);
        (*name, f.words.t(&format!("op-{}", if word.is_empty() { "eq" } else { word })))
    };
    Ok(List {
        q: ask.q.clone(),
        ask: asked.ask.clone(),
        status: asked.status.clone(),
        sort: asked.sort.clone(),
        chosen: asked.columns.clone(),
        tabs: tabs(page, &f, asked),
        chips: chips(page, &f, asked, ask)?,
        columns: columns(page, &f, asked),
        fields: fields(page, &f)?,
        operators: OPERATORS.iter().map(operator).collect(),
        rows: found.data.iter().map(|record| row(page, &f, &own, record)).collect(),
        next,
        first: (!asked.cursor.is_empty()).then(|| asked.with(page, "cursor", "")),
        is_asked: !ask.is_empty() || !asked.status.is_empty(),
        summary: faults.summary(&[]),
        f,
    })
}

/// The list.
pub async fn list(page: Page) -> Result<Reply, Failure> {
    let mut asked = Asked::read(&page);
    let query = page.request.query();
    let several: Vec<&str> = query.all("column").collect();
    if !several.is_empty() {
        asked.columns = several.join(",");
        return Ok(Reply::empty(303).with("location", asked.with(&page, "", "")));
    }
    let ask = Ask::open(&page.request.cx.app, page.request.cx.space, &asked.ask)?;
    page::html(200, &shown(&page, &asked, &ask, &Faults::default()).await?)
}

/// Takes a question and leads to its list; one that is not understood is refused there.
pub async fn ask(page: Page) -> Result<Reply, Failure> {
    let (app, space) = (&page.request.cx.app, page.request.cx.space);
    let form = page.form()?;
    let one = |name: &str| form.get(name).unwrap_or_default().to_owned();
    let mut asked = Asked {
        status: one("status"),
        sort: one("sort"),
        columns: one("columns"),
        ask: one("ask"),
        cursor: String::new(),
    };
    let before = Ask::open(app, space, &asked.ask)?;
    let mut ask = before.clone();
    if let Some(q) = form.get("q") {
        ask.q = q.trim().to_owned();
    }
    if let Some(field) = form.get("field").filter(|field| !field.is_empty()) {
        let operator = OPERATORS.iter().find(|known| **known == one("operator")).unwrap_or(&"");
        ask.filters.push((format!("{field}{operator}"), one("value").trim().to_owned()));
    }
    match found(&page, &asked, &ask, 1).await {
        Ok(_) => {
            asked.ask = ask.sealed(app, space)?;
            Ok(Reply::empty(303).with("location", asked.with(&page, "", "")))
        }
        Err(failure) => {
            let faults = Faults::of_failure(&failure, &page.words())?;
            page::html(422, &shown(&page, &asked, &before, &faults).await?)
        }
    }
}
