//! `patron role`: roles that accounts make for themselves, beside those that come along.

use anyhow::Result;
use clap::{Args, Subcommand};
use patron_app::{
    Cx, Expect, Id,
    roles::{self, RolePatch},
    search::{After, Filter, Query, fields::role as fields},
};
use patron_model::{Failure, Permission, Permissions, Why, permission::Role, text::Name};
use patron_native::RoleOut;

use super::{line, on, show};
use crate::Deployment;

/// Roles read at a time.
const ROLES_AT_ONCE: u32 = 200;

/// Make, list, change and delete roles of accounts.
#[derive(Debug, Subcommand)]
pub enum RoleCommand {
    /// Make a role in an account.
    Create {
        /// Name of the role.
        name: String,
        /// Number of the account it belongs to.
        #[arg(long, value_name = "NUMBER", default_value_t = 1)]
        account: i64,
        #[command(flatten)]
        says: RoleArgs,
        #[command(flatten)]
        deployment: Deployment,
    },
    /// Change a role, for all who hold it: at once here, within half a second on running servers.
    Update {
        /// Number of the role.
        number: i64,
        /// Another name.
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        says: RoleArgs,
        #[command(flatten)]
        deployment: Deployment,
    },
    /// List roles: those that come along, then those of accounts.
    List {
        /// Number of an account; otherwise all.
        #[arg(long, value_name = "NUMBER")]
        account: Option<i64>,
        /// Print JSON, one role a line.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        deployment: Deployment,
    },
    /// Show a role, with what it may do.
    Show {
        /// Its number, or the word of one that came along.
        #[arg(value_parser = number)]
        role: i64,
        #[command(flatten)]
        deployment: Deployment,
    },
    /// Delete a role that nobody holds.
    Delete {
        /// Number of the role.
        number: i64,
        #[command(flatten)]
        deployment: Deployment,
    },
}

/// What is said of a role.
#[derive(Debug, Args)]
pub struct RoleArgs {
    /// What it may do, like customer:read,customer:write: patron permissions lists all.
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = permission)]
    permissions: Option<Vec<Permission>>,
    /// What it is for.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Whether it counts for a person only who has proven a second factor.
    #[arg(long, value_name = "true|false")]
    second_factor: Option<bool>,
}

fn permission(words: &str) -> Result<Permission, String> {
    Permission::parse(words).ok_or_else(|| "patron permissions lists all".to_owned())
}

/// The number of a role: as typed, or of the one that came along under this word.
pub fn number(text: &str) -> Result<i64, String> {
    let known = Role::parse(text).map(Role::number);
    let words = || Role::ALL.map(|role| role.as_str().replace('_', "-")).join(", ");
    known.or(text.parse().ok()).ok_or_else(|| format!("a number, or one of {}", words()))
}

/// Runs the command.
///
/// # Errors
/// When there is no such role, or it cannot be done.
pub async fn run(command: RoleCommand) -> Result<()> {
    match command {
        RoleCommand::Create { name, account, says, deployment } => {
            on(&deployment, "role create", async |cx| {
                if says.permissions.is_none() {
                    return Err(Failure::invalid("permissions", Why::Required));
                }
                let made = roles::create(cx, account, patch(Some(&name), says)?).await?;
                show(&RoleOut::from(&made.record))
            })
            .await
        }
        RoleCommand::Update { number, name, says, deployment } => {
            on(&deployment, "role update", async |cx| {
                let patch = patch(name.as_deref(), says)?;
                let saved = roles::update(cx, own(number)?, Expect::Any, &patch).await?;
                show(&RoleOut::from(&saved.record))
            })
            .await
        }
        RoleCommand::List { account, json, deployment } => {
            on(&deployment, "role list", async |cx| list(cx, account, json).await).await
        }
        RoleCommand::Show { role, deployment } => {
            on(&deployment, "role show", async |cx| match Role::numbered(role) {
                Some(built_in) => show(&RoleOut::from(built_in)),
                None => show(&RoleOut::from(&roles::get(cx, Id::Number(role)).await?.record)),
            })
            .await
        }
        RoleCommand::Delete { number, deployment } => {
            on(&deployment, "role delete", async |cx| {
                roles::delete(cx, own(number)?, Expect::Any).await?;
                println!("Role {number} is deleted.");
                Ok(())
            })
            .await
        }
    }
}

/// A role that is no built-in one.
fn own(number: i64) -> Result<Id, Failure> {
    match Role::numbered(number) {
        Some(_) => Err(Failure::WrongState { is: "a built-in role", needs: "one of an account" }),
        None => Ok(Id::Number(number)),
    }
}

/// What the command line says of a role.
fn patch(name: Option<&str>, says: RoleArgs) -> Result<RolePatch, Failure> {
    let RoleArgs { permissions, description, second_factor } = says;
    let refused = |why: Why| Failure::invalid("name", why);
    Ok(RolePatch {
        name: name.map(Name::parse).transpose().map_err(refused)?,
        description,
        permissions: permissions.map(|list| list.into_iter().collect()),
        second_factor,
        ..RolePatch::default()
    })
}

async fn list(cx: &Cx, account: Option<i64>, json: bool) -> Result<(), Failure> {
    for role in Role::ALL {
        match json {
            true => line(&RoleOut::from(role))?,
            false => row(role.number(), None, role.permissions(), role.as_str()),
        }
    }
    let predicate =
        account.map_or(Filter::All, |account| Filter::equal(fields::account(), account));
    let mut query = Query { predicate, limit: ROLES_AT_ONCE, ..Query::of(0) };
    loop {
        let page = roles::list(cx, query.clone()).await?;
        for role in &page.items {
            match json {
                true => line(&RoleOut::from(&role.record))?,
                false => {
                    row(role.number, Some(role.account), role.permissions, role.name.as_str());
                }
            }
        }
        let Some(last) = page.items.last().filter(|_| page.more) else { return Ok(()) };
        query.after = Some(After { keys: Vec::new(), number: last.number });
    }
}

/// A role on one line.
fn row(number: i64, account: Option<i64>, permissions: Permissions, name: &str) {
    let account = account.map_or("-".to_owned(), |account| account.to_string());
    let count = permissions.iter().count();
    println!("{number:>6}  account {account:<6} {count:>3} permissions  {name}");
}
