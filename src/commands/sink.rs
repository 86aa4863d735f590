//! `patron sink`: sinks of events, for the operator.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use clap::{Args, Subcommand, ValueEnum};
use patron_app::{
    App,
    sinks::{self, GoesOn},
    webhooks::work,
};
use patron_model::Failure;
use serde_json::json;

use super::{explain, line};
use crate::{Deployment, open};

/// List sinks of events, and let them go on after a restore.
#[derive(Debug, Subcommand)]
pub enum SinkCommand {
    /// List sinks that were set up, and how far they are.
    List {
        /// Print JSON, one sink a line.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        deployment: Deployment,
    },
    /// Let a sink go on that was paused by a restore.
    Resume(ResumeArgs),
}

/// Which sink goes on, and where.
#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// What the settings call it.
    name: String,
    /// Where to go on.
    #[arg(long, value_name = "WHERE", value_enum, default_value_t = From::Kept)]
    from: From,
    #[command(flatten)]
    deployment: Deployment,
}

/// Where a sink goes on.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum From {
    /// Where it stopped.
    Kept,
    /// With what comes from now on.
    Now,
}

/// Runs the command.
///
/// # Errors
/// When there is no such sink, or it cannot be done.
pub async fn run(command: SinkCommand) -> Result<()> {
    let deployment = match &command {
        SinkCommand::List { deployment, .. } => deployment,
        SinkCommand::Resume(args) => &args.deployment,
    };
    let app = open::existing_app(&deployment.settings()?).await?;
    let done = match command {
        SinkCommand::List { json, .. } => {
            list(&app, json).await.map_err(|failure| explain(&failure))
        }
        SinkCommand::Resume(args) => resume(&app, &args).await,
    };
    app.store.clone().close().await;
    done
}

async fn list(app: &Arc<App>, is_json: bool) -> Result<(), Failure> {
    for sink in sinks::all(app).await? {
        let positions = sinks::positions(app, sink.number).await?;
        let mut behind = 0;
        for position in &positions {
            let heads = work::heads(app, &[position.space]).await?;
            behind += heads.first().map_or(0, |(_, head)| head - position.position);
        }
        let state = match (sink.is_paused, sink.holder) {
            (true, _) => "paused",
            (false, Some(_)) => "held",
            (false, None) => "free",
        };
        let (name, at) = (&sink.name, sink.at.rfc3339_seconds());
        if is_json {
            let shown = json!({"name": name, "state": state, "at": at, "behind": behind,
                "spaces": positions.len()});
            line(&shown)?;
            continue;
        }
        println!("{name:<20} {state:<6} {at}, {} spaces, {behind} behind", positions.len());
    }
    Ok(())
}

async fn resume(app: &Arc<App>, args: &ResumeArgs) -> Result<()> {
    let name = &args.name;
    let found = sinks::named(app, name).await.map_err(|failure| explain(&failure))?;
    let sink = found.with_context(|| format!("no sink {name} was ever set up here"))?;
    ensure!(sink.is_paused, "sink {name} is not paused");
    let from = match args.from {
        From::Kept => GoesOn::WhereItStopped,
        From::Now => GoesOn::Now,
    };
    let resumed = sinks::resume(app, sink, from).await.map_err(|failure| explain(&failure))?;
    resumed.with_context(|| format!("sink {name} changed meanwhile: try again"))?;
    println!("Sink {name} goes on.");
    Ok(())
}
