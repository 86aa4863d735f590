//! Keys: the list, one of them, a new one, and what is done with one. A secret stands in the answer
//! to the form that made it, and nowhere else.

mod deeds;
mod edit;
mod list;
mod one;

use askama::Template;
use patron_gateway::{Operation, Reply};
use patron_model::{
    Failure,
    Permission::{KeyRead, KeyWrite},
};
use serde::Deserialize;
use serde_json::Value;

use super::api;
use crate::{
    frame::Frame,
    operations::Table,
    page::{self, Answer, Page},
};

/// The lines.
#[rustfmt::skip]
pub fn lines(table: &Table) -> Vec<Operation> {
    const ALL: &str = "/console/s/{space}/keys";
    const NEW: &str = "/console/s/{space}/keys/new";
    const ONE: &str = "/console/s/{space}/keys/{key}";
    const EDIT: &str = "/console/s/{space}/keys/{key}/edit";
    const ROTATE: &str = "/console/s/{space}/keys/{key}/rotate";
    const REVOKE: &str = "/console/s/{space}/keys/{key}/revoke";
    vec![
        table.page(ALL, "console_keys", "Keys", list::list).needs(KeyRead),
        // Proof is asked for before the form is filled in, not when it is sent.
        table.page(NEW, "console_new_key", "A new key", edit::fresh).needs(KeyWrite).step_up(),
        table.deed(NEW, "console_create_key", "Make a key", edit::create).does("create_key"),
        table.page(ONE, "console_key", "A key", one::key).needs(KeyRead),
        table.page(EDIT, "console_edit_key", "Change a key", edit::open).needs(KeyWrite).step_up(),
        table.deed(EDIT, "console_update_key", "Change a key", edit::update).does("update_key"),
        table.page(ROTATE, "console_key_rotation", "Replace a key", deeds::rotation)
            .needs(KeyWrite).step_up(),
        table.deed(ROTATE, "console_rotate_key", "Replace a key", deeds::rotate)
            .does("rotate_key"),
        table.page(REVOKE, "console_key_end", "Revoke a key", deeds::end).needs(KeyWrite),
        table.deed(REVOKE, "console_revoke_key", "Revoke a key", deeds::revoke).does("revoke_key"),
    ]
}

/// A key as the API tells it.
#[derive(Deserialize)]
struct Key {
    id: String,
    number: i64,
    user: i64,
    space: i64,
    account_wide: bool,
    dialect: String,
    name: String,
    role: Option<i64>,
    permissions: Vec<String>,
    #[serde(default)]
    hint: String,
    state: String,
    addresses: Vec<String>,
    expires_at: Option<String>,
    replaces: Option<i64>,
    replaced_by: Option<i64>,
    public_rights: String,
    created_at: String,
    revoked_at: Option<String>,
    last_used_at: Option<String>,
    last_used_from: Option<String>,
    #[serde(default)]
    credentials: Value,
}

impl Key {
    /// What people call it.
    fn called(&self, f: &Frame) -> String {
        match self.name.as_str() {
            "" => f.say("key-title", "number", &self.number.to_string()),
            name => name.to_owned(),
        }
    }

    /// The colour of its state.
    fn tone(&self) -> &'static str {
        match self.state.as_str() {
            "active" => "good",
            "expiring" => "warn",
            "expired" | "revoked" => "bad",
            _ => "",
        }
    }

    /// Whether it opens anything still.
    fn is_good(&self) -> bool {
        matches!(self.state.as_str(), "active" | "expiring")
    }
}

/// The key of the path, with its tag.
async fn loaded(page: &Page) -> Result<(Key, String), Failure> {
    let answer = page.call("get_key").at("key", page.request.param("key")).ask().await?;
    Ok((answer.read()?, answer.tag()))
}

#[derive(Template)]
#[template(path = "developers/key_made.html")]
struct Made {
    f: Frame,
    number: i64,
    name: String,
    api: String,
    path: String,
    /// Name and value of each thing its holder needs; nothing where it is too late to show it.
    secrets: Vec<(String, String)>,
    /// The key that it replaced, and when that ends.
    replaces: Option<i64>,
}

/// The members of shown credentials, with what is inside of them.
fn flat(name: &str, value: &Value, into: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) => {
            for (member, value) in members {
                let name =
                    if name.is_empty() { member.clone() } else { format!("{name}.{member}") };
                flat(&name, value, into);
            }
        }
        Value::Null => {}
        Value::String(text) => into.push((name.to_owned(), text.clone())),
        other => into.push((name.to_owned(), other.to_string())),
    }
}

/// The answer to the form that made a key: its secret, this once.
fn made(page: &Page, answer: &Answer) -> Result<Reply, Failure> {
    let key: Key = answer.read()?;
    let mut f = page.frame("key-made");
    f.title = f.say("key-title", "number", &key.number.to_string());
    let mut secrets = Vec::new();
    flat("", &key.credentials, &mut secrets);
    let made = Made {
        number: key.number,
        name: key.called(&f),
        api: api(page, &key.dialect).map(|api| api.title.to_owned()).unwrap_or_default(),
        path: format!("{}/keys/{}", page.space(), key.number),
        secrets,
        replaces: key.replaces,
        f,
    };
    page::html(200, &made)
}
