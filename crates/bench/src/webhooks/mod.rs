//! Webhooks measured from outside, by receivers that check the signature of everything that comes:
//! whether anything is lost, forged or altered while the program is killed and receivers misbehave;
//! how many are delivered and how soon; what a backlog costs.

mod drain;
mod place;
mod rate;
mod receiver;
mod soak;

use anyhow::Result;
use clap::Subcommand;

use crate::program::Patron;

/// What is measured of webhooks.
#[derive(Debug, Subcommand)]
pub enum WebhooksCommand {
    /// Kills of the program and hanging, failing, lying receivers: what is lost or forged.
    Soak(soak::SoakArgs),
    /// Deliveries per second and the time from commit to arrival, beside hanging endpoints too.
    Rate(rate::RateArgs),
    /// A backlog delivered at one go: how fast, and what memory it takes.
    Drain(drain::DrainArgs),
}

/// Runs it.
///
/// # Errors
/// When the server does not start, or something was lost, forged or altered.
pub async fn run(patron: &Patron, command: WebhooksCommand) -> Result<()> {
    match command {
        WebhooksCommand::Soak(args) => soak::run(patron, args).await,
        WebhooksCommand::Rate(args) => rate::run(patron, args).await,
        WebhooksCommand::Drain(args) => drain::run(patron, args).await,
    }
}
