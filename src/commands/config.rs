//! `patron config`: the settings in force, the commented defaults, a check.

use anyhow::Result;
use clap::Subcommand;

use crate::{Deployment, settings};

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
pub fn run(command: &ConfigCommand) -> Result<()> {
    match command {
        ConfigCommand::Print { default: true, .. } => print!("{}", settings::DEFAULT),
        ConfigCommand::Print { deployment, .. } => print!("{}", deployment.settings()?.shown()?),
        ConfigCommand::Check { deployment } => {
            deployment.settings()?;
            println!("The settings are understood.");
        }
    }
    Ok(())
}
