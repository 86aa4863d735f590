//! `patron reindex`: what is derived of customers is made anew.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use patron_app::{
    App, Clock, keys,
    reindex::{self, Progress},
};

use super::explain;
use crate::{Deployment, open};

/// How often it says how far it is.
const TOLD_EVERY: Duration = Duration::from_secs(5);

/// Make anew what customers are found by and shown as: phone numbers in the country of their
/// address or space, search terms. The server may go on; a run that was interrupted is simply
/// begun again.
#[derive(Debug, Args)]
pub struct ReindexArgs {
    #[command(flatten)]
    deployment: Deployment,
}

/// Runs the command.
///
/// # Errors
/// When there is no deployment, or a record cannot be read or written.
pub async fn run(args: ReindexArgs) -> Result<()> {
    let store = open::store(&args.deployment.settings()?).await?;
    let app = App::without_secrets(store.clone(), Clock::System);
    // Servers remember the country of a space for half of this.
    tokio::time::sleep(keys::REMEMBERED * 2).await;
    let is_watched = std::io::stderr().is_terminal();
    let mut told = Instant::now();
    let done = reindex::reindex(&app, |progress| {
        if is_watched && told.elapsed() >= TOLD_EVERY {
            told = Instant::now();
            let Progress { read, renewed, number } = progress;
            eprintln!("{read} customers read, {renewed} made anew, up to number {number}");
        }
    });
    let done = done.await.map_err(|failure| explain(&failure));
    store.close().await;
    let Progress { read, renewed, .. } = done?;
    println!("{read} customers read, {renewed} made anew.");
    Ok(())
}
