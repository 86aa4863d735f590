//! `patron space`: spaces with a key for every API.

use anyhow::Result;
use clap::Subcommand;
use patron_gateway::provision::{self, KeySource, NewSpace};

use super::explain;
use crate::{Deployment, dialects::DIALECTS, open};

/// Make spaces.
#[derive(Debug, Subcommand)]
pub enum SpaceCommand {
    /// Make a space with a key for every API, and show the keys this once.
    Create {
        /// Name of the space (and of the account, when one is made).
        name: String,
        /// Number of an existing account; otherwise a new account is made.
        #[arg(long, value_name = "NUMBER")]
        account: Option<i64>,
        /// Where clients reach the server; otherwise as the settings say.
        #[arg(long, value_name = "URL")]
        base_url: Option<String>,
        /// Print JSON only.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        deployment: Deployment,
    },
}

/// Runs the command.
///
/// # Errors
/// When the space cannot be made.
pub async fn run(command: SpaceCommand) -> Result<()> {
    let SpaceCommand::Create { name, account, base_url, json, deployment } = command;
    let settings = deployment.settings()?;
    let app = open::app(&settings).await?;
    let base_url = base_url.unwrap_or_else(|| open::base_url(&settings));
    let new = NewSpace {
        name: &name,
        account,
        uuid: None,
        keys: KeySource::Random,
        base_url: base_url.trim_end_matches('/'),
    };
    let made = provision::space(&app, DIALECTS, &new).await.map_err(|failure| explain(&failure));
    app.store.clone().close().await;
    let made = made?;
    let number = made.number;
    let shown = serde_json::to_string_pretty(&made.credentials)?;
    if json {
        println!("{shown}");
    } else {
        println!("These secrets are shown once: keep them now.\n{shown}");
        println!("Its number, for import, export and key create: {}", number);
    }
    Ok(())
}
