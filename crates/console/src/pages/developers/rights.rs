//! Rights and roles in words.

use patron_model::{Failure, Permission, permission::Role};
use serde::Deserialize;

use crate::{
    frame::Frame,
    page::{Listed, Page},
};

/// Roles that are asked for to be named.
const ROLES_MAX: u32 = 100;

/// What may be done with one kind of record.
pub struct Right {
    /// The kind: customers.
    pub noun: String,
    /// What: see, change.
    pub verbs: String,
}

/// The sentence for a word, else the word itself: kinds of records come and go with the API.
fn word(f: &Frame, group: &str, word: &str) -> String {
    let key = format!("{group}-{word}");
    f.words.known(&key).unwrap_or_else(|| word.replace('_', " "))
}

/// What a kind of record is called.
pub fn noun(f: &Frame, noun: &str) -> String {
    word(f, "right", noun)
}

/// The noun and the verb of a permission.
pub fn halves(f: &Frame, permission: &str) -> (String, String) {
    let (noun, verb) = permission.split_once(':').unwrap_or((permission, ""));
    (word(f, "right", noun), word(f, "can", verb))
}

/// Permissions, `customer:read`, by what they are about.
pub fn grouped(f: &Frame, permissions: &[String]) -> Vec<Right> {
    let mut rights: Vec<Right> = Vec::new();
    for permission in permissions {
        let (noun, verb) = halves(f, permission);
        match rights.last_mut().filter(|right| right.noun == noun) {
            Some(right) => right.verbs = [&right.verbs, ", ", &verb].concat(),
            None => rights.push(Right { noun, verbs: verb }),
        }
    }
    rights
}

/// A role as it is chosen.
#[derive(Deserialize)]
pub struct Known {
    /// Number.
    pub number: i64,
    /// What people call it.
    pub name: String,
    /// What it may do.
    #[serde(default)]
    pub permissions: Vec<String>,
}

fn built_in(f: &Frame, role: Role) -> Known {
    Known {
        number: role.number(),
        name: f.words.t(&format!("key-role-{}", role.as_str())),
        permissions: role.permissions().iter().map(|one| one.as_str().to_owned()).collect(),
    }
}

/// The roles there are, the built-in ones first; those of accounts for who may see them.
pub async fn roles(page: &Page, f: &Frame) -> Result<Vec<Known>, Failure> {
    let mut roles: Vec<Known> = Role::ALL.iter().map(|role| built_in(f, *role)).collect();
    if page.may(Permission::RoleRead) {
        let call = page.call("list_roles").query("limit", ROLES_MAX);
        let listed = call.ask().await?.read::<Listed<Known>>()?.data;
        let own = listed.into_iter().filter(|one| Role::numbered(one.number).is_none());
        roles.extend(own);
    }
    Ok(roles)
}
