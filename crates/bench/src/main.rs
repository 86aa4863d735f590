//! `patron-bench`: measures the program from outside, on databases of its own. Not part of what an
//! operator runs; built only when asked for.

mod connection;
mod figures;
mod instructions;
mod limit;
mod load;
mod neighbour;
mod overload;
mod peer;
mod postgres;
mod program;
mod rates;
mod signer;
mod sizes;
mod soak;
mod stock;
mod webhooks;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::program::Patron;

/// As in the program, so that the limit is not slower for another reason.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measure Patron. Every command starts servers of its own.
#[derive(Debug, Parser)]
#[command(name = "patron-bench", version, about)]
struct Cli {
    #[command(flatten)]
    patron: Patron,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Rates: this machine's limit and Patron, in turn.
    Rates(rates::RatesArgs),
    /// What is left of the peak at three times its load.
    Overload(overload::OverloadArgs),
    /// The times of one tenant, alone and while another does the worst it can.
    Neighbour(neighbour::NeighbourArgs),
    /// Instructions of single calls (with valgrind), compared with their bounds.
    Instructions(instructions::InstructionsArgs),
    /// Start, memory and calls at two numbers of customers.
    Sizes(sizes::SizesArgs),
    /// Patron beside localstripe, a double of another provider's API.
    Peer(peer::PeerArgs),
    /// Patron on PostgreSQL against pgbench with the same statements, in turn.
    Postgres(postgres::PostgresArgs),
    /// A realistic mix over all APIs for a long time: what grew.
    Soak(soak::SoakArgs),
    /// Webhooks: kills and bad receivers, rates and times, a backlog.
    #[command(subcommand)]
    Webhooks(webhooks::WebhooksCommand),
    /// Serve the fixed reply that rates are compared with.
    #[command(hide = true)]
    Limit(limit::LimitArgs),
}

#[tokio::main]
async fn main() -> Result<()> {
    let Cli { patron, command } = Cli::parse();
    match command {
        Command::Rates(args) => rates::run(&patron, args).await,
        Command::Overload(args) => overload::run(&patron, args).await,
        Command::Neighbour(args) => neighbour::run(&patron, args).await,
        Command::Instructions(args) => instructions::run(&patron, args).await,
        Command::Sizes(args) => sizes::run(&patron, args).await,
        Command::Peer(args) => peer::run(&patron, args).await,
        Command::Postgres(args) => postgres::run(&patron, args).await,
        Command::Soak(args) => soak::run(&patron, args).await,
        Command::Webhooks(command) => webhooks::run(&patron, command).await,
        Command::Limit(args) => limit::serve(args).await,
    }
}
