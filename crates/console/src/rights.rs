//! Permissions and roles in words.

use patron_model::{Failure, Permission, permission::Role};
use serde::Deserialize;

use crate::{
    frame::Frame,
    page::{Listed, Page},
    words::Words,
};

/// Roles that are asked for to be named.
const ROLES_MAX: u32 = 100;

/// The sentence for a word, else the word itself: kinds of records come and go with the API.
fn word(f: &Frame, before: &str, word: &str) -> String {
    f.words.known(&[before, word].concat()).unwrap_or_else(|| word.replace('_', " "))
}

/// What a kind of record is called.
pub fn noun(f: &Frame, noun: &str) -> String {
    word(f, "noun-", noun)
}

/// The noun and the verb of a permission, `customer:read`.
pub fn halves(f: &Frame, permission: &str) -> (String, String) {
    let (name, verb) = permission.split_once(':').unwrap_or((permission, ""));
    (noun(f, name), word(f, "verb-", verb))
}

/// What stands beside each other with the same noun, under that.
pub fn by_noun<T>(all: impl Iterator<Item = (String, T)>) -> Vec<(String, Vec<T>)> {
    let mut groups: Vec<(String, Vec<T>)> = Vec::new();
    for (noun, one) in all {
        match groups.last_mut().filter(|(known, _)| *known == noun) {
            Some((_, group)) => group.push(one),
            None => groups.push((noun, vec![one])),
        }
    }
    groups
}

/// Permissions in words: nouns with their verbs.
pub fn in_words(f: &Frame, permissions: &[String]) -> Vec<(String, String)> {
    let groups = by_noun(permissions.iter().map(|one| halves(f, one)));
    groups.into_iter().map(|(noun, verbs)| (noun, verbs.join(", "))).collect()
}

/// What people call a role: the built-in ones in the language of the reader.
pub fn role_name(words: &Words, name: &str) -> String {
    words.known(&built_in_key(name)).unwrap_or_else(|| name.to_owned())
}

/// What a built-in role is for.
pub fn about_role(f: &Frame, name: &str) -> Option<String> {
    f.words.known(&[&built_in_key(name), "-what"].concat())
}

fn built_in_key(name: &str) -> String {
    format!("role-named-{}", name.replace('_', "-"))
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
        name: role_name(&f.words, role.as_str()),
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
