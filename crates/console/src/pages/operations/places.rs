//! Accounts and spaces by their names: where a role holds, and where it can be given.

use std::collections::HashMap;

use patron_model::Failure;
use serde::Deserialize;

use crate::{
    frame::Frame,
    page::{Asking, Listed, Page},
    rights,
};

/// Roles that are shown to choose from.
const ROLES_MAX: u32 = 200;

#[derive(Deserialize)]
struct Named {
    number: i64,
    name: String,
}

/// Names of accounts, spaces and roles that the person may see.
pub struct Places {
    accounts: Vec<Named>,
    spaces: Vec<Named>,
    names: HashMap<(bool, i64), String>,
}

/// A role that a user holds, as the API tells it.
#[derive(Deserialize)]
pub struct Held {
    /// Number of the assignment.
    pub assignment: i64,
    /// What people call the role.
    pub name: String,
    /// Number of the account.
    pub account: i64,
    /// Number of the space.
    #[serde(default)]
    pub space: Option<i64>,
    /// Whether it holds in the accounts below, too.
    pub subaccounts: bool,
}

/// What is there to choose from: value, label, whether it is chosen.
pub type Choices = Vec<(String, String, bool)>;

/// A list of names; nothing of what the person may not see.
async fn names(asking: Asking<'_>) -> Result<Vec<Named>, Failure> {
    match asking.ask().await {
        Ok(answer) => Ok(answer.read::<Listed<Named>>()?.data),
        Err(Failure::Forbidden | Failure::StepUp { .. }) => Ok(Vec::new()),
        Err(failure) => Err(failure),
    }
}

/// The roles that there are; nothing for who may not see them.
///
/// # Errors
/// Whatever the API says.
pub async fn roles(page: &Page, f: &Frame, chosen: &str) -> Result<Choices, Failure> {
    let all = names(page.call("list_roles").query("limit", ROLES_MAX)).await?;
    let choice = |role: Named| {
        let value = role.number.to_string();
        let is_chosen = value == chosen;
        (value, rights::role_name(&f.words, &role.name), is_chosen)
    };
    Ok(all.into_iter().map(choice).collect())
}

impl Places {
    /// Those that the person may see, and the space of the page.
    ///
    /// # Errors
    /// Whatever the API says.
    pub async fn of(page: &Page) -> Result<Places, Failure> {
        let mut accounts = names(page.call("list_accounts")).await?;
        let mut spaces = names(page.call("list_spaces")).await?;
        if let Some(space) = page.person().and_then(|caller| caller.space(page.request.cx.space)) {
            if spaces.iter().all(|known| known.number != space.number) {
                let name = space.name.as_str().to_owned();
                spaces.push(Named { number: space.number, name });
            }
            if let Some(caller) = page.person().filter(|caller| {
                let is_own = caller.account.number == space.account;
                is_own && accounts.iter().all(|known| known.number != space.account)
            }) {
                let name = caller.account.name.as_str().to_owned();
                accounts.push(Named { number: space.account, name });
            }
        }
        let of = |all: &[Named], is_space: bool| {
            let pair = |one: &Named| ((is_space, one.number), one.name.clone());
            all.iter().map(pair).collect::<Vec<_>>()
        };
        let names = of(&accounts, false).into_iter().chain(of(&spaces, true)).collect();
        Ok(Places { accounts, spaces, names })
    }

    /// The name of an account or space; its number, where it may not be seen.
    fn name(&self, is_space: bool, number: i64) -> String {
        let known = self.names.get(&(is_space, number));
        known.cloned().unwrap_or_else(|| number.to_string())
    }

    /// Where a role holds, in a sentence.
    pub fn held(&self, f: &Frame, held: &Held) -> String {
        match (held.space, held.subaccounts) {
            (Some(space), _) => f.say("place-space", "name", &self.name(true, space)),
            (None, false) => f.say("place-account", "name", &self.name(false, held.account)),
            (None, true) => f.say("place-below", "name", &self.name(false, held.account)),
        }
    }

    /// Where a role can be given.
    pub fn choices(&self, f: &Frame, chosen: &str) -> Choices {
        let choice = |value: String, label: String| {
            let is_chosen = value == chosen;
            (value, label, is_chosen)
        };
        let spaces = self.spaces.iter().map(|one| {
            choice(format!("space:{}", one.number), f.say("place-space", "name", &one.name))
        });
        let accounts = self.accounts.iter().flat_map(|one| {
            let of = |word: &str, key: &str| {
                choice(format!("{word}:{}", one.number), f.say(key, "name", &one.name))
            };
            [of("account", "place-account"), of("below", "place-below")]
        });
        spaces.chain(accounts).collect()
    }
}
