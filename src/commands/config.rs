//! `patron config`: the settings in force, the commented defaults, a check.

use anyhow::{Context as _, Result};
use clap::Subcommand;

use crate::{
    Deployment,
    master_key::{self, Source},
    settings, tls,
};

/// Show or check the settings.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print the settings in force, without secrets.
    Print {
        /// Print the commented default file instead.
        #[arg(long)]
        default: bool,
        #[command(flatten)]
        deployment: Deployment,
    },
    /// Say whether the settings are understood.
    Check {
        #[command(flatten)]
        deployment: Deployment,
    },
}

/// Runs the command.
///
/// # Errors
/// When the settings are not understood.
pub async fn run(command: &ConfigCommand) -> Result<()> {
    match command {
        ConfigCommand::Print { default: true, .. } => print!("{}", settings::DEFAULT),
        ConfigCommand::Print { deployment, .. } => print!("{}", deployment.settings()?.shown()?),
        ConfigCommand::Check { deployment } => {
            let settings = deployment.settings()?;
            let source = Source::of(&settings)?;
            tls::check(&settings.tls).context("[tls]")?;
            // What is not there yet is made at the first start.
            if !source.is_missing() {
                master_key::refuse_weak(&source.read().await?, &source.name())?;
            }
            println!("The settings are understood.");
        }
    }
    Ok(())
}
