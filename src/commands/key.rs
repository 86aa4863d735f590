//! `patron key`: single keys.

use anyhow::{Context as _, Result};
use clap::Subcommand;
use patron_app::keys::{self, NewKey};
use patron_gateway::dialect::Shown;
use patron_model::space::{Role, Space};
use serde_json::json;

use super::explain;
use crate::{Deployment, dialects::DIALECTS, open};

/// Make, list and revoke single keys.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a key and show it this once.
    Create {
        /// The API it is for.
        #[arg(long, value_name = "API", default_value = "native")]
        dialect: String,
        /// Number of the space it opens.
        #[arg(long, value_name = "NUMBER")]
        space: i64,
        /// What people call it.
        #[arg(long, default_value = "")]
        name: String,
        /// owner, administrator, support, developer, read-only or integration; the least that is
        /// of use for the API when none is said.
        #[arg(long)]
        role: Option<String>,
        /// Open every space of the account, not only this one.
        #[arg(long)]
        account_wide: bool,
        #[command(flatten)]
        deployment: Deployment,
    },
    /// List keys, without their secrets.
    List {
        /// Number of an account; otherwise all.
        #[arg(long, value_name = "NUMBER")]
        account: Option<i64>,
        /// Print JSON, one key a line.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        deployment: Deployment,
    },
    /// Revoke a key; running servers refuse it within half a second.
    Revoke {
        /// Number of the key.
        number: i64,
        #[command(flatten)]
        deployment: Deployment,
    },
}

/// Runs the command.
///
/// # Errors
/// When it cannot be done.
pub async fn run(command: KeyCommand) -> Result<()> {
    match command {
        KeyCommand::Create { dialect, space, name, role, account_wide, deployment } => {
            create(&dialect, space, name, role.as_deref(), account_wide, &deployment).await
        }
        KeyCommand::List { account, json, deployment } => list(account, json, &deployment).await,
        KeyCommand::Revoke { number, deployment } => {
            let app = open::app(&deployment.settings()?).await?;
            let revoked = keys::revoke(&app.operator(0, "key revoke"), number).await;
            app.store.clone().close().await;
            revoked.map_err(|failure| explain(&failure))?;
            println!("Key {number} is revoked.");
            Ok(())
        }
    }
}

async fn create(
    dialect: &str,
    space: i64,
    name: String,
    role: Option<&str>,
    account_wide: bool,
    deployment: &Deployment,
) -> Result<()> {
    let dialect = DIALECTS
        .iter()
        .find(|known| known.name == dialect)
        .with_context(|| format!("no API is called {dialect}"))?;
    let role = match role {
        None => dialect.credentials.roles.later,
        Some(word) => {
            let words = Role::ALL.map(Role::as_str).join(", ");
            Role::parse(word).with_context(|| format!("--role must be one of {words}"))?
        }
    };
    let settings = deployment.settings()?;
    let app = open::app(&settings).await?;
    let cx = app.operator(0, "key create");
    let space = patron_app::spaces::get::<Space>(&cx, space).await;
    let space = space.map_err(|failure| explain(&failure))?.record;
    let minted = (dialect.credentials.mint)();
    let new = NewKey {
        account_wide,
        name,
        ..NewKey::of_space(&space, dialect.name, role, minted.handle, minted.secret)
    };
    let made = keys::create(&cx, new).await.map_err(|failure| explain(&failure))?;
    app.store.clone().close().await;
    let base_url = open::base_url(&settings);
    let shown = Shown { base_url: &base_url, space: &space, key: &made, secret: &minted.shown };
    let shown = json!({
        "number": made.number,
        "base_url": base_url,
        dialect.name: (dialect.credentials.show)(&shown),
    });
    println!("{}", serde_json::to_string_pretty(&shown)?);
    Ok(())
}

async fn list(account: Option<i64>, json: bool, deployment: &Deployment) -> Result<()> {
    let app = open::app(&deployment.settings()?).await?;
    let listed = keys::list(&app.operator(0, "key list"), account).await;
    app.store.clone().close().await;
    for key in listed.map_err(|failure| explain(&failure))? {
        let state = if key.revoked_at.is_some() { "revoked" } else { "active" };
        let created_at = key.created_at.rfc3339_seconds();
        if json {
            let line = json!({
                "number": key.number, "account": key.account, "space": key.space,
                "account_wide": key.account_wide, "dialect": key.dialect, "name": key.name,
                "role": key.role.as_str(), "state": state, "created_at": created_at,
            });
            println!("{line}");
        } else {
            println!(
                "{:>6}  {:<9} {:<13} space {:<6} {:<8} {created_at}  {}",
                key.number,
                key.dialect,
                key.role.as_str(),
                key.space,
                state,
                key.name
            );
        }
    }
    Ok(())
}
