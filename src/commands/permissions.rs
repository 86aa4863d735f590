//! `patron permissions`: what there is to give, and what a user may do where.

use anyhow::Result;
use clap::Args;
use patron_app::{Cx, Id, users};
use patron_model::{
    Failure, Permission,
    user::{User, UserKind},
};
use patron_native::PermissionOut;
use serde_json::json;

use super::{explain, line, on};
use crate::Deployment;

/// List the permissions there are to give, or what a user may do and where.
#[derive(Debug, Args)]
pub struct PermissionsArgs {
    /// Number of a user: the roles it holds, where, and what they may do.
    #[arg(long, value_name = "NUMBER")]
    of: Option<i64>,
    /// Print JSON, one permission or role a line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    deployment: Deployment,
}

/// Runs the command.
///
/// # Errors
/// When there is no such user.
pub async fn run(args: PermissionsArgs) -> Result<()> {
    let PermissionsArgs { of, json, deployment } = args;
    match of {
        None => all(json).map_err(|failure| explain(&failure)),
        Some(number) => {
            on(&deployment, "permissions", async |cx| held(cx, number, json).await).await
        }
    }
}

fn all(json: bool) -> Result<(), Failure> {
    for permission in Permission::ALL.iter().copied() {
        if json {
            line(&PermissionOut::from(permission))?;
            continue;
        }
        let (number, words) = (permission.number(), permission.as_str());
        println!("{number:>6}  {words:<24} {}", permission.about());
    }
    Ok(())
}

/// The roles that a user holds, each at its place, with what it may do there.
async fn held(cx: &Cx, number: i64, json: bool) -> Result<(), Failure> {
    let user: User = users::get(cx, Id::Number(number)).await?.record;
    let held = match user.kind {
        UserKind::Human => cx.app.held_by_person(user.number).await?,
        UserKind::Application => cx.app.held_by(&[user.number]).await?,
    };
    let principal = held.principal(user.number);
    for (one, grant) in held.of(user.number).iter().zip(principal.grants()) {
        let (role, permissions) = held.role(one.role);
        let words: Vec<&str> = permissions.iter().map(Permission::as_str).collect();
        if json {
            line(&json!({
                "assignment": one.number, "role": one.role, "name": role, "account": one.account,
                "space": one.space, "subaccounts": one.subaccounts,
                "second_factor": grant.second_factor, "permissions": words,
            }))?;
            continue;
        }
        let place = match (one.space, one.subaccounts) {
            (Some(space), _) => format!("space {space}"),
            (None, true) => format!("account {} and below", one.account),
            (None, false) => format!("account {}", one.account),
        };
        println!("{:>6}  {place:<24} role {} {role}: {}", one.number, one.role, words.join(","));
    }
    Ok(())
}
