//! `patron account`: accounts, and how they lie below one another.

use anyhow::Result;
use clap::{Args, Subcommand};
use patron_app::{
    Cx, Expect,
    search::{After, Query},
    spaces::{self, AccountPatch},
};
use patron_model::{
    Failure, Patch, Why,
    space::{Account, SecondFactor},
    text::Name,
};
use patron_native::AccountOut;
use serde_json::Value;

use super::{line, on, show};
use crate::Deployment;

/// Accounts read at a time.
const ACCOUNTS_AT_ONCE: u32 = 200;

/// Make, list, change, archive and delete accounts.
#[derive(Debug, Subcommand)]
pub enum AccountCommand {
    /// Make an account. Spaces come into it by: patron space create NAME --account NUMBER.
    Create {
        /// Name of the account.
        name: String,
        /// Number of the account above it.
        #[arg(long, value_name = "NUMBER")]
        parent: Option<i64>,
        #[command(flatten)]
        limits: LimitArgs,
        #[command(flatten)]
        deployment: Deployment,
    },
    /// Change an account.
    Update {
        /// Number of the account.
        number: i64,
        /// Another name.
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        limits: LimitArgs,
        #[command(flatten)]
        deployment: Deployment,
    },
    /// List accounts, the oldest first.
    List {
        /// Print JSON, one account a line.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        deployment: Deployment,
    },
    /// Show an account.
    Show {
        /// Number of the account.
        number: i64,
        #[command(flatten)]
        deployment: Deployment,
    },
    /// Make an account inactive with everything below it: within half a second running servers let
    /// nobody of it in, its data stays.
    Archive {
        /// Number of the account.
        number: i64,
        /// Make it active again.
        #[arg(long)]
        undo: bool,
        #[command(flatten)]
        deployment: Deployment,
    },
    /// Delete an account that has neither spaces nor accounts below it.
    Delete {
        /// Number of the account.
        number: i64,
        /// Do it.
        #[arg(long, required = true)]
        yes: bool,
        #[command(flatten)]
        deployment: Deployment,
    },
}

/// What an account is limited to.
#[derive(Debug, Args)]
pub struct LimitArgs {
    /// How many living accounts it may have directly below it, up to 10000; none: any.
    #[arg(long, value_name = "NUMBER", value_parser = limit)]
    subaccount_limit: Option<Patch<i64>>,
    /// Whom it asks for a second factor before roles held in it count: none, roles (who holds one
    /// that demands it) or all. The strictest word of it and of those above it counts.
    #[arg(long, value_name = "WHOM", value_parser = second_factor)]
    second_factor: Option<SecondFactor>,
}

fn limit(text: &str) -> Result<Patch<i64>, String> {
    match text {
        "none" => Ok(Patch::Clear),
        number => number.parse().map(Patch::Set).map_err(|_| "a number, or none".to_owned()),
    }
}

fn second_factor(word: &str) -> Result<SecondFactor, String> {
    SecondFactor::parse(word).ok_or_else(|| format!("one of {}", SecondFactor::WORDS))
}

/// Runs the command.
///
/// # Errors
/// When there is no such account, or it cannot be done.
pub async fn run(command: AccountCommand) -> Result<()> {
    match command {
        AccountCommand::Create { name, parent, limits, deployment } => {
            on(&deployment, "account create", async |cx| {
                let patch = patch(Some(&name), limits)?;
                let made = spaces::create_account(cx, parent, patch).await?;
                shown(&made.record)
            })
            .await
        }
        AccountCommand::Update { number, name, limits, deployment } => {
            on(&deployment, "account update", async |cx| {
                update(cx, number, patch(name.as_deref(), limits)?).await
            })
            .await
        }
        AccountCommand::List { json, deployment } => {
            on(&deployment, "account list", async |cx| list(cx, json).await).await
        }
        AccountCommand::Show { number, deployment } => {
            on(&deployment, "account show", async |cx| {
                let account = spaces::get::<Account>(cx, number).await?;
                shown(&account.record)
            })
            .await
        }
        AccountCommand::Archive { number, undo, deployment } => {
            on(&deployment, "account archive", async |cx| {
                let patch = AccountPatch { archived: Some(!undo), ..AccountPatch::default() };
                update(cx, number, patch).await
            })
            .await
        }
        AccountCommand::Delete { number, yes: _, deployment } => {
            on(&deployment, "account delete", async |cx| {
                spaces::delete_account(cx, number, Expect::Any).await?;
                println!("Account {number} is deleted.");
                Ok(())
            })
            .await
        }
    }
}

/// What the command line says of an account.
fn patch(name: Option<&str>, limits: LimitArgs) -> Result<AccountPatch, Failure> {
    let refused = |why: Why| Failure::invalid("name", why);
    Ok(AccountPatch {
        name: name.map(Name::parse).transpose().map_err(refused)?,
        subaccount_limit: limits.subaccount_limit.unwrap_or_default(),
        second_factor: limits.second_factor,
        ..AccountPatch::default()
    })
}

async fn update(cx: &Cx, number: i64, patch: AccountPatch) -> Result<(), Failure> {
    let saved = spaces::update_account(cx, number, Expect::Any, patch).await?;
    shown(&saved.record)
}

async fn list(cx: &Cx, json: bool) -> Result<(), Failure> {
    let mut query = Query { limit: ACCOUNTS_AT_ONCE, ..Query::of(0) };
    loop {
        let page = spaces::list::<Account>(cx, query.clone()).await?;
        for account in &page.items {
            if json {
                line(&described(account)?)?;
                continue;
            }
            println!(
                "{:>6}  {:<8} below {:<6} made {}  {}",
                account.number,
                state(account),
                account.parent.map_or("-".to_owned(), |parent| parent.to_string()),
                account.created_at.rfc3339_seconds(),
                account.name.as_str(),
            );
        }
        let Some(last) = page.items.last().filter(|_| page.more) else { return Ok(()) };
        query.after = Some(After { keys: Vec::new(), number: last.number });
    }
}

/// Whether anybody of it is let in.
fn state(account: &Account) -> &'static str {
    if account.is_open() { "active" } else { "inactive" }
}

fn described(account: &Account) -> Result<Value, Failure> {
    let mut shown = serde_json::to_value(AccountOut::of(account)).map_err(Failure::internal)?;
    shown["state"] = state(account).into();
    Ok(shown)
}

fn shown(account: &Account) -> Result<(), Failure> {
    show(&described(account)?)
}
