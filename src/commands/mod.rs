//! Commands of the operator, one file each.

pub mod account;
pub mod audit;
pub mod backup;
pub mod config;
pub mod doctor;
pub mod events;
pub mod export;
pub mod import;
pub mod key;
pub mod listen;
pub mod manual;
pub mod permissions;
pub mod reindex;
mod remote;
pub mod restore;
pub mod role;
pub mod rotate;
pub mod sign;
pub mod sink;
pub mod space;
mod sse;
pub mod user;
pub mod webhook;

use anyhow::{Result, anyhow};
use patron_app::{Cx, sign_in};
use patron_model::Failure;
use serde::Serialize;

use crate::{Deployment, open};

/// Works on a deployment that is there, as the operator, and closes it.
///
/// # Errors
/// When there is none, or whatever the work says.
async fn on(
    deployment: &Deployment,
    name: &str,
    work: impl AsyncFnOnce(&Cx) -> Result<(), Failure>,
) -> Result<()> {
    let settings = deployment.settings()?;
    let app = open::existing_app(&settings).await?;
    app.signs_in_by(sign_in::Options { base_url: open::base_url(&settings) });
    app.mails_go(settings.mail.transport());
    let done = work(&app.operator(0, name)).await;
    app.store.clone().close().await;
    done.map_err(|failure| explain(&failure))
}

/// Prints a JSON document over several lines.
fn show(shown: &impl Serialize) -> Result<(), Failure> {
    println!("{}", serde_json::to_string_pretty(shown).map_err(Failure::internal)?);
    Ok(())
}

/// Prints a JSON document on one line.
fn line(shown: &impl Serialize) -> Result<(), Failure> {
    println!("{}", serde_json::to_string(shown).map_err(Failure::internal)?);
    Ok(())
}

/// A failure of a use case in words for the terminal.
pub fn explain(failure: &Failure) -> anyhow::Error {
    match failure {
        Failure::Invalid(problems) | Failure::Malformed(problems) => {
            let lines: Vec<String> =
                problems.iter().map(|p| format!("{}: {}", p.field, p.why)).collect();
            anyhow!("{}", lines.join("; "))
        }
        Failure::NotFound { noun } => anyhow!("there is no such {}", noun.as_str()),
        Failure::Exists { noun, field, holder } => {
            let noun = noun.as_str();
            let which = holder.map(|holder| format!(": {noun} {}", holder.number));
            anyhow!("another {noun} has this {field}{}", which.unwrap_or_default())
        }
        Failure::WrongState { is, needs } => anyhow!("it is {is}, and would have to be {needs}"),
        Failure::Beyond { head } => anyhow!("the journal ends at {head}"),
        Failure::Internal(report) => anyhow!("{}", report.details),
        other => anyhow!("{}", other.name()),
    }
}
